//! A source: a feed or web page to read, and the state of its last reading.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

/// The operator is notified of a source after this many failures in a row; one may be an accident.
pub const FAILURES_TOLD: u32 = 3;

/// The kind of a source, with everything in which kinds differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceKind {
    /// The name in the configuration.
    pub name: &'static str,
    /// Whether it is requested as a feed; otherwise it is a page, and robots.txt is checked first.
    pub may_be_feed: bool,
    /// Whether stories are read from a page that lists them; otherwise a page is only searched for the feed it names.
    pub may_be_listing: bool,
}

impl SourceKind {
    pub const FEED: SourceKind = SourceKind { name: "feed", may_be_feed: true, may_be_listing: false };
    pub const PAGE: SourceKind = SourceKind { name: "page", may_be_feed: false, may_be_listing: true };
    /// Detected: a feed, a page that names its feed, or a listing.
    pub const AUTO: SourceKind = SourceKind { name: "auto", may_be_feed: true, may_be_listing: true };
    /// All kinds that can be configured.
    pub const ALL: [SourceKind; 3] = [SourceKind::FEED, SourceKind::PAGE, SourceKind::AUTO];
}

impl Serialize for SourceKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

/// Where the dates of a page's entries are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateFrom {
    #[default]
    Card,
    /// From the entry's own page, which is fetched once.
    Item,
}

/// How 03/04/2022 is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateOrder {
    #[default]
    Dmy,
    Mdy,
    Ymd,
}

/// `[source.select]`: CSS selectors for a listing page, each relative to the item except `item` and `next`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Select {
    pub item: String,
    pub title: Option<String>,
    pub link: Option<String>,
    pub summary: Option<String>,
    pub date: Option<String>,
    pub image: Option<String>,
    pub next: Option<String>,
}

/// `[[source]]` of the configuration.
#[derive(Debug, Clone)]
pub struct Source {
    pub id: String,
    pub partner: String,
    pub kind: SourceKind,
    pub url: url::Url,
    pub language: Option<String>,
    pub tags: Vec<String>,
    pub interval_seconds: u64,
    /// Whether the interval is set in the source itself, not in `[defaults]`.
    pub is_interval_fixed: bool,
    pub is_enabled: bool,
    pub date_from: DateFrom,
    pub date_order: DateOrder,
    pub select: Option<Select>,
    /// Whether the items' own pages are fetched for their articles.
    pub has_full_text: bool,
    pub filter: super::filter::Filter,
}

/// HTTP validators (RFC 9110 section 8.8), sent back exactly as received.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

/// How often a source has been seen to publish.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rhythm {
    /// The first success.
    pub since: Option<Timestamp>,
    /// The last poll that brought news.
    pub news_at: Option<Timestamp>,
    /// The smoothed time between two such polls, in seconds.
    pub news_gap_seconds: Option<u64>,
    pub news_count: u32,
}

impl Rhythm {
    /// The rhythm after a poll at `now`.
    pub fn after(self, now: Timestamp, has_news: bool) -> Rhythm {
        let since = self.since.or(Some(now));
        if !has_news {
            return Rhythm { since, ..self };
        }
        let gap = self.news_at.map(|last| u64::try_from(now.duration_since(last).as_secs()).unwrap_or(0));
        let news_gap_seconds = match (self.news_gap_seconds, gap) {
            (Some(old), Some(new)) => Some((old * 3 + new) / 4),
            (old, new) => old.or(new),
        };
        Rhythm { since, news_at: Some(now), news_gap_seconds, news_count: self.news_count.saturating_add(1) }
    }
}

/// A permanent redirect under observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    pub to: String,
    /// Number of consecutive polls in which it led to a good document.
    pub seen: u32,
}

/// Number of polls after which a permanent redirect is trusted: sites may be parked for a while.
pub const MOVE_SEEN_MIN: u32 = 3;

/// The stored state of a source between readings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FetchState {
    /// The configured address that this state is for; it is reset if that changes.
    pub url: String,
    pub validators: Validators,
    pub last_attempt: Option<Timestamp>,
    pub last_success: Option<Timestamp>,
    /// When a document was last read, regardless of later 304s.
    pub read_at: Option<Timestamp>,
    /// A sentence; `None` after a success.
    pub last_error: Option<String>,
    /// A fault in a document that was readable all the same.
    pub warning: Option<String>,
    /// Failures in a row.
    pub failures: u32,
    pub next_poll: Option<Timestamp>,
    /// The reason for the time of the next poll.
    pub next_poll_reason: Option<String>,
    /// The server answered 410: not polled again until the configured address changes.
    pub is_gone: bool,
    /// A feed named by the page at the source's address.
    pub feed_url: Option<String>,
    pub moved: Option<Move>,
    /// `max-age` or `Expires` of the last response in seconds, for later 304s.
    pub fresh_seconds: Option<u64>,
    pub hints: super::feed::PollHints,
    pub rhythm: Rhythm,
    /// The feed's own address and its hub (WebSub).
    pub hub: Option<Hub>,
    /// What was learned of a page.
    pub page: PageMemory,
}

/// The structure of a page at its last good reading, to detect a collapse and to reuse what was learned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PageMemory {
    /// How its entries were found, in words.
    pub way: Option<String>,
    /// Selectors learned for a page without configured ones, or in place of those that failed.
    pub learned: Option<Select>,
    /// The configured selectors that `learned` replaces.
    pub instead_of: Option<Select>,
    /// Whether machine-readable endpoints were looked for.
    pub is_explored: bool,
    /// Numbers of entries, and of dated ones, in the last good reading.
    pub count: usize,
    pub dated: usize,
    /// What was repaired and when, in words.
    pub mended: Option<String>,
}

/// The hub that a feed declares (WebSub section 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hub {
    pub url: String,
    pub topic: String,
}

impl FetchState {
    /// The address to request: the feed that the page named, or the target of a trusted redirect, or the configured one.
    pub fn address(&self, configured: &url::Url) -> url::Url {
        let moved = self.moved.as_ref().filter(|moved| moved.seen >= MOVE_SEEN_MIN).map(|moved| &moved.to);
        let remembered = self.feed_url.as_ref().or(moved);
        remembered.and_then(|url| url::Url::parse(url).ok()).unwrap_or_else(|| configured.clone())
    }
}
