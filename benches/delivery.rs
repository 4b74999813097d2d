//! Mail from the outbox to a sink on loopback: courant as a process, from the claim in the store to the settled delivery,
//! beside lettre's own connection with TCP_NODELAY and messages built before. Messages of some 40 kB.
//!
//! `cargo bench --bench delivery`.

#![allow(clippy::disallowed_macros)] // Figures and reasons are for whoever runs them.

#[path = "support/sink.rs"]
mod sink;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use lettre::message::{MultiPart, SinglePart};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;

const MESSAGES: usize = 10_000;
const STORIES: usize = 36;
const CONNECTIONS: [usize; 3] = [1, 4, 16];

/// The yardstick, in messages a second.
fn plain(port: u16, connections: usize, html: &str) -> f64 {
    let message = lettre::Message::builder()
        .from("news@example.org".parse().expect("an address"))
        .to("a@example.org".parse().expect("an address"))
        .subject("The week")
        .multipart(
            MultiPart::alternative()
                .singlepart(SinglePart::plain(html.to_owned()))
                .singlepart(SinglePart::html(html.to_owned())),
        )
        .expect("a message");
    let (envelope, bytes) = (message.envelope().clone(), message.formatted());
    println!("         {} bytes a message", bytes.len());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let started = Instant::now();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..connections {
            let (envelope, bytes) = (envelope.clone(), bytes.clone());
            tasks.spawn(async move {
                let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
                stream.set_nodelay(true).expect("an option");
                let mut connection =
                    AsyncSmtpConnection::connect_with_transport(Box::new(stream), &ClientId::default())
                        .await
                        .expect("a greeting");
                for _ in (number..MESSAGES).step_by(connections) {
                    connection.send(&envelope, &bytes).await.expect("it is taken");
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("no panic");
        }
    });
    MESSAGES as f64 / started.elapsed().as_secs_f64()
}

/// A channel whose feed is a file server's, a digest, and its issue queued; then the deliveries alone are timed.
fn courant(folder: &Path, port: u16, connections: usize, feed: u16) -> f64 {
    let recipients: Vec<String> = (0..MESSAGES).map(|n| format!("\"person-{n}@example.org\"")).collect();
    let config = |transport: &str| {
        format!(
            "version = 1\n[fetch]\nallow = [\"127.0.0.1\"]\n[mail]\ntransport = \"{transport}\"\nconnections = {connections}\n[[source]]\nid = \"s\"\nurl = \"http://127.0.0.1:{feed}/\"\n[[digest]]\nid = \"d\"\nschedule = \"Thu 08:00 UTC\"\nmax_entries = 500\nrecipients = [{}]\n",
            recipients.join(",")
        )
    };
    let run = |arguments: &[&str]| {
        let status = Command::new(env!("CARGO_BIN_EXE_courant"))
            .current_dir(folder)
            .args(["-q", "--now", "2022-10-20T08:00:00Z"])
            .args(arguments)
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("courant runs").success());
    };
    std::fs::write(folder.join("feeds.toml"), config(&format!("smtp://127.0.0.1:{port}?tls=none")))
        .expect("a file");
    run(&["fetch", "--all"]);
    let started = Instant::now();
    run(&["digest"]);
    MESSAGES as f64 / started.elapsed().as_secs_f64()
}

fn feed() -> String {
    let words = "Local governments adopted a political declaration at the end of the congress, after five days of debate on budgets, justice and open data. ";
    let items: String = (0..STORIES).map(|n| format!("<item><guid>g{n}</guid><link>https://partner.example/stories/{n}</link><title>The story that bears the number {n} in this feed</title><description>{}</description></item>", words.repeat(3))).collect();
    format!("<rss version=\"2.0\"><channel><title>T</title>{items}</channel></rss>")
}

/// Serves the feed once for each connection.
fn start_feed() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let body = feed();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    port
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("sink") {
        return sink::serve();
    }
    let (mut server, port) = sink::start();
    let feed = start_feed();
    let html = "<p>Local governments adopted a political declaration at the end of the congress, after five days of debate.</p>\n".repeat(180);
    for connections in CONNECTIONS {
        let plain = plain(port, connections, &html);
        let folder = tempfile::tempdir().expect("a folder");
        let ours = courant(folder.path(), port, connections, feed);
        println!(
            "{connections:>2} connections: courant {ours:.0} messages/s, lettre with TCP_NODELAY {plain:.0}: {:.2} of it",
            ours / plain
        );
    }
    server.kill().expect("the sink ends");
    server.wait().expect("the sink ends");
}
