//! Topics: what classify assigns, and why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `[[topic]]` of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topic {
    pub id: String,
    /// Language to label.
    pub label: BTreeMap<String, String>,
    /// Language to keywords; `*` at the end of a word makes it a prefix.
    pub keywords: BTreeMap<String, Vec<String>>,
    /// Counts only where nothing else does: its words weigh 1 in a title and nothing in a summary.
    pub is_fallback: bool,
}

impl Topic {
    /// The label in a language, else in any, else the id.
    pub fn label(&self, language: &str) -> &str {
        let primary = language.split('-').next().unwrap_or(language);
        let label = self.label.get(language).or_else(|| self.label.get(primary)).or_else(|| self.label.get("en"));
        label.or_else(|| self.label.values().next()).map_or(self.id.as_str(), String::as_str)
    }
}

/// A topic given to an entry, with the words that gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicMatch {
    pub topic: String,
    pub score: u32,
    /// The words as the text has them, folded.
    pub evidence: Vec<String>,
}
