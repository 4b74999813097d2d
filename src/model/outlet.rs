//! Outlets: where news goes as it happens, besides pages, feeds and mail: webhooks, and services such as chats.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use super::source::Password;
use super::subscriber::Interests;
use crate::support::text::did_you_mean;

/// How the secret of a webhook begins that is written in Base64 (Standard Webhooks).
const SECRET_PREFIX: &str = "whsec_";

/// What an outlet is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    StoryPublished,
    IssuePublished,
    /// Something is wrong with the installation.
    AlarmRaised,
    /// It is well again.
    AlarmEnded,
}

impl EventKind {
    pub const ALL: [EventKind; 4] =
        [EventKind::StoryPublished, EventKind::IssuePublished, EventKind::AlarmRaised, EventKind::AlarmEnded];
    /// What a webhook is told of that names nothing: what is public.
    pub const PUBLIC: [EventKind; 2] = [EventKind::StoryPublished, EventKind::IssuePublished];

    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::StoryPublished => "story.published",
            EventKind::IssuePublished => "issue.published",
            EventKind::AlarmRaised => "alarm.raised",
            EventKind::AlarmEnded => "alarm.ended",
        }
    }

    /// Reads a kind by its name.
    ///
    /// # Errors
    /// In words, when there is none.
    pub fn parse(text: &str) -> Result<EventKind, String> {
        let names = || EventKind::ALL.iter().map(|kind| kind.as_str());
        let found = EventKind::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| {
            let all = names().collect::<Vec<_>>().join(", ");
            format!("there is no event \"{text}\"{}; there are {all}", did_you_mean(text, names()))
        })
    }
}

/// A service that is told of stories, in words of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceKind {
    Matrix,
    Ntfy,
    Slack,
    Discord,
    Telegram,
    Mastodon,
}

impl ServiceKind {
    pub const ALL: [(&'static str, ServiceKind); 6] = [
        ("matrix", ServiceKind::Matrix),
        ("ntfy", ServiceKind::Ntfy),
        ("slack", ServiceKind::Slack),
        ("discord", ServiceKind::Discord),
        ("telegram", ServiceKind::Telegram),
        ("mastodon", ServiceKind::Mastodon),
    ];

    /// Where it is, if it is in one place for everybody.
    pub fn own_url(self) -> Option<&'static str> {
        match self {
            ServiceKind::Ntfy => Some("https://ntfy.sh/"),
            ServiceKind::Telegram => Some("https://api.telegram.org/"),
            _ => None,
        }
    }

    /// What its key `to` names, if it needs one.
    pub fn addressee(self) -> Option<&'static str> {
        match self {
            ServiceKind::Matrix => Some("the id of the room, as \"!abc:example.org\""),
            ServiceKind::Ntfy => Some("the topic"),
            ServiceKind::Telegram => Some("the chat, as \"@name\" or its number"),
            ServiceKind::Slack | ServiceKind::Discord | ServiceKind::Mastodon => None,
        }
    }

    /// Whether it lets nobody in without a token.
    pub fn needs_token(self) -> bool {
        matches!(self, ServiceKind::Matrix | ServiceKind::Telegram | ServiceKind::Mastodon)
    }

    /// The template that makes what is sent to it.
    pub fn template(self) -> &'static str {
        match self {
            ServiceKind::Matrix => "send/matrix.json",
            ServiceKind::Ntfy => "send/ntfy.json",
            ServiceKind::Slack => "send/slack.json",
            ServiceKind::Discord => "send/discord.json",
            ServiceKind::Telegram => "send/telegram.json",
            ServiceKind::Mastodon => "send/mastodon.json",
        }
    }
}

/// What an outlet is, with what it takes to be let in.
#[derive(Debug, Clone)]
pub enum OutletKind {
    Webhook { secret: Password, events: Vec<EventKind> },
    Service { service: ServiceKind, to: String, token: Option<Password> },
}

impl OutletKind {
    /// The table of the configuration that it stands in.
    pub fn key(&self) -> &'static str {
        match self {
            OutletKind::Webhook { .. } => "webhook",
            OutletKind::Service { .. } => "send",
        }
    }
}

/// `[[webhook]]` or `[[send]]` of the configuration.
#[derive(Clone)]
pub struct Outlet {
    pub id: String,
    /// It may let in whoever knows it: never printed.
    pub url: Url,
    pub kind: OutletKind,
    /// Which stories.
    pub interests: Interests,
    /// BCP 47; that of the channel if there is none.
    pub language: Option<String>,
}

impl Outlet {
    /// How it is known in the store, and to its operator.
    pub fn name(&self) -> String {
        format!("{} {}", self.kind.key(), self.id)
    }

    pub fn wants(&self, event: EventKind) -> bool {
        match &self.kind {
            OutletKind::Webhook { events, .. } => events.contains(&event),
            OutletKind::Service { .. } => event == EventKind::StoryPublished,
        }
    }
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outlet({})", self.name())
    }
}

/// The bytes of a webhook's secret: what follows `whsec_` is Base64, and anything else is the secret itself.
///
/// # Errors
/// In words, when it is no Base64.
pub fn secret_bytes(secret: &str) -> Result<Vec<u8>, String> {
    match secret.strip_prefix(SECRET_PREFIX) {
        Some(coded) => STANDARD.decode(coded).map_err(|_| "what follows whsec_ has to be Base64".into()),
        None => Ok(secret.as_bytes().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_as_it_is_written() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Ok(kind));
        }
        assert!(EventKind::parse("story.publish").unwrap_err().contains("\"story.published\"?"));
    }

    #[test]
    fn a_secret_is_base64_only_where_it_says_so() {
        assert_eq!(secret_bytes("whsec_aGVsbG8="), Ok(b"hello".to_vec()));
        assert_eq!(secret_bytes("hello"), Ok(b"hello".to_vec()));
        assert!(secret_bytes("whsec_%").is_err());
    }
}
