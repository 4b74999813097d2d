//! The placement of an entry: the stages of the decision in order, over any `EntryIndex`.

use hashbrown::HashMap;

use super::compare::{self, Comparison, ConceptSimilarity, Evidence, Titles, TranslationSimilarity};
use super::entry_index::{
    EntryIndex, KnownEntry, POSTINGS_MAX, Posting, Postings, RARE_STORIES_MAX, stories,
};
use super::grams::{Grams, Opening};
use super::original::quoted_titles;
use super::placement::{Assessment, Placement, Reason};
use super::settle::settle;
use super::sketch::title_hash;
use crate::model::key::{Key, KeyKind};
use crate::model::keys::{EntryKey, StoryKey};
use crate::model::sketch::{MarkedHash, NO_DAY, Sketch, title_feature};
use crate::model::story::Relation;

/// The entry to be placed.
#[derive(Debug, Clone, Copy)]
pub struct NewEntry<'a> {
    pub keys: &'a [Key],
    pub sketch: &'a Sketch,
    pub opening: Opening<'a>,
}

/// A shingle found in more than this many stories of one source is boilerplate.
const OF_ONE_SOURCE_MAX: usize = 2;
/// Without what their sources repeat, two texts are compared if each has as many shingles left.
const OWN_SHINGLES_MIN: usize = 4;
/// Of a text that is mostly repeated, less than one in so many shingles is its own.
const MOSTLY_REPEATED: usize = 3;
/// Texts that share less are no copies, whatever is left out of them.
const REPEATED_SHARE_MIN: f32 = 0.2;
/// Maximum number of known entries compared as copies, and as translations.
const COPIES_MAX: usize = 6;
const TRANSLATIONS_MAX: usize = 6;
/// Maximum number of entries of one story that are compared.
const OF_STORY_MAX: usize = 2;
/// Maximum number of languages searched for translations.
const LANGUAGES_MAX: usize = 6;
/// Minimum weight of shared anchors for a candidate.
const VOTES_MIN: f32 = 2.0;
/// A short text, in words, has few anchors to share.
const SHORT_WORDS_MAX: u32 = 60;
const SHORT_VOTES_MIN: f32 = 0.5;
/// Candidates with a lower similarity are dropped.
const NEAR_MIN: f32 = 0.3;
const NEAR_SHORT_MIN: f32 = 0.2;
/// A text of more words is a story of its own, whatever title it quotes; and one that quotes a title later than this.
const QUOTING_WORDS_MAX: u32 = 80;
const QUOTED_DAYS_MAX: i32 = 30;
/// What is remembered of a feature that too many entries have.
const TOO_COMMON: (usize, usize) = (usize::MAX, usize::MAX);
/// Approximate number of features looked up for an entry with two or three languages, so that the map need not grow.
const FEATURES_ASKED: usize = 220;

/// Decides where an entry belongs.
///
/// # Errors
/// When the index fails.
pub fn place<L: EntryIndex>(new: NewEntry, index: &mut L) -> Result<Placement, L::Error> {
    let mut placer = Placer {
        new,
        index,
        opinions: Vec::new(),
        seen: HashMap::with_capacity(FEATURES_ASKED),
        grams: None,
    };
    placer.by_keys()?;
    placer.by_quoted_title()?;
    placer.by_text()?;
    placer.by_language()?;
    let Placer { index, opinions, .. } = placer;
    settle(new.sketch, index, opinions)
}

struct Placer<'a, L> {
    new: NewEntry<'a>,
    index: &'a mut L,
    opinions: Vec<Assessment>,
    /// Features already looked up: the number of stories, and the greatest number of stories of one source.
    seen: HashMap<u32, (usize, usize)>,
    /// Groups of letters of the new entry, once they are asked for.
    grams: Option<Grams>,
}

impl<L: EntryIndex> Placer<'_, L> {
    fn say(&mut self, known: &KnownEntry, relation: Relation, verdict: (bool, f32), reason: Reason) {
        let (is_same, score) = verdict;
        match self.opinions.iter_mut().find(|opinion| opinion.entry == known.entry) {
            Some(opinion) if opinion.is_same || !is_same => {}
            Some(opinion) => *opinion = Assessment { relation, is_same, score, reason, ..opinion.clone() },
            None => self.opinions.push(Assessment {
                entry: known.entry,
                story: known.story,
                relation,
                is_same,
                score,
                reason,
            }),
        }
    }

    /// Compares by identifiers and addresses, the entry's own and those it names.
    fn by_keys(&mut self) -> Result<(), L::Error> {
        for key in self.new.keys {
            let postings = self.index.postings_of_key(&key.value)?;
            for (posting, kind) in &postings {
                let both_own = key.kind == KeyKind::Own && *kind == KeyKind::Own;
                // A page that several stories of one language name as their translation is a front page.
                let rivals = postings
                    .iter()
                    .filter(|(other, _)| other.language == posting.language && other.story != posting.story)
                    .count();
                if !both_own && rivals > 0 {
                    continue;
                }
                let Some(known) = self.index.known(posting.entry)? else { continue };
                // Two texts about a third one, in one language, are not that one.
                let is_beside = key.kind == KeyKind::Alternate && *kind == KeyKind::Alternate;
                if is_beside && known.sketch.language == self.new.sketch.language {
                    continue;
                }
                if let Some((relation, is_same, reason)) =
                    by_key(self.new.sketch, &known.sketch, &key.value, both_own)
                {
                    self.say(&known, relation, (is_same, 1.0), reason);
                }
            }
        }
        Ok(())
    }

    /// Compares with what a short entry quotes by its title: "originally published as “…”".
    fn by_quoted_title(&mut self) -> Result<(), L::Error> {
        let sketch = self.new.sketch;
        if sketch.words > QUOTING_WORDS_MAX {
            return Ok(());
        }
        let Opening { title, text } = self.new.opening;
        let hashes: Vec<u32> = quoted_titles(title, text)
            .into_iter()
            .map(title_hash)
            .filter(|&hash| hash != 0 && hash != sketch.title_hash)
            .collect();
        let features: Vec<u32> = hashes.iter().map(|&hash| title_feature(hash)).collect();
        if features.is_empty() {
            return Ok(());
        }
        for posting in self.index.postings(&features, None)?.into_iter().flat_map(Postings::few) {
            let Some(known) = self.index.known(posting.entry)? else { continue };
            let days = compare::days_between(sketch, &known.sketch);
            let is_quoted = hashes.contains(&known.sketch.title_hash)
                && known.sketch.source != sketch.source
                && days.is_none_or(|days| days <= QUOTED_DAYS_MAX);
            if is_quoted {
                self.say(&known, Relation::Copy, (true, 1.0), Reason::Quoted);
            }
        }
        Ok(())
    }

    /// Compares by shared text.
    fn by_text(&mut self) -> Result<(), L::Error> {
        let sketch = self.new.sketch;
        let mut features: Vec<u32> = sketch.shingles().collect();
        let title = sketch.title_feature();
        features.extend(title);
        let postings = self.ask(&features, None)?;
        let mut votes: HashMap<EntryKey, (f32, Posting)> = HashMap::new();
        for (handle, postings) in features.iter().zip(&postings) {
            let is_title = Some(*handle) == title;
            if !is_title && !self.is_rare(*handle) {
                continue;
            }
            let weight = if is_title { 3.0 } else { 1.0 / postings.len().max(1) as f32 + 0.5 };
            for posting in postings.iter().filter(|posting| posting.is_placed) {
                votes.entry(posting.entry).or_insert((0.0, *posting)).0 += weight;
            }
        }
        let nearest = best(&votes, COPIES_MAX, 1.2);
        self.index.look_ahead(&nearest)?;
        for entry in nearest {
            let Some(known) = self.index.known(entry)? else { continue };
            let unknown: Vec<u32> = if known.sketch.words < sketch.words {
                // Then the phrases of the known entry are the ones that count.
                known.sketch.shingles().filter(|handle| !self.seen.contains_key(handle)).collect()
            } else {
                Vec::new()
            };
            let theirs = self.ask(&unknown, None)?;
            let mut verdict = compare::copy(sketch, &known.sketch, |shingle| self.is_rare(shingle));
            if may_be_repeated(&verdict) {
                let looked_up = features.iter().zip(&postings).chain(unknown.iter().zip(&theirs));
                let repeated = self.repeated(&known, looked_up);
                verdict = self.without_repeated(&known.sketch, verdict, &repeated);
            }
            let differs = sketch.language != known.sketch.language
                && sketch.language != 0
                && known.sketch.language != 0;
            let relation = if differs && verdict.evidence == Evidence::Title {
                Relation::Translation
            } else {
                Relation::Copy
            };
            self.say(&known, relation, (verdict.is_same, verdict.score), Reason::Compared(verdict.evidence));
        }
        Ok(())
    }

    /// The shingles of either entry that stand in another story of its source too, as footers and banners do, among those looked up.
    fn repeated<'p>(
        &self,
        known: &KnownEntry,
        looked_up: impl Iterator<Item = (&'p u32, &'p Vec<Posting>)>,
    ) -> Vec<u32> {
        let sketch = self.new.sketch;
        looked_up
            .filter(|(shingle, postings)| {
                let is_theirs = known.sketch.has_shingle(**shingle);
                let is_elsewhere = |posting: &Posting| {
                    posting.is_placed
                        && posting.story != known.story
                        && (posting.source == sketch.source
                            || is_theirs && posting.source == known.sketch.source)
                };
                is_theirs && self.is_too_common(**shingle) || postings.iter().any(is_elsewhere)
            })
            .map(|(shingle, _)| *shingle)
            .collect()
    }

    /// The verdict on a copy without what the sources repeat.
    fn without_repeated(&self, known: &Sketch, verdict: Comparison, repeated: &[u32]) -> Comparison {
        let sketch = self.new.sketch;
        if repeated.is_empty() {
            return verdict;
        }
        let own = |sketch: &Sketch| sketch.shingles().filter(|shingle| !repeated.contains(shingle)).count();
        if own(sketch).min(own(known)) >= OWN_SHINGLES_MIN {
            let is_own = |shingle| self.is_rare(shingle) && !repeated.contains(&shingle);
            return compare::copy(sketch, known, is_own);
        }
        let short = if sketch.words <= known.words { sketch } else { known };
        let is_all = own(short) * MOSTLY_REPEATED < short.shingles().count();
        let is_other = verdict.is_same
            && is_all
            && sketch.source != known.source
            && compare::titles(sketch, known) != Titles::Equal;
        if is_other {
            Comparison { is_same: false, evidence: Evidence::Repeated, ..verdict }
        } else {
            verdict
        }
    }

    /// Compares with news in other languages.
    fn by_language(&mut self) -> Result<(), L::Error> {
        let sketch = self.new.sketch;
        if sketch.language == 0 || self.opinions.iter().any(|opinion| opinion.is_same) {
            return Ok(());
        }
        let languages = self.index.languages()?.into_iter();
        let languages = languages.filter(|language| *language != 0 && *language != sketch.language);
        let anchors: Vec<Vec<u32>> =
            languages.take(LANGUAGES_MAX).map(|language| sketch.anchors(language).collect()).collect();
        let around = Some(sketch.day).filter(|day| *day != NO_DAY);
        // All languages are looked up at once.
        let mut postings = self.ask(&anchors.concat(), around)?.into_iter();
        let of_language = |anchors: &Vec<u32>| {
            let postings: Vec<Vec<Posting>> = postings.by_ref().take(anchors.len()).collect();
            self.nearest(anchors, &postings)
        };
        let nearest: Vec<Vec<EntryKey>> = anchors.iter().map(of_language).collect();
        self.index.look_ahead(&nearest.concat())?;
        nearest.iter().try_for_each(|entries| self.in_language(entries))
    }

    /// The entries of a language that share the most anchors, given with their postings.
    fn nearest(&self, anchors: &[u32], postings: &[Vec<Posting>]) -> Vec<EntryKey> {
        let sketch = self.new.sketch;
        let weights = sketch.concepts().map(kind_weight).chain(std::iter::repeat(compare::LINK_WEIGHT));
        let mut votes: HashMap<EntryKey, (f32, Posting)> = HashMap::new();
        for ((anchor, postings), weight) in anchors.iter().zip(postings).zip(weights) {
            let weight = weight * rarity(self.seen.get(anchor).map_or(0, |seen| seen.0));
            for posting in postings.iter().filter(|posting| posting.is_placed) {
                votes.entry(posting.entry).or_insert((0.0, *posting)).0 += weight;
            }
        }
        let votes_min = if sketch.words < SHORT_WORDS_MAX { SHORT_VOTES_MIN } else { VOTES_MIN };
        best(&votes, TRANSLATIONS_MAX, votes_min)
    }

    /// Compares with the nearest entries in another language.
    fn in_language(&mut self, nearest: &[EntryKey]) -> Result<(), L::Error> {
        let sketch = self.new.sketch;
        let mut candidates: Vec<(KnownEntry, ConceptSimilarity)> = Vec::new();
        for entry in nearest {
            let Some(known) = self.index.known(*entry)? else { continue };
            let nearness = compare::nearness(sketch, &known.sketch);
            candidates.push((known, nearness));
        }
        let near_min = |known: &KnownEntry| {
            let words = sketch.words.min(known.sketch.words);
            if words < SHORT_WORDS_MAX { NEAR_SHORT_MIN } else { NEAR_MIN }
        };
        if candidates.iter().any(|(known, nearness)| nearness.score >= near_min(known)) {
            self.compare_translations(&candidates)?;
        }
        Ok(())
    }

    /// Compares with the nearest entries in another language by their words, and by their letters, which hold for words that are
    /// not known.
    fn compare_translations(
        &mut self,
        candidates: &[(KnownEntry, ConceptSimilarity)],
    ) -> Result<(), L::Error> {
        if self.grams.is_none() {
            let grams = Grams::of(self.new.opening);
            self.index.count_grams(&grams)?;
            self.grams = Some(grams);
        }
        let Some(grams) = &self.grams else { return Ok(()) };
        let entries: Vec<EntryKey> = candidates.iter().map(|(known, _)| known.entry).collect();
        let letters = self.index.likeness(grams, &entries)?;
        let likeness: Vec<TranslationSimilarity> = candidates
            .iter()
            .zip(letters)
            .map(|((known, nearness), letters)| {
                let days = compare::days_between(self.new.sketch, &known.sketch);
                TranslationSimilarity {
                    words: *nearness,
                    letters,
                    is_same_day: days.is_some_and(|days| days <= 1),
                }
            })
            .collect();
        for ((known, _), own) in candidates.iter().zip(&likeness) {
            // The closest other story, whether close enough or not: if two are equally close, neither is a translation.
            let others =
                candidates.iter().zip(&likeness).filter(|((other, _), _)| other.story != known.story);
            let rival = TranslationSimilarity::greatest(others.map(|(_, likeness)| likeness));
            let mut verdict = compare::translation(self.new.sketch, &known.sketch, own, rival);
            if verdict.is_same && self.is_of_what_is_repeated(&known.sketch)? {
                verdict = Comparison { is_same: false, evidence: Evidence::Repeated, ..verdict };
            }
            let reason = Reason::Compared(verdict.evidence);
            self.say(known, Relation::Translation, (verdict.is_same, verdict.score), reason);
        }
        Ok(())
    }

    /// Whether a translation would rest on what a source puts under all its entries: most of a text is, and of the shared concepts
    /// hardly one is of a single story of the known entry's source.
    fn is_of_what_is_repeated(&mut self, known: &Sketch) -> Result<bool, L::Error> {
        let theirs: Vec<u32> = known.concepts().map(MarkedHash::word).collect();
        let is_distinct = |concept: &MarkedHash| {
            let seen = self.seen.get(&concept.anchor(known.language));
            theirs.contains(&concept.word()) && seen.is_some_and(|(_, of_one_source)| *of_one_source < 2)
        };
        let distinct: f32 = self.new.sketch.concepts().filter(is_distinct).map(kind_weight).sum();
        let sketch = self.new.sketch;
        Ok(distinct < compare::TRANSLATION_WEIGHT_MIN
            && (self.is_repeated_mostly(sketch, 1)? || self.is_repeated_mostly(known, 2)?))
    }

    /// Whether most of a text stands in at least so many stories of one source.
    fn is_repeated_mostly(&mut self, sketch: &Sketch, stories_min: usize) -> Result<bool, L::Error> {
        let unknown: Vec<u32> =
            sketch.shingles().filter(|shingle| !self.seen.contains_key(shingle)).collect();
        self.ask(&unknown, None)?;
        let is_own = |shingle: &u32| {
            self.seen.get(shingle).is_none_or(|(_, of_one_source)| *of_one_source < stories_min)
        };
        let (own, all) = (sketch.shingles().filter(is_own).count(), sketch.shingles().count());
        Ok(all >= OWN_SHINGLES_MIN && own * MOSTLY_REPEATED < all)
    }

    /// Looks up the entries of features, and remembers their frequency.
    fn ask(&mut self, features: &[u32], around: Option<i32>) -> Result<Vec<Vec<Posting>>, L::Error> {
        let mut found = Vec::with_capacity(features.len());
        for (one, postings) in features.iter().zip(self.index.postings(features, around)?) {
            let (count, postings) = match postings {
                Postings::Many => (TOO_COMMON, Vec::new()),
                Postings::Few(postings) if postings.len() < 2 => ((postings.len(), postings.len()), postings),
                Postings::Few(postings) => (count(&postings), postings),
            };
            self.seen.insert(*one, count);
            found.push(postings);
        }
        Ok(found)
    }

    /// Whether more entries have a feature than the index names.
    fn is_too_common(&self, feature: u32) -> bool {
        self.seen.get(&feature) == Some(&TOO_COMMON)
    }

    fn is_rare(&self, shingle: u32) -> bool {
        self.seen.get(&shingle).is_none_or(|&(stories, of_one_source)| {
            stories <= RARE_STORIES_MAX && of_one_source <= OF_ONE_SOURCE_MAX
        })
    }
}

/// Whether what sources repeat can have decided on a copy.
fn may_be_repeated(verdict: &Comparison) -> bool {
    match verdict.evidence {
        Evidence::Text { .. } => true,
        Evidence::FewPhrases { .. } => verdict.score >= REPEATED_SHARE_MIN,
        _ => false,
    }
}

/// What a shared key means: nothing, a relation, or that the entries differ although they share it.
fn by_key(new: &Sketch, known: &Sketch, key: &str, both_own: bool) -> Option<(Relation, bool, Reason)> {
    let differs = new.language != 0 && known.language != 0 && new.language != known.language;
    let is_same_source = new.source == known.source;
    let titles = compare::titles(new, known);
    if !both_own {
        // Two entries of one source in one language are not translations, whatever their pages claim.
        let is_link =
            differs || (!is_same_source && !matches!(titles, Titles::NumbersDiffer | Titles::Frame));
        return is_link.then(|| {
            (
                if differs { Relation::Translation } else { Relation::Copy },
                true,
                if differs { Reason::Hreflang(key.to_owned()) } else { Reason::Original(key.to_owned()) },
            )
        });
    }
    if differs && titles != Titles::Equal && !is_same_source {
        return Some((Relation::Translation, true, Reason::SameAddress(key.to_owned())));
    }
    // What a source itself tells apart by identifier, number or words is not one story for its address alone.
    let is_told_apart =
        is_same_source && matches!(titles, Titles::NumbersDiffer | Titles::Frame | Titles::Apart);
    let is_address = !key.starts_with("title:") && !key.starts_with("guid:");
    let is_contradicted = match titles {
        _ if is_same_source && compare::is_update(new, known) => false,
        _ if is_told_apart && is_address => true,
        // One title recurs at one address: "Council meeting".
        Titles::Equal if is_same_source && compare::days_between(new, known).is_some_and(|days| days > 0) => {
            compare::are_far_apart(new, known)
                || compare::are_issues(new, known)
                || compare::are_other_notes(new, known)
        }
        // A page with short notes has one address for all.
        Titles::Missing if is_same_source && is_address => !compare::share_subjects(new, known),
        Titles::Equal | Titles::Missing => {
            key.starts_with("title:")
                && (compare::are_two_texts(new, known) || is_same_source && compare::are_issues(new, known))
        }
        Titles::Within => false,
        _ if compare::have_texts(new, known) => compare::are_far_apart(new, known),
        Titles::NumbersDiffer | Titles::Frame => is_same_source,
        Titles::Apart => is_same_source,
    };
    let reason = match key.split(':').next() {
        Some("title") => Reason::SameDay,
        Some("guid") => Reason::SameGuid,
        _ => Reason::SameAddress(key.to_owned()),
    };
    if is_contradicted {
        return Some((Relation::Copy, false, Reason::SharedAddress(key.to_owned())));
    }
    Some((Relation::Copy, true, reason))
}

/// The number of stories, and the greatest number of stories of one source.
fn count(postings: &[Posting]) -> (usize, usize) {
    // The index never returns more. On the stack, since this runs for each feature of each entry.
    let mut pairs = [(0, StoryKey::default()); POSTINGS_MAX + 1];
    let count = postings.len().min(pairs.len());
    for (pair, posting) in pairs.iter_mut().zip(postings) {
        *pair = (posting.source, posting.story);
    }
    let pairs = &mut pairs[..count];
    pairs.sort_unstable();
    let of_source =
        |pairs: &[(u32, StoryKey)]| 1 + pairs.windows(2).filter(|pair| pair[0] != pair[1]).count();
    (stories(postings), pairs.chunk_by(|a, b| a.0 == b.0).map(of_source).max().unwrap_or(0))
}

/// The entries with the most votes, few of each story.
fn best(votes: &HashMap<EntryKey, (f32, Posting)>, count_max: usize, votes_min: f32) -> Vec<EntryKey> {
    let mut votes: Vec<(f32, Posting)> =
        votes.values().copied().filter(|(votes, _)| *votes >= votes_min).collect();
    votes.sort_by(|(a, one), (b, other)| b.total_cmp(a).then(one.entry.cmp(&other.entry)));
    let mut of_story: HashMap<StoryKey, usize> = HashMap::new();
    let is_wanted = |(_, posting): &(f32, Posting)| {
        let count = of_story.entry(posting.story).or_insert(0);
        *count += 1;
        *count <= OF_STORY_MAX
    };
    votes.into_iter().filter(is_wanted).take(count_max).map(|(_, posting)| posting.entry).collect()
}

/// The weight of a concept found in this many known stories, at most 1.
fn rarity(stories: usize) -> f32 {
    1.0 / (1.0 + stories.min(POSTINGS_MAX) as f32 * 0.25)
}

fn kind_weight(concept: MarkedHash) -> f32 {
    compare::CONCEPT_WEIGHTS[concept.kind() as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dedupe::keys::{EntryNames, keys};
    use crate::dedupe::memory::InMemoryIndex;
    use crate::dedupe::sketch::{SketchInput, sketch};
    use crate::model::entry::Alternate;

    #[derive(Clone, Copy, Default)]
    struct Item<'a> {
        source: &'a str,
        url: &'a str,
        title: &'a str,
        text: &'a str,
        language: &'a str,
        french: Option<&'a str>,
        day: i32,
    }

    /// The stories of successive entries, and the relation of each entry to earlier ones.
    fn placed(items: &[Item]) -> Vec<(usize, Relation)> {
        let mut memory = InMemoryIndex::default();
        let keys_of = |item: &Item| {
            let alternates: Vec<Alternate> = item
                .french
                .iter()
                .map(|url| Alternate { language: "fr".into(), url: (*url).into() })
                .collect();
            let date = jiff::Timestamp::from_second(i64::from(item.day) * 86_400).ok();
            keys(&EntryNames {
                source: item.source,
                url: Some(item.url),
                title: item.title,
                summary: item.text,
                alternates: &alternates,
                date,
                ..EntryNames::default()
            })
        };
        let mut relations = Vec::new();
        for (number, item) in items.iter().enumerate() {
            let opening = Opening { title: item.title, text: item.text };
            let parts = SketchInput {
                source: item.source,
                title: item.title,
                text: item.text,
                language: Some(item.language),
                day: Some(item.day),
                links: &[],
            };
            let (keys, sketch) = (keys_of(item), sketch(&parts));
            memory.add(&sketch, &keys);
            memory.begin(number);
            let Ok(placing) = place(NewEntry { keys: &keys, sketch: &sketch, opening }, &mut memory);
            relations.push(placing.decision().map_or(Relation::First, |decision| decision.relation));
            for story in
                placing.decision().iter().map(|decision| decision.story).chain(placing.also.iter().copied())
            {
                memory.join(story.0 as usize, number);
            }
            memory.end(number, &sketch, opening);
        }
        relations.into_iter().enumerate().map(|(number, relation)| (memory.story(number), relation)).collect()
    }

    const A: Item = Item {
        source: "a",
        url: "https://x.org/story/",
        title: "Open justice advances",
        text: "",
        language: "en",
        french: None,
        day: 0,
    };
    const TEXT: &str = "The city council of Rome adopted on Thursday a participatory budget of three million euros for the schools of the outer \
                        districts, after six months of public debate in which more than twelve thousand residents took part, the mayor told reporters.";

    #[test]
    fn one_address_in_two_sources_is_one_story() {
        let other = Item {
            source: "b",
            url: "http://www.x.org/story?utm_source=rss#top",
            title: "Open justice advances (via X)",
            ..A
        };
        assert_eq!(placed(&[A, other])[1], (0, Relation::Copy));
    }

    #[test]
    fn hreflang_links_translations_both_ways() {
        let fr = Item {
            url: "https://x.org/fr/histoire",
            title: "La justice ouverte progresse",
            language: "fr",
            ..A
        };
        let en = Item { source: "b", french: Some(fr.url), ..A };
        assert_eq!(placed(&[en, fr])[1], (0, Relation::Translation));
        assert_eq!(placed(&[fr, en])[1], (0, Relation::Translation));
    }

    #[test]
    fn a_series_never_collapses() {
        let issue = |url, title, day| Item { url, title, language: "es", day, ..A };
        let series = [
            issue("https://x.org/boletin-41", "Boletín número 41", 0),
            issue("https://x.org/boletin-42", "Boletín número 42", 7),
        ];
        assert_eq!(placed(&series)[1].0, 1);
        // Nor when hreflang on every page points at the same front page.
        let front = series.map(|item| Item { french: Some("https://x.org/fr/bulletin"), ..item });
        assert_eq!(placed(&front)[1].0, 1);
        // Nor when all of the text is the same except the subject of the issue.
        let months = ["March", "April", "May"].map(|month| format!("Local Roundup | {month}"));
        let roundup: Vec<Item> = months
            .iter()
            .zip(["https://x.org/1", "https://x.org/2", "https://x.org/3"])
            .map(|(title, url)| Item { url, title, text: TEXT, ..A })
            .collect();
        assert_eq!(placed(&roundup).iter().map(|(story, _)| *story).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn an_update_by_its_title_is_the_story_for_a_month_whatever_its_figures() {
        let first = Item { title: "Flood in Valencia closes the ring road", text: TEXT, ..A };
        let changed = TEXT.replace("twelve thousand", "15,000");
        for (title, day, story) in [
            ("[Updated] Flood in Valencia closes the ring road", 29, 0),
            ("Flood in Valencia closes the ring road (mise à jour)", 3, 0),
            ("[Updated] Flood in Valencia closes the ring road", 31, 1),
            ("[Again] Flood in Valencia closes the ring road", 29, 1),
        ] {
            let update = Item { url: "https://x.org/2", title, text: &changed, day, ..first };
            assert_eq!(placed(&[first, update])[1].0, story, "{title} after {day} days");
        }
    }

    #[test]
    fn two_texts_of_one_source_and_language_are_no_story_through_a_third() {
        let fr = |url, title| Item { url, title, language: "fr", ..A };
        let school = fr("https://x.org/fr/1", "Rome consulte ses écoles");
        let lake = fr("https://x.org/fr/2", "Un lac retrouve son eau");
        let report = Item {
            source: "b",
            url: "https://y.org/1",
            title: "Rome asks its schools",
            text: TEXT,
            french: Some(school.url),
            ..A
        };
        // The same text again, with the address of the other one: the two French ones are told apart by their titles.
        let copy = Item { source: "c", url: "https://z.org/1", french: Some(lake.url), ..report };
        let stories: Vec<usize> =
            placed(&[school, report, lake, copy]).iter().map(|(story, _)| *story).collect();
        assert_eq!(stories, [0, 0, 2, 0]);
    }

    #[test]
    fn an_update_needs_no_text_that_it_shares() {
        let first = Item { title: "Flood in Valencia closes the ring road", ..A };
        let told = Item { text: TEXT, ..first };
        let other = "Wholly other words: engineers found that a dam upstream had opened its gates at night without a warning.";
        for title in [
            "[Updated] Flood in Valencia closes the ring road",
            "MISES À JOUR: Flood in Valencia closes the ring road",
        ] {
            let update = Item { url: "https://x.org/2", title, day: 5, ..first };
            assert_eq!(placed(&[first, update])[1].0, 0, "{title}, titles alone");
            let update = Item { text: other, ..update };
            assert_eq!(placed(&[told, update])[1].0, 0, "{title}, another text");
            let again = Item {
                url: "https://x.org/3",
                title: "Correction: Flood in Valencia closes the ring road",
                text: TEXT,
                day: 7,
                ..first
            };
            assert_eq!(placed(&[told, update, again])[2].0, 0, "{title}, and once more");
        }
    }

    #[test]
    fn a_generic_title_with_a_figure_is_no_translation() {
        let item = |source, url, title, language| Item { source, url, title, language, ..A };
        for (one, language, other, story) in [
            ("Activity report 2024", "fr", "Rapport d’activité 2024", 1),
            ("Session 4", "es", "Sesión 4", 1),
            ("Bulletin 31", "it", "Bollettino 31", 1),
            ("Activity report 2024 of Zalando", "fr", "Rapport d’activité 2024 de Zalando", 0),
            ("Mayors elect a new president", "fr", "Les maires élisent un nouveau président", 0),
        ] {
            let items =
                [item("a", "https://x.org/1", one, "en"), item("b", "https://y.org/1", other, language)];
            assert_eq!(placed(&items)[1].0, story, "{one}, {other}");
        }
    }

    #[test]
    fn one_event_in_two_towns_is_two_stories() {
        let text = |town: &str| {
            format!(
                "Meet the people behind the free map in {town} for a day of talks and workshops. Editors and developers will show \
                 how public maps are drawn in the city and what is missing. Registration is free, and lunch is provided for all."
            )
        };
        let (here, there) = (text("Turin"), text("Bergamo"));
        let item = |source, url, title, text| Item { source, url, title, text, ..A };
        let turin = item("a", "https://x.org/1", "Free Map Day in Turin", &here);
        assert_eq!(placed(&[turin, item("b", "https://y.org/1", "Free Map Day in Bergamo", &there)])[1].0, 1);
        assert_eq!(placed(&[turin, item("b", "https://y.org/1", "Free Map Day in Piedmont", &here)])[1].0, 0);
    }

    #[test]
    fn one_title_weeks_later_with_another_figure_is_another_issue() {
        let text = |number: &str| {
            format!(
                "The project is pleased to announce the {number} update of its stable distribution. It mainly adds corrections for \
                 security problems, along with a few adjustments to serious problems. Those who install updates from the mirror \
                 often will not have to update many packages, and most updates are included in this one."
            )
        };
        let (first, third) = (text("first"), text("third"));
        let item = |source, text, day| Item {
            source,
            url: source,
            title: "Our stable distribution was updated",
            text,
            day,
            ..A
        };
        let stories: Vec<usize> = placed(&[
            item("a", &first, 0),
            item("b", &first, 1),
            item("a", &third, 90),
            item("c", &third, 91),
        ])
        .iter()
        .map(|(story, _)| *story)
        .collect();
        assert_eq!(stories, [0, 0, 2, 2]);
        assert_eq!(placed(&[item("a", &first, 0), item("b", &first, 20)])[1].0, 0, "a late copy");
    }

    #[test]
    fn a_short_entry_that_quotes_a_title_is_of_that_story() {
        let original = Item { title: "Beekeepers count 312 hives on the roofs of Graz", text: TEXT, ..A };
        let item = |title, text| Item { source: "b", url: "https://y.org/1", title, text, day: 3, ..A };
        let quoting = "Our neighbours looked up. Originally published as \"Beekeepers count 312 hives on the roofs of Graz\" by X.";
        for other in [
            item(
                "Reading of the week: “Beekeepers count 312 hives on the roofs of Graz”",
                "Our neighbours looked up.",
            ),
            item("X: Beekeepers count 312 hives on the roofs of Graz", ""),
            item("A city that hums", quoting),
        ] {
            assert_eq!(placed(&[original, other])[1], (0, Relation::Copy), "{}", other.title);
            assert_eq!(placed(&[original, Item { day: 60, ..other }])[1].0, 1, "much later: {}", other.title);
        }
        let long = format!("{quoting} {}", TEXT.replace("Rome", "Graz").repeat(3));
        assert_eq!(
            placed(&[Item { text: "", ..original }, item("A city that hums", &long)])[1].0,
            1,
            "a text of its own"
        );
    }

    #[test]
    fn releases_that_differ_in_a_stage_or_a_season_are_no_story() {
        let text = "The Tabula project is pleased to announce an update of its reader. It mainly adds corrections for Fedora and openSUSE, \
                    along with a few adjustments of the index. Packages: poppler, harfbuzz, cairo.";
        let french = "Le projet Tabula a le plaisir d’annoncer une mise à jour de son lecteur. Elle ajoute surtout des corrections pour \
                      Fedora et openSUSE, avec quelques ajustements de l’index. Paquets : poppler, harfbuzz, cairo.";
        for (one, other) in [
            ("rc1", "rc2"),
            ("r6", "r7"),
            ("v6", "v7"),
            ("SP1", "SP2"),
            ("alpha3", "alpha4"),
            ("Part I", "Part II"),
            ("spring", "autumn"),
        ] {
            let title = |number: &str| format!("Tabula reader update {number}");
            let (first, second) = (title(one), title(other));
            let item = |source, url, title, text, language| Item { source, url, title, text, language, ..A };
            let a = item("a", "https://x.org/1", &first, text, "en");
            let b = item("b", "https://y.org/1", &second, text, "en");
            assert_eq!(placed(&[a, b])[1].0, 1, "{first}, {second}");
            let [same, next] = [one, other]
                .map(|number| format!("Mise à jour du lecteur Tabula {}", number.replace("Part", "partie")));
            let fr = |title| item("c", "https://z.org/fr", title, french, "fr");
            assert_eq!(placed(&[a, fr(&next)])[1].0, 1, "{first}, {next}");
            assert_eq!(placed(&[a, fr(&same)])[1].0, 0, "{first}, {same}");
        }
    }

    #[test]
    fn what_two_sources_repeat_makes_no_copy_of_short_texts() {
        let banner = "This site uses cookies to measure its audience and to remember your choices, and shares them with nobody; \
                      subscribe to our newsletter to get the news of the region every Monday morning in your mailbox for free.";
        let texts = [
            "The library of Graz opens on Sundays from May on.",
            "The tram of Linz stops for repairs until the autumn.",
            "The mayor of Wels invites young people to a debate.",
        ]
        .map(|text| format!("{text} {banner}"));
        let item = |source, url, title, text| Item { source, url, title, text, ..A };
        let items = [
            item("a", "https://x.org/1", "Sundays at the library", &texts[0]),
            item("a", "https://x.org/2", "Young people meet the mayor", &texts[1]),
            item("b", "https://y.org/1", "No tram in Linz for months", &texts[2]),
        ];
        assert_eq!(placed(&items)[2].0, 2);
    }

    #[test]
    fn what_sources_repeat_counts_from_their_second_entry_on() {
        let banner = "This site uses cookies to measure its audience and to remember your choices. Subscribe to our newsletter to get the \
                      news of Styria every Monday. Share this on Facebook, Telegram and WhatsApp. Our office: Herrengasse 12, Graz.";
        let banner_fr = "Ce site utilise des cookies pour mesurer son audience et retenir vos choix. Abonnez-vous à notre lettre pour \
                         recevoir les nouvelles de la Styrie chaque lundi. Partagez ceci sur Facebook, Telegram et WhatsApp. Notre bureau : \
                         Herrengasse 12, Graz.";
        let with = |text: &str, banner: &str| format!("{text} {banner}");
        let texts = [
            with("The library opens on Sundays from May on.", banner),
            with("The tram stops for repairs until the autumn.", banner),
            with("Le maire invite les jeunes à un débat.", banner_fr),
            with("Un incendie détruit une grange à la campagne.", banner_fr),
            with(TEXT, banner),
            with(
                TEXT,
                "Más noticias en nuestro boletín semanal, que llega cada lunes por correo a miles de lectores de toda la región.",
            ),
            with(
                "El museo abre de noche.",
                "Más noticias en nuestro boletín semanal, que llega cada lunes por correo a miles de lectores de toda la región.",
            ),
        ];
        let item = |source, url, title, text, language| Item { source, url, title, text, language, ..A };
        let items = [
            item("a", "https://x.org/1", "Sundays at the library", &texts[0], "en"),
            item("a", "https://x.org/2", "No tram for months", &texts[1], "en"),
            item("f", "https://f.org/1", "Les jeunes débattent", &texts[2], "fr"),
            item("f", "https://f.org/2", "Une grange brûle", &texts[3], "fr"),
        ];
        let stories = |items: &[Item]| placed(items).iter().map(|(story, _)| *story).collect::<Vec<_>>();
        assert_eq!(stories(&items), [0, 1, 2, 3], "banners in two languages");
        let items = [
            items[0],
            item("a", "https://x.org/3", "Rome gives schools a budget", &texts[4], "en"),
            item("b", "https://y.org/1", "The museum at night", &texts[6], "en"),
            item("b", "https://y.org/2", "Residents decide on millions", &texts[5], "en"),
        ];
        assert_eq!(stories(&items), [0, 1, 2, 1], "a copy with another banner");
        let only = items.map(|item| Item { text: banner, ..item });
        assert_eq!(stories(&only[..3]), [0, 1, 2], "nothing but a banner");
    }

    #[test]
    fn a_copy_with_one_word_in_ten_changed_is_found_under_another_title() {
        let words =
            |from: u32| (from..from + 240).map(|word| format!("w{:x}", word.wrapping_mul(0x9E37_79B1) >> 8));
        let changed = |every: usize| -> String {
            let mixed = words(0).zip(words(9_000)).enumerate();
            mixed.map(|(at, (own, other))| if at % every == 3 { other } else { own } + " ").collect()
        };
        let (text, edited, other) = (changed(1_000), changed(10), changed(4));
        let item = |source, url, title, text| Item { source, url, title, text, ..A };
        let original = item("a", "https://x.org/1", "Rome lets residents decide", &text);
        let copy = |text| item("b", "https://y.org/1", "Millions for the schools of a capital", text);
        assert_eq!(placed(&[original, copy(&edited)])[1], (0, Relation::Copy));
        assert_eq!(placed(&[original, copy(&other)])[1].0, 1, "one word in four");
    }

    #[test]
    fn a_source_that_changes_all_its_addresses_is_recognised() {
        let moved = Item { url: "https://x.org/2022/open-justice", ..A };
        assert_eq!(placed(&[A, moved])[1], (0, Relation::Copy));
        assert_eq!(
            placed(&[A, Item { source: "b", url: "https://y.org/open-justice", ..A }])[1].0,
            1,
            "three words say too little elsewhere"
        );
    }

    #[test]
    fn two_items_of_one_source_may_share_an_address() {
        let live = |title| Item { url: "https://x.org/live", title, ..A };
        assert_eq!(placed(&[live("Live: morning session"), live("Live: afternoon session")])[1].0, 1);
    }

    #[test]
    fn notes_without_a_title_are_one_story_by_their_words_not_by_their_address() {
        let note = |text| Item { url: "https://x.org/notes", title: "", text, ..A };
        let notes = [
            note("The swimming pool looks for three lifeguards."),
            note("The market opens on Saturday at the station."),
            note("The swimming pool now looks for three lifeguards."),
        ];
        assert_eq!(placed(&notes).iter().map(|(story, _)| *story).collect::<Vec<_>>(), [0, 1, 0]);
    }

    #[test]
    fn a_teaser_and_a_retitled_copy_are_one_story_with_their_text() {
        let full = Item { text: TEXT, ..A };
        let teaser = Item {
            source: "b",
            url: "https://y.org/1",
            title: "Rome lets residents decide",
            text: &TEXT[..130],
            day: 1,
            ..A
        };
        let other = Item {
            source: "c",
            url: "https://z.org/1",
            title: "Schools to get three million",
            text: "The city council of Milan rejected a plan for new bicycle lanes along the ring road on Thursday.",
            ..A
        };
        assert_eq!(
            placed(&[full, teaser, other]).iter().map(|(story, _)| *story).collect::<Vec<_>>(),
            [0, 0, 2]
        );
        assert_eq!(placed(&[teaser, full])[1], (0, Relation::Copy), "whichever comes first");
    }

    #[test]
    fn a_translation_is_linked_without_hreflang() {
        let en = Item { title: "Rome adopts participatory budget for schools", text: TEXT, ..A };
        let fr = Item {
            source: "b",
            url: "https://y.org/fr",
            title: "Rome adopte un budget participatif pour les écoles",
            text: "Le conseil municipal de Rome a adopté jeudi un budget participatif de trois millions d’euros pour les écoles des quartiers périphériques, après six mois de débat public.",
            language: "fr",
            ..A
        };
        let unlike = Item {
            source: "b",
            url: "https://y.org/2",
            title: "Milan rejette un plan pour les pistes cyclables",
            language: "fr",
            ..A
        };
        assert_eq!(
            placed(&[en, fr, unlike]),
            [(0, Relation::First), (0, Relation::Translation), (2, Relation::First)]
        );
    }
}
