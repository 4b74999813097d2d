//! `feeds.toml`: read and validated as a whole, reporting all faults at once. Besides the command line, the only place that
//! accesses the environment (for secrets, and for keys that it sets).

pub mod addition;
mod admin;
mod brand;
mod descriptions;
mod fetch;
mod mail;
mod newsletter;
mod outlet;
mod partner;
mod parts;
mod schema;
mod section;
mod service;
mod source;
mod values;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub use fetch::FetchConfig;
use ipnet::{IpNet, Ipv4Net};
pub use mail::{AccessToken, DkimSettings, MailConfig, TransportConfig};
pub use parts::ConfigFault;
pub use service::ServiceManager;
use url::Url;
pub use values::{Secret, parse_duration, secret_at};

use admin::read_admin;
use brand::read_brand;
use fetch::read_fetch;
use mail::read_mail;
use newsletter::{read_newsletter, read_segments};
use outlet::{read_send, read_webhook};
use partner::read_partners;
use parts::{ConfigTexts, Faults};
use schema::Recorder;
use section::Section;
use source::read_source;
use values::{DAY_SECONDS, parse_language};

use crate::model::address::parse_web_url;
use crate::model::admin::AdminAccount;
use crate::model::brand::Brand;
use crate::model::bucket_url::BucketUrl;
use crate::model::channel::Channel;
use crate::model::digest::{Digest, DigestId, Newsletter, WithoutAnswer};
use crate::model::mail_address::Address;
use crate::model::outlet::Outlet;
use crate::model::partner::Partner;
use crate::model::publication::{Archives, FeedChoice, Images};
use crate::model::schedule::Schedule;
use crate::model::segment::SubscriberSegment;
use crate::model::source::{Source, SourceList};
use crate::model::store_url::StoreUrl;
use crate::model::subscriber::{Interests, SubscriptionOptions};
use crate::model::topic::Topic;
use crate::support::i18n::{self, LocaleFault};
use crate::support::text::did_you_mean;

/// The starter file written by `courant init`.
pub const STARTER: &str = include_str!("starter.toml");

/// `[publish]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishConfig {
    /// The published folder, unless there is a bucket.
    pub dir: PathBuf,
    pub to: Option<BucketConfig>,
    pub images: Images,
    pub archives: Archives,
    /// A hub that is notified of changes (WebSub); `self` means our own, under `courant serve`.
    pub hub: Option<String>,
}

/// A bucket that is published to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketConfig {
    pub url: BucketUrl,
    /// The variables of the environment that begin with `AWS_`: credentials, region, endpoint.
    pub variables: Vec<(String, Secret)>,
}

/// `[serve]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeConfig {
    /// Reverse proxies whose forwarded client address is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// Sign-ups per hour; beyond that, a sign-up requires a second step.
    pub sign_ups_per_hour: u32,
    /// Whether everybody may read what the API answers.
    pub is_api_open: bool,
    /// Where metrics are answered, which are nobody else's business.
    pub metrics: Option<SocketAddr>,
    /// Work that makes no progress for so long has stopped, in seconds.
    pub stalled_after_seconds: u64,
}

/// At this margin, nine of ten answers are right on the labelled stories that ship with the program.
const MARGIN: f32 = 0.3;

/// `[classify]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClassifyConfig {
    /// A model written by `courant classify train`.
    pub model: Option<PathBuf>,
    /// The model abstains if its best topic leads by less than this.
    pub margin: f32,
}

/// `[alarms]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmConfig {
    /// Below so much room on the disk, one is raised.
    pub disk_min_bytes: u64,
    /// So many days before a certificate ends, one is raised.
    pub certificate_days: u32,
    /// Who is asked for the records of mail; the system's name servers where nobody is named.
    pub name_server: Option<SocketAddr>,
}

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    pub classify: ClassifyConfig,
    pub brand: Brand,
    pub channel: Channel,
    /// The channel's public address, if configured.
    pub public_url: Option<String>,
    /// `sqlite:PATH`, with the path resolved against the file's folder.
    pub store: StoreUrl,
    /// `templates/` beside the file, which overrides the built-in templates.
    pub templates_dir: PathBuf,
    pub mail: MailConfig,
    pub newsletter: Newsletter,
    /// `[[segment]]`, in their order: one may name those before it.
    pub segments: Vec<SubscriberSegment>,
    pub serve: ServeConfig,
    /// Who may sign in under `/admin`; while there is nobody, it is not there.
    pub admin_accounts: Vec<AdminAccount>,
    pub alarms: AlarmConfig,
    /// `[[partner]]`.
    pub partners: Vec<Partner>,
    pub fetch: FetchConfig,
    pub topics: Vec<Topic>,
    pub digests: Vec<Digest>,
    pub feeds: Vec<FeedChoice>,
    /// `[[webhook]]` and `[[send]]`.
    pub outlets: Vec<Outlet>,
    pub publish: PublishConfig,
    pub sources: SourceList,
    /// What is no fault, and should be known.
    pub notes: Vec<ConfigFault>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {cause}{}", remedy(.cause))]
    Unreadable { path: PathBuf, cause: std::io::Error },
    #[error("there is no configuration: none of {} exists (start with `courant init`, or name the file with --config or COURANT_CONFIG)", list_paths(.0))]
    Nowhere(Vec<PathBuf>),
    /// The faults in the operator's `locales/` come first, then those of the file.
    #[error("{}", list_faults(.locales, .path, .faults))]
    Faulty { locales: Vec<LocaleFault>, path: PathBuf, faults: Vec<ConfigFault> },
}

fn list_faults(locales: &[LocaleFault], path: &Path, faults: &[ConfigFault]) -> String {
    let of_locales =
        locales.iter().map(|fault| format!("{}:{}: {}", fault.path.display(), fault.line, fault.message));
    let of_file = faults.iter().map(|fault| fault.in_file(path));
    of_locales.chain(of_file).collect::<Vec<String>>().join("\n")
}

/// What to do about a file that cannot be read.
fn remedy(cause: &std::io::Error) -> &'static str {
    match cause.kind() {
        std::io::ErrorKind::PermissionDenied => " (another user or group may read it)",
        _ => " (start with `courant init`, or name the file with --config)",
    }
}

fn list_paths(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The context in which relative paths and secrets are resolved.
pub struct ConfigContext<'a> {
    pub folder: &'a Path,
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// The variables whose names begin so.
    pub variables: &'a dyn Fn(&str) -> Vec<(String, String)>,
}

/// The variables of the environment whose names begin so, and whose names and values are text.
fn variables(begin: &str) -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with(begin))
        .collect()
}

impl Config {
    /// The languages to detect: `[channel] languages`, or else all that the configuration mentions.
    pub fn languages(&self) -> Vec<String> {
        if !self.channel.languages.is_empty() {
            return self.channel.languages.clone();
        }
        let of_topics = self.topics.iter().flat_map(|topic| topic.keywords.keys().chain(topic.label.keys()));
        let of_feeds =
            self.feeds.iter().flat_map(|feed| feed.language.iter().chain(&feed.interests.languages));
        let others =
            self.sources.iter().filter_map(|source| source.language.as_ref()).chain(
                self.digests.iter().flat_map(|digest| digest.languages.iter().chain([&digest.language])),
            );
        let mut languages: Vec<String> = others
            .chain(of_topics)
            .chain(of_feeds)
            .chain(std::iter::once(&self.channel.language))
            .cloned()
            .collect();
        languages.sort();
        languages.dedup();
        languages
    }

    /// What subscribers can choose: the topics, and the partners with an enabled source.
    pub fn subscription_options(&self) -> SubscriptionOptions {
        let enabled = self.sources.iter().filter(|source| source.is_enabled);
        let mut partners: Vec<String> = enabled.map(|source| source.partner.clone()).collect();
        partners.sort();
        partners.dedup();
        SubscriptionOptions { topics: self.topics.iter().map(|topic| topic.id.clone()).collect(), partners }
    }

    /// The languages offered for pages and mails: those mentioned in the configuration that the interface has, the channel's own
    /// first.
    pub fn interface_languages(&self) -> Vec<&'static str> {
        let mut named = self.languages();
        named.extend(self.digests.iter().map(|digest| digest.language.clone()));
        named.extend(self.newsletter.titles.keys().cloned());
        let own = i18n::known(&self.channel.language);
        let mut languages: Vec<&str> = named.iter().filter_map(|language| i18n::known(language)).collect();
        languages.sort_unstable();
        languages.dedup();
        languages.retain(|language| Some(*language) != own);
        own.into_iter().chain(languages).collect()
    }
}

/// Whether colours are welcome (<https://no-color.org>), on a terminal that has them.
pub fn wants_colours() -> bool {
    !is_terminal_dumb() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether the terminal, if there is one, understands no control characters.
pub fn is_terminal_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|name| name == "dumb")
}

/// The folder beside the file with more sources.
pub const ADDED_FOLDER: &str = "conf.d";

/// Where the configuration is: as given, or as `COURANT_CONFIG` says, or else the first that exists of `feeds.toml` in this folder,
/// in the user's folder of configurations, and in `/etc/courant`.
///
/// # Errors
/// When there is none of these.
pub fn find(given: Option<&Path>) -> Result<PathBuf, ConfigError> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(named) = given.map(Path::to_owned).or_else(|| variable("COURANT_CONFIG")) {
        return Ok(named);
    }
    let of_user = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")));
    let places: Vec<PathBuf> = [PathBuf::from("feeds.toml")]
        .into_iter()
        .chain(of_user.map(|folder| folder.join("courant/feeds.toml")))
        .chain([PathBuf::from("/etc/courant/feeds.toml")])
        .collect();
    // One that may not be looked at is there.
    let is_there = |path: &&PathBuf| path.try_exists().unwrap_or(true);
    places.iter().find(is_there).cloned().ok_or(ConfigError::Nowhere(places))
}

/// Reads and validates a file, with those of `conf.d/` and the texts in `locales/` beside it, and the variables that set keys.
///
/// # Errors
/// When it cannot be read, or all its faults.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
    load_text(&text, path)
}

/// The same, as if the file had this text.
///
/// # Errors
/// All its faults.
pub fn load_text(text: &str, path: &Path) -> Result<Config, ConfigError> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute.parent().unwrap_or(Path::new("."));
    let surroundings =
        ConfigContext { folder, environment: &|name| std::env::var(name).ok(), variables: &variables };
    // Before the file, which may mention a language added there.
    let locales = i18n::add(&path.parent().unwrap_or(Path::new("")).join("locales"));
    match read_parts(text, path, &surroundings) {
        Ok(config) if locales.is_empty() => Ok(config),
        parsed => Err(ConfigError::Faulty {
            locales,
            path: path.to_owned(),
            faults: parsed.err().unwrap_or_default(),
        }),
    }
}

/// Reads and validates a file by itself, whatever stands beside it and in the environment.
///
/// # Errors
/// As `load`.
pub fn load_alone(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute.parent().unwrap_or(Path::new("."));
    let surroundings = ConfigContext { folder, environment: &|_| None, variables: &|_| Vec::new() };
    parse(&text, &surroundings).map_err(|faults| ConfigError::Faulty {
        locales: Vec::new(),
        path: path.to_owned(),
        faults,
    })
}

/// Parses a file with what stands beside it and in the environment.
fn read_parts(text: &str, path: &Path, surroundings: &ConfigContext) -> Result<Config, Vec<ConfigFault>> {
    let mut parts = ConfigTexts::of(text);
    let mut faults = Vec::new();
    let folder = path.parent().unwrap_or(Path::new(""));
    faults.extend(parts.add_folder(&folder.join(ADDED_FOLDER)).err().into_iter().flatten());
    if parts.is_empty() {
        let message = "is empty: `courant init DIR` writes one to begin with".into();
        return Err(vec![ConfigFault { place: None, line: 1, message }]);
    }
    let variables = (surroundings.variables)(parts::PREFIX);
    faults.extend(parts.add_variables(variables, &keys()).err().into_iter().flatten());
    match parse_parts(&parts, surroundings) {
        Ok(config) if faults.is_empty() => Ok(config),
        parsed => {
            faults.extend(parsed.err().unwrap_or_default());
            faults.sort();
            Err(faults)
        }
    }
}

/// What the reader asks an empty file for.
fn recorded() -> Rc<Recorder> {
    let recorder = Rc::new(Recorder::default());
    let parts = ConfigTexts::of("");
    let faults = Faults::new(&parts);
    let surroundings =
        ConfigContext { folder: Path::new("."), environment: &|_| None, variables: &|_| Vec::new() };
    read_root(&Section::recorded(recorder.clone(), &faults), &surroundings);
    recorder
}

/// The keys of the file.
fn keys() -> Vec<&'static str> {
    recorded().names()
}

/// A JSON Schema of what the reader accepts.
pub fn schema() -> serde_json::Value {
    let mut schema = recorded().schema();
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "courant".into();
    descriptions::describe(&mut schema);
    schema
}

/// Parses and validates the text of a file.
///
/// # Errors
/// All faults, sorted by line.
pub fn parse(text: &str, surroundings: &ConfigContext) -> Result<Config, Vec<ConfigFault>> {
    parse_parts(&ConfigTexts::of(text), surroundings)
}

fn parse_parts(parts: &ConfigTexts, surroundings: &ConfigContext) -> Result<Config, Vec<ConfigFault>> {
    let faults = Faults::new(parts);
    let table = parts.merged(&faults);
    let config = read_root(&Section::root(&table, &faults), surroundings);
    let (found, notes) = faults.into_sorted();
    if found.is_empty() { Ok(Config { notes, ..config }) } else { Err(found) }
}

fn read_root(root: &Section, surroundings: &ConfigContext) -> Config {
    if root.number("version", 1, 0..=u64::MAX) != 1 {
        root.fault(0, "version must be 1: this file was written for a later version of courant");
    }
    let defaults = root.table("defaults");
    let channel_section = root.table("channel");
    let public_url = channel_section.has("url");
    let newsletter = read_newsletter(root.table("newsletter"), public_url);
    // An operator who only serves static files has no [newsletter]: a link to a form would lead nowhere.
    let channel = Channel {
        has_sign_up: root.has("newsletter") && newsletter.is_open,
        ..read_channel(channel_section)
    };
    let fetch = read_fetch(root.table("fetch"), &defaults, &channel.url, surroundings);
    let interval = defaults.seconds("interval", parse_duration).unwrap_or(6 * 3600);
    let source = |section| read_source(section, interval, &fetch, surroundings);
    let topics: Vec<Topic> = root.tables("topic").into_iter().map(read_topic).collect();
    let admin = root.table("admin");
    let config = Config {
        classify: read_classify(root.table("classify"), surroundings),
        public_url: public_url.then(|| channel.url.clone()),
        brand: read_brand(&root.table("brand"), surroundings),
        channel,
        store: read_store(root.table("store"), surroundings),
        publish: read_publish(root.table("publish"), surroundings),
        feeds: root.tables("feed").into_iter().map(|section| read_feed(section, &topics)).collect(),
        outlets: read_outlets(root, &topics, surroundings),
        templates_dir: surroundings.folder.join("templates"),
        mail: read_mail(root.table("mail"), surroundings),
        newsletter,
        segments: Vec::new(),
        serve: read_serve(root.table("serve")),
        admin_accounts: read_admin(&admin, surroundings),
        alarms: read_alarms(root.table("alarms")),
        partners: Vec::new(),
        digests: digests(root, &topics, public_url),
        sources: root
            .tables("source")
            .into_iter()
            .zip(0..)
            .map(|(section, position)| Source { position, ..source(section) })
            .collect(),
        topics,
        fetch,
        notes: Vec::new(),
    };
    let partners = read_partners(root.tables("partner"), &config.sources, public_url);
    let config = Config { segments: read_segments(root, &config), partners, ..config };
    check_unique(root, "source", config.sources.iter().map(|source| source.id.as_str()));
    note_same_addresses(root, &config.sources);
    check_unique(root, "topic", config.topics.iter().map(|topic| topic.id.as_str()));
    check_unique(root, "segment", config.segments.iter().map(|segment| segment.id.as_str()));
    check_unique(root, "feed", config.feeds.iter().map(|feed| feed.id.as_str()));
    check_outlets(root, &config.outlets);
    check_unique(root, "digest", config.digests.iter().map(|digest| digest.id.as_str()));
    check_names(&admin, &config.admin_accounts);
    config
}

fn digests(root: &Section, topics: &[Topic], public_url: bool) -> Vec<Digest> {
    root.tables("digest").into_iter().map(|section| read_digest(section, topics, public_url)).collect()
}

fn read_outlets(root: &Section, topics: &[Topic], surroundings: &ConfigContext) -> Vec<Outlet> {
    let webhooks = root.tables("webhook").into_iter();
    let webhooks = webhooks.map(|section| read_webhook(section, topics, surroundings));
    let services = root.tables("send").into_iter();
    webhooks.chain(services.map(|section| read_send(section, topics, surroundings))).collect()
}

/// Tells of sources that read what another one reads already. Those of mail may share a mailbox.
fn note_same_addresses(root: &Section, sources: &[Source]) {
    let mut known: HashMap<&str, &str> = HashMap::new();
    for (source, section) in sources.iter().zip(&root.tables("source")) {
        section.forget();
        if source.kind.is_mail() {
            continue;
        }
        let first = known.entry(source.url.as_str()).or_insert(&source.id);
        if *first != source.id.as_str() {
            section.note("url", format!("the source \"{first}\" reads this address already"));
        }
    }
}

fn read_classify(section: Section, surroundings: &ConfigContext) -> ClassifyConfig {
    let margin = |text: &str| {
        text.parse()
            .ok()
            .filter(|margin: &f32| (0.0..=100.0).contains(margin))
            .ok_or(format!("\"{text}\" is not a margin: write a number such as \"0.3\""))
    };
    ClassifyConfig {
        model: section.string("model").map(|path| surroundings.folder.join(path)),
        margin: section.parsed("margin", margin).unwrap_or(MARGIN),
    }
}

fn check_unique<'a>(root: &Section, kind: &'static str, ids: impl Iterator<Item = &'a str>) {
    let sections = root.tables(kind);
    let mut seen = std::collections::HashSet::new();
    for (id, section) in ids.zip(&sections) {
        section.forget();
        if !id.is_empty() && !seen.insert(id) {
            section.fault(section.at, format!("the id \"{id}\" is taken by an earlier {kind}"));
        }
    }
}

fn check_outlets(root: &Section, outlets: &[Outlet]) {
    for kind in ["webhook", "send"] {
        let own = |outlet: &&Outlet| outlet.kind.key() == kind;
        check_unique(root, kind, outlets.iter().filter(own).map(|outlet| outlet.id.as_str()));
    }
}

/// Nobody could tell two people of one name apart.
fn check_names(admin: &Section, accounts: &[AdminAccount]) {
    let mut seen = std::collections::HashSet::new();
    for account in accounts {
        if !seen.insert(account.name.to_lowercase()) {
            admin.fault(admin.at, format!("the name \"{}\" is taken by an earlier account", account.name));
        }
    }
}

fn read_channel(section: Section) -> Channel {
    Channel {
        title: section.string("title").unwrap_or_else(|| "courant".into()),
        url: section.parsed("url", parse_public_url).map_or_else(
            || "http://localhost:8080".into(),
            |url| url.as_str().trim_end_matches('/').to_owned(),
        ),
        language: section
            .parsed("language", i18n::parse_interface_language)
            .unwrap_or_else(|| i18n::default_language().into()),
        description: section.string("description").unwrap_or_default(),
        entries_max: section.number("max_entries", 100, 1..=100_000) as usize,
        languages: section.list("languages", parse_language),
        coming_days: section.number("coming_days", 14, 0..=366) as u16,
        has_sign_up: false,
        retention_seconds: section.seconds("retention", parse_duration).unwrap_or(2 * 365 * DAY_SECONDS),
    }
}

/// The public address of the channel, whose path has to reach us as it was written, through whatever stands in front of us.
fn parse_public_url(text: &str) -> Result<Url, String> {
    let url = parse_web_url(text)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("\"{text}\" ends with ? or #, and addresses of pages are made by adding to it"));
    }
    let path = url.path().trim_end_matches('/');
    if path.contains("//") || path.contains('%') {
        return Err(format!(
            "the path {path} would reach courant in another spelling, as proxies decode it and join slashes: use letters, digits and hyphens"
        ));
    }
    Ok(url)
}

fn read_store(section: Section, surroundings: &ConfigContext) -> StoreUrl {
    let cache = section.string("cache").unwrap_or_else(|| ".courant".into());
    let url = section.parsed("url", |url| {
        section.note_password("url", url);
        StoreUrl::parse(url, surroundings.folder, &cache)
    });
    url.unwrap_or_else(|| StoreUrl::Sqlite(surroundings.folder.join("courant.db")))
}

fn read_publish(section: Section, surroundings: &ConfigContext) -> PublishConfig {
    let images = section
        .choice("images", &[("omit", Images::Omit), ("proxy", Images::Proxy), ("direct", Images::Direct)]);
    let archives = section.choice("archives", &[("channel", Archives::Channel), ("all", Archives::All)]);
    let hub = |text: &str| {
        if text == "self" { Ok(text.to_owned()) } else { parse_web_url(text).map(|url| url.to_string()) }
    };
    let bucket = |text: &str| {
        let variables = (surroundings.variables)("AWS_");
        let variables = variables.into_iter().map(|(name, value)| (name, Secret(value))).collect();
        Ok(BucketConfig { url: BucketUrl::parse(text)?, variables })
    };
    PublishConfig {
        to: section.parsed("to", bucket),
        dir: surroundings.folder.join(section.string("dir").unwrap_or_else(|| "public".into())),
        images: images.unwrap_or_default(),
        archives: archives.unwrap_or_default(),
        hub: section.parsed("hub", hub),
    }
}

fn read_feed(section: Section, topics: &[Topic]) -> FeedChoice {
    let id = section.required("id");
    let interests = read_interests(&section, topics);
    FeedChoice {
        title: section.string("title").unwrap_or_else(|| id.clone()),
        language: section.parsed("language", parse_language),
        interests,
        is_chosen: section.boolean("pinned", false),
        id,
    }
}

/// Which stories.
fn read_interests(section: &Section, topics: &[Topic]) -> Interests {
    let interests = Interests {
        languages: section.list("languages", parse_language),
        topics: section.list("topics", |id| known_topic(topics, id)),
        without: section.list("without", |id| known_topic(topics, id)),
        partners: section.list("partners", |name| Ok(name.to_owned())),
    };
    interests.sorted()
}

fn known_topic(topics: &[Topic], id: &str) -> Result<String, String> {
    if topics.iter().any(|topic| topic.id == id) {
        return Ok(id.to_owned());
    }
    let near = did_you_mean(id, topics.iter().map(|topic| topic.id.as_str()));
    Err(format!("no [[topic]] has the id \"{id}\"{near}"))
}

fn read_serve(section: Section) -> ServeConfig {
    let network = |text: &str| {
        let text = text.trim();
        let parsed = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        parsed.map_err(|_| {
            format!("\"{text}\" is not a network: write \"10.0.0.0/8\", \"192.0.2.1\" or \"::1\"")
        })
    };
    let here = || {
        vec![
            IpNet::from(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
            IpAddr::V6(Ipv6Addr::LOCALHOST).into(),
        ]
    };
    let trusted = section.list("trusted_proxies", network);
    ServeConfig {
        is_api_open: section.choice("api", &[("open", true), ("closed", false)]).unwrap_or(true),
        trusted_proxies: if section.has("trusted_proxies") { trusted } else { here() },
        sign_ups_per_hour: section.number("sign_ups_per_hour", 200, 1..=1_000_000) as u32,
        metrics: section.parsed("metrics", |text| {
            text.parse().map_err(|_| {
                format!(
                    "\"{text}\" is not an address with a port: write \"127.0.0.1:9100\" or \"[::1]:9100\""
                )
            })
        }),
        stalled_after_seconds: section.seconds("stalled_after", parse_duration).unwrap_or(3_600).max(1),
    }
}

fn read_alarms(section: Section) -> AlarmConfig {
    let name_server = |text: &str| {
        text.parse::<SocketAddr>()
            .map_err(|_| format!("\"{text}\" is not the address of a name server: write \"127.0.0.1:53\""))
    };
    AlarmConfig {
        disk_min_bytes: section.number("disk_mib", 500, 0..=u64::from(u32::MAX)) << 20,
        certificate_days: section.number("certificate_days", 14, 0..=365) as u32,
        name_server: section.parsed("name_server", name_server),
    }
}

fn read_topic(section: Section) -> Topic {
    Topic {
        id: section.required("id"),
        label: section.by_language_text("label", parse_language),
        keywords: section.by_language_list("keywords", parse_language),
        negative: section.by_language_list("negative", parse_language),
        tags: section.list("tags", |text| Ok(text.to_owned())),
        title_weight: section.number("title_weight", 3, 0..=100) as u32,
        is_fallback: section.boolean("fallback", false),
    }
}

fn read_schedule(section: &Section) -> Option<Schedule> {
    let schedule = section.parsed("schedule", |text| {
        let schedule = Schedule::parse(text)?;
        match schedule.is_ever_due() {
            true => Ok(schedule),
            false => Err(format!("\"{text}\" is never due: there is no such day")),
        }
    })?;
    if !schedule.names_zone() {
        section
            .note("schedule", "it names no time zone, so it is in UTC: write it at the end, as Europe/Paris");
    }
    Some(schedule)
}

fn read_digest(section: Section, topics: &[Topic], has_address: bool) -> Digest {
    section.needs("schedule", "schedule is missing: write schedule = \"Mon 08:00 Europe/Paris\"");
    let id = section.required("id");
    if id.starts_with('_') {
        section.fault(section.at, "an id that begins with _ is courant's own: write another");
    }
    Digest {
        id: DigestId::Configured(id),
        title: section.string("title").unwrap_or_else(|| "Digest".into()),
        language: section
            .parsed("language", i18n::parse_interface_language)
            .unwrap_or_else(|| i18n::default_language().into()),
        schedule: read_schedule(&section).unwrap_or_else(Schedule::weekly),
        topics: section.list("topics", |id| known_topic(topics, id)),
        languages: section.list("languages", parse_language),
        entries_max: section.number("max_entries", 30, 1..=500) as usize,
        recipients: section.list("recipients", Address::parse),
        without_answer: section.parsed("without_answer", parse_without_answer).unwrap_or_default(),
        review_seconds: read_review(&section, has_address),
        editors: section.list("editors", Address::parse),
    }
}

/// How long before a slot the editors are sent what would go. It needs editors, who need links.
fn read_review(section: &Section, has_address: bool) -> Option<u64> {
    let seconds = section.seconds("review", parse_duration);
    let fault = match (seconds, section.has("editors")) {
        (Some(_), false) => "review is for editors: write editors = [\"name@example.org\"]",
        (None, true) => {
            "editors are sent each issue before it goes: write review = \"1h\" for how long before"
        }
        (Some(_), true) if !has_address => "review sends links to the editors: set url in [channel]",
        _ => return seconds,
    };
    section.fault(section.at, fault);
    seconds
}

fn parse_without_answer(text: &str) -> Result<WithoutAnswer, String> {
    match text {
        "send" => Ok(WithoutAnswer::Send),
        "hold" => Ok(WithoutAnswer::Hold),
        _ => Err(format!("\"{text}\" must be \"send\" or \"hold\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::admin::AdminRole;

    fn check(text: &str) -> Result<Config, Vec<ConfigFault>> {
        let environment = |name: &str| (name == "SMTP_PASSWORD").then(|| "geheim".to_owned());
        let variables = |_: &str| vec![("AWS_SECRET_ACCESS_KEY".to_owned(), "geheim".to_owned())];
        let folder = Path::new("/srv/courant");
        parse(text, &ConfigContext { folder, environment: &environment, variables: &variables })
    }

    fn messages(text: &str) -> Vec<String> {
        check(text)
            .unwrap_err()
            .into_iter()
            .map(|fault| format!("{}: {}", fault.line, fault.message))
            .collect()
    }

    #[test]
    fn the_starter_is_valid() {
        let config = check(STARTER).unwrap();
        assert!(config.topics.len() >= 3 && !config.digests.is_empty() && !config.sources.is_empty());
    }

    #[test]
    fn every_fault_is_reported_at_once_with_its_line() {
        let faults = messages(
            "version = 1\n[chanel]\ntitle = \"x\"\n[[source]]\nid = \"a\"\nurl = \"ftp://x\"\nkind = \"fed\"\nintervall = \"6h\"\n[[source]]\nid = \"a\"\nurl = \"https://x.org\"\n[source.select]\nitem = \"..\"\n",
        );
        for want in [
            "2: the file: unknown key \"chanel\": did you mean \"channel\"?",
            "6: [[source]] \"a\": url: \"ftp://x\" must begin",
            "7: [[source]] \"a\": kind: \"fed\" must be \"feed\" or",
            "8: [[source]] \"a\": unknown key \"intervall\": did you mean \"interval\"?",
            "9: [[source]] \"a\": the id \"a\" is taken",
            "13: [select]: item: \"..\" is not a valid CSS selector",
        ] {
            assert!(faults.iter().any(|fault| fault.starts_with(want)), "{want} is not in {faults:#?}");
        }
        assert_eq!(faults.len(), 6, "{faults:#?}");
    }

    #[test]
    fn broken_toml_has_a_line_too() {
        let faults = messages("version = 1\n[mail\nfrom = 3\n");
        assert!(faults[0].starts_with("2: "), "{faults:?}");
    }

    #[test]
    fn secrets_come_from_the_environment_or_a_file_only() {
        let mail = |password: &str| {
            format!(
                "[mail]\nfrom = \"n@example.org\"\ntransport = \"smtp://mail.example.org:587\"\nusername = \"u\"\npassword = \"{password}\"\n"
            )
        };
        let config = check(&mail("env:SMTP_PASSWORD")).unwrap();
        assert!(
            matches!(config.mail.transport, TransportConfig::Smtp { password: Some(ref secret), .. } if secret.expose() == "geheim")
        );
        assert!(!format!("{config:?}").contains("geheim"));
        assert!(messages(&mail("geheim"))[0].contains("must not stand in this file"));
        assert!(messages(&mail("env:NOT_THERE"))[0].contains("no variable NOT_THERE"));
        assert!(messages(&mail("file:/dev/null"))[0].contains("/dev/null is empty"));
    }

    #[test]
    fn a_bucket_is_named_without_its_secrets() {
        let config = check("[publish]\nto = \"s3://news/x\"\n").unwrap();
        let bucket = config.publish.to.as_ref().unwrap();
        assert_eq!((bucket.url.to_string().as_str(), bucket.variables.len()), ("s3://news/x", 1));
        assert!(!format!("{config:?}").contains("geheim"));
        assert!(messages("[publish]\nto = \"s3://me:geheim@news\"\n")[0].contains("do not belong here"));
    }

    #[test]
    fn a_review_needs_editors_and_an_address() {
        let digest = |rest: &str| format!("[[digest]]\nid = \"d\"\nschedule = \"daily 08:00 UTC\"\n{rest}");
        let whole = digest("review = \"1h\"\neditors = [\"a@x.org\"]\nwithout_answer = \"hold\"\n");
        let config = check(&format!("[channel]\nurl = \"https://x.org\"\n{whole}")).unwrap();
        let digest_read = &config.digests[0];
        assert_eq!((digest_read.review_seconds, digest_read.editors.len()), (Some(3_600), 1));
        assert!(digest_read.waits_for_editors());
        assert!(messages(&whole)[0].contains("set url in [channel]"));
        assert!(messages(&digest("review = \"1h\"\n"))[0].contains("write editors = "));
        assert!(messages(&digest("editors = [\"a@x.org\"]\n"))[0].contains("write review = "));
        assert!(messages(&digest("without_answer = \"maybe\"\n"))[0].contains("\"send\" or \"hold\""));
    }

    #[test]
    fn an_account_has_a_hash_of_its_password_and_a_name_of_its_own() {
        let hash =
            "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let account = |name: &str, rest: &str| format!("[[admin.account]]\nname = \"{name}\"\n{rest}");
        let own = format!("password = \"{hash}\"\n");
        let config = check(&format!("{}role = \"operator\"\n{}", account("ana", &own), account("bo", &own)));
        let accounts = config.unwrap().admin_accounts;
        assert_eq!((accounts[0].name.as_str(), accounts[0].role), ("ana", AdminRole::Operator));
        assert_eq!(accounts[1].role, AdminRole::Viewer, "whoever has no role sees");
        let twice = messages(&format!("{}{}", account("ana", &own), account("ana", &own)));
        assert!(twice[0].contains("the name \"ana\" is taken"), "{twice:?}");
        assert!(messages(&account("ana", "password = \"geheim\"\n"))[0].contains("hash-password"));
        assert!(
            messages(&account("ana", "password = \"env:SMTP_PASSWORD\"\n"))[0]
                .contains("no hash of Argon2id")
        );
        assert!(messages(&account("ana", ""))[0].contains("password is missing"));
        assert!(messages(&account("", &own))[0].contains("is no name"));
        let role = messages(&account("ana", &format!("{own}role = \"editer\"\n")));
        assert!(role[0].contains("did you mean \"editor\"?"), "{role:?}");
    }

    #[test]
    fn a_length_of_time_may_be_a_number_of_seconds() {
        let config = check("[fetch]\ntimeout = 5\ndeadline = \"1m\"\n[defaults]\ninterval = 1800\n").unwrap();
        assert_eq!((config.fetch.timeout_seconds, config.fetch.deadline_seconds), (5, 60));
        assert!(messages("[fetch]\ntimeout = -5\n")[0].contains("from 0"));
    }

    #[test]
    fn durations_are_read() {
        assert_eq!(parse_duration("6h"), Ok(21_600));
        assert_eq!(parse_duration("1d 12h"), Ok(129_600));
        for wrong in ["", "6", "h", "6 hours or so", "99999999999999999999d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
