//! What an entry is about: rules that people wrote come first, then a model that learned from what people labelled. Pure.

pub mod model;
mod rules;

use self::model::Model;
use self::rules::Rules;
use crate::model::topic::{Topic, TopicMatch};

/// What a topic given by hand weighs: more than words do.
const HAND_SCORE: u32 = 10;
/// The lead that is worth a point of score.
const MARGIN_POINT: f32 = 0.25;
const MODEL_SCORE_MAX: u32 = 6;

/// Gives topics to entries.
#[derive(Debug)]
pub struct Classifier {
    rules: Rules,
    topics: Vec<String>,
    model: Option<Model>,
    /// Below this lead the model abstains.
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

    /// The same, with a model for what no rule knows. It abstains where its best topic does not lead by `margin`.
    pub fn with_model(self, model: Model, margin: f32) -> Self {
        Classifier { model: Some(model), margin, ..self }
    }

    /// The topics of an entry, the best first, each with the words that gave it.
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
        // A model may know topics that the configuration has no more.
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

    /// Topics as a person gave them.
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

/// What a model reads of an entry: it learns from the same.
pub fn text_of(title: &str, summary: &str) -> String {
    format!("{title}. {}", crate::support::text::shorten(summary, SUMMARY_CHARS_MAX))
}

/// Of a summary, in characters.
const SUMMARY_CHARS_MAX: usize = 300;
