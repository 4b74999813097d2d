//! A digest (a schedule over the channel), an issue of it, and a delivery (one issue to one recipient).

use super::schedule::Schedule;

/// `[[digest]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    pub id: String,
    pub title: String,
    /// BCP 47.
    pub language: String,
    pub schedule: Schedule,
    /// Topic ids; empty for all.
    pub topics: Vec<String>,
    /// Stories in one issue; the rest is counted and linked.
    pub entries_max: usize,
    pub recipients: Vec<Address>,
}

/// A mail address that a mail server would take.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(String);

impl Address {
    /// Reads `ana@example.org`; the error says what is wrong.
    pub fn parse(text: &str) -> Result<Address, String> {
        let text = text.trim();
        text.parse::<lettre::Address>().map(|address| Address(address.to_string())).map_err(|_| format!("\"{text}\" is no mail address"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Stands in a rendered issue for the address to leave by, which is each recipient's own.
pub const UNSUBSCRIBE_PLACE: &str = "@@UNSUBSCRIBE@@";

/// One rendered digest, the same for all its recipients but for the address to leave by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Something that the operator has to know of a source: it broke, it was mended, it works again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Notice {
    pub source: String,
    pub text: String,
}

/// What to do with a delivery that a killed run had handed over, whose answer it never saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUncertain {
    /// Once too often rather than not at all.
    #[default]
    Resend,
    /// Not at all rather than once too often.
    Skip,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be sent, now or after `next_attempt`.
    Pending,
    /// Handed to the server, whose answer we have not seen: it may have gone out.
    Sending,
    Sent,
    /// Refused for good.
    Failed,
}

impl DeliveryState {
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Pending => "pending",
            DeliveryState::Sending => "sending",
            DeliveryState::Sent => "sent",
            DeliveryState::Failed => "failed",
        }
    }
}

/// A delivery to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: i64,
    pub digest: String,
    pub recipient: String,
    /// RFC 5322 Message-ID without angle brackets: the same at every attempt, so that a mailbox can tell a repeat.
    pub message_id: String,
    pub attempts: u32,
    /// Shared by all deliveries of the issue.
    pub issue: std::sync::Arc<Issue>,
    /// The Date header: when the issue was made.
    pub created: jiff::Timestamp,
}
