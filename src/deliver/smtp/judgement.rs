//! What it means for a message that a server answers so, or not at all.

use crate::deliver::DeliverError;
use crate::deliver::connection::{CLOSING, SmtpFault};
use crate::model::refusal::{
    OwnIdentity, Parties, Refusal, SmtpCommand, asks_for_another, asks_for_fewer, enhanced, refusal,
};

/// Whether the server closes the connection, whatever the command.
pub(super) fn is_closing(fault: &SmtpFault) -> bool {
    matches!(fault, SmtpFault::Refused(reply) if reply.code == CLOSING)
}

/// Whether the server refuses us in general, not just one more connection.
pub(super) fn is_final(fault: &SmtpFault) -> bool {
    let SmtpFault::Refused(reply) = fault else { return false };
    let words = reply.words();
    let nobody = Parties { ours: &OwnIdentity::default(), recipients: &[] };
    refusal(SmtpCommand::Connect, reply.code, enhanced(&words), &words, &nobody) == Refusal::Us
}

/// Whether the server asks for fewer connections, or for less at a time, and keeps this one open.
pub(super) fn is_crowded(fault: &SmtpFault) -> bool {
    matches!(fault, SmtpFault::Refused(reply) if reply.code != CLOSING && asks_for_fewer(reply.code, &reply.words()))
}

/// Whether another server may take a message that one did not take, though it does not say that it refuses us. What it may have taken is
/// not handed to another one.
pub(super) fn may_be_its_own(error: &DeliverError) -> bool {
    matches!(
        error,
        DeliverError::Temporary(_)
            | DeliverError::Declined(_)
            | DeliverError::Unexplained(_)
            | DeliverError::Unavailable(_)
            | DeliverError::NoMailbox(_)
    )
}

/// Whether the server asks for another connection: this one had as many messages as it takes.
pub(super) fn is_spent(fault: &SmtpFault) -> bool {
    matches!(fault, SmtpFault::Refused(reply) if asks_for_another(reply.code, &reply.words()))
}

/// What it means that a message was not taken after the server was told of it: where no answer comes, it may have been.
pub(super) fn not_taken(fault: &SmtpFault, parties: &Parties) -> DeliverError {
    match fault {
        SmtpFault::Refused(_) => judged(SmtpCommand::Data, fault, parties),
        SmtpFault::Silent(timeout) => DeliverError::Uncertain(format!(
            "the mail server did not say within {} s whether it took the message",
            timeout.as_secs()
        )),
        SmtpFault::Broken(said) | SmtpFault::Unusable(said) => DeliverError::Uncertain(format!(
            "the connection broke before the mail server said whether it took the message: {said}"
        )),
    }
}

/// The error for a message that was refused.
pub(super) fn judged(command: SmtpCommand, fault: &SmtpFault, parties: &Parties) -> DeliverError {
    let reply = match fault {
        SmtpFault::Refused(reply) => reply,
        SmtpFault::Silent(timeout) => {
            return DeliverError::Unavailable(format!(
                "the mail server did not answer within {} s",
                timeout.as_secs()
            ));
        }
        SmtpFault::Broken(said) | SmtpFault::Unusable(said) => {
            return DeliverError::Unavailable(format!("the connection to the mail server broke: {said}"));
        }
    };
    let words = reply.words();
    match refusal(command, reply.code, enhanced(&words), &words, parties) {
        Refusal::NoRecipient => {
            DeliverError::NoMailbox(format!("the mail server knows no such mailbox: {reply}"))
        }
        Refusal::Mailbox if reply.code >= 500 => {
            DeliverError::Declined(format!("the mailbox does not take it now: {reply}"))
        }
        Refusal::Mailbox => DeliverError::Temporary(format!("the mailbox does not take it now: {reply}")),
        Refusal::Unexplained => {
            DeliverError::Unexplained(format!("the recipient is refused, and not said why: {reply}"))
        }
        Refusal::Busy => DeliverError::Unavailable(format!("the mail server does not take it now: {reply}")),
        Refusal::Us => DeliverError::RefusesUs(format!("the mail server refuses us or the message: {reply}")),
    }
}
