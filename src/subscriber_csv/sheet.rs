//! Decodes a table into cells: character set, separator, header.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::words;
use crate::support::text::is_unseen;

/// The cells of a table.
#[derive(Debug, Default)]
pub(super) struct Spreadsheet {
    pub names: Vec<String>,
    /// The rows, with the line number on which each begins.
    pub records: Vec<(u64, Vec<String>)>,
    /// Rows that cannot be read.
    pub faults: Vec<(u64, String)>,
}

/// A cell without invisible characters, and without the apostrophe by which spreadsheets mark text that looks like a formula.
pub(super) fn clean(text: &str) -> String {
    let seen: String = text.chars().filter(|c| !is_unseen(*c) && *c != '\0').collect();
    let seen = seen.trim();
    let is_guarded = seen.starts_with('\'') && seen[1..].starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_guarded { seen[1..].to_owned() } else { seen.to_owned() }
}

/// Decodes a file. Spreadsheets write UTF-16 with a byte order mark, or a code page without one.
pub(super) fn decode(bytes: &[u8]) -> String {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark..]).0.into_owned();
    }
    let zeros = |odd: usize| bytes.iter().skip(odd).step_by(2).take(64).filter(|byte| **byte == 0).count();
    let encoding = match (zeros(0), zeros(1)) {
        (even, odd) if odd > 4 && odd > even => UTF_16LE,
        (even, odd) if even > 4 && even > odd => UTF_16BE,
        _ if std::str::from_utf8(bytes).is_ok() => UTF_8,
        _ => {
            let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
            detector.feed(bytes, true);
            detector.guess(None, chardetng::Utf8Detection::Deny)
        }
    };
    encoding.decode_without_bom_handling(bytes).0.into_owned()
}

/// The separator named in a first line `sep=;`, and the rest of the text.
fn named_separator(text: &str) -> Option<(u8, &str)> {
    let (line, rest) = text.split_once('\n')?;
    let line = line.trim().trim_matches('"');
    let separator =
        line.get(..4).filter(|start| start.eq_ignore_ascii_case("sep=")).and(line.as_bytes().get(4).copied());
    // A trailing tab was trimmed.
    separator
        .or_else(|| line.eq_ignore_ascii_case("sep=").then_some(b'\t'))
        .map(|separator| (separator, rest))
}

fn reader(text: &str, separator: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .delimiter(separator)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes())
}

/// The separator that gives the header the most known columns, or else the most columns.
fn likely_separator(text: &str) -> u8 {
    let columns = |separator: &u8| {
        let head = reader(text, *separator).records().next().and_then(Result::ok).unwrap_or_default();
        let known = head.iter().filter(|name| words::column(&clean(name)).is_some()).count();
        (known, head.len())
    };
    // `max_by_key` returns the last of equals.
    *b"|\t;,".iter().max_by_key(|separator| columns(separator)).unwrap_or(&b',')
}

/// The address in a cell, such as `Ana <ana@example.org>` or `mailto:ana@example.org`.
pub(super) fn bare_address(text: &str) -> &str {
    let text = match (text.rfind('<'), text.strip_suffix('>')) {
        (Some(start), Some(rest)) => rest[start + 1..].trim(),
        _ => text,
    };
    text.get(..7).filter(|start| start.eq_ignore_ascii_case("mailto:")).map_or(text, |_| &text[7..])
}

/// Counts lines. The CSV reader reports where it began to look for a record, before any empty lines.
struct Lines<'a> {
    text: &'a str,
    byte: usize,
    line: u64,
}

impl Lines<'_> {
    fn of(&mut self, position: Option<&csv::Position>) -> u64 {
        let bytes = self.text.as_bytes();
        let mut start = position.map_or(self.byte, |position| position.byte() as usize).min(bytes.len());
        start += bytes[start..].iter().take_while(|byte| **byte == b'\n').count();
        self.line += memchr::memchr_iter(b'\n', &bytes[self.byte.min(start)..start]).count() as u64;
        self.byte = start;
        self.line
    }
}

/// Reads the cells of a table. A list of bare addresses, as written by Mailman, is a table with one column.
pub(super) fn read(bytes: &[u8]) -> Spreadsheet {
    let text = decode(bytes).replace("\r\n", "\n").replace('\r', "\n");
    let text = text.trim_start_matches('\u{feff}');
    let (separator, text, skipped) = match named_separator(text) {
        Some((separator, rest)) => (separator, rest, 1),
        None => (likely_separator(text), text, 0),
    };
    let mut sheet = Spreadsheet::default();
    let mut lines = Lines { text, byte: 0, line: 1 + skipped };
    for record in reader(text, separator).records() {
        match record {
            Ok(record) => {
                let line = lines.of(record.position());
                let cells: Vec<String> = record.iter().map(clean).collect();
                if sheet.names.is_empty() && cells.len() == 1 && cells[0].contains('@') {
                    sheet.names = vec!["address".into()];
                }
                if sheet.names.is_empty() {
                    sheet.names = cells;
                } else if !cells.iter().all(String::is_empty) {
                    sheet.records.push((line, cells));
                }
            }
            Err(error) => {
                let line = lines.of(error.position());
                sheet.faults.push((line, format!("cannot be read: {error}")));
            }
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_spreadsheets_are_read_whatever_they_are_written_in() {
        let utf16 = |text: &str| -> Vec<u8> {
            std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
        };
        let text = "address;consent_source\r\nana@example.org;formulaire signé à Orléans\r\n";
        for (bytes, what) in [
            (text.as_bytes().to_vec(), "UTF-8"),
            (format!("\u{feff}{text}").into_bytes(), "a mark"),
            (encoding_rs::WINDOWS_1252.encode(text).0.into_owned(), "windows-1252"),
            (utf16(text), "UTF-16"),
            (utf16(text)[2..].to_vec(), "UTF-16 without a mark"),
            (text.replace(';', "\t").into_bytes(), "tabs"),
            (text.replace(';', "|").into_bytes(), "bars"),
            (format!("sep=;\r\n{text}").into_bytes(), "sep"),
            (format!("\"sep=;\"\n{text}").into_bytes(), "sep in quotes"),
            (
                text.replace(';', "\",\"")
                    .replace("\r\n", "\"\n")
                    .replace("ana", "\"ana")
                    .replace("addr", "\"addr")
                    .into_bytes(),
                "quotes",
            ),
        ] {
            let sheet = read(&bytes);
            assert_eq!(sheet.names, ["address", "consent_source"], "{what}");
            let cells = ["ana@example.org", "formulaire signé à Orléans"].map(str::to_owned).to_vec();
            assert_eq!(
                sheet.records.iter().map(|(_, cells)| cells.clone()).collect::<Vec<_>>(),
                [cells],
                "{what}"
            );
            assert_eq!(sheet.records[0].0, if what.starts_with("sep") { 3 } else { 2 }, "{what}");
        }
    }

    #[test]
    fn a_list_of_addresses_has_no_head() {
        let sheet = read(b"ana@example.org\n\n\xE2\x80\x8BLuis <luis@example.org>\n");
        assert_eq!(
            sheet.records,
            [(1, vec!["ana@example.org".to_owned()]), (3, vec!["Luis <luis@example.org>".into()])]
        );
        for text in [
            "Luis <luis@example.org>",
            "mailto:luis@example.org",
            "luis@example.org",
            "<MAILTO:luis@example.org>",
        ] {
            assert_eq!(bare_address(text), "luis@example.org");
        }
    }
}
