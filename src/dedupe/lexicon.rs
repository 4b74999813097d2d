//! The meaning of single words across languages: months, numbers, the concepts of `lexicon.tsv`, and otherwise a stem in a
//! spelling that related languages share. Also the stop words by which a language is recognised.

use std::sync::LazyLock;

use hashbrown::{HashMap, HashSet};

use crate::model::sketch::{Fnv, MarkedHash, WordKind, hash, hash_all, hash64};
use crate::support::stopwords::{LANGUAGES, STOP_WORDS};

/// What is known of a word by its spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// A month or day of the week, with a hash shared by all languages.
    Calendar(u32),
    /// A spelled-out number, with the hash of its digits.
    Number(u32),
    /// A stop word; one bit for each language of `LANGUAGES` that has it.
    Little(u8),
}

/// January is the first line, Monday the thirteenth, spring the twentieth. Folded; a word found in two languages means the same in
/// both: "été" and "fall" are mostly something else.
const CALENDAR: [&str; 23] = [
    "january janvier enero janeiro januar gennaio gener",
    "february fevrier febrero fevereiro februar febbraio febrer",
    "march mars marzo marco marz",
    "april avril abril aprile",
    "may mai mayo maio maggio maig",
    "june juin junio junho juni giugno juny",
    "july juillet julio julho juli luglio juliol",
    "august aout agosto agost",
    "september septembre septiembre setembro settembre setembre",
    "october octobre octubre outubro oktober ottobre",
    "november novembre noviembre novembro",
    "december decembre diciembre dezembro dezember dicembre desembre",
    "monday lundi lunes montag lunedi dilluns",
    "tuesday mardi martes dienstag martedi dimarts",
    "wednesday mercredi miercoles mittwoch mercoledi dimecres",
    "thursday jeudi jueves donnerstag giovedi dijous",
    "friday vendredi viernes freitag venerdi divendres",
    "saturday samedi sabado samstag sabato dissabte",
    "sunday dimanche domingo sonntag domenica diumenge",
    "spring printemps primavera fruhling fruhjahr",
    "summer verano verao sommer estiu",
    "autumn automne otono outono autunno herbst tardor",
    "winter hiver invierno inverno hivern",
];

/// The first line is two: "one" is an article in too many languages. With the ordinals that are little else: "second" is a time,
/// "quarta" a day.
const NUMBERS: [&str; 11] = [
    "two deux dos dois zwei",
    "three trois tres drei third troisieme tercera tercer tercero dritte dritter dritten terceiro terceira terza terzo",
    "four quatre cuatro vier quattro fourth quatrieme vierte vierter vierten cuarto cuarta",
    "five cinq cinco funf cinque fifth cinquieme funfte funfter funften",
    "six seis sechs sixth sixieme sechste sechster sechsten",
    "seven sept siete sete sieben sette seventh septieme siebte siebter siebten",
    "eight huit ocho oito acht otto vuit eighth huitieme achte achter achten",
    "nine neuf nueve nove neun ninth neuvieme neunte neunter neunten",
    "ten dix diez dez zehn dieci tenth dixieme zehnte zehnter zehnten",
    "eleven onze undici",
    "twelve douze doce zwolf dodici",
];

static SPECIAL: LazyLock<HashMap<u32, Special, ByHash>> = LazyLock::new(|| {
    let mut table: HashMap<u32, Special, ByHash> = HashMap::default();
    for (language, words) in STOP_WORDS.iter().enumerate() {
        for word in words.split_whitespace() {
            let entry = table.entry(hash(word.as_bytes())).or_insert(Special::Little(0));
            if let Special::Little(bits) = entry {
                *bits |= 1 << language;
            }
        }
    }
    for (at, words) in CALENDAR.iter().enumerate() {
        table.extend(
            words.split(' ').map(|word| (hash(word.as_bytes()), Special::Calendar(calendar_hash(at)))),
        );
    }
    for (at, words) in NUMBERS.iter().enumerate() {
        table.extend(
            words
                .split(' ')
                .map(|word| (hash(word.as_bytes()), Special::Number(hash((at + 2).to_string().as_bytes())))),
        );
    }
    table
});

/// The hash of a month in all languages, from 1 to 12.
pub fn month_hash(month: u8) -> u32 {
    calendar_hash(usize::from(month) - 1)
}

fn calendar_hash(line: usize) -> u32 {
    hash(&[b'c', line as u8])
}

/// The special meaning of a word, by the hash of its folded letters.
pub fn special(word: u32) -> Option<Special> {
    SPECIAL.get(&word).copied()
}

/// Hasher for tables whose keys are already hashes, of words nobody chooses to collide.
#[derive(Debug, Clone, Copy, Default)]
struct ByHash(u64);

impl std::hash::Hasher for ByHash {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash64(bytes);
    }

    fn write_u32(&mut self, hash: u32) {
        // The table uses the lowest and the highest bits.
        self.0 = u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl std::hash::BuildHasher for ByHash {
    type Hasher = ByHash;

    fn build_hasher(&self) -> ByHash {
        ByHash(0)
    }
}

/// Whole words and prefixes of one language, by hash, each mapped to its line number.
#[derive(Default)]
struct Lexicon {
    whole: HashMap<u32, u32, ByHash>,
    begins: HashMap<u32, u32, ByHash>,
    /// Length of the longest prefix, in bytes.
    begin_max: usize,
}

/// The columns of `lexicon.tsv`, in the order of `LANGUAGES`.
static LEXICON: LazyLock<[Lexicon; LANGUAGES.len()]> = LazyLock::new(|| {
    let mut lexicons: [Lexicon; LANGUAGES.len()] = Default::default();
    for (number, line) in
        include_str!("lexicon.tsv").lines().enumerate().filter(|(_, line)| !line.starts_with('#'))
    {
        for (lexicon, words) in lexicons.iter_mut().zip(line.split('\t')) {
            for word in words.split_whitespace() {
                match word.strip_suffix('*') {
                    Some(begin) => {
                        lexicon.begin_max = lexicon.begin_max.max(begin.len());
                        lexicon.begins.entry(hash(begin.as_bytes())).or_insert(number as u32)
                    }
                    None => lexicon.whole.entry(hash(word.as_bytes())).or_insert(number as u32),
                };
            }
        }
    }
    lexicons
});

/// Minimum length of a prefix in the lexicon, in bytes.
const BEGIN_MIN: usize = 2;
/// Maximum length of a stem, in letters: endings differ between languages.
const STEM_MAX: usize = 6;

/// The concept of a word in the language at this position of `LANGUAGES`: a line of the lexicon, or else a hash of its stem. In other
/// languages, names that English has too are found.
pub fn concept(letters: &str, language: Option<usize>) -> u32 {
    let line = LEXICON[language.unwrap_or(0)].line(letters);
    line.map_or_else(|| hash(stem(letters).as_bytes()), line_concept)
}

/// The concept of a line of the lexicon.
fn line_concept(line: u32) -> u32 {
    hash_all([0x1E71, line])
}

/// The headings in the lexicon below which names stand.
const NAMES: [&str; 3] = ["# Names of places and peoples", "# Organisations", "# More countries"];

/// The concepts of the lexicon that are no names, as `MarkedHash::word` gives them.
static COMMON_WORDS: LazyLock<HashSet<u32>> = LazyLock::new(|| {
    let mut is_names = false;
    let lines = (0u32..).zip(include_str!("lexicon.tsv").lines()).filter(|(_, line)| {
        is_names = if line.starts_with('#') { NAMES.contains(line) } else { is_names };
        !is_names
    });
    lines.map(|(line, _)| MarkedHash::new(line_concept(line), WordKind::Word).word()).collect()
});

/// Whether a concept is a common word of the lexicon, and no name.
pub fn is_common_word(concept: u32) -> bool {
    COMMON_WORDS.contains(&concept)
}

impl Lexicon {
    /// The line of a word: of the word itself, of its singular, or of the longest prefix.
    fn line(&self, letters: &str) -> Option<u32> {
        let (mut hash, mut without_last, mut begins) = (Fnv::START, Fnv::START, None);
        for (end, byte) in (1..).zip(letters.bytes()) {
            without_last = hash;
            hash = hash.with(byte);
            if (BEGIN_MIN..=self.begin_max).contains(&end) && letters.is_char_boundary(end) {
                begins = self.begins.get(&hash.half()).or(begins);
            }
        }
        let singular = || self.whole.get(&without_last.half()).filter(|_| letters.ends_with('s'));
        self.whole.get(&hash.half()).or_else(singular).or(begins).copied()
    }
}

/// Maps a letter, or a pair, to one letter for its sound; also returns whether the next letter was part of it.
fn phonetic_letter(c: char, next: Option<char>) -> (char, bool) {
    match (c, next) {
        ('p', Some('h')) => ('f', true),
        ('c', Some('h')) | ('q', Some('u')) => ('k', true),
        ('t' | 'r' | 'k', Some('h')) => (c, true),
        ('c', Some('e' | 'i' | 'y')) | ('z' | 'ç', _) => ('s', false),
        ('c' | 'q', _) => ('k', false),
        ('y', _) => ('i', false),
        ('j', _) => ('g', false),
        ('w', _) => ('v', false),
        ('œ', _) => ('e', false),
        _ => (c, false),
    }
}

/// The stem of a word in a spelling shared by related languages: "philosophy" and "filosofía" have the same one.
fn stem(letters: &str) -> String {
    let mut out = String::with_capacity(STEM_MAX + 2);
    let mut rest = letters.chars().peekable();
    while let Some(c) = rest.next() {
        let next = rest.peek().copied();
        let (c, is_pair) = phonetic_letter(c, next);
        if is_pair {
            rest.next();
        }
        // Spanish and French words begin with "es" before a consonant where other languages have "s".
        if out.is_empty()
            && c == 'e'
            && next == Some('s')
            && letters.chars().nth(2).is_some_and(|third| !"aeiou".contains(third))
        {
            continue;
        }
        if !out.ends_with(c) {
            out.push(c);
        }
        if out.len() >= STEM_MAX {
            break;
        }
    }
    // The last vowel of a short word is its ending: "Rome", "Roma".
    if out.len() > 3 && out.len() < STEM_MAX {
        out.truncate(out.trim_end_matches(['a', 'e', 'i', 'o', 's']).len().max(3));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The concept of a word in a language.
    fn of(language: &str, letters: &str) -> u32 {
        concept(letters, LANGUAGES.iter().position(|tag| *tag == language))
    }

    #[test]
    fn words_of_one_meaning_are_one_concept() {
        for pair in [
            [("en", "governments"), ("es", "gobiernos")],
            [("en", "mayors"), ("fr", "maires")],
            [("fr", "democratie"), ("en", "democracy")],
            [("fr", "transparence"), ("es", "transparencia")],
            [("en", "rome"), ("es", "roma")],
            [("en", "quality"), ("es", "calidad")],
            [("fr", "philosophie"), ("es", "filosofia")],
            [("fr", "onu"), ("en", "un")],
            [("en", "participation"), ("es", "participacion")],
            [("en", "algorithms"), ("es", "algoritmos")],
            [("de", "nigeria"), ("sw", "nigeria")],
            [("en", "paraguay"), ("es", "paraguay")],
            [("en", "kyrgyz"), ("fr", "kyrgyz")],
            [("en", "kyrgyz"), ("fr", "kirghize")],
        ] {
            let [one, other] = pair.map(|(language, letters)| of(language, letters));
            assert_eq!(one, other, "{pair:?}");
        }
        assert_ne!(of("en", "corruption"), of("en", "congress"));
        assert_ne!(of("en", "kenya"), of("en", "ghana"));
    }

    #[test]
    fn little_words_tell_their_languages() {
        assert_eq!(special(hash(b"the")), Some(Special::Little(1)));
        assert_eq!(special(hash(b"de")), Some(Special::Little(0b100_1110)));
        assert_eq!(special(hash(b"octubre")), special(hash(b"october")));
        assert_eq!(special(hash(b"corruption")), None);
    }
}
