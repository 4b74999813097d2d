//! Decodes bytes to text. The character set is determined from the byte order mark, the HTTP header, the document's own
//! declaration and finally its bytes (RFC 7303 section 3 gives the header precedence over the declaration). Knows nothing of
//! feeds or pages except where each puts its declaration.

use std::borrow::Cow;

use encoding_rs::Encoding;

use super::codepages::{CODE_PAGES, CodePage};

/// How many bytes of a document are searched for a declaration, as in the HTML standard.
const DECLARATION_BYTES_MAX: usize = 1024;

/// A decoded document.
#[derive(Debug)]
pub(super) struct Decoded<'a> {
    pub text: Cow<'a, str>,
    /// Set when bytes had to be replaced or the declared set was wrong.
    pub problem: Option<String>,
}

/// A character set that can be decoded.
#[derive(Clone, Copy)]
enum Charset {
    Web(&'static Encoding),
    Dos(&'static oem_cp::code_table_type::TableType),
    Mac(mac_encoding::Encoding),
    Page(&'static CodePage),
    Utf32 { big_endian: bool },
}

/// Decodes a document; never fails, but replaces invalid bytes.
///
/// `http_charset` is the `charset` parameter of the Content-Type header, if any.
pub(super) fn decode<'a>(bytes: &'a [u8], http_charset: Option<&str>) -> Decoded<'a> {
    let mut decoded = decode_declared(bytes, http_charset);
    if has_c1(decoded.text.as_bytes()) {
        decoded.text = Cow::Owned(decoded.text.chars().map(windows_1252).collect());
    }
    decoded
}

/// Whether a text contains C1 controls, which means that windows-1252 was decoded as ISO 8859-1.
fn has_c1(text: &[u8]) -> bool {
    memchr::memchr_iter(0xC2, text).any(|at| text.get(at + 1).is_some_and(|next| (0x80..0xA0).contains(next)))
}

/// The windows-1252 character for a C1 control, as in every browser.
pub(super) fn windows_1252(c: char) -> char {
    match u8::try_from(c) {
        Ok(byte @ 0x80..=0x9F) => {
            encoding_rs::WINDOWS_1252.decode_without_bom_handling(&[byte]).0.chars().next().unwrap_or(c)
        }
        _ => c,
    }
}

fn decode_declared<'a>(bytes: &'a [u8], http_charset: Option<&str>) -> Decoded<'a> {
    if let Some((charset, bom_bytes)) = from_bom(bytes) {
        return decode_as(charset, &bytes[bom_bytes..], "its byte order mark says");
    }
    if let Some(charset) = from_zero_bytes(bytes) {
        return decode_as(charset, bytes, "its first bytes say");
    }
    let declared = declared_label(bytes);
    let mut unknown = None;
    for label in [http_charset, declared.as_deref()].into_iter().flatten() {
        match charset_of(label) {
            // A declaration that was readable as ASCII cannot be true if it says UTF-16.
            Some(Charset::Web(e)) if e == encoding_rs::UTF_16LE || e == encoding_rs::UTF_16BE => {}
            // An ASCII label on non-ASCII text is meaningless; UTF-8 is more likely, if valid.
            Some(_) if is_ascii_label(label) && std::str::from_utf8(bytes).is_ok() => return guess(bytes),
            Some(charset) if is_utf8_for_sure(charset, bytes) => {
                let problem = Some(format!("declared as {}, but it is UTF-8", label.trim()));
                return Decoded { problem, ..guess(bytes) };
            }
            Some(charset) => {
                if let Some(text) = try_decode(charset, bytes) {
                    return Decoded { text, problem: None };
                }
            }
            None if !label.trim().is_empty() => unknown = Some(label.trim().to_owned()),
            None => {}
        }
    }
    let mut decoded = guess(bytes);
    if let Some(label) = unknown {
        decoded.problem = Some(format!("unknown character set \"{label}\", read as best we could"));
    }
    decoded
}

fn is_ascii_label(label: &str) -> bool {
    let plain: String =
        label.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    matches!(plain.as_str(), "ascii" | "usascii" | "646" | "ansix341968" | "iso646us")
}

/// The label in the XML or HTML declaration of a document.
fn declared_label(bytes: &[u8]) -> Option<String> {
    let head = &bytes[..bytes.len().min(DECLARATION_BYTES_MAX)];
    if head.starts_with(b"\x4c\x6f\xa7\x94") {
        // "<?xm" in EBCDIC: all EBCDIC pages agree on the letters of a declaration.
        let page = CODE_PAGES.iter().find(|page| page.labels.contains(&"ibm037"))?;
        return label_in_xml_declaration(&decode_page(page, head).0);
    }
    let head: String = head.iter().map(|&b| if b.is_ascii() { b as char } else { '?' }).collect();
    label_in_xml_declaration(&head).or_else(|| label_in_html_meta(&head))
}

fn label_in_xml_declaration(head: &str) -> Option<String> {
    let start = head.find("<?xml")?;
    let declaration = &head[start..start + head[start..].find('>')?];
    let rest = declaration[declaration.find("encoding")? + 8..].trim_start();
    let rest = rest.strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    rest[1..].split(quote).next().map(str::to_owned)
}

fn label_in_html_meta(head: &str) -> Option<String> {
    let lower = head.to_ascii_lowercase();
    for (at, _) in lower.match_indices("<meta") {
        let tag = &lower[at..lower[at..].find('>').map_or(lower.len(), |end| at + end)];
        if let Some(found) = tag.find("charset=") {
            let value = tag[found + 8..].trim_start_matches(['"', '\'', ' ']);
            return value.split(['"', '\'', ' ', ';', '/', '>']).next().map(str::to_owned);
        }
    }
    None
}

fn from_bom(bytes: &[u8]) -> Option<(Charset, usize)> {
    match bytes {
        [0xFF, 0xFE, 0, 0, ..] => Some((Charset::Utf32 { big_endian: false }, 4)),
        [0, 0, 0xFE, 0xFF, ..] => Some((Charset::Utf32 { big_endian: true }, 4)),
        [0xEF, 0xBB, 0xBF, ..] => Some((Charset::Web(encoding_rs::UTF_8), 3)),
        [0xFF, 0xFE, ..] => Some((Charset::Web(encoding_rs::UTF_16LE), 2)),
        [0xFE, 0xFF, ..] => Some((Charset::Web(encoding_rs::UTF_16BE), 2)),
        _ => None,
    }
}

/// Detects UTF-16 and UTF-32 without a byte order mark by the zero bytes around the first `<` (XML 1.0, appendix F.1).
fn from_zero_bytes(bytes: &[u8]) -> Option<Charset> {
    match bytes {
        // The next character has zeros as well: three of them alone are noise before a text.
        [b'<', 0, 0, 0, _, _, 0..=0x10, 0, ..] => Some(Charset::Utf32 { big_endian: false }),
        [0, 0, 0, b'<', 0, 0..=0x10, ..] => Some(Charset::Utf32 { big_endian: true }),
        [b'<', 0, second, 0, ..] if *second != 0 => Some(Charset::Web(encoding_rs::UTF_16LE)),
        [0, b'<', 0, second, ..] if *second != 0 => Some(Charset::Web(encoding_rs::UTF_16BE)),
        _ => None,
    }
}

/// Finds a character set by any spelling of its name.
fn charset_of(label: &str) -> Option<Charset> {
    let label = label.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
    let plain: String = label.chars().filter(char::is_ascii_alphanumeric).collect();
    if let Some(encoding) = web_encoding(&label, &plain) {
        return Some(Charset::Web(encoding));
    }
    if let Some(page) = CODE_PAGES.iter().find(|page| page.labels.contains(&plain.as_str())) {
        return Some(Charset::Page(page));
    }
    if let Some(encoding) = mac_encoding_of(&plain) {
        return Some(Charset::Mac(encoding));
    }
    match plain.as_str() {
        "cpis" => return dos_page(861),
        "cpgr" => return dos_page(869),
        "utf32" | "utf32le" | "ucs4" => return Some(Charset::Utf32 { big_endian: false }),
        "utf32be" => return Some(Charset::Utf32 { big_endian: true }),
        _ => {}
    }
    let prefixes = ["", "cp", "ibm", "csibm", "cspc", "cspcp", "cspc8codepage", "oem"];
    let digits: String =
        plain.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    let known_shape = prefixes
        .iter()
        .any(|p| plain.strip_prefix(p).is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit())));
    if known_shape { dos_page(plain_number(&plain, &digits)?) } else { None }
}

/// The page number in labels such as `cspc8codepage437` and `cspc850multilingual`: the last run of three or more digits.
fn plain_number(plain: &str, first_digits: &str) -> Option<u16> {
    let mut runs = plain.split(|c: char| !c.is_ascii_digit());
    runs.rfind(|run| run.len() >= 3).unwrap_or(first_digits).parse().ok()
}

/// The Macintosh set of a label such as `x-mac-ce` or `mac_turkish`, given without punctuation.
fn mac_encoding_of(plain: &str) -> Option<mac_encoding::Encoding> {
    let name = plain.strip_prefix('x').unwrap_or(plain).strip_prefix("mac")?;
    let id = match name {
        "ce" | "centeuro" | "centraleurope" | "latin2" => "central-european",
        "iceland" => "icelandic",
        "romania" => "romanian",
        name => name,
    };
    mac_encoding::Encoding::from_id(id)
}

fn dos_page(number: u16) -> Option<Charset> {
    oem_cp::code_table::DECODING_TABLE_CP_MAP.get(&number).map(Charset::Dos)
}

fn web_encoding(label: &str, plain: &str) -> Option<&'static Encoding> {
    Encoding::for_label(label.as_bytes())
        .or_else(|| Encoding::for_label(label.replace('_', "-").as_bytes()))
        .or_else(|| {
            let number = plain.strip_prefix("windows").or(plain.strip_prefix("cp")).unwrap_or(plain);
            Encoding::for_label(format!("windows-{number}").as_bytes())
        })
        .or(match plain {
            "ascii" | "usascii" | "646" => Some(encoding_rs::WINDOWS_1252),
            "uhc" | "ms949" | "cp949" | "949" => Some(encoding_rs::EUC_KR),
            "ms932" | "cp932" | "932" | "mskanji" => Some(encoding_rs::SHIFT_JIS),
            "ms950" | "cp950" | "950" | "big5hkscs" => Some(encoding_rs::BIG5),
            "936" | "cp936" | "ms936" => Some(encoding_rs::GBK),
            "latin1" | "l1" | "iso88591" => Some(encoding_rs::WINDOWS_1252),
            "maccyrillic" => Some(encoding_rs::X_MAC_CYRILLIC),
            "macroman" | "macintosh" => Some(encoding_rs::MACINTOSH),
            "utf8" | "u8" | "utf" => Some(encoding_rs::UTF_8),
            _ => None,
        })
        .filter(|encoding| *encoding != encoding_rs::REPLACEMENT)
}

/// Decodes strictly: `None` if a byte sequence is invalid in this set.
fn try_decode(charset: Charset, bytes: &[u8]) -> Option<Cow<'_, str>> {
    match charset {
        Charset::Web(encoding) => encoding.decode_without_bom_handling_and_without_replacement(bytes),
        other => {
            let (text, replaced) = decode_single_bytes(other, bytes);
            (!replaced).then_some(Cow::Owned(text))
        }
    }
}

fn decode_as<'a>(charset: Charset, bytes: &'a [u8], why: &str) -> Decoded<'a> {
    let (text, replaced, name) = match charset {
        Charset::Web(encoding) => {
            let (text, replaced) = encoding.decode_without_bom_handling(bytes);
            (text, replaced, encoding.name())
        }
        other => {
            let (text, replaced) = decode_single_bytes(other, bytes);
            (Cow::Owned(text), replaced, "its code page")
        }
    };
    let problem = replaced.then(|| format!("{why} {name}, but some bytes are not: they were replaced"));
    Decoded { text, problem }
}

fn decode_single_bytes(charset: Charset, bytes: &[u8]) -> (String, bool) {
    match charset {
        Charset::Dos(table) => (table.decode_string_lossy(bytes), false),
        Charset::Mac(encoding) => encoding
            .decode_strict(bytes)
            .map_or_else(|_| (encoding.decode(bytes), true), |text| (text, false)),
        Charset::Page(page) => decode_page(page, bytes),
        Charset::Utf32 { big_endian } => {
            let unit = |c: &[u8]| {
                let four = [c[0], c[1], c[2], c[3]];
                if big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
            };
            (bytes.chunks_exact(4).map(|c| char::from_u32(unit(c)).unwrap_or('\u{FFFD}')).collect(), false)
        }
        Charset::Web(encoding) => (encoding.decode(bytes).0.into_owned(), false),
    }
}

fn decode_page(page: &CodePage, bytes: &[u8]) -> (String, bool) {
    let table: Vec<char> = page.chars.chars().collect();
    let mut replaced = false;
    let text = bytes
        .iter()
        .map(|&byte| match byte.checked_sub(page.first) {
            Some(index) => {
                let c = table.get(usize::from(index)).copied().unwrap_or('\u{FFFD}');
                replaced |= c == '\u{FFFD}';
                c
            }
            None => byte as char,
        })
        .collect();
    (text, replaced)
}

/// Decodes without a declaration, or with a wrong one: as UTF-8 if most non-ASCII bytes are valid, otherwise by the looks of the
/// bytes.
fn guess(bytes: &[u8]) -> Decoded<'_> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Decoded { text: Cow::Borrowed(text), problem: None };
    }
    let high = bytes.iter().filter(|byte| !byte.is_ascii()).count();
    let broken: usize = bytes.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    if broken * 2 <= high {
        return mixed(bytes);
    }
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    let encoding = detector.guess(None, chardetng::Utf8Detection::Allow);
    let (text, _) = encoding.decode_without_bom_handling(bytes);
    Decoded { text, problem: Some(format!("no valid character set given, read as {}", encoding.name())) }
}

/// Decodes UTF-8 with Latin-1 text inserted unchanged, whose letters are not valid UTF-8.
fn mixed(bytes: &[u8]) -> Decoded<'_> {
    let (mut text, mut has_replaced) = (String::with_capacity(bytes.len()), false);
    let mut chunks = bytes.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        if chunk.invalid().is_empty() {
            continue;
        }
        let next = chunks.peek().and_then(|next| next.valid().chars().next());
        match latin_letter(chunk.invalid(), text.chars().next_back(), next) {
            Some(letter) => text.push(letter),
            None => {
                text.push('\u{FFFD}');
                has_replaced = true;
            }
        }
    }
    let what =
        if has_replaced { "some bytes are not: they were replaced" } else { "parts are in windows-1252" };
    Decoded { text: Cow::Owned(text), problem: Some(format!("it reads as UTF-8, but {what}")) }
}

/// The Latin-1 letter that an invalid byte between letters stands for. Remains of truncated UTF-8 characters are excluded: their
/// most common lead bytes count only before a letter.
fn latin_letter(invalid: &[u8], before: Option<char>, next: Option<char>) -> Option<char> {
    let [byte @ (0xC0..=0xFE | 0x91..=0x94)] = *invalid else { return None };
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    let is_lead = matches!(byte, 0xC2 | 0xC3 | 0xE2);
    let stands = if is_lead {
        is_letter(next)
    } else {
        is_letter(next) || is_letter(before) || byte < 0xA0 || next == Some(' ')
    };
    stands.then(|| encoding_rs::WINDOWS_1252.decode_without_bom_handling(&[byte]).0.chars().next()).flatten()
}

/// Whether the bytes disprove a single-byte label: text in such a set is hardly ever valid UTF-8 by accident.
fn is_utf8_for_sure(charset: Charset, bytes: &[u8]) -> bool {
    let is_latin = match charset {
        Charset::Web(encoding) => {
            encoding.is_single_byte()
                && (encoding.name().starts_with("windows-125") || encoding.name().starts_with("ISO-8859"))
        }
        _ => false,
    };
    is_latin
        && !bytes.is_ascii()
        && std::str::from_utf8(bytes).is_ok_and(|text| text.chars().filter(|c| !c.is_ascii()).all(is_written))
}

/// Whether a character occurs in written text: letters, symbols and punctuation, but not controls.
fn is_written(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '\u{A0}'..='\u{FF}' | '\u{2000}'..='\u{2BFF}' | '\u{3000}'..='\u{30FF}' | '\u{FE00}'..='\u{FFEF}' | '\u{1F000}'..='\u{1FAFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(label: &str, body: &[u8]) -> Vec<u8> {
        [format!("<?xml version=\"1.0\" encoding=\"{label}\"?>").as_bytes(), body].concat()
    }

    #[test]
    fn every_spelling_of_a_label_is_known() {
        for (label, body, want) in [
            ("iso-8859-1", &b"caf\xe9 \x80"[..], "café €"),
            ("windows_1251", b"\x80", "Ђ"),
            ("cp437", b"\x80", "Ç"),
            ("csIBM864", b"\x80", "°"),
            ("cspc8codepage437", b"\x80", "Ç"),
            ("cp-is", b"\x80", "Ç"),
            ("cp720", b"\x98", "\u{621}"),
            ("MacCentralEurope", b"\x81", "Ā"),
            ("x-mac-ce", b"\x81", "Ā"),
            ("mac_turkish", b"\xdc", "İ"),
            ("Mac-Iceland", b"\xa0", "Ý"),
            ("x-mac-greek", b"\xb0", "Α"),
            ("KOI8-T", b"\x80", "қ"),
        ] {
            let bytes = xml(label, body);
            let decoded = decode(&bytes, None);
            assert!(decoded.text.ends_with(want), "{label}: {}", decoded.text);
        }
    }

    #[test]
    fn ebcdic_is_recognised_by_its_first_bytes() {
        let page = CODE_PAGES.iter().find(|p| p.labels.contains(&"ibm500")).unwrap();
        let text = "<?xml version=\"1.0\" encoding=\"cp500\"?><a>!</a>";
        let bytes: Vec<u8> =
            text.chars().map(|c| page.chars.chars().position(|p| p == c).unwrap() as u8).collect();
        assert_eq!(decode(&bytes, None).text, text);
    }

    #[test]
    fn header_wins_over_declaration_and_the_mark_over_both() {
        let bytes = xml("iso-8859-5", b"\x80");
        assert!(decode(&bytes, Some("windows-1252")).text.ends_with('€'));
        let marked = [b"\xef\xbb\xbf".as_slice(), "é".as_bytes()].concat();
        assert_eq!(decode(&marked, Some("windows-1252")).text, "é");
    }

    #[test]
    fn false_declarations_fall_back_to_the_bytes() {
        let bytes = xml("utf-16", "Café".as_bytes());
        assert!(decode(&bytes, None).text.ends_with("Café"));
        let nonsense = xml("x-nonsense", "Café".as_bytes());
        let decoded = decode(&nonsense, None);
        assert!(decoded.text.ends_with("Café") && decoded.problem.is_some());
    }

    #[test]
    fn a_label_that_the_bytes_disprove_is_not_believed() {
        let bytes = xml("ISO-8859-1", "Réunion à Québec".as_bytes());
        let decoded = decode(&bytes, None);
        assert!(decoded.text.ends_with("Réunion à Québec") && decoded.problem.is_some());
        let honest = xml("ISO-8859-1", b"R\xe9union \xe0 Qu\xe9bec");
        assert!(decode(&honest, None).text.ends_with("Réunion à Québec"));
    }

    #[test]
    fn parts_in_another_set_are_read_in_theirs() {
        let mixed = ["Réunion à Québec, ".as_bytes(), b"D\xe9cision \xe0 S\xe3o Paulo"].concat();
        assert_eq!(decode(&mixed, None).text, "Réunion à Québec, Décision à São Paulo");
    }

    #[test]
    fn one_bad_byte_does_not_turn_utf_8_into_mojibake() {
        let decoded = decode(b"Caf\xc3\xa9 \xc3\xa9t\xc3\xa9 x\xffy", None);
        assert_eq!(decoded.text, "Café été x\u{FFFD}y");
        assert!(decoded.problem.is_some());
    }

    #[test]
    fn utf_32_without_a_mark_is_read_and_zeros_before_a_text_are_no_sign_of_it() {
        let units = |to_bytes: fn(u32) -> [u8; 4]| -> Vec<u8> {
            "<a>é</a>".chars().flat_map(|c| to_bytes(c as u32)).collect()
        };
        assert_eq!(decode(&units(u32::to_le_bytes), None).text, "<a>é</a>");
        assert_eq!(decode(&units(u32::to_be_bytes), None).text, "<a>é</a>");
        assert!(decode("\0\0\0<a>é</a>".as_bytes(), None).text.ends_with("<a>é</a>"));
    }

    #[test]
    fn utf_16_without_a_mark_is_read() {
        let bytes: Vec<u8> = "<a>é</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&bytes, None).text, "<a>é</a>");
    }
}
