//! What requests that change something work on.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::clock::Clock;
use crate::model::source::Source;
use crate::model::token::SigningKey;
use crate::refresh::Refresher;
use crate::templates::Templates;

/// Shared by all of them.
pub struct Hooks {
    pub refresher: Refresher,
    pub sources: Vec<Source>,
    pub clock: Clock,
    /// A longer push is refused.
    pub body_bytes_max: usize,
    pub key: SigningKey,
    pub templates: Templates,
    pub channel_title: String,
}

/// The cause goes to the log and never to the page.
pub(super) fn failed(error: &anyhow::Error) -> Response {
    tracing::error!("a request failed: {error:#}");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
