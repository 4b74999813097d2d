//! Decides which entries tell the same story. Pure: known entries are looked up through an index. The stages of a decision, in
//! order: identifier within a source, address, copies and translations named by the entry, shared text, and the same news in
//! another language. Every decision records its reason.

pub mod compare;
pub mod entry_index;
mod feature_table;
pub mod grams;
pub mod keys;
pub mod lexicon;
pub mod memory;
mod original;
pub mod place;
pub mod placement;
mod settle;
pub mod sketch;
mod update;
mod words;
