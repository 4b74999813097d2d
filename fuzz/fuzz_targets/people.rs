//! What people and mail servers send.
#![no_main]

#[path = "../parsers.rs"]
#[allow(dead_code)] // Each target uses one of its functions.
mod parsers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| parsers::with_known_panics(|| parsers::people(bytes)));
