//! Commands about stories: which entries belong together, why, and rulings by the operator.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

use crate::app::{App, Usage, progress};
use crate::cli::cluster::{ClusterError, Clustering};
use crate::dedupe::placement::Assessment;
use crate::model::story::StoredEntry;
use crate::pipeline::maintenance;
use crate::store::Store;
use crate::support::terminal::{self, errln, outln};
use crate::support::text::many;

/// Size of the input and output buffers, in bytes.
const BUFFER: usize = 1 << 20;

/// `courant cluster`.
pub(super) fn cluster(file: &Path) -> anyhow::Result<()> {
    let shown = file.display();
    let reader: Box<dyn BufRead> = if file.as_os_str() == "-" {
        Box::new(BufReader::with_capacity(BUFFER, std::io::stdin()))
    } else {
        Box::new(BufReader::with_capacity(
            BUFFER,
            std::fs::File::open(file).with_context(|| format!("cannot read {shown}"))?,
        ))
    };
    let mut clustering = Clustering::default();
    match clustering.read(reader) {
        Err(error @ ClusterError::UnknownField { .. }) => {
            return Err(Usage(format!("{shown}, {error}")).into());
        }
        read => read.with_context(|| format!("cannot read {shown}"))?,
    }
    for problem in &clustering.problems {
        errln!("{problem}");
    }
    let mut out = BufWriter::with_capacity(BUFFER, terminal::stdout());
    for placed in clustering.into_placed() {
        let line = json!({ "id": placed.id, "cluster": placed.cluster, "relation": placed.relation.as_str(), "reason": placed.reason });
        writeln!(out, "{line}")?;
    }
    Ok(out.flush()?)
}

/// Maximum number of entries that a name may match.
const NAMESAKES_MAX: usize = 10;

/// The entry meant by an id or a prefix of one, an address, or a guid.
pub(super) fn find(store: &Store, name: &str) -> anyhow::Result<StoredEntry> {
    let mut found = store.read(|r| r.entries().find(name.trim(), NAMESAKES_MAX))?;
    match found.len() {
        0 => Err(Usage(format!("no entry matches \"{name}\": give its id (six characters are enough), its address or its guid; `courant entries --format jsonl` shows them")).into()),
        1 => Ok(found.remove(0)),
        _ => {
            let lines: Vec<String> = found.iter().map(line).collect();
            Err(Usage(format!("\"{name}\" matches several entries: give the id of one:\n{}", lines.join("\n"))).into())
        }
    }
}

fn line(stored: &StoredEntry) -> String {
    let entry = &stored.entry;
    let date =
        entry.date().map_or_else(|| "no date".to_owned(), |date| date.strftime("%Y-%m-%d").to_string());
    format!(
        "  {}  {date}  {:<2}  {}  \"{}\"",
        entry.id,
        entry.language.as_deref().unwrap_or("?"),
        entry.source,
        entry.headline()
    )
}

fn opinion(stored: &StoredEntry, opinion: &Assessment) -> String {
    format!(
        "{}\n      {}: {} ({} %)",
        line(stored),
        opinion.relation.as_str(),
        opinion.reason,
        (opinion.score * 100.0).round()
    )
}

/// Prints an entry with its address, language and topics.
fn write_entry(out: &mut impl Write, entry: &StoredEntry) -> std::io::Result<()> {
    writeln!(out, "{}", line(entry))?;
    if let Some(url) = &entry.entry.url {
        writeln!(out, "      {url}")?;
    }
    if let Some(confidence) = entry.entry.language_confidence {
        let language = entry.entry.language.as_deref().unwrap_or("?");
        writeln!(out, "      language: {language} (confidence {} %)", (confidence * 100.0).round())?;
    }
    for topic in &entry.topics {
        writeln!(out, "      topic {}: {}", topic.topic, topic.reasons())?;
    }
    Ok(())
}

/// `courant explain`.
pub(super) fn explain(app: &App, name: &str) -> anyhow::Result<()> {
    let store = app.store();
    let entry = find(store, name)?;
    let explanation = maintenance::explain(store, &entry)?;
    let mut out = terminal::stdout();
    write_entry(&mut out, &entry)?;
    let versions = &explanation.story.versions;
    let size = match versions.len() {
        1 => "of which it is the only entry".to_owned(),
        count => format!("{count} entries"),
    };
    writeln!(out, "\nIts story ({}), {size}:", entry.story)?;
    for version in versions {
        let reason = version.reason.as_deref().unwrap_or("the first that was seen");
        writeln!(out, "{}\n      {reason}", line(version))?;
    }
    let language = entry.entry.language.as_deref().unwrap_or(&app.config.channel.language);
    let shown = explanation.story.version_for(language);
    writeln!(out, "      readers of \"{language}\" see {} ({})", shown.entry.id, shown.entry.source)?;
    if !explanation.own.is_empty() {
        writeln!(out, "\nWhat it has in common with them:")?;
    }
    for (stored, said) in &explanation.own {
        writeln!(out, "{}", opinion(stored, said))?;
    }
    let others = match explanation.others.is_empty() {
        true => "No entry of another story is near.",
        false => "The nearest entries of other stories, and why they are not with it:",
    };
    writeln!(out, "\n{others}")?;
    for (stored, said) in &explanation.others {
        writeln!(out, "{}", opinion(stored, said))?;
    }
    Ok(())
}

/// `courant merge`.
pub(super) fn merge(app: &App, one: &str, other: &str) -> anyhow::Result<()> {
    let store = app.store();
    let (one, other) = (find(store, one)?, find(store, other)?);
    if one.order == other.order {
        return Err(Usage("this is one entry: two are needed".into()).into());
    }
    maintenance::merge(store, &one, &other, app.clock.now())?;
    let story = store.read(|r| r.entries().story_of(one.order))?;
    outln!("one story of {} entries, and it stays so:", story.versions.len());
    story.versions.iter().for_each(|version| outln!("{}", line(version)));
    Ok(())
}

/// `courant split`.
pub(super) fn split(app: &App, name: &str) -> anyhow::Result<()> {
    let store = app.store();
    let entry = find(store, name)?;
    match maintenance::split(store, &entry, app.clock.now())? {
        0 => outln!("it was alone in its story"),
        count => {
            let others = many(count, "other", "others");
            outln!("{}\nis a story of its own now, and stays apart from {others}", line(&entry));
        }
    }
    Ok(())
}

/// `courant recluster`.
pub(super) fn recluster(app: &App, is_dry: bool) -> anyhow::Result<()> {
    let store = app.store();
    let entries = store.read(|r| r.entries().count())?;
    let bar = progress(entries, "entries ready to be compared");
    let ready = maintenance::make_ready(store, |count| {
        bar.inc(count as u64);
        true
    });
    bar.finish_and_clear();
    ready?;
    let bar = progress(entries, "entries");
    let changes = maintenance::recluster(store, is_dry, |count| bar.inc(count as u64));
    bar.finish_and_clear();
    let changes = changes?;
    let moved = if is_dry { "would move" } else { "moved" };
    outln!(
        "{} looked at, {} {moved} to another story; nothing is announced again",
        many(changes.entries, "entry", "entries"),
        changes.changed
    );
    Ok(())
}
