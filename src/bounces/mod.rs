//! Classifies returned mail: delivery status notifications (RFC 3464), complaints (RFC 5965), requests to leave. Works on a
//! single message, without knowledge of subscribers or the store.

pub mod imap;
mod inbound;
mod incoming;
mod judge;
pub mod lmtp;
pub mod mailbox;
mod parts;
mod patterns;
mod report;
mod words;

use jiff::Timestamp;
use mail_parser::{DateTime, Message};
use sha2::{Digest as _, Sha256};

pub use self::inbound::{BounceKind, Failure, InboundKind, InboundMail, PersonalReply};
use self::incoming::Incoming;
pub use self::incoming::plain_address;
use crate::model::refusal::OwnIdentity;
use crate::support::mail::parsed;
use crate::support::text::{hex, with_short_headers};

/// Classifies a message. `recipients` are the addresses in the envelope, if known; what a report says of `ours` is about us.
pub fn read(bytes: &[u8], recipients: &[String], ours: &OwnIdentity) -> InboundMail {
    let hash = || hex(&Sha256::digest(bytes)[..16]);
    let short = with_short_headers(bytes);
    let Some(message) = parsed(&short) else {
        return InboundMail {
            what: InboundKind::Other("it is not a mail"),
            id: hash(),
            written: None,
            return_tokens: Vec::new(),
            message_ids: Vec::new(),
            leave_tokens: Vec::new(),
        };
    };
    let incoming = Incoming::new(&message, recipients);
    let what = incoming.what(ours);
    InboundMail {
        return_tokens: incoming.return_tokens(),
        message_ids: incoming.message_ids(),
        leave_tokens: incoming.leave_tokens(&what),
        id: message.message_id().filter(|id| !id.is_empty()).map_or_else(hash, str::to_owned),
        written: written(&message),
        what,
    }
}

/// When a message was written, or received by the last server: the clock of whoever wrote it may be slow.
fn written(message: &Message) -> Option<Timestamp> {
    let received = message.received_all().filter_map(|received| received.date());
    let read = |date: DateTime| Timestamp::from_second(date.to_timestamp()).ok();
    message.date().cloned().into_iter().chain(received).filter_map(read).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prose(from: &str, subject: &str, more: &str, text: &str) -> InboundKind {
        let message = format!(
            "Return-Path: <>\r\nFrom: {from}\r\nTo: news@example.org\r\nSubject: {subject}\r\n{more}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        );
        read(message.as_bytes(), &[], &OwnIdentity::new(["news@example.org"])).what
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
                BounceKind::Hard,
            ),
            (
                "Mailer-Daemon@x.org",
                "Mail delivery failed",
                exim,
                "a@x.org\n  retry timeout exceeded",
                BounceKind::NotTheirs,
            ),
            (
                "Mailer-Daemon@x.org",
                "Warning: message 1a delayed 24 hours",
                auto,
                "has not yet been delivered to a@x.org",
                BounceKind::Delayed,
            ),
            (
                "MAILER-DAEMON@x.org",
                "notification d'erreur",
                "",
                "<a@x.org>:\nRemote host said: 550 5.1.1 utilisateur inconnu",
                BounceKind::Hard,
            ),
            (
                "postmaster@x.org",
                "Unzustellbar: Digest",
                "",
                "an a@x.org. Der Empfänger ist unbekannt.",
                BounceKind::Hard,
            ),
            (
                "postmaster@x.org",
                "Zustellung verzögert",
                "",
                "a@x.org konnte noch nicht zugestellt werden",
                BounceKind::Delayed,
            ),
            (
                "postmaster@x.org",
                "Não foi possível entregar",
                "",
                "a@x.org: a caixa de correio cheia",
                BounceKind::Soft,
            ),
            (
                "postmaster@x.org",
                "No se pudo entregar",
                "",
                "a@x.org: no existe ese usuario",
                BounceKind::Hard,
            ),
            ("postmaster@x.org", "Mancata consegna", "", "a@x.org: utente sconosciuto", BounceKind::Hard),
            ("postmaster@x.org", "Remise impossible", "", "a@x.org: raison inexpliquée", BounceKind::Soft),
            (
                "postmaster@x.org",
                "Échec de la remise",
                "",
                "Le destinataire a@x.org est inconnu",
                BounceKind::Hard,
            ),
            (
                "postmaster@x.org",
                "Não entregue: News",
                "",
                "Não foi possível entregar a mensagem a a@x.org: usuário desconhecido",
                BounceKind::Hard,
            ),
            (
                "Mailer-Daemon@x.org",
                "Mancato recapito",
                "",
                "La casella di a@x.org è piena",
                BounceKind::Soft,
            ),
        ] {
            match prose(from, subject, more, text) {
                InboundKind::Bounce(failures) => {
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
            assert!(
                matches!(said, InboundKind::Other(_)) || subject.starts_with("Re:"),
                "{subject}: {said:?}"
            );
        }
    }
}
