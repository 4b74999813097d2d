//! Replies written by people to our mail: each is forwarded once to whoever reads `reply_to`.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::inbound::{InboundContext, MessageDisposition, ProcessedMessage};
use crate::bounces::{PersonalReply, plain_address};
use crate::deliver::message::message_id;
use crate::digest::TEXT_COLUMNS;
use crate::model::digest::{DigestId, ForwardedMail, Issue, LinkPlaces, subject};
use crate::model::mail_address::Address;
use crate::store::{NewIssue, StoreError};
use crate::support::text::{hex, wrapped};

/// Maximum number of replies forwarded within a day, so that an abuser can only fill our own mailbox.
const ANSWERS_A_DAY: u64 = 100;
/// A larger mail is forwarded without its attachments, in bytes.
const ATTACHED_BYTES_MAX: usize = 4 << 20;
/// The kind under which replies are counted among bounces.
const KIND: &str = "answer";

/// Why a reply was not queued.
#[derive(Debug, thiserror::Error)]
enum ReplyNotQueued {
    #[error("it was passed on before")]
    Before,
    #[error("too many today")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Queues a reply for `reply_to`; if none is configured, it stays in the mailbox.
///
/// # Errors
/// When the store fails.
pub fn pass_on(
    returns: &InboundContext,
    answer: &PersonalReply,
    bytes: &[u8],
) -> anyhow::Result<ProcessedMessage> {
    let who = Address::parse(&answer.from).map_or_else(|_| "somebody".into(), |from| from.masked());
    let kept = |why: &str| {
        Ok(ProcessedMessage::new(
            format!("left in the mailbox: an answer by {who}, {why}"),
            MessageDisposition::Kept,
        ))
    };
    let Some(reader) = returns.answers_to else {
        return kept("and no [mail] reply_to to pass it on to");
    };
    if answer.sent_to.contains(&plain_address(reader.as_str())) {
        return kept("which went to reply_to as well");
    }
    Ok(match queue(returns, answer, reader, bytes) {
        Ok(()) => ProcessedMessage::new(
            format!("passed on to reply_to: an answer by {who}"),
            MessageDisposition::Done,
        ),
        Err(ReplyNotQueued::Before) => {
            ProcessedMessage::new(format!("an answer by {who}: passed on before"), MessageDisposition::Done)
        }
        Err(ReplyNotQueued::TooMany) => ProcessedMessage::new(
            format!(
                "left in the mailbox: an answer by {who}, for {ANSWERS_A_DAY} were passed on within a day"
            ),
            MessageDisposition::Later,
        ),
        Err(ReplyNotQueued::Store(error)) => return Err(error.into()),
    })
}

/// Records and queues the forwarded reply in one unit of work, so that neither concurrent processes nor a killed one forward it
/// twice or never.
fn queue(
    returns: &InboundContext,
    answer: &PersonalReply,
    reader: &Address,
    bytes: &[u8],
) -> Result<(), ReplyNotQueued> {
    let (sender, now) = (returns.sender, returns.now);
    let a_day_ago = now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
    let id = identity(answer, bytes);
    let issue = Issue {
        subject: subject(&answer.subject),
        text: text(answer, bytes.len()),
        html: String::new(),
        // Of our own words; what somebody wrote is attached as it came.
        language: "en".into(),
        name: None,
        places: LinkPlaces::of(&sender.key, &id),
        partners: Vec::new(),
        forwarded: Some(ForwardedMail {
            reply_to: answer.from.clone(),
            message: if bytes.len() > ATTACHED_BYTES_MAX { Vec::new() } else { bytes.to_vec() },
        }),
    };
    let recipients = [reader.as_str().to_owned()];
    returns.store.write(|w| {
        match w.subscribers().put_bounce(&id, "", KIND, now, a_day_ago)? {
            None => return Err(ReplyNotQueued::Before),
            Some(count) if count > ANSWERS_A_DAY => return Err(ReplyNotQueued::TooMany),
            Some(_) => {}
        }
        let new = NewIssue {
            digest: &DigestId::Answer,
            slot: None,
            now,
            issue: &issue,
            stories: &[],
            recipients: &recipients,
        };
        let domain = sender.from.email.domain();
        w.mailing()
            .queue_issue(&new, |number, _| message_id(DigestId::Answer.as_str(), number, now, &id, domain))?;
        Ok(())
    })
}

/// Identifies a reply however it arrived: by its Message-ID, or else by its bytes.
fn identity(answer: &PersonalReply, bytes: &[u8]) -> String {
    let digest = match &answer.message_id {
        Some(message_id) => Sha256::digest(format!("{}\0{message_id}", answer.from)),
        None => Sha256::digest(bytes),
    };
    format!("{KIND} {}", hex(&digest[..16]))
}

/// Built without a template: what the sender wrote is treated as plain text.
fn text(answer: &PersonalReply, bytes: usize) -> String {
    let attached = if bytes > ATTACHED_BYTES_MAX {
        "The mail is too large to be attached"
    } else {
        "The mail itself is attached"
    };
    let head = format!(
        "{} replied to the newsletter. If you reply to this message, your reply goes to them. {attached}.",
        answer.from
    );
    format!("{}\n\n{}\n", wrapped(&head, TEXT_COLUMNS), answer.text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_known_again_however_it_came() {
        let answer = |from: &str, id: Option<&str>| PersonalReply {
            from: from.into(),
            subject: String::new(),
            text: " Hello\n".into(),
            message_id: id.map(str::to_owned),
            sent_to: Vec::new(),
            is_reply: true,
        };
        let by_id = identity(&answer("a@x.org", Some("1@x.org")), b"one");
        assert_eq!(by_id, identity(&answer("a@x.org", Some("1@x.org")), b"one, by another way"));
        assert_ne!(by_id, identity(&answer("b@x.org", Some("1@x.org")), b"one"));
        assert_ne!(identity(&answer("a@x.org", None), b"one"), identity(&answer("a@x.org", None), b"two"));
        let small = text(&answer("a@x.org", None), 100);
        assert!(small.starts_with("a@x.org replied") && small.ends_with("attached.\n\nHello\n"), "{small}");
        assert!(text(&answer("a@x.org", None), ATTACHED_BYTES_MAX + 1).contains("too large"));
    }
}
