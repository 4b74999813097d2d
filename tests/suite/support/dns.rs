//! A name server (RFC 1035) with the records that a test gives it.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

/// Types of records.
const PTR: u16 = 12;
const TXT: u16 = 16;
const NO_SUCH_NAME: u8 = 3;

type Records = HashMap<(String, u16), Vec<Vec<u8>>>;

/// A running name server; it answers until the test ends.
pub(crate) struct NameServer {
    pub address: SocketAddr,
    records: Arc<Mutex<Records>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    pub(crate) fn start() -> NameServer {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let records: Arc<Mutex<Records>> = Arc::default();
        let known = records.clone();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let questions = asked.clone();
        std::thread::spawn(move || {
            let mut question = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                if let Some((name, answer)) = answer(&question[..length], &known.lock().unwrap()) {
                    questions.lock().unwrap().push(name);
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        NameServer { address, records, asked }
    }

    /// How often a name was asked for since the last time.
    pub(crate) fn take_asked(&self, name: &str) -> usize {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.iter().filter(|own| own.as_str() == name).count()
    }

    /// Sets the texts of a name, in place of those that it had.
    pub(crate) fn set_texts(&self, name: &str, texts: &[&str]) {
        let data = texts.iter().map(|text| {
            text.as_bytes().chunks(255).flat_map(|part| [&[part.len() as u8], part].concat()).collect()
        });
        self.records.lock().unwrap().insert((name.to_lowercase(), TXT), data.collect());
    }
}

/// The name that a question is about, and the answer; `None` if it is none.
fn answer(question: &[u8], records: &Records) -> Option<(String, Vec<u8>)> {
    let (mut labels, mut at) = (Vec::new(), 12);
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*question.get(at)?, *question.get(at + 1)?]);
    let end = at + 4;
    let name = labels.join(".");
    let found = records.get(&(name.clone(), kind)).cloned().unwrap_or_default();
    let is_known = records.keys().any(|(known, _)| *known == name) || kind == PTR;
    let code = if is_known { 0 } else { NO_SUCH_NAME };
    // An answer, as wanted, by a server that asks others.
    let mut out = vec![question[0], question[1], 0x81, 0x80 | code, 0, 1, 0, found.len() as u8, 0, 0, 0, 0];
    out.extend_from_slice(question.get(12..end)?);
    for data in found {
        // The name of the question, its type, Internet, a minute.
        out.extend_from_slice(&[0xc0, 12, 0, kind as u8, 0, 1, 0, 0, 0, 60]);
        out.extend_from_slice(&(data.len() as u16).to_be_bytes());
        out.extend_from_slice(&data);
    }
    Some((name, out))
}
