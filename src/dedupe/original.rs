//! The address that a short text says it comes from: "reposted from", "read the original", or the only story that it links to and
//! quotes.

use std::sync::LazyLock;

use regex::Regex;
use url::Url;

use crate::model::address::canonical_key;
use crate::support::text::{fold, without_tags};

/// Longer texts, in bytes of mark-up and in words, are stories of their own.
const CONTENT_BYTES_MAX: usize = 2_500;
const WORDS_MAX: usize = 150;
/// A text that only quotes a story has at most so many words, and quotes at least so many.
const QUOTING_WORDS_MAX: usize = 80;
const QUOTED_WORDS_MIN: usize = 4;
/// So many words at most stand in front of a title in its sentence: "Worth reading today:".
const BEFORE_WORDS_MAX: usize = 4;
/// What says whence a text is stands at most so many characters in front of the link.
const BEFORE_CHARS_MAX: usize = 60;

/// Folded.
const WHENCE: [&str; 44] = [
    "reposted from",
    "republished from",
    "cross-posted from",
    "crossposted from",
    "originally published",
    "originally posted",
    "originally appeared",
    "first published",
    "first appeared",
    "read the original",
    "original article",
    "original post",
    "read the full",
    "source:",
    "repris de",
    "publie a l'origine",
    "publie initialement",
    "initialement publie",
    "paru initialement",
    "article original",
    "lire l'original",
    "lire l'article complet",
    "source :",
    "publicado originalmente",
    "originalmente publicado",
    "articulo original",
    "nota original",
    "leer el original",
    "tomado de",
    "fuente:",
    "artigo original",
    "leia o original",
    "fonte:",
    "ursprunglich veroffentlicht",
    "ursprunglich erschienen",
    "zuerst erschienen",
    "zum originalbeitrag",
    "originalartikel",
    "quelle:",
    "pubblicato originariamente",
    "originariamente pubblicato",
    "articolo originale",
    "publicat originalment",
    "font:",
];

static LINK: LazyLock<Regex> = LazyLock::new(|| {
    // Addresses in other tags are of pictures.
    Regex::new(
        r#"(?is)<a\s[^>]*?href\s*=\s*["']([^"']+)["'][^>]*>(.*?)</a>|<[^>]*>|(https?://[^\s<>"'”»)\]]+)"#,
    )
    .expect("a pattern")
});
static QUOTED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"“([^”]{12,200})”|«([^»]{12,200})»|„([^“”]{12,200})[“”]|"([^"<>]{12,200})""#)
        .expect("a pattern")
});

struct SourceLink {
    start: usize,
    key: String,
    text: String,
}

/// The key of the address that a text, with or without mark-up, says it comes from. `own` is the entry's own address, whose site is
/// not meant.
pub(super) fn original(content: &str, own: Option<&str>) -> Option<String> {
    if content.len() > CONTENT_BYTES_MAX || !content.contains("http") {
        return None;
    }
    let plain = without_tags(content);
    let count = words(&plain);
    if count > WORDS_MAX {
        return None;
    }
    let links = links(content, own);
    if let Some(link) = links.iter().find(|link| is_whence(content, link)) {
        return Some(link.key.clone());
    }
    let first = links.first().filter(|first| links.iter().all(|link| link.key == first.key))?;
    let is_quoting = || {
        let quoted = QUOTED.captures_iter(&plain).filter_map(|found| found.iter().skip(1).flatten().next());
        (words(&first.text) >= QUOTED_WORDS_MIN && is_title(content, first))
            || quoted.into_iter().any(|quoted| words(quoted.as_str()) >= QUOTED_WORDS_MIN)
    };
    (count <= QUOTING_WORDS_MAX && is_quoting()).then(|| first.key.clone())
}

/// The links to pages of other sites.
fn links(content: &str, own: Option<&str>) -> Vec<SourceLink> {
    let host = |address: &str| Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned));
    let own = own.and_then(host);
    let link = |found: regex::Captures| {
        let address = found.get(1).or(found.get(3))?;
        let address = address.as_str().trim().trim_end_matches(['.', ',', ';']).replace("&amp;", "&");
        let url = Url::parse(&address).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        // A front page, of a language too, is nobody's story.
        let path = url.path().trim_matches('/');
        let is_language = path.len() == 2 && path.chars().all(|c| c.is_ascii_alphabetic());
        let is_page = !path.is_empty() && !is_language || url.query().is_some();
        let is_elsewhere = url.host_str().map(str::to_owned) != own;
        let text = found.get(2).map(|text| without_tags(text.as_str())).unwrap_or_default();
        let start = found.get(0)?.start();
        (is_page && is_elsewhere)
            .then(|| Some(SourceLink { start, key: canonical_key(&address)?, text }))
            .flatten()
    };
    LINK.captures_iter(content).filter_map(link).collect()
}

/// Whether a link stands for a title, and not as a part of a sentence: it begins with a capital, a figure or a quotation mark, and few
/// words of its sentence are in front of it.
fn is_title(content: &str, link: &SourceLink) -> bool {
    let begins_so = |c: char| c.is_uppercase() || c.is_numeric() || matches!(c, '“' | '"' | '«' | '„' | '‘');
    let before = without_tags(&content[..link.start]);
    let sentence = before.rsplit(['.', '!', '?', ':', '\n', '–', '—', '|']).next().unwrap_or_default();
    link.text.trim_start().starts_with(begins_so) && words(sentence) <= BEFORE_WORDS_MAX
}

/// Titles that a short entry quotes, in its own title or in its text: between quotation marks, or behind the name of a publisher.
pub(super) fn quoted_titles<'a>(title: &'a str, text: &'a str) -> Vec<&'a str> {
    let named = title.split_once(": ").map(|(_, rest)| rest.trim());
    let quoted = [title, text].into_iter().filter(|text| text.len() <= CONTENT_BYTES_MAX).flat_map(|text| {
        QUOTED.captures_iter(text).filter_map(|found| Some(found.iter().skip(1).flatten().next()?.as_str()))
    });
    named.into_iter().chain(quoted).filter(|quoted| words(quoted) > QUOTED_WORDS_MIN).collect()
}

/// Whether the words in front of a link, or those of the link, say that the text is from there.
fn is_whence(content: &str, link: &SourceLink) -> bool {
    let before = fold(&without_tags(&content[..link.start])).replace('’', "'");
    let start = before.char_indices().rev().nth(BEFORE_CHARS_MAX).map_or(0, |(at, _)| at);
    let own = fold(&link.text).replace('’', "'");
    WHENCE.iter().any(|phrase| before[start..].contains(phrase) || own.contains(phrase))
}

fn words(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_teaser_names_its_original() {
        let own = Some("https://partner.example/77");
        for (content, want) in [
            (
                "<p>Our colleagues looked at forty countries. Reposted from <a href=\"https://oecd.example/news/1?utm_source=x\">OECD</a>.</p>",
                true,
            ),
            ("Read the original: https://oecd.example/news/1.", true),
            (
                "<p>À lire. Article publié à l’origine sur <a href='https://oecd.example/news/1'>le site de l’OCDE</a></p>",
                true,
            ),
            ("<p>Fuente: <a href=\"https://oecd.example/news/1\">OCDE</a></p>", true),
            (
                "<p>Worth reading: <a href=\"https://oecd.example/news/1\">Open budgets show slow progress</a></p>",
                true,
            ),
            (
                "<p>“Open budgets show slow progress”, says <a href=\"https://oecd.example/news/1\">OECD</a>.</p>",
                true,
            ),
            (
                "<p><img src=\"https://cdn.example/a.jpg\">“Open budgets show slow progress”, says <a href=\"https://oecd.example/news/1\">OECD</a>.</p>",
                true,
            ),
            // A part of a sentence in a text with news of its own.
            (
                "<p>Two budgets were opened on Monday, after <a href=\"https://oecd.example/news/1\">open budgets had shown slow progress</a>.</p>",
                false,
            ),
            // One of several, the site, its own pages, a mention.
            (
                "<p>See <a href=\"https://oecd.example/news/1\">Open budgets show slow progress</a> and <a href=\"https://b.example/2\">this one</a>.</p>",
                false,
            ),
            ("<p>Source: <a href=\"https://oecd.example/\">OECD</a></p>", false),
            ("<p>Source: <a href=\"https://partner.example/about/us\">our own page</a></p>", false),
            ("<p>The council meets (<a href=\"https://oecd.example/news/1\">agenda</a>).</p>", false),
        ] {
            let found = original(content, own);
            assert_eq!(
                found.as_deref() == canonical_key("https://oecd.example/news/1").as_deref(),
                want,
                "{content}: {found:?}"
            );
        }
        assert_eq!(
            quoted_titles(
                "OECD: Open budgets show slow progress",
                "They write “Forty countries open their budgets” and «Non»."
            ),
            ["Open budgets show slow progress", "Forty countries open their budgets"]
        );
        let long = format!(
            "<p>{}</p><p>Source: <a href=\"https://oecd.example/news/1\">OECD</a></p>",
            "word ".repeat(200)
        );
        assert_eq!(original(&long, own), None);
    }
}
