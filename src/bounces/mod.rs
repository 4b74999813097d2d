//! Classifies returned mail: delivery status notifications (RFC 3464), complaints (RFC 5965), requests to leave. Works on a
//! single message, without knowledge of subscribers or the store.

pub mod imap;
pub mod lmtp;
pub mod mailbox;
mod words;

use std::sync::LazyLock;

use crate::model::refusal::{Command, Refusal, refusal};
use mail_parser::{Message, MessageParser, MimeHeaders, PartType};
use regex::Regex;

/// What a bounce says about a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Delivery is still being attempted: nothing to do.
    Delayed,
    /// Refused for what we are or what the message says, or no server could be reached: it says nothing of the recipient.
    NotTheirs,
    /// Refused for a reason that may pass, as a full mailbox does, or that nobody explains.
    Soft,
    /// The mailbox does not exist.
    Hard,
}

/// The classification of a returned message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Return {
    Bounce(Vec<Failure>),
    /// A complaint, with its feedback type: `abuse` or `fraud`.
    Complaint(String),
    /// A request to leave, with the address of the sender if known.
    Leave(Option<String>),
    /// A personal reply to our mail.
    Answer(Answer),
    /// Anything else, such as out-of-office replies or spam, and why it is ignored.
    Other(&'static str),
}

/// A reply to our mail, written by a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The address of the sender.
    pub from: String,
    pub subject: String,
    /// The text of the reply.
    pub text: String,
    /// RFC 5322 Message-ID, if present.
    pub message_id: Option<String>,
    /// The addresses it was sent to, in lower case and without a `+` suffix.
    pub sent_to: Vec<String>,
}

/// A recipient that a mail did not reach. The address is empty if the report names none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub address: String,
    pub kind: Kind,
    /// In the server's words.
    pub reason: String,
}

/// A classified message with the tokens in it that may be ours; the pipeline verifies their signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedMail {
    pub what: Return,
    /// The parts between `+` and `@` of the addresses it was sent to.
    pub return_tokens: Vec<String>,
    /// Message-IDs of the mail it reports on or replies to.
    pub message_ids: Vec<String>,
    /// Unsubscribe tokens in the subject, or in the mail it reports on.
    pub leave_tokens: Vec<String>,
}

/// Only this many bytes of a report's text are searched.
const TEXT_BYTES_MAX: usize = 256 * 1024;
const REASON_CHARS_MAX: usize = 200;
/// Maximum number of recipients in a report.
const FAILURES_MAX: usize = 1_000;

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

static ADDRESS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"));
static RETURN_TOKEN: LazyLock<Regex> = LazyLock::new(|| pattern(r"\+([0-9]+-[0-9A-Fa-f]+)@"));
static LEAVE_TOKEN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{20,24}\b"));
static MESSAGE_ID: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?im)^[ \t>]*(?:[a-z-]+-)?message-id:\s*<([^<>\s]+)>"));
static ANSWERED_ID: LazyLock<Regex> = LazyLock::new(|| pattern(r"<([^<>\s]+)>"));
/// Not a part of the address of a host.
static STATUS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)(?:^|[^\d.\w])([245])\.(\d{1,3})\.(\d{1,3})(?:[^\d.\w]|\.(?:\D|$)|$)"));
static REPLY_CODE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)(?:^|[\s:(<\[#])([45][0-5]\d)(?:[\s#)\]-])"));
static NO_MAILBOX: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:user|recipient|mailbox|account|address)(?: is)? unknown|unknown (?:user|recipient|address|local[- ]part|mailbox)|no such (?:user|mailbox|recipient|address|person|domain)|(?:user|mailbox|recipient|account|address|inbox|email account)[^.\n]{0,60} (?:not found|does ?n[o']t exist|doesn't exist|is (?:disabled|inactive|invalid|no longer)|has been (?:disabled|closed|deactivated)|not (?:known|exist)|unavailable|rejected)|unroutable|unrouteable|no mailbox (?:here )?by that name|not listed in|invalid (?:recipient|mailbox|address)|recipient address rejected|address rejected|host (?:or domain name )?not found|domain (?:name )?(?:not found|does not exist)|undeliverable address",
    )
});
static PASSES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)over ?quota|quota (?:has been )?exceeded|exceed(?:s|ed)[^.\n]{0,30}quota|mailbox (?:is )?(?:full|over)|full mailbox|insufficient (?:system )?storage|out of (?:disk )?space|too (?:large|big|many)|size limit|greylist|graylist|spam|blocked|blacklist|black ?list|blocklist|policy|reputation|unsolicited|dmarc|\bspf\b|dkim|content (?:rejected|filter)|temporar|try again|rate limit|timed? ?out|connection refused|loop",
    )
});
static FULL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)quota|mailbox (?:is )?full|full mailbox|insufficient (?:system )?storage|out of (?:disk )?space",
    )
});
static NETWORK: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)time(?:d|[- ])? ?out|time expired|connection (?:refused|reset|lost|closed|dropped|died|failed)|no route|unreachable|(?:could not|couldn't|unable to|wasn't able to) (?:connect|establish)|retry time|too long in|queue too long|for a long time|try again|greeting|network|delivery time",
    )
});
static STILL_TRYING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:will|still) (?:be |being |keep |continue )*(?:retr|try)|not yet been delivered|delayed|no action is required|delivery to the following recipients? (?:has been )?delayed|warning: message|could not be delivered for the last",
    )
});

/// Classifies a message. `recipients` are the addresses in the envelope, if known.
pub fn read(bytes: &[u8], recipients: &[String]) -> ReturnedMail {
    let Some(message) = MessageParser::default().parse(bytes) else {
        return ReturnedMail {
            what: Return::Other("it is not a mail"),
            return_tokens: Vec::new(),
            message_ids: Vec::new(),
            leave_tokens: Vec::new(),
        };
    };
    let incoming = Incoming::new(&message, recipients);
    let what = incoming.what();
    let mut leave_tokens = tokens(&LEAVE_TOKEN, &incoming.original);
    if matches!(what, Return::Leave(_)) {
        leave_tokens.extend(tokens(&LEAVE_TOKEN, &incoming.subject));
    }
    let return_tokens = incoming.sent_to.iter().flat_map(|text| captures(&RETURN_TOKEN, text)).collect();
    ReturnedMail { what, return_tokens, message_ids: incoming.message_ids(), leave_tokens }
}

fn tokens(pattern: &Regex, text: &str) -> Vec<String> {
    pattern.find_iter(text).map(|found| found.as_str().to_owned()).collect()
}

/// All matches of a pattern's first group.
fn captures(pattern: &Regex, text: &str) -> Vec<String> {
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// Maximum length of a reply's text, in characters; the mail itself is attached.
const ANSWER_CHARS_MAX: usize = 20_000;

/// A received message with the parts examined.
struct Incoming<'a> {
    message: &'a Message<'a>,
    parts: MessageParts,
    /// The mail that it reports on.
    original: String,
    subject: String,
    /// Header fields and addresses that name its recipients.
    sent_to: Vec<String>,
}

impl<'a> Incoming<'a> {
    fn new(message: &'a Message<'a>, recipients: &[String]) -> Incoming<'a> {
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

    fn headers(&self, name: &str) -> Vec<String> {
        let named = self.message.headers_raw().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim().to_owned()).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.message.headers_raw().any(|(own, _)| own.eq_ignore_ascii_case(name))
    }

    /// Message-IDs of the mail it reports on or replies to.
    fn message_ids(&self) -> Vec<String> {
        let status = self.parts.status.as_ref().unwrap_or(&self.original);
        let mut ids = captures(&MESSAGE_ID, &self.original);
        ids.extend(captures(&MESSAGE_ID, status));
        let answered = [self.headers("In-Reply-To"), self.headers("References")].concat().join(" ");
        ids.extend(captures(&ANSWERED_ID, &answered));
        ids.dedup();
        ids
    }

    fn what(&self) -> Return {
        let text = &self.parts.text;
        let failed = self.headers("X-Failed-Recipients");
        let is_automatic = self.is_automatic();
        if let Some(feedback) = &self.parts.feedback {
            complaint(feedback)
        } else if let Some(status) = &self.parts.status {
            match failures(status, text) {
                failures if failures.is_empty() => Return::Other("a report of a delivery that did not fail"),
                failures => Return::Bounce(failures),
            }
        } else if is_bounce(self.message, &self.subject, text, !failed.is_empty(), is_automatic) {
            sloppy(text, &failed.join(" "))
        } else if is_automatic {
            Return::Other("an automatic reply")
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

    fn by_person(&self) -> Return {
        // The token that our link puts into the subject is not part of the text.
        let subject = LEAVE_TOKEN.replace_all(&self.subject, "");
        let body = self.message.body_text(0).unwrap_or_default();
        if words::is_leave(&subject) || words::body_is_leave(&body) {
            return Return::Leave(self.writer().map(str::to_owned));
        }
        if !self.has("In-Reply-To") && !words::is_reply(&subject) {
            return Return::Other("nothing that concerns us");
        }
        if self.may_be_automatic() {
            return Return::Other("an answer that a program may have written");
        }
        let wanted = self.message.reply_to().and_then(|to| to.first()).and_then(|to| to.address());
        let Some(from) = wanted.or_else(|| self.writer()) else {
            return Return::Other("an answer by nobody");
        };
        let copies = self.headers("Cc");
        let named = self.sent_to.iter().chain(&copies).flat_map(|text| tokens(&ADDRESS, text));
        Return::Answer(Answer {
            from: from.to_owned(),
            subject: self.subject.clone(),
            text: body.chars().take(ANSWER_CHARS_MAX).collect(),
            message_id: self.message.message_id().map(str::to_owned),
            sent_to: named.map(|address| plain_address(&address)).collect(),
        })
    }
}

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

/// An address in lower case, without a `+` suffix.
pub fn plain_address(address: &str) -> String {
    let address = address.to_lowercase();
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{}@{domain}", local.split('+').next().unwrap_or(local)),
        None => address,
    }
}

/// The relevant parts of a message.
#[derive(Default)]
struct MessageParts {
    status: Option<String>,
    feedback: Option<String>,
    /// The human-readable text of the report itself.
    text: String,
    /// The mail that it reports on, or at least its headers.
    original: Vec<String>,
}

/// Maximum depth of nested messages.
const DEPTH_MAX: usize = 4;

impl MessageParts {
    fn gather(&mut self, message: &Message, depth: usize) {
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

/// The fields of each block of a status report, with folded lines joined (RFC 3464 section 2.1).
fn blocks(text: &str) -> Vec<Vec<(String, String)>> {
    let mut blocks: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for line in text.lines() {
        let Some(block) = blocks.last_mut() else { break };
        if line.trim().is_empty() {
            if !block.is_empty() {
                blocks.push(Vec::new());
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = block.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            block.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    blocks
}

fn field<'a>(block: &'a [(String, String)], name: &str) -> Option<&'a str> {
    block.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

/// The address in a field like `rfc822; <ana@example.org>`.
fn address_in(value: &str) -> String {
    ADDRESS
        .find(value.rsplit(';').next().unwrap_or(value))
        .map(|found| found.as_str().to_owned())
        .unwrap_or_default()
}

/// The recipients that a status report lists as not reached.
fn failures(status: &str, text: &str) -> Vec<Failure> {
    let mut failures = Vec::new();
    for block in blocks(status).iter().take(FAILURES_MAX) {
        // The original recipient is the address we wrote to; the final one may be where its mail is forwarded.
        let address = ["original-recipient", "x-actual-recipient", "final-recipient"]
            .iter()
            .filter_map(|name| field(block, name))
            .map(address_in);
        let address = address.into_iter().find(|address| !address.is_empty()).unwrap_or_default();
        let code = field(block, "status").unwrap_or_default();
        let diagnostic = field(block, "diagnostic-code").unwrap_or_default();
        let action = field(block, "action").unwrap_or_default().to_ascii_lowercase();
        let kind = match action.split([' ', '(']).next().unwrap_or_default() {
            "failed" | "failure" => judge(code, if diagnostic.is_empty() { text } else { diagnostic }),
            "delayed" => Kind::Delayed,
            "delivered" | "relayed" | "expanded" => continue,
            // A missing or unknown action, as in sloppy reports.
            _ if code.starts_with('5') => judge(code, diagnostic),
            _ if code.starts_with('4') => Kind::Delayed,
            _ => continue,
        };
        let reason = if diagnostic.is_empty() { code } else { diagnostic };
        failures.push(Failure { address, kind, reason: shown(reason) });
    }
    failures
}

/// What a failure means, by the status of a report and what a server said. Its words are judged by the function that judges the
/// answers of our own server (`model::refusal`); where nobody says a code, or nothing that it knows, the words of people are.
fn judge(code: &str, said: &str) -> Kind {
    let words = words_of_server(said);
    let numbers = |text: &str| {
        let found = STATUS.captures(text)?;
        let number = |at: usize| found[at].parse::<u16>().ok();
        Some([number(1)?, number(2)?, number(3)?])
    };
    let precise = |found: &[u16; 3]| found[1..] != [0, 0];
    let status =
        numbers(code).filter(precise).or_else(|| numbers(words).filter(precise)).or_else(|| numbers(code));
    let reply = REPLY_CODE.captures(words).and_then(|found| found[1].parse::<u16>().ok());
    // What was tried for days and given up is told with a 5 in some reports; the answer itself says more.
    let is_temporary = status.is_some_and(|status| status[0] == 4) || is_transient(words);
    let reply = match reply {
        Some(reply) if (reply < 500) == is_temporary => reply,
        _ if is_temporary => 450,
        _ => 550,
    };
    if status.is_none() && !REPLY_CODE.is_match(words) {
        return judge_prose(said);
    }
    // Its own status, which the words repeat, is not what yet another server said.
    let own = status.map(|[class, subject, detail]| format!("{class}.{subject}.{detail}"));
    let bare = own.map_or_else(|| words.to_owned(), |own| words.replace(&own, " "));
    match refusal(stage(said), reply, status, &bare) {
        Refusal::NoRecipient => Kind::Hard,
        // Some servers look only when they have the message. Their words alone could be about that message.
        Refusal::Us if stage(said) == Command::Data && names_no_mailbox(status) => {
            match refusal(Command::Rcpt, reply, status, &bare) {
                Refusal::NoRecipient if NO_MAILBOX.is_match(words) || words::says("gone", words) => {
                    Kind::Hard
                }
                _ => Kind::NotTheirs,
            }
        }
        Refusal::Us => Kind::NotTheirs,
        Refusal::Mailbox => Kind::Soft,
        Refusal::Busy if is_temporary && !is_of_network(status) && !NETWORK.is_match(words) => {
            if NO_MAILBOX.is_match(words) { Kind::Soft } else { Kind::NotTheirs }
        }
        Refusal::Busy => Kind::NotTheirs,
        Refusal::Unexplained => judge_unexplained(status, words),
    }
}

/// A status that says that there is no such mailbox.
fn names_no_mailbox(status: Option<[u16; 3]>) -> bool {
    matches!(status, Some([5, 1, 1..=3 | 6 | 10]))
}

fn is_of_network(status: Option<[u16; 3]>) -> bool {
    matches!(status, Some([_, 3 | 4 | 7, _]))
}

/// What our own server's answer would leave open: a report is the last word, and comes from many more servers.
fn judge_unexplained(status: Option<[u16; 3]>, words: &str) -> Kind {
    let says_gone = NO_MAILBOX.is_match(words) || words::says("gone", words);
    let says_passing = PASSES.is_match(words) || words::says("passes", words);
    if words::says("about us", words) {
        Kind::NotTheirs
    } else if says_gone && !says_passing {
        Kind::Hard
    } else if NETWORK.is_match(words) || matches!(status, Some([_, 4, _])) {
        Kind::NotTheirs
    } else {
        Kind::Soft
    }
}

/// What people are told, without any code.
fn judge_prose(said: &str) -> Kind {
    let says_full = FULL.is_match(said) || words::says("full", said);
    if words::says("about us", said) {
        Kind::NotTheirs
    } else if says_full {
        Kind::Soft
    } else {
        judge_unexplained(None, said)
    }
}

/// From the line of a text in which a server speaks to the end of what it says.
fn words_of_server(said: &str) -> &str {
    let mut at = 0;
    for line in said.split_inclusive('\n') {
        if STATUS.is_match(line) || REPLY_CODE.is_match(line) {
            let rest = &said[at..];
            return rest.split("\n\n").next().unwrap_or(rest);
        }
        at += line.len();
    }
    said
}

/// What was refused, where a report tells it.
fn stage(said: &str) -> Command {
    let said = said.to_ascii_lowercase();
    let has = |phrases: &[&str]| phrases.iter().any(|phrase| said.contains(phrase));
    if has(&["end of data", "data command", "after data", "reply to end of", "reply to data"]) {
        Command::Data
    } else if has(&["after mail from", "reply to mail from", "mail from command"]) {
        Command::Mail
    } else {
        Command::Rcpt
    }
}

/// Whether a text has reply codes, all of them temporary.
fn is_transient(text: &str) -> bool {
    let mut codes = REPLY_CODE.captures_iter(text).peekable();
    codes.peek().is_some() && codes.all(|found| found[1].starts_with('4'))
}

/// Whether a message without a status part is a bounce all the same. Automatic replies are not, unless from a mail server: Exim
/// marks its reports as "auto-replied".
fn is_bounce(message: &Message, subject: &str, text: &str, names_failed: bool, is_automatic: bool) -> bool {
    let from = message.from().and_then(|from| from.first());
    let address = from.and_then(|from| from.address()).unwrap_or_default().to_ascii_lowercase();
    let name = from.and_then(|from| from.name()).unwrap_or_default().to_ascii_lowercase();
    let is_daemon =
        ["mailer-daemon", "postmaster", "mail-daemon", "mailerdaemon", "mdaemon", "microsoftexchange"]
            .iter()
            .any(|daemon| address.starts_with(daemon))
            || name.starts_with("mail delivery s");
    let is_nobody = message.header_raw("Return-Path").is_some_and(|path| path.trim() == "<>");
    let is_report = words::speaks_of("report", subject);
    let explains = || STATUS.is_match(text) || NO_MAILBOX.is_match(text) || words::says("gone", text);
    names_failed
        || is_daemon && (is_report || is_nobody || explains())
        || is_report && is_nobody && !is_automatic
}

/// Reads a bounce in prose: the text before the returned mail.
fn sloppy(text: &str, failed: &str) -> Return {
    let path = text.to_ascii_lowercase().find("return-path:");
    let end = path.into_iter().chain(words::find("copy", text)).min().unwrap_or(text.len());
    let report =
        text.get(..end).filter(|report| ADDRESS.is_match(report) || !failed.is_empty()).unwrap_or(text);
    let mut addresses: Vec<String> =
        ADDRESS.find_iter(failed).map(|found| found.as_str().to_owned()).collect();
    if addresses.is_empty() {
        addresses =
            ADDRESS.find_iter(report).map(|found| found.as_str().trim_end_matches('.').to_owned()).collect();
        addresses.retain(|address| {
            !address.to_ascii_lowercase().starts_with("postmaster@")
                && !address.to_ascii_lowercase().starts_with("mailer-daemon@")
        });
    }
    addresses.sort();
    addresses.dedup();
    let is_tried = STILL_TRYING.is_match(report) || words::says("trying", report);
    let kind = if is_tried && !report.contains("giving up") { Kind::Delayed } else { judge("", report) };
    if addresses.is_empty() {
        addresses.push(String::new());
    }
    let said = report.lines().find(|line| {
        STATUS.is_match(line)
            || REPLY_CODE.is_match(line)
            || NO_MAILBOX.is_match(line)
            || PASSES.is_match(line)
            || words::says("gone", line)
            || words::says("passes", line)
    });
    let reason = shown(said.unwrap_or("no reason given"));
    Return::Bounce(
        addresses
            .into_iter()
            .take(FAILURES_MAX)
            .map(|address| Failure { address, kind, reason: reason.clone() })
            .collect(),
    )
}

/// Classifies a feedback report (RFC 5965 section 3): most types are not complaints.
fn complaint(feedback: &str) -> Return {
    let blocks = blocks(feedback);
    let kind = blocks.iter().find_map(|block| field(block, "feedback-type")).unwrap_or_default();
    match kind.trim().to_ascii_lowercase().as_str() {
        kind @ ("abuse" | "fraud") => Return::Complaint(kind.to_owned()),
        "not-spam" => Return::Other("somebody said that our mail is not spam"),
        "opt-out" | "opt-out-list" => Return::Leave(None),
        "auth-failure" => Return::Other("a report of signatures that failed: look at SPF, DKIM and DMARC"),
        "virus" => Return::Other("somebody says that there is a virus in our mail: look at what was sent"),
        _ => Return::Other("feedback of a kind that is not a complaint"),
    }
}

/// A server's words without addresses, since results may end up in a log.
fn shown(text: &str) -> String {
    crate::support::text::shorten(
        &ADDRESS.replace_all(&crate::support::text::one_line(text), "…"),
        REASON_CHARS_MAX,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_mailbox_that_does_not_exist_is_a_hard_bounce() {
        for (code, said) in [
            ("5.1.1", "550 5.1.1 <a@x.org>: Recipient address rejected: User unknown"),
            (
                "5.1.10",
                "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
            ),
            ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied"),
            ("5.0.0", "550 Requested action not taken: mailbox unavailable"),
            ("5.0.0", "550 No such user here"),
            ("5.7.1", "550 5.7.1 Recipient unknown"),
            ("5.2.1", "550 5.2.1 The email account that you tried to reach is disabled"),
            (
                "5.4.4",
                "Host or domain name not found. Name service error for name=x.org type=A: Host not found",
            ),
            ("5.0.0", "550 Utilisateur inconnu"),
            ("", "after RCPT TO:<a@x.org>:\n host mx [1.2.3.4]: 550 5.1.1 unknown user"),
            ("", "host mx [5.7.3.4]: 550-5.1.1 unknown user"),
            ("", "host mx [4.4.1.2]: 550 unknown user"),
            ("5.0.0", "550 Usuario desconocido"),
            ("5.0.0", "550 Destinatário inexistente"),
            ("5.0.0", "550 Empfänger unbekannt"),
            ("5.0.0", "550 Utente sconosciuto"),
        ] {
            assert_eq!(judge(code, said), Kind::Hard, "{code} {said}");
        }
        for (code, said) in [
            ("5.2.2", "554 5.2.2 mailbox full"),
            (
                "5.2.1",
                "550 5.2.1 the user you are trying to contact is receiving mail too quickly, try again",
            ),
            ("5.0.0", "550 Something that nobody understands"),
            ("5.1.0", "550 5.1.0 Xyzzy"),
            ("", "550 Requested action not taken"),
            ("", "450 mailbox unavailable"),
            ("5.0.0", "552 Boîte aux lettres pleine"),
            ("5.0.0", "552 O utilizador excedeu: quota excedida"),
            ("5.0.0", "552 Das Postfach ist voll"),
            ("5.0.0", "552 La casella è piena"),
            ("", "mailbox is full: retry timeout exceeded"),
            ("4.2.2", "452 4.2.2 over quota"),
        ] {
            assert_eq!(judge(code, said), Kind::Soft, "{code} {said}");
        }
        for (code, said) in [
            ("5.0.0", "550 relay not permitted"),
            ("5.7.1", "554 5.7.1 <a@x.org>: Relay access denied"),
            ("5.0.0", "550 Verification failed for <news@example.org> - Sender verify failed: No such user"),
            ("5.1.8", "550 5.1.8 <news@example.org>: Sender address rejected: Domain not found"),
            ("5.1.0", "550 5.1.0 <news@example.org> sender rejected : invalid address"),
            ("5.0.0", "550 Service unavailable; client host [192.0.2.1] blocked using Spamhaus"),
            ("5.1.1", "550 5.1.1 Mail from IP 192.0.2.1 was rejected due to listing in a DNSBL"),
            ("5.7.26", "550-5.7.26 This mail has been blocked because the sender is unauthenticated."),
            ("5.7.133", "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup"),
            ("5.7.9", "554 5.7.9 Message not accepted for policy reasons. TSS09"),
            ("5.0.0", "550 spam detected"),
            ("4.4.3", "Host or domain name not found. Name service error: Host not found, try again"),
            ("5.0.0", "550 Remitente rechazado: el dominio no existe"),
            ("4.4.7", "451 4.4.1 connection timed out"),
            ("5.4.7", "delivery time expired"),
            ("4.4.1", "Connection refused"),
            ("5.7.1", "550 5.7.1 Service unavailable; blocked using zen.spamhaus.org"),
            ("5.7.26", "550 5.7.26 unauthenticated, DMARC policy"),
            (
                "",
                "SMTP error from remote mail server after MAIL FROM:<b@example.org>:\n host mx [192.0.2.1]: 550 no such user",
            ),
            (
                "",
                "SMTP error from remote mail server after end of data:\n host mx [192.0.2.1]: 550 5.7.1 spam",
            ),
            (
                "",
                "SMTP error from remote mail server after end of data:\n host mx [192.0.2.1]: 550 no such user",
            ),
            ("5.0.0", "host mx[192.0.2.1] said: 550 User unknown (in reply to end of DATA command)"),
            ("5.1.1", "550 5.1.1 <news@example.org>: Sender address rejected: User unknown"),
            ("5.5.0", "550 5.5.0 Message refuse. LPN007_510"),
            (
                "",
                "all hosts have been failing for a long time and were last tried after this message arrived",
            ),
            ("", "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)"),
            ("5.0.0", "550 Daily sending quota exceeded for user"),
        ] {
            assert_eq!(judge(code, said), Kind::NotTheirs, "{code} {said}");
        }
        // What is looked up only when the message was there is believed by its status.
        let late = "host mx[192.0.2.1] said: 550 5.1.1 User unknown (in reply to end of DATA command)";
        assert_eq!(judge("5.1.1", late), Kind::Hard);
    }

    fn prose(from: &str, subject: &str, more: &str, text: &str) -> Return {
        let message = format!(
            "Return-Path: <>\r\nFrom: {from}\r\nTo: news@example.org\r\nSubject: {subject}\r\n{more}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        );
        read(message.as_bytes(), &[]).what
    }

    #[test]
    fn an_answer_is_by_a_person_and_nothing_says_otherwise() {
        let mail = |head: &str| {
            let head = head.replace('|', "\r\n");
            let text = format!(
                "To: News <news+1-a@example.org>\r\nCc: b@y.org\r\n{head}\r\n\r\nHello there, a question\r\n"
            );
            read(text.as_bytes(), &["returns@example.org".to_owned()]).what
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
                Return::Answer(answer) => {
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
            assert!(matches!(said, Return::Other(_)), "{more}: {said:?}");
        }
        for head in [
            "From: no-reply@x.org|Subject: Re: your order",
            "From: MAILER-DAEMON@x.org|Subject: Re: hello",
            "From: a@x.org|Subject: Hot: buy now",
            "Subject: Re: nobody",
        ] {
            let said = mail(head);
            assert!(matches!(said, Return::Other(_)), "{head}: {said:?}");
        }
    }

    #[test]
    fn reports_that_are_no_mime_are_read_in_many_languages() {
        let auto = "Auto-Submitted: auto-replied\r\n";
        let exim = "X-Failed-Recipients: a@x.org\r\nAuto-Submitted: auto-replied\r\n";
        for (from, subject, more, text, want) in [
            (
                "Mailer-Daemon@x.org",
                "Mail delivery failed: returning message to sender",
                exim,
                "a@x.org\n  550 Unrouteable address",
                Kind::Hard,
            ),
            (
                "Mailer-Daemon@x.org",
                "Mail delivery failed",
                exim,
                "a@x.org\n  retry timeout exceeded",
                Kind::NotTheirs,
            ),
            (
                "Mailer-Daemon@x.org",
                "Warning: message 1a delayed 24 hours",
                auto,
                "has not yet been delivered to a@x.org",
                Kind::Delayed,
            ),
            (
                "MAILER-DAEMON@x.org",
                "notification d'erreur",
                "",
                "<a@x.org>:\nRemote host said: 550 5.1.1 utilisateur inconnu",
                Kind::Hard,
            ),
            (
                "postmaster@x.org",
                "Unzustellbar: Digest",
                "",
                "an a@x.org. Der Empfänger ist unbekannt.",
                Kind::Hard,
            ),
            (
                "postmaster@x.org",
                "Zustellung verzögert",
                "",
                "a@x.org konnte noch nicht zugestellt werden",
                Kind::Delayed,
            ),
            (
                "postmaster@x.org",
                "Não foi possível entregar",
                "",
                "a@x.org: a caixa de correio cheia",
                Kind::Soft,
            ),
            ("postmaster@x.org", "No se pudo entregar", "", "a@x.org: no existe ese usuario", Kind::Hard),
            ("postmaster@x.org", "Mancata consegna", "", "a@x.org: utente sconosciuto", Kind::Hard),
            ("postmaster@x.org", "Remise impossible", "", "a@x.org: raison inexpliquée", Kind::Soft),
        ] {
            match prose(from, subject, more, text) {
                Return::Bounce(failures) => {
                    assert_eq!(
                        (failures[0].address.as_str(), failures[0].kind),
                        ("a@x.org", want),
                        "{subject}: {text}"
                    );
                }
                other => panic!("{subject}: {other:?}"),
            }
        }
        for (from, subject, more) in [
            ("Ana <a@x.org>", "Je ne travaille plus ici", auto),
            ("support@x.org", "[Ticket#1] We received your message: mail delivery", auto),
            ("a@x.org", "Abwesenheit bis Montag", ""),
            ("a@x.org", "Re: undelivered justice", "In-Reply-To: <x@y.org>\r\n"),
        ] {
            let said = prose(from, subject, more, "a@x.org n'existe plus");
            assert!(matches!(said, Return::Other(_)) || subject.starts_with("Re:"), "{subject}: {said:?}");
        }
    }
}
