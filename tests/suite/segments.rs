//! Tags, attributes and queries for subscribers: on the command line, in tables, in the API and in the configuration.

use serde_json::{Value, json};

use crate::support::App;
use crate::support::service::Service;

const CONFIG: &str = "[newsletter]\n\
    [[topic]]\nid = \"justice\"\nkeywords = { en = [\"justice\"] }\n\
    [[topic]]\nid = \"budgets\"\nkeywords = { en = [\"budget\"] }\n\
    [[segment]]\nid = \"spain\"\nname = \"Spain\"\nwhere = \"language = es\"\n\
    [[segment]]\nid = \"members-in-spain\"\nwhere = \"segment = spain and tag = member\"\n";

/// Four subscribers.
fn listed() -> App {
    let app = App::new(CONFIG);
    let add = |address: &str, more: &[&str]| {
        app.ok(&[&["subscribers", "add", address, "--consent", "asked"], more].concat());
    };
    add("ana@partner.org", &["--language", "es", "--tags", "Member,VIP", "--attribute", "Town=Lima"]);
    add("bo@partner.org", &["--language", "es", "--topics", "justice"]);
    add("cy@other.org", &["--language", "fr", "--topics", "budgets", "--tags", "member"]);
    add("di@partner.org", &["--attribute", "age=9"]);
    app.ok(&["subscribers", "pause", "di@partner.org"]);
    app
}

/// The first letters of the addresses that a query finds.
#[track_caller]
fn found(app: &App, query: &str) -> String {
    let text = app.ok(&["subscribers", "list", "--where", query, "--format", "json"]);
    let all: Value = serde_json::from_str(&text).unwrap();
    all.as_array().unwrap().iter().map(|one| one["address"].as_str().unwrap()[..1].to_owned()).collect()
}

#[test]
fn queries_find_subscribers_by_what_they_chose_and_what_is_noted() {
    let app = listed();
    for (query, want) in [
        ("all", "abcd"),
        ("tag = member", "ac"),
        ("segment = spain", "ab"),
        ("segment = members-in-spain", "a"),
        ("topic = justice", "abd"),
        ("domain = partner.org and not language = es", "d"),
        ("state = paused", "d"),
        ("attribute.town = lima or attribute.age > 8", "ad"),
        ("subscribed after 1d", "abcd"),
        ("subscribed before 1d", ""),
    ] {
        assert_eq!(found(&app, query), want, "{query}");
    }
    assert!(app.ok(&["subscribers", "list", "--where", "tag = vip"]).contains("1 subscriber found"));
    let ran = app.run(&["subscribers", "list", "--where", "topic = justise"]);
    assert!(
        ran.code == 2 && ran.stderr.contains("did you mean \"justice\"? (at character 9)"),
        "{}",
        ran.stderr
    );
}

#[test]
fn tags_and_attributes_are_set_for_one_and_for_all_whom_a_query_means() {
    let app = listed();
    assert_eq!(
        app.ok(&["subscribers", "tag", "new,x", "bo@partner.org", "di@partner.org"]),
        "2 subscribers changed\n"
    );
    assert_eq!(
        app.ok(&["subscribers", "tag", "x", "--remove", "--where", "tag = x"]),
        "2 subscribers changed\n"
    );
    assert_eq!((found(&app, "tag = new"), found(&app, "tag = x")), ("bd".into(), String::new()));
    app.ok(&["subscribers", "attribute", "town=Quito", "--where", "language = es"]);
    assert_eq!(found(&app, "attribute.town = quito"), "ab");
    app.ok(&["subscribers", "attribute", "town=", "bo@partner.org"]);
    assert_eq!(found(&app, "attribute.town = \"\""), "bcd");
    assert!(app.ok(&["subscribers", "show", "ana@partner.org"]).contains("#member #vip town=Quito"));
    for (arguments, said) in [
        (&["subscribers", "tag", "a;b", "bo@partner.org"][..], "\"a;b\" is no tag"),
        (&["subscribers", "tag", "a"], "<ADDRESS>"),
        (&["subscribers", "tag", "a", "no@partner.org"], "no@partner.org is not on the list"),
        (&["subscribers", "attribute", "town", "bo@partner.org"], "write NAME=VALUE"),
    ] {
        let ran = app.run(arguments);
        assert!(ran.code == 2 && ran.stderr.contains(said), "{arguments:?}: {}", ran.stderr);
    }
    // Not more than there may be, and then nothing of it.
    let many: Vec<String> = (0..51).map(|n| format!("t{n}")).collect();
    let ran = app.run(&["subscribers", "tag", &many.join(","), "bo@partner.org"]);
    assert!(ran.code == 1 && ran.stderr.contains("more than 50 tags"), "{}", ran.stderr);
    assert_eq!(found(&app, "tag = t1"), "");
    // What somebody chooses anew leaves what is noted of them.
    app.ok(&["subscribers", "add", "ana@partner.org", "--update", "--language", "fr"]);
    assert_eq!(found(&app, "tag = vip and language = fr"), "a");
}

#[test]
fn what_is_noted_goes_into_tables_and_exports_and_comes_back() {
    let app = listed();
    app.ok(&["subscribers", "export", "list.csv"]);
    app.ok(&["export", "all", "everything"]);
    let other = App::new(CONFIG);
    other.write("list.csv", app.read("list.csv"));
    other.ok(&["subscribers", "import", "list.csv"]);
    let again = App::new(CONFIG);
    let folder = app.path("everything");
    again.ok(&["import", "all", folder.to_str().unwrap()]);
    for other in [&other, &again] {
        assert_eq!(found(other, "tag = vip and attribute.town = Lima"), "a");
        assert_eq!(found(other, "tag = member"), "ac");
    }
    assert!(again.ok(&["store", "check"]).contains("whole"));
    // An import changes what the table has a column for, and nothing else.
    other.write("more.csv", "address,state,tags\nana@partner.org,active,board;stop\ncy@other.org,active,\n");
    other.ok(&["subscribers", "import", "more.csv", "--consent", "x", "--update"]);
    assert_eq!(found(&other, "tag = board and tag = stop and attribute.town = Lima"), "a");
    assert_eq!(found(&other, "tag = member"), "");
    // Whoever asks gets what is noted of them, and after erasing, nothing is.
    let data: Value =
        serde_json::from_str(&app.ok(&["subscribers", "export", "--address", "ana@partner.org"])).unwrap();
    assert_eq!(data["subscriber"]["tags"], json!(["member", "vip"]));
    assert_eq!(data["subscriber"]["attributes"], json!({ "town": "Lima" }));
    app.ok(&["subscribers", "erase", "ana@partner.org"]);
    assert_eq!(found(&app, "tag = vip"), "");
}

#[test]
fn programs_read_and_change_what_is_noted() {
    let app = listed();
    let token = app.ok(&["token", "add", "crm", "--scope", "subscribers:read,subscribers:write"]);
    let service = Service::start(&app);
    let ask = |method: &str, path: &str, body: &Value| {
        let headers = format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", token.trim());
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = service.ask(method, &format!("/api/v1/subscribers{path}"), &headers, &body);
        (status, serde_json::from_str::<Value>(&answer).unwrap_or(Value::Null))
    };
    let new = json!({ "address": "ed@partner.org", "consent": "asked", "tags": ["A  B", "c"], "attributes": { "Town": "Lyon" } });
    let (status, answer) = ask("POST", "", &new);
    assert_eq!(
        (status, &answer["tags"], &answer["attributes"]),
        (201, &json!(["a b", "c"]), &json!({ "town": "Lyon" }))
    );
    let (_, answer) = ask("PATCH", "/ed@partner.org", &json!({ "tags": ["d"] }));
    assert_eq!((&answer["tags"], &answer["attributes"]), (&json!(["d"]), &json!({ "town": "Lyon" })));
    let (_, answer) = ask("PATCH", "/ed@partner.org", &json!({ "attributes": { "town": "" } }));
    assert_eq!((&answer["tags"], &answer["attributes"]), (&json!(["d"]), &json!({})));
    let (status, answer) = ask("PATCH", "/ed@partner.org", &json!({ "tags": ["a,b"] }));
    assert_eq!((status, answer["detail"].as_str().unwrap().contains("is no tag")), (422, true));
    let (_, answer) = ask("GET", "?where=tag%20%3D%20member", &Value::Null);
    assert_eq!(answer["subscribers"].as_array().unwrap().len(), 2);
    let (status, answer) = ask("GET", "?where=tag", &Value::Null);
    assert_eq!((status, answer["detail"].as_str().unwrap().contains("where: ")), (422, true));
}

#[test]
fn a_segment_that_names_what_there_is_not_is_a_fault_of_the_configuration() {
    for (segment, said) in [
        ("id = \"a\"\nwhere = \"topic = nothing\"\n", "where: no topic is called \"nothing\""),
        ("id = \"a\"\nwhere = \"segment = b\"\n", "no [[segment]] above has the id \"b\""),
        ("id = \"a\"\n", "where is missing"),
        ("where = \"all\"\n", "id is missing"),
        ("id = \"a\"\nwhere = \"all\"\n[[segment]]\nid = \"a\"\nwhere = \"all\"\n", "the id \"a\" is taken"),
    ] {
        let app = App::new(&format!("[[segment]]\n{segment}"));
        let ran = app.run(&["check"]);
        assert!(ran.code == 2 && ran.stderr.contains(said), "{segment}: {}", ran.stderr);
    }
}
