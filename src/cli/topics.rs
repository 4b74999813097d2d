//! Commands about topics: the model that learns them, and labels that people give to entries.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use rayon::prelude::*;

use super::stories::find;
use crate::app::{App, Usage, progress};
use crate::classify::model::{Example, Model, Score, cross_validate};
use crate::classify::suggest::{Suggestion, suggest};
use crate::classify::{Classifier, text_of};
use crate::model::topic::{LabelledEntry, Topic};
use crate::pipeline::maintenance;
use crate::support::files::write_atomically;
use crate::support::terminal::{self, outln};
use crate::support::text::many;

/// Folds of a cross-validation.
const FOLDS: usize = 5;
/// Margins at which an evaluation shows the effect of abstaining.
const MARGINS: [f32; 4] = [0.0, 0.1, 0.3, 0.5];

#[derive(Debug, Subcommand)]
pub(super) enum Classify {
    /// Train a model on labelled texts, and on the entries labelled with `courant label`.
    Train {
        /// Lines of a label, a tab and a text; several labels are separated by |.
        #[arg(value_name = "LABELS.tsv")]
        labels: PathBuf,
        /// File to write the model to.
        model: PathBuf,
    },
    /// Print a label for each line of a file of the same format; the labels in the file are ignored.
    Predict {
        /// File of the model.
        model: PathBuf,
        /// File of lines to predict.
        #[arg(value_name = "FILE.tsv")]
        file: PathBuf,
        /// Print an empty line where the best label leads by less than this.
        #[arg(long, default_value_t = 0.0)]
        margin: f32,
        /// Also print the lead and the words that decided.
        #[arg(long)]
        evidence: bool,
    },
    /// Measure a model on labelled texts; without a model, cross-validate on them.
    Eval {
        #[arg(value_name = "LABELS.tsv")]
        labels: PathBuf,
        /// File of the model.
        #[arg(long)]
        model: Option<PathBuf>,
    },
}

/// The examples in a file; a line without a tab is an error, so that no label is lost.
fn examples(path: &Path) -> anyhow::Result<Vec<Example>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut examples = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let Some((labels, text)) = line.split_once('\t') else {
            return Err(Usage(format!(
                "{}, line {}: there is no tab between label and text",
                path.display(),
                number + 1
            ))
            .into());
        };
        let labels = labels
            .trim_start_matches('\u{FEFF}')
            .split('|')
            .map(|label| label.trim().to_owned())
            .filter(|label| !label.is_empty())
            .collect();
        examples.push(Example { labels, text: text.to_owned() });
    }
    Ok(examples)
}

fn read_model(path: &Path) -> anyhow::Result<Model> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Model::from_bytes(&bytes).with_context(|| format!("{} cannot be used", path.display()))
}

/// `courant classify`. `app` is `None` without a configuration.
pub(super) fn classify(wanted: &Classify, app: Option<&App>) -> anyhow::Result<()> {
    match wanted {
        Classify::Train { labels, model } => train(labels, model, app),
        Classify::Predict { model, file, margin, evidence } => {
            predict(&read_model(model)?, file, *margin, *evidence)
        }
        Classify::Eval { labels, model } => eval(labels, model.as_deref()),
    }
}

fn train(labels: &Path, path: &Path, app: Option<&App>) -> anyhow::Result<()> {
    let mut examples = examples(labels)?;
    let from_file = examples.len();
    if let Some(app) = app {
        let corrections = app.store().read(|r| r.stories().labels())?;
        examples.extend(
            corrections
                .into_iter()
                .map(|entry| Example { text: text_of(&entry.title, &entry.summary), labels: entry.topics }),
        );
    }
    let model = Model::train(&examples)?;
    let bytes = model.to_bytes();
    write_atomically(path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
    outln!(
        "{}: {} learned from {} and {}, {} kB",
        path.display(),
        many(model.labels().len(), "topic", "topics"),
        many(from_file, "line", "lines"),
        many(examples.len() - from_file, "correction", "corrections"),
        bytes.len() / 1000
    );
    Ok(())
}

/// Number of texts that one predictor classifies.
const TEXTS_TOGETHER: usize = 256;

fn predict(model: &Model, file: &Path, margin_min: f32, has_evidence: bool) -> anyhow::Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let texts: Vec<&str> =
        text.lines().map(|line| line.split_once('\t').map_or(line, |(_, text)| text)).collect();
    let answer = |texts: &[&str]| {
        let mut predictor = model.predictor();
        let mut out = String::new();
        for text in texts {
            let (label, margin) = predictor.best(text);
            if margin >= margin_min {
                out.push_str(label);
            }
            if has_evidence {
                let evidence = model.predict(text, 1).into_iter().flat_map(|best| best.evidence);
                let words: Vec<String> =
                    evidence.map(|(word, weight)| format!("{word} ({weight:.2})")).collect();
                out.push_str(&format!("\t{margin:.2}\t{}", words.join(", ")));
            }
            out.push('\n');
        }
        out
    };
    let parts: Vec<String> = texts.par_chunks(TEXTS_TOGETHER).map(answer).collect();
    let mut out = BufWriter::new(terminal::stdout());
    parts.iter().try_for_each(|part| out.write_all(part.as_bytes()))?;
    Ok(out.flush()?)
}

fn eval(labels: &Path, model: Option<&Path>) -> anyhow::Result<()> {
    let examples = examples(labels)?;
    let scores = |margin: f32| -> anyhow::Result<Score> {
        let Some(path) = model else { return Ok(cross_validate(&examples, FOLDS, margin)?) };
        let model = read_model(path)?;
        let mut predictor = model.predictor();
        let mut score = Score::default();
        for example in &examples {
            let (label, lead) = predictor.best(&example.text);
            score.count((lead >= margin).then_some(label), &example.labels);
        }
        Ok(score)
    };
    print_score(&scores(0.0)?);
    outln!("");
    for margin in MARGINS {
        let score = scores(margin)?;
        outln!(
            "lead of {margin:.1}: answers {:.1} %, of which right {:.1} %",
            100.0 * score.answered as f64 / score.texts.max(1) as f64,
            100.0 * score.precision()
        );
    }
    Ok(())
}

/// Prints how well topics were assigned: each of them, and all.
fn print_score(whole: &Score) {
    outln!("{:<24}  {:>5}  {:>9}  {:>6}  {:>5}", "topic", "texts", "precision", "recall", "F1");
    for (label, (right, given, there)) in &whole.by_label {
        let share = |of: usize| *right as f64 / of.max(1) as f64;
        outln!(
            "{label:<24}  {there:>5}  {:>9.3}  {:>6.3}  {:>5.3}",
            share(*given),
            share(*there),
            whole.f1(label)
        );
    }
    outln!(
        "{:<24}  {:>5}  {:>9.3}  {:>6}  {:>5.3}",
        "all (F1: mean of topics)",
        whole.texts,
        whole.precision(),
        "",
        whole.macro_f1()
    );
}

#[derive(Debug, Subcommand)]
pub(super) enum Topics {
    /// Propose keywords for the rules, from the entries labelled with `courant label` that they miss.
    Suggest {
        /// Ids of the topics; without any, all.
        #[arg(value_name = "TOPIC")]
        topics: Vec<String>,
    },
}

/// `courant topics`.
pub(super) fn topics(app: &App, wanted: &Topics) -> anyhow::Result<()> {
    let Topics::Suggest { topics } = wanted;
    check_topics(app, topics)?;
    let labelled = app.store().read(|r| r.stories().labels())?;
    let is_wanted = |topic: &&Topic| topics.is_empty() || topics.contains(&topic.id);
    let rules = Classifier::new(&app.config.topics);
    for topic in app.config.topics.iter().filter(is_wanted) {
        let count = labelled.iter().filter(|entry| entry.topics.contains(&topic.id)).count();
        let is_matched = |entry: &LabelledEntry| {
            let found = rules.classify(&entry.title, &entry.summary, &[], Some(&entry.language));
            found.iter().any(|found| found.topic == topic.id)
        };
        let found = suggest(&labelled, &topic.id, is_matched);
        print_suggestions(&topic.id, count, &found);
    }
    Ok(())
}

/// Prints the keywords proposed for a topic, as they are written in the configuration.
fn print_suggestions(topic: &str, count: usize, found: &BTreeMap<String, Vec<Suggestion>>) {
    let from = many(count, "labelled entry", "labelled entries");
    if found.is_empty() {
        outln!("{topic}: {from}, no keyword to propose");
        return;
    }
    outln!("{topic}: {from}; not found by the rules yet:");
    for (language, suggestions) in found {
        let language = if language.is_empty() { "unknown language" } else { language };
        let keywords: Vec<String> =
            suggestions.iter().map(|suggestion| format!("\"{}\"", suggestion.keyword)).collect();
        outln!("  {language} = [{}]", keywords.join(", "));
        for Suggestion { keyword, with_topic, without } in suggestions {
            outln!("    {keyword}: in {with_topic} with the topic, {without} without");
        }
    }
}

/// Refuses topics that are not configured.
fn check_topics(app: &App, topics: &[String]) -> anyhow::Result<()> {
    let known: Vec<&str> = app.config.topics.iter().map(|topic| topic.id.as_str()).collect();
    match topics.iter().find(|topic| !known.contains(&topic.as_str())) {
        Some(topic) => {
            Err(Usage(format!("no [[topic]] has the id \"{topic}\": there are {}", known.join(", "))).into())
        }
        None => Ok(()),
    }
}

/// `courant label`.
pub(super) fn label(app: &App, name: &str, topics: &[String], is_forgotten: bool) -> anyhow::Result<()> {
    check_topics(app, topics)?;
    let store = app.store();
    let entry = find(store, name)?;
    let matches = maintenance::label(
        store,
        app.topic_assigner(),
        &entry,
        (!is_forgotten).then_some(topics),
        app.clock.now(),
    )?;
    outln!("\"{}\" ({}):", entry.entry.headline(), entry.entry.source);
    matches.iter().for_each(|matched| outln!("  {}: {}", matched.topic, matched.reasons()));
    if matches.is_empty() {
        outln!("  no topic");
    }
    Ok(())
}

/// `courant reclassify`.
pub(super) fn reclassify(app: &App) -> anyhow::Result<()> {
    let store = app.store();
    let bar = progress(store.read(|r| r.entries().count())?, "entries");
    let changes = maintenance::reclassify(store, app.topic_assigner(), &app.topics_fingerprint, |count| {
        bar.inc(count as u64)
    });
    bar.finish_and_clear();
    let changes = changes?;
    outln!(
        "{} looked at, {} other topics; nothing is announced again",
        many(changes.entries, "entry", "entries"),
        many(changes.changed, "has", "have")
    );
    Ok(())
}
