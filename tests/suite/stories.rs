//! One story, once: copies, translations, series; what an operator asks about them and says to them.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use crate::support::http::{Reply, Request, Server};
use crate::support::{App, header, rss, text_part};

/// The labelled stories: story, topic, language, published, source, title, text.
fn labelled() -> Vec<Vec<&'static str>> {
    include_str!("../../corpus/stories.tsv").lines().skip(1).map(|line| line.split('\t').collect()).collect()
}

/// What `courant cluster` says of entries.
fn cluster(items: &[Value]) -> Vec<Value> {
    let app = App::new("");
    let lines: Vec<String> = items.iter().map(Value::to_string).collect();
    app.write("items.jsonl", lines.join("\n"));
    app.ok(&["cluster", "items.jsonl"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn clusters(items: &[Value]) -> Vec<String> {
    cluster(items).iter().map(|placed| placed["cluster"].as_str().unwrap().to_owned()).collect()
}

/// The pairs that stand together, by the name that `of` gives each.
fn pairs(names: &[String], groups: &[String]) -> HashSet<(String, String)> {
    let mut by_group: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
    names.iter().zip(groups).for_each(|(name, group)| by_group.entry(group).or_default().push(name));
    by_group
        .values()
        .flat_map(|group| {
            group
                .iter()
                .enumerate()
                .flat_map(move |(at, a)| group[..at].iter().map(move |b| ((*b).clone(), (*a).clone())))
        })
        .collect()
}

/// An entry of the labelled stories, by its columns behind the story.
fn labelled_item(story: &str, language: &str, columns: &[&str]) -> Value {
    let [published, source, title, text] = columns else { panic!("{columns:?}") };
    json!({ "id": format!("{story}-{language}"), "source": source, "title": title, "text": text, "published": published, "language": language })
}

/// Precision and recall of links between entries whose story is the beginning of their id.
fn measure(items: &[Value]) -> (f64, f64) {
    let names: Vec<String> = items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    let stories: Vec<String> = names.iter().map(|name| name.split('-').next().unwrap().to_owned()).collect();
    let (found, wanted) = (pairs(&names, &clusters(items)), pairs(&names, &stories));
    let right = found.intersection(&wanted).count() as f64;
    let (precision, recall) = (right / found.len() as f64, right / wanted.len() as f64);
    println!("precision {precision:.3}, recall {recall:.3}");
    assert!(precision >= 0.98, "{precision}: {:?}", found.difference(&wanted).collect::<Vec<_>>());
    (precision, recall)
}

#[test]
fn translations_of_the_labelled_stories_are_linked_without_hreflang() {
    let mut rows = labelled();
    rows.sort_by_key(|row| row[3]);
    let items: Vec<Value> = rows.iter().map(|row| labelled_item(row[0], row[2], &row[3..])).collect();
    let (precision, recall) = measure(&items);
    assert!(precision == 1.0 && recall >= 0.94, "{precision} {recall}");
}

#[test]
fn another_story_of_the_same_event_is_no_translation() {
    let stories: Vec<Vec<&str>> = labelled();
    let misses: Vec<Vec<&str>> = include_str!("../../corpus/near_misses.tsv")
        .lines()
        .skip(1)
        .map(|line| line.split('\t').collect())
        .collect();
    let near_misses =
        || misses.iter().enumerate().map(|(at, row)| labelled_item(&format!("n{at:03}"), row[1], &row[2..]));
    let has_miss = |story: &[&str]| misses.iter().any(|miss| miss[0] == story[0] && miss[1] == story[2]);
    for is_translation_there in [true, false] {
        let there = stories.iter().filter(|story| is_translation_there || !has_miss(story));
        let mut items: Vec<Value> =
            near_misses().chain(there.map(|row| labelled_item(row[0], row[2], &row[3..]))).collect();
        let (_, recall) = measure(&items);
        assert!(recall >= 0.92, "{recall}: they came before the stories");
        items.sort_by_key(|item| item["published"].to_string());
        let (_, recall) = measure(&items);
        assert!(recall >= 0.92, "{recall}: as they were published");
    }
}

#[test]
fn stories_that_have_no_translation_are_linked_to_none() {
    for turn in 0..3 {
        let rows: Vec<Vec<&str>> =
            labelled().chunks(3).enumerate().map(|(at, story)| story[(at + turn) % 3].clone()).collect();
        let items: Vec<Value> = rows.iter().map(|row| json!({ "id": row[0], "source": row[4], "title": row[5], "text": row[6], "language": row[2] })).collect();
        assert_eq!(clusters(&items), rows.iter().map(|row| row[0].to_owned()).collect::<Vec<_>>());
    }
}

const TEXT: &str = "The city council of Rome adopted on Thursday a participatory budget of three million euros for the schools of the outer districts, \
                    after six months of public debate in which more than twelve thousand residents took part, the mayor told reporters. Work on the first \
                    nine schools begins in March, and every invoice will be published on the open data portal of the city within ten days.";

#[test]
fn cluster_reads_what_it_can_and_says_why() {
    let app = App::new("");
    let lines = [
        json!({ "id": "a", "source": "s", "url": "https://x.org/1", "title": "Rome adopts a budget for its schools", "text": TEXT }),
        json!({ "id": "b", "source": "t", "title": "Quite another headline for readers elsewhere", "text": &TEXT[..150] }),
        json!({ "id": "c", "source": "u", "url": "https://u.org/9", "html": "<p>Voir aussi</p><link rel=\"canonical\" href=\"https://x.org/1?utm_source=rss\">" }),
        json!({ "id": "d", "source": "u", "html": "<a rel=\"alternate\" hreflang=\"en\" href=\"https://x.org/1\">English</a>", "title": "Rome et ses écoles", "language": "fr" }),
        json!({ "id": 7 }),
        json!({ "source": "s", "guid": "g1", "title": "Agenda" }),
        json!({ "id": "e", "source": "s", "guid": "g1", "title": "Agenda" }),
        json!({ "id": "f", "source": "other", "guid": "g1", "title": "Agenda" }),
    ];
    let mut text = lines.map(|line| line.to_string()).join("\n");
    text.push_str("\n{\"id\": \"broken\", \n\n[1, 2]\n");
    app.write("items.jsonl", &text);
    let ran = app.run(&["cluster", "items.jsonl"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("line 9 is not an entry") && ran.stderr.contains("line 11 is not an entry"),
        "{}",
        ran.stderr
    );
    let placed: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |key: &str| placed.iter().map(|placed| placed[key].clone()).collect::<Vec<_>>();
    assert_eq!(
        of("cluster"),
        [json!("a"), json!("a"), json!("a"), json!("a"), json!(7), json!(6), json!(6), json!("f")]
    );
    assert_eq!(
        of("relation"),
        ["first", "copy", "copy", "translation", "first", "first", "copy", "first"].map(Value::from)
    );
    let reason = |at: usize| placed[at]["reason"].as_str().unwrap();
    assert!(reason(1).starts_with("copy of a: 100 % of the rare phrases"), "{}", reason(1));
    assert_eq!(reason(2), "copy of a: same address x.org/1");
    assert_eq!(reason(3), "translation of a: hreflang x.org/1");
    assert_eq!(reason(6), "copy of 6: same guid in the same source");
    assert!(reason(7).starts_with("first of its story"), "{}", reason(7));
    assert_eq!(app.run(&["cluster", "nothing.jsonl"]).code, 1);
}

#[test]
fn cluster_refuses_fields_that_would_have_no_effect() {
    let app = App::new("");
    for (field, near) in
        [("content", "text"), ("lang", "language"), ("titel", "title"), ("pubDate", "published")]
    {
        let lines = [json!({ "id": "a", "title": "One" }), json!({ "id": "b", field: "Two" })];
        app.write("items.jsonl", lines.map(|line| line.to_string()).join("\n"));
        let ran = app.run(&["cluster", "items.jsonl"]);
        let wanted = format!("items.jsonl, line 2: unknown field \"{field}\": did you mean \"{near}\"?");
        assert!(ran.code == 2 && ran.stdout.is_empty() && ran.stderr.contains(&wanted), "{}", ran.stderr);
    }
}

#[test]
fn series_and_templates_never_collapse() {
    let months = ["January", "February", "March", "April", "May", "June", "July", "August"];
    let mut items = Vec::new();
    for (at, month) in months.iter().enumerate() {
        let mut add = |name: &str, title: String, text: String| {
            items.push(json!({ "id": format!("{name}{at}"), "source": name, "url": format!("https://{name}.org/{at}"), "guid": format!("{name}-{at}"), "title": title, "text": text, "published": format!("2022-{:02}-01", at + 1) }));
        };
        add("month", format!("Local Roundup | {month}"), format!("{TEXT} This was {month}."));
        add("number", format!("Boletín {}", at + 41), TEXT.to_owned());
        add(
            "title",
            "Weekly roundup".into(),
            format!("{TEXT} In issue {at} we wrote about {} and more.", spelled(at)),
        );
        add("empty", format!("Opening hours in {month}"), String::new());
        let (high, low) = (20 + at, 3 + 2 * at);
        add(
            "weather",
            "Weather for Rome".into(),
            format!(
                "Today in Rome expect a high of {high} and a low of {low} degrees, winds of {} km/h and a {} percent chance of rain.",
                5 + 3 * at,
                7 * at
            ),
        );
    }
    let ids: Vec<String> = items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(clusters(&items), ids);
}

fn spelled(number: usize) -> String {
    "abcdefgh"
        .chars()
        .cycle()
        .skip(number)
        .step_by(3)
        .take(40)
        .map(|letter| format!("{letter}{letter}o"))
        .collect::<Vec<_>>()
        .join(" ")
}

const SOURCES: [&str; 3] = ["full", "teaser", "other"];

/// Three sources: a story, its teaser under another title, and something else.
fn network() -> (Server, App) {
    let server = Server::start(|request: &Request| match request.target.as_str() {
        "/full" => Reply::ok(rss(&[("1", "Rome adopts a budget for its schools", 12, TEXT)])),
        "/teaser" => Reply::ok(rss(&[("2", "Residents decide, says the mayor", 13, &TEXT[..150])])),
        _ => Reply::ok(rss(&[(
            "3",
            "Milan rejects new bicycle lanes",
            13,
            "The council of Milan rejected new bicycle lanes along the ring road on Friday.",
        )])),
    });
    let source = |id: &str| {
        format!(
            "[[source]]\nid = \"{id}\"\npartner = \"P {id}\"\nkind = \"feed\"\nurl = \"{}\"\nlang = \"en\"\n",
            server.url(&format!("/{id}"))
        )
    };
    let digest = "[[digest]]\nid = \"weekly\"\ntitle = \"The week\"\nlanguage = \"en\"\nschedule = \"Thu 08:00 UTC\"\nrecipients = [\"ana@example.org\"]\n";
    let app = App::new(&(SOURCES.map(source).concat() + digest));
    // One after the other: the order in which they are seen is part of the story.
    SOURCES.iter().for_each(|id| drop(app.ok(&["fetch", "--source", id])));
    (server, app)
}

/// The story of each entry, by the source.
fn stories(app: &App) -> Vec<String> {
    let entries = app.entries();
    SOURCES
        .map(|source| {
            entries.iter().find(|entry| entry["source"] == source).unwrap()["story"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .to_vec()
}

fn id(app: &App, source: &str) -> String {
    app.entries().iter().find(|entry| entry["source"] == source).unwrap()["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_teaser_joins_its_story_and_explain_says_why() {
    let (_server, app) = network();
    let places = stories(&app);
    assert_eq!(places[0], places[1]);
    assert_ne!(places[0], places[2]);
    assert_eq!(app.announced().iter().map(|(_, times)| times).sum::<u64>(), 2, "{:?}", app.announced());
    let told = app.ok(&["explain", &id(&app, "teaser")[..8]]);
    for want in [
        "2 entries",
        "copy of \"Rome adopts a budget for its schools\" (full): 100 % of the rare phrases of the shorter text stand in the other",
        "the first that was seen",
    ] {
        assert!(told.contains(want), "{want} is not in\n{told}");
    }
    let told = app.ok(&["explain", &id(&app, "other")]);
    assert!(told.contains("of which it is the only entry"), "{told}");
    let nobody = app.run(&["explain", "https://nowhere.example/1"]);
    assert!(nobody.code == 2 && nobody.stderr.contains("no entry matches"), "{}", nobody.stderr);
    assert!(
        app.ok(&["explain", "http://partner.example/3?utm_source=mail"]).contains("Milan"),
        "by its address, however it is written"
    );
}

#[test]
fn the_version_that_was_published_first_is_shown_whatever_was_read_first() {
    let title = "Rome adopts a budget for its schools";
    let server = Server::start(move |request: &Request| match request.target.as_str() {
        "/copy" => Reply::ok(rss(&[("copy", title, 13, TEXT)])),
        _ => Reply::ok(rss(&[("original", title, 12, TEXT)])),
    });
    let source = |id: &str| {
        let url = server.url(&format!("/{id}"));
        format!("[[source]]\nid = \"{id}\"\nkind = \"feed\"\nurl = \"{url}\"\nlang = \"en\"\n")
    };
    let app = App::new(&["copy", "original"].map(source).concat());
    app.ok(&["fetch", "--source", "copy"]);
    app.ok(&["fetch", "--source", "original"]);
    app.ok(&["publish"]);
    let atom = app.read("public/atom.xml");
    assert_eq!(atom.matches("<entry>").count(), 1, "{atom}");
    let shown = atom.split("<entry>").nth(1).unwrap();
    let credited = shown.find("https://partner.example/original").unwrap();
    assert!(shown.find("https://partner.example/copy").is_some_and(|at| at > credited), "{shown}");
}

#[test]
fn a_digest_is_led_by_a_story_in_its_language_and_can_be_in_some_languages_only() {
    let server = Server::start(|request: &Request| {
        Reply::ok(match request.target.as_str() {
            "/en" => rss(&[(
                "en",
                "The harbour of Oslo is closed for repairs until spring",
                19,
                "Ships go to Bergen.",
            )]),
            _ => rss(&[(
                "fr",
                "Le théâtre de Lyon rouvre ses portes après deux ans",
                12,
                "La salle a été refaite.",
            )]),
        })
    });
    let sources: String = ["en", "fr"]
        .map(|id| {
            format!(
                "[[source]]\nid = \"{id}\"\nkind = \"feed\"\nurl = \"{}\"\nlang = \"{id}\"\n",
                server.url(&format!("/{id}"))
            )
        })
        .concat();
    let digest = |id: &str, more: &str| {
        format!(
            "[[digest]]\nid = \"{id}\"\nlanguage = \"fr\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [\"{id}@example.org\"]\n{more}"
        )
    };
    let mut app = App::new(&(sources + &digest("all", "") + &digest("own", "languages = [\"fr\"]\n")));
    app.ok(&["run"]);
    app.later(24 * 60).ok(&["run"]);
    let mails = app.outbox();
    let of = |id: &str| {
        let mail = mails.iter().find(|mail| header(mail, "To").contains(id)).unwrap();
        (header(mail, "Subject"), text_part(mail))
    };
    let ((subject, all), (_, own)) = (of("all@"), of("own@"));
    assert!(subject.contains("Lyon") || subject.contains("=?utf-8?"), "{subject}");
    assert!(!subject.contains("Oslo") && all.contains("Oslo") && all.contains("Lyon"), "{subject} {all}");
    assert!(own.contains("Lyon") && !own.contains("Oslo"), "{own}");
}

#[test]
fn what_an_operator_merges_or_splits_stays_so() {
    let (server, mut app) = network();
    app.ok(&["run"]);
    let sent = app.outbox().len();
    app.ok(&["split", &id(&app, "teaser")]);
    let parted = stories(&app);
    assert_eq!(parted.iter().collect::<HashSet<_>>().len(), 3);
    app.ok(&["merge", &id(&app, "other"), &id(&app, "full")]);
    let merged = stories(&app);
    assert_eq!(merged[0], merged[2]);
    assert_eq!(merged[0], parted[0], "the older story keeps its name");
    app.ok(&["recluster"]);
    assert_eq!(stories(&app), merged);
    // A new copy belongs to both by its text: it joins one, and brings them not together.
    server.answer(|request: &Request| match request.target.as_str() {
        "/other" => Reply::ok(rss(&[("4", "Rome adopts a budget for its schools (again)", 20, TEXT)])),
        _ => Reply::new(304, ""),
    });
    app.later(7 * 24 * 60).ok(&["run"]);
    assert_eq!(app.entries().len(), 4);
    let after = stories(&app);
    assert_ne!(after[0], after[1]);
    assert_eq!(app.outbox().len(), sent, "nothing of it is news");
    let atom = app.read("public/atom.xml");
    assert_eq!(atom.matches("<entry>").count(), 2, "{atom}");
    // Taking it back is merging again.
    app.ok(&["merge", &id(&app, "teaser"), &id(&app, "full")]);
    app.ok(&["recluster"]);
    let again = stories(&app);
    assert_eq!(again[0], again[1]);
    assert_eq!(app.run(&["merge", &id(&app, "full"), &id(&app, "full")]).code, 2);
}

#[test]
fn the_first_of_a_story_can_be_split_from_it() {
    let (_server, app) = network();
    let before = stories(&app);
    app.ok(&["split", &id(&app, "full")]);
    let after = stories(&app);
    assert_eq!(after[0], before[0], "the story bears its name");
    assert_ne!(after[1], before[1]);
    app.ok(&["recluster"]);
    assert_eq!(stories(&app), after);
    assert!(app.ok(&["split", &id(&app, "other")]).contains("alone"));
}

#[test]
fn history_is_clustered_again_without_being_announced_again() {
    let (_server, mut app) = network();
    app.ok(&["run"]);
    let (sent, right) = (app.outbox().len(), stories(&app));
    let database = rusqlite::Connection::open(app.path("courant.db")).unwrap();
    // As a version without sketches would have left them: each entry for itself, and told.
    let apart = "INSERT INTO story (id) SELECT 'old-' || entry.id FROM entry WHERE source = 'teaser';
                 UPDATE entry SET story = (SELECT max(pk) FROM story), relation = 'first', reason = NULL, announced = 1 WHERE source = 'teaser';
                 INSERT INTO issue_story (digest, story, issue) SELECT 'weekly', (SELECT max(pk) FROM story), min(pk) FROM issue;
                 DELETE FROM sketch; INSERT OR IGNORE INTO unsketched SELECT pk FROM entry;";
    database.execute_batch(apart).unwrap();
    drop(database);
    assert_ne!(stories(&app), right);
    assert!(
        app.ok(&["recluster", "--dry-run"]).contains("3 entries looked at, 1 would move"),
        "a look changes nothing"
    );
    assert_ne!(stories(&app), right);
    assert!(app.ok(&["recluster"]).contains("1 moved"));
    assert_eq!(stories(&app), right);
    assert!(app.ok(&["recluster"]).contains("0 moved"), "it is done");
    app.later(7 * 24 * 60).ok(&["run"]);
    assert_eq!(app.outbox().len(), sent);
    assert_eq!(app.read("public/atom.xml").matches("<entry>").count(), 2);
}

#[test]
fn a_language_that_is_declared_wrongly_is_corrected_by_the_words() {
    let server = Server::always(Reply::ok(rss(&[
        (
            "1",
            "Les gouvernements locaux adoptent une déclaration politique à la fin du congrès",
            12,
            "Cinq jours de débats ont réuni des maires.",
        ),
        (
            "2",
            "Local governments adopt a political declaration",
            13,
            "Five days of debate brought mayors together.",
        ),
    ])));
    let config =
        format!("[[source]]\nid = \"s\"\nkind = \"feed\"\nurl = \"{}\"\nlang = \"en\"\n", server.url("/"));
    let app = App::new(&config);
    app.ok(&["fetch"]);
    let languages: BTreeMap<String, Value> = app
        .entries()
        .iter()
        .map(|entry| (entry["title"].as_str().unwrap()[..5].to_owned(), entry["language"].clone()))
        .collect();
    assert_eq!(languages["Les g"], "fr");
    assert_eq!(languages["Local"], "en");
    assert!(app.ok(&["explain", &id(&app, "s")]).contains("(confidence "));
}
