//! Feed bytes, read and cleaned as the pipeline does. What comes out must survive a second cleaning unchanged in kind:
//! no active content, whatever went in.
#![no_main]

use courant::extract::{self, Document};
use courant::cli::probe::document::clean;
use libfuzzer_sys::fuzz_target;

/// As a browser would read it: no element that runs, no handler, no address that runs.
fn assert_safe(html: &str) {
    for node in scraper::Html::parse_fragment(html).tree.nodes() {
        let Some(element) = node.value().as_element() else { continue };
        assert!(!["script", "style", "iframe", "object", "embed", "form", "svg", "math", "base", "meta", "link"].contains(&element.name()), "{html}");
        for (name, value) in element.attrs() {
            let value: String = value.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect::<String>().to_ascii_lowercase();
            assert!(!name.starts_with("on") && !value.starts_with("javascript:") && !value.starts_with("vbscript:"), "{html}");
            assert!(!value.starts_with("data:") || element.name() == "img", "{html}");
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let url = url::Url::parse("https://example.org/feed").expect("a constant");
    let content_type = [None, Some("text/xml; charset=utf-16"), Some("application/json")][bytes.len() % 3];
    let Ok(feed) = extract::read_feed(Document { bytes, url: Some(&url), content_type }) else { return };
    let reading = clean(feed, Some(&url), None);
    for entry in &reading.entries {
        for html in [&entry.content_html, &entry.summary_html].into_iter().flatten() {
            assert_safe(html);
        }
        assert!(!entry.title.contains('\n'));
    }
    let _ = reading.to_json_feed().to_string();
});
