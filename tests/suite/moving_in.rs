//! Sources from an address and from other programs' lists, and lists for programs and terminals.

use serde_json::Value;

use crate::support::http::{Reply, Server};
use crate::support::{App, rss};

const OPML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<opml version="2.0"><head><title>Feeds of a reader</title></head><body>
<outline text="City"><outline title="Bürgerhaus &amp; Park" text="x" type="rss" xmlUrl="https://park.example/feed" htmlUrl="https://park.example/"/>
<outline text="Water"><outline text="River news" type="rss" xmlUrl="https://river.example/atom.xml" language="de"/></outline></outline>
<outline text="Known" type="rss" xmlUrl="http://one.example/feed/"/>
<outline text="Twice" type="rss" xmlUrl="https://river.example/atom.xml"/>
<outline text="Odd" type="rss" xmlUrl="ftp://odd.example/"/>
<outline text="Bürgerhaus &amp; Park" type="rss" xmlUrl="https://park.example/events"/>
</body></opml>"#;

const HEAD: &str = "# Our feeds.\nversion = 1 # the first\n\n[[source]] # the oldest\nid = \"one\"\nurl = \"https://one.example/feed\"   # as they told us\n\n# Mails.\n[mail]\nfrom = \"News <news@example.org>\"\n";

#[test]
fn feeds_of_an_opml_file_are_shown_first_and_then_written_beside_what_is_there() {
    let app = App::new("");
    app.write("feeds.toml", HEAD);
    app.write("reader.opml", OPML);
    let said = app.ok(&["import", "opml", "reader.opml"]);
    assert_eq!(app.read("feeds.toml"), HEAD, "a dry run changes nothing");
    for line in [
        "new        burgerhaus-park           https://park.example/feed  #City",
        "new        river-news                https://river.example/atom.xml  #City  #Water",
        "new        burgerhaus-park-2         https://park.example/events",
        "is there   one                       http://one.example/feed/",
        "is there   river-news                https://river.example/atom.xml",
        "left out   Odd ",
        "3 sources new for feeds.toml, 2 there already, 1 left out: --write adds them",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
    assert!(app.ok(&["import", "opml", "reader.opml", "--write"]).contains("3 sources added to feeds.toml"));
    let text = app.read("feeds.toml");
    for kept in ["# Our feeds.", "# the first", "# the oldest", "# as they told us", "# Mails."] {
        assert!(text.contains(kept), "{kept} is not in\n{text}");
    }
    let written = "id = \"river-news\"\npartner = \"River news\"\nurl = \"https://river.example/atom.xml\"\nlang = \"de\"\ntags = [\"City\", \"Water\"]\n";
    assert!(text.contains(written), "{text}");
    assert!(app.ok(&["check"]).contains("4 sources (4 enabled)"));
    // Once more changes nothing.
    assert!(app.ok(&["import", "opml", "reader.opml", "--write"]).contains("0 sources added"));
    // Out again, they are feeds for every reader, whether or not the configuration says of what kind they are.
    let out = app.ok(&["export", "opml"]);
    assert_eq!(out.matches(" xmlUrl=").count(), out.matches("<outline ").count(), "{out}");
    assert_eq!(app.read("feeds.toml"), text);
    // Folders as partners, and what is in conf.d is there as well.
    app.write("feeds.toml", HEAD);
    app.write("conf.d/more.toml", "[[source]]\nid = \"park\"\nurl = \"https://park.example/feed\"\n");
    let said = app.ok(&["import", "opml", "reader.opml", "--folders", "partner", "--write"]);
    assert!(said.contains("is there   park "), "{said}");
    assert!(app.read("feeds.toml").contains("id = \"river-news\"\npartner = \"Water\"\n"));
    assert!(!app.read("feeds.toml").contains("tags"));
}

#[test]
fn what_is_no_list_is_said_and_a_configuration_with_a_fault_is_left_alone() {
    let app = App::new("");
    app.write("x.opml", "<rss version=\"2.0\"/>");
    app.write("x.ini", "[Planet]\nname = x\n");
    for (arguments, wanted) in [
        (["import", "opml", "x.opml"], "is not an OPML file"),
        (["import", "opml", "absent.opml"], "cannot read absent.opml"),
        (["import", "planet", "x.ini"], "names no feed"),
    ] {
        let ran = app.run(&arguments);
        assert!(ran.code == 2 && ran.stderr.contains(wanted), "{arguments:?}: {}", ran.stderr);
    }
    app.write("reader.opml", OPML);
    let faulty = format!("{HEAD}form = \"x\"\n");
    app.write("feeds.toml", &faulty);
    let ran = app.run(&["import", "opml", "reader.opml", "--write"]);
    assert!(ran.code == 2 && ran.stderr.contains("did you mean \"from\"?"), "{}", ran.stderr);
    assert_eq!(app.read("feeds.toml"), faulty);
}

#[test]
fn feeds_of_a_planet_become_sources() {
    let app = App::new("");
    app.write(
        "planet.ini",
        "[Planet]\nname = Planet Town\nlink = https://planet.example/\n[DEFAULT]\nfacewidth = 64\n\n[https://ana.example/feed]\nname = Ana Díaz\nface = ana.png\n# [https://gone.example/]\n[http://ben.example/rss]\nname: Ben\n",
    );
    let said = app.ok(&["import", "planet", "planet.ini", "--write"]);
    assert!(said.contains("2 sources added"), "{said}");
    let text = app.read("feeds.toml");
    assert!(
        text.contains("id = \"ana-diaz\"\npartner = \"Ana Díaz\"\nurl = \"https://ana.example/feed\"\n"),
        "{text}"
    );
    assert!(text.contains("id = \"ben\"\n") && !text.contains("gone.example"), "{text}");
    assert!(app.ok(&["check"]).contains("2 sources"));
}

#[test]
fn add_shows_what_is_read_and_writes_the_source() {
    let server = Server::start(|request| match request.target.as_str() {
        "/feed" | "/feed?2" => Reply::ok(rss(&[("a", "The bridge is open", 12, "text")])),
        _ => Reply::ok("<rss version=\"2.0\"><channel><title>Nothing</title></channel></rss>"),
    });
    let app = App::new("# Kept.\n");
    let said = app.ok(&["add", &server.url("/feed")]);
    assert!(said.contains("The bridge is open"), "{said}");
    let text = app.read("feeds.toml");
    let written =
        format!("[[source]]\nid = \"partner\"\npartner = \"Partner\"\nurl = \"{}\"\n", server.url("/feed"));
    assert!(text.contains(&written) && text.contains("# Kept."), "{text}");
    app.ok(&["fetch"]);
    assert_eq!(app.titles(), ["The bridge is open"]);
    let again = app.run(&["add", &server.url("/feed")]);
    assert!(again.code == 2 && again.stderr.contains("the source \"partner\" reads"), "{}", again.stderr);
    // Whose the file is and who may read it stays, where root writes for a service.
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let file = app.path("feeds.toml");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let is_root = std::os::unix::fs::chown(&file, Some(4711), Some(4712)).is_ok();
    app.ok(&["add", &server.url("/feed?2"), "--id", "again"]);
    let known = std::fs::metadata(&file).unwrap();
    assert_eq!(known.permissions().mode() & 0o777, 0o640);
    assert!(!is_root || (known.uid(), known.gid()) == (4711, 4712));
    let text = app.read("feeds.toml");
    let empty = app.run(&["add", &server.url("/empty"), "--id", "empty"]);
    assert!(empty.code == 1 && empty.stderr.contains("nothing is written"), "{}", empty.stderr);
    assert_eq!(app.read("feeds.toml"), text);
}

#[test]
fn lists_are_for_programs_too_and_can_be_narrowed() {
    let good = Server::always(Reply::ok(rss(&[
        ("a", "A bridge over the river", 10, "text"),
        ("b", "A library in the mill", 11, "text"),
        ("c", "Another bridge is closed", 12, "text"),
    ])));
    let bad = Server::always(Reply::new(500, ""));
    let source = |id: &str, partner: &str, url: String| {
        format!("[[source]]\nid = \"{id}\"\npartner = \"{partner}\"\nlang = \"en\"\nurl = \"{url}\"\n")
    };
    let app = App::new(&format!(
        "{}{}[[topic]]\nid = \"bridges\"\nkeywords = {{ en = [\"bridge\"] }}\n",
        source("good", "Town", good.url("/")),
        source("bad", "Harbour", bad.url("/"))
    ));
    app.ok(&["fetch"]);
    let list = |arguments: &[&str]| -> Vec<Value> { serde_json::from_str(&app.ok(arguments)).unwrap() };
    let ids = |list: Vec<Value>| -> Vec<String> {
        list.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = list(&["sources", "--format", "json"]);
    assert_eq!((all[0]["entries"].as_u64(), all[0]["last_error"].as_str()), (Some(3), None));
    assert_eq!(ids(all), ["good", "bad"]);
    assert_eq!(ids(list(&["sources", "--broken", "--format", "json"])), ["bad"]);
    assert_eq!(ids(list(&["sources", "--partner", "Town", "--format", "json"])), ["good"]);
    assert_eq!(app.ok(&["sources", "--format", "jsonl"]).lines().count(), 2);
    let broken = app.ok(&["sources", "--broken"]);
    assert!(broken.contains("the server answers 500") && !broken.contains("good"), "{broken}");
    let ran = app.run(&["sources", "--partner", "Twon"]);
    assert!(ran.code == 2 && ran.stderr.contains("did you mean \"Town\"?"), "{}", ran.stderr);
    let titles = |arguments: &[&str]| -> Vec<String> {
        list(arguments).iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        titles(&["entries", "--topic", "bridges", "--format", "json"]),
        ["A bridge over the river", "Another bridge is closed"]
    );
    assert_eq!(
        titles(&["entries", "--topic", "bridges", "--limit", "1", "--format", "json"]),
        ["Another bridge is closed"]
    );
    assert_eq!(app.run(&["entries", "--topic", "bridge"]).code, 2);
    assert_eq!(titles(&["queue", "--format", "json"]), Vec::<String>::new());
    assert_eq!(titles(&["subscribers", "list", "--format", "json"]), Vec::<String>::new());
    assert_eq!(titles(&["entries", "--limit", "2", "--format", "json"]).len(), 2);
}
