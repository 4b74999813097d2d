//! Reads a TOML table key by key. The keys asked for are the known ones: all others are reported as faults, with the closest
//! known name. Contains no keys of courant.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::rc::Rc;

use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::parts::Faults;
use super::schema::Recorder;
use super::values::has_password;
use crate::support::text::did_you_mean;

/// The bits of a file's mode that are for everybody.
const OTHERS: u32 = 0o007;

/// A table, with the keys asked for so far; when dropped, the other keys are reported as faults.
pub(super) struct Section<'a> {
    /// The display name: `[mail]`, `[[source]] "ogp"`.
    pub name: String,
    /// Its start in all parts, as a byte offset.
    pub at: usize,
    table: Option<&'a DeTable<'a>>,
    asked: RefCell<Vec<&'static str>>,
    is_reported: Cell<bool>,
    faults: &'a Faults<'a>,
    /// For the schema: what is asked for is written down, and nothing is there.
    recorder: Option<Rc<Recorder>>,
}

impl<'a> Section<'a> {
    pub(super) fn root(table: &'a DeTable<'a>, faults: &'a Faults<'a>) -> Self {
        Section::new("the file".into(), 0, Some(table), faults, None)
    }

    /// The whole of an empty file, of which `recorder` writes down what is asked for.
    pub(super) fn recorded(recorder: Rc<Recorder>, faults: &'a Faults<'a>) -> Self {
        Section::new("the file".into(), 0, None, faults, Some(recorder))
    }

    fn new(
        name: String,
        at: usize,
        table: Option<&'a DeTable<'a>>,
        faults: &'a Faults<'a>,
        recorder: Option<Rc<Recorder>>,
    ) -> Self {
        let (asked, is_reported) = (RefCell::default(), Cell::default());
        Section { name, at, table, asked, is_reported, faults, recorder }
    }

    fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        if let Some(recorder) = &self.recorder {
            recorder.presence(key);
        }
        self.table?.get(key)
    }

    /// Writes down what may stand under a key.
    fn may_be(&self, key: &'static str, schema: impl FnOnce() -> Value) {
        if let Some(recorder) = &self.recorder {
            recorder.value(key, schema());
        }
    }

    pub(super) fn fault(&self, at: usize, message: impl AsRef<str>) {
        self.faults.push(at, format!("{}: {}", self.name, message.as_ref()));
    }

    /// Warns of a password that stands in the address under a key, unless that comes from the environment.
    pub(super) fn note_password(&self, key: &str, address: &str) {
        let at = self.table.and_then(|table| table.get(key)).map_or(self.at, |value| value.span().start);
        if has_password(address) && self.faults.parts.has_lines(at) {
            self.note(
                key,
                "the password stands here in clear text: keep it in a file or a variable of the environment",
            );
        }
    }

    /// Warns of a secret in a file that everybody on this machine may read.
    pub(super) fn note_open_file(&self, key: &str, secret: &str, folder: &Path) {
        let Some(path) = secret.strip_prefix("file:").map(|path| folder.join(path)) else { return };
        let is_open = std::fs::metadata(&path)
            .is_ok_and(|known| known.is_file() && known.permissions().mode() & OTHERS != 0);
        if is_open {
            self.note(key, format!("everybody on this machine may read {}: chmod o= {0}", path.display()));
        }
    }

    /// Says something of a key that is no fault.
    pub(super) fn note(&self, key: &str, message: impl AsRef<str>) {
        let at = self.table.and_then(|table| table.get(key)).map_or(self.at, |value| value.span().start);
        let message = format!("note: {}: {key}: {}", self.name, message.as_ref());
        self.faults.notes.borrow_mut().push(self.faults.at(at, message));
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
        let recorder = self.recorder.as_ref().map(|recorder| recorder.table(key, false));
        Section::new(format!("[{key}]"), at, table, self.faults, recorder)
    }

    pub(super) fn has(&self, key: &'static str) -> bool {
        self.get(key).is_some() || self.recorder.is_some()
    }

    /// Reports a key that has to be there, and is not.
    pub(super) fn needs(&self, key: &'static str, message: &str) {
        if let Some(recorder) = &self.recorder {
            recorder.required(key);
        }
        if !self.has(key) {
            self.fault(self.at, message);
        }
    }

    /// The tables of an array of tables.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Section<'a>> {
        let value = self.get(key);
        if let Some(recorder) = &self.recorder {
            let recorder = Some(recorder.table(key, true));
            return vec![Section::new(format!("[[{key}]]"), 0, None, self.faults, recorder)];
        }
        let Some(value) = value else { return Vec::new() };
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
                    sections.push(Section::new(name, item.span().start, Some(table), self.faults, None));
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
        let value = self.get(key);
        self.may_be(key, || json!({ "type": "string" }));
        let value = value?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, value, "a text in quotes");
            return None;
        };
        parse(text).map_err(|message| self.fault(value.span().start, format!("{key}: {message}"))).ok()
    }

    /// One of a few words, each with what it means.
    pub(super) fn choice<T: Clone>(&self, key: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.may_be(key, || json!({ "enum": names }));
        self.parsed(key, |text| {
            let found = choices.iter().find(|(name, _)| *name == text).map(|(_, meaning)| meaning.clone());
            found.ok_or_else(|| {
                let near = did_you_mean(text, names.iter().copied());
                format!("\"{text}\" must be \"{}\"{near}", names.join("\" or \""))
            })
        })
    }

    /// A duration in seconds: a text that `parse` reads, or a number.
    pub(super) fn seconds(
        &self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<u64, String>,
    ) -> Option<u64> {
        self.may_be(key, || json!({ "type": ["string", "integer"] }));
        match self.get(key) {
            Some(value) if value.get_ref().as_integer().is_some() => {
                Some(self.number(key, 0, 0..=u64::from(u32::MAX)))
            }
            _ => self.parsed(key, parse),
        }
    }

    /// A rate per second: a text that `parse` reads, or a number; 0 means unlimited.
    pub(super) fn by_rate(&self, key: &'static str, parse: impl FnOnce(&str) -> Result<f64, String>) -> f64 {
        self.may_be(key, || json!({ "type": ["string", "integer"] }));
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
        self.needs(key, &format!("{key} is missing"));
        let value = self.parsed(key, |text| {
            if text.trim().is_empty() { Err("is empty".into()) } else { Ok(text.to_owned()) }
        });
        value.unwrap_or_default()
    }

    pub(super) fn boolean(&self, key: &'static str, default: bool) -> bool {
        self.may_be(key, || json!({ "type": "boolean", "default": default }));
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
        self.may_be(key, || number_schema(default, &range));
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
        self.may_be(key, || json!({ "type": "array", "items": { "type": "string" } }));
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
        self.may_be(key, || json!({ "type": ["string", "array"], "items": { "type": "string" } }));
        match self.get(key) {
            Some(value) if value.get_ref().as_str().is_some() => {
                self.parsed(key, parse).into_iter().collect()
            }
            _ => self.list(key, parse),
        }
    }

    /// A table of values whose keys are languages accepted by `parse`; `want` names the values, which `schema` describes.
    fn by_language<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<String, String>,
        read: impl Fn(&DeValue) -> Option<T>,
        (want, schema): (&str, Value),
    ) -> BTreeMap<String, T> {
        self.may_be(key, || json!({ "type": "object", "additionalProperties": schema }));
        let Some(value) = self.get(key) else { return BTreeMap::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, value, "a table of languages");
            return BTreeMap::new();
        };
        let mut found = BTreeMap::new();
        for (language, value) in table.iter() {
            if let Err(message) = parse(language.get_ref()) {
                self.fault(language.span().start, format!("{key}: {message}"));
            }
            match read(value.get_ref()) {
                Some(item) => drop(found.insert(language.get_ref().to_string(), item)),
                None => self.wrong_type(key, value, want),
            }
        }
        found
    }

    /// A table of texts whose keys are languages accepted by `parse`.
    pub(super) fn by_language_text(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<String, String>,
    ) -> BTreeMap<String, String> {
        let text = ("a text", json!({ "type": "string" }));
        self.by_language(key, parse, |value| value.as_str().map(str::to_owned), text)
    }

    /// A table of lists of texts whose keys are languages accepted by `parse`.
    pub(super) fn by_language_list(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<String, String>,
    ) -> BTreeMap<String, Vec<String>> {
        let list = ("a list of texts", json!({ "type": "array", "items": { "type": "string" } }));
        let text = |item: &Spanned<DeValue>| item.get_ref().as_str().map(str::to_owned);
        self.by_language(key, parse, |value| Some(value.as_array()?.iter().filter_map(text).collect()), list)
    }

    /// Does not report unknown keys: another section over the same table has asked for them.
    pub(super) fn forget(&self) {
        self.is_reported.set(true);
    }
}

fn number_schema(default: u64, range: &std::ops::RangeInclusive<u64>) -> Value {
    let mut schema = json!({ "type": "integer", "default": default, "minimum": range.start() });
    // No number that can be written is greater.
    if *range.end() < u64::MAX {
        schema["maximum"] = json!(range.end());
    }
    schema
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
            let hint = did_you_mean(name, asked.iter().copied());
            self.fault(key.span().start, format!("unknown key \"{name}\"{hint}"));
        }
    }
}
