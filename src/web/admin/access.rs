//! Who asks: the session of a cookie, what its account may do, and whether a form is one that we showed in that session.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::model::admin::{AdminAccount, AdminRole, SESSION_AGE_MAX};
use crate::model::api_token::hash_of;
use crate::model::token::ADMIN_FORM;
use crate::support::i18n::{default_language, known, phrases};
use crate::web::forms::Form;
use crate::web::search::SearchPool;
use crate::web::state::{AppState, busy, failed};
use crate::web::subscriptions::{catalog, is_foreign, language_links, with};

/// Forms that one account sends in an hour.
const FORMS_PER_HOUR: u32 = 3_000;
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// `?l=fr`, and what else the pages are asked for by.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct AdminQuery {
    pub(super) l: String,
    /// From 1.
    pub(super) page: usize,
    /// Only sources with a problem.
    pub(super) broken: String,
    pub(super) partner: String,
    /// Of a source.
    pub(super) id: String,
    /// Whether something was just done.
    pub(super) done: String,
}

/// Somebody who signed in, asking for a page.
pub(super) struct Visit {
    pub(super) app: Arc<AppState>,
    pub(super) account: AdminAccount,
    /// Of the session.
    pub(super) hash: String,
    pub(super) language: &'static str,
}

/// The language of a page: as asked for, or the first of the browser's that there is.
pub(super) fn admin_language(app: &AppState, asked: &str, headers: &HeaderMap) -> &'static str {
    let browser =
        headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut wanted = browser.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
    known(asked)
        .or_else(|| wanted.find_map(known))
        .or_else(|| known(&app.channel.language))
        .unwrap_or_else(default_language)
}

/// The cookie of a session. The prefix, which browsers grant under TLS only, keeps other hosts of the domain from setting it.
pub(super) fn cookie_name(app: &AppState) -> &'static str {
    if is_secure(app) { "__Host-courant" } else { "courant" }
}

fn is_secure(app: &AppState) -> bool {
    app.channel.url.starts_with("https:")
}

/// The cookie that a browser is to keep; without a token, to forget.
pub(super) fn set_cookie(app: &AppState, token: Option<&str>) -> String {
    let secure = if is_secure(app) { "; Secure" } else { "" };
    let age = token.map_or(0, |_| SESSION_AGE_MAX.as_secs());
    let (name, token) = (cookie_name(app), token.unwrap_or_default());
    format!("{name}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}")
}

/// The token that a browser shows.
fn shown_token<'a>(app: &AppState, headers: &'a HeaderMap) -> Option<&'a str> {
    let name = cookie_name(app);
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(own, _)| *own == name).map(|(_, token)| token)
}

/// The hash of the session of a browser, whether it holds or not.
pub(super) fn shown_hash(app: &AppState, headers: &HeaderMap) -> Option<String> {
    shown_token(app, headers).filter(|token| !token.is_empty()).map(hash_of)
}

/// The account of the session that a browser is in.
pub(super) fn signed_in(
    app: &AppState,
    headers: &HeaderMap,
    now: Timestamp,
) -> anyhow::Result<Option<(AdminAccount, String)>> {
    let Some(hash) = shown_hash(app, headers) else { return Ok(None) };
    let store = &app.refresher.store;
    let Some(session) = store.read(|r| r.admin_sessions().get(&hash))? else { return Ok(None) };
    let Some(account) = session.account(&app.admin_accounts, now) else {
        store.write(|w| w.admin_sessions().delete(&hash))?;
        return Ok(None);
    };
    if !session.is_use_noted(now) {
        store.write(|w| w.admin_sessions().note_used(&hash, now))?;
    }
    Ok(Some((account.clone(), hash)))
}

/// Leads to a page, by its path within the channel.
pub(super) fn see(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path.to_owned())]).into_response()
}

/// Answers whoever is signed in and may do it, when it is their turn; others are led to the log-in.
pub(super) async fn for_role(
    app: Arc<AppState>,
    headers: HeaderMap,
    asked: String,
    role: AdminRole,
    work: impl FnOnce(&Visit) -> anyhow::Result<Response> + Send + 'static,
) -> Response {
    for_role_at(app.admins.clone(), app, headers, asked, role, work).await
}

/// The same, with the places of a pool.
async fn for_role_at(
    pool: Arc<SearchPool>,
    app: Arc<AppState>,
    headers: HeaderMap,
    asked: String,
    role: AdminRole,
    work: impl FnOnce(&Visit) -> anyhow::Result<Response> + Send + 'static,
) -> Response {
    let done = pool.run(move || {
        let language = admin_language(&app, &asked, &headers);
        let Some((account, hash)) = signed_in(&app, &headers, app.clock.now())? else {
            return Ok(see(&format!("/admin/login?l={language}")));
        };
        let visit = Visit { app, account, hash, language };
        if visit.account.role < role {
            return Ok(visit.told(StatusCode::FORBIDDEN, "admin_not_allowed"));
        }
        work(&visit)
    });
    match done.await {
        Ok(Some(response)) => response,
        Ok(None) => busy(StatusCode::SERVICE_UNAVAILABLE.into_response()),
        Err(error) => failed(&error),
    }
}

/// Does what a form asks for, if it was shown in the session of who sends it.
pub(super) async fn by_form(
    app: Arc<AppState>,
    headers: HeaderMap,
    body: Bytes,
    role: AdminRole,
    work: impl FnOnce(&Visit, &Form) -> anyhow::Result<Response> + Send + 'static,
) -> Response {
    by_form_at(app.admins.clone(), app, headers, body, role, work).await
}

/// The same, with the places of a pool.
pub(super) async fn by_form_at(
    pool: Arc<SearchPool>,
    app: Arc<AppState>,
    headers: HeaderMap,
    body: Bytes,
    role: AdminRole,
    work: impl FnOnce(&Visit, &Form) -> anyhow::Result<Response> + Send + 'static,
) -> Response {
    let form = Form::read(&body);
    let (asked, is_foreign) = (form.one("l").to_owned(), is_foreign(&headers));
    for_role_at(pool, app, headers, asked, role, move |visit| {
        if is_foreign || !visit.is_own_form(form.one("csrf")) {
            return Ok(visit.told(StatusCode::FORBIDDEN, "form_expired"));
        }
        let key = format!("admin {}", visit.account.name);
        if !visit.app.limits.allow(key, FORMS_PER_HOUR, HOUR, visit.app.clock.now()) {
            return Ok(visit.told(StatusCode::TOO_MANY_REQUESTS, "too_many"));
        }
        work(visit, &form)
    })
    .await
}

impl Visit {
    /// What the forms of this session hold, and those of no other.
    fn form_token(&self) -> String {
        self.app.sender.key.sign(ADMIN_FORM, &self.hash)
    }

    fn is_own_form(&self, token: &str) -> bool {
        self.app.sender.key.verify(ADMIN_FORM, token).as_deref() == Some(self.hash.as_str())
    }

    pub(super) fn phrase(&self, name: &str) -> &'static str {
        phrases(self.language).get(name).copied().unwrap_or_default()
    }

    pub(super) fn may(&self, role: AdminRole) -> bool {
        self.account.role >= role
    }

    /// A page below the navigation.
    pub(super) fn page(
        &self,
        status: StatusCode,
        template: &str,
        (section, heading): (&str, &str),
        more: Value,
    ) -> Response {
        let page = json!({
            "section": section,
            "csrf": self.form_token(),
            "account": self.account.name,
            "role": self.phrase(&format!("admin_role_{}", self.account.role.as_str())),
            "is_editor": self.may(AdminRole::Editor),
            "is_operator": self.may(AdminRole::Operator),
            "languages": language_links(),
        });
        let page = with(catalog(&self.app, self.language, heading), with(page, more));
        self.app.page(status, template, &page)
    }

    /// A page that says one thing.
    pub(super) fn told(&self, status: StatusCode, phrase: &str) -> Response {
        let text = self.phrase(phrase);
        let heading = ("", self.phrase("admin"));
        self.page(status, "admin/message.html", heading, json!({ "text": text }))
    }
}
