//! Judges what a server or a person said of a recipient: whether the mailbox is gone, is full, or the refusal is of us.

use std::sync::LazyLock;

use regex::Regex;

use super::inbound::BounceKind;
use super::patterns::{NO_MAILBOX, PASSES, REPLY_CODE, STATUS, pattern};
use super::words;
use crate::model::refusal::{Parties, Refusal, SmtpCommand, refusal};
use crate::support::text::one_line;

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

/// What a failure means, by the status of a report, what a server said, and what the report tells of it beside that. The server's words
/// are judged by the function that judges the answers of our own server (`model::refusal`); where nobody says a code, or nothing that
/// it knows, the words of people are.
pub(super) fn judge(code: &str, said: &str, told: &str, parties: &Parties) -> BounceKind {
    let stage = refused_command(said).or_else(|| refused_command(told)).unwrap_or(SmtpCommand::Rcpt);
    // Before a recipient was named, nothing was said of one.
    if matches!(stage, SmtpCommand::Connect | SmtpCommand::Auth | SmtpCommand::Mail) {
        return BounceKind::NotTheirs;
    }
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
        // Words alone could be about the message.
        let kind = judge_prose(said, parties);
        return if stage == SmtpCommand::Data { kind.min(BounceKind::Soft) } else { kind };
    }
    // Its own status, which the words repeat, is not what yet another server said.
    let own = status.map(|[class, subject, detail]| format!("{class}.{subject}.{detail}"));
    let bare = own.map_or_else(|| words.to_owned(), |own| words.replace(&own, " "));
    match refusal(stage, reply, status, &bare, parties) {
        Refusal::NoRecipient => BounceKind::Hard,
        // Some servers look only when they have the message. Their words alone could be about that message.
        Refusal::Us if stage == SmtpCommand::Data && names_no_mailbox(status) => {
            match refusal(SmtpCommand::Rcpt, reply, status, &bare, parties) {
                Refusal::NoRecipient if NO_MAILBOX.is_match(words) || words::says("gone", words) => {
                    BounceKind::Hard
                }
                _ => BounceKind::NotTheirs,
            }
        }
        Refusal::Us => BounceKind::NotTheirs,
        Refusal::Mailbox => BounceKind::Soft,
        Refusal::Busy if is_temporary && !is_of_network(status) && !NETWORK.is_match(words) => {
            if NO_MAILBOX.is_match(words) { BounceKind::Soft } else { BounceKind::NotTheirs }
        }
        Refusal::Busy => BounceKind::NotTheirs,
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
fn judge_unexplained(status: Option<[u16; 3]>, words: &str) -> BounceKind {
    let is_gone = |text: &str| NO_MAILBOX.is_match(text) || words::says("gone", text);
    let says_gone = is_gone(words);
    let says_passing = PASSES.is_match(words) || words::says("passes", words);
    // Who is unknown may be the one who sends.
    let sentences = || words.split(['.', ';', '!', '\n']).filter(|text| is_gone(text));
    let is_of_sender =
        says_gone && sentences().next().is_some() && sentences().all(|text| words::says("sender", text));
    if words::says("about us", words) || is_of_sender {
        BounceKind::NotTheirs
    } else if says_gone && !says_passing {
        BounceKind::Hard
    } else if NETWORK.is_match(words) || matches!(status, Some([_, 4, _])) {
        BounceKind::NotTheirs
    } else {
        BounceKind::Soft
    }
}

/// What people are told, without any code.
fn judge_prose(said: &str, parties: &Parties) -> BounceKind {
    let says_full = FULL.is_match(said) || words::says("full", said);
    if words::says("about us", said) || parties.are_ours_named(said) {
        BounceKind::NotTheirs
    } else if says_full {
        BounceKind::Soft
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

/// What was refused, where a report tells it, in the words of Postfix, Exim, qmail, sendmail and Exchange. Where it names several, the
/// one that says least of a recipient.
fn refused_command(said: &str) -> Option<SmtpCommand> {
    let said = one_line(said);
    // Sendmail, which sends all commands at once, shows the last one.
    let is_pipelined = said.contains("Need RCPT");
    let found = STAGES.iter().find(|(command, pattern)| {
        !(is_pipelined && *command == SmtpCommand::Data) && pattern.is_match(&said)
    });
    found.map(|(command, _)| *command)
}

/// The words for each stage.
static STAGES: LazyLock<[(SmtpCommand, Regex); 5]> = LazyLock::new(|| {
    let answer = |what: &str, more: &str| {
        pattern(&format!(
            r"(?i)(?:(?:in )?(?:reply|response) to|after|while (?:performing|receiving|sending)|>>>|-->|==>)(?: (?:the|an|a|initial|server|sending|pipelined|your|end of))* ?(?:{what})\b{more}"
        ))
    };
    [
        (
            SmtpCommand::Connect,
            answer(
                "connection|connecting|greeting|banner|ehlo|helo|lhlo|starttls",
                "|refused to talk to me|greeting failed|my name was rejected",
            ),
        ),
        (SmtpCommand::Auth, answer("auth", "")),
        (SmtpCommand::Mail, answer("mail from", "|mail from command|sender was rejected")),
        (
            SmtpCommand::Data,
            answer(
                "data|bdat|message body|message content|body",
                r"|end of data|data command|after i sent the message|after the message was sent",
            ),
        ),
        (SmtpCommand::Rcpt, answer("rcpt to", "|rcpt to command|does not like recipient")),
    ]
});

/// Whether a text has reply codes, all of them temporary.
fn is_transient(text: &str) -> bool {
    let mut codes = REPLY_CODE.captures_iter(text).peekable();
    codes.peek().is_some() && codes.all(|found| found[1].starts_with('4'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::refusal::OwnIdentity;

    fn judge(code: &str, said: &str, told: &str) -> BounceKind {
        let ours = OwnIdentity::new(["news@example.org"]);
        super::judge(code, said, told, &Parties { ours: &ours, recipients: &["a@x.org".to_owned()] })
    }

    #[test]
    fn a_sender_who_is_unknown_is_no_recipient_who_is() {
        for said in [
            "L'expéditeur est inconnu",
            "L’adresse de l’expéditeur n’existe pas.",
            "Der Absender ist unbekannt",
            "Die Absenderadresse existiert nicht",
            "Il mittente non esiste",
            "O remetente é desconhecido",
            "De afzender bestaat niet",
            "Le serveur de destination est inconnu pour le moment",
        ] {
            assert_eq!(judge("", said, ""), BounceKind::NotTheirs, "{said}");
        }
        for said in [
            "Der Absender wird benachrichtigt. Der Empfänger ist unbekannt",
            "Notification à l'expéditeur :\nL'adresse du destinataire n'existe pas",
        ] {
            assert_eq!(judge("", said, ""), BounceKind::Hard, "{said}");
        }
    }

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
            assert_eq!(judge(code, said, ""), BounceKind::Hard, "{code} {said}");
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
            assert_eq!(judge(code, said, ""), BounceKind::Soft, "{code} {said}");
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
            ("5.1.1", "550 5.1.1 <news+4-ab@example.org>: user unknown"),
            ("5.1.2", "550 5.1.2 example.org: no such domain"),
            ("", "I asked the owner of news@example.org: no such user"),
            ("5.1.1", "550 5.1.1 user database error: no such user"),
        ] {
            assert_eq!(judge(code, said, ""), BounceKind::NotTheirs, "{code} {said}");
        }
        // What is looked up only when the message was there is believed by its status.
        let late = "host mx[192.0.2.1] said: 550 5.1.1 User unknown (in reply to end of DATA command)";
        assert_eq!(judge("5.1.1", late, ""), BounceKind::Hard);
    }
}
