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
            "answer",
        ] {
            for language in languages {
                let head = format!("\n{kind} {language}: ");
                assert!(include_str!("words.txt").contains(&head), "{kind} {language}");
            }
        }
    }
}
