//! A lenient pull reader for XML: it never fails, but repairs what it can and reports the problems. It resolves prefixes,
//! `xml:base` and `xml:lang`; it knows no feed format. External entities are never fetched, internal ones are expanded within a
//! budget.

use std::borrow::Cow;
use std::collections::HashMap;

use super::charset::windows_1252;
use crate::support::text::{named_reference, push_escaped};
use memchr::{memchr, memchr_iter, memmem};
use url::Url;

/// Deeper elements are skipped: no feed nests as deeply, and the stack stays small.
const DEPTH_MAX: usize = 256;
/// Maximum number of namespace declarations; documents with more are not feeds.
const BINDINGS_MAX: usize = 128;
/// Maximum number of entities read from a DOCTYPE, bytes of each, and bytes added by all expansions.
const ENTITIES_MAX: usize = 256;
const ENTITY_BYTES_MAX: usize = 16 * 1024;
const EXPANSION_BYTES_MAX: usize = 256 * 1024;

/// The known vocabularies. Unknown default namespaces count as `Core`: feeds declare dozens of them for plain RSS and Atom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vocabulary {
    Core,
    Atom,
    DublinCore,
    DcTerms,
    Content,
    Itunes,
    Media,
    Syndication,
    /// When and where something takes place: `ev` of RSS 1.0, and xCal.
    Event,
    Rdf,
    Xhtml,
    Other,
}

fn vocabulary_of_uri(uri: &str) -> Option<Vocabulary> {
    let uri = uri.trim().trim_end_matches('/').to_ascii_lowercase();
    Some(match uri.as_str() {
        "http://www.w3.org/2005/atom" | "http://purl.org/atom/ns#" | "http://purl.org/atom/app#" => {
            Vocabulary::Atom
        }
        "http://purl.org/dc/elements/1.1" | "http://purl.org/dc/elements/1.0" => Vocabulary::DublinCore,
        "http://purl.org/dc/terms" => Vocabulary::DcTerms,
        "http://purl.org/rss/1.0/modules/content" => Vocabulary::Content,
        "http://www.itunes.com/dtds/podcast-1.0.dtd" | "http://example.com/dtds/podcast-1.0.dtd" => {
            Vocabulary::Itunes
        }
        "http://search.yahoo.com/mrss"
        | "http://www.rssboard.org/media-rss"
        | "http://tools.search.yahoo.com/mrss" => Vocabulary::Media,
        "http://purl.org/rss/1.0/modules/event" | "urn:ietf:params:xml:ns:xcal" => Vocabulary::Event,
        "http://purl.org/rss/1.0/modules/syndication" => Vocabulary::Syndication,
        "http://www.w3.org/1999/02/22-rdf-syntax-ns#" => Vocabulary::Rdf,
        "http://www.w3.org/1999/xhtml" => Vocabulary::Xhtml,
        "http://purl.org/rss/1.0"
        | "http://my.netscape.com/rdf/simple/0.9"
        | "http://channel.netscape.com/rdf/simple/0.9"
        | "http://backend.userland.com/rss"
        | "http://backend.userland.com/rss2"
        | "http://blogs.law.harvard.edu/tech/rss"
        | "http://backend.userland.com/rss191"
        | "http://purl.org/net/rss1.1#"
        | "http://cyber.law.harvard.edu/rss/rss.html" => Vocabulary::Core,
        _ => return None,
    })
}

/// The vocabulary of an undeclared prefix.
fn vocabulary_of_bare_prefix(prefix: &str) -> Vocabulary {
    match prefix.to_ascii_lowercase().as_str() {
        "atom" | "atom10" | "atom03" | "a10" => Vocabulary::Atom,
        "dc" => Vocabulary::DublinCore,
        "dcterms" => Vocabulary::DcTerms,
        "content" => Vocabulary::Content,
        "itunes" => Vocabulary::Itunes,
        "media" => Vocabulary::Media,
        "sy" | "syn" => Vocabulary::Syndication,
        "rdf" => Vocabulary::Rdf,
        "xhtml" | "xh" | "html" | "h" => Vocabulary::Xhtml,
        "rss" | "rss1" | "rss11" | "cdf" => Vocabulary::Core,
        _ => Vocabulary::Other,
    }
}

/// An element whose start tag was just read.
#[derive(Debug, Clone)]
pub struct Element<'a> {
    pub vocabulary: Vocabulary,
    /// Local name in lower case.
    pub name: Cow<'a, str>,
    qualified: &'a str,
    attributes: &'a str,
    /// The depth of its children.
    pub depth: usize,
}

/// The next event inside an element.
#[derive(Debug)]
pub enum Event<'a> {
    Start(Element<'a>),
    /// Character data with references resolved.
    Text(Cow<'a, str>),
}

/// A lexical token of the document.
enum Token<'a> {
    Start { name: &'a str, attributes: &'a str, is_empty: bool },
    End(&'a str),
    Text(&'a str),
    CData(&'a str),
}

struct Open<'a> {
    name: &'a str,
    bindings: usize,
    base: Option<Url>,
    language: Option<String>,
}

/// A run of text with child elements serialised as HTML.
#[derive(Debug, Default)]
pub struct MarkupRun {
    pub value: String,
    pub has_elements: bool,
}

/// How character data in a text construct is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextMode {
    /// References are resolved once; the result may itself be HTML.
    Resolved,
    /// The markup is the element's own, so character data stays escaped (XHTML).
    Escaped,
}

/// The reader.
pub struct Cursor<'a> {
    text: &'a str,
    position: usize,
    /// Start of the last token read.
    token_start: usize,
    open: Vec<Open<'a>>,
    bindings: Vec<(&'a str, Vocabulary)>,
    entities: HashMap<&'a str, &'a str>,
    expanded_bytes: usize,
    /// Number of elements open beyond `DEPTH_MAX`.
    too_deep: usize,
    /// The last element opened is self-closing and has to be closed at the next step.
    closes_at_once: bool,
    document_base: Option<Url>,
    problems: Vec<String>,
}

impl<'a> Cursor<'a> {
    /// `base` is the address the document was found at.
    pub fn new(text: &'a str, base: Option<Url>) -> Self {
        Cursor {
            text,
            position: 0,
            token_start: 0,
            open: Vec::new(),
            bindings: Vec::new(),
            entities: HashMap::new(),
            expanded_bytes: 0,
            too_deep: 0,
            closes_at_once: false,
            document_base: base,
            problems: Vec::new(),
        }
    }

    /// The number of elements open inside the outermost one with one of these names; `None` if there is no such element.
    pub fn open_inside(&self, names: &[&str]) -> Option<usize> {
        let local = |open: &Open<'a>| open.name.rsplit(':').next().unwrap_or(open.name).to_ascii_lowercase();
        let at = self.open.iter().position(|open| names.contains(&local(open).as_str()))?;
        Some(self.open.len() - at - 1)
    }

    /// Whether the document ended inside an element.
    pub fn is_cut(&self) -> bool {
        !self.open.is_empty()
    }

    /// The problems repaired so far, each once.
    pub fn into_problems(self) -> Vec<String> {
        let unclosed = self
            .open
            .last()
            .map(|open| format!("the document ends inside <{}>: it was cut short", open.name));
        self.problems.into_iter().chain(unclosed).collect()
    }

    fn problem(&mut self, text: &str) {
        if self.problems.len() < 8 && !self.problems.iter().any(|known| known == text) {
            self.problems.push(text.to_owned());
        }
    }

    /// The address of the document, regardless of `xml:base`.
    pub fn document_base(&self) -> Option<&Url> {
        self.document_base.as_ref()
    }

    /// The `xml:base` in effect.
    pub fn base(&self) -> Option<&Url> {
        self.open.iter().rev().find_map(|open| open.base.as_ref()).or(self.document_base.as_ref())
    }

    /// The `xml:lang` in effect; an empty one cancels outer ones.
    pub fn language(&self) -> Option<&str> {
        self.open
            .iter()
            .rev()
            .find_map(|open| open.language.as_deref())
            .filter(|language| !language.is_empty())
    }

    /// Resolves a reference against the base in effect; returns it unchanged if that fails.
    pub fn resolve(&self, reference: &str) -> String {
        resolve_against(self.base(), reference)
    }

    /// The next event inside the element whose children are at `depth`; `None` once it is closed.
    pub fn next_in(&mut self, depth: usize) -> Option<Event<'a>> {
        loop {
            if self.open.len() < depth {
                return None;
            }
            if std::mem::take(&mut self.closes_at_once) {
                self.pop();
                continue;
            }
            match self.next_token()? {
                Token::Start { name, attributes, is_empty } => {
                    if let Some(element) = self.push(name, attributes, is_empty) {
                        return Some(Event::Start(element));
                    }
                }
                Token::End(name) => self.close(name),
                Token::Text(raw) if self.too_deep == 0 => {
                    return Some(Event::Text(self.resolve_references(raw)));
                }
                Token::CData(raw) if self.too_deep == 0 => return Some(Event::Text(Cow::Borrowed(raw))),
                Token::Text(_) | Token::CData(_) => {}
            }
        }
    }

    /// The next child element, skipping character data.
    pub fn next_child(&mut self, depth: usize) -> Option<Element<'a>> {
        loop {
            if let Event::Start(element) = self.next_in(depth)? {
                return Some(element);
            }
        }
    }

    /// Skips the rest of an element.
    pub fn skip(&mut self, element: &Element<'a>) {
        while self.next_in(element.depth).is_some() {}
    }

    /// The text of an element with its child elements serialised as markup. If an element named in `boundaries` starts inside,
    /// an end tag is missing: reading stops early, and the start tag will be read again.
    pub fn read_markup(&mut self, element: &Element<'a>, mode: TextMode, boundaries: &[&str]) -> MarkupRun {
        let mut markup = MarkupRun::default();
        loop {
            // A child closed by an outer end tag has already left the stack.
            let Some(event) = self.next_in(element.depth) else { return markup };
            match event {
                Event::Text(text) if mode == TextMode::Escaped => push_escaped(&mut markup.value, &text),
                Event::Text(text) => markup.value.push_str(&text),
                Event::Start(child) => {
                    if child.vocabulary == Vocabulary::Core && boundaries.contains(&child.name.as_ref()) {
                        self.rewind_to(self.token_start, element.depth);
                        return markup;
                    }
                    markup.has_elements = true;
                    self.write_start(&child, &mut markup.value);
                    let inner = self.read_markup(&child, mode, boundaries);
                    markup.value.push_str(&inner.value);
                    write_end(&child, &mut markup.value);
                }
            }
        }
    }

    /// Goes back before a start tag that belongs further out, and closes the elements open around it.
    fn rewind_to(&mut self, position: usize, depth: usize) {
        self.problem("an element was not closed before the next entry began");
        self.position = position;
        self.closes_at_once = false;
        while self.open.len() >= depth {
            self.pop();
        }
    }

    fn write_start(&mut self, element: &Element<'a>, out: &mut String) {
        out.push('<');
        out.push_str(&element.name);
        for (name, value) in Attributes(element.attributes) {
            if name.starts_with("xmlns") || (name.contains(':') && !name.starts_with("xml:lang")) {
                continue;
            }
            let value = self.resolve_references(value);
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            push_escaped(out, &value);
            out.push('"');
        }
        out.push('>');
    }

    /// An attribute by its case-insensitive local name, with references resolved.
    pub fn attribute(&mut self, element: &Element<'a>, name: &str) -> Option<String> {
        let local = |qualified: &'a str| qualified.rsplit(':').next().unwrap_or(qualified);
        let mut attributes = Attributes(element.attributes);
        let (_, value) = attributes.find(|(found, _)| local(found).eq_ignore_ascii_case(name))?;
        Some(self.resolve_references(value).into_owned())
    }

    fn push(&mut self, name: &'a str, attributes: &'a str, is_empty: bool) -> Option<Element<'a>> {
        if self.too_deep > 0 || self.open.len() >= DEPTH_MAX {
            self.problem("elements nested too deep were passed over");
            self.too_deep += usize::from(!is_empty);
            return None;
        }
        let bindings = self.bindings.len();
        let (mut base, mut language) = (None, None);
        if memmem::find(attributes.as_bytes(), b"xml").is_some() {
            for (attribute, value) in Attributes(attributes) {
                match attribute {
                    "xml:base" => base = self.base_from(value),
                    "xml:lang" => language = Some(value.trim().replace('_', "-")),
                    _ => self.bind(attribute, value),
                }
            }
        }
        self.open.push(Open { name, bindings, base, language });
        self.closes_at_once = is_empty;
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let local = local.rsplit(':').next().unwrap_or(local);
        let lower = if local.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(local.to_ascii_lowercase())
        } else {
            Cow::Borrowed(local)
        };
        let vocabulary = self.vocabulary(prefix);
        Some(Element { vocabulary, name: lower, qualified: name, attributes, depth: self.open.len() })
    }

    fn base_from(&mut self, value: &'a str) -> Option<Url> {
        let value = self.resolve_references(value).trim().to_owned();
        let base = match self.base() {
            Some(base) => base.join(&value).ok(),
            None => Url::parse(&value).ok(),
        };
        // Against a base like "data://x/", a harmless relative link would become executable.
        base.filter(|base| matches!(base.scheme(), "http" | "https"))
    }

    fn bind(&mut self, attribute: &'a str, uri: &str) {
        let prefix = match attribute.strip_prefix("xmlns") {
            Some("") => "",
            Some(rest) if rest.starts_with(':') => &rest[1..],
            _ => return,
        };
        if self.bindings.len() >= BINDINGS_MAX {
            return self.problem("too many namespace declarations: the later ones were passed over");
        }
        let known = vocabulary_of_uri(uri);
        let vocabulary = known.unwrap_or(if prefix.is_empty() {
            Vocabulary::Core
        } else {
            vocabulary_of_bare_prefix(prefix)
        });
        self.bindings.push((prefix, vocabulary));
    }

    fn vocabulary(&self, prefix: &str) -> Vocabulary {
        let bound = self.bindings.iter().rev().find(|(known, _)| *known == prefix);
        match bound {
            // Atom is one of the core formats; only a prefix distinguishes it from the surrounding feed.
            Some((_, Vocabulary::Atom)) if prefix.is_empty() => Vocabulary::Core,
            Some((_, vocabulary)) => *vocabulary,
            None if prefix.is_empty() => Vocabulary::Core,
            None => vocabulary_of_bare_prefix(prefix),
        }
    }

    fn pop(&mut self) {
        if let Some(open) = self.open.pop() {
            self.bindings.truncate(open.bindings);
        }
    }

    /// Closes the innermost element of this name and everything open in it; an unmatched end tag is ignored, unless it is a
    /// misspelling of the innermost one.
    fn close(&mut self, name: &str) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        let same = |open: &Open| open.name.eq_ignore_ascii_case(name);
        if let Some(at) = self.open.iter().rposition(same) {
            if at + 1 < self.open.len() {
                self.problem("an element was closed before those inside it");
            }
            while self.open.len() > at {
                self.pop();
            }
        } else {
            self.problem("an end tag fits no element that is open");
            let is_slip = self.open.last().is_some_and(|open| strsim::osa_distance(open.name, name) <= 2);
            if is_slip {
                self.pop();
            }
        }
    }

    /// Reads a CDATA section; `inner` starts after its opening.
    fn cdata(&mut self, inner: &'a str) -> Token<'a> {
        let end = memmem::find(inner.as_bytes(), b"]]>");
        self.position += "<![CDATA[".len() + end.map_or(inner.len(), |end| end + "]]>".len());
        if end.is_none() {
            self.problem("a CDATA section never ends: the document was cut short");
        }
        Token::CData(&inner[..end.unwrap_or(inner.len())])
    }

    fn next_token(&mut self) -> Option<Token<'a>> {
        loop {
            self.token_start = self.position;
            let rest = &self.text[self.position..];
            if rest.is_empty() {
                return None;
            }
            if !rest.starts_with('<') {
                let end = memchr(b'<', rest.as_bytes()).unwrap_or(rest.len());
                self.position += end;
                return Some(Token::Text(&rest[..end]));
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
                    self.position +=
                        memmem::find(rest.as_bytes(), b"?>").map_or_else(|| end_of_tag(rest), |end| end + 2)
                }
                Some(b'/') => {
                    let end = end_of_tag(rest);
                    self.position += end;
                    let name = rest[2..end].trim_end_matches('>').trim();
                    return Some(Token::End(name.split_ascii_whitespace().next().unwrap_or(name)));
                }
                Some(c) if c.is_ascii_alphabetic() || *c == b'_' || !c.is_ascii() => {
                    return Some(self.start_tag(rest));
                }
                _ => {
                    self.problem("a bare < stands in the text");
                    self.position += 1;
                    return Some(Token::Text("<"));
                }
            }
        }
    }

    /// Skips a comment or DOCTYPE; any other `<!` is text.
    fn skip_declaration(&mut self, rest: &'a str) -> Option<Token<'a>> {
        if rest.starts_with("<!--") {
            match memmem::find(&rest.as_bytes()[4..], b"-->") {
                Some(end) => self.position += end + 7,
                None => {
                    self.problem("a comment never ends: its mark was passed over");
                    self.position += 4;
                }
            }
        } else if rest.len() >= 9 && rest.as_bytes()[2..9].eq_ignore_ascii_case(b"DOCTYPE") {
            self.position += self.doctype(rest);
        } else {
            self.position += 2;
            return Some(Token::Text("<!"));
        }
        None
    }

    /// Reads the entities of the internal subset; returns the length of the declaration.
    fn doctype(&mut self, rest: &'a str) -> usize {
        let close = memchr(b'>', rest.as_bytes()).map_or(rest.len(), |at| at + 1);
        let Some(open) = memchr(b'[', &rest.as_bytes()[..close]) else { return close };
        let Some(end) = memmem::find(&rest.as_bytes()[open..], b"]").map(|end| open + end) else {
            return close;
        };
        for (at, _) in rest[open..end].match_indices("<!ENTITY") {
            let declaration = rest[open + at + 8..end].trim_start();
            let Some((name, value)) = declaration.split_once(|c: char| c.is_ascii_whitespace()) else {
                continue;
            };
            let value = value.trim_start();
            let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else { continue };
            let Some(value) = value[1..].split(quote).next() else { continue };
            if self.entities.len() < ENTITIES_MAX && value.len() <= ENTITY_BYTES_MAX {
                self.entities.insert(name, value);
            }
        }
        memchr(b'>', &rest.as_bytes()[end..]).map_or(rest.len(), |at| end + at + 1)
    }

    fn start_tag(&mut self, rest: &'a str) -> Token<'a> {
        let end = end_of_tag(rest);
        if !rest[..end].ends_with('>') {
            self.problem("a tag never ends");
        }
        self.position += end;
        let inner = rest[1..end].trim_end_matches('>');
        let is_empty = inner.ends_with('/');
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        let name_end = inner.find(|c: char| c.is_ascii_whitespace() || c == '/').unwrap_or(inner.len());
        Token::Start { name: &inner[..name_end], attributes: &inner[name_end..], is_empty }
    }

    /// Resolves character and entity references; unknown ones stay as they are.
    fn resolve_references(&mut self, raw: &'a str) -> Cow<'a, str> {
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

/// Appends the character of a numeric reference; surrogate pairs are joined, and the C1 range is read as windows-1252, as in
/// every browser. `None` if it is not a number.
fn push_character<'b>(number: &str, after: &'b str, out: &mut String) -> Option<&'b str> {
    let code = reference_number(number)?;
    if (0xD800..0xDC00).contains(&code) {
        let low_end = after.strip_prefix("&#").and_then(|rest| rest.find(';'));
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
struct Attributes<'a>(&'a str);

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

fn write_end(element: &Element, out: &mut String) {
    const VOID: [&str; 14] = [
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
        "track", "wbr",
    ];
    if !VOID.contains(&element.name.as_ref()) {
        out.push_str("</");
        out.push_str(&element.name);
        out.push('>');
    }
}

/// Resolves a reference; absolute ones, and those without a base, stay as they are.
pub fn resolve_against(base: Option<&Url>, reference: &str) -> String {
    let mended = mended_address(reference);
    let reference = mended.trim();
    let scheme_end = reference.find([':', '/', '?', '#']).filter(|&at| reference.as_bytes()[at] == b':');
    let is_absolute = scheme_end.is_some_and(|at| {
        at > 1 && reference[..at].bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    });
    match base {
        Some(base) if !is_absolute && !reference.is_empty() => {
            base.join(reference).map_or_else(|_| reference.to_owned(), String::from)
        }
        _ => reference.to_owned(),
    }
}

/// An address with double escaping undone and invisible characters removed.
fn mended_address(reference: &str) -> Cow<'_, str> {
    let is_unseen = |c: char| {
        matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{AD}' | '\n' | '\r' | '\t')
    };
    if !reference.contains(is_unseen) && !reference.contains('&') {
        return Cow::Borrowed(reference);
    }
    let seen: String = reference.chars().filter(|c| !is_unseen(*c)).collect();
    Cow::Owned(seen.replace("&amp;", "&").replace("&#038;", "&").replace("&#38;", "&"))
}

impl Element<'_> {
    /// The name as written, including its prefix.
    pub fn qualified(&self) -> &str {
        self.qualified
    }
}
