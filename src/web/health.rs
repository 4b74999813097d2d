//! Endpoints for monitoring: liveness, readiness, metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::state::{AppState, failed};
use crate::model::digest::DigestId;
use crate::model::publication::PublicationKey;
use crate::store::StoreError;
use crate::support::telemetry::Gauges;

/// Liveness: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Readiness: the store answers, the last cycle of the pipeline succeeded, and the one under way gets on.
pub(super) async fn ready(State(app): State<Arc<AppState>>) -> Response {
    if let Err(error) = app.refresher.store.read(|r| r.entries().last()) {
        tracing::error!("not ready: {error}");
        return (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response();
    }
    let silence = app.metrics.pulse.silence();
    if silence > app.stalled_after {
        let said = format!("the work has got no further for {} seconds\n", silence.as_secs());
        return (StatusCode::SERVICE_UNAVAILABLE, said).into_response();
    }
    match app.metrics.last_cycle_failed() {
        true => {
            (StatusCode::SERVICE_UNAVAILABLE, "the last cycle failed: the log says why\n").into_response()
        }
        false => (StatusCode::OK, "ready\n").into_response(),
    }
}

/// Metrics for Prometheus.
pub(super) async fn metrics(State(app): State<Arc<AppState>>) -> Response {
    match levels(&app).and_then(|levels| Ok(app.metrics.text(&levels)?)) {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
                .into_response()
        }
        Err(error) => failed(&error),
    }
}

fn levels(app: &AppState) -> anyhow::Result<Gauges> {
    let (states, last, stories, subscribers, deliveries) = app.refresher.store.read(|r| {
        Ok::<_, StoreError>((
            r.sources().states()?,
            r.entries().last()?,
            r.publishing().last(&PublicationKey::Channel)?,
            r.subscribers().counts()?,
            // Whether a sign-up leads to a mail depends on who is on the list.
            r.mailing().delivery_counts(&DigestId::Confirmation)?,
        ))
    })?;
    let enabled = app.sources.iter().filter(|source| source.is_enabled).count();
    let is_failing = |id: &str| states.get(id).is_some_and(|state| state.last_error.is_some());
    let failing = app.sources.iter().filter(|source| source.is_enabled && is_failing(&source.id)).count();
    Ok(Gauges {
        sources_ok: (enabled - failing) as u64,
        sources_failing: failing as u64,
        entries_last: last.0.unsigned_abs(),
        stories: stories.0.unsigned_abs(),
        subscribers,
        deliveries,
    })
}
