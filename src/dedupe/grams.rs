//! How alike two texts in different languages are by their letters: names, figures and words of one origin share groups of four
//! letters. A group counts the less, the more texts have it.

use std::sync::LazyLock;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::model::keys::EntryKey;
use crate::model::sketch::hash;
use crate::support::text::fold_into;

/// Letters, or spaces around a word, in a group.
const LETTERS: usize = 4;
/// Groups told apart; they are hashed.
const KINDS: usize = 1 << 13;
/// Maximum length of the part of a text that is looked at, in characters.
const TEXT_CHARS_MAX: usize = 400;
/// Sums that are made beside each other.
const LANES: usize = 4;
/// How much more a group counts that stands in a title.
const TITLE_WEIGHT: f32 = 1.7;

/// How a text begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Opening<'a> {
    pub title: &'a str,
    pub text: &'a str,
}

impl<'a> Opening<'a> {
    /// What is looked at of title and text.
    pub fn cut(self) -> Opening<'a> {
        let cut =
            |text: &'a str| text.char_indices().nth(TEXT_CHARS_MAX).map_or(text, |(end, _)| &text[..end]);
        Opening { title: cut(self.title), text: cut(self.text) }
    }
}

/// The groups of letters of a title and the text below it: each twice its number, plus one if it stands in the title; sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grams(Vec<u16>);

impl Grams {
    pub fn of(opening: Opening) -> Grams {
        let mut grams = Vec::with_capacity(TEXT_CHARS_MAX);
        let mut folded = String::new();
        let Opening { title, text } = opening.cut();
        for (text, mark) in [(title, 1), (text, 0)] {
            folded.clear();
            fold_into(&mut folded, text);
            add_grams(&folded, mark, &mut grams);
        }
        // Of a group in both, the one in the title stays.
        grams.sort_unstable_by_key(|gram| gram ^ 1);
        grams.dedup_by_key(|gram| *gram >> 1);
        Grams(grams)
    }
}

/// Adds the groups of each word, with a space before and behind it.
fn add_grams(folded: &str, mark: u16, grams: &mut Vec<u16>) {
    let mut gram = |letters: &[u8]| {
        let hash = hash(letters);
        let kind = (hash ^ (hash >> 13) ^ (hash >> 26)) as usize % KINDS;
        grams.push((kind as u16) << 1 | mark);
    };
    let mut padded = String::new();
    let mut starts: Vec<usize> = Vec::new();
    for word in folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        padded.clear();
        padded.push(' ');
        padded.push_str(word);
        padded.push(' ');
        let letters = padded.as_bytes();
        if word.is_ascii() {
            letters.windows(LETTERS.min(letters.len())).for_each(&mut gram);
            continue;
        }
        starts.clear();
        starts.extend(padded.char_indices().map(|(at, _)| at));
        starts.push(padded.len());
        for group in starts.windows(LETTERS.min(starts.len() - 1) + 1) {
            gram(&letters[group[0]..group[group.len() - 1]]);
        }
    }
}

/// The natural logarithms of 1 + n.
static LOGARITHMS: LazyLock<Vec<f32>> =
    LazyLock::new(|| (0..=u16::MAX).map(|n| (1.0 + f32::from(n)).ln()).collect());

fn logarithms_of(counts: &[u16]) -> Vec<f32> {
    counts.iter().map(|count| LOGARITHMS[usize::from(*count)]).collect()
}

/// How many texts have each group.
#[derive(Debug, Clone, PartialEq)]
pub struct GramCounts {
    texts: u32,
    counts: Vec<u16>,
    /// The logarithm of 1 + each count, which is asked for much more often than it changes.
    logarithms: Vec<f32>,
}

impl Default for GramCounts {
    fn default() -> GramCounts {
        GramCounts { texts: 0, counts: vec![0; KINDS], logarithms: vec![0.0; KINDS] }
    }
}

impl GramCounts {
    /// Counts a text.
    pub fn add(&mut self, grams: &Grams) {
        if self.texts == u32::from(u16::MAX) {
            // What is counted is a share of the latest texts.
            self.texts /= 2;
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.logarithms = logarithms_of(&self.counts);
        }
        self.texts += 1;
        for gram in &grams.0 {
            let kind = usize::from(gram >> 1);
            self.counts[kind] += 1;
            self.logarithms[kind] = LOGARITHMS[usize::from(self.counts[kind])];
        }
    }

    /// The cosine of a text with each of some others, from 0 to 1.
    pub fn likeness<'a>(&self, own: &Grams, others: impl IntoIterator<Item = &'a Grams>) -> Vec<f32> {
        let all = LOGARITHMS[self.texts as usize] + 1.0;
        let weight = |gram: u16| {
            let rarity = all - self.logarithms[usize::from(gram >> 1)];
            if gram & 1 == 1 { rarity * TITLE_WEIGHT } else { rarity }
        };
        // By group, so that each of the others is gone through once, without comparing.
        let (mut own_weights, mut own_square) = (vec![0.0_f32; KINDS], 0.0);
        for gram in &own.0 {
            let weight = weight(*gram);
            own_weights[usize::from(gram >> 1)] = weight;
            own_square += weight * weight;
        }
        // Sums in lanes, so that no addition waits for the one before.
        let cosine = |other: &Grams| {
            let (mut squares, mut shares) = ([0.0_f32; LANES], [0.0_f32; LANES]);
            let mut add = |lane: usize, gram: u16| {
                let weight = weight(gram);
                squares[lane] += weight * weight;
                shares[lane] += weight * own_weights[usize::from(gram >> 1)];
            };
            let (groups, rest) = other.0.as_chunks::<LANES>();
            for group in groups {
                (0..LANES).for_each(|lane| add(lane, group[lane]));
            }
            rest.iter().enumerate().for_each(|(lane, gram)| add(lane, *gram));
            let norm = (own_square * squares.iter().sum::<f32>()).sqrt();
            if norm > 0.0 { shares.iter().sum::<f32>() / norm } else { 0.0 }
        };
        others.into_iter().map(cosine).collect()
    }

    /// As stored: the number of texts and the counts, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let counts = self.counts.iter().flat_map(|count| count.to_le_bytes());
        self.texts.to_le_bytes().into_iter().chain(counts).collect()
    }

    /// Reads what `to_bytes` wrote; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<GramCounts> {
        let (texts, counts) = bytes.split_first_chunk::<4>()?;
        let counts: Vec<u16> =
            counts.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
        (counts.len() == KINDS).then(|| GramCounts {
            texts: u32::from_le_bytes(*texts).min(u32::from(u16::MAX)),
            logarithms: logarithms_of(&counts),
            counts,
        })
    }
}

/// The groups of letters of entries that were compared: the same ones are neighbours of many. About a kilobyte each.
#[derive(Debug, Default)]
pub struct GramCache(HashMap<EntryKey, Grams>);

impl GramCache {
    /// Entries that are held at most.
    const ENTRIES_MAX: usize = 4_000;

    /// The cosine of a text with each of some entries; `grams` reads those of an entry that is not held.
    ///
    /// # Errors
    /// When an entry cannot be read.
    pub fn likeness<E>(
        &mut self,
        counts: &GramCounts,
        own: &Grams,
        entries: &[EntryKey],
        mut grams: impl FnMut(EntryKey) -> Result<Grams, E>,
    ) -> Result<Vec<f32>, E> {
        if self.0.len() + entries.len() > Self::ENTRIES_MAX {
            self.0.clear();
        }
        for entry in entries {
            if let Entry::Vacant(missing) = self.0.entry(*entry) {
                missing.insert(grams(*entry)?);
            }
        }
        Ok(counts.likeness(own, entries.iter().map(|entry| &self.0[entry])))
    }

    /// Records that the text of an entry changed.
    pub fn forget(&mut self, entry: EntryKey) {
        self.0.remove(&entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_one_event_are_alike_across_languages_and_common_words_count_little() {
        let of = |title, text| Grams::of(Opening { title, text });
        let en =
            of("Kaduna State opens its budget", "The government of Kaduna publishes the contracts of 2022.");
        let fr =
            of("L’État de Kaduna ouvre son budget", "Le gouvernement de Kaduna publie les contrats de 2022.");
        let other =
            of("Le parlement débat de l’énergie", "Le gouvernement présente la loi sur les éoliennes.");
        let mut counts = GramCounts::default();
        for grams in [&en, &fr, &other] {
            counts.add(grams);
        }
        let [near, far, own, nothing] = counts.likeness(&en, [&fr, &other, &en, &of("", "—")])[..] else {
            unreachable!("one for each")
        };
        assert!(near > 0.3 && far < 0.15, "{near} {far}");
        assert!((own - 1.0).abs() < 1e-5 && nothing == 0.0);
        assert_eq!(GramCounts::from_bytes(&counts.to_bytes()), Some(counts.clone()));
        assert_eq!(GramCounts::from_bytes(b"no counts"), None);
    }

    #[test]
    fn counts_never_overflow() {
        let mut counts = GramCounts::default();
        let grams = Grams::of(Opening { title: "a", text: "" });
        (0..200_000).for_each(|_| counts.add(&grams));
        assert!(counts.likeness(&grams, [&grams])[0] > 0.99);
    }
}
