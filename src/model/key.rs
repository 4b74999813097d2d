//! What entries of one story have in common, as the store keeps it and dedupe reads it.

/// What a key says of the entry that bears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// The entry itself stands at this address.
    Own,
    /// A translation of it does (`hreflang`).
    Alternate,
}

impl From<&str> for KeyKind {
    fn from(text: &str) -> Self {
        if text == "alternate" { KeyKind::Alternate } else { KeyKind::Own }
    }
}

/// Something that entries of one story have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub value: String,
    pub kind: KeyKind,
}
