//! The first page: what is wrong now, and all sources with how they are doing.

use std::collections::HashMap;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::access::{AdminQuery, Visit, for_role, moment};
use super::chart::{Plot, by_day};
use crate::model::admin::AdminRole;
use crate::model::source::{FetchState, Source};
use crate::store::{SourceDay, SourceRow, StoreError, day_number};
use crate::support::i18n::said;
use crate::web::subscriptions::SharedState;

/// Sources on a page.
const SOURCES_ON_PAGE: usize = 100;
/// Days of a sparkline.
pub(super) const DAYS: usize = 30;

pub(super) async fn show(
    State(app): SharedState,
    Query(asked): Query<AdminQuery>,
    headers: HeaderMap,
) -> Response {
    for_role(app, headers, asked.l.clone(), AdminRole::Viewer, move |visit| page(visit, &asked)).await
}

/// Whether somebody should look at a source.
fn needs_care(state: &FetchState) -> bool {
    let has_fault = state.last_error.is_some() || state.warning.is_some() || state.is_gone;
    has_fault || state.page.mend().is_some()
}

fn page(visit: &Visit, asked: &AdminQuery) -> anyhow::Result<Response> {
    let store = &visit.app.refresher.store;
    let is_by_partner = |source: &&Source| asked.partner.is_empty() || source.partner == asked.partner;
    let mut chosen: Vec<&Source> = visit.app.sources.iter().filter(is_by_partner).collect();
    if !asked.broken.is_empty() {
        let states = store.read(|r| r.sources().states())?;
        chosen.retain(|source| states.get(&source.id).is_some_and(needs_care));
    }
    let pages = chosen.len().div_ceil(SOURCES_ON_PAGE).max(1);
    let number = asked.page.clamp(1, pages);
    let shown: Vec<&Source> =
        chosen.iter().copied().skip((number - 1) * SOURCES_ON_PAGE).take(SOURCES_ON_PAGE).collect();
    let (rows, days, alarms) = {
        let ids: Vec<&str> = shown.iter().map(|source| source.id.as_str()).collect();
        store.read(|r| {
            let from = first_day(visit.app.clock.now());
            let days = r.overview().source_days(&ids, from)?;
            Ok::<_, StoreError>((r.sources().rows_of(&ids)?, days, r.alarms().open()?))
        })?
    };
    let rows: HashMap<&str, &SourceRow> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
    let views = shown.iter().map(|source| view(visit, source, rows.get(source.id.as_str()).copied(), &days));
    let mut partners: Vec<&str> = visit.app.sources.iter().map(|source| source.partner.as_str()).collect();
    partners.sort_unstable();
    partners.dedup();
    let alarms = alarms.iter().map(|alarm| {
        let (subject, text) = (&alarm.finding.subject, &alarm.finding.text);
        json!({ "subject": subject, "text": text, "since": moment(Some(alarm.raised)) })
    });
    let more = json!({
        "sources": views.collect::<Vec<Value>>(),
        "alarms": alarms.collect::<Vec<Value>>(),
        "partners": partners,
        "partner": asked.partner,
        "partner_query": encoded(&asked.partner),
        "is_broken": !asked.broken.is_empty(),
        "number": number,
        "pages": pages,
        "count": chosen.len(),
    });
    let heading = ("sources", visit.phrase("sources"));
    Ok(visit.page(StatusCode::OK, "admin/sources.html", heading, more))
}

/// The first day of a sparkline that ends today.
pub(super) fn first_day(now: Timestamp) -> i64 {
    day_number(now) - DAYS as i64 + 1
}

/// A source as pages show it; `days` are those of any sources.
pub(super) fn view(visit: &Visit, source: &Source, row: Option<&SourceRow>, days: &[SourceDay]) -> Value {
    let state = row.map(|row| row.state.clone()).unwrap_or_default();
    let own = days.iter().filter(|day| day.source == source.id).map(|day| (day.day, day.entries));
    let numbers = by_day(first_day(visit.app.clock.now()), DAYS, own);
    let words = [
        ("days", DAYS.into()),
        ("total", numbers.iter().sum::<u64>().into()),
        ("most", numbers.iter().copied().max().unwrap_or(0).into()),
    ];
    let label = said("admin_spark", visit.language, &words);
    let plot = Plot::stacked(&numbers.iter().map(|number| [*number]).collect::<Vec<_>>(), label);
    let fault = state.last_error.clone().or_else(|| state.warning.clone());
    json!({
        "id": source.id,
        "query": query_of(source),
        "partner": source.partner,
        "kind": source.kind.name,
        "address": source.public_address(),
        "entries": row.map_or(0, |row| row.entries),
        "plot": plot,
        "last_success": moment(state.last_success),
        "next": next_poll(visit, source, &state),
        "why": state.next_poll_reason.as_ref().filter(|_| is_polled(source, &state)),
        "fault": fault,
        "failures": state.failures,
        "to_do": to_do(&state).map(|name| visit.phrase(name)),
        "is_failing": state.last_error.is_some() || state.is_gone,
        "is_mended": state.page.mend().is_some(),
        "mended": state.page.mended,
        "way": state.page.way,
    })
}

/// The parameter by which a source is asked for.
pub(super) fn query_of(source: &Source) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair("id", &source.id).finish()
}

/// A value within an address.
fn encoded(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

fn is_polled(source: &Source, state: &FetchState) -> bool {
    source.is_enabled && !state.is_gone && source.mail_address().is_none()
}

/// When a source is read next: a time, or words.
fn next_poll(visit: &Visit, source: &Source, state: &FetchState) -> Value {
    let words = |name: &str| json!({ "at": null, "text": visit.phrase(name) });
    match (source.is_enabled, state.is_gone) {
        _ if source.mail_address().is_some() => words("admin_by_mail"),
        (false, _) => words("admin_disabled"),
        (true, true) => words("admin_never"),
        (true, false) if state.next_poll.is_none_or(|next| next <= visit.app.clock.now()) => {
            words("admin_now")
        }
        (true, false) => moment(state.next_poll),
    }
}

/// What the operator can do about a fault.
fn to_do(state: &FetchState) -> Option<&'static str> {
    match (state.is_gone, &state.last_error, &state.warning) {
        (true, ..) => Some("admin_do_gone"),
        (false, Some(_), _) if state.failures > 1 => Some("admin_do_failing"),
        (false, Some(_), _) => Some("admin_do_once"),
        (false, None, Some(_)) => Some("admin_do_warning"),
        (false, None, None) => None,
    }
}
