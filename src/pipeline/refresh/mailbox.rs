//! Newsletters by mail: read from a mailbox, or handed over by a mail server.

use std::collections::HashSet;
use std::sync::Arc;

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
/// Messages read in one refresh.
const MESSAGES_MAX: usize = 50;

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
            head.is_from(&source.mail.from) && head.message_id.is_none_or(|id| !known.contains(&id))
        };
        let password = &source.mail.password.0;
        let messages = imap::newest(&source.url, password, tls, &since, MESSAGES_MAX, wanted)
            .await
            .map_err(|error| ReadError::Mailbox(format!("{error:#}")))?;
        let read = move || {
            let (mut entries, mut requests) = (Vec::new(), Vec::new());
            for message in &messages {
                match extract::confirmation_request(message) {
                    Some(request) => requests.push(request.to_string()),
                    None => entries.extend(extract::read_mail(message)),
                }
            }
            (entries, requests)
        };
        let (entries, requests) = apart(self.client.deadline(), read).await?;
        let mut document = of_mail(entries, &source.url, false);
        document.feed.problems.extend(requests);
        Ok(document)
    }

    /// The Message-IDs of what is stored of a source, as far as it may still be in its mailbox.
    fn known_mail(&self, source: &Source) -> anyhow::Result<HashSet<String>> {
        Ok(self.store.read(|r| r.intake().latest_guids(&source.id))?)
    }

    /// Keeps a newsletter that a mail server handed over, if it is of one of the source's senders; answers in words what became of it.
    ///
    /// # Errors
    /// When the store fails: the mail server has to come again.
    pub async fn accept_mail(&self, source: &Source, bytes: &[u8], now: Timestamp) -> anyhow::Result<String> {
        if !extract::read_head(bytes).is_from(&source.mail.from) {
            return Ok(format!("ignored: a mail for the source {} from somebody else", source.id));
        }
        if let Some(request) = extract::confirmation_request(bytes) {
            tracing::warn!(source = source.id, "{request}");
            return Ok(format!("ignored: {request}"));
        }
        let Some(entry) = extract::read_mail(bytes) else {
            return Ok(format!("ignored: a mail for the source {} in which nothing can be read", source.id));
        };
        let source = Arc::new(source.clone());
        let (found, listed) = self.recognised(&source, of_mail(vec![entry], &source.url, true))?;
        let document = match self.prepared(&source, found, listed, None, now).await {
            Ok(document) => document,
            Err(ReadError::Internal(error)) => return Err(error),
            Err(error) => return Ok(format!("ignored: {error}")),
        };
        let state = self.store.read(|r| r.sources().state(&source.id))?;
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
