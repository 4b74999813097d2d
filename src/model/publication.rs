//! Publications: the whole channel and feeds of parts of it, each with its page.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Deref;

use super::channel::Channel;
use super::source::Source;
use super::subscriber::Interests;
use super::topic::Topic;

/// The kind of a publication, for the navigation of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicationKind {
    Channel,
    Topic,
    Partner,
    Language,
    /// `[[feed]]` of the configuration.
    Feed,
}

impl PublicationKind {
    pub fn as_str(self) -> &'static str {
        match self {
            PublicationKind::Channel => "channel",
            PublicationKind::Topic => "topic",
            PublicationKind::Partner => "partner",
            PublicationKind::Language => "language",
            PublicationKind::Feed => "feed",
        }
    }
}

/// How pictures of stories are shown (`[publish] images`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Images {
    /// Not at all, so that no reader's browser contacts another host.
    #[default]
    Omit,
    /// Linked from where they are.
    Direct,
    /// Proxied by us, under `courant serve`.
    Proxy,
}

/// Which feeds have archive documents (`[publish] archives`, RFC 5005 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Archives {
    /// Only the feed of the whole channel, so that every story is on disk once.
    #[default]
    Channel,
    /// All feeds; each stores the texts of its stories again.
    All,
}

impl Archives {
    pub fn has(self, publication: &Publication) -> bool {
        self == Archives::All || publication.kind == PublicationKind::Channel
    }
}

/// Identifies a publication by its path below the address of the channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PublicationKey {
    /// The whole channel, at that address itself.
    Channel,
    /// A part of the channel; the path ends in a slash.
    Path(String),
}

impl PublicationKey {
    /// The path: empty for the channel.
    pub fn as_str(&self) -> &str {
        match self {
            PublicationKey::Channel => "",
            PublicationKey::Path(path) => path,
        }
    }
}

impl From<&str> for PublicationKey {
    fn from(path: &str) -> Self {
        if path.is_empty() { PublicationKey::Channel } else { PublicationKey::Path(path.to_owned()) }
    }
}

impl std::fmt::Display for PublicationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A feed in all its formats, and the page with the same stories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    pub kind: PublicationKind,
    pub path: PublicationKey,
    /// Its own name; empty for the channel.
    pub name: String,
    /// BCP 47; stories are shown in this language if a version exists.
    pub language: String,
    pub interests: Interests,
    /// Only stories that editors chose.
    pub is_chosen: bool,
}

/// `[[feed]]` of the configuration: a combination of interests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedChoice {
    pub id: String,
    pub title: String,
    pub language: Option<String>,
    pub interests: Interests,
    /// Only stories that editors chose.
    pub is_chosen: bool,
}

/// The publications of a channel, found by what they are about.
#[derive(Debug, Clone)]
pub struct PublicationList {
    publications: Vec<Publication>,
    by_topic: HashMap<String, usize>,
    by_partner: HashMap<String, usize>,
}

impl PublicationList {
    /// That of a topic, by its id.
    pub fn of_topic(&self, id: &str) -> Option<&Publication> {
        self.by_topic.get(id).map(|at| &self.publications[*at])
    }

    /// That of a partner, by its name.
    pub fn of_partner(&self, name: &str) -> Option<&Publication> {
        self.by_partner.get(name).map(|at| &self.publications[*at])
    }
}

impl From<Vec<Publication>> for PublicationList {
    fn from(publications: Vec<Publication>) -> PublicationList {
        let by = |kind: PublicationKind, about: fn(&Publication) -> Option<&String>| {
            let own = publications.iter().enumerate().filter(|(_, publication)| publication.kind == kind);
            own.filter_map(|(at, publication)| Some((about(publication)?.clone(), at))).collect()
        };
        PublicationList {
            by_topic: by(PublicationKind::Topic, |publication| publication.interests.topics.first()),
            by_partner: by(PublicationKind::Partner, |publication| publication.interests.partners.first()),
            publications,
        }
    }
}

impl Deref for PublicationList {
    type Target = [Publication];

    fn deref(&self) -> &[Publication] {
        &self.publications
    }
}

impl<'a> IntoIterator for &'a PublicationList {
    type Item = &'a Publication;
    type IntoIter = std::slice::Iter<'a, Publication>;

    fn into_iter(self) -> Self::IntoIter {
        self.publications.iter()
    }
}

/// All publications of a channel: the channel itself, each topic, partner and language of a source, and each `[[feed]]`.
pub fn publications(
    channel: &Channel,
    topics: &[Topic],
    sources: &[Source],
    feeds: &[FeedChoice],
) -> PublicationList {
    let language = &channel.language;
    let mut all = vec![Publication {
        kind: PublicationKind::Channel,
        path: PublicationKey::Channel,
        name: String::new(),
        language: language.clone(),
        interests: Interests::default(),
        is_chosen: false,
    }];
    all.extend(topics.iter().map(|topic| {
        let interests = Interests { topics: vec![topic.id.clone()], ..Interests::default() };
        Publication::part(PublicationKind::Topic, &topic.id, topic.label(language), language, interests)
    }));
    let partners = sources.iter().map(|source| source.partner.as_str()).collect::<BTreeSet<_>>();
    all.extend(partners.into_iter().map(|partner| {
        let interests = Interests { partners: vec![partner.to_owned()], ..Interests::default() };
        Publication::part(PublicationKind::Partner, partner, partner, language, interests)
    }));
    all.extend(spoken_languages(language, sources).into_iter().map(|spoken| {
        let interests = Interests { languages: vec![spoken.clone()], ..Interests::default() };
        Publication::part(PublicationKind::Language, &spoken, &spoken, &spoken, interests)
    }));
    all.extend(feeds.iter().map(|feed| {
        let own = feed.language.as_deref().unwrap_or(language);
        let part =
            Publication::part(PublicationKind::Feed, &feed.id, &feed.title, own, feed.interests.clone());
        Publication { is_chosen: feed.is_chosen, ..part }
    }));
    number_shared_paths(&mut all);
    all.into()
}

impl Publication {
    /// A part of the channel, in the folder of its kind.
    fn part(
        kind: PublicationKind,
        id: &str,
        name: &str,
        language: &str,
        interests: Interests,
    ) -> Publication {
        let folder = match kind {
            PublicationKind::Channel => "",
            PublicationKind::Topic => "topics",
            PublicationKind::Partner => "partners",
            PublicationKind::Language => "languages",
            PublicationKind::Feed => "feeds",
        };
        Publication {
            kind,
            path: PublicationKey::Path(format!("{folder}/{}/", slug(id))),
            name: name.to_owned(),
            language: language.to_owned(),
            interests,
            is_chosen: false,
        }
    }
}

/// The primary languages of the channel and its sources.
fn spoken_languages(own: &str, sources: &[Source]) -> BTreeSet<String> {
    let declared = sources.iter().filter_map(|source| source.language.as_deref());
    declared.chain([own]).map(|tag| tag.split('-').next().unwrap_or(tag).to_ascii_lowercase()).collect()
}

/// Numbers the paths of publications whose names differ only in accents and punctuation, except for the first one.
fn number_shared_paths(all: &mut [Publication]) {
    let mut seen = HashSet::new();
    for publication in all {
        let (mut number, path) = (1, publication.path.clone());
        while !seen.insert(publication.path.clone()) {
            number += 1;
            publication.path =
                PublicationKey::Path(format!("{}-{number}/", path.as_str().trim_end_matches('/')));
        }
    }
}

/// A name as a path segment: lower-case letters and digits, separated by hyphens.
fn slug(name: &str) -> String {
    let plain = crate::support::text::fold(name);
    let words: Vec<&str> =
        plain.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "x".into() } else { words.join("-") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_plain_and_each_its_own() {
        assert_eq!(slug("Réseau « Justice » & co./.."), "reseau-justice-co");
        assert_eq!(slug("../../etc"), "etc");
        let channel = Channel {
            title: "T".into(),
            url: "https://x.example".into(),
            language: "fr".into(),
            description: String::new(),
            entries_max: 10,
            coming_days: 14,
            has_sign_up: false,
            languages: Vec::new(),
            retention_seconds: 1,
        };
        let topic = |id: &str| Topic { id: id.into(), ..Topic::default() };
        let all = publications(&channel, &[topic("été"), topic("ete")], &[], &[]);
        let paths: Vec<&str> = all.iter().map(|publication| publication.path.as_str()).collect();
        assert_eq!(paths, ["", "topics/ete/", "topics/ete-2/", "languages/fr/"]);
    }
}
