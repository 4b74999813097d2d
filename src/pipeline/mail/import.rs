//! Imports tables of subscribers. An import never brings back anybody who left.

use jiff::Timestamp;

use super::profiles;
use super::subscribers::{put_within, set_consent, suppress_within};
use crate::model::digest::DigestId;
use crate::model::subscriber::{Consent, Subscriber, SubscriberState};
use crate::model::token::SigningKey;
use crate::store::{Unit, Write};
use crate::subscriber_csv::{CsvRow, RowDecision};

/// The outcome of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    Added,
    /// Already in the list; nothing was changed.
    Known,
    Updated,
    /// The table says that they left, and this was recorded.
    Suppressed,
    /// The reason.
    LeftOut(String),
}

/// Options of an import.
#[derive(Debug, Clone, Copy)]
pub struct Import<'a> {
    pub key: &'a SigningKey,
    /// How consent is known, for rows that do not say.
    pub consent: &'a str,
    /// Whether the table is our own export: former subscribers are then shown in the list.
    pub is_own: bool,
    /// Whether existing subscribers are updated from the table.
    pub updates: bool,
    pub now: Timestamp,
}

impl Import<'_> {
    /// Imports one row.
    ///
    /// # Errors
    /// When the store fails.
    pub fn take(&self, unit: &Unit<Write>, row: &CsvRow) -> anyhow::Result<Imported> {
        let hash = self.key.hash(row.address.as_str());
        let known = unit.subscribers().get(&hash)?;
        let suppression = unit.subscribers().suppression(&hash, &DigestId::Personal)?;
        match row.fate {
            RowDecision::LeftOut => Ok(Imported::LeftOut(row.why.clone())),
            RowDecision::Refused(state) => {
                self.refuse(unit, row, &hash, state, known, suppression.as_deref())
            }
            RowDecision::In(state) => self.put(unit, row, state, known, suppression),
        }
    }

    fn refuse(
        &self,
        unit: &Unit<Write>,
        row: &CsvRow,
        hash: &str,
        state: SubscriberState,
        known: Option<Subscriber>,
        suppression: Option<&str>,
    ) -> anyhow::Result<Imported> {
        // Consent given here after they left there is new consent; their sign-up date there does not matter.
        // What an operator added without a date says nothing of when they agreed.
        let is_dated =
            |known: &Subscriber| known.consent.is_given_here() || known.consent.at != known.created;
        let readmitted = unit.subscribers().last_readmitted(hash)?;
        let agreed_since = |known: &Subscriber| {
            let agreed = Some(known.consent.at).filter(|_| is_dated(known)).max(readmitted);
            matches!(known.state, SubscriberState::Active | SubscriberState::Paused)
                && row.left_at.is_some_and(|left_at| agreed > Some(left_at))
        };
        if known.as_ref().is_some_and(agreed_since) {
            return Ok(Imported::Known);
        }
        if suppression == Some("erased") {
            return Ok(Imported::Suppressed);
        }
        if self.is_own && known.is_none() {
            self.put_row(unit, row, state)?;
        }
        suppress_within(unit, hash, state, self.now)?;
        Ok(Imported::Suppressed)
    }

    fn put(
        &self,
        unit: &Unit<Write>,
        row: &CsvRow,
        state: SubscriberState,
        known: Option<Subscriber>,
        suppression: Option<String>,
    ) -> anyhow::Result<Imported> {
        if let Some(reason) = suppression {
            return Ok(Imported::LeftOut(reason));
        }
        match known {
            Some(known) if !matches!(known.state, SubscriberState::Active | SubscriberState::Paused) => {
                Ok(Imported::LeftOut(known.state.as_str().to_owned()))
            }
            Some(_) if !self.updates => Ok(Imported::Known),
            // Paused subscribers stay paused: only they end a pause.
            Some(known) => self.update(unit, row, known).map(|()| Imported::Updated),
            None => self.put_row(unit, row, state).map(|()| Imported::Added),
        }
    }

    /// Changes what the table has a column for; the rest of what somebody chose stays.
    fn update(&self, unit: &Unit<Write>, row: &CsvRow, known: Subscriber) -> anyhow::Result<()> {
        let Subscriber { address, preferences, mut consent, state, .. } = known;
        let preferences = row.chosen.over(preferences, &row.preferences);
        let put = put_within(unit, self.key, address, preferences, consent.clone(), state, self.now)?;
        let put = profiles::change(unit, self.key, put, &row.profile)?;
        let texts = (!row.consent_source.is_empty(), row.consent_text.is_some(), row.has_consent_at);
        if texts == (false, false, false) {
            return Ok(());
        }
        if !row.consent_source.is_empty() {
            consent.source.clone_from(&row.consent_source);
        }
        if row.consent_text.is_some() {
            consent.text.clone_from(&row.consent_text);
        }
        if row.has_consent_at {
            consent.at = row.consent_at;
        }
        Ok(set_consent(unit, self.key, &put, &consent, self.now)?)
    }

    fn put_row(&self, unit: &Unit<Write>, row: &CsvRow, state: SubscriberState) -> anyhow::Result<()> {
        let source = if row.consent_source.is_empty() { self.consent } else { &row.consent_source };
        let consent =
            Consent { source: source.to_owned(), at: row.consent_at, text: row.consent_text.clone() };
        let (address, preferences) = (row.address.clone(), row.preferences.clone());
        let put = put_within(unit, self.key, address, preferences, consent, state, self.now)?;
        profiles::change(unit, self.key, put, &row.profile).map(drop)
    }
}
