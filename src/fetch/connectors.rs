//! The connections that requests go out on. What the guard permits may depend on the port, and a resolver is not told it: so each set
//! of ports that the rules treat alike has a client of its own, whose resolver decides on the very address and port that the socket
//! then connects to.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Client;
use url::{Host, Url};

use super::fetch_error::FetchError;
use super::resolver::{GuardedResolver, permitted_addresses};
use crate::model::guard::{Guard, network};

/// Idle connections are only kept for the next request of this round to the same host, which comes at once or not at all; ten
/// thousand of them would be most of our memory.
const IDLE: Duration = Duration::from_millis(500);
/// The port by whose client it is seen early whether clients can be built.
const HTTPS_PORT: u16 = 443;

/// Limits and identity of all requests.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Includes a version and a contact address of the operator.
    pub user_agent: String,
    /// Timeout of connecting, and of each wait for the server.
    pub timeout: Duration,
    /// Limit for a whole request with redirects, from its start to its last byte.
    pub deadline: Duration,
    /// Longer bodies are truncated, in bytes after decompression.
    pub body_bytes_max: usize,
    /// Concurrent requests per host.
    pub per_host: usize,
    pub guard: Guard,
    pub proxy: Option<Url>,
    /// Contents of a PEM file with additional certificate authorities.
    pub extra_roots_pem: Option<Vec<u8>>,
}

/// Clients by what the guard says of their ports; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Connectors {
    settings: Arc<ClientSettings>,
    clients: Arc<Mutex<HashMap<Vec<bool>, Client>>>,
}

impl Connectors {
    /// # Errors
    /// When TLS cannot be set up: no root certificates, or an invalid CA file.
    pub(super) fn new(settings: Arc<ClientSettings>) -> Result<Connectors, reqwest::Error> {
        let connectors = Connectors { settings, clients: Arc::default() };
        connectors.to_port(HTTPS_PORT)?;
        Ok(connectors)
    }

    /// The client for an address.
    ///
    /// # Errors
    /// When the guard does not permit it.
    pub(super) fn to(&self, url: &Url) -> Result<Client, FetchError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or_default();
        // Nobody resolves what is an address already.
        let literal = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            _ => None,
        };
        if literal.is_some_and(|ip| !self.settings.guard.permits(SocketAddr::new(ip, port))) {
            return Err(FetchError::Private { host });
        }
        self.to_port(port).map_err(|error| FetchError::Broken { host, cause: error.to_string() })
    }

    /// The network that an address on the web is in, now: of several, the one that is connected to first. `None` if it cannot be
    /// told, as behind a proxy.
    pub(super) async fn network_of(&self, url: &Url) -> Option<String> {
        let port = url.port_or_known_default().unwrap_or_default();
        let host = url.host_str().unwrap_or_default();
        if !self.settings.guard.proxy_hosts.is_empty() {
            return None;
        }
        Some(match url.host()? {
            Host::Ipv4(ip) => network(IpAddr::V4(ip)),
            Host::Ipv6(ip) => network(IpAddr::V6(ip)),
            Host::Domain(_) => {
                let found = permitted_addresses(&self.settings.guard, host, port);
                let found = tokio::time::timeout(self.settings.timeout, found).await.ok()?.ok()?;
                network(found.first()?.ip())
            }
        })
    }

    fn to_port(&self, port: u16) -> Result<Client, reqwest::Error> {
        let rules = self.settings.guard.rules_for_port(port);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&rules) {
            return Ok(client.clone());
        }
        let client = build(&self.settings, port)?;
        clients.insert(rules, client.clone());
        Ok(client)
    }
}

fn build(settings: &ClientSettings, port: u16) -> Result<Client, reqwest::Error> {
    let mut builder = Client::builder()
        .user_agent(&settings.user_agent)
        .connect_timeout(settings.timeout)
        .read_timeout(settings.timeout)
        .pool_max_idle_per_host(settings.per_host)
        .pool_idle_timeout(IDLE)
        .dns_resolver(Arc::new(GuardedResolver::new(Arc::new(settings.guard.clone()), port)))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false);
    if let Some(proxy) = &settings.proxy {
        builder = builder.proxy(reqwest::Proxy::all(proxy.clone())?);
    }
    if let Some(pem) = &settings.extra_roots_pem {
        builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem)?);
    }
    builder.build()
}
