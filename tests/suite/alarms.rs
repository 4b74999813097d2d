//! Alarms: what is wrong is told once by mail, to webhooks and in a private feed, and again when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::http::{Reply, Server};
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
