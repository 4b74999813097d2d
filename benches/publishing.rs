//! Publishing from scratch, and after three new entries: courant as a process over a store that is filled, beside plain
//! `atom_syndication` writing the same number of entries as one document in memory.
//!
//! `cargo bench --bench publishing`.

#![allow(clippy::disallowed_macros)] // Figures and reasons are for whoever runs them.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use atom_syndication::{Entry, Feed, Link, Text};

const SOURCES: usize = 20;
const SIZES: [usize; 2] = [10_000, 100_000];
const WORDS: &str = "Local governments adopted a political declaration at the end of the congress, after five days of debate on budgets. ";

/// A document for each path, once for each connection.
fn start(documents: Arc<Mutex<Vec<String>>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let (mut line, mut first) = (String::new(), String::new());
            let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if first.is_empty() {
                    first = line.clone();
                }
                line.clear();
            }
            let number: usize =
                first.split(['/', ' ']).filter_map(|part| part.parse().ok()).next().unwrap_or(0);
            let body = documents.lock().expect("no panic")[number].clone();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    port
}

fn document(source: usize, range: std::ops::Range<usize>) -> String {
    let items: String = range
        .map(|n| {
            let topic = ["justice", "budget", "data", "climate"][n % 4];
            let day = n % 700;
            format!("<item><guid>s{source}-{n}</guid><link>https://p{source}.example/stories/{n}</link><title>The {topic} story of source {source} that bears number {n}</title><pubDate>{:02} {} {} 09:00:00 GMT</pubDate><description>{WORDS}{WORDS}</description></item>", day % 28 + 1, ["Jan", "Feb", "Mar", "Apr", "May"][day / 28 % 5], 2018 + day / 140 % 4)
        })
        .collect();
    format!("<rss version=\"2.0\"><channel><title>T</title>{items}</channel></rss>")
}

fn courant(folder: &Path, now: &str, arguments: &[&str]) -> f64 {
    let started = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_courant"))
        .current_dir(folder)
        .args(["-q", "--now", now])
        .args(arguments)
        .stdout(Stdio::null())
        .status();
    assert!(status.expect("courant runs").success());
    started.elapsed().as_secs_f64()
}

/// The yardstick, in seconds.
fn plain(entries: usize) -> f64 {
    let entry = |n: usize| Entry {
        title: Text::plain(format!("The story that bears number {n}")),
        id: format!("urn:x:{n}"),
        links: vec![Link {
            href: format!("https://p.example/stories/{n}"),
            rel: "alternate".into(),
            ..Link::default()
        }],
        summary: Some(Text::plain(WORDS.repeat(2))),
        ..Entry::default()
    };
    let feed = Feed {
        title: Text::plain("T".to_owned()),
        id: "urn:x".into(),
        entries: (0..entries).map(entry).collect(),
        ..Feed::default()
    };
    let started = Instant::now();
    let bytes = feed.write_to(Vec::new()).expect("it is written");
    assert!(bytes.len() > entries * 100);
    started.elapsed().as_secs_f64()
}

fn main() {
    for entries in SIZES {
        let each = entries / SOURCES;
        let documents =
            Arc::new(Mutex::new((0..SOURCES).map(|source| document(source, 0..each)).collect::<Vec<_>>()));
        let port = start(documents.clone());
        let folder = tempfile::tempdir().expect("a folder");
        let sources: String = (0..SOURCES)
            .map(|n| format!("[[source]]\nid = \"s{n}\"\npartner = \"Partner {n}\"\nlang = \"en\"\nurl = \"http://127.0.0.1:{port}/{n}\"\n"))
            .collect();
        let topics: String = ["justice", "budget", "data", "climate"]
            .iter()
            .map(|topic| format!("[[topic]]\nid = \"{topic}\"\nkeywords = {{ en = [\"{topic}\"] }}\n"))
            .collect();
        std::fs::write(
            folder.path().join("feeds.toml"),
            format!("version = 1\n[fetch]\nallow = [\"127.0.0.1\"]\n{topics}{sources}"),
        )
        .expect("a file");
        courant(folder.path(), "2022-10-20T08:00:00Z", &["fetch", "--all"]);
        let scratch = courant(folder.path(), "2022-10-20T08:00:00Z", &["publish"]);
        let nothing = courant(folder.path(), "2022-10-20T08:00:00Z", &["publish"]);
        documents.lock().expect("no panic")[0] = document(0, 0..each + 3);
        courant(folder.path(), "2022-10-20T10:00:00Z", &["fetch", "--all"]);
        let change = courant(folder.path(), "2022-10-20T10:00:00Z", &["publish"]);
        let plain = plain(entries);
        println!(
            "{entries:>7} entries: {scratch:.2} s from scratch ({:.0} entries/s, feeds of {} outlets with archives and pages), plain atom_syndication {plain:.2} s ({:.0} entries/s, one document); {change:.3} s after 3 new ones, {nothing:.3} s after none",
            entries as f64 / scratch,
            1 + 4 + SOURCES + 1,
            entries as f64 / plain
        );
    }
}
