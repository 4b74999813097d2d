//! Hands fetched documents over to `extract`.

use std::time::Duration;

use super::ReadError;
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

/// Runs what is bound by the processor outside the network threads, and waits for it no longer than `deadline`. A thread cannot be
/// stopped: one that takes longer goes on, but nobody waits for it, not even the end of the process.
pub(super) async fn apart<T: Send + 'static>(
    deadline: Duration,
    task: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ReadError> {
    match tokio::time::timeout(deadline, tokio::task::spawn_blocking(task)).await {
        Ok(done) => Ok(done.map_err(anyhow::Error::from)?),
        Err(_) => Err(ReadError::TooSlow { seconds: deadline.as_secs() }),
    }
}

pub(super) async fn extract_apart(
    deadline: Duration,
    fetched: Fetched,
    rules: DateRules,
) -> Result<(Fetched, Result<RawFeed, ExtractError>), ReadError> {
    let task = move || {
        let result = extract::read_feed_in(document(&fetched), rules);
        (fetched, result)
    };
    apart(deadline, task).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_waits_for_what_takes_too_long() {
        let (ended, waits) = std::sync::mpsc::channel::<()>();
        let slow = apart(Duration::from_secs(1), move || waits.recv());
        assert_eq!(slow.await.unwrap_err().to_string(), "reading it took longer than 1 s");
        drop(ended);
        assert_eq!(apart(Duration::from_secs(60), || 7).await.unwrap(), 7);
    }
}
