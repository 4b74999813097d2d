//! Whether what came is what a source is configured to be.

use std::time::Duration;

use url::Url;

use super::extraction::{apart, document};
use super::read_error::ReadError;
use crate::extract;
use crate::fetch::client::Fetched;
use crate::model::feed::FeedFormat;
use crate::model::source::Source;

/// Parts of the addresses of login pages.
const LOGIN: [&str; 19] = [
    "login",
    "log-in",
    "signin",
    "sign-in",
    "sign_in",
    "wp-login",
    "sso",
    "auth",
    "authenticate",
    "authorize",
    "connexion",
    "se-connecter",
    "identification",
    "iniciar-sesion",
    "acceso",
    "anmelden",
    "accedi",
    "entrar",
    "inloggen",
];
/// Parts of the addresses of pages that stand in for a site that is being worked on.
const CLOSED: [&str; 14] = [
    "maintenance",
    "mantenimiento",
    "wartung",
    "manutencao",
    "manutenzione",
    "manteniment",
    "onderhoud",
    "under-maintenance",
    "site-maintenance",
    "unavailable",
    "coming-soon",
    "under-construction",
    "site-offline",
    "travaux",
];

/// Rejects redirects that are not an answer: to a login, or to a maintenance page.
pub(super) fn reject_detour(asked: &Url, found: &Url) -> Result<(), ReadError> {
    let parts = |url: &Url| -> Vec<String> {
        let part = |part: &str| part.split('.').next().unwrap_or(part).to_ascii_lowercase();
        url.path().split('/').filter(|part| !part.is_empty()).map(part).collect()
    };
    let (before, now) = (parts(asked), parts(found));
    let leads =
        |words: &[&str]| now.iter().any(|part| words.contains(&part.as_str()) && !before.contains(part));
    let what = match () {
        () if leads(&LOGIN) => "a login page: the site wants to know who reads this address",
        () if leads(&CLOSED) => "a page that says that the site is being worked on",
        () => return Ok(()),
    };
    Err(ReadError::NoFeed(format!("the server redirects to {found}, {what}")))
}

/// What a page offers to a source: the feeds that it names; to one of one format, what is of that.
pub(super) async fn offered(
    deadline: Duration,
    source: &Source,
    page: &Fetched,
    feeds: Vec<String>,
) -> Result<Vec<String>, ReadError> {
    let none = match source.kind.format {
        None => return Ok(feeds),
        Some(FeedFormat::Calendar) => {
            let page = page.clone();
            let calendars = apart(deadline, move || extract::calendar_links(document(&page))).await?;
            if !calendars.is_empty() {
                return Ok(calendars);
            }
            "this is a web page that names no calendar"
        }
        Some(FeedFormat::Telegram) => {
            "Telegram shows no posts there: it is a private channel, a group or a person"
        }
        Some(_) => return expected(source, FeedFormat::Page).map(|()| feeds),
    };
    Err(ReadError::NoFeed(none.into()))
}

/// A source that is to be of one format is of no other.
pub(super) fn expected(source: &Source, found: FeedFormat) -> Result<(), ReadError> {
    match source.kind.format {
        Some(wanted) if wanted != found => Err(ReadError::NoFeed(format!(
            "this is {}, not {} as kind = \"{}\" says: give another url, or leave kind out",
            found.name(),
            wanted.name(),
            source.kind.name
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_to_a_login_or_to_a_closed_site_is_a_failure() {
        let url = |path: &str| Url::parse(&format!("https://x.org{path}")).unwrap();
        for (to, is_answer) in [
            ("/login?next=/news", false),
            ("/wp-login.php", false),
            ("/fr/maintenance.html", false),
            ("/news/", true),
            ("/en/news/login-to-the-city-archive", true),
        ] {
            assert_eq!(reject_detour(&url("/news"), &url(to)).is_ok(), is_answer, "{to}");
        }
        assert!(reject_detour(&url("/maintenance/news"), &url("/maintenance/news/")).is_ok());
    }
}
