//! The ledger: deliveries are claimed and settled in it, all that waits at a time in one transaction.

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::outcome::DeliveryOutcome;
use super::settlement::{Follow, Sentence, Settled, Settlement};
use crate::model::digest::DigestId;
use crate::model::keys::DeliveryKey;
use crate::model::subscriber::SubscriberState;
use crate::pipeline::mail::{bounces, subscribers};
use crate::store::{ClaimedDelivery, Store, StoreError, Unit, Write};
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
    answer: oneshot::Sender<anyhow::Result<Claim>>,
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
    ) -> anyhow::Result<Claim> {
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
                    Settlement::Claimed(settled) => settle(w, settled),
                    Settlement::Believed(sentence) => carry_out(w, sentence, now),
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
        let rates = [(self.rate, ""), (self.rate_per_domain, domain)];
        let mut turn = None;
        for (rate, what) in rates.into_iter().filter(|(rate, _)| *rate > 0.0) {
            let step = SignedDuration::from_secs_f64(1.0 / rate);
            turn = turn.max(Some(unit.mailing().take_turn(what, step, Clock::of_leases())?));
        }
        Ok(turn)
    }
}

fn settle(unit: &Unit<Write>, settled: &Settled) -> anyhow::Result<()> {
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

/// Keeps what became of a delivery that was in doubt.
pub(super) fn carry_out(unit: &Unit<Write>, sentence: &Sentence, now: Timestamp) -> anyhow::Result<()> {
    let Some((state, _)) = sentence.outcome.state() else { return Ok(()) };
    let is_ours =
        unit.mailing().settle_doubt(sentence.number, sentence.attempts, state, sentence.next_attempt)?;
    // Where another process tries it again, it finds out by itself.
    if is_ours { follow(unit, &sentence.follow, now) } else { Ok(()) }
}

fn follow(unit: &Unit<Write>, follow: &Follow, now: Timestamp) -> anyhow::Result<()> {
    match follow {
        Follow::Nothing => {}
        // Writing to such addresses again would damage our reputation with mailbox providers.
        Follow::HardBounce(hash) => subscribers::suppress_within(unit, hash, SubscriberState::Bounced, now)?,
        Follow::SoftBounce(hash, id) => {
            bounces::note_soft(unit, hash, &format!("given up: {id}"), now)?;
        }
    }
    Ok(())
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
