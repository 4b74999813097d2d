//! Text utilities: named references, white space, folding, truncation. Knows no format and no type of ours.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::markup::extent_of_tag;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// The characters of a named HTML reference, given without semicolon.
pub fn named_reference(name: &str) -> Option<String> {
    let (first, second) = match name {
        // HTML 5 maps these to mathematical brackets, but old feeds mean the HTML 4 entities.
        "lang" => (0x2329, 0),
        "rang" => (0x232A, 0),
        _ => *markup5ever::data::NAMED_ENTITIES.get(format!("{name};").as_str())?,
    };
    let text: String =
        [first, second].into_iter().filter(|&code| code != 0).filter_map(char::from_u32).collect();
    (!text.is_empty()).then_some(text)
}

/// The beginning of a text, of at most so many bytes.
pub fn truncated(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// Replaces runs of white space and control characters by one space; no-break spaces are typography and are kept.
pub fn one_line(text: &str) -> String {
    let mut line = LineBuffer::with_capacity(text.len());
    line.push(text);
    line.text
}

/// Builds up a single line of text.
#[derive(Debug, Default)]
pub struct LineBuffer {
    pub text: String,
    /// White space follows the current text.
    is_parted: bool,
}

impl LineBuffer {
    pub fn with_capacity(bytes: usize) -> LineBuffer {
        LineBuffer { text: String::with_capacity(bytes), is_parted: false }
    }

    /// Appends text, without a space in between unless either side has one there.
    pub fn push(&mut self, more: &str) {
        let bytes = more.as_bytes();
        let mut at = 0;
        loop {
            let start = at + spaces(&more[at..]);
            self.is_parted |= start > at;
            if start == bytes.len() {
                return;
            }
            // Single spaces between words are kept, so most of a text is copied at once.
            at = start;
            loop {
                at += bytes[at..]
                    .iter()
                    .position(|byte| MAY_BE_SPACE[usize::from(*byte)])
                    .unwrap_or(bytes.len() - at);
                let is_between_words = bytes.get(at) == Some(&b' ')
                    && bytes.get(at + 1).is_some_and(|next| !MAY_BE_SPACE[usize::from(*next)]);
                match more[at..].chars().next() {
                    Some(c) if is_between_words || !is_space(c) => at += c.len_utf8(),
                    _ => break,
                }
            }
            if self.is_parted && !self.text.is_empty() {
                self.text.push(' ');
            }
            self.is_parted = false;
            self.text.push_str(&more[start..at]);
        }
    }
}

/// The bytes that white space and control characters start with, in UTF-8.
static MAY_BE_SPACE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte <= 0x20 || matches!(byte, 0x7F | 0xC2 | 0xE1..=0xE3);
        byte += 1;
    }
    table
};

fn is_space(c: char) -> bool {
    (c.is_whitespace() && !matches!(c, '\u{A0}' | '\u{202F}' | '\u{2007}')) || c.is_control()
}

/// The number of bytes of leading white space.
fn spaces(text: &str) -> usize {
    text.char_indices().find(|(_, c)| !is_space(*c)).map_or(text.len(), |(at, _)| at)
}

/// Size of the pieces that are scanned as a whole, in bytes.
const PIECE_BYTES: usize = 128;

/// Removes characters that no XML document may contain (XML 1.0 section 2.2) or that terminals would obey: control characters except
/// tab and line ends, and noncharacters.
pub fn printable(text: String) -> String {
    let is_control = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r') || byte == 0x7F;
    // Most texts have none of the bytes that such characters start with. Whole pieces are scanned without branches, so that the
    // loop can be vectorised.
    let may_have = |piece: &[u8]| {
        piece.iter().fold(false, |seen, byte| seen | is_control(*byte) | (*byte == 0xEF) | (*byte >= 0xF0))
    };
    let bytes = text.as_bytes();
    let has_c1 =
        || memchr::memchr_iter(0xC2, bytes).any(|at| bytes.get(at + 1).is_some_and(|byte| *byte < 0xA0));
    if !bytes.chunks(PIECE_BYTES).any(may_have) && !has_c1() {
        return text;
    }
    let is_noncharacter = |c: char| c as u32 & 0xFFFE == 0xFFFE || matches!(c, '\u{FDD0}'..='\u{FDEF}');
    let is_kept = |c: &char| {
        !is_noncharacter(*c) && !matches!(c, '\u{80}'..='\u{9F}') && !u8::try_from(*c).is_ok_and(is_control)
    };
    text.chars().filter(is_kept).collect()
}

/// Removes all control characters from what another program said: a terminal would obey them.
pub fn without_controls(text: &str) -> String {
    text.chars().filter(|c| !turns_direction(*c) && (!c.is_control() || matches!(c, '\t' | '\n'))).collect()
}

/// Whether a character turns the direction of what follows it (Unicode Standard Annex 9): in a line of a page or a terminal, also of
/// what somebody else wrote.
pub fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character leaves no mark where it stands: white space, or one without width.
pub fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
}

/// Truncates at the end of a word, and appends an ellipsis.
pub fn shorten(text: &str, chars_max: usize) -> String {
    let Some((cut, _)) = text.char_indices().nth(chars_max) else { return text.to_owned() };
    let head = &text[..cut];
    let end = head.rfind(char::is_whitespace).filter(|&end| end > cut / 2).unwrap_or(cut);
    format!("{}…", head[..end].trim_end_matches([' ', ',', ';', ':', '.', '\u{A0}']))
}

/// Truncates a text that is longer than `chars_max`, including the ellipsis.
pub fn fitting(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        text.to_owned()
    } else {
        shorten(text, chars_max.saturating_sub(1))
    }
}

/// The display width of a text: East Asian characters count as two columns (UAX 11, approximately).
fn columns(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

fn is_wide(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{115F}' | '\u{2E80}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}' | '\u{F900}'..='\u{FAFF}' | '\u{FE30}'..='\u{FE6F}' | '\u{FF00}'..='\u{FF60}' | '\u{1F300}'..='\u{1FAFF}' | '\u{20000}'..='\u{3FFFD}')
}

/// Appends a word that may be broken anywhere, as in scripts without spaces (Chinese, Japanese, Thai); returns the number of
/// columns used in the last line.
fn push_cut(out: &mut String, word: &str, mut used: usize, columns_max: usize) -> usize {
    for c in word.chars() {
        let width = columns(c.encode_utf8(&mut [0; 4]));
        if used + width > columns_max {
            out.push('\n');
            used = 0;
        }
        out.push(c);
        used += width;
    }
    used
}

/// Wraps a text to at most this many columns. Addresses stay whole, on the line of the preceding word.
pub fn wrapped(text: &str, columns_max: usize) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / columns_max);
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
        }
        if columns(line) <= columns_max {
            out.push_str(line);
            continue;
        }
        let mut used = 0;
        for word in line.split(' ') {
            let is_link = word.contains("://") || word.contains("@@");
            let width = columns(word);
            if used > 0
                && !is_link
                && used + 1 + width > columns_max
                && (width <= columns_max || used + 8 > columns_max)
            {
                out.push('\n');
                used = 0;
            } else if used > 0 {
                out.push(' ');
                used += 1;
            }
            if is_link || used + width <= columns_max {
                out.push_str(word);
                used += width;
                continue;
            }
            used = push_cut(&mut out, word, used, columns_max);
        }
    }
    out
}

/// Elements nested deeper are unwrapped: browsers stop at 512, and parsing time grows with the square of the depth.
const NESTING_MAX: usize = 256;
/// Tags with more attributes are dropped, since attributes are compared pairwise.
const ATTRIBUTES_MAX: usize = 512;

/// Text after this many tags is dropped: a tree takes a hundred times the memory of its tags.
const TAGS_MAX: usize = 100_000;

/// Elements that are void, or are closed implicitly by the next one of their kind.
const UNCOUNTED: [&str; 29] = [
    "area", "base", "body", "br", "col", "dd", "dt", "embed", "head", "hr", "html", "img", "input", "li",
    "link", "meta", "option", "p", "param", "source", "tbody", "td", "tfoot", "th", "thead", "tr", "track",
    "wbr", "optgroup",
];

/// Whether a tag may have many attributes, or an end other than its first `>`, after `length` bytes: few do.
fn is_unusual(tag: &[u8], length: usize) -> bool {
    let is_odd = |quote: u8| memchr::memchr_iter(quote, &tag[..length]).count() % 2 == 1;
    length > 2 * ATTRIBUTES_MAX || is_odd(b'"') || is_odd(b'\'')
}

/// Bounds nesting, attributes and tags of HTML, so that parsing takes linear time and a bounded multiple of its memory. HTML
/// within the bounds, as in all honest documents, is returned unchanged.
pub fn bound_markup(html: &str) -> Cow<'_, str> {
    let bytes = html.as_bytes();
    let (mut depth, mut unwrapped) = (0usize, 0usize);
    let (mut out, mut done) = (String::new(), 0);
    let (mut at, mut tags) = (0, 0);
    while let Some(found) = memchr::memchr(b'<', &bytes[at..]) {
        let start = at + found;
        at = start + 1;
        tags += 1;
        if tags > TAGS_MAX {
            out.push_str(&html[done..start]);
            return Cow::Owned(out);
        }
        let is_end = bytes.get(at) == Some(&b'/');
        let name_start = at + usize::from(is_end);
        let name_len = bytes[name_start..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let name = &bytes[name_start..name_start + name_len];
        if name.is_empty() {
            continue;
        }
        let mut end = memchr::memchr(b'>', &bytes[at..]).map_or(bytes.len(), |end| at + end + 1);
        let extent = is_unusual(&bytes[start..], end - start).then(|| extent_of_tag(&bytes[start..]));
        let has_too_many = extent.is_some_and(|(_, attributes)| attributes > ATTRIBUTES_MAX);
        end = extent.map_or(end, |(length, _)| start + length);
        let is_dropped = if UNCOUNTED.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name)) {
            false
        } else if is_end && unwrapped > 0 {
            unwrapped -= 1;
            true
        } else if is_end {
            depth = depth.saturating_sub(1);
            false
        } else if depth >= NESTING_MAX {
            unwrapped += 1;
            true
        } else {
            depth += usize::from(bytes.get(end.wrapping_sub(2)) != Some(&b'/'));
            false
        };
        if is_dropped || has_too_many {
            out.push_str(&html[done..start]);
            done = end;
            at = end;
        } else if extent.is_some() {
            at = end;
        }
    }
    if done == 0 {
        return Cow::Borrowed(html);
    }
    out.push_str(&html[done..]);
    Cow::Owned(out)
}

/// Lower case without diacritics, for comparing spellings.
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fold_into(&mut out, text);
    out
}

/// The text of HTML, roughly: each tag is a space, and references stay. For counting and comparing words, where a parser costs too much.
pub fn without_tags(html: &str) -> String {
    let mut parts = html.split('<');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push(' ');
        out.push_str(part.split_once('>').map_or(part, |(_, text)| text));
    }
    out
}

/// Appends folded text.
pub fn fold_into(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !byte.is_ascii()) {
        push_lower(out, &rest[..at]);
        let end =
            rest.as_bytes()[at..].iter().position(u8::is_ascii).map_or(rest.len(), |length| at + length);
        rest[at..end].chars().for_each(|c| fold_char(out, c));
        rest = &rest[end..];
    }
    push_lower(out, rest);
}

fn push_lower(out: &mut String, ascii: &str) {
    let start = out.len();
    out.push_str(ascii);
    out[start..].make_ascii_lowercase();
}

/// Folds each character by itself: only marks are reordered by decomposition, and those are dropped.
fn fold_char(out: &mut String, c: char) {
    match FOLDED.get(c as usize) {
        Some(&folded) if folded != NOT_ONE => out.push(folded),
        _ => decompose_compatible(c, |part| {
            if !is_combining_mark(part) {
                out.extend(part.to_lowercase());
            }
        }),
    }
}

/// In place of a character that does not fold to a single one.
const NOT_ONE: char = '\0';

/// Folded characters up to General Punctuation, since decomposition is far slower than this table.
static FOLDED: LazyLock<Vec<char>> = LazyLock::new(|| {
    let fold = |c: char| {
        let mut folded =
            [c].into_iter().nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
        match (folded.next(), folded.next()) {
            (Some(one), None) => one,
            _ => NOT_ONE,
        }
    };
    ('\0'..'\u{2070}').map(fold).collect()
});

/// Whether a character is invisible; such characters are copied along from pages and chats.
pub fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Removes diacritics and keeps case, for headers that allow ASCII only.
pub fn without_accents(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).collect()
}

/// Appends text with `& < > "` escaped.
pub fn push_escaped(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"']) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            _ => "&quot;",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

/// The text with `& < > "` escaped.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_escaped(&mut out, text);
    out
}

/// Bytes in hexadecimal, lower case.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Decodes hexadecimal text; `None` if invalid.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).filter_map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok()).collect())
}

/// A header of a mail is hardly ever longer, in bytes.
const FOLDED_BYTES_MAX: usize = 16 * 1024;

/// A mail whose headers, of whatever part, are not longer than any that somebody means: parsers compare each parameter of a header
/// with all others. What is left out are lines that go on, beyond the first so many bytes.
pub fn with_short_headers(mail: &[u8]) -> Cow<'_, [u8]> {
    let lines = mail.split_inclusive(|byte| *byte == b'\n');
    let kept = lines.scan(0, |length, line| {
        let goes_on = matches!(line.first(), Some(b' ' | b'\t'));
        *length = if goes_on { *length + line.len() } else { 0 };
        Some((line, *length <= FOLDED_BYTES_MAX))
    });
    match kept.clone().all(|(_, is_kept)| is_kept) {
        true => Cow::Borrowed(mail),
        false => {
            Cow::Owned(kept.filter(|(_, is_kept)| *is_kept).flat_map(|(line, _)| line).copied().collect())
        }
    }
}

/// No name of a reference is longer, in bytes.
const REFERENCE_BYTES_MAX: usize = 32;

/// The name of a reference, of which the ampersand was read: "eacute" of "eacute;". `None` if it does not end soon.
pub fn reference_name(after: &str) -> Option<&str> {
    let end = after.bytes().take(REFERENCE_BYTES_MAX).position(|byte| byte == b';')?;
    Some(&after[..end])
}

/// The bytes of a percent-encoded text (RFC 3986 section 2.1), each with its spelling: itself or its escape. A percent sign that
/// does not begin an escape stands for itself.
pub fn unescaped(text: &str) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let hex = |at: usize| rest.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let (byte, length) = match (*rest.first()?, hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => ((high * 16 + low) as u8, 3),
            (byte, ..) => (byte, 1),
        };
        let (written, more) = rest.split_at(length);
        rest = more;
        Some((byte, written))
    })
}

/// Decodes percent-encoding; `None` if it is malformed or not UTF-8.
pub fn percent_decoded(text: &str) -> Option<String> {
    let bytes = unescaped(text).map(|(byte, written)| (written != b"%").then_some(byte));
    String::from_utf8(bytes.collect::<Option<_>>()?).ok()
}

/// The primary subtag of a language tag (BCP 47, also with underscores): "fr" of "fr-CA".
pub fn primary_language(tag: &str) -> &str {
    tag.split(['-', '_']).next().unwrap_or(tag)
}

/// Whether two tags are of one language, whatever the region: "fr" and "fr-CA".
pub fn is_same_language(one: &str, other: &str) -> bool {
    primary_language(one).eq_ignore_ascii_case(primary_language(other))
}

/// The known name that is closest to another one; the first of several.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known.into_iter().min_by_key(|known| strsim::osa_distance(known, name))
}

/// What a message about an unknown name ends with: the closest known one, if one differs in a third of its letters at most.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let is_near = |near: &&str| {
        let letters = name.chars().count().max(near.chars().count());
        strsim::osa_distance(near, name) <= (letters / 3).max(1)
    };
    nearest(name, known).filter(is_near).map(|near| format!(": did you mean \"{near}\"?")).unwrap_or_default()
}

/// A number with its noun, for English messages: `1 story`, `2 stories`.
pub fn many<N: std::fmt::Display + PartialEq + From<u8>>(count: N, one: &str, more: &str) -> String {
    let noun = if count == N::from(1) { one } else { more };
    format!("{count} {noun}")
}

/// An ordinal number, for English messages: `1st`, `2nd`, `3rd`, `11th`.
pub fn ordinal(count: u64) -> String {
    let ending = match (count % 10, count % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{count}{ending}")
}

/// The writing direction of a language: `rtl` or `ltr`.
pub fn direction(language: &str) -> &'static str {
    let is_rtl = matches!(
        primary_language(language),
        "ar" | "fa" | "he" | "ur" | "ps" | "sd" | "yi" | "dv" | "ckb" | "ug"
    );
    if is_rtl { "rtl" } else { "ltr" }
}

/// Whether a text has the form of a language tag (BCP 47): `fr`, `pt-BR`.
pub fn is_language_tag(text: &str) -> bool {
    let is_part =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    // A letter alone begins an extension, and something has to follow it.
    let ends_well = text.rsplit('-').next().is_none_or(|last| last.len() > 1);
    let mut parts = text.split('-').enumerate();
    ends_well && parts.all(|(at, part)| is_part(part) && (at > 0 || (2..=3).contains(&part.len())))
}

/// The raw value of an attribute in a tag, quoted or not.
pub fn attribute_of<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let mut from = 0;
    while let Some(found) = tag[from..].find(name) {
        let at = from + found;
        from = at + name.len();
        let before = at.checked_sub(1).map(|before| tag.as_bytes()[before]);
        let is_start = before.is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\''));
        let Some(value) = tag[from..].trim_start().strip_prefix('=').filter(|_| is_start) else { continue };
        let value = value.trim_start();
        return match value.chars().next()? {
            quote @ ('"' | '\'') => value[1..].split(quote).next(),
            _ => value.split(|c: char| c.is_ascii_whitespace() || c == '>').next(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_at_words_and_addresses_stay_whole() {
        let long = "word ".repeat(40);
        let link = format!("Unsubscribe: https://x.example/{}", "a".repeat(100));
        let wide = "开放政府".repeat(30);
        for (text, most) in
            [(long.as_str(), 76), (link.as_str(), 200), (wide.as_str(), 38), ("", 0), ("a\n\nb", 1)]
        {
            let lines = wrapped(text, 76);
            assert!(lines.lines().all(|line| line.chars().count() <= most), "{lines}");
            assert_eq!(lines.replace(['\n', ' '], ""), text.replace(['\n', ' '], ""));
        }
        assert_eq!(wrapped(&link, 76), link);
        assert_eq!(wrapped("aa bb cc", 5), "aa bb\ncc");
        assert_eq!((fitting("abc", 3), fitting("abcd", 3)), ("abc".to_owned(), "ab…".to_owned()));
    }

    #[test]
    fn numbers_are_said_as_in_english() {
        assert_eq!(
            [0usize, 1, 2].map(|count| many(count, "entry", "entries")),
            ["0 entries", "1 entry", "2 entries"]
        );
        assert_eq!(
            [1, 2, 3, 4, 11, 13, 22, 103].map(ordinal).join(" "),
            "1st 2nd 3rd 4th 11th 13th 22nd 103rd"
        );
    }

    #[test]
    fn references_are_those_of_the_standard() {
        assert_eq!(named_reference("eacute").as_deref(), Some("é"));
        assert_eq!(named_reference("alpha").as_deref(), Some("α"));
        assert_eq!(named_reference("nothing"), None);
    }

    #[test]
    fn a_summary_is_cut_between_words() {
        assert_eq!(shorten("one two three", 9), "one two…");
        assert_eq!(shorten("short", 9), "short");
    }

    #[test]
    fn nesting_is_bounded_and_honest_html_is_left_alone() {
        let honest = format!("<div class=\"a>b\">{}<p>x<p>y</div>", "<li><b>c</b>".repeat(2000));
        assert!(matches!(bound_markup(&honest), Cow::Borrowed(_)));
        let deep =
            bound_markup(&format!("{}x{}y", "<div>".repeat(10_000), "</div>".repeat(10_000))).into_owned();
        assert_eq!(
            (deep.matches("<div>").count(), deep.matches("</div>").count()),
            (NESTING_MAX, NESTING_MAX)
        );
        assert!(deep.contains('x') && deep.ends_with('y'));
        let wide = format!("a<div {}>b", "x=1 ".repeat(5000));
        assert_eq!(bound_markup(&wide), "ab");
        assert_eq!(bound_markup(&"<p>x".repeat(TAGS_MAX + 5)).len(), 4 * TAGS_MAX);
    }

    #[test]
    fn hexadecimal_is_read_as_it_is_written() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert!(hex(&bytes).starts_with("000102") && hex(&bytes).ends_with("fdfeff"));
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
    }

    #[test]
    fn no_control_character_reaches_a_terminal() {
        assert_eq!(
            without_controls("550 \u{1b}[31mno\0 \u{9b}1msuch\u{7f}\r user\u{8}"),
            "550 [31mno 1msuch user"
        );
        assert_eq!(without_controls("é\tя\n好"), "é\tя\n好");
    }

    #[test]
    fn folding_drops_case_and_accents() {
        assert_eq!(fold("Élections À ŒUVRER"), "elections a œuvrer");
        assert_eq!(
            fold("½ ﬁn, e\u{301}té, İzmir, ΟΔΟΣ, 한국, ㎏"),
            "1⁄2 fin, ete, izmir, οδοσ, 한국".nfd().collect::<String>() + ", kg"
        );
    }

    #[test]
    fn folding_letter_by_letter_is_folding_the_whole() {
        let whole = |text: &str| -> String {
            text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
        };
        let chars: Vec<char> = ('\0'..=char::MAX).collect();
        for chars in chars.chunks(64) {
            let text: String = chars.iter().flat_map(|c| [*c, 'é', '\u{327}']).collect();
            assert_eq!(fold(&text), whole(&text), "{:x}", chars[0] as u32);
        }
    }

    #[test]
    fn typography_survives_one_line() {
        assert_eq!(one_line(" Un\n deux\u{A0}: trois "), "Un deux\u{A0}: trois");
        let split =
            |text: &str| text.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        for c in '\0'..=char::MAX {
            let text = format!("{c}a{c}b {c}{c} c{c} d {c}");
            assert_eq!(one_line(&text), split(&text), "{:x}", c as u32);
        }
    }

    #[test]
    fn a_line_is_put_together_from_pieces() {
        let mut line = LineBuffer::default();
        [" one", "two ", " ", "", "th", "ree", "\n"].iter().for_each(|piece| line.push(piece));
        assert_eq!(line.text, "onetwo three");
    }

    #[test]
    fn headers_that_go_on_without_end_are_cut_and_others_stay() {
        let mail = b"Subject: a\r\n b\r\n\r\nText\r\n  indented\r\n";
        assert!(matches!(with_short_headers(mail), Cow::Borrowed(_)));
        let long =
            [b"To: a@b.org\nX: a".as_slice(), &b";\n b=c".repeat(20_000), b"\nSubject: S\n\nText"].concat();
        let short = with_short_headers(&long);
        assert!(
            short.len() < 20_000
                && short.starts_with(b"To: a@b.org\nX: a;")
                && short.ends_with(b"Subject: S\n\nText")
        );
    }
}
