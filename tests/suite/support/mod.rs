//! What all tests share: a folder with a configuration, the binary run in it, and servers.

pub(crate) mod dns;
pub(crate) mod exim;
pub(crate) mod http;
pub(crate) mod lmtp;
pub(crate) mod mail;
pub(crate) mod postgres;
pub(crate) mod python;
pub(crate) mod service;
pub(crate) mod sink;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use self::postgres::TestDatabase;

/// The clock of a test that does not say another.
pub(crate) const NOW: &str = "2022-10-20T08:00:00Z";

/// A folder with a `feeds.toml`, and the binary run in it.
pub(crate) struct App {
    folder: tempfile::TempDir,
    now: String,
    database: Option<TestDatabase>,
    variables: Vec<(&'static str, String)>,
}

/// What a run of the binary left.
pub(crate) struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl App {
    /// A folder whose configuration is a small channel and `rest`.
    pub(crate) fn new(rest: &str) -> App {
        let database = TestDatabase::wanted();
        let app =
            App { folder: tempfile::tempdir().unwrap(), now: NOW.into(), database, variables: Vec::new() };
        app.configure(rest);
        app
    }

    /// Writes the configuration anew.
    pub(crate) fn configure(&self, rest: &str) {
        let store = self.database.as_ref().filter(|_| !rest.contains("[store]")).map(TestDatabase::line);
        let head = "[channel]\ntitle = \"Test\"\nurl = \"https://news.example.org\"\nlanguage = \"en\"\n[mail]\nfrom = \"News <news@example.org>\"\n[defaults]\ninterval = \"1h\"\n[fetch]\nallow = [\"127.0.0.1\", \"::1\"]\n";
        // Lines are counted by some.
        let first = store.unwrap_or_else(|| "version = 1\n".into());
        self.write("feeds.toml", format!("{first}{head}{rest}"));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Sets variables of the environment.
    pub(crate) fn set(&mut self, variables: impl IntoIterator<Item = (&'static str, String)>) -> &mut App {
        self.variables.extend(variables);
        self
    }

    /// Moves the clock.
    pub(crate) fn later(&mut self, minutes: i64) -> &mut App {
        let now: jiff::Timestamp = self.now.parse().unwrap();
        self.now = (now + jiff::SignedDuration::from_mins(minutes)).to_string();
        self
    }

    /// Sets the clock.
    pub(crate) fn at(&mut self, now: &str) -> &mut App {
        self.now = now.into();
        self
    }

    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.now.parse().unwrap()
    }

    /// The binary with the configuration and the clock, not yet started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_within("180", arguments)
    }

    /// The same, ended after so many seconds.
    pub(crate) fn command_within(&self, seconds: &str, arguments: &[&str]) -> Command {
        // A run that hangs is a failure (code 124), not a wait.
        let mut command = Command::new("timeout");
        command
            .args(["-k", "5", seconds, env!("CARGO_BIN_EXE_courant")])
            .current_dir(self.folder.path())
            .env_remove("RUST_LOG")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .args(["--now", &self.now])
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// Runs what must succeed; answers standard output.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?} said:\n{}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// The stored entries as `courant entries` prints them.
    #[track_caller]
    pub(crate) fn entries(&self) -> Vec<Value> {
        self.ok(&["entries", "--format", "jsonl"])
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The titles of the stored entries, in the order in which they came.
    #[track_caller]
    pub(crate) fn titles(&self) -> Vec<String> {
        self.entries().iter().map(|entry| entry["title"].as_str().unwrap().to_owned()).collect()
    }

    /// How often each title went out as news.
    #[track_caller]
    pub(crate) fn announced(&self) -> Vec<(String, u64)> {
        self.entries()
            .iter()
            .map(|entry| (entry["title"].as_str().unwrap().to_owned(), entry["announced"].as_u64().unwrap()))
            .collect()
    }

    /// The mails in `outbox/`, in the order of their names; a killed run may leave half of one beside them, under another.
    pub(crate) fn outbox(&self) -> Vec<String> {
        let mut mails: Vec<PathBuf> = std::fs::read_dir(self.path("outbox"))
            .into_iter()
            .flatten()
            .map(|file| file.unwrap().path())
            .collect();
        mails.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
        mails.sort();
        mails.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// An RSS feed of items, each its guid, title, day (of October 2022) and text.
pub(crate) fn rss(items: &[(&str, &str, u8, &str)]) -> String {
    let items: String = items
        .iter()
        .map(|(guid, title, day, text)| {
            format!(
                "<item><guid isPermaLink=\"false\">{guid}</guid><link>https://partner.example/{guid}</link><title>{title}</title>\
                 <pubDate>{day:02} Oct 2022 09:00:00 GMT</pubDate><description>{text}</description></item>\n"
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Partner</title><link>https://partner.example/</link>{items}</channel></rss>"
    )
}

/// Kills a program that runs under `timeout`, which then ends as well.
pub(crate) fn kill_program(timeout: &mut Child) {
    let children = format!("/proc/{0}/task/{0}/children", timeout.id());
    let program: i32 = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
    let program = rustix::process::Pid::from_raw(program).unwrap();
    rustix::process::kill_process(program, rustix::process::Signal::KILL).unwrap();
    timeout.wait().unwrap();
}

/// A header of a mail, unfolded.
pub(crate) fn header(mail: &str, name: &str) -> String {
    let head = mail.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ").replace("\r\n\t", " ");
    head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default().to_owned()
}

/// The text part of a mail, decoded from quoted-printable.
pub(crate) fn text_part(mail: &str) -> String {
    let part = mail
        .split("Content-Type: text/plain")
        .nth(1)
        .unwrap()
        .split("\r\n\r\n")
        .skip(1)
        .collect::<Vec<_>>()
        .join("\r\n\r\n");
    let part = part.split("\r\n--courant-").next().unwrap().replace("=\r\n", "").replace("\r\n", "\n");
    let (mut bytes, mut rest) = (Vec::new(), part.as_bytes());
    while let Some((first, more)) = rest.split_first() {
        let escaped = (*first == b'=')
            .then(|| u8::from_str_radix(std::str::from_utf8(&more[..2]).unwrap(), 16).unwrap());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &more[2..] } else { more };
    }
    String::from_utf8(bytes).unwrap()
}

/// What `look` finds, once it does: services work by themselves.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = std::time::Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(20), "{what} never came");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
