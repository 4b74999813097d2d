//! Signing up, confirming, changing preferences and leaving. A GET changes nothing, since mail scanners follow every link; no
//! response reveals whether an address is known.

mod keep;
mod preferences;
mod sign_up;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use ipnet::IpNet;
use serde_json::{Value, json};

pub(super) use self::keep::{keep, show_keep};
pub(super) use self::preferences::{change_preferences, data, show_preferences};
pub(super) use self::sign_up::{api, send_form, show_form};
use super::state::{AppState, failed};
use crate::model::token::{PREFERENCES, UNSUBSCRIBE};
use crate::pipeline::mail::subscribers::{self, LeaveOutcome};
use crate::pipeline::mail::welcome::next_mail;
use crate::support::i18n::{capitalized, default_language, known, language_of, languages, phrases};

pub(super) type SharedState = State<Arc<AppState>>;

/// `?l=fr`, and the topic that a link is about.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct SubscriptionQuery {
    #[serde(default)]
    pub(super) l: String,
    topic: Option<String>,
}

/// The language of a page: as requested, or else the browser's if offered, or else the channel's.
pub(super) fn language(app: &AppState, asked: &str, headers: &HeaderMap) -> &'static str {
    let browser =
        headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let tag = |text: &'_ str| known(text.split(';').next().unwrap_or_default().trim());
    known(asked)
        .or_else(|| browser.split(',').filter_map(tag).find(|tag| app.languages.contains(tag)))
        .or_else(|| known(&app.channel.language))
        .unwrap_or_else(default_language)
}

/// All languages of the interface, each by its own name.
pub(super) fn language_links() -> Vec<Value> {
    let link = |tag: &'static str| json!({ "value": tag, "label": capitalized(language_of(tag)) });
    languages().into_iter().map(link).collect()
}

/// The data common to all pages.
pub(super) fn catalog(app: &AppState, language: &str, heading: &str) -> Value {
    let t = phrases(language);
    json!({
        "title": app.newsletter.title(language, &app.channel),
        "heading": heading,
        "language": language,
        "is_private": true,
        "base": app.base(),
        "privacy": crate::digest::privacy_path(language),
        "t": t,
    })
}

pub(super) fn with(mut page: Value, more: Value) -> Value {
    if let (Some(page), Value::Object(more)) = (page.as_object_mut(), more) {
        page.extend(more);
    }
    page
}

pub(super) fn message(
    app: &AppState,
    status: StatusCode,
    language: &str,
    key: &str,
    more: Value,
) -> Response {
    let page = catalog(app, language, app.newsletter.title(language, &app.channel));
    app.page(status, "web/message.html", &with(page, with(json!({ "text": phrases(language)[key] }), more)))
}

/// What a message needs to lead to the preferences of a subscriber.
fn preferences_link(app: &AppState, token: &str, language: &str) -> Value {
    let link = format!("{}/preferences/{token}?l={language}", app.base());
    json!({ "link": link, "link_text": phrases(language)["preferences"] })
}

/// The page at an address where there is nothing.
pub(super) fn nothing_here(app: &AppState, headers: &HeaderMap) -> Response {
    let language = language(app, "", headers);
    let (title, t) = (&app.channel.title, phrases(language));
    let page = with(
        catalog(app, language, t["not_found"]),
        json!({ "title": title, "text": t["not_found_text"], "link": format!("{}/", app.base()), "link_text": title }),
    );
    app.page(StatusCode::NOT_FOUND, "web/message.html", &page)
}

/// Whether browsers report that a request comes from another site (CSRF).
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-site") {
        Some(site) => !matches!(site, "same-origin" | "none"),
        // Browsers before 2023 only send the origin.
        None => text("origin")
            .is_some_and(|origin| origin.split("://").nth(1) != text("x-forwarded-host").or(text("host"))),
    }
}

/// The client of a request. Trusted proxies append their client to X-Forwarded-For; anything before the last untrusted hop can
/// be forged.
pub(super) fn client(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let named: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .collect();
    let mut hop = peer.ip().to_canonical();
    for text in named.into_iter().rev() {
        if !trusted.iter().any(|network| network.contains(&hop)) {
            break;
        }
        // An unreadable client counts as the proxy that reported it.
        let Some(before) = address_of(text) else { break };
        hop = before;
    }
    hop
}

/// `192.0.2.1`, `192.0.2.1:4711`, `[2001:db8::1]:4711`, in quotes or not.
fn address_of(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse().ok().or_else(with_port).or_else(bracketed).map(|ip: IpAddr| ip.to_canonical())
}

/// The page of a confirmation link: it asks first, since a scanner that follows the link must not confirm.
pub(super) async fn show_confirm(
    State(app): SharedState,
    Path(token): Path<String>,
    Query(asked): Query<SubscriptionQuery>,
    headers: HeaderMap,
) -> Response {
    match subscribers::confirmable(&app.refresher.store, &app.sender.key, &token, app.clock.now()) {
        Err(error) => failed(&error),
        Ok(Some(chosen)) => {
            let language = language(&app, &chosen, &headers);
            message(
                &app,
                StatusCode::OK,
                language,
                "confirm_ask",
                json!({ "button": phrases(language)["confirm_button"] }),
            )
        }
        Ok(None) => {
            message(&app, StatusCode::NOT_FOUND, language(&app, &asked.l, &headers), "link_dead", json!({}))
        }
    }
}

pub(super) async fn confirm(
    State(app): SharedState,
    Path(token): Path<String>,
    Query(asked): Query<SubscriptionQuery>,
    headers: HeaderMap,
) -> Response {
    let language = language(&app, &asked.l, &headers);
    let confirmed = subscribers::confirm(&app.refresher.store, app.mail_context(), &token);
    match confirmed {
        Ok(Some(subscriber)) => {
            // The subscriber is waiting for the welcome mail.
            app.mail_waits.notify_one();
            let phrase = if app.newsletter.has_welcome { "next_mail" } else { "first_mail" };
            let cadence = &subscriber.preferences.cadence;
            let hash = app.sender.key.hash(subscriber.address.as_str());
            let link = preferences_link(&app, &app.sender.key.sign(PREFERENCES, &hash), language);
            let note = next_mail(phrase, cadence, language, app.clock.now());
            message(&app, StatusCode::OK, language, "confirmed", with(link, json!({ "note": note })))
        }
        Ok(None) => message(&app, StatusCode::NOT_FOUND, language, "link_dead", json!({})),
        Err(error) => failed(&error),
    }
}

pub(super) async fn show_leave(
    State(app): SharedState,
    Path(token): Path<String>,
    Query(asked): Query<SubscriptionQuery>,
    headers: HeaderMap,
) -> Response {
    let language = language(&app, &asked.l, &headers);
    if app.sender.key.verify(UNSUBSCRIBE, &token).is_none() {
        return message(&app, StatusCode::NOT_FOUND, language, "unsubscribe_unknown", json!({}));
    }
    let Some(topic) = asked.topic.as_deref().and_then(|id| app.topics.iter().find(|topic| topic.id == id))
    else {
        return ask_to_leave(&app, language, &token, asked.topic.is_some());
    };
    let (ask, button) =
        match subscribers::would_leave(&app.refresher.store, &app.sender.key, &token, &topic.id) {
            Ok(LeaveOutcome::Topic) => ("leave_topic_ask", "leave_topic_button"),
            Ok(LeaveOutcome::All) => ("leave_last_topic_ask", "unsubscribe_button"),
            Ok(LeaveOutcome::Nothing | LeaveOutcome::Unknown) => {
                return ask_to_leave(&app, language, &token, true);
            }
            Err(error) => return failed(&error),
        };
    let more = json!({ "button": phrases(language)[button], "topic": topic.label(language) });
    message(&app, StatusCode::OK, language, ask, more)
}

/// Asks for confirmation to leave the whole digest; `is_other` if the link was about less.
fn ask_to_leave(app: &AppState, language: &str, token: &str, is_other: bool) -> Response {
    let button = phrases(language)["unsubscribe_button"];
    let action = is_other.then(|| format!("{}/unsubscribe/{token}?l={language}", app.base()));
    let more = json!({ "button": button, "action": action });
    message(app, StatusCode::OK, language, "unsubscribe_ask", more)
}

/// Handles the one-click POST of RFC 8058, and the button of the page.
pub(super) async fn leave(
    State(app): SharedState,
    Path(token): Path<String>,
    Query(asked): Query<SubscriptionQuery>,
    headers: HeaderMap,
) -> Response {
    let language = language(&app, &asked.l, &headers);
    let topic = match asked.topic.as_deref() {
        None => None,
        Some(id) => match app.topics.iter().find(|topic| topic.id == id) {
            Some(topic) => Some(topic),
            // If the topic to leave is gone, asks first, since leaving the digest is more than was requested.
            None if app.sender.key.verify(UNSUBSCRIBE, &token).is_some() => {
                return ask_to_leave(&app, language, &token, true);
            }
            None => {
                return message(&app, StatusCode::NOT_FOUND, language, "unsubscribe_unknown", json!({}));
            }
        },
    };
    let (store, key, now) = (&app.refresher.store, &app.sender.key, app.clock.now());
    match subscribers::unsubscribe(store, key, &token, topic.map(|topic| topic.id.as_str()), now) {
        Ok(LeaveOutcome::All) => message(&app, StatusCode::OK, language, "unsubscribed", json!({})),
        Ok(LeaveOutcome::Topic) => {
            let label = topic.map(|topic| topic.label(language));
            message(&app, StatusCode::OK, language, "left_topic", json!({ "topic": label }))
        }
        Ok(LeaveOutcome::Nothing) => ask_to_leave(&app, language, &token, true),
        Ok(LeaveOutcome::Unknown) => {
            message(&app, StatusCode::NOT_FOUND, language, "unsubscribe_unknown", json!({}))
        }
        Err(error) => failed(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hop_that_is_not_trusted_is_who_asks() {
        let trusted: Vec<IpNet> = ["127.0.0.0/8", "10.0.0.0/8"].map(|text| text.parse().unwrap()).to_vec();
        for (peer, lines, want) in [
            ("127.0.0.1:1", &["203.0.113.7"][..], "203.0.113.7"),
            ("127.0.0.1:1", &["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            ("127.0.0.1:1", &["198.51.100.1", "203.0.113.7, 10.1.2.3"], "203.0.113.7"),
            ("127.0.0.1:1", &["198.51.100.1, 203.0.113.7:4711"], "203.0.113.7"),
            ("127.0.0.1:1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("[::ffff:127.0.0.1]:1", &["\"[2001:db8::7]\""], "2001:db8::7"),
            ("127.0.0.1:1", &["203.0.113.7, unknown"], "127.0.0.1"),
            ("127.0.0.1:1", &[], "127.0.0.1"),
            ("192.0.2.9:1", &["203.0.113.7"], "192.0.2.9"),
            ("10.9.9.9:1", &["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            let found = client(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(found.to_string(), want, "{peer} {lines:?}");
        }
    }
}
