//! The ways out: an SMTP server, or a folder of `.eml` files.

use std::path::{Path, PathBuf};

use lettre::transport::smtp::AsyncSmtpTransport;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncTransport, Message, Tokio1Executor};
use url::Url;

use crate::files::write_atomically;

/// Why a message did not leave, by what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// Try again later.
    #[error("{0}")]
    Temporary(String),
    /// Never: the server refused this message or this recipient.
    #[error("{0}")]
    Permanent(String),
}

/// Where an SMTP server is and how to speak to it.
pub struct SmtpSettings<'a> {
    /// `smtp://host:port`, with `?tls=required` or `?tls=none`; `smtps://host:port`.
    pub url: &'a Url,
    pub username: Option<&'a str>,
    pub password: Option<&'a str>,
    /// A PEM file of a certificate authority of the operator's own, read.
    pub extra_root_pem: Option<Vec<u8>>,
}

/// A way out.
pub enum Transport {
    Directory(PathBuf),
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
}

impl Transport {
    /// # Errors
    /// When the address or the certificate is unusable; in words.
    pub fn smtp(settings: SmtpSettings) -> Result<Transport, String> {
        let url = settings.url;
        let host = url.host_str().ok_or("the SMTP address names no host")?.trim_matches(['[', ']']).to_owned();
        let mut parameters = TlsParameters::builder(host.clone());
        if let Some(pem) = settings.extra_root_pem {
            parameters = parameters.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| format!("the CA file is no certificate: {error}"))?);
        }
        let parameters = parameters.build().map_err(|error| format!("TLS cannot be set up: {error}"))?;
        let mode = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
        let (tls, port) = match (url.scheme(), mode.as_deref()) {
            ("smtps", _) => (Tls::Wrapper(parameters), 465),
            (_, Some("required")) => (Tls::Required(parameters), 587),
            (_, Some("none")) => (Tls::None, 25),
            (_, None | Some("opportunistic")) => (Tls::Opportunistic(parameters), 25),
            (_, Some(other)) => return Err(format!("tls={other} is unknown: write required, opportunistic or none")),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&host).port(url.port().unwrap_or(port)).tls(tls);
        let username = settings.username.map(str::to_owned).or_else(|| Some(url.username().to_owned()).filter(|name| !name.is_empty()));
        if let (Some(username), Some(password)) = (username, settings.password.or_else(|| url.password())) {
            builder = builder.credentials(Credentials::new(username, password.to_owned()));
        }
        Ok(Transport::Smtp(Box::new(builder.build())))
    }

    /// Hands a message over. `Ok` means that the server took it, or that the file stands.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn send(&self, message: Message, message_id: &str) -> Result<(), DeliverError> {
        match self {
            Transport::Directory(folder) => write_eml(folder, message_id, &message.formatted()),
            Transport::Smtp(smtp) => match smtp.send(message).await {
                Ok(_) => Ok(()),
                Err(error) if error.is_permanent() && !is_about_us(&error) => Err(DeliverError::Permanent(format!("the mail server refuses: {error}"))),
                Err(error) => Err(DeliverError::Temporary(format!("the mail server cannot be used now: {}", causes(&error)))),
            },
        }
    }
}

/// A refusal of our login or of our way of speaking (RFC 4954 section 6, RFC 5321 section 4.2.3): the operator can
/// mend it, and the message is to wait until then.
fn is_about_us(error: &lettre::transport::smtp::Error) -> bool {
    error.status().is_some_and(|code| matches!(u16::from(code), 500..=504 | 530 | 534 | 535 | 538))
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(cause) = inner {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        inner = cause.source();
    }
    text
}

/// The name follows from the Message-ID: a repeat replaces the first file.
fn write_eml(folder: &Path, message_id: &str, bytes: &[u8]) -> Result<(), DeliverError> {
    let name: String = message_id.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '@') { c } else { '_' }).collect();
    let path = folder.join(format!("{name}.eml"));
    write_atomically(&path, bytes).map_err(|error| DeliverError::Temporary(format!("cannot write {}: {error}", path.display())))
}
