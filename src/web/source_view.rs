//! How a source is doing, as pages show it: to those who look after the installation, and to the partner whose it is.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::chart::{Plot, by_day};
use super::state::AppState;
use crate::model::source::{FetchState, Source};
use crate::store::{SourceDay, SourceRow, day_number};
use crate::support::i18n::{phrases, said};

/// Days of a sparkline.
pub(super) const DAYS: usize = 30;

/// The first day of a sparkline that ends today.
pub(super) fn first_day(now: Timestamp) -> i64 {
    day_number(now) - DAYS as i64 + 1
}

/// A time as pages show it; they are read in several zones.
pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The same for programs, and for people.
pub(super) fn moment(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| json!({ "at": at, "text": minute(at) }))
}

/// To whom sources are shown.
#[derive(Clone, Copy)]
pub(super) struct SourceViewer<'a> {
    pub(super) app: &'a AppState,
    pub(super) language: &'static str,
    /// To the partner whose they are, who is told what it can do itself.
    pub(super) is_partner: bool,
}

impl SourceViewer<'_> {
    fn phrase(&self, name: &str) -> &'static str {
        phrases(self.language).get(name).copied().unwrap_or_default()
    }

    /// A source; `days` are those of any sources.
    pub(super) fn view(&self, source: &Source, row: Option<&SourceRow>, days: &[SourceDay]) -> Value {
        let state = row.map(|row| row.state.clone()).unwrap_or_default();
        let own = days.iter().filter(|day| day.source == source.id).map(|day| (day.day, day.entries));
        let numbers = by_day(first_day(self.app.clock.now()), DAYS, own);
        let words = [
            ("days", DAYS.into()),
            ("total", numbers.iter().sum::<u64>().into()),
            ("most", numbers.iter().copied().max().unwrap_or(0).into()),
        ];
        let label = said("admin_spark", self.language, &words);
        let plot = Plot::stacked(&numbers.iter().map(|number| [*number]).collect::<Vec<_>>(), label);
        let fault = state.last_error.clone().or_else(|| state.warning.clone());
        // Whose account it was that had it read is nobody else's business.
        let why = state.next_poll_reason.as_ref().filter(|_| !self.is_partner && is_polled(source, &state));
        let to_do = state.care().map(|care| {
            self.phrase(if self.is_partner { care.partner_phrase() } else { care.operator_phrase() })
        });
        json!({
            "id": source.id,
            "partner": source.partner,
            "kind": source.kind.name,
            "address": source.public_address(),
            "entries": row.map_or(0, |row| row.entries),
            "plot": plot,
            "last_success": moment(state.last_success),
            "next": self.next_poll(source, &state),
            "why": why,
            "fault": fault,
            "failures": state.failures,
            "to_do": to_do,
            "is_failing": state.last_error.is_some() || state.is_gone,
            "is_mended": state.page.mend().is_some(),
            "mended": state.page.mended,
            "way": state.page.way,
        })
    }

    /// When a source is read next: a time, or words.
    fn next_poll(&self, source: &Source, state: &FetchState) -> Value {
        let words = |name: &str| json!({ "at": null, "text": self.phrase(name) });
        match (source.is_enabled, state.is_gone) {
            _ if source.mail_address().is_some() => words("admin_by_mail"),
            (false, _) => words("admin_disabled"),
            (true, true) => words("admin_never"),
            (true, false) if state.next_poll.is_none_or(|next| next <= self.app.clock.now()) => {
                words("admin_now")
            }
            (true, false) => moment(state.next_poll),
        }
    }
}

fn is_polled(source: &Source, state: &FetchState) -> bool {
    source.is_enabled && !state.is_gone && source.mail_address().is_none()
}
