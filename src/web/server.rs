//! The router: the published folder, forms, and the callbacks of hubs.

use std::convert::Infallible;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path as PathParameter, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::Semaphore;
use tower::Service;

use super::files::Files;
use super::state::{AppState, failed};
use super::{health, hubs, images, search, subscriptions};
use crate::model::publication::Images;
use crate::pipeline::websub::subscriber::{self, PushOutcome, Verification};
use crate::support::telemetry::Metrics;

/// Maximum size of a form.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// Timeout for the head of a request: a slow client would hold a slot that others need.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of connections; further ones wait.
const CONNECTIONS_MAX: usize = 8_192;
/// Send buffer of a connection (the kernel doubles it).
const SEND_BUFFER_BYTES: usize = 256 << 10;
/// Pause before accepting again when the system has no resources for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Time for requests under way to finish when the service ends.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// Path prefixes that do not name files.
const ASKED: [&str; 12] = [
    "/image/",
    "/subscribe",
    "/api/",
    "/confirm/",
    "/preferences/",
    "/unsubscribe/",
    "/search",
    "/healthz",
    "/readyz",
    "/metrics",
    "/websub/",
    "/hub",
];

/// Answers requests: from the published folder, and with `app`, also dynamic ones.
struct WebServer {
    files: Files,
    router: Option<Router>,
    policy: HeaderValue,
    /// The path of the channel; a proxy in front of us may have removed it.
    base: String,
    metrics: Arc<Metrics>,
}

impl WebServer {
    fn new(folder: &Path, app: Option<Arc<AppState>>) -> WebServer {
        let images = if app.as_ref().is_some_and(|app| app.images == Images::Direct) {
            "img-src 'self' https: http:"
        } else {
            "img-src 'self'"
        };
        let policy = format!(
            "default-src 'none'; style-src 'unsafe-inline'; {images}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        );
        let policy =
            HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
        let metrics = app.as_ref().map(|app| app.metrics.clone()).unwrap_or_default();
        let base = app.as_ref().map(|app| app.base()).unwrap_or_default();
        WebServer { files: Files::new(folder), base, router: app.map(router), policy, metrics }
    }

    /// Answers files directly, without the router: they are requested most.
    async fn answer(
        self: Arc<Self>,
        mut request: hyper::Request<hyper::body::Incoming>,
    ) -> Result<Response, Infallible> {
        if !self.base.is_empty() && request.uri().path() == self.base {
            // Links of the page are relative to the folder.
            return Ok(moved(&format!("{}/", self.base)));
        }
        if let Some(uri) = without_base(request.uri(), &self.base) {
            *request.uri_mut() = uri;
        }
        if self.router.is_some()
            && let Some(uri) = without_slash(request.uri())
        {
            // Links of these pages are relative to their folder.
            if request.method() == hyper::Method::GET && ["/search", "/subscribe"].contains(&uri.path()) {
                return Ok(moved(&format!("{}{uri}", self.base)));
            }
            *request.uri_mut() = uri;
        }
        let path = request.uri().path();
        let mut response = match &self.router {
            Some(router) if ASKED.iter().any(|begin| path.starts_with(begin)) => {
                router.clone().call(request).await?
            }
            _ => self.files.answer(request.method(), path, request.headers()),
        };
        under_base(&mut response, &self.base);
        self.metrics.answered(response.status().as_u16());
        Ok(guarded(response, &self.policy))
    }
}

fn moved(location: &str) -> Response {
    (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, location.to_owned())]).into_response()
}

/// The path within the channel, if the proxy in front of us left the channel's path in it.
fn without_base(uri: &hyper::Uri, base: &str) -> Option<hyper::Uri> {
    let inner = uri.path().strip_prefix(base).filter(|inner| !base.is_empty() && inner.starts_with('/'))?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{inner}{query}").parse().ok()
}

/// Prepends the channel's path to redirects within the channel, as seen by clients.
fn under_base(response: &mut Response, base: &str) {
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    let within = location
        .filter(|location| !base.is_empty() && location.starts_with('/') && !location.starts_with("//"));
    if let Some(location) =
        within.and_then(|location| HeaderValue::try_from(format!("{base}{location}")).ok())
    {
        response.headers_mut().insert(header::LOCATION, location);
    }
}

/// The address without a trailing slash, which a mail program or a person may have added.
fn without_slash(uri: &hyper::Uri) -> Option<hyper::Uri> {
    let path = uri.path();
    let shorter = path.trim_end_matches('/');
    if shorter.len() == path.len() || !ASKED.iter().any(|begin| shorter.starts_with(begin)) {
        return None;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{shorter}{query}").parse().ok()
}

fn router(app: Arc<AppState>) -> Router {
    let limit = DefaultBodyLimit::max(app.body_bytes_max);
    let people = Router::new()
        .route("/subscribe", get(subscriptions::show_form).post(subscriptions::send_form))
        .route("/api/subscriptions", post(subscriptions::api))
        .route("/confirm/{token}", get(subscriptions::show_confirm).post(subscriptions::confirm))
        .route(
            "/preferences/{token}",
            get(subscriptions::show_preferences).post(subscriptions::change_preferences),
        )
        .route("/preferences/{token}/data", get(subscriptions::data))
        .route("/unsubscribe/{token}", get(subscriptions::show_leave).post(subscriptions::leave))
        .route("/hub", post(hubs::subscription_request))
        .route("/image/{token}", get(images::picture))
        .route("/search", get(search::search))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .with_state(app.clone());
    people.merge(Router::new().route("/websub/{token}", get(verify).post(push)).layer(limit).with_state(app))
}

/// Adds the headers that every response has.
fn guarded(mut response: Response, policy: &HeaderValue) -> Response {
    if response.status() == StatusCode::NOT_MODIFIED {
        // The headers of the stored response remain in effect (RFC 9111 section 4.3.4).
        return response;
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers
        .insert("permissions-policy", HeaderValue::from_static("camera=(), geolocation=(), microphone=()"));
    response
}

/// Serves until `shutdown` completes; requests under way are finished.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: tokio::net::TcpListener,
    folder: PathBuf,
    app: Option<Arc<AppState>>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let site = Arc::new(WebServer::new(&folder, app));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place,
            () = &mut shutdown => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                // No resources for another socket; the open ones go on.
                Err(_) => {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        // Small responses must not wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        // A whole feed fits into the send buffer, and need not be written in parts.
        let _ = socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES);
        let site = site.clone();
        let service =
            hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(ConnectInfo(peer));
                site.clone().answer(request)
            });
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // Connection errors are the client's.
            let _ = connection.await;
            drop(place);
        });
    }
    let _ = tokio::time::timeout(SHUTDOWN_GRACE, graceful.shutdown()).await;
    Ok(())
}

async fn verify(
    State(app): State<Arc<AppState>>,
    PathParameter(token): PathParameter<String>,
    Query(asked): Query<Verification>,
) -> Response {
    match subscriber::verify(&app.refresher.store, &token, &asked, app.clock.now()) {
        Ok(Some(challenge)) => {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], challenge).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => failed(&error),
    }
}

async fn push(
    State(app): State<Arc<AppState>>,
    PathParameter(token): PathParameter<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let result = subscriber::accept(
        &app.refresher,
        &app.sources,
        &token,
        text("x-hub-signature"),
        text("content-type"),
        &body,
        app.clock.now(),
    )
    .await;
    match result {
        Ok(PushOutcome::Accepted) => StatusCode::ACCEPTED.into_response(),
        Ok(PushOutcome::Forged) => StatusCode::FORBIDDEN.into_response(),
        // 410 tells the hub to drop the subscription (section 7).
        Ok(PushOutcome::Unknown) => StatusCode::GONE.into_response(),
        Err(error) => failed(&error),
    }
}
