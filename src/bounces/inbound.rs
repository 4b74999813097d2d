//! What a returned message is found to be.

use jiff::Timestamp;

/// What a bounce says about a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BounceKind {
    /// It arrived, or was handed on.
    Arrived,
    /// Delivery is still being attempted: nothing to do.
    Delayed,
    /// Refused for what we are or what the message says, or no server could be reached: it says nothing of the recipient.
    NotTheirs,
    /// Refused for a reason that may pass, as a full mailbox does, or that nobody explains.
    Soft,
    /// The mailbox does not exist.
    Hard,
}

/// The classification of a returned message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboundKind {
    Bounce(Vec<Failure>),
    /// A complaint, with its feedback type: `abuse` or `fraud`.
    Complaint(String),
    /// A request to leave, with the address of the sender if known.
    Leave(Option<String>),
    /// A mailbox provider says that a recipient asked to leave (RFC 5965).
    OptOut,
    /// A personal reply to our mail.
    Answer(PersonalReply),
    /// Anything else, such as out-of-office replies or spam, and why it is ignored.
    Other(&'static str),
}

/// A reply to our mail, written by a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalReply {
    /// The address of the sender.
    pub from: String,
    pub subject: String,
    /// The text of the reply.
    pub text: String,
    /// RFC 5322 Message-ID, if present.
    pub message_id: Option<String>,
    /// The addresses it was sent to, in lower case and without a `+` suffix.
    pub sent_to: Vec<String>,
    /// Whether it says itself that it is a reply. If not, only a return path of ours shows it.
    pub is_reply: bool,
}

/// What a report says of a recipient. The address is empty if the report names none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where the mail was to be delivered last, which may be where somebody has it forwarded to.
    pub address: String,
    /// All that the report calls this recipient.
    pub names: Vec<String>,
    pub kind: BounceKind,
    /// In the server's words.
    pub reason: String,
}

/// A classified message with the tokens in it that may be ours; the pipeline verifies their signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundMail {
    pub what: InboundKind,
    /// The same whenever this message is read: its Message-ID, or a hash of all of it.
    pub id: String,
    /// When it was written or received, whichever is later.
    pub written: Option<Timestamp>,
    /// The parts between `+` and `@` of the addresses it was sent to, and of the return path of the mail it reports on.
    pub return_tokens: Vec<String>,
    /// Message-IDs of the mail it reports on or replies to.
    pub message_ids: Vec<String>,
    /// Unsubscribe tokens in the subject, or in the mail it reports on.
    pub leave_tokens: Vec<String>,
}
