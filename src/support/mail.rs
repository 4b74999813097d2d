//! Messages (RFC 5322), parsed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mail_parser::{Message, MessageParser};

/// Parses a message; `None` if it is none. Of one that the parser fails on, the header is read, and its body is empty.
pub fn parsed(mail: &[u8]) -> Option<Message<'_>> {
    let parser = MessageParser::default();
    // Mails within mails that break off make it panic.
    catch_unwind(AssertUnwindSafe(|| parser.parse(mail))).unwrap_or_else(|_| parser.parse_headers(mail))
}

#[cfg(test)]
mod tests {
    use super::parsed;

    #[test]
    fn of_a_message_that_the_parser_fails_on_the_header_is_read() {
        let within = "Content-Type: message/rfc822\r\n\r\n";
        let mail = format!(
            "From: a@x.example\r\nSubject: Whole\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\n{within}{}\
             Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\n{within}{within}x\r\n--b--\r\n",
            within.repeat(3)
        );
        for end in 0..=mail.len() {
            let read = parsed(&mail.as_bytes()[..end]);
            assert!(end < 60 || read.is_some_and(|read| read.subject() == Some("Whole")), "{end}");
        }
    }
}
