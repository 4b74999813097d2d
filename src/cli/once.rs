//! `courant run`: one turn of all that is due, and a line that says what it did.

use super::{ended, held_up, judge};
use crate::app::{App, RunReport};
use crate::pipeline::refresh::{SourceOutcome, SourceReport};
use crate::support::terminal::outln;
use crate::support::text::many;

/// Failed sources that are named; of more, the number is told.
const NAMED_MAX: usize = 3;

/// Fetches, publishes and sends what is due, and says so unless it is to be quiet.
pub(super) async fn run(app: &App, is_quiet: bool) -> anyhow::Result<()> {
    let report = app.run_once().await?;
    if !is_quiet {
        outln!("{}", summary(&report));
    }
    ended(judge(&report.reports).and_then(|()| held_up(&report.deliveries)), report.unpublished)
}

/// `3 sources read: 5 new, 1 changed; 12 files written; 2 messages sent`.
fn summary(report: &RunReport) -> String {
    let written = match report.published.written {
        0 => "nothing to publish".to_owned(),
        written => format!("{} written", many(written, "file", "files")),
    };
    let mail = &report.deliveries;
    let mut parts = vec![format!("{} sent", many(mail.sent, "message", "messages"))];
    parts.extend((mail.deferred > 0).then(|| format!("{} deferred", mail.deferred)));
    parts.extend((mail.refused > 0).then(|| format!("{} refused", mail.refused)));
    format!("{}; {written}; {}", sources(&report.reports), parts.join(", "))
}

/// What became of the sources that were due.
fn sources(reports: &[SourceReport]) -> String {
    let (mut read, mut new, mut changed) = (0, 0, 0);
    let mut failed = Vec::new();
    for report in reports {
        match &report.outcome {
            SourceOutcome::Read { new: more, changed: edited, .. } => {
                (read, new, changed) = (read + 1, new + more, changed + edited);
            }
            SourceOutcome::NotModified => read += 1,
            SourceOutcome::Failed(_) => failed.push(report.source.as_str()),
            SourceOutcome::TakenOver => {}
        }
    }
    if read == 0 && failed.is_empty() {
        return "no source was due".to_owned();
    }
    let mut said = format!("{} read: {new} new, {changed} changed", many(read, "source", "sources"));
    if !failed.is_empty() {
        let names =
            if failed.len() > NAMED_MAX { String::new() } else { format!(" ({})", failed.join(", ")) };
        said += &format!(", {} failed{names}", failed.len());
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(source: &str, outcome: SourceOutcome) -> SourceReport {
        SourceReport { source: source.to_owned(), outcome }
    }

    #[test]
    fn sources_are_summed_up_and_few_that_failed_are_named() {
        assert_eq!(sources(&[]), "no source was due");
        assert_eq!(sources(&[report("a", SourceOutcome::TakenOver)]), "no source was due");
        let read = |new| SourceOutcome::Read { new, changed: 1, unchanged: 7, joined: Vec::new() };
        let failed = |source| report(source, SourceOutcome::Failed("the server answers 500".into()));
        let mut all =
            vec![report("a", read(2)), report("b", read(3)), report("c", SourceOutcome::NotModified)];
        all.push(failed("d"));
        assert_eq!(sources(&all), "3 sources read: 5 new, 2 changed, 1 failed (d)");
        all.extend([failed("e"), failed("f"), failed("g")]);
        assert_eq!(sources(&all), "3 sources read: 5 new, 2 changed, 4 failed");
    }
}
