//! Writes the list of subscribers as a table.

use std::io::Write;

use super::columns::COLUMNS;
use crate::model::profile::Profile;
use crate::model::subscriber::{Preferences, Subscriber};

/// Writes the header of a table.
///
/// # Errors
/// When it cannot be written.
pub fn write_head<W: Write>(out: &mut csv::Writer<W>) -> csv::Result<()> {
    out.write_record(COLUMNS)
}

/// Writes one subscriber.
///
/// # Errors
/// When it cannot be written.
pub fn write<W: Write>(out: &mut csv::Writer<W>, subscriber: &Subscriber) -> csv::Result<()> {
    let Preferences { language, interests, cadence } = &subscriber.preferences;
    let Profile { tags, attributes } = &subscriber.profile;
    let tags = tags.iter().map(String::as_str).collect::<Vec<_>>().join(";");
    let attributes = match attributes.is_empty() {
        true => String::new(),
        false => serde_json::to_string(attributes).unwrap_or_default(),
    };
    out.write_record([
        subscriber.address.as_str(),
        subscriber.state.as_str(),
        language,
        &interests.languages.join(";"),
        &interests.topics.join(";"),
        &interests.without.join(";"),
        &interests.partners.join(";"),
        &cadence.to_string(),
        &escape_formula(&subscriber.consent.source),
        &subscriber.consent.at.to_string(),
        &subscriber.created.to_string(),
        &escape_formula(subscriber.consent.text.as_deref().unwrap_or_default()),
        &escape_formula(&tags),
        &attributes,
    ])
}

/// Escapes fields that a spreadsheet would take for a formula.
fn escape_formula(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}
