//! Newsletters by mail: read from a mailbox, or handed over by a mail server.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::document::{PreparedRefresh, RawDocument, ReadOutcome};
use super::extraction::apart;
use super::read_error::ReadError;
use super::refresher::{Refresher, SourceOutcome};
use crate::bounces::imap;
use crate::extract;
use crate::fetch::client::Meta;
use crate::model::feed::{FeedFormat, RawEntry, RawFeed};
use crate::model::source::{FetchState, LearnedPage, Source};

/// Mail that came earlier is not looked at.
const MAIL_AGE_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Messages read in one refresh, and of these such as take too long to read.
const MESSAGES_MAX: usize = 50;
const SLOW_MAX: usize = 2;

/// What a mail is.
enum MailReading {
    Newsletter(Box<RawEntry>),
    /// A request to confirm a subscription, in words.
    Request(String),
    Nothing,
}

/// Reads a mail outside of the network threads, and no longer than the deadline.
async fn read_apart(deadline: Duration, message: Vec<u8>) -> Result<MailReading, ReadError> {
    let read = move || match extract::confirmation_request(&message) {
        Some(request) => MailReading::Request(request.to_string()),
        None => extract::read_mail(&message)
            .map_or(MailReading::Nothing, |entry| MailReading::Newsletter(Box::new(entry))),
    };
    apart(deadline, read).await
}

impl Refresher {
    /// Reads what is new in a mailbox. It stays there as it is: several sources, and people, may read one mailbox.
    pub(super) async fn read_mailbox(
        &self,
        source: &Source,
        now: Timestamp,
    ) -> Result<RawDocument, ReadError> {
        let known = self.known_mail(source)?;
        let tls = self.mail_tls.clone().ok_or_else(|| ReadError::Mailbox("TLS is not set up".into()))?;
        let since = now.checked_sub(MAIL_AGE_MAX).unwrap_or(now).strftime("%d-%b-%Y").to_string();
        let wanted = |head: &[u8]| {
            let head = extract::read_head(head);
            head.is_from(&source.mail.from)
                && !head.is_automatic_reply
                && head.message_id.is_none_or(|id| !known.contains(&id))
        };
        let password = &source.mail.password.0;
        let messages = imap::newest(&source.url, password, tls, &since, MESSAGES_MAX, wanted)
            .await
            .map_err(|error| ReadError::Mailbox(format!("{error:#}")))?;
        let (mut entries, mut problems) = (Vec::new(), Vec::new());
        let mut slow = 0;
        for message in messages {
            match read_apart(self.client.deadline(), message).await {
                Ok(MailReading::Newsletter(entry)) => entries.push(*entry),
                Ok(MailReading::Request(request)) => problems.push(request),
                Ok(MailReading::Nothing) => {}
                // The others are read; this one stays in the mailbox, and is tried again.
                Err(error @ ReadError::TooSlow { .. }) => {
                    slow += 1;
                    if slow > SLOW_MAX {
                        return Err(error);
                    }
                    problems.push(format!("a mail stays unread: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        let mut document = of_mail(entries, &source.url, false);
        document.feed.problems.extend(problems);
        Ok(document)
    }

    /// The Message-IDs of what is stored of a source, as far as it may still be in its mailbox.
    fn known_mail(&self, source: &Source) -> anyhow::Result<HashSet<String>> {
        Ok(self.store.read(|r| r.intake().latest_guids(&source.id))?)
    }

    /// Keeps a newsletter that a mail server handed over, if it is of one of the source's senders; answers in words what became of it.
    ///
    /// # Errors
    /// When the store fails, or reading it takes too long: the mail server has to come again.
    pub async fn accept_mail(
        &self,
        source: &Source,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<String, ReadError> {
        let head = extract::read_head(bytes);
        if !head.is_from(&source.mail.from) {
            return Ok(format!("ignored: a mail for the source {} from somebody else", source.id));
        }
        if head.is_automatic_reply {
            return Ok(format!("ignored: an automatic reply to the source {}", source.id));
        }
        let entry = match read_apart(self.client.deadline(), bytes.to_vec()).await? {
            MailReading::Newsletter(entry) => *entry,
            MailReading::Request(request) => {
                tracing::warn!(source = source.id, "{request}");
                return Ok(format!("ignored: {request}"));
            }
            MailReading::Nothing => {
                let what = "in which nothing can be read";
                return Ok(format!("ignored: a mail for the source {} {what}", source.id));
            }
        };
        let source = Arc::new(source.clone());
        let (found, listed) = self.recognised(&source, of_mail(vec![entry], &source.url, true), now)?;
        let document = self.prepared(&source, found, listed, None, now).await?;
        let state = self.store.read(|r| r.sources().state(&source.id)).map_err(anyhow::Error::from)?;
        let url = source.url.to_string();
        let state = if state.url == url { state } else { FetchState { url, ..FetchState::default() } };
        let brought = ReadOutcome::Document(Box::new(document));
        let id = source.id.clone();
        let prepared = PreparedRefresh { source, state, lease: None, now, brought };
        let reports = self.keep(&[prepared], &[])?;
        Ok(match reports.first().map(|report| &report.outcome) {
            Some(SourceOutcome::Read { new: 1, .. }) => format!("a newsletter for the source {id}"),
            Some(SourceOutcome::Failed(reason)) => {
                format!("a newsletter for the source {id} was not kept: {reason}")
            }
            _ => format!("a newsletter for the source {id}: known"),
        })
    }
}

/// The source that mail to one of some addresses is for.
pub fn source_of<'a>(sources: &'a [Source], recipients: &[String]) -> Option<&'a Source> {
    let is_for = |source: &&Source| {
        source.is_enabled
            && source
                .mail_address()
                .is_some_and(|own| recipients.iter().any(|to| to.eq_ignore_ascii_case(own)))
    };
    sources.iter().find(is_for)
}

fn of_mail(entries: Vec<RawEntry>, base: &Url, is_push: bool) -> RawDocument {
    RawDocument {
        feed: RawFeed { format: FeedFormat::Mail, entries, ..RawFeed::default() },
        meta: Meta::default(),
        feed_url: None,
        base: base.clone(),
        is_push,
        page: LearnedPage { way: Some("mail".to_owned()), ..LearnedPage::default() },
        is_mended: false,
    }
}
