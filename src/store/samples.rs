//! What tests of the store begin with.

use jiff::Timestamp;

use super::*;
use crate::model::digest::{DigestId, Issue, LinkPlaces};
use crate::model::entry::Entry;
use crate::model::story::Relation;

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

pub(super) fn entry(number: i64) -> Entry {
    Entry {
        id: format!("{number:08x}-entry"),
        url: Some(format!("https://x.example/{number}")),
        title: format!("Title {number}"),
        summary: "Words".into(),
        language: Some("en".into()),
        published: Some(at(number)),
        ..Entry::bare("s", &format!("guid-{number}"))
    }
}

pub(super) fn insert(unit: &Unit<Write>, number: i64, features: &Features) -> Result<()> {
    let placement = EntryPlacement {
        story: unit.intake().create_story(&format!("story-{number}"))?,
        relation: Relation::First,
        reason: None,
        is_announced: true,
        topics: &[],
        first_seen: at(number),
    };
    unit.intake().insert(&entry(number), &placement, features).map(drop)
}

pub(super) fn digest() -> DigestId {
    DigestId::from("d")
}

pub(super) fn issue() -> Issue {
    Issue {
        subject: "S".into(),
        text: "T".into(),
        html: "H".into(),
        language: "en".into(),
        name: Some("n".into()),
        places: LinkPlaces::with_mark("m".into()),
        forwarded: None,
        partners: vec!["p".into()],
    }
}

/// The features of an entry with one key and an empty sketch.
/// Runs a check on a file, and on a database of the server if there is one.
pub(crate) fn on_each_database(name: &str, check: impl Fn(&StoreUrl)) {
    let folder = tempfile::tempdir().unwrap();
    check(&StoreUrl::Sqlite(folder.path().join("courant.db")));
    if let Ok(server) = std::env::var("COURANT_TEST_POSTGRES") {
        on_a_server(&server, name, check);
    }
}

/// Runs a check on a new database of a server.
pub(crate) fn on_a_server<T>(server: &str, name: &str, check: impl FnOnce(&StoreUrl) -> T) -> T {
    let name = format!("{name}_{}", std::process::id());
    let mut admin = server.parse::<postgres::Config>().unwrap().connect(postgres::NoTls).unwrap();
    admin.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let url = server.replacen("/postgres", &format!("/{name}"), 1);
    let checked = check(&StoreUrl::Postgres { url, cache: cache.path().into() });
    admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
    checked
}
