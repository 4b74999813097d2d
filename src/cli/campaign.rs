//! `courant campaign`: mails that somebody wrote for a part of the list.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::digest::{open_in_browser, send_one, write_preview};
use super::output::{FittingLines, ObjectList};
use super::{ListFormat, ended, held_up, list};
use crate::app::{App, CAMPAIGN_FILES, PREVIEW_FOLDER, Usage, for_later};
use crate::campaign::FILE_BYTES_MAX;
use crate::model::campaign::{Campaign, CampaignState};
use crate::model::digest::DigestId;
use crate::model::keys::CampaignKey;
use crate::model::mail_address::Address;
use crate::model::segment::SegmentNames;
use crate::pipeline::mail::campaigns::{self, AddedCampaign, PreparedCampaign};
use crate::store::StoreError;
use crate::support::terminal::{self, outln};
use crate::support::text::many;

/// Campaigns that are listed.
const LISTED: usize = 200;

#[derive(Debug, Subcommand)]
pub(super) enum CampaignCommand {
    /// Write the mail to files, and say how many would get it; nothing is sent or stored.
    Preview {
        /// Markdown with front matter.
        file: PathBuf,
        /// Open the preview in the browser.
        #[arg(long)]
        open: bool,
    },
    /// Send the mail to one address as a test; nothing is stored.
    Test {
        /// Markdown with front matter.
        file: PathBuf,
        /// Whom to send it to.
        address: String,
    },
    /// Send the mail to whom it is for, each once; a run that was cut off goes on with the next `courant run`.
    Send {
        /// Markdown with front matter.
        file: PathBuf,
        /// Send it at this time instead, with `courant run` or `courant serve`: 2022-10-17T08:00:00Z or "2022-10-17 10:00 Europe/Paris".
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// Send it although the same file was sent or scheduled before.
        #[arg(long)]
        again: bool,
    },
    /// Cancel a campaign: nobody else gets it.
    Cancel {
        /// Its number in the list.
        number: i64,
    },
    /// List the campaigns, with how many got them.
    List {
        /// Output format.
        #[arg(long, value_enum, default_value = "text")]
        format: ListFormat,
    },
}

/// Runs the subcommand.
///
/// # Errors
/// When a file is faulty, or the store or a mail server fails.
pub(super) async fn campaign(app: &App, wanted: &CampaignCommand) -> anyhow::Result<()> {
    match wanted {
        CampaignCommand::Preview { file, open } => preview(app, file, *open),
        CampaignCommand::Test { file, address } => test(app, file, address).await,
        CampaignCommand::Send { file, at, again } => send(app, file, at.as_deref(), *again).await,
        CampaignCommand::Cancel { number } => cancel(app, CampaignKey(*number)),
        CampaignCommand::List { format } => print_list(app, *format),
    }
}

/// Reads a campaign.
fn read(app: &App, path: &Path) -> anyhow::Result<PreparedCampaign> {
    let cannot = || format!("cannot read {}", path.display());
    let file = std::fs::File::open(path).with_context(cannot)?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text).with_context(cannot)?;
    let options = app.subscription_options();
    let names = SegmentNames { options: &options, segments: &app.config.segments };
    Ok(campaigns::read(&text, names).map_err(|fault| Usage(format!("{}: {fault}", path.display())))?)
}

fn preview(app: &App, path: &Path, is_open: bool) -> anyhow::Result<()> {
    let campaign = read(app, path)?;
    let issue = campaigns::compose(app.mail_context(), &campaign.file, "preview")?;
    let address = Address::parse("subscriber@example.org").map_err(Usage)?;
    write_preview(app, DigestId::Campaign, &address, issue, CAMPAIGN_FILES)?;
    let count = campaigns::count(app.store(), &campaign.query, app.clock.now())?;
    outln!("{} would get it", many(count, "subscriber", "subscribers"));
    if is_open {
        open_in_browser(&Path::new(PREVIEW_FOLDER).join(CAMPAIGN_FILES[0]));
    }
    Ok(())
}

async fn test(app: &App, path: &Path, address: &str) -> anyhow::Result<()> {
    let address = Address::parse(address).map_err(Usage)?;
    let issue = campaigns::compose(app.mail_context(), &read(app, path)?.file, "test")?;
    send_one(app, DigestId::Campaign, &address, issue).await
}

async fn send(app: &App, path: &Path, at: Option<&str>, is_again: bool) -> anyhow::Result<()> {
    let (campaign, now) = (read(app, path)?, app.clock.now());
    let at = at.map(parse_time).transpose().map_err(Usage)?;
    if let Some(at) = at.filter(|at| *at < now) {
        return Err(Usage(format!("--at: {at} is past: without --at, it is sent now")).into());
    }
    let (due, context) = (at.unwrap_or(now), app.mail_context());
    let key = match campaigns::add(app.store(), context, &campaign, due, is_again)? {
        AddedCampaign::New(key) => key,
        AddedCampaign::Known(key) => {
            return Err(Usage(format!(
                "{} is campaign {key} already, and nobody gets it twice: `courant campaign list` shows how far it is, and --again sends it once more",
                path.display()
            ))
            .into());
        }
    };
    if let Some(at) = at {
        let count = campaigns::count(app.store(), &campaign.query, now)?;
        outln!(
            "campaign {key} is scheduled for {at}: {} would get it now",
            many(count, "subscriber", "subscribers")
        );
        return Ok(());
    }
    send_now(app, key).await
}

/// Queues and sends what is due of campaigns.
async fn send_now(app: &App, key: CampaignKey) -> anyhow::Result<()> {
    let failed = app.queue_campaigns()?.1;
    if let Some(failed) = failed.into_iter().find(|failed| failed.key == key) {
        return Err(failed.error.context(format!("campaign {key} is not sent")));
    }
    let known = app.store().read(|r| r.campaigns().get(key))?;
    let recipients = known.map_or(0, |known| known.recipients);
    outln!("campaign {key}: {}", many(recipients, "recipient", "recipients"));
    let mut unpublished = None;
    for_later(app.archive().await, &mut unpublished)?;
    let deliveries = app.deliver(Some(&DigestId::Campaign)).await?;
    list::deliveries(&deliveries)?;
    app.check_not_stopped()?;
    ended(held_up(&deliveries), unpublished)
}

/// Reads `2022-10-17T08:00:00Z`, or a date, a time and a time zone.
fn parse_time(text: &str) -> Result<Timestamp, String> {
    let fault = || {
        format!(
            "--at: \"{text}\" is no time: write 2022-10-17T08:00:00Z or \"2022-10-17 10:00 Europe/Paris\""
        )
    };
    if let Ok(at) = text.trim().parse() {
        return Ok(at);
    }
    let (time, zone) = text.trim().rsplit_once(' ').ok_or_else(fault)?;
    let time: DateTime = time.trim().parse().map_err(|_| fault())?;
    let zone = TimeZone::get(zone).map_err(|_| format!("--at: \"{zone}\" is no time zone"))?;
    zone.to_timestamp(time).map_err(|_| fault())
}

fn cancel(app: &App, key: CampaignKey) -> anyhow::Result<()> {
    let now = app.clock.now();
    let (known, given_up) = app.store().write(|w| {
        let known = w.campaigns().get(key)?;
        let given_up = if known.is_some() { w.campaigns().cancel(key, now)? } else { None };
        Ok::<_, StoreError>((known, given_up))
    })?;
    let Some(known) = known else {
        return Err(Usage(format!("there is no campaign {key}: `courant campaign list` lists them")).into());
    };
    match given_up {
        None => outln!("campaign {key} was cancelled before"),
        Some(0) if known.state == CampaignState::Sent => {
            outln!("campaign {key} is cancelled: nothing of it was waiting")
        }
        Some(count) => {
            outln!("campaign {key} is cancelled: {} given up", many(count, "delivery", "deliveries"))
        }
    }
    Ok(())
}

/// How many deliveries of a campaign were sent, wait, and failed.
#[derive(Debug, Clone, Copy, Default)]
struct CampaignCounts {
    sent: u64,
    waiting: u64,
    failed: u64,
}

impl CampaignCounts {
    fn of(app: &App, campaign: &Campaign) -> Result<CampaignCounts, StoreError> {
        let Some(issue) = campaign.issue else { return Ok(CampaignCounts::default()) };
        let counts = app.store().read(|r| r.campaigns().delivery_counts(issue))?;
        let of = |state: &str| counts.get(state).copied().unwrap_or(0);
        let waiting = of("pending") + of("sending");
        Ok(CampaignCounts { sent: of("sent"), waiting, failed: of("failed") })
    }
}

fn print_list(app: &App, format: ListFormat) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    let (mut objects, lines) = (ObjectList::wanted(format), FittingLines::new());
    let campaigns = app.store().read(|r| r.campaigns().latest(LISTED))?;
    for campaign in &campaigns {
        let counts = CampaignCounts::of(app, campaign)?;
        match &mut objects {
            Some(objects) => objects.put(&mut out, &object(campaign, counts))?,
            None => lines.put(&mut out, &line(campaign, counts))?,
        }
    }
    match objects {
        Some(objects) => objects.end(&mut out)?,
        None if campaigns.is_empty() => writeln!(out, "no campaign yet: `courant campaign send FILE`")?,
        None => {}
    }
    Ok(())
}

fn line(campaign: &Campaign, counts: CampaignCounts) -> String {
    let at = campaign.at.strftime("%Y-%m-%d %H:%MZ");
    let CampaignCounts { sent, waiting, failed } = counts;
    let state = campaign.state.as_str();
    format!(
        "{:>4}  {state:<9}  {at}  {:>6} recipients, {sent} sent, {waiting} waiting, {failed} failed  {}",
        campaign.key.0, campaign.recipients, campaign.subject
    )
}

fn object(campaign: &Campaign, counts: CampaignCounts) -> serde_json::Value {
    let CampaignCounts { sent, waiting, failed } = counts;
    serde_json::json!({
        "number": campaign.key.0,
        "state": campaign.state.as_str(),
        "subject": campaign.subject,
        "where": campaign.selection,
        "created": campaign.created,
        "at": campaign.at,
        "recipients": campaign.recipients,
        "sent": sent,
        "waiting": waiting,
        "failed": failed,
        "ended": campaign.ended,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_its_zone() {
        for text in ["2022-10-17T08:00:00Z", "2022-10-17 10:00 Europe/Paris", " 2022-10-17 08:00 UTC "] {
            assert_eq!(parse_time(text).unwrap().to_string(), "2022-10-17T08:00:00Z", "{text}");
        }
        for text in ["", "tomorrow", "2022-10-17 10:00", "2022-10-17 10:00 Mars/Base", "10:00 UTC"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }
}
