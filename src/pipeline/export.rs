//! Moves everything that is stored out to a folder of files in open formats, and back into an empty store.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::export::{self, ReadRow, RowWriter, STATE_FOLDER, file_of};
use crate::model::table::{ColumnShape, StoredValue, TableShape};
use crate::store::{Read, Store, Unit, Write};
use crate::support::files;

/// Written last: a folder without it is no whole export.
const MANIFEST: &str = "manifest.json";
const README: &str = "README.md";
pub const SOURCES: &str = "sources.opml";
/// The layout of the files. One is only ever added to.
const FORMAT: u32 = 1;
/// Rows added together.
const ROWS_TOGETHER: usize = 1_000;

/// What an export holds.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    written_by: String,
    /// The greatest number that a subscriber ever had: none is given out twice.
    last_subscriber: i64,
    /// By the name of the table.
    tables: BTreeMap<String, ExportedTable>,
}

/// A table of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedTable {
    pub file: String,
    pub rows: u64,
}

/// What of an export does not come from the store.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The list of sources (OPML).
    pub sources: &'a [u8],
    /// The address that issues come from.
    pub from: &'a str,
}

/// Writes everything to a new or empty folder that only its owner can enter; `on_row` is told of each row.
///
/// # Errors
/// When something is in the folder, or the store or the disk fails.
pub fn write(
    store: &Store,
    folder: &Path,
    around: &Surroundings,
    mut on_row: impl FnMut(),
) -> anyhow::Result<Vec<ExportedTable>> {
    let in_folder = || folder.display().to_string();
    files::create_private_folder(folder).with_context(in_folder)?;
    let is_empty = std::fs::read_dir(folder).with_context(in_folder)?.next().is_none();
    ensure!(is_empty, "{} holds something already: name a new folder", folder.display());
    files::create_private_folder(&folder.join(STATE_FOLDER)).with_context(in_folder)?;
    let (tables, last_subscriber) = store.read(|r| -> anyhow::Result<_> {
        let mut tables = BTreeMap::new();
        for table in r.tables().shapes()? {
            let (file, _) = file_of(&table.name);
            let rows = write_table(r, &table, folder, around.from, &mut on_row)
                .with_context(|| folder.join(&file).display().to_string())?;
            tables.insert(table.name, ExportedTable { file, rows });
        }
        Ok((tables, r.tables().last_subscriber()?))
    })?;
    let written_by = format!("courant {}", env!("CARGO_PKG_VERSION"));
    let manifest = Manifest { format: FORMAT, written_by, last_subscriber, tables };
    let manifest_text = serde_json::to_string_pretty(&manifest)? + "\n";
    for (name, bytes) in [
        (SOURCES, around.sources),
        (README, include_bytes!("export/README.md").as_slice()),
        (MANIFEST, manifest_text.as_bytes()),
    ] {
        let path = folder.join(name);
        files::write_privately(&path, bytes).with_context(|| path.display().to_string())?;
    }
    Ok(manifest.tables.into_values().collect())
}

fn write_table(
    r: &Unit<Read>,
    table: &TableShape,
    folder: &Path,
    from: &str,
    on_row: &mut impl FnMut(),
) -> anyhow::Result<u64> {
    let (file, format) = file_of(&table.name);
    let out = BufWriter::new(files::create_private(&folder.join(file))?);
    let mut out = RowWriter::new(table, format, from, out)?;
    let mut rows = 0;
    r.tables().each(table, |row| {
        rows += 1;
        on_row();
        anyhow::Ok(out.put(&row)?)
    })?;
    out.end()?.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    Ok(rows)
}

/// Fills a store from such a folder, whole or not at all; what it holds is replaced only if that `is_wanted`. `on_rows` is told how many
/// rows there are, and then of each batch.
///
/// # Errors
/// When the folder is no whole export, a file of it is not as it was written, the store is not empty, or fails: it is left as it was.
pub fn read_back(
    store: &Store,
    folder: &Path,
    is_wanted: bool,
    mut on_rows: impl FnMut(u64),
) -> anyhow::Result<Vec<ExportedTable>> {
    let manifest = manifest(folder)?;
    let shapes = store.read(|r| r.tables().shapes())?;
    if let Some(unknown) = manifest.tables.keys().find(|name| shapes.iter().all(|table| table.name != **name))
    {
        bail!(
            "{} was written by {}, and holds \"{unknown}\", which this version does not know: use that one",
            folder.display(),
            manifest.written_by
        );
    }
    store.replace(is_wanted, |w| -> anyhow::Result<()> {
        w.tables().clear()?;
        for table in &shapes {
            if let Some(exported) = manifest.tables.get(&table.name) {
                let path = folder.join(file_of(&table.name).0);
                read_table(w, table, &path, exported.rows, &mut on_rows)
                    .with_context(|| path.display().to_string())?;
            }
        }
        Ok(w.tables().complete(manifest.last_subscriber)?)
    })?;
    Ok(manifest.tables.into_values().collect())
}

/// How many rows an export holds.
///
/// # Errors
/// When the folder is no whole export.
pub fn count(folder: &Path) -> anyhow::Result<u64> {
    Ok(manifest(folder)?.tables.values().map(|table| table.rows).sum())
}

fn manifest(folder: &Path) -> anyhow::Result<Manifest> {
    let path = folder.join(MANIFEST);
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "{} is no whole export of courant: {MANIFEST}, which is written last, cannot be read",
            folder.display()
        )
    })?;
    let manifest: Manifest = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    if manifest.format > FORMAT {
        bail!("{} was written by {}, a later version: use that one", folder.display(), manifest.written_by);
    }
    Ok(manifest)
}

fn read_table(
    w: &Unit<Write>,
    table: &TableShape,
    path: &Path,
    rows_wanted: u64,
    on_rows: &mut impl FnMut(u64),
) -> anyhow::Result<()> {
    let mut batch = RowBatch { w, table, columns: None, rows: Vec::new() };
    let mut rows = 0;
    export::read(table, file_of(&table.name).1, BufReader::new(File::open(path)?), |row| {
        rows += 1;
        let row = batch.columns_of(row)?;
        batch.rows.push(row);
        if batch.rows.len() == ROWS_TOGETHER {
            on_rows(batch.add()?);
        }
        Ok(())
    })?;
    on_rows(batch.add()?);
    ensure!(
        rows == rows_wanted,
        "it has {rows} rows, and {MANIFEST} says {rows_wanted}: the export is not whole, or was changed; nothing was brought back"
    );
    Ok(())
}

/// Rows that are added together.
struct RowBatch<'a, 'u> {
    w: &'a Unit<'u, Write>,
    table: &'a TableShape,
    /// Which columns the first row had.
    columns: Option<Vec<bool>>,
    rows: Vec<Vec<StoredValue>>,
}

impl RowBatch<'_, '_> {
    /// The values of a row, which has the same columns as the first one.
    fn columns_of(&mut self, row: ReadRow) -> anyhow::Result<Vec<StoredValue>> {
        let given: Vec<bool> = row.iter().map(Option::is_some).collect();
        let columns = self.columns.get_or_insert_with(|| given.clone());
        ensure!(*columns == given, "row {} has other columns than the first one", self.rows.len() + 1);
        Ok(row.into_iter().flatten().collect())
    }

    /// Adds what there is; answers how many.
    fn add(&mut self) -> anyhow::Result<u64> {
        let Some(given) = &self.columns else { return Ok(0) };
        let columns: Vec<&ColumnShape> = self
            .table
            .columns
            .iter()
            .zip(given)
            .filter(|(_, given)| **given)
            .map(|(column, _)| column)
            .collect();
        let rows = std::mem::take(&mut self.rows);
        let count = rows.len() as u64;
        self.w.tables().add(self.table, &columns, rows)?;
        Ok(count)
    }
}
