//! Partners: what is configured of them (`[[partner]]`), how many people their stories reached, and what they propose.

use jiff::Timestamp;

use super::keys::{EntryKey, ProposalKey};
use super::mail_address::Address;

/// Proposals of one partner that may wait at a time.
pub const PROPOSALS_MAX: usize = 20;
/// Of an address, in bytes, and of what is wrong, in characters.
pub const ADDRESS_BYTES_MAX: usize = 2_000;
pub const CORRECTION_CHARS_MAX: usize = 2_000;

/// `[[partner]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    /// As the sources name it.
    pub name: String,
    /// Who gets a mail each month.
    pub recipients: Vec<Address>,
    /// Of that mail; that of the channel if there is none.
    pub language: Option<String>,
}

/// How many people a partner's stories reached by mail. Nobody is tracked: it is counted what was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartnerReach {
    /// Mails that were sent and showed one of its stories.
    pub mails: u64,
    /// Addresses that they went to, each once.
    pub people: u64,
}

/// What a partner proposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalKind {
    /// Another source, by its address.
    Source,
    /// That something is wrong with an entry.
    Correction,
}

impl ProposalKind {
    pub fn as_str(self) -> &'static str {
        match self {
            ProposalKind::Source => "source",
            ProposalKind::Correction => "correction",
        }
    }
}

impl From<&str> for ProposalKind {
    fn from(text: &str) -> Self {
        if text == "source" { ProposalKind::Source } else { ProposalKind::Correction }
    }
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposalDecision {
    pub is_accepted: bool,
    pub at: Timestamp,
    /// The account.
    pub who: String,
}

/// A proposal before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProposal {
    pub partner: String,
    pub kind: ProposalKind,
    /// An address, or what is wrong.
    pub text: String,
    /// What a correction is about, and its title.
    pub entry: Option<EntryKey>,
    pub title: String,
}

/// A proposal, until an operator accepts or declines it, and for a while after that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    pub key: ProposalKey,
    pub proposed: NewProposal,
    pub created: Timestamp,
    pub decision: Option<ProposalDecision>,
}

/// Why a proposal was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalRefusal {
    /// The same waits already.
    Known,
    /// As many wait as may.
    TooMany,
}
