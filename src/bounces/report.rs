//! Reads reports: of deliveries that failed (RFC 3464, or prose), and of complaints (RFC 5965).

use std::sync::LazyLock;

use mail_parser::Message;
use regex::Regex;

use super::judge::judge;
use super::patterns::{ADDRESS, NO_MAILBOX, PASSES, REPLY_CODE, STATUS, pattern};
use super::returned::{Failure, Kind, Return};
use super::words;
use crate::support::text::{one_line, shorten};

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

/// The recipients that a status report lists as not reached.
pub(super) fn failures(status: &str, text: &str) -> Vec<Failure> {
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

/// Whether a message without a status part is a bounce all the same. Automatic replies are not, unless from a mail server: Exim
/// marks its reports as "auto-replied".
pub(super) fn is_bounce(
    message: &Message,
    subject: &str,
    text: &str,
    names_failed: bool,
    is_automatic: bool,
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
    let is_report = words::speaks_of("report", subject);
    let explains = || STATUS.is_match(text) || NO_MAILBOX.is_match(text) || words::says("gone", text);
    names_failed
        || is_daemon && (is_report || is_nobody || explains())
        || is_report && is_nobody && !is_automatic
}

/// Reads a bounce in prose: the text before the returned mail.
pub(super) fn sloppy(text: &str, failed: &str) -> Return {
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
pub(super) fn complaint(feedback: &str) -> Return {
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
    shorten(&ADDRESS.replace_all(&one_line(text), "…"), REASON_CHARS_MAX)
}
