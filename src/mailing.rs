//! The pipeline of one digest: pick, render, queue, deliver. An issue is queued with its stories and deliveries in
//! one transaction before anything is sent. SMTP cannot promise exactly-once: a crash between the server's answer
//! and our commit sends that one message again, under the same Message-ID.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};

use crate::deliver::DeliverError;
use crate::deliver::message::{MessageError, Prepared, Sender, build, message_id, prepare};
use crate::deliver::transport::Transport;
use crate::digest;
use crate::model::digest::{Address, Delivery, DeliveryState, Digest, Issue, Notice, OnUncertain};
use crate::model::story::Story;
use crate::model::token::{SigningKey, UNSUBSCRIBE};
use crate::store::{NewDelivery, NewIssue, Store};
use crate::templates::Templates;
use crate::view::Frame;

/// The first pause after a temporary failure; it doubles.
const RETRY_SECONDS: i64 = 300;
/// How long a delivery belongs to the process that claimed it: longer than any SMTP dialogue.
const LEASE: SignedDuration = SignedDuration::from_mins(10);
/// Given up after this many attempts: some 43 hours after the first, one more and it would be twice as much.
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
    let mut wanted = Vec::new();
    for recipient in digest.recipients.iter().filter(|_| !is_empty) {
        if store.suppression(recipient.as_str(), &digest.id)?.is_none() {
            wanted.push(recipient);
        }
    }
    let recipients = wanted.into_iter();
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

/// Ends a recipient's digest by the token of one of its mails. `false` when the token is none of ours.
///
/// # Errors
/// When the store fails.
pub fn unsubscribe(store: &mut Store, key: &SigningKey, token: &str, now: Timestamp) -> anyhow::Result<bool> {
    let Some((digest, address)) =
        key.verify(UNSUBSCRIBE, token).and_then(|payload| payload.split_once(' ').map(|(digest, address)| (digest.to_owned(), address.to_owned())))
    else {
        return Ok(false);
    };
    store.suppress(&address, &digest, "unsubscribed", now)?;
    tracing::info!(digest.id = digest, "a recipient unsubscribed");
    Ok(true)
}

/// How deliveries are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Messages under way at a time; each has a connection of its own.
    pub connections: usize,
    pub on_uncertain: OnUncertain,
}

/// Deliveries read at a time: memory does not grow with the number of recipients.
const BATCH: usize = 1_000;

/// Sends what is due, several at a time: each delivery is claimed, sent and settled by itself. `on_total` hears how many
/// there are, `on_done` of each one.
///
/// # Errors
/// Only when the store fails; a refusal is a result.
pub async fn deliver(
    store: &Mutex<Store>,
    transport: &Transport,
    sender: &Sender,
    digest: Option<&str>,
    pace: Pace,
    now: Timestamp,
    mut on_done: impl FnMut(Progress),
) -> anyhow::Result<Deliveries> {
    let lock = || store.lock().unwrap_or_else(PoisonError::into_inner);
    if pace.on_uncertain == OnUncertain::Skip {
        let skipped = lock().skip_uncertain(now)?;
        if skipped > 0 {
            tracing::warn!(skipped, "deliveries that a killed run had handed over are not sent again");
        }
    }
    on_done(Progress::Total(lock().due_count(now, digest)?));
    let mut done = Deliveries::default();
    loop {
        let due = lock().due_deliveries(now, digest, BATCH)?;
        let is_last = due.len() < BATCH;
        let mut prepared: HashMap<*const Issue, Arc<Result<Prepared, MessageError>>> = HashMap::new();
        let due: Vec<_> = due
            .into_iter()
            .map(|delivery| {
                let body = prepared.entry(Arc::as_ptr(&delivery.issue)).or_insert_with(|| Arc::new(prepare(&delivery.issue))).clone();
                (delivery, body)
            })
            .collect();
        let mut sends = futures_util::stream::iter(due.into_iter().map(|(delivery, body)| async move {
            if !lock().claim_delivery(&delivery, now + LEASE)? {
                return anyhow::Ok(None);
            }
            // Asked now and not when the issue was queued: people leave in the meantime.
            if let Some(reason) = lock().suppression(&delivery.recipient, &delivery.digest)? {
                return Ok(Some((delivery, Err(DeliverError::Permanent(format!("not sent: {reason}"))))));
            }
            let message =
                body.as_ref().as_ref().map_err(ToString::to_string).and_then(|body| build(sender, &delivery, body).map_err(|error| error.to_string()));
            let result = match message {
                Ok(message) => transport.send(&message, &delivery.message_id).await,
                Err(reason) => Err(DeliverError::Permanent(reason)),
            };
            Ok(Some((delivery, result)))
        }))
        .buffer_unordered(pace.connections);
        let mut claimed = 0;
        while let Some(sent) = sends.next().await {
            if let Some((delivery, result)) = sent? {
                settle(&mut lock(), &delivery, result, pace.on_uncertain, now, &mut done)?;
                claimed += 1;
                on_done(Progress::One);
            }
        }
        // Where another process claims them all, there is nothing to wait for.
        if is_last || claimed == 0 {
            transport.close().await;
            return Ok(done);
        }
    }
}

/// How far the deliveries are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Total(u64),
    One,
}

fn settle(
    store: &mut Store,
    delivery: &Delivery,
    result: Result<(), DeliverError>,
    on_uncertain: OnUncertain,
    now: Timestamp,
    done: &mut Deliveries,
) -> anyhow::Result<()> {
    let attempts = delivery.attempts + 1;
    let is_given_up = matches!(result, Err(DeliverError::Uncertain(_))) && on_uncertain == OnUncertain::Skip;
    let id = delivery.message_id.clone();
    match result {
        Ok(()) => {
            store.settle_delivery(delivery.id, DeliveryState::Sent, None, now)?;
            tracing::info!(delivery.id = id, "delivered");
            done.sent.push(id);
        }
        Err(DeliverError::Temporary(reason)) | Err(DeliverError::Uncertain(reason)) if attempts < ATTEMPTS_MAX && !is_given_up => {
            let pause = SignedDuration::from_secs(RETRY_SECONDS << (attempts - 1).min(16));
            store.settle_delivery(delivery.id, DeliveryState::Pending, Some(&reason), now + pause)?;
            tracing::warn!(delivery.id = id, reason, "delivery deferred");
            done.deferred.push((id, reason));
        }
        Err(error) => {
            store.settle_delivery(delivery.id, DeliveryState::Failed, Some(&error.to_string()), now)?;
            if matches!(error, DeliverError::NoMailbox(_)) {
                // A hard bounce: writing there again would cost us our name with the mailbox providers.
                store.suppress(&delivery.recipient, "", "bounced", now)?;
            }
            tracing::warn!(delivery.id = id, reason = error.to_string(), "delivery refused");
            done.refused.push((id, error.to_string()));
        }
    }
    Ok(())
}
