//! What editors and operators rule, by programs with a token: on the next issue of a digest as at the desk, on stories and topics as on
//! the command line.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path as PathParameter, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Problem;
use super::access::{TokenRefusals, for_token};
use super::body::JsonObject;
use crate::model::api_token::{ApiScope, ApiToken};
use crate::model::desk::{DeskAction, DeskField, DeskText, HandStory};
use crate::model::digest::Digest;
use crate::model::keys::{EntryKey, RulingKey};
use crate::model::story::StoredEntry;
use crate::pipeline::desk::view::view;
use crate::pipeline::desk::{self, DeskOutcome};
use crate::pipeline::maintenance::{self, TopicAssigner};
use crate::support::i18n::parse_interface_language;
use crate::support::text::did_you_mean;
use crate::web::state::AppState;

/// What is ruled. Stories are named by their ids, or by that of one of their entries; those written for an issue by `hand-` and a number.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum RulingRequest {
    /// The story leads the next issue of a digest.
    Pin { digest: String, story: String },
    /// Nobody gets the story.
    Drop { digest: String, story: String },
    /// The story waits for the issue after the next one.
    Hold { digest: String, story: String },
    /// None of these any more.
    Clear { digest: String, story: String },
    /// The story stands right before another one under the same heading, or after it.
    Move {
        digest: String,
        story: String,
        other: String,
        #[serde(default)]
        after: bool,
    },
    /// Write a text; an empty one takes back what stands there.
    Write {
        digest: String,
        field: WrittenField,
        /// Of an introduction, none.
        story: Option<String>,
        text: String,
        /// For readers of this language (BCP 47); that of the digest, unless said.
        language: Option<String>,
        /// In everything that is published in that language, not only in this issue.
        #[serde(default)]
        everywhere: bool,
        /// The version of the issue that was looked at: if somebody wrote in the same place since, that is a conflict. Without it,
        /// what stands there is replaced.
        version: Option<i64>,
    },
    /// A story of your own in the next issue.
    Add {
        digest: String,
        title: String,
        #[serde(default)]
        text: String,
        /// Where its headline leads.
        url: Option<String>,
        /// Under which topic it stands, by its id.
        topic: Option<String>,
    },
    /// Take back a ruling on the next issue, by its number.
    Undo { digest: String, ruling: i64 },
    /// Two stories are one, for good.
    Merge { story: String, other: String },
    /// An entry is a story of its own, for good.
    Split { entry: String },
    /// The topics of an entry, by their ids; null lets the rules decide again.
    Label { entry: String, topics: Option<Vec<String>> },
}

/// What is written.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum WrittenField {
    Headline,
    /// Below a headline.
    Summary,
    /// Above the stories of the issue.
    Introduction,
}

impl From<WrittenField> for DeskField {
    fn from(field: WrittenField) -> DeskField {
        match field {
            WrittenField::Headline => DeskField::Headline,
            WrittenField::Summary => DeskField::Summary,
            WrittenField::Introduction => DeskField::Introduction,
        }
    }
}

/// What became of a ruling.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RulingAnswer {
    outcome: RulingOutcome,
    /// Its number in the log of the issue, by which it can be undone.
    ruling: Option<i64>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RulingOutcome {
    Done,
    /// It was so already.
    Already,
}

impl RulingAnswer {
    fn of(is_new: bool) -> RulingAnswer {
        RulingAnswer {
            outcome: if is_new { RulingOutcome::Done } else { RulingOutcome::Already },
            ruling: None,
        }
    }
}

/// A look-up that may find nothing, or find that what was said is wrong.
type Looked<T> = anyhow::Result<Result<T, Problem>>;

fn digest<'a>(app: &'a AppState, id: &str) -> Result<&'a Digest, Problem> {
    let found = app.digests.iter().find(|digest| digest.id.as_str() == id);
    found.ok_or_else(|| {
        let near = did_you_mean(id, app.digests.iter().map(|digest| digest.id.as_str()));
        Problem::new(StatusCode::NOT_FOUND, format!("there is no digest \"{id}\"{near}"))
    })
}

fn topic(app: &AppState, id: &str) -> Result<String, Problem> {
    if app.topics.iter().any(|topic| topic.id == id) {
        return Ok(id.to_owned());
    }
    let near = did_you_mean(id, app.topics.iter().map(|topic| topic.id.as_str()));
    Err(Problem::unusable(format!("there is no topic \"{id}\"{near}")))
}

/// The entry by which rulings know a story.
fn story(app: &AppState, id: &str) -> Looked<EntryKey> {
    if let Some(number) = id.strip_prefix("hand-").and_then(|number| number.parse().ok()) {
        return Ok(Ok(RulingKey(number).story()));
    }
    let found = app.refresher.store.read(|r| r.entries().story_by_id(id))?;
    Ok(found.map(|story| story.anchor()).ok_or_else(|| Problem::not_there("story")))
}

/// The entry of an id, or the first of a story.
fn entry(app: &AppState, id: &str) -> Looked<StoredEntry> {
    let found = app.refresher.store.read(|r| r.entries().story_by_id(id))?;
    let own = found.and_then(|story| {
        let at = story.versions.iter().position(|version| version.entry.id == id).unwrap_or(0);
        story.versions.into_iter().nth(at)
    });
    Ok(own.ok_or_else(|| Problem::not_there("entry")))
}

/// Rules on the next issue of a digest, or on stories and topics for good.
#[utoipa::path(post, path = "/api/v1/rulings", request_body = RulingRequest, security(("token" = ["rulings:write"])), responses(
    (status = 200, description = "It holds", body = RulingAnswer),
    (status = 400, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such digest, story or ruling", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "Somebody wrote in the same place, or the issue has gone", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "The body is not called JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "A value is wrong", body = Problem, content_type = "application/problem+json"),
    TokenRefusals,
))]
pub(super) async fn rule(
    State(app): State<Arc<AppState>>,
    headers: HeaderMap,
    body: Result<Json<JsonObject<RulingRequest>>, JsonRejection>,
) -> Response {
    for_token(app, headers, ApiScope::WriteRulings, |app, token| {
        let Json(JsonObject(wanted)) = found!(body.map_err(|error| Problem::of_body(&error)));
        ruled(app, token, wanted)
    })
    .await
}

fn ruled(app: &AppState, token: &ApiToken, wanted: RulingRequest) -> Looked<Json<RulingAnswer>> {
    let (store, now) = (&app.refresher.store, app.clock.now());
    let is_new = match &wanted {
        RulingRequest::Merge { story, other } => {
            let (one, other) = (found!(entry(app, story)?), found!(entry(app, other)?));
            let is_new = one.story != other.story;
            if is_new {
                maintenance::merge(store, &one, &other, now)?;
            }
            is_new
        }
        RulingRequest::Split { entry: id } => maintenance::split(store, &found!(entry(app, id)?), now)? > 0,
        RulingRequest::Label { entry: id, topics } => {
            let entry = found!(entry(app, id)?);
            let check =
                |topics: &Vec<String>| topics.iter().map(|id| topic(app, id)).collect::<Result<Vec<_>, _>>();
            let topics = found!(topics.as_ref().map(check).transpose());
            let topic_assigner = TopicAssigner {
                classifier: &app.refresher.classifier,
                sources: &app.sources,
                digests: &app.digests,
            };
            maintenance::label(store, topic_assigner, &entry, topics.as_deref(), now)?;
            true
        }
        _ => return ruled_on_issue(app, token, wanted),
    };
    Ok(Ok(Json(RulingAnswer::of(is_new))))
}

/// Rules on the next issue of a digest.
fn ruled_on_issue(app: &AppState, token: &ApiToken, wanted: RulingRequest) -> Looked<Json<RulingAnswer>> {
    let base = match &wanted {
        RulingRequest::Write { version, .. } => version.map(RulingKey),
        _ => None,
    };
    let (digest, action) = found!(action(app, wanted)?);
    put(app, token, digest, &action, base)
}

fn put(
    app: &AppState,
    token: &ApiToken,
    digest: &Digest,
    action: &DeskAction,
    base: Option<RulingKey>,
) -> Looked<Json<RulingAnswer>> {
    let (store, now) = (&app.refresher.store, app.clock.now());
    let draft = desk::open(store, digest, now)?;
    let conflict = |detail: String| Ok(Err(Problem::new(StatusCode::CONFLICT, detail)));
    match desk::rule(store, draft.key, action, &token.signature(), base, now)? {
        DeskOutcome::Done(key) => {
            Ok(Ok(Json(RulingAnswer { ruling: Some(key.0), ..RulingAnswer::of(true) })))
        }
        DeskOutcome::Already => Ok(Ok(Json(RulingAnswer::of(false)))),
        DeskOutcome::NotThere => Ok(Err(Problem::not_there("story, or nothing to undo"))),
        DeskOutcome::Closed => conflict("the issue went out in the meantime: nothing was changed".into()),
        DeskOutcome::Conflict(stands) => {
            let theirs = match &stands.action {
                DeskAction::Write(text) => text.text.as_str(),
                _ => "",
            };
            let who = &stands.who;
            conflict(format!("{who} wrote something else there since, nothing was changed: \"{theirs}\""))
        }
    }
}

/// The digest that a request is about, and what it rules.
fn action(app: &AppState, wanted: RulingRequest) -> Looked<(&Digest, DeskAction)> {
    let of_story = |id: &str, name: &str, make: fn(EntryKey) -> DeskAction| {
        let digest = found!(digest(app, id));
        Ok(Ok((digest, make(found!(story(app, name)?)))))
    };
    match wanted {
        RulingRequest::Pin { digest, story } => of_story(&digest, &story, DeskAction::Pin),
        RulingRequest::Drop { digest, story } => of_story(&digest, &story, DeskAction::Drop),
        RulingRequest::Hold { digest, story } => of_story(&digest, &story, DeskAction::Hold),
        RulingRequest::Clear { digest, story } => of_story(&digest, &story, DeskAction::Clear),
        RulingRequest::Move { digest: id, story: name, other, after: is_after } => {
            let digest = found!(digest(app, &id));
            let (story, other) = (found!(story(app, &name)?), found!(story(app, &other)?));
            Ok(Ok((digest, DeskAction::Move { story, other, is_after })))
        }
        RulingRequest::Write { digest: id, field, story: name, text, language, everywhere, .. } => {
            let digest = found!(digest(app, &id));
            let field = DeskField::from(field);
            if name.is_some() == (field == DeskField::Introduction) {
                return Ok(Err(Problem::unusable(
                    "a headline and a summary are of a story, an introduction of none",
                )));
            }
            let language = language.as_deref().map(parse_interface_language).transpose();
            let language =
                found!(language.map_err(Problem::unusable)).unwrap_or_else(|| digest.language.clone());
            let name = found!(name.map(|name| story(app, &name)).transpose()?.transpose());
            let text = DeskText::new(field, name, &language, &text);
            Ok(Ok((digest, DeskAction::Write(DeskText { is_everywhere: everywhere, ..text }))))
        }
        RulingRequest::Add { digest: id, title, text, url, topic: name } => {
            let digest = found!(digest(app, &id));
            let topic = found!(name.map(|name| topic(app, &name)).transpose());
            let story = HandStory::new(&title, &text, &url.unwrap_or_default(), topic, &digest.language);
            Ok(Ok((digest, DeskAction::Add(found!(story.map_err(Problem::unusable))))))
        }
        RulingRequest::Undo { digest: id, ruling } => {
            Ok(Ok((found!(digest(app, &id)), DeskAction::Undo(RulingKey(ruling)))))
        }
        RulingRequest::Merge { .. } | RulingRequest::Split { .. } | RulingRequest::Label { .. } => {
            anyhow::bail!("this is ruled on no issue")
        }
    }
}

/// The next issue of a digest, as editors see it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NextIssue {
    digest: String,
    /// The slot that it is for.
    #[schema(value_type = String, format = DateTime)]
    slot: Timestamp,
    /// The number of the last ruling on it; 0 before the first.
    version: i64,
    /// Whether it waits until somebody releases it.
    waits: bool,
    is_released: bool,
    language: String,
    introduction: String,
    /// Stories under their headings, what is left out, and who did what: as `courant desk show` prints them.
    #[schema(value_type = Vec<Object>)]
    groups: Value,
    #[schema(value_type = Vec<Object>)]
    left_out: Value,
    #[schema(value_type = Vec<Object>)]
    log: Value,
}

/// The next issue of a digest, as it would be now.
#[utoipa::path(get, path = "/api/v1/issues/next/{digest}", params(("digest" = String, Path, description = "Id of the digest")), security(("token" = ["issues:read"])), responses(
    (status = 200, description = "The issue", body = NextIssue),
    (status = 404, description = "There is no such digest", body = Problem, content_type = "application/problem+json"),
    TokenRefusals,
))]
pub(super) async fn next_issue(
    State(app): State<Arc<AppState>>,
    PathParameter(id): PathParameter<String>,
    headers: HeaderMap,
) -> Response {
    for_token(app, headers, ApiScope::ReadIssues, move |app, _| {
        let digest = found!(digest(app, &id));
        let view = view(&app.refresher.store, app.catalog(), digest, &digest.language, app.clock.now())?;
        Ok(Ok(Json(NextIssue {
            slot: view.slot,
            version: view.version,
            waits: view.waits,
            is_released: view.is_released,
            groups: serde_json::to_value(&view.groups)?,
            left_out: serde_json::to_value(&view.left_out)?,
            log: serde_json::to_value(&view.log)?,
            digest: view.digest,
            language: view.language,
            introduction: view.introduction,
        })))
    })
    .await
}

/// Lets the next issue of a digest go, where it waits for that.
#[utoipa::path(post, path = "/api/v1/issues/next/{digest}/release", params(("digest" = String, Path, description = "Id of the digest")), security(("token" = ["issues:write"])), responses(
    (status = 200, description = "It goes at its time", body = RulingAnswer),
    (status = 404, description = "There is no such digest", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The issue has gone", body = Problem, content_type = "application/problem+json"),
    TokenRefusals,
))]
pub(super) async fn release(
    State(app): State<Arc<AppState>>,
    PathParameter(id): PathParameter<String>,
    headers: HeaderMap,
) -> Response {
    for_token(app, headers, ApiScope::WriteIssues, move |app, token| {
        let digest = found!(digest(app, &id));
        put(app, token, digest, &DeskAction::Release, None)
    })
    .await
}
