//! The pipeline of the channel: read, render, write only what changed.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::digest;
use crate::files::write_if_changed;
use crate::model::digest::Newsletter;
use crate::model::mail_address::Address;
use crate::phrases::{long_date, phrases};
use crate::publish::{atom, planet};
use crate::store::Store;
use crate::templates::Templates;
use crate::view::Frame;

/// What a publication did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub stories: usize,
    /// Files that were written; the others held the same bytes already.
    pub written: Vec<PathBuf>,
}

/// Languages of the pages that are ours.
const LANGUAGES: [&str; 3] = ["fr", "en", "es"];
/// Issues of a digest in the list of them.
const ISSUES_MAX: usize = 100;
/// Issues read at a time.
const BATCH: usize = 100;

/// Publishes the channel into `folder`.
///
/// # Errors
/// When the store, a template or the disk fails; what was published before stays.
pub fn publish(store: &Store, frame: Frame, newsletter: &Newsletter, retention_days: u64, templates: &Templates, folder: &Path) -> anyhow::Result<Published> {
    let stories = store.newest_stories(frame.channel.entries_max)?;
    let mut renditions =
        vec![(atom::PATH.to_owned(), atom::render(frame, &stories)?), (planet::PATH.to_owned(), planet::render(frame, &stories, templates)?.into_bytes())];
    for language in LANGUAGES {
        renditions.push((digest::privacy_path(language), privacy(frame, newsletter, retention_days, templates, language)?.into_bytes()));
    }
    let mut written = Vec::new();
    for (name, bytes) in renditions {
        let path = folder.join(&name);
        if write_if_changed(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))? {
            written.push(path);
        }
    }
    Ok(Published { stories: stories.len(), written })
}

/// The data-protection page, as the configuration has it.
fn privacy(frame: Frame, newsletter: &Newsletter, retention_days: u64, templates: &Templates, language: &str) -> anyhow::Result<String> {
    let data = json!({
        "title": newsletter.title(language, frame.channel),
        "heading": phrases(language)["privacy"],
        "language": language,
        "is_private": false,
        "controller": newsletter.controller,
        "contact": newsletter.contact.as_ref().map(Address::as_str),
        "retention_days": retention_days,
        "t": phrases(language),
    });
    Ok(templates.render("web/privacy.html", &data)?)
}

/// Writes the web versions of issues that have none yet, and the list of the configured digests' (id and title). Answers how
/// many were written.
///
/// # Errors
/// When the store, a template or the disk fails; what was written stays, and what was not is written the next time.
pub fn archive(store: &mut Store, frame: Frame, digests: &[(&str, &str)], templates: &Templates, folder: &Path) -> anyhow::Result<usize> {
    let mut count = 0;
    loop {
        let issues = store.unarchived_issues(BATCH)?;
        if issues.is_empty() {
            break;
        }
        for (_, issue) in &issues {
            let path = folder.join(digest::archive_path(&issue.name));
            write_if_changed(&path, digest::web_version(issue, &frame.channel.url).as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let mut work = store.begin()?;
        for (key, _) in &issues {
            work.set_archived(*key)?;
        }
        work.commit()?;
        count += issues.len();
    }
    let path = folder.join("issues/index.html");
    if count > 0 || !path.exists() {
        write_if_changed(&path, issues_page(store, frame, digests, templates)?.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(count)
}

fn issues_page(store: &Store, frame: Frame, digests: &[(&str, &str)], templates: &Templates) -> anyhow::Result<String> {
    let language = frame.channel.language.as_str();
    let t = phrases(language);
    let mut lists = Vec::new();
    for (id, title) in digests {
        let issues = store.last_issues(id, ISSUES_MAX)?;
        let issues: Vec<_> = issues
            .into_iter()
            .map(|(name, subject, at)| json!({ "name": name, "subject": subject, "date": long_date(at.to_zoned_datetime(TimeZone::UTC).date(), language) }))
            .collect();
        if !issues.is_empty() {
            lists.push(json!({ "title": title, "issues": issues }));
        }
    }
    let data = json!({ "title": frame.channel.title, "heading": t["issues"], "language": t["lang"], "is_private": false, "digests": lists, "t": t });
    Ok(templates.render("web/issues.html", &data)?)
}
