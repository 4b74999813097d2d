//! Keys by which entries of one story are found.

/// How a key relates to its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// The entry's own address.
    Own,
    /// The address of a translation of it (`hreflang`), or of what it says it comes from.
    Alternate,
}

impl From<&str> for KeyKind {
    fn from(text: &str) -> Self {
        if text == "alternate" { KeyKind::Alternate } else { KeyKind::Own }
    }
}

/// A key that entries of one story share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub value: String,
    pub kind: KeyKind,
}
