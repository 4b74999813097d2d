//! What is stored as files in open formats, for other programs and for another store: JSON Lines, tables (CSV, RFC 4180) and an
//! mbox (RFC 4155). What was written is read back to the same rows. Pure.

mod json_lines;
mod mbox;
mod sheet;

use std::io::{self, BufRead, Write};

use anyhow::Context as _;
use jiff::Timestamp;

use crate::model::table::{ColumnKind, ColumnShape, StoredValue, TableShape};

/// A row that was read, in the order of the columns of its table; `None` where the file has no such column, as one of an earlier version.
pub type ReadRow = Vec<Option<StoredValue>>;

/// The format of a file of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    JsonLines,
    Csv,
    Mbox,
}

/// What people and other programs look for has a name of its own; all else is below `state/`.
const FILES: [(&str, &str, RowFormat); 9] = [
    ("entry", "entries.jsonl", RowFormat::JsonLines),
    ("story", "stories.jsonl", RowFormat::JsonLines),
    ("ruling", "rulings.jsonl", RowFormat::JsonLines),
    ("label", "labels.jsonl", RowFormat::JsonLines),
    ("draft", "drafts.jsonl", RowFormat::JsonLines),
    ("desk_ruling", "desk_rulings.jsonl", RowFormat::JsonLines),
    ("subscriber", "subscribers.csv", RowFormat::Csv),
    ("suppression", "suppressions.csv", RowFormat::Csv),
    ("issue", "issues.mbox", RowFormat::Mbox),
];
/// The folder of all other tables.
pub const STATE_FOLDER: &str = "state";

/// The file of a table, and its format.
pub fn file_of(table: &str) -> (String, RowFormat) {
    match FILES.iter().find(|(name, ..)| *name == table) {
        Some((_, file, format)) => ((*file).to_owned(), *format),
        None => (format!("{STATE_FOLDER}/{table}.jsonl"), RowFormat::JsonLines),
    }
}

/// Writes the rows of a table to a file.
pub struct RowWriter<'a, W: Write> {
    table: &'a TableShape,
    format: RowFormat,
    /// The address that issues come from.
    from: &'a str,
    out: W,
}

impl<'a, W: Write> RowWriter<'a, W> {
    /// # Errors
    /// When the file cannot be written.
    pub fn new(table: &'a TableShape, format: RowFormat, from: &'a str, mut out: W) -> io::Result<Self> {
        if format == RowFormat::Csv {
            let names = table.columns.iter().map(|column| column.name.clone());
            out.write_all(&sheet::line(names)?)?;
        }
        Ok(RowWriter { table, format, from, out })
    }

    /// Writes a row, with a value for each column.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put(&mut self, row: &[StoredValue]) -> io::Result<()> {
        let columns = &self.table.columns;
        match self.format {
            RowFormat::JsonLines => {
                writeln!(self.out, "{}", json_lines::object(columns.iter().zip(row)))
            }
            RowFormat::Csv => {
                let cells = columns.iter().zip(row).map(|(column, value)| sheet::cell(column, value));
                self.out.write_all(&sheet::line(cells)?)
            }
            RowFormat::Mbox => self.out.write_all(mbox::message(self.table, row, self.from).as_bytes()),
        }
    }

    /// # Errors
    /// When the file cannot be written.
    pub fn end(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Visits the rows of a file.
///
/// # Errors
/// When it cannot be read or is not as it was written, with the place; and when `visit` fails.
pub fn read(
    table: &TableShape,
    format: RowFormat,
    input: impl BufRead,
    mut visit: impl FnMut(ReadRow) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    match format {
        RowFormat::JsonLines => {
            for (line, text) in (1..).zip(input.lines()) {
                let place = || format!("line {line}");
                let row = text.map_err(anyhow::Error::from).and_then(|text| json_lines::row(table, &text));
                visit(row.with_context(place)?)?;
            }
            Ok(())
        }
        RowFormat::Csv => sheet::read(table, input, visit),
        RowFormat::Mbox => mbox::read(table, input, visit),
    }
}

/// A time as others read it (RFC 3339); one that no calendar has stays a number.
fn time_text(column: &ColumnShape, number: i64) -> Option<String> {
    (column.kind == ColumnKind::Time)
        .then(|| Timestamp::from_millisecond(number).ok())
        .flatten()
        .map(|at| at.to_string())
}

/// The number of a time or of a number as written.
fn number(column: &ColumnShape, text: &str) -> Option<i64> {
    match column.kind {
        ColumnKind::Time => {
            let at: Option<Timestamp> = text.parse().ok();
            at.map(Timestamp::as_millisecond).or_else(|| text.parse().ok())
        }
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, columns: &[(&str, ColumnKind, bool)]) -> TableShape {
        let shape = |(name, kind, is_optional): &(&str, ColumnKind, bool)| ColumnShape {
            name: (*name).to_owned(),
            kind: *kind,
            is_optional: *is_optional,
        };
        TableShape { name: name.into(), columns: columns.iter().map(shape).collect(), key: vec!["pk".into()] }
    }

    fn text(text: &str) -> StoredValue {
        StoredValue::Text(text.into())
    }

    /// Values that formats have signs for of their own.
    const ODD: [&str; 14] = [
        "",
        "plain",
        "a \"quoted\", one; \\ two",
        "=SUM(A1)",
        "'=x",
        "'",
        " spaces ",
        "-1",
        "null",
        "two\r\nlines\nand\rmore",
        "From here\n\nFrom there\n",
        "--courant-issue--\n",
        "{\"a\": [1]}",
        "é ü \u{202e} \u{1f600} \u{feff}",
    ];

    #[test]
    fn rows_come_back_as_they_were_in_each_format() {
        use ColumnKind::{Bytes, Json, LongText, Number, Text, Time};
        let plain = table(
            "t",
            &[
                ("pk", Number, false),
                ("at", Time, true),
                ("name", Text, false),
                ("note", Text, true),
                ("json", Json, false),
                ("long", LongText, true),
                ("bytes", Bytes, true),
            ],
        );
        let issue = table(
            "issue",
            &[
                ("pk", Number, false),
                ("created", Time, false),
                ("subject", Text, false),
                ("text", Text, false),
                ("html", Text, false),
                ("reply_to", Text, true),
                ("forwarded", Bytes, true),
            ],
        );
        let (mut rows, mut issues) = (Vec::new(), Vec::new());
        for (number, odd) in (-1..).zip(ODD) {
            let at = [StoredValue::Number(number * 999), StoredValue::Nothing, StoredValue::Number(i64::MAX)];
            let bytes =
                [StoredValue::Bytes(vec![0, 255, 10, 13]), StoredValue::Nothing, StoredValue::Bytes(vec![])];
            let which = number.unsigned_abs() as usize % 3;
            rows.push(vec![
                StoredValue::Number(number),
                at[which].clone(),
                text(odd),
                if which == 1 { StoredValue::Nothing } else { text(odd) },
                text([odd, "[1,{\"b\":2,\"a\":\"x\\ny\"}]", "[1]\n"][which]),
                if which == 2 { StoredValue::Nothing } else { text(odd) },
                bytes[which].clone(),
            ]);
            issues.push(vec![
                StoredValue::Number(number),
                at[0].clone(),
                text(odd),
                text(odd),
                text(&odd.repeat(40)),
                if which == 1 { StoredValue::Nothing } else { text(odd) },
                bytes[which].clone(),
            ]);
        }
        for (table, format, rows) in [
            (&plain, RowFormat::JsonLines, &rows),
            (&plain, RowFormat::Csv, &rows),
            (&issue, RowFormat::Mbox, &issues),
        ] {
            let mut out = RowWriter::new(table, format, "news@example.org", Vec::new()).unwrap();
            rows.iter().for_each(|row| out.put(row).unwrap());
            let written = out.end().unwrap();
            let mut found = Vec::new();
            read(table, format, written.as_slice(), |row| {
                found.push(row.into_iter().map(Option::unwrap).collect::<Vec<_>>());
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{format:?}: {error:#}"));
            assert_eq!(found.len(), rows.len(), "{format:?}");
            for (found, row) in found.iter().zip(rows) {
                assert_eq!(found, row, "{format:?}\n{}", String::from_utf8_lossy(&written));
            }
        }
    }

    #[test]
    fn what_is_not_as_it_was_written_is_said_with_its_place() {
        let shape = table("t", &[("pk", ColumnKind::Number, false), ("at", ColumnKind::Time, false)]);
        let said = |format, text: &str| {
            format!("{:#}", read(&shape, format, text.as_bytes(), |_| Ok(())).unwrap_err())
        };
        for (format, text, wanted) in [
            (RowFormat::JsonLines, "{\"pk\":1,\"at\":2}\n{\"pk\":1,", "line 2: "),
            (RowFormat::JsonLines, "{\"pk\":\"one\",\"at\":2}\n", "line 1: \"pk\" cannot be \"one\""),
            (RowFormat::JsonLines, "{\"pk\":1,\"colour\":2}\n", "line 1: it has a \"colour\""),
            (RowFormat::JsonLines, "{\"pk\":null,\"at\":2}\n", "line 1: \"pk\" cannot be null"),
            (RowFormat::Csv, "pk,at\n1,2\n1\n", "line: 3"),
            (RowFormat::Csv, "pk,at\n1,noon\n", "line 2: \"at\" cannot be noon"),
            (RowFormat::Csv, "pk,colour\n1,2\n", "line 1: it has a \"colour\""),
        ] {
            assert!(said(format, text).contains(wanted), "{wanted} is not in {}", said(format, text));
        }
        assert!(
            said(RowFormat::Mbox, "From x Thu Oct 20 08:00:00 2022\nSubject: a\n\nb\n").contains("message 1")
        );
    }
}
