//! The preference centre: a subscriber's preferences, and all data stored about them.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{SharedState, SubscriptionQuery, catalog, is_foreign, language, message, with};
use crate::model::subscriber::{Choice, Consent, Preferences, Subscriber, SubscriberState};
use crate::pipeline::mail::subscribers;
use crate::support::i18n::phrases;
use crate::web::forms::{self, Form};
use crate::web::state::{AppState, failed};

/// Shows the preference centre.
pub(crate) async fn show_preferences(
    State(app): SharedState,
    Path(token): Path<String>,
    Query(asked): Query<SubscriptionQuery>,
    headers: HeaderMap,
) -> Response {
    let language = language(&app, &asked.l, &headers);
    let found = subscribers::by_link(&app.refresher.store, &app.sender.key, &token);
    match found {
        Ok(Some((_, subscriber))) => {
            preferences_page(&app, StatusCode::OK, language, &token, &subscriber, FormFeedback::default())
        }
        Ok(None) => message(&app, StatusCode::NOT_FOUND, language, "link_dead", json!({})),
        Err(error) => failed(&error),
    }
}

/// Additional contents of the preferences page.
#[derive(Default)]
struct FormFeedback<'a> {
    notice: Option<&'static str>,
    fault: Option<&'static str>,
    /// Submitted values that could not be saved.
    entered: Option<&'a Choice>,
}

fn preferences_page(
    app: &AppState,
    status: StatusCode,
    language: &str,
    token: &str,
    subscriber: &Subscriber,
    said: FormFeedback,
) -> Response {
    let t = phrases(language);
    let stored = forms::of_preferences(&subscriber.preferences);
    let mut form = forms::fields(app, said.entered.unwrap_or(&stored), language);
    if said.fault == Some("no_topics") {
        form.clear_topics();
    }
    let state = format!("state_{}", subscriber.state.as_str());
    let more = json!({
        "address": subscriber.address.as_str(),
        "state": t[state.as_str()],
        "is_active": subscriber.state == SubscriberState::Active,
        "notice": said.notice.map(|key| t[key]),
        "faults": said.fault.iter().map(|key| t[*key]).collect::<Vec<_>>(),
        "form": form,
        "data": format!("{}/preferences/{token}/data", app.base()),
    });
    app.page(status, "web/preferences.html", &with(catalog(app, language, t["preferences"]), more))
}

pub(crate) async fn change_preferences(
    State(app): SharedState,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = Form::read(&body);
    let language = language(&app, form.one("l"), &headers);
    if is_foreign(&headers) {
        return message(&app, StatusCode::FORBIDDEN, language, "form_expired", json!({}));
    }
    match change(&app, &token, language, &form) {
        Ok(Some(response)) => response,
        Ok(None) => message(&app, StatusCode::NOT_FOUND, language, "link_dead", json!({})),
        Err(error) => failed(&error),
    }
}

fn change(app: &AppState, token: &str, language: &str, form: &Form) -> anyhow::Result<Option<Response>> {
    let (key, now) = (&app.sender.key, app.clock.now());
    let store = &app.refresher.store;
    let Some((hash, subscriber)) = subscribers::by_link(store, key, token)? else { return Ok(None) };
    let (preferences, state) = match form.one("do") {
        "unsubscribe" => {
            subscribers::suppress(store, &hash, SubscriberState::Unsubscribed, now)?;
            return Ok(Some(message(app, StatusCode::OK, language, "unsubscribed", json!({}))));
        }
        "erase" if !form.one("sure").is_empty() => {
            subscribers::erase(store, key, &subscriber.address, now)?;
            return Ok(Some(message(app, StatusCode::OK, language, "erased", json!({}))));
        }
        "erase" => {
            return Ok(Some(preferences_page(
                app,
                StatusCode::UNPROCESSABLE_ENTITY,
                language,
                token,
                &subscriber,
                FormFeedback::default(),
            )));
        }
        "pause" => (subscriber.preferences.clone(), SubscriberState::Paused),
        "resume" => (subscriber.preferences.clone(), SubscriberState::Active),
        _ => {
            let choice = forms::choice(form, &app.subscription_options);
            let faults = match app.subscription_options.preferences(&choice, language) {
                _ if forms::has_no_topic(form, &app.subscription_options) => "no_topics",
                Ok(preferences) => {
                    let changed = Changed { preferences, state: subscriber.state };
                    return save(app, token, language, subscriber, changed, form).map(Some);
                }
                Err(faults) if faults.iter().any(|(field, _)| *field == "timezone") => "wrong_timezone",
                Err(_) => "wrong_choice",
            };
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let page = preferences_page(
                app,
                status,
                language,
                token,
                &subscriber,
                FormFeedback { fault: Some(faults), entered: Some(&choice), ..FormFeedback::default() },
            );
            return Ok(Some(page));
        }
    };
    save(app, token, language, subscriber, Changed { preferences, state }, form).map(Some)
}

/// The new settings of a subscriber.
struct Changed {
    preferences: Preferences,
    state: SubscriberState,
}

fn save(
    app: &AppState,
    token: &str,
    language: &str,
    subscriber: Subscriber,
    changed: Changed,
    form: &Form,
) -> anyhow::Result<Response> {
    let (store, key, now) = (&app.refresher.store, &app.sender.key, app.clock.now());
    let consent = Consent { source: Consent::CAME_BACK.into(), at: now, text: None };
    let Changed { preferences, state } = changed;
    let changed = subscribers::put(store, key, subscriber.address, preferences, consent, state, now)?;
    if changed.state == SubscriberState::Active {
        // Whoever chooses what they get wants it.
        store.write(|w| w.subscribers().note_confirmed(&key.hash(changed.address.as_str()), now))?;
    }
    let language =
        if form.one("do") == "save" { changed.preferences.language.clone() } else { language.to_owned() };
    Ok(preferences_page(
        app,
        StatusCode::OK,
        &language,
        token,
        &changed,
        FormFeedback { notice: Some("saved"), ..FormFeedback::default() },
    ))
}

/// Exports all data stored about a subscriber, for themselves.
pub(crate) async fn data(State(app): SharedState, Path(token): Path<String>) -> Response {
    let store = &app.refresher.store;
    let found = subscribers::by_link(store, &app.sender.key, &token);
    let everything = found.and_then(|found| {
        found
            .map(|(_, subscriber)| subscribers::everything(store, &app.sender.key, &subscriber.address))
            .transpose()
    });
    match everything {
        Ok(Some(data)) => {
            let headers = [
                (header::CONTENT_TYPE, "application/json"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"my-data.json\""),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (headers, format!("{data:#}")).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => failed(&error),
    }
}
