//! What programs for discussions add below the text that a thread begins with: who submitted it, with links in brackets, and how
//! many have answered.

use std::sync::LazyLock;

use regex::Regex;

use super::{CALL_WORDS_MAX, TAIL_BYTES, last_paragraph, text_of};

/// A count has at most so many words: "12 participants", "4 Beiträge insgesamt".
const COUNT_WORDS_MAX: usize = 3;

/// `submitted by <a href=…/user/NAME> /u/NAME </a> <span><a>[link]</a></span> …`, up to the end: words in front of the link to
/// somebody, then nothing but links in brackets. What closes elements that were opened before stays.
static SUBMISSION: LazyLock<Regex> = LazyLock::new(|| {
    let space = r"(?:\s|&#32;|&nbsp;)";
    let user = r#"<a\s[^>]*href=["'][^"'>]*/u(?:ser)?/[^>]*>\s*/?u/[^<>]{1,60}</a>"#;
    let group = r"[^<>]{0,20}<a\s[^>]*>\s*/?r/[^<>]{1,60}</a>";
    let in_brackets = r"(?:</?span>|<br\s*/?>|<a\s[^>]*>\s*\[[^\]<>]{1,30}\]\s*</a>)";
    let ends = r"((?:</[a-z]{1,10}>\s*)*)";
    Regex::new(&format!("(?i)[^<>]{{0,60}}{user}(?:{space}|{group})*(?:{space}|{in_brackets})*{ends}$"))
        .expect("the expression is valid")
});

/// The text without the line of who submitted it to a group, which may be all of it.
pub(super) fn without_submission(html: &str) -> Option<String> {
    let html = html.trim_end();
    let start = html.len().saturating_sub(TAIL_BYTES);
    let start = (start..=html.len()).find(|at| html.is_char_boundary(*at))?;
    if !html[start..].contains("]</a>") {
        return None;
    }
    let found = SUBMISSION.captures(&html[start..])?;
    let (line, ends) = (found.get(0)?, found.get(1)?);
    let is_linked = line.as_str().contains("]</a>");
    is_linked.then(|| format!("{}{}", html[..start + line.start()].trim_end(), ends.as_str()))
}

/// The text without a last paragraph that counts posts and people, in small print, and the link to all of them below it.
pub(super) fn without_counts(html: &str) -> Option<String> {
    let html = html.trim_end();
    let last = last_paragraph(html)?;
    let before = || last_paragraph(&html[..last]);
    let is_link = || {
        let link = html[last..].trim_end_matches("</p>").split_once('>').map_or("", |(_, link)| link).trim();
        link.starts_with("<a ")
            && link.ends_with("</a>")
            && text_of(link).split_whitespace().count() <= CALL_WORDS_MAX
    };
    let (at, block) = match has_counts(&html[last..]) {
        true => (last, &html[last..]),
        false => before().filter(|_| is_link()).map(|at| (at, &html[at..last]))?,
    };
    let kept = html[..at].trim_end();
    (has_counts(block) && !text_of(kept).is_empty()).then(|| kept.to_owned())
}

/// Whether a paragraph is nothing but two counts in small print: `<p><small>3 posts - 2 participants</small></p>`.
fn has_counts(block: &str) -> bool {
    let small = block.split_once('>').map_or("", |(_, inner)| inner).trim();
    let counts = small.strip_prefix("<small>").and_then(|rest| rest.split_once("</small>"));
    let is_count = |text: &str| {
        let mut words = text.split_whitespace();
        let is_number = words.next().is_some_and(|first| first.bytes().all(|b| b.is_ascii_digit()));
        let rest: Vec<&str> = words.collect();
        let are_words = rest.iter().all(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '('));
        is_number && are_words && (1..=COUNT_WORDS_MAX).contains(&rest.len())
    };
    counts.is_some_and(|(text, after)| {
        let ends = matches!(after.trim(), "" | "</p>");
        ends && text.split_once(" - ").is_some_and(|(posts, people)| is_count(posts) && is_count(people))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_submitted_a_text_is_no_part_of_it() {
        let user = "<a href=\"https://r.example/user/ana\"> /u/ana </a>";
        let link = "<span><a href=\"https://x.org/1\">[link]</a></span> &#32; <span><a href=\"https://r.example/1\">[comments]</a></span>";
        for (text, kept) in [
            (
                format!(
                    "<div><p>The text.</p></div><!-- on --> &#32; submitted by &#32; {user} <br/> {link}"
                ),
                "<div><p>The text.</p></div><!-- on -->",
            ),
            (format!("<p>Le texte.</p> soumis par {user} <br> {link} "), "<p>Le texte.</p>"),
            (
                format!(
                    "&#32; submitted by &#32; {user} &#32; to &#32; <a href=\"https://r.example/r/x/\"> r/x </a> <br/> {link}"
                ),
                "",
            ),
            (
                format!("<table><tr><td>A</td><td> submitted by {user} <br/> {link} </td></tr></table>"),
                "<table><tr><td>A</td><td></td></tr></table>",
            ),
        ] {
            assert_eq!(without_submission(&text).as_deref(), Some(kept), "{text}");
        }
        for text in [
            format!("<p>The text of {user}.</p>"),
            format!("<p>The text.</p> submitted by {user}"),
            format!("<p>The text.</p> submitted by {user} {link} <p>More of it.</p>"),
            format!("<p>The text.</p> {link}"),
        ] {
            assert_eq!(without_submission(&text), None, "{text}");
        }
    }

    #[test]
    fn how_many_answered_is_no_part_of_a_text() {
        let call = "<p><a href=\"https://x.org/t/2\">Read full topic</a></p>";
        for counts in
            ["3 posts - 2 participants", "12 messages - 4 participant(e)s", "1 Beitrag - 1 Teilnehmer"]
        {
            for call in ["", call] {
                let text = format!("<p>The text.</p>\n <p><small>{counts}</small></p>\n {call}\n");
                assert_eq!(without_counts(&text).as_deref(), Some("<p>The text.</p>"), "{text}");
            }
        }
        for text in [
            format!("<p><small>3 posts - 2 participants</small></p>{call}"),
            format!("<p>The text.</p><p><small>Photo: Ana - Town</small></p>{call}"),
            format!("<p>The text.</p><p>3 posts - 2 participants</p>{call}"),
            "<p>The text.</p><p><small>3 posts - 2 participants</small></p><p>More of it.</p>".to_owned(),
        ] {
            assert_eq!(without_counts(&text), None, "{text}");
        }
    }
}
