//! What is published: the whole channel, and feeds of parts of it, each with its page.

use super::channel::Channel;
use super::source::Source;
use super::subscriber::Tastes;
use super::topic::Topic;

/// What an outlet is of, for the navigation of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutletKind {
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
    pub fn has(self, outlet: &Outlet) -> bool {
        self == Archives::All || outlet.kind == OutletKind::Channel
    }
}

/// Which outlet it is, by where it stands under the address of the channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OutletKey {
    /// The whole channel, at that address itself.
    Channel,
    /// A part of it, with a slash at the end.
    Path(String),
}

impl OutletKey {
    /// The path: empty for the channel.
    pub fn as_str(&self) -> &str {
        match self {
            OutletKey::Channel => "",
            OutletKey::Path(path) => path,
        }
    }
}

impl From<&str> for OutletKey {
    fn from(path: &str) -> Self {
        if path.is_empty() { OutletKey::Channel } else { OutletKey::Path(path.to_owned()) }
    }
}

impl std::fmt::Display for OutletKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A feed in all its formats, and the page of the same stories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlet {
    pub kind: OutletKind,
    pub path: OutletKey,
    /// Its own name; empty for the channel.
    pub name: String,
    /// BCP 47; stories are shown in it where a version of them exists.
    pub language: String,
    pub tastes: Tastes,
}

/// `[[feed]]` of the configuration: a combination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedChoice {
    pub id: String,
    pub title: String,
    pub language: Option<String>,
    pub tastes: Tastes,
}

/// All outlets of a channel: itself, each topic, each partner, each language of a source, and what `[[feed]]` names.
pub fn outlets(channel: &Channel, topics: &[Topic], sources: &[Source], feeds: &[FeedChoice]) -> Vec<Outlet> {
    let language = &channel.language;
    let outlet = |kind, path, name: &str, language: &str, tastes| Outlet { kind, path, name: name.to_owned(), language: language.to_owned(), tastes };
    let part = |folder: &str, name: &str| OutletKey::Path(format!("{folder}/{}/", slug(name)));
    let mut all = vec![outlet(OutletKind::Channel, OutletKey::Channel, "", language, Tastes::default())];
    for topic in topics {
        let tastes = Tastes { topics: vec![topic.id.clone()], ..Tastes::default() };
        all.push(outlet(OutletKind::Topic, part("topics", &topic.id), topic.label(language), language, tastes));
    }
    let mut partners: Vec<&str> = sources.iter().map(|source| source.partner.as_str()).collect();
    partners.sort_unstable();
    partners.dedup();
    for partner in partners {
        let tastes = Tastes { partners: vec![partner.to_owned()], ..Tastes::default() };
        all.push(outlet(OutletKind::Partner, part("partners", partner), partner, language, tastes));
    }
    let mut spoken: Vec<String> = sources.iter().filter_map(|source| Some(source.language.as_deref()?.split('-').next()?.to_ascii_lowercase())).collect();
    spoken.push(language.split('-').next().unwrap_or(language).to_ascii_lowercase());
    spoken.sort_unstable();
    spoken.dedup();
    for spoken in spoken {
        let tastes = Tastes { languages: vec![spoken.clone()], ..Tastes::default() };
        all.push(outlet(OutletKind::Language, part("languages", &spoken), &spoken, &spoken, tastes));
    }
    for feed in feeds {
        let own = feed.language.as_deref().unwrap_or(language);
        all.push(outlet(OutletKind::Feed, part("feeds", &feed.id), &feed.title, own, feed.tastes.clone()));
    }
    // Names that are alike without their accents and signs share no path.
    let mut seen = std::collections::HashSet::new();
    for outlet in &mut all {
        let (mut number, path) = (1, outlet.path.clone());
        while !seen.insert(outlet.path.clone()) {
            number += 1;
            outlet.path = OutletKey::Path(format!("{}-{number}/", path.as_str().trim_end_matches('/')));
        }
    }
    all
}

/// A name as a part of a path: lower-case letters and digits with hyphens between them.
fn slug(name: &str) -> String {
    let plain = crate::text::fold(name);
    let words: Vec<&str> = plain.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
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
        let all = outlets(&channel, &[topic("été"), topic("ete")], &[], &[]);
        let paths: Vec<&str> = all.iter().map(|outlet| outlet.path.as_str()).collect();
        assert_eq!(paths, ["", "topics/ete/", "topics/ete-2/", "languages/fr/"]);
    }
}
