//! What an entry looks like to those who compare: hashes of its words, small enough that a million of them fit into memory.

/// Day of an entry without a date.
pub const NO_DAY: i32 = i32::MIN;

/// FNV-1a, a byte at a time: words are short, and the hash is the same on every machine.
#[derive(Debug, Clone, Copy)]
pub struct Fnv(u64);

impl Fnv {
    pub const START: Fnv = Fnv(0xCBF2_9CE4_8422_2325);

    pub fn with(self, byte: u8) -> Fnv {
        Fnv((self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3))
    }

    /// The hash in half of the space.
    pub fn half(self) -> u32 {
        (self.0 ^ (self.0 >> 32)) as u32
    }
}

/// The hash of bytes.
pub fn hash64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(Fnv::START, |state, byte| state.with(*byte)).0
}

/// The same in half of the space.
pub fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(Fnv::START, |state, byte| state.with(*byte)).half()
}

/// The hash of words that follow each other.
pub fn hash_all(words: impl IntoIterator<Item = u32>) -> u32 {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    for word in words {
        state = (state ^ u64::from(word)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        state ^= state >> 32;
    }
    (state >> 16) as u32
}

/// What a word is, beside what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WordKind {
    Word,
    /// With a capital in the middle of a sentence, or all in capitals.
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
pub struct Marked(pub u32);

impl Marked {
    pub fn new(hash: u32, kind: WordKind) -> Marked {
        Marked((hash & !3) | kind as u32)
    }

    pub fn kind(self) -> WordKind {
        WordKind::ALL[(self.0 & 3) as usize]
    }

    /// Without its kind.
    pub fn word(self) -> u32 {
        self.0 & !3
    }

    /// What entries of a language that bear this concept are found by.
    pub fn anchor(self, language: u32) -> u32 {
        hash_all([0xA2C4, self.word(), language])
    }
}

/// The parts of a sketch, in the order in which they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Words of the title in their order, marked by kind.
    Title,
    /// Half of the shingles of the first words of the text, sorted.
    Lead,
    /// Shingles of the whole text with the smallest hashes, sorted.
    Sample,
    /// Numbers of the text, sorted.
    Numbers,
    /// Names in the text, sorted.
    Names,
    /// What title and first words are about, in any language, marked by kind and sorted.
    Concepts,
    /// Addresses that it links to, and its picture; sorted.
    Links,
}

const PARTS: usize = 7;
/// Numbers before the parts when a sketch is numbers: six of its own, and where each part ends.
const HEAD_NUMBERS: usize = 6 + PARTS;

/// What an entry looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    pub source: u32,
    /// Of the title's words without kinds and in their order; 0 without a title.
    pub title_hash: u32,
    /// Two letters of the language; 0 where it is not known.
    pub language: u32,
    /// Days since 1970, or `NO_DAY`.
    pub day: i32,
    /// Of the text.
    pub words: u32,
    /// Shingles with greater hashes are not in the sample, though the text may have them.
    pub threshold: u32,
}

/// An entry as hashes: what all have, and parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sketch {
    head: Head,
    ends: [u32; PARTS],
    data: Box<[u32]>,
}

impl std::ops::Deref for Sketch {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.head
    }
}

impl Sketch {
    /// Puts a sketch together from its parts, in the order of `Part`.
    pub fn new(head: Head, parts: [&[u32]; PARTS]) -> Sketch {
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

    pub fn title(&self) -> impl Iterator<Item = Marked> + Clone + '_ {
        self.part(Part::Title).iter().map(|&word| Marked(word))
    }

    pub fn concepts(&self) -> impl Iterator<Item = Marked> + '_ {
        self.part(Part::Concepts).iter().map(|&concept| Marked(concept))
    }

    /// All shingles that are kept, each once.
    pub fn shingles(&self) -> impl Iterator<Item = u32> + '_ {
        let sample = self.part(Part::Sample);
        let lead = self.part(Part::Lead).iter().filter(|shingle| sample.binary_search(shingle).is_err());
        lead.chain(sample).copied()
    }

    pub fn has_shingle(&self, shingle: u32) -> bool {
        self.part(Part::Sample).binary_search(&shingle).is_ok()
            || self.part(Part::Lead).binary_search(&shingle).is_ok()
    }

    /// What entries of the same title are found by.
    pub fn title_feature(&self) -> Option<u32> {
        (self.title_hash != 0).then(|| hash_all([0x7171, self.title_hash]))
    }

    /// What translations into a language are found by: concepts in their order, then links. No shingle is like one of them.
    pub fn anchors(&self, language: u32) -> impl Iterator<Item = u32> + '_ {
        self.concepts()
            .map(move |concept| concept.anchor(language))
            .chain(self.part(Part::Links).iter().map(move |&link| hash_all([0x117C, link, language])))
    }

    /// Those that the entry itself is found by: none while its language is not known.
    pub fn own_anchors(&self) -> impl Iterator<Item = u32> + '_ {
        self.anchors(self.language).filter(|_| self.language != 0)
    }

    /// The sketch as numbers: its head, the ends of its parts, the parts.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        let head = [self.source, self.title_hash, self.language, self.day as u32, self.words, self.threshold];
        head.into_iter().chain(self.ends).chain(self.data.iter().copied())
    }

    /// `None` for numbers that are no sketch.
    pub fn from_numbers(numbers: &[u32]) -> Option<Sketch> {
        let (head, data) = numbers.split_at_checked(HEAD_NUMBERS)?;
        let ends: [u32; PARTS] = head[6..].try_into().ok()?;
        let is_sound = ends.is_sorted() && ends[PARTS - 1] as usize == data.len();
        let [source, title_hash, language, day, words, threshold] = head[..6].try_into().ok()?;
        let own = Head { source, title_hash, language, day: day as i32, words, threshold };
        is_sound.then(|| Sketch { head: own, ends, data: data.into() })
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.numbers().flat_map(u32::to_le_bytes).collect()
    }

    /// `None` for bytes that `to_bytes` did not make.
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
            Head { source: 7, day: -3, threshold: u32::MAX, ..Head::default() },
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
