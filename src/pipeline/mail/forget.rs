//! Old mail is forgotten: deliveries that are settled, and issues that nothing refers to any more.

use jiff::{SignedDuration, Timestamp};

use crate::digest;
use crate::model::digest::{Digest, DigestId, ISSUES_LISTED};
use crate::pipeline::destination::SiteWriter;
use crate::store::Store;

/// Rows deleted in one unit of work.
const FORGOTTEN: usize = 2_000;
/// How long mail that contains an address is kept after it was sent.
const PRIVATE_KEPT: SignedDuration = SignedDuration::from_hours(48);
/// How long it is kept who was refused last: longer than the time between two issues of most digests.
const REFUSALS_KEPT: SignedDuration = SignedDuration::from_hours(60 * 24);

/// How long it is kept what became of the proposals of partners.
const PROPOSALS_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Deletes the deliveries settled longer ago than `retention`, in batches; returns how many.
///
/// # Errors
/// When the store fails.
pub fn deliveries(store: &Store, retention: SignedDuration, now: Timestamp) -> anyhow::Result<usize> {
    let Ok(limit) = now.checked_sub(retention) else { return Ok(0) };
    let private = now.saturating_sub(PRIVATE_KEPT)?.max(limit);
    let refusals = now.saturating_sub(REFUSALS_KEPT)?;
    let proposals = now.saturating_sub(PROPOSALS_KEPT)?;
    store.write(|w| {
        w.subscribers().forget_expired_sign_ups(now)?;
        w.mailing().forget_turns(store.lease_time())?;
        w.mailing().forget_refusals(refusals)?;
        w.overview().forget_mail_days(now)?;
        w.partners().forget_proposals(proposals)?;
        w.subscribers().forget_private_mail(private)
    })?;
    let mut gone = 0;
    loop {
        let count = store.write(|w| w.mailing().forget_deliveries(limit, FORGOTTEN))?;
        gone += count;
        if count < FORGOTTEN {
            break;
        }
    }
    if gone > 0 {
        store.write(|w| w.mailing().forget_issue_texts(limit))?;
    }
    Ok(gone)
}

/// Deletes issues older than `retention` that nothing refers to: personal ones, with their web versions, and slots
/// without news. The web versions of configured digests are public and stay; their issues are deleted once they are no longer in
/// the list of past issues.
///
/// # Errors
/// When the store fails, or a web version cannot be removed.
pub fn issues(
    store: &Store,
    digests: &[Digest],
    files: &SiteWriter,
    retention: SignedDuration,
    now: Timestamp,
) -> anyhow::Result<()> {
    let Ok(limit) = now.checked_sub(retention) else { return Ok(()) };
    for digest in digests.iter().map(|digest| &digest.id).chain(&DigestId::OWN) {
        loop {
            let issues = store.read(|r| r.mailing().old_issues(digest, limit, ISSUES_LISTED, FORGOTTEN))?;
            // Files first: an interrupted run finds the rest again.
            let paths: Vec<String> =
                issues.iter().filter_map(|(_, name)| Some(digest::archive_path(name.as_deref()?))).collect();
            files.remove(&paths.iter().map(String::as_str).collect::<Vec<_>>())?;
            store.write(|w| issues.iter().try_for_each(|(key, _)| w.mailing().forget_issue(*key)))?;
            if issues.len() < FORGOTTEN {
                break;
            }
        }
    }
    files.end()
}
