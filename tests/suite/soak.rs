//! Workers that are killed at random while sources and servers misbehave: nothing is lost, and nothing is told twice. Short here;
//! `scripts/soak` runs it for longer (`COURANT_SOAK_SECONDS`). On a server, the clocks of half of the machines are a minute ahead.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::support::http::{Manner, Reply, Server};
use crate::support::postgres::TestDatabase;
use crate::support::sink::{Sink, Whim};
use crate::support::{App, header, text_part};

const SOURCES: usize = 8;
const READERS: usize = 5;

/// Numbers that are the same in each run (Knuth's generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn title(source: usize, entry: usize) -> String {
    format!("Story{source}x{entry} is told")
}

/// What a source lists: all that it ever told, dated in the order in which it was.
fn listed(source: usize, entries: usize, begun: Timestamp) -> String {
    let items: String = (0..entries)
        .map(|entry| {
            let words: String = (0..25).map(|word| format!("s{source}e{entry}w{word} ")).collect();
            let date = (begun + Duration::from_secs(entry as u64)).strftime("%a, %d %b %Y %H:%M:%S GMT");
            format!(
                "<item><guid isPermaLink=\"false\">{source}-{entry}</guid><title>{}</title><pubDate>{date}</pubDate><description>{words}</description></item>",
                title(source, entry)
            )
        })
        .collect();
    format!(
        "<rss version=\"2.0\"><channel><title>Source {source}</title><link>https://partner.example/</link>{items}</channel></rss>"
    )
}

/// Sources that tell more and more, and now and then fail, break off or take their time.
fn misbehaving(told: Arc<AtomicUsize>, calm: Arc<AtomicUsize>) -> Server {
    let begun = Timestamp::now() - Duration::from_secs(3600);
    let asked = AtomicUsize::new(0);
    Server::start(move |request| {
        let source: usize = request.target[1..].parse().unwrap();
        let document = listed(source, told.load(Ordering::SeqCst), begun);
        if calm.load(Ordering::SeqCst) > 0 {
            return Reply::ok(document);
        }
        match asked.fetch_add(1, Ordering::SeqCst) % 7 {
            1 => Reply::new(503, "later"),
            3 => Reply::ok(document[..document.len() / 2].to_owned()),
            5 => Reply::ok(document).sent(Manner::Slow(Duration::from_millis(120))),
            _ => Reply::ok(document),
        }
    })
}

/// A clock that runs faster than time does.
#[derive(Clone, Copy)]
struct FastClock {
    begun: Timestamp,
    since: Instant,
}

impl FastClock {
    fn now(self) -> String {
        const FASTER: u32 = 240;
        (self.begun + self.since.elapsed() * FASTER).to_string()
    }
}

/// A worker: commands one after the other, most of them killed on the way. Answers how many were.
fn work(folder: &Path, seed: u64, ahead: &str, clock: FastClock, end: Instant) -> usize {
    let (mut numbers, mut kills) = (Numbers(seed), 0);
    while Instant::now() < end {
        let arguments: &[&str] = if numbers.below(2) == 0 { &["fetch", "--all"] } else { &["run"] };
        let mut command = Command::new(env!("CARGO_BIN_EXE_courant"));
        command
            .args(["--now", &clock.now(), "--clock-ahead", ahead])
            .args(arguments)
            .current_dir(folder)
            .env_remove("RUST_LOG");
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        if numbers.below(4) == 0 {
            child.wait().unwrap();
            continue;
        }
        std::thread::sleep(Duration::from_millis(5 + numbers.below(600)));
        kills += usize::from(child.try_wait().unwrap().is_none());
        let _ = child.kill();
        child.wait().unwrap();
    }
    kills
}

/// Workers, each in a folder of its own, that share a store.
struct Soak {
    /// What stands as long as they work.
    _held: (App, Server),
    folders: Vec<PathBuf>,
    sink: Sink,
    told: Arc<AtomicUsize>,
    calm: Arc<AtomicUsize>,
    clock: FastClock,
}

impl Soak {
    fn new(store: Option<&TestDatabase>, machines: usize) -> Soak {
        let (told, calm) = (Arc::new(AtomicUsize::new(2)), Arc::default());
        let (server, sink) = (misbehaving(told.clone(), Arc::clone(&calm)), Sink::start());
        sink.keep();
        let app = App::new("");
        let url = store.map_or_else(|| "sqlite:../courant.db".into(), TestDatabase::url);
        let published = app.path("public");
        let sources: String = (0..SOURCES)
            .map(|n| {
                format!(
                    "[[source]]\nid = \"s{n}\"\nlang = \"en\"\nurl = \"{}\"\n",
                    server.url(&format!("/{n}"))
                )
            })
            .collect();
        let config = format!(
            "version = 1\n[channel]\ntitle = \"Soak\"\nurl = \"https://news.example.org\"\nlanguage = \"en\"\n[store]\nurl = \"{url}\"\n\
             [publish]\ndir = \"{}\"\n[mail]\nfrom = \"news@example.org\"\ntransport = \"{}\"\n\
             [newsletter]\nmax_entries = 500\n[defaults]\ninterval = \"5m\"\n[fetch]\nallow = [\"127.0.0.1\"]\n{sources}",
            published.display(),
            sink.url()
        );
        let folders: Vec<PathBuf> = (0..machines).map(|n| app.path(&format!("m{n}"))).collect();
        (0..machines).for_each(|n| app.write(&format!("m{n}/feeds.toml"), &config));
        Soak {
            _held: (app, server),
            folders,
            sink,
            told,
            calm,
            clock: FastClock { begun: Timestamp::now(), since: Instant::now() },
        }
    }

    /// Runs a command to its end.
    fn ran(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_courant"));
        command
            .args(["--now", &self.clock.now()])
            .args(arguments)
            .current_dir(&self.folders[0])
            .output()
            .unwrap()
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.ran(arguments);
        assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    }

    fn run(&self, seconds: u64, ahead: &str) {
        for n in 0..READERS {
            let address = format!("reader{n}@example.org");
            self.ok(&["subscribers", "add", &address, "--cadence", "instant"]);
        }
        let end = Instant::now() + Duration::from_secs(seconds);
        let kills: usize = std::thread::scope(|scope| {
            let workers: Vec<_> = (1u64..)
                .zip(&self.folders)
                .map(|(n, folder)| {
                    scope.spawn(move || {
                        work(folder, n * 7919, if n % 2 == 0 { ahead } else { "0" }, self.clock, end)
                    })
                })
                .collect();
            let mut numbers = Numbers(1);
            while Instant::now() < end {
                std::thread::sleep(Duration::from_millis(600 + seconds * 15));
                self.told.fetch_add(1, Ordering::SeqCst);
                let whims = [Whim::Take, Whim::Take, Whim::Defer, Whim::HangUp, Whim::DropInData];
                let whim = whims[numbers.below(5) as usize];
                self.sink.whim(whim);
                // Not for long: what is lost four times on its way may have arrived each time, and is given up.
                if whim == Whim::DropInData {
                    std::thread::sleep(Duration::from_secs(1));
                    self.sink.whim(Whim::Take);
                }
            }
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        println!("{kills} kills in {seconds} seconds, {} entries a source", self.told.load(Ordering::SeqCst));
        assert!(kills >= 5, "{kills} kills prove little");
    }

    /// What is left to do is done, and then all is there, once.
    fn check(&self) {
        self.calm.store(1, Ordering::SeqCst);
        self.sink.whim(Whim::Take);
        // What a killed worker had under way is free when its lease has ended or the worker is known to be dead; mail that was
        // deferred is due again after its pause.
        let wanted: HashSet<String> = (0..SOURCES)
            .flat_map(|source| (0..self.told.load(Ordering::SeqCst)).map(move |entry| title(source, entry)))
            .collect();
        let begun = Instant::now();
        loop {
            // What they end with is what the killed ones left, such as mail that is held up.
            self.ran(&["fetch", "--all"]);
            self.ran(&["run"]);
            let waiting = self.ok(&["queue"]);
            assert!(!waiting.contains("refused"), "{waiting}");
            let is_over = begun.elapsed() > Duration::from_secs(15) && !waiting.contains("example.org");
            if is_over || begun.elapsed() > Duration::from_secs(900) {
                break;
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        let mut stored: BTreeMap<String, u64> = BTreeMap::new();
        for line in self.ok(&["entries", "--format", "jsonl"]).lines() {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(entry["announced"].as_u64(), Some(1), "{line}");
            *stored.entry(entry["title"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        assert!(stored.len() == wanted.len() && stored.values().all(|count| *count == 1), "{stored:?}");
        assert!(wanted.iter().all(|title| stored.contains_key(title)));
        self.assert_mailed_once(&wanted);
        assert_eq!(self.ok(&["store", "check"]), "the store is whole\n");
    }

    /// Each reader was told each story in one message; a message of which nobody knows whether it arrived may have come again, as itself.
    fn assert_mailed_once(&self, wanted: &HashSet<String>) {
        let mut messages: HashMap<(String, String), String> = HashMap::new();
        for (recipient, message) in self.sink.kept() {
            messages.insert((recipient, header(&message, "Message-ID")), text_part(&message));
        }
        for n in 0..READERS {
            let reader = format!("reader{n}@example.org");
            let texts: Vec<&String> = messages
                .iter()
                .filter(|((recipient, _), _)| *recipient == reader)
                .map(|(_, text)| text)
                .collect();
            for title in wanted {
                let times = texts.iter().filter(|text| text.lines().any(|line| line.trim() == title)).count();
                assert_eq!(times, 1, "{reader} was told \"{title}\" {times} times in {} mails", texts.len());
            }
        }
    }
}

fn seconds(short: u64) -> u64 {
    std::env::var("COURANT_SOAK_SECONDS").map_or(short, |seconds| seconds.parse().unwrap())
}

#[test]
fn workers_on_a_file_that_are_killed_at_random_lose_nothing_and_repeat_nothing() {
    let soak = Soak::new(None, 2);
    soak.run(seconds(8), "0");
    soak.check();
}

#[test]
#[ignore = "needs a PostgreSQL server: COURANT_TEST_POSTGRES"]
fn workers_on_a_server_that_are_killed_at_random_lose_nothing_and_repeat_nothing() {
    let server = std::env::var("COURANT_TEST_POSTGRES").expect("the address of a server's database");
    let database = TestDatabase::new(server);
    let soak = Soak::new(Some(&database), 4);
    soak.run(seconds(10), "60");
    soak.check();
}
