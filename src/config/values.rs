//! Values used in several sections: secrets, addresses, languages, durations.

use std::borrow::Cow;
use std::path::Path;

use url::Url;

use super::ConfigContext;
use crate::support::text::{is_language_tag, primary_language};

pub(super) const DAY_SECONDS: u64 = 86_400;

/// A secret given as `env:NAME` or `file:PATH`; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(super) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Reads a secret given as `env:NAME` or `file:PATH`, relative to a folder.
///
/// # Errors
/// In words, when it does not exist.
pub fn secret_at(text: &str, folder: &Path) -> Result<Secret, String> {
    let environment = |name: &str| std::env::var(name).ok();
    secret(text, &ConfigContext { folder, environment: &environment, variables: &super::variables })
        .map(Secret)
}

/// Reads `env:NAME` or `file:PATH`; secrets are never written into the configuration itself.
pub(super) fn secret(text: &str, surroundings: &ConfigContext) -> Result<String, String> {
    let filled = |text: String, place: String| match text.trim() {
        "" => Err(format!("{place} is empty")),
        text => Ok(text.to_owned()),
    };
    if let Some(name) = text.strip_prefix("env:") {
        let value = (surroundings.environment)(name);
        let value = value.ok_or_else(|| format!("the environment has no variable {name}"))?;
        return filled(value, format!("the variable {name}"));
    }
    if let Some(path) = text.strip_prefix("file:") {
        let path = surroundings.folder.join(path);
        return std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))
            .and_then(|text| filled(text, path.display().to_string()));
    }
    Err("a secret must not stand in this file: write \"env:NAME\" or \"file:PATH\"".into())
}

pub(super) fn secret_or_text(text: &str, surroundings: &ConfigContext) -> Result<String, String> {
    if text.starts_with("env:") { secret(text, surroundings) } else { Ok(text.to_owned()) }
}

/// The languages with a code of two letters (ISO 639-1).
const TWO_LETTERS: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da \
    de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz \
    ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln \
    lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi \
    pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th \
    ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu";

/// Codes of countries that are taken for codes of languages, with the language that is meant.
const COUNTRIES: [(&str, &str); 7] =
    [("cn", "zh"), ("cz", "cs"), ("dk", "da"), ("gr", "el"), ("jp", "ja"), ("ua", "uk"), ("vn", "vi")];

pub(super) fn parse_language(text: &str) -> Result<String, String> {
    if !is_language_tag(text) {
        return Err(format!("\"{text}\" is not a language: write fr, en, es or pt-BR"));
    }
    let primary = primary_language(text).to_ascii_lowercase();
    // Those of three letters are thousands.
    if primary.len() == 2 && !TWO_LETTERS.split(' ').any(|code| code == primary) {
        let meant = COUNTRIES.iter().find(|(country, _)| *country == primary);
        let near = meant.map(|(_, language)| format!(": did you mean \"{language}\"?")).unwrap_or_default();
        return Err(format!("there is no language \"{primary}\"{near}"));
    }
    Ok(text.to_owned())
}

/// Whether an address has a password, which whoever may read the configuration may read.
pub(super) fn has_password(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| {
        // A server of PostgreSQL takes it as a parameter, too.
        let is_one = |(name, value): (Cow<'_, str>, Cow<'_, str>)| name == "password" && !value.is_empty();
        url.password().is_some_and(|password| !password.is_empty()) || url.query_pairs().any(is_one)
    })
}

/// Parses `90s`, `30m`, `6h`, `1d`, `2w`, or several together, into seconds.
///
/// # Errors
/// In words, when it is none of these.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    let wrong = || format!("\"{text}\" is not a duration: write 30m, 6h or 1d");
    let mut seconds = 0u64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit_end = rest[digits..]
            .find(|c: char| c.is_ascii_digit() || c.is_whitespace())
            .map_or(rest.len(), |end| digits + end);
        let unit = match &rest[digits..unit_end] {
            "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => DAY_SECONDS,
            "w" => 7 * DAY_SECONDS,
            "y" => 365 * DAY_SECONDS,
            _ => return Err(wrong()),
        };
        seconds = number.checked_mul(unit).and_then(|part| seconds.checked_add(part)).ok_or_else(wrong)?;
        rest = rest[unit_end..].trim_start();
    }
    Ok(seconds)
}
