//! The store over years and accidents: what it forgets, wrong clocks, earlier versions, faults of one source, lost files.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use crate::crash::kill_after;
use crate::support::http::{Manner, Reply, Request, Server};
use crate::support::service::{METRICS, Service};
use crate::support::{App, rss, wait_for};

/// A feed of the last `listed` of entries that a counter says are there, each with a text of its own.
fn stream(listed: usize) -> (Server, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(listed));
    let shared = count.clone();
    let server = Server::start(move |request: &Request| {
        let source = &request.target[1..];
        let last = shared.load(Ordering::SeqCst);
        let items: Vec<(String, String, String)> = (last - listed..last)
            .map(|n| {
                let text: String = (0..60)
                    .map(|word| format!("w{:x} ", (n * 7919 + word * 104_729 + source.len()) % 65_521))
                    .collect();
                (format!("{source}-{n}"), format!("Number {n} of {source} is told {}", n * 31), text)
            })
            .collect();
        Reply::ok(rss(&items
            .iter()
            .map(|(guid, title, text)| (guid.as_str(), title.as_str(), 12, text.as_str()))
            .collect::<Vec<_>>()))
    });
    (server, count)
}

fn sources(server: &Server, names: &[&str]) -> String {
    names
        .iter()
        .map(|name| {
            format!(
                "[[source]]\nid = \"{name}\"\nkind = \"feed\"\nurl = \"{}\"\n",
                server.url(&format!("/{name}"))
            )
        })
        .collect()
}

/// Of the database, its log and its index.
fn bytes(app: &App) -> u64 {
    let of = |path: std::path::PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let features = std::fs::read_dir(app.path(".courant.db.features"))
        .into_iter()
        .flatten()
        .map(|file| of(file.unwrap().path()));
    of(app.path("courant.db")) + of(app.path("courant.db-wal")) + features.sum::<u64>()
}

#[test]
fn retention_bounds_the_store_for_ten_times_its_span() {
    let (server, count) = stream(30);
    let mut app = App::new(&sources(&server, &["s"]));
    app.write(
        "feeds.toml",
        app.read("feeds.toml").replace("language = \"en\"\n", "language = \"en\"\nretention = \"5d\"\n"),
    );
    let mut sizes = Vec::new();
    for _ in 0..50 {
        app.ok(&["run"]);
        sizes.push(bytes(&app));
        count.fetch_add(30, Ordering::SeqCst);
        app.later(24 * 60);
    }
    let entries = app.entries().len();
    assert!(
        (150..=300).contains(&entries),
        "{entries} entries are left of a span of five days with thirty a day"
    );
    assert!(sizes[49] <= sizes[12] + sizes[12] / 10, "{sizes:?}");
    let listed = app.ok(&["sources"]);
    let counted: usize = listed
        .lines()
        .find(|line| line.starts_with("s "))
        .unwrap()
        .split_whitespace()
        .nth(3)
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(counted, entries, "{listed}");
    let database = Connection::open(app.path("courant.db")).unwrap();
    for table in ["sketch", "entry_text", "story", "published_story"] {
        let rows: i64 =
            database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert!(rows <= entries as i64 * 4, "{table} has {rows} rows for {entries} entries");
    }
}

#[test]
fn issues_of_subscribers_and_slots_without_news_go_with_the_retention_of_mail() {
    let (server, count) = stream(5);
    let digest = "[[digest]]\nid = \"d\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [\"a@example.org\"]\n";
    let mut app = App::new(&format!("{digest}{}", sources(&server, &["s"])));
    app.write("feeds.toml", app.read("feeds.toml").replace("[mail]\n", "[mail]\nretention = \"7d\"\n"));
    app.ok(&["subscribers", "add", "--cadence", "daily", "ana@example.org"]);
    app.ok(&["run"]);
    let database = Connection::open(app.path("courant.db")).unwrap();
    // Of years ago: more than the list of past issues shows.
    for day in 0..300 {
        let sql = "INSERT INTO issue (digest, slot, created, subject, text, html, name, is_archived) VALUES ('d', ?1, ?1, 'Old', '', '', ?2, 1)";
        database.execute(sql, (1_600_000_000_000i64 + day * 86_400_000, format!("old-{day}"))).unwrap();
    }
    for day in 0..22 {
        app.later(24 * 60).ok(&["run"]);
        // Nothing is new on every second day.
        count.fetch_add(day % 2, Ordering::SeqCst);
    }
    let rows = |condition: &str| -> i64 {
        database
            .query_row(&format!("SELECT count(*) FROM issue WHERE {condition}"), [], |row| row.get(0))
            .unwrap()
    };
    assert!((2..=5).contains(&rows("digest = '_personal'")), "{}", rows("digest = '_personal'"));
    assert!(rows("digest = 'd' AND name = ''") <= 5);
    // What is public stays.
    assert_eq!(rows("digest = 'd' AND name <> '' AND subject <> 'Old'"), 11);
    assert_eq!(rows("subject = 'Old'"), 100 - 11);
    let pages = std::fs::read_dir(app.path("public/issues")).unwrap().count();
    assert!((14..=17).contains(&pages), "{pages}");
    let mailed = app.outbox().len();
    app.ok(&["run"]);
    assert_eq!(app.outbox().len(), mailed, "the slot of today is filled");
}

#[test]
fn what_is_still_listed_is_never_forgotten_nor_is_what_cannot_be_read() {
    let (server, _) = stream(5);
    let mut app = App::new(&sources(&server, &["s"]));
    app.write(
        "feeds.toml",
        app.read("feeds.toml").replace("language = \"en\"\n", "language = \"en\"\nretention = \"2d\"\n"),
    );
    app.ok(&["run"]);
    for _ in 0..4 {
        app.later(3 * 24 * 60).ok(&["run"]);
    }
    assert_eq!(app.entries().len(), 5, "the feed lists them still");
    drop(server);
    for _ in 0..4 {
        assert_eq!(app.later(3 * 24 * 60).run(&["run"]).code, 3);
    }
    assert_eq!(app.entries().len(), 5, "a source that is down drops nothing");
    // The last entry of all stays: the order goes on from it.
    app.write("feeds.toml", app.read("feeds.toml").split("[[source]]").next().unwrap());
    app.later(3 * 24 * 60).ok(&["run"]);
    assert_eq!(app.entries().len(), 1, "a source that nobody configures any more is forgotten");
}

#[test]
fn a_clock_that_was_a_year_ahead_silences_nothing() {
    let (server, count) = stream(3);
    let digest = "[[digest]]\nid = \"d\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [\"a@example.org\"]\n";
    let mut app = App::new(&format!("{digest}{}", sources(&server, &["s"])));
    app.at("2023-10-20T08:00:00Z").ok(&["run"]);
    assert_eq!(app.outbox().len(), 1);
    count.fetch_add(1, Ordering::SeqCst);
    app.at("2022-10-20T08:00:00Z").ok(&["run"]);
    assert_eq!(app.entries().len(), 4, "the source is asked");
    assert_eq!(app.outbox().len(), 2, "the slot of the right day is free");
    app.ok(&["run"]);
    assert_eq!(app.outbox().len(), 2);
}

#[test]
fn a_clock_that_goes_back_gives_nobody_a_slot_twice_and_keeps_no_source_waiting() {
    let (server, count) = stream(3);
    let mut app = App::new(&sources(&server, &["s"]));
    app.write("feeds.toml", app.read("feeds.toml").replace("[mail]\n", "[mail]\nretention = \"900d\"\n"));
    app.at("2022-10-16T08:00:00Z").ok(&["run"]);
    for (name, schedule) in [("weekly", "Mon 09:00 UTC"), ("daily", "daily 09:00 UTC")] {
        app.ok(&["subscribers", "add", &format!("{name}@example.org"), "--schedule", schedule]);
    }
    let got = |app: &App, name: &str| {
        app.outbox().iter().filter(|mail| mail.contains(&format!("To: {name}@example.org"))).count()
    };
    count.fetch_add(1, Ordering::SeqCst);
    app.at("2022-10-17T10:00:00Z").ok(&["run"]);
    assert_eq!((got(&app, "weekly"), got(&app, "daily")), (1, 1));
    // Six days ahead, which is less than the longest interval; then a year; and back.
    for wrong in ["2022-10-23T12:00:00Z", "2023-10-23T12:00:00Z"] {
        count.fetch_add(1, Ordering::SeqCst);
        app.at(wrong).ok(&["run"]);
        let before = (got(&app, "weekly"), got(&app, "daily"), app.entries().len());
        count.fetch_add(1, Ordering::SeqCst);
        app.at("2022-10-17T12:00:00Z").ok(&["run"]);
        let after = (got(&app, "weekly"), got(&app, "daily"), app.entries().len());
        assert_eq!((before.0, before.1, before.2 + 1), after, "read at once, and mailed in its slot");
    }
    count.fetch_add(1, Ordering::SeqCst);
    let before = (got(&app, "weekly"), got(&app, "daily"));
    app.at("2022-10-18T10:00:00Z").ok(&["run"]);
    assert_eq!((got(&app, "weekly"), got(&app, "daily")), (before.0, before.1 + 1));
}

#[test]
fn a_slot_that_is_a_year_away_is_no_wrong_clock_s() {
    let (server, count) = stream(3);
    let mut app = App::new(&sources(&server, &["s"]));
    app.ok(&["run"]);
    app.ok(&["subscribers", "add", "ana@example.org", "--schedule", "0 8 1 6 * UTC"]);
    count.fetch_add(1, Ordering::SeqCst);
    app.later(60).ok(&["run"]);
    assert_eq!(app.outbox().len(), 0);
    app.at("2023-06-01T08:30:00Z").ok(&["run"]);
    assert_eq!(app.outbox().len(), 1);
}

#[test]
fn a_file_of_an_earlier_version_gives_its_space_back_too() {
    let (server, _count) = stream(3);
    let app = App::new(&sources(&server, &["s"]));
    app.ok(&["run"]);
    let store = Connection::open(app.path("courant.db")).unwrap();
    let fill = "CREATE TABLE filler (text TEXT); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
                INSERT INTO filler SELECT hex(randomblob(2000)) FROM n; DROP TABLE filler;";
    store.execute_batch(&format!("PRAGMA auto_vacuum = NONE; VACUUM; {fill}")).unwrap();
    drop(store);
    let before = bytes(&app);
    app.ok(&["run"]);
    assert!(bytes(&app) * 4 < before, "{} of {before} bytes are left", bytes(&app));
    let store = Connection::open(app.path("courant.db")).unwrap();
    let mode: u8 = store.query_row("PRAGMA auto_vacuum", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, 2);
}

#[test]
fn a_fault_in_the_store_is_one_source_s_own() {
    let (server, _) = stream(4);
    let app = App::new(&sources(&server, &["bad", "good", "other"]));
    app.ok(&["sources"]);
    let trigger = "CREATE TRIGGER fault BEFORE INSERT ON entry WHEN new.source = 'bad' BEGIN SELECT raise(ABORT, 'no room for this'); END";
    Connection::open(app.path("courant.db")).unwrap().execute_batch(trigger).unwrap();
    let said = app.ok(&["fetch"]);
    assert!(
        said.contains("bad") && said.contains("cannot be kept") && said.contains("no room for this"),
        "{said}"
    );
    assert_eq!(app.entries().len(), 8);
    assert!(app.ok(&["sources"]).contains("cannot be kept"));
}

#[test]
fn a_round_that_fails_in_a_service_leaves_nothing_taken() {
    let (server, _) = stream(4);
    let app = App::new(&format!("{METRICS}{}", sources(&server, &["s", "t"])));
    app.ok(&["sources"]);
    // Nothing can be kept while the folder of the index cannot be made.
    std::os::unix::fs::symlink("nowhere/at/all", app.path(".courant.db.features")).unwrap();
    let ran = app.run(&["fetch"]);
    assert!(ran.code == 1 && ran.stderr.contains(".courant.db.features: "), "{}", ran.stderr);
    let service = Service::start(&app);
    wait_for("a turn that failed", || {
        service.metrics().contains("courant_cycles_failed_total 1\n").then_some(())
    });
    assert!(app.entries().is_empty());
    std::fs::remove_file(app.path(".courant.db.features")).unwrap();
    // The service lives, and has not begun another turn: what it gave back is anybody's.
    app.ok(&["fetch"]);
    assert_eq!(app.entries().len(), 8);
}

#[test]
fn a_new_database_is_its_owner_s_alone() {
    let app = App::new("");
    app.ok(&["sources"]);
    assert_eq!(std::fs::metadata(app.path("courant.db")).unwrap().permissions().mode() & 0o077, 0);
}

#[test]
fn a_file_in_the_place_of_the_index_is_no_hindrance() {
    let (server, _) = stream(4);
    let app = App::new(&sources(&server, &["s"]));
    app.ok(&["sources"]);
    std::fs::write(app.path(".courant.db.features"), "in the way").unwrap();
    app.ok(&["fetch"]);
    assert_eq!(app.entries().len(), 4);
}

/// A store as the first released schema has it, with two stories that were told.
fn old_store(app: &App) {
    let old = Connection::open(app.path("courant.db")).unwrap();
    for migration in [
        include_str!("../../migrations/sqlite/0001_start.sql"),
        include_str!("../../migrations/sqlite/0002_newsletter.sql"),
        include_str!("../../migrations/sqlite/0003_publications.sql"),
        include_str!("../../migrations/sqlite/0004_hub.sql"),
        include_str!("../../migrations/sqlite/0005_stories.sql"),
    ] {
        old.execute_batch(migration).unwrap();
    }
    old.execute_batch(
        "PRAGMA user_version = 5; INSERT INTO source (id, partner, state) VALUES ('s', 's', '{}');",
    )
    .unwrap();
    let transaction = old.unchecked_transaction().unwrap();
    for n in 0..3_000i64 {
        transaction.execute("INSERT INTO story (pk, id) VALUES (?1, 'story-' || ?1)", [n + 1]).unwrap();
        let entry = "INSERT INTO entry (pk, id, source, identity, guid, url, title, summary, language, first_seen, last_seen, changed, fingerprint, details, topics, story, relation, announced, sort_date)
                     VALUES (?1, 'entry-' || ?1, 's', 'guid:s-' || ?1, 's-' || ?1, 'https://partner.example/s-' || ?1, 'Number ' || ?1 || ' of s is told ' || (?1 * 31), 'Words', 'en', 1666000000000 + ?1, 1666000000000, 1666000000000, 'f', '{}', '[]', ?1, 'first', 1, 1666000000000)";
        transaction.execute(entry, [n + 1]).unwrap();
        transaction.execute("INSERT INTO unsketched (entry) VALUES (?1)", [n + 1]).unwrap();
        transaction
            .execute(
                "INSERT INTO entry_key (key, entry, kind) VALUES ('partner.example/s-' || ?1, ?1, 'own')",
                [n + 1],
            )
            .unwrap();
        for feature in 0..20 {
            transaction
                .execute(
                    "INSERT INTO entry_trait (trait, entry, day) VALUES (?1, ?2, 19000)",
                    [n * 20 + feature, n + 1],
                )
                .unwrap();
        }
    }
    let told = "INSERT INTO issue (pk, digest, slot, created, subject, text, html) VALUES (1, 'd', 1666100000000, 1666100000000, 's', 't', 'h')";
    transaction.execute_batch(told).unwrap();
    transaction.commit().unwrap();
}

#[test]
fn a_store_of_the_version_before_is_brought_up_to_date_wherever_it_is_killed() {
    let (server, _) = stream(2);
    let digest = "[[digest]]\nid = \"d\"\nschedule = \"Thu 08:00 UTC\"\nrecipients = [\"a@example.org\"]\n";
    for moment in [0, 5, 10, 20, 40, 80, 160, 320] {
        let app = App::new(&format!("{digest}{}", sources(&server, &["t"])));
        old_store(&app);
        kill_after(&app, &["run"], Duration::from_millis(moment));
        kill_after(&app, &["run"], Duration::from_millis(moment / 2));
        let ran = app.run(&["run"]);
        assert_eq!(ran.code, 0, "after {moment} ms: {}", ran.stderr);
        let entries = app.entries();
        assert_eq!(entries.len(), 3_002, "after {moment} ms");
        // What the digest could have told before is not news now; the new ones are.
        let mails = app.outbox();
        assert_eq!(mails.len(), 1, "after {moment} ms");
        assert!(!mails[0].contains("Number 17 of s"), "after {moment} ms");
        // Entries of before are found by their keys.
        assert!(app.ok(&["explain", "https://partner.example/s-17"]).contains("Number 17 of s"));
    }
}

#[test]
fn the_steps_of_an_upgrade_are_said() {
    let (server, _) = stream(2);
    let app = App::new(&sources(&server, &["s"]));
    old_store(&app);
    let ran = app.run(&["entries"]);
    assert!(
        ran.code == 0 && ran.stderr.contains("bringing the database up to date: step 7 of "),
        "{}",
        ran.stderr
    );
    assert_eq!(app.run(&["entries"]).stderr, "");
}

#[test]
fn an_index_that_is_lost_or_broken_is_made_again() {
    let text = "The city council of Rome adopted on Thursday a participatory budget of three million euros for the schools of the outer districts, \
                after six months of public debate in which more than twelve thousand residents took part, the mayor told reporters.";
    let server = Server::start(move |request: &Request| match request.target.as_str() {
        "/a" => Reply::ok(rss(&[("a", "Rome opens its budget to residents", 12, text)])),
        _ => Reply::ok(rss(&[("b", "Residents of Rome decide on schools", 13, text)])),
    });
    for fault in ["gone", "garbage", "foreign", "where it stood before"] {
        let mut app = App::new(&sources(&server, &["a"]));
        app.ok(&["run"]);
        let folder = app.path(".courant.db.features");
        let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(files.len() >= 2, "{files:?}");
        match fault {
            "gone" => std::fs::remove_dir_all(&folder).unwrap(),
            "where it stood before" => std::fs::rename(&folder, app.path("courant.db.features")).unwrap(),
            "garbage" => files.iter().for_each(|file| std::fs::write(file, [7u8; 4_321]).unwrap()),
            _ => {
                let other = App::new(&sources(&server, &["b"]));
                other.ok(&["run"]);
                for file in std::fs::read_dir(other.path(".courant.db.features")).unwrap() {
                    let file = file.unwrap();
                    std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
                }
            }
        }
        let head = app.read("feeds.toml");
        app.write("feeds.toml", format!("{head}{}", sources(&server, &["b"])));
        app.later(61).ok(&["run"]);
        let stories: Vec<String> = app.entries().iter().map(|entry| entry["story"].to_string()).collect();
        assert!(stories.len() == 2 && stories[0] == stories[1], "{fault}: {stories:?}");
        assert!(!app.path("courant.db.features").exists());
    }
}

#[test]
fn what_a_killed_process_had_is_taken_over_at_once() {
    let server = Server::start(|request: &Request| match request.target.as_str() {
        "/slow" => Reply::ok(rss(&[("a", "A story that comes slowly", 12, "x")]))
            .sent(Manner::Slow(Duration::from_secs(3))),
        _ => Reply::ok(rss(&[("b", "A story that comes at once", 12, "x")])),
    });
    let app = App::new(&sources(&server, &["slow", "quick"]));
    kill_after(&app, &["fetch"], Duration::from_millis(1_000));
    // By the same clock: no lease has run out.
    app.ok(&["fetch"]);
    let mut titles = app.titles();
    titles.sort();
    assert_eq!(titles, ["A story that comes at once", "A story that comes slowly"]);
}

#[test]
fn a_store_is_checked_and_its_faults_are_named() {
    let server =
        Server::always(Reply::ok(rss(&[("a", "One", 19, "First words"), ("b", "Two", 19, "Other words")])));
    let app = App::new(&format!("[[source]]\nid = \"s\"\nlang = \"en\"\nurl = \"{}\"\n", server.url("/")));
    app.ok(&["run"]);
    assert_eq!(app.ok(&["store", "check"]), "the store is whole\n");
    let store = Connection::open(app.path("courant.db")).unwrap();
    store
        .execute_batch(
            "PRAGMA foreign_keys = OFF; DELETE FROM story WHERE pk = 1; UPDATE source SET entries = 7",
        )
        .unwrap();
    let ran = app.run(&["store", "check"]);
    assert_eq!(ran.code, 1);
    for fault in
        ["1 rows of entry refer to rows of story", "1 entries without a story", "1 sources whose number"]
    {
        assert!(ran.stdout.contains(fault), "{}", ran.stdout);
    }
}

#[test]
fn a_backup_made_while_others_write_brings_everything_back() {
    let told = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(1));
    let count = told.clone();
    let server = Server::start(move |_| {
        let count = count.load(std::sync::atomic::Ordering::SeqCst);
        let items: Vec<(String, String)> = (0..count)
            .map(|n| (format!("g{n}"), format!("Story number {n} about w{n}x and w{n}y")))
            .collect();
        Reply::ok(rss(&items
            .iter()
            .map(|(g, t)| (g.as_str(), t.as_str(), 19, t.as_str()))
            .collect::<Vec<_>>()))
    });
    let rest = format!("[[source]]\nid = \"s\"\nlang = \"en\"\nurl = \"{}\"\n", server.url("/"));
    let mut app = App::new(&rest);
    app.ok(&["run"]);
    app.ok(&["subscribers", "add", "ana@example.org"]);
    told.store(200, std::sync::atomic::Ordering::SeqCst);
    let mut running =
        app.later(61).command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    app.ok(&["store", "backup", "copy.db"]);
    assert!(running.wait().unwrap().success());
    assert_eq!(std::fs::metadata(app.path("copy.db")).unwrap().permissions().mode() & 0o077, 0);
    let ran = app.run(&["store", "backup", "copy.db"]);
    assert!(ran.code == 1 && ran.stderr.contains("copy.db"), "{}", ran.stderr);
    // It is all that was stored before the run or after one of its units, and another store can begin with it.
    let other = App::new(&rest);
    std::fs::copy(app.path("copy.db"), other.path("copy.db")).unwrap();
    let said = other.ok(&["store", "restore", "copy.db"]);
    assert!(said.contains("copied, and compared"), "{said}");
    let restored = other.entries();
    let entries = app.entries();
    assert!(!restored.is_empty() && restored[..] == entries[..restored.len()]);
    assert_eq!(other.ok(&["subscribers", "list"]), app.ok(&["subscribers", "list"]));
    assert_eq!(other.ok(&["store", "check"]), "the store is whole\n");
    let ran = other.run(&["store", "restore", "copy.db"]);
    assert!(ran.code == 1 && ran.stderr.contains("--replace"), "{}", ran.stderr);
    other.ok(&["store", "restore", "copy.db", "--replace"]);
    assert_eq!(other.entries(), restored);
    // Nobody is told again what they were told before.
    let mut other = other;
    other.later(61).ok(&["run"]);
    assert_eq!(other.announced().iter().filter(|(_, times)| *times != 1).count(), 0);
    assert_eq!(other.entries().len(), 200);
}
