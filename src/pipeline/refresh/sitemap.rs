//! A sitemap as a source: the newest of its addresses, from the newest sitemaps of an index. What a page is called, its own page
//! says; the date in a sitemap is that of the last change.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::document::RawDocument;
use super::extraction::{apart, document};
use super::read_error::ReadError;
use super::refresher::Refresher;
use crate::extract::{self, ExtractError, Sitemap};
use crate::fetch::client::{Accept, FetchOutcome, Fetched};
use crate::model::feed::{FeedFormat, RawEntry, RawFeed};
use crate::model::source::{LearnedPage, Source, Validators};

/// Addresses taken of a sitemap: as many as there are pages that one refresh may ask for.
const ADDRESSES_MAX: usize = super::pages::ITEM_PAGES_MAX;
/// Sitemaps of an index that are read, the newest.
const SITEMAPS_MAX: usize = 5;
/// Levels of a site that lists are looked for on.
const DEPTH_MAX: usize = 8;
/// Words in the names of sitemaps that hold no stories.
const LISTS: [&str; 7] = ["category", "categories", "tag", "author", "taxonom", "image", "video"];

/// Ends of the names of files that have no title to be read.
const FILES: [&str; 16] = [
    "pdf", "jpg", "jpeg", "png", "gif", "webp", "svg", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "zip",
    "mp3", "mp4",
];

impl Refresher {
    /// Reads a sitemap, or those that an index names.
    pub(super) async fn read_sitemap(
        &self,
        source: &Source,
        fetched: Fetched,
        time: &mut Duration,
        now: Timestamp,
    ) -> Result<RawDocument, ReadError> {
        let (fetched, sitemap) = read_apart(self.client.deadline(), fetched).await?;
        let Sitemap { mut entries, sitemaps, is_cut } = sitemap?;
        let mut feed = RawFeed { format: FeedFormat::Sitemap, is_cut, ..RawFeed::default() };
        // That the index did not change says nothing of what it names.
        feed.is_of_today = !sitemaps.is_empty();
        for link in chosen(sitemaps) {
            match self.read_part(&fetched.url, &link, time, now).await {
                Ok(part) => {
                    feed.is_cut |= part.is_cut;
                    entries.extend(part.entries);
                }
                Err(ReadError::Internal(error)) => return Err(error.into()),
                Err(error) => feed.problems.push(format!("the sitemap {link} was not read: {error}")),
            }
        }
        if entries.is_empty() && !feed.problems.is_empty() {
            return Err(ReadError::NoFeed(feed.problems.swap_remove(0)));
        }
        let (entries, problem) = newest(entries, source);
        feed.entries = entries;
        feed.problems.extend(problem);
        let page = LearnedPage { way: Some("sitemap".to_owned()), ..LearnedPage::default() };
        Ok(RawDocument::new(feed, fetched, None, page))
    }

    async fn read_part(
        &self,
        index: &Url,
        link: &str,
        time: &mut Duration,
        now: Timestamp,
    ) -> Result<Sitemap, ReadError> {
        let url = index.join(link).map_err(|_| ReadError::NoFeed("its address is not valid".into()))?;
        let fetched =
            match self.client.get_within(&url, &Validators::default(), Accept::Feed, now, time).await? {
                FetchOutcome::Document(fetched) => *fetched,
                FetchOutcome::NotModified(_) => return Ok(Sitemap::default()),
            };
        let is_cut = fetched.cut.is_some();
        let sitemap = read_apart(self.client.deadline(), fetched).await?.1?;
        Ok(Sitemap { is_cut: sitemap.is_cut || is_cut, ..sitemap })
    }
}

async fn read_apart(
    deadline: Duration,
    fetched: Fetched,
) -> Result<(Fetched, Result<Sitemap, ExtractError>), ReadError> {
    let task = move || {
        let sitemap = extract::read_sitemap(document(&fetched));
        (fetched, sitemap)
    };
    apart(deadline, task).await
}

/// Whether an address is that of a file and not of a page.
fn is_file(url: &Url) -> bool {
    let name = url.path().rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    name.rsplit_once('.').is_some_and(|(_, extension)| FILES.contains(&extension))
}

/// The newest sitemaps of an index; lists of topics, people and pictures only where there is nothing else.
fn chosen(mut sitemaps: Vec<(String, Option<Timestamp>)>) -> Vec<String> {
    let is_list = |address: &str| {
        let name = address.rsplit('/').next().unwrap_or(address).to_ascii_lowercase();
        LISTS.iter().any(|word| name.contains(word))
    };
    if sitemaps.iter().any(|(address, _)| !is_list(address)) {
        sitemaps.retain(|(address, _)| !is_list(address));
    }
    sitemaps.sort_by_key(|(_, changed)| std::cmp::Reverse(*changed));
    sitemaps.into_iter().map(|(address, _)| address).take(SITEMAPS_MAX).collect()
}

/// The pages that changed last, of those that the source's rules let through: each once, without the front page and without those
/// that others stand below, which are lists. With what is wrong with them.
fn newest(entries: Vec<RawEntry>, source: &Source) -> (Vec<RawEntry>, Option<String>) {
    let parents: HashSet<String> =
        entries.iter().filter_map(|entry| Some(places(entry.url()?))).flatten().collect();
    let mut seen = HashSet::new();
    let is_story = |entry: &RawEntry| {
        let Some(url) = entry.url().and_then(|url| Url::parse(url).ok()) else { return false };
        let is_list = url.query().is_none() && parents.contains(&place(&url));
        !is_list && !is_file(&url) && source.filter.accepts_url(url.as_str())
    };
    let mut entries: Vec<RawEntry> = entries.into_iter().filter(is_story).collect();
    entries.retain(|entry| entry.url().is_some_and(|url| seen.insert(url.to_owned())));
    let undated = entries.iter().all(|entry| entry.updated.is_none() && entry.published.is_none());
    let problem = (undated && entries.len() > ADDRESSES_MAX).then(|| {
        format!("the sitemap does not say when pages changed (lastmod): its first {ADDRESSES_MAX} addresses were read")
    });
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.published.max(entry.updated)));
    entries.truncate(ADDRESSES_MAX);
    (entries, problem)
}

/// Host and path, without a final slash.
fn place(url: &Url) -> String {
    format!("{}{}", url.host_str().unwrap_or_default(), url.path().trim_end_matches('/'))
}

/// The places above an address, that of the front page always among them.
fn places(address: &str) -> Vec<String> {
    let Ok(url) = Url::parse(address) else { return Vec::new() };
    let own = place(&url);
    let root = url.host_str().unwrap_or_default().to_owned();
    own.match_indices('/').take(DEPTH_MAX).map(|(at, _)| own[..at].to_owned()).chain([root]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_index_the_newest_sitemaps_of_stories_are_read() {
        let at = |day: u8| format!("2022-10-{day:02}T00:00:00Z").parse().ok();
        let named = |names: &[(&str, u8)]| {
            chosen(
                names.iter().map(|(name, day)| (format!("https://x.example/{name}.xml"), at(*day))).collect(),
            )
        };
        assert_eq!(
            named(&[
                ("post-sitemap", 3),
                ("post-sitemap2", 9),
                ("category-sitemap", 10),
                ("page-sitemap", 5)
            ]),
            ["post-sitemap2", "page-sitemap", "post-sitemap"]
                .map(|name| format!("https://x.example/{name}.xml"))
        );
        assert_eq!(named(&[("author-sitemap", 3)]).len(), 1);
    }

    #[test]
    fn what_others_stand_below_is_a_list() {
        assert_eq!(
            places("https://x.example/news/2022/a/"),
            ["x.example", "x.example/news", "x.example/news/2022", "x.example"]
        );
        assert_eq!(places("https://x.example/"), ["x.example"]);
    }
}
