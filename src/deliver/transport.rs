//! Transports: SMTP servers, or a folder of `.eml` files.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::message::BuiltMessage;
use super::smtp::Smtp;
use super::{DeliverError, SendAttempt};
use crate::support::files::{narrow_folder, sweep, write_privately};

/// Where messages are sent.
pub enum Transport {
    Directory(PathBuf),
    Smtp(Box<Smtp>),
}

impl Transport {
    /// A folder, whose mails are kept from the eyes of others.
    pub fn directory(folder: &Path) -> Transport {
        narrow_folder(folder, |name| name.ends_with(".eml"));
        Transport::Directory(folder.to_owned())
    }

    /// Removes partial files left by killed processes.
    pub fn sweep(&self) {
        if let Transport::Directory(folder) = self {
            sweep(folder);
        }
    }

    /// Hands a message over. `Ok` means that a server took it, or that the file stands. After `stop` nothing is begun.
    pub async fn send(
        &self,
        message: &BuiltMessage,
        message_id: &str,
        stop: &CancellationToken,
    ) -> SendAttempt {
        match self {
            Transport::Directory(folder) => {
                SendAttempt::by(Some(0), write_eml(folder, message_id, message.text.as_bytes()))
            }
            Transport::Smtp(smtp) => smtp.send(&message.envelope, &message.text, stop).await,
        }
    }

    /// Sends nothing more through a server until the end of the run. Answers whether there is another one.
    pub fn leave_out(&self, server: usize, reason: &str) -> bool {
        match self {
            Transport::Directory(_) => false,
            Transport::Smtp(smtp) => smtp.leave_out(server, reason),
        }
    }

    /// What a server is called.
    pub fn server_name(&self, server: usize) -> String {
        match self {
            Transport::Directory(_) => "the folder".into(),
            Transport::Smtp(smtp) => smtp.server_name(server),
        }
    }

    /// The servers that are to be spoken to over TLS.
    pub fn tls_servers(&self) -> Vec<usize> {
        match self {
            Transport::Directory(_) => Vec::new(),
            Transport::Smtp(smtp) => smtp.tls_servers(),
        }
    }

    /// The time for which the certificate of a server holds; `None` if it shows none.
    pub async fn certificate_validity(&self, server: usize) -> Option<(Timestamp, Timestamp)> {
        match self {
            Transport::Directory(_) => None,
            Transport::Smtp(smtp) => smtp.certificate_validity(server).await,
        }
    }

    /// Ends what is still open.
    pub async fn close(&self) {
        if let Transport::Smtp(smtp) = self {
            smtp.close().await;
        }
    }
}

/// The file name is derived from the Message-ID, so a repeated attempt replaces the file.
fn write_eml(folder: &Path, message_id: &str, bytes: &[u8]) -> Result<(), DeliverError> {
    let name: String = message_id
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '@') { c } else { '_' })
        .collect();
    let path = folder.join(format!("{name}.eml"));
    write_privately(&path, bytes)
        .map_err(|error| DeliverError::Unavailable(format!("cannot write {}: {error}", path.display())))
}
