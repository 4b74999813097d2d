//! `courant subscribers show` and `resume`: one person, a subscriber or a recipient in the configuration.

use std::io::Write;

use crate::app::{App, Usage};
use crate::model::mail_address::Address;
use crate::model::subscriber::{Preferences, Subscriber, SubscriberState};
use crate::pipeline::mail::subscribers;
use crate::store::StoreError;
use crate::support::terminal::{self, outln};

/// An event in the history of an address.
struct HistoryLine {
    at: String,
    what: String,
}

/// The configured digests that an address is a recipient of: as suppressions see it, whose hashes know no capitals.
fn digests<'a>(app: &'a App, address: &Address) -> Vec<&'a str> {
    let (key, hash) = (&app.sender.key, app.sender.key.hash(address.as_str()));
    let is_own = |recipient: &Address| key.hash(recipient.as_str()) == hash;
    let of = app.config.digests.iter().filter(|digest| digest.recipients.iter().any(is_own));
    of.map(|digest| digest.id.as_str()).collect()
}

/// Suppressions and bounces of an address, oldest first.
fn marks(app: &App, address: &Address) -> Result<Vec<[String; 3]>, StoreError> {
    app.store().read(|r| r.subscribers().marks_of(&app.sender.key.hash(address.as_str())))
}

/// The name of a suppression's scope; an empty id means all mail.
fn scope(digest: &str) -> String {
    match digest.trim() {
        "" => "all mail".to_owned(),
        "_personal" => "the newsletter".to_owned(),
        id => format!("the digest \"{id}\""),
    }
}

/// A suppression in force.
struct Suppression<'a> {
    scope: String,
    why: &'a str,
    since: &'a str,
}

fn suppressions(marks: &[[String; 3]]) -> Vec<Suppression<'_>> {
    marks
        .iter()
        .filter_map(|[what, why, since]| {
            Some(Suppression { scope: scope(what.strip_prefix("suppressed")?), why, since })
        })
        .collect()
}

/// What a subscriber gets.
fn subscription_line(known: &Subscriber) -> String {
    let Preferences { language, cadence, interests } = &known.preferences;
    let noted = match known.profile.summary() {
        noted if noted.is_empty() => noted,
        noted => format!(", {noted}"),
    };
    format!("in the list: {}, {language}, {cadence}, {}{noted}", known.state.as_str(), interests.summary())
}

/// Prints the whole history of an address.
///
/// # Errors
/// When the store fails, or nothing is known of the address.
pub(super) fn show(app: &App, address: &Address) -> anyhow::Result<()> {
    let hash = app.sender.key.hash(address.as_str());
    let (subscriber, deliveries, sign_ups) = app.store().read(|r| {
        let list = r.subscribers();
        Ok::<_, StoreError>((
            list.get(&hash)?,
            list.deliveries_to(address.as_str())?,
            list.sign_ups_of(&hash)?.len(),
        ))
    })?;
    let (marks, digests) = (marks(app, address)?, digests(app, address));
    let is_unknown = subscriber.is_none() && deliveries.is_empty() && marks.is_empty();
    if is_unknown && digests.is_empty() && sign_ups == 0 {
        return Err(Usage(format!("no subscriber, recipient or delivery is known for {address}")).into());
    }
    let mut out = terminal::stdout();
    writeln!(out, "{address}")?;
    match &subscriber {
        Some(known) => writeln!(out, "{}", subscription_line(known))?,
        None if sign_ups > 0 => writeln!(out, "signed up, not confirmed yet")?,
        None => writeln!(out, "not a subscriber")?,
    }
    if !digests.is_empty() {
        writeln!(out, "recipient of: {}", digests.join(", "))?;
    }
    for Suppression { scope, why, .. } in suppressions(&marks) {
        writeln!(out, "suppressed: {why} (applies to {scope})")?;
    }
    let mut events = subscriber.as_ref().map(entered).unwrap_or_default();
    events.extend(marks.into_iter().map(marked));
    events.extend(deliveries.into_iter().map(delivered));
    // A stable sort: events of the same time keep their order.
    events.sort_by(|a, b| a.at.cmp(&b.at));
    for HistoryLine { at, what } in events {
        writeln!(out, "{at}  {what}")?;
    }
    Ok(())
}

/// How a person joined the list.
fn entered(known: &Subscriber) -> Vec<HistoryLine> {
    let consent = format!("consent: {}", known.consent.source);
    vec![
        HistoryLine { at: known.created.to_string(), what: "added to the list".into() },
        HistoryLine { at: known.consent.at.to_string(), what: consent },
    ]
}

fn marked([what, why, at]: [String; 3]) -> HistoryLine {
    let suppressed = what.strip_prefix("suppressed").or_else(|| what.strip_prefix("was suppressed"));
    let what = match (suppressed, what.strip_prefix("resumed")) {
        (Some(digest), _) => format!("suppressed for {}: {why}", scope(digest)),
        (None, Some(digest)) => format!("receives {} again (was suppressed: {why})", scope(digest)),
        (None, None) => format!("a {why} bounce"),
    };
    HistoryLine { at, what }
}

fn delivered([digest, subject, at, state, error]: [String; 5]) -> HistoryLine {
    let state = match state.as_str() {
        "failed" => "refused",
        "pending" => "waits",
        "sending" => "under way",
        other => other,
    };
    let error = if error.is_empty() { error } else { format!(": {error}") };
    HistoryLine { at, what: format!("{digest}, \"{subject}\", {state}{error}") }
}

/// Resumes mail to an address that paused, left or bounced, and prints why it had none. After a complaint, `even_complained` is
/// required; an erasure cannot be undone.
///
/// # Errors
/// When the store fails, the address is unknown, or it must not get mail again.
pub(super) fn resume(app: &App, address: &Address, even_complained: bool) -> anyhow::Result<()> {
    let hash = app.sender.key.hash(address.as_str());
    let (known, deliveries) = app.store().read(|r| {
        let list = r.subscribers();
        Ok::<_, StoreError>((list.get(&hash)?, list.deliveries_to(address.as_str())?))
    })?;
    let (marks, digests) = (marks(app, address)?, digests(app, address));
    let suppressed = suppressions(&marks);
    let is_for = |reason: &str| suppressed.iter().any(|suppression| suppression.why == reason);
    if is_for("erased") {
        return Err(Usage(format!(
            "{address} was erased at its owner's request: only they can come back, by signing up again or by asking you (`courant subscribers add --resubscribe`)"
        ))
        .into());
    }
    let has_complained = is_for(SubscriberState::Complained.as_str())
        || known.as_ref().is_some_and(|known| known.state == SubscriberState::Complained);
    if has_complained && !even_complained {
        return Err(Usage(format!(
            "{address} reported our mail as spam; nothing was changed. If they asked to receive it again, add --complained"
        ))
        .into());
    }
    for Suppression { scope, why, since } in &suppressed {
        outln!("{address} has received nothing from {scope} since {since}: {why}");
    }
    let last = deliveries.iter().rev().find(|[.., state, error]| state == "failed" && !error.is_empty());
    if let (false, Some([.., error])) = (suppressed.is_empty(), last) {
        outln!("{address}: the last mail was refused: {error}");
    }
    if known.is_some() {
        return set_state(app, address, SubscriberState::Active);
    }
    if suppressed.is_empty() {
        return Err(Usage(format!(
            "{address} is neither suppressed nor on the list: `courant subscribers list` shows who is"
        ))
        .into());
    }
    app.store().write(|w| w.subscribers().lift_suppression(&hash, app.clock.now()))?;
    match digests.is_empty() {
        true => outln!(
            "{address} is no longer suppressed; it is neither on the list nor a recipient of a [[digest]]"
        ),
        false => outln!("{address} gets mail again: {}", digests.join(", ")),
    }
    Ok(())
}

/// The error for an address that is not in the list.
pub(super) fn not_there(address: &Address) -> anyhow::Error {
    Usage(format!("{address} is not on the list: `courant subscribers list` shows who is")).into()
}

/// Sets the state of a subscriber, and prints it.
///
/// # Errors
/// When the store fails, or the address is not in the list.
pub(super) fn set_state(app: &App, address: &Address, state: SubscriberState) -> anyhow::Result<()> {
    let key = &app.sender.key;
    let known = app
        .store()
        .read(|r| r.subscribers().get(&key.hash(address.as_str())))?
        .ok_or_else(|| not_there(address))?;
    let Subscriber { address, preferences, consent, .. } = known;
    let changed = subscribers::put(app.store(), key, address, preferences, consent, state, app.clock.now())?;
    outln!("{} is {}", changed.address, changed.state.as_str());
    Ok(())
}
