//! Patterns that several files of this stage look for.

use std::sync::LazyLock;

use regex::Regex;

pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

pub(super) static ADDRESS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"));
/// Not a part of the address of a host.
pub(super) static STATUS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)(?:^|[^\d.\w])([245])\.(\d{1,3})\.(\d{1,3})(?:[^\d.\w]|\.(?:\D|$)|$)"));
pub(super) static REPLY_CODE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)(?:^|[\s:(<\[#])([45][0-5]\d)(?:[\s#)\]-])"));
pub(super) static NO_MAILBOX: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:user|recipient|mailbox|account|address)(?: is)? unknown|unknown (?:user|recipient|address|local[- ]part|mailbox)|no such (?:user|mailbox|recipient|address|person|domain)|(?:user|mailbox|recipient|account|address|inbox|email account)[^.\n]{0,60} (?:not found|does ?n[o']t exist|doesn't exist|is (?:disabled|inactive|invalid|no longer)|has been (?:disabled|closed|deactivated)|not (?:known|exist)|unavailable|rejected)|unroutable|unrouteable|no mailbox (?:here )?by that name|not listed in|invalid (?:recipient|mailbox|address)|recipient address rejected|address rejected|host (?:or domain name )?not found|domain (?:name )?(?:not found|does not exist)|undeliverable address",
    )
});
pub(super) static PASSES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)over ?quota|quota (?:has been )?exceeded|exceed(?:s|ed)[^.\n]{0,30}quota|mailbox (?:is )?(?:full|over)|full mailbox|insufficient (?:system )?storage|out of (?:disk )?space|too (?:large|big|many)|size limit|greylist|graylist|spam|blocked|blacklist|black ?list|blocklist|policy|reputation|unsolicited|dmarc|\bspf\b|dkim|content (?:rejected|filter)|temporar|try again|rate limit|timed? ?out|connection refused|loop",
    )
});
