//! `courant subscribers`: manages the list of subscribers.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::output::{FittingLines, ObjectList};
use super::profile::{self, AttributeOptions, TagOptions};
use super::recipient::{self, not_there, set_state};
use crate::app::{App, Usage};
use crate::model::mail_address::Address;
use crate::model::profile::ProfileChange;
use crate::model::segment::SegmentQuery;
use crate::model::subscriber::{Choice, Consent, Preferences, Subscriber, SubscriberState};
use crate::pipeline::mail::profiles;
use crate::pipeline::mail::subscribers::{self, Standing};
use crate::store::{self, Unit};
use crate::subscriber_csv;
use crate::support::files::create_private;
use crate::support::terminal::{self, errln, outln};
use crate::support::text::many;

#[derive(Debug, Subcommand)]
pub(super) enum Subscribers {
    /// List the subscribers.
    List {
        /// Only subscribers in this state: active, paused, unsubscribed, bounced or complained.
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// Only subscribers whom a query means, such as "language = es and tag = member".
        #[arg(long = "where", value_name = "QUERY")]
        query: Option<String>,
        /// Output format.
        #[arg(long, value_enum, default_value = "text")]
        format: super::ListFormat,
    },
    /// Add somebody who has asked to be on the list.
    Add(Box<AddOptions>),
    /// Add tags to subscribers, or take them away.
    Tag(TagOptions),
    /// Set an attribute of subscribers.
    Attribute(AttributeOptions),
    /// Import a CSV file. Every row is checked first; nothing is stored unless all are valid.
    Import(super::import::ImportOptions),
    /// Export the list as CSV, or everything stored about one address as JSON.
    Export {
        /// File to write to [default: standard output].
        file: Option<PathBuf>,
        /// Export everything stored about this address.
        #[arg(long, value_name = "ADDRESS")]
        address: Option<String>,
    },
    /// Send nothing to a subscriber until they are resumed.
    Pause { address: String },
    /// Send mail again after a pause, a bounce, a complaint or an unsubscription, from the stories of the last week on.
    #[command(visible_alias = "unsuppress")]
    Resume {
        address: String,
        /// Also resume somebody who reported the mail as spam; only when they asked for it.
        #[arg(long)]
        complained: bool,
    },
    /// Show the history of an address: consent, mails, refusals and suppressions.
    Show { address: String },
    /// Remove a subscriber, as if they had never been on the list.
    Remove { address: String },
    /// Erase everything about an address, except a keyed hash that keeps an import from bringing it back.
    Erase { address: String },
}

#[derive(Debug, Clone, Args)]
pub(super) struct AddOptions {
    /// E-mail address.
    address: String,
    #[command(flatten)]
    chosen: PreferenceArguments,
    /// How they gave their consent [default: put in by the operator].
    #[arg(long, value_name = "TEXT")]
    consent: Option<String>,
    /// Tags, beside those that they have.
    #[arg(long, value_delimiter = ',', value_name = "TAG,…")]
    tags: Vec<String>,
    /// An attribute, beside those that they have.
    #[arg(long, value_name = "NAME=VALUE")]
    attribute: Vec<String>,
    /// Change the preferences of somebody who is on the list already.
    #[arg(long)]
    update: bool,
    /// Add somebody again who left, bounced or complained; only when they asked for it.
    #[arg(long)]
    resubscribe: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct PreferenceArguments {
    /// Language of the mail.
    #[arg(long, value_name = "LANG")]
    language: Option<String>,
    /// Only stories in these languages.
    #[arg(long, value_delimiter = ',', value_name = "LANG,…")]
    languages: Option<Vec<String>>,
    /// Only stories on these topics.
    #[arg(long, value_delimiter = ',', value_name = "ID,…")]
    topics: Option<Vec<String>>,
    /// Only stories of these partners.
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    partners: Option<Vec<String>>,
    /// How often: instant, daily, weekly or monthly [default: weekly].
    #[arg(long)]
    cadence: Option<String>,
    /// Time of day, such as 8 or 08:30 [default: 8].
    #[arg(long)]
    hour: Option<String>,
    /// Time zone of the hour, such as Europe/Paris [default: UTC].
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// A full schedule instead, such as "Mon,Thu 18:30 Europe/Paris" or a cron expression.
    #[arg(long, conflicts_with_all = ["cadence", "hour", "timezone"])]
    schedule: Option<String>,
}

impl PreferenceArguments {
    /// The requested preferences, on top of the existing ones.
    fn choice(&self, known: Option<&Subscriber>) -> Choice {
        let mut choice = Choice::default();
        if let Some(Preferences { language, interests, cadence }) = known.map(|known| &known.preferences) {
            choice.language.clone_from(language);
            choice.languages.clone_from(&interests.languages);
            choice.topics.clone_from(&interests.topics);
            choice.without.clone_from(&interests.without);
            choice.partners.clone_from(&interests.partners);
            if self.cadence.is_none() && self.hour.is_none() && self.timezone.is_none() {
                choice.schedule = cadence.to_string();
            } else {
                let (name, hour, zone) = cadence.parts();
                (choice.cadence, choice.hour, choice.timezone) = (name.into(), hour, zone);
            }
        }
        let texts = [
            (&mut choice.language, &self.language),
            (&mut choice.cadence, &self.cadence),
            (&mut choice.hour, &self.hour),
            (&mut choice.timezone, &self.timezone),
            (&mut choice.schedule, &self.schedule),
        ];
        texts.into_iter().for_each(|(own, wanted)| own.clone_from(wanted.as_ref().unwrap_or(&own.clone())));
        let lists = [
            (&mut choice.languages, &self.languages),
            (&mut choice.topics, &self.topics),
            (&mut choice.partners, &self.partners),
        ];
        lists.into_iter().for_each(|(own, wanted)| own.clone_from(wanted.as_ref().unwrap_or(&own.clone())));
        choice
    }
}

fn address(text: &str) -> anyhow::Result<Address> {
    Ok(Address::parse(text).map_err(Usage)?)
}

/// Runs the subcommand.
///
/// # Errors
/// When the store or a file fails, or the address is unknown.
pub(super) fn subscribers(app: &App, wanted: &Subscribers) -> anyhow::Result<()> {
    let (key, now) = (&app.sender.key, app.clock.now());
    match wanted {
        Subscribers::List { state, query, format } => list(app, state.as_deref(), query.as_deref(), *format),
        Subscribers::Tag(wanted) => profile::tag(app, wanted),
        Subscribers::Attribute(wanted) => profile::attribute(app, wanted),
        Subscribers::Add(wanted) => add(app, wanted),
        Subscribers::Import(options) => super::import::import(app, options),
        Subscribers::Export { file, address } => export(app, file.as_deref(), address.as_deref()),
        Subscribers::Pause { address: text } => pause(app, &address(text)?),
        Subscribers::Resume { address: text, complained } => {
            recipient::resume(app, &address(text)?, *complained)
        }
        Subscribers::Show { address: text } => recipient::show(app, &address(text)?),
        Subscribers::Remove { address: text } => {
            let address = address(text)?;
            if !subscribers::remove(app.store(), key, &address)? {
                return Err(not_there(&address));
            }
            outln!("{address} was removed from the list");
            Ok(())
        }
        Subscribers::Erase { address: text } => {
            let address = address(text)?;
            let was_known = subscribers::erase(app.store(), key, &address, now)?;
            outln!(
                "{}",
                if was_known {
                    "erased: only a keyed hash of the address is left"
                } else {
                    "nothing was known of this address; a keyed hash keeps it out"
                }
            );
            Ok(())
        }
    }
}

/// Adds a subscriber; existing and former subscribers require an explicit flag.
fn add(app: &App, wanted: &AddOptions) -> anyhow::Result<()> {
    let (key, now) = (&app.sender.key, app.clock.now());
    let address = Address::parse_public(&wanted.address).map_err(Usage)?;
    let standing = app.store().read(|r| subscribers::standing(r, key, &address))?;
    match &standing {
        Standing::KeptOut { why, .. } if !wanted.resubscribe => {
            return Err(Usage(format!(
                "{address} is kept out ({why}), nothing was changed: if they asked to come back, say --resubscribe"
            ))
            .into());
        }
        Standing::OnTheList(_) if !(wanted.update || wanted.resubscribe) => {
            outln!("{address} is in the list already, nothing was changed: --update changes what they get");
            return Ok(());
        }
        _ => {}
    }
    let known = standing.known();
    let is_in =
        |known: &&Subscriber| matches!(known.state, SubscriberState::Active | SubscriberState::Paused);
    let state = known.filter(is_in).map_or(SubscriberState::Active, |known| known.state);
    let faults = |faults: Vec<(&str, String)>| {
        Usage(faults.iter().map(|(field, fault)| format!("{field}: {fault}")).collect::<Vec<_>>().join("\n"))
    };
    let choice = wanted.chosen.choice(known);
    let preferences =
        app.subscription_options().preferences(&choice, &app.config.channel.language).map_err(faults)?;
    if let Some(hint) = address.hint() {
        errln!("{address}: did they mean {hint}?");
    }
    let source = wanted.consent.clone().unwrap_or_else(|| "put in by the operator".into());
    let consent = Consent { source, at: now, text: None };
    let put = |w: &Unit<store::Write>| {
        subscribers::put_within(w, key, address, preferences, consent.clone(), state, now)
    };
    let added = put_with_profile(app, wanted, &consent, put)?;
    outln!("{} gets {}, {}", added.address, added.preferences.language, added.preferences.cadence);
    Ok(())
}

/// Puts somebody on the list, with the tags and attributes of the command line.
fn put_with_profile(
    app: &App,
    wanted: &AddOptions,
    consent: &Consent,
    put: impl FnOnce(&Unit<store::Write>) -> anyhow::Result<Subscriber>,
) -> anyhow::Result<Subscriber> {
    let (key, edits) = (&app.sender.key, profile::edits(&wanted.tags, &wanted.attribute)?);
    app.store().write(|w| {
        let put = put(w)?;
        // Somebody on the list keeps their consent, unless another is named.
        if wanted.consent.is_some() {
            subscribers::set_consent(w, key, &put, consent, app.clock.now())?;
        }
        let profile = edits.iter().fold(put.profile.clone(), |profile, edit| edit.over(profile));
        let change = ProfileChange { tags: Some(profile.tags), attributes: Some(profile.attributes) };
        profiles::change(w, key, put, &change)
    })
}

/// Pauses a subscriber who gets mail; others stay as they are.
fn pause(app: &App, address: &Address) -> anyhow::Result<()> {
    let known = app.store().read(|r| r.subscribers().get(&app.sender.key.hash(address.as_str())))?;
    match known.ok_or_else(|| not_there(address))?.state {
        SubscriberState::Active | SubscriberState::Paused => set_state(app, address, SubscriberState::Paused),
        state => {
            Err(Usage(format!("{address} gets no mail, nothing was changed: {}", state.as_str())).into())
        }
    }
}

/// Writes the list as a table, or everything stored of one address.
fn export(app: &App, file: Option<&Path>, wanted: Option<&str>) -> anyhow::Result<()> {
    let mut out: Box<dyn Write> = match file {
        Some(path) if path != Path::new("-") => {
            Box::new(create_private(path).with_context(|| format!("cannot write {}", path.display()))?)
        }
        _ => Box::new(terminal::stdout()),
    };
    if let Some(text) = wanted {
        let known = subscribers::everything(app.store(), &app.sender.key, &address(text)?)?;
        return Ok(writeln!(out, "{known:#}")?);
    }
    let mut table = csv::Writer::from_writer(out);
    subscriber_csv::write_head(&mut table)?;
    app.store().read(|r| {
        r.subscribers()
            .each(|subscriber| Ok::<_, anyhow::Error>(subscriber_csv::write(&mut table, &subscriber)?))
    })?;
    Ok(table.flush()?)
}

fn list(
    app: &App,
    state: Option<&str>,
    query: Option<&str>,
    format: super::ListFormat,
) -> anyhow::Result<()> {
    let query = query.map_or(Ok(SegmentQuery::All), |text| profile::query(app, text))?;
    let wanted = state
        .map(|text| {
            SubscriberState::parse(text).ok_or_else(|| Usage(format!("no state is called \"{text}\"")))
        })
        .transpose()?;
    let mut out = terminal::stdout();
    let (mut objects, lines) = (ObjectList::wanted(format), FittingLines::new());
    let mut count = 0usize;
    let row = |subscriber: Subscriber| -> anyhow::Result<()> {
        if wanted.is_some_and(|wanted| wanted != subscriber.state) {
            return Ok(());
        }
        count += 1;
        let Subscriber { address, state, preferences, consent, profile, created, last_issue, .. } =
            subscriber;
        if let Some(objects) = &mut objects {
            let object = serde_json::json!({ "address": address.as_str(), "state": state.as_str(), "preferences": preferences, "consent": consent, "tags": profile.tags, "attributes": profile.attributes, "created": created, "last_issue": last_issue });
            return Ok(objects.put(&mut out, &object)?);
        }
        let last = last_issue.map_or_else(|| "never".to_owned(), |at| at.strftime("%Y-%m-%d").to_string());
        let line = format!(
            "{:<32}  {:<12}  {:<5}  {:<28}  {last:<10}  {} {}",
            address,
            state.as_str(),
            preferences.language,
            preferences.cadence.to_string(),
            preferences.interests.summary(),
            profile.summary()
        );
        let line = line.trim_end();
        Ok(lines.put(&mut out, line)?)
    };
    profiles::each(app.store(), &query, app.clock.now(), row)?;
    match objects {
        Some(objects) => objects.end(&mut out)?,
        None if query != SegmentQuery::All => {
            writeln!(out, "{} found", many(count, "subscriber", "subscribers"))?;
        }
        None => writeln!(out, "{}", counts_line(app)?)?,
    }
    Ok(())
}

/// The number of subscribers in each state.
fn counts_line(app: &App) -> anyhow::Result<String> {
    let counts = app.store().read(|r| r.subscribers().counts())?;
    if counts.is_empty() {
        return Ok(
            "nobody yet: `courant subscribers add ADDRESS`, or /subscribe under `courant serve`".into()
        );
    }
    let counts: Vec<String> = counts.into_iter().map(|(state, count)| format!("{count} {state}")).collect();
    Ok(counts.join(", "))
}

/// When the last issue of a subscriber was sent.
pub(super) fn since(subscriber: &Subscriber) -> String {
    subscriber.last_issue.map_or_else(
        || "no issue sent yet".to_owned(),
        |at: Timestamp| format!("last issue sent on {}", at.strftime("%Y-%m-%d %H:%MZ")),
    )
}
