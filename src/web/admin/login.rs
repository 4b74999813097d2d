//! Signing in and out. Whether a name is known makes no difference that could be seen or measured.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::access::{AdminQuery, admin_language, by_form, see, set_cookie, shown_hash, signed_in};
use crate::model::admin::{AdminAccount, AdminRole, AdminSession, SESSION_AGE_MAX};
use crate::model::api_token::hash_of;
use crate::model::guard::network;
use crate::support::clock::TokenSource;
use crate::support::i18n::phrases;
use crate::web::forms::Form;
use crate::web::state::{AppState, busy, failed};
use crate::web::subscriptions::{SharedState, catalog, client, is_foreign, language_links, with};

/// Log-ins from one network, and to one account, each within a time of its own: who knows the password needs one, and who guesses
/// gets nowhere.
const LOG_INS_PER_NETWORK: u32 = 10;
const NETWORK_TIME: SignedDuration = SignedDuration::from_mins(15);
const LOG_INS_PER_ACCOUNT: u32 = 50;
const ACCOUNT_TIME: SignedDuration = SignedDuration::from_hours(1);

/// The form.
fn form(app: &AppState, status: StatusCode, language: &str, fault: Option<&str>) -> Response {
    let t = phrases(language);
    let page = json!({ "fault": fault.map(|name| t[name]), "languages": language_links() });
    app.page(status, "admin/login.html", &with(catalog(app, language, t["admin"]), page))
}

pub(super) async fn show(
    State(app): SharedState,
    Query(asked): Query<AdminQuery>,
    headers: HeaderMap,
) -> Response {
    let language = admin_language(&app, &asked.l, &headers);
    let pool = app.admins.clone();
    let done = pool.run(move || {
        Ok(match signed_in(&app, &headers, app.clock.now())? {
            Some(_) => see(&format!("/admin?l={language}")),
            None => form(&app, StatusCode::OK, language, None),
        })
    });
    match done.await {
        Ok(Some(response)) => response,
        Ok(None) => busy(StatusCode::SERVICE_UNAVAILABLE.into_response()),
        Err(error) => failed(&error),
    }
}

pub(super) async fn log_in(
    State(app): SharedState,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let sent = Form::read(&body);
    let language = admin_language(&app, sent.one("l"), &headers);
    if is_foreign(&headers) {
        return form(&app, StatusCode::FORBIDDEN, language, Some("form_expired"));
    }
    let ip = client(peer, &headers, &app.serve.trusted_proxies);
    if !may_try(&app, ip, sent.one("name")) {
        return form(&app, StatusCode::TOO_MANY_REQUESTS, language, Some("too_many"));
    }
    // Hashing takes long and much memory: few do it at a time, on threads of their own.
    let (pool, there) = (app.logins.clone(), app.clone());
    let done = pool.run(move || {
        let Some(account) = known(&there.admin_accounts, sent.one("name"), password_of(&sent)) else {
            tracing::warn!(client = %ip, "a log-in to /admin failed");
            return Ok(form(&there, StatusCode::UNPROCESSABLE_ENTITY, language, Some("admin_wrong")));
        };
        begin(&there, account, &headers, language)
    });
    match done.await {
        Ok(Some(response)) => response,
        Ok(None) => busy(form(&app, StatusCode::SERVICE_UNAVAILABLE, language, Some("too_many"))),
        Err(error) => failed(&error),
    }
}

/// The password as it was typed: spaces at its ends are its own.
fn password_of(sent: &Form) -> &str {
    sent.pairs().iter().find(|(name, _)| name == "password").map_or("", |(_, value)| value.as_str())
}

fn may_try(app: &AppState, ip: IpAddr, name: &str) -> bool {
    let (now, name) = (app.clock.now(), hash_of(&name.to_lowercase()));
    app.limits.allow(format!("log-in from {}", network(ip)), LOG_INS_PER_NETWORK, NETWORK_TIME, now)
        && app.limits.allow(format!("log-in of {name}"), LOG_INS_PER_ACCOUNT, ACCOUNT_TIME, now)
}

/// The account of a name and a password. A password is hashed whether the name is known or not.
fn known<'a>(accounts: &'a [AdminAccount], name: &str, password: &str) -> Option<&'a AdminAccount> {
    let own = accounts.iter().find(|account| account.name == name);
    let is_right = own.or(accounts.first()).is_some_and(|account| account.password.is_of(password));
    own.filter(|_| is_right)
}

/// Begins a session, in the place of the one that the browser was in.
fn begin(
    app: &Arc<AppState>,
    account: &AdminAccount,
    headers: &HeaderMap,
    language: &str,
) -> anyhow::Result<Response> {
    let (token, now) = (TokenSource::System.long_token()?, app.clock.now());
    let session = AdminSession {
        account: account.name.clone(),
        fingerprint: account.password.fingerprint(),
        created: now,
        used: now,
    };
    let before = shown_hash(app, headers);
    let limit = now.saturating_sub(SESSION_AGE_MAX).unwrap_or(Timestamp::MIN);
    app.refresher.store.write(|w| {
        if let Some(before) = &before {
            w.admin_sessions().delete(before)?;
        }
        w.admin_sessions().put(&hash_of(&token), &session, limit)
    })?;
    tracing::info!(account = account.name, "signed in to /admin");
    Ok(with_cookie(see(&format!("/admin?l={language}")), &set_cookie(app, Some(&token))))
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

pub(super) async fn log_out(State(app): SharedState, headers: HeaderMap, body: Bytes) -> Response {
    by_form(app, headers, body, AdminRole::Viewer, |visit, _| {
        visit.app.refresher.store.write(|w| w.admin_sessions().delete(&visit.hash))?;
        let to = format!("/admin/login?l={}", visit.language);
        Ok(with_cookie(see(&to), &set_cookie(&visit.app, None)))
    })
    .await
}
