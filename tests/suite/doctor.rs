//! `courant doctor`: what it finds of an installation that is well, and of one that is not.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::support::dns::NameServer;
use crate::support::http::{Reply, Request, Server};
use crate::support::mail::Keys;
use crate::support::python::SmtpServer;
use crate::support::service::{Service, ask_whole};
use crate::support::{App, rss};

/// What a doctor found, and how the command ended.
struct Findings {
    list: Vec<Value>,
    code: i32,
}

impl Findings {
    fn of(app: &App, names: &NameServer) -> Findings {
        let ran = app.run(&["doctor", "--json", "--name-server", &names.address.to_string()]);
        let list =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr));
        Findings { list, code: ran.code }
    }

    /// The findings of a check that are in a state.
    #[track_caller]
    fn only(&self, check: &str, state: &str) -> Vec<&Value> {
        let found: Vec<&Value> = self.list.iter().filter(|finding| finding["check"] == check).collect();
        assert!(!found.is_empty(), "nothing is said of {check}: {:#?}", self.list);
        assert!(found.iter().all(|finding| finding["state"] == state), "{check} is not {state}: {found:#?}");
        found
    }

    /// A finding in this state, whose message has these words; its fix.
    #[track_caller]
    fn one(&self, check: &str, state: &str, words: &str) -> &str {
        let is_it = |finding: &&Value| {
            finding["check"] == check
                && finding["state"] == state
                && finding["message"].as_str().unwrap().contains(words)
        };
        let found = self.list.iter().find(is_it);
        let found = found.unwrap_or_else(|| panic!("{check} {state} {words}: {:#?}", self.list));
        found["fix"].as_str().unwrap_or_default()
    }
}

/// A web server in front of `courant serve`, at an address that is known before.
struct Front {
    server: Server,
    behind: Arc<Mutex<String>>,
}

impl Front {
    fn start() -> Front {
        let behind: Arc<Mutex<String>> = Arc::default();
        let address = behind.clone();
        let server = Server::start(move |request: &Request| {
            let address = address.lock().unwrap().clone();
            let answer = ask_whole(&address, &request.method, &request.target, "");
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            let mut reply = Reply::new(head[9..12].parse().unwrap(), body);
            for (name, value) in head.lines().skip(1).filter_map(|line| line.split_once(": ")) {
                if name.to_lowercase().starts_with("content-") && name.to_lowercase() != "content-length" {
                    reply = reply.with(name, value);
                }
            }
            reply
        });
        Front { server, behind }
    }
}

/// An installation with a mail server, signed mail, and a source whose server says what time it is.
fn installation(front: &Front, smtp: &SmtpServer, source: &Server, password: &str) -> (App, Keys) {
    let mut app = App::new("");
    let keys = Keys::make(&app);
    for key in ["rsa.pem", "ed25519.key"] {
        std::fs::set_permissions(app.path(key), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let certificate = smtp.certificate().display().to_string();
    app.write(
        "feeds.toml",
        app.read("feeds.toml").replace("https://news.example.org", front.server.url("").trim_end_matches('/')).replace(
            "[mail]\n",
            &format!(
                "[mail]\ntransport = \"smtp://localhost:{}\"\nusername = \"courant\"\npassword = \"env:SMTP_SECRET\"\nca_file = \"{certificate}\"\n",
                smtp.port
            ),
        ) + &format!("{}[[source]]\nid = \"s\"\nurl = \"{}\"\n", keys.config(), source.url("/feed")),
    );
    app.set([("SMTP_SECRET", password.to_owned())]);
    (app, keys)
}

fn clock_at(date: &'static str) -> Server {
    Server::start(move |request: &Request| {
        let reply = match request.target.as_str() {
            "/feed" => Reply::ok(rss(&[("a", "The bridge is open", 12, "text")])),
            _ => Reply::new(404, ""),
        };
        reply.with("Date", date)
    })
}

#[test]
fn an_installation_that_is_well_passes_and_each_record_that_lacks_is_said_as_it_has_to_be() {
    let (front, smtp, names) = (Front::start(), SmtpServer::start(), NameServer::start());
    let source = clock_at("Thu, 20 Oct 2022 08:00:10 GMT");
    let (app, keys) = installation(&front, &smtp, &source, "geheim");
    app.ok(&["fetch"]);
    app.ok(&["publish"]);
    let service = Service::start(&app);
    *front.behind.lock().unwrap() = service.address().to_owned();
    // A domain without any record: each fix says what to publish.
    let found = Findings::of(&app, &names);
    assert_eq!(found.code, 1);
    for check in
        ["configuration", "store", "tls", "templates", "smtp", "dns", "address", "unsubscribe", "clock"]
    {
        found.only(check, "ok");
    }
    assert!(found.one("spf", "failed", "does not say which servers").contains("v=spf1 mx -all"));
    assert!(found.one("dmarc", "failed", "has no DMARC record").contains("TXT record at _dmarc.example.org"));
    assert_eq!(found.only("dkim", "failed").len(), 2);
    for selector in ["rsa", "ed"] {
        let fix = found.one("dkim", "failed", &format!("no key at {selector}._domainkey.example.org"));
        let record = fix.split_once("example.org: ").unwrap().1;
        assert_eq!(record, keys.record(&app, selector), "as another program makes it");
        names.set_texts(&format!("{selector}._domainkey.example.org"), &[record]);
    }
    names.set_texts("example.org", &["v=spf1 mx -all", "some-site-verification=1"]);
    names.set_texts("_dmarc.example.org", &["v=DMARC1; p=none"]);
    let found = Findings::of(&app, &names);
    assert_eq!(found.code, 0, "{:#?}", found.list);
    for check in ["spf", "dkim", "dmarc", "ptr"] {
        found.only(check, "ok");
    }
    let said = app.ok(&["doctor", "--name-server", &names.address.to_string()]);
    assert!(
        said.contains("ok           smtp           localhost:") && said.contains("checks passed, "),
        "{said}"
    );
    assert!(smtp.mails().is_empty(), "nothing is sent");
    // Records that are there and do not fit.
    names.set_texts("example.org", &["v=spf1 +all"]);
    names.set_texts("rsa._domainkey.example.org", &["v=DKIM1; p=AAAA"]);
    names.set_texts("_dmarc.example.org", &["v=DMARC1; p=none", "v=DMARC1; p=reject"]);
    let found = Findings::of(&app, &names);
    found.one("spf", "failed", "lets everybody send");
    found.one("dkim", "failed", "has another key");
    found.one("dkim", "ok", "ed._domainkey.example.org");
    found.one("dmarc", "failed", "has 2 DMARC records");
}

#[test]
fn what_is_wrong_around_courant_is_said_with_what_to_do() {
    let (front, smtp, names) = (Front::start(), SmtpServer::start(), NameServer::start());
    let source = clock_at("Thu, 20 Oct 2022 10:00:00 GMT");
    let (app, _) = installation(&front, &smtp, &source, "wrong");
    app.ok(&["fetch"]);
    app.ok(&["publish"]);
    // A web server that serves the files itself, under types of its own, and hands nothing over.
    front.server.answer(|request: &Request| match request.target.as_str() {
        "/" => Reply::redirect(301, "https://www.example.org/"),
        "/atom.xml" => Reply::new(200, "<feed/>").with("Content-Type", "text/xml"),
        "/rss.xml" => Reply::ok("<rss/>"),
        _ => Reply::html("<p>Nothing here</p>"),
    });
    let found = Findings::of(&app, &names);
    assert_eq!(found.code, 1);
    assert!(found.one("smtp", "failed", "it refuses the login").contains("username and password"));
    assert!(
        found
            .one("address", "failed", "atom.xml is sent with the Content-Type text/xml")
            .contains("application/atom+xml")
    );
    found.one("address", "warning", "is redirected to https://www.example.org/");
    found.one("address", "ok", "rss.xml");
    assert!(found.one("unsubscribe", "failed", "is not answered by courant").contains("GET and POST"));
    assert!(found.one("clock", "failed", "the clock is 7200 s away").contains("time service"));
    // Nobody answers at the address, at the mail server, and as a name server.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = app
        .read("feeds.toml")
        .replace(front.server.url("").trim_end_matches('/'), &format!("http://{nobody}"));
    app.write(
        "feeds.toml",
        text.replace(&format!("localhost:{}", smtp.port), &format!("localhost:{}", nobody.port())),
    );
    let ran = app.run(&["doctor", "--name-server", &nobody.to_string()]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    for wanted in
        ["failed       address        http://127.0.0.1", "failed       smtp ", "failed       dns ", "  > "]
    {
        assert!(ran.stdout.contains(wanted), "{wanted} is not in {}", ran.stdout);
    }
    assert!(ran.stderr.contains("checks failed"), "{}", ran.stderr);
}

#[test]
fn links_that_another_store_signed_are_found() {
    let (front, names) = (Front::start(), NameServer::start());
    let app = |front: &Front| {
        let app = App::new("");
        let address = front.server.url("");
        app.write(
            "feeds.toml",
            app.read("feeds.toml").replace("https://news.example.org", address.trim_end_matches('/')),
        );
        app.ok(&["run"]);
        app
    };
    let (served, other) = (app(&front), app(&front));
    let service = Service::start(&served);
    *front.behind.lock().unwrap() = service.address().to_owned();
    Findings::of(&served, &names).only("unsubscribe", "ok");
    let found = Findings::of(&other, &names);
    assert!(found.one("unsubscribe", "failed", "a courant with another store").contains("[store]"));
    // Mail goes to a folder: nothing of it is looked at, and no server is asked.
    for check in ["dns", "smtp", "spf", "dkim", "dmarc", "ptr"] {
        found.only(check, "not_checked");
    }
}

#[test]
fn what_check_finds_is_found_and_a_faulty_configuration_is_refused_as_everywhere() {
    let names = NameServer::start();
    let app = App::new("[[mail.dkim]]\ndomain = \"x.example\"\nselector = \"s\"\nkey = \"file:none.pem\"\n");
    app.write("none.pem", "this is no key");
    app.write("templates/digest/body.html", "{% if %}");
    let found = Findings::of(&app, &names);
    assert_eq!(found.code, 1);
    found.one("configuration", "failed", "[[mail.dkim]]: ");
    found.one("templates", "failed", "digest/body.html");
    app.write("feeds.toml", "version = 1\nform = \"x\"\n");
    let ran = app.run(&["doctor"]);
    assert!(ran.code == 2 && ran.stderr.contains("form"), "{}", ran.stderr);
}
