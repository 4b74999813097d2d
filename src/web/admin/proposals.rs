//! What partners propose on their pages: an operator accepts it or declines it. An accepted source is added to the configuration; for an
//! accepted correction, the source of the entry is read anew.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::access::{AdminQuery, Visit, by_form, for_role, see};
use super::add::by_hand;
use crate::config::addition::{self, AdditionError, NewSource, SourceFate};
use crate::model::admin::AdminRole;
use crate::model::keys::ProposalKey;
use crate::model::partner::{Proposal, ProposalDecision, ProposalKind};
use crate::pipeline::partners;
use crate::store::StoreError;
use crate::support::text::direction;
use crate::web::source_view::moment;
use crate::web::subscriptions::{SharedState, with};

/// Proposals on the page.
const PROPOSALS_MAX: usize = 50;

pub(super) async fn show(
    State(app): SharedState,
    Query(asked): Query<AdminQuery>,
    headers: HeaderMap,
) -> Response {
    for_role(app, headers, asked.l.clone(), AdminRole::Viewer, move |visit| {
        page(visit, StatusCode::OK, json!({ "is_done": !asked.done.is_empty() }))
    })
    .await
}

fn page(visit: &Visit, status: StatusCode, more: Value) -> anyhow::Result<Response> {
    let views = visit.app.refresher.store.read(|r| {
        let open = r.partners().open_proposals(PROPOSALS_MAX)?;
        let views = open.iter().map(|proposal| {
            let key = proposal.proposed.entry;
            let entry = key.map(|key| r.entries().get_if_there(key)).transpose()?.flatten();
            let tag = entry.as_ref().and_then(|entry| entry.entry.language.clone()).unwrap_or_default();
            let about = json!({
                "url": entry.as_ref().and_then(|entry| entry.entry.url.clone()),
                "source": entry.as_ref().map(|entry| entry.entry.source.clone()),
                "language": tag,
                "dir": direction(&tag),
            });
            Ok::<_, StoreError>(view(proposal, &about))
        });
        views.collect::<Result<Vec<Value>, StoreError>>()
    })?;
    let heading = ("proposals", visit.phrase("admin_proposals"));
    Ok(visit.page(status, "admin/proposals.html", heading, with(json!({ "proposals": views }), more)))
}

fn view(proposal: &Proposal, about: &Value) -> Value {
    let proposed = &proposal.proposed;
    json!({
        "key": proposal.key.0,
        "partner": proposed.partner,
        "is_source": proposed.kind == ProposalKind::Source,
        "text": proposed.text,
        "title": proposed.title,
        "about": about,
        "created": moment(Some(proposal.created)),
    })
}

pub(super) async fn act(State(app): SharedState, headers: HeaderMap, body: Bytes) -> Response {
    by_form(app, headers, body, AdminRole::Operator, |visit, form| {
        let is_accepted = match form.one("do") {
            "accept" => true,
            "decline" => false,
            _ => return Ok(visit.told(StatusCode::UNPROCESSABLE_ENTITY, "wrong_choice")),
        };
        let key = form.one("key").parse().ok().map(ProposalKey);
        let store = &visit.app.refresher.store;
        let known = key.map(|key| store.read(|r| r.partners().proposal(key))).transpose()?.flatten();
        let Some(proposal) = known.filter(|proposal| proposal.decision.is_none()) else {
            return Ok(visit.told(StatusCode::NOT_FOUND, "desk_gone"));
        };
        // Adding the same once more changes nothing: whoever decides second finds it there.
        if is_accepted
            && proposal.proposed.kind == ProposalKind::Source
            && let Some(fault) = add(visit, &proposal)?
        {
            return Ok(fault);
        }
        if !decide(visit, &proposal, is_accepted, visit.app.clock.now())? {
            return Ok(visit.told(StatusCode::NOT_FOUND, "desk_gone"));
        }
        let (account, partner) = (&visit.account.name, &proposal.proposed.partner);
        tracing::info!(account, partner, is_accepted, "a proposal was decided at /admin");
        Ok(see(&format!("/admin/proposals?l={}&done=1", visit.language)))
    })
    .await
}

/// Adds a proposed source to the configuration; else the page that says why not.
fn add(visit: &Visit, proposal: &Proposal) -> anyhow::Result<Option<Response>> {
    let proposed = &proposal.proposed;
    let name = proposed.partner.clone();
    let source = NewSource { name, address: proposed.text.clone(), ..NewSource::default() };
    let refused = |status, phrase: &str, reason: &str| {
        page(visit, status, json!({ "fault": visit.phrase(phrase), "reason": reason })).map(Some)
    };
    let added = addition::add(&visit.app.config_path, std::slice::from_ref(&source), false);
    match added.map(|mut fates| fates.pop()) {
        Ok(Some(SourceFate::New(id))) => {
            tracing::info!(
                account = visit.account.name,
                source.id = id,
                "a proposed source was added at /admin"
            );
            visit.app.reloads.notify_one();
            Ok(None)
        }
        Ok(Some(SourceFate::Known(id))) => refused(StatusCode::CONFLICT, "admin_add_known", &id),
        Ok(Some(SourceFate::Refused(reason))) => {
            refused(StatusCode::UNPROCESSABLE_ENTITY, "admin_add_nothing", &reason)
        }
        Ok(None) => refused(StatusCode::UNPROCESSABLE_ENTITY, "admin_add_nothing", ""),
        Err(error @ AdditionError::Unwritable { .. }) => {
            tracing::warn!("a proposed source could not be added at /admin: {error}");
            Ok(Some(by_hand(visit, &source)))
        }
        Err(error) => refused(StatusCode::CONFLICT, "admin_add_by_hand", &error.to_string()),
    }
}

/// Notes the decision; `false` if somebody else was faster.
fn decide(visit: &Visit, proposal: &Proposal, is_accepted: bool, now: Timestamp) -> anyhow::Result<bool> {
    let decision = ProposalDecision { is_accepted, at: now, who: visit.account.name.clone() };
    let (app, proposed) = (&visit.app, &proposal.proposed);
    let decided = app.refresher.store.write(|w| {
        let is_first = w.partners().decide(proposal.key, &decision)?;
        if is_first && is_accepted && proposed.kind == ProposalKind::Correction {
            let entry = proposed.entry.map(|key| w.entries().get_if_there(key)).transpose()?.flatten();
            partners::read_anew(w, &app.sources, entry.as_ref(), now)?;
        }
        Ok::<_, StoreError>(is_first)
    })?;
    Ok(decided)
}
