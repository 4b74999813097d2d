//! The list of subscribers: signing up (double opt-in), preferences, leaving, and operations by the operator.

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::welcome::{self, Welcome};
use super::{MailContext, queue};
use crate::deliver::message::message_id;
use crate::model::digest::{DigestId, Issue, Scope};
use crate::model::mail_address::Address;
use crate::model::profile::Profile;
use crate::model::subscriber::{Consent, Interests, Preferences, Subscriber, SubscriberState};
use crate::model::token::{CONFIRM, PREFERENCES, SigningKey, UNSUBSCRIBE};
use crate::store::{NewIssue, SignUp, Store, StoreError, Unit, Write};
use crate::support::i18n::{Phrases, phrases, spoken};

/// How long a sign-up can be confirmed.
const CONFIRM_WITHIN: SignedDuration = SignedDuration::from_hours(48);
/// Maximum number of confirmations to one address per day, which bounds abuse of other people's addresses.
const CONFIRMATIONS_A_DAY: u64 = 3;
/// A first issue brings the stories of the past week.
const FIRST_STORIES: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Serialize)]
struct MailData<'a> {
    title: &'a str,
    language: &'a str,
    is_known: bool,
    /// Somebody asked by mail to leave in their name.
    is_leaving: bool,
    link: String,
    controller: Option<&'a str>,
    t: &'static Phrases,
}

/// The token of a confirmation link: the hash of the address, and the expiry time in milliseconds.
fn confirmation(key: &SigningKey, hash: &str, expires: Timestamp) -> String {
    key.sign(CONFIRM, &format!("{hash} {}", expires.as_millisecond()))
}

/// Queues the mail that asks for confirmation; an existing subscriber gets the link to the preferences instead. Returns whether
/// a mail was queued: for the log only, since the page must say the same to everybody.
///
/// # Errors
/// When the store or a template fails, or courant has no public address.
pub fn sign_up(
    store: &Store,
    context: MailContext,
    address: &Address,
    preferences: &Preferences,
    consent_text: Option<&str>,
) -> anyhow::Result<bool> {
    let sign_up = SignUp {
        address: address.clone(),
        preferences: preferences.clone(),
        consent_text: consent_text.map(str::to_owned),
    };
    ask(store, context, &sign_up, RequestKind::ToSignUp)
}

/// Queues the mail that lets a subscriber leave who may have asked for it: a sender's address alone proves nothing. Returns whether a
/// mail was queued.
///
/// # Errors
/// When the store or a template fails, or courant has no public address.
pub fn ask_leaver(store: &Store, context: MailContext, known: &Subscriber) -> anyhow::Result<bool> {
    let (address, preferences) = (known.address.clone(), known.preferences.clone());
    ask(store, context, &SignUp { address, preferences, consent_text: None }, RequestKind::ToLeave)
}

/// What somebody who may not be the owner of an address asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestKind {
    ToSignUp,
    ToLeave,
}

fn ask(store: &Store, context: MailContext, sign_up: &SignUp, asked: RequestKind) -> anyhow::Result<bool> {
    let (key, now, address) = (&context.sender.key, context.now, &sign_up.address);
    let hash = key.hash(address.as_str());
    let known = store.read(|r| {
        let has_enough = has_enough_confirmations(r, address, now)?;
        Ok::<_, StoreError>(if has_enough { None } else { Some(r.subscribers().get(&hash)?) })
    })?;
    let Some(known) = known else { return Ok(false) };
    let is_known =
        known.is_some_and(|known| matches!(known.state, SubscriberState::Active | SubscriberState::Paused));
    // Whole milliseconds, as stored.
    let expires = Timestamp::from_millisecond((now + CONFIRM_WITHIN).as_millisecond())?;
    let issue =
        confirmation_mail(context, &hash, expires, &sign_up.preferences.language, is_known.then_some(asked))?;
    store.write(|w| {
        // Counted again, since requests may be concurrent.
        if has_enough_confirmations(w, address, now)? {
            return Ok(false);
        }
        w.subscribers().forget_private_mail(now.saturating_sub(CONFIRM_WITHIN)?)?;
        w.subscribers().forget_expired_sign_ups(now)?;
        if !is_known {
            w.subscribers().put_sign_up(&hash, expires, sign_up)?;
        }
        queue_confirmation(w, context, address, &issue)?;
        Ok(true)
    })
}

/// Whether an address has reached the daily limit of confirmations.
fn has_enough_confirmations<A>(
    unit: &Unit<A>,
    address: &Address,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let a_day_ago = now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
    let queued = unit.subscribers().queued_since(address.as_str(), &DigestId::Confirmation, a_day_ago)?;
    Ok(queued >= CONFIRMATIONS_A_DAY)
}

/// The mail with a confirmation link, or with the link to an existing subscriber's preferences, of whom something was `asked`.
fn confirmation_mail(
    context: MailContext,
    hash: &str,
    expires: Timestamp,
    wanted: &str,
    asked: Option<RequestKind>,
) -> anyhow::Result<Issue> {
    let is_known = asked.is_some();
    let (sender, newsletter) = (context.sender, context.newsletter);
    let public =
        sender.public_url.as_deref().context("[channel] url is missing: a sign-up cannot be confirmed")?;
    let link = if is_known {
        format!("{public}/preferences/{}", sender.key.sign(PREFERENCES, hash))
    } else {
        format!("{public}/confirm/{}", confirmation(&sender.key, hash, expires))
    };
    let language = spoken(wanted, &context.catalog.channel.language);
    let data = MailData {
        title: newsletter.title(language, context.catalog.channel),
        language,
        is_known,
        is_leaving: asked == Some(RequestKind::ToLeave),
        link: format!("{link}?l={language}"),
        controller: newsletter.controller.as_deref(),
        t: phrases(language),
    };
    queue::mail(context, "confirm", language, &data)
}

fn queue_confirmation(
    unit: &Unit<Write>,
    context: MailContext,
    address: &Address,
    issue: &Issue,
) -> Result<(), StoreError> {
    let (sender, now) = (context.sender, context.now);
    let new = NewIssue {
        digest: &DigestId::Confirmation,
        slot: None,
        now,
        issue,
        stories: &[],
        recipients: &[address.as_str().to_owned()],
    };
    unit.mailing()
        .queue_issue(&new, |number, recipient| {
            let hash = sender.key.hash(recipient);
            message_id(DigestId::Confirmation.as_str(), number, now, &hash, sender.from.email.domain())
        })
        .map(drop)
}

/// The language chosen with a sign-up, if this token can confirm it.
///
/// # Errors
/// When the store fails.
pub fn confirmable(
    store: &Store,
    key: &SigningKey,
    token: &str,
    now: Timestamp,
) -> anyhow::Result<Option<String>> {
    let Some((hash, expires)) = read_confirmation(key, token, now) else { return Ok(None) };
    let sign_up = store.read(|r| r.subscribers().sign_up(&hash, expires))?;
    Ok(sign_up.map(|sign_up| sign_up.preferences.language))
}

fn read_confirmation(key: &SigningKey, token: &str, now: Timestamp) -> Option<(String, Timestamp)> {
    let payload = key.verify(CONFIRM, token)?;
    let (hash, expires) = payload.split_once(' ')?;
    let expires = Timestamp::from_millisecond(expires.parse().ok()?).ok()?;
    (expires >= now).then(|| (hash.to_owned(), expires))
}

/// Adds a subscriber who confirmed, once, and sends the welcome if configured. `None` if the token is not ours, has expired, or
/// is void: already used, or superseded by a later action of its owner.
///
/// # Errors
/// When the store or a template fails.
pub fn confirm(store: &Store, context: MailContext, token: &str) -> anyhow::Result<Option<Subscriber>> {
    let (key, now) = (&context.sender.key, context.now);
    let Some((hash, expires)) = read_confirmation(key, token, now) else { return Ok(None) };
    // Rendered before the unit of work, which blocks other writers.
    let welcome =
        if context.newsletter.has_welcome { render_welcome(store, context, &hash, expires)? } else { None };
    let subscriber = store.write(|w| {
        let Some(sign_up) = w.subscribers().sign_up(&hash, expires)? else { return Ok(None) };
        let source = Consent::SIGNED_UP.into();
        let consent = Consent { source, at: now, text: sign_up.consent_text };
        let (address, preferences) = (sign_up.address, sign_up.preferences);
        let mut confirmed = put_within(w, key, address, preferences, consent, SubscriberState::Active, now)?;
        if let Some(welcome) = &welcome {
            welcome.queue(w, context, confirmed.address.as_str())?;
            confirmed.seen = confirmed.seen.max(welcome.seen);
            w.subscribers().put(&hash, &confirmed, confirmed.preferences.cadence.next_after(now))?;
            w.subscribers().set_owed(&hash, &welcome.owed)?;
        }
        Ok::<_, anyhow::Error>(Some(confirmed))
    })?;
    if subscriber.is_some() {
        tracing::info!("a subscriber confirmed");
    }
    Ok(subscriber)
}

/// The welcome for a sign-up about to be confirmed; `None` for an existing subscriber.
fn render_welcome(
    store: &Store,
    context: MailContext,
    hash: &str,
    expires: Timestamp,
) -> anyhow::Result<Option<Welcome>> {
    let week_ago = context.now.saturating_sub(FIRST_STORIES)?;
    let (sign_up, known, seen) = store.read(|r| {
        let list = r.subscribers();
        Ok::<_, StoreError>((
            list.sign_up(hash, expires)?,
            list.get(hash)?,
            r.entries().last_before(week_ago)?,
        ))
    })?;
    let is_in = known.as_ref().is_some_and(|known| known.state == SubscriberState::Active);
    let Some(sign_up) = sign_up.filter(|_| !is_in) else { return Ok(None) };
    let seen = known.map_or(seen, |known| known.seen.max(seen));
    welcome::render(store, context, hash, &sign_up.preferences, seen).map(Some)
}

/// Adds or updates a subscriber, lifting any suppression. A new one gets the stories of the last week in a first issue, an
/// active one those since the last issue.
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

/// Like `put`, within a unit of work.
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
    let is_in = |state| matches!(state, SubscriberState::Active | SubscriberState::Paused);
    let hash = key.hash(address.as_str());
    let known = unit.subscribers().get(&hash)?;
    let before = known.as_ref().map(|known| known.state);
    // After a pause, older stories are not sent belatedly.
    let welcome = unit.entries().last_before(now.saturating_sub(FIRST_STORIES)?)?;
    let subscriber = match known {
        Some(known) => Subscriber {
            seen: if known.state == SubscriberState::Active { known.seen } else { known.seen.max(welcome) },
            state,
            preferences,
            // Consent holds until the person leaves: a change of preferences or a pause does not renew it.
            consent: if is_in(known.state) && is_in(state) { known.consent.clone() } else { consent },
            ..known
        },
        None => {
            let profile = Profile::default();
            let (created, last_issue, seen) = (now, None, welcome);
            Subscriber { address, state, preferences, consent, profile, created, last_issue, seen }
        }
    };
    let next_slot = subscriber.preferences.cadence.next_after(now);
    unit.subscribers().put(&hash, &subscriber, next_slot)?;
    if state == SubscriberState::Active && before.is_some_and(|before| before != state) {
        // Whoever comes back wants it, and is not asked at once whether they do.
        unit.subscribers().note_confirmed(&hash, now)?;
    }
    unit.subscribers().forget_sign_ups(&hash)?;
    if matches!(state, SubscriberState::Active | SubscriberState::Paused) {
        unit.subscribers().lift_suppression(&hash, now)?;
    }
    Ok(subscriber)
}

/// How an address stands that somebody else would put on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Unknown,
    /// It gets mail, or paused it.
    OnTheList(Subscriber),
    /// Its owner left, complained or was erased, or its mail came back: why, and what is known of them.
    KeptOut {
        why: String,
        known: Option<Subscriber>,
    },
}

impl Standing {
    /// The subscriber that is known.
    pub fn known(&self) -> Option<&Subscriber> {
        match self {
            Standing::Unknown => None,
            Standing::OnTheList(known) => Some(known),
            Standing::KeptOut { known, .. } => known.as_ref(),
        }
    }
}

/// How an address stands.
///
/// # Errors
/// When the store fails.
pub fn standing<A>(unit: &Unit<A>, key: &SigningKey, address: &Address) -> Result<Standing, StoreError> {
    let hash = key.hash(address.as_str());
    let known = unit.subscribers().get(&hash)?;
    let suppression = unit.subscribers().suppression(&hash, &DigestId::Personal)?;
    let is_in =
        |known: &&Subscriber| matches!(known.state, SubscriberState::Active | SubscriberState::Paused);
    let left = known.as_ref().filter(|known| !is_in(known)).map(|known| known.state.as_str().to_owned());
    Ok(match (suppression.or(left), known) {
        (Some(why), known) => Standing::KeptOut { why, known },
        (None, Some(known)) => Standing::OnTheList(known),
        (None, None) => Standing::Unknown,
    })
}

/// Records a consent in the place of the one that is known.
///
/// # Errors
/// When the store fails.
pub fn set_consent(
    unit: &Unit<Write>,
    key: &SigningKey,
    subscriber: &Subscriber,
    consent: &Consent,
    now: Timestamp,
) -> Result<(), StoreError> {
    let subscriber = Subscriber { consent: consent.clone(), ..subscriber.clone() };
    let hash = key.hash(subscriber.address.as_str());
    unit.subscribers().put(&hash, &subscriber, subscriber.preferences.cadence.next_after(now))
}

/// The subscriber that a preferences link belongs to, with the hash of the address.
///
/// # Errors
/// When the store fails.
pub fn by_link(store: &Store, key: &SigningKey, token: &str) -> anyhow::Result<Option<(String, Subscriber)>> {
    let Some(hash) = key.verify(PREFERENCES, token) else { return Ok(None) };
    Ok(store.read(|r| r.subscribers().get(&hash))?.map(|subscriber| (hash, subscriber)))
}

/// The result of leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveOutcome {
    /// The digest is not sent any more.
    All,
    Topic,
    /// There is nobody whose topics could be left.
    Nothing,
    /// The token is not ours.
    Unknown,
}

/// Ends a recipient's digest, or one topic of it, by the token in one of its mails. Nothing more ends with a topic; but
/// the only topic of somebody is all that they get, and the page of its link says so.
///
/// # Errors
/// When the store fails.
pub fn unsubscribe(
    store: &Store,
    key: &SigningKey,
    token: &str,
    topic: Option<&str>,
    now: Timestamp,
) -> anyhow::Result<LeaveOutcome> {
    let Some((digest, hash)) = read_leave_token(key, token) else { return Ok(LeaveOutcome::Unknown) };
    let left = store.write(|w| match topic {
        Some(topic) => leave_topic(w, key, &digest, &hash, topic, now),
        None => Ok(leave(w, &digest, &hash, now).map(|()| LeaveOutcome::All)?),
    })?;
    if left == LeaveOutcome::All {
        tracing::info!(digest.id = digest.as_str(), "a recipient unsubscribed");
    }
    Ok(left)
}

/// The digest and the hash of the address that a link to leave is about.
pub(super) fn read_leave_token(key: &SigningKey, token: &str) -> Option<(DigestId, String)> {
    let payload = key.verify(UNSUBSCRIBE, token)?;
    let (digest, hash) = payload.split_once(' ')?;
    // Links in mails of earlier versions contain the address itself.
    let hash = if hash.contains('@') { key.hash(hash) } else { hash.to_owned() };
    Some((DigestId::from(digest), hash))
}

/// What leaving a topic would end; for the page that asks for confirmation.
///
/// # Errors
/// When the store fails.
pub fn would_leave(
    store: &Store,
    key: &SigningKey,
    token: &str,
    topic: &str,
) -> anyhow::Result<LeaveOutcome> {
    let Some((digest, hash)) = read_leave_token(key, token) else { return Ok(LeaveOutcome::Unknown) };
    let known = store.read(|r| r.subscribers().get(&hash))?;
    let known = known.filter(|_| digest == DigestId::Personal);
    Ok(known.map_or(LeaveOutcome::Nothing, |known| match known.preferences.interests {
        interests if interests.has_topic(topic) && interests.clone().leave_topic(topic).is_none() => {
            LeaveOutcome::All
        }
        _ => LeaveOutcome::Topic,
    }))
}

fn without_topic(subscriber: &Subscriber, topic: &str) -> Option<Interests> {
    subscriber.preferences.interests.clone().leave_topic(topic)
}

fn leave_topic(
    unit: &Unit<Write>,
    key: &SigningKey,
    digest: &DigestId,
    hash: &str,
    topic: &str,
    now: Timestamp,
) -> anyhow::Result<LeaveOutcome> {
    let known = unit.subscribers().get(hash)?.filter(|_| *digest == DigestId::Personal);
    let is_last = |known: &Subscriber| {
        known.preferences.interests.has_topic(topic) && without_topic(known, topic).is_none()
    };
    if known.as_ref().is_some_and(is_last) {
        leave(unit, digest, hash, now)?;
        return Ok(LeaveOutcome::All);
    }
    let Some((known, interests)) =
        known.and_then(|known| without_topic(&known, topic).map(|interests| (known, interests)))
    else {
        return Ok(LeaveOutcome::Nothing);
    };
    let preferences = Preferences { interests, ..known.preferences };
    put_within(unit, key, known.address, preferences, known.consent, known.state, now)?;
    Ok(LeaveOutcome::Topic)
}

fn leave(unit: &Unit<Write>, digest: &DigestId, hash: &str, now: Timestamp) -> Result<(), StoreError> {
    if *digest == DigestId::Personal {
        return suppress_within(unit, hash, SubscriberState::Unsubscribed, now);
    }
    let scope = Scope::Digest(digest.clone());
    unit.subscribers().suppress(hash, &scope, SubscriberState::Unsubscribed.as_str(), now)
}

/// Suppresses an address, and records why. Unsubscribing applies to the newsletter only; bounces and complaints apply to all
/// digests.
///
/// # Errors
/// When the store fails.
pub fn suppress(store: &Store, hash: &str, why: SubscriberState, now: Timestamp) -> anyhow::Result<()> {
    Ok(store.write(|w| suppress_within(w, hash, why, now))?)
}

/// Like `suppress`, within a unit of work.
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
    unit.subscribers().forget_sign_ups(hash)?;
    unit.subscribers().set_state(hash, why).map(drop)
}

/// Replaces plain addresses in suppressions stored by earlier versions by hashes.
///
/// # Errors
/// When the store fails.
pub fn hash_suppressions(store: &Store, key: &SigningKey) -> Result<(), StoreError> {
    // A read-only command must not wait for a writer.
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

/// Removes a subscriber as if they had never been in the list; `false` if there is none.
///
/// # Errors
/// When the store fails.
pub fn remove(store: &Store, key: &SigningKey, address: &Address) -> anyhow::Result<bool> {
    let hash = key.hash(address.as_str());
    Ok(store.write(|w| {
        w.subscribers().forget_sign_ups(&hash)?;
        w.subscribers().delete(&hash)
    })?)
}

/// Erases everything known of an address, except a keyed hash that keeps imports from bringing it back. `false` if nothing was
/// known.
///
/// # Errors
/// When the store fails.
pub fn erase(store: &Store, key: &SigningKey, address: &Address, now: Timestamp) -> anyhow::Result<bool> {
    let hash = key.hash(address.as_str());
    let was_known = store.write(|w| {
        let list = w.subscribers();
        let was_known = list.has_recipient(address.as_str())?
            || !list.sign_ups_of(&hash)?.is_empty()
            || !list.answers_of(address.as_str())?.is_empty()
            || !w.desk().rulings_by(address.as_str())?.is_empty();
        w.subscribers().suppress(&hash, &Scope::All, "erased", now)?;
        let was_there = w.subscribers().delete(&hash)?;
        w.subscribers().forget_history(&hash)?;
        w.subscribers().forget_sign_ups(&hash)?;
        w.subscribers().delete_deliveries(address.as_str())?;
        w.desk().forget_editor(address.as_str())?;
        Ok::<_, StoreError>(was_known || was_there)
    })?;
    store.checkpoint()?;
    Ok(was_known)
}

/// Everything stored about an address, for a request by its owner.
///
/// # Errors
/// When the store fails.
pub fn everything(store: &Store, key: &SigningKey, address: &Address) -> anyhow::Result<Value> {
    let hash = key.hash(address.as_str());
    let held = store.read(|r| {
        let list = r.subscribers();
        let marks = list.reengagement(&hash)?;
        Ok::<_, StoreError>(json!({
            "address": address.as_str(),
            "subscriber": list.get(&hash)?.map(|known| json!({
                "address": known.address.as_str(),
                "state": known.state.as_str(),
                "preferences": known.preferences,
                "consent": known.consent,
                "tags": known.profile.tags,
                "attributes": known.profile.attributes,
                "created": known.created,
                "last_issue": known.last_issue,
                "confirmed": marks.confirmed,
                "asked": marks.asked,
            })),
            "sign_ups": list.sign_ups_of(&hash)?.iter().map(|(expires, sign_up)| json!({
                "address": sign_up.address.as_str(),
                "preferences": sign_up.preferences,
                "consent_text": sign_up.consent_text,
                "expires": expires,
            })).collect::<Vec<_>>(),
            "deliveries": list.deliveries_to(address.as_str())?.iter().map(|[digest, subject, at, state, error]| {
                json!({ "digest": digest, "subject": subject, "queued": at, "state": state, "error": error })
            }).collect::<Vec<_>>(),
            "answers": list.answers_of(address.as_str())?.iter().map(|(subject, at)| {
                json!({ "subject": subject, "passed_on": at })
            }).collect::<Vec<_>>(),
            "rulings": r.desk().rulings_by(address.as_str())?.iter().map(|(what, at)| {
                json!({ "what": what, "at": at })
            }).collect::<Vec<_>>(),
            "refused_since": r.mailing().refused_since(&hash)?,
            "marks": list.marks_of(&hash)?.iter().map(|[what, why, at]| {
                json!({ "what": what.trim(), "why": why, "at": at })
            }).collect::<Vec<_>>(),
        }))
    })?;
    Ok(held)
}
