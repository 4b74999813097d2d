//! Which entries tell the same story. Pure: the pipeline looks up what the store knows under an entry's keys, and
//! this decides. Series ("Boletín 41", "Boletín 42") share no key and stay apart.

use std::collections::HashSet;

use crate::model::address::canonical_key;
use crate::model::entry::{Entry, Identity, Known};
use crate::model::feed::RawEntry;
use crate::model::key::{Candidate, Key, KeyKind};
use crate::model::story::Relation;
use crate::text::fold;

/// What to do with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// News: the first entry of a story of its own.
    NewStory,
    Join {
        story: String,
        relation: Relation,
        /// For `courant entries` and the operator: which entry, and by what.
        reason: String,
        /// Other stories that turn out to be this one.
        also: Vec<String>,
    },
}

/// A title shorter than this says too little to tell an entry by, in characters.
const TITLE_CHARS_MIN: usize = 12;

/// The keys of an entry: its addresses, those of its translations, and within its source its title and date, so that
/// a source that changes all its guids and addresses at once is not news again.
pub fn keys(entry: &Entry) -> Vec<Key> {
    let own = entry.url.iter().chain(&entry.same_as).chain(entry.guid.as_ref().filter(|guid| guid.starts_with("http")));
    let mut keys: Vec<Key> = own.filter_map(|url| canonical_key(url)).map(|value| Key { value, kind: KeyKind::Own }).collect();
    let alternates = entry.alternates.iter().filter_map(|alternate| canonical_key(&alternate.url));
    let alternates: Vec<Key> =
        alternates.filter(|value| keys.iter().all(|own| own.value != *value)).map(|value| Key { value, kind: KeyKind::Alternate }).collect();
    keys.extend(alternates);
    let title = fold(&entry.title);
    if title.chars().count() >= TITLE_CHARS_MIN {
        // Without a date the whole text has to agree: a series often has one title for all its issues.
        let when = entry.date().map_or_else(|| fold(&entry.summary), |date| date.strftime("%Y-%m-%d").to_string());
        keys.push(Key { value: format!("title:{}:{when}:{title}", entry.source), kind: KeyKind::Own });
    }
    keys.sort();
    keys.dedup();
    keys
}

/// Decides where an entry belongs, given all stored entries that share one of its keys.
pub fn place(entry: &Entry, own_keys: &[Key], candidates: &[Candidate]) -> Placement {
    let mut joins: Vec<(Relation, &Candidate, String)> = Vec::new();
    for candidate in candidates {
        let Some(ours) = own_keys.iter().find(|key| key.value == candidate.key.value) else { continue };
        let both_own = ours.kind == KeyKind::Own && candidate.key.kind == KeyKind::Own;
        if let Some(relation) = relation(entry, candidate, both_own) {
            let by = reason(&ours.value, both_own);
            joins.push((relation, candidate, format!("{} of \"{}\" ({}): {by}", relation.as_str(), candidate.title, candidate.source)));
        }
    }
    joins.sort_by_key(|(relation, ..)| *relation != Relation::Copy);
    let Some((relation, first, reason)) = joins.first().cloned() else { return Placement::NewStory };
    let mut also: Vec<String> = joins.iter().map(|(_, candidate, _)| candidate.story.clone()).filter(|story| *story != first.story).collect();
    also.sort();
    also.dedup();
    Placement::Join { story: first.story.clone(), relation, reason, also }
}

fn relation(entry: &Entry, candidate: &Candidate, both_own: bool) -> Option<Relation> {
    let primary = |language: &Option<String>| language.as_deref().map(|tag| tag.split('-').next().unwrap_or(tag).to_ascii_lowercase());
    let (ours, theirs) = (primary(&entry.language), primary(&candidate.language));
    let differs = ours.is_some() && theirs.is_some() && ours != theirs;
    let is_same_source = entry.source == candidate.source;
    let same_title = fold(&entry.title) == fold(&candidate.title);
    match (both_own, is_same_source) {
        // One address for two items of one source: a copy only when they say the same.
        (true, true) if !same_title => differs.then_some(Relation::Translation),
        (true, _) => Some(if differs && !same_title { Relation::Translation } else { Relation::Copy }),
        // Two items of one source in one language are no translations, whatever their pages claim.
        (false, true) => differs.then_some(Relation::Translation),
        (false, false) => Some(if differs { Relation::Translation } else { Relation::Copy }),
    }
}

/// Words that two texts share, of all that either has: 0 to 1. Two empty texts share nothing.
fn similarity(a: &str, b: &str) -> f64 {
    let words = |text: &str| -> HashSet<String> {
        fold(text).split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() > 2).map(str::to_owned).collect()
    };
    let (a, b) = (words(a), words(b));
    let shared = a.intersection(&b).count();
    let all = a.len() + b.len() - shared;
    if all == 0 { 0.0 } else { shared as f64 / all as f64 }
}

/// Whether a source gave the identifier of one entry to another: neither title nor text agree, nor its address or date.
/// Some sites give all their entries the address of the front page.
pub fn is_reused(raw: &RawEntry, known: &Known) -> bool {
    let (Some(_), Some(title)) = (&raw.guid, &raw.title) else { return false };
    let summary = raw.summary.as_ref().or(raw.content.as_ref()).map_or("", |text| text.value.as_str());
    let has_other_place = raw.url().and_then(canonical_key) != known.url.as_deref().and_then(canonical_key);
    let has_other_date = raw.published.or(raw.updated) != known.date;
    !known.title.is_empty() && similarity(&title.value, &known.title) < 0.2 && similarity(summary, &known.summary) < 0.3 && (has_other_place || has_other_date)
}

/// The identity of an entry whose identifier belongs to another one: that and its address, else that and its title.
pub fn identity_of_reused(raw: &RawEntry, known: &Known) -> Identity {
    let guid = raw.guid.as_deref().unwrap_or_default();
    let place = raw.url().and_then(canonical_key).filter(|place| known.url.as_deref().and_then(canonical_key).as_ref() != Some(place));
    let title = || raw.title.as_ref().map(|title| fold(&title.value)).unwrap_or_default();
    Identity::Guid(format!("{guid}#{}", place.unwrap_or_else(title)))
}

fn reason(key: &str, both_own: bool) -> String {
    match (key.starts_with("title:"), both_own) {
        (true, _) => "same title and day in the same source".into(),
        (false, true) => format!("same address {key}"),
        (false, false) => format!("hreflang {key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::Alternate;
    use crate::model::feed::{Link, RawText};

    fn entry(source: &str, url: &str, title: &str, language: &str) -> Entry {
        Entry {
            id: format!("{source}{url}"),
            source: source.into(),
            guid: None,
            identity: Identity::Address(url.into()),
            url: Some(url.into()),
            same_as: Vec::new(),
            title: title.into(),
            summary: String::new(),
            summary_html: None,
            content_html: None,
            language: Some(language.into()),
            published: "2022-10-14T00:00:00Z".parse().ok(),
            updated: None,
            authors: Vec::new(),
            tags: Vec::new(),
            image: None,
            enclosures: Vec::new(),
            alternates: Vec::new(),
            provenance: None,
            fingerprint: String::new(),
        }
    }

    /// Places `new` in a store that holds only `old`.
    fn placed(new: &Entry, old: &Entry) -> Placement {
        let own = keys(new);
        let shared = keys(old).into_iter().filter(|key| own.iter().any(|k| k.value == key.value));
        let candidates: Vec<Candidate> = shared
            .map(|key| Candidate {
                key,
                entry_id: old.id.clone(),
                story: "s1".into(),
                source: old.source.clone(),
                language: old.language.clone(),
                title: old.title.clone(),
            })
            .collect();
        place(new, &own, &candidates)
    }

    fn joined(new: &Entry, old: &Entry) -> Option<Relation> {
        match placed(new, old) {
            Placement::Join { relation, .. } => Some(relation),
            Placement::NewStory => None,
        }
    }

    #[test]
    fn one_address_in_two_sources_is_one_story() {
        let old = entry("a", "https://x.org/story/", "Open justice advances", "en");
        let new = entry("b", "http://www.x.org/story?utm_source=rss#top", "Open justice advances (via X)", "en");
        assert_eq!(joined(&new, &old), Some(Relation::Copy));
    }

    #[test]
    fn hreflang_links_translations_both_ways() {
        let fr = entry("a", "https://x.org/fr/histoire", "La justice ouverte progresse", "fr");
        let mut en = entry("b", "https://x.org/story", "Open justice advances", "en");
        en.alternates.push(Alternate { language: "fr".into(), url: "https://x.org/fr/histoire".into() });
        assert_eq!(joined(&en, &fr), Some(Relation::Translation));
        assert_eq!(joined(&fr, &en), Some(Relation::Translation));
    }

    #[test]
    fn a_series_never_collapses() {
        let old = entry("a", "https://x.org/boletin-41", "Boletín número 41", "es");
        let mut new = entry("a", "https://x.org/boletin-42", "Boletín número 42", "es");
        assert_eq!(joined(&new, &old), None);
        // Nor when the site points every page's hreflang at the same front page.
        let mut old = old;
        for entry in [&mut old, &mut new] {
            entry.alternates.push(Alternate { language: "en".into(), url: "https://x.org/en/newsletter".into() });
        }
        assert_eq!(joined(&new, &old), None);
    }

    #[test]
    fn a_source_that_changes_all_its_addresses_is_recognised() {
        let old = entry("a", "https://x.org/?p=1", "Open justice advances", "en");
        let new = entry("a", "https://x.org/2022/open-justice", "Open justice advances", "en");
        assert_eq!(joined(&new, &old), Some(Relation::Copy));
        let other_source = entry("b", "https://y.org/open-justice", "Open justice advances", "en");
        assert_eq!(joined(&other_source, &old), None);
    }

    #[test]
    fn two_items_of_one_source_may_share_an_address() {
        let old = entry("a", "https://x.org/live", "Live: morning session", "en");
        let new = entry("a", "https://x.org/live", "Live: afternoon session", "en");
        assert_eq!(joined(&new, &old), None);
    }

    #[test]
    fn an_identifier_that_is_used_again_is_noticed_and_an_edit_is_none() {
        let raw = |title: &str, url: &str, day: &str| RawEntry {
            guid: Some("https://x.org/".into()),
            title: Some(RawText { value: title.into(), ..RawText::default() }),
            links: vec![Link { href: url.into(), rel: "alternate".into(), media_type: None, hreflang: None }],
            published: format!("{day}T00:00:00Z").parse().ok(),
            ..RawEntry::default()
        };
        let known = Known::of(&raw("Open justice advances", "https://x.org/a", "2022-10-01"), "");
        let other = raw("Budget figures for everyone", "https://x.org/b", "2022-10-08");
        assert!(is_reused(&other, &known));
        assert_eq!(identity_of_reused(&other, &known), Identity::Guid("https://x.org/#x.org/b".into()));
        assert!(!is_reused(&raw("Open justice advances fast", "https://x.org/a", "2022-10-01"), &known), "an edited title");
        assert!(!is_reused(&raw("Quite another headline", "https://x.org/a", "2022-10-01"), &known), "a new headline for the same page and day");
        assert!(!is_reused(&raw("Open justice advances", "https://x.org/b", "2022-10-08"), &known), "a page that moved");
    }
}
