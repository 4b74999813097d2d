//! Topics: what classify assigns, and why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::support::i18n::default_language;
use crate::support::text::primary_language;

/// `[[topic]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub id: String,
    /// Language to label.
    pub label: BTreeMap<String, String>,
    /// Language to keywords; `*` at the end of a word makes it a prefix.
    pub keywords: BTreeMap<String, Vec<String>>,
    /// Language to keywords that deny the topic, wherever they stand.
    pub negative: BTreeMap<String, Vec<String>>,
    /// Tags of entries, or of their source in the configuration, that give the topic.
    pub tags: Vec<String>,
    /// What a keyword weighs in a title; in a summary it weighs 1.
    pub title_weight: u32,
    /// Counts only where nothing else does: its words weigh 1 in a title and nothing in a summary.
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
    /// The label in a language, else in any, else the id.
    pub fn label(&self, language: &str) -> &str {
        let label = self
            .label
            .get(language)
            .or_else(|| self.label.get(primary_language(language)))
            .or_else(|| self.label.get(default_language()));
        label.or_else(|| self.label.values().next()).map_or(self.id.as_str(), String::as_str)
    }
}

/// A topic given to an entry, with the words that gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopicMatch {
    pub topic: String,
    pub score: u32,
    /// The words as the text has them, folded.
    pub evidence: Vec<String>,
    /// What each of them was worth.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<f32>,
}

impl TopicMatch {
    /// The words that gave the topic, each with its weight.
    pub fn reasons(&self) -> String {
        let reason = |(at, words): (usize, &String)| match self.weights.get(at) {
            Some(weight) => format!("{words} ({})", (weight * 100.0).round() / 100.0),
            None => words.clone(),
        };
        self.evidence.iter().enumerate().map(reason).collect::<Vec<_>>().join(", ")
    }
}
