//! `courant serve`, running.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::{App, wait_for};

/// Metrics at a port of their own.
pub(crate) const METRICS: &str = "[serve]\nmetrics = \"127.0.0.1:0\"\n";

/// A running `courant serve`.
pub(crate) struct Service {
    child: Child,
    address: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Service {
    pub(crate) fn start(app: &App) -> Service {
        Service::of(app.command_within("900", &["-v", "serve", "--listen", "127.0.0.1:0"]))
    }

    /// The same, which may have so many files open.
    pub(crate) fn start_with_files(app: &App, files_max: usize) -> Service {
        let whole = app.command_within("900", &["-v", "serve", "--listen", "127.0.0.1:0"]);
        let mut limited = Command::new("sh");
        limited
            .args(["-c", &format!("ulimit -n {files_max} && exec \"$@\""), "sh"])
            .arg(whole.get_program())
            .args(whole.get_args())
            .current_dir(app.folder())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        Service::of(limited)
    }

    /// A service of the caller's own command.
    pub(crate) fn of(mut command: Command) -> Service {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address =
            lines.find_map(|line| line.unwrap().split("on http://").nth(1).map(str::to_owned)).unwrap();
        // The log must not fill the pipe.
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = log.clone();
        std::thread::spawn(move || lines.for_each(|line| kept.lock().unwrap().extend(line)));
        Service { child, address, log }
    }

    /// Whether the log has a line with `text`.
    pub(crate) fn said(&self, text: &str) -> bool {
        self.log.lock().unwrap().iter().any(|line| line.contains(text))
    }

    /// The process of the service, which is the child of `timeout`.
    fn process(&self) -> String {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        std::fs::read_to_string(children).unwrap().trim().to_owned()
    }

    /// Sends the service a signal: `STOP` or `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.process()]).status().unwrap();
        assert!(sent.success());
    }

    /// The memory of the service.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The metrics, at the address that the service names.
    pub(crate) fn metrics(&self) -> String {
        let address = wait_for("the address of the metrics", || {
            let log = self.log.lock().unwrap();
            let line = log.iter().find_map(|line| line.split_once("metrics on http://"))?;
            Some(line.1.trim_end_matches("/metrics").to_owned())
        });
        ask(&address, "GET", "/metrics", "", "").1
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// One request on a connection of its own: status and body.
    pub(crate) fn ask(&self, method: &str, target: &str, headers: &str, body: &str) -> (u16, String) {
        ask(&self.address, method, target, headers, body)
    }
}

pub(crate) fn ask(address: &str, method: &str, target: &str, headers: &str, body: &str) -> (u16, String) {
    let headers = format!("{headers}Content-Length: {}\r\n\r\n{body}", body.len());
    let answer = ask_whole(address, method, target, &headers);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// The whole answer to a request on a connection of its own; `rest` follows its first headers.
pub(crate) fn ask_whole(address: &str, method: &str, target: &str, rest: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let rest = if rest.is_empty() { "\r\n" } else { rest };
    write!(stream, "{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{rest}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
