//! A source: what we read, a feed or a web page, and how its last reading went.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What stands behind the address of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    Feed,
    Page,
    /// Whatever it turns out to be: a feed, a page that names its feed, or a listing.
    Auto,
}

/// Where the date of a page's entries stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateFrom {
    #[default]
    Card,
    /// The entry's own page is fetched once.
    Item,
}

/// What 03/04/2022 means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateOrder {
    #[default]
    Dmy,
    Mdy,
    Ymd,
}

/// `[source.select]`: CSS selectors over a listing page, each but `item` and `next` relative to the item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub id: String,
    pub partner: String,
    pub kind: SourceKind,
    pub url: url::Url,
    pub language: Option<String>,
    pub tags: Vec<String>,
    pub interval_seconds: u64,
    pub is_enabled: bool,
    pub date_from: DateFrom,
    pub date_order: DateOrder,
    pub select: Option<Select>,
}

/// HTTP validators (RFC 9110 section 8.8), sent back exactly as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

/// What we remember of a source between two readings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchState {
    pub validators: Validators,
    pub last_attempt: Option<Timestamp>,
    pub last_success: Option<Timestamp>,
    /// A sentence; `None` after a success without a complaint.
    pub last_error: Option<String>,
    /// What was wrong with a document that could be read all the same.
    pub warning: Option<String>,
    /// Failures in a row.
    pub failures: u32,
    pub next_poll: Option<Timestamp>,
    /// Why the next poll is then.
    pub next_poll_reason: Option<String>,
    /// A feed that the page at the source's address named.
    pub feed_url: Option<String>,
}
