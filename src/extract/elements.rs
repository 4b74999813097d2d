//! The HTML elements that reading distinguishes: headings, blocks, and the markup that a text may turn out to have.

use scraper::ElementRef;

/// Elements whose beginning ends the block before them, in HTML that is not parsed.
pub(super) const BLOCK_STARTS: [&str; 20] = [
    "p",
    "div",
    "ul",
    "ol",
    "hr",
    "br",
    "table",
    "section",
    "article",
    "footer",
    "header",
    "aside",
    "nav",
    "blockquote",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "pre",
];

/// Elements that double-escaped text begins with; the space tells a link from other names that begin with an A.
pub(super) const ESCAPED_STARTS: [&str; 18] = [
    "p",
    "div",
    "br",
    "ul",
    "ol",
    "h1",
    "h2",
    "h3",
    "h4",
    "table",
    "blockquote",
    "img",
    "figure",
    "section",
    "article",
    "span",
    "strong",
    "a ",
];

/// Elements that people write into texts: one that has no others is HTML, even if it is declared as plain.
pub(super) const TEXT_ELEMENTS: [&str; 44] = [
    "a",
    "abbr",
    "acronym",
    "address",
    "b",
    "big",
    "blockquote",
    "br",
    "center",
    "cite",
    "code",
    "dd",
    "del",
    "div",
    "dl",
    "dt",
    "em",
    "font",
    "h1",
    "h2",
    "h3",
    "h4",
    "hr",
    "i",
    "img",
    "ins",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "table",
    "td",
    "tr",
    "tt",
    "u",
    "ul",
];

/// Whether an element stands on lines of its own.
pub(super) fn is_block(name: &str) -> bool {
    matches!(
        name,
        "p" | "div"
            | "section"
            | "article"
            | "main"
            | "header"
            | "footer"
            | "aside"
            | "ul"
            | "ol"
            | "li"
            | "dl"
            | "dt"
            | "dd"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "blockquote"
            | "pre"
            | "table"
            | "tr"
            | "figure"
            | "figcaption"
            | "address"
            | "details"
            | "summary"
    )
}

/// Whether an element is a heading.
pub(super) fn is_heading(element: ElementRef) -> bool {
    matches!(element.value().name(), "h1" | "h2" | "h3" | "h4" | "h5" | "h6")
}
