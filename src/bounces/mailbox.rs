//! Messages from a file, a folder or standard input.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use mail_parser::mailbox::mbox::MessageIterator;

/// Longer messages are truncated to this many bytes: what matters is at the start.
pub const MESSAGE_BYTES_MAX: u64 = 16 << 20;

/// Visits each message of a file: an mbox if it starts like one, otherwise a single message.
///
/// # Errors
/// When the file cannot be read, or when `visit` fails.
pub fn each_in(reader: impl Read, mut visit: impl FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut reader = BufReader::new(reader);
    if reader.fill_buf()?.starts_with(b"From ") {
        for message in MessageIterator::new(reader) {
            visit(message?.contents())?;
        }
        return Ok(());
    }
    let mut message = Vec::new();
    reader.take(MESSAGE_BYTES_MAX).read_to_end(&mut message)?;
    visit(&message)
}

/// Visits each message under a path: a file, or a folder of files (also a Maildir), sorted by name.
///
/// # Errors
/// When something cannot be read, or when `visit` fails.
pub fn each_under(path: &Path, visit: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<()> {
    use anyhow::Context as _;
    let context = || format!("cannot read {}", path.display());
    if !path.is_dir() {
        return each_in(std::fs::File::open(path).with_context(context)?, visit);
    }
    let mut inner: Vec<_> = std::fs::read_dir(path)
        .with_context(context)?
        .collect::<Result<Vec<_>, _>>()
        .with_context(context)?;
    inner.sort_by_key(std::fs::DirEntry::file_name);
    for entry in inner.iter().filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b".")) {
        each_under(&entry.path(), visit)?;
    }
    Ok(())
}
