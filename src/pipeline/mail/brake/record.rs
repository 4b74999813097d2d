//! What one server answered in a run.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::domain::{Domain, MAILBOX_FACTOR};
use super::doubt::{AcceptanceHistory, Doubt, RefusalGround};
use crate::model::keys::DeliveryKey;
use crate::model::refusal::reply_signature;

/// Mail to a single recipient who may not exist is waited with for so long before the operator hears of it.
const SINGLE_WAITS: SignedDuration = SignedDuration::from_hours(24);

/// Refusals in the same words are no accident from this share (1/10) of the recipients that were tried.
const ALIKE_SHARE: usize = 10;

pub(super) type Domains = HashMap<String, Domain>;

/// What one server answered in this run, since it last took mail.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The domains of the recipients of messages in a row that wait for a reason that is not their recipients', or for one that nobody
    /// gives; `None` where the server had not heard of the recipient.
    about_us: Vec<Option<String>>,
    /// Refused recipients in a row.
    of_recipients: usize,
    /// Messages in a row of which nobody knows whether they were taken.
    pub(super) uncertain: Vec<DeliveryKey>,
    pub(super) doubts: Vec<Doubt>,
    pub(super) has_taken: bool,
    pub(super) is_out: bool,
    /// Why it is left out, while others take its mail.
    pub(super) trouble: Option<String>,
}

impl Record {
    /// The server took a message: what it said of others before is to be believed, but what it repeats of another domain may be
    /// true of everybody there.
    pub(super) fn take(&mut self, domain: &str) -> Vec<Doubt> {
        self.has_taken = true;
        self.about_us.clear();
        self.uncertain.clear();
        self.of_recipients = 0;
        let (believed, mut left): (Vec<Doubt>, Vec<Doubt>) = std::mem::take(&mut self.doubts)
            .into_iter()
            .partition(|doubt| !doubt.ground.is_grave() || doubt.domain == domain);
        left.iter_mut().for_each(|doubt| doubt.is_vouched = true);
        self.doubts = left;
        believed
    }

    /// How many refusals in a row are about us. A domain that nothing more is sent to counts once where there is no other server to ask,
    /// so that one provider does not stop the mail of the others; and not at all if it refused us before.
    pub(super) fn weight(&self, domains: &Domains, is_last: bool) -> usize {
        if !is_last {
            return self.about_us.len();
        }
        let mut outs = HashSet::new();
        let others = self.about_us.iter().filter(|name| {
            let Some(name) = name else { return true };
            match domains.get(name) {
                Some(domain) if domain.was_paused && !domain.has_taken => false,
                Some(domain) if domain.out.is_some() => outs.insert(name),
                _ => true,
            }
        });
        others.count()
    }

    /// A message waits because of us or the server. Answers why the server is to be asked no more, if it is.
    pub(super) fn wait(
        &mut self,
        domain: Option<&str>,
        reason: &str,
        (domains, is_last): (&Domains, bool),
        refusals_max: usize,
    ) -> Option<String> {
        self.about_us.push(domain.map(str::to_owned));
        let is_many = self.weight(domains, is_last) >= refusals_max;
        self.take_out_of_use_if(is_many, || reason.to_owned())
    }

    /// Nobody knows whether a message was taken.
    pub(super) fn note_uncertain_reply(
        &mut self,
        number: DeliveryKey,
        reason: &str,
        refusals_max: usize,
    ) -> Option<String> {
        self.uncertain.push(number);
        let count = self.uncertain.len();
        self.take_out_of_use_if(count >= refusals_max, || format!("{count} messages in a row: {reason}"))
    }

    /// A recipient was refused.
    pub(super) fn doubt(
        &mut self,
        doubt: Doubt,
        (domains, is_last): (&Domains, bool),
        refusals_max: usize,
    ) -> Option<String> {
        let reason = doubt.reason.clone();
        let counts = doubt.ground != RefusalGround::Later;
        let is_unexplained = doubt.ground == RefusalGround::Unexplained;
        if is_unexplained {
            self.about_us.push(Some(doubt.domain.clone()));
        }
        self.doubts.push(doubt);
        self.of_recipients += usize::from(counts);
        let is_many = is_unexplained && self.weight(domains, is_last) >= refusals_max
            || counts && self.of_recipients >= refusals_max.saturating_mul(MAILBOX_FACTOR);
        let count = self.of_recipients;
        self.take_out_of_use_if(is_many, || format!("{count} recipients in a row: {reason}"))
    }

    pub(super) fn take_out_of_use_if(
        &mut self,
        is_many: bool,
        reason: impl FnOnce() -> String,
    ) -> Option<String> {
        if !is_many || self.is_out {
            return None;
        }
        self.is_out = true;
        Some(reason())
    }

    /// The domains of recipients who do not exist in the same words as many others at domains that took nothing: a hoster who has lost
    /// its customers says so of all of them, and each may have one reader only. Where the server took nothing at all, it is the server.
    pub(super) fn alike(&self, domains: &Domains, tried: usize, refusals_max: usize) -> HashSet<String> {
        if !self.has_taken {
            return HashSet::new();
        }
        let mut told: HashMap<String, Vec<&str>> = HashMap::new();
        let took_nothing = |name: &str| domains.get(name).is_none_or(|domain| !domain.has_taken);
        for doubt in &self.doubts {
            if doubt.ground == RefusalGround::NoMailbox && took_nothing(&doubt.domain) {
                told.entry(reply_signature(&doubt.reason)).or_default().push(&doubt.domain);
            }
        }
        let mut alike = HashSet::new();
        for found in told.into_values().filter(|found| found.len() * ALIKE_SHARE >= tried) {
            let names: HashSet<String> = found.into_iter().map(str::to_owned).collect();
            if names.len() > refusals_max {
                alike.extend(names);
            }
        }
        alike
    }

    /// How many of the doubts since it last took something are grave, and how many are not.
    fn counts(&self) -> (usize, usize) {
        let since = self.doubts.iter().filter(|doubt| !doubt.is_vouched);
        let grave = since.clone().filter(|doubt| doubt.ground.is_grave()).count();
        (grave, since.count() - grave)
    }

    /// Whether a doubt that nothing answered until the end is to be believed; `is_lost` if its domain may have lost everybody.
    pub(super) fn is_believed(
        &self,
        doubt: &Doubt,
        before: AcceptanceHistory,
        is_lost: bool,
        refusals_max: usize,
    ) -> bool {
        let (grave, others) = self.counts();
        let was_since =
            |taken: Option<Timestamp>| doubt.since.zip(taken).is_some_and(|(since, taken)| taken > since);
        if is_lost && doubt.ground != RefusalGround::Later {
            false
        } else if doubt.is_vouched {
            true
        } else if self.is_out {
            false
        } else if !doubt.ground.is_grave() {
            self.has_taken || others < refusals_max
        } else if self.has_taken && grave < refusals_max {
            true
        } else if was_since(before.taken) {
            // It took the mail of others since it first refused this one.
            true
        } else {
            let has_taken_any = before.has_taken_any || was_since(before.taken_any);
            grave <= 1 && (has_taken_any || doubt.ground == RefusalGround::Unexplained)
        }
    }

    /// Whether a delivery to a list that is in doubt waits for the operator.
    pub(super) fn is_held(&self, doubt: &Doubt, is_lost: bool, now: Timestamp) -> bool {
        let is_late = now.duration_since(doubt.created) >= SINGLE_WAITS;
        let is_alone = self.counts().0 <= 1 && !is_late && !is_lost;
        doubt.ground != RefusalGround::Later
            && (self.is_out || is_lost || doubt.ground.is_grave() && !is_alone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 5;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + hours * 3_600).unwrap()
    }

    fn doubt(ground: RefusalGround) -> Doubt {
        Doubt {
            number: DeliveryKey(1),
            attempts: 0,
            message_id: "m".into(),
            hash: "h".into(),
            domain: "x.example".into(),
            digest: "d".into(),
            created: at(0),
            since: None,
            ground,
            reason: "no".into(),
            is_vouched: false,
        }
    }

    fn refuse(record: &mut Record, doubt: Doubt) -> Option<String> {
        record.doubt(doubt, (&Domains::new(), true), MAX)
    }

    /// A server that refuses some, takes one of another domain, and refuses some more.
    fn record(ground: RefusalGround, before: usize, has_taken: bool, after: usize) -> (Record, usize) {
        let (mut record, mut believed) = (Record::default(), 0);
        for _ in 0..before {
            refuse(&mut record, doubt(ground));
        }
        if has_taken {
            believed = record.take("y.example").len();
        }
        for _ in 0..after {
            refuse(&mut record, doubt(ground));
        }
        (record, believed)
    }

    #[test]
    fn a_refusal_is_believed_when_the_server_takes_the_mail_of_others() {
        use RefusalGround::{Full, Later, NoMailbox, Unexplained};
        // What is refused, how many before the server takes one, whether it does, how many after; how many are believed, and whether
        // the rest waits for the operator.
        for (ground, before, has_taken, after, want, is_held) in [
            (NoMailbox, 1, true, 2, 3, false),
            (NoMailbox, 19, true, 0, 19, false),
            (NoMailbox, 0, true, 4, 4, false),
            (NoMailbox, 0, true, 5, 0, true),
            (NoMailbox, 2, false, 0, 0, true),
            (NoMailbox, 1, false, 0, 0, false),
            (NoMailbox, 40, false, 0, 0, true),
            (Unexplained, 1, false, 0, 1, false),
            (Unexplained, 2, false, 0, 0, true),
            (Unexplained, 0, true, 4, 4, false),
            (Full, 4, false, 0, 4, false),
            (Full, 20, false, 0, 0, true),
            (Later, 4, false, 0, 4, false),
            (Later, 40, false, 0, 0, false),
            (Later, 0, true, 40, 40, false),
        ] {
            let (record, before_the_end) = record(ground, before, has_taken, after);
            let is_believed =
                |doubt: &&Doubt| record.is_believed(doubt, AcceptanceHistory::default(), false, MAX);
            let (believed, rest): (Vec<&Doubt>, Vec<&Doubt>) = record.doubts.iter().partition(is_believed);
            let believed = before_the_end + believed.len();
            let held = rest.iter().any(|doubt| record.is_held(doubt, false, at(1)));
            assert_eq!(
                (believed, held),
                (want, is_held),
                "{ground:?}: {before} before, {has_taken}, {after} after"
            );
        }
    }

    #[test]
    fn what_others_get_shows_nothing_of_a_domain_that_may_have_lost_everybody() {
        let (mut record, believed) = record(RefusalGround::NoMailbox, 3, true, 0);
        let some = record.doubts[0].clone();
        assert_eq!(believed, 0);
        assert!(record.is_believed(&some, AcceptanceHistory::default(), false, MAX));
        assert!(
            !record.is_believed(&some, AcceptanceHistory::default(), true, MAX)
                && record.is_held(&some, true, at(0))
        );
        // But somebody there who is taken does.
        assert_eq!(record.take("x.example").len(), 3);
    }

    #[test]
    fn the_same_words_of_recipients_at_many_domains_are_about_their_hoster() {
        let told = |count: usize, words: fn(usize) -> String| {
            let mut record = Record::default();
            for n in 0..count {
                let (domain, reason) = (format!("firm{n}.example"), words(n));
                refuse(&mut record, Doubt { domain, reason, ..doubt(RefusalGround::NoMailbox) });
                record.take("other.example");
            }
            record
        };
        let same: fn(usize) -> String =
            |n| format!("550 5.1.1 (the recipient) user unknown (id {n}x, firm{n}.example)");
        let own: fn(usize) -> String = |n| format!("550 nothing of that {}", "a".repeat(n));
        let none = Domains::new();
        for (count, words, tried, want) in [
            (40, same, 400, 40),
            (40, same, 401, 0),
            (MAX, same, 10, 0),
            (MAX + 1, same, 10, MAX + 1),
            (40, own, 100, 0),
        ] {
            assert_eq!(told(count, words).alike(&none, tried, MAX).len(), want, "{count} of {tried}");
        }
        // Who was refused where others are taken is none of them.
        let mut taken = Domain::default();
        taken.take();
        let domains: Domains = [("firm0.example".to_owned(), taken)].into();
        let alike = told(40, same).alike(&domains, 100, MAX);
        assert!(alike.len() == 39 && !alike.contains("firm0.example"));
    }

    #[test]
    fn who_is_doubted_is_believed_to_be_gone_when_others_were_served_since() {
        let mut record = Record::default();
        let old = Doubt { since: Some(at(1)), ..doubt(RefusalGround::NoMailbox) };
        refuse(&mut record, old.clone());
        refuse(&mut record, old.clone());
        for (taken, want) in [(None, false), (Some(at(1)), false), (Some(at(2)), true)] {
            let before = AcceptanceHistory { taken, ..AcceptanceHistory::default() };
            assert_eq!(record.is_believed(&old, before, false, MAX), want, "{taken:?}");
            // That the operator's mail was taken shows nothing of two.
            let before = AcceptanceHistory { taken_any: taken, ..AcceptanceHistory::default() };
            assert!(!record.is_believed(&old, before, false, MAX));
        }
        // The mail of the operator shows it of a single one.
        let mut record = Record::default();
        refuse(&mut record, old.clone());
        let (no, since) = (
            AcceptanceHistory::default(),
            AcceptanceHistory { taken_any: Some(at(2)), ..AcceptanceHistory::default() },
        );
        assert!(!record.is_believed(&old, no, false, MAX) && record.is_held(&old, false, at(24)));
        assert!(record.is_believed(&old, since, false, MAX));
        assert!(record.is_believed(&old, AcceptanceHistory { has_taken_any: true, ..no }, false, MAX));
    }

    #[test]
    fn a_server_is_out_after_as_many_in_a_row_as_its_answers_weigh() {
        let refused = |ground: RefusalGround| {
            let mut record = Record::default();
            (1..=100).find(|_| refuse(&mut record, doubt(ground)).is_some())
        };
        assert_eq!(refused(RefusalGround::Unexplained), Some(MAX));
        assert_eq!(refused(RefusalGround::NoMailbox), Some(4 * MAX));
        assert_eq!(refused(RefusalGround::Full), Some(4 * MAX));
        assert_eq!(refused(RefusalGround::Later), None);
        let none = Domains::new();
        let wait = |record: &mut Record| record.wait(None, "no", (&none, true), MAX);
        let mut record = Record::default();
        assert_eq!((1..=100).find(|_| wait(&mut record).is_some()), Some(MAX));
        let mut record = Record::default();
        assert_eq!(
            (1..=100).find(|_| record.note_uncertain_reply(DeliveryKey(1), "?", MAX).is_some()),
            Some(MAX)
        );
        let mut record = Record::default();
        for _ in 0..100 {
            assert!((1..MAX).all(|_| wait(&mut record).is_none()), "what it takes in between counts");
            assert!((1..MAX).all(|_| record.note_uncertain_reply(DeliveryKey(1), "?", MAX).is_none()));
            record.take("x.example");
        }
    }

    #[test]
    fn a_domain_that_is_out_weighs_as_one_refusal_where_no_other_server_is_left() {
        let out = || {
            let mut domain = Domain::default();
            domain.out = Some("no".into());
            domain
        };
        let mut known = out();
        known.was_paused = true;
        let domains: Domains =
            [("a".to_owned(), out()), ("b".to_owned(), out()), ("c".to_owned(), known)].into();
        let mut record = Record::default();
        for name in ["a", "a", "a", "b", "b", "c", "d", "d"] {
            record.about_us.push(Some(name.to_owned()));
        }
        record.about_us.push(None);
        assert_eq!((record.weight(&domains, true), record.weight(&domains, false)), (5, 9));
    }
}
