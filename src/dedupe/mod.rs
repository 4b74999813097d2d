//! Which entries tell the same story. Pure: whoever calls looks up what is known, and this decides. The stages of a decision, in
//! their order: identifier in a source, address, what the entry says of its copies and translations, text that one has of the
//! other, and the same news in another language. Every decision keeps its reason.

pub mod compare;
pub mod entry_index;
mod feature_table;
pub mod keys;
pub mod lexicon;
pub mod memory;
pub mod place;
pub mod sketch;
mod words;
