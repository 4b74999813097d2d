//! The list of subscribers as a table (CSV, RFC 4180): what `courant subscribers import` reads and `export` writes. Pure.

use std::io::{Read, Write};

use jiff::Timestamp;

use crate::model::mail_address::Address;
use crate::model::subscriber::{
    Choice, Consent, Preferences, Subscriber, SubscriberState, SubscriptionOptions,
};

/// The columns of an export; an import may leave all but the first away, and have them in any order.
const COLUMNS: [&str; 11] = [
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
];
/// Other names that exports of other programs have for these columns, and the columns that stand for a schedule.
const ALSO: [&str; 6] = ["email", "e-mail", "cadence", "hour", "timezone", "consent"];

/// One person of an imported table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub line: u64,
    pub address: Address,
    pub state: SubscriberState,
    pub preferences: Preferences,
    /// Empty where the table says nothing.
    pub consent: Option<Consent>,
}

/// A fault of a row, or a hint; by its line.
pub type Remark = (u64, String);

/// What was read of a table.
#[derive(Debug, Default)]
pub struct Table {
    pub rows: Vec<Row>,
    pub faults: Vec<Remark>,
    /// Addresses that look like typing errors: imported all the same.
    pub hints: Vec<Remark>,
}

/// Reads a whole table and checks every row. `language` is that of people for whom none is given.
pub fn read(
    reader: impl Read,
    subscription_options: &SubscriptionOptions,
    language: &str,
    now: Timestamp,
) -> Table {
    let mut table = Table::default();
    let mut lines = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(reader);
    let names: Vec<String> = match lines.headers() {
        Ok(names) => {
            names.iter().map(|name| name.trim_start_matches('\u{feff}').to_ascii_lowercase()).collect()
        }
        Err(error) => {
            table.faults.push((1, format!("the table cannot be read: {error}")));
            return table;
        }
    };
    for name in
        names.iter().filter(|name| !COLUMNS.contains(&name.as_str()) && !ALSO.contains(&name.as_str()))
    {
        let near = COLUMNS.iter().min_by_key(|known| strsim::osa_distance(known, name)).unwrap_or(&"address");
        table.faults.push((
            1,
            format!(
                "no column is called \"{name}\": did you mean \"{near}\"? There are {}",
                COLUMNS.join(", ")
            ),
        ));
    }
    if !names.iter().any(|name| matches!(name.as_str(), "address" | "email" | "e-mail")) {
        table.faults.push((1, "the column \"address\" is missing".into()));
        return table;
    }
    let mut seen = std::collections::HashMap::new();
    for (at, record) in lines.records().enumerate() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                table.faults.push((
                    error.position().map_or(at as u64 + 2, csv::Position::line),
                    format!("cannot be read: {error}"),
                ));
                continue;
            }
        };
        let line = record.position().map_or(at as u64 + 2, csv::Position::line);
        if record.iter().all(str::is_empty) {
            continue;
        }
        if record.len() != names.len() {
            table
                .faults
                .push((line, format!("has {} fields where the head has {}", record.len(), names.len())));
            continue;
        }
        let field = |wanted: &[&str]| {
            names
                .iter()
                .zip(record.iter())
                .find(|(name, _)| wanted.contains(&name.as_str()))
                .map_or("", |(_, value)| value)
        };
        match row(&field, line, subscription_options, language, now) {
            Ok(row) => {
                if let Some(hint) = row.address.hint() {
                    table.hints.push((line, format!("{}: did they mean {hint}?", row.address)));
                }
                match seen.insert(row.address.as_str().to_lowercase(), line) {
                    Some(first) => {
                        table.faults.push((line, format!("{} stands in line {first} already", row.address)))
                    }
                    None => table.rows.push(row),
                }
            }
            Err(faults) => table.faults.extend(faults.into_iter().map(|fault| (line, fault))),
        }
    }
    table
}

/// Lists within a field are separated by semicolons or bars: names of partners may have commas.
fn list(text: &str) -> Vec<String> {
    text.split([';', '|']).map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn row<'a>(
    field: &impl Fn(&[&str]) -> &'a str,
    line: u64,
    subscription_options: &SubscriptionOptions,
    language: &str,
    now: Timestamp,
) -> Result<Row, Vec<String>> {
    let mut faults = Vec::new();
    let address =
        Address::parse(field(&["address", "email", "e-mail"])).map_err(|error| faults.push(error)).ok();
    let state = match field(&["state"]) {
        "" => Some(SubscriberState::Active),
        text => SubscriberState::parse(&text.to_ascii_lowercase()),
    };
    if state.is_none() {
        let known: Vec<&str> = SubscriberState::ALL.iter().map(|state| state.as_str()).collect();
        faults.push(format!("\"{}\" is no state: write {}", field(&["state"]), known.join(", ")));
    }
    let choice = Choice {
        language: field(&["language"]).into(),
        languages: list(field(&["languages"])),
        topics: list(field(&["topics"])),
        without: list(field(&["without"])),
        partners: list(field(&["partners"])),
        cadence: field(&["cadence"]).into(),
        hour: field(&["hour"]).into(),
        timezone: field(&["timezone"]).into(),
        schedule: field(&["schedule"]).into(),
    };
    let preferences = subscription_options
        .preferences(&choice, language)
        .map_err(|found| faults.extend(found.into_iter().map(|(name, fault)| format!("{name}: {fault}"))))
        .ok();
    let at = match field(&["consent_at"]) {
        "" => Some(now),
        text => text
            .parse::<Timestamp>()
            .map_err(|_| {
                faults.push(format!("consent_at: \"{text}\" is no time: write 2022-10-17T08:00:00Z"))
            })
            .ok(),
    };
    let source = field(&["consent_source", "consent"]);
    match (address, state, preferences, at) {
        (Some(address), Some(state), Some(preferences), Some(at)) if faults.is_empty() => {
            let consent = (!source.is_empty()).then(|| Consent { source: source.to_owned(), at });
            Ok(Row { line, address, state, preferences, consent })
        }
        _ => Err(faults),
    }
}

/// Writes the head of a table.
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
    out.write_record([
        subscriber.address.as_str(),
        subscriber.state.as_str(),
        language,
        &interests.languages.join(";"),
        &interests.topics.join(";"),
        &interests.without.join(";"),
        &interests.partners.join(";"),
        &cadence.to_string(),
        &harmless(&subscriber.consent.source),
        &subscriber.consent.at.to_string(),
        &subscriber.created.to_string(),
    ])
}

/// A spreadsheet takes a field that begins so for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::keys::EntryKey;

    fn subscription_options() -> SubscriptionOptions {
        SubscriptionOptions {
            topics: vec!["justice".into(), "climate".into()],
            partners: vec!["OGP".into(), "UCLG, the network".into()],
        }
    }

    fn read_text(text: &str) -> Table {
        read(text.as_bytes(), &subscription_options(), "en", "2022-10-17T08:00:00Z".parse().unwrap())
    }

    #[test]
    fn every_fault_of_every_row_is_reported() {
        let table = read_text(
            "email,language,topics,cadence,hour,timezone,colour\nana@example.org,fr,justice;climat,weekly,8,Europe/Paris,\nbob,english please,justice,yearly,25,Mars/Base,\nANA@example.org,,,,,,\nana@example.org,,,,,,\nshort\n",
        );
        let faults: Vec<String> =
            table.faults.iter().map(|(line, fault)| format!("{line}: {fault}")).collect();
        for want in [
            "1: no column is called \"colour\"",
            "2: topics: \"climat\" is not among those that there are: did you mean \"climate\"?",
            "3: \"bob\" is no mail address",
            "3: language: \"english please\" is no language",
            "3: cadence: \"yearly\" is no cadence",
            "5: ana@example.org stands in line 4 already",
            "6: has 1 fields where the head has 7",
        ] {
            assert!(faults.iter().any(|fault| fault.starts_with(want)), "{want} is not in {faults:#?}");
        }
    }

    #[test]
    fn what_was_exported_is_imported_alike() {
        let text = "address,state,language,languages,topics,without,partners,schedule,consent_source,consent_at,created\nana+x@example.org,paused,fr,es;fr,,climate,\"UCLG, the network\",monthly 1 9:00 Europe/Madrid,paper form,2022-01-02T03:04:05Z,2022-10-17T08:00:00Z\n";
        let table = read_text(text);
        assert!(table.faults.is_empty(), "{:?}", table.faults);
        let row = &table.rows[0];
        let subscriber = Subscriber {
            address: row.address.clone(),
            state: row.state,
            preferences: row.preferences.clone(),
            consent: row.consent.clone().unwrap(),
            created: "2022-10-17T08:00:00Z".parse().unwrap(),
            last_issue: None,
            seen: EntryKey::BEFORE_ALL,
        };
        let mut out = csv::Writer::from_writer(Vec::new());
        write_head(&mut out).unwrap();
        write(&mut out, &subscriber).unwrap();
        assert_eq!(String::from_utf8(out.into_inner().unwrap()).unwrap(), text);
    }
}
