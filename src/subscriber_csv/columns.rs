//! What the columns of a table mean, by their names and by what stands in them.

use super::words::{self, CellMeaning, Column};
use super::{dates, sheet};
use crate::model::subscriber::SubscriberState;

/// The columns of an export; an import may omit all but the first, and have them in any order.
pub(super) const COLUMNS: [&str; 14] = [
    "address",
    "state",
    "language",
    "languages",
    "topics",
    "without",
    "partners",
    "schedule",
    "consent_source",
    "consent_at",
    "created",
    "consent_text",
    TAGS,
    ATTRIBUTES,
];
const TAGS: &str = "tags";
const ATTRIBUTES: &str = "attributes";
/// What programs call the columns of what is noted of a person.
const TAG_NAMES: [&str; 6] = [TAGS, "tag", "labels", "label", "etiquetas", "etiquettes"];
const ATTRIBUTE_NAMES: [&str; 4] = [ATTRIBUTES, "attribs", "custom attributes", "metadata"];
/// Other names of these columns in our own tables, and the columns that replace a schedule.
const ALSO: [&str; 6] = ["email", "e-mail", "cadence", "hour", "timezone", "consent"];
/// Maximum number of distinct states; no mailing program has as many.
const STATES_MAX: usize = 20;

pub(super) fn cell(cells: &[String], at: usize) -> &str {
    cells.get(at).map_or("", String::as_str)
}

/// The meaning of a table's columns.
pub(super) struct Columns {
    pub(super) names: Vec<String>,
    pub(super) known: Vec<(usize, Column)>,
    pub(super) address: usize,
    pub(super) count: usize,
    pub(super) is_own: bool,
    /// The columns of tags, and of attributes as an object of JSON.
    pub(super) tags: Option<usize>,
    pub(super) attributes: Option<usize>,
    /// Whether it has the columns of an export of people who left, of a program that writes those to a file of their own.
    pub(super) is_of_refusals: bool,
}

impl Columns {
    pub(super) fn find(sheet: &sheet::Spreadsheet, ignored: &[String]) -> Result<Columns, Vec<String>> {
        let names = &sheet.names;
        let values = |at: usize| {
            sheet.records.iter().map(move |(_, cells)| cell(cells, at)).filter(|cell| !cell.is_empty())
        };
        if names.iter().any(|name| name.contains('@')) {
            return Err(vec!["the first line must name the columns, for example address,language".into()]);
        }
        let address = address_column(names, &values)
            .ok_or_else(|| vec!["the column \"address\" is missing".to_owned()])?;
        let mut known = Vec::new();
        let mut unclear = Vec::new();
        for (at, name) in names.iter().enumerate().filter(|(at, _)| *at != address) {
            match words::column(name) {
                Some((Column::Address, _)) => {}
                Some((column, _)) => known.push((at, column)),
                None if values(at).next().is_none() => {}
                None if is_prose(name, sheet.records.len(), values(at)) => {}
                None => unclear.extend(unknown(name, values(at).any(words::refuses), ignored)),
            }
        }
        if !unclear.is_empty() {
            return Err(unclear);
        }
        settle_by_values(names, &values, &mut known);
        let is_ours = |name: &String| {
            let name = name.to_ascii_lowercase();
            name.is_empty() || COLUMNS.contains(&name.as_str()) || ALSO.contains(&name.as_str())
        };
        // Any table may have tags; those of our own stand beside a state, which says who left.
        let called =
            |wanted: &[&str]| names.iter().position(|name| wanted.contains(&words::plain(name).as_str()));
        let (tags, attributes) = (called(&TAG_NAMES), called(&ATTRIBUTE_NAMES));
        Ok(Columns {
            address,
            count: names.len(),
            is_own: names.iter().all(is_ours)
                && (tags.or(attributes).is_none() || called(&["state"]).is_some()),
            tags,
            attributes,
            is_of_refusals: is_of_refusals(names),
            names: names.clone(),
            known,
        })
    }

    /// Whether a column holds what was noted here: no word in it says who left.
    pub(super) fn is_own_note(&self, at: usize) -> bool {
        self.is_own && (self.tags == Some(at) || self.attributes == Some(at))
    }

    /// Whether a column has a name of a language that writes the day of a date first.
    pub(super) fn is_day_first(&self) -> bool {
        const NAMES: [&str; 9] =
            ["prenom", "nom", "nombre", "vorname", "nachname", "nome", "cognome", "apellido", "apellidos"];
        const BEGINNINGS: [&str; 7] =
            ["date d ", "date de ", "date ajout", "fecha", "data di ", "data de ", "datum"];
        self.names.iter().map(|name| words::plain(name)).any(|name| {
            NAMES.contains(&name.as_str()) || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        })
    }

    /// The columns that hold when somebody agreed or left.
    pub(super) fn dates(&self) -> impl Iterator<Item = usize> {
        let is_date = |column: &Column| {
            use Column::{Agreed, ConfirmTime, Confirmed, Consented, OptInTime, Refused};
            matches!(column, Consented | ConfirmTime | OptInTime | Agreed | Confirmed | Refused(_))
        };
        self.known.iter().filter(move |(_, column)| is_date(column)).map(|(at, _)| *at)
    }

    /// The first non-empty field of a kind of column, with the column's name.
    pub(super) fn first<'a>(&'a self, cells: &'a [String], wanted: Column) -> (&'a str, &'a str) {
        let found = self.known.iter().filter(|(_, column)| *column == wanted);
        found
            .map(|(at, _)| (cell(cells, *at), self.names[*at].as_str()))
            .find(|(value, _)| !value.is_empty())
            .unwrap_or_default()
    }
}

/// Columns whose names have two meanings: what stands in them tells which.
fn settle_by_values<'a, I: Iterator<Item = &'a str>>(
    names: &[String],
    values: &impl Fn(usize) -> I,
    known: &mut Vec<(usize, Column)>,
) {
    // "consent" is where somebody agreed, or whether they did.
    for (at, column) in &mut *known {
        let is_answer = |value: &str| matches!(words::word(value), Some(CellMeaning::Yes | CellMeaning::No));
        let is_named = !words::plain(&names[*at]).contains("source");
        let is_answered = values(*at).next().is_some() && values(*at).all(is_answer);
        if *column == Column::ConsentSource && is_named && is_answered {
            *column = Column::Agreed;
        }
    }
    // A column "State" may also be a part of a country.
    let verdicts = known.iter().filter(|(_, column)| column.is_verdict()).count();
    known.retain(|(at, column)| {
        let is_place = *column == Column::State
            && verdicts > 1
            && values(*at).next().is_some()
            && values(*at).all(|value| words::word(value).is_none());
        !(is_place && names[*at].eq_ignore_ascii_case("state"))
    });
}

/// Mailchimp writes people who left or bounced to files of their own, with these columns.
fn is_of_refusals(names: &[String]) -> bool {
    let has = |wanted: &str| names.iter().any(|name| words::plain(name) == wanted);
    (has("leid") || has("euid")) && ["unsub time", "clean time"].into_iter().any(has)
}

/// The column of addresses: by name, or else the only one that contains nothing but addresses.
fn address_column<'a, I: Iterator<Item = &'a str>>(
    names: &[String],
    values: &impl Fn(usize) -> I,
) -> Option<usize> {
    let named = names.iter().enumerate().filter_map(|(at, name)| match words::column(name) {
        Some((Column::Address, rank)) => Some((rank, at)),
        _ => None,
    });
    let has_addresses =
        |at: &usize| values(*at).next().is_some() && values(*at).all(|value| value.contains('@'));
    let named = named.min().map(|(_, at)| at);
    named.or_else(|| {
        let mut found = (0..names.len()).filter(has_addresses);
        found.next().filter(|_| found.next().is_none())
    })
}

/// Whether the contents of an unknown column rule out that it is about refusals: names, towns and the like have many values, and
/// nearly everybody has one.
fn is_prose<'a>(name: &str, rows: usize, values: impl Iterator<Item = &'a str>) -> bool {
    let (mut count, mut distinct) = (0, std::collections::HashSet::new());
    for value in values {
        let is_word =
            words::word(value).is_some() || words::refusal_in(value).is_some() || words::declines(value);
        if is_word || value.parse::<f64>().is_ok() || dates::is_date(value) {
            return false;
        }
        count += 1;
        distinct.insert(value);
    }
    !words::is_suspicious(name) && distinct.len() > STATES_MAX && count * 5 >= rows * 4
}

/// Why a table with this unknown column cannot be imported, unless the column was declared irrelevant, and neither its name nor anything in
/// it says otherwise.
fn unknown(name: &str, holds_refusals: bool, ignored: &[String]) -> Option<String> {
    let what = format!("no column is called \"{name}\"");
    let near =
        COLUMNS.iter().chain(&ALSO).min_by_key(|known| strsim::osa_distance(known, &name.to_lowercase()));
    match near {
        Some(near) if strsim::osa_distance(near, &name.to_lowercase()) <= 2 => {
            Some(format!("{what}: did you mean \"{near}\"?"))
        }
        _ if holds_refusals || words::is_suspicious(name) => Some(format!(
            "{what}, and it may say who does not want mail: take those who left out of the table, then the column, or call it state with {}",
            SubscriberState::ALL.map(SubscriberState::as_str).join(", ")
        )),
        _ if ignored.iter().any(|ignored| words::plain(ignored) == words::plain(name)) => None,
        _ => Some(format!(
            "{what}, and it may say who left: if it does not, say so with --ignore-column \"{name}\""
        )),
    }
}
