//! The private page of a partner: what is read of its stories and what became of them, and two forms by which it proposes a source or a
//! correction. Its address is signed; whoever knows it sees the page, and nothing else.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::forms::Form;
use super::source_view::{DAYS, SourceViewer, moment};
use super::state::{AppState, busy, failed, unlisted};
use super::subscriptions::{SharedState, catalog, is_foreign, language, language_links, message, with};
use crate::model::keys::EntryKey;
use crate::model::partner::{
    ADDRESS_BYTES_MAX, CORRECTION_CHARS_MAX, NewProposal, Proposal, ProposalKind, ProposalRefusal,
};
use crate::model::source::SourceKind;
use crate::model::token::PARTNER_FORM;
use crate::pipeline::mail::partners::reach_text;
use crate::pipeline::partners::{self, ReportSpan};
use crate::publish::{ATOM, JSON, RSS};
use crate::store::days_before;
use crate::support::i18n::{phrases, said};
use crate::support::text::{direction, escaped, one_line, shorten};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Looks at the page of a partner, and proposals from it, in an hour.
const LOOKS_PER_HOUR: u32 = 300;
const PROPOSALS_PER_HOUR: u32 = 30;
/// Proposals that are listed.
const PROPOSALS_LISTED: usize = 20;
/// Of a title in the list of entries.
const TITLE_CHARS: usize = 100;

/// `?l=fr`, and whether something was just proposed.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct PartnerQuery {
    l: String,
    done: String,
}

/// The routes, all of them below `/partner/`.
pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new().route("/partner/{token}", get(show).post(propose)).layer(map_response(unlisted))
}

/// A partner at its page.
struct PartnerVisit {
    app: Arc<AppState>,
    language: &'static str,
    token: String,
    partner: String,
}

async fn show(
    State(app): SharedState,
    Path(token): Path<String>,
    Query(asked): Query<PartnerQuery>,
    headers: HeaderMap,
) -> Response {
    let language = language(&app, &asked.l, &headers);
    visited(app, language, token, LOOKS_PER_HOUR, "partner looks", move |visit| {
        visit.page(StatusCode::OK, json!({ "is_done": !asked.done.is_empty() }))
    })
    .await
}

async fn propose(
    State(app): SharedState,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = Form::read(&body);
    let language = language(&app, form.one("l"), &headers);
    let is_foreign = is_foreign(&headers);
    visited(app, language, token, PROPOSALS_PER_HOUR, "partner proposes", move |visit| {
        let shown = visit.app.sender.key.verify(PARTNER_FORM, form.one("form"));
        if is_foreign || shown.as_deref() != Some(visit.token.as_str()) {
            return Ok(visit.told(StatusCode::FORBIDDEN, "form_expired"));
        }
        let entered =
            json!({ "address": form.one("address"), "text": form.one("text"), "entry": form.one("entry") });
        let fault = |phrase: &str| {
            let more = json!({ "fault": phrases(visit.language)[phrase], "entered": entered });
            visit.page(StatusCode::UNPROCESSABLE_ENTITY, more)
        };
        let proposed = match form.one("do") {
            "source" => visit.source(&form),
            "correction" => visit.correction(&form)?,
            _ => Err("wrong_choice"),
        };
        let new = match proposed {
            Ok(new) => new,
            Err(phrase) => return fault(phrase),
        };
        let app = &visit.app;
        match partners::propose(&app.refresher.store, &new, app.clock.now())? {
            Ok(key) => {
                tracing::info!(partner = visit.partner, proposal = key.0, "a partner proposes something");
                let to = format!("/partner/{}?l={}&done=1", visit.token, visit.language);
                Ok((StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response())
            }
            Err(ProposalRefusal::Known) => fault("partner_known"),
            Err(ProposalRefusal::TooMany) => fault("partner_too_many"),
        }
    })
    .await
}

/// Answers the partner of a link that holds, so often in an hour.
async fn visited(
    app: Arc<AppState>,
    language: &'static str,
    token: String,
    times: u32,
    what: &'static str,
    work: impl FnOnce(&PartnerVisit) -> anyhow::Result<Response> + Send + 'static,
) -> Response {
    let pool = app.callers.clone();
    let done = pool.run(move || {
        let key = &app.sender.key;
        let Some(partner) = partners::partner_of(&app.refresher.store, key, &app.sources, &token)? else {
            return Ok(message(&app, StatusCode::NOT_FOUND, language, "link_dead", json!({})));
        };
        let is_allowed = app.limits.allow(format!("{what} {partner}"), times, HOUR, app.clock.now());
        let visit = PartnerVisit { app, language, token, partner };
        if is_allowed { work(&visit) } else { Ok(visit.told(StatusCode::TOO_MANY_REQUESTS, "too_many")) }
    });
    match done.await {
        Ok(Some(response)) => response,
        Ok(None) => busy(StatusCode::SERVICE_UNAVAILABLE.into_response()),
        Err(error) => failed(&error),
    }
}

impl PartnerVisit {
    fn told(&self, status: StatusCode, phrase: &str) -> Response {
        let link = format!("{}/partner/{}?l={}", self.app.base(), self.token, self.language);
        let more = json!({ "link": link, "link_text": self.partner });
        message(&self.app, status, self.language, phrase, more)
    }

    /// A source as a form proposes it; else the phrase that says why it cannot be.
    fn source(&self, form: &Form) -> Result<NewProposal, &'static str> {
        let text = one_line(form.one("address")).trim().to_owned();
        let url = (SourceKind::of_address(&text).address)(&text).map_err(|_| "partner_wrong_address")?;
        if text.len() > ADDRESS_BYTES_MAX {
            return Err("partner_wrong_address");
        }
        if self.app.sources.iter().any(|source| source.url == url) {
            return Err("partner_known");
        }
        let partner = self.partner.clone();
        Ok(NewProposal { partner, kind: ProposalKind::Source, text, entry: None, title: String::new() })
    }

    /// The same for a correction of an entry.
    fn correction(&self, form: &Form) -> anyhow::Result<Result<NewProposal, &'static str>> {
        let text = form.one("text").replace("\r\n", "\n");
        let key = form.one("entry").parse().ok().map(EntryKey);
        let store = &self.app.refresher.store;
        let entry = key.map(|key| partners::entry_of(store, &self.partner, key)).transpose()?.flatten();
        let is_fitting = !text.is_empty() && text.chars().count() <= CORRECTION_CHARS_MAX;
        let Some(entry) = entry.filter(|_| is_fitting) else { return Ok(Err("partner_incomplete")) };
        Ok(Ok(NewProposal {
            partner: self.partner.clone(),
            kind: ProposalKind::Correction,
            text,
            entry: Some(entry.order),
            title: entry.entry.headline(),
        }))
    }

    fn page(&self, status: StatusCode, more: Value) -> anyhow::Result<Response> {
        let (app, now) = (&self.app, self.app.clock.now());
        let store = &app.refresher.store;
        // The days of the sparklines, today with them.
        let span =
            ReportSpan { from: days_before(now, DAYS as i64 - 1), to: now + SignedDuration::from_secs(1) };
        let report = partners::report(store, &app.sources, &self.partner, span)?;
        let proposals = store.read(|r| r.partners().proposals_of(&self.partner, PROPOSALS_LISTED))?;
        let viewer = SourceViewer { app, language: self.language, is_partner: true };
        let sources = report.sources.iter().map(|of| viewer.view(&of.source, of.row.as_ref(), &of.days));
        let latest = report.latest.iter().map(|stored| {
            let tag = stored.entry.language.as_deref().unwrap_or(&app.channel.language);
            json!({ "key": stored.order.to_string(), "title": shorten(&stored.entry.headline(), TITLE_CHARS), "language": tag, "dir": direction(tag) })
        });
        let page = json!({
            "partner": self.partner,
            "form_token": app.sender.key.sign(PARTNER_FORM, &self.token),
            "action": format!("{}/partner/{}", app.base(), self.token),
            "sources": sources.collect::<Vec<Value>>(),
            "joined": report.joined,
            "reach": reach_text(&report, span, self.language),
            "embed": self.embed(),
            "latest": latest.collect::<Vec<Value>>(),
            "proposals": proposals.iter().map(proposal_view).collect::<Vec<Value>>(),
            "languages": language_links(),
        });
        let title = app.newsletter.title(self.language, &app.channel);
        let heading = said("partner_page", self.language, &[("title", title.into())]);
        let page = with(catalog(app, self.language, &heading), with(page, more));
        Ok(app.page(status, "web/partner.html", &page))
    }

    /// The feed of the partner, and what it can put into its own pages; nothing where it has no feed.
    fn embed(&self) -> Value {
        let Some(publication) = self.app.publications.of_partner(&self.partner) else { return Value::Null };
        let page = format!("{}/{}", self.app.channel.url, publication.path);
        let name = escaped(&self.partner);
        // Within a script, no end tag may stand.
        let feed = json!(format!("{page}{JSON}")).to_string().replace('<', "\\u003c");
        let snippet = format!(
            "<link rel=\"alternate\" type=\"application/atom+xml\" title=\"{name}\" href=\"{page}{ATOM}\">\n\
             <ul id=\"courant-news\"><li><a href=\"{page}\">{name}</a></li></ul>\n\
             <script>\n\
             fetch({feed}).then((answer) => answer.json()).then((feed) => {{\n  \
               const list = document.getElementById(\"courant-news\");\n  \
               list.replaceChildren(...feed.items.slice(0, 10).map((item) => {{\n    \
                 const line = document.createElement(\"li\"), link = document.createElement(\"a\");\n    \
                 link.href = item.url;\n    \
                 link.textContent = item.title || item.url;\n    \
                 line.append(link);\n    \
                 return line;\n  \
               }}));\n\
             }});\n\
             </script>\n"
        );
        json!({ "page": page, "atom": format!("{page}{ATOM}"), "rss": format!("{page}{RSS}"), "json": format!("{page}{JSON}"), "snippet": snippet })
    }
}

/// A proposal as its partner sees it: who decided is nobody else's business.
fn proposal_view(proposal: &Proposal) -> Value {
    let proposed = &proposal.proposed;
    let phrase = match &proposal.decision {
        None => "partner_waiting",
        Some(decision) if decision.is_accepted => "partner_accepted",
        Some(_) => "partner_declined",
    };
    json!({ "text": proposed.text, "title": proposed.title, "created": moment(Some(proposal.created)), "state": phrase })
}
