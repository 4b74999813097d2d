//! Makes a sketch of a text.

use super::lexicon::concept;
use super::update::without_mark;
use super::words::{Word, Words};
use crate::model::sketch::{MarkedHash, NO_DAY, Sketch, SketchHead, WordKind, hash, hash_all};
use crate::support::stopwords::LANGUAGES;
use crate::support::text::primary_language;

/// Words per shingle: shorter ones occur in any two texts, longer ones are lost to every small edit.
const SHINGLE: usize = 4;
/// Words of a text that are considered.
const WORDS_MAX: usize = 4_000;
/// Words at the start of a text that teasers are cut from; half of their shingles are kept.
const LEAD_WORDS: usize = 44;
/// Shingles kept of the whole text: those with the smallest hashes, up to a maximum hash.
const SAMPLE_MAX: usize = 40;
const SAMPLE_HASH_MAX: u32 = u32::MAX / 5;
const TITLE_WORDS_MAX: usize = 24;
/// Maximum number of numbers, and of names.
pub const NAMES_MAX: usize = 48;
/// Words at the start of a text that concepts are taken from.
const CONCEPT_WORDS: usize = 70;
const CONCEPTS_MAX: usize = 40;
pub const LINKS_MAX: usize = 12;
/// Minimum length of a word that counts as a concept, in letters.
const CONCEPT_LETTERS_MIN: usize = 3;
/// A language is only recognised if it has this many more stop words than any other.
const STOP_WORD_LEAD: usize = 2;

/// The input of a sketch.
#[derive(Debug, Clone, Copy, Default)]
pub struct SketchInput<'a> {
    pub source: &'a str,
    /// Plain text.
    pub title: &'a str,
    /// Plain text.
    pub text: &'a str,
    /// As declared, a BCP 47 tag.
    pub language: Option<&'a str>,
    /// Days since 1970.
    pub day: Option<i32>,
    /// Links and pictures, in canonical form.
    pub links: &'a [String],
}

/// The hash that identifies a source.
pub fn source_hash(source: &str) -> u32 {
    hash(source.as_bytes())
}

/// The primary language subtag as a number, at most three letters.
pub fn language_code(tag: &str) -> u32 {
    primary_language(tag)
        .bytes()
        .take(3)
        .fold(0, |code, byte| code << 8 | u32::from(byte.to_ascii_lowercase()))
}

/// The sketch of an entry.
pub fn sketch(parts: &SketchInput) -> Sketch {
    let title = Words::of(parts.title, TITLE_WORDS_MAX);
    let text = Words::of(parts.text, WORDS_MAX);
    let shingles: Vec<u32> =
        text.words.windows(SHINGLE).map(|words| hash_all(words.iter().map(|word| word.hash))).collect();
    let lead: Vec<u32> = shingles.iter().take(LEAD_WORDS).copied().filter(is_in_lead).collect();
    let (sample, threshold) = sample(&shingles);
    let of_kind = |kind: WordKind, count_max: usize| {
        sorted(text.words.iter().filter(|word| word.kind == kind).map(|word| word.hash), count_max)
    };
    let language =
        parts.language.map(language_code).filter(|&code| code != 0).unwrap_or_else(|| spoken(&title, &text));
    let links = sorted(parts.links.iter().map(|link| hash(link.as_bytes())), LINKS_MAX);
    let head = SketchHead {
        source: source_hash(parts.source),
        title_hash: title_hash(parts.title),
        language,
        day: parts.day.unwrap_or(NO_DAY),
        words: u32::try_from(text.words.len()).unwrap_or(u32::MAX),
        threshold,
    };
    let title_words: Vec<u32> =
        title.words.iter().map(|word| MarkedHash::new(word.hash, word.kind).0).collect();
    Sketch::new(
        head,
        [
            &title_words,
            &sorted(lead.into_iter(), LEAD_WORDS),
            &sample,
            &of_kind(WordKind::Number, NAMES_MAX),
            &of_kind(WordKind::Name, NAMES_MAX),
            &concepts(&title, &text, language),
            &links,
        ],
    )
}

/// The hash of a title's words, without what says that it is of an update; 0 without words.
pub(super) fn title_hash(title: &str) -> u32 {
    let title = Words::of(without_mark(title), TITLE_WORDS_MAX);
    if title.words.is_empty() { 0 } else { hash_all(title.words.iter().map(|word| word.hash)) | 1 }
}

/// Whether a shingle is in the half kept in leads: the same half in every text.
pub fn is_in_lead(shingle: &u32) -> bool {
    shingle & 1 == 0
}

/// The shingles with the smallest hashes, and the threshold below which the sample is complete.
fn sample(shingles: &[u32]) -> (Vec<u32>, u32) {
    let mut sample: Vec<u32> =
        shingles.iter().copied().filter(|&shingle| shingle <= SAMPLE_HASH_MAX).collect();
    sample.sort_unstable();
    sample.dedup();
    sample.truncate(SAMPLE_MAX);
    let threshold = if sample.len() == SAMPLE_MAX { sample[SAMPLE_MAX - 1] } else { SAMPLE_HASH_MAX };
    (sample, threshold)
}

fn sorted(hashes: impl Iterator<Item = u32>, count_max: usize) -> Vec<u32> {
    let mut kept: Vec<u32> = Vec::new();
    for hash in hashes {
        if kept.len() == count_max {
            break;
        }
        if !kept.contains(&hash) {
            kept.push(hash);
        }
    }
    kept.sort_unstable();
    kept
}

/// The concepts of title and first words. A name in one is a name in the other, since headlines vary in capitalisation.
fn concepts(title: &Words, text: &Words, language: u32) -> Vec<u32> {
    let column = LANGUAGES.iter().position(|tag| language_code(tag) == language);
    let own = column.map_or(u8::MAX, |column| 1 << column);
    let of = |words: &Words, word: &Word| match word.kind {
        WordKind::Number | WordKind::Calendar => word.hash,
        WordKind::Word | WordKind::Name => concept(words.letters(word), column),
    };
    let bears = |words: &Words, word: &Word| {
        word.stop_word_languages & own == 0
            && (matches!(word.kind, WordKind::Number)
                || words.letters(word).len() >= CONCEPT_LETTERS_MIN
                || word.kind == WordKind::Name)
    };
    let mut kept: Vec<MarkedHash> = Vec::new();
    let title_words = title.words.iter().map(|word| (title, word));
    let text_words = text.words.iter().take(CONCEPT_WORDS).map(|word| (text, word));
    for (words, word) in title_words.chain(text_words).filter(|(words, word)| bears(words, word)) {
        let marked = MarkedHash::new(of(words, word), word.kind);
        match kept.iter().position(|known| known.word() == marked.word()) {
            // Keeps the lowest kind seen: a word that is lower-case somewhere is not a name.
            Some(at) => kept[at] = kept[at].min(marked),
            None if kept.len() < CONCEPTS_MAX => kept.push(marked),
            None => break,
        }
    }
    kept.sort_unstable();
    kept.into_iter().map(|marked| marked.0).collect()
}

/// The code of the language indicated by the stop words; 0 if unclear.
fn spoken(title: &Words, text: &Words) -> u32 {
    let mut counts = [0usize; LANGUAGES.len()];
    for word in title.words.iter().chain(text.words.iter().take(200)) {
        for (language, count) in counts.iter_mut().enumerate() {
            *count += usize::from(word.stop_word_languages >> language & 1);
        }
    }
    let mut order: Vec<usize> = (0..LANGUAGES.len()).collect();
    order.sort_by_key(|&language| std::cmp::Reverse(counts[language]));
    if counts[order[0]] >= counts[order[1]] + STOP_WORD_LEAD { language_code(LANGUAGES[order[0]]) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_teaser_is_found_by_shingles_of_its_text() {
        let text = "Le conseil municipal de Rome a approuvé jeudi un budget participatif de trois millions d’euros pour les écoles de la ville, \
                    après six mois de débats publics dans les quartiers, a annoncé le maire devant la presse réunie au Capitole.";
        let full = sketch(&SketchInput { title: "Budget", text: &text.repeat(3), ..SketchInput::default() });
        let teaser = sketch(&SketchInput { title: "Rome", text: &text[..120], ..SketchInput::default() });
        let shared = teaser.shingles().filter(|&shingle| full.has_shingle(shingle)).count();
        assert!(
            shared >= 5 && shared == teaser.shingles().count(),
            "{shared} of {}",
            teaser.shingles().count()
        );
        assert_eq!(full.language, language_code("fr-CA"));
    }

    #[test]
    fn concepts_of_translations_meet() {
        let of = |language, title| {
            sketch(&SketchInput { title, language: Some(language), ..SketchInput::default() })
        };
        let (en, es) = (
            of("en", "Mayors of 40 cities sign an open government declaration in Rome"),
            of("es", "Alcaldes de 40 ciudades firman en Roma una declaración de gobierno abierto"),
        );
        let shared = en.concepts().filter(|a| es.concepts().any(|b| a.word() == b.word())).count();
        assert!(shared >= 7, "{shared}");
    }
}
