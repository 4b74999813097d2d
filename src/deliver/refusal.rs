//! What a mail server's refusal is about. Only one kind of it says that a recipient does not exist; to take another for it costs a
//! list its readers. Pure: from the command, the code, the enhanced code (RFC 3463, RFC 7505) and the words.

/// What the server refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// The greeting, EHLO, STARTTLS.
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
    /// There is no such mailbox, and will be none.
    NoRecipient,
    /// The recipient's mailbox does not take it for now, or for a reason that we do not know.
    Mailbox,
    /// Our address, our reputation, our login, our way of speaking, or what the message says: others would be refused alike.
    Us,
    /// The server has no time for anybody, or not for so many.
    Busy,
}

/// About the sender or the message, wherever it is said. In lower case.
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
/// About room in a mailbox.
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
/// About a mailbox that there is not.
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
/// About how much at a time.
const RATE: [&str; 17] = [
    "too many",
    "rate",
    "try again later",
    "try later",
    "temporarily",
    "greylist",
    "graylist",
    "grey list",
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

/// What a refusal is about. `enhanced` are the three numbers of an enhanced code where there is one.
pub fn refusal(command: Command, code: u16, enhanced: Option<[u16; 3]>, words: &str) -> Refusal {
    let words = words.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|phrase| words.contains(phrase));
    let is_temporary = (400..500).contains(&code);
    // The server ends the conversation, whatever we said.
    if code == 421 {
        return Refusal::Busy;
    }
    match command {
        Command::Connect | Command::Auth | Command::Mail if is_temporary => return Refusal::Busy,
        Command::Connect | Command::Auth | Command::Mail => return Refusal::Us,
        // Words that it does not know (RFC 5321 section 4.2.3, RFC 4954 section 6).
        Command::Rcpt | Command::Data if matches!(code, 500..=504 | 530 | 534 | 535 | 538 | 555) => {
            return Refusal::Us;
        }
        Command::Rcpt | Command::Data => {}
    }
    let detail = enhanced.map(|[_, subject, detail]| (subject, detail));
    let is_full = matches!(detail, Some((2, 2))) || says(&FULL);
    if is_temporary {
        return match detail {
            _ if is_full && !says(&["insufficient system"]) => Refusal::Mailbox,
            Some((1, 7 | 8)) => Refusal::Us,
            Some((1 | 2, _)) if !says(&RATE) => Refusal::Mailbox,
            _ => Refusal::Busy,
        };
    }
    if command == Command::Data {
        // Nothing that is said of a message says that its recipient is none: he was taken before.
        return if is_full && !says(&["message size", "message too", "too big"]) {
            Refusal::Mailbox
        } else {
            Refusal::Us
        };
    }
    match detail {
        Some((1, 7 | 8) | (2, 3) | (3, 4) | (5, 1..) | (6 | 7, _)) => Refusal::Us,
        _ if is_full => Refusal::Mailbox,
        Some((1, 1..=6 | 9 | 10)) if !says(&RATE) => Refusal::NoRecipient,
        // A directory that is asked at the edge (Exchange Online).
        Some((4, 1)) if says(&["recipient address rejected"]) => Refusal::NoRecipient,
        Some((2, 1)) if !says(&RATE) => Refusal::NoRecipient,
        Some((3 | 4, _)) => Refusal::Mailbox,
        // Who is blocked is often told so in a sentence about the recipient.
        _ if says(&US) => Refusal::Us,
        _ if says(&UNKNOWN) => Refusal::NoRecipient,
        _ if says(&RATE) => Refusal::Busy,
        // What nobody explains is no verdict on a person.
        _ => Refusal::Mailbox,
    }
}

/// The enhanced code at the beginning of a reply's words.
pub fn enhanced(words: &str) -> Option<[u16; 3]> {
    let first = words.split_whitespace().next()?.trim_matches(|c: char| !c.is_ascii_digit());
    let mut numbers = first.split('.').map(|number| number.parse::<u16>().ok());
    let code = [numbers.next()??, numbers.next()??, numbers.next()??];
    (numbers.next().is_none() && matches!(code[0], 2 | 4 | 5)).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::Command::{Auth, Connect, Data, Mail, Rcpt};
    use super::Refusal::{Busy, Mailbox, NoRecipient, Us};
    use super::*;

    /// Replies as servers give them, in our words where they are long. Sources: the operators' own documentation of their bounce
    /// codes (Google Workspace, Microsoft Exchange Online, Yahoo, Orange, Free, La Poste), the texts in the source of Postfix, Exim,
    /// Sendmail, qmail and Dovecot, and RFC 3463, RFC 4954, RFC 7505.
    const REPLIES: [(Command, u16, &str, Refusal); 118] = [
        // Gmail.
        (
            Rcpt,
            550,
            "5.1.1 The email account that you tried to reach does not exist. Please try double-checking",
            NoRecipient,
        ),
        (Rcpt, 550, "5.2.1 The email account that you tried to reach is inactive.", NoRecipient),
        (
            Rcpt,
            550,
            "5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages",
            Busy,
        ),
        (
            Rcpt,
            450,
            "4.2.1 The user you are trying to contact is receiving mail too quickly. Please resend your message at a later time",
            Busy,
        ),
        (
            Rcpt,
            452,
            "4.2.2 The recipient's inbox is out of storage space. Please direct the recipient to",
            Mailbox,
        ),
        (Rcpt, 552, "5.2.2 The email account that you tried to reach is over quota and inactive.", Mailbox),
        (
            Data,
            550,
            "5.7.1 Our system has detected that this message is likely unsolicited mail. To reduce the amount of spam",
            Us,
        ),
        (
            Data,
            550,
            "5.7.26 This mail has been blocked because the sender is unauthenticated. SPF or DKIM",
            Us,
        ),
        (
            Data,
            550,
            "5.7.26 Unauthenticated email from example.org is not accepted due to domain's DMARC policy.",
            Us,
        ),
        (
            Data,
            552,
            "5.7.0 This message was blocked because its content presents a potential security issue.",
            Us,
        ),
        (Data, 552, "5.2.3 Your message exceeded Google's message size limits.", Us),
        (
            Rcpt,
            550,
            "5.7.1 The IP you're using to send mail is not authorized to send email directly to our servers.",
            Us,
        ),
        (
            Data,
            421,
            "4.7.0 Our system has detected an unusual rate of unsolicited mail originating from your IP address.",
            Busy,
        ),
        (Data, 421, "4.7.28 Our system has detected an unusual rate of mail from your domain", Busy),
        (Mail, 550, "5.7.25 The IP address sending this message does not have a PTR record", Us),
        (Rcpt, 550, "5.1.1 The email account that you tried to reach is disabled.", NoRecipient),
        (Mail, 451, "4.3.0 Mail server temporarily rejected message.", Busy),
        (Mail, 530, "5.7.0 Must issue a STARTTLS command first.", Us),
        (Auth, 535, "5.7.8 Username and Password not accepted.", Us),
        (Data, 550, "5.4.5 Daily user sending limit exceeded.", Us),
        // Exchange Online and Outlook.com.
        (
            Rcpt,
            550,
            "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
            NoRecipient,
        ),
        (Rcpt, 550, "5.4.1 Recipient address rejected: Access denied. [XX.prod.outlook.com]", NoRecipient),
        (Rcpt, 550, "5.5.0 Requested action not taken: mailbox unavailable", Mailbox),
        (Rcpt, 550, "5.7.1 RESOLVER.RST.AuthRequired; authentication required", Us),
        (Rcpt, 550, "5.7.606 Access denied, banned sending IP [192.0.2.1].", Us),
        (Rcpt, 550, "5.7.511 Access denied, banned sender[192.0.2.1].", Us),
        (
            Mail,
            550,
            "5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your ISP: block list (S3140).",
            Us,
        ),
        (
            Mail,
            421,
            "RP-001 The mail server IP connecting to Outlook.com server has exceeded the rate limit allowed.",
            Busy,
        ),
        (
            Mail,
            451,
            "4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation.",
            Busy,
        ),
        (Rcpt, 452, "4.5.3 Too many recipients", Busy),
        (
            Data,
            550,
            "5.7.515 Access denied, sending domain does not meet the required authentication level.",
            Us,
        ),
        (Rcpt, 554, "5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException", Mailbox),
        (
            Data,
            554,
            "5.2.0 STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded",
            Mailbox,
        ),
        (Rcpt, 550, "5.1.8 Access denied, bad outbound sender", Us),
        (Rcpt, 550, "5.7.708 Service unavailable. Access denied, traffic not accepted from this IP.", Us),
        (Rcpt, 550, "5.7.64 TenantAttribution; Relay Access Denied", Us),
        (Rcpt, 432, "4.3.2 STOREDRV.Deliver; recipient thread limit exceeded", Busy),
        (Rcpt, 451, "4.4.0 DNS query failed", Busy),
        (Rcpt, 550, "5.1.1 User unknown", NoRecipient),
        (Rcpt, 550, "5.1.0 Sender denied", Us),
        // Yahoo and AOL.
        (
            Rcpt,
            554,
            "delivery error: dd This user doesn't have a yahoo.com account (u@yahoo.com) [0]",
            NoRecipient,
        ),
        (Data, 554, "delivery error: dd Requested mail action aborted - mailbox not found", Us),
        (
            Mail,
            421,
            "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints",
            Busy,
        ),
        (
            Mail,
            553,
            "5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list",
            Us,
        ),
        (Data, 554, "5.7.9 Message not accepted for policy reasons.", Us),
        (Rcpt, 552, "1 Requested mail action aborted, mailbox is full", Mailbox),
        (Rcpt, 550, "relaying denied for <u@aol.com>", Us),
        (Data, 554, "Message not allowed - [PH01] Email not accepted for policy reasons.", Us),
        // Orange, Free, La Poste, SFR, laposte.net.
        (
            Rcpt,
            550,
            "5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR204_416 [416]",
            NoRecipient,
        ),
        (
            Mail,
            550,
            "5.7.0 Service refuse. Veuillez essayer plus tard. service refused, please try later. OFR004_103 [103]",
            Us,
        ),
        (Connect, 421, "Service refuse. Veuillez essayer plus tard. OFR005_104 [104]", Busy),
        (
            Mail,
            421,
            "Trop de connexions, veuillez verifier votre configuration. Too many connections. OFR004_104 [104]",
            Busy,
        ),
        (Data, 550, "5.7.1 Mail rejete. Mail rejected. OFR_506 [506]", Us),
        (Rcpt, 552, "5.1.1 Boite du destinataire pleine. Recipient overquota. OFR201_417 [417]", Mailbox),
        (Rcpt, 550, "Boite pleine: over quota", Mailbox),
        (Rcpt, 550, "5.2.1 This mailbox has been blocked due to inactivity (UserSearch)", NoRecipient),
        (Data, 550, "spam detected (Free)", Us),
        (
            Mail,
            451,
            "too many errors from your ip (192.0.2.1), please visit http://postmaster.free.fr/",
            Busy,
        ),
        (Rcpt, 550, "5.5.0 Destinataire inconnu", NoRecipient),
        (Rcpt, 550, "Utilisateur inconnu", NoRecipient),
        (Rcpt, 550, "5.1.1 LPN007_510 Adresse inconnue. Unknown recipient", NoRecipient),
        (Mail, 550, "5.5.0 Service refuse. LPN007_403 reputation", Us),
        (Rcpt, 550, "L'adresse n'existe pas", NoRecipient),
        (Mail, 554, "5.7.1 LPNAAA_101 IP bloquée", Us),
        // Postfix.
        (
            Rcpt,
            550,
            "5.1.1 <u@x.example>: Recipient address rejected: User unknown in virtual mailbox table",
            NoRecipient,
        ),
        (
            Rcpt,
            550,
            "5.1.1 <u@x.example>: Recipient address rejected: undeliverable address: host said: 550",
            NoRecipient,
        ),
        (
            Rcpt,
            450,
            "4.1.1 <u@x.example>: Recipient address rejected: unverified address: Address verification in progress",
            Mailbox,
        ),
        (Rcpt, 554, "5.7.1 <u@x.example>: Relay access denied", Us),
        (Rcpt, 454, "4.7.1 <u@x.example>: Relay access denied", Busy),
        (Rcpt, 554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", Us),
        (Mail, 550, "5.1.0 <news@example.org>: Sender address rejected: User unknown", Us),
        (Rcpt, 550, "5.1.8 <news@example.org>: Sender address rejected: Domain not found", Us),
        (Rcpt, 450, "4.1.8 <news@example.org>: Sender address rejected: Domain not found", Us),
        (Rcpt, 450, "4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]", Busy),
        (Rcpt, 450, "4.2.0 <u@x.example>: Recipient address rejected: Greylisted", Busy),
        (Rcpt, 451, "4.7.1 Greylisting in action, please come back later", Busy),
        (Rcpt, 504, "5.5.2 <host>: Helo command rejected: need fully-qualified hostname", Us),
        (Rcpt, 452, "4.3.1 Insufficient system storage", Busy),
        (Mail, 452, "4.3.1 Insufficient system storage", Busy),
        (Mail, 552, "5.3.4 Message size exceeds fixed limit", Us),
        (Data, 552, "5.3.4 Message size exceeds file system imposed limit", Us),
        (Rcpt, 552, "5.2.2 Mailbox size limit exceeded", Mailbox),
        (Rcpt, 550, "5.4.6 mail for x.example loops back to myself", Mailbox),
        (Data, 550, "5.7.1 Message rejected by content filter: SPAM", Us),
        (Data, 451, "4.3.0 Error: queue file write error", Busy),
        (Data, 451, "4.7.1 Service unavailable - try again later", Busy),
        (Connect, 554, "5.7.1 No SMTP service here", Us),
        (Connect, 421, "4.3.2 All server ports are busy", Busy),
        (Rcpt, 421, "4.7.0 Error: too many errors", Busy),
        (Auth, 454, "4.7.0 Temporary authentication failure", Busy),
        (Auth, 534, "5.7.9 Authentication mechanism is too weak", Us),
        (Rcpt, 530, "5.7.0 Authentication required", Us),
        (Rcpt, 553, "5.7.1 <news@example.org>: Sender address rejected: not owned by user", Us),
        (
            Rcpt,
            556,
            "5.1.10 <u@x.example>: Recipient address rejected: Domain x.example does not accept mail (nullMX)",
            NoRecipient,
        ),
        // Exim.
        (Rcpt, 550, "Unrouteable address", NoRecipient),
        (Rcpt, 550, "no such address here", NoRecipient),
        (Rcpt, 550, "relay not permitted", Us),
        (Rcpt, 550, "Administrative prohibition", Us),
        (Rcpt, 550, "Sender verify failed", Us),
        (Rcpt, 451, "Temporary local problem - please try later", Busy),
        (Rcpt, 550, "Rejected because 192.0.2.1 is in a black list at dnsbl.example", Us),
        (Data, 550, "This message scored 12.3 spam points.", Us),
        (Rcpt, 452, "mailbox is full", Mailbox),
        // Sendmail, qmail, Dovecot and others.
        (Rcpt, 550, "5.1.1 <u@x.example>... User unknown", NoRecipient),
        (
            Rcpt,
            550,
            "5.1.2 <u@x.example>... Host unknown (Name server: x.example: host not found)",
            NoRecipient,
        ),
        (Rcpt, 553, "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", Us),
        (Rcpt, 511, "sorry, no mailbox here by that name (#5.1.1 - chkuser)", NoRecipient),
        (Rcpt, 550, "5.1.1 <u@x.example> User doesn't exist: u@x.example", NoRecipient),
        (Rcpt, 552, "5.2.2 <u@x.example> Quota exceeded (mailbox for user is full)", Mailbox),
        (Rcpt, 451, "4.2.0 <u@x.example> Temporary internal error", Mailbox),
        (Rcpt, 551, "User not local; please try <other@x.example>", Mailbox),
        (Rcpt, 550, "Requested action not taken: mailbox unavailable", Mailbox),
        (Rcpt, 550, "No", Mailbox),
        (Rcpt, 550, "Address rejected", Mailbox),
        (Data, 550, "User unknown", Us),
        (Mail, 550, "User unknown", Us),
        (Mail, 501, "5.1.7 Bad sender address syntax", Us),
        (Rcpt, 550, "Empfänger unbekannt: no such user", NoRecipient),
    ];

    #[test]
    fn replies_of_real_servers_are_about_what_they_are_about() {
        let wrong: Vec<_> = REPLIES
            .iter()
            .filter_map(|(command, code, words, wanted)| {
                let got = refusal(*command, *code, enhanced(words), words);
                (got != *wanted).then(|| format!("{command:?} {code} {words}: {got:?}, not {wanted:?}"))
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
