//! Reads the page of a story that an editor adds by its address: title, description and language. The address is somebody's word, so
//! the guard holds for it as for every source.

use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use crate::extract::prose_date::DateRules;
use crate::extract::{self, Document};
use crate::fetch::client::{Accept, Client, FetchError, FetchOutcome, Fetched};
use crate::model::source::Validators;
use crate::normalize::html::text_of_html;
use crate::support::text::{is_language_tag, one_line};

/// An editor waits no longer for a page, and not as long again for it to be read.
const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// What the page of a story says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadStory {
    pub title: String,
    pub text: String,
    /// After redirects.
    pub url: String,
    /// BCP 47, if the page names one.
    pub language: Option<String>,
}

/// Why the page of a story cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadStory {
    #[error("{0}")]
    Fetch(#[from] FetchError),
    #[error("{0}")]
    Wall(&'static str),
    #[error("the page has no title")]
    Untitled,
    #[error("reading the page took too long")]
    TooSlow,
}

/// Fetches and reads the page of a story.
///
/// # Errors
/// When there is no such page, or it has no title.
pub async fn read_story(client: &Client, url: &Url, now: Timestamp) -> Result<ReadStory, UnreadStory> {
    // In a place of its own: it takes none that a source needs.
    let client = client.apart(1, READ_TIMEOUT);
    let fetched = match client.get(url, &Validators::default(), Accept::Page, now).await? {
        FetchOutcome::Document(fetched) => *fetched,
        FetchOutcome::NotModified(_) => return Err(UnreadStory::Untitled),
    };
    let read = tokio::task::spawn_blocking(move || read_page(&fetched, now));
    match tokio::time::timeout(READ_TIMEOUT, read).await {
        Ok(Ok(read)) => read,
        _ => Err(UnreadStory::TooSlow),
    }
}

fn read_page(fetched: &Fetched, now: Timestamp) -> Result<ReadStory, UnreadStory> {
    let document = || Document {
        bytes: &fetched.bytes,
        url: Some(&fetched.url),
        content_type: fetched.content_type.as_deref(),
    };
    if let Some(reason) = extract::wall_reason(document()) {
        return Err(UnreadStory::Wall(reason));
    }
    let page = extract::read_item_page(document(), DateRules::told(None, now));
    let title = one_line(&page.title.unwrap_or_default());
    if title.is_empty() {
        return Err(UnreadStory::Untitled);
    }
    let text = text_of_html(&page.description.unwrap_or_default());
    let language = page.language.filter(|tag| is_language_tag(tag));
    Ok(ReadStory { title, text, url: fetched.url.to_string(), language })
}
