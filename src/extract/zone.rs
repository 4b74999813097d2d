//! Time zones and halves of the day as named in dates.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Names of time zones and their offsets in hours east of UTC.
const ZONES: &[(&[&str], i64)] = &[
    (&["", "z", "gmt", "utc", "ut", "wet"], 0),
    (&["est", "et", "cdt", "hne", "hac"], -5),
    (&["cst", "ct", "mdt", "hnc", "har"], -6),
    (&["mst", "mt", "pdt", "hnr", "hap"], -7),
    (&["pst", "pt", "hnp"], -8),
    (&["ast", "at", "edt", "hna", "hae"], -4),
    (&["adt", "haa", "pmst", "fkst", "rott"], -3),
    // Latin America.
    (&["cot", "pet", "ect", "act"], -5),
    (&["ve", "vet", "bot", "clt", "pyt", "amt", "gyt", "fkt"], -4),
    (&["art", "brt", "clst", "pyst", "uyt", "gft", "srt", "amst"], -3),
    (&["brst", "uyst", "fnt", "pmdt"], -2),
    (&["akst"], -9),
    (&["akdt"], -8),
    (&["hst"], -10),
    (&["met", "cet", "bst", "mez", "west", "wat"], 1),
    (&["mest", "cest", "eet", "mesz", "cat", "sast"], 2),
    (&["msk", "eest", "eat", "trt"], 3),
    (&["gst"], 4),
    (&["pkt"], 5),
    (&["ict", "wib"], 7),
    (&["hkt", "sgt", "awst", "wita"], 8),
    (&["jst", "kst", "wit"], 9),
    (&["aest"], 10),
    (&["aedt"], 11),
    (&["nzst"], 12),
    (&["nzdt"], 13),
];

/// What may follow the name of a zone.
const ZONE_ENDS: [&str; 2] = ["dst", "time"];

/// The offset in seconds east of UTC of a zone in any spelling; an unknown name counts as UTC, and so does a word that goes on with
/// another one: "20:30 Est Républicain" names a newspaper.
pub(super) fn zone_seconds(zone: &str) -> Option<i64> {
    let zone = zone.trim();
    let lower = zone.to_ascii_lowercase();
    let whole = lower.trim_start_matches(['(', '[']);
    let end = whole.find(['(', '[', ')', ']', ' ', ',', ';', '|']).unwrap_or(whole.len());
    let (lower, after) = whole.split_at(end);
    if let Some(at) = lower.find(['+', '-']) {
        return numeric_zone(&lower[at..]);
    }
    if after.trim_start().starts_with(char::is_alphabetic) && !ZONE_ENDS.contains(&after.trim()) {
        return Some(0);
    }
    let lower = lower.trim_end_matches('.');
    if let Some((_, hours)) = ZONES.iter().find(|(names, _)| names.contains(&lower)) {
        return Some(hours * 3600);
    }
    match lower {
        "nst" => Some(-3 * 3600 - 1800),
        "ndt" => Some(-2 * 3600 - 1800),
        "ist" => Some(5 * 3600 + 1800),
        // "18:30 h": hours, and hardly ever the zone of that letter.
        "h" => Some(0),
        letter if letter.len() == 1 => Some(military_hours(letter.as_bytes()[0]) * 3600),
        other if other.bytes().all(|b| b.is_ascii_alphabetic() || b == b'/' || b == b'_') => Some(0),
        _ => None,
    }
}

/// The instant of a time in a zone with a place's name: `America/Bogota`, `[Europe/Paris]`. An offset that stands before the name
/// is the better one.
pub(super) fn in_named_zone(civil: DateTime, zone: &str) -> Option<Timestamp> {
    let name = zone.trim_start_matches(['(', '[']).split([' ', ')', ']', ',']).next()?;
    let zone = TimeZone::get(name).ok().filter(|_| name.contains('/'))?;
    zone.to_timestamp(civil).ok()
}

/// Whether a text begins with the second half of the day, and its rest: "pm", "a. m.". "America/Bogota" and "AMT" do not.
pub(super) fn half_of_day(text: &str) -> Option<(bool, &str)> {
    let text = text.trim_start();
    let rest = text.strip_prefix(['a', 'A', 'p', 'P'])?;
    let rest = rest.strip_prefix('.').map_or(rest, str::trim_start);
    let rest = rest.strip_prefix(['m', 'M'])?;
    let is_whole = !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '_'));
    let rest = rest.strip_prefix('.').unwrap_or(rest).trim_start();
    is_whole.then_some((text.starts_with(['p', 'P']), rest))
}

/// Military letters as defined by RFC 822 section 5.2; RFC 2822 calls them unreliable, but this is what feeds mean.
fn military_hours(letter: u8) -> i64 {
    match letter {
        c @ b'a'..=b'i' => -i64::from(c - b'a' + 1),
        c @ b'k'..=b'm' => -i64::from(c - b'a'),
        c @ b'n'..=b'y' => i64::from(c - b'n' + 1),
        _ => 0,
    }
}

fn numeric_zone(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits = text[1..].trim();
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours.parse().ok()?, minutes.get(..2).unwrap_or(minutes).parse().ok()?),
        None => match digits.len() {
            1 | 2 => (digits.parse().ok()?, 0),
            3 => (digits.get(..1)?.parse().ok()?, digits.get(1..)?.parse().ok()?),
            4 => (digits.get(..2)?.parse().ok()?, digits.get(2..)?.parse().ok()?),
            _ => return None,
        },
    };
    let (hours, minutes): (i64, i64) = (hours, minutes);
    // No place is further from UTC than 14 hours.
    ((0..=15).contains(&hours) && (0..60).contains(&minutes)).then(|| sign * (hours * 3600 + minutes * 60))
}
