//! Cookies within one chain of redirects, as some sites refuse clients that do not return the cookie of their redirect. They are
//! only sent to the host that set them, and discarded at the end of the chain.

use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};
use url::Url;

use super::headers::header_value;

/// Maximum number of cookies kept within a redirect chain.
const COOKIES_MAX: usize = 20;

/// Host, name and value of each.
#[derive(Default)]
pub(super) struct Cookies(Vec<(String, String, String)>);

impl Cookies {
    /// Keeps what a response sets.
    pub(super) fn keep(&mut self, url: &Url, headers: &HeaderMap) {
        let host = url.host_str().unwrap_or_default();
        for value in headers.get_all(SET_COOKIE) {
            let Some((name, value)) = value
                .to_str()
                .ok()
                .and_then(|line| line.split(';').next())
                .and_then(|pair| pair.split_once('='))
            else {
                continue;
            };
            self.0.retain(|(own, known, _)| !(own == host && known == name.trim()));
            if self.0.len() < COOKIES_MAX {
                self.0.push((host.to_owned(), name.trim().to_owned(), value.trim().to_owned()));
            }
        }
    }

    /// The header of a request; `None` where there is nothing to send.
    pub(super) fn header(&self, url: &Url) -> Option<HeaderValue> {
        let host = url.host_str().unwrap_or_default();
        let cookies: Vec<String> = self
            .0
            .iter()
            .filter(|(own, ..)| own == host)
            .map(|(_, name, value)| format!("{name}={value}"))
            .collect();
        header_value(&cookies.join("; ")).filter(|_| !cookies.is_empty())
    }
}
