//! One row of a table: who it is, whether they want mail, and where and when they said so.

use jiff::{SignedDuration, Timestamp};

use super::columns::{Columns, cell};
use super::dates::{self, Order};
use super::notes::profile;
use super::sheet;
use super::table::{CsvRow, PreferenceColumns, RowDecision, TableContext};
use super::words::{self, CellMeaning, Column, MailingStatus};
use crate::model::mail_address::Address;
use crate::model::subscriber::{Choice, Preferences, SubscriberState};
use crate::support::i18n;

/// A consent further in the future was recorded under a wrong clock, or is another date.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(24);
const DAY_SECONDS: i64 = 24 * 3600;

/// A state column contains an unknown state.
#[derive(Debug, thiserror::Error)]
#[error("\"{text}\" in \"{column}\" is not a state: write {}", SubscriberState::ALL.map(SubscriberState::as_str).join(", "))]
struct UnknownState {
    text: String,
    column: String,
}

/// What a cell says of a person, if anything.
fn status_of(column: &Column, name: &str, text: &str) -> Result<Option<MailingStatus>, UnknownState> {
    Ok(match (column, words::word(text)) {
        (Column::State, None) if text.is_empty() => None,
        (Column::State, Some(CellMeaning::Is(verdict))) => Some(verdict),
        (Column::State | Column::Agreed | Column::Confirmed, Some(CellMeaning::Yes)) => None,
        (Column::State | Column::Agreed, Some(CellMeaning::No)) => Some(MailingStatus::Unsubscribed),
        (Column::Agreed | Column::Confirmed, Some(CellMeaning::Is(verdict))) => Some(verdict),
        (Column::Agreed | Column::Confirmed, None) if text.is_empty() || text == "2" => {
            Some(MailingStatus::LeftOut)
        }
        (Column::Confirmed, Some(CellMeaning::No)) => Some(MailingStatus::LeftOut),
        (Column::Agreed | Column::Confirmed, None) if dates::is_date(text) => None,
        (Column::State | Column::Agreed | Column::Confirmed, None) => {
            return Err(UnknownState { text: text.to_owned(), column: name.to_owned() });
        }
        (Column::Refused(_), _) if words::is_nothing(text) => None,
        (Column::Refused(_), Some(CellMeaning::Is(verdict))) if verdict.refusal().is_some() => Some(verdict),
        (Column::Refused(verdict), _) => Some(*verdict),
        (Column::ConfirmTime, _) if words::is_nothing(text) => Some(MailingStatus::LeftOut),
        _ => of_remark(*column, text),
    })
}

/// The verdict on a person: the gravest of all columns, with the reason.
fn verdict(columns: &Columns, cells: &[String], file: &str) -> Result<(MailingStatus, String), UnknownState> {
    let mut found = (MailingStatus::Active, String::new());
    for (at, column) in columns.known.iter().filter(|(at, _)| !columns.is_own_note(*at)) {
        let (name, text) = (&columns.names[*at], cell(cells, *at));
        if let Some(verdict) = status_of(column, name, text)?.filter(|verdict| *verdict > found.0) {
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
    if found.0 < MailingStatus::LeftOut && !says_active(columns, cells) {
        if let Some(word) = words::refusals_file(file) {
            found = (MailingStatus::LeftOut, format!("the name of the file says \"{word}\""));
        } else if columns.is_of_refusals {
            found = (MailingStatus::LeftOut, "the table is one of people who left".to_owned());
        }
    }
    Ok(found)
}

/// What a field says whose name alone decides nothing: how somebody agreed, or what was written about them.
fn of_remark(column: Column, text: &str) -> Option<MailingStatus> {
    match (column, words::word(text)) {
        // A source or a date that says no.
        (Column::ConsentSource | Column::ConsentText | Column::Consented, Some(CellMeaning::No)) => {
            Some(MailingStatus::LeftOut)
        }
        (Column::ConsentSource | Column::ConsentText, Some(CellMeaning::Is(verdict))) => Some(verdict),
        (Column::Remark, _) if words::object_declines(text) => Some(MailingStatus::LeftOut),
        // What people wrote may be about something else: nobody is kept out for it for ever.
        (Column::Remark | Column::ConsentSource, _) => {
            let is_said = words::refusal_in(text).is_some() || words::declines(text);
            is_said.then_some(MailingStatus::LeftOut)
        }
        // The text that people agreed to may itself speak of leaving.
        (Column::ConsentText, _) => words::answers_no(text).then_some(MailingStatus::LeftOut),
        (Column::Harmless, _) => words::refusal_in(text)
            .filter(|(_, verdict)| verdict.refusal().is_some())
            .map(|_| MailingStatus::LeftOut),
        _ => None,
    }
}

/// Whether a column of states says that this person gets mail now. That they once agreed or confirmed says nothing of what they did
/// since: lists of people who left have such columns as well.
fn says_active(columns: &Columns, cells: &[String]) -> bool {
    let is_current = |at: usize| {
        let name = words::plain(&columns.names[at]);
        !["opt", "confirm", "permission", "consent", "type", "role"].iter().any(|part| name.contains(part))
    };
    columns.known.iter().any(|(at, column)| {
        *column == Column::State
            && is_current(*at)
            && words::word(cell(cells, *at)) == Some(CellMeaning::Is(MailingStatus::Active))
    })
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

/// What somebody chose, and what of it stands in the table.
type Choices = (Preferences, PreferenceColumns);

/// What a row chooses. A list may be left empty, and is then one of everything.
fn chosen(columns: &Columns, choice: &Choice) -> PreferenceColumns {
    let has = |name| columns.known.iter().any(|(_, column)| *column == Column::Own(name));
    PreferenceColumns {
        language: !choice.language.is_empty(),
        languages: has("languages"),
        topics: has("topics"),
        without: has("without"),
        partners: has("partners"),
        cadence: !choice.cadence.is_empty() || !choice.schedule.is_empty(),
        hour: !choice.hour.is_empty(),
        timezone: !choice.timezone.is_empty(),
    }
}

/// The preferences of a person, and what of them is in the table. A language or time zone in another program's notation is ignored, with a hint.
fn preferences(
    columns: &Columns,
    cells: &[String],
    reading: &TableContext,
) -> Result<(Choices, Option<String>), Vec<String>> {
    let mut chosen = choice(columns, cells);
    let read = |choice: &Choice| {
        let preferences = reading.options.preferences(choice, reading.language)?;
        Ok((preferences, self::chosen(columns, choice)))
    };
    let faults: Vec<(&str, String)> = match read(&chosen) {
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

/// The time of consent, if the table says.
fn consent_at(
    columns: &Columns,
    cells: &[String],
    order: Order,
    now: Timestamp,
) -> Result<Option<Timestamp>, String> {
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
            Err(format!("{name}: \"{text}\" is in the future"))
        } else {
            Ok(Some(at))
        };
    }
    Ok(None)
}

/// When somebody left: the latest time of the columns that say so. A number without a name that speaks of time is a number.
fn left_at(columns: &Columns, cells: &[String], order: Order) -> Option<Timestamp> {
    let is_of_time = |at: usize| {
        let name = words::plain(&columns.names[at]);
        name.split(' ')
            .any(|word| ["time", "date", "at", "on", "timestamp", "fecha", "data", "am"].contains(&word))
    };
    let read = |(at, column): &(usize, Column)| {
        let text = cell(cells, *at);
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let is_left = matches!(column, Column::Refused(_)) && (!is_number || is_of_time(*at));
        let left_at = dates::read(text, order).ok().filter(|_| is_left)?;
        let has_hour = left_at.as_second().rem_euclid(DAY_SECONDS) != 0;
        if has_hour { Some(left_at) } else { left_at.checked_add(SignedDuration::from_hours(24)).ok() }
    };
    columns.known.iter().filter_map(read).max()
}

/// Where somebody agreed: as the table says, else the column that says when they confirmed. Empty where it says neither.
fn consent_source(columns: &Columns, cells: &[String], file: &str) -> String {
    let (source, _) = columns.first(cells, Column::ConsentSource);
    // A dash in a field says nothing.
    if source.contains(char::is_alphanumeric) {
        return source.to_owned();
    }
    let (text, name) = columns.first(cells, Column::ConfirmTime);
    if dates::is_date(text) { format!("{name} in {file}") } else { String::new() }
}

fn fate(verdict: MailingStatus) -> RowDecision {
    match (verdict, verdict.refusal()) {
        (_, Some(state)) => RowDecision::Refused(state),
        (MailingStatus::LeftOut, _) => RowDecision::LeftOut,
        (MailingStatus::Paused, _) => RowDecision::In(SubscriberState::Paused),
        _ => RowDecision::In(SubscriberState::Active),
    }
}

pub(super) fn row(
    columns: &Columns,
    cells: &[String],
    line: u64,
    order: Order,
    reading: &TableContext,
) -> Result<(CsvRow, Option<String>), Vec<String>> {
    let mut faults = Vec::new();
    let address = Address::parse_public(sheet::bare_address(cell(cells, columns.address)))
        .map_err(|fault| faults.push(fault));
    let said = verdict(columns, cells, reading.file).map_err(|fault| faults.push(fault.to_string()));
    let mut chosen = preferences(columns, cells, reading);
    let is_out = matches!(&said, Ok((verdict, _)) if *verdict >= MailingStatus::LeftOut);
    let mut at = consent_at(columns, cells, order, reading.now);
    let mut noted = profile(columns, cells);
    if is_out {
        // A person who must not get mail is recorded, whatever else is wrong with the row.
        let none = || reading.options.preferences(&Choice::default(), reading.language);
        chosen = chosen.or_else(|_| {
            none().map(|chosen| ((chosen, PreferenceColumns::default()), None)).map_err(|_| Vec::new())
        });
        at = at.or(Ok(None));
        noted = noted.or_else(|_| Ok(Default::default()));
    }
    let noted = noted.map_err(|found| faults.extend(found));
    let chosen = chosen.map_err(|found| faults.extend(found));
    let at = at.map_err(|fault| faults.push(fault));
    let (
        Ok(address),
        Ok((verdict, why)),
        Ok(((preferences, chosen), hint)),
        Ok(said_at),
        Ok((profile, unread)),
    ) = (address, said, chosen, at, noted)
    else {
        return Err(faults);
    };
    let hints: Vec<String> = hint.into_iter().chain(unread).collect();
    let hint = (!hints.is_empty()).then(|| hints.join("; "));
    let fate = fate(verdict);
    let left_at = left_at(columns, cells, order);
    let consent_source = consent_source(columns, cells, reading.file);
    let text = columns.first(cells, Column::ConsentText).0;
    let consent_text = (!text.is_empty()).then(|| text.to_owned());
    let (consent_at, has_consent_at) = (said_at.unwrap_or(reading.now), said_at.is_some());
    let row = CsvRow {
        line,
        address,
        fate,
        why,
        preferences,
        chosen,
        consent_source,
        consent_at,
        has_consent_at,
        left_at,
        consent_text,
        profile,
    };
    Ok((row, hint))
}
