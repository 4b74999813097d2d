//! Tells from its head and its parts what a received message is: a report, a request to leave, a reply, or nothing for us.

use std::sync::LazyLock;

use mail_parser::Message;
use regex::Regex;

use super::inbound::{InboundKind, PersonalReply};
use super::parts::MessageParts;
use super::patterns::{ADDRESS, pattern};
use super::report::{complaint, failures, is_bounce, prose_bounce};
use super::words;
use crate::model::refusal::OwnIdentity;

/// Maximum length of a reply's text, in characters; the mail itself is attached.
const ANSWER_CHARS_MAX: usize = 20_000;
/// Headers that only programs add.
const MACHINE_HEADERS: [&str; 7] = [
    "List-Id",
    "List-Unsubscribe",
    "Feedback-ID",
    "X-Auto-Reply",
    "X-Autoreply-From",
    "X-Mail-Autoreply",
    "X-Loop",
];

/// Prefixes of addresses that no person writes from, without hyphens.
const MACHINES: [&str; 8] =
    ["mailerdaemon", "postmaster", "noreply", "donotreply", "nepasrepondre", "norespond", "bounce", "daemon"];

static RETURN_TOKEN: LazyLock<Regex> = LazyLock::new(|| pattern(r"\+([0-9]+-[0-9A-Fa-f]+)@"));
/// The return path of a returned mail, as reports and the last mail server write it.
static RETURN_PATH: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?im)^[ \t>]*(?:return-path|original-mail-from|x-(?:original-)?envelope-from|x-envelope-sender|envelope-from|x-postfix-sender):[^\r\n]*\+([0-9]+-[0-9A-Fa-f]+)@",
    )
});
static LEAVE_TOKEN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{20,24}\b"));
static MESSAGE_ID: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?im)^[ \t>]*(?:[a-z-]+-)?message-id:\s*<([^<>\s]+)>"));
static ANSWERED_ID: LazyLock<Regex> = LazyLock::new(|| pattern(r"<([^<>\s]+)>"));

/// A received message with the parts examined.
pub(super) struct Incoming<'a> {
    message: &'a Message<'a>,
    parts: MessageParts,
    /// The mail that it reports on.
    original: String,
    subject: String,
    /// Header fields and addresses that name its recipients.
    sent_to: Vec<String>,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(message: &'a Message<'a>, recipients: &[String]) -> Incoming<'a> {
        let mut parts = MessageParts::default();
        parts.gather(message, 0);
        let original = parts.original.join("\n");
        let subject = message.subject().unwrap_or_default().to_owned();
        let mut incoming = Incoming { message, parts, original, subject, sent_to: recipients.to_vec() };
        let fields =
            ["To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Original-Recipient"];
        let named: Vec<String> = fields.iter().flat_map(|name| incoming.headers(name)).collect();
        incoming.sent_to.extend(named);
        incoming
    }

    /// The parts between `+` and `@` of the addresses it was sent to, and of the return path of the mail it reports on.
    pub(super) fn return_tokens(&self) -> Vec<String> {
        let mut found = self.sent_tokens();
        let reports = [&self.parts.feedback, &self.parts.status].into_iter().flatten();
        for text in reports.chain([&self.original]) {
            found.extend(captures(&RETURN_PATH, text));
        }
        found
    }

    fn sent_tokens(&self) -> Vec<String> {
        self.sent_to.iter().flat_map(|text| captures(&RETURN_TOKEN, text)).collect()
    }

    /// Unsubscribe tokens in the mail it reports on, and in the subject if it asks to leave.
    pub(super) fn leave_tokens(&self, what: &InboundKind) -> Vec<String> {
        let mut leave_tokens = tokens(&LEAVE_TOKEN, &self.original);
        if matches!(what, InboundKind::Leave(_)) {
            leave_tokens.extend(tokens(&LEAVE_TOKEN, &self.subject));
        }
        leave_tokens
    }

    fn headers(&self, name: &str) -> Vec<String> {
        let named = self.message.headers_raw().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim().to_owned()).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.message.headers_raw().any(|(own, _)| own.eq_ignore_ascii_case(name))
    }

    /// Message-IDs of the mail it reports on or replies to.
    pub(super) fn message_ids(&self) -> Vec<String> {
        let status = self.parts.status.as_ref().unwrap_or(&self.original);
        let mut ids = captures(&MESSAGE_ID, &self.original);
        ids.extend(captures(&MESSAGE_ID, status));
        let answered = [self.headers("In-Reply-To"), self.headers("References")].concat().join(" ");
        ids.extend(captures(&ANSWERED_ID, &answered));
        ids.dedup();
        ids
    }

    pub(super) fn what(&self, ours: &OwnIdentity) -> InboundKind {
        let text = &self.parts.text;
        let failed = self.headers("X-Failed-Recipients");
        let is_automatic = self.is_automatic();
        let has_token = !self.sent_tokens().is_empty();
        if let Some(feedback) = &self.parts.feedback {
            complaint(feedback)
        } else if let Some(status) = &self.parts.status {
            match failures(status, text, ours) {
                failures if failures.is_empty() => {
                    InboundKind::Other("a report of a delivery that did not fail")
                }
                failures => InboundKind::Bounce(failures),
            }
        } else if words::says("challenge", &self.subject) || words::says("challenge", text) {
            InboundKind::Other("a question whether a person sent our mail")
        } else if is_bounce(self.message, &self.subject, text, !failed.is_empty(), is_automatic, has_token) {
            prose_bounce(text, &failed.join(" "), ours)
        } else if is_automatic {
            InboundKind::Other("an automatic reply")
        } else {
            self.by_person()
        }
    }

    /// Whether the message declares itself an automatic reply (RFC 3834, or common practice).
    fn is_automatic(&self) -> bool {
        self.headers("Auto-Submitted").iter().any(|value| !value.eq_ignore_ascii_case("no"))
            || ["X-Autoreply", "X-Autorespond"].iter().any(|name| self.has(name))
            || words::says("automatic", &self.subject)
    }

    /// Whether there is any sign of an automatic sender: such mail is not forwarded, lest two programs write to each other for
    /// ever.
    fn may_be_automatic(&self) -> bool {
        let is_bulk = |value: &String| {
            let value = value.to_ascii_lowercase();
            ["bulk", "junk", "list", "auto"].iter().any(|kind| value.starts_with(kind))
        };
        let from = self.writer().unwrap_or_default().to_ascii_lowercase().replace(['-', '_', '.'], "");
        let is_nobody = |path: &String| path.trim() == "<>";
        ["Precedence", "X-Precedence"].iter().any(|name| self.headers(name).iter().any(is_bulk))
            || self
                .headers("X-Auto-Response-Suppress")
                .iter()
                .any(|value| !value.eq_ignore_ascii_case("none"))
            || self.headers("Return-Path").iter().any(is_nobody)
            || MACHINE_HEADERS.iter().any(|name| self.has(name))
            || MACHINES.iter().any(|name| from.starts_with(name))
    }

    /// The address of the sender.
    fn writer(&self) -> Option<&str> {
        self.message.from().and_then(|from| from.first()).and_then(|from| from.address())
    }

    fn by_person(&self) -> InboundKind {
        // The token that our link puts into the subject is not part of the text.
        let subject = LEAVE_TOKEN.replace_all(&self.subject, "");
        let body = self.message.body_text(0).unwrap_or_default();
        if words::is_leave(&subject) || words::body_is_leave(&body) {
            return InboundKind::Leave(self.writer().map(str::to_owned));
        }
        let is_reply = self.has("In-Reply-To") || words::is_reply(&subject);
        if !is_reply && self.sent_tokens().is_empty() {
            return InboundKind::Other("nothing that concerns us");
        }
        if self.may_be_automatic() {
            return InboundKind::Other("an answer that a program may have written");
        }
        let wanted = self.message.reply_to().and_then(|to| to.first()).and_then(|to| to.address());
        let Some(from) = wanted.or_else(|| self.writer()) else {
            return InboundKind::Other("an answer by nobody");
        };
        let copies = self.headers("Cc");
        let named = self.sent_to.iter().chain(&copies).flat_map(|text| tokens(&ADDRESS, text));
        InboundKind::Answer(PersonalReply {
            from: from.to_owned(),
            subject: self.subject.clone(),
            text: body.chars().take(ANSWER_CHARS_MAX).collect(),
            message_id: self.message.message_id().map(str::to_owned),
            sent_to: named.map(|address| plain_address(&address)).collect(),
            is_reply,
        })
    }
}

/// An address in lower case, without a `+` suffix.
pub fn plain_address(address: &str) -> String {
    let address = address.to_lowercase();
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{}@{domain}", local.split('+').next().unwrap_or(local)),
        None => address,
    }
}

fn tokens(pattern: &Regex, text: &str) -> Vec<String> {
    pattern.find_iter(text).map(|found| found.as_str().to_owned()).collect()
}

/// All matches of a pattern's first group.
fn captures(pattern: &Regex, text: &str) -> Vec<String> {
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;

    fn read(text: &str) -> InboundKind {
        let message = MessageParser::default().parse(text.as_bytes()).unwrap();
        Incoming::new(&message, &[]).what(&OwnIdentity::default())
    }

    #[test]
    fn who_asks_whether_we_are_human_has_not_refused_our_mail() {
        let challenge = "From: <MAILER-DAEMON@x.org>\nReturn-Path: <>\nTo: news+1-a@example.org\nSubject: Confirm your message\n\nPlease prove that you are human to reach a@x.org: https://x.org/1\n";
        assert!(matches!(read(challenge), InboundKind::Other(_)));
        let refusal = challenge
            .replace("prove that you are human to reach", "note: 550 5.1.1 no such user")
            .replace("Confirm your message", "Undelivered");
        assert!(matches!(read(&refusal), InboundKind::Bounce(_)));
    }

    #[test]
    fn a_mail_to_a_return_path_of_ours_may_be_an_answer_without_saying_so() {
        let to = |to: &str| {
            read(&format!("From: a@x.org\nTo: {to}\nSubject: A question\n\nHow does that work?\n"))
        };
        assert!(matches!(to("news+1-a@example.org"), InboundKind::Answer(answer) if !answer.is_reply));
        assert!(matches!(to("news@example.org"), InboundKind::Other(_)));
    }

    #[test]
    fn the_return_path_of_a_mail_is_found_in_a_report_of_it() {
        let report = |fields: &str, head: &str| {
            let text = format!(
                "From: f@x.org\nTo: b@example.org\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\n\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n{fields}\n--b\nContent-Type: text/rfc822-headers\n\n{head}Subject: x\n\n--b--\n"
            );
            let message = MessageParser::default().parse(text.as_bytes()).unwrap();
            Incoming::new(&message, &[]).return_tokens()
        };
        assert_eq!(report("Original-Mail-From: <b+12-ab@example.org>\n", ""), ["12-ab"]);
        assert_eq!(report("", "Return-Path: b+12-ab@example.org\n"), ["12-ab"]);
        assert!(report("Original-Rcpt-To: <b+12-ab@example.org>\n", "To: b+12-ab@example.org\n").is_empty());
    }

    #[test]
    fn an_answer_is_by_a_person_and_nothing_says_otherwise() {
        let mail = |head: &str| {
            let head = head.replace('|', "\r\n");
            let text = format!(
                "To: News <news+1-a@example.org>\r\nCc: b@y.org\r\n{head}\r\n\r\nHello there, a question\r\n"
            );
            let message = MessageParser::default().parse(text.as_bytes()).unwrap();
            Incoming::new(&message, &["returns@example.org".to_owned()]).what(&OwnIdentity::default())
        };
        for head in [
            "From: Ana <a@x.org>|Subject: Re: Stop corruption",
            "From: a@x.org|Subject: [news] AW: Bericht",
            "From: a@x.org|Subject: 回复：周报",
            "From: a@x.org|Subject: A question|In-Reply-To: <1@example.org>",
            "From: a@x.org|Subject: Re: hello|Auto-Submitted: no|X-Auto-Response-Suppress: None|Precedence: normal",
            "From: other@x.org|Reply-To: a@x.org|Subject: Re: S|Return-Path: <other@x.org>",
        ] {
            match mail(head) {
                InboundKind::Answer(answer) => {
                    assert_eq!(answer.from, "a@x.org", "{head}");
                    assert_eq!(
                        answer.sent_to,
                        ["returns@example.org", "news@example.org", "b@y.org"],
                        "{head}"
                    );
                    assert!(answer.text.starts_with("Hello there"));
                }
                other => panic!("{head}: {other:?}"),
            }
        }
        for more in [
            "Auto-Submitted: auto-replied",
            "Auto-Submitted: auto-generated; type=x",
            "X-Autoreply: yes",
            "X-Auto-Response-Suppress: OOF, AutoReply",
            "X-Auto-Response-Suppress: All",
            "Precedence: bulk",
            "Precedence: auto_reply",
            "Return-Path: <>",
            "List-Id: <l.x.org>",
            "X-Loop: a@x.org",
        ] {
            let said = mail(&format!("From: a@x.org|Subject: Re: Stop corruption|{more}"));
            assert!(matches!(said, InboundKind::Other(_)), "{more}: {said:?}");
        }
        for head in [
            "From: no-reply@x.org|Subject: Re: your order",
            "From: MAILER-DAEMON@x.org|Subject: Re: hello",
            "Subject: Re: nobody",
        ] {
            let said = mail(head);
            assert!(matches!(said, InboundKind::Other(_)), "{head}: {said:?}");
        }
    }
}
