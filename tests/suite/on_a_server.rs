//! Several machines that share a database of PostgreSQL: each is a folder of its own, with its own files beside the configuration.

use std::collections::HashMap;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use postgres::{Client, NoTls};

use crate::support::http::{Manner, Reply, Server};
use crate::support::postgres::TestDatabase;
use crate::support::python::S3Server;
use crate::support::{App, Ran, header, kill_program, rss};

const DIGEST: &str = "[[digest]]\nid = \"d\"\nschedule = \"daily 08:00 UTC\"\nmax_entries = 500\nrecipients = [\"a@example.org\"]\n";

/// A database that some machines share.
struct Network {
    database: TestDatabase,
    published: tempfile::TempDir,
}

impl Network {
    fn new() -> Network {
        let server = std::env::var("COURANT_TEST_POSTGRES").expect("the address of a server's database");
        Network { database: TestDatabase::new(server), published: tempfile::tempdir().unwrap() }
    }

    fn machine(&self, rest: &str) -> App {
        let published = self.published.path().display();
        let (fetch, tables) = rest.split_once('|').unwrap_or(("", rest));
        App::new(&format!(
            "{fetch}[store]\nurl = \"{}\"\n[publish]\ndir = \"{published}\"\n{tables}",
            self.database.url()
        ))
    }

    /// Runs a statement; answers the number of rows.
    fn sql(&self, sql: &str) -> u64 {
        let (url, sql) = (self.database.url(), sql.to_owned());
        let run = move || Client::connect(&url, NoTls).and_then(|mut client| client.execute(&sql, &[]));
        std::thread::spawn(run).join().unwrap().unwrap()
    }

    fn number(&self, sql: &str) -> i64 {
        let (url, sql) = (self.database.url(), sql.to_owned());
        let run = move || Client::connect(&url, NoTls).and_then(|mut client| client.query_one(&sql, &[]));
        std::thread::spawn(run).join().unwrap().unwrap().get(0)
    }
}

fn start(app: &App, arguments: &[&str]) -> Child {
    app.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Starts a command on each machine at once; all must succeed without a word of complaint.
#[track_caller]
fn at_once(machines: &[App], arguments: &[&str]) {
    let children: Vec<Child> = machines.iter().map(|machine| start(machine, arguments)).collect();
    for child in children {
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert!(ran.code == 0 && ran.stderr.is_empty(), "{} {}", ran.code, ran.stderr);
    }
}

/// How often each subject line of a story went out, over all machines.
fn mailed(machines: &[App]) -> HashMap<String, usize> {
    let mut mailed = HashMap::new();
    for mail in machines.iter().flat_map(App::outbox) {
        *mailed.entry(header(&mail, "Subject").to_owned()).or_default() += 1;
    }
    mailed
}

/// What source `n` lists: each entry has its own words.
fn listed(n: usize, entries: usize) -> String {
    let items: Vec<(String, String, String)> = (0..entries)
        .map(|e| {
            let words: Vec<String> = (0..30).map(|w| format!("w{n}x{e}x{w}")).collect();
            (format!("g{n}-{e}"), format!("Story {n} {e} of its own"), words.join(" "))
        })
        .collect();
    let items: Vec<(&str, &str, u8, &str)> =
        items.iter().map(|(guid, title, text)| (guid.as_str(), title.as_str(), 19, text.as_str())).collect();
    rss(&items)
}

#[test]
#[ignore = "needs a PostgreSQL server: COURANT_TEST_POSTGRES"]
fn machines_at_once_ask_each_source_once_and_tell_each_story_once() {
    const SOURCES: usize = 6;
    let told = Arc::new(AtomicUsize::new(3));
    let entries = told.clone();
    let server = Server::start(move |request| {
        let n: usize = request.target[1..].parse().unwrap();
        Reply::ok(listed(n, entries.load(Ordering::SeqCst))).sent(Manner::Slow(Duration::from_millis(200)))
    });
    let sources: String = (0..SOURCES)
        .map(|n| {
            format!("[[source]]\nid = \"s{n}\"\nlang = \"en\"\nurl = \"{}\"\n", server.url(&format!("/{n}")))
        })
        .collect();
    let network = Network::new();
    let mut machines: Vec<App> =
        (0..4).map(|_| network.machine(&format!("per_host = {SOURCES}\n|{DIGEST}{sources}"))).collect();
    for day in 0..3 {
        if day > 0 {
            told.fetch_add(2, Ordering::SeqCst);
            for machine in &mut machines {
                machine.later(25 * 60);
            }
        }
        at_once(&machines, &["run"]);
        let asked = server.take_requests().len();
        assert_eq!(asked, SOURCES, "each source once on day {day}");
        let all = SOURCES * told.load(Ordering::SeqCst);
        assert_eq!(network.number("SELECT count(*) FROM entry WHERE announced = 1"), all as i64);
        assert_eq!(network.number("SELECT count(*) FROM published_story WHERE publication = ''"), all as i64);
        assert_eq!(network.number("SELECT count(*) FROM issue WHERE digest = 'd'"), day + 1);
        assert_eq!(mailed(&machines).values().sum::<usize>() as i64, day + 1, "one mail a day");
    }
    // Marks in the order of keys, which everything that is new since is asked by.
    assert_eq!(
        network.number("SELECT count(*) FROM entry WHERE pk > (SELECT max(seen) FROM digest_mark)"),
        0
    );
}

#[test]
#[ignore = "needs a PostgreSQL server: COURANT_TEST_POSTGRES"]
fn copies_that_machines_read_at_once_are_one_story() {
    let network = Network::new();
    let words = |turn: usize| (0..60).map(|w| format!("turn{turn}word{w}")).collect::<Vec<_>>().join(" ");
    let turn = Arc::new(AtomicUsize::new(0));
    let servers: Vec<Server> = (0..4)
        .map(|n| {
            let turn = turn.clone();
            Server::start(move |_| {
                let items: Vec<(String, String)> =
                    (0..=turn.load(Ordering::SeqCst)).map(|t| (format!("p{n}-{t}"), words(t))).collect();
                let items: Vec<(&str, &str, u8, &str)> = items
                    .iter()
                    .map(|(guid, text)| (guid.as_str(), "The same news, word for word", 19, text.as_str()))
                    .collect();
                Reply::ok(rss(&items))
            })
        })
        .collect();
    // Each machine reads a source of its own.
    let mut machines: Vec<App> = servers
        .iter()
        .enumerate()
        .map(|(n, server)| {
            network.machine(&format!(
                "[[source]]\nid = \"s{n}\"\nlang = \"en\"\nurl = \"{}\"\n",
                server.url("/")
            ))
        })
        .collect();
    for t in 0..6 {
        turn.store(t, Ordering::SeqCst);
        at_once(&machines, &["fetch"]);
        for machine in &mut machines {
            machine.later(120);
        }
        assert_eq!(network.number("SELECT count(*) FROM entry"), 4 * (t as i64 + 1));
        assert_eq!(network.number("SELECT count(*) FROM story"), t as i64 + 1, "one story of four copies");
    }
}

#[test]
#[ignore = "needs a PostgreSQL server: COURANT_TEST_POSTGRES"]
fn what_a_machine_held_that_died_is_free_when_it_was_silent_for_a_minute() {
    let server = Server::start(|_| Reply::ok(listed(0, 2)).sent(Manner::Slow(Duration::from_secs(20))));
    let network = Network::new();
    let source = format!("[[source]]\nid = \"s\"\nlang = \"en\"\nurl = \"{}\"\n", server.url("/"));
    let (one, other) = (network.machine(&source), network.machine(&source));
    other.ok(&["sources"]);
    let mut killed = start(&one, &["run"]);
    while network.number("SELECT count(*) FROM lease WHERE lease_end > 0 AND queue = 'host'") == 0 {
        std::thread::sleep(Duration::from_millis(50));
    }
    kill_program(&mut killed);
    server.answer(|_| Reply::ok(listed(0, 2)));
    // Nobody has missed it yet: its host is waited for.
    let waiting = start(&other, &["run"]);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(network.number("SELECT count(*) FROM entry"), 0);
    assert_eq!(
        network.sql("UPDATE worker SET seen = seen - 120000 WHERE seen < (SELECT max(seen) FROM worker)"),
        1
    );
    let ran = Ran::from(waiting.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(network.number("SELECT count(*) FROM entry WHERE announced = 1"), 2);
}

#[test]
#[ignore = "needs a PostgreSQL server: COURANT_TEST_POSTGRES"]
fn machines_that_publish_to_one_bucket_do_not_undo_each_other() {
    let (bucket, turn) = (S3Server::start(), Arc::new(AtomicUsize::new(1)));
    let entries = turn.clone();
    let server = Server::start(move |request| {
        let n: usize = request.target[1..].parse().unwrap();
        Reply::ok(listed(n, 3 * entries.load(Ordering::SeqCst)))
    });
    let network = Network::new();
    let sources: String = (0..4)
        .map(|n| {
            format!("[[source]]\nid = \"s{n}\"\nlang = \"en\"\nurl = \"{}\"\n", server.url(&format!("/{n}")))
        })
        .collect();
    let configured = |prefix: &str| {
        let mut machine = App::new(&format!(
            "[store]\nurl = \"{}\"\n[publish]\nto = \"s3://news/{prefix}\"\n{DIGEST}{sources}",
            network.database.url()
        ));
        machine.set(bucket.variables());
        machine
    };
    let mut machines = [configured("site"), configured("site"), configured("site")];
    for t in 1..=4 {
        turn.store(t, Ordering::SeqCst);
        at_once(&machines, &["run"]);
        for machine in &mut machines {
            machine.later(61);
        }
    }
    // Nobody has anything to add, and whoever publishes all of it anew publishes the same.
    bucket.take_requests();
    at_once(&machines, &["publish"]);
    assert_eq!(bucket.take_uploads(""), Vec::<String>::new());
    let mut other = configured("other");
    other.later(4 * 61).ok(&["publish"]);
    let below = |prefix: &str| -> Vec<(String, Vec<u8>)> {
        let all = bucket.objects().into_iter();
        all.filter_map(|(name, object)| Some((name.strip_prefix(prefix)?.to_owned(), object.bytes))).collect()
    };
    let (site, other) = (below("site/"), below("other/"));
    assert!(site.len() > 20 && site == other, "{} and {}", site.len(), other.len());
    let atom = site.iter().find(|(name, _)| name == "atom.xml").unwrap();
    assert_eq!(String::from_utf8_lossy(&atom.1).matches("<entry").count(), 4 * 12);
}

#[test]
#[ignore = "needs a PostgreSQL server: COURANT_TEST_POSTGRES"]
fn a_lost_connection_ends_one_unit_and_a_signal_whoever_waits_for_another() {
    let server = Server::always(Reply::ok(listed(0, 2)));
    let network = Network::new();
    let mut app =
        network.machine(&format!("[[source]]\nid = \"s\"\nlang = \"en\"\nurl = \"{}\"\n", server.url("/")));
    app.ok(&["fetch"]);
    let service = crate::support::service::Service::start(&app);
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(network.sql(others) > 0);
    // Each connection is found to be gone once at most.
    let asked: Vec<u16> = (0..8).map(|_| service.ask("GET", "/search?q=story", "", "").0).collect();
    assert_eq!(asked[4..], [200; 4], "{asked:?}");
    drop(service);
    let holder = {
        let url = network.database.url();
        std::thread::spawn(move || {
            let mut client = Client::connect(&url, NoTls).unwrap();
            client.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(27988572915199604)").unwrap();
            std::thread::sleep(Duration::from_secs(8));
        })
    };
    std::thread::sleep(Duration::from_millis(500));
    let waiting = start(app.later(61), &["run"]);
    std::thread::sleep(Duration::from_secs(1));
    rustix::process::kill_process(rustix::process::Pid::from_child(&waiting), rustix::process::Signal::TERM)
        .unwrap();
    let begun = std::time::Instant::now();
    let ran = Ran::from(waiting.wait_with_output().unwrap());
    assert!(begun.elapsed() < Duration::from_secs(5), "it waited for the lock");
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    holder.join().unwrap();
}

#[test]
#[ignore = "needs a PostgreSQL server: COURANT_TEST_POSTGRES"]
fn a_database_of_something_else_is_left_alone_and_no_password_is_shown() {
    let network = Network::new();
    network.sql("CREATE TABLE theirs (x BIGINT)");
    let ran = network.machine("").run(&["entries"]);
    assert!(ran.code == 1 && ran.stderr.contains("holds something else"), "{}", ran.stderr);
    let app = App::new("[store]\nurl = \"postgres://me:secret@127.0.0.1:1/news\"\n");
    let ran = app.run(&["entries"]);
    assert!(ran.code == 1 && ran.stderr.contains("127.0.0.1 (news)"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
}

#[test]
#[ignore = "needs a PostgreSQL server: COURANT_TEST_POSTGRES"]
fn a_store_moves_to_a_server_and_back_with_all_that_it_holds() {
    let server = Server::always(Reply::ok(rss(&[
        ("a", "Jus\\tice \t ouverte", 18, "Des mots &amp;amp; d'autres, \\n, \\., «\u{a0}oui\u{a0}»"),
        ("b", "Second", 19, &"Many long words of the second one. ".repeat(60)),
    ])));
    let network = Network::new();
    let rest = format!("{DIGEST}[[source]]\nid = \"s\"\nlang = \"fr\"\nurl = \"{}\"\n", server.url("/"));
    let file = App::new(&format!("[store]\nurl = \"sqlite:courant.db\"\n{rest}"));
    file.ok(&["run"]);
    for address in ["ana@example.org", "Bea@example.org", "gone@example.org"] {
        file.ok(&["subscribers", "add", address]);
    }
    file.ok(&["subscribers", "erase", "gone@example.org"]);
    let said = file.ok(&["store", "copy", "sqlite:courant.db", &network.database.url()]);
    assert!(said.contains("copied, and compared"), "{said}");
    let ran = file.run(&["store", "copy", "sqlite:courant.db", &network.database.url()]);
    assert!(ran.code == 1 && ran.stderr.contains("--replace"), "{}", ran.stderr);
    let mut machine = network.machine(&rest);
    let all: [&[&str]; 4] =
        [&["entries", "--format", "jsonl"], &["subscribers", "list"], &["queue"], &["store", "check"]];
    all.iter().for_each(|arguments| assert_eq!(machine.ok(arguments), file.ok(arguments), "{arguments:?}"));
    // Links in mails that were sent before still lead to their subscribers: the signing key came along.
    assert_eq!(network.number("SELECT last_value FROM subscriber_pk_seq"), 3);
    machine.later(25 * 60).ok(&["run"]);
    assert_eq!(
        machine.outbox().iter().filter(|mail| header(mail, "To") == "a@example.org").count(),
        0,
        "nothing is news twice"
    );
    assert_eq!(network.number("SELECT count(*) FROM unindexed"), 0);
    machine.ok(&["store", "backup", "back.db"]);
    let back = App::new(&format!("[store]\nurl = \"sqlite:back.db\"\n{rest}"));
    std::fs::copy(machine.path("back.db"), back.path("back.db")).unwrap();
    all.iter().for_each(|arguments| assert_eq!(back.ok(arguments), machine.ok(arguments), "{arguments:?}"));
    machine.ok(&["store", "restore", "back.db", "--replace"]);
    all.iter().for_each(|arguments| assert_eq!(back.ok(arguments), machine.ok(arguments), "{arguments:?}"));
}
