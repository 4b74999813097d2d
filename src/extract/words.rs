//! Words by which parts of pages are told apart (`words.txt`), in all languages of the interface.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::support::text::fold;

/// Words of one kind, folded.
pub(super) type WordSet = HashSet<String>;

static TABLE: LazyLock<HashMap<&'static str, WordSet>> = LazyLock::new(|| {
    let mut table: HashMap<&str, WordSet> = HashMap::new();
    let lines = include_str!("words.txt").lines().filter(|line| !line.starts_with('#'));
    for (head, words) in lines.filter_map(|line| line.split_once(": ")) {
        let kind = head.split(' ').next().unwrap_or(head);
        table.entry(kind).or_default().extend(words.split(" | ").map(|word| fold(word.trim())));
    }
    table
});

/// The words of a kind that the table has.
pub(super) fn of(kind: &str) -> &'static WordSet {
    &TABLE[kind]
}

/// A text as it is compared: folded, with plain apostrophes, without signs at its ends.
pub(super) fn plain(text: &str) -> String {
    let folded = fold(text).replace(['’', 'ʼ'], "'");
    folded.trim_matches(|c: char| !c.is_alphanumeric() && c != '+').to_owned()
}

/// Whether a text is one of the words.
pub(super) fn is_one(kind: &str, text: &str) -> bool {
    of(kind).contains(&plain(text))
}

/// Whether one of the words stands in a text, as a word: next to letters of its own only in scripts without spaces.
pub(super) fn has_one(kind: &str, text: &str) -> bool {
    let text = plain(text);
    of(kind).iter().any(|word| stands_in(&text, word))
}

/// Kinds of words that name news, or what a page shows first.
const OF_NEWS: [&str; 3] = ["news", "featured", "latest"];
/// A word beside one that only calls something new is no noun if it has so many characters: "from the".
const SMALL_CHARS_MAX: usize = 3;

/// Whether a text calls something news: not what only features it, and what is new only if nothing says of what ("The latest").
pub(super) fn names_news(text: &str) -> bool {
    has_one("news", text) || is_only("latest", text)
}

/// Whether a text says no more than that something is featured.
pub(super) fn is_featured(text: &str) -> bool {
    is_only("featured", text)
}

/// Whether a text says that something is featured or new, be it news or anything else.
pub(super) fn features(text: &str) -> bool {
    has_one("featured", text) || has_one("latest", text)
}

/// The words that name news or what is shown first.
pub(super) fn of_news() -> impl Iterator<Item = &'static String> {
    OF_NEWS.iter().flat_map(|kind| of(kind))
}

/// Whether a word names news or what is shown first.
pub(super) fn is_of_news(word: &str) -> bool {
    OF_NEWS.iter().any(|kind| of(kind).contains(word))
}

/// Whether parts of a name in markup or in an address name news: "latest-services" do not.
pub(super) fn parts_name_news(parts: &[String]) -> bool {
    let has = |kind: &str| parts.iter().any(|part| of(kind).contains(part));
    has("news") || has("latest") && !has("other")
}

/// Whether a text consists of a word of a kind and of small ones.
fn is_only(kind: &str, text: &str) -> bool {
    let text = plain(text);
    of(kind).iter().filter(|word| stands_in(&text, word)).any(|word| {
        let rest = text.replacen(word.as_str(), " ", 1);
        rest.split(|c: char| !c.is_alphanumeric()).all(|rest| rest.chars().count() <= SMALL_CHARS_MAX)
    })
}

/// Whether a word stands in a text; both folded.
pub(super) fn stands_in(text: &str, word: &str) -> bool {
    let is_spaceless = word.chars().any(|c| ('\u{3040}'..='\u{9FFF}').contains(&c));
    text.match_indices(word).any(|(at, _)| {
        let is_apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        is_spaceless
            || is_apart(text[..at].chars().next_back()) && is_apart(text[at + word.len()..].chars().next())
    })
}

/// The number of words of a text. A script without spaces has about one in two characters.
pub(super) fn count(text: &str) -> usize {
    let is_spaceless = |c: &char| ('\u{3040}'..='\u{9FFF}').contains(c);
    let words = text.split_whitespace().filter(|word| word.chars().any(|c| !is_spaceless(&c))).count();
    words + text.chars().filter(is_spaceless).count().div_ceil(2)
}

/// What follows one of the words that a text begins with, the longest first; both folded.
pub(super) fn after<'a>(kind: &str, plain: &'a str) -> Option<&'a str> {
    let rests = of(kind).iter().filter_map(|word| plain.strip_prefix(word.as_str()));
    rests
        .filter(|rest| {
            rest.chars().next().is_none_or(|c| !c.is_alphanumeric() || ('\u{3040}'..='\u{9FFF}').contains(&c))
        })
        .min_by_key(|rest| rest.len())
}

/// The words of a name in markup: `news-list`, `newsList` and `news_list` have the same ones.
pub(super) fn parts_of_name(name: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(name.len() + 4);
    let mut was_lower = false;
    for c in name.chars() {
        if was_lower && c.is_uppercase() {
            spaced.push(' ');
        }
        was_lower = c.is_lowercase();
        spaced.push(if c.is_alphanumeric() { c } else { ' ' });
    }
    fold(&spaced).split_ascii_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_any_script() {
        assert!(has_one("news", "Actualités de la commune") && has_one("news", "市政府新闻中心"));
        assert!(has_one("news", "كل الأخبار") && !has_one("news", "Newsham, the town"));
        assert!(
            is_one("call", "Lire la suite »") && is_one("file", "(PDF)") && !is_one("call", "Lire Proust")
        );
        for text in ["Featured news", "Latest", "The latest", "Notizie in evidenza", "Latest from Acme"] {
            assert!(names_news(text), "{text}");
        }
        for text in ["Featured", "À la une", "Latest services", "Trámites destacados", "Headlines"] {
            assert!(!names_news(text) && features(text), "{text}");
        }
        assert!(is_featured("À la une") && !is_featured("Démarches à la une"));
        assert_eq!(after("line", "temps de lecture : 3 min"), Some(" : 3 min"));
        assert_eq!((count("市政府召开会议"), count("A new bridge"), count("افتتاح مركز صحي")), (4, 3, 3));
        assert_eq!(parts_of_name("newsListe_item"), ["news", "liste", "item"]);
    }

    #[test]
    fn no_kind_forgets_a_language_of_the_interface() {
        let languages = ["ar", "ca", "de", "en", "es", "fr", "id", "it", "nl", "pt", "ru", "sw", "uk", "zh"];
        for kind in [
            "news",
            "events",
            "gone",
            "none",
            "plain",
            "section",
            "call",
            "pager",
            "file",
            "badge",
            "line",
            "aside",
            "goes_on",
            "back",
            "results",
            "search",
            "timetable",
            "procedure",
            "legal",
            "about",
            "help",
            "reference",
            "documents",
            "step",
            "answer",
            "tool",
        ] {
            for language in languages {
                let head = format!("\n{kind} {language}: ");
                assert!(include_str!("words.txt").contains(&head), "{kind} {language}");
            }
        }
    }
}
