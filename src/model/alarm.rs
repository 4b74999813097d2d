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
    /// No listing is found on the page of a source.
    SourceUnlisted,
    /// The page of a source was redesigned, and it is read with new selectors that nobody looked at yet.
    SourceMended,
    /// The time of an issue has passed, and it was not made.
    DigestLate,
    /// Mail waits until the operator acts.
    MailHeldUp,
    /// Many people left, or their mail came back.
    ListShrinking,
    DiskFull,
    /// A webhook or a service accepts nothing.
    OutletFailing,
    /// A certificate is about to end, or has ended: ours, that of a mail server, or that of a source.
    CertificateEnding,
    /// A record of the domain that mail is sent from was there, and is no longer: SPF, DKIM or DMARC.
    RecordGone,
}

impl AlarmKind {
    pub const ALL: [AlarmKind; 13] = [
        AlarmKind::SourceBroken,
        AlarmKind::SourceGone,
        AlarmKind::SourceStale,
        AlarmKind::SourceFlooding,
        AlarmKind::SourceUnlisted,
        AlarmKind::SourceMended,
        AlarmKind::DigestLate,
        AlarmKind::MailHeldUp,
        AlarmKind::ListShrinking,
        AlarmKind::DiskFull,
        AlarmKind::OutletFailing,
        AlarmKind::CertificateEnding,
        AlarmKind::RecordGone,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            AlarmKind::SourceBroken => "source.broken",
            AlarmKind::SourceGone => "source.gone",
            AlarmKind::SourceStale => "source.stale",
            AlarmKind::SourceFlooding => "source.flooding",
            AlarmKind::SourceUnlisted => "source.no_listing",
            AlarmKind::SourceMended => "source.mended",
            AlarmKind::DigestLate => "digest.late",
            AlarmKind::MailHeldUp => "mail.held_up",
            AlarmKind::ListShrinking => "list.shrinking",
            AlarmKind::DiskFull => "disk.full",
            AlarmKind::OutletFailing => "outlet.failing",
            AlarmKind::CertificateEnding => "certificate.ending",
            AlarmKind::RecordGone => "record.gone",
        }
    }

    /// The kind of a name.
    pub fn parse(text: &str) -> Option<AlarmKind> {
        AlarmKind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What is said when it is over.
    pub fn over(self) -> &'static str {
        match self {
            AlarmKind::SourceBroken | AlarmKind::SourceGone | AlarmKind::SourceUnlisted => "works again",
            AlarmKind::SourceMended => "is read with selectors that somebody chose again",
            AlarmKind::SourceStale => "brings news again",
            AlarmKind::SourceFlooding => "brings no more than usual again",
            AlarmKind::DigestLate => "is on time again",
            AlarmKind::MailHeldUp => "is no longer held up",
            AlarmKind::ListShrinking => "does not shrink any more",
            AlarmKind::DiskFull => "has room again",
            AlarmKind::OutletFailing => "accepts again what it is told",
            AlarmKind::CertificateEnding => "was renewed, and does not end soon any more",
            AlarmKind::RecordGone => "is published again",
        }
    }

    /// Whether the operator gets a mail of its beginning, or its end, from whoever notices it first.
    pub fn is_mailed_apart(self, is_over: bool) -> bool {
        match self {
            AlarmKind::SourceBroken
            | AlarmKind::SourceGone
            | AlarmKind::SourceUnlisted
            | AlarmKind::MailHeldUp => true,
            // That it was mended is told by whoever reads the page.
            AlarmKind::SourceMended => !is_over,
            _ => false,
        }
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

/// What is looked at outside of the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutsideKind {
    Certificate,
    /// A record of the domain that mail is sent from.
    Record,
}

impl OutsideKind {
    pub fn as_str(self) -> &'static str {
        match self {
            OutsideKind::Certificate => "certificate",
            OutsideKind::Record => "record",
        }
    }
}

impl From<&str> for OutsideKind {
    fn from(text: &str) -> Self {
        if text == "record" { OutsideKind::Record } else { OutsideKind::Certificate }
    }
}

/// What was seen outside of the installation at the last look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideCheck {
    /// For people, and what it is known by.
    pub subject: String,
    pub kind: OutsideKind,
    pub looked: Timestamp,
    /// The time for which a certificate holds; when a record was first found and last. `None` while neither was seen.
    pub span: Option<(Timestamp, Timestamp)>,
    /// What is wrong with a record now, and what to do.
    pub fault: Option<String>,
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
