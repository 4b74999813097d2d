//! Who may ask the API for what: a token in the header `Authorization` (RFC 6750). What proves nothing is told nothing.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use utoipa::IntoResponses;

use super::Problem;
use crate::model::api_token::{ApiScope, ApiToken, hash_of};
use crate::web::state::{AppState, busy, failed};

/// How all that needs a token can be refused, for the description of the API.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it is only described by it")]
pub(super) enum TokenRefusals {
    /// There is no valid token
    #[response(status = 401, content_type = "application/problem+json")]
    NoValidToken(Problem),
    /// The token does not allow it
    #[response(status = 403, content_type = "application/problem+json")]
    NotAllowed(Problem),
    /// Too much is asked for at once
    #[response(status = 503, content_type = "application/problem+json")]
    TooMuch(Problem),
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AccessRefusal {
    NoToken,
    /// It is none of ours, or does not hold any more.
    InvalidToken,
    InsufficientScope(ApiScope),
}

impl IntoResponse for AccessRefusal {
    fn into_response(self) -> Response {
        let (status, detail, challenge) = match self {
            AccessRefusal::NoToken => {
                let detail = "this needs a token: Authorization: Bearer TOKEN";
                (StatusCode::UNAUTHORIZED, detail.to_owned(), "Bearer realm=\"courant\"".to_owned())
            }
            AccessRefusal::InvalidToken => {
                let detail = "the token is unknown, has expired, or was revoked";
                let challenge = format!(
                    "Bearer realm=\"courant\", error=\"invalid_token\", error_description=\"{detail}\""
                );
                (StatusCode::UNAUTHORIZED, detail.to_owned(), challenge)
            }
            AccessRefusal::InsufficientScope(scope) => {
                let scope = scope.as_str();
                let challenge =
                    format!("Bearer realm=\"courant\", error=\"insufficient_scope\", scope=\"{scope}\"");
                (StatusCode::FORBIDDEN, format!("the token does not allow {scope}"), challenge)
            }
        };
        let mut response = Problem::new(status, detail).into_response();
        if let Ok(challenge) = HeaderValue::try_from(challenge) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// The token of a request.
fn shown_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The token that allows what is asked for.
fn caller(
    app: &AppState,
    headers: &HeaderMap,
    scope: ApiScope,
) -> anyhow::Result<Result<ApiToken, AccessRefusal>> {
    let Some(shown) = shown_token(headers) else { return Ok(Err(AccessRefusal::NoToken)) };
    let (store, now, hash) = (&app.refresher.store, app.clock.now(), hash_of(shown));
    let known = store.read(|r| r.api_tokens().get(&hash))?;
    let Some(token) = known.filter(|token| token.is_valid(now)) else {
        return Ok(Err(AccessRefusal::InvalidToken));
    };
    if !token.allows(scope) {
        return Ok(Err(AccessRefusal::InsufficientScope(scope)));
    }
    if !token.is_use_noted(now) {
        store.write(|w| w.api_tokens().note_used(&hash, now))?;
    }
    Ok(Ok(token))
}

/// Answers whoever has a token that allows it, when it is their turn.
pub(super) async fn for_token<T: IntoResponse + Send + 'static>(
    app: Arc<AppState>,
    headers: HeaderMap,
    scope: ApiScope,
    work: impl FnOnce(&AppState, &ApiToken) -> anyhow::Result<Result<T, Problem>> + Send + 'static,
) -> Response {
    let pool = app.callers.clone();
    let done = pool.run(move || {
        Ok(match caller(&app, &headers, scope)? {
            Ok(token) => work(&app, &token)?.into_response(),
            Err(refusal) => refusal.into_response(),
        })
    });
    let mut response = match done.await {
        Ok(Some(response)) => response,
        Ok(None) => busy(Problem::too_much().into_response()),
        Err(error) => failed(&error),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Lets only those read who have a token.
pub(super) async fn only_with_token(
    State(app): State<Arc<AppState>>,
    request: Request,
    next: Next,
) -> Response {
    let (pool, headers) = (app.callers.clone(), request.headers().clone());
    match pool.run(move || caller(&app, &headers, ApiScope::Read)).await {
        Ok(Some(Ok(_))) => next.run(request).await,
        Ok(Some(Err(refusal))) => refusal.into_response(),
        Ok(None) => busy(Problem::too_much().into_response()),
        Err(error) => failed(&error),
    }
}
