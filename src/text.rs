//! Characters and words: named references, white space, folding, cutting. Knows no format and no type of ours.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The characters that a named reference of HTML stands for, its semicolon left out.
pub fn named_reference(name: &str) -> Option<String> {
    let (first, second) = match name {
        // The angle brackets of mathematics are not those of the HTML 4 entities that old feeds mean.
        "lang" => (0x2329, 0),
        "rang" => (0x232A, 0),
        _ => *markup5ever::data::NAMED_ENTITIES.get(format!("{name};").as_str())?,
    };
    let text: String = [first, second].into_iter().filter(|&code| code != 0).filter_map(char::from_u32).collect();
    (!text.is_empty()).then_some(text)
}

/// Runs of white space and control characters become one space; no-break spaces are typography and stay.
pub fn one_line(text: &str) -> String {
    let is_space = |c: char| (c.is_whitespace() && !matches!(c, '\u{A0}' | '\u{202F}' | '\u{2007}')) || c.is_control();
    let mut out = String::with_capacity(text.len());
    for word in text.split(is_space).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Cuts at a word's end and marks the cut.
pub fn shorten(text: &str, chars_max: usize) -> String {
    let Some((cut, _)) = text.char_indices().nth(chars_max) else { return text.to_owned() };
    let head = &text[..cut];
    let end = head.rfind(char::is_whitespace).filter(|&end| end > cut / 2).unwrap_or(cut);
    format!("{}…", head[..end].trim_end_matches([' ', ',', ';', ':', '.', '\u{A0}']))
}

/// Lower case without accents: what two spellings of a word have in common.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

/// `& < > "` as references.
pub fn push_escaped(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"']) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            _ => "&quot;",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_those_of_the_standard() {
        assert_eq!(named_reference("eacute").as_deref(), Some("é"));
        assert_eq!(named_reference("alpha").as_deref(), Some("α"));
        assert_eq!(named_reference("nothing"), None);
    }

    #[test]
    fn a_summary_is_cut_between_words() {
        assert_eq!(shorten("one two three", 9), "one two…");
        assert_eq!(shorten("short", 9), "short");
    }

    #[test]
    fn folding_drops_case_and_accents() {
        assert_eq!(fold("Élections À ŒUVRER"), "elections a œuvrer");
    }

    #[test]
    fn typography_survives_one_line() {
        assert_eq!(one_line(" Un\n deux\u{A0}: trois "), "Un deux\u{A0}: trois");
    }
}
