//! The API for programs with a token, asked over HTTP, and by schemathesis as its OpenAPI document describes it.

use serde_json::{Value, json};

use crate::support::http::{Reply, Server};
use crate::support::service::{Service, ask_whole};
use crate::support::{App, python, rss};

const CONFIG: &str = "[[topic]]\nid = \"justice\"\nkeywords = { en = [\"justice\"] }\n\
    [[topic]]\nid = \"budgets\"\nkeywords = { en = [\"budget\"] }\n\
    [[digest]]\nid = \"weekly\"\nschedule = \"Mon 08:00 UTC\"\nrecipients = [\"reader@example.org\"]\nwithout_answer = \"hold\"\n[newsletter]\n";
const ALL: &str =
    "subscribers:read,subscribers:write,rulings:write,sources:read,sources:write,issues:read,issues:write";

/// An installation with three stories.
fn published() -> (Server, App) {
    let server = Server::start(|request| match request.target.as_str() {
        "/courts" => Reply::ok(rss(&[
            ("a", "Open justice arrives in Lyon", 17, "The courts of Lyon show what they decide."),
            ("b", "A bridge is built in Quito", 18, "Pedestrians cross the river from May on."),
            ("c", "A school is painted in Porto", 19, "Children chose all the colours."),
        ])),
        _ => Reply::new(500, "secret trouble"),
    });
    let source = |id: &str| {
        format!(
            "[[source]]\nid = \"{id}\"\npartner = \"{id}\"\nkind = \"feed\"\nurl = \"{}\"\n",
            server.url(&format!("/{id}"))
        )
    };
    let app = App::new(&format!("{CONFIG}{}{}", source("courts"), source("broken")));
    app.ok(&["run"]);
    (server, app)
}

fn token(app: &App, name: &str, scopes: &str) -> String {
    app.ok(&["token", "add", name, "--scope", scopes]).trim().to_owned()
}

/// A program with a token.
struct Program<'a> {
    service: &'a Service,
    token: String,
}

impl Program<'_> {
    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let kind = if body.is_null() { "" } else { "Content-Type: application/json\r\n" };
        let headers = format!("Authorization: Bearer {}\r\n{kind}", self.token);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = self.service.ask(method, &format!("/api/v1/{path}"), &headers, &body);
        (status, serde_json::from_str(&answer).unwrap_or(Value::Null))
    }

    /// What is answered to a request that has to succeed.
    #[track_caller]
    fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }
}

/// The head of the answer to a request with this token.
fn head(service: &Service, path: &str, token: &str) -> String {
    let rest =
        if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n\r\n") };
    let answer = ask_whole(service.address(), "GET", &format!("/api/v1/{path}"), &rest);
    answer.split("\r\n\r\n").next().unwrap().to_lowercase()
}

#[test]
fn a_token_is_shown_once_and_listed_without_what_proves_it() {
    let app = App::new("");
    let secret = token(&app, "crm", "subscribers:read");
    assert!(secret.starts_with("courant_") && secret.len() == 72, "{secret}");
    let ran = app.run(&["token", "add", "crm", "--scope", "read"]);
    assert!(ran.code == 2 && ran.stderr.contains("called \"crm\" already"), "{}", ran.stderr);
    for (arguments, said) in [
        (vec!["token", "add", "x", "--scope", "subscriber:read"], "did you mean \"subscribers:read\"?"),
        (vec!["token", "add", "x y", "--scope", "read"], "is no name for a token"),
        (vec!["token", "add", "x", "--scope", "read", "--expires", "soon"], "write 90d"),
        (vec!["token", "add", "x", "--scope", "read", "--expires", "2022-10-19"], "that is over"),
        (vec!["token", "revoke", "nobody"], "no token is called"),
    ] {
        let ran = app.run(&arguments);
        assert!(ran.code == 2 && ran.stderr.contains(said), "{arguments:?}: {}", ran.stderr);
    }
    app.ok(&["token", "add", "short", "--scope", "read,issues:read", "--expires", "30d"]);
    let listed: Value = serde_json::from_str(&app.ok(&["token", "list", "--format", "json"])).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["state"]), (&json!("crm"), &json!("valid")));
    assert_eq!(listed[1]["expires"], "2022-11-19T08:00:00Z");
    assert!(!listed.to_string().contains(&secret[8..]));
    app.ok(&["token", "revoke", "crm"]);
    let again = token(&app, "crm", "read");
    assert_ne!(again, secret);
    let text = app.ok(&["token", "list"]);
    assert!(text.contains("revoked") && text.contains("read,issues:read"), "{text}");
}

#[test]
fn nobody_gets_in_without_a_token_that_holds_and_allows_it() {
    let (_server, mut app) = published();
    let reading = token(&app, "reading", "subscribers:read");
    let revoked = token(&app, "revoked", ALL);
    let short = app.ok(&["token", "add", "short", "--scope", ALL, "--expires", "1h"]).trim().to_owned();
    app.ok(&["token", "revoke", "revoked"]);
    let service = Service::start(app.later(60));
    let head = |path: &str, token: &str| head(&service, path, token);
    assert!(head("subscribers", &reading).starts_with("http/1.1 200"));
    assert!(head("subscribers", &reading).contains("cache-control: no-store"));
    for path in ["subscribers", "subscribers/ana@partner.org", "sources/courts", "issues/next/weekly"] {
        let head_without = head(path, "");
        assert!(head_without.starts_with("http/1.1 401"), "{path}: {head_without}");
        assert!(head_without.contains("www-authenticate: bearer realm=\"courant\"\r\n"), "{head_without}");
        for wrong in ["courant_nonsense", &revoked, &short] {
            let head = head(path, wrong);
            assert!(
                head.starts_with("http/1.1 401") && head.contains("error=\"invalid_token\""),
                "{path}: {head}"
            );
        }
    }
    let refused = head("sources/courts", &reading);
    assert!(refused.starts_with("http/1.1 403"), "{refused}");
    assert!(refused.contains("error=\"insufficient_scope\", scope=\"sources:read\""), "{refused}");
    let program = Program { service: &service, token: reading };
    for (method, path) in [
        ("POST", "subscribers"),
        ("PATCH", "subscribers/ana@partner.org"),
        ("DELETE", "subscribers/ana@partner.org"),
        ("POST", "rulings"),
        ("POST", "sources/courts/poll"),
        ("POST", "issues/next/weekly/release"),
    ] {
        assert_eq!(program.ask(method, path, &Value::Null).0, 403, "{method} {path}");
        assert_eq!(service.ask(method, &format!("/api/v1/{path}"), "", "").0, 401, "{method} {path}");
    }
    let listed: Value = serde_json::from_str(&app.ok(&["token", "list", "--format", "json"])).unwrap();
    let used: Vec<bool> = listed.as_array().unwrap().iter().map(|one| one["used"].is_string()).collect();
    assert_eq!(used, [true, false, false], "{listed}");
}

#[test]
fn a_closed_api_is_read_with_any_token() {
    let (_server, app) = published();
    app.write("feeds.toml", app.read("feeds.toml") + "[serve]\napi = \"closed\"\n");
    let token = token(&app, "partner", "read");
    let service = Service::start(&app);
    for path in ["stories", "entries", "sources", "issues", "openapi.json"] {
        assert!(head(&service, path, &token).starts_with("http/1.1 200"), "{path}");
        assert!(head(&service, path, "courant_0").starts_with("http/1.1 401"), "{path}");
    }
}

#[test]
fn subscribers_are_added_listed_changed_and_removed() {
    let (_server, app) = published();
    let program_token = token(&app, "crm", ALL);
    let service = Service::start(&app);
    let program = Program { service: &service, token: program_token };
    let new = |address: &str| json!({ "address": address, "consent": "in the shop", "consent_text": "Yes, please" });
    for name in ["ana", "ben", "cleo"] {
        let added = program.ok("POST", "subscribers", &new(&format!("{name}@partner.org")));
        assert_eq!((&added["state"], &added["consent"]["text"]), (&json!("active"), &json!("Yes, please")));
    }
    let page = program.ok("GET", "subscribers?limit=2", &Value::Null);
    assert_eq!(page["subscribers"].as_array().unwrap().len(), 2);
    let rest = program.ok(
        "GET",
        &format!("subscribers?limit=2&cursor={}", page["next"].as_str().unwrap()),
        &Value::Null,
    );
    assert_eq!(rest["subscribers"][0]["address"], "cleo@partner.org");
    assert_eq!(rest["next"], Value::Null);
    let wanted = json!({ "preferences": { "topics": ["justice"], "cadence": "daily", "hour": "7" }, "state": "paused" });
    let changed = program.ok("PATCH", "subscribers/ben@partner.org", &wanted);
    assert_eq!((&changed["topics"], &changed["schedule"]), (&json!(["justice"]), &json!("daily 7:00 UTC")));
    let paused = program.ok("GET", "subscribers?state=paused", &Value::Null);
    assert_eq!(paused["subscribers"], json!([changed]));
    let resumed = program.ok("PATCH", "subscribers/ben@partner.org", &json!({ "state": "active" }));
    assert_eq!((&resumed["state"], &resumed["topics"]), (&json!("active"), &json!(["justice"])));
    program.ok("DELETE", "subscribers/ana@partner.org", &Value::Null);
    assert_eq!(program.ask("DELETE", "subscribers/ana@partner.org", &Value::Null).0, 404);
    assert_eq!(program.ask("GET", "subscribers/ana@partner.org", &Value::Null).0, 404);
    for (body, status, said) in [
        (new("nonsense"), 422, "not a valid mail address"),
        (json!({ "address": "dan@partner.org", "consent": " " }), 422, "consent"),
        (json!({ "address": "dan@partner.org" }), 422, "consent"),
        (
            json!({ "address": "dan@partner.org", "consent": "x", "preferences": { "topics": ["justise"] } }),
            422,
            "justice",
        ),
        (json!({ "address": "dan@partner.org", "consent": "x", "colour": "red" }), 422, "colour"),
        (new("ben@partner.org"), 409, "on the list already"),
    ] {
        let (got, answer) = program.ask("POST", "subscribers", &body);
        assert!(got == status && answer["detail"].as_str().unwrap().contains(said), "{body}: {got} {answer}");
    }
}

#[test]
fn whoever_left_complained_or_was_erased_stays_out() {
    let (_server, app) = published();
    let program_token = token(&app, "crm", ALL);
    let service = Service::start(&app);
    let program = Program { service: &service, token: program_token };
    let new = |address: &str| json!({ "address": address, "consent": "in the shop" });
    for address in ["ana@partner.org", "ben@partner.org"] {
        program.ok("POST", "subscribers", &new(address));
    }
    let left = program.ok("PATCH", "subscribers/ana@partner.org", &json!({ "state": "unsubscribed" }));
    assert_eq!(left["state"], "unsubscribed");
    program.ok("PATCH", "subscribers/ana@partner.org", &json!({ "state": "unsubscribed" }));
    program.ok("DELETE", "subscribers/ben@partner.org?erase=true", &Value::Null);
    for address in ["ana@partner.org", "ben@partner.org"] {
        let (status, answer) = program.ask("POST", "subscribers", &new(address));
        assert!(
            status == 409 && answer["detail"].as_str().unwrap().contains("kept out"),
            "{address}: {answer}"
        );
    }
    let (status, _) = program.ask("PATCH", "subscribers/ana@partner.org", &json!({ "state": "active" }));
    assert_eq!(status, 409);
    assert!(app.ok(&["subscribers", "show", "ana@partner.org"]).contains("unsubscribed"));
    assert!(app.ok(&["subscribers", "show", "ben@partner.org"]).contains("erased"));
    // What was taken off without having left may come back.
    program.ok("POST", "subscribers", &new("cleo@partner.org"));
    program.ok("DELETE", "subscribers/cleo@partner.org", &Value::Null);
    program.ok("POST", "subscribers", &new("cleo@partner.org"));
}

#[test]
fn the_next_issue_is_shaped_and_released_by_a_program() {
    let (_server, app) = published();
    let program_token = token(&app, "desk", ALL);
    let service = Service::start(&app);
    let program = Program { service: &service, token: program_token };
    let stories = program.ok("GET", "stories", &Value::Null)["stories"].clone();
    let id = |at: usize| stories[at]["id"].clone();
    let rule = |mut body: Value| {
        body["digest"] = json!("weekly");
        program.ask("POST", "rulings", &body)
    };
    let (status, pinned) = rule(json!({ "do": "pin", "story": id(2) }));
    assert_eq!((status, &pinned["outcome"]), (200, &json!("done")));
    assert_eq!(rule(json!({ "do": "pin", "story": id(2) })).1["outcome"], "already");
    assert_eq!(rule(json!({ "do": "drop", "story": id(0) })).0, 200);
    let hello = json!({ "do": "write", "field": "introduction", "text": "Hello", "version": 0 });
    assert_eq!(rule(hello).0, 200);
    let (status, answer) =
        rule(json!({ "do": "write", "field": "introduction", "text": "Bye", "version": 0 }));
    assert!(status == 409 && answer["detail"].as_str().unwrap().contains("token desk wrote"), "{answer}");
    assert_eq!(rule(json!({ "do": "add", "title": "By hand", "topic": "budgets" })).0, 200);
    let issue = program.ok("GET", "issues/next/weekly", &Value::Null);
    assert_eq!((&issue["introduction"], &issue["waits"]), (&json!("Hello"), &json!(true)));
    assert_eq!(issue["left_out"][0]["title"], "A school is painted in Porto");
    assert!(issue["groups"].to_string().contains("By hand"), "{issue}");
    assert_eq!(issue["log"][0]["who"], "token desk");
    assert_eq!(rule(json!({ "do": "undo", "ruling": pinned["ruling"] })).0, 200);
    assert!(!app.ok(&["desk", "show"]).contains("pinned"));
    assert_eq!(program.ok("POST", "issues/next/weekly/release", &Value::Null)["outcome"], "done");
    assert!(app.ok(&["desk", "list"]).contains("released"));
    for (body, status) in [
        (json!({ "do": "pin", "story": "nothing" }), 404),
        (json!({ "do": "write", "field": "headline", "text": "x" }), 422),
        (json!({ "do": "write", "field": "introduction", "story": id(0), "text": "x" }), 422),
        (json!({ "do": "add", "title": "x", "topic": "nothing" }), 422),
        (json!({ "do": "add", "title": " " }), 422),
        (json!({ "do": "explode" }), 422),
    ] {
        assert_eq!(rule(body.clone()).0, status, "{body}");
    }
    let (status, _) =
        program.ask("POST", "rulings", &json!({ "do": "pin", "digest": "daily", "story": id(0) }));
    assert_eq!(status, 404);
}

#[test]
fn stories_are_merged_and_split_and_topics_labelled_by_a_program() {
    let (_server, app) = published();
    let program_token = token(&app, "desk", ALL);
    let service = Service::start(&app);
    let program = Program { service: &service, token: program_token };
    let stories = program.ok("GET", "stories", &Value::Null)["stories"].clone();
    let [one, other] = [0, 1].map(|at| &stories[at]["versions"][0]["entry"]);
    let merge = json!({ "do": "merge", "story": one, "other": other });
    assert_eq!(program.ok("POST", "rulings", &merge)["outcome"], "done");
    assert_eq!(program.ok("POST", "rulings", &merge)["outcome"], "already");
    let entry = other.as_str().unwrap();
    let story = |id: &str| program.ok("GET", &format!("stories/{id}"), &Value::Null);
    assert_eq!(story(entry)["versions"].as_array().unwrap().len(), 2);
    let label = |topics: Value| json!({ "do": "label", "entry": entry, "topics": topics });
    program.ok("POST", "rulings", &label(json!(["budgets"])));
    assert_eq!(program.ok("POST", "rulings", &json!({ "do": "split", "entry": entry }))["outcome"], "done");
    assert_eq!(
        (&story(entry)["topics"], story(entry)["versions"].as_array().unwrap().len()),
        (&json!(["budgets"]), 1)
    );
    program.ok("POST", "rulings", &label(Value::Null));
    assert_eq!(story(entry)["topics"], json!([]));
    assert_eq!(program.ask("POST", "rulings", &label(json!(["budget"]))).0, 422);
}

#[test]
fn a_source_says_why_it_fails_and_is_read_when_asked_for() {
    let (server, mut app) = published();
    let program_token = token(&app, "monitor", ALL);
    let broken =
        |server: &Server| server.requests().iter().filter(|request| request.target == "/broken").count();
    let before = broken(&server);
    {
        let service = Service::start(&app);
        let program = Program { service: &service, token: program_token };
        let source = program.ok("GET", "sources/broken", &Value::Null);
        assert_eq!(source["source"]["health"], "failing");
        assert!(source["error"].as_str().unwrap().contains("500"), "{source}");
        assert_eq!(program.ask("GET", "sources/nothing", &Value::Null).0, 404);
    }
    app.later(1).ok(&["run"]);
    assert_eq!(broken(&server), before, "it is not due yet");
    let again = token(&app, "again", "sources:write");
    {
        let service = Service::start(&app);
        Program { service: &service, token: again }.ok("POST", "sources/broken/poll", &Value::Null);
    }
    app.run(&["run"]);
    assert!(broken(&server) > before);
}

#[test]
fn the_api_answers_as_its_openapi_document_describes() {
    let (_server, app) = published();
    let token = token(&app, "check", ALL);
    let service = Service::start(&app);
    for arguments in [vec![service.address()], vec![service.address(), &token]] {
        let said = python::run("api_check.py", &arguments);
        assert!(said.contains("No issues found"), "{said}");
    }
}
