//! The API for programs: stories, entries, sources and issues as JSON for everybody; subscribers, rulings and what is the operator's
//! for those with a token; and an OpenAPI document that describes it all.

/// Unwraps what was looked up, or ends with the problem that it was.
macro_rules! found {
    ($looked:expr) => {
        match $looked {
            Ok(found) => found,
            Err(problem) => return Ok(Err(problem)),
        }
    };
}

mod access;
mod body;
mod rulings;
mod sources;
mod subscribers;

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path as PathParameter, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::openapi::Server;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::state::{AppState, busy, failed};
use crate::model::keys::EntryKey;
use crate::model::publication::{Publication, PublicationKey, PublicationKind};
use crate::model::source::{FetchState, Source};
use crate::model::story::{StoredEntry, Story};
use crate::model::subscriber::Interests;
use crate::store::{MarkupScope, PublishedPlace, SourceRow};
use crate::support::text::did_you_mean;
use crate::view::{EntryView, StoryRecord};

/// Items of a page, unless the request says otherwise, and at most.
const LIMIT: usize = 50;
const LIMIT_MAX: usize = 200;
/// Stories or entries that are looked at for one page: where few match, a page is short, and says where it goes on.
const LOOKED_AT_MAX: usize = 1_000;
/// Issues of a digest that are listed.
const ISSUES_MAX: usize = 100;

/// What is wrong with a request, or why it cannot be answered (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
struct Problem {
    title: &'static str,
    status: u16,
    detail: String,
}

impl Problem {
    fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        let title = status.canonical_reason().unwrap_or("Error");
        Problem { title, status: status.as_u16(), detail: detail.into() }
    }

    fn wrong(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// It is well-formed, and there is no such thing.
    fn unusable(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    fn not_there(what: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, format!("there is no such {what}"))
    }

    fn too_much() -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too much is asked for at once")
    }

    fn of_body(error: &JsonRejection) -> Problem {
        Problem::new(error.status(), error.body_text())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        readable(response)
    }
}

/// Lets the pages of other sites read an answer: it is the same for everybody.
fn readable(mut response: Response) -> Response {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// Answers with what a look-up in the store finds, when it is its turn.
async fn answer<T: Serialize + Send + 'static>(
    app: Arc<AppState>,
    look_up: impl FnOnce(&AppState) -> anyhow::Result<Result<T, Problem>> + Send + 'static,
) -> Response {
    let pool = app.searches.clone();
    let kept = if app.serve.is_api_open { "public, max-age=60" } else { "private, max-age=60" };
    match pool.run(move || look_up(&app)).await {
        Ok(Some(Ok(found))) => readable(([(header::CACHE_CONTROL, kept)], Json(found)).into_response()),
        Ok(Some(Err(problem))) => problem.into_response(),
        Ok(None) => busy(Problem::too_much().into_response()),
        Err(error) => failed(&error),
    }
}

/// Which stories.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StoriesQuery {
    /// Only stories on this topic, by its id.
    topic: Option<String>,
    /// Only stories of this partner.
    partner: Option<String>,
    /// Only stories that exist in this language (BCP 47), which are shown in it.
    language: Option<String>,
    /// Where the page before this one ended: its `next`.
    #[param(pattern = "^-?[0-9]{1,18}_[0-9]{1,18}$")]
    cursor: Option<String>,
    /// Stories of a page, 50 unless said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

/// Which entries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EntriesQuery {
    /// Only entries of this source, by its id.
    source: Option<String>,
    /// Only entries first seen at or after this time; without it and without a cursor, from the first on.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Where the page before this one ended: its `next`.
    #[param(pattern = "^[0-9]{1,18}$")]
    cursor: Option<String>,
    /// Entries of a page, 50 unless said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

#[derive(Debug, Serialize, ToSchema)]
struct StoriesPage {
    /// The newest first.
    stories: Vec<StoryRecord>,
    /// The `cursor` of the next page; null if this is the last one.
    next: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct EntriesPage {
    /// In the order in which they were first seen.
    #[schema(value_type = Vec<Object>)]
    entries: Vec<EntryView>,
    /// The `cursor` of the next page; null if this is the last one.
    next: Option<String>,
}

/// How a source is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Health {
    /// The last poll succeeded.
    Ok,
    Failing,
    /// Not read yet.
    New,
    /// Its server says that it is gone for good.
    Gone,
}

#[derive(Debug, Serialize, ToSchema)]
struct ApiSource {
    id: String,
    partner: String,
    kind: &'static str,
    /// Without a password; null for a mailbox.
    url: Option<String>,
    language: Option<String>,
    health: Health,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_success: Option<Timestamp>,
    /// Polls that failed since.
    failures: u32,
    #[schema(value_type = Option<String>, format = DateTime)]
    next_poll: Option<Timestamp>,
    entries: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct SourcesList {
    /// In the order of the configuration, without those that are disabled.
    sources: Vec<ApiSource>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ApiIssue {
    digest: String,
    subject: String,
    /// Its web version.
    url: String,
    #[schema(value_type = String, format = DateTime)]
    date: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
struct IssuesList {
    /// Of each digest the newest hundred, the newest first.
    issues: Vec<ApiIssue>,
}

/// The routes; if the API is closed, none of them answers without a token.
pub(super) fn routes(app: &Arc<AppState>) -> Router<Arc<AppState>> {
    let people = get(subscribers::one).patch(subscribers::change).delete(subscribers::remove);
    let routes = Router::new()
        .route("/stories", get(stories))
        .route("/stories/{id}", get(story))
        .route("/entries", get(entries))
        .route("/sources", get(all_sources))
        .route("/sources/{id}", get(sources::one))
        .route("/sources/{id}/poll", post(sources::poll))
        .route("/issues", get(issues))
        .route("/issues/next/{digest}", get(rulings::next_issue))
        .route("/issues/next/{digest}/release", post(rulings::release))
        .route("/rulings", post(rulings::rule))
        .route("/subscribers", get(subscribers::list).post(subscribers::add))
        .route("/subscribers/{address}", people)
        .route("/openapi.json", get(document))
        .fallback(|| async { Problem::not_there("resource") })
        .method_not_allowed_fallback(|| async {
            let detail = "this resource has no such method: openapi.json says which it has";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
        });
    if app.serve.is_api_open {
        return routes;
    }
    routes.layer(middleware::from_fn_with_state(app.clone(), access::only_with_token))
}

fn page_size(limit: Option<u16>) -> Result<usize, Problem> {
    let limit = limit.map_or(LIMIT, usize::from);
    if (1..=LIMIT_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::wrong(format!("limit has to be from 1 to {LIMIT_MAX}")))
}

fn unreadable(error: &QueryRejection) -> Problem {
    Problem::wrong(error.body_text())
}

/// The stories of the channel or of a part of it, a page at a time.
#[utoipa::path(get, path = "/api/v1/stories", params(StoriesQuery), responses(
    (status = 200, description = "A page of stories", body = StoriesPage),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "There is no such topic, partner or source", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Too much is asked for at once", body = Problem, content_type = "application/problem+json"),
))]
async fn stories(
    State(app): State<Arc<AppState>>,
    query: Result<Query<StoriesQuery>, QueryRejection>,
) -> Response {
    match query {
        Ok(Query(query)) => answer(app, move |app| stories_page(app, &query)).await,
        Err(error) => unreadable(&error).into_response(),
    }
}

/// What somebody asks for, as interests; an error if there is no such topic or partner.
fn interests(app: &AppState, query: &StoriesQuery) -> Result<Interests, Problem> {
    let check = |what: &str, asked: &Option<String>, known: &mut dyn Iterator<Item = &str>| {
        let known: Vec<&str> = known.collect();
        let Some(name) = asked.as_deref().filter(|name| !known.contains(name)) else { return Ok(()) };
        Err(Problem::unusable(format!("there is no {what} \"{name}\"{}", did_you_mean(name, known))))
    };
    check("topic", &query.topic, &mut app.topics.iter().map(|topic| topic.id.as_str()))?;
    check("partner", &query.partner, &mut app.sources.iter().map(|source| source.partner.as_str()))?;
    Ok(Interests {
        topics: query.topic.iter().cloned().collect(),
        partners: query.partner.iter().cloned().collect(),
        languages: query.language.iter().cloned().collect(),
        ..Interests::default()
    })
}

/// The smallest publication that has all of these stories.
fn publication<'a>(app: &'a AppState, interests: &Interests) -> &'a PublicationKey {
    let is_of = |publication: &&Publication| {
        let own = &publication.interests;
        match publication.kind {
            PublicationKind::Partner => own.partners == interests.partners,
            PublicationKind::Topic => own.topics == interests.topics,
            PublicationKind::Language => own.languages == interests.languages,
            PublicationKind::Channel | PublicationKind::Feed => false,
        }
    };
    let size = |publication: &&Publication| match publication.kind {
        PublicationKind::Partner => 0,
        PublicationKind::Topic => 1,
        _ => 2,
    };
    let found = app.publications.iter().filter(is_of).min_by_key(size);
    found.map_or(&PublicationKey::Channel, |publication| &publication.path)
}

fn stories_page(app: &AppState, query: &StoriesQuery) -> anyhow::Result<Result<StoriesPage, Problem>> {
    let asked = page_size(query.limit).and_then(|limit| Ok((limit, interests(app, query)?)));
    let (limit, interests) = found!(asked);
    let Ok(before) = query.cursor.as_deref().map(str::parse::<PublishedPlace>).transpose() else {
        return Ok(Err(Problem::wrong("the cursor is none that came with a page")));
    };
    let publication = publication(app, &interests);
    let language = query.language.as_deref().unwrap_or(&app.channel.language);
    let store = &app.refresher.store;
    let read = |place| Ok(store.read(|r| r.publishing().before(publication, place, LIMIT_MAX))?);
    let shown = |story: Story| {
        let is_wanted = story.wanted_since(&interests).is_some();
        is_wanted.then(|| StoryRecord::of(app.catalog(), &story, language, &interests))
    };
    let (stories, next) = page(limit, before, read, shown)?;
    Ok(Ok(StoriesPage { stories, next: next.map(|place| place.to_string()) }))
}

/// A page of what is shown of items that are read with their places, and the place of its last one, if there may be more.
fn page<P: Copy, I, T>(
    limit: usize,
    mut place: Option<P>,
    mut read: impl FnMut(Option<P>) -> anyhow::Result<Vec<(P, I)>>,
    mut shown: impl FnMut(I) -> Option<T>,
) -> anyhow::Result<(Vec<T>, Option<P>)> {
    let mut page = Vec::new();
    for _ in 0..LOOKED_AT_MAX.div_ceil(LIMIT_MAX) {
        let found = read(place)?;
        let is_last = found.len() < LIMIT_MAX;
        for (its_place, item) in found {
            if page.len() == limit {
                return Ok((page, place));
            }
            place = Some(its_place);
            page.extend(shown(item));
        }
        if is_last {
            return Ok((page, None));
        }
    }
    Ok((page, place))
}

/// One story, by its id or by that of one of its entries.
#[utoipa::path(get, path = "/api/v1/stories/{id}", params(("id" = String, Path, description = "Id of the story, or of one of its entries")), responses(
    (status = 200, description = "The story", body = StoryRecord),
    (status = 404, description = "There is no such story", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Too much is asked for at once", body = Problem, content_type = "application/problem+json"),
))]
async fn story(State(app): State<Arc<AppState>>, PathParameter(id): PathParameter<String>) -> Response {
    answer(app, move |app| {
        let story = app.refresher.store.read(|r| r.entries().story_by_id(&id))?;
        let language = &app.channel.language;
        let shown =
            story.map(|story| StoryRecord::of(app.catalog(), &story, language, &Interests::default()));
        Ok(shown.ok_or_else(|| Problem::not_there("story")))
    })
    .await
}

/// The entries in the order in which they were first seen, a page at a time: what a mirror of the store reads.
#[utoipa::path(get, path = "/api/v1/entries", params(EntriesQuery), responses(
    (status = 200, description = "A page of entries", body = EntriesPage),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "There is no such topic, partner or source", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Too much is asked for at once", body = Problem, content_type = "application/problem+json"),
))]
async fn entries(
    State(app): State<Arc<AppState>>,
    query: Result<Query<EntriesQuery>, QueryRejection>,
) -> Response {
    match query {
        Ok(Query(query)) => answer(app, move |app| entries_page(app, &query)).await,
        Err(error) => unreadable(&error).into_response(),
    }
}

fn entries_page(app: &AppState, query: &EntriesQuery) -> anyhow::Result<Result<EntriesPage, Problem>> {
    let limit = found!(page_size(query.limit));
    if let Some(id) = query.source.as_deref().filter(|id| app.sources.iter().all(|source| source.id != *id)) {
        let known = did_you_mean(id, app.sources.iter().map(|source| source.id.as_str()));
        return Ok(Err(Problem::unusable(format!("there is no source \"{id}\"{known}"))));
    }
    let Ok(cursor) = query.cursor.as_deref().map(str::parse::<i64>).transpose() else {
        return Ok(Err(Problem::wrong("the cursor is none that came with a page")));
    };
    let store = &app.refresher.store;
    let since = query.since.map(|since| store.read(|r| r.entries().last_before(since))).transpose()?;
    let start = cursor.map(EntryKey).max(since);
    let read = |after: Option<EntryKey>| {
        let after = after.unwrap_or(EntryKey::BEFORE_ALL);
        let found = store.read(|r| r.entries().after(after, LIMIT_MAX, MarkupScope::Without))?;
        Ok(found.into_iter().map(|stored| (stored.order, stored)).collect())
    };
    let is_wanted = |stored: &StoredEntry| {
        query.source.as_ref().is_none_or(|source| *source == stored.entry.source)
            && query.since.is_none_or(|since| stored.first_seen >= since)
    };
    let shown = |stored: StoredEntry| is_wanted(&stored).then(|| EntryView::of(&stored));
    let (entries, next) = page(limit, start, read, shown)?;
    Ok(Ok(EntriesPage { entries, next: next.map(|key| key.0.to_string()) }))
}

/// The sources, and how they are doing.
#[utoipa::path(get, path = "/api/v1/sources", responses(
    (status = 200, description = "The sources", body = SourcesList),
    (status = 503, description = "Too much is asked for at once", body = Problem, content_type = "application/problem+json"),
))]
async fn all_sources(State(app): State<Arc<AppState>>) -> Response {
    answer(app, |app| {
        let mut known: HashMap<String, SourceRow> = app
            .refresher
            .store
            .read(|r| r.sources().list())?
            .into_iter()
            .map(|row| (row.id.clone(), row))
            .collect();
        let enabled = app.sources.iter().filter(|source| source.is_enabled);
        let sources = enabled.map(|source| api_source(source, known.remove(&source.id))).collect();
        Ok(Ok(SourcesList { sources }))
    })
    .await
}

/// A source as everybody may see it: an error may quote what only the operator should read.
fn api_source(source: &Source, row: Option<SourceRow>) -> ApiSource {
    let entries = row.as_ref().map_or(0, |row| row.entries);
    let state = row.map(|row| row.state).unwrap_or_default();
    let health = match &state {
        FetchState { is_gone: true, .. } => Health::Gone,
        FetchState { last_error: Some(_), .. } => Health::Failing,
        FetchState { last_success: None, .. } => Health::New,
        _ => Health::Ok,
    };
    ApiSource {
        id: source.id.clone(),
        partner: source.partner.clone(),
        kind: source.kind.name,
        url: source.public_address(),
        language: source.language.clone(),
        health,
        last_success: state.last_success,
        failures: state.failures,
        next_poll: state.next_poll,
        entries,
    }
}

/// The issues of the configured digests that have a web version.
#[utoipa::path(get, path = "/api/v1/issues", responses(
    (status = 200, description = "The issues", body = IssuesList),
    (status = 503, description = "Too much is asked for at once", body = Problem, content_type = "application/problem+json"),
))]
async fn issues(State(app): State<Arc<AppState>>) -> Response {
    answer(app, |app| {
        let mut issues = Vec::new();
        for digest in &app.digests {
            let found = app.refresher.store.read(|r| r.mailing().last_issues(&digest.id, ISSUES_MAX))?;
            issues.extend(found.into_iter().map(|(name, subject, date)| ApiIssue {
                digest: digest.id.to_string(),
                subject,
                url: format!("{}/issues/{name}.html", app.channel.url),
                date,
            }));
        }
        Ok(Ok(IssuesList { issues }))
    })
    .await
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "courant",
        description = "Stories of many organisations, their entries, sources and issues; subscribers and rulings with a token"
    ),
    paths(
        stories,
        story,
        entries,
        all_sources,
        sources::one,
        sources::poll,
        issues,
        rulings::next_issue,
        rulings::release,
        rulings::rule,
        subscribers::list,
        subscribers::one,
        subscribers::add,
        subscribers::change,
        subscribers::remove,
    )
)]
struct ApiDocument;

/// The OpenAPI document of this API.
async fn document(State(app): State<Arc<AppState>>) -> Response {
    let mut document = ApiDocument::openapi();
    document.servers = Some(vec![Server::new(app.channel.url.clone())]);
    let token =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("courant token add")).build();
    document.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(token));
    if !app.serve.is_api_open {
        document.security = Some(vec![SecurityRequirement::new("token", ["read"])]);
    }
    readable(([(header::CACHE_CONTROL, "public, max-age=60")], Json(document)).into_response())
}
