//! Signing up, confirming, changing and leaving. A GET changes nothing, for mail scanners follow every link; nothing says
//! whether an address is known.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::forms::{self, Form};
use super::limits::network;
use super::state::{AppState, failed};
use crate::model::mail_address::Address;
use crate::model::subscriber::{Choice, Consent, Preferences, Subscriber, SubscriberState};
use crate::model::token::{FORM, PREFERENCES, UNSUBSCRIBE};
use crate::pipeline::mail::subscribers::{self, Left};
use crate::pipeline::mail::welcome::next_mail;
use crate::support::i18n::{capitalized, default_language, known, language_of, phrases, said};

/// Sign-ups from one network in an hour, and to one mail domain.
const SIGN_UPS_PER_NETWORK: u32 = 10;
const SIGN_UPS_PER_DOMAIN: u32 = 100;
/// So many times the sign-ups of a busy hour are an attack on other people's mailboxes.
const BRAKE: u32 = 10;
/// How long the second step takes at least: a program that has to wait bombs nobody.
const STEP_WAIT: SignedDuration = SignedDuration::from_secs(10);
/// Zero bits that a program's proof of work begins with: a second of work or so.
const PROOF_BITS: u32 = 20;
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// How long a form may be open.
const FORM_OPEN: SignedDuration = SignedDuration::from_hours(24);

type Shared = State<Arc<AppState>>;

/// `?l=fr`, and which topic a link is about.
#[derive(Debug, Default, serde::Deserialize)]
pub struct SubscriptionQuery {
    #[serde(default)]
    l: String,
    topic: Option<String>,
}

/// The language of a page: asked for, else of the browser where it is one of those offered, else of the channel.
fn language(app: &AppState, asked: &str, headers: &HeaderMap) -> &'static str {
    let browser =
        headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let tag = |text: &'_ str| known(text.split(';').next().unwrap_or_default().trim());
    known(asked)
        .or_else(|| browser.split(',').filter_map(tag).find(|tag| app.languages.contains(tag)))
        .or_else(|| known(&app.channel.language))
        .unwrap_or_else(default_language)
}

/// What all pages are made with.
fn catalog(app: &AppState, language: &str, heading: &str) -> Value {
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

fn with(mut page: Value, more: Value) -> Value {
    if let (Some(page), Value::Object(more)) = (page.as_object_mut(), more) {
        page.extend(more);
    }
    page
}

fn message(app: &AppState, status: StatusCode, language: &str, key: &str, more: Value) -> Response {
    let page = catalog(app, language, app.newsletter.title(language, &app.channel));
    app.page(status, "web/message.html", &with(page, with(json!({ "text": phrases(language)[key] }), more)))
}

/// Whether a request may come from a page of somebody else's (CSRF): browsers say so.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-site") {
        Some(site) => !matches!(site, "same-origin" | "none"),
        // Browsers of before 2023 name the origin only.
        None => text("origin")
            .is_some_and(|origin| origin.split("://").nth(1) != text("x-forwarded-host").or(text("host"))),
    }
}

/// Who asks. A proxy that is trusted names its client last in X-Forwarded-For; what stands before the last hop that is none of
/// ours is anybody's word.
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
        // Who cannot be read is known by the proxy that named them.
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

/// Why a sign-up goes no further.
enum Stop {
    TooMany,
    /// There are many at the moment: whoever is no program takes one more step.
    OneMoreStep,
    Closed,
}

/// Queues the confirmation within the limits. That the address is known, suppressed or asked for too often makes no difference
/// that could be seen.
fn sign_up(
    app: &AppState,
    ip: IpAddr,
    address: &Address,
    preferences: &Preferences,
    consent_text: Option<&str>,
    has_proof: bool,
) -> Result<Option<Stop>, anyhow::Error> {
    let mail_context = app.mail_context();
    if !app.newsletter.is_open || mail_context.sender.public_url.is_none() {
        return Ok(Some(Stop::Closed));
    }
    let allow = |key: String, times| app.limits.allow(key, times, HOUR, mail_context.now);
    let most = app.serve.sign_ups_per_hour;
    // The second step of somebody who was let in to it is no new sign-up of their network.
    if !has_proof && !allow(format!("network {}", network(ip)), SIGN_UPS_PER_NETWORK)
        || !allow("all".into(), most.saturating_mul(BRAKE))
    {
        return Ok(Some(Stop::TooMany));
    }
    let is_calm =
        allow(format!("domain {}", address.domain()), SIGN_UPS_PER_DOMAIN) && allow("many".into(), most);
    if !is_calm && !has_proof {
        return Ok(Some(Stop::OneMoreStep));
    }
    if subscribers::sign_up(&app.refresher.store, mail_context, address, preferences, consent_text)? {
        app.mail_waits.notify_one();
    }
    Ok(None)
}

/// What a second step is taken with: for one address, and not at once.
fn step_token(app: &AppState, address: &Address) -> String {
    let hash = app.sender.key.hash(address.as_str());
    app.sender.key.sign(FORM, &format!("step {hash} {}", app.clock.now().as_second()))
}

/// Whether a step was shown for this address, `wait` ago at least; each counts once.
fn is_step(app: &AppState, token: &str, address: &Address, wait: SignedDuration) -> bool {
    let now = app.clock.now();
    let shown = app.sender.key.verify(FORM, token).and_then(|payload| {
        let (hash, at) = payload.strip_prefix("step ")?.split_once(' ')?;
        (hash == app.sender.key.hash(address.as_str())).then(|| at.parse::<i64>().ok()).flatten()
    });
    let age = shown.map(|shown| now.as_second() - shown);
    age.is_some_and(|age| (wait.as_secs()..=HOUR.as_secs()).contains(&age))
        && app.limits.allow(format!("step {token}"), 1, HOUR, now)
}

/// Whether a program worked for its sign-up: the SHA-256 of challenge and nonce begins with enough zeros.
fn is_worked_for(challenge: &str, nonce: &str, bits: u32) -> bool {
    let digest = Sha256::digest(format!("{challenge}{nonce}"));
    let first = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    first.leading_zeros() >= bits
}

/// The page of the second step: a button, with all that was filled in behind it.
fn step_page(app: &AppState, language: &str, form: &Form, address: &Address) -> Response {
    let hidden = form.pairs().iter().filter(|(name, _)| name != "step").cloned();
    let fields: Vec<(String, String)> = hidden.chain([("step".into(), step_token(app, address))]).collect();
    let button = phrases(language)["confirm_button"];
    let more = json!({ "button": button, "action": format!("{}/subscribe", app.base()), "fields": fields });
    message(app, StatusCode::OK, language, "one_more_step", more)
}

/// The form to sign up.
pub async fn show_form(
    State(app): Shared,
    Query(asked): Query<SubscriptionQuery>,
    headers: HeaderMap,
) -> Response {
    let language = language(&app, &asked.l, &headers);
    let choice = Choice {
        language: language.into(),
        timezone: phrases(language)["timezone"].into(),
        ..Choice::default()
    };
    form_page(&app, StatusCode::OK, language, "", &choice, &[], None)
}

fn form_page(
    app: &AppState,
    status: StatusCode,
    language: &str,
    address: &str,
    choice: &Choice,
    faults: &[&str],
    hint: Option<String>,
) -> Response {
    let label = |tag: &&str| json!({ "value": tag, "label": capitalized(language_of(tag)) });
    let languages: Vec<Value> = app.languages.iter().map(label).collect();
    let page = catalog(app, language, phrases(language)["subscribe"]);
    let more = json!({
        "is_private": false,
        "languages": languages,
        "address": address,
        "faults": faults,
        "hint": hint.map(|address| said("form_hint", language, &[("address", address.into())])),
        "form": forms::fields(app, choice, language),
        "form_token": app.sender.key.sign(FORM, &app.clock.now().as_second().to_string()),
    });
    app.page(status, "web/subscribe.html", &with(page, more))
}

/// The form, sent.
pub async fn send_form(
    State(app): Shared,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = Form::read(&body);
    let language = language(&app, form.one("l"), &headers);
    let (address_text, choice) =
        (form.one("address").to_owned(), forms::choice(&form, &app.subscription_options));
    let shown = form.one("form");
    let now = app.clock.now();
    let opened = app.sender.key.verify(FORM, shown).and_then(|seconds| seconds.parse::<i64>().ok());
    let is_open = opened.is_some_and(|opened| now.as_second() - opened <= FORM_OPEN.as_secs());
    let again = |status, key, hint| {
        form_page(&app, status, language, &address_text, &choice, &[phrases(language)[key]], hint)
    };
    if is_foreign(&headers) || !is_open {
        return again(StatusCode::FORBIDDEN, "form_expired", None);
    }
    if !form.one("website").is_empty() {
        // A program filled in what people do not see: it is told what it wants to hear.
        return message(&app, StatusCode::OK, language, "check_mail", json!({}));
    }
    let Ok(address) = Address::parse_public(&address_text) else {
        return again(StatusCode::UNPROCESSABLE_ENTITY, "wrong_address", None);
    };
    if !form.one("has_topics").is_empty() && forms::has_no_topic(&form, &app.subscription_options) {
        return again(StatusCode::UNPROCESSABLE_ENTITY, "no_topics", None);
    }
    let preferences = match app.subscription_options.preferences(&choice, language) {
        Ok(preferences) => preferences,
        Err(faults) => {
            let is_zone = faults.iter().any(|(field, _)| *field == "timezone");
            return again(
                StatusCode::UNPROCESSABLE_ENTITY,
                if is_zone { "wrong_timezone" } else { "wrong_choice" },
                None,
            );
        }
    };
    if let Some(hint) = address.hint().filter(|_| form.one("sure").is_empty()) {
        return form_page(&app, StatusCode::OK, language, &address_text, &choice, &[], Some(hint));
    }
    let t = phrases(language);
    let shown = format!("{} {}", t["subscribe_text"], t["subscribe_legal"]);
    let has_proof = is_step(&app, form.one("step"), &address, STEP_WAIT);
    match sign_up(
        &app,
        client(peer, &headers, &app.serve.trusted_proxies),
        &address,
        &preferences,
        Some(&shown),
        has_proof,
    ) {
        Ok(Some(Stop::OneMoreStep)) => step_page(&app, language, &form, &address),
        Ok(None) => message(&app, StatusCode::OK, language, "check_mail", json!({})),
        Ok(Some(Stop::TooMany)) => {
            message(&app, StatusCode::TOO_MANY_REQUESTS, language, "too_many", json!({}))
        }
        Ok(Some(Stop::Closed)) => message(&app, StatusCode::FORBIDDEN, language, "form_closed", json!({})),
        Err(error) => failed(&error),
    }
}

/// `POST /api/subscriptions`: the form for programs. JSON cannot be sent by a page of another site without asking first.
pub async fn api(
    State(app): Shared,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    #[derive(serde::Deserialize)]
    struct Request {
        address: String,
        #[serde(default)]
        challenge: String,
        #[serde(default)]
        nonce: String,
        #[serde(flatten)]
        choice: Value,
    }
    let answer = |status: StatusCode, body: Value| {
        (
            status,
            [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")],
            body.to_string(),
        )
            .into_response()
    };
    let fault = |field: &str, message: &str| json!({ "errors": [{ "field": field, "message": message }] });
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"));
    if !is_json || is_foreign(&headers) {
        return answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, fault("", "send application/json"));
    }
    let read = serde_json::from_slice::<Request>(&body).and_then(|request| {
        let proof = (request.challenge, request.nonce);
        Ok((request.address, proof, serde_json::from_value::<Choice>(request.choice)?))
    });
    let (address, (challenge, nonce), choice) = match read {
        Ok(read) => read,
        Err(error) => return answer(StatusCode::BAD_REQUEST, fault("", &error.to_string())),
    };
    let (address, preferences) = match (
        Address::parse_public(&address),
        app.subscription_options.preferences(&choice, &app.channel.language),
    ) {
        (Ok(address), Ok(preferences)) => (address, preferences),
        (address, preferences) => {
            let mut faults: Vec<Value> = address
                .err()
                .into_iter()
                .map(|error| json!({ "field": "address", "message": error }))
                .collect();
            faults.extend(
                preferences
                    .err()
                    .into_iter()
                    .flatten()
                    .map(|(field, error)| json!({ "field": field, "message": error })),
            );
            return answer(StatusCode::UNPROCESSABLE_ENTITY, json!({ "errors": faults }));
        }
    };
    let has_proof = is_worked_for(&challenge, &nonce, PROOF_BITS)
        && is_step(&app, &challenge, &address, SignedDuration::ZERO);
    let ip = client(peer, &headers, &app.serve.trusted_proxies);
    match sign_up(&app, ip, &address, &preferences, None, has_proof) {
        Ok(Some(Stop::OneMoreStep)) => {
            let mut body = fault(
                "",
                "many are signing up: send it again with the challenge, and a nonce such that the SHA-256 of challenge and nonce, as one text, begins with as many zero bits",
            );
            body["challenge"] = step_token(&app, &address).into();
            body["bits"] = PROOF_BITS.into();
            answer(StatusCode::TOO_MANY_REQUESTS, body)
        }
        Ok(None) => {
            answer(StatusCode::ACCEPTED, json!({ "status": "confirm by mail", "hint": address.hint() }))
        }
        Ok(Some(Stop::TooMany)) => {
            let mut response =
                answer(StatusCode::TOO_MANY_REQUESTS, fault("", "too many requests: try again later"));
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("3600"));
            response
        }
        Ok(Some(Stop::Closed)) => answer(StatusCode::FORBIDDEN, fault("", "sign-up is closed")),
        Err(error) => failed(&error),
    }
}

/// The page behind the link of a confirmation mail: it asks, for a scanner that follows the link must not confirm.
pub async fn show_confirm(
    State(app): Shared,
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

pub async fn confirm(
    State(app): Shared,
    Path(token): Path<String>,
    Query(asked): Query<SubscriptionQuery>,
    headers: HeaderMap,
) -> Response {
    let language = language(&app, &asked.l, &headers);
    let confirmed = subscribers::confirm(&app.refresher.store, app.mail_context(), &token);
    match confirmed {
        Ok(Some(subscriber)) => {
            // Whoever is welcomed looks out for that mail.
            app.mail_waits.notify_one();
            let phrase = if app.newsletter.has_welcome { "next_mail" } else { "first_mail" };
            let cadence = &subscriber.preferences.cadence;
            let hash = app.sender.key.hash(subscriber.address.as_str());
            let link = format!(
                "{}/preferences/{}?l={language}",
                app.base(),
                app.sender.key.sign(PREFERENCES, &hash)
            );
            let more = json!({
                "link": link,
                "link_text": phrases(language)["preferences"],
                "note": next_mail(phrase, cadence, language, app.clock.now()),
            });
            message(&app, StatusCode::OK, language, "confirmed", more)
        }
        Ok(None) => message(&app, StatusCode::NOT_FOUND, language, "link_dead", json!({})),
        Err(error) => failed(&error),
    }
}

pub async fn show_leave(
    State(app): Shared,
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
    match subscribers::can_leave_topic(&app.refresher.store, &app.sender.key, &token, &topic.id) {
        Ok(true) => {
            let button = phrases(language)["leave_topic_button"];
            let more = json!({ "button": button, "topic": topic.label(language) });
            message(&app, StatusCode::OK, language, "leave_topic_ask", more)
        }
        Ok(false) => ask_to_leave(&app, language, &token, true),
        Err(error) => failed(&error),
    }
}

/// Asks whether somebody wants to leave the whole digest; `is_other` where the link was about less.
fn ask_to_leave(app: &AppState, language: &str, token: &str, is_other: bool) -> Response {
    let button = phrases(language)["unsubscribe_button"];
    let action = is_other.then(|| format!("{}/unsubscribe/{token}?l={language}", app.base()));
    let more = json!({ "button": button, "action": action });
    message(app, StatusCode::OK, language, "unsubscribe_ask", more)
}

/// The one-click POST of RFC 8058, and the button of the page.
pub async fn leave(
    State(app): Shared,
    Path(token): Path<String>,
    Query(asked): Query<SubscriptionQuery>,
    headers: HeaderMap,
) -> Response {
    let language = language(&app, &asked.l, &headers);
    let topic = match asked.topic.as_deref() {
        None => None,
        Some(id) => match app.topics.iter().find(|topic| topic.id == id) {
            Some(topic) => Some(topic),
            // Whoever wanted to leave a topic that is gone is asked, and leaves no more than the page says.
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
        Ok(Left::All) => message(&app, StatusCode::OK, language, "unsubscribed", json!({})),
        Ok(Left::Topic) => {
            let label = topic.map(|topic| topic.label(language));
            message(&app, StatusCode::OK, language, "left_topic", json!({ "topic": label }))
        }
        Ok(Left::Nothing) => ask_to_leave(&app, language, &token, true),
        Ok(Left::Unknown) => message(&app, StatusCode::NOT_FOUND, language, "unsubscribe_unknown", json!({})),
        Err(error) => failed(&error),
    }
}

/// The preference centre.
pub async fn show_preferences(
    State(app): Shared,
    Path(token): Path<String>,
    Query(asked): Query<SubscriptionQuery>,
    headers: HeaderMap,
) -> Response {
    let language = language(&app, &asked.l, &headers);
    let found = subscribers::by_link(&app.refresher.store, &app.sender.key, &token);
    match found {
        Ok(Some((_, subscriber))) => {
            preferences_page(&app, StatusCode::OK, language, &token, &subscriber, Said::default())
        }
        Ok(None) => message(&app, StatusCode::NOT_FOUND, language, "link_dead", json!({})),
        Err(error) => failed(&error),
    }
}

/// What the preferences say beside themselves.
#[derive(Default)]
struct Said<'a> {
    notice: Option<&'static str>,
    fault: Option<&'static str>,
    /// What was filled in and could not be kept.
    entered: Option<&'a Choice>,
}

fn preferences_page(
    app: &AppState,
    status: StatusCode,
    language: &str,
    token: &str,
    subscriber: &Subscriber,
    said: Said,
) -> Response {
    let t = phrases(language);
    let stored = forms::of_preferences(&subscriber.preferences);
    let mut form = forms::fields(app, said.entered.unwrap_or(&stored), language);
    if said.fault == Some("no_topics") {
        form.untick_topics();
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

pub async fn change_preferences(
    State(app): Shared,
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
                Said::default(),
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
                Said { fault: Some(faults), entered: Some(&choice), ..Said::default() },
            );
            return Ok(Some(page));
        }
    };
    save(app, token, language, subscriber, Changed { preferences, state }, form).map(Some)
}

/// What somebody has from now on.
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
    let consent = Consent { source: "came back by the link of a mail".into(), at: now, text: None };
    let Changed { preferences, state } = changed;
    let changed = subscribers::put(store, key, subscriber.address, preferences, consent, state, now)?;
    let language =
        if form.one("do") == "save" { changed.preferences.language.clone() } else { language.to_owned() };
    Ok(preferences_page(
        app,
        StatusCode::OK,
        &language,
        token,
        &changed,
        Said { notice: Some("saved"), ..Said::default() },
    ))
}

/// All that is held about somebody, for themselves.
pub async fn data(State(app): Shared, Path(token): Path<String>) -> Response {
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

    #[test]
    fn a_proof_of_work_is_that() {
        assert!(!is_worked_for("challenge", "0", PROOF_BITS));
        let nonce = (0..).map(|n: u64| n.to_string()).find(|nonce| is_worked_for("c", nonce, 8)).unwrap();
        assert!(is_worked_for("c", &nonce, 8) && !is_worked_for("c", &nonce, 32));
    }
}
