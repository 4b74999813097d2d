//! A channel: the named merge of all sources that we publish.

/// `[channel]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub title: String,
    /// Where the channel will be found, without a final slash.
    pub url: String,
    /// BCP 47; the language that stories are shown in where a version of it exists.
    pub language: String,
    pub description: String,
    /// Stories in the merged feed.
    pub entries_max: usize,
    /// That entries may be in; empty: all that the configuration names.
    pub languages: Vec<String>,
    /// Events that begin within so many days are shown as coming up; 0: none are.
    pub coming_days: u16,
    /// People can sign up at `/subscribe` under its address.
    pub has_sign_up: bool,
    /// How long an entry stays in the store after its source stopped listing it, in seconds.
    pub retention_seconds: u64,
}

impl Channel {
    /// The path that all of the channel lives under: nothing, or `/news`.
    pub fn path(&self) -> String {
        url::Url::parse(&self.url).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default()
    }
}
