//! What a partner sees of its own: what was read and what broke, with whom its stories were joined, how many people they reached; and
//! what it proposes. Its page has an address that is signed, and that a new one makes void.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::Serialize;

use crate::model::keys::{EntryKey, ProposalKey};
use crate::model::partner::{NewProposal, PartnerReach, ProposalKind, ProposalRefusal};
use crate::model::source::{FetchState, Source, SourceList, Validators};
use crate::model::story::{StoredEntry, Story};
use crate::model::token::{PARTNER, SigningKey};
use crate::store::{
    EntryFilter, MarkupScope, Read, SourceDay, SourceRow, Store, StoreError, Unit, Write, day_number,
};
use crate::support::text::{direction, is_same_language, shorten};

/// Entries of each source among which joined stories are looked for, and sources that are looked at.
const ENTRIES_LOOKED_AT: u32 = 100;
const SOURCES_MAX: usize = 50;
/// Joined stories that are shown, and other versions of each.
const JOINED_MAX: usize = 20;
const VERSIONS_MAX: usize = 10;
/// Entries that a correction can be about.
const LATEST_MAX: usize = 50;
/// Of a title in a notice.
const TITLE_CHARS: usize = 80;

/// A span of time that is looked at.
#[derive(Debug, Clone, Copy)]
pub struct ReportSpan {
    pub from: Timestamp,
    pub to: Timestamp,
}

/// What is shown to a partner.
pub struct PartnerReport {
    pub sources: Vec<ReportedSource>,
    /// Its stories that others have too, the newest first.
    pub joined: Vec<JoinedStory>,
    pub reach: PartnerReach,
    /// Its latest entries, the newest first.
    pub latest: Vec<StoredEntry>,
}

/// A source of a partner.
pub struct ReportedSource {
    /// `None` if it was never read.
    pub row: Option<SourceRow>,
    pub source: Source,
    /// What it brought, by day.
    pub days: Vec<SourceDay>,
}

/// A story that a partner has together with others.
#[derive(Debug, Clone, Serialize)]
pub struct JoinedStory {
    pub title: String,
    pub url: Option<String>,
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: &'static str,
    pub others: Vec<JoinedVersion>,
}

/// The same story as another partner, or another source of this one, has it.
#[derive(Debug, Clone, Serialize)]
pub struct JoinedVersion {
    pub partner: String,
    pub title: String,
    pub url: Option<String>,
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: &'static str,
    /// Whether it is in another language; else it is a copy.
    pub is_translation: bool,
    /// Why it was joined, in words.
    pub reason: Option<String>,
}

/// What the token of a link holds.
fn payload(revision: i64, partner: &str) -> String {
    format!("{revision} {partner}")
}

/// The address of the page of a partner.
///
/// # Errors
/// When the store fails.
pub fn partner_address(
    store: &Store,
    key: &SigningKey,
    public: &str,
    partner: &str,
) -> Result<String, StoreError> {
    let revision = store.read(|r| r.partners().link_revision(partner))?;
    Ok(format!("{public}/partner/{}", key.sign(PARTNER, &payload(revision, partner))))
}

/// The partner of a link that holds, and is one of a configured source.
///
/// # Errors
/// When the store fails.
pub fn partner_of(
    store: &Store,
    key: &SigningKey,
    sources: &SourceList,
    token: &str,
) -> Result<Option<String>, StoreError> {
    let shown = key.verify(PARTNER, token);
    let named = shown.as_deref().and_then(|shown| shown.split_once(' '));
    let Some((revision, partner)) = named else { return Ok(None) };
    let is_configured = sources.iter().any(|source| source.partner == partner);
    let current = store.read(|r| r.partners().link_revision(partner))?;
    Ok((is_configured && current.to_string() == revision).then(|| partner.to_owned()))
}

/// What is shown to a partner of a span of time.
///
/// # Errors
/// When the store fails.
pub fn report(
    store: &Store,
    sources: &SourceList,
    partner: &str,
    span: ReportSpan,
) -> Result<PartnerReport, StoreError> {
    store.read(|r| {
        let own = sources.iter().filter(|source| source.partner == partner).take(SOURCES_MAX);
        let mut latest: Vec<StoredEntry> = Vec::new();
        let mut reported = Vec::new();
        for source in own {
            reported.push(ReportedSource {
                row: r.sources().get(&source.id)?,
                days: r.overview().source_days(&[source.id.as_str()], day_number(span.from))?,
                source: source.clone(),
            });
            latest.extend(entries_of(r, source, span)?);
        }
        latest.sort_by_key(|entry| std::cmp::Reverse(entry.order));
        let joined = joined(r, partner, &latest)?;
        latest.truncate(LATEST_MAX);
        let reach = r.partners().reach(partner, span.from, span.to)?;
        Ok(PartnerReport { sources: reported, joined, reach, latest })
    })
}

fn entries_of(unit: &Unit<Read>, source: &Source, span: ReportSpan) -> Result<Vec<StoredEntry>, StoreError> {
    let mut entries = Vec::new();
    let filter = EntryFilter {
        source: Some(source.id.clone()),
        since: Some(span.from),
        count_max: Some(ENTRIES_LOOKED_AT),
    };
    unit.entries().each(&filter, MarkupScope::Without, |entry| {
        if entry.first_seen < span.to {
            entries.push(entry);
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(entries)
}

/// The stories of these entries that others have too.
fn joined(unit: &Unit<Read>, partner: &str, entries: &[StoredEntry]) -> Result<Vec<JoinedStory>, StoreError> {
    let keys: Vec<EntryKey> = entries.iter().map(|entry| entry.order).collect();
    let stories = unit.entries().stories_of(&keys, None)?;
    let has_others = |story: &&Story| story.versions.iter().any(|version| version.partner != partner);
    let mut stories: Vec<&Story> = stories.iter().filter(has_others).collect();
    let last = |story: &Story| story.versions.iter().map(|version| version.order).max();
    stories.sort_by_key(|story| std::cmp::Reverse(last(story)));
    Ok(stories.into_iter().take(JOINED_MAX).filter_map(|story| joined_story(story, partner)).collect())
}

fn joined_story(story: &Story, partner: &str) -> Option<JoinedStory> {
    let own = story.versions.iter().find(|version| version.partner == partner)?;
    let others = story.versions.iter().filter(|version| version.entry.id != own.entry.id);
    let (language, dir) = language_of(own);
    let other = |version: &StoredEntry| {
        let (other_language, dir) = language_of(version);
        let is_translation = !language.is_empty()
            && !other_language.is_empty()
            && !is_same_language(&other_language, &language);
        // Whoever came later was joined, and its reason says why.
        let later = if version.order > own.order { version } else { own };
        JoinedVersion {
            partner: version.partner.clone(),
            title: version.entry.headline(),
            url: openable(version),
            language: other_language,
            dir,
            is_translation,
            reason: later.reason.clone(),
        }
    };
    Some(JoinedStory {
        title: own.entry.headline(),
        url: openable(own),
        others: others.take(VERSIONS_MAX).map(other).collect(),
        language,
        dir,
    })
}

fn language_of(entry: &StoredEntry) -> (String, &'static str) {
    let language = entry.entry.language.clone().unwrap_or_default();
    let dir = direction(&language);
    (language, dir)
}

fn openable(entry: &StoredEntry) -> Option<String> {
    entry.entry.url.clone().filter(|url| url.starts_with("https://") || url.starts_with("http://"))
}

/// Whether an entry is one of a partner.
///
/// # Errors
/// When the store fails.
pub fn entry_of(store: &Store, partner: &str, key: EntryKey) -> Result<Option<StoredEntry>, StoreError> {
    let entry = store.read(|r| r.entries().get_if_there(key))?;
    Ok(entry.filter(|entry| entry.partner == partner))
}

/// Keeps a proposal until an operator looks at it, who is told so.
///
/// # Errors
/// When the store fails.
pub fn propose(
    store: &Store,
    new: &NewProposal,
    now: Timestamp,
) -> Result<Result<ProposalKey, ProposalRefusal>, StoreError> {
    store.write(|w| {
        let proposed = w.partners().propose(new, now)?;
        if proposed.is_ok() {
            let text = match new.kind {
                ProposalKind::Source => format!(
                    "proposes a source, {}: accept or decline it under /admin/proposals",
                    shorten(&new.text, TITLE_CHARS)
                ),
                ProposalKind::Correction => format!(
                    "proposes a correction of \"{}\": accept or decline it under /admin/proposals",
                    shorten(&new.title, TITLE_CHARS)
                ),
            };
            w.sources().put_notice(&new.partner, &text, now)?;
        }
        Ok(proposed)
    })
}

/// Has the source of an entry read anew: what its partner corrected is taken over with it.
///
/// # Errors
/// When the store fails.
pub fn read_anew(
    unit: &Unit<Write>,
    sources: &SourceList,
    entry: Option<&StoredEntry>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let source = entry.and_then(|entry| sources.by_id(&entry.entry.source));
    let Some(source) = source.filter(|source| source.is_enabled) else { return Ok(()) };
    let state = unit.sources().state(&source.id)?;
    let due = FetchState {
        next_poll: Some(now),
        next_poll_reason: Some("a correction was accepted".into()),
        validators: Validators::default(),
        ..state
    };
    unit.sources().put_state(&source.id, &source.partner, source.position, &due)
}

/// The names of all partners.
pub fn names(sources: &SourceList) -> BTreeSet<&str> {
    sources.iter().map(|source| source.partner.as_str()).collect()
}

/// The number of a month since the year 0, and the span of the one before it, in UTC.
pub fn month_before(now: Timestamp) -> Option<(i64, ReportSpan)> {
    let today = now.to_zoned_datetime(TimeZone::UTC).date();
    let first = today.first_of_month();
    let before = first.checked_sub(1.month()).ok()?;
    let at = |date: Date| TimeZone::UTC.to_timestamp(date.to_datetime(Time::midnight())).ok();
    let number = i64::from(first.year()) * 12 + i64::from(first.month()) - 1;
    Some((number, ReportSpan { from: at(before)?, to: at(first)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_about_the_whole_month_before() {
        for (now, from, to) in [
            ("2022-11-01T00:00:00Z", "2022-10-01", "2022-11-01"),
            ("2022-11-30T23:59:59Z", "2022-10-01", "2022-11-01"),
            ("2023-01-31T12:00:00Z", "2022-12-01", "2023-01-01"),
        ] {
            let (_, span) = month_before(now.parse().unwrap()).unwrap();
            let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
            assert_eq!((day(span.from).as_str(), day(span.to).as_str()), (from, to), "{now}");
        }
        let number = |now: &str| month_before(now.parse().unwrap()).unwrap().0;
        assert_eq!(number("2023-01-01T00:00:00Z"), number("2022-12-31T00:00:00Z") + 1);
    }
}
