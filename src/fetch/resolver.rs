//! A resolver that only returns addresses that the guard permits at the port that is connected to: what is checked is what the
//! socket connects to, whatever a name says the next time that it is asked.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::model::guard::Guard;

/// Resolves names and drops the addresses that are not permitted.
pub(super) struct GuardedResolver {
    guard: Arc<Guard>,
    /// The port of its connections, or one that the guard treats alike.
    port: u16,
}

/// The error for a name that only resolves to addresses that are not permitted.
#[derive(Debug, thiserror::Error)]
#[error("{0} resolves to a private address")]
pub(super) struct PrivateAddress(pub String);

impl GuardedResolver {
    pub(super) fn new(guard: Arc<Guard>, port: u16) -> GuardedResolver {
        GuardedResolver { guard, port }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, port) = (self.guard.clone(), self.port);
        Box::pin(async move {
            let permitted = permitted_addresses(&guard, name.as_str(), port).await?;
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// The addresses of a name that may be connected to at a port.
///
/// # Errors
/// When the name has none, or only such as are not permitted.
pub(super) async fn permitted_addresses(
    guard: &Guard,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
    if guard.proxy_hosts.iter().any(|proxy| proxy == host) {
        return Ok(found);
    }
    let has_any = !found.is_empty();
    let permitted: Vec<SocketAddr> =
        found.into_iter().filter(|address| guard.permits(SocketAddr::new(address.ip(), port))).collect();
    if permitted.is_empty() && has_any {
        return Err(PrivateAddress(host.to_owned()).into());
    }
    Ok(permitted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::guard::Allowed;

    #[tokio::test]
    async fn an_address_is_permitted_at_the_ports_of_its_rule_only() {
        let allowed = vec![Allowed::parse("127.0.0.1:8080").unwrap()];
        let guard = Arc::new(Guard { allowed, proxy_hosts: Vec::new() });
        let resolve = |port| GuardedResolver::new(guard.clone(), port).resolve("localhost".parse().unwrap());
        let found: Vec<SocketAddr> = resolve(8080).await.unwrap().collect();
        assert!(!found.is_empty() && found.iter().all(|address| address.ip().to_string() == "127.0.0.1"));
        assert!(resolve(8081).await.err().is_some_and(|error| error.is::<PrivateAddress>()));
    }
}
