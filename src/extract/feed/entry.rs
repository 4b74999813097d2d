//! Reads the entries of a feed, in any of the vocabularies.

use url::Url;

use super::{ENTRIES_MAX, ENTRY_NAMES, FeedReader, PARTS_MAX, push_bounded};
use crate::extract::date::parse_date;
use crate::extract::furniture;
use crate::extract::looks_like_html;
use crate::extract::xml::{Element, Vocabulary, XmlEvent};
use crate::model::event::{self, EventTime};
use crate::model::feed::{
    Enclosure, FeedFormat, Image, Link, Origin, RawEntry, RawText, preferred_alternate,
};

impl<'a> FeedReader<'a> {
    pub(super) fn read_entry(&mut self, item: &Element<'a>) {
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
        let mut parts = EntryParts { about: guid.clone(), ..EntryParts::default() };
        let mut entry = RawEntry { guid, ..RawEntry::default() };
        if let Some(href) = self.cursor.attribute(item, "href") {
            entry.links.push(self.link(&href));
        }
        if let Some(date) = self.cursor.attribute(item, "lastmod") {
            entry.updated = parse_date(&date);
        }
        let mut language = self.cursor.language().map(str::to_owned);
        while let Some(child) = self.cursor.next_child(item.depth) {
            if ENTRY_NAMES.contains(&child.name.as_ref()) && child.vocabulary == Vocabulary::Core {
                // The end tag of the previous entry is missing.
                self.finish_entry(entry, parts, language);
                return self.read_entry(&child);
            }
            self.read_entry_part(&child, &mut entry, &mut parts);
            language = language.or_else(|| self.cursor.language().map(str::to_owned));
        }
        self.finish_entry(entry, parts, language);
    }

    fn finish_entry(&mut self, mut entry: RawEntry, parts: EntryParts, language: Option<String>) {
        entry.event = entry.event.take().or_else(|| parts.event());
        // The original address, which a feed service replaced by its own.
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
        // In RSS 1.0, `rdf:about` is to be the address of the item (section 5.5).
        if entry.url().is_none()
            && let Some(about) = parts.about.filter(|about| looks_like_url(about))
        {
            entry.links.push(self.link(&about));
        }
        entry.title = entry.title.or(parts.title);
        entry.summary = entry.summary.or(parts.description);
        entry.published = entry.published.or(parts.created).or(parts.dated);
        entry.updated = entry.updated.or(parts.told_update);
        if let Some(day) = parts.day.filter(|_| entry.published.is_none()) {
            self.days_without_year.push((self.feed.entries.len(), day));
        }
        entry.image = entry.image.or(parts.thumbnail);
        self.mend_texts(&mut entry);
        let own_language = |text: &Option<RawText>| text.as_ref().and_then(|text| text.language.clone());
        entry.language = own_language(&entry.content)
            .or_else(|| own_language(&entry.summary))
            .or(entry.language)
            .or(language);
        self.feed.entries.push(entry);
    }

    /// Mends the texts of an entry: RSS texts are relative to the entry's page unless the feed says otherwise; double escaping
    /// is undone, and boilerplate of the publishing system is removed.
    fn mend_texts(&self, entry: &mut RawEntry) {
        let address = entry.url().and_then(|url| Url::parse(url).ok());
        if let Some(title) = entry.title.as_mut().filter(|title| title.is_html)
            && let Some(meant) = furniture::title_escaped_twice(&title.value)
        {
            title.value = meant;
            entry.notes.push("its title was escaped once too often".into());
        }
        let title = entry.title.as_ref().map(|title| title.value.clone()).unwrap_or_default();
        let authors: Vec<String> = entry.authors.iter().filter_map(|author| author.name.clone()).collect();
        let known = furniture::EntryContext {
            address: address.as_ref(),
            title: &title,
            authors: &authors,
            published: entry.published,
        };
        let is_rss = matches!(self.feed.format, FeedFormat::Rss | FeedFormat::Rdf);
        let RawEntry { summary, content, notes, .. } = entry;
        for text in summary.iter_mut().chain(content.iter_mut()) {
            if is_rss && address.is_some() && text.base.as_ref() == self.cursor.document_base() {
                text.base.clone_from(&address);
            }
            if !text.is_html {
                continue;
            }
            let meant = furniture::escaped_twice(&text.value);
            if let Some(meant) = meant.or_else(|| furniture::letters_escaped_twice(&text.value)) {
                notes.push("a text was escaped once too often".into());
                text.value = meant;
            }
            if let Some(own) = furniture::without_furniture(&text.value, &known) {
                notes.push("left out: what links back to the entry, or repeats its fields".into());
                text.value = own;
            }
        }
        for text in [summary, content] {
            text.take_if(|text| text.value.trim().is_empty());
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
                    self.keep_widest(child, parts);
                }
                self.read_enclosure(child, entry);
                self.read_media(child, entry, parts);
            }
            (Media, "group") => self.read_media(child, entry, parts),
            (Media, "thumbnail") | (Itunes, "image") => {
                self.keep_thumbnail(child, "url", parts);
                self.keep_thumbnail(child, "href", parts);
            }
            (Vocabulary::Event, name) => {
                let name = name.to_owned();
                let value = self.read_plain(child);
                parts.note_event(&name, &value);
            }
            _ => self.read_entry_date(child, entry, parts),
        }
    }

    /// Reads a date of an entry; ignores unknown elements.
    fn read_entry_date(&mut self, child: &Element<'a>, entry: &mut RawEntry, parts: &mut EntryParts) {
        use Vocabulary::{Atom, Core, DcTerms, DublinCore};
        match (child.vocabulary, child.name.as_ref()) {
            (Core | Atom, "pubdate" | "published" | "issued") | (DcTerms, "issued") => {
                let told = self.read_entry_dates(child, entry);
                parts.day = told.as_ref().err().and_then(|text| self.day_without_year(text)).or(parts.day);
                let told = told.ok();
                entry.published = told.map(|told| told.at).or(entry.published);
                entry.is_told_from_today |= told.is_some_and(|told| told.is_from_today);
                parts.told_update = told.and_then(|told| told.updated).or(parts.told_update);
            }
            (Core | Atom, "created") | (DcTerms, "created") => {
                parts.created = self.read_entry_time(child, entry)
            }
            // RSS has no other date of publication than `pubDate` and this one.
            (DublinCore, "date") if self.feed.format != FeedFormat::Atom => {
                let date = self.read_entry_time(child, entry);
                parts.dated = date.or(parts.dated);
                entry.updated = date.or(entry.updated);
            }
            (Core | Atom, "updated" | "modified" | "lastmod")
            | (DublinCore, "date")
            | (DcTerms, "modified") => {
                entry.updated = self.read_entry_time(child, entry).or(entry.updated);
            }
            _ => self.cursor.skip(child),
        }
    }

    /// Reads an author; a contributor counts only if nobody else is named.
    fn read_author(&mut self, child: &Element<'a>, entry: &mut RawEntry) {
        let person = self.read_person(child);
        if child.name != "contributor" || entry.authors.is_empty() {
            entry.authors.extend(person.filter(|_| entry.authors.len() < PARTS_MAX));
        }
    }

    /// Keeps the picture named by an attribute, unless there is one already.
    fn keep_thumbnail(&mut self, child: &Element<'a>, attribute: &str, parts: &mut EntryParts) {
        if parts.thumbnail.is_none() {
            let url = self.cursor.attribute(child, attribute);
            parts.thumbnail = url.map(|url| Image { url: self.cursor.resolve(&url), alt: None });
        }
    }

    /// Of several sizes of a picture, keeps the widest. A picture of the author is none of the entry.
    fn keep_widest(&mut self, child: &Element<'a>, parts: &mut EntryParts) {
        if self.cursor.attribute(child, "url").is_some_and(|url| url.contains("gravatar.com/avatar")) {
            return;
        }
        let width = self.cursor.attribute(child, "width").and_then(|width| width.trim().parse::<u32>().ok());
        if parts.width.zip(width).is_some_and(|(known, width)| width > known) {
            parts.thumbnail = None;
        }
        if parts.thumbnail.is_none() {
            parts.width = width;
        }
        self.keep_thumbnail(child, "url", parts);
    }

    /// Reads the children of `media:group` and `media:content` as the entry's own.
    fn read_media(&mut self, group: &Element<'a>, entry: &mut RawEntry, parts: &mut EntryParts) {
        while let Some(child) = self.cursor.next_child(group.depth) {
            if child.vocabulary == Vocabulary::Media {
                self.read_entry_part(&child, entry, parts)
            } else {
                self.cursor.skip(&child)
            }
        }
    }

    /// Reads `description`, `summary` or `abstract`: the first one is the summary, a second one is content.
    fn read_summary(&mut self, child: &Element<'a>, entry: &mut RawEntry) {
        let text = self.read_text(child, true);
        if entry.summary.is_none() {
            entry.summary = text;
        } else if child.name == "description" {
            // RSS `description` after another summary takes its place as the summary.
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

    fn read_tags(&mut self, element: &Element<'a>, entry: &mut RawEntry) {
        let attribute = ["label", "term", "text", "value"]
            .iter()
            .find_map(|name| self.cursor.attribute(element, name).filter(|value| !value.trim().is_empty()));
        let text = match &attribute {
            Some(_) => {
                // itunes:category nests its subcategories.
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
                XmlEvent::Text(text) => line.push_str(&text),
                XmlEvent::Start(child) => match child.name.as_ref() {
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
                is_html: looks_like_html(line),
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

/// Values used only to fill gaps left by the entry's own elements.
#[derive(Default)]
struct EntryParts {
    /// `rdf:about`.
    about: Option<String>,
    permalink: Option<String>,
    title: Option<RawText>,
    description: Option<RawText>,
    created: Option<jiff::Timestamp>,
    /// `dc:date`, which may mean publication or change.
    dated: Option<jiff::Timestamp>,
    /// A change that a date of publication tells besides.
    told_update: Option<jiff::Timestamp>,
    /// Month and day of a date of publication without a year.
    day: Option<(i8, i8)>,
    begin: Option<EventTime>,
    end: Option<EventTime>,
    place: Option<String>,
    /// `feedburner:origLink` and similar.
    original: Option<String>,
    thumbnail: Option<Image>,
    /// That of the thumbnail, if it is one of several sizes.
    width: Option<u32>,
}

impl EntryParts {
    /// `ev:startdate`, `ev:enddate`, `ev:location`; `xCal:dtstart`, `xCal:dtend`, `xCal:location`.
    fn note_event(&mut self, name: &str, value: &str) {
        let value = value.trim();
        match name {
            "startdate" | "dtstart" => self.begin = value.parse().ok(),
            "enddate" | "dtend" => self.end = value.parse().ok(),
            "location" => self.place = Some(value.to_owned()).filter(|place| !place.is_empty()),
            _ => {}
        }
    }

    fn event(&self) -> Option<event::Event> {
        let end = self.end.filter(|end| end.instant() > self.begin.and_then(EventTime::instant));
        Some(event::Event { begin: self.begin?, end, place: self.place.clone() })
    }
}

pub(super) fn keep_first<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
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
