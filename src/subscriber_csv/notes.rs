//! What a table notes of a person: tags, and attributes as an object of JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::columns::{Columns, cell};
use crate::model::profile::{
    ATTRIBUTES_MAX, NAME_CHARS_MAX, Profile, ProfileChange, TAGS_MAX, parse_name, parse_tag, parse_value,
};

/// Reads tags and attributes. What of another program's cannot be one here is left out, with a hint.
pub(super) fn profile(
    columns: &Columns,
    cells: &[String],
) -> Result<(ProfileChange, Option<String>), Vec<String>> {
    let mut faults = Vec::new();
    let tags = columns.tags.map(|at| tags(cell(cells, at), &mut faults));
    let attributes = columns.attributes.map(|at| attributes(cell(cells, at), &mut faults));
    let mut change = ProfileChange { tags, attributes };
    if let Some((_, fault)) = change.over(Profile::default()).too_much() {
        faults.push(fault);
        change.tags = change.tags.map(|tags| tags.into_iter().take(TAGS_MAX).collect());
        change.attributes = change.attributes.map(|all| all.into_iter().take(ATTRIBUTES_MAX).collect());
    }
    match (columns.is_own, faults.is_empty()) {
        (_, true) => Ok((change, None)),
        (true, false) => Err(faults),
        (false, false) => Ok((change, Some(format!("left out: {}", faults.join(", "))))),
    }
}

/// Tags are separated by commas, semicolons or bars, some in quotes; or they are a list of JSON.
fn tags(text: &str, faults: &mut Vec<String>) -> BTreeSet<String> {
    let list: Vec<String> = serde_json::from_str(text).unwrap_or_else(|_| {
        let parts = text.split([',', ';', '|']);
        parts.map(|part| part.trim().trim_matches('"').trim().to_owned()).collect()
    });
    // A dash in a field says nothing.
    let list = list.iter().filter(|tag| tag.chars().any(|c| !c.is_whitespace() && c != '-'));
    list.filter_map(|tag| parse_tag(tag).map_err(|fault| faults.push(fault)).ok()).collect()
}

fn attributes(text: &str, faults: &mut Vec<String>) -> BTreeMap<String, String> {
    if text.trim().is_empty() {
        return BTreeMap::new();
    }
    let Ok(Value::Object(fields)) = serde_json::from_str(text) else {
        faults.push("attributes are no object of JSON".to_owned());
        return BTreeMap::new();
    };
    let mut read = BTreeMap::new();
    for (name, value) in fields {
        let pair = scalar(&value)
            .ok_or_else(|| format!("the attribute \"{name}\" holds several values"))
            .and_then(|value| Ok((parse_name(&as_name(&name))?, parse_value(&value)?)));
        match pair {
            Ok((_, value)) if value.is_empty() => {}
            Ok((name, value)) => drop(read.insert(name, value)),
            Err(fault) => faults.push(fault),
        }
    }
    read
}

/// A value, or a list of some; `None` for an object.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(scalar).collect();
            Some(items?.join(", "))
        }
        Value::Object(_) => None,
    }
}

/// A name of another program with the characters that one here has.
fn as_name(name: &str) -> String {
    let name: String =
        name.trim().chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect();
    name.chars().take(NAME_CHARS_MAX).collect()
}
