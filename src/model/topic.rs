//! Topics, and the matches that classification assigns.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::support::i18n::default_language;
use crate::support::text::primary_language;

/// `[[topic]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub id: String,
    /// Labels by language.
    pub label: BTreeMap<String, String>,
    /// Keywords by language; `*` at the end of a word makes it a prefix.
    pub keywords: BTreeMap<String, Vec<String>>,
    /// Keywords by language that exclude the topic, wherever they occur.
    pub negative: BTreeMap<String, Vec<String>>,
    /// Tags of entries, or of their source in the configuration, that imply the topic.
    pub tags: Vec<String>,
    /// Weight of a keyword in a title; in a summary it is 1.
    pub title_weight: u32,
    /// Used only if no other topic matches: its keywords weigh 1 in a title and nothing in a summary.
    pub is_fallback: bool,
}

impl Default for Topic {
    fn default() -> Self {
        Topic {
            id: String::new(),
            label: BTreeMap::new(),
            keywords: BTreeMap::new(),
            negative: BTreeMap::new(),
            tags: Vec::new(),
            title_weight: 3,
            is_fallback: false,
        }
    }
}

impl Topic {
    /// The label in a language, or else in the default language, or in any, or else the id.
    pub fn label(&self, language: &str) -> &str {
        let label = self
            .label
            .get(language)
            .or_else(|| self.label.get(primary_language(language)))
            .or_else(|| self.label.get(default_language()));
        label.or_else(|| self.label.values().next()).map_or(self.id.as_str(), String::as_str)
    }
}

/// An entry with the topics that a person gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledEntry {
    pub title: String,
    pub summary: String,
    /// BCP 47 tag, or empty if unknown.
    pub language: String,
    pub topics: Vec<String>,
}

/// A topic assigned to an entry, with the words that led to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopicMatch {
    pub topic: String,
    pub score: u32,
    /// The words as in the text, folded.
    pub evidence: Vec<String>,
    /// The weight of each of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<f32>,
}

impl TopicMatch {
    /// The words that led to the topic, each with its weight.
    pub fn reasons(&self) -> String {
        let reason = |(at, words): (usize, &String)| match self.weights.get(at) {
            Some(weight) => format!("{words} ({})", (weight * 100.0).round() / 100.0),
            None => words.clone(),
        };
        self.evidence.iter().enumerate().map(reason).collect::<Vec<_>>().join(", ")
    }
}
