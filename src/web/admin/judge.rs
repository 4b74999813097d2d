//! What waits for a person's judgement, each with a button for each answer; and the desks of the next issues.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::access::{AdminQuery, Visit, by_form, for_role, see};
use crate::model::admin::AdminRole;
use crate::model::keys::EntryKey;
use crate::model::story::StoredEntry;
use crate::pipeline::desk;
use crate::pipeline::judging::{self, PairToJudge, PairVerdict};
use crate::pipeline::mail::drafts::desk_token_of_account;
use crate::pipeline::maintenance::{self, TopicAssigner};
use crate::support::i18n::language_name;
use crate::support::text::{direction, shorten};
use crate::web::forms::Form;
use crate::web::source_view::minute;
use crate::web::state::AppState;
use crate::web::subscriptions::SharedState;

/// Pairs and entries on the page: an hour's work is done in several.
const PAIRS_MAX: usize = 20;
const ENTRIES_MAX: usize = 20;
/// Shown of a summary, in characters.
const SUMMARY_CHARS: usize = 300;
/// By which an entry is said to have no topic.
const NO_TOPIC: &str = "_none";

pub(super) async fn show(
    State(app): SharedState,
    Query(asked): Query<AdminQuery>,
    headers: HeaderMap,
) -> Response {
    for_role(app, headers, asked.l.clone(), AdminRole::Viewer, move |visit| page(visit, &asked)).await
}

fn page(visit: &Visit, asked: &AdminQuery) -> anyhow::Result<Response> {
    let (app, language) = (&visit.app, visit.language);
    let store = &app.refresher.store;
    let pairs = judging::pairs(store, PAIRS_MAX)?;
    let entries = if app.topics.is_empty() { Vec::new() } else { judging::uncertain(store, ENTRIES_MAX)? };
    let topics = app.topics.iter().map(|topic| json!({ "id": topic.id, "label": topic.label(language) }));
    let digests = app.digests.iter().map(|digest| json!({ "id": digest.id.as_str(), "title": digest.title }));
    let more = json!({
        "pairs": pairs.iter().map(|pair| pair_view(visit, pair)).collect::<Vec<Value>>(),
        "uncertain": entries.iter().map(|entry| entry_view(visit, entry)).collect::<Vec<Value>>(),
        "topics": topics.collect::<Vec<Value>>(),
        "no_topic": NO_TOPIC,
        "digests": digests.collect::<Vec<Value>>(),
        "is_done": !asked.done.is_empty(),
    });
    Ok(visit.page(StatusCode::OK, "admin/judge.html", ("judge", visit.phrase("admin_judge")), more))
}

fn pair_view(visit: &Visit, pair: &PairToJudge) -> Value {
    json!({
        "entry": entry_view(visit, &pair.entry),
        "other": entry_view(visit, &pair.other),
        "is_joined": pair.pair.is_joined,
        "reason": pair.pair.reason,
    })
}

fn entry_view(visit: &Visit, stored: &StoredEntry) -> Value {
    let entry = &stored.entry;
    let tag = entry.language.as_deref().unwrap_or(&visit.app.channel.language);
    let topics = stored.topics.iter().map(|matched| {
        let topic = visit.app.topics.iter().find(|topic| topic.id == matched.topic);
        let label = topic.map_or(matched.topic.as_str(), |topic| topic.label(visit.language));
        json!({ "id": matched.topic, "label": label, "reasons": matched.reasons() })
    });
    json!({
        "key": stored.order.0,
        "title": entry.headline(),
        "summary": shorten(&entry.summary, SUMMARY_CHARS),
        "url": entry.url,
        "partner": stored.partner,
        "date": entry.date().map(minute),
        "language": tag,
        "dir": direction(tag),
        "language_name": language_name(tag, visit.language),
        "topics": topics.collect::<Vec<Value>>(),
    })
}

/// What the buttons of the page ask for.
enum Judgement {
    Pair((EntryKey, EntryKey), PairVerdict),
    /// Ids of topics.
    Topics(EntryKey, Vec<String>),
}

fn judgement(app: &AppState, form: &Form) -> Option<Judgement> {
    let key = |name: &str| form.one(name).parse::<i64>().ok().map(EntryKey);
    let pair = |verdict| Some(Judgement::Pair((key("entry")?, key("other")?), verdict));
    match form.one("do") {
        "one" => pair(PairVerdict::OneStory),
        "apart" => pair(PairVerdict::Apart),
        // A button for each topic: its value is what it stands for.
        "" => {
            let wanted = form.one("topic");
            let topics = if wanted == NO_TOPIC { Vec::new() } else { vec![wanted.to_owned()] };
            let are_known = topics.iter().all(|id| app.topics.iter().any(|topic| topic.id == *id));
            are_known.then_some(Judgement::Topics(key("entry")?, topics))
        }
        _ => None,
    }
}

pub(super) async fn act(State(app): SharedState, headers: HeaderMap, body: Bytes) -> Response {
    by_form(app, headers, body, AdminRole::Editor, |visit, form| {
        let (app, now) = (&visit.app, visit.app.clock.now());
        let store = &app.refresher.store;
        let is_done = match judgement(app, form) {
            None => return Ok(visit.told(StatusCode::UNPROCESSABLE_ENTITY, "wrong_choice")),
            Some(Judgement::Pair(keys, verdict)) => judging::judge(store, keys, verdict, now)?,
            Some(Judgement::Topics(key, topics)) => match store.read(|r| r.entries().get_if_there(key))? {
                None => false,
                Some(entry) => {
                    let topic_assigner = TopicAssigner {
                        classifier: &app.refresher.classifier,
                        sources: &app.sources,
                        digests: &app.digests,
                    };
                    maintenance::label(store, topic_assigner, &entry, Some(&topics), now)?;
                    true
                }
            },
        };
        if !is_done {
            return Ok(visit.told(StatusCode::NOT_FOUND, "desk_gone"));
        }
        tracing::info!(account = visit.account.name, "judged at /admin");
        Ok(see(&format!("/admin/judge?l={}&done=1", visit.language)))
    })
    .await
}

/// Leads to the desk of the next issue of a digest, as whom this account is.
pub(super) async fn open_desk(State(app): SharedState, headers: HeaderMap, body: Bytes) -> Response {
    by_form(app, headers, body, AdminRole::Editor, |visit, form| {
        let app = &visit.app;
        let Some(digest) = app.digests.iter().find(|digest| digest.id.as_str() == form.one("digest")) else {
            return Ok(visit.told(StatusCode::NOT_FOUND, "not_found"));
        };
        let draft = desk::open(&app.refresher.store, digest, app.clock.now())?;
        let token = desk_token_of_account(&app.sender.key, &draft, &visit.account.name);
        Ok(see(&format!("/desk/{token}?l={}", visit.language)))
    })
    .await
}
