//! Queries are read as they are meant, say what is wrong, and choose whom they name.

use std::collections::BTreeSet;

use super::*;
use crate::model::keys::EntryKey;
use crate::model::mail_address::Address;
use crate::model::profile::Profile;
use crate::model::subscriber::{Cadence, Consent, Interests, Preferences, SubscriptionOptions};

fn options() -> SubscriptionOptions {
    SubscriptionOptions {
        topics: vec!["justice".into(), "climate".into()],
        partners: vec!["OGP".into(), "UCLG, the network".into()],
    }
}

fn parse(text: &str) -> Result<SegmentQuery, String> {
    let options = options();
    let segment = |id: &str, text: &str| SubscriberSegment {
        id: id.into(),
        name: id.into(),
        query: SegmentQuery::parse(text, SegmentNames { options: &options, segments: &[] }).unwrap(),
    };
    let segments = [segment("friends", "tag = friend or tag = vip")];
    SegmentQuery::parse(text, SegmentNames { options: &options, segments: &segments })
}

fn now() -> Timestamp {
    "2022-10-20T08:00:00Z".parse().unwrap()
}

fn ana() -> Subscriber {
    let interests = Interests { topics: vec!["justice".into()], ..Interests::default() };
    Subscriber {
        address: Address::parse("ana@mail.example").unwrap(),
        state: SubscriberState::Active,
        preferences: Preferences {
            language: "es-PE".into(),
            interests,
            cadence: Cadence::parse("Mon 08:00 UTC").unwrap(),
        },
        consent: Consent { source: "x".into(), at: "2020-01-01T00:00:00Z".parse().unwrap(), text: None },
        profile: Profile {
            tags: BTreeSet::from(["vip".to_owned()]),
            attributes: [("age", "42"), ("country", "PE")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        },
        created: "2022-10-01T12:00:00Z".parse().unwrap(),
        last_issue: None,
        seen: EntryKey::BEFORE_ALL,
    }
}

#[test]
fn a_query_chooses_whom_it_names() {
    for (text, want) in [
        ("all", true),
        ("language = es", true),
        ("language = es-PE", true),
        ("language = es-MX", false),
        ("language in (fr, es)", true),
        ("language not in (fr, es)", false),
        ("stories = fr", true),
        ("topic = justice", true),
        ("topic = climate", false),
        ("topic != climate and not topic = climate", true),
        ("partner = \"UCLG, the network\"", true),
        ("cadence = weekly", true),
        ("state = paused", false),
        ("domain = MAIL.example", true),
        ("tag = VIP", true),
        ("tag = friend", false),
        ("segment = friends", true),
        ("segment != friends", false),
        ("attribute.country = pe", true),
        ("attribute.country in (\"CL\", 'x')", false),
        ("attribute.age >= 42 and attribute.age < 100", true),
        ("attribute.age > 5", true),
        ("attribute.town < z", false),
        ("attribute.town = \"\"", true),
        ("attribute.town != \"\"", false),
        ("subscribed after 30d", true),
        ("subscribed before 30d", false),
        ("subscribed before 2022-10-02", true),
        ("subscribed before 2022-10-01", false),
        ("subscribed after 2022-10-01T12:00:00Z", true),
        ("consented before 2020-01-02", true),
        // "and" binds closer than "or".
        ("tag = vip or tag = x and tag = y", true),
        ("(tag = vip or tag = x) and tag = y", false),
        ("NOT (tag = x OR tag = y) AND tag = vip", true),
    ] {
        let query = parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!(query.matches(&ana(), now()), want, "{text}");
        let stored = query.to_string();
        assert_eq!(SegmentQuery::parse_stored(&stored).as_ref(), Ok(&query), "{stored}");
    }
}

#[test]
fn what_is_wrong_with_a_query_is_said_with_its_place() {
    for (text, want) in [
        ("", "the query is empty"),
        ("  ", "the query is empty"),
        ("topik = justice", "\"topik\" is no field: did you mean \"topic\"?"),
        ("topic = justise", "no topic is called \"justise\": did you mean \"justice\"? (at character 9)"),
        ("partner = OPG", "no partner is called \"OPG\""),
        ("segment = friend", "no [[segment]] above has the id \"friend\": did you mean \"friends\"?"),
        ("tag =", "the end stands where a value has to (at character 6)"),
        ("tag vip", "\"vip\" stands where \"=\", \"!=\" or \"in\" has to (at character 5)"),
        ("tag = vip tag = x", "\"tag\" stands where \"and\", \"or\" or the end has to (at character 11)"),
        ("(tag = vip", "the end stands where \")\" has to"),
        ("tag in vip", "\"vip\" stands where \"(\" has to"),
        ("tag not vip", "\"vip\" stands where \"in\" has to"),
        ("tag in (a b)", "\"b\" stands where \",\" or \")\" has to"),
        ("tag = \"vip", "this quote is not closed (at character 7)"),
        ("tag ! vip", "! has no meaning here (at character 5)"),
        ("language = english please", "\"english\" is no language"),
        ("cadence = hourly", "\"hourly\" is no cadence: write instant, daily, weekly, monthly"),
        ("state = gone", "\"gone\" is no state: write active, paused"),
        ("subscribed = 2022-10-01", "\"=\" stands where \"before\" or \"after\" has to"),
        ("subscribed after yesterday", "\"yesterday\" is no time: write 2022-10-17"),
        ("attribute.1 = x", "\"1\" is no name of an attribute"),
        ("tag = \"a,b\"", "\"a,b\" is no tag"),
        ("language < es", "\"<\" stands where"),
    ] {
        let fault = parse(text).unwrap_err();
        assert!(fault.starts_with(want), "{text}: {fault}");
    }
}

#[test]
fn no_query_takes_more_than_it_may() {
    let nested = |count: usize| format!("{}tag = a{}", "(".repeat(count), ")".repeat(count));
    assert!(parse(&nested(DEPTH_MAX)).is_ok() && parse(&nested(DEPTH_MAX + 1)).is_err());
    let nots = |count: usize| format!("{}tag = a", "not ".repeat(count));
    assert!(parse(&nots(DEPTH_MAX)).is_ok() && parse(&nots(DEPTH_MAX + 1)).is_err());
    assert!(parse(&nots(100_000)).unwrap_err().contains("more than 4000 characters"));
    let deepest = parse(&nots(DEPTH_MAX)).unwrap();
    assert_eq!(SegmentQuery::parse_stored(&deepest.to_string()), Ok(deepest));
    // Segments that name the one before several times grow quickly.
    let options = options();
    let mut segments: Vec<SubscriberSegment> = Vec::new();
    let mut text = "tag = a".to_owned();
    for number in 0..40 {
        let names = SegmentNames { options: &options, segments: &segments };
        let Ok(query) = SegmentQuery::parse(&text, names) else {
            assert!(number > 5);
            return;
        };
        segments.push(SubscriberSegment { id: format!("s{number}"), name: String::new(), query });
        text = format!("segment = s{number} and segment = s{number} and tag = b");
    }
    panic!("a query of any size is taken");
}
