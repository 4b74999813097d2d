//! Drafts by mail: each editor is sent what would go, some time before the slot, with links of their own to the desk.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::MailContext;
use super::news::DigestNews;
use super::queue::mail;
use crate::deliver::message::message_id;
use crate::model::desk::Draft;
use crate::model::digest::{Digest, DigestId, Issue};
use crate::model::keys::IssueKey;
use crate::model::mail_address::Address;
use crate::model::token::{DESK, SigningKey};
use crate::pipeline::desk;
use crate::pipeline::desk::view::{DeskView, view};
use crate::store::{NewIssue, Store, StoreError, Unit, Write};
use crate::support::i18n::{Phrases, long_date, phrases, said, spoken};

/// The token by which an editor opens the desk of a draft.
pub fn desk_token(key: &SigningKey, draft: &Draft, editor: &Address) -> String {
    key.sign(DESK, &format!("{} {}", draft.key, key.hash(editor.as_str())))
}

/// The same for somebody who signed in.
pub fn desk_token_of_account(key: &SigningKey, draft: &Draft, account: &str) -> String {
    key.sign(DESK, &format!("{} {}", draft.key, account_hash(key, account)))
}

/// By which the tokens of an account are known, which none of an address is like.
pub fn account_hash(key: &SigningKey, account: &str) -> String {
    key.hash(&format!("account {account}"))
}

/// When the issue of a draft goes, in words.
pub fn when(digest: &Digest, draft: &Draft, language: &str) -> String {
    let at = digest.schedule.local(draft.slot);
    let (date, time) = (long_date(at.date(), language), at.strftime("%H:%M").to_string());
    said("desk_sends", language, &[("date", date.into()), ("time", time.into())])
}

#[derive(Serialize)]
struct DraftData<'a> {
    title: &'a str,
    language: &'a str,
    /// The title of the first story, for the subject.
    lead: &'a str,
    when: String,
    desk: &'a DeskView,
    /// The editor's own link to the desk; parameters follow.
    link: String,
    t: &'static Phrases,
}

/// Whether it is time to send a draft: the slot comes soon, or has come while the issue waits for an editor.
fn is_time(digest: &Digest, filled: Option<Timestamp>, now: Timestamp) -> bool {
    let Some(seconds) = digest.review_seconds else { return false };
    let before = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    let is_near = |slot: Timestamp| slot.duration_since(now) <= before;
    let is_due = || {
        let slot = digest.schedule.last_slot(now);
        slot.zip(filled).is_some_and(|(slot, filled)| filled < slot)
    };
    digest.schedule.next_slot(now).is_some_and(is_near) || (digest.waits_for_editors() && is_due())
}

/// Queues the draft of a digest for its editors, once, if it is time and there is a story; returns how many mails were queued.
///
/// # Errors
/// When the store or a template fails; nothing is queued then.
pub fn queue(store: &Store, context: MailContext, digest: &Digest) -> anyhow::Result<usize> {
    let (Some(public), now) = (&context.sender.public_url, context.now) else { return Ok(0) };
    if digest.editors.is_empty() || digest.recipients.is_empty() || digest.review_seconds.is_none() {
        return Ok(0);
    }
    let (filled, known) = store.read(|r| {
        Ok::<_, StoreError>((r.mailing().last_slot(&digest.id, now)?, r.desk().open_draft(&digest.id)?))
    })?;
    if known.is_some_and(|draft| draft.mailed.is_some()) || !is_time(digest, filled, now) {
        return Ok(0);
    }
    let news = store.read(|r| DigestNews::of(r, digest))?;
    if news.stories(&digest.language, "").0.is_empty() {
        return Ok(0);
    }
    let draft = desk::open(store, digest, now)?;
    let language = spoken(&digest.language, &context.catalog.channel.language);
    let desk = view(store, context.catalog, digest, language, now)?;
    let first = desk.groups.first().and_then(|group| group.stories.first());
    let lead = first.map_or("", |story| story.title.as_str());
    let mut mails = Vec::with_capacity(digest.editors.len());
    for editor in &digest.editors {
        let token = desk_token(&context.sender.key, &draft, editor);
        let data = DraftData {
            title: &digest.title,
            language,
            lead,
            when: when(digest, &draft, language),
            desk: &desk,
            link: format!("{public}/desk/{token}?l={language}"),
            t: phrases(language),
        };
        mails.push((editor.as_str().to_owned(), mail(context, "draft", language, &data)?));
    }
    Ok(store.write(|w| put(w, context, &draft, &mails))?)
}

/// Queues the mails, unless another process has, or the issue has gone.
fn put(
    unit: &Unit<Write>,
    context: MailContext,
    draft: &Draft,
    mails: &[(String, Issue)],
) -> Result<usize, StoreError> {
    let is_open = |draft: &Draft| draft.mailed.is_none() && draft.closed.is_none();
    if !unit.desk().draft(draft.key)?.as_ref().is_some_and(is_open) {
        return Ok(0);
    }
    let (sender, now) = (context.sender, context.now);
    unit.desk().set_mailed(draft.key, now)?;
    for (editor, issue) in mails {
        let recipients = [editor.clone()];
        let new = NewIssue {
            digest: &DigestId::Draft,
            slot: None,
            now,
            issue,
            stories: &[],
            recipients: &recipients,
        };
        unit.mailing().queue_issue(&new, |number: IssueKey, recipient: &str| {
            let hash = sender.key.hash(recipient);
            message_id(DigestId::Draft.as_str(), number, now, &hash, sender.from.email.domain())
        })?;
    }
    Ok(mails.len())
}
