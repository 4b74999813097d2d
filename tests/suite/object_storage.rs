//! Publishing to a bucket, on a real S3-compatible server.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use crate::support::http::{Reply, Server};
use crate::support::python::{Object, S3Server};
use crate::support::service::{Service, ask_whole};
use crate::support::{App, Ran, kill_program, rss, wait_for};

const PREFIX: &str = "site/";
const TO: &str = "[publish]\nto = \"s3://news/site\"\narchives = \"all\"\n";
const FOLDER: &str = "[publish]\narchives = \"all\"\n";
const DIGEST: &str =
    "[[digest]]\nid = \"d\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [\"a@example.org\"]\n";

/// Numbered stories about the budget and the law, on several days.
fn stories(numbers: std::ops::Range<u32>) -> String {
    let items: Vec<(String, String, u8)> = numbers
        .map(|n| {
            let subject = if n % 2 == 0 { "budget" } else { "law" };
            (format!("g{n}"), format!("The {subject} story that bears number {n}."), 10 + (n % 5) as u8)
        })
        .collect();
    let items: Vec<(&str, &str, u8, &str)> =
        items.iter().map(|(guid, title, day)| (guid.as_str(), title.as_str(), *day, "Words")).collect();
    rss(&items)
}

fn configured(publish: &str, server: &Server) -> String {
    format!(
        "{publish}{DIGEST}[[topic]]\nid = \"budget\"\nlabel = {{ en = \"Budgets\" }}\nkeywords = {{ en = [\"budget\"] }}\n\
         [[source]]\nid = \"s\"\npartner = \"Partner\"\nlang = \"en\"\nurl = \"{}\"\n",
        server.url("/")
    )
}

/// A machine that publishes to the bucket, and one like it that publishes to its folder.
fn twins(server: &Server, bucket: &S3Server) -> (App, App) {
    let mut app = App::new(&configured(TO, server));
    app.set(bucket.variables());
    (app, App::new(&configured(FOLDER, server)))
}

/// All files below a folder.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// What is below the prefix in the bucket.
fn published(bucket: &S3Server) -> BTreeMap<String, Object> {
    let all = bucket.objects().into_iter();
    all.filter_map(|(name, object)| Some((name.strip_prefix(PREFIX)?.to_owned(), object))).collect()
}

/// The bucket holds what the folder holds, to the byte.
#[track_caller]
fn assert_alike(bucket: &S3Server, folder: &App) {
    let want = files(&folder.path("public"));
    let got = published(bucket);
    assert_eq!(got.keys().collect::<Vec<_>>(), want.keys().collect::<Vec<_>>());
    let other: Vec<&String> =
        want.iter().filter(|(path, bytes)| got[*path].bytes != **bytes).map(|(path, _)| path).collect();
    assert!(other.is_empty(), "other bytes in {other:?}");
}

#[test]
fn a_bucket_gets_what_a_folder_gets_and_only_what_changed() {
    let (server, bucket) = (Server::always(Reply::ok(stories(0..120))), S3Server::start());
    bucket.put("site/robots.txt", "User-agent: *");
    bucket.put("other/atom.xml", "somebody else's");
    // A name that the library cannot read.
    bucket.put("site/of//others", "somebody else's");
    let (mut app, mut twin) = twins(&server, &bucket);
    twin.ok(&["run"]);
    app.ok(&["run"]);
    assert!(!app.path("public").exists());
    twin.write("public/robots.txt", "User-agent: *");
    bucket.delete("site/of//others");
    assert_alike(&bucket, &twin);
    let uploads = bucket.take_uploads(PREFIX);
    let place = |path: &str| uploads.iter().position(|upload| upload == path).unwrap();
    assert!(place("archive/1.xml") < place("topics/budget/atom.xml"));
    assert!(
        place("topics/budget/index.html") < place("index.html") && place("favicon.svg") < place("index.html")
    );
    assert!(place("days/2022-10-12.html") < place("days/index.html"));
    // Headers are those of our own server.
    let service = Service::start(&twin);
    for (path, object) in published(&bucket) {
        let head = ask_whole(service.address(), "HEAD", &format!("/{path}"), "").to_lowercase();
        assert!(
            head.contains(&format!("\r\ncontent-type: {}\r\n", object.media_type)) || path == "robots.txt",
            "{path}: {object:?} {head}"
        );
        assert!(
            head.contains(&format!("\r\ncache-control: {}\r\n", object.cache_control))
                || path == "robots.txt",
            "{path}: {object:?} {head}"
        );
    }
    drop(service);
    // Nothing is new: it is only looked what is there.
    app.later(1).ok(&["run"]);
    let requests: Vec<[String; 4]> = bucket.take_requests();
    assert!(requests.iter().all(|[method, ..]| method == "GET") && requests.len() <= 2, "{requests:?}");
    // One new story.
    server.answer(|_| Reply::ok(stories(0..121)));
    app.later(61).ok(&["run"]);
    twin.later(62).ok(&["run"]);
    assert_alike(&bucket, &twin);
    let uploads = bucket.take_uploads(PREFIX);
    assert!(
        ["atom.xml", "index.html", "topics/budget/rss.xml", "days/2022-10-10.html"]
            .iter()
            .all(|path| uploads.contains(&(*path).to_owned())),
        "{uploads:?}"
    );
    assert!(
        !uploads
            .iter()
            .any(|path| path.contains("archive/") || path.contains("10-11") || path.starts_with("privacy")),
        "{uploads:?}"
    );
    assert_eq!(bucket.objects()["other/atom.xml"].bytes, b"somebody else's");
}

#[test]
fn what_is_no_more_published_is_deleted_and_what_others_put_there_stays() {
    let items = [
        ("a", "A law on access to documents", 10, "Words of the first"),
        ("b", "Elections in two towns", 12, "Other words of the second"),
    ];
    let (server, bucket) = (Server::always(Reply::ok(rss(&items))), S3Server::start());
    let (mut app, mut twin) = twins(&server, &bucket);
    for machine in [&mut app, &mut twin] {
        let config = machine.read("feeds.toml").replace("[mail]\n", "[mail]\nretention = \"7d\"\n");
        machine.write("feeds.toml", config);
        machine.ok(&["subscribers", "add", "--cadence", "daily", "ana@example.org"]);
        machine.ok(&["run"]);
    }
    bucket.put("site/days/2022-10-09.html", "by hand");
    assert!(published(&bucket).contains_key("days/2022-10-12.html"));
    for machine in [&mut app, &mut twin] {
        let ids: Vec<String> =
            machine.entries().iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect();
        machine.ok(&["merge", &ids[0], &ids[1]]);
        machine.later(1).ok(&["publish"]);
    }
    assert!(!twin.path("public/days/2022-10-12.html").exists(), "a day without stories has no page");
    let is_issue = |path: &String| path.starts_with("issues/") && path != "issues/index.html";
    let mut of_days = Vec::new();
    for (day, title) in [("21", "Quite another matter"), ("30", "Rivers and lakes"), ("31", "A new school")] {
        server.answer(move |_| Reply::ok(rss(&[(title, title, 20, title)])));
        for machine in [&mut app, &mut twin] {
            machine.at(&format!("2022-10-{day}T08:00:00Z")).ok(&["run"]);
        }
        of_days.push(published(&bucket).into_keys().filter(is_issue).collect::<Vec<_>>());
    }
    assert_eq!(of_days[0].len(), 3, "two of the digest, one of the subscriber: {of_days:?}");
    assert_eq!(published(&bucket)["days/2022-10-09.html"].bytes, b"by hand");
    bucket.delete("site/days/2022-10-09.html");
    let kept = of_days[0].iter().filter(|path| of_days[2].contains(path)).count();
    assert_eq!(kept, 2, "what is the public's stays: {of_days:?}");
    assert_alike(&bucket, &twin);
}

#[test]
fn a_bucket_that_fails_holds_nothing_else_up_and_the_next_run_publishes_the_rest() {
    for (what, after) in [("503", 0), ("500", 20), ("hang", 30), ("403", 10)] {
        let (server, bucket) = (Server::always(Reply::ok(stories(0..60))), S3Server::start());
        let (mut app, mut twin) = twins(&server, &bucket);
        bucket.fault(what, after);
        let ran = app.run(&["run"]);
        assert_eq!(ran.code, 1, "{what}: {}", ran.stderr);
        let said = if what == "403" { "AWS_ACCESS_KEY_ID" } else { "see whether it works" };
        assert!(
            ran.stderr.contains("not everything is published: s3://news/site cannot be")
                && ran.stderr.contains(said),
            "{what}: {}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains("The next run publishes what is missing") && !ran.stderr.contains("geheim"),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.stderr.matches("s3://news/site").count(), 1, "{}", ran.stderr);
        assert_eq!(app.outbox().len(), 1, "mail is not held up");
        bucket.fault("none", 0);
        app.later(1).ok(&["run"]);
        twin.ok(&["run"]);
        twin.later(1).ok(&["run"]);
        assert_alike(&bucket, &twin);
    }
}

#[test]
fn a_kill_in_the_middle_leaves_the_rest_to_the_next_run() {
    let (server, bucket) = (Server::always(Reply::ok(stories(0..120))), S3Server::start());
    let (mut app, mut twin) = twins(&server, &bucket);
    for after in [1, 10, 20] {
        bucket.fault("hang", after);
        let mut killed = app.command(&["run"]).stderr(Stdio::null()).spawn().unwrap();
        wait_for("an upload that hangs", || {
            bucket.take_requests().iter().any(|[.., fault]| fault == "hang").then_some(())
        });
        kill_program(&mut killed);
        bucket.fault("none", 0);
        app.later(1);
    }
    bucket.take_requests();
    app.ok(&["run"]);
    twin.later(3).ok(&["run"]);
    assert_alike(&bucket, &twin);
    let (uploads, all) = (bucket.take_uploads(PREFIX).len(), files(&twin.path("public")).len());
    assert!(uploads < all, "{uploads} of {all} were uploaded at the end");
}

#[test]
fn what_somebody_deleted_or_overwrote_in_the_bucket_is_there_again() {
    let (server, bucket) = (Server::always(Reply::ok(stories(0..120))), S3Server::start());
    let (mut app, mut twin) = twins(&server, &bucket);
    twin.ok(&["run"]);
    app.ok(&["run"]);
    bucket.take_requests();
    let issue = published(&bucket)
        .into_keys()
        .find(|path| path.starts_with("issues/") && path != "issues/index.html")
        .unwrap();
    let lost = [
        "topics/budget/atom.xml",
        "archive/1.xml",
        "days/2022-10-12.html",
        "privacy/en.html",
        &issue,
        "index.html",
    ];
    lost.iter().for_each(|path| bucket.delete(&format!("site/{path}")));
    bucket.put("site/rss.xml", "overwritten");
    app.later(1).run(&["publish"]);
    twin.later(1).ok(&["publish"]);
    assert_alike(&bucket, &twin);
    bucket.delete("");
    app.later(1).run(&["publish"]);
    twin.later(1).ok(&["publish"]);
    assert_alike(&bucket, &twin);
}

#[test]
fn a_folder_that_was_published_before_moves_into_the_bucket_and_back() {
    let (server, bucket) = (Server::always(Reply::ok(stories(0..120))), S3Server::start());
    let (mut app, _) = twins(&server, &bucket);
    let config = app.read("feeds.toml");
    app.write("feeds.toml", config.replace("to = \"s3://news/site\"\n", ""));
    app.ok(&["run"]);
    // What the store forgot since stands in the folder only. What is of other stories is of another time.
    let archive = app.read("public/archive/1.xml").replace("bears number 7.", "bore number 7.");
    app.write("public/archive/1.xml", &archive);
    let of_others = "<feed><id>urn:uuid:x</id></feed>";
    let cut = app.read("public/topics/budget/archive/1.xml");
    app.write("public/topics/budget/archive/1.xml", of_others);
    let database = rusqlite::Connection::open(app.path("courant.db")).unwrap();
    let forget = "DELETE FROM published_story WHERE publication = '' AND sort_date >= 1665532800000 AND sort_date < 1665619200000";
    assert!(database.execute(forget, []).unwrap() > 5);
    assert_eq!(database.execute("UPDATE issue SET text = '', html = ''", []).unwrap(), 1);
    app.write("feeds.toml", &config);
    app.later(1).ok(&["publish"]);
    app.write("public/topics/budget/archive/1.xml", cut);
    for (path, object) in published(&bucket) {
        // Feeds and pages are of what the store has now.
        if ["archive/", "days/2022-", "issues/", "topics/"].iter().any(|begin| path.starts_with(begin)) {
            assert!(app.read(&format!("public/{path}")).into_bytes() == object.bytes, "{path}");
        }
    }
    assert!(String::from_utf8_lossy(&published(&bucket)["archive/1.xml"].bytes).contains("bore number 7."));
    assert_eq!(published(&bucket).len(), files(&app.path("public")).len());
    server.answer(|_| Reply::ok(stories(0..130)));
    app.later(61).ok(&["run"]);
    assert!(!app.read("public/atom.xml").contains("number 128."));
    app.write("feeds.toml", config.replace("to = \"s3://news/site\"\n", ""));
    app.later(1).ok(&["publish"]);
    assert!(app.read("public/atom.xml").contains("number 128."));
}

#[test]
fn a_worker_that_lost_its_lease_uploads_no_more() {
    let (server, bucket) = (Server::always(Reply::ok(stories(0..120))), S3Server::start());
    let (mut app, _) = twins(&server, &bucket);
    app.set([("AWS_TIMEOUT", "30s".to_owned())]);
    app.ok(&["fetch"]);
    bucket.fault("hang", 20);
    let slow = app.command(&["publish"]).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    wait_for("an upload that hangs", || {
        bucket.take_requests().iter().any(|[.., fault]| fault == "hang").then_some(())
    });
    let store = rusqlite::Connection::open(app.path("courant.db")).unwrap();
    store.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let taken = "UPDATE lease SET worker = 'another', attempt = attempt + 1 WHERE queue = 'publisher'";
    assert_eq!(store.execute(taken, []).unwrap(), 1);
    bucket.fault("none", 0);
    let ran = Ran::from(slow.wait_with_output().unwrap());
    assert!(ran.code == 1 && ran.stderr.contains("another process took over publishing"), "{}", ran.stderr);
    // Those that were under way come to an end; no others begin.
    let begun = published(&bucket).len();
    assert!(begun <= 64, "{begun}");
    assert_eq!(store.execute("UPDATE lease SET lease_end = 0 WHERE queue = 'publisher'", []).unwrap(), 1);
    app.later(1).ok(&["publish"]);
    assert!(published(&bucket).contains_key("index.html"));
}

#[test]
fn a_server_answers_with_what_is_in_the_bucket_and_goes_on_when_that_fails() {
    let (server, bucket) = (Server::always(Reply::ok(stories(0..20))), S3Server::start());
    let (mut app, _) = twins(&server, &bucket);
    app.ok(&["run"]);
    let service = Service::start(app.later(1));
    wait_for("the first cycle", || service.said("cycle done").then_some(()));
    let get = |path: &str| service.ask("GET", path, "", "");
    assert_eq!(get("/"), (200, String::from_utf8(published(&bucket)["index.html"].bytes.clone()).unwrap()));
    assert_eq!((get("/topics/budget").0, get("/topics/budget/").0, get("/nothing.xml").0), (301, 200, 404));
    bucket.take_requests();
    for _ in 0..5 {
        assert_eq!((get("/").0, get("/nothing.xml").0, get("/../../x").0), (200, 404, 404));
    }
    assert!(bucket.take_requests().is_empty(), "what is known, or not there, is not asked for");
    bucket.fault("503", 0);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(get("/").0, 200);
    assert_eq!(get("/atom.xml").0, 503);
    bucket.fault("none", 0);
    assert_eq!(get("/atom.xml").0, 200);
    // Another machine publishes.
    server.answer(|_| Reply::ok(stories(0..30)));
    app.later(61).ok(&["run"]);
    wait_for("the new story", || get("/atom.xml").1.contains("number 28.").then_some(()));
}

#[test]
fn an_address_or_an_environment_that_leads_to_no_bucket_is_refused_in_words() {
    let mut app = App::new("");
    let base = app.read("feeds.toml");
    for (to, why) in [
        ("public/here", "is not the address of a bucket"),
        ("s3://N", "is not the name of a bucket"),
        ("gs://news", "only buckets of S3"),
        ("s3://me:geheim@news", "credentials do not belong here"),
    ] {
        app.write("feeds.toml", format!("{base}[publish]\nto = \"{to}\"\n"));
        let ran = app.run(&["check"]);
        assert!(
            ran.code == 2 && ran.stderr.contains(why) && !ran.stderr.contains("geheim"),
            "{to}: {}",
            ran.stderr
        );
    }
    app.write("feeds.toml", format!("{base}[publish]\nto = \"s3://news\"\n"));
    app.set([("AWS_SECRET_ACCESS_KEY", "geheim".to_owned())]);
    let ran = app.run(&["check"]);
    assert!(
        ran.code == 2 && ran.stderr.contains("AccessKeyId") && !ran.stderr.contains("geheim"),
        "{}",
        ran.stderr
    );
    app.set([("AWS_ACCESS_KEY_ID", "k".to_owned()), ("AWS_ENDPOINT_URL", "http://127.0.0.1:1".to_owned())]);
    let ran = app.run(&["check"]);
    assert!(ran.code == 2 && ran.stderr.contains("AWS_ALLOW_HTTP=true"), "{}", ran.stderr);
    app.set([("AWS_ALLOW_HTTP", "true".to_owned())]).ok(&["check"]);
    let ran = app.run(&["publish"]);
    assert!(
        ran.code == 1 && ran.stderr.contains("the store at http://127.0.0.1:1 does not answer"),
        "{}",
        ran.stderr
    );
}
