//! Builds the message of a delivery (RFC 5322, `multipart/alternative`).

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use lettre::Message;
use lettre::address::Envelope;
use lettre::message::header::{
    ContentTransferEncoding, ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0,
};
use lettre::message::{Attachment, Body, Mailbox, MultiPart, SinglePart};
use sha2::{Digest as _, Sha256};

use super::dkim::Signer;
use crate::model::digest::{Delivery, DigestId, ForwardedMail, Issue, LinkPlaces};
use crate::model::keys::IssueKey;
use crate::model::mail_address::Address;
use crate::model::refusal::OwnIdentity;
use crate::model::token::{BOUNCE, PREFERENCES, SigningKey, UNSUBSCRIBE};
use crate::support::text::truncated;

/// The sender of all mail.
#[derive(Debug, Clone)]
pub struct Sender {
    pub from: Mailbox,
    pub reply_to: Option<Mailbox>,
    /// The channel's title, for List-Id.
    pub channel: String,
    /// The base URL of our web pages, without a trailing slash; without it, mails have no web link to unsubscribe.
    pub public_url: Option<String>,
    /// Where undeliverable mail returns to: each delivery has its own return path under this address (VERP).
    pub bounces: Option<Address>,
    /// Signs unsubscribe links.
    pub key: SigningKey,
    /// DKIM signers applied to each mail.
    pub dkim: Vec<Arc<Signer>>,
}

impl Sender {
    /// The addresses that we write from, as a server may name them.
    pub fn ours(&self) -> OwnIdentity {
        let from: &str = self.from.email.as_ref();
        OwnIdentity::new([from].into_iter().chain(self.bounces.as_ref().map(Address::as_str)))
    }
}

/// Why a message can never be built.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the message cannot be made: {0}")]
pub struct MessageError(String);

/// The body of an issue, encoded once for all its deliveries.
#[derive(Debug, Clone)]
pub struct PreparedMessage {
    content_type: ContentType,
    /// The bytes before each placeholder of a recipient's own link, and the placeholder.
    pieces: Vec<(Vec<u8>, LinkPlace)>,
    end: Vec<u8>,
}

/// A placeholder for a recipient's own link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LinkPlace {
    Unsubscribe,
    Preferences,
}

/// Maximum bytes of a quoted-printable line: RFC 2045 section 6.7 allows 76 with the soft break.
const LINE_BYTES_MAX: usize = 72;

/// Maximum bytes of a line of a head that can be folded (RFC 5322 section 2.1.1).
const HEAD_LINE_BYTES_MAX: usize = 78;

/// Maximum bytes of a line in a mail attached as it is (RFC 5322 section 2.1.1).
const ATTACHED_LINE_BYTES_MAX: usize = 990;

/// Cuts an encoded body at its placeholders, which soft line breaks may run through.
fn cut(content_type: ContentType, body: &[u8], places: &LinkPlaces) -> PreparedMessage {
    let places =
        [(LinkPlace::Unsubscribe, places.unsubscribe()), (LinkPlace::Preferences, places.preferences())];
    let (mut pieces, mut piece_start, mut at) = (Vec::new(), 0, 0);
    // All placeholders begin with the same character.
    while let Some(found) = memchr::memchr(b'@', &body[at..]) {
        let start = at + found;
        match places
            .iter()
            .find_map(|(place, text)| Some((*place, place_end(&body[start..], text.as_bytes())?)))
        {
            Some((place, bytes)) => {
                pieces.push((body[piece_start..start].to_vec(), place));
                at = start + bytes;
                piece_start = at;
            }
            None => at = start + 1,
        }
    }
    PreparedMessage { content_type, pieces, end: body[piece_start..].to_vec() }
}

/// The number of bytes that a placeholder takes up at the start of `body`, if it is there.
fn place_end(body: &[u8], place: &[u8]) -> Option<usize> {
    let (mut end, mut matched) = (0, 0);
    while matched < place.len() {
        if body[end..].starts_with(b"=\r\n") {
            end += 3;
        } else if body.get(end) == Some(&place[matched]) {
            end += 1;
            matched += 1;
        } else {
            return None;
        }
    }
    Some(end)
}

impl PreparedMessage {
    /// The body with a recipient's own links.
    fn with_links(&self, unsubscribe: &[u8], preferences: &[u8]) -> Vec<u8> {
        let pieces: usize = self.pieces.iter().map(|(piece, _)| piece.len()).sum();
        let mut body = Vec::with_capacity(
            pieces + self.end.len() + self.pieces.len() * unsubscribe.len().max(preferences.len()),
        );
        for (piece, place) in &self.pieces {
            body.extend_from_slice(piece);
            body.extend_from_slice(match place {
                LinkPlace::Unsubscribe => unsubscribe,
                LinkPlace::Preferences => preferences,
            });
        }
        body.extend_from_slice(&self.end);
        body
    }
}

/// A link in quoted-printable, set off by soft breaks that leave no trace in the text.
fn encoded_link(link: &str) -> Vec<u8> {
    let mut out = b"=\r\n".to_vec();
    let escaped = link.replace('=', "=3D");
    let mut rest = escaped.as_str();
    while !rest.is_empty() {
        let mut cut = rest.len().min(LINE_BYTES_MAX);
        // Does not cut through an escape.
        if let Some(escape) = rest[..cut].rfind('=').filter(|escape| escape + 3 > cut && rest.len() > cut) {
            cut = escape;
        }
        out.extend_from_slice(&rest.as_bytes()[..cut]);
        out.extend_from_slice(b"=\r\n");
        rest = &rest[cut..];
    }
    out
}

/// Encodes the body of an issue.
///
/// # Errors
/// When its text cannot be encoded.
pub fn prepare(issue: &Issue) -> Result<PreparedMessage, MessageError> {
    // The boundary is derived from the issue, so that a replay gives the same bytes.
    let forwarded = issue.forwarded.as_ref();
    let digest = Sha256::new()
        .chain_update(&issue.text)
        .chain_update(&issue.html)
        .chain_update(forwarded.map_or(&[][..], |mail| &mail.message));
    let boundary = format!("courant-{}", crate::support::text::hex(&digest.finalize()[..15]));
    let text = part(ContentType::TEXT_PLAIN, &issue.text)?;
    let parts = match forwarded {
        Some(mail) => {
            let parts = MultiPart::mixed().boundary(boundary).singlepart(text);
            if mail.message.is_empty() { parts } else { parts.singlepart(attached(mail)?) }
        }
        None => MultiPart::alternative()
            .boundary(boundary)
            .singlepart(text)
            .singlepart(part(ContentType::TEXT_HTML, &issue.html)?),
    };
    let content_type =
        parts.headers().get::<ContentType>().ok_or_else(|| MessageError("it has no content type".into()))?;
    let formatted = parts.formatted();
    let headers_end = memchr::memmem::find(&formatted, b"\r\n\r\n").map_or(0, |end| end + 4);
    Ok(cut(content_type, &formatted[headers_end..], &issue.places))
}

/// Builds the message; every attempt at a delivery gives the same bytes.
///
/// # Errors
/// When the recipient's address is invalid.
pub fn build(
    sender: &Sender,
    delivery: &Delivery,
    prepared: &PreparedMessage,
) -> Result<BuiltMessage, MessageError> {
    let to: Mailbox = delivery
        .recipient
        .parse()
        .map_err(|_| MessageError(format!("\"{}\" is not a valid mail address", delivery.recipient)))?;
    let mut builder = Message::builder()
        .from(sender.from.clone())
        .to(to)
        .date(UNIX_EPOCH + Duration::from_secs(delivery.created.as_second().max(0).unsigned_abs()))
        .message_id(Some(format!("<{}>", delivery.message_id)))
        .subject(as_header_text(&delivery.issue.subject))
        .header(MIME_VERSION_1_0)
        .header(prepared.content_type.clone());
    let writer = delivery.issue.forwarded.as_ref().and_then(|mail| mail.reply_to.parse().ok());
    if let Some(reply_to) = writer.or_else(|| sender.reply_to.clone()) {
        builder = builder.reply_to(reply_to);
    }
    // Quoted-printable parts are ASCII with short lines, so the whole is 7bit (RFC 2045 section 6.4).
    let hash = sender.key.hash(&delivery.recipient);
    let links = links(sender, delivery, &hash);
    let body = prepared.with_links(
        &encoded_link(links.web.as_ref().unwrap_or(&links.by_mail)),
        &encoded_link(&links.preferences),
    );
    let body = Body::dangerous_pre_encoded(body, ContentTransferEncoding::SevenBit);
    let mut message = builder.body(body).map_err(|error| MessageError(error.to_string()))?;
    if !delivery.issue.language.is_empty() {
        let name = HeaderName::new_from_ascii_str("Content-Language");
        message.headers_mut().insert_raw(HeaderValue::new(name, delivery.issue.language.clone()));
    }
    for (name, value) in list_headers(sender, delivery, &links) {
        message.headers_mut().insert_raw(HeaderValue::new(HeaderName::new_from_ascii_str(name), value));
    }
    let text =
        String::from_utf8(message.formatted()).map_err(|_| MessageError("it is not valid text".into()))?;
    // Signs exactly what is sent: folded headers, in their order.
    let (head, body) = text.split_at(text.find("\r\n\r\n").map_or(text.len(), |end| end + 2));
    let (head, body) = (folded(head), body.strip_prefix("\r\n").unwrap_or(body));
    let signatures = sender.dkim.iter().map(|signer| signer.sign(&head, body.as_bytes()));
    let signatures: String =
        signatures.collect::<Result<_, _>>().map_err(|error| MessageError(error.to_string()))?;
    let text = format!("{signatures}{head}\r\n{body}");
    Ok(BuiltMessage { envelope: envelope(sender, delivery, message.envelope())?, text })
}

/// Folds lines of a head at spaces where they are longer than they should be (RFC 5322 section 2.1.1): a name that is encoded stands on
/// one line with its address.
fn folded(head: &str) -> String {
    let mut out = String::with_capacity(head.len() + 16);
    for line in head.split_inclusive("\r\n") {
        let mut rest = line;
        while rest.trim_end().len() > HEAD_LINE_BYTES_MAX {
            // Neither what is before a fold nor what is after it may be empty, and a name stays with what follows it.
            let start = rest.find(|c: char| c != ' ').unwrap_or(0);
            let start = if start == 0 { rest.find(": ").map_or(0, |colon| colon + 2) } else { start };
            let is_within = |at: &usize| *at > start;
            let text = rest.trim_end();
            let last = truncated(text, HEAD_LINE_BYTES_MAX).rfind(' ').filter(is_within);
            let Some(at) = last.or_else(|| text[start..].find(' ').map(|at| start + at)) else { break };
            out.push_str(&rest[..at]);
            out.push_str("\r\n");
            rest = &rest[at..];
        }
        out.push_str(rest);
    }
    out
}

/// A message ready to send.
#[derive(Debug, Clone)]
pub struct BuiltMessage {
    pub envelope: Envelope,
    /// ASCII, except for addresses that are not.
    pub text: String,
}

/// A text that means itself in a header: what looks like an encoded word (RFC 2047) in it would be decoded by whoever reads it. A word
/// joiner, which is not seen, keeps it apart.
fn as_header_text(text: &str) -> String {
    text.replace("=?", "=\u{2060}?")
}

/// A recipient's links: to unsubscribe on the web, if we are there, and by mail; and to change preferences.
struct Links {
    web: Option<String>,
    by_mail: String,
    preferences: String,
}

fn links(sender: &Sender, delivery: &Delivery, hash: &str) -> Links {
    let token = sender.key.sign(UNSUBSCRIBE, &format!("{} {hash}", delivery.digest.list()));
    let public = sender.public_url.as_deref();
    Links {
        web: public.map(|public| format!("{public}/unsubscribe/{token}")),
        // Where bounces are read, requests to leave are read too.
        by_mail: format!(
            "mailto:{}?subject=unsubscribe%20{token}",
            sender.bounces.as_ref().map_or(sender.from.email.to_string(), Address::to_string)
        ),
        preferences: format!(
            "{}/preferences/{}",
            public.unwrap_or_default(),
            sender.key.sign(PREFERENCES, hash)
        ),
    }
}

/// The envelope, with a return path for each delivery (VERP), so that a bounce can be attributed without being understood.
fn envelope(sender: &Sender, delivery: &Delivery, plain: &Envelope) -> Result<Envelope, MessageError> {
    let Some(bounces) = &sender.bounces else { return Ok(plain.clone()) };
    let (local, domain) = bounces.as_str().rsplit_once('@').unwrap_or_default();
    let path = format!("{local}+{}@{domain}", sender.key.sign_short(BOUNCE, delivery.id.0));
    let path = path.parse().map_err(|_| MessageError(format!("\"{path}\" is not a valid return path")))?;
    Envelope::new(Some(path), plain.to().to_vec()).map_err(|error| MessageError(error.to_string()))
}

/// The headers of list mail: RFC 2369, 2919, 8058, 3834, and requirements of mailbox providers. Confirmations, forwarded
/// replies, drafts and reports to partners do not get them, as their recipients need not be subscribers.
fn list_headers(sender: &Sender, delivery: &Delivery, links: &Links) -> Vec<(&'static str, String)> {
    let automatic = ("Auto-Submitted", "auto-generated".to_owned());
    let is_apart = [DigestId::Confirmation, DigestId::Answer, DigestId::Draft, DigestId::Partner];
    if is_apart.contains(&delivery.digest) {
        return vec![automatic];
    }
    let address = sender.from.email.to_string();
    let by_mail = format!("<{}>", links.by_mail);
    let mut headers = vec![
        ("List-Id", list_id(sender, delivery.digest.list())),
        ("List-Help", format!("<mailto:{address}?subject=help>")),
    ];
    match (&sender.public_url, &links.web) {
        (Some(public), Some(link)) => {
            headers.push(("List-Unsubscribe", format!("<{link}>, {by_mail}")));
            // One-click unsubscription requires https (RFC 8058 section 3.1).
            if public.starts_with("https://") {
                headers.push(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".into()));
            }
            headers.push(("List-Archive", format!("<{public}/issues/>")));
        }
        _ => headers.push(("List-Unsubscribe", by_mail)),
    }
    headers.push(("Precedence", "bulk".into()));
    headers.push(automatic);
    headers.push((
        "Feedback-ID",
        format!("{}:digest:courant:{}", label(delivery.digest.list()), sender.from.email.domain()),
    ));
    headers
}

/// Quoted-printable keeps lines under the 998 bytes of RFC 5322 section 2.1.1, and the raw mail readable.
fn part(content_type: ContentType, text: &str) -> Result<SinglePart, MessageError> {
    let body = Body::new_with_encoding(text.to_owned(), ContentTransferEncoding::QuotedPrintable)
        .map_err(|_| MessageError("its text cannot be encoded".into()))?;
    Ok(SinglePart::builder().header(content_type).body(body))
}

/// Attaches a mail. One that is not plain ASCII with short lines would need 8bit (RFC 2046 section 5.2.1), which not every
/// server accepts: it is attached as a file.
fn attached(mail: &ForwardedMail) -> Result<SinglePart, MessageError> {
    let wrong = || MessageError("the mail that it passes on cannot be attached".into());
    let lines = || mail.message.split(|byte| *byte == b'\n');
    let is_plain = mail.message.iter().all(|byte| byte.is_ascii() && *byte != 0)
        && lines().all(|line| line.len() <= ATTACHED_LINE_BYTES_MAX);
    if !is_plain {
        let kind = ContentType::parse("application/octet-stream").map_err(|_| wrong())?;
        return Ok(Attachment::new("message.eml".into()).body(mail.message.clone(), kind));
    }
    let mut message = Vec::with_capacity(mail.message.len() + 2);
    for line in lines() {
        message.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        message.extend_from_slice(b"\r\n");
    }
    let kind = ContentType::parse("message/rfc822").map_err(|_| wrong())?;
    let body = Body::dangerous_pre_encoded(message, ContentTransferEncoding::SevenBit);
    Ok(Attachment::new("message.eml".into()).body(body, kind))
}

/// The List-Id of a digest (RFC 2919).
fn list_id(sender: &Sender, digest: &DigestId) -> String {
    format!("{} <{}.{}>", quoted(&sender.channel), label(digest), sender.from.email.domain())
}

/// The id of a digest as a domain-name label.
fn label(digest: &DigestId) -> String {
    digest
        .as_str()
        .trim_start_matches('_')
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect()
}

/// A quoted phrase for a header, reduced to plain ASCII.
fn quoted(text: &str) -> String {
    let safe: String = crate::support::text::without_accents(text)
        .chars()
        .filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '<' | '>') || *c == ' ')
        .collect();
    // Where a dash was, there would be two spaces.
    format!("\"{}\"", crate::support::text::one_line(&safe))
}

/// The Message-ID of a delivery (RFC 5322 section 3.6.4), derived from its contents and so the same in every replay.
pub fn message_id(
    digest: &str,
    issue: IssueKey,
    created: jiff::Timestamp,
    recipient: &str,
    domain: &str,
) -> String {
    let digest = Sha256::digest(format!("{digest}\0{issue}\0{created}\0{recipient}"));
    let hex = crate::support::text::hex(&digest[..16]);
    format!("{hex}@{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::keys::DeliveryKey;

    fn delivery(subject: &str) -> Delivery {
        Delivery {
            id: DeliveryKey(1),
            digest: "weekly".into(),
            recipient: "ana@example.org".into(),
            message_id: "abc@example.org".into(),
            attempts: 0,
            uncertain: 0,
            issue: std::sync::Arc::new(Issue {
                subject: subject.into(),
                text: format!("é {}", "x".repeat(3000)),
                html: "<p>é</p>".into(),
                language: "fr".into(),
                name: None,
                places: LinkPlaces::with_mark("m".into()),
                forwarded: None,
                partners: Vec::new(),
            }),
            created: "2022-10-17T06:00:00Z".parse().unwrap(),
            doubted: None,
        }
    }

    fn sender() -> Sender {
        Sender {
            from: "Réseau <news@example.org>".parse().unwrap(),
            reply_to: None,
            channel: "Réseau \"ouvert\"".into(),
            public_url: Some("https://news.example.org".into()),
            bounces: None,
            key: SigningKey::new("k".into()),
            dkim: Vec::new(),
        }
    }

    fn formatted(subject: &str) -> String {
        let delivery = delivery(subject);
        build(&sender(), &delivery, &prepare(&delivery.issue).unwrap()).unwrap().text
    }

    #[test]
    fn a_long_name_is_folded_and_a_dash_leaves_one_space() {
        let mut sender = sender();
        sender.from =
            "Nachrichten für Bürgerinnen und Bürger — täglich neu <news@buecher-und-mehr.example.org>"
                .parse()
                .unwrap();
        sender.channel = "Bücher — Nachrichten".into();
        let delivery = delivery("Das Neueste");
        let text = build(&sender, &delivery, &prepare(&delivery.issue).unwrap()).unwrap().text;
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("List-Id: \"Bucher Nachrichten\" <"), "{head}");
        let long: Vec<&str> =
            head.lines().filter(|line| line.len() > 78 && line.trim().contains(' ')).collect();
        assert!(long.iter().all(|line| !line.trim_start().starts_with("From")), "{head}");
        let read = mail_parser::MessageParser::default().parse(text.as_bytes()).unwrap();
        let from = read.from().and_then(|from| from.first()).unwrap();
        assert_eq!(from.name(), sender.from.name.as_deref());
        assert_eq!(from.address(), Some(sender.from.email.to_string()).as_deref());
    }

    #[test]
    fn what_looks_like_an_encoded_word_in_a_title_stays_as_it_is() {
        let text = formatted("=?utf-8?Q?hi=0D=0ABcc:_x@y.example?= justice");
        let read = mail_parser::MessageParser::default().parse(text.as_bytes()).unwrap();
        assert_eq!(
            read.subject().unwrap().replace('\u{2060}', ""),
            "=?utf-8?Q?hi=0D=0ABcc:_x@y.example?= justice"
        );
    }

    #[test]
    fn heads_are_folded_at_spaces_only() {
        let address = "x".repeat(60);
        let head = format!(
            "From: {} <{address}@example.org>\r\nX: {}\r\n",
            "name ".repeat(9).trim(),
            "y".repeat(90)
        );
        let folded = folded(&head);
        assert_eq!(folded.replace("\r\n ", " "), head);
        assert!(folded.starts_with("From: name name"), "{folded}");
        assert!(
            folded.lines().filter(|line| !line.starts_with("X: ")).all(|line| (2..=78).contains(&line.len())),
            "{folded}"
        );
    }

    #[test]
    fn each_recipient_has_a_link_of_their_own_wherever_the_place_stands() {
        for before in 0..90 {
            let places = LinkPlaces::of(&SigningKey::new("k".into()), "issue");
            let (leave, change) = (places.unsubscribe(), places.preferences());
            // Placeholders written by a source are plain text.
            let text = format!("{}{leave} end é\n{leave} @@UNSUBSCRIBE@@", "x".repeat(before));
            let issue = Issue {
                subject: "s".into(),
                text: text.clone(),
                html: format!("<a href=\"{leave}\">é</a> a@@b {change} @@PREFERENCES0@@"),
                language: String::new(),
                name: None,
                places,
                forwarded: None,
                partners: Vec::new(),
            };
            let prepared = prepare(&issue).unwrap();
            let body = prepared
                .with_links(&encoded_link("https://x.example/a?b=c"), &encoded_link("https://y.example/"));
            let joined = String::from_utf8(body.clone()).unwrap().replace("=\r\n", "");
            assert_eq!(joined.matches("https://x.example/a?b=3Dc").count(), 3, "{before}: {joined}");
            assert_eq!(joined.matches("a@@b https://y.example/").count(), 1, "{before}: {joined}");
            assert_eq!(
                (joined.matches("@@UNSUBSCRIBE").count(), joined.matches("@@PREFERENCES").count()),
                (1, 1)
            );
            assert!(
                String::from_utf8(body)
                    .unwrap()
                    .lines()
                    .all(|line| line.len() <= 76 || line.starts_with("Content-")),
                "{before}"
            );
        }
    }

    #[test]
    fn a_message_is_the_same_at_every_attempt_and_has_no_long_line() {
        let mail = formatted("Été");
        assert_eq!(mail, formatted("Été"));
        assert!(mail.lines().all(|line| line.len() <= 998));
        for want in [
            "Message-ID: <abc@example.org>",
            "Date: Mon, 17 Oct 2022 06:00:00 +0000",
            "multipart/alternative",
            "List-Id: \"Reseau ouvert\" <weekly.example.org>",
            "Content-Language: fr",
        ] {
            assert!(mail.contains(want), "{want} is not in\n{mail}");
        }
    }

    #[test]
    fn an_answer_is_attached_whatever_it_is_written_in() {
        for (message, wants) in [
            (
                &b"From: a@x.org\nSubject: Re: S\n\nHello @@UNSUBSCRIBEm@@x\n"[..],
                &["Content-Type: message/rfc822", "\r\nSubject: Re: S\r\n"][..],
            ),
            (
                "From: a@x.org\r\n\r\né\r\n".as_bytes(),
                &["application/octet-stream", "Content-Transfer-Encoding: base64"],
            ),
            (b"", &["multipart/mixed", "xxxx"]),
        ] {
            let mut delivery = delivery("Re: S");
            delivery.digest = DigestId::Answer;
            let issue = std::sync::Arc::make_mut(&mut delivery.issue);
            issue.forwarded = Some(ForwardedMail { reply_to: "ana@x.org".into(), message: message.to_vec() });
            let mail = build(&sender(), &delivery, &prepare(&delivery.issue).unwrap()).unwrap().text;
            assert!(mail.is_ascii() && mail.contains("Reply-To: ana@x.org\r\n"), "{mail}");
            assert!(mail.contains("Auto-Submitted: auto-generated") && !mail.contains("List-"), "{mail}");
            for want in wants {
                assert!(mail.contains(want), "{want} is not in\n{mail}");
            }
        }
    }

    #[test]
    fn a_title_cannot_smuggle_a_header() {
        let mail = formatted("Hello\r\nBcc: evil@example.org");
        let head = mail.split("\r\n\r\n").next().unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc:")), "{head}");
    }
}
