//! How sources are asked: each behaviour that a server may judge us by, seen from the server, over several polls.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::http::{Manner, Reply, Request, Server};
use crate::support::python::HttpsServer;
use crate::support::{App, rss};

const ITEMS: &[(&str, &str, u8, &str)] =
    &[("a", "Budget transparency grows", 12, "Figures"), ("b", "Open justice advances", 14, "Judges")];

fn feed() -> Reply {
    Reply::ok(rss(ITEMS))
}

fn source(id: &str, url: &str) -> String {
    format!("[[source]]\nid = \"{id}\"\nkind = \"feed\"\nurl = \"{url}\"\n")
}

fn app(server: &Server) -> App {
    App::new(&source("s", &server.url("/feed")))
}

/// Polls whatever the schedule says, an hour later each time; failures are results.
fn poll(app: &mut App) {
    app.later(61).run(&["fetch", "--source", "s"]);
}

/// The minutes from now to the next poll, found by asking at every quarter of an hour.
fn minutes_to_next_poll(app: &mut App, server: &Server) -> i64 {
    server.take_requests();
    for quarter in 1..=4 * 24 * 15 {
        app.later(15).run(&["-q", "fetch"]);
        if !server.take_requests().is_empty() {
            return quarter * 15;
        }
    }
    i64::MAX
}

/// The next poll as `courant sources` says it, in minutes from now.
fn minutes_planned(app: &App) -> i64 {
    let listed = app.ok(&["sources"]);
    let line = listed.lines().find(|line| line.starts_with("s ")).unwrap();
    let next = line
        .split_whitespace()
        .collect::<Vec<_>>()
        .windows(2)
        .filter_map(|pair| {
            format!("{}T{}", pair[0], pair[1].trim_end_matches('Z')).parse::<jiff::civil::DateTime>().ok()
        })
        .next_back();
    let next = next.unwrap_or_else(|| panic!("no next poll in {line}"));
    let next = jiff::tz::Offset::UTC.to_timestamp(next).unwrap();
    (next.as_second() - app.now().as_second()) / 60
}

#[test]
fn validators_are_echoed_exactly_replaced_and_dropped() {
    let odd = ["\"strong\"", "W/\"weak\"", "unquoted", "\"with \\\"inner\\\" and é\"", "'single'"];
    for etag in odd {
        let server =
            Server::always(feed().with("ETag", etag).with("Last-Modified", "Mon, 32 Oct 2022 around noon"));
        let mut app = app(&server);
        poll(&mut app);
        poll(&mut app);
        let requests = server.requests();
        assert_eq!(requests[0].header("if-none-match"), None, "no validator is invented");
        assert_eq!(requests[0].header("if-modified-since"), None);
        assert_eq!(requests[1].header("if-none-match"), Some(etag));
        assert_eq!(requests[1].header("if-modified-since"), Some("Mon, 32 Oct 2022 around noon"));
        server.answer(|_| Reply::new(304, "").with("ETag", "\"second\""));
        poll(&mut app);
        poll(&mut app);
        assert_eq!(
            server.requests()[3].header("if-none-match"),
            Some("\"second\""),
            "a 304 may bring a new one"
        );
        server.answer(|_| feed().with("ETag", "\"third\""));
        poll(&mut app);
        server.answer(|_| feed());
        poll(&mut app);
        let requests = server.requests();
        assert_eq!(requests[5].header("if-none-match"), Some("\"third\""));
        assert_eq!(requests[5].header("if-modified-since"), None, "one that vanished is dropped");
        poll(&mut app);
        assert_eq!(server.requests()[6].header("if-none-match"), None);
        assert_eq!(app.titles().len(), 2, "304s keep the entries");
    }
}

#[test]
fn validators_of_what_could_not_be_used_are_not_kept() {
    for bad in [
        Reply::ok("<<<>>> no feed at all"),
        Reply::ok(""),
        Reply::html("<html><body>parked</body></html>"),
        feed().sent(Manner::Short(100_000)),
        Reply::ok(rss(ITEMS)[..300].to_owned()),
    ] {
        let server = Server::always(feed().with("ETag", "\"good\""));
        let mut app = app(&server);
        poll(&mut app);
        let what = String::from_utf8_lossy(&bad.body).into_owned();
        let with_etag = bad.with("ETag", "\"bad\"");
        server.answer(move |_| with_etag.clone());
        poll(&mut app);
        poll(&mut app);
        let last = server.requests().pop().unwrap();
        assert_ne!(last.header("if-none-match"), Some("\"bad\""), "after {what}");
        assert_eq!(app.titles().len(), 2, "what was stored stays, after {what}");
    }
}

#[test]
fn requests_are_plain_and_say_who_asks() {
    let server = Server::always(feed().with("Set-Cookie", "id=1; Path=/"));
    let mut app = app(&server);
    poll(&mut app);
    poll(&mut app);
    let requests = server.requests();
    assert_eq!(requests.len(), 2, "one request a poll");
    for request in requests {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/feed"));
        assert!(request.header("accept").unwrap().contains("application/atom+xml"));
        let agent = request.header("user-agent").unwrap();
        assert!(agent.starts_with("courant/0.") && agent.contains("+https://news.example.org"), "{agent}");
        for absent in ["cookie", "referer", "from", "authorization"] {
            assert_eq!(request.header(absent), None, "{absent}");
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut out, &brotli::enc::BrotliEncoderParams::default()).unwrap();
    out
}

#[test]
fn every_encoding_that_we_accept_is_undone() {
    let plain = rss(ITEMS).into_bytes();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    zlib.write_all(&plain).unwrap();
    let zlib = zlib.finish().unwrap();
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    deflate.write_all(&plain).unwrap();
    let bodies = [
        ("gzip", gzip(&plain)),
        ("deflate", zlib.clone()),
        ("", zlib),
        ("deflate", deflate.finish().unwrap()),
        ("br", brotli(&plain)),
        ("zstd", zstd::encode_all(&plain[..], 3).unwrap()),
        ("gzip", plain.clone()),
        ("gzip, br", brotli(&gzip(&plain))),
        // What servers write that is not an encoding, or not the one of the body.
        ("utf-8", plain.clone()),
        ("none", gzip(&plain)),
        ("br", plain.clone()),
        ("deflate", plain.clone()),
        ("gzip", gzip(&gzip(&plain))),
        ("br", gzip(&plain)),
        ("zstd", gzip(&plain)),
        ("", gzip(&plain)),
    ];
    for (name, body) in bodies {
        let server = Server::always(Reply::ok(body).with("Content-Encoding", name));
        let mut app = app(&server);
        poll(&mut app);
        assert_eq!(app.titles().len(), 2, "{name}");
        let accepted = server.requests()[0].header("accept-encoding").unwrap().to_owned();
        assert!(["gzip", "deflate", "br", "zstd"].iter().all(|name| accepted.contains(name)), "{accepted}");
    }
}

#[test]
fn bombs_and_endless_bodies_are_cut_while_they_stream() {
    let filler = vec![b' '; 200 << 20];
    let head = rss(ITEMS).replace("</channel></rss>", "").into_bytes();
    let bomb = [head.as_slice(), &filler].concat();
    let replies = [
        ("gzip", Reply::ok(gzip(&bomb)).with("Content-Encoding", "gzip")),
        ("br", Reply::ok(brotli(&bomb)).with("Content-Encoding", "br")),
        ("zstd", Reply::ok(zstd::encode_all(&bomb[..], 3).unwrap()).with("Content-Encoding", "zstd")),
        ("endless", Reply::ok([head.as_slice(), &filler[..1 << 16]].concat()).sent(Manner::Endless)),
    ];
    drop((filler, bomb));
    for (name, reply) in replies {
        let server = Server::always(reply);
        let app = App::new(&format!("body_bytes_max = 1048576\n{}", source("s", &server.url("/"))));
        // 300 MB of address space beside what the program itself maps would do for half of one bomb.
        let started = Instant::now();
        let memory = peak_kilobytes(app.command(&["fetch"]));
        assert!(memory < 120_000, "{name}: {memory} kB");
        assert!(started.elapsed() < Duration::from_secs(30), "{name}");
        assert_eq!(
            app.titles()[..2],
            ["Budget transparency grows", "Open justice advances"],
            "{name}: the entries before the cut are kept"
        );
        assert!(
            app.ok(&["sources"]).contains("is longer than 1048576 bytes and was cut"),
            "{name}: {}",
            app.ok(&["sources"])
        );
    }
}

/// Runs a command and answers the most memory that it held, in kB, as the kernel counts it.
fn peak_kilobytes(command: std::process::Command) -> u64 {
    let mut time = std::process::Command::new("python3");
    let script = "import resource,subprocess,sys\nsubprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL)\nprint(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    time.args(["-c", script])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap());
    String::from_utf8(time.output().unwrap().stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn freshness_and_the_feeds_own_hints_set_the_next_poll() {
    let with = |inside: &str| {
        rss(ITEMS).replace(
            "<channel>",
            &format!("<channel xmlns:sy=\"http://purl.org/rss/1.0/modules/syndication/\">{inside}"),
        )
    };
    let cases: Vec<(Reply, i64, &str)> = vec![
        (feed(), 60, "the interval"),
        (feed().with("Cache-Control", "max-age=10800"), 180, "max-age"),
        (feed().with("Cache-Control", "public, max-age=1"), 60, "a short max-age does not hurry us"),
        (feed().with("Cache-Control", "max-age=99999999999"), 7 * 24 * 60, "an absurd max-age is capped"),
        (
            feed()
                .with("Date", "Thu, 20 Oct 2022 08:00:00 GMT")
                .with("Expires", "Thu, 20 Oct 2022 12:00:00 GMT"),
            240,
            "Expires",
        ),
        (Reply::ok(with("<ttl>150</ttl>")), 150, "ttl"),
        (
            Reply::ok(with(
                "<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>",
            )),
            720,
            "sy:updatePeriod",
        ),
        (Reply::ok(with("<skipHours><hour>9</hour><hour>10</hour></skipHours>")), 180, "skipHours"),
        (Reply::ok(with("<skipDays><day>Thursday</day></skipDays>")), 16 * 60, "skipDays"),
    ];
    for (reply, want, what) in cases {
        let server = Server::always(reply);
        let app = app(&server);
        app.ok(&["fetch"]);
        assert_eq!(minutes_planned(&app), want, "{what}: {}", app.ok(&["sources"]));
    }
}

#[test]
fn a_304_keeps_or_renews_the_freshness_and_keeps_the_hints() {
    let server = Server::always(
        Reply::ok(rss(ITEMS).replace("<channel>", "<channel><ttl>90</ttl>"))
            .with("ETag", "\"1\"")
            .with("Cache-Control", "max-age=10800"),
    );
    let mut app = app(&server);
    poll(&mut app);
    server.answer(|_| Reply::new(304, ""));
    poll(&mut app);
    assert_eq!(minutes_planned(&app), 180);
    server.answer(|_| Reply::new(304, "").with("Cache-Control", "max-age=14400"));
    poll(&mut app);
    assert_eq!(minutes_planned(&app), 240);
    server.answer(|_| Reply::new(304, "").with("Cache-Control", "max-age=0"));
    poll(&mut app);
    assert_eq!(minutes_planned(&app), 90, "the ttl of the last document stays in force");
}

#[test]
fn there_is_a_floor_under_every_interval() {
    let server = Server::always(feed().with("Retry-After", "1"));
    let mut app = App::new(&format!("{}interval = \"1s\"\n", source("s", &server.url("/"))));
    app.ok(&["fetch"]);
    assert_eq!(minutes_to_next_poll(&mut app, &server), 15);
    server.answer(|_| Reply::new(503, "").with("Retry-After", "1"));
    app.later(15).run(&["fetch"]);
    assert_eq!(minutes_to_next_poll(&mut app, &server), 15);
}

#[test]
fn who_is_unwell_or_unwilling_is_left_alone_for_longer_and_longer() {
    let later = |seconds: &str| Reply::new(429, "").with("Retry-After", seconds);
    let cases: Vec<(Reply, [i64; 3], &str)> = vec![
        (later("7200"), [120, 120, 120], "Retry-After in seconds"),
        (Reply::new(503, "").with("Retry-After", "14400"), [240, 240, 240], "503 with Retry-After"),
        (Reply::new(429, ""), [120, 240, 480], "a bare 429"),
        (Reply::new(403, "<html>Checking your browser</html>"), [120, 240, 480], "a challenge"),
        (Reply::new(404, ""), [60, 120, 240], "404"),
        (Reply::new(500, ""), [60, 120, 240], "500"),
        (Reply::redirect(302, "/feed"), [60, 120, 240], "a redirect to itself"),
    ];
    for (reply, want, what) in cases {
        let server = Server::always(reply);
        let mut app = app(&server);
        app.run(&["fetch"]);
        let waits = [0; 3].map(|_| minutes_to_next_poll(&mut app, &server));
        assert_eq!(waits, want, "{what}");
    }
    let server = Server::start(|_| {
        Reply::new(503, "")
            .with("Date", "Thu, 20 Oct 2022 08:00:00 GMT")
            .with("Retry-After", "Thu, 20 Oct 2022 11:00:00 GMT")
    });
    let mut app = app(&server);
    app.run(&["fetch"]);
    assert_eq!(minutes_to_next_poll(&mut app, &server), 180, "Retry-After as a date");
    let agents: Vec<Option<String>> =
        server.requests().iter().map(|request| request.header("user-agent").map(str::to_owned)).collect();
    assert!(agents.iter().all(|agent| *agent == agents[0]), "no other name is tried: {agents:?}");
}

#[test]
fn backoff_has_a_cap_and_a_recovery_ends_it() {
    let server = Server::always(Reply::new(500, ""));
    let mut app = app(&server);
    app.run(&["fetch"]);
    let waits: Vec<i64> = (0..7).map(|_| minutes_to_next_poll(&mut app, &server) / 60).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 24, 24]);
    server.answer(|_| feed());
    assert_eq!(minutes_to_next_poll(&mut app, &server), 24 * 60);
    assert_eq!(minutes_to_next_poll(&mut app, &server), 60);
}

#[test]
fn gone_is_gone_until_the_address_changes() {
    let server = Server::always(feed());
    let mut app = app(&server);
    poll(&mut app);
    server.answer(|_| Reply::new(410, ""));
    poll(&mut app);
    let listed = app.ok(&["sources"]);
    assert!(listed.contains("410 Gone") && listed.contains("never"), "{listed}");
    server.take_requests();
    for _ in 0..20 {
        app.later(24 * 60).run(&["fetch"]);
    }
    app.run(&["fetch", "--all"]);
    assert!(server.take_requests().is_empty());
    server.answer(|_| feed());
    app.configure(&source("s", &server.url("/new-address")));
    app.ok(&["fetch"]);
    assert_eq!(server.take_requests().len(), 1);
    assert_eq!(app.titles().len(), 2, "the entries were kept, and none is there twice");
}

#[test]
fn a_broken_connection_is_tried_once_more_and_then_left_for_later() {
    let server = Server::always(feed().sent(Manner::Reset));
    let mut app = app(&server);
    app.run(&["fetch"]);
    assert_eq!(server.take_requests().len(), 2);
    assert_eq!(minutes_to_next_poll(&mut app, &server), 60);
    // A hiccup costs nothing.
    let hiccup = std::sync::atomic::AtomicBool::new(true);
    server.answer(move |_| {
        if hiccup.swap(false, std::sync::atomic::Ordering::SeqCst) {
            feed().sent(Manner::Reset)
        } else {
            feed()
        }
    });
    poll(&mut app);
    assert_eq!(app.titles().len(), 2);
}

fn targets(server: &Server) -> Vec<String> {
    server.take_requests().into_iter().map(|request| request.target).collect()
}

#[test]
fn a_permanent_redirect_is_remembered_once_proven_and_a_temporary_one_never() {
    for (status, is_permanent) in [(301, true), (308, true), (302, false), (307, false)] {
        let server =
            Server::start(
                move |request: &Request| {
                    if request.target == "/feed" { Reply::redirect(status, "/moved") } else { feed() }
                },
            );
        let mut app = app(&server);
        poll(&mut app);
        assert_eq!(targets(&server), ["/feed", "/moved"]);
        for _ in 0..5 {
            poll(&mut app);
        }
        server.take_requests();
        poll(&mut app);
        let want: &[&str] = if is_permanent { &["/moved"] } else { &["/feed", "/moved"] };
        assert_eq!(targets(&server), want, "{status}");
        // The new address dies: the configured one is asked again.
        server
            .answer(|request: &Request| if request.target == "/feed" { feed() } else { Reply::new(404, "") });
        poll(&mut app);
        server.take_requests();
        poll(&mut app);
        assert_eq!(targets(&server)[0], "/feed", "{status}");
    }
}

#[test]
fn a_redirect_to_a_parked_page_is_never_remembered() {
    let elsewhere = Server::start(|request: &Request| match request.target.as_str() {
        "/ads.xml" => Reply::ok(
            "<rss version=\"2.0\"><channel><item><title>Buy this very domain now</title><guid>ad</guid></item></channel></rss>",
        ),
        _ => Reply::html(
            "<html><head><link rel=alternate type=application/rss+xml href=/ads.xml></head><body>This domain is for sale</body></html>",
        ),
    });
    let server = Server::always(feed());
    let mut app = app(&server);
    poll(&mut app);
    let parked = elsewhere.url("/").replace("127.0.0.1", "localhost");
    app.configure(
        &format!(
            "{}[[source]]\nid = \"unused\"\nenabled = false\nurl = \"https://x.example/\"\n",
            source("s", &server.url("/feed"))
        )
        .replace("[[source]]\nid = \"s\"", "[[source]]\nid = \"s\""),
    );
    server.answer(move |_| Reply::redirect(301, &parked));
    for _ in 0..5 {
        poll(&mut app);
    }
    server.answer(|_| feed());
    server.take_requests();
    poll(&mut app);
    assert_eq!(targets(&server), ["/feed"]);
    assert_eq!(app.titles().len(), 2, "an advertisement is no entry: {:?}", app.titles());
}

#[test]
fn a_cookie_that_a_redirect_asks_for_is_brought_back_and_forgotten() {
    let server = Server::start(|request: &Request| match request.header("cookie") {
        Some("gate=open") => feed(),
        _ => Reply::redirect(302, "/feed").with("Set-Cookie", "gate=open; Path=/; HttpOnly"),
    });
    let mut app = app(&server);
    poll(&mut app);
    assert_eq!(app.titles().len(), 2);
    server.take_requests();
    poll(&mut app);
    assert_eq!(server.take_requests()[0].header("cookie"), None);
}

#[test]
fn redirect_loops_end() {
    let server = Server::start(|request: &Request| Reply::redirect(301, &format!("{}x", request.target)));
    let app = app(&server);
    app.run(&["fetch"]);
    assert!(server.requests().len() <= 10);
    assert!(app.ok(&["sources"]).contains("round in circles"));
}

#[test]
fn private_addresses_are_refused_on_every_hop_unless_allowed() {
    let inside = Server::always(feed());
    let head = "version = 1\n[channel]\nurl = \"https://news.example.org\"\n";
    let other = |host: &str| inside.url("/secret").replace("127.0.0.1", host);
    for (allow, url, is_reached) in [
        ("", inside.url("/secret"), false),
        ("", other("localhost"), false),
        ("", other("0.0.0.0"), false),
        ("", other("2130706433"), false),
        ("", other("[::ffff:127.0.0.1]"), false),
        ("", "http://169.254.169.254/latest/meta-data/".to_owned(), false),
        ("\"127.0.0.1:1-79\"", inside.url("/secret"), false),
        ("\"127.0.0.1:1-79\"", other("localhost"), false),
        ("\"127.0.0.0/8\"", inside.url("/secret"), true),
        ("\"127.0.0.0/8\", \"::1\"", other("localhost"), true),
        (&format!("\"127.0.0.1:{}-{}\"", inside.port(), inside.port()), other("localhost"), true),
    ] {
        let app = App::new("");
        app.write("feeds.toml", format!("{head}[fetch]\nallow = [{allow}]\n{}", source("s", &url)));
        inside.take_requests();
        app.run(&["fetch"]);
        assert_eq!(!inside.take_requests().is_empty(), is_reached, "{url} with {allow}");
        if !is_reached {
            assert!(app.ok(&["sources"]).contains("private address"), "{url}: {}", app.ok(&["sources"]));
        }
    }
    // A public server, here the one that is allowed, sends us inside: by a redirect, a feed link, and a robots.txt.
    let secret = inside.url("/secret");
    let outside = Server::start(move |request: &Request| match request.target.as_str() {
        "/page" => Reply::html(format!(
            "<html><head><link rel=alternate type=application/rss+xml href=\"{secret}\"></head></html>"
        )),
        _ => Reply::redirect(302, &secret),
    });
    for path in ["/hop", "/page"] {
        let app = App::new("");
        app.write(
            "feeds.toml",
            format!(
                "{head}[fetch]\nallow = [\"127.0.0.1:{}\"]\n{}",
                outside.port(),
                source("s", &outside.url(path))
            ),
        );
        app.run(&["fetch"]);
        assert!(inside.take_requests().is_empty(), "{path}");
    }
}

#[test]
fn slow_servers_are_cut_and_delay_nobody_else() {
    let stalled = Server::always(feed().sent(Manner::Stall));
    let dripping = Server::always(feed().sent(Manner::Drip));
    let good = Server::always(feed());
    let mut config = "timeout = \"20s\"\ndeadline = \"6s\"\nconcurrency = 4\n".to_owned();
    for number in 0..3 {
        config += &source(&format!("stalled-{number}"), &stalled.url(&format!("/{number}")));
    }
    config += &source("dripping", &dripping.url("/"));
    for number in 0..20 {
        config += &source(&format!("good-{number}"), &good.url(&format!("/{number}")));
    }
    let app = App::new(&config);
    let started = Instant::now();
    app.ok(&["fetch"]);
    assert!(
        started.elapsed() < Duration::from_secs(25),
        "the total deadline cuts them: {:?}",
        started.elapsed()
    );
    let last_good = good.requests().iter().map(|request| request.at).max().unwrap();
    assert!(last_good.duration_since(started) < Duration::from_secs(5), "the others did not wait for them");
    let listed = app.ok(&["sources"]);
    assert!(listed.contains("was not complete after 6 s"), "{listed}");
}

#[test]
fn a_short_body_keeps_its_whole_entries_and_a_warning() {
    let body = rss(&[ITEMS[0], ITEMS[1], ("c", "The third story is cut", 15, "text")]);
    let cut = body[..body.find("The third").unwrap() + 8].to_owned();
    let server = Server::always(Reply::ok(cut).sent(Manner::Short(body.len())));
    let mut app = app(&server);
    poll(&mut app);
    assert_eq!(app.titles(), ["Budget transparency grows", "Open justice advances"]);
    assert!(app.ok(&["sources"]).contains("came incomplete"));
}

#[test]
fn charsets_types_and_blank_lines_do_not_matter() {
    let utf16: Vec<u8> =
        [0xFEFFu16].into_iter().chain(rss(ITEMS).encode_utf16()).flat_map(u16::to_be_bytes).collect();
    let latin = rss(&[("a", "D\u{e9}mocratie locale ouverte", 12, "x")])
        .replace("<?xml version=\"1.0\"?>", "")
        .chars()
        .map(|c| c as u8)
        .collect::<Vec<u8>>();
    let cases = [
        (Reply::new(200, rss(ITEMS)).with("Content-Type", "text/html"), "Budget transparency grows"),
        (Reply::new(200, rss(ITEMS)).with("Content-Type", "image/png"), "Budget transparency grows"),
        (Reply::new(200, rss(ITEMS)), "Budget transparency grows"),
        (Reply::ok([b"\xEF\xBB\xBF\n\n", rss(ITEMS).as_bytes()].concat()), "Budget transparency grows"),
        (Reply::ok(utf16), "Budget transparency grows"),
        (
            Reply::new(200, latin).with("Content-Type", "application/rss+xml; charset=ISO-8859-1"),
            "Démocratie locale ouverte",
        ),
        (
            Reply::ok(rss(ITEMS).replace("Figures", "Figures &nbsp; &bogus; & <b>more")),
            "Budget transparency grows",
        ),
        (
            Reply::ok(
                "<!DOCTYPE rss [<!ENTITY xxe SYSTEM \"file:///etc/passwd\">]>".to_owned()
                    + &rss(&[("a", "An entity &xxe; outside", 12, "&xxe;")]),
            ),
            "An entity &xxe; outside",
        ),
    ];
    for (number, (reply, want)) in cases.into_iter().enumerate() {
        let server = Server::always(reply);
        let mut app = app(&server);
        poll(&mut app);
        assert_eq!(
            app.titles().first().map(String::as_str),
            Some(want),
            "case {number}: {}",
            app.ok(&["sources"])
        );
        assert!(!app.ok(&["entries", "--format", "jsonl"]).contains("root:"), "case {number}");
    }
}

#[test]
fn a_page_leads_to_its_feed_which_is_remembered() {
    let server = Server::start(|request: &Request| {
        match request.target.as_str() {
        "/feed.xml" => feed().with("ETag", "\"f\""),
        "/robots.txt" => panic!("feeds need no robots.txt"),
        _ => Reply::html("<html><head><link rel=alternate type=application/rss+xml title=Comments href=/comments.xml><link rel=alternate type=application/rss+xml href=/feed.xml></head></html>").with("ETag", "\"page\""),
    }
    });
    let mut app = App::new(&source("s", &server.url("/")));
    poll(&mut app);
    assert_eq!(targets(&server), ["/", "/feed.xml"]);
    poll(&mut app);
    let requests = server.take_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(
        (requests[0].target.as_str(), requests[0].header("if-none-match")),
        ("/feed.xml", Some("\"f\""))
    );
    server
        .answer(|request: &Request| if request.target == "/feed.xml" { Reply::new(404, "") } else { feed() });
    poll(&mut app);
    poll(&mut app);
    assert_eq!(targets(&server), ["/feed.xml", "/"], "a feed that died is looked for again");
}

fn page_source(url: &str, more: &str) -> String {
    format!(
        "[[source]]\nid = \"s\"\nkind = \"page\"\nurl = \"{url}\"\n{more}\n[source.select]\nitem = \"li\"\n"
    )
}

const LISTING: &str = "<html><ul><li><h2><a href=/one>The first of the stories</a></h2></li><li><h2><a href=/two>The second of the stories</a></h2></li></ul></html>";

#[test]
fn robots_txt_rules_pages_and_not_feeds() {
    let server = Server::start(|request: &Request| match request.target.as_str() {
        "/robots.txt" => Reply::new(
            200,
            "User-agent: *\nDisallow: /closed\n\nUser-agent: courant\nDisallow: /private\nAllow: /private/open",
        ),
        "/feed" => feed(),
        _ => Reply::html(LISTING),
    });
    for (path, is_read) in
        [("/open", true), ("/closed", true), ("/private/x", false), ("/private/open", true)]
    {
        let mut app = App::new(&page_source(&server.url(path), ""));
        poll(&mut app);
        assert_eq!(targets(&server).contains(&path.to_owned()), is_read, "{path}");
        if !is_read {
            assert!(
                app.ok(&["sources"]).contains("robots.txt of 127.0.0.1 keeps us"),
                "{}",
                app.ok(&["sources"])
            );
        }
    }
    let mut app = App::new(&source("s", &server.url("/feed")));
    poll(&mut app);
    assert_eq!(targets(&server), ["/feed"]);
}

#[test]
fn robots_txt_is_cached_for_a_day_and_its_absence_read_as_the_rfc_says() {
    let server = Server::start(|request: &Request| {
        if request.target == "/robots.txt" { Reply::new(404, "") } else { Reply::html(LISTING) }
    });
    let mut app = App::new(&page_source(&server.url("/news"), ""));
    poll(&mut app);
    assert_eq!(targets(&server), ["/robots.txt", "/news"]);
    poll(&mut app);
    assert_eq!(targets(&server), ["/news"], "cached");
    app.later(24 * 60);
    poll(&mut app);
    assert_eq!(targets(&server), ["/robots.txt", "/news"], "for a day");
    app.later(24 * 60);
    server.answer(
        |request: &Request| {
            if request.target == "/robots.txt" { Reply::new(503, "") } else { Reply::html(LISTING) }
        },
    );
    poll(&mut app);
    assert_eq!(
        targets(&server),
        ["/robots.txt", "/news"],
        "a server in trouble: what it said not long ago holds"
    );
    let mut fresh = App::new(&page_source(&server.url("/news"), ""));
    poll(&mut fresh);
    assert_eq!(
        targets(&server),
        ["/robots.txt"],
        "a server in trouble that never said anything is left alone"
    );
}

#[test]
fn crawl_delay_spaces_the_pages_out() {
    let server = Server::start(|request: &Request| match request.target.as_str() {
        "/robots.txt" => Reply::new(200, "User-agent: *\nCrawl-delay: 1"),
        "/news" => Reply::html(LISTING),
        _ => Reply::html("<h1>x</h1><time datetime=2022-10-05>5 October</time>"),
    });
    let mut app = App::new(&page_source(&server.url("/news"), "date_from = \"item\""));
    poll(&mut app);
    let times: Vec<Instant> = server
        .take_requests()
        .iter()
        .filter(|request| request.target != "/robots.txt")
        .map(|request| request.at)
        .collect();
    assert_eq!(times.len(), 3);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(950)), "{times:?}");
    // Nor does another process ask sooner, at once or afterwards.
    server.answer(|request: &Request| match request.target.as_str() {
        "/robots.txt" => Reply::new(200, "User-agent: *\nCrawl-delay: 1"),
        _ => Reply::html(LISTING),
    });
    let page = |name: &str| {
        page_source(&server.url(&format!("/{name}")), "").replacen("\"s\"", &format!("\"{name}\""), 1)
    };
    let several = App::new(&["a", "b", "c"].map(page).concat());
    let children = ["a", "b"].map(|id| several.command(&["fetch", "--source", id]).spawn().unwrap());
    children.into_iter().for_each(|mut child| assert!(child.wait().unwrap().success()));
    several.ok(&["fetch", "--source", "c"]);
    let mut times: Vec<Instant> = server
        .take_requests()
        .iter()
        .filter(|request| request.target != "/robots.txt")
        .map(|request| request.at)
        .collect();
    times.sort();
    assert_eq!(times.len(), 3);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(950)), "{times:?}");
    // A delay of an hour is kept too: what cannot be asked in this run is left for the next, and the next is not sooner.
    server.answer(|request: &Request| match request.target.as_str() {
        "/robots.txt" => Reply::new(200, "User-agent: *\nCrawl-delay: 7200"),
        _ => Reply::html(LISTING),
    });
    let slow = App::new(&page_source(&server.url("/news"), "date_from = \"item\""));
    slow.run(&["fetch"]);
    assert_eq!(targets(&server), ["/robots.txt", "/news"]);
    assert_eq!(minutes_planned(&slow), 120);
    // Nor does a 304 make the next visit come sooner.
    let mut unchanged = App::new(&page_source(&server.url("/news"), ""));
    server.answer(|request: &Request| match (request.target.as_str(), request.header("if-none-match")) {
        ("/robots.txt", _) => Reply::new(200, "User-agent: *\nCrawl-delay: 7200"),
        (_, Some(_)) => Reply::new(304, ""),
        _ => Reply::html(LISTING).with("ETag", "\"1\""),
    });
    unchanged.run(&["fetch"]);
    unchanged.later(121).run(&["fetch"]);
    assert_eq!(minutes_planned(&unchanged), 120);
}

#[test]
fn a_host_gets_two_connections_at_most_and_they_are_used_again() {
    let server = Server::start(|_| feed().sent(Manner::Slow(Duration::from_millis(30))));
    let config: String =
        (0..30).map(|number| source(&format!("s{number}"), &server.url(&format!("/{number}")))).collect();
    let app = App::new(&config);
    app.ok(&["fetch"]);
    let requests = server.requests();
    assert_eq!(requests.len(), 30);
    assert!(server.open_max() <= 2, "{} connections at one time", server.open_max());
    let connections: std::collections::HashSet<usize> =
        requests.iter().map(|request| request.connection).collect();
    assert!(connections.len() <= 3, "30 requests took {} connections", connections.len());
}

#[test]
fn a_reused_guid_with_other_content_is_noticed() {
    let with = |title: &str, link: &str, day: u8, text: &str| {
        Reply::ok(format!(
            "<rss version=\"2.0\"><channel><item><guid isPermaLink=\"false\">same</guid><title>{title}</title><link>{link}</link><pubDate>{day} Oct 2022 09:00:00 GMT</pubDate><description>{text}</description></item></channel></rss>"
        ))
    };
    let server = Server::always(with(
        "Budget transparency grows",
        "https://x.example/budget",
        12,
        "Figures for every ministry.",
    ));
    let mut app = app(&server);
    poll(&mut app);
    server.answer(move |_| {
        with("Open justice advances", "https://x.example/justice", 20, "Judges met in Lima.")
    });
    poll(&mut app);
    poll(&mut app);
    assert_eq!(
        app.announced(),
        [("Budget transparency grows".into(), 1), ("Open justice advances".into(), 1)]
    );
    assert!(app.entries().iter().all(|entry| entry["guid"] == "same"));
}

fn many(count: usize, date: impl Fn(usize) -> String, guid: impl Fn(usize) -> String) -> String {
    let items: String = (0..count)
        .map(|n| format!("<item><guid isPermaLink=\"false\">{}</guid><link>https://x.example/story/{n}</link><title>The story with the number {n}</title>{}<description>Words about {n}</description></item>", guid(n), date(n)))
        .collect();
    format!("<rss version=\"2.0\"><channel>{items}</channel></rss>")
}

#[test]
fn what_a_source_tells_apart_under_one_address_is_told_apart() {
    let item = |n: usize, title: &str, guid: &str| {
        format!(
            "<item><title>{title}</title><link>https://x.example/notices</link><guid isPermaLink=\"false\">{guid}</guid><pubDate>{} Oct 2022 08:00:00 GMT</pubDate><description>The town says that this street has no water in the morning, from nine to noon.</description></item>",
            14 + n
        )
    };
    for (titles, is_one_guid) in [
        (["Water cut off: Mill Street", "Water cut off: Park Street", "Water cut off: High Street"], false),
        (["Warning: yellow", "Warning: orange", "Warning: red"], false),
        (["The week of 3 October", "The week of 10 October", "The week of 17 October"], true),
        (["Letter I", "Letter II", "Letter III"], true),
        (["Programme of Monday", "Programme of Tuesday", "Programme of Wednesday"], true),
    ] {
        let visit = Arc::new(AtomicUsize::new(0));
        let server = Server::start({
            let visit = visit.clone();
            move |request: &Request| {
                let n = visit.load(Ordering::SeqCst);
                let guid = if is_one_guid { "g".to_owned() } else { format!("g{n}") };
                match request.target.as_str() {
                    "/feed" => Reply::ok(format!(
                        "<rss version=\"2.0\"><channel><title>T</title>{}</channel></rss>",
                        item(n, titles[n], &guid)
                    )),
                    _ => Reply::new(404, ""),
                }
            }
        });
        let mut app = app(&server);
        for n in 0..titles.len() {
            visit.store(n, Ordering::SeqCst);
            poll(&mut app);
        }
        let announced = app.entries().iter().filter(|entry| entry["announced"] == 1).count();
        assert_eq!((app.titles().len(), announced), (3, 3), "{titles:?}: {:?}", app.titles());
    }
}

/// How many entries are stored after polls of these documents, and how many of them were announced.
fn stored_and_announced(documents: &[String]) -> (usize, usize) {
    let server = Server::always(Reply::ok(documents[0].clone()));
    let mut app = app(&server);
    for document in documents {
        let document = document.clone();
        server.answer(move |_| Reply::ok(document.clone()));
        poll(&mut app);
    }
    let entries = app.entries();
    (entries.len(), entries.iter().filter(|entry| entry["announced"] == 1).count())
}

#[test]
fn issues_that_only_their_files_number_and_events_that_only_their_days_tell_apart_are_each_told() {
    let feed = |items: &str| {
        format!(
            "<rss version=\"2.0\" xmlns:ev=\"http://purl.org/rss/1.0/modules/event/\"><channel><title>T</title>{items}</channel></rss>"
        )
    };
    let bulletin = |n: usize, how: &str| {
        let file = format!("https://x.example/docs/bulletin-{}.pdf", 11 + n);
        let (link, more) = match how {
            "link" => (file, String::new()),
            "enclosure" => (
                "https://x.example/b".to_owned(),
                format!("<enclosure url=\"{file}\" length=\"1\" type=\"application/pdf\"/>"),
            ),
            _ => (
                "https://x.example/b".to_owned(),
                format!("<description>&lt;a href=\"{file}\"&gt;The bulletin&lt;/a&gt; is out.</description>"),
            ),
        };
        format!(
            "<item><title>Town bulletin</title><guid isPermaLink=\"false\">b</guid><link>{link}</link><pubDate>{} Oct 2022 08:00:00 GMT</pubDate>{more}</item>",
            14 + n
        )
    };
    for how in ["link", "enclosure", "text"] {
        let polls: Vec<String> = (1..=3).map(|n| feed(&bulletin(n, how))).collect();
        assert_eq!(stored_and_announced(&polls), (3, 3), "{how}");
        let all: String = (1..=3).map(|n| bulletin(n, how)).collect();
        assert_eq!(stored_and_announced(&[feed(&all), feed(&all)]), (3, 3), "{how}, in one document");
    }
    let meeting = |day: usize| {
        format!(
            "<item><title>Advice on rents</title><link>https://x.example/agenda</link><pubDate>14 Oct 2022 08:00:00 GMT</pubDate><ev:startdate>2022-11-{day:02}T18:00:00Z</ev:startdate></item>"
        )
    };
    let of = |days: &[usize]| feed(&days.iter().map(|day| meeting(*day)).collect::<String>());
    assert_eq!(stored_and_announced(&[of(&[3, 10]), of(&[3, 10, 17]), of(&[10, 17])]), (3, 3));
}

/// A feed of items from the newest: title, address, guid, day and text, each left out if it is empty.
fn feed_of(items: &[[String; 5]]) -> String {
    let item = |[title, link, guid, day, text]: &[String; 5]| {
        let part = |name: &str, value: &str| match value {
            "" => String::new(),
            _ => format!("<{name}>{value}</{}>", name.split(' ').next().unwrap()),
        };
        format!(
            "<item>{}{}{}{}{}</item>",
            part("title", title),
            part("link", link),
            part("guid isPermaLink=\"false\"", guid),
            part(
                "pubDate",
                &if day.is_empty() { String::new() } else { format!("{day} Oct 2022 08:00:00 GMT") }
            ),
            part("description", text)
        )
    };
    let items: String = items.iter().map(item).collect();
    format!(
        "<rss version=\"2.0\"><channel><title>T</title><link>https://x.example/</link>{items}</channel></rss>"
    )
}

/// The address and the guid of an entry by its number.
type Naming<'a> = &'a dyn Fn(usize) -> [String; 2];

const HEADLINES: [&str; 8] = [
    "A new kindergarten opens at the park",
    "The harbour bridge is closed to lorries",
    "Councillors vote the budget of next year",
    "Stalls for the winter market are built",
    "Bins are emptied on another weekday",
    "Swimmers return to the indoor pool",
    "Volunteers get a prize for their kitchen",
    "Sirens are tested on Saturday at noon",
];

#[test]
fn identifiers_and_addresses_that_count_places_in_the_list_tell_no_entry_from_another() {
    let poll = |newest: usize, is_dated: bool, how: &str| {
        let item = |place: usize| {
            let n = newest - place;
            let (link, guid) = match how {
                "guid" => (format!("https://x.example/n/{n}"), format!("item-{place}")),
                "query" => (format!("https://x.example/news.php?nr={place}"), String::new()),
                _ => (format!("https://x.example/news/{place}"), String::new()),
            };
            let day = if is_dated { format!("{}", 10 + n) } else { String::new() };
            [HEADLINES[n].to_owned(), link, guid, day, String::new()]
        };
        feed_of(&(0..5).map(item).collect::<Vec<_>>())
    };
    for how in ["guid", "query", "path"] {
        for is_dated in [true, false] {
            let polls: Vec<String> =
                [4, 5, 5, 7, 7].into_iter().map(|newest| poll(newest, is_dated, how)).collect();
            assert_eq!(stored_and_announced(&polls), (8, 8), "{how}, dated: {is_dated}");
        }
    }
}

#[test]
fn what_moved_while_something_new_came_stays_known_at_the_next_visits() {
    let texts =
        ["", "Children move in.", "It has cracks.", "By one vote.", "Forty of them.", "On Tuesdays.", "", ""];
    let poll = |newest: usize, name: &dyn Fn(usize) -> [String; 2]| {
        let item = |n: usize| {
            let [link, guid] = name(n);
            [HEADLINES[n].to_owned(), link, guid, format!("{}", 10 + n), texts[n].to_owned()]
        };
        feed_of(&(newest - 3..=newest).rev().map(item).collect::<Vec<_>>())
    };
    let address =
        |part: &'static str| move |n: usize| [format!("https://x.example/{part}{n}"), String::new()];
    let guid = |part: &'static str| move |n: usize| [String::new(), format!("{part}{n}")];
    let both = |part: &'static str| move |n: usize| [format!("https://x.example/{n}"), format!("{part}{n}")];
    let (old, new) = (address("node/"), address("fr/node/"));
    let (old_guid, new_guid) = (guid("http://x.example/"), guid("https://x.example/"));
    let (old_both, new_both) = (both("1 at http://x.example/"), both("1 at https://x.example/"));
    let cases: [(&str, Naming, Naming); 3] = [
        ("address", &old, &new),
        ("guid", &old_guid, &new_guid),
        ("guid beside an address", &old_both, &new_both),
    ];
    for (what, old, new) in cases {
        let polls = [poll(3, old), poll(4, new), poll(4, new), poll(5, new), poll(5, new)];
        assert_eq!(stored_and_announced(&polls), (6, 6), "{what}");
    }
}

#[test]
fn one_identifier_for_whatever_is_newest_does_not_hide_what_comes_next() {
    let top = |n: usize, text: &str| {
        feed_of(&[[
            HEADLINES[n].to_owned(),
            "https://x.example/top".into(),
            "top".into(),
            String::new(),
            text.into(),
        ]])
    };
    let texts =
        ["Sixty children moved in today.", "Its concrete has cracks in it.", "One vote made the difference."];
    let polls: Vec<String> = (0..3).map(|n| top(n, texts[n])).collect();
    assert_eq!(stored_and_announced(&polls), (3, 3));
    let bare: Vec<String> = (0..3).map(|n| top(n, "")).collect();
    assert_eq!(stored_and_announced(&bare), (3, 3));
    let page = |title: &str| {
        feed_of(&[[
            title.to_owned(),
            "https://x.example/n/17".into(),
            String::new(),
            String::new(),
            String::new(),
        ]])
    };
    let polls = [page("The harbour bridge is closed"), page("No way across the river")];
    assert_eq!(stored_and_announced(&polls), (1, 1), "another headline on a page of its own");
    let meeting = |day: &str, text: &str| {
        let short = |value: &str| value.to_owned();
        feed_of(&[[
            short("Council"),
            short("https://x.example/council"),
            short("c"),
            short(day),
            short(text),
        ]])
    };
    let polls = [
        meeting("3", "Agenda: budget, schools"),
        meeting("17", "Agenda: traffic, cemetery and building plan"),
    ];
    assert_eq!(stored_and_announced(&polls), (2, 2), "a short text that begins alike");
}

#[test]
fn entries_under_one_title_at_several_addresses_are_each_told() {
    let notice = |n: usize, text: &str| {
        [
            "Council of the town".to_owned(),
            format!("https://x.example/c/{n}"),
            String::new(),
            "14".into(),
            text.into(),
        ]
    };
    let texts = ["The mayor receives farmers.", "The stone bridge is closed.", "The budget is voted."];
    let all: Vec<[String; 5]> = (0..3).map(|n| notice(n, texts[n])).collect();
    assert_eq!(stored_and_announced(&[feed_of(&all)]), (3, 3));
    let bare: Vec<[String; 5]> = (0..4).map(|n| notice(n, "")).collect();
    assert_eq!(stored_and_announced(&[feed_of(&bare[..2]), feed_of(&bare[1..])]), (4, 4));
    let twice = "The pool is closed for works until the last day of November, and opens again in December.";
    let listed: Vec<[String; 5]> = (0..2).map(|n| notice(n, twice)).collect();
    assert_eq!(stored_and_announced(&[feed_of(&listed)]), (2, 1), "one text that is listed twice");
    let at_once = |day: &str, text: &str| {
        ["Notice".to_owned(), "https://x.example/notice".into(), String::new(), day.into(), text.into()]
    };
    let both =
        feed_of(&[at_once("18", "The pool is closed for works"), at_once("14", "Mill Street is blocked")]);
    assert_eq!(stored_and_announced(&[both.clone(), both]), (2, 2), "at one address");
}

#[test]
fn a_post_that_is_only_a_text_stays_one_after_an_edit_of_its_wording() {
    let feed = |texts: &[&str]| {
        let items: String = texts
            .iter()
            .map(|text| format!("<item><pubDate>14 Oct 2022 08:00:00 GMT</pubDate><description>{text}</description></item>"))
            .collect();
        format!("<rss version=\"2.0\"><channel><title>T</title>{items}</channel></rss>")
    };
    let (first, edited) = (
        "Main strete is closed today for works on the old pipes of the town.",
        "Main street is closed today for works on the old pipes of the town.",
    );
    let other = "The library opens its doors on Sunday, for all who read.";
    let polls = [feed(&[first, other]), feed(&[edited, other]), feed(&[edited, other])];
    assert_eq!(stored_and_announced(&polls), (2, 2));
    assert_eq!(stored_and_announced(&[feed(&[first]), feed(&[first, other])]), (2, 2));
}

#[test]
fn a_replay_of_old_entries_is_kept_and_not_announced() {
    let dated = |n: usize| {
        format!(
            "<pubDate>{:02} {} {} 09:00:00 GMT</pubDate>",
            n % 28 + 1,
            ["Jan", "Apr", "Aug"][n % 3],
            2015 + n % 7
        )
    };
    for (what, replay) in [
        ("dated", many(1000, dated, |n| format!("old-{n}"))),
        ("undated", many(1000, |_| String::new(), |n| format!("old-{n}"))),
    ] {
        let server = Server::always(feed());
        let mut app = app(&server);
        poll(&mut app);
        server.answer(move |_| Reply::ok(replay.clone()));
        poll(&mut app);
        let announced = app.announced();
        assert_eq!(announced.len(), 1002, "{what}");
        assert_eq!(announced.iter().filter(|(_, times)| *times > 0).count(), 2, "{what}");
    }
}

#[test]
fn guids_that_change_all_at_once_are_not_news() {
    let dated = |n: usize| format!("<pubDate>{:02} Oct 2022 09:00:00 GMT</pubDate>", n % 19 + 1);
    for (what, date) in
        [("dated", &dated as &dyn Fn(usize) -> String), ("undated", &|_: usize| String::new())]
    {
        let server = Server::always(Reply::ok(many(40, date, |n| format!("first-{n}"))));
        let mut app = app(&server);
        poll(&mut app);
        for round in 0..3 {
            let changed = many(40, date, |n| format!("round-{round}-{n}"));
            server.answer(move |_| Reply::ok(changed.clone()));
            poll(&mut app);
        }
        let entries = app.entries();
        assert_eq!(
            entries.iter().map(|entry| entry["announced"].as_u64().unwrap()).sum::<u64>(),
            40,
            "{what}"
        );
        let stories: std::collections::HashSet<String> =
            entries.iter().map(|entry| entry["story"].to_string()).collect();
        assert_eq!(stories.len(), 40, "{what}");
    }
}

#[test]
fn future_dates_are_kept_as_given_and_sorted_as_now_and_no_date_is_made_up() {
    let items = "<item><guid>f</guid><title>From the far future</title><pubDate>01 Jan 2038 00:00:00 GMT</pubDate></item><item><guid>n</guid><title>Without any date</title></item>";
    let server = Server::always(Reply::ok(format!("<rss version=\"2.0\"><channel>{items}</channel></rss>")));
    let mut app = app(&server);
    poll(&mut app);
    let entries = app.entries();
    assert_eq!(entries[0]["published"], "2038-01-01T00:00:00Z");
    assert!(entries[1]["published"].is_null() && entries[1]["updated"].is_null());
    server.answer(|_| Reply::ok("<rss version=\"2.0\"><channel><item><guid>t</guid><title>From this very day</title><pubDate>20 Oct 2022 10:00:00 GMT</pubDate></item></channel></rss>"));
    app.later(180).ok(&["fetch"]);
    app.ok(&["publish"]);
    let atom = app.read("public/atom.xml");
    let place = |title: &str| atom.find(title).unwrap();
    assert!(place("From this very day") < place("From the far future"), "the future does not stay on top");
}

#[test]
fn the_next_poll_and_its_reason_are_shown() {
    let server = Server::always(feed().with("Cache-Control", "max-age=10800"));
    let mut app = app(&server);
    app.ok(&["fetch"]);
    assert!(
        app.ok(&["sources"]).contains("next poll: the server says that its answer stays fresh so long"),
        "{}",
        app.ok(&["sources"])
    );
    server.answer(|_| feed());
    app.later(200).ok(&["fetch"]);
    // Four silent weeks: the source is asked a quarter as often.
    for _ in 0..29 {
        app.later(25 * 60).ok(&["fetch"]);
    }
    assert_eq!(minutes_planned(&app), 240, "{}", app.ok(&["sources"]));
}

#[test]
fn ctrl_c_ends_within_two_seconds_and_keeps_what_was_finished() {
    let good = Server::always(feed());
    let stalled = Server::always(feed().sent(Manner::Stall));
    let app = App::new(&(source("good", &good.url("/")) + &source("stalled", &stalled.url("/"))));
    let mut command = app.command(&["fetch"]);
    // Without `timeout` in between, so that the signal goes to the program itself.
    let arguments: Vec<_> = command.get_args().skip(3).map(std::ffi::OsStr::to_owned).collect();
    let mut child = std::process::Command::new(&arguments[0]);
    child
        .args(&arguments[1..])
        .current_dir(app.folder())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    command = child;
    let mut child = command.spawn().unwrap();
    let started = Instant::now();
    while stalled.requests().is_empty() || good.requests().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(300));
    let interrupted = Instant::now();
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let status = child.wait().unwrap();
    assert!(interrupted.elapsed() < Duration::from_secs(2), "{:?}", interrupted.elapsed());
    assert_eq!(status.code(), Some(130));
    assert_eq!(app.titles().len(), 2);
}

#[test]
fn a_proxy_is_used_where_one_is_configured() {
    let proxy = Server::always(feed());
    let app = App::new(&format!(
        "proxy = \"{}\"\n{}",
        proxy.url("/"),
        source("s", "http://feeds.partner.example/feed")
    ));
    app.ok(&["fetch"]);
    assert_eq!(proxy.requests()[0].target, "http://feeds.partner.example/feed");
    assert_eq!(app.titles().len(), 2);
    let by_environment = App::new(&source("s", "http://feeds.partner.example/feed"));
    assert!(by_environment.command(&["fetch"]).env("http_proxy", proxy.url("")).status().unwrap().success());
    assert_eq!(by_environment.titles().len(), 2);
}

#[test]
fn a_server_without_tls_behind_a_secure_address_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // As web servers answer what is no HTTP.
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    let app = App::new(&source("s", &format!("https://{address}/feed")));
    assert_eq!(app.run(&["fetch"]).code, 3);
    let listed = app.ok(&["sources"]);
    assert!(listed.contains("does not speak TLS"), "{listed}");
}

#[test]
fn a_certificate_that_nobody_knows_is_refused_in_words_and_a_ca_file_helps() {
    let server = HttpsServer::start(&rss(ITEMS));
    let app = App::new(&source("s", &server.url("/feed")));
    assert_eq!(app.run(&["fetch"]).code, 3);
    let listed = app.ok(&["sources"]);
    assert!(
        listed.contains("the secure connection to localhost failed")
            && listed.contains("see [fetch] ca_file"),
        "{listed}"
    );
    app.configure(&format!(
        "ca_file = \"{}\"\n{}",
        server.certificate().display(),
        source("s", &server.url("/feed"))
    ));
    app.ok(&["fetch", "--source", "s"]);
    assert_eq!(app.titles().len(), 2);
}
