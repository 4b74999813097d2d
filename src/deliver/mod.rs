//! Issues to mailboxes: the message, and the ways that it can leave. Knows no store and no schedule.

mod connection;
pub mod dkim;
pub mod login;
pub mod message;
pub mod refusal;
pub mod smtp;
pub mod tls;
pub mod transport;

/// Why a message did not leave, by what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// Try again later: the recipient's mailbox does not take it now (as greylisting has it), or for a reason that nobody gives.
    #[error("{0}")]
    Temporary(String),
    /// It waits, and no recipient is charged with it: no server can be reached, or none has the time.
    #[error("{0}")]
    Unavailable(String),
    /// It waits: the server refuses us or what we send, and would refuse others alike. The operator can mend it.
    #[error("{0}")]
    RefusesUs(String),
    /// We were told to end before the server had any of it.
    #[error("it was not handed over: the work was to end")]
    Stopped,
    /// It may have been taken, or not: the server's last answer never came.
    #[error("{0}")]
    Uncertain(String),
    /// Never, nor any other mail: there is no such mailbox.
    #[error("{0}")]
    NoMailbox(String),
    /// Never: the message cannot be made.
    #[error("{0}")]
    Permanent(String),
}

impl DeliverError {
    /// The same with other words.
    pub fn map(self, words: impl FnOnce(String) -> String) -> DeliverError {
        match self {
            DeliverError::Temporary(reason) => DeliverError::Temporary(words(reason)),
            DeliverError::Unavailable(reason) => DeliverError::Unavailable(words(reason)),
            DeliverError::RefusesUs(reason) => DeliverError::RefusesUs(words(reason)),
            DeliverError::Stopped => DeliverError::Stopped,
            DeliverError::Uncertain(reason) => DeliverError::Uncertain(words(reason)),
            DeliverError::NoMailbox(reason) => DeliverError::NoMailbox(words(reason)),
            DeliverError::Permanent(reason) => DeliverError::Permanent(words(reason)),
        }
    }
}
