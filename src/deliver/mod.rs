//! Issues to mailboxes: the message, and the ways that it can leave. Knows no store and no schedule.

pub mod message;
pub mod smtp;
pub mod transport;

/// Why a message did not leave, by what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// Try again later.
    #[error("{0}")]
    Temporary(String),
    /// We were told to end before the server had any of it.
    #[error("it was not handed over: the work was to end")]
    Stopped,
    /// It may have been taken, or not: the server's last answer never came.
    #[error("{0}")]
    Uncertain(String),
    /// Never, nor any other mail: there is no such mailbox (550, 551, 553).
    #[error("{0}")]
    NoMailbox(String),
    /// Never: the server refused this message or this recipient.
    #[error("{0}")]
    Permanent(String),
}
