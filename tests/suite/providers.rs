//! Mail through one relay to many providers: what one of them says, or what is said of strangers, costs the others nothing.

use std::time::Duration;

use crate::support::http::{Reply, Server};
use crate::support::service::Service;
use crate::support::sink::{Sink, Whim};
use crate::support::{App, rss, wait_for};

const OPERATOR: &str = "ops@example.org";
const GONE: &str = "550 5.1.1 The email account that you tried to reach does not exist";
const BLOCKED: &str = "550 5.7.1 Client host blocked";

fn story(name: &str) -> Reply {
    Reply::ok(rss(&[(name, &format!("A story of the {name} for everyone here"), 12, "text")]))
}

/// A channel with one story, and a digest of it on Thursdays and Fridays.
fn app(server: &Server, sink: &Sink, recipients: &[String]) -> App {
    let recipients: Vec<String> = recipients.iter().map(|to| format!("\"{to}\"")).collect();
    let app = App::new(&format!(
        "[[source]]\nid = \"s\"\nlang = \"en\"\nurl = \"{}\"\n[newsletter]\ncontroller = \"The Network, 1 Main Street\"\ncontact = \"privacy@example.org\"\n[[digest]]\nid = \"d\"\nschedule = \"Thu,Fri 08:00 UTC\"\nrecipients = [{}]\n",
        server.url("/"),
        recipients.join(",")
    ));
    let mail =
        format!("[mail]\ntransport = \"{}\"\noperator = [\"{OPERATOR}\"]\ntimeout = \"2s\"\n", sink.url());
    app.write("feeds.toml", app.read("feeds.toml").replace("[mail]\n", &mail));
    app
}

/// A large provider, and as many recipients of five others.
fn mixed(count: usize) -> Vec<String> {
    (0..count).flat_map(|n| [format!("u{n}@big.example"), format!("u{n}@good{}.example", n % 5)]).collect()
}

fn taken_at(sink: &Sink, domain: &str) -> usize {
    sink.taken().keys().filter(|to| to.contains(domain)).count()
}

fn suppressed(app: &App, recipients: &[String]) -> usize {
    let is_suppressed = |to: &&String| app.ok(&["subscribers", "show", to]).contains("suppressed: bounced");
    recipients.iter().filter(is_suppressed).count()
}

#[test]
fn a_provider_that_knows_nobody_any_more_costs_nobody_and_the_others_get_their_mail() {
    let (server, sink) = (Server::always(story("week")), Sink::start());
    let list = mixed(20);
    let mut app = app(&server, &sink, &list);
    sink.refuse(|to| to.ends_with("@big.example").then_some(GONE));
    for n in 0..4 {
        let ran = app.run(&["run"]);
        assert!(ran.code == 4 && ran.stderr.contains("big.example"), "{}", ran.stderr);
        assert_eq!((taken_at(&sink, "good"), sink.taken()[OPERATOR]), (20, 1));
        // A few, and then one a run.
        let tried = sink.tried().iter().filter(|to| to.ends_with("@big.example")).count();
        assert_eq!(tried, if n == 0 { 5 } else { 1 });
        app.later(60);
    }
    assert_eq!(suppressed(&app, &list), 0);
    // All of it when it is over, but for one who is really gone.
    sink.refuse(|to| (to == "u7@big.example").then_some(GONE));
    app.later(60).ok(&["run"]);
    app.later(60).ok(&["run"]);
    assert_eq!((taken_at(&sink, "big"), suppressed(&app, &list)), (19, 1));
    assert!(sink.taken().iter().all(|(to, times)| *times == 1 || to == OPERATOR));
}

#[test]
fn some_dead_addresses_of_a_small_domain_are_found_at_once() {
    let (server, sink) = (Server::always(story("week")), Sink::start());
    let dead: Vec<String> = (0..4).map(|n| format!("u{n}@closed.example")).collect();
    let list = [mixed(5), dead.clone()].concat();
    let app = app(&server, &sink, &list);
    sink.refuse(|to| to.ends_with("@closed.example").then_some(GONE));
    app.ok(&["run"]);
    assert_eq!((suppressed(&app, &dead), suppressed(&app, &list), sink.count()), (4, 4, 10));
}

#[test]
fn a_hoster_that_knows_none_of_its_customers_any_more_costs_nobody() {
    let (server, sink) = (Server::always(story("week")), Sink::start());
    let firms: Vec<String> = (0..30).map(|n| format!("info@firm{n}.example")).collect();
    // One of them after the other, among others who are taken.
    let list: Vec<String> =
        firms.iter().enumerate().flat_map(|(n, to)| [to.clone(), format!("u{n}@good.example")]).collect();
    let mut app = app(&server, &sink, &list);
    sink.refuse(|to| to.contains("@firm").then_some("550 5.1.1 User unknown"));
    for _ in 0..3 {
        let ran = app.run(&["run"]);
        assert_eq!(
            (ran.code, suppressed(&app, &firms), taken_at(&sink, "good")),
            (4, 0, 30),
            "{}",
            ran.stderr
        );
        app.later(60);
    }
    assert_eq!(sink.taken()[OPERATOR], 1);
    // All of it when it is over, but for one who is really gone: known on another day.
    let gone = |to: &str| (to == "info@firm7.example").then_some("550 5.1.1 User unknown");
    sink.refuse(gone);
    app.later(60).run(&["run"]);
    app.later(60).run(&["run"]);
    assert_eq!((taken_at(&sink, "firm"), suppressed(&app, &firms)), (29, 0));
    app.later(24 * 60).run(&["run"]);
    app.later(60).ok(&["run"]);
    assert_eq!(suppressed(&app, &firms), 1);
}

#[test]
fn a_refusal_that_names_our_address_is_about_us() {
    let (server, sink) = (Server::always(story("week")), Sink::start());
    let list = [mixed(5), vec!["ana@far.example".into()]].concat();
    let app = app(&server, &sink, &list);
    let from = app.read("feeds.toml");
    let from = from.lines().find(|line| line.starts_with("from")).unwrap_or_default();
    let domain = from.rsplit('@').next().unwrap().trim_end_matches(['"', '>']).to_owned();
    let said: &'static str = format!("550 5.1.2 {domain}: no such domain").leak();
    sink.refuse(move |to| (to == "ana@far.example").then_some(said));
    assert_eq!((app.run(&["run"]).code, suppressed(&app, &list)), (4, 0));
}

#[test]
fn a_digest_that_comes_back_waits_for_its_first_slot() {
    let (server, sink) = (Server::always(story("week")), Sink::start());
    let mut app = app(&server, &sink, &["ana@far.example".into()]);
    let with = app.read("feeds.toml");
    let without = with[..with.find("[[digest]]").unwrap()].to_owned();
    // It was never sent; then it was; the schedule is Thursdays and Fridays.
    for (config, at, count) in [
        (&with, "2022-10-22T10:00:00Z", 0),
        (&without, "2022-10-24T10:00:00Z", 0),
        (&with, "2022-10-29T10:00:00Z", 0),
        (&with, "2022-11-03T08:00:00Z", 1),
        (&without, "2022-11-05T08:00:00Z", 1),
        (&with, "2022-11-12T10:00:00Z", 1),
    ] {
        app.write("feeds.toml", config);
        if count == 1 {
            let name = at[5..10].to_owned();
            server.answer(move |_| story(&name));
        }
        app.at(at).ok(&["run"]);
        assert_eq!(sink.count(), count, "{at}");
    }
    app.at("2022-11-17T08:00:00Z").ok(&["run"]);
    assert_eq!(sink.count(), 2);
}

#[test]
fn what_waits_for_one_provider_does_not_delay_the_next_issue_of_the_others() {
    for is_sorted in [false, true] {
        let (server, sink) = (Server::always(story("Thursday")), Sink::start());
        let mut list = mixed(30);
        if is_sorted {
            list.sort_by_key(|to| !to.ends_with("@big.example"));
        }
        let mut app = app(&server, &sink, &list);
        sink.refuse(|to| to.ends_with("@big.example").then_some(BLOCKED));
        for (day, before) in [("Friday", 0), ("Saturday", 30)] {
            assert_eq!(app.run(&["run"]).code, 4);
            let good = sink
                .taken()
                .iter()
                .filter(|(to, _)| to.contains("good"))
                .map(|(_, times)| times)
                .sum::<usize>();
            assert_eq!(good, before + 30, "{day}, {is_sorted}");
            assert_eq!(app.later(15).run(&["run"]).code, 4);
            server.answer(move |_| story(day));
            app.later(24 * 60 - 15).ok(&["fetch", "--all"]);
        }
        sink.refuse(|_| None);
        app.later(60).ok(&["run"]);
        assert_eq!(taken_at(&sink, "big"), 30);
    }
}

#[test]
fn a_provider_that_is_busy_is_told_from_the_first_run_until_it_is_over() {
    for busy in ["450 4.7.1 rate limited by reputation", "421 4.7.0 temporarily deferred"] {
        let (server, sink) = (Server::always(story("week")), Sink::start());
        let mut app = app(&server, &sink, &mixed(6));
        sink.refuse(move |to| to.ends_with("@big.example").then_some(busy));
        for _ in 0..4 {
            assert_eq!(app.run(&["run"]).code, 4, "{busy}");
            assert_eq!((taken_at(&sink, "good"), sink.taken()[OPERATOR]), (6, 1), "{busy}");
            app.later(60);
        }
        sink.refuse(|_| None);
        app.later(60).ok(&["run"]);
        assert_eq!((taken_at(&sink, "big"), sink.taken()[OPERATOR]), (6, 2), "{busy}");
    }
}

#[test]
fn a_stranger_who_signs_up_addresses_that_are_refused_costs_the_list_nothing() {
    let (server, sink) = (Server::always(story("week")), Sink::start());
    let list = mixed(20);
    let mut app = app(&server, &sink, &list);
    app.at("2022-10-19T08:00:00Z").ok(&["fetch"]);
    sink.refuse(|to| to.ends_with(".evil.example").then_some(BLOCKED));
    let service = Service::start(&app);
    for n in 0..12 {
        let from = format!("Content-Type: application/json\r\nX-Forwarded-For: 4.{n}.4.1\r\n");
        let body = format!("{{\"address\": \"x{n}@d{n}.evil.example\"}}");
        assert_eq!(service.ask("POST", "/api/subscriptions", &from, &body).0, 202);
    }
    wait_for("all are stored", || app.ok(&["queue"]).contains("12 waits").then_some(()));
    std::thread::sleep(Duration::from_millis(300));
    drop(service);
    sink.tried();
    let ran = app.at("2022-10-20T08:00:00Z").run(&["run"]);
    assert_eq!((ran.code, taken_at(&sink, "big") + taken_at(&sink, "good")), (0, 40), "{}", ran.stderr);
    // What the server took of the list shows that the refusals are not about us.
    for _ in 0..3 {
        let ran = app.later(60).run(&["run"]);
        assert_eq!((ran.code, taken_at(&sink, "big") + taken_at(&sink, "good")), (0, 40), "{}", ran.stderr);
    }
    assert!(sink.tried().iter().any(|to| to.ends_with(".evil.example")));
}

#[test]
fn a_server_that_takes_mail_without_a_word_is_asked_no_more_and_sends_few_copies() {
    let (server, sink) = (Server::always(story("week")), Sink::start());
    let list: Vec<String> = (0..12).map(|n| format!("u{n}@good{n}.example")).collect();
    let mut app = app(&server, &sink, &list);
    sink.whim(Whim::TakeInSilence);
    let ran = app.run(&["run"]);
    assert!(ran.code == 4 && ran.stderr.contains("5 messages in a row"), "{}", ran.stderr);
    assert_eq!(sink.tried().iter().filter(|to| to.starts_with('u')).count(), 5);
    for _ in 0..100 {
        app.later(60).run(&["run"]);
        let tried = sink.tried().iter().filter(|to| to.starts_with('u')).count();
        assert!(tried <= 5, "{tried}");
    }
    let copies: Vec<usize> =
        sink.taken().iter().filter(|(to, _)| to.starts_with('u')).map(|(_, n)| *n).collect();
    assert!(copies.len() == 12 && copies.iter().all(|copies| *copies == 4), "{copies:?}");
    assert!(app.ok(&["queue"]).contains("it was sent 4 times and may have arrived"));
    // Nobody is charged with it.
    sink.whim(Whim::Take);
    server.answer(|_| story("next week"));
    app.at("2022-10-27T08:00:00Z").ok(&["run"]);
    assert_eq!(suppressed(&app, &list), 0);
    assert!(list.iter().all(|to| sink.taken()[to] == 5));
}

#[test]
fn an_address_that_a_server_has_no_means_to_carry_is_no_alarm() {
    let (server, sink, other) = (Server::always(story("week")), Sink::start(), Sink::start());
    let list = ["ñandú@x.example".to_owned(), "u1@x.example".to_owned(), "u2@y.example".to_owned()];
    let mut app = app(&server, &sink, &list);
    sink.whim(Whim::NoUnicode);
    app.ok(&["run"]);
    assert_eq!((sink.count(), sink.tried().len()), (2, 2), "nothing is told to the operator");
    assert!(sink.senders().iter().all(|sender| !sender.contains("SMTPUTF8")));
    let queue = app.ok(&["queue"]);
    assert!(queue.contains("SMTPUTF8") && queue.ends_with("1 refused\n"), "{queue}");
    assert_eq!((suppressed(&app, &list), app.later(60).run(&["run"]).code), (0, 0));
    // Another server may have them.
    let both = format!("[\"{}\", \"{}\"]", sink.url(), other.url());
    app.write("feeds.toml", app.read("feeds.toml").replace(&format!("\"{}\"", sink.url()), &both));
    server.answer(|_| story("Friday"));
    app.at("2022-10-21T08:00:00Z").ok(&["run"]);
    assert_eq!(other.taken().get("ñandú@x.example"), Some(&1));
}

#[test]
fn a_changed_schedule_waits_for_its_first_slot() {
    // The schedule at first, when it runs, the schedule then, when it runs; whether it is sent then, and when it is at last.
    for (first, at, second, then, is_sent, last) in [
        (
            "monthly 1 08:00 UTC",
            "2022-10-20T10:00:00Z",
            "Mon 08:00 UTC",
            "2022-10-20T10:05:00Z",
            false,
            "2022-10-24T08:00:00Z",
        ),
        (
            "monthly 1 08:00 UTC",
            "2022-10-20T10:00:00Z",
            "Wed 08:00 UTC",
            "2022-10-22T13:00:00Z",
            false,
            "2022-10-26T08:00:00Z",
        ),
        (
            "Mon 08:00 UTC",
            "2022-10-20T10:00:00Z",
            "daily 08:00 UTC",
            "2022-10-20T10:05:00Z",
            false,
            "2022-10-21T08:00:00Z",
        ),
        // An issue was sent already.
        (
            "Thu 08:00 UTC",
            "2022-10-20T08:00:00Z",
            "Fri 08:00 UTC",
            "2022-10-22T08:00:00Z",
            false,
            "2022-10-28T08:00:00Z",
        ),
        // A slot of both was missed.
        (
            "Thu 08:00 UTC",
            "2022-10-20T08:00:00Z",
            "Mon,Thu 08:00 UTC",
            "2022-10-27T09:00:00Z",
            true,
            "2022-10-27T10:00:00Z",
        ),
        // The new one begins now.
        (
            "Mon 08:00 UTC",
            "2022-10-20T10:00:00Z",
            "Fri 08:00 UTC",
            "2022-10-21T08:00:03Z",
            true,
            "2022-10-21T09:00:00Z",
        ),
    ] {
        let (server, sink) = (Server::always(story("first")), Sink::start());
        let mut app = app(&server, &sink, &["u@x.example".to_owned()]);
        let change = |app: &App, from: &str, to: &str| {
            app.write("feeds.toml", app.read("feeds.toml").replace(from, to));
        };
        change(&app, "Thu,Fri 08:00 UTC", first);
        app.at(at).ok(&["run"]);
        let before = sink.count();
        server.answer(|_| story("second"));
        change(&app, first, second);
        app.at(then).ok(&["run"]);
        assert_eq!(sink.count() > before, is_sent, "{first}, then {second} at {then}");
        app.at(last).ok(&["run"]);
        assert_eq!(sink.count(), before + 1, "{first}, then {second} at {last}");
    }
}
