//! Decides what becomes of a delivery: whether it is tried again and when, and what follows for the recipient's other mail. Knows
//! neither the store nor the time.

use jiff::{SignedDuration, Timestamp};

use super::outcome::DeliveryOutcome;
use crate::deliver::{DeliverError, SendAttempt};
use crate::model::digest::{Delivery, OnUncertain};
use crate::model::keys::DeliveryKey;
use crate::model::mail_provider::provider_of;
use crate::model::refusal::reply_signature;
use crate::pipeline::mail::brake::{Doubt, RefusalGround, domain_of};
use crate::store::{ClaimedDelivery, MailCounts, NewRefusal, WhyHandedBack};

/// The first pause after a temporary failure; it doubles with each attempt.
const RETRY_SECONDS: i64 = 300;
/// A delivery is given up after this many attempts. The pauses between the first ten sum to 42 h 35 min, the last one makes it
/// 48 h.
const ATTEMPTS_MAX: u32 = 11;
const LAST_PAUSE_SECONDS: i64 = 48 * 3_600 - RETRY_SECONDS * ((1 << 9) - 1);
/// A message without an answer is repeated after these pauses, and then given up: its recipient may have got all of them.
const UNCERTAIN_PAUSES: [SignedDuration; 3] =
    [SignedDuration::from_mins(5), SignedDuration::from_hours(1), SignedDuration::from_hours(12)];
/// A delivery held for reasons other than its recipient is retried after this fraction (1/8) of the time it has waited, within
/// these bounds.
const PUT_OFF_SECONDS: std::ops::RangeInclusive<i64> = RETRY_SECONDS..=3_600;
const PUT_OFF_SHARE: i64 = 8;

/// The consequence of a result for the recipient's other mail.
pub(super) enum FollowUp {
    Nothing,
    HardBounce(String),
    SoftBounce(String, String),
}

/// What is kept of an answer to the mail of a list, to judge others by.
pub(super) enum DeliveryEvidence {
    /// The hash and the domain of a reader whose mail was taken.
    Taken(String, String),
    Refused(NewRefusal),
}

impl DeliveryEvidence {
    /// What is kept of an answer; `doubt` is what was said of the reader.
    pub(super) fn of(
        delivery: &Delivery,
        sending: &SendAttempt,
        doubt: Option<&Doubt>,
        hash: impl FnOnce() -> String,
    ) -> Option<DeliveryEvidence> {
        if !delivery.digest.is_list() {
            return None;
        }
        if sending.result.is_ok() {
            return Some(DeliveryEvidence::Taken(hash(), domain_of(&delivery.recipient)));
        }
        doubt.map(|doubt| {
            DeliveryEvidence::Refused(NewRefusal {
                hash: doubt.hash.clone(),
                domain: doubt.domain.clone(),
                words: reply_signature(&doubt.reason),
                is_gone: doubt.ground == RefusalGround::NoMailbox,
                delivery: delivery.id,
            })
        })
    }
}

/// What a server answered to an attempt, for the numbers of its day.
pub(super) struct AttemptCount {
    /// The name of the server; empty if none answered.
    pub(super) server: String,
    /// Of the recipient's mailbox.
    pub(super) provider: &'static str,
    pub(super) counts: MailCounts,
}

impl AttemptCount {
    /// What is counted of an attempt; `None` if it was none.
    pub(super) fn of(server: String, recipient: &str, sending: &SendAttempt) -> Option<AttemptCount> {
        let none = MailCounts::default();
        let counts = match &sending.result {
            Ok(()) => MailCounts { sent: 1, ..none },
            Err(DeliverError::Stopped) => return None,
            Err(DeliverError::NoMailbox(_) | DeliverError::Unable(_) | DeliverError::Permanent(_)) => {
                MailCounts { refused: 1, ..none }
            }
            Err(_) => MailCounts { deferred: 1, ..none },
        };
        Some(AttemptCount { server, provider: provider_of(&domain_of(recipient)), counts })
    }
}

pub(super) struct SettledDelivery {
    pub(super) claimed: ClaimedDelivery,
    pub(super) count: Option<AttemptCount>,
    pub(super) mark: Option<DeliveryEvidence>,
    pub(super) outcome: DeliveryOutcome,
    pub(super) next_attempt: Timestamp,
}

impl SettledDelivery {
    pub(super) fn new(
        claimed: ClaimedDelivery,
        outcome: DeliveryOutcome,
        next_attempt: Timestamp,
    ) -> SettledDelivery {
        SettledDelivery { claimed, count: None, mark: None, outcome, next_attempt }
    }

    /// What becomes of a delivery.
    pub(super) fn of(
        delivery: &Delivery,
        claimed: ClaimedDelivery,
        sending: &SendAttempt,
        on_uncertain: OnUncertain,
        now: Timestamp,
    ) -> SettledDelivery {
        let id = delivery.message_id.clone();
        let is_for_people = delivery.digest.is_list() || delivery.digest.is_to_strangers();
        // What the operator is to hear, and what a server says of strangers, is nothing that the operator has to wait for.
        let is_held = delivery.digest.is_list() || delivery.digest.is_to_strangers() && !sending.is_named;
        let waits = |pause| now.checked_add(pause).unwrap_or(now);
        let put_off = || waits(retry_delay(now.duration_since(delivery.created)));
        let (outcome, next_attempt) = match &sending.result {
            Ok(()) => (DeliveryOutcome::Sent(id, is_for_people), now),
            Err(DeliverError::Stopped) => (DeliveryOutcome::HandedBack(id), now),
            Err(DeliverError::Unavailable(reason) | DeliverError::RefusesUs(reason)) => {
                (DeliveryOutcome::PutOff(id, reason.clone(), is_held), put_off())
            }
            Err(DeliverError::Uncertain(reason)) if on_uncertain == OnUncertain::Resend => {
                match UNCERTAIN_PAUSES.get(delivery.uncertain as usize) {
                    Some(pause) => (DeliveryOutcome::Unsure(id, reason.clone()), waits(*pause)),
                    None => (DeliveryOutcome::Refused(id, given_up(delivery, reason)), now),
                }
            }
            Err(error) => match RefusalGround::of(error) {
                Some((ground, reason)) => {
                    let since = ground.is_grave().then_some(now);
                    let why = WhyHandedBack::InDoubt { reason: reason.to_owned(), since };
                    (DeliveryOutcome::InDoubt(why), put_off())
                }
                None => (DeliveryOutcome::Refused(id, error.to_string()), now),
            },
        };
        SettledDelivery::new(claimed, outcome, next_attempt)
    }
}

/// Why a message is not sent once more of which nobody knows whether it arrived.
fn given_up(delivery: &Delivery, reason: &str) -> String {
    let copies = delivery.uncertain + 1;
    format!("given up: it was sent {copies} times and may have arrived: {reason}")
}

/// A delivery that was in doubt.
pub(super) struct DoubtDecision {
    pub(super) number: DeliveryKey,
    /// Those before it was refused.
    pub(super) attempts: u32,
    /// The domain of the recipient.
    pub(super) domain: String,
    pub(super) message_id: String,
    pub(super) outcome: DeliveryOutcome,
    pub(super) next_attempt: Timestamp,
    pub(super) follow: FollowUp,
}

impl DoubtDecision {
    /// What becomes of a delivery whose recipient was refused, now that it is believed.
    pub(super) fn of(doubt: Doubt, operators: &[String], now: Timestamp) -> DoubtDecision {
        let Doubt { number, attempts, message_id: id, hash, domain, ground, reason, digest, .. } = doubt;
        let message_id = id.clone();
        let is_for_people = digest.is_list() || digest.is_to_strangers();
        let is_operator = !is_for_people || operators.contains(&hash);
        let attempt = attempts + 1;
        let (outcome, next_attempt, follow) = if ground == RefusalGround::NoMailbox {
            (DeliveryOutcome::Refused(id, reason), now, FollowUp::HardBounce(hash))
        } else if attempt < ATTEMPTS_MAX {
            (DeliveryOutcome::Deferred(id, reason), now + pause_after(attempt), FollowUp::Nothing)
        } else {
            (DeliveryOutcome::Refused(id.clone(), reason), now, FollowUp::SoftBounce(hash, id))
        };
        let follow = if is_operator { FollowUp::Nothing } else { follow };
        DoubtDecision { number, attempts, domain, message_id, outcome, next_attempt, follow }
    }
}

/// What goes to the ledger.
pub(super) enum Settlement {
    Claimed(SettledDelivery),
    Believed(DoubtDecision),
    /// It is kept already.
    Told(DeliveryOutcome),
}

/// The pause of what waits for reasons that are not its recipient's, by how long it waited.
fn retry_delay(waited: SignedDuration) -> SignedDuration {
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
