//! Prepares the entries of a document for the store: recognises and normalizes them, and determines language, topics and sketch.
//! Everything expensive happens here, before any unit of work.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use url::Url;

use super::relisted::{self, Doubtful};
use super::visits::{self, RecognisedEntry};
use crate::classify::Classifier;
use crate::dedupe::grams::Opening;
use crate::dedupe::keys::{self, EntryNames, FurtherIdentities, further_identities};
use crate::dedupe::sketch::{LINKS_MAX, SketchInput, sketch};
use crate::extract::boilerplate;
use crate::model::address::{canonical_key, is_file_path};
use crate::model::entry::{Entry, Identity, StoredSummary};
use crate::model::event::Event;
use crate::model::feed::{Enclosure, RawEntry, RawText};
use crate::model::filter::RuleOutcome;
use crate::model::key::{Key, KeyKind};
use crate::model::sketch::{Sketch, hash64};
use crate::model::source::Source;
use crate::model::topic::TopicMatch;
use crate::normalize::entry::{Context, fingerprint, identity, normalize, plain};
use crate::normalize::html::{safe_html, text_of_safe_html};
use crate::normalize::language::LanguageDetector;
use crate::support::text::{fold, truncated};

/// An entry as listed by the source, with the identity it is recognised by. The fingerprint covers what is listed, before the
/// item's own page adds to it.
pub struct ListedEntry {
    pub raw: RawEntry,
    pub identity: Identity,
    pub key: String,
    pub fingerprint: String,
    /// It was stored with the same fingerprint when looked up.
    pub is_same: bool,
    /// Its own identity is that of another entry, of the same title.
    pub is_reissue: bool,
    /// Another number in identifier and address tells it from a stored entry of the same title.
    pub is_next_issue: bool,
}

/// An entry ready for a decision.
pub struct Candidate {
    pub key: String,
    pub fingerprint: String,
    /// `None` if it was stored and unchanged when looked up, and need not be processed.
    pub cleaned: Option<Box<CleanedEntry>>,
}

/// What is stored of an entry if it is new or changed.
pub struct CleanedEntry {
    pub entry: Entry,
    pub topics: Vec<TopicMatch>,
    pub keys: Vec<Key>,
    pub sketch: Sketch,
    /// The rule of the source's filter that drops it.
    pub dropped_by: Option<String>,
}

/// Maximum length of the text that is compared, in bytes.
const OUTLINE_BYTES_MAX: usize = 2_000;

/// Maximum number of files of an entry that are compared.
const FILES_MAX: usize = 16;

/// Adds to what is known of entries the files that they came with.
pub fn add_files<'a>(
    known: impl Iterator<Item = (&'a String, &'a mut StoredSummary)>,
    attached: Vec<(String, Vec<String>, String)>,
) {
    let mut known: HashMap<&String, &mut StoredSummary> = known.collect();
    for (key, enclosed, markup) in attached {
        if let Some(stored) = known.get_mut(&key) {
            stored.files = enclosed.into_iter().chain(linked_files(&markup)).take(FILES_MAX).collect();
        }
    }
}

/// Of more new texts at once, none is an edit. Each is compared with those that are known.
const EDITS_MAX: usize = 50;

/// So many entries of a document may each stand where whatever is newest stands.
const FRONTS_MAX: usize = 2;

/// What an entry is compared by, and the further identities it may be recognised by.
struct Outline {
    /// Only the start of its text, with a plain-text title as in the stored entries, and with the files that it links to as
    /// enclosures.
    raw: RawEntry,
    further: FurtherIdentities,
}

impl Outline {
    fn of(raw: &RawEntry, own: &Identity) -> Outline {
        let start = |text: &RawText| {
            let value = truncated(&text.value, OUTLINE_BYTES_MAX).to_owned();
            RawText { value, is_html: text.is_html, ..RawText::default() }
        };
        let raw = RawEntry {
            enclosures: files_of(raw).map(|url| Enclosure { url, ..Enclosure::default() }).collect(),
            event: raw.event.clone(),
            guid: raw.guid.clone(),
            links: raw.links.clone(),
            title: plain_title(raw),
            summary: raw.summary.as_ref().or(raw.content.as_ref()).map(start),
            published: raw.published,
            updated: raw.updated,
            ..RawEntry::default()
        };
        Outline { further: further_identities(&raw, own), raw }
    }
}

/// The title of an entry in plain text, as it is stored.
fn plain_title(raw: &RawEntry) -> Option<RawText> {
    raw.title.as_ref().map(|title| RawText { value: plain(title), ..RawText::default() })
}

/// The addresses of what an entry encloses and of the files that it links to.
fn files_of(raw: &RawEntry) -> impl Iterator<Item = String> {
    let enclosed = raw.enclosures.iter().map(|enclosure| enclosure.url.clone());
    let texts = [&raw.summary, &raw.content].into_iter().flatten().filter(|text| text.is_html);
    enclosed.chain(texts.flat_map(|text| linked_files(&safe_html(&text.value, None)))).take(FILES_MAX)
}

/// The files that HTML which we generated links to.
fn linked_files(html: &str) -> Vec<String> {
    values_after(html, " href=\"").filter(|address| is_file_path(address)).collect()
}

/// Assigns to the entries of a document the identities they are recognised by. Most have one that is unambiguous: only the
/// others are compared.
pub struct Recogniser {
    entries: Vec<RawEntry>,
    own: Vec<Identity>,
    keys: Vec<String>,
    fingerprints: Vec<String>,
    /// Outlines of the entries that are compared.
    outlines: Vec<Option<Outline>>,
    /// The keys of entries that are stored under other identities than those they bear, by their positions.
    relisted: HashMap<usize, String>,
    /// The positions of entries that are the next issues of stored ones, by their numbers.
    next_issues: HashSet<usize>,
    /// Identities count places in the list: an entry with another title than the known one is another.
    is_positional: bool,
    /// All entries have the time of the reading for their date.
    is_dated_by_reading: bool,
    /// All entries have the very moment of this reading for their date, be there one or more.
    is_dated_now: bool,
    /// When the source was read before.
    last_reading: Option<Timestamp>,
    /// Identities may stand for whatever is newest: not so many entries changed wholly that the page is in another language.
    may_have_fronts: bool,
}

impl Recogniser {
    /// For a document that is read now.
    pub fn new(entries: Vec<RawEntry>, now: Timestamp) -> Recogniser {
        let is_dated_by_reading = visits::are_dates_of_reading(&entries, now);
        let is_dated_now = entries.iter().all(|raw| visits::is_moment_of(now, raw.date()));
        let own: Vec<Identity> = entries.iter().map(identity).collect();
        let keys = own.iter().map(Identity::key).collect();
        let fingerprints = entries.iter().map(fingerprint).collect();
        Recogniser {
            entries,
            own,
            keys,
            fingerprints,
            outlines: Vec::new(),
            relisted: HashMap::new(),
            next_issues: HashSet::new(),
            is_positional: false,
            is_dated_by_reading,
            is_dated_now,
            last_reading: None,
            may_have_fronts: false,
        }
    }

    /// Whether it matters when the source was read before.
    pub fn needs_last_reading(&self) -> bool {
        self.is_dated_now
    }

    pub fn set_last_reading(&mut self, last_reading: Option<Timestamp>) {
        self.last_reading = last_reading;
    }

    /// The keys of the entries' own identities.
    pub fn own_keys(&self) -> &[String] {
        &self.keys
    }

    /// Gives entries the days under which they are known, where only the time of the reading makes others of them: events stay events
    /// once their day is past, when a page no longer tells it from that of a publication; what was "yesterday" is no other day when it is
    /// "2 days ago" or "a week ago"; the time of each reading is none of an entry.
    pub fn keep_days(&mut self, known: &HashMap<String, StoredSummary>) {
        for (at, raw) in self.entries.iter_mut().enumerate() {
            let Some(stored) = known.get(&self.keys[at]) else { continue };
            let begin = stored.event;
            if self.is_dated_by_reading
                && keys::has_same_text(&RawEntry { title: plain_title(raw), ..raw.clone() }, stored)
            {
                visits::dated_as(raw, stored.date);
                self.fingerprints[at] = fingerprint(raw);
                continue;
            }
            if raw.is_told_from_today && stored.date.is_some() && raw.published != stored.date {
                raw.published = stored.date;
                self.fingerprints[at] = fingerprint(raw);
                continue;
            }
            let is_that_day = |event: &Event| {
                let instant = event.begin.instant();
                begin.zip(instant).is_some_and(|(known, begin)| keys::is_same_day(known, begin))
            };
            if let Some(event) = raw.date_as_event.take_if(|event| is_that_day(event)) {
                raw.event = Some(event);
                raw.published = None;
                self.fingerprints[at] = fingerprint(raw);
            }
        }
    }

    /// For a document of which nothing is known by its own identities: puts entries under those of the stored ones that they are, of
    /// the source's latest. Answers what is known of these.
    pub fn recognise_visits(
        &mut self,
        mut recent: Vec<(String, StoredSummary)>,
    ) -> HashMap<String, StoredSummary> {
        let found = match self.is_dated_by_reading {
            true => visits::recognise_undated(&self.entries, &recent),
            false => visits::recognise(&self.entries, &recent),
        };
        let dates: HashMap<&String, Option<Timestamp>> =
            recent.iter().map(|(key, stored)| (key, stored.date)).collect();
        for one in found.iter().filter(|_| self.is_dated_by_reading) {
            visits::dated_as(&mut self.entries[one.at], dates.get(&one.key).copied().flatten());
        }
        let is_found = |key: &String| found.iter().any(|one| one.key == *key);
        recent.retain(|(key, _)| is_found(key));
        for RecognisedEntry { at, key, fingerprint, .. } in found {
            self.own[at] = Identity::from_key(&key);
            self.fingerprints[at] = fingerprint;
            self.keys[at] = key;
        }
        recent.into_iter().collect()
    }

    /// The keys of entries that are stored otherwise than they are listed.
    pub fn changed_keys(&self, known: &HashMap<String, StoredSummary>) -> Vec<String> {
        let is_changed = |(key, fingerprint): &(&String, &String)| {
            known.get(*key).is_some_and(|stored| stored.fingerprint != **fingerprint)
        };
        let keys = self.keys.iter().zip(&self.fingerprints).filter(is_changed).map(|(key, _)| key.clone());
        keys.collect()
    }

    /// The entries that have nothing but a text, and are not stored with it, if they are few.
    fn unknown_texts(&self, known: &HashMap<String, StoredSummary>) -> Vec<usize> {
        let is_unknown = |at: &usize| {
            matches!(self.own[*at], Identity::Content(_)) && !known.contains_key(&self.keys[*at])
        };
        let unknown: Vec<usize> = (0..self.entries.len()).filter(is_unknown).collect();
        if unknown.len() > EDITS_MAX { Vec::new() } else { unknown }
    }

    /// Whether entries have nothing to be recognised by after an edit but what is left of their text.
    pub fn has_unknown_texts(&self, known: &HashMap<String, StoredSummary>) -> bool {
        !self.unknown_texts(known).is_empty()
    }

    /// Puts entries that have nothing but a text under the stored ones of which they are an edit, of the source's latest. Answers
    /// what is known of these.
    pub fn recognise_edits(
        &mut self,
        mut recent: Vec<(String, StoredSummary)>,
        known: &HashMap<String, StoredSummary>,
    ) -> HashMap<String, StoredSummary> {
        let mut found = HashMap::new();
        // What is still listed is no earlier version of anything.
        recent.retain(|(key, _)| {
            matches!(Identity::from_key(key), Identity::Content(_)) && !self.keys.contains(key)
        });
        for at in self.unknown_texts(known) {
            let edited = recent.iter().position(|(_, stored)| keys::is_edit(&self.entries[at], stored));
            let Some(edited) = edited else { continue };
            let (key, stored) = recent.swap_remove(edited);
            self.own[at] = Identity::from_key(&key);
            self.keys[at].clone_from(&key);
            found.insert(key, stored);
        }
        found
    }

    /// The positions of entries without a text that have only another date than the known ones: with many others, or because each
    /// reading is their date. `bearers` counts the entries of each key.
    fn redated(
        &self,
        known: &HashMap<String, StoredSummary>,
        bearers: &HashMap<&str, usize>,
    ) -> HashSet<usize> {
        let of = |at: usize| {
            let key = self.keys[at].as_str();
            known.get(key).filter(|_| bearers[key] == 1).map(|stored| (at, stored))
        };
        let is_told_again = |(at, stored): &(usize, &StoredSummary)| {
            let raw = &self.entries[*at];
            let title = || fold(&raw.title.as_ref().map(plain).unwrap_or_default());
            keys::is_told_again(raw, stored) && title() == fold(&stored.title)
        };
        let told: Vec<(usize, &StoredSummary)> =
            (0..self.entries.len()).filter_map(of).filter(is_told_again).collect();
        let are_many = told.len() > FRONTS_MAX;
        let is_of_reading = |stored: &StoredSummary| {
            let last = self.last_reading.filter(|_| self.is_dated_now);
            last.is_some_and(|last| visits::is_moment_of(last, stored.date))
        };
        told.into_iter().filter(|(_, stored)| are_many || is_of_reading(stored)).map(|(at, _)| at).collect()
    }

    /// Finds out what is to be compared; answers the keys of what else it may be stored under. `known` is what is stored under the
    /// identities that entries bear; `has_entries`, whether anything of the source is stored at all.
    pub fn outline(&mut self, known: &HashMap<String, StoredSummary>, has_entries: bool) -> Vec<String> {
        let mut bearers: HashMap<&str, usize> = HashMap::new();
        self.keys.iter().for_each(|key| *bearers.entry(key).or_default() += 1);
        let redated = self.redated(known, &bearers);
        let mut further = Vec::new();
        for (at, raw) in self.entries.iter().enumerate() {
            let (own, key) = (&self.own[at], &self.keys[at]);
            let stored = known.get(key);
            let is_settled = match stored {
                Some(stored) => stored.fingerprint == self.fingerprints[at],
                None => !has_entries,
            };
            let is_compared = if raw.has_certain_guid {
                stored.is_some_and(|stored| keys::is_reused_for_event(raw, stored))
            } else {
                !is_settled || bearers[key.as_str()] > 1
            };
            let outline = is_compared.then(|| match stored.filter(|_| redated.contains(&at)) {
                Some(stored) => {
                    let mut again = raw.clone();
                    visits::dated_as(&mut again, stored.date);
                    Outline::of(&again, own)
                }
                None => Outline::of(raw, own),
            });
            let is_known =
                |outline: &&Outline| stored.is_some_and(|stored| keys::is_known(&outline.raw, stored));
            if let Some(outline) = outline.as_ref().filter(|outline| has_entries && !is_known(outline)) {
                further.extend(outline.further.iter().flatten().map(Identity::key));
            }
            self.outlines.push(outline);
        }
        further
    }

    /// The key that an entry is known by: its own, or else that of a further identity.
    fn known_key(&self, at: usize, known: &HashMap<String, StoredSummary>) -> Option<String> {
        let key = &self.keys[at];
        let Some(Outline { raw, further }) = &self.outlines[at] else { return Some(key.clone()) };
        let is_stored = |key: &String| known.get(key).is_some_and(|stored| keys::is_known(raw, stored));
        let further = further.iter().flatten().map(Identity::key);
        std::iter::once(key.clone()).chain(further).find(is_stored)
    }

    /// Whether there are entries that nothing is known of by any of their identities.
    pub fn has_doubtful(&self, known: &HashMap<String, StoredSummary>) -> bool {
        (0..self.entries.len()).any(|at| self.known_key(at, known).is_none())
    }

    /// The keys of stored entries that such an entry may be, or whose next issue, by the files that it comes with.
    pub fn namesakes(
        &self,
        recent: &[(String, StoredSummary)],
        known: &HashMap<String, StoredSummary>,
    ) -> Vec<String> {
        let doubtful = (0..self.entries.len()).filter(|at| self.known_key(*at, known).is_none());
        let titles: HashSet<String> = doubtful
            .filter_map(|at| self.outlines[at].as_ref())
            .filter(|outline| !outline.raw.enclosures.is_empty())
            .filter_map(|outline| Some(fold(&outline.raw.title.as_ref()?.value)))
            .collect();
        if titles.is_empty() {
            return Vec::new();
        }
        let namesakes = recent.iter().filter(|(_, stored)| titles.contains(&fold(&stored.title)));
        namesakes.map(|(key, _)| key.clone()).collect()
    }

    /// Puts such entries under the stored ones that they are, of the source's latest. Answers what is known of these.
    pub fn recognise_relisted(
        &mut self,
        mut recent: Vec<(String, StoredSummary)>,
        known: &HashMap<String, StoredSummary>,
    ) -> HashMap<String, StoredSummary> {
        let known_keys: Vec<Option<String>> =
            (0..self.entries.len()).map(|at| self.known_key(at, known)).collect();
        let claimed: HashSet<&String> = known_keys.iter().flatten().collect();
        recent.retain(|(key, _)| !claimed.contains(key));
        let doubtful: Vec<Doubtful> = (0..self.entries.len())
            .filter(|at| known_keys[*at].is_none())
            .filter_map(|at| Some((at, self.outlines[at].as_ref()?)))
            .map(|(at, Outline { raw, further })| {
                let keys: Vec<String> = std::iter::once(self.keys[at].clone())
                    .chain(further[0].as_ref().map(Identity::key))
                    .collect();
                let is_taken = keys.iter().any(|key| known.contains_key(key));
                Doubtful { at, raw, keys, is_taken }
            })
            .collect();
        let is_front = |one: &&Doubtful| {
            let stored = known.get(&self.keys[one.at]);
            stored.is_some_and(|stored| keys::is_whatever_is_newest(one.raw, stored))
        };
        self.may_have_fronts = doubtful.iter().filter(is_front).count() <= FRONTS_MAX;
        let found = relisted::recognise(&doubtful, &recent);
        self.is_positional = doubtful.iter().any(|one| one.is_taken && found.contains_key(&one.at))
            || relisted::are_places_counted(&self.entries);
        let others: Vec<usize> =
            doubtful.iter().map(|one| one.at).filter(|at| !found.contains_key(at)).collect();
        let open: Vec<&Doubtful> = doubtful.iter().filter(|one| !found.contains_key(&one.at)).collect();
        self.next_issues = next_issues(&open, &recent);
        self.relisted = found.into_iter().map(|(at, stored)| (at, recent[stored].0.clone())).collect();
        let is_free = |key: &String| !self.relisted.values().any(|relisted| relisted == key);
        let (free, mut answer): (Vec<_>, Vec<_>) = recent.into_iter().partition(|(key, _)| is_free(key));
        let entries: Vec<RawEntry> = others.iter().map(|at| self.entries[*at].clone()).collect();
        for RecognisedEntry { at, key, fingerprint, .. } in visits::recognise_some(&entries, &free) {
            answer.extend(free.iter().find(|(free, _)| *free == key).cloned());
            self.fingerprints[others[at]] = fingerprint;
            self.relisted.insert(others[at], key);
        }
        answer.into_iter().collect()
    }

    /// Returns each entry once. `known` is what is stored under all their possible identities. An identifier or address that
    /// several different entries of the document share, or that belonged to another entry before, does not suffice as identity.
    pub fn recognise(self, known: &HashMap<String, StoredSummary>) -> Vec<ListedEntry> {
        let mut groups: HashMap<&str, Vec<usize>> = HashMap::new();
        self.keys.iter().enumerate().for_each(|(at, key)| groups.entry(key).or_default().push(at));
        let recognised = |at: usize| self.recognised_by(at, &groups[self.keys[at].as_str()], known);
        let identities: Vec<Identity> = (0..self.entries.len()).map(recognised).collect();
        let is_reissue = |at: usize, raw: &RawEntry, key: &String| {
            let stored = known.get(&self.keys[at]).filter(|_| self.keys[at] != *key);
            let title = || fold(&raw.title.as_ref().map(plain).unwrap_or_default());
            stored.is_some_and(|stored| fold(&stored.title) == title())
        };
        let next_issues = self.next_issues;
        let mut listed: Vec<ListedEntry> = Vec::with_capacity(self.entries.len());
        let mut seen: HashSet<String> = HashSet::new();
        let entries = self.entries.into_iter().zip(identities).zip(self.fingerprints).enumerate();
        for (at, ((raw, identity), fingerprint)) in entries {
            let key = identity.key();
            if seen.insert(key.clone()) {
                let is_same = known.get(&key).is_some_and(|known| known.fingerprint == fingerprint);
                let is_reissue = is_reissue(at, &raw, &key);
                let is_next_issue = next_issues.contains(&at);
                listed.push(ListedEntry {
                    raw,
                    identity,
                    key,
                    fingerprint,
                    is_same,
                    is_reissue,
                    is_next_issue,
                });
            }
        }
        listed
    }

    /// The identity of an entry; `group` are the entries with the same own identity.
    fn recognised_by(&self, at: usize, group: &[usize], known: &HashMap<String, StoredSummary>) -> Identity {
        let own = &self.own[at];
        if let Some(key) = self.relisted.get(&at) {
            return Identity::from_key(key);
        }
        let Some(Outline { raw, further }) = &self.outlines[at] else { return own.clone() };
        let stored = known.get(&self.keys[at]);
        if stored.is_some_and(|stored| keys::is_known(raw, stored)) && group.len() == 1 {
            return own.clone();
        }
        let others: Vec<&Outline> = group
            .iter()
            .filter(|other| **other != at)
            .filter_map(|other| self.outlines[*other].as_ref())
            .filter(|other| !keys::is_listed_again((raw, further), (&other.raw, &other.further)))
            .collect();
        let others: Vec<&FurtherIdentities> = others.iter().map(|other| &other.further).collect();
        // Nothing but their texts may tell some of them apart.
        let has_rival = others.iter().any(|other| keys::differ_in_text_only(further, other));
        let is_known = |stored: &StoredSummary| {
            keys::is_known(raw, stored) && (!has_rival || keys::has_same_wording(raw, stored))
        };
        let is_stored = |one: &&Identity| known.get(&one.key()).is_some_and(is_known);
        if let Some(stored) = further.iter().flatten().find(is_stored) {
            return stored.clone();
        }
        // A document may list an entry twice.
        if stored.is_some_and(|stored| is_known(stored) && is_of_day(raw, stored)) {
            return own.clone();
        }
        let is_shared = others.iter().any(|other| **other != *further);
        let is_taken = match stored {
            // Of several entries, the known one keeps its identity.
            Some(stored) if is_shared => !is_known(stored) || !is_of_day(raw, stored),
            Some(stored) => self.is_of_another(raw, &self.keys[at], stored),
            None => is_shared,
        };
        let is_free = |identity: &Identity| {
            let key = identity.key();
            known.get(&key).is_none_or(|stored| !self.is_of_another(raw, &key, stored))
        };
        if is_taken { distinguishing_identity(raw, further, &others, stored, is_free) } else { None }
            .unwrap_or_else(|| own.clone())
    }

    /// Whether what is stored under an identity that an entry bears is another entry, and not this one before an edit.
    fn is_of_another(&self, raw: &RawEntry, key: &str, stored: &StoredSummary) -> bool {
        keys::is_reused(raw, stored)
            || self.is_positional && keys::has_other_title(raw, stored)
            || self.may_have_fronts && keys::is_whatever_is_newest(raw, stored)
            || self.relisted.values().any(|relisted| relisted == key)
    }
}

/// The first further identity that distinguishes the entry from the others and from the known one, or else its last one. Those that
/// are not free are other entries'.
fn distinguishing_identity(
    raw: &RawEntry,
    further: &FurtherIdentities,
    others: &[&FurtherIdentities],
    stored: Option<&StoredSummary>,
    is_free: impl Fn(&Identity) -> bool,
) -> Option<Identity> {
    let place = |url: Option<&str>| url.and_then(canonical_key);
    let tells = |kind: &usize| {
        // What the known entry has too tells nothing.
        let of_stored = stored.is_some_and(|stored| match kind {
            1 => place(stored.url.as_deref()) == place(raw.url()),
            2 => raw.title.as_ref().is_some_and(|title| fold(&title.value) == fold(&stored.title)),
            _ => false,
        });
        further[*kind].as_ref().is_some_and(&is_free)
            && !of_stored
            && others.iter().all(|other| other[*kind] != further[*kind])
    };
    let first = (0..further.len()).find(tells);
    let last = || further[..5].iter().rev().chain(&further[5..]).flatten().next().cloned();
    first.and_then(|kind| further[kind].clone()).or_else(last)
}

/// The positions of undated entries that are the next issues of stored ones, by their numbers.
fn next_issues(open: &[&Doubtful], recent: &[(String, StoredSummary)]) -> HashSet<usize> {
    let open = open.iter().filter(|one| one.raw.date().is_none());
    let mut by_title: HashMap<String, Vec<&Doubtful>> = HashMap::new();
    for one in open {
        let title = one.raw.title.as_ref().map_or("", |title| title.value.as_str());
        by_title.entry(fold(title)).or_default().push(one);
    }
    let mut next = HashSet::new();
    for (key, stored) in recent.iter().filter(|(_, stored)| !by_title.is_empty() && stored.date.is_none()) {
        let namesakes = by_title.get(&fold(&stored.title)).into_iter().flatten();
        let identity = Identity::from_key(key);
        let is_next = |one: &&&Doubtful| keys::is_next_by_number(one.raw, &identity, stored);
        next.extend(namesakes.filter(is_next).map(|one| one.at));
    }
    next
}

/// Days since 1970.
fn day_of(date: Option<Timestamp>) -> Option<i64> {
    date.map(|date| date.as_second().div_euclid(86_400))
}

fn is_of_day(raw: &RawEntry, stored: &StoredSummary) -> bool {
    day_of(raw.date()) == day_of(stored.date)
}

/// What all entries of a document are prepared with.
pub struct Preparation<'a> {
    pub source: &'a Source,
    pub classifier: &'a Classifier,
    pub language_detector: &'a LanguageDetector,
    pub base: &'a Url,
    /// As declared by the document.
    pub language: Option<&'a str>,
    pub now: Timestamp,
}

impl Preparation<'_> {
    /// Cleans what is not known to be the same.
    pub fn prepare(&self, mut listed: Vec<ListedEntry>) -> Vec<Candidate> {
        // Fingerprints are of what was listed: it does not matter to them what the entries of a document have in common.
        if listed.iter().any(|listed| !listed.is_same) {
            boilerplate::strip(&mut listed.iter_mut().map(|listed| &mut listed.raw).collect::<Vec<_>>());
        }
        let recurring = recurring_titles(&listed);
        let candidate = |(at, listed): (usize, ListedEntry)| {
            let is_recurring = recurring.contains(&at) || listed.is_reissue || listed.is_next_issue;
            let cleaned = (!listed.is_same).then(|| Box::new(self.clean(&listed, is_recurring)));
            Candidate { key: listed.key, fingerprint: listed.fingerprint, cleaned }
        };
        listed.into_iter().enumerate().map(candidate).collect()
    }

    fn clean(&self, listed: &ListedEntry, is_recurring: bool) -> CleanedEntry {
        // The configuration takes precedence over a template that says "en" on every page.
        let language = self.source.language.as_deref().or(self.language);
        let context = Context {
            source: &self.source.id,
            language,
            base: Some(self.base),
            language_detector: Some(self.language_detector),
            listed: Some((&listed.identity, &listed.fingerprint)),
        };
        let entry = normalize(&listed.raw, context);
        let (title, _) = self.source.filter.rewritten(&entry.title);
        let entry = Entry { title, ..entry };
        let tags: Vec<String> = entry.tags.iter().chain(&self.source.tags).cloned().collect();
        let topics = self.classifier.classify(&entry.title, &entry.summary, &tags, entry.language.as_deref());
        let dropped_by = match self.source.filter.verdict(&entry, &topics) {
            RuleOutcome::Dropped(rule) => Some(rule.to_string()),
            _ => None,
        };
        let (mut keys, mut occasion) = (keys_of(&entry), occasion_of(&entry));
        if is_recurring && !says_enough(&entry) {
            // It shares its title, and maybe its address, with others: only its identity tells it from them.
            let is_shared =
                |key: &Key| keys::is_of_title(key) || listed.is_reissue && key.kind == KeyKind::Own;
            keys.retain(|key| !is_shared(key));
            occasion = Some((hash64(listed.key.as_bytes()) % OCCASIONS).to_string());
        }
        let sketch = sketch_on(&entry, self.now, occasion);
        CleanedEntry { keys, sketch, entry, topics, dropped_by }
    }
}

/// Numbers that tell entries of one title apart.
const OCCASIONS: u64 = 1_000_000_000;
/// Texts of so many words are compared, whatever the titles are, in words.
const TELLING_WORDS_MIN: usize = 40;
/// Two equal texts of so many words under one title are of one entry that is listed twice, in words.
const EQUAL_WORDS_MIN: usize = 8;

/// Whether the text of an entry is long enough to tell it from others of its title.
fn says_enough(entry: &Entry) -> bool {
    let words = |text: &str| text.split_whitespace().take(TELLING_WORDS_MIN).count() >= TELLING_WORDS_MIN;
    words(&entry.summary) || entry.content_html.as_deref().is_some_and(|html| words(&text_of_safe_html(html)))
}

/// Whether two entries have one address, the same files and the same event, or none: whatever tells them apart is no part of what they
/// say.
fn are_of_one_place(a: &RawEntry, b: &RawEntry) -> bool {
    let place = |raw: &RawEntry| raw.url().and_then(canonical_key);
    let begin = |raw: &RawEntry| raw.event.as_ref().map(|event| event.begin.to_string());
    place(a).is_some() && place(a) == place(b) && begin(a) == begin(b) && files_of(a).eq(files_of(b))
}

/// The positions of entries whose title others of the document have too, with other texts or with too little text to tell.
fn recurring_titles(listed: &[ListedEntry]) -> HashSet<usize> {
    if listed.iter().all(|listed| listed.is_same) {
        return HashSet::new();
    }
    let mut by_title: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, ListedEntry { raw, .. }) in listed.iter().enumerate() {
        let title = fold(&raw.title.as_ref().map(plain).unwrap_or_default());
        if !title.trim().is_empty() {
            by_title.entry(title).or_default().push(at);
        }
    }
    let mut recurring = HashSet::new();
    for shared in by_title.into_values().filter(|of_title| of_title.len() > 1) {
        // What a source words alike on several days, it tells anew.
        let mut by_text: HashMap<(String, Option<i64>), Vec<usize>> = HashMap::new();
        for at in shared {
            let raw = &listed[at].raw;
            let text = raw.summary.as_ref().or(raw.content.as_ref()).map(plain).unwrap_or_default();
            by_text.entry((text, day_of(raw.date()))).or_default().push(at);
        }
        for ((text, _), of_text) in by_text {
            let is_long = text.split_whitespace().take(EQUAL_WORDS_MIN).count() >= EQUAL_WORDS_MIN;
            let raw = |at: usize| &listed[at].raw;
            let is_listed_twice = |at: usize| {
                let mut others = of_text.iter().filter(|other| **other != at);
                others.any(|other| is_long || are_of_one_place(raw(at), raw(*other)))
            };
            recurring.extend(of_text.iter().copied().filter(|at| !is_listed_twice(*at)));
        }
    }
    recurring
}

/// The keys of a normalized entry.
pub fn keys_of(entry: &Entry) -> Vec<Key> {
    keys::keys(&EntryNames::of(entry))
}

/// How an entry begins, to be compared across languages.
pub fn opening_of(entry: &Entry) -> Opening<'_> {
    Opening { title: &entry.title, text: &entry.summary }
}

/// What tells entries of one name apart: meetings, by their days, and issues of a series, by their numbers.
fn occasion_of(entry: &Entry) -> Option<String> {
    entry.event.as_ref().map(|event| event.begin.date().to_string()).or_else(|| issue_of(entry))
}

/// The sketch of a normalized entry. Without a date, the day it was first seen is used.
pub fn sketch_of(entry: &Entry, first_seen: Timestamp) -> Sketch {
    sketch_on(entry, first_seen, occasion_of(entry))
}

fn sketch_on(entry: &Entry, first_seen: Timestamp, occasion: Option<String>) -> Sketch {
    let content = entry.content_html.as_deref().map(text_of_safe_html);
    let text = content.as_deref().filter(|text| text.len() > entry.summary.len()).unwrap_or(&entry.summary);
    let own = entry.url.as_deref().and_then(canonical_key);
    let image = entry.image.iter().filter_map(|image| canonical_key(&image.url));
    let mut links: Vec<String> = Vec::new();
    for link in image
        .chain(entry.content_html.iter().flat_map(|html| addresses(html)))
        .filter(|link| Some(link) != own.as_ref())
    {
        // A sketch has room for no more.
        if links.len() == LINKS_MAX {
            break;
        }
        if !links.contains(&link) {
            links.push(link);
        }
    }
    let title =
        occasion.map_or_else(|| entry.title.clone(), |occasion| format!("{} {occasion}", entry.title));
    // Who announces the same meeting, on whatever day, tells of the same day.
    let event = entry.event.as_ref().and_then(|event| event.begin.instant());
    let day = event.or(entry.date()).unwrap_or(first_seen).as_second().div_euclid(86_400);
    sketch(&SketchInput {
        source: &entry.source,
        title: &title,
        text,
        language: entry.language.as_deref(),
        day: i32::try_from(day).ok(),
        links: &links,
    })
}

/// Addresses of links and pictures in HTML that we generated.
fn addresses(html: &str) -> impl Iterator<Item = String> + '_ {
    let values = values_after(html, " href=\"").chain(values_after(html, " src=\""));
    values.filter_map(|address| canonical_key(&address))
}

/// The values of an attribute in HTML that we generated.
fn values_after<'a>(html: &'a str, name: &'static str) -> impl Iterator<Item = String> + 'a {
    memchr::memmem::find_iter(html.as_bytes(), name).filter_map(move |at| {
        let rest = &html[at + name.len()..];
        Some(rest[..memchr::memchr(b'"', rest.as_bytes())?].replace("&amp;", "&"))
    })
}

/// The figures in the names of the files or of the page of an entry whose own identity was not enough to tell it from others: what
/// its source gives the issues of a series beside their title.
fn issue_of(entry: &Entry) -> Option<String> {
    let has_more =
        |identity: &str, own: &str| identity.strip_prefix(own).is_some_and(|more| more.starts_with('#'));
    let is_told_apart = match (&entry.identity, &entry.guid, &entry.url) {
        (Identity::Guid(identity), Some(guid), _) => has_more(identity, guid.trim()),
        (Identity::Address(identity), _, Some(url)) => {
            canonical_key(url).is_some_and(|key| has_more(identity, &key))
        }
        _ => false,
    };
    let linked = || entry.content_html.iter().chain(&entry.summary_html).flat_map(|html| linked_files(html));
    let files = || entry.enclosures.iter().map(|file| file.url.clone()).chain(linked()).take(FILES_MAX);
    // An episode is its recording.
    let is_recording = |file: &&Enclosure| {
        file.mime_type.as_deref().is_some_and(|kind| kind.starts_with("audio/") || kind.starts_with("video/"))
    };
    let recordings = || entry.enclosures.iter().filter(is_recording).map(|file| file.url.clone());
    let addresses: Vec<String> = if is_told_apart {
        files().chain(entry.url.clone()).collect()
    } else {
        recordings().take(FILES_MAX).collect()
    };
    keys::issue_of(addresses.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::feed::Link;

    /// When the documents are read: none of their dates is that.
    const NOW: Timestamp = Timestamp::MAX;

    fn raw(guid: Option<&str>, url: &str, title: &str, day: &str) -> RawEntry {
        RawEntry {
            guid: guid.map(str::to_owned),
            links: vec![Link { href: url.into(), rel: "alternate".into(), media_type: None, hreflang: None }],
            title: Some(RawText { value: title.into(), ..RawText::default() }),
            published: format!("{day}T08:00:00Z").parse().ok(),
            ..RawEntry::default()
        }
    }

    /// The keys after each of several readings, each stored before the next.
    fn keys_of(readings: &[Vec<RawEntry>]) -> Vec<Vec<String>> {
        let mut known = HashMap::new();
        let read = |entries: &Vec<RawEntry>| {
            let mut recogniser = Recogniser::new(entries.clone(), NOW);
            recogniser.outline(&known, !known.is_empty());
            recogniser.recognise_relisted(known.clone().into_iter().collect(), &known);
            let listed = recogniser.recognise(&known);
            known.extend(
                listed.iter().map(|one| (one.key.clone(), StoredSummary::of(&one.raw, &one.fingerprint))),
            );
            listed.into_iter().map(|one| one.key).collect()
        };
        readings.iter().map(read).collect()
    }

    #[test]
    fn entries_that_share_an_address_or_a_guid_are_all_kept_and_known_again() {
        let shared = [
            [
                raw(None, "https://x.org/", "Works on the bridge", "2026-11-01"),
                raw(None, "https://x.org/", "Budget adopted", "2026-11-01"),
            ],
            [
                raw(None, "https://x.org/news#a", "Works on the bridge", "2026-11-01"),
                raw(None, "https://x.org/news#b", "Budget adopted", "2026-11-01"),
            ],
            [
                raw(Some("N/A"), "https://x.org/1", "Works on the bridge", "2026-11-01"),
                raw(Some("N/A"), "https://x.org/2", "Budget adopted", "2026-11-01"),
            ],
            [
                raw(Some("series"), "https://x.org/s", "Town meeting", "2026-11-01"),
                raw(Some("series"), "https://x.org/s", "Town meeting", "2026-11-15"),
            ],
        ];
        for two in shared {
            let newer = RawEntry {
                title: Some(RawText { value: "Schools open late".into(), ..RawText::default() }),
                ..raw(two[0].guid.as_deref(), "https://x.org/", "", "2026-11-20")
            };
            let first = two.to_vec();
            let last = vec![two[1].clone()];
            let more = vec![newer, two[0].clone(), two[1].clone()];
            let keys = keys_of(&[first, last, more]);
            assert_eq!(keys[0].len(), 2, "{:?}", keys[0]);
            assert_ne!(keys[0][0], keys[0][1]);
            assert_eq!(keys[1], keys[0][1..], "alone, it is still known");
            assert!(keys[0].iter().all(|key| keys[2].contains(key)), "{keys:?}");
        }
    }

    /// A note with a text; without a title or a day, if they are empty.
    fn note(guid: Option<&str>, title: &str, day: &str, text: &str) -> RawEntry {
        let text_of = |value: &str| RawText { value: value.into(), ..RawText::default() };
        RawEntry {
            title: Some(text_of(title)).filter(|_| !title.is_empty()),
            summary: Some(text_of(text)),
            ..raw(guid, "https://x.org/notes", title, day)
        }
    }

    const NOTES: [&str; 3] = [
        "The swimming pool looks for three lifeguards.",
        "The market opens on Saturday at the station.",
        "Trams stop for repairs of the old bridge.",
    ];

    #[test]
    fn notes_without_a_title_that_share_an_address_are_all_kept() {
        for guid in [None, Some("n")] {
            let day = |at: usize| format!("2026-11-0{}", at + 1);
            let notes: Vec<RawEntry> = (0..3).map(|at| note(guid, "", &day(at), NOTES[at])).collect();
            let edited = note(guid, "", &day(1), &NOTES[1].replace("Saturday", "Sunday"));
            let keys = keys_of(&[notes.clone(), vec![notes[2].clone(), edited, notes[0].clone()]]);
            assert_eq!(keys[0].iter().collect::<HashSet<_>>().len(), 3, "{keys:?}");
            assert_eq!(keys[1], [&*keys[0][2], &*keys[0][1], &*keys[0][0]]);
            let alone = keys_of(&notes.iter().map(|note| vec![note.clone()]).collect::<Vec<_>>());
            assert_eq!(alone.iter().flatten().collect::<HashSet<_>>().len(), 3, "{alone:?}");
        }
    }

    #[test]
    fn entries_of_one_document_that_differ_in_nothing_but_their_text_are_all_kept() {
        for day in ["", "2026-11-01"] {
            let of = |text: &str| note(Some("c"), "Notice", day, text);
            let all: Vec<RawEntry> = NOTES.iter().map(|text| of(text)).collect();
            let keys = keys_of(&[all.clone(), vec![all[1].clone(), all[2].clone()], all.clone()]);
            assert_eq!(keys[0].iter().collect::<HashSet<_>>().len(), 3, "{keys:?}");
            assert_eq!((&keys[1][..], &keys[2]), (&keys[0][1..], &keys[0]));
            let later = keys_of(&[vec![all[0].clone()], all.clone()]);
            assert!(later[1].len() == 3 && later[1].contains(&later[0][0]), "{later:?}");
            let start = of("The swimming pool looks");
            assert_eq!(keys_of(&[vec![start, all[0].clone()]])[0].len(), 1, "with the start of its text");
        }
    }

    #[test]
    fn a_title_that_recurs_undated_with_another_day_or_another_file_is_of_another_entry() {
        let class =
            |day: u8| vec![note(Some("y"), "Yoga", "", &format!("Thursday {day} November 2026 at 6 pm"))];
        let keys = keys_of(&[class(5), class(12), class(19), class(12)]);
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2], "{keys:?}");
        assert_eq!(keys[3], keys[1]);
        let issue =
            |number: u8| vec![raw(Some("l"), &format!("https://x.org/l/letter-{number}.pdf"), "Letter", "")];
        let keys = keys_of(&[issue(7), issue(8), issue(9), issue(9)]);
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2], "{keys:?}");
        assert_eq!(keys[3], keys[2]);
    }

    #[test]
    fn an_entry_that_was_known_as_an_event_stays_one_when_its_day_is_past() {
        let event = |day: &str| Some(Event { begin: day.parse().unwrap(), end: None, place: None });
        let before = RawEntry { event: event("2026-12-12"), ..raw(None, "https://x.org/c", "Concert", "") };
        let known =
            HashMap::from([(identity(&before).key(), StoredSummary::of(&before, &fingerprint(&before)))]);
        for (day, is_kept) in [("2026-12-12", true), ("2026-12-19", false)] {
            let after =
                RawEntry { date_as_event: event(day), ..raw(None, "https://x.org/c", "Concert", day) };
            let mut recogniser = Recogniser::new(vec![after], NOW);
            recogniser.keep_days(&known);
            let is_same = recogniser.fingerprints[0] == fingerprint(&before);
            assert_eq!((is_same, recogniser.entries[0].published.is_none()), (is_kept, is_kept), "{day}");
        }
    }

    #[test]
    fn a_day_that_is_told_from_today_is_that_of_the_first_reading() {
        let before = raw(None, "https://x.org/c", "The bridge", "2026-11-16");
        let known =
            HashMap::from([(identity(&before).key(), StoredSummary::of(&before, &fingerprint(&before)))]);
        for (is_told_from_today, is_same) in [(true, true), (false, false)] {
            let after = raw(None, "https://x.org/c", "The bridge", "2026-11-17");
            let mut recogniser = Recogniser::new(vec![RawEntry { is_told_from_today, ..after }], NOW);
            recogniser.keep_days(&known);
            assert_eq!(recogniser.fingerprints[0] == fingerprint(&before), is_same);
        }
    }

    #[test]
    fn the_next_of_a_series_is_another_entry_and_an_edit_is_none() {
        let issue = |number: u8, day: &str| {
            vec![raw(Some("b"), "https://x.org/b", &format!("Bulletin n° {number}"), day)]
        };
        let keys = keys_of(&[
            issue(1, "2026-11-01"),
            issue(2, "2026-11-08"),
            issue(3, "2026-11-15"),
            issue(3, "2026-11-15"),
            vec![raw(Some("b"), "https://x.org/b", "The bulletin n° 3", "2026-11-15")],
        ]);
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
        assert_eq!(keys[2], keys[3]);
        let edited = keys_of(&[
            vec![raw(None, "https://x.org/a", "Works on the bridge", "2026-11-01")],
            vec![raw(None, "https://x.org/a?utm_source=rss", "Works on the old bridge", "2026-11-01")],
        ]);
        assert_eq!(edited[0], edited[1]);
    }
}
