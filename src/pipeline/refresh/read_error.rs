//! Why a source could not be read.

use crate::extract::ExtractError;
use crate::fetch::client::FetchError;
use crate::fetch::renderer::RenderError;

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Render(#[from] RenderError),
    #[error("the mailbox cannot be read: {0}")]
    Mailbox(String),
    #[error(transparent)]
    Extract(#[from] ExtractError),
    #[error("{0}")]
    NoFeed(String),
    /// The page was read, and nothing on it is a listing.
    #[error("{0}")]
    NoListing(String),
    #[error("robots.txt of {host} keeps us from this page: ask its owner, or look for a feed")]
    Forbidden { host: String },
    #[error(
        "robots.txt of {host} asks for {seconds} s between two pages: the others are left for the next time"
    )]
    Postponed { host: String, seconds: u64 },
    #[error("reading it took longer than {seconds} s")]
    TooSlow { seconds: u64 },
    #[error("{host} answered too slowly: the other pages are left for the next time")]
    OutOfTime { host: String },
    #[error("what it brought cannot be kept: {0}")]
    Kept(String),
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

impl ReadError {
    /// Whether the other pages of the source would be no better off now, and are left for the next time.
    pub(super) fn is_of_time(&self) -> bool {
        matches!(self, ReadError::Postponed { .. } | ReadError::TooSlow { .. } | ReadError::OutOfTime { .. })
    }
}
