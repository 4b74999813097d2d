//! `[fetch]`: how sources are requested.

use std::path::{Path, PathBuf};

use url::Url;

use super::section::Section;
use super::values::{DAY_SECONDS, parse_duration};
use super::{ConfigContext, parse};
use crate::model::address::parse_web_url;
use crate::model::guard::Allowed;
use crate::model::source::RENDERER_PLACE;

/// `[fetch]`, with the polling intervals of `[defaults]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchConfig {
    pub user_agent: String,
    /// Timeout of connecting, and of each wait for the server, in seconds.
    pub timeout_seconds: u64,
    /// Limit for a whole request, from its start to its last byte, in seconds.
    pub deadline_seconds: u64,
    /// Longer bodies are truncated, in bytes after decompression.
    pub body_bytes_max: usize,
    /// Concurrent connections per host.
    pub per_host: usize,
    /// Concurrent requests in total.
    pub concurrency: usize,
    pub interval_min_seconds: u64,
    pub interval_max_seconds: u64,
    /// Private addresses that may be connected to.
    pub allow: Vec<Allowed>,
    pub proxy: Option<Url>,
    /// Host names of all proxies in use, including those from the environment.
    pub proxy_hosts: Vec<String>,
    pub ca_file: Option<PathBuf>,
    /// The address of a program that answers with what a browser makes of a page, whose address goes in the place of `{url}`.
    pub renderer: Option<String>,
    /// For one page, in seconds.
    pub renderer_timeout_seconds: u64,
}

pub(super) fn read_fetch(
    section: Section,
    defaults: &Section,
    channel_url: &str,
    surroundings: &ConfigContext,
) -> FetchConfig {
    let default_timeout = defaults.seconds("timeout", parse_duration);
    let proxy = section.parsed("proxy", |text| {
        section.note_password("proxy", text);
        Url::parse(text).map_err(|_| format!("\"{text}\" is not a URL"))
    });
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
        renderer: section.parsed("renderer", parse_renderer),
        renderer_timeout_seconds: section.seconds("renderer_timeout", parse_duration).unwrap_or(90).max(1),
    }
}

fn parse_renderer(text: &str) -> Result<String, String> {
    let wanted = "write \"http://127.0.0.1:3000/render?url={url}\"";
    if !text.contains(RENDERER_PLACE) {
        return Err(format!(
            "\"{text}\" has no {RENDERER_PLACE}, where the address of the page goes: {wanted}"
        ));
    }
    parse_web_url(&text.replace(RENDERER_PLACE, "")).map_err(|error| format!("{error}: {wanted}"))?;
    Ok(text.to_owned())
}

/// The proxies that the HTTP client will find by itself, and the configured one.
fn proxy_hosts(proxy: Option<&Url>, surroundings: &ConfigContext) -> Vec<String> {
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
    /// The defaults of an empty configuration.
    fn default() -> Self {
        let surroundings =
            ConfigContext { folder: Path::new("."), environment: &|_| None, variables: &|_| Vec::new() };
        parse("", &surroundings).expect("an empty configuration is valid").fetch
    }
}

/// Names the program and its operator, by the channel's page.
fn default_user_agent(channel_url: &str) -> String {
    format!("courant/{} (+{channel_url})", env!("CARGO_PKG_VERSION"))
}
