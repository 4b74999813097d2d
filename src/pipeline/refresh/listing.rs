//! A page as a source: read by its selectors or by what was learned of it; when they fail, learned again from known entries.
//! Three kinds of failure are distinguished: the page is empty, the container is missing, or something else is in its place.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::extraction::{apart, document};
use super::read_error::ReadError;
use super::refresher::Refresher;
use crate::extract::{self, ExtractError, PageReading, PageRules};
use crate::fetch::client::Fetched;
use crate::model::address::{canonical_key, without_index};
use crate::model::feed::{RawEntry, RawFeed};
use crate::model::source::{LearnedPage, Select, Source};
use crate::support::text::fold;

/// Canonical addresses and folded titles of a source's stored entries.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownItems {
    pub addresses: Arc<HashSet<String>>,
    pub titles: HashSet<String>,
}

impl KnownItems {
    fn knows(&self, feed: &RawFeed) -> usize {
        let is_known = |entry: &&RawEntry| {
            let address = entry.url().and_then(canonical_key);
            address.is_some_and(|address| self.addresses.contains(&address))
                || entry.title.as_ref().is_some_and(|title| self.titles.contains(&fold(&title.value)))
        };
        feed.entries.iter().filter(is_known).count()
    }
}

/// A listing as read.
pub(super) struct ListingReading {
    pub feed: RawFeed,
    pub memory: LearnedPage,
    /// The selectors were learned again in this reading: entries that seem new may be old.
    pub is_mended: bool,
}

impl Refresher {
    /// Reads a page as a listing. Where its address leads to another page of the site and nothing there is known, it is gone.
    pub(super) async fn read_listing(
        &self,
        asked: &Url,
        source: &Source,
        memory: &LearnedPage,
        fetched: Fetched,
        rules: &PageRules,
        now: Timestamp,
    ) -> Result<(ListingReading, Fetched), ReadError> {
        let leads_away = leads_away(asked, &fetched.url);
        let (listing, fetched) = self.read_listing_there(source, memory, fetched, rules, now).await?;
        if leads_away {
            let known = self.known_items(source)?;
            if !known.addresses.is_empty() && known.knows(&listing.feed) == 0 {
                return Err(ReadError::NoFeed(format!(
                    "the server redirects to {}, which has none of the entries that are known of this page: give the new address of the listing",
                    fetched.url
                )));
            }
        }
        Ok((listing, fetched))
    }

    async fn read_listing_there(
        &self,
        source: &Source,
        memory: &LearnedPage,
        fetched: Fetched,
        rules: &PageRules,
        now: Timestamp,
    ) -> Result<(ListingReading, Fetched), ReadError> {
        // Learned selectors replace the configured ones until an operator changes those.
        let learned = memory.learned.clone().filter(|_| memory.instead_of == source.select);
        let select = learned.or_else(|| source.select.clone());
        let (fetched, reading) =
            extract_listing(self.client.deadline(), fetched, self.rules_for(source, select.clone(), rules)?)
                .await?;
        let reading = reading?;
        if select.is_none() || (reading.way.is_none() && !reading.feed.entries.is_empty()) {
            let is_empty = reading.feed.entries.is_empty();
            return if is_empty {
                let seen = reading.feed.problems.first().cloned();
                let seen = seen.unwrap_or_else(|| "no listing found on this page".into());
                Err(ReadError::NoListing(format!("{seen}; give it a [source.select]")))
            } else {
                Ok((learn(source, memory, reading), fetched))
            };
        }
        let is_good = !has_collapsed(&reading.feed, memory);
        if is_good && source.select.is_some() {
            return Ok((keep(memory, reading), fetched));
        }
        let (fetched, mined) =
            extract_listing(self.client.deadline(), fetched, self.rules_for(source, None, rules)?).await?;
        let mined = mined.unwrap_or_default();
        if is_good && lists_more(&mined.feed, &reading.feed) {
            return Ok((learn(source, memory, mined), fetched));
        }
        if is_good {
            return Ok((keep(memory, with_details(reading, mined)), fetched));
        }
        let known = self.known_items(source)?;
        let recognised = known.knows(&mined.feed);
        let wanted = (known.addresses.len().min(mined.feed.entries.len()) * 3 / 10).max(2);
        let is_better =
            mined.feed.entries.len() > reading.feed.entries.len() || known.knows(&reading.feed) < recognised;
        let is_declined = mined.select.is_some() && mined.select == memory.declined;
        if recognised >= wanted && is_better && !is_declined {
            return Ok((relearn_selectors(source, memory, select, mined, now), fetched));
        }
        if !reading.feed.entries.is_empty() {
            return Ok((keep(memory, reading), fetched));
        }
        if is_declined {
            return Err(ReadError::NoListing(DECLINED.into()));
        }
        let has_listed = known.addresses.len() >= LISTED_MIN;
        let is_bare = mined.feed.entries.is_empty();
        let item = select.map(|select| select.item).unwrap_or_default();
        let fetched = self.check_empty(fetched, &item, is_bare, has_listed).await?;
        let mut listing = keep(memory, reading);
        listing.feed.problems = vec!["the page is empty: its selectors find no entry, and there is nothing else on it that could be one".into()];
        Ok((listing, fetched))
    }

    /// Whether a page on which selectors find nothing is just empty; otherwise the reason why it cannot be.
    async fn check_empty(
        &self,
        fetched: Fetched,
        item: &str,
        is_bare: bool,
        has_listed: bool,
    ) -> Result<Fetched, ReadError> {
        let (fetched, has_container) = self.has_container(fetched, item).await?;
        check_emptiness(has_container, item, is_bare, has_listed).map(|()| fetched)
    }

    /// Whether a page still has what its entries stood in.
    async fn has_container(&self, fetched: Fetched, item: &str) -> Result<(Fetched, bool), ReadError> {
        let Some(css) = container_of(item) else { return Ok((fetched, false)) };
        let read = move || {
            let found = extract::page_has(document(&fetched), &css);
            (fetched, found)
        };
        apart(self.client.deadline(), read).await
    }

    /// How to read the page with selectors, or, without, among the entries that are known of it.
    fn rules_for(
        &self,
        source: &Source,
        select: Option<Select>,
        rules: &PageRules,
    ) -> Result<PageRules, ReadError> {
        let known = if select.is_none() { self.known_items(source)?.addresses } else { Arc::default() };
        Ok(PageRules { select, known, ..rules.clone() })
    }

    fn known_items(&self, source: &Source) -> Result<KnownItems, ReadError> {
        let (addresses, titles) =
            self.store.read(|r| r.intake().known_items(&source.id)).map_err(anyhow::Error::from)?;
        Ok(KnownItems { addresses: Arc::new(addresses), titles })
    }
}

/// Whether one address led to another that is no place for what was asked: neither below it, nor of the same name, nor called news.
fn leads_away(asked: &Url, found: &Url) -> bool {
    let plain = |url: &Url| without_index(url.path()).trim_end_matches('/').to_ascii_lowercase();
    let (asked, there) = (plain(asked), plain(found));
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let is_same = there.starts_with(&asked) || last(&asked) == last(&there);
    !is_same && !extract::is_address_of_news(found)
}

/// What is said of a page that could be read with selectors that the operator did not want.
const DECLINED: &str = "its selectors find no entry, and those that were found in their place were declined: give it a [source.select], or ask `courant probe` for one";

/// The container of a page's entries: the selector without its last part.
fn container_of(item: &str) -> Option<String> {
    let (container, _) = item.rsplit_once([' ', '>'])?;
    Some(container.trim_end_matches([' ', '>']).to_owned())
}

fn dated(feed: &RawFeed) -> usize {
    feed.entries.iter().filter(|entry| entry.published.is_some() || entry.event.is_some()).count()
}

/// Whether a page on which selectors find nothing is just empty: its container is still there, or nothing was ever listed and nothing
/// could be. Otherwise it is another page now.
fn check_emptiness(
    has_container: bool,
    item: &str,
    is_bare: bool,
    has_listed: bool,
) -> Result<(), ReadError> {
    if has_container || is_bare && !has_listed {
        return Ok(());
    }
    Err(ReadError::NoListing(if is_bare {
        "nothing that it listed is left on the page, and there is nothing else on it that could be an entry: it may be an error page, or an empty one".into()
    } else {
        format!(
            "the container of the entries is gone: \"{item}\" finds nothing, and nothing on the page is known to us; it was redesigned, ask `courant probe` for new selectors"
        )
    }))
}

/// A page that listed so many entries does not just happen to have none.
const LISTED_MIN: usize = 3;

/// Whether a reading collapsed: no entries, fewer than a third of before, one title for all, or no dates where there were some.
fn has_collapsed(feed: &RawFeed, memory: &LearnedPage) -> bool {
    let count = feed.entries.len();
    let titles: HashSet<&str> = feed
        .entries
        .iter()
        .filter_map(|entry| entry.title.as_ref())
        .map(|title| title.value.as_str())
        .collect();
    let few = memory.count >= 4 && count * 3 < memory.count;
    let same_titles = count >= 3 && titles.len() * 3 <= count;
    let no_dates =
        memory.count >= 3 && memory.dated * 10 >= memory.count * 8 && count >= 3 && dated(feed) * 5 < count;
    count == 0 || few || same_titles || no_dates
}

fn keep(memory: &LearnedPage, reading: PageReading) -> ListingReading {
    let (count, dated) = if reading.feed.entries.is_empty() {
        (memory.count, memory.dated)
    } else {
        (reading.feed.entries.len(), dated(&reading.feed))
    };
    let memory =
        LearnedPage { count, dated, way: reading.way.map(|way| way.name().to_owned()), ..memory.clone() };
    ListingReading { feed: reading.feed, memory, is_mended: false }
}

/// Whether the page, read anew, lists all that its learned selectors find, and more: what is made otherwise is listed since.
fn lists_more(mined: &RawFeed, read: &RawFeed) -> bool {
    let name = |entry: &RawEntry| {
        let title = entry.title.as_ref().filter(|_| entry.is_of_listing);
        (entry.url().map(str::to_owned), title.map(|title| title.value.clone()))
    };
    let mined: HashSet<_> = mined.entries.iter().map(name).collect();
    mined.len() > read.entries.len() && read.entries.iter().all(|entry| mined.contains(&name(entry)))
}

/// The learned selectors determine the entries; mining knows more details of each.
fn with_details(mut reading: PageReading, mined: PageReading) -> PageReading {
    let mut details: HashMap<String, RawEntry> =
        mined.feed.entries.into_iter().filter_map(|entry| Some((entry.url()?.to_owned(), entry))).collect();
    for entry in reading.feed.entries.iter_mut().filter(|entry| !entry.is_of_listing) {
        if let Some(detail) = entry.url().and_then(|url| details.remove(url)) {
            *entry = detail;
        }
    }
    reading
}

/// The first reading without selectors: what was found is stored as learned.
fn learn(source: &Source, memory: &LearnedPage, reading: PageReading) -> ListingReading {
    let learned = reading.select.clone();
    let mut listing = keep(memory, reading);
    listing.memory.learned = learned;
    listing.memory.instead_of = source.select.clone();
    listing
}

fn relearn_selectors(
    source: &Source,
    memory: &LearnedPage,
    old: Option<Select>,
    mined: PageReading,
    now: Timestamp,
) -> ListingReading {
    let name = |select: &Option<Select>| {
        select.as_ref().map_or_else(|| "no selectors".to_owned(), |select| format!("\"{}\"", select.item))
    };
    let mended = format!(
        "mended on {}: the page was redesigned; old selectors {}, new {}",
        now.strftime("%Y-%m-%d"),
        name(&old),
        name(&mined.select)
    );
    tracing::warn!(source.id = source.id, "{mended}");
    let mut listing = learn(source, memory, mined);
    listing.memory.mended = Some(mended);
    listing.memory.former = old;
    listing.memory.declined = None;
    listing.is_mended = true;
    listing
}

async fn extract_listing(
    deadline: Duration,
    fetched: Fetched,
    rules: PageRules,
) -> Result<(Fetched, Result<PageReading, ExtractError>), ReadError> {
    let task = move || {
        let result = extract::read_page(document(&fetched), &rules);
        (fetched, result)
    };
    apart(deadline, task).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_leads_to_another_kind_of_page_leads_away() {
        let url = |path: &str| Url::parse(&format!("https://x.org{path}")).unwrap();
        for (to, is_away) in [
            ("/", true),
            ("/fr/", true),
            ("/accueil", true),
            ("/town/services", true),
            ("/press/", false),
            ("/en/press", false),
            ("/press/2027", false),
            ("/press/index.php", false),
            ("/en/all-news", false),
        ] {
            assert_eq!(leads_away(&url("/press"), &url(to)), is_away, "{to}");
        }
        assert!(!leads_away(&url("/"), &url("/en/")));
    }
}
