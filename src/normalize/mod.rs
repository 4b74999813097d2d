//! Turns raw entries into entries: absolute addresses, safe HTML, plain titles, an identity. Pure; knows no store.

pub mod entry;
pub mod html;
pub mod language;
mod ngrams;
