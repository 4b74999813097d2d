//! The search page: finds words in titles and summaries.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::Semaphore;

use super::state::{AppState, busy, failed};
use crate::pipeline::desk;
use crate::publish::planet;
use crate::store::StoreError;
use crate::support::i18n::{known, phrases};

const STORIES_MAX: usize = 50;
const WORDS_MAX: usize = 12;
/// Maximum number of concurrent searches and of those that wait, the time limit of each, and how long one may wait for its turn.
const SEARCHES_MAX: usize = 2;
const WAITING_MAX: usize = 256;
const SEARCH_MAX: Duration = Duration::from_secs(2);
const WAIT_MAX: Duration = Duration::from_secs(4);
const QUERY_CHARS_MAX: usize = 200;

#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct SearchQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    l: String,
}

/// The places of searches: few run at a time, on threads of their own, since others must not wait for them.
pub struct SearchPool {
    waiting: Semaphore,
    running: Semaphore,
}

impl Default for SearchPool {
    fn default() -> SearchPool {
        SearchPool {
            waiting: Semaphore::new(SEARCHES_MAX + WAITING_MAX),
            running: Semaphore::new(SEARCHES_MAX),
        }
    }
}

impl SearchPool {
    /// What a look-up in the store finds, on a thread of its own; `None` if its turn does not come in time.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        look_up: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<Option<T>> {
        let Ok(_waiting) = self.waiting.try_acquire() else { return Ok(None) };
        let Ok(Ok(_running)) = tokio::time::timeout(WAIT_MAX, self.running.acquire()).await else {
            return Ok(None);
        };
        Ok(Some(tokio::task::spawn_blocking(look_up).await??))
    }
}

pub(super) async fn search(State(app): State<Arc<AppState>>, Query(asked): Query<SearchQuery>) -> Response {
    let language = known(&asked.l).unwrap_or(&app.channel.language).to_owned();
    let app_there = app.clone();
    match app.searches.run(move || found(&app_there, &asked)).await.map(Option::flatten) {
        Ok(Some(page)) => (
            StatusCode::OK,
            [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")],
            page,
        )
            .into_response(),
        Ok(None) => too_slow(&app, &language),
        Err(error) => failed(&error),
    }
}

/// The page of what was found; `None` if that took too long.
fn found(app: &AppState, asked: &SearchQuery) -> anyhow::Result<Option<String>> {
    let query: String = asked.q.chars().take(QUERY_CHARS_MAX).collect();
    let language = known(&asked.l).unwrap_or(&app.channel.language);
    let words = words(&query);
    let stories = match words.is_empty() {
        true => Vec::new(),
        false => {
            let found = app
                .refresher
                .store
                .read_within(SEARCH_MAX, |r| desk::edited(r, r.publishing().search(&words, STORIES_MAX)?));
            match found {
                Err(StoreError::TooSlow) => return Ok(None),
                stories => stories?,
            }
        }
    };
    Ok(Some(planet::search(app.setting(), query.trim(), language, &stories, &app.templates)?))
}

/// Tells the reader that the search took too long; with more words, fewer stories match.
fn too_slow(app: &AppState, language: &str) -> Response {
    let t = phrases(language);
    let page = json!({ "title": app.channel.title, "heading": t["search"], "language": t["lang"], "is_private": true, "base": app.base(), "text": t["search_too_slow"], "t": t });
    busy(app.page(StatusCode::SERVICE_UNAVAILABLE, "web/message.html", &page))
}

/// The words of a query.
fn words(query: &str) -> Vec<&str> {
    query.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(WORDS_MAX).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_typed_is_words() {
        assert_eq!(super::words("justice AND \"open* (x)"), ["justice", "AND", "open", "x"]);
        assert_eq!(super::words(" *\"'"), [""; 0]);
    }
}
