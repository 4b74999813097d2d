//! A small SMTP server of the tests' own, without TLS: it takes everything fast, counts what it took, and misbehaves on
//! request.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What it does at the end of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Whim {
    #[default]
    Take,
    /// The connection ends in the middle of the message.
    DropInData,
    /// 451: greylisted.
    Defer,
    /// It says good-bye after each message.
    HangUp,
    /// It takes the message and never says so.
    Stall,
    /// 550 to the sender's address.
    RefuseSender,
    /// It says nothing to a recipient.
    StallAtRecipient,
    /// 554 at the end of the message.
    Refuse,
    /// 451 to each recipient, with the address: it has no time.
    BusyAtRecipient,
    /// 550 to each recipient, with the address.
    KnowsNobody,
}

#[derive(Default)]
struct Shared {
    /// Recipient to how often it got a message whose final answer was sent.
    taken: Mutex<HashMap<String, usize>>,
    whim: Mutex<Whim>,
    connections: AtomicUsize,
    deferred: AtomicUsize,
    refused: AtomicUsize,
    stopped: AtomicBool,
}

pub struct Sink {
    pub port: u16,
    shared: Arc<Shared>,
}

impl Sink {
    pub fn start() -> Sink {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let for_thread = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if for_thread.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let (Ok(stream), shared) = (stream, for_thread.clone()) else { continue };
                std::thread::spawn(move || drop(serve(&stream, &shared)));
            }
        });
        Sink { port, shared }
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=none", self.port)
    }

    pub fn whim(&self, whim: Whim) {
        *self.shared.whim.lock().unwrap() = whim;
    }

    /// How often each recipient got a message.
    pub fn taken(&self) -> HashMap<String, usize> {
        self.shared.taken.lock().unwrap().clone()
    }

    /// How many messages it took in all.
    pub fn count(&self) -> usize {
        self.shared.taken.lock().unwrap().values().sum()
    }

    /// How many messages it deferred.
    pub fn deferred(&self) -> usize {
        self.shared.deferred.load(Ordering::SeqCst)
    }

    /// How often it refused the sender.
    pub fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::SeqCst)
    }

    pub fn forget_refused(&self) {
        self.shared.refused.store(0, Ordering::SeqCst);
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    shared.connections.fetch_add(1, Ordering::SeqCst);
    stream.set_nodelay(true)?;
    let mut out = stream;
    let mut reader = BufReader::new(stream);
    out.write_all(b"220 sink ESMTP\r\n")?;
    let mut recipients: Vec<String> = Vec::new();
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let upper = line.to_ascii_uppercase();
        let whim = *shared.whim.lock().unwrap();
        let answer: &[u8] = if upper.starts_with("EHLO") {
            b"250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
        } else if upper.starts_with("MAIL FROM:") && whim == Whim::RefuseSender {
            shared.refused.fetch_add(1, Ordering::SeqCst);
            b"550 5.1.0 Sender address blocked: user unknown\r\n"
        } else if upper.starts_with("RCPT TO:") {
            if whim == Whim::StallAtRecipient {
                std::thread::sleep(std::time::Duration::from_secs(30));
                return Ok(());
            }
            let refusal = match whim {
                Whim::BusyAtRecipient => Some("451 4.3.2 try again later"),
                Whim::KnowsNobody => Some("550 5.1.1 no such user"),
                _ => None,
            };
            if let Some(refusal) = refusal {
                out.write_all(format!("{refusal} {}\r\n", line.trim()[8..].trim()).as_bytes())?;
                continue;
            }
            recipients.push(line.trim()[8..].split('>').next().unwrap().trim_start_matches('<').to_owned());
            b"250 ok\r\n"
        } else if upper.starts_with("DATA") {
            out.write_all(b"354 go on\r\n")?;
            if whim == Whim::DropInData {
                reader.read_line(&mut line)?;
                return Ok(());
            }
            let mut body = Vec::new();
            while !body.ends_with(b"\r\n.\r\n") {
                if reader.read_until(b'\n', &mut body)? == 0 {
                    return Ok(());
                }
            }
            if whim == Whim::Stall {
                std::thread::sleep(std::time::Duration::from_secs(30));
                return Ok(());
            }
            if whim == Whim::Refuse {
                recipients.clear();
                b"554 5.7.1 no\r\n"
            } else if whim == Whim::Defer {
                recipients.clear();
                shared.deferred.fetch_add(1, Ordering::SeqCst);
                b"451 4.7.1 greylisted, come again\r\n"
            } else {
                // Counted before the answer: what a client may believe, or not have heard of.
                let mut taken = shared.taken.lock().unwrap();
                recipients.drain(..).for_each(|recipient| *taken.entry(recipient).or_default() += 1);
                b"250 taken\r\n"
            }
        } else if upper.starts_with("QUIT") {
            out.write_all(b"221 bye\r\n")?;
            return Ok(());
        } else {
            b"250 ok\r\n"
        };
        out.write_all(answer)?;
        if whim == Whim::HangUp && answer == b"250 taken\r\n" {
            return Ok(());
        }
    }
}
