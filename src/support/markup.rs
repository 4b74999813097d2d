//! The tags of HTML as a parser sees them, and what bounds the costs of writing it again after it was parsed.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memchr2_iter, memchr3, memmem, memrchr_iter};

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

/// Elements that take what follows them with them, up to their end tag, although they were written as empty (`<iframe/>`), as XHTML
/// has it: HTML knows no empty elements but those that have no end tag.
const TAKING: [&str; 11] = [
    "textarea", "title", "iframe", "noembed", "noframes", "script", "style", "xmp", "noscript", "template",
    "select",
];

/// What says in another notation what a formula says.
const ANNOTATIONS: [&str; 2] = ["annotation", "annotation-xml"];

/// Elements of MathML, whose text is read without them.
const MATH: [&str; 35] = [
    "math",
    "mi",
    "mo",
    "mn",
    "ms",
    "mtext",
    "mspace",
    "mrow",
    "mfrac",
    "msqrt",
    "mroot",
    "mstyle",
    "merror",
    "mpadded",
    "mphantom",
    "mfenced",
    "menclose",
    "msub",
    "msup",
    "msubsup",
    "munder",
    "mover",
    "munderover",
    "mmultiscripts",
    "mprescripts",
    "mtable",
    "mtr",
    "mlabeledtr",
    "mtd",
    "maction",
    "maligngroup",
    "malignmark",
    "semantics",
    "annotation",
    "annotation-xml",
];

/// Those of them whose content is no text: without an end, all that follows may be code.
const CODE: [&str; 2] = ["script", "style"];

/// HTML as its authors meant it, before it is parsed and made safe: empty and unfinished elements that would take the rest with them
/// are closed, of formulas only the text is left, and tags of which `is_left_out` are left out.
pub fn as_meant(html: &str, is_left_out: impl Fn(&str) -> bool) -> Cow<'_, str> {
    let bytes = html.as_bytes();
    let (mut out, mut done, mut at, mut is_in_math) = (String::new(), 0, 0, false);
    let (mut last_ends, mut has_ends) = ([None; TAKING.len()], true);
    while let Some(found) = memchr(b'<', &bytes[at..]) {
        let start = at + found;
        at = start + length_of_markup(&bytes[start..]);
        let is_end = bytes.get(start + 1) == Some(&b'/');
        let name = name_of_tag(&bytes[start + 1 + usize::from(is_end)..]);
        let is = |known: &&&str| known.as_bytes().eq_ignore_ascii_case(name);
        if let Some(kind) = TAKING.iter().position(|known| is(&known)).filter(|_| !is_end) {
            let taking = TAKING[kind];
            let last_end = *last_ends[kind].get_or_insert_with(|| last_end_of(bytes, taking));
            let is_endless = last_end < at && !CODE.contains(&taking);
            if is_endless || bytes[..at].ends_with(b"/>") && !is_ended(&bytes[at..], taking) {
                push_apart(&mut out, &html[done..at]);
                out.push_str(&format!("</{taking}>"));
                done = at;
            } else if RAW.contains(&taking) {
                at += length_of_raw(&bytes[at..], taking);
            }
            continue;
        }
        let is_math = MATH.iter().any(|known| is(&known));
        if name.eq_ignore_ascii_case(b"math") {
            is_in_math = !is_end;
        }
        if is_in_math && !is_end && has_ends && ANNOTATIONS.iter().any(|known| is(&known)) {
            let length = length_of_raw(&bytes[at..], &String::from_utf8_lossy(name));
            // Without an end, it takes nothing with it, and none is looked for again.
            has_ends = at + length < bytes.len();
            at += if has_ends { length } else { 0 };
        }
        if is_math || !is_end && is_left_out(&html[start..at]) {
            push_apart(&mut out, &html[done..start]);
            done = at;
        }
    }
    if done == 0 {
        return Cow::Borrowed(html);
    }
    push_apart(&mut out, &html[done..]);
    Cow::Owned(out)
}

/// Adds what follows something that was left out: "1" over "2" is no "12".
fn push_apart(out: &mut String, text: &str) {
    let is_digit = |c: char| c.is_ascii_digit();
    if out.ends_with(is_digit) && text.starts_with(is_digit) {
        out.push(' ');
    }
    out.push_str(text);
}

/// The letters and digits of the name of a tag.
fn name_of_tag(rest: &[u8]) -> &[u8] {
    &rest[..rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count()]
}

/// Where the last end tag of this name starts; 0 if there is none.
fn last_end_of(bytes: &[u8], name: &str) -> usize {
    let end = format!("/{name}");
    memrchr_iter(b'<', bytes).find(|at| is_tag_of(&bytes[*at..], &end)).unwrap_or_default()
}

/// Whether the next tag of this name is an end tag.
fn is_ended(rest: &[u8], name: &str) -> bool {
    let end = format!("/{name}");
    let mut tags = memchr_iter(b'<', rest);
    let next = tags.find(|at| is_tag_of(&rest[*at..], name) || is_tag_of(&rest[*at..], &end));
    next.is_some_and(|at| rest[at + 1] == b'/')
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
    fn empty_elements_end_where_they_were_written_to_end() {
        for name in TAKING {
            let meant = as_meant(&format!("a <{name} src='x>'/> b <p>c</p>"), |_| false).into_owned();
            assert_eq!(meant, format!("a <{name} src='x>'/></{name}> b <p>c</p>"));
        }
        for same in [
            "<script src='x'/>var a = 1;</script>b",
            "<iframe src='x'/></iframe>b",
            "<iframe src='x'></iframe>b",
            "<!-- <style/> -->b",
            "<a title='<style/>'>b</a>",
            "<style><script/></style>b",
            "<br/>b<hr/>",
        ] {
            assert_eq!(as_meant(same, |_| false), same);
        }
        assert_eq!(as_meant("a<iframe src=b>c<p>d", |_| false), "a<iframe src=b></iframe>c<p>d");
        assert_eq!(as_meant("a<script>b<p>d", |_| false), "a<script>b<p>d");
        let two = as_meant("<iframe src='a'/>b<iframe src='c'></iframe>d", |_| false).into_owned();
        assert_eq!(two, "<iframe src='a'/></iframe>b<iframe src='c'></iframe>d");
    }

    #[test]
    fn of_formulas_the_text_is_left() {
        for (formula, text) in [
            ("<math><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow></math>", "a+b"),
            ("x <MATH display='block'><mfrac><mn>1</mn><mn>2</mn></mfrac></MATH>.", "x 1 2."),
            (
                "<math><semantics><mi>a</mi><annotation encoding='t'>\\a</annotation></semantics></math> b",
                "a b",
            ),
            ("<math><mi>a</mi><annotation-xml>b", "ab"),
            ("<p><annotation>kept</annotation></p>", "<p>kept</p>"),
        ] {
            assert_eq!(as_meant(formula, |_| false), text);
        }
        assert_eq!(as_meant("a<img 1>b<img 2>", |tag| tag == "<img 1>"), "ab<img 2>");
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
