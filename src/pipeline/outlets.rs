//! The pipeline to outlets: what is new is queued for each once, in the unit that notes how far the outlet has considered it; what is
//! queued is posted until it is accepted or given up. A crash between the answer and our commit posts it again, under the same id.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::digest;
use crate::fetch::client::{Client, FetchError};
use crate::model::digest::Digest;
use crate::model::keys::EntryKey;
use crate::model::outlet::{EventKind, Outlet, OutletKind};
use crate::model::story::Story;
use crate::pipeline::desk;
use crate::post;
use crate::store::{ClaimedPost, OutletMark, PublishedIssue, Store, StoreError};
use crate::support::clock::Clock;
use crate::support::templates::{TemplateError, Templates};
use crate::view::{Catalog, StoryRecord};

/// Stories and issues looked at for an outlet in one turn: months of a large network.
const STORIES_MAX: usize = 5_000;
const ISSUES_MAX: usize = 1_000;
/// What is posted to one outlet in a turn, in what time; the time for one.
const POSTS_MAX: usize = 200;
const TURN_TIMEOUT: Duration = Duration::from_secs(40);
const POST_TIMEOUT: Duration = Duration::from_secs(20);
/// Posts to one host at a time.
const PER_HOST: usize = 2;
/// Pauses after failed attempts; the last one is that of all further ones.
const PAUSES_MINUTES: [i64; 7] = [1, 5, 15, 60, 180, 360, 720];
/// No outlet makes us wait longer, whatever it asks for.
const PAUSE_MAX: SignedDuration = SignedDuration::from_hours(24);
/// After so long, a post is given up.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(5 * 24);

/// What is told to outlets.
#[derive(Clone, Copy)]
pub struct OutletContext<'a> {
    pub outlets: &'a [Outlet],
    pub catalog: Catalog<'a>,
    pub digests: &'a [Digest],
    pub templates: &'a Templates,
    pub now: Timestamp,
}

/// What became of the posts of a turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PostCounts {
    pub accepted: usize,
    pub failed: usize,
}

/// Queues what is new for each outlet; one that is new itself begins with what comes next. Returns how much was queued.
///
/// # Errors
/// When the store fails, or a template of the operator is faulty; what is new for other outlets is queued, the rest the next time.
pub fn queue(store: &Store, context: OutletContext) -> anyhow::Result<usize> {
    let results: Vec<anyhow::Result<usize>> = context
        .outlets
        .iter()
        .map(|outlet| queue_for(store, context, outlet).with_context(|| outlet.name()))
        .collect();
    results.into_iter().sum()
}

/// What an outlet has not considered.
struct OutletNews {
    mark: OutletMark,
    end: OutletMark,
    stories: Vec<Story>,
    issues: Vec<PublishedIssue>,
}

/// What is new for an outlet; `None` if nothing was published since.
fn news(store: &Store, outlet: &Outlet) -> Result<Option<OutletNews>, StoreError> {
    store.read(|r| {
        let end = r.posts().end()?;
        let known = r.posts().mark(&outlet.name())?;
        if known == Some(end) {
            return Ok(None);
        }
        // One that is new has considered all that there is.
        let mark = known.unwrap_or(end);
        let wants = |event, is_new| outlet.wants(event) && is_new;
        let stories = match wants(EventKind::StoryPublished, mark.entry < end.entry) {
            true => desk::mailed(r, r.entries().stories_since(mark.entry, None, STORIES_MAX)?)?,
            false => Vec::new(),
        };
        let issues = match wants(EventKind::IssuePublished, mark.issue < end.issue) {
            true => r.posts().issues_after(mark.issue, ISSUES_MAX)?,
            false => Vec::new(),
        };
        Ok(Some(OutletNews { mark, end, stories, issues }))
    })
}

fn queue_for(store: &Store, context: OutletContext, outlet: &Outlet) -> anyhow::Result<usize> {
    let Some(OutletNews { mark, end, stories, issues }) = news(store, outlet)? else { return Ok(0) };
    let (name, interests) = (outlet.name(), &outlet.interests);
    let mut new = digest::pick(interests, mark.entry..end.entry, &[], &stories);
    new.sort_by_key(|story| story.wanted_since(interests).unwrap_or(EntryKey::MAX));
    let mut posts: Vec<(String, String)> = Vec::new();
    for story in new {
        posts.push((format!("story-{}", story.id), story_body(context, outlet, story)?));
    }
    for issue in &issues {
        posts.extend(issue_body(context, issue).map(|body| (format!("issue-{}", issue.name), body)));
    }
    let queued = store.write(|w| {
        // Another process may have considered it in the meantime.
        if w.posts().mark(&name)?.unwrap_or(mark) != mark {
            return Ok(0);
        }
        for (event, body) in &posts {
            w.posts().put(&name, event, body, context.now)?;
        }
        w.posts().put_mark(&name, end)?;
        Ok::<_, StoreError>(posts.len())
    })?;
    Ok(queued)
}

fn story_body(context: OutletContext, outlet: &Outlet, story: &Story) -> Result<String, TemplateError> {
    let catalog = context.catalog;
    match &outlet.kind {
        OutletKind::Webhook { .. } => {
            let language = outlet.language.as_deref().unwrap_or(&catalog.channel.language);
            let record = StoryRecord::of(catalog, story, language, &outlet.interests);
            Ok(post::event_body(EventKind::StoryPublished, context.now, &record))
        }
        OutletKind::Service { service, to, .. } => {
            post::service_body(context.templates, outlet, (*service, to), catalog, story)
        }
    }
}

/// Tells of an issue of a configured digest.
fn issue_body(context: OutletContext, issue: &PublishedIssue) -> Option<String> {
    let digest = context.digests.iter().find(|digest| digest.id == issue.digest)?;
    let url = format!("{}/issues/{}.html", context.catalog.channel.url, issue.name);
    let data =
        json!({ "digest": digest.id.as_str(), "subject": issue.subject, "url": url, "date": issue.created });
    Some(post::event_body(EventKind::IssuePublished, context.now, &data))
}

/// Posts what is due, at each outlet in its order.
///
/// # Errors
/// When the store fails; an outlet that does not accept something is a result.
pub async fn send(
    store: &Store,
    client: &Client,
    outlets: &[Outlet],
    clock: Clock,
) -> anyhow::Result<PostCounts> {
    let client = client.apart(PER_HOST, POST_TIMEOUT);
    // They are few, and none waits for another.
    let mut lanes = FuturesUnordered::new();
    for outlet in outlets {
        lanes.push(send_to(store, &client, outlet, clock));
    }
    let mut counts = PostCounts::default();
    while let Some(done) = lanes.next().await {
        let done = done?;
        counts.accepted += done.accepted;
        counts.failed += done.failed;
    }
    forget(store, clock.now())?;
    Ok(counts)
}

/// Deletes what was left by outlets that there are not any more.
fn forget(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let limit = now.saturating_sub(GIVEN_UP_AFTER * 2).unwrap_or(Timestamp::MIN);
    if store.read(|r| r.posts().waiting())?.iter().all(|post| post.created >= limit) {
        return Ok(());
    }
    store.write(|w| w.posts().forget(limit, store.lease_time())).map(drop)
}

/// Posts to one outlet, until something fails: what follows would fail as well, and waits for the next turn.
async fn send_to(
    store: &Store,
    client: &Client,
    outlet: &Outlet,
    clock: Clock,
) -> Result<PostCounts, StoreError> {
    let (name, mut counts) = (outlet.name(), PostCounts::default());
    if !store.read(|r| r.posts().has_due(&name, clock.now()))? {
        return Ok(counts);
    }
    let times = (clock.now(), store.lease_time());
    let claimed = store.write(|w| w.posts().claim(&name, store.worker(), times, POSTS_MAX))?;
    let end = Instant::now() + TURN_TIMEOUT;
    for post in claimed {
        if counts.failed > 0 || Instant::now() >= end {
            store.write(|w| w.posts().release(&post))?;
            continue;
        }
        let request = post::request(outlet, &post.event, &post.body, clock.now());
        let result = client
            .send_to(
                (request.is_put, &request.url),
                &request.headers,
                post.body.clone().into_bytes(),
                clock.now(),
            )
            .await;
        match &result {
            Ok(()) => counts.accepted += 1,
            Err(_) => counts.failed += 1,
        }
        settle(store, &name, &post, result, clock.now())?;
    }
    Ok(counts)
}

/// Stores what became of an attempt.
fn settle(
    store: &Store,
    outlet: &str,
    post: &ClaimedPost,
    result: Result<(), FetchError>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Err(error) = result else { return store.write(|w| w.posts().delete(post)) };
    let event = post.event.as_str();
    if error == FetchError::Gone || now.duration_since(post.created) >= GIVEN_UP_AFTER {
        tracing::warn!(outlet, event, "it is given up: {error}");
        let text = format!("did not get {event}, which is given up: {error}");
        return store.write(|w| {
            w.posts().delete(post)?;
            w.sources().put_notice(outlet, &text, now)
        });
    }
    let pause = pause(post.attempts, &error);
    tracing::info!(outlet, event, "it was not accepted, and is tried again in {pause:#}: {error}");
    store.write(|w| w.posts().defer(post, now + pause, &error.to_string()))
}

/// How long an outlet is left alone after a failure: longer each time, and as long as it asks for.
fn pause(attempts: u32, error: &FetchError) -> SignedDuration {
    let last = PAUSES_MINUTES.len() - 1;
    let own = SignedDuration::from_mins(PAUSES_MINUTES[usize::try_from(attempts).unwrap_or(last).min(last)]);
    let asked = match error {
        FetchError::Status { retry_after_seconds: Some(seconds), .. } => {
            SignedDuration::from_secs(i64::try_from(*seconds).unwrap_or(i64::MAX))
        }
        _ => SignedDuration::ZERO,
    };
    own.max(asked).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_as_long_as_an_outlet_asks_for() {
        let broken = FetchError::Broken { host: "x".into(), cause: "y".into() };
        let minutes = |attempts| pause(attempts, &broken).as_mins();
        assert_eq!([0, 1, 6, 7, 99].map(minutes), [1, 5, 720, 720, 720]);
        let busy = |seconds| FetchError::Status { status: 429, retry_after_seconds: Some(seconds) };
        assert_eq!(pause(0, &busy(600)).as_mins(), 10);
        assert_eq!(pause(0, &busy(1)).as_mins(), 1);
        assert_eq!(pause(0, &busy(u64::MAX)), PAUSE_MAX);
    }
}
