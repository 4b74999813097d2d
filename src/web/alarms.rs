//! The private feed of alarms: its address is signed, and known to the operator alone.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::state::{AppState, failed};
use crate::model::token::ALARMS;
use crate::pipeline::alarms::{FEED, alarms_address};
use crate::publish::alarms;

/// Alarms in the feed.
const ALARMS_MAX: usize = 100;

/// `GET /alarms/TOKEN`.
pub(super) async fn feed(State(app): State<Arc<AppState>>, Path(token): Path<String>) -> Response {
    if app.sender.key.verify(ALARMS, &token).as_deref() != Some(FEED) {
        return (StatusCode::NOT_FOUND, "there is nothing here\n").into_response();
    }
    let address = alarms_address(&app.sender.key, &app.channel.url);
    let latest = app.refresher.store.read(|r| r.alarms().latest(ALARMS_MAX));
    let rendered = latest
        .map_err(anyhow::Error::from)
        .and_then(|latest| Ok(alarms::render(&app.channel, &address, &latest)?));
    match rendered {
        Ok(feed) => {
            let headers = [
                (header::CONTENT_TYPE, "application/atom+xml; charset=utf-8"),
                (header::CACHE_CONTROL, "private, max-age=60"),
            ];
            (headers, feed).into_response()
        }
        Err(error) => failed(&error),
    }
}
