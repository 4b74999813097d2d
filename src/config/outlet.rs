//! `[[webhook]]` and `[[send]]`: where news goes as it happens.

use url::Url;

use super::section::Section;
use super::values::{parse_language, secret};
use super::{ConfigContext, read_interests};
use crate::model::address::parse_web_url;
use crate::model::outlet::{EventKind, Outlet, OutletKind, ServiceKind, secret_bytes};
use crate::model::source::Password;
use crate::model::topic::Topic;

/// An address, which may be a secret.
fn address(text: &str, surroundings: &ConfigContext) -> Result<Url, String> {
    if text.starts_with("env:") || text.starts_with("file:") {
        // What the secret is, is not said.
        let hidden = |_| format!("{text} holds no web address");
        return parse_web_url(&secret(text, surroundings)?).map_err(hidden);
    }
    parse_web_url(text)
}

/// For what is faulty, and not used.
fn nowhere() -> Url {
    Url::parse("http://localhost/").expect("a constant")
}

pub(super) fn read_webhook(section: Section, topics: &[Topic], surroundings: &ConfigContext) -> Outlet {
    let id = section.required("id");
    section.needs("url", "url is missing: write where events are posted to");
    section.needs("secret", "secret is missing: write \"env:NAME\" or \"file:PATH\", by which the receiver knows that it is courant");
    let url = section.parsed("url", |text| address(text, surroundings)).unwrap_or_else(nowhere);
    let secret = section.parsed("secret", |text| {
        section.note_open_file("secret", text, surroundings.folder);
        let secret = secret(text, surroundings)?;
        secret_bytes(&secret).map(|_| Password(secret))
    });
    let events = section.list("events", EventKind::parse);
    let events = if events.is_empty() { EventKind::PUBLIC.to_vec() } else { events };
    Outlet {
        id,
        url,
        kind: OutletKind::Webhook { secret: secret.unwrap_or_default(), events },
        interests: read_interests(&section, topics),
        language: section.parsed("language", parse_language),
    }
}

pub(super) fn read_send(section: Section, topics: &[Topic], surroundings: &ConfigContext) -> Outlet {
    let id = section.required("id");
    section.needs("service", "service is missing: write service = \"matrix\", for example");
    let service = section.choice("service", &ServiceKind::ALL).unwrap_or(ServiceKind::Ntfy);
    let given = section.parsed("url", |text| address(text, surroundings));
    let url = given.or_else(|| service.own_url().and_then(|url| Url::parse(url).ok()));
    if url.is_none() && !section.has("url") {
        section.fault(section.at, "url is missing: write where the service is");
    }
    let to = section.string("to").unwrap_or_default();
    if let Some(what) = service.addressee().filter(|_| to.is_empty() && section.has("service")) {
        section.fault(section.at, format!("to is missing: write {what}"));
    }
    let token = section.parsed("token", |text| {
        section.note_open_file("token", text, surroundings.folder);
        secret(text, surroundings).map(Password)
    });
    if token.is_none() && service.needs_token() && !section.has("token") {
        section.fault(section.at, "token is missing: write \"env:NAME\" or \"file:PATH\"");
    }
    Outlet {
        id,
        url: url.unwrap_or_else(nowhere),
        kind: OutletKind::Service { service, to, token },
        interests: read_interests(&section, topics),
        language: section.parsed("language", parse_language),
    }
}
