//! `courant desk`: the desk of editors, on the command line.

use std::io::Write;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::stories::find;
use crate::app::{App, Usage};
use crate::model::address::parse_web_url;
use crate::model::desk::{DeskAction, DeskField, DeskText, HandStory};
use crate::model::digest::Digest;
use crate::model::keys::{EntryKey, RulingKey};
use crate::model::mail_address::Address;
use crate::pipeline::desk::reading::read_story;
use crate::pipeline::desk::view::{DeskLogLine, DeskStory, DeskView, view};
use crate::pipeline::desk::{self, DeskOutcome};
use crate::pipeline::mail::drafts::desk_token;
use crate::support::i18n::parse_interface_language;
use crate::support::terminal::{self, outln};
use crate::support::text::{did_you_mean, many};

#[derive(Debug, clap::Args)]
pub(super) struct DeskArguments {
    /// The digest; needed where there are several.
    #[arg(long, global = true, value_name = "ID")]
    digest: Option<String>,
    /// Who rules, for the log.
    #[arg(long, global = true, value_name = "NAME", default_value = "operator")]
    by: String,
    #[command(subcommand)]
    command: DeskCommand,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DeskFormat {
    Text,
    Json,
}

/// The language of a text, and how far it goes.
#[derive(Debug, clap::Args)]
struct TextOptions {
    /// For readers of this language [default: that of the digest].
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// In everything that is published in that language, not only in this issue.
    #[arg(long)]
    everywhere: bool,
}

#[derive(Debug, Subcommand)]
enum DeskCommand {
    /// List the next issues.
    List {
        /// Output format.
        #[arg(long, value_enum, default_value = "text")]
        format: DeskFormat,
    },
    /// Show the next issue as it would be now.
    Show {
        /// Output format.
        #[arg(long, value_enum, default_value = "text")]
        format: DeskFormat,
    },
    /// Put a story before all others, in each issue that it fits.
    Pin { story: String },
    /// Send a story to nobody.
    Drop { story: String },
    /// Hold a story for the issue after the next one.
    Hold { story: String },
    /// Take back that a story is pinned, dropped or held.
    Clear { story: String },
    /// Move a story before or after another one under the same heading.
    Move {
        story: String,
        /// The story that it shall stand before.
        #[arg(long, value_name = "STORY", required_unless_present = "after", conflicts_with = "after")]
        before: Option<String>,
        /// The story that it shall stand after.
        #[arg(long, value_name = "STORY")]
        after: Option<String>,
    },
    /// Merge two stories into one, for good, as `courant merge` does.
    Merge { story: String, other: String },
    /// Write a headline; an empty one takes it back.
    Headline {
        story: String,
        text: String,
        #[command(flatten)]
        options: TextOptions,
    },
    /// Write the text below a headline.
    Summary {
        story: String,
        text: String,
        #[command(flatten)]
        options: TextOptions,
    },
    /// Write an introduction; empty lines part its paragraphs.
    Introduction {
        text: String,
        #[command(flatten)]
        options: TextOptions,
    },
    /// Add a story of your own to the next issue.
    Add {
        title: String,
        text: Option<String>,
        /// Where its headline leads.
        #[arg(long, value_name = "ADDRESS")]
        url: Option<String>,
        /// Under which topic it stands.
        #[arg(long, value_name = "ID")]
        topic: Option<String>,
    },
    /// Add a story from an address, which is read: title, text and language.
    Read {
        /// Where it stands.
        url: String,
        /// Under which topic it stands.
        #[arg(long, value_name = "ID")]
        topic: Option<String>,
    },
    /// Undo a ruling.
    Undo {
        /// Its number in the log [default: the last one].
        number: Option<i64>,
    },
    /// Let the next issue go, where it waits for that.
    Release,
    /// Print an editor's link to the desk of the next issue.
    Link {
        /// The editor's address.
        editor: String,
    },
    /// List who did what.
    Log {
        /// Output format.
        #[arg(long, value_enum, default_value = "text")]
        format: DeskFormat,
    },
}

/// Runs the command.
pub(super) async fn desk(app: &App, wanted: &DeskArguments) -> anyhow::Result<()> {
    if let DeskCommand::List { format } = &wanted.command {
        return list(app, *format);
    }
    let digest = chosen(app, wanted.digest.as_deref())?;
    match &wanted.command {
        DeskCommand::Show { format } => show(app, digest, *format),
        DeskCommand::Log { format } => log(app, digest, *format),
        DeskCommand::Link { editor } => link(app, digest, editor),
        DeskCommand::Read { url, topic } => {
            let action = read(app, digest, url, topic.as_deref()).await?;
            rule(app, digest, &action, &wanted.by)
        }
        command => {
            let action = action(app, digest, command)?;
            rule(app, digest, &action, &wanted.by)
        }
    }
}

fn chosen<'a>(app: &'a App, id: Option<&str>) -> anyhow::Result<&'a Digest> {
    let digests = &app.config.digests;
    let ids = || digests.iter().map(|digest| digest.id.as_str());
    match id {
        Some(id) => digests
            .iter()
            .find(|digest| digest.id.as_str() == id)
            .ok_or_else(|| Usage(format!("no digest has the id \"{id}\"{}", did_you_mean(id, ids()))).into()),
        None => match digests.as_slice() {
            [one] => Ok(one),
            [] => Err(Usage("there is no [[digest]]".into()).into()),
            _ => {
                let ids: Vec<&str> = ids().collect();
                Err(Usage(format!("say which digest: --digest {}", ids.join(" or --digest "))).into())
            }
        },
    }
}

/// The story that a name means: `hand-` and a number, or an entry of it.
fn story(app: &App, name: &str) -> anyhow::Result<EntryKey> {
    if let Some(number) = name.strip_prefix("hand-").and_then(|number| number.parse().ok()) {
        return Ok(RulingKey(number).story());
    }
    let entry = find(app.store(), name)?;
    Ok(app.store().read(|r| r.entries().story_of(entry.order))?.anchor())
}

/// A story as its page tells it.
async fn read(app: &App, digest: &Digest, url: &str, topic: Option<&str>) -> anyhow::Result<DeskAction> {
    let topic = topic.map(|id| known_topic(app, id)).transpose()?;
    let url = parse_web_url(url).map_err(Usage)?;
    let story = read_story(&app.refresher.client, &url, app.clock.now()).await;
    let story = story.with_context(|| format!("{url} cannot be read"))?;
    let language = story.language.as_deref().unwrap_or(&digest.language);
    let story = HandStory::new(&story.title, &story.text, &story.url, topic, language);
    Ok(DeskAction::Add(story.map_err(Usage)?))
}

/// What a command rules.
fn action(app: &App, digest: &Digest, command: &DeskCommand) -> anyhow::Result<DeskAction> {
    let write = |field, name: Option<&str>, text: &str, options: &TextOptions| {
        let language = match &options.language {
            Some(tag) => parse_interface_language(tag).map_err(Usage)?,
            None => digest.language.clone(),
        };
        let name = name.map(|name| story(app, name)).transpose()?;
        let text = DeskText::new(field, name, &language, text);
        Ok::<_, anyhow::Error>(DeskAction::Write(DeskText { is_everywhere: options.everywhere, ..text }))
    };
    Ok(match command {
        DeskCommand::Pin { story: name } => DeskAction::Pin(story(app, name)?),
        DeskCommand::Drop { story: name } => DeskAction::Drop(story(app, name)?),
        DeskCommand::Hold { story: name } => DeskAction::Hold(story(app, name)?),
        DeskCommand::Clear { story: name } => DeskAction::Clear(story(app, name)?),
        DeskCommand::Move { story: name, before, after } => {
            let other = before.as_ref().or(after.as_ref()).map_or("", String::as_str);
            DeskAction::Move {
                story: story(app, name)?,
                other: story(app, other)?,
                is_after: after.is_some(),
            }
        }
        DeskCommand::Merge { story: name, other } => {
            DeskAction::Merge { story: story(app, name)?, other: story(app, other)? }
        }
        DeskCommand::Headline { story, text, options } => {
            write(DeskField::Headline, Some(story), text, options)?
        }
        DeskCommand::Summary { story, text, options } => {
            write(DeskField::Summary, Some(story), text, options)?
        }
        DeskCommand::Introduction { text, options } => write(DeskField::Introduction, None, text, options)?,
        DeskCommand::Add { title, text, url, topic } => {
            let topic = topic.as_deref().map(|id| known_topic(app, id)).transpose()?;
            let (text, url) = (text.as_deref().unwrap_or_default(), url.as_deref().unwrap_or_default());
            let story = HandStory::new(title, text, url, topic, &digest.language);
            DeskAction::Add(story.map_err(Usage)?)
        }
        DeskCommand::Undo { number } => DeskAction::Undo(undone(app, digest, *number)?),
        DeskCommand::Release => DeskAction::Release,
        DeskCommand::List { .. }
        | DeskCommand::Read { .. }
        | DeskCommand::Show { .. }
        | DeskCommand::Log { .. }
        | DeskCommand::Link { .. } => {
            anyhow::bail!("nothing is ruled by this")
        }
    })
}

fn known_topic(app: &App, id: &str) -> anyhow::Result<String> {
    let topics = &app.config.topics;
    if topics.iter().any(|topic| topic.id == id) {
        return Ok(id.to_owned());
    }
    let near = did_you_mean(id, topics.iter().map(|topic| topic.id.as_str()));
    Err(Usage(format!("no [[topic]] has the id \"{id}\"{near}")).into())
}

/// The ruling to undo: the one of a number, or the last one.
fn undone(app: &App, digest: &Digest, number: Option<i64>) -> anyhow::Result<RulingKey> {
    if let Some(number) = number {
        return Ok(RulingKey(number));
    }
    let rulings = app.store().read(|r| match r.desk().open_draft(&digest.id)? {
        Some(draft) => r.desk().rulings_on(draft.key),
        None => Ok(Vec::new()),
    })?;
    let last = desk::last(&rulings).map(|ruling| ruling.key);
    last.ok_or_else(|| Usage(format!("there is nothing to undo on the next issue of {}", digest.id)).into())
}

fn rule(app: &App, digest: &Digest, action: &DeskAction, who: &str) -> anyhow::Result<()> {
    let (store, now) = (app.store(), app.clock.now());
    let draft = desk::open(store, digest, now)?;
    let said = match desk::rule(store, draft.key, action, who, None, now)? {
        DeskOutcome::Done(number) => format!("ruling {number}: {}", action.as_str()),
        DeskOutcome::Already => "it was so already".into(),
        DeskOutcome::NotThere => {
            let why = match action {
                DeskAction::Undo(number) => format!("the next issue of {} has no ruling {number}", digest.id),
                DeskAction::Hold(_) => {
                    "there is no such story, or it was written for this issue, which cannot wait".into()
                }
                _ => "there is no such story".to_owned(),
            };
            return Err(Usage(why).into());
        }
        DeskOutcome::Closed | DeskOutcome::Conflict(_) => {
            anyhow::bail!("the issue went out in the meantime: nothing was changed")
        }
    };
    outln!("{}: {said}", digest.id);
    Ok(())
}

fn link(app: &App, digest: &Digest, editor: &str) -> anyhow::Result<()> {
    let address = Address::parse(editor).map_err(Usage)?;
    let Some(editor) = digest.editors.iter().find(|known| **known == address) else {
        return Err(Usage(format!("{address} is not among the editors of {}", digest.id)).into());
    };
    let Some(public) = &app.sender.public_url else {
        return Err(Usage("there is no address to link to: set url in [channel]".into()).into());
    };
    let draft = desk::open(app.store(), digest, app.clock.now())?;
    outln!("{public}/desk/{}", desk_token(&app.sender.key, &draft, editor));
    Ok(())
}

fn looked_at(app: &App, digest: &Digest) -> anyhow::Result<DeskView> {
    Ok(view(app.store(), app.catalog(), digest, &digest.language, app.clock.now())?)
}

/// What a digest's next issue waits for, in words.
fn state(view: &DeskView) -> &'static str {
    match (view.waits, view.is_released) {
        (_, true) => "released",
        (true, false) => "waits for an editor to release it",
        (false, false) => "goes at its time",
    }
}

fn list(app: &App, format: DeskFormat) -> anyhow::Result<()> {
    let views: Vec<DeskView> =
        app.config.digests.iter().map(|digest| looked_at(app, digest)).collect::<anyhow::Result<_>>()?;
    let mut out = terminal::stdout();
    if format == DeskFormat::Json {
        let line = |view: &DeskView| {
            let stories: usize = view.groups.iter().map(|group| group.stories.len()).sum();
            json!({ "digest": view.digest, "slot": view.slot, "version": view.version, "waits": view.waits, "is_released": view.is_released, "stories": stories, "left_out": view.left_out.len() })
        };
        return Ok(writeln!(out, "{}", json!(views.iter().map(line).collect::<Vec<_>>()))?);
    }
    for view in &views {
        writeln!(out, "{}", head(view))?;
    }
    if views.is_empty() {
        writeln!(out, "there is no [[digest]]")?;
    }
    Ok(())
}

/// A line about a next issue.
fn head(view: &DeskView) -> String {
    let stories: usize = view.groups.iter().map(|group| group.stories.len()).sum();
    format!(
        "{}  {}  {}, {} left out, {}",
        view.digest,
        view.slot.strftime("%Y-%m-%d %H:%MZ"),
        many(stories, "story", "stories"),
        view.left_out.len(),
        state(view)
    )
}

fn show(app: &App, digest: &Digest, format: DeskFormat) -> anyhow::Result<()> {
    let view = looked_at(app, digest)?;
    let mut out = terminal::stdout();
    if format == DeskFormat::Json {
        return Ok(writeln!(out, "{}", serde_json::to_string(&view)?)?);
    }
    writeln!(out, "{}", head(&view))?;
    if !view.introduction.is_empty() {
        writeln!(out, "\n{}", view.introduction)?;
    }
    for group in &view.groups {
        writeln!(out, "\n## {}", group.label)?;
        group.stories.iter().try_for_each(|story| writeln!(out, "{}", story_line(story)))?;
    }
    if !view.left_out.is_empty() {
        writeln!(out, "\nleft out:")?;
        view.left_out.iter().try_for_each(|story| writeln!(out, "{}", story_line(story)))?;
    }
    Ok(())
}

fn story_line(story: &DeskStory) -> String {
    let place = if story.is_beyond { "no room" } else { story.place };
    format!("  {}  {place:<7}  {:<2}  {}  \"{}\"", story.id, story.language, story.partner, story.title)
}

fn log(app: &App, digest: &Digest, format: DeskFormat) -> anyhow::Result<()> {
    let view = looked_at(app, digest)?;
    let mut out = terminal::stdout();
    if format == DeskFormat::Json {
        return Ok(writeln!(out, "{}", serde_json::to_string(&view.log)?)?);
    }
    view.log.iter().rev().try_for_each(|line| writeln!(out, "{}", log_line(line)))?;
    if view.log.is_empty() {
        writeln!(out, "nobody has ruled on the next issue of {}", digest.id)?;
    }
    Ok(())
}

fn log_line(line: &DeskLogLine) -> String {
    let undone = if line.is_undone { "  (undone)" } else { "" };
    let about = line.undid.map_or_else(|| line.about.replace('\n', " "), |number| number.to_string());
    let at = line.at.strftime("%Y-%m-%d %H:%MZ");
    format!("{:>4}  {at}  {}  {}  {about}{undone}", line.number, line.who, line.what)
}
