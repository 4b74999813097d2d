//! What the answers of mail servers mean together. One refusal is about a mailbox or about us, as its words have it; many in a row are
//! about us or about the server, whatever their words. So what a server says of recipients is only believed when it took, or answered
//! differently, the mail of others; and a server that refuses one after the other is asked no more.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::deliver::{DeliverError, Sending};
use crate::model::digest::{Delivery, DigestId};
use crate::model::keys::DeliveryKey;

/// Some addresses of a list that was not cleaned for years stand in a row: so many times `refusals_max` are no accident.
const MAILBOX_FACTOR: usize = 4;
/// Deliveries to come again for that are kept in mind until the server takes something; those beyond are charged with nothing.
const LATER_MAX: usize = 1_000;
/// Mail to a single recipient who may not exist is waited with for so long before the operator hears of it.
const SINGLE_WAITS: SignedDuration = SignedDuration::from_hours(24);

/// What a server said of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// There is no such mailbox.
    NoMailbox,
    /// Nothing that explains it.
    Unexplained,
    /// The mailbox takes nothing, by a final answer.
    Full,
    /// The mailbox takes it later.
    Later,
}

impl Ground {
    /// Why a recipient is refused, if it is the recipient.
    pub fn of(error: &DeliverError) -> Option<(Ground, &str)> {
        match error {
            DeliverError::NoMailbox(reason) => Some((Ground::NoMailbox, reason)),
            DeliverError::Unexplained(reason) => Some((Ground::Unexplained, reason)),
            DeliverError::Declined(reason) => Some((Ground::Full, reason)),
            DeliverError::Temporary(reason) => Some((Ground::Later, reason)),
            _ => None,
        }
    }

    /// Whether it may cost the recipient all further mail, at once or by and by, for no reason that is known to be theirs.
    pub fn is_grave(self) -> bool {
        matches!(self, Ground::NoMailbox | Ground::Unexplained)
    }
}

/// A refused recipient, until it is known whether that is to be believed. The delivery waits meanwhile, and is charged with nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    pub number: DeliveryKey,
    /// Those before this one.
    pub attempts: u32,
    pub message_id: String,
    /// The keyed hash of the recipient.
    pub hash: String,
    pub digest: DigestId,
    pub created: Timestamp,
    /// Since when, if it was in doubt in an earlier run.
    pub since: Option<Timestamp>,
    pub ground: Ground,
    pub reason: String,
}

/// Mail to those who run courant says little of how a server takes mail for a list.
pub fn is_for_list(digest: &DigestId) -> bool {
    !matches!(digest, DigestId::Operator | DigestId::Answer)
}

/// When a server last took mail for a list, and any mail.
#[derive(Debug, Clone, Copy, Default)]
pub struct Before {
    pub taken: Option<Timestamp>,
    pub taken_any: Option<Timestamp>,
}

/// What one server answered in this run, since it last took mail for a list.
#[derive(Debug, Default)]
struct Record {
    /// Messages in a row that wait for a reason that is not their recipients', or for one that nobody gives.
    about_us: usize,
    /// Refused recipients in a row.
    of_recipients: usize,
    doubts: Vec<Doubt>,
    has_taken: bool,
    /// Mail for the operator too.
    has_taken_any: bool,
    is_out: bool,
    /// Why it is left out, while others take its mail.
    trouble: Option<String>,
}

impl Record {
    /// The server took a message: what it said of others before is to be believed.
    fn take(&mut self, is_for_list: bool) -> Vec<Doubt> {
        self.has_taken_any = true;
        if !is_for_list {
            return Vec::new();
        }
        self.has_taken = true;
        (self.about_us, self.of_recipients) = (0, 0);
        std::mem::take(&mut self.doubts)
    }

    /// A message waits. Answers why the server is to be asked no more, if it is.
    fn wait(&mut self, reason: &str, refusals_max: usize) -> Option<String> {
        self.about_us += 1;
        self.out_if(self.about_us >= refusals_max, || reason.to_owned())
    }

    /// A recipient was refused.
    fn doubt(&mut self, doubt: Doubt, refusals_max: usize) -> Option<String> {
        let reason = doubt.reason.clone();
        let counts = doubt.ground != Ground::Later && is_for_list(&doubt.digest);
        let is_unexplained = counts && doubt.ground == Ground::Unexplained;
        self.doubts.push(doubt);
        self.of_recipients += usize::from(counts);
        self.about_us += usize::from(is_unexplained);
        let is_many = is_unexplained && self.about_us >= refusals_max
            || counts && self.of_recipients >= refusals_max.saturating_mul(MAILBOX_FACTOR);
        let count = self.of_recipients;
        self.out_if(is_many, || format!("{count} recipients in a row: {reason}"))
    }

    fn out_if(&mut self, is_many: bool, reason: impl FnOnce() -> String) -> Option<String> {
        if !is_many || self.is_out {
            return None;
        }
        self.is_out = true;
        Some(reason())
    }

    /// How many of the doubts that are left are grave, and how many are not.
    fn counts(&self) -> (usize, usize) {
        let of_list = self.doubts.iter().filter(|doubt| is_for_list(&doubt.digest));
        let grave = of_list.clone().filter(|doubt| doubt.ground.is_grave()).count();
        (grave, of_list.count() - grave)
    }

    /// Whether a doubt that nothing answered until the end is to be believed.
    fn is_believed(&self, doubt: &Doubt, before: Before, refusals_max: usize) -> bool {
        let (grave, others) = self.counts();
        let was_since =
            |taken: Option<Timestamp>| doubt.since.zip(taken).is_some_and(|(since, taken)| taken > since);
        if self.is_out {
            false
        } else if !doubt.ground.is_grave() {
            self.has_taken || others < refusals_max
        } else if self.has_taken && grave < refusals_max {
            true
        } else if was_since(before.taken) {
            // It took the mail of others since it first refused this one.
            true
        } else {
            let has_taken_any = self.has_taken_any || was_since(before.taken_any);
            grave <= 1 && (has_taken_any || doubt.ground == Ground::Unexplained)
        }
    }

    /// Whether a delivery in doubt waits for the operator.
    fn is_held(&self, doubt: &Doubt, now: Timestamp) -> bool {
        let is_late = now.duration_since(doubt.created) >= SINGLE_WAITS;
        let is_alone = self.counts().0 <= 1 && (!is_late || doubt.digest == DigestId::Confirmation);
        is_for_list(&doubt.digest)
            && doubt.ground != Ground::Later
            && (self.is_out || doubt.ground.is_grave() && !is_alone)
    }
}

/// What follows of an answer.
#[derive(Debug, Default)]
pub struct Noted {
    /// What servers said of these recipients is to be believed.
    pub believed: Vec<Doubt>,
    /// These are to come again, and there are too many of them to keep in mind.
    pub forgotten: Vec<Doubt>,
    /// Nothing more is to go through these servers, and why.
    pub out: Vec<(Option<usize>, String)>,
}

/// The end of a run, for one server.
#[derive(Debug, Default)]
pub struct Rest {
    pub believed: Vec<Doubt>,
    pub unbelieved: Vec<Doubt>,
    /// Those of them that wait for the operator.
    pub held: Vec<DeliveryKey>,
    /// Why they do.
    pub trouble: Option<String>,
}

/// The messages of one digest that are under way.
#[derive(Debug, Default)]
struct Lot {
    under_way: usize,
    /// One of them was answered with something else than a refusal that may be about us.
    is_proven: bool,
}

#[derive(Default)]
struct State {
    servers: HashMap<Option<usize>, Record>,
    lots: HashMap<String, Lot>,
    under_way: usize,
    /// Why sending ended.
    reason: Option<String>,
    /// Why the first message waits that somebody refused because of us.
    refuses_us: Option<String>,
}

/// What a run knows of the servers that it sends through.
pub struct Brake {
    refusals_max: usize,
    state: Mutex<State>,
    changed: Notify,
    pub pulled: CancellationToken,
}

/// A message that may be tried; its end makes room for another one.
pub struct Admission<'a> {
    brake: &'a Brake,
    lot: String,
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        let mut state = self.brake.state();
        state.under_way -= 1;
        if let Some(lot) = state.lots.get_mut(&self.lot) {
            lot.under_way -= 1;
        }
        drop(state);
        self.brake.changed.notify_waiters();
    }
}

impl Brake {
    pub fn new(refusals_max: usize) -> Brake {
        Brake {
            refusals_max,
            state: Mutex::default(),
            changed: Notify::new(),
            pulled: CancellationToken::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a message of a digest may be tried: one after the other until one was not refused, and no more at a time than
    /// refusals are left. `None` when nothing is to be tried any more.
    pub async fn admit(&self, digest: &DigestId, stop: &CancellationToken) -> Option<Admission<'_>> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if stop.is_cancelled() || self.pulled.is_cancelled() {
                return None;
            }
            if self.try_admit(digest.as_str()) {
                return Some(Admission { brake: self, lot: digest.as_str().to_owned() });
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.pulled.cancelled() => {}
                () = changed => {}
            }
        }
    }

    fn try_admit(&self, lot: &str) -> bool {
        let mut state = self.state();
        let refused =
            state.servers.values().filter(|server| !server.is_out).map(|server| server.about_us).max();
        let under_way = state.under_way;
        let has_room = match refused {
            Some(refused) if refused > 0 => under_way == 0 || under_way + refused < self.refusals_max,
            _ => true,
        };
        let lot = state.lots.entry(lot.to_owned()).or_default();
        if !has_room || lot.under_way > 0 && !lot.is_proven {
            return false;
        }
        lot.under_way += 1;
        state.under_way += 1;
        true
    }

    /// Takes note of how a message went; `doubt` is what was said of its recipient, if it is that.
    pub fn note(&self, delivery: &Delivery, sending: &Sending, doubt: Option<Doubt>) -> Noted {
        let mut state = self.state();
        let (max, mut noted) = (self.refusals_max, Noted::default());
        let is_taken = sending.result.is_ok();
        for (server, reason) in &sending.refused_by {
            let record = state.servers.entry(Some(*server)).or_default();
            // Another one took the very same message.
            let out = match is_taken {
                true => record.out_if(true, || reason.clone()),
                false => record.wait(reason, max),
            };
            noted.out.extend(out.map(|reason| (Some(*server), reason)));
        }
        let record = state.servers.entry(sending.server).or_default();
        let out = match (&sending.result, doubt) {
            (Ok(()), _) => {
                noted.believed = record.take(is_for_list(&delivery.digest));
                None
            }
            (Err(DeliverError::Unavailable(reason) | DeliverError::RefusesUs(reason)), _) => {
                record.wait(reason, max)
            }
            (Err(_), Some(doubt)) if doubt.ground == Ground::Later && record.doubts.len() >= LATER_MAX => {
                noted.forgotten.push(doubt);
                None
            }
            (Err(_), Some(doubt)) => record.doubt(doubt, max),
            (Err(_), None) => None,
        };
        noted.out.extend(out.map(|reason| (sending.server, reason)));
        if let Err(DeliverError::RefusesUs(reason)) = &sending.result {
            state.refuses_us.get_or_insert_with(|| reason.clone());
        }
        let is_proof = match &sending.result {
            Ok(()) => true,
            Err(error) => matches!(
                error,
                DeliverError::Temporary(_) | DeliverError::Declined(_) | DeliverError::Uncertain(_)
            ),
        };
        if is_proof && let Some(lot) = state.lots.get_mut(delivery.digest.as_str()) {
            lot.is_proven = true;
        }
        noted
    }

    /// Ends sending: no server is left.
    pub fn pull(&self, reason: String) {
        self.state().reason.get_or_insert(reason);
        self.pulled.cancel();
    }

    /// A server is left out, and others take its mail.
    pub fn set_trouble_of(&self, server: usize, reason: String) {
        self.state().servers.entry(Some(server)).or_default().trouble = Some(reason);
    }

    pub fn trouble_of(&self, server: usize) -> Option<String> {
        self.state().servers.get(&Some(server)).and_then(|record| record.trouble.clone())
    }

    /// Why sending ended, or else why a message waits that somebody refused because of us.
    pub fn trouble(&self) -> Option<String> {
        let state = self.state();
        state.reason.clone().or_else(|| state.refuses_us.clone())
    }

    /// The servers that answered in this run, and whether each took mail for a list, and any mail.
    pub fn servers(&self) -> Vec<(usize, bool, bool)> {
        let state = self.state();
        let mut servers: Vec<(usize, bool, bool)> = state
            .servers
            .iter()
            .filter_map(|(server, record)| Some(((*server)?, record.has_taken, record.has_taken_any)))
            .collect();
        servers.sort_unstable();
        servers
    }

    /// What is to be believed at the end of what a server said.
    pub fn rest(&self, server: usize, before: Before, now: Timestamp) -> Rest {
        let mut state = self.state();
        let Some(record) = state.servers.get_mut(&Some(server)) else { return Rest::default() };
        let (believed, unbelieved): (Vec<Doubt>, Vec<Doubt>) = record
            .doubts
            .iter()
            .cloned()
            .partition(|doubt| record.is_believed(doubt, before, self.refusals_max));
        let held: Vec<&Doubt> = unbelieved.iter().filter(|doubt| record.is_held(doubt, now)).collect();
        let trouble = held.first().map(|doubt| match held.len() {
            1 => format!("the only recipient that was tried: {}", doubt.reason),
            count => format!("none of {count} recipients in a row was taken: {}", doubt.reason),
        });
        let held = held.iter().map(|doubt| doubt.number).collect();
        record.doubts.clear();
        Rest { believed, unbelieved, held, trouble }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 5;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + hours * 3_600).unwrap()
    }

    fn doubt(ground: Ground) -> Doubt {
        Doubt {
            number: DeliveryKey(1),
            attempts: 0,
            message_id: "m".into(),
            hash: "h".into(),
            digest: "d".into(),
            created: at(0),
            since: None,
            ground,
            reason: "no".into(),
        }
    }

    /// A server that refuses some, takes one, and refuses some more.
    fn record(ground: Ground, before: usize, has_taken: bool, after: usize) -> (Record, usize) {
        let (mut record, mut believed) = (Record::default(), 0);
        for _ in 0..before {
            record.doubt(doubt(ground), MAX);
        }
        if has_taken {
            believed = record.take(true).len();
        }
        for _ in 0..after {
            record.doubt(doubt(ground), MAX);
        }
        (record, believed)
    }

    #[test]
    fn a_refusal_is_believed_when_the_server_takes_the_mail_of_others() {
        use Ground::{Full, Later, NoMailbox, Unexplained};
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
            let (believed, rest): (Vec<&Doubt>, Vec<&Doubt>) =
                record.doubts.iter().partition(|doubt| record.is_believed(doubt, Before::default(), MAX));
            let believed = before_the_end + believed.len();
            let held = rest.iter().any(|doubt| record.is_held(doubt, at(1)));
            assert_eq!(
                (believed, held),
                (want, is_held),
                "{ground:?}: {before} before, {has_taken}, {after} after"
            );
        }
    }

    #[test]
    fn who_is_doubted_is_believed_to_be_gone_when_others_were_served_since() {
        let mut record = Record::default();
        let old = Doubt { since: Some(at(1)), ..doubt(Ground::NoMailbox) };
        record.doubt(old.clone(), MAX);
        record.doubt(old.clone(), MAX);
        for (taken, want) in [(None, false), (Some(at(1)), false), (Some(at(2)), true)] {
            let before = Before { taken, taken_any: None };
            assert_eq!(record.is_believed(&old, before, MAX), want, "{taken:?}");
            // That the operator's mail was taken shows nothing of two.
            let before = Before { taken: None, taken_any: taken };
            assert!(!record.is_believed(&old, before, MAX));
        }
        // The mail of the operator shows it of a single one.
        let mut record = Record::default();
        record.doubt(old.clone(), MAX);
        let (no, since) = (Before::default(), Before { taken: None, taken_any: Some(at(2)) });
        assert!(!record.is_believed(&old, no, MAX) && record.is_held(&old, at(24)));
        assert!(record.is_believed(&old, since, MAX));
        assert!(record.take(false).is_empty() && record.is_believed(&old, no, MAX));
    }

    #[test]
    fn a_server_is_out_after_as_many_in_a_row_as_its_answers_weigh() {
        let refused = |ground: Ground| {
            let mut record = Record::default();
            (1..=100).find(|_| record.doubt(doubt(ground), MAX).is_some())
        };
        assert_eq!(refused(Ground::Unexplained), Some(MAX));
        assert_eq!(refused(Ground::NoMailbox), Some(4 * MAX));
        assert_eq!(refused(Ground::Full), Some(4 * MAX));
        assert_eq!(refused(Ground::Later), None);
        let mut record = Record::default();
        assert_eq!((1..=100).find(|_| record.wait("no", MAX).is_some()), Some(MAX));
        let mut record = Record::default();
        for _ in 0..100 {
            assert!((1..MAX).all(|_| record.wait("no", MAX).is_none()), "what it takes in between counts");
            record.take(true);
        }
    }

    #[tokio::test]
    async fn messages_go_one_after_the_other_until_one_is_not_refused() {
        let (brake, stop) = (Brake::new(MAX), CancellationToken::new());
        let first = brake.admit(&"d".into(), &stop).await.unwrap();
        assert!(!brake.try_admit("d"), "its answer is waited for");
        let other = brake.admit(&"other".into(), &stop).await.unwrap();
        brake.state().lots.get_mut("d").unwrap().is_proven = true;
        let more: Vec<_> = vec![brake.admit(&"d".into(), &stop).await, brake.admit(&"d".into(), &stop).await];
        assert!(more.iter().all(Option::is_some));
        // Three refusals are left.
        brake.state().servers.entry(Some(0)).or_default().about_us = 2;
        assert!(!brake.try_admit("d"));
        drop((first, other));
        assert!(brake.try_admit("d"));
        stop.cancel();
        assert!(brake.admit(&"d".into(), &stop).await.is_none());
    }
}
