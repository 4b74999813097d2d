//! The JSON Schema of the configuration, as the reader itself asks for keys: reading an empty file, it says of each key what
//! may stand there.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value, json};

/// What the reader asked a table for.
#[derive(Default)]
pub(super) struct Recorder {
    keys: RefCell<BTreeMap<&'static str, Asked>>,
    required: RefCell<Vec<&'static str>>,
    is_list: Cell<bool>,
}

enum Asked {
    /// Whether the key is there, and nothing more so far.
    Presence,
    Value(Value),
    Table(Rc<Recorder>),
}

impl Recorder {
    pub(super) fn presence(&self, key: &'static str) {
        self.keys.borrow_mut().entry(key).or_insert(Asked::Presence);
    }

    /// What may stand under a key. What was said first stays.
    pub(super) fn value(&self, key: &'static str, schema: Value) {
        let mut keys = self.keys.borrow_mut();
        let slot = keys.entry(key).or_insert(Asked::Presence);
        if matches!(slot, Asked::Presence) {
            *slot = Asked::Value(schema);
        }
    }

    pub(super) fn required(&self, key: &'static str) {
        self.presence(key);
        let mut required = self.required.borrow_mut();
        if !required.contains(&key) {
            required.push(key);
        }
    }

    /// What is asked of a table, or of each table of a list.
    pub(super) fn table(&self, key: &'static str, is_list: bool) -> Rc<Recorder> {
        let mut keys = self.keys.borrow_mut();
        if let Some(Asked::Table(known)) = keys.get(key) {
            return known.clone();
        }
        let fresh = Rc::new(Recorder::default());
        fresh.is_list.set(is_list);
        keys.insert(key, Asked::Table(fresh.clone()));
        fresh
    }

    /// The keys that were asked for.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.keys.borrow().keys().copied().collect()
    }

    pub(super) fn schema(&self) -> Value {
        let of = |asked: &Asked| match asked {
            Asked::Presence => json!({}),
            Asked::Value(schema) => schema.clone(),
            Asked::Table(table) => table.schema(),
        };
        let properties: Map<String, Value> =
            self.keys.borrow().iter().map(|(key, asked)| ((*key).to_owned(), of(asked))).collect();
        let mut table = json!({ "type": "object", "properties": properties, "additionalProperties": false });
        if !self.required.borrow().is_empty() {
            table["required"] = json!(*self.required.borrow());
        }
        if self.is_list.get() { json!({ "type": "array", "items": table }) } else { table }
    }
}
