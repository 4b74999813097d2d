//! The outbox: each delivery is claimed, sent and settled. Its issue was queued before, with stories and deliveries, in one
//! transaction. SMTP cannot promise exactly-once delivery: after a crash between the server's reply and our commit, a message is
//! sent again under the same Message-ID; there are at most as many such messages as connections.
//!
//! ```text
//! reader ─ delivery and encoded body ─▶ senders, one a connection ─ settled, next claim ─▶ ledger (one transaction for all that wait)
//! ```

mod brakes;
mod ledger;
mod outcome;
mod recipients;
mod settlement;
mod verdict;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::brakes::{AcceptedMail, Audience, Brakes};
use self::ledger::{Claim, ClaimRequest, Ledger, LedgerKeeper, carry_out};
pub use self::outcome::Deliveries;
use self::outcome::DeliveryOutcome;
pub use self::recipients::DigestRecipients;
use self::settlement::{AttemptCount, DeliveryEvidence, DoubtDecision, SettledDelivery, Settlement};
use super::brake::{AcceptanceHistory, AnswerEffects, Brake, Doubt, RefusalGround, ServerRunEnd, domain_of};
use crate::deliver::message::{BuiltMessage, MessageError, PreparedMessage, Sender, build, prepare};
use crate::deliver::transport::Transport;
use crate::deliver::{DeliverError, SendAttempt};
use crate::model::digest::{Delivery, DigestId, Issue, Notice, OnUncertain};
use crate::model::keys::DeliveryKey;
use crate::store::{ClaimedDelivery, Due, MailServer, Store, StoreError, Unit, Write};
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
    /// After this many messages in a row held because of us or the server, or without an answer, the rest is left for the next run.
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
    pub readers: Arc<DigestRecipients>,
    /// Set when the work is to end: what is handed over by then is settled, the rest waits for the next run.
    pub stop: CancellationToken,
}

type Body = Arc<Result<PreparedMessage, MessageError>>;
type DeliveryQueue = Arc<tokio::sync::Mutex<mpsc::Receiver<(Delivery, Body)>>>;

/// What the senders of a run share.
#[derive(Clone)]
struct SenderContext {
    ledger: Ledger,
    /// What became of each delivery, and whether it is to a stranger.
    told: mpsc::Sender<(DeliveryOutcome, bool)>,
    brakes: Arc<Brakes>,
    /// One for each connection.
    places: Arc<Semaphore>,
}

impl OutboxWorker {
    /// Gives up what a killed run may have sent, if that is configured.
    fn skip_uncertain(&self) -> Result<(), StoreError> {
        if self.pace.on_uncertain == OnUncertain::Skip {
            let skipped = self.store.write(|w| w.mailing().skip_uncertain(self.store.lease_time()))?;
            if skipped > 0 {
                tracing::warn!(skipped, "deliveries that a killed run had handed over are not sent again");
            }
        }
        Ok(())
    }

    /// Sends what is due. `on_done` is called with the total, then for each delivery.
    ///
    /// # Errors
    /// Only when the store fails; a refusal is a result.
    pub async fn deliver(
        &self,
        digest: Option<&DigestId>,
        mut on_done: impl FnMut(Progress),
    ) -> anyhow::Result<Deliveries> {
        self.skip_uncertain()?;
        let (due, paused) = self.store.read(|r| {
            let due = r.mailing().due(self.clock.now(), self.store.lease_time(), digest)?;
            Ok::<_, StoreError>((due, r.mailing().paused_domains()?))
        })?;
        let total = due.lists.len() + due.others.len();
        on_done(Progress::Total(total as u64));
        if total == 0 {
            return Ok(Deliveries::default());
        }
        self.transport.sweep();
        let (ledger, keeper) = self.ledger();
        let brakes = Arc::new(Brakes::new(self.pace.refusals_max, &paused));
        let (told, mut outcomes) = mpsc::channel(WAITING_MAX);
        let places = Arc::new(Semaphore::new(self.pace.connections));
        let mut tasks = self.begin(due, &SenderContext { ledger, told, brakes: brakes.clone(), places });
        let kept = tokio::task::spawn_blocking(move || keeper.run());
        let mut done = Deliveries::default();
        while let Some((outcome, is_to_stranger)) = outcomes.recv().await {
            done.count(outcome, is_to_stranger);
            on_done(Progress::One);
        }
        while let Some(task) = tasks.join_next().await {
            task??;
        }
        kept.await?;
        self.transport.close().await;
        let at_the_end = self.end(&brakes, &mut done)?;
        done.reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        done.trouble = brakes.lists.trouble().or(at_the_end).or(done.put_off.take());
        log_unsent(&done);
        Ok(done)
    }

    /// Starts to send: mail of lists by as many senders as there are connections, and the rest beside it, so that neither waits for
    /// the other.
    fn begin(&self, due: Due, way: &SenderContext) -> JoinSet<anyhow::Result<()>> {
        let mut tasks = JoinSet::new();
        let beside = if due.lists.is_empty() { self.pace.connections } else { 1 };
        for (numbers, is_list, senders) in
            [(due.lists, true, self.pace.connections), (due.others, false, beside)]
        {
            let (waiting, queue) = mpsc::channel(WAITING_MAX);
            let queue: DeliveryQueue = Arc::new(tokio::sync::Mutex::new(queue));
            for _ in 0..senders.min(numbers.len()) {
                let (outbox, queue, way) = (self.clone(), queue.clone(), way.clone());
                tasks.spawn(async move { outbox.send_all(&queue, &way, is_list).await });
            }
            let reader = self.clone();
            tasks.spawn(async move { reader.read_all(&numbers, &waiting).await });
        }
        tasks
    }

    fn ledger(&self) -> (Ledger, LedgerKeeper) {
        let DeliveryPace { connections, rate, rate_per_domain, refusals_max, .. } = self.pace;
        let (ledger, entries) = Ledger::open(connections);
        let (store, clock, readers) = (self.store.clone(), self.clock, self.readers.clone());
        (ledger, LedgerKeeper { store, clock, rate, rate_per_domain, refusals_max, readers, entries })
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
        way: &SenderContext,
        is_list: bool,
    ) -> anyhow::Result<()> {
        let mut settled: Vec<Settlement> = Vec::new();
        loop {
            let next = tokio::select! {
                biased;
                () = self.stop.cancelled() => None,
                () = way.brakes.lists.stopped.cancelled(), if is_list => None,
                next = async { queue.lock().await.recv().await } => next,
            };
            let Some((delivery, body)) = next else { break };
            let brake = way.brakes.of(&delivery.digest);
            // What is given up is not sent.
            let is_sent = self.outdated(&delivery).is_none();
            let admission = if is_sent { brake.admit(&delivery, &self.stop).await } else { None };
            if is_sent && admission.is_none() {
                continue;
            }
            let place = way.places.acquire().await;
            let built = self.built(&delivery, &body);
            let wanted = Some(self.wanted(&delivery));
            let mut told = Vec::new();
            match way.ledger.turn(std::mem::take(&mut settled), wanted).await?.claim {
                Claim::Refused => continue,
                Claim::Suppressed(claimed, reason) => {
                    let outcome =
                        DeliveryOutcome::Withheld(delivery.message_id.clone(), format!("not sent: {reason}"));
                    told.push(outcome.clone());
                    settled.push(Settlement::Claimed(SettledDelivery::new(
                        claimed,
                        outcome,
                        self.clock.now(),
                    )));
                }
                Claim::Ours(claimed, turn) => {
                    let sending = self.send(&delivery, built, turn).await;
                    told = self.answered(&delivery, claimed, &sending, brake, way, &mut settled).await?;
                }
            }
            drop((admission, place));
            for outcome in told {
                outcome.log();
                // Whoever counts may be gone: the work goes on.
                let _ = way.told.send((outcome, delivery.digest.is_to_strangers())).await;
            }
        }
        if !settled.is_empty() {
            way.ledger.turn(settled, None).await?;
        }
        Ok(())
    }

    /// Keeps what an answer means for this delivery and for others, and answers what is to be told of it. What may wait for the next
    /// claim is added to `settled`.
    async fn answered(
        &self,
        delivery: &Delivery,
        claimed: ClaimedDelivery,
        sending: &SendAttempt,
        brake: &Brake,
        way: &SenderContext,
        settled: &mut Vec<Settlement>,
    ) -> anyhow::Result<Vec<DeliveryOutcome>> {
        let doubt = self.doubt(delivery, claimed, sending);
        let own = self.settled(delivery, claimed, sending, doubt.as_ref());
        let mut told: Vec<DeliveryOutcome> = own.outcome.immediate().into_iter().collect();
        if doubt.is_some() {
            // Before anybody else can show that it is to be believed.
            way.ledger.turn(vec![Settlement::Claimed(own)], None).await?;
        } else {
            settled.push(Settlement::Claimed(own));
        }
        let noted = self.noted(delivery, brake.note(delivery, sending, doubt), brake);
        if !noted.is_empty() {
            settled.extend(noted);
            told.extend(way.ledger.turn(std::mem::take(settled), None).await?.decided);
        }
        Ok(told)
    }

    /// Waits for the turn of a message, and sends it.
    async fn send(
        &self,
        delivery: &Delivery,
        built: Result<BuiltMessage, MessageError>,
        turn: Option<Timestamp>,
    ) -> SendAttempt {
        let failed = |error| SendAttempt::by(None, Err(error));
        let message = match (self.outdated(delivery), built) {
            (Some(reason), _) => return failed(DeliverError::Permanent(reason)),
            (None, Err(error)) => return failed(DeliverError::Permanent(error.to_string())),
            (None, Ok(message)) => message,
        };
        let wait = turn.map(|turn| turn.duration_since(self.store.lease_time()));
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

    fn built(&self, delivery: &Delivery, body: &Body) -> Result<BuiltMessage, MessageError> {
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
        ClaimRequest {
            id: delivery.id,
            attempts: delivery.attempts,
            digest: delivery.digest.list().clone(),
            hash: self.sender.key.hash(&delivery.recipient),
            domain: domain_of(&delivery.recipient),
        }
    }

    /// What was said of a recipient, if it was that.
    fn doubt(&self, delivery: &Delivery, claimed: ClaimedDelivery, sending: &SendAttempt) -> Option<Doubt> {
        let (ground, reason) = RefusalGround::of(sending.result.as_ref().err()?)?;
        Some(Doubt {
            number: claimed.number,
            attempts: claimed.attempt.saturating_sub(1),
            message_id: delivery.message_id.clone(),
            hash: self.sender.key.hash(&delivery.recipient),
            domain: domain_of(&delivery.recipient),
            digest: delivery.digest.clone(),
            created: delivery.created,
            since: delivery.doubted,
            ground,
            reason: reason.to_owned(),
            is_vouched: false,
        })
    }

    /// What is to be kept of those whom an answer decides.
    fn noted(&self, delivery: &Delivery, noted: AnswerEffects, brake: &Brake) -> Vec<Settlement> {
        let AnswerEffects { believed, forgotten, out, paused } = noted;
        if let Some(reason) = paused {
            let domain = domain_of(&delivery.recipient);
            tracing::info!(domain, reason, "nothing more is sent to this domain in this run");
        }
        for (server, reason) in out {
            // Servers are judged by the mail of lists.
            if delivery.digest.is_list() {
                self.leave_out(server, reason, brake);
            } else {
                brake.stop_sending(reason);
            }
        }
        let believed = believed.into_iter().map(|doubt| Settlement::Believed(self.doubt_decision(doubt)));
        let deferred = |doubt: Doubt| DeliveryOutcome::Deferred(doubt.message_id, doubt.reason);
        let forgotten = forgotten.into_iter().map(|doubt| Settlement::Told(deferred(doubt)));
        believed.chain(forgotten).collect()
    }

    /// Sends nothing more through a server in this run; without another one, sending ends.
    fn leave_out(&self, server: Option<usize>, reason: String, brake: &Brake) {
        match server {
            Some(server) if self.transport.leave_out(server, &reason) => {
                brake.set_trouble_of(server, reason);
            }
            _ => brake.stop_sending(reason),
        }
    }

    fn settled(
        &self,
        delivery: &Delivery,
        claimed: ClaimedDelivery,
        sending: &SendAttempt,
        doubt: Option<&Doubt>,
    ) -> SettledDelivery {
        // Pauses count from the current time: a run may have been under way for hours.
        let settled =
            SettledDelivery::of(delivery, claimed, sending, self.pace.on_uncertain, self.clock.now());
        let hash = || self.sender.key.hash(&delivery.recipient);
        let server = sending.server.map(|server| self.transport.server_name(server)).unwrap_or_default();
        SettledDelivery {
            count: AttemptCount::of(server, &delivery.recipient, sending),
            mark: DeliveryEvidence::of(delivery, sending, doubt, hash),
            ..settled
        }
    }

    fn doubt_decision(&self, doubt: Doubt) -> DoubtDecision {
        DoubtDecision::of(doubt, &self.operators, self.clock.now())
    }

    /// What is still in doubt is decided, and what is known of servers and domains is kept. Answers why mail waits that is still in
    /// doubt.
    fn end(&self, brakes: &Brakes, done: &mut Deliveries) -> anyhow::Result<Option<String>> {
        let (now, mut trouble, mut last_taken) = (self.clock.now(), None, None);
        for (server, taken) in brakes.servers() {
            let left_out = brakes.lists.trouble_of(server);
            // What kept back all of it is whoever asked's to say.
            if let Some(reason) = left_out.as_ref().filter(|_| !brakes.lists.stopped.is_cancelled()) {
                let name = self.transport.server_name(server);
                tracing::warn!("{name} was left out in this run: {reason}");
            }
            let told = self.store.write(|w| {
                let (known, is_news) = self.note_server(w, server, taken, left_out)?;
                done.is_server_news |= is_news;
                last_taken = last_taken.max(known.taken);
                let before = AcceptanceHistory {
                    taken: known.taken,
                    taken_any: known.taken_any,
                    has_taken_any: taken.any,
                };
                let mut told = Vec::new();
                for (brake, audience) in brakes.all() {
                    let rest = brake.rest(server, before, audience == Audience::Lists, now);
                    trouble = trouble.take().or(rest.trouble.clone());
                    let outcomes = self.decide(w, rest)?.into_iter();
                    told.extend(outcomes.map(|outcome| (outcome, audience == Audience::Strangers)));
                }
                Ok::<_, anyhow::Error>(told)
            })?;
            for (outcome, is_to_stranger) in told {
                outcome.log();
                done.count(outcome, is_to_stranger);
            }
        }
        self.note_domains(brakes)?;
        Ok(trouble.or(brakes.trouble_with_strangers(last_taken)))
    }

    /// Keeps what becomes of those who were in doubt until the end.
    fn decide(&self, unit: &Unit<Write>, rest: ServerRunEnd) -> anyhow::Result<Vec<DeliveryOutcome>> {
        rest.held.iter().try_for_each(|number| unit.mailing().hold(*number))?;
        let mut told = Vec::new();
        for sentence in rest.believed.into_iter().map(|doubt| self.doubt_decision(doubt)) {
            told.push(carry_out(unit, &sentence, self.pace.refusals_max, self.clock.now())?);
        }
        let deferred = |doubt: Doubt| DeliveryOutcome::Deferred(doubt.message_id, doubt.reason);
        told.extend(rest.unbelieved.into_iter().map(deferred));
        Ok(told)
    }

    /// Keeps what a server took, and whether others take its mail; answers whether that is something to tell.
    fn note_server(
        &self,
        unit: &Unit<Write>,
        server: usize,
        taken: AcceptedMail,
        trouble: Option<String>,
    ) -> Result<(MailServer, bool), StoreError> {
        let (name, now) = (self.transport.server_name(server), self.clock.now());
        let mut known = unit.mailing().mail_server(&name)?;
        let before = known.clone();
        known.taken = if taken.for_lists { Some(now) } else { known.taken };
        known.taken_any = if taken.any { Some(now) } else { known.taken_any };
        let is_news = self.note_trouble(unit, &name, &mut known, trouble, taken.for_lists)?;
        if known != before {
            unit.mailing().put_mail_server(&name, &known)?;
        }
        Ok((known, is_news))
    }

    /// Keeps which domains are asked once only in the next run.
    fn note_domains(&self, brakes: &Brakes) -> Result<(), StoreError> {
        let news = brakes.lists.domains();
        if news.paused.is_empty() && news.open.is_empty() {
            return Ok(());
        }
        self.store.write(|w| {
            news.paused.iter().try_for_each(|(domain, reason)| w.mailing().pause_domain(domain, reason))?;
            news.open.iter().try_for_each(|domain| w.mailing().open_domain(domain))
        })
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

/// Logs what was not sent besides what was. What kept back all of it is whoever asked's to say.
fn log_unsent(done: &Deliveries) {
    if let Some(unsent) = done.unsent().filter(|_| done.sent > 0 && done.trouble.is_none()) {
        tracing::warn!("{} sent, {unsent}", done.sent);
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
