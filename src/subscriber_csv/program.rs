//! Programs whose exports can be told by their columns.

use super::table::{CsvTable, RowDecision};
use super::{sheet, words};
use crate::model::subscriber::SubscriberState;

/// What of a file is enough to see its columns, in bytes.
const HEAD_MAX: usize = 64 << 10;

/// A mailing program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailingProgram {
    pub name: &'static str,
    /// Columns that its exports of people have: all of them, of one of these sets.
    columns: &'static [&'static [&'static str]],
    /// The column that says who left a list, where some of its exports do not have it: in those, only the name of the file says so.
    left: Option<&'static str>,
}

impl MailingProgram {
    pub const LISTMONK: MailingProgram = MailingProgram {
        name: "listmonk",
        columns: &[&["email", "uuid", "status"], &["email", "status", "subscription_status"]],
        left: Some("subscription_status"),
    };
    pub const MAILCHIMP: MailingProgram = MailingProgram {
        name: "Mailchimp",
        columns: &[
            // Its column of addresses can be renamed.
            &["leid", "euid"],
            &["member_rating", "optin_time"],
            &["email address", "leid"],
            &["email address", "euid"],
            &["email address", "member_rating"],
        ],
        left: None,
    };
    pub const GHOST: MailingProgram =
        MailingProgram { name: "Ghost", columns: &[&["email", "subscribed_to_emails"]], left: None };
    pub const SUBSTACK: MailingProgram = MailingProgram {
        name: "Substack",
        columns: &[&["email", "active_subscription", "email_disabled"], &["email", "type", "start date"]],
        left: None,
    };

    /// Whether a file is an export of people of this program.
    pub fn wrote(self, bytes: &[u8]) -> bool {
        let names = head(bytes);
        self.columns.iter().any(|wanted| wanted.iter().all(|name| names.iter().any(|own| own == name)))
    }

    /// The columns by which its exports are known, in words.
    pub fn columns(self) -> String {
        self.columns.iter().map(|names| names.join(", ")).collect::<Vec<_>>().join(", or ")
    }

    /// Whether a file with this name says who left.
    pub fn tells_who_left(self, name: &str, bytes: &[u8]) -> bool {
        self.left.is_none_or(|column| head(bytes).iter().any(|name| name == column))
            || words::refusals_file(name).is_some()
    }

    /// Keeps out everybody in a table, if only the name of its file says that they left.
    pub fn settle(self, name: &str, table: &mut CsvTable) {
        let Some(word) = words::refusals_file(name).filter(|_| self.left.is_some()) else { return };
        let state = words::refusal_in(name).and_then(|(_, status)| status.refusal());
        let state = state.unwrap_or(SubscriberState::Unsubscribed);
        for row in table.rows.iter_mut().filter(|row| !matches!(row.fate, RowDecision::Refused(_))) {
            row.fate = RowDecision::Refused(state);
            row.why = format!("the name of the file says \"{word}\"");
        }
    }
}

/// The names of the columns of a file.
fn head(bytes: &[u8]) -> Vec<String> {
    let names = sheet::read(&bytes[..bytes.len().min(HEAD_MAX)]).names;
    names.iter().map(|name| name.trim().to_lowercase()).collect()
}
