//! The certificate that a web server shows: a connection without a request.

use std::net::SocketAddr;

use jiff::Timestamp;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use url::Url;

use super::client::Client;
use super::resolver::permitted_addresses;
use crate::model::guard::{Allowed, Guard};
use crate::support::certificate::CertificateObserver;

impl Client {
    /// The time for which the certificate holds that stands behind an address of HTTPS; `None` if nobody shows one, or a proxy stands
    /// in between. `also` may be connected to in addition.
    pub async fn certificate_validity(&self, url: &Url, also: &[Allowed]) -> Option<(Timestamp, Timestamp)> {
        let settings = self.settings();
        if settings.proxy.is_some() || url.scheme() != "https" {
            return None;
        }
        let allowed = settings.guard.allowed.iter().chain(also).cloned().collect();
        let guard = Guard { allowed, ..settings.guard.clone() };
        let look = certificate_validity(&guard, url.host_str()?, url.port_or_known_default()?);
        tokio::time::timeout(settings.timeout, look).await.ok()?
    }
}

async fn certificate_validity(guard: &Guard, host: &str, port: u16) -> Option<(Timestamp, Timestamp)> {
    let host = host.trim_matches(['[', ']']);
    let found = permitted_addresses(guard, host, port).await.ok()?;
    let addresses: Vec<SocketAddr> =
        found.into_iter().map(|address| SocketAddr::new(address.ip(), port)).collect();
    let stream = TcpStream::connect(&addresses[..]).await.ok()?;
    let (observer, config) = CertificateObserver::new().ok()?;
    let name = ServerName::try_from(host.to_owned()).ok()?;
    // What becomes of the connection after the certificate was shown does not matter.
    let _ = tokio_rustls::TlsConnector::from(config).connect(name, stream).await;
    observer.validity()
}
