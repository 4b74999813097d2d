//! Why no document was received, in sentences for the operator.

use std::time::Duration;

use url::Url;

use super::resolver::PrivateAddress;

/// Maximum number of redirects per request, less than half of what browsers follow.
pub(super) const REDIRECTS_MAX: usize = 8;

/// Why no document was received; the message is a sentence for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error("the name {host} cannot be resolved: check the address, or the name server of this machine")]
    Name { host: String },
    #[error("{host} refuses the connection: the server is down, or the port is wrong")]
    Refused { host: String },
    #[error(
        "{host} is a private address, which courant does not connect to unless you list it in [fetch] allow"
    )]
    Private { host: String },
    #[error(
        "the secure connection to {host} failed ({cause}): its certificate may have expired, or be signed by one that this machine does not know (see [fetch] ca_file)"
    )]
    Tls { host: String, cause: String },
    #[error(
        "the secure connection to {host} failed: what answers there does not speak TLS; the address may have to begin with http://, or have another port"
    )]
    NoTls { host: String },
    #[error("{host} did not answer within {seconds} s")]
    TimedOut { host: String, seconds: u64 },
    #[error("the answer was not complete after {seconds} s and was given up")]
    Deadline { seconds: u64 },
    #[error("the server answers {status}{}", explain(*.status))]
    Status { status: u16, retry_after_seconds: Option<u64> },
    #[error(
        "the server says 410 Gone: the source is closed for good; remove it from the configuration, or find its new address"
    )]
    Gone,
    #[error("more than {REDIRECTS_MAX} redirects, the last to {to}: the server sends us round in circles")]
    Redirects { to: String },
    #[error("the server redirects to \"{to}\", which is not a web address")]
    BadRedirect { to: String },
    #[error("the connection to {host} broke: {cause}")]
    Broken { host: String, cause: String },
}

fn explain(status: u16) -> &'static str {
    match status {
        304 => {
            " although we asked for the whole document: a fault of the server, or of a cache in front of it"
        }
        401 => " (it wants a login)",
        403 => {
            " (it refuses us: the site may block programs, or want to know who we are; see [defaults] user_agent)"
        }
        404 => " (there is nothing at this address: it may have moved)",
        429 => " (we came too often; we wait)",
        500..=599 => " (its own fault; we try again later)",
        _ => "",
    }
}

impl FetchError {
    /// Explains an error by its chain of causes.
    pub(super) fn of(url: &Url, error: &reqwest::Error, timeout: Duration) -> FetchError {
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
            if inner.is::<PrivateAddress>() {
                return FetchError::Private { host };
            }
            cause = inner.source();
        }
        let all = causes.join(": ").to_lowercase();
        let last = causes.pop().unwrap_or_else(|| "no reason given".into());
        if error.is_timeout() || all.contains("timed out") {
            FetchError::TimedOut { host, seconds: timeout.as_secs() }
        } else if all.contains("dns error") || all.contains("failed to lookup") {
            FetchError::Name { host }
        } else if all.contains("invalidcontenttype") {
            FetchError::NoTls { host }
        } else if all.contains("certificate") || all.contains("tls") || all.contains("handshake") {
            FetchError::Tls { host, cause: last }
        } else {
            FetchError::Broken { host, cause: last }
        }
    }

    /// Explains an error while reading a body.
    pub(super) fn of_reading(url: &Url, error: &std::io::Error, timeout: Duration) -> FetchError {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<reqwest::Error>()) {
            Some(error) => FetchError::of(url, error, timeout),
            None => FetchError::Broken {
                host: url.host_str().unwrap_or_default().to_owned(),
                cause: error.to_string(),
            },
        }
    }
}
