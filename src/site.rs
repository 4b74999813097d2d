//! The pipeline of the channel: read, render, write only what changed.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::files::write_if_changed;
use crate::publish::{atom, planet};
use crate::store::Store;
use crate::templates::Templates;
use crate::view::Frame;

/// What a publication did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub stories: usize,
    /// Files that were written; the others held the same bytes already.
    pub written: Vec<PathBuf>,
}

/// Publishes the channel into `folder`.
///
/// # Errors
/// When the store, a template or the disk fails; what was published before stays.
pub fn publish(store: &Store, frame: Frame, templates: &Templates, folder: &Path) -> anyhow::Result<Published> {
    let stories = store.newest_stories(frame.channel.entries_max)?;
    let renditions = [(atom::PATH, atom::render(frame, &stories)?), (planet::PATH, planet::render(frame, &stories, templates)?.into_bytes())];
    let mut written = Vec::new();
    for (name, bytes) in renditions {
        let path = folder.join(name);
        if write_if_changed(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))? {
            written.push(path);
        }
    }
    Ok(Published { stories: stories.len(), written })
}
