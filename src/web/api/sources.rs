//! One source as its operator sees it, for programs with a token.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path as PathParameter, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::{TokenRefusals, for_token};
use super::{ApiSource, Problem, api_source};
use crate::model::api_token::ApiScope;
use crate::model::source::{FetchState, Source};
use crate::web::state::AppState;

/// A source, with what only its operator should read: an error may quote the page.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiSourceDetails {
    source: ApiSource,
    /// The last error, in words.
    error: Option<String>,
    /// A fault in a document that was readable all the same.
    warning: Option<String>,
    /// Why it is polled next when it is.
    next_poll_reason: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_attempt: Option<Timestamp>,
    /// When it last brought news.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_news: Option<Timestamp>,
    /// How the entries of a page are found, in words.
    way: Option<String>,
    /// What was mended by itself and when, in words.
    mended: Option<String>,
}

fn known<'a>(app: &'a AppState, id: &str) -> Result<&'a Source, Problem> {
    let found = app.sources.by_id(id).filter(|source| source.is_enabled);
    found.ok_or_else(|| Problem::not_there("source"))
}

/// One source, and why it fails.
#[utoipa::path(get, path = "/api/v1/sources/{id}", params(("id" = String, Path, description = "Id of the source")), security(("token" = ["sources:read"])), responses(
    (status = 200, description = "The source", body = ApiSourceDetails),
    (status = 404, description = "There is no such source", body = Problem, content_type = "application/problem+json"),
    TokenRefusals,
))]
pub(super) async fn one(
    State(app): State<Arc<AppState>>,
    PathParameter(id): PathParameter<String>,
    headers: HeaderMap,
) -> Response {
    for_token(app, headers, ApiScope::ReadSources, move |app, _| {
        let source = found!(known(app, &id));
        let row = app.refresher.store.read(|r| r.sources().get(&id))?;
        let state = row.as_ref().map(|row| row.state.clone()).unwrap_or_default();
        Ok(Ok(Json(ApiSourceDetails {
            source: api_source(source, row),
            error: state.last_error,
            warning: state.warning,
            next_poll_reason: state.next_poll_reason,
            last_attempt: state.last_attempt,
            last_news: state.rhythm.news_at,
            way: state.page.way,
            mended: state.page.mended,
        })))
    })
    .await
}

/// Has a source read at the next cycle, whenever it would be due; one that is gone is asked once more.
#[utoipa::path(post, path = "/api/v1/sources/{id}/poll", params(("id" = String, Path, description = "Id of the source")), security(("token" = ["sources:write"])), responses(
    (status = 202, description = "It is due"),
    (status = 404, description = "There is no such source", body = Problem, content_type = "application/problem+json"),
    TokenRefusals,
))]
pub(super) async fn poll(
    State(app): State<Arc<AppState>>,
    PathParameter(id): PathParameter<String>,
    headers: HeaderMap,
) -> Response {
    for_token(app, headers, ApiScope::WriteSources, move |app, token| {
        let source = found!(known(app, &id));
        let (now, reason) = (app.clock.now(), format!("asked for by the {}", token.signature()));
        app.refresher.store.write(|w| {
            let state = w.sources().state(&id)?;
            let due =
                FetchState { next_poll: Some(now), next_poll_reason: Some(reason), is_gone: false, ..state };
            w.sources().put_state(&id, &source.partner, source.position, &due)
        })?;
        Ok(Ok(StatusCode::ACCEPTED))
    })
    .await
}
