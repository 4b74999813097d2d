//! What entries are about: rules first, then a model, then what people say.

use std::time::Duration;

use serde_json::json;

use crate::crash::kill_after;
use crate::support::http::{Reply, Server};
use crate::support::{App, rss};

const TOPICS: &str = include_str!("../../corpus/topics.tsv");

/// Every third of the labelled stories is asked, the others are told.
fn halves() -> (String, String) {
    let (mut told, mut asked) = (String::new(), String::new());
    for (at, line) in TOPICS.lines().enumerate() {
        let part = if at / 3 % 4 == 0 { &mut asked } else { &mut told };
        part.push_str(line);
        part.push('\n');
    }
    (told, asked)
}

#[test]
fn the_labelled_topics_are_those_of_the_labelled_stories() {
    let stories = include_str!("../../corpus/stories.tsv").lines().skip(1);
    let lines: Vec<String> = stories
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .map(|row| format!("{}\t{}. {}", row[1], row[5], row[6]))
        .collect();
    assert_eq!(lines, TOPICS.lines().collect::<Vec<_>>());
    assert_eq!(lines.len(), 360);
}

#[test]
fn a_model_is_trained_asked_and_judged() {
    let app = App::new("");
    let (told, asked) = halves();
    app.write("told.tsv", &told);
    app.write("asked.tsv", &asked);
    let said = app.ok(&["classify", "train", "told.tsv", "topics.model"]);
    assert!(said.contains("10 topics learned from 270 lines and 0 corrections"), "{said}");
    let answers = app.ok(&["classify", "predict", "topics.model", "asked.tsv"]);
    let right = answers
        .lines()
        .zip(asked.lines())
        .filter(|(answer, line)| line.starts_with(&format!("{answer}\t")))
        .count();
    assert_eq!(answers.lines().count(), asked.lines().count());
    // Ten topics: by chance it would be a tenth.
    assert!(right * 2 > asked.lines().count(), "{right} of {}", asked.lines().count());
    // It abstains rather than guess, and then it is right.
    let sure = app.ok(&["classify", "predict", "topics.model", "asked.tsv", "--margin", "0.4"]);
    let (answered, right) = sure.lines().zip(asked.lines()).filter(|(answer, _)| !answer.is_empty()).fold(
        (0, 0),
        |(answered, right), (answer, line)| {
            (answered + 1, right + usize::from(line.starts_with(&format!("{answer}\t"))))
        },
    );
    assert!(answered > 10 && answered < 90 && right * 5 >= answered * 4, "{right} of {answered}");
    let evidence = app.ok(&["classify", "predict", "topics.model", "asked.tsv", "--evidence"]);
    let first: Vec<&str> = evidence.lines().next().unwrap().split('\t').collect();
    assert!(first.len() == 3 && first[2].contains("(0."), "{first:?}");
    let judged = app.ok(&["classify", "eval", "asked.tsv", "--model", "topics.model"]);
    assert!(judged.contains("open-justice") && judged.contains("lead of 0.3"), "{judged}");
    // With all of them, a debug build takes half a minute.
    assert!(app.ok(&["classify", "eval", "asked.tsv"]).contains("all (F1: mean of topics)"));
}

#[test]
fn bad_labels_and_bad_models_are_told_apart_from_good_ones() {
    let app = App::new("");
    app.write("bad.tsv", "justice\tfine\nno tab here\n");
    app.write("one.tsv", "justice\tfine\n");
    app.write("good.tsv", "justice\tThe court rules\nclimate\tEmissions fall\n\n");
    app.write("not.model", "PK");
    for (arguments, want) in [
        (&["classify", "train", "bad.tsv", "m"][..], "line 2: there is no tab"),
        (&["classify", "train", "one.tsv", "m"], "all examples have the label \"justice\""),
        (&["classify", "train", "nowhere.tsv", "m"], "cannot read nowhere.tsv"),
        (&["classify", "predict", "not.model", "good.tsv"], "not a model that courant wrote"),
    ] {
        let ran = app.run(arguments);
        assert!(ran.code != 0 && ran.stderr.contains(want), "{arguments:?} said {}", ran.stderr);
    }
    app.ok(&["classify", "train", "good.tsv", "m"]);
    app.configure("[classify]\nmodel = \"not.model\"\n");
    let ran = app.run(&["entries"]);
    assert!(ran.code != 0 && ran.stderr.contains("not.model cannot be used"), "{}", ran.stderr);
}

const RULES: &str = "[[topic]]\nid = \"open-justice\"\nkeywords = { en = [\"court\"] }\nnegative = { en = [\"tennis\"] }\n\
                     [[topic]]\nid = \"climate\"\nkeywords = { en = [\"climate\"] }\ntags = [\"Environment\"]\n";
const DIGEST: &str = "[[digest]]\nid = \"justice\"\ntitle = \"Justice\"\nlanguage = \"en\"\nschedule = \"Thu 08:00 UTC\"\ntopics = [\"open-justice\"]\nrecipients = [\"ana@example.org\"]\n";

fn app_with(server: &Server, more: &str) -> App {
    App::new(
        &(format!("[[source]]\nid = \"s\"\nkind = \"feed\"\nurl = \"{}\"\nlang = \"en\"\n", server.url("/"))
            + RULES
            + DIGEST
            + more),
    )
}

fn topics(app: &App) -> Vec<serde_json::Value> {
    app.entries().iter().map(|entry| entry["topics"].clone()).collect()
}

const ITEMS: &[(&str, &str, u8, &str)] = &[
    ("1", "The court opens its archive", 12, "Anyone may read it."),
    ("2", "A new tennis court for the school", 13, "It opens in May."),
    ("3", "Magistrates publish their rulings", 14, "In plain language."),
];

#[test]
fn rules_come_first_then_the_model_and_then_what_people_say() {
    let server = Server::always(Reply::ok(rss(ITEMS)));
    let app = app_with(&server, "");
    app.ok(&["fetch"]);
    assert_eq!(topics(&app), [json!(["open-justice"]), json!([]), json!([])]);
    // The model knows what no rule does; a word against a topic keeps its rule from it, not the model.
    app.write("labels.tsv", "open-justice\tMagistrates and judges publish rulings and sentences\nopen-justice\tA ruling in plain language, say magistrates\nclimate\tEmissions of gas fall in the city\nclimate\tA school plants trees for shade\n");
    app.ok(&["classify", "train", "labels.tsv", "topics.model"]);
    let text = app.read("feeds.toml");
    app.write("feeds.toml", text + "[classify]\nmodel = \"topics.model\"\nmargin = \"0.3\"\n");
    assert!(app.ok(&["reclassify"]).contains("3 entries looked at"));
    assert_eq!(topics(&app)[2], json!(["open-justice"]));
    assert!(
        app.ok(&["explain", "https://partner.example/3"]).contains("topic open-justice: "),
        "with its words and weights"
    );
    // A person knows better: it stands against rules and model, an edit, and another look.
    assert!(app.ok(&["label", "https://partner.example/1", "climate"]).contains("climate: labelled by hand"));
    app.ok(&["reclassify"]);
    assert_eq!(topics(&app)[0], json!(["climate"]));
    let said = app.ok(&["classify", "train", "labels.tsv", "topics.model"]);
    assert!(said.contains("from 4 lines and 1 correction,"), "{said}");
    app.ok(&["label", "https://partner.example/1", "--forget"]);
    assert_eq!(topics(&app)[0], json!(["open-justice"]));
    let ran = app.run(&["label", "https://partner.example/1", "sports"]);
    assert!(ran.code == 2 && ran.stderr.contains("no [[topic]] has the id \"sports\""), "{}", ran.stderr);
}

#[test]
fn keywords_are_proposed_from_what_people_labelled_and_the_rules_missed() {
    let server = Server::always(Reply::ok(rss(&[
        ("1", "The court opens its archive", 12, "Anyone may read it."),
        ("2", "A tribunal in the mountains", 13, "Magistrates ride there on mules."),
        ("3", "What a magistrate earns", 14, "It is public now."),
        ("4", "What a teacher earns", 15, "It is public now."),
    ])));
    let app = app_with(&server, "");
    app.ok(&["fetch"]);
    assert!(
        app.ok(&["topics", "suggest"]).contains("open-justice: 0 labelled entries, no keyword to propose")
    );
    for (entry, topic) in
        [("1", "open-justice"), ("2", "open-justice"), ("3", "open-justice"), ("4", "climate")]
    {
        app.ok(&["label", &format!("https://partner.example/{entry}"), topic]);
    }
    let said = app.ok(&["topics", "suggest", "open-justice"]);
    assert!(
        said.contains("open-justice: 3 labelled entries") && said.contains("[\"magistrate*\"]"),
        "{said}"
    );
    assert!(said.contains("magistrate*: in 2 with the topic, 0 without"), "{said}");
    let ran = app.run(&["topics", "suggest", "sports"]);
    assert!(ran.code == 2 && ran.stderr.contains("no [[topic]] has the id \"sports\""), "{}", ran.stderr);
}

#[test]
fn tags_of_the_source_give_topics() {
    let feed = "<rss version=\"2.0\"><channel><item><guid>1</guid><title>Annual report</title><category>environment</category></item><item><guid>2</guid><title>Another report</title></item></channel></rss>";
    let server = Server::always(Reply::ok(feed));
    let app = app_with(&server, "");
    app.ok(&["fetch"]);
    assert_eq!(topics(&app), [json!(["climate"]), json!([])]);
}

#[test]
fn other_topics_make_no_news_of_old_stories() {
    let server = Server::always(Reply::ok(rss(ITEMS)));
    let mut app = app_with(&server, "");
    app.ok(&["run"]);
    assert_eq!(app.outbox().len(), 1);
    // Now the third story is of the digest's topic: it was there when the last issue went out.
    let text = app.read("feeds.toml");
    app.write("feeds.toml", text.replace("\"court\"", "\"court\", \"rulings\""));
    assert!(app.ok(&["reclassify"]).contains("1 has other topics"));
    assert_eq!(topics(&app)[2], json!(["open-justice"]));
    app.later(7 * 24 * 60).ok(&["run"]);
    assert_eq!(app.outbox().len(), 1, "it is not announced");
    // A story that comes after the last issue is news all the same, whoever gave it its topic.
    server.answer(|_| Reply::ok(rss(&[("4", "Notaries open their doors", 28, "To everyone.")])));
    app.later(7 * 24 * 60).ok(&["fetch"]);
    app.ok(&["label", "https://partner.example/4", "open-justice"]);
    app.ok(&["run"]);
    assert_eq!(app.outbox().len(), 2);
}

#[test]
fn a_reclassification_that_is_killed_goes_on_where_it_was() {
    let items: String = (0..4_000)
        .map(|n| format!("<item><guid>{n}</guid><title>Report {n} on rulings</title></item>"))
        .collect();
    let server = Server::always(Reply::ok(format!("<rss version=\"2.0\"><channel>{items}</channel></rss>")));
    let app = app_with(&server, "");
    app.ok(&["fetch"]);
    let text = app.read("feeds.toml");
    app.write("feeds.toml", text.replace("\"court\"", "\"court\", \"rulings\""));
    let done = |app: &App| topics(app).iter().filter(|topics| **topics == json!(["open-justice"])).count();
    let mut steps = vec![0];
    // Longer and longer, until one of them has done it all.
    for step in 0..80 {
        kill_after(&app, &["reclassify"], Duration::from_millis(10).mul_f64(1.1_f64.powi(step)));
        steps.push(done(&app));
        if steps.ends_with(&[4_000]) {
            break;
        }
    }
    assert!(steps.is_sorted(), "what was done stays: {steps:?}");
    assert!(steps.iter().any(|&count| count > 0 && count < 4_000), "no run was killed half way: {steps:?}");
    app.ok(&["reclassify"]);
    assert!(topics(&app).iter().all(|topics| *topics == json!(["open-justice"])));
    assert!(app.ok(&["reclassify"]).contains("4000 entries looked at, 0 have other topics"));
}
