//! `courant bounces lmtp`, running, and a mail server that hands mail over to it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use super::App;

/// A running `courant bounces lmtp`, with a connection to it.
pub(crate) struct Lmtp {
    child: Child,
    connection: BufReader<TcpStream>,
}

impl Lmtp {
    /// Starts it, and says hello.
    pub(crate) fn start(app: &App) -> Lmtp {
        let mut child = app
            .command(&["bounces", "lmtp", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let stream = TcpStream::connect(line.trim().rsplit(' ').next().unwrap()).unwrap();
        let mut lmtp = Lmtp { child, connection: BufReader::new(stream) };
        lmtp.say("LHLO x\r\n", 5);
        lmtp
    }

    /// Says something, and reads so many lines of answers.
    pub(crate) fn say(&mut self, text: &str, answers: usize) -> Vec<String> {
        self.connection.get_mut().write_all(text.as_bytes()).unwrap();
        (0..answers)
            .map(|_| {
                let mut answer = String::new();
                self.connection.read_line(&mut answer).unwrap();
                answer
            })
            .collect()
    }
}

impl Drop for Lmtp {
    fn drop(&mut self) {
        let _ = std::process::Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
