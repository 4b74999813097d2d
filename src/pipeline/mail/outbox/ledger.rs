//! The ledger: deliveries are claimed and settled in it, all that waits at a time in one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::outcome::DeliveryOutcome;
use super::recipients::DigestRecipients;
use super::settlement::{
    AttemptCount, DeliveryEvidence, DoubtDecision, FollowUp, SettledDelivery, Settlement,
};
use super::verdict::held_delivery;
use crate::model::digest::DigestId;
use crate::model::keys::DeliveryKey;
use crate::model::subscriber::SubscriberState;
use crate::pipeline::mail::{bounces, subscribers};
use crate::store::{ClaimedDelivery, MailCounts, Store, StoreError, Unit, WhyHandedBack, Write};
use crate::support::clock::Clock;

/// A request to claim a delivery.
pub(super) struct ClaimRequest {
    pub(super) id: DeliveryKey,
    pub(super) attempts: u32,
    pub(super) digest: DigestId,
    pub(super) hash: String,
    pub(super) domain: String,
}

pub(super) enum Claim {
    /// And not before this time, by the clock of leases.
    Ours(ClaimedDelivery, Option<Timestamp>),
    /// Another process has it.
    Refused,
    /// Claimed, but must not be sent.
    Suppressed(ClaimedDelivery, String),
}

/// What a sender brings to the ledger.
pub(super) struct LedgerEntry {
    settled: Vec<Settlement>,
    wanted: Option<ClaimRequest>,
    answer: oneshot::Sender<anyhow::Result<LedgerReply>>,
}

/// What the ledger answers.
pub(super) struct LedgerReply {
    pub(super) claim: Claim,
    /// What became of those who were in doubt.
    pub(super) decided: Vec<DeliveryOutcome>,
}

/// The channel to the ledger.
#[derive(Clone)]
pub(super) struct Ledger(mpsc::Sender<LedgerEntry>);

impl Ledger {
    /// The channel, and what its keeper reads; it holds so many entries.
    pub(super) fn open(capacity: usize) -> (Ledger, mpsc::Receiver<LedgerEntry>) {
        let (sender, entries) = mpsc::channel(capacity);
        (Ledger(sender), entries)
    }

    /// Settles deliveries, and claims another one if wanted.
    pub(super) async fn turn(
        &self,
        settled: Vec<Settlement>,
        wanted: Option<ClaimRequest>,
    ) -> anyhow::Result<LedgerReply> {
        let (answer, answered) = oneshot::channel();
        let gone = || anyhow::anyhow!("the ledger of deliveries is closed");
        self.0.send(LedgerEntry { settled, wanted, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// Keeps the ledger for all senders.
pub(super) struct LedgerKeeper {
    pub(super) store: Store,
    pub(super) clock: Clock,
    /// Messages a second, in all and to the recipients of one domain; 0 is as fast as it goes.
    pub(super) rate: f64,
    pub(super) rate_per_domain: f64,
    pub(super) refusals_max: usize,
    pub(super) readers: Arc<DigestRecipients>,
    pub(super) entries: mpsc::Receiver<LedgerEntry>,
}

impl LedgerKeeper {
    /// Keeps the ledger until all senders are gone: everything waiting at a time goes into one transaction.
    pub(super) fn run(mut self) {
        while let Some(first) = self.entries.blocking_recv() {
            let mut batch = vec![first];
            while let Ok(more) = self.entries.try_recv() {
                batch.push(more);
            }
            let turns = self.keep(&batch);
            match turns {
                Ok(turns) => {
                    batch.into_iter().zip(turns).for_each(|(entry, turn)| drop(entry.answer.send(Ok(turn))))
                }
                Err(error) => batch
                    .into_iter()
                    .for_each(|entry| drop(entry.answer.send(Err(anyhow::anyhow!("{error:#}"))))),
            }
        }
    }

    fn keep(&self, batch: &[LedgerEntry]) -> anyhow::Result<Vec<LedgerReply>> {
        self.store.write(|w| {
            let now = self.clock.now();
            let mut turns = Vec::with_capacity(batch.len());
            count_attempts(w, batch, now)?;
            for entry in batch {
                let mut decided = Vec::new();
                for settlement in &entry.settled {
                    match settlement {
                        Settlement::Claimed(settled) => settle(w, settled, now)?,
                        Settlement::Believed(sentence) => {
                            decided.push(carry_out(w, sentence, self.refusals_max, now)?);
                        }
                        Settlement::Told(outcome) => decided.push(outcome.clone()),
                    }
                }
                let claim = match &entry.wanted {
                    Some(wanted) => self.claim(w, wanted, now)?,
                    None => Claim::Refused,
                };
                turns.push(LedgerReply { claim, decided });
            }
            Ok(turns)
        })
    }

    fn claim(&self, unit: &Unit<Write>, wanted: &ClaimRequest, now: Timestamp) -> Result<Claim, StoreError> {
        let Some(claimed) = unit.mailing().claim(
            wanted.id,
            wanted.attempts,
            self.store.worker(),
            now,
            self.store.lease_time(),
        )?
        else {
            return Ok(Claim::Refused);
        };
        // Checked now rather than when the issue was queued: recipients may have left in the meantime.
        let reason = unit
            .subscribers()
            .suppression(&wanted.hash, &wanted.digest)?
            .filter(|reason| bars(reason, &wanted.digest));
        let reason = match reason {
            None => self.reason_not_to_send(unit, wanted)?,
            suppressed => suppressed,
        };
        Ok(match reason {
            Some(reason) => Claim::Suppressed(claimed, reason),
            None => Claim::Ours(claimed, self.turn(unit, &wanted.domain)?),
        })
    }

    /// Why somebody is not to get what waits for them, if they are off the list, or out of the configuration.
    fn reason_not_to_send(
        &self,
        unit: &Unit<Write>,
        wanted: &ClaimRequest,
    ) -> Result<Option<String>, StoreError> {
        Ok(match &wanted.digest {
            DigestId::Personal => match unit.subscribers().state(&wanted.hash)? {
                Some(state) if state == SubscriberState::Active.as_str() => None,
                Some(state) => Some(state),
                None => Some("no longer on the list".to_owned()),
            },
            DigestId::Configured(id) if !self.readers.has(id, &wanted.hash) => {
                Some("no longer a recipient in the configuration".to_owned())
            }
            _ => None,
        })
    }

    /// When a message may leave, if there is a rate: all processes on the store share the turns.
    fn turn(&self, unit: &Unit<Write>, domain: &str) -> Result<Option<Timestamp>, StoreError> {
        let rates = [(self.rate, ""), (self.rate_per_domain, domain)];
        let mut turn = None;
        for (rate, what) in rates.into_iter().filter(|(rate, _)| *rate > 0.0) {
            let step = SignedDuration::from_secs_f64(1.0 / rate);
            turn = turn.max(Some(unit.mailing().take_turn(what, step, self.store.lease_time())?));
        }
        Ok(turn)
    }
}

/// Adds what servers answered to the numbers of the day, once for each server and provider.
fn count_attempts(unit: &Unit<Write>, batch: &[LedgerEntry], now: Timestamp) -> Result<(), StoreError> {
    let mut sums: BTreeMap<(&str, &str), MailCounts> = BTreeMap::new();
    let settlements = batch.iter().flat_map(|entry| &entry.settled);
    let counts = settlements.filter_map(|settlement| match settlement {
        Settlement::Claimed(settled) => settled.count.as_ref(),
        _ => None,
    });
    for AttemptCount { server, provider, counts } in counts {
        let sum = sums.entry((server, provider)).or_default();
        sum.sent += counts.sent;
        sum.deferred += counts.deferred;
        sum.refused += counts.refused;
    }
    let mut sums = sums.into_iter();
    sums.try_for_each(|((server, provider), counts)| {
        unit.overview().count_mail(server, provider, counts, now)
    })
}

fn settle(unit: &Unit<Write>, settled: &SettledDelivery, now: Timestamp) -> anyhow::Result<()> {
    match &settled.mark {
        Some(DeliveryEvidence::Taken(hash, domain)) => unit.mailing().note_taken(hash, domain, now)?,
        Some(DeliveryEvidence::Refused(refused)) => unit.mailing().put_refusal(refused, now)?,
        None => {}
    }
    let is_ours = match settled.outcome.state() {
        Some((state, reason)) => {
            unit.mailing().settle(settled.claimed, state, reason, settled.next_attempt)?
        }
        None => {
            let why = settled.outcome.why_handed_back();
            unit.mailing().hand_back(settled.claimed, why.as_ref(), settled.next_attempt)?
        }
    };
    if is_ours && matches!(settled.outcome, DeliveryOutcome::Unsure(..)) {
        unit.mailing().note_uncertain(settled.claimed.number)?;
    }
    if !is_ours {
        // Our lease had ended, or the delivery was erased: its new owner settles it.
        tracing::warn!(
            delivery.number = settled.claimed.number.0,
            "a delivery was taken over while it was under way"
        );
    }
    Ok(())
}

/// Keeps what becomes of a delivery that was in doubt, and answers that: what is said of many is nobody's own.
pub(super) fn carry_out(
    unit: &Unit<Write>,
    sentence: &DoubtDecision,
    refusals_max: usize,
    now: Timestamp,
) -> anyhow::Result<DeliveryOutcome> {
    let DoubtDecision { number, attempts, .. } = *sentence;
    if let Some(kept) = held_delivery(unit, sentence, refusals_max, now)? {
        unit.mailing().keep_back(number, attempts, &kept.why, kept.next_attempt)?;
        let id = sentence.message_id.clone();
        return Ok(match kept.why {
            WhyHandedBack::NotTheirs(reason) => DeliveryOutcome::PutOff(id, reason, true),
            WhyHandedBack::InDoubt { reason, .. } => DeliveryOutcome::Deferred(id, reason),
        });
    }
    if let Some((state, _)) = sentence.outcome.state()
        && unit.mailing().settle_doubt(number, attempts, state, sentence.next_attempt)?
    {
        // Where another process tries it again, it finds out by itself.
        follow(unit, &sentence.follow, now)?;
    }
    Ok(sentence.outcome.clone())
}

fn follow(unit: &Unit<Write>, follow: &FollowUp, now: Timestamp) -> anyhow::Result<()> {
    match follow {
        FollowUp::Nothing => {}
        // Writing to such addresses again would damage our reputation with mailbox providers.
        FollowUp::HardBounce(hash) => {
            unit.mailing().note_believed(hash, now)?;
            subscribers::suppress_within(unit, hash, SubscriberState::Bounced, now)?;
        }
        FollowUp::SoftBounce(hash, id) => {
            bounces::note_soft(unit, hash, &format!("given up: {id}"), now)?;
        }
    }
    Ok(())
}

/// A confirmation goes to whoever asks for it, also to one who left before; not to one who complained of us. An answer goes to whom the
/// operator named, and the operator hears of what goes wrong whatever a server said of them. An editor or a partner may have left the lists.
fn bars(reason: &str, digest: &DigestId) -> bool {
    match digest {
        DigestId::Answer => false,
        DigestId::Operator => reason != SubscriberState::Bounced.as_str(),
        DigestId::Draft | DigestId::Partner => reason != SubscriberState::Unsubscribed.as_str(),
        DigestId::Confirmation => reason == SubscriberState::Complained.as_str(),
        _ => true,
    }
}
