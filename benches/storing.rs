//! What is new on its way into the store: courant as a process beside a plain reqwest + feed-rs + ammonia + rusqlite loop
//! that reads the same feeds, with their CPU, memory and wall time as the kernel counts them. Feeds have some 17.5 entries
//! and 70 kB each; all of them are read for the first time, answer 304, or one in twenty has a new entry.
//!
//! `cargo bench --bench storing`; `STORING_FEEDS=100,1000,10000` says how many. Where newsboat is installed, it reads them too.
//! `STORING_SCALE=10000,1000000` measures instead what a store of so many entries costs whoever uses it.

#![allow(clippy::disallowed_macros)] // Figures and reasons are for whoever runs them.

#[path = "support/prose.rs"]
mod prose;
mod support;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Path as PathParameter, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use prose::Writer;
use support::{Cost, ourselves, run, runtime, serve, start_server, url};

const CONCURRENCY: usize = 64;
/// Feeds kept in one transaction by the yardstick.
const BATCH: usize = 64;
/// newsboat takes its time.
const NEWSBOAT_FEEDS_MAX: usize = 1_000;
/// So many feeds are read for the first time once only: it takes long enough to be measured.
const LONG: usize = 1_000;
const PARTNERS: usize = 20;
/// The clock of the first reading; each later one is a day and an hour after the one before.
const NOW: &str = "2022-10-20T08:00:00Z";
const ROUND: SignedDuration = SignedDuration::from_hours(25);
/// Entries of a feed when a store is filled; the sources that are read then, of which the last have one entry where that is enough;
/// and those that are read afterwards, whatever the store's size.
const SCALE_ENTRIES: usize = 500;
const SCALE_CONFIGURED: usize = 2_000;
const SCALE_SOURCES: usize = 20;
const SEARCHES: usize = 100;
const CHANNEL: &str = r#"version = 1
[channel]
title = "The network"
url = "https://news.example.org"
language = "en"
[mail]
from = "News <news@example.org>"
[fetch]
allow = ["127.0.0.0/8"]
[[topic]]
id = "justice"
keywords = { en = ["justice", "court"], fr = ["justice", "tribunal"], es = ["justicia", "tribunal"] }
[[topic]]
id = "budget"
keywords = { en = ["budget", "audit"], fr = ["budget", "audit"], es = ["presupuesto", "auditoría"] }
[[topic]]
id = "climate"
keywords = { en = ["climate", "energy"], fr = ["climat", "énergie"], es = ["clima", "energía"] }
[[topic]]
id = "data"
keywords = { en = ["data", "register"], fr = ["données", "registre"], es = ["datos", "registro"] }
[[digest]]
id = "all"
schedule = "daily 08:00 UTC"
recipients = ["reader@example.org"]
[[digest]]
id = "on-justice"
schedule = "Mon 08:00 UTC"
topics = ["justice"]
recipients = ["reader@example.org"]
"#;

/// How many entries a feed lists.
fn entries_of(source: usize) -> u64 {
    17 + source as u64 % 2
}

/// The server: every source, and which of them changed.
struct Sources {
    writer: Writer,
    /// For each change so far: one in so many sources had a new entry.
    changes: Mutex<Vec<usize>>,
}

impl Sources {
    /// The changes that brought a source an entry.
    fn changes_of(&self, source: usize) -> Vec<usize> {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes
            .iter()
            .enumerate()
            .filter(|(round, step)| source % *step == round % *step)
            .map(|(round, _)| round)
            .collect()
    }

    fn document(&self, source: usize, count: u64, changes: &[usize]) -> String {
        let (source, first) = (source as u64, changes.len() as u64);
        let stories = (first..count + first).rev().map(|number| {
            let change = number.checked_sub(count).map(|at| changes[at as usize]);
            self.writer.story(source, number, count, change.map(|round| time(round + 1).as_second() - 7_200))
        });
        prose::rss(source, self.writer.language(source), stories)
    }
}

/// When a reading takes place.
fn time(round: usize) -> Timestamp {
    NOW.parse::<Timestamp>().expect("a time") + ROUND * i32::try_from(round).expect("a few rounds")
}

#[derive(serde::Deserialize)]
struct Asked {
    entries: Option<u64>,
}

async fn feed(
    State(sources): State<Arc<Sources>>,
    PathParameter(source): PathParameter<usize>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> axum::response::Response {
    let changes = sources.changes_of(source);
    let etag = format!("\"{source}-{}\"", changes.len());
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    let body = sources.document(source, asked.entries.unwrap_or_else(|| entries_of(source)), &changes);
    ([(header::CONTENT_TYPE, "application/rss+xml".to_owned()), (header::ETAG, etag)], body).into_response()
}

#[derive(serde::Deserialize)]
struct Change {
    /// In percent of all sources.
    changed: usize,
}

async fn control(State(sources): State<Arc<Sources>>, Query(change): Query<Change>) {
    sources.changes.lock().unwrap_or_else(PoisonError::into_inner).push(100 / change.changed);
}

fn router() -> axum::Router {
    let sources = Sources { writer: Writer::new(None), changes: Mutex::default() };
    axum::Router::new()
        .route("/feed/{source}", get(feed))
        .route("/control", get(control))
        .with_state(Arc::new(sources))
}

/// One request on a connection of its own.
fn ask(address: &str, target: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    write!(stream, "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

/// What the yardstick keeps of an entry.
struct Kept {
    id: String,
    title: String,
    url: String,
    published: i64,
    content: String,
}

fn read(body: &[u8], cleaner: &ammonia::Builder) -> Vec<Kept> {
    let feed = feed_rs::parser::Builder::new().sanitize_content(false).build().parse(body).expect("a feed");
    let kept = |entry: feed_rs::model::Entry| Kept {
        id: entry.id,
        title: entry.title.map(|title| title.content).unwrap_or_default(),
        url: entry.links.into_iter().next().map(|link| link.href).unwrap_or_default(),
        published: entry.published.map_or(0, |time| time.timestamp()),
        content: cleaner
            .clean(&entry.content.and_then(|content| content.body).unwrap_or_default())
            .to_string(),
    };
    feed.entries.into_iter().map(kept).collect()
}

/// The yardstick: every source asked with its validator, a bounded number at a time; what came, read, sanitised and kept.
async fn bare_loop(count: usize, port: u16, database: &Path) {
    let mut connection = rusqlite::Connection::open(database).expect("a database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
             CREATE TABLE IF NOT EXISTS feed (id INTEGER PRIMARY KEY, etag TEXT);
             CREATE TABLE IF NOT EXISTS entry (feed INTEGER, id TEXT, title TEXT, url TEXT, published INTEGER, content TEXT, PRIMARY KEY (feed, id))",
        )
        .expect("tables");
    let etags: HashMap<usize, String> = {
        let mut statement = connection.prepare("SELECT id, etag FROM feed").expect("a statement");
        let rows =
            statement.query_map([], |row| Ok((row.get::<_, i64>(0)? as usize, row.get(1)?))).expect("rows");
        rows.collect::<Result<_, _>>().expect("rows")
    };
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let places = Arc::new(tokio::sync::Semaphore::new(CONCURRENCY));
    let cleaner = Arc::new(ammonia::Builder::default());
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let (client, places, cleaner, etag) =
            (client.clone(), places.clone(), cleaner.clone(), etags.get(&number).cloned());
        tasks.spawn(async move {
            let _place = places.acquire_owned().await;
            let mut request = client.get(url(number, port));
            if let Some(etag) = etag {
                request = request.header(header::IF_NONE_MATCH, etag);
            }
            let response = request.send().await.expect("an answer");
            let is_new = response.status() == StatusCode::OK;
            let etag = response.headers()[header::ETAG].to_str().expect("text").to_owned();
            let body = response.bytes().await.expect("a body");
            (number, etag, if is_new { read(&body, &cleaner) } else { Vec::new() })
        });
    }
    while let Some(done) = tasks.join_next().await {
        let mut batch = vec![done.expect("no panic")];
        while batch.len() < BATCH
            && let Some(done) = tasks.try_join_next()
        {
            batch.push(done.expect("no panic"));
        }
        let transaction = connection.transaction().expect("a transaction");
        for (number, etag, entries) in batch {
            let mut keep_feed = transaction
                .prepare_cached("INSERT OR REPLACE INTO feed VALUES (?1, ?2)")
                .expect("a statement");
            keep_feed.execute(rusqlite::params![number as i64, etag]).expect("a row");
            let mut keep = transaction
                .prepare_cached(
                    "INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE
                     SET title = excluded.title, url = excluded.url, published = excluded.published, content = excluded.content
                     WHERE title <> excluded.title OR url <> excluded.url OR published <> excluded.published OR content <> excluded.content",
                )
                .expect("a statement");
            for entry in entries {
                keep.execute(rusqlite::params![
                    number as i64,
                    entry.id,
                    entry.title,
                    entry.url,
                    entry.published,
                    entry.content
                ])
                .expect("a row");
            }
        }
        transaction.commit().expect("a commit");
    }
}

fn bare(count: usize, port: u16, database: &Path) -> Cost {
    let mut command = ourselves("bare-loop");
    command.args([count.to_string(), port.to_string()]).arg(database);
    run(command)
}

fn command(folder: &Path, round: usize, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_courant"));
    command.current_dir(folder).args(["-q", "--now", &time(round).to_string()]).args(arguments);
    command
}

fn courant(folder: &Path, round: usize, arguments: &[&str]) -> Cost {
    run(command(folder, round, arguments))
}

/// The configuration of so many sources, of which only the first are read, each with the end of its address.
fn config(count: usize, enabled: usize, port: u16, end: impl Fn(usize) -> String) -> String {
    let source = |n: usize| {
        let (url, end, is_enabled) = (url(n, port), end(n), n < enabled);
        format!(
            "[[source]]\nid = \"s{n}\"\npartner = \"Partner {}\"\nkind = \"feed\"\nurl = \"{url}{end}\"\nenabled = {is_enabled}\n",
            n % PARTNERS
        )
    };
    let sources: String = (0..count).map(source).collect();
    format!("{CHANNEL}{sources}")
}

/// A folder with a configuration and nothing else.
fn fresh(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("feeds.toml"), config).expect("a file");
    folder
}

/// What a store takes on the disk, in bytes: its files, and those in folders beside it.
fn size(folder: &Path, name: &str) -> u64 {
    let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file"));
    let of = |file: std::fs::DirEntry| {
        let metadata = file.metadata().expect("its size");
        if metadata.is_dir() { size(&file.path(), "") } else { metadata.len() }
    };
    // The folders are hidden.
    let is_of_it = |file: &std::fs::DirEntry| {
        file.file_name().to_string_lossy().trim_start_matches('.').starts_with(name)
    };
    files.filter(is_of_it).map(of).sum()
}

/// The middle one of some runs, by the ratio of their CPU.
fn middle(mut pairs: Vec<(Cost, Cost)>) -> (Cost, Cost) {
    pairs.sort_by(|a, b| (a.0.cpu / a.1.cpu).total_cmp(&(b.0.cpu / b.1.cpu)));
    pairs.swap_remove((pairs.len() - 1) / 2)
}

fn print_head() {
    println!(
        "{:<28} {:>7} {:>7} {:>7} {:>8}   {:>7} {:>7} {:>7}   {:>9}",
        "", "CPU s", "MB", "s", "CPU µs", "bare: s", "MB", "s", "times CPU"
    );
}

/// One line of the table; the µs are those of one of `each`.
fn print(what: &str, (ours, bare): &(Cost, Cost), each: f64) {
    println!(
        "{what:<28} {:>7.2} {:>7.0} {:>7.2} {:>8.0}   {:>7.2} {:>7.0} {:>7.2}   {:>9.2}",
        ours.cpu,
        ours.memory,
        ours.wall,
        ours.cpu / each * 1e6,
        bare.cpu,
        bare.memory,
        bare.wall,
        ours.cpu / bare.cpu
    );
}

/// newsboat over the same feeds, where it is installed: CPU in seconds.
struct Newsboat(tempfile::TempDir);

impl Newsboat {
    fn new(count: usize, port: u16) -> Option<Newsboat> {
        let is_there = Command::new("newsboat")
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !is_there || count > NEWSBOAT_FEEDS_MAX {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let urls: Vec<String> = (0..count).map(|number| url(number, port)).collect();
        std::fs::write(folder.path().join("urls"), urls.join("\n")).expect("a file");
        std::fs::write(folder.path().join("config"), format!("reload-threads {CONCURRENCY}\n"))
            .expect("a file");
        Some(Newsboat(folder))
    }

    fn reload(&self) -> f64 {
        let mut command = Command::new("newsboat");
        command
            .current_dir(&self.0)
            .env("HOME", self.0.path())
            .args(["-u", "urls", "-c", "cache.db", "-C", "config", "-x", "reload"]);
        run(command).cpu
    }
}

fn compare(count: usize, port: u16) {
    let config = config(count, count, port, |_| String::new());
    let writer = Writer::new(None);
    let entries: usize = (0..count).map(|source| entries_of(source) as usize).sum();
    let text: usize = (0..count)
        .map(|source| {
            (0..entries_of(source))
                .map(|n| writer.story(source as u64, n, entries_of(source), None).bytes())
                .sum::<usize>()
        })
        .sum();
    println!("\n{count} feeds, {entries} entries with {:.1} MB of text of their own", text as f64 / 1e6);
    print_head();

    let newsboat = Newsboat::new(count, port);
    let mut boat = newsboat.iter().map(Newsboat::reload).collect::<Vec<_>>();
    let bytes_more = |folder: &Path, name: &str| (size(folder, name) as f64 - text as f64) / entries as f64;
    let (mut folder, mut more) = (fresh(&config), [0.0, 0.0]);
    let mut cold = |arguments: &[&str]| {
        let pairs = (0..if count < LONG { 2 } else { 1 }).map(|_| {
            folder = fresh(&config);
            let ours = courant(folder.path(), 0, arguments);
            let bare = bare(count, port, &folder.path().join("bare.db"));
            more = [bytes_more(folder.path(), "courant.db"), bytes_more(folder.path(), "bare.db")];
            (ours, bare)
        });
        middle(pairs.collect())
    };
    print("cold fetch, an entry", &cold(&["fetch", "--all"]), entries as f64);
    print("cold run, an entry", &cold(&["run"]), entries as f64);
    let folder = folder.path();
    let listed = command(folder, 0, &["entries", "--format", "jsonl"]).output().expect("courant runs").stdout;
    let listed: Vec<serde_json::Value> =
        listed.lines().map(|line| serde_json::from_str(&line.expect("a line")).expect("JSON")).collect();
    if listed.len() < entries {
        // The cost is that of less work then.
        println!("{} entries are missing after the last run: their sources failed", entries - listed.len());
    }
    let stories = listed.iter().filter(|entry| entry["announced"] == 1).count();

    let mut round = 0;
    let database = folder.join("bare.db");
    let mut by_turns = |arguments: &[&str], is_changed: bool| {
        let pairs = (0..3).map(|_| {
            if is_changed {
                ask(&format!("127.0.0.1:{port}"), "/control?changed=5");
                boat.extend(newsboat.iter().take(usize::from(boat.len() == 2)).map(Newsboat::reload));
            } else {
                boat.extend(newsboat.iter().take(usize::from(boat.len() == 1)).map(Newsboat::reload));
            }
            // The clock of what changed is that of the next reading.
            round += usize::from(is_changed);
            (courant(folder, round, arguments), bare(count, port, &database))
        });
        middle(pairs.collect())
    };
    let changed = count as f64 / 20.0;
    print("304 fetch, a source", &by_turns(&["fetch", "--all"], false), count as f64);
    print("5 % new fetch, a new entry", &by_turns(&["fetch", "--all"], true), changed);
    // What was read until here is published and sent before the next is measured.
    courant(folder, 3, &["publish"]);
    print("5 % new run, a new entry", &by_turns(&["run"], true), changed);
    println!(
        "the store, bytes an entry beyond its text: {:.0}, bare {:.0}; {stories} stories",
        more[0], more[1]
    );
    if let [cold, warm, changed] = boat[..] {
        println!("newsboat, CPU s: cold {cold:.2}, 304 {warm:.2}, 5 % new {changed:.2}");
    }
}

/// The middle one of three runs, by its CPU.
fn three(mut once: impl FnMut() -> Cost) -> Cost {
    let mut costs: Vec<Cost> = (0..3).map(|_| once()).collect();
    costs.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
    costs.swap_remove(1)
}

/// `courant serve` over a store, after its first turn.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(folder: &Path, round: usize) -> Service {
        let mut child = command(folder, round, &["serve", "--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let address = lines
            .find_map(|line| line.expect("a line").split("on http://").nth(1).map(str::to_owned))
            .expect("an address");
        std::thread::spawn(move || lines.for_each(drop));
        let service = Service { child, address };
        while ask(&service.address, "/metrics").lines().any(|line| line == "courant_cycles_total 0") {
            std::thread::sleep(Duration::from_millis(50));
        }
        service
    }

    fn of_proc(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).expect("it runs")
    }

    /// CPU in seconds until now.
    fn cpu(&self) -> f64 {
        let stat = self.of_proc("stat");
        // After the name, which may have spaces: utime and stime are the 14th and 15th field of all.
        let fields: Vec<f64> = stat
            .rsplit(") ")
            .next()
            .expect("fields")
            .split(' ')
            .map(|field| field.parse().unwrap_or(0.0))
            .collect();
        // SAFETY: it reads a constant of the system.
        (fields[11] + fields[12]) / unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64
    }

    fn memory(&self) -> f64 {
        let status = self.of_proc("status");
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        peak.expect("a number") / 1024.0
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a store costs by its size.
fn scale(entries: usize, port: u16) {
    let full = entries.div_ceil(SCALE_ENTRIES).max(SCALE_SOURCES);
    let count = full.max(SCALE_CONFIGURED);
    let end = |n: usize| format!("?entries={}", if n < full { SCALE_ENTRIES } else { 1 });
    let folder = fresh(&config(count, count, port, end));
    let folder = folder.path();
    let print = |what: &str, cost: Cost| {
        println!("{what:<28} {:>9.3} s CPU {:>7.0} MB {:>8.3} s", cost.cpu, cost.memory, cost.wall)
    };
    println!("\n{} entries", full * SCALE_ENTRIES + count - full);
    print("filled", courant(folder, 0, &["fetch", "--all"]));
    std::fs::write(folder.join("feeds.toml"), config(count, SCALE_SOURCES, port, end)).expect("a file");
    print("the first run", courant(folder, 0, &["run"]));
    println!("{:<28} {:>9.1} MB", "the store", size(folder, "courant.db") as f64 / 1e6);
    let mut round = 0;
    let warm = three(|| {
        round += 1;
        courant(folder, round, &["run"])
    });
    print("run, all 304", warm);
    let five = three(|| {
        ask(&format!("127.0.0.1:{port}"), "/control?changed=25");
        round += 1;
        courant(folder, round, &["run"])
    });
    print("run, five new entries", five);
    print(
        "digest of a topic",
        three(|| courant(folder, round, &["digest", "--dry-run", "--digest", "on-justice"])),
    );
    print("entries, all", three(|| courant(folder, round, &["entries"])));
    print("entries, the last thousand", three(|| courant(folder, round, &["entries", "--limit", "1000"])));
    print("sources", three(|| courant(folder, round, &["sources"])));
    let service = Service::start(folder, round);
    let (cpu, started) = (service.cpu(), Instant::now());
    for n in 0..SEARCHES {
        let words = [
            "justice",
            "budget",
            "presupuesto+ciudad",
            "climat",
            "water+law",
            "Dakar",
            "registro",
            "consultation",
        ];
        ask(&service.address, &format!("/search?q={}", words[n % words.len()]));
    }
    let each = |seconds: f64| seconds / SEARCHES as f64;
    print(
        "a search",
        Cost {
            cpu: each(service.cpu() - cpu),
            memory: service.memory(),
            wall: each(started.elapsed().as_secs_f64()),
        },
    );
}

/// Numbers of a variable of the environment.
fn numbers(name: &str) -> Option<Vec<usize>> {
    let text = std::env::var(name).ok()?;
    Some(
        text.split(',')
            .map(|number| {
                number.trim().parse().unwrap_or_else(|_| panic!("{name}: \"{number}\" is no number"))
            })
            .collect(),
    )
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let _ = rustls::crypto::ring::default_provider().install_default();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "serve"] => runtime().block_on(serve(router())),
        [_, "bare-loop", count, port, database] => runtime().block_on(bare_loop(
            count.parse().expect("a number"),
            port.parse().expect("a port"),
            Path::new(database),
        )),
        _ => {
            let (sizes, measure): (_, fn(usize, u16)) = match numbers("STORING_SCALE") {
                Some(sizes) => (sizes, scale),
                None => (numbers("STORING_FEEDS").unwrap_or_else(|| vec![100, 1_000]), compare),
            };
            for size in sizes {
                // A server for each size: nothing has changed at the beginning.
                let (mut server, port) = start_server();
                measure(size, port);
                server.kill().expect("the server ends");
                server.wait().expect("the server ends");
            }
        }
    }
}
