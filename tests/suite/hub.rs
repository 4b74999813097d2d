//! Our feeds pushed to whoever subscribes at our hub, and a word to another hub.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};

use crate::support::http::{Manner, Reply, Request, Server};
use crate::support::service::Service;
use crate::support::{App, rss, wait_for};

/// A subscriber that confirms what is asked of it, and answers pushes with a status.
fn subscriber(push_status: u16) -> Server {
    subscriber_at("127.0.0.1", Reply::new(push_status, ""))
}

/// The same at one of the addresses of this machine.
fn subscriber_at(ip: &str, to_pushes: Reply) -> Server {
    Server::start_at(ip, move |request: &Request| {
        if request.method == "POST" {
            return to_pushes.clone();
        }
        let query = request.target.split_once('?').map_or("", |(_, query)| query);
        let challenge = url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "hub.challenge")
            .unwrap()
            .1
            .into_owned();
        Reply::ok(challenge)
    })
}

fn pushes(server: &Server) -> Vec<Request> {
    server.requests().into_iter().filter(|request| request.method == "POST").collect()
}

#[test]
fn whoever_subscribes_at_our_hub_is_verified_and_gets_signed_feeds() {
    let source = Server::always(Reply::ok(rss(&[("a", "The first story of the day", 19, "x")])));
    let (good, forgetful, silent) =
        (subscriber(204), subscriber(410), Server::always(Reply::ok("no challenge")));
    let mut app = App::new(&format!(
        "[publish]\nhub = \"self\"\n[[source]]\nid = \"s\"\nlang = \"en\"\ninterval = \"15m\"\nurl = \"{}\"\n",
        source.url("/")
    ));
    app.ok(&["run"]);
    let atom = app.read("public/atom.xml");
    assert!(atom.contains("href=\"https://news.example.org/hub\" rel=\"hub\""), "{atom}");
    let service = Service::start(&app);
    let topic = "https://news.example.org/atom.xml";
    let ask = |mode: &str, topic: &str, callback: &str| {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("hub.mode", mode)
            .append_pair("hub.topic", topic)
            .append_pair("hub.callback", callback)
            .append_pair("hub.secret", "geheim")
            .finish();
        service.ask("POST", "/hub", "Content-Type: application/x-www-form-urlencoded\r\n", &form).0
    };
    assert_eq!(ask("subscribe", topic, &good.url("/cb?x=1")), 202);
    assert_eq!(ask("subscribe", topic, &forgetful.url("/cb")), 202);
    assert_eq!(ask("subscribe", topic, &silent.url("/cb")), 202);
    assert_eq!(ask("subscribe", "https://other.example/atom.xml", &good.url("/cb")), 400);
    assert_eq!(
        ask("subscribe", topic, "http://10.0.0.1/cb"),
        202,
        "what is private is found out when it is asked, and not told"
    );
    let question = wait_for("the question", || good.requests().first().cloned());
    for part in [
        "x=1",
        "hub.mode=subscribe",
        "hub.lease_seconds=864000",
        "hub.topic=https%3A%2F%2Fnews.example.org%2Fatom.xml",
    ] {
        assert!(question.target.contains(part), "{part} is not in {}", question.target);
    }
    wait_for("the others' questions", || {
        (!forgetful.requests().is_empty() && !silent.requests().is_empty()).then_some(())
    });
    std::thread::sleep(Duration::from_millis(200));
    drop(service);
    source.answer(|_| Reply::ok(rss(&[("b", "The second story of the day", 20, "x")])));
    app.later(30).ok(&["run"]);
    let pushed = pushes(&good);
    assert_eq!(pushed.len(), 1);
    let push = &pushed[0];
    assert_eq!(push.body, app.read("public/atom.xml").into_bytes());
    assert_eq!(
        (push.header("content-type"), push.target.as_str()),
        (Some("application/atom+xml"), "/cb?x=1")
    );
    assert!(
        push.header("link").unwrap().contains("rel=\"hub\"") && push.header("link").unwrap().contains(topic)
    );
    let mac = Hmac::<sha2::Sha256>::new_from_slice(b"geheim")
        .unwrap()
        .chain_update(&push.body)
        .finalize()
        .into_bytes();
    let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(push.header("x-hub-signature"), Some(format!("sha256={hex}").as_str()));
    assert_eq!((pushes(&forgetful).len(), pushes(&silent).len()), (1, 0));
    // Nothing new, nothing pushed; who said 410 hears no more; a push that fails is made again.
    app.later(30).ok(&["run"]);
    assert_eq!(pushes(&good).len(), 1);
    good.answer(|_| Reply::new(500, ""));
    source.answer(|_| Reply::ok(rss(&[("c", "The third story of the day", 20, "x")])));
    app.later(30).ok(&["run"]);
    assert_eq!((pushes(&good).len(), pushes(&forgetful).len()), (2, 1));
    good.answer(|_| Reply::new(204, ""));
    app.later(2).ok(&["run"]);
    assert_eq!(pushes(&good).len(), 3);
    // A lease that ran out is over.
    source.answer(|_| Reply::ok(rss(&[("d", "The fourth story of the day", 20, "x")])));
    app.later(11 * 24 * 60).ok(&["run"]);
    assert_eq!(pushes(&good).len(), 3);
}

#[test]
fn another_hub_hears_of_each_change_once() {
    let source = Server::always(Reply::ok(rss(&[("a", "The first story of the day", 19, "x")])));
    let hub = Server::always(Reply::new(503, ""));
    let mut app = App::new(&format!(
        "[publish]\nhub = \"{}\"\n[[source]]\nid = \"s\"\nlang = \"en\"\nurl = \"{}\"\n",
        hub.url("/hub"),
        source.url("/")
    ));
    app.ok(&["run"]);
    let first = hub.requests().len();
    assert!(first >= 3, "{first}");
    hub.answer(|_| Reply::new(204, ""));
    app.later(2).ok(&["run"]);
    let words: Vec<String> = hub.requests()[first..]
        .iter()
        .map(|request| String::from_utf8(request.body.clone()).unwrap())
        .collect();
    assert!(
        words.contains(&"hub.mode=publish&hub.url=https%3A%2F%2Fnews.example.org%2Fatom.xml".to_owned()),
        "{words:?}"
    );
    app.later(90).ok(&["run"]);
    assert_eq!(hub.requests().len(), first + words.len(), "no change, no word");
}

#[test]
fn slow_callbacks_of_one_host_close_the_hub_for_nobody_else() {
    let source = Server::always(Reply::ok(rss(&[("a", "The first story of the day", 19, "x")])));
    let stalled: Vec<Server> = (0..5).map(|_| Server::always(Reply::ok("").sent(Manner::Stall))).collect();
    let good = subscriber(204);
    let mut app = App::new(&format!(
        "timeout = \"30s\"\n[publish]\nhub = \"self\"\n[[source]]\nid = \"s\"\nurl = \"{}\"\n",
        source.url("/")
    ));
    app.ok(&["run"]);
    let service = Service::start(&app);
    let ask = |callback: &str, client: &str| {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("hub.mode", "subscribe")
            .append_pair("hub.topic", "https://news.example.org/atom.xml")
            .append_pair("hub.callback", callback)
            .finish();
        let headers =
            format!("Content-Type: application/x-www-form-urlencoded\r\nX-Forwarded-For: {client}\r\n");
        service.ask("POST", "/hub", &headers, &form).0
    };
    // Callbacks of one host, asked for by many; then by one, at several hosts.
    let by_many: Vec<u16> =
        (0..40).map(|n| ask(&stalled[0].url(&format!("/{n}")), &format!("192.0.2.{n}"))).collect();
    let by_one: Vec<u16> =
        (0..48).map(|n| ask(&stalled[1 + n % 4].url(&format!("/{n}")), "198.51.100.1")).collect();
    for statuses in [&by_many, &by_one] {
        assert!(statuses.contains(&202) && statuses.contains(&503), "{statuses:?}");
    }
    assert_eq!(ask(&good.url("/cb"), "203.0.113.7"), 202);
    wait_for("the question", || good.requests().first().cloned());
    std::thread::sleep(Duration::from_millis(200));
    drop(service);
    source.answer(|_| Reply::ok(rss(&[("b", "The second story of the day", 20, "x")])));
    app.later(61).ok(&["run"]);
    assert_eq!(pushes(&good).len(), 1);
}

#[test]
fn subscribers_that_do_not_answer_pushes_hold_no_others_and_no_turn() {
    let source = Server::always(Reply::ok(rss(&[("a", "The first story of the day", 19, "x")])));
    let slow = Server::start(|request| match request.method.as_str() {
        "POST" => Reply::ok("").sent(Manner::Stall),
        _ => {
            let query = request.target.split_once('?').map_or("", |(_, query)| query);
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            Reply::ok(pairs.find(|(name, _)| name == "hub.challenge").unwrap().1.into_owned())
        }
    });
    let good = subscriber(204);
    let mut app = App::new(&format!(
        "timeout = \"2s\"\ndeadline = \"2s\"\n[publish]\nhub = \"self\"\n[[source]]\nid = \"s\"\nurl = \"{}\"\n",
        source.url("/")
    ));
    app.ok(&["run"]);
    let service = Service::start(&app);
    let ask = |callback: &str| {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("hub.mode", "subscribe")
            .append_pair("hub.topic", "https://news.example.org/atom.xml")
            .append_pair("hub.callback", callback)
            .finish();
        service.ask("POST", "/hub", "Content-Type: application/x-www-form-urlencoded\r\n", &form).0
    };
    for number in 0..12 {
        assert_eq!(ask(&slow.url(&format!("/{number}"))), 202);
    }
    assert_eq!(ask(&good.url("/cb")), 202);
    wait_for("the questions", || (slow.requests().len() == 12 && good.requests().len() == 1).then_some(()));
    std::thread::sleep(Duration::from_millis(300));
    drop(service);
    source.answer(|_| Reply::ok(rss(&[("b", "The second story of the day", 20, "x")])));
    app.later(61).ok(&["run"]);
    let pushed = pushes(&good);
    assert_eq!(pushed.len(), 1);
    let slow = pushes(&slow);
    assert!(slow.len() == 12 && slow.iter().filter(|push| push.at < pushed[0].at).count() <= 2);
}

#[test]
fn many_names_in_one_network_take_the_places_of_one_party() {
    let source = Server::always(Reply::ok(rss(&[("a", "The first story of the day", 19, "x")])));
    let slow: Vec<Server> =
        (0..24).map(|_| subscriber_at("127.0.0.1", Reply::ok("").sent(Manner::Stall))).collect();
    let good = subscriber_at("127.0.0.2", Reply::new(204, ""));
    let mut app = App::new(&format!(
        "timeout = \"2s\"\ndeadline = \"2s\"\n[publish]\nhub = \"self\"\n[[source]]\nid = \"s\"\nurl = \"{}\"\n",
        source.url("/")
    ));
    app.write("feeds.toml", app.read("feeds.toml").replace("\"::1\"", "\"127.0.0.2\""));
    app.ok(&["run"]);
    let service = Service::start(&app);
    for callback in slow.iter().chain([&good]) {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("hub.mode", "subscribe")
            .append_pair("hub.topic", "https://news.example.org/atom.xml")
            .append_pair("hub.callback", &callback.url("/cb"))
            .finish();
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
        assert_eq!(service.ask("POST", "/hub", headers, &form).0, 202);
    }
    let is_asked = |server: &Server| server.requests().len() == 1;
    wait_for("the questions", || slow.iter().chain([&good]).all(is_asked).then_some(()));
    std::thread::sleep(Duration::from_millis(300));
    drop(service);
    source.answer(|_| Reply::ok(rss(&[("b", "The second story of the day", 20, "x")])));
    app.later(61).ok(&["run"]);
    let pushed = pushes(&good);
    assert_eq!(pushed.len(), 1);
    let before = slow.iter().flat_map(pushes).filter(|push| push.at < pushed[0].at).count();
    assert!(before <= 16, "{before} pushes to one network were under way before");
    assert!(slow.iter().all(|server| pushes(server).len() == 1), "each has its turn");
}
