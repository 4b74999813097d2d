//! What people and mail servers send: returned messages, tables of subscribers, schedules, addresses, requests of hubs.
#![no_main]

use courant::model::mail_address::Address;
use courant::model::refusal::OwnIdentity;
use courant::model::schedule::Schedule;
use courant::model::subscriber::{Interests, SubscriptionOptions};
use courant::model::token::SigningKey;
use courant::pipeline::websub::hub;
use courant::subscriber_csv::{self, TableContext};
use courant::bounces;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let now = jiff::Timestamp::UNIX_EPOCH;
    let _ = bounces::read(bytes, &[], &OwnIdentity::default());
    let options = SubscriptionOptions { topics: vec!["justice".into()], partners: vec!["OGP".into()] };
    let context = TableContext { options: &options, language: "en", file: "people.csv", ignored: &[], now };
    let _ = subscriber_csv::read(bytes, &context);
    let text = String::from_utf8_lossy(bytes);
    if let Ok(schedule) = Schedule::parse(&text) {
        let last = schedule.last_slot(now);
        let next = schedule.next_slot(now);
        assert!(last.is_none_or(|last| last <= now) && next.is_none_or(|next| next > now));
    }
    if let Ok(address) = Address::parse(&text) {
        assert_eq!(Address::parse(address.as_str()).as_ref(), Ok(&address));
        let _ = (address.hint(), address.masked());
    }
    let key = SigningKey::new("k".into());
    assert!(key.verify("p", &text).is_none() && key.verify_short("p", &text).is_none());
    let _ = serde_json::from_str::<Interests>(&text);
    let form: Vec<(String, String)> = url::form_urlencoded::parse(bytes).into_owned().collect();
    let _ = hub::read_subscription_request(&form, &["https://x.example/atom.xml".into()]);
});
