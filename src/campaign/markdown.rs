//! Markdown as HTML, and as plain text for those who read that.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// What is read beyond CommonMark, as most who write Markdown expect it.
const OPTIONS: Options = Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH);

/// The HTML of a text. What HTML it holds is in there as it is.
pub fn html(markdown: &str) -> String {
    let mut html = String::with_capacity(markdown.len() * 2);
    pulldown_cmark::html::push_html(&mut html, Parser::new_ext(markdown, OPTIONS));
    html
}

/// The text without marks, for mail programs that show no HTML; `plain` makes text of HTML that stands in it.
pub fn text(markdown: &str, plain: impl Fn(&str) -> String) -> String {
    let mut writer = PlainTextWriter {
        plain,
        out: String::new(),
        lists: Vec::new(),
        quotes: 0,
        links: Vec::new(),
        is_code: false,
        is_cell: false,
    };
    Parser::new_ext(markdown, OPTIONS).for_each(|event| writer.event(event));
    writer.out.trim_matches('\n').to_owned()
}

struct PlainTextWriter<P> {
    plain: P,
    out: String,
    /// The open lists, with the number of the next item of those that are numbered.
    lists: Vec<Option<u64>>,
    quotes: usize,
    /// The addresses of the open links and pictures, and where their texts begin.
    links: Vec<(String, usize)>,
    is_code: bool,
    /// Whether a cell stands before in the row.
    is_cell: bool,
}

impl<P: Fn(&str) -> String> PlainTextWriter<P> {
    fn event(&mut self, event: Event) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.is_code => {
                for line in text.split_inclusive('\n') {
                    self.out.push_str("    ");
                    self.out.push_str(line);
                }
            }
            Event::Text(text) | Event::Code(text) => self.out.push_str(&text),
            Event::Html(html) | Event::InlineHtml(html) => {
                let text = (self.plain)(&html);
                self.out.push_str(&text);
            }
            Event::SoftBreak => self.out.push(' '),
            Event::HardBreak => self.line(),
            Event::Rule => {
                self.block();
                self.out.push_str("* * *");
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag) {
        match tag {
            Tag::Paragraph if self.is_fresh_item() => {}
            Tag::Paragraph | Tag::Table(_) | Tag::HtmlBlock => self.block(),
            Tag::Heading { level, .. } => {
                self.block();
                self.out.push_str(&"#".repeat(level as usize));
                self.out.push(' ');
            }
            Tag::BlockQuote(_) => self.quotes += 1,
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => {
                self.block();
                self.is_code = true;
            }
            Tag::List(first) => {
                if self.lists.is_empty() {
                    self.block();
                }
                self.lists.push(first);
            }
            Tag::Item => self.item(),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.links.push((dest_url.into_string(), self.out.len()));
            }
            Tag::TableRow | Tag::TableHead => {
                if matches!(tag, Tag::TableRow) {
                    self.line();
                }
                self.is_cell = false;
            }
            Tag::TableCell => {
                if self.is_cell {
                    self.out.push_str(" | ");
                }
                self.is_cell = true;
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::BlockQuote(_) => self.quotes = self.quotes.saturating_sub(1),
            TagEnd::CodeBlock => self.is_code = false,
            TagEnd::List(_) => drop(self.lists.pop()),
            TagEnd::Link | TagEnd::Image => {
                let Some((address, start)) = self.links.pop() else { return };
                let shown = self.out.get(start..).unwrap_or_default().trim();
                if shown.is_empty() {
                    self.out.push_str(&address);
                } else if shown != address && format!("mailto:{shown}") != address {
                    self.out.push_str(&format!(" ({address})"));
                }
            }
            _ => {}
        }
    }

    /// Whether an item has just begun, whose mark stands in the same line.
    fn is_fresh_item(&self) -> bool {
        !self.lists.is_empty() && (self.out.ends_with("- ") || self.out.ends_with(". "))
    }

    fn item(&mut self) {
        self.line();
        self.out.push_str(&"  ".repeat(self.lists.len().saturating_sub(1)));
        match self.lists.last_mut() {
            Some(Some(number)) => {
                self.out.push_str(&format!("{number}. "));
                *number += 1;
            }
            _ => self.out.push_str("- "),
        }
    }

    /// Begins another line.
    fn line(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        self.out.push_str(&"> ".repeat(self.quotes));
    }

    /// Begins another block, after an empty line.
    fn block(&mut self) {
        while self.out.ends_with(['\n', ' ']) {
            self.out.pop();
        }
        if !self.out.is_empty() {
            self.out.push_str("\n\n");
        }
        self.out.push_str(&"> ".repeat(self.quotes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(markdown: &str) -> String {
        text(markdown, |html| html.replace("<b>", "").replace("</b>", ""))
    }

    #[test]
    fn the_text_says_all_that_the_html_shows() {
        let markdown = "# Hello & *you*\n\nOne\ntwo  \nthree, [a page](https://x.example/a) and <https://y.example/>.\n\n- a\n- b\n  1. c\n  2. d\n\n> said\n\n```\nlet x;\n  y\n```\n\n![A bridge](https://x.example/b.png)\n\n---\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nA <b>bold</b> word.\n";
        let want = "# Hello & you\n\nOne two\nthree, a page (https://x.example/a) and https://y.example/.\n\n- a\n- b\n  1. c\n  2. d\n\n> said\n\n    let x;\n      y\n\nA bridge (https://x.example/b.png)\n\n* * *\n\na | b\n1 | 2\n\nA bold word.";
        assert_eq!(plain(markdown), want);
        assert_eq!(plain("1. a\n\n2. b\n\nc"), "1. a\n2. b\n\nc");
        assert_eq!(plain("[](https://x.example/)"), "https://x.example/");
        assert_eq!(plain(""), "");
        assert!(html(markdown).contains("<a href=\"https://x.example/a\">a page</a>"));
    }
}
