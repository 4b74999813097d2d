//! The few words that courant says itself, in the languages of its readers (Fluent, `locales/`). English where a language is
//! not known.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use jiff::civil::Date;

use crate::support::text::primary_language;

/// What can be said in one language, by its name.
pub type Phrases = BTreeMap<&'static str, &'static str>;

struct Locale {
    bundle: FluentBundle<FluentResource>,
    phrases: Phrases,
}

const LOCALES: [(&str, &str); 3] = [
    ("fr", include_str!("../../locales/fr.ftl")),
    ("en", include_str!("../../locales/en.ftl")),
    ("es", include_str!("../../locales/es.ftl")),
];

static SPOKEN: LazyLock<[Locale; 3]> = LazyLock::new(|| LOCALES.map(|(tag, text)| locale(tag, text)));

/// Reads a locale. What it holds is ours, and tested: a fault of it would be a missing phrase.
fn locale(tag: &'static str, text: &'static str) -> Locale {
    let resource = FluentResource::try_new(text.to_owned()).unwrap_or_else(|(partial, _)| partial);
    let mut bundle = FluentBundle::new_concurrent(tag.parse().into_iter().collect());
    // Marks of direction around what is filled in would be seen in mails.
    bundle.set_use_isolating(false);
    let _ = bundle.add_resource(resource);
    let names = text
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with([' ', '#']));
    let mut phrases = Phrases::from([("lang", tag)]);
    for name in names {
        let Some(pattern) = bundle.get_message(name).and_then(|message| message.value()) else { continue };
        let mut errors = Vec::new();
        let said = bundle.format_pattern(pattern, None, &mut errors).into_owned();
        // What counts something is said by `counted`.
        if errors.is_empty() {
            phrases.insert(name, Box::leak(said.into_boxed_str()));
        }
    }
    Locale { bundle, phrases }
}

fn column(language: &str) -> usize {
    match language.split('-').next() {
        Some("fr") => 0,
        Some("es") => 2,
        _ => 1,
    }
}

/// All phrases in one language.
pub fn phrases(language: &str) -> &'static Phrases {
    &SPOKEN[column(language)].phrases
}

/// A phrase that counts something.
pub fn counted(name: &str, count: usize, language: &str) -> String {
    let bundle = &SPOKEN[column(language)].bundle;
    let mut arguments = FluentArgs::new();
    arguments.set("count", count);
    let pattern = bundle.get_message(name).and_then(|message| message.value());
    pattern
        .map(|pattern| bundle.format_pattern(pattern, Some(&arguments), &mut Vec::new()).into_owned())
        .unwrap_or_default()
}

/// Language, and what it is called in French, English and Spanish.
const LANGUAGES: &[(&str, [&str; 3])] = &[
    ("fr", ["en français", "in French", "en francés"]),
    ("en", ["en anglais", "in English", "en inglés"]),
    ("es", ["en espagnol", "in Spanish", "en español"]),
    ("pt", ["en portugais", "in Portuguese", "en portugués"]),
    ("ar", ["en arabe", "in Arabic", "en árabe"]),
    ("de", ["en allemand", "in German", "en alemán"]),
    ("it", ["en italien", "in Italian", "en italiano"]),
    ("ca", ["en catalan", "in Catalan", "en catalán"]),
    ("nl", ["en néerlandais", "in Dutch", "en neerlandés"]),
    ("ru", ["en russe", "in Russian", "en ruso"]),
    ("uk", ["en ukrainien", "in Ukrainian", "en ucraniano"]),
    ("zh", ["en chinois", "in Chinese", "en chino"]),
    ("id", ["en indonésien", "in Indonesian", "en indonesio"]),
    ("sw", ["en swahili", "in Swahili", "en suajili"]),
];

/// What readers of `language` call another language, as it stands before a title; the tag itself where it is not known.
pub fn language_name(tag: &str, language: &str) -> String {
    let primary = primary_language(tag).to_ascii_lowercase();
    LANGUAGES
        .iter()
        .find(|(known, _)| *known == primary)
        .map_or_else(|| tag.to_owned(), |(_, names)| names[column(language)].to_owned())
}

/// Languages as their own readers call them.
const OWN_NAMES: &[(&str, &str)] = &[
    ("fr", "français"),
    ("en", "English"),
    ("es", "español"),
    ("pt", "português"),
    ("ar", "العربية"),
    ("de", "Deutsch"),
    ("it", "italiano"),
    ("ca", "català"),
    ("nl", "Nederlands"),
    ("ru", "русский"),
    ("uk", "українська"),
    ("zh", "中文"),
    ("id", "Bahasa Indonesia"),
    ("sw", "Kiswahili"),
];

/// What the readers of a language call it; the tag itself where it is not known.
pub fn language_of(tag: &str) -> &str {
    let primary = primary_language(tag);
    OWN_NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(primary)).map_or(tag, |(_, name)| name)
}

/// The text with a capital at its start.
pub fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

const MONTHS: [[&str; 12]; 3] = [
    [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
];

/// A day as people write it: `1er mars 2022`, `March 1, 2022`, `1 de marzo de 2022`.
pub fn long_date(date: Date, language: &str) -> String {
    let column = column(language);
    let month = MONTHS[column][usize::from(date.month().unsigned_abs()) - 1];
    match column {
        0 if date.day() == 1 => format!("1er {month} {}", date.year()),
        0 => format!("{} {month} {}", date.day(), date.year()),
        2 => format!("{} de {month} de {}", date.day(), date.year()),
        _ => format!("{month} {}, {}", date.day(), date.year()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_languages_say_the_same_things_and_count() {
        let names: Vec<Vec<&str>> =
            ["fr", "en", "es"].iter().map(|language| phrases(language).keys().copied().collect()).collect();
        assert!(names[0].len() > 60 && names[0] == names[1] && names[1] == names[2]);
        assert_eq!(phrases("fr-CA")["colon"], "\u{a0}:");
        assert_eq!(phrases("de")["lang"], "en");
        assert_eq!(counted("more_stories", 1, "fr"), "et un article de plus sur la page web");
        assert_eq!(counted("more_stories", 1200, "es"), "y 1200 más en la página web");
    }

    #[test]
    fn dates_are_written_as_each_language_does() {
        let date = Date::constant(2022, 3, 1);
        assert_eq!(long_date(date, "fr"), "1er mars 2022");
        assert_eq!(long_date(date, "en-GB"), "March 1, 2022");
        assert_eq!(long_date(date, "es"), "1 de marzo de 2022");
    }
}
