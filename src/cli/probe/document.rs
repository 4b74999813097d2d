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
    let mut object = Map::new();
    let own = document.url.map(Url::to_string).or(article.item.canonical.clone());
    put(&mut object, "id", own.clone().or_else(|| Some("article".into())));
    put(&mut object, "url", own);
    put(&mut object, "title", article.title);
    put(&mut object, "content_html", html);
    put(&mut object, "content_text", Some(article.text));
    put(&mut object, "image", article.item.image.map(|image| image.url));
    put(&mut object, "date_published", article.item.published.map(|date| date.to_string()));
    put(&mut object, "date_modified", article.item.updated.map(|date| date.to_string()));
    put(
        &mut object,
        "authors",
        article.item.author.as_ref().and_then(|author| persons(std::slice::from_ref(author))),
    );
    put(&mut object, "language", article.item.language);
    let alternates: Vec<Value> = article
        .item
        .alternates
        .iter()
        .map(|(language, url)| json!({ "language": language, "url": url }))
        .collect();
    object
        .insert("_courant".into(), json!({ "canonical": article.item.canonical, "alternates": alternates }));
    json!({ "version": "https://jsonfeed.org/version/1.1", "title": "article", "items": [object] })
}

impl ProbedDocument {
    /// Renders JSON Feed 1.1; what it has no field for goes under `_courant`.
    pub fn to_json_feed(&self) -> Value {
        let feed = &self.feed;
        let mut root = Map::new();
        root.insert("version".into(), json!("https://jsonfeed.org/version/1.1"));
        put(&mut root, "title", self.title.as_deref());
        put(&mut root, "home_page_url", feed.home_page_url());
        put(&mut root, "description", self.description.as_deref());
        put(&mut root, "language", feed.language.as_deref());
        put(&mut root, "authors", persons(&feed.authors));
        let mut extra = Map::new();
        put(&mut extra, "format", Some(json!(feed.format)));
        put(&mut extra, "date_modified", feed.updated.map(|date| date.to_string()));
        put(&mut extra, "date_published", feed.published.map(|date| date.to_string()));
        put(&mut extra, "way", self.way);
        put(&mut extra, "select", self.select.as_ref());
        put(&mut extra, "problems", (!feed.problems.is_empty()).then_some(&feed.problems));
        root.insert("_courant".into(), Value::Object(extra));
        root.insert(
            "items".into(),
            self.entries.iter().zip(&self.rules).map(|(entry, rules)| item(entry, rules)).collect(),
        );
        Value::Object(root)
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
            let date = entry
                .date()
                .map_or_else(|| "no date   ".to_owned(), |date| date.strftime("%Y-%m-%d").to_string());
            out.push_str(&format!(
                "\n{date}  {}\n",
                if entry.title.is_empty() { "(no title)" } else { &entry.title }
            ));
            for line in [
                entry.url.as_deref(),
                entry.image.as_ref().map(|image| image.url.as_str()),
                Some(shorten(&entry.summary, 160).as_str()),
            ]
            .into_iter()
            .flatten()
            {
                if !line.is_empty() {
                    out.push_str(&format!("            {line}\n"));
                }
            }
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

    /// The selectors found or used.
    pub fn select(&self) -> Option<&Select> {
        self.select.as_ref()
    }
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
fn persons(persons: &[Person]) -> Option<Vec<Value>> {
    let one = |person: &Person| {
        let mut object = Map::new();
        put(&mut object, "name", person.name.as_deref());
        put(
            &mut object,
            "url",
            person.url.clone().or_else(|| person.email.as_ref().map(|email| format!("mailto:{email}"))),
        );
        if let Some(email) = &person.email {
            object.insert("_courant".into(), json!({ "email": email }));
        }
        Value::Object(object)
    };
    (!persons.is_empty()).then(|| persons.iter().map(one).collect())
}

fn item(entry: &Entry, rules: &[String]) -> Value {
    let mut object = Map::new();
    let is_made_up = !matches!(entry.identity, Identity::Guid(_));
    let id = match &entry.identity {
        Identity::Guid(guid) => guid.clone(),
        Identity::Address(_) => entry.url.clone().unwrap_or_default(),
        Identity::Content(hash) => format!("urn:sha256:{hash}"),
    };
    put(&mut object, "id", Some(id));
    put(&mut object, "url", entry.url.as_deref());
    put(&mut object, "title", (!entry.title.is_empty()).then_some(&entry.title));
    match (&entry.content_html, entry.summary.as_str()) {
        (Some(html), _) => put(&mut object, "content_html", Some(html)),
        (None, summary) => put(&mut object, "content_text", Some(summary)),
    }
    put(&mut object, "summary", (!entry.summary.is_empty()).then_some(&entry.summary));
    put(&mut object, "image", entry.image.as_ref().map(|image| &image.url));
    put(&mut object, "date_published", entry.published.map(|date| date.to_string()));
    put(&mut object, "date_modified", entry.updated.map(|date| date.to_string()));
    put(&mut object, "authors", persons(&entry.authors));
    put(&mut object, "tags", (!entry.tags.is_empty()).then_some(&entry.tags));
    put(&mut object, "language", entry.language.as_deref());
    put(&mut object, "attachments", (!entry.enclosures.is_empty()).then_some(&entry.enclosures));
    let mut extra = Map::new();
    put(&mut extra, "summary_html", entry.summary_html.as_deref());
    put(&mut extra, "source", entry.provenance.as_ref());
    put(&mut extra, "alternates", (!entry.alternates.is_empty()).then_some(&entry.alternates));
    put(&mut extra, "image_alt", entry.image.as_ref().and_then(|image| image.alt.as_deref()));
    put(&mut extra, "event", entry.event.as_ref());
    put(&mut extra, "rules", (!rules.is_empty()).then_some(rules));
    put(&mut extra, "id_made_up", is_made_up.then_some(true));
    if !extra.is_empty() {
        object.insert("_courant".into(), Value::Object(extra));
    }
    Value::Object(object)
}
