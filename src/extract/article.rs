//! The article of an item's own page: its text without what the site puts around it (dom_smoothie, after Mozilla's
//! Readability).

use super::page::{ItemPage, Page};
use super::prose_date::DateRules;
use super::{Document, decode, guarded};
use crate::support::text::{bound_markup, one_line};

/// A page with more elements is not taken apart: none that people read has so many.
const ELEMENTS_MAX: usize = 60_000;

/// What an item's own page holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Article {
    pub title: Option<String>,
    /// HTML as the page has it: to be sanitised.
    pub html: Option<String>,
    /// The words, a line for each paragraph.
    pub text: String,
    /// Date, language, author, canonical address, picture and translations.
    pub item: ItemPage,
}

/// Reads an article; what cannot be found is empty.
pub fn read_article(document: Document, rules: DateRules) -> Article {
    guarded(|| {
        let decoded = decode(document);
        let item = Page::parse(&decoded.text, document.url).read_item(rules);
        let config =
            dom_smoothie::Config { max_elements_to_parse: ELEMENTS_MAX, ..dom_smoothie::Config::default() };
        let bounded = bound_markup(&decoded.text);
        let article = dom_smoothie::Readability::new(
            bounded.as_ref(),
            document.url.map(url::Url::as_str),
            Some(config),
        )
        .and_then(|mut reader| reader.parse());
        Ok(match article {
            Ok(found) => Article {
                title: Some(one_line(&found.title)).filter(|title| !title.is_empty()),
                html: Some(found.content.to_string()).filter(|html| !html.trim().is_empty()),
                text: lines(&found.text_content),
                item,
            },
            // No article to be told from the rest: the words of the page's main part, which nobody takes for HTML to keep.
            Err(_) => Article {
                text: Page::parse(&decoded.text, document.url).main_text(),
                item,
                ..Article::default()
            },
        })
    })
    .unwrap_or_default()
}

/// Each line in one piece, empty ones left out.
fn lines(text: &str) -> String {
    text.lines().map(one_line).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}
