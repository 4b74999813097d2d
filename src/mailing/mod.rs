//! The pipelines of mail: what is queued for whom (`queue`), who is in the list (`people`), what comes back (`returns`), and
//! here the outbox. An issue is queued with its stories and deliveries in one transaction before anything is sent. SMTP
//! cannot promise exactly-once: a crash between the server's answer and our commit sends that one message again, under the
//! same Message-ID.

pub mod people;
pub mod queue;
pub mod returns;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};

use crate::deliver::DeliverError;
use crate::deliver::message::{MessageError, Prepared, Sender, build, prepare};
use crate::deliver::transport::Transport;
use crate::model::digest::{CONFIRMATION, Delivery, DeliveryState, Issue, Newsletter, OnUncertain};
use crate::model::subscriber::SubscriberState;
use crate::store::Store;
use crate::templates::Templates;
use crate::view::Frame;

/// What mail is made with.
#[derive(Clone, Copy)]
pub struct Press<'a> {
    pub frame: Frame<'a>,
    pub newsletter: &'a Newsletter,
    pub templates: &'a Templates,
    pub sender: &'a Sender,
    pub now: Timestamp,
}

/// The first pause after a temporary failure; it doubles.
const RETRY_SECONDS: i64 = 300;
/// How long a delivery belongs to the process that claimed it: longer than any SMTP dialogue.
const LEASE: SignedDuration = SignedDuration::from_mins(10);
/// Given up after this many attempts: some 43 hours after the first, one more and it would be twice as much.
const ATTEMPTS_MAX: u32 = 10;

/// What became of the deliveries that were due.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deliveries {
    pub sent: Vec<String>,
    /// Message-ID and reason.
    pub deferred: Vec<(String, String)>,
    pub refused: Vec<(String, String)>,
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
            if let Some(reason) = suppression(&lock(), sender, &delivery.recipient, &delivery.digest)? {
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
                settle(&mut lock(), sender, &delivery, result, pace.on_uncertain, now, &mut done)?;
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

/// Why a mail of a digest is not to go to an address, if it is not. A confirmation goes to whoever asks for it, also to one who
/// left before; not to one who complained of us.
fn suppression(store: &Store, sender: &Sender, address: &str, digest: &str) -> anyhow::Result<Option<String>> {
    let reason = store.suppression(&sender.key.hash(address), digest)?;
    Ok(reason.filter(|reason| digest != CONFIRMATION || reason == SubscriberState::Complained.as_str()))
}

fn settle(
    store: &mut Store,
    sender: &Sender,
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
            if matches!(error, DeliverError::Temporary(_)) {
                returns::note_soft(store, &sender.key.hash(&delivery.recipient), &format!("given up: {}", delivery.message_id), now)?;
            }
            if matches!(error, DeliverError::NoMailbox(_)) {
                // A hard bounce: writing there again would cost us our name with the mailbox providers.
                people::suppress(store, &sender.key.hash(&delivery.recipient), SubscriberState::Bounced, now)?;
            }
            tracing::warn!(delivery.id = id, reason = error.to_string(), "delivery refused");
            done.refused.push((id, error.to_string()));
        }
    }
    Ok(())
}
