//! Servers in Python (`tests/smtp_server.py`, `tests/https_server.py`, `tests/s3_server.py`), each with a certificate of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;

/// A running server; it ends when this is dropped.
struct Running {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Running {
    /// Starts a script with a certificate for this machine and one more argument.
    ///
    /// # Panics
    /// When Python or a package is missing: `scripts/test` brings them.
    fn start(script: &str, argument: impl FnOnce(&Path) -> PathBuf) -> Running {
        Running::start_until(LAST_YEAR, script, argument)
    }

    /// The same, with a certificate that ends when this year begins.
    fn start_until(year: i32, script: &str, argument: impl FnOnce(&Path) -> PathBuf) -> Running {
        let folder = tempfile::tempdir().unwrap();
        issue(folder.path(), year);
        let python = std::env::var("COURANT_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
        let mut child = Command::new(python)
            .args(["-W", "ignore"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script))
            .args([folder.path().join("cert.pem"), folder.path().join("key.pem"), argument(folder.path())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port =
            line.trim().parse().expect("the server did not start: ./scripts/test installs what it needs");
        Running { child, folder, port }
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }
}

/// The year in which certificates end that are to end in no test.
const LAST_YEAR: i32 = 2150;

/// Writes a certificate for this machine that ends when a year begins, and its key.
fn issue(folder: &Path, year: i32) {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut wanted = rcgen::CertificateParams::new(names).unwrap();
    wanted.not_before = rcgen::date_time_ymd(2020, 1, 1);
    wanted.not_after = rcgen::date_time_ymd(year, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = wanted.self_signed(&key).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // With what it started: the mailbox server has workers.
        let _ = Command::new("kill")
            .args(["-9", "--", &format!("-{}", self.child.id())])
            .stderr(Stdio::null())
            .status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An SMTP server with STARTTLS and AUTH.
pub(crate) struct SmtpServer {
    running: Running,
    pub port: u16,
}

impl SmtpServer {
    pub(crate) fn start() -> SmtpServer {
        SmtpServer::start_until(LAST_YEAR)
    }

    /// The same, with a certificate that ends when this year begins.
    pub(crate) fn start_until(year: i32) -> SmtpServer {
        let running = Running::start_until(year, "smtp_server.py", |folder| {
            let mails = folder.join("mails");
            std::fs::create_dir(&mails).unwrap();
            mails
        });
        SmtpServer { port: running.port, running }
    }

    /// The certificate, for `[mail] ca_file`.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.running.certificate()
    }

    /// The messages taken so far.
    pub(crate) fn mails(&self) -> Vec<String> {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(self.running.folder.path().join("mails"))
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        paths.sort();
        paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }
}

/// A web server that speaks TLS and serves one document.
pub(crate) struct HttpsServer {
    running: Running,
}

impl HttpsServer {
    pub(crate) fn start(document: &str) -> HttpsServer {
        HttpsServer::start_until(LAST_YEAR, document)
    }

    /// The same, with a certificate that ends when this year begins.
    pub(crate) fn start_until(year: i32, document: &str) -> HttpsServer {
        let running = Running::start_until(year, "https_server.py", |folder| {
            let path = folder.join("document");
            std::fs::write(&path, document).unwrap();
            path
        });
        HttpsServer { running }
    }

    /// Gives it another certificate, which ends when this year begins.
    pub(crate) fn renew(&self, year: i32) {
        issue(self.running.folder.path(), year);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.running.port)
    }

    /// The certificate, for `[fetch] ca_file`.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.running.certificate()
    }
}

/// An IMAP server with STARTTLS and one mailbox.
pub(crate) struct ImapServer {
    running: Running,
    pub port: u16,
}

impl ImapServer {
    /// Its INBOX holds these messages, unread.
    pub(crate) fn start(messages: &[String]) -> ImapServer {
        let running = Running::start("imap_server.py", |folder| {
            let mails = folder.join("mails");
            std::fs::create_dir(&mails).unwrap();
            for (number, message) in messages.iter().enumerate() {
                std::fs::write(mails.join(format!("{number:04}.eml")), message).unwrap();
            }
            mails
        });
        ImapServer { port: running.port, running }
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.running.certificate()
    }
}

/// An S3-compatible server with one bucket, `news`.
pub(crate) struct S3Server {
    running: Running,
}

/// An object in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub bytes: Vec<u8>,
    pub media_type: String,
    pub cache_control: String,
}

impl S3Server {
    pub(crate) fn start() -> S3Server {
        S3Server { running: Running::start("s3_server.py", Path::to_owned) }
    }

    /// The variables of the environment by which courant reaches it.
    pub(crate) fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.running.port)),
            ("AWS_ALLOW_HTTP", "true".into()),
            ("AWS_ACCESS_KEY_ID", "test".into()),
            ("AWS_SECRET_ACCESS_KEY", "geheim".into()),
            ("AWS_TIMEOUT", "1s".into()),
        ]
    }

    fn control(&self, method: &str, what: &str, body: &str) -> serde_json::Value {
        let address = format!("127.0.0.1:{}", self.running.port);
        let (status, text) = super::service::ask(&address, method, &format!("/-/{what}"), "", body);
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// All objects, by their names.
    pub(crate) fn objects(&self) -> BTreeMap<String, Object> {
        let all: BTreeMap<String, [String; 3]> =
            serde_json::from_value(self.control("GET", "objects", "")).unwrap();
        let object = |[bytes, media_type, cache_control]: [String; 3]| Object {
            bytes: base64::prelude::BASE64_STANDARD.decode(bytes).unwrap(),
            media_type,
            cache_control,
        };
        all.into_iter().map(|(name, parts)| (name, object(parts))).collect()
    }

    /// The requests of courant since the last time: method, path, query, and the fault that was its answer.
    pub(crate) fn take_requests(&self) -> Vec<[String; 4]> {
        serde_json::from_value(self.control("GET", "requests", "")).unwrap()
    }

    /// The paths that were uploaded to since the last time, below a prefix.
    pub(crate) fn take_uploads(&self, prefix: &str) -> Vec<String> {
        let uploaded = self.take_requests().into_iter().filter(|[method, ..]| method == "PUT");
        let below = format!("/news/{prefix}");
        uploaded.map(|[_, path, ..]| path.strip_prefix(&below).unwrap().to_owned()).collect()
    }

    /// Somebody else writes an object.
    pub(crate) fn put(&self, name: &str, text: &str) {
        self.control("POST", &format!("put/{name}"), text);
    }

    /// Somebody else deletes an object, or without a name, all.
    pub(crate) fn delete(&self, name: &str) {
        self.control("POST", &format!("delete/{name}"), "");
    }

    /// After so many uploads, answers with a status or not at all (`hang`), until it is to work again (`none`).
    pub(crate) fn fault(&self, what: &str, after: usize) {
        self.control("POST", &format!("fault/{what}/{after}"), "");
    }
}

/// Runs a script to its end; answers what it printed.
#[track_caller]
pub(crate) fn run(script: &str, arguments: &[&str]) -> String {
    run_with(script, arguments, &[])
}

/// The same, with variables of the environment.
#[track_caller]
pub(crate) fn run_with(script: &str, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let python = std::env::var("COURANT_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let ran = Command::new(python)
        .args(["-W", "ignore"])
        .arg(path)
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{script}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}
