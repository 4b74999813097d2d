//! The first page: what is wrong now, and all sources with how they are doing.

use std::collections::HashMap;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::access::{AdminQuery, Visit, for_role};
use crate::model::admin::AdminRole;
use crate::model::source::{FetchState, Source};
use crate::store::{SourceRow, StoreError};
use crate::web::source_view::{SourceViewer, first_day, moment};
use crate::web::subscriptions::{SharedState, with};

/// Sources on a page.
const SOURCES_ON_PAGE: usize = 100;

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
    let viewer = SourceViewer { app: &visit.app, language: visit.language, is_partner: false };
    let views = shown.iter().map(|source| {
        let seen = viewer.view(source, rows.get(source.id.as_str()).copied(), &days);
        with(seen, json!({ "query": query_of(source) }))
    });
    let mut partners: Vec<&str> = visit.app.sources.iter().map(|source| source.partner.as_str()).collect();
    partners.sort_unstable();
    partners.dedup();
    let alarms = alarms.iter().map(|alarm| {
        let (subject, text) = (&alarm.finding.subject, &alarm.finding.text);
        let kind = visit.phrase(&format!("alarm_{}", alarm.finding.kind.as_str().replace('.', "_")));
        json!({ "kind": kind, "subject": subject, "text": text, "since": moment(Some(alarm.raised)) })
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

/// The parameter by which a source is asked for.
pub(super) fn query_of(source: &Source) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair("id", &source.id).finish()
}

/// A value within an address.
fn encoded(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}
