//! What the reference says of each key, for the schema: editors show it where somebody writes.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

const REFERENCE: &str = include_str!("../../docs/src/reference/configuration.md");

static LINK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\[([^\]]*)\]\([^)]*\)").expect("a pattern of ours"));
static QUOTED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"`([^`]*)`").expect("a pattern of ours"));

/// Adds to each key of a schema what it means, and what holds without it.
pub(super) fn describe(schema: &mut Value) {
    let mut tables: Vec<Vec<String>> = Vec::new();
    for line in REFERENCE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            tables = paths(heading);
        } else if let Some((keys, text)) = row(line) {
            for table in &tables {
                keys.iter().for_each(|key| describe_key(schema, table, key, &text));
            }
        }
    }
}

/// The tables that a section is about.
fn paths(heading: &str) -> Vec<Vec<String>> {
    let path = |text: &str| text.split('.').map(str::to_owned).collect();
    match heading {
        "Top level" => vec![Vec::new()],
        "Sources of mail" => vec![path("source")],
        "`rewrite`" => vec![path("source.rewrite")],
        _ => QUOTED.captures_iter(heading).map(|found| path(found[1].trim_matches(['[', ']']))).collect(),
    }
}

/// The keys of a row, and what is said of them.
fn row(line: &str) -> Option<(Vec<String>, String)> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.splitn(4, " | ").collect();
    let [keys, _, default, meaning] = cells.as_slice() else { return None };
    let keys: Vec<String> = QUOTED.captures_iter(keys).map(|found| found[1].to_owned()).collect();
    let plain = |text: &str| LINK.replace_all(text, "$1").replace('`', "");
    let default = match plain(default) {
        default if ["", "none", "required"].contains(&default.as_str()) => String::new(),
        default => format!(" Default: {default}."),
    };
    let meaning = plain(meaning);
    let end = if meaning.ends_with(['.', '?']) || meaning.is_empty() { "" } else { "." };
    Some((keys, format!("{meaning}{end}{default}")))
}

/// Says it of a key of a table, which may be one of a list.
fn describe_key(schema: &mut Value, table: &[String], key: &str, text: &str) {
    let mut place = Some(schema);
    for name in table.iter().map(String::as_str).chain([key]) {
        place = place.and_then(|schema| {
            let schema = if schema.get("items").is_some() { schema.get_mut("items")? } else { schema };
            schema.get_mut("properties")?.get_mut(name)
        });
    }
    if let Some(key) = place.and_then(Value::as_object_mut) {
        key.insert("description".to_owned(), text.into());
    }
}
