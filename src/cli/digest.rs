//! `courant digest`: sends the digests now, or shows what a recipient would get.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::Context as _;

use super::{ended, held_up, list, subscribers};
use crate::app::{App, PREVIEW_FILES, PREVIEW_FOLDER, Usage, for_later};
use crate::deliver::message::{BuiltMessage, build, message_id, prepare};
use crate::model::digest::{Delivery, Digest, DigestId, Issue, LinkPlaces};
use crate::model::keys::{DeliveryKey, IssueKey};
use crate::model::mail_address::Address;
use crate::pipeline::mail::queue::{self as turns, Preview};
use crate::store::StoreError;
use crate::support::files;
use crate::support::terminal::{errln, outln};
use crate::support::text::{did_you_mean, many};

fn chosen_digests<'a>(app: &'a App, only: Option<&str>) -> anyhow::Result<Vec<&'a Digest>> {
    let chosen: Vec<_> =
        app.config.digests.iter().filter(|digest| only.is_none_or(|id| digest.id.as_str() == id)).collect();
    if let (Some(id), true) = (only, chosen.is_empty()) {
        let near = did_you_mean(id, app.config.digests.iter().map(|digest| digest.id.as_str()));
        return Err(Usage(format!("no digest has the id \"{id}\"{near}")).into());
    }
    Ok(chosen)
}

/// `courant digest`: queues and sends, or only shows what would be sent.
pub(super) async fn digest_now(app: &App, only: Option<&str>, is_dry: bool) -> anyhow::Result<()> {
    for digest in chosen_digests(app, only)? {
        if is_dry {
            let Preview { stories, issue, .. } = turns::preview(app.store(), app.mail_context(), digest)?;
            let text = shown(&issue.text, &issue.places);
            outln!(
                "Digest: {} ({}, {})\nSubject: {}\n\n{text}",
                digest.id,
                many(stories.len(), "story", "stories"),
                many(digest.recipients.len(), "recipient", "recipients"),
                issue.subject
            );
            continue;
        }
        let turn = turns::queue(app.store(), app.mail_context(), digest, true)?;
        outln!("{}: {}", digest.id, list::turn(&turn));
    }
    if !is_dry {
        let mut unpublished = None;
        for_later(app.archive().await, &mut unpublished)?;
        let deliveries = app.deliver(only.map(DigestId::from).as_ref()).await?;
        list::deliveries(&deliveries)?;
        app.check_not_stopped()?;
        return ended(held_up(&deliveries), unpublished);
    }
    Ok(())
}

/// A part of an issue with the placeholders of links replaced by a remark.
fn shown(part: &str, places: &LinkPlaces) -> String {
    const LINK: &str = "(a link of each recipient's own)";
    part.replace(&places.unsubscribe(), LINK).replace(&places.preferences(), LINK)
}

/// Why no mail would be sent now.
#[derive(Debug, thiserror::Error)]
enum NothingNew {
    #[error("nothing is new for {address} ({since}): no mail would be sent now")]
    Personal { address: String, since: String },
    #[error("nothing is new for the digest \"{0}\": no mail would be sent now")]
    Digest(DigestId),
}

/// What an address would get now: a subscriber's own digest, or else the configured one it is a recipient of. Returns the id of
/// the digest and its issue, or the reason why there is none.
fn would_get(
    app: &App,
    only: Option<&str>,
    address: &Address,
) -> anyhow::Result<Option<(DigestId, Result<Issue, NothingNew>)>> {
    let store = app.store();
    let hash = app.sender.key.hash(address.as_str());
    let (known, owed) =
        store.read(|r| Ok::<_, StoreError>((r.subscribers().get(&hash)?, r.subscribers().owed(&hash)?)))?;
    if let Some(subscriber) = known.filter(|_| only.is_none()) {
        let (preferences, seen) = (&subscriber.preferences, subscriber.seen);
        let issue = turns::preview_personal(store, app.mail_context(), preferences, seen, &owed)?;
        let issue = issue.ok_or_else(|| NothingNew::Personal {
            address: address.to_string(),
            since: subscribers::since(&subscriber),
        });
        return Ok(Some((DigestId::Personal, issue)));
    }
    for digest in chosen_digests(app, only)? {
        if digest.recipients.contains(address) {
            return Ok(Some((digest.id.clone(), digest_issue(app, digest)?)));
        }
    }
    Ok(None)
}

fn digest_issue(app: &App, digest: &Digest) -> anyhow::Result<Result<Issue, NothingNew>> {
    let Preview { stories, issue, .. } = turns::preview(app.store(), app.mail_context(), digest)?;
    Ok(if stories.is_empty() { Err(NothingNew::Digest(digest.id.clone())) } else { Ok(issue) })
}

/// The message as it would be sent, without queueing it.
fn message(
    app: &App,
    digest: DigestId,
    address: &Address,
    issue: Issue,
) -> anyhow::Result<(BuiltMessage, Delivery)> {
    let now = app.clock.now();
    let message_id = message_id(
        &format!("test {digest}"),
        IssueKey::default(),
        now,
        address.as_str(),
        app.sender.from.email.domain(),
    );
    let delivery = Delivery {
        id: DeliveryKey::default(),
        digest,
        recipient: address.as_str().into(),
        message_id,
        attempts: 0,
        uncertain: 0,
        issue: Arc::new(issue),
        created: now,
        doubted: None,
    };
    Ok((build(&app.sender, &delivery, &prepare(&delivery.issue)?)?, delivery))
}

/// `courant digest --preview`: writes what an address would get now as files.
pub(super) fn preview(app: &App, only: Option<&str>, address: &str, is_open: bool) -> anyhow::Result<()> {
    let address = Address::parse(address).map_err(Usage)?;
    let Some((digest, issue)) = would_get(app, only, &address)? else {
        return Err(Usage(format!(
            "{address} is neither a subscriber nor a recipient: `courant subscribers list` shows who is"
        ))
        .into());
    };
    let issue = match issue {
        Ok(issue) => issue,
        Err(why) => {
            outln!("{why}");
            return Ok(());
        }
    };
    write_preview(app, digest, &address, issue, PREVIEW_FILES)?;
    if is_open {
        open_in_browser(&Path::new(PREVIEW_FOLDER).join(PREVIEW_FILES[0]));
    }
    Ok(())
}

/// Writes an issue as files: HTML, text, and the message as it would be sent.
pub(super) fn write_preview(
    app: &App,
    digest: DigestId,
    address: &Address,
    issue: Issue,
    names: [&str; 3],
) -> anyhow::Result<()> {
    let folder = PathBuf::from(PREVIEW_FOLDER);
    let (html, text) = (shown(&issue.html, &issue.places), shown(&issue.text, &issue.places));
    outln!("Subject: {}", issue.subject);
    let (built, _) = message(app, digest, address, issue)?;
    for (name, bytes) in names.iter().zip([html.as_bytes(), text.as_bytes(), built.text.as_bytes()]) {
        let path = folder.join(name);
        files::write_privately(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        outln!("{}", path.display());
    }
    files::narrow(&folder);
    Ok(())
}

pub(super) fn open_in_browser(file: &Path) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let opened = Command::new(opener).arg(file).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if let Err(error) = opened {
        errln!("the browser could not be started with {opener}: {error}");
    }
}

/// `courant digest --test`: sends what an address would get now as a test.
pub(super) async fn send_test(app: &App, only: Option<&str>, address: &str) -> anyhow::Result<()> {
    let address = Address::parse(address).map_err(Usage)?;
    let wanted = match would_get(app, only, &address)? {
        Some(wanted) => wanted,
        // A digest can be sent to any address as a test.
        None => {
            let digest = *chosen_digests(app, only)?
                .first()
                .ok_or_else(|| Usage(format!("{address} is not a subscriber, and there is no [[digest]]")))?;
            (digest.id.clone(), digest_issue(app, digest)?)
        }
    };
    let (digest, issue) = match wanted {
        (digest, Ok(issue)) => (digest, issue),
        (_, Err(why)) => {
            outln!("{why}");
            return Ok(());
        }
    };
    send_one(app, digest, &address, issue).await
}

/// Sends an issue to one address, without queueing it.
pub(super) async fn send_one(
    app: &App,
    digest: DigestId,
    address: &Address,
    issue: Issue,
) -> anyhow::Result<()> {
    let (built, delivery) = message(app, digest, address, issue)?;
    let sent = app.transport.send(&built, &delivery.message_id, &app.stop).await;
    app.transport.close().await;
    sent.result.with_context(|| format!("the test mail to {address} was not sent"))?;
    outln!("sent to {address}: {}", delivery.issue.subject);
    Ok(())
}
