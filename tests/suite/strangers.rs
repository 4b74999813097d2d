//! Strangers at the web server: whoever holds places, asks slowly or asks for much keeps nobody else out.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::http::{Manner, Reply, Server};
use crate::support::service::Service;
use crate::support::{App, rss, wait_for};

fn published() -> (Server, App) {
    let server = Server::always(Reply::ok(rss(&[("a", "A story", 18, "text")])));
    let app = App::new(&format!("[newsletter]\n[[source]]\nid = \"s\"\nurl = \"{}\"\n", server.url("/")));
    app.ok(&["run"]);
    (server, app)
}

fn open(service: &Service, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(service.address()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn a_crowd_that_comes_while_nobody_answers_loses_no_byte() {
    let (_server, app) = published();
    let service = Service::start(&app);
    service.signal("STOP");
    let mut waiting: Vec<TcpStream> = (0..200).map(|_| open(&service, "G")).collect();
    for stream in &mut waiting {
        stream.set_nodelay(true).unwrap();
        stream.write_all(b"ET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    }
    service.signal("CONT");
    for mut stream in waiting {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

/// How long it takes until the server ends a connection, which sends `drip` every half second meanwhile.
fn time_to_end(mut stream: TcpStream, drip: &[u8], most: Duration) -> Duration {
    let started = Instant::now();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut buffer = [0; 4096];
    while started.elapsed() < most {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
        if stream.write_all(drip).is_err() {
            break;
        }
    }
    started.elapsed()
}

#[test]
fn heads_bodies_and_pauses_have_their_time() {
    let (_server, app) = published();
    let service = Service::start(&app);
    let post = "POST /subscribe HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let cases = [
        ("half a head", "GET /atom.xml HT".to_owned(), ""),
        ("a head that drips", "GET /atom.xml HTTP/1.1\r\nX: ".to_owned(), "a"),
        ("half a form", format!("{post}Content-Length: 1000\r\n\r\na"), ""),
        ("a form that drips", format!("{post}Content-Length: 1000\r\n\r\n"), "a"),
        (
            "a body in chunks",
            "POST /hub HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            "",
        ),
        (
            "a body for a file",
            "POST /atom.xml HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".into(),
            "",
        ),
        ("a push", "POST /websub/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".into(), ""),
        ("nothing more", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".into(), ""),
    ];
    std::thread::scope(|scope| {
        for (name, head, drip) in &cases {
            let stream = open(&service, head);
            scope.spawn(move || {
                let took = time_to_end(stream, drip.as_bytes(), Duration::from_secs(25));
                assert!(took < Duration::from_secs(20), "{name} took {took:?}");
            });
        }
    });
    assert_eq!(service.ask("GET", "/healthz", "", "").0, 200);
}

#[test]
fn an_answer_waits_for_a_slow_reader_and_not_for_one_that_takes_nothing() {
    let (_server, app) = published();
    app.write("public/big.bin", vec![7; 8 << 20]);
    let service = Service::start(&app);
    let ask = || {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4 << 10).unwrap();
        let address: std::net::SocketAddr = service.address().parse().unwrap();
        socket.connect(&address.into()).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.write_all(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        stream
    };
    let is_open = |stream: &TcpStream| {
        // Of the server's end: what it sent is ours to read even after it went away.
        let port = format!(":{:04X}", stream.local_addr().unwrap().port());
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        table.lines().any(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields[2].ends_with(&port) && fields[3] == "01"
        })
    };
    let (mut slow, silent) = (ask(), ask());
    let started = Instant::now();
    let mut buffer = [0; 1 << 10];
    // A kilobyte in a second would take hours.
    while started.elapsed() < Duration::from_secs(45)
        && (is_open(&silent) || started.elapsed().as_secs() < 40)
    {
        slow.read_exact(&mut buffer).unwrap();
        std::thread::sleep(Duration::from_secs(1));
    }
    assert!(!is_open(&silent), "an answer waits for ever");
    assert!(is_open(&slow), "a slow reader lost its answer");
    drop((slow, silent));
}

#[test]
fn a_thousand_connections_of_one_address_stop_neither_others_nor_the_pipeline() {
    let (server, app) = published();
    let service = Service::start_with_files(&app, 1_024);
    let heads = ["", "GET / HT", "POST /subscribe HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"];
    let held: Vec<TcpStream> = (0..1_200).map(|number| open(&service, heads[number % 3])).collect();
    let started = Instant::now();
    for _ in 0..10 {
        assert_eq!(service.ask("GET", "/healthz", "", "").0, 200);
        assert_eq!(service.ask("GET", "/atom.xml", "", "").0, 200);
    }
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    server.answer(|_| Reply::ok(rss(&[("a", "A story", 18, "text"), ("b", "News of today", 19, "text")])));
    assert!(held.len() == 1_200 && !service.said("too many open files") && !service.said("os error 24"));
}

#[test]
fn one_address_in_many_spellings_is_one_file_in_memory() {
    let (_server, app) = published();
    app.write("public/some.txt", "words of a file ".repeat(4 << 10));
    let service = Service::start(&app);
    let mut stream = open(&service, "");
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut ask = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            answers.read_line(&mut head).unwrap();
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        answers.read_exact(&mut body).unwrap();
    };
    ask("/some.txt");
    let before = service.resident_kib();
    for number in 1..2_000 {
        ask(&format!("{}some.txt", "/".repeat(number % 2_000 + 1)));
    }
    let grown = service.resident_kib().saturating_sub(before);
    assert!(grown < 20 << 10, "{grown} KiB for one file");
}

#[test]
fn an_address_of_nothing_leads_a_browser_back_in_its_language() {
    let (_server, app) = published();
    let service = Service::start(&app);
    let browser = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";
    let (status, page) = service.ask("GET", "/no/such/page.html", browser, "");
    assert!(status == 404 && page.contains("There is nothing at this address"), "{page}");
    assert!(page.contains("<a href=\"/\">Test</a>") && page.contains("<html lang=\"en\""), "{page}");
    for headers in ["", "Accept: */*\r\n", "Accept: application/atom+xml\r\n", "Accept: text/html;q=0\r\n"] {
        let (status, text) = service.ask("GET", "/no/such/page.html", headers, "");
        assert!(status == 404 && !text.contains('<'), "{headers}: {text}");
    }
}

#[test]
fn slow_pictures_keep_no_source_from_being_read() {
    let item = |number: usize, host: &str| {
        format!(
            "<item><guid>{number}</guid><title>Story number {number}</title><link>https://a.example/{number}</link><media:thumbnail url=\"{host}/p{number}.png\"/></item>"
        )
    };
    let server = Server::always(Reply::ok(""));
    let items: String = (0..40).map(|number| item(number, &server.url(""))).collect();
    let feed = format!(
        "<rss version=\"2.0\" xmlns:media=\"http://search.yahoo.com/mrss/\"><channel><title>T</title>{items}</channel></rss>"
    );
    server.answer(move |request| match request.target.as_str() {
        "/feed" => Reply::ok(feed.clone()),
        "/page" => Reply::html(listing(6)),
        "/robots.txt" => Reply::new(404, ""),
        target if target.starts_with("/p") => Reply::ok("").sent(Manner::Stall),
        _ => Reply::html(
            "<html><body><h1>Title</h1><time datetime=\"2022-10-18\">18 October</time></body></html>",
        )
        .sent(Manner::Slow(Duration::from_millis(500))),
    });
    let pictures = format!(
        "[publish]\nimages = \"proxy\"\n[[source]]\nid = \"pictures\"\nurl = \"{}\"\n",
        server.url("/feed")
    );
    let app = App::new(&pictures);
    app.ok(&["run"]);
    let page = app.read("public/index.html");
    let links: Vec<String> = page
        .split("src=\"image/")
        .skip(1)
        .map(|rest| format!("GET /image/{} HTTP/1.1\r\nHost: x\r\n\r\n", rest.split('"').next().unwrap()))
        .collect();
    assert!(links.len() >= 30, "{}", links.len());
    // The pages of the items are read slowly, so that the pictures are asked for meanwhile.
    app.configure(&format!(
        "{pictures}[[source]]\nid = \"page\"\nkind = \"page\"\ndate_from = \"item\"\nurl = \"{}\"\n",
        server.url("/page")
    ));
    let service = Service::start(&app);
    let asked: Vec<TcpStream> = links.iter().map(|link| open(&service, link)).collect();
    wait_for("a picture that is asked for", || {
        server.requests().iter().any(|request| request.target.ends_with(".png")).then_some(())
    });
    wait_for("the page", || app.titles().iter().any(|title| title.starts_with("A long")).then_some(()));
    let requests = server.requests();
    let pictures: Vec<_> = requests.iter().filter(|request| request.target.ends_with(".png")).collect();
    let first = pictures[0].at;
    let at_once = pictures.iter().filter(|request| request.at < first + Duration::from_secs(8)).count();
    assert!(at_once <= 4, "{at_once} pictures of one host at a time");
    drop(asked);
}

/// A page that lists so many items.
fn listing(items: usize) -> String {
    let items: String = (0..items)
        .map(|number| {
            format!(
                "<article><h2><a href=\"/n/{number}\">A long story title, number {number} of many</a></h2><time datetime=\"2022-10-18\">18 October 2022</time></article>"
            )
        })
        .collect();
    format!("<html><body>{items}</body></html>")
}

#[test]
fn items_that_drip_cost_their_source_a_budget_and_no_more() {
    let server = Server::start(|request| match request.target.as_str() {
        "/page" => Reply::html(listing(30)),
        "/good" => Reply::ok(rss(&[("a", "A good story", 18, "text")])),
        "/robots.txt" => Reply::new(404, ""),
        _ => Reply::html("x".repeat(60)).sent(Manner::Drip),
    });
    let mut app = App::new(&format!(
        "timeout = \"2s\"\ndeadline = \"2s\"\n[[source]]\nid = \"page\"\nkind = \"page\"\ndate_from = \"item\"\nurl = \"{}\"\n[[source]]\nid = \"good\"\nurl = \"{}\"\n",
        server.url("/page"),
        server.url("/good")
    ));
    let asked = || -> Vec<String> {
        let requests = server.take_requests().into_iter();
        requests.map(|request| request.target).filter(|target| target.starts_with("/n/")).collect()
    };
    let started = Instant::now();
    app.ok(&["run"]);
    assert!(started.elapsed() < Duration::from_secs(12), "{:?}", started.elapsed());
    assert!(app.read("public/atom.xml").contains("A good story"));
    let listed = app.ok(&["sources"]);
    assert!(listed.contains("answered too slowly: the other pages are left for the next time"), "{listed}");
    let first = asked();
    assert!((1..=4).contains(&first.len()), "{first:?}");
    app.later(24 * 60).ok(&["run"]);
    let second = asked();
    assert!(
        !second.is_empty() && second.iter().all(|target| !first.contains(target)),
        "{first:?} {second:?}"
    );
}

#[test]
fn a_crowd_that_searches_delays_nobody_else() {
    let (_server, app) = published();
    let service = Service::start(&app);
    // Fewer than the connections that one network may have.
    let searches = 250;
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..searches)
            .map(|_| scope.spawn(|| service.ask("GET", "/search?q=story+words", "", "").0))
            .collect();
        let started = Instant::now();
        for _ in 0..20 {
            assert_eq!(service.ask("GET", "/atom.xml", "", "").0, 200);
        }
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        let statuses: Vec<u16> = asked.into_iter().map(|one| one.join().unwrap()).collect();
        assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
        assert!(statuses.contains(&200));
    });
}
