//! A digest (a schedule over the channel), an issue of it, and a delivery (one issue to one recipient).

use crate::support::text::{fitting, one_line, primary_language};

use super::channel::Channel;
use super::keys::DeliveryKey;
use super::mail_address::Address;
use super::schedule::Schedule;
use super::token::SigningKey;

/// Past issues of a digest that are listed.
pub const ISSUES_LISTED: usize = 100;

/// `[[digest]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    pub id: DigestId,
    pub title: String,
    /// BCP 47.
    pub language: String,
    pub schedule: Schedule,
    /// Topic ids; empty for all.
    pub topics: Vec<String>,
    /// Stories in one issue; the rest is counted and linked.
    pub entries_max: usize,
    pub recipients: Vec<Address>,
}

/// `[newsletter]` of the configuration: the digests that subscribers choose for themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newsletter {
    /// Language to title; the channel's title where there is none.
    pub titles: std::collections::BTreeMap<String, String>,
    /// Stories in one issue; the rest is counted and linked.
    pub entries_max: usize,
    /// Whether people can sign up by themselves.
    pub is_open: bool,
    /// Whether those who confirm get a mail at once, with the stories of their last issue.
    pub has_welcome: bool,
    /// Who answers for the data that are kept, with a postal address.
    pub controller: Option<String>,
    /// Where questions about them go.
    pub contact: Option<Address>,
}

impl Newsletter {
    /// The title in a language; the channel's where there is none.
    pub fn title<'a>(&'a self, language: &str, channel: &'a Channel) -> &'a str {
        self.titles
            .get(language)
            .or_else(|| self.titles.get(primary_language(language)))
            .map_or(channel.title.as_str(), String::as_str)
    }
}

/// What stands in a rendered issue for links that are each recipient's own. It has a mark that nobody outside can know, so that no
/// text of a source is ever taken for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkPlaces {
    mark: String,
}

impl LinkPlaces {
    /// The places of an issue, by what tells it from all others: a replay gives the same ones.
    pub fn of(key: &SigningKey, issue: &str) -> LinkPlaces {
        LinkPlaces { mark: key.mark(issue) }
    }

    /// By the mark that is stored with an issue; earlier versions had none.
    pub fn with_mark(mark: String) -> LinkPlaces {
        LinkPlaces { mark }
    }

    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// Stands for the address to leave by.
    pub fn unsubscribe(&self) -> String {
        format!("@@UNSUBSCRIBE{}@@", self.mark)
    }

    /// Stands for the address of a subscriber's preferences.
    pub fn preferences(&self) -> String {
        format!("@@PREFERENCES{}@@", self.mark)
    }
}

/// What a mail is an issue of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestId {
    /// `[[digest]]` of the configuration, by its id, which cannot begin with a `_`.
    Configured(String),
    /// The subscribers' own digests.
    Personal,
    /// The operator's own digest.
    Operator,
    /// Confirmation mails: they go to people who are in no list.
    Confirmation,
    /// What somebody gets who has just confirmed.
    Welcome,
    /// Mail by people, passed on to whoever reads `reply_to`.
    Answer,
}

impl DigestId {
    /// Those that no configuration names.
    pub const OWN: [DigestId; 5] =
        [DigestId::Personal, DigestId::Operator, DigestId::Confirmation, DigestId::Welcome, DigestId::Answer];

    pub fn as_str(&self) -> &str {
        match self {
            DigestId::Configured(id) => id,
            DigestId::Personal => "_personal",
            DigestId::Operator => "_operator",
            DigestId::Confirmation => "_confirm",
            DigestId::Welcome => "_welcome",
            DigestId::Answer => "_answer",
        }
    }
}

impl DigestId {
    /// The digest that somebody leaves by a mail of this one.
    pub fn list(&self) -> &DigestId {
        if *self == DigestId::Welcome { &DigestId::Personal } else { self }
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

/// What somebody is not to get any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// No mail of ours at all.
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

/// A subject is one line, and fits into one of a mail (RFC 5322 section 2.1.1), in characters.
pub const SUBJECT_CHARS_MAX: usize = 78;

/// A text as the subject of a mail.
pub fn subject(text: &str) -> String {
    fitting(&one_line(text), SUBJECT_CHARS_MAX)
}

/// One rendered digest, the same for all its recipients but for the places of their own links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    pub subject: String,
    pub text: String,
    pub html: String,
    /// Of its words, BCP 47; empty in issues of before.
    pub language: String,
    /// Of its web version, where there is one.
    pub name: Option<String>,
    pub places: LinkPlaces,
    /// The mail by somebody else that it passes on.
    pub forwarded: Option<ForwardedMail>,
}

/// A mail by somebody else, and where an answer to it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedMail {
    pub reply_to: String,
    /// As it came; empty when it is too large to be attached.
    pub message: Vec<u8>,
}

/// Something that the operator has to know of a source: it broke, it was mended, it works again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Notice {
    pub source: String,
    pub text: String,
}

impl Notice {
    /// What is said of something that is well again.
    pub const WORKS_AGAIN: &str = "works again";
}

/// What to do with a delivery that a killed run had handed over, whose answer it never saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUncertain {
    /// Once too often rather than not at all.
    #[default]
    Resend,
    /// Not at all rather than once too often.
    Skip,
}

/// What became of a delivery. While a worker has it, it is `sending`: handed to the server, whose answer we have not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be sent, now or after `next_attempt`.
    Pending,
    Sent,
    /// Refused for good.
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

/// A delivery to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryKey,
    pub digest: DigestId,
    pub recipient: String,
    /// RFC 5322 Message-ID without angle brackets: the same at every attempt, so that a mailbox can tell a repeat.
    pub message_id: String,
    pub attempts: u32,
    /// Shared by all deliveries of the issue.
    pub issue: std::sync::Arc<Issue>,
    /// The Date header: when the issue was made.
    pub created: jiff::Timestamp,
    /// Since when its recipient is doubted: a server said that there is none, and took nothing from us that would make it believed.
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
