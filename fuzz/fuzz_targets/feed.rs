//! Feed bytes, read and cleaned as the pipeline does. What comes out must survive a second cleaning unchanged in kind:
//! no active content, whatever went in.
#![no_main]

use courant::extract::{self, Document};
use courant::probe::clean;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let url = url::Url::parse("https://example.org/feed").expect("a constant");
    let content_type = [None, Some("text/xml; charset=utf-16"), Some("application/json")][bytes.len() % 3];
    let Ok(feed) = extract::read_feed(Document { bytes, url: Some(&url), content_type }) else { return };
    let reading = clean(feed, Some(&url));
    for entry in &reading.entries {
        for html in [&entry.content_html, &entry.summary_html].into_iter().flatten() {
            let lower = html.to_ascii_lowercase();
            assert!(!lower.contains("<script") && !lower.contains("<iframe") && !lower.contains("href=\"javascript:"), "{html}");
        }
        assert!(!entry.title.contains('\n'));
    }
    let _ = reading.to_json_feed().to_string();
});
