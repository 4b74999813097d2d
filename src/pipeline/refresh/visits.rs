//! Documents of which nothing is known by its identity although the source is: some sites write another identifier, or another value
//! of some query parameter, into each answer. Entries are then recognised by place, title and date, or by two of these.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use url::Url;

use crate::dedupe::keys;
use crate::model::entry::StoredSummary;
use crate::model::feed::{RawEntry, RawText};
use crate::normalize::entry::fingerprint;
use crate::support::text::fold;

/// Entries without a date must be so many before titles and places alone are believed.
const DATELESS_MIN: usize = 3;
const DATED_MIN: usize = 2;

/// A clock that a document is dated by may differ from ours by so much.
const READING_MAX: SignedDuration = SignedDuration::from_mins(15);

/// An entry that is stored under another identity than it bears.
#[derive(Debug, Clone)]
pub(super) struct RecognisedEntry {
    /// Its position in the document.
    pub at: usize,
    /// The key of the identity that it is stored under.
    pub key: String,
    /// It without the values that change at each visit, and the fingerprint of that.
    bare: RawEntry,
    pub fingerprint: String,
}

/// What an entry is recognised by: a part of its address, its folded title, its date in seconds.
type MatchKey = (String, String, Option<i64>);

/// All that an entry may be recognised by. An event's date is that on which it begins.
struct MatchFields<'a> {
    url: Option<Cow<'a, str>>,
    title: String,
    date: Option<i64>,
}

/// Which parts of a feature have to agree, in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MatchPrecision {
    All,
    /// The place has the value in its path.
    TitleAndDate,
    /// The date is that of the visit.
    PlaceAndTitle,
    /// There are no dates, and the place has the value in its path.
    TitleAndRestOfPlace,
}

impl MatchPrecision {
    /// What has to agree; `None` where a part is missing.
    fn of(self, features: MatchFields) -> Option<MatchKey> {
        let MatchFields { url, title, date } = features;
        let url = url.as_deref();
        let place =
            || url.map_or("", |url| url.split(['?', '#']).next().unwrap_or(url).trim_end_matches('/'));
        Some(match self {
            _ if title.trim().is_empty() => return None,
            MatchPrecision::All => (place().to_owned(), title, date),
            MatchPrecision::TitleAndDate => (String::new(), title, Some(date?)),
            MatchPrecision::PlaceAndTitle => (url?.to_owned(), title, None),
            MatchPrecision::TitleAndRestOfPlace => {
                let whole = place();
                let rest = without_tokens(whole);
                // Else it was compared as a whole.
                if date.is_some() || rest == whole {
                    return None;
                }
                (rest, title, None)
            }
        })
    }

    /// Whether so many found entries, of which some have dates, show that the document is one that was read before.
    fn is_sure(self, found: usize, dated: usize, listed: usize) -> bool {
        let is_most = found >= DATELESS_MIN && found * 2 > listed;
        match self {
            MatchPrecision::All => dated >= DATED_MIN || dated == listed || is_most,
            MatchPrecision::TitleAndDate | MatchPrecision::TitleAndRestOfPlace => is_most,
            MatchPrecision::PlaceAndTitle => is_most || found == listed && found >= DATED_MIN,
        }
    }
}

/// Whether a document gives the time of its reading as the date of each entry, as some programs do.
pub(super) fn are_dates_of_reading(entries: &[RawEntry], now: Timestamp) -> bool {
    let is_now =
        |raw: &RawEntry| raw.date().is_some_and(|date| date.duration_since(now).abs() <= READING_MAX);
    entries.len() >= DATED_MIN && entries.iter().all(is_now)
}

/// An entry that has the moment of a reading for its date differs from it by no more: what was published just before a reading may
/// differ by little as well.
const MOMENT_MAX: SignedDuration = SignedDuration::from_mins(2);

/// Whether a date is the moment at which it was read.
pub(super) fn is_moment_of(reading: Timestamp, date: Option<Timestamp>) -> bool {
    date.is_some_and(|date| date.duration_since(reading).abs() <= MOMENT_MAX)
}

/// An entry with the date of the known one in place of that of the reading.
pub(super) fn dated_as(raw: &mut RawEntry, known: Option<Timestamp>) {
    for date in [&mut raw.published, &mut raw.updated].into_iter().filter(|date| date.is_some()) {
        *date = known.or(*date);
    }
}

/// Finds the stored entries of a document of which none is known by its own identity. `recent` are the source's latest entries by
/// their keys, the newest first.
pub(super) fn recognise(entries: &[RawEntry], recent: &[(String, StoredSummary)]) -> Vec<RecognisedEntry> {
    let grains = [
        MatchPrecision::All,
        MatchPrecision::TitleAndDate,
        MatchPrecision::PlaceAndTitle,
        MatchPrecision::TitleAndRestOfPlace,
    ];
    let mut found = grains.into_iter().map(|grain| recognise_by(grain, entries, recent));
    found.find(|found| !found.is_empty()).unwrap_or_default()
}

/// The same for a document that is dated by its reading: dates say nothing of it, so that the texts have to agree.
pub(super) fn recognise_undated(
    entries: &[RawEntry],
    recent: &[(String, StoredSummary)],
) -> Vec<RecognisedEntry> {
    let bare: Vec<RawEntry> =
        entries.iter().map(|raw| RawEntry { published: None, updated: None, ..raw.clone() }).collect();
    let undated = |stored: &StoredSummary| StoredSummary { date: None, ..stored.clone() };
    let bare_recent: Vec<(String, StoredSummary)> =
        recent.iter().map(|(key, stored)| (key.clone(), undated(stored))).collect();
    let mut found = recognise(&bare, &bare_recent);
    let stored: HashMap<&str, &StoredSummary> =
        recent.iter().map(|(key, stored)| (key.as_str(), stored)).collect();
    found.retain_mut(|one| {
        let Some(stored) = stored.get(one.key.as_str()) else { return false };
        let mut raw = RawEntry {
            published: entries[one.at].published,
            updated: entries[one.at].updated,
            ..one.bare.clone()
        };
        dated_as(&mut raw, stored.date);
        one.fingerprint = fingerprint(&raw);
        let title = one.bare.title.as_ref().map_or("", |title| title.value.as_str());
        // One with another title was recognised by all the others.
        fold(title) != fold(&stored.title) || keys::has_same_text(&one.bare, stored)
    });
    found
}

/// Finds such entries in a document of which others are known: only by their dates, as the others show that this is no copy of an
/// earlier visit.
pub(super) fn recognise_some(
    entries: &[RawEntry],
    recent: &[(String, StoredSummary)],
) -> Vec<RecognisedEntry> {
    let dated = |found: &Vec<RecognisedEntry>| {
        found.len() >= DATED_MIN && found.iter().all(|one| day_of(&entries[one.at]).is_some())
    };
    let grains = [MatchPrecision::All, MatchPrecision::TitleAndDate];
    let mut found = grains.into_iter().map(|grain| recognise_by(grain, entries, recent));
    found.find(dated).unwrap_or_default()
}

fn recognise_by(
    grain: MatchPrecision,
    entries: &[RawEntry],
    recent: &[(String, StoredSummary)],
) -> Vec<RecognisedEntry> {
    let listed: Vec<Option<MatchKey>> = entries.iter().map(|raw| grain.of(features_of(raw)?)).collect();
    let mut counts: HashMap<&MatchKey, usize> = HashMap::new();
    listed.iter().flatten().for_each(|feature| *counts.entry(feature).or_default() += 1);
    // Of several, the oldest: where a visit was stored before it was known as one.
    let stored: HashMap<MatchKey, usize> = recent
        .iter()
        .enumerate()
        .filter_map(|(at, (_, stored))| {
            Some((grain.of(features(stored.url.as_deref(), &stored.title, stored.date))?, at))
        })
        .collect();
    let found: Vec<(usize, usize)> = listed
        .iter()
        .enumerate()
        .filter_map(|(at, feature)| Some((at, feature.as_ref()?)))
        .filter(|(_, feature)| counts[feature] == 1)
        .filter_map(|(at, feature)| Some((at, *stored.get(feature)?)))
        .collect();
    let dated = found.iter().filter(|(at, _)| day_of(&entries[*at]).is_some()).count();
    let varying: BTreeSet<String> = found
        .iter()
        .flat_map(|(at, known)| differing_parameters(entries[*at].url(), recent[*known].1.url.as_deref()))
        .collect();
    let edited = edited(entries, recent, &found, &varying);
    let are_all_known = found.len() >= DATED_MIN
        && found.len() > edited.len()
        && found.len() + edited.len() == entries.len()
        && !edited.is_empty();
    let is_sure = grain.is_sure(found.len(), dated, entries.len())
        || grain == MatchPrecision::All && differ_in_tokens(entries, recent, &found, &varying);
    if !is_sure && !are_all_known {
        return Vec::new();
    }
    found
        .into_iter()
        .chain(edited)
        .map(|(at, known)| {
            let bare = without(&entries[at], &varying);
            RecognisedEntry { at, key: recent[known].0.clone(), fingerprint: fingerprint(&bare), bare }
        })
        .collect()
}

/// A plain number of fewer figures may count what it stands with.
const COUNTER_FIGURES_MAX: usize = 5;

/// Whether most entries of a document were found under addresses that differ in nothing but values which count nothing, and which are
/// not needed to tell the entries apart.
fn differ_in_tokens(
    entries: &[RawEntry],
    recent: &[(String, StoredSummary)],
    found: &[(usize, usize)],
    varying: &BTreeSet<String>,
) -> bool {
    let rest = |url: Option<&str>| {
        let rest = without_scheme(url?)?.into_owned();
        Some(varying.iter().fold(rest, |rest, name| without_values(&rest, name)))
    };
    let counts = |url: Option<&str>| {
        parameters(url.unwrap_or_default()).any(|(name, value)| {
            let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
            varying.contains(name) && is_number && value.len() <= COUNTER_FIGURES_MAX
        })
    };
    let places: Option<BTreeSet<String>> = entries.iter().map(|raw| rest(raw.url())).collect();
    let is_same = |(at, known): &(usize, usize)| {
        let url = entries[*at].url();
        rest(url) == rest(recent[*known].1.url.as_deref()) && !counts(url)
    };
    found.len() >= DATED_MIN
        && found.len() * 2 > entries.len()
        && !varying.is_empty()
        && places.is_some_and(|places| places.len() == entries.len())
        && found.iter().all(is_same)
}

/// Of a document that is recognised by the other entries, those whose titles were edited at the same time: of the same date, at the same
/// place, if all others kept theirs, whatever the host and the parameters that vary.
fn edited(
    entries: &[RawEntry],
    recent: &[(String, StoredSummary)],
    found: &[(usize, usize)],
    varying: &BTreeSet<String>,
) -> Vec<(usize, usize)> {
    if found.is_empty() || found.len() == entries.len() {
        return Vec::new();
    }
    let place = |url: Option<&str>| {
        let rest = without_scheme(url?)?;
        let (_, path) = rest.split_once('/')?;
        let path = varying.iter().fold(path.to_owned(), |path, name| without_values(&path, name));
        let (place, query) = path.split_once('?').unwrap_or((&path, ""));
        Some(format!("{}?{query}", without_tokens(place)))
    };
    let listed: Vec<_> =
        entries.iter().map(|raw| place(raw.url()).map(|place| (place, day_of(raw)))).collect();
    let stored: Vec<_> = recent
        .iter()
        .map(|(_, one)| place(one.url.as_deref()).map(|place| (place, one.event.or(one.date))))
        .collect();
    let is_kept = |(at, known): &(usize, usize)| listed[*at].is_some() && listed[*at] == stored[*known];
    if !found.iter().all(is_kept) {
        return Vec::new();
    }
    let (known_listed, known_stored): (BTreeSet<usize>, BTreeSet<usize>) = found.iter().copied().unzip();
    // `None` for a place that several have.
    let alone = |places: &[Option<(String, Option<Timestamp>)>], taken: &BTreeSet<usize>| {
        let mut alone: HashMap<(String, Option<Timestamp>), Option<usize>> = HashMap::new();
        for (at, place) in places.iter().enumerate().filter(|(at, _)| !taken.contains(at)) {
            let Some(place) = place else { continue };
            alone.entry(place.clone()).and_modify(|at| *at = None).or_insert(Some(at));
        }
        alone
    };
    let free = alone(&stored, &known_stored);
    let open = alone(&listed, &known_listed);
    open.into_iter().filter_map(|(place, at)| Some((at?, free.get(&place).copied().flatten()?))).collect()
}

/// A part of a path with so many letters and figures may be made for one visit.
const TOKEN_CHARS_MIN: usize = 12;

/// A path without the parts that may be made for one visit: of letters and figures in no order.
fn without_tokens(place: &str) -> String {
    let is_token = |part: &&str| {
        let is_plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let figures = part.bytes().filter(u8::is_ascii_digit).count();
        part.len() >= TOKEN_CHARS_MIN && is_plain && (2..part.len()).contains(&figures)
    };
    place.split('/').filter(|part| !is_token(part)).collect::<Vec<_>>().join("/")
}

fn features_of(raw: &RawEntry) -> Option<MatchFields<'_>> {
    Some(features(raw.url(), &raw.title.as_ref()?.value, day_of(raw)))
}

/// When the event of an entry begins, or else its date.
pub(super) fn day_of(raw: &RawEntry) -> Option<Timestamp> {
    let begin = raw.event.as_ref().and_then(|event| event.begin.instant());
    begin.or_else(|| raw.date())
}

/// An address without its scheme, and as it is stored: what is beyond ASCII in it is escaped.
fn without_scheme(url: &str) -> Option<Cow<'_, str>> {
    let rest = |url: &str| url.find("://").map(|at| at + "://".len());
    if !url.is_ascii()
        && let Ok(parsed) = Url::parse(url)
    {
        return rest(parsed.as_str()).map(|at| Cow::Owned(parsed.as_str()[at..].to_owned()));
    }
    rest(url).map(|at| Cow::Borrowed(&url[at..]))
}

fn features<'a>(url: Option<&'a str>, title: &str, date: Option<Timestamp>) -> MatchFields<'a> {
    let url = url.and_then(without_scheme);
    MatchFields { url, title: fold(title), date: date.map(Timestamp::as_second) }
}

fn parameters(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = url.split('#').next().and_then(|url| url.split_once('?')).map_or("", |(_, query)| query);
    query.split('&').filter_map(|pair| pair.split_once('='))
}

/// The parameters that two addresses have with different values.
fn differing_parameters(one: Option<&str>, other: Option<&str>) -> Vec<String> {
    let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
    let differs = |(name, value): &(&str, &str)| {
        parameters(other).any(|(known, stored)| known == *name && stored != *value)
    };
    parameters(one).filter(differs).map(|(name, _)| name.to_owned()).collect()
}

/// An entry without the values of some parameters, wherever they stand in it.
fn without(raw: &RawEntry, parameters: &BTreeSet<String>) -> RawEntry {
    let mut raw = raw.clone();
    for name in parameters {
        let strip = |text: &mut String| *text = without_values(text, name);
        let strip_text = |text: &mut Option<RawText>| text.iter_mut().for_each(|text| strip(&mut text.value));
        raw.links.iter_mut().for_each(|link| strip(&mut link.href));
        raw.enclosures.iter_mut().for_each(|enclosure| strip(&mut enclosure.url));
        raw.image.iter_mut().for_each(|image| strip(&mut image.url));
        strip_text(&mut raw.summary);
        strip_text(&mut raw.content);
    }
    raw
}

/// A text in which a parameter of addresses has no value.
fn without_values(text: &str, name: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(name) {
        let (before, after) = rest.split_at(at + name.len());
        out.push_str(before);
        let is_parameter = after.starts_with('=') && rest[..at].ends_with(['?', '&', ';']);
        let value = after.find(['&', '#', '"', '\'', '<', ' ', ';']).unwrap_or(after.len());
        rest = if is_parameter { &after[value..] } else { after };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::model::feed::Link;

    pub(in crate::pipeline::refresh) fn raw(url: &str, title: &str, date: &str) -> RawEntry {
        RawEntry {
            links: vec![Link { href: url.into(), rel: "alternate".into(), media_type: None, hreflang: None }],
            title: Some(RawText { value: title.into(), ..RawText::default() }),
            content: Some(RawText { value: format!("<a href=\"{url}\">x</a>"), ..RawText::default() }),
            published: date.parse().ok(),
            ..RawEntry::default()
        }
    }

    fn recent(entries: &[RawEntry]) -> Vec<(String, StoredSummary)> {
        let stored = |raw: &RawEntry| (raw.url().unwrap().to_owned(), StoredSummary::of(raw, ""));
        entries.iter().map(stored).collect()
    }

    #[test]
    fn a_value_that_changes_at_each_visit_tells_no_entry_from_another() {
        let poll = |token: &str, date: &str| -> Vec<RawEntry> {
            ["Bridge", "Budget", "Schools"]
                .iter()
                .enumerate()
                .map(|(id, title)| raw(&format!("https://x.org/a?id={id}&v={token}"), title, date))
                .collect()
        };
        for date in ["", "2026-11-01T00:00:00Z"] {
            let first = recognise(&poll("a1", date), &recent(&poll("b2", date)));
            let again = recognise(&poll("c3", date), &recent(&poll("a1", date)));
            assert_eq!(first.len(), 3);
            assert_eq!(first[1].key, "https://x.org/a?id=1&v=b2");
            let prints = |found: &[RecognisedEntry]| {
                found.iter().map(|one| one.fingerprint.clone()).collect::<Vec<_>>()
            };
            assert_eq!(prints(&first), prints(&again), "no edit");
        }
    }

    #[test]
    fn two_of_place_title_and_date_suffice_where_the_third_is_the_visits() {
        let titles = ["Bridge", "Budget", "Schools"];
        let poll = |url: &dyn Fn(usize) -> String,
                    date: &dyn Fn(usize) -> String,
                    count: usize|
         -> Vec<RawEntry> {
            titles[..count].iter().enumerate().map(|(id, title)| raw(&url(id), title, &date(id))).collect()
        };
        let day = |id: usize| format!("2026-11-0{}T00:00:00Z", id + 1);
        let path = |token: &'static str| move |id: usize| format!("https://x.org/go/{token}{id}");
        let found = recognise(&poll(&path("a"), &day, 3), &recent(&poll(&path("b"), &day, 3)));
        assert_eq!(found.len(), 3, "a path that changes");
        let place = |id: usize| format!("https://x.org/{id}");
        let of_hour = |hour: u8| move |_: usize| format!("2026-11-01T0{hour}:00:00Z");
        let found = recognise(&poll(&place, &of_hour(2), 2), &recent(&poll(&place, &of_hour(1), 2)));
        assert_eq!(found.len(), 2, "dated now");
        let nowhere = |_: usize| String::new();
        let without = |entries: Vec<RawEntry>| -> Vec<RawEntry> {
            entries.into_iter().map(|raw| RawEntry { links: Vec::new(), ..raw }).collect()
        };
        let first = without(poll(&nowhere, &day, 3));
        let stored: Vec<(String, StoredSummary)> = first
            .iter()
            .map(|raw| (raw.guid.clone().unwrap_or_default(), StoredSummary::of(raw, "")))
            .collect();
        assert_eq!(recognise(&without(poll(&nowhere, &day, 3)), &stored).len(), 3, "no address");
    }

    #[test]
    fn an_entry_that_is_edited_when_all_addresses_change_is_known_by_its_place() {
        let poll = |titles: [&str; 3], host: &str, token: &str, date: &str| -> Vec<RawEntry> {
            let url = |id: usize| format!("https://{host}/n{id}?id={id}&t={token}");
            titles.iter().enumerate().map(|(id, title)| raw(&url(id), title, date)).collect()
        };
        let (before, after) = (["Bridge", "Budget", "Schools"], ["Bridge", "Budget adopted", "Schools"]);
        for date in ["", "2026-11-01T00:00:00Z"] {
            let stored = recent(&poll(before, "x.org", "a1", date));
            let found = recognise(&poll(after, "x.org", "b2", date), &stored);
            let keys: HashSet<&str> = found.iter().map(|one| one.key.as_str()).collect();
            assert_eq!((found.len(), keys.len()), (3, 3), "{date}");
            assert!(found.iter().all(|one| one.key.contains(&format!("/n{}?", one.at))));
            let other = ["Bridge", "Budget", "Schools"].map(|_| "News");
            let unknown = recognise(&poll(other, "x.org", "b2", date), &stored);
            assert!(unknown.is_empty(), "titles that several have");
        }
    }

    #[test]
    fn what_may_be_another_entry_is_not_recognised() {
        let bulletin = |id: u8, date: &str| vec![raw(&format!("https://x.org/b?id={id}"), "Bulletin", date)];
        for date in ["", "2026-11-08T00:00:00Z"] {
            assert!(recognise(&bulletin(2, date), &recent(&bulletin(1, "2026-11-01T00:00:00Z"))).is_empty());
        }
        assert!(recognise(&bulletin(2, ""), &recent(&bulletin(1, ""))).is_empty());
        let alike = |ids: std::ops::Range<u8>| -> Vec<RawEntry> {
            ids.map(|id| raw(&format!("https://x.org/b?id={id}"), "News", "")).collect()
        };
        assert!(recognise(&alike(4..8), &recent(&alike(0..4))).is_empty(), "titles that several have");
    }
}
