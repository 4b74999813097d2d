//! Takes a message apart.

use mail_parser::{Message, MimeHeaders, PartType};

/// Only this many bytes of a report's text are searched.
const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Maximum depth of nested messages.
const DEPTH_MAX: usize = 4;

/// The relevant parts of a message.
#[derive(Default)]
pub(super) struct MessageParts {
    pub(super) status: Option<String>,
    pub(super) feedback: Option<String>,
    /// The human-readable text of the report itself.
    pub(super) text: String,
    /// The mail that it reports on, or at least its headers.
    pub(super) original: Vec<String>,
}

impl MessageParts {
    pub(super) fn gather(&mut self, message: &Message, depth: usize) {
        for part in &message.parts {
            let subtype =
                part.content_type().and_then(|kind| kind.subtype()).unwrap_or_default().to_ascii_lowercase();
            let text = || {
                String::from_utf8_lossy(&part.contents()[..part.contents().len().min(TEXT_BYTES_MAX)])
                    .replace("\r\n", "\n")
            };
            match (&part.body, subtype.as_str()) {
                (_, "delivery-status" | "global-delivery-status") => {
                    self.status = self.status.take().or_else(|| Some(text()))
                }
                (_, "feedback-report") => self.feedback = Some(text()),
                (_, "rfc822-headers" | "global-headers") => self.original.push(text()),
                (PartType::Message(inner), _) => {
                    let raw = inner.raw_message();
                    self.original.push(
                        String::from_utf8_lossy(&raw[..raw.len().min(TEXT_BYTES_MAX)]).replace("\r\n", "\n"),
                    );
                    if depth < DEPTH_MAX && self.status.is_none() && self.feedback.is_none() && depth == 0 {
                        self.gather_reports(inner, depth + 1);
                    }
                }
                (PartType::Text(_) | PartType::Html(_), _) if self.text.len() < TEXT_BYTES_MAX => {
                    self.text.push_str(&text());
                    self.text.push('\n');
                }
                _ => {}
            }
        }
        // Where the returned mail is only quoted, its headers are in the text.
        if self.original.is_empty() {
            self.original.push(self.text.clone());
        }
    }

    /// Gathers the parts of a report that was forwarded.
    fn gather_reports(&mut self, message: &Message, depth: usize) {
        let mut inner = MessageParts::default();
        inner.gather(message, depth);
        self.status = self.status.take().or(inner.status);
        self.feedback = self.feedback.take().or(inner.feedback);
        self.original.extend(inner.original);
    }
}
