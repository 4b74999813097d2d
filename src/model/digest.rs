//! Digests (a schedule over the channel), issues, and deliveries (an issue for one recipient).

use crate::support::text::{fitting, one_line, primary_language};

use super::channel::Channel;
use super::keys::DeliveryKey;
use super::mail_address::Address;
use super::schedule::Schedule;
use super::token::SigningKey;

/// Maximum number of past issues listed for a digest.
pub const ISSUES_LISTED: usize = 100;

/// `[[digest]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    pub id: DigestId,
    pub title: String,
    /// BCP 47.
    pub language: String,
    pub schedule: Schedule,
    /// Topic ids; empty means all.
    pub topics: Vec<String>,
    /// Only stories of which a version is in one of these languages; empty means all. BCP 47.
    pub languages: Vec<String>,
    /// Maximum number of stories in an issue; the rest is counted and linked.
    pub entries_max: usize,
    pub recipients: Vec<Address>,
    pub without_answer: WithoutAnswer,
    /// How long before a slot the editors are sent what would go, in seconds; if they are.
    pub review_seconds: Option<u64>,
    /// Who may shape the issue, by the links that they are sent.
    pub editors: Vec<Address>,
}

/// What becomes of an issue that no editor released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WithoutAnswer {
    #[default]
    Send,
    Hold,
}

impl Digest {
    /// Whether an issue waits until an editor releases it.
    pub fn waits_for_editors(&self) -> bool {
        self.without_answer == WithoutAnswer::Hold
    }
}

/// `[newsletter]` of the configuration: the personal digests of subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newsletter {
    /// Titles by language; if there is none, the channel's title is used.
    pub titles: std::collections::BTreeMap<String, String>,
    /// Maximum number of stories in an issue; the rest is counted and linked.
    pub entries_max: usize,
    /// Whether people can sign up by themselves.
    pub is_open: bool,
    /// Whether a welcome mail is sent after confirmation, with the stories of the last issue.
    pub has_welcome: bool,
    /// When subscribers are asked whether they still want it, if they are.
    pub reengagement: Option<Reengagement>,
    /// The controller of personal data, with a postal address.
    pub controller: Option<String>,
    /// Contact for questions about personal data.
    pub contact: Option<Address>,
}

/// When subscribers are asked whether they still want the newsletter, and what follows if they do not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reengagement {
    /// After they last said so, in seconds.
    pub after_seconds: u64,
    /// The time to answer, in seconds.
    pub within_seconds: u64,
    pub without_answer: WithoutReengagement,
}

/// What becomes of subscribers who do not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WithoutReengagement {
    #[default]
    Pause,
    Unsubscribe,
}

impl Newsletter {
    /// The title in a language, or else the channel's.
    pub fn title<'a>(&'a self, language: &str, channel: &'a Channel) -> &'a str {
        self.titles
            .get(language)
            .or_else(|| self.titles.get(primary_language(language)))
            .map_or(channel.title.as_str(), String::as_str)
    }
}

/// Placeholders in a rendered issue for links of each recipient. They contain a secret mark, so that no text of a source can be
/// mistaken for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkPlaces {
    mark: String,
}

impl LinkPlaces {
    /// The placeholders of an issue, derived from what identifies it, so that a replay gives the same ones.
    pub fn of(key: &SigningKey, issue: &str) -> LinkPlaces {
        LinkPlaces { mark: key.mark(issue) }
    }

    /// With the mark stored with an issue; earlier versions had none.
    pub fn with_mark(mark: String) -> LinkPlaces {
        LinkPlaces { mark }
    }

    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// Placeholder for the unsubscribe address.
    pub fn unsubscribe(&self) -> String {
        format!("@@UNSUBSCRIBE{}@@", self.mark)
    }

    /// Placeholder for the address of the subscriber's preferences.
    pub fn preferences(&self) -> String {
        format!("@@PREFERENCES{}@@", self.mark)
    }
}

/// Identifies the digest that a mail belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestId {
    /// `[[digest]]` of the configuration, by its id, which cannot begin with `_`.
    Configured(String),
    /// The personal digests of subscribers.
    Personal,
    /// Notices to the operator.
    Operator,
    /// Confirmation mails, sent to people who are not in any list.
    Confirmation,
    /// Welcome mails after confirmation.
    Welcome,
    /// Replies by people, forwarded to whoever reads `reply_to`.
    Answer,
    /// Issues before they go, for their editors.
    Draft,
    /// Mails that somebody wrote for a part of the list of subscribers.
    Campaign,
    /// Mails that ask subscribers whether they still want theirs.
    Reengagement,
    /// Monthly reports to partners.
    Partner,
}

impl DigestId {
    /// The built-in digests.
    pub const OWN: [DigestId; 9] = [
        DigestId::Personal,
        DigestId::Operator,
        DigestId::Confirmation,
        DigestId::Welcome,
        DigestId::Answer,
        DigestId::Draft,
        DigestId::Campaign,
        DigestId::Reengagement,
        DigestId::Partner,
    ];

    pub fn as_str(&self) -> &str {
        match self {
            DigestId::Configured(id) => id,
            DigestId::Personal => "_personal",
            DigestId::Operator => "_operator",
            DigestId::Confirmation => "_confirm",
            DigestId::Welcome => "_welcome",
            DigestId::Answer => "_answer",
            DigestId::Draft => "_draft",
            DigestId::Campaign => "_campaign",
            DigestId::Reengagement => "_reengagement",
            DigestId::Partner => "_partner",
        }
    }
}

impl DigestId {
    /// The built-in digests that go to people who are on a list.
    pub const OWN_LISTS: [DigestId; 3] = [DigestId::Personal, DigestId::Campaign, DigestId::Reengagement];

    /// Whether it is mail to people who are on a list.
    pub fn is_list(&self) -> bool {
        matches!(self, DigestId::Configured(_)) || DigestId::OWN_LISTS.contains(self)
    }

    /// Whether it is mail that anybody can cause, to an address of their choice.
    pub fn is_to_strangers(&self) -> bool {
        matches!(self, DigestId::Confirmation | DigestId::Welcome)
    }

    /// The digest that the unsubscribe link in a mail of this one refers to.
    pub fn list(&self) -> &DigestId {
        match self {
            DigestId::Welcome | DigestId::Campaign | DigestId::Reengagement => &DigestId::Personal,
            own => own,
        }
    }
}

impl From<String> for DigestId {
    fn from(text: String) -> Self {
        DigestId::OWN.into_iter().find(|id| id.as_str() == text).unwrap_or(DigestId::Configured(text))
    }
}

impl From<&str> for DigestId {
    fn from(text: &str) -> Self {
        DigestId::from(text.to_owned())
    }
}

impl std::fmt::Display for DigestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The scope of a suppression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of our mail.
    All,
    Digest(DigestId),
}

impl Scope {
    pub fn as_str(&self) -> &str {
        match self {
            Scope::All => "",
            Scope::Digest(id) => id.as_str(),
        }
    }
}

/// Maximum length of a subject, in characters, to fit into one line (RFC 5322 section 2.1.1).
pub const SUBJECT_CHARS_MAX: usize = 78;

/// Shortens a text to the subject of a mail.
pub fn subject(text: &str) -> String {
    fitting(&one_line(text), SUBJECT_CHARS_MAX)
}

/// A rendered digest, the same for all its recipients except for placeholders of their links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    pub subject: String,
    pub text: String,
    pub html: String,
    /// Language of the text, BCP 47; empty in issues of earlier versions.
    pub language: String,
    /// Name of its web version, if there is one.
    pub name: Option<String>,
    pub places: LinkPlaces,
    /// The mail by somebody else that it forwards.
    pub forwarded: Option<ForwardedMail>,
    /// Whose stories it shows, each once; written with a new issue, and not read with one.
    pub partners: Vec<String>,
}

/// A mail by somebody else, and the address for replies to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedMail {
    pub reply_to: String,
    /// As received; empty if it is too large to be attached.
    pub message: Vec<u8>,
}

/// Information about a source for the operator: it failed, was repaired, or works again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Notice {
    pub source: String,
    pub text: String,
}

impl Notice {
    /// The notice of a source that works again.
    pub const WORKS_AGAIN: &str = "works again";
}

/// What to do with a delivery that a killed run had handed over without seeing the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUncertain {
    /// Rather sent twice than not at all.
    #[default]
    Resend,
    /// Rather not sent at all than twice.
    Skip,
}

/// The state of a delivery. While claimed by a worker it is `sending`: handed to the server, whose reply has not been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be sent, now or at `next_attempt`.
    Pending,
    Sent,
    /// Permanently refused.
    Failed,
}

impl DeliveryState {
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Pending => "pending",
            DeliveryState::Sent => "sent",
            DeliveryState::Failed => "failed",
        }
    }
}

/// A delivery to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryKey,
    pub digest: DigestId,
    pub recipient: String,
    /// RFC 5322 Message-ID without angle brackets: the same at every attempt, so that duplicates can be detected.
    pub message_id: String,
    pub attempts: u32,
    /// How often it was handed over without an answer.
    pub uncertain: u32,
    /// Shared by all deliveries of the issue.
    pub issue: std::sync::Arc<Issue>,
    /// The Date header: when the issue was created.
    pub created: jiff::Timestamp,
    /// Since when its recipient is in doubt: a server said that the mailbox does not exist, and has accepted no mail of ours since
    /// that would make this credible.
    pub doubted: Option<jiff::Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written() {
        for id in DigestId::OWN.into_iter().chain([DigestId::Configured("weekly".into())]) {
            assert_eq!(DigestId::from(id.as_str()), id);
        }
    }
}
