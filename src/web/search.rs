//! The search page: finds words in titles and summaries.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::state::{AppState, failed};
use crate::publish::planet;
use crate::store::StoreError;
use crate::support::i18n::{known, phrases};

const STORIES_MAX: usize = 50;
const WORDS_MAX: usize = 12;
/// Maximum number of concurrent searches, the time limit of each, and how long one may wait for its turn.
const SEARCHES_MAX: usize = 2;
const SEARCH_MAX: Duration = Duration::from_secs(2);
const WAIT_MAX: Duration = Duration::from_secs(4);
const QUERY_CHARS_MAX: usize = 200;

#[derive(Debug, Default, serde::Deserialize)]
pub struct SearchQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    l: String,
}

pub async fn search(State(app): State<Arc<AppState>>, Query(asked): Query<SearchQuery>) -> Response {
    let query: String = asked.q.chars().take(QUERY_CHARS_MAX).collect();
    let language = known(&asked.l).unwrap_or(&app.channel.language).to_owned();
    let words = words(&query);
    let found = if words.is_empty() {
        Ok(Vec::new())
    } else {
        let Ok(_place) = tokio::time::timeout(WAIT_MAX, app.searching.acquire()).await else {
            return too_slow(&app, &language);
        };
        app.refresher.store.read_within(SEARCH_MAX, |r| r.publishing().search(&words, STORIES_MAX))
    };
    if let Err(StoreError::TooSlow) = found {
        return too_slow(&app, &language);
    }
    let page = found.map_err(anyhow::Error::from).and_then(|stories| {
        Ok(planet::search(app.setting(), query.trim(), &language, &stories, &app.templates)?)
    });
    match page {
        Ok(page) => (
            StatusCode::OK,
            [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")],
            page,
        )
            .into_response(),
        Err(error) => failed(&error),
    }
}

/// Tells the reader that the search took too long; with more words, fewer stories match.
fn too_slow(app: &AppState, language: &str) -> Response {
    let t = phrases(language);
    let page = json!({ "title": app.channel.title, "heading": t["search"], "language": t["lang"], "is_private": true, "base": app.base(), "text": t["search_too_slow"], "t": t });
    app.page(StatusCode::SERVICE_UNAVAILABLE, "web/message.html", &page)
}

/// The permits for concurrent searches.
pub fn places() -> tokio::sync::Semaphore {
    tokio::sync::Semaphore::new(SEARCHES_MAX)
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
