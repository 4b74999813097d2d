//! The reading API, asked over HTTP.

use serde_json::Value;

use crate::support::http::{Reply, Server};
use crate::support::service::Service;
use crate::support::{App, rss};

const TOPIC: &str = "[[topic]]\nid = \"justice\"\nkeywords = { en = [\"justice\"] }\n";

/// An installation with seven stories of two partners, five of them on a topic.
fn published() -> (Server, App) {
    let server = Server::start(|request| match request.target.as_str() {
        "/courts" => Reply::ok(rss(&[
            ("a", "Open justice arrives in Lyon", 11, "The courts of Lyon show what they decide."),
            ("b", "Open justice arrives in Quito", 12, "Judges of Quito publish every sentence."),
            ("c", "Open justice arrives in Porto", 13, "A register of trials starts in Porto."),
            ("d", "Open justice arrives in Gent", 14, "Gent lets everybody look into its files."),
            ("e", "Open justice arrives in Dakar", 15, "Hearings are on the radio in Dakar."),
        ])),
        "/towns" => Reply::ok(rss(&[
            ("f", "A bridge is built", 16, "Pedestrians cross the river from May on."),
            ("g", "A school is painted", 17, "Children chose all the colours."),
        ])),
        _ => Reply::new(500, "secret trouble"),
    });
    let source = |id: &str, partner: &str| {
        let address = server.url(&format!("/{id}")).replace("http://", "http://reader:geheim@");
        format!("[[source]]\nid = \"{id}\"\npartner = \"{partner}\"\nkind = \"feed\"\nurl = \"{address}\"\n")
    };
    let sources = [source("courts", "Courts"), source("towns", "Towns"), source("broken", "Towns")].concat();
    let app = App::new(&format!("{TOPIC}{sources}"));
    app.ok(&["run"]);
    (server, app)
}

fn get(service: &Service, path: &str) -> Value {
    let (status, body) = service.ask("GET", path, "", "");
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

fn titles(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| one["title"].as_str().unwrap().to_owned()).collect()
}

/// The items of all pages, and how many pages there are.
fn pages(service: &Service, path: &str, name: &str) -> (Vec<String>, usize) {
    let (mut all, mut count, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = get(service, &format!("{path}{cursor}"));
        all.extend(titles(&page[name]));
        count += 1;
        let Some(next) = page["next"].as_str() else { return (all, count) };
        cursor = format!("&cursor={next}");
    }
}

#[test]
fn stories_come_in_pages_each_once_and_the_newest_first() {
    let (_server, app) = published();
    let service = Service::start(&app);
    let (all, count) = pages(&service, "/api/v1/stories?limit=3", "stories");
    assert_eq!((all.len(), count), (7, 3), "{all:?}");
    assert_eq!((all[0].as_str(), all[6].as_str()), ("A school is painted", "Open justice arrives in Lyon"));
    let (on_topic, _) = pages(&service, "/api/v1/stories?limit=2&topic=justice", "stories");
    assert_eq!(on_topic, all[2..]);
    let (of_partner, _) = pages(&service, "/api/v1/stories?limit=1&partner=Towns", "stories");
    assert_eq!(of_partner, all[..2]);
    assert!(titles(&get(&service, "/api/v1/stories?partner=Towns&topic=justice")["stories"]).is_empty());
    assert!(titles(&get(&service, "/api/v1/stories?language=fr")["stories"]).is_empty());
    let story = &get(&service, "/api/v1/stories?limit=1")["stories"][0];
    for id in [&story["id"], &story["versions"][0]["entry"]] {
        assert_eq!(get(&service, &format!("/api/v1/stories/{}", id.as_str().unwrap())), *story);
    }
}

#[test]
fn entries_are_read_on_from_where_somebody_stopped() {
    let (_server, mut app) = published();
    let service = Service::start(&app);
    let (all, count) = pages(&service, "/api/v1/entries?limit=4", "entries");
    assert_eq!((all.len(), count), (7, 2));
    assert_eq!(pages(&service, "/api/v1/entries?source=towns&limit=1", "entries").0.len(), 2);
    assert!(titles(&get(&service, "/api/v1/entries?since=2099-01-01T00:00:00Z")["entries"]).is_empty());
    let listed = app.later(1).ok(&["entries", "--format", "jsonl", "--source", "towns", "--limit", "1"]);
    let by_api = &get(&service, "/api/v1/entries?source=towns")["entries"];
    assert_eq!(by_api[1], serde_json::from_str::<Value>(&listed).unwrap());
}

#[test]
fn sources_say_how_they_are_and_nothing_that_is_the_operators() {
    let (_server, app) = published();
    let service = Service::start(&app);
    let (_, body) = service.ask("GET", "/api/v1/sources", "", "");
    assert!(!body.contains("geheim") && !body.contains("reader") && !body.contains("500"), "{body}");
    let sources: Value = serde_json::from_str(&body).unwrap();
    let health = |at: usize| sources["sources"][at]["health"].as_str().unwrap().to_owned();
    assert_eq!([health(0), health(1), health(2)], ["ok", "ok", "failing"]);
    assert_eq!(sources["sources"][0]["entries"], 5);
}

#[test]
fn what_is_wrong_is_said_as_a_problem() {
    let (_server, app) = published();
    let service = Service::start(&app);
    for (path, status, text) in [
        ("stories?topic=justic", 422, "did you mean \\\"justice\\\"?"),
        ("stories?partner=Nobody", 422, "there is no partner"),
        ("stories?limit=0", 400, "from 1 to 200"),
        ("stories?limit=many", 400, "limit"),
        ("stories?cursor=x", 400, "cursor"),
        ("stories?colour=red", 400, "colour"),
        ("entries?source=town", 422, "did you mean \\\"towns\\\"?"),
        ("entries?since=yesterday", 400, "since"),
        ("stories/nothing", 404, "no such story"),
        ("subscriber-list", 404, "no such resource"),
    ] {
        let (got, body) = service.ask("GET", &format!("/api/v1/{path}"), "", "");
        assert_eq!(got, status, "{path}: {body}");
        assert!(body.contains(text), "{path}: {body}");
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(problem["status"], status);
    }
    assert_eq!(service.ask("POST", "/api/v1/stories", "", "").0, 405);
}

#[test]
fn the_openapi_document_names_every_field_that_is_answered() {
    let (_server, app) = published();
    let service = Service::start(&app);
    let document = get(&service, "/api/v1/openapi.json");
    let schema =
        |name: &str| document["components"]["schemas"][name]["properties"].as_object().unwrap().clone();
    for (path, list, name) in [
        ("stories", "stories", "StoryRecord"),
        ("sources", "sources", "ApiSource"),
        ("issues", "issues", "ApiIssue"),
    ] {
        assert!(document["paths"][format!("/api/v1/{path}")]["get"].is_object(), "{path}");
        for one in get(&service, &format!("/api/v1/{path}"))[list].as_array().unwrap() {
            let (known, answered) = (schema(name), one.as_object().unwrap());
            assert!(answered.keys().eq(known.keys()), "{path}: {answered:?} {known:?}");
        }
    }
    let served = document["paths"].as_object().unwrap().keys().all(|path| path.starts_with("/api/v1/"));
    assert!(served && document["components"]["securitySchemes"]["token"]["scheme"] == "bearer");
}

#[test]
fn a_closed_api_answers_nothing() {
    let (_server, app) = published();
    app.write("feeds.toml", app.read("feeds.toml") + "[serve]\napi = \"closed\"\n");
    let service = Service::start(&app);
    for path in ["stories", "entries", "sources", "issues", "openapi.json", "anything"] {
        assert_eq!(service.ask("GET", &format!("/api/v1/{path}"), "", "").0, 401, "{path}");
    }
}
