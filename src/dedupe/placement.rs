//! What an entry's placement is made of: its relations to known entries, each with its reason in words.

use std::fmt;

use super::compare::Evidence;
use crate::model::keys::{EntryKey, StoryKey};
use crate::model::story::Relation;

/// Why two entries are or are not one story.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    SameAddress(String),
    SameGuid,
    SameDay,
    Hreflang(String),
    Original(String),
    /// The title of one stands in the other, between quotation marks or behind a name.
    Quoted,
    SharedAddress(String),
    Compared(Evidence),
    KeptApart,
    /// Another entry of the story contradicts it.
    Member(Evidence),
    HasLanguage,
}

impl Reason {
    /// Whether identifiers or addresses say so, and not what stands in the entries.
    pub fn is_by_key(&self) -> bool {
        matches!(
            self,
            Reason::SameAddress(_)
                | Reason::SameGuid
                | Reason::SameDay
                | Reason::Hreflang(_)
                | Reason::Original(_)
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::SameAddress(address) => write!(f, "same address {address}"),
            Reason::SameGuid => f.write_str("same guid in the same source"),
            Reason::SameDay => f.write_str("same title and day in the same source"),
            Reason::Hreflang(address) => write!(f, "hreflang {address}"),
            Reason::Original(address) => write!(f, "one says that it comes from {address}"),
            Reason::Quoted => f.write_str("one quotes the title of the other"),
            Reason::SharedAddress(address) => {
                write!(f, "the same address {address}, but another title and another text")
            }
            Reason::Compared(evidence) => evidence.fmt(f),
            Reason::KeptApart => f.write_str("kept apart by hand"),
            Reason::Member(evidence) => {
                write!(f, "another version of that story stands against it: {evidence}")
            }
            Reason::HasLanguage => f.write_str("that story has another text in this language"),
        }
    }
}

/// The relation of the new entry to a known one.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    pub entry: EntryKey,
    pub story: StoryKey,
    pub relation: Relation,
    pub is_same: bool,
    /// From 0 to 1.
    pub score: f32,
    pub reason: Reason,
}

/// All assessments of an entry: those in favour of a common story first, each part by descending strength.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Placement {
    pub opinions: Vec<Assessment>,
    /// Other stories found to be the same as that of the first assessment.
    pub also: Vec<StoryKey>,
}

impl Placement {
    /// The deciding assessment; `None` for an entry that begins a story of its own.
    pub fn decision(&self) -> Option<&Assessment> {
        self.opinions.first().filter(|opinion| opinion.is_same)
    }
}
