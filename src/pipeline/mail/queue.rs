//! Queues mail: configured digests for their recipients, and a personal digest for each subscriber.

use std::collections::HashMap;
use std::ops::Range;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::MailContext;
use super::news::{DigestNews, News, PersonalStories};
use crate::deliver::message::message_id;
use crate::digest::{self, Edition, TEXT_COLUMNS};
use crate::model::digest::{Digest, DigestId, Issue, LinkPlaces, Notice, SUBJECT_CHARS_MAX, subject};
use crate::model::keys::{EntryKey, IssueKey, RulingKey};
use crate::model::mail_address::Address;
use crate::model::schedule::Schedule;
use crate::model::source::SourceList;
use crate::model::story::Story;
use crate::model::subscriber::{Interests, Preferences};
use crate::pipeline::desk;
use crate::store::{GroupIssue, InterestGroup, NewIssue, PAGE, Read, Store, StoreError, Unit, Write};
use crate::support::clock::Interrupted;
use crate::support::text::wrapped;

/// Groups read at a time.
const GROUPS: usize = 2_000;
/// Groups served in one unit of work.
const GROUPS_SERVED: usize = 50;

/// The result of a digest's turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestReport {
    NotDue,
    NothingNew,
    NoRecipients,
    /// An editor has to release the issue first.
    Waits,
    Queued {
        stories: usize,
        recipients: usize,
    },
}

/// Queues an issue if one is due, or in any case with `force`.
///
/// # Errors
/// When the store or a template fails; nothing is queued then.
pub fn queue(
    store: &Store,
    context: MailContext,
    digest: &Digest,
    force: bool,
) -> anyhow::Result<DigestReport> {
    if digest.recipients.is_empty() {
        return Ok(DigestReport::NoRecipients);
    }
    let now = context.now;
    let slot = digest.schedule.last_slot(now).unwrap_or(now);
    if !force && waits_for_its_first(store, context, digest, slot)? {
        return Ok(DigestReport::NotDue);
    }
    if !force && store.read(|r| r.mailing().last_slot(&digest.id, now))?.is_some_and(|last| last >= slot) {
        return Ok(DigestReport::NotDue);
    }
    loop {
        let preview = preview(store, context, digest)?;
        // A slot without news is filled as well: the next story waits for the next slot.
        let is_empty = preview.stories.is_empty();
        if is_empty && force {
            return Ok(DigestReport::NothingNew);
        }
        if digest.waits_for_editors() && !is_empty && !preview.is_released {
            return Ok(DigestReport::Waits);
        }
        match store.write(|w| fill(w, context, digest, &preview, (!force).then_some(slot))) {
            Ok(_) if is_empty => return Ok(DigestReport::NothingNew),
            Ok(recipients) => {
                return Ok(DigestReport::Queued { stories: preview.stories.len(), recipients });
            }
            // Another process filled the slot after we looked; its issue stands.
            Err(IssueNotQueued::Taken) => return Ok(DigestReport::NotDue),
            // An editor ruled after we looked.
            Err(IssueNotQueued::Outdated) => {}
            Err(IssueNotQueued::Store(error)) => return Err(error.into()),
        }
    }
}

/// Queues an issue for the recipients of its digest, and closes its draft; returns how many recipients there are.
fn fill(
    unit: &Unit<Write>,
    context: MailContext,
    digest: &Digest,
    preview: &Preview,
    slot: Option<Timestamp>,
) -> Result<usize, IssueNotQueued> {
    let (sender, now) = (context.sender, context.now);
    if unit.desk().revision()? != preview.revision {
        return Err(IssueNotQueued::Outdated);
    }
    let mut recipients = Vec::new();
    for recipient in digest.recipients.iter().filter(|_| !preview.stories.is_empty()) {
        if unit.subscribers().suppression(&sender.key.hash(recipient.as_str()), &digest.id)?.is_none() {
            recipients.push(recipient.as_str().to_owned());
        }
    }
    // What an editor wrote is no story of the store.
    let told = preview.stories.iter().filter(|story| story.anchor().hand().is_none());
    let stories: Vec<String> = told.map(|story| story.id.clone()).collect();
    let new = NewIssue {
        digest: &digest.id,
        slot,
        now,
        issue: &preview.issue,
        stories: &stories,
        recipients: &recipients,
    };
    let message_id = |number: IssueKey, recipient: &str| {
        message_id(digest.id.as_str(), number, now, &sender.key.hash(recipient), sender.from.email.domain())
    };
    let count = unit.mailing().queue_issue(&new, message_id)?.ok_or(IssueNotQueued::Taken)?;
    unit.mailing().put_digest_mark(&digest.id, preview.last)?;
    if let Some(draft) = unit.desk().open_draft(&digest.id)? {
        desk::close(unit, &draft, preview.last, now)?;
    }
    Ok(count)
}

/// A new digest or schedule first seen within this time after a slot was probably set up for that slot.
const FIRST_SLOT_GRACE: SignedDuration = SignedDuration::from_mins(15);

/// Whether a slot was one under another schedule too.
fn has_slot(schedule: &str, slot: Timestamp) -> bool {
    Schedule::parse(schedule).is_ok_and(|schedule| schedule.last_slot(slot) == Some(slot))
}

/// Whether a digest or its schedule is new and the first slot is still ahead: the slot before it counts as filled. Remembers how the
/// schedule is written.
fn waits_for_its_first(
    store: &Store,
    context: MailContext,
    digest: &Digest,
    slot: Timestamp,
) -> anyhow::Result<bool> {
    let (now, schedule) = (context.now, digest.schedule.to_string());
    let (before, is_new) = store.read(|r| {
        let mailing = r.mailing();
        let is_new =
            mailing.last_slot(&digest.id, now)?.is_none() && mailing.digest_mark(&digest.id)?.is_none();
        Ok::<_, StoreError>((mailing.digest_schedule(&digest.id)?, is_new))
    })?;
    let is_changed = before.as_ref().is_some_and(|before| *before != schedule && !has_slot(before, slot));
    let waits = (is_new || is_changed) && now.duration_since(slot) > FIRST_SLOT_GRACE;
    if !waits && before.as_ref() == Some(&schedule) {
        return Ok(false);
    }
    let issue = Issue {
        subject: String::new(),
        text: String::new(),
        html: String::new(),
        language: String::new(),
        name: None,
        places: LinkPlaces::of(&context.sender.key, digest.id.as_str()),
        forwarded: None,
        partners: Vec::new(),
    };
    let new =
        NewIssue { digest: &digest.id, slot: Some(slot), now, issue: &issue, stories: &[], recipients: &[] };
    store.write(|w| {
        w.mailing().put_digest_schedule(&digest.id, &schedule)?;
        if waits { w.mailing().queue_issue(&new, |_, _| String::new()).map(drop) } else { Ok(()) }
    })?;
    Ok(waits)
}

/// Takes note of digests that are no longer configured, or for nobody: when they come back, they wait for their first slot again, as
/// one with another schedule does. Their drafts are closed, so that nothing is held for them.
///
/// # Errors
/// When the store fails.
pub fn note_absent(store: &Store, configured: &[Digest], now: Timestamp) -> Result<(), StoreError> {
    let is_there =
        |id: &DigestId| configured.iter().any(|digest| digest.id == *id && !digest.recipients.is_empty());
    let (mut absent, mut open) =
        store.read(|r| Ok::<_, StoreError>((r.mailing().scheduled_digests()?, r.desk().open_digests()?)))?;
    absent.retain(|id| !is_there(id));
    open.retain(|id| !is_there(id));
    if absent.is_empty() && open.is_empty() {
        return Ok(());
    }
    store.write(|w| {
        absent.iter().try_for_each(|id| w.mailing().put_digest_schedule(id, ""))?;
        let seen = EntryKey::BEFORE_ALL;
        open.iter().try_for_each(|id| match w.desk().open_draft(id)? {
            Some(draft) => w.desk().close(draft.key, now, seen),
            None => Ok(()),
        })
    })
}

/// Why an issue was not queued.
#[derive(Debug, thiserror::Error)]
enum IssueNotQueued {
    #[error("another process was first")]
    Taken,
    #[error("an editor was faster")]
    Outdated,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The issue of a configured digest that would be sent now.
pub struct Preview {
    pub stories: Vec<Story>,
    pub issue: Issue,
    /// Whether an editor said that it may go.
    pub is_released: bool,
    /// The last entry considered.
    last: EntryKey,
    /// The last ruling of an editor considered.
    revision: RulingKey,
}

/// Renders the issue of a configured digest that would be sent now.
///
/// # Errors
/// When the store or a template fails.
pub fn preview(store: &Store, context: MailContext, digest: &Digest) -> anyhow::Result<Preview> {
    let news = store.read(|r| DigestNews::of(r, digest))?;
    let coming = context.coming(store)?;
    let (stories, issue) = compose(context, digest, &news, &coming, &digest.language)?;
    let is_released = news.own.is_released;
    Ok(Preview { stories, issue, is_released, last: news.last, revision: news.revision })
}

/// Renders the issue of a configured digest that would be sent now as it would be in a language.
///
/// # Errors
/// When the store or a template fails.
pub fn preview_in(
    store: &Store,
    context: MailContext,
    digest: &Digest,
    language: &str,
) -> anyhow::Result<Issue> {
    let news = store.read(|r| DigestNews::of(r, digest))?;
    Ok(compose(context, digest, &news, &context.coming(store)?, language)?.1)
}

/// Renders the issue of a configured digest in a language.
///
/// # Errors
/// When a template fails.
fn compose(
    context: MailContext,
    digest: &Digest,
    news: &DigestNews,
    coming: &[Story],
    language: &str,
) -> anyhow::Result<(Vec<Story>, Issue)> {
    let (stories, leads) = news.stories(language, &context.catalog.channel.title);
    let id: String =
        digest.id.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = (!stories.is_empty()).then(|| format!("{id}-{}", context.now.strftime("%Y%m%d-%H%M%S")));
    let edition = Edition {
        title: &digest.title,
        language,
        interests: &digest::interests(digest),
        templates: "digest",
        note: None,
        introduction: news.own.introduction(language).map(|text| text.text.as_str()),
        written: None,
        leads,
        coming,
        entries_max: digest.entries_max,
        is_personal: false,
        name: name.as_deref(),
        is_public: context.sender.public_url.is_some(),
        controller: context.newsletter.controller.as_deref(),
        places: &LinkPlaces::of(&context.sender.key, &format!("{} {}", digest.id, context.now)),
    };
    let shown: Vec<&Story> = stories.iter().collect();
    let issue = digest::render(context.catalog, edition, &shown, context.now, context.templates)?;
    Ok((stories, issue))
}

/// The result of the subscribers' turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PersonalReport {
    /// Number of subscribers who were due.
    pub due: usize,
    /// Number of subscribers for whom there was news.
    pub served: usize,
    /// Number of distinct issues: subscribers with equal interests share one.
    pub issues: usize,
}

/// How often the clock is noted, and how far it may go back: it is corrected by so much without having been wrong.
const CLOCK_STEP: SignedDuration = SignedDuration::from_hours(1);

/// Notes the clock. Where it has gone back, it was ahead, and slots that subscribers were given under it are computed again.
fn check_clock(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let latest = store.read(|r| r.subscribers().latest_clock())?;
    if latest.is_some_and(|latest| (now - CLOCK_STEP..now + CLOCK_STEP).contains(&latest)) {
        return Ok(());
    }
    if latest.is_some_and(|latest| latest > now) {
        let mut after = Some(0);
        while let Some(from) = after {
            after = store.write(|w| w.subscribers().correct_slots(from, now))?;
        }
    }
    store.write(|w| w.subscribers().put_clock(now))
}

/// Queues what is due for subscribers: some groups with equal interests in each unit of work, rendered beforehand.
///
/// # Errors
/// When the store or a template fails, or `stop` is set; groups already queued stay queued.
pub fn queue_personal(
    store: &Store,
    context: MailContext,
    stop: &CancellationToken,
) -> anyhow::Result<PersonalReport> {
    let mut turn = PersonalReport::default();
    check_clock(store, context.now)?;
    // Read before the stories: an entry that arrives in between goes into the next issue.
    let last = store.read(|r| r.entries().last())?;
    let coming = context.coming(store)?;
    let mut known: Option<News> = None;
    loop {
        let groups = store.read(|r| r.subscribers().due_groups(context.now, GROUPS))?;
        // Groups come in the order of their marks.
        let Some(first) = groups.first() else { return Ok(turn) };
        let mut owed: Vec<EntryKey> = groups.iter().flat_map(|group| group.owed.iter().copied()).collect();
        owed.sort_unstable();
        owed.dedup();
        let news = match known.take().filter(|known| known.covers(first.seen, &owed)) {
            Some(known) => known,
            None => store.read(|r| News::since(r, first.seen, &owed))?,
        };
        let is_served = serve_chunks(store, context, &groups, (&news, &coming, last), stop, &mut turn)?;
        known = is_served.then_some(news);
    }
}

/// Serves groups, some at a time. `false` if an editor ruled after the news were read: groups that are left are not served.
fn serve_chunks(
    store: &Store,
    context: MailContext,
    groups: &[InterestGroup],
    (news, coming, last): (&News, &[Story], EntryKey),
    stop: &CancellationToken,
    turn: &mut PersonalReport,
) -> anyhow::Result<bool> {
    for some in groups.chunks(GROUPS_SERVED) {
        if stop.is_cancelled() {
            return Err(Interrupted.into());
        }
        let mut issues = Vec::with_capacity(some.len());
        for group in some {
            let reader = PersonalReader {
                language: &group.language,
                interests: &group.interests,
                seen: group.seen..last,
                owed: &group.owed,
            };
            issues.push(personal_issue(context, &reader, news, coming)?);
        }
        if !serve(store, context, (some, &issues), (last, news.revision), turn)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Serves some groups with their issues, or a slot without one; a large group takes several units of work. `false` if an editor ruled
/// after the issues were made: those that are left are not served.
fn serve(
    store: &Store,
    context: MailContext,
    (groups, issues): (&[InterestGroup], &[PersonalIssue]),
    (last, revision): (EntryKey, RulingKey),
    turn: &mut PersonalReport,
) -> anyhow::Result<bool> {
    let mut left: Vec<(&InterestGroup, &PersonalIssue)> = groups.iter().zip(issues).collect();
    while !left.is_empty() {
        let counts = store.write(|w| {
            if w.desk().revision()? != revision {
                return Ok(None);
            }
            let counts = left.iter().map(|(group, issue)| fill_group(w, context, group, issue, last));
            counts.collect::<Result<Vec<usize>, StoreError>>().map(Some)
        })?;
        let Some(counts) = counts else { return Ok(false) };
        for ((_, made), count) in left.iter().zip(&counts) {
            turn.due += count;
            turn.served += if made.issue.is_some() { *count } else { 0 };
            turn.issues += usize::from(made.issue.is_some() && *count > 0);
        }
        let mut counts = counts.into_iter();
        left.retain(|_| counts.next() == Some(PAGE));
    }
    Ok(true)
}

fn fill_group(
    unit: &Unit<Write>,
    context: MailContext,
    group: &InterestGroup,
    made: &PersonalIssue,
    last: EntryKey,
) -> Result<usize, StoreError> {
    let domain = context.sender.from.email.domain();
    let message_id = |number: IssueKey, address: &str| {
        message_id(
            DigestId::Personal.as_str(),
            number,
            context.now,
            &context.sender.key.hash(address),
            domain,
        )
    };
    let new = GroupIssue {
        digest: &DigestId::Personal,
        issue: made.issue.as_ref(),
        seen: last.max(group.seen),
        owed: &made.held,
        now: context.now,
    };
    unit.subscribers().fill_group(group, &new, message_id)
}

/// The issue that a subscriber who has seen the entries up to `seen`, and is owed others, would get now; `None` if there is nothing
/// new.
///
/// # Errors
/// When the store or a template fails.
pub fn preview_personal(
    store: &Store,
    context: MailContext,
    preferences: &Preferences,
    seen: EntryKey,
    owed: &[EntryKey],
) -> anyhow::Result<Option<Issue>> {
    let news = store.read(|r| News::since(r, seen, owed))?;
    let coming = context.coming(store)?;
    let reader = PersonalReader {
        language: &preferences.language,
        interests: &preferences.interests,
        seen: seen..EntryKey::MAX,
        owed,
    };
    Ok(personal_issue(context, &reader, &news, &coming)?.issue)
}

/// Who a personal issue is for.
struct PersonalReader<'a> {
    language: &'a str,
    interests: &'a Interests,
    /// From the last entry seen to the last one considered.
    seen: Range<EntryKey>,
    /// Entries whose stories were held back from earlier issues.
    owed: &'a [EntryKey],
}

/// What a group is sent.
struct PersonalIssue {
    /// `None` if there is nothing new.
    issue: Option<Issue>,
    /// Entries whose stories are held back.
    held: Vec<EntryKey>,
}

fn personal_issue(
    context: MailContext,
    reader: &PersonalReader,
    news: &News,
    coming: &[Story],
) -> anyhow::Result<PersonalIssue> {
    let PersonalReader { language, interests, seen, owed } = reader;
    let PersonalStories { stories, leads, held } = news.for_reader(language, interests, seen.clone(), owed);
    if stories.is_empty() {
        return Ok(PersonalIssue { issue: None, held });
    }
    let newsletter = context.newsletter;
    let mut of =
        format!("{language}\0{}\0{}\0{}", serde_json::to_string(interests)?, seen.start, context.now);
    // Groups that differ in what they are owed differ in their issues.
    owed.iter().for_each(|owed| of.push_str(&format!("\0{owed}")));
    let name = crate::support::text::hex(&Sha256::digest(of)[..10]);
    let edition = Edition {
        title: newsletter.title(language, context.catalog.channel),
        language,
        interests,
        templates: "digest",
        note: None,
        introduction: news.introduction(language, seen.start),
        written: None,
        leads,
        coming,
        entries_max: newsletter.entries_max,
        is_personal: true,
        name: Some(&name),
        is_public: context.sender.public_url.is_some(),
        controller: newsletter.controller.as_deref(),
        places: &LinkPlaces::of(&context.sender.key, &name),
    };
    let shown: Vec<&Story> = stories.iter().collect();
    let issue = digest::render(context.catalog, edition, &shown, context.now, context.templates)?;
    Ok(PersonalIssue { issue: Some(issue), held })
}

#[derive(serde::Serialize)]
struct NoticeData<'a> {
    title: &'a str,
    date: String,
    notices: &'a [Notice],
    /// The sources of the notices, each once.
    sources: Vec<&'a str>,
    /// Whether all of these sources work again.
    works_again: bool,
    /// Whether, in addition, nothing else fails.
    is_well: bool,
}

/// Notices with the names that sources have for people, and their ids where a partner has several.
fn named(notices: Vec<Notice>, sources: &SourceList) -> Vec<Notice> {
    let mut of_partners: HashMap<&str, usize> = HashMap::new();
    for source in sources.iter() {
        *of_partners.entry(&source.partner).or_default() += 1;
    }
    let name = |id: String| {
        let Some(source) = sources.by_id(&id) else { return id };
        if of_partners[source.partner.as_str()] > 1 {
            format!("{} ({id})", source.partner)
        } else {
            source.partner.clone()
        }
    };
    notices.into_iter().map(|notice| Notice { source: name(notice.source), ..notice }).collect()
}

/// The sources of notices, and whether the last word of each is that it works again.
fn sources_of(notices: &[Notice]) -> (Vec<&str>, bool) {
    let mut sources: Vec<&str> = notices.iter().map(|notice| notice.source.as_str()).collect();
    sources.sort_unstable();
    sources.dedup();
    let last = |source: &&str| notices.iter().rev().find(|notice| notice.source == **source);
    let works = sources.iter().filter_map(last).all(|notice| notice.text == Notice::WORKS_AGAIN);
    (sources, works)
}

/// Queues the notices about sources for the operators, if any. Returns the number of notices included.
///
/// # Errors
/// When the store or a template fails; nothing is queued then.
pub fn queue_notices(store: &Store, context: MailContext, operators: &[Address]) -> anyhow::Result<usize> {
    let notices = if operators.is_empty() { Vec::new() } else { store.read(|r| r.mailing().notices())? };
    if notices.is_empty() {
        return Ok(0);
    }
    let notices = named(notices, context.catalog.sources);
    let now = context.now;
    let (sources, works_again) = sources_of(&notices);
    let is_well = works_again && store.read(|r| nothing_fails(r, context))?;
    let data = NoticeData {
        sources,
        works_again,
        is_well,
        title: &context.catalog.channel.title,
        date: now.strftime("%Y-%m-%d").to_string(),
        notices: &notices,
    };
    let issue = mail(context, "operator", "en", &data)?;
    let domain = context.sender.from.email.domain();
    let recipients: Vec<String> = operators.iter().map(|operator| operator.as_str().to_owned()).collect();
    let new = NewIssue {
        digest: &DigestId::Operator,
        slot: None,
        now,
        issue: &issue,
        stories: &[],
        recipients: &recipients,
    };
    store.write(|w| {
        // Another process may have queued them in the meantime.
        if w.mailing().notices()?.len() < notices.len() {
            return Ok(());
        }
        w.mailing().forget_notices(notices.len())?;
        w.mailing()
            .queue_issue(&new, |number, recipient| {
                message_id(DigestId::Operator.as_str(), number, now, recipient, domain)
            })
            .map(drop)
    })?;
    Ok(notices.len())
}

/// Whether mail can be sent, and all enabled sources can be read.
fn nothing_fails(unit: &Unit<Read>, context: MailContext) -> Result<bool, StoreError> {
    let asked = context.catalog.sources.iter().filter(|source| source.is_enabled);
    let ids: Vec<&str> = asked.map(|source| source.id.as_str()).collect();
    let states = unit.sources().states_of(&ids)?;
    Ok(unit.mailing().held_up()?.is_none()
        && states.values().all(|state| state.failures < crate::model::source::FAILURES_NOTIFIED))
}

/// A mail other than a digest, from the templates of a folder.
pub(super) fn mail(
    context: MailContext,
    folder: &str,
    language: &str,
    data: &impl serde::Serialize,
) -> anyhow::Result<Issue> {
    let line = context.templates.render_line(&format!("{folder}/subject.txt"), data, SUBJECT_CHARS_MAX)?;
    Ok(Issue {
        subject: subject(&line),
        text: wrapped(&context.templates.render(&format!("{folder}/body.txt"), data)?, TEXT_COLUMNS),
        language: language.to_owned(),
        html: context.templates.render(&format!("{folder}/body.html"), data)?,
        name: None,
        places: LinkPlaces::of(&context.sender.key, &format!("{folder} {}", context.now)),
        forwarded: None,
        partners: Vec::new(),
    })
}
