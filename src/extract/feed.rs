//! RSS 0.9x, 1.0 and 2.0, Atom 0.3 and 1.0, CDF: a decoded document into a `RawFeed`. One reader serves all of
//! them, for feeds mix their vocabularies freely. It cleans nothing and makes up no identifier.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use url::Url;

use super::date::{parse_date, read_date};
use super::furniture;
use super::xml::{Cursor, Element, TextMode, Vocabulary};
use crate::model::feed::{
    Enclosure, FeedFormat, Image, Link, Origin, Person, RawEntry, RawFeed, RawText, preferred_alternate,
};
use crate::model::source::DateOrder;

/// Entries read from one document: the largest archives in the wild hold a few thousand.
pub const ENTRIES_MAX: usize = 10_000;
/// Authors, tags, links and enclosures kept of one entry.
const PARTS_MAX: usize = 64;

const ENTRY_NAMES: [&str; 2] = ["item", "entry"];

/// Reads an XML feed. `None` when no element of a feed is in it. Dates in figures are read in `order`, unless all that can be
/// read in one way only show the other.
pub fn read_feed(text: &str, base: Option<Url>, order: DateOrder) -> Option<RawFeed> {
    let mut habit = DateHabit { order, ..DateHabit::default() };
    let feed = read_in(text, base.clone(), &mut habit);
    match habit.shown() {
        Some(shown) if shown != order && habit.is_ambiguous => {
            read_in(text, base, &mut DateHabit { order: shown, ..DateHabit::default() })
        }
        _ => feed,
    }
}

/// How a feed writes its dates.
#[derive(Debug, Clone, Copy, Default)]
struct DateHabit {
    order: DateOrder,
    /// Dates that can only be read with the day first, and with the month first.
    day_first: usize,
    month_first: usize,
    /// There are dates that the order decides.
    is_ambiguous: bool,
}

impl DateHabit {
    fn read(&mut self, text: &str) -> Option<jiff::Timestamp> {
        let read = read_date(text, self.order)?;
        self.day_first += usize::from(read.proves == Some(DateOrder::Dmy));
        self.month_first += usize::from(read.proves == Some(DateOrder::Mdy));
        self.is_ambiguous |= read.is_ambiguous;
        Some(read.at)
    }

    fn shown(&self) -> Option<DateOrder> {
        match (self.day_first, self.month_first) {
            (1.., 0) => Some(DateOrder::Dmy),
            (0, 1..) => Some(DateOrder::Mdy),
            _ => None,
        }
    }
}

fn read_in(text: &str, base: Option<Url>, habit: &mut DateHabit) -> Option<RawFeed> {
    let mut reader = FeedReader {
        cursor: Cursor::new(text, base),
        feed: RawFeed::default(),
        has_root: false,
        habit: *habit,
    };
    while let Some(root) = reader.cursor.next_child(0) {
        reader.read_root(&root);
    }
    let FeedReader { cursor, mut feed, has_root, habit: shown } = reader;
    *habit = shown;
    feed.is_cut = cursor.is_cut();
    // Cut in the middle of a word: what is left of such an entry may lack its very identifier.
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
    habit: DateHabit,
}

impl<'a> FeedReader<'a> {
    /// The outermost elements: `rss`, `feed`, `rdf:RDF`, `channel`; whatever else stands around is looked through.
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

    /// The children of a feed or channel, at whatever depth a broken document left them.
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

    /// What the feed says of how often to come: RSS `ttl`, `skipHours`, `skipDays`, and the syndication module.
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
            // A broken feed may leave its entries in an element that we do not know.
            _ => self.read_channel(child),
        }
    }

    fn read_entry(&mut self, item: &Element<'a>) {
        if self.feed.entries.len() >= ENTRIES_MAX {
            if !self.feed.problems.iter().any(|p| p.starts_with("more than")) {
                self.feed
                    .problems
                    .push(format!("more than {ENTRIES_MAX} entries: the later ones were passed over"));
            }
            return self.cursor.skip(item);
        }
        let guid = self
            .cursor
            .attribute(item, "about")
            .filter(|about| item.vocabulary == Vocabulary::Core && !about.is_empty());
        let mut entry = RawEntry { guid, ..RawEntry::default() };
        if let Some(href) = self.cursor.attribute(item, "href") {
            entry.links.push(self.link(&href));
        }
        if let Some(date) = self.cursor.attribute(item, "lastmod") {
            entry.updated = parse_date(&date);
        }
        let mut parts = EntryParts::default();
        let mut language = self.cursor.language().map(str::to_owned);
        while let Some(child) = self.cursor.next_child(item.depth) {
            if ENTRY_NAMES.contains(&child.name.as_ref()) && child.vocabulary == Vocabulary::Core {
                // The end of the entry before is missing.
                self.finish_entry(entry, parts, language);
                return self.read_entry(&child);
            }
            self.read_entry_part(&child, &mut entry, &mut parts);
            language = language.or_else(|| self.cursor.language().map(str::to_owned));
        }
        self.finish_entry(entry, parts, language);
    }

    fn finish_entry(&mut self, mut entry: RawEntry, parts: EntryParts, language: Option<String>) {
        // The address that a service put its own in front of.
        if let Some(original) = parts.original.filter(|original| looks_like_url(original)) {
            entry.links.retain(|link| link.rel != "alternate");
            let link = self.link(&original);
            entry.links.insert(0, link);
        }
        if entry.url().is_none()
            && let Some(guid) = parts.permalink.filter(|guid| looks_like_url(guid))
        {
            entry.links.push(self.link(&guid));
        }
        entry.title = entry.title.or(parts.title);
        entry.summary = entry.summary.or(parts.description);
        entry.published = entry.published.or(parts.created).or(parts.dated);
        entry.image = entry.image.or(parts.thumbnail);
        self.mend_texts(&mut entry);
        let own_language = |text: &Option<RawText>| text.as_ref().and_then(|text| text.language.clone());
        entry.language = own_language(&entry.content)
            .or_else(|| own_language(&entry.summary))
            .or(entry.language)
            .or(language);
        self.feed.entries.push(entry);
    }

    /// Texts of RSS are relative to their entry's page, unless the feed says otherwise; what was escaped twice is read as it
    /// was meant, and what the publisher's system puts around a text is left out.
    fn mend_texts(&self, entry: &mut RawEntry) {
        let address = entry.url().and_then(|url| Url::parse(url).ok());
        let title = entry.title.as_ref().map(|title| title.value.clone()).unwrap_or_default();
        let is_rss = matches!(self.feed.format, FeedFormat::Rss | FeedFormat::Rdf);
        for text in entry.summary.iter_mut().chain(entry.content.iter_mut()) {
            if is_rss && address.is_some() && text.base.as_ref() == self.cursor.document_base() {
                text.base.clone_from(&address);
            }
            if !text.is_html {
                continue;
            }
            if let Some(meant) = furniture::escaped_twice(&text.value) {
                text.value = meant;
            }
            if let Some(own) = furniture::without_furniture(&text.value, address.as_ref(), &title) {
                text.value = own;
            }
        }
    }

    fn read_entry_part(&mut self, child: &Element<'a>, entry: &mut RawEntry, parts: &mut EntryParts) {
        use Vocabulary::{Atom, Content, Core, DublinCore, Itunes, Media, Xhtml};
        match (child.vocabulary, child.name.as_ref()) {
            (Core | Atom, "title") => keep_first(&mut entry.title, self.read_text(child, false)),
            (DublinCore | Media | Itunes, "title") => {
                keep_first(&mut parts.title, self.read_text(child, false))
            }
            (Core | Atom, "description" | "summary" | "abstract") => self.read_summary(child, entry),
            (DublinCore, "description") | (Media, "description") | (Itunes, "summary" | "subtitle") => {
                keep_first(&mut parts.description, self.read_text(child, true));
            }
            (Core | Atom, "content" | "fullitem" | "body" | "fulltext")
            | (Content, "encoded")
            | (Xhtml, "body" | "div" | "section") => {
                self.read_content(child, entry);
            }
            (Core | Atom, "link") => {
                if let Some(link) = self.read_link(child) {
                    push_link(entry, link, self.cursor.attribute(child, "length"));
                }
            }
            (Core | Atom, "guid" | "id") => self.read_guid(child, entry, parts),
            (Core | Atom, "author" | "contributor")
            | (DublinCore, "author" | "creator" | "contributor")
            | (Itunes, "author") => self.read_author(child, entry),
            (_, "origlink") => {
                let original = self.read_plain(child);
                parts.original = Some(original).filter(|original| !original.is_empty());
            }
            (DublinCore, "language") | (Core, "language") => entry.language = self.read_language(child),
            (Core | Atom, "category" | "tags" | "keywords")
            | (DublinCore, "subject")
            | (Itunes, "keywords" | "category")
            | (Media, "category" | "keywords") => {
                self.read_tags(child, entry);
            }
            (Core | Atom, "source") => self.read_origin(child, entry),
            (Core, "enclosure") => self.read_enclosure(child, entry),
            (Media, "content") => {
                if self.cursor.attribute(child, "medium").is_some_and(|medium| medium == "image") {
                    self.keep_thumbnail(child, "url", parts);
                }
                self.read_enclosure(child, entry);
                self.read_media(child, entry, parts);
            }
            (Media, "group") => self.read_media(child, entry, parts),
            (Media, "thumbnail") | (Itunes, "image") => {
                self.keep_thumbnail(child, "url", parts);
                self.keep_thumbnail(child, "href", parts);
            }
            _ => self.read_entry_date(child, entry, parts),
        }
    }

    /// The dates of an entry; what is none of them either is passed over.
    fn read_entry_date(&mut self, child: &Element<'a>, entry: &mut RawEntry, parts: &mut EntryParts) {
        use Vocabulary::{Atom, Core, DcTerms, DublinCore};
        match (child.vocabulary, child.name.as_ref()) {
            (Core | Atom, "pubdate" | "published" | "issued") | (DcTerms, "issued") => {
                entry.published = self.read_date(child).or(entry.published);
            }
            (Core | Atom, "created") | (DcTerms, "created") => parts.created = self.read_date(child),
            // RSS has no other date of publication than `pubDate` and this one.
            (DublinCore, "date") if self.feed.format != FeedFormat::Atom => {
                let date = self.read_date(child);
                parts.dated = date.or(parts.dated);
                entry.updated = date.or(entry.updated);
            }
            (Core | Atom, "updated" | "modified" | "lastmod")
            | (DublinCore, "date")
            | (DcTerms, "modified") => {
                entry.updated = self.read_date(child).or(entry.updated);
            }
            _ => self.cursor.skip(child),
        }
    }

    /// An author; a contributor counts only where nobody else is named.
    fn read_author(&mut self, child: &Element<'a>, entry: &mut RawEntry) {
        let person = self.read_person(child);
        if child.name != "contributor" || entry.authors.is_empty() {
            entry.authors.extend(person.filter(|_| entry.authors.len() < PARTS_MAX));
        }
    }

    /// Keeps the picture that an attribute names, unless there is one already.
    fn keep_thumbnail(&mut self, child: &Element<'a>, attribute: &str, parts: &mut EntryParts) {
        if parts.thumbnail.is_none() {
            let url = self.cursor.attribute(child, attribute);
            parts.thumbnail = url.map(|url| Image { url: self.cursor.resolve(&url), alt: None });
        }
    }

    /// The children of `media:group` and `media:content` count as the entry's own.
    fn read_media(&mut self, group: &Element<'a>, entry: &mut RawEntry, parts: &mut EntryParts) {
        while let Some(child) = self.cursor.next_child(group.depth) {
            if child.vocabulary == Vocabulary::Media {
                self.read_entry_part(&child, entry, parts)
            } else {
                self.cursor.skip(&child)
            }
        }
    }

    /// `description`, `summary`, `abstract`: the first is the summary, a second one longer text.
    fn read_summary(&mut self, child: &Element<'a>, entry: &mut RawEntry) {
        let text = self.read_text(child, true);
        if entry.summary.is_none() {
            entry.summary = text;
        } else if child.name == "description" {
            // RSS `description` after another summary: the RSS element is the summary.
            let previous = std::mem::replace(&mut entry.summary, text);
            entry.content = entry.content.take().or(previous);
        } else {
            entry.content = entry.content.take().or(text);
        }
    }

    fn read_content(&mut self, child: &Element<'a>, entry: &mut RawEntry) {
        if let Some(src) = self.cursor.attribute(child, "src") {
            let media_type = self.cursor.attribute(child, "type");
            let link =
                Link { href: self.cursor.resolve(&src), rel: "alternate".into(), media_type, hreflang: None };
            self.cursor.skip(child);
            if entry.url().is_none() {
                push_bounded(&mut entry.links, link);
            }
            return;
        }
        let text = self.read_text(child, true);
        let length = |text: &Option<RawText>| text.as_ref().map_or(0, |text| text.value.len());
        if length(&text) > length(&entry.content) || entry.content.is_none() {
            entry.content = text;
        }
    }

    fn read_guid(&mut self, child: &Element<'a>, entry: &mut RawEntry, parts: &mut EntryParts) {
        let is_permalink = self.cursor.attribute(child, "ispermalink");
        let value = self.read_plain(child);
        if value.is_empty() {
            return;
        }
        let is_address = match child.name.as_ref() {
            "guid" => is_permalink.is_none_or(|value| !value.eq_ignore_ascii_case("false")),
            _ => value.starts_with("http://") || value.starts_with("https://"),
        };
        if is_address {
            parts.permalink = Some(value.clone());
        }
        entry.guid = Some(value);
    }

    /// A text construct (RFC 4287 section 3.1), with the habits of RSS and of Atom 0.3.
    /// `html_by_default` is how RSS reads `description`.
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

    /// The plain text of a simple element, white space trimmed.
    fn read_plain(&mut self, element: &Element<'a>) -> String {
        trimmed(self.cursor.read_markup(element, TextMode::Resolved, &ENTRY_NAMES).value)
    }

    fn read_language(&mut self, element: &Element<'a>) -> Option<String> {
        Some(self.read_plain(element).replace('_', "-")).filter(|language| !language.is_empty())
    }

    fn read_date(&mut self, element: &Element<'a>) -> Option<jiff::Timestamp> {
        let value = self.read_plain(element);
        let date = self.habit.read(&value);
        if date.is_none()
            && !value.is_empty()
            && !self.feed.problems.iter().any(|p| p.contains("cannot be read as a date"))
        {
            let shown: String = value.chars().take(40).collect();
            self.feed.problems.push(format!("\"{shown}\" cannot be read as a date"));
        }
        date
    }

    fn read_link(&mut self, element: &Element<'a>) -> Option<Link> {
        let href = self.cursor.attribute(element, "href");
        let rel = self
            .cursor
            .attribute(element, "rel")
            .map(|rel| rel.trim().to_ascii_lowercase())
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

    /// `author` with children (Atom) or a line of text (RSS, Dublin Core).
    fn read_person(&mut self, element: &Element<'a>) -> Option<Person> {
        let (mut person, mut line) = (Person::default(), String::new());
        while let Some(event) = self.cursor.next_in(element.depth) {
            match event {
                super::xml::Event::Text(text) => line.push_str(&text),
                super::xml::Event::Start(child) => {
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

    fn read_tags(&mut self, element: &Element<'a>, entry: &mut RawEntry) {
        let attribute = ["label", "term", "text", "value"]
            .iter()
            .find_map(|name| self.cursor.attribute(element, name).filter(|value| !value.trim().is_empty()));
        let text = match &attribute {
            Some(_) => {
                // itunes:category nests its sub-categories.
                while let Some(child) = self.cursor.next_child(element.depth) {
                    self.read_tags(&child, entry);
                }
                String::new()
            }
            None => self.read_plain(element),
        };
        let value = attribute.unwrap_or(text);
        let is_list = matches!(element.name.as_ref(), "tags" | "keywords");
        let tags = value.split(|c| is_list && c == ',').map(str::trim).filter(|tag| !tag.is_empty());
        for tag in tags {
            if !entry.tags.iter().any(|known| known == tag) {
                push_bounded(&mut entry.tags, tag.to_owned());
            }
        }
    }

    fn read_origin(&mut self, element: &Element<'a>, entry: &mut RawEntry) {
        let mut origin = Origin {
            url: self.cursor.attribute(element, "url").map(|url| self.cursor.resolve(&url)),
            ..Origin::default()
        };
        let (mut links, mut line) = (Vec::new(), String::new());
        while let Some(event) = self.cursor.next_in(element.depth) {
            match event {
                super::xml::Event::Text(text) => line.push_str(&text),
                super::xml::Event::Start(child) => match child.name.as_ref() {
                    "title" => origin.title = self.read_text(&child, false),
                    "id" => origin.id = Some(self.read_plain(&child)),
                    "link" => links.extend(self.read_link(&child)),
                    _ => self.cursor.skip(&child),
                },
            }
        }
        origin.feed_url = links.iter().find(|link| link.rel == "self").map(|link| link.href.clone());
        origin.url = origin.url.or_else(|| preferred_alternate(&links).map(str::to_owned));
        let line = line.trim();
        if origin.title.is_none() && !line.is_empty() {
            origin.title = Some(RawText {
                value: line.to_owned(),
                is_html: super::looks_like_html(line),
                ..RawText::default()
            });
        }
        if origin != Origin::default() {
            entry.origin = Some(origin);
        }
    }

    fn read_enclosure(&mut self, element: &Element<'a>, entry: &mut RawEntry) {
        let Some(url) = self.cursor.attribute(element, "url").filter(|url| !url.trim().is_empty()) else {
            return;
        };
        let size =
            self.cursor.attribute(element, "length").or_else(|| self.cursor.attribute(element, "filesize"));
        let enclosure = Enclosure {
            url: self.cursor.resolve(&url),
            mime_type: self.cursor.attribute(element, "type").filter(|t| !t.is_empty()),
            size_in_bytes: size.and_then(|size| size.trim().parse().ok()),
        };
        push_bounded(&mut entry.enclosures, enclosure);
    }
}

/// Values that count only where the entry's own elements leave a gap.
#[derive(Default)]
struct EntryParts {
    permalink: Option<String>,
    title: Option<RawText>,
    description: Option<RawText>,
    created: Option<jiff::Timestamp>,
    /// `dc:date`, which may be a publication or a change.
    dated: Option<jiff::Timestamp>,
    /// `feedburner:origLink` and its like.
    original: Option<String>,
    thumbnail: Option<Image>,
}

/// Without the white space around it, and without a copy: the text may be as long as the document.
fn trimmed(mut text: String) -> String {
    text.truncate(text.trim_end().len());
    let start = text.len() - text.trim_start().len();
    text.drain(..start);
    text
}

fn keep_first<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
    }
}

fn push_bounded<T>(list: &mut Vec<T>, value: T) {
    if list.len() < PARTS_MAX {
        list.push(value);
    }
}

fn push_link(entry: &mut RawEntry, link: Link, length: Option<String>) {
    if link.rel == "enclosure" {
        let size_in_bytes = length.and_then(|length| length.trim().parse().ok());
        push_bounded(
            &mut entry.enclosures,
            Enclosure { url: link.href.clone(), mime_type: link.media_type.clone(), size_in_bytes },
        );
    }
    push_bounded(&mut entry.links, link);
}

fn looks_like_url(text: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
        || text.starts_with('/')
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
        let feed = read_feed(&format!("<rss><channel>{items}</channel></rss>"), None, order).unwrap();
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
    }
}
