//! The outbox: each delivery is claimed, sent and settled. Its issue was queued before, with stories and deliveries, in one
//! transaction. SMTP cannot promise exactly-once delivery: after a crash between the server's reply and our commit, a message is
//! sent again under the same Message-ID; there are at most as many such messages as connections.
//!
//! ```text
//! reader ─ delivery and encoded body ─▶ senders, one a connection ─ settled, next claim ─▶ ledger (one transaction for all that wait)
//! ```

mod ledger;
mod outcome;
mod settlement;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::ledger::{Claim, ClaimRequest, Ledger, LedgerKeeper, carry_out};
pub use self::outcome::Deliveries;
use self::outcome::DeliveryOutcome;
use self::settlement::{Sentence, Settled, Settlement};
use super::brake::{Before, Brake, Doubt, Ground, Noted};
use crate::deliver::message::{Built, MessageError, PreparedMessage, Sender, build, prepare};
use crate::deliver::transport::Transport;
use crate::deliver::{DeliverError, Sending};
use crate::model::digest::{Delivery, DigestId, Issue, Notice, OnUncertain};
use crate::model::keys::DeliveryKey;
use crate::store::{ClaimedDelivery, MailServer, Store, StoreError, Unit, Write};
use crate::support::clock::Clock;

/// Deliveries read at a time, with their issues, so that memory does not grow with the number of recipients.
const CHUNK: usize = 200;
/// Capacity of the queue of deliveries waiting for a sender.
const WAITING_MAX: usize = 64;
/// Confirmation links are not valid for longer.
const CONFIRMATION_WAITS: SignedDuration = SignedDuration::from_hours(48);
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

type Body = Arc<Result<PreparedMessage, MessageError>>;
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
        let (ledger, keeper) = self.ledger();
        let brake = Arc::new(Brake::new(self.pace.refusals_max));
        let (told, mut outcomes) = mpsc::channel(WAITING_MAX);
        let mut tasks = JoinSet::new();
        for _ in 0..self.pace.connections.min(due.len()) {
            let (outbox, queue, ledger, told) = (self.clone(), queue.clone(), ledger.clone(), told.clone());
            let brake = brake.clone();
            tasks.spawn(async move { outbox.send_all(&queue, &ledger, &told, &brake).await });
        }
        drop((queue, ledger, told));
        let reader = self.clone();
        tasks.spawn(async move { reader.read_all(&due, &waiting).await });
        let kept = tokio::task::spawn_blocking(move || keeper.run());
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

    fn ledger(&self) -> (Ledger, LedgerKeeper) {
        let DeliveryPace { connections, rate, rate_per_domain, .. } = self.pace;
        let (ledger, entries) = Ledger::open(connections);
        let (store, clock) = (self.store.clone(), self.clock);
        (ledger, LedgerKeeper { store, clock, rate, rate_per_domain, entries })
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
                let encode = || Arc::new(prepare(&delivery.issue));
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
        built: Result<Built, MessageError>,
        turn: Option<Timestamp>,
    ) -> Sending {
        let failed = |error| Sending::by(None, Err(error));
        let message = match (self.outdated(delivery), built) {
            (Some(reason), _) => return failed(DeliverError::Permanent(reason)),
            (None, Err(error)) => return failed(DeliverError::Permanent(error.to_string())),
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

    fn built(&self, delivery: &Delivery, body: &Body) -> Result<Built, MessageError> {
        build(&self.sender, delivery, body.as_ref().as_ref().map_err(Clone::clone)?)
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

    fn settled(
        &self,
        delivery: &Delivery,
        claimed: ClaimedDelivery,
        result: &Result<(), DeliverError>,
    ) -> Settled {
        // Pauses count from the current time: a run may have been under way for hours.
        Settled::of(delivery, claimed, result, self.pace.on_uncertain, self.clock.now())
    }

    fn sentence(&self, doubt: Doubt) -> Sentence {
        Sentence::of(doubt, &self.operators, self.clock.now())
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
                    carry_out(w, &sentence, now)?;
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
