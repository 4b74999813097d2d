//! What is published: the whole channel, and feeds of parts of it, each with its page.

use super::channel::Channel;
use super::source::Source;
use super::subscriber::Interests;
use super::topic::Topic;

/// What a publication is of, for the navigation of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicationKind {
    Channel,
    Topic,
    Partner,
    Language,
    /// `[[feed]]` of the configuration.
    Feed,
}

/// What is done with the pictures of stories (`[publish] images`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Images {
    /// None is shown: no reader's browser asks another host.
    #[default]
    Omit,
    /// Shown from where they are.
    Direct,
    /// Fetched and handed on by us, under `courant serve`.
    Proxy,
}

/// Which feeds have archive documents (`[publish] archives`, RFC 5005 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Archives {
    /// The feed of the whole channel: every story is in it, and stands on the disk once.
    #[default]
    Channel,
    /// All feeds: each holds the texts of its own stories once more.
    All,
}

impl Archives {
    pub fn has(self, publication: &Publication) -> bool {
        self == Archives::All || publication.kind == PublicationKind::Channel
    }
}

/// Which publication it is, by where it stands under the address of the channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PublicationKey {
    /// The whole channel, at that address itself.
    Channel,
    /// A part of it, with a slash at the end.
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

/// A feed in all its formats, and the page of the same stories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    pub kind: PublicationKind,
    pub path: PublicationKey,
    /// Its own name; empty for the channel.
    pub name: String,
    /// BCP 47; stories are shown in it where a version of them exists.
    pub language: String,
    pub interests: Interests,
}

/// `[[feed]]` of the configuration: a combination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedChoice {
    pub id: String,
    pub title: String,
    pub language: Option<String>,
    pub interests: Interests,
}

/// All publications of a channel: itself, each topic, each partner, each language of a source, and what `[[feed]]` names.
pub fn publications(
    channel: &Channel,
    topics: &[Topic],
    sources: &[Source],
    feeds: &[FeedChoice],
) -> Vec<Publication> {
    let language = &channel.language;
    let publication = |kind, path, name: &str, language: &str, interests| Publication {
        kind,
        path,
        name: name.to_owned(),
        language: language.to_owned(),
        interests,
    };
    let part = |folder: &str, name: &str| PublicationKey::Path(format!("{folder}/{}/", slug(name)));
    let mut all = vec![publication(
        PublicationKind::Channel,
        PublicationKey::Channel,
        "",
        language,
        Interests::default(),
    )];
    for topic in topics {
        let interests = Interests { topics: vec![topic.id.clone()], ..Interests::default() };
        all.push(publication(
            PublicationKind::Topic,
            part("topics", &topic.id),
            topic.label(language),
            language,
            interests,
        ));
    }
    let mut partners: Vec<&str> = sources.iter().map(|source| source.partner.as_str()).collect();
    partners.sort_unstable();
    partners.dedup();
    for partner in partners {
        let interests = Interests { partners: vec![partner.to_owned()], ..Interests::default() };
        all.push(publication(
            PublicationKind::Partner,
            part("partners", partner),
            partner,
            language,
            interests,
        ));
    }
    let mut spoken: Vec<String> = sources
        .iter()
        .filter_map(|source| Some(source.language.as_deref()?.split('-').next()?.to_ascii_lowercase()))
        .collect();
    spoken.push(language.split('-').next().unwrap_or(language).to_ascii_lowercase());
    spoken.sort_unstable();
    spoken.dedup();
    for spoken in spoken {
        let interests = Interests { languages: vec![spoken.clone()], ..Interests::default() };
        all.push(publication(
            PublicationKind::Language,
            part("languages", &spoken),
            &spoken,
            &spoken,
            interests,
        ));
    }
    for feed in feeds {
        let own = feed.language.as_deref().unwrap_or(language);
        all.push(publication(
            PublicationKind::Feed,
            part("feeds", &feed.id),
            &feed.title,
            own,
            feed.interests.clone(),
        ));
    }
    // Names that are alike without their accents and signs share no path.
    let mut seen = std::collections::HashSet::new();
    for publication in &mut all {
        let (mut number, path) = (1, publication.path.clone());
        while !seen.insert(publication.path.clone()) {
            number += 1;
            publication.path =
                PublicationKey::Path(format!("{}-{number}/", path.as_str().trim_end_matches('/')));
        }
    }
    all
}

/// A name as a part of a path: lower-case letters and digits with hyphens between them.
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
