//! A subscriber: the recipient of a personal digest, with preferences and a record of consent.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::keys::EntryKey;
use super::mail_address::Address;
use super::profile::Profile;
use super::schedule::Schedule;
use crate::support::i18n;
use crate::support::text::{did_you_mean, is_language_tag};

/// Whether mail is sent to a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriberState {
    Active,
    /// Paused by the subscriber or the operator.
    Paused,
    Unsubscribed,
    /// The mailbox does not exist, or refused a series of mails.
    Bounced,
    /// The subscriber reported our mail as spam.
    Complained,
}

impl SubscriberState {
    pub const ALL: [SubscriberState; 5] = [
        SubscriberState::Active,
        SubscriberState::Paused,
        SubscriberState::Unsubscribed,
        SubscriberState::Bounced,
        SubscriberState::Complained,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            SubscriberState::Active => "active",
            SubscriberState::Paused => "paused",
            SubscriberState::Unsubscribed => "unsubscribed",
            SubscriberState::Bounced => "bounced",
            SubscriberState::Complained => "complained",
        }
    }

    /// Parses the name of a state.
    pub fn parse(text: &str) -> Option<SubscriberState> {
        SubscriberState::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// Which stories a subscriber wants. An empty list means all. Lists are sorted, so that equal interests serialise equally.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interests {
    /// BCP 47 primary languages in which a story has to exist.
    #[serde(default)]
    pub languages: Vec<String>,
    /// Topic ids.
    #[serde(default)]
    pub topics: Vec<String>,
    /// Ids of unwanted topics, if all others are wanted.
    #[serde(default)]
    pub without: Vec<String>,
    /// Partners as in `[[source]] partner`.
    #[serde(default)]
    pub partners: Vec<String>,
}

impl Interests {
    /// Normalizes the lists, so that equal interests are equal values.
    pub fn sorted(mut self) -> Interests {
        for list in [&mut self.languages, &mut self.topics, &mut self.without, &mut self.partners] {
            list.sort();
            list.dedup();
        }
        self
    }

    /// For people: languages, topics and partners, each "all" where nothing is chosen.
    pub fn summary(&self) -> String {
        let all_or = |list: &[String]| if list.is_empty() { "all".to_owned() } else { list.join(",") };
        let topics = match &self.without[..] {
            without if self.topics.is_empty() && !without.is_empty() => {
                format!("all but {}", without.join(","))
            }
            _ => all_or(&self.topics),
        };
        [all_or(&self.languages), topics, all_or(&self.partners)].join(" · ")
    }

    /// Whether a topic is one of those wanted.
    pub fn has_topic(&self, id: &str) -> bool {
        let is_in = |list: &[String]| list.iter().any(|topic| topic == id);
        if self.topics.is_empty() { !is_in(&self.without) } else { is_in(&self.topics) }
    }

    /// The interests without a topic; `None` if no topic is left.
    pub fn leave_topic(mut self, id: &str) -> Option<Interests> {
        if self.topics.is_empty() {
            self.without.push(id.to_owned());
            return Some(self.sorted());
        }
        self.topics.retain(|topic| topic != id);
        (!self.topics.is_empty()).then_some(self)
    }
}

/// When a subscriber gets issues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Cadence {
    /// As stories appear, a few at a time.
    Instant,
    Scheduled(Schedule),
}

/// Pause between issues for `Instant`.
const INSTANT_PAUSE: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

impl Cadence {
    /// Parses `instant` or a schedule.
    pub fn parse(text: &str) -> Result<Cadence, String> {
        if text.trim() == "instant" {
            Ok(Cadence::Instant)
        } else {
            Schedule::parse(text).map(Cadence::Scheduled)
        }
    }

    /// Builds a cadence from its name, an hour and a time zone; weekly issues come on Mondays, monthly ones on the first.
    ///
    /// # Errors
    /// The faulty field, and a sentence.
    pub fn of(name: &str, hour: &str, zone: &str) -> Result<Cadence, FieldFault> {
        let hour = if hour.trim().is_empty() { "8" } else { hour.trim() };
        let time = if hour.contains(':') { hour.to_owned() } else { format!("{hour}:00") };
        let zone = if zone.trim().is_empty() { "UTC" } else { zone.trim() };
        let days = match name.trim() {
            "instant" => return Ok(Cadence::Instant),
            "daily" => "daily",
            "weekly" | "" => "Mon",
            "monthly" => "monthly 1",
            other => {
                return Err((
                    "cadence",
                    format!("\"{other}\" is not a cadence: write instant, daily, weekly or monthly"),
                ));
            }
        };
        let parsed = Schedule::parse(&format!("{days} {time} {zone}"));
        parsed
            .map(Cadence::Scheduled)
            .map_err(|error| (if error.contains("time zone") { "timezone" } else { "hour" }, error))
    }

    /// The parts shown in a form: name, hour, zone. Other schedules are shown by the closest name.
    pub fn parts(&self) -> (&'static str, String, String) {
        let Cadence::Scheduled(schedule) = self else { return ("instant", "8".into(), "UTC".into()) };
        let (hour, zone) = schedule.hour_and_zone();
        (schedule.name(), hour.to_string(), zone)
    }

    /// When the next issue after `now` is due. Counted from `now`, so that missed slots are caught up only once, and a clock set
    /// back repeats none.
    pub fn next_after(&self, now: Timestamp) -> Timestamp {
        match self {
            Cadence::Instant => now + INSTANT_PAUSE,
            Cadence::Scheduled(schedule) => schedule.next_slot(now).unwrap_or(Timestamp::MAX),
        }
    }
}

impl TryFrom<String> for Cadence {
    type Error = String;
    fn try_from(text: String) -> Result<Cadence, String> {
        Cadence::parse(&text)
    }
}

impl From<Cadence> for String {
    fn from(cadence: Cadence) -> String {
        cadence.to_string()
    }
}

impl std::fmt::Display for Cadence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cadence::Instant => f.write_str("instant"),
            Cadence::Scheduled(schedule) => schedule.fmt(f),
        }
    }
}

/// The options to choose from: the topics and partners of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubscriptionOptions {
    pub topics: Vec<String>,
    pub partners: Vec<String>,
}

/// A choice as text, from a form, the API, a row of a table or the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Choice {
    pub language: String,
    pub languages: Vec<String>,
    pub topics: Vec<String>,
    pub without: Vec<String>,
    pub partners: Vec<String>,
    /// `instant`, `daily`, `weekly` or `monthly`.
    pub cadence: String,
    /// Time of day, `8` or `08:30`.
    pub hour: String,
    /// `Europe/Paris`.
    pub timezone: String,
    /// A schedule, instead of the three fields above.
    pub schedule: String,
}

/// A fault for each unknown name, with the closest known one.
fn unknown_names(
    field: &'static str,
    chosen: &[String],
    known: &[String],
) -> impl Iterator<Item = FieldFault> {
    chosen.iter().filter(|name| !known.contains(name)).map(move |name| {
        let near = did_you_mean(name, known.iter().map(String::as_str));
        (field, format!("\"{name}\" is unknown{near}"))
    })
}

fn no_language(tag: &str) -> String {
    format!("\"{tag}\" is not a language: write a tag such as {} or pt-BR", i18n::default_language())
}

/// A fault in a choice: the field, and a sentence.
pub type FieldFault = (&'static str, String);

impl SubscriptionOptions {
    /// Parses a choice.
    ///
    /// # Errors
    /// All its faults.
    pub fn preferences(&self, choice: &Choice, language: &str) -> Result<Preferences, Vec<FieldFault>> {
        let mut faults = Vec::new();
        let own = choice.language.trim();
        let language = if own.is_empty() { language } else { own };
        if !is_language_tag(language) {
            faults.push(("language", no_language(language)));
        } else if let Err(fault) = i18n::parse_interface_language(language) {
            faults.push(("language", fault));
        }
        let is_wrong = |tag: &&String| !is_language_tag(tag);
        faults.extend(choice.languages.iter().filter(is_wrong).map(|tag| ("languages", no_language(tag))));
        faults.extend(unknown_names("topics", &choice.topics, &self.topics));
        faults.extend(unknown_names("without", &choice.without, &self.topics));
        faults.extend(unknown_names("partners", &choice.partners, &self.partners));
        let cadence = if choice.schedule.trim().is_empty() {
            Cadence::of(&choice.cadence, &choice.hour, &choice.timezone)
        } else {
            Cadence::parse(&choice.schedule).map_err(|error| ("schedule", error))
        };
        match cadence {
            Ok(cadence) if faults.is_empty() => {
                let interests = Interests {
                    languages: choice.languages.clone(),
                    topics: choice.topics.clone(),
                    without: if choice.topics.is_empty() { choice.without.clone() } else { Vec::new() },
                    partners: choice.partners.clone(),
                };
                Ok(Preferences { language: language.to_owned(), interests: interests.sorted(), cadence })
            }
            cadence => {
                faults.extend(cadence.err());
                Err(faults)
            }
        }
    }
}

/// The preferences of a subscriber.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    /// BCP 47: for the mail itself, and for stories with versions in several languages.
    pub language: String,
    #[serde(rename = "tastes")]
    pub interests: Interests,
    pub cadence: Cadence,
}

/// The record of a subscriber's consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consent {
    pub source: String,
    pub at: Timestamp,
    /// The consent text that was agreed to, as shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Consent {
    /// The sources of consent that the owner of an address gave to us.
    pub const SIGNED_UP: &str = "signed up on the web, confirmed by mail";
    pub const CAME_BACK: &str = "came back by the link of a mail";

    /// Whether the owner of the address gave it to us.
    pub fn is_given_here(&self) -> bool {
        [Consent::SIGNED_UP, Consent::CAME_BACK].contains(&self.source.as_str())
    }
}

/// A subscriber in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    pub address: Address,
    pub state: SubscriberState,
    pub preferences: Preferences,
    pub consent: Consent,
    pub profile: Profile,
    pub created: Timestamp,
    pub last_issue: Option<Timestamp>,
    /// The last entry considered for an issue of this subscriber.
    pub seen: EntryKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interests_are_said_with_what_is_left_out() {
        let all = Interests::default();
        assert_eq!(all.summary(), "all · all · all");
        let left = all.leave_topic("alpha").unwrap();
        assert_eq!(left.summary(), "all · all but alpha · all");
        let chosen = Interests { topics: vec!["b".into(), "c".into()], ..left };
        assert_eq!(chosen.summary(), "all · b,c · all");
    }
}
