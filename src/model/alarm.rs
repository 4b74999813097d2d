//! Alarms: what is wrong with an installation, from when it is found until it is well again.

use jiff::Timestamp;

use super::keys::AlarmKey;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmKind {
    /// A source failed several times in a row.
    SourceBroken,
    /// Its server says that it is gone for good.
    SourceGone,
    /// A source is silent for much longer than it ever is.
    SourceStale,
    /// A source brings much more than it ever does.
    SourceFlooding,
    /// The time of an issue has passed, and it was not made.
    DigestLate,
    /// Mail waits until the operator acts.
    MailHeldUp,
    /// Many people left, or their mail came back.
    ListShrinking,
    DiskFull,
    /// A webhook or a service accepts nothing.
    OutletFailing,
}

impl AlarmKind {
    pub const ALL: [AlarmKind; 9] = [
        AlarmKind::SourceBroken,
        AlarmKind::SourceGone,
        AlarmKind::SourceStale,
        AlarmKind::SourceFlooding,
        AlarmKind::DigestLate,
        AlarmKind::MailHeldUp,
        AlarmKind::ListShrinking,
        AlarmKind::DiskFull,
        AlarmKind::OutletFailing,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            AlarmKind::SourceBroken => "source.broken",
            AlarmKind::SourceGone => "source.gone",
            AlarmKind::SourceStale => "source.stale",
            AlarmKind::SourceFlooding => "source.flooding",
            AlarmKind::DigestLate => "digest.late",
            AlarmKind::MailHeldUp => "mail.held_up",
            AlarmKind::ListShrinking => "list.shrinking",
            AlarmKind::DiskFull => "disk.full",
            AlarmKind::OutletFailing => "outlet.failing",
        }
    }

    /// The kind of a name.
    pub fn parse(text: &str) -> Option<AlarmKind> {
        AlarmKind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What is said when it is over.
    pub fn over(self) -> &'static str {
        match self {
            AlarmKind::SourceBroken | AlarmKind::SourceGone => "works again",
            AlarmKind::SourceStale => "brings news again",
            AlarmKind::SourceFlooding => "brings no more than usual again",
            AlarmKind::DigestLate => "is on time again",
            AlarmKind::MailHeldUp => "is no longer held up",
            AlarmKind::ListShrinking => "does not shrink any more",
            AlarmKind::DiskFull => "has room again",
            AlarmKind::OutletFailing => "accepts again what it is told",
        }
    }

    /// Whether the operator gets a mail of it from whoever notices it first.
    pub fn is_mailed_apart(self) -> bool {
        matches!(self, AlarmKind::SourceBroken | AlarmKind::SourceGone | AlarmKind::MailHeldUp)
    }
}

/// Something that is wrong now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: AlarmKind,
    /// Which source, digest or outlet, by its id.
    pub subject: String,
    /// What happened, and what to do.
    pub text: String,
}

/// Something that is wrong, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    pub key: AlarmKey,
    pub finding: Finding,
    pub raised: Timestamp,
    pub ended: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_as_it_is_written() {
        for kind in AlarmKind::ALL {
            assert_eq!(AlarmKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(AlarmKind::parse("weather.bad"), None);
    }
}
