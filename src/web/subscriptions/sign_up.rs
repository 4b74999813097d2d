//! Signing up, by the web form and by the API.

use std::net::{IpAddr, SocketAddr};

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{SharedState, SubscriptionQuery, catalog, client, is_foreign, language, message, with};
use crate::model::guard::network;
use crate::model::mail_address::Address;
use crate::model::subscriber::{Choice, Preferences, SubscriptionOptions};
use crate::model::token::FORM;
use crate::pipeline::mail::subscribers;
use crate::support::i18n::{capitalized, language_of, phrases, said};
use crate::support::text::shorten;
use crate::web::forms::{self, Form, FormFields};
use crate::web::state::{AppState, failed};

/// Sign-ups per hour from one network, and to one mail domain.
const SIGN_UPS_PER_NETWORK: u32 = 10;
const SIGN_UPS_PER_DOMAIN: u32 = 100;
/// Sign-ups per day of all spellings of one mailbox.
const SIGN_UPS_PER_MAILBOX: u32 = 3;
/// At this multiple of a busy hour's sign-ups, other people's mailboxes are under attack.
const BRAKE: u32 = 10;
/// Minimum time before the second step, which slows down mail bombing.
const STEP_WAIT: SignedDuration = SignedDuration::from_secs(10);
/// Required leading zero bits of a client's proof of work: about a second of work.
const PROOF_BITS: u32 = 20;
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Kept of a text that somebody agreed to, in characters.
const CONSENT_CHARS_MAX: usize = 4_000;
/// How long a form may be open.
const FORM_OPEN: SignedDuration = SignedDuration::from_hours(24);

/// Why a sign-up is stopped.
enum SignUpObstacle {
    TooMany,
    /// There are many sign-ups at the moment: an extra step keeps programs out.
    OneMoreStep,
    Closed,
}

/// Queues the confirmation within the limits. Whether the address is known, suppressed or over its limit makes no visible
/// difference.
fn sign_up(
    app: &AppState,
    ip: IpAddr,
    address: &Address,
    preferences: &Preferences,
    consent_text: Option<&str>,
    has_proof: bool,
) -> Result<Option<SignUpObstacle>, anyhow::Error> {
    let mail_context = app.mail_context();
    if !app.newsletter.is_open || mail_context.sender.public_url.is_none() {
        return Ok(Some(SignUpObstacle::Closed));
    }
    let allow = |key: String, times| app.limits.allow(key, times, HOUR, mail_context.now);
    let most = app.serve.sign_ups_per_hour;
    // The second step of an accepted first one does not count as another sign-up of the network.
    if !has_proof && !allow(format!("network {}", network(ip)), SIGN_UPS_PER_NETWORK)
        || !allow("all".into(), most.saturating_mul(BRAKE))
    {
        return Ok(Some(SignUpObstacle::TooMany));
    }
    let is_calm =
        allow(format!("domain {}", address.domain()), SIGN_UPS_PER_DOMAIN) && allow("many".into(), most);
    if !is_calm && !has_proof {
        return Ok(Some(SignUpObstacle::OneMoreStep));
    }
    // Any number of spellings may be one person's, who did not ask for this.
    let is_much = !app.limits.allow(
        format!("mailbox {}", address.mailbox()),
        SIGN_UPS_PER_MAILBOX,
        DAY,
        mail_context.now,
    );
    if is_much {
        return Ok(None);
    }
    if subscribers::sign_up(&app.refresher.store, mail_context, address, preferences, consent_text)? {
        app.mail_waits.notify_one();
    }
    Ok(None)
}

/// The token of a second step: for one address, with the time it was shown.
fn step_token(app: &AppState, address: &Address) -> String {
    let hash = app.sender.key.hash(address.as_str());
    app.sender.key.sign(FORM, &format!("step {hash} {}", app.clock.now().as_second()))
}

/// Whether a second step was shown for this address at least `wait` ago; each token can be used once.
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

/// Verifies the proof of work: the SHA-256 of challenge and nonce has enough leading zero bits.
fn has_proof_of_work(challenge: &str, nonce: &str, bits: u32) -> bool {
    let digest = Sha256::digest(format!("{challenge}{nonce}"));
    let first = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    first.leading_zeros() >= bits
}

/// The page of the second step: a button, with everything submitted so far in hidden fields.
fn step_page(app: &AppState, language: &str, form: &Form, address: &Address) -> Response {
    let hidden = form.pairs().iter().filter(|(name, _)| name != "step").cloned();
    let fields: Vec<(String, String)> = hidden.chain([("step".into(), step_token(app, address))]).collect();
    let button = phrases(language)["confirm_button"];
    let more = json!({ "button": button, "action": format!("{}/subscribe", app.base()), "fields": fields });
    message(app, StatusCode::OK, language, "one_more_step", more)
}

/// Shows the sign-up form.
pub(crate) async fn show_form(
    State(app): SharedState,
    Query(asked): Query<SubscriptionQuery>,
    headers: HeaderMap,
) -> Response {
    let language = language(&app, &asked.l, &headers);
    let choice = Choice {
        language: language.into(),
        timezone: phrases(language)["timezone"].into(),
        ..Choice::default()
    };
    form_page(&app, StatusCode::OK, language, "", forms::fields(&app, &choice, language), &[], None)
}

fn form_page(
    app: &AppState,
    status: StatusCode,
    language: &str,
    address: &str,
    fields: FormFields,
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
        "form": fields,
        "form_token": app.sender.key.sign(FORM, &app.clock.now().as_second().to_string()),
    });
    app.page(status, "web/subscribe.html", &with(page, more))
}

/// Handles the submitted form.
pub(crate) async fn send_form(
    State(app): SharedState,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = Form::read(&body);
    let language = language(&app, form.one("l"), &headers);
    if is_foreign(&headers) || !is_open(&app, form.one("form")) {
        return again(&app, &form, language, StatusCode::FORBIDDEN, "form_expired");
    }
    if !form.one("website").is_empty() {
        // A bot filled in the hidden field: it is shown a success.
        return message(&app, StatusCode::OK, language, "check_mail", json!({}));
    }
    let (address, preferences) = match wanted(&app, &form, language) {
        Ok(wanted) => wanted,
        Err(key) => return again(&app, &form, language, StatusCode::UNPROCESSABLE_ENTITY, key),
    };
    if let Some(hint) = address.hint().filter(|_| form.one("sure").is_empty()) {
        let fields = submitted(&app, &form, language);
        return form_page(&app, StatusCode::OK, language, form.one("address"), fields, &[], Some(hint));
    }
    let t = phrases(language);
    let shown = format!("{} {}", t["subscribe_text"], t["subscribe_legal"]);
    let has_proof = is_step(&app, form.one("step"), &address, STEP_WAIT);
    let ip = client(peer, &headers, &app.serve.trusted_proxies);
    match sign_up(&app, ip, &address, &preferences, Some(&shown), has_proof) {
        Ok(Some(SignUpObstacle::OneMoreStep)) => step_page(&app, language, &form, &address),
        Ok(None) => message(&app, StatusCode::OK, language, "check_mail", json!({})),
        Ok(Some(SignUpObstacle::TooMany)) => {
            message(&app, StatusCode::TOO_MANY_REQUESTS, language, "too_many", json!({}))
        }
        Ok(Some(SignUpObstacle::Closed)) => {
            message(&app, StatusCode::FORBIDDEN, language, "form_closed", json!({}))
        }
        Err(error) => failed(&error),
    }
}

/// Whether a form was shown by us, and not too long ago.
fn is_open(app: &AppState, shown: &str) -> bool {
    let opened = app.sender.key.verify(FORM, shown).and_then(|seconds| seconds.parse::<i64>().ok());
    opened.is_some_and(|opened| app.clock.now().as_second() - opened <= FORM_OPEN.as_secs())
}

/// The form again, with the submitted values and the fault.
fn again(app: &AppState, form: &Form, language: &str, status: StatusCode, key: &str) -> Response {
    let fields = submitted(app, form, language);
    form_page(app, status, language, form.one("address"), fields, &[phrases(language)[key]], None)
}

/// The fields as they were submitted.
fn submitted(app: &AppState, form: &Form, language: &str) -> FormFields {
    let options = &app.subscription_options;
    let mut fields = forms::fields(app, &forms::choice(form, options), language);
    if lacks_topic(form, options) {
        fields.clear_topics();
    }
    fields
}

/// Whether topics could be ticked, and none is.
fn lacks_topic(form: &Form, options: &SubscriptionOptions) -> bool {
    !form.one("has_topics").is_empty() && forms::has_no_topic(form, options)
}

/// Address and preferences in a form, or the phrase for what is wrong.
fn wanted(app: &AppState, form: &Form, language: &str) -> Result<(Address, Preferences), &'static str> {
    let options = &app.subscription_options;
    let address = Address::parse_public(form.one("address")).map_err(|_| "wrong_address")?;
    if lacks_topic(form, options) {
        return Err("no_topics");
    }
    let preferences = options.preferences(&forms::choice(form, options), language).map_err(|faults| {
        let is_zone = faults.iter().any(|(field, _)| *field == "timezone");
        if is_zone { "wrong_timezone" } else { "wrong_choice" }
    })?;
    Ok((address, preferences))
}

/// The body of an API request.
#[derive(serde::Deserialize)]
struct Request {
    address: String,
    #[serde(default)]
    challenge: String,
    #[serde(default)]
    nonce: String,
    /// What the page of the program said when somebody agreed: it is kept with their consent.
    consent_text: Option<String>,
    #[serde(flatten)]
    choice: Value,
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}

fn fault(field: &str, message: &str) -> Value {
    json!({ "errors": [{ "field": field, "message": message }] })
}

/// `POST /api/subscriptions`: sign-up for programs. Another site's page cannot send JSON without a preflight request.
pub(crate) async fn api(
    State(app): SharedState,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/json")) || is_foreign(&headers) {
        return answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, &fault("", "send application/json"));
    }
    let read = serde_json::from_slice::<Request>(&body).and_then(|mut request| {
        let choice = serde_json::from_value::<Choice>(request.choice.take())?;
        Ok((request, choice))
    });
    let (request, choice) = match read {
        Ok(read) => read,
        Err(error) => return answer(StatusCode::BAD_REQUEST, &fault("", &error.to_string())),
    };
    let (address, preferences) = match checked(&app, &request.address, &choice) {
        Ok(checked) => checked,
        Err(faults) => return answer(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "errors": faults })),
    };
    let has_proof = has_proof_of_work(&request.challenge, &request.nonce, PROOF_BITS)
        && is_step(&app, &request.challenge, &address, SignedDuration::ZERO);
    let ip = client(peer, &headers, &app.serve.trusted_proxies);
    let consent_text = request.consent_text.as_deref().map(|text| shorten(text.trim(), CONSENT_CHARS_MAX));
    let consent_text = consent_text.as_deref().filter(|text| !text.is_empty());
    match sign_up(&app, ip, &address, &preferences, consent_text, has_proof) {
        Ok(stop) => sign_up_response(&app, &address, stop),
        Err(error) => failed(&error),
    }
}

/// Address and preferences in an API request, or all of its faults.
fn checked(app: &AppState, address: &str, choice: &Choice) -> Result<(Address, Preferences), Vec<Value>> {
    let preferences = app.subscription_options.preferences(choice, &app.channel.language);
    match (Address::parse_public(address), preferences) {
        (Ok(address), Ok(preferences)) => Ok((address, preferences)),
        (address, preferences) => {
            let address = address.err().map(|error| ("address", error));
            let faults = address.into_iter().chain(preferences.err().into_iter().flatten());
            Err(faults.map(|(field, error)| json!({ "field": field, "message": error })).collect())
        }
    }
}

/// The API's response to a sign-up.
fn sign_up_response(app: &AppState, address: &Address, stop: Option<SignUpObstacle>) -> Response {
    match stop {
        None => answer(StatusCode::ACCEPTED, &json!({ "status": "confirm by mail", "hint": address.hint() })),
        Some(SignUpObstacle::OneMoreStep) => {
            let mut body = fault(
                "",
                "many are signing up: send it again with the challenge, and a nonce such that the SHA-256 of challenge and nonce, as one text, begins with as many zero bits",
            );
            body["challenge"] = step_token(app, address).into();
            body["bits"] = PROOF_BITS.into();
            answer(StatusCode::TOO_MANY_REQUESTS, &body)
        }
        Some(SignUpObstacle::TooMany) => {
            let mut response =
                answer(StatusCode::TOO_MANY_REQUESTS, &fault("", "too many requests: try again later"));
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("3600"));
            response
        }
        Some(SignUpObstacle::Closed) => answer(StatusCode::FORBIDDEN, &fault("", "sign-up is closed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_of_work_is_that() {
        assert!(!has_proof_of_work("challenge", "0", PROOF_BITS));
        let nonce = (0..).map(|n: u64| n.to_string()).find(|nonce| has_proof_of_work("c", nonce, 8)).unwrap();
        assert!(has_proof_of_work("c", &nonce, 8) && !has_proof_of_work("c", &nonce, 32));
    }
}
