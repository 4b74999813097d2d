//! Splits a document into tags and text, and resolves references in them. Knows nothing of how elements nest.

use std::borrow::Cow;
use std::collections::HashMap;

use memchr::{memchr, memchr_iter, memmem};

use crate::extract::charset::windows_1252;
use crate::support::text::named_reference;

/// Maximum number of entities read from a DOCTYPE, bytes of each, and bytes added by all expansions.
const ENTITIES_MAX: usize = 256;
const ENTITY_BYTES_MAX: usize = 16 * 1024;
const EXPANSION_BYTES_MAX: usize = 256 * 1024;

/// A lexical token of the document.
pub(super) enum XmlToken<'a> {
    Start { name: &'a str, attributes: &'a str, is_empty: bool },
    End(&'a str),
    Text(&'a str),
    CData(&'a str),
}

/// Reads one token after the other.
pub(super) struct Tokens<'a> {
    text: &'a str,
    pub(super) position: usize,
    /// Start of the last token read.
    pub(super) token_start: usize,
    entities: HashMap<&'a str, &'a str>,
    expanded_bytes: usize,
    /// Marks that do not occur any more: what they would end is not searched for again and again.
    absent: Vec<&'static str>,
    pub(super) problems: Vec<String>,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Tokens<'a> {
        Tokens {
            text,
            position: 0,
            token_start: 0,
            entities: HashMap::new(),
            expanded_bytes: 0,
            absent: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Notes a problem that was repaired, each once.
    pub(super) fn problem(&mut self, text: &str) {
        if self.problems.len() < 8 && !self.problems.iter().any(|known| known == text) {
            self.problems.push(text.to_owned());
        }
    }

    /// The place of a mark after `from` in the rest of the document.
    fn find_mark(&mut self, mark: &'static str, rest: &str, from: usize) -> Option<usize> {
        if self.absent.contains(&mark) {
            return None;
        }
        let found = memmem::find(&rest.as_bytes()[from..], mark.as_bytes());
        if found.is_none() {
            self.absent.push(mark);
        }
        found.map(|at| from + at)
    }

    /// Reads a CDATA section; `inner` starts after its opening.
    fn cdata(&mut self, inner: &'a str) -> XmlToken<'a> {
        let end = memmem::find(inner.as_bytes(), b"]]>");
        self.position += "<![CDATA[".len() + end.map_or(inner.len(), |end| end + "]]>".len());
        if end.is_none() {
            self.problem("a CDATA section never ends: the document was cut short");
        }
        XmlToken::CData(&inner[..end.unwrap_or(inner.len())])
    }

    fn end_tag(&mut self, rest: &'a str) -> XmlToken<'a> {
        let end = end_of_tag(rest);
        self.position += end;
        let name = rest[2..end].trim_end_matches('>').trim();
        XmlToken::End(name.split_ascii_whitespace().next().unwrap_or(name))
    }

    pub(super) fn next_token(&mut self) -> Option<XmlToken<'a>> {
        loop {
            self.token_start = self.position;
            let rest = &self.text[self.position..];
            if rest.is_empty() {
                return None;
            }
            if !rest.starts_with('<') {
                let end = memchr(b'<', rest.as_bytes()).unwrap_or(rest.len());
                self.position += end;
                return Some(XmlToken::Text(&rest[..end]));
            }
            if let Some(inner) = rest.strip_prefix("<![CDATA[") {
                return Some(self.cdata(inner));
            }
            match rest.as_bytes().get(1) {
                Some(b'!') => {
                    if let Some(token) = self.skip_declaration(rest) {
                        return Some(token);
                    }
                }
                Some(b'?') => {
                    let end = self.find_mark("?>", rest, 0);
                    self.position += end.map_or_else(|| end_of_tag(rest), |end| end + 2);
                }
                Some(b'/') => return Some(self.end_tag(rest)),
                Some(c) if c.is_ascii_alphabetic() || *c == b'_' || !c.is_ascii() => {
                    return Some(self.start_tag(rest));
                }
                _ => {
                    self.problem("an unescaped < in the text");
                    self.position += 1;
                    return Some(XmlToken::Text("<"));
                }
            }
        }
    }

    /// Skips a comment or DOCTYPE; any other `<!` is text.
    fn skip_declaration(&mut self, rest: &'a str) -> Option<XmlToken<'a>> {
        if rest.starts_with("<!--") {
            match self.find_mark("-->", rest, 4) {
                Some(end) => self.position += end + 3,
                None => {
                    self.problem("a comment never ends: its mark was passed over");
                    self.position += 4;
                }
            }
        } else if rest.len() >= 9 && rest.as_bytes()[2..9].eq_ignore_ascii_case(b"DOCTYPE") {
            self.position += self.doctype(rest);
        } else {
            self.position += 2;
            return Some(XmlToken::Text("<!"));
        }
        None
    }

    /// Reads the entities of the internal subset; returns the length of the declaration.
    fn doctype(&mut self, rest: &'a str) -> usize {
        let close = memchr(b'>', rest.as_bytes()).map_or(rest.len(), |at| at + 1);
        let Some(open) = memchr(b'[', &rest.as_bytes()[..close]) else { return close };
        let Some(end) = self.find_mark("]", rest, open) else { return close };
        for (at, _) in rest[open..end].match_indices("<!ENTITY").take(ENTITIES_MAX) {
            let declaration = rest[open + at + 8..end].trim_start();
            let Some((name, value)) = declaration.split_once(|c: char| c.is_ascii_whitespace()) else {
                continue;
            };
            let value = value.trim_start();
            let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else { continue };
            let Some(value) = value[1..].split(quote).next() else { continue };
            if value.len() <= ENTITY_BYTES_MAX {
                self.entities.insert(name, value);
            }
        }
        memchr(b'>', &rest.as_bytes()[end..]).map_or(rest.len(), |at| end + at + 1)
    }

    fn start_tag(&mut self, rest: &'a str) -> XmlToken<'a> {
        let end = end_of_tag(rest);
        if !rest[..end].ends_with('>') {
            self.problem("a tag never ends");
        }
        self.position += end;
        let inner = rest[1..end].trim_end_matches('>');
        let is_empty = inner.ends_with('/');
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        let name_end = inner.find(|c: char| c.is_ascii_whitespace() || c == '/').unwrap_or(inner.len());
        XmlToken::Start { name: &inner[..name_end], attributes: &inner[name_end..], is_empty }
    }

    /// Resolves character and entity references; unknown ones stay as they are.
    pub(super) fn resolve_references(&mut self, raw: &'a str) -> Cow<'a, str> {
        if memchr(b'&', raw.as_bytes()).is_none() {
            return Cow::Borrowed(raw);
        }
        let mut out = String::with_capacity(raw.len());
        self.resolve_into(raw, &mut out, 0);
        Cow::Owned(out)
    }

    fn resolve_into(&mut self, raw: &'a str, out: &mut String, nesting: usize) {
        let mut rest = raw;
        while let Some(at) = memchr(b'&', rest.as_bytes()) {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let name_end = rest[1..]
                .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '#' | '_' | '.' | '-')))
                .map_or(rest.len(), |end| end + 1);
            let name = &rest[1..name_end];
            let has_semicolon = rest[name_end..].starts_with(';');
            let after = &rest[name_end + usize::from(has_semicolon)..];
            if let Some(number) = name.strip_prefix('#') {
                rest = push_character(number, after, out).unwrap_or_else(|| keep(rest, out));
            } else if let Some(value) = self.entities.get(name).copied().filter(|_| has_semicolon) {
                self.expanded_bytes += value.len();
                if nesting < 4 && self.expanded_bytes <= EXPANSION_BYTES_MAX {
                    self.resolve_into(value, out, nesting + 1);
                } else {
                    self.problem("entities expand without end: they were cut");
                }
                rest = after;
            } else if let Some(text) = named_reference(name).filter(|_| has_semicolon) {
                out.push_str(&text);
                rest = after;
            } else {
                self.problem("an & stands bare or names nothing known");
                rest = keep(rest, out);
            }
        }
        out.push_str(rest);
    }
}

/// Keeps the `&` as text and continues after it.
fn keep<'b>(rest: &'b str, out: &mut String) -> &'b str {
    out.push('&');
    &rest[1..]
}

/// Maximum length of the number of a surrogate: `xDC00`, with some zeros.
const NUMBER_BYTES_MAX: usize = 16;

/// Appends the character of a numeric reference; surrogate pairs are joined, and the C1 range is read as windows-1252, as in
/// every browser. `None` if it is not a number.
fn push_character<'b>(number: &str, after: &'b str, out: &mut String) -> Option<&'b str> {
    let code = reference_number(number)?;
    if (0xD800..0xDC00).contains(&code) {
        let low_end = after
            .strip_prefix("&#")
            .and_then(|rest| rest.bytes().take(NUMBER_BYTES_MAX).position(|b| b == b';'));
        if let Some(low) = low_end
            .and_then(|end| reference_number(&after[2..end + 2]))
            .filter(|low| (0xDC00..0xE000).contains(low))
        {
            out.push(
                char::from_u32(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)).unwrap_or('\u{FFFD}'),
            );
            return low_end.map(|end| &after[end + 3..]);
        }
    }
    let c = match code {
        0 => '\u{FFFD}',
        _ => windows_1252(char::from_u32(code).unwrap_or('\u{FFFD}')),
    };
    out.push(c);
    Some(after)
}

fn reference_number(number: &str) -> Option<u32> {
    match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => number.parse().ok(),
    }
}

/// The length of the tag at the start of `rest`, up to its `>` outside quotes; an unterminated tag ends before the next `<`.
fn end_of_tag(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while let Some(found) = bytes[at..].iter().position(|b| matches!(b, b'>' | b'"' | b'\'' | b'<')) {
        at += found;
        match bytes[at] {
            b'>' => return at + 1,
            b'<' => return at,
            quote => {
                let is_value = bytes[..at].iter().rev().find(|b| !b.is_ascii_whitespace()) == Some(&b'=');
                let close = if is_value { memchr(quote, &bytes[at + 1..]) } else { None };
                at += close.map_or(1, |close| close + 2);
            }
        }
    }
    rest.len()
}

/// Iterates over the raw attributes of a tag: quoted, unquoted or without value.
pub(super) struct Attributes<'a>(pub(super) &'a str);

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest =
            self.0.trim_start_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '"' | '\''));
        let name_end = rest.find(|c: char| c.is_ascii_whitespace() || c == '=').unwrap_or(rest.len());
        if rest.is_empty() {
            return None;
        }
        let (name, after) = rest.split_at(name_end.max(usize::from(name_end == 0 && rest.starts_with('='))));
        let after = after.trim_start();
        let Some(value) = after.strip_prefix('=').map(str::trim_start) else {
            self.0 = after;
            return Some((name, ""));
        };
        let (value, left) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let end = memchr_iter(quote as u8, value.as_bytes()).nth(1).unwrap_or(value.len());
                (&value[1..end], value.get(end + 1..).unwrap_or(""))
            }
            _ => value.split_at(value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len())),
        };
        self.0 = left;
        Some((name, value))
    }
}
