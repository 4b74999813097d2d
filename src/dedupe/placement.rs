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

/// From which score on nobody has to look: well above what a copy or a translation needs.
fn sure_from(relation: Relation) -> f32 {
    if relation == Relation::Translation { 0.7 } else { 0.6 }
}

/// From which score on two entries that are not one story are near: two thirds of what a copy or a translation needs.
fn near_from(relation: Relation) -> f32 {
    if relation == Relation::Translation { 0.5 } else { 0.3 }
}

/// All assessments of an entry: those in favour of a common story first, each part by descending strength.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Placement {
    pub opinions: Vec<Assessment>,
    /// Other stories found to be the same as that of the first assessment.
    pub also: Vec<StoryKey>,
}

impl Placement {
    /// The assessment that a person should look at: one that decided and is not sure, or the one that comes nearest to deciding.
    pub fn doubtful(&self) -> Option<&Assessment> {
        let is_by_text =
            |opinion: &&Assessment| matches!(opinion.reason, Reason::Compared(_) | Reason::Member(_));
        match self.decision() {
            Some(decision) => {
                Some(decision).filter(is_by_text).filter(|own| own.score < sure_from(own.relation))
            }
            None => {
                let near = self.opinions.iter().filter(is_by_text);
                near.filter(|other| other.score >= near_from(other.relation))
                    .max_by(|one, other| one.score.total_cmp(&other.score))
            }
        }
    }

    /// The deciding assessment; `None` for an entry that begins a story of its own.
    pub fn decision(&self) -> Option<&Assessment> {
        self.opinions.first().filter(|opinion| opinion.is_same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opinion(entry: i64, relation: Relation, is_same: bool, score: f32) -> Assessment {
        let reason = Reason::Compared(Evidence::OtherText);
        Assessment { entry: EntryKey(entry), story: StoryKey(entry), relation, is_same, score, reason }
    }

    #[test]
    fn a_person_looks_at_what_nearly_decides_and_at_what_decides_just_about() {
        let doubtful = |opinions: &[Assessment]| {
            let placement = Placement { opinions: opinions.to_vec(), also: Vec::new() };
            placement.doubtful().map(|opinion| opinion.entry.0)
        };
        let (copy, translation) = (Relation::Copy, Relation::Translation);
        assert_eq!(doubtful(&[opinion(1, copy, false, 0.2)]), None);
        assert_eq!(doubtful(&[opinion(1, copy, false, 0.3), opinion(2, copy, false, 0.4)]), Some(2));
        assert_eq!(doubtful(&[opinion(1, translation, false, 0.45)]), None);
        assert_eq!(doubtful(&[opinion(1, copy, true, 0.9), opinion(2, copy, false, 0.5)]), None);
        assert_eq!(doubtful(&[opinion(1, copy, true, 0.5)]), Some(1));
        let by_hand = Assessment { reason: Reason::KeptApart, ..opinion(1, copy, false, 0.9) };
        assert_eq!(doubtful(&[by_hand]), None);
    }
}
