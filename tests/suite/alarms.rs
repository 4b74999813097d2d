//! Alarms: what is wrong is told once by mail, to webhooks and in a private feed, and again when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::admin::{mended, signed_in};
use crate::support::dns::NameServer;
use crate::support::http::{Reply, Server};
use crate::support::mail::Keys;
use crate::support::python::{HttpsServer, SmtpServer};
use crate::support::service::Service;
use crate::support::{App, python, rss};

/// A server with a feed that breaks when told to, shows more items as `shown` grows, and takes what webhooks are told.
struct World {
    server: Server,
    shown: Arc<AtomicUsize>,
    is_broken: Arc<AtomicBool>,
}

impl World {
    fn new() -> World {
        let (shown, is_broken) = (Arc::new(AtomicUsize::new(1)), Arc::new(AtomicBool::new(false)));
        let (items, broken) = (shown.clone(), is_broken.clone());
        let server = Server::start(move |request| match request.target.as_str() {
            "/feed" if broken.load(Ordering::Relaxed) => Reply::new(500, "trouble"),
            "/feed" => {
                let count = items.load(Ordering::Relaxed);
                let texts: Vec<[String; 3]> = (0..count)
                    .map(|n| {
                        [format!("g{n}"), format!("Story number {n}"), format!("Text {n} of its own words")]
                    })
                    .collect();
                let items: Vec<(&str, &str, u8, &str)> = texts
                    .iter()
                    .map(|[guid, title, text]| (guid.as_str(), title.as_str(), 20, text.as_str()))
                    .collect();
                Reply::ok(rss(&items))
            }
            _ => Reply::new(204, ""),
        });
        World { server, shown, is_broken }
    }

    fn app(&self, rest: &str) -> App {
        let (feed, hook) = (self.server.url("/feed"), self.server.url("/hook"));
        let source = format!(
            "[[source]]\nid = \"s\"\npartner = \"Partner\"\nkind = \"feed\"\nurl = \"{feed}\"\ninterval = \"1h\"\n"
        );
        let webhook = format!(
            "[[webhook]]\nid = \"ops\"\nurl = \"{hook}\"\nsecret = \"env:HOOK_SECRET\"\nevents = [\"alarm.raised\", \"alarm.ended\"]\n"
        );
        let mut app = App::new(&format!("{source}{webhook}{rest}"));
        app.set([("HOOK_SECRET", "geheim".to_owned())]);
        let text = app.read("feeds.toml").replace("[mail]\n", "[mail]\noperator = [\"op@example.org\"]\n");
        app.write("feeds.toml", text);
        app
    }

    /// The events of alarms since the last time: type, kind and subject.
    fn told(&self) -> Vec<[String; 3]> {
        let requests = self.server.take_requests().into_iter().filter(|request| request.target == "/hook");
        let told = requests.map(|request| {
            let event: Value = serde_json::from_slice(&request.body).unwrap();
            [&event["type"], &event["data"]["kind"], &event["data"]["subject"]]
                .map(|text| text.as_str().unwrap().to_owned())
        });
        told.collect()
    }
}

fn event(event: &str, kind: &str, subject: &str) -> [String; 3] {
    [event, kind, subject].map(str::to_owned)
}

/// Mails that contain a text.
fn mails_with(app: &App, text: &str) -> usize {
    app.outbox().iter().filter(|mail| mail.replace("=\r\n", "").replace("\r\n", " ").contains(text)).count()
}

#[test]
fn a_broken_source_is_told_once_and_again_when_it_works() {
    let world = World::new();
    let mut app = world.app("");
    app.ok(&["run"]);
    assert_eq!(app.ok(&["alarms"]), "nothing is wrong\n");
    world.is_broken.store(true, Ordering::Relaxed);
    for _ in 0..5 {
        app.later(24 * 60).run(&["run"]);
    }
    assert_eq!(world.told(), [event("alarm.raised", "source.broken", "s")]);
    let listed = app.ok(&["alarms"]);
    assert!(listed.contains("source.broken") && listed.contains("failed 3 times in a row"), "{listed}");
    assert_eq!(mails_with(&app, "failed 3 times in a row"), 1, "the mail of always, and no other one");
    world.is_broken.store(false, Ordering::Relaxed);
    app.later(24 * 60).ok(&["run"]);
    app.later(24 * 60).ok(&["run"]);
    assert_eq!(world.told(), [event("alarm.ended", "source.broken", "s")]);
    assert_eq!(app.ok(&["alarms"]), "nothing is wrong\n");
    let all: Value = serde_json::from_str(&app.ok(&["alarms", "--all", "--format", "json"])).unwrap();
    assert!(all[0]["kind"] == "source.broken" && all[0]["ended"].is_string(), "{all}");
}

#[test]
fn a_source_is_stale_when_it_is_silent_for_much_longer_than_ever() {
    let world = World::new();
    let mut app = world.app("");
    for count in 1..=8 {
        world.shown.store(count, Ordering::Relaxed);
        app.later(24 * 60).ok(&["run"]);
    }
    app.later(13 * 24 * 60).ok(&["run"]);
    assert!(world.told().is_empty());
    app.later(3 * 24 * 60).ok(&["run"]);
    app.later(24 * 60).ok(&["run"]);
    assert_eq!(world.told(), [event("alarm.raised", "source.stale", "s")]);
    assert_eq!(mails_with(&app, "has brought nothing for"), 1);
    world.shown.store(9, Ordering::Relaxed);
    app.later(24 * 60).ok(&["run"]);
    assert_eq!(world.told(), [event("alarm.ended", "source.stale", "s")]);
    assert_eq!(mails_with(&app, "brings news again"), 1);
}

#[test]
fn an_issue_that_waits_past_its_time_and_a_disk_without_room_are_told_together() {
    let world = World::new();
    let digest = "[[digest]]\nid = \"daily\"\nschedule = \"daily 06:00 UTC\"\nrecipients = [\"ana@example.org\"]\nwithout_answer = \"hold\"\n";
    let mut app = world.app(digest);
    app.ok(&["run"]);
    world.shown.store(2, Ordering::Relaxed);
    app.write("feeds.toml", app.read("feeds.toml") + "[alarms]\ndisk_mib = 1000000000\n");
    app.later(24 * 60).ok(&["run"]);
    let mut told = world.told();
    told.sort();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[1], event("alarm.raised", "disk.full", &told[1][2]));
    assert_eq!(told[0], event("alarm.raised", "digest.late", "digest daily"));
    let grouped = app.outbox();
    let mail = grouped.iter().find(|mail| mail.contains("To: op@example.org")).unwrap();
    assert!(mail.contains("MiB are free") && mail.contains("was not made"), "{mail}");
    app.ok(&["desk", "release"]);
    app.write("feeds.toml", app.read("feeds.toml").replace("disk_mib = 1000000000", "disk_mib = 0"));
    app.later(10).ok(&["run"]);
    app.later(10).ok(&["run"]);
    assert_eq!(world.told().len(), 2);
    assert_eq!(app.ok(&["alarms"]), "nothing is wrong\n");
}

#[test]
fn alarms_are_a_feed_for_whoever_has_its_address() {
    let world = World::new();
    let mut app = world.app("[alarms]\ndisk_mib = 1000000000\n");
    app.ok(&["run"]);
    app.write("feeds.toml", app.read("feeds.toml").replace("disk_mib = 1000000000", "disk_mib = 0"));
    app.later(60).ok(&["run"]);
    let link = app.ok(&["alarms", "--link"]);
    let path = link.trim().strip_prefix("https://news.example.org").unwrap().to_owned();
    let service = Service::start(&app);
    let (status, feed) = service.ask("GET", &path, "", "");
    assert_eq!(status, 200);
    app.write("alarms.xml", &feed);
    let read: Value =
        serde_json::from_str(&python::run("feed_read.py", &[app.path("alarms.xml").to_str().unwrap()]))
            .unwrap();
    assert!(feed.contains("has room again") && feed.contains("MiB are free"), "{feed}");
    assert_eq!(read["bozo"], json!(false), "{read}");
    for wrong in ["/alarms/", "/alarms/x", &path[..path.len() - 1]] {
        assert_eq!(service.ask("GET", wrong, "", "").0, 404, "{wrong}");
    }
}

#[test]
fn a_webhook_that_accepts_nothing_is_told_by_mail() {
    let refusing = Server::start(|_| Reply::new(500, ""));
    let world = World::new();
    let hook = format!(
        "[[webhook]]\nid = \"site\"\nurl = \"{}\"\nsecret = \"env:HOOK_SECRET\"\nevents = [\"story.published\"]\n",
        refusing.url("/")
    );
    let mut app = world.app(&hook);
    app.ok(&["run"]);
    world.shown.store(2, Ordering::Relaxed);
    for _ in 0..5 {
        app.later(120).ok(&["run"]);
    }
    assert_eq!(world.told(), [event("alarm.raised", "outlet.failing", "webhook site")]);
    assert_eq!(mails_with(&app, "accepts nothing"), 1);
}

/// Replaces a part of the configuration.
fn change(app: &App, from: &str, to: &str) {
    let text = app.read("feeds.toml");
    assert!(text.contains(from), "{from} is not in {text}");
    app.write("feeds.toml", text.replace(from, to));
}

/// The kinds and subjects of the alarms now.
fn wrong(app: &App) -> Vec<[String; 2]> {
    let listed: Vec<Value> = serde_json::from_str(&app.ok(&["alarms", "--format", "json"])).unwrap();
    let text = |alarm: &Value, key: &str| alarm[key].as_str().unwrap().to_owned();
    listed.iter().map(|alarm| [text(alarm, "kind"), text(alarm, "subject")]).collect()
}

#[test]
fn certificates_that_are_about_to_end_are_told_together_once_and_again_when_they_were_renewed() {
    let feed = rss(&[("a", "The bridge is open", 12, "text")]);
    let (own, partner) = (HttpsServer::start_until(2040, &feed), HttpsServer::start_until(2040, &feed));
    let (smtp, hooked) = (SmtpServer::start_until(2040), World::new());
    let sources: String = ["p", "t"]
        .map(|id| {
            format!(
                "[[source]]\nid = \"{id}\"\nurl = \"{}\"\ninterval = \"30d\"\n",
                partner.url(&format!("/{id}"))
            )
        })
        .concat();
    let mut app = hooked.app(&sources);
    let authorities = std::fs::read_to_string(partner.certificate()).unwrap();
    app.write("ca.pem", authorities);
    change(&app, "https://news.example.org", own.url("").trim_end_matches('/'));
    change(&app, "[fetch]\n", "[fetch]\nca_file = \"ca.pem\"\n");
    let mail = format!(
        "[mail]\ntransport = \"smtp://localhost:{}\"\nusername = \"courant\"\npassword = \"env:SMTP_SECRET\"\nca_file = \"{}\"\n",
        smtp.port,
        smtp.certificate().display()
    );
    change(&app, "[mail]\n", &mail);
    app.set([("SMTP_SECRET", "geheim".to_owned())]);
    // There are no records, which is no alarm.
    let names = NameServer::start();
    app.write(
        "feeds.toml",
        app.read("feeds.toml") + &format!("[alarms]\nname_server = \"{}\"\n", names.address),
    );
    app.at("2039-12-01T08:00:00Z").ok(&["run"]);
    assert_eq!((hooked.told(), wrong(&app)), (vec![], vec![]));
    app.at("2039-12-25T08:00:00Z").ok(&["run"]);
    let host = |url: String| url.trim_start_matches("https://").trim_end_matches('/').to_owned();
    let mut names = [
        format!("the certificate of {}", host(own.url("/"))),
        format!("the certificate of {}", host(partner.url("/"))),
        format!("the certificate of the mail server localhost:{}", smtp.port),
    ];
    names.sort();
    let raised = names.clone().map(|name| event("alarm.raised", "certificate.ending", &name));
    let mut told = hooked.told();
    told.sort();
    assert_eq!(told, raised, "two sources of one server have one certificate");
    let mails: Vec<String> =
        smtp.mails().iter().map(|mail| mail.replace("=\r\n", "").replace("=\n", "")).collect();
    assert_eq!(mails.len(), 1, "{mails:?}");
    let mail = mails[0].split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(mail.contains("ends on 2040-01-01, in 6 days") && mail.contains("has to renew it"), "{mail}");
    app.later(60).ok(&["run"]);
    app.later(24 * 60).ok(&["run"]);
    assert_eq!((hooked.told().len(), smtp.mails().len()), (0, 1), "once");
    own.renew(2041);
    app.later(60).ok(&["run"]);
    assert!(hooked.told().is_empty(), "it is looked at once a day");
    app.later(24 * 60).ok(&["run"]);
    let renewed = format!("the certificate of {}", host(own.url("/")));
    assert_eq!(hooked.told(), [event("alarm.ended", "certificate.ending", &renewed)]);
    assert!(smtp.mails().last().unwrap().contains("was renewed"));
    assert_eq!(wrong(&app).len(), 2);
    // One that has ended is no other alarm; who learns of it late is told so.
    let late = HttpsServer::start_until(2021, &feed);
    change(&app, partner.url("/p").as_str(), late.url("/p").as_str());
    app.later(60).run(&["run"]);
    let listed = app.ok(&["alarms"]);
    assert!(listed.contains("ended on 2021-01-01: whoever runs the server has to renew it"), "{listed}");
    let link = app.ok(&["alarms", "--link"]);
    let path = format!("/alarms/{}", link.trim().rsplit('/').next().unwrap());
    let (_, feed) = Service::start(&app).ask("GET", &path, "", "");
    assert!(
        feed.contains("was renewed, and does not end soon") && feed.contains("ends on 2040-01-01"),
        "{feed}"
    );
}

#[test]
fn a_record_that_was_there_and_is_no_longer_is_told_and_one_that_never_was_is_not() {
    let (smtp, names, world) = (SmtpServer::start(), NameServer::start(), World::new());
    let mut app = world.app("");
    let keys = Keys::make(&app);
    let mail = format!(
        "[mail]\ntransport = \"smtp://localhost:{}\"\nusername = \"courant\"\npassword = \"env:SMTP_SECRET\"\nca_file = \"{}\"\n",
        smtp.port,
        smtp.certificate().display()
    );
    change(&app, "[mail]\n", &mail);
    app.set([("SMTP_SECRET", "geheim".to_owned())]);
    let rest = format!("{}[alarms]\nname_server = \"{}\"\n", keys.config(), names.address);
    app.write("feeds.toml", app.read("feeds.toml") + &rest);
    let publish = || {
        names.set_texts("example.org", &["v=spf1 mx -all"]);
        names.set_texts("_dmarc.example.org", &["v=DMARC1; p=none"]);
        names.set_texts("rsa._domainkey.example.org", &[&keys.record(&app, "rsa")]);
    };
    app.ok(&["run"]);
    assert!(world.told().is_empty(), "nothing was ever there");
    publish();
    let mut app = app;
    app.later(25 * 60).ok(&["run"]);
    assert!(world.told().is_empty());
    names.set_texts("example.org", &["some-site-verification=1"]);
    names.set_texts("_dmarc.example.org", &[]);
    names.set_texts("rsa._domainkey.example.org", &["v=DKIM1; p="]);
    app.later(60).ok(&["run"]);
    assert!(world.told().is_empty(), "it is looked at once a day");
    names.take_asked("");
    // Two processes at once: one of them looks.
    app.later(24 * 60);
    let mut both = [app.command(&["run"]).spawn().unwrap(), app.command(&["run"]).spawn().unwrap()];
    both.iter_mut().for_each(|run| assert!(run.wait().unwrap().success()));
    assert_eq!(names.take_asked("example.org"), 1);
    let subjects = ["DKIM at rsa._domainkey.example.org", "DMARC of example.org", "SPF of example.org"];
    let mut told = world.told();
    told.sort();
    assert_eq!(told, subjects.map(|subject| event("alarm.raised", "record.gone", subject)));
    let listed = app.ok(&["alarms"]);
    for wanted in [
        "was there until 2022-10-21",
        "does not say which servers send its mail: publish a TXT record at example.org",
        "has no DMARC record",
        "is revoked: publish a TXT record at rsa._domainkey.example.org",
    ] {
        assert!(listed.contains(wanted), "{wanted} is not in {listed}");
    }
    let of_alarms = || smtp.mails().iter().filter(|mail| mail.contains("DMARC of example.org")).count();
    assert_eq!(of_alarms(), 1);
    app.later(25 * 60).ok(&["run"]);
    assert!(world.told().is_empty(), "once");
    names.set_texts("example.org", &["v=spf1 mx -all"]);
    names.set_texts("_dmarc.example.org", &["v=DMARC1; p=none"]);
    names.set_texts("rsa._domainkey.example.org", &[&keys.record(&app, "rsa")]);
    app.later(25 * 60).ok(&["run"]);
    let mut told = world.told();
    told.sort();
    assert_eq!(told, subjects.map(|subject| event("alarm.ended", "record.gone", subject)));
    assert_eq!((of_alarms(), app.ok(&["alarms"]).as_str()), (2, "nothing is wrong\n"));
}

#[test]
fn a_page_without_a_listing_is_told_as_such_and_once() {
    let world = World::new();
    let page =
        Server::start(|_| Reply::html("<title>Closed</title><main><p>This site is closed.</p></main>"));
    let mut app = world.app(&format!(
        "[[source]]\nid = \"p\"\nkind = \"page\"\nurl = \"{}\"\ninterval = \"1h\"\n",
        page.url("/news")
    ));
    for _ in 0..5 {
        app.later(24 * 60).ok(&["run"]);
    }
    assert_eq!(world.told(), [event("alarm.raised", "source.no_listing", "p")]);
    let listed = app.ok(&["alarms"]);
    assert!(
        listed.contains("shows no listing, 3 times in a row") && listed.contains("give it a [source.select]"),
        "{listed}"
    );
    assert_eq!(mails_with(&app, "failed 3 times in a row: no listing found"), 1);
    let items: String = (1..8)
        .map(|n| format!("<article><h2><a href=\"/2022/10/{n}\">The long title of story number {n} of this page</a></h2><time datetime=\"2022-10-0{n}\">{n} October 2022</time><p>What happened there, told in a few words of its own.</p></article>"))
        .collect();
    let news = format!("<title>News</title><main>{items}</main>");
    page.answer(move |_| Reply::html(news.clone()));
    app.later(24 * 60).ok(&["run"]);
    assert_eq!(world.told(), [event("alarm.ended", "source.no_listing", "p")]);
    assert_eq!(app.ok(&["alarms"]), "nothing is wrong\n");
}

#[test]
fn a_mended_page_is_an_alarm_until_somebody_judges_the_new_selectors() {
    let (_server, mut app) = mended();
    change(&app, "[mail]\n", "[mail]\noperator = [\"op@example.org\"]\n");
    for _ in 0..2 {
        app.later(61).ok(&["run"]);
    }
    assert_eq!(wrong(&app), [["source.mended".to_owned(), "s".to_owned()]]);
    let listed = app.ok(&["alarms"]);
    assert!(listed.contains("mended on 2022-10-20") && listed.contains("under /admin"), "{listed}");
    assert_eq!(mails_with(&app, "mended on 2022-10-20"), 1, "whoever mended it has said so");
    let service = Service::start(&app);
    let olga = signed_in(&service, "olga");
    assert_eq!(olga.send("/admin/source", &[("id", "s"), ("do", "accept")]).status, 303);
    drop(service);
    app.later(61).ok(&["run"]);
    assert_eq!(wrong(&app), Vec::<[String; 2]>::new());
    assert_eq!(mails_with(&app, "somebody chose again"), 1);
}
