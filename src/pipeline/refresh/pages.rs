//! Fetches pages of a listing and of its items: robots.txt first, respecting its pace, within a budget.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::document::RawDocument;
use super::extraction::{apart, document};
use super::prepare::ListedEntry;
use super::read_error::ReadError;
use super::refresher::Refresher;
use super::wanted::reject_detour;
use crate::extract::article::Article;
use crate::extract::page::ItemPage;
use crate::extract::prose_date::DateRules;
use crate::extract::{self, ExtractError, PageRules};
use crate::fetch::client::{Accept, FetchError, FetchOutcome};
use crate::fetch::robots::Robots;
use crate::model::feed::{FeedFormat, Link, RawEntry, RawText};
use crate::model::source::{DateFrom, FetchState, Source, Validators};
use crate::normalize::entry::identity;
use crate::store::RobotsFile;

/// Maximum number of further pages of a listing in one refresh.
const PAGES_MAX: usize = 5;
/// Maximum number of items' pages in one refresh, to spare the partner's server.
pub(super) const ITEM_PAGES_MAX: usize = 30;
/// Time spent waiting for Crawl-delay in one refresh; with a longer delay, one page is read per refresh.
const PACE_SECONDS_MAX: f64 = 30.0;
/// Time for all pages of one refresh, as a multiple of what one request may take: a site that drips must not hold a round.
const DEADLINES_MAX: u32 = 2;
/// RFC 9309 section 2.4: a robots.txt is not used for longer than a day without checking again.
const ROBOTS_SECONDS_MAX: u64 = 86_400;
const ROBOTS_SECONDS_MIN: u64 = 3_600;
const ROBOTS_AHEAD_MAX: SignedDuration = SignedDuration::from_hours(25);
/// RFC 9309 section 2.3.1.4: how long a stale robots.txt may be used while it is unreachable.
const ROBOTS_STALE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The page budget of one refresh.
#[derive(Debug)]
pub(super) struct PageBudget {
    started: Instant,
    paced_seconds: f64,
    pages: usize,
    delay_seconds: Option<f64>,
    /// Time left for requests.
    left: Duration,
    /// Pages of this host are shown by the renderer.
    rendered_host: Option<String>,
    /// Sites whose robots.txt could not be had, and why.
    unreachable: HashMap<String, FetchError>,
}

impl PageBudget {
    /// At the start of a refresh, of which a single request may take `deadline`. A feed that the page named is read as it is; pages of other hosts are not rendered.
    pub(super) fn of(source: &Source, state: &FetchState, deadline: Duration) -> PageBudget {
        let host = source.url.host_str().filter(|_| source.is_rendered && state.feed_url.is_none());
        PageBudget {
            started: Instant::now(),
            paced_seconds: 0.0,
            pages: 0,
            delay_seconds: None,
            left: deadline * DEADLINES_MAX,
            rendered_host: host.map(str::to_owned),
            unreachable: HashMap::new(),
        }
    }

    fn is_rendered(&self, url: &Url) -> bool {
        self.rendered_host.is_some() && self.rendered_host.as_deref() == url.host_str()
    }

    /// The time left for requests to one source, which they take from.
    pub(super) fn time(&mut self) -> &mut Duration {
        &mut self.left
    }

    /// The longest Crawl-delay met.
    pub(super) fn crawl_delay_seconds(&self) -> Option<u64> {
        self.delay_seconds.map(|seconds| seconds.ceil() as u64)
    }
}

impl Refresher {
    /// Fetches a page if robots.txt allows it, respecting its pace.
    pub(super) async fn get_page(
        &self,
        url: &Url,
        validators: &Validators,
        budget: &mut PageBudget,
        now: Timestamp,
    ) -> Result<FetchOutcome, ReadError> {
        let host = || url.host_str().unwrap_or_default().to_owned();
        if budget.left.is_zero() {
            return Err(ReadError::OutOfTime { host: host() });
        }
        let robots = self.robots_within(url, budget, now).await?;
        self.check_robots(&robots, url, budget)?;
        if let Some(seconds) = robots.crawl_delay_seconds {
            if budget.pages > 0 {
                budget.paced_seconds += seconds;
            }
            if budget.paced_seconds > PACE_SECONDS_MAX {
                return Err(ReadError::Postponed { host: host(), seconds: seconds.ceil() as u64 });
            }
            let delay = Duration::from_secs_f64(seconds.min(PACE_SECONDS_MAX));
            self.wait_for_page(url, delay, now, budget.started).await?;
        }
        budget.pages += 1;
        if let Some(renderer) = self.renderer.as_ref().filter(|_| budget.is_rendered(url)) {
            // The renderer's request to the page's host is one of ours.
            let _place = self.client.place(url).await;
            return Ok(FetchOutcome::Document(Box::new(renderer.render(url, now).await?)));
        }
        Ok(self.client.get_within(url, validators, Accept::Page, now, &mut budget.left).await?)
    }

    /// The rules of a site, within the time of the source. A site that did not tell them is not asked again.
    pub(super) async fn robots_within(
        &self,
        url: &Url,
        budget: &mut PageBudget,
        now: Timestamp,
    ) -> Result<Robots, ReadError> {
        let origin = url.origin().ascii_serialization();
        if let Some(error) = budget.unreachable.get(&origin) {
            return Err(error.clone().into());
        }
        let started = Instant::now();
        let asked = tokio::time::timeout(budget.left, self.robots(url, now)).await;
        budget.left = budget.left.saturating_sub(started.elapsed());
        let host = || url.host_str().unwrap_or_default().to_owned();
        let robots = asked.map_err(|_| ReadError::OutOfTime { host: host() })?;
        if let Err(ReadError::Fetch(error)) = &robots {
            budget.unreachable.insert(origin, error.clone());
        }
        robots
    }

    /// Waits until a Crawl-delay has passed since the last page of an origin, whichever process asked for it. `now` was the time when
    /// the refresh `started`.
    async fn wait_for_page(
        &self,
        url: &Url,
        delay: Duration,
        now: Timestamp,
        started: Instant,
    ) -> anyhow::Result<()> {
        self.client.pace(url, delay).await;
        let (origin, delay) = (url.origin().ascii_serialization(), SignedDuration::try_from(delay)?);
        let now = now + SignedDuration::try_from(started.elapsed())?;
        let at = self.store.write(|w| w.sources().take_page(&origin, delay, now))?;
        tokio::time::sleep(Duration::try_from(at.duration_since(now)).unwrap_or_default()).await;
        Ok(())
    }

    /// Checks whether a page may be read, and records the Crawl-delay.
    pub(super) fn check_robots(
        &self,
        robots: &Robots,
        url: &Url,
        budget: &mut PageBudget,
    ) -> Result<(), ReadError> {
        if let Some(seconds) = robots.crawl_delay_seconds {
            budget.delay_seconds = Some(budget.delay_seconds.map_or(seconds, |known| known.max(seconds)));
        }
        if robots.allows(&url[url::Position::BeforePath..url::Position::AfterQuery]) {
            Ok(())
        } else {
            Err(ReadError::Forbidden { host: url.host_str().unwrap_or_default().to_owned() })
        }
    }

    /// The robots.txt rules of the site of `url`, requested at most once a day.
    async fn robots(&self, url: &Url, now: Timestamp) -> Result<Robots, ReadError> {
        let origin = url.origin().ascii_serialization();
        let lock = self.robots_locks.of(&origin);
        let _one_at_a_time = lock.lock().await;
        let kept = self.store.read(|r| r.sources().robots(&origin)).map_err(anyhow::Error::from)?;
        let file = match kept {
            // An expiry further ahead than possible was recorded under a wrong clock.
            Some(file) if file.expires > now && file.expires <= now + ROBOTS_AHEAD_MAX => file,
            kept => {
                let file = self.fetch_robots(url, kept, now).await?;
                self.store.write(|w| w.sources().put_robots(&origin, &file)).map_err(anyhow::Error::from)?;
                file
            }
        };
        Ok(file.text.map_or_else(Robots::closed, |text| Robots::parse(&text, self.client.product())))
    }

    /// # Errors
    /// When the site cannot be reached at all, which says nothing about its robots.txt.
    async fn fetch_robots(
        &self,
        url: &Url,
        kept: Option<RobotsFile>,
        now: Timestamp,
    ) -> Result<RobotsFile, FetchError> {
        let Ok(address) = url.join("/robots.txt") else {
            return Ok(RobotsFile { text: Some(String::new()), expires: now });
        };
        let until = |seconds: u64| {
            now + SignedDuration::from_secs(seconds.clamp(ROBOTS_SECONDS_MIN, ROBOTS_SECONDS_MAX) as i64)
        };
        Ok(match self.client.get(&address, &Validators::default(), Accept::Robots, now).await {
            Ok(FetchOutcome::Document(file)) => {
                let expires = until(file.meta.fresh_seconds.unwrap_or(ROBOTS_SECONDS_MAX));
                RobotsFile { text: Some(String::from_utf8_lossy(&file.bytes).into_owned()), expires }
            }
            // "Unavailable": everything is allowed. This does not include 429 (too many requests).
            Err(
                FetchError::Status { status: 400..=428 | 430..=499, .. }
                | FetchError::Gone
                | FetchError::Redirects { .. }
                | FetchError::BadRedirect { .. },
            )
            | Ok(FetchOutcome::NotModified(_)) => {
                RobotsFile { text: Some(String::new()), expires: until(ROBOTS_SECONDS_MAX) }
            }
            // "Unreachable": nothing is allowed, unless a recent version is stored. Requested again at the next poll.
            Err(error) => match (kept, error) {
                (Some(RobotsFile { text: Some(text), expires }), _) if expires + ROBOTS_STALE > now => {
                    RobotsFile { text: Some(text), expires }
                }
                (_, FetchError::Status { .. }) => RobotsFile { text: None, expires: now },
                (_, error) => return Err(error),
            },
        })
    }

    /// Reads the further pages of a listing, until one brings nothing new.
    pub(super) async fn with_further_pages(
        &self,
        source: &Source,
        mut found: RawDocument,
        rules: &PageRules,
        budget: &mut PageBudget,
        now: Timestamp,
    ) -> Result<RawDocument, ReadError> {
        if source.select.as_ref().is_none_or(|select| select.next.is_none()) {
            return Ok(found);
        }
        let mut visited = HashSet::from([found.base.to_string()]);
        let mut last_page = 0;
        for _ in 0..PAGES_MAX {
            let Some(next) = found.feed.links.iter().position(|link| link.rel == "next") else { break };
            let next = found.feed.links.remove(next).href;
            let latest = &found.feed.entries[last_page..];
            let keys: HashSet<String> = latest.iter().map(|raw| identity(raw).key()).collect();
            let keys: Vec<String> = keys.into_iter().collect();
            let known =
                self.store.read(|r| r.intake().known(&source.id, &keys)).map_err(anyhow::Error::from)?;
            if known.len() == keys.len() || !visited.insert(next.clone()) {
                break;
            }
            let Ok(url) = Url::parse(&next) else { break };
            let page = match self.get_page(&url, &Validators::default(), budget, now).await {
                Ok(FetchOutcome::Document(page)) => {
                    let rules = rules.clone();
                    let task = move || extract::read_page(document(&page), &rules).map(|page| page.feed);
                    apart(self.client.deadline(), task).await
                }
                Ok(FetchOutcome::NotModified(_)) => break,
                Err(error) => Err(error),
            };
            let page = match page {
                Ok(page) => page,
                Err(ReadError::Internal(error)) => return Err(error.into()),
                Err(error) => {
                    found.feed.problems.push(format!("the next page {url} was not read: {error}"));
                    break;
                }
            };
            let Ok(page) = page else { break };
            last_page = found.feed.entries.len();
            found.feed.links.extend(page.links.into_iter().filter(|link| link.rel == "next"));
            found.feed.entries.extend(page.entries);
        }
        Ok(found)
    }

    /// Fetches the items' own pages if the source asks for it, once for each new or edited entry.
    pub(super) async fn with_item_pages(
        &self,
        source: &Source,
        mut found: RawDocument,
        listed: Vec<ListedEntry>,
        rules: DateRules,
        budget: &mut PageBudget,
        now: Timestamp,
    ) -> Result<(RawDocument, Vec<ListedEntry>), ReadError> {
        let is_wanted = source.date_from == DateFrom::Item || source.has_full_text;
        // A card without a title has one on its own page, and so has an address in a sitemap.
        let is_sitemap = found.feed.format == FeedFormat::Sitemap;
        let has_untitled = (is_sitemap || found.feed.format == FeedFormat::Page)
            && listed.iter().any(|listed| listed.raw.title.is_none());
        if !is_wanted && !has_untitled {
            return Ok((found, listed));
        }
        let mut left = ITEM_PAGES_MAX;
        let mut done: Vec<ListedEntry> = Vec::with_capacity(listed.len());
        for mut listed in listed {
            let url = listed
                .raw
                .url()
                .and_then(|url| Url::parse(url).ok())
                .filter(|url| !is_part_of(url, &found.base))
                .filter(|_| !listed.is_same && (is_wanted || listed.raw.title.is_none()));
            if let Some(url) = url {
                if left == 0 {
                    found.feed.problems.push(format!("more than {ITEM_PAGES_MAX} new items: the pages of the others are left for the next time"));
                    found.feed.is_cut = true;
                    break;
                }
                left -= 1;
                match self.read_item(&url, source.has_full_text, rules, budget, now).await {
                    Ok(article) => add_article(&mut listed.raw, article, &url, source.date_from),
                    Err(ReadError::Internal(error)) => return Err(error.into()),
                    Err(error) if error.is_of_time() => {
                        found.feed.problems.push(error.to_string());
                        found.feed.is_cut = true;
                        break;
                    }
                    Err(error) if is_sitemap => {
                        found.feed.problems.push(format!("the page of {url} was not read: {error}"));
                    }
                    Err(error) => found.feed.problems.push(format!(
                        "the page of {url} was not read, so its entry may have no date: {error}"
                    )),
                }
            }
            // An address alone tells nobody anything: it is asked again.
            if is_sitemap && !listed.is_same && listed.raw.title.is_none() {
                found.feed.is_cut = true;
                continue;
            }
            done.push(listed);
        }
        Ok((found, done))
    }

    async fn read_item(
        &self,
        url: &Url,
        has_full_text: bool,
        rules: DateRules,
        budget: &mut PageBudget,
        now: Timestamp,
    ) -> Result<Article, ReadError> {
        match self.get_page(url, &Validators::default(), budget, now).await? {
            FetchOutcome::Document(page) => {
                reject_detour(url, &page.url)?;
                let task = move || {
                    if let Some(reason) = extract::error_page_reason(document(&page)) {
                        return Err(ExtractError::Wall(reason));
                    }
                    Ok(match has_full_text {
                        true => extract::article::read_article(document(&page), rules),
                        false => Article {
                            item: extract::read_item_page(document(&page), rules),
                            ..Article::default()
                        },
                    })
                };
                Ok(apart(self.client.deadline(), task).await??)
            }
            FetchOutcome::NotModified(_) => Ok(Article::default()),
        }
    }
}

/// Whether an address is that of a part of a page, which has no page of its own; not of a route that a script leads to.
fn is_part_of(url: &Url, page: &Url) -> bool {
    let is_route = url.fragment().is_some_and(|fragment| fragment.starts_with(['/', '!']));
    let whole = |url: &Url| url.as_str().split('#').next().map(str::to_owned);
    !is_route && whole(url) == whole(page)
}

/// A shorter article, in characters, is a paywall or a wrong guess.
const ARTICLE_CHARS_MIN: usize = 200;

fn add_article(raw: &mut RawEntry, article: Article, url: &Url, date_from: DateFrom) {
    let own = raw.content.as_ref().map_or(0, |content| content.value.len());
    if let Some(html) =
        article.html.filter(|html| article.text.chars().count() >= ARTICLE_CHARS_MIN && html.len() > own)
    {
        raw.content = Some(RawText {
            value: html,
            is_html: true,
            base: Some(url.clone()),
            language: article.item.language.clone(),
        });
    }
    add_item_page(raw, article.item, date_from);
}

/// Adds what the item's own page knows better than the card, or what only it knows.
fn add_item_page(raw: &mut RawEntry, item: ItemPage, date_from: DateFrom) {
    if raw.title.is_none() {
        if raw.summary.is_none() && raw.content.is_none() {
            raw.summary = item.description.map(|value| RawText { value, ..RawText::default() });
        }
        raw.title = item.title.map(|value| RawText { value, ..RawText::default() });
    }
    // The day of an event that the card tells of is none of publication on its page either.
    let day = |at: Timestamp| at.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let is_event = |at: &Timestamp| raw.event.as_ref().is_some_and(|event| event.begin.date() == day(*at));
    let published = item.published.filter(|at| !is_event(at));
    // Only `date_from = "item"` overrides a date given by the feed or card.
    (raw.published, raw.updated) = match date_from {
        DateFrom::Item => (published.or(raw.published), item.updated.or(raw.updated)),
        DateFrom::Card => (raw.published.or(published), raw.updated.or(item.updated)),
    };
    raw.event = raw.event.take().or(item.event);
    raw.language = item.language.or(raw.language.take());
    raw.image = raw.image.take().or(item.image);
    if raw.authors.is_empty() {
        raw.authors.extend(item.author);
    }
    let link = |href: String, rel: &str, hreflang: Option<String>| Link {
        href,
        rel: rel.into(),
        media_type: None,
        hreflang,
    };
    raw.links.extend(item.canonical.map(|href| link(href, "canonical", None)));
    raw.links
        .extend(item.alternates.into_iter().map(|(language, href)| link(href, "alternate", Some(language))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_page_has_no_page_of_its_own_and_a_route_has() {
        let page = Url::parse("https://x.org/news?lang=en").unwrap();
        for (address, is_part) in [
            ("https://x.org/news?lang=en#bridge", true),
            ("https://x.org/news?lang=en", true),
            ("https://x.org/news?lang=en#/news/1", false),
            ("https://x.org/news?id=1", false),
            ("https://x.org/news/1", false),
        ] {
            assert_eq!(is_part_of(&Url::parse(address).unwrap(), &page), is_part, "{address}");
        }
    }
}
