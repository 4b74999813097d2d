//! Tries a page's machine-readable endpoints in order: its feeds, its WordPress posts, a news sitemap.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::extraction::extract_apart;
use super::read_error::ReadError;
use crate::extract::prose_date::DateRules;
use crate::fetch::client::{Accept, Client, FetchError, FetchOutcome, Fetched};
use crate::model::address::canonical_key;
use crate::model::feed::{RawEntry, RawFeed};
use crate::model::source::Validators;
use crate::support::text::fold;

/// Maximum number of documents tried for a page.
const ENDPOINTS_MAX: usize = 5;

/// A machine-readable document that stands in for a page.
pub struct Endpoint {
    pub feed: RawFeed,
    pub fetched: Fetched,
    pub url: String,
}

/// A feed with fewer entries is taken to be complete.
const LATEST_MIN: usize = 5;
/// A feed whose newest entry is this much older than the newest on the page is taken to be abandoned.
const STALE: SignedDuration = SignedDuration::from_hours(60 * 24);

/// The entries that a page itself lists.
pub struct PageEntries {
    /// Addresses, as keys.
    keys: HashSet<String>,
    /// Folded.
    titles: HashSet<String>,
    newest: Option<Timestamp>,
    /// The source is this page, whatever else its site tells of: its entries must be found in what stands in for it.
    must_cover: bool,
}

impl PageEntries {
    /// What a listing lists.
    pub fn of(listing: &RawFeed, must_cover: bool) -> PageEntries {
        PageEntries {
            keys: keys_of(listing),
            titles: titles_of(listing),
            newest: newest(listing),
            must_cover,
        }
    }

    /// Whether a document stands for the page: it holds nearly all of what both can hold, or, where it may be the feed of the whole
    /// site, some of it, and is as new.
    fn is_covered_by(&self, feed: &RawFeed) -> bool {
        let is_stale =
            self.newest.zip(newest(feed)).is_some_and(|(page, feed)| page.duration_since(feed) > STALE);
        let own = keys_of(feed);
        let both = if own.len() < LATEST_MIN { self.keys.len() } else { self.keys.len().min(own.len()) };
        let shared = own.intersection(&self.keys).count();
        let covers = self.keys.is_empty() || shared > 0 && shared * 4 >= both * 3;
        let shares = || shared > 0 || !titles_of(feed).is_disjoint(&self.titles);
        !is_stale && (covers || !self.must_cover && shares())
    }
}

fn keys_of(feed: &RawFeed) -> HashSet<String> {
    feed.entries.iter().filter_map(|entry| canonical_key(entry.url()?)).collect()
}

fn titles_of(feed: &RawFeed) -> HashSet<String> {
    let titles = feed.entries.iter().filter_map(|entry| entry.title.as_ref());
    titles.map(|title| fold(&title.value)).filter(|title| !title.is_empty()).collect()
}

fn newest(feed: &RawFeed) -> Option<Timestamp> {
    feed.entries.iter().filter_map(RawEntry::date).max()
}

/// Whether a feed tells of comments on entries, which are not news of their own.
fn is_of_comments(feed: &RawFeed) -> bool {
    let is_comment = |entry: &RawEntry| {
        let fragment = entry.url().and_then(|url| url.split_once('#')).map(|(_, fragment)| fragment);
        fragment.is_some_and(|fragment| {
            ["comment", "respond", "reply"].iter().any(|start| fragment.starts_with(start))
        })
    };
    !feed.entries.is_empty()
        && feed.entries.iter().filter(|entry| is_comment(entry)).count() * 2 > feed.entries.len()
}

/// The first endpoint that yields entries and stands for what the page lists: a site's feed may hold quite different entries than
/// one of its pages. Requests take from `time`.
///
/// # Errors
/// When a worker thread fails.
pub async fn explore(
    client: &Client,
    endpoints: &[String],
    page: &Url,
    listed: Option<&PageEntries>,
    rules: DateRules,
    now: Timestamp,
    time: &mut Duration,
) -> anyhow::Result<Option<Endpoint>> {
    for endpoint in endpoints.iter().take(ENDPOINTS_MAX) {
        let Ok(url) = page.join(endpoint) else { continue };
        let Ok(FetchOutcome::Document(fetched)) =
            client.get_within(&url, &Validators::default(), Accept::Feed, now, time).await
        else {
            continue;
        };
        let (fetched, result) = match extract_apart(client.deadline(), *fetched, rules).await {
            Ok(read) => read,
            Err(ReadError::Internal(error)) => return Err(error),
            Err(_) => continue,
        };
        let Ok(feed) = result else { continue };
        let stands_for = |listed: &PageEntries| listed.is_covered_by(&feed);
        if !feed.entries.is_empty() && !is_of_comments(&feed) && listed.is_none_or(stands_for) {
            return Ok(Some(Endpoint { feed, fetched, url: url.to_string() }));
        }
    }
    Ok(None)
}

/// The first readable feed that a page names, for a source that has to be a feed; one with entries is preferred to an empty one.
/// If none can be read, the error of the first.
pub(super) async fn named_feed(
    client: &Client,
    endpoints: &[String],
    page: &Url,
    rules: DateRules,
    now: Timestamp,
    time: &mut Duration,
) -> Result<Endpoint, ReadError> {
    let (mut empty, mut first_error) = (None, None);
    for link in endpoints.iter().take(ENDPOINTS_MAX) {
        match read_named(client, link, page, rules, now, time).await {
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
    time: &mut Duration,
) -> Result<Endpoint, ReadError> {
    let url = page.join(link).map_err(|_| {
        ReadError::NoFeed(format!("the page names a feed at \"{link}\", which is not a valid address"))
    })?;
    let fetched = match client.get_within(&url, &Validators::default(), Accept::Feed, now, time).await? {
        FetchOutcome::Document(fetched) => *fetched,
        FetchOutcome::NotModified(_) => {
            return Err(FetchError::Status { status: 304, retry_after_seconds: None }.into());
        }
    };
    let (fetched, result) = extract_apart(client.deadline(), fetched, rules).await?;
    let feed = result
        .map_err(|error| ReadError::NoFeed(format!("the page names the feed {url}, but there {error}")))?;
    Ok(Endpoint { feed, fetched, url: url.to_string() })
}
