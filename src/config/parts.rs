//! What a configuration is put together from: the file itself, the files of `conf.d/` beside it, and variables of the
//! environment. Contains no keys of courant beyond those that `conf.d` may have.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::support::text::did_you_mean;

/// Variables of the environment that set a key begin so.
pub(super) const PREFIX: &str = "COURANT_";
/// Between a table and its key, in the name of a variable.
const SEPARATOR: &str = "__";
/// The lists that files of `conf.d` may add to.
const ADDED: [&str; 4] = ["source", "topic", "feed", "digest"];

/// A fault in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigFault {
    /// A file of `conf.d` or a variable of the environment, unless it is in the file itself.
    pub place: Option<String>,
    /// Starting at 1; 0 where there are no lines.
    pub line: usize,
    pub message: String,
}

impl ConfigFault {
    /// The fault with its place, in the configuration at `path`.
    pub fn in_file(&self, path: &Path) -> String {
        let place = self.place.clone().unwrap_or_else(|| path.display().to_string());
        match self.line {
            0 => format!("{place}: {}", self.message),
            line => format!("{place}:{line}: {}", self.message),
        }
    }
}

/// Collects the faults of a configuration, and what is none but should be known.
pub(super) struct Faults<'a> {
    pub(super) parts: &'a ConfigTexts,
    found: RefCell<Vec<ConfigFault>>,
    pub(super) notes: RefCell<Vec<ConfigFault>>,
}

impl<'a> Faults<'a> {
    pub(super) fn new(parts: &'a ConfigTexts) -> Self {
        Faults { parts, found: RefCell::default(), notes: RefCell::default() }
    }

    pub(super) fn at(&self, at: usize, message: String) -> ConfigFault {
        let (place, line) = self.parts.place_of(at);
        ConfigFault { place, line, message }
    }

    /// Records a fault at a byte offset.
    pub(super) fn push(&self, at: usize, message: impl Into<String>) {
        self.found.borrow_mut().push(self.at(at, message.into()));
    }

    /// All faults, and all notes, each sorted by file and line.
    pub(super) fn into_sorted(self) -> (Vec<ConfigFault>, Vec<ConfigFault>) {
        let sorted = |list: RefCell<Vec<ConfigFault>>| {
            let mut list = list.into_inner();
            list.sort();
            list.dedup();
            list
        };
        (sorted(self.found), sorted(self.notes))
    }
}

/// One text that keys come from.
struct ConfigText {
    /// What it is called, unless it is the file itself.
    place: Option<String>,
    /// The path of the key that it is the value of, if it is a variable.
    variable: Option<Vec<String>>,
    /// Where it begins, if all parts stand one behind the other.
    start: usize,
    text: String,
}

/// All texts of a configuration, the file itself first.
pub(super) struct ConfigTexts(Vec<ConfigText>);

impl ConfigTexts {
    pub(super) fn of(text: &str) -> ConfigTexts {
        let mut parts = ConfigTexts(Vec::new());
        parts.push(None, None, text.to_owned());
        parts
    }

    fn push(&mut self, place: Option<String>, variable: Option<Vec<String>>, text: String) {
        let start = self.0.last().map_or(0, |last| last.start + last.text.len() + 1);
        self.0.push(ConfigText { place, variable, start, text });
    }

    /// Adds the files of a folder, which may not exist, in the order of their names.
    ///
    /// # Errors
    /// The files that cannot be read.
    pub(super) fn add_folder(&mut self, folder: &Path) -> Result<(), Vec<ConfigFault>> {
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .collect();
        paths.sort();
        let mut faults = Vec::new();
        for path in paths {
            let place = path.display().to_string();
            match std::fs::read_to_string(&path) {
                Ok(text) => self.push(Some(place), None, text),
                Err(error) => {
                    let message = format!("cannot be read: {error}");
                    faults.push(ConfigFault { place: Some(place), line: 0, message });
                }
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Adds the variables that set keys: `COURANT_MAIL__FROM` is `from` of `[mail]`. `tables` are the keys that the file may have.
    ///
    /// # Errors
    /// The variables that mean a key and name none.
    pub(super) fn add_variables(
        &mut self,
        mut variables: Vec<(String, String)>,
        tables: &[&str],
    ) -> Result<(), Vec<ConfigFault>> {
        variables.sort();
        let mut faults = Vec::new();
        for (name, value) in variables {
            let Some(key) = name.strip_prefix(PREFIX).map(str::to_lowercase) else { continue };
            // A secret may have any name.
            if self.0.iter().any(|part| part.text.contains(&format!("env:{name}"))) {
                continue;
            }
            if key.contains(SEPARATOR) {
                self.push(Some(name), Some(key.split(SEPARATOR).map(str::to_owned).collect()), value);
            } else if tables.contains(&key.as_str()) {
                let message =
                    format!("it names a table: set its keys one by one, such as {}{SEPARATOR}KEY", name);
                faults.push(ConfigFault { place: Some(name), line: 0, message });
            } else if let Some((table, rest)) =
                key.split_once('_').filter(|(table, _)| tables.contains(table))
            {
                let wanted = format!("{PREFIX}{}{SEPARATOR}{}", table, rest).to_uppercase();
                let message =
                    format!("two underscores stand between a table and its key: did you mean {wanted}?");
                faults.push(ConfigFault { place: Some(name), line: 0, message });
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Whether there is nothing in any of them.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|part| part.variable.is_none() && part.text.trim().is_empty())
    }

    /// The place and line of an offset in all parts.
    pub(super) fn place_of(&self, at: usize) -> (Option<String>, usize) {
        let Some(part) = self.0.iter().rev().find(|part| part.start <= at) else { return (None, 1) };
        let within = (at - part.start).min(part.text.len());
        let newlines = part.text.as_bytes()[..within].iter().filter(|byte| **byte == b'\n').count();
        (part.place.clone(), if part.variable.is_some() { 0 } else { newlines + 1 })
    }

    /// Whether what begins at an offset stands in a file.
    pub(super) fn has_lines(&self, at: usize) -> bool {
        self.place_of(at).1 > 0
    }

    /// One table of all parts, in which each value knows its offset.
    pub(super) fn merged<'a>(&'a self, faults: &Faults) -> DeTable<'a> {
        let mut whole = DeTable::new();
        for part in &self.0 {
            match &part.variable {
                Some(path) => {
                    let put = put(&mut whole, path, read_variable(part), part.start);
                    put.unwrap_or_else(|message| faults.push(part.start, message));
                }
                None => {
                    let (table, errors) = DeTable::parse_recoverable(&part.text);
                    for error in errors {
                        let at = error.span().map_or(0, |span| span.start);
                        faults.push(part.start + at, error.message().replace('\n', ", "));
                    }
                    let table = moved_table(table.get_ref(), part.start);
                    if part.place.is_none() { whole = table } else { add(&mut whole, table, faults) }
                }
            }
        }
        whole
    }
}

/// The value of a variable: TOML, or else a text.
fn read_variable(part: &ConfigText) -> DeValue<'_> {
    match DeValue::parse(&part.text) {
        Ok(value) => moved(&value, part.start).into_inner(),
        Err(_) => DeValue::String(Cow::Borrowed(&part.text)),
    }
}

/// Adds the lists of a file of `conf.d`.
fn add<'a>(whole: &mut DeTable<'a>, table: DeTable<'a>, faults: &Faults) {
    for (key, value) in table {
        if !ADDED.contains(&key.get_ref().as_ref()) {
            let message = format!(
                "only [[{}]] can stand in conf.d: \"{}\" belongs in the file beside it",
                ADDED.join("]], [["),
                key.get_ref()
            );
            faults.push(key.span().start, message);
            continue;
        }
        match (whole.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut), value.get_ref()) {
            (Some(DeValue::Array(known)), DeValue::Array(more)) => {
                more.iter().for_each(|item| known.push(item.clone()));
            }
            (Some(_), _) => {
                faults.push(key.span().start, format!("\"{}\" is no list of tables", key.get_ref()))
            }
            (None, _) => drop(whole.insert(key, value)),
        }
    }
}

/// A copy of a value whose offsets begin at `start`.
fn moved<'a>(value: &Spanned<DeValue<'a>>, start: usize) -> Spanned<DeValue<'a>> {
    let span = value.span();
    let inner = match value.get_ref() {
        DeValue::Array(array) => {
            let mut copy = DeArray::new();
            array.iter().for_each(|item| copy.push(moved(item, start)));
            DeValue::Array(copy)
        }
        DeValue::Table(table) => DeValue::Table(moved_table(table, start)),
        other => other.clone(),
    };
    Spanned::new(span.start + start..span.end + start, inner)
}

fn moved_table<'a>(table: &DeTable<'a>, start: usize) -> DeTable<'a> {
    let key = |key: &Spanned<Cow<'a, str>>| {
        Spanned::new(key.span().start + start..key.span().end + start, key.get_ref().clone())
    };
    table.iter().map(|(name, value)| (key(name), moved(value, start))).collect()
}

/// Puts a value where a path leads, making the tables on the way. An item of a list is named by its `id`, or else by its number.
fn put<'a>(table: &mut DeTable<'a>, path: &[String], value: DeValue<'a>, at: usize) -> Result<(), String> {
    let Some((first, rest)) = path.split_first().filter(|(first, _)| !first.is_empty()) else {
        return Err("a part of the name is empty".into());
    };
    let name = || Spanned::new(at..at, Cow::Owned(first.clone()));
    if rest.is_empty() {
        table.insert(name(), Spanned::new(at..at, value));
        return Ok(());
    }
    if !table.contains_key(first.as_str()) {
        table.insert(name(), Spanned::new(at..at, DeValue::Table(DeTable::new())));
    }
    match table.get_mut(first.as_str()).map(Spanned::get_mut) {
        Some(DeValue::Table(inner)) => put(inner, rest, value, at),
        Some(DeValue::Array(list)) => {
            let (which, rest) = rest.split_first().unwrap_or((first, &[]));
            let place = place_in(list, which).map_err(|near| format!("no [[{first}]] is called so{near}"))?;
            match list.get_mut(place).map(Spanned::get_mut) {
                Some(DeValue::Table(inner)) => put(inner, rest, value, at),
                _ => Err(format!("\"{first}\" is no list of tables")),
            }
        }
        _ => Err(format!("\"{first}\" is no table")),
    }
}

/// The item of a list that a part of a name means.
fn place_in(list: &DeArray, which: &str) -> Result<usize, String> {
    let as_part = |id: &str| id.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let ids: Vec<Option<String>> = list
        .iter()
        .map(|item| Some(as_part(item.get_ref().as_table()?.get("id")?.get_ref().as_str()?)))
        .collect();
    let by_number = || which.parse().ok().filter(|number| *number < list.len());
    ids.iter()
        .position(|id| id.as_deref() == Some(which))
        .or_else(by_number)
        .ok_or_else(|| did_you_mean(which, ids.iter().flatten().map(String::as_str)))
}
