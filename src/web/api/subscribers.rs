//! The list of subscribers, for programs with a token.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path as PathParameter, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::form_urlencoded::byte_serialize;
use utoipa::{IntoParams, ToSchema};

use super::access::{TokenRefusals, for_token};
use super::body::{JsonObject, optional_object};
use super::{LIMIT_MAX, Problem, page, page_size, unreadable};
use crate::model::api_token::{ApiScope, ApiToken};
use crate::model::mail_address::Address;
use crate::model::profile::ProfileChange;
use crate::model::segment::{SegmentNames, SegmentQuery};
use crate::model::subscriber::{Choice, Consent, Preferences, Subscriber, SubscriberState};
use crate::pipeline::mail::profiles;
use crate::pipeline::mail::subscribers::{self, Standing};
use crate::store::{Unit, Write};
use crate::support::text::shorten;
use crate::web::state::AppState;

/// What is kept of how somebody agreed, in characters.
const CONSENT_CHARS_MAX: usize = 2_000;

/// Whether a subscriber gets mail, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ApiState {
    Active,
    Paused,
    /// They left.
    Unsubscribed,
    /// Their mail came back.
    Bounced,
    /// They reported it as spam.
    Complained,
}

impl From<SubscriberState> for ApiState {
    fn from(state: SubscriberState) -> ApiState {
        match state {
            SubscriberState::Active => ApiState::Active,
            SubscriberState::Paused => ApiState::Paused,
            SubscriberState::Unsubscribed => ApiState::Unsubscribed,
            SubscriberState::Bounced => ApiState::Bounced,
            SubscriberState::Complained => ApiState::Complained,
        }
    }
}

/// What a state may be changed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum WantedState {
    Active,
    Paused,
    /// They left: they get nothing more, and no import brings them back.
    Unsubscribed,
}

/// Which subscribers.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SubscribersQuery {
    /// Only those in this state.
    #[param(inline)]
    state: Option<ApiState>,
    /// Only those whom a query means, such as `language = es and tag = member`.
    #[serde(rename = "where")]
    #[param(max_length = 4000)]
    query: Option<String>,
    /// Where the page before this one ended: its `next`.
    #[param(pattern = "^[0-9]{1,18}$")]
    cursor: Option<String>,
    /// Subscribers of a page, 50 unless said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

/// How somebody is taken off the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RemovalQuery {
    /// Erase everything about the address as well, except a keyed hash that keeps an import from bringing it back.
    erase: Option<bool>,
}

/// Somebody to put on the list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSubscriber {
    #[schema(format = Email)]
    address: String,
    /// How they agreed to get mail: kept with them.
    #[schema(min_length = 1, pattern = r"\S")]
    consent: String,
    /// The text that they agreed to.
    consent_text: Option<String>,
    /// What they want; what is not named is as the sign-up form has it at first.
    #[serde(default, deserialize_with = "optional_object")]
    preferences: Option<Choice>,
    /// What is noted of them, by which segments select: lower-case words.
    tags: Option<Vec<String>>,
    /// The same, as names and values: letters, digits, `_` and `-` in a name, a letter first.
    #[serde(default, deserialize_with = "optional_object")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    attributes: Option<BTreeMap<String, String>>,
}

/// A change of a subscriber.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscriberChange {
    /// All that they want from now on: what is not named is as the sign-up form has it at first.
    #[serde(default, deserialize_with = "optional_object")]
    preferences: Option<Choice>,
    state: Option<WantedState>,
    /// All their tags from now on.
    tags: Option<Vec<String>>,
    /// All their attributes from now on; an empty value is none.
    #[serde(default, deserialize_with = "optional_object")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    attributes: Option<BTreeMap<String, String>>,
}

/// A subscriber.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiSubscriber {
    address: String,
    state: ApiState,
    /// Of the mail (BCP 47).
    language: String,
    /// Only stories in these languages; all if there are none, as below.
    languages: Vec<String>,
    topics: Vec<String>,
    /// Topics that they left.
    without: Vec<String>,
    partners: Vec<String>,
    /// `instant`, or a schedule such as `Mon 08:00 Europe/Paris`.
    schedule: String,
    consent: ApiConsent,
    /// What is noted of them, by which segments select.
    tags: BTreeSet<String>,
    attributes: BTreeMap<String, String>,
    #[schema(value_type = String, format = DateTime)]
    created: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_issue: Option<Timestamp>,
}

/// How somebody agreed to get mail.
#[derive(Debug, Serialize, ToSchema)]
struct ApiConsent {
    source: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    text: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SubscribersPage {
    /// In the order in which they joined.
    subscribers: Vec<ApiSubscriber>,
    /// The `cursor` of the next page; null if this is the last one.
    next: Option<String>,
}

impl From<Subscriber> for ApiSubscriber {
    fn from(subscriber: Subscriber) -> ApiSubscriber {
        let Subscriber { address, state, preferences, consent, profile, created, last_issue, .. } =
            subscriber;
        let Preferences { language, interests, cadence } = preferences;
        ApiSubscriber {
            address: address.as_str().to_owned(),
            state: state.into(),
            language,
            languages: interests.languages,
            topics: interests.topics,
            without: interests.without,
            partners: interests.partners,
            schedule: cadence.to_string(),
            consent: ApiConsent { source: consent.source, at: consent.at, text: consent.text },
            tags: profile.tags,
            attributes: profile.attributes,
            created,
            last_issue,
        }
    }
}

/// An address in a path.
fn address(text: &str) -> Result<Address, Problem> {
    Address::parse(text).map_err(Problem::wrong)
}

fn preferences(app: &AppState, choice: &Choice) -> Result<Preferences, Problem> {
    app.subscription_options.preferences(choice, &app.channel.language).map_err(|faults| {
        let faults = faults.iter().map(|(field, fault)| format!("{field}: {fault}"));
        Problem::unusable(faults.collect::<Vec<_>>().join("; "))
    })
}

fn profile(
    tags: Option<&Vec<String>>,
    attributes: Option<&BTreeMap<String, String>>,
) -> Result<ProfileChange, Problem> {
    ProfileChange::parse(tags.map(Vec::as_slice), attributes).map_err(|faults| {
        let faults = faults.iter().map(|(field, fault)| format!("{field}: {fault}"));
        Problem::unusable(faults.collect::<Vec<_>>().join("; "))
    })
}

/// Nobody is brought back by a program.
fn kept_out(address: &Address, why: &str) -> Problem {
    let detail = format!(
        "{address} is kept out ({why}), nothing was changed: only they can come back, by signing up, or the operator on their behalf (courant subscribers add --resubscribe)"
    );
    Problem::new(StatusCode::CONFLICT, detail)
}

/// The subscribers, a page at a time.
#[utoipa::path(get, path = "/api/v1/subscribers", params(SubscribersQuery), security(("token" = ["subscribers:read"])), responses(
    (status = 200, description = "A page of subscribers", body = SubscribersPage),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The query is none, or names what there is not", body = Problem, content_type = "application/problem+json"),
    TokenRefusals,
))]
pub(super) async fn list(
    State(app): State<Arc<AppState>>,
    query: Result<Query<SubscribersQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    for_token(app, headers, ApiScope::ReadSubscribers, |app, _| {
        let Query(query) = found!(query.map_err(|error| unreadable(&error)));
        let limit = found!(page_size(query.limit));
        let Ok(cursor) = query.cursor.as_deref().map(str::parse::<i64>).transpose() else {
            return Ok(Err(Problem::wrong("the cursor is none that came with a page")));
        };
        let names = SegmentNames { options: &app.subscription_options, segments: &app.segments };
        let meant = query.query.as_deref().map(|text| SegmentQuery::parse(text, names)).transpose();
        let meant = found!(meant.map_err(|fault| Problem::unusable(format!("where: {fault}"))));
        let (store, now) = (&app.refresher.store, app.clock.now());
        let read =
            |after: Option<i64>| Ok(store.read(|r| r.subscribers().after(after.unwrap_or(0), LIMIT_MAX))?);
        let shown = |subscriber: Subscriber| {
            let is_wanted = query.state.is_none_or(|state| state == subscriber.state.into())
                && meant.as_ref().is_none_or(|meant| meant.matches(&subscriber, now));
            is_wanted.then(|| ApiSubscriber::from(subscriber))
        };
        let (subscribers, next) = page(limit, cursor, read, shown)?;
        Ok(Ok(Json(SubscribersPage { subscribers, next: next.map(|key| key.to_string()) })))
    })
    .await
}

/// One subscriber.
#[utoipa::path(get, path = "/api/v1/subscribers/{address}", params(("address" = String, Path, description = "Mail address", format = Email)), security(("token" = ["subscribers:read"])), responses(
    (status = 200, description = "The subscriber", body = ApiSubscriber),
    (status = 400, description = "That is no mail address", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "They are not on the list", body = Problem, content_type = "application/problem+json"),
    TokenRefusals,
))]
pub(super) async fn one(
    State(app): State<Arc<AppState>>,
    PathParameter(text): PathParameter<String>,
    headers: HeaderMap,
) -> Response {
    for_token(app, headers, ApiScope::ReadSubscribers, move |app, _| {
        let address = found!(address(&text));
        let hash = app.sender.key.hash(address.as_str());
        let known = app.refresher.store.read(|r| r.subscribers().get(&hash))?;
        Ok(known
            .map(|known| Json(ApiSubscriber::from(known)))
            .ok_or_else(|| Problem::not_there("subscriber")))
    })
    .await
}

/// Puts somebody on the list who agreed elsewhere: they are not asked again. Who left, complained, bounced or was erased stays out.
#[utoipa::path(post, path = "/api/v1/subscribers", request_body = NewSubscriber, security(("token" = ["subscribers:write"])), responses(
    (status = 201, description = "They are on the list", body = ApiSubscriber),
    (status = 400, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "They are on the list, or are kept out", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "The body is not called JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "A value is wrong", body = Problem, content_type = "application/problem+json"),
    TokenRefusals,
))]
pub(super) async fn add(
    State(app): State<Arc<AppState>>,
    headers: HeaderMap,
    body: Result<Json<JsonObject<NewSubscriber>>, JsonRejection>,
) -> Response {
    for_token(app, headers, ApiScope::WriteSubscribers, |app, token| match body {
        Ok(Json(JsonObject(wanted))) => put_on_the_list(app, token, &wanted),
        Err(error) => Ok(Err(Problem::of_body(&error))),
    })
    .await
}

fn put_on_the_list(
    app: &AppState,
    token: &ApiToken,
    wanted: &NewSubscriber,
) -> anyhow::Result<Result<Response, Problem>> {
    let read = || {
        let address = Address::parse_public(&wanted.address).map_err(Problem::unusable)?;
        let choice = wanted.preferences.clone().unwrap_or_default();
        let how = shorten(wanted.consent.trim(), CONSENT_CHARS_MAX);
        if how.is_empty() {
            return Err(Problem::unusable("consent: say how they agreed"));
        }
        let noted = profile(wanted.tags.as_ref(), wanted.attributes.as_ref())?;
        Ok((address, preferences(app, &choice)?, how, noted))
    };
    let (address, preferences, how, noted) = found!(read());
    let (key, now) = (&app.sender.key, app.clock.now());
    let text = wanted.consent_text.as_deref().map(|text| shorten(text.trim(), CONSENT_CHARS_MAX));
    let consent = Consent { source: how, at: now, text: text.filter(|text| !text.is_empty()) };
    let done = app.refresher.store.write(|w| {
        Ok::<_, anyhow::Error>(match subscribers::standing(w, key, &address)? {
            Standing::OnTheList(_) => {
                let detail = format!(
                    "{address} is on the list already, nothing was changed: PATCH changes what they get"
                );
                Err(Problem::new(StatusCode::CONFLICT, detail))
            }
            Standing::KeptOut { why, .. } => Err(kept_out(&address, &why)),
            Standing::Unknown => {
                let state = SubscriberState::Active;
                let put = subscribers::put_within(w, key, address.clone(), preferences, consent, state, now)?;
                Ok(profiles::change(w, key, put, &noted)?)
            }
        })
    })?;
    if done.is_ok() {
        tracing::info!(token = token.name, "a subscriber was added by a program");
    }
    Ok(done.map(|added| {
        let name: String = byte_serialize(added.address.as_str().as_bytes()).collect();
        let place = format!("/api/v1/subscribers/{}", name.replace('+', "%20"));
        (StatusCode::CREATED, [(header::LOCATION, place)], Json(ApiSubscriber::from(added))).into_response()
    }))
}

/// Changes what a subscriber gets, pauses or resumes them, or lets them leave.
#[utoipa::path(patch, path = "/api/v1/subscribers/{address}", params(("address" = String, Path, description = "Mail address", format = Email)), request_body = SubscriberChange, security(("token" = ["subscribers:write"])), responses(
    (status = 200, description = "The subscriber as they are now", body = ApiSubscriber),
    (status = 400, description = "That is no mail address, or the body no JSON", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "They are not on the list", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "They are kept out", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "The body is not called JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "A value is wrong", body = Problem, content_type = "application/problem+json"),
    TokenRefusals,
))]
pub(super) async fn change(
    State(app): State<Arc<AppState>>,
    PathParameter(text): PathParameter<String>,
    headers: HeaderMap,
    body: Result<Json<JsonObject<SubscriberChange>>, JsonRejection>,
) -> Response {
    for_token(app, headers, ApiScope::WriteSubscribers, move |app, _| {
        let read = || {
            let Json(JsonObject(wanted)) = body.map_err(|error| Problem::of_body(&error))?;
            let chosen = wanted.preferences.as_ref().map(|choice| preferences(app, choice)).transpose()?;
            let noted = profile(wanted.tags.as_ref(), wanted.attributes.as_ref())?;
            Ok((address(&text)?, chosen, wanted.state, noted))
        };
        let (address, chosen, state, noted) = found!(read());
        let done = app.refresher.store.write(|w| match changed(app, w, &address, chosen, state)? {
            Ok(subscriber) => profiles::change(w, &app.sender.key, subscriber, &noted).map(Ok),
            Err(problem) => Ok(Err(problem)),
        })?;
        Ok(done.map(|subscriber| Json(ApiSubscriber::from(subscriber))))
    })
    .await
}

fn changed(
    app: &AppState,
    unit: &Unit<Write>,
    address: &Address,
    preferences: Option<Preferences>,
    state: Option<WantedState>,
) -> anyhow::Result<Result<Subscriber, Problem>> {
    let (key, now) = (&app.sender.key, app.clock.now());
    let known = match subscribers::standing(unit, key, address)? {
        Standing::OnTheList(known) => known,
        Standing::KeptOut { known: Some(known), .. }
            if state == Some(WantedState::Unsubscribed) && known.state == SubscriberState::Unsubscribed =>
        {
            return Ok(Ok(known));
        }
        Standing::KeptOut { why, known: Some(_) } => return Ok(Err(kept_out(address, &why))),
        Standing::KeptOut { known: None, .. } | Standing::Unknown => {
            return Ok(Err(Problem::not_there("subscriber")));
        }
    };
    let wanted = match state {
        None => known.state,
        Some(WantedState::Active) => SubscriberState::Active,
        Some(WantedState::Paused) => SubscriberState::Paused,
        Some(WantedState::Unsubscribed) => {
            let hash = key.hash(address.as_str());
            subscribers::suppress_within(unit, &hash, SubscriberState::Unsubscribed, now)?;
            return Ok(Ok(Subscriber { state: SubscriberState::Unsubscribed, ..known }));
        }
    };
    let preferences = preferences.unwrap_or(known.preferences);
    Ok(Ok(subscribers::put_within(unit, key, known.address, preferences, known.consent, wanted, now)?))
}

/// Takes somebody off the list, as if they had never been on it. What keeps them out stays.
#[utoipa::path(delete, path = "/api/v1/subscribers/{address}", params(("address" = String, Path, description = "Mail address", format = Email), RemovalQuery), security(("token" = ["subscribers:write"])), responses(
    (status = 204, description = "They are off the list"),
    (status = 400, description = "That is no mail address, or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "They are not on the list", body = Problem, content_type = "application/problem+json"),
    TokenRefusals,
))]
pub(super) async fn remove(
    State(app): State<Arc<AppState>>,
    PathParameter(text): PathParameter<String>,
    query: Result<Query<RemovalQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    for_token(app, headers, ApiScope::WriteSubscribers, move |app, token| {
        let read = || Ok((address(&text)?, query.map_err(|error| unreadable(&error))?));
        let (address, Query(query)) = found!(read());
        let (store, key) = (&app.refresher.store, &app.sender.key);
        let is_done = if query.erase == Some(true) {
            // Nobody learns whether anything was known.
            subscribers::erase(store, key, &address, app.clock.now()).map(|_| true)?
        } else {
            subscribers::remove(store, key, &address)?
        };
        if !is_done {
            return Ok(Err(Problem::not_there("subscriber")));
        }
        tracing::info!(token = token.name, "a subscriber was removed by a program");
        Ok(Ok(StatusCode::NO_CONTENT))
    })
    .await
}
