//! Reads a TOML table key by key. The keys asked for are the known ones: all others are reported as faults, with the closest
//! known name. Contains no keys of courant.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A fault in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigFault {
    /// Starting at 1.
    pub line: usize,
    pub message: String,
}

/// Collects the faults of a document.
pub(super) struct Faults<'a> {
    text: &'a str,
    found: RefCell<Vec<ConfigFault>>,
}

impl<'a> Faults<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Faults { text, found: RefCell::new(Vec::new()) }
    }

    /// Records a fault at a byte offset in the text.
    pub(super) fn push(&self, at: usize, message: impl Into<String>) {
        let line =
            self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|byte| **byte == b'\n').count() + 1;
        self.found.borrow_mut().push(ConfigFault { line, message: message.into() });
    }

    /// All faults, sorted by line.
    pub(super) fn into_sorted(self) -> Vec<ConfigFault> {
        let mut found = self.found.into_inner();
        found.sort();
        found.dedup();
        found
    }
}

/// A table, with the keys asked for so far; when dropped, the other keys are reported as faults.
pub(super) struct Section<'a> {
    /// The display name: `[mail]`, `[[source]] "ogp"`.
    pub name: String,
    /// Its start in the text, as a byte offset.
    pub at: usize,
    table: Option<&'a DeTable<'a>>,
    asked: RefCell<Vec<&'static str>>,
    is_reported: Cell<bool>,
    faults: &'a Faults<'a>,
}

impl<'a> Section<'a> {
    pub(super) fn root(table: &'a Spanned<DeTable<'a>>, faults: &'a Faults<'a>) -> Self {
        Section {
            name: "the file".into(),
            at: 0,
            table: Some(table.get_ref()),
            asked: RefCell::default(),
            is_reported: Cell::default(),
            faults,
        }
    }

    fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        self.table?.get(key)
    }

    pub(super) fn fault(&self, at: usize, message: impl AsRef<str>) {
        self.faults.push(at, format!("{}: {}", self.name, message.as_ref()));
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue>, want: &str) {
        self.fault(value.span().start, format!("{key} must be {want}, not {}", value.get_ref().type_str()));
    }

    /// The table under a key; a missing one reads as empty.
    pub(super) fn table(&self, key: &'static str) -> Section<'a> {
        let value = self.get(key);
        let table = value.and_then(|value| value.get_ref().as_table());
        if let Some(value) = value.filter(|_| table.is_none()) {
            self.wrong_type(key, value, "a table");
        }
        let at = value.map_or(self.at, |value| value.span().start);
        Section {
            name: format!("[{key}]"),
            at,
            table,
            asked: RefCell::default(),
            is_reported: Cell::default(),
            faults: self.faults,
        }
    }

    pub(super) fn has(&self, key: &'static str) -> bool {
        self.get(key).is_some()
    }

    /// The tables of an array of tables.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of tables");
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in array.iter() {
            match item.get_ref().as_table() {
                Some(table) => {
                    let id = table
                        .get("id")
                        .and_then(|id| id.get_ref().as_str())
                        .map(|id| format!(" \"{id}\""))
                        .unwrap_or_default();
                    let name = format!("[[{key}]]{id}");
                    sections.push(Section {
                        name,
                        at: item.span().start,
                        table: Some(table),
                        asked: RefCell::default(),
                        is_reported: Cell::default(),
                        faults: self.faults,
                    });
                }
                None => self.wrong_type(key, item, "a list of tables"),
            }
        }
        sections
    }

    /// A value read by `parse`, whose error is a sentence.
    pub(super) fn parsed<T>(
        &self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.get(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, value, "a text in quotes");
            return None;
        };
        parse(text).map_err(|message| self.fault(value.span().start, format!("{key}: {message}"))).ok()
    }

    /// A duration in seconds: a text that `parse` reads, or a number.
    pub(super) fn seconds(
        &self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<u64, String>,
    ) -> Option<u64> {
        match self.get(key) {
            Some(value) if value.get_ref().as_integer().is_some() => {
                Some(self.number(key, 0, 0..=u64::from(u32::MAX)))
            }
            _ => self.parsed(key, parse),
        }
    }

    /// A rate per second: a text that `parse` reads, or a number; 0 means unlimited.
    pub(super) fn by_rate(&self, key: &'static str, parse: impl FnOnce(&str) -> Result<f64, String>) -> f64 {
        match self.get(key) {
            Some(value) if value.get_ref().as_str().is_some() => self.parsed(key, parse).unwrap_or(0.0),
            _ => self.number(key, 0, 0..=100_000) as f64,
        }
    }

    pub(super) fn string(&self, key: &'static str) -> Option<String> {
        self.parsed(key, |text| Ok(text.to_owned()))
    }

    /// A required text that is not empty.
    pub(super) fn required(&self, key: &'static str) -> String {
        let has = self.has(key);
        let value = self.parsed(key, |text| {
            if text.trim().is_empty() { Err("is empty".into()) } else { Ok(text.to_owned()) }
        });
        if !has {
            self.fault(self.at, format!("{key} is missing"));
        }
        value.unwrap_or_default()
    }

    pub(super) fn boolean(&self, key: &'static str, default: bool) -> bool {
        let Some(value) = self.get(key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong_type(key, value, "true or false");
            default
        })
    }

    /// An integer within a range.
    pub(super) fn number(
        &self,
        key: &'static str,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> u64 {
        let Some(value) = self.get(key) else { return default };
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, value, "a whole number");
            return default;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| range.contains(number));
        number.unwrap_or_else(|| {
            self.fault(
                value.span().start,
                format!("{key} must be from {} to {}", range.start(), range.end()),
            );
            default
        })
    }

    /// A list of texts, each read by `parse`.
    pub(super) fn list<T>(&self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of texts");
            return Vec::new();
        };
        let read = |item: &Spanned<DeValue>| match item.get_ref().as_str() {
            Some(text) => {
                parse(text).map_err(|message| self.fault(item.span().start, format!("{key}: {message}"))).ok()
            }
            None => {
                self.wrong_type(key, item, "a list of texts");
                None
            }
        };
        array.iter().filter_map(read).collect()
    }

    /// A text or a list of texts, each read by `parse`.
    pub(super) fn one_or_more<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        match self.get(key) {
            Some(value) if value.get_ref().as_str().is_some() => {
                self.parsed(key, parse).into_iter().collect()
            }
            _ => self.list(key, parse),
        }
    }

    /// A table whose keys are languages.
    pub(super) fn by_language<T>(
        &self,
        key: &'static str,
        read: impl Fn(&DeValue) -> Option<T>,
        want: &str,
    ) -> BTreeMap<String, T> {
        let Some(value) = self.get(key) else { return BTreeMap::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, value, "a table of languages");
            return BTreeMap::new();
        };
        let mut found = BTreeMap::new();
        for (language, value) in table.iter() {
            match read(value.get_ref()) {
                Some(item) => drop(found.insert(language.get_ref().to_string(), item)),
                None => self.wrong_type(key, value, want),
            }
        }
        found
    }

    /// A table of texts whose keys are languages accepted by `parse`.
    pub(super) fn by_spoken_language(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<String, String>,
    ) -> BTreeMap<String, String> {
        let table = self.get(key).and_then(|value| value.get_ref().as_table());
        for (language, _) in table.into_iter().flat_map(|table| table.iter()) {
            if let Err(message) = parse(language.get_ref()) {
                self.fault(language.span().start, format!("{key}: {message}"));
            }
        }
        self.by_language(key, |value| value.as_str().map(str::to_owned), "a text")
    }

    /// Does not report unknown keys: another section over the same table has asked for them.
    pub(super) fn forget(&self) {
        self.is_reported.set(true);
    }
}

impl Drop for Section<'_> {
    /// Reports the keys that were not asked for.
    fn drop(&mut self) {
        if self.is_reported.get() {
            return;
        }
        let asked = self.asked.borrow();
        for (key, _) in self.table.into_iter().flat_map(|table| table.iter()) {
            let name: &str = key.get_ref();
            if asked.contains(&name) {
                continue;
            }
            let nearest = asked.iter().map(|known| (strsim::osa_distance(known, name), known)).min();
            let hint = match nearest {
                Some((distance, known)) if distance <= 3.max(name.len() / 3) => {
                    format!(": did you mean \"{known}\"?")
                }
                _ => String::new(),
            };
            self.fault(key.span().start, format!("unknown key \"{name}\"{hint}"));
        }
    }
}
