//! What the answers of mail servers mean together. One refusal is about a mailbox or about us, as its words have it; many in a row are
//! about us or about the server, whatever their words. So what a server says of recipients is only believed when it took, or answered
//! differently, the mail of others; and a server that refuses one after the other is asked no more. The same holds for the recipients
//! at one domain, since a server that passes mail on repeats what other providers say.

mod domain;
mod doubt;
mod record;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(super) use self::doubt::{AcceptanceHistory, Doubt, RefusalGround, domain_of};
use self::record::{Domains, Record};
use crate::deliver::{DeliverError, SendAttempt};
use crate::model::digest::Delivery;
use crate::model::keys::DeliveryKey;

/// Deliveries to come again for that are kept in mind until the server takes something; those beyond are charged with nothing.
const LATER_MAX: usize = 1_000;

/// A refusal of one of many in the same words is believed when it is repeated after this time.
const ANOTHER_DAY: SignedDuration = SignedDuration::from_hours(24);
/// How the reason of a pause begins that the same words at many domains are cause of.
const ALIKE: &str = "many domains refuse in the same words: ";

/// What follows of an answer.
#[derive(Debug, Default)]
pub(super) struct AnswerEffects {
    /// What servers said of these recipients is to be believed.
    pub believed: Vec<Doubt>,
    /// These are to come again, and there are too many of them to keep in mind.
    pub forgotten: Vec<Doubt>,
    /// Nothing more is to go through these servers, and why.
    pub out: Vec<(Option<usize>, String)>,
    /// Nothing more is sent to the recipient's domain, and why.
    pub paused: Option<String>,
}

/// The end of a run, for one server.
#[derive(Debug, Default)]
pub(super) struct ServerRunEnd {
    pub believed: Vec<Doubt>,
    pub unbelieved: Vec<Doubt>,
    /// Those that wait for the operator.
    pub held: Vec<DeliveryKey>,
    /// Why they do.
    pub trouble: Option<String>,
}

/// What a run has shown of domains.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct DomainNews {
    /// Nothing is sent there until one message is taken, and why.
    pub paused: Vec<(String, String)>,
    /// They were paused, and took a message.
    pub open: Vec<String>,
}

/// The messages of one digest that are under way.
#[derive(Debug, Default)]
struct DigestProgress {
    under_way: usize,
    /// One of them was answered with something else than a refusal that may be about us.
    is_proven: bool,
}

#[derive(Default)]
struct State {
    servers: HashMap<Option<usize>, Record>,
    domains: Domains,
    digests: HashMap<String, DigestProgress>,
    under_way: usize,
    /// Recipients that a server had heard of.
    tried: usize,
    /// Whether there was another server to ask when one last answered.
    has_others: bool,
    /// Why sending ended.
    reason: Option<String>,
    /// Why the first message waits that somebody refused because of us.
    refuses_us: Option<String>,
    /// Why the first message waits of whose recipient no server has heard.
    unreached: Option<String>,
    /// When the oldest message was made that was not taken.
    oldest: Option<Timestamp>,
}

/// What a run knows of the servers that it sends through, by the answers to mail of one kind.
pub(super) struct Brake {
    refusals_max: usize,
    state: Mutex<State>,
    changed: Notify,
    pub stopped: CancellationToken,
}

/// A message that may be tried; its end makes room for another one.
pub(super) struct Admission<'a> {
    brake: &'a Brake,
    digest: String,
    domain: String,
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        let mut state = self.brake.state();
        state.under_way -= 1;
        if let Some(digest) = state.digests.get_mut(&self.digest) {
            digest.under_way -= 1;
        }
        if let Some(domain) = state.domains.get_mut(&self.domain) {
            domain.under_way -= 1;
        }
        drop(state);
        self.brake.changed.notify_waiters();
    }
}

/// Whether a message may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AdmissionState {
    Open,
    Wait,
    /// Not in this run.
    Shut,
}

impl Brake {
    /// `paused` are domains that an earlier run stopped sending to, and why.
    pub(super) fn new(refusals_max: usize, paused: &[(String, String)]) -> Brake {
        let brake = Brake {
            refusals_max,
            state: Mutex::default(),
            changed: Notify::new(),
            stopped: CancellationToken::new(),
        };
        for (name, reason) in paused {
            let mut state = brake.state();
            let domain = state.domains.entry(name.clone()).or_default();
            (domain.was_paused, domain.was_alike) = (true, reason.starts_with(ALIKE));
        }
        brake
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a message may be tried: one after the other until one of its digest was not refused, and no more at a time than
    /// refusals are left, of its domain as well. `None` when it is not to be tried in this run any more.
    pub(super) async fn admit(&self, delivery: &Delivery, stop: &CancellationToken) -> Option<Admission<'_>> {
        let (digest, domain) = (delivery.digest.as_str().to_owned(), domain_of(&delivery.recipient));
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if stop.is_cancelled() || self.stopped.is_cancelled() {
                return None;
            }
            match self.try_admit(&digest, &domain) {
                AdmissionState::Open => return Some(Admission { brake: self, digest, domain }),
                AdmissionState::Shut => return None,
                AdmissionState::Wait => {}
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.stopped.cancelled() => {}
                () = changed => {}
            }
        }
    }

    fn try_admit(&self, digest: &str, domain: &str) -> AdmissionState {
        let mut state = self.state();
        let is_last = !state.has_others;
        let refused = state
            .servers
            .values()
            .filter(|server| !server.is_out)
            .map(|server| server.weight(&state.domains, is_last).max(server.uncertain.len()))
            .max();
        let under_way = state.under_way;
        let has_room = match refused {
            Some(refused) if refused > 0 => under_way == 0 || under_way + refused < self.refusals_max,
            _ => true,
        };
        let State { digests, domains, .. } = &mut *state;
        let (digest, domain) =
            (digests.entry(digest.to_owned()).or_default(), domains.entry(domain.to_owned()));
        let domain = domain.or_default();
        if domain.out.is_some() {
            return AdmissionState::Shut;
        }
        if !has_room || digest.under_way > 0 && !digest.is_proven || !domain.has_room(self.refusals_max) {
            return AdmissionState::Wait;
        }
        digest.under_way += 1;
        domain.under_way += 1;
        state.under_way += 1;
        AdmissionState::Open
    }

    /// Takes note of how a message went; `doubt` is what was said of its recipient, if it is that.
    pub(super) fn note(
        &self,
        delivery: &Delivery,
        sending: &SendAttempt,
        doubt: Option<Doubt>,
    ) -> AnswerEffects {
        let mut state = self.state();
        let mut noted = AnswerEffects::default();
        state.has_others = sending.has_others;
        state.tried += usize::from(sending.is_named);
        self.note_others(&mut state, delivery, sending, &mut noted);
        self.note_answer(&mut state, delivery, sending, doubt, &mut noted);
        if let Err(DeliverError::RefusesUs(reason) | DeliverError::Unavailable(reason)) = &sending.result {
            if matches!(sending.result, Err(DeliverError::RefusesUs(_))) {
                state.refuses_us.get_or_insert_with(|| reason.clone());
            }
            if !sending.is_named {
                state.unreached.get_or_insert_with(|| reason.clone());
            }
        }
        if sending.result.is_err() {
            let oldest = state.oldest.unwrap_or(delivery.created);
            state.oldest = Some(oldest.min(delivery.created));
        }
        let is_proof = match &sending.result {
            Ok(()) => true,
            Err(error) => matches!(error, DeliverError::Temporary(_) | DeliverError::Declined(_)),
        };
        if is_proof && let Some(digest) = state.digests.get_mut(delivery.digest.as_str()) {
            digest.is_proven = true;
        }
        noted
    }

    /// Servers that did not take it before another one was asked.
    fn note_others(
        &self,
        state: &mut State,
        delivery: &Delivery,
        sending: &SendAttempt,
        noted: &mut AnswerEffects,
    ) {
        let domain = domain_of(&delivery.recipient);
        for (server, reason) in &sending.refused_by {
            let record = state.servers.entry(Some(*server)).or_default();
            // Another one took the very same message. What is said of strangers decides nothing about a server.
            let out = match sending.result.is_ok() {
                true => record.take_out_of_use_if(delivery.digest.is_list(), || reason.clone()),
                false => record.wait(
                    Some(&domain),
                    reason,
                    (&state.domains, !sending.has_others),
                    self.refusals_max,
                ),
            };
            noted.out.extend(out.map(|reason| (Some(*server), reason)));
        }
        // What a server says of a recipient whom another one takes is nothing of the recipient: after some, it is sick.
        if sending.result.is_ok() && delivery.digest.is_list() {
            let known = (&state.domains, !sending.has_others);
            for (server, reason) in &sending.passed_by {
                let record = state.servers.entry(Some(*server)).or_default();
                let out = record.wait(None, reason, known, self.refusals_max);
                noted.out.extend(out.map(|reason| (Some(*server), reason)));
            }
        }
    }

    fn note_answer(
        &self,
        state: &mut State,
        delivery: &Delivery,
        sending: &SendAttempt,
        doubt: Option<Doubt>,
        noted: &mut AnswerEffects,
    ) {
        let (name, max, is_last) = (domain_of(&delivery.recipient), self.refusals_max, !sending.has_others);
        let record = state.servers.entry(sending.server).or_default();
        let error = match &sending.result {
            Ok(()) => {
                state.domains.entry(name.clone()).or_default().take();
                noted.believed = record.take(&name);
                return;
            }
            Err(error) => error,
        };
        let ground = doubt.as_ref().map(|doubt| doubt.ground);
        let words = error.to_string();
        let is_about_us = matches!(error, DeliverError::Unavailable(_) | DeliverError::RefusesUs(_));
        let counts = sending.is_named && (is_about_us || ground.is_some());
        let refuse = |domains: &mut Domains| {
            counts && domains.entry(name.clone()).or_default().refuse(ground, &words, max)
        };
        // While another server is left, many refusals are about this one.
        let mut is_paused = is_last && refuse(&mut state.domains);
        let known = (&state.domains, is_last);
        let out = match (error, doubt) {
            (DeliverError::Uncertain(reason), _) => record.note_uncertain_reply(delivery.id, reason, max),
            (_, Some(doubt)) if doubt.ground == RefusalGround::Later && record.doubts.len() >= LATER_MAX => {
                noted.forgotten.push(doubt);
                None
            }
            (_, Some(doubt)) => record.doubt(doubt, known, max),
            (error, None) if is_about_us => {
                let named = sending.is_named.then_some(name.as_str());
                record.wait(named, &error.to_string(), known, max)
            }
            _ => None,
        };
        if out.is_some() && !is_last {
            state.domains.values_mut().for_each(domain::Domain::forget);
        } else if !is_last {
            is_paused = refuse(&mut state.domains);
        }
        noted.paused = is_paused.then_some(words);
        noted.out.extend(out.map(|reason| (sending.server, reason)));
    }

    /// Ends sending: no server is left.
    pub(super) fn stop_sending(&self, reason: String) {
        self.state().reason.get_or_insert(reason);
        self.stopped.cancel();
    }

    /// A server is left out, and others take its mail.
    pub(super) fn set_trouble_of(&self, server: usize, reason: String) {
        self.state().servers.entry(Some(server)).or_default().trouble = Some(reason);
    }

    pub(super) fn trouble_of(&self, server: usize) -> Option<String> {
        self.state().servers.get(&Some(server)).and_then(|record| record.trouble.clone())
    }

    /// Why sending ended, or nothing was sent to a domain, or else why a message waits that somebody refused because of us.
    pub(super) fn trouble(&self) -> Option<String> {
        let state = self.state();
        let outs = state.domains.iter().filter_map(|(name, domain)| Some((name, domain.out.as_ref()?)));
        let of_domain =
            outs.min().map(|(name, reason)| format!("no mail to {name} is taken for now: {reason}"));
        state.reason.clone().or(of_domain).or_else(|| state.refuses_us.clone())
    }

    /// Why mail to strangers waits, if that is about us: no server had heard of the recipient, or one after the other was refused and
    /// no mail of a list was taken since the first of them signed up.
    pub(super) fn trouble_with_strangers(&self, taken: Option<Timestamp>) -> Option<String> {
        let state = self.state();
        let is_theirs = state.oldest.zip(taken).is_some_and(|(oldest, taken)| taken > oldest);
        state.unreached.clone().or_else(|| state.reason.clone().filter(|_| !is_theirs))
    }

    /// The servers that answered in this run, and whether each took mail.
    pub(super) fn servers(&self) -> Vec<(usize, bool)> {
        let state = self.state();
        state.servers.iter().filter_map(|(server, record)| Some(((*server)?, record.has_taken))).collect()
    }

    /// What is to be kept of domains. Where sending ended, it is the server that refuses.
    pub(super) fn domains(&self) -> DomainNews {
        let state = self.state();
        let mut news = DomainNews::default();
        for (name, domain) in &state.domains {
            let is_alike = domain.alike.is_some() || domain.was_alike;
            match domain.alike.as_ref().or(domain.out.as_ref()) {
                _ if domain.is_settled => news.open.push(name.clone()),
                Some(reason) if is_alike => news.paused.push((name.clone(), format!("{ALIKE}{reason}"))),
                Some(reason) if state.reason.is_none() => news.paused.push((name.clone(), reason.clone())),
                None if domain.was_paused && domain.has_taken => news.open.push(name.clone()),
                _ => {}
            }
        }
        news
    }

    /// What is to be believed at the end of what a server said. Only mail of a list waits for the operator.
    pub(super) fn rest(
        &self,
        server: usize,
        before: AcceptanceHistory,
        is_list: bool,
        now: Timestamp,
    ) -> ServerRunEnd {
        let mut state = self.state();
        let (has_ended, tried) = (state.reason.is_some(), state.tried);
        let State { servers, domains, .. } = &mut *state;
        let Some(record) = servers.get_mut(&Some(server)) else { return ServerRunEnd::default() };
        let alike = record.alike(domains, tried, self.refusals_max);
        let is_repeated = |doubt: &Doubt| {
            let since = doubt.since.filter(|since| now.duration_since(*since) >= ANOTHER_DAY);
            since.is_some() && domains.get(&doubt.domain).is_some_and(|domain| domain.was_alike)
        };
        let is_lost = |doubt: &Doubt| {
            let is_alike = alike.contains(&doubt.domain);
            let domain = domains.get(&doubt.domain);
            let is_lost = is_alike || domain.is_some_and(|domain| domain.is_lost(self.refusals_max));
            is_lost && !is_repeated(doubt)
        };
        let (believed, unbelieved): (Vec<Doubt>, Vec<Doubt>) = record
            .doubts
            .iter()
            .cloned()
            .partition(|doubt| record.is_believed(doubt, before, is_lost(doubt), self.refusals_max));
        let is_held = |doubt: &&Doubt| is_list && record.is_held(doubt, is_lost(doubt), now);
        let held: Vec<&Doubt> = unbelieved.iter().filter(is_held).collect();
        let trouble = held.first().map(|doubt| match held.len() {
            1 => format!("the only recipient that was tried: {}", doubt.reason),
            count if alike.contains(&doubt.domain) => {
                format!("{count} recipients are refused in the same words: {}", doubt.reason)
            }
            count => format!("none of {count} recipients in a row was taken: {}", doubt.reason),
        });
        let uncertain: &[DeliveryKey] = if is_list && has_ended { &record.uncertain } else { &[] };
        let held = held.iter().map(|doubt| doubt.number).chain(uncertain.iter().copied()).collect();
        record.doubts.clear();
        for doubt in unbelieved.iter().filter(|doubt| alike.contains(&doubt.domain)) {
            domains.entry(doubt.domain.clone()).or_default().alike = Some(doubt.reason.clone());
        }
        for doubt in &believed {
            domains.entry(doubt.domain.clone()).and_modify(|domain| domain.is_settled = domain.was_alike);
        }
        ServerRunEnd { believed, unbelieved, held, trouble }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 5;

    fn delivery(recipient: &str) -> Delivery {
        let issue = crate::model::digest::Issue {
            subject: String::new(),
            text: String::new(),
            html: String::new(),
            language: String::new(),
            name: None,
            places: crate::model::digest::LinkPlaces::with_mark(String::new()),
            forwarded: None,
            partners: Vec::new(),
        };
        Delivery {
            id: DeliveryKey(1),
            digest: "d".into(),
            recipient: recipient.into(),
            message_id: "m".into(),
            attempts: 0,
            uncertain: 0,
            issue: issue.into(),
            created: Timestamp::UNIX_EPOCH,
            doubted: None,
        }
    }

    fn refused() -> SendAttempt {
        SendAttempt {
            is_named: true,
            ..SendAttempt::by(Some(0), Err(DeliverError::RefusesUs("blocked".into())))
        }
    }

    #[tokio::test]
    async fn messages_go_one_after_the_other_until_one_is_not_refused() {
        let (brake, stop) = (Brake::new(MAX, &[]), CancellationToken::new());
        let (mine, other) =
            (delivery("a@x.example"), Delivery { digest: "o".into(), ..delivery("b@y.example") });
        let first = brake.admit(&mine, &stop).await.unwrap();
        assert_eq!(brake.try_admit("d", "x.example"), AdmissionState::Wait, "its answer is waited for");
        let other = brake.admit(&other, &stop).await.unwrap();
        brake.note(&mine, &SendAttempt::by(Some(0), Ok(())), None);
        let more = [brake.admit(&mine, &stop).await, brake.admit(&mine, &stop).await];
        assert!(more.iter().all(Option::is_some));
        // Three refusals are left.
        brake.note(&delivery("c@z.example"), &refused(), None);
        brake.note(&delivery("c@w.example"), &refused(), None);
        assert_eq!(brake.try_admit("d", "x.example"), AdmissionState::Wait);
        drop((first, other));
        assert_eq!(brake.try_admit("d", "x.example"), AdmissionState::Open);
        stop.cancel();
        assert!(brake.admit(&mine, &stop).await.is_none());
    }

    #[test]
    fn one_provider_that_refuses_us_does_not_stop_the_mail_of_others() {
        let brake = Brake::new(MAX, &[("old.example".to_owned(), "no".to_owned())]);
        let ends = |recipient: &str| !brake.note(&delivery(recipient), &refused(), None).out.is_empty();
        assert!((0..MAX).all(|_| !ends("a@big.example")) && !ends("a@old.example"));
        assert_eq!(brake.try_admit("d", "big.example"), AdmissionState::Shut);
        assert_eq!(brake.try_admit("d", "old.example"), AdmissionState::Shut);
        assert_eq!(brake.try_admit("d", "other.example"), AdmissionState::Open);
        assert!(brake.trouble().is_some_and(|trouble| trouble.contains("big.example")));
        let paused: Vec<String> = brake.domains().paused.into_iter().map(|(name, _)| name).collect();
        assert!(paused.len() == 2 && brake.domains().open.is_empty());
        // Where the others refuse us as well, it is no domain's.
        assert_eq!((1..=9).find(|n| ends(&format!("a@{n}.example"))), Some(MAX - 1));
        brake.stop_sending("blocked".into());
        assert_eq!(brake.domains(), DomainNews::default());
    }

    #[test]
    fn what_is_said_of_strangers_is_about_us_if_nobody_on_a_list_was_taken_since() {
        let (created, later) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(9).unwrap());
        let stranger = Delivery { digest: "_confirm".into(), ..delivery("a@x.example") };
        let gone = SendAttempt::by(Some(0), Err(DeliverError::NoMailbox("gone".into())));
        for sending in [refused(), SendAttempt { is_named: true, ..gone }] {
            let brake = Brake::new(MAX, &[]);
            brake.note(&stranger, &sending, None);
            assert_eq!(brake.trouble_with_strangers(None), None);
            brake.stop_sending("five in a row".into());
            for (taken, want) in [(None, true), (Some(created), true), (Some(later), false)] {
                assert_eq!(brake.trouble_with_strangers(taken).is_some(), want, "{taken:?}");
            }
        }
        // No server had heard of the recipient.
        let brake = Brake::new(MAX, &[]);
        brake.note(&stranger, &SendAttempt { is_named: false, ..refused() }, None);
        assert!(brake.trouble_with_strangers(Some(later)).is_some());
    }

    #[test]
    fn a_server_is_left_out_before_a_domain_is_while_there_is_another_one() {
        let brake = Brake::new(MAX, &[]);
        let of_two = SendAttempt { has_others: true, ..refused() };
        let noted: Vec<AnswerEffects> =
            (0..MAX).map(|_| brake.note(&delivery("a@x.example"), &of_two, None)).collect();
        assert!(noted[MAX - 1].out.len() == 1 && noted.iter().all(|noted| noted.paused.is_none()));
        assert_eq!(brake.try_admit("d", "x.example"), AdmissionState::Open);
    }
}
