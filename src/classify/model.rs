//! A linear model of topics: hashed n-grams of words and letters, those of the title once more, weighted by how much more often a topic
//! has them than all others (naive Bayes), and then by linear support vector machines, one per topic against all others (Wang and
//! Manning, 2012). It is trained in seconds on labelled texts, and names the words that decided.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use crate::support::text::{fold, truncated};

/// Bits of a bucket number: more take more memory, fewer cause more collisions.
const BUCKET_BITS: u32 = 19;
const BUCKETS: usize = 1 << BUCKET_BITS;
/// How much of a text is examined, in bytes: a title and a few paragraphs.
const TEXT_BYTES_MAX: usize = 4_000;
/// Length of letter n-grams.
const LETTERS: std::ops::RangeInclusive<usize> = 2..=5;
/// The regularization parameter C: the cost of a wrong example against a simple model.
const COST: f32 = 0.5;
/// The weight of the title's own n-grams beside those of the whole text, and where a title ends.
const TITLE_WEIGHT: f32 = 0.4;
const TITLE_END: &str = ". ";
/// How far naive Bayes scales the n-grams of a label with many examples, 0 to 1; half of it is at `BAYES_HALF` examples, since counts of
/// few texts say little. What it adds to each count.
const BAYES: f32 = 0.3;
const BAYES_HALF: f32 = 60.0;
const BAYES_COUNT: f32 = 0.1;
const ROUNDS_MAX: usize = 200;
/// Training ends when no example would change the weights by more than this.
const TOLERANCE: f32 = 0.01;
/// Maximum number of words shown as evidence.
const EVIDENCE_MAX: usize = 4;
const MAGIC: &[u8; 8] = b"courant1";
/// Maximum number of topics in a model, and of bytes in a topic's name.
const LABELS_MAX: usize = 1_000;
const LABEL_BYTES_MAX: usize = 1_000;

/// Why a model cannot be trained or read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ModelError {
    #[error("there is nothing to learn from: a line is a label, a tab and a text")]
    NoExamples,
    #[error("all examples have the label \"{0}\": a second one is needed to tell it from")]
    OneLabel(String),
    #[error("this is not a model that courant wrote: train it again with `courant classify train`")]
    NotAModel,
}

/// A labelled text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    pub labels: Vec<String>,
    pub text: String,
}

/// One predicted topic of a text; its score is greater than 0 if the model says yes.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    pub label: String,
    pub score: f32,
    /// By how much it leads the next topic.
    pub margin: f32,
    /// The words that contributed, each with its weight.
    pub evidence: Vec<(String, f32)>,
}

/// A trained model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    labels: Vec<String>,
    bias: Vec<f32>,
    /// One row per bucket: its inverse document frequency (0 if never seen), then a weight for each label.
    rows: Vec<f32>,
}

/// A bucket of a text with its weight in it.
type BucketWeight = (u32, f32);

/// Counts the buckets of one text after another.
struct Counter {
    /// For each bucket, the last text it was seen in, and the position of its count.
    seen: Vec<(u32, u32)>,
    text: u32,
    /// The buckets of each field, with counts.
    fields: [Vec<BucketWeight>; FIELDS.len()],
}

/// Idle counters for reuse: creating one takes longer than counting a single text.
fn counter_pool() -> MutexGuard<'static, Vec<Counter>> {
    static SPARE: Mutex<Vec<Counter>> = Mutex::new(Vec::new());
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hash_step(state: u64, byte: u8) -> u64 {
    (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
}

fn bucket(state: u64) -> u32 {
    (state.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - BUCKET_BITS)) as u32
}

/// What is counted of a text, each by itself: its word n-grams and letter n-grams, and those of its title. The first states of their
/// hashes, and their weights.
const FIELDS: [(u64, f32); 4] = [
    (0xCBF2_9CE4_8422_2325, 1.0),
    (0x8422_2325_CBF2_9CE4, 1.0),
    (0x2325_CBF2_9CE4_8422, TITLE_WEIGHT),
    (0x9CE4_8422_2325_CBF2, TITLE_WEIGHT),
];
const TITLE_FIELDS: usize = 2;

fn words_of(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// The part of a text that is examined, folded.
fn prepared(text: &str) -> String {
    fold(truncated(text, TEXT_BYTES_MAX))
}

/// Calls `on_bucket` for each n-gram of a folded text, and of its title if there is more, with the number of its word, and its field.
fn buckets(folded: &str, mut on_bucket: impl FnMut(u32, usize, usize)) {
    buckets_of(folded, 0, &mut on_bucket);
    if let Some((title, _)) = folded.split_once(TITLE_END) {
        buckets_of(title, TITLE_FIELDS, &mut on_bucket);
    }
}

/// The n-grams of words are of the field `words`, those of letters of the next one.
fn buckets_of(folded: &str, words: usize, mut on_bucket: impl FnMut(u32, usize, usize)) {
    let letters = words + 1;
    let mut before: Option<u64> = None;
    let mut padded: Vec<char> = Vec::new();
    for (number, word) in words_of(folded).enumerate() {
        let own = word.bytes().fold(FIELDS[words].0, hash_step);
        on_bucket(bucket(own), number, words);
        if let Some(before) = before {
            on_bucket(bucket(word.bytes().fold(hash_step(before, b' '), hash_step)), number, words);
        }
        before = Some(own);
        padded.clear();
        padded.push(' ');
        padded.extend(word.chars());
        padded.push(' ');
        for start in 0..padded.len() {
            let mut state = FIELDS[letters].0;
            for (count, &letter) in padded[start..].iter().take(*LETTERS.end()).enumerate() {
                let code = letter as u32;
                state = if code < 0x80 {
                    hash_step(state, code as u8)
                } else {
                    hash_step(hash_step(state, code as u8), (code >> 8) as u8)
                };
                if count + 1 >= *LETTERS.start() {
                    on_bucket(bucket(state), number, letters);
                }
            }
        }
    }
}

impl Counter {
    fn new() -> Counter {
        Counter { seen: vec![(0, 0); BUCKETS], text: 0, fields: Default::default() }
    }

    /// Counts the buckets of a text, each field by itself.
    fn count(&mut self, folded: &str) {
        self.text += 1;
        self.fields.iter_mut().for_each(Vec::clear);
        let Counter { seen, text, fields } = self;
        buckets(folded, |bucket, _, field| {
            let list = &mut fields[field];
            let (last, at) = &mut seen[bucket as usize];
            // A bucket may be in several lists, and then has another position in each.
            if *last == *text && list.get(*at as usize).is_some_and(|(known, _)| *known == bucket) {
                list[*at as usize].1 += 1.0;
            } else {
                (*last, *at) = (*text, list.len() as u32);
                list.push((bucket, 1.0));
            }
        });
    }

    /// The number of texts that each bucket is in. One in several fields counts as often.
    fn documents(&mut self, folded: &[String]) -> Vec<u32> {
        let mut documents = vec![0u32; BUCKETS];
        for text in folded {
            self.count(text);
            self.fields.iter().flatten().for_each(|(bucket, _)| documents[*bucket as usize] += 1);
        }
        documents
    }

    /// The buckets of a text weighted by rarity; those of each field are normalized to its weight.
    fn features(&mut self, folded: &str, rarity: impl Fn(u32) -> f32) -> Vec<BucketWeight> {
        self.count(folded);
        let mut features = Vec::with_capacity(self.fields.iter().map(Vec::len).sum());
        for (list, (_, field_weight)) in self.fields.iter().zip(FIELDS) {
            let start = features.len();
            let mut square = 0.0;
            for &(bucket, count) in list {
                let rarity = rarity(bucket);
                if rarity > 0.0 {
                    let value = (if count == 1.0 { 1.0 } else { 1.0 + count.ln() }) * rarity;
                    square += value * value;
                    features.push((bucket, value));
                }
            }
            let scale = field_weight / square.sqrt().max(f32::MIN_POSITIVE);
            features[start..].iter_mut().for_each(|(_, value)| *value *= scale);
        }
        features
    }
}

impl Model {
    /// Trains a model; equal examples give equal models.
    ///
    /// # Errors
    /// When there are fewer than two labels.
    pub fn train(examples: &[Example]) -> Result<Model, ModelError> {
        let mut labels: Vec<String> =
            examples.iter().flat_map(|example| example.labels.iter().cloned()).collect();
        labels.sort();
        labels.dedup();
        match labels.as_slice() {
            [] => return Err(ModelError::NoExamples),
            [only] => return Err(ModelError::OneLabel(only.clone())),
            _ => {}
        }
        let folded: Vec<String> = examples.iter().map(|example| prepared(&example.text)).collect();
        let mut counter = Counter::new();
        let documents = counter.documents(&folded);
        let total = examples.len() as f32;
        let rarity = |bucket: u32| match documents[bucket as usize] {
            0 => 0.0,
            count => ((1.0 + total) / (1.0 + count as f32)).ln().max(0.0) + 1.0,
        };
        let vectors: Vec<Vec<BucketWeight>> =
            folded.iter().map(|text| counter.features(text, rarity)).collect();
        let width = labels.len() + 1;
        let mut rows = vec![0f32; BUCKETS * width];
        (0..BUCKETS).for_each(|bucket| rows[bucket * width] = rarity(bucket as u32));
        let mut bias = vec![0f32; labels.len()];
        for (label, (weights, own_bias)) in train_all(&labels, examples, &vectors).into_iter().enumerate() {
            bias[label] = own_bias;
            weights
                .iter()
                .enumerate()
                .for_each(|(bucket, weight)| rows[bucket * width + 1 + label] = *weight);
        }
        Ok(Model { labels, bias, rows })
    }

    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The most likely topics of a text, at most `labels_max`, best first.
    pub fn predict(&self, text: &str, labels_max: usize) -> Vec<Prediction> {
        let folded = prepared(text);
        let spare = counter_pool().pop();
        let mut predictor = Predictor { model: self, counter: spare.unwrap_or_else(Counter::new) };
        let scores = predictor.scores(&folded);
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let of = |(place, &label): (usize, &usize)| Prediction {
            label: self.labels[label].clone(),
            score: scores[label],
            margin: scores[label] - order.get(place + 1).map_or(f32::MIN, |next| scores[*next]),
            evidence: predictor.evidence(&folded, label),
        };
        let predictions = order.iter().enumerate().take(labels_max).map(of).collect();
        counter_pool().push(predictor.counter);
        predictions
    }

    /// A predictor for many texts.
    pub fn predictor(&self) -> Predictor<'_> {
        Predictor::new(self)
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(BUCKET_BITS.to_le_bytes());
        out.extend((self.labels.len() as u32).to_le_bytes());
        for label in &self.labels {
            out.extend((label.len() as u32).to_le_bytes());
            out.extend(label.as_bytes());
        }
        self.bias.iter().for_each(|bias| out.extend(bias.to_le_bytes()));
        // Most buckets are never seen: only the others are written, each preceded by its number.
        let width = self.labels.len() + 1;
        for (bucket, row) in self.rows.chunks_exact(width).enumerate().filter(|(_, row)| row[0] > 0.0) {
            out.extend((bucket as u32).to_le_bytes());
            row.iter().for_each(|value| out.extend(value.to_le_bytes()));
        }
        out
    }

    /// # Errors
    /// For bytes not written by `to_bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model, ModelError> {
        Self::read(bytes).ok_or(ModelError::NotAModel)
    }

    fn read(bytes: &[u8]) -> Option<Model> {
        fn number(rest: &mut &[u8]) -> Option<[u8; 4]> {
            let (first, more) = rest.split_first_chunk::<4>()?;
            *rest = more;
            Some(*first)
        }
        let mut rest = bytes.strip_prefix(MAGIC)?;
        if u32::from_le_bytes(number(&mut rest)?) != BUCKET_BITS {
            return None;
        }
        let count = u32::from_le_bytes(number(&mut rest)?) as usize;
        if !(2..=LABELS_MAX).contains(&count) {
            return None;
        }
        let mut labels = Vec::with_capacity(count);
        for _ in 0..count {
            let length = u32::from_le_bytes(number(&mut rest)?) as usize;
            let (label, more) = rest.split_at_checked(length).filter(|_| length <= LABEL_BYTES_MAX)?;
            labels.push(String::from_utf8(label.to_vec()).ok()?);
            rest = more;
        }
        let mut bias = Vec::with_capacity(count);
        for _ in 0..count {
            bias.push(f32::from_le_bytes(number(&mut rest)?));
        }
        let width = count + 1;
        let mut rows = vec![0f32; BUCKETS * width];
        while !rest.is_empty() {
            let bucket = u32::from_le_bytes(number(&mut rest)?) as usize;
            let row = rows.get_mut(bucket * width..(bucket + 1) * width)?;
            for value in row {
                *value = Some(f32::from_le_bytes(number(&mut rest)?)).filter(|value| value.is_finite())?;
            }
        }
        Some(Model { labels, bias, rows })
    }
}

/// A model with reusable working memory for predictions.
pub struct Predictor<'a> {
    model: &'a Model,
    counter: Counter,
}

impl Predictor<'_> {
    fn new(model: &Model) -> Predictor<'_> {
        Predictor { model, counter: Counter::new() }
    }

    /// The score of each label for a folded text.
    fn scores(&mut self, folded: &str) -> Vec<f32> {
        let width = self.model.labels.len() + 1;
        let rows = &self.model.rows;
        let features = self.counter.features(folded, |bucket| rows[bucket as usize * width]);
        let mut scores = self.model.bias.clone();
        for (bucket, value) in features {
            let start = bucket as usize * width + 1;
            for (score, weight) in scores.iter_mut().zip(&rows[start..start + width - 1]) {
                *score += value * weight;
            }
        }
        scores
    }

    /// The most likely label of a text, and its margin.
    pub fn best(&mut self, text: &str) -> (&str, f32) {
        let scores = self.scores(&prepared(text));
        let mut best = (0, f32::MIN, f32::MIN);
        for (label, &score) in scores.iter().enumerate() {
            best = if score > best.1 { (label, score, best.1) } else { (best.0, best.1, best.2.max(score)) };
        }
        (&self.model.labels[best.0], best.1 - best.2)
    }

    /// The words that contribute most to a label.
    fn evidence(&self, folded: &str, label: usize) -> Vec<(String, f32)> {
        let width = self.model.labels.len() + 1;
        let words: Vec<&str> = words_of(folded).collect();
        let mut by_word = vec![0f32; words.len()];
        let norm = |list: &[BucketWeight]| {
            let square: f32 =
                list.iter().map(|(bucket, _)| self.model.rows[*bucket as usize * width].powi(2)).sum();
            square.sqrt().max(f32::MIN_POSITIVE)
        };
        let norms = self.counter.fields.each_ref().map(|list| norm(list));
        buckets(folded, |bucket, number, field| {
            let row = &self.model.rows[bucket as usize * width..(bucket as usize + 1) * width];
            by_word[number] += row[0] * row[1 + label] * FIELDS[field].1 / norms[field];
        });
        let mut sums: HashMap<&str, f32> = HashMap::new();
        words.iter().zip(by_word).for_each(|(word, weight)| *sums.entry(word).or_default() += weight);
        let mut sums: Vec<(&str, f32)> = sums.into_iter().filter(|(_, weight)| *weight > 0.0).collect();
        sums.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        sums.into_iter().take(EVIDENCE_MAX).map(|(word, weight)| (word.to_owned(), weight)).collect()
    }
}

/// The weights of all buckets, and the bias.
type Weights = (Vec<f32>, f32);

/// Trains the weights of all labels in parallel.
fn train_all(labels: &[String], examples: &[Example], vectors: &[Vec<BucketWeight>]) -> Vec<Weights> {
    let sign = |example: &Example, label: &String| if example.labels.contains(label) { 1.0 } else { -1.0 };
    let train = |label| {
        train_one(&examples.iter().map(|example| sign(example, label)).collect::<Vec<f32>>(), vectors)
    };
    labels.par_iter().map(train).collect()
}

/// By how much naive Bayes scales each bucket: its log count ratio between the texts of a label and all others, around 1.
fn bayes_scales(signs: &[f32], vectors: &[Vec<BucketWeight>]) -> Vec<f32> {
    let mut sums = vec![(0f32, 0f32); BUCKETS];
    for (vector, sign) in vectors.iter().zip(signs) {
        for &(bucket, value) in vector {
            let (own, others) = &mut sums[bucket as usize];
            *if *sign > 0.0 { own } else { others } += value;
        }
    }
    let is_seen = |(own, others): &&(f32, f32)| own + others > 0.0;
    let seen = sums.iter().filter(is_seen).count().max(1) as f32;
    let total = |of: fn(&(f32, f32)) -> f32| {
        sums.iter().filter(is_seen).map(|pair| f64::from(of(pair) + BAYES_COUNT)).sum::<f64>() as f32
    };
    let (own_total, others_total) = (total(|pair| pair.0), total(|pair| pair.1));
    let ratio = |(own, others): &(f32, f32)| {
        (((own + BAYES_COUNT) / own_total) / ((others + BAYES_COUNT) / others_total)).ln().abs()
    };
    let mean = sums.iter().filter(is_seen).map(|pair| f64::from(ratio(pair))).sum::<f64>() as f32 / seen;
    let own_texts = signs.iter().filter(|sign| **sign > 0.0).count() as f32;
    let bayes = BAYES * own_texts / (own_texts + BAYES_HALF);
    let scale = |pair| bayes * ratio(pair) / mean.max(f32::MIN_POSITIVE) + 1.0 - bayes;
    sums.iter().map(scale).collect()
}

/// Dual coordinate descent for a support vector machine with squared hinge loss (Hsieh et al., 2008), as in liblinear.
fn train_one(signs: &[f32], vectors: &[Vec<BucketWeight>]) -> Weights {
    let mut weights = vec![0f32; BUCKETS];
    let mut bias = 0f32;
    let mut alphas = vec![0f32; signs.len()];
    let diagonal = 0.5 / COST;
    // The scale is in the weights, so that a prediction need not know it.
    let mut squared = bayes_scales(signs, vectors);
    squared.iter_mut().for_each(|scale| *scale *= *scale);
    let square = |&(bucket, value): &BucketWeight| squared[bucket as usize] * value * value;
    let squares: Vec<f32> =
        vectors.iter().map(|vector| vector.iter().map(square).sum::<f32>() + 1.0 + diagonal).collect();
    let mut order: Vec<usize> = (0..signs.len()).collect();
    let mut random = 0x2545_F491_4F6C_DD1Du64;
    for _ in 0..ROUNDS_MAX {
        for at in (1..order.len()).rev() {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            order.swap(at, (random % (at as u64 + 1)) as usize);
        }
        let mut largest = 0f32;
        for &at in &order {
            let product: f32 =
                vectors[at].iter().map(|&(bucket, value)| weights[bucket as usize] * value).sum::<f32>()
                    + bias;
            let gradient = signs[at] * product - 1.0 + diagonal * alphas[at];
            let projected = if alphas[at] == 0.0 { gradient.min(0.0) } else { gradient };
            largest = largest.max(projected.abs());
            if projected.abs() > 1e-12 {
                let old = alphas[at];
                alphas[at] = (old - gradient / squares[at]).max(0.0);
                let step = (alphas[at] - old) * signs[at];
                vectors[at].iter().for_each(|&(bucket, value)| {
                    weights[bucket as usize] += step * squared[bucket as usize] * value;
                });
                bias += step;
            }
        }
        if largest < TOLERANCE {
            break;
        }
    }
    (weights, bias)
}

/// The results of an evaluation: for each label, the numbers of right answers, of answers, and of texts with the label.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Score {
    pub by_label: std::collections::BTreeMap<String, (usize, usize, usize)>,
    /// Number of texts, and of those for which the model did not abstain.
    pub texts: usize,
    pub answered: usize,
}

impl Score {
    /// Counts one text: the answer, if any, and the right labels.
    pub fn count(&mut self, given: Option<&str>, right: &[String]) {
        self.texts += 1;
        for label in right {
            self.by_label.entry(label.clone()).or_default().2 += 1;
        }
        let Some(given) = given else { return };
        self.answered += 1;
        let entry = self.by_label.entry(given.to_owned()).or_default();
        entry.1 += 1;
        entry.0 += usize::from(right.iter().any(|label| label == given));
    }

    /// F1 of one label, 0 to 1.
    pub fn f1(&self, label: &str) -> f64 {
        let (right, given, there) = self.by_label.get(label).copied().unwrap_or_default();
        if given + there == 0 { 0.0 } else { 2.0 * right as f64 / (given + there) as f64 }
    }

    /// The mean F1 of all labels that occur.
    pub fn macro_f1(&self) -> f64 {
        let labels: Vec<&String> = self
            .by_label
            .iter()
            .filter(|(_, (_, given, there))| given + there > 0)
            .map(|(label, _)| label)
            .collect();
        labels.iter().map(|label| self.f1(label)).sum::<f64>() / labels.len().max(1) as f64
    }

    /// The share of right answers.
    pub fn precision(&self) -> f64 {
        self.by_label.values().map(|(right, ..)| right).sum::<usize>() as f64 / self.answered.max(1) as f64
    }
}

/// Trains on all folds but one and predicts that one, for each fold. Each fold has its share of each label, and consecutive
/// examples with the same labels stay together, so that translations of one story are not split between training and test.
///
/// # Errors
/// When there are too few examples.
pub fn cross_validate(examples: &[Example], folds: usize, margin_min: f32) -> Result<Score, ModelError> {
    let mut totals: HashMap<&[String], usize> = HashMap::new();
    examples.iter().for_each(|example| *totals.entry(&example.labels).or_default() += 1);
    let mut seen: HashMap<&[String], usize> = HashMap::new();
    let mut part_of = Vec::with_capacity(examples.len());
    for example in examples {
        let place = seen.entry(&example.labels).or_default();
        part_of.push(*place * folds / totals[example.labels.as_slice()]);
        *place += 1;
    }
    let mut score = Score::default();
    for part in 0..folds {
        let of_part = |is_in: bool| {
            examples
                .iter()
                .zip(&part_of)
                .filter(move |(_, own)| (**own == part) == is_in)
                .map(|(example, _)| example)
        };
        let rest: Vec<Example> = of_part(false).cloned().collect();
        let model = Model::train(&rest)?;
        let mut predictor = model.predictor();
        for example in of_part(true) {
            let (label, margin) = predictor.best(&example.text);
            score.count((margin >= margin_min).then_some(label), &example.labels);
        }
    }
    Ok(score)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples() -> Vec<Example> {
        let lines = [
            ("justice", "The court published its rulings"),
            ("justice", "Le tribunal publie ses décisions"),
            ("justice", "Judges answer questions about a court case"),
            ("climate", "Emissions fall as the climate plan works"),
            ("climate", "Le climat et les émissions des villes"),
            ("climate", "A law on climate and clean air"),
        ];
        lines.map(|(label, text)| Example { labels: vec![label.into()], text: text.into() }).to_vec()
    }

    #[test]
    fn a_model_learns_and_shows_which_words_decided() {
        let model = Model::train(&examples()).unwrap();
        let found = model.predict("The judges of the court", 1);
        assert_eq!(found[0].label, "justice");
        assert!(found[0].margin > 0.2, "{found:?}");
        assert!(found[0].evidence.iter().any(|(word, weight)| word == "court" && *weight > 0.0), "{found:?}");
        assert_eq!(model.predictor().best("climatique").0, "climate", "by its letters");
    }

    #[test]
    fn a_model_is_the_same_each_time_and_survives_as_bytes() {
        let model = Model::train(&examples()).unwrap();
        assert!(model == Model::train(&examples()).unwrap());
        let bytes = model.to_bytes();
        assert!(Model::from_bytes(&bytes).unwrap() == model);
        for broken in [&bytes[..bytes.len() - 3], &bytes[..20], b"courant1", b"", b"PK\x03\x04"] {
            assert_eq!(Model::from_bytes(broken).err(), Some(ModelError::NotAModel));
        }
    }

    #[test]
    fn too_little_is_said_to_be_too_little() {
        assert_eq!(Model::train(&[]).err(), Some(ModelError::NoExamples));
        assert_eq!(Model::train(&examples()[..3]).err(), Some(ModelError::OneLabel("justice".into())));
    }

    #[test]
    fn texts_without_words_are_no_trouble() {
        let model = Model::train(&examples()).unwrap();
        for text in ["", "   ", "\u{0}", "💥", &"a".repeat(100_000), &"é".repeat(5_000)] {
            assert_eq!(model.predict(text, 2).len(), 2);
        }
    }
}
