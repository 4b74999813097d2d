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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{bounces, subscribers};
use crate::deliver::DeliverError;
use crate::deliver::message::{Built, PreparedMessage, Sender, build, prepare};
use crate::deliver::transport::Transport;
use crate::digest;
use crate::model::digest::{Delivery, DeliveryState, Digest, DigestId, ISSUES_LISTED, Issue, OnUncertain};
use crate::model::keys::DeliveryKey;
use crate::model::subscriber::SubscriberState;
use crate::store::{ClaimedDelivery, Store, StoreError, Unit, Write};
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
/// When this many times `refusals_max` recipients in a row are unknown in the same words, the server is at fault.
const UNKNOWN_FACTOR: usize = 4;
/// Maximum number of distinct reasons reported.
const REASONS_MAX: usize = 50;
/// Replaces a recipient's address, which must not be logged.
const RECIPIENT: &str = "(the recipient)";

/// Settings for sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryPace {
    /// Number of messages sent concurrently, each over its own connection.
    pub connections: usize,
    pub on_uncertain: OnUncertain,
    /// After this many messages in a row held because of us or the server, the rest is left for the next run.
    pub refusals_max: usize,
    /// Older deliveries are no longer news and are given up.
    pub wait_max: SignedDuration,
}

/// The results of the deliveries that were due.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deliveries {
    pub sent: u64,
    pub deferred: u64,
    pub refused: u64,
    /// Why mail is held up, if none was sent or sending was ended early: the server refuses us, or cannot be reached.
    pub held_up: Option<String>,
    /// Why messages were not sent, with counts, most frequent first.
    pub reasons: Vec<(String, u64)>,
    /// Why a message is held, if not because of its recipient.
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
    /// Set when the work has to end: messages already handed over are settled, the rest waits for the next run.
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
        let brake = Arc::new(Brake { refusals_max: self.pace.refusals_max, ..Brake::default() });
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
        done.reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        done.held_up = brake.reason().or_else(|| done.put_off.take().filter(|_| done.sent == 0));
        // If nothing was sent, the caller reports the reason.
        if let Some(unsent) = done.unsent().filter(|_| done.sent > 0 && done.held_up.is_none()) {
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
        let mut settled: Option<Settled> = None;
        loop {
            let next = tokio::select! {
                biased;
                () = self.stop.cancelled() => None,
                () = brake.pulled.cancelled() => None,
                next = async { queue.lock().await.recv().await } => next,
            };
            let Some((delivery, body)) = next else { break };
            let built = self.built(&delivery, &body);
            match ledger.turn(settled.take(), Some(self.wanted(&delivery))).await? {
                Claim::Refused => continue,
                Claim::Suppressed(claimed, reason) => {
                    let outcome =
                        DeliveryOutcome::Withheld(delivery.message_id.clone(), format!("not sent: {reason}"));
                    let next_attempt = self.clock.now();
                    settled = Some(Settled { claimed, outcome, next_attempt, follow: Follow::Nothing });
                }
                Claim::Ours(claimed) => {
                    let result = match (self.outdated(&delivery), built) {
                        (Some(reason), _) | (None, Err(reason)) => Err(DeliverError::Permanent(reason)),
                        (None, Ok(message)) => {
                            self.transport.send(&message, &delivery.message_id, &self.stop).await
                        }
                    };
                    let result = result.map_err(|error| error.map(|reason| masked(&reason, &delivery)));
                    brake.note(&result);
                    settled = Some(self.judged(&delivery, claimed, result));
                }
            }
            if let Some(settled) = &settled {
                settled.log();
                // The receiver of outcomes may be gone; the work goes on.
                let _ = told.send(settled.outcome.clone()).await;
            }
        }
        if settled.is_some() {
            ledger.turn(settled, None).await?;
        }
        Ok(())
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
        ClaimRequest {
            id: delivery.id,
            attempts: delivery.attempts,
            digest: delivery.digest.list().clone(),
            hash: self.sender.key.hash(&delivery.recipient),
        }
    }

    /// What to store about a result.
    fn judged(
        &self,
        delivery: &Delivery,
        claimed: ClaimedDelivery,
        result: Result<(), DeliverError>,
    ) -> Settled {
        // Pauses count from the current time: a run may have been under way for hours.
        let now = self.clock.now();
        let attempts = claimed.attempt;
        let id = delivery.message_id.clone();
        let hash = || self.sender.key.hash(&delivery.recipient);
        let is_given_up =
            matches!(result, Err(DeliverError::Uncertain(_))) && self.pace.on_uncertain == OnUncertain::Skip;
        let (outcome, next_attempt, follow) = match result {
            Ok(()) => (DeliveryOutcome::Sent(id), now, Follow::Nothing),
            Err(DeliverError::Temporary(reason)) | Err(DeliverError::Uncertain(reason))
                if attempts < ATTEMPTS_MAX && !is_given_up =>
            {
                let seconds = if attempts + 1 == ATTEMPTS_MAX {
                    LAST_PAUSE_SECONDS
                } else {
                    RETRY_SECONDS << (attempts - 1).min(16)
                };
                let pause = SignedDuration::from_secs(seconds);
                (DeliveryOutcome::Deferred(id, reason), now + pause, Follow::Nothing)
            }
            Err(DeliverError::Unavailable(reason) | DeliverError::RefusesUs(reason)) => {
                let share = now.duration_since(delivery.created).as_secs() / PUT_OFF_SHARE;
                let pause = share.clamp(*PUT_OFF_SECONDS.start(), *PUT_OFF_SECONDS.end());
                let pause = SignedDuration::from_secs(pause);
                (DeliveryOutcome::PutOff(id, reason), now + pause, Follow::Nothing)
            }
            Err(DeliverError::Stopped) => (DeliveryOutcome::HandedBack(id), now, Follow::Nothing),
            Err(DeliverError::NoMailbox(reason)) => {
                (DeliveryOutcome::Refused(id, reason), now, Follow::HardBounce(hash()))
            }
            Err(DeliverError::Temporary(reason)) => {
                (DeliveryOutcome::Refused(id.clone(), reason), now, Follow::SoftBounce(hash(), id))
            }
            Err(error) => (DeliveryOutcome::Refused(id, error.to_string()), now, Follow::Nothing),
        };
        Settled { claimed, outcome, next_attempt, follow }
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
                if let Some(settled) = &entry.settled {
                    self.settle(w, settled, now)?;
                }
                claims.push(match &entry.wanted {
                    Some(wanted) => self.claim(w, wanted, now)?,
                    None => Claim::Refused,
                });
            }
            Ok(claims)
        })
    }

    fn settle(&self, unit: &Unit<Write>, settled: &Settled, now: Timestamp) -> anyhow::Result<()> {
        let is_ours = match settled.outcome.state() {
            Some((state, reason)) => {
                unit.mailing().settle(settled.claimed, state, reason, settled.next_attempt)?
            }
            None => {
                let reason = if let DeliveryOutcome::PutOff(_, reason) = &settled.outcome {
                    Some(reason.as_str())
                } else {
                    None
                };
                unit.mailing().hand_back(settled.claimed, reason, settled.next_attempt)?
            }
        };
        if !is_ours {
            // Our lease had ended, or the delivery was erased: its new owner settles it.
            tracing::warn!(
                delivery.number = settled.claimed.number.0,
                "a delivery was taken over while it was under way"
            );
            return Ok(());
        }
        match &settled.follow {
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
        Ok(reason.map_or(Claim::Ours(claimed), |reason| Claim::Suppressed(claimed, reason)))
    }
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

/// Whether a suppression applies to this mail. Confirmations are sent to whoever requests them, even former subscribers, but not
/// after a complaint. Forwarded replies always go to the reader whom the operator named.
fn bars(reason: &str, digest: &DigestId) -> bool {
    match digest {
        DigestId::Answer => false,
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
}

enum Claim {
    Ours(ClaimedDelivery),
    /// Another process has it.
    Refused,
    /// Claimed, but must not be sent.
    Suppressed(ClaimedDelivery, String),
}

#[derive(Clone)]
enum DeliveryOutcome {
    Sent(String),
    Deferred(String, String),
    Refused(String, String),
    /// The recipient has left in the meantime; no server was contacted.
    Withheld(String, String),
    /// Nothing of it was sent: it is as if it had not been claimed.
    HandedBack(String),
    /// Held for reasons other than the recipient; not counted as an attempt.
    PutOff(String, String),
}

impl DeliveryOutcome {
    /// The state to store; `None` if it does not change.
    fn state(&self) -> Option<(DeliveryState, Option<&str>)> {
        match self {
            DeliveryOutcome::Sent(_) => Some((DeliveryState::Sent, None)),
            DeliveryOutcome::Deferred(_, reason) => Some((DeliveryState::Pending, Some(reason))),
            DeliveryOutcome::Refused(_, reason) | DeliveryOutcome::Withheld(_, reason) => {
                Some((DeliveryState::Failed, Some(reason)))
            }
            DeliveryOutcome::HandedBack(_) | DeliveryOutcome::PutOff(..) => None,
        }
    }
}

/// Ends sending when message after message is held for reasons other than the recipients, since trying the whole list would be
/// futile; and when recipient after recipient is unknown in the same words, since such a server knows nobody.
#[derive(Default)]
struct Brake {
    refusals_max: usize,
    in_a_row: AtomicUsize,
    /// The words in which recipients are unknown, and how many in a row.
    unknown: Mutex<(String, usize)>,
    /// Why sending ended, or why the first held message is held.
    reason: OnceLock<String>,
    pulled: CancellationToken,
}

impl Brake {
    fn note(&self, result: &Result<(), DeliverError>) {
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(()) => {
                self.in_a_row.store(0, Ordering::Relaxed);
                unknown.1 = 0;
            }
            Err(DeliverError::Unavailable(reason) | DeliverError::RefusesUs(reason)) => {
                let _ = self.reason.set(reason.clone());
                if self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1 >= self.refusals_max {
                    self.pulled.cancel();
                }
            }
            Err(DeliverError::NoMailbox(reason)) => {
                let before = if unknown.0 == *reason { unknown.1 } else { 0 };
                *unknown = (reason.clone(), before + 1);
                if unknown.1 >= self.refusals_max.saturating_mul(UNKNOWN_FACTOR) {
                    let _ = self.reason.set(format!("{} recipients in a row: {reason}", unknown.1));
                    self.pulled.cancel();
                }
            }
            Err(_) => {}
        }
    }

    fn reason(&self) -> Option<String> {
        self.reason.get().filter(|_| self.pulled.is_cancelled()).cloned()
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
    follow: Follow,
}

impl Settled {
    fn log(&self) {
        match &self.outcome {
            DeliveryOutcome::Sent(id) => tracing::info!(delivery.id = id, "delivered"),
            // Info only: the caller logs a summary in one line.
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
            DeliveryOutcome::PutOff(id, reason) => {
                tracing::info!(delivery.id = id, reason, "delivery put off")
            }
        }
    }
}

struct LedgerEntry {
    settled: Option<Settled>,
    wanted: Option<ClaimRequest>,
    answer: oneshot::Sender<anyhow::Result<Claim>>,
}

/// The channel to the ledger.
struct Ledger(mpsc::Sender<LedgerEntry>);

impl Ledger {
    async fn turn(&self, settled: Option<Settled>, wanted: Option<ClaimRequest>) -> anyhow::Result<Claim> {
        let (answer, answered) = oneshot::channel();
        let gone = || anyhow::anyhow!("the ledger of deliveries is closed");
        self.0.send(LedgerEntry { settled, wanted, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

impl Deliveries {
    fn count(&mut self, outcome: DeliveryOutcome) {
        match outcome {
            DeliveryOutcome::HandedBack(_) | DeliveryOutcome::Withheld(..) => {}
            DeliveryOutcome::PutOff(_, reason) => {
                self.deferred += 1;
                self.tell(&reason);
                self.put_off.get_or_insert(reason);
            }
            DeliveryOutcome::Sent(_) => self.sent += 1,
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
