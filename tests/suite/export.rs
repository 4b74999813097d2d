//! Everything that is stored as files in open formats, and back.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::http::{Reply, Request, Server};
use crate::support::{App, header, rss};

const DIGEST: &str = "[[digest]]\nid = \"d\"\ntitle = \"Tägliches\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [\"a@example.org\"]\n[[topic]]\nid = \"bridges\"\nlabel = { en = \"Bridges\" }\nkeywords = { en = [\"bridge\"] }\n";

/// A configuration whose two sources read `server`.
fn configuration(server: &Server) -> String {
    let source = |id: &str, partner: &str| {
        format!(
            "[[source]]\nid = \"{id}\"\nkind = \"feed\"\npartner = \"{partner}\"\nlang = \"en\"\nurl = \"{}\"\n",
            server.url(&format!("/{id}"))
        )
    };
    format!("{DIGEST}{}{}", source("town", "Town & hall"), source("harbour", "Harbour"))
}

fn site() -> Server {
    Server::start(|request: &Request| {
        Reply::ok(match request.target.as_str() {
            "/town" => rss(&[
                (
                    "a",
                    "A bridge \"quoted\", and \\n more",
                    18,
                    &"Long words, \t =1+1 and «others». ".repeat(60),
                ),
                ("b", "The library opens", 19, "From here on\nthere are &lt;b&gt;books&lt;/b&gt;."),
            ]),
            _ => rss(&[("h", "Ships in the harbour", 19, "Three of them came.")]),
        })
    })
}

/// An installation in which all that can happen has happened.
fn lived_in(rest: &str) -> App {
    let mut app = App::new(rest);
    app.ok(&["run"]);
    for address in ["ana@example.org", "Bea@example.org", "gone@example.org", "left@example.org"] {
        app.ok(&[
            "subscribers",
            "add",
            address,
            "--cadence",
            "daily",
            "--consent",
            "=HYPERLINK(\"x\"), said 'yes'",
        ]);
    }
    app.ok(&["subscribers", "erase", "gone@example.org"]);
    app.write("left.csv", "email,status\nleft@example.org,unsubscribed\nnever@example.org,bounced\n");
    app.ok(&["subscribers", "import", "left.csv"]);
    let ids: Vec<String> =
        app.entries().iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect();
    app.ok(&["label", &ids[2], "bridges"]);
    app.ok(&["merge", &ids[0], &ids[2]]);
    app.later(25 * 60).ok(&["run"]);
    app.ok(&["desk", "introduction", "Dear readers,\n\nwelcome."]);
    app.ok(&["subscribers", "tag", "member,the board", "ana@example.org"]);
    app.ok(&["subscribers", "attribute", "town=\"Lima\", Perú", "ana@example.org"]);
    app.write("c.md", "+++\nsubject = \"Come\"\nwhere = \"tag = member\"\n+++\n\nCome & *dance*.\n");
    app.ok(&["campaign", "send", "c.md"]);
    app.ok(&["campaign", "send", "c.md", "--again", "--at", "2023-01-01T00:00:00Z"]);
    app
}

/// The files below a folder with their contents.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                found.insert(entry.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&entry).unwrap());
            }
        }
    }
    found
}

/// Brings an export into another installation, and exports from there; both must be the same.
#[track_caller]
fn comes_back(from: &App, to: &App) {
    from.ok(&["export", "all", "out"]);
    let out = from.path("out");
    to.ok(&["import", "all", out.to_str().unwrap()]);
    to.ok(&["export", "all", "again"]);
    let (wanted, found) = (files(&out), files(&to.path("again")));
    assert_eq!(wanted.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
    for (path, bytes) in &wanted {
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(shown(bytes), shown(&found[path]), "{}", path.display());
    }
    let all: [&[&str]; 5] = [
        &["entries", "--format", "jsonl"],
        &["subscribers", "list"],
        &["campaign", "list"],
        &["queue"],
        &["store", "check"],
    ];
    all.iter().for_each(|arguments| assert_eq!(to.ok(arguments), from.ok(arguments), "{arguments:?}"));
}

#[test]
fn what_is_exported_comes_back_byte_for_byte_and_work_goes_on_from_there() {
    let server = site();
    let rest = configuration(&server);
    let mut app = lived_in(&rest);
    let mut other = App::new(&rest);
    comes_back(&app, &other);
    let sent = app.outbox().len();
    // Nobody is told anything twice, and who left stays out.
    for app in [&mut app, &mut other] {
        app.at("2022-10-23T09:00:00Z").ok(&["run"]);
    }
    assert!(sent > 0);
    assert_eq!(other.outbox().len(), app.outbox().len() - sent, "what was sent before is not sent again");
    let ran = other.run(&["subscribers", "add", "never@example.org"]);
    assert!(ran.code == 2 && ran.stderr.contains("is kept out (bounced)"), "{}", ran.stderr);
    // What is there is not overwritten, unless that is wanted.
    let out = app.path("out");
    let ran = other.run(&["import", "all", out.to_str().unwrap()]);
    assert!(ran.code == 1 && ran.stderr.contains("--replace"), "{}", ran.stderr);
    other.ok(&["import", "all", out.to_str().unwrap(), "--replace"]);
    other.ok(&["export", "all", "third"]);
    assert_eq!(files(&out), files(&other.path("third")));
    let ran = other.run(&["export", "all", "third"]);
    assert!(ran.code == 1 && ran.stderr.contains("holds something already"), "{}", ran.stderr);
}

#[test]
fn the_files_of_an_export_are_what_other_programs_read() {
    let server = site();
    let app = lived_in(&configuration(&server));
    let said = app.ok(&["export", "all", "out"]);
    assert!(said.contains("entries.jsonl") && said.contains("issues.mbox"), "{said}");
    for (path, mode) in [("out", 0o700), ("out/state", 0o700), ("out/subscribers.csv", 0o600)] {
        let known = std::fs::metadata(app.path(path)).unwrap().permissions().mode();
        assert_eq!(known & 0o777, mode, "{path}");
    }
    let lines = |name: &str| -> Vec<Value> {
        app.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let entries = lines("out/entries.jsonl");
    assert_eq!(entries.len(), 3);
    let first = entries.iter().find(|entry| entry["guid"] == "a").unwrap();
    assert_eq!(first["published"], "2022-10-18T09:00:00Z");
    assert!(first["title"].as_str().unwrap().starts_with("A bridge \"quoted\""), "{first}");
    assert_eq!(first["topics"][0]["topic"], "bridges");
    assert!(first["story"].is_number() && first["details"].is_object(), "{first}");
    assert_eq!((lines("out/rulings.jsonl").len(), lines("out/labels.jsonl").len()), (1, 1));
    let mut sheet = csv::Reader::from_path(app.path("out/subscribers.csv")).unwrap();
    let names = sheet.headers().unwrap().clone();
    let people: Vec<BTreeMap<String, String>> = sheet.deserialize().map(|person| person.unwrap()).collect();
    assert!(names.iter().any(|name| name == "consent_source"));
    let ana = people.iter().find(|person| person["address"] == "ana@example.org").unwrap();
    assert_eq!(ana["consent_source"], "'=HYPERLINK(\"x\"), said 'yes'", "no spreadsheet runs it");
    assert_eq!(ana["consent_at"], "2022-10-20T08:00:00Z");
    // Those who left are hashes, but for who is on the list.
    assert!(app.read("out/suppressions.csv").lines().count() == 4, "{}", app.read("out/suppressions.csv"));
    assert!(!app.read("out/suppressions.csv").contains("never@"));
    let mails = app.read("out/issues.mbox");
    let mut subjects = Vec::new();
    for message in mail_parser::mailbox::mbox::MessageIterator::new(mails.as_bytes()) {
        let message = message.unwrap();
        let parsed = mail_parser::MessageParser::default().parse(message.contents()).unwrap();
        subjects.push(parsed.subject().unwrap().to_owned());
        assert!(parsed.body_text(0).is_some() && parsed.body_html(0).is_some());
    }
    let sent = app.outbox().iter().any(|mail| header(mail, "To") == "a@example.org");
    assert!(sent && subjects.iter().any(|subject| subject.contains("Tägliches")), "{subjects:?}");
    assert!(app.read("out/sources.opml").contains("courant:source=\"town\""));
}

#[test]
fn an_export_that_is_not_whole_is_refused_and_leaves_the_store_as_it_was() {
    let server = site();
    let rest = configuration(&server);
    let app = lived_in(&rest);
    app.ok(&["export", "all", "out"]);
    let other = App::new(&rest);
    other.ok(&["fetch", "--source", "harbour"]);
    let known = other.ok(&["entries", "--format", "jsonl"]);
    let out = app.path("out");
    let refused = |wanted: &str| {
        let ran = other.run(&["import", "all", out.to_str().unwrap(), "--replace"]);
        assert!(ran.code == 1 && ran.stderr.contains(wanted), "{wanted} is not in {}", ran.stderr);
        assert_eq!(other.ok(&["entries", "--format", "jsonl"]), known, "{wanted}");
    };
    let entries = app.read("out/entries.jsonl");
    let manifest = app.read("out/manifest.json");
    let cut = entries.lines().take(2).collect::<Vec<_>>().join("\n") + "\n";
    app.write("out/entries.jsonl", &cut);
    refused("entries.jsonl: it has 2 rows, and manifest.json says 3");
    app.write("out/entries.jsonl", &entries[..entries.len() - 20]);
    refused("entries.jsonl: line 3");
    app.write("out/entries.jsonl", entries.replacen("\"title\"", "\"colour\"", 1));
    refused("which this version of courant does not know");
    app.write("out/entries.jsonl", &entries);
    app.write("out/manifest.json", manifest.replace("\"format\": 1", "\"format\": 2"));
    refused("a later version");
    app.write("out/manifest.json", manifest.replacen("\"entry\"", "\"colour\"", 1));
    refused("\"colour\", which this version does not know");
    std::fs::remove_file(app.path("out/manifest.json")).unwrap();
    refused("is no whole export");
    app.write("out/manifest.json", &manifest);
    other.ok(&["import", "all", out.to_str().unwrap(), "--replace"]);
    assert_eq!(other.entries().len(), 3);
}

#[test]
fn the_sources_of_an_export_keep_their_ids_in_a_new_configuration() {
    let server = site();
    let app = lived_in(&configuration(&server));
    app.ok(&["export", "all", "out"]);
    let mut other = App::new("");
    let out = app.path("out");
    let said = other.ok(&["import", "all", out.to_str().unwrap()]);
    assert!(said.contains("2 sources are not in feeds.toml: `courant import opml"), "{said}");
    other.ok(&["import", "opml", out.join("sources.opml").to_str().unwrap(), "--write"]);
    let listed = other.ok(&["sources", "--format", "json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let ids: Vec<&str> = listed.iter().map(|source| source["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["town", "harbour"]);
    other.at("2022-10-22T08:00:00Z").ok(&["fetch"]);
    assert_eq!(other.entries().len(), 3, "what was read before is known");
}

#[test]
fn lists_of_sources_are_exported_by_topic_and_by_partner() {
    let server = site();
    let app = App::new(&configuration(&server));
    app.ok(&["fetch"]);
    let addresses = |arguments: &[&str]| -> Vec<String> {
        let list = app.ok(&[&["export", "opml"], arguments].concat());
        let found = list.split("xmlUrl=\"").skip(1).filter_map(|rest| rest.split('"').next());
        found.map(str::to_owned).collect()
    };
    let (town, harbour) = (server.url("/town"), server.url("/harbour"));
    assert_eq!(addresses(&[]), [town.as_str(), &harbour]);
    assert_eq!(addresses(&["--topic", "bridges"]), [town.as_str()]);
    assert_eq!(addresses(&["--partner", "Harbour"]), [harbour.as_str()]);
    assert_eq!(addresses(&["--partner", "Harbour", "--topic", "bridges"]), [] as [&str; 0]);
    for (arguments, wanted) in [
        (["--topic", "bridge"], "did you mean \"bridges\"?"),
        (["--partner", "Harbor"], "did you mean \"Harbour\"?"),
    ] {
        let ran = app.run(&[&["export", "opml"], &arguments[..]].concat());
        assert!(ran.code == 2 && ran.stderr.contains(wanted), "{}", ran.stderr);
    }
    // A reader that takes it is courant itself.
    app.ok(&["export", "opml", "town.opml", "--partner", "Town & hall"]);
    let other = App::new("");
    let file = app.path("town.opml");
    let said = other.ok(&["import", "opml", file.to_str().unwrap()]);
    assert!(said.contains("new        town-hall"), "{said}");
}

#[test]
#[ignore = "needs a PostgreSQL server: COURANT_TEST_POSTGRES"]
fn an_export_moves_between_a_file_and_a_server() {
    let server = site();
    let rest = configuration(&server);
    let database = crate::support::postgres::TestDatabase::new(
        std::env::var("COURANT_TEST_POSTGRES").expect("the address of a server's database"),
    );
    let file = lived_in(&format!("[store]\nurl = \"sqlite:courant.db\"\n{rest}"));
    let machine = App::new(&format!("[store]\nurl = \"{}\"\n{rest}", database.url()));
    comes_back(&file, &machine);
    std::fs::remove_dir_all(machine.path("again")).unwrap();
    let back = App::new(&format!("[store]\nurl = \"sqlite:courant.db\"\n{rest}"));
    comes_back(&machine, &back);
}
