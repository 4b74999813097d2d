//! Leaving: the one-click POST of RFC 8058, and the page behind the link. A GET changes nothing, for mail scanners follow
//! every link.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::hooks::{Hooks, failed};
use crate::mailing;
use crate::model::token::UNSUBSCRIBE;

#[derive(Debug, Default, serde::Deserialize)]
pub struct Language {
    #[serde(default)]
    l: String,
}

fn page(hooks: &Hooks, status: StatusCode, language: &str, key: &str, has_button: bool) -> Response {
    let t = crate::phrases::phrases(language);
    let data = serde_json::json!({ "title": hooks.channel_title, "language": if t["lang"].is_empty() { "en" } else { t["lang"] }, "text": t[key], "button": if has_button { t["unsubscribe_button"] } else { "" } });
    match hooks.templates.render("web/message.html", &data) {
        Ok(html) => (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], html).into_response(),
        Err(error) => failed(&error.into()),
    }
}

pub async fn show(State(hooks): State<Arc<Hooks>>, Path(token): Path<String>, Query(language): Query<Language>) -> Response {
    match hooks.key.verify(UNSUBSCRIBE, &token) {
        Some(_) => page(&hooks, StatusCode::OK, &language.l, "unsubscribe_ask", true),
        None => page(&hooks, StatusCode::NOT_FOUND, &language.l, "unsubscribe_unknown", false),
    }
}

pub async fn leave(State(hooks): State<Arc<Hooks>>, Path(token): Path<String>, Query(language): Query<Language>) -> Response {
    let now = hooks.clock.now();
    match mailing::unsubscribe(&mut hooks.refresher.store(), &hooks.key, &token, now) {
        Ok(true) => page(&hooks, StatusCode::OK, &language.l, "unsubscribed", false),
        Ok(false) => page(&hooks, StatusCode::NOT_FOUND, &language.l, "unsubscribe_unknown", false),
        Err(error) => failed(&error),
    }
}
