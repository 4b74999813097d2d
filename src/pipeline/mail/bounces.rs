//! Returned mail, and its consequences for the recipients it is about.

use jiff::{SignedDuration, Timestamp};

use super::brake::domain_of;
use super::crowd::{ReportedCrowd, reported_of_many};
use super::inbound::{InboundContext, MessageDisposition, ProcessedMessage};
use super::replies;
use super::subscribers::{self, LeaveOutcome};
use crate::bounces::{self, BounceKind, Failure, InboundKind, InboundMail};
use crate::model::digest::DigestId;
use crate::model::keys::DeliveryKey;
use crate::model::mail_address::Address;
use crate::model::refusal::reply_signature;
use crate::model::subscriber::{Subscriber, SubscriberState};
use crate::model::token::{BOUNCE, SigningKey, UNSUBSCRIBE};
use crate::store::{Delivered, NewRefusal, StoreError, Unit, Write};
use crate::support::text::{many, ordinal};

/// This many soft bounces within `SOFT_WITHIN` count as a hard one.
const SOFT_SERIES: u64 = 3;
const SOFT_WITHIN: SignedDuration = SignedDuration::from_hours(60 * 24);

/// Reports of what is not the recipients' come in swarms.
const NOTICE_INTERVAL: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Whom a report is about.
struct ReportedRecipient {
    hash: String,
    shown: String,
    /// The delivery, where the report shows which.
    delivery: Option<DeliveryKey>,
    /// The domain of a reader of a list, where the report shows the delivery.
    domain: Option<String>,
    queued: Option<Timestamp>,
    /// It is about a mail to the operator.
    is_operator: bool,
}

/// Reads a returned message and acts on it.
///
/// # Errors
/// When the store fails: the message has to be read again.
pub fn take(
    returns: &InboundContext,
    bytes: &[u8],
    recipients: &[String],
) -> anyhow::Result<ProcessedMessage> {
    let report = bounces::read(bytes, recipients, &returns.sender.ours());
    let done = |line: String| Ok(ProcessedMessage::new(line, MessageDisposition::Done));
    match &report.what {
        InboundKind::Other(why) => done(format!("ignored: {why}")),
        InboundKind::Answer(answer) if !answer.is_reply && !has_return_path(returns, &report) => {
            done("ignored: nothing that concerns us".into())
        }
        InboundKind::Answer(answer) => replies::pass_on(returns, answer, bytes),
        InboundKind::OptOut => done(opted_out(returns, &report)?),
        InboundKind::Leave(from) => done(leave(returns, &report, from.as_deref())?),
        InboundKind::Complaint(kind) if kind == "fraud" && !returns.fraud_is_complaint => {
            done("ignored: a report of fraud ([mail] fraud_is_complaint makes it a complaint)".into())
        }
        InboundKind::Complaint(_) => done(complained(returns, &report)?),
        InboundKind::Bounce(failures) => {
            let mut lines = returns.store.write(|w| {
                let Some(person) = reported_recipient(w, &returns.sender.key, &report)? else {
                    return Ok(vec![unproven("bounce")]);
                };
                let failures = of_recipient(&returns.sender.key, &person.hash, failures);
                let lines = failures.iter().map(|failure| bounced(w, returns, &report, &person, failure));
                lines.collect::<anyhow::Result<Vec<String>>>()
            })?;
            lines.dedup();
            Ok(ProcessedMessage { lines, verdict: MessageDisposition::Done })
        }
    }
}

/// What a report says of our recipient. Others in it are not ours; where it names only others, the mail was forwarded to them, and
/// that they are gone does not show that our recipient is.
fn of_recipient(key: &SigningKey, hash: &str, failures: &[Failure]) -> Vec<Failure> {
    let is_own = |name: &String| Address::parse(name).is_ok_and(|name| key.hash(name.as_str()) == hash);
    let is_about_own = |failure: &&Failure| failure.names.iter().any(is_own);
    let names_own = failures.iter().any(|failure| is_about_own(&failure));
    let chosen = failures.iter().filter(|failure| match names_own {
        true => is_about_own(failure),
        false => failure.kind != BounceKind::Arrived,
    });
    let softened = |failure: &Failure| {
        let is_elsewhere = !failure.address.is_empty() && !is_own(&failure.address);
        let kind = if is_elsewhere { failure.kind.min(BounceKind::Soft) } else { failure.kind };
        Failure { kind, ..failure.clone() }
    };
    chosen.map(softened).collect()
}

/// The mark of a message that was acted on for a person.
fn mark(report: &InboundMail, hash: &str) -> String {
    format!("read {} {hash}", report.id)
}

/// Why a message says nothing of today: it was read before, or its recipient agreed to get mail since it was written. One about a mail
/// sent since then is newer, whatever its own date says.
fn outdated_reason<A>(
    unit: &Unit<A>,
    report: &InboundMail,
    hash: &str,
    queued: Option<Timestamp>,
) -> Result<Option<&'static str>, StoreError> {
    let list = unit.subscribers();
    if list.has_bounce(&mark(report, hash))? {
        return Ok(Some("read before"));
    }
    let Some(agreed) = list.last_agreed(hash)? else { return Ok(None) };
    // A date in a mail has no fractions of a second.
    let is_older = report.written.is_some_and(|written| written.as_second() < agreed.as_second());
    let is_of_later_mail = queued.is_some_and(|queued| queued >= agreed);
    Ok((is_older && !is_of_later_mail).then_some("written before they agreed to get mail"))
}

fn note_read(unit: &Unit<Write>, report: &InboundMail, hash: &str, now: Timestamp) -> Result<(), StoreError> {
    unit.subscribers().put_bounce(&mark(report, hash), hash, "read", now, now).map(drop)
}

/// Ends a digest by its token, as a message asks for. `None` if the token is not ours.
fn leave_by(
    returns: &InboundContext,
    report: &InboundMail,
    token: &str,
    queued: Option<Timestamp>,
) -> anyhow::Result<Option<String>> {
    let (store, key, now) = (returns.store, &returns.sender.key, returns.now);
    let Some((_, hash)) = subscribers::read_leave_token(key, token) else { return Ok(None) };
    if let Some(why) = store.read(|r| outdated_reason(r, report, &hash, queued))? {
        return Ok(Some(format!("ignored: an unsubscribe request, {why}")));
    }
    if subscribers::unsubscribe(store, key, token, None, now)? != LeaveOutcome::All {
        return Ok(None);
    }
    store.write(|w| note_read(w, report, &hash, now))?;
    let by = if report.what == InboundKind::OptOut { "their mailbox provider" } else { "mail" };
    Ok(Some(format!("unsubscribed by {by}")))
}

/// Ends the digest that a mail to `sent` was of.
fn leave_delivered(
    returns: &InboundContext,
    report: &InboundMail,
    sent: &Delivered,
) -> anyhow::Result<String> {
    let Delivered { recipient, digest, queued, .. } = sent;
    let token = leave_token(&returns.sender.key, recipient, digest);
    let line = leave_by(returns, report, &token, Some(*queued))?.unwrap_or_default();
    Ok(format!("{line}: {}", masked(recipient)))
}

/// Whether it came to, or is about, a return path that only a mail of ours had.
fn has_return_path(returns: &InboundContext, report: &InboundMail) -> bool {
    report.return_tokens.iter().any(|token| returns.sender.key.verify_short(BOUNCE, token).is_some())
}

/// An unsubscribe request that a mailbox provider reports needs the same proof as a complaint.
fn opted_out(returns: &InboundContext, report: &InboundMail) -> anyhow::Result<String> {
    if let Some(line) = leave_by_tokens(returns, report)? {
        return Ok(line);
    }
    match returns.store.read(|r| delivered_to(r, &returns.sender.key, report))? {
        Some(sent) => leave_delivered(returns, report, &sent),
        None => Ok(unproven("unsubscribe request")),
    }
}

/// Leaves by the first of the tokens in a message that is ours.
fn leave_by_tokens(returns: &InboundContext, report: &InboundMail) -> anyhow::Result<Option<String>> {
    if report.leave_tokens.is_empty() {
        return Ok(None);
    }
    let sent = returns.store.read(|r| delivered_to(r, &returns.sender.key, report))?;
    let queued = sent.map(|sent| sent.queued);
    for token in &report.leave_tokens {
        if let Some(line) = leave_by(returns, report, token, queued)? {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

fn leave_token(key: &SigningKey, address: &str, digest: &DigestId) -> String {
    key.sign(UNSUBSCRIBE, &format!("{} {}", digest.list(), key.hash(address)))
}

fn complained(returns: &InboundContext, report: &InboundMail) -> Result<String, StoreError> {
    returns.store.write(|w| {
        let Some(person) = reported_recipient(w, &returns.sender.key, report)? else {
            return Ok(unproven("complaint"));
        };
        let ReportedRecipient { hash, shown, queued, .. } = &person;
        if let Some(why) = outdated_reason(w, report, hash, *queued)? {
            return Ok(format!("ignored: a complaint of {shown}, {why}"));
        }
        subscribers::suppress_within(w, hash, SubscriberState::Complained, returns.now)?;
        note_read(w, report, hash, returns.now)?;
        Ok(format!("complaint: {shown}, never written to again"))
    })
}

/// Anybody can forge a report, so one without proof that its sender had our mail is ignored.
fn unproven(what: &str) -> String {
    format!("{what} ignored: nothing in it proves that it is about mail of ours")
}

/// The recipient that a report is about, found by the return path, the Message-ID or a link of our mail, which nobody else can
/// know. Addresses in the report prove nothing.
fn reported_recipient(
    unit: &Unit<Write>,
    key: &SigningKey,
    report: &InboundMail,
) -> Result<Option<ReportedRecipient>, StoreError> {
    let list = unit.subscribers();
    if let Some(Delivered { key: number, recipient, digest, queued }) = delivered_to(unit, key, report)? {
        let is_operator =
            matches!(digest, DigestId::Operator | DigestId::Answer | DigestId::Draft | DigestId::Partner);
        let (hash, shown) = (key.hash(&recipient), masked(&recipient));
        let (delivery, queued) = (Some(number), Some(queued));
        let domain = digest.is_list().then(|| domain_of(&recipient));
        return Ok(Some(ReportedRecipient { hash, shown, delivery, domain, queued, is_operator }));
    }
    let mut read = report.leave_tokens.iter().filter_map(|token| subscribers::read_leave_token(key, token));
    let Some((_, hash)) = read.next() else { return Ok(None) };
    let shown = list.get(&hash)?.map_or_else(|| "a recipient".into(), |known| known.address.masked());
    Ok(Some(ReportedRecipient {
        hash,
        shown,
        delivery: None,
        domain: None,
        queued: None,
        is_operator: false,
    }))
}

/// The delivery that a report is about.
fn delivered_to<A>(
    unit: &Unit<A>,
    key: &SigningKey,
    report: &InboundMail,
) -> Result<Option<Delivered>, StoreError> {
    let list = unit.subscribers();
    for number in report.return_tokens.iter().filter_map(|token| key.verify_short(BOUNCE, token)) {
        if let Some(found) = list.delivery_recipient(Some(DeliveryKey(number)), None)? {
            return Ok(Some(found));
        }
    }
    for message_id in &report.message_ids {
        if let Some(found) = list.delivery_recipient(None, Some(message_id))? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn masked(address: &str) -> String {
    Address::parse(address).map_or_else(|_| "a recipient".into(), |address| address.masked())
}

fn bounced(
    unit: &Unit<Write>,
    returns: &InboundContext,
    report: &InboundMail,
    person: &ReportedRecipient,
    failure: &Failure,
) -> anyhow::Result<String> {
    let ReportedRecipient { hash, shown, delivery, queued, is_operator, .. } = person;
    let is_operator = *is_operator || returns.is_operator(hash);
    // An alias with many mailboxes behind it, or a server that repeats itself, tells of one mail many times.
    let id = delivery.map_or_else(|| report.id.clone(), delivery_mark);
    let now = returns.now;
    let reason = &failure.reason;
    if let (BounceKind::Hard | BounceKind::Soft, Some(why)) =
        (failure.kind, outdated_reason(unit, report, hash, *queued)?)
    {
        return Ok(format!("ignored: a bounce of {shown}, {why}"));
    }
    Ok(match failure.kind {
        BounceKind::Arrived => {
            format!("ignored: the mail reached {shown}; the other recipients in the report are not ours")
        }
        BounceKind::Hard | BounceKind::Soft if is_operator => {
            format!("ignored: a mail to the operator, {shown}, did not arrive ({reason})")
        }
        BounceKind::NotTheirs => {
            tell_operator(unit, reason, now)?;
            format!(
                "not counted: a mail to {shown} was refused for a reason that is not the recipient's ({reason})"
            )
        }
        BounceKind::Delayed => format!("ignored: a mail to {shown} is delayed ({reason})"),
        BounceKind::Hard => hard_bounced(unit, returns, person, &id, reason)?,
        BounceKind::Soft => soft_bounced(unit, person, &id, reason, now)?,
    })
}

/// What is counted once for a delivery.
fn delivery_mark(DeliveryKey(number): DeliveryKey) -> String {
    format!("of {number} ")
}

/// The mark of a soft bounce.
fn soft_mark(id: &str, hash: &str) -> String {
    format!("soft {id}{hash}")
}

fn hard_bounced(
    unit: &Unit<Write>,
    returns: &InboundContext,
    person: &ReportedRecipient,
    id: &str,
    reason: &str,
) -> anyhow::Result<String> {
    let (ReportedRecipient { hash, shown, .. }, now) = (person, returns.now);
    // A bounce that was read before must not suppress a recipient readmitted since.
    if unit.subscribers().put_bounce(&format!("hard {id}{hash}"), hash, "hard", now, now)?.is_none() {
        return Ok(format!("hard bounce of {shown}: read before"));
    }
    if let (Some(delivery), Some(domain)) = (person.delivery, &person.domain) {
        let words = reply_signature(reason);
        let refused =
            NewRefusal { hash: hash.clone(), domain: domain.clone(), words, is_gone: true, delivery };
        if let Some(found) = reported_of_many(unit, &refused, returns.refusals_max, now)? {
            let ReportedCrowd { crowd, taken_back } = found;
            tell_operator(unit, &format!("{crowd}, as if they did not exist: {reason}"), now)?;
            for (other, delivery) in &taken_back {
                note_soft(unit, other, &soft_mark(&delivery_mark(*delivery), other), now)?;
            }
            let line = soft_bounced(unit, person, id, &format!("{crowd}: {reason}"), now)?;
            return Ok(match taken_back.len() {
                0 => line,
                some => format!("{line}; taken back of {}", many(some, "other", "others")),
            });
        }
    }
    subscribers::suppress_within(unit, hash, SubscriberState::Bounced, now)?;
    Ok(format!("hard bounce: {shown}, never written to again ({reason})"))
}

fn soft_bounced(
    unit: &Unit<Write>,
    person: &ReportedRecipient,
    id: &str,
    reason: &str,
    now: Timestamp,
) -> anyhow::Result<String> {
    let ReportedRecipient { hash, shown, .. } = person;
    Ok(match note_soft(unit, hash, &soft_mark(id, hash), now)? {
        None => format!("soft bounce of {shown}: read before, or another report of the same mail"),
        Some(count) if count >= SOFT_SERIES => {
            format!(
                "soft bounce: {shown}, the {} in {} days: never written to again ({reason})",
                ordinal(count),
                SOFT_WITHIN.as_hours() / 24
            )
        }
        Some(count) => format!("soft bounce: {shown}, {count} of {SOFT_SERIES} ({reason})"),
    })
}

/// Tells the operator that mail is refused in transit because of us or its content; once a week, not for each report.
fn tell_operator(unit: &Unit<Write>, reason: &str, now: Timestamp) -> anyhow::Result<()> {
    let week = now.as_second().div_euclid(NOTICE_INTERVAL.as_secs());
    if unit.subscribers().put_bounce(&format!("told {week}"), "", "told", now, now)?.is_some() {
        let text = format!(
            "says that mail is refused in transit, and not because of its recipients: {reason}. Nobody is charged with it"
        );
        unit.sources().put_notice("returned mail", &text, now)?;
    }
    Ok(())
}

/// Counts a soft bounce, once for each `id`, and suppresses at the end of a series. `None` when it was counted before.
///
/// # Errors
/// When the store fails.
pub fn note_soft(unit: &Unit<Write>, hash: &str, id: &str, now: Timestamp) -> anyhow::Result<Option<u64>> {
    let count = unit.subscribers().put_bounce(id, hash, "soft", now, now.saturating_sub(SOFT_WITHIN)?)?;
    if count.is_some_and(|count| count >= SOFT_SERIES) {
        subscribers::suppress_within(unit, hash, SubscriberState::Bounced, now)?;
    }
    Ok(count)
}

/// Handles a request to leave by mail. Proof of who it is from are the token of our link, the return path, or a reply to our mail
/// from its recipient's address; a sender's address alone can be forged, so it is only sent the link.
fn leave(returns: &InboundContext, report: &InboundMail, from: Option<&str>) -> anyhow::Result<String> {
    if let Some(line) = leave_by_tokens(returns, report)? {
        return Ok(line);
    }
    let from = from.and_then(|from| Address::parse(from).ok());
    let by_path = has_return_path(returns, report);
    let key = &returns.sender.key;
    let mut recipient = None;
    if let Some(sent) = returns.store.read(|r| delivered_to(r, key, report))? {
        let is_own = from.as_ref().is_some_and(|from| key.hash(from.as_str()) == key.hash(&sent.recipient));
        if by_path || is_own {
            return leave_delivered(returns, report, &sent);
        }
        recipient = Address::parse(&sent.recipient).ok();
    }
    // Whoever has our mail may have it forwarded to them: then its recipient decides.
    for address in from.iter().chain(&recipient) {
        if let Some(line) = answer(returns, address)? {
            return Ok(line);
        }
    }
    Ok(match from {
        Some(_) => "ignored: an unsubscribe request from somebody who is on no list".into(),
        None => "ignored: an unsubscribe request without a sender".into(),
    })
}

/// Sends a link to the preferences to a sender without proof; tells the operator where that is impossible. `None` if they are on no
/// list.
fn answer(returns: &InboundContext, from: &Address) -> anyhow::Result<Option<String>> {
    let hash = returns.sender.key.hash(from.as_str());
    let (known, is_recipient) = returns.store.read(|r| {
        let list = r.subscribers();
        Ok::<_, StoreError>((list.get(&hash)?, list.has_recipient(from.as_str())?))
    })?;
    let is_in = |known: &Subscriber| matches!(known.state, SubscriberState::Active | SubscriberState::Paused);
    let wish = format!("an unsubscribe request without a token, from {}", from.masked());
    Ok(match (known.filter(is_in), returns.context) {
        (Some(known), Some(context)) if context.sender.public_url.is_some() => {
            let is_sent = subscribers::ask_leaver(returns.store, context, &known)?;
            Some(format!("{wish}: {}", if is_sent { "answered with their link" } else { "answered before" }))
        }
        (None, _) if !is_recipient => None,
        _ => Some(format!(
            "{wish}: nothing was changed. If it is genuine, run `courant subscribers remove ADDRESS`, or remove the address from recipients"
        )),
    })
}
