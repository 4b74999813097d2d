//! `courant subscribers` and `courant bounces`: the operator's hand in the list.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::recipient;
use crate::app::{self, App, Usage};
use crate::bounces::{imap, lmtp, mailbox};
use crate::config;
use crate::model::digest::DigestId;
use crate::model::mail_address::Address;
use crate::model::subscriber::{Choice, Consent, Subscriber, SubscriberState};
use crate::pipeline::mail::{bounces as returned, subscribers};
use crate::store::{Unit, Write as Writes};
use crate::subscriber_csv;
use crate::support::text::many;

/// Rows of a table kept in one unit of work.
const IMPORTED: usize = 1_000;

#[derive(Debug, Subcommand)]
pub enum Subscribers {
    /// Who is in the list.
    List {
        /// Only those: active, paused, unsubscribed, bounced, complained.
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        #[arg(long, value_enum, default_value = "text")]
        format: super::ListFormat,
    },
    /// Put somebody into the list who said to you that they want to be in it.
    Add {
        address: String,
        #[command(flatten)]
        chosen: Box<Chosen>,
        /// How you know that they want it.
        #[arg(long, default_value = "put in by the operator", value_name = "TEXT")]
        consent: String,
    },
    /// Read a table (CSV): every row is checked, and nothing is kept unless all are right.
    Import {
        file: PathBuf,
        /// How you know that these people want it, where the table does not say.
        #[arg(long, value_name = "TEXT")]
        consent: Option<String>,
        /// Check and tell; keep nothing.
        #[arg(long)]
        dry_run: bool,
        /// Keep the rows that are right, even if others are not.
        #[arg(long)]
        skip_faulty: bool,
    },
    /// Write the list as a table (CSV), or all that is held about one address (JSON).
    Export {
        /// Where to (default: standard output).
        file: Option<PathBuf>,
        #[arg(long, value_name = "ADDRESS")]
        address: Option<String>,
    },
    /// Send somebody nothing until they are resumed.
    Pause { address: String },
    /// Go on after a pause, or after a bounce, a complaint or a wish to leave, with the stories of the last week.
    #[command(visible_alias = "unsuppress")]
    Resume { address: String },
    /// Tell the whole history of somebody: consent, mails, refusals, suppressions.
    Show { address: String },
    /// Take somebody out of the list, as if they had never been in it.
    Remove { address: String },
    /// Forget all about an address; a keyed hash of it keeps an import from bringing it back.
    Erase { address: String },
}

#[derive(Debug, Clone, Args)]
pub struct Chosen {
    /// Of the mail: one that there are words for.
    #[arg(long, value_name = "LANG")]
    language: Option<String>,
    /// Stories in these languages only.
    #[arg(long, value_delimiter = ',', value_name = "LANG,…")]
    languages: Vec<String>,
    #[arg(long, value_delimiter = ',', value_name = "ID,…")]
    topics: Vec<String>,
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    partners: Vec<String>,
    /// instant, daily, weekly, monthly.
    #[arg(long, default_value = "weekly")]
    cadence: String,
    /// 8, or 08:30.
    #[arg(long, default_value = "8")]
    hour: String,
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    timezone: String,
    /// A whole schedule instead: "Mon,Thu 18:30 Europe/Paris", or as cron has it.
    #[arg(long, conflicts_with_all = ["cadence", "hour", "timezone"])]
    schedule: Option<String>,
}

impl Chosen {
    fn choice(&self) -> Choice {
        Choice {
            language: self.language.clone().unwrap_or_default(),
            languages: self.languages.clone(),
            topics: self.topics.clone(),
            without: Vec::new(),
            partners: self.partners.clone(),
            cadence: self.cadence.clone(),
            hour: self.hour.clone(),
            timezone: self.timezone.clone(),
            schedule: self.schedule.clone().unwrap_or_default(),
        }
    }
}

fn address(text: &str) -> anyhow::Result<Address> {
    Ok(Address::parse(text).map_err(Usage)?)
}

fn not_there(address: &Address) -> anyhow::Error {
    Usage(format!("{address} is not in the list: `courant subscribers list` shows who is")).into()
}

/// Does what was asked.
///
/// # Errors
/// When the store or a file fails, or the address is not there.
pub fn subscribers(app: &App, wanted: &Subscribers) -> anyhow::Result<()> {
    let (key, now) = (&app.sender.key, app.clock.now());
    match wanted {
        Subscribers::List { state, format } => list(app, state.as_deref(), *format),
        Subscribers::Add { address: text, chosen, consent } => {
            let address = address(text)?;
            let faults = |faults: Vec<(&str, String)>| {
                Usage(
                    faults
                        .into_iter()
                        .map(|(field, fault)| format!("{field}: {fault}"))
                        .collect::<Vec<_>>()
                        .join("\n"),
                )
            };
            let preferences = app
                .subscription_options()
                .preferences(&chosen.choice(), &app.config.channel.language)
                .map_err(faults)?;
            if let Some(hint) = address.hint() {
                eprintln!("{address}: did they mean {hint}?");
            }
            let consent = Consent { source: consent.clone(), at: now };
            let added = subscribers::put(
                app.store(),
                key,
                address,
                preferences,
                consent,
                SubscriberState::Active,
                now,
            )?;
            println!("{} gets {}, {}", added.address, added.preferences.language, added.preferences.cadence);
            Ok(())
        }
        Subscribers::Import { file, consent, dry_run, skip_faulty } => {
            import(app, file, consent.as_deref(), *dry_run, *skip_faulty)
        }
        Subscribers::Export { file, address: wanted } => {
            let mut out: Box<dyn Write> = match file {
                Some(path) if path != Path::new("-") => Box::new(
                    std::fs::File::create(path)
                        .with_context(|| format!("cannot write {}", path.display()))?,
                ),
                _ => Box::new(std::io::stdout().lock()),
            };
            match wanted {
                Some(text) => {
                    writeln!(out, "{:#}", subscribers::everything(app.store(), key, &address(text)?)?)?
                }
                None => {
                    let mut table = csv::Writer::from_writer(out);
                    subscriber_csv::write_head(&mut table)?;
                    app.store().read(|r| {
                        r.subscribers().each(|subscriber| {
                            Ok::<_, anyhow::Error>(subscriber_csv::write(&mut table, &subscriber)?)
                        })
                    })?;
                    table.flush()?;
                }
            }
            Ok(())
        }
        Subscribers::Pause { address: text } => set_state(app, &address(text)?, SubscriberState::Paused),
        Subscribers::Resume { address: text } => recipient::resume(app, &address(text)?),
        Subscribers::Show { address: text } => recipient::show(app, &address(text)?),
        Subscribers::Remove { address: text } => {
            let address = address(text)?;
            if !subscribers::remove(app.store(), key, &address)? {
                return Err(not_there(&address));
            }
            println!("{address} is out of the list");
            Ok(())
        }
        Subscribers::Erase { address: text } => {
            let address = address(text)?;
            let was_known = subscribers::erase(app.store(), key, &address, now)?;
            println!(
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

/// Puts somebody who is in the list into another state, and says so.
///
/// # Errors
/// When the store fails, or the address is not in the list.
pub(super) fn set_state(app: &App, address: &Address, state: SubscriberState) -> anyhow::Result<()> {
    let key = &app.sender.key;
    let known = app
        .store()
        .read(|r| r.subscribers().get(&key.hash(address.as_str())))?
        .ok_or_else(|| not_there(address))?;
    let Subscriber { address, preferences, consent, .. } = known;
    let changed = subscribers::put(app.store(), key, address, preferences, consent, state, app.clock.now())?;
    println!("{} is {}", changed.address, changed.state.as_str());
    Ok(())
}

fn list(app: &App, state: Option<&str>, format: super::ListFormat) -> anyhow::Result<()> {
    let wanted = state
        .map(|text| {
            SubscriberState::parse(text).ok_or_else(|| Usage(format!("no state is called \"{text}\"")))
        })
        .transpose()?;
    let mut out = std::io::stdout().lock();
    let is_json = format == super::ListFormat::Jsonl;
    let row = |subscriber: Subscriber| -> anyhow::Result<()> {
        if wanted.is_some_and(|wanted| wanted != subscriber.state) {
            return Ok(());
        }
        let Subscriber { address, state, preferences, consent, created, last_issue, .. } = subscriber;
        if is_json {
            let object = serde_json::json!({ "address": address.as_str(), "state": state.as_str(), "preferences": preferences, "consent": consent, "created": created, "last_issue": last_issue });
            return Ok(writeln!(out, "{object}")?);
        }
        let interests = [
            &preferences.interests.languages,
            &preferences.interests.topics,
            &preferences.interests.partners,
        ]
        .map(|list| if list.is_empty() { "all".to_owned() } else { list.join(",") });
        let last = last_issue.map_or_else(|| "never".to_owned(), |at| at.strftime("%Y-%m-%d").to_string());
        Ok(writeln!(
            out,
            "{:<32}  {:<12}  {:<5}  {:<28}  {last:<10}  {}",
            address,
            state.as_str(),
            preferences.language,
            preferences.cadence.to_string(),
            interests.join(" · ")
        )?)
    };
    app.store().read(|r| r.subscribers().each(row))?;
    if !is_json {
        let counts: Vec<String> = app
            .store()
            .read(|r| r.subscribers().counts())?
            .into_iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        writeln!(
            out,
            "{}",
            if counts.is_empty() {
                "nobody yet: `courant subscribers add ADDRESS`, or /subscribe under `courant serve`".into()
            } else {
                counts.join(", ")
            }
        )?;
    }
    Ok(())
}

fn import(
    app: &App,
    file: &Path,
    consent: Option<&str>,
    is_dry: bool,
    skips_faulty: bool,
) -> anyhow::Result<()> {
    let (key, now) = (&app.sender.key, app.clock.now());
    let reader = std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut table =
        subscriber_csv::read(reader, &app.subscription_options(), &app.config.channel.language, now);
    if consent.is_none() {
        let silent = table.rows.iter().filter(|row| row.consent.is_none());
        table.faults.extend(silent.map(|row| {
            (row.line, "no consent_source: say with --consent TEXT how you know that they want it".to_owned())
        }));
        table.rows.retain(|row| row.consent.is_some());
    }
    table.faults.sort();
    for (line, fault) in &table.faults {
        eprintln!("{}:{line}: {fault}", file.display());
    }
    for (line, hint) in &table.hints {
        eprintln!("{}:{line}: hint: {hint}", file.display());
    }
    if !table.faults.is_empty() && !skips_faulty {
        return Err(Usage(format!(
            "{}, nothing was imported (--skip-faulty imports the rows that are right: {})",
            many(table.faults.len(), "fault", "faults"),
            table.rows.len()
        ))
        .into());
    }
    let (mut added, mut kept_out) = (0, 0);
    let fallback = consent.unwrap_or_default();
    for rows in table.rows.chunks(IMPORTED) {
        let imported = |w: &Unit<Writes>| -> anyhow::Result<(usize, Vec<String>)> {
            let (mut added, mut left_out) = (0, Vec::new());
            for row in rows {
                // Who left, bounced, complained or was erased is not brought back by a table.
                if let Some(reason) =
                    w.subscribers().suppression(&key.hash(row.address.as_str()), &DigestId::Personal)?
                {
                    left_out.push(format!("{}:{}: left out: {reason}", file.display(), row.line));
                    continue;
                }
                added += 1;
                let consent =
                    row.consent.clone().unwrap_or_else(|| Consent { source: fallback.to_owned(), at: now });
                subscribers::put_within(
                    w,
                    key,
                    row.address.clone(),
                    row.preferences.clone(),
                    consent,
                    row.state,
                    now,
                )?;
            }
            Ok((added, left_out))
        };
        let (count, left_out) =
            if is_dry { app.store().try_out(imported)? } else { app.store().write(imported)? };
        left_out.iter().for_each(|line| eprintln!("{line}"));
        added += count;
        kept_out += left_out.len();
    }
    println!(
        "{added} {}, {kept_out} left out, {} faulty",
        if is_dry { "would be imported" } else { "imported" },
        table.faults.len()
    );
    Ok(())
}

/// Reads what came back: a file or folder, `-`, `imap://` or `imaps://`, or `lmtp` to be handed it by a mail server.
///
/// # Errors
/// When the place cannot be read, or the store fails.
pub async fn bounces(app: &App, place: &str, listen: &str, config_path: &Path) -> anyhow::Result<()> {
    let mut count = 0usize;
    let mut take = |bytes: &[u8]| -> anyhow::Result<()> {
        count += 1;
        for line in take_one(app, bytes, &[])? {
            println!("{line}");
        }
        Ok(())
    };
    match place {
        "-" => mailbox::each_in(std::io::stdin().lock(), &mut take)?,
        "lmtp" => return hand_over(app, listen).await,
        url if url.starts_with("imap://") || url.starts_with("imaps://") => {
            let url = url::Url::parse(url)
                .map_err(|error| Usage(format!("\"{place}\" is no address of a mailbox: {error}")))?;
            let secret = url
                .query_pairs()
                .find(|(name, _)| name == "password")
                .map_or("env:COURANT_IMAP_PASSWORD".to_owned(), |(_, value)| value.into_owned());
            let absolute = std::path::absolute(config_path)?;
            let password = config::secret_at(&secret, absolute.parent().unwrap_or(Path::new(".")))
                .map_err(|error| Usage(format!("the password of the mailbox: {error}")))?;
            imap::each_unread(&url, password.expose(), app::mail_tls(&app.config.mail)?, &mut take).await?;
        }
        path => mailbox::each_under(Path::new(path), &mut take)?,
    }
    println!("{} read", many(count, "message", "messages"));
    Ok(())
}

fn take_one(app: &App, bytes: &[u8], recipients: &[String]) -> anyhow::Result<Vec<String>> {
    returned::take(
        app.store(),
        &app.sender.key,
        app.sender.bounces.is_some(),
        bytes,
        recipients,
        app.clock.now(),
    )
}

async fn hand_over(app: &App, listen: &str) -> anyhow::Result<()> {
    let listener =
        tokio::net::TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    eprintln!("LMTP on {}", listener.local_addr()?);
    let (store, key, clock, has_return_paths) =
        (app.refresher.store.clone(), app.sender.key.clone(), app.clock, app.sender.bounces.is_some());
    let take = move |bytes: &[u8], recipients: &[String]| match returned::take(
        &store,
        &key,
        has_return_paths,
        bytes,
        recipients,
        clock.now(),
    ) {
        Ok(lines) => {
            lines.iter().for_each(|line| println!("{line}"));
            true
        }
        Err(error) => {
            tracing::error!("a returned message could not be dealt with: {error:#}");
            false
        }
    };
    lmtp::serve(listener, Arc::new(take), app.stop.clone().cancelled_owned()).await?;
    Ok(())
}

/// When somebody's next issue comes, and from when their last one was.
pub fn since(subscriber: &Subscriber) -> String {
    subscriber.last_issue.map_or_else(
        || "they have had none yet".to_owned(),
        |at: Timestamp| format!("their last issue is of {}", at.strftime("%Y-%m-%d %H:%MZ")),
    )
}
