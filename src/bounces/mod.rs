//! What mail servers and people send back: delivery status (RFC 3464), complaints (RFC 5965), requests to leave. Reads one
//! message and says what it is; it knows no subscriber and no store.

pub mod imap;
pub mod lmtp;
pub mod mailbox;

use std::sync::LazyLock;

use mail_parser::{Message, MessageParser, MimeHeaders, PartType};
use regex::Regex;

/// What a returned message says of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It is still being tried: nothing to do.
    Delayed,
    /// Refused for a reason that may pass: a full mailbox, a policy, a message too large.
    Soft,
    /// There is no such mailbox.
    Hard,
}

/// What one returned message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Return {
    Bounce(Vec<Failure>),
    Complaint(Vec<String>),
    /// Somebody wants to leave; the address that wrote.
    Leave(Option<String>),
    /// Out of office, a thank-you, spam: why it is left alone.
    Other(&'static str),
}

/// One recipient that a mail did not reach. The address is empty where the report names none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub address: String,
    pub kind: Kind,
    /// In the words of the server.
    pub reason: String,
}

/// What a message says, and what in it may be ours: the pipeline checks the signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedMail {
    pub what: Return,
    /// What stands between `+` and `@` in the addresses that it was sent to.
    pub return_tokens: Vec<String>,
    /// Message-IDs of the mail that it is about.
    pub message_ids: Vec<String>,
    /// Tokens of links to leave by: in the subject, or in the mail that it is about.
    pub leave_tokens: Vec<String>,
}

/// A longer text of a report is not searched, in bytes.
const TEXT_BYTES_MAX: usize = 256 * 1024;
const REASON_CHARS_MAX: usize = 200;
/// Recipients of one report.
const FAILURES_MAX: usize = 1_000;

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

static ADDRESS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"));
static RETURN_TOKEN: LazyLock<Regex> = LazyLock::new(|| pattern(r"\+([0-9]+-[0-9A-Fa-f]+)@"));
static LEAVE_TOKEN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{20,24}\b"));
static MESSAGE_ID: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?im)^[ \t>]*message-id:\s*<([^<>\s]+)>"));
static STATUS: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b"));
static REPLY_CODE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)(?:^|[\s:(<\[#])([45][0-5]\d)(?:[\s#)\]-])"));
static NO_MAILBOX: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:user|recipient|mailbox|account|address)(?: is)? unknown|unknown (?:user|recipient|address|local[- ]part|mailbox)|no such (?:user|mailbox|recipient|address|person|domain)|(?:user|mailbox|recipient|account|address|inbox|email account)[^.\n]{0,60} (?:not found|does ?n[o']t exist|doesn't exist|is (?:disabled|inactive|invalid|no longer)|has been (?:disabled|closed|deactivated)|not (?:known|exist)|unavailable|rejected)|unroutable|unrouteable|no mailbox (?:here )?by that name|not listed in|invalid (?:recipient|mailbox|address)|recipient address rejected|address rejected|host (?:or domain name )?not found|domain (?:name )?(?:not found|does not exist)|undeliverable address|n'existe pas|adresse inconnue|utilisateur inconnu|destinataire inconnu|no existe|usuario desconocido|dirección desconocida|unbekannt",
    )
});
static PASSES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)over ?quota|quota (?:has been )?exceeded|exceed(?:s|ed)[^.\n]{0,30}quota|mailbox (?:is )?(?:full|over)|full mailbox|insufficient (?:system )?storage|out of (?:disk )?space|too (?:large|big|many)|size limit|greylist|graylist|spam|blocked|blacklist|black ?list|blocklist|policy|reputation|unsolicited|dmarc|\bspf\b|dkim|content (?:rejected|filter)|temporar|try again|rate limit|timed? ?out|connection refused|boîte pleine|buzón lleno|loop",
    )
});
static STILL_TRYING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:will|still) (?:be |being |keep |continue )*(?:retr|try)|not yet been delivered|delayed|no action is required|delivery to the following recipients? (?:has been )?delayed|warning: message|could not be delivered for the last",
    )
});
static BOUNCE_SUBJECT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)undeliver|delivery (?:status|failure|has failed|problem|report|incomplete)|failure (?:notice|delivery)|mail delivery|returned mail|returned to sender|non[- ]?remis|échec|echec de la remise|no se (?:pudo|ha podido) entregar|no entregado|unzustellbar|message (?:not|could not be) delivered|rejected mail|mail system error",
    )
});
static AUTO_REPLY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^\W*(?:out of (?:the )?office|auto(?:matic|mated)?[- ]?(?:reply|response|antwort)|automatische|abwesen|absen(?:ce|t)|réponse automatique|message d'absence|respuesta automática|fuera de (?:la )?oficina|vacation|away from)",
    )
});
static LEAVE_SUBJECT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^\s*(?:(?:re|fwd?|tr|rv)\s*:\s*)*(?:unsubscribe|se désabonner|désabonnement|désinscription|darse de baja|\bbaja\b|stop)\b",
    )
});

/// Reads a message. `recipients` are the addresses that the envelope named, where they are known.
pub fn read(bytes: &[u8], recipients: &[String]) -> ReturnedMail {
    let Some(message) = MessageParser::default().parse(bytes) else {
        return ReturnedMail {
            what: Return::Other("it is no mail"),
            return_tokens: Vec::new(),
            message_ids: Vec::new(),
            leave_tokens: Vec::new(),
        };
    };
    let mut parts = MessageParts::default();
    parts.gather(&message, 0);
    let headers = |name: &str| -> Vec<String> {
        let named = message.headers_raw().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim().to_owned()).collect()
    };
    let mut to: Vec<String> = recipients.to_vec();
    for name in
        ["To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Original-Recipient"]
    {
        to.extend(headers(name));
    }
    let return_tokens = to
        .iter()
        .flat_map(|text| RETURN_TOKEN.captures_iter(text))
        .map(|found| found[1].to_owned())
        .collect();
    let subject = message.subject().unwrap_or_default().to_owned();
    let original = parts.original.join("\n");
    let message_ids = MESSAGE_ID.captures_iter(&original).map(|found| found[1].to_owned()).collect();
    let leave_tokens =
        |text: &str| LEAVE_TOKEN.find_iter(text).map(|found| found.as_str().to_owned()).collect::<Vec<_>>();
    let mut report = ReturnedMail {
        what: Return::Other("nothing that concerns us"),
        return_tokens,
        message_ids,
        leave_tokens: leave_tokens(&original),
    };
    report.what = if let Some(feedback) = &parts.feedback {
        complaint(feedback)
    } else if let Some(status) = &parts.status {
        let failures = failures(status, &parts.text);
        if failures.is_empty() {
            Return::Other("a report of a delivery that did not fail")
        } else {
            Return::Bounce(failures)
        }
    } else if headers("Auto-Submitted")
        .iter()
        .any(|value| value.to_ascii_lowercase().starts_with("auto-replied"))
        || AUTO_REPLY.is_match(&subject)
    {
        Return::Other("an automatic reply")
    } else if is_bounce(&message, &subject, !headers("X-Failed-Recipients").is_empty()) {
        sloppy(&parts.text, &headers("X-Failed-Recipients").join(" "))
    } else if LEAVE_SUBJECT.is_match(&subject) {
        report.leave_tokens = leave_tokens(&subject);
        Return::Leave(
            message.from().and_then(|from| from.first()).and_then(|from| from.address()).map(str::to_owned),
        )
    } else {
        report.what
    };
    report
}

/// The parts of a message that matter.
#[derive(Default)]
struct MessageParts {
    status: Option<String>,
    feedback: Option<String>,
    /// What people read, of the report itself.
    text: String,
    /// The mail that it is about: its headers at least.
    original: Vec<String>,
}

/// Messages within messages.
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
        // Where the mail that came back is only quoted, its headers stand in the text.
        if self.original.is_empty() {
            self.original.push(self.text.clone());
        }
    }

    /// A report that somebody forwarded.
    fn gather_reports(&mut self, message: &Message, depth: usize) {
        let mut inner = MessageParts::default();
        inner.gather(message, depth);
        self.status = self.status.take().or(inner.status);
        self.feedback = self.feedback.take().or(inner.feedback);
        self.original.extend(inner.original);
    }
}

/// The fields of the blocks of a status report, folded lines joined (RFC 3464 section 2.1).
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

/// An address in a field like `rfc822; <ana@example.org>`.
fn address_in(value: &str) -> String {
    ADDRESS
        .find(value.rsplit(';').next().unwrap_or(value))
        .map(|found| found.as_str().to_owned())
        .unwrap_or_default()
}

/// The recipients that a status report says were not reached.
fn failures(status: &str, text: &str) -> Vec<Failure> {
    let mut failures = Vec::new();
    for block in blocks(status).iter().take(FAILURES_MAX) {
        // The original recipient is whom we wrote to; the final one may be where their mail is forwarded to.
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
            // No action, as the sloppy ones have it.
            _ if code.starts_with('5') => judge(code, diagnostic),
            _ if code.starts_with('4') => Kind::Delayed,
            _ => continue,
        };
        let reason = if diagnostic.is_empty() { code } else { diagnostic };
        failures.push(Failure { address, kind, reason: shown(reason) });
    }
    failures
}

/// What a refusal means. Words weigh more than numbers where a number says little: 5.0.0 is anything, 5.7.1 mostly about us.
fn judge(code: &str, diagnostic: &str) -> Kind {
    let numbers = |text: &str| {
        STATUS.captures(text).map(|found| (found[1].to_owned(), found[2].to_owned(), found[3].to_owned()))
    };
    let precise = |found: &(String, String, String)| (found.1.as_str(), found.2.as_str()) != ("0", "0");
    let status = numbers(code)
        .filter(precise)
        .or_else(|| numbers(diagnostic).filter(precise))
        .or_else(|| numbers(code));
    let (says_gone, says_passing) = (NO_MAILBOX.is_match(diagnostic), PASSES.is_match(diagnostic));
    match status.as_ref().map(|(class, subject, detail)| (class.as_str(), subject.as_str(), detail.as_str()))
    {
        Some(("4", ..)) => Kind::Soft,
        // Mailbox full, message too long, content, protocol, loops and time.
        Some(("5", "2", "2" | "3") | ("5", "3" | "5" | "6", _) | ("5", "4", "6" | "7")) => Kind::Soft,
        Some(("5", "1", "8" | "7")) => Kind::Soft,
        Some(("5", "1", _)) => Kind::Hard,
        Some(("5", "7", _)) if says_gone && !says_passing => Kind::Hard,
        Some(("5", "7", _)) => Kind::Soft,
        Some(("5", "2", "1") | ("5", "4", "4")) => Kind::Hard,
        _ if says_passing && !says_gone => Kind::Soft,
        _ if says_gone => Kind::Hard,
        Some(_) => Kind::Hard,
        None => match REPLY_CODE.captures(diagnostic).map(|found| found[1].to_owned()) {
            Some(reply) if matches!(reply.as_str(), "550" | "551" | "553") => Kind::Hard,
            _ => Kind::Soft,
        },
    }
}

fn is_bounce(message: &Message, subject: &str, names_failed: bool) -> bool {
    let from = message
        .from()
        .and_then(|from| from.first())
        .and_then(|from| from.address())
        .unwrap_or_default()
        .to_ascii_lowercase();
    let is_daemon = ["mailer-daemon@", "postmaster@", "mail-daemon@", "mailerdaemon@"]
        .iter()
        .any(|name| from.starts_with(name))
        || from == "mailer-daemon";
    let is_nobody = message.header_raw("Return-Path").is_some_and(|path| path.trim() == "<>");
    names_failed || BOUNCE_SUBJECT.is_match(subject) && (is_daemon || is_nobody) || is_daemon && is_nobody
}

/// A bounce in prose: what stands before the mail that came back.
fn sloppy(text: &str, failed: &str) -> Return {
    let ends = [
        "original message",
        "below this line is a copy",
        "message follows",
        "this is a copy of the message",
        "message d'origine",
        "mensaje original",
        "return-path:",
    ];
    let lower = text.to_ascii_lowercase();
    let end = ends.iter().filter_map(|end| lower.find(end)).min().unwrap_or(text.len());
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
    let is_known = STATUS.is_match(report)
        || REPLY_CODE.is_match(report)
        || NO_MAILBOX.is_match(report)
        || PASSES.is_match(report);
    let kind = if STILL_TRYING.is_match(report) && !report.contains("giving up") {
        Kind::Delayed
    } else if is_known {
        judge("", report)
    } else {
        // It did not arrive, and nobody says why.
        Kind::Soft
    };
    if addresses.is_empty() {
        addresses.push(String::new());
    }
    let said = report.lines().find(|line| {
        STATUS.is_match(line)
            || REPLY_CODE.is_match(line)
            || NO_MAILBOX.is_match(line)
            || PASSES.is_match(line)
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

/// A complaint (RFC 5965 section 3), unless it says that there is none.
fn complaint(feedback: &str) -> Return {
    let blocks = blocks(feedback);
    let fields: Vec<&(String, String)> = blocks.iter().flatten().collect();
    let kind =
        fields.iter().find(|(name, _)| name == "feedback-type").map_or("", |(_, value)| value.as_str());
    if kind.eq_ignore_ascii_case("not-spam") {
        return Return::Other("somebody said that our mail is no spam");
    }
    let recipients =
        fields.iter().filter(|(name, _)| matches!(name.as_str(), "original-rcpt-to" | "removal-recipient"));
    Return::Complaint(
        recipients.map(|(_, value)| address_in(value)).filter(|address| !address.is_empty()).collect(),
    )
}

/// The words of a server without the addresses in them: results may end in a log.
fn shown(text: &str) -> String {
    crate::support::text::shorten(
        &ADDRESS.replace_all(&crate::support::text::one_line(text), "…"),
        REASON_CHARS_MAX,
    )
}
