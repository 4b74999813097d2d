//! Reads reports: of deliveries that failed (RFC 3464, or prose), and of complaints (RFC 5965).

use std::sync::LazyLock;

use mail_parser::Message;
use regex::Regex;

use super::inbound::{BounceKind, Failure, InboundKind};
use super::judge::judge;
use super::patterns::{ADDRESS, NO_MAILBOX, PASSES, REPLY_CODE, STATUS, pattern};
use super::words;
use crate::model::refusal::{OwnIdentity, Parties};
use crate::support::text::{one_line, shorten, without_controls};

const REASON_CHARS_MAX: usize = 200;
/// Maximum number of recipients in a report.
const FAILURES_MAX: usize = 1_000;

static STILL_TRYING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:will|still) (?:be |being |keep |continue )*(?:retr|try)|not yet been delivered|delayed|no action is required|delivery to the following recipients? (?:has been )?delayed|warning: message|could not be delivered for the last",
    )
});

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

/// The addresses of a block, the final one first. The original recipient is the one we wrote to; the final one may be where its
/// mail is forwarded.
fn addresses(block: &[(String, String)]) -> Vec<String> {
    let names = ["final-recipient", "original-recipient", "x-actual-recipient"];
    let named = names.iter().filter_map(|name| field(block, name)).map(address_in);
    named.filter(|address| !address.is_empty()).collect()
}

/// The part of a report's text that is about one of its recipients: from the first of their addresses to one of another. Mail servers
/// write there, and nowhere else, which command was refused.
fn text_about<'a>(text: &'a str, own: &[String], all: &[Vec<String>]) -> &'a str {
    let folded = text.to_ascii_lowercase();
    let find = |address: &String, from: usize| {
        folded[from..].find(&address.to_ascii_lowercase()).map(|at| from + at)
    };
    let Some(start) = own.iter().filter_map(|address| find(address, 0)).min() else {
        return if all.len() > 1 { "" } else { text };
    };
    let others = all.iter().flatten().filter(|address| !own.contains(address));
    let end = others.filter_map(|address| find(address, start + 1)).min().unwrap_or(text.len());
    text.get(start..end).unwrap_or_default()
}

/// What a status report says of each recipient; nothing where all were reached.
pub(super) fn failures(status: &str, text: &str, ours: &OwnIdentity) -> Vec<Failure> {
    let mut failures = Vec::new();
    let blocks = blocks(status);
    let blocks = &blocks[..blocks.len().min(FAILURES_MAX)];
    let all: Vec<Vec<String>> =
        blocks.iter().map(|block| addresses(block)).filter(|all| !all.is_empty()).collect();
    for block in blocks {
        let own = addresses(block);
        let told = text_about(text, &own, &all);
        let parties = Parties { ours, recipients: &own };
        let code = field(block, "status").unwrap_or_default();
        let diagnostic = field(block, "diagnostic-code").unwrap_or_default();
        let action = field(block, "action").unwrap_or_default().to_ascii_lowercase();
        let kind = match action.split([' ', '(']).next().unwrap_or_default() {
            "failed" | "failure" => {
                judge(code, if diagnostic.is_empty() { text } else { diagnostic }, told, &parties)
            }
            "delayed" => BounceKind::Delayed,
            "delivered" | "relayed" | "expanded" => BounceKind::Arrived,
            // A missing or unknown action, as in sloppy reports.
            _ if code.starts_with('5') => judge(code, diagnostic, told, &parties),
            _ if code.starts_with('4') => BounceKind::Delayed,
            _ => continue,
        };
        let reason = if diagnostic.is_empty() { code } else { diagnostic };
        let address = own.first().cloned().unwrap_or_default();
        failures.push(Failure { address, names: own, kind, reason: shown(reason) });
    }
    if failures.iter().all(|failure| failure.kind == BounceKind::Arrived) {
        return Vec::new();
    }
    failures
}

/// Whether a message without a status part is a bounce all the same. Automatic replies are not, unless from a mail server: Exim
/// marks its reports as "auto-replied".
pub(super) fn is_bounce(
    message: &Message,
    subject: &str,
    text: &str,
    names_failed: bool,
    is_automatic: bool,
    has_token: bool,
) -> bool {
    let from = message.from().and_then(|from| from.first());
    let address = from.and_then(|from| from.address()).unwrap_or_default().to_ascii_lowercase();
    let name = from.and_then(|from| from.name()).unwrap_or_default().to_ascii_lowercase();
    let is_daemon =
        ["mailer-daemon", "postmaster", "mail-daemon", "mailerdaemon", "mdaemon", "microsoftexchange"]
            .iter()
            .any(|daemon| address.starts_with(daemon))
            || name.starts_with("mail delivery s");
    let is_nobody = message.header_raw("Return-Path").is_some_and(|path| path.trim() == "<>");
    let is_report = words::has_word_beginning("report", subject);
    let explains = || STATUS.is_match(text) || NO_MAILBOX.is_match(text) || words::says("gone", text);
    names_failed
        || is_daemon && (is_report || is_nobody || explains())
        // To a return path that only a mail of ours had, whatever its language. A postmaster may be a person.
        || is_daemon && has_token && !address.starts_with("postmaster") && !words::is_reply(subject)
        || is_report && is_nobody && !is_automatic
}

/// The addresses that a bounce in prose is about: those that its head names, or else those in its text.
fn failed_addresses(failed: &str, report: &str) -> Vec<String> {
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
    addresses
}

/// Whether a line of a report says why.
fn is_reason(line: &str) -> bool {
    STATUS.is_match(line)
        || REPLY_CODE.is_match(line)
        || NO_MAILBOX.is_match(line)
        || PASSES.is_match(line)
        || words::says("gone", line)
        || words::says("passes", line)
}

/// Reads a bounce in prose: the text before the returned mail.
pub(super) fn prose_bounce(text: &str, failed: &str, ours: &OwnIdentity) -> InboundKind {
    let path = text.to_ascii_lowercase().find("return-path:");
    let end = path.into_iter().chain(words::find("copy", text)).min().unwrap_or(text.len());
    let report =
        text.get(..end).filter(|report| ADDRESS.is_match(report) || !failed.is_empty()).unwrap_or(text);
    let mut addresses = failed_addresses(failed, report);
    let is_tried = STILL_TRYING.is_match(report) || words::says("trying", report);
    let is_delayed = is_tried && !report.contains("giving up");
    if addresses.is_empty() {
        addresses.push(String::new());
    }
    // What is said of one recipient says nothing of another.
    let all: Vec<Vec<String>> = addresses.iter().map(|address| vec![address.clone()]).collect();
    let kind_of = |address: &String| match all.len() {
        _ if is_delayed => BounceKind::Delayed,
        1 => judge("", report, "", &Parties { ours, recipients: std::slice::from_ref(address) }),
        _ => {
            let own = std::slice::from_ref(address);
            judge("", text_about(report, own, &all), "", &Parties { ours, recipients: own })
        }
    };
    let reason = shown(report.lines().find(|line| is_reason(line)).unwrap_or("no reason given"));
    InboundKind::Bounce(
        addresses
            .into_iter()
            .take(FAILURES_MAX)
            .map(|address| Failure {
                kind: kind_of(&address),
                names: vec![address.clone()],
                address,
                reason: reason.clone(),
            })
            .collect(),
    )
}

/// Classifies a feedback report (RFC 5965 section 3): most types are not complaints.
pub(super) fn complaint(feedback: &str) -> InboundKind {
    let blocks = blocks(feedback);
    let kind = blocks.iter().find_map(|block| field(block, "feedback-type")).unwrap_or_default();
    // A comment may follow (RFC 5322 section 3.2.2).
    let kind = kind.split('(').next().unwrap_or_default();
    match kind.trim().to_ascii_lowercase().as_str() {
        kind @ ("abuse" | "fraud") => InboundKind::Complaint(kind.to_owned()),
        "not-spam" => InboundKind::Other("somebody said that our mail is not spam"),
        "opt-out" | "opt-out-list" => InboundKind::OptOut,
        "auth-failure" => {
            InboundKind::Other("a report of signatures that failed: look at SPF, DKIM and DMARC")
        }
        "virus" => {
            InboundKind::Other("somebody says that there is a virus in our mail: look at what was sent")
        }
        _ => InboundKind::Other("feedback of a kind that is not a complaint"),
    }
}

/// A server's words without addresses, since results may end up in a log.
fn shown(text: &str) -> String {
    let text = without_controls(&one_line(text));
    shorten(&ADDRESS.replace_all(&text, "…"), REASON_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(status: &str, text: &str) -> Vec<Failure> {
        super::failures(status, text, &OwnIdentity::new(["n@y.org"]))
    }

    fn report(blocks: &[(&str, &str, &str)]) -> String {
        let block = |(address, status, said): &(&str, &str, &str)| {
            format!(
                "Final-Recipient: rfc822; {address}\nAction: failed\nStatus: {status}\nDiagnostic-Code: smtp; {said}\n\n"
            )
        };
        format!("Reporting-MTA: dns; relay.example.org\n\n{}", blocks.iter().map(block).collect::<String>())
    }

    #[test]
    fn what_was_refused_is_read_from_the_text_beside_the_status() {
        let gone = "550 5.1.1 user unknown";
        for (status, said, text, want) in [
            (
                "5.1.1",
                gone,
                "<a@x.org>: host mx[192.0.2.1] said: 550 5.1.1 user unknown (in\n    reply to RCPT TO command)",
                BounceKind::Hard,
            ),
            (
                "5.1.1",
                gone,
                "<a@x.org>: host mx[192.0.2.1] said: 550 5.1.1 user unknown (in reply\n    to MAIL FROM command)",
                BounceKind::NotTheirs,
            ),
            (
                "5.1.1",
                gone,
                "<a@x.org>: host mx[192.0.2.1] refused to talk to\n    me: 550 5.1.1 user unknown",
                BounceKind::NotTheirs,
            ),
            (
                "5.0.0",
                "550 mailbox unavailable",
                "<a@x.org>: 550 mailbox unavailable (in reply to end of\n    DATA command)",
                BounceKind::NotTheirs,
            ),
            (
                "5.0.0",
                "550 mailbox unavailable",
                "<a@x.org>: 550 mailbox unavailable (in reply to EHLO command)",
                BounceKind::NotTheirs,
            ),
            (
                "5.0.0",
                "550 no such user",
                "  a@x.org\n    SMTP error from remote mail server after pipelined MAIL FROM:<n@y.org> SIZE=9:\n    550 no such user",
                BounceKind::NotTheirs,
            ),
            (
                "5.0.0",
                "550 no such user",
                "  a@x.org\n    SMTP error from remote mail server after pipelined RCPT TO:<a@x.org>:\n    550 no such user",
                BounceKind::Hard,
            ),
            (
                "5.0.0",
                "550 no such user",
                "  a@x.org\n    SMTP error from remote mail server after initial connection:\n    550 no such user",
                BounceKind::NotTheirs,
            ),
            (
                "5.0.0",
                "550 no such user",
                "... while talking to mx.x.org.:\n>>> MAIL From:<n@y.org>\n<<< 550 no such user",
                BounceKind::NotTheirs,
            ),
            (
                "5.0.0",
                "550 no such user",
                ">>> DATA\n<<< 550 no such user a@x.org\n<<< 503 5.0.0 Need RCPT (recipient)",
                BounceKind::Hard,
            ),
            (
                "5.0.0",
                "550 no such user",
                "<a@x.org>:\nConnected to 192.0.2.1 but sender was rejected.",
                BounceKind::NotTheirs,
            ),
            (
                "5.1.1",
                gone,
                "<a@x.org>: 550 5.1.1 user unknown (in reply to end of DATA command)",
                BounceKind::Hard,
            ),
            (
                "5.1.0",
                "550 5.1.0 RESOLVER.ADR.ExRecipNotFound; not found",
                "Delivery has failed to a@x.org",
                BounceKind::Hard,
            ),
        ] {
            assert_eq!(failures(&report(&[("a@x.org", status, said)]), text)[0].kind, want, "{said}: {text}");
        }
    }

    #[test]
    fn a_reason_has_nothing_that_a_terminal_obeys() {
        let said = failures(&report(&[("a@x.org", "5.1.1", "550 \u{1b}[31muser unknown\0")]), "");
        assert_eq!(said[0].reason, "smtp; 550 [31muser unknown");
    }

    #[test]
    fn each_recipient_is_judged_by_what_the_text_says_of_them() {
        let both = report(&[
            ("a@x.org", "5.1.1", "550 5.1.1 user unknown"),
            ("b@y.org", "5.1.1", "550 5.1.1 user unknown"),
        ]);
        let text = "<a@x.org>: host mx said: 550 5.1.1 user unknown (in reply to RCPT TO command)\n\n<b@y.org>: host mx said: 550 5.1.1 user unknown (in reply to MAIL FROM\n    command)\n";
        let kinds: Vec<_> = failures(&both, text).iter().map(|failure| failure.kind).collect();
        assert_eq!(kinds, [BounceKind::Hard, BounceKind::NotTheirs]);
    }
}
