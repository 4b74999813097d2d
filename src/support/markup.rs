//! The tags of HTML as a parser sees them, and what bounds the costs of writing it again after it was parsed.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memchr2_iter, memchr3, memmem};

/// A text or a tag has at most so many characters that may have to be written as references. From each of them, html5ever looks
/// for the end of the text.
const REFERENCES_MAX: usize = 4096;

/// An element without a meaning: it parts one text from the next, also in tables and in foreign content.
const PARTING: &str = "<x-part></x-part>";

/// Elements whose content is no markup; in that of the first two, references are resolved.
const RAW: [&str; 8] = ["textarea", "title", "iframe", "noembed", "noframes", "script", "style", "xmp"];

/// Parts long texts that are full of references, so that writing them takes linear time; tags that are full of them are dropped,
/// and titles cut. HTML with few of them is returned unchanged, and no text says anything else.
pub fn parted(html: &str) -> Cow<'_, str> {
    let bytes = html.as_bytes();
    if memchr2_iter(b'&', 0xC2, bytes).nth(REFERENCES_MAX).is_none() {
        return Cow::Borrowed(html);
    }
    let mut out = String::with_capacity(html.len() + html.len() / 64);
    let (mut at, mut done, mut count) = (0, 0, 0);
    while let Some(found) = memchr3(b'<', b'&', 0xC2, &bytes[at..]) {
        at += found;
        if bytes[at] != b'<' {
            count += 1;
            if count > REFERENCES_MAX {
                out.push_str(&html[done..at]);
                out.push_str(PARTING);
                (done, count) = (at, 0);
            }
            at += 1;
            continue;
        }
        let tag_end = at + length_of_markup(&bytes[at..]);
        let raw = RAW.iter().position(|name| is_tag_of(&bytes[at..], name));
        let end = raw.map_or(tag_end, |raw| tag_end + length_of_raw(&bytes[tag_end..], RAW[raw]));
        let too_many = |from: usize| memchr2_iter(b'&', 0xC2, &bytes[from..end]).nth(REFERENCES_MAX);
        let cut = match raw {
            None => too_many(at).map(|_| at),
            Some(0 | 1) => too_many(tag_end).map(|cut| tag_end + cut),
            Some(_) => None,
        };
        if let Some(cut) = cut {
            out.push_str(&html[done..cut]);
            done = end;
        }
        at = end;
    }
    out.push_str(&html[done..]);
    Cow::Owned(out)
}

/// The length of the tag or comment at the start of `rest`; a `<` that starts none is text.
fn length_of_markup(rest: &[u8]) -> usize {
    match rest.get(1) {
        Some(first) if first.is_ascii_alphabetic() => extent_of_tag(rest).0,
        Some(b'/') if rest.get(2).is_some_and(u8::is_ascii_alphabetic) => extent_of_tag(rest).0,
        Some(b'!') if rest.starts_with(b"<!--") && !rest.starts_with(b"<!-->") => {
            memmem::find(&rest[4..], b"-->").map_or(rest.len(), |end| end + 7)
        }
        Some(b'!' | b'?' | b'/') => memchr(b'>', rest).map_or(rest.len(), |end| end + 1),
        _ => 1,
    }
}

/// The length of a tag, of which `>` within quotes is no end, and the number of its attributes.
pub(super) fn extent_of_tag(tag: &[u8]) -> (usize, usize) {
    let skip = |from: usize, is_skipped: &dyn Fn(u8) -> bool| {
        tag[from..].iter().position(|byte| !is_skipped(*byte)).map_or(tag.len(), |length| from + length)
    };
    let is_space = |byte: u8| byte.is_ascii_whitespace();
    let mut at = skip(1, &|byte| !is_space(byte) && byte != b'>');
    let mut attributes = 0;
    while at < tag.len() {
        at = skip(at, &|byte| is_space(byte) || byte == b'/');
        if tag.get(at) == Some(&b'>') {
            return (at + 1, attributes);
        }
        attributes += 1;
        // One may begin with `=`.
        let name_end =
            skip((at + 1).min(tag.len()), &|byte| !is_space(byte) && !matches!(byte, b'=' | b'>' | b'/'));
        at = skip(name_end, &is_space);
        if tag.get(at) != Some(&b'=') {
            continue;
        }
        at = skip(at + 1, &is_space);
        at = match tag.get(at) {
            Some(quote @ (b'"' | b'\'')) => {
                memchr(*quote, &tag[at + 1..]).map_or(tag.len(), |length| at + length + 2)
            }
            _ => skip(at, &|byte| !is_space(byte) && byte != b'>'),
        };
    }
    (tag.len(), attributes)
}

/// Whether a document starts with a tag of this name, or with its end tag if the name begins with a slash.
fn is_tag_of(rest: &[u8], name: &str) -> bool {
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>');
    rest.get(1..=name.len()).is_some_and(|own| own.eq_ignore_ascii_case(name.as_bytes()))
        && rest.get(name.len() + 1).is_none_or(is_end)
}

/// The length of the content of a raw element, up to its end tag.
fn length_of_raw(content: &[u8], name: &str) -> usize {
    let end = format!("/{name}");
    let mut tags = memchr_iter(b'<', content);
    tags.find(|at| is_tag_of(&content[*at..], &end)).unwrap_or(content.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many(text: &str) -> String {
        text.repeat(REFERENCES_MAX + 1)
    }

    #[test]
    fn only_what_is_full_of_references_is_parted() {
        for plain in ["<p>a &amp; b «c»</p>".to_owned(), many("<p>a</p>"), many("<a href='?a=1&b=2'>")] {
            let plain = &plain[..plain.len().min(3 * REFERENCES_MAX)];
            assert!(matches!(parted(plain), Cow::Borrowed(_)), "{}", &plain[..20]);
        }
        assert_eq!(parted(&many("&amp;")).matches(PARTING).count(), 1);
        assert_eq!(parted(&many("« </b>")).matches(PARTING).count(), 1);
    }

    #[test]
    fn only_text_is_parted() {
        let many = many("&");
        let [quoted, single, bare, end, comment] = [
            format!("<a title=\"> {many}\" href=x>"),
            format!("<a title = '>{many}'/>"),
            format!("<a =title=/{many}>"),
            format!("</a \"{many}>"),
            format!("<!-- > {many} -->"),
        ];
        for tag in [quoted, single, bare, end, comment] {
            assert_eq!(parted(&format!("a{tag}b")), "ab", "{}", &tag[..12]);
        }
        let script = format!("<script>{many}</script>b");
        assert_eq!(parted(&script), script);
        let title = format!("<TITLE>{many}&</TITLE >b");
        assert_eq!(parted(&title).len(), "<TITLE></TITLE >b".len() + REFERENCES_MAX);
    }
}
