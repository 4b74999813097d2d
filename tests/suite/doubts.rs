//! What mail servers say of readers over days, and to several processes: nobody is lost who shares it with others.

use std::process::{Child, Stdio};

use crate::support::http::{Reply, Server};
use crate::support::sink::{Sink, Whim};
use crate::support::{App, header, rss};

const OPERATOR: &str = "ops@example.org";
const GONE: &str = "550 5.1.1 No such user here";

fn story(name: &str) -> Reply {
    Reply::ok(rss(&[(name, &format!("What the council of {name} decided on Thursday"), 12, "text")]))
}

/// A channel with one story, and a daily digest of it.
fn app(server: &Server, sinks: &[&Sink], recipients: &[String]) -> App {
    let quoted =
        |list: Vec<String>| list.iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(",");
    let app = App::new("");
    app.write(
        "feeds.toml",
        format!(
            "version = 1\n[fetch]\nallow = [\"127.0.0.1\"]\n[mail]\nfrom = \"news@example.org\"\ntransport = [{}]\noperator = [\"{OPERATOR}\"]\n[newsletter]\ncontroller = \"The Network, 1 Main Street\"\ncontact = \"privacy@example.org\"\n[[source]]\nid = \"s\"\nlang = \"en\"\nurl = \"{}\"\n[[digest]]\nid = \"d\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [{}]\n",
            quoted(sinks.iter().map(|sink| sink.url()).collect()),
            server.url("/"),
            quoted(recipients.to_vec()),
        ),
    );
    app
}

fn people(count: usize, domain: &str) -> Vec<String> {
    (0..count).map(|n| format!("p{n}@{domain}")).collect()
}

fn suppressed(app: &App, recipients: &[String]) -> usize {
    let is_suppressed = |to: &&String| app.ok(&["subscribers", "show", to]).contains("suppressed: bounced");
    recipients.iter().filter(is_suppressed).count()
}

/// The first issue goes to everybody, on a Thursday; the second one is due a day later.
fn after_the_first_issue(server: &Server, app: &mut App) {
    app.at("2022-10-20T08:00:00Z").ok(&["run"]);
    server.answer(|_| story("Lima"));
    app.at("2022-10-21T08:00:00Z").ok(&["fetch", "--all"]);
}

#[test]
fn a_provider_that_forgets_a_share_of_its_users_for_a_day_costs_none_of_them() {
    let (server, sink) = (Server::always(story("Cusco")), Sink::start());
    let (big, others) = (people(40, "large.example"), people(20, "other.example"));
    let mut app = app(&server, &[&sink], &[big.clone(), others].concat());
    after_the_first_issue(&server, &mut app);
    // Every third of them, others each time.
    let turn = std::sync::atomic::AtomicUsize::new(0);
    sink.refuse(move |to| {
        let is_third = || turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst).is_multiple_of(3);
        (to.ends_with("@large.example") && is_third()).then_some(GONE)
    });
    let ran = app.run(&["run"]);
    assert!(ran.code == 4 && ran.stderr.contains("large.example"), "{}", ran.stderr);
    assert_eq!((suppressed(&app, &big), sink.taken()[OPERATOR]), (0, 1));
    for _ in 0..3 {
        app.later(60).run(&["run"]);
    }
    assert_eq!(suppressed(&app, &big), 0);
    sink.refuse(|_| None);
    app.later(8 * 60).run(&["run"]);
    app.later(8 * 60).ok(&["run"]);
    assert!(big.iter().all(|to| sink.taken()[to] == 2), "{:?}", sink.taken());
}

#[test]
fn a_reader_who_got_mail_before_is_gone_when_it_is_said_again_on_another_day() {
    let (server, sink) = (Server::always(story("Cusco")), Sink::start());
    let list = people(30, "large.example");
    let mut app = app(&server, &[&sink], &list);
    after_the_first_issue(&server, &mut app);
    sink.refuse(|to| (to == "p7@large.example").then_some(GONE));
    // Not at once, and nothing to alarm the operator with.
    app.ok(&["run"]);
    assert!(app.ok(&["queue"]).contains("asked again on another day"));
    for _ in 0..3 {
        app.later(6 * 60).run(&["run"]);
        assert_eq!(suppressed(&app, &list), 0);
    }
    server.answer(|_| story("Tacna"));
    app.at("2022-10-22T08:00:00Z").ok(&["fetch", "--all"]);
    app.ok(&["run"]);
    assert_eq!((suppressed(&app, &list), sink.taken().get(OPERATOR)), (1, None));
    assert!(list.iter().all(|to| sink.taken()[to] == if to.starts_with("p7@") { 1 } else { 3 }));
}

#[test]
fn what_several_processes_are_told_is_counted_together() {
    let (server, sink) = (Server::always(story("Cusco")), Sink::start());
    let small = people(9, "small.example");
    let mut list: Vec<String> = (0..80).map(|n| format!("o{n}@d{n}.example")).collect();
    small.iter().enumerate().for_each(|(n, to)| list.insert(n * 9, to.clone()));
    for processes in [2, 3] {
        let app = app(&server, &[&sink], &list);
        app.ok(&["fetch"]);
        sink.refuse(|to| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            to.ends_with("@small.example").then_some(GONE)
        });
        let start =
            || app.command(&["-q", "digest"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut all: Vec<Child> = (0..processes).map(|_| start()).collect();
        for child in &mut all {
            child.wait().unwrap();
        }
        assert_eq!(suppressed(&app, &small), 0, "{processes}");
        let queue = app.ok(&["queue"]);
        assert!(small.iter().all(|to| queue.contains(to.as_str())), "{queue}");
    }
}

#[test]
fn a_provider_that_puts_everybody_off_for_days_charges_nobody() {
    let (server, sink) = (Server::always(story("Cusco")), Sink::start());
    let (large, others) = (people(4, "large.example"), people(4, "other.example"));
    let mut app = app(&server, &[&sink], &[large.clone(), others].concat());
    sink.refuse(|to| to.ends_with("@large.example").then_some("450 4.2.1 mailbox is not available now"));
    // Later and later, for nine days.
    app.at("2022-10-20T08:00:00Z").run(&["run"]);
    let mut last = 0;
    for hours in [1, 1, 2, 4, 8, 12, 12, 12, 12, 12, 24, 24, 24, 24, 24, 24] {
        last = app.later(hours * 60).run(&["run"]).code;
    }
    assert_eq!((suppressed(&app, &large), last, sink.taken()[OPERATOR]), (0, 4, 1));
    assert!(app.ok(&["queue"]).contains("readers of large.example"));
    sink.refuse(|_| None);
    app.later(8 * 60).run(&["run"]);
    assert!(large.iter().all(|to| sink.taken()[to] == 1));
}

#[test]
fn what_waits_is_not_sent_to_who_is_off_the_list_by_then() {
    let (server, sink) = (Server::always(story("Cusco")), Sink::start());
    let list: Vec<String> = ["stays", "out"].map(|name| format!("{name}@x.example")).into();
    let mut app = app(&server, &[&sink], &list);
    app.write(
        "list.csv",
        "address,schedule\nreads@x.example,Thu 08:00 UTC\npauses@x.example,Thu 08:00 UTC\ngoes@x.example,Thu 08:00 UTC\n",
    );
    app.at("2022-10-19T08:00:00Z").ok(&["subscribers", "import", "list.csv", "--consent", "paper"]);
    sink.whim(Whim::RefuseSender);
    assert_eq!(app.at("2022-10-20T08:00:00Z").run(&["run"]).code, 4);
    app.ok(&["subscribers", "pause", "pauses@x.example"]);
    app.ok(&["subscribers", "remove", "goes@x.example"]);
    app.write("feeds.toml", app.read("feeds.toml").replace(",\"out@x.example\"", ""));
    sink.whim(Whim::Take);
    app.later(120).run(&["run"]);
    app.later(120).run(&["run"]);
    let mut taken: Vec<String> = sink.taken().into_keys().filter(|to| to != OPERATOR).collect();
    taken.sort();
    assert_eq!(taken, ["reads@x.example", "stays@x.example"]);
    // Nor is a digest that is no more.
    sink.whim(Whim::RefuseSender);
    server.answer(|_| story("Lima"));
    app.at("2022-10-27T08:00:00Z").run(&["run"]);
    let config = app.read("feeds.toml");
    app.write("feeds.toml", &config[..config.find("[[digest]]").unwrap()]);
    sink.whim(Whim::Take);
    app.later(120).run(&["run"]);
    assert_eq!((sink.taken()["stays@x.example"], sink.taken()["reads@x.example"]), (1, 2));
}

#[test]
fn what_one_of_two_servers_does_not_take_is_handed_to_the_other() {
    for said in [GONE, "421 4.3.2 not now", "451 4.3.0 out of order", "450 4.2.0 later", "550 not taken"] {
        let (server, sick, well) = (Server::always(story("Cusco")), Sink::start(), Sink::start());
        let list = people(30, "x.example");
        let app = app(&server, &[&sick, &well], &list);
        sick.refuse(move |_| Some(said));
        app.ok(&["run"]);
        assert_eq!(list.iter().filter(|to| well.taken().contains_key(*to)).count(), 30, "{said}");
        assert_eq!(suppressed(&app, &list), 0, "{said}");
        // It is asked no more after some, and the operator hears of it.
        let asked = sick.tried().len();
        assert!((1..=12).contains(&asked) && well.taken().contains_key(OPERATOR), "{said}: {asked}");
    }
}

#[test]
fn a_mailbox_that_no_server_knows_is_gone() {
    let (server, first, second) = (Server::always(story("Cusco")), Sink::start(), Sink::start());
    let list = people(20, "x.example");
    let app = app(&server, &[&first, &second], &list);
    for sink in [&first, &second] {
        sink.refuse(|to| (to == "p3@x.example").then_some(GONE));
    }
    app.ok(&["run"]);
    assert_eq!((suppressed(&app, &list), first.count() + second.count()), (1, 19));
}

/// What a relay sends back later for the mail of a story that it took.
fn report(app: &App, to: &str, name: &str) -> String {
    let is_of = |mail: &String| header(mail, "To") == to && header(mail, "Subject").contains(name);
    let mail = app.outbox().into_iter().find(is_of).unwrap();
    let id = header(&mail, "Message-ID");
    format!(
        "From: MAILER-DAEMON@relay.example\r\nTo: news@example.org\r\nSubject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; relay.example\r\n\r\nFinal-Recipient: rfc822; {to}\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; {GONE}\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {id}\r\n\r\n--b--\r\n"
    )
}

#[test]
fn what_a_relay_reports_of_many_at_a_provider_costs_none_of_them_at_once() {
    let server = Server::always(story("Cusco"));
    let (big, others) = (people(30, "large.example"), people(20, "other.example"));
    let mut app = app(&server, &[], &[big.clone(), others.clone()].concat());
    let config = app.read("feeds.toml").replace("transport = []", "transport = \"file:outbox\"");
    app.write("feeds.toml", config);
    app.at("2022-10-20T08:00:00Z").ok(&["run"]);
    let reported = |app: &App, to: &str, name: &str| {
        app.write("report.eml", report(app, to, name));
        app.ok(&["bounces", "report.eml"])
    };
    let said: Vec<String> = big[..8].iter().map(|to| reported(&app, to, "Cusco")).collect();
    assert!(said[0].starts_with("hard bounce"), "{said:?}");
    assert!(
        said[4].contains("many readers of large.example") && said[4].contains("taken back of 4"),
        "{said:?}"
    );
    assert_eq!(suppressed(&app, &big), 0);
    // Somebody who is gone at another domain is gone.
    assert!(reported(&app, &others[3], "Cusco").starts_with("hard bounce"));
    assert_eq!(suppressed(&app, &others), 1);
    app.at("2022-10-20T09:00:00Z").ok(&["run"]);
    let told = app.outbox().iter().filter(|mail| header(mail, "To") == OPERATOR).count();
    assert_eq!(told, 1);
    // What is said of them again and again is true.
    for (day, name) in [(21, "Lima"), (22, "Tacna")] {
        server.answer(move |_| story(name));
        app.at(&format!("2022-10-{day}T08:00:00Z")).ok(&["run"]);
        assert_eq!(suppressed(&app, &big), 0);
        big[..8].iter().for_each(|to| drop(reported(&app, to, name)));
    }
    assert_eq!(suppressed(&app, &big), 8);
}
