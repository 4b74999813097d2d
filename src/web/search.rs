//! The search page: words in titles and summaries.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::hooks::{Hooks, failed};
use crate::publish::planet;

const STORIES_MAX: usize = 50;
const WORDS_MAX: usize = 12;
const QUERY_CHARS_MAX: usize = 200;

#[derive(Debug, Default, serde::Deserialize)]
pub struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    l: String,
}

pub async fn search(State(hooks): State<Arc<Hooks>>, Query(asked): Query<Asked>) -> Response {
    let query: String = asked.q.chars().take(QUERY_CHARS_MAX).collect();
    let language = if asked.l.is_empty() { hooks.channel.language.clone() } else { asked.l.chars().take(8).collect() };
    let found = match expression(&query) {
        Some(expression) => hooks.refresher.store().search(&expression, STORIES_MAX),
        None => Ok(Vec::new()),
    };
    let page = found.map_err(anyhow::Error::from).and_then(|stories| Ok(planet::search(hooks.setting(), query.trim(), &language, &stories, &hooks.templates)?));
    match page {
        Ok(page) => (StatusCode::OK, [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], page).into_response(),
        Err(error) => failed(&error),
    }
}

/// Words as an expression of FTS5: all of them, the last one perhaps not typed to its end. `None` without a word.
fn expression(query: &str) -> Option<String> {
    let words: Vec<&str> = query.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(WORDS_MAX).collect();
    // In quotes nothing is an operator.
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    (!quoted.is_empty()).then(|| format!("{}*", quoted.join(" ")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_typed_is_words_and_never_an_operator() {
        assert_eq!(super::expression("justice AND \"open* (x)").as_deref(), Some("\"justice\" \"AND\" \"open\" \"x\"*"));
        assert_eq!(super::expression(" *\"'"), None);
    }
}
