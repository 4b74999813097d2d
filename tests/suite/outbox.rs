//! The outbox: thousands of deliveries, kills at random moments, servers that come and go.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::http::{Reply, Server};
use crate::support::sink::{Sink, Whim};
use crate::support::{App, rss};

/// A channel with one story, and a digest of it for `recipients` people.
fn app(server: &Server, mail: &str, recipients: usize) -> App {
    let app = App::new("");
    let list: Vec<String> =
        (0..recipients).map(|n| format!("\"person-{n}@example-{}.org\"", n % 7)).collect();
    app.write(
        "feeds.toml",
        format!(
            "version = 1\n[fetch]\nallow = [\"127.0.0.1\"]\n[mail]\nfrom = \"news@example.org\"\n{mail}\n[[source]]\nid = \"s\"\nurl = \"{}\"\n[[digest]]\nid = \"d\"\nschedule = \"Thu,Fri 08:00 UTC\"\nrecipients = [{}]\n",
            server.url("/"),
            list.join(",")
        ),
    );
    app
}

fn story() -> Server {
    Server::always(Reply::ok(rss(&[("a", "A story for everyone here", 12, "text")])))
}

#[test]
fn two_hundred_kills_in_a_send_of_five_thousand_lose_nobody_and_repeat_only_what_was_in_flight() {
    const RECIPIENTS: usize = 5_000;
    const CONNECTIONS: usize = 4;
    let (server, sink) = (story(), Sink::start());
    let mut app = app(
        &server,
        &format!("transport = \"{}\"\nconnections = {CONNECTIONS}\nrate = 2000", sink.url()),
        RECIPIENTS,
    );
    app.ok(&["fetch"]);
    let mut random = 12345u64;
    let mut kills = 0;
    while kills < 200 && sink.taken().len() < RECIPIENTS {
        let command = app.command(&["-q", "run"]);
        let own: Vec<_> = command.get_args().skip(3).collect();
        let (before, started) = (sink.count(), Instant::now());
        let mut child = Command::new(own[0])
            .args(&own[1..])
            .current_dir(app.folder())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        // At a random moment of the send: some 20 messages into it.
        let wanted = before + ((random >> 33) % 45) as usize;
        while sink.count() < wanted && started.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_micros((random >> 40) % 2_000));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        // What the killed run had claimed is due again.
        app.later(11);
    }
    let before_the_end = sink.taken().len();
    let config = app.read("feeds.toml").replace("rate = 2000", "");
    app.write("feeds.toml", config);
    app.later(11).ok(&["-q", "run"]);
    app.later(11).ok(&["-q", "run"]);
    let taken = sink.taken();
    assert_eq!(taken.len(), RECIPIENTS, "everybody got it");
    let repeats: usize = taken.values().map(|times| times - 1).sum();
    assert!(
        repeats <= kills * CONNECTIONS,
        "{repeats} repeats after {kills} kills with {CONNECTIONS} connections"
    );
    assert_eq!(kills, 200);
    assert!(
        (RECIPIENTS / 4..RECIPIENTS).contains(&before_the_end),
        "the kills fell into the send: {before_the_end}"
    );
    println!("{kills} kills, {repeats} repeats, {before_the_end} of {RECIPIENTS} sent until the last kill");
}

#[test]
fn on_uncertain_skip_never_repeats() {
    let (server, sink) = (story(), Sink::start());
    let mut app = app(
        &server,
        &format!("transport = \"{}\"\nconnections = 4\nrate = 400\non_uncertain = \"skip\"", sink.url()),
        300,
    );
    app.ok(&["fetch"]);
    for _ in 0..8 {
        let command = app.command(&["-q", "run"]);
        let own: Vec<_> = command.get_args().skip(3).collect();
        let mut child = Command::new(own[0])
            .args(&own[1..])
            .current_dir(app.folder())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (before, started) = (sink.count(), Instant::now());
        while sink.count() < before + 20 && started.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        app.later(11);
    }
    app.later(11).ok(&["-q", "run"]);
    let taken = sink.taken();
    assert!(taken.values().all(|times| *times == 1));
    assert!(taken.len() >= 300 - 8 * 4, "{} of 300", taken.len());
}

#[test]
fn two_processes_never_send_the_same_delivery() {
    let (server, sink) = (story(), Sink::start());
    let app = app(&server, &format!("transport = \"{}\"", sink.url()), 600);
    app.ok(&["fetch"]);
    let start = || app.command(&["-q", "run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut both = [start(), start(), start()];
    for child in &mut both {
        assert!(child.wait().unwrap().success());
    }
    let taken = sink.taken();
    assert_eq!(taken.len(), 600);
    assert!(taken.values().all(|times| *times == 1));
}

#[test]
fn a_server_that_is_down_costs_nothing_and_one_that_misbehaves_only_time() {
    let (server, sink) = (story(), Sink::start());
    let mut app = app(
        &server,
        &format!("transport = [\"smtp://127.0.0.1:9?tls=none&weight=3\", \"{}\"]", sink.url()),
        40,
    );
    for whim in [Whim::DropInData, Whim::Defer] {
        sink.whim(whim);
        let ran = app.later(10).run(&["run"]);
        assert!(sink.taken().is_empty() && ran.code == 4, "{whim:?}: {}", ran.stderr);
        // One line, and not one for each of forty recipients.
        assert_eq!(
            ran.stderr.lines().filter(|line| !line.contains("killed run")).count(),
            1,
            "{}",
            ran.stderr
        );
    }
    sink.whim(Whim::HangUp);
    app.later(60).ok(&["-q", "run"]);
    assert_eq!(sink.taken().values().filter(|times| **times == 1).count(), 40);
}

#[test]
fn a_server_that_never_answers_is_given_up_in_time_and_one_that_refuses_us_is_no_verdict_on_people() {
    let (server, sink) = (story(), Sink::start());
    let mut app = app(&server, &format!("transport = \"{}\"\ntimeout = \"1s\"", sink.url()), 3);
    sink.whim(Whim::Stall);
    app.ok(&["fetch"]);
    let said = app.run(&["digest"]);
    assert!(
        said.stdout.contains("0 sent, 3 deferred, 0 refused")
            && said.stdout.contains("3 × the mail server did not say within 1 s whether it took the message")
            && (said.code, said.stderr.lines().count()) == (4, 1),
        "{}{}",
        said.stdout,
        said.stderr
    );
    // Policy, after the message: it waits for as long as that lasts, and then leaves.
    sink.whim(Whim::Refuse);
    for _ in 0..20 {
        let ran = app.later(12 * 60).run(&["run"]);
        assert_eq!((ran.code, ran.stderr.lines().count()), (4, 1), "{}", ran.stderr);
    }
    assert!(sink.taken().is_empty());
    sink.whim(Whim::Take);
    app.later(60).ok(&["run"]);
    assert!(sink.taken().len() == 3 && sink.taken().values().all(|times| *times == 1), "{:?}", sink.taken());
}

/// A server that refuses our sender address, for a list of many.
#[test]
fn a_blocked_sender_burns_no_list_and_the_operator_hears_of_it_once() {
    let (server, sink) = (story(), Sink::start());
    let mail = format!("transport = \"{}\"\noperator = [\"ops@example.org\"]\nconnections = 1", sink.url());
    let mut app = app(&server, &mail, 200);
    sink.whim(Whim::RefuseSender);
    for _ in 0..12 {
        let ran = app.later(24 * 60).run(&["run"]);
        assert_eq!(ran.code, 4, "{}", ran.stderr);
        assert!(ran.stderr.contains("mail is held up") && ran.stderr.contains("blocked"), "{}", ran.stderr);
        // Those that were tried, and not one after the other in vain; at first, what tells the operator of it as well.
        assert!(sink.refused() <= 6, "{} tries", sink.refused());
        sink.forget_refused();
    }
    sink.whim(Whim::Take);
    app.later(60).ok(&["run"]);
    app.later(60).ok(&["run"]);
    let taken = sink.taken();
    let readers = taken.iter().filter(|(to, _)| *to != "ops@example.org").count();
    assert_eq!(
        (readers, taken.values().all(|times| *times <= 2)),
        (200, true),
        "nobody is lost, suppressed or mailed twice"
    );
    // One word when it was held up, and one when it was well again.
    assert_eq!(taken.get("ops@example.org").copied(), Some(2));
}

#[test]
fn a_server_that_is_out_of_reach_for_weeks_charges_nobody() {
    let (server, sink) = (story(), Sink::start());
    let mut app = app(&server, "transport = \"smtp://127.0.0.1:9?tls=none\"", 40);
    for _ in 0..14 {
        assert_eq!(app.later(24 * 60).run(&["run"]).code, 4);
    }
    app.write("feeds.toml", app.read("feeds.toml").replace("smtp://127.0.0.1:9?tls=none", &sink.url()));
    app.later(60).ok(&["run"]);
    assert!(sink.taken().len() == 40 && sink.taken().values().all(|times| *times == 1), "{:?}", sink.taken());
}

#[test]
fn a_list_of_three_is_held_up_as_a_long_one_is_and_old_news_is_given_up() {
    let (server, sink) = (story(), Sink::start());
    let mail = format!("transport = \"{}\"\noperator = [\"ops@example.org\"]", sink.url());
    let mut app = app(&server, &mail, 3);
    let state = |app: &App| {
        let held = app.ok(&["subscribers", "export", "--address", "person-0@example-0.org"]);
        let held: serde_json::Value = serde_json::from_str(&held).unwrap();
        let of = |field: &str| held["deliveries"][0][field].as_str().unwrap().to_owned();
        assert_eq!(held["marks"].as_array().unwrap().len(), 0, "nobody is charged");
        (of("state"), of("error"))
    };
    // About the server, wherever it says so: no attempt is anybody's.
    for (whim, days) in [(Whim::RefuseSender, 1), (Whim::BusyAtRecipient, 8), (Whim::Refuse, 6)] {
        sink.whim(whim);
        for _ in 0..days {
            let ran = app.run(&["run"]);
            assert!(ran.code == 4 && ran.stderr.starts_with("mail is held up"), "{whim:?}: {}", ran.stderr);
            assert_eq!(state(&app).0, "pending");
            app.later(24 * 60);
        }
    }
    // A message that could not leave for more than two weeks is no longer news.
    let ran = app.run(&["run"]);
    assert_eq!(state(&app).0, "failed", "{}", ran.stderr);
    assert!(state(&app).1.contains("within 14d"), "{:?}", state(&app));
    sink.whim(Whim::Take);
    app.later(60).ok(&["run"]);
    app.later(60).ok(&["run"]);
    assert_eq!(sink.taken().into_iter().collect::<Vec<_>>(), [("ops@example.org".to_owned(), 2)]);
}

fn suppressed(app: &App, recipients: usize) -> usize {
    let is_suppressed = |n: &usize| {
        let shown = app.ok(&["subscribers", "show", &format!("person-{n}@example-{}.org", n % 7)]);
        shown.contains("suppressed:")
    };
    (0..recipients).filter(is_suppressed).count()
}

const OPERATOR: &str = "ops@example.org";
const NO_SUCH_USER: &str = "550 5.1.1 User unknown in local recipient table";

fn mail_of(sinks: &[&Sink]) -> String {
    let urls: Vec<String> = sinks.iter().map(|sink| format!("\"{}\"", sink.url())).collect();
    format!("transport = [{}]\noperator = [\"{OPERATOR}\"]", urls.join(","))
}

#[test]
fn a_server_that_knows_nobody_costs_nobody() {
    for recipients in [2, 6, 40] {
        let (server, sink) = (story(), Sink::start());
        let mut app = app(&server, &mail_of(&[&sink]), recipients);
        sink.refuse(|_| Some(NO_SUCH_USER));
        for _ in 0..4 {
            let ran = app.run(&["run"]);
            assert!(ran.code == 4 && ran.stderr.contains("recipients in a row"), "{}", ran.stderr);
            // Twenty, and the operator.
            assert!(sink.tried().len() <= 21);
            app.later(60);
        }
        assert_eq!(suppressed(&app, recipients), 0);
        assert!(!app.ok(&["subscribers", "show", OPERATOR]).contains("suppressed:"));
        sink.refuse(|_| None);
        for _ in 0..2 {
            app.later(60).ok(&["run"]);
        }
        // All of it, and to the operator one word when it began, and one when it was over.
        let taken = sink.taken();
        assert_eq!((taken.len(), taken[OPERATOR]), (recipients + 1, 2), "{taken:?}");
        assert!(taken.iter().all(|(to, times)| *times == 1 || to == OPERATOR), "{taken:?}");
    }
}

#[test]
fn a_refusal_that_nobody_explains_pauses_the_issue_and_the_operator_hears_of_it_at_once() {
    for connections in [1, 8] {
        let (server, sink) = (story(), Sink::start());
        let mut app = app(&server, &format!("{}\nconnections = {connections}", mail_of(&[&sink])), 40);
        sink.refuse(|to| (to != OPERATOR).then_some("550 5.2.0 it does not want this"));
        app.ok(&["fetch"]);
        // By `digest` as well as by `run`.
        assert_eq!(app.run(&["digest"]).code, 4);
        let tried = sink.tried();
        assert_eq!((tried.len(), tried.last().map(String::as_str)), (6, Some(OPERATOR)), "{tried:?}");
        for _ in 0..12 {
            assert_eq!(app.later(24 * 60).run(&["run"]).code, 4);
            assert!(sink.tried().len() <= 5);
        }
        assert_eq!((suppressed(&app, 40), sink.taken()[OPERATOR]), (0, 1));
        sink.refuse(|_| None);
        app.later(60).ok(&["run"]);
        assert_eq!((sink.taken().len(), sink.taken()[OPERATOR]), (41, 2));
    }
}

#[test]
fn a_dead_address_is_found_in_a_list_of_three_and_in_one_of_one() {
    let (server, sink) = (story(), Sink::start());
    let mut three = app(&server, &mail_of(&[&sink]), 3);
    sink.refuse(|to| to.starts_with("person-0@").then_some(NO_SUCH_USER));
    three.ok(&["run"]);
    assert_eq!((suppressed(&three, 3), sink.taken().len()), (1, 2));
    // Nobody else is there to show that the server knows anybody, until the operator hears of it.
    let mut one = app(&server, &mail_of(&[&sink]), 1);
    for _ in 0..24 {
        assert_eq!(one.run(&["run"]).code, 4);
        one.later(61);
    }
    assert_eq!(suppressed(&one, 1), 0);
    one.run(&["run"]);
    one.later(61).run(&["run"]);
    assert_eq!(suppressed(&one, 1), 1);
    assert_eq!(one.later(61).run(&["run"]).code, 0);
    three.later(1);
}

#[test]
fn what_waits_because_of_us_is_told_once_and_the_operators_mail_does_not_end_it() {
    let (server, sink) = (story(), Sink::start());
    let mut app = app(&server, &mail_of(&[&sink]), 20);
    let is_blocked = |to: &str| to.ends_with("@example-1.org");
    sink.refuse(move |to| is_blocked(to).then_some("550 5.7.1 blocked using Spamhaus"));
    for n in 0..20 {
        let ran = app.run(&["run"]);
        assert!(ran.code == 4 && ran.stderr.contains("Spamhaus"), "{n}: {}", ran.stderr);
        assert_eq!((sink.taken().len(), sink.taken()[OPERATOR]), (18, 1), "{n}");
        assert!(app.ok(&["queue"]).ends_with("3 waits\n"));
        app.later(15);
    }
    sink.refuse(|_| None);
    app.later(60).ok(&["run"]);
    assert_eq!((sink.taken().len(), sink.taken()[OPERATOR]), (21, 2));
    assert_eq!(suppressed(&app, 20), 0);
}

#[test]
fn a_server_that_refuses_us_is_left_out_and_another_one_gets_its_mail() {
    let (server, first, second) = (story(), Sink::start(), Sink::start());
    let mut app = app(&server, &mail_of(&[&first, &second]), 40);
    first.whim(Whim::RefuseSender);
    app.ok(&["run"]);
    assert_eq!((first.refused(), second.taken().len()), (1, 41), "all of it, and a word to the operator");
    app.later(24 * 60).ok(&["run"]);
    assert_eq!(second.taken()[OPERATOR], 1);
    first.whim(Whim::Take);
    app.later(24 * 60).ok(&["run"]);
    assert!(first.taken().is_empty() && second.taken().len() == 41);
}

#[test]
fn no_more_messages_are_tried_in_vain_than_refusals_max() {
    for whim in [Whim::RefuseSender, Whim::BusyAtRecipient] {
        let (server, sink) = (story(), Sink::start());
        let mail = format!("transport = \"{}\"\nconnections = 8\nrefusals_max = 5", sink.url());
        let app = app(&server, &mail, 60);
        sink.whim(whim);
        assert_eq!(app.run(&["run"]).code, 4);
        let tried = sink.refused().max(sink.tried().len());
        assert_eq!(tried, 5, "{whim:?}");
    }
}

#[test]
fn a_rate_holds_for_all_processes_together() {
    let (server, sink) = (story(), Sink::start());
    let app = app(&server, &format!("transport = \"{}\"\nrate = \"10/s\"", sink.url()), 20);
    app.ok(&["fetch"]);
    let started = Instant::now();
    let start = || app.command(&["-q", "run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut both = [start(), start()];
    assert!(both.iter_mut().all(|child| child.wait().unwrap().success()));
    assert_eq!(sink.taken().len(), 20);
    // Nineteen waits of a tenth of a second.
    assert!(started.elapsed() >= Duration::from_millis(1_850), "{:?}", started.elapsed());
}

#[test]
fn a_server_that_defers_is_asked_for_forty_eight_hours() {
    let (server, sink) = (story(), Sink::start());
    let mut app = app(&server, &format!("transport = \"{}\"", sink.url()), 1);
    sink.whim(Whim::Defer);
    let state = |app: &App| {
        let held: serde_json::Value =
            serde_json::from_str(&app.ok(&["subscribers", "export", "--address", "person-0@example-0.org"]))
                .unwrap();
        held["deliveries"][0]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(app.run(&["run"]).code, 4);
    // The pauses double: 5 minutes, 10, … 1,280, and what is left to 48 hours.
    let pauses: Vec<i64> = (0..9).map(|n| 5 << n).collect();
    let last = 48 * 60 - pauses.iter().sum::<i64>();
    for pause in pauses.into_iter().chain([last]) {
        assert_eq!(state(&app), "pending");
        let before = sink.deferred();
        app.later(pause - 1).ok(&["run"]);
        assert_eq!(sink.deferred(), before, "not a minute before its time");
        assert_eq!(app.later(1).run(&["run"]).code, 4);
        assert_eq!(sink.deferred(), before + 1);
    }
    assert_eq!((state(&app).as_str(), sink.deferred()), ("failed", 11));
}

#[test]
fn a_server_with_limits_gets_all_in_one_run() {
    for whim in [
        Whim::FourConnections,
        Whim::FourConnectionsInSilence,
        Whim::FourThreads,
        Whim::FourSenders,
        Whim::TenMessages,
        Whim::TenMessagesInSilence,
        Whim::TenMessagesInWords("452 4.5.3 Too many messages in this session"),
        Whim::TenMessagesInWords("503 Maximum number of messages per connection reached"),
        Whim::HangUp,
    ] {
        let (server, sink) = (story(), Sink::start());
        let app = app(&server, &format!("transport = \"{}\"\nconnections = 8", sink.url()), 200);
        sink.whim(whim);
        let ran = app.run(&["run"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{whim:?}");
        let taken = sink.taken();
        assert!(taken.len() == 200 && taken.values().all(|times| *times == 1), "{whim:?}: {}", taken.len());
    }
}

#[test]
fn logins_are_made_in_the_way_that_the_server_offers() {
    let (server, sink) = (story(), Sink::start());
    let mut app = app(&server, "@@", 1);
    app.write("secret", "tanstaaftanstaaf\n");
    app.write("token", "old\n");
    let config = app.read("feeds.toml");
    let with = |url: &str, secret: &str| {
        config.replace("@@", &format!("transport = \"{url}\"\nusername = \"tim\"\n{secret}"))
    };
    let hourly = |config: &str, id: &str| {
        config.replace("id = \"d\"", &format!("id = \"{id}\"")).replace("Thu,Fri 08:00 UTC", "0 * * * *")
    };
    let password = "password = \"file:secret\"";
    for (offered, secret, code, want) in [
        ("CRAM-MD5 PLAIN", password, 0, "CRAM-MD5 tim b913a602c7eda7a495b4e6e7334d3890"),
        ("PLAIN LOGIN", password, 0, "PLAIN \0tim\0tanstaaftanstaaf"),
        ("LOGIN", password, 0, "LOGIN tim tanstaaftanstaaf"),
        ("XOAUTH2", "token = \"file:token\"", 4, "XOAUTH2 user=tim\u{1}auth=Bearer old\u{1}\u{1}"),
        ("XOAUTH2", "token = \"command:echo new\"", 0, "XOAUTH2 user=tim\u{1}auth=Bearer new\u{1}\u{1}"),
        ("PLAIN", "token = \"command:echo new\"", 4, ""),
    ] {
        sink.offer(offered);
        let config = with(&sink.url(), secret);
        app.write("feeds.toml", hourly(&config, &format!("d{}", sink.count())));
        let ran = app.later(60).run(&["run"]);
        assert_eq!(ran.code, code, "{offered}: {}", ran.stderr);
        assert_eq!(sink.logins().first().map_or("", String::as_str), want, "{offered}: {}", ran.stderr);
        assert!(
            !want.is_empty() || ran.stderr.contains("it offers PLAIN, and none of XOAUTH2"),
            "{}",
            ran.stderr
        );
    }
    // A password goes nowhere without TLS, unless that is written; and `check` says which.
    let open = sink.url().replace("?tls=none", "");
    for (url, code, want) in [
        (sink.url(), 0, "tls=none sends the user name and the password unencrypted"),
        (open.clone(), 0, "TLS is required"),
        (format!("{open}?tls=opportunistic"), 2, "would give the password"),
    ] {
        app.write("feeds.toml", with(&url, password));
        let ran = app.run(&["check"]);
        assert_eq!(ran.code, code, "{url}");
        assert!(
            format!("{}{}", ran.stdout, ran.stderr).contains(want),
            "{url}: {}{}",
            ran.stdout,
            ran.stderr
        );
    }
    // What waits for a digest that is no more is not sent: this is a new one.
    app.write("feeds.toml", hourly(&with(&open, password), "last"));
    let (before, ran) = (sink.count(), app.later(60).run(&["run"]));
    assert!(ran.code == 4 && ran.stderr.contains("it offers no TLS"), "{}", ran.stderr);
    assert!(sink.count() == before && sink.logins().is_empty());
    app.write("feeds.toml", config.replace("@@", &format!("transport = \"{open}\"\nusername = \"tim\"")));
    assert!(app.run(&["check"]).stderr.contains("neither a password nor a token"));
}

#[test]
fn rates_are_by_the_hour_the_minute_or_the_second() {
    let (server, sink) = (story(), Sink::start());
    let app = app(&server, &format!("transport = \"{}\"\nrate = \"600/min\"", sink.url()), 10);
    app.ok(&["fetch"]);
    let started = std::time::Instant::now();
    app.ok(&["-q", "run"]);
    assert!(started.elapsed() >= Duration::from_millis(850), "{:?}", started.elapsed());
    assert_eq!(sink.taken().len(), 10);
    let config = app.read("feeds.toml");
    for (rate, is_right) in [
        ("200/h", true),
        ("20/min", true),
        ("2/s", true),
        ("7", true),
        ("2/fortnight", false),
        ("some/h", false),
    ] {
        app.write("feeds.toml", config.replace("600/min", rate));
        let ran = app.run(&["check"]);
        assert_eq!(ran.code, if is_right { 0 } else { 2 }, "{rate}: {}", ran.stderr);
        assert!(is_right || ran.stderr.contains("write \"200/h\""), "{}", ran.stderr);
    }
}

#[test]
fn connections_are_kept_and_rates_are_held() {
    let (server, sink) = (story(), Sink::start());
    let app =
        app(&server, &format!("transport = \"{}\"\nconnections = 3\nrate_per_domain = 10", sink.url()), 70);
    app.ok(&["fetch"]);
    let started = std::time::Instant::now();
    app.ok(&["-q", "run"]);
    // Seven domains, ten recipients each: nine waits of a tenth of a second.
    assert!(started.elapsed() >= Duration::from_millis(850), "{:?}", started.elapsed());
    assert_eq!(sink.taken().len(), 70);
    assert!(sink.connections() <= 3, "{} connections", sink.connections());
}

#[test]
fn what_waits_is_listed_and_whoever_is_suppressed_can_be_brought_back() {
    let (server, sink) = (story(), Sink::start());
    let mut app = app(&server, &format!("transport = \"{}\"", sink.url()), 2);
    let (recipient, subscriber) = ("person-0@example-0.org", "ana@example.org");
    app.ok(&["subscribers", "add", "--cadence", "daily", subscriber]);
    assert_eq!(app.ok(&["queue"]), "nothing waits\n");
    // The server takes the mail of another one: what it says of this one is to be believed.
    sink.refuse(|to| to.starts_with("person-0@").then_some("550 5.1.1 no such user"));
    app.ok(&["run"]);
    sink.refuse(|_| None);
    sink.whim(Whim::Defer);
    app.ok(&["fetch"]);
    assert_eq!(app.later(24 * 60).run(&["run"]).code, 4);
    let listed = app.ok(&["queue"]);
    let line = |state: &str, address: &str| {
        listed
            .lines()
            .find(|line| line.starts_with(state) && line.contains(address))
            .unwrap_or_default()
            .to_owned()
    };
    let refused = line("refused", recipient);
    assert!(refused.contains("since 2022-10-20 08:00Z") && refused.contains("no such user"), "{listed}");
    let waits = line("waits", subscriber);
    assert!(waits.contains("next try") && waits.contains("greylisted"), "{listed}");
    assert!(listed.ends_with("1 waits, 1 refused\n"), "{listed}");
    let listed = app.ok(&["queue", "--format", "jsonl"]);
    let objects: Vec<serde_json::Value> =
        listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(objects.len() == 2 && objects[0]["address"] == subscriber && objects[0]["attempts"] == 1);
    // A recipient of the configuration, who is in no list.
    let shown = app.ok(&["subscribers", "show", recipient]);
    for want in
        ["not a subscriber", "recipient of: d", "suppressed: bounced (applies to all mail)", "no such user"]
    {
        assert!(shown.contains(want), "{want} is not in {shown}");
    }
    let said = app.ok(&["subscribers", "unsuppress", recipient]);
    assert!(said.contains("since 2022-10-20T08:00:00Z: bounced") && said.contains("no such user"), "{said}");
    assert!(said.ends_with("gets mail again: d\n"), "{said}");
    assert!(!app.ok(&["subscribers", "show", recipient]).contains("suppressed: bounced (applies"));
    assert_eq!(app.run(&["subscribers", "resume", recipient]).code, 2);
    let shown = app.ok(&["subscribers", "show", subscriber]);
    assert!(
        shown.contains("in the list: active") && shown.contains("consent: put in by the operator"),
        "{shown}"
    );
    assert_eq!(app.run(&["subscribers", "show", "nobody@example.org"]).code, 2);
    // A subscriber who bounced and one who complained come back alike.
    app.write("returned.eml", "From: fbl@isp.example\r\nTo: news@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; ana@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n");
    app.ok(&["bounces", "returned.eml"]);
    assert!(app.ok(&["subscribers", "resume", subscriber]).ends_with("is active\n"));
}
