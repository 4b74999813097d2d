//! Settles what was found for a new entry: which story it joins, unless an operator or another entry of that story stands against it.

use hashbrown::HashMap;

use super::compare::{self, Evidence, Titles};
use super::entry_index::EntryIndex;
use super::placement::{Assessment, Placement, Reason};
use crate::model::keys::StoryKey;
use crate::model::sketch::Sketch;
use crate::model::story::Relation;

/// Maximum number of entries of a story checked for contradictions.
const MEMBERS_MAX: usize = 12;
/// Minimum share of text at which two existing stories are merged.
const MERGE_SHARE: f32 = 0.6;
/// Stories in two languages are merged by an entry in a third one that is this close to both.
const SECOND_SHARE: f32 = 0.55;
/// A story that already has a text in this language accepts another one that is not a copy of it only at this similarity.
const SECOND_TEXT_SHARE: f32 = 0.8;

/// Sorts the assessments, and applies objections by operators and by other entries of the stories.
///
/// # Errors
/// When the index fails.
pub(super) fn settle<L: EntryIndex>(
    sketch: &Sketch,
    index: &mut L,
    opinions: Vec<Assessment>,
) -> Result<Placement, L::Error> {
    PlacementSettler { sketch, index, opinions }.settle()
}

/// Whether identifiers or addresses speak for both.
fn is_by_keys(one: &Assessment, other: &Assessment) -> bool {
    one.reason.is_by_key() && other.reason.is_by_key()
}

struct PlacementSettler<'a, L> {
    sketch: &'a Sketch,
    index: &'a mut L,
    opinions: Vec<Assessment>,
}

impl<L: EntryIndex> PlacementSettler<'_, L> {
    fn settle(mut self) -> Result<Placement, L::Error> {
        self.opinions.sort_by(|a, b| {
            let rank = |opinion: &Assessment| {
                (!opinion.is_same, opinion.relation != Relation::Copy, !opinion.reason.is_by_key())
            };
            rank(a).cmp(&rank(b)).then(b.score.total_cmp(&a.score)).then(a.entry.cmp(&b.entry))
        });
        let mut objections: HashMap<StoryKey, Option<Reason>> = HashMap::new();
        for at in 0..self.opinions.len() {
            let opinion = self.opinions[at].clone();
            if !opinion.is_same {
                break;
            }
            if !objections.contains_key(&opinion.story) {
                let objection = self.objection(&opinion)?;
                objections.insert(opinion.story, objection);
            }
            if let Some(Some(reason)) = objections.get(&opinion.story) {
                self.opinions[at] = Assessment { is_same: false, reason: reason.clone(), ..opinion };
            }
        }
        self.opinions.sort_by_key(|opinion| !opinion.is_same);
        let mut also = match self.opinions.first().filter(|opinion| opinion.is_same).cloned() {
            Some(first) => self.merged(&first)?,
            None => Vec::new(),
        };
        also.sort_unstable();
        Ok(Placement { opinions: self.opinions, also })
    }

    /// The other stories that the entry shows to be the same as the one that it joins.
    fn merged(&mut self, first: &Assessment) -> Result<Vec<StoryKey>, L::Error> {
        let others: Vec<Assessment> = self
            .opinions
            .iter()
            .filter(|opinion| opinion.is_same && opinion.story != first.story)
            .cloned()
            .collect();
        let mut also: Vec<StoryKey> = Vec::new();
        for opinion in &others {
            let share = if opinion.relation == Relation::Copy { MERGE_SHARE } else { SECOND_SHARE };
            let is_sure = opinion.reason.is_by_key() || opinion.score >= share;
            if !is_sure || also.contains(&opinion.story) || self.are_parted(first, opinion)? {
                continue;
            }
            if !is_by_keys(first, opinion) {
                let mut are_told_apart = false;
                for story in also.iter().copied().chain([first.story]) {
                    are_told_apart = are_told_apart || self.are_told_apart(story, opinion.story)?;
                }
                if are_told_apart {
                    continue;
                }
            }
            also.push(opinion.story);
        }
        Ok(also)
    }

    /// Whether two stories remain distinct although the new entry matches both: by a ruling, or by the titles of the matched
    /// entries.
    fn are_parted(&mut self, one: &Assessment, other: &Assessment) -> Result<bool, L::Error> {
        if self.index.are_kept_apart(one.story, other.story)? {
            return Ok(true);
        }
        let (Some(a), Some(b)) = (self.index.known(one.entry)?, self.index.known(other.entry)?) else {
            return Ok(true);
        };
        Ok(!is_by_keys(one, other) && compare::titles_part(&a.sketch, &b.sketch))
    }

    /// Whether one source gave a text of each story its own title, in one language: the entries that were matched need not be
    /// those.
    fn are_told_apart(&mut self, one: StoryKey, other: StoryKey) -> Result<bool, L::Error> {
        let (ours, theirs) = (self.sketches(one)?, self.sketches(other)?);
        Ok(ours.iter().any(|a| theirs.iter().any(|b| compare::are_told_apart(a, b))))
    }

    fn sketches(&mut self, story: StoryKey) -> Result<Vec<Sketch>, L::Error> {
        let mut sketches = Vec::new();
        for entry in self.index.members(story)? {
            sketches.extend(self.index.known(entry)?.map(|known| known.sketch));
        }
        Ok(sketches)
    }

    /// The objection to joining a story, by an operator or by another entry of it.
    fn objection(&mut self, opinion: &Assessment) -> Result<Option<Reason>, L::Error> {
        if self.index.is_kept_out(opinion.story)? {
            return Ok(Some(Reason::KeptApart));
        }
        if opinion.reason.is_by_key() && opinion.relation == Relation::Copy {
            return Ok(None);
        }
        let sketch = self.sketch;
        for entry in self
            .index
            .members(opinion.story)?
            .into_iter()
            .take(MEMBERS_MAX)
            .filter(|&entry| entry != opinion.entry)
        {
            let Some(member) = self.index.known(entry)? else { continue };
            let is_same_source = member.sketch.source == sketch.source;
            let is_same_language = member.sketch.language == sketch.language;
            let titles = compare::titles(sketch, &member.sketch);
            if is_same_source && is_same_language && titles == Titles::NumbersDiffer {
                return Ok(Some(Reason::Member(Evidence::TitleNumbers)));
            }
            if is_same_source
                && is_same_language
                && !opinion.reason.is_by_key()
                && !compare::is_update(sketch, &member.sketch)
            {
                if matches!(titles, Titles::Frame | Titles::Apart) {
                    return Ok(Some(Reason::Member(Evidence::OtherTitle)));
                }
                if compare::are_issues(sketch, &member.sketch) {
                    return Ok(Some(Reason::Member(Evidence::Issues)));
                }
            }
            let is_other = is_same_language && matches!(titles, Titles::Frame | Titles::Apart);
            if !is_other {
                continue;
            }
            let share = compare::overlap(sketch, &member.sketch, |_| true).share;
            if opinion.relation == Relation::Translation
                && !opinion.reason.is_by_key()
                && share < MERGE_SHARE
                && opinion.score < SECOND_TEXT_SHARE
            {
                return Ok(Some(Reason::HasLanguage));
            }
        }
        Ok(None)
    }
}
