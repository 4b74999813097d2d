//! Whether a refusal is one reader's own, by what was said of others in the last days. One run sees little of that: readers who get
//! their mail at hours of their own, and several processes, would each be judged alone. So who is refused, and what domains took, is kept
//! in the store, and looked at in the unit of work that would suppress somebody.

use jiff::{SignedDuration, Timestamp};

use crate::model::keys::DeliveryKey;
use crate::store::{AcceptedAtDomain, NewRefusal, RefusedAlike, StoreError, Unit, Write};

/// What was refused and taken counts for so long.
const WINDOW: SignedDuration = SignedDuration::from_hours(72);
/// A reader who got mail before is gone when that is said again after this time.
const ANOTHER_DAY: SignedDuration = SignedDuration::from_hours(24);
/// More than this share (1/10) of the readers at a domain are not gone in some days by chance.
const SHARE: u64 = 10;

/// What the store knows of a refused reader, and of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RefusalHistory {
    /// Whether it is said that there is no such mailbox; otherwise it was put off for days.
    is_gone: bool,
    /// Since when that is said.
    pub(super) since: Timestamp,
    /// Whether a server took other mail to the reader.
    was_served: bool,
    /// RefusalHistory readers at the domain, this one included, and what the domain took.
    refused: u64,
    taken: AcceptedAtDomain,
    /// Those refused in the same words at domains that took nothing since, and what all domains took on the best day.
    alike: RefusedAlike,
    taken_of_all: u64,
}

/// Why a reader is not suppressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SuppressionDoubt {
    /// Many at the domain are refused.
    There,
    /// Many are refused in the same words.
    Alike,
    /// The reader got mail before, and is refused for the first time, or the first day.
    Served,
}

impl SuppressionDoubt {
    /// What is said of many, without figures: equal reasons are equal texts.
    pub(super) fn crowd(self, domain: &str) -> Option<String> {
        match self {
            SuppressionDoubt::There => Some(format!("many readers of {domain} are refused within days")),
            SuppressionDoubt::Alike => {
                Some("many readers are refused in the same words within days".to_owned())
            }
            SuppressionDoubt::Served => None,
        }
    }
}

/// The beginning and the length of the time that counts.
pub(super) fn window(now: Timestamp) -> (Timestamp, SignedDuration) {
    (now.saturating_sub(WINDOW).unwrap_or(Timestamp::MIN), WINDOW)
}

/// Whether that many of so many are more than chance.
fn is_crowd(refused: u64, of: u64, refusals_max: u64) -> bool {
    refused >= refusals_max && refused.saturating_mul(SHARE) > of
}

impl RefusalHistory {
    /// What is known of the reader alone.
    pub(super) fn alone(is_gone: bool, since: Timestamp, was_served: bool) -> RefusalHistory {
        RefusalHistory { is_gone, since, was_served, ..RefusalHistory::default() }
    }

    /// Adds what is known of others.
    pub(super) fn among_others(
        self,
        unit: &Unit<Write>,
        hash: &str,
        domain: &str,
        now: Timestamp,
    ) -> Result<RefusalHistory, StoreError> {
        let (from, _) = window(now);
        let mailing = unit.mailing();
        Ok(RefusalHistory {
            refused: mailing.refused_there(domain, self.is_gone, from)?,
            taken: mailing.taken_there(domain, from)?,
            alike: mailing.refused_alike(hash, from)?,
            taken_of_all: mailing.taken_a_day(from)?,
            ..self
        })
    }

    /// Whether the domain took mail of a list since the reader was refused.
    pub(super) fn has_taken(&self) -> bool {
        self.taken.latest.is_some_and(|latest| latest >= self.since)
    }

    /// Why the reader is not to be suppressed yet, if so.
    pub(super) fn suppression_doubt(&self, refusals_max: u64, now: Timestamp) -> Option<SuppressionDoubt> {
        let lasts = now.duration_since(self.since);
        let has_taken = self.has_taken();
        // Whoever is put off for two days while nobody there is served at all shares that with the others.
        let is_shut = !self.is_gone && self.refused > 1 && !has_taken;
        let is_alike = self.alike.domains > refusals_max
            && is_crowd(self.alike.readers, self.taken_of_all, refusals_max);
        if is_shut || is_crowd(self.refused, self.taken.most_a_day, refusals_max) {
            // What is said for days, while others there are served, is true.
            (!(self.is_gone && has_taken && lasts >= WINDOW)).then_some(SuppressionDoubt::There)
        } else if is_alike {
            (!(self.is_gone && lasts >= WINDOW)).then_some(SuppressionDoubt::Alike)
        } else {
            (self.is_gone && self.was_served && lasts < ANOTHER_DAY).then_some(SuppressionDoubt::Served)
        }
    }
}

/// What reports say of many.
pub(super) struct ReportedCrowd {
    /// In words.
    pub(super) crowd: String,
    /// Those who were suppressed for it before, and for which delivery.
    pub(super) taken_back: Vec<(String, DeliveryKey)>,
}

/// Why a reader whom a report calls unknown is not suppressed yet, if so: a relay takes all mail, so what is said of many shows only in
/// what comes back. What was believed of others before is then taken back.
pub(super) fn reported_of_many(
    unit: &Unit<Write>,
    refused: &NewRefusal,
    refusals_max: usize,
    now: Timestamp,
) -> Result<Option<ReportedCrowd>, StoreError> {
    let NewRefusal { hash, domain, .. } = refused;
    unit.mailing().put_refusal(refused, now)?;
    let reported = RefusalHistory::alone(true, now, false).among_others(unit, hash, domain, now)?;
    let Some(why) = reported.suppression_doubt(refusals_max as u64, now) else {
        unit.mailing().note_believed(hash, now)?;
        return Ok(None);
    };
    let taken_back = unit.mailing().take_back(hash, why == SuppressionDoubt::Alike, window(now), now)?;
    Ok(why.crowd(domain).map(|crowd| ReportedCrowd { crowd, taken_back }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = 5;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + hours * 3_600).unwrap()
    }

    fn gone(refused: u64, most_a_day: u64, latest: i64) -> RefusalHistory {
        let latest = (most_a_day > 0).then_some(at(latest));
        let taken = AcceptedAtDomain { most_a_day, latest };
        RefusalHistory { is_gone: true, since: at(0), refused, taken, ..RefusalHistory::default() }
    }

    #[test]
    fn a_reader_is_gone_when_it_is_said_of_few_and_again_on_another_day_of_who_was_served() {
        use SuppressionDoubt::{Served, There};
        // How many are refused, what the domain took on its best day, when the last time; served before, hours; why not.
        for (refused, best, latest, was_served, hours, want) in [
            (1, 0, 0, false, 0, None),
            (4, 0, 0, false, 0, None),
            (5, 0, 0, false, 0, Some(There)),
            (5, 0, 0, false, 300, Some(There)),
            (1, 90, -24, true, 0, Some(Served)),
            (1, 90, -24, true, 23, Some(Served)),
            (4, 90, -24, true, 24, None),
            (9, 81, 1, true, 1, Some(There)),
            (9, 90, 1, true, 1, Some(Served)),
            (9, 90, 1, true, 24, None),
            (27, 63, 1, false, 48, Some(There)),
            // For days, while others are served, and while nobody is.
            (27, 63, 71, true, 72, None),
            (27, 63, -1, true, 72, Some(There)),
        ] {
            let known = RefusalHistory { was_served, ..gone(refused, best, latest) };
            let got = known.suppression_doubt(MAX, at(hours));
            assert_eq!(got, want, "{refused} {best} {latest} {was_served} {hours}");
        }
    }

    #[test]
    fn the_same_words_at_many_domains_are_nobodys_own() {
        // Readers and domains alike, what all took; whether it is believed at once, and after three days.
        for (readers, domains, all, at_once, later) in
            [(6, 6, 59, false, true), (6, 6, 60, true, true), (5, 5, 0, true, true), (40, 3, 9, true, true)]
        {
            let alike = RefusedAlike { readers, domains };
            let known = RefusalHistory { alike, taken_of_all: all, ..gone(1, 0, 0) };
            assert_eq!(known.suppression_doubt(MAX, at(1)).is_none(), at_once, "{readers} {domains} {all}");
            assert_eq!(known.suppression_doubt(MAX, at(72)).is_none(), later, "{readers} {domains} {all}");
        }
    }

    #[test]
    fn who_is_put_off_for_days_together_with_all_others_there_is_charged_with_nothing() {
        let put_off = |refused, most_a_day, latest| RefusalHistory {
            is_gone: false,
            ..gone(refused, most_a_day, latest)
        };
        for (known, want) in [
            (put_off(1, 0, 0), None),
            (put_off(2, 0, 0), Some(SuppressionDoubt::There)),
            (put_off(2, 9, -5), Some(SuppressionDoubt::There)),
            (put_off(2, 9, 30), None),
            (put_off(5, 9, 30), Some(SuppressionDoubt::There)),
            (put_off(5, 50, 30), None),
        ] {
            assert_eq!(known.suppression_doubt(MAX, at(48)), want, "{known:?}");
        }
    }
}
