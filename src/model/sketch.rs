//! The sketch of an entry: hashes of its words for comparison, small enough that a million sketches fit into memory.

/// The day of an entry without a date.
pub const NO_DAY: i32 = i32::MIN;

/// FNV-1a, one byte at a time: words are short, and the hash is the same on every machine.
#[derive(Debug, Clone, Copy)]
pub struct Fnv(u64);

impl Fnv {
    pub const START: Fnv = Fnv(0xCBF2_9CE4_8422_2325);

    pub fn with(self, byte: u8) -> Fnv {
        Fnv((self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3))
    }

    /// The hash folded to 32 bits.
    pub fn half(self) -> u32 {
        (self.0 ^ (self.0 >> 32)) as u32
    }
}

/// The 64-bit hash of bytes.
pub fn hash64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(Fnv::START, |state, byte| state.with(*byte)).0
}

/// The 32-bit hash of bytes.
pub fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(Fnv::START, |state, byte| state.with(*byte)).half()
}

/// The hash of a sequence of words.
pub fn hash_all(words: impl IntoIterator<Item = u32>) -> u32 {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    for word in words {
        state = (state ^ u64::from(word)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        state ^= state >> 32;
    }
    (state >> 16) as u32
}

/// The kind of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WordKind {
    Word,
    /// Capitalised in mid-sentence, or an acronym.
    Name,
    /// A month or a day of the week.
    Calendar,
    Number,
}

impl WordKind {
    const ALL: [WordKind; 4] = [WordKind::Word, WordKind::Name, WordKind::Calendar, WordKind::Number];
}

/// A hash with a kind in its two low bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarkedHash(pub u32);

impl MarkedHash {
    pub fn new(hash: u32, kind: WordKind) -> MarkedHash {
        MarkedHash((hash & !3) | kind as u32)
    }

    pub fn kind(self) -> WordKind {
        WordKind::ALL[(self.0 & 3) as usize]
    }

    /// The hash without the kind.
    pub fn word(self) -> u32 {
        self.0 & !3
    }

    /// The anchor under which entries in a language with this concept are found.
    pub fn anchor(self, language: u32) -> u32 {
        hash_all([0xA2C4, self.word(), language])
    }
}

/// The parts of a sketch, in storage order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Words of the title in order, marked by kind.
    Title,
    /// Half of the shingles of the first words of the text, sorted.
    Lead,
    /// The shingles of the whole text with the smallest hashes, sorted.
    Sample,
    /// Numbers of the text, sorted.
    Numbers,
    /// Names in the text, sorted.
    Names,
    /// Language-independent concepts of title and first words, marked by kind and sorted.
    Concepts,
    /// Linked addresses and the picture, sorted.
    Links,
}

const PARTS: usize = 7;
/// Length of the serialised head: six fields, and the end of each part.
const HEAD_NUMBERS: usize = 6 + PARTS;

/// The fixed-size fields of a sketch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SketchHead {
    pub source: u32,
    /// Hash of the title's words in order, without kinds; 0 without a title.
    pub title_hash: u32,
    /// Primary language code as a number; 0 if unknown.
    pub language: u32,
    /// Days since 1970, or `NO_DAY`.
    pub day: i32,
    /// Number of words of the text.
    pub words: u32,
    /// Shingles with greater hashes are not in the sample, even if the text has them.
    pub threshold: u32,
}

/// The feature by which entries with a title of this hash are found.
pub fn title_feature(title_hash: u32) -> u32 {
    hash_all([0x7171, title_hash])
}

/// A sketch: head and parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sketch {
    head: SketchHead,
    ends: [u32; PARTS],
    data: Box<[u32]>,
}

impl std::ops::Deref for Sketch {
    type Target = SketchHead;

    fn deref(&self) -> &SketchHead {
        &self.head
    }
}

impl Sketch {
    /// Builds a sketch from its parts, in the order of `Part`.
    pub fn new(head: SketchHead, parts: [&[u32]; PARTS]) -> Sketch {
        let mut ends = [0; PARTS];
        let mut data = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        for (part, end) in parts.iter().zip(&mut ends) {
            data.extend_from_slice(part);
            *end = data.len() as u32;
        }
        Sketch { head, ends, data: data.into_boxed_slice() }
    }

    pub fn part(&self, part: Part) -> &[u32] {
        let at = part as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.data[start..self.ends[at] as usize]
    }

    pub fn title(&self) -> impl Iterator<Item = MarkedHash> + Clone + '_ {
        self.part(Part::Title).iter().map(|&word| MarkedHash(word))
    }

    pub fn concepts(&self) -> impl Iterator<Item = MarkedHash> + '_ {
        self.part(Part::Concepts).iter().map(|&concept| MarkedHash(concept))
    }

    /// All kept shingles, each once.
    pub fn shingles(&self) -> impl Iterator<Item = u32> + '_ {
        let sample = self.part(Part::Sample);
        let lead = self.part(Part::Lead).iter().filter(|shingle| sample.binary_search(shingle).is_err());
        lead.chain(sample).copied()
    }

    pub fn has_shingle(&self, shingle: u32) -> bool {
        self.part(Part::Sample).binary_search(&shingle).is_ok()
            || self.part(Part::Lead).binary_search(&shingle).is_ok()
    }

    /// The feature by which entries with the same title are found.
    pub fn title_feature(&self) -> Option<u32> {
        (self.title_hash != 0).then(|| title_feature(self.title_hash))
    }

    /// The anchors of translations into a language: of concepts in order, then of links. They do not collide with shingles.
    pub fn anchors(&self, language: u32) -> impl Iterator<Item = u32> + '_ {
        self.concepts()
            .map(move |concept| concept.anchor(language))
            .chain(self.part(Part::Links).iter().map(move |&link| hash_all([0x117C, link, language])))
    }

    /// The anchors by which the entry itself is found; none if its language is unknown.
    pub fn own_anchors(&self) -> impl Iterator<Item = u32> + '_ {
        self.anchors(self.language).filter(|_| self.language != 0)
    }

    /// The serialised sketch: its head, the ends of its parts, the parts.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        let head = [self.source, self.title_hash, self.language, self.day as u32, self.words, self.threshold];
        head.into_iter().chain(self.ends).chain(self.data.iter().copied())
    }

    /// Deserialises a sketch; `None` if invalid.
    pub fn from_numbers(numbers: &[u32]) -> Option<Sketch> {
        let (head, data) = numbers.split_at_checked(HEAD_NUMBERS)?;
        let ends: [u32; PARTS] = head[6..].try_into().ok()?;
        let is_sound = ends.is_sorted() && ends[PARTS - 1] as usize == data.len();
        let [source, title_hash, language, day, words, threshold] = head[..6].try_into().ok()?;
        let own = SketchHead { source, title_hash, language, day: day as i32, words, threshold };
        is_sound.then(|| Sketch { head: own, ends, data: data.into() })
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.numbers().flat_map(u32::to_le_bytes).collect()
    }

    /// The inverse of `to_bytes`; `None` for other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Sketch> {
        let (numbers, rest) = bytes.as_chunks::<4>();
        let numbers: Vec<u32> = numbers.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        Sketch::from_numbers(&numbers).filter(|_| rest.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sketch_survives_as_bytes_and_other_bytes_are_none() {
        let sketch = Sketch::new(
            SketchHead { source: 7, day: -3, threshold: u32::MAX, ..SketchHead::default() },
            [&[1, 2], &[], &[3], &[], &[4, 5], &[], &[6]],
        );
        let bytes = sketch.to_bytes();
        assert_eq!(Sketch::from_bytes(&bytes), Some(sketch.clone()));
        assert_eq!(
            (sketch.part(Part::Sample), sketch.part(Part::Names), sketch.part(Part::Links)),
            (&[3][..], &[4, 5][..], &[6][..])
        );
        assert_eq!(Sketch::from_bytes(&bytes[..bytes.len() - 4]), None);
        assert_eq!(Sketch::from_bytes(b"nonsense"), None);
    }
}
