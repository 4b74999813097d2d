//! What a table of subscribers holds, and the context in which it is read.

use jiff::Timestamp;

use crate::model::mail_address::Address;
use crate::model::profile::ProfileChange;
use crate::model::subscriber::{Cadence, Preferences, SubscriberState, SubscriptionOptions};

/// The outcome for a person in an imported table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowDecision {
    /// They get mail, or are paused.
    In(SubscriberState),
    /// They left, bounced or complained, and are suppressed.
    Refused(SubscriberState),
    /// They never agreed or confirmed, or the table does not say so.
    LeftOut,
}

/// The choices that a table has a column for. An empty field of a list chooses everything; any other empty field chooses nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PreferenceColumns {
    pub language: bool,
    pub languages: bool,
    pub topics: bool,
    pub without: bool,
    pub partners: bool,
    pub cadence: bool,
    pub hour: bool,
    pub timezone: bool,
}

impl PreferenceColumns {
    /// The preferences of somebody known, with what a table says of them.
    pub fn over(self, known: Preferences, table: &Preferences) -> Preferences {
        let Preferences { language, mut interests, cadence } = known;
        let lists = [
            (self.languages, &mut interests.languages, &table.interests.languages),
            (self.topics, &mut interests.topics, &table.interests.topics),
            (self.without, &mut interests.without, &table.interests.without),
            (self.partners, &mut interests.partners, &table.interests.partners),
        ];
        for (is_chosen, own, new) in lists {
            if is_chosen {
                own.clone_from(new);
            }
        }
        Preferences {
            language: if self.language { table.language.clone() } else { language },
            interests,
            cadence: self.cadence_over(cadence, &table.cadence),
        }
    }

    fn cadence_over(self, known: Cadence, table: &Cadence) -> Cadence {
        if self.cadence || !(self.hour || self.timezone) {
            return if self.cadence { table.clone() } else { known };
        }
        let ((name, own_hour, own_zone), (_, hour, zone)) = (known.parts(), table.parts());
        let hour = if self.hour { hour } else { own_hour };
        let zone = if self.timezone { zone } else { own_zone };
        Cadence::of(name, &hour, &zone).unwrap_or(known)
    }
}

/// A person in an imported table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvRow {
    pub line: u64,
    pub address: Address,
    pub fate: RowDecision,
    /// The reason in the table, unless the person is included.
    pub why: String,
    pub preferences: Preferences,
    /// Which of them the table has a column for.
    pub chosen: PreferenceColumns,
    /// Empty if the table does not say.
    pub consent_source: String,
    pub consent_at: Timestamp,
    /// Whether the table says when.
    pub has_consent_at: bool,
    /// When they left, if the table says so: the end of that day where it names no hour.
    pub left_at: Option<Timestamp>,
    pub consent_text: Option<String>,
    /// Tags and attributes, where the table has columns of them.
    pub profile: ProfileChange,
}

/// A fault or hint with its line number.
pub type Remark = (u64, String);

/// The result of reading a table.
#[derive(Debug, Default)]
pub struct CsvTable {
    pub rows: Vec<CsvRow>,
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
pub struct TableContext<'a> {
    pub options: &'a SubscriptionOptions,
    /// Language of people without one.
    pub language: &'a str,
    /// The file name: in exports of former subscribers, it may be the only indication.
    pub file: &'a str,
    /// Columns declared not to be about wanting mail.
    pub ignored: &'a [String],
    pub now: Timestamp,
}
