//! What the pipelines of returned mail share: the context of a message, and what became of it.

use jiff::Timestamp;

use super::MailContext;
use crate::deliver::message::Sender;
use crate::model::mail_address::Address;
use crate::store::Store;

/// The context in which returned mail is processed.
#[derive(Clone, Copy)]
pub struct InboundContext<'a> {
    pub store: &'a Store,
    pub sender: &'a Sender,
    /// Whether a report of fraud counts as a complaint.
    pub fraud_is_complaint: bool,
    /// For composing replies; if `None`, the operator is told instead.
    pub context: Option<MailContext<'a>>,
    /// Who reads replies, unless that is whoever reads the mailbox they arrived in.
    pub answers_to: Option<&'a Address>,
    /// Those who are to hear of what goes wrong, whatever comes back from them.
    pub operators: &'a [Address],
    /// From how many readers on a refusal is not one reader's own (`[mail] refusals_max`).
    pub refusals_max: usize,
    pub now: Timestamp,
}

impl InboundContext<'_> {
    /// Whether a keyed hash is that of an operator's address.
    pub(super) fn is_operator(&self, hash: &str) -> bool {
        self.operators.iter().any(|operator| self.sender.key.hash(operator.as_str()) == hash)
    }
}

/// Whether a message is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageDisposition {
    Done,
    /// It is for whoever reads the mailbox, and stays unread there.
    Kept,
    /// It has to be read again later.
    Later,
}

/// The result of processing a message: lines for the operator, without addresses.
#[derive(Debug)]
pub struct ProcessedMessage {
    pub lines: Vec<String>,
    pub verdict: MessageDisposition,
}

impl ProcessedMessage {
    /// One line, and its verdict.
    pub fn new(line: String, verdict: MessageDisposition) -> ProcessedMessage {
        ProcessedMessage { lines: vec![line], verdict }
    }
}
