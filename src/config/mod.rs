//! `feeds.toml`: read and validated whole, every fault at once. The only place, with the command line, that
//! looks at the environment (for secrets).

mod section;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use ipnet::{IpNet, Ipv4Net};
use regex::Regex;
use toml::de::{DeTable, DeValue};
use url::Url;

pub use section::Fault;
use section::{Faults, Section};

use crate::model::channel::Channel;
use crate::model::digest::{Digest, DigestId, Newsletter, OnUncertain};
use crate::model::filter::{Field, Filter, Rule};
use crate::model::guard::Allowed;
use crate::model::mail_address::Address;
use crate::model::publication::{Archives, FeedChoice, Images};
use crate::model::schedule::Schedule;
use crate::model::source::{DateFrom, DateOrder, Select, Source, SourceKind};
use crate::model::subscriber::Interests;
use crate::model::topic::Topic;
use crate::support::i18n::{self, LocaleFault};

/// The starter file that `courant init` writes.
pub const STARTER: &str = include_str!("starter.toml");

const DAY_SECONDS: u64 = 86_400;
/// Messages of a rate.
const RATE_MAX: u32 = 100_000;

/// `[fetch]` and what `[defaults]` adds to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchConfig {
    pub user_agent: String,
    /// For connecting and for each wait on the server, in seconds.
    pub timeout_seconds: u64,
    /// For one request from its start to its last byte, in seconds.
    pub deadline_seconds: u64,
    /// A longer body, after decompression, is cut.
    pub body_bytes_max: usize,
    /// Connections to one host at a time.
    pub per_host: usize,
    /// Requests at a time.
    pub concurrency: usize,
    pub interval_min_seconds: u64,
    pub interval_max_seconds: u64,
    /// Private addresses that may be connected to.
    pub allow: Vec<Allowed>,
    pub proxy: Option<Url>,
    /// Names of all proxies in use, those of the environment included.
    pub proxy_hosts: Vec<String>,
    pub ca_file: Option<PathBuf>,
}

/// `[publish]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishConfig {
    pub dir: PathBuf,
    pub images: Images,
    pub archives: Archives,
    /// A hub that is told of changes (WebSub); `self` is our own, under `courant serve`.
    pub hub: Option<String>,
}

/// `[serve]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeConfig {
    /// Whose word it is who asks: proxies before us.
    pub trusted_proxies: Vec<IpNet>,
    /// Sign-ups in an hour; whoever comes after them has a second step to go.
    pub sign_ups_per_hour: u32,
}

/// How mail leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportConfig {
    /// `file:outbox`: one `.eml` a delivery.
    Directory(PathBuf),
    /// `smtp://host:port` (STARTTLS where offered; `?tls=required` insists), `smtps://host:port`.
    /// Several share the load by their `weight` and stand in for each other.
    Smtp {
        urls: Vec<Url>,
        username: Option<String>,
        password: Option<Secret>,
        token: Option<AccessToken>,
        ca_file: Option<PathBuf>,
    },
}

/// Where an access token (OAuth 2.0) comes from; it is good for an hour or so, and is read again each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessToken {
    Given(Secret),
    File(PathBuf),
    /// What a command prints.
    Command(String),
}

impl TransportConfig {
    /// How logins are kept from others, a line for each server with one.
    pub fn notes(&self) -> Vec<String> {
        let TransportConfig::Smtp { urls, username, .. } = self else { return Vec::new() };
        let with_login = urls
            .iter()
            .filter(|url| url.scheme() == "smtp" && (username.is_some() || !url.username().is_empty()));
        with_login
            .filter_map(|url| {
                let server = format!("smtp://{}", url.host_str().unwrap_or_default());
                match tls_of(url).as_deref() {
                    Some("none") => Some(format!(
                        "{server}: tls=none sends the user name and the password unencrypted"
                    )),
                    None => Some(format!(
                        "{server}: TLS is required, because there is a user name (tls=none would not ask for it)"
                    )),
                    Some(_) => None,
                }
            })
            .collect()
    }
}

fn tls_of(url: &Url) -> Option<String> {
    url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned())
}

/// A secret by its place, `env:NAME` or `file:PATH`; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// `[mail]`.
#[derive(Debug, Clone, PartialEq)]
pub struct MailConfig {
    pub transport: TransportConfig,
    /// `Name <address>` or an address.
    pub from: String,
    pub reply_to: Option<String>,
    /// Who is told of sources that break, are mended, or work again.
    pub operators: Vec<Address>,
    /// Where mail comes back to: each delivery has a return path under it (VERP).
    pub bounces: Option<Address>,
    /// Messages under way at a time.
    pub connections: usize,
    /// Messages a second, in all and to one domain; 0 for no limit.
    pub rate: f64,
    pub rate_per_domain: f64,
    /// For each answer of a mail server, in seconds.
    pub timeout_seconds: u64,
    pub on_uncertain: OnUncertain,
    /// Whether a report of fraud ends all mail to whom it is about, as a complaint does.
    pub fraud_is_complaint: bool,
    /// After so many refusals in a row that are about us, a run sends nothing more.
    pub refusals_max: usize,
    /// A mail that could not leave for so long is no news any more, in seconds.
    pub wait_max_seconds: u64,
    /// How long it is kept which mail went to whom, in seconds.
    pub retention_seconds: u64,
    pub dkim: Vec<DkimSettings>,
}

/// `[[mail.dkim]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimSettings {
    pub domain: String,
    pub selector: String,
    pub key: Secret,
    pub is_ed25519: bool,
}

/// At this lead nine answers of ten are right on the labelled stories that ship with the program.
const MARGIN: f32 = 0.3;

/// `[classify]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClassifyConfig {
    /// What `courant classify train` wrote.
    pub model: Option<PathBuf>,
    /// Below this lead of its best topic, the model abstains.
    pub margin: f32,
}

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    pub classify: ClassifyConfig,
    pub channel: Channel,
    /// The channel's address where one was given: others can reach us there.
    pub public_url: Option<String>,
    /// `sqlite:PATH`, the path made absolute against the file's folder.
    pub store_path: PathBuf,
    /// `templates/` beside the file: what stands there wins over what is compiled in.
    pub templates_dir: PathBuf,
    pub mail: MailConfig,
    pub newsletter: Newsletter,
    pub serve: ServeConfig,
    pub fetch: FetchConfig,
    pub topics: Vec<Topic>,
    pub digests: Vec<Digest>,
    pub feeds: Vec<FeedChoice>,
    pub publish: PublishConfig,
    pub sources: Vec<Source>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {cause} (start with `courant init`, or name the file with --config)")]
    Unreadable { path: PathBuf, cause: std::io::Error },
    /// Those of the operator's `locales/` come first, then those of the file.
    #[error("{}", list_faults(.locales, .path, .faults))]
    Faulty { locales: Vec<LocaleFault>, path: PathBuf, faults: Vec<Fault> },
}

fn list_faults(locales: &[LocaleFault], path: &Path, faults: &[Fault]) -> String {
    let of_locales = locales.iter().map(|fault| (fault.path.as_path(), fault.line, &fault.message));
    let of_file = faults.iter().map(|fault| (path, fault.line, &fault.message));
    let lines: Vec<String> = of_locales
        .chain(of_file)
        .map(|(path, line, message)| format!("{}:{line}: {message}", path.display()))
        .collect();
    lines.join("\n")
}

/// Where relative paths and secrets are looked up.
pub struct Surroundings<'a> {
    pub folder: &'a Path,
    pub environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Config {
    /// The languages that entries are told apart by: those of `[channel] languages`, else all that the configuration names.
    pub fn languages(&self) -> Vec<String> {
        if !self.channel.languages.is_empty() {
            return self.channel.languages.clone();
        }
        let of_topics = self.topics.iter().flat_map(|topic| topic.keywords.keys().chain(topic.label.keys()));
        let of_feeds =
            self.feeds.iter().flat_map(|feed| feed.language.iter().chain(&feed.interests.languages));
        let others = self
            .sources
            .iter()
            .filter_map(|source| source.language.as_ref())
            .chain(self.digests.iter().map(|digest| &digest.language));
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

    /// The languages that people can have pages and mails in: those that the configuration names and that there are words for,
    /// the channel's own before the others.
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

/// Reads and validates a file, and the words that stand in `locales/` beside it.
///
/// # Errors
/// When it cannot be read, or with all its faults.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute.parent().unwrap_or(Path::new("."));
    let surroundings = Surroundings { folder, environment: &|name| std::env::var(name).ok() };
    // Before the file, which may name a language that is added there.
    let locales = i18n::add(&path.parent().unwrap_or(Path::new("")).join("locales"));
    match parse(&text, &surroundings) {
        Ok(config) if locales.is_empty() => Ok(config),
        parsed => Err(ConfigError::Faulty {
            locales,
            path: path.to_owned(),
            faults: parsed.err().unwrap_or_default(),
        }),
    }
}

/// Validates the text of a file.
///
/// # Errors
/// All faults, by line.
pub fn parse(text: &str, surroundings: &Surroundings) -> Result<Config, Vec<Fault>> {
    let faults = Faults::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        faults.push(error.span().map_or(0, |span| span.start), error.message().replace('\n', ", "));
    }
    let config = read_root(&Section::root(&table, &faults), surroundings);
    let found = faults.into_sorted();
    if found.is_empty() { Ok(config) } else { Err(found) }
}

fn read_root(root: &Section, surroundings: &Surroundings) -> Config {
    if root.number("version", 1, 0..=u64::MAX) != 1 {
        root.fault(0, "version must be 1: this file was written for a later courant");
    }
    let defaults = root.table("defaults");
    let channel_section = root.table("channel");
    let public_url = channel_section.has("url");
    let newsletter = read_newsletter(root.table("newsletter"));
    // Whoever serves static files only writes no [newsletter]: a link to a form would lead nowhere.
    let channel = Channel {
        has_sign_up: root.has("newsletter") && newsletter.is_open,
        ..read_channel(channel_section)
    };
    let fetch = read_fetch(root.table("fetch"), &defaults, &channel.url, surroundings);
    let interval = defaults.seconds("interval", parse_duration).unwrap_or(6 * 3600);
    let topics: Vec<Topic> = root.tables("topic").into_iter().map(read_topic).collect();
    let config = Config {
        classify: read_classify(root.table("classify"), surroundings),
        public_url: public_url.then(|| channel.url.clone()),
        channel,
        store_path: read_store(root.table("store"), surroundings),
        publish: read_publish(root.table("publish"), surroundings),
        feeds: root.tables("feed").into_iter().map(|section| read_feed(section, &topics)).collect(),
        templates_dir: surroundings.folder.join("templates"),
        mail: read_mail(root.table("mail"), surroundings),
        newsletter,
        serve: read_serve(root.table("serve")),
        digests: root.tables("digest").into_iter().map(|section| read_digest(section, &topics)).collect(),
        sources: root
            .tables("source")
            .into_iter()
            .map(|section| read_source(section, interval, &fetch))
            .collect(),
        topics,
        fetch,
    };
    check_unique(root, "source", config.sources.iter().map(|source| source.id.as_str()));
    check_unique(root, "topic", config.topics.iter().map(|topic| topic.id.as_str()));
    check_unique(root, "feed", config.feeds.iter().map(|feed| feed.id.as_str()));
    check_unique(root, "digest", config.digests.iter().map(|digest| digest.id.as_str()));
    config
}

fn read_classify(section: Section, surroundings: &Surroundings) -> ClassifyConfig {
    let margin = |text: &str| {
        text.parse()
            .ok()
            .filter(|margin: &f32| (0.0..=100.0).contains(margin))
            .ok_or(format!("\"{text}\" is no lead: write \"0.3\""))
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

fn read_channel(section: Section) -> Channel {
    Channel {
        title: section.string("title").unwrap_or_else(|| "courant".into()),
        url: section.parsed("url", parse_web_url).map_or_else(
            || "http://localhost:8080".into(),
            |url| url.as_str().trim_end_matches('/').to_owned(),
        ),
        language: section
            .parsed("language", i18n::parse_language)
            .unwrap_or_else(|| i18n::default_language().into()),
        description: section.string("description").unwrap_or_default(),
        entries_max: section.number("max_entries", 100, 1..=100_000) as usize,
        languages: section.list("languages", parse_language),
        has_sign_up: false,
        retention_seconds: section.seconds("retention", parse_duration).unwrap_or(2 * 365 * DAY_SECONDS),
    }
}

fn read_store(section: Section, surroundings: &Surroundings) -> PathBuf {
    let path = section.parsed("url", |url| match url.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => Ok(surroundings.folder.join(path.trim_start_matches("//"))),
        _ => Err(format!(
            "\"{}\" is no store that this courant knows: write \"sqlite:courant.db\"",
            hide_password(url)
        )),
    });
    path.unwrap_or_else(|| surroundings.folder.join("courant.db"))
}

/// A database address without its password, fit to be printed.
fn hide_password(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => {
            let _ = parsed.set_password(Some("…"));
            parsed.to_string()
        }
        _ => url.to_owned(),
    }
}

fn read_publish(section: Section, surroundings: &Surroundings) -> PublishConfig {
    let images = section.parsed("images", |text| match text {
        "omit" => Ok(Images::Omit),
        "direct" => Ok(Images::Direct),
        "proxy" => Ok(Images::Proxy),
        _ => Err(format!("\"{text}\" must be \"omit\", \"proxy\" or \"direct\"")),
    });
    let archives = section.parsed("archives", |text| match text {
        "channel" => Ok(Archives::Channel),
        "all" => Ok(Archives::All),
        _ => Err(format!("\"{text}\" must be \"channel\" or \"all\"")),
    });
    let hub = |text: &str| {
        if text == "self" { Ok(text.to_owned()) } else { parse_web_url(text).map(|url| url.to_string()) }
    };
    PublishConfig {
        dir: surroundings.folder.join(section.string("dir").unwrap_or_else(|| "public".into())),
        images: images.unwrap_or_default(),
        archives: archives.unwrap_or_default(),
        hub: section.parsed("hub", hub),
    }
}

fn read_feed(section: Section, topics: &[Topic]) -> FeedChoice {
    let id = section.required("id");
    let interests = Interests {
        languages: section.list("languages", parse_language),
        topics: section.list("topics", |id| known_topic(topics, id)),
        without: section.list("without", |id| known_topic(topics, id)),
        partners: section.list("partners", |name| Ok(name.to_owned())),
    };
    FeedChoice {
        title: section.string("title").unwrap_or_else(|| id.clone()),
        language: section.parsed("language", parse_language),
        interests: interests.sorted(),
        id,
    }
}

fn known_topic(topics: &[Topic], id: &str) -> Result<String, String> {
    if topics.iter().any(|topic| topic.id == id) {
        return Ok(id.to_owned());
    }
    let nearest = topics.iter().min_by_key(|topic| strsim::osa_distance(&topic.id, id));
    Err(format!(
        "no [[topic]] has the id \"{id}\"{}",
        nearest.map(|topic| format!(": did you mean \"{}\"?", topic.id)).unwrap_or_default()
    ))
}

fn read_mail(section: Section, surroundings: &Surroundings) -> MailConfig {
    let username = section.parsed("username", |text| secret_or_text(text, surroundings));
    let password = section.parsed("password", |text| secret(text, surroundings).map(Secret));
    let token = section.parsed("token", |text| access_token(text, surroundings));
    if token.is_some() && password.is_some() {
        section.fault(section.at, "token: a password stands beside it: one of them is enough");
    }
    let ca_file = section.string("ca_file").map(|path| surroundings.folder.join(path));
    let has_login = username.is_some();
    let ways = section.one_or_more("transport", |text| {
        let text = secret_or_text(text, surroundings)?;
        if let Some(path) = text.strip_prefix("file:") {
            return Ok(Err(surroundings.folder.join(path)));
        }
        match Url::parse(&text) {
            Ok(url)
                if matches!(url.scheme(), "smtp" | "smtps")
                    && url.host_str().is_some_and(|host| !host.is_empty()) =>
            {
                let has_login = has_login || !url.username().is_empty();
                if has_login && url.scheme() == "smtp" && tls_of(&url).as_deref() == Some("opportunistic") {
                    return Err("tls=opportunistic would give the password to a server without TLS: write tls=required, or tls=none if that is meant".into());
                }
                Ok(Ok(url))
            }
            _ => Err("must be \"file:FOLDER\", \"smtp://HOST:PORT\" or \"smtps://HOST:PORT\"".into()),
        }
    });
    let transport = match ways.as_slice() {
        [] => None,
        [Err(folder)] => Some(TransportConfig::Directory(folder.clone())),
        ways if ways.iter().all(Result::is_ok) => Some(TransportConfig::Smtp {
            urls: ways.iter().flatten().cloned().collect(),
            username,
            password,
            token,
            ca_file,
        }),
        _ => {
            section.fault(
                section.at,
                "transport: a folder stands alone, only mail servers stand beside each other",
            );
            None
        }
    };
    let mailbox = |text: &str| match text.parse::<lettre::message::Mailbox>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("\"{text}\" is no mail address: write \"Name <name@example.org>\"")),
    };
    MailConfig {
        transport: transport
            .unwrap_or_else(|| TransportConfig::Directory(surroundings.folder.join("outbox"))),
        from: section.parsed("from", mailbox).unwrap_or_else(|| "courant@localhost.localdomain".into()),
        reply_to: section.parsed("reply_to", mailbox),
        operators: section.list("operator", Address::parse),
        bounces: section.parsed("bounces", Address::parse),
        connections: section.number("connections", 8, 1..=64) as usize,
        rate: section.by_rate("rate", parse_rate),
        rate_per_domain: section.by_rate("rate_per_domain", parse_rate),
        // RFC 5321 section 4.5.3.2 allows ten minutes after the final dot; no server worth waiting for takes two.
        timeout_seconds: section.seconds("timeout", parse_duration).unwrap_or(120).max(1),
        on_uncertain: section.parsed("on_uncertain", parse_on_uncertain).unwrap_or_default(),
        fraud_is_complaint: section.boolean("fraud_is_complaint", false),
        refusals_max: section.number("refusals_max", 5, 1..=1_000) as usize,
        wait_max_seconds: section.seconds("wait_max", parse_duration).unwrap_or(14 * DAY_SECONDS),
        retention_seconds: section.seconds("retention", parse_duration).unwrap_or(90 * DAY_SECONDS),
        dkim: section.tables("dkim").into_iter().map(|section| read_dkim(section, surroundings)).collect(),
    }
}

fn read_newsletter(section: Section) -> Newsletter {
    Newsletter {
        titles: section.by_spoken_language("title", i18n::parse_language),
        entries_max: section.number("max_entries", 30, 1..=500) as usize,
        is_open: section.boolean("open", true),
        has_welcome: section.boolean("welcome", false),
        controller: section.string("controller"),
        contact: section.parsed("contact", Address::parse),
    }
}

fn read_serve(section: Section) -> ServeConfig {
    let network = |text: &str| {
        let text = text.trim();
        let parsed = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        parsed
            .map_err(|_| format!("\"{text}\" is no network: write \"10.0.0.0/8\", \"192.0.2.1\" or \"::1\""))
    };
    let here = || {
        vec![
            IpNet::from(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
            IpAddr::V6(Ipv6Addr::LOCALHOST).into(),
        ]
    };
    let trusted = section.list("trusted_proxies", network);
    ServeConfig {
        trusted_proxies: if section.has("trusted_proxies") { trusted } else { here() },
        sign_ups_per_hour: section.number("sign_ups_per_hour", 200, 1..=1_000_000) as u32,
    }
}

fn read_dkim(section: Section, surroundings: &Surroundings) -> DkimSettings {
    let algorithm = section.parsed("algorithm", |text| match text {
        "rsa" => Ok(false),
        "ed25519" => Ok(true),
        _ => Err(format!("\"{text}\" must be \"rsa\" or \"ed25519\"")),
    });
    if !section.has("key") {
        section.fault(section.at, "key is missing: write key = \"file:dkim.pem\"");
    }
    DkimSettings {
        domain: section.required("domain"),
        selector: section.required("selector"),
        key: section
            .parsed("key", |text| secret(text, surroundings).map(Secret))
            .unwrap_or_else(|| Secret(String::new())),
        is_ed25519: algorithm.unwrap_or(false),
    }
}

/// A secret by its place, relative to a folder.
///
/// # Errors
/// When it is not there, in words.
pub fn secret_at(text: &str, folder: &Path) -> Result<Secret, String> {
    secret(text, &Surroundings { folder, environment: &|name| std::env::var(name).ok() }).map(Secret)
}

/// `env:NAME` or `file:PATH`; a secret never stands in the configuration itself.
fn secret(text: &str, surroundings: &Surroundings) -> Result<String, String> {
    if let Some(name) = text.strip_prefix("env:") {
        return (surroundings.environment)(name)
            .ok_or_else(|| format!("the environment has no variable {name}"));
    }
    if let Some(path) = text.strip_prefix("file:") {
        let path = surroundings.folder.join(path);
        return std::fs::read_to_string(&path)
            .map(|text| text.trim().to_owned())
            .map_err(|error| format!("cannot read {}: {error}", path.display()));
    }
    Err("a secret must not stand in this file: write \"env:NAME\" or \"file:PATH\"".into())
}

/// `env:NAME`, `file:PATH` or `command:…`.
fn access_token(text: &str, surroundings: &Surroundings) -> Result<AccessToken, String> {
    if let Some(path) = text.strip_prefix("file:") {
        return Ok(AccessToken::File(surroundings.folder.join(path)));
    }
    if let Some(command) = text.strip_prefix("command:").map(str::trim).filter(|command| !command.is_empty())
    {
        return Ok(AccessToken::Command(command.to_owned()));
    }
    if text.starts_with("env:") {
        return secret(text, surroundings).map(|token| AccessToken::Given(Secret(token)));
    }
    Err("a token must not stand in this file: write \"file:PATH\", \"env:NAME\" or \"command:COMMAND\""
        .into())
}

/// `200/h`, `20/min`, `2/s`, or a number a second: messages a second.
fn parse_rate(text: &str) -> Result<f64, String> {
    let fault = || format!("\"{text}\" is no rate: write \"200/h\", \"20/min\" or \"2/s\"");
    let (count, unit) = text.split_once('/').unwrap_or((text, "s"));
    let seconds = match unit.trim() {
        "s" | "sec" | "second" => 1.0,
        "m" | "min" | "minute" => 60.0,
        "h" | "hour" => 3_600.0,
        "d" | "day" => 86_400.0,
        _ => return Err(fault()),
    };
    let count: u32 = count.trim().parse().map_err(|_| fault())?;
    if count > RATE_MAX {
        Err(format!("\"{text}\" is more than {RATE_MAX}"))
    } else {
        Ok(f64::from(count) / seconds)
    }
}

fn secret_or_text(text: &str, surroundings: &Surroundings) -> Result<String, String> {
    if text.starts_with("env:") { secret(text, surroundings) } else { Ok(text.to_owned()) }
}

fn read_fetch(
    section: Section,
    defaults: &Section,
    channel_url: &str,
    surroundings: &Surroundings,
) -> FetchConfig {
    let default_timeout = defaults.seconds("timeout", parse_duration);
    let proxy =
        section.parsed("proxy", |text| Url::parse(text).map_err(|_| format!("\"{text}\" is no address")));
    FetchConfig {
        user_agent: defaults.string("user_agent").unwrap_or_else(|| default_user_agent(channel_url)),
        timeout_seconds: section.seconds("timeout", parse_duration).or(default_timeout).unwrap_or(20).max(1),
        deadline_seconds: section.seconds("deadline", parse_duration).unwrap_or(60).max(1),
        body_bytes_max: section.number("body_bytes_max", 16 << 20, 1024..=1 << 30) as usize,
        per_host: section.number("per_host", 2, 1..=1024) as usize,
        concurrency: section.number("concurrency", 64, 1..=1024) as usize,
        interval_min_seconds: section.seconds("interval_min", parse_duration).unwrap_or(15 * 60),
        interval_max_seconds: section.seconds("interval_max", parse_duration).unwrap_or(7 * DAY_SECONDS),
        allow: section.list("allow", Allowed::parse),
        proxy_hosts: proxy_hosts(proxy.as_ref(), surroundings),
        proxy,
        ca_file: section.string("ca_file").map(|path| surroundings.folder.join(path)),
    }
}

/// The proxies that the HTTP client will find by itself, and the configured one.
fn proxy_hosts(proxy: Option<&Url>, surroundings: &Surroundings) -> Vec<String> {
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let from_environment = names
        .iter()
        .filter_map(|name| (surroundings.environment)(name))
        .filter_map(|text| Url::parse(&text).ok());
    let mut hosts: Vec<String> = proxy
        .cloned()
        .into_iter()
        .chain(from_environment)
        .filter_map(|url| url.host_str().map(str::to_owned))
        .collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

impl Default for FetchConfig {
    /// What an empty configuration means.
    fn default() -> Self {
        let surroundings = Surroundings { folder: Path::new("."), environment: &|_| None };
        parse("", &surroundings).expect("an empty configuration is valid").fetch
    }
}

/// Who asks, and where its operator can be found: the page of the channel.
fn default_user_agent(channel_url: &str) -> String {
    format!("courant/{} (+{channel_url})", env!("CARGO_PKG_VERSION"))
}

fn read_topic(section: Section) -> Topic {
    let texts = |value: &DeValue| {
        value
            .as_array()
            .map(|array| array.iter().filter_map(|item| item.get_ref().as_str().map(str::to_owned)).collect())
    };
    Topic {
        id: section.required("id"),
        label: section.by_language("label", |value| value.as_str().map(str::to_owned), "a text"),
        keywords: section.by_language("keywords", texts, "a list of texts"),
        negative: section.by_language("negative", texts, "a list of texts"),
        tags: section.list("tags", |text| Ok(text.to_owned())),
        title_weight: section.number("title_weight", 3, 0..=100) as u32,
        is_fallback: section.boolean("fallback", false),
    }
}

fn read_digest(section: Section, topics: &[Topic]) -> Digest {
    if !section.has("schedule") {
        section.fault(section.at, "schedule is missing: write schedule = \"Mon 08:00 Europe/Paris\"");
    }
    let id = section.required("id");
    if id.starts_with('_') {
        section.fault(section.at, "an id that begins with _ is courant's own: write another");
    }
    Digest {
        id: DigestId::Configured(id),
        title: section.string("title").unwrap_or_else(|| "Digest".into()),
        language: section
            .parsed("language", i18n::parse_language)
            .unwrap_or_else(|| i18n::default_language().into()),
        schedule: section.parsed("schedule", Schedule::parse).unwrap_or_else(Schedule::weekly),
        topics: section.list("topics", |id| known_topic(topics, id)),
        entries_max: section.number("max_entries", 30, 1..=500) as usize,
        recipients: section.list("recipients", Address::parse),
    }
}

fn read_source(section: Section, interval: u64, fetch: &FetchConfig) -> Source {
    let kind = section.parsed("kind", |text| match text {
        "feed" => Ok(SourceKind::Feed),
        "page" => Ok(SourceKind::Page),
        "auto" => Ok(SourceKind::Auto),
        _ => Err(format!("\"{text}\" is no kind of source: write \"feed\", \"page\" or \"auto\"")),
    });
    let url = section.parsed("url", parse_web_url);
    if !section.has("url") {
        section.fault(section.at, "url is missing");
    }
    let id = section.required("id");
    let own_interval = section.seconds("interval", parse_duration);
    let interval = own_interval.unwrap_or(interval);
    Source {
        is_interval_fixed: own_interval.is_some(),
        partner: section.string("partner").unwrap_or_else(|| id.clone()),
        kind: kind.unwrap_or(SourceKind::Auto),
        url: url.unwrap_or_else(|| Url::parse("http://localhost/").expect("a constant")),
        language: section.parsed("lang", parse_language),
        tags: section.list("tags", |text| Ok(text.to_owned())),
        interval_seconds: interval
            .clamp(fetch.interval_min_seconds, fetch.interval_max_seconds.max(fetch.interval_min_seconds)),
        is_enabled: section.boolean("enabled", true),
        date_from: section.parsed("date_from", parse_date_from).unwrap_or_default(),
        date_order: section.parsed("date_order", parse_date_order).unwrap_or_default(),
        select: section.has("select").then(|| read_select(section.table("select"))),
        has_full_text: section.boolean("full_text", false),
        filter: Filter {
            keep: read_rules(section.table("keep")),
            drop: read_rules(section.table("drop")),
            rewrite: section.tables("rewrite").into_iter().filter_map(read_rewrite).collect(),
        },
        id,
    }
}

fn parse_on_uncertain(text: &str) -> Result<OnUncertain, String> {
    match text {
        "resend" => Ok(OnUncertain::Resend),
        "skip" => Ok(OnUncertain::Skip),
        _ => Err(format!("\"{text}\" must be \"resend\" or \"skip\"")),
    }
}

fn parse_pattern(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| {
        format!(
            "\"{text}\" is no regular expression: {}",
            error.to_string().lines().last().unwrap_or_default()
        )
    })
}

/// `[source.keep]` and `[source.drop]`: a pattern, or several, for each field.
fn read_rules(section: Section) -> Vec<Rule> {
    let of = |(name, field): &(&'static str, Field)| {
        section
            .one_or_more(name, parse_pattern)
            .into_iter()
            .map(|pattern| Rule { field: *field, pattern })
            .collect::<Vec<_>>()
    };
    Field::ALL.iter().flat_map(of).collect()
}

/// One of `rewrite = [{ title = "PATTERN", with = "TEXT" }]`.
fn read_rewrite(section: Section) -> Option<(Regex, String)> {
    let with = section.string("with").unwrap_or_default();
    if !section.has("title") {
        section.fault(section.at, "title is missing: the pattern to rewrite");
    }
    Some((section.parsed("title", parse_pattern)?, with))
}

fn parse_date_from(text: &str) -> Result<DateFrom, String> {
    match text {
        "card" => Ok(DateFrom::Card),
        "item" => Ok(DateFrom::Item),
        _ => Err(format!("\"{text}\" must be \"card\" or \"item\"")),
    }
}

fn parse_date_order(text: &str) -> Result<DateOrder, String> {
    match text {
        "dmy" => Ok(DateOrder::Dmy),
        "mdy" => Ok(DateOrder::Mdy),
        "ymd" => Ok(DateOrder::Ymd),
        _ => Err(format!("\"{text}\" must be \"dmy\", \"mdy\" or \"ymd\"")),
    }
}

fn read_select(section: Section) -> Select {
    let selector = |text: &str| match scraper::Selector::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("\"{text}\" is no CSS selector: {error}")),
    };
    if !section.has("item") {
        section.fault(section.at, "item is missing: it selects one card of the listing");
    }
    Select {
        item: section.parsed("item", selector).unwrap_or_default(),
        title: section.parsed("title", selector),
        link: section.parsed("link", selector),
        summary: section.parsed("summary", selector),
        date: section.parsed("date", selector),
        image: section.parsed("image", selector),
        next: section.parsed("next", selector),
    }
}

fn parse_web_url(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() => Ok(url),
        Ok(url) => Err(format!("\"{text}\" must begin with http:// or https://, not {}:", url.scheme())),
        Err(error) => Err(format!("\"{text}\" is no web address: {error}")),
    }
}

fn parse_language(text: &str) -> Result<String, String> {
    if crate::support::text::is_language_tag(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("\"{text}\" is no language: write fr, en, es or pt-BR"))
    }
}

/// `90s`, `30m`, `6h`, `1d`, `2w`, or several together: seconds.
fn parse_duration(text: &str) -> Result<u64, String> {
    let wrong = || format!("\"{text}\" is no length of time: write 30m, 6h or 1d");
    let mut seconds = 0u64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit_end = rest[digits..]
            .find(|c: char| c.is_ascii_digit() || c.is_whitespace())
            .map_or(rest.len(), |end| digits + end);
        let unit = match &rest[digits..unit_end] {
            "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => DAY_SECONDS,
            "w" => 7 * DAY_SECONDS,
            "y" => 365 * DAY_SECONDS,
            _ => return Err(wrong()),
        };
        seconds = number.checked_mul(unit).and_then(|part| seconds.checked_add(part)).ok_or_else(wrong)?;
        rest = rest[unit_end..].trim_start();
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Config, Vec<Fault>> {
        let environment = |name: &str| (name == "SMTP_PASSWORD").then(|| "geheim".to_owned());
        parse(text, &Surroundings { folder: Path::new("/srv/courant"), environment: &environment })
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
            "7: [[source]] \"a\": kind: \"fed\" is no kind",
            "8: [[source]] \"a\": unknown key \"intervall\": did you mean \"interval\"?",
            "9: [[source]] \"a\": the id \"a\" is taken",
            "13: [select]: item: \"..\" is no CSS selector",
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
                "[mail]\ntransport = \"smtp://mail.example.org:587\"\nusername = \"u\"\npassword = \"{password}\"\n"
            )
        };
        let config = check(&mail("env:SMTP_PASSWORD")).unwrap();
        assert!(
            matches!(config.mail.transport, TransportConfig::Smtp { password: Some(ref secret), .. } if secret.expose() == "geheim")
        );
        assert!(!format!("{config:?}").contains("geheim"));
        assert!(messages(&mail("geheim"))[0].contains("must not stand in this file"));
        assert!(messages(&mail("env:NOT_THERE"))[0].contains("no variable NOT_THERE"));
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
