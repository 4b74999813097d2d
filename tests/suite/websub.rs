//! Feeds that are pushed (WebSub), under `courant serve`.

use hmac::{Hmac, KeyInit, Mac};

use crate::support::http::{Reply, Request, Server};
use crate::support::service::Service;
use crate::support::{App, rss, wait_for};

fn form(request: &Request) -> std::collections::HashMap<String, String> {
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

#[test]
fn a_hub_is_found_verified_and_believed_only_with_its_signature() {
    let hub = Server::always(Reply::new(202, ""));
    let hub_url = hub.url("/hub");
    let in_header = format!("<{hub_url}>; rel=\"hub\", <https://partner.example/feed>; rel=\"self\"");
    let server = Server::start(move |_| {
        Reply::ok(rss(&[("a", "The story that was polled", 12, "text")])).with("Link", &in_header)
    });
    let in_feed = rss(&[("b", "The story of another source", 12, "text")]).replace("<channel>", &format!("<channel><link xmlns=\"http://www.w3.org/2005/Atom\" rel=\"hub\" href=\"{hub_url}\"/><link xmlns=\"http://www.w3.org/2005/Atom\" rel=\"self\" href=\"https://other.example/feed\"/>"));
    let other = Server::always(Reply::ok(in_feed));
    let mut app = App::new(&format!(
        "[[source]]\nid = \"s\"\nurl = \"{}\"\n[[source]]\nid = \"o\"\nurl = \"{}\"\n",
        server.url("/"),
        other.url("/")
    ));

    let service = Service::start(&app);
    let asked =
        wait_for("the hub's question", || Some(hub.requests()).filter(|requests| requests.len() >= 2));
    let mut topics: Vec<String> = asked.iter().map(|request| form(request)["hub.topic"].clone()).collect();
    topics.sort();
    assert_eq!(topics, ["https://other.example/feed", "https://partner.example/feed"]);
    let asked =
        asked.iter().map(form).find(|form| form["hub.topic"] == "https://partner.example/feed").unwrap();
    assert_eq!(asked["hub.mode"], "subscribe");
    let callback = asked["hub.callback"].strip_prefix("https://news.example.org").unwrap().to_owned();
    let secret = asked["hub.secret"].clone();
    assert!(secret.len() >= 32);

    let verify = |topic: &str| {
        service.ask(
            "GET",
            &format!(
                "{callback}?hub.mode=subscribe&hub.topic={topic}&hub.challenge=c4a11&hub.lease_seconds=864000"
            ),
            "",
            "",
        )
    };
    assert_eq!(verify("https://evil.example/").0, 404, "a topic that we did not ask for");
    assert_eq!(
        service.ask("GET", "/websub/guessed?hub.mode=subscribe&hub.topic=x&hub.challenge=y", "", "").0,
        404
    );
    assert_eq!(verify("https%3A%2F%2Fpartner.example%2Ffeed"), (200, "c4a11".to_owned()));

    let news = rss(&[("n", "The story that was pushed", 19, "text")]);
    let sign = |body: &str| {
        let mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes())
            .unwrap()
            .chain_update(body)
            .finalize()
            .into_bytes();
        format!(
            "X-Hub-Signature: sha256={}\r\n",
            mac.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        )
    };
    assert_eq!(service.ask("POST", &callback, "", &news).0, 403);
    assert_eq!(service.ask("POST", &callback, &sign("another body"), &news).0, 403);
    assert_eq!(service.ask("POST", "/websub/guessed", &sign(&news), &news).0, 410);
    assert_eq!(app.titles().len(), 2, "forged pushes bring nothing");
    let typed = format!("Content-Type: application/rss+xml\r\n{}", sign(&news));
    assert_eq!(service.ask("POST", &callback, &typed, &news).0, 202);
    assert!(app.titles().contains(&"The story that was pushed".to_owned()));
    assert_eq!(app.entries().iter().filter(|entry| entry["announced"] == 1).count(), 3);
    drop(service);

    // While pushes arrive, polling is only a safety net.
    let planned = app.ok(&["sources"]);
    assert!(planned.contains("news is pushed to us"), "{planned}");
    server.take_requests();
    app.later(120).ok(&["fetch"]);
    assert!(server.take_requests().is_empty(), "{planned}");

    // The lease is renewed before it ends, under the same callback.
    hub.take_requests();
    app.later(9 * 24 * 60);
    let _service = Service::start(&app);
    let renewed = wait_for("the renewal", || {
        hub.requests().iter().map(form).find(|form| form["hub.topic"] == "https://partner.example/feed")
    });
    assert_eq!(renewed["hub.callback"], asked["hub.callback"]);
}
