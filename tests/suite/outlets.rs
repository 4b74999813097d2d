//! Webhooks and services that are told of news: requests that a real server gets, as other programs would check them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

use crate::support::http::{Reply, Request, Server};
use crate::support::{App, rss};

const TOPIC: &str = "[[topic]]\nid = \"justice\"\nkeywords = { en = [\"justice\"] }\n";
/// How the title of the second item reads.
const TITLE: &str = "Open justice arrives in <Lyon> & \"Gent\"";
const ITEMS: [(&str, &str, u8, &str); 4] = [
    ("old", "A school is painted", 10, "Children chose all the colours."),
    (
        "a",
        "Open justice arrives in &amp;lt;Lyon&amp;gt; &amp;amp; \"Gent\"",
        20,
        "The courts show what they decide.",
    ),
    ("b", "A bridge is built by @ana@example.org", 20, "Pedestrians cross the river from May on."),
    ("c", "Judges of Quito publish every sentence", 20, "A register of trials starts."),
];

/// A server with a feed that shows more items as `shown` grows, and with outlets that answer with `status`.
struct World {
    server: Server,
    shown: Arc<AtomicUsize>,
    status: Arc<AtomicU16>,
}

impl World {
    fn new() -> World {
        let (shown, status) = (Arc::new(AtomicUsize::new(1)), Arc::new(AtomicU16::new(200)));
        let (items, answer) = (shown.clone(), status.clone());
        let server = Server::start(move |request| match request.target.as_str() {
            "/feed" => Reply::ok(rss(&ITEMS[..items.load(Ordering::Relaxed)])),
            _ => Reply::new(answer.load(Ordering::Relaxed), "{}"),
        });
        World { server, shown, status }
    }

    fn source(&self) -> String {
        format!(
            "[[source]]\nid = \"s\"\npartner = \"Partner & Co\"\nkind = \"feed\"\nurl = \"{}\"\ninterval = \"1m\"\n",
            self.server.url("/feed")
        )
    }

    /// An installation that has read the old story before it has the outlets of `rest`.
    fn app(&self, rest: &str) -> App {
        let mut app = App::new(&format!("{TOPIC}{}", self.source()));
        app.set([
            ("HOOK_SECRET", "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQ=".to_owned()),
            ("TOKEN", "geheim".to_owned()),
        ]);
        app.ok(&["run"]);
        app.write("feeds.toml", app.read("feeds.toml") + rest);
        app.later(60).ok(&["run"]);
        assert!(self.posts().is_empty(), "what is old is no news");
        app
    }

    /// What was sent to outlets since the last time.
    fn posts(&self) -> Vec<Request> {
        self.server.take_requests().into_iter().filter(|request| request.target != "/feed").collect()
    }

    fn webhook(&self, rest: &str) -> String {
        let url = self.server.url("/hook");
        format!("[[webhook]]\nid = \"site\"\nurl = \"{url}\"\nsecret = \"env:HOOK_SECRET\"\n{rest}")
    }
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

/// Whether a request is signed as Standard Webhooks has it.
fn is_signed(request: &Request) -> bool {
    let header = |name: &str| request.header(name).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret secret secret");
    let mut signed = format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).into_bytes();
    signed.extend(&request.body);
    let signature = STANDARD.decode(header("webhook-signature").strip_prefix("v1,").unwrap()).unwrap();
    hmac::verify(&key, &signed, &signature).is_ok()
}

#[test]
fn a_webhook_is_told_of_each_story_once_and_can_see_that_it_is_us() {
    let world = World::new();
    let mut app = world.app(&world.webhook(""));
    world.shown.store(3, Ordering::Relaxed);
    app.later(60).ok(&["run"]);
    let posts = world.posts();
    assert_eq!(posts.len(), 2);
    for post in &posts {
        let told = body(post);
        assert!(is_signed(post), "{post:?}");
        assert_eq!((&told["type"], post.method.as_str()), (&json!("story.published"), "POST"));
        assert_eq!(
            post.header("webhook-id").unwrap(),
            format!("story-{}", told["data"]["id"].as_str().unwrap())
        );
        assert_eq!(told["data"]["partner"], "Partner & Co");
    }
    assert_eq!(body(&posts[0])["data"]["title"], TITLE);
    assert_eq!(app.now().as_second().to_string(), posts[0].header("webhook-timestamp").unwrap());
    app.later(60).ok(&["run"]);
    assert!(world.posts().is_empty());
}

#[test]
fn what_a_webhook_does_not_accept_is_posted_again_under_the_same_id_and_later_each_time() {
    let world = World::new();
    let mut app = world.app(&world.webhook(""));
    world.status.store(500, Ordering::Relaxed);
    world.shown.store(3, Ordering::Relaxed);
    app.later(60).ok(&["run"]);
    let first = world.posts();
    assert_eq!(first.len(), 1, "what follows would fail as well");
    let queued = app.ok(&["queue"]);
    assert!(queued.contains("webhook site") && queued.contains("answers 500"), "{queued}");
    app.ok(&["run"]);
    let mut tried = world.posts();
    assert_eq!(tried.len(), 1, "the other one");
    // A minute after the first attempt, five after the second.
    app.later(1).ok(&["run"]);
    let second = world.posts();
    assert_eq!(
        (second[0].header("webhook-id"), &second[0].body),
        (first[0].header("webhook-id"), &first[0].body)
    );
    assert!(
        is_signed(&second[0])
            && second[0].header("webhook-timestamp") != first[0].header("webhook-timestamp")
    );
    app.later(3).ok(&["run"]);
    tried.extend(world.posts());
    let id = second[0].header("webhook-id");
    assert!(tried.iter().all(|post| post.header("webhook-id") != id), "its pause is longer by now");
    world.status.store(204, Ordering::Relaxed);
    app.later(600).ok(&["run"]);
    let mut accepted: Vec<String> =
        world.posts().iter().map(|post| post.header("webhook-id").unwrap().to_owned()).collect();
    accepted.sort();
    accepted.dedup();
    assert_eq!(accepted.len(), 2);
    app.later(600).ok(&["run"]);
    assert!(world.posts().is_empty() && !app.ok(&["queue"]).contains("webhook"));
}

#[test]
fn a_webhook_that_is_gone_for_good_is_given_up_and_the_operator_is_told() {
    let world = World::new();
    let mut app = world.app(&world.webhook(""));
    let text = app.read("feeds.toml").replace("[mail]\n", "[mail]\noperator = [\"op@example.org\"]\n");
    app.write("feeds.toml", text);
    world.status.store(410, Ordering::Relaxed);
    world.shown.store(2, Ordering::Relaxed);
    app.later(60).ok(&["run"]);
    assert_eq!(world.posts().len(), 1);
    app.later(600).ok(&["run"]);
    assert!(world.posts().is_empty());
    let mails = app.outbox();
    assert!(mails.iter().any(|mail| mail.contains("webhook site") && mail.contains("given up")), "{mails:?}");
}

#[test]
fn no_webhook_is_posted_to_at_a_private_address_that_is_not_allowed() {
    let (world, inside) = (World::new(), Server::start(|_| Reply::new(200, "secret")));
    let hook = world.webhook("").replace(&world.server.url("/hook"), &inside.url("/hook"));
    let mut app = world.app(&hook);
    let port = world.server.url("").rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    let text = app.read("feeds.toml");
    app.write("feeds.toml", text.replace("\"127.0.0.1\", \"::1\"", &format!("\"127.0.0.1:{port}\"")));
    world.shown.store(2, Ordering::Relaxed);
    app.later(60).ok(&["run"]);
    assert!(inside.requests().is_empty());
    assert!(app.ok(&["queue"]).contains("is a private address"));
}

#[test]
fn a_webhook_is_told_of_issues_and_only_of_what_it_asks_for() {
    let world = World::new();
    let digest =
        "[[digest]]\nid = \"daily\"\nschedule = \"daily 06:00 UTC\"\nrecipients = [\"ana@example.org\"]\n";
    let mut app = world.app(&format!("{digest}{}events = [\"issue.published\"]\n", world.webhook("")));
    world.shown.store(3, Ordering::Relaxed);
    app.later(24 * 60).ok(&["run"]);
    let posts = world.posts();
    assert_eq!(posts.len(), 1, "{posts:?}");
    let told = body(&posts[0]);
    assert_eq!((&told["type"], &told["data"]["digest"]), (&json!("issue.published"), &json!("daily")));
    let url = told["data"]["url"].as_str().unwrap();
    let name = url.strip_prefix("https://news.example.org/").unwrap();
    assert!(app.read(&format!("public/{name}")).contains("A bridge is built"), "{url}");
}

#[test]
fn services_are_told_of_the_stories_that_they_want_in_their_own_way() {
    let world = World::new();
    let send = |service: &str, rest: &str| {
        let url = world.server.url(&format!("/{service}"));
        format!(
            "[[send]]\nid = \"{service}\"\nservice = \"{service}\"\nurl = \"{url}\"\ntopics = [\"justice\"]\n{rest}"
        )
    };
    let token = "token = \"env:TOKEN\"\n";
    let mut app = world.app(
        &[
            send("matrix", &format!("to = \"!room:example.org\"\n{token}")),
            send("ntfy", "to = \"news\"\n"),
            send("slack", ""),
            send("discord", ""),
            send("telegram", &format!("to = \"@news\"\n{token}")),
            send("mastodon", token),
        ]
        .concat(),
    );
    world.shown.store(3, Ordering::Relaxed);
    app.later(60).ok(&["run"]);
    let posts = world.posts();
    let of = |begin: &str| {
        let own: Vec<&Request> = posts.iter().filter(|post| post.target.starts_with(begin)).collect();
        assert_eq!(own.len(), 1, "{begin}: {posts:?}");
        (own[0], body(own[0]))
    };
    let (title, link) = (TITLE, "https://partner.example/a");
    let (matrix, said) = of("/matrix/_matrix/client/v3/rooms/!room:example.org/send/m.room.message/story-");
    assert_eq!((matrix.method.as_str(), matrix.header("authorization")), ("PUT", Some("Bearer geheim")));
    assert!(said["formatted_body"].as_str().unwrap().contains("&lt;Lyon&gt; &amp; "), "{said}");
    assert_eq!(said["body"], format!("{title} (Partner & Co)\n{link}"));
    let (_, said) = of("/ntfy");
    assert_eq!(
        (&said["topic"], &said["message"], &said["click"]),
        (&json!("news"), &json!(title), &json!(link))
    );
    let (_, said) = of("/slack");
    assert!(
        said["text"].as_str().unwrap().starts_with("Open justice arrives in &lt;Lyon&gt; &amp; \"Gent\""),
        "{said}"
    );
    let (_, said) = of("/discord");
    assert_eq!(said["allowed_mentions"], json!({ "parse": [] }));
    let (_, said) = of("/telegram/botgeheim/sendMessage");
    assert_eq!((&said["chat_id"], &said["parse_mode"]), (&json!("@news"), &json!("HTML")));
    assert!(said["text"].as_str().unwrap().contains("<b>Open justice arrives in &lt;Lyon&gt;"), "{said}");
    let (mastodon, said) = of("/mastodon/api/v1/statuses");
    assert!(mastodon.header("idempotency-key").unwrap().starts_with("story-"));
    assert!(said["status"].as_str().unwrap().ends_with(link) && said["language"] == "en", "{said}");
    app.later(60).ok(&["run"]);
    assert!(world.posts().is_empty());
}

#[test]
fn nobody_is_mentioned_by_the_words_of_a_source() {
    let world = World::new();
    let url = world.server.url("/mastodon");
    let send =
        format!("[[send]]\nid = \"m\"\nservice = \"mastodon\"\nurl = \"{url}\"\ntoken = \"env:TOKEN\"\n");
    let mut app = world.app(&send);
    world.shown.store(3, Ordering::Relaxed);
    app.later(60).ok(&["run"]);
    let posts = world.posts();
    let said = posts.iter().map(|post| body(post)["status"].as_str().unwrap().to_owned()).collect::<String>();
    assert!(said.contains("A bridge is built by @\u{2060}ana@\u{2060}example.org"), "{said}");
}

#[test]
fn a_template_of_the_operators_decides_what_is_said() {
    let world = World::new();
    let (url, other) = (world.server.url("/slack"), world.server.url("/discord"));
    let mut app = world.app(&format!(
        "[[send]]\nid = \"s\"\nservice = \"slack\"\nurl = \"{url}\"\n[[send]]\nid = \"d\"\nservice = \"discord\"\nurl = \"{other}\"\n"
    ));
    let to_slack = || world.posts().into_iter().find(|post| post.target == "/slack").unwrap();
    app.write("templates/send/slack.json", "{\"text\": {{ (\"News: \" ~ title) | json }}}");
    world.shown.store(2, Ordering::Relaxed);
    app.later(60).ok(&["run"]);
    assert_eq!(body(&to_slack())["text"], format!("News: {}", TITLE));
    app.write("templates/send/slack.json", "{\"text\": {{ title }}}");
    world.shown.store(3, Ordering::Relaxed);
    let ran = app.later(60).run(&["run"]);
    assert!(ran.code == 1 && ran.stderr.contains("slack.json: what it makes is no JSON"), "{}", ran.stderr);
    // Others get theirs, and nothing is lost by that.
    let others: Vec<String> = world.posts().into_iter().map(|post| post.target).collect();
    assert_eq!(others, ["/discord"]);
    app.write("templates/send/slack.json", "{\"text\": {{ title | json }}}");
    app.later(60).ok(&["run"]);
    assert_eq!(body(&to_slack())["text"], ITEMS[2].1);
}

#[test]
fn what_is_missing_of_an_outlet_is_said_and_no_secret_stands_in_the_file() {
    let app = App::new("");
    for (rest, said) in [
        ("[[webhook]]\nid = \"w\"\nurl = \"https://x.example/\"\n", "secret is missing"),
        (
            "[[webhook]]\nid = \"w\"\nurl = \"https://x.example/\"\nsecret = \"geheim\"\n",
            "must not stand in this file",
        ),
        (
            "[[webhook]]\nid = \"w\"\nurl = \"https://x.example/\"\nsecret = \"env:PATH\"\nevents = [\"story.publish\"]\n",
            "did you mean \"story.published\"?",
        ),
        (
            "[[send]]\nid = \"s\"\nservice = \"matrix\"\nurl = \"https://x.example/\"\nto = \"!r:x\"\n",
            "token is missing",
        ),
        ("[[send]]\nid = \"s\"\nservice = \"ntfy\"\n", "to is missing: write the topic"),
        ("[[send]]\nid = \"s\"\nservice = \"slack\"\n", "url is missing"),
        ("[[send]]\nid = \"s\"\nservice = \"irc\"\n", "must be \"matrix\" or"),
    ] {
        app.configure(rest);
        let ran = app.run(&["check"]);
        assert!(ran.code == 2 && ran.stderr.contains(said), "{rest}: {}", ran.stderr);
    }
}
