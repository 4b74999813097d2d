//! Decides what a mail server's refusal is about. Only one kind means that a recipient does not exist; mistaking another for it
//! loses readers. Pure: decides by the command, the reply code, the enhanced code (RFC 3463, RFC 7505) and the text.

/// The command that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// The greeting, EHLO, or STARTTLS.
    Connect,
    Auth,
    /// MAIL FROM: the sender.
    Mail,
    /// RCPT TO: the recipient.
    Rcpt,
    /// DATA, or the message after it.
    Data,
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The mailbox does not exist, for good.
    NoRecipient,
    /// The mailbox does not accept the mail for now, or for an unknown reason.
    Mailbox,
    /// Our address, reputation, login or protocol use, or the content: other mail would be refused as well.
    Us,
    /// The server has no capacity, in general or for this many connections or messages.
    Busy,
}

/// Phrases about the sender or the message, in any reply. In lower case.
const US: [&str; 48] = [
    "spam",
    "blocked",
    "block list",
    "blocklist",
    "blacklist",
    "black list",
    "denylist",
    "dnsbl",
    "rbl",
    "spamhaus",
    "barracuda",
    "spamcop",
    "reputation",
    "policy",
    "relay",
    "spf",
    "dkim",
    "dmarc",
    "sender",
    "authenticat",
    "auth required",
    "not allowed to send",
    "not permitted",
    "not authorized",
    "not authorised",
    "unauthorized",
    "access denied",
    "prohibit",
    "rcpthosts",
    "content",
    "virus",
    "malware",
    "phish",
    "abuse",
    "bulk mail",
    "unsolicited",
    "suspicious",
    "banned",
    "blocage",
    "bloqué",
    "réputation",
    "ip address",
    "your ip",
    "reverse dns",
    "rdns",
    "ptr record",
    "helo",
    "rejected by",
];
/// Phrases about space in a mailbox.
const FULL: [&str; 14] = [
    "quota",
    "mailbox full",
    "mailbox is full",
    "mail box full",
    "over the limit",
    "storage",
    "out of space",
    "is full",
    "too large for this",
    "boîte pleine",
    "boite pleine",
    "espace insuffisant",
    "buzón lleno",
    "mailbox size",
];
/// Phrases about a mailbox that does not exist.
const UNKNOWN: [&str; 49] = [
    "user unknown",
    "unknown user",
    "no such user",
    "no such recipient",
    "no such mailbox",
    "no such address",
    "no such account",
    "no such person",
    "does not exist",
    "doesn't exist",
    "do not exist",
    "not exist",
    "doesn't have a",
    "does not have a",
    "mailbox not found",
    "recipient not found",
    "user not found",
    "address not found",
    "account not found",
    "not found in directory",
    "unknown recipient",
    "recipient unknown",
    "unknown address",
    "address unknown",
    "unknown local",
    "unknown mailbox",
    "mailbox unknown",
    "invalid recipient",
    "invalid mailbox",
    "invalid address",
    "invalid user",
    "recipient invalid",
    "no mailbox here",
    "not a valid mailbox",
    "not a valid recipient",
    "not a known user",
    "is not known",
    "not our customer",
    "undeliverable address",
    "unrouteable address",
    "unroutable address",
    "account is disabled",
    "account has been disabled",
    "account is inactive",
    "account that you tried to reach is disabled",
    "n'existe pas",
    "destinataire invalide",
    "destinataire inconnu",
    "utilisateur inconnu",
];
/// Phrases about greylisting: the same mail is accepted a little later.
const GREYLISTED: [&str; 6] = ["greylist", "graylist", "grey list", "gray list", "grey-list", "gray-list"];
/// Phrases about too many simultaneous connections or messages, whatever the code.
const CROWDED: [&str; 5] = ["too many", "concurren", "rate limit", "throttl", "slow down"];
/// Phrases about rates.
const RATE: [&str; 14] = [
    "too many",
    "rate",
    "try again later",
    "try later",
    "temporarily",
    "throttl",
    "too fast",
    "busy",
    "resources",
    "concurren",
    "deferred",
    "connections",
    "slow down",
    "later",
];

/// Decides what a refusal is about. `enhanced` are the three numbers of the enhanced code, if any.
pub fn refusal(command: Command, code: u16, enhanced: Option<[u16; 3]>, words: &str) -> Refusal {
    let words = words.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|phrase| words.contains(phrase));
    let is_temporary = (400..500).contains(&code);
    // The server closes the connection, whatever the command.
    if code == 421 {
        return Refusal::Busy;
    }
    match command {
        Command::Connect | Command::Auth | Command::Mail if is_temporary => return Refusal::Busy,
        Command::Connect if says(&CROWDED) => return Refusal::Busy,
        Command::Connect | Command::Auth | Command::Mail => return Refusal::Us,
        // The server does not know the command, or requires a login (RFC 5321 section 4.2.3, RFC 4954 section 6).
        Command::Rcpt | Command::Data if matches!(code, 500..=504 | 530 | 534 | 535 | 538 | 555) => {
            return Refusal::Us;
        }
        Command::Rcpt | Command::Data => {}
    }
    let detail = enhanced.map(|[_, subject, detail]| (subject, detail));
    // Senders have quotas too.
    let is_ours = says(&["message quota", "sending quota", "sending limit", "daily", "hourly"]);
    let is_full = matches!(detail, Some((2, 2))) || says(&FULL) && !is_ours;
    if is_temporary {
        return match detail {
            _ if is_full && !says(&["insufficient system", "email server"]) => Refusal::Mailbox,
            _ if says(&GREYLISTED) => Refusal::Mailbox,
            Some((1, 7 | 8)) => Refusal::Us,
            Some((7, 20..=29)) if !says(&CROWDED) => Refusal::Us,
            Some((2, _)) => Refusal::Mailbox,
            Some((1, _)) if !says(&RATE) => Refusal::Mailbox,
            _ => Refusal::Busy,
        };
    }
    if command == Command::Data {
        // After DATA, a refusal cannot mean that the recipient does not exist: RCPT was accepted.
        let is_of_mailbox = is_full || matches!(detail, Some((2, detail)) if detail != 3);
        return if is_of_mailbox && !says(&["message size", "message too", "too big"]) {
            Refusal::Mailbox
        } else {
            Refusal::Us
        };
    }
    permanent(detail, is_full, &says)
}

/// Judges a permanent refusal of a recipient by the last two numbers of the enhanced code and the text.
fn permanent(detail: Option<(u16, u16)>, is_full: bool, says: &dyn Fn(&[&str]) -> bool) -> Refusal {
    match detail {
        // As sent by Yandex.
        Some((7, 1)) if says(&UNKNOWN) && !says(&US) => Refusal::NoRecipient,
        Some((1, 7 | 8) | (2, 3) | (3, 4) | (5, 1..) | (6 | 7, _)) => Refusal::Us,
        _ if is_full => Refusal::Mailbox,
        Some((1, 1..=6 | 9 | 10)) if !says(&RATE) => Refusal::NoRecipient,
        // A directory look-up at the edge (Exchange Online).
        Some((4, 1)) if says(&["recipient address rejected"]) => Refusal::NoRecipient,
        Some((2, 1)) if !says(&RATE) => Refusal::NoRecipient,
        Some((2..=4, _)) => Refusal::Mailbox,
        // A blocked sender is often told so in a sentence about the recipient.
        _ if says(&US) => Refusal::Us,
        _ if says(&UNKNOWN) => Refusal::NoRecipient,
        _ if says(&RATE) => Refusal::Busy,
        // An unexplained refusal says nothing about a person.
        _ => Refusal::Mailbox,
    }
}

/// The enhanced code at the start of a reply's text.
pub fn enhanced(words: &str) -> Option<[u16; 3]> {
    let first = words.split_whitespace().next()?.trim_matches(|c: char| !c.is_ascii_digit());
    let mut numbers = first.split('.').map(|number| number.parse::<u16>().ok());
    let code = [numbers.next()??, numbers.next()??, numbers.next()??];
    (numbers.next().is_none() && matches!(code[0], 2 | 4 | 5)).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::Command::{Auth, Connect, Data, Mail, Rcpt};
    use super::Refusal::NoRecipient;
    use super::*;

    /// One reply per line: source, command, code, text, and what it is about.
    const REPLIES: &str = include_str!("replies.tsv");

    #[test]
    fn replies_of_real_servers_are_about_what_they_are_about() {
        let rows: Vec<Vec<&str>> = REPLIES
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split('\t').collect())
            .collect();
        assert!(rows.len() >= 120 && rows.iter().all(|row| row.len() == 5 && !row[0].is_empty()));
        let command = |name: &str| {
            [Connect, Auth, Mail, Rcpt, Data]
                .into_iter()
                .find(|command| format!("{command:?}") == name)
                .unwrap()
        };
        let wrong: Vec<_> = rows
            .iter()
            .filter_map(|row| {
                let (code, words) = (row[2].parse().unwrap(), row[3]);
                let got = format!("{:?}", refusal(command(row[1]), code, enhanced(words), words));
                (got != row[4]).then(|| format!("{row:?}: {got}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn nothing_but_a_refused_recipient_says_that_there_is_none() {
        for command in [Connect, Auth, Mail, Data] {
            for code in 400..600 {
                for words in ["", "5.1.1 User unknown", "5.1.10 no such user", "does not exist"] {
                    assert_ne!(
                        refusal(command, code, enhanced(words), words),
                        NoRecipient,
                        "{command:?} {code} {words}"
                    );
                }
            }
        }
        assert!((400..500).all(|code| refusal(Rcpt, code, Some([4, 1, 1]), "user unknown") != NoRecipient));
    }

    #[test]
    fn enhanced_codes_stand_at_the_beginning() {
        assert_eq!(enhanced("5.1.1 no"), Some([5, 1, 1]));
        assert_eq!(enhanced("#5.7.1, no"), Some([5, 7, 1]));
        assert!(
            ["", "no 5.1.1", "192.0.2.1 is blocked", "6.1.1 x", "5.1 x"]
                .iter()
                .all(|words| enhanced(words).is_none())
        );
    }
}
