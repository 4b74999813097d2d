//! Adds sources to the configuration; its comments and layout are kept.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table};
use url::Url;

use super::ConfigError;
use crate::model::source::{Source, SourceKind};
use crate::support::files;
use crate::support::text::fold;

/// Maximum length of an id that is made of a name.
const ID_CHARS_MAX: usize = 40;

/// Why nothing was added.
#[derive(Debug, thiserror::Error)]
pub enum AdditionError {
    /// The configuration is faulty, or would be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Faulty(String),
    /// It was read, and what is new cannot be kept in it.
    #[error("cannot write {}: {cause}", .path.display())]
    Unwritable { path: PathBuf, cause: std::io::Error },
}

/// One at a time, so that no addition of this process undoes another.
static ADDING: Mutex<()> = Mutex::new(());

/// A source that may be added.
#[derive(Debug, Clone, Default)]
pub struct NewSource {
    /// The id that it had in another courant.
    pub id: Option<String>,
    /// What its id is made of, and what readers see if there is no partner.
    pub name: String,
    pub address: String,
    pub partner: Option<String>,
    pub language: Option<String>,
    pub tags: Vec<String>,
}

/// What becomes of a source that may be added.
pub enum SourceFate {
    /// Added under this id.
    New(String),
    /// The source with this id reads the address already.
    Known(String),
    /// It cannot be a source, in words.
    Refused(String),
}

/// Says what becomes of sources, and writes those that are new unless it `is_dry`.
///
/// # Errors
/// When the configuration is faulty, would be with them, or cannot be written.
pub fn add(path: &Path, wanted: &[NewSource], is_dry: bool) -> Result<Vec<SourceFate>, AdditionError> {
    let _alone = ADDING.lock().unwrap_or_else(PoisonError::into_inner);
    let config = super::load(path)?;
    let fates = fates(&config.sources, wanted);
    let is_new = |fate: &SourceFate| matches!(fate, SourceFate::New(_));
    if is_dry || !fates.iter().any(is_new) {
        return Ok(fates);
    }
    let text = std::fs::read_to_string(path)
        .map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
    let mut document: DocumentMut =
        text.parse().map_err(|error| AdditionError::Faulty(format!("{}: {error}", path.display())))?;
    let sources = document.entry("source").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let sources = sources.as_array_of_tables_mut().ok_or_else(|| {
        AdditionError::Faulty(format!("{}: \"source\" is not an array of tables", path.display()))
    })?;
    for (fate, source) in fates.iter().zip(wanted) {
        if let SourceFate::New(id) = fate {
            sources.push(table(id, source));
        }
    }
    let text = document.to_string();
    super::load_text(&text, path)?;
    // A link stays one.
    let path: PathBuf = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    files::write_atomically(&path, text.as_bytes())
        .map_err(|cause| AdditionError::Unwritable { path, cause })?;
    Ok(fates)
}

/// What stands in the configuration for a source that is new under an id.
pub fn as_toml(id: &str, source: &NewSource) -> String {
    let mut sources = ArrayOfTables::new();
    sources.push(table(id, source));
    let mut document = DocumentMut::new();
    document.insert("source", Item::ArrayOfTables(sources));
    document.to_string()
}

fn fates(known: &[Source], wanted: &[NewSource]) -> Vec<SourceFate> {
    let mut ids: HashSet<String> = known.iter().map(|source| source.id.clone()).collect();
    let mut addresses: HashMap<String, String> =
        known.iter().map(|source| (place(&source.url), source.id.clone())).collect();
    let fate = |source: &NewSource| {
        let url = match (SourceKind::of_address(&source.address).address)(&source.address) {
            Ok(url) => url,
            Err(reason) => return SourceFate::Refused(reason),
        };
        if let Some(id) = addresses.get(&place(&url)) {
            return SourceFate::Known(id.clone());
        }
        let known = source.id.clone().filter(|id| !ids.contains(id));
        let id = known.unwrap_or_else(|| free_id(&ids, &source.name, &url));
        ids.insert(id.clone());
        addresses.insert(place(&url), id.clone());
        SourceFate::New(id)
    };
    wanted.iter().map(fate).collect()
}

/// What two addresses of one document have in common, with or without TLS.
fn place(url: &Url) -> String {
    let whole = url.as_str();
    whole.split_once("://").map_or(whole, |(_, rest)| rest).trim_end_matches('/').to_owned()
}

/// An id made of a name, or else of the host, that no other source has.
fn free_id(taken: &HashSet<String>, name: &str, url: &Url) -> String {
    let slug = |text: &str| {
        let letters = fold(text).replace(|c: char| !c.is_ascii_alphanumeric(), " ");
        let slug = letters.split_whitespace().collect::<Vec<_>>().join("-");
        slug.chars().take(ID_CHARS_MAX).collect::<String>().trim_end_matches('-').to_owned()
    };
    let host = || slug(url.host_str().unwrap_or_default().trim_start_matches("www."));
    let wanted = [slug(name), host()].into_iter().find(|id| !id.is_empty());
    let wanted = wanted.unwrap_or_else(|| "source".to_owned());
    let numbered = (2..).map(|number| format!("{wanted}-{number}"));
    let mut candidates = std::iter::once(wanted.clone()).chain(numbered);
    candidates.find(|id| !taken.contains(id)).unwrap_or_default()
}

fn table(id: &str, source: &NewSource) -> Table {
    let mut table = Table::new();
    table["id"] = toml_edit::value(id);
    let partner = source.partner.as_ref().unwrap_or(&source.name).trim();
    if !partner.is_empty() {
        table["partner"] = toml_edit::value(partner);
    }
    table["url"] = toml_edit::value(source.address.as_str());
    if let Some(language) = &source.language {
        table["lang"] = toml_edit::value(language.as_str());
    }
    if !source.tags.is_empty() {
        table["tags"] = toml_edit::value(source.tags.iter().collect::<toml_edit::Array>());
    }
    table
}
