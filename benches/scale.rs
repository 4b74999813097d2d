//! What each source, entry and subscriber costs as they grow, in a file and on a PostgreSQL server, with one or more workers: CPU of
//! the workers and of the server, memory, wall time, and the disk.
//!
//! `cargo bench --bench scale`; `SCALE_SOURCES=100,1000`, `SCALE_ENTRIES=20` (of each source), `SCALE_PARAGRAPHS=1` (of each entry,
//! otherwise four to six), `SCALE_WORKERS=1,2,4` and `SCALE_SUBSCRIBERS=1000,10000` say how many, and
//! `SCALE_SERVER=postgresql:///postgres?host=…` measures a server too, in databases that are dropped afterwards; with `SCALE_COPY=1`
//! they begin as a copy of the file. What the server's processes cost is only known where it runs on this machine, and its folder
//! can be read.

#![allow(clippy::disallowed_macros)] // Figures and reasons are for whoever runs them.

#[path = "support/prose.rs"]
mod prose;
#[path = "support/sink.rs"]
mod sink;
mod support;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{Path as PathParameter, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use postgres::{Client, NoTls};

use prose::Writer;
use support::{Cost, run, runtime, serve, start_server, url};

/// Entries that a feed lists at first, unless `SCALE_ENTRIES` says something else.
const ENTRIES: usize = 20;
/// One source in so many has an entry more after each `/news`.
const NEWS_EVERY: u64 = 20;
/// Sources while subscribers are measured.
const SOURCES_OF_NEWS: usize = 20;
const PARTNERS: usize = 20;
/// The clock of the first reading; each later one is a day and an hour after the one before.
const NOW: &str = "2022-10-20T08:00:00Z";
const ROUND: SignedDuration = SignedDuration::from_hours(25);

/// What the feeds are made of.
struct Feeds {
    writer: Writer,
    entries: u64,
    /// How often `/news` was asked for.
    news: AtomicU64,
}

async fn feed(
    State(feeds): State<Arc<Feeds>>,
    PathParameter(source): PathParameter<u64>,
    headers: HeaderMap,
) -> axum::response::Response {
    let news = if source.is_multiple_of(NEWS_EVERY) { feeds.news.load(Ordering::Relaxed) } else { 0 };
    let etag = format!("\"{source}-{news}\"");
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    let (writer, count) = (&feeds.writer, feeds.entries);
    let published = |number| (number >= count).then(|| clock(number - count + 1).as_second() - 7_200);
    let stories =
        (news..count + news).rev().map(|number| writer.story(source, number, count, published(number)));
    let body = prose::rss(source, writer.language(source), stories);
    ([(header::CONTENT_TYPE, "application/rss+xml".to_owned()), (header::ETAG, etag)], body).into_response()
}

/// From now on the sources that have news list an entry more.
async fn news(State(feeds): State<Arc<Feeds>>) {
    feeds.news.fetch_add(1, Ordering::Relaxed);
}

/// The clock of a reading.
fn clock(round: u64) -> Timestamp {
    NOW.parse::<Timestamp>().expect("a time") + ROUND * round as i32
}

/// A database of a server.
struct Server {
    admin: Client,
    name: String,
    url: String,
    /// The first of the server's processes.
    process: Option<u32>,
}

impl Server {
    fn new(address: &str) -> Server {
        let mut admin = Client::connect(address, NoTls).expect("the server answers");
        let name = format!("scale_{}", std::process::id());
        admin.batch_execute(&format!("CREATE DATABASE {name}")).expect("a database");
        let folder: String = admin.query_one("SHOW data_directory", &[]).expect("a row").get(0);
        let process = std::fs::read_to_string(Path::new(&folder).join("postmaster.pid"));
        let url = address.replacen("/postgres", &format!("/{name}"), 1);
        let process = process.ok().and_then(|text| text.lines().next()?.parse().ok());
        Server { admin, name, url, process }
    }

    /// CPU seconds of all processes of the server so far.
    fn cpu(&self) -> f64 {
        let Some(first) = self.process else { return f64::NAN };
        let ticks = |process: &str, count: usize| -> Option<(u32, u64)> {
            let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
            let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
            let used = fields[11..11 + count].iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
            Some((fields[1].parse().ok()?, used))
        };
        // Its own, and those of its children that have ended.
        let own = ticks(&first.to_string(), 4).map_or(0, |(_, used)| used);
        let processes = std::fs::read_dir("/proc").expect("processes").flatten();
        let of_children = processes
            .filter_map(|entry| ticks(&entry.file_name().to_string_lossy(), 2))
            .filter(|(parent, _)| *parent == first)
            .map(|(_, used)| used);
        let all = own + of_children.sum::<u64>();
        // SAFETY: it only answers a number.
        all as f64 / unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64
    }

    fn size(&mut self) -> u64 {
        let size: i64 =
            self.admin.query_one("SELECT pg_database_size($1)", &[&self.name]).expect("its size").get(0);
        size.unsigned_abs()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.admin.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// A configuration with its store.
struct Installation {
    folder: tempfile::TempDir,
    server: Option<Server>,
}

impl Installation {
    fn new(address: Option<&str>, sources: usize, ports: (u16, u16)) -> Installation {
        let folder = tempfile::tempdir().expect("a folder");
        let server = address.map(Server::new);
        let store =
            server.as_ref().map_or_else(String::new, |server| format!("[store]\nurl = \"{}\"\n", server.url));
        let mut config = format!(
            "version = 1\n{store}[channel]\ntitle = \"The network\"\nurl = \"https://news.example.org\"\nlanguage = \"en\"\n\
             [mail]\nfrom = \"News <news@example.org>\"\ntransport = \"smtp://127.0.0.1:{}?tls=none\"\nconnections = 8\n\
             [newsletter]\ncontroller = \"The network, 1 Main Street\"\n[fetch]\nallow = [\"127.0.0.0/8\"]\n",
            ports.1
        );
        for n in 0..sources {
            let _ = writeln!(
                config,
                "[[source]]\nid = \"s{n}\"\npartner = \"Partner {}\"\nkind = \"feed\"\nurl = \"{}\"",
                n % PARTNERS,
                url(n, ports.0)
            );
        }
        std::fs::write(folder.path().join("feeds.toml"), config).expect("a file");
        Installation { folder, server }
    }

    fn command(&self, round: u64, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_courant"));
        command
            .current_dir(self.folder.path())
            .args(["-q", "--now", &clock(round).to_string()])
            .args(arguments);
        command
    }

    fn place(&self) -> &'static str {
        if self.server.is_some() { "a server" } else { "a file" }
    }

    /// What it costs to run so many of these commands at once: CPU of all, memory of the largest.
    fn at_once(&self, workers: usize, round: u64, arguments: &[&str]) -> (Cost, f64) {
        let before = self.server.as_ref().map(Server::cpu);
        let started = Instant::now();
        let commands: Vec<Command> = (0..workers).map(|_| self.command(round, arguments)).collect();
        let costs: Vec<Cost> = std::thread::scope(|scope| {
            let all: Vec<_> = commands.into_iter().map(|command| scope.spawn(|| run(command))).collect();
            all.into_iter().map(|one| one.join().expect("it runs")).collect()
        });
        let cost = Cost {
            cpu: costs.iter().map(|cost| cost.cpu).sum(),
            memory: costs.iter().map(|cost| cost.memory).fold(0.0, f64::max),
            wall: started.elapsed().as_secs_f64(),
        };
        let of_server =
            self.server.as_ref().zip(before).map_or(0.0, |(server, before)| server.cpu() - before);
        (cost, of_server)
    }

    fn size(&mut self) -> u64 {
        match &mut self.server {
            Some(server) => server.size(),
            None => {
                let is_of_it = |path: &PathBuf| path.to_string_lossy().contains("courant.db");
                let files = std::fs::read_dir(self.folder.path()).expect("a folder").flatten();
                files.map(|file| file.path()).filter(is_of_it).map(|path| files_in(&path)).sum()
            }
        }
    }
}

/// Bytes of a file, or of those in a folder.
fn files_in(path: &Path) -> u64 {
    match std::fs::read_dir(path) {
        Ok(files) => files.flatten().map(|file| files_in(&file.path())).sum(),
        Err(_) => path.metadata().map_or(0, |metadata| metadata.len()),
    }
}

fn print(what: &str, (cost, of_server): &(Cost, f64), each: f64) {
    println!(
        "  {what:<30} {:>8.2} s CPU, of the server {:>7.2}, {:>6.0} MB, {:>7.2} s; {:>7.0} µs CPU each",
        cost.cpu,
        of_server,
        cost.memory,
        cost.wall,
        (cost.cpu + of_server) / each * 1e6
    );
}

/// Reads all sources into an empty store.
fn filled(address: Option<&str>, sources: usize, workers: usize, ports: (u16, u16)) -> Installation {
    let installation = Installation::new(address, sources, ports);
    let entries = (sources * entries_each()) as f64;
    print("first reading, an entry", &installation.at_once(workers, 0, &["fetch"]), entries);
    installation
}

/// A store of a server that begins as a copy of a file.
fn copied(from: &Installation, address: &str, sources: usize, ports: (u16, u16)) -> Installation {
    let to = Installation::new(Some(address), sources, ports);
    let entries = (sources * entries_each()) as f64;
    let file = format!("sqlite:{}", from.folder.path().join("courant.db").display());
    let server = to.server.as_ref().map_or_else(String::new, |server| server.url.clone());
    print("copied to a server, an entry", &to.at_once(1, 0, &["store", "copy", &file, &server]), entries);
    to
}

fn of_sources(address: Option<&str>, sources: usize, workers: usize, ports: (u16, u16)) {
    let entries_each = entries_each();
    println!("{sources} sources with {entries_each} entries each, {workers} workers");
    let mut installations = match address {
        Some(address) if std::env::var_os("SCALE_COPY").is_some() => {
            let file = filled(None, sources, workers, ports);
            let server = copied(&file, address, sources, ports);
            vec![file, server]
        }
        _ => vec![filled(address, sources, workers, ports)],
    };
    let entries = (sources * entries_each) as f64;
    let (writer, count) = (writer(), entries_each as u64);
    let text: usize = (0..count).map(|number| writer.story(0, number, count, None).bytes()).sum();
    let news = sources.div_ceil(NEWS_EVERY as usize) as f64;
    let sources = sources as f64;
    for installation in &mut installations {
        println!(
            " in {}: {:.0} bytes an entry, of which {:.0} are text",
            installation.place(),
            installation.size() as f64 / entries,
            text as f64 / entries_each as f64
        );
        print("first publishing, an entry", &installation.at_once(1, 0, &["publish"]), entries);
        print("all unchanged, a source", &installation.at_once(workers, 1, &["fetch"]), sources);
    }
    // What the unchanged ones cost is known from above.
    for round in 2..4 {
        ask_for_news(ports.0);
        for installation in &installations {
            println!(" in {}", installation.place());
            let cost = installation.at_once(workers, round, &["fetch"]);
            print("one in 20 with news, a source", &cost, sources);
        }
    }
    for installation in &installations {
        println!(" in {}", installation.place());
        print("publishing the news, an entry", &installation.at_once(1, 3, &["publish"]), 2.0 * news);
    }
}

/// Lets one source in twenty list an entry more.
fn ask_for_news(port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the feeds answer");
    stream.write_all(b"GET /news HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Who writes what the feeds list.
fn writer() -> Writer {
    Writer::new(numbers("SCALE_PARAGRAPHS", &[]).first().copied())
}

/// Entries of each source at first.
fn entries_each() -> usize {
    numbers("SCALE_ENTRIES", &[ENTRIES])[0]
}

fn of_subscribers(address: Option<&str>, subscribers: usize, workers: usize, ports: (u16, u16)) {
    let place = if address.is_some() { "a server" } else { "a file" };
    println!("{subscribers} subscribers, {workers} workers, {place}");
    let installation = Installation::new(address, SOURCES_OF_NEWS, ports);
    let mut table = String::from("address,language,schedule,consent_source,consent_at\n");
    for n in 0..subscribers {
        let language = ["en", "fr", "es"][n % 3];
        let _ =
            writeln!(table, "person-{n}@example.net,{language},daily 08:00 UTC,test,2022-10-01T00:00:00Z");
    }
    std::fs::write(installation.folder.path().join("list.csv"), table).expect("a file");
    let each = subscribers as f64;
    print("imported, each", &installation.at_once(1, 0, &["subscribers", "import", "list.csv"]), each);
    installation.at_once(1, 0, &["fetch"]);
    print("a mail, from slot to server", &installation.at_once(workers, 1, &["run"]), each);
}

/// Numbers of a variable of the environment.
fn numbers(name: &str, default: &[usize]) -> Vec<usize> {
    let Ok(text) = std::env::var(name) else { return default.to_vec() };
    let number =
        |text: &str| text.trim().parse().unwrap_or_else(|_| panic!("{name}: \"{text}\" is no number"));
    text.split(',').filter(|part| !part.is_empty()).map(number).collect()
}

fn end(mut child: Child) {
    child.kill().expect("it ends");
    child.wait().expect("it ends");
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("serve") => {
            let entries = entries_each() as u64;
            let feeds = Arc::new(Feeds { writer: writer(), entries, news: AtomicU64::new(0) });
            let router = axum::Router::new()
                .route("/feed/{source}", get(feed))
                .route("/news", get(news))
                .with_state(feeds);
            return runtime().block_on(serve(router));
        }
        Some("sink") => return sink::serve(),
        _ => {}
    }
    let address = std::env::var("SCALE_SERVER").ok();
    let (mail, mail_port) = sink::start();
    // A copy is measured beside the file that it was made of.
    let is_alone = address.is_none() || std::env::var_os("SCALE_COPY").is_none();
    for address in is_alone.then_some(None).into_iter().chain(address.as_deref().map(Some)) {
        for workers in numbers("SCALE_WORKERS", &[1, 2]) {
            for sources in numbers("SCALE_SOURCES", &[100, 1_000]) {
                let (feeds, port) = start_server();
                of_sources(address, sources, workers, (port, mail_port));
                end(feeds);
            }
            for subscribers in numbers("SCALE_SUBSCRIBERS", &[1_000]) {
                let (feeds, port) = start_server();
                of_subscribers(address, subscribers, workers, (port, mail_port));
                end(feeds);
            }
        }
    }
    end(mail);
}
