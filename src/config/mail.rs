//! `[mail]`: how mail is sent, and in whose name.

use std::path::PathBuf;

use url::Url;

use super::ConfigContext;
use super::section::Section;
use super::values::{DAY_SECONDS, Secret, parse_duration, secret, secret_or_text};
use crate::model::digest::OnUncertain;
use crate::model::mail_address::Address;

/// Maximum number of messages in a rate.
const RATE_MAX: u32 = 100_000;

/// How mail is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportConfig {
    /// `file:outbox`: one `.eml` file per delivery.
    Directory(PathBuf),
    /// `smtp://host:port` (STARTTLS if offered; `?tls=required` enforces it), `smtps://host:port`. Several servers share the
    /// load by `weight`, and stand in for each other.
    Smtp {
        urls: Vec<Url>,
        username: Option<String>,
        password: Option<Secret>,
        token: Option<AccessToken>,
        ca_file: Option<PathBuf>,
    },
}

/// The source of an access token (OAuth 2.0), which is valid for about an hour and is read again each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessToken {
    Given(Secret),
    File(PathBuf),
    /// The output of a command.
    Command(String),
}

impl TransportConfig {
    /// How logins are protected, one line for each server that has one.
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

/// `[mail]`.
#[derive(Debug, Clone, PartialEq)]
pub struct MailConfig {
    pub transport: TransportConfig,
    /// `Name <address>` or an address.
    pub from: String,
    pub reply_to: Option<String>,
    /// Who is notified of sources that fail, are repaired, or work again.
    pub operators: Vec<Address>,
    /// The address for bounces: each delivery has its own return path under it (VERP).
    pub bounces: Option<Address>,
    /// Number of messages sent concurrently.
    pub connections: usize,
    /// Messages per second, in total and to one domain; 0 means unlimited.
    pub rate: f64,
    pub rate_per_domain: f64,
    /// Timeout of each reply of a mail server, in seconds.
    pub timeout_seconds: u64,
    pub on_uncertain: OnUncertain,
    /// Whether a fraud report counts as a complaint, which ends all mail to the recipient.
    pub fraud_is_complaint: bool,
    /// After this many consecutive refusals that are about the sender, a run sends nothing more.
    pub refusals_max: usize,
    /// A mail that could not be sent within this time is given up, in seconds.
    pub wait_max_seconds: u64,
    /// How long deliveries are kept, in seconds.
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

pub(super) fn read_mail(section: Section, surroundings: &ConfigContext) -> MailConfig {
    let mailbox = |text: &str| match text.parse::<lettre::message::Mailbox>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("\"{text}\" is not a valid mail address: write \"Name <name@example.org>\"")),
    };
    let transport = read_transport(&section, surroundings)
        .unwrap_or_else(|| TransportConfig::Directory(surroundings.folder.join("outbox")));
    if matches!(transport, TransportConfig::Smtp { .. }) {
        section.needs("from", "from is missing: write from = \"News <news@example.org>\"");
    }
    MailConfig {
        transport,
        from: section.parsed("from", mailbox).unwrap_or_else(|| "courant@localhost.localdomain".into()),
        reply_to: section.parsed("reply_to", mailbox),
        operators: section.list("operator", Address::parse),
        bounces: section.parsed("bounces", Address::parse),
        connections: section.number("connections", 8, 1..=64) as usize,
        rate: section.by_rate("rate", parse_rate),
        rate_per_domain: section.by_rate("rate_per_domain", parse_rate),
        // RFC 5321 section 4.5.3.2 allows ten minutes after the final dot, but no reasonable server takes two.
        timeout_seconds: section.seconds("timeout", parse_duration).unwrap_or(120).max(1),
        on_uncertain: section
            .choice("on_uncertain", &[("resend", OnUncertain::Resend), ("skip", OnUncertain::Skip)])
            .unwrap_or_default(),
        fraud_is_complaint: section.boolean("fraud_is_complaint", false),
        refusals_max: section.number("refusals_max", 5, 1..=1_000) as usize,
        wait_max_seconds: section.seconds("wait_max", parse_duration).unwrap_or(14 * DAY_SECONDS),
        retention_seconds: section.seconds("retention", parse_duration).unwrap_or(90 * DAY_SECONDS),
        dkim: section.tables("dkim").into_iter().map(|section| read_dkim(section, surroundings)).collect(),
    }
}

/// The transport configured in `[mail]`; `None` if it is missing or faulty.
fn read_transport(section: &Section, surroundings: &ConfigContext) -> Option<TransportConfig> {
    let username = section.parsed("username", |text| secret_or_text(text, surroundings));
    let password = section.parsed("password", |text| {
        section.note_open_file("password", text, surroundings.folder);
        secret(text, surroundings).map(Secret)
    });
    let token = section.parsed("token", |text| {
        section.note_open_file("token", text, surroundings.folder);
        access_token(text, surroundings)
    });
    if token.is_some() && password.is_some() {
        section.fault(section.at, "token: a password is set as well: keep only one of them");
    }
    let has_login = username.is_some();
    let given = |text: &str| {
        section.note_password("transport", text);
        parse_route(&secret_or_text(text, surroundings)?, has_login, surroundings)
    };
    let ca_file = section.string("ca_file").map(|path| surroundings.folder.join(path));
    let routes = section.one_or_more("transport", given);
    match routes.as_slice() {
        [] => None,
        [Route::Folder(folder)] => Some(TransportConfig::Directory(folder.clone())),
        routes => {
            let servers = routes.iter().map(|route| match route {
                Route::Server(url) => Some(url.clone()),
                Route::Folder(_) => None,
            });
            let Some(urls) = servers.collect() else {
                section.fault(
                    section.at,
                    "transport: a folder must stand alone; only mail servers can be combined",
                );
                return None;
            };
            Some(TransportConfig::Smtp { urls, username, password, token, ca_file })
        }
    }
}

/// One value of `transport`.
enum Route {
    Folder(PathBuf),
    Server(Url),
}

fn parse_route(text: &str, has_login: bool, surroundings: &ConfigContext) -> Result<Route, String> {
    if let Some(path) = text.strip_prefix("file:") {
        return Ok(Route::Folder(surroundings.folder.join(path)));
    }
    let is_server = |url: &Url| {
        matches!(url.scheme(), "smtp" | "smtps") && url.host_str().is_some_and(|host| !host.is_empty())
    };
    let Some(url) = Url::parse(text).ok().filter(is_server) else {
        return Err("must be \"file:FOLDER\", \"smtp://HOST:PORT\" or \"smtps://HOST:PORT\"".into());
    };
    let has_login = has_login || !url.username().is_empty();
    if has_login && url.scheme() == "smtp" && tls_of(&url).as_deref() == Some("opportunistic") {
        return Err("tls=opportunistic would give the password to a server without TLS: write tls=required, or tls=none if that is meant".into());
    }
    Ok(Route::Server(url))
}

fn read_dkim(section: Section, surroundings: &ConfigContext) -> DkimSettings {
    let is_ed25519 = section.choice("algorithm", &[("rsa", false), ("ed25519", true)]);
    section.needs("key", "key is missing: write key = \"file:dkim.pem\"");
    DkimSettings {
        domain: section.required("domain"),
        selector: section.required("selector"),
        key: section
            .parsed("key", |text| {
                section.note_open_file("key", text, surroundings.folder);
                secret(text, surroundings).map(Secret)
            })
            .unwrap_or_else(|| Secret(String::new())),
        is_ed25519: is_ed25519.unwrap_or(false),
    }
}

/// `env:NAME`, `file:PATH` or `command:…`.
fn access_token(text: &str, surroundings: &ConfigContext) -> Result<AccessToken, String> {
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

/// Parses `200/h`, `20/min`, `2/s`, or a number per second, into messages per second.
fn parse_rate(text: &str) -> Result<f64, String> {
    let fault = || format!("\"{text}\" is not a rate: write \"200/h\", \"20/min\" or \"2/s\"");
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
