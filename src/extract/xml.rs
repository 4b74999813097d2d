//! A lenient pull reader for XML: it never fails, but repairs what it can and reports the problems. It resolves prefixes,
//! `xml:base` and `xml:lang`; it knows no feed format. External entities are never fetched, internal ones are expanded within a
//! budget.

mod tokens;
mod vocabulary;

use std::borrow::Cow;

use memchr::memmem;
use url::Url;

use self::tokens::{Attributes, Tokens, XmlToken};
pub(super) use self::vocabulary::Vocabulary;
use self::vocabulary::{vocabulary_of_bare_prefix, vocabulary_of_uri};
use crate::support::text::push_escaped;

/// Deeper elements are skipped: no feed nests as deeply, and the stack stays small.
const DEPTH_MAX: usize = 256;
/// Maximum number of namespace declarations; documents with more are not feeds.
const BINDINGS_MAX: usize = 128;

/// An element whose start tag was just read.
#[derive(Debug, Clone)]
pub(super) struct Element<'a> {
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
pub(super) enum XmlEvent<'a> {
    Start(Element<'a>),
    /// Character data with references resolved.
    Text(Cow<'a, str>),
}

struct Open<'a> {
    name: &'a str,
    bindings: usize,
    base: Option<Url>,
    language: Option<String>,
}

/// A run of text with child elements serialised as HTML.
#[derive(Debug, Default)]
pub(super) struct MarkupRun {
    pub value: String,
    pub has_elements: bool,
}

/// How character data in a text construct is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextMode {
    /// References are resolved once; the result may itself be HTML.
    Resolved,
    /// The markup is the element's own, so character data stays escaped (XHTML).
    Escaped,
}

/// The reader.
pub(super) struct Cursor<'a> {
    tokens: Tokens<'a>,
    open: Vec<Open<'a>>,
    bindings: Vec<(&'a str, Vocabulary)>,
    /// Number of elements open beyond `DEPTH_MAX`.
    too_deep: usize,
    /// The last element opened is self-closing and has to be closed at the next step.
    closes_at_once: bool,
    document_base: Option<Url>,
}

impl<'a> Cursor<'a> {
    /// `base` is the address the document was found at.
    pub(super) fn new(text: &'a str, base: Option<Url>) -> Self {
        Cursor {
            tokens: Tokens::new(text),
            open: Vec::new(),
            bindings: Vec::new(),
            too_deep: 0,
            closes_at_once: false,
            document_base: base,
        }
    }

    /// The number of elements open inside the outermost one with one of these names; `None` if there is no such element.
    pub(super) fn open_inside(&self, names: &[&str]) -> Option<usize> {
        let local = |open: &Open<'a>| open.name.rsplit(':').next().unwrap_or(open.name).to_ascii_lowercase();
        let at = self.open.iter().position(|open| names.contains(&local(open).as_str()))?;
        Some(self.open.len() - at - 1)
    }

    /// Whether the document ended inside an element.
    pub(super) fn is_cut(&self) -> bool {
        !self.open.is_empty()
    }

    /// The problems repaired so far, each once.
    pub(super) fn into_problems(self) -> Vec<String> {
        let unclosed = self
            .open
            .last()
            .map(|open| format!("the document ends inside <{}>: it was cut short", open.name));
        self.tokens.problems.into_iter().chain(unclosed).collect()
    }

    /// The address of the document, regardless of `xml:base`.
    pub(super) fn document_base(&self) -> Option<&Url> {
        self.document_base.as_ref()
    }

    /// The `xml:base` in effect.
    pub(super) fn base(&self) -> Option<&Url> {
        self.open.iter().rev().find_map(|open| open.base.as_ref()).or(self.document_base.as_ref())
    }

    /// The `xml:lang` in effect; an empty one cancels outer ones.
    pub(super) fn language(&self) -> Option<&str> {
        self.open
            .iter()
            .rev()
            .find_map(|open| open.language.as_deref())
            .filter(|language| !language.is_empty())
    }

    /// Resolves a reference against the base in effect; returns it unchanged if that fails.
    pub(super) fn resolve(&self, reference: &str) -> String {
        resolve_against(self.base(), reference)
    }

    /// The next event inside the element whose children are at `depth`; `None` once it is closed.
    pub(super) fn next_in(&mut self, depth: usize) -> Option<XmlEvent<'a>> {
        loop {
            if self.open.len() < depth {
                return None;
            }
            if std::mem::take(&mut self.closes_at_once) {
                self.pop();
                continue;
            }
            match self.tokens.next_token()? {
                XmlToken::Start { name, attributes, is_empty } => {
                    if let Some(element) = self.push(name, attributes, is_empty) {
                        return Some(XmlEvent::Start(element));
                    }
                }
                XmlToken::End(name) => self.close(name),
                XmlToken::Text(raw) if self.too_deep == 0 => {
                    return Some(XmlEvent::Text(self.tokens.resolve_references(raw)));
                }
                XmlToken::CData(raw) if self.too_deep == 0 => {
                    return Some(XmlEvent::Text(Cow::Borrowed(raw)));
                }
                XmlToken::Text(_) | XmlToken::CData(_) => {}
            }
        }
    }

    /// The next child element, skipping character data.
    pub(super) fn next_child(&mut self, depth: usize) -> Option<Element<'a>> {
        loop {
            if let XmlEvent::Start(element) = self.next_in(depth)? {
                return Some(element);
            }
        }
    }

    /// Skips the rest of an element.
    pub(super) fn skip(&mut self, element: &Element<'a>) {
        while self.next_in(element.depth).is_some() {}
    }

    /// The text of an element with its child elements serialised as markup. If an element named in `boundaries` starts inside,
    /// an end tag is missing: reading stops early, and the start tag will be read again.
    pub(super) fn read_markup(
        &mut self,
        element: &Element<'a>,
        mode: TextMode,
        boundaries: &[&str],
    ) -> MarkupRun {
        let mut markup = MarkupRun::default();
        loop {
            // A child closed by an outer end tag has already left the stack.
            let Some(event) = self.next_in(element.depth) else { return markup };
            match event {
                XmlEvent::Text(text) if mode == TextMode::Escaped => push_escaped(&mut markup.value, &text),
                XmlEvent::Text(text) => markup.value.push_str(&text),
                XmlEvent::Start(child) => {
                    if child.vocabulary == Vocabulary::Core && boundaries.contains(&child.name.as_ref()) {
                        self.rewind_to(self.tokens.token_start, element.depth);
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
        self.tokens.problem("an element was not closed before the next entry began");
        self.tokens.position = position;
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
            let value = self.tokens.resolve_references(value);
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            push_escaped(out, &value);
            out.push('"');
        }
        out.push('>');
    }

    /// An attribute by its case-insensitive local name, with references resolved.
    pub(super) fn attribute(&mut self, element: &Element<'a>, name: &str) -> Option<String> {
        let local = |qualified: &'a str| qualified.rsplit(':').next().unwrap_or(qualified);
        let mut attributes = Attributes(element.attributes);
        let (_, value) = attributes.find(|(found, _)| local(found).eq_ignore_ascii_case(name))?;
        Some(self.tokens.resolve_references(value).into_owned())
    }

    fn push(&mut self, name: &'a str, attributes: &'a str, is_empty: bool) -> Option<Element<'a>> {
        if self.too_deep > 0 || self.open.len() >= DEPTH_MAX {
            self.tokens.problem("elements nested too deep were passed over");
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
        let value = self.tokens.resolve_references(value).trim().to_owned();
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
            return self.tokens.problem("too many namespace declarations: the later ones were passed over");
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
                self.tokens.problem("an element was closed before those inside it");
            }
            while self.open.len() > at {
                self.pop();
            }
        } else {
            self.tokens.problem("an end tag fits no element that is open");
            let is_slip = self.open.last().is_some_and(|open| strsim::osa_distance(open.name, name) <= 2);
            if is_slip {
                self.pop();
            }
        }
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
pub(super) fn resolve_against(base: Option<&Url>, reference: &str) -> String {
    let mended = repaired_address(reference);
    let reference = mended.trim();
    let scheme_end = reference.find([':', '/', '?', '#']).filter(|&at| reference.as_bytes()[at] == b':');
    let is_absolute = scheme_end.is_some_and(|at| {
        at > 1 && reference[..at].bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    });
    // "x.org/news": what a site writes before its own paths is its name.
    let bare = |host: &str| host.strip_prefix("www.").unwrap_or(host).to_ascii_lowercase();
    let names = |base: &Url| {
        let first = reference.split(['/', '?', '#']).next().unwrap_or_default();
        first.contains('.') && base.host_str().is_some_and(|host| bare(host) == bare(first))
    };
    match base {
        Some(base) if !is_absolute && names(base) => format!("{}://{reference}", base.scheme()),
        Some(base) if !is_absolute && !reference.is_empty() => {
            base.join(reference).map_or_else(|_| reference.to_owned(), String::from)
        }
        _ => reference.to_owned(),
    }
}

/// An address with double escaping undone and invisible characters removed.
fn repaired_address(reference: &str) -> Cow<'_, str> {
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
    pub(super) fn qualified(&self) -> &str {
        self.qualified
    }
}
