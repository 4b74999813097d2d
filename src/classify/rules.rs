//! Topics by rules: words, phrases and prefixes per language, folded; negative keywords; tags of the source. Every topic comes
//! with the words that led to it.

use hashbrown::HashMap;

use crate::model::topic::{Topic, TopicMatch};
use crate::support::text::{fold, primary_language};

const SUMMARY_WEIGHT: u32 = 1;
/// Weight of a tag: that of a word in the title with the default weight.
const TAG_WEIGHT: u32 = 3;

/// A keyword: its words, the last of which may be a prefix.
#[derive(Debug)]
struct Keyword {
    topic: usize,
    words: Vec<String>,
    is_prefix: bool,
    /// Whether it excludes the topic.
    is_negative: bool,
}

/// The keywords of all topics, by first word.
#[derive(Debug, Default)]
struct Index {
    by_first_word: HashMap<String, Vec<Keyword>>,
    /// Single-word prefixes, by first byte.
    prefixes: HashMap<u8, Vec<Keyword>>,
}

/// A topic without its keywords.
#[derive(Debug)]
struct TopicRule {
    id: String,
    is_fallback: bool,
    title_weight: u32,
    /// Folded.
    tags: Vec<String>,
}

/// Compiled rules.
#[derive(Debug)]
pub(super) struct Rules {
    topics: Vec<TopicRule>,
    by_language: HashMap<String, Index>,
}

/// What was found for a topic.
#[derive(Debug, Clone, Default)]
struct TopicEvidence {
    score: u32,
    is_denied: bool,
    evidence: Vec<(String, u32)>,
}

impl TopicEvidence {
    fn into_match(self, topic: String) -> TopicMatch {
        let (evidence, weights) =
            self.evidence.into_iter().map(|(words, weight)| (words, weight as f32)).unzip();
        TopicMatch { topic, score: self.score, evidence, weights }
    }

    fn add(&mut self, words: &str, weight: u32) {
        self.score += weight;
        match self.evidence.iter_mut().find(|(known, _)| known == words) {
            Some((_, sum)) => *sum += weight,
            None if weight > 0 => self.evidence.push((words.to_owned(), weight)),
            None => {}
        }
    }
}

impl Rules {
    pub(super) fn new(topics: &[Topic]) -> Self {
        let mut by_language: HashMap<String, Index> = HashMap::new();
        for (at, topic) in topics.iter().enumerate() {
            for (words, is_negative) in [(&topic.keywords, false), (&topic.negative, true)] {
                for (language, keywords) in words {
                    let index =
                        by_language.entry(primary_language(language).to_ascii_lowercase()).or_default();
                    keywords.iter().for_each(|keyword| index.add(at, keyword, is_negative));
                }
            }
        }
        let rule = |topic: &Topic| TopicRule {
            id: topic.id.clone(),
            is_fallback: topic.is_fallback,
            title_weight: topic.title_weight,
            tags: topic.tags.iter().map(|tag| fold(tag)).collect(),
        };
        Rules { topics: topics.iter().map(rule).collect(), by_language }
    }

    /// The topics of a text, best first; ties in the order of the configuration. If the language is unknown or has no keywords,
    /// those of all languages apply.
    pub(super) fn classify(
        &self,
        title: &str,
        summary: &str,
        tags: &[String],
        language: Option<&str>,
    ) -> Vec<TopicMatch> {
        let own = language
            .and_then(|language| self.by_language.get(&primary_language(language).to_ascii_lowercase()));
        let indexes: Vec<&Index> =
            own.map_or_else(|| self.by_language.values().collect(), |index| vec![index]);
        let mut found: Vec<TopicEvidence> = vec![TopicEvidence::default(); self.topics.len()];
        for (text, is_title) in [(title, true), (summary, false)] {
            let folded = fold(text);
            let words = words(&folded);
            for (keyword, text) in indexes.iter().flat_map(|index| index.find(&words)) {
                let rule = &self.topics[keyword.topic];
                let weight = match (rule.is_fallback, is_title) {
                    (true, _) => u32::from(is_title),
                    (false, true) => rule.title_weight,
                    (false, false) => SUMMARY_WEIGHT,
                };
                found[keyword.topic].is_denied |= keyword.is_negative;
                if !keyword.is_negative {
                    found[keyword.topic].add(&text, weight);
                }
            }
        }
        let tags: Vec<String> = tags.iter().map(|tag| fold(tag)).collect();
        for (rule, found) in self.topics.iter().zip(&mut found) {
            for tag in rule.tags.iter().filter(|tag| tags.contains(tag)) {
                found.add(&format!("tag {tag}"), TAG_WEIGHT);
            }
        }
        let given = self.topics.iter().zip(found).filter(|(_, found)| found.score > 0 && !found.is_denied);
        let mut matches: Vec<TopicMatch> =
            given.map(|(rule, found)| found.into_match(rule.id.clone())).collect();
        matches.sort_by_key(|topic| std::cmp::Reverse(topic.score));
        matches
    }
}

impl Index {
    fn add(&mut self, topic: usize, keyword: &str, is_negative: bool) {
        let is_prefix = keyword.trim_end().ends_with('*');
        let folded = fold(keyword);
        let words: Vec<String> = words(&folded).into_iter().map(str::to_owned).collect();
        let Some(first) = words.first().cloned() else { return };
        let is_short = words.len() == 1;
        let keyword = Keyword { topic, words, is_prefix, is_negative };
        if is_prefix && is_short {
            self.prefixes.entry(first.as_bytes()[0]).or_default().push(keyword);
        } else {
            self.by_first_word.entry(first).or_default().push(keyword);
        }
    }

    /// Each keyword in the text, once, with the words that matched.
    fn find(&self, words: &[&str]) -> Vec<(&Keyword, String)> {
        let mut seen: Vec<(&Keyword, String)> = Vec::new();
        for at in 0..words.len() {
            let prefixes = self.prefixes.get(&words[at].as_bytes()[0]);
            let here = self.by_first_word.get(words[at]).into_iter().chain(prefixes).flatten();
            for keyword in here.filter(|keyword| keyword.stands_at(&words[at..])) {
                if !seen.iter().any(|(known, _)| std::ptr::eq(*known, keyword)) {
                    seen.push((keyword, words[at..at + keyword.words.len()].join(" ")));
                }
            }
        }
        seen
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

pub(super) fn words(folded: &str) -> Vec<&str> {
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(id: &str, language: &str, keywords: &[&str], is_fallback: bool) -> Topic {
        let keywords = [(language.to_owned(), keywords.iter().map(|k| k.to_string()).collect())].into();
        Topic { id: id.into(), keywords, is_fallback, ..Topic::default() }
    }

    fn topics(title: &str, summary: &str, language: Option<&str>) -> Vec<(String, u32, String)> {
        let rules = Rules::new(&[
            topic("justice", "fr", &["justice ouverte", "judiciaire*"], false),
            topic("local", "fr", &["gouvernements locaux", "municipal*"], false),
            topic("data", "es", &["datos abiertos"], false),
            topic("events", "fr", &["webinaire"], true),
        ]);
        rules
            .classify(title, summary, &[], language)
            .into_iter()
            .map(|t| (t.topic, t.score, t.evidence.join(", ")))
            .collect()
    }

    #[test]
    fn the_title_weighs_three_times_and_the_words_are_kept() {
        let found = topics(
            "Réforme JUDICIAIRE",
            "Les gouvernements locaux, la municipalité et les municipales.",
            Some("fr-FR"),
        );
        assert_eq!(
            found,
            [
                ("justice".into(), 3, "judiciaire".into()),
                ("local".into(), 2, "gouvernements locaux, municipalite".into())
            ]
        );
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
        assert_eq!(
            found.iter().map(|f| (f.0.as_str(), f.1)).collect::<Vec<_>>(),
            [("justice", 3), ("events", 1)]
        );
        assert!(topics("Rien", "Un webinaire", Some("fr")).is_empty());
    }

    #[test]
    fn words_against_a_topic_and_tags_of_the_source_count() {
        let sports = Topic {
            negative: [("fr".to_owned(), vec!["football".to_owned()])].into(),
            tags: vec!["Justice & droit".into()],
            ..topic("justice", "fr", &["justice"], false)
        };
        let rules = Rules::new(&[sports]);
        let found = |title: &str, tags: &[&str]| {
            let tags: Vec<String> = tags.iter().map(|tag| tag.to_string()).collect();
            rules
                .classify(title, "", &tags, Some("fr"))
                .into_iter()
                .map(|t| (t.score, t.evidence, t.weights))
                .collect::<Vec<_>>()
        };
        assert_eq!(found("La justice au quotidien", &[]), [(3, vec!["justice".into()], vec![3.0])]);
        assert!(found("La justice du football", &[]).is_empty());
        assert_eq!(
            found("Rapport annuel", &["justice & Droit"]),
            [(3, vec!["tag justice & droit".into()], vec![3.0])]
        );
    }
}
