//! Messages (RFC 5322), parsed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mail_parser::{Message, MessageParser};

/// A mail holds no more mails, one beside the other or one within the other. Each level of these costs room on the stack.
const MAILS_WITHIN_MAX: usize = 500;

/// Parses a message; `None` if it is none. Of one that the parser fails on, or that holds too many others, the header is read, and its body
/// is empty.
pub fn parsed(mail: &[u8]) -> Option<Message<'_>> {
    let parser = MessageParser::default();
    if holds_many(mail) {
        return parser.parse_headers(mail);
    }
    // Mails within mails that break off make it panic.
    catch_unwind(AssertUnwindSafe(|| parser.parse(mail))).unwrap_or_else(|_| parser.parse_headers(mail))
}

/// Whether a mail names more types of mails within it, or of digests of mails, than are read (RFC 2046, sections 5.1.5 and 5.2.1).
fn holds_many(mail: &[u8]) -> bool {
    let is_mail = |at: &usize| {
        let ends = |name: &[u8]| {
            at.checked_sub(name.len()).is_some_and(|start| mail[start..*at].eq_ignore_ascii_case(name))
        };
        let begins = |name: &[u8]| {
            mail.get(at + 1..=at + name.len()).is_some_and(|rest| rest.eq_ignore_ascii_case(name))
        };
        ends(b"message") || ends(b"multipart") && begins(b"digest")
    };
    memchr::memchr_iter(b'/', mail).filter(is_mail).nth(MAILS_WITHIN_MAX).is_some()
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

    #[test]
    fn mails_within_mails_cost_no_stack() {
        for nested in ["Content-Type: message/rfc822\r\n\r\n", "Content-Type: MESSAGE/Global\n\n"] {
            let mail = format!("Subject: Whole\r\n{}Text", nested.repeat(300_000));
            // As small as the stacks of threads are that read mail.
            let read = std::thread::Builder::new().stack_size(512 << 10);
            let read =
                read.spawn(move || parsed(mail.as_bytes()).and_then(|read| Some(read.subject()?.to_owned())));
            assert_eq!(read.unwrap().join().unwrap().as_deref(), Some("Whole"));
        }
        let digest = "--b\r\n\r\nSubject: x\r\n\r\ny\r\n".repeat(300);
        let mail =
            format!("Subject: s\r\nContent-Type: multipart/digest; boundary=b\r\n\r\n{digest}--b--\r\n");
        assert!(parsed(mail.as_bytes()).unwrap().parts.len() > 300);
    }
}
