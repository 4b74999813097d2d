//! Conditional GET under limits (RFC 9110, RFC 9111). One request, its redirects followed by hand; the answer says
//! what the pipeline does next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, RETRY_AFTER};
use url::Url;

use crate::model::source::Validators;

/// Redirects followed for one request, as browsers do less than half of.
const REDIRECTS_MAX: usize = 8;
/// A header longer than this is no validator, in bytes.
const VALIDATOR_BYTES_MAX: usize = 1024;

const ACCEPT_FEED: &str = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, text/html;q=0.5, */*;q=0.1";
const ACCEPT_PAGE: &str = "text/html, application/xhtml+xml, application/xml;q=0.8, */*;q=0.1";

/// Limits and identity of all requests.
#[derive(Debug, Clone)]
pub struct Settings {
    pub user_agent: String,
    pub timeout: Duration,
    pub deadline: Duration,
    pub body_bytes_max: usize,
    pub proxy: Option<Url>,
    /// A PEM file of further certificate authorities, read.
    pub extra_roots_pem: Option<Vec<u8>>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Feed,
    Page,
}

/// A document that came.
#[derive(Debug, Clone)]
pub struct Fetched {
    pub bytes: Vec<u8>,
    /// Where it was found, after redirects.
    pub url: Url,
    pub content_type: Option<String>,
    /// Empty when the body was cut: half a document must not be taken for the whole.
    pub validators: Validators,
    /// Why the body is not whole, in words.
    pub cut: Option<String>,
}

/// The answer to a request.
#[derive(Debug, Clone)]
pub enum Answer {
    Document(Box<Fetched>),
    /// 304: what we have is current. The validators that came with it replace the old ones.
    NotModified(Validators),
}

/// Why no document came; the display is a sentence for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error("the name {host} cannot be resolved: check the address, or the name server of this machine")]
    Name { host: String },
    #[error("{host} refuses the connection: the server is down, or the port is wrong")]
    Refused { host: String },
    #[error("the secure connection to {host} failed ({cause}): its certificate may have expired or be unknown to this machine")]
    Tls { host: String, cause: String },
    #[error("{host} did not answer within {seconds} s")]
    TimedOut { host: String, seconds: u64 },
    #[error("the answer was not complete after {seconds} s and was given up")]
    Deadline { seconds: u64 },
    #[error("the server answers {status}{}", explain(*.status))]
    Status { status: u16, retry_after_seconds: Option<u64> },
    #[error("the server says 410 Gone: the source is closed for good; remove it from the configuration, or find its new address")]
    Gone,
    #[error("more than {REDIRECTS_MAX} redirects, the last to {to}: the server sends us round in circles")]
    Redirects { to: String },
    #[error("the server redirects to \"{to}\", which is no web address")]
    BadRedirect { to: String },
    #[error("the connection to {host} broke: {cause}")]
    Broken { host: String, cause: String },
}

fn explain(status: u16) -> &'static str {
    match status {
        401 => " (it wants a login)",
        403 => " (it refuses us: the site may block programs, or want to know who we are; see [defaults] user_agent)",
        404 => " (there is nothing at this address: it may have moved)",
        429 => " (we came too often; we wait)",
        500..=599 => " (its own fault; we try again later)",
        _ => "",
    }
}

/// The client; cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    settings: Settings,
    body_bytes: Arc<AtomicU64>,
}

impl Client {
    /// # Errors
    /// When the TLS part cannot be set up: no root certificates, or a broken CA file.
    pub fn new(settings: Settings) -> Result<Client, reqwest::Error> {
        let mut builder = reqwest::Client::builder()
            .user_agent(&settings.user_agent)
            .connect_timeout(settings.timeout)
            .read_timeout(settings.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false);
        if let Some(proxy) = &settings.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.clone())?);
        }
        if let Some(pem) = &settings.extra_roots_pem {
            builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem)?);
        }
        Ok(Client { http: builder.build()?, settings, body_bytes: Arc::default() })
    }

    /// Body bytes received so far, decompressed.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes.load(Ordering::Relaxed)
    }

    /// Fetches a document, unless it is what we have. `now` is for `Retry-After` given as a date.
    ///
    /// # Errors
    /// When no document came.
    pub async fn get(&self, url: &Url, validators: &Validators, wanted: Wanted, now: Timestamp) -> Result<Answer, FetchError> {
        let seconds = self.settings.deadline.as_secs();
        tokio::time::timeout(self.settings.deadline, self.get_within_deadline(url, validators, wanted, now))
            .await
            .unwrap_or(Err(FetchError::Deadline { seconds }))
    }

    async fn get_within_deadline(&self, url: &Url, validators: &Validators, wanted: Wanted, now: Timestamp) -> Result<Answer, FetchError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let mut request = self.http.get(url.clone()).header(ACCEPT, if wanted == Wanted::Feed { ACCEPT_FEED } else { ACCEPT_PAGE });
            if let Some(etag) = &validators.etag {
                request = request.header(IF_NONE_MATCH, etag);
            }
            if let Some(date) = &validators.last_modified {
                request = request.header(IF_MODIFIED_SINCE, date);
            }
            let response = request.send().await.map_err(|error| self.explain(&url, &error))?;
            let status = response.status();
            match status {
                StatusCode::NOT_MODIFIED => return Ok(Answer::NotModified(validators_of(response.headers()))),
                StatusCode::GONE => return Err(FetchError::Gone),
                StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER | StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
                    url = redirect_target(&url, response.headers())?;
                }
                _ if status.is_success() => return self.receive(url, response).await.map(|fetched| Answer::Document(Box::new(fetched))),
                _ => return Err(FetchError::Status { status: status.as_u16(), retry_after_seconds: retry_after(response.headers(), now) }),
            }
        }
        Err(FetchError::Redirects { to: url.to_string() })
    }

    /// Reads the body as it comes, up to the limit.
    async fn receive(&self, url: Url, response: reqwest::Response) -> Result<Fetched, FetchError> {
        let validators = validators_of(response.headers());
        let content_type = header(response.headers(), &CONTENT_TYPE);
        let mut bytes = Vec::new();
        let mut cut = None;
        let mut stream = response.bytes_stream();
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => {
                    self.body_bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                    let room = self.settings.body_bytes_max - bytes.len();
                    bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
                    if chunk.len() > room {
                        cut = Some(format!("the document is longer than {} bytes and was cut there", self.settings.body_bytes_max));
                        break;
                    }
                }
                Err(error) if bytes.is_empty() => return Err(self.explain(&url, &error)),
                Err(error) => {
                    cut = Some(format!("the document came incomplete: {}", self.explain(&url, &error)));
                    break;
                }
            }
        }
        let validators = if cut.is_some() { Validators::default() } else { validators };
        Ok(Fetched { bytes, url, content_type, validators, cut })
    }

    /// Says what went wrong, from the chain of causes.
    fn explain(&self, url: &Url, error: &reqwest::Error) -> FetchError {
        let host = url.host_str().unwrap_or("the server").to_owned();
        let mut causes = Vec::new();
        let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
        while let Some(inner) = cause {
            causes.push(inner.to_string());
            if let Some(io) = inner.downcast_ref::<std::io::Error>()
                && io.kind() == std::io::ErrorKind::ConnectionRefused
            {
                return FetchError::Refused { host };
            }
            cause = inner.source();
        }
        let all = causes.join(": ").to_lowercase();
        let last = causes.pop().unwrap_or_else(|| "no reason given".into());
        if error.is_timeout() || all.contains("timed out") {
            FetchError::TimedOut { host, seconds: self.settings.timeout.as_secs() }
        } else if all.contains("dns error") || all.contains("failed to lookup") {
            FetchError::Name { host }
        } else if all.contains("certificate") || all.contains("tls") || all.contains("handshake") {
            FetchError::Tls { host, cause: last }
        } else {
            FetchError::Broken { host, cause: last }
        }
    }
}

fn redirect_target(url: &Url, headers: &HeaderMap) -> Result<Url, FetchError> {
    let to = header(headers, &LOCATION).unwrap_or_default();
    match url.join(&to) {
        Ok(target) if !to.is_empty() && matches!(target.scheme(), "http" | "https") => Ok(target),
        _ => Err(FetchError::BadRedirect { to }),
    }
}

/// A header as text; bytes beyond ASCII are kept, one character each.
fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| value.as_bytes().iter().map(|&byte| byte as char).collect())
}

fn validators_of(headers: &HeaderMap) -> Validators {
    let sane = |value: &String| value.len() <= VALIDATOR_BYTES_MAX && value.is_ascii();
    Validators { etag: header(headers, &ETAG).filter(sane), last_modified: header(headers, &LAST_MODIFIED).filter(sane) }
}

/// `Retry-After` (RFC 9110 section 10.2.3), in seconds from now.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let value = header(headers, &RETRY_AFTER)?;
    if let Ok(seconds) = value.trim().parse() {
        return Some(seconds);
    }
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    let until = Timestamp::try_from(date).ok()?.duration_since(now).as_secs();
    u64::try_from(until).ok()
}
