//! Who is in the list: signing up (double opt-in), preferences, leaving, and what the operator does for them.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{MailContext, queue};
use crate::deliver::message::message_id;
use crate::model::digest::{DigestId, Scope};
use crate::model::mail_address::Address;
use crate::model::subscriber::{Consent, Preferences, Subscriber, SubscriberState};
use crate::model::token::{CONFIRM, PREFERENCES, SigningKey, UNSUBSCRIBE};
use crate::store::{NewIssue, Store, StoreError, Unit, Write};
use crate::support::i18n::{Phrases, phrases, spoken};

/// How long a sign-up can be confirmed.
const CONFIRM_WITHIN: SignedDuration = SignedDuration::from_hours(48);
/// Confirmations to one address: whoever types the address of somebody else sends no more than these.
const CONFIRMATIONS_A_DAY: u64 = 3;
/// A first issue brings the stories of the week before.
const WELCOME: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a confirmation link says. Nothing is stored of somebody who has not confirmed, but the mail that asks them to.
#[derive(Debug, Serialize, Deserialize)]
struct SignUp {
    address: String,
    preferences: Preferences,
    /// Seconds since 1970.
    expires: i64,
}

#[derive(Serialize)]
struct MailData<'a> {
    title: &'a str,
    language: &'a str,
    is_known: bool,
    link: String,
    controller: Option<&'a str>,
    t: &'static Phrases,
}

/// Queues the mail that asks somebody to confirm; one who is in the list already gets the link to their preferences. Answers
/// whether a mail was queued: that is for the log and never for the page, which says the same to all.
///
/// # Errors
/// When the store or a template fails, or courant has no public address.
pub fn sign_up(
    store: &Store,
    context: MailContext,
    address: &Address,
    preferences: &Preferences,
) -> anyhow::Result<bool> {
    let public = context
        .sender
        .public_url
        .as_deref()
        .ok_or_else(|| anyhow::anyhow!("[channel] url is missing: a sign-up cannot be confirmed"))?;
    let (key, now) = (&context.sender.key, context.now);
    let a_day_ago = now.saturating_sub(SignedDuration::from_hours(24))?;
    let hash = key.hash(address.as_str());
    let (queued, known) = store.read(|r| {
        Ok::<_, StoreError>((
            r.subscribers().queued_since(address.as_str(), &DigestId::Confirmation, a_day_ago)?,
            r.subscribers().get(&hash)?,
        ))
    })?;
    if queued >= CONFIRMATIONS_A_DAY {
        return Ok(false);
    }
    let is_known =
        known.is_some_and(|known| matches!(known.state, SubscriberState::Active | SubscriberState::Paused));
    let link = if is_known {
        format!("{public}/preferences/{}", key.sign(PREFERENCES, &hash))
    } else {
        let sign_up = SignUp {
            address: address.as_str().into(),
            preferences: preferences.clone(),
            expires: (now + CONFIRM_WITHIN).as_second(),
        };
        format!("{public}/confirm/{}", key.sign(CONFIRM, &serde_json::to_string(&sign_up)?))
    };
    let language = spoken(&preferences.language, &context.catalog.channel.language);
    let data = MailData {
        title: context.newsletter.title(language, context.catalog.channel),
        language,
        is_known,
        link: format!("{link}?l={language}"),
        controller: context.newsletter.controller.as_deref(),
        t: phrases(language),
    };
    let issue = queue::mail(context, "confirm", language, &data)?;
    let recipients = [address.as_str().to_owned()];
    let domain = context.sender.from.email.domain();
    store.write(|w| {
        // Counted again: many may ask at once.
        if w.subscribers().queued_since(address.as_str(), &DigestId::Confirmation, a_day_ago)?
            >= CONFIRMATIONS_A_DAY
        {
            return Ok(false);
        }
        w.subscribers().forget_private_mail(now.saturating_sub(CONFIRM_WITHIN)?)?;
        let new = NewIssue {
            digest: &DigestId::Confirmation,
            slot: None,
            now,
            issue: &issue,
            stories: &[],
            recipients: &recipients,
        };
        w.mailing().queue_issue(&new, |number, recipient| {
            message_id(DigestId::Confirmation.as_str(), number, now, recipient, domain)
        })?;
        Ok(true)
    })
}

/// Whether a confirmation token is good; the language that was chosen with it.
pub fn confirmable(key: &SigningKey, token: &str, now: Timestamp) -> Option<String> {
    read_sign_up(key, token, now).map(|(_, preferences)| preferences.language)
}

fn read_sign_up(key: &SigningKey, token: &str, now: Timestamp) -> Option<(Address, Preferences)> {
    let sign_up: SignUp = serde_json::from_str(&key.verify(CONFIRM, token)?).ok()?;
    (sign_up.expires >= now.as_second()).then_some(())?;
    Some((Address::parse(&sign_up.address).ok()?, sign_up.preferences))
}

/// Puts somebody who confirmed into the list. `None` when the token is none of ours, or too old.
///
/// # Errors
/// When the store fails.
pub fn confirm(
    store: &Store,
    key: &SigningKey,
    token: &str,
    now: Timestamp,
) -> anyhow::Result<Option<Subscriber>> {
    let Some((address, preferences)) = read_sign_up(key, token, now) else { return Ok(None) };
    let consent = Consent { source: "signed up on the web, confirmed by mail".into(), at: now };
    let subscriber = put(store, key, address, preferences, consent, SubscriberState::Active, now)?;
    tracing::info!("a subscriber confirmed");
    Ok(Some(subscriber))
}

/// Puts somebody into the list or changes what they chose; what was suppressed before is lifted. Who is new gets the stories
/// of the last week in a first issue, whoever was there gets what came since their last one.
///
/// # Errors
/// When the store fails.
pub fn put(
    store: &Store,
    key: &SigningKey,
    address: Address,
    preferences: Preferences,
    consent: Consent,
    state: SubscriberState,
    now: Timestamp,
) -> anyhow::Result<Subscriber> {
    store.write(|w| put_within(w, key, address, preferences, consent, state, now))
}

/// The same within a unit of work.
///
/// # Errors
/// When the store fails.
pub fn put_within(
    unit: &Unit<Write>,
    key: &SigningKey,
    address: Address,
    preferences: Preferences,
    consent: Consent,
    state: SubscriberState,
    now: Timestamp,
) -> anyhow::Result<Subscriber> {
    let hash = key.hash(address.as_str());
    let known = unit.subscribers().get(&hash)?;
    // A pause is not made up for with months of stories.
    let welcome = unit.entries().last_before(now.saturating_sub(WELCOME)?)?;
    let subscriber = match known {
        Some(known) => Subscriber {
            seen: if known.state == SubscriberState::Active { known.seen } else { known.seen.max(welcome) },
            state,
            preferences,
            // Consent stays what it was while somebody only changes preferences.
            consent: if known.state == SubscriberState::Active && state == SubscriberState::Active {
                known.consent.clone()
            } else {
                consent
            },
            ..known
        },
        None => {
            Subscriber { address, state, preferences, consent, created: now, last_issue: None, seen: welcome }
        }
    };
    let next_slot = subscriber.preferences.cadence.next_after(now);
    unit.subscribers().put(&hash, &subscriber, next_slot)?;
    if matches!(state, SubscriberState::Active | SubscriberState::Paused) {
        unit.subscribers().lift_suppression(&hash)?;
    }
    Ok(subscriber)
}

/// The subscriber whom a link to preferences belongs to, with the hash of the address.
///
/// # Errors
/// When the store fails.
pub fn by_link(store: &Store, key: &SigningKey, token: &str) -> anyhow::Result<Option<(String, Subscriber)>> {
    let Some(hash) = key.verify(PREFERENCES, token) else { return Ok(None) };
    Ok(store.read(|r| r.subscribers().get(&hash))?.map(|subscriber| (hash, subscriber)))
}

/// What leaving did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing of this digest comes any more.
    All,
    Topic,
    /// The token is none of ours.
    Unknown,
}

/// Ends a recipient's digest, or one topic of it, by the token of one of its mails.
///
/// # Errors
/// When the store fails.
pub fn unsubscribe(
    store: &Store,
    key: &SigningKey,
    token: &str,
    topic: Option<&str>,
    now: Timestamp,
) -> anyhow::Result<Left> {
    let payload = key.verify(UNSUBSCRIBE, token);
    let Some((digest, hash)) = payload.as_deref().and_then(|payload| payload.split_once(' ')) else {
        return Ok(Left::Unknown);
    };
    // Mails of an earlier courant have the address itself in their links.
    let hash = if hash.contains('@') { key.hash(hash) } else { hash.to_owned() };
    let digest = DigestId::from(digest);
    let left = store.write(|w| leave(w, key, &digest, &hash, topic, now))?;
    if left == Left::All {
        tracing::info!(digest.id = digest.as_str(), "a recipient unsubscribed");
    }
    Ok(left)
}

fn leave(
    unit: &Unit<Write>,
    key: &SigningKey,
    digest: &DigestId,
    hash: &str,
    topic: Option<&str>,
    now: Timestamp,
) -> anyhow::Result<Left> {
    if *digest == DigestId::Personal
        && let Some(topic) = topic
        && let Some(subscriber) = unit.subscribers().get(hash)?
        && let Some(interests) = subscriber.preferences.interests.clone().leave_topic(topic)
    {
        let preferences = Preferences { interests, ..subscriber.preferences };
        put_within(unit, key, subscriber.address, preferences, subscriber.consent, subscriber.state, now)?;
        return Ok(Left::Topic);
    }
    if *digest == DigestId::Personal {
        suppress_within(unit, hash, SubscriberState::Unsubscribed, now)?;
    } else {
        unit.subscribers().suppress(
            hash,
            &Scope::Digest(digest.clone()),
            SubscriberState::Unsubscribed.as_str(),
            now,
        )?;
    }
    Ok(Left::All)
}

/// Keeps that nothing is to be sent to an address any more, and why. Who unsubscribes leaves the newsletter; who bounces or
/// complains is left alone by all digests.
///
/// # Errors
/// When the store fails.
pub fn suppress(store: &Store, hash: &str, why: SubscriberState, now: Timestamp) -> anyhow::Result<()> {
    Ok(store.write(|w| suppress_within(w, hash, why, now))?)
}

/// The same within a unit of work.
///
/// # Errors
/// When the store fails.
pub fn suppress_within(
    unit: &Unit<Write>,
    hash: &str,
    why: SubscriberState,
    now: Timestamp,
) -> Result<(), StoreError> {
    let scope =
        if why == SubscriberState::Unsubscribed { Scope::Digest(DigestId::Personal) } else { Scope::All };
    unit.subscribers().suppress(hash, &scope, why.as_str(), now)?;
    unit.subscribers().set_state(hash, why).map(drop)
}

/// What an earlier courant kept by address is kept by hash from now on.
///
/// # Errors
/// When the store fails.
pub fn hash_suppressions(store: &Store, key: &SigningKey) -> Result<(), StoreError> {
    // A command that only reads is not to wait for one that writes.
    if store.read(|r| r.subscribers().clear_suppressions())?.is_empty() {
        return Ok(());
    }
    store.write(|w| {
        let addresses = w.subscribers().clear_suppressions()?;
        addresses
            .iter()
            .try_for_each(|address| w.subscribers().rename_suppression(address, &key.hash(address)))
    })
}

/// Takes somebody out of the list, as if they had never been in it. `false` when they were not.
///
/// # Errors
/// When the store fails.
pub fn remove(store: &Store, key: &SigningKey, address: &Address) -> anyhow::Result<bool> {
    Ok(store.write(|w| w.subscribers().delete(&key.hash(address.as_str())))?)
}

/// Forgets all that is known of an address, and keeps a keyed hash of it, so that no import brings it back. `false` when
/// nothing was known.
///
/// # Errors
/// When the store fails.
pub fn erase(store: &Store, key: &SigningKey, address: &Address, now: Timestamp) -> anyhow::Result<bool> {
    let hash = key.hash(address.as_str());
    let was_known = store.write(|w| {
        let was_known = w.subscribers().has_recipient(address.as_str())?;
        w.subscribers().suppress(&hash, &Scope::All, "erased", now)?;
        let was_there = w.subscribers().delete(&hash)?;
        w.subscribers().delete_deliveries(address.as_str())?;
        Ok::<_, StoreError>(was_known || was_there)
    })?;
    store.settle()?;
    Ok(was_known)
}

/// All that is held about an address, for the one whose it is.
///
/// # Errors
/// When the store fails.
pub fn everything(store: &Store, key: &SigningKey, address: &Address) -> anyhow::Result<serde_json::Value> {
    let hash = key.hash(address.as_str());
    let (subscriber, deliveries, marks) = store.read(|r| {
        let list = r.subscribers();
        Ok::<_, StoreError>((list.get(&hash)?, list.deliveries_to(address.as_str())?, list.marks_of(&hash)?))
    })?;
    let subscriber = subscriber.map(|subscriber| {
        json!({
            "address": subscriber.address.as_str(),
            "state": subscriber.state.as_str(),
            "preferences": subscriber.preferences,
            "consent": subscriber.consent,
            "created": subscriber.created,
            "last_issue": subscriber.last_issue,
        })
    });
    let deliveries: Vec<_> = deliveries
        .into_iter()
        .map(|[digest, subject, time, state, error]| json!({ "digest": digest, "subject": subject, "queued": time, "state": state, "error": error }))
        .collect();
    let marks: Vec<_> = marks
        .into_iter()
        .map(|[what, why, at]| json!({ "what": what.trim(), "why": why, "at": at }))
        .collect();
    Ok(
        json!({ "address": address.as_str(), "subscriber": subscriber, "deliveries": deliveries, "marks": marks }),
    )
}
