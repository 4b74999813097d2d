//! The pipeline that refreshes one source:
//!
//! ```text
//! Source, FetchState ─ fetch ─▶ FetchOutcome ─ extract, further pages ─▶ RawDocument ─ recognise, items' pages ─▶ ListedEntry ─ prepare ─▶ PreparedDocument ─ keep ─▶ SourceReport
//! ```
//!
//! It connects the stages and makes no decision that they could (`decide` is pure). Everything expensive happens before `keep`,
//! which ends many refreshes in one unit of work.

pub mod decide;
mod document;
pub mod explore;
mod extraction;
pub mod index;
mod keep;
mod listing;
pub mod mailbox;
mod pages;
pub mod prepare;
pub mod preview;
mod read_error;
mod refresher;
mod relisted;
mod sitemap;
mod visits;
mod wanted;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use url::Url;

pub use self::document::{PreparedDocument, PreparedRefresh};
use self::document::{RawDocument, ReadOutcome};
use self::explore::PageEntries;
use self::extraction::{apart, document, extract_apart};
use self::pages::PageBudget;
use self::prepare::{ListedEntry, Preparation, Recogniser};
pub use self::read_error::ReadError;
pub use self::refresher::{Job, OriginLocks, Refresher, SourceOutcome, SourceReport};
use self::wanted::{expected, offered, reject_detour};
use crate::extract::prose_date::DateRules;
use crate::extract::{self, ExtractError, PageRules};
use crate::fetch::client::{Accept, FetchOutcome, Fetched, Meta};
use crate::fetch::politeness::PollBounds;
use crate::model::entry::StoredSummary;
use crate::model::feed::{FeedFormat, RawFeed};
use crate::model::source::{DateOrder, FetchState, LearnedPage, Source, Validators};
use crate::store::StoreError;
use crate::support::text::many;

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
            Err(error) => ReadOutcome::Failure(error),
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
        let pushed = Fetched {
            bytes: bytes.to_owned(),
            url: state.address(&source.url),
            content_type: content_type.map(str::to_owned),
            meta: Meta::default(),
            cut: None,
        };
        let source = Arc::new(source.clone());
        let document = match self.read_push(&source, &state, pushed, meta, now).await {
            Ok(document) => document,
            Err(ReadError::Internal(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(source.id = source.id, "what the hub pushed cannot be read: {error}");
                return Ok(());
            }
        };
        let prepared = PreparedRefresh {
            source,
            state,
            lease: None,
            now,
            brought: ReadOutcome::Document(Box::new(document)),
        };
        self.keep(&[prepared], &[])?;
        Ok(())
    }

    async fn read_push(
        &self,
        source: &Arc<Source>,
        state: &FetchState,
        pushed: Fetched,
        meta: Meta,
        now: Timestamp,
    ) -> Result<PreparedDocument, ReadError> {
        let base = pushed.url.clone();
        let dates = page_rules(source, state, now).dates;
        let (_, feed) = extract_apart(self.client.deadline(), pushed, dates).await?;
        let found = RawDocument {
            feed: RawFeed { hints: state.hints.clone(), ..feed? },
            meta,
            feed_url: state.feed_url.clone(),
            base,
            is_push: true,
            page: state.page.clone(),
            is_mended: false,
        };
        let (found, listed) = self.recognised(source, found, now)?;
        self.prepared(source, found, listed, None, now).await
    }

    /// Reads a source; of a page for which a feed stands in, now and then the page itself.
    async fn read(
        &self,
        source: &Arc<Source>,
        state: &FetchState,
        now: Timestamp,
    ) -> Result<ReadOutcome, ReadError> {
        let looking = state.looking_at_the_page(now).filter(|_| source.kind.may_be_listing);
        if let Some(looking) = looking {
            // A page that cannot be read any more takes nothing from its feed.
            match self.read_as(source, &looking, now).await {
                Ok(brought) => return Ok(brought),
                Err(ReadError::Internal(error)) => return Err(error.into()),
                Err(error) => tracing::debug!(source.id = source.id, %error, "the page was not looked at"),
            }
            let page = looking.page;
            return self
                .read_as(
                    source,
                    &FetchState {
                        page: LearnedPage { is_explored: state.page.is_explored, ..page },
                        ..state.clone()
                    },
                    now,
                )
                .await;
        }
        self.read_as(source, state, now).await
    }

    async fn read_as(
        &self,
        source: &Arc<Source>,
        state: &FetchState,
        now: Timestamp,
    ) -> Result<ReadOutcome, ReadError> {
        if source.kind.is_mail() {
            let found = self.read_mailbox(source, now).await?;
            let (found, listed) = self.recognised(source, found, now)?;
            return Ok(ReadOutcome::Document(Box::new(
                self.prepared(source, found, listed, None, now).await?,
            )));
        }
        let address = state.address(&source.url);
        let mut budget = PageBudget::of(source, state, self.client.deadline());
        let is_page = !source.kind.may_be_feed;
        let answer = if is_page {
            self.get_page(&address, &state.validators, &mut budget, now).await?
        } else {
            self.client.get(&address, &state.validators, Accept::Feed, now).await?
        };
        let fetched = match answer {
            FetchOutcome::NotModified(meta) => {
                return Ok(ReadOutcome::NotModified(Box::new(meta), budget.crawl_delay_seconds()));
            }
            FetchOutcome::Document(fetched) => *fetched,
        };
        let fetched = self.past_meta_refresh(fetched, is_page, &mut budget, now).await?;
        let rules = page_rules(source, state, now);
        let found = self.extract(&address, source, state, fetched, &rules, &mut budget, now).await?;
        let found = self.with_further_pages(source, found, &rules, &mut budget, now).await?;
        let (found, listed) = self.recognised(source, found, now)?;
        let (found, listed) =
            self.with_item_pages(source, found, listed, rules.dates, &mut budget, now).await?;
        let document = self.prepared(source, found, listed, budget.crawl_delay_seconds(), now).await?;
        Ok(ReadOutcome::Document(Box::new(document)))
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
            FetchOutcome::Document(next) => *next,
            FetchOutcome::NotModified(_) => fetched,
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
            reject_detour(asked, &fetched.url)?;
            let (listing, fetched) =
                self.read_listing(asked, source, &state.page, fetched, rules, now).await?;
            return Ok(RawDocument::of_listing(listing, fetched));
        }
        let (fetched, result) = extract_apart(self.client.deadline(), fetched, rules.dates).await?;
        let endpoints = match result {
            Err(ExtractError::Sitemap) if source.kind.may_be_sitemap() => {
                return self.read_sitemap(source, fetched, budget.time(), now).await;
            }
            Ok(feed) => {
                expected(source, feed.format)?;
                if feed.format == FeedFormat::Telegram && source.kind.may_be_feed {
                    // It was asked for as a feed; now that it is a page, robots.txt has a say.
                    let robots = self.robots_within(&fetched.url, budget, now).await?;
                    self.check_robots(&robots, &fetched.url, budget)?;
                }
                return Ok(RawDocument::new(feed, fetched, state.feed_url.clone(), state.page.clone()));
            }
            Err(ExtractError::WebPage { endpoints }) => {
                offered(self.client.deadline(), source, &fetched, endpoints).await?
            }
            Err(error) => return Err(error.into()),
        };
        reject_detour(asked, &fetched.url)?;
        if !source.kind.may_be_listing {
            // An abandoned domain may redirect to a page full of feeds, none of which is the source's.
            let is_elsewhere =
                state.last_success.is_some() && fetched.url.host_str() != source.url.host_str();
            let endpoints = if is_elsewhere { &[] } else { endpoints.as_slice() };
            let (client, page, time) = (&self.client, &fetched.url, budget.time());
            let named = explore::named_feed(client, endpoints, page, rules.dates, now, time).await;
            let endpoint = match named {
                // Only then is the page looked at for what stands in the feed's place.
                Err(error @ ReadError::NoFeed(_)) => {
                    let deadline = self.client.deadline();
                    let wall = apart(deadline, move || extract::wall_reason(document(&fetched))).await?;
                    return Err(wall.map_or(error, |wall| ExtractError::Wall(wall).into()));
                }
                named => named?,
            };
            expected(source, endpoint.feed.format)?;
            return Ok(RawDocument::of_endpoint(endpoint, &state.page));
        }
        self.read_unknown_page(asked, source, state, fetched, endpoints, rules, budget, now).await
    }

    /// Reads a page without configured selectors: feeds, WordPress, a news sitemap, then the page itself.
    #[expect(clippy::too_many_arguments)]
    async fn read_unknown_page(
        &self,
        asked: &Url,
        source: &Source,
        state: &FetchState,
        fetched: Fetched,
        mut endpoints: Vec<String>,
        rules: &PageRules,
        budget: &mut PageBudget,
        now: Timestamp,
    ) -> Result<RawDocument, ReadError> {
        let robots = self.robots_within(&fetched.url, budget, now).await?;
        if source.kind.may_be_feed {
            // It was requested as a feed; since it is a page, robots.txt applies.
            self.check_robots(&robots, &fetched.url, budget)?;
        }
        let page = fetched.url.clone();
        let listing = self.read_listing(asked, source, &state.page, fetched, rules, now).await;
        if !state.page.is_explored {
            endpoints.extend(robots.sitemaps.into_iter().filter(|sitemap| sitemap.contains("news")));
            let listed = listing
                .as_ref()
                .ok()
                .map(|(listing, _)| PageEntries::of(&listing.feed, !source.kind.may_be_feed));
            let (client, listed, time) = (&self.client, listed.as_ref(), budget.time());
            if let Some(endpoint) =
                explore::explore(client, &endpoints, &page, listed, rules.dates, now, time).await?
            {
                let seen = LearnedPage { looked: Some(now), ..state.page.clone() };
                return Ok(RawDocument::of_endpoint(endpoint, &seen));
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
        now: Timestamp,
    ) -> anyhow::Result<(RawDocument, Vec<ListedEntry>)> {
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
        let mut recogniser = Recogniser::new(entries, now);
        let (mut known, has_entries, last_reading) = self.store.read(|r| {
            let known = r.intake().known(&source.id, recogniser.own_keys())?;
            let has_entries = !known.is_empty() || r.intake().has_entries(&source.id)?;
            let last_reading = match recogniser.needs_last_reading() {
                true => r.sources().state(&source.id)?.last_success,
                false => None,
            };
            Ok::<_, StoreError>((known, has_entries, last_reading))
        })?;
        recogniser.set_last_reading(last_reading);
        recogniser.keep_days(&known);
        if known.is_empty() && has_entries {
            let recent = self.store.read(|r| r.intake().recent(&source.id))?;
            known.extend(recogniser.recognise_visits(recent));
        }
        if has_entries && recogniser.has_unknown_texts(&known) {
            let recent = self.store.read(|r| r.intake().recent(&source.id))?;
            let edited = recogniser.recognise_edits(recent, &known);
            known.extend(edited);
        }
        self.read_files(source, recogniser.changed_keys(&known), &mut known)?;
        let further = recogniser.outline(&known, has_entries);
        if !further.is_empty() {
            known.extend(self.store.read(|r| r.intake().known(&source.id, &further))?);
            self.read_files(source, further, &mut known)?;
        }
        if has_entries && recogniser.has_doubtful(&known) {
            let mut recent = self.store.read(|r| r.intake().recent(&source.id))?;
            let namesakes = recogniser.namesakes(&recent, &known);
            if !namesakes.is_empty() {
                let attached = self.store.read(|r| r.intake().attached(&source.id, &namesakes))?;
                prepare::add_files(recent.iter_mut().map(|(key, stored)| (&*key, stored)), attached);
            }
            let relisted = recogniser.recognise_relisted(recent, &known);
            known.extend(relisted);
        }
        Ok((found, recogniser.recognise(&known)))
    }

    /// Looks up the files of known entries, for those that are compared.
    fn read_files(
        &self,
        source: &Source,
        mut keys: Vec<String>,
        known: &mut HashMap<String, StoredSummary>,
    ) -> Result<(), StoreError> {
        keys.retain(|key| known.contains_key(key));
        if !keys.is_empty() {
            prepare::add_files(
                known.iter_mut(),
                self.store.read(|r| r.intake().attached(&source.id, &keys))?,
            );
        }
        Ok(())
    }

    /// Prepares the entries for the store, on a thread of its own.
    async fn prepared(
        &self,
        source: &Arc<Source>,
        found: RawDocument,
        listed: Vec<ListedEntry>,
        crawl_delay_seconds: Option<u64>,
        now: Timestamp,
    ) -> Result<PreparedDocument, ReadError> {
        let RawDocument { feed, meta, feed_url, base, is_push, page, is_mended } = found;
        // Not the thread's own: one that takes too long would keep the others from theirs.
        let _core = self.cores.acquire().await.map_err(anyhow::Error::from)?;
        let (source, classifier, language_detector) =
            (source.clone(), self.classifier.clone(), self.language_detector.clone());
        let task = move || {
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
        apart(self.client.deadline(), task).await
    }

    fn poll_bounds(&self, source: &Source) -> PollBounds {
        PollBounds {
            interval: source.interval_seconds,
            min: self.interval_min_seconds,
            max: self.interval_max_seconds,
            is_fixed: source.is_interval_fixed,
        }
    }
}

/// How dates in figures are read: what a source showed before of their order counts where none is configured.
fn order_of_dates(configured: Option<DateOrder>, state: &FetchState) -> Option<DateOrder> {
    configured.or(state.date_order)
}

fn page_rules(source: &Source, state: &FetchState, now: Timestamp) -> PageRules {
    let order = order_of_dates(source.date_order, state);
    PageRules { select: source.select.clone(), dates: DateRules::told(order, now), known: Arc::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_dates_that_a_source_showed_is_remembered() {
        let state: FetchState = serde_json::from_str("{\"date_order\":\"mdy\"}").unwrap();
        assert_eq!(order_of_dates(None, &state), Some(DateOrder::Mdy));
        let configured = order_of_dates(Some(DateOrder::Dmy), &state);
        assert_eq!(configured, Some(DateOrder::Dmy), "what is configured stands first");
        assert_eq!(order_of_dates(None, &FetchState::default()), None);
    }
}
