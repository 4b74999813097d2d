//! Campaigns: mails that somebody wrote for a part of the list, each sent once.

use jiff::Timestamp;

use super::keys::{CampaignKey, IssueKey};

/// How far a campaign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampaignState {
    /// It waits for its time.
    Scheduled,
    /// Its recipients are being chosen, and the first ones may have it already.
    Sending,
    /// All recipients are chosen; deliveries may still wait for servers.
    Sent,
    Cancelled,
}

impl CampaignState {
    pub const ALL: [CampaignState; 4] =
        [CampaignState::Scheduled, CampaignState::Sending, CampaignState::Sent, CampaignState::Cancelled];

    pub fn as_str(self) -> &'static str {
        match self {
            CampaignState::Scheduled => "scheduled",
            CampaignState::Sending => "sending",
            CampaignState::Sent => "sent",
            CampaignState::Cancelled => "cancelled",
        }
    }

    /// Parses the name of a state.
    pub fn parse(text: &str) -> Option<CampaignState> {
        CampaignState::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nothing more is queued for it.
    pub fn is_over(self) -> bool {
        matches!(self, CampaignState::Sent | CampaignState::Cancelled)
    }
}

/// A campaign that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    pub key: CampaignKey,
    pub subject: String,
    /// For whom, as a query for subscribers.
    pub selection: String,
    /// The file that somebody wrote.
    pub source: String,
    pub state: CampaignState,
    pub created: Timestamp,
    /// It is not sent before.
    pub at: Timestamp,
    /// Once it was begun.
    pub issue: Option<IssueKey>,
    /// The number of the last subscriber considered.
    pub last: i64,
    /// How many recipients were chosen so far.
    pub recipients: u64,
    /// When all subscribers were considered, or it was cancelled.
    pub ended: Option<Timestamp>,
}
