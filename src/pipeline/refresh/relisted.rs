//! Entries that are listed under another identity than they are stored under, in a document of which others are known: their
//! identifiers or addresses changed at an earlier visit, or count the places in the list, so that each new entry moves all others.

use std::collections::{HashMap, HashSet};

use super::visits::day_of;
use crate::dedupe::keys;
use crate::model::address::canonical_key;
use crate::model::entry::{Identity, StoredSummary};
use crate::model::feed::RawEntry;
use crate::support::text::fold;

/// An entry that is not known by its own identity.
pub(super) struct Doubtful<'a> {
    /// Its position in the document.
    pub at: usize,
    /// With a title in plain text.
    pub raw: &'a RawEntry,
    /// The keys of the identities that its place gives it: its own, and the same with the fragment of its address.
    pub keys: Vec<String>,
    /// Such an identity is that of a stored entry which it does not seem to be.
    pub is_taken: bool,
}

/// What an entry is recognised by: its address or the path of it, its folded title, its date in seconds.
type RelistedKey = (Option<String>, String, Option<i64>);

/// What of an address has to agree beside title and date, in the order in which it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MatchedPlace {
    Address,
    /// The site has another name now.
    Path,
    /// The text instead: the last words of the address changed.
    Text,
    /// Nothing: only where the place is that of another entry now, that of this one or that of the stored one.
    None,
}

impl MatchedPlace {
    /// What has to agree; `None` where that says too little.
    fn key(self, url: Option<&str>, title: &str, date: Option<i64>) -> Option<RelistedKey> {
        let address = url.and_then(canonical_key).map(|key| {
            format!("{key}#{}", url.and_then(|url| url.split_once('#')).map_or("", |(_, part)| part))
        });
        let title = fold(title);
        let (place, tells) = match self {
            // With neither address nor date, a title alone may be that of many.
            MatchedPlace::Address => (address.clone(), address.is_some() || date.is_some()),
            MatchedPlace::Path => {
                let path = address.and_then(|address| Some(address.split_once('/')?.1.to_owned()));
                let path = path.filter(|path| path.contains(char::is_alphanumeric));
                (path.clone(), path.is_some() && date.is_some())
            }
            MatchedPlace::Text | MatchedPlace::None => (None, true),
        };
        // What has no title is told apart by its time and its text.
        let is_named = !title.trim().is_empty() || self == MatchedPlace::Address && date.is_some();
        (tells && is_named).then_some((place, title, date))
    }
}

/// The stored entries that these are: their positions in `free`, by positions in the document. `free` are the source's latest entries,
/// the newest first, without those that the document lists under their identities.
pub(super) fn recognise(doubtful: &[Doubtful], free: &[(String, StoredSummary)]) -> HashMap<usize, usize> {
    let mut found = HashMap::new();
    let mut used = HashSet::new();
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for one in doubtful {
        one.keys.iter().for_each(|key| places.entry(key).or_default().push(one.at));
    }
    // Another entry stands where the stored one stood.
    let is_displaced = |stored: usize, by: usize| {
        places.get(free[stored].0.as_str()).is_some_and(|here| here.iter().any(|at| *at != by))
    };
    for place in [MatchedPlace::Address, MatchedPlace::Path, MatchedPlace::Text, MatchedPlace::None] {
        let mut stored: HashMap<RelistedKey, Vec<usize>> = HashMap::new();
        for (at, (_, one)) in free.iter().enumerate().filter(|(at, _)| !used.contains(at)) {
            let date = one.date.map(|date| date.as_second());
            if let Some(key) = place.key(one.url.as_deref(), &one.title, date) {
                stored.entry(key).or_default().push(at);
            }
        }
        let mut listed: HashMap<RelistedKey, Vec<&Doubtful>> = HashMap::new();
        for one in doubtful.iter().filter(|one| !found.contains_key(&one.at)) {
            let date = day_of(one.raw).map(|date| date.as_second());
            let title = one.raw.title.as_ref().map_or("", |title| title.value.as_str());
            if let Some(key) = place.key(one.raw.url(), title, date) {
                listed.entry(key).or_default().push(one);
            }
        }
        for (key, listed) in &listed {
            let ([one], Some(stored)) = (listed.as_slice(), stored.get(key)) else { continue };
            // Of several, the oldest: where one was stored again before it was recognised.
            let oldest = stored.iter().rev().find(|at| keys::has_same_text(one.raw, &free[**at].1));
            let is_candidate = match place {
                MatchedPlace::Address | MatchedPlace::Path => true,
                MatchedPlace::Text => {
                    stored.len() == 1 && oldest.is_some_and(|at| is_under_another_slug(one.raw, &free[*at].1))
                }
                // Its title alone tells where the identity does not.
                MatchedPlace::None => {
                    let is_free = |at: &usize| is_displaced(*at, one.at) || is_of_listing(&free[*at].0);
                    let is_moved = one.is_taken || oldest.is_some_and(is_free);
                    is_moved && (key.2.is_some() || stored.len() == 1)
                }
            };
            // What it was found not to be by its identity, it is not by less.
            if let Some(at) = oldest.filter(|at| is_candidate && !one.keys.contains(&free[**at].0)) {
                found.insert(one.at, *at);
                used.insert(*at);
            }
        }
    }
    found
}

/// Whether a stored entry had the address of the page that listed it: it may have its own now.
fn is_of_listing(key: &str) -> bool {
    matches!(Identity::from_key(key), Identity::Address(address) if address.contains('#'))
}

/// Fewer numbers that rise by one may do so by chance.
const COUNTED_MIN: usize = 3;

/// Whether the identifiers, or else the addresses, of a document differ in nothing but the place that each entry has in it, counted
/// from the top: `#n0`, `#n1`, `#n2`. Where the days rise as well, the numbers may be those of the entries.
pub(super) fn are_places_counted(entries: &[RawEntry]) -> bool {
    let names: Option<Vec<(String, Vec<String>)>> =
        entries.iter().map(|raw| raw.guid.as_deref().or(raw.url()).map(keys::figures_of)).collect();
    let Some(names) = names.filter(|names| names.len() >= COUNTED_MIN) else { return false };
    let (frame, first) = &names[0];
    let is_alike = |(other, figures): &(String, Vec<String>)| other == frame && figures.len() == first.len();
    if !names.iter().all(is_alike) {
        return false;
    }
    let varying: Vec<usize> =
        (0..first.len()).filter(|at| names.iter().any(|(_, figures)| figures[*at] != first[*at])).collect();
    let [place] = varying[..] else { return false };
    let begins = first[place].parse::<usize>().ok().filter(|first| *first <= 1);
    let is_counted = |begin: usize| {
        names.iter().enumerate().all(|(at, (_, figures))| figures[place].parse::<usize>() == Ok(begin + at))
    };
    let days: Vec<_> = entries.iter().filter_map(day_of).collect();
    let is_rising = days.windows(2).all(|two| two[0] <= two[1]) && days.first() < days.last();
    begins.is_some_and(is_counted) && !is_rising
}

/// Whether an entry without an identifier stands under other words at the end of its address than the known one, with the same text.
/// Figures tell issues of one title apart; without a date, most of the words have to be the same.
fn is_under_another_slug(raw: &RawEntry, known: &StoredSummary) -> bool {
    let (Some(ours), Some(theirs)) = (raw.url().and_then(canonical_key), known.url.as_deref()) else {
        return false;
    };
    let Some(theirs) = canonical_key(theirs) else { return false };
    let (Some((ours, own_slug)), Some((theirs, known_slug))) =
        (ours.rsplit_once('/'), theirs.rsplit_once('/'))
    else {
        return false;
    };
    let figures = |slug: &str| -> Vec<String> {
        let runs = slug.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
        runs.map(str::to_owned).collect()
    };
    let words = |slug: &str| -> HashSet<String> {
        let words = slug.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    let (own_words, known_words) = (words(own_slug), words(known_slug));
    let is_like =
        || own_words.intersection(&known_words).count() * 2 > own_words.len().max(known_words.len());
    raw.guid.is_none()
        && ours == theirs
        && figures(own_slug) == figures(known_slug)
        && (known.date.is_some() || is_like())
        && keys::has_whole_text(raw, known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::feed::{Enclosure, RawText};
    use crate::pipeline::refresh::visits::tests::raw;

    fn found(listed: &[(RawEntry, bool)], stored: &[RawEntry]) -> Vec<Option<usize>> {
        let free: Vec<_> =
            stored.iter().enumerate().map(|(at, raw)| (at.to_string(), StoredSummary::of(raw, ""))).collect();
        let doubtful: Vec<Doubtful> = listed
            .iter()
            .enumerate()
            .map(|(at, (raw, is_taken))| Doubtful { at, raw, keys: Vec::new(), is_taken: *is_taken })
            .collect();
        let found = recognise(&doubtful, &free);
        (0..listed.len()).map(|at| found.get(&at).copied()).collect()
    }

    #[test]
    fn an_entry_is_recognised_by_address_title_and_date_whatever_its_identifier() {
        for date in ["", "2026-11-01T00:00:00Z"] {
            let stored = [raw("https://x.org/a", "Bridge", date), raw("https://x.org/b", "Budget", date)];
            let listed = [(raw("http://x.org/b", "Budget", date), false)];
            assert_eq!(found(&listed, &stored), [Some(1)]);
            let untitled =
                [raw("https://x.org/a", "", date), raw("https://x.org/a", "", "2026-10-01T00:00:00Z")];
            let listed = [(raw("https://x.org/a", "", "2026-10-01T00:00:00Z"), false)];
            assert_eq!(found(&listed, &untitled), [Some(1)], "by its time");
            let listed = [(raw("https://x.org/a", "", ""), false)];
            assert_eq!(found(&listed, &untitled), [None], "without a time");
            let elsewhere = [(raw("https://x.org/c", "Budget", date), false)];
            assert_eq!(found(&elsewhere, &stored), [None], "the same title at another address");
            let moved = [(raw("https://new.example/b", "Budget", date), false)];
            let is_dated = !date.is_empty();
            assert_eq!(found(&moved, &stored), [is_dated.then_some(1)], "at another host");
        }
    }

    #[test]
    fn an_entry_under_another_slug_is_known_by_its_text() {
        let of = |url: &str, text: &str, date: &str| {
            let summary = Some(RawText { value: text.into(), ..RawText::default() });
            RawEntry { summary, ..raw(url, "The bridge is open", date) }
        };
        const TEXT: &str = "Cars may cross the river again from Monday on, says the mayor of the town.";
        const DAY: &str = "2026-11-01T00:00:00Z";
        let (slug, number) = ("https://x.org/a/the-brigde-is-open", "https://x.org/a/bridge-12");
        for (stored, url, text, date, is_found) in [
            (slug, "https://x.org/a/the-bridge-is-open", TEXT, "", true),
            (slug, "https://x.org/a/open-at-last", TEXT, DAY, true),
            (slug, "https://x.org/a/open-at-last", TEXT, "", false),
            (slug, "https://x.org/b/the-bridge-is-open", TEXT, DAY, false),
            (number, "https://x.org/a/bridge-13", TEXT, DAY, false),
            (slug, "https://x.org/a/the-bridge-is-open", "Boats as well.", DAY, false),
            (
                slug,
                "https://x.org/a/the-bridge-is-open",
                "Trams may cross the river again from Monday on, says the mayor of the town.",
                DAY,
                false,
            ),
        ] {
            let listed = [(of(url, text, date), false)];
            assert_eq!(
                found(&listed, &[of(stored, TEXT, date)]),
                [is_found.then_some(0)],
                "{url} {text} {date}"
            );
        }
        let marked =
            RawEntry { guid: Some("7".into()), ..of("https://x.org/a/the-bridge-is-open", TEXT, DAY) };
        assert_eq!(found(&[(marked, false)], &[of(slug, TEXT, DAY)]), [None], "an identifier of its own");
        let twice = [of(slug, TEXT, DAY), of("https://x.org/a/bridge", TEXT, DAY)];
        assert_eq!(found(&[(of("https://x.org/a/open", TEXT, DAY), false)], &twice), [None], "of two");
    }

    #[test]
    fn an_undated_entry_with_the_next_file_is_not_the_known_one() {
        let of = |number: u8| RawEntry {
            enclosures: vec![Enclosure {
                url: format!("https://x.org/files/letter-{number}.pdf"),
                ..Enclosure::default()
            }],
            ..raw("https://x.org/letter", "The letter of the town", "")
        };
        assert_eq!(found(&[(of(8), false)], &[of(8)]), [Some(0)]);
        assert_eq!(found(&[(of(9), false)], &[of(8)]), [None]);
    }

    #[test]
    fn where_identities_count_places_the_title_tells() {
        let stored = [raw("https://x.org/?n=1", "Bridge", ""), raw("https://x.org/?n=2", "Budget", "")];
        let listed = [
            (raw("https://x.org/?n=1", "Schools", ""), true),
            (raw("https://x.org/?n=2", "Bridge", ""), true),
        ];
        assert_eq!(found(&listed, &stored), [None, Some(0)]);
        let twice = [(listed[1].0.clone(), true), (raw("https://x.org/?n=3", "Bridge", ""), true)];
        assert_eq!(found(&twice, &stored), [None, None], "a title that several have");
        let later = [(raw("https://x.org/?n=2", "Bridge", "2026-11-01T00:00:00Z"), true)];
        assert_eq!(found(&later, &stored), [None], "of another date");
    }

    #[test]
    fn places_are_counted_from_the_top_and_numbers_of_entries_are_not() {
        let are_counted = |urls: &[&str], days: [u8; 3]| {
            let entry = |(url, day): (&&str, u8)| {
                let date = if day == 0 { String::new() } else { format!("2026-11-0{day}T00:00:00Z") };
                raw(url, "Bridge", &date)
            };
            are_places_counted(&urls.iter().zip(days).map(entry).collect::<Vec<_>>())
        };
        const NONE: [u8; 3] = [0, 0, 0];
        for urls in [
            ["https://x.org/news#n0", "https://x.org/news#n1", "https://x.org/news#n2"],
            ["https://x.org/#/a/1", "https://x.org/#/a/2", "https://x.org/#/a/3"],
            ["https://x.org/v2/a-01", "https://x.org/v2/a-02", "https://x.org/v2/a-03"],
        ] {
            assert!(are_counted(&urls, NONE) && are_counted(&urls, [3, 2, 1]), "{urls:?}");
            assert!(!are_counted(&urls, [1, 2, 3]), "the oldest first: {urls:?}");
            assert!(!are_counted(&urls[..2], NONE), "two");
        }
        for urls in [
            ["https://x.org/a3", "https://x.org/a2", "https://x.org/a1"],
            ["https://x.org/a7", "https://x.org/a8", "https://x.org/a9"],
            ["https://x.org/a1", "https://x.org/b2", "https://x.org/a3"],
            ["https://x.org/1/1", "https://x.org/2/2", "https://x.org/3/3"],
        ] {
            assert!(!are_counted(&urls, NONE), "{urls:?}");
        }
    }
}
