//! Sends issues to mailboxes: builds messages and hands them to a transport. Knows neither store nor schedule.

mod connection;
pub mod dkim;
pub mod login;
pub mod message;
pub mod refusal;
pub mod smtp;
pub mod tls;
pub mod transport;

/// Why a message was not sent, by what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// Retry later: the mailbox does not accept it now (as with greylisting), or for an unknown reason.
    #[error("{0}")]
    Temporary(String),
    /// Hold it without charging the recipient with an attempt: no server can be reached, or none has capacity.
    #[error("{0}")]
    Unavailable(String),
    /// Hold it: the server refuses us or our content, and would refuse other mail as well. The operator has to act.
    #[error("{0}")]
    RefusesUs(String),
    /// We were told to stop before the server accepted any of it.
    #[error("it was not handed over: the work was to end")]
    Stopped,
    /// It may or may not have been accepted: the server's final reply never came.
    #[error("{0}")]
    Uncertain(String),
    /// Give up this and all other mail to the recipient: the mailbox does not exist.
    #[error("{0}")]
    NoMailbox(String),
    /// Give up: the message cannot be built.
    #[error("{0}")]
    Permanent(String),
}

impl DeliverError {
    /// The same error with its text changed by `words`.
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
