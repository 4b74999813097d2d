//! Builds the parts of an installation from the configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::SignedDuration;
use lettre::message::Mailbox;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use url::Url;

use super::Usage;
use crate::classify::Classifier;
use crate::classify::model::Model;
use crate::config::{self, AccessToken, Config, MailConfig, PublishConfig, TransportConfig};
use crate::deliver::dkim::{DkimKey, Signer};
use crate::deliver::login::{Credential, TokenPlace};
use crate::deliver::smtp::{self, Smtp};
use crate::deliver::tls;
use crate::deliver::transport::Transport;
use crate::fetch::client::{Client, ClientSettings};
use crate::fetch::renderer::Renderer;
use crate::model::guard::{Allowed, Guard};
use crate::model::mail_address::Address;
use crate::model::mail_address::ascii_domain;
use crate::model::refusal::OwnIdentity;
use crate::model::source::RENDERER_PLACE;
use crate::model::store_url::StoreUrl;
use crate::normalize::language::LanguageDetector;
use crate::pipeline::destination::Destination;
use crate::pipeline::refresh::{OriginLocks, Refresher};
use crate::store::Store;
use crate::support::bucket::Bucket;
use crate::support::clock::TokenSource;
use crate::support::files;
use crate::support::templates::Templates;

/// The secret of this installation for signing links, created on first use.
pub(super) fn secret(store: &Store) -> anyhow::Result<String> {
    const NAME: &str = "signing";
    // Read first: a read-only command must not wait for a writer.
    if let Some(known) = store.read(|r| r.mailing().secret(NAME))? {
        return Ok(known);
    }
    let fresh = TokenSource::System.token()?;
    let kept = store.write(|w| {
        w.mailing().put_secret(NAME, &fresh)?;
        w.mailing().secret(NAME)
    })?;
    kept.context("the secret of this installation could not be kept")
}

/// The configured rules and model, and a digest of both.
///
/// # Errors
/// When the model cannot be read.
pub fn classifier(config: &Config) -> anyhow::Result<(Classifier, String)> {
    let rules = Classifier::new(&config.topics);
    let mut digest = Sha256::new();
    digest.update(format!("{:?} {} {}", config.topics, config.classify.margin, env!("CARGO_PKG_VERSION")));
    let Some(path) = &config.classify.model else {
        return Ok((rules, crate::support::text::hex(&digest.finalize())));
    };
    let bytes = read(path)
        .context("[classify] model: train it with `courant classify train`, or take the key away")?;
    digest.update(&bytes);
    let model = Model::from_bytes(&bytes)
        .with_context(|| format!("[classify] model: {} cannot be used", path.display()))?;
    Ok((rules.with_model(model, config.classify.margin), crate::support::text::hex(&digest.finalize())))
}

/// A configured duration, limited to what can be calculated with.
pub(super) fn duration(seconds: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX).min(i64::MAX / 4))
}

fn read(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A file with certificates of authorities.
fn authorities(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    let pem = read(path)?;
    tls::certificates(&pem).map_err(|fault| Usage(format!("ca_file: {}: {fault}", path.display())))?;
    Ok(pem)
}

/// The configured HTTP client.
///
/// # Errors
/// When a CA file cannot be read or TLS cannot be set up.
pub fn client(fetch: &config::FetchConfig) -> anyhow::Result<Client> {
    let settings = ClientSettings {
        user_agent: fetch.user_agent.clone(),
        timeout: Duration::from_secs(fetch.timeout_seconds),
        deadline: Duration::from_secs(fetch.deadline_seconds),
        body_bytes_max: fetch.body_bytes_max,
        per_host: fetch.per_host,
        guard: Guard { allowed: fetch.allow.clone(), proxy_hosts: fetch.proxy_hosts.clone() },
        proxy: fetch.proxy.clone(),
        extra_roots_pem: fetch.ca_file.as_ref().map(authorities).transpose()?,
    };
    Client::new(settings).context("the HTTP client cannot be set up")
}

/// The program that renders pages, if one is configured.
///
/// # Errors
/// As `client`.
pub fn renderer(fetch: &config::FetchConfig) -> anyhow::Result<Option<Renderer>> {
    let Some(address) = &fetch.renderer else { return Ok(None) };
    let host = Url::parse(&address.replace(RENDERER_PLACE, "")).ok();
    let own = config::FetchConfig {
        timeout_seconds: fetch.renderer_timeout_seconds,
        deadline_seconds: fetch.renderer_timeout_seconds,
        // It stands where the operator says, which may be this machine: no source can lead us there.
        allow: host.iter().flat_map(Allowed::host_of).collect(),
        proxy: None,
        ..fetch.clone()
    };
    Ok(Some(Renderer::new(client(&own)?, address.clone())))
}

/// The signer with a configured key.
///
/// # Errors
/// When the key cannot be used.
pub fn dkim(config: &config::DkimSettings) -> anyhow::Result<Arc<Signer>> {
    let key = DkimKey {
        domain: &config.domain,
        selector: &config.selector,
        key: config.key.expose(),
        is_ed25519: config.is_ed25519,
    };
    let signer = Signer::new(&key).map_err(|reason| Usage(format!("[[mail.dkim]]: {reason}")))?;
    Ok(Arc::new(signer))
}

/// TLS to mail servers that trusts the system's authorities and the operator's own.
///
/// # Errors
/// When a certificate cannot be read.
pub fn mail_tls(mail: &MailConfig) -> anyhow::Result<Arc<rustls::ClientConfig>> {
    let ca_file = match &mail.transport {
        TransportConfig::Smtp { ca_file, .. } => ca_file.as_ref(),
        TransportConfig::Directory(_) => None,
    };
    let root = ca_file.map(read).transpose()?;
    tls::client_config(root.as_deref()).map_err(|reason| Usage(format!("[mail] ca_file: {reason}")).into())
}

/// A mailbox with its domain in ASCII (RFC 5891), which every server accepts and signatures require.
pub fn mailbox(text: &str) -> anyhow::Result<Mailbox> {
    let wrong = || format!("\"{text}\" is not a valid mail address");
    let mailbox: Mailbox = text.parse().with_context(wrong)?;
    let domain = ascii_domain(mailbox.email.domain()).with_context(wrong)?;
    let email = lettre::Address::new(mailbox.email.user(), domain).with_context(wrong)?;
    Ok(Mailbox::new(mailbox.name, email))
}

/// Where what somebody would get is written, with that person's own links.
pub const PREVIEW_FOLDER: &str = "preview";
pub const PREVIEW_FILES: [&str; 3] = ["digest.html", "digest.txt", "digest.eml"];
pub const CAMPAIGN_FILES: [&str; 3] = ["campaign.html", "campaign.txt", "campaign.eml"];

/// The configured transport; opens no connection.
///
/// # Errors
/// In words, when an address, a certificate or the login is unusable.
pub fn transport(mail: &MailConfig) -> anyhow::Result<Transport> {
    match &mail.transport {
        TransportConfig::Directory(folder) => Ok(Transport::directory(folder)),
        TransportConfig::Smtp { urls, username, password, token, ca_file } => {
            let root = ca_file.as_ref().map(read).transpose().context("[mail] ca_file")?;
            let secret = match (token, password) {
                (Some(AccessToken::Given(token)), _) => {
                    Some(Credential::Token(TokenPlace::Given(token.expose().to_owned())))
                }
                (Some(AccessToken::File(path)), _) => Some(Credential::Token(TokenPlace::File(path.clone()))),
                (Some(AccessToken::Command(command)), _) => {
                    Some(Credential::Token(TokenPlace::Command(command.clone())))
                }
                (None, password) => {
                    password.as_ref().map(|password| Credential::Password(password.expose().to_owned()))
                }
            };
            let settings = |url| smtp::SmtpSettings {
                url,
                username: username.as_deref(),
                secret: secret.clone(),
                extra_root_pem: root.as_deref(),
            };
            let servers: Vec<smtp::SmtpSettings> = urls.iter().map(settings).collect();
            let from = mailbox(&mail.from)?;
            let from: &str = from.email.as_ref();
            let ours = OwnIdentity::new([from].into_iter().chain(mail.bounces.as_ref().map(Address::as_str)));
            let smtp = Smtp::new(&servers, Duration::from_secs(mail.timeout_seconds), ours)
                .map_err(|reason| Usage(format!("[mail] transport: {reason}")))?;
            Ok(Transport::Smtp(Box::new(smtp)))
        }
    }
}

/// Where the channel's files are published; opens no connection.
///
/// # Errors
/// In words, when the environment does not say how to reach the bucket.
pub fn destination(publish: &PublishConfig) -> anyhow::Result<Destination> {
    let Some(to) = &publish.to else { return Ok(Destination::Folder(publish.dir.clone())) };
    let variables = to.variables.iter().map(|(name, value)| (name.as_str(), value.expose()));
    let bucket = Bucket::new(&to.url.to_string(), (&to.url.bucket, &to.url.prefix), variables)
        .map_err(|reason| Usage(format!("[publish] to: {reason}")))?;
    Ok(Destination::Bucket(Arc::new(bucket)))
}

/// What of a configuration only shows when its parts are built, and where nothing can be written. Nothing is stored or sent.
pub fn trial(config: &Config) -> Vec<anyhow::Error> {
    let parts = [
        client(&config.fetch).err().map(|error| error.context("[fetch]")),
        renderer(&config.fetch).err().map(|error| error.context("[fetch] renderer")),
        classifier(config).err(),
        Templates::load(&config.templates_dir).err().map(anyhow::Error::from),
        transport(&config.mail).err(),
        destination(&config.publish).err(),
    ];
    let keys = config.mail.dkim.iter().filter_map(|key| dkim(key).err());
    let mut folders = vec![("[store]", store_folder(&config.store))];
    if config.publish.to.is_none() {
        folders.push(("[publish] dir", config.publish.dir.as_path()));
    }
    if let TransportConfig::Directory(folder) = &config.mail.transport {
        folders.push(("[mail] transport", folder));
    }
    let folders = folders.into_iter().filter_map(|(key, folder)| {
        files::unwritable(folder).map(|fault| Usage(format!("{key}: {fault}")).into())
    });
    parts.into_iter().flatten().chain(keys).chain(folders).collect()
}

/// The folder that a store writes to on this machine.
pub(super) fn store_folder(store: &StoreUrl) -> &Path {
    match store {
        StoreUrl::Sqlite(file) => {
            file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
        }
        StoreUrl::Postgres { cache, .. } => cache,
    }
}

/// What refreshes sources under this configuration.
pub(super) fn refresher(config: &Config, store: Store, classifier: Classifier) -> anyhow::Result<Refresher> {
    let has_mail = config.sources.iter().any(|source| source.kind.is_mail());
    Ok(Refresher {
        client: client(&config.fetch)?,
        renderer: renderer(&config.fetch)?,
        mail_tls: has_mail.then(|| mail_tls(&config.mail)).transpose()?,
        store,
        classifier: Arc::new(classifier),
        language_detector: Arc::new(LanguageDetector::new(&config.languages())),
        interval_min_seconds: config.fetch.interval_min_seconds,
        interval_max_seconds: config.fetch.interval_max_seconds,
        robots_locks: OriginLocks::default(),
        cores: Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))),
        memory: Arc::default(),
    })
}

/// The address of the hub that announces changes: our own, or another one.
pub(super) fn hub_address(config: &Config) -> Option<String> {
    let hub = config.publish.hub.as_deref()?;
    if hub == "self" {
        config.public_url.as_ref().map(|public| format!("{public}/hub"))
    } else {
        Some(hub.to_owned())
    }
}
