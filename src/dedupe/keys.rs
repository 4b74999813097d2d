//! What entries are called: identifiers and addresses that copies share, and identifiers that are used again for something else.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::model::address::canonical_key;
use crate::model::entry::{Alternate, Entry, Identity, StoredSummary};
use crate::model::feed::RawEntry;
use crate::model::key::{Key, KeyKind};
use crate::support::text::fold;

/// A title shorter than this says too little to tell an entry by, in characters.
const TITLE_CHARS_MIN: usize = 12;

/// What an entry is called, by itself and by others.
#[derive(Debug, Clone, Copy, Default)]
pub struct Names<'a> {
    pub source: &'a str,
    pub url: Option<&'a str>,
    pub guid: Option<&'a str>,
    /// Other addresses of the same text.
    pub same_as: &'a [String],
    pub alternates: &'a [Alternate],
    pub title: &'a str,
    pub summary: &'a str,
    pub date: Option<Timestamp>,
}

impl<'a> Names<'a> {
    pub fn of(entry: &'a Entry) -> Names<'a> {
        Names {
            source: &entry.source,
            url: entry.url.as_deref(),
            guid: entry.guid.as_deref(),
            same_as: &entry.same_as,
            alternates: &entry.alternates,
            title: &entry.title,
            summary: &entry.summary,
            date: entry.date(),
        }
    }
}

/// The keys of an entry: its addresses, those of its translations, and within its source its title and date, so that
/// a source that changes all its guids and addresses at once is not news again.
pub fn keys(names: &Names) -> Vec<Key> {
    let own = names
        .url
        .into_iter()
        .chain(names.same_as.iter().map(String::as_str))
        .chain(names.guid.filter(|guid| guid.starts_with("http")));
    let mut keys: Vec<Key> =
        own.filter_map(canonical_key).map(|value| Key { value, kind: KeyKind::Own }).collect();
    let alternates = names.alternates.iter().filter_map(|alternate| canonical_key(&alternate.url));
    let alternates: Vec<Key> = alternates
        .filter(|value| keys.iter().all(|own| own.value != *value))
        .map(|value| Key { value, kind: KeyKind::Alternate })
        .collect();
    keys.extend(alternates);
    let title = fold(names.title);
    if title.chars().count() >= TITLE_CHARS_MIN {
        // Without a date the whole text has to agree: a series often has one title for all its issues.
        let when =
            names.date.map_or_else(|| fold(names.summary), |date| date.strftime("%Y-%m-%d").to_string());
        keys.push(Key { value: format!("title:{}:{when}:{title}", names.source), kind: KeyKind::Own });
    }
    keys.sort();
    keys.dedup();
    keys
}

/// The key of a guid in its source, for those whose entries are not recognised by it before.
pub fn guid_key(source: &str, guid: &str) -> Key {
    Key { value: format!("guid:{source}:{guid}"), kind: KeyKind::Own }
}

/// Words that two texts share, of all that either has: 0 to 1. Two empty texts share nothing.
fn similarity(a: &str, b: &str) -> f64 {
    let words = |text: &str| -> HashSet<String> {
        fold(text)
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.chars().count() > 2)
            .map(str::to_owned)
            .collect()
    };
    let (a, b) = (words(a), words(b));
    let shared = a.intersection(&b).count();
    let all = a.len() + b.len() - shared;
    if all == 0 { 0.0 } else { shared as f64 / all as f64 }
}

/// Whether a source gave the identifier of one entry to another: neither title nor text agree, nor its address or date.
/// Some sites give all their entries the address of the front page.
pub fn is_reused(raw: &RawEntry, known: &StoredSummary) -> bool {
    let (Some(_), Some(title)) = (&raw.guid, &raw.title) else { return false };
    let summary = raw.summary.as_ref().or(raw.content.as_ref()).map_or("", |text| text.value.as_str());
    let has_other_place = raw.url().and_then(canonical_key) != known.url.as_deref().and_then(canonical_key);
    let has_other_date = raw.published.or(raw.updated) != known.date;
    !known.title.is_empty()
        && similarity(&title.value, &known.title) < 0.2
        && similarity(summary, &known.summary) < 0.3
        && (has_other_place || has_other_date)
}

/// The identity of an entry whose identifier belongs to another one: that and its address, else that and its title.
pub fn identity_of_reused(raw: &RawEntry, known: &StoredSummary) -> Identity {
    let guid = raw.guid.as_deref().unwrap_or_default();
    let place = raw
        .url()
        .and_then(canonical_key)
        .filter(|place| known.url.as_deref().and_then(canonical_key).as_ref() != Some(place));
    let title = || raw.title.as_ref().map(|title| fold(&title.value)).unwrap_or_default();
    Identity::Guid(format!("{guid}#{}", place.unwrap_or_else(title)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::feed::{Link, RawText};

    #[test]
    fn an_identifier_that_is_used_again_is_noticed_and_an_edit_is_none() {
        let raw = |title: &str, url: &str, day: &str| RawEntry {
            guid: Some("https://x.org/".into()),
            title: Some(RawText { value: title.into(), ..RawText::default() }),
            links: vec![Link { href: url.into(), rel: "alternate".into(), media_type: None, hreflang: None }],
            published: format!("{day}T00:00:00Z").parse().ok(),
            ..RawEntry::default()
        };
        let known = StoredSummary::of(&raw("Open justice advances", "https://x.org/a", "2022-10-01"), "");
        let other = raw("Budget figures for everyone", "https://x.org/b", "2022-10-08");
        assert!(is_reused(&other, &known));
        assert_eq!(identity_of_reused(&other, &known), Identity::Guid("https://x.org/#x.org/b".into()));
        assert!(
            !is_reused(&raw("Open justice advances fast", "https://x.org/a", "2022-10-01"), &known),
            "an edited title"
        );
        assert!(
            !is_reused(&raw("Quite another headline", "https://x.org/a", "2022-10-01"), &known),
            "a new headline for the same page and day"
        );
        assert!(
            !is_reused(&raw("Open justice advances", "https://x.org/b", "2022-10-08"), &known),
            "a page that moved"
        );
    }
}
