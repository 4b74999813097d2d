//! `courant cluster`: clusters the entries of a file with the stages of the pipeline, but without its store.

use std::io::BufRead;

use jiff::Timestamp;
use rayon::prelude::*;
use scraper::{Html, Node};
use serde::Deserialize;
use serde_json::Value;

use crate::dedupe::grams::Opening;
use crate::dedupe::keys::{EntryNames, guid_key, keys};
use crate::dedupe::memory::InMemoryIndex;
use crate::dedupe::place::{NewEntry, place};
use crate::dedupe::placement::Placement;
use crate::dedupe::sketch::{SketchInput, sketch};
use crate::extract::date::parse_date;
use crate::model::address::canonical_key;
use crate::model::entry::Alternate;
use crate::model::key::Key;
use crate::model::sketch::Sketch;
use crate::model::story::Relation;
use crate::support::text::{bound_markup, nearest};

/// Entries processed together: first many, so that boilerplate shows before the first is placed; then few, which are still in
/// the processor's cache when they are placed.
const FIRST_CHUNK: usize = 1 << 14;
const CHUNK: usize = 1 << 5;
/// Longer lines are skipped, in bytes.
const LINE_BYTES_MAX: usize = 64 << 20;

const ALONE: &str = "first of its story";

/// One line of the file; all fields but the id are optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ClusterEntry {
    id: Value,
    source: Option<String>,
    url: Option<String>,
    guid: Option<String>,
    title: Option<String>,
    text: Option<String>,
    html: Option<String>,
    published: Option<String>,
    language: Option<String>,
}

/// The fields of a line.
const FIELDS: [&str; 9] = ["id", "source", "url", "guid", "title", "text", "html", "published", "language"];
/// What other programs call some of them.
const SYNONYMS: [(&str, &str); 20] = [
    ("content", "text"),
    ("content_text", "text"),
    ("body", "text"),
    ("summary", "text"),
    ("description", "text"),
    ("excerpt", "text"),
    ("content_html", "html"),
    ("lang", "language"),
    ("locale", "language"),
    ("date", "published"),
    ("date_published", "published"),
    ("pubdate", "published"),
    ("time", "published"),
    ("updated", "published"),
    ("link", "url"),
    ("address", "url"),
    ("feed", "source"),
    ("partner", "source"),
    ("name", "title"),
    ("headline", "title"),
];

/// Why a file cannot be clustered.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A field that would have no effect: the stories would not be what its author expects.
    #[error(
        "line {line}: unknown field \"{field}\": did you mean \"{near}\"? A line has only {}",
        FIELDS.join(", ")
    )]
    UnknownField { line: usize, field: String, near: &'static str },
}

/// Why a line is not an entry.
enum LineError {
    UnknownField(ClusterError),
    Other(String),
}

/// The placement of an entry, and the reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    pub id: Value,
    /// The id of the first entry of its story.
    pub cluster: Value,
    pub relation: Relation,
    pub reason: String,
}

/// An entry ready for placement.
struct Ready {
    id: Value,
    sketch: Sketch,
    keys: Vec<Key>,
    title: String,
    /// How its text begins.
    text: String,
}

/// A decision, kept small since there may be millions.
struct ClusterDecision {
    id: Value,
    relation: Relation,
    reason: Option<Box<str>>,
}

/// Clusters a file entry by entry.
#[derive(Default)]
pub struct Clustering {
    memory: InMemoryIndex,
    decisions: Vec<ClusterDecision>,
    /// Lines that could not be read, and why.
    pub problems: Vec<String>,
    line: usize,
}

impl Clustering {
    /// Reads all lines. A line that is not an entry is reported and skipped.
    ///
    /// # Errors
    /// When the file cannot be read, or a line has a field that is unknown.
    pub fn read(&mut self, mut file: impl BufRead) -> Result<(), ClusterError> {
        let mut next = prepare(&self.read_lines(&mut file, FIRST_CHUNK)?);
        while !next.is_empty() {
            let lines = self.read_lines(&mut file, CHUNK)?;
            // Entries are placed one after the other; meanwhile the next ones are prepared.
            let (placed, prepared) = rayon::join(|| self.place(next), || prepare(&lines));
            placed?;
            next = prepared;
        }
        Ok(())
    }

    /// Up to `count` lines that are not empty; none at the end of the file.
    fn read_lines(
        &mut self,
        file: &mut impl BufRead,
        count: usize,
    ) -> Result<Vec<(usize, Vec<u8>)>, ClusterError> {
        let mut lines: Vec<(usize, Vec<u8>)> = Vec::new();
        while lines.len() < count {
            let mut line = Vec::new();
            if file.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            self.line += 1;
            if line.len() > LINE_BYTES_MAX {
                self.problems.push(format!(
                    "line {} is longer than {} MB: left out",
                    self.line,
                    LINE_BYTES_MAX >> 20
                ));
            } else if !line.trim_ascii().is_empty() {
                lines.push((self.line, line));
            }
        }
        Ok(lines)
    }

    fn place(&mut self, prepared: Vec<Result<Ready, LineError>>) -> Result<(), ClusterError> {
        let first = self.memory.len();
        let mut entries = Vec::new();
        for ready in prepared {
            match ready {
                Ok(Ready { id, sketch, keys, title, text }) => {
                    self.memory.add(&sketch, &keys);
                    entries.push((sketch, keys, title, text));
                    self.decisions.push(ClusterDecision { id, relation: Relation::First, reason: None });
                }
                Err(LineError::Other(problem)) => self.problems.push(problem),
                Err(LineError::UnknownField(error)) => return Err(error),
            }
        }
        for (at, (sketch, keys, title, text)) in entries.iter().enumerate() {
            let opening = Opening { title, text };
            let number = first + at;
            self.memory.begin(number);
            let Ok(intake) = place(NewEntry { keys, sketch, opening }, &mut self.memory);
            self.keep(number, &intake);
            self.memory.end(number, sketch, opening);
        }
        Ok(())
    }

    fn keep(&mut self, number: usize, intake: &Placement) {
        let Some(opinion) = intake.opinions.first() else { return };
        let other = self.decisions[opinion.entry.0 as usize].id.to_string();
        let other = other.trim_matches('"');
        let Some(decision) = intake.decision() else {
            self.decisions[number].reason =
                Some(format!("{ALONE}; not with {other}: {}", opinion.reason).into());
            return;
        };
        self.decisions[number].relation = decision.relation;
        self.decisions[number].reason =
            Some(format!("{} of {other}: {}", decision.relation.as_str(), decision.reason).into());
        for story in std::iter::once(decision.story).chain(intake.also.iter().copied()) {
            self.memory.join(story.0 as usize, number);
        }
    }

    /// The placements of all entries, in the order of the file.
    pub fn into_placed(self) -> impl Iterator<Item = Placed> {
        let Clustering { memory, decisions, .. } = self;
        (0..decisions.len()).map(move |number| {
            let decision = &decisions[number];
            let reason = decision.reason.as_deref().unwrap_or(ALONE);
            Placed {
                id: decision.id.clone(),
                cluster: decisions[memory.story(number)].id.clone(),
                relation: decision.relation,
                reason: reason.to_owned(),
            }
        })
    }
}

/// Prepares the lines in parallel.
fn prepare(lines: &[(usize, Vec<u8>)]) -> Vec<Result<Ready, LineError>> {
    lines.par_iter().map(|(number, line)| ready(*number, line)).collect()
}

/// Why a line cannot be read: a field that is unknown, or anything else.
fn line_error(number: usize, line: &[u8], error: &serde_json::Error) -> LineError {
    let fields: serde_json::Map<String, Value> = serde_json::from_slice(line).unwrap_or_default();
    match fields.keys().find(|field| !FIELDS.contains(&field.as_str())) {
        Some(field) => {
            let near = nearest_field(field);
            LineError::UnknownField(ClusterError::UnknownField { line: number, field: field.clone(), near })
        }
        None => LineError::Other(format!("line {number} is not an entry ({error}): left out")),
    }
}

fn nearest_field(field: &str) -> &'static str {
    let lower = field.to_ascii_lowercase();
    let synonym = SYNONYMS.iter().find(|(name, _)| *name == lower).map(|(_, field)| *field);
    synonym.or_else(|| nearest(&lower, FIELDS)).unwrap_or_default()
}

fn ready(number: usize, line: &[u8]) -> Result<Ready, LineError> {
    let item: ClusterEntry =
        serde_json::from_slice(line).map_err(|error| line_error(number, line, &error))?;
    let page = item.html.as_deref().map(read_html).unwrap_or_default();
    let text = item.text.as_deref().filter(|text| !text.trim().is_empty()).unwrap_or(&page.text);
    let title = item.title.as_deref().unwrap_or_default();
    let source = item.source.as_deref().unwrap_or_default();
    let date: Option<Timestamp> = item.published.as_deref().and_then(parse_date);
    let names = EntryNames {
        source,
        url: item.url.as_deref(),
        guid: item.guid.as_deref(),
        same_as: &page.same_as,
        alternates: &page.alternates,
        title,
        summary: text,
        content: item.html.as_deref().unwrap_or(text),
        date,
        event: None,
    };
    let mut keys = keys(&names);
    keys.extend(item.guid.as_deref().filter(|guid| !guid.is_empty()).map(|guid| guid_key(source, guid)));
    let own = item.url.as_deref().and_then(canonical_key);
    let links: Vec<String> = page.links.into_iter().filter(|link| Some(link) != own.as_ref()).collect();
    let day = date.map(|date| date.as_second().div_euclid(86_400) as i32);
    let sketch =
        sketch(&SketchInput { source, title, text, language: item.language.as_deref(), day, links: &links });
    let id = if item.id.is_null() { Value::from(number) } else { item.id };
    let opening = Opening { title, text }.cut();
    Ok(Ready { id, sketch, keys, title: opening.title.to_owned(), text: opening.text.to_owned() })
}

/// The text, links and alternates found in HTML.
#[derive(Default)]
struct ContentSummary {
    text: String,
    same_as: Vec<String>,
    alternates: Vec<Alternate>,
    links: Vec<String>,
}

/// Maximum number of links and pictures considered.
const LINKS_MAX: usize = 40;

/// Elements whose text is not shown.
const UNSEEN: [&str; 5] = ["script", "style", "noscript", "template", "title"];

fn read_html(html: &str) -> ContentSummary {
    let mut page = ContentSummary::default();
    let tree = Html::parse_fragment(&bound_markup(html));
    for node in tree.tree.nodes() {
        match node.value() {
            Node::Text(text) => {
                let parent = node.parent().and_then(|parent| parent.value().as_element());
                if parent.is_none_or(|element| !UNSEEN.contains(&element.name())) {
                    page.text.push_str(text);
                    page.text.push(' ');
                }
            }
            Node::Element(element) => {
                let (rel, href) =
                    (element.attr("rel").unwrap_or_default().to_ascii_lowercase(), element.attr("href"));
                let has = |wanted: &str| rel.split_ascii_whitespace().any(|word| word == wanted);
                match (element.name(), href, element.attr("hreflang")) {
                    (_, Some(href), _) if has("canonical") || has("via") => {
                        page.same_as.push(href.to_owned())
                    }
                    (_, Some(href), Some(language)) if has("alternate") => page
                        .alternates
                        .push(Alternate { language: language.to_owned(), url: href.to_owned() }),
                    ("a", Some(href), _) if page.links.len() < LINKS_MAX => {
                        page.links.extend(canonical_key(href))
                    }
                    ("img", _, _) if page.links.len() < LINKS_MAX => {
                        page.links.extend(element.attr("src").and_then(canonical_key))
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    page
}
