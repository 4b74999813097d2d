//! Long texts in columns, compressed with Zstandard (RFC 8878): the content of entries is most of what a store holds.

use std::borrow::Cow;
use std::cell::RefCell;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use zstd::bulk::{Compressor, Decompressor};

/// Shorter texts, in bytes, are stored as they are: there is little to gain.
const PACKED_MIN: usize = 512;
const LEVEL: i32 = 1;
/// Maximum size of a text in bytes; a frame that claims more was not written by us.
const TEXT_MAX: usize = 1 << 28;

/// What a frame begins with.
const FRAME_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

thread_local! {
    // Setting one up allocates some hundred kilobytes.
    static PACKER: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(LEVEL).ok());
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = RefCell::new(Decompressor::new().ok());
}

/// A text as stored in a column: a compressed blob where that is shorter.
pub(super) enum Packed<'a> {
    Text(Cow<'a, str>),
    Frame(Vec<u8>),
}

/// Prepares a text for a column.
pub(super) fn pack(text: &str) -> Packed<'_> {
    let frame = || PACKER.with_borrow_mut(|packer| packer.as_mut()?.compress(text.as_bytes()).ok());
    let frame = if text.len() < PACKED_MIN { None } else { frame() };
    frame.filter(|frame| frame.len() < text.len()).map_or(Packed::Text(text.into()), Packed::Frame)
}

fn unpack(frame: &[u8]) -> Option<String> {
    let bytes = Decompressor::<'static>::upper_bound(frame).filter(|bytes| *bytes <= TEXT_MAX)?;
    let text = UNPACKER.with_borrow_mut(|unpacker| unpacker.as_mut()?.decompress(frame, bytes).ok())?;
    String::from_utf8(text).ok()
}

impl ToSql for Packed<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            // As bytes too, since a column of a server has one type. No text begins as a frame does, which is not UTF-8.
            Packed::Text(text) => text.as_bytes().to_sql(),
            Packed::Frame(frame) => frame.to_sql(),
        }
    }
}

/// A text read from such a column; `None` if it was tampered with.
pub(super) struct Unpacked(pub Option<String>);

impl FromSql for Unpacked {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Null => Ok(Unpacked(None)),
            ValueRef::Text(_) => value.as_str().map(|text| Unpacked(Some(text.to_owned()))),
            ValueRef::Blob(frame) if frame.starts_with(&FRAME_MAGIC) => Ok(Unpacked(unpack(frame))),
            ValueRef::Blob(text) => Ok(Unpacked(String::from_utf8(text.to_vec()).ok())),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_whole_and_a_broken_frame_is_no_text() {
        let long = "<p>La justice ouverte, en trois langues.</p>".repeat(40);
        for text in ["", "short", &long, &"é".repeat(PACKED_MIN)] {
            match pack(text) {
                Packed::Text(kept) => assert_eq!(kept, text),
                Packed::Frame(frame) => {
                    assert!(frame.len() < text.len());
                    assert_eq!(unpack(&frame).as_deref(), Some(text));
                    assert_eq!(unpack(&frame[..frame.len() - 4]), None);
                }
            }
        }
        assert!(matches!(pack(&long), Packed::Frame(frame) if frame.len() < long.len() / 5));
        // A frame that claims to be larger than memory.
        assert_eq!(
            unpack(&[0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 1, 0, 0]),
            None
        );
        assert_eq!(unpack(b"not a frame"), None);
    }
}
