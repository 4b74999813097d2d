//! Bad input: each kind costs its own source one clear line, and nothing else.

use crate::support::http::{Manner, Reply, Server};
use crate::support::{App, rss};

#[test]
fn one_bad_source_never_costs_another() {
    let good = Server::always(Reply::ok(rss(&[("a", "A good story", 10, "text")])));
    let cases: Vec<(&str, Reply, &str)> = vec![
        ("missing", Reply::new(404, ""), "404"),
        ("broken-server", Reply::new(500, ""), "500"),
        ("stalled", Reply::ok("").sent(Manner::Stall), "did not answer within 1 s"),
        (
            "html",
            Reply::html("<!doctype html><html><body>Hello</body></html>"),
            "a web page that names no feed",
        ),
        ("garbage", Reply::ok(vec![0u8, 159, 146, 150, 7, 7, 7]), "neither a feed nor a web page"),
        ("empty", Reply::ok(""), "the document is empty"),
        ("reset", Reply::ok("").sent(Manner::Reset), "the connection to 127.0.0.1 broke"),
    ];
    let servers: Vec<Server> = cases.iter().map(|(_, reply, _)| Server::always(reply.clone())).collect();
    let mut config = format!("timeout = \"1s\"\n[[source]]\nid = \"good\"\nurl = \"{}\"\n", good.url("/"));
    for ((id, ..), server) in cases.iter().zip(&servers) {
        config += &format!("[[source]]\nid = \"{id}\"\nkind = \"feed\"\nurl = \"{}\"\n", server.url("/"));
    }
    config += "[[source]]\nid = \"no-name\"\nurl = \"http://no-such-host.invalid/feed\"\n[[source]]\nid = \"refused\"\nurl = \"http://127.0.0.1:9/\"\n";
    let app = App::new(&config);
    let ran = app.run(&["fetch"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(app.titles(), ["A good story"]);
    let listed = app.ok(&["sources"]);
    let line = |id: &str| {
        listed
            .lines()
            .find(|line| line.starts_with(&format!("{id} ")))
            .unwrap_or_else(|| panic!("{id} is not in\n{listed}"))
            .to_owned()
    };
    for (id, _, want) in &cases {
        assert!(line(id).contains(want), "{want} is not in: {}", line(id));
    }
    assert!(line("no-name").contains("cannot be resolved"), "{}", line("no-name"));
    assert!(line("refused").contains("refuses the connection"), "{}", line("refused"));
    assert!(line("good").contains(" 1 "), "{}", line("good"));
}

#[test]
fn what_makes_feed_parsers_panic_is_read() {
    let item = |inside: &str| {
        format!("<item><title>A story that stays</title><guid>{}</guid>{inside}</item>", inside.len())
    };
    for inside in [
        "<author>é@a.org été</author>",
        "<itunes:duration xmlns:itunes=\"http://www.itunes.com/dtds/podcast-1.0.dtd\">99999999999999999999:00:00</itunes:duration>",
        "<?xml version=\"1.0\" encoding=\"utf-16\"?>",
    ] {
        let app = App::new("");
        app.write(
            "feed.xml",
            format!("<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><managingEditor>é@a.org ü</managingEditor>{}</channel></rss>", item(inside)),
        );
        assert!(app.ok(&["probe", "feed.xml"]).contains("A story that stays"), "{inside}");
    }
}

#[test]
fn a_truncated_document_yields_what_was_whole_and_a_warning() {
    let whole = rss(&[
        ("a", "The first story", 10, "text"),
        ("b", "The second story", 11, "text"),
        ("c", "The third story", 12, "text"),
    ]);
    let cut = whole[..whole.find("The third").unwrap()].to_owned();
    let server = Server::always(Reply::ok(cut).with("ETag", "\"half\""));
    let app = App::new(&format!("[[source]]\nid = \"s\"\nurl = \"{}\"\n", server.url("/")));
    app.ok(&["fetch"]);
    assert_eq!(app.titles()[..2], ["The first story", "The second story"]);
    assert!(app.ok(&["sources"]).contains("warning: the document ends inside"), "{}", app.ok(&["sources"]));
}

#[test]
fn items_with_nothing_in_them_are_no_entries() {
    let whole = rss(&[("a", "A story", 10, "text")]);
    let empty = "<item></item><item><title> </title><description/></item><item><guid isPermaLink=\"false\">x</guid></item><item><pubDate>Mon, 03 Oct 2022 10:00:00 GMT</pubDate></item></channel>";
    let server = Server::always(Reply::ok(whole.replace("</channel>", empty)));
    let app = App::new(&format!("[[source]]\nid = \"s\"\nurl = \"{}\"\n", server.url("/")));
    app.ok(&["run"]);
    assert_eq!(app.titles(), ["A story"]);
    assert!(app.ok(&["sources"]).contains("4 entries without title, text, link"), "{}", app.ok(&["sources"]));
}

#[test]
fn enormous_documents_are_cut_or_refused_without_eating_memory() {
    let app = App::new("body_bytes_max = 1048576\n");
    let mut documents: Vec<(&str, String)> = Vec::new();
    documents.push((
        "nested",
        format!("<rss version=\"2.0\"><channel><item><title>Deep</title>{}", "<a>".repeat(1_000_000)),
    ));
    let namespaces: String = (0..20_000).map(|n| format!(" xmlns:n{n}=\"urn:{n}\"")).collect();
    documents.push((
        "namespaces",
        format!("<rss version=\"2.0\"{namespaces}><channel><item><title>Wide</title></item></channel></rss>"),
    ));
    let bomb: String =
        (1..10).map(|n| format!("<!ENTITY e{n} \"{}\">", format!("&e{};", n - 1).repeat(10))).collect();
    documents.push(("bomb", format!("<!DOCTYPE x [<!ENTITY e0 \"ha\">{bomb}]><rss version=\"2.0\"><channel><item><title>&e9;</title></item></channel></rss>")));
    documents.push((
        "items",
        format!(
            "<rss version=\"2.0\"><channel>{}</channel></rss>",
            "<item><title>Another one of very many</title></item>".repeat(200_000)
        ),
    ));
    documents.push(("unclosed", format!("<html><body>{}", "<div><b>".repeat(300_000))));
    // What is looked for at the end of a text must not make a parser go through all of it unbounded: that took minutes.
    let deep = format!("{}<p>The post Deep appeared first on X.</p>", "<div>".repeat(150_000));
    documents.push(("back", rss(&[("a", "Deep", 10, &format!("<![CDATA[{deep}]]>"))])));
    for (name, text) in documents {
        app.write(name, &text);
        let ran = app.run(&["probe", name, "--format", "jsonfeed"]);
        assert!(matches!(ran.code, 0 | 1), "{name}: {} {}", ran.code, ran.stderr);
        assert!(ran.stdout.len() < 20 << 20, "{name} printed {} bytes", ran.stdout.len());
    }
}

#[test]
fn characters_that_xml_and_terminals_must_not_see_go_nowhere() {
    // Every string that an entry has, in each format.
    let json = "{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"T\",\"items\":[{\"id\":\"g\\u001b[1m\",\"url\":\"https://a.example/x\\u001b[31m\\uffff\",\
        \"title\":\"One \\u0007\\uffffstory\",\"content_html\":\"<p>W\\u001b[5mords \\ufffe</p>\",\"tags\":[\"t\\u001bag\"],\"image\":\"https://a.example/i\\u001b.png\",\
        \"authors\":[{\"name\":\"A\\u001bna\",\"url\":\"https://a.example/\\u001b\"}],\"attachments\":[{\"url\":\"https://a.example/\\u001b.mp3\",\"mime_type\":\"audio/\\u001bmpeg\"}]}]}";
    let xml = "<rss version=\"2.0\"><channel><title>T</title><item><guid isPermaLink=\"false\">c&#27;1</guid><title>Two &#x1b;stories</title>\
        <link>https://b.example/b&#27;c&#xFFFE;d</link><category>c&#27;at</category><description>&lt;p&gt;a&#27;b&#xFFFF;c&lt;/p&gt;</description></item></channel></rss>";
    let (json, xml) = (Server::always(Reply::ok(json)), Server::always(Reply::ok(xml)));
    let source = |id: &str, server: &Server| {
        format!("[[source]]\nid = \"{id}\"\nkind = \"feed\"\nlang = \"en\"\nurl = \"{}\"\n", server.url("/"))
    };
    let app = App::new(&format!("{}{}", source("a", &json), source("b", &xml)));
    app.ok(&["run"]);
    assert_eq!(app.titles().len(), 2);
    let is_bad = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\r' | '\t')) || matches!(c, '\u{FFFE}' | '\u{FFFF}')
    };
    for text in [
        app.read("public/atom.xml"),
        app.read("public/rss.xml"),
        app.read("public/feed.json"),
        app.read("public/index.html"),
        app.ok(&["entries"]),
        app.ok(&["sources"]),
    ] {
        assert!(!text.contains(is_bad) && !text.contains("&#27;") && !text.contains("\\u001b"), "{text:?}");
    }
    // An address is encoded as browsers do, and leads to the same place.
    assert!(app.read("public/atom.xml").contains("https://b.example/b%1Bc%EF%BF%BEd"));
}
