//! Header values, robots.txt and addresses: `name: value` lines, the whole text read as each in turn.
#![no_main]

use courant::fetch::client::{Meta, retry_after};
use courant::fetch::robots::Robots;
use courant::model::address::canonical_key;
use courant::model::guard::Allowed;
use libfuzzer_sys::fuzz_target;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

fuzz_target!(|bytes: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(20) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts.next().and_then(|name| HeaderName::from_bytes(name).ok());
        let value = parts.next().and_then(|value| HeaderValue::from_bytes(value).ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let url = url::Url::parse("https://example.org/feed").expect("a constant");
    let now = jiff::Timestamp::UNIX_EPOCH;
    let _ = Meta::of(&headers, &url, now);
    let _ = retry_after(&headers, now);
    let text = String::from_utf8_lossy(bytes);
    let _ = Robots::parse(&text, "courant").allows("/a/b?c=d");
    let _ = canonical_key(&text);
    let _ = Allowed::parse(&text);
});
