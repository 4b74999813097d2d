//! One mail server, as its address and the settings around it have it.

use url::Url;

use crate::deliver::connection::Security;
use crate::deliver::login::{Credential, Login};
use crate::deliver::tls::{TlsError, client_config};
use crate::support::text::percent_decoded;

/// Address of an SMTP server, and how to connect to it.
pub struct SmtpSettings<'a> {
    /// `smtp://host:port`, with `?tls=required`, `?tls=opportunistic` or `?tls=none`; `smtps://host:port`; `weight=N`.
    pub url: &'a Url,
    pub username: Option<&'a str>,
    /// The secret of the user name, if not in the URL.
    pub secret: Option<Credential>,
    /// Contents of a PEM file with certificates that the operator trusts.
    pub extra_root_pem: Option<&'a [u8]>,
}

/// Why a server cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("the SMTP address names no host")]
    NoHost,
    #[error("the ca_file: {0}")]
    CaFile(TlsError),
    #[error(
        "tls=opportunistic would give the password to a server without TLS: write tls=required, or tls=none"
    )]
    PasswordWithoutTls,
    #[error("tls={0} is unknown: write required, opportunistic or none")]
    UnknownTls(String),
    #[error("there is a user name, and neither a password nor a token")]
    NoSecret,
    #[error("weight={0} is not a number")]
    NoWeight(String),
}

pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) has_ca_file: bool,
    pub(super) login: Option<Login>,
    pub(super) weight: u32,
}

/// When TLS starts, and the port for it; `tls` is the parameter of the address.
fn security(
    settings: &SmtpSettings,
    tls: Option<&str>,
    has_login: bool,
) -> Result<(Security, u16), SettingsError> {
    let config = || client_config(settings.extra_root_pem).map_err(SettingsError::CaFile);
    Ok(match (settings.url.scheme(), tls) {
        ("smtps", _) => (Security::Wrapper(config()?), 465),
        (_, Some("none")) => (Security::None, 25),
        (_, Some("required")) => (Security::Required(config()?), 587),
        // With a password, TLS is required: an attacker in between could strip STARTTLS.
        (_, None) if has_login => (Security::Required(config()?), 587),
        (_, Some("opportunistic")) if has_login => return Err(SettingsError::PasswordWithoutTls),
        (_, None | Some("opportunistic")) => (Security::Opportunistic(config()?), 25),
        (_, Some(other)) => return Err(SettingsError::UnknownTls(other.to_owned())),
    })
}

impl Server {
    pub(super) fn new(settings: &SmtpSettings) -> Result<Server, SettingsError> {
        let url = settings.url;
        let host = url.host_str().ok_or(SettingsError::NoHost)?.trim_matches(['[', ']']).to_owned();
        let parameter = |wanted: &str| {
            url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
        };
        let decoded = |text: &str| percent_decoded(text).unwrap_or_else(|| text.to_owned());
        let username = settings
            .username
            .map(str::to_owned)
            .or_else(|| Some(decoded(url.username())).filter(|name| !name.is_empty()));
        let (security, port) = security(settings, parameter("tls").as_deref(), username.is_some())?;
        let secret = settings
            .secret
            .clone()
            .or_else(|| url.password().map(|password| Credential::Password(decoded(password))));
        let login = match (username, secret) {
            (Some(username), Some(secret)) => Some(Login::new(username, secret)),
            (Some(_), None) => return Err(SettingsError::NoSecret),
            (None, _) => None,
        };
        let weight = parameter("weight")
            .map_or(Ok(1), |weight| weight.parse().map_err(|_| SettingsError::NoWeight(weight)))?;
        let has_ca_file = settings.extra_root_pem.is_some();
        Ok(Server {
            host,
            port: url.port().unwrap_or(port),
            security,
            has_ca_file,
            login,
            weight: weight.max(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Result<Server, SettingsError> {
        let url = &Url::parse(url).unwrap();
        Server::new(&SmtpSettings { url, username: None, secret: None, extra_root_pem: None })
    }

    #[test]
    fn faults_of_an_address_are_explained() {
        for (url, want) in [
            ("smtp://a.example?tls=maybe", "required, opportunistic or none"),
            ("smtp://a.example?weight=much", "not a number"),
            ("smtp://u:p@a.example?tls=opportunistic", "would give the password"),
            ("smtp://u@a.example", "neither a password nor a token"),
        ] {
            assert!(server(url).err().unwrap().to_string().contains(want), "{url}");
        }
    }

    #[test]
    fn a_user_name_asks_for_tls_unless_none_is_written() {
        for (url, is_required, port) in [
            ("smtp://a.example", false, 25),
            ("smtp://u:p@a.example", true, 587),
            ("smtp://u:p@a.example:25?tls=required", true, 25),
            ("smtp://u:p@a.example?tls=none", false, 25),
        ] {
            let server = server(url).unwrap();
            assert_eq!(
                (matches!(server.security, Security::Required(_)), server.port),
                (is_required, port),
                "{url}"
            );
        }
        let server = server("smtp://n%40example.org:p%3Aw@a.example").unwrap();
        assert_eq!(server.login.as_ref().unwrap().username, "n@example.org");
    }
}
