//! A mail hold-up, while mail waits until the operator acts: reported once when it begins, and once when nothing waits any more.

use jiff::Timestamp;

use crate::model::digest::Notice;
use crate::store::Store;

/// The name of it in notices.
const SOURCE: &str = "mail";
/// Where nothing of a list left, nobody knows that it works again.
const NOTHING_WAITS: &str = "is no longer held up: nothing waits any more";

/// What a run has shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunSummary<'a> {
    /// Why mail waits that is not its recipients' to mend.
    pub trouble: Option<&'a str>,
    /// Messages that left, and those of them that were not for the operator.
    pub sent: u64,
    pub sent_to_lists: u64,
}

/// What becomes of it.
#[derive(Debug, PartialEq, Eq)]
struct HoldUpChange {
    /// Why mail is held up now.
    held_up: Option<String>,
    /// What the operator is to be told.
    notice: Option<String>,
    is_over: bool,
}

/// `before` is why it was held up before this run; `waits` whether anything of it still does.
fn next(before: Option<String>, waits: bool, shown: RunSummary) -> HoldUpChange {
    let goes_on = |held_up: Option<String>| HoldUpChange { held_up, notice: None, is_over: false };
    let over = |text: &str| HoldUpChange { held_up: None, notice: Some(text.to_owned()), is_over: true };
    match (before, shown.trouble) {
        (None, Some(reason)) => HoldUpChange {
            held_up: Some(reason.to_owned()),
            notice: Some(format!("is held up: {reason}")),
            is_over: false,
        },
        (Some(_), Some(reason)) => goes_on(Some(reason.to_owned())),
        (Some(before), None) if waits => goes_on(Some(before)),
        (Some(_), None) if shown.sent_to_lists > 0 => over(Notice::WORKS_AGAIN),
        (Some(_), None) if shown.sent > 0 => over(NOTHING_WAITS),
        // Nothing waits, and nothing was sent that would show how it is.
        (Some(_), None) | (None, None) => goes_on(None),
    }
}

/// Why mail is held up after a run, and whether that is something to tell.
///
/// # Errors
/// When the store fails.
pub fn note(store: &Store, shown: RunSummary, now: Timestamp) -> anyhow::Result<(Option<String>, bool)> {
    let is_quiet = shown.trouble.is_none() && store.read(|r| r.mailing().held_up())?.is_none();
    if is_quiet {
        return Ok((None, false));
    }
    store.write(|w| {
        let before = w.mailing().held_up()?;
        let next = next(before.clone(), w.mailing().has_held()?, shown);
        match &next.held_up {
            Some(reason) if before.as_ref() != Some(reason) => w.mailing().set_held_up(Some(reason))?,
            None if next.is_over => w.mailing().set_held_up(None)?,
            _ => {}
        }
        if let Some(text) = &next.notice {
            w.sources().put_notice(SOURCE, text, now)?;
        }
        Ok((next.held_up, next.notice.is_some()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_when_it_begins_and_when_nothing_of_it_waits_any_more() {
        // Before, what the run shows (trouble, sent to lists, to the operator), whether anything waits; held up, told.
        for (before, trouble, to_lists, to_operator, waits, held_up, told) in [
            (None, None, 9, 0, false, None, None),
            (None, None, 0, 0, true, None, None),
            (None, Some("no"), 38, 0, true, Some("no"), Some("is held up: no")),
            (Some("no"), None, 0, 1, true, Some("no"), None),
            (Some("no"), None, 38, 1, true, Some("no"), None),
            (Some("no"), None, 0, 0, true, Some("no"), None),
            (Some("no"), Some("never"), 0, 0, true, Some("never"), None),
            (Some("no"), None, 2, 0, false, None, Some("works again")),
            (Some("no"), None, 0, 1, false, None, Some(NOTHING_WAITS)),
            (Some("no"), None, 0, 0, false, None, None),
        ] {
            let shown = RunSummary { trouble, sent: to_lists + to_operator, sent_to_lists: to_lists };
            let got = next(before.map(str::to_owned), waits, shown);
            assert_eq!(
                (got.held_up.as_deref(), got.notice.as_deref()),
                (held_up, told),
                "{before:?} {shown:?} {waits}"
            );
        }
    }
}
