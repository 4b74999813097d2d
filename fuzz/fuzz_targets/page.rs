//! Page bytes: the cards of a listing, with and without selectors, and an item's own page.
#![no_main]

use courant::extract::prose_date::DateRules;
use courant::extract::{self, Document, PageRules};
use courant::model::source::{DateOrder, Select};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let url = url::Url::parse("https://example.org/news/").expect("a constant");
    let dates = DateRules { order: DateOrder::Dmy, now: Some(jiff::Timestamp::UNIX_EPOCH), year: None };
    let document = Document { bytes, url: Some(&url), content_type: None };
    let select = Select { item: "li, article, div".into(), next: Some("a".into()), ..Select::default() };
    for select in [None, Some(select)] {
        let _ = extract::read_page(document, &PageRules { select, dates, known: std::sync::Arc::default() });
    }
    let _ = extract::read_item_page(document, dates);
});
