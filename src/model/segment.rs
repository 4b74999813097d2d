//! Segments: parts of the list of subscribers, chosen by a query. [`SegmentQuery::parse`] describes its grammar.

mod grammar;

use std::fmt;

use jiff::{SignedDuration, Timestamp};

pub use self::grammar::{DEPTH_MAX, SegmentNames};
use super::subscriber::{Subscriber, SubscriberState};
use crate::support::text::primary_language;

/// `[[segment]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriberSegment {
    pub id: String,
    pub name: String,
    pub query: SegmentQuery,
}

/// Which subscribers are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentQuery {
    All,
    Is(SubscriberTest),
    Not(Box<SegmentQuery>),
    Both(Vec<SegmentQuery>),
    Either(Vec<SegmentQuery>),
}

/// What is asked of one subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriberTest {
    /// The language of their mail (BCP 47): `pt` is `pt-BR` as well.
    Language(String),
    /// They get stories in this language.
    Stories(String),
    /// They get stories on this topic.
    Topic(String),
    /// They get stories of this partner.
    Partner(String),
    /// `instant`, `daily`, `weekly` or `monthly`.
    Cadence(String),
    State(SubscriberState),
    /// What follows the @ of their address.
    Domain(String),
    Tag(String),
    Attribute {
        name: String,
        relation: ValueRelation,
        value: String,
    },
    /// When they were put on the list.
    Subscribed(TimeSide, TimeBound),
    /// When they agreed to get mail.
    Consented(TimeSide, TimeBound),
}

/// How the value of an attribute has to compare: numbers by size, other texts by their letters, whatever their case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueRelation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSide {
    Before,
    After,
}

/// A point in time, fixed or by how long ago it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeBound {
    At(Timestamp),
    /// Days before now.
    DaysAgo(u32),
}

impl TimeBound {
    fn at(self, now: Timestamp) -> Timestamp {
        match self {
            TimeBound::At(at) => at,
            TimeBound::DaysAgo(days) => {
                now.saturating_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MIN)
            }
        }
    }
}

impl TimeSide {
    fn holds(self, time: Timestamp, bound: TimeBound, now: Timestamp) -> bool {
        match self {
            TimeSide::Before => time < bound.at(now),
            TimeSide::After => time >= bound.at(now),
        }
    }
}

impl ValueRelation {
    fn holds(self, known: &str, wanted: &str) -> bool {
        // What is not noted is neither more nor less than anything.
        if known.is_empty() || wanted.is_empty() {
            return self == ValueRelation::Equal && known == wanted;
        }
        let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
        let order = match number(known).zip(number(wanted)) {
            Some((known, wanted)) => known.total_cmp(&wanted),
            None => known.to_lowercase().cmp(&wanted.to_lowercase()),
        };
        match self {
            ValueRelation::Equal => order.is_eq(),
            ValueRelation::Less => order.is_lt(),
            ValueRelation::LessOrEqual => order.is_le(),
            ValueRelation::Greater => order.is_gt(),
            ValueRelation::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl SegmentQuery {
    /// Whether a subscriber is meant.
    pub fn matches(&self, subscriber: &Subscriber, now: Timestamp) -> bool {
        match self {
            SegmentQuery::All => true,
            SegmentQuery::Is(test) => test.holds(subscriber, now),
            SegmentQuery::Not(query) => !query.matches(subscriber, now),
            SegmentQuery::Both(all) => all.iter().all(|query| query.matches(subscriber, now)),
            SegmentQuery::Either(any) => any.iter().any(|query| query.matches(subscriber, now)),
        }
    }

    /// How many tests it has.
    fn size(&self) -> usize {
        match self {
            SegmentQuery::All | SegmentQuery::Is(_) => 1,
            SegmentQuery::Not(query) => query.size(),
            SegmentQuery::Both(parts) | SegmentQuery::Either(parts) => {
                parts.iter().map(SegmentQuery::size).sum()
            }
        }
    }

    /// How deep its parts are nested.
    fn depth(&self) -> usize {
        match self {
            SegmentQuery::All | SegmentQuery::Is(_) => 0,
            SegmentQuery::Not(query) => 1 + query.depth(),
            SegmentQuery::Both(parts) | SegmentQuery::Either(parts) => {
                1 + parts.iter().map(SegmentQuery::depth).max().unwrap_or(0)
            }
        }
    }
}

impl SubscriberTest {
    fn holds(&self, subscriber: &Subscriber, now: Timestamp) -> bool {
        let (preferences, profile) = (&subscriber.preferences, &subscriber.profile);
        let interests = &preferences.interests;
        let is_wanted = |chosen: &[String], wanted: &dyn Fn(&str) -> bool| {
            chosen.is_empty() || chosen.iter().any(|chosen| wanted(chosen))
        };
        match self {
            SubscriberTest::Language(tag) => is_language(&preferences.language, tag),
            SubscriberTest::Stories(tag) => is_wanted(&interests.languages, &|own| is_language(own, tag)),
            SubscriberTest::Topic(id) => interests.has_topic(id),
            SubscriberTest::Partner(name) => is_wanted(&interests.partners, &|own| own == name),
            SubscriberTest::Cadence(name) => preferences.cadence.parts().0 == name,
            SubscriberTest::State(state) => subscriber.state == *state,
            SubscriberTest::Domain(domain) => {
                let own = subscriber.address.as_str().rsplit_once('@').map_or("", |(_, own)| own);
                own.eq_ignore_ascii_case(domain)
            }
            SubscriberTest::Tag(tag) => profile.tags.contains(tag),
            SubscriberTest::Attribute { name, relation, value } => {
                relation.holds(profile.attribute(name), value)
            }
            SubscriberTest::Subscribed(side, bound) => side.holds(subscriber.created, *bound, now),
            SubscriberTest::Consented(side, bound) => side.holds(subscriber.consent.at, *bound, now),
        }
    }
}

/// Whether a language is the one wanted, or a variety of it.
fn is_language(own: &str, wanted: &str) -> bool {
    own.eq_ignore_ascii_case(wanted)
        || primary_language(wanted) == wanted && primary_language(own).eq_ignore_ascii_case(wanted)
}

/// A value in quotes, as the grammar reads it.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// As the grammar reads it.
impl fmt::Display for SegmentQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |f: &mut fmt::Formatter<'_>, part: &SegmentQuery| match part {
            SegmentQuery::Both(_) | SegmentQuery::Either(_) => write!(f, "({part})"),
            _ => part.fmt(f),
        };
        let (parts, word) = match self {
            SegmentQuery::All => return f.write_str("all"),
            SegmentQuery::Is(test) => return test.fmt(f),
            SegmentQuery::Not(query) => {
                f.write_str("not ")?;
                return part(f, query);
            }
            SegmentQuery::Both(parts) => (parts, " and "),
            SegmentQuery::Either(parts) => (parts, " or "),
        };
        for (number, one) in parts.iter().enumerate() {
            if number > 0 {
                f.write_str(word)?;
            }
            part(f, one)?;
        }
        Ok(())
    }
}

impl fmt::Display for SubscriberTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SubscriberTest::Language(value) => write!(f, "language = {}", quoted(value)),
            SubscriberTest::Stories(value) => write!(f, "stories = {}", quoted(value)),
            SubscriberTest::Topic(value) => write!(f, "topic = {}", quoted(value)),
            SubscriberTest::Partner(value) => write!(f, "partner = {}", quoted(value)),
            SubscriberTest::Cadence(value) => write!(f, "cadence = {}", quoted(value)),
            SubscriberTest::State(state) => write!(f, "state = {}", quoted(state.as_str())),
            SubscriberTest::Domain(value) => write!(f, "domain = {}", quoted(value)),
            SubscriberTest::Tag(value) => write!(f, "tag = {}", quoted(value)),
            SubscriberTest::Attribute { name, relation, value } => {
                write!(f, "attribute.{name} {relation} {}", quoted(value))
            }
            SubscriberTest::Subscribed(side, bound) => write!(f, "subscribed {side} {bound}"),
            SubscriberTest::Consented(side, bound) => write!(f, "consented {side} {bound}"),
        }
    }
}

impl fmt::Display for ValueRelation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueRelation::Equal => "=",
            ValueRelation::Less => "<",
            ValueRelation::LessOrEqual => "<=",
            ValueRelation::Greater => ">",
            ValueRelation::GreaterOrEqual => ">=",
        })
    }
}

impl fmt::Display for TimeSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimeSide::Before => "before",
            TimeSide::After => "after",
        })
    }
}

impl fmt::Display for TimeBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeBound::At(at) => write!(f, "{at}"),
            TimeBound::DaysAgo(days) => write!(f, "{days}d"),
        }
    }
}

#[cfg(test)]
mod tests;
