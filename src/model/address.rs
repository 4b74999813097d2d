//! The canonical key of an address, equal for links to the same page. It is for comparison only and cannot be fetched.

use url::Url;

use crate::support::text::unescaped;

/// Parses the address of something on the web.
///
/// # Errors
/// When it is not an address with `http` or `https` and a host: a sentence that says what is wrong with it.
pub fn parse_web_url(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() => Ok(url),
        Ok(url) => Err(format!("\"{text}\" must begin with http:// or https://, not {}:", url.scheme())),
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            Err(format!("\"{text}\" is not a web address: it must begin with http:// or https://"))
        }
        Err(error) => Err(format!("\"{text}\" is not a web address: {error}")),
    }
}

/// Query parameters for tracking, which do not affect the page shown.
const TRACKING: [&str; 85] = [
    // Advertisers and networks: the click.
    "fbclid",
    "gclid",
    "gclsrc",
    "dclid",
    "gbraid",
    "wbraid",
    "gad_source",
    "gad_campaignid",
    "srsltid",
    "msclkid",
    "yclid",
    "ysclid",
    "_openstat",
    "igshid",
    "igsh",
    "twclid",
    "ttclid",
    "li_fat_id",
    "epik",
    "rdt_cid",
    "sccid",
    "irclickid",
    "rb_clickid",
    "zanpid",
    "tduid",
    "mibextid",
    "action_object_map",
    "action_type_map",
    "action_ref_map",
    "_branch_match_id",
    "_branch_referrer",
    "wickedid",
    "guccounter",
    "guce_referrer",
    "guce_referrer_sig",
    "ref_src",
    "soc_src",
    "soc_trk",
    // Those who send mail: the recipient.
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "ml_subscriber",
    "ml_subscriber_hash",
    "_hsenc",
    "_hsmi",
    "hsctatracking",
    "vero_id",
    "vero_conv",
    "oly_anon_id",
    "oly_enc_id",
    "sfmc_id",
    "sfmc_activityid",
    "elqtrackid",
    "elqtrack",
    "elqaid",
    "elqat",
    "elqcampaignid",
    "elqcsid",
    "bsft_eid",
    "bsft_uid",
    "bsft_clkid",
    "dm_i",
    "dmi",
    "nr_email_referer",
    "ck_subscriber_id",
    "sb_referer_host",
    // Those who count visits: the campaign.
    "_ga",
    "_gl",
    "trk",
    "s_cid",
    "__s",
    "sc_campaign",
    "sc_channel",
    "xtor",
    "xtref",
    "wt_mc",
    "wtmc",
    "wt.mc_id",
    "wt.mc_ev",
    "ns_campaign",
    "ns_mchannel",
    "ns_source",
    "ns_linkname",
    "cmpid",
    "spm",
];

/// Beginnings of the names of families of such parameters.
const TRACKING_FAMILIES: [&str; 14] = [
    "utm_",
    "mtm_",
    "matomo_",
    "piwik_",
    "hsa_",
    "cm_mmc",
    "itm_",
    "stm_",
    "at_custom",
    "bsft_",
    "vero_",
    "oly_",
    "ga_",
    "trkcampaign",
];

/// Names of families whose beginnings are those of other parameters too.
const TRACKING_MEMBERS: [&str; 20] = [
    "pk_campaign",
    "pk_cpn",
    "pk_kwd",
    "pk_keyword",
    "pk_source",
    "pk_medium",
    "pk_content",
    "pk_cid",
    "pk_vid",
    "at_medium",
    "at_campaign",
    "at_campaign_type",
    "at_bbc_team",
    "at_link_id",
    "at_link_type",
    "at_ptr_name",
    "at_format",
    "at_variant",
    "at_emailtype",
    "at_recipient_id",
];

/// Parameters by which others come to the same page, and which yet affect what is shown.
const SHOWN: [&str; 3] = ["share", "amp", "replytocom"];

/// Query parameters for sessions, whose values change with each visit.
const SESSIONS: [&str; 12] = [
    "phpsessid",
    "jsessionid",
    "sessionid",
    "session_id",
    "session-id",
    "sessid",
    "cfid",
    "cftoken",
    "zenid",
    "oscsid",
    "aspsessionid",
    "sid",
];
/// Minimum length of a session id: `sid=12` is a section.
const SESSION_VALUE_MIN: usize = 12;

fn is_session(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_named = SESSIONS.contains(&name.as_str()) || name.starts_with("aspsessionid");
    let is_random = value.len() >= SESSION_VALUE_MIN
        && value.bytes().any(|b| b.is_ascii_digit())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.,".contains(&b));
    // The names that servers give to sessions by themselves are no others' parameters.
    let is_of_server =
        matches!(name.as_str(), "phpsessid" | "jsessionid") || name.starts_with("aspsessionid");
    is_of_server
        || is_named && (is_random || name != "sid" && value.len() >= SESSION_VALUE_MIN)
        || name == "s" && value.len() == 32 && value.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether a segment of a path is a session of ASP.NET: `(S(lit3py55t21z5v55vlm25s55))`.
fn is_session_segment(part: &str) -> bool {
    ["(S(", "(A(", "(F(", "(X("].iter().any(|start| part.starts_with(start)) && part.ends_with("))")
}

/// Whether a path may have a session in its segments.
fn may_have_session(path: &str) -> bool {
    path.contains(';') || path.contains("))/")
}

/// Removes `;jsessionid=…` from the segments of a path, and segments that are a session.
fn without_path_session(path: &str) -> String {
    let part = |part: &str| match part.split_once(';') {
        Some((head, parameter)) if parameter.to_ascii_lowercase().contains("session") => head.to_owned(),
        _ => part.to_owned(),
    };
    let parts = path.split('/').filter(|part| !is_session_segment(part));
    parts.map(part).collect::<Vec<_>>().join("/")
}

/// Removes tracking parameters and session ids from an address, leaving everything else as written. Parameters that affect what
/// is shown (`share`, `amp`, `replytocom`) are kept.
pub fn without_tracking(address: &str) -> String {
    let (rest, fragment) = address.split_once('#').map_or((address, None), |(rest, f)| (rest, Some(f)));
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let is_wanted = |pair: &&str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = name.strip_prefix("amp;").unwrap_or(name);
        !(is_tracking(name, value) || is_session(name, value))
    };
    let kept: Vec<&str> = query.into_iter().flat_map(|query| query.split('&')).filter(is_wanted).collect();
    let mut plain = if may_have_session(path) { without_path_session(path) } else { path.to_owned() };
    if !kept.is_empty() {
        plain.push('?');
        let kept = kept.join("&");
        plain.push_str(kept.strip_prefix("amp;").unwrap_or(&kept));
    }
    if let Some(fragment) = fragment.filter(|fragment| !is_tracking_fragment(fragment)) {
        plain.push('#');
        plain.push_str(fragment);
    }
    plain
}

/// Whether an address, as written in a text or in HTML, has tracking parameters or a session id.
fn has_tracking(address: &str) -> bool {
    let (rest, fragment) = address.split_once('#').unwrap_or((address, ""));
    let mut pairs = rest.split_once('?').map_or("", |(_, query)| query).split('&');
    is_tracking_fragment(fragment) && fragment != "comments"
        || pairs.any(|pair| {
            let pair = pair.strip_prefix("amp;").unwrap_or(pair);
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            is_tracking(name, value) || is_session(name, value)
        })
}

/// Whether a text has an address with parameters or a fragment. Most have none, which one look at each address shows.
fn has_marked_address(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let Some(at) = memchr::memmem::find(rest, b"://") {
        rest = &rest[at..];
        let end = memchr::memchr3(b'<', b'"', b' ', rest).unwrap_or(rest.len());
        if memchr::memchr2(b'?', b'#', &rest[..end]).is_some() {
            return true;
        }
        rest = &rest[end..];
    }
    false
}

/// Removes tracking parameters from the addresses in a text; in one of HTML, `&` may stand as `&amp;`.
pub fn without_tracking_in(text: String) -> String {
    if !has_marked_address(&text) {
        return text;
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text.as_str());
    while let Some(at) = rest.find("http") {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        let end =
            found.find(|c: char| c.is_whitespace() || "<>\"'()[]{}|«»".contains(c)).unwrap_or(found.len());
        let (address, after) = found.split_at(end);
        let is_address = address.starts_with("http://") || address.starts_with("https://");
        // Punctuation that ends a sentence is not part of an address.
        let whole = address.trim_end_matches(['.', ',', ';', ':', '!', '?']);
        // Only what loses something is written anew.
        let is_marked = is_address && has_tracking(whole);
        out.push_str(&if is_marked { without_tracking(whole) } else { whole.to_owned() });
        out.push_str(&address[whole.len()..]);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// `#xtor=RSS-1`, `#utm_source=rss`, `#at_medium=…`.
fn is_tracking_fragment(fragment: &str) -> bool {
    ["xtor=", "utm_", "at_medium=", "at_campaign=", "ref=rss", "comments"]
        .iter()
        .any(|start| fragment.starts_with(start))
}

/// Removes user name and password from an address: they belong to the operator alone.
pub fn without_credentials(address: &str) -> String {
    if !address.contains('@') {
        return address.to_owned();
    }
    let has_user = |url: &Url| !url.username().is_empty() || url.password().is_some();
    match Url::parse(address) {
        Ok(mut url) if matches!(url.scheme(), "http" | "https") && has_user(&url) => {
            let _ = url.set_username("").and_then(|()| url.set_password(None));
            url.into()
        }
        _ => address.to_owned(),
    }
}

/// A path without index file name and AMP suffix.
pub fn without_index(path: &str) -> &str {
    let path = ["/index.html", "/index.htm", "/index.php", "/default.aspx"]
        .iter()
        .find_map(|index| path.strip_suffix(index))
        .unwrap_or(path);
    path.strip_suffix("/amp").unwrap_or(path)
}

/// Whether an address is that of a document to be downloaded.
pub fn is_file_path(key: &str) -> bool {
    const ENDS: [&str; 12] =
        [".pdf", ".doc", ".docx", ".odt", ".xls", ".xlsx", ".ods", ".csv", ".ppt", ".pptx", ".odp", ".rtf"];
    let path = key.split('?').next().unwrap_or(key).to_ascii_lowercase();
    ENDS.iter().any(|end| path.ends_with(end))
}

/// Normalizes scheme, `www.`, port, case of the host, tracking parameters, fragment, index files and trailing slash. `None` if
/// it is not a web address, or the root of a site, which is not a story.
pub fn canonical_key(address: &str) -> Option<String> {
    let address = address.trim();
    if let Some((host, path)) = plain_parts(address) {
        let path = without_index(path.trim_end_matches('/'));
        return (!path.is_empty()).then(|| [host.strip_prefix("www.").unwrap_or(host), path].concat());
    }
    parsed_key(&Url::parse(address).ok()?)
}

/// Host and path of an address that needs no normalization of case or escapes, as most do; others give `None` and have to be
/// parsed.
fn plain_parts(address: &str) -> Option<(&str, &str)> {
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"))?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.contains("--")
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    // A last label with digits may be part of an IP address.
    let has_name = host.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_lowercase()));
    let is_plain = has_name
        && host.split('.').all(is_label)
        && !path.contains("/.")
        && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b));
    is_plain.then_some((host, path))
}

fn parsed_key(url: &Url) -> Option<String> {
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let host = url.host_str()?.trim_end_matches('.');
    let host = host.strip_prefix("www.").unwrap_or(host);
    let mut key = host.to_owned();
    if let Some(port) = url.port().filter(|port| !matches!(port, 80 | 443)) {
        key.push_str(&format!(":{port}"));
    }
    let path =
        if may_have_session(url.path()) { without_path_session(url.path()) } else { url.path().to_owned() };
    let path = without_index(path.trim_end_matches('/'));
    key.push_str(&normal_escapes(path));
    let mut pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(k, v)| (k.into_owned(), v.into_owned()))
        .filter(|(name, value)| !is_beside_the_page(name, value) && !is_session(name, value))
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

/// Whether a parameter does not affect the page shown.
fn is_beside_the_page(name: &str, value: &str) -> bool {
    SHOWN.contains(&name.to_ascii_lowercase().as_str()) || is_tracking(name, value)
}

fn is_tracking(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TRACKING.contains(&name.as_str())
        || TRACKING_FAMILIES.iter().any(|family| name.starts_with(family))
        || TRACKING_MEMBERS.contains(&name.as_str())
        || (name == "source"
            && (value.starts_with("rss") || value.starts_with("post_internal") || value.starts_with("---")))
        || (matches!(name.as_str(), "ref" | "from")
            && matches!(value, "rss" | "feed" | "newsletter" | "twitter" | "facebook"))
}

/// Normalizes escapes, which differ in case and in whether they were needed.
fn normal_escapes(path: &str) -> String {
    if !path.contains('%') {
        return path.to_owned();
    }
    let decoded = unescaped(path).fold(Vec::with_capacity(path.len()), |mut bytes, (byte, written)| {
        // An escaped slash is not a separator.
        if byte == b'/' {
            bytes.extend(written)
        } else {
            bytes.push(byte)
        }
        bytes
    });
    String::from_utf8(decoded).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn plain_addresses_have_the_keys_that_parsing_gives() {
        let hosts = [
            "x.org",
            "www.x.org",
            "www.org",
            "a-b.x1.org",
            "x",
            "www.www.x.org",
            "xn--p1ai.org",
            "1.2.3.4",
            "1.2.3.0x4",
            "X.org",
            "x.org.",
            ".x.org",
            "x..org",
            "-x-.org",
            "x.org:80",
            "u@x.org",
            "a_b.org",
            "",
        ];
        let paths = [
            "",
            "/",
            "/a",
            "/a/",
            "/a//",
            "//a//b",
            "/a/index.html",
            "/index.php/",
            "/a/amp",
            "/A-b_c.d~e",
            "/a/../b",
            "/./a",
            "/...",
            "/a.",
            "/a/.b",
            "/a%2Db",
            "/a;b",
            "/a b",
            "/a\\b",
            "/é",
            "/a?b=1",
            "/a#b",
            "/a#!b",
            "?b",
            "#b",
        ];
        for (host, path) in hosts.iter().flat_map(|host| paths.iter().map(move |path| (host, path))) {
            for scheme in ["http://", "https://", "HTTP://", "ftp://"] {
                let address = format!("{scheme}{host}{path}");
                let parsed = Url::parse(&address).ok().and_then(|url| parsed_key(&url));
                assert_eq!(canonical_key(&address), parsed, "{address}");
            }
        }
    }

    #[test]
    fn a_user_and_a_password_are_taken_out() {
        assert_eq!(without_credentials("https://ana:secret@x.org/a?b=1"), "https://x.org/a?b=1");
        assert_eq!(without_credentials("https://x.org/@ana"), "https://x.org/@ana");
        assert_eq!(without_credentials("mailto:ana@x.org"), "mailto:ana@x.org");
    }

    #[test]
    fn a_visit_and_how_it_came_are_no_part_of_an_address() {
        for (address, want) in [
            ("https://x.org/a?utm_source=rss&id=1", "https://x.org/a?id=1"),
            ("https://x.org/a?fbclid=Iw&utm_medium=x#top", "https://x.org/a#top"),
            ("https://x.org/a?x=%C3%A9&b=2", "https://x.org/a?x=%C3%A9&b=2"),
            ("https://x.org/a;jsessionid=0A1B2C3D4E5F?id=1", "https://x.org/a?id=1"),
            ("https://x.org/a?PHPSESSID=k3j4h5k3j4h5k3j4h5", "https://x.org/a"),
            ("https://x.org/a?sid=12", "https://x.org/a?sid=12"),
            ("https://x.org/a#xtor=RSS-1", "https://x.org/a"),
            ("https://x.org/a?PHPSESSID=1", "https://x.org/a"),
            ("https://x.org/(S(lit3py55t21z5v55vlm25s55))/a.aspx?id=3", "https://x.org/a.aspx?id=3"),
            ("https://x.org/(some))/a", "https://x.org/(some))/a"),
            ("https://x.org/a?mtm_campaign=m&pk_kwd=k&id=3", "https://x.org/a?id=3"),
            ("https://x.org/a?at_medium=rss&at_custom1=z&xtor=RSS-2", "https://x.org/a"),
            ("https://x.org/a?WT.mc_id=w&mkt_tok=t&_gl=1&cm_mmc=e&elqTrackId=9", "https://x.org/a"),
            ("https://x.org/a?pk=4&at=5&ga=6&cid=7&_=8", "https://x.org/a?pk=4&at=5&ga=6&cid=7&_=8"),
        ] {
            assert_eq!(without_tracking(address), want);
        }
        let visits =
            ["https://x.org/a?id=1&sid=4f2a9c0e7b1d8f3a", "https://x.org/a;jsessionid=4F2A9C0E?id=1"];
        for visit in visits {
            assert_eq!(canonical_key(visit).as_deref(), Some("x.org/a?id=1"));
        }
        let shown = "<img src=\"https://x.org/a.png?w=3&amp;msclkid=7\"> https://x.org/a?share=x#comments";
        assert_eq!(
            without_tracking_in(shown.to_owned()),
            "<img src=\"https://x.org/a.png?w=3\"> https://x.org/a?share=x#comments"
        );
        let text = "See https://x.org/a?utm_source=ville, or (http://y.org/b?fbclid=1&amp;c=2). Not utm_x.";
        assert_eq!(
            without_tracking_in(text.to_owned()),
            "See https://x.org/a, or (http://y.org/b?c=2). Not utm_x."
        );
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
