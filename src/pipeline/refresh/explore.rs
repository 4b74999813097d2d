//! Tries a page's machine-readable endpoints in order: its feeds, its WordPress posts, a news sitemap.

use std::collections::HashSet;

use jiff::Timestamp;
use url::Url;

use super::extraction::extract_apart;
use super::read_error::ReadError;
use crate::extract::prose_date::DateRules;
use crate::fetch::client::{Accept, Answer, Client, FetchError, Fetched};
use crate::model::address::canonical_key;
use crate::model::feed::{FeedFormat, RawFeed};
use crate::model::source::Validators;

/// Maximum number of documents tried for a page.
const ENDPOINTS_MAX: usize = 5;

/// A machine-readable document that stands in for a page.
pub struct Endpoint {
    pub feed: RawFeed,
    pub fetched: Fetched,
    pub url: String,
}

/// The first endpoint that yields entries. With `listed`, the addresses on the page, it has to yield one of them: a site's feed
/// may hold quite different entries than one of its pages.
///
/// # Errors
/// When a worker thread fails.
pub async fn explore(
    client: &Client,
    endpoints: &[String],
    page: &Url,
    listed: Option<&HashSet<String>>,
    rules: DateRules,
    now: Timestamp,
) -> anyhow::Result<Option<Endpoint>> {
    for endpoint in endpoints.iter().take(ENDPOINTS_MAX) {
        let Ok(url) = page.join(endpoint) else { continue };
        let Ok(Answer::Document(fetched)) = client.get(&url, &Validators::default(), Accept::Feed, now).await
        else {
            continue;
        };
        let (fetched, result) = extract_apart(*fetched, rules).await?;
        let Ok(feed) = result else { continue };
        let is_shared = |listed: &HashSet<String>| {
            feed.entries
                .iter()
                .filter_map(|entry| canonical_key(entry.url()?))
                .any(|key| listed.contains(&key))
        };
        if !feed.entries.is_empty() && listed.is_none_or(is_shared) {
            return Ok(Some(Endpoint { feed, fetched, url: url.to_string() }));
        }
    }
    Ok(None)
}

/// The name of a format among the ways to read a page.
pub fn way(format: FeedFormat) -> &'static str {
    match format {
        FeedFormat::WordPress => "WordPress REST",
        FeedFormat::Sitemap => "news sitemap",
        FeedFormat::Calendar => "calendar",
        FeedFormat::Telegram => "Telegram",
        _ => "feed autodiscovery",
    }
}

/// The first readable feed that a page names, for a source that has to be a feed; one with entries is preferred to an empty one.
/// If none can be read, the error of the first.
pub(super) async fn named_feed(
    client: &Client,
    endpoints: &[String],
    page: &Url,
    rules: DateRules,
    now: Timestamp,
) -> Result<Endpoint, ReadError> {
    let (mut empty, mut first_error) = (None, None);
    for link in endpoints.iter().take(ENDPOINTS_MAX) {
        match read_named(client, link, page, rules, now).await {
            Ok(endpoint) if !endpoint.feed.entries.is_empty() => return Ok(endpoint),
            Ok(endpoint) => empty = empty.or(Some(endpoint)),
            Err(ReadError::Internal(error)) => return Err(ReadError::Internal(error)),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    empty.ok_or_else(|| {
        first_error.unwrap_or_else(|| {
            ReadError::NoFeed("this is a web page that names no feed: use kind = \"page\"".into())
        })
    })
}

async fn read_named(
    client: &Client,
    link: &str,
    page: &Url,
    rules: DateRules,
    now: Timestamp,
) -> Result<Endpoint, ReadError> {
    let url = page.join(link).map_err(|_| {
        ReadError::NoFeed(format!("the page names a feed at \"{link}\", which is not a valid address"))
    })?;
    let fetched = match client.get(&url, &Validators::default(), Accept::Feed, now).await? {
        Answer::Document(fetched) => *fetched,
        Answer::NotModified(_) => {
            return Err(FetchError::Status { status: 304, retry_after_seconds: None }.into());
        }
    };
    let (fetched, result) = extract_apart(fetched, rules).await?;
    let feed = result
        .map_err(|error| ReadError::NoFeed(format!("the page names the feed {url}, but there {error}")))?;
    Ok(Endpoint { feed, fetched, url: url.to_string() })
}
