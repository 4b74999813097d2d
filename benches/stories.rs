//! What it costs to find out where an entry belongs and what it is about: entries a second for each stage, and how that grows with
//! what is known already. The yardstick is serde_json reading the same lines, in the same run.
//!
//! `cargo bench --bench stories`; `STORIES_MAX=1000000` goes to a million known entries.

#![allow(clippy::disallowed_macros)] // Figures and reasons are for whoever runs them.

use std::hint::black_box;
use std::io::Cursor;
use std::time::Instant;

use courant::classify::Classifier;
use courant::classify::model::{Example, Model};
use courant::cli::cluster::Clustering;
use courant::dedupe::sketch::{SketchInput, sketch};
use courant::model::topic::Topic;
use courant::normalize::language::LanguageDetector;
use criterion::{Criterion, Throughput};
use serde_json::{Value, json};

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const SIZE_MAX_DEFAULT: usize = 100_000;
/// Entries whose placing is timed, at the end of each size.
const TIMED: usize = 1_000;
const VOCABULARY: usize = 50_000;
/// Entries looked at by the stages that know nothing of others.
const ENTRIES: usize = 2_000;

/// The same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below
    }

    /// Few words are said often, as in any language.
    fn word(&mut self) -> usize {
        let share = self.next(1_000_000) as f64 / 1e6;
        ((VOCABULARY as f64).powf(share) as usize).saturating_sub(1)
    }
}

fn spelled(mut number: usize) -> String {
    const SYLLABLES: [&str; 24] = [
        "ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "tran", "ment", "pro",
        "con", "al", "er", "is", "or", "qua", "ple", "stra",
    ];
    let mut word = String::new();
    loop {
        word.push_str(SYLLABLES[number % SYLLABLES.len()]);
        number /= SYLLABLES.len();
        if number == 0 {
            return word;
        }
    }
}

/// News of 250 words: every third is a copy of the one before, retitled, cut, or both.
fn lines(count: usize) -> Vec<String> {
    let words: Vec<String> = (0..VOCABULARY).map(spelled).collect();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut last: Option<(String, String)> = None;
    let text_of = |random: &mut Random, length: usize| {
        let mut text = String::new();
        for at in 0..length {
            let word = &words[random.word()];
            if at % 13 == 0 {
                text.push_str(&word[..1].to_uppercase());
                text.push_str(&word[1..]);
            } else {
                text.push_str(word);
            }
            text.push_str(if at % 17 == 16 { ". " } else { " " });
            if at % 40 == 39 {
                text.push_str(&format!("{} ", random.next(90_000)));
            }
        }
        text
    };
    let line = |number: usize| {
        let (title, text) = match &last {
            Some((title, text)) if number % 3 == 2 => {
                let title = if random.next(2) == 0 { title.clone() } else { text_of(&mut random, 9) };
                let end = if random.next(2) == 0 { text.len() } else { text.len() / 4 };
                (title, text[..end].to_owned())
            }
            _ => {
                let fresh = (text_of(&mut random, 9), text_of(&mut random, 250));
                last = Some(fresh.clone());
                fresh
            }
        };
        let day = format!("2022-{:02}-{:02}", 1 + number / 28 % 12, 1 + number % 28);
        let (source, url) =
            (format!("s{}", random.next(400)), format!("https://h{}.example/{number}", number % 400));
        json!({ "id": number, "source": source, "url": url, "title": title, "text": text, "published": day, "language": "en" }).to_string()
    };
    (0..count).map(line).collect()
}

/// Placing, by how many entries are known.
fn growth() {
    let size_max =
        std::env::var("STORIES_MAX").ok().and_then(|text| text.parse().ok()).unwrap_or(SIZE_MAX_DEFAULT);
    let lines = lines(size_max + TIMED);
    let mut clustering = Clustering::default();
    let mut known = 0;
    let mut first = None;
    for size in SIZES.into_iter().filter(|size| *size <= size_max) {
        clustering.read(Cursor::new(lines[known..size].join("\n"))).expect("memory is read");
        known = size + TIMED;
        let timed = lines[size..known].join("\n");
        let started = Instant::now();
        clustering.read(Cursor::new(&timed)).expect("memory is read");
        let ours = started.elapsed().as_secs_f64();
        let started = Instant::now();
        let bytes: usize = timed
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).map_or(0, |value| value.to_string().len()))
            .sum();
        let theirs = started.elapsed().as_secs_f64();
        assert!(bytes > 0);
        let each = ours / TIMED as f64 * 1e6;
        let growth = each / *first.get_or_insert(each);
        println!(
            "{size:>9} known: {:>6.0} entries/s, {each:.0} µs each, {growth:.2} times that of the first size; {:.0} times serde_json's reading and writing",
            TIMED as f64 / ours,
            ours / theirs
        );
    }
}

fn main() {
    growth();
    let lines = lines(ENTRIES);
    let items: Vec<Value> =
        lines.iter().map(|line| serde_json::from_str(line).expect("our own line")).collect();
    let part = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let texts: Vec<(String, String)> =
        items.iter().map(|item| (part(item, "title"), part(item, "text"))).collect();
    let stories = include_str!("../corpus/topics.tsv");
    let split = |line: &str| {
        line.split_once('\t')
            .map(|(label, text)| Example { labels: vec![label.to_owned()], text: text.to_owned() })
    };
    let examples: Vec<Example> = stories.lines().filter_map(split).collect();
    let model = Model::train(&examples).expect("the labelled stories can be learned");
    let topic = |(at, id): (usize, &str)| Topic {
        id: id.to_owned(),
        keywords: [("en".to_owned(), (0..12).map(|n| spelled(100 + 12 * at + n)).collect())].into(),
        ..Topic::default()
    };
    let topics: Vec<Topic> =
        ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].into_iter().enumerate().map(topic).collect();
    let rules = Classifier::new(&topics);
    let language_detector = LanguageDetector::default();

    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("stories");
    group.throughput(Throughput::Elements(ENTRIES as u64));
    group.bench_function("sketch", |bencher| {
        bencher.iter(|| {
            texts
                .iter()
                .map(|(title, text)| {
                    sketch(&SketchInput { title, text, ..SketchInput::default() }).words as usize
                })
                .sum::<usize>()
        })
    });
    group.bench_function("topics by rules", |bencher| {
        bencher.iter(|| {
            texts
                .iter()
                .map(|(title, text)| rules.classify(title, text, &[], Some("en")).len())
                .sum::<usize>()
        })
    });
    group.throughput(Throughput::Elements(examples.len() as u64));
    group.bench_function("topics by model", |bencher| {
        let mut predictor = model.predictor();
        bencher.iter(|| examples.iter().map(|example| predictor.best(&example.text).1).sum::<f32>())
    });
    group.bench_function("language", |bencher| {
        bencher.iter(|| {
            examples.iter().filter(|example| language_detector.detect(&example.text).is_some()).count()
        })
    });
    group.bench_function("training", |bencher| bencher.iter(|| black_box(Model::train(&examples)).is_ok()));
    group.finish();
    criterion.final_summary();
}
