//! `courant probe`: reads one document as the pipeline would.

pub mod document;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use crate::app::{Usage, client, renderer};
use crate::classify::Classifier;
use crate::config::{self, Config, FetchConfig};
use crate::extract::prose_date::DateRules;
use crate::extract::{Document, PageRules};
use crate::fetch::client::{Accept, Client, FetchOutcome, Fetched, Meta};
use crate::model::guard::Allowed;
use crate::model::source::{Select, Source, SourceKind, Validators};
use crate::normalize::language::LanguageDetector;
use crate::pipeline::refresh::explore;
use crate::support::files;
use crate::support::terminal::{self, errln, outln};
use document::{ProbeResult, ProbedDocument};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProbeFormat {
    Text,
    Jsonfeed,
}

#[derive(Debug, Args)]
pub struct ProbeArguments {
    /// A file or a URL.
    document: String,
    /// The URL that the file came from.
    #[arg(long, value_name = "BASE")]
    url: Option<String>,
    #[arg(long, value_name = "CT")]
    content_type: Option<String>,
    #[arg(long, value_enum, default_value = "text")]
    format: ProbeFormat,
    /// Read the document as the page of one entry, and show its article.
    #[arg(long, conflicts_with = "write")]
    article: bool,
    /// Write the selectors that were found into the configuration; its comments and layout are kept.
    #[arg(long)]
    write: bool,
}

/// Reads a document and prints the result.
///
/// # Errors
/// When it cannot be fetched, or nothing can be read in it.
pub async fn probe(
    wanted: &ProbeArguments,
    is_verbose: bool,
    config_path: Option<&Path>,
    now: Timestamp,
) -> anyhow::Result<()> {
    if wanted.article {
        return print_article(wanted, config_path, now).await;
    }
    let (reading, url) = read(wanted, config_path, now).await?;
    match wanted.format {
        ProbeFormat::Jsonfeed => print_json(&reading.to_json_feed())?,
        ProbeFormat::Text => terminal::print_text(&reading.to_text(is_verbose)),
    }
    if wanted.write {
        let path = config_path.map_or_else(|| config::find(None), |path| Ok(path.to_owned()))?;
        write_found(&path, url.as_ref(), reading.select())?;
    }
    Ok(())
}

/// Reads a document, which also has the address that it is taken to be from.
///
/// # Errors
/// When it cannot be fetched, or nothing can be read in it.
pub(super) async fn read(
    wanted: &ProbeArguments,
    config_path: Option<&Path>,
    now: Timestamp,
) -> anyhow::Result<(ProbedDocument, Option<Url>)> {
    let config = config_path.and_then(|path| config::load(path).ok());
    let mut fetch = config.as_ref().map(|config| config.fetch.clone()).unwrap_or_default();
    let (mut fetched, client) = open(&wanted.document, config.as_ref(), &mut fetch, now).await?;
    let url = wanted.base()?.or_else(|| client.is_some().then(|| fetched.url.clone()));
    fetched.content_type = wanted.content_type.clone().or(fetched.content_type);
    let source = config
        .as_ref()
        .and_then(|config| config.sources.iter().find(|source| Some(&source.url) == url.as_ref()));
    let dates = DateRules::told(source.and_then(|source| source.date_order), now);
    let document =
        Document { bytes: &fetched.bytes, url: url.as_ref(), content_type: fetched.content_type.as_deref() };
    // With --write, selectors are determined anew, whatever is configured.
    let select = source.and_then(|source| source.select.clone()).filter(|_| !wanted.write);
    let mut found = document::find(document, &PageRules { select, dates, known: Arc::default() })
        .with_context(|| wanted.document.clone())?;
    fetched.bytes = Vec::new();
    if let Some(client) = &client {
        found = ask_endpoints(client, found, &fetched, source, now).await?;
    }
    found.feed.problems.extend(fetched.cut.take());
    let classifier = config.as_ref().map_or_else(
        || Ok(Classifier::new(&[])),
        |config| crate::app::classifier(config).map(|(classifier, _)| classifier),
    )?;
    let language_detector =
        config.as_ref().map(|config| LanguageDetector::new(&config.languages())).unwrap_or_default();
    let filter = source.map(|source| source.filter.clone()).unwrap_or_default();
    let reading = document::clean_found(found, url.as_ref(), &filter, &classifier, Some(&language_detector));
    Ok((reading, url))
}

impl ProbeArguments {
    /// What is at an address, read as a listing.
    pub(super) fn of_address(address: &str) -> ProbeArguments {
        ProbeArguments {
            document: address.to_owned(),
            url: None,
            content_type: None,
            format: ProbeFormat::Text,
            article: false,
            write: false,
        }
    }

    /// The address given for a file.
    fn base(&self) -> Result<Option<Url>, Usage> {
        let parsed = self
            .url
            .as_deref()
            .map(|text| Url::parse(text).map_err(|error| Usage(format!("--url {text}: {error}"))));
        parsed.transpose()
    }
}

/// Reads a document as the page of one entry, and prints its article.
async fn print_article(
    wanted: &ProbeArguments,
    config_path: Option<&Path>,
    now: Timestamp,
) -> anyhow::Result<()> {
    let config = config_path.and_then(|path| config::load(path).ok());
    let mut fetch = config.as_ref().map(|config| config.fetch.clone()).unwrap_or_default();
    let (fetched, client) = open(&wanted.document, config.as_ref(), &mut fetch, now).await?;
    let url = wanted.base()?.or_else(|| client.is_some().then(|| fetched.url.clone()));
    let is_it = |source: &&Source| Some(&source.url) == url.as_ref();
    let source = config.as_ref().and_then(|config| config.sources.iter().find(is_it));
    let dates = DateRules::told(source.and_then(|source| source.date_order), now);
    let content_type = wanted.content_type.clone().or(fetched.content_type);
    let document =
        Document { bytes: &fetched.bytes, url: url.as_ref(), content_type: content_type.as_deref() };
    let article = document::article(document, dates);
    match wanted.format {
        ProbeFormat::Jsonfeed => print_json(&article)?,
        ProbeFormat::Text => {
            outln!("{}", article["items"][0]["content_text"].as_str().unwrap_or_default())
        }
    }
    Ok(())
}

/// Writes the selectors found for a page into the configuration.
fn write_found(config_path: &Path, url: Option<&Url>, select: Option<&Select>) -> anyhow::Result<()> {
    let select = select.ok_or_else(|| {
        Usage("there are no selectors to write: it was not read as a page that selectors describe".into())
    })?;
    let url = url.ok_or_else(|| Usage("--write needs the address of the page: give it with --url".into()))?;
    write_select(config_path, url, select)?;
    errln!("{}: selectors of {url} written", config_path.display());
    Ok(())
}

fn print_json(value: &Value) -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(terminal::stdout());
    serde_json::to_writer(&mut out, value).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

/// Opens the document; also returns the client if it was fetched from the network.
async fn open(
    name: &str,
    config: Option<&Config>,
    fetch: &mut FetchConfig,
    now: Timestamp,
) -> anyhow::Result<(Fetched, Option<Client>)> {
    let kind = SourceKind::of_address(name);
    if kind.name == SourceKind::AUTO.name && !name.starts_with("http://") && !name.starts_with("https://") {
        return Ok((read_file(name, fetch.body_bytes_max)?, None));
    }
    let url = (kind.address)(name).map_err(Usage)?;
    // What the operator types is the operator's own wish; where it redirects to is not.
    fetch.allow.extend(Allowed::host_of(&url));
    let client = client(fetch)?;
    let has_url = |source: &Source| source.is_rendered && source.url == url;
    if config.is_some_and(|config| config.sources.iter().any(has_url))
        && let Some(renderer) = renderer(fetch)?
    {
        return Ok((renderer.render(&url, now).await?, Some(client)));
    }
    match client.get(&url, &Validators::default(), Accept::Feed, now).await? {
        FetchOutcome::Document(fetched) => Ok((*fetched, Some(client))),
        FetchOutcome::NotModified(_) => bail!("{url} answers 304 to a first request"),
    }
}

/// Reads a file, up to the size limit for documents from the network.
fn read_file(name: &str, bytes_max: usize) -> anyhow::Result<Fetched> {
    let unreadable = |error: std::io::Error| Usage(format!("cannot read {name}: {error}"));
    let mut bytes = Vec::new();
    std::fs::File::open(name)
        .map_err(unreadable)?
        .take(bytes_max as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let cut = (bytes.len() > bytes_max)
        .then(|| format!("the document is longer than {bytes_max} bytes and was cut there"));
    bytes.truncate(bytes_max);
    let nowhere = Url::parse("file:///").context("a constant")?;
    Ok(Fetched { bytes, url: nowhere, content_type: None, meta: Meta::default(), cut })
}

/// Tries the page's machine-readable endpoints first, as the pipeline does.
async fn ask_endpoints(
    client: &Client,
    found: ProbeResult,
    page: &Fetched,
    source: Option<&Source>,
    now: Timestamp,
) -> anyhow::Result<ProbeResult> {
    if found.endpoints.is_empty() || source.is_some_and(|source| source.select.is_some()) {
        return Ok(found);
    }
    let must_cover = source.is_some_and(|source| !source.kind.may_be_feed);
    let listed = explore::PageEntries::of(&found.feed, must_cover);
    let rules = DateRules::told(source.and_then(|source| source.date_order), now);
    let (endpoints, mut time) = (&found.endpoints, std::time::Duration::MAX);
    let explored =
        explore::explore(client, endpoints, &page.url, Some(&listed), rules, now, &mut time).await?;
    Ok(match explored {
        Some(endpoint) => ProbeResult {
            way: endpoint.feed.format.page_method(),
            feed: endpoint.feed,
            select: found.select,
            endpoints: found.endpoints,
        },
        None => found,
    })
}

/// A source for a page that is not configured yet.
fn new_source(url: &Url) -> toml_edit::Table {
    let host = url.host_str().unwrap_or("page").trim_start_matches("www.");
    let id: String = host.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let mut new = toml_edit::Table::new();
    new["id"] = toml_edit::value(id);
    new["kind"] = toml_edit::value("page");
    new["url"] = toml_edit::value(url.as_str());
    new
}

/// Replaces the selectors of a table; `next`, which is never determined, is kept.
fn put_selectors(table: &mut dyn toml_edit::TableLike, select: &Select) {
    let keys = document::select_keys(select);
    let stale: Vec<String> = table
        .iter()
        .map(|(key, _)| key.to_owned())
        .filter(|key| key != "next" && keys.iter().all(|(known, _)| known != key))
        .collect();
    stale.iter().for_each(|key| drop(table.remove(key)));
    for (key, value) in keys {
        // An existing value keeps the comment behind it.
        match table.get_mut(key).and_then(toml_edit::Item::as_value_mut) {
            Some(old) => {
                let decor = old.decor().clone();
                *old = value.into();
                *old.decor_mut() = decor;
            }
            None => drop(table.insert(key, toml_edit::value(value))),
        }
    }
}

/// Puts selectors into the source with that address, or into a new one at the end.
fn write_select(path: &Path, url: &Url, select: &Select) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Usage(format!("cannot read {}: {error}", path.display())))?;
    let mut document: toml_edit::DocumentMut =
        text.parse().map_err(|error| Usage(format!("{}: {error}", path.display())))?;
    let sources =
        document.entry("source").or_insert(toml_edit::Item::ArrayOfTables(toml_edit::ArrayOfTables::new()));
    let sources = sources
        .as_array_of_tables_mut()
        .ok_or_else(|| Usage(format!("{}: \"source\" is not an array of tables", path.display())))?;
    let is_it = |source: &toml_edit::Table| {
        source.get("url").and_then(toml_edit::Item::as_str).and_then(|text| Url::parse(text).ok()).as_ref()
            == Some(url)
    };
    if !sources.iter().any(is_it) {
        sources.push(new_source(url));
    }
    for source in sources.iter_mut().filter(|source| is_it(source)) {
        let table = source.entry("select").or_insert(toml_edit::Item::Table(toml_edit::Table::new()));
        let table = table.as_table_like_mut().ok_or_else(|| Usage("\"select\" is not a table".into()))?;
        put_selectors(table, select);
    }
    let path: PathBuf = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    files::write_atomically(&path, document.to_string().as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}
