//! Conditional GET with limits (RFC 9110, RFC 9111). A request with its redirects, followed by hand; the answer determines what
//! the pipeline does next.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, DATE,
    HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION,
};
use reqwest::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt};
use url::Url;

pub use super::connectors::ClientSettings;
use super::connectors::Connectors;
use super::cookies::Cookies;
use super::decode;
pub use super::fetch_error::FetchError;
use super::fetch_error::REDIRECTS_MAX;
pub use super::headers::{Meta, retry_after};
use super::headers::{header, header_value, http_date};
use super::host_limits::{HostLimits, HostPermit};
use super::robots;
use crate::model::feed::FEED_MEDIA_TYPES;
use crate::model::source::Validators;

/// How much of an unwanted body is read so that its connection can be reused, in bytes.
const DRAIN_BYTES_MAX: usize = 64 * 1024;
/// Pause before the single retry after a broken connection.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Maximum length of a short answer, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024;
const READ_BYTES: usize = 64 * 1024;

/// What is asked for beside the media types of feeds.
const ACCEPT_BESIDE_FEED: &str = "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, text/calendar;q=0.7, text/html;q=0.5, */*;q=0.1";
const ACCEPT_PAGE: &str = "text/html, application/xhtml+xml, application/xml;q=0.8, */*;q=0.1";
const ACCEPT_ROBOTS: &str = "text/plain, */*;q=0.1";

/// The kind of document requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    Feed,
    Page,
    Robots,
}

impl Accept {
    fn accept(self) -> HeaderValue {
        static FEED: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
            HeaderValue::from_str(&format!("{}, {ACCEPT_BESIDE_FEED}", FEED_MEDIA_TYPES.join(", "))).ok()
        });
        let feed = || FEED.clone().unwrap_or(HeaderValue::from_static(ACCEPT_BESIDE_FEED));
        match self {
            Accept::Feed => feed(),
            Accept::Page => HeaderValue::from_static(ACCEPT_PAGE),
            Accept::Robots => HeaderValue::from_static(ACCEPT_ROBOTS),
        }
    }
}

/// A fetched document.
#[derive(Debug, Clone)]
pub struct Fetched {
    pub bytes: Vec<u8>,
    /// The final address, after redirects.
    pub url: Url,
    pub content_type: Option<String>,
    /// Without validators if the body was truncated, lest a part be taken for the whole.
    pub meta: Meta,
    /// Why the body is incomplete, in words.
    pub cut: Option<String>,
}

/// The answer to a request.
#[derive(Debug, Clone)]
pub enum FetchOutcome {
    Document(Box<Fetched>),
    /// 304: our version is current. The validators in this answer replace the old ones.
    NotModified(Meta),
}

/// The client; cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    connectors: Connectors,
    settings: Arc<ClientSettings>,
    host_limits: HostLimits,
    body_bytes: Arc<AtomicU64>,
}

/// The head of an answer.
#[derive(Debug, Clone)]
pub struct Glance {
    pub status: u16,
    pub content_type: Option<String>,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// Whether it says what the page may load, as all our pages do.
    pub has_policy: bool,
    /// The time that the server says it is.
    pub date: Option<Timestamp>,
}

/// The result of one hop.
enum HopResult {
    Answer(FetchOutcome),
    Redirect { to: Url, is_permanent: bool },
}

/// State carried from hop to hop.
struct RedirectChain<'a> {
    validators: &'a Validators,
    wanted: Accept,
    now: Timestamp,
    cookies: Cookies,
}

impl Client {
    /// # Errors
    /// When TLS cannot be set up: no root certificates, or an invalid CA file.
    pub fn new(settings: ClientSettings) -> Result<Client, reqwest::Error> {
        let host_limits = HostLimits::new(settings.per_host);
        let settings = Arc::new(settings);
        let connectors = Connectors::new(settings.clone())?;
        Ok(Client { connectors, settings, host_limits, body_bytes: Arc::default() })
    }

    /// A client for what strangers ask us to fetch: it has places of its own at each host, so that they cannot take those of the
    /// sources, and less time.
    pub fn apart(&self, per_host: usize, deadline: Duration) -> Client {
        let deadline = deadline.min(self.settings.deadline);
        Client {
            settings: Arc::new(ClientSettings {
                deadline,
                per_host,
                ..ClientSettings::clone(&self.settings)
            }),
            host_limits: HostLimits::new(per_host),
            ..self.clone()
        }
    }

    pub(super) fn settings(&self) -> &ClientSettings {
        &self.settings
    }

    /// Limit for a whole request.
    pub fn deadline(&self) -> Duration {
        self.settings.deadline
    }

    /// Number of body bytes received so far, decompressed.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes.load(Ordering::Relaxed)
    }

    /// Our product token for robots.txt: the User-Agent up to its version.
    pub fn product(&self) -> &str {
        self.settings.user_agent.split(['/', ' ']).next().unwrap_or("courant")
    }

    /// The network that an address on the web is in, whatever its host is called; `None` if that cannot be told.
    pub async fn network_of(&self, url: &Url) -> Option<String> {
        self.connectors.network_of(url).await
    }

    /// A place at the host of a page that somebody else fetches for us.
    pub async fn place(&self, url: &Url) -> HostPermit {
        self.host_limits.enter(url).await
    }

    /// Waits until `delay` has passed since the last page of this host was asked for.
    pub async fn pace(&self, url: &Url, delay: Duration) {
        self.host_limits.pace(url, delay).await;
    }

    /// Fetches a document unless it is unchanged. `now` is for dates in headers.
    ///
    /// # Errors
    /// When no document was received.
    pub async fn get(
        &self,
        url: &Url,
        validators: &Validators,
        wanted: Accept,
        now: Timestamp,
    ) -> Result<FetchOutcome, FetchError> {
        let mut unlimited = Duration::MAX;
        self.get_within(url, validators, wanted, now, &mut unlimited).await
    }

    /// The same with a budget of time for several requests, from which this one takes what it needs.
    ///
    /// # Errors
    /// As above.
    pub async fn get_within(
        &self,
        url: &Url,
        validators: &Validators,
        wanted: Accept,
        now: Timestamp,
        budget: &mut Duration,
    ) -> Result<FetchOutcome, FetchError> {
        let mut remaining = self.settings.deadline.min(*budget);
        let seconds = remaining.as_secs();
        let mut url = url.clone();
        let mut chain = RedirectChain { validators, wanted, now, cookies: Cookies::default() };
        let (mut hops, mut is_permanent) = (0, true);
        loop {
            // Waiting for a permit is our own doing, and does not count against the server.
            let _place = self.host_limits.enter(&url).await;
            let started = tokio::time::Instant::now();
            let step = tokio::time::timeout(remaining, self.hop(&url, &mut chain)).await;
            remaining = remaining.saturating_sub(started.elapsed());
            *budget = budget.saturating_sub(started.elapsed());
            match step.unwrap_or(Err(FetchError::Deadline { seconds }))? {
                HopResult::Answer(mut answer) => {
                    answer.meta_mut().moved_to = (hops > 0 && is_permanent).then_some(url);
                    return Ok(answer);
                }
                HopResult::Redirect { to, .. } if hops == REDIRECTS_MAX => {
                    return Err(FetchError::Redirects { to: to.to_string() });
                }
                HopResult::Redirect { to, is_permanent: this_one } => {
                    is_permanent &= this_one;
                    hops += 1;
                    url = to;
                }
            }
        }
    }

    /// Posts a form to a hub.
    ///
    /// # Errors
    /// When it was not accepted.
    pub async fn post_form(&self, url: &Url, form: String) -> Result<(), FetchError> {
        let _place = self.host_limits.enter(url).await;
        let request = self
            .connectors
            .to(url)?
            .post(url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form)
            .timeout(self.settings.deadline);
        let response = request.send().await.map_err(|error| self.explain(url, &error))?;
        let status = response.status();
        drain(response).await;
        if status.is_success() {
            Ok(())
        } else {
            Err(FetchError::Status { status: status.as_u16(), retry_after_seconds: None })
        }
    }

    /// Posts a body, and ignores the response body.
    ///
    /// # Errors
    /// When it was not accepted.
    pub async fn post(
        &self,
        url: &Url,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<(), FetchError> {
        let _place = self.host_limits.enter(url).await;
        let (status, _) = self.send_body(Method::POST, url, headers, body).await?;
        accepted(status, None)
    }

    /// Posts or puts a body, and ignores the response body. `now` is for dates in headers.
    ///
    /// # Errors
    /// When it was not accepted.
    pub async fn send_to(
        &self,
        (is_put, url): (bool, &Url),
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        now: Timestamp,
    ) -> Result<(), FetchError> {
        let _place = self.host_limits.enter(url).await;
        let method = if is_put { Method::PUT } else { Method::POST };
        let (status, answered) = self.send_body(method, url, headers, body).await?;
        accepted(status, retry_after(&answered, now))
    }

    /// Sends a body, and answers what is said to it.
    async fn send_body(
        &self,
        method: Method,
        url: &Url,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<(StatusCode, HeaderMap), FetchError> {
        let connector = self.connectors.to(url)?;
        let request = connector.request(method, url.clone()).body(body).timeout(self.settings.deadline);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let response = request.send().await.map_err(|error| self.explain(url, &error))?;
        let answered = (response.status(), response.headers().clone());
        drain(response).await;
        Ok(answered)
    }

    /// Requests a short answer, without following redirects.
    ///
    /// # Errors
    /// When there is none.
    pub async fn ask(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        self.take(url, ANSWER_BYTES_MAX).await
    }

    /// Fetches a resource completely or not at all, without following redirects.
    ///
    /// # Errors
    /// When it cannot be fetched, or is longer than `bytes_max`.
    pub async fn take(&self, url: &Url, bytes_max: usize) -> Result<Vec<u8>, FetchError> {
        let _place = self.host_limits.enter(url).await;
        let response = self
            .connectors
            .to(url)?
            .get(url.clone())
            .timeout(self.settings.deadline)
            .send()
            .await
            .map_err(|error| self.explain(url, &error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(FetchError::Status { status: status.as_u16(), retry_after_seconds: None });
        }
        let (mut answer, mut chunks) = (Vec::new(), response.bytes_stream());
        while let Some(chunk) = chunks.next().await {
            answer.extend_from_slice(&chunk.map_err(|error| self.explain(url, &error))?);
            if answer.len() > bytes_max {
                return Err(FetchError::Status {
                    status: StatusCode::PAYLOAD_TOO_LARGE.as_u16(),
                    retry_after_seconds: None,
                });
            }
        }
        Ok(answer)
    }

    /// What a server answers, whatever that is, without following redirects. The body is not read.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn glance(&self, url: &Url) -> Result<Glance, FetchError> {
        let _place = self.host_limits.enter(url).await;
        let request = self.connectors.to(url)?.get(url.clone()).timeout(self.settings.deadline);
        let response = request.send().await.map_err(|error| self.explain(url, &error))?;
        let headers = response.headers();
        Ok(Glance {
            status: response.status().as_u16(),
            content_type: header(headers, &CONTENT_TYPE),
            location: header(headers, &LOCATION),
            has_policy: headers.contains_key(CONTENT_SECURITY_POLICY),
            date: http_date(headers, &DATE),
        })
    }

    /// One request and its answer; a connection that breaks before the answer is retried once.
    async fn hop(&self, url: &Url, chain: &mut RedirectChain<'_>) -> Result<HopResult, FetchError> {
        let response = self.send_twice(url, chain).await?;
        let status = response.status();
        match status {
            // A 304 makes no sense if the request had no validators.
            StatusCode::NOT_MODIFIED if *chain.validators == Validators::default() => {
                drain(response).await;
                Err(FetchError::Status { status: 304, retry_after_seconds: None })
            }
            StatusCode::NOT_MODIFIED => {
                Ok(HopResult::Answer(FetchOutcome::NotModified(Meta::of(response.headers(), url, chain.now))))
            }
            StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT => {
                let to = redirect_target(url, response.headers())?;
                chain.cookies.keep(url, response.headers());
                drain(response).await;
                Ok(HopResult::Redirect { to, is_permanent: matches!(status.as_u16(), 301 | 308) })
            }
            _ if status.is_success() => Ok(HopResult::Answer(FetchOutcome::Document(Box::new(
                self.receive(url, response, chain).await?,
            )))),
            StatusCode::GONE => {
                drain(response).await;
                Err(FetchError::Gone)
            }
            _ => {
                let retry_after_seconds = retry_after(response.headers(), chain.now);
                drain(response).await;
                Err(FetchError::Status { status: status.as_u16(), retry_after_seconds })
            }
        }
    }

    /// Sends a request; a connection that breaks before the answer is retried once.
    async fn send_twice(
        &self,
        url: &Url,
        chain: &RedirectChain<'_>,
    ) -> Result<reqwest::Response, FetchError> {
        match self.send(url, chain).await {
            Err(FetchError::Broken { .. }) => {
                tokio::time::sleep(RETRY_PAUSE).await;
                self.send(url, chain).await
            }
            result => result,
        }
    }

    async fn send(&self, url: &Url, chain: &RedirectChain<'_>) -> Result<reqwest::Response, FetchError> {
        let mut request = self
            .connectors
            .to(url)?
            .get(url.clone())
            .header(ACCEPT, chain.wanted.accept())
            .header(ACCEPT_ENCODING, decode::ACCEPT_ENCODING);
        for (name, value) in
            [(IF_NONE_MATCH, &chain.validators.etag), (IF_MODIFIED_SINCE, &chain.validators.last_modified)]
        {
            if let Some(value) = value.as_deref().and_then(header_value) {
                request = request.header(name, value);
            }
        }
        if let Some(value) = chain.cookies.header(url) {
            request = request.header(COOKIE, value);
        }
        request.send().await.map_err(|error| self.explain(url, &error))
    }

    /// Reads a body up to a maximum length; also returns why it is not complete, if so.
    async fn read_body(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        bytes_max: usize,
        broken: impl Fn(&std::io::Error) -> FetchError,
    ) -> Result<(Vec<u8>, Option<String>), FetchError> {
        let mut bytes = Vec::new();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match reader.read(&mut buffer).await {
                Ok(0) => return Ok((bytes, None)),
                Ok(read) => {
                    self.body_bytes.fetch_add(read as u64, Ordering::Relaxed);
                    let room = bytes_max - bytes.len();
                    bytes.extend_from_slice(&buffer[..read.min(room)]);
                    if read > room {
                        let cut = format!("the document is longer than {bytes_max} bytes and was cut there");
                        return Ok((bytes, Some(cut)));
                    }
                }
                Err(error) if bytes.is_empty() => return Err(broken(&error)),
                Err(error) => {
                    let cut = format!("the document came incomplete: {}", broken(&error));
                    return Ok((bytes, Some(cut)));
                }
            }
        }
    }

    /// Receives the body, decoding it as it arrives, up to the limit.
    async fn receive(
        &self,
        url: &Url,
        response: reqwest::Response,
        chain: &RedirectChain<'_>,
    ) -> Result<Fetched, FetchError> {
        let mut meta = Meta::of(response.headers(), url, chain.now);
        let content_type = header(response.headers(), &CONTENT_TYPE);
        let content_encoding = header(response.headers(), &CONTENT_ENCODING).unwrap_or_default();
        let bytes_max = if chain.wanted == Accept::Robots {
            robots::BODY_BYTES_MAX
        } else {
            self.settings.body_bytes_max
        };
        let broken = |error: &std::io::Error| FetchError::of_reading(url, error, self.settings.timeout);
        let stream = response.bytes_stream().map(|chunk| chunk.map_err(std::io::Error::other));
        let mut reader = decode::decoded(stream, &content_encoding).await.map_err(|error| broken(&error))?;
        let (bytes, cut) = self.read_body(&mut reader, bytes_max, broken).await?;
        if cut.is_some() {
            meta.validators = Validators::default();
        }
        Ok(Fetched { bytes, url: url.clone(), content_type, meta, cut })
    }

    fn explain(&self, url: &Url, error: &reqwest::Error) -> FetchError {
        FetchError::of(url, error, self.settings.timeout)
    }
}

impl FetchOutcome {
    fn meta_mut(&mut self) -> &mut Meta {
        match self {
            FetchOutcome::Document(fetched) => &mut fetched.meta,
            FetchOutcome::NotModified(meta) => meta,
        }
    }
}

/// Whether what was sent was accepted.
fn accepted(status: StatusCode, retry_after_seconds: Option<u64>) -> Result<(), FetchError> {
    match status {
        StatusCode::GONE => Err(FetchError::Gone),
        _ if status.is_success() => Ok(()),
        _ => Err(FetchError::Status { status: status.as_u16(), retry_after_seconds }),
    }
}

/// Reads the rest of a short body so that the connection can be reused.
async fn drain(mut response: reqwest::Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > DRAIN_BYTES_MAX {
            break;
        }
    }
}

fn redirect_target(url: &Url, headers: &HeaderMap) -> Result<Url, FetchError> {
    // Servers send addresses in raw UTF-8, which is invalid in headers but accepted by all browsers.
    let to = match headers.get(LOCATION).map(|value| std::str::from_utf8(value.as_bytes())) {
        Some(Ok(text)) => text.to_owned(),
        _ => header(headers, &LOCATION).unwrap_or_default(),
    };
    match url.join(&to) {
        Ok(target) if !to.is_empty() && matches!(target.scheme(), "http" | "https") => Ok(target),
        _ => Err(FetchError::BadRedirect { to }),
    }
}
