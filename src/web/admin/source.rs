//! The page of one source: why it fails, what was mended, and what it brought last. An operator has it read, and says which
//! selectors hold.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::access::{AdminQuery, Visit, by_form, for_role, see};
use super::sources::query_of;
use crate::model::admin::AdminRole;
use crate::model::source::{FetchState, LearnedPage, Select, Source, Validators};
use crate::store::{EntryFilter, MarkupScope, StoreError};
use crate::support::text::direction;
use crate::web::source_view::{SourceViewer, first_day, moment};
use crate::web::subscriptions::{SharedState, with};

/// Entries that are listed.
const ENTRIES_MAX: u32 = 20;

pub(super) async fn show(
    State(app): SharedState,
    Query(asked): Query<AdminQuery>,
    headers: HeaderMap,
) -> Response {
    for_role(app, headers, asked.l.clone(), AdminRole::Viewer, move |visit| {
        match visit.app.sources.by_id(&asked.id) {
            Some(source) => page(visit, source, !asked.done.is_empty()),
            None => Ok(visit.told(StatusCode::NOT_FOUND, "not_found")),
        }
    })
    .await
}

fn page(visit: &Visit, source: &Source, is_done: bool) -> anyhow::Result<Response> {
    let (id, now) = (source.id.as_str(), visit.app.clock.now());
    let mut entries = Vec::new();
    let (row, days) = visit.app.refresher.store.read(|r| {
        let filter = EntryFilter { source: Some(id.to_owned()), since: None, count_max: Some(ENTRIES_MAX) };
        r.entries().each(&filter, MarkupScope::Without, |stored| {
            let entry = &stored.entry;
            entries.push(json!({
                "title": entry.headline(),
                "url": entry.url,
                "language": entry.language,
                "dir": direction(entry.language.as_deref().unwrap_or(&visit.app.channel.language)),
                "date": moment(entry.date()),
            }));
            Ok::<_, StoreError>(())
        })?;
        Ok::<_, StoreError>((r.sources().get(id)?, r.overview().source_days(&[id], first_day(now))?))
    })?;
    entries.reverse();
    let page = row.as_ref().map(|row| row.state.page.clone()).unwrap_or_default();
    let viewer = SourceViewer { app: &visit.app, language: visit.language, is_partner: false };
    let seen = viewer.view(source, row.as_ref(), &days);
    let more = json!({
        "source": with(seen, json!({ "query": query_of(source) })),
        "mend": mend(&page),
        "entries": entries,
        "is_done": is_done,
        "is_pollable": source.is_enabled && source.mail_address().is_none(),
    });
    Ok(visit.page(StatusCode::OK, "admin/source.html", ("sources", id), more))
}

/// The selectors before and after a mend, part by part.
fn mend(page: &LearnedPage) -> Value {
    let Some((old, new)) = page.mend() else { return Value::Null };
    let parts = parts_of(old).into_iter().zip(parts_of(new));
    let rows = parts.filter(|((_, old), (_, new))| old.is_some() || new.is_some());
    rows.map(|((name, old), (_, new))| {
        json!({ "name": name, "old": old.unwrap_or(""), "new": new.unwrap_or(""), "is_changed": old != new })
    })
    .collect()
}

fn parts_of(select: &Select) -> [(&'static str, Option<&str>); 7] {
    [
        ("item", Some(select.item.as_str())),
        ("title", select.title.as_deref()),
        ("link", select.link.as_deref()),
        ("summary", select.summary.as_deref()),
        ("date", select.date.as_deref()),
        ("image", select.image.as_deref()),
        ("next", select.next.as_deref()),
    ]
}

pub(super) async fn act(State(app): SharedState, headers: HeaderMap, body: Bytes) -> Response {
    by_form(app, headers, body, AdminRole::Operator, |visit, form| {
        let Some(source) = visit.app.sources.by_id(form.one("id")) else {
            return Ok(visit.told(StatusCode::NOT_FOUND, "not_found"));
        };
        let (action, now) = (form.one("do"), visit.app.clock.now());
        let is_known = visit.app.refresher.store.write(|w| {
            let state = w.sources().state(&source.id)?;
            let due = FetchState {
                next_poll: Some(now),
                next_poll_reason: Some(format!("asked for by {}", visit.account.name)),
                is_gone: false,
                ..state
            };
            let has_mend = due.page.mend().is_some();
            // The page is to be read with these selectors, even if it did not change.
            let of_page = |page| FetchState { page, validators: Validators::default(), ..due.clone() };
            let after = match action {
                "poll" if source.is_enabled => due,
                "accept" if has_mend => of_page(due.page.accepted()),
                "back" if has_mend => of_page(due.page.taken_back(source.select.as_ref())),
                _ => return Ok(false),
            };
            w.sources().put_state(&source.id, &source.partner, source.position, &after)?;
            Ok::<_, StoreError>(true)
        })?;
        if !is_known {
            return Ok(visit.told(StatusCode::UNPROCESSABLE_ENTITY, "wrong_choice"));
        }
        tracing::info!(account = visit.account.name, source.id = source.id, action, "done at /admin");
        Ok(see(&format!("/admin/source?{}&l={}&done=1", query_of(source), visit.language)))
    })
    .await
}
