//! The welcome mail after confirmation (`[newsletter] welcome`), with the stories that the last issue would have had.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::MailContext;
use super::news::{News, PersonalStories};
use crate::deliver::message::message_id;
use crate::digest::{self, Edition};
use crate::model::digest::{DigestId, Issue, LinkPlaces};
use crate::model::keys::EntryKey;
use crate::model::story::Story;
use crate::model::subscriber::{Cadence, Preferences};
use crate::store::{NewIssue, Store, StoreError, Unit, Write};
use crate::support::i18n::{long_date, said, spoken};

/// A welcome mail, rendered for one subscriber.
pub(super) struct Welcome {
    issue: Issue,
    /// The last entry considered; the next issue continues from it.
    pub(super) seen: EntryKey,
    /// Entries whose stories are held back from it, for the next issue.
    pub(super) owed: Vec<EntryKey>,
}

/// Renders the welcome for a subscriber who has seen the entries up to `seen`.
///
/// # Errors
/// When the store or a template fails.
pub(super) fn render(
    store: &Store,
    context: MailContext,
    hash: &str,
    preferences: &Preferences,
    seen: EntryKey,
) -> anyhow::Result<Welcome> {
    let (last, news) =
        store.read(|r| Ok::<_, StoreError>((r.entries().last()?, News::since(r, seen, &[])?)))?;
    let interests = &preferences.interests;
    let PersonalStories { stories, leads, held } =
        news.for_reader(&preferences.language, interests, seen..last, &[]);
    let picked: Vec<&Story> = stories.iter().collect();
    let newsletter = context.newsletter;
    let language = spoken(&preferences.language, &context.catalog.channel.language);
    let note = next_mail("next_mail", &preferences.cadence, language, context.now);
    let edition = Edition {
        title: newsletter.title(&preferences.language, context.catalog.channel),
        language: &preferences.language,
        interests,
        templates: "welcome",
        note: note.as_deref(),
        introduction: None,
        written: None,
        leads,
        coming: &context.coming(store)?,
        entries_max: newsletter.entries_max,
        is_personal: true,
        name: None,
        is_public: context.sender.public_url.is_some(),
        controller: newsletter.controller.as_deref(),
        places: &LinkPlaces::of(&context.sender.key, &format!("welcome {hash} {}", context.now)),
    };
    let issue = digest::render(context.catalog, edition, &picked, context.now, context.templates)?;
    Ok(Welcome { issue, seen: last.max(seen), owed: held })
}

impl Welcome {
    /// Queues the mail, within the unit of work that adds the subscriber.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) fn queue(
        &self,
        unit: &Unit<Write>,
        context: MailContext,
        address: &str,
    ) -> Result<(), StoreError> {
        let (sender, now) = (context.sender, context.now);
        let new = NewIssue {
            digest: &DigestId::Welcome,
            slot: None,
            now,
            issue: &self.issue,
            stories: &[],
            recipients: &[address.to_owned()],
        };
        unit.mailing()
            .queue_issue(&new, |number, recipient| {
                let hash = sender.key.hash(recipient);
                message_id(DigestId::Welcome.as_str(), number, now, &hash, sender.from.email.domain())
            })
            .map(drop)
    }
}

/// When the next mail comes, in the subscriber's time zone, in the phrase `key`; `None` for instant delivery.
pub fn next_mail(key: &str, cadence: &Cadence, language: &str, now: Timestamp) -> Option<String> {
    let Cadence::Scheduled(_) = cadence else { return None };
    let zone = TimeZone::get(&cadence.parts().2).unwrap_or(TimeZone::UTC);
    let at = cadence.next_after(now).to_zoned_datetime(zone);
    let time = at.strftime("%H:%M").to_string();
    Some(said(key, language, &[("date", long_date(at.date(), language).into()), ("time", time.into())]))
}
