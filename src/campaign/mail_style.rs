//! How the elements of a text look in a mail: mail programs take styles from elements only. The classes are those by which the
//! templates of mails have dark colours.

use crate::model::color::Color;

/// What is added to the elements of a text, by their names; `ACCENT` stands for the colour of links.
const STYLES: [(&str, &str); 16] = [
    (
        "p",
        " class=\"ink\" style=\"margin:0 0 12px 0;font-family:Georgia,serif;font-size:16px;line-height:24px;color:#1b1f24;\"",
    ),
    (
        "h1",
        " class=\"ink\" style=\"margin:16px 0 8px 0;font-family:Georgia,serif;font-size:22px;line-height:28px;color:#1b1f24;\"",
    ),
    (
        "h2",
        " class=\"ink\" style=\"margin:16px 0 8px 0;font-family:Georgia,serif;font-size:19px;line-height:26px;color:#1b1f24;\"",
    ),
    (
        "h3",
        " class=\"ink\" style=\"margin:12px 0 4px 0;font-family:Georgia,serif;font-size:17px;line-height:24px;color:#1b1f24;\"",
    ),
    (
        "h4",
        " class=\"ink\" style=\"margin:12px 0 4px 0;font-family:Georgia,serif;font-size:16px;line-height:24px;color:#1b1f24;\"",
    ),
    ("ul", " style=\"margin:0 0 12px 0;padding:0 24px;\""),
    ("ol", " style=\"margin:0 0 12px 0;padding:0 24px;\""),
    (
        "li",
        " class=\"ink\" style=\"margin:0 0 4px 0;font-family:Georgia,serif;font-size:16px;line-height:24px;color:#1b1f24;\"",
    ),
    (
        "blockquote",
        " style=\"margin:0 0 12px 0;padding:0 12px;border-left:3px solid #8c959f;border-right:3px solid #8c959f;\"",
    ),
    ("a", " class=\"link\" style=\"color:ACCENT;text-decoration:underline;\""),
    ("img", " style=\"max-width:100%;height:auto;border:0;\""),
    ("hr", " style=\"margin:16px 0;border:0;border-top:1px solid #8c959f;\""),
    (
        "pre",
        " class=\"ink\" style=\"margin:0 0 12px 0;white-space:pre-wrap;font-family:monospace;font-size:14px;line-height:20px;color:#1b1f24;\"",
    ),
    ("table", " style=\"margin:0 0 12px 0;border-collapse:collapse;\""),
    (
        "th",
        " class=\"ink\" style=\"padding:4px 8px;border:1px solid #8c959f;font-family:Georgia,serif;font-size:16px;line-height:24px;color:#1b1f24;\"",
    ),
    (
        "td",
        " class=\"ink\" style=\"padding:4px 8px;border:1px solid #8c959f;font-family:Georgia,serif;font-size:16px;line-height:24px;color:#1b1f24;\"",
    ),
];

/// Safe HTML with the styles of a mail, and links in a colour.
pub fn with_mail_style(html: &str, accent: Color) -> String {
    let accent = accent.to_string();
    let (mut out, mut rest) = (String::with_capacity(html.len() * 2), html);
    // Within text, a < is written as a reference.
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        let name_end = 1 + tag[1..].find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len() - 1);
        let style = STYLES.iter().find(|(name, _)| *name == &tag[1..name_end]).map_or("", |(_, style)| style);
        out.push_str(before);
        out.push_str(&tag[..name_end]);
        out.push_str(&style.replace("ACCENT", &accent));
        let end = name_end + tag_end(&tag[name_end..]);
        out.push_str(&tag[name_end..end]);
        rest = &tag[end..];
    }
    out + rest
}

/// The end of a tag, of which this is the rest: a value in quotes may hold what looks like one.
fn tag_end(rest: &str) -> usize {
    let mut is_quoted = false;
    let end = rest.bytes().position(|byte| {
        is_quoted ^= byte == b'"';
        byte == b'>' && !is_quoted
    });
    end.map_or(rest.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_styled_and_nothing_else_changes() {
        let styled = with_mail_style(
            "<p>a &lt;p&gt; <a href=\"https://x.example/?a=<p>\" title=\"<p>\">b</a><br></p>",
            Color::BLACK,
        );
        assert!(styled.contains("style=\"color:#000000;"), "{styled}");
        assert!(styled.starts_with("<p class=\"ink\" style=\""), "{styled}");
        assert!(styled.contains("\">a &lt;p&gt; <a class=\"link\" style="), "{styled}");
        assert!(
            styled.ends_with(" href=\"https://x.example/?a=<p>\" title=\"<p>\">b</a><br></p>"),
            "{styled}"
        );
        assert_eq!(with_mail_style("<", Color::BLACK), "<");
        assert_eq!(with_mail_style("<p", Color::BLACK), format!("<p{}", STYLES[0].1));
        assert_eq!(with_mail_style("a <em>b</em>", Color::BLACK), "a <em>b</em>");
        assert_eq!(
            with_mail_style("<pé>", Color::BLACK),
            "<pé>".replace("<p", &format!("<p{}", STYLES[0].1))
        );
    }
}
