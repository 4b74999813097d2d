//! Addresses, language tags and media types in the form that their standards want: documents of ours hold no others, whatever a source
//! wrote.

use url::Url;

use super::entry::Entry;
use super::feed::Enclosure;
use crate::support::text::is_language_tag;

/// Schemes of links; what is shown or enclosed has to be on the web.
const LINK_SCHEMES: [&str; 8] = ["http", "https", "ftp", "mailto", "magnet", "tel", "xmpp", "gemini"];
const WEB_SCHEMES: [&str; 2] = ["http", "https"];

impl Entry {
    /// Leaves out or mends what no document may hold. Entries that were stored by an earlier version may still have it.
    #[must_use]
    pub fn made_valid(mut self) -> Entry {
        self.url = self.url.take().and_then(link_address);
        self.same_as = std::mem::take(&mut self.same_as).into_iter().filter_map(link_address).collect();
        self.language = self.language.take().filter(|language| is_language_tag(language));
        for author in &mut self.authors {
            author.url = author.url.take().and_then(link_address);
        }
        self.image = self.image.take().and_then(|mut image| {
            image.url = web_address(image.url)?;
            Some(image)
        });
        self.enclosures =
            std::mem::take(&mut self.enclosures).into_iter().filter_map(valid_enclosure).collect();
        self.alternates.retain_mut(|alternate| {
            let url = link_address(std::mem::take(&mut alternate.url));
            alternate.url = url.unwrap_or_default();
            !alternate.url.is_empty() && is_language_tag(&alternate.language)
        });
        if let Some(origin) = &mut self.provenance {
            origin.url = origin.url.take().and_then(link_address);
            origin.feed_url = origin.feed_url.take().and_then(link_address);
        }
        self
    }
}

fn valid_enclosure(enclosure: Enclosure) -> Option<Enclosure> {
    let mime_type = enclosure.mime_type.as_deref().and_then(valid_media_type);
    Some(Enclosure { url: web_address(enclosure.url)?, mime_type, ..enclosure })
}

/// An address that a reader may follow.
fn link_address(address: String) -> Option<String> {
    valid_address(address, &LINK_SCHEMES)
}

/// The address of a picture or a file.
pub fn web_address(address: String) -> Option<String> {
    valid_address(address, &WEB_SCHEMES)
}

/// An address as RFC 3986 has it: as written if it is one, else as a browser would ask for it; `None` for what cannot be one.
fn valid_address(address: String, schemes: &[&str]) -> Option<String> {
    if is_valid(&address, schemes) {
        return Some(address);
    }
    let address = address.trim();
    let (scheme, rest) = address.split_once(':')?;
    // "https:///path" and "https:path" would take the path for a host.
    let has_host = rest.strip_prefix("//").is_some_and(|rest| !rest.starts_with(['/', '\\']));
    if is_hierarchical(scheme) && !has_host {
        return None;
    }
    let url = Url::parse(address).ok()?;
    Some(encoded(url.as_str())).filter(|address| is_valid(address, schemes))
}

fn is_hierarchical(scheme: &str) -> bool {
    ["http", "https", "ftp", "gemini"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// Whether an address is a URI of one of these schemes (RFC 3986), with a host where the scheme has one.
fn is_valid(address: &str, schemes: &[&str]) -> bool {
    let Some((scheme, rest)) = address.split_once(':') else { return false };
    if !schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return false;
    }
    let rest = match is_hierarchical(scheme) {
        true => rest.strip_prefix("//").and_then(after_host),
        false => Some(rest),
    };
    let is_written_well =
        rest.is_some_and(|rest| rest.matches('#').count() <= 1 && bad_byte(rest.as_bytes(), 0).is_none());
    is_written_well && (!is_hierarchical(scheme) || !may_be_no_host(address) || Url::parse(address).is_ok())
}

/// Whether what looks like a host may be none: an encoded name, a number or a port beyond all, an address of IPv6. Most need not be
/// parsed.
fn may_be_no_host(address: &str) -> bool {
    let rest = address.split_once("//").map_or("", |(_, rest)| rest);
    let host = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or(host);
    host.contains([':', '['])
        || host.to_ascii_lowercase().contains("xn--")
        || last.starts_with(|c: char| c.is_ascii_digit())
}

/// What follows a host with its port; `None` if there is no host.
fn after_host(rest: &str) -> Option<&str> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = match rest[..end].rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => &rest[..end],
    };
    let is_literal = host.starts_with('[')
        && host.ends_with(']')
        && host[1..host.len() - 1]
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
    let is_name = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'));
    (is_literal || is_name).then_some(&rest[end..])
}

/// The first byte from `from` on that no path, query or fragment may hold as it is.
fn bad_byte(bytes: &[u8], from: usize) -> Option<usize> {
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    (from..bytes.len()).find(|&at| match bytes[at] {
        b'%' => !(is_hex(at + 1) && is_hex(at + 2)),
        byte => !(byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=".contains(&byte)),
    })
}

/// Percent-encodes what the standard of browsers leaves as it is and RFC 3986 does not allow.
fn encoded(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + "://".len());
    let path = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    let mut out = url[..path].to_owned();
    let rest = &url[path..];
    let mut from = 0;
    while let Some(at) = bad_byte(rest.as_bytes(), from) {
        out.push_str(&rest[from..at]);
        // What is left of a `Url` is ASCII.
        out.push_str(&format!("%{:02X}", rest.as_bytes()[at]));
        from = at + 1;
    }
    out.push_str(&rest[from..]);
    match out.split_once('#') {
        Some((head, fragment)) if fragment.contains('#') => {
            format!("{head}#{}", fragment.replace('#', "%23"))
        }
        _ => out,
    }
}

/// A media type without its parameters (RFC 6838 section 4.2), which hardly anybody reads and many write wrong.
fn valid_media_type(text: &str) -> Option<String> {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let whole = text.split(';').next().unwrap_or(text).trim();
    let (kind, name) = whole.split_once('/')?;
    (is_name(kind) && is_name(name)).then(|| whole.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_as_written_if_they_are_some_and_else_as_a_browser_asks_for_them() {
        let link = |address: &str| link_address(address.to_owned());
        for whole in [
            "https://x.org",
            "HTTP://X.org:8080/a%20b?c=d&e#f",
            "mailto:a@x.org",
            "https://[2001:db8::1]/a",
            "tel:+33-1-23",
            "https://x.org/a(b)/c;d=e,f'g!*~$@",
        ] {
            assert_eq!(link(whole).as_deref(), Some(whole));
        }
        for (written, asked) in [
            ("https://x.org/a b", "https://x.org/a%20b"),
            ("https://x.org/\u{e9}", "https://x.org/%C3%A9"),
            ("https://\u{e9}.org/", "https://xn--9ca.org/"),
            ("https://x.org/%zz?a=%", "https://x.org/%25zz?a=%25"),
            ("https://x.org/[a]|{b}^`\"", "https://x.org/%5Ba%5D%7C%7Bb%7D%5E%60%22"),
            ("https://x.org/a?b=[c]{d}|\\^`", "https://x.org/a?b=%5Bc%5D%7Bd%7D%7C%5C%5E%60"),
            ("https://x.org/a#b#c", "https://x.org/a#b%23c"),
            ("https://x.org\\a", "https://x.org/a"),
            (" https://x.org/\u{fffe}\u{1b}a\n", "https://x.org/%EF%BF%BE%1Ba"),
        ] {
            assert_eq!(link(written).as_deref(), Some(asked), "{written}");
        }
        for none in [
            "https:///\u{e9}/path",
            "https:\u{e9}/x",
            "http://",
            "story/1",
            "",
            "javascript:x",
            "http://x.org:99999/",
            "http://xn--/",
            "http://XN--/",
            "http://1.2.3.999/",
            "http://[:::]/",
            "https:/x.org/a b",
        ] {
            assert_eq!(link(none), None, "{none}");
        }
        assert_eq!(web_address("mailto:a@x.org".into()), None, "no picture");
    }

    #[test]
    fn media_types_are_told_from_others() {
        for (text, valid) in [
            ("audio/mpeg", "audio/mpeg"),
            ("image/svg+xml", "image/svg+xml"),
            ("text/html; charset=\"", "text/html"),
            ("application/vnd.ms-excel;", "application/vnd.ms-excel"),
        ] {
            assert_eq!(valid_media_type(text).as_deref(), Some(valid));
        }
        for other in ["", "audio", "audio/", "audio\"/mpeg", "audio/m\u{1f600}", "a/b/c", "; a=b"] {
            assert_eq!(valid_media_type(other), None, "{other}");
        }
    }
}
