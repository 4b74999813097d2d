//! The answer to the question whether somebody still wants the newsletter. The link only opens a page, as scanners follow links.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::{SharedState, SubscriptionQuery, is_foreign, language, message, preferences_link};
use crate::pipeline::mail::{reengagement, subscribers};
use crate::support::i18n::phrases;
use crate::web::state::failed;

/// Asks before anything changes.
pub(crate) async fn show_keep(
    State(app): SharedState,
    Path(token): Path<String>,
    Query(asked): Query<SubscriptionQuery>,
    headers: HeaderMap,
) -> Response {
    let language = language(&app, &asked.l, &headers);
    match subscribers::by_link(&app.refresher.store, &app.sender.key, &token) {
        Ok(Some(_)) => {
            let more = json!({ "button": phrases(language)["reengage_keep"] });
            message(&app, StatusCode::OK, language, "reengage_ask", more)
        }
        Ok(None) => message(&app, StatusCode::NOT_FOUND, language, "link_dead", json!({})),
        Err(error) => failed(&error),
    }
}

/// Keeps the subscription.
pub(crate) async fn keep(
    State(app): SharedState,
    Path(token): Path<String>,
    Query(asked): Query<SubscriptionQuery>,
    headers: HeaderMap,
) -> Response {
    let language = language(&app, &asked.l, &headers);
    if is_foreign(&headers) {
        return message(&app, StatusCode::FORBIDDEN, language, "form_expired", json!({}));
    }
    let (store, key) = (&app.refresher.store, &app.sender.key);
    let kept = subscribers::by_link(store, key, &token).and_then(|found| {
        found.map(|(_, subscriber)| reengagement::keep(store, key, &subscriber, app.clock.now())).transpose()
    });
    match kept {
        Ok(Some(())) => {
            message(&app, StatusCode::OK, language, "reengage_kept", preferences_link(&app, &token, language))
        }
        Ok(None) => message(&app, StatusCode::NOT_FOUND, language, "link_dead", json!({})),
        Err(error) => failed(&error),
    }
}
