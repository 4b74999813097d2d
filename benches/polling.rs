//! A warm cycle over many sources, all of which answer 304 after 100 ms: courant as a process beside a plain
//! reqwest + rusqlite loop that makes the same requests, with their CPU, memory and wall time as the kernel counts them.
//!
//! `cargo bench --bench polling`. The sources are addresses of 127.0.0.0/8, served by a process of their own.

#![allow(clippy::disallowed_macros)] // Figures and reasons are for whoever runs them.

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use tokio::task::JoinSet;

use support::{Cost, ourselves, run, runtime, serve, start_server, url};

const LATENCY: Duration = Duration::from_millis(100);
const CONCURRENCY: usize = 256;
const COUNTS: [usize; 3] = [100, 1_000, 10_000];
const FEED: &str = "<rss version=\"2.0\"><channel><title>T</title><item><title>A story about something</title><guid>g</guid></item></channel></rss>";

async fn answer(headers: HeaderMap) -> axum::response::Response {
    tokio::time::sleep(LATENCY).await;
    if headers.contains_key(header::IF_NONE_MATCH) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, "\"1\"")]).into_response();
    }
    ([(header::CONTENT_TYPE, "application/rss+xml"), (header::ETAG, "\"1\"")], FEED).into_response()
}

/// The yardstick: every source asked with its validator, a bounded number at a time, the answer kept in SQLite.
async fn plain_loop(count: usize, port: u16, database: &Path) {
    let mut connection = rusqlite::Connection::open(database).expect("a database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE IF NOT EXISTS source (id INTEGER PRIMARY KEY, etag TEXT, polled INTEGER)",
        )
        .expect("a table");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let places = Arc::new(tokio::sync::Semaphore::new(CONCURRENCY));
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let etag: Option<String> = connection
            .query_row("SELECT etag FROM source WHERE id = ?1", [number as i64], |row| row.get(0))
            .ok();
        let (client, places) = (client.clone(), places.clone());
        tasks.spawn(async move {
            let _place = places.acquire_owned().await;
            let mut request = client.get(url(number, port));
            if let Some(etag) = etag {
                request = request.header(header::IF_NONE_MATCH, etag);
            }
            let response = request.send().await.expect("an answer");
            let etag = response.headers()[header::ETAG].to_str().expect("text").to_owned();
            drop(response.bytes().await.expect("a body"));
            (number, etag)
        });
    }
    while let Some(done) = tasks.join_next().await {
        let (number, etag) = done.expect("no panic");
        let transaction = connection.transaction().expect("a transaction");
        transaction
            .execute(
                "INSERT OR REPLACE INTO source VALUES (?1, ?2, 1)",
                rusqlite::params![number as i64, etag],
            )
            .expect("a row");
        transaction.commit().expect("a commit");
    }
}

fn courant(folder: &Path, now: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_courant"));
    command.current_dir(folder).args(["-q", "--now", now, "fetch", "--all"]);
    command
}

fn yardstick(count: usize, port: u16, database: &Path) -> Command {
    let mut command = ourselves("plain-loop");
    command.args([count.to_string(), port.to_string()]).arg(database);
    command
}

fn compare(count: usize, port: u16) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config =
        format!("version = 1\n[fetch]\nallow = [\"127.0.0.0/8\"]\nconcurrency = {CONCURRENCY}\n");
    for number in 0..count {
        config +=
            &format!("[[source]]\nid = \"s{number}\"\nkind = \"feed\"\nurl = \"{}\"\n", url(number, port));
    }
    std::fs::write(folder.path().join("feeds.toml"), config).expect("a file");
    let database = folder.path().join("plain.db");
    run(courant(folder.path(), "2022-10-20T08:00:00Z"));
    run(yardstick(count, port, &database));
    // By turns; the middle one of three counts.
    let mut pairs: Vec<(Cost, Cost)> = (1..=3)
        .map(|hour| {
            (
                run(courant(folder.path(), &format!("2022-10-21T0{hour}:00:00Z"))),
                run(yardstick(count, port, &database)),
            )
        })
        .collect();
    pairs.sort_by(|a, b| (a.0.cpu / a.1.cpu).total_cmp(&(b.0.cpu / b.1.cpu)));
    let (ours, theirs) = &pairs[1];
    let ideal = LATENCY.as_secs_f64() * count.div_ceil(CONCURRENCY) as f64;
    println!(
        "{count:>6} sources: courant {:.2} s CPU ({:.0} µs a source), {:.0} MB, {:.2} s; plain loop {:.2} s CPU, {:.0} MB, {:.2} s; {:.2} times its CPU; ideal wall time {ideal:.2} s",
        ours.cpu,
        ours.cpu / count as f64 * 1e6,
        ours.memory,
        ours.wall,
        theirs.cpu,
        theirs.memory,
        theirs.wall,
        ours.cpu / theirs.cpu
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let _ = rustls::crypto::ring::default_provider().install_default();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "serve"] => runtime().block_on(serve(axum::Router::new().fallback(answer))),
        [_, "plain-loop", count, port, database] => runtime().block_on(plain_loop(
            count.parse().expect("a number"),
            port.parse().expect("a port"),
            Path::new(database),
        )),
        _ => {
            let (mut server, port) = start_server();
            COUNTS.into_iter().for_each(|count| compare(count, port));
            server.kill().expect("the server ends");
            server.wait().expect("the server ends");
        }
    }
}
