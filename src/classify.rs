//! Topics by keywords: per language, case and accents folded, whole words. Pure; every topic comes with the words
//! that gave it.

use std::collections::HashMap;

use crate::model::topic::{Topic, TopicMatch};
use crate::text::fold;

const TITLE_WEIGHT: u32 = 3;
const SUMMARY_WEIGHT: u32 = 1;

/// One keyword: its words, the last of them perhaps a prefix.
#[derive(Debug)]
struct Keyword {
    topic: usize,
    words: Vec<String>,
    is_prefix: bool,
}

/// The keywords of all topics, found by their first word.
#[derive(Debug, Default)]
struct Index {
    by_first_word: HashMap<String, Vec<Keyword>>,
    /// One-word prefixes, which no whole word finds.
    prefixes: Vec<Keyword>,
}

/// Keyword rules made ready.
#[derive(Debug)]
pub struct Classifier {
    topics: Vec<(String, bool)>,
    by_language: HashMap<String, Index>,
}

impl Classifier {
    pub fn new(topics: &[Topic]) -> Self {
        let mut by_language: HashMap<String, Index> = HashMap::new();
        for (at, topic) in topics.iter().enumerate() {
            for (language, keywords) in &topic.keywords {
                let index = by_language.entry(primary(language)).or_default();
                keywords.iter().for_each(|keyword| index.add(at, keyword));
            }
        }
        Classifier { topics: topics.iter().map(|topic| (topic.id.clone(), topic.is_fallback)).collect(), by_language }
    }

    /// The topics of a text, the best first; ties in the order of the configuration. Where the language is not
    /// known or has no keywords, those of all languages count.
    pub fn classify(&self, title: &str, summary: &str, language: Option<&str>) -> Vec<TopicMatch> {
        let own = language.and_then(|language| self.by_language.get(&primary(language)));
        let indexes: Vec<&Index> = own.map_or_else(|| self.by_language.values().collect(), |index| vec![index]);
        let mut matches: Vec<TopicMatch> = self.topics.iter().map(|(id, _)| TopicMatch { topic: id.clone(), score: 0, evidence: Vec::new() }).collect();
        for (text, weight) in [(title, TITLE_WEIGHT), (summary, SUMMARY_WEIGHT)] {
            let folded = fold(text);
            let words = words(&folded);
            for (topic, found) in indexes.iter().flat_map(|index| index.find(&words)) {
                let weight = if self.topics[topic].1 { u32::from(weight == TITLE_WEIGHT) } else { weight };
                matches[topic].score += weight;
                if weight > 0 && !matches[topic].evidence.contains(&found) {
                    matches[topic].evidence.push(found);
                }
            }
        }
        matches.retain(|topic| topic.score > 0);
        matches.sort_by_key(|topic| std::cmp::Reverse(topic.score));
        matches
    }
}

impl Index {
    fn add(&mut self, topic: usize, keyword: &str) {
        let is_prefix = keyword.trim_end().ends_with('*');
        let folded = fold(keyword);
        let words: Vec<String> = words(&folded).into_iter().map(str::to_owned).collect();
        let Some(first) = words.first().cloned() else { return };
        let is_short = words.len() == 1;
        let keyword = Keyword { topic, words, is_prefix };
        if is_prefix && is_short {
            self.prefixes.push(keyword);
        } else {
            self.by_first_word.entry(first).or_default().push(keyword);
        }
    }

    /// Each keyword that stands in the text, once, with the words that it was found by.
    fn find(&self, words: &[&str]) -> Vec<(usize, String)> {
        let mut seen: Vec<(&Keyword, String)> = Vec::new();
        for at in 0..words.len() {
            let here = self.by_first_word.get(words[at]).into_iter().flatten().chain(&self.prefixes);
            for keyword in here.filter(|keyword| keyword.stands_at(&words[at..])) {
                if !seen.iter().any(|(known, _)| std::ptr::eq(*known, keyword)) {
                    seen.push((keyword, words[at..at + keyword.words.len()].join(" ")));
                }
            }
        }
        seen.into_iter().map(|(keyword, found)| (keyword.topic, found)).collect()
    }
}

impl Keyword {
    fn stands_at(&self, words: &[&str]) -> bool {
        words.len() >= self.words.len()
            && self.words.iter().enumerate().all(|(at, own)| {
                let is_open = self.is_prefix && at + 1 == self.words.len();
                if is_open { words[at].starts_with(own.as_str()) } else { words[at] == own }
            })
    }
}

fn words(folded: &str) -> Vec<&str> {
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

fn primary(language: &str) -> String {
    language.split(['-', '_']).next().unwrap_or(language).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(id: &str, language: &str, keywords: &[&str], is_fallback: bool) -> Topic {
        let keywords = [(language.to_owned(), keywords.iter().map(|k| k.to_string()).collect())].into();
        Topic { id: id.into(), keywords, is_fallback, ..Topic::default() }
    }

    fn topics(title: &str, summary: &str, language: Option<&str>) -> Vec<(String, u32, String)> {
        let classifier = Classifier::new(&[
            topic("justice", "fr", &["justice ouverte", "judiciaire*"], false),
            topic("local", "fr", &["gouvernements locaux", "municipal*"], false),
            topic("data", "es", &["datos abiertos"], false),
            topic("events", "fr", &["webinaire"], true),
        ]);
        classifier.classify(title, summary, language).into_iter().map(|t| (t.topic, t.score, t.evidence.join(", "))).collect()
    }

    #[test]
    fn the_title_weighs_three_times_and_the_words_are_kept() {
        let found = topics("Réforme JUDICIAIRE", "Les gouvernements locaux, la municipalité et les municipales.", Some("fr-FR"));
        assert_eq!(found, [("justice".into(), 3, "judiciaire".into()), ("local".into(), 2, "gouvernements locaux, municipalite".into())]);
    }

    #[test]
    fn words_are_whole_and_languages_apart() {
        assert_eq!(topics("Les municipalités", "", Some("fr"))[0].0, "local");
        assert!(topics("L'injustice ouvertement", "", Some("fr")).is_empty());
        assert!(topics("Datos abiertos", "", Some("fr")).is_empty());
        assert_eq!(topics("Datos abiertos", "", None)[0].0, "data");
    }

    #[test]
    fn a_fallback_topic_yields_to_any_subject() {
        let found = topics("Webinaire sur la justice ouverte", "Un webinaire", Some("fr"));
        assert_eq!(found.iter().map(|f| (f.0.as_str(), f.1)).collect::<Vec<_>>(), [("justice", 3), ("events", 1)]);
        assert!(topics("Rien", "Un webinaire", Some("fr")).is_empty());
    }
}
