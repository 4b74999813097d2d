//! Whether what a server says of one reader is believed, against what was said of others.

use jiff::{SignedDuration, Timestamp};

use super::settlement::{DoubtDecision, FollowUp};
use crate::pipeline::mail::crowd::{RefusalHistory, SuppressionDoubt, window};
use crate::store::{StoreError, Unit, WhyHandedBack, Write};

/// Whoever is in doubt is asked again after as long as they have been, within these bounds.
const ASKED_AGAIN_SECONDS: std::ops::RangeInclusive<i64> = 3_600..=8 * 3_600;

/// How a delivery waits whose reader is not suppressed.
pub(super) struct HeldDelivery {
    pub(super) why: WhyHandedBack,
    pub(super) next_attempt: Timestamp,
}

/// Why a reader of a list is not suppressed yet for what a server says, if so. What was believed of others before is then taken back.
pub(super) fn held_delivery(
    unit: &Unit<Write>,
    sentence: &DoubtDecision,
    refusals_max: usize,
    now: Timestamp,
) -> Result<Option<HeldDelivery>, StoreError> {
    let (hash, is_gone) = match &sentence.follow {
        FollowUp::HardBounce(hash) => (hash, true),
        FollowUp::SoftBounce(hash, _) => (hash, false),
        FollowUp::Nothing => return Ok(None),
    };
    let was_served = unit.mailing().was_served(sentence.number)?;
    let since = unit.mailing().refused_since(hash)?;
    let mut refused = RefusalHistory::alone(is_gone, since.unwrap_or(now), was_served);
    // Otherwise the reader was served meanwhile, or this is no mail of a list: others show nothing of strangers.
    if since.is_some() {
        refused = refused.among_others(unit, hash, &sentence.domain, now)?;
    }
    let since = refused.since;
    let Some(why) = refused.suppression_doubt(refusals_max as u64, now) else {
        return Ok(None);
    };
    let pause = now.duration_since(since).as_secs();
    let pause = pause.clamp(*ASKED_AGAIN_SECONDS.start(), *ASKED_AGAIN_SECONDS.end());
    let next_attempt = now.checked_add(SignedDuration::from_secs(pause)).unwrap_or(now);
    let reason = sentence.outcome.reason().unwrap_or_default();
    let domain = &sentence.domain;
    let why_back = match why.crowd(domain) {
        Some(crowd) => {
            let reason = format!("{crowd}: {reason}");
            if why == SuppressionDoubt::There && !refused.has_taken() {
                unit.mailing().pause_domain(domain, &reason)?;
            }
            unit.mailing().take_back(hash, why == SuppressionDoubt::Alike, window(now), next_attempt)?;
            WhyHandedBack::NotTheirs(reason)
        }
        None => WhyHandedBack::InDoubt {
            reason: format!("asked again on another day, since mail arrived before: {reason}"),
            since: None,
        },
    };
    Ok(Some(HeldDelivery { why: why_back, next_attempt }))
}
