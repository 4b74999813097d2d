//! The pipeline of one source: fetch, extract, normalize, dedupe, classify, store. It joins the stages and decides
//! nothing that they could.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use crate::classify::Classifier;
use crate::dedupe::{self, Placement};
use crate::extract::page::ItemPage;
use crate::extract::prose_date::DateRules;
use crate::extract::{self, Document, ExtractError, PageRules};
use crate::fetch::client::{Answer, Client, FetchError, Fetched, Wanted};
use crate::fetch::politeness::{self, NextPoll, Pace};
use crate::model::entry::Entry;
use crate::model::feed::{Link, RawEntry, RawFeed};
use crate::model::source::{DateFrom, FetchState, Source, SourceKind, Validators};
use crate::model::story::{Relation, StoredEntry};
use crate::normalize::entry::{Context, entry_id, fingerprint, identity, normalize};
use crate::normalize::html::Sanitizer;
use crate::store::{Known, Store, Work};

/// Further pages of a listing read in one refresh.
const PAGES_MAX: usize = 5;
/// Items' own pages fetched in one refresh: a partner's server is not ours.
const ITEM_PAGES_MAX: usize = 30;
/// What is older than this when a source that we know suddenly lists it is a replay, not news.
const NEWS_AGE_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

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

/// All that a refresh needs, shared by those that run at the same time.
#[derive(Clone)]
pub struct Refresher {
    pub client: Client,
    pub store: Arc<Mutex<Store>>,
    pub classifier: Arc<Classifier>,
    /// Bounds between two polls, in seconds.
    pub interval_min_seconds: u64,
    pub interval_max_seconds: u64,
    /// How long an entry is kept after its source dropped it.
    pub retention: SignedDuration,
}

/// A document read to its end, further pages and items included.
struct Reading {
    feed: RawFeed,
    incoming: Vec<Incoming>,
    validators: Validators,
    feed_url: Option<String>,
    base: url::Url,
}

/// An entry on its way in. The fingerprint is of what the source lists, before the item's own page adds to it.
struct Incoming {
    raw: RawEntry,
    key: String,
    fingerprint: String,
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
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

enum Read {
    NotModified(Validators),
    Reading(Box<Reading>),
}

impl Refresher {
    pub fn store(&self) -> MutexGuard<'_, Store> {
        // A panic elsewhere leaves no half-written state: every change is a transaction.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a source and keeps what it brought. A source that fails is an outcome.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn refresh(&self, source: &Source, now: Timestamp) -> anyhow::Result<Report> {
        let state = self.store().fetch_state(&source.id)?;
        let outcome = match self.read(source, &state, now).await {
            Ok(Read::NotModified(validators)) => self.keep_not_modified(source, state, validators, now)?,
            Ok(Read::Reading(reading)) => self.keep(source, state, *reading, now).with_context(|| format!("cannot keep what {} brought", source.id))?,
            Err(ReadError::Internal(error)) => return Err(error),
            Err(error) => self.keep_failure(source, state, &error, now)?,
        };
        Ok(Report { source: source.id.clone(), outcome })
    }

    async fn read(&self, source: &Source, state: &FetchState, now: Timestamp) -> Result<Read, ReadError> {
        let remembered = state.feed_url.as_deref().and_then(|url| url::Url::parse(url).ok());
        let address = remembered.unwrap_or_else(|| source.url.clone());
        let wanted = if source.kind == SourceKind::Page { Wanted::Page } else { Wanted::Feed };
        let fetched = match self.client.get(&address, &state.validators, wanted, now).await? {
            Answer::NotModified(validators) => return Ok(Read::NotModified(validators)),
            Answer::Document(fetched) => *fetched,
        };
        let rules = page_rules(source, now);
        let (feed, fetched, feed_url) = self.extract(source, fetched, &rules, state.feed_url.clone(), now).await?;
        let mut reading = Reading { feed, incoming: Vec::new(), validators: fetched.validators, feed_url, base: fetched.url };
        reading.feed.problems.extend(fetched.cut);
        self.follow_pages(source, &mut reading, &rules, now).await?;
        self.follow_items(source, &mut reading, rules.dates, now).await?;
        Ok(Read::Reading(Box::new(reading)))
    }

    /// Reads the document; a web page where a feed was expected is asked for the feed that it names.
    async fn extract(
        &self,
        source: &Source,
        fetched: Fetched,
        rules: &PageRules,
        feed_url: Option<String>,
        now: Timestamp,
    ) -> Result<(RawFeed, Fetched, Option<String>), ReadError> {
        let is_listing = source.kind == SourceKind::Page || (source.kind == SourceKind::Auto && source.select.is_some());
        let (fetched, result) = extract_apart(fetched, rules.clone(), is_listing).await?;
        match result {
            Ok(feed) => Ok((feed, fetched, feed_url)),
            Err(ExtractError::WebPage { feed_links }) => {
                let Some(link) = feed_links.first() else {
                    return Err(ReadError::NoFeed("this is a web page that names no feed: use kind = \"page\" with a [source.select]".into()));
                };
                let url = fetched.url.join(link).map_err(|_| ReadError::NoFeed(format!("the page names a feed at \"{link}\", which is no address")))?;
                let Answer::Document(document) = self.client.get(&url, &Validators::default(), Wanted::Feed, now).await? else {
                    return Err(ReadError::NoFeed(format!("the feed {url} answers 304 to a first request")));
                };
                let (document, result) = extract_apart(*document, rules.clone(), false).await?;
                let feed = result.map_err(|error| ReadError::NoFeed(format!("the page names the feed {url}, but there {error}")))?;
                Ok((feed, document, Some(url.to_string())))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the further pages of a listing, until one brings nothing new.
    async fn follow_pages(&self, source: &Source, reading: &mut Reading, rules: &PageRules, now: Timestamp) -> Result<(), ReadError> {
        let mut visited = HashSet::from([reading.base.to_string()]);
        for _ in 0..PAGES_MAX {
            let Some(next) =
                reading.feed.links.iter().position(|link| link.rel == "next" && source.select.as_ref().is_some_and(|select| select.next.is_some()))
            else {
                return Ok(());
            };
            let next = reading.feed.links.remove(next).href;
            if self.known(source, &reading.feed.entries)?.len() == reading.feed.entries.len() || !visited.insert(next.clone()) {
                return Ok(());
            }
            let Ok(url) = url::Url::parse(&next) else { return Ok(()) };
            let page = match self.client.get(&url, &Validators::default(), Wanted::Page, now).await {
                Ok(Answer::Document(page)) => extract_apart(*page, rules.clone(), true).await?.1,
                Ok(Answer::NotModified(_)) => return Ok(()),
                Err(error) => {
                    reading.feed.problems.push(format!("the next page {url} could not be read: {error}"));
                    return Ok(());
                }
            };
            let Ok(page) = page else { return Ok(()) };
            reading.feed.links.extend(page.links.into_iter().filter(|link| link.rel == "next"));
            reading.feed.entries.extend(page.entries);
        }
        Ok(())
    }

    fn known(&self, source: &Source, entries: &[RawEntry]) -> anyhow::Result<std::collections::HashMap<String, Known>> {
        let keys: Vec<String> = entries.iter().map(|raw| identity(raw).key()).collect();
        Ok(self.store().known(&source.id, &keys)?)
    }

    /// Moves the entries in, and fetches the items' own pages where the source wants it: once for what is new or edited.
    async fn follow_items(&self, source: &Source, reading: &mut Reading, rules: DateRules, now: Timestamp) -> Result<(), ReadError> {
        let known = self.known(source, &reading.feed.entries)?;
        let mut seen = HashSet::new();
        let mut budget = ITEM_PAGES_MAX;
        for mut raw in std::mem::take(&mut reading.feed.entries) {
            let (key, fingerprint) = (identity(&raw).key(), fingerprint(&raw));
            if !seen.insert(key.clone()) {
                continue;
            }
            let is_same = known.get(&key).is_some_and(|known| known.fingerprint == fingerprint);
            if source.date_from == DateFrom::Item
                && !is_same
                && let Some(url) = raw.url().and_then(|url| url::Url::parse(url).ok())
            {
                if budget == 0 {
                    reading.feed.problems.push(format!("more than {ITEM_PAGES_MAX} new items: the pages of the others are left for the next time"));
                    break;
                }
                budget -= 1;
                match self.read_item(&url, rules, now).await? {
                    Ok(item) => add_item_page(&mut raw, item),
                    Err(error) => reading.feed.problems.push(format!("the page of {url} could not be read, so it has no date: {error}")),
                }
            }
            reading.incoming.push(Incoming { raw, key, fingerprint });
        }
        Ok(())
    }

    async fn read_item(&self, url: &url::Url, rules: DateRules, now: Timestamp) -> anyhow::Result<Result<ItemPage, FetchError>> {
        match self.client.get(url, &Validators::default(), Wanted::Page, now).await {
            Ok(Answer::Document(page)) => Ok(Ok(tokio::task::spawn_blocking(move || extract::read_item_page(document(&page), rules)).await?)),
            Ok(Answer::NotModified(_)) => Ok(Ok(ItemPage::default())),
            Err(error) => Ok(Err(error)),
        }
    }

    fn pace(&self, source: &Source) -> Pace {
        Pace { interval: source.interval_seconds, min: self.interval_min_seconds, max: self.interval_max_seconds }
    }

    fn keep_not_modified(&self, source: &Source, state: FetchState, validators: Validators, now: Timestamp) -> anyhow::Result<Outcome> {
        let validators =
            Validators { etag: validators.etag.or(state.validators.etag), last_modified: validators.last_modified.or(state.validators.last_modified) };
        let state = succeeded(
            FetchState { validators, ..FetchState::default() },
            state.warning,
            state.feed_url,
            politeness::after_success(now, self.pace(source)),
            now,
        );
        let mut store = self.store();
        let mut work = store.begin()?;
        work.put_fetch_state(&source.id, &source.partner, &state)?;
        work.commit()?;
        Ok(Outcome::NotModified)
    }

    fn keep_failure(&self, source: &Source, state: FetchState, error: &ReadError, now: Timestamp) -> anyhow::Result<Outcome> {
        let failures = state.failures + 1;
        let other = FetchError::Broken { host: String::new(), cause: String::new() };
        let fetch_error = if let ReadError::Fetch(error) = error { error } else { &other };
        let next = politeness::after_failure(now, self.pace(source), failures, fetch_error);
        let sentence = error.to_string();
        let state = FetchState {
            last_attempt: Some(now),
            last_error: Some(sentence.clone()),
            failures,
            next_poll: next.at,
            next_poll_reason: Some(next.reason),
            ..state
        };
        let mut store = self.store();
        let mut work = store.begin()?;
        work.put_fetch_state(&source.id, &source.partner, &state)?;
        work.commit()?;
        Ok(Outcome::Failed(sentence))
    }

    /// Keeps a reading in one transaction: entries, stories and the state of the source.
    fn keep(&self, source: &Source, state: FetchState, reading: Reading, now: Timestamp) -> anyhow::Result<Outcome> {
        let mut store = self.store();
        let keys: Vec<String> = reading.incoming.iter().map(|incoming| incoming.key.clone()).collect();
        let known = store.known(&source.id, &keys)?;
        // Nothing found where something was before: the validators of such a document must not hide the next one.
        let is_empty = reading.incoming.is_empty() && !reading.feed.problems.is_empty();
        let validators = if is_empty { Validators::default() } else { reading.validators };
        let warning = (!reading.feed.problems.is_empty()).then(|| reading.feed.problems.join("; "));
        let news_since = state.last_success.map(|last| last - NEWS_AGE_MAX);
        let new_state =
            succeeded(FetchState { validators, ..FetchState::default() }, warning, reading.feed_url, politeness::after_success(now, self.pace(source)), now);
        let mut intake = Intake {
            source,
            classifier: &self.classifier,
            base: &reading.base,
            language: reading.feed.language.clone(),
            news_since,
            now,
            sanitizer: Sanitizer::default(),
        };
        let (mut new, mut changed, mut joined) = (0, 0, Vec::new());
        let mut work = store.begin()?;
        work.put_fetch_state(&source.id, &source.partner, &new_state)?;
        for incoming in &reading.incoming {
            match known.get(&incoming.key) {
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
        work.commit()?;
        Ok(Outcome::Read { new, changed, unchanged: keys.len() - new - changed, joined })
    }
}

/// What all entries of one reading share on their way into the store.
struct Intake<'a> {
    source: &'a Source,
    classifier: &'a Classifier,
    base: &'a url::Url,
    language: Option<String>,
    news_since: Option<Timestamp>,
    now: Timestamp,
    sanitizer: Sanitizer,
}

impl Intake<'_> {
    fn entry(&mut self, incoming: &Incoming) -> Entry {
        // The configuration knows better than a template that says "en" on every page.
        let language = self.source.language.as_deref().or(self.language.as_deref());
        let context = Context { source: &self.source.id, language, base: Some(self.base) };
        let mut entry = normalize(&incoming.raw, context, &mut self.sanitizer);
        entry.fingerprint.clone_from(&incoming.fingerprint);
        entry
    }

    fn topics(&self, entry: &Entry) -> Vec<crate::model::topic::TopicMatch> {
        self.classifier.classify(&entry.title, &entry.summary, entry.language.as_deref())
    }

    fn update(&mut self, work: &mut Work, incoming: &Incoming) -> anyhow::Result<()> {
        let entry = self.entry(incoming);
        let keys = dedupe::keys(&entry);
        let topics = self.topics(&entry);
        Ok(work.update_entry(&entry, &topics, &keys, self.now)?)
    }

    /// Keeps a new entry; answers why it is no story of its own, if it is none.
    fn insert(&mut self, work: &mut Work, incoming: &Incoming) -> anyhow::Result<Option<String>> {
        let entry = self.entry(incoming);
        let keys = dedupe::keys(&entry);
        let candidates = work.candidates(&entry.id, &keys)?;
        let is_replay = matches!((self.news_since, entry.date()), (Some(since), Some(date)) if date < since);
        let (story, relation, reason, announced) = match dedupe::place(&entry, &keys, &candidates) {
            Placement::NewStory => {
                let story = entry_id("story", &crate::model::entry::Identity::Guid(entry.id.clone()));
                (story, Relation::First, None, u32::from(!is_replay))
            }
            Placement::Join { story, relation, reason, also } => {
                work.merge_stories(&story, &also)?;
                (story, relation, Some(reason), 0)
            }
        };
        let line = reason.as_ref().map(|reason| format!("\"{}\" ({}) is a {reason}", entry.title, entry.source));
        let topics = self.topics(&entry);
        let stored =
            StoredEntry { partner: self.source.partner.clone(), first_seen: self.now, changed: self.now, topics, story, relation, reason, announced, entry };
        work.insert_entry(&stored, &keys)?;
        Ok(line)
    }
}

fn succeeded(state: FetchState, warning: Option<String>, feed_url: Option<String>, next: NextPoll, now: Timestamp) -> FetchState {
    FetchState { last_attempt: Some(now), last_success: Some(now), warning, feed_url, next_poll: next.at, next_poll_reason: Some(next.reason), ..state }
}

fn page_rules(source: &Source, now: Timestamp) -> PageRules {
    let today: Date = now.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    PageRules { select: source.select.clone(), dates: DateRules { order: source.date_order, today: Some(today) } }
}

fn document(fetched: &Fetched) -> Document<'_> {
    Document { bytes: &fetched.bytes, url: Some(&fetched.url), content_type: fetched.content_type.as_deref() }
}

/// Extraction is pure work: it runs beside the network's threads.
async fn extract_apart(fetched: Fetched, rules: PageRules, is_listing: bool) -> anyhow::Result<(Fetched, Result<RawFeed, ExtractError>)> {
    let task = move || {
        let result = if is_listing { extract::read_page(document(&fetched), &rules) } else { extract::read_feed(document(&fetched)) };
        (fetched, result)
    };
    Ok(tokio::task::spawn_blocking(task).await?)
}

/// What the item's own page knows better than the card, or alone.
fn add_item_page(raw: &mut RawEntry, item: ItemPage) {
    raw.published = item.published.or(raw.published);
    raw.updated = item.updated.or(raw.updated);
    raw.language = item.language.or(raw.language.take());
    raw.image = raw.image.take().or(item.image);
    if raw.authors.is_empty() {
        raw.authors.extend(item.author);
    }
    let link = |href: String, rel: &str, hreflang: Option<String>| Link { href, rel: rel.into(), media_type: None, hreflang };
    raw.links.extend(item.canonical.map(|href| link(href, "canonical", None)));
    raw.links.extend(item.alternates.into_iter().map(|(language, href)| link(href, "alternate", Some(language))));
}
