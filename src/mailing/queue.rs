//! What is queued for whom: configured digests for their recipients, and for each subscriber a digest of their own.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::Press;
use crate::deliver::message::message_id;
use crate::digest::{self, Edition};
use crate::model::digest::{Digest, Issue, Notice, OPERATOR, PERSONAL};
use crate::model::mail_address::Address;
use crate::model::story::Story;
use crate::model::subscriber::{Preferences, Tastes};
use crate::store::{GroupIssue, NewDelivery, NewIssue, Store};

/// Stories looked at for one issue: months of a large network.
const STORIES_MAX: usize = 5_000;
/// Groups read at a time.
const GROUPS: usize = 2_000;

/// What a digest's turn brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    NotDue,
    NothingNew,
    NoRecipients,
    Queued { stories: usize, recipients: usize },
}

/// Queues an issue when one is due, or in any case with `force`.
///
/// # Errors
/// When the store or a template fails; nothing is queued then.
pub fn queue(store: &mut Store, press: Press, digest: &Digest, force: bool) -> anyhow::Result<Turn> {
    if digest.recipients.is_empty() {
        return Ok(Turn::NoRecipients);
    }
    let (sender, now) = (press.sender, press.now);
    let slot = digest.schedule.last_slot(now).unwrap_or(now);
    if !force && store.last_slot(&digest.id)?.is_some_and(|last| last >= slot) {
        return Ok(Turn::NotDue);
    }
    let (stories, issue) = preview(store, press, digest)?;
    // A slot that found nothing new is filled all the same: the next story waits for the next slot.
    let number = store.issue_count(&digest.id)? + 1;
    let is_empty = stories.is_empty();
    if is_empty && force {
        return Ok(Turn::NothingNew);
    }
    let mut deliveries = Vec::new();
    for recipient in digest.recipients.iter().filter(|_| !is_empty) {
        if store.suppression(&sender.key.hash(recipient.as_str()), &digest.id)?.is_none() {
            let message_id = message_id(&digest.id, number, now, recipient.as_str(), sender.from.email.domain());
            deliveries.push(NewDelivery { recipient: recipient.as_str().to_owned(), message_id });
        }
    }
    let ids: Vec<String> = stories.iter().map(|story| story.id.clone()).collect();
    let mut work = store.begin()?;
    if !work.queue_issue(&NewIssue { digest: &digest.id, slot, now, issue: &issue, stories: &ids, deliveries: &deliveries })? {
        // Another process took the slot between our look and our hand: its issue stands.
        return Ok(Turn::NotDue);
    }
    work.commit()?;
    Ok(if is_empty { Turn::NothingNew } else { Turn::Queued { stories: ids.len(), recipients: deliveries.len() } })
}

/// The issue of a configured digest that would go out now.
///
/// # Errors
/// When the store or a template fails.
pub fn preview(store: &Store, press: Press, digest: &Digest) -> anyhow::Result<(Vec<Story>, Issue)> {
    let stories = store.unsent_stories(&digest.id)?;
    let tastes = digest::tastes(digest);
    // What was sent is known by the story here, not by its place in the order.
    let picked = digest::pick(&tastes, i64::MIN..i64::MAX, &stories);
    let id: String = digest.id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = if picked.is_empty() { String::new() } else { format!("{id}-{}", press.now.strftime("%Y%m%d-%H%M%S")) };
    let edition = Edition {
        title: &digest.title,
        language: &digest.language,
        tastes: &tastes,
        entries_max: digest.entries_max,
        is_personal: false,
        name: &name,
        is_public: press.sender.public_url.is_some(),
        controller: press.newsletter.controller.as_deref(),
    };
    let issue = digest::render(press.frame, edition, &picked, press.now, press.templates)?;
    Ok((picked.into_iter().cloned().collect(), issue))
}

/// What the subscribers' turn brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PersonalTurn {
    /// Subscribers who were due.
    pub due: usize,
    /// Subscribers for whom there was something new.
    pub served: usize,
    /// Different issues: people of equal tastes share one.
    pub issues: usize,
}

/// Queues what is due for subscribers, each group of equal tastes in one transaction.
///
/// # Errors
/// When the store or a template fails; the groups before it stay queued.
pub fn queue_personal(store: &mut Store, press: Press) -> anyhow::Result<PersonalTurn> {
    let mut turn = PersonalTurn::default();
    // Looked up before the stories: an entry that comes in between is for the next issue.
    let last = store.last_entry()?;
    let (mut stories, mut since) = (Vec::new(), i64::MAX);
    loop {
        let groups = store.due_groups(press.now, GROUPS)?;
        if groups.is_empty() {
            return Ok(turn);
        }
        for group in &groups {
            if group.seen < since {
                stories = store.stories_since(group.seen, STORIES_MAX)?;
                since = group.seen;
            }
            let preferences = (&group.language, &group.tastes);
            let issue = personal_issue(press, preferences, group.seen..last, &stories)?;
            let domain = press.sender.from.email.domain();
            let id = |issue: i64, address: &str| message_id(PERSONAL, issue.unsigned_abs(), press.now, address, domain);
            let mut work = store.begin()?;
            let new = GroupIssue { digest: PERSONAL, issue: issue.as_ref(), seen: last.max(group.seen), now: press.now };
            let members = work.fill_group(group, &new, id)?;
            if members == 0 {
                // Another process served them all: an issue for nobody is dropped.
                continue;
            }
            work.commit()?;
            turn.due += members;
            if issue.is_some() {
                turn.served += members;
                turn.issues += 1;
            }
        }
    }
}

/// The issue that somebody would get now who has seen the entries up to `seen`; `None` when there is nothing new.
///
/// # Errors
/// When the store or a template fails.
pub fn preview_personal(store: &Store, press: Press, preferences: &Preferences, seen: i64) -> anyhow::Result<Option<Issue>> {
    let stories = store.stories_since(seen, STORIES_MAX)?;
    personal_issue(press, (&preferences.language, &preferences.tastes), seen..i64::MAX, &stories)
}

fn personal_issue(press: Press, (language, tastes): (&String, &Tastes), seen: Range<i64>, stories: &[Story]) -> anyhow::Result<Option<Issue>> {
    let picked = digest::pick(tastes, seen.clone(), stories);
    if picked.is_empty() {
        return Ok(None);
    }
    let newsletter = press.newsletter;
    let hash = Sha256::digest(format!("{language}\0{}\0{}\0{}", serde_json::to_string(tastes)?, seen.start, press.now));
    let name = crate::text::hex(&hash[..10]);
    let edition = Edition {
        title: newsletter.title(language, press.frame.channel),
        language,
        tastes,
        entries_max: newsletter.entries_max,
        is_personal: true,
        name: &name,
        is_public: press.sender.public_url.is_some(),
        controller: newsletter.controller.as_deref(),
    };
    Ok(Some(digest::render(press.frame, edition, &picked, press.now, press.templates)?))
}

#[derive(serde::Serialize)]
struct NoticeData<'a> {
    title: &'a str,
    date: String,
    notices: &'a [Notice],
}

/// Queues what the operator has to know of the sources, if there is anything. Answers how many notices went into it.
///
/// # Errors
/// When the store or a template fails; nothing is queued then.
pub fn queue_notices(store: &mut Store, press: Press, operators: &[Address]) -> anyhow::Result<usize> {
    let notices = if operators.is_empty() { Vec::new() } else { store.notices()? };
    if notices.is_empty() {
        return Ok(0);
    }
    let now = press.now;
    let data = NoticeData { title: &press.frame.channel.title, date: now.strftime("%Y-%m-%d").to_string(), notices: &notices };
    let issue = mail(press, "operator", &data)?;
    let number = store.issue_count(OPERATOR)? + 1;
    let domain = press.sender.from.email.domain();
    let delivery =
        |operator: &Address| NewDelivery { recipient: operator.as_str().to_owned(), message_id: message_id(OPERATOR, number, now, operator.as_str(), domain) };
    let deliveries: Vec<NewDelivery> = operators.iter().map(delivery).collect();
    let mut work = store.begin()?;
    work.forget_notices(notices.len())?;
    work.queue_issue(&NewIssue { digest: OPERATOR, slot: now, now, issue: &issue, stories: &[], deliveries: &deliveries })?;
    work.commit()?;
    Ok(notices.len())
}

/// A mail that is no digest, from the templates of a folder.
pub(super) fn mail(press: Press, folder: &str, data: &impl serde::Serialize) -> anyhow::Result<Issue> {
    Ok(Issue {
        subject: crate::text::one_line(&press.templates.render(&format!("{folder}/subject.txt"), data)?),
        text: press.templates.render(&format!("{folder}/body.txt"), data)?,
        html: press.templates.render(&format!("{folder}/body.html"), data)?,
        name: String::new(),
    })
}
