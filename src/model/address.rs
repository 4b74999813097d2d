//! The canonical form of an address: what two links to the same page have in common. It is a key to compare
//! by, not an address to follow.

use url::Url;

/// Query parameters that say how a reader came, not what is shown.
const TRACKING: [&str; 27] = [
    "fbclid",
    "gclid",
    "dclid",
    "gbraid",
    "wbraid",
    "msclkid",
    "yclid",
    "igshid",
    "twclid",
    "ttclid",
    "mc_cid",
    "mc_eid",
    "_hsenc",
    "_hsmi",
    "hsctatracking",
    "vero_id",
    "vero_conv",
    "oly_anon_id",
    "oly_enc_id",
    "wt_mc",
    "wtmc",
    "ns_campaign",
    "cmpid",
    "spm",
    "share",
    "amp",
    "replytocom",
];

/// Folds the scheme, `www.`, the port, letter case of the host, tracking parameters, fragment, index files and
/// the final slash. `None` for what is no web address and for the root of a site, which is no story.
pub fn canonical_key(address: &str) -> Option<String> {
    let url = Url::parse(address.trim()).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let host = url.host_str()?.trim_end_matches('.');
    let host = host.strip_prefix("www.").unwrap_or(host);
    let mut key = host.to_owned();
    if let Some(port) = url.port().filter(|port| !matches!(port, 80 | 443)) {
        key.push_str(&format!(":{port}"));
    }
    let path = url.path().trim_end_matches('/');
    let path = ["/index.html", "/index.htm", "/index.php", "/default.aspx"]
        .iter()
        .find_map(|index| path.strip_suffix(index))
        .unwrap_or(path);
    let path = path.strip_suffix("/amp").unwrap_or(path);
    key.push_str(&normal_escapes(path));
    let mut pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(k, v)| (k.into_owned(), v.into_owned()))
        .filter(|(name, value)| !is_tracking(name, value))
        .collect();
    if path.is_empty() && pairs.is_empty() {
        return None;
    }
    pairs.sort();
    for (at, (name, value)) in pairs.iter().enumerate() {
        key.push(if at == 0 { '?' } else { '&' });
        key.push_str(name);
        key.push('=');
        key.push_str(value);
    }
    if let Some(fragment) = url.fragment().filter(|fragment| fragment.starts_with('!')) {
        key.push('#');
        key.push_str(fragment);
    }
    Some(key)
}

fn is_tracking(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("utm_")
        || TRACKING.contains(&name.as_str())
        || (name == "source"
            && (value.starts_with("rss") || value.starts_with("post_internal") || value.starts_with("---")))
        || (matches!(name.as_str(), "ref" | "from")
            && matches!(value, "rss" | "feed" | "newsletter" | "twitter" | "facebook"))
}

/// Escapes differ in case and in whether they were needed at all.
fn normal_escapes(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let raw = path.as_bytes();
    let mut at = 0;
    while at < raw.len() {
        let hex = |b: u8| (b as char).to_digit(16);
        match (raw[at], raw.get(at + 1).copied().and_then(hex), raw.get(at + 2).copied().and_then(hex)) {
            (b'%', Some(high), Some(low)) if !matches!((high, low), (2, 15)) => {
                bytes.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::canonical_key;

    #[test]
    fn addresses_of_one_page_have_one_key() {
        let want = canonical_key("https://example.org/news/a-story").unwrap();
        for same in [
            "http://example.org/news/a-story",
            "https://www.example.org/news/a-story/",
            "HTTPS://EXAMPLE.org:443/news/a%2Dstory?utm_source=rss&utm_medium=feed#comments",
            "https://example.org/news/a-story/index.html?fbclid=x",
            "https://example.org/news/a-story?source=rss----2a",
        ] {
            assert_eq!(canonical_key(same).as_deref(), Some(want.as_str()), "{same}");
        }
    }

    #[test]
    fn other_pages_keep_other_keys() {
        let want = canonical_key("https://example.org/news?id=1").unwrap();
        for other in [
            "https://example.org/news?id=2",
            "https://example.org/news",
            "https://example.net/news?id=1",
            "https://example.org/News?id=1",
            "https://example.org/news?id=1&page=2",
        ] {
            assert_ne!(canonical_key(other), Some(want.clone()), "{other}");
        }
        assert_eq!(canonical_key("https://example.org/?utm_source=x"), None);
        assert_eq!(canonical_key("mailto:a@example.org"), None);
    }
}
