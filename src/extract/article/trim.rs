//! Removes from an article what is not part of it: boxes of forms before it is looked for, then lines of the page at its ends,
//! and what leads to other articles and to topics.

use std::borrow::Cow;
use std::collections::HashSet;

use ego_tree::{NodeId, NodeRef};
use scraper::{ElementRef, Html, Node};

use super::around;
use crate::extract::elements::is_block;
use crate::extract::page::{is_longer, selector, text_of};
use crate::extract::words;

/// Parts of the names of boxes in which to subscribe to a newsletter.
const NEWSLETTER_PARTS: [&str; 8] = [
    "newsletter",
    "infolettre",
    "subscribe",
    "subscription",
    "mailchimp",
    "mailpoet",
    "suscripcion",
    "signup",
];
/// A box with more text is not only a form, in characters.
const BOX_CHARS_MAX: usize = 600;
/// Number of lines at each end that may be of the page; a longer line, in characters, is of the article, and so ends them.
const LINES_MAX: usize = 8;
const LINE_CHARS_MAX: usize = 90;
/// After its words, such a line has at most so many more: "3 min".
const REST_WORDS_MAX: usize = 3;

/// A page without the boxes that would be taken for parts of its article, and with those that would not.
pub(super) fn prepared(html: &str) -> Cow<'_, str> {
    let has = |word: &str| memchr::memmem::find(html.as_bytes(), word.as_bytes()).is_some();
    let has_box = NEWSLETTER_PARTS.iter().any(|part| has(part)) && has("<form");
    // SPIP keeps the postscript beside the text.
    let has_postscript = has("class=\"ps\"") || has("class='ps'") || has("class=\"ps ") || has("class=ps>");
    let has_around =
        ["<footer", "<nav", "<header", "ialog", "ookie", "onsent", "gdpr", "rgpd", "cmp", "didomi"];
    if !has_box && !has_postscript && !has_around.iter().any(|part| has(part)) {
        return Cow::Borrowed(html);
    }
    let mut page = Html::parse_document(html);
    around::take_out(&mut page);
    let forms = selector("form");
    let boxes: Vec<NodeId> = page.select(&forms).filter_map(newsletter_box).map(|found| found.id()).collect();
    let postscript = page.select(&selector("div.ps")).next().map(|found| found.id());
    let text = page.select(&selector("div.texte")).next().map(|found| found.id());
    boxes.into_iter().for_each(|id| detach(&mut page, id));
    if let (Some(postscript), Some(text)) = (postscript, text) {
        let is_within = |node: ego_tree::NodeRef<'_, scraper::Node>, other| {
            node.ancestors().any(|around| around.id() == other)
        };
        let is_apart = page.tree.get(postscript).is_some_and(|node| !is_within(node, text))
            && page.tree.get(text).is_some_and(|node| !is_within(node, postscript));
        if let Some(mut text) = page.tree.get_mut(text).filter(|_| is_apart) {
            text.append_id(postscript);
        }
    }
    Cow::Owned(page.html())
}

/// The box around a form in which to subscribe to a newsletter.
fn newsletter_box(form: ElementRef) -> Option<ElementRef> {
    let is_named = |element: &ElementRef| {
        let names = element.value().classes().chain(element.attr("id"));
        let mut parts = names.flat_map(words::parts_of_name);
        parts.any(|part| NEWSLETTER_PARTS.contains(&part.as_str()))
    };
    let around = std::iter::once(form).chain(form.ancestors().filter_map(ElementRef::wrap));
    let boxes = around
        .take_while(|element| !matches!(element.value().name(), "body" | "main" | "article"))
        .filter(is_named);
    boxes.filter(|element| !is_longer(*element, BOX_CHARS_MAX)).last()
}

pub(super) fn detach(page: &mut Html, id: NodeId) {
    if let Some(mut node) = page.tree.get_mut(id) {
        node.detach();
    }
}

/// Takes what is not part of it out of an article; whether there was any, and something is left.
pub(super) fn trim(fragment: &mut Html) -> bool {
    let lines: Vec<ElementRef> = fragment
        .root_element()
        .descendants()
        .filter_map(ElementRef::wrap)
        .filter(|element| is_line(*element))
        .collect();
    let mut out: Vec<NodeId> =
        lines.iter().filter(|line| leads_aside(**line)).map(|line| line.id()).collect();
    out.extend(lines.iter().filter(|line| is_row_of_links(**line)).map(|line| line.id()));
    out.extend(related_link_sections(&lines));
    out.extend(lines_of_page(lines.iter().copied()));
    out.extend(lines_of_page(lines.iter().rev().copied()));
    if out.is_empty() || out.len() >= lines.len() {
        return false;
    }
    let lines: HashSet<NodeId> = out.into_iter().collect();
    let is_left = |text: NodeRef<'_, Node>| {
        text.value().as_text().is_some_and(|words| !words.trim().is_empty())
            && !text.ancestors().any(|around| lines.contains(&around.id()))
    };
    if !fragment.root_element().descendants().any(is_left) {
        return false;
    }
    lines.into_iter().for_each(|id| detach(fragment, id));
    true
}

/// Whether an element is a line of text: a block with text and without blocks in it.
fn is_line(element: ElementRef) -> bool {
    is_block(element.value().name())
        && !matches!(element.value().name(), "figure" | "figcaption" | "pre")
        && !element
            .descendants()
            .skip(1)
            .filter_map(ElementRef::wrap)
            .any(|inner| is_block(inner.value().name()))
        && element.text().any(|text| !text.trim().is_empty())
}

/// The lines of the page at one end of an article. Titles and dates may stand among them.
fn lines_of_page<'a>(lines: impl Iterator<Item = ElementRef<'a>>) -> Vec<NodeId> {
    lines
        .take(LINES_MAX)
        .map(|line| (line.id(), text_of(line)))
        .take_while(|(_, text)| text.chars().count() <= LINE_CHARS_MAX)
        .filter(|(_, text)| is_line_of_page(text))
        .map(|(id, _)| id)
        .collect()
}

/// "Reading time: 3 min", "5 min read", "Print".
pub(in crate::extract) fn is_line_of_page(text: &str) -> bool {
    let plain = words::plain(text);
    let has_figure = |rest: &str| rest.contains(|c: char| c.is_numeric());
    let without_figure = plain.trim_start_matches(|c: char| c.is_numeric() || c.is_whitespace());
    [plain.as_str(), without_figure].iter().filter_map(|text| words::after("line", text)).any(|rest| {
        !rest.contains(char::is_alphabetic)
            || has_figure(rest) && rest.split_whitespace().count() <= REST_WORDS_MAX + 1
    })
}

/// The text of an element outside of its links, and whether it has links.
fn text_beside_links(element: ElementRef) -> (String, usize) {
    let is_in_link = |node: ego_tree::NodeRef<'_, scraper::Node>| {
        let mut around = node.ancestors().take_while(|around| around.id() != element.id());
        around.any(|around| around.value().as_element().is_some_and(|around| around.name() == "a"))
    };
    let beside =
        element.descendants().filter(|node| !is_in_link(*node)).filter_map(|node| node.value().as_text());
    let links = element.select(&selector("a[href]")).count();
    (beside.map(|text| &**text).collect(), links)
}

/// "Read also: …", "Tags: …": the words, then links.
fn leads_aside(line: ElementRef) -> bool {
    let (beside, links) = text_beside_links(line);
    let beside = words::plain(&beside);
    let is_heading = || {
        let text = words::plain(&text_of(line));
        beside.is_empty()
            && words::after("aside", &text).is_some_and(|rest| rest.trim_start().starts_with(':'))
    };
    let label = beside.split([':', ',', '|', '·', '•', '/']).map(str::trim).find(|part| !part.is_empty());
    let is_label_only = label.is_some_and(|label| words::of("aside").contains(label))
        && beside.split([':', ',', '|', '·', '•', '/']).filter(|part| !part.trim().is_empty()).count() == 1;
    links > 0 && (is_label_only || is_heading())
}

/// The paragraphs that are only links.
pub(super) fn paragraphs_of_links(article: &Html) -> Vec<NodeId> {
    let is_only_links = |paragraph: &ElementRef| {
        let (beside, links) = text_beside_links(*paragraph);
        links > 0 && !beside.contains(char::is_alphanumeric)
    };
    article.select(&selector("p")).filter(is_only_links).map(|paragraph| paragraph.id()).collect()
}

/// Links side by side, and nothing else: a row of buttons. A single link may be what the text is about.
fn is_row_of_links(line: ElementRef) -> bool {
    let (beside, links) = text_beside_links(line);
    line.value().name() == "p" && links > 1 && !beside.contains(char::is_alphanumeric)
}

/// Headings over links to other articles, with those links.
fn related_link_sections(lines: &[ElementRef]) -> Vec<NodeId> {
    let is_title = |line: &&ElementRef| {
        matches!(line.value().name(), "h2" | "h3" | "h4" | "h5" | "h6")
            && words::is_one("aside", &text_of(**line))
    };
    let with_links = |title: &ElementRef| {
        let next = title.next_siblings().find_map(ElementRef::wrap)?;
        let (beside, links) = text_beside_links(next);
        (links > 0 && !beside.contains(char::is_alphanumeric)).then(|| [title.id(), next.id()])
    };
    lines.iter().filter(is_title).filter_map(with_links).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(html: &str) -> String {
        let mut fragment = Html::parse_fragment(html);
        trim(&mut fragment);
        super::super::block_text(&fragment)
    }

    #[test]
    fn lines_of_the_page_around_an_article_are_left_out() {
        let story = "The ferry runs again from Monday on, every hour, between the two banks of the river, and takes bicycles with it.";
        for (before, after) in [
            ("<p>Lesezeit: 4 Minuten</p>", "<p>Drucken</p><p>Zurück zur Übersicht</p>"),
            ("<h1>Ferry</h1><p>7 min read</p>", "<div>Share this article</div>"),
            (
                "<p>Tiempo de lectura</p>",
                "<p>Compartir</p><p>Etiquetas: <a href=/t/a>río</a>, <a href=/t/b>barco</a></p>",
            ),
            (
                "",
                "<p><a href=/a>All lines</a> | <a href=/b>Timetable</a></p><h3>Lees ook</h3><ul><li><a href=/c>The bridge</a></ul>",
            ),
            ("", "<p><b>Leggi anche: <a href=/c>The bridge is closed for two weeks of works</a></b></p>"),
        ] {
            let left = text(&format!("<div>{before}<p>{story}</p>{after}</div>"));
            assert_eq!(left.trim_start_matches("Ferry\n"), story, "{before} {after}");
        }
    }

    #[test]
    fn what_the_article_says_stays() {
        for html in [
            "<p>Print is not dead, says the owner of the last bookshop.</p><p>Back in 1990 there were five.</p>",
            "<p>The report is here:</p><p><a href=/r.pdf>The report of the council</a></p>",
            "<p>Tags: what they mean and who reads <a href=/t>them</a></p><p>End</p>",
            "<p>Share</p>",
        ] {
            assert!(!trim(&mut Html::parse_fragment(html)), "{html}");
        }
    }

    #[test]
    fn a_postscript_is_of_the_text_and_a_form_is_not() {
        let html = "<html><body><main><div class=\"texte\"><p>Text</p></div><div class=\"ps\"><p>Later</p></div><div class=\"block-newsletter\"><h4>Stay in touch</h4><form><input type=email></form></div></main></body></html>";
        let page = prepared(html);
        assert!(page.contains("<p>Text</p><div class=\"ps\"><p>Later</p></div></div>"), "{page}");
        assert!(!page.contains("Stay in touch"));
    }
}
