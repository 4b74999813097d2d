//! Transports: SMTP servers, or a folder of `.eml` files.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::DeliverError;
use super::message::Built;
use super::smtp::Smtp;
use crate::support::files::{sweep, write_atomically};

/// Where messages are sent.
pub enum Transport {
    Directory(PathBuf),
    Smtp(Box<Smtp>),
}

impl Transport {
    /// Removes partial files left by killed processes.
    pub fn sweep(&self) {
        if let Transport::Directory(folder) = self {
            sweep(folder);
        }
    }

    /// Sends a message. `Ok` means that the server accepted it, or that the file is written. After `stop`, nothing is begun.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn send(
        &self,
        message: &Built,
        message_id: &str,
        stop: &CancellationToken,
    ) -> Result<(), DeliverError> {
        match self {
            Transport::Directory(folder) => write_eml(folder, message_id, message.text.as_bytes()),
            Transport::Smtp(smtp) => smtp.send(&message.envelope, &message.text, stop).await,
        }
    }

    /// Closes open connections.
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
    write_atomically(&path, bytes)
        .map_err(|error| DeliverError::Unavailable(format!("cannot write {}: {error}", path.display())))
}
