//! Makes the table of n-grams by which courant tells languages apart (`src/normalize/ngrams.bin`) of the models of lingua
//! (Apache-2.0), which give the conditional probability of the last letter of each n-gram of up to five letters. Kept are the
//! n-grams that are likely enough to be met in the texts of news; they are an eighth of all.

use std::collections::BTreeMap;
use std::path::Path;

use fst::{Map, Streamer};

#[allow(dead_code)]
#[path = "../../src/normalize/ngrams.rs"]
mod ngrams;

use ngrams::{NgramLanguage, SLOT, STEP, check_of, first_slot};

/// N-grams are kept whose probability has at least this natural logarithm.
const LIKELY: f64 = -14.0;
/// Slots for each seven n-grams.
const SLOTS_FOR_SEVEN: usize = 8;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let models = [
        ("ca", lingua_catalan_language_model::CATALAN_MODELS_DIRECTORY),
        ("de", lingua_german_language_model::GERMAN_MODELS_DIRECTORY),
        ("en", lingua_english_language_model::ENGLISH_MODELS_DIRECTORY),
        ("es", lingua_spanish_language_model::SPANISH_MODELS_DIRECTORY),
        ("fr", lingua_french_language_model::FRENCH_MODELS_DIRECTORY),
        ("it", lingua_italian_language_model::ITALIAN_MODELS_DIRECTORY),
        ("pt", lingua_portuguese_language_model::PORTUGUESE_MODELS_DIRECTORY),
    ];
    let mut kept = Vec::new();
    for (tag, directory) in &models {
        let file = directory.get_file("ngrams.fst").ok_or("a model has no n-grams")?;
        let likely = likely_ngrams(file.contents())?;
        println!("{tag}: {} n-grams", likely.len());
        let language = NgramLanguage::new(tag);
        kept.extend(likely.iter().map(|(ngram, value)| (language.hash(ngram), *value)));
    }
    let table = table(&kept);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/normalize/ngrams.bin");
    std::fs::write(&target, &table)?;
    println!("{} n-grams in {} bytes", kept.len(), table.len());
    Ok(())
}

/// The likely n-grams of a model with their values, in the order of their letters.
fn likely_ngrams(model: &[u8]) -> Result<Vec<(Vec<char>, u8)>, Box<dyn std::error::Error>> {
    let map = Map::new(model)?;
    let mut conditional = BTreeMap::new();
    let mut stream = map.stream();
    while let Some((ngram, bits)) = stream.next() {
        conditional.insert(String::from_utf8(ngram.to_vec())?, f64::from_bits(bits));
    }
    let of_all = |ngram: &str| -> Option<f64> {
        let ends = ngram.char_indices().map(|(at, letter)| at + letter.len_utf8());
        ends.map(|end| conditional.get(&ngram[..end])).sum()
    };
    let likely = conditional.iter().filter(|(ngram, _)| of_all(ngram).is_some_and(|all| all >= LIKELY));
    Ok(likely.map(|(ngram, of_last)| (ngram.chars().collect(), value(*of_last))).collect())
}

/// A logarithm as a slot has it.
fn value(logarithm: f64) -> u8 {
    (-logarithm / STEP).round().min(254.0) as u8 + 1
}

fn table(kept: &[(u64, u8)]) -> Vec<u8> {
    let slots = kept.len() * SLOTS_FOR_SEVEN / 7;
    let mut table = vec![0; slots * SLOT];
    for (hash, value) in kept {
        let mut at = first_slot(*hash, slots);
        while table[at * SLOT + 2] != 0 {
            at = (at + 1) % slots;
        }
        table[at * SLOT..][..2].copy_from_slice(&check_of(*hash));
        table[at * SLOT + 2] = *value;
    }
    table
}
