//! Removes what publishing systems add around a text, recognised by structure rather than by words, which may be in any
//! language: lines that link back to the entry and the site, "read more" links, fields that repeat title, author and date.

mod fields;
mod threads;

use std::sync::LazyLock;

use jiff::Timestamp;
use memchr::memmem;
use regex::Regex;
use scraper::{ElementRef, Html};
use url::Url;

use super::page::selector;
use super::words;
use crate::extract::elements::ESCAPED_STARTS;
use crate::model::address::{canonical_key, without_index};
use crate::support::text::{attribute_of, bound_markup, fold, named_reference, one_line, reference_name};

/// Maximum length of a line that links back, in characters without the title.
const BACK_LINE_CHARS_MAX: usize = 160;
/// So many links to the entry are removed from the end of its text: each is looked for in what the others left.
const CALLS_MAX: usize = 4;
/// A link with more words is part of the text.
const CALL_WORDS_MAX: usize = 5;
/// Of longer texts, only this many bytes at the end are examined.
const TAIL_BYTES: usize = 4_000;

/// A last paragraph with more bytes is not looked at.
const BACK_BLOCK_BYTES_MAX: usize = 2_000;
/// The words in front of the title in such a sentence are within so many characters.
const BACK_FIRST_CHARS_MAX: usize = 60;
/// Maximum length of a character reference, in bytes.
const REFERENCE_BYTES_MAX: usize = 32;

/// Undoes double escaping, if all of the HTML is escaped, from its first block to its last.
pub(super) fn escaped_twice(html: &str) -> Option<String> {
    let trimmed = html.trim();
    let first = trimmed.strip_prefix("&lt;")?;
    let is_block = ESCAPED_STARTS.iter().any(|name| {
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

/// What the feed says of an entry outside of its text.
pub(super) struct EntryContext<'a> {
    pub address: Option<&'a Url>,
    pub title: &'a str,
    pub authors: &'a [String],
    pub published: Option<Timestamp>,
}

/// The text without additions of the system; `None` if there are none.
pub(super) fn without_furniture(html: &str, known: &EntryContext) -> Option<String> {
    let mut text = fields::without_fields(html, known);
    let submitted = threads::without_submission(text.as_deref().unwrap_or(html));
    text = submitted.or(text);
    let counted = threads::without_counts(text.as_deref().unwrap_or(html));
    text = counted.or(text);
    let mut take = |without: Option<String>| text = without.or(text.take());
    take(without_back_sentence(html, known).or_else(|| without_sentence_at_end(html, known)));
    let current = text.as_deref().unwrap_or(html);
    let tail = known.address.and_then(|address| without_back_lines(current, address, known.title));
    let text = tail.or(text);
    let text = without_topics_at_end(text.as_deref().unwrap_or(html)).or(text);
    without_sign_at_end(text.as_deref().unwrap_or(html)).or(text)
}

/// The text without the links to its section and its topics that SPIP adds, each after a sign: `- <a rel="directory">`.
fn without_topics_at_end(html: &str) -> Option<String> {
    let mut text = html.trim_end();
    while let Some(start) = text.strip_suffix("</a>").and_then(|link| link.rfind("<a ")) {
        let tag = &text[start..];
        let tag = &tag[..tag.find('>')?];
        let is_topic = attribute_of(tag, "rel").is_some_and(|rel| matches!(rel, "directory" | "tag"));
        let before = text[..start].trim_end();
        let Some(rest) = before.strip_suffix(['-', '/', ',']).filter(|_| is_topic) else { break };
        text = rest.trim_end();
    }
    (text.len() < html.trim_end().len() && !text.is_empty()).then(|| text.to_owned())
}

/// The text without a sign at its end that says that there is more: "(+)".
fn without_sign_at_end(html: &str) -> Option<String> {
    const SIGNS: [&str; 2] = ["(+)", "[+]"];
    let bare = html.trim_end();
    let text = bare.strip_suffix("</p>").unwrap_or(bare).trim_end();
    let sign = SIGNS.iter().find(|sign| text.ends_with(*sign))?;
    let kept = text[..text.len() - sign.len()].trim_end();
    (!kept.is_empty()).then(|| format!("{kept}{}", &bare[text.len()..]))
}

/// Undoes the escaping of a title that still has references of signs after it was unescaped once: `L&amp;#8217;été`.
pub(super) fn title_escaped_twice(html: &str) -> Option<String> {
    let is_any = html.match_indices("&amp;").any(|(at, _)| is_escaped_reference(html, at));
    is_any.then(|| html.replace("&amp;", "&"))
}

/// Undoes double escaping of letters, where all that are not ASCII are escaped so, most of them within words: "L&amp;eacute;t&amp;eacute;".
pub(super) fn letters_escaped_twice(html: &str) -> Option<String> {
    let is_in_word = |at: usize| {
        let end = html[at + 1..].find(';').map_or(html.len(), |end| at + 1 + end + 1);
        let after = html[end..].find(';').map_or(html.len(), |next| end + next + 1);
        html[..at].ends_with(char::is_alphabetic) || html[after..].starts_with(char::is_alphabetic)
    };
    if !html.is_ascii() {
        return None;
    }
    let found = html.match_indices("&amp;").map(|(at, _)| at).filter(|at| is_escaped_reference(html, *at));
    let (within, alone): (Vec<usize>, Vec<usize>) = found.partition(|at| is_in_word(*at));
    (within.len() > alone.len()).then(|| html.replace("&amp;", "&"))
}

/// Whether an escaped ampersand begins a reference that is not one of XML's own.
fn is_escaped_reference(html: &str, at: usize) -> bool {
    let name = reference_name(&html[at + "&amp;".len()..]).unwrap_or_default();
    let is_basic = matches!(name, "amp" | "lt" | "gt" | "quot" | "apos");
    let is_number = |code: &str| code.starts_with(|c: char| c.is_ascii_digit() || c == 'x');
    name.len() < REFERENCE_BYTES_MAX
        && (name.strip_prefix('#').is_some_and(is_number)
            || !is_basic && !name.is_empty() && named_reference(name).is_some())
}

/// Where the last paragraph of a text begins.
fn last_paragraph(html: &str) -> Option<usize> {
    let is_paragraph = |at: &usize| ["<p>", "<p ", "<P>"].iter().any(|tag| html[*at..].starts_with(tag));
    memchr::memrchr_iter(b'<', html.as_bytes()).find(is_paragraph)
}

/// Whether a paragraph may be a sentence that a system adds: most are not, which can be told without parsing them.
fn may_be_added(block: &str) -> bool {
    let bare: String =
        block.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    // References, and signs in attributes, take a parser.
    if bare.contains(['&', '>', '"']) || block.contains("<!") {
        return true;
    }
    let plain = words::plain(&one_line(&bare));
    let may_fill = |pattern: &String| {
        let (first, rest) = pattern.split_once('*').unwrap_or((pattern, ""));
        let second = rest.split_once('*').map_or(rest, |(second, _)| second);
        plain.starts_with(first.trim()) && plain.contains(second.trim())
    };
    let is_call = |rest: &str| rest.contains(char::is_alphanumeric);
    words::after("goes_on", &plain).is_some_and(is_call) || words::of("back").iter().any(may_fill)
}

/// What stands between title and site in the sentence that WordPress adds, folded: up to an apostrophe, which may be a reference in
/// mark-up. Only literals, so that no text is slow.
static BACK_MIDDLES: LazyLock<Regex> = LazyLock::new(|| {
    let middles = words::of("back").iter().filter_map(|pattern| pattern.split('*').nth(1));
    let literal = |words: &str| {
        let part = words.split('\'').max_by_key(|part| part.len()).unwrap_or(words);
        regex::escape(part.trim())
    };
    let mut literals: Vec<String> = middles.map(literal).collect();
    literals.sort();
    Regex::new(&literals.join("|")).expect("the words are escaped")
});

/// Whether a text, past its tags, begins as the sentence that WordPress adds.
fn begins_back_sentence(html: &str) -> bool {
    let mut rest = html.trim_start();
    while let Some((_, after)) = rest.strip_prefix('<').and_then(|tag| tag.split_once('>')) {
        rest = after.trim_start();
    }
    let end = rest.char_indices().nth(BACK_FIRST_CHARS_MAX).map_or(rest.len(), |(at, _)| at);
    let plain = words::plain(&rest[..end]);
    // A reference in front of it takes a parser.
    let is_begun = |pattern: &String| {
        let first = pattern.split(['*', '\'']).next().unwrap_or_default().trim();
        plain.starts_with(first)
    };
    rest.starts_with('&') || words::of("back").iter().any(is_begun)
}

/// Removes the last paragraph if it is the sentence that WordPress adds, in one of the languages of the interface: with the
/// title, or with a link to the entry whose title was another one then.
fn without_back_sentence(html: &str, known: &EntryContext) -> Option<String> {
    let at = last_paragraph(html)?;
    let block = html.get(at..).filter(|block| block.len() <= BACK_BLOCK_BYTES_MAX && may_be_added(block))?;
    let (plain, title) = (words::plain(&text_of(block)), words::plain(&text_of(known.title)));
    let is_told = |title: &str| {
        !title.is_empty()
            && (words::of("back").iter().any(|pattern| fills(pattern, &plain, Some(title)))
                || words::after("goes_on", &plain).is_some_and(|rest| words::plain(rest) == title))
    };
    let own = known.address.and_then(|address| canonical_key(address.as_str()));
    let links_back = || {
        let fragment = Html::parse_fragment(&bound_markup(block));
        fragment.select(&selector("a[href]")).any(|link| {
            let href =
                link.attr("href").zip(known.address).and_then(|(href, address)| address.join(href).ok());
            own.is_some() && href.and_then(|href| canonical_key(href.as_str())) == own
        })
    };
    let is_back = is_told(&title)
        || words::of("back").iter().any(|pattern| fills(pattern, &plain, None)) && links_back();
    let kept = html[..at].trim_end();
    (is_back && !text_of(kept).is_empty()).then(|| kept.to_owned())
}

/// Removes the sentence that WordPress adds where it stands in one paragraph with the text: with the entry's own title.
fn without_sentence_at_end(html: &str, known: &EntryContext) -> Option<String> {
    let start = html.len().saturating_sub(BACK_BLOCK_BYTES_MAX);
    let start = (start..=html.len()).find(|at| html.is_char_boundary(*at))?;
    if !BACK_MIDDLES.is_match(&fold(&html[start..])) {
        return None;
    }
    let title = words::plain(&text_of(known.title));
    if title.is_empty() {
        return None;
    }
    let is_told = |text: &str| words::of("back").iter().any(|pattern| fills(pattern, text, Some(&title)));
    // A sentence follows on the end of another one, or on mark-up.
    let ends = html[start..].char_indices().filter(|(_, c)| c.is_whitespace() || *c == '>');
    let ends = ends.map(|(at, c)| start + at + c.len_utf8());
    let is_end = |at: &usize| html[..*at].trim_end().ends_with(['.', '!', '?', '…', ']', '>', ';', '»', '"']);
    let may_begin = |at: &usize| is_end(at) && begins_back_sentence(&html[*at..]);
    let at = ends.filter(may_begin).find(|at| is_told(&words::plain(&text_of(&html[*at..]))))?;
    let kept = html[..at].trim_end();
    (!text_of(kept).is_empty()).then(|| kept.to_owned())
}

/// Whether a text is a pattern with something in place of each `*`: the title, if given, in the first.
fn fills(pattern: &str, plain: &str, title: Option<&str>) -> bool {
    let mut parts = pattern.split('*').map(str::trim);
    let (first, second, third) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let is_sign = |c: char| !c.is_alphanumeric();
    let Some(rest) = plain.strip_prefix(first) else { return false };
    let found = match title {
        Some(title) => rest
            .trim_start_matches(is_sign)
            .strip_prefix(title)
            .map(|after| after.trim_start_matches(is_sign)),
        None => rest.find(second).filter(|at| *at > 0).map(|at| &rest[at..]),
    };
    let site = found.and_then(|after| after.strip_prefix(second)).and_then(|site| site.strip_suffix(third));
    site.is_some_and(|site| site.chars().count() <= BACK_LINE_CHARS_MAX)
}

fn text_of(html: &str) -> String {
    one_line(&Html::parse_fragment(&bound_markup(html)).root_element().text().collect::<String>())
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
    if let Some(at) = last_paragraph(tail) {
        let block = Html::parse_fragment(&bound_markup(&tail[at..]));
        if is_back_line(&block, &is_own, title) {
            kept.truncate(cut + at);
        }
    }
    for _ in 0..CALLS_MAX {
        let Some(rest) = call_at_end(&kept, &is_own, title) else { break };
        kept = rest;
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
    let goes_on = words::after("goes_on", &words::plain(&words)).is_some();
    let is_call = !words.is_empty()
        && (words.split_whitespace().count() <= CALL_WORDS_MAX || goes_on)
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
        let known = EntryContext {
            address: Some(&address),
            title,
            authors: &["ana".to_owned()],
            published: "2022-10-04T08:00:00Z".parse().ok(),
        };
        let kept = without_furniture(html, &known);
        text_of(kept.as_deref().unwrap_or(html))
    }

    #[test]
    fn links_to_sections_and_topics_after_a_sign_are_left_out() {
        let topics = "<p>Text.</p>\n\n-\n<a href=\"https://x.org/r\" rel=\"directory\">News</a>\n\n/ \n<a href=\"https://x.org/t\" rel=\"tag\">Town</a>\n";
        assert_eq!(without_topics_at_end(topics).as_deref(), Some("<p>Text.</p>"));
        for kept in [
            "<p>Text</p> <a href=\"https://x.org/r\" rel=\"directory\">News</a>",
            "<p>Text</p> - <a href=\"https://x.org/r\">News</a>",
            "- <a href=\"https://x.org/r\" rel=\"tag\">News</a>",
        ] {
            assert_eq!(without_topics_at_end(kept), None, "{kept}");
        }
    }

    #[test]
    fn letters_that_were_escaped_once_too_often_are_letters() {
        let meant = |html: &str| letters_escaped_twice(html);
        assert_eq!(
            meant("L&amp;eacute;t&amp;eacute; &amp;agrave; Rome").as_deref(),
            Some("L&eacute;t&eacute; &agrave; Rome")
        );
        assert_eq!(meant("<p>L&amp;eacute;t&amp;eacute;</p>").as_deref(), Some("<p>L&eacute;t&eacute;</p>"));
        for kept in [
            "write &amp;eacute; for é",
            "write &amp;eacute; for that letter",
            "R&amp;D &amp; T&amp;lt;S",
            "a &amp;amp; b",
        ] {
            assert_eq!(meant(kept), None, "{kept}");
        }
    }

    #[test]
    fn a_sign_at_the_end_is_left_out() {
        for text in ["News of the town. (+)", "<p>News of the town. (+)</p>", "News of the town. [+] "] {
            assert_eq!(plain(text, "T"), "News of the town.", "{text}");
        }
        assert_eq!(plain("C (+) and D", "T"), "C (+) and D");
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
    fn fields_without_classes_are_not_the_text_either() {
        let (title, date) = (
            "<span>The T</span>",
            "<span><time datetime=2022-10-04T10:30:00+02:00>mar 10/04/2022 - 10:30</time>\n</span>",
        );
        for fields in [
            format!("{title}\n\n<span><span>ana</span></span>\n\n{date}"),
            format!(
                "{title}<span><a href=/user/1>Eva</a></span>{date}<div><a href=/taxonomy/term/3>Culture</a></div>"
            ),
            date.to_owned(),
            "<div><div>Fecha:&nbsp;</div><div><div>Martes, 4 Octubre, 2022</div></div></div>".to_owned(),
        ] {
            assert_eq!(
                plain(&format!("{fields}<div><p>The text.</p></div>"), "The T"),
                "The text.",
                "{fields}"
            );
        }
        for story in [
            "<div><div>Date</div><div><time datetime=2022-12-12>12/12/2022</time></div></div><p>The concert.</p>",
            "<span>The T</span> <span>is what we drink.</span>",
            "<span><span>Ana</span></span> <span>tells.</span>",
        ] {
            assert_eq!(plain(story, "The T"), text_of(story), "{story}");
        }
    }

    #[test]
    fn sentences_that_name_the_entry_are_left_out_without_links_and_with_an_older_title() {
        for line in [
            "L&#8217;article Un Títol est apparu en premier sur Ville.",
            "Запис Un Títol спершу з'явився на X.",
            "The post <a href='https://x.org/a/'>What it was called</a> appeared first on <a href='https://x.org'>X</a>.",
            "<a href='https://x.org/a/'>Continuer la lecture de <span>« Un Títol »</span></a>",
            "Seguir leyendo «Un Títol»",
        ] {
            assert_eq!(
                plain(&format!("<p>News of the town.</p><p>{line}</p>"), "Un Títol"),
                "News of the town.",
                "{line}"
            );
        }
        for line in [
            "News of the town. L’articolo Un Títol proviene da Comune.",
            "<p>News of the town. The post Un Títol appeared first on <a href='https://x.org'>X</a>.</p>",
            "News of the town. Der Beitrag Un Títol erschien zuerst auf Stadt.",
        ] {
            assert_eq!(plain(line, "Un Títol"), "News of the town.", "{line}");
            assert_eq!(plain(line, "Another"), text_of(line));
        }
        for story in [
            "<p>News.</p><p>L'article 5 est apparu en premier sur la liste.</p>",
            "<p>News.</p><p>Continuer la lecture de Proust est un plaisir.</p>",
        ] {
            assert_eq!(plain(story, "T"), text_of(story));
        }
    }

    #[test]
    fn a_title_is_unescaped_as_often_as_it_was_escaped() {
        assert_eq!(
            title_escaped_twice("L&amp;#8217;&amp;eacute;t&amp;eacute; &amp; moi").as_deref(),
            Some("L&#8217;&eacute;t&eacute; & moi")
        );
        for title in ["A &amp; B", "How to write &amp;lt; in a page", "R&amp;D; what next"] {
            assert_eq!(title_escaped_twice(title), None, "{title}");
        }
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
