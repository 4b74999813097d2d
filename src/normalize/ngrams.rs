//! How likely a text is in each language by its letters: the probability of each letter after up to four others of its word, from
//! a table of n-grams that `scripts/language-model` makes of lingua's models.
//!
//! The table is a hash table with open addressing. A slot has three bytes: 16 bits of the hash, and a value, which is one more
//! than the negative natural logarithm of the conditional probability in steps of `STEP`; 0 marks an empty slot. One in some
//! twenty thousand n-grams that are not in the table is taken for another one, which no sum notices.

/// Letters of the longest n-grams.
pub(super) const LETTERS_MAX: usize = 5;
/// The natural logarithm of a probability, for each step of a value.
pub(super) const STEP: f64 = 0.15;
/// Bytes of a slot.
pub(super) const SLOT: usize = 3;
/// What a letter costs for each n-gram that was not found before a shorter one was, and if it is unknown altogether.
const MISS: f64 = -0.3;
const UNKNOWN: f64 = -8.0;
/// Letters depend on each other more than the chain knows, so that its certainty is too high: the sum is taken down by this.
const DAMPING: f64 = 0.2;
/// FNV-1a.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// The table that is compiled in. It has the languages of `stopwords::LANGUAGES`.
pub(super) const TABLE: NgramTable<'static> = NgramTable(include_bytes!("ngrams.bin"));

/// A table of n-grams.
#[derive(Clone, Copy)]
pub(super) struct NgramTable<'a>(pub(super) &'a [u8]);

/// A language as the hashes of its n-grams begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct NgramLanguage(u64);

impl NgramLanguage {
    /// The language of a tag of two letters.
    pub(super) fn new(tag: &str) -> NgramLanguage {
        NgramLanguage(tag.bytes().fold(BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME)))
    }

    /// The hash of an n-gram: the upper half says where its slot is, the lower 16 bits are kept there.
    pub(super) fn hash(self, ngram: &[char]) -> u64 {
        let mut hash =
            ngram.iter().fold(self.0, |hash, letter| (hash ^ u64::from(*letter)).wrapping_mul(PRIME));
        // All bits of the hash depend on all letters.
        hash ^= hash >> 32;
        hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
        hash ^ hash >> 32
    }
}

/// The slot at which the search for a hash begins, in a table of `slots`.
pub(super) fn first_slot(hash: u64, slots: usize) -> usize {
    ((u128::from(hash >> 32) * slots as u128) >> 32) as usize
}

/// The part of a hash that its slot keeps.
pub(super) fn check_of(hash: u64) -> [u8; 2] {
    (hash as u16).to_le_bytes()
}

impl NgramTable<'_> {
    /// The shares of languages in what a text may be: positive numbers with the sum 1.
    pub(super) fn shares(&self, text: &str, languages: &[NgramLanguage]) -> Vec<f64> {
        let mut sums = vec![0.0; languages.len()];
        let text = text.to_lowercase();
        let mut letters = Vec::new();
        for word in text.split(|c: char| !c.is_alphabetic()) {
            letters.clear();
            letters.extend(word.chars());
            for end in 1..=letters.len() {
                let ngram = &letters[end.saturating_sub(LETTERS_MAX)..end];
                sums.iter_mut()
                    .zip(languages)
                    .for_each(|(sum, language)| *sum += self.last_letter(*language, ngram));
            }
        }
        let most = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = sums.iter().map(|sum| (DAMPING * (sum - most)).exp()).collect();
        let total: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / total).collect()
    }

    /// The logarithm of the probability of the last letter after the others, by the longest n-gram that is known.
    fn last_letter(&self, language: NgramLanguage, ngram: &[char]) -> f64 {
        let known = (0..ngram.len())
            .find_map(|skipped| Some(self.value(language, &ngram[skipped..])? + MISS * skipped as f64));
        known.unwrap_or(UNKNOWN)
    }

    /// The logarithm of the probability of the last letter of an n-gram of the table.
    fn value(&self, language: NgramLanguage, ngram: &[char]) -> Option<f64> {
        let slots = self.0.len() / SLOT;
        let hash = language.hash(ngram);
        let (mut at, check) = (first_slot(hash, slots), check_of(hash));
        loop {
            let slot = &self.0[at * SLOT..][..SLOT];
            match slot[2] {
                0 => return None,
                value if slot[..2] == check => return Some(-f64::from(value - 1) * STEP),
                _ => at = (at + 1) % slots,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::stopwords::LANGUAGES;

    fn most_likely(text: &str) -> &'static str {
        let languages = LANGUAGES.map(NgramLanguage::new);
        let shares = TABLE.shares(text, &languages);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{shares:?}");
        let (at, _) = shares.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        LANGUAGES[at]
    }

    #[test]
    fn words_without_stop_words_tell_their_language() {
        for (text, want) in [
            ("Gouvernements locaux, déclaration politique", "fr"),
            ("Mayors debate accords", "en"),
            ("Alcaldes firman declaración", "es"),
            ("Prefeitos assinam declaração", "pt"),
            ("Bürgermeister unterzeichnen Erklärung", "de"),
            ("Sindaci firmano dichiarazione", "it"),
            ("Ajuntaments catalans aproven pressupostos participatius", "ca"),
        ] {
            assert_eq!(most_likely(text), want, "{text}");
        }
    }

    #[test]
    fn what_says_nothing_is_shared_alike() {
        let languages = ["fr", "en"].map(NgramLanguage::new);
        for text in ["", "2026 – 12", "数据开放"] {
            let shares = TABLE.shares(text, &languages);
            assert!(shares.iter().all(|share| (share - 0.5).abs() < 1e-9), "{text}: {shares:?}");
        }
    }

    #[test]
    fn corpus_titles_are_understood() {
        let rows = include_str!("../../corpus/stories.tsv");
        let titles: Vec<(&str, &str)> = rows
            .lines()
            .skip(1)
            .filter_map(|row| {
                let mut fields = row.split('\t');
                Some((fields.nth(2)?, fields.nth(2)?))
            })
            .collect();
        let right = titles.iter().filter(|(language, title)| most_likely(title) == *language).count();
        assert!(titles.len() > 300 && right * 100 >= titles.len() * 97, "{right} of {}", titles.len());
    }
}
