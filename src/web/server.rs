//! The router: the published folder, forms, and the callbacks of hubs.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path as PathParameter, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::crowd::{ConnectionLimits, Crowd};
use super::files::Files;
use super::pace::{PacedBody, PacedStream};
use super::state::{AppState, failed};
use super::{admin, alarms, api, desk, health, hubs, images, partners, search, subscriptions};
use crate::model::publication::Images;
use crate::pipeline::websub::subscriber::{self, PushOutcome, Verification};
use crate::support::telemetry::Metrics;

/// Maximum size of a form.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// Timeout for the head of a request: a slow client would hold a slot that others need.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of connections, where the system lets us have so many; of those that ask for metrics.
const CONNECTIONS_MAX: usize = 8_192;
const METRICS_CONNECTIONS_MAX: usize = 16;
/// Clients that are connected and not accepted yet. From one more on, the kernel of Linux answers with SYN cookies and may lose
/// the first bytes of a request that comes in several segments.
const BACKLOG: i32 = 4_096;
/// Send buffer of a connection (the kernel doubles it).
const SEND_BUFFER_BYTES: usize = 256 << 10;
/// Pause before accepting again when the system has no resources for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Time for requests under way to finish when the service ends.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);
/// How long a client that was accepted may take to ask for something while the server stops.
const FIRST_REQUEST_GRACE: Duration = Duration::from_millis(500);

/// Path prefixes that do not name files.
const ASKED: [&str; 14] = [
    "/image/",
    "/subscribe",
    "/api/",
    "/confirm/",
    "/preferences/",
    "/desk/",
    "/alarms/",
    "/partner/",
    "/unsubscribe/",
    "/search",
    "/healthz",
    "/readyz",
    "/websub/",
    "/hub",
];

/// What is served, under one address; it can be replaced while requests are answered.
pub struct LiveSite(RwLock<Arc<WebServer>>);

impl LiveSite {
    /// Serves the published files, and with `app`, also dynamic pages.
    pub fn new(files: Files, app: Option<Arc<AppState>>) -> Arc<LiveSite> {
        Arc::new(LiveSite(RwLock::new(Arc::new(WebServer::new(files, app)))))
    }

    /// From the next request on, serves this.
    pub fn replace(&self, files: Files, app: Arc<AppState>) {
        let site = Arc::new(WebServer::new(files, Some(app)));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = site;
    }

    fn now(&self) -> Arc<WebServer> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Answers requests: from the published folder, and with `app`, also dynamic ones.
struct WebServer {
    files: Files,
    router: Option<Router>,
    app: Option<Arc<AppState>>,
    policy: HeaderValue,
    /// The path of the channel; a proxy in front of us may have removed it.
    base: String,
    metrics: Arc<Metrics>,
}

impl WebServer {
    fn new(files: Files, app: Option<Arc<AppState>>) -> WebServer {
        let images = if app.as_ref().is_some_and(|app| app.images == Images::Direct) {
            "img-src 'self' https: http:"
        } else {
            "img-src 'self'"
        };
        let policy = format!(
            "default-src 'none'; style-src 'unsafe-inline'; font-src 'self'; {images}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        );
        let policy =
            HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
        let metrics = app.as_ref().map(|app| app.metrics.clone()).unwrap_or_default();
        let base = app.as_ref().map(|app| app.base()).unwrap_or_default();
        WebServer { files, base, router: app.clone().map(router), app, policy, metrics }
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
            && let Some(uri) = without_slash(request.uri(), |path| self.is_asked(path))
        {
            // Links of these pages are relative to their folder.
            if request.method() == hyper::Method::GET && ["/search", "/subscribe"].contains(&uri.path()) {
                return Ok(moved(&format!("{}{uri}", self.base)));
            }
            *request.uri_mut() = uri;
        }
        let path = request.uri().path();
        let mut response = match &self.router {
            Some(router) if self.is_asked(path) => routed(router.clone(), request).await,
            _ => self.file(&request).await,
        };
        under_base(&mut response, &self.base);
        self.metrics.answered(response.status().as_u16());
        Ok(guarded(response, &self.policy))
    }

    /// Whether a path does not name a file. What nobody may sign in to is not there.
    fn is_asked(&self, path: &str) -> bool {
        let has_admin = self.app.as_ref().is_some_and(|app| !app.admin_accounts.is_empty());
        ASKED.iter().any(|begin| path.starts_with(begin))
            || has_admin && (path == "/admin" || path.starts_with("/admin/"))
    }

    /// A published file, or else a page that leads to those that there are.
    async fn file(&self, request: &hyper::Request<hyper::body::Incoming>) -> Response {
        let headers = request.headers();
        let response = self.files.answer(request.method(), request.uri().path(), headers).await;
        match &self.app {
            Some(app) if response.status() == StatusCode::NOT_FOUND && takes_html(headers) => {
                subscriptions::nothing_here(app, headers)
            }
            _ => response,
        }
    }
}

/// Whether a client asks for web pages: a browser does, a feed reader and a script do not.
fn takes_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        matches!(parts.next(), Some("text/html" | "application/xhtml+xml"))
            && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// An answer of the router, to a request whose body may not be too slow.
async fn routed(mut router: Router, request: hyper::Request<hyper::body::Incoming>) -> Response {
    let (head, body) = request.into_parts();
    let (body, is_late) = PacedBody::new(body);
    let Ok(response) = router.call(hyper::Request::from_parts(head, Body::new(body))).await;
    if is_late.load(Ordering::Relaxed) {
        let headers = [(header::CONNECTION, "close")];
        return (StatusCode::REQUEST_TIMEOUT, headers, "the request came too slowly\n").into_response();
    }
    response
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
fn without_slash(uri: &hyper::Uri, is_asked: impl Fn(&str) -> bool) -> Option<hyper::Uri> {
    let path = uri.path();
    let shorter = path.trim_end_matches('/');
    if shorter.len() == path.len() || !is_asked(shorter) {
        return None;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{shorter}{query}").parse().ok()
}

fn router(app: Arc<AppState>) -> Router {
    let limit = DefaultBodyLimit::max(app.body_bytes_max);
    let admin = if app.admin_accounts.is_empty() { Router::new() } else { admin::routes() };
    let people = Router::new()
        .merge(admin)
        .merge(partners::routes())
        .route("/subscribe", get(subscriptions::show_form).post(subscriptions::send_form))
        .route("/api/subscriptions", post(subscriptions::api))
        .route("/confirm/{token}", get(subscriptions::show_confirm).post(subscriptions::confirm))
        .route(
            "/preferences/{token}",
            get(subscriptions::show_preferences).post(subscriptions::change_preferences),
        )
        .route("/preferences/{token}/data", get(subscriptions::data))
        .route("/preferences/{token}/keep", get(subscriptions::show_keep).post(subscriptions::keep))
        .route("/unsubscribe/{token}", get(subscriptions::show_leave).post(subscriptions::leave))
        .route("/desk/{token}", get(desk::show).post(desk::rule))
        .route("/desk/{token}/preview", get(desk::preview))
        .route("/alarms/{token}", get(alarms::feed))
        .route("/hub", post(hubs::subscription_request))
        .route("/image/{token}", get(images::picture))
        .route("/search", get(search::search))
        .nest("/api/v1", api::routes(&app))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
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

/// How many connections there may be, if so many files may be open and `kept_back` of them are needed elsewhere.
pub fn connection_limits(files_max: usize, kept_back: usize, proxies: Vec<IpNet>) -> ConnectionLimits {
    let total = files_max.saturating_sub(kept_back).max(files_max / 4);
    ConnectionLimits { total: total.clamp(1, CONNECTIONS_MAX), proxies }
}

/// Listens at an address, for a crowd.
///
/// # Errors
/// When the address is none, is in use, or not ours.
pub async fn listen(address: impl ToSocketAddrs) -> std::io::Result<std::net::TcpListener> {
    adopt(TcpListener::bind(address).await?.into_std()?)
}

/// Makes a socket that listens already one for a crowd.
///
/// # Errors
/// When the system refuses.
pub fn adopt(listener: std::net::TcpListener) -> std::io::Result<std::net::TcpListener> {
    listener.set_nonblocking(true)?;
    // Asked again, the system only changes how many may wait.
    socket2::SockRef::from(&listener).listen(BACKLOG)?;
    Ok(listener)
}

/// Serves until `shutdown` completes; requests under way are finished.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    site: Arc<LiveSite>,
    limits: ConnectionLimits,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let answer = move |mut request: hyper::Request<hyper::body::Incoming>, peer| {
        request.extensions_mut().insert(ConnectInfo(peer));
        site.now().answer(request)
    };
    accept(listener, limits, answer, shutdown).await
}

/// Answers `/metrics` alone, until `shutdown` completes.
///
/// # Errors
/// When the listener fails.
pub async fn serve_metrics(
    listener: TcpListener,
    site: Arc<LiveSite>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let answer = move |request, _| {
        let router = Router::new().route("/metrics", get(health::metrics));
        let router = site.now().app.clone().map_or_else(Router::new, |app| router.with_state(app));
        async move { Ok(routed(router, request).await) }
    };
    let limits = ConnectionLimits { total: METRICS_CONNECTIONS_MAX, proxies: Vec::new() };
    accept(listener, limits, answer, shutdown).await
}

/// Accepts connections and lets `answer` answer their requests, until `shutdown` completes.
async fn accept<A, F>(
    listener: TcpListener,
    limits: ConnectionLimits,
    answer: A,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()>
where
    A: Fn(hyper::Request<hyper::body::Incoming>, SocketAddr) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let (stopping, connections) = (CancellationToken::new(), TaskTracker::new());
    let crowd = Crowd::new(limits);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept_one(&listener) => accepted,
            () = &mut shutdown => break,
        };
        let place = crowd.clone().enter(peer.ip()).await;
        let (guest, end) = (place.guest.clone(), place.guest.end.clone());
        let stream = PacedStream::new(stream, move || guest.moved());
        let answer = answer.clone();
        let asked = CancellationToken::new();
        let leaving = may_leave(stopping.clone(), asked.clone());
        let service = hyper::service::service_fn(move |request| {
            asked.cancel();
            answer(request, peer)
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        connections.spawn(async move {
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                // Connection errors are the client's.
                _ = connection.as_mut() => {}
                () = end.cancelled() => {}
                () = leaving => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        _ = connection => {}
                        () = end.cancelled() => {}
                    }
                }
            }
            drop(place);
        });
    }
    stopping.cancel();
    connections.close();
    let _ = tokio::time::timeout(SHUTDOWN_GRACE, connections.wait()).await;
    Ok(())
}

/// When a connection may be closed, once the server stops: whoever was accepted and has not asked yet is given a moment to, since
/// nobody else would answer.
async fn may_leave(stopping: CancellationToken, asked: CancellationToken) {
    stopping.cancelled().await;
    let _ = tokio::time::timeout(FIRST_REQUEST_GRACE, asked.cancelled()).await;
}

/// The next connection.
async fn accept_one(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // No resources for another socket; the open ones go on.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Small responses must not wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        // A whole feed fits into the send buffer, and need not be written in parts.
        let _ = socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES);
        return (stream, peer);
    }
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
