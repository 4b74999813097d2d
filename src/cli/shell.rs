//! `courant completions` and `courant man`: what shells and manual pages know of the command line, made from the arguments.

use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use super::arguments::Arguments;
use crate::support::terminal;

/// Prints the script by which a shell completes commands and options.
pub(super) fn completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "courant", &mut script);
    terminal::print_text(&String::from_utf8_lossy(&script));
}

/// Writes a manual page for each command into a folder.
///
/// # Errors
/// When the folder cannot be written to.
pub(super) fn man(folder: &Path) -> anyhow::Result<()> {
    let written =
        std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Arguments::command(), folder));
    written.with_context(|| format!("cannot write to {}", folder.display()))
}
