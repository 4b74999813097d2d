//! `[fetch]`: how sources are requested.

use std::path::{Path, PathBuf};

use url::Url;

use super::section::Section;
use super::values::{DAY_SECONDS, parse_duration};
use super::{Surroundings, parse};
use crate::model::guard::Allowed;

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
}

pub(super) fn read_fetch(
    section: Section,
    defaults: &Section,
    channel_url: &str,
    surroundings: &Surroundings,
) -> FetchConfig {
    let default_timeout = defaults.seconds("timeout", parse_duration);
    let proxy =
        section.parsed("proxy", |text| Url::parse(text).map_err(|_| format!("\"{text}\" is not a URL")));
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

/// Host names of the configured proxy, and of those that the HTTP client takes from the environment.
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
    /// The defaults of an empty configuration.
    fn default() -> Self {
        let surroundings = Surroundings { folder: Path::new("."), environment: &|_| None };
        parse("", &surroundings).expect("an empty configuration is valid").fetch
    }
}

/// Names the program and its operator, by the channel's page.
fn default_user_agent(channel_url: &str) -> String {
    format!("courant/{} (+{channel_url})", env!("CARGO_PKG_VERSION"))
}
