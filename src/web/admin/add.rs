//! Adding a source: an address is pasted, it is shown what is read there, and with one more button it stands in the configuration.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use url::Url;

use super::access::{AdminQuery, Visit, by_form_at, for_role, see};
use crate::config::addition::{self, AdditionError, NewSource, SourceFate};
use crate::model::admin::AdminRole;
use crate::model::source::SourceKind;
use crate::pipeline::refresh::preview::SourcePreview;
use crate::support::text::{direction, is_language_tag, one_line, truncated};
use crate::web::forms::Form;
use crate::web::source_view::moment;
use crate::web::subscriptions::{SharedState, with};

/// Addresses that one account has looked at in an hour: each costs a stranger's server a few requests.
const LOOKS_PER_HOUR: u32 = 60;
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Of an address, and of a name, in bytes.
const ADDRESS_BYTES_MAX: usize = 2_000;
const NAME_BYTES_MAX: usize = 200;

pub(super) async fn show(
    State(app): SharedState,
    Query(asked): Query<AdminQuery>,
    headers: HeaderMap,
) -> Response {
    for_role(app, headers, asked.l.clone(), AdminRole::Operator, move |visit| {
        Ok(page(visit, StatusCode::OK, json!({ "is_done": !asked.done.is_empty() })))
    })
    .await
}

fn page(visit: &Visit, status: StatusCode, more: Value) -> Response {
    visit.page(status, "admin/add.html", ("add", visit.phrase("admin_add")), more)
}

pub(super) async fn act(State(app): SharedState, headers: HeaderMap, body: Bytes) -> Response {
    // Strangers' servers are slow: whoever waits for them keeps nobody else waiting.
    let pool = app.previews.clone();
    by_form_at(pool, app, headers, body, AdminRole::Operator, |visit, form| {
        Ok(match form.one("do") {
            "add" => add(visit, form),
            _ => look(visit, form),
        })
    })
    .await
}

/// What a form names as the address, as it would stand in the configuration.
fn address(form: &Form) -> Result<(String, Url), String> {
    let text = one_line(truncated(form.one("address"), ADDRESS_BYTES_MAX)).trim().to_owned();
    let url = (SourceKind::of_address(&text).address)(&text)?;
    Ok((text, url))
}

/// A fault, with what was entered.
fn fault(visit: &Visit, form: &Form, reason: &str) -> Response {
    let more = json!({ "fault": visit.phrase("admin_add_nothing"), "reason": reason, "address": form.one("address") });
    page(visit, StatusCode::UNPROCESSABLE_ENTITY, more)
}

/// Shows what is read at an address.
fn look(visit: &Visit, form: &Form) -> Response {
    let (app, now) = (&visit.app, visit.app.clock.now());
    let (text, url) = match address(form) {
        Ok(address) => address,
        Err(reason) => return fault(visit, form, &reason),
    };
    let key = format!("look {}", visit.account.name);
    if !app.limits.allow(key, LOOKS_PER_HOUR, HOUR, now) {
        return visit.told(StatusCode::TOO_MANY_REQUESTS, "too_many");
    }
    // This is a thread of its own.
    match Handle::current().block_on(app.refresher.preview(&url, now)) {
        Ok(preview) if preview.entries.is_empty() => fault(visit, form, ""),
        Ok(preview) => page(visit, StatusCode::OK, found(visit, &text, &preview)),
        Err(error) => fault(visit, form, &error.to_string()),
    }
}

fn found(visit: &Visit, address: &str, preview: &SourcePreview) -> Value {
    let entry = |entry: &crate::model::entry::Entry| {
        let tag = entry.language.as_deref().unwrap_or(&visit.app.channel.language);
        json!({ "title": entry.headline(), "url": entry.url, "language": tag, "dir": direction(tag), "date": moment(entry.date()) })
    };
    let feed = preview.feed.as_deref().filter(|feed| *feed != address);
    let addresses: Vec<&str> = std::iter::once(address).chain(feed).collect();
    json!({ "address": address, "preview": {
        "title": truncated(&preview.title, NAME_BYTES_MAX),
        "language": preview.language.as_deref().filter(|tag| is_language_tag(tag)),
        "way": preview.way,
        "count": preview.count,
        "addresses": addresses,
        "entries": preview.entries.iter().map(entry).collect::<Vec<Value>>(),
    } })
}

/// Adds a source to the configuration, which is read again at once.
fn add(visit: &Visit, form: &Form) -> Response {
    let text = match address(form) {
        Ok((text, _)) => text,
        Err(reason) => return fault(visit, form, &reason),
    };
    let name = one_line(truncated(form.one("partner"), NAME_BYTES_MAX)).trim().to_owned();
    let language = Some(form.one("language").to_owned()).filter(|tag| is_language_tag(tag));
    let source = NewSource { name, address: text, language, ..NewSource::default() };
    let path = &visit.app.config_path;
    match addition::add(path, std::slice::from_ref(&source), false).map(|mut fates| fates.pop()) {
        Ok(Some(SourceFate::New(id))) => {
            tracing::info!(account = visit.account.name, source.id = id, "added at /admin");
            visit.app.reloads.notify_one();
            see(&format!("/admin/add?l={}&done=1", visit.language))
        }
        Ok(Some(SourceFate::Known(id))) => {
            let more =
                json!({ "fault": visit.phrase("admin_add_known"), "reason": id, "address": source.address });
            page(visit, StatusCode::CONFLICT, more)
        }
        Ok(Some(SourceFate::Refused(reason))) => fault(visit, form, &reason),
        Ok(None) => fault(visit, form, ""),
        Err(error @ AdditionError::Unwritable { .. }) => {
            tracing::warn!("a source could not be added at /admin: {error}");
            by_hand(visit, &source)
        }
        Err(error) => {
            let more = json!({ "fault": visit.phrase("admin_add_by_hand"), "reason": error.to_string(), "address": source.address });
            page(visit, StatusCode::CONFLICT, with(more, own_text(visit, &source)))
        }
    }
}

/// The page where the file cannot be written: what to add to it.
pub(super) fn by_hand(visit: &Visit, source: &NewSource) -> Response {
    let more = json!({ "fault": visit.phrase("admin_add_by_hand"), "address": source.address });
    page(visit, StatusCode::CONFLICT, with(more, own_text(visit, source)))
}

fn own_text(visit: &Visit, source: &NewSource) -> Value {
    let fates = addition::add(&visit.app.config_path, std::slice::from_ref(source), true);
    let id = match fates.map(|mut fates| fates.pop()) {
        Ok(Some(SourceFate::New(id))) => id,
        _ => "source".to_owned(),
    };
    json!({ "toml": addition::as_toml(&id, source) })
}
