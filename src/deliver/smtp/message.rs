//! What a server is told of one message: its envelope, and the message itself.

use lettre::Address;
use lettre::address::Envelope;

use crate::deliver::DeliverError;
use crate::deliver::connection::{SmtpConnection, SmtpFault};
use crate::model::refusal::SmtpCommand;

/// Why a server cannot carry an address of an envelope, if it cannot: one beyond ASCII needs an extension (RFC 6531).
pub(super) fn unsupported_address(connection: &SmtpConnection, envelope: &Envelope) -> Option<DeliverError> {
    if is_ascii(envelope.from()) && is_ascii(envelope.to()) || connection.has("SMTPUTF8") {
        return None;
    }
    let words = "the mail server offers no SMTPUTF8, without which it cannot carry the address of";
    Some(if is_ascii(envelope.from()) {
        DeliverError::Unable(format!("{words} the recipient"))
    } else {
        DeliverError::RefusesUs(format!("{words} the sender"))
    })
}

fn is_ascii<'a>(addresses: impl IntoIterator<Item = &'a Address>) -> bool {
    addresses.into_iter().all(|address| AsRef::<str>::as_ref(address).is_ascii())
}

/// Sends the envelope, up to the reply to DATA (RFC 5321 section 3.3).
pub(super) async fn send_envelope(
    connection: &mut SmtpConnection,
    envelope: &Envelope,
) -> Result<(), (SmtpCommand, SmtpFault)> {
    let is_plain = is_ascii(envelope.from()) && is_ascii(envelope.to());
    let options = if is_plain { "" } else { " SMTPUTF8" };
    let from = envelope.from().map(ToString::to_string).unwrap_or_default();
    let at = |command: SmtpCommand| move |fault| (command, fault);
    connection
        .ask(&format!("MAIL FROM:<{from}>{options}"), 200..=299)
        .await
        .map_err(at(SmtpCommand::Mail))?;
    for to in envelope.to() {
        connection.ask(&format!("RCPT TO:<{to}>"), 200..=299).await.map_err(at(SmtpCommand::Rcpt))?;
    }
    connection.ask("DATA", 354..=354).await.map_err(at(SmtpCommand::Data))?;
    Ok(())
}

/// A message as transmitted, dot-stuffed and with its terminator (RFC 5321 section 4.5.2).
pub(super) struct DotStuffed<'a>(pub(super) &'a str);

impl std::fmt::Display for DotStuffed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.0;
        if rest.starts_with('.') {
            f.write_str(".")?;
        }
        while let Some(at) = memchr::memmem::find(rest.as_bytes(), b"\r\n.") {
            f.write_str(&rest[..at + 3])?;
            f.write_str(".")?;
            rest = &rest[at + 3..];
        }
        f.write_str(rest)?;
        f.write_str(if self.0.ends_with("\r\n") { ".\r\n" } else { "\r\n.\r\n" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_at_the_start_of_a_line_are_doubled_and_the_end_is_one_dot() {
        for (message, want) in [
            ("a\r\n.\r\n..b\r\nc.\r\n", "a\r\n..\r\n...b\r\nc.\r\n.\r\n"),
            (".a", "..a\r\n.\r\n"),
            ("", "\r\n.\r\n"),
            ("a\r\n.\r\n.\r\n", "a\r\n..\r\n..\r\n.\r\n"),
        ] {
            assert_eq!(DotStuffed(message).to_string(), want);
        }
    }
}
