//! Records of the Domain Name System, which the system's resolver does not give: texts, and the names of addresses.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};

/// For each question, at each name server.
const TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPTS: usize = 2;

/// Why a name server could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("no name server answers ({0})")]
pub struct NamesError(String);

/// Asks name servers.
pub struct NameService(TokioResolver);

impl NameService {
    /// Asks those of the system, or another one.
    ///
    /// # Errors
    /// When the system names none.
    pub fn new(server: Option<SocketAddr>) -> Result<NameService, NamesError> {
        let unusable = |error: NetError| NamesError(error.to_string());
        let mut builder = match server {
            Some(server) => {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
                let connections = connections.map(|mut connection| {
                    connection.port = server.port();
                    connection
                });
                let server = NameServerConfig::new(server.ip(), true, connections.to_vec());
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
                Resolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
            None => Resolver::builder_tokio().map_err(unusable)?,
        };
        let options = builder.options_mut();
        (options.timeout, options.attempts) = (TIMEOUT, ATTEMPTS);
        builder.build().map(NameService).map_err(unusable)
    }

    /// The TXT records of a name; none if there is no such name.
    ///
    /// # Errors
    /// When no name server answers.
    pub async fn texts(&self, name: &str) -> Result<Vec<String>, NamesError> {
        let text = |data: &RData| match data {
            RData::TXT(text) => {
                let parts = text.txt_data.iter().map(|part| String::from_utf8_lossy(part).into_owned());
                Some(parts.collect::<String>())
            }
            _ => None,
        };
        self.look_up(&format!("{}.", name.trim_end_matches('.')), RecordType::TXT, text).await
    }

    /// The names that an address is known by.
    ///
    /// # Errors
    /// When no name server answers.
    pub async fn names_of(&self, address: IpAddr) -> Result<Vec<String>, NamesError> {
        let name = |data: &RData| match data {
            RData::PTR(name) => Some(name.0.to_utf8().trim_end_matches('.').to_owned()),
            _ => None,
        };
        let reverse = hickory_resolver::proto::rr::Name::from(address).to_utf8();
        self.look_up(&reverse, RecordType::PTR, name).await
    }

    /// The addresses of a name.
    ///
    /// # Errors
    /// When no name server answers.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NamesError> {
        let name = format!("{}.", name.trim_end_matches('.'));
        let address = |data: &RData| data.ip_addr();
        let mut found = self.look_up(&name, RecordType::A, address).await?;
        found.extend(self.look_up(&name, RecordType::AAAA, address).await?);
        Ok(found)
    }

    async fn look_up<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, NamesError> {
        match self.0.lookup(name, kind).await {
            Ok(found) => Ok(found.answers().iter().filter_map(|record| read(&record.data)).collect()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => Err(NamesError(error.to_string())),
        }
    }
}
