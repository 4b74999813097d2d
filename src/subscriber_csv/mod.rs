//! The list of subscribers as a table (CSV, RFC 4180), as read by `courant subscribers import` and written by `export`; exports
//! of other programs are read by their column names. Pure.

mod dates;
mod sheet;
mod words;

use std::collections::HashMap;
use std::io::{Read, Write};

use jiff::{SignedDuration, Timestamp};

use crate::model::mail_address::Address;
use crate::model::subscriber::{Choice, Preferences, Subscriber, SubscriberState, SubscriptionOptions};
use crate::support::i18n;
use dates::Order;
use words::{Column, Verdict, Word};

/// The columns of an export; an import may omit all but the first, and have them in any order.
const COLUMNS: [&str; 12] = [
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
];
/// Other names of these columns in our own tables, and the columns that replace a schedule.
const ALSO: [&str; 6] = ["email", "e-mail", "cadence", "hour", "timezone", "consent"];
/// A consent further in the future was recorded under a wrong clock, or is another date.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(24);

/// The outcome for a person in an imported table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// They get mail, or are paused.
    In(SubscriberState),
    /// They left, bounced or complained, and are suppressed.
    Refused(SubscriberState),
    /// They never agreed or confirmed, or the table does not say so.
    LeftOut,
}

/// A person in an imported table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub line: u64,
    pub address: Address,
    pub fate: Fate,
    /// The reason in the table, unless the person is included.
    pub why: String,
    pub preferences: Preferences,
    /// Empty if the table does not say.
    pub consent_source: String,
    pub consent_at: Timestamp,
    pub consent_text: Option<String>,
}

/// A fault or hint with its line number.
pub type Remark = (u64, String);

/// The result of reading a table.
#[derive(Debug, Default)]
pub struct Table {
    pub rows: Vec<Row>,
    pub faults: Vec<Remark>,
    /// Why the table as a whole cannot be imported: people who left cannot be told from those who did not.
    pub unclear: Vec<String>,
    /// Addresses that look like typing errors; imported all the same.
    pub hints: Vec<Remark>,
    /// Whether it is our own export, in which former subscribers are part of the list.
    pub is_own: bool,
}

/// The context in which a table is read.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    pub options: &'a SubscriptionOptions,
    /// Language of people without one.
    pub language: &'a str,
    /// The file name: in exports of former subscribers, it may be the only indication.
    pub file: &'a str,
    /// Columns declared not to be about wanting mail.
    pub ignored: &'a [String],
    pub now: Timestamp,
}

/// Reads a table and checks all rows.
pub fn read(mut reader: impl Read, reading: &Reading) -> Table {
    let mut table = Table::default();
    let mut bytes = Vec::new();
    if let Err(error) = reader.read_to_end(&mut bytes) {
        table.unclear.push(format!("the table cannot be read: {error}"));
        return table;
    }
    let sheet = sheet::read(&bytes);
    table.faults.extend(sheet.faults.iter().cloned());
    let columns = match Columns::find(&sheet, reading.ignored) {
        Ok(columns) => columns,
        Err(unclear) => {
            table.unclear = unclear;
            return table;
        }
    };
    table.is_own = columns.is_own;
    let order = Order::learn(
        columns.dates().flat_map(|at| sheet.records.iter().map(move |(_, cells)| cell(cells, at))),
    )
    .or_day_first(columns.is_day_first());
    let mut seen = HashMap::new();
    for (line, cells) in &sheet.records {
        if cells.iter().skip(columns.count).any(|cell| !cell.is_empty()) || cells.len() < columns.count {
            table
                .faults
                .push((*line, format!("has {} fields where the head has {}", cells.len(), columns.count)));
            continue;
        }
        match row(&columns, cells, *line, order, reading) {
            Ok((row, hint)) => {
                let hint = hint.or_else(|| {
                    row.address.hint().map(|hint| format!("{}: did they mean {hint}?", row.address))
                });
                table.hints.extend(hint.map(|hint| (*line, hint)));
                keep(&mut table, &mut seen, row);
            }
            Err(faults) => table.faults.extend(faults.into_iter().map(|fault| (*line, fault))),
        }
    }
    table
}

/// Adds a row. If a person occurs twice, a refusal wins, wherever it is.
fn keep(table: &mut Table, seen: &mut HashMap<String, usize>, row: Row) {
    let rank = |row: &Row| match row.fate {
        Fate::In(_) => 0,
        Fate::LeftOut => 1,
        Fate::Refused(_) => 2,
    };
    match seen.get(&row.address.as_str().to_lowercase()) {
        Some(at) if rank(&row) > rank(&table.rows[*at]) => table.rows[*at] = row,
        Some(at) if rank(&row) == 0 && rank(&table.rows[*at]) == 0 => {
            let first = table.rows[*at].line;
            table.faults.push((row.line, format!("{} stands in line {first} already", row.address)));
        }
        Some(_) => {}
        None => {
            seen.insert(row.address.as_str().to_lowercase(), table.rows.len());
            table.rows.push(row);
        }
    }
}

fn cell(cells: &[String], at: usize) -> &str {
    cells.get(at).map_or("", String::as_str)
}

/// The meaning of a table's columns.
struct Columns {
    names: Vec<String>,
    known: Vec<(usize, Column)>,
    address: usize,
    count: usize,
    is_own: bool,
    /// Whether any column says who wants mail; if none does, the file name may.
    has_verdicts: bool,
}

impl Columns {
    fn find(sheet: &sheet::Sheet, ignored: &[String]) -> Result<Columns, Vec<String>> {
        let names = &sheet.names;
        let values = |at: usize| {
            sheet.records.iter().map(move |(_, cells)| cell(cells, at)).filter(|cell| !cell.is_empty())
        };
        if names.iter().any(|name| name.contains('@')) {
            return Err(vec![
                "the first line has no names of columns: write one, as address,language".into(),
            ]);
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
                None => unclear.extend(unknown(name, ignored)),
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
        Ok(Columns {
            address,
            count: names.len(),
            is_own: names.iter().all(is_ours),
            has_verdicts: known.iter().any(|(_, column)| column.is_verdict()),
            names: names.clone(),
            known,
        })
    }

    /// Whether a column has a name of a language that writes the day of a date first.
    fn is_day_first(&self) -> bool {
        const NAMES: [&str; 9] =
            ["prenom", "nom", "nombre", "vorname", "nachname", "nome", "cognome", "apellido", "apellidos"];
        const BEGINNINGS: [&str; 7] =
            ["date d ", "date de ", "date ajout", "fecha", "data di ", "data de ", "datum"];
        self.names.iter().map(|name| words::plain(name)).any(|name| {
            NAMES.contains(&name.as_str()) || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        })
    }

    /// The columns that hold when somebody agreed.
    fn dates(&self) -> impl Iterator<Item = usize> {
        let is_date = |column: &Column| {
            use Column::{Agreed, ConfirmTime, Confirmed, Consented, OptInTime};
            matches!(column, Consented | ConfirmTime | OptInTime | Agreed | Confirmed)
        };
        self.known.iter().filter(move |(_, column)| is_date(column)).map(|(at, _)| *at)
    }

    /// The first non-empty field of a kind of column, with the column's name.
    fn first<'a>(&'a self, cells: &'a [String], wanted: Column) -> (&'a str, &'a str) {
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
        let is_answer = |value: &str| matches!(words::word(value), Some(Word::Yes | Word::No));
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

/// Maximum number of distinct states; no program has as many.
const STATES_MAX: usize = 20;

/// Whether the contents of an unknown column rule out that it is about refusals: names, towns and the like have many values, and
/// nearly everybody has one.
fn is_prose<'a>(name: &str, rows: usize, values: impl Iterator<Item = &'a str>) -> bool {
    let (mut count, mut distinct) = (0, std::collections::HashSet::new());
    for value in values {
        let is_word = words::word(value).is_some() || words::refusal_in(value).is_some();
        if is_word || value.parse::<f64>().is_ok() || dates::is_date(value) {
            return false;
        }
        count += 1;
        distinct.insert(value);
    }
    !words::is_suspicious(name) && distinct.len() > STATES_MAX && count * 5 >= rows * 4
}

/// Why a table with this unknown column cannot be imported, unless the column was declared irrelevant.
fn unknown(name: &str, ignored: &[String]) -> Option<String> {
    let what = format!("no column is called \"{name}\"");
    let near =
        COLUMNS.iter().chain(&ALSO).min_by_key(|known| strsim::osa_distance(known, &name.to_lowercase()));
    match near {
        Some(near) if strsim::osa_distance(near, &name.to_lowercase()) <= 2 => {
            Some(format!("{what}: did you mean \"{near}\"?"))
        }
        _ if words::is_suspicious(name) => Some(format!(
            "{what}, and it may say who does not want mail: take those who left out of the table, then the column, or call it state with {}",
            SubscriberState::ALL.map(SubscriberState::as_str).join(", ")
        )),
        _ if ignored.iter().any(|ignored| words::plain(ignored) == words::plain(name)) => None,
        _ => Some(format!(
            "{what}, and it may say who left: if it does not, say so with --ignore-column \"{name}\""
        )),
    }
}

/// The verdict on a person: the gravest of all columns, with the reason.
fn verdict(columns: &Columns, cells: &[String], file: &str) -> Result<(Verdict, String), String> {
    let mut found = (Verdict::Active, String::new());
    for (at, column) in &columns.known {
        let (name, text) = (&columns.names[*at], cell(cells, *at));
        let said = match (column, words::word(text)) {
            (Column::State, None) if text.is_empty() => None,
            (Column::State, Some(Word::Is(verdict))) => Some(verdict),
            (Column::State | Column::Agreed | Column::Confirmed, Some(Word::Yes)) => None,
            (Column::State | Column::Agreed, Some(Word::No)) => Some(Verdict::Unsubscribed),
            (Column::Agreed | Column::Confirmed, Some(Word::Is(verdict))) => Some(verdict),
            (Column::Agreed | Column::Confirmed, None) if text.is_empty() || text == "2" => {
                Some(Verdict::LeftOut)
            }
            (Column::Confirmed, Some(Word::No)) => Some(Verdict::LeftOut),
            (Column::Agreed | Column::Confirmed, None) if dates::is_date(text) => None,
            (Column::State | Column::Agreed | Column::Confirmed, None) => {
                let known = SubscriberState::ALL.map(SubscriberState::as_str).join(", ");
                return Err(format!("\"{text}\" in \"{name}\" is not a state: write {known}"));
            }
            (Column::Refused(_), _) if words::is_nothing(text) => None,
            (Column::Refused(_), Some(Word::Is(verdict))) if verdict.refusal().is_some() => Some(verdict),
            (Column::Refused(verdict), _) => Some(*verdict),
            (Column::ConfirmTime, _) if words::is_nothing(text) => Some(Verdict::LeftOut),
            // A source or a date that says no.
            (Column::ConsentSource | Column::ConsentText | Column::Consented, Some(Word::No)) => {
                Some(Verdict::LeftOut)
            }
            (Column::ConsentSource | Column::ConsentText, Some(Word::Is(verdict))) => Some(verdict),
            // What people wrote may be about something else: nobody is kept out for it for ever.
            (Column::Remark | Column::ConsentSource, _) => words::refusal_in(text).map(|_| Verdict::LeftOut),
            (Column::Harmless, _) => words::refusal_in(text)
                .filter(|(_, verdict)| verdict.refusal().is_some())
                .map(|_| Verdict::LeftOut),
            _ => None,
        };
        if let Some(verdict) = said.filter(|verdict| *verdict > found.0) {
            found = (
                verdict,
                if text.is_empty() {
                    format!("\"{name}\" is empty")
                } else {
                    format!("\"{name}\" is \"{text}\"")
                },
            );
        }
    }
    if !columns.has_verdicts
        && found.0 == Verdict::Active
        && let Some((word, _)) = words::refusal_in(file)
    {
        found = (Verdict::LeftOut, format!("the name of the file says \"{word}\""));
    }
    Ok(found)
}

/// Items of a list are separated by semicolons or bars, since names of partners may contain commas.
fn list(text: &str) -> Vec<String> {
    text.split([';', '|']).map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn choice(columns: &Columns, cells: &[String]) -> Choice {
    let field = |name: &'static str| columns.first(cells, Column::Own(name)).0;
    let language = field("language");
    Choice {
        language: i18n::tag_of_name(language).unwrap_or(language).into(),
        languages: list(field("languages")),
        topics: list(field("topics")),
        without: list(field("without")),
        partners: list(field("partners")),
        cadence: field("cadence").into(),
        hour: field("hour").into(),
        timezone: field("timezone").into(),
        schedule: field("schedule").into(),
    }
}

/// The preferences of a person. A language or time zone in another program's notation is ignored, with a hint.
fn preferences(
    columns: &Columns,
    cells: &[String],
    reading: &Reading,
) -> Result<(Preferences, Option<String>), Vec<String>> {
    let mut chosen = choice(columns, cells);
    let read = |chosen: &Choice| reading.options.preferences(chosen, reading.language);
    let faults = match read(&chosen) {
        Ok(preferences) => return Ok((preferences, None)),
        Err(faults) => faults,
    };
    let texts: Vec<String> = faults.iter().map(|(name, fault)| format!("{name}: {fault}")).collect();
    if columns.is_own {
        return Err(texts);
    }
    for (name, _) in faults {
        match name {
            "language" => chosen.language.clear(),
            "timezone" => chosen.timezone.clear(),
            _ => return Err(texts),
        }
    }
    read(&chosen).map(|preferences| (preferences, Some(texts.join(", ")))).map_err(|_| texts)
}

/// The time of consent, or now if the table does not say.
fn consent_at(
    columns: &Columns,
    cells: &[String],
    order: Order,
    now: Timestamp,
) -> Result<Timestamp, String> {
    for column in
        [Column::Consented, Column::ConfirmTime, Column::Confirmed, Column::OptInTime, Column::Agreed]
    {
        let (text, name) = columns.first(cells, column);
        let is_answer = matches!(column, Column::Confirmed | Column::Agreed) && !dates::is_date(text);
        if is_answer || words::is_nothing(text) {
            continue;
        }
        let name = words::plain(name).replace(' ', "_");
        let at = dates::read(text, order).map_err(|fault| format!("{name}: {fault}"))?;
        return if at > now + AHEAD_MAX {
            Err(format!("{name}: \"{text}\" has not come yet"))
        } else {
            Ok(at)
        };
    }
    Ok(now)
}

/// Where somebody agreed: as the table says, else the column that says when they confirmed. Empty where it says neither.
fn consent_source(columns: &Columns, cells: &[String], file: &str) -> String {
    let (source, _) = columns.first(cells, Column::ConsentSource);
    if !source.is_empty() {
        return source.to_owned();
    }
    let (text, name) = columns.first(cells, Column::ConfirmTime);
    if dates::is_date(text) { format!("{name} in {file}") } else { String::new() }
}

fn row(
    columns: &Columns,
    cells: &[String],
    line: u64,
    order: Order,
    reading: &Reading,
) -> Result<(Row, Option<String>), Vec<String>> {
    let mut faults = Vec::new();
    let address = Address::parse_public(sheet::bare_address(cell(cells, columns.address)))
        .map_err(|fault| faults.push(fault));
    let said = verdict(columns, cells, reading.file).map_err(|fault| faults.push(fault));
    let mut chosen = preferences(columns, cells, reading);
    let is_out = matches!(&said, Ok((verdict, _)) if *verdict >= Verdict::LeftOut);
    let mut at = consent_at(columns, cells, order, reading.now);
    if is_out {
        // A person who must not get mail is recorded, whatever else is wrong with the row.
        let none = || reading.options.preferences(&Choice::default(), reading.language);
        chosen = chosen.or_else(|_| none().map(|chosen| (chosen, None)).map_err(|_| Vec::new()));
        at = at.or(Ok(reading.now));
    }
    let chosen = chosen.map_err(|found| faults.extend(found));
    let at = at.map_err(|fault| faults.push(fault));
    let (Ok(address), Ok((verdict, why)), Ok((preferences, hint)), Ok(consent_at)) =
        (address, said, chosen, at)
    else {
        return Err(faults);
    };
    let fate = match (verdict, verdict.refusal()) {
        (_, Some(state)) => Fate::Refused(state),
        (Verdict::LeftOut, _) => Fate::LeftOut,
        (Verdict::Paused, _) => Fate::In(SubscriberState::Paused),
        _ => Fate::In(SubscriberState::Active),
    };
    let consent_source = consent_source(columns, cells, reading.file);
    let text = columns.first(cells, Column::ConsentText).0;
    let consent_text = (!text.is_empty()).then(|| text.to_owned());
    Ok((Row { line, address, fate, why, preferences, consent_source, consent_at, consent_text }, hint))
}

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
        &harmless(subscriber.consent.text.as_deref().unwrap_or_default()),
    ])
}

/// Escapes fields that a spreadsheet would take for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::keys::EntryKey;
    use crate::model::subscriber::Consent;

    fn subscription_options() -> SubscriptionOptions {
        SubscriptionOptions {
            topics: vec!["justice".into(), "climate".into()],
            partners: vec!["OGP".into(), "UCLG, the network".into()],
        }
    }

    fn read_text(text: &str) -> Table {
        read_file("list", &[], text)
    }

    fn read_file(file: &str, ignored: &[String], text: &str) -> Table {
        let now = "2022-10-17T08:00:00Z".parse().unwrap();
        let options = subscription_options();
        read(text.as_bytes(), &Reading { options: &options, language: "en", file, ignored, now })
    }

    /// The outcome for each person in a table, by the local part of the address.
    fn fates(table: &Table) -> String {
        assert!(table.unclear.is_empty() && table.faults.is_empty(), "{table:?}");
        let fate = |row: &Row| {
            let fate = match row.fate {
                Fate::In(state) | Fate::Refused(state) => state.as_str(),
                Fate::LeftOut => "out",
            };
            format!("{} {fate}", &row.address.as_str()[..1])
        };
        table.rows.iter().map(fate).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_consent_that_says_no_is_none() {
        for (text, want) in [
            ("email,consent\na@x.org,yes\nb@x.org,no\nc@x.org,\n", "a active, b unsubscribed, c out"),
            ("email,consent\na@x.org,web form\nb@x.org,withdrawn\n", "a active, b unsubscribed"),
            ("email,source\na@x.org,web form\nb@x.org,unsubscribed\n", "a active, b unsubscribed"),
            ("email,consent_text\na@x.org,I want the news\nb@x.org,false\n", "a active, b out"),
            ("email,consent_at\na@x.org,2020-01-02\nb@x.org,never\nc@x.org,\n", "a active, b out, c active"),
            ("email,name\na@x.org,Ana\nb@x.org,DO NOT MAIL - unsubscribed\n", "a active, b out"),
        ] {
            assert_eq!(fates(&read_text(text)), want, "{text}");
        }
        let table = read_text("email,consent_source\na@x.org,x\n");
        assert_eq!(table.rows[0].consent_source, "x");
        let table = read_text("email,CONFIRM_TIME\na@x.org,2020-01-02 10:00:00\n");
        assert_eq!(table.rows[0].consent_source, "CONFIRM_TIME in list");
    }

    #[test]
    fn who_nobody_reads_for_is_no_subscriber_and_dashes_put_the_day_first() {
        let table = read_text("email\nMAILER-DAEMON@x.org\nno-reply@x.org\nabuse@x.org\nana@x.org\n");
        assert_eq!((table.faults.len(), table.rows.len()), (3, 1), "{table:?}");
        for (text, want) in [
            ("EMAIL,ADDED_TIME\na@x.org,01-02-2020 10:00:00\n", "2020-02-01T10:00:00Z"),
            ("EMAIL;PRENOM;DATE_AJOUT\na@x.org;A;01/02/2020\n", "2020-02-01T00:00:00Z"),
            ("EMAIL,ADDED_TIME\na@x.org,01-02-2020\nb@x.org,01-22-2020\n", "2020-01-02T00:00:00Z"),
        ] {
            let table = read_text(text);
            assert_eq!(table.rows[0].consent_at.to_string(), want, "{text} {table:?}");
        }
        assert_eq!(read_text("EMAIL,ADDED_TIME\na@x.org,01/02/2020\n").faults.len(), 1, "it may be two days");
    }

    #[test]
    fn exports_of_other_programs_never_bring_back_who_left() {
        for (text, want) in [
            // listmonk
            (
                "uuid,email,name,attributes,status,created_at\n1,a@x.org,A,\"{\"\"city\"\": \"\"Lima\"\"}\",enabled,2021-01-02 03:04:05.678+00\n2,b@x.org,B,{},blocklisted,\n3,c@x.org,C,{},disabled,\n",
                "a active, b unsubscribed, c out",
            ),
            (
                "email,name,status,subscription_status\na@x.org,A,enabled,confirmed\nb@x.org,B,enabled,unconfirmed\nc@x.org,C,enabled,unsubscribed\n",
                "a active, b out, c unsubscribed",
            ),
            // Mailchimp: subscribed and nonsubscribed, unsubscribed, cleaned
            (
                "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,TIMEZONE,CC,REGION,LEID,EUID,NOTES,TAGS\na@x.org,A,2,2021-02-03 10:11:12,,2021-02-03 10:11:12,,America/Nowhere,PE,,1,x,,\"\"\"vip\"\"\"\nb@x.org,B,2,,,,,,,,1,x,,\n",
                "a active, b out",
            ),
            (
                "Email Address,CONFIRM_TIME,UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_REASON\na@x.org,2021-02-03 10:11:12,2021-03-03 10:11:12,May,NORMAL\n",
                "a unsubscribed",
            ),
            (
                "Email Address,CONFIRM_TIME,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE\na@x.org,2021-02-03 10:11:12,2021-03-03 10:11:12,May\n",
                "a bounced",
            ),
            // Ghost, Substack, Buttondown
            (
                "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels,tiers\n1,a@x.org,A,,true,false,,2021-01-02T10:00:00.000Z,,,\n2,b@x.org,B,,false,false,,2021-01-02T10:00:00.000Z,,,\n3,c@x.org,C,,true,false,,2021-01-02T10:00:00.000Z,2022-01-02T10:00:00.000Z,,\n",
                "a active, b unsubscribed, c out",
            ),
            (
                "Email,Type,Start date,Paid upgrade date,Cancel date\na@x.org,Free,2021-01-02T10:00:00.000Z,,\n",
                "a active",
            ),
            (
                "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at\na@x.org,false,,other,false,2021-01-02,\nb@x.org,false,,other,true,2021-01-02,\n",
                "a active, b unsubscribed",
            ),
            (
                "email,notes,metadata,tags,subscriber_type,source,creation_date,unsubscription_date\na@x.org,,{},,regular,form,2021-01-02,\nb@x.org,,{},,unactivated,form,2021-01-02,\nc@x.org,,{},,unsubscribed,form,2021-01-02,2021-05-06\nd@x.org,,{},,undeliverable,form,2021-01-02,\ne@x.org,please unsubscribe,{},,regular,form,2021-01-02,\n",
                "a active, b out, c unsubscribed, d bounced, e out",
            ),
            (
                "EMAIL;PRENOM;LISTE_NOIRE_EMAIL;DATE_AJOUT\na@x.org;A;Non;01/02/2020\nb@x.org;B;Oui;01/02/2020\n",
                "a active, b unsubscribed",
            ),
            (
                "Email,Status,Emails disabled\na@x.org,active,no\nb@x.org,active,yes\n",
                "a active, b unsubscribed",
            ),
            (
                "email,delivery_status,role\na@x.org,DeliveryStatus.enabled,member\nb@x.org,DeliveryStatus.by_bounces,member\nc@x.org,DeliveryStatus.enabled,owner\n",
                "a active, b bounced, c out",
            ),
            (
                "Email,Marketing contact status\na@x.org,Marketing contact\nb@x.org,Non-marketing contact\n",
                "a active, b out",
            ),
            // Mailman, Brevo, HubSpot, Constant Contact, Mailjet, MailPoet, a WordPress plug-in
            ("a@x.org\nBo <b@x.org>\n", "a active, b active"),
            (
                "email,display name,delivery_status,moderation_action\na@x.org,A,enabled,\nb@x.org,B,by_bounces,\nc@x.org,C,by_user,\n",
                "a active, b bounced, c unsubscribed",
            ),
            (
                "EMAIL,VORNAME,DOUBLE_OPT-IN,EMAIL_BLACKLISTED\na@x.org,A,1,0\nb@x.org,B,2,0\nc@x.org,C,1,1\n",
                "a active, b out, c unsubscribed",
            ),
            (
                "Record ID,Email,Unsubscribed from all email,Email hard bounce reason,Opted out of email: News\n1,a@x.org,,,\n2,b@x.org,true,,\n3,c@x.org,,UNKNOWN_USER,\n4,d@x.org,,,Yes\n",
                "a active, b unsubscribed, c bounced, d unsubscribed",
            ),
            (
                "Email address,Email status,Email permission status,State,Confirmed Opt-Out Date\na@x.org,Active,Explicit,CA,\nb@x.org,Active,Explicit,CA,03/04/2020 10:00\n",
                "a active, b unsubscribed",
            ),
            (
                "email,IsExcludedFromCampaigns,IsOptInPending\na@x.org,false,false\nb@x.org,true,false\nc@x.org,false,true\n",
                "a active, b unsubscribed, c out",
            ),
            (
                "Email;Global status\na@x.org;Subscribed\nb@x.org;Unconfirmed\nc@x.org;Inactive\nd@x.org;Bounced\n",
                "a active, b out, c out, d bounced",
            ),
            ("email,status\na@x.org,C\n", ""),
            // Tables kept by hand
            (
                "Adresse;Statut;Désabonné le\na@x.org;abonné;\nb@x.org;Désabonnée;\nc@x.org;abonné;03/02/2021\n",
                "a active, b unsubscribed, c unsubscribed",
            ),
            (
                "Correo electrónico,Estado,Baja\na@x.org,Activo,\nb@x.org,pendiente,\nc@x.org,activo,sí\n",
                "a active, b out, c unsubscribed",
            ),
            (
                "Subscriber,Sent,Opens,Subscribed\na@x.org,3,1,03/02/2021\nb@x.org,3,1,25/02/2021\n",
                "a active, b active",
            ),
            (
                "email,Subscription source (free),Emails opened (7d),Is_unsubscribed\na@x.org,direct,2,\n",
                "a active",
            ),
            ("E-Mail,Abgemeldet\na@x.org,nein\nb@x.org,ja\n", "a active, b unsubscribed"),
            ("Sähköposti,Nimi\na@x.org,\n", "a active"),
            // Two rows for one person: the refusal wins.
            (
                "email,status\na@x.org,subscribed\nA@x.org,cleaned\nb@x.org,complained\nb@x.org,subscribed\n",
                "A bounced, b complained",
            ),
        ] {
            if !want.is_empty() {
                assert_eq!(fates(&read_text(text)), want, "{text}");
            } else {
                assert!(read_text(text).rows.is_empty(), "{text}");
            }
        }
        for file in ["unsubscribed_segment_export_8a2f", "Bounced contacts", "nonsubscribed_x"] {
            let table = read_file(file, &[], "Email,First name\na@x.org,A\n");
            assert_eq!(fates(&table), "a out", "{file}");
        }
    }

    #[test]
    fn a_column_that_may_bear_a_refusal_stops_the_import() {
        let ignored = ["Avregistrerad".to_owned(), "Shoe size".into()];
        for (head, is_unclear) in [
            ("Avregistrerad", true),
            ("Wypisany", true),
            ("Opt-out (old)", true),
            ("Peruutettu", true),
            ("Отписка", true),
            ("配信停止", true),
            ("Favourite colour", true),
            ("Shoe size", false),
            ("Ciudad", false),
        ] {
            let table = read_file("list", &ignored, &format!("email,{head}\na@x.org,x\n"));
            assert_eq!(!table.unclear.is_empty(), is_unclear, "{head}: {table:?}");
            let empty = read_text(&format!("email,{head}\na@x.org,\n"));
            assert_eq!(fates(&empty), "a active", "{head}: an empty column says nothing");
        }
        let towns: String =
            (0..30).map(|n| format!("p{n}@x.org,Town{}\n", char::from(b'A' + n % 26))).collect();
        assert!(read_text(&format!("email,Kylä\n{towns}")).unclear.is_empty(), "many different words");
        for text in ["a@x.org,b\n", "name\nAna\n", "email,Consentsource\na@x.org,x\n"] {
            assert!(!read_text(text).unclear.is_empty(), "{text}");
        }
    }

    #[test]
    fn consent_is_taken_over_with_its_time_source_and_text() {
        let table = read_text(
            "email;source;OPTIN_TIME;CONFIRM_TIME;consent text\na@x.org;stand at the fair;2021-02-13 10:00:00;2021-02-13 10:10:00;Send me news.\nb@x.org;fair;13/02/2021;03/02/2021 09:00;\n",
        );
        let [a, b] = &table.rows[..] else { panic!("{table:?}") };
        assert_eq!(
            (a.consent_source.as_str(), a.consent_text.as_deref()),
            ("stand at the fair", Some("Send me news."))
        );
        assert_eq!(a.consent_at.to_string(), "2021-02-13T10:10:00Z");
        assert_eq!(
            b.consent_at.to_string(),
            "2021-02-03T09:00:00Z",
            "the day is learnt from the other column"
        );
        let faults = read_text("email,consent_at\na@x.org,03/02/2021\nb@x.org,2031-01-01\n").faults;
        assert!(
            faults[0].1.contains("can be two days") && faults[1].1.contains("has not come yet"),
            "{faults:?}"
        );
    }

    #[test]
    fn every_fault_of_every_row_is_reported() {
        let table = read_text(
            "email,language,topics,cadence,hour,timezone,\nana@example.org,fr,justice;climat,weekly,8,Europe/Paris,\nbob,english please,justice,yearly,25,Mars/Base,\nANA@example.org,,,,,,\nana@example.org,,,,,,\nshort\n",
        );
        let faults: Vec<String> =
            table.faults.iter().map(|(line, fault)| format!("{line}: {fault}")).collect();
        for want in [
            "2: topics: \"climat\" is unknown: did you mean \"climate\"?",
            "3: \"bob\" is not a valid mail address",
            "3: language: \"english please\" is not a language",
            "3: cadence: \"yearly\" is not a cadence",
            "5: ana@example.org stands in line 4 already",
            "6: has 1 fields where the head has 7",
        ] {
            assert!(faults.iter().any(|fault| fault.starts_with(want)), "{want} is not in {faults:#?}");
        }
    }

    #[test]
    fn what_was_exported_is_imported_alike() {
        let text = "address,state,language,languages,topics,without,partners,schedule,consent_source,consent_at,created,consent_text\nana+x@example.org,paused,fr,es;fr,,climate,\"UCLG, the network\",monthly 1 9:00 Europe/Madrid,paper form,2022-01-02T03:04:05Z,2022-10-17T08:00:00Z,\"Yes, all\"\n";
        let table = read_text(text);
        assert!(table.faults.is_empty(), "{:?}", table.faults);
        let row = &table.rows[0];
        assert_eq!((row.fate, table.is_own), (Fate::In(SubscriberState::Paused), true));
        let subscriber = Subscriber {
            address: row.address.clone(),
            state: SubscriberState::Paused,
            preferences: row.preferences.clone(),
            consent: Consent {
                source: row.consent_source.clone(),
                at: row.consent_at,
                text: row.consent_text.clone(),
            },
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
