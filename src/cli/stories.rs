//! Commands about stories: which entries are one, why, and what an operator says to that.

use std::io::{BufRead, BufReader, BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

use crate::cluster::Clustering;

/// Bytes read and written at a time.
const BUFFER: usize = 1 << 20;

/// `courant cluster`.
pub fn cluster(file: &Path) -> anyhow::Result<()> {
    let shown = file.display();
    let reader: Box<dyn BufRead> = if file.as_os_str() == "-" {
        Box::new(BufReader::with_capacity(BUFFER, std::io::stdin()))
    } else {
        Box::new(BufReader::with_capacity(BUFFER, std::fs::File::open(file).with_context(|| format!("cannot read {shown}"))?))
    };
    let mut clustering = Clustering::default();
    clustering.read(reader).with_context(|| format!("cannot read {shown}"))?;
    for problem in &clustering.problems {
        eprintln!("{problem}");
    }
    let mut out = BufWriter::with_capacity(BUFFER, std::io::stdout().lock());
    for placed in clustering.into_placed() {
        let line = json!({ "id": placed.id, "cluster": placed.cluster, "relation": placed.relation.as_str(), "reason": placed.reason });
        writeln!(out, "{line}")?;
    }
    Ok(out.flush()?)
}
