//! What would be read at an address that is no source yet, for whoever thinks of adding it. Nothing is stored.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::explore::{PageEntries, explore};
use super::extraction::{apart, document, extract_apart};
use super::read_error::ReadError;
use super::refresher::Refresher;
use crate::extract::prose_date::DateRules;
use crate::extract::{self, ExtractError, PageRules};
use crate::fetch::client::{Accept, Client, FetchError, FetchOutcome, Fetched};
use crate::model::entry::Entry;
use crate::model::feed::RawFeed;
use crate::model::source::Validators;
use crate::normalize::entry::{Context, normalize, plain};

/// Somebody waits for it: less time than a source has, and few requests at a host at a time.
const DEADLINE: Duration = Duration::from_secs(20);
const PER_HOST: usize = 2;
/// Entries that are shown.
const ENTRIES_MAX: usize = 15;

/// What would be read at an address.
#[derive(Debug, Clone, Default)]
pub struct SourcePreview {
    /// Of the document; empty if it has none.
    pub title: String,
    pub language: Option<String>,
    /// How it is read, in words.
    pub way: String,
    /// The feed that stands in for the page at the address.
    pub feed: Option<String>,
    /// All that are listed.
    pub count: usize,
    /// The first of them.
    pub entries: Vec<Entry>,
}

/// A document that was found, with how and where.
struct FoundListing {
    feed: RawFeed,
    way: String,
    url: Url,
    is_elsewhere: bool,
}

impl Refresher {
    /// Reads an address as a new source would be.
    ///
    /// # Errors
    /// When it cannot be fetched, or nothing there can be read.
    pub async fn preview(&self, url: &Url, now: Timestamp) -> Result<SourcePreview, ReadError> {
        let client = self.client.apart(PER_HOST, DEADLINE);
        let fetched = match client.get(url, &Validators::default(), Accept::Feed, now).await? {
            FetchOutcome::Document(fetched) => *fetched,
            FetchOutcome::NotModified(_) => {
                return Err(FetchError::Status { status: 304, retry_after_seconds: None }.into());
            }
        };
        let dates = DateRules::told(None, now);
        let (fetched, read) = extract_apart(client.deadline(), fetched, dates).await?;
        let found = match read {
            Ok(feed) => FoundListing { feed, way: "feed".into(), url: fetched.url, is_elsewhere: false },
            Err(ExtractError::WebPage { endpoints }) => {
                listing(&client, fetched, &endpoints, dates, now).await?
            }
            Err(error) => return Err(error.into()),
        };
        let detector = self.language_detector.clone();
        apart(client.deadline(), move || {
            let context = Context {
                source: "preview",
                language: None,
                base: Some(&found.url),
                language_detector: Some(&detector),
                listed: None,
            };
            let entries = found.feed.entries.iter().take(ENTRIES_MAX);
            SourcePreview {
                title: found.feed.title.as_ref().map(plain).unwrap_or_default(),
                language: found.feed.language.clone(),
                way: found.way,
                feed: found.is_elsewhere.then(|| found.url.to_string()),
                count: found.feed.entries.len(),
                entries: entries.map(|raw| normalize(raw, context)).collect(),
            }
        })
        .await
    }
}

/// What stands on a page, or in the feed that stands in for it.
async fn listing(
    client: &Client,
    fetched: Fetched,
    endpoints: &[String],
    dates: DateRules,
    now: Timestamp,
) -> Result<FoundListing, ReadError> {
    let (fetched, page) = apart(client.deadline(), move || {
        let rules = PageRules { select: None, dates, known: Arc::default() };
        let page = extract::read_page(document(&fetched), &rules);
        (fetched, page)
    })
    .await?;
    let page = page?;
    let (listed, mut time) = (PageEntries::of(&page.feed, false), client.deadline());
    let endpoint = explore(client, endpoints, &fetched.url, Some(&listed), dates, now, &mut time).await?;
    Ok(match endpoint {
        Some(endpoint) => FoundListing {
            way: endpoint.feed.format.page_method().to_owned(),
            feed: endpoint.feed,
            url: endpoint.fetched.url,
            is_elsewhere: true,
        },
        None => FoundListing {
            way: page.way.map_or("nothing", |way| way.name()).to_owned(),
            feed: page.feed,
            url: fetched.url,
            is_elsewhere: false,
        },
    })
}
