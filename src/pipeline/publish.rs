//! The publishing pipeline: puts changed stories into their publications, renders files that are out of date, and writes only
//! those whose bytes changed. The work is proportional to the change, not to what was published before.
//!
//! ```text
//! dirty stories ─ publications, archives, days that they belong to ─▶ files that are behind ─ render, write ─▶ even
//! ```
//!
//! Each arrow is a transaction: a run that is killed leaves the rest to the next.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::digest;
use crate::model::brand::Brand;
use crate::model::digest::{Digest, DigestId, ISSUES_LISTED, Newsletter};
use crate::model::keys::{IssueKey, Seq, StoryKey};
use crate::model::mail_address::Address;
use crate::model::publication::{
    Archives, Images, Publication, PublicationKey, PublicationKind, PublicationList,
};
use crate::model::story::Story;
use crate::model::token::SigningKey;
use crate::pipeline::desk;
use crate::pipeline::destination::{SiteWriter, rank, read_former};
use crate::publish::formats::{self, FORMATS};
use crate::publish::lists::SITEMAP;
use crate::publish::planet::{FilledPublications, SiteContext};
use crate::publish::{DocumentLocation, OPML, PAGE, archive_name, atom, brand, lists, planet};
use crate::store::{DirtyStory, PlacedStory, Store, StoreError, Unit, Write};
use crate::support::clock::Interrupted;
use crate::support::i18n::{self, long_date, phrases, said};
use crate::support::templates::Templates;
use crate::view::{Catalog, coming_among, coming_window};

/// The result of publishing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// Number of stories in the merged feed.
    pub stories: usize,
    /// Number of files written; all others were unchanged.
    pub written: usize,
}

/// What is published, where to, and with which settings.
#[derive(Clone, Copy)]
pub struct Publisher<'a> {
    pub catalog: Catalog<'a>,
    pub publications: &'a PublicationList,
    pub newsletter: &'a Newsletter,
    /// For how many days deliveries are kept, for the data-protection page.
    pub retention_days: u64,
    pub templates: &'a Templates,
    pub brand: &'a Brand,
    pub files: &'a SiteWriter<'a>,
    /// The folder that was published before a bucket was: it may have what is not in the store any more.
    pub former: &'a Path,
    pub images: Images,
    pub archives: Archives,
    /// Signs the addresses of proxied pictures.
    pub key: &'a SigningKey,
    /// The address of the hub that announces changes.
    pub hub: Option<&'a str>,
    /// What is coming up depends on it.
    pub now: Timestamp,
    /// Set when the work is to end: what is done by then stands, the rest is left to the next run.
    pub stop: &'a CancellationToken,
}

/// Stories processed in one transaction.
const DIRTY: usize = 1_000;
/// Stories in an archive document: it is cut once there are this many more, and never changes (RFC 5005 section 4).
const ARCHIVE: i64 = 50;
/// Files marked as up to date in one transaction.
const EVEN: usize = 200;
/// Events that are looked at for what is coming up.
const COMING_STORIES_MAX: usize = 200;
/// Issues read at a time.
const BATCH: usize = 100;
/// Site-wide files.
const FAVICON: &str = "favicon.svg";

impl Publisher<'_> {
    /// Publishes what changed.
    ///
    /// # Errors
    /// When the store, a template, the disk or the bucket fails; what was published before stays.
    pub fn publish(&self, store: &Store) -> anyhow::Result<Published> {
        self.files.begin()?;
        let published = self.publish_changes(store);
        self.files.sweep();
        let published = published?;
        self.files.end()?;
        Ok(published)
    }

    fn publish_changes(&self, store: &Store) -> anyhow::Result<Published> {
        self.settle_publications(store)?;
        for keys in store.read(|r| r.publishing().dirty_keys())?.chunks(DIRTY) {
            self.check_not_stopped()?;
            self.place(store, keys)?;
        }
        let filled = self.filled(store)?;
        self.settle_surroundings(store, &filled)?;
        let written = self.mend_archives(store)? + self.archive_feeds(store)?;
        let mut published = Published { written, ..Published::default() };
        let coming = self.coming(store)?;
        published.written += self.restore_missing(store)?;
        // Pages refer to these.
        published.written += self.render_fixed()?;
        published.written += self.render_behind(store, &coming, filled)?;
        published.stories = usize::try_from(store.read(|r| r.publishing().last(&PublicationKey::Channel))?.0)
            .unwrap_or(0)
            .min(self.catalog.channel.entries_max);
        Ok(published)
    }

    /// Marks feeds and pages that are not there any more, or that something else stands in place of, as out of date. In a bucket,
    /// whatever a look found missing is made again; the number of archive documents and issues written is returned.
    fn restore_missing(&self, store: &Store) -> anyhow::Result<usize> {
        let of_publications = self.publications.iter().flat_map(publication_files);
        let mut missing = self.files.missing(of_publications);
        if self.files.has_looked() {
            let days = store.read(|r| r.publishing().days())?;
            let pages = days.iter().map(|(day, _)| planet::day_path(day));
            let lists = [planet::DAYS.to_owned(), planet::PARTNERS.to_owned(), SITEMAP.to_owned()];
            missing.extend(self.files.missing(pages.chain(lists)));
        }
        if !missing.is_empty() {
            store.write(|w| missing.iter().try_for_each(|path| w.publishing().put_behind(path)))?;
        }
        if !self.files.has_looked() {
            return Ok(0);
        }
        self.restore_archives(store)?;
        self.restore_issues(store)?;
        let written = self.files.flush()?.len();
        self.files.set_looked();
        Ok(written)
    }

    /// An archive document of the former folder also has the stories that were forgotten since.
    fn restore_archives(&self, store: &Store) -> anyhow::Result<()> {
        let archived = archived(store)?;
        for publication in self.publications.iter().filter(|publication| self.archives.has(publication)) {
            for number in 1..=archived.get(&publication.path).copied().unwrap_or(0) {
                self.check_not_stopped()?;
                let path = format!("{}{}", publication.path, archive_name(number));
                if self.files.missing(std::iter::once(path)).is_empty() {
                    continue;
                }
                let (path, bytes) = self.archive(store, publication, number)?;
                let former = read_former(self.former, &path)?;
                let former = former.filter(|former| atom::ids(former).is_superset(&atom::ids(&bytes)));
                self.files.write(&path, former.unwrap_or(bytes))?;
            }
        }
        Ok(())
    }

    /// Issues whose texts the store still has are written anew by `archive_issues`; others are taken from the former folder.
    fn restore_issues(&self, store: &Store) -> anyhow::Result<()> {
        let mut after = IssueKey(0);
        loop {
            let issues = store.read(|r| r.mailing().archived_issues(after, BATCH))?;
            let Some((last, ..)) = issues.last() else { return Ok(()) };
            after = *last;
            let mut unarchived = Vec::new();
            for (key, name, has_text) in issues {
                self.check_not_stopped()?;
                let path = digest::archive_path(&name);
                if self.files.missing(std::iter::once(path.clone())).is_empty() {
                    continue;
                }
                match read_former(self.former, &path)? {
                    _ if has_text => unarchived.push(key),
                    Some(bytes) => self.files.write(&path, bytes)?,
                    None => tracing::warn!("{path} is missing, and its text is not kept any more"),
                }
            }
            store.write(|w| unarchived.iter().try_for_each(|key| w.mailing().set_unarchived(*key)))?;
        }
    }

    /// Marks publications that are new, or whose contents are defined differently, as out of date entirely.
    fn settle_publications(&self, store: &Store) -> anyhow::Result<()> {
        let known = store.read(|r| r.publishing().publications())?;
        let known: HashMap<PublicationKey, String> =
            known.into_iter().map(|(publication, contents, _)| (publication, contents)).collect();
        let mut new = Vec::new();
        for publication in self.publications {
            let mut contents = json!({ "tastes": publication.interests, "language": publication.language });
            if publication.is_chosen {
                contents["pinned"] = json!(true);
            }
            let contents = serde_json::to_string(&contents)?;
            if known.get(&publication.path) != Some(&contents) {
                new.push((publication, contents));
            }
        }
        if !new.is_empty() {
            store.write(|w| {
                for (publication, contents) in &new {
                    w.publishing().put_publication(&publication.path, contents)?;
                    publication_files(publication).try_for_each(|file| w.publishing().put_behind(&file))?;
                }
                w.publishing().mark_all_dirty()
            })?;
        }
        Ok(())
    }

    /// What is in the publications.
    fn filled(&self, store: &Store) -> anyhow::Result<FilledPublications> {
        let begun = store.read(|r| r.publishing().begun())?.into_iter().collect();
        Ok(FilledPublications { begun, counts: HashMap::new() })
    }

    /// How many stories are in the publications whose links say so.
    fn counts(&self, store: &Store) -> Result<HashMap<PublicationKey, u64>, StoreError> {
        let counted = |publication: &&Publication| {
            !matches!(publication.kind, PublicationKind::Channel | PublicationKind::Partner)
        };
        store.read(|r| {
            let count = |publication: &Publication| {
                let count = r.publishing().count(&publication.path, planet::COUNT_MAX)?;
                Ok((publication.path.clone(), count))
            };
            self.publications.iter().filter(counted).map(count).collect()
        })
    }

    /// Marks everything as out of date if what surrounds the stories changed, or if files were deleted.
    fn settle_surroundings(&self, store: &Store, filled: &FilledPublications) -> anyhow::Result<()> {
        let known_around = store.read(|r| r.publishing().site_digest())?;
        let around = self.site_digest(filled)?;
        let is_changed = known_around.as_ref() != Some(&around);
        let page = |publication: &Publication| format!("{}{PAGE}", publication.path);
        let gone: HashSet<String> =
            self.files.missing(self.publications.iter().map(page)).into_iter().collect();
        if !is_changed && gone.is_empty() {
            return Ok(());
        }
        store.write(|w| {
            let days = w.publishing().days()?;
            let files = self
                .publications
                .iter()
                .filter(|publication| is_changed || gone.contains(&page(publication)))
                .flat_map(publication_files);
            let pages = days.iter().map(|(day, _)| planet::day_path(day)).chain([
                planet::DAYS.to_owned(),
                planet::PARTNERS.to_owned(),
                SITEMAP.to_owned(),
            ]);
            files.chain(pages).try_for_each(|path| w.publishing().put_behind(&path))?;
            w.publishing().put_around(&around)
        })?;
        Ok(())
    }

    /// A digest of everything that pages show besides stories.
    fn site_digest(&self, filled: &FilledPublications) -> anyhow::Result<String> {
        let channel = self.catalog.channel;
        let topics: Vec<_> = self.catalog.topics.iter().map(|topic| (&topic.id, &topic.label)).collect();
        let sources: Vec<_> = self
            .catalog
            .sources
            .iter()
            .map(|source| (&source.id, source.url.as_str(), &source.partner, &source.language))
            .collect();
        let publications: Vec<_> = self
            .publications
            .iter()
            .map(|publication| {
                let is_begun = filled.begun.contains(&publication.path);
                (publication.path.as_str(), &publication.name, is_begun)
            })
            .collect();
        let channel = (
            &channel.title,
            &channel.url,
            &channel.language,
            &channel.description,
            channel.entries_max,
            channel.coming_days,
            channel.has_sign_up,
        );
        let all = serde_json::to_string(&json!([
            channel,
            topics,
            sources,
            publications,
            format!("{:?} {:?}", self.images, self.archives),
            self.hub,
            // Files that are up to date elsewhere are not so there.
            self.files.destination().id(),
            self.templates.fingerprint(),
            i18n::fingerprint(),
            env!("CARGO_PKG_VERSION")
        ]))?;
        Ok(crate::support::text::hex(&Sha256::digest(all)))
    }

    /// Puts changed stories into their publications, and marks the affected files as out of date.
    fn place(&self, store: &Store, keys: &[StoryKey]) -> anyhow::Result<()> {
        let mut behind: BTreeSet<String> = BTreeSet::new();
        // With ten thousand partners there are as many publications: a story is only checked against its own.
        let (of_partners, others): (Vec<&Publication>, Vec<&Publication>) =
            self.publications.iter().partition(|publication| publication.kind == PublicationKind::Partner);
        let of_partners: HashMap<&str, &Publication> = of_partners
            .into_iter()
            .filter_map(|publication| Some((publication.interests.partners.first()?.as_str(), publication)))
            .collect();
        store.write(|w| {
            let dirty = w.publishing().dirty_stories(keys)?;
            let chosen = if others.iter().any(|publication| publication.is_chosen) {
                desk::chosen(w, dirty.iter().filter_map(|dirty| dirty.story.as_ref()))?
            } else {
                HashSet::new()
            };
            let clean: Vec<StoryKey> = dirty.iter().map(|dirty| dirty.key).collect();
            let (mut placed, mut places) = (Vec::new(), Vec::new());
            for DirtyStory { key, story } in dirty {
                let Some(story) = story else {
                    self.withdraw(w, key, &mut behind)?;
                    continue;
                };
                let sort_date = story_date(&story);
                let partners: BTreeSet<&str> =
                    story.versions.iter().map(|version| version.partner.as_str()).collect();
                let own = partners.iter().filter_map(|partner| of_partners.get(partner).copied());
                for publication in others
                    .iter()
                    .copied()
                    .chain(own)
                    .filter(|publication| story.wanted_since(&publication.interests).is_some())
                {
                    if publication.is_chosen && !chosen.contains(&story.id) {
                        if w.publishing().take_out(key, &publication.path)? {
                            behind.extend(publication_files(publication));
                        }
                        continue;
                    }
                    placed.push(PlacedStory { publication: &publication.path, story: key, sort_date });
                    places.push(publication);
                }
            }
            let before = w.publishing().publish_stories(&placed)?;
            for ((place, publication), before) in placed.iter().zip(places).zip(before) {
                behind.extend(publication_files(publication));
                if *place.publication == PublicationKey::Channel {
                    let dates = [before, Some(place.sort_date)].into_iter().flatten();
                    behind.extend(dates.map(|date| planet::day_path(&day_of(date))));
                    if before.is_none_or(|before| day_of(before) != day_of(place.sort_date)) {
                        behind.extend([planet::DAYS.to_owned(), SITEMAP.to_owned()]);
                    }
                }
            }
            w.publishing().set_clean(&clean)?;
            behind.iter().try_for_each(|path| w.publishing().put_behind(path))
        })?;
        Ok(())
    }

    /// Takes a story that no longer exists out of all publications.
    fn withdraw(
        &self,
        unit: &Unit<Write>,
        key: StoryKey,
        behind: &mut BTreeSet<String>,
    ) -> Result<(), StoreError> {
        let (publications, date) = unit.publishing().withdraw_story(key)?;
        let were_in = self.publications.iter().filter(|known| publications.contains(&known.path));
        behind.extend(were_in.flat_map(publication_files));
        if let Some(date) = date {
            behind.extend([planet::day_path(&day_of(date)), planet::DAYS.to_owned(), SITEMAP.to_owned()]);
        }
        Ok(())
    }

    /// Looks once at the archive documents that an earlier version wrote: those that are not well-formed are written anew, and so are
    /// the feeds that still change. Returns the number of documents written.
    fn mend_archives(&self, store: &Store) -> anyhow::Result<usize> {
        let unchecked = store.read(|r| r.publishing().unchecked())?;
        let mut written = 0;
        for publication in self.publications {
            let Some(done) = unchecked.get(&publication.path) else { continue };
            for number in 1..=*done {
                self.check_not_stopped()?;
                let path = format!("{}{}", publication.path, archive_name(number));
                // What is not there, or cannot be read, is the business of whoever took it away.
                let bytes = self.files.read_earlier(&path).unwrap_or_default();
                let is_sound = || std::str::from_utf8(&bytes).is_ok_and(atom::is_sound);
                if !bytes.is_empty() && !is_sound() {
                    self.write_archive(store, publication, number)?;
                }
            }
            written += self.files.flush()?.len();
            store.write(|w| {
                publication_files(publication).try_for_each(|path| w.publishing().put_behind(&path))?;
                w.publishing().set_checked(&publication.path)
            })?;
        }
        Ok(written)
    }

    /// Renders one archive document; also answers its path.
    fn archive(
        &self,
        store: &Store,
        publication: &Publication,
        number: i64,
    ) -> anyhow::Result<(String, Vec<u8>)> {
        let (first, last) = (Seq((number - 1) * ARCHIVE + 1), Seq(number * ARCHIVE));
        let stories =
            store.read(|r| desk::edited(r, r.publishing().between(&publication.path, first, last)?))?;
        let place = DocumentLocation { publication, archive: Some(number), before: number - 1, hub: None };
        let path = format!("{}{}", publication.path, archive_name(number));
        Ok((path, atom::render(self.catalog, place, &stories)?))
    }

    /// Writes one archive document.
    fn write_archive(&self, store: &Store, publication: &Publication, number: i64) -> anyhow::Result<()> {
        let (path, bytes) = self.archive(store, publication, number)?;
        self.files.write(&path, bytes)
    }

    /// Cuts the archive documents that are full; returns the number of documents written.
    fn archive_feeds(&self, store: &Store) -> anyhow::Result<usize> {
        let archived = archived(store)?;
        let mut written = 0;
        for publication in self.publications.iter().filter(|publication| self.archives.has(publication)) {
            let done = archived.get(&publication.path).copied().unwrap_or(0);
            // The last stories stay in the feed itself.
            let full = (store.read(|r| r.publishing().last(&publication.path))?.0 - 1).max(0) / ARCHIVE;
            for number in done + 1..=full {
                self.check_not_stopped()?;
                self.write_archive(store, publication, number)?;
                if number % 100 == 0 || number == full {
                    written += self.files.flush()?.len();
                    store.write(|w| w.publishing().set_archives(&publication.path, number))?;
                }
            }
        }
        Ok(written)
    }

    /// The events that are coming up; pages that show others are behind.
    fn coming(&self, store: &Store) -> anyhow::Result<Vec<Story>> {
        let (coming, known) = store.read(|r| {
            let window = coming_window(self.catalog.channel, self.now);
            let coming =
                window.map(|(from, to)| r.entries().coming(from, to, COMING_STORIES_MAX)).transpose()?;
            Ok::<_, StoreError>((desk::edited(r, coming.unwrap_or_default())?, r.publishing().coming()?))
        })?;
        if coming.is_empty() && known.is_empty() {
            return Ok(coming);
        }
        let mut changed: Vec<(&Publication, Option<String>)> = Vec::new();
        for publication in self.publications {
            let shown = coming_among(&coming, &publication.interests);
            let ids: Vec<&str> = shown.iter().map(|story| story.id.as_str()).collect();
            let shown = if ids.is_empty() { None } else { Some(serde_json::to_string(&ids)?) };
            if known.get(&publication.path) != shown.as_ref() {
                changed.push((publication, shown));
            }
        }
        store.write(|w| {
            changed.iter().try_for_each(|(publication, shown)| {
                w.publishing().put_coming(&publication.path, shown.as_deref())?;
                w.publishing().put_behind(&format!("{}{PAGE}", publication.path))
            })
        })?;
        Ok(coming)
    }

    /// Renders the files that are behind; answers how many were written.
    fn render_behind(
        &self,
        store: &Store,
        coming: &[Story],
        mut filled: FilledPublications,
    ) -> anyhow::Result<usize> {
        let archived = archived(store)?;
        let by_file: HashMap<String, &Publication> = self
            .publications
            .iter()
            .flat_map(|publication| publication_files(publication).map(move |file| (file, publication)))
            .collect();
        let mut newest = NewestStories { store, archived: &archived, last: None };
        let mut written = 0;
        let mut outdated = store.read(|r| r.publishing().outdated_files())?;
        outdated.sort_by_key(|path| rank(path));
        // Only the page of the channel shows them.
        if outdated.iter().any(|path| path == PAGE) {
            filled.counts = self.counts(store)?;
        }
        let setting = SiteContext { filled: Some(&filled), ..self.setting() };
        for chunk in outdated.chunks(EVEN) {
            for path in chunk {
                self.check_not_stopped()?;
                match by_file.get(path).copied() {
                    Some(publication) => {
                        let bytes =
                            self.render_publication(setting, publication, path, &mut newest, coming)?;
                        self.files.write(path, bytes)?;
                    }
                    // Files of publications that are no longer configured are left as they are.
                    None => match self.render_list(setting, path, store)? {
                        Some(bytes) => self.files.write(path, bytes)?,
                        None => self.leave_or_remove(store, path)?,
                    },
                }
            }
            let changed = self.files.flush()?;
            written += changed.len();
            let is_feed = |path: &&String| by_file.contains_key(*path) && !path.ends_with(PAGE);
            store.write(|w| {
                if self.hub.is_some() {
                    changed.iter().filter(is_feed).try_for_each(|path| w.hub().put_changed_feed(path))?;
                }
                w.publishing().set_even(chunk)
            })?;
        }
        Ok(written)
    }

    /// Removes the page of a day whose stories all went elsewhere. If they were only forgotten, it stays.
    fn leave_or_remove(&self, store: &Store, path: &str) -> anyhow::Result<()> {
        let Some((_, _, day)) = day_in(path) else { return Ok(()) };
        if !store.read(|r| r.publishing().days())?.iter().any(|(known, _)| *known == day) {
            return self.files.remove(&[path]);
        }
        let is_missing =
            self.files.has_looked() && !self.files.missing(std::iter::once(path.to_owned())).is_empty();
        match read_former(self.former, path)? {
            Some(bytes) if is_missing => self.files.write(path, bytes),
            _ => Ok(()),
        }
    }

    /// Renders a feed or the page of a publication.
    fn render_publication<'a>(
        &self,
        setting: SiteContext,
        publication: &'a Publication,
        path: &str,
        newest: &mut NewestStories<'a>,
        coming: &[Story],
    ) -> anyhow::Result<Vec<u8>> {
        let has_archives = self.archives.has(publication);
        let (before, stories) = newest.of(publication, has_archives, self.catalog.channel.entries_max)?;
        match formats::of_file(path.rsplit('/').next().unwrap_or_default()) {
            Some(format) => {
                let place = DocumentLocation { publication, archive: None, before, hub: self.hub };
                (format.render)(self.catalog, place, stories)
            }
            None => {
                let coming = coming_among(coming, &publication.interests);
                let page = planet::publication(setting, publication, stories, &coming, self.templates)?;
                Ok(page.into_bytes())
            }
        }
    }

    /// Renders a site-wide page or list; `None` for any other path, and for a day that has no story any more.
    fn render_list(
        &self,
        setting: SiteContext,
        path: &str,
        store: &Store,
    ) -> anyhow::Result<Option<Vec<u8>>> {
        let days = || store.read(|r| r.publishing().days());
        Ok(Some(if path == planet::DAYS {
            planet::days(setting, &days()?, self.templates)?.into_bytes()
        } else if path == planet::PARTNERS {
            planet::partners(setting, self.templates)?.into_bytes()
        } else if path == SITEMAP {
            lists::sitemap(self.catalog, self.publications, &days()?)
        } else if let Some((from, to, day)) = day_in(path) {
            let stories = store.read(|r| desk::edited(r, r.publishing().within(from, to)?))?;
            if stories.is_empty() {
                return Ok(None);
            }
            planet::day(setting, &day, &stories, self.templates)?.into_bytes()
        } else {
            return Ok(None);
        }))
    }

    /// Renders the pages that depend on the configuration alone.
    fn render_fixed(&self) -> anyhow::Result<usize> {
        self.files
            .write(OPML, lists::opml(&self.catalog.channel.title, self.catalog.sources.iter(), false))?;
        self.files.write(FAVICON, self.templates.text("planet/favicon.svg")?.into_bytes())?;
        self.render_brand()?;
        for language in i18n::languages() {
            self.files.write(&digest::privacy_path(language), self.privacy(language)?.into_bytes())?;
        }
        Ok(self.files.flush()?.len())
    }

    /// The files of the logo and of the typeface. A logo that is not there any more stays as it was published.
    fn render_brand(&self) -> anyhow::Result<()> {
        for logo in [&self.brand.logo, &self.brand.logo_dark].into_iter().flatten() {
            match std::fs::read(&logo.file) {
                Ok(bytes) => self.files.write(&logo.path, bytes)?,
                Err(error) => tracing::warn!("[brand]: {} cannot be read: {error}", logo.file.display()),
            }
        }
        if let Some((path, _)) = self.brand.typeface.file() {
            self.files.write(path, brand::font(self.brand.typeface).to_vec())?;
            self.files.write(brand::LICENCE, brand::LICENCE_TEXT.as_bytes().to_vec())?;
        }
        Ok(())
    }

    fn check_not_stopped(&self) -> Result<(), Interrupted> {
        if self.stop.is_cancelled() { Err(Interrupted) } else { Ok(()) }
    }

    /// The rendering settings.
    pub fn setting(&self) -> SiteContext<'_> {
        SiteContext {
            catalog: self.catalog,
            publications: self.publications,
            filled: None,
            images: self.images,
            key: self.key,
        }
    }

    /// The data-protection page, as configured.
    fn privacy(&self, language: &str) -> anyhow::Result<String> {
        let title = self.newsletter.title(language, self.catalog.channel);
        let data = json!({
            "title": title,
            "heading": phrases(language)["privacy"],
            "language": language,
            "is_private": false,
            "base": self.catalog.channel.path(),
            "controller": self.newsletter.controller,
            "contact": self.newsletter.contact.as_ref().map(Address::as_str),
            "retention_days": self.retention_days,
            "publisher": said("privacy_publisher", language, &[("title", title.into())]),
            "forgotten": said("privacy_forgotten", language, &[("days", self.retention_days.into())]),
            "t": phrases(language),
        });
        Ok(self.templates.render("web/privacy.html", &data)?)
    }

    /// Writes the web versions of issues that have none yet, and the list of issues of configured digests. Returns the number of
    /// issues written.
    ///
    /// # Errors
    /// When the store, a template, the disk or the bucket fails; what was written is kept, the rest is written the next time.
    pub fn archive_issues(&self, store: &Store, digests: &[Digest]) -> anyhow::Result<usize> {
        let mut count = 0;
        loop {
            let issues = store.read(|r| r.mailing().unarchived_issues(BATCH))?;
            if issues.is_empty() {
                break;
            }
            for (name, issue) in issues.iter().filter_map(|(_, issue)| Some((issue.name.as_deref()?, issue)))
            {
                self.files.write(
                    &digest::archive_path(name),
                    digest::web_version(issue, &self.catalog.channel.url).into_bytes(),
                )?;
            }
            self.files.flush()?;
            store.write(|w| issues.iter().try_for_each(|(key, _)| w.mailing().set_archived(*key)))?;
            count += issues.len();
        }
        let path = "issues/index.html";
        if count > 0 || !self.files.missing(std::iter::once(path.to_owned())).is_empty() {
            self.files.write(path, self.issues_page(store, digests)?.into_bytes())?;
            self.files.flush()?;
        }
        self.files.sweep();
        Ok(count)
    }

    fn issues_page(&self, store: &Store, digests: &[Digest]) -> anyhow::Result<String> {
        let language = self.catalog.channel.language.as_str();
        let t = phrases(language);
        let mut lists = Vec::new();
        let campaigns = self.newsletter.title(language, self.catalog.channel);
        let own = digests.iter().map(|digest| (&digest.id, digest.title.as_str()));
        for (digest, title) in own.chain([(&DigestId::Campaign, campaigns)]) {
            let issues = store.read(|r| r.mailing().last_issues(digest, ISSUES_LISTED))?;
            let issues: Vec<_> = issues
                .into_iter()
                .map(|(name, subject, at)| json!({ "name": name, "subject": subject, "date": long_date(at.to_zoned_datetime(TimeZone::UTC).date(), language) }))
                .collect();
            if !issues.is_empty() {
                lists.push(json!({ "title": title, "issues": issues }));
            }
        }
        let data = json!({ "title": self.catalog.channel.title, "heading": t["issues"], "language": t["lang"], "is_private": false, "base": self.catalog.channel.path(), "digests": lists, "t": t });
        Ok(self.templates.render("web/issues.html", &data)?)
    }
}

/// Caches the newest stories of the last publication asked for, since files of one publication are rendered together.
struct NewestStories<'a> {
    store: &'a Store,
    archived: &'a HashMap<PublicationKey, i64>,
    last: Option<(&'a PublicationKey, Vec<Story>)>,
}

impl<'a> NewestStories<'a> {
    /// The number of the last archive document, and the stories of the feed itself: if there are archives, those not archived.
    fn of(
        &mut self,
        publication: &'a Publication,
        has_archives: bool,
        entries_max: usize,
    ) -> Result<(i64, &[Story]), StoreError> {
        let before = self.archived.get(&publication.path).copied().filter(|_| has_archives).unwrap_or(0);
        if self.last.as_ref().is_none_or(|(known, _)| **known != publication.path) {
            let after = has_archives.then_some(Seq(before * ARCHIVE));
            let newest = self
                .store
                .read(|r| desk::edited(r, r.publishing().newest(&publication.path, entries_max, after)?))?;
            self.last = Some((&publication.path, newest));
        }
        Ok((before, self.last.as_ref().map_or(&[], |(_, stories)| stories)))
    }
}

/// The files of a publication that change with its stories.
fn publication_files(publication: &Publication) -> impl Iterator<Item = String> {
    FORMATS.iter().map(|format| format.file).chain([PAGE]).map(|file| format!("{}{file}", publication.path))
}

/// The date a story is sorted by: that of its earliest version.
fn story_date(story: &Story) -> Timestamp {
    story.versions.iter().map(|version| version.sort_date()).min().unwrap_or(Timestamp::UNIX_EPOCH)
}

fn day_of(date: Timestamp) -> String {
    date.to_zoned_datetime(TimeZone::UTC).date().to_string()
}

/// The bounds of the day that a path is for, and its name.
fn day_in(path: &str) -> Option<(Timestamp, Timestamp, String)> {
    let day = path.strip_prefix("days/")?.strip_suffix(".html")?;
    let date: jiff::civil::Date = day.parse().ok()?;
    let at = |date: jiff::civil::Date| {
        TimeZone::UTC.to_timestamp(date.to_datetime(jiff::civil::Time::midnight())).ok()
    };
    Some((at(date)?, at(date.checked_add(1.day()).ok()?)?, day.to_owned()))
}

/// The number of archive documents of each publication.
fn archived(store: &Store) -> Result<HashMap<PublicationKey, i64>, StoreError> {
    Ok(store
        .read(|r| r.publishing().publications())?
        .into_iter()
        .map(|(publication, _, archived)| (publication, archived))
        .collect())
}
