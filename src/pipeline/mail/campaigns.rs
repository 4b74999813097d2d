//! Campaigns: mails that somebody wrote for a part of the list. A campaign is stored first, with the query that chooses its recipients.
//! Once its time has come, it gets its issue, and a page of the list after the other is considered: each in a unit of work that queues
//! the deliveries and notes how far it came, so that any number of processes may go on with it, and a killed one leaves nothing half.

use std::fmt;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::MailContext;
use crate::campaign::{self, CampaignAudience, CampaignFile};
use crate::deliver::message::message_id;
use crate::digest::{self, Edition, TEXT_COLUMNS, WrittenBody};
use crate::model::campaign::{Campaign, CampaignState};
use crate::model::digest::{DigestId, Issue, LinkPlaces};
use crate::model::keys::{CampaignKey, IssueKey};
use crate::model::segment::{SegmentNames, SegmentQuery};
use crate::model::subscriber::{Interests, Subscriber, SubscriberState};
use crate::normalize::html::{safe_html, text_of_html};
use crate::store::{ChosenRecipients, NewCampaign, Store, StoreError, Unit, Write};
use crate::support::clock::Interrupted;
use crate::support::i18n::spoken;
use crate::support::text::wrapped;

/// Subscribers considered in one unit of work; other units get their turn in between.
const PAGE: usize = 500;

/// A campaign that was read, and whom it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedCampaign {
    pub file: CampaignFile,
    pub query: SegmentQuery,
    /// The file itself.
    source: String,
}

/// Reads a file, and the query for its recipients.
///
/// # Errors
/// In words, with the line.
pub fn read(source: &str, names: SegmentNames) -> Result<PreparedCampaign, String> {
    let file = campaign::parse(source).map_err(|fault| fault.to_string())?;
    let query = match &file.audience {
        CampaignAudience::Where(query) => {
            SegmentQuery::parse(query, names).map_err(|fault| format!("where: {fault}"))?
        }
        CampaignAudience::Segment(id) => {
            let query = format!("segment = \"{}\"", id.replace(['"', '\\'], " "));
            SegmentQuery::parse(&query, names).map_err(|fault| format!("segment: {fault}"))?
        }
    };
    Ok(PreparedCampaign { file, query, source: source.to_owned() })
}

/// What became of a campaign that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddedCampaign {
    New(CampaignKey),
    /// The same file was stored before, and not cancelled.
    Known(CampaignKey),
}

/// Stores a campaign that is sent at a time. The same file is taken again only if that `is_wanted_again`.
///
/// # Errors
/// When the store or a template fails, or the mail would be cut off; nothing is stored then.
pub fn add(
    store: &Store,
    context: MailContext,
    campaign: &PreparedCampaign,
    at: Timestamp,
    is_wanted_again: bool,
) -> anyhow::Result<AddedCampaign> {
    // What cannot be made is not stored.
    compose(context, &campaign.file, &campaign::fingerprint(&campaign.source))?;
    let (hash, selection) = (campaign::fingerprint(&campaign.source), campaign.query.to_string());
    let new = NewCampaign {
        hash: &hash,
        subject: &campaign.file.subject,
        selection: &selection,
        source: &campaign.source,
        at,
        now: context.now,
    };
    Ok(store.write(|w| match w.campaigns().of_file(&hash)?.filter(|_| !is_wanted_again) {
        Some(known) => Ok(AddedCampaign::Known(known)),
        None => w.campaigns().put(&new).map(AddedCampaign::New),
    })?)
}

/// The mail of a campaign is longer than mail programs show.
#[derive(Debug, thiserror::Error)]
#[error("the mail is longer than mail programs show: Gmail cuts it off after 102 kB")]
pub struct ClippedCampaign;

/// Renders the issue of a campaign; `mark` tells it from others.
///
/// # Errors
/// When a template fails, or the mail would be cut off.
pub fn compose(context: MailContext, file: &CampaignFile, mark: &str) -> anyhow::Result<Issue> {
    let (catalog, now) = (context.catalog, context.now);
    let base = Url::parse(&catalog.channel.url).ok();
    let html = safe_html(&campaign::html(&file.markdown), base.as_ref());
    let html = campaign::with_mail_style(&html, context.accent);
    let text = wrapped(&campaign::text(&file.markdown, text_of_html), TEXT_COLUMNS);
    let language = file.language.as_deref().unwrap_or(&catalog.channel.language);
    let language = spoken(language, &catalog.channel.language);
    let name = format!("campaign-{}-{}", now.strftime("%Y%m%d-%H%M%S"), mark.get(..10).unwrap_or(mark));
    let edition = Edition {
        title: context.newsletter.title(language, catalog.channel),
        language,
        interests: &Interests::default(),
        templates: "campaign",
        note: None,
        introduction: None,
        written: Some(WrittenBody { subject: &file.subject, html: &html, text: &text }),
        leads: 0,
        coming: &[],
        entries_max: 1,
        is_personal: true,
        name: (!file.is_private).then_some(name.as_str()),
        is_public: context.sender.public_url.is_some(),
        controller: context.newsletter.controller.as_deref(),
        places: &LinkPlaces::of(&context.sender.key, &name),
    };
    let issue = digest::render(catalog, edition, &[], now, context.templates)?;
    if digest::is_clipped(&issue) {
        return Err(ClippedCampaign.into());
    }
    Ok(issue)
}

/// How many subscribers a query chooses among those who get mail.
///
/// # Errors
/// When the store fails.
pub fn count(store: &Store, query: &SegmentQuery, now: Timestamp) -> Result<usize, StoreError> {
    let (mut count, mut last) = (0, 0);
    loop {
        let page = store.read(|r| r.subscribers().after(last, PAGE))?;
        count += page.iter().filter(|(_, subscriber)| is_chosen(subscriber, query, now)).count();
        match page.last().filter(|_| page.len() == PAGE) {
            Some((key, _)) => last = *key,
            None => return Ok(count),
        }
    }
}

/// Whether a subscriber gets mail, and is one of those meant.
fn is_chosen(subscriber: &Subscriber, query: &SegmentQuery, now: Timestamp) -> bool {
    subscriber.state == SubscriberState::Active && query.matches(subscriber, now)
}

/// How far a campaign came in one turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignTurn {
    pub key: CampaignKey,
    pub subject: String,
    /// Deliveries that this process queued.
    pub queued: usize,
}

/// A campaign that cannot be sent, and why.
#[derive(Debug)]
pub struct FailedCampaign {
    pub key: CampaignKey,
    pub error: anyhow::Error,
}

impl fmt::Display for FailedCampaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "campaign {} is not sent: {:#}", self.key, self.error)
    }
}

/// Begins the campaigns whose time has come, and goes on with those that were begun. One that fails holds up no other.
///
/// # Errors
/// When the store fails, or `stop` is set; what was queued stays queued.
pub fn queue(
    store: &Store,
    context: MailContext,
    stop: &CancellationToken,
) -> anyhow::Result<(Vec<CampaignTurn>, Vec<FailedCampaign>)> {
    let (mut turns, mut failed) = (Vec::new(), Vec::new());
    for key in store.read(|r| r.campaigns().due(context.now))? {
        match queue_one(store, context, key, stop) {
            Ok(turn) => turns.extend(turn),
            Err(error) if error.is::<Interrupted>() || error.is::<StoreError>() => return Err(error),
            Err(error) => failed.push(FailedCampaign { key, error }),
        }
    }
    Ok((turns, failed))
}

/// Begins or goes on with a campaign; `None` if it is over or there is none.
///
/// # Errors
/// When the store or a template fails, or `stop` is set.
fn queue_one(
    store: &Store,
    context: MailContext,
    key: CampaignKey,
    stop: &CancellationToken,
) -> anyhow::Result<Option<CampaignTurn>> {
    let Some(campaign) = store.read(|r| r.campaigns().get(key))?.filter(|known| !known.state.is_over())
    else {
        return Ok(None);
    };
    let query = SegmentQuery::parse_stored(&campaign.selection).map_err(anyhow::Error::msg)?;
    if campaign.state == CampaignState::Scheduled {
        let file = campaign::parse(&campaign.source)?;
        let mark = format!("{}-{key}", &campaign::fingerprint(&campaign.source)[..8]);
        let issue = compose(context, &file, &mark)?;
        // Where another process was faster, its issue stands.
        store.write(|w| w.campaigns().begin(key, &issue, context.now))?;
    }
    let mut turn = CampaignTurn { key, subject: campaign.subject, queued: 0 };
    loop {
        if stop.is_cancelled() {
            return Err(Interrupted.into());
        }
        match store.write(|w| queue_page(w, context, key, &query))? {
            Some(queued) => turn.queued += queued,
            None => return Ok(Some(turn)),
        }
    }
}

/// Queues deliveries for the recipients among some subscribers; returns how many, or `None` if all were considered or the campaign was
/// cancelled.
fn queue_page(
    unit: &Unit<Write>,
    context: MailContext,
    key: CampaignKey,
    query: &SegmentQuery,
) -> Result<Option<usize>, StoreError> {
    let campaign = unit.campaigns().get(key)?.filter(|known| known.state == CampaignState::Sending);
    let Some(Campaign { issue: Some(issue), last, .. }) = campaign else { return Ok(None) };
    let begun = unit.campaigns().begun(issue)?;
    let page = unit.subscribers().after(last, PAGE)?;
    let recipients: Vec<(String, String)> = page
        .iter()
        .filter(|(_, subscriber)| is_chosen(subscriber, query, begun))
        .map(|(_, subscriber)| {
            let address = subscriber.address.as_str();
            (address.to_owned(), delivery_id(context, issue, begun, address))
        })
        .collect();
    let chosen = ChosenRecipients {
        campaign: key,
        issue,
        recipients: &recipients,
        last: page.last().map_or(last, |(key, _)| *key),
        is_end: page.len() < PAGE,
        now: context.now,
    };
    unit.campaigns().queue(&chosen).map(Some)
}

/// The Message-ID of the delivery to an address: one for each person, whoever makes it and when.
fn delivery_id(context: MailContext, issue: IssueKey, begun: Timestamp, address: &str) -> String {
    let sender = context.sender;
    let hash = sender.key.hash(address);
    message_id(DigestId::Campaign.as_str(), issue, begun, &hash, sender.from.email.domain())
}
