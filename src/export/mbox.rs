//! Issues as messages of an mbox (RFC 4155), which mail programs show. What else is known of one is a part of JSON beside its
//! texts; all parts are Base64, so that no line of them means anything.

use std::io::BufRead;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use mail_parser::mailbox::mbox::MessageIterator;
use mail_parser::{MimeHeaders as _, PartType};

use super::{ReadRow, json_lines};
use crate::model::table::{StoredValue, TableShape};
use crate::support::mail::parsed;

/// The columns that are parts of the message; `forwarded` is the mail of a person that was passed on.
const TEXT: &str = "text";
const HTML: &str = "html";
const FORWARDED: &str = "forwarded";
/// Base64 characters of a line (RFC 2045, section 6.8).
const LINE: usize = 76;
/// Bytes of an encoded word (RFC 2047) before it is encoded.
const WORD_BYTES: usize = 45;

/// Writes a row as a message.
pub(super) fn message(table: &TableShape, row: &[StoredValue], from: &str) -> String {
    let value = |name: &str| table.position(name).and_then(|at| row.get(at));
    let text = |name: &str| match value(name) {
        Some(StoredValue::Text(text)) => text.as_str(),
        _ => "",
    };
    let number = |name: &str| match value(name) {
        Some(StoredValue::Number(number)) => *number,
        _ => 0,
    };
    let at = Timestamp::from_millisecond(number("created")).unwrap_or(Timestamp::UNIX_EPOCH);
    let fields = table.columns.iter().zip(row);
    let fields = fields.filter(|(column, _)| ![TEXT, HTML, FORWARDED].contains(&column.name.as_str()));
    let mut out = format!(
        "From {from} {}\nFrom: {from}\nDate: {}\nSubject: {}\nMessage-ID: <issue-{}@courant.invalid>\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=\"courant-issue\"\n\n\
         --courant-issue\nContent-Type: multipart/alternative; boundary=\"courant-texts\"\n\n",
        at.strftime("%a %b %e %H:%M:%S %Y"),
        at.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        encoded_words(text("subject")),
        number("pk"),
    );
    out += &part("courant-texts", "text/plain; charset=utf-8", text(TEXT).as_bytes());
    out += &part("courant-texts", "text/html; charset=utf-8", text(HTML).as_bytes());
    out += "--courant-texts--\n";
    out += &part(
        "courant-issue",
        "application/json; name=\"issue.json\"",
        json_lines::object(fields).as_bytes(),
    );
    if let Some(StoredValue::Bytes(mail)) = value(FORWARDED) {
        out += &part("courant-issue", "application/octet-stream; name=\"forwarded.eml\"", mail);
    }
    out + "--courant-issue--\n\n"
}

fn part(boundary: &str, kind: &str, bytes: &[u8]) -> String {
    let encoded = STANDARD.encode(bytes);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(LINE).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("--{boundary}\nContent-Type: {kind}\nContent-Transfer-Encoding: base64\n\n{}\n", lines.join("\n"))
}

/// A text in a header.
fn encoded_words(text: &str) -> String {
    let mut words = vec![String::new()];
    for letter in text.chars() {
        if words.last().is_some_and(|word| word.len() + letter.len_utf8() > WORD_BYTES) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(letter);
        }
    }
    let words = words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word)));
    words.collect::<Vec<_>>().join("\n ")
}

/// Visits the messages of a file.
///
/// # Errors
/// When it cannot be read, a message is none of ours, or `visit` fails.
pub(super) fn read(
    table: &TableShape,
    input: impl BufRead,
    mut visit: impl FnMut(ReadRow) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for (number, message) in (1..).zip(MessageIterator::new(input)) {
        let message = message.map_err(|error| anyhow::anyhow!("message {number}: {error:?}"))?;
        let row = row(table, message.contents());
        visit(row.with_context(|| format!("message {number}"))?)?;
    }
    Ok(())
}

fn row(table: &TableShape, mail: &[u8]) -> anyhow::Result<ReadRow> {
    let message = parsed(mail).context("it is no message")?;
    let (mut row, mut known) = (vec![None; table.columns.len()], false);
    let set = |row: &mut ReadRow, name: &str, value: StoredValue| {
        if let Some(at) = table.position(name) {
            row[at] = Some(value);
        }
    };
    set(&mut row, FORWARDED, StoredValue::Nothing);
    for part in &message.parts {
        let kind = part.content_type().and_then(|kind| kind.subtype()).unwrap_or_default();
        let text = || String::from_utf8_lossy(part.contents()).into_owned();
        match &part.body {
            PartType::Multipart(_) => {}
            _ if kind.eq_ignore_ascii_case("json") => {
                let fields = json_lines::row(table, &text())?;
                known = true;
                for (own, field) in row.iter_mut().zip(fields) {
                    *own = field.or_else(|| own.take());
                }
            }
            PartType::Text(_) => set(&mut row, TEXT, StoredValue::Text(text())),
            PartType::Html(_) => set(&mut row, HTML, StoredValue::Text(text())),
            _ => set(&mut row, FORWARDED, StoredValue::Bytes(part.contents().to_vec())),
        }
    }
    anyhow::ensure!(known, "it has no part issue.json, as those have that courant writes");
    Ok(row)
}
