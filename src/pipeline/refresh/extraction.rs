//! Hands fetched documents over to `extract`.

use crate::extract::prose_date::DateRules;
use crate::extract::{self, ExtractError};
use crate::fetch::client::Fetched;
use crate::model::feed::RawFeed;

pub(super) fn document(fetched: &Fetched) -> extract::Document<'_> {
    extract::Document {
        bytes: &fetched.bytes,
        url: Some(&fetched.url),
        content_type: fetched.content_type.as_deref(),
    }
}

/// Extraction is CPU-bound, so it runs outside the network threads.
pub(super) async fn extract_apart(
    fetched: Fetched,
    rules: DateRules,
) -> anyhow::Result<(Fetched, Result<RawFeed, ExtractError>)> {
    let task = move || {
        let result = extract::read_feed_in(document(&fetched), rules);
        (fetched, result)
    };
    Ok(tokio::task::spawn_blocking(task).await?)
}
