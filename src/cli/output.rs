//! Lists of objects for programs, and lines that fit the terminal.

use std::io::{self, Write};

use serde_json::Value;

use super::ListFormat;
use crate::support::terminal;
use crate::support::text::fitting;

/// Writes objects, one a line or all in one list.
pub(super) struct ObjectList {
    is_one_list: bool,
    count: usize,
}

impl ObjectList {
    /// For programs; `None` where lines for people are wanted.
    pub(super) fn wanted(format: ListFormat) -> Option<ObjectList> {
        (format != ListFormat::Text)
            .then_some(ObjectList { is_one_list: format == ListFormat::Json, count: 0 })
    }

    pub(super) fn put(&mut self, out: &mut impl Write, object: &Value) -> io::Result<()> {
        self.count += 1;
        match (self.is_one_list, self.count) {
            (false, _) => writeln!(out, "{object}"),
            (true, 1) => write!(out, "[{object}"),
            (true, _) => write!(out, ",\n{object}"),
        }
    }

    pub(super) fn end(self, out: &mut impl Write) -> io::Result<()> {
        match (self.is_one_list, self.count) {
            (false, _) => Ok(()),
            (true, 0) => writeln!(out, "[]"),
            (true, _) => writeln!(out, "]"),
        }
    }
}

/// Lines of a table, cut to the width of the terminal if there is one.
pub(super) struct FittingLines(Option<usize>);

impl FittingLines {
    pub(super) fn new() -> FittingLines {
        FittingLines(terminal::width())
    }

    pub(super) fn put(&self, out: &mut impl Write, line: &str) -> io::Result<()> {
        match self.0 {
            Some(width) => writeln!(out, "{}", fitting(line, width)),
            None => writeln!(out, "{line}"),
        }
    }
}
