//! The outbox: each delivery is claimed, sent and settled. Its issue was queued before, with stories and deliveries, in one
//! transaction. SMTP cannot promise exactly-once delivery: after a crash between the server's reply and our commit, a message is
//! sent again under the same Message-ID; there are at most as many such messages as connections.
//!
//! ```text
//! reader ─ delivery and encoded body ─▶ senders, one a connection ─ settled, next claim ─▶ ledger (one transaction for all that wait)
//! ```

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::brake::{Before, Brake, Doubt, Ground, Noted, is_for_list};
use super::{bounces, subscribers};
use crate::deliver::message::{Built, PreparedMessage, Sender, build, prepare};
use crate::deliver::transport::Transport;
use crate::deliver::{DeliverError, Sending};
use crate::digest;
use crate::model::digest::{
    Delivery, DeliveryState, Digest, DigestId, ISSUES_LISTED, Issue, Notice, OnUncertain,
};
use crate::model::keys::DeliveryKey;
use crate::model::subscriber::SubscriberState;
use crate::store::{ClaimedDelivery, MailServer, Store, StoreError, Unit, WhyHandedBack, Write};
use crate::support::clock::Clock;
use crate::support::text::many;

/// The first pause after a temporary failure; it doubles with each attempt.
const RETRY_SECONDS: i64 = 300;
/// A delivery is given up after this many attempts. The pauses between the first ten sum to 42 h 35 min, the last one makes it
/// 48 h.
const ATTEMPTS_MAX: u32 = 11;
const LAST_PAUSE_SECONDS: i64 = 48 * 3_600 - RETRY_SECONDS * ((1 << 9) - 1);
/// Deliveries read at a time, with their issues, so that memory does not grow with the number of recipients.
const CHUNK: usize = 200;
/// Deliveries deleted in one unit of work.
const FORGOTTEN: usize = 2_000;
/// Capacity of the queue of deliveries waiting for a sender.
const WAITING_MAX: usize = 64;
/// A delivery held for reasons other than its recipient is retried after this fraction (1/8) of the time it has waited, within
/// these bounds.
const PUT_OFF_SECONDS: std::ops::RangeInclusive<i64> = RETRY_SECONDS..=3_600;
const PUT_OFF_SHARE: i64 = 8;
/// Confirmation links are not valid for longer.
const CONFIRMATION_WAITS: SignedDuration = SignedDuration::from_hours(48);
/// How long mail that contains an address is kept after it was sent.
const PRIVATE_KEPT: SignedDuration = SignedDuration::from_hours(48);
/// Different reasons told; the rest is counted.
const REASONS_MAX: usize = 50;
/// Replaces a recipient's address, which must not be logged.
const RECIPIENT: &str = "(the recipient)";

/// How deliveries are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeliveryPace {
    /// Number of messages sent concurrently, each over its own connection.
    pub connections: usize,
    pub on_uncertain: OnUncertain,
    /// After this many messages in a row held because of us or the server, the rest is left for the next run.
    pub refusals_max: usize,
    /// Older deliveries are no longer news and are given up.
    pub wait_max: SignedDuration,
    /// Messages a second, in all and to the recipients of one domain, by all processes on the store; 0 is as fast as it goes.
    pub rate: f64,
    pub rate_per_domain: f64,
}

/// The results of the deliveries that were due.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deliveries {
    pub sent: u64,
    pub deferred: u64,
    pub refused: u64,
    /// Why mail waits for the operator: the server refuses us, or cannot be reached.
    pub held_up: Option<String>,
    /// Why messages were not sent, with counts, most frequent first.
    pub reasons: Vec<(String, u64)>,
    /// Those of `sent` that are not for the operator.
    pub sent_to_lists: u64,
    /// What is to be told of this run: why mail waits that is not its recipients' to mend.
    pub trouble: Option<String>,
    /// One of several servers was left out, or takes mail again: the operator is to hear of it.
    pub is_server_news: bool,
    /// Why a message waits that is not the recipients'.
    put_off: Option<String>,
}

impl Deliveries {
    /// Whether none of the messages tried was sent.
    pub fn is_none_sent(&self) -> bool {
        self.sent == 0 && self.deferred + self.refused > 0
    }

    /// What was not sent, in one line; `None` if everything was.
    pub fn unsent(&self) -> Option<String> {
        let (reason, count) = self.reasons.first()?;
        let others = match self.reasons.len() - 1 {
            0 => String::new(),
            n => format!(" ({count} times, and {})", many(n, "other reason", "other reasons")),
        };
        Some(format!("{} deferred, {} refused: {reason}{others}", self.deferred, self.refused))
    }
}

/// Progress of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Total(u64),
    One,
}

/// Sends deliveries.
#[derive(Clone)]
pub struct OutboxWorker {
    pub store: Store,
    pub transport: Arc<Transport>,
    pub sender: Arc<Sender>,
    pub pace: DeliveryPace,
    pub clock: Clock,
    /// The keyed hashes of the operator's addresses, which no refusal keeps from hearing of it.
    pub operators: Arc<[String]>,
    /// Set when the work is to end: what is handed over by then is settled, the rest waits for the next run.
    pub stop: CancellationToken,
}

type Body = Arc<Result<PreparedMessage, String>>;
type DeliveryQueue = Arc<tokio::sync::Mutex<mpsc::Receiver<(Delivery, Body)>>>;

impl OutboxWorker {
    /// Sends what is due. `on_done` is called with the total, then for each delivery.
    ///
    /// # Errors
    /// Only when the store fails; a refusal is a result.
    pub async fn deliver(
        &self,
        digest: Option<&DigestId>,
        mut on_done: impl FnMut(Progress),
    ) -> anyhow::Result<Deliveries> {
        if self.pace.on_uncertain == OnUncertain::Skip {
            let skipped = self.store.write(|w| w.mailing().skip_uncertain(Clock::of_leases()))?;
            if skipped > 0 {
                tracing::warn!(skipped, "deliveries that a killed run had handed over are not sent again");
            }
        }
        let due = self.store.read(|r| r.mailing().due(self.clock.now(), Clock::of_leases(), digest))?;
        on_done(Progress::Total(due.len() as u64));
        if due.is_empty() {
            return Ok(Deliveries::default());
        }
        self.transport.sweep();
        let (waiting, queue) = mpsc::channel(WAITING_MAX);
        let queue: DeliveryQueue = Arc::new(tokio::sync::Mutex::new(queue));
        let (ledger, entries) = mpsc::channel(self.pace.connections);
        let brake = Arc::new(Brake::new(self.pace.refusals_max));
        let (told, mut outcomes) = mpsc::channel(WAITING_MAX);
        let mut tasks = JoinSet::new();
        for _ in 0..self.pace.connections.min(due.len()) {
            let (outbox, queue, ledger, told) =
                (self.clone(), queue.clone(), Ledger(ledger.clone()), told.clone());
            let brake = brake.clone();
            tasks.spawn(async move { outbox.send_all(&queue, &ledger, &told, &brake).await });
        }
        drop((queue, ledger, told));
        let reader = self.clone();
        tasks.spawn(async move { reader.read_all(&due, &waiting).await });
        let keeper = self.clone();
        let kept = tokio::task::spawn_blocking(move || keeper.keep_ledger(entries));
        let mut done = Deliveries::default();
        while let Some(outcome) = outcomes.recv().await {
            done.count(outcome);
            on_done(Progress::One);
        }
        while let Some(task) = tasks.join_next().await {
            task??;
        }
        kept.await?;
        self.transport.close().await;
        let in_doubt = self.end(&brake, &mut done)?;
        done.reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let put_off = done.put_off.take().filter(|_| done.sent_to_lists == 0);
        done.trouble = brake.trouble().or(in_doubt).or(put_off);
        // What kept back all of it is whoever asked's to say.
        if let Some(unsent) = done.unsent().filter(|_| done.sent > 0 && done.trouble.is_none()) {
            tracing::warn!("{} sent, {unsent}", done.sent);
        }
        Ok(done)
    }

    /// Reads due deliveries in chunks. The body of an issue is encoded once for all its recipients.
    async fn read_all(
        &self,
        due: &[DeliveryKey],
        waiting: &mpsc::Sender<(Delivery, Body)>,
    ) -> anyhow::Result<()> {
        let mut bodies: HashMap<usize, Body> = HashMap::new();
        let mut last: Option<Arc<Issue>> = None;
        for chunk in due.chunks(CHUNK) {
            let deliveries = self.store.read(|r| r.mailing().deliveries(chunk, last.as_ref()))?;
            bodies.retain(|issue, _| last.as_ref().is_some_and(|last| address(last) == *issue));
            for delivery in deliveries {
                let encode = || Arc::new(prepare(&delivery.issue).map_err(|error| error.to_string()));
                let body = bodies.entry(address(&delivery.issue)).or_insert_with(encode).clone();
                last = Some(delivery.issue.clone());
                if waiting.send((delivery, body)).await.is_err() {
                    // All senders are gone; one of them returns the error.
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The work of one connection. Settled deliveries go to the ledger with the next claim, in one transaction.
    async fn send_all(
        &self,
        queue: &DeliveryQueue,
        ledger: &Ledger,
        told: &mpsc::Sender<DeliveryOutcome>,
        brake: &Brake,
    ) -> anyhow::Result<()> {
        let mut settled: Vec<Settlement> = Vec::new();
        loop {
            let next = tokio::select! {
                biased;
                () = self.stop.cancelled() => None,
                () = brake.pulled.cancelled() => None,
                next = async { queue.lock().await.recv().await } => next,
            };
            let Some((delivery, body)) = next else { break };
            let Some(admission) = brake.admit(&delivery.digest, &self.stop).await else { break };
            let built = self.built(&delivery, &body);
            match ledger.turn(std::mem::take(&mut settled), Some(self.wanted(&delivery))).await? {
                Claim::Refused => continue,
                Claim::Suppressed(claimed, reason) => {
                    let outcome =
                        DeliveryOutcome::Withheld(delivery.message_id.clone(), format!("not sent: {reason}"));
                    let next_attempt = self.clock.now();
                    settled.push(Settlement::Claimed(Settled { claimed, outcome, next_attempt }));
                }
                Claim::Ours(claimed, turn) => {
                    let sending = self.send(&delivery, built, turn).await;
                    let doubt = self.doubt(&delivery, claimed, &sending);
                    let own = Settlement::Claimed(self.settled(&delivery, claimed, &sending.result));
                    if doubt.is_some() {
                        // Before anybody else can show that it is to be believed.
                        ledger.turn(vec![own], None).await?;
                    } else {
                        settled.push(own);
                    }
                    settled.extend(self.noted(brake.note(&delivery, &sending, doubt), brake));
                }
            }
            drop(admission);
            for outcome in settled.iter().filter_map(Settlement::told) {
                outcome.log();
                // Whoever counts may be gone: the work goes on.
                let _ = told.send(outcome.clone()).await;
            }
        }
        if !settled.is_empty() {
            ledger.turn(settled, None).await?;
        }
        Ok(())
    }

    /// Waits for the turn of a message, and sends it.
    async fn send(
        &self,
        delivery: &Delivery,
        built: Result<Built, String>,
        turn: Option<Timestamp>,
    ) -> Sending {
        let failed = |error| Sending::by(None, Err(error));
        let message = match (self.outdated(delivery), built) {
            (Some(reason), _) | (None, Err(reason)) => return failed(DeliverError::Permanent(reason)),
            (None, Ok(message)) => message,
        };
        let wait = turn.map(|turn| turn.duration_since(Clock::of_leases()));
        if let Some(wait) = wait.and_then(|wait| Duration::try_from(wait).ok()) {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return failed(DeliverError::Stopped),
                () = tokio::time::sleep(wait) => {}
            }
        }
        let sending = self.transport.send(&message, &delivery.message_id, &self.stop).await;
        sending.map(|reason| masked(&reason, delivery))
    }

    fn built(&self, delivery: &Delivery, body: &Body) -> Result<Built, String> {
        build(&self.sender, delivery, body.as_ref().as_ref().map_err(Clone::clone)?)
            .map_err(|error| error.to_string())
    }

    /// Why a delivery that has waited too long is given up, if so.
    fn outdated(&self, delivery: &Delivery) -> Option<String> {
        let wait_max = match delivery.digest {
            DigestId::Confirmation => self.pace.wait_max.min(CONFIRMATION_WAITS),
            // Notices stay relevant: they may report the very cause of the delay.
            DigestId::Operator => return None,
            _ => self.pace.wait_max,
        };
        let waited = self.clock.now().duration_since(delivery.created);
        (waited > wait_max).then(|| {
            let hours = wait_max.as_hours();
            let (count, unit) = if hours % 24 == 0 { (hours / 24, "d") } else { (hours, "h") };
            format!("given up: it could not leave within {count}{unit} ([mail] wait_max)")
        })
    }

    fn wanted(&self, delivery: &Delivery) -> ClaimRequest {
        let domain = delivery.recipient.rsplit('@').next().unwrap_or_default();
        ClaimRequest {
            id: delivery.id,
            attempts: delivery.attempts,
            digest: delivery.digest.list().clone(),
            hash: self.sender.key.hash(&delivery.recipient),
            domain: domain.to_lowercase(),
        }
    }

    /// What was said of a recipient, if it was that.
    fn doubt(&self, delivery: &Delivery, claimed: ClaimedDelivery, sending: &Sending) -> Option<Doubt> {
        let (ground, reason) = Ground::of(sending.result.as_ref().err()?)?;
        Some(Doubt {
            number: claimed.number,
            attempts: claimed.attempt.saturating_sub(1),
            message_id: delivery.message_id.clone(),
            hash: self.sender.key.hash(&delivery.recipient),
            digest: delivery.digest.clone(),
            created: delivery.created,
            since: delivery.doubted,
            ground,
            reason: reason.to_owned(),
        })
    }

    /// What is to be kept of those whom an answer decides.
    fn noted(&self, noted: Noted, brake: &Brake) -> Vec<Settlement> {
        let Noted { believed, forgotten, out } = noted;
        for (server, reason) in out {
            self.leave_out(server, reason, brake);
        }
        let believed = believed.into_iter().map(|doubt| Settlement::Believed(self.sentence(doubt)));
        let deferred = |doubt: Doubt| DeliveryOutcome::Deferred(doubt.message_id, doubt.reason);
        let forgotten = forgotten.into_iter().map(|doubt| Settlement::Told(deferred(doubt)));
        believed.chain(forgotten).collect()
    }

    /// Sends nothing more through a server in this run; without another one, sending ends.
    fn leave_out(&self, server: Option<usize>, reason: String, brake: &Brake) {
        match server {
            Some(server) if self.transport.leave_out(server, &reason) => {
                let name = self.transport.server_name(server);
                tracing::warn!("nothing more is sent through {name} in this run: {reason}");
                brake.set_trouble_of(server, reason);
            }
            _ => brake.pull(reason),
        }
    }

    /// What becomes of a delivery.
    fn settled(
        &self,
        delivery: &Delivery,
        claimed: ClaimedDelivery,
        result: &Result<(), DeliverError>,
    ) -> Settled {
        // Pauses count from the current time: a run may have been under way for hours.
        let now = self.clock.now();
        let id = delivery.message_id.clone();
        let is_list = is_for_list(&delivery.digest);
        let waits = |pause| now.checked_add(pause).unwrap_or(now);
        let put_off = || waits(put_off_for(now.duration_since(delivery.created)));
        let is_tried_again = claimed.attempt < ATTEMPTS_MAX && self.pace.on_uncertain == OnUncertain::Resend;
        let (outcome, next_attempt) = match result {
            Ok(()) => (DeliveryOutcome::Sent(id, is_list), now),
            Err(DeliverError::Stopped) => (DeliveryOutcome::HandedBack(id), now),
            Err(DeliverError::Unavailable(reason) | DeliverError::RefusesUs(reason)) => {
                (DeliveryOutcome::PutOff(id, reason.clone(), is_list), put_off())
            }
            Err(DeliverError::Uncertain(reason)) if is_tried_again => {
                (DeliveryOutcome::Deferred(id, reason.clone()), waits(pause_after(claimed.attempt)))
            }
            Err(error) => match Ground::of(error) {
                Some((ground, reason)) => {
                    let since = ground.is_grave().then_some(now);
                    let why = WhyHandedBack::InDoubt { reason: reason.to_owned(), since };
                    (DeliveryOutcome::InDoubt(why), put_off())
                }
                None => (DeliveryOutcome::Refused(id, error.to_string()), now),
            },
        };
        Settled { claimed, outcome, next_attempt }
    }

    /// What becomes of a delivery whose recipient was refused, now that it is believed.
    fn sentence(&self, doubt: Doubt) -> Sentence {
        let now = self.clock.now();
        let Doubt { number, attempts, message_id: id, hash, ground, reason, digest, .. } = doubt;
        let is_operator = !is_for_list(&digest) || self.operators.contains(&hash);
        let attempt = attempts + 1;
        let (outcome, next_attempt, follow) = if ground == Ground::NoMailbox {
            (DeliveryOutcome::Refused(id, reason), now, Follow::HardBounce(hash))
        } else if attempt < ATTEMPTS_MAX {
            (DeliveryOutcome::Deferred(id, reason), now + pause_after(attempt), Follow::Nothing)
        } else {
            (DeliveryOutcome::Refused(id.clone(), reason), now, Follow::SoftBounce(hash, id))
        };
        let follow = if is_operator { Follow::Nothing } else { follow };
        Sentence { number, attempts, outcome, next_attempt, follow }
    }

    /// What is still in doubt is decided, and what is known of the servers is kept. Answers why mail waits that is still in doubt.
    fn end(&self, brake: &Brake, done: &mut Deliveries) -> anyhow::Result<Option<String>> {
        let (now, mut trouble) = (self.clock.now(), None);
        for (server, has_taken, has_taken_any) in brake.servers() {
            let name = self.transport.server_name(server);
            let told = self.store.write(|w| {
                let mut known = w.mailing().mail_server(&name)?;
                let before = known.clone();
                known.taken = if has_taken { Some(now) } else { known.taken };
                known.taken_any = if has_taken_any { Some(now) } else { known.taken_any };
                let is_news = self.note_trouble(w, &name, &mut known, brake.trouble_of(server), has_taken)?;
                done.is_server_news |= is_news;
                if known != before {
                    w.mailing().put_mail_server(&name, &known)?;
                }
                let rest = brake.rest(server, Before { taken: known.taken, taken_any: known.taken_any }, now);
                rest.held.iter().try_for_each(|number| w.mailing().hold(*number))?;
                let mut told = Vec::new();
                for sentence in rest.believed.into_iter().map(|doubt| self.sentence(doubt)) {
                    self.carry_out(w, &sentence, now)?;
                    told.push(sentence.outcome);
                }
                let deferred = |doubt: Doubt| DeliveryOutcome::Deferred(doubt.message_id, doubt.reason);
                told.extend(rest.unbelieved.into_iter().map(deferred));
                trouble = trouble.take().or(rest.trouble);
                Ok::<_, anyhow::Error>(told)
            })?;
            for outcome in told {
                outcome.log();
                done.count(outcome);
            }
        }
        Ok(trouble)
    }

    /// The operator hears once that one of several servers refuses us, and once that it takes mail again.
    fn note_trouble(
        &self,
        unit: &Unit<Write>,
        name: &str,
        known: &mut MailServer,
        trouble: Option<String>,
        has_taken: bool,
    ) -> Result<bool, StoreError> {
        let text = match (&known.trouble, &trouble) {
            (None, Some(reason)) => format!("is left out, and the other mail servers get its mail: {reason}"),
            (Some(_), None) if has_taken => Notice::WORKS_AGAIN.to_owned(),
            _ => return Ok(false),
        };
        known.trouble = trouble;
        unit.sources().put_notice(&format!("mail server {name}"), &text, self.clock.now())?;
        Ok(true)
    }

    /// Keeps the ledger until all senders are gone: everything waiting at a time goes into one transaction.
    fn keep_ledger(&self, mut entries: mpsc::Receiver<LedgerEntry>) {
        while let Some(first) = entries.blocking_recv() {
            let mut batch = vec![first];
            while let Ok(more) = entries.try_recv() {
                batch.push(more);
            }
            let claims = self.keep(&batch);
            match claims {
                Ok(claims) => batch
                    .into_iter()
                    .zip(claims)
                    .for_each(|(entry, claim)| drop(entry.answer.send(Ok(claim)))),
                Err(error) => batch
                    .into_iter()
                    .for_each(|entry| drop(entry.answer.send(Err(anyhow::anyhow!("{error:#}"))))),
            }
        }
    }

    fn keep(&self, batch: &[LedgerEntry]) -> anyhow::Result<Vec<Claim>> {
        self.store.write(|w| {
            let now = self.clock.now();
            let mut claims = Vec::with_capacity(batch.len());
            for entry in batch {
                entry.settled.iter().try_for_each(|settlement| match settlement {
                    Settlement::Claimed(settled) => self.settle(w, settled),
                    Settlement::Believed(sentence) => self.carry_out(w, sentence, now),
                    Settlement::Told(_) => Ok(()),
                })?;
                claims.push(match &entry.wanted {
                    Some(wanted) => self.claim(w, wanted, now)?,
                    None => Claim::Refused,
                });
            }
            Ok(claims)
        })
    }

    fn settle(&self, unit: &Unit<Write>, settled: &Settled) -> anyhow::Result<()> {
        let is_ours = match settled.outcome.state() {
            Some((state, reason)) => {
                unit.mailing().settle(settled.claimed, state, reason, settled.next_attempt)?
            }
            None => {
                let why = settled.outcome.why_handed_back();
                unit.mailing().hand_back(settled.claimed, why.as_ref(), settled.next_attempt)?
            }
        };
        if !is_ours {
            // Our lease had ended, or the delivery was erased: its new owner settles it.
            tracing::warn!(
                delivery.number = settled.claimed.number.0,
                "a delivery was taken over while it was under way"
            );
        }
        Ok(())
    }

    /// Keeps what became of a delivery that was in doubt.
    fn carry_out(&self, unit: &Unit<Write>, sentence: &Sentence, now: Timestamp) -> anyhow::Result<()> {
        let Some((state, _)) = sentence.outcome.state() else { return Ok(()) };
        let is_ours =
            unit.mailing().settle_doubt(sentence.number, sentence.attempts, state, sentence.next_attempt)?;
        // Where another process tries it again, it finds out by itself.
        if is_ours { self.follow(unit, &sentence.follow, now) } else { Ok(()) }
    }

    fn follow(&self, unit: &Unit<Write>, follow: &Follow, now: Timestamp) -> anyhow::Result<()> {
        match follow {
            Follow::Nothing => {}
            // Writing to such addresses again would damage our reputation with mailbox providers.
            Follow::HardBounce(hash) => {
                subscribers::suppress_within(unit, hash, SubscriberState::Bounced, now)?
            }
            Follow::SoftBounce(hash, id) => {
                bounces::note_soft(unit, hash, &format!("given up: {id}"), now)?;
            }
        }
        Ok(())
    }

    fn claim(&self, unit: &Unit<Write>, wanted: &ClaimRequest, now: Timestamp) -> Result<Claim, StoreError> {
        let Some(claimed) =
            unit.mailing().claim(wanted.id, wanted.attempts, self.store.worker(), now, Clock::of_leases())?
        else {
            return Ok(Claim::Refused);
        };
        // Checked now rather than when the issue was queued: recipients may have left in the meantime.
        let reason = unit
            .subscribers()
            .suppression(&wanted.hash, &wanted.digest)?
            .filter(|reason| bars(reason, &wanted.digest));
        Ok(match reason {
            Some(reason) => Claim::Suppressed(claimed, reason),
            None => Claim::Ours(claimed, self.turn(unit, &wanted.domain)?),
        })
    }

    /// When a message may leave, if there is a rate: all processes on the store share the turns.
    fn turn(&self, unit: &Unit<Write>, domain: &str) -> Result<Option<Timestamp>, StoreError> {
        let rates = [(self.pace.rate, ""), (self.pace.rate_per_domain, domain)];
        let mut turn = None;
        for (rate, what) in rates.into_iter().filter(|(rate, _)| *rate > 0.0) {
            let step = SignedDuration::from_secs_f64(1.0 / rate);
            turn = turn.max(Some(unit.mailing().take_turn(what, step, Clock::of_leases())?));
        }
        Ok(turn)
    }
}

/// The pause of what waits for reasons that are not its recipient's, by how long it waited.
fn put_off_for(waited: SignedDuration) -> SignedDuration {
    let share = waited.as_secs() / PUT_OFF_SHARE;
    SignedDuration::from_secs(share.clamp(*PUT_OFF_SECONDS.start(), *PUT_OFF_SECONDS.end()))
}

/// The pause after so many attempts.
fn pause_after(attempts: u32) -> SignedDuration {
    SignedDuration::from_secs(if attempts + 1 == ATTEMPTS_MAX {
        LAST_PAUSE_SECONDS
    } else {
        RETRY_SECONDS << attempts.saturating_sub(1).min(16)
    })
}

/// Deletes the deliveries settled longer ago than `retention`, in batches; returns how many.
///
/// # Errors
/// When the store fails.
pub fn forget(store: &Store, retention: SignedDuration, now: Timestamp) -> anyhow::Result<usize> {
    let Ok(limit) = now.checked_sub(retention) else { return Ok(0) };
    let private = now.saturating_sub(PRIVATE_KEPT)?.max(limit);
    store.write(|w| {
        w.subscribers().forget_expired_sign_ups(now)?;
        w.mailing().forget_turns(Clock::of_leases())?;
        w.subscribers().forget_private_mail(private)
    })?;
    let mut gone = 0;
    loop {
        let count = store.write(|w| w.mailing().forget_deliveries(limit, FORGOTTEN))?;
        gone += count;
        if count < FORGOTTEN {
            break;
        }
    }
    if gone > 0 {
        store.write(|w| w.mailing().forget_issue_texts(limit))?;
    }
    Ok(gone)
}

/// Deletes issues older than `retention` that nothing refers to: personal ones, with their web versions in `folder`, and slots
/// without news. The web versions of configured digests are public and stay; their issues are deleted once they are no longer in
/// the list of past issues.
///
/// # Errors
/// When the store fails, or a web version cannot be removed.
pub fn forget_issues(
    store: &Store,
    digests: &[Digest],
    folder: &Path,
    retention: SignedDuration,
    now: Timestamp,
) -> anyhow::Result<()> {
    let Ok(limit) = now.checked_sub(retention) else { return Ok(()) };
    for digest in digests.iter().map(|digest| &digest.id).chain(&DigestId::OWN) {
        loop {
            let issues = store.read(|r| r.mailing().old_issues(digest, limit, ISSUES_LISTED, FORGOTTEN))?;
            // Files first: an interrupted run finds the rest again.
            for name in issues.iter().filter_map(|(_, name)| name.as_deref()) {
                let path = folder.join(digest::archive_path(name));
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                    }
                    _ => {}
                }
            }
            store.write(|w| issues.iter().try_for_each(|(key, _)| w.mailing().forget_issue(*key)))?;
            if issues.len() < FORGOTTEN {
                break;
            }
        }
    }
    Ok(())
}

/// A reason without the recipient's address, which servers tend to repeat: equal reasons are then equal texts, and can be
/// logged.
fn masked(reason: &str, delivery: &Delivery) -> String {
    let address = &delivery.recipient;
    [address.clone(), address.to_lowercase()].iter().fold(reason.to_owned(), |reason, address| {
        reason.replace(&format!("<{address}>"), RECIPIENT).replace(address.as_str(), RECIPIENT)
    })
}

/// Identity of an issue by its address in memory.
fn address(issue: &Arc<Issue>) -> usize {
    Arc::as_ptr(issue) as usize
}

/// A confirmation goes to whoever asks for it, also to one who left before; not to one who complained of us. An answer goes to whom the
/// operator named, and the operator hears of what goes wrong whatever a server said of them.
fn bars(reason: &str, digest: &DigestId) -> bool {
    match digest {
        DigestId::Answer => false,
        DigestId::Operator => reason != SubscriberState::Bounced.as_str(),
        DigestId::Confirmation => reason == SubscriberState::Complained.as_str(),
        _ => true,
    }
}

/// A request to claim a delivery.
struct ClaimRequest {
    id: DeliveryKey,
    attempts: u32,
    digest: DigestId,
    hash: String,
    domain: String,
}

enum Claim {
    /// And not before this time, by the clock of leases.
    Ours(ClaimedDelivery, Option<Timestamp>),
    /// Another process has it.
    Refused,
    /// Claimed, but must not be sent.
    Suppressed(ClaimedDelivery, String),
}

#[derive(Clone)]
enum DeliveryOutcome {
    /// Whether it is for a list.
    Sent(String, bool),
    Deferred(String, String),
    Refused(String, String),
    /// The recipient has left in the meantime; no server was contacted.
    Withheld(String, String),
    /// Nothing of it was sent: it is as if it had not been claimed.
    HandedBack(String),
    /// It waits for reasons that are not the recipient's, and is not counted as an attempt; whether it is for a list.
    PutOff(String, String, bool),
    /// Its recipient was refused: it waits until it is known whether that is to be believed.
    InDoubt(WhyHandedBack),
}

impl DeliveryOutcome {
    /// The state to store; `None` if it does not change.
    fn state(&self) -> Option<(DeliveryState, Option<&str>)> {
        match self {
            DeliveryOutcome::Sent(..) => Some((DeliveryState::Sent, None)),
            DeliveryOutcome::Deferred(_, reason) => Some((DeliveryState::Pending, Some(reason))),
            DeliveryOutcome::Refused(_, reason) | DeliveryOutcome::Withheld(_, reason) => {
                Some((DeliveryState::Failed, Some(reason)))
            }
            DeliveryOutcome::HandedBack(_) | DeliveryOutcome::PutOff(..) | DeliveryOutcome::InDoubt(_) => {
                None
            }
        }
    }

    fn why_handed_back(&self) -> Option<WhyHandedBack> {
        match self {
            // What the operator is to hear is nothing that the operator has to wait for.
            DeliveryOutcome::PutOff(_, reason, false) => {
                Some(WhyHandedBack::InDoubt { reason: reason.clone(), since: None })
            }
            DeliveryOutcome::PutOff(_, reason, true) => Some(WhyHandedBack::NotTheirs(reason.clone())),
            DeliveryOutcome::InDoubt(why) => Some(why.clone()),
            _ => None,
        }
    }

    /// One line for all of them is enough where nobody asks for more.
    fn log(&self) {
        match self {
            DeliveryOutcome::Sent(id, _) => tracing::info!(delivery.id = id, "delivered"),
            DeliveryOutcome::Deferred(id, reason) => {
                tracing::info!(delivery.id = id, reason, "delivery deferred")
            }
            DeliveryOutcome::Refused(id, reason) => {
                tracing::info!(delivery.id = id, reason, "delivery refused")
            }
            DeliveryOutcome::Withheld(id, reason) => {
                tracing::info!(delivery.id = id, reason, "delivery withheld")
            }
            DeliveryOutcome::HandedBack(id) => {
                tracing::info!(delivery.id = id, "delivery put off: the work is to end")
            }
            DeliveryOutcome::PutOff(id, reason, _) => {
                tracing::info!(delivery.id = id, reason, "delivery put off")
            }
            DeliveryOutcome::InDoubt(_) => {}
        }
    }
}

/// The consequence of a result for the recipient's other mail.
enum Follow {
    Nothing,
    HardBounce(String),
    SoftBounce(String, String),
}

struct Settled {
    claimed: ClaimedDelivery,
    outcome: DeliveryOutcome,
    next_attempt: Timestamp,
}

/// A delivery that was in doubt.
struct Sentence {
    number: DeliveryKey,
    /// Those before it was refused.
    attempts: u32,
    outcome: DeliveryOutcome,
    next_attempt: Timestamp,
    follow: Follow,
}

/// What goes to the ledger.
enum Settlement {
    Claimed(Settled),
    Believed(Sentence),
    /// It is kept already.
    Told(DeliveryOutcome),
}

impl Settlement {
    /// What is to be told of it; of what is in doubt, that is decided later.
    fn told(&self) -> Option<&DeliveryOutcome> {
        match self {
            Settlement::Claimed(settled) => {
                Some(&settled.outcome).filter(|outcome| !matches!(outcome, DeliveryOutcome::InDoubt(_)))
            }
            Settlement::Believed(sentence) => Some(&sentence.outcome),
            Settlement::Told(outcome) => Some(outcome),
        }
    }
}

struct LedgerEntry {
    settled: Vec<Settlement>,
    wanted: Option<ClaimRequest>,
    answer: oneshot::Sender<anyhow::Result<Claim>>,
}

/// The channel to the ledger.
struct Ledger(mpsc::Sender<LedgerEntry>);

impl Ledger {
    async fn turn(&self, settled: Vec<Settlement>, wanted: Option<ClaimRequest>) -> anyhow::Result<Claim> {
        let (answer, answered) = oneshot::channel();
        let gone = || anyhow::anyhow!("the ledger of deliveries is closed");
        self.0.send(LedgerEntry { settled, wanted, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

impl Deliveries {
    fn count(&mut self, outcome: DeliveryOutcome) {
        match outcome {
            DeliveryOutcome::HandedBack(_) | DeliveryOutcome::Withheld(..) | DeliveryOutcome::InDoubt(_) => {}
            DeliveryOutcome::PutOff(_, reason, _) => {
                self.deferred += 1;
                self.tell(&reason);
                self.put_off.get_or_insert(reason);
            }
            DeliveryOutcome::Sent(_, is_for_list) => {
                self.sent += 1;
                self.sent_to_lists += u64::from(is_for_list);
            }
            DeliveryOutcome::Deferred(_, reason) => {
                self.deferred += 1;
                self.tell(&reason);
            }
            DeliveryOutcome::Refused(_, reason) => {
                self.refused += 1;
                self.tell(&reason);
            }
        }
    }

    fn tell(&mut self, reason: &str) {
        let has_room = self.reasons.len() < REASONS_MAX;
        match self.reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, count)) => *count += 1,
            None if has_room => self.reasons.push((reason.to_owned(), 1)),
            None => {}
        }
    }
}
