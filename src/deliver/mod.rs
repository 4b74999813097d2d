//! Sends issues to mailboxes: builds messages and hands them to a transport. Knows neither store nor schedule.

mod connection;
pub mod dkim;
pub mod login;
pub mod message;
pub mod records;
pub mod smtp;
pub mod tls;
pub mod transport;

/// How the sending of a message went.
#[derive(Debug)]
pub struct SendAttempt {
    /// The server that answered last, by its place among the configured ones; `None` where none did.
    pub server: Option<usize>,
    /// Whether that server had heard of the recipient: only then its answer can be about them.
    pub is_named: bool,
    /// Whether there is another server to ask.
    pub has_others: bool,
    /// Servers that refused it for a reason that is about us before another one was asked, with the reason.
    pub refused_by: Vec<(usize, String)>,
    /// Servers that did not take it for another reason before another one was asked, with the reason.
    pub passed_by: Vec<(usize, String)>,
    pub result: Result<(), DeliverError>,
}

impl SendAttempt {
    /// The answer of a server that had heard of the recipient.
    pub(crate) fn of_named(server: usize, result: Result<(), DeliverError>) -> SendAttempt {
        SendAttempt { is_named: true, ..SendAttempt::by(Some(server), result) }
    }

    /// What no other server was asked about.
    pub fn by(server: Option<usize>, result: Result<(), DeliverError>) -> SendAttempt {
        SendAttempt {
            server,
            is_named: false,
            has_others: false,
            refused_by: Vec::new(),
            passed_by: Vec::new(),
            result,
        }
    }

    /// The same with other words.
    pub fn map(self, words: impl Fn(String) -> String) -> SendAttempt {
        let of_servers = |said: Vec<(usize, String)>| -> Vec<(usize, String)> {
            said.into_iter().map(|(at, reason)| (at, words(reason))).collect()
        };
        SendAttempt {
            server: self.server,
            is_named: self.is_named,
            has_others: self.has_others,
            refused_by: of_servers(self.refused_by),
            passed_by: of_servers(self.passed_by),
            result: self.result.map_err(|error| error.map(words)),
        }
    }
}

/// Why a message did not leave, by what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// Try again later: the recipient's mailbox does not take it now, as greylisting has it.
    #[error("{0}")]
    Temporary(String),
    /// The same, by a final answer: a full mailbox has it so.
    #[error("{0}")]
    Declined(String),
    /// The recipient was refused, and nobody says why.
    #[error("{0}")]
    Unexplained(String),
    /// It waits, and no recipient is charged with it: no server can be reached, or none has the time.
    #[error("{0}")]
    Unavailable(String),
    /// Hold it: the server refuses us or our content, and would refuse other mail as well. The operator has to act.
    #[error("{0}")]
    RefusesUs(String),
    /// We were told to stop before the server accepted any of it.
    #[error("not sent: shutting down")]
    Stopped,
    /// It may or may not have been accepted: the server's final reply never came.
    #[error("{0}")]
    Uncertain(String),
    /// Give up this and all other mail to the recipient: the mailbox does not exist.
    #[error("{0}")]
    NoMailbox(String),
    /// Give up, unless another server can: this one has no means to carry the recipient's address.
    #[error("{0}")]
    Unable(String),
    /// Give up: the message cannot be built.
    #[error("{0}")]
    Permanent(String),
}

impl DeliverError {
    /// The same error with its text changed by `words`.
    pub fn map(self, words: impl FnOnce(String) -> String) -> DeliverError {
        match self {
            DeliverError::Temporary(reason) => DeliverError::Temporary(words(reason)),
            DeliverError::Declined(reason) => DeliverError::Declined(words(reason)),
            DeliverError::Unexplained(reason) => DeliverError::Unexplained(words(reason)),
            DeliverError::Unavailable(reason) => DeliverError::Unavailable(words(reason)),
            DeliverError::RefusesUs(reason) => DeliverError::RefusesUs(words(reason)),
            DeliverError::Stopped => DeliverError::Stopped,
            DeliverError::Uncertain(reason) => DeliverError::Uncertain(words(reason)),
            DeliverError::NoMailbox(reason) => DeliverError::NoMailbox(words(reason)),
            DeliverError::Unable(reason) => DeliverError::Unable(words(reason)),
            DeliverError::Permanent(reason) => DeliverError::Permanent(words(reason)),
        }
    }
}
