//! `courant bounces`: reads returned mail from a mailbox, or receives it from a mail server.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use url::Url;

use crate::app::{self, App, Usage};
use crate::bounces::{imap, lmtp, mailbox};
use crate::config;
use crate::extract;
use crate::model::mail_address::Address;
use crate::model::source::Source;
use crate::pipeline::mail::bounces::take;
use crate::pipeline::mail::inbound::{InboundContext, MessageDisposition, ProcessedMessage};
use crate::pipeline::refresh::mailbox::source_of;
use crate::pipeline::refresh::{ReadError, Refresher};
use crate::support::terminal::{errln, outln};
use crate::support::text::{many, percent_decoded};

/// Reads returned mail from a file or folder, `-` or `imap[s]://`, or receives it from a mail server (`lmtp`).
///
/// # Errors
/// When the place cannot be read, or the store fails.
pub(super) async fn bounces(app: &App, place: &str, listen: &str, config_path: &Path) -> anyhow::Result<()> {
    let mut count = 0usize;
    let mut told = |taken: ProcessedMessage| {
        count += 1;
        taken.lines.iter().for_each(|line| outln!("{line}"));
        taken.verdict == MessageDisposition::Done
    };
    let reader = reader(app, None);
    let mut visit = |bytes: &[u8]| -> anyhow::Result<()> {
        told(take_one(app, reader.as_ref(), bytes)?);
        Ok(())
    };
    match place {
        "-" => mailbox::each_in(std::io::stdin().lock(), &mut visit)?,
        "lmtp" => return hand_over(app, listen).await,
        text if text.starts_with("imap://") || text.starts_with("imaps://") => {
            let (url, password) = mailbox_url(text, config_path)?;
            let reader = self::reader(app, percent_decoded(url.username()).as_deref());
            let visit = |bytes: &[u8]| Ok(told(take_one(app, reader.as_ref(), bytes)?));
            imap::each_unread(&url, &password, app::mail_tls(&app.config.mail)?, visit).await?;
        }
        path => mailbox::each_under(Path::new(path), &mut visit)?,
    }
    outln!("{} read", many(count, "message", "messages"));
    Ok(())
}

/// The address and password of a mailbox.
fn mailbox_url(text: &str, config_path: &Path) -> anyhow::Result<(Url, String)> {
    let url = Url::parse(text)
        .map_err(|error| Usage(format!("\"{text}\" is not the address of a mailbox: {error}")))?;
    let secret = url
        .query_pairs()
        .find(|(name, _)| name == "password")
        .map_or("env:COURANT_IMAP_PASSWORD".to_owned(), |(_, value)| value.into_owned());
    let absolute = std::path::absolute(config_path)?;
    let password = config::secret_at(&secret, absolute.parent().unwrap_or(Path::new(".")))
        .map_err(|error| Usage(format!("the password of the mailbox: {error}")))?;
    Ok((url, password.expose().to_owned()))
}

/// Who reads replies: `[mail] reply_to`, unless that is the mailbox being read here, which `user` may name.
fn reader(app: &App, user: Option<&str>) -> Option<Address> {
    let wanted = app.config.mail.reply_to.as_ref()?;
    let mailbox: lettre::message::Mailbox = wanted.parse().ok()?;
    let reader = Address::parse(mailbox.email.as_ref()).ok()?;
    let own = [app.config.mail.bounces.as_ref().map(Address::as_str), user];
    let is_own = own.into_iter().flatten().any(|own| own.eq_ignore_ascii_case(reader.as_str()));
    (!is_own).then_some(reader)
}

/// Keeps a mail that is a newsletter for a source with an address of its own; `None` for every other. Where the envelope is not
/// known, the message says whom it was delivered to.
fn newsletter(
    refresher: &Refresher,
    sources: &[Source],
    bytes: &[u8],
    recipients: &[String],
    now: Timestamp,
) -> anyhow::Result<Option<ProcessedMessage>> {
    if sources.iter().all(|source| source.mail_address().is_none()) {
        return Ok(None);
    }
    let named =
        if recipients.is_empty() { extract::read_head(bytes).recipients } else { recipients.to_vec() };
    let Some(source) = source_of(sources, &named) else { return Ok(None) };
    let accepted = refresher.accept_mail(source, bytes, now);
    let accepted = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(accepted));
    Ok(Some(match accepted {
        Ok(line) => ProcessedMessage::new(line, MessageDisposition::Done),
        Err(ReadError::Internal(error)) => return Err(error),
        // It stays where it is: nobody gets to know of what is taken and not kept.
        Err(error) => {
            tracing::error!(source = source.id, "a newsletter is not kept, and has to come again: {error}");
            let line = format!("left for later: a newsletter for the source {}: {error}", source.id);
            ProcessedMessage::new(line, MessageDisposition::Later)
        }
    }))
}

fn take_one(app: &App, reader: Option<&Address>, bytes: &[u8]) -> anyhow::Result<ProcessedMessage> {
    let now = app.clock.now();
    if let Some(taken) = newsletter(&app.refresher, &app.config.sources, bytes, &[], now)? {
        return Ok(taken);
    }
    let returns = InboundContext {
        store: app.store(),
        sender: &app.sender,
        fraud_is_complaint: app.config.mail.fraud_is_complaint,
        context: Some(app.mail_context()),
        answers_to: reader,
        operators: &app.config.mail.operators,
        refusals_max: app.config.mail.refusals_max,
        now: app.clock.now(),
    };
    take(&returns, bytes, &[])
}

async fn hand_over(app: &App, listen: &str) -> anyhow::Result<()> {
    let listener =
        tokio::net::TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    errln!("LMTP on {}", listener.local_addr()?);
    let (store, sender, clock, reader) =
        (app.refresher.store.clone(), app.sender.clone(), app.clock, reader(app, None));
    let fraud_is_complaint = app.config.mail.fraud_is_complaint;
    let refusals_max = app.config.mail.refusals_max;
    let operators = app.config.mail.operators.clone();
    let (refresher, sources) = (app.refresher.clone(), app.config.sources.clone());
    let take = move |bytes: &[u8], recipients: &[String]| {
        let returns = InboundContext {
            store: &store,
            sender: &sender,
            fraud_is_complaint,
            context: None,
            answers_to: reader.as_ref(),
            operators: &operators,
            refusals_max,
            now: clock.now(),
        };
        let taken = newsletter(&refresher, &sources, bytes, recipients, returns.now);
        let taken = taken.and_then(|taken| taken.map_or_else(|| take(&returns, bytes, recipients), Ok));
        match taken {
            Ok(taken) => {
                taken.lines.iter().for_each(|line| outln!("{line}"));
                taken.verdict != MessageDisposition::Later
            }
            Err(error) => {
                tracing::error!("a message could not be dealt with: {error:#}");
                false
            }
        }
    };
    lmtp::serve(listener, Arc::new(take), app.stop.clone().cancelled_owned()).await?;
    Ok(())
}
