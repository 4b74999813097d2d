//! `[[source]]`: what is read, how cards are selected, and which entries are kept.

use regex::Regex;
use url::Url;

use super::ConfigContext;
use super::fetch::FetchConfig;
use super::section::Section;
use super::values::{parse_duration, parse_language, secret};
use crate::model::filter::{Filter, Rule, RuleField};
use crate::model::source::{DateFrom, DateOrder, MailRules, Password, Select, Source, SourceKind};

/// Whether the page of a source is rendered before it is read.
fn read_render(section: &Section, kind: SourceKind, fetch: &FetchConfig) -> bool {
    let is_rendered = section.boolean("render", false);
    if is_rendered && fetch.renderer.is_none() {
        section.fault(section.at, "render = true needs a program that renders: name it in [fetch] renderer");
    }
    if is_rendered && !kind.may_be_listing {
        section.fault(section.at, format!("render = true is for pages, not for kind = \"{}\"", kind.name));
    }
    is_rendered
}

/// The kind of a source: as configured, or else by its address.
fn read_kind(section: &Section) -> SourceKind {
    let kind = section.choice("kind", &SourceKind::ALL.map(|kind| (kind.name, kind)));
    match (kind, section.string("url")) {
        (Some(kind), Some(address)) if kind.name == SourceKind::AUTO.name => SourceKind::of_address(&address),
        (Some(kind), _) => kind,
        (None, Some(address)) if !section.has("kind") => SourceKind::of_address(&address),
        (None, _) => SourceKind::AUTO,
    }
}

pub(super) fn read_source(
    section: Section,
    interval: u64,
    fetch: &FetchConfig,
    surroundings: &ConfigContext,
) -> Source {
    let kind = read_kind(&section);
    let url = section.parsed("url", |text| {
        section.note_password("url", text);
        (kind.address)(text)
    });
    let is_rendered = read_render(&section, kind, fetch);
    // What a browser shows is a page.
    let kind = if is_rendered { SourceKind::PAGE } else { kind };
    section.needs("url", "url is missing");
    let id = section.required("id");
    let own_interval = section.seconds("interval", parse_duration);
    let interval = own_interval.unwrap_or(interval);
    let mail = read_mail_rules(&section, kind, url.as_ref(), surroundings);
    Source {
        position: 0,
        mail,
        is_interval_fixed: own_interval.is_some(),
        partner: section.string("partner").unwrap_or_else(|| id.clone()),
        kind,
        url: url.unwrap_or_else(|| Url::parse("http://localhost/").expect("a constant")),
        language: section.parsed("lang", parse_language),
        tags: section.list("tags", |text| Ok(text.to_owned())),
        interval_seconds: interval
            .clamp(fetch.interval_min_seconds, fetch.interval_max_seconds.max(fetch.interval_min_seconds)),
        is_enabled: section.boolean("enabled", true),
        date_from: section
            .choice("date_from", &[("card", DateFrom::Card), ("item", DateFrom::Item)])
            .unwrap_or_default(),
        date_order: section.choice("date_order", &DATE_ORDERS),
        select: section.has("select").then(|| read_select(section.table("select"))),
        is_rendered,
        has_full_text: section.boolean("full_text", false),
        filter: Filter {
            keep: read_rules(section.table("keep")),
            drop: read_rules(section.table("drop")),
            rewrite: section.tables("rewrite").into_iter().filter_map(read_rewrite).collect(),
        },
        id,
    }
}

/// What only sources of mail have.
fn read_mail_rules(
    section: &Section,
    kind: SourceKind,
    url: Option<&Url>,
    surroundings: &ConfigContext,
) -> MailRules {
    let password = section.parsed("password", |text| {
        section.note_open_file("password", text, surroundings.folder);
        secret(text, surroundings)
    });
    let from = section.list("from", |text| Ok(text.trim().to_owned()));
    let is_mailbox = kind.is_mail() && url.is_some_and(|url| url.scheme() != "mailto");
    if is_mailbox && !section.has("password") {
        section.fault(section.at, "password is missing: write password = \"env:NAME\" or \"file:PATH\"");
    }
    if kind.is_mail() && !is_mailbox && url.is_some() && from.is_empty() {
        section.fault(
            section.at,
            "from is missing: anybody can write to an address, and only mail of these senders is read",
        );
    }
    if !kind.is_mail() && (section.has("password") || section.has("from")) {
        section.fault(section.at, "password and from are for kind = \"mail\"");
    }
    MailRules { password: Password(password.unwrap_or_default()), from }
}

fn parse_pattern(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| {
        format!(
            "\"{text}\" is not a valid regular expression: {}",
            error.to_string().lines().last().unwrap_or_default()
        )
    })
}

/// `[source.keep]` and `[source.drop]`: one or several patterns for each field.
fn read_rules(section: Section) -> Vec<Rule> {
    let of = |(name, field): &(&'static str, RuleField)| {
        section
            .one_or_more(name, parse_pattern)
            .into_iter()
            .map(|pattern| Rule { field: *field, pattern })
            .collect::<Vec<_>>()
    };
    RuleField::ALL.iter().flat_map(of).collect()
}

/// One of `rewrite = [{ title = "PATTERN", with = "TEXT" }]`.
fn read_rewrite(section: Section) -> Option<(Regex, String)> {
    let with = section.string("with").unwrap_or_default();
    section.needs("title", "title is missing: the pattern to rewrite");
    Some((section.parsed("title", parse_pattern)?, with))
}

const DATE_ORDERS: [(&str, DateOrder); 3] =
    [("dmy", DateOrder::Dmy), ("mdy", DateOrder::Mdy), ("ymd", DateOrder::Ymd)];

fn read_select(section: Section) -> Select {
    let selector = |text: &str| match scraper::Selector::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("\"{text}\" is not a valid CSS selector: {error}")),
    };
    section.needs("item", "item is missing: it selects one card of the listing");
    Select {
        item: section.parsed("item", selector).unwrap_or_default(),
        title: section.parsed("title", selector),
        link: section.parsed("link", selector),
        summary: section.parsed("summary", selector),
        date: section.parsed("date", selector),
        image: section.parsed("image", selector),
        next: section.parsed("next", selector),
    }
}
