//! What a source brought, on its way from the network to the store.

use std::sync::Arc;

use jiff::Timestamp;
use url::Url;

use super::explore::Endpoint;
use super::listing::ListingReading;
use super::prepare::Candidate;
use super::read_error::ReadError;
use crate::fetch::client::{Fetched, Meta};
use crate::model::feed::RawFeed;
use crate::model::source::{FetchState, LearnedPage, Source};
use crate::store::Lease;

/// A refresh that is complete except for its unit of work.
pub struct PreparedRefresh {
    pub source: Arc<Source>,
    pub(super) state: FetchState,
    pub lease: Option<Lease>,
    pub(super) now: Timestamp,
    pub(super) brought: ReadOutcome,
}

impl PreparedRefresh {
    /// The number of entries that the unit of work has to process.
    pub fn weight(&self) -> usize {
        match &self.brought {
            ReadOutcome::Document(document) => {
                document.candidates.iter().filter(|candidate| candidate.cleaned.is_some()).count()
            }
            _ => 0,
        }
    }
}

/// The result of reading a source.
pub(super) enum ReadOutcome {
    /// With the Crawl-delay of robots.txt, in seconds.
    NotModified(Box<Meta>, Option<u64>),
    Document(Box<PreparedDocument>),
    Failure(ReadError),
}

/// A document read completely, including further pages and items' pages, with its entries ready for the store.
pub struct PreparedDocument {
    /// Without its entries.
    pub(super) feed: RawFeed,
    pub(super) candidates: Vec<Candidate>,
    pub(super) meta: Meta,
    pub(super) feed_url: Option<String>,
    pub(super) base: Url,
    pub(super) crawl_delay_seconds: Option<u64>,
    /// Pushed by a hub, so it says nothing about when to poll.
    pub(super) is_push: bool,
    /// What is remembered of the page's structure.
    pub(super) page: LearnedPage,
    /// The selectors were learned again: entries that seem new may just have been missed before.
    pub(super) is_mended: bool,
}

/// A document whose entries are as extracted.
pub(super) struct RawDocument {
    pub(super) feed: RawFeed,
    pub(super) meta: Meta,
    pub(super) feed_url: Option<String>,
    pub(super) base: Url,
    pub(super) is_push: bool,
    pub(super) page: LearnedPage,
    pub(super) is_mended: bool,
}

impl RawDocument {
    pub(super) fn new(
        mut feed: RawFeed,
        fetched: Fetched,
        feed_url: Option<String>,
        page: LearnedPage,
    ) -> RawDocument {
        feed.is_cut |= fetched.cut.is_some();
        feed.problems.extend(fetched.cut);
        RawDocument {
            feed,
            meta: fetched.meta,
            feed_url,
            base: fetched.url,
            is_push: false,
            page,
            is_mended: false,
        }
    }

    pub(super) fn of_listing(listing: ListingReading, fetched: Fetched) -> RawDocument {
        RawDocument {
            is_mended: listing.is_mended,
            ..RawDocument::new(listing.feed, fetched, None, listing.memory)
        }
    }

    pub(super) fn of_endpoint(endpoint: Endpoint, page: &LearnedPage) -> RawDocument {
        let page = LearnedPage { way: Some(endpoint.feed.format.page_method().to_owned()), ..page.clone() };
        RawDocument::new(endpoint.feed, endpoint.fetched, Some(endpoint.url), page)
    }
}
