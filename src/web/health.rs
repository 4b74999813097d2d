//! What machines ask of the service: is it alive, is it ready, how is it doing.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::state::{AppState, failed};
use crate::model::publication::PublicationKey;
use crate::store::StoreError;
use crate::support::telemetry::METRICS;

/// The process answers.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// The store answers, and the last turn of the pipeline went well.
pub async fn ready(State(app): State<Arc<AppState>>) -> Response {
    if let Err(error) = app.refresher.store.read(|r| r.entries().last()) {
        tracing::error!("not ready: {error}");
        return (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response();
    }
    match METRICS.last_cycle_failed() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "the last cycle failed: the log says why\n").into_response(),
        false => (StatusCode::OK, "ready\n").into_response(),
    }
}

/// Prometheus text format 0.0.4.
pub async fn metrics(State(app): State<Arc<AppState>>) -> Response {
    match text(&app) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => failed(&error),
    }
}

fn text(app: &AppState) -> anyhow::Result<String> {
    let mut out = METRICS.text();
    let (states, last, stories, subscribers, deliveries) = app.refresher.store.read(|r| {
        Ok::<_, StoreError>((
            r.sources().states()?,
            r.entries().last()?,
            r.publishing().last(&PublicationKey::Channel)?,
            r.subscribers().counts()?,
            r.mailing().delivery_counts()?,
        ))
    })?;
    let of = |id: &str| states.get(id);
    let enabled: Vec<_> = app.sources.iter().filter(|source| source.is_enabled).collect();
    let failing = enabled.iter().filter(|source| of(&source.id).is_some_and(|state| state.last_error.is_some())).count();
    let mut gauge = |name: &str, help: &str, rows: &[(String, u64)]| -> std::fmt::Result {
        writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge")?;
        rows.iter().try_for_each(|(labels, value)| writeln!(out, "{name}{labels} {value}"))
    };
    gauge(
        "courant_sources",
        "Sources that are read, by how they are.",
        &[("{state=\"ok\"}".into(), (enabled.len() - failing) as u64), ("{state=\"failing\"}".into(), failing as u64)],
    )?;
    gauge("courant_entries_last", "The number of the last entry.", &[(String::new(), last.0.unsigned_abs())])?;
    gauge("courant_stories", "Stories in the merged feed and its archives.", &[(String::new(), stories.0.unsigned_abs())])?;
    let labelled = |rows: Vec<(String, u64)>| rows.into_iter().map(|(state, count)| (format!("{{state=\"{state}\"}}"), count)).collect::<Vec<_>>();
    gauge("courant_subscribers", "Subscribers by state.", &labelled(subscribers))?;
    gauge("courant_deliveries", "Deliveries by state.", &labelled(deliveries))?;
    Ok(out)
}
