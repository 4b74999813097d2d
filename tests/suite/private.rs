//! What is nobody else's business: the modes of files, links in the published folder, metrics.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::http::{Reply, Server};
use crate::support::service::{METRICS, Service};
use crate::support::{App, rss, wait_for};

const DAILY: &str = "[[digest]]\nid = \"d\"\ntitle = \"D\"\nlanguage = \"en\"\nschedule = \"daily 07:00 UTC\"\nrecipients = [\"ana@example.org\"]\n";

fn source() -> (Server, App) {
    let server =
        Server::always(Reply::ok(rss(&[("a", "A story", 18, "text"), ("b", "Another one", 19, "text")])));
    let app = App::new(&format!("{DAILY}[[source]]\nid = \"s\"\nurl = \"{}\"\n", server.url("/")));
    (server, app)
}

/// Runs the binary under a umask that lets everybody write.
#[track_caller]
fn run_openly(app: &App, arguments: &[&str]) {
    let whole = app.command(arguments);
    let status = Command::new("sh")
        .args(["-c", "umask 000 && exec \"$@\"", "sh"])
        .arg(whole.get_program())
        .args(whole.get_args())
        .current_dir(app.folder())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{arguments:?}");
}

/// The paths under a folder with their modes; links are not followed.
fn modes(folder: &Path, found: &mut Vec<(String, u32)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let known = entry.path().symlink_metadata().unwrap();
        found.push((entry.path().display().to_string(), known.permissions().mode() & 0o777));
        if known.is_dir() {
            modes(&entry.path(), found);
        }
    }
}

/// What others may read of a folder, besides what the test wrote and what is published.
fn readable_by_others(app: &App) -> Vec<String> {
    let mut found = Vec::new();
    modes(app.folder(), &mut found);
    let root = app.folder().display().to_string();
    found
        .into_iter()
        .map(|(path, mode)| (path[root.len() + 1..].to_owned(), mode))
        .filter(|(path, mode)| mode & 0o077 != 0 && path != "feeds.toml" && !path.starts_with("public"))
        .map(|(path, mode)| format!("{path} {mode:o}"))
        .collect()
}

#[test]
fn what_names_people_is_the_operator_s_alone_whatever_the_umask() {
    let (_server, mut app) = source();
    run_openly(&app, &["run"]);
    app.later(24 * 60);
    run_openly(&app, &["run"]);
    run_openly(&app, &["subscribers", "add", "ben@example.org"]);
    run_openly(&app, &["subscribers", "export", "list.csv"]);
    run_openly(&app, &["digest", "--preview", "ana@example.org"]);
    assert!(app.read("list.csv").contains("ben@example.org") && !app.outbox().is_empty());
    assert_eq!(readable_by_others(&app), [""; 0]);
    let published = app.path("public/atom.xml").metadata().unwrap().permissions().mode();
    assert_eq!(published & 0o444, 0o444, "what is published is for everybody");
    // As an earlier version left it.
    let mut all = Vec::new();
    modes(app.folder(), &mut all);
    std::fs::create_dir(app.path("outbox/sent")).unwrap();
    std::fs::write(app.path("outbox/sent/old.eml"), "To: ana@example.org\n\n").unwrap();
    modes(&app.path("outbox"), &mut all);
    for (path, mode) in &all {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode | 0o044 | ((mode & 0o100) >> 6)))
            .unwrap();
    }
    assert!(readable_by_others(&app).len() > 5, "{:?}", readable_by_others(&app));
    run_openly(&app, &["subscribers", "export", "list.csv"]);
    assert_eq!(readable_by_others(&app), [""; 0]);
}

#[test]
fn publishing_follows_no_link() {
    let (server, mut app) = source();
    app.ok(&["run"]);
    app.write("secret.txt", "geheim");
    let secret = app.path("secret.txt");
    std::fs::create_dir(app.path("elsewhere")).unwrap();
    std::fs::remove_file(app.path("public/atom.xml")).unwrap();
    std::fs::remove_file(app.path("public/rss.xml")).unwrap();
    for link in ["public/.publishing", "public/atom.xml", "public/.atom.xml.17.tmp"] {
        symlink(&secret, app.path(link)).unwrap();
    }
    assert!(Command::new("mkfifo").arg(app.path("public/rss.xml")).status().unwrap().success());
    server.answer(|_| Reply::ok(rss(&[("c", "A new story", 20, "text")])));
    app.later(60);
    app.ok(&["run"]);
    assert_eq!(app.read("secret.txt"), "geheim");
    assert!(app.read("public/atom.xml").contains("A new story"));
    for file in ["public/atom.xml", "public/rss.xml"] {
        assert!(app.path(file).symlink_metadata().unwrap().is_file(), "{file}");
    }
    // A folder that leads elsewhere is not replaced, since somebody may have meant it.
    std::fs::remove_dir_all(app.path("public/days")).unwrap();
    symlink(app.path("elsewhere"), app.path("public/days")).unwrap();
    server.answer(|_| Reply::ok(rss(&[("d", "The newest story", 20, "text")])));
    app.later(60);
    let ran = app.run(&["run"]);
    assert!(ran.code == 1 && ran.stderr.contains("symbolic links are not followed"), "{}", ran.stderr);
    assert_eq!(std::fs::read_dir(app.path("elsewhere")).unwrap().count(), 0);
}

#[test]
fn what_is_taken_away_or_replaced_is_published_again() {
    let (_server, app) = source();
    app.ok(&["run"]);
    let before = app.read("public/atom.xml");
    app.write("victim", "mine");
    std::fs::remove_file(app.path("public/atom.xml")).unwrap();
    std::os::unix::fs::symlink("../victim", app.path("public/atom.xml")).unwrap();
    std::fs::remove_file(app.path("public/rss.xml")).unwrap();
    assert!(app.ok(&["publish"]).contains("2 files written"));
    assert_eq!((app.read("public/atom.xml"), app.read("victim")), (before, "mine".to_owned()));
    assert!(!std::fs::symlink_metadata(app.path("public/atom.xml")).unwrap().is_symlink());
    assert!(app.ok(&["publish"]).contains("0 files written"));
}

#[test]
fn the_published_folder_itself_may_be_a_link() {
    let (_server, app) = source();
    std::fs::create_dir(app.path("www")).unwrap();
    symlink(app.path("www"), app.path("public")).unwrap();
    app.ok(&["run"]);
    assert!(app.read("www/atom.xml").contains("A story"));
    assert!(!app.path(".www.tmp").exists() && !app.path("www/.courant.tmp").exists());
}

#[test]
fn half_written_files_never_stand_where_web_servers_find_them() {
    let (_server, app) = source();
    app.ok(&["fetch"]);
    let mut run = app.command(&["publish"]).stdout(Stdio::null()).spawn().unwrap();
    let mut seen = Vec::new();
    while run.try_wait().unwrap().is_none() {
        if app.path("public").exists() {
            // Files come and go meanwhile.
            let out = Command::new("find").arg(app.path("public")).args(["-name", "*.tmp"]).output().unwrap();
            seen.push(String::from_utf8(out.stdout).unwrap());
        }
    }
    assert!(seen.iter().all(String::is_empty), "{seen:?}");
    assert!(!app.path(".public.tmp").exists());
    // Where they cannot be moved there from beside the folder, they stand in a folder that nobody else can enter.
    app.write(".public.tmp", "in the way");
    std::fs::remove_dir_all(app.path("public")).unwrap();
    let ran = app.run(&["publish"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("half-written files stand in").count(), 1, "{}", ran.stderr);
    assert_eq!(app.path("public/.courant.tmp").metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::read_dir(app.path("public/.courant.tmp")).unwrap().count(), 0);
    assert!(app.path("public/index.html").exists());
}

#[test]
fn only_regular_files_of_the_published_folder_are_served() {
    let (_server, app) = source();
    app.ok(&["run"]);
    app.write("secret.txt", "geheim");
    for (to, link) in [
        (app.path("secret.txt"), "public/leak.txt"),
        ("/etc/passwd".into(), "public/passwd.txt"),
        ("/dev/zero".into(), "public/zero.txt"),
        (app.folder().to_owned(), "public/all"),
        (app.path("public/archive"), "public/again"),
    ] {
        symlink(to, app.path(link)).unwrap();
    }
    assert!(Command::new("mkfifo").arg(app.path("public/pipe.txt")).status().unwrap().success());
    app.write("public/mine.txt", "of the operator");
    let service = Service::start(&app);
    let started = Instant::now();
    for path in [
        "/leak.txt",
        "/passwd.txt",
        "/zero.txt",
        "/all/feeds.toml",
        "/all/courant.db",
        "/all",
        "/again/1.xml",
        "/pipe.txt",
        "/pipe.txt",
        "/pipe.txt",
        "/pipe.txt",
        "/.courant.tmp/x",
    ] {
        let (status, body) = service.ask("GET", path, "", "");
        assert!(status == 404 && !body.contains("geheim"), "{path}: {status} {body}");
    }
    assert_eq!(service.ask("GET", "/healthz", "", "").0, 200);
    assert_eq!(service.ask("GET", "/mine.txt", "", "").1, "of the operator");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn metrics_are_not_for_readers_and_tell_nobody_who_is_on_the_list() {
    let (_server, app) = source();
    app.write("feeds.toml", app.read("feeds.toml") + METRICS + "[newsletter]\n");
    app.ok(&["run"]);
    app.ok(&["subscribers", "add", "ana@example.org"]);
    let service = Service::start(&app);
    assert_eq!(service.ask("GET", "/metrics", "", "").0, 404);
    wait_for("the first turn", || service.metrics().contains("courant_cycles_total 1\n").then_some(()));
    // Answers are counted as they come, and two of them are asked for.
    let numbers = || -> Vec<String> {
        let text = service.metrics();
        text.lines().filter(|line| !line.contains("http_responses")).map(str::to_owned).collect()
    };
    let before = numbers();
    let mails = app.outbox().len();
    for address in ["ana@example.org", "stranger@example.org"] {
        let body = format!("{{\"address\":\"{address}\"}}");
        assert_eq!(
            service.ask("POST", "/api/subscriptions", "Content-Type: application/json\r\n", &body).0,
            202
        );
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(numbers(), before, "{address}");
    }
    assert!(app.outbox().len() > mails, "a confirmation was sent meanwhile");
}
