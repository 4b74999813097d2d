//! `courant queue`: lists mail that is waiting, since when and why, and mail that was refused.

use std::io::{BufWriter, Write};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ListFormat;
use super::output::{FittingLines, ObjectList};
use crate::app::App;
use crate::store::{QueuedDelivery, WaitingPost};
use crate::support::terminal;

/// Display names of delivery states, in the order in which they are listed.
const STATES: [(&str, &str); 3] = [("sending", "under way"), ("pending", "waits"), ("failed", "refused")];

/// Lists the deliveries that were not sent.
///
/// # Errors
/// When the store fails.
pub(super) fn queue(app: &App, format: ListFormat) -> anyhow::Result<()> {
    let mut out = BufWriter::new(terminal::stdout());
    let (mut objects, lines) = (ObjectList::wanted(format), FittingLines::new());
    let mut counts = Vec::new();
    for (state, called) in STATES {
        let mut count = 0usize;
        app.store().read(|r| {
            r.mailing().each_unsent(state, |delivery| {
                count += 1;
                match &mut objects {
                    None => line(&mut out, &lines, called, &delivery),
                    Some(objects) => Ok(objects.put(&mut out, &object(called, &delivery))?),
                }
            })
        })?;
        if count > 0 {
            counts.push(format!("{count} {called}"));
        }
    }
    let posts = app.store().read(|r| r.posts().waiting())?;
    for post in &posts {
        match &mut objects {
            None => lines.put(&mut out, &post_line(post))?,
            Some(objects) => objects.put(&mut out, &post_object(post))?,
        }
    }
    if !posts.is_empty() {
        counts.push(format!("{} for webhooks and services", posts.len()));
    }
    match objects {
        Some(objects) => objects.end(&mut out)?,
        None if counts.is_empty() => writeln!(out, "nothing waits")?,
        None => writeln!(out, "{}", counts.join(", "))?,
    }
    Ok(out.flush()?)
}

fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%MZ").to_string()
}

/// A line about what waits for a webhook or a service.
fn post_line(post: &WaitingPost) -> String {
    let next = format!("next try {}", minute(post.next_attempt));
    let reason = if post.reason.is_empty() { "not tried yet" } else { &post.reason };
    let since = minute(post.created);
    format!("waits      since {since}  {next:<26}  {:<32}  {:<12}  {reason}", post.outlet, post.event)
}

fn post_object(post: &WaitingPost) -> Value {
    json!({
        "state": "waits",
        "outlet": post.outlet,
        "event": post.event,
        "since": post.created,
        "attempts": post.attempts,
        "next_attempt": post.next_attempt,
        "reason": post.reason,
    })
}

fn line(
    out: &mut impl Write,
    lines: &FittingLines,
    called: &str,
    delivery: &QueuedDelivery,
) -> anyhow::Result<()> {
    let next = match called {
        "waits" => format!("next try {}", minute(delivery.next_attempt)),
        "refused" => format!("ended {}", minute(delivery.next_attempt)),
        _ => "now".to_owned(),
    };
    let reason = if delivery.reason.is_empty() { "not tried yet" } else { &delivery.reason };
    let line = format!(
        "{called:<9}  since {}  {next:<26}  {:<32}  {:<12}  {reason}",
        minute(delivery.created),
        delivery.recipient,
        delivery.digest.as_str(),
    );
    Ok(lines.put(out, &line)?)
}

fn object(called: &str, delivery: &QueuedDelivery) -> Value {
    json!({
        "state": called,
        "address": delivery.recipient,
        "digest": delivery.digest.as_str(),
        "subject": delivery.subject,
        "since": delivery.created,
        "attempts": delivery.attempts,
        "next_attempt": (called == "waits").then_some(delivery.next_attempt),
        "reason": delivery.reason,
    })
}
