//! The pipeline that refreshes one source:
//!
//! ```text
//! Source, FetchState ─ fetch ─▶ Answer ─ extract, further pages ─▶ Found ─ recognise, items' pages ─▶ Listed ─ prepare ─▶ Document ─ keep ─▶ Report
//! ```
//!
//! It connects the stages and makes no decision that they could (`decide` is pure). Everything expensive happens before `keep`,
//! which ends many refreshes in one unit of work.

pub mod decide;
pub mod explore;
pub mod index;
mod keep;
mod listing;
pub mod mailbox;
mod pages;
pub mod prepare;
mod sitemap;
mod visits;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::sync::Semaphore;
use url::Url;

use crate::classify::Classifier;
use crate::extract::prose_date::DateRules;
use crate::extract::{self, ExtractError, PageRules};
use crate::fetch::client::{Accept, Answer, Client, FetchError, Fetched, Meta};
use crate::fetch::politeness::PollBounds;
use crate::fetch::renderer::{RenderError, Renderer};
use crate::model::address::canonical_key;
use crate::model::feed::{FeedFormat, RawFeed};
use crate::model::source::{DateOrder, FetchState, PageMemory, Source, Validators};
use crate::normalize::language::LanguageDetector;
use crate::store::{Lease, Store, StoreError};
use crate::support::text::many;

use self::explore::Endpoint;
use self::index::LookupCache;
use self::listing::ListingReading;
pub use self::pages::OriginLocks;
use self::pages::PageBudget;
use self::prepare::{Candidate, Listed, Preparation, Recogniser};

/// The outcome of a refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceOutcome {
    NotModified,
    Read {
        new: usize,
        changed: usize,
        unchanged: usize,
        joined: Vec<String>,
    },
    Failed(String),
    /// Another process is reading this source, or took it over.
    TakenOver,
}

/// The report on one refresh of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceReport {
    pub source: String,
    pub outcome: SourceOutcome,
}

/// The shared context of concurrent refreshes.
#[derive(Clone)]
pub struct Refresher {
    pub client: Client,
    pub renderer: Option<Renderer>,
    /// To mailboxes, where a source is one.
    pub mail_tls: Option<Arc<rustls::ClientConfig>>,
    pub store: Store,
    pub classifier: Arc<Classifier>,
    pub language_detector: Arc<LanguageDetector>,
    /// Bounds of the polling interval, in seconds.
    pub interval_min_seconds: u64,
    pub interval_max_seconds: u64,
    pub robots_locks: OriginLocks,
    /// Limits the number of documents prepared at a time to the number of cores.
    pub cores: Arc<Semaphore>,
    /// What the last unit of work looked up.
    pub memory: Arc<Mutex<LookupCache>>,
}

/// A source to be read, with its stored state.
#[derive(Debug, Clone)]
pub struct Job {
    pub source: Arc<Source>,
    pub state: FetchState,
    /// The lease on its host; `None` for work that nobody else would do, such as a push.
    pub lease: Option<Lease>,
}

/// A refresh that is complete except for its unit of work.
pub struct PreparedRefresh {
    pub source: Arc<Source>,
    state: FetchState,
    pub lease: Option<Lease>,
    now: Timestamp,
    brought: Brought,
}

impl PreparedRefresh {
    /// The number of entries that the unit of work has to process.
    pub fn weight(&self) -> usize {
        match &self.brought {
            Brought::Document(document) => {
                document.candidates.iter().filter(|candidate| candidate.cleaned.is_some()).count()
            }
            _ => 0,
        }
    }
}

/// The result of reading a source.
enum Brought {
    /// With the Crawl-delay of robots.txt, in seconds.
    NotModified(Box<Meta>, Option<u64>),
    Document(Box<PreparedDocument>),
    Failure(ReadError),
}

/// A document read completely, including further pages and items' pages, with its entries ready for the store.
pub struct PreparedDocument {
    /// Without its entries.
    feed: RawFeed,
    candidates: Vec<Candidate>,
    meta: Meta,
    feed_url: Option<String>,
    base: Url,
    crawl_delay_seconds: Option<u64>,
    /// Pushed by a hub, so it says nothing about when to poll.
    is_push: bool,
    /// What is remembered of the page's structure.
    page: PageMemory,
    /// The selectors were learned again: entries that seem new may just have been missed before.
    is_mended: bool,
}

/// A document whose entries are as extracted.
struct RawDocument {
    feed: RawFeed,
    meta: Meta,
    feed_url: Option<String>,
    base: Url,
    is_push: bool,
    page: PageMemory,
    is_mended: bool,
}

impl RawDocument {
    fn new(mut feed: RawFeed, fetched: Fetched, feed_url: Option<String>, page: PageMemory) -> RawDocument {
        feed.is_cut |= fetched.cut.is_some();
        feed.problems.extend(fetched.cut);
        RawDocument {
            feed,
            meta: fetched.meta,
            feed_url,
            base: fetched.url,
            is_push: false,
            page,
            is_mended: false,
        }
    }

    fn of_listing(listing: ListingReading, fetched: Fetched) -> RawDocument {
        RawDocument {
            is_mended: listing.is_mended,
            ..RawDocument::new(listing.feed, fetched, None, listing.memory)
        }
    }

    fn of_endpoint(endpoint: Endpoint, page: &PageMemory) -> RawDocument {
        let page = PageMemory { way: Some(explore::way(endpoint.feed.format).to_owned()), ..page.clone() };
        RawDocument::new(endpoint.feed, endpoint.fetched, Some(endpoint.url), page)
    }
}

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Render(#[from] RenderError),
    #[error("the mailbox cannot be read: {0}")]
    Mailbox(String),
    #[error(transparent)]
    Extract(#[from] ExtractError),
    #[error("{0}")]
    NoFeed(String),
    #[error("robots.txt of {host} keeps us from this page: ask its owner, or look for a feed")]
    Forbidden { host: String },
    #[error(
        "robots.txt of {host} asks for {seconds} s between two pages: the others are left for the next time"
    )]
    Postponed { host: String, seconds: u64 },
    #[error("what it brought cannot be kept: {0}")]
    Kept(String),
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

impl Refresher {
    /// Reads a source up to the unit of work that stores the result. A source that fails is a result.
    ///
    /// # Errors
    /// Only when the store or a worker thread fails.
    pub async fn refresh(&self, job: Job, now: Timestamp) -> anyhow::Result<PreparedRefresh> {
        let Job { source, state, lease } = job;
        // A changed address in the configuration means another document, for which the old state is meaningless.
        let state = if state.url == source.url.as_str() {
            state
        } else {
            FetchState { url: source.url.to_string(), ..FetchState::default() }
        };
        let brought = match self.read(&source, &state, now).await {
            Ok(brought) => brought,
            Err(ReadError::Internal(error)) => return Err(error),
            Err(error) => Brought::Failure(error),
        };
        Ok(PreparedRefresh { source, state, lease, now, brought })
    }

    /// Stores what a hub pushed for a source (WebSub). A document that cannot be read is logged as a warning.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn accept_push(
        &self,
        source: &Source,
        content_type: Option<&str>,
        bytes: &[u8],
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let state = self.store.read(|r| r.sources().state(&source.id))?;
        let meta = Meta {
            validators: state.validators.clone(),
            fresh_seconds: state.fresh_seconds,
            hubs: state.hub.iter().map(|hub| hub.url.clone()).collect(),
            self_url: state.hub.as_ref().map(|hub| hub.topic.clone()),
            moved_to: None,
        };
        let base = state.address(&source.url);
        let pushed = Fetched {
            bytes: bytes.to_owned(),
            url: base.clone(),
            content_type: content_type.map(str::to_owned),
            meta: Meta::default(),
            cut: None,
        };
        let (_, feed) = extract_apart(pushed, page_rules(source, &state, now).dates).await?;
        let mut feed = match feed {
            Ok(feed) => feed,
            Err(error) => {
                tracing::warn!(source.id = source.id, "what the hub pushed cannot be read: {error}");
                return Ok(());
            }
        };
        feed.hints = state.hints.clone();
        let found = RawDocument {
            feed,
            meta,
            feed_url: state.feed_url.clone(),
            base,
            is_push: true,
            page: state.page.clone(),
            is_mended: false,
        };
        let source = Arc::new(source.clone());
        let (found, listed) = self.recognised(&source, found)?;
        let document = self.prepared(&source, found, listed, None, now).await?;
        let prepared = PreparedRefresh {
            source,
            state,
            lease: None,
            now,
            brought: Brought::Document(Box::new(document)),
        };
        self.keep(&[prepared], &[])?;
        Ok(())
    }

    async fn read(
        &self,
        source: &Arc<Source>,
        state: &FetchState,
        now: Timestamp,
    ) -> Result<Brought, ReadError> {
        if source.kind.is_mail() {
            let found = self.read_mailbox(source, now).await?;
            let (found, listed) = self.recognised(source, found)?;
            return Ok(Brought::Document(Box::new(self.prepared(source, found, listed, None, now).await?)));
        }
        let address = state.address(&source.url);
        let mut budget = PageBudget::of(source, state);
        let is_page = !source.kind.may_be_feed;
        let answer = if is_page {
            self.get_page(&address, &state.validators, &mut budget, now).await?
        } else {
            self.client.get(&address, &state.validators, Accept::Feed, now).await?
        };
        let fetched = match answer {
            Answer::NotModified(meta) => {
                return Ok(Brought::NotModified(Box::new(meta), budget.crawl_delay_seconds()));
            }
            Answer::Document(fetched) => *fetched,
        };
        let fetched = self.past_meta_refresh(fetched, is_page, &mut budget, now).await?;
        let rules = page_rules(source, state, now);
        let found = self.extract(&address, source, state, fetched, &rules, &mut budget, now).await?;
        let found = self.with_further_pages(source, found, &rules, &mut budget, now).await?;
        let (found, listed) = self.recognised(source, found)?;
        let (found, listed) =
            self.with_item_pages(source, found, listed, rules.dates, &mut budget, now).await?;
        let document = self.prepared(source, found, listed, budget.crawl_delay_seconds(), now).await?;
        Ok(Brought::Document(Box::new(document)))
    }

    /// Follows a page that only redirects its readers (`<meta http-equiv=refresh>`), once.
    async fn past_meta_refresh(
        &self,
        fetched: Fetched,
        is_page: bool,
        budget: &mut PageBudget,
        now: Timestamp,
    ) -> Result<Fetched, ReadError> {
        let Some(to) = extract::meta_refresh(document(&fetched)) else { return Ok(fetched) };
        let answer = if is_page {
            self.get_page(&to, &Validators::default(), budget, now).await?
        } else {
            self.client.get(&to, &Validators::default(), Accept::Feed, now).await?
        };
        Ok(match answer {
            Answer::Document(next) => *next,
            Answer::NotModified(_) => fetched,
        })
    }

    /// Extracts the document: a feed, a page with selectors, or a page whose machine-readable endpoints are tried first.
    #[expect(clippy::too_many_arguments)]
    async fn extract(
        &self,
        asked: &Url,
        source: &Source,
        state: &FetchState,
        fetched: Fetched,
        rules: &PageRules,
        budget: &mut PageBudget,
        now: Timestamp,
    ) -> Result<RawDocument, ReadError> {
        if source.kind.may_be_listing && source.select.is_some() && state.feed_url.is_none() {
            elsewhere(asked, &fetched.url)?;
            let (listing, fetched) = self.read_listing(source, &state.page, fetched, rules, now).await?;
            return Ok(RawDocument::of_listing(listing, fetched));
        }
        let (fetched, result) = extract_apart(fetched, rules.dates).await?;
        let endpoints = match result {
            Err(ExtractError::Sitemap) if source.kind.may_be_sitemap() => {
                return self.read_sitemap(source, fetched, now).await;
            }
            Ok(feed) => {
                expected(source, feed.format)?;
                if feed.format == FeedFormat::Telegram && source.kind.may_be_feed {
                    // It was asked for as a feed; now that it is a page, robots.txt has a say.
                    self.check_robots(&self.robots(&fetched.url, now).await?, &fetched.url, budget)?;
                }
                return Ok(RawDocument::new(feed, fetched, state.feed_url.clone(), state.page.clone()));
            }
            Err(ExtractError::WebPage { endpoints }) => offered(source, &fetched, endpoints)?,
            Err(error) => return Err(error.into()),
        };
        elsewhere(asked, &fetched.url)?;
        if !source.kind.may_be_listing {
            // An abandoned domain may redirect to a page full of feeds, none of which is the source's.
            let is_elsewhere =
                state.last_success.is_some() && fetched.url.host_str() != source.url.host_str();
            let endpoints = if is_elsewhere { &[] } else { endpoints.as_slice() };
            let endpoint =
                explore::named_feed(&self.client, endpoints, &fetched.url, rules.dates, now).await?;
            expected(source, endpoint.feed.format)?;
            return Ok(RawDocument::of_endpoint(endpoint, &state.page));
        }
        self.read_unknown_page(source, state, fetched, endpoints, rules, budget, now).await
    }

    /// Reads a page without configured selectors: feeds, WordPress, a news sitemap, then the page itself.
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
    ) -> Result<RawDocument, ReadError> {
        let robots = self.robots(&fetched.url, now).await?;
        if source.kind.may_be_feed {
            // It was requested as a feed; since it is a page, robots.txt applies.
            self.check_robots(&robots, &fetched.url, budget)?;
        }
        let page = fetched.url.clone();
        let listing = self.read_listing(source, &state.page, fetched, rules, now).await;
        if !state.page.is_explored {
            endpoints.extend(robots.sitemaps.into_iter().filter(|sitemap| sitemap.contains("news")));
            let listed: Option<HashSet<String>> = listing.as_ref().ok().map(|(listing, _)| {
                listing.feed.entries.iter().filter_map(|entry| canonical_key(entry.url()?)).collect()
            });
            let must_share = listed.filter(|_| !source.kind.may_be_feed);
            if let Some(endpoint) =
                explore::explore(&self.client, &endpoints, &page, must_share.as_ref(), rules.dates, now)
                    .await?
            {
                return Ok(RawDocument::of_endpoint(endpoint, &state.page));
            }
        }
        let (mut listing, fetched) = listing?;
        listing.memory.is_explored = true;
        Ok(RawDocument::of_listing(listing, fetched))
    }

    /// Assigns to each entry the identity it is recognised by.
    fn recognised(
        &self,
        source: &Source,
        mut found: RawDocument,
    ) -> anyhow::Result<(RawDocument, Vec<Listed>)> {
        let mut entries = std::mem::take(&mut found.feed.entries);
        let listed = entries.len();
        entries.retain(|entry| !entry.is_empty());
        if entries.len() < listed {
            let left_out = many(listed - entries.len(), "entry", "entries");
            found
                .feed
                .problems
                .push(format!("{left_out} without title, text, link, picture or attachment left out"));
        }
        let mut recogniser = Recogniser::new(entries);
        let (mut known, has_entries) = self.store.read(|r| {
            let known = r.intake().known(&source.id, recogniser.own_keys())?;
            let has_entries = !known.is_empty() || r.intake().has_entries(&source.id)?;
            Ok::<_, StoreError>((known, has_entries))
        })?;
        if known.is_empty() && has_entries {
            let recent = self.store.read(|r| r.intake().recent(&source.id))?;
            known.extend(recogniser.recognise_visits(recent));
        }
        let further = recogniser.outline(&known, has_entries);
        if !further.is_empty() {
            known.extend(self.store.read(|r| r.intake().known(&source.id, &further))?);
        }
        Ok((found, recogniser.recognise(&known)))
    }

    /// Prepares the entries for the store, on a thread of its own.
    async fn prepared(
        &self,
        source: &Arc<Source>,
        found: RawDocument,
        listed: Vec<Listed>,
        crawl_delay_seconds: Option<u64>,
        now: Timestamp,
    ) -> anyhow::Result<PreparedDocument> {
        let RawDocument { feed, meta, feed_url, base, is_push, page, is_mended } = found;
        let core = self.cores.clone().acquire_owned().await?;
        let (source, classifier, language_detector) =
            (source.clone(), self.classifier.clone(), self.language_detector.clone());
        let task = move || {
            let _core = core;
            let language = feed.language.as_deref();
            let preparation = Preparation {
                source: &source,
                classifier: &classifier,
                language_detector: &language_detector,
                base: &base,
                language,
                now,
            };
            let candidates = preparation.prepare(listed);
            PreparedDocument {
                feed,
                candidates,
                meta,
                feed_url,
                base,
                crawl_delay_seconds,
                is_push,
                page,
                is_mended,
            }
        };
        Ok(tokio::task::spawn_blocking(task).await?)
    }

    fn pace(&self, source: &Source) -> PollBounds {
        PollBounds {
            interval: source.interval_seconds,
            min: self.interval_min_seconds,
            max: self.interval_max_seconds,
            is_fixed: source.is_interval_fixed,
        }
    }
}

/// Rejects redirects that are not an answer: to a login, or to a maintenance page.
fn elsewhere(asked: &Url, found: &Url) -> Result<(), ReadError> {
    const LOGIN: [&str; 19] = [
        "login",
        "log-in",
        "signin",
        "sign-in",
        "sign_in",
        "wp-login",
        "sso",
        "auth",
        "authenticate",
        "authorize",
        "connexion",
        "se-connecter",
        "identification",
        "iniciar-sesion",
        "acceso",
        "anmelden",
        "accedi",
        "entrar",
        "inloggen",
    ];
    const CLOSED: [&str; 14] = [
        "maintenance",
        "mantenimiento",
        "wartung",
        "manutencao",
        "manutenzione",
        "manteniment",
        "onderhoud",
        "under-maintenance",
        "site-maintenance",
        "unavailable",
        "coming-soon",
        "under-construction",
        "site-offline",
        "travaux",
    ];
    let parts = |url: &Url| -> Vec<String> {
        let part = |part: &str| part.split('.').next().unwrap_or(part).to_ascii_lowercase();
        url.path().split('/').filter(|part| !part.is_empty()).map(part).collect()
    };
    let (before, now) = (parts(asked), parts(found));
    let leads =
        |words: &[&str]| now.iter().any(|part| words.contains(&part.as_str()) && !before.contains(part));
    let what = match () {
        () if leads(&LOGIN) => "a login page: the site wants to know who reads this address",
        () if leads(&CLOSED) => "a page that says that the site is being worked on",
        () => return Ok(()),
    };
    Err(ReadError::NoFeed(format!("the server redirects to {found}, {what}")))
}

/// What a page offers to a source: the feeds that it names; to one of one format, what is of that.
fn offered(source: &Source, page: &Fetched, feeds: Vec<String>) -> Result<Vec<String>, ReadError> {
    let none = match source.kind.format {
        None => return Ok(feeds),
        Some(FeedFormat::Calendar) => {
            let calendars = extract::calendar_links(document(page));
            if !calendars.is_empty() {
                return Ok(calendars);
            }
            "this is a web page that names no calendar"
        }
        Some(FeedFormat::Telegram) => {
            "Telegram shows no posts there: it is a private channel, a group or a person"
        }
        Some(_) => return expected(source, FeedFormat::Page).map(|()| feeds),
    };
    Err(ReadError::NoFeed(none.into()))
}

/// A source that is to be of one format is of no other.
fn expected(source: &Source, found: FeedFormat) -> Result<(), ReadError> {
    match source.kind.format {
        Some(wanted) if wanted != found => Err(ReadError::NoFeed(format!(
            "this is {}, not {} as kind = \"{}\" says: give another url, or leave kind out",
            found.name(),
            wanted.name(),
            source.kind.name
        ))),
        _ => Ok(()),
    }
}

/// How dates in figures are read: what a source showed before of their order counts where none is configured.
fn order_of_dates(configured: DateOrder, state: &FetchState) -> DateOrder {
    state.date_order.filter(|_| configured == DateOrder::default()).unwrap_or(configured)
}

fn page_rules(source: &Source, state: &FetchState, now: Timestamp) -> PageRules {
    let order = order_of_dates(source.date_order, state);
    PageRules { select: source.select.clone(), dates: DateRules { order, now: Some(now), year: None } }
}

fn document(fetched: &Fetched) -> extract::Document<'_> {
    extract::Document {
        bytes: &fetched.bytes,
        url: Some(&fetched.url),
        content_type: fetched.content_type.as_deref(),
    }
}

/// Extraction is CPU-bound, so it runs outside the network threads.
async fn extract_apart(
    fetched: Fetched,
    rules: DateRules,
) -> anyhow::Result<(Fetched, Result<RawFeed, ExtractError>)> {
    let task = move || {
        let result = extract::read_feed_in(document(&fetched), rules);
        (fetched, result)
    };
    Ok(tokio::task::spawn_blocking(task).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_dates_that_a_source_showed_is_remembered() {
        let state: FetchState = serde_json::from_str("{\"date_order\":\"mdy\"}").unwrap();
        assert_eq!(order_of_dates(DateOrder::default(), &state), DateOrder::Mdy);
        assert_eq!(order_of_dates(DateOrder::Ymd, &state), DateOrder::Ymd, "what is configured stands first");
        assert_eq!(order_of_dates(DateOrder::default(), &FetchState::default()), DateOrder::Dmy);
    }

    #[test]
    fn a_redirect_to_a_login_or_to_a_closed_site_is_a_failure() {
        let url = |path: &str| Url::parse(&format!("https://x.org{path}")).unwrap();
        for (to, is_answer) in [
            ("/login?next=/news", false),
            ("/wp-login.php", false),
            ("/fr/maintenance.html", false),
            ("/news/", true),
            ("/en/news/login-to-the-city-archive", true),
        ] {
            assert_eq!(elsewhere(&url("/news"), &url(to)).is_ok(), is_answer, "{to}");
        }
        assert!(elsewhere(&url("/maintenance/news"), &url("/maintenance/news/")).is_ok());
    }
}
