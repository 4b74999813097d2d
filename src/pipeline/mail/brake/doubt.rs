//! What servers say of recipients, and what of it is not known yet to be true.

use jiff::Timestamp;

use crate::deliver::DeliverError;
use crate::model::digest::DigestId;
use crate::model::keys::DeliveryKey;

/// What a server said of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusalGround {
    /// There is no such mailbox.
    NoMailbox,
    /// Nothing that explains it.
    Unexplained,
    /// The mailbox takes nothing, by a final answer.
    Full,
    /// The mailbox takes it later.
    Later,
}

impl RefusalGround {
    /// Why a recipient is refused, if it is the recipient.
    pub(crate) fn of(error: &DeliverError) -> Option<(RefusalGround, &str)> {
        match error {
            DeliverError::NoMailbox(reason) => Some((RefusalGround::NoMailbox, reason)),
            DeliverError::Unexplained(reason) => Some((RefusalGround::Unexplained, reason)),
            DeliverError::Declined(reason) => Some((RefusalGround::Full, reason)),
            DeliverError::Temporary(reason) => Some((RefusalGround::Later, reason)),
            _ => None,
        }
    }

    /// Whether it may cost the recipient all further mail, at once or by and by, for no reason that is known to be theirs.
    pub(crate) fn is_grave(self) -> bool {
        matches!(self, RefusalGround::NoMailbox | RefusalGround::Unexplained)
    }
}

/// A refused recipient, until it is known whether that is to be believed. The delivery waits meanwhile, and is charged with nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    pub number: DeliveryKey,
    /// Those before this one.
    pub attempts: u32,
    pub message_id: String,
    /// The keyed hash of the recipient.
    pub hash: String,
    /// The domain of the recipient.
    pub domain: String,
    pub digest: DigestId,
    pub created: Timestamp,
    /// Since when, if it was in doubt in an earlier run.
    pub since: Option<Timestamp>,
    pub ground: RefusalGround,
    pub reason: String,
    /// Whether the same server took the mail of somebody at another domain afterwards.
    pub is_vouched: bool,
}

/// When a server last took mail for a list, and any mail.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AcceptanceHistory {
    pub taken: Option<Timestamp>,
    pub taken_any: Option<Timestamp>,
    /// Whether it took any in this run.
    pub has_taken_any: bool,
}

/// The domain of an address, as it is counted.
pub(crate) fn domain_of(address: &str) -> String {
    address.rsplit('@').next().unwrap_or_default().to_lowercase()
}
