//! What comes back, and what it means for those whom it is about.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::subscribers::{self, Left};
use crate::bounces::{self, Failure, Kind, Return, ReturnedMail};
use crate::model::keys::DeliveryKey;
use crate::model::mail_address::Address;
use crate::model::subscriber::SubscriberState;
use crate::model::token::{BOUNCE, SigningKey, UNSUBSCRIBE};
use crate::store::{Store, StoreError, Unit, Write};
use crate::support::text::ordinal;

/// So many soft bounces within `SOFT_WITHIN` are as good as a hard one.
const SOFT_SERIES: u64 = 3;
const SOFT_WITHIN: SignedDuration = SignedDuration::from_hours(60 * 24);

/// Whom a report is about, and whether only somebody who had our mail in hand could know it.
struct Concerned {
    hash: String,
    shown: String,
    is_proven: bool,
}

/// Reads one returned message and does what follows. Answers a line for people, without addresses.
///
/// # Errors
/// When the store fails: the message has to be read again.
pub fn take(
    store: &Store,
    key: &SigningKey,
    has_return_paths: bool,
    bytes: &[u8],
    recipients: &[String],
    now: Timestamp,
) -> anyhow::Result<Vec<String>> {
    let report = bounces::read(bytes, recipients);
    let id = crate::support::text::hex(&Sha256::digest(bytes)[..16]);
    match &report.what {
        Return::Other(why) => Ok(vec![format!("left alone: {why}")]),
        Return::Leave(from) => Ok(vec![leave(store, key, &report, from.as_deref(), now)?]),
        Return::Complaint(addresses) => {
            let concerned = store.write(|w| {
                let concerned = concerned(w, key, &report, addresses)?;
                concerned.iter().try_for_each(|person| {
                    subscribers::suppress_within(w, &person.hash, SubscriberState::Complained, now)
                })?;
                Ok::<_, StoreError>(concerned)
            })?;
            let lines = concerned
                .iter()
                .map(|person| format!("complaint: {}, never written to again", person.shown))
                .collect();
            Ok(or_unknown(lines, "complaint"))
        }
        Return::Bounce(failures) => {
            let mut lines = store.write(|w| {
                let mut lines = Vec::new();
                for failure in failures {
                    // What names the delivery itself is about one recipient: the first failure stands for it.
                    let addresses = [failure.address.clone()];
                    for person in concerned(w, key, &report, &addresses)? {
                        lines.push(bounced(w, &person, failure, &id, has_return_paths, now)?);
                    }
                }
                Ok::<_, anyhow::Error>(lines)
            })?;
            lines.dedup();
            Ok(or_unknown(lines, "bounce"))
        }
    }
}

fn or_unknown(lines: Vec<String>, what: &str) -> Vec<String> {
    if lines.is_empty() {
        vec![format!("{what} left alone: it is about nobody whom we wrote to")]
    } else {
        lines
    }
}

/// Those whom a report is about: by the return path, the Message-ID or the link of our mail; else by the addresses it names, as
/// far as we write to them.
fn concerned(
    unit: &Unit<Write>,
    key: &SigningKey,
    report: &ReturnedMail,
    addresses: &[String],
) -> Result<Vec<Concerned>, StoreError> {
    let list = unit.subscribers();
    let mut recipient = None;
    for number in report.return_tokens.iter().filter_map(|token| key.verify_short(BOUNCE, token)) {
        recipient = recipient.or(list.delivery_recipient(Some(DeliveryKey(number)), None)?);
    }
    for message_id in &report.message_ids {
        if recipient.is_none() {
            recipient = list.delivery_recipient(None, Some(message_id))?;
        }
    }
    if let Some((address, _)) = recipient {
        return Ok(vec![Concerned { hash: key.hash(&address), shown: masked(&address), is_proven: true }]);
    }
    let hashes = report
        .leave_tokens
        .iter()
        .filter_map(|token| key.verify(UNSUBSCRIBE, token))
        .filter_map(|payload| Some(payload.split_once(' ')?.1.to_owned()));
    if let Some(hash) = hashes.into_iter().next() {
        return Ok(vec![Concerned {
            shown: list.get(&hash)?.map_or_else(|| "a recipient".into(), |known| known.address.masked()),
            hash,
            is_proven: true,
        }]);
    }
    let mut known = Vec::new();
    for address in addresses.iter().filter_map(|address| Address::parse(address).ok()) {
        let hash = key.hash(address.as_str());
        if list.get(&hash)?.is_some() || list.has_recipient(address.as_str())? {
            known.push(Concerned { hash, shown: address.masked(), is_proven: false });
        }
    }
    Ok(known)
}

fn masked(address: &str) -> String {
    Address::parse(address).map_or_else(|_| "a recipient".into(), |address| address.masked())
}

fn bounced(
    unit: &Unit<Write>,
    person: &Concerned,
    failure: &Failure,
    id: &str,
    has_return_paths: bool,
    now: Timestamp,
) -> anyhow::Result<String> {
    let Concerned { hash, shown, is_proven } = person;
    // Anybody can write a report. Where returns have paths of their own, one without is worth no more than a soft bounce.
    let kind =
        if failure.kind == Kind::Hard && has_return_paths && !is_proven { Kind::Soft } else { failure.kind };
    let reason = &failure.reason;
    Ok(match kind {
        Kind::Delayed => format!("left alone: a mail to {shown} is delayed ({reason})"),
        Kind::Hard => {
            unit.subscribers().put_bounce(&format!("{id}{hash}"), hash, "hard", now, now)?;
            subscribers::suppress_within(unit, hash, SubscriberState::Bounced, now)?;
            format!("hard bounce: {shown}, never written to again ({reason})")
        }
        Kind::Soft => match note_soft(unit, hash, &format!("{id}{hash}"), now)? {
            None => format!("soft bounce of {shown}: read before"),
            Some(count) if count >= SOFT_SERIES => {
                format!(
                    "soft bounce: {shown}, the {} in {} days: never written to again ({reason})",
                    ordinal(count),
                    SOFT_WITHIN.as_hours() / 24
                )
            }
            Some(count) => format!("soft bounce: {shown}, {count} of {SOFT_SERIES} ({reason})"),
        },
    })
}

/// Counts a soft bounce, once for each `id`, and suppresses at the end of a series. `None` when it was counted before.
///
/// # Errors
/// When the store fails.
pub fn note_soft(unit: &Unit<Write>, hash: &str, id: &str, now: Timestamp) -> anyhow::Result<Option<u64>> {
    let count = unit.subscribers().put_bounce(id, hash, "soft", now, now.saturating_sub(SOFT_WITHIN)?)?;
    if count.is_some_and(|count| count >= SOFT_SERIES) {
        subscribers::suppress_within(unit, hash, SubscriberState::Bounced, now)?;
    }
    Ok(count)
}

/// A mail to leave by: with the token that our link put into its subject, else from the address itself.
fn leave(
    store: &Store,
    key: &SigningKey,
    report: &ReturnedMail,
    from: Option<&str>,
    now: Timestamp,
) -> anyhow::Result<String> {
    for token in &report.leave_tokens {
        if subscribers::unsubscribe(store, key, token, None, now)? == Left::All {
            return Ok("unsubscribed by mail".into());
        }
    }
    let Some(address) = from.and_then(|from| Address::parse(from).ok()) else {
        return Ok("left alone: a wish to leave from nobody".into());
    };
    let hash = key.hash(address.as_str());
    let is_listed = store.write(|w| {
        let is_listed = w.subscribers().get(&hash)?.is_some();
        if is_listed {
            subscribers::suppress_within(w, &hash, SubscriberState::Unsubscribed, now)?;
        }
        Ok::<_, StoreError>(is_listed)
    })?;
    if !is_listed {
        return Ok("left alone: a wish to leave from somebody who is in no list".into());
    }
    Ok(format!("unsubscribed by mail: {}", address.masked()))
}
