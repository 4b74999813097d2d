//! `[newsletter]`: the digests that people choose for themselves; `[[segment]]`: parts of their list.

use super::Config;
use super::section::Section;
use super::values::{DAY_SECONDS, parse_duration};
use crate::model::digest::{Newsletter, Reengagement, WithoutReengagement};
use crate::model::mail_address::Address;
use crate::model::segment::{SegmentNames, SegmentQuery, SubscriberSegment};
use crate::support::i18n;

/// Nobody is asked more often whether they still want the newsletter.
const REENGAGE_MIN_SECONDS: u64 = 30 * DAY_SECONDS;

pub(super) fn read_newsletter(section: Section, has_address: bool) -> Newsletter {
    Newsletter {
        titles: section.by_language_text("title", i18n::parse_interface_language),
        entries_max: section.number("max_entries", 30, 1..=500) as usize,
        is_open: section.boolean("open", true),
        has_welcome: section.boolean("welcome", false),
        reengagement: read_reengagement(&section, has_address),
        controller: section.string("controller"),
        contact: section.parsed("contact", Address::parse),
    }
}

fn read_reengagement(section: &Section, has_address: bool) -> Option<Reengagement> {
    let after = section.seconds("reengage_after", parse_duration);
    let within = section.seconds("reengage_within", parse_duration);
    let without_answer = section.choice(
        "reengage_without_answer",
        &[("pause", WithoutReengagement::Pause), ("unsubscribe", WithoutReengagement::Unsubscribe)],
    );
    let Some(after_seconds) = after else {
        if within.is_some() || without_answer.is_some() {
            section.fault(section.at, "nobody is asked without reengage_after = \"365d\"");
        }
        return None;
    };
    let within_seconds = within.unwrap_or(30 * DAY_SECONDS);
    if after_seconds < REENGAGE_MIN_SECONDS {
        section
            .fault(section.at, "reengage_after must be \"30d\" or more: nobody wants to be asked more often");
    }
    if !(DAY_SECONDS..=after_seconds).contains(&within_seconds) {
        section.fault(section.at, "reengage_within must be from \"1d\" to reengage_after");
    }
    if !has_address {
        section.fault(section.at, "reengage_after sends links to subscribers: set url in [channel]");
    }
    Some(Reengagement { after_seconds, within_seconds, without_answer: without_answer.unwrap_or_default() })
}

/// The segments: each may name the topics and partners, and those before it.
pub(super) fn read_segments(root: &Section, config: &Config) -> Vec<SubscriberSegment> {
    let options = config.subscription_options();
    let mut segments: Vec<SubscriberSegment> = Vec::new();
    for section in root.tables("segment") {
        section.needs("where", "where is missing: write where = \"language = es and tag = member\"");
        let id = section.required("id");
        let name = section.string("name").unwrap_or_else(|| id.clone());
        let names = SegmentNames { options: &options, segments: &segments };
        let query = section.parsed("where", |text| SegmentQuery::parse(text, names));
        segments.extend(query.map(|query| SubscriberSegment { id, name, query }));
    }
    segments
}
