//! The known entries of the store, as those see them who decide where a new one belongs.

use std::collections::HashMap;

use crate::dedupe::keys::{Names, keys};
use crate::dedupe::library::{BEARERS_MAX, Bearer, Bearers, DAYS_MAX, Known, Library, RARE_STORIES_MAX, stories};
use crate::dedupe::sketch::{Parts, language_code, sketch, source_hash};
use crate::model::address::canonical_key;
use crate::model::entry::Entry;
use crate::model::key::{Key, KeyKind};
use crate::model::sketch::Sketch;
use crate::normalize::html::text_of_safe_html;
use crate::store::{Shelved, StoreError, Work};

/// Entries that share an address: more are those of a front page.
const BEARERS_OF_KEY_MAX: usize = 50;
/// Entries of a story that are asked.
const MEMBERS_MAX: usize = 12;

/// The keys of a cleaned entry.
pub fn keys_of(entry: &Entry) -> Vec<Key> {
    keys(&Names::of(entry))
}

/// What a cleaned entry looks like. Where it has no date, the day stands for it on which it was first seen.
pub fn sketch_of(entry: &Entry, first_seen: jiff::Timestamp) -> Sketch {
    let content = entry.content_html.as_deref().map(text_of_safe_html);
    let text = content.as_deref().filter(|text| text.len() > entry.summary.len()).unwrap_or(&entry.summary);
    let links: Vec<String> =
        entry.image.iter().filter_map(|image| canonical_key(&image.url)).chain(entry.content_html.iter().flat_map(|html| addresses(html))).collect();
    let own = entry.url.as_deref().and_then(canonical_key);
    let links: Vec<String> = links.into_iter().filter(|link| Some(link) != own.as_ref()).collect();
    let day = entry.date().unwrap_or(first_seen).as_second().div_euclid(86_400);
    sketch(&Parts { source: &entry.source, title: &entry.title, text, language: entry.language.as_deref(), day: i32::try_from(day).ok(), links: &links })
}

/// Addresses in HTML that we made: links and pictures.
fn addresses(html: &str) -> Vec<String> {
    let parts = html.split(" href=\"").skip(1).chain(html.split(" src=\"").skip(1));
    parts.filter_map(|rest| canonical_key(&rest.split('"').next()?.replace("&amp;", "&"))).collect()
}

/// What the store knows, for one entry.
pub struct Shelves<'a, 'w> {
    work: &'a Work<'w>,
    /// Our id of the entry at hand: it is never its own neighbour.
    entry: &'a str,
    /// Those that were looked up: one entry bears many traits.
    seen: HashMap<i64, Option<Bearer>>,
}

impl<'a, 'w> Shelves<'a, 'w> {
    pub fn new(work: &'a Work<'w>, entry: &'a str) -> Self {
        Shelves { work, entry, seen: HashMap::new() }
    }

    fn look_up(&mut self, entries: Vec<i64>) -> Result<Vec<Bearer>, StoreError> {
        let mut found = Vec::with_capacity(entries.len());
        for entry in entries {
            let known = match self.seen.get(&entry) {
                Some(known) => *known,
                None => {
                    let known = self.work.shelved(entry, self.entry)?.map(bearer);
                    self.seen.insert(entry, known);
                    known
                }
            };
            found.extend(known);
        }
        Ok(found)
    }
}

/// Days that an entry may be seen before the day that it bears.
const EARLY_DAYS: i32 = 60;

fn bearer(shelved: Shelved) -> Bearer {
    let Shelved { entry, story, source, language } = shelved;
    Bearer { entry, story, source: source_hash(&source), language: language.as_deref().map_or(0, language_code), is_placed: true }
}

impl Library for Shelves<'_, '_> {
    type Error = StoreError;

    fn bearers_of_key(&mut self, key: &str) -> Result<Vec<(Bearer, KeyKind)>, StoreError> {
        let bearers = self.work.bearers_of_key(key, self.entry, BEARERS_OF_KEY_MAX)?;
        Ok(bearers.into_iter().map(|(shelved, kind)| (bearer(shelved), kind)).collect())
    }

    fn bearers(&mut self, traits: &[u32], around: Option<i32>) -> Result<Vec<Bearers>, StoreError> {
        let mut all = Vec::with_capacity(traits.len());
        if let Some(day) = around {
            let (after, days) = (self.work.last_entry_before_day(day - EARLY_DAYS)?, (day - DAYS_MAX, day + DAYS_MAX));
            for one in traits {
                // One more, for the entry at hand may be among them.
                let found = self.work.bearers_of_days(*one, after, days, BEARERS_MAX + 1)?;
                all.push(if found.len() > BEARERS_MAX { Bearers::Many } else { Bearers::Few(self.look_up(found)?) });
            }
            return Ok(all);
        }
        for one in traits {
            let found = self.work.bearers(*one, BEARERS_MAX + 1)?;
            let found = self.look_up(found)?;
            // A story that everybody syndicates has many bearers, and is one.
            all.push(if found.len() >= BEARERS_MAX && stories(&found) > RARE_STORIES_MAX { Bearers::Many } else { Bearers::Few(found) });
        }
        Ok(all)
    }

    fn known(&mut self, entry: i64) -> Result<Option<Known>, StoreError> {
        Ok(self.work.sketched(entry)?.and_then(|(story, sketch)| Some(Known { entry, story, sketch: sketch? })))
    }

    fn members(&mut self, story: i64) -> Result<Vec<i64>, StoreError> {
        self.work.members(story, MEMBERS_MAX)
    }

    fn languages(&mut self) -> Result<Vec<u32>, StoreError> {
        self.work.sketch_languages()
    }

    fn is_kept_out(&mut self, story: i64) -> Result<bool, StoreError> {
        self.work.is_kept_out(self.entry, story)
    }

    fn are_kept_apart(&mut self, a: i64, b: i64) -> Result<bool, StoreError> {
        self.work.are_kept_apart(a, b)
    }
}
