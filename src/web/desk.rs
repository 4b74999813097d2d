//! The desk: a page on which an editor shapes the next issue of a digest, opened by a link of their own. A GET changes nothing, since
//! mail scanners follow every link.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::forms::Form;
use super::state::{AppState, failed};
use super::subscriptions::{SharedState, catalog, is_foreign, language, message, with};
use crate::digest::web_version;
use crate::model::address::parse_web_url;
use crate::model::admin::AdminRole;
use crate::model::desk::{DeskAction, DeskField, DeskText, Draft, HandStory};
use crate::model::digest::{Digest, Issue};
use crate::model::keys::{DraftKey, EntryKey, RulingKey};
use crate::model::token::DESK;
use crate::pipeline::desk::reading::read_story;
use crate::pipeline::desk::view::{DeskView, view};
use crate::pipeline::desk::{self, DeskOutcome};
use crate::pipeline::mail::drafts::{account_hash, when};
use crate::pipeline::mail::queue;
use crate::support::i18n::{capitalized, default_language, known, language_of, phrases, said};
use crate::support::text::is_language_tag;

/// Rulings and previews of one editor in an hour.
const RULINGS_PER_HOUR: u32 = 1_200;
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// `?l=fr`, and the action that a link in a mail is about.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct DeskQuery {
    #[serde(default)]
    l: String,
    #[serde(rename = "do", default)]
    action: String,
    #[serde(default)]
    story: i64,
    #[serde(default)]
    part: String,
    /// `light` or `dark`, and `wide` or `narrow`, with a hyphen between.
    #[serde(default)]
    look: String,
}

/// An editor at the desk of an issue that has not gone yet.
struct DeskSession<'a> {
    app: &'a AppState,
    token: &'a str,
    draft: Draft,
    digest: &'a Digest,
    /// The editor's address, or the name that they signed in with.
    who: &'a str,
    language: &'static str,
}

/// Who a link belongs to; `None` if it is not ours, its issue has gone, or its owner is no editor any more.
fn session<'a>(app: &'a AppState, token: &'a str, asked: &str) -> anyhow::Result<Option<DeskSession<'a>>> {
    let payload = app.sender.key.verify(DESK, token);
    let read = payload.as_deref().and_then(|payload| payload.split_once(' '));
    let Some((Ok(key), hash)) = read.map(|(key, hash)| (key.parse().map(DraftKey), hash)) else {
        return Ok(None);
    };
    let draft = app.refresher.store.read(|r| r.desk().draft(key))?.filter(|draft| draft.closed.is_none());
    let Some(draft) = draft else { return Ok(None) };
    let Some(digest) = app.digests.iter().find(|digest| digest.id == draft.digest) else { return Ok(None) };
    let editors = digest.editors.iter().map(|editor| editor.as_str());
    let editor = editors.into_iter().find(|editor| app.sender.key.hash(editor) == hash);
    let mut accounts = app.admin_accounts.iter().filter(|account| account.role >= AdminRole::Editor);
    let mut account = || accounts.find(|account| account_hash(&app.sender.key, &account.name) == hash);
    let who = editor.or_else(|| account().map(|account| account.name.as_str()));
    let own = || known(&digest.language).or_else(|| known(&app.channel.language));
    let language = known(asked).or_else(own).unwrap_or_else(default_language);
    Ok(who.map(|who| DeskSession { app, token, draft, digest, who, language }))
}

fn dead(app: &AppState, asked: &str, headers: &HeaderMap) -> Response {
    message(app, StatusCode::NOT_FOUND, language(app, asked, headers), "link_dead", json!({}))
}

/// Shows the desk.
pub(super) async fn show(
    State(app): SharedState,
    Path(token): Path<String>,
    Query(asked): Query<DeskQuery>,
    headers: HeaderMap,
) -> Response {
    match session(&app, &token, &asked.l) {
        Ok(Some(session)) => session.page(StatusCode::OK, &asked, json!({})),
        Ok(None) => dead(&app, &asked.l, &headers),
        Err(error) => failed(&error),
    }
}

/// Rules as the form of the page says, and leads back to the page.
pub(super) async fn rule(
    State(app): SharedState,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = Form::read(&body);
    let session = match session(&app, &token, form.one("l")) {
        Ok(Some(session)) => session,
        Ok(None) => return dead(&app, form.one("l"), &headers),
        Err(error) => return failed(&error),
    };
    if is_foreign(&headers) {
        return message(&app, StatusCode::FORBIDDEN, session.language, "form_expired", json!({}));
    }
    if !session.may_go_on() {
        return message(&app, StatusCode::TOO_MANY_REQUESTS, session.language, "too_many", json!({}));
    }
    if form.one("do") == "read" {
        return session.read(&form).await;
    }
    session.rule(&form, &headers).unwrap_or_else(|error| failed(&error))
}

/// Shows the issue as its readers would get it: the mail in a language, or its text part.
pub(super) async fn preview(
    State(app): SharedState,
    Path(token): Path<String>,
    Query(asked): Query<DeskQuery>,
    headers: HeaderMap,
) -> Response {
    match session(&app, &token, &asked.l) {
        Ok(Some(session)) if session.may_go_on() => {
            session.preview(&asked).unwrap_or_else(|error| failed(&error))
        }
        Ok(Some(session)) => {
            message(&app, StatusCode::TOO_MANY_REQUESTS, session.language, "too_many", json!({}))
        }
        Ok(None) => dead(&app, &asked.l, &headers),
        Err(error) => failed(&error),
    }
}

/// What a form asks for, and what stands against it.
enum Wanted {
    Rulings(Vec<DeskAction>),
    Faulty(&'static str),
}

impl DeskSession<'_> {
    fn may_go_on(&self) -> bool {
        let key = format!("desk {}", self.who);
        self.app.limits.allow(key, RULINGS_PER_HOUR, HOUR, self.app.clock.now())
    }

    fn view(&self) -> anyhow::Result<DeskView> {
        let context = self.app.mail_context();
        let store = &self.app.refresher.store;
        Ok(view(store, context.catalog, self.digest, self.language, context.now)?)
    }

    /// The page, with what was said or entered.
    fn page(&self, status: StatusCode, asked: &DeskQuery, more: Value) -> Response {
        let view = match self.view() {
            Ok(view) => view,
            Err(error) => return failed(&error),
        };
        let (app, t) = (self.app, phrases(self.language));
        let language_link =
            |tag: &&'static str| json!({ "value": *tag, "label": capitalized(language_of(tag)) });
        let mut languages = app.languages.clone();
        languages.extend(Some(self.language).filter(|own| !languages.contains(own)));
        let topics: Vec<Value> = app
            .topics
            .iter()
            .map(|topic| json!({ "id": topic.id, "label": topic.label(self.language) }))
            .collect();
        let ask = self.asked_action(asked, &view);
        let page = json!({
            "desk": view,
            "when": when(self.digest, &self.draft, self.language),
            "who": self.who,
            "action": format!("{}/desk/{}", app.base(), self.token),
            "languages": languages.iter().map(language_link).collect::<Vec<_>>(),
            "topics": topics,
            "ask": ask,
            "open": asked.story,
            "texts_language": capitalized(language_of(self.language)),
        });
        let heading = format!("{}{} {}", t["desk"], t["colon"], self.digest.title);
        app.page(status, "web/desk.html", &with(catalog(app, self.language, &heading), with(page, more)))
    }

    /// The button for what a link in a mail is about.
    fn asked_action(&self, asked: &DeskQuery, view: &DeskView) -> Value {
        let t = phrases(self.language);
        let mut stories = view.groups.iter().flat_map(|group| &group.stories).chain(&view.left_out);
        let story = stories.find(|story| story.key == asked.story);
        let known = ["pin", "drop", "hold", "clear"].contains(&asked.action.as_str());
        match story.filter(|_| known) {
            Some(story) => json!({
                "value": asked.action,
                "label": t[format!("desk_{}", asked.action).as_str()],
                "title": story.title,
                "story": story.key,
                "language": story.language,
                "dir": story.dir,
            }),
            None if asked.action == "release" && view.waits && !view.is_released => {
                json!({ "value": "release", "label": t["desk_release"], "title": self.digest.title })
            }
            None => Value::Null,
        }
    }

    fn rule(&self, form: &Form, headers: &HeaderMap) -> anyhow::Result<Response> {
        let story = form.one("story").parse().unwrap_or(0);
        let asked = DeskQuery { story, ..DeskQuery::default() };
        let fault = |status, fault: String, more: Value| {
            Ok(self.page(status, &asked, with(json!({ "fault": fault }), more)))
        };
        let t = phrases(self.language);
        let wanted = match wanted(self, form) {
            Wanted::Rulings(wanted) => wanted,
            Wanted::Faulty(key) => {
                let entered: Value =
                    form.pairs().iter().cloned().map(|(name, value)| (name, json!(value))).collect();
                return fault(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    t[key].to_owned(),
                    json!({ "entered": entered }),
                );
            }
        };
        let base = form.one("version").parse().map_or(RulingKey(0), RulingKey);
        let (store, now) = (&self.app.refresher.store, self.app.clock.now());
        for action in &wanted {
            match desk::rule(store, self.draft.key, action, self.who, Some(base), now)? {
                DeskOutcome::Done(_) | DeskOutcome::Already => {}
                DeskOutcome::Closed => return Ok(dead(self.app, self.language, headers)),
                DeskOutcome::NotThere => {
                    return fault(StatusCode::NOT_FOUND, t["desk_gone"].to_owned(), json!({}));
                }
                DeskOutcome::Conflict(stands) => {
                    let said = said("desk_changed", self.language, &[("who", stands.who.clone().into())]);
                    let own = match action {
                        DeskAction::Write(text) => text.text.clone(),
                        _ => String::new(),
                    };
                    let theirs = match &stands.action {
                        DeskAction::Write(text) => text.text.clone(),
                        _ => String::new(),
                    };
                    let more = json!({ "conflict": { "own": own, "theirs": theirs, "who": stands.who } });
                    return fault(StatusCode::CONFLICT, said, more);
                }
            }
        }
        let place = if story == 0 { String::new() } else { format!("#s{story}") };
        let back = format!("/desk/{}?l={}{place}", self.token, self.language);
        Ok((StatusCode::SEE_OTHER, [(header::LOCATION, back)]).into_response())
    }

    /// The story of the issue that has an id.
    fn named(&self, id: &str) -> anyhow::Result<Option<EntryKey>> {
        let view = self.view()?;
        let mut stories = view.groups.iter().flat_map(|group| &group.stories).chain(&view.left_out);
        Ok(stories.find(|story| story.id == id).map(|story| EntryKey(story.key)))
    }

    /// Reads the page of a story, and shows the form with what it says: nothing is ruled yet.
    async fn read(&self, form: &Form) -> Response {
        let (t, asked) = (phrases(self.language), DeskQuery::default());
        let (client, now) = (&self.app.refresher.client, self.app.clock.now());
        let read = match parse_web_url(form.one("url")) {
            Ok(url) => read_story(client, &url, now).await.map_err(|error| {
                // The editor is told that it cannot be read, and the operator why.
                tracing::info!(url = url.as_str(), "the page of a story by hand cannot be read: {error}");
            }),
            Err(_) => Err(()),
        };
        match read {
            Ok(story) => {
                let entered = json!({
                    "title": story.title, "text": story.text, "url": story.url, "topic": form.one("topic"),
                    "story_language": story.language,
                });
                self.page(StatusCode::OK, &asked, json!({ "entered": entered, "is_read": true }))
            }
            Err(()) => {
                let entered: Value =
                    form.pairs().iter().cloned().map(|(name, value)| (name, json!(value))).collect();
                let more = json!({ "fault": t["desk_unread"], "entered": entered });
                self.page(StatusCode::UNPROCESSABLE_ENTITY, &asked, more)
            }
        }
    }

    fn preview(&self, asked: &DeskQuery) -> anyhow::Result<Response> {
        let (app, context) = (self.app, self.app.mail_context());
        let issue = queue::preview_in(&app.refresher.store, context, self.digest, self.language)?;
        let (kind, text) = match asked.part.as_str() {
            "text" => ("text/plain; charset=utf-8", web_text(&issue, &app.channel.url)),
            _ => ("text/html; charset=utf-8", looking(web_version(&issue, &app.channel.url), &asked.look)),
        };
        Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], text).into_response())
    }
}

/// A mail as it looks in light or dark colours, and as narrow as on a phone, whatever the browser prefers.
fn looking(html: String, look: &str) -> String {
    const COLOURS: &str = "@media (prefers-color-scheme: dark)";
    let has = |word: &str| look.split('-').any(|own| own == word);
    let html = match (has("dark"), has("light")) {
        (true, _) => html.replace(COLOURS, "@media all"),
        (_, true) => html.replace(COLOURS, "@media not all"),
        _ => html,
    };
    if !has("narrow") {
        return html;
    }
    html.replacen("</head>", "<style>html { max-width: 375px; margin: 0 auto; }</style>\n</head>", 1)
}

/// The text part without the placeholders of links.
fn web_text(issue: &Issue, public: &str) -> String {
    let text = Issue { html: issue.text.clone(), ..issue.clone() };
    web_version(&text, public)
}

/// What the button of a form means.
fn wanted(session: &DeskSession, form: &Form) -> Wanted {
    let key = |name: &str| form.one(name).parse::<i64>().ok();
    let story = || key("story").filter(|key| *key != 0).map(EntryKey);
    let of_story = |make: fn(EntryKey) -> DeskAction| story().map(make).into_iter().collect::<Vec<_>>();
    let moved = |name: &str, is_after| {
        let (story, other) = (story(), key(name).map(EntryKey));
        let both = story.zip(other);
        both.map(|(story, other)| DeskAction::Move { story, other, is_after }).into_iter().collect()
    };
    let rulings: Vec<DeskAction> = match form.one("do") {
        "pin" => of_story(DeskAction::Pin),
        "drop" => of_story(DeskAction::Drop),
        "hold" => of_story(DeskAction::Hold),
        "clear" => of_story(DeskAction::Clear),
        "up" => moved("before", false),
        "down" => moved("after", true),
        "merge" => match session.named(form.one("other")) {
            Ok(other) => {
                let merge = |(story, other)| DeskAction::Merge { story, other };
                story().zip(other).map(merge).into_iter().collect()
            }
            Err(_) => Vec::new(),
        },
        "write" => written(session, form, story(), &[DeskField::Headline, DeskField::Summary]),
        "introduce" => written(session, form, None, &[DeskField::Introduction]),
        "release" => vec![DeskAction::Release],
        "undo" => key("ruling").map(|key| DeskAction::Undo(RulingKey(key))).into_iter().collect(),
        "add" => {
            let topic = session.app.topics.iter().find(|topic| topic.id == form.one("topic"));
            let topic = topic.map(|topic| topic.id.clone());
            let (title, text, url) = (form.one("title"), form.one("text"), form.one("url"));
            let own = form.one("story_language");
            let language = if is_language_tag(own) { own } else { session.language };
            match HandStory::new(title, text, url, topic, language) {
                Ok(story) => vec![DeskAction::Add(story)],
                Err(_) => return Wanted::Faulty("desk_incomplete"),
            }
        }
        _ => Vec::new(),
    };
    if rulings.is_empty() && !matches!(form.one("do"), "write" | "introduce") {
        return Wanted::Faulty("wrong_choice");
    }
    Wanted::Rulings(rulings)
}

/// The texts of a form that its editor changed: others may have changed the rest meanwhile.
fn written(
    session: &DeskSession,
    form: &Form,
    story: Option<EntryKey>,
    fields: &[DeskField],
) -> Vec<DeskAction> {
    let is_everywhere = !form.one("everywhere").is_empty();
    let was_everywhere = !form.one("was_everywhere").is_empty();
    let text_of = |field: &DeskField| {
        let (new, old) = (form.one(field.as_str()), form.one(&format!("was_{}", field.as_str())));
        let text = DeskText::new(*field, story, session.language, new);
        let old = DeskText::new(*field, story, session.language, old);
        let is_changed = text.text != old.text || (is_everywhere != was_everywhere && !text.text.is_empty());
        is_changed.then_some(DeskAction::Write(DeskText { is_everywhere, ..text }))
    };
    fields.iter().filter_map(text_of).collect()
}
