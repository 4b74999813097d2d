//! What commands print. Characters that a terminal would obey are left out, whoever wrote them; and a standard output or error that
//! cannot be written to, as on a full disk, ends no command in the middle: it is said once, at the end.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};

/// The first failure to write a line to standard output.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints a line on standard output.
macro_rules! outln {
    ($($part:tt)*) => { $crate::support::terminal::print_line(format_args!($($part)*)) };
}
pub(crate) use outln;

/// Prints a line on standard error.
macro_rules! errln {
    ($($part:tt)*) => { $crate::support::terminal::complain(format_args!($($part)*)) };
}
pub(crate) use errln;

/// See `outln!`.
pub(crate) fn print_line(line: fmt::Arguments) {
    note_failure(writeln!(stdout(), "{line}"));
}

/// Prints a text of several lines on standard output.
pub(crate) fn print_text(text: &str) {
    note_failure(stdout().write_all(text.as_bytes()));
}

fn note_failure(written: io::Result<()>) {
    if let Err(error) = written {
        FAILED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// See `errln!`. Where it cannot be said, nobody listens.
pub(crate) fn complain(line: fmt::Arguments) {
    let _ = writeln!(PlainText::new(io::stderr().lock()), "{line}");
}

/// Standard output, for many lines.
pub fn stdout() -> PlainText<io::StdoutLock<'static>> {
    PlainText::new(io::stdout().lock())
}

/// The width of the terminal that standard output is, in characters.
pub fn width() -> Option<usize> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(&out).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Whether all lines could be printed.
///
/// # Errors
/// The first failure.
pub fn finish() -> io::Result<()> {
    let flushed = stdout().flush();
    FAILED.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(flushed, Err)
}

/// Text for a terminal: passes on what is written, without control characters and without those that turn the direction of a line.
pub struct PlainText<W: Write> {
    out: W,
    /// The last bytes of the piece before, if they begin a character that may be one of these.
    held: Vec<u8>,
}

/// What becomes of a byte after those that are held.
enum Fate {
    Keep,
    Hold,
    /// It goes with what is held.
    Drop,
}

/// U+0080 to U+009F are controls; U+202A to U+202E and U+2066 to U+2069 turn the direction.
fn fate(held: &[u8], byte: u8) -> Fate {
    match (held, byte) {
        ([], 0xC2 | 0xE2) | ([0xE2], 0x80 | 0x81) => Fate::Hold,
        ([], b'\n' | b'\t') => Fate::Keep,
        ([], 0..0x20 | 0x7F) => Fate::Drop,
        ([0xC2], 0x80..=0x9F) | ([0xE2, 0x80], 0xAA..=0xAE) | ([0xE2, 0x81], 0xA6..=0xA9) => Fate::Drop,
        _ => Fate::Keep,
    }
}

impl<W: Write> PlainText<W> {
    fn new(out: W) -> PlainText<W> {
        PlainText { out, held: Vec::new() }
    }

    fn write_piece(&mut self, piece: &[u8]) -> io::Result<()> {
        let mut kept = Vec::with_capacity(piece.len() + 2);
        for &byte in piece {
            let mut next = fate(&self.held, byte);
            // What is held begins nothing of the kind, and the byte stands for itself.
            if matches!(next, Fate::Keep) && !self.held.is_empty() {
                kept.append(&mut self.held);
                next = fate(&[], byte);
            }
            match next {
                Fate::Keep => kept.push(byte),
                Fate::Hold => self.held.push(byte),
                Fate::Drop => self.held.clear(),
            }
        }
        self.out.write_all(&kept)
    }
}

impl<W: Write> Write for PlainText<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.write_piece(piece).map(|()| piece.len()).map_err(explained)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush().map_err(explained)
    }
}

/// Whoever reads the error knows nothing of what was written to.
fn explained(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("the output cannot be written to: {error}"))
}

/// Standard error for logs, which go on when nobody can read them. With colours, their own control characters are kept.
pub(super) struct LogWriter {
    pub(super) has_colours: bool,
}

impl Write for LogWriter {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let mut out = io::stderr().lock();
        let _ = if self.has_colours { out.write_all(piece) } else { PlainText::new(out).write_piece(piece) };
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_left_out_wherever_a_piece_ends() {
        let text = "a\u{1b}[31mb\u{7}\tc\u{9b}2Jd\u{a0}\u{bf}\u{e9}\r\u{7f}\n\u{85}€\u{202e}‰\u{2066}\u{2c2}\u{2069}’";
        let wanted = "a[31mb\tc2Jd\u{a0}\u{bf}\u{e9}\n€‰\u{2c2}’";
        for at in 0..text.len() {
            let mut out = PlainText::new(Vec::new());
            out.write_all(&text.as_bytes()[..at]).unwrap();
            out.write_all(&text.as_bytes()[at..]).unwrap();
            assert_eq!(String::from_utf8(out.out).unwrap(), wanted, "{at}");
        }
    }
}
