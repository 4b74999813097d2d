//! The installation's own health as a private Atom feed: an entry when something goes wrong, and one when it is over.

use atom_syndication::{Entry, Feed, FixedDateTime, Link, Person, Text};
use jiff::Timestamp;

use super::xml_safe;
use crate::model::alarm::Alarm;
use crate::model::channel::Channel;

fn date(at: Timestamp) -> FixedDateTime {
    at.to_string().parse().unwrap_or_default()
}

fn entry(channel: &Channel, alarm: &Alarm, (word, text): (&str, &str), at: Timestamp) -> Entry {
    let finding = &alarm.finding;
    Entry {
        title: Text::plain(xml_safe(&format!("{}: {text}", finding.subject)).into_owned()),
        id: format!("{}/alarms#{}-{word}", channel.url, alarm.key),
        updated: date(at),
        published: Some(date(at)),
        categories: vec![atom_syndication::Category {
            term: finding.kind.as_str().to_owned(),
            ..Default::default()
        }],
        ..Entry::default()
    }
}

/// Renders the feed of the latest alarms.
///
/// # Errors
/// When writing fails, which does not happen in memory.
pub fn render(
    channel: &Channel,
    address: &str,
    alarms: &[Alarm],
) -> Result<Vec<u8>, atom_syndication::Error> {
    let mut dated: Vec<(Timestamp, Entry)> = Vec::new();
    for alarm in alarms {
        let (finding, raised) = (&alarm.finding, alarm.raised);
        dated.push((raised, entry(channel, alarm, ("raised", &finding.text), raised)));
        if let Some(ended) = alarm.ended {
            dated.push((ended, entry(channel, alarm, ("ended", finding.kind.over()), ended)));
        }
    }
    dated.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let updated = dated.first().map_or(Timestamp::UNIX_EPOCH, |(at, _)| *at);
    let feed = Feed {
        title: Text::plain(format!("{}: alarms", xml_safe(&channel.title))),
        id: format!("{}/alarms", channel.url),
        updated: date(updated),
        authors: vec![Person { name: xml_safe(&channel.title).into_owned(), ..Person::default() }],
        links: vec![Link { href: address.to_owned(), rel: "self".into(), ..Link::default() }],
        lang: Some("en".into()),
        entries: dated.into_iter().map(|(_, entry)| entry).collect(),
        ..Feed::default()
    };
    feed.write_to(Vec::new())
}
