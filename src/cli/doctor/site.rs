//! Whether the public address leads here, with the headers that readers and mail programs need; and whether the clock is right.

use jiff::Timestamp;
use url::Url;

use super::{Finding, Patient};
use crate::app;
use crate::cli::store;
use crate::config::{Config, FetchConfig};
use crate::fetch::client::{Client, Glance};
use crate::model::guard::Allowed;
use crate::model::token::{SigningKey, UNSUBSCRIBE};
use crate::publish::formats::FORMATS;
use crate::publish::headers::media_type;

/// How far the clock may be off before something goes wrong, in seconds: first links and schedules, then signatures and TLS.
const CLOCK_WARNED: u64 = 30;
const CLOCK_FAILED: u64 = 300;
/// Sources whose servers are asked what time it is.
const CLOCKS_MAX: usize = 3;

pub(super) async fn look(patient: &Patient<'_>) -> Vec<Finding> {
    let config = patient.config;
    let Some((channel, url)) =
        config.public_url.as_deref().and_then(|channel| Some((channel, Url::parse(channel).ok()?)))
    else {
        let why = "no address is configured ([channel] url)";
        let mut findings = ["address", "unsubscribe"].map(|check| Finding::not_checked(check, why)).to_vec();
        findings.extend(match app::client(&config.fetch) {
            Ok(client) => Some(clock(config, &client, patient.now).await),
            Err(_) => None,
        });
        return findings;
    };
    // The channel may be on this machine.
    let own = FetchConfig { allow: Allowed::host_of(&url), ..config.fetch.clone() };
    let (own, others) = match (app::client(&own), app::client(&config.fetch)) {
        (Ok(own), Ok(others)) => (own, others),
        // That is a fault of the configuration.
        _ => return vec![Finding::not_checked("address", "the HTTP client cannot be set up")],
    };
    let mut findings = published(&own, channel).await;
    findings.push(leaving(config, &own, channel).await);
    findings.push(clock(config, &others, patient.now).await);
    findings
}

/// The page and the feeds of the channel.
async fn published(client: &Client, channel: &str) -> Vec<Finding> {
    const CHECK: &str = "address";
    let files = ["index.html"].into_iter().chain(FORMATS.iter().map(|format| format.file));
    let mut findings = Vec::new();
    for file in files {
        let address = format!("{channel}/{}", if file == "index.html" { "" } else { file });
        let Ok(url) = Url::parse(&address) else { continue };
        match client.glance(&url).await {
            Ok(seen) => findings.push(page(CHECK, &address, &seen, &media_type(file))),
            Err(error) => {
                let fix = format!(
                    "see [channel] url: {channel} has to lead to courant serve, or to the published files"
                );
                findings.push(Finding::failed(CHECK, format!("{address}: {error}"), fix));
                break;
            }
        }
    }
    findings
}

/// Whether an answer is a document of this media type.
fn page(check: &'static str, address: &str, seen: &Glance, wanted: &str) -> Finding {
    let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let shown = seen.content_type.as_deref().unwrap_or("none");
    match (seen.status, &seen.location) {
        (300..=399, Some(to)) => Finding::warning(
            check,
            format!("{address} is redirected to {to}"),
            "name the address without a redirect as [channel] url: it stands in every feed and mail",
        ),
        (200..=299, _) if essence(shown) == essence(wanted) => {
            Finding::ok(check, format!("{address} is {}", essence(wanted)))
        }
        (200..=299, _) => Finding::failed(
            check,
            format!("{address} is sent with the Content-Type {shown}: feed readers want {wanted}"),
            format!("set the web server to send it with Content-Type: {wanted}"),
        ),
        (status, _) => Finding::failed(
            check,
            format!("{address} answers {status}"),
            "run courant publish; then see whether the web server serves the published folder at this path",
        ),
    }
}

/// Whether links to leave work: the one in this request is signed, and nobody is behind it.
async fn leaving(config: &Config, client: &Client, public: &str) -> Finding {
    const CHECK: &str = "unsubscribe";
    let secret =
        store::open(&config.store).and_then(|store| Ok(store.read(|r| r.mailing().secret("signing"))?));
    let Ok(Some(secret)) = secret else {
        return Finding::not_checked(CHECK, "there is no key that signs links yet: courant run makes it");
    };
    let token = SigningKey::new(secret).sign(UNSUBSCRIBE, "doctor");
    let address = format!("{public}/unsubscribe/");
    let Ok(url) = Url::parse(&format!("{address}{token}")) else {
        return Finding::not_checked(CHECK, format!("{address} is no address"));
    };
    let fix = format!(
        "see that courant serve runs, and that the web server hands {address} over to it, with GET and POST"
    );
    match client.glance(&url).await {
        Ok(seen) if seen.status == 200 && seen.has_policy => {
            Finding::ok(CHECK, format!("links below {address} lead to the page that asks"))
        }
        Ok(seen) if seen.status == 404 && seen.has_policy => Finding::failed(
            CHECK,
            format!("{address} is served by a courant with another store: its links are not known there"),
            "let courant serve use the same [store]",
        ),
        Ok(seen) => Finding::failed(
            CHECK,
            format!(
                "{address} is not answered by courant ({}): links to leave and one click in mail programs do nothing",
                seen.status
            ),
            fix,
        ),
        Err(error) => Finding::failed(CHECK, format!("{address}: {error}"), fix),
    }
}

/// Compares the clock with those of other servers.
async fn clock(config: &Config, client: &Client, now: Timestamp) -> Finding {
    const CHECK: &str = "clock";
    let sources = config.sources.iter().filter(|source| source.is_enabled && !source.kind.is_mail());
    let mut origins: Vec<Url> = Vec::new();
    for source in sources {
        let Ok(robots) = source.url.join("/robots.txt") else { continue };
        if !origins.contains(&robots) && origins.len() < CLOCKS_MAX {
            origins.push(robots);
        }
    }
    let mut nearest: Option<(u64, String)> = None;
    for origin in &origins {
        let Some(date) = client.glance(origin).await.ok().and_then(|seen| seen.date) else { continue };
        let off = now.duration_since(date).as_secs().unsigned_abs();
        let host = origin.host_str().unwrap_or_default().to_owned();
        if nearest.as_ref().is_none_or(|(least, _)| off < *least) {
            nearest = Some((off, host));
        }
    }
    // Clocks of others are wrong as well: the one that is nearest counts.
    const FIX: &str = "let a time service set the clock: timedatectl set-ntp true";
    match nearest {
        None => Finding::not_checked(CHECK, "no source could be asked what time it is"),
        Some((off, host)) => {
            let said = format!("the clock is {off} s away from that of {host}");
            match off {
                off if off >= CLOCK_FAILED => Finding::failed(CHECK, said, FIX),
                off if off >= CLOCK_WARNED => Finding::warning(CHECK, said, FIX),
                _ => Finding::ok(CHECK, said),
            }
        }
    }
}
