//! The pipeline of one digest: pick, render, queue, deliver. An issue is queued with its stories and deliveries in
//! one transaction before anything is sent. SMTP cannot promise exactly-once: a crash between the server's answer
//! and our commit sends that one message again, under the same Message-ID.

use jiff::{SignedDuration, Timestamp};

use crate::deliver::message::{Sender, build, message_id};
use crate::deliver::transport::{DeliverError, Transport};
use crate::digest;
use crate::model::digest::{Address, Delivery, DeliveryState, Digest, Issue, Notice};
use crate::model::story::Story;
use crate::store::{NewDelivery, NewIssue, Store};
use crate::templates::Templates;
use crate::view::Frame;

/// The first pause after a temporary failure; it doubles.
const RETRY_SECONDS: i64 = 300;
/// How long a delivery belongs to the process that claimed it: longer than any SMTP dialogue.
const LEASE: SignedDuration = SignedDuration::from_mins(10);
/// Given up after this many attempts: some 42 hours.
const ATTEMPTS_MAX: u32 = 10;

/// What a digest's turn brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    NotDue,
    NothingNew,
    NoRecipients,
    Queued { stories: usize, recipients: usize },
}

/// What became of the deliveries that were due.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deliveries {
    pub sent: Vec<String>,
    /// Message-ID and reason.
    pub deferred: Vec<(String, String)>,
    pub refused: Vec<(String, String)>,
}

/// Queues an issue when one is due, or in any case with `force`.
///
/// # Errors
/// When the store or a template fails; nothing is queued then.
pub fn queue(store: &mut Store, frame: Frame, digest: &Digest, templates: &Templates, sender: &Sender, now: Timestamp, force: bool) -> anyhow::Result<Turn> {
    if digest.recipients.is_empty() {
        return Ok(Turn::NoRecipients);
    }
    let slot = digest.schedule.last_slot(now).unwrap_or(now);
    if !force && store.last_slot(&digest.id)?.is_some_and(|last| last >= slot) {
        return Ok(Turn::NotDue);
    }
    let (stories, issue) = preview(store, frame, digest, templates, now)?;
    // A slot that found nothing new is filled all the same: the next story waits for the next slot.
    let number = store.issue_count(&digest.id)? + 1;
    let is_empty = stories.is_empty();
    if is_empty && force {
        return Ok(Turn::NothingNew);
    }
    let domain = sender.from.email.domain();
    let recipients = digest.recipients.iter().filter(|_| !is_empty);
    let deliveries: Vec<NewDelivery> = recipients
        .map(|recipient| NewDelivery { recipient: recipient.as_str().to_owned(), message_id: message_id(&digest.id, number, now, recipient.as_str(), domain) })
        .collect();
    let ids: Vec<String> = stories.iter().map(|story| story.id.clone()).collect();
    let mut work = store.begin()?;
    if !work.queue_issue(&NewIssue { digest: &digest.id, slot, now, issue: &issue, stories: &ids, deliveries: &deliveries })? {
        // Another process took the slot between our look and our hand: its issue stands.
        return Ok(Turn::NotDue);
    }
    work.commit()?;
    Ok(if is_empty { Turn::NothingNew } else { Turn::Queued { stories: ids.len(), recipients: deliveries.len() } })
}

/// The issue that would go out now.
///
/// # Errors
/// When the store or a template fails.
pub fn preview(store: &Store, frame: Frame, digest: &Digest, templates: &Templates, now: Timestamp) -> anyhow::Result<(Vec<Story>, Issue)> {
    let stories = digest::pick(digest, store.unsent_stories(&digest.id)?);
    let issue = digest::render(frame, digest, &stories, now, templates)?;
    Ok((stories, issue))
}

/// The id of the operator's own digest; configured digests cannot have it.
const OPERATOR: &str = "_operator";

#[derive(serde::Serialize)]
struct NoticeData<'a> {
    title: &'a str,
    date: String,
    notices: &'a [Notice],
}

/// Queues what the operator has to know of the sources, if there is anything. Answers how many notices went into it.
///
/// # Errors
/// When the store or a template fails; nothing is queued then.
pub fn queue_notices(store: &mut Store, frame: Frame, operators: &[Address], templates: &Templates, sender: &Sender, now: Timestamp) -> anyhow::Result<usize> {
    let notices = if operators.is_empty() { Vec::new() } else { store.notices()? };
    if notices.is_empty() {
        return Ok(0);
    }
    let data = NoticeData { title: &frame.channel.title, date: now.strftime("%Y-%m-%d").to_string(), notices: &notices };
    let issue = Issue {
        subject: crate::text::one_line(&templates.render("operator/subject.txt", &data)?),
        text: templates.render("operator/body.txt", &data)?,
        html: templates.render("operator/body.html", &data)?,
    };
    let number = store.issue_count(OPERATOR)? + 1;
    let deliveries: Vec<NewDelivery> = operators
        .iter()
        .map(|operator| NewDelivery {
            recipient: operator.as_str().to_owned(),
            message_id: message_id(OPERATOR, number, now, operator.as_str(), sender.from.email.domain()),
        })
        .collect();
    let mut work = store.begin()?;
    work.forget_notices(notices.len())?;
    work.queue_issue(&NewIssue { digest: OPERATOR, slot: now, now, issue: &issue, stories: &[], deliveries: &deliveries })?;
    work.commit()?;
    Ok(notices.len())
}

/// Sends what is due: each delivery is claimed, sent and settled by itself.
///
/// # Errors
/// Only when the store fails; a refusal is a result.
pub async fn deliver(
    store: &std::sync::Mutex<Store>,
    transport: &Transport,
    sender: &Sender,
    digest: Option<&str>,
    now: Timestamp,
) -> anyhow::Result<Deliveries> {
    let lock = || store.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let due = lock().due_deliveries(now, digest)?;
    let mut done = Deliveries::default();
    for delivery in due {
        if !lock().claim_delivery(&delivery, now + LEASE)? {
            continue;
        }
        let result = match build(sender, &delivery) {
            Ok(message) => transport.send(message, &delivery.message_id).await,
            Err(error) => Err(DeliverError::Permanent(error.to_string())),
        };
        settle(&mut lock(), &delivery, result, now, &mut done)?;
    }
    Ok(done)
}

fn settle(store: &mut Store, delivery: &Delivery, result: Result<(), DeliverError>, now: Timestamp, done: &mut Deliveries) -> anyhow::Result<()> {
    let attempts = delivery.attempts + 1;
    let id = delivery.message_id.clone();
    match result {
        Ok(()) => {
            store.settle_delivery(delivery.id, DeliveryState::Sent, None, now)?;
            tracing::info!(delivery.id = id, "delivered");
            done.sent.push(id);
        }
        Err(DeliverError::Temporary(reason)) if attempts < ATTEMPTS_MAX => {
            let pause = SignedDuration::from_secs(RETRY_SECONDS << (attempts - 1).min(16));
            store.settle_delivery(delivery.id, DeliveryState::Pending, Some(&reason), now + pause)?;
            tracing::warn!(delivery.id = id, reason, "delivery deferred");
            done.deferred.push((id, reason));
        }
        Err(error) => {
            store.settle_delivery(delivery.id, DeliveryState::Failed, Some(&error.to_string()), now)?;
            tracing::warn!(delivery.id = id, reason = error.to_string(), "delivery refused");
            done.refused.push((id, error.to_string()));
        }
    }
    Ok(())
}
