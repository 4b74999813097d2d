//! What stands in most entries of a document in the same words: lines to share or to subscribe by, notices, signatures. The
//! publisher's system adds them, and they are not the story.

use std::collections::HashMap;

use crate::extract::article::is_line_of_page;
use crate::extract::elements::BLOCK_STARTS;
use crate::model::feed::{RawEntry, RawText};
use crate::support::text::{LineBuffer, attribute_of, one_line};

/// So many entries, and half of those that have such a text, must have a block for it to be boilerplate.
const ENTRIES_MIN: usize = 3;
/// Blocks that are taken from each end at most.
const BLOCKS_MAX: usize = 6;
/// A block that is longer is part of the story, in bytes.
const BLOCK_BYTES_MAX: usize = 2_000;
#[derive(Clone, Copy)]
enum TextEnd {
    First,
    Last,
}

/// Takes the blocks that entries have in common from the ends of their texts. A text is never taken whole.
pub fn strip(entries: &mut [&mut RawEntry]) {
    let length = |text: &Option<RawText>| text.as_ref().map_or(0, |text| text.value.len());
    let lengths: Vec<usize> = entries.iter().map(|raw| length(&raw.summary) + length(&raw.content)).collect();
    let kinds: [fn(&mut RawEntry) -> &mut Option<RawText>; 2] =
        [|raw| &mut raw.summary, |raw| &mut raw.content];
    for of in kinds {
        let mut texts: Vec<(String, &mut RawText)> = entries
            .iter_mut()
            .filter_map(|raw| {
                let title = raw.title.as_ref().map(|title| one_line(&title.value)).unwrap_or_default();
                Some((title, of(raw).as_mut().filter(|text| text.is_html)?))
            })
            .collect();
        for end in [TextEnd::Last, TextEnd::First] {
            for _ in 0..BLOCKS_MAX {
                if !strip_block(&mut texts, end) {
                    break;
                }
            }
        }
    }
    for (raw, before) in entries.iter_mut().zip(lengths) {
        let bytes = before - length(&raw.summary) - length(&raw.content);
        if bytes > 0 {
            raw.notes.push(format!("left out: {bytes} bytes that other entries of the document have too"));
        }
    }
}

/// Takes one block from an end of each text that has it in common with others; answers whether there was one.
fn strip_block(texts: &mut [(String, &mut RawText)], end: TextEnd) -> bool {
    if texts.len() < ENTRIES_MIN {
        return false;
    }
    let blocks: Vec<Option<(usize, String)>> =
        texts.iter().map(|(title, text)| block_at(&text.value, title, end)).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    blocks.iter().flatten().for_each(|(_, words)| *counts.entry(words).or_default() += 1);
    let is_repeated = |words: &str| {
        counts.get(words).is_some_and(|count| *count >= ENTRIES_MIN && *count * 2 >= texts.len())
    };
    let repeated: Vec<Option<usize>> = blocks
        .iter()
        .map(|block| block.as_ref().filter(|(_, words)| is_repeated(words)).map(|(at, _)| *at))
        .collect();
    let mut is_any = false;
    for ((_, text), at) in texts.iter_mut().zip(repeated) {
        let Some(at) = at else { continue };
        match end {
            TextEnd::Last => text.value.truncate(at),
            TextEnd::First => drop(text.value.drain(..at)),
        }
        is_any = true;
    }
    is_any
}

/// Where the first block of a text ends or its last one begins, and its words, in which the title of the entry is a placeholder.
/// `None` where there is nothing else, or nothing in it.
fn block_at(html: &str, title: &str, end: TextEnd) -> Option<(usize, String)> {
    let bytes = html.as_bytes();
    let is_start = |at: &usize| is_block_start(&html[at + 1..]);
    let at = match end {
        TextEnd::Last => memchr::memrchr_iter(b'<', bytes)
            .take_while(|at| html.len() - at <= BLOCK_BYTES_MAX)
            .filter(is_start)
            .find(|at| has_words(&html[*at..]))?,
        TextEnd::First => memchr::memchr_iter(b'<', bytes)
            .take_while(|at| *at <= BLOCK_BYTES_MAX)
            .filter(is_start)
            .find(|at| has_words(&html[..*at]))?,
    };
    let (block, rest) = match end {
        TextEnd::Last => (&html[at..], &html[..at]),
        TextEnd::First => (&html[..at], &html[at..]),
    };
    if !has_words(rest) {
        return None;
    }
    let mut words = words_of(block);
    // "Post Views: 12" says as much as "Post Views: 13".
    if is_line_of_page(&words) {
        words.retain(|c| !c.is_ascii_digit());
    }
    // A caption may be that of all pictures.
    for image in memchr::memmem::find_iter(block.as_bytes(), "<img") {
        let tag = &block[image..];
        let tag = &tag[..memchr::memchr(b'>', tag.as_bytes()).unwrap_or(tag.len())];
        let sources = ["src", "data-src"].iter().filter_map(|name| attribute_of(tag, name));
        sources.for_each(|source| words.push_str(source));
    }
    Some((at, if title.is_empty() { words } else { words.replace(title, "\u{FFFC}") }))
}

fn is_block_start(tag: &str) -> bool {
    let length = tag.bytes().take_while(u8::is_ascii_alphanumeric).count();
    BLOCK_STARTS.iter().any(|name| tag[..length].eq_ignore_ascii_case(name))
}

/// Whether there is anything but tags and white space in a piece of HTML: of most, only the beginning is read.
fn has_words(html: &str) -> bool {
    let mut rest = html;
    loop {
        let text = memchr::memchr(b'<', rest.as_bytes());
        if rest[..text.unwrap_or(rest.len())].contains(|c: char| !c.is_whitespace()) {
            return true;
        }
        let Some(end) = text.and_then(|at| Some(at + memchr::memchr(b'>', &rest.as_bytes()[at..])? + 1))
        else {
            return false;
        };
        rest = &rest[end..];
    }
}

/// The words of a piece of HTML, references as they are written.
fn words_of(html: &str) -> String {
    let mut words = LineBuffer::default();
    let mut rest = html;
    while let Some(at) = memchr::memchr(b'<', rest.as_bytes()) {
        words.push(&rest[..at]);
        rest = memchr::memchr(b'>', &rest.as_bytes()[at..]).map_or("", |end| &rest[at + end + 1..]);
    }
    words.push(rest);
    words.text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(texts: &[&str]) -> Vec<String> {
        let mut entries: Vec<RawEntry> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| RawEntry {
                title: Some(RawText { value: format!("Title {at}"), ..RawText::default() }),
                content: Some(RawText { value: (*text).to_owned(), is_html: true, ..RawText::default() }),
                ..RawEntry::default()
            })
            .collect();
        strip(&mut entries.iter_mut().collect::<Vec<_>>());
        entries.into_iter().map(|entry| entry.content.unwrap().value).collect()
    }

    #[test]
    fn blocks_that_most_entries_have_are_taken_from_their_ends() {
        let share = "<div class=\"share\"><p>Partager : <a href=\"https://f.example/ID\">Facebook</a></p><ul><li>Courriel</li></ul></div>";
        let text = |at: usize| {
            format!(
                "<p class=\"by\">Communiqué</p><p>News {at} of the town.</p><p>More {at}.</p><p>« Title {at} » a paru dans la Gazette</p>{}",
                share.replace("ID", &at.to_string())
            )
        };
        let texts: Vec<String> = (0..4).map(text).collect();
        let left = stripped(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        for (at, text) in left.iter().enumerate() {
            assert_eq!(words_of(text), format!("News {at} of the town.More {at}."));
        }
    }

    #[test]
    fn counts_of_readers_are_alike_and_pictures_are_not_for_their_captions() {
        let views = [
            "<p>a</p><div>Post Views: 12</div>",
            "<p>b</p><div>Post Views: 7</div>",
            "<p>c</p><div>Post Views: 130</div>",
        ];
        assert_eq!(stripped(&views), ["<p>a</p>", "<p>b</p>", "<p>c</p>"]);
        let prices = ["<p>a</p><p>12 €</p>", "<p>b</p><p>7 €</p>", "<p>c</p><p>9 €</p>"];
        assert_eq!(stripped(&prices), prices);
        let picture = |at: u8| {
            format!(
                "<figure><img src=\"/{at}.jpg\"><figcaption>Photo: Town</figcaption></figure><p>News {at}</p>"
            )
        };
        let pictures = [picture(1), picture(2), picture(3)];
        assert_eq!(stripped(&[&*pictures[0], &*pictures[1], &*pictures[2]]), pictures);
    }

    #[test]
    fn what_few_have_and_what_is_all_that_there_is_stays() {
        for texts in [
            ["<p>a</p><p>End</p>", "<p>b</p><p>End</p>", "<p>c</p><p>Other</p>", "<p>d</p>"],
            ["<p>Same</p>", "<p>Same</p>", "<p>Same</p>", "<p>Same</p>"],
            ["<p>Same</p><img src=a>", "<p>Same</p><img src=b>", "<p>Same</p>", "<p>Same</p>"],
        ] {
            assert_eq!(stripped(&texts), texts);
        }
    }
}
