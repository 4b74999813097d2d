//! Bytes of feeds, read by feed-rs and by courant: where feed-rs finds entries with a title and an address, courant finds entries.
#![no_main]

use courant::extract::{self, Document};
use libfuzzer_sys::fuzz_target;

// feed-rs panics on some documents, which are its own affair: a panic must not end the run.
fuzz_target!(init: std::panic::set_hook(Box::new(|_| {})), |bytes: &[u8]| {
    let theirs = std::panic::catch_unwind(|| feed_rs::parser::parse(bytes));
    let Ok(Ok(theirs)) = theirs else { return };
    let has_entry = theirs.entries.iter().any(|entry| {
        entry.title.as_ref().is_some_and(|title| title.content.chars().any(char::is_alphanumeric))
            && entry.links.iter().any(|link| link.href.starts_with("http"))
    });
    if !has_entry {
        return;
    }
    let url = url::Url::parse("https://example.org/feed").expect("a constant");
    let ours = extract::read_feed(Document { bytes, url: Some(&url), content_type: None });
    if !ours.is_ok_and(|feed| !feed.entries.is_empty()) {
        eprintln!("courant finds no entry in {}", String::from_utf8_lossy(bytes));
        std::process::abort();
    }
});
