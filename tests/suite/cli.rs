//! Commands, exit codes, and what is said to people.

use crate::support::http::{Reply, Server};
use crate::support::{App, rss};

#[test]
fn init_writes_a_configuration_that_check_accepts_and_never_overwrites_it() {
    let app = App::new("");
    let fresh = app.path("new");
    let folder = fresh.to_str().unwrap();
    assert!(app.ok(&["init", folder]).contains("feeds.toml"));
    let config = format!("{folder}/feeds.toml");
    assert!(app.ok(&["--config", &config, "check"]).contains("is valid"));
    std::fs::write(&config, "version = 1\n").unwrap();
    assert_eq!(app.run(&["init", folder]).code, 2);
    assert_eq!(std::fs::read_to_string(&config).unwrap(), "version = 1\n");
}

#[test]
fn the_configuration_that_we_ship_is_valid_and_knows_thirty_sources() {
    let app = App::new("");
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/feeds.toml");
    let said = app.ok(&["--config", shipped, "check"]);
    let sources: usize = said.split("is valid: ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(sources >= 30, "{said}");
}

#[test]
fn check_reports_every_fault_at_once_with_line_and_suggestion() {
    let app = App::new("");
    app.write(
        "feeds.toml",
        "version = 1\n[chanel]\n[[source]]\nid = \"a\"\nurl = \"gopher://x\"\nintervall = \"1h\"\n[[digest]]\nid = \"d\"\nschedule = \"Mon 25:00\"\n",
    );
    let ran = app.run(&["check"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
    for want in [
        "feeds.toml:2:",
        "did you mean \"channel\"?",
        "feeds.toml:5:",
        "feeds.toml:6:",
        "did you mean \"interval\"?",
        "feeds.toml:9:",
    ] {
        assert!(ran.stderr.contains(want), "{want} is not in\n{}", ran.stderr);
    }
}

#[test]
fn exit_codes_tell_usage_from_failure() {
    let app = App::new("");
    assert_eq!(app.run(&["no-such-command"]).code, 2);
    assert_eq!(app.run(&["--config", "absent.toml", "check"]).code, 2);
    assert_eq!(app.run(&["fetch", "--source", "absent"]).code, 2);
    assert_eq!(app.run(&["digest", "--digest", "absent"]).code, 2);
    assert_eq!(app.run(&["probe", "absent.xml"]).code, 2);
    app.write("not-a-feed.txt", "nothing");
    assert_eq!(app.run(&["probe", "not-a-feed.txt"]).code, 1);
}

#[test]
fn some_failed_sources_are_listed_and_all_failed_sources_are_code_3() {
    let good = Server::always(Reply::ok(rss(&[("a", "One story here", 10, "text")])));
    let bad = Server::always(Reply::new(500, "no"));
    let source =
        |id: &str, url: String| format!("[[source]]\nid = \"{id}\"\nkind = \"feed\"\nurl = \"{url}\"\n");
    let app = App::new(&(source("good", good.url("/")) + &source("bad", bad.url("/"))));
    let ran = app.run(&["fetch"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("1 new") && ran.stdout.contains("the server answers 500"), "{}", ran.stdout);
    assert_eq!(app.run(&["fetch", "--source", "bad"]).code, 3);
}

#[test]
fn probe_names_its_decisions_when_it_is_asked() {
    let app = App::new("");
    let item = |number: u8, date: &str| {
        format!(
            "<item><title>Story {number}</title><link>https://x.org/{number}?utm_source=rss</link><pubDate>{date}</pubDate><description>&lt;p&gt;News {number} of the town.&lt;/p&gt;&lt;p&gt;Share this page&lt;/p&gt;</description></item>"
        )
    };
    let items = [item(1, "mardi, 4 oct 2022"), item(2, "31 Jun 2022"), item(3, "")].concat();
    app.write("f.xml", format!("<rss version=\"2.0\"><channel><title>T</title>{items}</channel></rss>"));
    let (quiet, said) = (app.ok(&["probe", "f.xml"]), app.ok(&["probe", "-v", "f.xml"]));
    for decision in [
        "- identity: its address, x.org/1",
        "- address: https://x.org/1, written as https://x.org/1?utm_source=rss",
        "- date: published 2022-10-04T00:00:00Z",
        "- pubdate \"mardi, 4 oct 2022\"\n",
        "\"31 Jun 2022\" is not a date",
        "- no date: the day it is first seen will be used",
        "- language: en; declared: nothing",
        "- left out: 22 bytes that other entries of the document have too",
    ] {
        assert!(said.contains(decision) && !quiet.contains(decision), "{decision} is not in {said}");
    }
    assert!(!said.contains("Share this page"), "{said}");
}

#[test]
fn probe_reads_a_file_with_the_type_and_address_that_it_is_told() {
    let app = App::new("");
    // The declaration says UTF-8, the header knows better (RFC 7303).
    app.write(
        "feed.xml",
        b"<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>\xC9t\xE9</title><item><title>x</title><link>/a</link></item></channel></rss>",
    );
    let printed = app.ok(&[
        "probe",
        "feed.xml",
        "--url",
        "https://x.example/feed",
        "--content-type",
        "text/xml; charset=iso-8859-1",
        "--format",
        "jsonfeed",
    ]);
    let feed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(feed["version"], "https://jsonfeed.org/version/1.1");
    assert_eq!(feed["title"], "Été");
    assert_eq!(feed["items"][0]["url"], "https://x.example/a");
    assert!(!app.path("courant.db").exists(), "probe stores nothing");
}

#[test]
fn logs_go_to_standard_error_and_can_be_json() {
    let server = Server::always(Reply::new(404, ""));
    let app = App::new(&format!("[[source]]\nid = \"s\"\nurl = \"{}\"\n", server.url("/")));
    let ran = app.run(&["--log-format", "json", "fetch"]);
    let line = ran.stderr.lines().next().unwrap();
    let log: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(log["fields"]["source.id"], "s");
    assert_eq!(
        app.run(&["-q", "fetch", "--all"]).stderr.lines().filter(|line| line.contains("WARN")).count(),
        0
    );
}

#[test]
fn the_demo_needs_nothing_and_its_second_cycle_transfers_and_sends_nothing() {
    let app = App::new("");
    let folder = app.path("demo");
    let said = app.ok(&["demo", "--dir", folder.to_str().unwrap()]);
    for want in [
        "11 answered 304, 0 sources read again, 0 bytes of documents",
        "0 files rewritten, 0 mails sent",
        "is a translation of",
        "is a copy of",
    ] {
        assert!(said.contains(want), "{want} is not in\n{said}");
    }
    assert!(folder.join("public/atom.xml").exists() && folder.join("public/index.html").exists());
    assert_eq!(std::fs::read_dir(folder.join("outbox")).unwrap().count(), 2);
    // A folder that holds somebody's configuration is not touched.
    app.write("own/feeds.toml", "# mine\n");
    assert_ne!(app.run(&["demo", "--dir", app.path("own").to_str().unwrap()]).code, 0);
    assert_eq!(app.read("own/feeds.toml"), "# mine\n");
}

/// A device that takes nothing, as a full disk does.
fn full() -> std::process::Stdio {
    std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn an_output_that_takes_nothing_ends_no_command_in_the_middle() {
    let server = Server::always(Reply::ok(rss(&[("s", "The bridge is open again", 12, "text")])));
    let digest = "[[topic]]\nid = \"t\"\nkeywords = { en = [\"bridge\"] }\n[[digest]]\nid = \"d\"\nschedule = \"Thu 08:00 UTC\"\nrecipients = [\"a@example.org\"]\n";
    let app = App::new(&format!("{digest}[[source]]\nid = \"s\"\nurl = \"{}\"\n", server.url("/")));
    app.ok(&["fetch"]);
    app.write("feed.xml", rss(&[("s", "Title", 12, "text")]));
    app.write("list.csv", "email,name\nanna@example.org,Anna\nnobody,Ben\n");
    for arguments in [
        &["check"][..],
        &["probe", "feed.xml"],
        &["probe", "feed.xml", "-v", "--format", "jsonfeed"],
        &["-v", "run"],
        &["fetch", "-vv", "--all"],
        &["publish"],
        &["recluster"],
        &["reclassify"],
        &["entries"],
        &["entries", "--format", "jsonl"],
        &["sources"],
        &["explain", "https://partner.example/s"],
        &["digest", "--dry-run"],
        &["digest"],
        &["queue"],
        &["topics", "suggest"],
        &["subscribers", "import", "list.csv", "--dry-run"],
        &["subscribers", "list"],
        &["nonsense"],
    ] {
        for (out, error) in [(true, false), (false, true), (true, true)] {
            let mut command = app.command(arguments);
            command.stdout(if out { full() } else { std::process::Stdio::piped() });
            command.stderr(if error { full() } else { std::process::Stdio::piped() });
            let ran = command.output().unwrap();
            let said = String::from_utf8_lossy(&ran.stderr);
            assert!(
                ran.status.code().is_some_and(|code| code < 100),
                "{arguments:?} {out} {error}: {} {said}",
                ran.status
            );
            let has_printed = !app.run(arguments).stdout.is_empty() && ran.status.code() == Some(1);
            assert!(!out || error || !has_printed || said.contains("No space left"), "{arguments:?}: {said}");
        }
    }
    // What could not be said was done.
    assert!(app.read("public/atom.xml").contains("The bridge is open again"));
}

#[test]
fn a_limit_on_the_size_of_files_is_called_one_wherever_it_is_met() {
    let server = Server::always(Reply::ok(rss(&[("s", "The bridge is open again", 12, "text")])));
    let source = format!("[[source]]\nid = \"s\"\nurl = \"{}\"\n", server.url("/"));
    for blocks in [0, 4, 16, 64, 200, 400, 1_000] {
        let app = App::new(&source);
        // In units of 512 bytes or 1,024, as the shell has it; a signal would end the program otherwise.
        let line = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" --config feeds.toml --now 2022-10-20T08:00:00Z run"
        );
        let ran = std::process::Command::new("sh")
            .args(["-c", &line, env!("CARGO_BIN_EXE_courant")])
            .current_dir(app.folder())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.code().is_some_and(|code| code <= 4), "{blocks}: {} {said}", ran.status);
        assert!(
            ran.status.success()
                || said.contains("disk is full")
                || said.contains("ulimit -f")
                || said.contains("File too large"),
            "{blocks}: {said}"
        );
        assert!(!said.contains("later version") && !said.contains("panicked"), "{blocks}: {said}");
        // With room again, all goes on.
        app.ok(&["run"]);
        assert_eq!(app.titles().len(), 1, "{blocks}");
    }
}

#[test]
fn shells_complete_each_command_and_each_has_a_manual_page() {
    let app = App::new("");
    for shell in ["bash", "zsh", "fish"] {
        let script = app.ok(&["completions", shell]);
        for word in ["subscribers", "reclassify", "listen", "log-format"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    // A shell takes the script.
    app.write("courant.bash", app.ok(&["completions", "bash"]));
    let ask = "source ./courant.bash; COMP_WORDS=(courant subscr); COMP_CWORD=1; _courant courant subscr courant; echo \"${COMPREPLY[*]}\"";
    let asked = std::process::Command::new("bash").args(["-c", ask]).current_dir(app.folder()).output();
    assert_eq!(String::from_utf8(asked.unwrap().stdout).unwrap(), "subscribers\n");
    app.ok(&["man", "pages"]);
    let page = app.read("pages/courant-subscribers-import.1");
    assert!(page.contains(".TH courant-subscribers-import 1") && page.contains("dry\\-run"), "{page}");
    assert!(app.read("pages/courant.1").contains("subscribers"));
    assert!(app.path("pages/courant-serve.1").exists() && !app.path("pages/courant-help.1").exists());
}
