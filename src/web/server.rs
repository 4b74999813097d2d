//! The router: the published folder, and the callbacks of hubs.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path as PathParameter, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

use super::hooks::{Hooks, failed};
use super::subscriptions;
use crate::websub::{self, Push, Verification};

/// Nobody chooses so much.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// The router over a folder; with `hooks`, hubs may push to it.
pub fn router(folder: &Path, hooks: Option<Arc<Hooks>>) -> Router {
    let policy =
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
    let mut router = Router::new().fallback_service(ServeDir::new(folder));
    if let Some(hooks) = hooks {
        let limit = DefaultBodyLimit::max(hooks.body_bytes_max);
        let people = Router::new()
            .route("/subscribe", get(subscriptions::show_form).post(subscriptions::send_form))
            .route("/api/subscriptions", post(subscriptions::api))
            .route("/confirm/{token}", get(subscriptions::show_confirm).post(subscriptions::confirm))
            .route("/preferences/{token}", get(subscriptions::show_preferences).post(subscriptions::change_preferences))
            .route("/preferences/{token}/data", get(subscriptions::data))
            .route("/unsubscribe/{token}", get(subscriptions::show_leave).post(subscriptions::leave))
            .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
            .with_state(hooks.clone());
        router = router.merge(people).merge(Router::new().route("/websub/{token}", get(verify).post(push)).layer(limit).with_state(hooks));
    }
    router
        .layer(SetResponseHeaderLayer::if_not_present(header::CONTENT_SECURITY_POLICY, policy))
        .layer(SetResponseHeaderLayer::if_not_present(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .layer(SetResponseHeaderLayer::if_not_present(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")))
}

/// Serves until `shutdown` is done; requests under way are finished.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: tokio::net::TcpListener,
    folder: PathBuf,
    hooks: Option<Arc<Hooks>>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let service = router(&folder, hooks).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(shutdown).await
}

async fn verify(State(hooks): State<Arc<Hooks>>, PathParameter(token): PathParameter<String>, Query(asked): Query<Verification>) -> Response {
    match websub::verify(&mut hooks.refresher.store(), &token, &asked, hooks.clock.now()) {
        Ok(Some(challenge)) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], challenge).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => failed(&error),
    }
}

async fn push(State(hooks): State<Arc<Hooks>>, PathParameter(token): PathParameter<String>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let result = websub::accept(&hooks.refresher, &hooks.sources, &token, text("x-hub-signature"), text("content-type"), &body, hooks.clock.now()).await;
    match result {
        Ok(Push::Accepted) => StatusCode::ACCEPTED.into_response(),
        Ok(Push::Forged) => StatusCode::FORBIDDEN.into_response(),
        // 410 tells the hub to forget us (section 7).
        Ok(Push::Unknown) => StatusCode::GONE.into_response(),
        Err(error) => failed(&error),
    }
}
