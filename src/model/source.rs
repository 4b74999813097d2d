//! A source: a feed or web page to read, and the state of its last reading.

use std::collections::HashMap;
use std::ops::Deref;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, Serializer};

use super::account;
use super::address::parse_web_url;
use super::feed::FeedFormat;

/// The operator hears of a source that failed so often in a row: once is an accident.
pub const FAILURES_NOTIFIED: u32 = 3;

/// What stands behind the address of a source. All that sets a kind apart is said here.
#[derive(Debug, Clone, Copy)]
pub struct SourceKind {
    /// The name in the configuration.
    pub name: &'static str,
    /// Whether it is requested as a feed; otherwise it is a page, and robots.txt is checked first.
    pub may_be_feed: bool,
    /// Whether stories are read from a page that lists them; otherwise a page is only searched for the feed it names.
    pub may_be_listing: bool,
    /// Nothing else will do, whatever stands at the address.
    pub format: Option<FeedFormat>,
    /// Where to read what is configured as its address; else a sentence that says what is wrong with it.
    pub address: fn(&str) -> Result<url::Url, String>,
}

impl SourceKind {
    pub const FEED: SourceKind = SourceKind {
        name: "feed",
        may_be_feed: true,
        may_be_listing: false,
        format: None,
        address: source_address,
    };
    pub const PAGE: SourceKind = SourceKind {
        name: "page",
        may_be_feed: false,
        may_be_listing: true,
        format: None,
        address: source_address,
    };
    /// Whatever it turns out to be: a feed, a page that names its feed, or a listing.
    pub const AUTO: SourceKind = SourceKind {
        name: "auto",
        may_be_feed: true,
        may_be_listing: true,
        format: None,
        address: source_address,
    };
    /// A calendar (iCalendar), or a page that names one.
    pub const CALENDAR: SourceKind =
        SourceKind { name: "calendar", format: Some(FeedFormat::Calendar), ..SourceKind::FEED };
    /// The feed of a Mastodon account, by the address of the account.
    pub const MASTODON: SourceKind =
        SourceKind { name: "mastodon", address: account_address, ..SourceKind::FEED };
    /// The public page of a Telegram channel, by the address of the channel.
    pub const TELEGRAM: SourceKind = SourceKind {
        name: "telegram",
        may_be_feed: false,
        may_be_listing: false,
        format: Some(FeedFormat::Telegram),
        address: channel_address,
    };
    /// A sitemap, or an index of some: the pages that changed last.
    pub const SITEMAP: SourceKind =
        SourceKind { name: "sitemap", format: Some(FeedFormat::Sitemap), ..SourceKind::FEED };
    /// Newsletters by mail: in a mailbox, or to an address that a mail server hands over.
    pub const MAIL: SourceKind = SourceKind {
        name: "mail",
        may_be_feed: false,
        may_be_listing: false,
        format: Some(FeedFormat::Mail),
        address: mail_address,
    };
    /// All that can be configured.
    pub const ALL: [SourceKind; 8] = [
        SourceKind::FEED,
        SourceKind::PAGE,
        SourceKind::AUTO,
        SourceKind::CALENDAR,
        SourceKind::MASTODON,
        SourceKind::TELEGRAM,
        SourceKind::SITEMAP,
        SourceKind::MAIL,
    ];

    /// The kind that an address implies, if the configuration names none.
    pub fn of_address(text: &str) -> SourceKind {
        let is_telegram = url::Url::parse(text).is_ok_and(|url| account::is_telegram(&url));
        match account::feed_of_handle(text) {
            Some(_) => SourceKind::MASTODON,
            None if is_telegram => SourceKind::TELEGRAM,
            None => SourceKind::AUTO,
        }
    }

    /// Whether the pages of a sitemap are read where one stands.
    pub fn may_be_sitemap(&self) -> bool {
        self.format == Some(FeedFormat::Sitemap) || (self.may_be_feed && self.may_be_listing)
    }

    /// Mail comes from it, and its address is nobody's but the operator's.
    pub fn is_mail(&self) -> bool {
        self.format == Some(FeedFormat::Mail)
    }

    /// Whether feed readers can read what stands at the address, or find it from there.
    pub fn is_for_readers(&self) -> bool {
        self.may_be_feed && self.format.is_none()
    }
}

fn source_address(text: &str) -> Result<url::Url, String> {
    // What calendars are linked with is read over HTTPS.
    let https = text.strip_prefix("webcal://").map(|rest| format!("https://{rest}"));
    parse_web_url(https.as_deref().unwrap_or(text))
}

fn account_address(text: &str) -> Result<url::Url, String> {
    let feed = account::feed_of_handle(text)
        .or_else(|| source_address(text).ok().and_then(|page| account::feed_of_account(&page)));
    feed.ok_or_else(|| {
        format!("\"{text}\" is not the address of an account: write \"@name@host\" or \"https://host/@name\"")
    })
}

fn channel_address(text: &str) -> Result<url::Url, String> {
    let name = text.strip_prefix('@').map(|name| format!("https://t.me/{name}"));
    let url = source_address(name.as_deref().unwrap_or(text))?;
    if !account::is_telegram(&url) {
        return Ok(url);
    }
    account::telegram_page(&url).ok_or_else(|| {
        format!("\"{text}\" is not the address of a public channel: write \"https://t.me/NAME\"")
    })
}

fn mail_address(text: &str) -> Result<url::Url, String> {
    let wanted =
        "write \"imaps://USER@HOST/FOLDER\", or \"mailto:ADDRESS\" for what a mail server hands over";
    match url::Url::parse(text) {
        Ok(url) if url.scheme() == "mailto" && url.path().contains('@') => Ok(url),
        Ok(url) if url.password().is_some() => {
            Err("the password of a mailbox does not stand in its address: write password = \"env:NAME\""
                .into())
        }
        Ok(url)
            if matches!(url.scheme(), "imap" | "imaps")
                && url.host_str().is_some()
                && !url.username().is_empty() =>
        {
            Ok(url)
        }
        _ => Err(format!("\"{text}\" is not a mailbox: {wanted}")),
    }
}

impl Serialize for SourceKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

/// Where the dates of a page's entries are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateFrom {
    #[default]
    Card,
    /// From the entry's own page, which is fetched once.
    Item,
}

/// How 03/04/2022 is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DateOrder {
    #[default]
    Dmy,
    Mdy,
    Ymd,
}

/// `[source.select]`: CSS selectors for a listing page, each relative to the item except `item` and `next`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Select {
    pub item: String,
    pub title: Option<String>,
    pub link: Option<String>,
    pub summary: Option<String>,
    pub date: Option<String>,
    pub image: Option<String>,
    pub next: Option<String>,
}

/// The password of a mailbox; never printed.
#[derive(Clone, Default)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What is read of the mail that comes.
#[derive(Debug, Clone, Default)]
pub struct MailRules {
    pub password: Password,
    /// Addresses, domains and lists; all where there are none.
    pub from: Vec<String>,
}

/// The configured sources, in their order. They are looked up for each entry that is published, so by id and not by going through
/// all of them.
#[derive(Debug, Clone, Default)]
pub struct SourceList {
    sources: Vec<Source>,
    places: HashMap<String, usize>,
}

impl SourceList {
    /// The source with an id; the first, where several have it.
    pub fn by_id(&self, id: &str) -> Option<&Source> {
        self.sources.get(*self.places.get(id)?)
    }
}

impl FromIterator<Source> for SourceList {
    fn from_iter<I: IntoIterator<Item = Source>>(sources: I) -> SourceList {
        let sources: Vec<Source> = sources.into_iter().collect();
        let mut places = HashMap::with_capacity(sources.len());
        for (place, source) in sources.iter().enumerate() {
            places.entry(source.id.clone()).or_insert(place);
        }
        SourceList { sources, places }
    }
}

impl Deref for SourceList {
    type Target = [Source];

    fn deref(&self) -> &[Source] {
        &self.sources
    }
}

/// `[[source]]` of the configuration.
#[derive(Debug, Clone)]
pub struct Source {
    pub id: String,
    /// Its place in the configuration, from 0.
    pub position: u32,
    pub partner: String,
    pub kind: SourceKind,
    pub url: url::Url,
    pub language: Option<String>,
    pub tags: Vec<String>,
    pub interval_seconds: u64,
    /// Whether the interval is set in the source itself, not in `[defaults]`.
    pub is_interval_fixed: bool,
    pub is_enabled: bool,
    pub date_from: DateFrom,
    /// As configured.
    pub date_order: Option<DateOrder>,
    pub select: Option<Select>,
    /// For mail.
    pub mail: MailRules,
    /// Its page is shown by a browser first (`[fetch] renderer`).
    pub is_rendered: bool,
    /// The items' own pages are fetched and their articles kept.
    pub has_full_text: bool,
    pub filter: super::filter::Filter,
}

impl Source {
    /// The address that others may see: without a password, and none of a mailbox.
    pub fn public_address(&self) -> Option<String> {
        (!self.kind.is_mail()).then(|| super::address::without_credentials(self.url.as_str()))
    }

    /// The address that mail for it is sent to, where a mail server hands it over: nobody asks for it.
    pub fn mail_address(&self) -> Option<&str> {
        (self.url.scheme() == "mailto").then(|| self.url.path())
    }
}

/// HTTP validators (RFC 9110 section 8.8), sent back exactly as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

/// How often a source has been seen to publish.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsRhythm {
    /// The first success.
    pub since: Option<Timestamp>,
    /// The last poll that brought news.
    pub news_at: Option<Timestamp>,
    /// The smoothed time between two such polls, in seconds.
    pub news_gap_seconds: Option<u64>,
    pub news_count: u32,
}

impl NewsRhythm {
    /// The rhythm after a poll at `now`.
    pub fn after(self, now: Timestamp, has_news: bool) -> NewsRhythm {
        let since = self.since.or(Some(now));
        if !has_news {
            return NewsRhythm { since, ..self };
        }
        let gap = self.news_at.map(|last| u64::try_from(now.duration_since(last).as_secs()).unwrap_or(0));
        let news_gap_seconds = match (self.news_gap_seconds, gap) {
            (Some(old), Some(new)) => Some((old * 3 + new) / 4),
            (old, new) => old.or(new),
        };
        NewsRhythm {
            since,
            news_at: Some(now),
            news_gap_seconds,
            news_count: self.news_count.saturating_add(1),
        }
    }
}

/// A permanent redirect under observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingMove {
    pub to: String,
    /// Number of consecutive polls in which it led to a good document.
    pub seen: u32,
}

/// The place in the address of a renderer where that of the page goes.
pub const RENDERER_PLACE: &str = "{url}";

/// Polls after which a permanent redirect is believed: sites are parked, and mended again.
pub const MOVE_SEEN_MIN: u32 = 3;

/// The stored state of a source between readings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FetchState {
    /// The configured address that this state is for; it is reset if that changes.
    pub url: String,
    pub validators: Validators,
    pub last_attempt: Option<Timestamp>,
    pub last_success: Option<Timestamp>,
    /// When a document was last read, regardless of later 304s.
    pub read_at: Option<Timestamp>,
    /// A sentence; `None` after a success.
    pub last_error: Option<String>,
    /// Whether what failed last is that its page shows no listing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_unlisted: bool,
    /// A fault in a document that was readable all the same.
    pub warning: Option<String>,
    /// Failures in a row.
    pub failures: u32,
    pub next_poll: Option<Timestamp>,
    /// The reason for the time of the next poll.
    pub next_poll_reason: Option<String>,
    /// The server answered 410: not polled again until the configured address changes.
    pub is_gone: bool,
    /// A feed named by the page at the source's address.
    pub feed_url: Option<String>,
    pub moved: Option<PendingMove>,
    /// `max-age` or `Expires` of the last response in seconds, for later 304s.
    pub fresh_seconds: Option<u64>,
    pub hints: super::feed::PollHints,
    pub rhythm: NewsRhythm,
    /// The feed's own address and its hub (WebSub).
    pub hub: Option<Hub>,
    /// What was learned of a page.
    pub page: LearnedPage,
    /// The order of dates in figures that the last document showed that had a date to tell it by.
    pub date_order: Option<DateOrder>,
}

/// What somebody can do about a source that is not well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceCare {
    /// Its server says that it is gone.
    Gone,
    /// It failed several times.
    Failing,
    /// It failed once, which passes.
    Once,
    /// It was read, and something is odd.
    Warning,
}

impl SourceCare {
    /// The phrase that says so to an operator.
    pub fn operator_phrase(self) -> &'static str {
        match self {
            SourceCare::Gone => "admin_do_gone",
            SourceCare::Failing => "admin_do_failing",
            SourceCare::Once => "admin_do_once",
            SourceCare::Warning => "admin_do_warning",
        }
    }

    /// The phrase that says so to the partner whose source it is.
    pub fn partner_phrase(self) -> &'static str {
        match self {
            SourceCare::Gone => "partner_do_gone",
            SourceCare::Failing => "partner_do_failing",
            SourceCare::Once => "admin_do_once",
            SourceCare::Warning => "admin_do_warning",
        }
    }
}

/// The structure of a page at its last good reading, to detect a collapse and to reuse what was learned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LearnedPage {
    /// How its entries were found, in words.
    pub way: Option<String>,
    /// Selectors learned for a page without configured ones, or in place of those that failed.
    pub learned: Option<Select>,
    /// The configured selectors that `learned` replaces.
    pub instead_of: Option<Select>,
    /// Whether machine-readable endpoints were looked for.
    pub is_explored: bool,
    /// Numbers of entries, and of dated ones, in the last good reading.
    pub count: usize,
    pub dated: usize,
    /// What was repaired and when, in words.
    pub mended: Option<String>,
    /// The selectors that those learned last replaced, until the operator says which hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former: Option<Select>,
    /// Selectors that the operator did not want: they are not learned again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declined: Option<Select>,
    /// When the page itself was last looked at, where a feed stands in for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked: Option<Timestamp>,
}

impl LearnedPage {
    /// The selectors that were mended, and those before, until the operator says which hold.
    pub fn mend(&self) -> Option<(&Select, &Select)> {
        self.former.as_ref().zip(self.learned.as_ref())
    }

    /// The operator keeps what was mended.
    pub fn accepted(&self) -> LearnedPage {
        LearnedPage { former: None, mended: None, ..self.clone() }
    }

    /// The operator goes back to the selectors before, be they configured or learned; those that were mended are not learned again.
    pub fn taken_back(&self, configured: Option<&Select>) -> LearnedPage {
        let learned = self.former.clone().filter(|former| Some(former) != configured);
        let declined = self.learned.clone();
        LearnedPage { former: None, mended: None, learned, declined, ..self.clone() }
    }
}

/// A page for which a feed stands in is looked at after this time: the feed may have stopped, or tell of less.
const LOOKED_EVERY: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The hub that a feed declares (WebSub section 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hub {
    pub url: String,
    pub topic: String,
}

impl FetchState {
    /// What somebody can do about it, if anything is wrong.
    pub fn care(&self) -> Option<SourceCare> {
        match (self.is_gone, &self.last_error, &self.warning) {
            (true, ..) => Some(SourceCare::Gone),
            (false, Some(_), _) if self.failures > 1 => Some(SourceCare::Failing),
            (false, Some(_), _) => Some(SourceCare::Once),
            (false, None, Some(_)) => Some(SourceCare::Warning),
            (false, None, None) => None,
        }
    }

    /// The state in which the page itself is asked once more in the place of the feed that stands in for it, where that is due.
    pub fn looking_at_the_page(&self, now: Timestamp) -> Option<FetchState> {
        self.feed_url.as_ref()?;
        let is_recent =
            self.page.looked.is_some_and(|looked| now.duration_since(looked).abs() < LOOKED_EVERY);
        let page = LearnedPage { is_explored: false, looked: Some(now), ..self.page.clone() };
        let asked = FetchState { feed_url: None, validators: Validators::default(), page, ..self.clone() };
        (!is_recent).then_some(asked)
    }

    /// The address to request: the feed that the page named, or the target of a trusted redirect, or the configured one.
    pub fn address(&self, configured: &url::Url) -> url::Url {
        let moved = self.moved.as_ref().filter(|moved| moved.seen >= MOVE_SEEN_MIN).map(|moved| &moved.to);
        let remembered = self.feed_url.as_ref().or(moved);
        remembered.and_then(|url| url::Url::parse(url).ok()).unwrap_or_else(|| configured.clone())
    }
}
