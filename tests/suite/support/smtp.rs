//! The SMTP server of `tests/smtp_server.py`, with a certificate of its own.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running server; it ends when this is dropped.
pub struct SmtpServer {
    child: Child,
    folder: tempfile::TempDir,
    pub port: u16,
}

impl SmtpServer {
    /// # Panics
    /// When Python or aiosmtpd is missing: `scripts/test` brings them.
    pub fn start() -> SmtpServer {
        let folder = tempfile::tempdir().unwrap();
        let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        std::fs::write(folder.path().join("cert.pem"), issued.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), issued.signing_key.serialize_pem()).unwrap();
        std::fs::create_dir(folder.path().join("mails")).unwrap();
        let python = std::env::var("COURANT_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
        let mut child = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/smtp_server.py"))
            .args([folder.path().join("cert.pem"), folder.path().join("key.pem"), folder.path().join("mails")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the SMTP server did not start: ./scripts/test installs what it needs");
        SmtpServer { child, folder, port }
    }

    /// The certificate, for `[mail] ca_file`.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// The messages taken so far.
    pub fn mails(&self) -> Vec<String> {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(self.folder.path().join("mails")).unwrap().map(|file| file.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
