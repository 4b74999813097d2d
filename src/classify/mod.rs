//! Assigns topics to entries: by rules first, then by a model trained on labelled entries. Pure.

pub mod model;
mod rules;
pub mod suggest;

use self::model::Model;
use self::rules::Rules;
use crate::model::topic::{Topic, TopicMatch};

/// Score of a topic given by hand, higher than words can reach.
const HAND_SCORE: u32 = 10;
/// Margin that counts as one point of score.
const MARGIN_POINT: f32 = 0.25;
const MODEL_SCORE_MAX: u32 = 6;

/// Assigns topics to entries.
#[derive(Debug)]
pub struct Classifier {
    rules: Rules,
    topics: Vec<String>,
    model: Option<Model>,
    /// The model abstains below this margin.
    margin: f32,
}

impl Classifier {
    pub fn new(topics: &[Topic]) -> Self {
        Classifier {
            rules: Rules::new(topics),
            topics: topics.iter().map(|topic| topic.id.clone()).collect(),
            model: None,
            margin: 0.0,
        }
    }

    /// Adds a model for entries that no rule matches. It abstains if its best topic does not lead by `margin`.
    pub fn with_model(self, model: Model, margin: f32) -> Self {
        Classifier { model: Some(model), margin, ..self }
    }

    /// The topics of an entry, best first, each with the words that led to it.
    pub fn classify(
        &self,
        title: &str,
        summary: &str,
        tags: &[String],
        language: Option<&str>,
    ) -> Vec<TopicMatch> {
        let by_rules = self.rules.classify(title, summary, tags, language);
        if !by_rules.is_empty() {
            return by_rules;
        }
        let Some(model) = &self.model else { return Vec::new() };
        let best = model.predict(&text_of(title, summary), 1).into_iter().next();
        // A model may know topics that are no longer configured.
        let best = best.filter(|best| {
            best.margin >= self.margin && !best.evidence.is_empty() && self.topics.contains(&best.label)
        });
        best.map(|best| {
            let (evidence, weights) = best.evidence.into_iter().unzip();
            let score = ((best.margin / MARGIN_POINT) as u32).clamp(1, MODEL_SCORE_MAX);
            TopicMatch { topic: best.label, score, evidence, weights }
        })
        .into_iter()
        .collect()
    }

    /// The topics that a person assigned.
    pub fn labelled(&self, topics: &[String]) -> Vec<TopicMatch> {
        topics
            .iter()
            .map(|topic| TopicMatch {
                topic: topic.clone(),
                score: HAND_SCORE,
                evidence: vec!["labelled by hand".into()],
                weights: Vec::new(),
            })
            .collect()
    }
}

/// The text of an entry as read by the model, in training too.
pub fn text_of(title: &str, summary: &str) -> String {
    format!("{title}. {}", crate::support::text::shorten(summary, SUMMARY_CHARS_MAX))
}

/// Maximum length of the summary, in characters.
const SUMMARY_CHARS_MAX: usize = 300;
