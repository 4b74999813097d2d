//! Asks subscribers whether they still want the newsletter, when they last said so long ago (`[newsletter] reengage_after`). Nothing
//! is known of what they read: what counts is their consent, what they changed by themselves, and the answer to this question.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::MailContext;
use super::subscribers::{put_within, suppress_within};
use crate::deliver::message::message_id;
use crate::digest::{self, Edition};
use crate::model::digest::{DigestId, Issue, LinkPlaces, Reengagement, WithoutReengagement};
use crate::model::mail_address::Address;
use crate::model::subscriber::{Consent, Interests, Preferences, Subscriber, SubscriberState};
use crate::model::token::SigningKey;
use crate::store::{AskedSubscriber, QuestionMail, Store, StoreError, Unit, Write};
use crate::support::clock::Interrupted;
use crate::support::i18n::{long_date, said, spoken};

/// Subscribers asked, or looked after, in one unit of work.
const PAGE: usize = 500;

/// What was done in one turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReengagementTurn {
    pub asked: usize,
    /// Those who did not answer, and were paused or ended.
    pub ended: usize,
}

/// Asks those whose time has come, and pauses or ends those who did not answer.
///
/// # Errors
/// When the store or a template fails, or `stop` is set; what was done stays done.
pub fn queue(
    store: &Store,
    context: MailContext,
    stop: &CancellationToken,
) -> anyhow::Result<ReengagementTurn> {
    let mut turn = ReengagementTurn::default();
    let (Some(policy), true) = (context.newsletter.reengagement, context.sender.public_url.is_some()) else {
        return Ok(turn);
    };
    let limit = before(context.now, policy.within_seconds);
    // Looked at first: whoever finds nothing to do keeps no writer waiting.
    while !store.read(|r| r.subscribers().unanswered(limit, 1))?.is_empty() {
        check(stop)?;
        turn.ended += store.write(|w| end_some(w, policy, limit, context.now))?;
    }
    let limit = before(context.now, policy.after_seconds);
    let mut issues: HashMap<String, Issue> = HashMap::new();
    loop {
        check(stop)?;
        let due = store.read(|r| r.subscribers().to_be_asked(limit, PAGE))?;
        if due.is_empty() {
            return Ok(turn);
        }
        for subscriber in &due {
            if !issues.contains_key(&subscriber.language) {
                let issue = question(context, policy, &subscriber.language)?;
                issues.insert(subscriber.language.clone(), issue);
            }
        }
        turn.asked += store.write(|w| ask_some(w, context, limit, &issues))?;
    }
}

fn check(stop: &CancellationToken) -> Result<(), Interrupted> {
    if stop.is_cancelled() { Err(Interrupted) } else { Ok(()) }
}

fn before(now: Timestamp, seconds: u64) -> Timestamp {
    let span = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    now.saturating_sub(span).unwrap_or(Timestamp::MIN)
}

/// Asks some of those who are due, in the languages of which there are issues.
fn ask_some(
    unit: &Unit<Write>,
    context: MailContext,
    limit: Timestamp,
    issues: &HashMap<String, Issue>,
) -> Result<usize, StoreError> {
    let (sender, now) = (context.sender, context.now);
    // Read again: another process may have asked them in the meantime.
    let due = unit.subscribers().to_be_asked(limit, PAGE)?;
    let mut count = 0;
    for (language, issue) in issues {
        let asked: Vec<&AskedSubscriber> = due.iter().filter(|one| one.language == *language).collect();
        if asked.is_empty() {
            continue;
        }
        count += asked.len();
        unit.subscribers().ask(issue, &asked, now, |number, one| {
            let domain = sender.from.email.domain();
            message_id(DigestId::Reengagement.as_str(), number, now, &one.hash, domain)
        })?;
    }
    Ok(count)
}

/// Pauses or ends some of those who did not answer; returns how many. The time runs from when the mail left: who could not
/// be reached is asked again.
fn end_some(
    unit: &Unit<Write>,
    policy: Reengagement,
    limit: Timestamp,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let list = unit.subscribers();
    let mut count = 0;
    for one in &list.unanswered(limit, PAGE)? {
        match list.last_asked(&one.address)? {
            Some(QuestionMail::Failed) => list.set_asked(one.key, None)?,
            Some(QuestionMail::Waiting) => list.set_asked(one.key, Some(now))?,
            Some(QuestionMail::Sent(at)) if at > limit => list.set_asked(one.key, Some(at))?,
            Some(QuestionMail::Sent(_)) | None => {
                count += 1;
                match policy.without_answer {
                    WithoutReengagement::Pause => {
                        list.set_state(&one.hash, SubscriberState::Paused).map(drop)?;
                    }
                    WithoutReengagement::Unsubscribe => {
                        suppress_within(unit, &one.hash, SubscriberState::Unsubscribed, now)?;
                    }
                }
            }
        }
    }
    Ok(count)
}

/// The mail that asks, in a language.
///
/// # Errors
/// When a template fails.
fn question(context: MailContext, policy: Reengagement, language: &str) -> anyhow::Result<Issue> {
    let (catalog, now) = (context.catalog, context.now);
    let shown = spoken(language, &catalog.channel.language);
    let seconds = i64::try_from(policy.within_seconds).unwrap_or(i64::MAX);
    let until = now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(now);
    let date = long_date(until.to_zoned_datetime(TimeZone::UTC).date(), shown);
    let key = match policy.without_answer {
        WithoutReengagement::Pause => "reengage_until_pause",
        WithoutReengagement::Unsubscribe => "reengage_until_end",
    };
    let note = said(key, shown, &[("date", date.into())]);
    let edition = Edition {
        title: context.newsletter.title(language, catalog.channel),
        language,
        interests: &Interests::default(),
        templates: "reengagement",
        note: Some(&note),
        introduction: None,
        written: None,
        leads: 0,
        coming: &[],
        entries_max: 1,
        is_personal: true,
        name: None,
        is_public: context.sender.public_url.is_some(),
        controller: context.newsletter.controller.as_deref(),
        places: &LinkPlaces::of(&context.sender.key, &format!("reengagement {language} {now}")),
    };
    Ok(digest::render(catalog, edition, &[], now, context.templates)?)
}

/// A subscriber said by the link of a mail that they want the newsletter; one who was paused or ended meanwhile comes back.
///
/// # Errors
/// When the store fails.
pub fn keep(store: &Store, key: &SigningKey, subscriber: &Subscriber, now: Timestamp) -> anyhow::Result<()> {
    let hash = key.hash(subscriber.address.as_str());
    store.write(|w| {
        let Some(known) = w.subscribers().get(&hash)? else { return Ok(()) };
        let Subscriber { address, preferences, state, .. } = known;
        if state != SubscriberState::Active {
            come_back(w, key, address, preferences, now)?;
        }
        Ok::<_, anyhow::Error>(w.subscribers().note_confirmed(&hash, now)?)
    })
}

fn come_back(
    unit: &Unit<Write>,
    key: &SigningKey,
    address: Address,
    preferences: Preferences,
    now: Timestamp,
) -> anyhow::Result<()> {
    let consent = Consent { source: Consent::CAME_BACK.into(), at: now, text: None };
    put_within(unit, key, address, preferences, consent, SubscriberState::Active, now).map(drop)
}
