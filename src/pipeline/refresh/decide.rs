//! Decides what to do about a document, from its contents and what is stored. Pure: returns intents and the next state of the
//! source, and touches neither store nor network.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::document::PreparedDocument;
use super::prepare::{Candidate, CleanedEntry};
use super::read_error::ReadError;
use crate::fetch::client::{FetchError, Meta};
use crate::fetch::politeness::{self, PollBounds, ServerHints};
use crate::model::digest::Notice;
use crate::model::entry::{Entry, StoredSummary};
use crate::model::feed::RawFeed;
use crate::model::source::{
    FAILURES_NOTIFIED, FetchState, Hub, LearnedPage, MOVE_SEEN_MIN, PendingMove, Source, Validators,
};
use crate::support::text::fold;

/// Entries older than this that a known source suddenly lists are a replay, not news.
const NEWS_AGE_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);
/// More new entries at once from a known source than this are a replay, except for the youngest.
const FLOOD_ENTRIES_MIN: usize = 100;
const FLOOD_AGE_MAX: SignedDuration = SignedDuration::from_hours(24);

/// What is stored of a source when its document is decided on.
pub struct StoredSource {
    pub state: FetchState,
    /// By identity key.
    pub known: HashMap<String, StoredSummary>,
    /// A hub has recently pushed what the source publishes.
    pub is_pushed: bool,
    /// After a redesign: folded titles that are not news, whatever address they have now.
    pub known_titles: HashSet<String>,
}

/// What to do about one entry.
pub enum Intent<'a> {
    Insert {
        cleaned: &'a CleanedEntry,
        is_news: bool,
    },
    Update(&'a CleanedEntry),
    Same,
    /// Dropped by the source's filter, with the rule.
    Drop(&'a str),
    /// It was stored when the document was prepared, and no longer is: the next poll brings it again.
    Later,
}

/// One intent for each candidate, in order.
pub fn intents<'a>(stored: &StoredSource, candidates: &'a [Candidate], now: Timestamp) -> Vec<Intent<'a>> {
    // A last success in the future was recorded under a wrong clock.
    let last_success = stored.state.last_success.map(|last| last.min(now));
    let unknown = candidates.iter().filter(|candidate| !stored.known.contains_key(&candidate.key)).count();
    let is_flood = last_success.is_some() && unknown > FLOOD_ENTRIES_MIN;
    let is_over = |entry: &Entry| entry.event.as_ref().is_some_and(|event| event.is_over(now));
    let is_news =
        |entry: &Entry| !is_over(entry) && is_news(entry, last_success, is_flood, &stored.known_titles);
    let intent = |candidate: &'a Candidate| match (stored.known.get(&candidate.key), &candidate.cleaned) {
        (Some(known), _) if known.fingerprint == candidate.fingerprint => Intent::Same,
        (_, None) => Intent::Later,
        (Some(_), Some(cleaned)) => Intent::Update(cleaned),
        (None, Some(cleaned)) => match &cleaned.dropped_by {
            Some(rule) => Intent::Drop(rule),
            None => Intent::Insert { is_news: is_news(&cleaned.entry), cleaned },
        },
    };
    candidates.iter().map(intent).collect()
}

/// Whether an entry is announced; an old one that a source suddenly lists is stored without being announced.
fn is_news(
    entry: &Entry,
    last_success: Option<Timestamp>,
    is_flood: bool,
    known_titles: &HashSet<String>,
) -> bool {
    if !known_titles.is_empty() && known_titles.contains(&fold(&entry.title)) {
        return false;
    }
    match (last_success, entry.date()) {
        (None, _) => true,
        (Some(last), Some(date)) => date >= last - if is_flood { FLOOD_AGE_MAX } else { NEWS_AGE_MAX },
        (Some(_), None) => !is_flood,
    }
}

/// The consequences of a refresh for its source.
pub struct SourceDecision {
    pub state: FetchState,
    /// Notices for the operator.
    pub notices: Vec<String>,
    /// Polling found what the hub should have pushed: the source is polled at its own pace again.
    pub forgets_push: bool,
}

impl SourceDecision {
    /// The same with the selectors that the operator chose while the document was read.
    pub fn as_ruled(mut self, asked: &LearnedPage, stored: &LearnedPage) -> SourceDecision {
        if (&asked.former, &asked.declined) != (&stored.former, &stored.declined) {
            self.state.page = stored.clone();
        }
        self
    }
}

/// The consequences of a document of which `announced` entries were announced as news.
pub fn after_document(
    stored: &StoredSource,
    document: &PreparedDocument,
    announced: usize,
    pace: PollBounds,
    now: Timestamp,
) -> SourceDecision {
    let PreparedDocument { feed, meta, is_push, is_mended, .. } = document;
    let state = &stored.state;
    let rhythm = state.rhythm.after(now, announced > 0);
    let asked = ServerHints {
        fresh_seconds: meta.fresh_seconds,
        hints: Some(&feed.hints),
        crawl_delay_seconds: document.crawl_delay_seconds,
        is_pushed: stored.is_pushed && (*is_push || announced == 0),
    };
    let next = politeness::after_success(now, pace, &rhythm, asked);
    let new_state = FetchState {
        url: state.url.clone(),
        validators: validators_of(document),
        last_attempt: Some(now),
        last_success: Some(now),
        read_at: if *is_push { state.read_at } else { Some(now) },
        last_error: None,
        is_unlisted: false,
        warning: (!feed.problems.is_empty()).then(|| feed.problems.join("; ")),
        failures: 0,
        next_poll: next.at,
        next_poll_reason: Some(next.reason),
        is_gone: false,
        moved: seen_moved(state.moved.clone(), moved_to(stored, document), document.feed_url.is_some()),
        feed_url: document.feed_url.clone(),
        fresh_seconds: meta.fresh_seconds,
        hints: feed.hints.clone(),
        rhythm,
        hub: hub_of(document),
        page: document.page.clone(),
        date_order: feed.date_order.or(state.date_order),
    };
    let mended = new_state.page.mended.clone().filter(|_| *is_mended);
    let works_again = (state.failures >= FAILURES_NOTIFIED).then(|| Notice::WORKS_AGAIN.to_owned());
    SourceDecision {
        notices: mended.into_iter().chain(works_again).collect(),
        forgets_push: stored.is_pushed && !is_push && announced > 0,
        state: new_state,
    }
}

/// Validators of a truncated document, or of one without usable entries, are discarded, as they could hide the next version.
fn validators_of(PreparedDocument { feed, meta, candidates, .. }: &PreparedDocument) -> Validators {
    let has_found_nothing = candidates.is_empty() && !feed.problems.is_empty();
    if feed.is_cut || feed.is_of_today || has_found_nothing {
        Validators::default()
    } else {
        meta.validators.clone()
    }
}

/// A redirect target may hold something else: it is only tracked if the source is new, or the document holds known entries.
fn moved_to<'a>(stored: &StoredSource, document: &'a PreparedDocument) -> Option<&'a Url> {
    let is_ours = stored.state.last_success.is_none() || !stored.known.is_empty();
    document.meta.moved_to.as_ref().filter(|_| !document.candidates.is_empty() && is_ours)
}

/// The hub that announces changes of a document (WebSub section 4), and the topic address.
fn hub_of(PreparedDocument { feed, meta, base, .. }: &PreparedDocument) -> Option<Hub> {
    let url = meta.hubs.first().cloned().or_else(|| link_of(feed, "hub"))?;
    let topic = meta.self_url.clone().or_else(|| link_of(feed, "self")).unwrap_or_else(|| base.to_string());
    Some(Hub { url, topic })
}

/// The consequences of a 304.
pub fn after_not_modified(
    state: &FetchState,
    meta: &Meta,
    crawl_delay_seconds: Option<u64>,
    is_pushed: bool,
    pace: PollBounds,
    now: Timestamp,
) -> SourceDecision {
    let validators = Validators {
        etag: meta.validators.etag.clone().or_else(|| state.validators.etag.clone()),
        last_modified: meta
            .validators
            .last_modified
            .clone()
            .or_else(|| state.validators.last_modified.clone()),
    };
    let fresh_seconds = meta.fresh_seconds.or(state.fresh_seconds);
    let rhythm = state.rhythm.after(now, false);
    let asked = ServerHints { fresh_seconds, hints: Some(&state.hints), crawl_delay_seconds, is_pushed };
    let next = politeness::after_success(now, pace, &rhythm, asked);
    let new_state = FetchState {
        validators,
        fresh_seconds,
        moved: seen_moved(state.moved.clone(), meta.moved_to.as_ref(), state.feed_url.is_some()),
        rhythm,
        last_attempt: Some(now),
        last_success: Some(now),
        last_error: None,
        is_unlisted: false,
        failures: 0,
        next_poll: next.at,
        next_poll_reason: Some(next.reason),
        ..state.clone()
    };
    let notices =
        if state.failures >= FAILURES_NOTIFIED { vec![Notice::WORKS_AGAIN.to_owned()] } else { Vec::new() };
    SourceDecision { state: new_state, notices, forgets_push: false }
}

/// The consequences of a failure.
pub fn after_failure(
    source: &Source,
    state: &FetchState,
    error: &ReadError,
    pace: PollBounds,
    now: Timestamp,
) -> SourceDecision {
    let fetch_error = if let ReadError::Fetch(error) = error { Some(error) } else { None };
    let sentence = error.to_string();
    let is_remembered = state.address(&source.url) != source.url;
    let is_dead = match error {
        ReadError::Fetch(FetchError::Status { status, .. }) => matches!(status, 404 | 410),
        ReadError::Fetch(error) => {
            matches!(error, FetchError::Gone | FetchError::Name { .. } | FetchError::Private { .. })
        }
        ReadError::Kept(_) | ReadError::Render(_) | ReadError::Mailbox(_) | ReadError::TooSlow { .. } => {
            false
        }
        _ => true,
    };
    let mut state = state.clone();
    if is_remembered && is_dead {
        // The remembered address is dead: the configured one is tried again.
        let page = LearnedPage { is_explored: false, ..state.page };
        state = FetchState { feed_url: None, moved: None, validators: Validators::default(), page, ..state };
    }
    let is_gone = matches!(error, ReadError::Fetch(FetchError::Gone)) && !is_remembered;
    let failures = state.failures + 1;
    let next = politeness::after_failure(
        now,
        pace,
        failures,
        fetch_error.filter(|error| is_gone || **error != FetchError::Gone),
    );
    let notice = match failures {
        _ if is_gone => Some(sentence.clone()),
        FAILURES_NOTIFIED => Some(format!("failed {failures} times in a row: {sentence}")),
        _ => None,
    };
    let state = FetchState {
        last_attempt: Some(now),
        last_error: Some(sentence),
        is_unlisted: matches!(error, ReadError::NoListing(_)),
        failures,
        is_gone,
        next_poll: next.at,
        next_poll_reason: Some(next.reason),
        ..state
    };
    SourceDecision { state, notices: notice.into_iter().collect(), forgets_push: false }
}

fn link_of(feed: &RawFeed, rel: &str) -> Option<String> {
    feed.links.iter().find(|link| link.rel == rel).map(|link| link.href.clone())
}

/// Counts how often a permanent redirect led to the same good document. When the target is requested directly, a proven move
/// stays proven.
fn seen_moved(old: Option<PendingMove>, to: Option<&Url>, is_elsewhere: bool) -> Option<PendingMove> {
    match (old, to) {
        (_, Some(_)) if is_elsewhere => None,
        (Some(old), Some(to)) if old.to == to.as_str() => {
            Some(PendingMove { seen: old.seen.saturating_add(1), ..old })
        }
        (_, Some(to)) => Some(PendingMove { to: to.to_string(), seen: 1 }),
        (Some(old), None) if old.seen >= MOVE_SEEN_MIN => Some(old),
        (_, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sketch::Sketch;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn candidate(key: &str, fingerprint: &str, published: Option<&str>) -> Candidate {
        let entry = Entry {
            id: key.into(),
            title: format!("Title of {key}"),
            published: published.map(at),
            fingerprint: fingerprint.into(),
            ..Entry::bare("s", key)
        };
        let cleaned = CleanedEntry {
            entry,
            topics: Vec::new(),
            keys: Vec::new(),
            sketch: Sketch::default(),
            dropped_by: None,
        };
        Candidate { key: key.into(), fingerprint: fingerprint.into(), cleaned: Some(Box::new(cleaned)) }
    }

    fn stored(known: &[(&str, &str)], last_success: Option<&str>) -> StoredSource {
        let known = known.iter().map(|(key, fingerprint)| {
            let known = StoredSummary {
                fingerprint: (*fingerprint).into(),
                title: String::new(),
                summary: String::new(),
                url: None,
                date: None,
                event: None,
                files: Vec::new(),
            };
            ((*key).to_owned(), known)
        });
        StoredSource {
            state: FetchState { last_success: last_success.map(at), ..FetchState::default() },
            known: known.collect(),
            is_pushed: false,
            known_titles: HashSet::new(),
        }
    }

    fn said(stored: &StoredSource, candidates: &[Candidate]) -> Vec<&'static str> {
        let word = |intent: &Intent| match intent {
            Intent::Insert { is_news: true, .. } => "news",
            Intent::Insert { .. } => "kept",
            Intent::Update(_) => "edit",
            Intent::Same => "same",
            Intent::Drop(_) => "drop",
            Intent::Later => "later",
        };
        intents(stored, candidates, at("2022-10-20T08:00:00Z")).iter().map(word).collect()
    }

    #[test]
    fn what_is_stored_by_the_time_of_the_unit_decides_and_not_what_was_seen_before() {
        let unseen = Candidate { cleaned: None, ..candidate("gone", "f", None) };
        let mut dropped = candidate("dropped", "f", None);
        dropped.cleaned.as_mut().unwrap().dropped_by = Some("a rule".into());
        let candidates = [
            candidate("a", "f", None),
            candidate("b", "f", None),
            candidate("c", "f", None),
            unseen,
            dropped,
        ];
        let stored = stored(&[("a", "f"), ("b", "older")], None);
        assert_eq!(said(&stored, &candidates), ["same", "edit", "news", "later", "drop"]);
    }

    #[test]
    fn replays_and_floods_are_kept_and_not_announced() {
        let (fresh, old) = (
            candidate("fresh", "f", Some("2022-10-19T08:00:00Z")),
            candidate("old", "f", Some("2022-08-01T08:00:00Z")),
        );
        let known = stored(&[], Some("2022-10-18T08:00:00Z"));
        assert_eq!(said(&known, &[fresh, old]), ["news", "kept"]);
        let flood: Vec<Candidate> = (0..=FLOOD_ENTRIES_MIN)
            .map(|n| candidate(&n.to_string(), "f", Some("2022-10-15T08:00:00Z")))
            .collect();
        assert!(said(&known, &flood).iter().all(|word| *word == "kept"));
        assert!(
            said(&stored(&[], None), &flood).iter().all(|word| *word == "news"),
            "a source that is new to us is all news"
        );
        // A last success in the future was recorded under a wrong clock.
        assert_eq!(
            said(
                &stored(&[], Some("2023-10-18T08:00:00Z")),
                &[candidate("x", "f", Some("2022-10-19T08:00:00Z"))]
            ),
            ["news"]
        );
    }
}
