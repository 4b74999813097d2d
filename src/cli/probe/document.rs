//! Extracts and normalizes one document for display, without storing anything.

use rayon::prelude::*;
use serde_json::{Map, Value, json};
use url::Url;

use crate::classify::Classifier;
use crate::extract::boilerplate;
use crate::extract::prose_date::DateRules;
use crate::extract::{self, Document, ExtractError, PageRules};
use crate::model::entry::{Entry, Identity};
use crate::model::feed::{Person, RawEntry, RawFeed};
use crate::model::filter::{Filter, RuleOutcome};
use crate::model::source::Select;
use crate::normalize::entry::{Context, normalize, plain};
use crate::normalize::html::safe_html;
use crate::normalize::language::LanguageDetector;
use crate::publish::json_feed::schema::{JsonAuthor, JsonFeed, JsonItem};
use crate::support::text::{many, shorten};

/// What was found in a document, and how.
pub struct ProbeResult {
    pub feed: RawFeed,
    pub way: &'static str,
    /// For pages: selectors with the same result.
    pub select: Option<Select>,
    /// Machine-readable endpoints that a page names.
    pub endpoints: Vec<String>,
}

/// Reads a document as the pipeline would: as a feed, or else as a page of cards.
///
/// # Errors
/// When nothing can be read from it.
pub fn find(document: Document, rules: &PageRules) -> Result<ProbeResult, ExtractError> {
    match extract::read_feed_in(document, rules.dates) {
        Err(ExtractError::WebPage { endpoints }) => {
            let page = extract::read_page(document, rules)?;
            Ok(ProbeResult {
                feed: page.feed,
                way: page.way.map_or("nothing", |way| way.name()),
                select: page.select,
                endpoints,
            })
        }
        result => Ok(ProbeResult { feed: result?, way: "feed", select: None, endpoints: Vec::new() }),
    }
}

/// A document read and normalized.
pub struct ProbedDocument {
    pub feed: RawFeed,
    pub entries: Vec<Entry>,
    title: Option<String>,
    description: Option<String>,
    way: Option<&'static str>,
    select: Option<Select>,
    /// For each entry, the rules of its source that applied; one that drops the entry comes last.
    rules: Vec<Vec<String>>,
    /// For each entry, what was decided of it, in words.
    decisions: Vec<Vec<String>>,
}

/// Normalizes what was extracted.
pub fn clean(
    mut feed: RawFeed,
    base: Option<&Url>,
    language_detector: Option<&LanguageDetector>,
) -> ProbedDocument {
    let context = Context { source: "probe", language: None, base, language_detector, listed: None };
    // The raw entries go: a document may be as long as memory allows.
    let mut raws = std::mem::take(&mut feed.entries);
    boilerplate::strip(&mut raws.iter_mut().collect::<Vec<_>>());
    let (entries, decisions) = raws
        .into_par_iter()
        .map(|raw| {
            let entry = normalize(&raw, context);
            let decisions = decisions(&raw, &entry, feed.language.as_deref());
            (entry, decisions)
        })
        .unzip::<_, _, Vec<Entry>, Vec<Vec<String>>>();
    let title = feed.title.as_ref().map(plain);
    let description = feed.description.as_ref().map(plain);
    ProbedDocument {
        feed,
        title,
        description,
        way: None,
        select: None,
        rules: vec![Vec::new(); entries.len()],
        decisions,
        entries,
    }
}

/// What was decided of an entry: its identity, its address, its dates, its language, what was left out.
fn decisions(raw: &RawEntry, entry: &Entry, document_language: Option<&str>) -> Vec<String> {
    let mut said = vec![match &entry.identity {
        Identity::Guid(guid) => format!("identity: its own, \"{guid}\""),
        Identity::Address(address) => format!("identity: its address, {address}"),
        Identity::Content(_) => "identity: a hash of its text (no identifier, no address)".into(),
    }];
    if let Some((written, kept)) =
        raw.url().zip(entry.url.as_deref()).filter(|(written, kept)| written != kept)
    {
        said.push(format!("address: {kept}, written as {written}"));
    } else if let Some(written) = raw.url().filter(|_| entry.url.is_none()) {
        said.push(format!("no address: {written} is not one that can be followed"));
    }
    said.push(match (entry.published, entry.updated) {
        (Some(date), _) => format!("date: published {date}"),
        (None, Some(date)) => format!("date: updated {date}; none of publication"),
        (None, None) => "no date: the day it is first seen will be used".into(),
    });
    let declared = raw.language.as_deref().or(document_language).unwrap_or("nothing");
    said.push(match (&entry.language, entry.language_confidence) {
        (Some(language), Some(sure)) => {
            format!("language: {language}; declared: {declared}; confidence {:.0} %", sure * 100.0)
        }
        (Some(language), None) => format!("language: {language}; declared: {declared}"),
        (None, _) => format!("no language; declared: {declared}"),
    });
    said.extend(raw.notes.iter().cloned());
    if raw.is_empty() {
        said.push("not stored: no title, text, link, picture or attachment".into());
    }
    said
}

/// Cleans what was found, and applies the rules of its source.
pub fn clean_found(
    found: ProbeResult,
    base: Option<&Url>,
    filter: &Filter,
    classifier: &Classifier,
    language_detector: Option<&LanguageDetector>,
) -> ProbedDocument {
    let ProbeResult { feed, way, select, .. } = found;
    let mut reading = ProbedDocument { way: Some(way), select, ..clean(feed, base, language_detector) };
    for (entry, rules) in reading.entries.iter_mut().zip(&mut reading.rules) {
        let (title, used) = filter.rewritten(&entry.title);
        entry.title = title;
        rules.extend(used);
        let topics =
            classifier.classify(&entry.title, &entry.summary, &entry.tags, entry.language.as_deref());
        if let RuleOutcome::Dropped(rule) = filter.verdict(entry, &topics) {
            rules.push(format!("dropped: {rule}"));
        }
    }
    reading
}

/// An item's own page as JSON Feed 1.1, with its article as the only item.
pub fn article(document: Document, dates: DateRules) -> Value {
    let article = extract::article::read_article(document, dates);
    let html = article.html.as_deref().map(|html| safe_html(html, document.url));
    let page = article.item;
    let own = document.url.map(Url::to_string).or(page.canonical.clone());
    let alternates: Vec<Value> =
        page.alternates.iter().map(|(language, url)| json!({ "language": language, "url": url })).collect();
    let item = JsonItem {
        id: own.clone().unwrap_or_else(|| "article".into()),
        url: own,
        title: article.title,
        content_html: html,
        content_text: Some(article.text),
        image: page.image.map(|image| image.url),
        date_published: page.published.map(|date| date.to_string()),
        date_modified: page.updated.map(|date| date.to_string()),
        authors: page.author.iter().map(author).collect(),
        language: page.language,
        extension: Some(json!({ "canonical": page.canonical, "alternates": alternates })),
        ..JsonItem::default()
    };
    JsonFeed { title: Some("article".into()), items: vec![item], ..JsonFeed::default() }.to_value()
}

impl ProbedDocument {
    /// Renders JSON Feed 1.1; what it has no field for goes under `_courant`.
    pub fn to_json_feed(&self) -> Value {
        let feed = &self.feed;
        let mut extra = Map::new();
        put(&mut extra, "format", Some(json!(feed.format)));
        put(&mut extra, "date_modified", feed.updated.map(|date| date.to_string()));
        put(&mut extra, "date_published", feed.published.map(|date| date.to_string()));
        put(&mut extra, "way", self.way);
        put(&mut extra, "select", self.select.as_ref());
        put(&mut extra, "problems", (!feed.problems.is_empty()).then_some(&feed.problems));
        let document = JsonFeed {
            title: self.title.clone(),
            home_page_url: feed.home_page_url().map(Into::into),
            description: self.description.clone(),
            language: feed.language.clone(),
            authors: feed.authors.iter().map(author).collect(),
            extension: Some(Value::Object(extra)),
            items: self.entries.iter().zip(&self.rules).map(|(entry, rules)| item(entry, rules)).collect(),
            ..JsonFeed::default()
        };
        document.to_value()
    }

    /// A table for the terminal, on request with what was decided of each entry.
    pub fn to_text(&self, has_decisions: bool) -> String {
        let mut out = format!(
            "{}  ({:?}, {})\n",
            self.title.as_deref().unwrap_or("(no title)"),
            self.feed.format,
            many(self.entries.len(), "entry", "entries")
        );
        if let Some(way) = self.way {
            out.push_str(&format!("  read by: {way}\n"));
        }
        for problem in &self.feed.problems {
            out.push_str(&format!("  ! {problem}\n"));
        }
        for note in self.feed.notes.iter().filter(|_| has_decisions) {
            out.push_str(&format!("  - {note}\n"));
        }
        for ((entry, rules), decisions) in self.entries.iter().zip(&self.rules).zip(&self.decisions) {
            out.push_str(&text_of(entry));
            rules.iter().for_each(|rule| out.push_str(&format!("            * {rule}\n")));
            for decision in decisions.iter().filter(|_| has_decisions) {
                out.push_str(&format!("            - {decision}\n"));
            }
        }
        if let Some(select) = &self.select {
            out.push_str(&format!("\n[source.select]\n{}", select_toml(select)));
        }
        out
    }

    /// The title of the document.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// The selectors found or used.
    pub fn select(&self) -> Option<&Select> {
        self.select.as_ref()
    }
}

/// The date, the title and more of an entry, for the terminal.
fn text_of(entry: &Entry) -> String {
    let date =
        entry.date().map_or_else(|| "no date   ".to_owned(), |date| date.strftime("%Y-%m-%d").to_string());
    let title = if entry.title.is_empty() { "(no title)" } else { &entry.title };
    let mut out = format!("\n{date}  {title}\n");
    let summary = shorten(&entry.summary, 160);
    let image = entry.image.as_ref().map(|image| image.url.as_str());
    let lines = [entry.url.as_deref(), image, Some(&*summary)];
    for line in lines.into_iter().flatten().filter(|line| !line.is_empty()) {
        out.push_str(&format!("            {line}\n"));
    }
    out
}

/// The keys of a `[source.select]`, in reading order.
pub fn select_keys(select: &Select) -> Vec<(&'static str, &str)> {
    let optional = [
        ("title", &select.title),
        ("link", &select.link),
        ("summary", &select.summary),
        ("date", &select.date),
        ("image", &select.image),
        ("next", &select.next),
    ];
    std::iter::once(("item", select.item.as_str()))
        .chain(optional.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?))))
        .collect()
}

fn select_toml(select: &Select) -> String {
    // A JSON string is a TOML string too.
    select_keys(select).into_iter().map(|(key, value)| format!("{key} = {}\n", json!(value))).collect()
}

fn put(object: &mut Map<String, Value>, key: &str, value: Option<impl serde::Serialize>) {
    if let Some(value) = value.and_then(|value| serde_json::to_value(value).ok()) {
        object.insert(key.into(), value);
    }
}

/// JSON Feed authors have no mail address: it goes under `_courant`, and replaces a missing URL.
fn author(person: &Person) -> JsonAuthor {
    let mail = person.email.as_ref();
    JsonAuthor {
        name: person.name.clone(),
        url: person.url.clone().or_else(|| mail.map(|mail| format!("mailto:{mail}"))),
        extension: mail.map(|mail| json!({ "email": mail })),
    }
}

fn item(entry: &Entry, rules: &[String]) -> JsonItem {
    let is_made_up = !matches!(entry.identity, Identity::Guid(_));
    let id = match &entry.identity {
        Identity::Guid(guid) => guid.clone(),
        Identity::Address(_) => entry.url.clone().unwrap_or_default(),
        Identity::Content(hash) => format!("urn:sha256:{hash}"),
    };
    let mut extra = Map::new();
    put(&mut extra, "summary_html", entry.summary_html.as_deref());
    put(&mut extra, "source", entry.provenance.as_ref());
    put(&mut extra, "alternates", (!entry.alternates.is_empty()).then_some(&entry.alternates));
    put(&mut extra, "image_alt", entry.image.as_ref().and_then(|image| image.alt.as_deref()));
    put(&mut extra, "event", entry.event.as_ref());
    put(&mut extra, "rules", (!rules.is_empty()).then_some(rules));
    put(&mut extra, "id_made_up", is_made_up.then_some(true));
    JsonItem {
        id,
        url: entry.url.clone(),
        title: (!entry.title.is_empty()).then(|| entry.title.clone()),
        summary: (!entry.summary.is_empty()).then(|| entry.summary.clone()),
        content_html: entry.content_html.clone(),
        content_text: entry.content_html.is_none().then(|| entry.summary.clone()),
        image: entry.image.as_ref().map(|image| image.url.clone()),
        date_published: entry.published.map(|date| date.to_string()),
        date_modified: entry.updated.map(|date| date.to_string()),
        language: entry.language.clone(),
        authors: entry.authors.iter().map(author).collect(),
        tags: entry.tags.clone(),
        attachments: entry.enclosures.clone(),
        extension: (!extra.is_empty()).then_some(Value::Object(extra)),
    }
}
