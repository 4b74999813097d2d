//! The pipeline of one source: fetch, extract, normalize, dedupe, classify, store. It joins the stages and decides
//! nothing that they could.

pub mod explore;
mod intake;
mod listing;
mod pages;
pub mod placing;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use url::Url;

use crate::classify::Classifier;
use crate::extract::prose_date::DateRules;
use crate::extract::{self, Document, ExtractError, PageRules};
use crate::fetch::client::{Answer, Client, FetchError, Fetched, Meta, Wanted};
use crate::fetch::politeness::{self, Asked, Pace};
use crate::model::address::canonical_key;
use crate::model::entry::Known;
use crate::model::feed::{RawEntry, RawFeed};
use crate::model::source::{FetchState, Hub, Move, PageMemory, Source, SourceKind, Validators};
use crate::normalize::entry::{fingerprint, identity};
use crate::normalize::language::Linguist;
use crate::store::Store;

use self::explore::Endpoint;
use self::intake::{Incoming, Intake};
use self::listing::Listing;
pub use self::pages::OriginLocks;
use self::pages::PageBudget;

/// The operator hears of a source that failed so often in a row: once is an accident.
const FAILURES_TOLD: u32 = 3;
const WORKS_AGAIN: &str = "works again";

/// What a refresh brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    NotModified,
    Read { new: usize, changed: usize, unchanged: usize, joined: Vec<String> },
    Failed(String),
}

/// One refresh of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub source: String,
    pub outcome: Outcome,
}

/// What a 304 leaves to be kept: many together cost what one does, and a run that is killed in between asks again.
pub struct Unsaved {
    source: String,
    partner: String,
    state: FetchState,
}

/// All that a refresh needs, shared by those that run at the same time.
#[derive(Clone)]
pub struct Refresher {
    pub client: Client,
    pub store: Arc<Mutex<Store>>,
    pub classifier: Arc<Classifier>,
    pub linguist: Arc<Linguist>,
    /// Bounds between two polls, in seconds.
    pub interval_min_seconds: u64,
    pub interval_max_seconds: u64,
    /// How long an entry is kept after its source dropped it.
    pub retention: SignedDuration,
    pub robots_locks: OriginLocks,
}

/// A document read to its end, further pages and items included.
struct Reading {
    feed: RawFeed,
    incoming: Vec<Incoming>,
    meta: Meta,
    feed_url: Option<String>,
    base: Url,
    crawl_delay_seconds: Option<u64>,
    /// A hub brought it: it says nothing of when to poll.
    is_push: bool,
    /// What the page looked like.
    page: PageMemory,
    /// The selectors were learned again: what seems new may only have been out of sight.
    is_mended: bool,
}

impl Reading {
    fn new(mut feed: RawFeed, fetched: Fetched, feed_url: Option<String>, page: PageMemory) -> Reading {
        feed.is_cut |= fetched.cut.is_some();
        feed.problems.extend(fetched.cut);
        Reading {
            feed,
            incoming: Vec::new(),
            meta: fetched.meta,
            feed_url,
            base: fetched.url,
            crawl_delay_seconds: None,
            is_push: false,
            page,
            is_mended: false,
        }
    }

    fn of_listing(listing: Listing, fetched: Fetched) -> Reading {
        Reading { is_mended: listing.is_mended, ..Reading::new(listing.feed, fetched, None, listing.memory) }
    }

    fn of_endpoint(endpoint: Endpoint, page: &PageMemory) -> Reading {
        let page = PageMemory { way: Some(explore::way(endpoint.feed.format).to_owned()), ..page.clone() };
        Reading::new(endpoint.feed, endpoint.fetched, Some(endpoint.url), page)
    }
}

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Extract(#[from] ExtractError),
    #[error("{0}")]
    NoFeed(String),
    #[error("robots.txt of {host} keeps us from this page: ask its owner, or look for a feed")]
    Forbidden { host: String },
    #[error("robots.txt of {host} asks for {seconds} s between two pages: the others are left for the next time")]
    Postponed { host: String, seconds: u64 },
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

enum Read {
    /// With the Crawl-delay that robots.txt asks for, in seconds.
    NotModified(Box<Meta>, Option<u64>),
    Reading(Box<Reading>),
}

impl Refresher {
    pub fn store(&self) -> MutexGuard<'_, Store> {
        // A panic elsewhere leaves no half-written state: every change is a transaction.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what several refreshes left, in one transaction.
    ///
    /// # Errors
    /// When the store fails.
    pub fn save(&self, unsaved: &mut Vec<Unsaved>) -> anyhow::Result<()> {
        let mut store = self.store();
        let mut work = store.begin()?;
        for Unsaved { source, partner, state } in unsaved.drain(..) {
            work.put_fetch_state(&source, &partner, &state)?;
        }
        Ok(work.commit()?)
    }

    /// Reads a source and keeps what it brought; the little that a 304 changes is left to `save`. A source that fails is
    /// an outcome.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn refresh(&self, source: &Source, state: FetchState, now: Timestamp) -> anyhow::Result<(Report, Option<Unsaved>)> {
        // Another address in the configuration is another document: what we knew of the old one says nothing of it.
        let state = if state.url == source.url.as_str() { state } else { FetchState { url: source.url.to_string(), ..FetchState::default() } };
        let outcome = match self.read(source, &state, now).await {
            Ok(Read::NotModified(meta, crawl_delay_seconds)) => {
                let unsaved = self.keep_not_modified(source, state, *meta, crawl_delay_seconds, now)?;
                return Ok((Report { source: source.id.clone(), outcome: Outcome::NotModified }, unsaved));
            }
            Ok(Read::Reading(reading)) => self.keep(source, state, *reading, now).with_context(|| format!("cannot keep what {} brought", source.id))?,
            Err(ReadError::Internal(error)) => return Err(error),
            Err(error) => self.keep_failure(source, state, &error, now)?,
        };
        Ok((Report { source: source.id.clone(), outcome }, None))
    }

    /// Keeps what a hub pushed for a source (WebSub). A document that cannot be read is a warning in the log.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn accept_push(&self, source: &Source, content_type: Option<&str>, bytes: &[u8], now: Timestamp) -> anyhow::Result<()> {
        let state = self.store().fetch_state(&source.id)?;
        let meta = Meta {
            validators: state.validators.clone(),
            fresh_seconds: state.fresh_seconds,
            hubs: state.hub.iter().map(|hub| hub.url.clone()).collect(),
            self_url: state.hub.as_ref().map(|hub| hub.topic.clone()),
            moved_to: None,
        };
        let base = state.address(&source.url);
        let pushed = Fetched { bytes: bytes.to_owned(), url: base.clone(), content_type: content_type.map(str::to_owned), meta: Meta::default(), cut: None };
        let (_, feed) = extract_apart(pushed).await?;
        let mut feed = match feed {
            Ok(feed) => feed,
            Err(error) => {
                tracing::warn!(source.id = source.id, "what the hub pushed cannot be read: {error}");
                return Ok(());
            }
        };
        feed.hints = state.hints.clone();
        let mut reading = Reading {
            feed,
            incoming: Vec::new(),
            meta,
            feed_url: state.feed_url.clone(),
            base,
            crawl_delay_seconds: None,
            is_push: true,
            page: state.page.clone(),
            is_mended: false,
        };
        self.identify(source, &mut reading)?;
        self.keep(source, state, reading, now)?;
        Ok(())
    }

    async fn read(&self, source: &Source, state: &FetchState, now: Timestamp) -> Result<Read, ReadError> {
        let address = state.address(&source.url);
        let mut budget = PageBudget::default();
        let is_page = source.kind == SourceKind::Page;
        let answer = if is_page {
            self.get_page(&address, &state.validators, &mut budget, now).await?
        } else {
            self.client.get(&address, &state.validators, Wanted::Feed, now).await?
        };
        let fetched = match answer {
            Answer::NotModified(meta) => return Ok(Read::NotModified(Box::new(meta), budget.crawl_delay_seconds())),
            Answer::Document(fetched) => *fetched,
        };
        let rules = page_rules(source, now);
        let mut reading = self.extract(source, state, fetched, &rules, &mut budget, now).await?;
        self.follow_pages(source, &mut reading, &rules, &mut budget, now).await?;
        self.identify(source, &mut reading)?;
        self.follow_items(source, &mut reading, rules.dates, &mut budget, now).await?;
        reading.crawl_delay_seconds = budget.crawl_delay_seconds();
        Ok(Read::Reading(Box::new(reading)))
    }

    /// Reads the document: a feed, a page by selectors, or a page that is asked what it offers to machines first.
    async fn extract(
        &self,
        source: &Source,
        state: &FetchState,
        fetched: Fetched,
        rules: &PageRules,
        budget: &mut PageBudget,
        now: Timestamp,
    ) -> Result<Reading, ReadError> {
        if source.kind != SourceKind::Feed && source.select.is_some() && state.feed_url.is_none() {
            let (listing, fetched) = self.read_listing(source, &state.page, fetched, rules, now).await?;
            return Ok(Reading::of_listing(listing, fetched));
        }
        let (fetched, result) = extract_apart(fetched).await?;
        let endpoints = match result {
            Ok(feed) => return Ok(Reading::new(feed, fetched, state.feed_url.clone(), state.page.clone())),
            Err(ExtractError::WebPage { endpoints }) => endpoints,
            Err(error) => return Err(error.into()),
        };
        if source.kind == SourceKind::Feed {
            // A domain that was let go redirects to a page full of feeds, none of them ours.
            let is_elsewhere = state.last_success.is_some() && fetched.url.host_str() != source.url.host_str();
            let endpoints = if is_elsewhere { &[] } else { endpoints.as_slice() };
            let endpoint = explore::named_feed(&self.client, endpoints, &fetched.url, now).await?;
            return Ok(Reading::of_endpoint(endpoint, &state.page));
        }
        self.read_unknown_page(source, state, fetched, endpoints, rules, budget, now).await
    }

    /// A page without configured selectors: feeds, WordPress, a news sitemap, then the page itself.
    #[expect(clippy::too_many_arguments)]
    async fn read_unknown_page(
        &self,
        source: &Source,
        state: &FetchState,
        fetched: Fetched,
        mut endpoints: Vec<String>,
        rules: &PageRules,
        budget: &mut PageBudget,
        now: Timestamp,
    ) -> Result<Reading, ReadError> {
        let robots = self.robots(&fetched.url, now).await?;
        if source.kind == SourceKind::Auto {
            // It was asked for as a feed; now that it is a page, robots.txt has a say.
            self.check_robots(&robots, &fetched.url, budget)?;
        }
        let page = fetched.url.clone();
        let listing = self.read_listing(source, &state.page, fetched, rules, now).await;
        if !state.page.is_explored {
            endpoints.extend(robots.sitemaps.into_iter().filter(|sitemap| sitemap.contains("news")));
            let listed: Option<HashSet<String>> =
                listing.as_ref().ok().map(|(listing, _)| listing.feed.entries.iter().filter_map(|entry| canonical_key(entry.url()?)).collect());
            let must_share = listed.filter(|_| source.kind == SourceKind::Page);
            if let Some(endpoint) = explore::explore(&self.client, &endpoints, &page, must_share.as_ref(), now).await? {
                return Ok(Reading::of_endpoint(endpoint, &state.page));
            }
        }
        let (mut listing, fetched) = listing?;
        listing.memory.is_explored = true;
        Ok(Reading::of_listing(listing, fetched))
    }

    fn known(&self, source: &Source, entries: &[RawEntry]) -> anyhow::Result<HashMap<String, Known>> {
        let keys: Vec<String> = entries.iter().map(|raw| identity(raw).key()).collect();
        Ok(self.store().known(&source.id, &keys)?)
    }

    /// Moves the entries in, each under the identity that it is recognised by, and each once.
    fn identify(&self, source: &Source, reading: &mut Reading) -> anyhow::Result<()> {
        let known = self.known(source, &reading.feed.entries)?;
        let mut seen: HashMap<String, usize> = HashMap::new();
        for raw in std::mem::take(&mut reading.feed.entries) {
            let own = identity(&raw);
            let earlier = seen.get(&own.key()).map(|&at| &reading.incoming[at]).map(|incoming| Known::of(&incoming.raw, &incoming.fingerprint));
            let fingerprint = fingerprint(&raw);
            let identity = match known.get(&own.key()).or(earlier.as_ref()) {
                Some(other) if crate::dedupe::keys::is_reused(&raw, other) => crate::dedupe::keys::identity_of_reused(&raw, other),
                _ => own,
            };
            if let Entry::Vacant(vacant) = seen.entry(identity.key()) {
                vacant.insert(reading.incoming.len());
                reading.incoming.push(Incoming { raw, identity, fingerprint });
            }
        }
        Ok(())
    }

    fn pace(&self, source: &Source) -> Pace {
        Pace { interval: source.interval_seconds, min: self.interval_min_seconds, max: self.interval_max_seconds, is_fixed: source.is_interval_fixed }
    }

    fn keep_not_modified(
        &self,
        source: &Source,
        state: FetchState,
        meta: Meta,
        crawl_delay_seconds: Option<u64>,
        now: Timestamp,
    ) -> anyhow::Result<Option<Unsaved>> {
        let validators = Validators {
            etag: meta.validators.etag.or(state.validators.etag),
            last_modified: meta.validators.last_modified.or(state.validators.last_modified),
        };
        let fresh_seconds = meta.fresh_seconds.or(state.fresh_seconds);
        let moved = seen_moved(state.moved, meta.moved_to.as_ref(), state.feed_url.is_some());
        // Only a source with a hub can be pushed.
        let is_pushed = state.hub.is_some() && self.store().is_pushed(&source.id, now)?;
        let rhythm = state.rhythm.after(now, false);
        let was_broken = state.failures >= FAILURES_TOLD;
        let asked = Asked { fresh_seconds, hints: Some(&state.hints), crawl_delay_seconds, is_pushed };
        let next = politeness::after_success(now, self.pace(source), &rhythm, asked);
        let state = FetchState {
            validators,
            fresh_seconds,
            moved,
            rhythm,
            last_attempt: Some(now),
            last_success: Some(now),
            last_error: None,
            failures: 0,
            next_poll: next.at,
            next_poll_reason: Some(next.reason),
            ..state
        };
        if !was_broken {
            return Ok(Some(Unsaved { source: source.id.clone(), partner: source.partner.clone(), state }));
        }
        let mut store = self.store();
        let mut work = store.begin()?;
        work.put_fetch_state(&source.id, &source.partner, &state)?;
        work.put_notice(&source.id, WORKS_AGAIN, now)?;
        work.commit()?;
        Ok(None)
    }

    fn keep_failure(&self, source: &Source, mut state: FetchState, error: &ReadError, now: Timestamp) -> anyhow::Result<Outcome> {
        let fetch_error = if let ReadError::Fetch(error) = error { Some(error) } else { None };
        let sentence = error.to_string();
        let is_remembered = state.address(&source.url) != source.url;
        let is_dead = match error {
            ReadError::Fetch(FetchError::Status { status, .. }) => matches!(status, 404 | 410),
            ReadError::Fetch(error) => matches!(error, FetchError::Gone | FetchError::Name { .. } | FetchError::Private { .. }),
            _ => true,
        };
        if is_remembered && is_dead {
            // What we remembered leads nowhere any more: the configured address is asked again.
            let page = PageMemory { is_explored: false, ..state.page };
            state = FetchState { feed_url: None, moved: None, validators: Validators::default(), page, ..state };
        }
        let is_gone = matches!(error, ReadError::Fetch(FetchError::Gone)) && !is_remembered;
        let failures = state.failures + 1;
        let next = politeness::after_failure(now, self.pace(source), failures, fetch_error.filter(|error| is_gone || **error != FetchError::Gone));
        let state = FetchState {
            last_attempt: Some(now),
            last_error: Some(sentence.clone()),
            failures,
            is_gone,
            next_poll: next.at,
            next_poll_reason: Some(next.reason),
            ..state
        };
        let mut store = self.store();
        let mut work = store.begin()?;
        work.put_fetch_state(&source.id, &source.partner, &state)?;
        if is_gone {
            work.put_notice(&source.id, &sentence, now)?;
        } else if failures == FAILURES_TOLD {
            work.put_notice(&source.id, &format!("failed {failures} times in a row: {sentence}"), now)?;
        }
        work.commit()?;
        Ok(Outcome::Failed(sentence))
    }

    /// Keeps a reading in one transaction: entries, stories and the state of the source.
    fn keep(&self, source: &Source, state: FetchState, reading: Reading, now: Timestamp) -> anyhow::Result<Outcome> {
        let Reading { feed, incoming, meta, feed_url, base, crawl_delay_seconds, is_push, page, is_mended } = reading;
        let mut store = self.store();
        let keys: Vec<String> = incoming.iter().map(|incoming| incoming.identity.key()).collect();
        let known = store.known(&source.id, &keys)?;
        let is_pushed = state.hub.is_some() && store.is_pushed(&source.id, now)?;
        let mut intake = Intake::new(source, (&self.classifier, &self.linguist), &base, feed.language.clone(), state.last_success, now);
        intake.is_flood = state.last_success.is_some() && keys.len() - known.len() > intake::FLOOD_ENTRIES_MIN;
        if is_mended {
            intake.known_titles = store.known_items(&source.id)?.1;
        }
        let (mut new, mut changed, mut joined) = (0, 0, Vec::new());
        let mut work = store.begin()?;
        // The entries that follow refer to their source.
        work.put_fetch_state(&source.id, &source.partner, &state)?;
        for incoming in &incoming {
            match known.get(&incoming.identity.key()) {
                Some(known) if known.fingerprint == incoming.fingerprint => {}
                Some(_) => {
                    intake.update(&mut work, incoming)?;
                    changed += 1;
                }
                None => {
                    joined.extend(intake.insert(&mut work, incoming)?);
                    new += 1;
                }
            }
        }
        work.touch_entries(&source.id, &keys, now)?;
        work.forget_entries_unseen_since(&source.id, now - self.retention)?;
        if is_pushed && !is_push && intake.announced > 0 {
            // The hub did not tell us of this: polling goes back to its own pace.
            work.forget_push(&source.id)?;
        }
        let rhythm = state.rhythm.after(now, intake.announced > 0);
        let asked = Asked {
            fresh_seconds: meta.fresh_seconds,
            hints: Some(&feed.hints),
            crawl_delay_seconds,
            is_pushed: is_pushed && (is_push || intake.announced == 0),
        };
        let next = politeness::after_success(now, self.pace(source), &rhythm, asked);
        let hub = meta.hubs.first().cloned().or_else(|| link_of(&feed, "hub"));
        let topic = meta.self_url.clone().or_else(|| link_of(&feed, "self")).unwrap_or_else(|| base.to_string());
        // The validators of half a document, or of one in which nothing was found, must not hide the next one.
        let has_found_nothing = keys.is_empty() && !feed.problems.is_empty();
        // Something else may stand at the new address: it is watched only if it is new to us, or holds what we know.
        let moved_to = meta.moved_to.as_ref().filter(|_| !keys.is_empty() && (state.last_success.is_none() || !known.is_empty()));
        let new_state = FetchState {
            url: state.url,
            validators: if feed.is_cut || has_found_nothing { Validators::default() } else { meta.validators },
            last_attempt: Some(now),
            last_success: Some(now),
            last_error: None,
            warning: (!feed.problems.is_empty()).then(|| feed.problems.join("; ")),
            failures: 0,
            next_poll: next.at,
            next_poll_reason: Some(next.reason),
            is_gone: false,
            moved: seen_moved(state.moved, moved_to, feed_url.is_some()),
            feed_url,
            fresh_seconds: meta.fresh_seconds,
            hints: feed.hints,
            rhythm,
            hub: hub.map(|url| Hub { url, topic }),
            page,
        };
        work.put_fetch_state(&source.id, &source.partner, &new_state)?;
        if let Some(mended) = new_state.page.mended.as_ref().filter(|_| is_mended) {
            work.put_notice(&source.id, mended, now)?;
        }
        if state.failures >= FAILURES_TOLD {
            work.put_notice(&source.id, WORKS_AGAIN, now)?;
        }
        work.commit()?;
        Ok(Outcome::Read { new, changed, unchanged: keys.len() - new - changed, joined })
    }
}

fn link_of(feed: &RawFeed, rel: &str) -> Option<String> {
    feed.links.iter().find(|link| link.rel == rel).map(|link| link.href.clone())
}

/// Counts the polls that a permanent redirect led to the same good document. Asked directly, a proven one stays proven.
fn seen_moved(old: Option<Move>, to: Option<&Url>, is_elsewhere: bool) -> Option<Move> {
    match (old, to) {
        (_, Some(_)) if is_elsewhere => None,
        (Some(old), Some(to)) if old.to == to.as_str() => Some(Move { seen: old.seen.saturating_add(1), ..old }),
        (_, Some(to)) => Some(Move { to: to.to_string(), seen: 1 }),
        (Some(old), None) if old.seen >= crate::model::source::MOVE_SEEN_MIN => Some(old),
        (_, None) => None,
    }
}

fn page_rules(source: &Source, now: Timestamp) -> PageRules {
    let today: Date = now.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    PageRules { select: source.select.clone(), dates: DateRules { order: source.date_order, today: Some(today) } }
}

fn document(fetched: &Fetched) -> Document<'_> {
    Document { bytes: &fetched.bytes, url: Some(&fetched.url), content_type: fetched.content_type.as_deref() }
}

/// Extraction is pure work: it runs beside the network's threads.
async fn extract_apart(fetched: Fetched) -> anyhow::Result<(Fetched, Result<RawFeed, ExtractError>)> {
    let task = move || {
        let result = extract::read_feed(document(&fetched));
        (fetched, result)
    };
    Ok(tokio::task::spawn_blocking(task).await?)
}
