//! Removes what publishing systems add around a text, recognised by structure rather than by words, which may be in any
//! language: lines that link back to the entry and the site, "read more" links, fields that repeat title, author and date.

use memchr::memmem;
use scraper::{ElementRef, Html};
use url::Url;

use super::page::selector;
use crate::model::address::{canonical_key, without_index};
use crate::support::text::{attribute_of, bound_markup, fold, one_line};

/// Maximum length of a line that links back, in characters without the title.
const BACK_LINE_CHARS_MAX: usize = 160;
/// A link with more words is part of the text.
const CALL_WORDS_MAX: usize = 5;
/// Of longer texts, only this many bytes at the end are examined.
const TAIL_BYTES: usize = 4_000;

/// Block elements that double-escaped text begins with.
const BLOCKS: [&str; 18] = [
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

/// Undoes double escaping, if all of the HTML is escaped, from its first block to its last.
pub fn escaped_twice(html: &str) -> Option<String> {
    let trimmed = html.trim();
    let first = trimmed.strip_prefix("&lt;")?;
    let is_block = BLOCKS.iter().any(|name| {
        first.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
            && first[name.len()..].starts_with(|c: char| !c.is_ascii_alphanumeric())
            || name.ends_with(' ') && first.starts_with(name)
    });
    if !is_block || !trimmed.ends_with("&gt;") || trimmed.contains('<') {
        return None;
    }
    let meant =
        trimmed.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#039;", "'");
    Some(meant.replace("&amp;", "&"))
}

/// The text without additions of the system; `None` if there are none.
pub fn without_furniture(html: &str, address: Option<&Url>, title: &str) -> Option<String> {
    let fields = html.contains("field--name-").then(|| without_fields(html)).flatten();
    let text = fields.as_deref().unwrap_or(html);
    let tail = address.and_then(|address| without_back_lines(text, address, title));
    tail.or(fields)
}

/// Removes title, author and date fields, which Drupal puts before an item's text.
fn without_fields(html: &str) -> Option<String> {
    let mut fragment = Html::parse_fragment(&bound_markup(html));
    let fields = selector(
        ".field--name-title, .field--name-uid, .field--name-created, .field--name-changed, .field--name-post-date",
    );
    let found: Vec<_> = fragment.select(&fields).map(|field| field.id()).collect();
    if found.is_empty() {
        return None;
    }
    for id in found {
        if let Some(mut node) = fragment.tree.get_mut(id) {
            node.detach();
        }
    }
    Some(fragment.root_element().inner_html()).filter(|rest| !text_of(rest).is_empty())
}

fn text_of(html: &str) -> String {
    one_line(&Html::parse_fragment(html).root_element().text().collect::<String>())
}

/// Removes from the end: paragraphs that link to the entry and to the front page of a site, and links to the entry itself.
fn without_back_lines(html: &str, address: &Url, title: &str) -> Option<String> {
    let cut = html.len().saturating_sub(TAIL_BYTES);
    let cut = (cut..=html.len()).find(|at| html.is_char_boundary(*at))?;
    let tail = &html[cut..];
    if !may_link(tail, address) {
        return None;
    }
    let own = canonical_key(address.as_str())?;
    let is_own_address = |href: &str| {
        let href = address.join(href).ok();
        href.is_some_and(|href| canonical_key(href.as_str()).as_deref() == Some(own.as_str()))
    };
    let is_own = |link: &ElementRef| link.attr("href").is_some_and(is_own_address);
    let mut kept = html.to_owned();
    // The last paragraph.
    if let Some(at) = ["<p>", "<p ", "<P>"].iter().filter_map(|tag| tail.rfind(tag)).max() {
        let block = Html::parse_fragment(&bound_markup(&tail[at..]));
        if is_back_line(&block, &is_own, title) {
            kept.truncate(cut + at);
        }
    }
    while let Some(at) = call_at_end(&kept, &is_own, title) {
        kept = at;
    }
    (kept.len() != html.len() && !text_of(&kept).is_empty()).then(|| kept.trim_end().to_owned())
}

/// Whether a text may link to an address: most do not, which can be told without parsing them.
fn may_link(html: &str, address: &Url) -> bool {
    let path = without_index(address.path().trim_end_matches('/'));
    let last = path.rsplit('/').next().filter(|last| !last.is_empty() && !last.contains(['%', ';', '&']));
    // Relative links within the entry's page need not name it, and letters may be escaped.
    let is_like = |href: &str| match last {
        Some(last) => {
            href.trim_start().starts_with(['#', '?', '.'])
                || href.trim().is_empty()
                || href.contains('%')
                || href.contains("&#")
                || memmem::find(href.as_bytes(), last.as_bytes()).is_some()
        }
        None => true,
    };
    memchr::memchr_iter(b'<', html.as_bytes()).any(|at| {
        let Some(tag) = html[at + 1..].strip_prefix(['a', 'A']) else { return false };
        let tag = &tag[..memchr::memchr(b'>', tag.as_bytes()).unwrap_or(tag.len())];
        match attribute_of(tag, "href") {
            Some(href) => is_like(href),
            None => tag.to_ascii_lowercase().contains("href"),
        }
    })
}

/// "The post TITLE appeared first on SITE.": a link to the entry with its title as text, one to a site, and little else.
fn is_back_line(block: &Html, is_own: &dyn Fn(&ElementRef) -> bool, title: &str) -> bool {
    let links = selector("a[href]");
    let links: Vec<ElementRef> = block.select(&links).collect();
    let words = one_line(&block.root_element().text().collect::<String>());
    let plain_title = text_of(title);
    let is_titled =
        |link: &ElementRef| fold(&one_line(&link.text().collect::<String>())) == fold(&plain_title);
    let rest = words.chars().count().saturating_sub(plain_title.chars().count());
    rest <= BACK_LINE_CHARS_MAX
        && (2..=3).contains(&links.len())
        && links.iter().any(|link| is_own(link) && is_titled(link))
        && links.iter().any(|link| !is_own(link))
}

/// The text without a final short link to the entry itself: "Read more", "Lire la suite", "(+)".
fn call_at_end(html: &str, is_own: &dyn Fn(&ElementRef) -> bool, title: &str) -> Option<String> {
    let at = html.rfind("<a ")?;
    let fragment = Html::parse_fragment(&bound_markup(&html[at..]));
    let links = selector("a[href]");
    let link = fragment.select(&links).next()?;
    let words = one_line(&link.text().collect::<String>());
    let after = text_of(&html[at..]);
    let is_call = !words.is_empty()
        && words.split_whitespace().count() <= CALL_WORDS_MAX
        && fold(&words) != fold(&text_of(title));
    let is_last =
        after.trim_end_matches(|c: char| !c.is_alphanumeric()).chars().count() <= words.chars().count();
    if !is_own(&link) || !is_call || !is_last || link.select(&selector("img")).next().is_some() {
        return None;
    }
    let end = html[at..].find("</a>").map_or(html.len(), |end| at + end + 4);
    Some(format!("{}{}", html[..at].trim_end().trim_end_matches('('), &html[end..].trim_start_matches(')')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(html: &str, title: &str) -> String {
        let address = Url::parse("https://x.org/a/").unwrap();
        let kept = without_furniture(html, Some(&address), title);
        text_of(kept.as_deref().unwrap_or(html))
    }

    #[test]
    fn lines_that_link_back_are_left_out_in_any_language() {
        for line in [
            "The post <a href='https://x.org/a'>Títol</a> appeared first on <a href='https://x.org'>X</a>.",
            "La entrada <a href='https://x.org/a'>Títol</a> se publicó primero en <a href='https://x.org'>X</a>.",
            "Der Beitrag <a href='https://x.org/a?utm_source=rss'>Títol</a> erschien zuerst auf <a href='https://x.org'>X</a>.",
            "Сообщение <a href='/a/'>Títol</a> появились сначала на <a href='https://x.org'>X</a>.",
        ] {
            assert_eq!(
                plain(&format!("<p>News of the town.</p>\n<p>{line}</p>"), "Títol"),
                "News of the town."
            );
        }
        for call in [
            "<a href='https://x.org/a'>Lire la suite</a>",
            "(<a href='/a/'>+</a>)",
            "<a href='/a/'>Weiterlesen</a> »",
        ] {
            assert!(plain(&format!("<p>News of the town. {call}</p>"), "T").starts_with("News of the town."));
            assert!(!plain(&format!("<p>News of the town. {call}</p>"), "T").contains(['W', 'L', '+']));
        }
    }

    #[test]
    fn what_the_author_wrote_stays() {
        for text in [
            "<p>See <a href='https://x.org/b'>the report</a> of <a href='https://y.org'>Y</a>.</p>",
            "<p>One</p><p>Read <a href='https://x.org/a'>this very page</a> again and again, all of you.</p>",
            "<p>Only <a href='https://x.org/a'>Read more</a></p>",
        ] {
            assert!(!plain(text, "T").is_empty());
        }
        assert!(plain("<p>See <a href='https://x.org/b'>the report</a></p>", "T").contains("the report"));
    }

    #[test]
    fn fields_of_drupal_are_not_the_text() {
        let html = "<span class='field field--name-title'>T</span><span class='field--name-uid'>ana</span>\n<span class='field field--name-created'>Tue, 10/04/2022 - 10:30</span><div class='field--name-body'><p>The text.</p></div>";
        assert_eq!(plain(html, "T"), "The text.");
    }

    #[test]
    fn what_was_escaped_twice_is_read_once_more() {
        assert_eq!(
            escaped_twice("&lt;p&gt;A &amp;eacute; b&lt;/p&gt;").as_deref(),
            Some("<p>A &eacute; b</p>")
        );
        for text in
            ["<p>&lt;p&gt;</p>", "&lt;p&gt; opens a paragraph", "&lt;pre&gt;", "a &lt;p&gt;b&lt;/p&gt;"]
        {
            assert_eq!(escaped_twice(text), None, "{text}");
        }
    }
}
