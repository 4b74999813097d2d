//! Proposes keywords for the rules of topics, from entries that a person labelled.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::rules::words;
use crate::model::topic::LabelledEntry;
use crate::support::stopwords::languages_of;
use crate::support::text::{fold, primary_language};

/// A keyword occurs in at least this many of a topic's labelled entries.
const TEXTS_MIN: usize = 2;
/// At least this share (1/10) of the labelled entries with a keyword have the topic.
const SHARE_MIN: usize = 8;
/// Maximum number of words in a proposed phrase, and of proposals for a topic in a language.
const PHRASE_WORDS_MAX: usize = 3;
const SUGGESTIONS_MAX: usize = 10;
/// Words that begin with as many equal letters, and differ by so many afterwards, may be forms of one.
const STEM_CHARS_MIN: usize = 5;
const ENDING_CHARS_MAX: usize = 4;
/// Shorter words say little.
const WORD_CHARS_MIN: usize = 3;

/// A keyword that the rules of a topic do not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Folded; `*` at the end stands for any ending.
    pub keyword: String,
    /// Labelled entries of its language that have it: with the topic, and without.
    pub with_topic: usize,
    pub without: usize,
}

/// The numbers of the entries that have a phrase.
type Places = BTreeMap<String, Vec<usize>>;

/// Keywords for a topic by language, best first. `is_matched` tells whether the rules of the topic match an entry already: those
/// need no more keywords.
pub fn suggest(
    labelled: &[LabelledEntry],
    topic: &str,
    is_matched: impl Fn(&LabelledEntry) -> bool,
) -> BTreeMap<String, Vec<Suggestion>> {
    let mut by_language: BTreeMap<String, Vec<&LabelledEntry>> = BTreeMap::new();
    for entry in labelled {
        by_language.entry(primary_language(&entry.language).to_ascii_lowercase()).or_default().push(entry);
    }
    let of_language = |entries: &[&LabelledEntry]| {
        let is_own: Vec<bool> =
            entries.iter().map(|entry| entry.topics.iter().any(|own| own == topic)).collect();
        let is_missed: Vec<bool> =
            entries.iter().zip(&is_own).map(|(entry, is_own)| *is_own && !is_matched(entry)).collect();
        best(with_prefixes(places(entries)), &is_own, &is_missed)
    };
    let all = by_language.iter().map(|(language, entries)| (language.clone(), of_language(entries)));
    all.filter(|(_, found)| !found.is_empty()).collect()
}

/// Where each phrase occurs.
fn places(entries: &[&LabelledEntry]) -> Places {
    let mut places = Places::new();
    for (number, entry) in entries.iter().enumerate() {
        let mut seen = HashSet::new();
        for text in [&entry.title, &entry.summary] {
            let folded = fold(text);
            let words = words(&folded);
            for count in 1..=PHRASE_WORDS_MAX {
                seen.extend(
                    words.windows(count).filter(|phrase| is_phrase(phrase)).map(|phrase| phrase.join(" ")),
                );
            }
        }
        seen.into_iter().for_each(|phrase| places.entry(phrase).or_default().push(number));
    }
    places
}

/// Whether words may be a keyword: neither end is a stop word, a number or a short word.
fn is_phrase(words: &[&str]) -> bool {
    let is_telling = |word: &&str| {
        languages_of(word) == 0
            && word.chars().count() >= WORD_CHARS_MIN
            && !word.contains(|c: char| c.is_numeric())
    };
    words.first().is_some_and(is_telling) && words.last().is_some_and(is_telling)
}

/// Adds prefixes that several words share.
fn with_prefixes(mut places: Places) -> Places {
    let words: Vec<&String> = places.keys().filter(|phrase| !phrase.contains(' ')).collect();
    let mut stems: BTreeSet<&str> = BTreeSet::new();
    for word in &words {
        let ends = word.char_indices().map(|(at, _)| at).chain([word.len()]).skip(STEM_CHARS_MIN);
        stems.extend(
            ends.filter(|end| word[*end..].chars().count() <= ENDING_CHARS_MAX).map(|end| &word[..end]),
        );
    }
    // A prefix matches all words that begin with it, also those with a long ending.
    let found = stems.into_iter().filter_map(|stem| {
        let start = words.partition_point(|word| word.as_str() < stem);
        let theirs: Vec<_> = words[start..].iter().take_while(|word| word.starts_with(stem)).collect();
        let numbers: BTreeSet<usize> =
            theirs.iter().flat_map(|word| places[**word].iter().copied()).collect();
        (theirs.len() > 1).then(|| (format!("{stem}*"), numbers.into_iter().collect()))
    });
    let found: Vec<(String, Vec<usize>)> = found.collect();
    places.extend(found);
    places
}

/// The phrases that tell a topic from the others, each of which finds entries that those before it do not.
fn best(places: Places, is_own: &[bool], is_missed: &[bool]) -> Vec<Suggestion> {
    let mut candidates: Vec<(Suggestion, Vec<usize>)> = places
        .into_iter()
        .filter_map(|(keyword, numbers)| {
            let with_topic = numbers.iter().filter(|number| is_own[**number]).count();
            let without = numbers.len() - with_topic;
            let is_telling = with_topic >= TEXTS_MIN && with_topic * 10 >= numbers.len() * SHARE_MIN;
            is_telling.then_some((Suggestion { keyword, with_topic, without }, numbers))
        })
        .collect();
    let mut missed: HashSet<usize> = (0..is_missed.len()).filter(|number| is_missed[*number]).collect();
    let mut chosen = Vec::new();
    while chosen.len() < SUGGESTIONS_MAX {
        // Whole words before prefixes, longer words before shorter: what is more specific is wrong less often.
        let rank = |(suggestion, numbers): &(Suggestion, Vec<usize>)| {
            let new = numbers.iter().filter(|number| missed.contains(number)).count();
            let net = new as i64 - 2 * suggestion.without as i64;
            (net, !suggestion.keyword.ends_with('*'), suggestion.keyword.chars().count())
        };
        let ranked = candidates.iter().map(rank).enumerate().max_by_key(|(_, rank)| *rank);
        let Some((at, _)) = ranked.filter(|(_, (net, ..))| *net > 0) else { break };
        let (suggestion, numbers) = candidates.swap_remove(at);
        missed.retain(|number| !numbers.contains(number));
        chosen.push(suggestion);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(language: &str, topic: &str, title: &str) -> LabelledEntry {
        let topics = vec![topic.to_owned()];
        LabelledEntry { title: title.into(), summary: String::new(), language: language.into(), topics }
    }

    #[test]
    fn words_that_only_one_topic_has_are_proposed_by_language() {
        let labelled = [
            entry("en", "justice", "The court of appeal publishes its rulings"),
            entry("en-GB", "justice", "A ruling that everybody can read"),
            entry("en", "justice", "The high court opens the doors"),
            entry("en", "justice", "Judges answer for their rulings in 2022"),
            entry("en", "climate", "The city opens a park and publishes a map"),
            entry("en", "climate", "A map of the heat that everybody can read"),
            entry("fr", "justice", "Les tribunaux publient"),
            entry("fr", "justice", "Un des tribunaux ouvre"),
            entry("fr", "climate", "Les parcs ouvrent"),
        ];
        let found = suggest(&labelled, "justice", |_| false);
        let keywords =
            |language: &str| found[language].iter().map(|found| found.keyword.as_str()).collect::<Vec<_>>();
        assert_eq!(keywords("en"), ["ruling*", "court"]);
        assert_eq!(keywords("fr"), ["tribunaux"]);
        assert_eq!((found["en"][0].with_topic, found["en"][0].without), (3, 0));
        // What the rules find needs no more keywords.
        let found = suggest(&labelled, "justice", |entry| entry.title.contains("ruling"));
        assert!(
            !found.contains_key("en") || found["en"].iter().all(|found| !found.keyword.contains("ruling"))
        );
        assert!(suggest(&labelled, "justice", |_| true).is_empty());
        assert!(suggest(&[], "justice", |_| false).is_empty());
    }
}
