//! Extracts the article of an item's own page, without the site's boilerplate (dom_smoothie, after Mozilla's Readability).

mod around;
mod trim;

pub(super) use self::around::{is_notice, says_cookies};
pub(super) use self::trim::is_line_of_page;

use super::page::{ItemPage, Page};
use super::prose_date::DateRules;
use super::{Document, decode, guarded};
use crate::extract::elements;
use crate::support::markup::parted;
use crate::support::text::{bound_markup, one_line};

/// Pages with more elements are not analysed.
const ELEMENTS_MAX: usize = 60_000;

/// The contents of an item's own page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Article {
    pub title: Option<String>,
    /// HTML as found, not sanitised.
    pub html: Option<String>,
    /// Plain text, one line per paragraph.
    pub text: String,
    /// Date, language, author, canonical address, picture and translations.
    pub item: ItemPage,
}

/// Reads an article; fields that cannot be found are empty.
pub fn read_article(document: Document, rules: DateRules) -> Article {
    guarded(|| {
        let decoded = decode(document);
        let item = Page::parse(&decoded.text, document.url).read_item(rules);
        let config =
            dom_smoothie::Config { max_elements_to_parse: ELEMENTS_MAX, ..dom_smoothie::Config::default() };
        let bounded = bound_markup(&decoded.text);
        let bounded = parted(&bounded);
        let prepared = trim::prepared(&bounded);
        let article = dom_smoothie::Readability::new(
            prepared.as_ref(),
            document.url.map(url::Url::as_str),
            Some(config),
        )
        .and_then(|mut reader| reader.parse());
        Ok(match article {
            Ok(found) => {
                let mut fragment = scraper::Html::parse_fragment(&parted(&bound_markup(&found.content)));
                let is_trimmed = trim::trim(&mut fragment);
                let html = match is_trimmed {
                    true => fragment.root_element().inner_html(),
                    false => found.content.to_string(),
                };
                Article {
                    title: Some(one_line(&found.title)).filter(|title| !title.is_empty()),
                    text: block_text(&fragment),
                    html: Some(html).filter(|html| !html.trim().is_empty()),
                    item,
                }
            }
            // No article can be separated: only the text of the page's main part is returned, without HTML.
            Err(_) => {
                Article { text: Page::parse(&prepared, document.url).main_text(), item, ..Article::default() }
            }
        })
    })
    .unwrap_or_default()
}

/// The text of an article, one line per block; without figures, and without paragraphs that are only links, unless there is
/// nothing else.
fn block_text(fragment: &scraper::Html) -> String {
    let links = trim::paragraphs_of_links(fragment);
    let text = text_without(fragment, &links);
    if text.is_empty() { text_without(fragment, &[]) } else { text }
}

fn text_without(fragment: &scraper::Html, left_out: &[ego_tree::NodeId]) -> String {
    let mut out = String::new();
    for edge in fragment.root_element().traverse() {
        let (node, is_open) = match edge {
            ego_tree::iter::Edge::Open(node) => (node, true),
            ego_tree::iter::Edge::Close(node) => (node, false),
        };
        if let Some(element) = node.value().as_element() {
            match element.name() {
                "td" | "th" => out.push(' '),
                "br" | "hr" if is_open => out.push('\n'),
                name if elements::is_block(name) => out.push('\n'),
                _ => {}
            }
        } else if let Some(words) = node.value().as_text().filter(|_| is_open && !is_left_out(node, left_out))
        {
            out.extend(words.chars().map(|c| if c == '\n' { ' ' } else { c }));
        }
    }
    out.lines().map(one_line).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn is_left_out(node: ego_tree::NodeRef<'_, scraper::Node>, left_out: &[ego_tree::NodeId]) -> bool {
    if node.ancestors().any(|around| left_out.contains(&around.id())) {
        return true;
    }
    node.ancestors().filter_map(|ancestor| ancestor.value().as_element()).any(|element| {
        matches!(element.name(), "figure" | "figcaption" | "script" | "style" | "noscript" | "template")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_neighbouring_blocks_stay_apart() {
        let html = "<p>June 5 – Lyon<br>June 7 – Turin</p><table><tr><th>City</th><th>Day</th></tr><tr><td>Lyon</td><td>June 5</td></tr></table><figure><img><figcaption>A picture</figcaption></figure><div>End <b>of</b> it</div>";
        assert_eq!(
            block_text(&scraper::Html::parse_fragment(html)),
            "June 5 – Lyon\nJune 7 – Turin\nCity Day\nLyon June 5\nEnd of it"
        );
    }
}
