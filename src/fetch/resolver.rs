//! A resolver that only returns addresses permitted by the guard, so that connections are checked after DNS.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::model::guard::Guard;

/// Resolves names and drops the addresses that are not permitted.
pub(super) struct GuardedResolver {
    guard: Arc<Guard>,
}

/// The error for a name that only resolves to addresses that are not permitted.
#[derive(Debug, thiserror::Error)]
#[error("{0} resolves to a private address")]
pub(super) struct PrivateAddress(pub String);

impl GuardedResolver {
    pub(super) fn new(guard: Arc<Guard>) -> GuardedResolver {
        GuardedResolver { guard }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.guard.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            if guard.proxy_hosts.contains(&host) {
                return Ok(Box::new(found.into_iter()) as Addrs);
            }
            let has_any = !found.is_empty();
            let permitted: Vec<SocketAddr> =
                found.into_iter().filter(|address| guard.permits_ip(address.ip(), None)).collect();
            if permitted.is_empty() && has_any {
                return Err(PrivateAddress(host).into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}
