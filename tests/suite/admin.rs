//! `/admin`: who gets in, who may do what, and what is seen and done there, asked over HTTP as a browser does.

use std::io::Write;
use std::process::Stdio;
use std::sync::LazyLock;

use serde_json::Value;

use crate::support::http::{Reply, Request, Server};
use crate::support::service::{METRICS, Service, ask_whole};
use crate::support::sink::Sink;
use crate::support::{App, Ran, rss, wait_for};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// The hash of that password, as the command makes it.
pub(crate) static HASH: LazyLock<String> = LazyLock::new(|| {
    let ran = hashed(&format!("{PASSWORD}\n"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout.trim().to_owned()
});
/// Of the same, and as cheap as may be: for many log-ins.
const CHEAP: &str =
    "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$/ur5fLELUb1eXkT9oKHqq6gHGZ9Phwgbj4qyIcCNaYc";

fn hashed(password: &str) -> Ran {
    let app = App::new("");
    let mut command = app.command(&["admin", "hash-password"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    Ran::from(child.wait_with_output().unwrap())
}

pub(crate) fn account(name: &str, role: &str, hash: &str) -> String {
    format!("[[admin.account]]\nname = \"{name}\"\nrole = \"{role}\"\npassword = \"{hash}\"\n")
}

fn operator() -> String {
    account("olga", "operator", &HASH)
}

/// A value for a form.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    pairs.join("&")
}

/// What a browser got.
pub(crate) struct Page {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The token of its forms.
    fn csrf(&self) -> String {
        let rest = self
            .body
            .split("name=\"csrf\" value=\"")
            .nth(1)
            .unwrap_or_else(|| panic!("no form: {}", self.body));
        rest.split('"').next().unwrap().to_owned()
    }
}

/// A browser with the cookie of a session, or none.
pub(crate) struct Browser {
    address: String,
    pub(crate) cookie: String,
    pub(crate) more: String,
}

impl Browser {
    pub(crate) fn of(service: &Service) -> Browser {
        Browser { address: service.address().to_owned(), cookie: String::new(), more: String::new() }
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Page {
        let cookie =
            if self.cookie.is_empty() { String::new() } else { format!("Cookie: a=b; {}\r\n", self.cookie) };
        let rest = format!(
            "{cookie}{}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.more,
            body.len()
        );
        let answer = ask_whole(&self.address, method, path, &rest);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Page { status: head[9..12].parse().unwrap(), head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) fn get(&self, path: &str) -> Page {
        self.ask("GET", path, "")
    }

    #[track_caller]
    pub(crate) fn shown(&self, path: &str) -> String {
        let page = self.get(path);
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        page.body
    }

    /// Sends a form with the token of a page of this session.
    pub(crate) fn send(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.get("/admin").csrf();
        self.ask("POST", path, &form(&[&[("csrf", csrf.as_str()), ("l", "en")], fields].concat()))
    }

    fn log_in(&self, name: &str, password: &str) -> Page {
        self.ask("POST", "/admin/login", &form(&[("name", name), ("password", password), ("l", "en")]))
    }
}

/// A browser in which somebody signed in.
#[track_caller]
pub(crate) fn signed_in(service: &Service, name: &str) -> Browser {
    let mut browser = Browser::of(service);
    let page = browser.log_in(name, PASSWORD);
    assert_eq!(page.status, 303, "{}", page.body);
    browser.cookie = page.header("Set-Cookie").unwrap().split(';').next().unwrap().to_owned();
    browser
}

fn source(server: &Server, id: &str) -> String {
    format!(
        "[[source]]\nid = \"{id}\"\npartner = \"Partner {id}\"\nlang = \"en\"\nurl = \"{}\"\n",
        server.url(&format!("/{id}"))
    )
}

fn sources(app: &App) -> Vec<Value> {
    serde_json::from_str(&app.ok(&["sources", "--format", "json"])).unwrap()
}

#[test]
fn without_an_account_nothing_is_there() {
    let app = App::new("");
    app.ok(&["publish"]);
    let service = Service::start(&app);
    for path in ["/admin", "/admin/", "/admin/login", "/admin/mail", "/admin/source?id=x"] {
        for method in ["GET", "POST"] {
            let (status, body) = service.ask(method, path, "", "");
            assert!(status == 404 || (method, status) == ("POST", 405), "{method} {path}: {status} {body}");
        }
    }
    assert!(!service.ask("GET", "/admin", "Accept: text/html\r\n", "").1.contains("assword"));
}

#[test]
fn a_password_is_hashed_with_a_salt_of_its_own_and_a_weak_one_is_refused() {
    let other = hashed(PASSWORD);
    assert!(other.stdout.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && other.stdout.trim() != *HASH);
    assert!(other.stderr.is_empty(), "{}", other.stderr);
    let short = hashed("eleven char\n");
    assert_eq!((short.code, short.stdout.as_str()), (2, ""));
    assert!(short.stderr.contains("use 12 characters or more"), "{}", short.stderr);
    assert!(hashed("a password with\ttabs\n").stderr.contains("control character"));
    let app = App::new(&account("ana", "operator", PASSWORD));
    let ran = app.run(&["check"]);
    assert!(ran.code == 2 && ran.stderr.contains("a password must not stand in this file"), "{}", ran.stderr);
}

#[test]
fn a_password_opens_a_session_and_nothing_else_does() {
    let app = App::new(&operator());
    let service = Service::start(&app);
    let stranger = Browser::of(&service);
    for path in ["/admin", "/admin/", "/admin/judge", "/admin/mail", "/admin/source?id=s", "/admin/add"] {
        let page = stranger.get(path);
        assert_eq!((page.status, page.header("Location")), (303, Some("/admin/login?l=en")), "{path}");
        assert!(!page.body.contains("csrf"));
    }
    let form = stranger.get("/admin/login?l=fr");
    assert!(
        form.status == 200 && form.body.contains("<html lang=\"fr\"") && form.body.contains("Mot de passe")
    );
    let (wrong, unknown) = (stranger.log_in("olga", "incorrect horse"), stranger.log_in("nobody", PASSWORD));
    assert_eq!((wrong.status, unknown.status, &wrong.body), (422, 422, &unknown.body), "they look alike");
    assert!(
        wrong.body.contains("The name or the password is wrong.") && wrong.header("Set-Cookie").is_none()
    );

    let page = stranger.log_in("olga", PASSWORD);
    let cookie = page.header("Set-Cookie").unwrap();
    for want in
        ["__Host-courant=", "; Path=/;", "; HttpOnly", "; SameSite=Lax", "; Secure", "; Max-Age=43200"]
    {
        assert!(cookie.contains(want), "{want} is not in {cookie}");
    }
    assert!(!cookie.contains("Domain"));
    let olga = signed_in(&service, "olga");
    let page = olga.get("/admin");
    assert!(page.status == 200 && page.body.contains("olga") && page.body.contains("(operator)"));
    for (name, want) in [
        ("Cache-Control", "no-store"),
        ("X-Robots-Tag", "noindex, nofollow"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
    ] {
        assert_eq!(page.header(name), Some(want), "{}", page.head);
    }
    let policy = page.header("Content-Security-Policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("script-src") && !page.body.contains("<script"));
    assert!(page.body.contains("<meta name=\"robots\" content=\"noindex\">"));
    // What proves the session is not in the store.
    let token = olga.cookie.split_once('=').unwrap().1;
    assert_eq!(token.len(), 64);
    for name in ["courant.db", "courant.db-wal"] {
        let bytes = std::fs::read(app.path(name)).unwrap_or_default();
        assert!(!bytes.windows(64).any(|window| window == token.as_bytes()), "{name}");
    }
    // A browser that signs in anew has another session, and the one before is over.
    let again = olga.log_in("olga", PASSWORD);
    assert!(!again.header("Set-Cookie").unwrap().contains(token));
    assert_eq!(olga.get("/admin").status, 303);

    let olga = signed_in(&service, "olga");
    assert_eq!(olga.get("/admin/login").header("Location"), Some("/admin?l=en"));
    let out = olga.send("/admin/logout", &[]);
    assert_eq!((out.status, out.header("Location")), (303, Some("/admin/login?l=en")));
    assert!(out.header("Set-Cookie").unwrap().starts_with("__Host-courant=; Path=/; Max-Age=0;"));
    assert_eq!(olga.get("/admin").status, 303, "the cookie proves nothing any more");
    let forged = Browser { cookie: format!("__Host-courant={}", "0".repeat(64)), ..Browser::of(&service) };
    assert_eq!(forged.get("/admin").status, 303);
}

#[test]
fn a_session_holds_on_every_machine_and_ends_with_time_password_or_account() {
    let mut app = App::new(&(operator() + &account("vera", "viewer", &HASH)));
    let service = Service::start(&app);
    let (olga, vera) = (signed_in(&service, "olga"), signed_in(&service, "vera"));
    let at = |service: &Service, browser: &Browser| {
        Browser { cookie: browser.cookie.clone(), ..Browser::of(service) }.get("/admin").status
    };
    let idle = signed_in(&service, "vera");
    for _ in 0..6 {
        let later = Service::start(app.later(110));
        assert_eq!((at(&later, &olga), at(&later, &vera)), (200, 200), "it is used now and then");
    }
    // Ten minutes more than eleven hours: the one that nobody used has ended, the others end at twelve.
    let later = Service::start(&app);
    assert_eq!(at(&later, &idle), 303);
    let changed = account("olga", "operator", hashed("another password").stdout.trim());
    app.configure(&changed);
    let reconfigured = Service::start(&app);
    assert_eq!(at(&reconfigured, &olga), 303, "the password is another one");
    assert_eq!(at(&reconfigured, &vera), 303, "the account is gone");
    app.configure(&(operator() + &account("vera", "viewer", &HASH)));
    let back = Service::start(&app);
    assert_eq!((at(&back, &olga), at(&back, &vera)), (303, 303), "what ended stays so");
    let fresh = signed_in(&back, "olga");
    for _ in 0..6 {
        let later = Service::start(app.later(110));
        assert_eq!(at(&later, &fresh), 200);
    }
    assert_eq!(at(&Service::start(app.later(60)), &fresh), 303, "twelve hours are over");
}

#[test]
fn log_ins_are_limited_by_address_and_by_account() {
    let app = App::new(&(account("olga", "operator", CHEAP) + &account("vera", "viewer", CHEAP)));
    let service = Service::start(&app);
    let from =
        |client: &str| Browser { more: format!("X-Forwarded-For: {client}\r\n"), ..Browser::of(&service) };
    for _ in 0..10 {
        assert_eq!(from("203.0.113.7").log_in("olga", "a wrong password").status, 422);
    }
    let page = from("203.0.113.7").log_in("olga", PASSWORD);
    assert!(page.status == 429 && page.body.contains("Too many requests"), "{}", page.status);
    assert_eq!(from("203.0.113.7").log_in("vera", PASSWORD).status, 429, "whoever it is");
    assert_eq!(from("203.0.113.8").log_in("vera", PASSWORD).status, 303, "others are not concerned");
    // Whoever has many addresses has fifty attempts.
    for n in 0..39 {
        assert_eq!(
            from(&format!("198.51.100.{}", n / 8)).log_in("olga", "a wrong password").status,
            422,
            "{n}"
        );
    }
    assert_eq!(from("192.0.2.1").log_in("olga", PASSWORD).status, 303);
    assert_eq!(from("192.0.2.2").log_in("olga", PASSWORD).status, 429);
    assert_eq!(from("192.0.2.2").log_in("vera", PASSWORD).status, 303);
}

#[test]
fn a_form_of_another_session_or_site_does_nothing() {
    let server = Server::always(Reply::ok(rss(&[("a", "A story of the day", 19, "x")])));
    let app = App::new(&(operator() + &source(&server, "s")));
    app.ok(&["fetch"]);
    let before = sources(&app);
    let service = Service::start(&app);
    let (olga, other) = (signed_in(&service, "olga"), signed_in(&service, "olga"));
    let (own, others) = (olga.get("/admin").csrf(), other.get("/admin").csrf());
    assert_ne!(own, others);
    let poll = |csrf: &str| form(&[("csrf", csrf), ("id", "s"), ("do", "poll")]);
    for token in ["", "x", others.as_str(), &own[..own.len() - 1]] {
        let page = olga.ask("POST", "/admin/source", &poll(token));
        assert_eq!(page.status, 403, "{token}");
        assert!(page.body.contains("The form was open for too long"), "{}", page.body);
    }
    for header in [
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Origin: https://evil.example\r\n",
    ] {
        let lured = Browser { more: header.into(), cookie: olga.cookie.clone(), ..Browser::of(&service) };
        assert_eq!(lured.ask("POST", "/admin/source", &poll(&own)).status, 403, "{header}");
        assert_eq!(lured.log_in("olga", PASSWORD).status, 403, "{header}");
    }
    assert_eq!(Browser::of(&service).ask("POST", "/admin/source", &poll(&own)).status, 303, "to the log-in");
    assert_eq!(sources(&app), before);
    // A GET with the same fields is no form.
    assert_eq!(olga.get(&format!("/admin/source?{}", poll(&own))).status, 200);
    assert_eq!(sources(&app), before);
    assert_eq!(olga.ask("POST", "/admin/source", &poll(&own)).status, 303);
    assert_eq!(sources(&app)[0]["next_poll_reason"], "asked for by olga");
}

#[test]
fn nobody_does_more_than_their_role_allows() {
    let server =
        Server::always(Reply::ok(rss(&[("a", "A bridge is built in Quito", 19, "Pedestrians cross it.")])));
    let digest = "[[digest]]\nid = \"d\"\nschedule = \"daily 20:00 UTC\"\nrecipients = [\"a@example.org\"]\n";
    let topic = "[[topic]]\nid = \"roads\"\nlabel = { en = \"Roads\" }\nkeywords = { en = [\"asphalt\"] }\n";
    let accounts = operator() + &account("edi", "editor", &HASH) + &account("vera", "viewer", &HASH);
    let app = App::new(&format!("{accounts}{digest}{topic}{}", source(&server, "s")));
    app.ok(&["fetch"]);
    let service = Service::start(&app);
    let [olga, edi, vera] = ["olga", "edi", "vera"].map(|name| signed_in(&service, name));
    let key = {
        let page = edi.shown("/admin/judge");
        let rest = page.split("name=\"entry\" value=\"").nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    for (who, browser, allowed) in [("vera", &vera, 0), ("edi", &edi, 2), ("olga", &olga, 4)] {
        let asked = [
            ("/admin/judge", vec![("entry", key.as_str()), ("topic", "roads")], 303),
            ("/admin/desk", vec![("digest", "d")], 303),
            ("/admin/source", vec![("id", "s"), ("do", "poll")], 303),
            ("/admin/add", vec![("do", "look"), ("address", "ftp://x")], 422),
        ];
        for (number, (path, fields, want)) in asked.into_iter().enumerate() {
            let page = browser.send(path, &fields);
            let want = if number < allowed { want } else { 403 };
            assert_eq!(page.status, want, "{who} {path}: {}", page.body);
            if want == 403 {
                assert!(page.body.contains("Your role does not allow this."), "{}", page.body);
            }
        }
    }
    assert_eq!(vera.get("/admin/add").status, 403);
    // Nobody is shown a button that they may not press.
    let buttons = |browser: &Browser, path: &str| browser.shown(path).matches("<button").count();
    assert_eq!((buttons(&vera, "/admin/judge"), buttons(&vera, "/admin/source?id=s")), (1, 1), "to log out");
    assert!(buttons(&edi, "/admin/judge") > 1 && buttons(&edi, "/admin/source?id=s") == 1);
    assert_eq!(buttons(&olga, "/admin/source?id=s"), 2);
}

#[test]
fn an_account_opens_the_desk_as_itself_until_it_is_gone() {
    let server =
        Server::always(Reply::ok(rss(&[("a", "A bridge is built in Quito", 19, "Pedestrians cross it.")])));
    let digest = "[[digest]]\nid = \"d\"\nschedule = \"daily 20:00 UTC\"\nrecipients = [\"a@example.org\"]\n";
    let rest = format!("{digest}{}", source(&server, "s"));
    let app = App::new(&format!("{}{rest}", account("edi", "editor", &HASH)));
    app.ok(&["fetch"]);
    let service = Service::start(&app);
    let page = signed_in(&service, "edi").send("/admin/desk", &[("digest", "d")]);
    let desk = page.header("Location").unwrap().split('?').next().unwrap().to_owned();
    let (status, body) = service.ask("GET", &desk, "", "");
    assert!(
        status == 200 && body.contains("A bridge is built in Quito") && body.contains("<bdi>edi</bdi>"),
        "{body}"
    );
    let headers = "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n";
    let story = body.split("name=\"story\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(service.ask("POST", &desk, headers, &format!("do=pin&story={story}")).0, 303);
    assert!(app.ok(&["desk", "log"]).contains("edi"));
    app.configure(&format!("{}{rest}", account("edi", "viewer", &HASH)));
    assert_eq!(Service::start(&app).ask("GET", &desk, "", "").0, 404, "a viewer is no editor");
    app.configure(&format!("{}{rest}", account("eva", "editor", &HASH)));
    assert_eq!(Service::start(&app).ask("GET", &desk, "", "").0, 404, "another account has no part in it");
}

#[test]
fn sources_are_seen_at_a_glance_with_what_to_do() {
    let server = Server::start(|request| match request.target.as_str() {
        "/good" => Reply::ok(rss(&[
            ("a", "A bridge is built in Quito", 19, "x"),
            ("b", "A school is painted", 18, "y"),
        ])),
        "/gone" => Reply::new(410, ""),
        _ => Reply::new(500, "trouble"),
    });
    let many: String = (0..105)
        .map(|n| format!("[[source]]\nid = \"more-{n:03}\"\npartner = \"Many & more\"\nenabled = false\nurl = \"{}\"\n", server.url(&format!("/more/{n}"))))
        .collect();
    let own = ["good", "bad", "gone"].map(|id| source(&server, id)).concat();
    let mut app = App::new(&format!("{}{own}{many}", operator()));
    app.ok(&["fetch"]);
    app.later(24 * 60).ok(&["fetch", "--all"]);
    let service = Service::start(&app);
    let olga = signed_in(&service, "olga");
    let page = olga.shown("/admin");
    assert_eq!(page.matches("<li class=\"card").count(), 100, "a page is bounded");
    let card = |id: &str| {
        let rest = page.split(&format!("<bdi>{id}</bdi></a></h2>")).nth(1).unwrap();
        rest.split("</li>").next().unwrap().to_owned()
    };
    let good = card("good");
    assert!(good.contains("aria-label=\"Entries in 30 days: 2; most in one day: 2\""), "{good}");
    assert_eq!(good.matches("<rect").count(), 1, "both came on one day");
    assert!(
        good.contains("Last success: <time datetime=\"2022-10-21T08:00:00Z\">2022-10-21 08:00 UTC</time>"),
        "{good}"
    );
    assert!(good.contains("Next poll:") && !good.contains("class=\"wrong\""));
    let bad = card("bad");
    assert!(
        bad.contains("500") && bad.contains("Failures in a row: 2") && bad.contains("courant probe"),
        "{bad}"
    );
    assert!(
        card("gone").contains("The server says that this source is gone.") && card("gone").contains("never")
    );
    assert!(card("more-000").contains("disabled"));
    let last = olga.shown("/admin?page=2");
    assert_eq!(last.matches("<li class=\"card").count(), 8);
    assert!(last.contains("more-104") && !page.contains("more-104"));
    assert_eq!(olga.shown("/admin?page=99"), last, "there is no page after the last");
    let broken = olga.shown("/admin?broken=1");
    assert!(
        broken.matches("<li class=\"card").count() == 2 && !broken.contains("<bdi>good</bdi>"),
        "{broken}"
    );
    let partner = olga.shown("/admin?partner=Many+%26+more&page=2");
    assert!(partner.contains("Sources: 105") && partner.contains("partner=Many+%26+more"), "{partner}");
    assert!(olga.shown("/admin?partner=nobody").contains("No results."));
    // A page of its own, with what it brought.
    let own = olga.shown("/admin/source?id=good");
    assert!(own.contains("A bridge is built in Quito") && own.contains("A school is painted"), "{own}");
    assert_eq!(olga.get("/admin/source?id=nowhere").status, 404);
    // It is read when an operator asks for it, whatever its time.
    let asked = || server.requests().iter().filter(|request| request.target == "/good").count();
    let before = asked();
    assert_eq!(olga.send("/admin/source", &[("id", "good"), ("do", "poll")]).status, 303);
    app.ok(&["fetch"]);
    assert_eq!(asked(), before + 1);
    assert_eq!(
        olga.send("/admin/source", &[("id", "more-001"), ("do", "poll")]).status,
        422,
        "it is disabled"
    );
}

/// A listing of eight stories from `first` on, before or after a redesign.
fn listing(style: &str, first: usize) -> String {
    let cards: String = (first..first + 8)
        .rev()
        .map(|n| match style {
            "old" => format!("<article class=\"card\"><h3 class=\"card-title\"><a href=\"/news/the-story-number-{n}\">The story that has number {n}</a></h3><p class=\"card-date\">{:02}/10/2022</p><p class=\"card-text\">What happened in the story with the number {n}, at some length.</p></article>", n % 28 + 1),
            _ => format!("<div class=\"teaser\"><a class=\"teaser-link\" href=\"/news/the-story-number-{n}/\"><div class=\"teaser-head\">The story that has number {n}</div></a><time datetime=\"2022-10-{:02}\">a day</time><div class=\"teaser-body\">What happened in the story with the number {n}, at some length.</div></div>", n % 28 + 1),
        })
        .collect();
    format!(
        "<html lang=en><head><title>Partner</title></head><body><nav><a href=/about>About our organisation</a></nav><main id=\"main\"><div class=\"list\">{cards}</div></main><footer><a href=/imprint>Imprint and legal notice</a></footer></body></html>"
    )
}

fn serving(page: String) -> impl Fn(&Request) -> Reply + Send + Sync + 'static {
    move |request| {
        if request.target == "/robots.txt" { Reply::new(404, "") } else { Reply::html(page.clone()) }
    }
}

/// A source that was redesigned and mended, as often as asked for.
pub(crate) fn mended() -> (Server, App) {
    let server = Server::start(serving(listing("old", 1)));
    let select =
        "[source.select]\nitem = \".list > article.card\"\ndate = \".card-date\"\nsummary = \".card-text\"\n";
    let app = App::new(&format!(
        "{}[[source]]\nid = \"s\"\nkind = \"page\"\nurl = \"{}\"\n{select}",
        operator(),
        server.url("/news")
    ));
    app.ok(&["fetch"]);
    server.answer(serving(listing("new", 3)));
    (server, app)
}

#[test]
fn a_mend_is_kept_or_taken_back_with_one_click() {
    let (server, mut app) = mended();
    app.later(61).ok(&["fetch"]);
    assert_eq!(app.titles().len(), 10);
    let service = Service::start(&app);
    let olga = signed_in(&service, "olga");
    assert!(olga.shown("/admin?broken=1").contains("it is read with new selectors"));
    let page = olga.shown("/admin/source?id=s");
    let row = page.split("<code dir=\"ltr\">item</code>").nth(1).unwrap().split("</tr>").next().unwrap();
    let old = row.find(".list &gt; article.card").expect("the old selector");
    assert!(row.find(".teaser").is_some_and(|new| new > old), "side by side: {row}");
    let back = olga.send("/admin/source", &[("id", "s"), ("do", "back")]);
    assert_eq!(back.status, 303);
    let page = olga.shown(back.header("Location").unwrap());
    assert!(
        !page.contains("name=\"do\" value=\"accept\"") && page.contains("will be read in a moment"),
        "{page}"
    );
    // What was declined is not learned again: the page fails until somebody acts.
    let ran = app.run(&["fetch"]);
    assert!(
        ran.stdout.contains(
            "failed: its selectors find no entry, and those that were found in their place were declined"
        ),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert_eq!(
        olga.send("/admin/source", &[("id", "s"), ("do", "back")]).status,
        422,
        "there is nothing to take back"
    );
    // The old page is read as before.
    server.answer(serving(listing("old", 4)));
    app.later(600).ok(&["fetch", "--all"]);
    assert!(app.titles().contains(&"The story that has number 11".to_owned()), "{:?}", app.titles());
}

#[test]
fn a_mend_that_is_kept_holds_and_is_not_asked_about_again() {
    let (server, mut app) = mended();
    app.later(61).ok(&["fetch"]);
    let service = Service::start(&app);
    let olga = signed_in(&service, "olga");
    assert_eq!(olga.send("/admin/source", &[("id", "s"), ("do", "accept")]).status, 303);
    assert!(!olga.shown("/admin").contains("it is read with new selectors"));
    assert!(!app.ok(&["sources"]).contains("mended on"));
    server.answer(serving(listing("new", 4)));
    app.later(1).ok(&["fetch"]);
    assert!(
        app.titles().contains(&"The story that has number 11".to_owned()),
        "it is read with the new ones"
    );
    assert!(!olga.shown("/admin/source?id=s").contains("value=\"accept\""));
}

pub(crate) const FIRST: &str = "The council of the harbour town voted on Monday evening to rebuild the old customs house beside the northern quay. \
    Masons from three villages will repair the granite arches before the first winter storms arrive. \
    Fishermen had asked for a covered market there since the last hall burned down nine years ago. \
    Engineers warned that the foundations stand on oak piles which have begun to rot below the tide line. \
    The mayor promised that no family would lose its berth while the scaffolding stands along the pier. \
    A retired lighthouse keeper gave his collection of brass lanterns to the future reading room.";
const SECOND: &str = "The council of the harbour town voted on Monday evening to rebuild the old customs house beside the northern quay. \
    Masons from three villages will repair the granite arches before the first winter storms arrive. \
    Opponents call the plan a gift to hotel owners and have collected four hundred signatures against it. \
    They want a playground with swings and a small orchard instead of another building made of stone. \
    A petition will be handed to the regional parliament when its members return from their summer recess. \
    Teachers of the primary school support the protest and painted banners with their pupils last week.";

/// Two sources whose texts have much in common, and a third that has not.
fn alike() -> (Server, App) {
    let server = Server::start(|request| match request.target.as_str() {
        "/one" => Reply::ok(rss(&[("1", "Customs house will be rebuilt", 17, FIRST)])),
        "/two" => Reply::ok(rss(&[("2", "Signatures against a hotel plan", 18, SECOND)])),
        _ => Reply::ok(rss(&[(
            "3",
            "Violins for the music school",
            18,
            "A workshop in Cremona gave forty violins to children who learn to play in the evening.",
        )])),
    });
    let sources = ["one", "two", "three"].map(|id| source(&server, id)).concat();
    let topics = "[[topic]]\nid = \"culture\"\nlabel = { en = \"Culture\", fr = \"Culture (fr)\" }\nkeywords = { en = [\"violins\"] }\n[[topic]]\nid = \"roads\"\nlabel = { en = \"Roads\" }\nkeywords = { en = [\"asphalt\"] }\n";
    let app = App::new(&format!("{}{topics}{sources}", operator()));
    for id in ["one", "two", "three"] {
        app.ok(&["fetch", "--source", id]);
    }
    (server, app)
}

fn stories(app: &App) -> Vec<String> {
    let mut stories: Vec<String> =
        app.entries().iter().map(|entry| entry["story"].as_str().unwrap().to_owned()).collect();
    stories.sort();
    stories.dedup();
    stories
}

/// The hidden fields of the first pair on the page.
fn pair(page: &str) -> [String; 2] {
    ["entry", "other"].map(|name| {
        let rest = page
            .split(&format!("name=\"{name}\" value=\""))
            .nth(1)
            .unwrap_or_else(|| panic!("no pair: {page}"));
        rest.split('"').next().unwrap().to_owned()
    })
}

#[test]
fn near_duplicates_are_judged_with_one_click_and_it_holds() {
    for (verdict, after, ruling) in [("one", 2, "\"is_same\":1"), ("apart", 3, "\"is_same\":0")] {
        let (_server, app) = alike();
        assert_eq!(stories(&app).len(), 3);
        let service = Service::start(&app);
        let olga = signed_in(&service, "olga");
        let page = olga.shown("/admin/judge");
        assert!(page.contains("They are two stories now.") && page.contains("rare phrases"), "{page}");
        let [entry, other] = pair(&page);
        let fields = [("entry", entry.as_str()), ("other", other.as_str()), ("do", verdict)];
        assert_eq!(olga.send("/admin/judge", &fields).status, 303);
        assert_eq!(stories(&app).len(), after, "{verdict}");
        assert!(!olga.shown("/admin/judge").contains("They are two stories now."), "it is judged");
        app.ok(&["recluster"]);
        assert_eq!(stories(&app).len(), after, "{verdict}: it holds");
        app.ok(&["export", "all", "all"]);
        let rulings = app.read("all/rulings.jsonl");
        assert!(rulings.lines().count() == 1 && rulings.contains(ruling), "{rulings}");
        let gone = [("entry", "4711"), ("other", other.as_str()), ("do", verdict)];
        assert_eq!(olga.send("/admin/judge", &gone).status, 404);
    }
}

#[test]
fn uncertain_topics_are_given_with_one_click_and_teach_the_model() {
    let (_server, app) = alike();
    let service = Service::start(&app);
    let olga = signed_in(&service, "olga");
    let page = olga.shown("/admin/judge?l=fr");
    let uncertain = page.split("Thèmes incertains").nth(1).unwrap();
    assert!(
        uncertain.contains("Customs house will be rebuilt") && uncertain.contains("Culture (fr)"),
        "{page}"
    );
    assert!(!uncertain.contains("Violins for the music school"), "a word of the title is enough");
    let card = uncertain.split("Customs house will be rebuilt").nth(1).unwrap();
    let key = card.split("name=\"entry\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(olga.send("/admin/judge", &[("entry", key), ("topic", "nothing")]).status, 422);
    assert_eq!(olga.send("/admin/judge", &[("entry", key), ("topic", "culture")]).status, 303);
    let page = olga.shown("/admin/judge");
    assert!(!page.split("Uncertain topics").nth(1).unwrap().contains("Customs house"), "{page}");
    let entry = app.entries().into_iter().find(|entry| entry["source"] == "one").unwrap();
    assert_eq!(entry["topics"], serde_json::json!(["culture"]), "{entry:#}");
    // The next model has it as a correction.
    app.write("labels.tsv", "culture\tA concert in the park\nroads\tAsphalt is laid on the bridge\n");
    assert!(app.ok(&["classify", "train", "labels.tsv", "topics.model"]).contains("1 correction"));
}

#[test]
fn mail_is_counted_by_day_server_and_provider_and_shown_without_addresses() {
    let (server, sink) =
        (Server::always(Reply::ok(rss(&[("a", "A story for everyone here", 19, "text")]))), Sink::start());
    sink.refuse(|address| match address {
        _ if address.contains("nobody") => Some("550 5.1.1 no such user"),
        _ if address.contains("grey") => Some("451 4.7.1 greylisted, try again later"),
        _ => None,
    });
    let recipients = ["ana@gmail.com", "bo@gmail.com", "cy@example.org", "nobody@hotmail.fr", "grey@web.de"];
    let list: Vec<String> = recipients.iter().map(|address| format!("\"{address}\"")).collect();
    let rest = format!(
        "{}{}[[digest]]\nid = \"d\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [{}]\n",
        operator(),
        source(&server, "s"),
        list.join(",")
    );
    let mut app = App::new(&rest);
    let config =
        app.read("feeds.toml").replace("[mail]\n", &format!("[mail]\ntransport = \"{}\"\n", sink.url()));
    app.write("feeds.toml", config);
    for address in ["dora@example.org", "eva@example.org"] {
        app.ok(&["subscribers", "add", "--cadence", "monthly", address]);
    }
    app.ok(&["subscribers", "remove", "eva@example.org"]);
    app.run(&["run"]);
    let service = Service::start(&app);
    let page = signed_in(&service, "olga").shown("/admin/mail");
    let plot = "aria-label=\"Attempts in 30 days: 3 sent, 1 deferred, 1 refused\"";
    assert!(page.contains(plot), "{page}");
    let row = |name: &str| {
        let rest = page
            .split(&format!("<bdi>{name}</bdi></th>"))
            .nth(1)
            .unwrap_or_else(|| panic!("no {name}: {page}"));
        let numbers = rest.split("</tr>").next().unwrap().split("class=\"number\">").skip(1);
        numbers.map(|cell| cell.split('<').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(row("Google"), ["2", "0", "0"]);
    assert_eq!(row("Microsoft"), ["0", "0", "1"]);
    assert_eq!(row("GMX, web.de"), ["0", "1", "0"]);
    assert_eq!(row("others"), ["1", "0", "0"]);
    assert_eq!(row("2022-10-20"), ["3", "1", "1"]);
    assert!(page.contains("In 30 days: 1 joined, 1 left") && page.contains("Subscribers now: 1"), "{page}");
    // What waits, and why, without whom it is for.
    assert!(page.contains("greylisted") && page.contains("<bdi>web.de</bdi>"), "{page}");
    for address in recipients.iter().chain(&["dora@example.org", "eva@example.org"]) {
        assert!(!page.contains(address), "{address} is on the page");
    }
    // A month later it is over.
    let later = Service::start(app.later(31 * 24 * 60));
    assert!(signed_in(&later, "olga").shown("/admin/mail").contains("Attempts in 30 days: 0 sent"));
}

#[test]
fn a_source_is_pasted_looked_at_and_added_with_comments_kept() {
    let server = Server::start(|request| match request.target.as_str() {
        "/page" => Reply::html(
            "<html lang=en><head><title>News of the harbour</title><link rel=alternate type=\"application/rss+xml\" href=\"/feed\"></head><body><p>Welcome to us.</p></body></html>",
        ),
        "/feed" | "/old" => Reply::ok(rss(&[
            ("a", "A bridge is built in Quito", 19, "x"),
            ("b", "A <b>school</b> is painted", 18, "y"),
        ])),
        _ => Reply::new(404, ""),
    });
    let app = App::new(&format!("{METRICS}{}# The first one.\n{}", operator(), source(&server, "old")));
    let service = Service::start(&app);
    let olga = signed_in(&service, "olga");
    let (page, feed) = (server.url("/page"), server.url("/feed"));
    let found = olga.send("/admin/add", &[("do", "look"), ("address", &page)]);
    assert_eq!(found.status, 200, "{}", found.body);
    for want in [
        "A bridge is built in Quito",
        &page,
        &feed,
        "Entries: 2",
        "name=\"partner\" maxlength=\"200\" value=\"Partner\"",
    ] {
        assert!(found.body.contains(want), "{want} is not in {}", found.body);
    }
    let before = app.read("feeds.toml");
    let nothing = olga.send("/admin/add", &[("do", "look"), ("address", &server.url("/404"))]);
    assert!(
        nothing.status == 422 && nothing.body.contains("Nothing could be read there:"),
        "{}",
        nothing.body
    );
    let known = olga.send("/admin/add", &[("do", "add"), ("address", &server.url("/old")), ("partner", "x")]);
    assert!(known.status == 409 && known.body.contains("old"), "{}", known.body);
    assert_eq!(app.read("feeds.toml"), before, "nothing was written");
    let fields = [
        ("do", "add"),
        ("address", feed.as_str()),
        ("partner", "The \"harbour\"\n[mail]"),
        ("language", "en"),
    ];
    let added = olga.send("/admin/add", &fields);
    assert_eq!(added.header("Location"), Some("/admin/add?l=en&done=1"), "{}", added.body);
    let after = app.read("feeds.toml");
    assert!(after.starts_with(&before) && after.contains("# The first one."), "{after}");
    assert!(
        after[before.len()..].contains("partner = 'The \"harbour\" [mail]'") && after.contains(&feed),
        "{after}"
    );
    app.ok(&["check"]);
    // The service reads its configuration again by itself, and the source is read.
    wait_for("the new source", || {
        app.titles().len().checked_sub(2).filter(|_| olga.shown("/admin").contains("the-harbour-mail"))
    });
}

#[test]
fn a_configuration_that_cannot_be_written_is_told_what_to_add() {
    let server = Server::always(Reply::ok(rss(&[("a", "A bridge is built in Quito", 19, "x")])));
    let app = App::new(&operator());
    // A file beside it would have a longer name than files may have.
    let name = format!("{}.toml", "c".repeat(245));
    app.write(&name, app.read("feeds.toml"));
    let service = Service::of(
        app.command_within("900", &["-v", "--config", &name, "serve", "--listen", "127.0.0.1:0"]),
    );
    let olga = signed_in(&service, "olga");
    let page = olga
        .send("/admin/add", &[("do", "add"), ("address", &server.url("/feed")), ("partner", "The harbour")]);
    assert_eq!(page.status, 409, "{}", page.body);
    assert!(page.body.contains("cannot be written from here"), "{}", page.body);
    for want in [
        "[[source]]",
        "id = &quot;the-harbour&quot;",
        "partner = &quot;The harbour&quot;",
        &server.url("/feed"),
    ] {
        assert!(page.body.contains(want), "{want} is not in {}", page.body);
    }
    assert_eq!(app.read(&name), app.read("feeds.toml"));
}

#[test]
fn a_look_at_a_new_source_reaches_no_private_address() {
    let server = Server::always(Reply::ok(rss(&[("a", "A secret of this machine", 19, "x")])));
    let app = App::new(&operator());
    let config =
        app.read("feeds.toml").replace("allow = [\"127.0.0.1\", \"::1\"]", "allow = [\"192.0.2.1\"]");
    app.write("feeds.toml", config);
    let service = Service::start(&app);
    let olga = signed_in(&service, "olga");
    for address in [
        server.url("/feed"),
        server.url("/feed").replace("127.0.0.1", "localhost"),
        "file:///etc/passwd".into(),
    ] {
        let page = olga.send("/admin/add", &[("do", "look"), ("address", &address)]);
        assert_eq!(page.status, 422, "{address}: {}", page.body);
        assert!(!page.body.contains("A secret of this machine") && !page.body.contains("root:"));
    }
    assert!(server.requests().is_empty());
}

#[test]
fn every_page_is_there_in_every_language_of_the_interface() {
    let (_server, app) = alike();
    let service = Service::start(&app);
    let olga = signed_in(&service, "olga");
    let all = ["ar", "ca", "de", "en", "es", "fr", "id", "it", "nl", "pt", "ru", "sw", "uk", "zh"];
    for path in ["/admin?", "/admin/source?id=one&", "/admin/judge?", "/admin/mail?", "/admin/add?"] {
        let pages: Vec<String> = all.iter().map(|tag| olga.shown(&format!("{path}l={tag}"))).collect();
        for (page, tag) in pages.iter().zip(all) {
            let dir = if tag == "ar" { "rtl" } else { "ltr" };
            assert!(page.contains(&format!("<html lang=\"{tag}\" dir=\"{dir}\">")), "{path} {tag}");
            let heading =
                |page: &str| page.split("<h1>").nth(1).unwrap().split("</h1>").next().unwrap().to_owned();
            let is_alike = tag != "en" && heading(page) == heading(&pages[3]);
            // An id is an id, and "Sources" is French too.
            assert!(!is_alike || path.contains("id=one") || (path, tag) == ("/admin?", "fr"), "{path} {tag}");
        }
    }
    let browser =
        Browser { more: "Accept-Language: eo, uk;q=0.9, de;q=0.8\r\n".into(), ..Browser::of(&service) };
    assert!(browser.shown("/admin/login").contains("<html lang=\"uk\""));
}
