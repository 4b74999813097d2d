//! Campaigns: mails that somebody wrote for a part of the list. Everybody who is meant gets each once, whoever sends it and whatever
//! is killed meanwhile.

use std::collections::HashMap;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::crash::kill_after;
use crate::support::service::Service;
use crate::support::sink::Sink;
use crate::support::{App, Ran, header, kill_program, text_part, wait_for};

const CONFIG: &str = "[newsletter]\ntitle = { es = \"Nuestras noticias\" }\ncontroller = \"The Network, 1 Main Street\"\n\
    [[topic]]\nid = \"justice\"\nkeywords = { en = [\"justice\"] }\n\
    [[segment]]\nid = \"members\"\nwhere = \"tag = member\"\n";
const BODY: &str = "# Dear \\<friends>\n\nCome to *the party* at [our place](https://party.example/?a=1&b=2)\nor read [the plan](/plan.html).\n\n- music\n- food\n\n<script>alert(1)</script>\n\n![A cake](https://party.example/cake.png)\n";

fn campaign(subject: &str, rest: &str) -> String {
    format!("+++\nsubject = \"{subject}\"\n{rest}+++\n\n{BODY}")
}

/// Some subscribers, of whom those with an even number are members.
fn listed(config: &str, count: usize) -> App {
    let app = App::new(config);
    let mut table = "address,state,language,tags,consent_source\n".to_owned();
    for n in 0..count {
        let tag = if n % 2 == 0 { "member" } else { "" };
        table += &format!("p{n}@partner.org,active,es,{tag},asked\n");
    }
    app.write("list.csv", table);
    app.ok(&["subscribers", "import", "list.csv"]);
    app
}

/// How many mails of a subject each person has.
fn mailed(app: &App, subject: &str) -> HashMap<String, usize> {
    let mut mailed = HashMap::new();
    for mail in app.outbox().iter().filter(|mail| header(mail, "Subject").ends_with(subject)) {
        *mailed.entry(header(mail, "To")).or_default() += 1;
    }
    mailed
}

fn campaigns(app: &App) -> Value {
    serde_json::from_str(&app.ok(&["campaign", "list", "--format", "json"])).unwrap()
}

/// Everybody who is meant got it once.
#[track_caller]
fn assert_each_once(mailed: &HashMap<String, usize>, count: usize, what: &str) {
    let repeated: Vec<_> = mailed.iter().filter(|(_, times)| **times != 1).collect();
    assert!(
        mailed.len() == count && repeated.is_empty(),
        "{what}: {} of {count}, and {repeated:?}",
        mailed.len()
    );
}

#[test]
fn a_campaign_looks_as_written_in_the_look_of_the_digest_and_is_safe() {
    let app = listed(CONFIG, 4);
    app.write("c.md", campaign("Come & dance", "segment = \"members\"\nlanguage = \"es\"\n"));
    assert!(app.ok(&["campaign", "preview", "c.md"]).contains("2 subscribers would get it"));
    let html = app.read("preview/campaign.html");
    for part in [
        ">Nuestras noticias</h1>",
        "<p class=\"ink\" style=\"",
        "href=\"https://party.example/?a=1&amp;b=2\"",
        "href=\"https://news.example.org/plan.html\"",
        "src=\"https://party.example/cake.png\"",
        ">Darse de baja<",
        "The Network, 1 Main Street",
    ] {
        assert!(html.contains(part), "{part} is not in {html}");
    }
    assert!(!html.contains("script") && !html.contains("alert"), "{html}");
    assert!(
        app.outbox().is_empty() && campaigns(&app).as_array().unwrap().is_empty(),
        "nothing is sent or stored"
    );
    app.ok(&["campaign", "test", "c.md", "editor@partner.org"]);
    assert!(app.outbox().iter().all(|mail| header(mail, "To") == "editor@partner.org"));
    let sent = app.ok(&["campaign", "send", "c.md"]);
    assert!(sent.contains("campaign 1: 2 recipients"), "{sent}");
    let mails = app.outbox();
    let mail = mails.iter().find(|mail| header(mail, "To") == "p0@partner.org").unwrap();
    assert_eq!(header(mail, "Subject"), "Come & dance");
    assert_eq!(header(mail, "Content-Language"), "es");
    assert_eq!(header(mail, "List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    assert!(header(mail, "List-Unsubscribe").contains("/unsubscribe/"));
    let text = text_part(mail);
    for part in [
        "# Dear <friends>",
        "our place (https://party.example/?a=1&b=2)",
        "- music\n- food",
        "A cake (https://party.example/cake.png)",
        "https://news.example.org/preferences/",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    // On the web, for everybody: without anybody's links.
    let name = text.split("/issues/").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let online = app.read(&format!("public/issues/{name}"));
    assert!(
        online.contains("the party") && !online.contains("/unsubscribe/") && !online.contains("@@"),
        "{online}"
    );
    assert!(app.read("public/issues/index.html").contains("Come &amp; dance"));
    assert!(app.ok(&["store", "check"]).contains("whole"));
}

#[test]
fn the_same_file_is_sent_once_unless_that_is_wanted_and_a_private_one_is_not_on_the_web() {
    let mut app = listed(CONFIG, 3);
    app.write("c.md", campaign("Only for you", "where = \"all\"\nprivate = true\n"));
    app.ok(&["campaign", "send", "c.md"]);
    let online = std::fs::read_dir(app.path("public/issues")).unwrap().count();
    assert_eq!(online, 1, "only the list of issues");
    assert!(!app.outbox()[0].contains("/issues/campaign"));
    let ran = app.run(&["campaign", "send", "c.md"]);
    assert!(ran.code == 2 && ran.stderr.contains("is campaign 1 already"), "{}", ran.stderr);
    app.later(5).ok(&["campaign", "send", "c.md", "--again"]);
    assert!(mailed(&app, "Only for you").values().all(|times| *times == 2));
    let all = campaigns(&app);
    let got: Vec<_> =
        all.as_array().unwrap().iter().map(|one| (one["sent"].as_u64(), one["state"].as_str())).collect();
    assert_eq!(got, [(Some(3), Some("sent")), (Some(3), Some("sent"))]);
}

#[test]
fn what_is_wrong_with_a_file_is_said_and_nothing_is_sent() {
    let app = listed(CONFIG, 2);
    for (text, said) in [
        ("Hello", "c.md: line 1: there is no front matter"),
        (
            campaign("x", "where = \"tags = x\"\n").as_str(),
            "c.md: where: \"tags\" is no field: did you mean \"tag\"? (at character 1)",
        ),
        (
            campaign("x", "segment = \"membres\"\n").as_str(),
            "segment: no [[segment]] above has the id \"membres\": did you mean \"members\"?",
        ),
        (campaign("x", "").as_str(), "say for whom it is"),
        (
            format!("+++\nsubject = \"x\"\nwhere = \"all\"\n+++\n{}", "long words. ".repeat(9_000)).as_str(),
            "longer than mail programs show",
        ),
    ] {
        app.write("c.md", text);
        for arguments in [&["campaign", "send", "c.md"][..], &["campaign", "preview", "c.md"]] {
            let ran = app.run(arguments);
            assert!(ran.code != 0 && ran.stderr.contains(said), "{said}: {}", ran.stderr);
        }
    }
    assert!(app.run(&["campaign", "send", "none.md"]).stderr.contains("cannot read none.md"));
    assert!(app.outbox().is_empty() && campaigns(&app).as_array().unwrap().is_empty());
}

#[test]
fn a_campaign_waits_for_its_time_and_can_be_cancelled() {
    let mut app = listed(CONFIG, 4);
    app.write("c.md", campaign("Later", "segment = \"members\"\n"));
    let said = app.ok(&["campaign", "send", "c.md", "--at", "2022-10-20 12:00 Europe/Paris"]);
    assert!(said.contains("scheduled for 2022-10-20T10:00:00Z: 2 subscribers"), "{said}");
    app.later(60).ok(&["run"]);
    assert!(app.outbox().is_empty());
    // Who comes until then gets it, and who leaves does not.
    app.ok(&["subscribers", "tag", "member", "p1@partner.org"]);
    app.ok(&["subscribers", "pause", "p0@partner.org"]);
    app.later(60).ok(&["run"]);
    let got = mailed(&app, "Later");
    assert_each_once(&got, 2, "at its time");
    assert!(got.contains_key("p1@partner.org") && !got.contains_key("p0@partner.org"));
    app.later(60).ok(&["run"]);
    assert_eq!(mailed(&app, "Later"), got);
    let mail = app.outbox().pop().unwrap();
    assert_eq!(header(&mail, "Date"), "Thu, 20 Oct 2022 10:00:00 +0000");

    app.write("d.md", campaign("Never", "where = \"all\"\n"));
    app.ok(&["campaign", "send", "d.md", "--at", "2022-10-21T10:00:00Z"]);
    assert!(app.ok(&["campaign", "cancel", "2"]).contains("campaign 2 is cancelled"));
    assert!(app.ok(&["campaign", "cancel", "2"]).contains("was cancelled before"));
    assert!(app.run(&["campaign", "cancel", "9"]).stderr.contains("there is no campaign 9"));
    app.later(3 * 24 * 60).ok(&["run"]);
    assert!(mailed(&app, "Never").is_empty());
    assert_eq!(campaigns(&app)[0]["state"], "cancelled");
    // A cancelled file may be sent after all.
    app.ok(&["campaign", "send", "d.md"]);
    assert_each_once(&mailed(&app, "Never"), 3, "after all");
    let past = app.run(&["campaign", "send", "d.md", "--again", "--at", "2022-10-01T00:00:00Z"]);
    assert!(past.code == 2 && past.stderr.contains("is past"), "{}", past.stderr);
}

#[test]
fn who_leaves_while_a_campaign_waits_does_not_get_it_and_what_is_cancelled_does_not_leave() {
    let sink = Sink::start();
    let app = listed(CONFIG, 4);
    app.write(
        "feeds.toml",
        app.read("feeds.toml").replace("[mail]\n", &format!("[mail]\ntransport = \"{}\"\n", sink.url())),
    );
    sink.refuse(|_| Some("451 4.3.2 not now"));
    app.write("c.md", campaign("Wait", "where = \"all\"\n"));
    app.run(&["campaign", "send", "c.md"]);
    assert_eq!((campaigns(&app)[0]["waiting"].as_u64(), sink.count()), (Some(4), 0));
    app.ok(&["subscribers", "pause", "p0@partner.org"]);
    sink.refuse(|_| None);
    let mut app = app;
    app.later(90).ok(&["run"]);
    let taken = sink.taken();
    assert!(taken.len() == 3 && !taken.contains_key("p0@partner.org"), "{taken:?}");

    sink.refuse(|_| Some("451 4.3.2 not now"));
    app.write("d.md", campaign("Cancel", "where = \"all\"\n"));
    app.run(&["campaign", "send", "d.md"]);
    assert!(app.ok(&["campaign", "cancel", "2"]).contains("3 deliveries given up"));
    sink.refuse(|_| None);
    app.later(24 * 60).ok(&["run"]);
    assert!(sink.taken().values().all(|times| *times == 1));
    let listed = &campaigns(&app)[0];
    assert_eq!((listed["failed"].as_u64(), listed["state"].as_str()), (Some(3), Some("cancelled")));
}

#[test]
fn leaving_by_a_campaign_ends_the_newsletter() {
    let app = listed(CONFIG, 2);
    app.write("c.md", campaign("Leave", "where = \"all\"\n"));
    app.ok(&["campaign", "send", "c.md"]);
    let mail = app.outbox().into_iter().find(|mail| header(mail, "To") == "p0@partner.org").unwrap();
    let link = header(&mail, "List-Unsubscribe")
        .split("https://news.example.org")
        .nth(1)
        .unwrap()
        .split('>')
        .next()
        .unwrap()
        .to_owned();
    let service = Service::start(&app);
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(service.ask("POST", &link, kind, "List-Unsubscribe=One-Click").0, 200);
    app.write("d.md", campaign("Again", "where = \"all\"\n"));
    app.ok(&["campaign", "send", "d.md"]);
    let got = mailed(&app, "Again");
    assert!(got.len() == 1 && got.contains_key("p1@partner.org"), "{got:?}");
}

fn start(app: &App, arguments: &[&str]) -> Child {
    app.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn processes_at_once_send_a_campaign_to_everybody_once() {
    let sink = Sink::start();
    let mut app = listed(CONFIG, 1_800);
    app.write(
        "feeds.toml",
        app.read("feeds.toml").replace("[mail]\n", &format!("[mail]\ntransport = \"{}\"\n", sink.url())),
    );
    app.write("c.md", campaign("At once", "where = \"all\"\n"));
    // The same file at the same moment is one campaign.
    let sending: Vec<Child> = (0..3).map(|_| start(&app, &["campaign", "send", "c.md"])).collect();
    let ran: Vec<Ran> =
        sending.into_iter().map(|child| Ran::from(child.wait_with_output().unwrap())).collect();
    let codes = |code| ran.iter().filter(|ran| ran.code == code).count();
    assert_eq!((codes(0), codes(2)), (1, 2), "{:?}", ran.iter().map(|ran| &ran.stderr).collect::<Vec<_>>());
    assert_each_once(&sink.taken(), 1_800, "the same file");

    // One that is due is begun and sent by all who come.
    app.write("d.md", campaign("Due", "segment = \"members\"\n"));
    app.ok(&["campaign", "send", "d.md", "--at", "2022-10-20T09:00:00Z"]);
    app.later(120);
    let running: Vec<Child> = (0..3).map(|_| start(&app, &["run"])).collect();
    for child in running {
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert!(ran.code == 0 && ran.stderr.is_empty(), "{} {}", ran.code, ran.stderr);
    }
    let members = sink.taken().into_iter().filter(|(_, times)| *times == 2).count();
    assert_eq!((members, sink.count()), (900, 1_800 + 900));
    assert_eq!(campaigns(&app)[0]["recipients"].as_u64(), Some(900));
}

#[test]
fn a_kill_while_recipients_are_chosen_leaves_nobody_out_and_nobody_gets_it_twice() {
    const COUNT: usize = 2_200;
    for moment in 0..8 {
        let mut app = listed(CONFIG, COUNT);
        app.write("c.md", campaign("Killed", "segment = \"members\"\n"));
        kill_after(&app, &["campaign", "send", "c.md"], Duration::from_millis(30 * moment));
        let known = campaigns(&app);
        if known.as_array().unwrap().is_empty() {
            app.ok(&["campaign", "send", "c.md"]);
        }
        // Two go on at once.
        app.later(61);
        let running: Vec<Child> = (0..2).map(|_| start(&app, &["run"])).collect();
        for child in running {
            let ran = Ran::from(child.wait_with_output().unwrap());
            assert_eq!(ran.code, 0, "{}", ran.stderr);
        }
        assert_each_once(&mailed(&app, "Killed"), COUNT / 2, &format!("after {} ms", 30 * moment));
        let known = campaigns(&app);
        assert_eq!(
            (known[0]["recipients"].as_u64(), known[0]["state"].as_str()),
            (Some(COUNT as u64 / 2), Some("sent"))
        );
    }
}

#[test]
fn a_kill_while_it_is_sent_leaves_nobody_out() {
    let sink = Sink::start();
    let mut app = listed(CONFIG, 600);
    app.write(
        "feeds.toml",
        app.read("feeds.toml").replace(
            "[mail]\n",
            &format!("[mail]\nconnections = 2\nrate = 300\ntransport = \"{}\"\n", sink.url()),
        ),
    );
    app.write("c.md", campaign("Sent", "where = \"all\"\n"));
    let mut sending = start(&app, &["campaign", "send", "c.md"]);
    wait_for("some mails", || (sink.count() >= 50).then_some(()));
    kill_program(&mut sending);
    assert!(sink.count() < 600, "it was killed in the middle");
    app.write("feeds.toml", app.read("feeds.toml").replace("rate = 300\n", ""));
    app.later(61).ok(&["run"]);
    let taken = sink.taken();
    // What was between the answer of the server and our note of it is sent again, under the same Message-ID: one for each connection.
    let twice = taken.values().filter(|times| **times == 2).count();
    assert!(taken.len() == 600 && twice <= 2 && sink.count() == 600 + twice, "{} {twice}", taken.len());
}

#[test]
fn who_leaves_the_list_and_comes_back_after_the_end_does_not_get_it_again() {
    let mut app = listed(CONFIG, 3);
    app.write("c.md", campaign("Once", "where = \"all\"\n"));
    app.ok(&["campaign", "send", "c.md"]);
    app.ok(&["subscribers", "remove", "p0@partner.org"]);
    app.ok(&["subscribers", "add", "P0@partner.org", "--consent", "asked"]);
    app.later(30).ok(&["run"]);
    assert_each_once(&mailed(&app, "Once"), 3, "after the end");
}
