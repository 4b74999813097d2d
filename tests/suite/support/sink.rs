//! A small SMTP server of the tests' own, without TLS: it takes everything fast, counts what it took, and misbehaves on
//! request.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// What it does at the end of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Whim {
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
    /// It takes the message and hangs up without a word.
    TakeInSilence,
    /// It offers no SMTPUTF8.
    NoUnicode,
    /// 550 to the sender's address.
    RefuseSender,
    /// It says nothing to a recipient.
    StallAtRecipient,
    /// 554 at the end of the message.
    Refuse,
    /// 451 to each recipient, with the address: it has no time.
    BusyAtRecipient,
    /// A fifth connection gets a 421 instead of a greeting.
    FourConnections,
    /// A fifth connection is hung up on.
    FourConnectionsInSilence,
    /// A message over a fifth connection gets a 432, and the connection stays.
    FourThreads,
    /// MAIL FROM gets a 451 over a fifth connection, and the connection stays.
    FourSenders,
    /// After ten messages it ends the conversation: with a 421 to the next one.
    TenMessages,
    /// After ten messages it hangs up.
    TenMessagesInSilence,
    /// After ten messages it says so to each further one, with a code of its own, and the connection stays.
    TenMessagesInWords(&'static str),
}

/// What a recipient is refused with, if it is.
type Refusing = Box<dyn Fn(&str) -> Option<&'static str> + Send>;

#[derive(Default)]
struct Shared {
    refusing: Mutex<Option<Refusing>>,
    /// The recipients that were tried, in order.
    tried: Mutex<Vec<String>>,
    /// Recipient to how often it got a message whose final answer was sent.
    taken: Mutex<HashMap<String, usize>>,
    /// Recipients and messages, if they are kept.
    kept: Mutex<Option<Vec<(String, String)>>>,
    whim: Mutex<Whim>,
    connections: AtomicUsize,
    open: AtomicUsize,
    deferred: AtomicUsize,
    refused: AtomicUsize,
    stopped: AtomicBool,
    /// Ways to log in that it offers; it takes nothing without.
    logins: Mutex<Option<&'static str>>,
    /// What stood in each `MAIL FROM`.
    senders: Mutex<Vec<String>>,
    /// What clients said to log in, decoded.
    said: Mutex<Vec<String>>,
}

pub(crate) struct Sink {
    pub port: u16,
    shared: Arc<Shared>,
}

impl Sink {
    pub(crate) fn start() -> Sink {
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
                std::thread::spawn(move || {
                    let place = shared.open.fetch_add(1, Ordering::SeqCst);
                    let _ = serve(&stream, &shared, place);
                    shared.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Sink { port, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=none", self.port)
    }

    pub(crate) fn whim(&self, whim: Whim) {
        *self.shared.whim.lock().unwrap() = whim;
    }

    /// Answers recipients, by their addresses; `None` takes one.
    pub(crate) fn refuse(&self, refusing: impl Fn(&str) -> Option<&'static str> + Send + 'static) {
        *self.shared.refusing.lock().unwrap() = Some(Box::new(refusing));
    }

    /// The recipients that were tried since the last look.
    pub(crate) fn tried(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.tried.lock().unwrap())
    }

    /// How often each recipient got a message.
    pub(crate) fn taken(&self) -> HashMap<String, usize> {
        self.shared.taken.lock().unwrap().clone()
    }

    /// Keeps the messages that it takes.
    pub(crate) fn keep(&self) {
        *self.shared.kept.lock().unwrap() = Some(Vec::new());
    }

    /// The messages that were kept, each with a recipient.
    pub(crate) fn kept(&self) -> Vec<(String, String)> {
        self.shared.kept.lock().unwrap().clone().unwrap_or_default()
    }

    /// How many messages it took in all.
    pub(crate) fn count(&self) -> usize {
        self.shared.taken.lock().unwrap().values().sum()
    }

    /// What it was told after `MAIL FROM:`, in order.
    pub(crate) fn senders(&self) -> Vec<String> {
        self.shared.senders.lock().unwrap().clone()
    }

    /// How many messages it deferred.
    pub(crate) fn deferred(&self) -> usize {
        self.shared.deferred.load(Ordering::SeqCst)
    }

    /// How often it refused the sender.
    pub(crate) fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::SeqCst)
    }

    pub(crate) fn forget_refused(&self) {
        self.shared.refused.store(0, Ordering::SeqCst);
    }

    /// Offers ways to log in, and asks for one.
    pub(crate) fn offer(&self, logins: &'static str) {
        *self.shared.logins.lock().unwrap() = Some(logins);
    }

    /// What clients said to log in since the last look.
    pub(crate) fn logins(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.said.lock().unwrap())
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn serve(stream: &TcpStream, shared: &Shared, place: usize) -> std::io::Result<()> {
    shared.connections.fetch_add(1, Ordering::SeqCst);
    stream.set_nodelay(true)?;
    let mut out = stream;
    let (mut messages, mut is_known) = (0, false);
    match *shared.whim.lock().unwrap() {
        Whim::FourConnections if place >= 4 => return out.write_all(b"421 4.7.0 too many connections\r\n"),
        Whim::FourConnectionsInSilence if place >= 4 => return Ok(()),
        _ => {}
    }
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
        match whim {
            Whim::TenMessages if messages >= 10 => return out.write_all(b"421 4.3.2 enough for now\r\n"),
            Whim::TenMessagesInSilence if messages >= 10 => return Ok(()),
            _ => {}
        }
        if let Some(logins) = *shared.logins.lock().unwrap() {
            if upper.starts_with("EHLO") {
                out.write_all(format!("250-sink\r\n250-AUTH {logins}\r\n250 SMTPUTF8\r\n").as_bytes())?;
                continue;
            }
            if upper.starts_with("AUTH") {
                is_known = log_in(&line, &mut reader, out, shared)?;
                continue;
            }
            if !is_known && !upper.starts_with("QUIT") {
                out.write_all(b"530 5.7.0 Authentication required\r\n")?;
                continue;
            }
        }
        if upper.starts_with("MAIL FROM:") {
            shared.senders.lock().unwrap().push(line.trim()[10..].to_owned());
        }
        let answer: &[u8] = if upper.starts_with("EHLO") {
            match whim {
                Whim::NoUnicode => b"250-sink\r\n250 8BITMIME\r\n",
                _ => b"250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            }
        } else if upper.starts_with("MAIL FROM:") && whim == Whim::RefuseSender {
            shared.refused.fetch_add(1, Ordering::SeqCst);
            b"550 5.1.0 Sender address blocked: user unknown\r\n"
        } else if let (true, Whim::TenMessagesInWords(said)) =
            (messages >= 10 && upper.starts_with("MAIL FROM:"), whim)
        {
            out.write_all(format!("{said}\r\n").as_bytes())?;
            continue;
        } else if upper.starts_with("MAIL FROM:") && whim == Whim::FourSenders && place >= 4 {
            b"451 4.7.652 The mail server has exceeded the maximum number of connections\r\n"
        } else if upper.starts_with("RCPT TO:") {
            if whim == Whim::StallAtRecipient {
                std::thread::sleep(std::time::Duration::from_secs(30));
                return Ok(());
            }
            let recipient = line.trim()[8..].split('>').next().unwrap().trim_start_matches('<').to_owned();
            shared.tried.lock().unwrap().push(recipient.clone());
            let refused = shared.refusing.lock().unwrap().as_ref().and_then(|refusing| refusing(&recipient));
            if let Some(refusal) = refused {
                out.write_all(format!("{refusal}\r\n").as_bytes())?;
                continue;
            }
            let refusal = match whim {
                Whim::BusyAtRecipient => Some("451 4.3.2 try again later"),
                _ => None,
            };
            if let Some(refusal) = refusal {
                out.write_all(format!("{refusal} {}\r\n", line.trim()[8..].trim()).as_bytes())?;
                continue;
            }
            recipients.push(recipient);
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
            } else if whim == Whim::FourThreads && place >= 4 {
                recipients.clear();
                b"432 4.3.2 sender thread limit exceeded\r\n"
            } else if whim == Whim::Defer {
                recipients.clear();
                shared.deferred.fetch_add(1, Ordering::SeqCst);
                b"451 4.7.1 greylisted, come again\r\n"
            } else {
                // Counted before the answer: what a client may believe, or not have heard of.
                if let Some(kept) = shared.kept.lock().unwrap().as_mut() {
                    let message = String::from_utf8_lossy(&body).into_owned();
                    kept.extend(recipients.iter().map(|recipient| (recipient.clone(), message.clone())));
                }
                let mut taken = shared.taken.lock().unwrap();
                recipients.drain(..).for_each(|recipient| *taken.entry(recipient).or_default() += 1);
                if whim == Whim::TakeInSilence {
                    return Ok(());
                }
                messages += 1;
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

/// What a client says to log in is noted; a token that is "old" is refused as Google does it.
fn log_in(
    line: &str,
    reader: &mut impl BufRead,
    mut out: &TcpStream,
    shared: &Shared,
) -> std::io::Result<bool> {
    let decoded = |text: &str| String::from_utf8(BASE64.decode(text.trim()).unwrap()).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut asked = |challenge: &str| {
        out.write_all(format!("334 {}\r\n", BASE64.encode(challenge)).as_bytes())?;
        let mut answer = String::new();
        reader.read_line(&mut answer)?;
        Ok::<_, std::io::Error>(decoded(&answer))
    };
    let said = match words[1] {
        "LOGIN" => format!("{} {}", asked("Username:")?, asked("Password:")?),
        "CRAM-MD5" => asked("<1896.697170952@postoffice.reston.mci.net>")?,
        _ => decoded(words[2]),
    };
    let is_good = !said.contains("Bearer old");
    if !is_good {
        assert_eq!(asked("{\"status\":\"401\"}")?, "");
    }
    shared.said.lock().unwrap().push(format!("{} {said}", words[1]));
    out.write_all(if is_good { b"235 ok\r\n".as_slice() } else { b"535 5.7.8 token expired\r\n" })?;
    Ok(is_good)
}
