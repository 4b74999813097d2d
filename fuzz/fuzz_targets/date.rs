//! Dates of feeds and of pages.
#![no_main]

use courant::extract::date::parse_date;
use courant::extract::prose_date::{DateRules, find_date};
use courant::model::source::DateOrder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = parse_date(text);
    for order in [DateOrder::Dmy, DateOrder::Mdy, DateOrder::Ymd] {
        let rules = DateRules { order, now: Some(jiff::Timestamp::UNIX_EPOCH), year: None };
        let _ = find_date(text, rules);
    }
});
