//! Reads RSS 0.9x, 1.0 and 2.0, Atom 0.3 and 1.0, and CDF from a decoded document into a `RawFeed`. One reader serves all of
//! them, since feeds mix their vocabularies freely. It neither sanitises nor invents identifiers.

pub(super) mod convention;
mod entry;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::civil::Date;
use url::Url;

use self::convention::DateConvention;
use self::entry::keep_first;
use super::date::{ReadDate, is_short, parse_date};
use super::dated_address::year_in_address;
use super::prose_date::{AmbiguousDates, DateRules, day_in_figures, day_without_year, midnight};
use super::xml::{Cursor, Element, TextMode, Vocabulary};
use crate::model::feed::{FeedFormat, Link, Person, RawEntry, RawFeed, RawText};
use crate::model::source::DateOrder;
use crate::support::text::fitting;

/// Maximum number of entries read from a document: the largest archives in practice have a few thousand.
pub(super) const ENTRIES_MAX: usize = 10_000;
/// Maximum number of authors, tags, links and enclosures kept of an entry.
const PARTS_MAX: usize = 64;
/// Characters of a date that a note quotes.
const NOTE_CHARS_MAX: usize = 60;
const ENTRY_NAMES: [&str; 2] = ["item", "entry"];

/// Reads an XML feed. `None` if it contains no feed element. Ambiguous numeric dates are read in the order of `rules`, unless the
/// unambiguous ones show the other order.
pub(super) fn read_feed(text: &str, base: Option<Url>, rules: DateRules) -> Option<RawFeed> {
    let mut habit = DateConvention::of(rules);
    let mut feed = read_in(text, base.clone(), &mut habit);
    if let Some(shown) = habit.with_year_shown() {
        habit = shown;
        feed = read_in(text, base.clone(), &mut habit);
    }
    let shown = habit.shown();
    let feed = match shown {
        Some(order) if order != rules.order && habit.is_ambiguous => {
            read_in(text, base, &mut habit.in_order(order))
        }
        None if rules.order == DateOrder::default() && habit.is_ambiguous => {
            let other = read_in(text, base, &mut habit.in_order(DateOrder::Mdy));
            match (feed, other) {
                (Some(feed), Some(other)) if is_month_first(&feed, &other, habit, rules.now) => Some(other),
                (feed, _) => feed,
            }
        }
        _ => feed,
    };
    feed.map(|feed| RawFeed { date_order: shown, ..feed })
}

/// Whether of two readings of a feed, with the day first and with the month first, the second is the right one.
fn is_month_first(
    day_first: &RawFeed,
    month_first: &RawFeed,
    habit: DateConvention,
    now: Option<jiff::Timestamp>,
) -> bool {
    let days = |feed: &RawFeed| feed.entries.iter().filter_map(|entry| entry.published).collect();
    let open = AmbiguousDates {
        day_first: days(day_first),
        month_first: days(month_first),
        has_half_day: habit.has_half_day,
    };
    open.is_month_first(day_first.language.as_deref(), now)
}

fn read_in(text: &str, base: Option<Url>, habit: &mut DateConvention) -> Option<RawFeed> {
    let mut reader = FeedReader {
        cursor: Cursor::new(text, base),
        feed: RawFeed::default(),
        has_root: false,
        habit: *habit,
        now: habit.now(),
        days_without_year: Vec::new(),
    };
    while let Some(root) = reader.cursor.next_child(0) {
        reader.read_root(&root);
    }
    reader.give_years();
    let FeedReader { cursor, mut feed, has_root, habit: shown, .. } = reader;
    *habit = shown;
    feed.is_cut = cursor.is_cut();
    // An entry that was cut off may lack its very identifier.
    if cursor.open_inside(&ENTRY_NAMES).is_some_and(|inside| inside > 0) && feed.entries.len() > 1 {
        feed.entries.pop();
    }
    feed.problems.extend(cursor.into_problems());
    (has_root || !feed.entries.is_empty()).then_some(feed)
}

struct FeedReader<'a> {
    cursor: Cursor<'a>,
    feed: RawFeed,
    has_root: bool,
    habit: DateConvention,
    now: Option<jiff::Timestamp>,
    /// Entries whose date of publication has no year, by their positions, with its month and day.
    days_without_year: Vec<(usize, (i8, i8))>,
}

/// What a registered relation may be written behind (RFC 4287 section 4.2.7.2).
const IANA_RELATION: &str = "http://www.iana.org/assignments/relation/";

impl<'a> FeedReader<'a> {
    /// Reads the outermost elements: `rss`, `feed`, `rdf:RDF`, `channel`; others around them are transparent.
    fn read_root(&mut self, root: &Element<'a>) {
        let format = match (root.vocabulary, root.name.as_ref()) {
            (Vocabulary::Rdf, "rdf") => FeedFormat::Rdf,
            (_, "rss") => FeedFormat::Rss,
            (Vocabulary::Core | Vocabulary::Atom, "feed") => FeedFormat::Atom,
            (Vocabulary::Core, "channel") if root.qualified() == "CHANNEL" => FeedFormat::Cdf,
            (Vocabulary::Core, "channel") => FeedFormat::Rss,
            _ => FeedFormat::Unknown,
        };
        if format != FeedFormat::Unknown {
            self.has_root = true;
            self.feed.format = format;
        } else if ENTRY_NAMES.contains(&root.name.as_ref()) {
            return self.read_entry(root);
        }
        if root.name == "channel" {
            self.read_cdf_attributes(root);
        }
        self.read_channel(root);
    }

    fn read_cdf_attributes(&mut self, channel: &Element<'a>) {
        if let Some(href) = self.cursor.attribute(channel, "href") {
            self.feed.links.push(self.link(&href));
        }
        if let Some(date) = self.cursor.attribute(channel, "lastmod") {
            self.feed.updated = parse_date(&date);
        }
    }

    /// An alternate link to `href`.
    fn link(&self, href: &str) -> Link {
        Link { href: self.cursor.resolve(href), rel: "alternate".into(), media_type: None, hreflang: None }
    }

    /// Reads the children of a feed or channel, at whatever depth a broken document puts them.
    fn read_channel(&mut self, parent: &Element<'a>) {
        if self.feed.language.is_none() {
            self.feed.language = self.cursor.language().map(str::to_owned);
        }
        while let Some(child) = self.cursor.next_child(parent.depth) {
            let is_core = matches!(child.vocabulary, Vocabulary::Core | Vocabulary::Atom);
            match child.name.as_ref() {
                "item" | "entry" if is_core => self.read_entry(&child),
                "channel" if is_core => {
                    self.read_cdf_attributes(&child);
                    self.read_channel(&child);
                }
                "image" | "textinput" | "cloud" | "items" if is_core => self.cursor.skip(&child),
                _ => self.read_channel_part(&child),
            }
        }
    }

    fn read_channel_part(&mut self, child: &Element<'a>) {
        use Vocabulary::{Atom, Core, DcTerms, DublinCore, Itunes};
        match (child.vocabulary, child.name.as_ref()) {
            (Core | Atom, "title") | (DublinCore, "title") => {
                let title = self.read_text(child, false);
                keep_first(&mut self.feed.title, title);
            }
            (Core | Atom, "description" | "tagline" | "subtitle" | "abstract")
            | (Itunes, "subtitle" | "summary")
            | (DublinCore, "description") => {
                let text = self.read_text(child, false);
                keep_first(&mut self.feed.description, text);
            }
            (Core | Atom, "link") => {
                if let Some(link) = self.read_link(child) {
                    push_bounded(&mut self.feed.links, link);
                }
            }
            (Core, "language") | (DublinCore, "language") => self.feed.language = self.read_language(child),
            (Core | Atom, "author" | "managingeditor" | "contributor" | "webmaster")
            | (DublinCore, "author" | "creator" | "publisher")
            | (Itunes, "author" | "owner") => {
                if let Some(person) = self.read_person(child) {
                    push_bounded(&mut self.feed.authors, person);
                }
            }
            (Core | Atom, "pubdate" | "published" | "issued" | "created")
            | (DcTerms, "issued" | "created") => {
                self.feed.published = self.read_date(child).or(self.feed.published);
            }
            (Core | Atom, "lastbuilddate" | "updated" | "modified")
            | (DublinCore, "date")
            | (DcTerms, "modified") => {
                self.feed.updated = self.read_date(child).or(self.feed.updated);
            }
            _ => self.read_hint(child),
        }
    }

    /// Reads the feed's polling hints: RSS `ttl`, `skipHours`, `skipDays`, and the syndication module.
    fn read_hint(&mut self, child: &Element<'a>) {
        match child.name.as_ref() {
            "ttl" => self.feed.hints.ttl_minutes = self.read_plain(child).parse().ok(),
            "skiphours" | "skipdays" => {
                while let Some(part) = self.cursor.next_child(child.depth) {
                    let value = self.read_plain(&part);
                    match value.parse::<u8>() {
                        Ok(hour) if self.feed.hints.skip_hours.len() < 24 => {
                            self.feed.hints.skip_hours.push(hour % 24)
                        }
                        Err(_) if self.feed.hints.skip_days.len() < 7 => {
                            self.feed.hints.skip_days.push(value)
                        }
                        _ => {}
                    }
                }
            }
            "updateperiod" if child.vocabulary == Vocabulary::Syndication => {
                let period: u64 = match self.read_plain(child).to_ascii_lowercase().as_str() {
                    "hourly" => 3_600,
                    "weekly" => 7 * 86_400,
                    "monthly" => 30 * 86_400,
                    "yearly" => 365 * 86_400,
                    _ => 86_400,
                };
                self.feed.hints.update_period_seconds = Some(period);
            }
            "updatefrequency" if child.vocabulary == Vocabulary::Syndication => {
                self.feed.hints.update_frequency = self.read_plain(child).parse().ok();
            }
            // A broken feed may have its entries inside an unknown element.
            _ => self.read_channel(child),
        }
    }

    /// Reads a text construct (RFC 4287 section 3.1), also as used by RSS and Atom 0.3. `html_by_default` applies to RSS
    /// `description`.
    fn read_text(&mut self, element: &Element<'a>, html_by_default: bool) -> Option<RawText> {
        let base = self.cursor.base().cloned();
        let language = self.cursor.language().map(str::to_owned);
        let declared = self.cursor.attribute(element, "type").unwrap_or_default().trim().to_ascii_lowercase();
        let mode = self.cursor.attribute(element, "mode").unwrap_or_default();
        let is_atom = self.feed.format == FeedFormat::Atom;
        let is_xhtml = declared == "xhtml"
            || declared.ends_with("xhtml+xml")
            || declared.ends_with("/xml")
            || declared.ends_with("+xml")
            || element.vocabulary == Vocabulary::Xhtml
            || (mode == "xml" && declared != "text/plain");
        let text_mode = if is_xhtml { TextMode::Escaped } else { TextMode::Resolved };
        let markup = self.cursor.read_markup(element, text_mode, &ENTRY_NAMES);
        let mut value = trimmed(markup.value);
        let is_text_type = matches!(declared.as_str(), "" | "text" | "html" | "xhtml")
            || declared.starts_with("text/")
            || declared.ends_with("xml")
            || declared.ends_with("/json");
        let is_mode_base64 = mode.eq_ignore_ascii_case("base64");
        let is_binary = !is_text_type && declared.contains('/');
        if (is_mode_base64 || is_binary)
            && let Some(decoded) = decode_base64(&value)
        {
            value = decoded;
        }
        let is_html = markup.has_elements
            || is_xhtml
            || declared.contains("html")
            || (html_by_default && (!is_atom || element.vocabulary != Vocabulary::Core))
            || ((!is_atom || is_binary && !is_mode_base64) && super::looks_like_html(&value));
        let is_html = is_html
            && !(is_atom && matches!(declared.as_str(), "text" | "text/plain") && !markup.has_elements);
        (!value.is_empty()).then_some(RawText { value, is_html, base, language })
    }

    /// The plain text of a simple element, trimmed.
    fn read_plain(&mut self, element: &Element<'a>) -> String {
        trimmed(self.cursor.read_markup(element, TextMode::Resolved, &ENTRY_NAMES).value)
    }

    fn read_language(&mut self, element: &Element<'a>) -> Option<String> {
        Some(self.read_plain(element).replace('_', "-")).filter(|language| !language.is_empty())
    }

    fn read_date(&mut self, element: &Element<'a>) -> Option<jiff::Timestamp> {
        let value = self.read_plain(element);
        self.dated(&value)
    }

    /// Parses a date; the first unparsable one of a document is reported.
    fn dated(&mut self, value: &str) -> Option<jiff::Timestamp> {
        self.dates(value).map(|read| read.at)
    }

    fn dates(&mut self, value: &str) -> Option<ReadDate> {
        let date = self.habit.read(value);
        if date.is_none()
            && !value.is_empty()
            && !self.feed.problems.iter().any(|p| p.contains("cannot be read as a date"))
        {
            let shown: String = value.chars().take(40).collect();
            self.feed.problems.push(format!("\"{shown}\" cannot be read as a date"));
        }
        date
    }

    /// A date of an entry, with a note of how it was read.
    fn read_entry_time(&mut self, element: &Element<'a>, entry: &mut RawEntry) -> Option<jiff::Timestamp> {
        self.read_entry_dates(element, entry).ok().map(|read| read.at)
    }

    /// As `read_entry_time`, with what else a date says; or the text that is none.
    fn read_entry_dates(&mut self, element: &Element<'a>, entry: &mut RawEntry) -> Result<ReadDate, String> {
        let text = self.read_plain(element);
        // W3C-DTF, which Dublin Core is in, has dates that name no day: none is invented.
        let is_of_core = matches!(element.vocabulary, Vocabulary::DublinCore | Vocabulary::DcTerms);
        if is_of_core && is_short(&text) {
            entry.notes.push(format!("{} \"{text}\" names no day", element.name));
            return Err(text);
        }
        let date = self.dates(&text);
        let is_date = match date {
            Some(_) if is_short(&text) => " names no day: its first one is taken",
            Some(_) => "",
            None => " is not a date",
        };
        entry.notes.push(format!("{} \"{}\"{is_date}", element.name, fitting(&text, NOTE_CHARS_MAX)));
        date.ok_or(text)
    }

    /// Month and day of a text that names no more.
    fn day_without_year(&self, text: &str) -> Option<(i8, i8)> {
        day_without_year(text).or_else(|| day_in_figures(text, self.habit.order))
    }

    /// Gives dates without a year the one that the addresses of their entries show.
    fn give_years(&mut self) {
        let addresses: Vec<String> =
            self.feed.entries.iter().filter_map(|entry| Some(entry.url()?.to_owned())).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        for (at, (month, day)) in std::mem::take(&mut self.days_without_year) {
            let Some(entry) = self.feed.entries.get_mut(at) else { continue };
            let year = entry.url().and_then(|url| year_in_address(url, &addresses, (month, day), self.now));
            let date = year.and_then(|year| Date::new(year, month, day).ok()).and_then(midnight);
            entry.published = date;
            entry.notes.extend(date.map(|_| "the year of its date comes from its address".to_owned()));
        }
    }

    fn read_link(&mut self, element: &Element<'a>) -> Option<Link> {
        let href = self.cursor.attribute(element, "href");
        let rel = self
            .cursor
            .attribute(element, "rel")
            .map(|rel| rel.trim().to_ascii_lowercase())
            .map(|rel| rel.strip_prefix(IANA_RELATION).map(str::to_owned).unwrap_or(rel))
            .filter(|rel| !rel.is_empty());
        let media_type = self.cursor.attribute(element, "type");
        let hreflang = self.cursor.attribute(element, "hreflang");
        let base = self.cursor.base().cloned();
        let text = self.read_plain(element);
        let href = href.unwrap_or(text);
        let href = super::xml::resolve_against(base.as_ref(), &href);
        (!href.is_empty()).then(|| Link {
            href,
            rel: rel.unwrap_or_else(|| "alternate".into()),
            media_type,
            hreflang,
        })
    }

    /// Reads an `author` with children (Atom) or as a line of text (RSS, Dublin Core).
    fn read_person(&mut self, element: &Element<'a>) -> Option<Person> {
        let (mut person, mut line) = (Person::default(), String::new());
        while let Some(event) = self.cursor.next_in(element.depth) {
            match event {
                super::xml::XmlEvent::Text(text) => line.push_str(&text),
                super::xml::XmlEvent::Start(child) => {
                    let resolves = matches!(child.name.as_ref(), "uri" | "url" | "homepage");
                    let base = self.cursor.base().cloned();
                    let value = self.read_plain(&child);
                    let value = Some(value).filter(|value| !value.is_empty());
                    match child.name.as_ref() {
                        "name" => person.name = value,
                        "email" => person.email = value,
                        _ if resolves => {
                            person.url = value.map(|url| super::xml::resolve_against(base.as_ref(), &url))
                        }
                        _ => line.push_str(value.as_deref().unwrap_or("")),
                    }
                }
            }
        }
        let named = person.name.take().and_then(|name| Person::parse(&name));
        let from_line = named.or_else(|| Person::parse(&line));
        let person = Person {
            name: from_line.as_ref().and_then(|p| p.name.clone()),
            email: person.email.or_else(|| from_line.and_then(|p| p.email)),
            url: person.url,
        };
        (person != Person::default()).then_some(person)
    }
}

/// Trims in place, without a copy: the text may be as long as the document.
fn trimmed(mut text: String) -> String {
    text.truncate(text.trim_end().len());
    let start = text.len() - text.trim_start().len();
    text.drain(..start);
    text
}

fn push_bounded<T>(list: &mut Vec<T>, value: T) {
    if list.len() < PARTS_MAX {
        list.push(value);
    }
}

fn decode_base64(value: &str) -> Option<String> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let compact: String = value.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = GeneralPurpose::new(&STANDARD, config).decode(compact).ok()?;
    Some(super::charset::decode(&bytes, None).text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(dates: &[&str], order: DateOrder) -> Vec<String> {
        let item = |date: &&str| format!("<item><title>T</title><pubDate>{date}</pubDate></item>");
        let items: String = dates.iter().map(item).collect();
        let feed =
            read_feed(&format!("<rss><channel>{items}</channel></rss>"), None, DateRules::strict(order))
                .unwrap();
        feed.entries.iter().map(|entry| entry.published.unwrap().strftime("%Y-%m-%d").to_string()).collect()
    }

    #[test]
    fn a_feed_shows_by_one_date_how_it_writes_the_others() {
        let (open, month_first) = ("03/04/2022", "10/25/2022");
        assert_eq!(days(&[open], DateOrder::Dmy), ["2022-04-03"]);
        assert_eq!(days(&[open], DateOrder::Mdy), ["2022-03-04"]);
        assert_eq!(days(&[open, month_first], DateOrder::Dmy), ["2022-03-04", "2022-10-25"]);
        assert_eq!(days(&[open, "25/10/2022"], DateOrder::Mdy), ["2022-04-03", "2022-10-25"]);
        assert_eq!(days(&[open, "25/10/2022", month_first], DateOrder::Dmy)[0], "2022-04-03");
        let halves = ["04/03/2022 3:00 PM", "03/04/2022 9:00 AM", "02/05/2022 9:00 AM"];
        let american = read_feed(
            &format!(
                "<rss><channel><language>en-us</language>{}</channel></rss>",
                halves.map(|date| format!("<item><title>T</title><pubDate>{date}</pubDate></item>")).concat()
            ),
            None,
            DateRules::default(),
        );
        let first = american.unwrap().entries[0].published.unwrap();
        assert_eq!(first.to_string(), "2022-04-03T15:00:00Z");
    }

    #[test]
    fn a_year_or_a_month_of_dublin_core_is_no_day() {
        for (element, date, is_day) in [
            ("dc:date", "2021", false),
            ("dc:date", "2021-09", false),
            ("dcterms:issued", "2021", false),
            ("dcterms:modified", "2021-09", false),
            ("dc:date", "2021-09-04", true),
            ("pubDate", "2021-09", true),
        ] {
            let feed = format!(
                "<rss xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:dcterms=\"http://purl.org/dc/terms/\"><channel><item><title>T</title><{element}>{date}</{element}></item></channel></rss>"
            );
            let feed = read_feed(&feed, None, DateRules::default()).unwrap();
            assert_eq!(feed.entries[0].date().is_some(), is_day, "{element} {date}");
        }
    }

    #[test]
    fn tags_and_references_count_beside_a_sign_that_begins_no_tag() {
        for (title, want) in [
            ("<![CDATA[a < b <b>c</b>]]>", "a < b c"),
            ("<![CDATA[5 <6&nbsp;and <i>so</i> on]]>", "5 <6\u{a0}and so on"),
            ("<![CDATA[I <3 you &amp; <em>me</em>]]>", "I <3 you & me"),
            ("<![CDATA[<- back to <b>all</b>]]>", "<- back to all"),
            ("<![CDATA[a < b]]>", "a < b"),
            ("<![CDATA[How to use <form> and </form>]]>", "How to use <form> and </form>"),
        ] {
            let feed = format!("<rss><channel><item><title>{title}</title></item></channel></rss>");
            let feed = read_feed(&feed, None, DateRules::default()).unwrap();
            let found = crate::normalize::entry::plain(feed.entries[0].title.as_ref().unwrap());
            assert_eq!(found, want, "{title}");
        }
    }

    #[test]
    fn a_year_of_two_figures_stands_where_no_date_is_still_to_come() {
        let now = "2022-10-20T12:00:00Z".parse().ok();
        let days = |dates: &[&str]| -> Vec<String> {
            let item = |date: &&str| format!("<item><title>T</title><pubDate>{date}</pubDate></item>");
            let feed =
                format!("<rss><channel>{}</channel></rss>", dates.iter().map(item).collect::<String>());
            let feed = read_feed(&feed, None, DateRules { now, ..DateRules::default() }).unwrap();
            let days = feed.entries.iter().filter_map(|entry| entry.published);
            days.map(|day| day.strftime("%Y-%m-%d").to_string()).collect()
        };
        assert_eq!(days(&["27-09-22", "05-10-22 10:00"]), ["2022-09-27", "2022-10-05"]);
        assert_eq!(days(&["27-11-22"]), ["2022-11-27"]);
        assert!(days(&["05-10-22"]).is_empty(), "of 2005 or of 2022");
        assert!(days(&["2022"]).is_empty(), "no day of the year that goes on");
        assert_eq!(days(&["22-09-27", "22-10-05"]), ["2022-09-27", "2022-10-05"]);
        assert!(days(&["0022-10-05"]).is_empty(), "a year that is none");
    }

    #[test]
    fn a_date_without_a_year_has_that_of_its_address_or_none() {
        let now = "2022-10-20T12:00:00Z".parse().ok();
        let day = |date: &str, path: &str| {
            let item = format!(
                "<item><title>T</title><link>https://x.org{path}</link><pubDate>{date}</pubDate></item>"
            );
            let feed = format!("<rss><channel>{item}</channel></rss>");
            let feed = read_feed(&feed, None, DateRules { now, ..DateRules::default() }).unwrap();
            feed.entries[0].published.map(|date| date.strftime("%Y-%m-%d").to_string())
        };
        for (date, path, want) in [
            ("14 December", "/2021/12/a", Some("2021-12-14")),
            ("14 déc.", "/news/2021/a", Some("2021-12-14")),
            ("14/12", "/2021/12/a", Some("2021-12-14")),
            ("14 December", "/2021/11/a", None),
            ("14 December", "/2023/12/a", None),
            ("14 December", "/node/2021", None),
            ("14 December", "/a", None),
            ("soon", "/2021/12/a", None),
        ] {
            assert_eq!(day(date, path).as_deref(), want, "{date} {path}");
        }
    }

    #[test]
    fn an_address_that_begins_with_the_name_of_its_own_site_lacks_its_scheme_only() {
        for (link, url) in [
            ("x.example/news/1", "https://x.example/news/1"),
            ("www.x.example/news/1", "https://www.x.example/news/1"),
            ("news/1", "https://x.example/news/1"),
            ("a.pdf", "https://x.example/a.pdf"),
        ] {
            let feed = format!(
                "<rss version=\"2.0\"><channel><link>https://x.example/</link><item><title>T</title><link>{link}</link></item></channel></rss>"
            );
            let base = Url::parse("https://x.example/feed").ok();
            let feed = read_feed(&feed, base, DateRules::default()).unwrap();
            assert_eq!(feed.entries[0].url(), Some(url), "{link}");
        }
    }

    #[test]
    fn an_event_a_change_and_days_from_today_are_read() {
        let items = [
            "<pubDate>hace 3 días</pubDate>",
            "<pubDate>Modifié le 9 octobre 2022, publié le 4 octobre 2022</pubDate>",
            "<ev:startdate>2022-12-01T18:00:00+01:00</ev:startdate><ev:location>Lima</ev:location>",
            "<xCal:dtstart>2022-12-02</xCal:dtstart><xCal:dtend>2022-12-04</xCal:dtend>",
        ];
        let items: String = items.iter().map(|item| format!("<item><title>T</title>{item}</item>")).collect();
        let names =
            "xmlns:ev='http://purl.org/rss/1.0/modules/event/' xmlns:xCal='urn:ietf:params:xml:ns:xcal'";
        let now = "2022-10-20T12:00:00Z".parse().ok();
        let rules = DateRules { order: DateOrder::Dmy, now, year: None, is_order_known: false };
        let feed = read_feed(&format!("<rss {names}><channel>{items}</channel></rss>"), None, rules).unwrap();
        let day = |date: Option<jiff::Timestamp>| date.unwrap().strftime("%Y-%m-%d").to_string();
        assert_eq!(day(feed.entries[0].published), "2022-10-17");
        assert_eq!(day(feed.entries[1].published), "2022-10-04");
        assert_eq!(day(feed.entries[1].updated), "2022-10-09");
        let event = feed.entries[2].event.clone().unwrap();
        assert_eq!(
            (event.begin.to_string().as_str(), event.place.as_deref()),
            ("2022-12-01T18:00:00+01:00", Some("Lima"))
        );
        assert_eq!(feed.entries[3].event.clone().unwrap().end.unwrap().to_string(), "2022-12-04");
    }

    #[test]
    fn relations_by_their_full_name_and_addresses_that_only_rdf_gives_are_links() {
        let atom = "<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>a</id><title>T</title><link rel='http://www.iana.org/assignments/relation/alternate' href='https://x.org/a'/></entry></feed>";
        let rdf = "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'><item rdf:about='https://x.org/a'><title>T</title></item></rdf:RDF>";
        for text in [atom, rdf] {
            let feed = read_feed(text, None, DateRules::default()).unwrap();
            assert_eq!(feed.entries[0].url(), Some("https://x.org/a"), "{text}");
        }
    }
}
