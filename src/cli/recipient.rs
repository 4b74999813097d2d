//! `courant subscribers show` and `resume`: one person, in the list or a recipient of the configuration.

use std::io::Write;

use crate::app::{App, Usage};
use crate::model::mail_address::Address;
use crate::model::subscriber::{Preferences, Subscriber, SubscriberState};
use crate::store::StoreError;

/// What happened to somebody at a time.
struct Event {
    at: String,
    what: String,
}

/// The digests of the configuration that somebody is a recipient of.
fn digests<'a>(app: &'a App, address: &Address) -> Vec<&'a str> {
    let of = app.config.digests.iter().filter(|digest| digest.recipients.contains(address));
    of.map(|digest| digest.id.as_str()).collect()
}

/// Suppressions and returns of an address, the oldest first.
fn marks(app: &App, address: &Address) -> Result<Vec<[String; 3]>, StoreError> {
    app.store().read(|r| r.subscribers().marks_of(&app.sender.key.hash(address.as_str())))
}

/// Of what a suppression keeps somebody, in words; `None` for what is none.
fn scope(what: &str) -> Option<String> {
    let digest = what.strip_prefix("suppressed")?.trim();
    Some(match digest {
        "" => "all mail".to_owned(),
        "_personal" => "the newsletter".to_owned(),
        id => format!("the digest \"{id}\""),
    })
}

/// How somebody came into the list.
fn beginnings(known: &Subscriber) -> [Event; 2] {
    let consent = format!("consent: {}", known.consent.source);
    [
        Event { at: known.created.to_string(), what: "came into the list".into() },
        Event { at: known.consent.at.to_string(), what: consent },
    ]
}

fn mark_event([what, why, at]: [String; 3]) -> Event {
    let what = match scope(&what) {
        Some(scope) => format!("suppressed for {scope}: {why}"),
        None => format!("a {why} bounce"),
    };
    Event { at, what }
}

fn delivery_event([digest, subject, at, state, error]: [String; 5]) -> Event {
    let state = match state.as_str() {
        "failed" => "refused",
        "pending" => "waits",
        "sending" => "under way",
        other => other,
    };
    let error = if error.is_empty() { error } else { format!(": {error}") };
    Event { at, what: format!("{digest}, \"{subject}\", {state}{error}") }
}

/// Tells the whole history of somebody.
///
/// # Errors
/// When the store fails, or nothing is known of the address.
pub fn show(app: &App, address: &Address) -> anyhow::Result<()> {
    let hash = app.sender.key.hash(address.as_str());
    let (subscriber, deliveries) = app.store().read(|r| {
        Ok::<_, StoreError>((r.subscribers().get(&hash)?, r.subscribers().deliveries_to(address.as_str())?))
    })?;
    let (marks, digests) = (marks(app, address)?, digests(app, address));
    if subscriber.is_none() && deliveries.is_empty() && marks.is_empty() && digests.is_empty() {
        return Err(Usage(format!("no subscriber, recipient or delivery is known for {address}")).into());
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{address}")?;
    match &subscriber {
        Some(Subscriber { state, preferences: Preferences { language, cadence, .. }, .. }) => {
            writeln!(out, "in the list: {}, {language}, {cadence}", state.as_str())?;
        }
        None => writeln!(out, "not in the list of subscribers")?,
    }
    if !digests.is_empty() {
        writeln!(out, "recipient of: {}", digests.join(", "))?;
    }
    for [what, why, _] in &marks {
        if let Some(scope) = scope(what) {
            writeln!(out, "suppressed: {why}; gets nothing of {scope}")?;
        }
    }
    let mut events: Vec<Event> = subscriber.iter().flat_map(beginnings).collect();
    events.extend(marks.into_iter().map(mark_event));
    events.extend(deliveries.into_iter().map(delivery_event));
    // Stable: what is of one time stays in its order.
    events.sort_by(|a, b| a.at.cmp(&b.at));
    for Event { at, what } in events {
        writeln!(out, "{at}  {what}")?;
    }
    Ok(())
}

/// Lets somebody have mail again who paused, left, bounced or complained, and says why they had none.
///
/// # Errors
/// When the store fails, or the address is known to nobody.
pub fn resume(app: &App, address: &Address) -> anyhow::Result<()> {
    let hash = app.sender.key.hash(address.as_str());
    let (is_listed, deliveries) = app.store().read(|r| {
        let list = r.subscribers();
        Ok::<_, StoreError>((list.get(&hash)?.is_some(), list.deliveries_to(address.as_str())?))
    })?;
    let (marks, digests) = (marks(app, address)?, digests(app, address));
    let suppressed: Vec<_> =
        marks.iter().filter_map(|[what, why, at]| Some((scope(what)?, why, at))).collect();
    for (scope, why, at) in &suppressed {
        println!("{address} got nothing of {scope} since {at}: {why}");
    }
    let last = deliveries.iter().rev().find(|[.., state, error]| state == "failed" && !error.is_empty());
    if let (false, Some([.., error])) = (suppressed.is_empty(), last) {
        println!("{address}: the last mail was refused: {error}");
    }
    if is_listed {
        return super::subscribers::set_state(app, address, SubscriberState::Active);
    }
    if suppressed.is_empty() {
        return Err(Usage(format!(
            "{address} is neither suppressed nor in the list: `courant subscribers list` shows who is"
        ))
        .into());
    }
    app.store().write(|w| w.subscribers().lift_suppression(&hash))?;
    match digests.is_empty() {
        true => println!("{address} is not suppressed any more; it is in no list and no [[digest]]"),
        false => println!("{address} gets mail again: {}", digests.join(", ")),
    }
    Ok(())
}
