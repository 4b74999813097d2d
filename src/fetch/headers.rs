//! Reads response headers: validators, freshness, links, Retry-After.

use jiff::Timestamp;
use reqwest::header::{
    AGE, CACHE_CONTROL, DATE, ETAG, EXPIRES, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED, LINK,
    RETRY_AFTER,
};
use url::Url;

use crate::model::source::Validators;

/// Maximum length of a validator, in bytes.
const VALIDATOR_BYTES_MAX: usize = 1024;

/// The metadata of a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meta {
    pub validators: Validators,
    /// How long the response stays fresh (RFC 9111 section 4.2.1), in seconds.
    pub fresh_seconds: Option<u64>,
    /// The target of the redirects, if all of them were permanent (301, 308).
    pub moved_to: Option<Url>,
    /// `Link` headers with `rel=hub` (WebSub section 4).
    pub hubs: Vec<String>,
    /// The `Link` header with `rel=self`.
    pub self_url: Option<String>,
}

impl Meta {
    /// Reads the headers of a response from `url`.
    pub fn of(headers: &HeaderMap, url: &Url, now: Timestamp) -> Meta {
        let sane = |value: &String| !value.is_empty() && value.len() <= VALIDATOR_BYTES_MAX;
        let links = links(headers, url);
        Meta {
            validators: Validators {
                etag: header(headers, &ETAG).filter(sane),
                last_modified: header(headers, &LAST_MODIFIED).filter(sane),
            },
            fresh_seconds: fresh_seconds(headers, now),
            moved_to: None,
            hubs: links.iter().filter(|(rel, _)| rel == "hub").map(|(_, href)| href.clone()).collect(),
            self_url: links.into_iter().find(|(rel, _)| rel == "self").map(|(_, href)| href),
        }
    }
}

/// A header as text; non-ASCII bytes are mapped to one character each.
pub(super) fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| value.as_bytes().iter().map(|&byte| byte as char).collect())
}

/// The inverse of `header`.
pub(super) fn header_value(text: &str) -> Option<HeaderValue> {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    HeaderValue::from_bytes(&bytes?).ok()
}

/// `Link` headers (RFC 8288) as pairs of relation and address; several relations give several pairs.
fn links(headers: &HeaderMap, url: &Url) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for value in headers.get_all(LINK).iter().take(20) {
        let text: String = value.as_bytes().iter().map(|&byte| byte as char).collect();
        for part in text.split('<').skip(1) {
            let Some((href, parameters)) = part.split_once('>') else { continue };
            let rel = parameters.split(';').find_map(|parameter| {
                let (name, value) = parameter.split_once('=')?;
                name.trim()
                    .eq_ignore_ascii_case("rel")
                    .then(|| value.trim().trim_end_matches(',').trim().trim_matches('"').to_ascii_lowercase())
            });
            let Ok(href) = url.join(href.trim()) else { continue };
            found.extend(
                rel.unwrap_or_default()
                    .split_ascii_whitespace()
                    .map(|rel| (rel.to_owned(), href.to_string())),
            );
        }
    }
    found
}

/// How long a response stays fresh: `max-age` minus its age, or else `Expires`.
fn fresh_seconds(headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let directives: Vec<String> = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|part| part.trim().to_ascii_lowercase())
        .collect();
    if directives.iter().any(|directive| directive == "no-store" || directive == "no-cache") {
        return None;
    }
    // A number that overflows counts as the largest (RFC 9111 section 1.2.2).
    let seconds = |text: &str| {
        text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let max_age = directives.iter().find_map(|directive| {
        seconds(directive.strip_prefix("max-age=")?.trim_matches('"')).filter(|_| directive.len() > 8)
    });
    if let Some(max_age) = max_age {
        let age = header(headers, &AGE).and_then(|age| age.trim().parse::<u64>().ok()).unwrap_or(0);
        return Some(max_age.saturating_sub(age));
    }
    let expires = http_date(headers, &EXPIRES)?;
    Some(seconds_until(expires, headers, now))
}

pub(super) fn http_date(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    Timestamp::try_from(httpdate::parse_http_date(header(headers, name)?.trim()).ok()?).ok()
}

/// Counts from the server's `Date`, or from now if that is implausible: clocks differ, especially in a replay.
fn seconds_until(date: Timestamp, headers: &HeaderMap, now: Timestamp) -> u64 {
    const WEEK: i64 = 7 * 86_400;
    let from_now = date.duration_since(now).as_secs();
    let from_server = http_date(headers, &DATE).map(|server| date.duration_since(server).as_secs());
    let seconds = match from_server {
        Some(seconds) if (1..=WEEK).contains(&seconds) || !(1..=WEEK).contains(&from_now) => seconds,
        _ => from_now,
    };
    u64::try_from(seconds).unwrap_or(0)
}

/// `Retry-After` (RFC 9110 section 10.2.3), in seconds from now.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let value = header(headers, &RETRY_AFTER)?;
    if let Ok(seconds) = value.trim().parse() {
        return Some(seconds);
    }
    http_date(headers, &RETRY_AFTER).map(|date| seconds_until(date, headers, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn fresh(lines: &[(&str, &str)]) -> Option<u64> {
        fresh_seconds(&headers(lines), "2022-10-20T08:00:00Z".parse().unwrap())
    }

    #[test]
    fn freshness_is_max_age_else_expires() {
        assert_eq!(fresh(&[("cache-control", "public, max-age=3600")]), Some(3600));
        assert_eq!(fresh(&[("cache-control", "Max-Age=\"60\""), ("age", "20")]), Some(40));
        assert_eq!(fresh(&[("cache-control", "max-age=99999999999999999999999")]), Some(u64::MAX));
        assert_eq!(fresh(&[("cache-control", "no-cache, max-age=60")]), None);
        assert_eq!(fresh(&[("expires", "Thu, 20 Oct 2022 10:00:00 GMT")]), Some(7200));
        assert_eq!(
            fresh(&[("expires", "Thu, 20 Oct 2022 10:00:00 GMT"), ("date", "Thu, 20 Oct 2022 09:30:00 GMT")]),
            Some(1800)
        );
        // The server's clock differs from ours by years.
        assert_eq!(
            fresh(&[("expires", "Thu, 20 Oct 2022 10:00:00 GMT"), ("date", "Tue, 01 Oct 2024 00:00:00 GMT")]),
            Some(7200)
        );
        assert_eq!(fresh(&[("expires", "0")]), None);
        assert_eq!(fresh(&[("expires", "Thu, 20 Oct 2022 07:00:00 GMT")]), Some(0));
        assert_eq!(fresh(&[]), None);
    }

    #[test]
    fn link_headers_name_hub_and_self() {
        let url = Url::parse("https://example.org/a/feed").unwrap();
        let headers = headers(&[
            ("link", "<https://hub.example/>; rel=\"hub\", <feed.xml>; title=x; rel=self"),
            ("link", "<https://two.example/>;rel=hub"),
        ]);
        let want = [
            ("hub", "https://hub.example/"),
            ("self", "https://example.org/a/feed.xml"),
            ("hub", "https://two.example/"),
        ];
        assert_eq!(links(&headers, &url), want.map(|(rel, href)| (rel.to_owned(), href.to_owned())));
    }

    #[test]
    fn a_validator_comes_back_byte_for_byte() {
        let odd = HeaderValue::from_bytes(b"W/\"\xE9 'x\"").unwrap();
        let kept = header(&[(ETAG, odd.clone())].into_iter().collect(), &ETAG).unwrap();
        assert_eq!(header_value(&kept).unwrap(), odd);
    }
}
