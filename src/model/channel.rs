//! A channel: the merged publication of all sources.

/// `[channel]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub title: String,
    /// The public address of the channel, without a trailing slash.
    pub url: String,
    /// BCP 47; stories are shown in this language if a version exists.
    pub language: String,
    pub description: String,
    /// Maximum number of stories in the merged feed.
    pub entries_max: usize,
    /// Languages that entries may be in; if empty, all that the configuration mentions.
    pub languages: Vec<String>,
    /// Events that begin within so many days are shown as coming up; 0: none are.
    pub coming_days: u16,
    /// People can sign up at `/subscribe` under its address.
    pub has_sign_up: bool,
    /// How long an entry is kept after its source stopped listing it, in seconds.
    pub retention_seconds: u64,
}

impl Channel {
    /// The path of the channel: empty, or `/news`.
    pub fn path(&self) -> String {
        url::Url::parse(&self.url).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default()
    }
}
