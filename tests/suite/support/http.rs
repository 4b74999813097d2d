//! A real HTTP server that answers, and misbehaves, as a test tells it. It speaks HTTP/1.1 over plain sockets, so that
//! it can break the rules; each connection has a thread.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
    pub at: Instant,
}

impl Request {
    /// A header's value by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// How an answer is sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Manner {
    #[default]
    Plain,
    /// The connection is reset before a byte is sent.
    Reset,
    /// Nothing is sent until the client gives up.
    Stall,
    /// One byte a second.
    Drip,
    /// The body again and again, without an end.
    Endless,
    /// Content-Length says so many bytes; the body that is there is sent, then the connection ends.
    Short(usize),
    /// Sent after a pause.
    Slow(Duration),
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub manner: Manner,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        Reply { status, headers: Vec::new(), body: body.into(), manner: Manner::Plain }
    }

    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Reply {
        Reply::new(200, body).with("Content-Type", "application/rss+xml")
    }

    pub(crate) fn html(body: impl Into<Vec<u8>>) -> Reply {
        Reply::new(200, body).with("Content-Type", "text/html; charset=utf-8")
    }

    pub(crate) fn redirect(status: u16, to: &str) -> Reply {
        Reply::new(status, "").with("Location", to)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn sent(mut self, manner: Manner) -> Reply {
        self.manner = manner;
        self
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

struct Shared {
    handler: Mutex<Arc<Handler>>,
    requests: Mutex<Vec<Request>>,
    open: AtomicUsize,
    open_max: AtomicUsize,
    stopped: AtomicBool,
}

/// The server; it stops when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    pub(crate) fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        Server::start_at("127.0.0.1", handler)
    }

    /// At one of the addresses of this machine.
    pub(crate) fn start_at(ip: &str, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            handler: Mutex::new(Arc::new(handler)),
            requests: Mutex::default(),
            open: AtomicUsize::new(0),
            open_max: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let for_thread = shared.clone();
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                if for_thread.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let (Ok(stream), shared) = (stream, for_thread.clone()) else { continue };
                std::thread::spawn(move || {
                    let open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
                    shared.open_max.fetch_max(open, Ordering::SeqCst);
                    // A client that goes away is what many tests are about.
                    drop(serve(&stream, number, &shared));
                    shared.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Server { address, shared }
    }

    /// The same answer to everything.
    pub(crate) fn always(reply: Reply) -> Server {
        Server::start(move |_| reply.clone())
    }

    /// Answers differently from now on.
    pub(crate) fn answer(&self, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) {
        *self.shared.handler.lock().unwrap() = Arc::new(handler);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The requests since the last call.
    pub(crate) fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.shared.requests.lock().unwrap())
    }

    /// The most connections that were ever open at one time.
    pub(crate) fn open_max(&self) -> usize {
        self.shared.open_max.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: &TcpStream, connection: usize, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader, connection)? {
        shared.requests.lock().unwrap().push(request.clone());
        let handler = shared.handler.lock().unwrap().clone();
        let reply = handler(&request);
        if !send(stream, &reply, &request, shared)? {
            break;
        }
    }
    Ok(())
}

fn read_request(reader: &mut BufReader<&TcpStream>, connection: usize) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or("").to_owned(), words.next().unwrap_or("").to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line)?;
        let line: String = line.iter().map(|&byte| byte as char).collect();
        let Some((name, value)) = line.trim_end_matches(['\r', '\n']).split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim_start().to_owned()));
    }
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { method, target, headers, body, connection, at: Instant::now() }))
}

/// Sends an answer; `false` when the connection is over.
fn send(mut stream: &TcpStream, reply: &Reply, request: &Request, shared: &Shared) -> std::io::Result<bool> {
    match reply.manner {
        Manner::Reset => {
            socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
            return Ok(false);
        }
        Manner::Stall => {
            drain(stream, shared);
            return Ok(false);
        }
        Manner::Slow(pause) => std::thread::sleep(pause),
        _ => {}
    }
    let mut head = format!("HTTP/1.1 {} Because\r\n", reply.status).into_bytes();
    for (name, value) in &reply.headers {
        // Characters up to U+00FF are sent as single bytes: headers need not be ASCII.
        let value: Vec<u8> = value.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
        head.extend_from_slice(format!("{name}: ").as_bytes());
        head.extend_from_slice(&value);
        head.extend_from_slice(b"\r\n");
    }
    let length = match reply.manner {
        Manner::Short(declared) => Some(declared),
        Manner::Endless => None,
        _ => Some(reply.body.len()),
    };
    let has_body = !matches!(reply.status, 204 | 304) && request.method != "HEAD";
    if let Some(length) = length.filter(|_| has_body) {
        head.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    stream.write_all(&head)?;
    if !has_body {
        return Ok(true);
    }
    match reply.manner {
        Manner::Drip => {
            for byte in &reply.body {
                if shared.stopped.load(Ordering::SeqCst) {
                    break;
                }
                stream.write_all(&[*byte])?;
                std::thread::sleep(Duration::from_secs(1));
            }
            Ok(false)
        }
        Manner::Endless => {
            while !shared.stopped.load(Ordering::SeqCst) {
                stream.write_all(&reply.body)?;
            }
            Ok(false)
        }
        Manner::Short(_) => {
            stream.write_all(&reply.body)?;
            stream.shutdown(Shutdown::Both)?;
            Ok(false)
        }
        _ => {
            stream.write_all(&reply.body)?;
            Ok(true)
        }
    }
}

/// Waits until the client goes away or the server stops.
fn drain(mut stream: &TcpStream, shared: &Shared) {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(100)));
    let mut buffer = [0; 64];
    while !shared.stopped.load(Ordering::SeqCst) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
}
