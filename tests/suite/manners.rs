//! How `serve` behaves under a service manager, and what is printed on a terminal.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::http::{Reply, Server};
use crate::support::service::{METRICS, Service};
use crate::support::{App, header, rss, wait_for};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

fn source(id: &str, server: &Server) -> String {
    format!("[[source]]\nid = \"{id}\"\nlang = \"en\"\nurl = \"{}\"\n", server.url(&format!("/{id}")))
}

fn news(title: &str) -> Server {
    Server::always(Reply::ok(rss(&[(&title.replace(' ', "-"), title, 12, "text")])))
}

/// The page of the channel, once it has a text.
fn wait_for_page(service: &Service, text: &str) -> String {
    wait_for(text, || Some(service.ask("GET", "/", "", "").1).filter(|page| page.contains(text)))
}

#[test]
fn a_service_tells_its_manager_that_it_is_ready_works_reads_its_configuration_and_ends() {
    let server = news("The bridge is open");
    let mut app = App::new(&source("s", &server));
    let place = app.path("manager");
    let manager = UnixDatagram::bind(&place).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let heard = |wanted: &str| {
        let mut bytes = [0; 512];
        loop {
            let length = manager.recv(&mut bytes).unwrap_or_else(|error| panic!("{wanted}: {error}"));
            let said = String::from_utf8(bytes[..length].to_vec()).unwrap();
            if said.starts_with(wanted) {
                return said;
            }
        }
    };
    app.set([("NOTIFY_SOCKET", place.to_str().unwrap().to_owned()), ("WATCHDOG_USEC", "200000".to_owned())]);
    let service = Service::start(&app);
    assert!(heard("READY=1").contains("\nSTATUS="));
    heard("WATCHDOG=1");
    service.signal("HUP");
    let said = heard("RELOADING=1");
    let time: u64 = said.split("MONOTONIC_USEC=").nth(1).unwrap().parse().unwrap();
    assert!(time > 0);
    heard("READY=1");
    heard("WATCHDOG=1");
    service.signal("TERM");
    heard("STOPPING=1");
}

/// Starts a service with a socket that is open already, as systemd gives it: as the third file, with a count of them.
fn start_with(app: &App, listener: &TcpListener) -> Service {
    let whole = app.command_within("900", &["-v", "serve", "--listen", "127.0.0.1:1"]);
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec 3<&0 </dev/null; exec \"$@\"", "sh"])
        .arg(whole.get_program())
        .args(whole.get_args())
        .current_dir(app.folder())
        .env("LISTEN_FDS", "1")
        .stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())));
    Service::of(command)
}

#[test]
fn a_restart_behind_an_open_socket_loses_no_request() {
    let app = App::new("");
    app.ok(&["run"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let wish = || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        stream
    };
    for _ in 0..2 {
        // Nobody serves yet.
        let mut waiting = wish();
        let service = start_with(&app, &listener);
        assert_eq!(service.address(), address.to_string());
        let mut answer = String::new();
        waiting.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        // Who was let in and has not asked yet is answered before the service goes.
        let mut slow = TcpStream::connect(address).unwrap();
        wish().read_to_string(&mut answer).unwrap();
        service.signal("TERM");
        std::thread::sleep(Duration::from_millis(100));
        slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        slow.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let two = app.command_within("60", &["serve"]).env("LISTEN_FDS", "2").output().unwrap();
    let said = String::from_utf8(two.stderr).unwrap();
    assert!(!two.status.success() && said.contains("name one ListenStream="), "{said}");
}

#[test]
fn sighup_has_sources_texts_templates_and_mail_settings_read_again() {
    let (one, two) = (news("The bridge is open"), news("A library in the old mill"));
    let app = App::new(&format!("{}[newsletter]\ncontact = \"p@example.org\"\n", source("one", &one)));
    let service = Service::start(&app);
    wait_for_page(&service, "The bridge is open");
    app.write("locales/en.ftl", "subscribe = Join our readers\n");
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/planet/index.html"));
    app.write("templates/planet/index.html", page.unwrap().replacen("</main>", "<p>Own foot</p></main>", 1));
    app.configure(&format!(
        "{}{}[newsletter]\ncontact = \"p@example.org\"\n",
        source("one", &one),
        source("two", &two)
    ));
    let text = app.read("feeds.toml").replace("News <news@example.org>", "Town news <town@example.org>");
    app.write("feeds.toml", text);
    service.signal("HUP");
    wait_for("the reload", || service.said("is read again").then_some(()));
    let page = wait_for_page(&service, "A library in the old mill");
    assert!(page.contains("The bridge is open") && page.contains("Own foot"), "{page}");
    let form = service.ask("GET", "/subscribe?l=en", "", "").1;
    assert!(form.contains("Join our readers"), "{form}");
    let token = form.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let body = format!("form={token}&address=ana%40example.com&cadence=weekly&hour=8&timezone=UTC");
    assert_eq!(service.ask("POST", "/subscribe", FORM, &body).0, 200);
    let mail = wait_for("a confirmation", || app.outbox().into_iter().next());
    assert!(header(&mail, "From").contains("town@example.org"), "{mail}");
}

#[test]
fn a_faulty_configuration_is_told_and_the_one_of_before_stays() {
    let server = news("The bridge is open");
    let rest = format!("{}{METRICS}", source("s", &server));
    let app = App::new(&rest);
    let service = Service::start(&app);
    wait_for_page(&service, "The bridge is open");
    app.write("locales/en.ftl", "subscribe = { broken\n");
    app.write("feeds.toml", app.read("feeds.toml").replace("[channel]", "[channel]\ntitel = \"x\""));
    service.signal("HUP");
    for said in ["the configuration of before stays", "did you mean \"title\"?", "en.ftl:1: cannot be read"] {
        wait_for(said, || service.said(said).then_some(()));
    }
    // A template that is broken only shows when all is put together.
    app.write("locales/en.ftl", "");
    app.configure(&rest);
    app.write("templates/planet/index.html", "{% if %}");
    service.signal("HUP");
    wait_for("the template", || service.said("planet/index.html").then_some(()));
    assert!(service.ask("GET", "/", "", "").1.contains("The bridge is open"));
    // What cannot change is named, and all else does.
    std::fs::remove_dir_all(app.path("templates")).unwrap();
    app.write(
        "feeds.toml",
        app.read("feeds.toml").replace("127.0.0.1:0", "127.0.0.1:1").replace("\"Test\"", "\"Other\""),
    );
    service.signal("HUP");
    wait_for_page(&service, "Other");
    assert!(service.said("[serve] metrics changed") && service.said("started again"));
    assert!(service.metrics().contains("courant_cycles_total"));
}

#[test]
fn readiness_says_when_the_work_stands_still_or_failed() {
    let is_open = Arc::new(AtomicBool::new(false));
    let gate = is_open.clone();
    let server = Server::start(move |_| {
        while !gate.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
        Reply::ok(rss(&[("a", "The bridge is open", 12, "text")]))
    });
    // The first line belongs to [fetch].
    let rest = format!(
        "timeout = \"10m\"\ndeadline = \"10m\"\n{}[serve]\nstalled_after = \"1s\"\n",
        source("s", &server)
    );
    let app = App::new(&rest);
    let service = Service::start(&app);
    let ready = || service.ask("GET", "/readyz", "", "");
    let until = |wanted: u16| {
        wait_for("readiness", || Some(ready()).filter(|(status, _)| *status == wanted).map(|found| found.1))
    };
    assert!(until(503).contains("no further for"));
    assert_eq!(service.ask("GET", "/healthz", "", "").0, 200, "the process lives");
    is_open.store(true, Ordering::Relaxed);
    until(200);
    // A cycle that fails.
    wait_for("the end of the cycle", || service.said("cycle done").then_some(()));
    std::fs::remove_dir_all(app.path("public")).unwrap();
    app.write("public", "a file in the place of a folder");
    app.configure(&rest.replace("[[source]]", "[[source]]\npartner = \"Town\""));
    service.signal("HUP");
    assert!(until(503).contains("the last cycle failed"));
    std::fs::remove_file(app.path("public")).unwrap();
    service.signal("HUP");
    until(200);
}

/// Both ends of a terminal of so many columns.
fn terminal(columns: u16) -> (std::fs::File, std::fs::File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = std::fs::OpenOptions::new().read(true).write(true).open(name).unwrap();
    let size = rustix::termios::Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&theirs, size).unwrap();
    (std::fs::File::from(ours), theirs)
}

/// What a command writes to standard error where that is a terminal.
fn on_a_terminal(app: &App, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let (ours, theirs) = terminal(80);
    let mut command = app.command(arguments);
    command.env_remove("NO_COLOR").env("TERM", "xterm").envs(variables.iter().copied());
    let mut child = command.stderr(Stdio::from(theirs)).stdout(Stdio::null()).spawn().unwrap();
    // It holds the other end as well, which would keep the terminal open.
    drop(command);
    let said = read_terminal(ours);
    child.wait().unwrap();
    said
}

/// What is written to a terminal until nobody has it open any more, which it answers with an error.
fn read_terminal(mut ours: std::fs::File) -> String {
    let (mut said, mut piece) = (Vec::new(), [0; 1024]);
    while let Ok(length @ 1..) = ours.read(&mut piece) {
        said.extend_from_slice(&piece[..length]);
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn lines_of_a_list_fit_the_terminal_and_are_whole_elsewhere() {
    let title = "A bridge with a name that is far too long for a terminal of sixty columns is open again";
    let server = news(title);
    let app = App::new(&source("s", &server));
    app.ok(&["fetch"]);
    for list in ["entries", "sources"] {
        let (ours, theirs) = terminal(60);
        let mut command = app.command(&[list]);
        let mut child = command.stdout(Stdio::from(theirs)).stderr(Stdio::null()).spawn().unwrap();
        drop(command);
        let said = read_terminal(ours);
        child.wait().unwrap();
        assert!(said.lines().count() > 0 && said.contains('…'), "{said}");
        assert!(said.lines().all(|line| line.chars().count() <= 60), "{said}");
    }
    assert!(app.ok(&["entries"]).contains(title));
}

#[test]
fn colours_and_bars_are_for_terminals_that_have_them() {
    let server = Server::always(Reply::new(404, ""));
    let app = App::new(&source("s", &server));
    let run = ["fetch", "--all"];
    assert!(on_a_terminal(&app, &run, &[]).contains("\u{1b}[33m"), "a warning is yellow");
    let plain = on_a_terminal(&app, &run, &[("TERM", "dumb")]);
    assert!(plain.contains("source failed") && !plain.contains('\u{1b}'), "{plain:?}");
    let plain = on_a_terminal(&app, &run, &[("NO_COLOR", "1")]);
    assert!(plain.contains("source failed") && !plain.contains("\u{1b}[33m"), "{plain:?}");
    assert!(!app.run(&run).stderr.contains('\u{1b}'), "a file and the journal have no colours");
}
