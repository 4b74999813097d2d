//! A replay with `--now` gives the same bytes, whatever order sources answer in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::App;
use crate::support::http::{Manner, Reply, Server};

const SOURCES: usize = 12;
/// Stories, each told by several sources.
const STORIES: usize = 20;

fn feed(source: usize) -> String {
    let told = (0..STORIES).filter(|story| (story * 7 + source * 3) % 4 < 2);
    let item = |story: usize| {
        let places = ["Lyon", "Quito", "Porto", "Gent", "Dakar"];
        let subjects =
            ["budget for open justice", "register of gifts", "plan for clean water", "school for night work"];
        let title = format!("The council of {} publishes its {}", places[story % 5], subjects[story / 5]);
        let text: String = (0..6)
            .map(|part| {
                format!(
                    "{title}, says paragraph {part} of report {}, and room {} is open until Friday. ",
                    story * 31,
                    story * 6 + part
                )
            })
            .collect();
        // Most copies are of one moment.
        let hour = if (story + source).is_multiple_of(5) { 9 } else { 8 };
        format!(
            "<item><guid>{source}-{story}</guid><title>{title}</title><link>https://s{source}.example/{story}</link>\
             <pubDate>{} Oct 2022 0{hour}:00:00 GMT</pubDate><description>{text}</description></item>",
            10 + story % 8
        )
    };
    format!(
        "<rss version=\"2.0\"><channel><title>S{source}</title>{}</channel></rss>",
        told.map(item).collect::<String>()
    )
}

/// All files below a folder, by their path in it.
fn files(folder: &Path, below: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for one in std::fs::read_dir(below).unwrap() {
        let path = one.unwrap().path();
        match path.is_dir() {
            true => files(folder, &path, found),
            false => {
                _ = found.insert(path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap())
            }
        }
    }
}

/// What two runs publish and mail, where the sources answer after so many milliseconds each.
fn published(servers: &[Server], secret: &Path, delay: impl Fn(usize) -> u64) -> BTreeMap<PathBuf, Vec<u8>> {
    let digest = "[[topic]]\nid = \"justice\"\nkeywords = { en = [\"justice\"] }\n[[digest]]\nid = \"d\"\nlanguage = \"en\"\nschedule = \"daily 07:00 UTC\"\nrecipients = [\"a@example.org\", \"b@example.org\"]\n";
    let source = |(n, server): (usize, &Server)| {
        let wait = delay(n);
        server.answer(move |_| Reply::ok(feed(n)).sent(Manner::Slow(Duration::from_millis(wait))));
        format!("[[source]]\nid = \"s{n}\"\nkind = \"feed\"\nlang = \"en\"\nurl = \"{}\"\n", server.url("/"))
    };
    let sources: String = servers.iter().enumerate().map(source).collect();
    let mut app = App::new(&format!("{digest}{sources}"));
    std::fs::copy(secret, app.path("courant.db")).unwrap();
    app.at("2022-10-20T06:30:00Z").ok(&["run"]);
    app.at("2022-10-21T07:30:00Z").ok(&["run"]);
    let mut found = BTreeMap::new();
    for folder in ["public", "outbox"] {
        files(app.folder(), &app.path(folder), &mut found);
    }
    found
}

#[test]
fn two_runs_with_one_clock_give_the_same_bytes() {
    // Links in mails are signed with the secret of the store.
    let first = App::new("");
    first.ok(&["sources"]);
    let servers: Vec<Server> = (0..SOURCES).map(|_| Server::always(Reply::ok(""))).collect();
    let run = |delay: &dyn Fn(usize) -> u64| published(&servers, &first.path("courant.db"), delay);
    let rising = run(&|n| n as u64 * 60);
    let falling = run(&|n| (SOURCES - n) as u64 * 60);
    assert!(rising.len() > 20 && rising.contains_key(Path::new("public/atom.xml")));
    let names = |found: &BTreeMap<PathBuf, Vec<u8>>| found.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&rising), names(&falling));
    let different: Vec<&PathBuf> = rising.keys().filter(|path| rising[*path] != falling[*path]).collect();
    assert!(different.is_empty(), "{different:?}");
    // The earliest copy leads, and of those of one moment, that of the source that the configuration names first.
    let feed = String::from_utf8(rising[Path::new("public/atom.xml")].clone()).unwrap();
    assert!(feed.contains("<link href=\"https://s1.example/15\" rel=\"alternate\""), "{feed}");
}

#[test]
fn a_replay_that_waits_for_a_source_does_not_read_all_others_meanwhile() {
    const HOSTS: usize = 1_500;
    let asked = Arc::new(AtomicUsize::new(0));
    let meanwhile = Arc::new(AtomicUsize::new(0));
    let (counted, seen) = (asked.clone(), meanwhile.clone());
    let server = Server::start_at("0.0.0.0", move |request| {
        let source: usize = request.target[1..].parse().unwrap();
        if source == 0 {
            // It answers when all that were going to be read are read, or four seconds have passed.
            let since = Instant::now();
            while counted.load(Ordering::SeqCst) < HOSTS - 1 && since.elapsed() < Duration::from_secs(4) {
                std::thread::yield_now();
            }
            seen.store(counted.load(Ordering::SeqCst), Ordering::SeqCst);
        } else {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        Reply::ok(format!(
            "<rss version=\"2.0\"><channel><title>S</title><item><guid>{source}</guid><title>The story of place {source}</title></item></channel></rss>"
        ))
    });
    let sources: String = (0..HOSTS)
        .map(|source| {
            let (high, low) = (source / 200, source % 200 + 1);
            let port = server.port();
            format!("[[source]]\nid = \"s{source}\"\nkind = \"feed\"\nurl = \"http://127.1.{high}.{low}:{port}/{source}\"\n")
        })
        .collect();
    let app = App::new(&sources);
    app.write("feeds.toml", app.read("feeds.toml").replace("\"::1\"", "\"127.1.0.0/16\""));
    app.ok(&["fetch"]);
    let meanwhile = meanwhile.load(Ordering::SeqCst);
    assert!((100..1_000).contains(&meanwhile), "{meanwhile} were read meanwhile");
    assert_eq!(app.titles().len(), HOSTS);
}
