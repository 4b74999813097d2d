//! The texts of the interface, in the languages of its readers (Fluent). Each language has one file: the built-in ones in
//! `locales/`, and the operator's in the folder `locales/` beside the configuration, which add languages or replace built-in
//! messages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock, PoisonError, RwLock};

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentError, FluentResource, FluentValue};
use fluent_syntax::ast::{CallArguments, Entry, Expression, InlineExpression, Pattern, PatternElement};
use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

use crate::support::text::{did_you_mean, hex, is_language_tag, primary_language};

/// The messages of a language without variables, by name.
pub type Phrases = BTreeMap<&'static str, &'static str>;

/// The built-in languages. The first is the default, and has all required message names.
const SHIPPED: &[(&str, &str)] = &[
    ("en", include_str!("../../locales/en.ftl")),
    ("ar", include_str!("../../locales/ar.ftl")),
    ("ca", include_str!("../../locales/ca.ftl")),
    ("de", include_str!("../../locales/de.ftl")),
    ("es", include_str!("../../locales/es.ftl")),
    ("fr", include_str!("../../locales/fr.ftl")),
    ("id", include_str!("../../locales/id.ftl")),
    ("it", include_str!("../../locales/it.ftl")),
    ("nl", include_str!("../../locales/nl.ftl")),
    ("pt", include_str!("../../locales/pt.ftl")),
    ("ru", include_str!("../../locales/ru.ftl")),
    ("sw", include_str!("../../locales/sw.ftl")),
    ("uk", include_str!("../../locales/uk.ftl")),
    ("zh", include_str!("../../locales/zh.ftl")),
];

/// Prefix of messages that name a language (by tag) before a title. A file may omit such messages, or have more of them.
const LANGUAGE: &str = "in_";

/// A fault in a file of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocaleFault {
    pub path: PathBuf,
    /// Starting at 1.
    pub line: usize,
    pub message: String,
}

/// The messages of a language.
struct LocaleMessages {
    bundle: FluentBundle<FluentResource>,
    phrases: Phrases,
}

/// A language of the interface.
struct Locale {
    /// The primary language subtag.
    tag: &'static str,
    /// The built-in text, then the operator's; later messages win.
    texts: Vec<String>,
    /// Parsed on first use: most commands use none.
    words: OnceLock<LocaleMessages>,
}

/// All languages of the interface.
struct Locales(Vec<Locale>);

/// The languages with the operator's files, which are read at the start, and again with the configuration. What replaces them is
/// kept, since phrases are handed out for good.
static LOCALES: RwLock<Option<&'static Locales>> = RwLock::new(None);

/// Names of messages, with the variables of each.
type MessageNames = BTreeMap<String, BTreeSet<String>>;

/// The names required of every language.
static REFERENCE: LazyLock<MessageNames> = LazyLock::new(|| {
    let (resource, _) = parsed(SHIPPED[0].1);
    names(&resource)
});

impl Locale {
    fn words(&self) -> &LocaleMessages {
        self.words.get_or_init(|| words(self.tag, &self.texts))
    }
}

impl Locales {
    fn shipped() -> Locales {
        let locale = |(tag, text): &(&'static str, &str)| Locale {
            tag,
            texts: vec![(*text).to_owned()],
            words: OnceLock::new(),
        };
        Locales(SHIPPED.iter().map(locale).collect())
    }

    fn find(&self, language: &str) -> Option<&Locale> {
        let primary = primary_language(language);
        self.0.iter().find(|locale| locale.tag.eq_ignore_ascii_case(primary))
    }
}

fn locales() -> &'static Locales {
    let known = *LOCALES.read().unwrap_or_else(PoisonError::into_inner);
    known.unwrap_or_else(|| {
        let mut slot = LOCALES.write().unwrap_or_else(PoisonError::into_inner);
        *slot.get_or_insert_with(|| Box::leak(Box::new(Locales::shipped())))
    })
}

/// The languages as they were at a time.
#[derive(Clone, Copy)]
pub struct LocalesBefore(&'static Locales);

/// The languages as they are, to go back to if a configuration turns out to be faulty.
pub fn current() -> LocalesBefore {
    LocalesBefore(locales())
}

/// Goes back to the languages of before.
pub fn go_back(before: LocalesBefore) {
    *LOCALES.write().unwrap_or_else(PoisonError::into_inner) = Some(before.0);
}

/// The messages of a language, or of the default if it is unknown; callers have to check that beforehand.
fn words_of(language: &str) -> &'static LocaleMessages {
    let locales = locales();
    locales.find(language).unwrap_or(&locales.0[0]).words()
}

fn parsed(text: &str) -> (FluentResource, Vec<fluent_syntax::parser::ParserError>) {
    match FluentResource::try_new(text.to_owned()) {
        Ok(resource) => (resource, Vec::new()),
        Err((resource, errors)) => (resource, errors),
    }
}

/// Parses files that are known to be valid: built-in ones are tested, the operator's were checked.
fn words(tag: &'static str, texts: &[String]) -> LocaleMessages {
    let mut bundle = FluentBundle::new_concurrent(tag.parse().into_iter().collect());
    // Bidi isolation marks around arguments would be visible in mails.
    bundle.set_use_isolating(false);
    let mut all = MessageNames::new();
    for text in texts {
        let (resource, _) = parsed(text);
        all.extend(names(&resource));
        bundle.add_resource_overriding(resource);
    }
    let mut phrases = Phrases::from([("lang", tag)]);
    // Messages with variables are formatted by `said`.
    for (name, _) in all.into_iter().filter(|(_, variables)| variables.is_empty()) {
        let text = format(&bundle, &name, None).0;
        phrases.insert(Box::leak(name.into_boxed_str()), Box::leak(text.into_boxed_str()));
    }
    LocaleMessages { bundle, phrases }
}

fn format(
    bundle: &FluentBundle<FluentResource>,
    name: &str,
    arguments: Option<&FluentArgs>,
) -> (String, Vec<String>) {
    let Some(pattern) = bundle.get_message(name).and_then(|message| message.value()) else {
        return (String::new(), vec!["has no text".into()]);
    };
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, arguments, &mut errors).into_owned();
    (text, errors.iter().map(ToString::to_string).collect())
}

/// The names of the messages in a file, with their variables.
fn names(resource: &FluentResource) -> MessageNames {
    let mut names = MessageNames::new();
    for entry in resource.entries() {
        if let Entry::Message(message) = entry {
            let variables = names.entry(message.id.name.to_owned()).or_default();
            message.value.iter().for_each(|pattern| variables_of(pattern, variables));
        }
    }
    names
}

fn variables_of(pattern: &Pattern<&str>, found: &mut BTreeSet<String>) {
    for element in &pattern.elements {
        let PatternElement::Placeable { expression } = element else { continue };
        variables_in(expression, found);
    }
}

fn variables_in(expression: &Expression<&str>, found: &mut BTreeSet<String>) {
    match expression {
        Expression::Select { selector, variants } => {
            variables_inline(selector, found);
            variants.iter().for_each(|variant| variables_of(&variant.value, found));
        }
        Expression::Inline(inline) => variables_inline(inline, found),
    }
}

fn variables_inline(inline: &InlineExpression<&str>, found: &mut BTreeSet<String>) {
    let mut within = |arguments: &CallArguments<&str>| {
        arguments.positional.iter().for_each(|argument| variables_inline(argument, found));
    };
    match inline {
        InlineExpression::VariableReference { id } => drop(found.insert(id.name.to_owned())),
        InlineExpression::FunctionReference { arguments, .. } => within(arguments),
        InlineExpression::TermReference { arguments: Some(arguments), .. } => within(arguments),
        InlineExpression::Placeable { expression } => variables_in(expression, found),
        _ => {}
    }
}

/// The `.ftl` files in a folder, which may not exist.
fn locale_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "ftl"));
    paths.sort();
    Ok(paths)
}

/// Adds the operator's files from a folder, which may not exist. Call once, before any message is used. Returns the faults
/// found; if there are any, the caller must not continue.
pub fn add(folder: &Path) -> Vec<LocaleFault> {
    let mut faults = Vec::new();
    let mut locales = Locales::shipped();
    let paths = locale_files(folder).unwrap_or_else(|error| {
        let message = format!("cannot be read: {error}");
        faults.push(LocaleFault { path: folder.to_owned(), line: 1, message });
        Vec::new()
    });
    for path in paths {
        let mut fault =
            |line, message: String| faults.push(LocaleFault { path: path.clone(), line, message });
        let tag = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if !(2..=3).contains(&tag.len()) || !tag.bytes().all(|byte| byte.is_ascii_lowercase()) {
            fault(1, "the name is not a language tag: use two or three letters, such as eu.ftl".into());
            continue;
        }
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                fault(1, format!("cannot be read: {error}"));
                continue;
            }
        };
        let at = locales.0.iter().position(|locale| locale.tag == tag).unwrap_or_else(|| {
            let tag = Box::leak(tag.to_owned().into_boxed_str());
            locales.0.push(Locale { tag, texts: Vec::new(), words: OnceLock::new() });
            locales.0.len() - 1
        });
        let locale = &mut locales.0[at];
        let found = check(&text, locale.texts.is_empty());
        if found.is_empty() {
            locale.texts.push(text);
        }
        found.into_iter().for_each(|(line, message)| fault(line, message));
    }
    // Faulty languages are registered all the same, so that using them is not reported as a second fault.
    replace(locales);
    faults
}

/// Uses these languages from now on, unless they are what there is.
fn replace(fresh: Locales) {
    let same = |known: &Locale, other: &Locale| known.tag == other.tag && known.texts == other.texts;
    let mut slot = LOCALES.write().unwrap_or_else(PoisonError::into_inner);
    let is_known = slot.is_some_and(|known| {
        known.0.len() == fresh.0.len()
            && known.0.iter().zip(&fresh.0).all(|(known, other)| same(known, other))
    });
    if !is_known {
        *slot = Some(Box::leak(Box::new(fresh)));
    }
}

/// The last line that begins with a key.
fn line_of_key(text: &str, name: &str) -> usize {
    let begins = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='));
    text.lines().enumerate().filter(|(_, line)| begins(line)).last().map_or(1, |(at, _)| at + 1)
}

/// Faults in the text of a file, with line numbers. With `is_whole`, all required messages have to be present.
fn check(text: &str, is_whole: bool) -> Vec<(usize, String)> {
    let line_of =
        |at: usize| text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1;
    let (resource, errors) = parsed(text);
    let mut faults: Vec<(usize, String)> = errors
        .iter()
        .map(|error| {
            let start = error.slice.as_ref().map_or(error.pos.start, |entry| entry.start);
            (line_of(start), format!("cannot be read: {}", error.kind))
        })
        .collect();
    let line_with = |name: &str| line_of_key(text, name);
    let names = names(&resource);
    for (name, variables) in &names {
        let Some(known) = REFERENCE.get(name) else {
            if !name.starts_with(LANGUAGE) {
                let near = did_you_mean(name, REFERENCE.keys().map(String::as_str));
                faults.push((line_with(name), format!("unknown key \"{name}\"{near}")));
            }
            continue;
        };
        for variable in variables.difference(known) {
            faults.push((line_with(name), format!("\"{name}\" has no variable ${variable}")));
        }
    }
    if is_whole && errors.is_empty() {
        let needed = REFERENCE.keys().filter(|name| !name.starts_with(LANGUAGE));
        let missing: Vec<&str> =
            needed.filter(|name| !names.contains_key(*name)).map(String::as_str).collect();
        if !missing.is_empty() {
            faults.push((line_of(text.len()), format!("keys are missing: {}", missing.join(", "))));
        }
    }
    if faults.is_empty() {
        let wrong = check_values(&names, resource).into_iter();
        faults.extend(wrong.map(|(name, why)| (line_with(&name), format!("\"{name}\" {why}"))));
    }
    faults.sort();
    faults
}

/// Names of messages that cannot be formatted, and why.
fn check_values(names: &MessageNames, resource: FluentResource) -> Vec<(String, String)> {
    let mut bundle = FluentBundle::new_concurrent(Vec::new());
    let mut faults = Vec::new();
    if let Err(errors) = bundle.add_resource(resource) {
        faults.extend(errors.into_iter().map(|error| match error {
            FluentError::Overriding { id, .. } => (id, "is defined twice".into()),
            error => (String::new(), error.to_string()),
        }));
    }
    let mut arguments = FluentArgs::new();
    for variable in REFERENCE.values().flatten() {
        arguments.set(variable.clone(), 1);
    }
    for name in names.keys() {
        let (text, errors) = format(&bundle, name, Some(&arguments));
        faults.extend(errors.into_iter().map(|error| (name.clone(), error)));
        // Plural forms that are rarely selected have to be valid too.
        let pattern = bundle.get_message(name).and_then(|message| message.value());
        for form in pattern.into_iter().flat_map(forms) {
            let mut errors = Vec::new();
            bundle.format_pattern(form, Some(&arguments), &mut errors);
            faults.extend(errors.iter().map(|error| (name.clone(), error.to_string())));
        }
        if name == "dir" && !matches!(text.as_str(), "ltr" | "rtl") {
            faults.push((name.clone(), "must be ltr or rtl".into()));
        }
        if name == "timezone" && jiff::tz::TimeZone::get(&text).is_err() {
            faults.push((name.clone(), format!("must be a time zone such as Europe/Paris, not {text}")));
        }
    }
    faults.sort();
    faults.dedup();
    faults
}

/// All variants that a message selects from.
fn forms<'a>(pattern: &'a Pattern<&'a str>) -> Vec<&'a Pattern<&'a str>> {
    let mut found = Vec::new();
    for element in &pattern.elements {
        let PatternElement::Placeable { expression: Expression::Select { variants, .. } } = element else {
            continue;
        };
        for variant in variants {
            found.push(&variant.value);
            found.extend(forms(&variant.value));
        }
    }
    found
}

/// The tags of all languages of the interface, sorted.
pub fn languages() -> Vec<&'static str> {
    let mut tags: Vec<&str> = locales().0.iter().map(|locale| locale.tag).collect();
    tags.sort_unstable();
    tags
}

/// The tag of a language of the interface, if it is one.
pub fn known(language: &str) -> Option<&'static str> {
    locales().find(language).map(|locale| locale.tag)
}

/// Parses a language of the interface.
///
/// # Errors
/// When the interface does not have it: a sentence that lists the languages it has.
pub fn parse_interface_language(text: &str) -> Result<String, String> {
    if is_language_tag(text) && known(text).is_some() {
        return Ok(text.to_owned());
    }
    Err(format!(
        "the interface is not available in \"{text}\": use one of {}, or add its file to locales/",
        languages().join(", ")
    ))
}

/// The language to use for readers of `language`: that, or `fallback` if the interface does not have it.
pub fn spoken<'a>(language: &'a str, fallback: &'a str) -> &'a str {
    if known(language).is_some() { language } else { fallback }
}

/// The tag of the language with this name, in its own or in another language.
pub fn tag_of_name(name: &str) -> Option<&'static str> {
    let wanted = crate::support::text::fold(name.trim());
    let is_called = |tag: &&str| {
        let own = words_of(tag).phrases["own_name"];
        std::iter::once(own.to_owned())
            .chain(languages().into_iter().map(|other| language_name(tag, other)))
            .map(|called| format!(" {}", crate::support::text::fold(&called)))
            .any(|called| called.ends_with(&format!(" {wanted}")))
    };
    if wanted.chars().count() < 4 { None } else { languages().into_iter().find(is_called) }
}

/// The default language.
pub fn default_language() -> &'static str {
    SHIPPED[0].0
}

/// A hash of all texts, to detect changes.
pub fn fingerprint() -> String {
    let mut digest = Sha256::new();
    locales().0.iter().flat_map(|locale| &locale.texts).for_each(|text| digest.update(text));
    hex(&digest.finalize())
}

/// All messages without variables in a language.
pub fn phrases(language: &str) -> &'static Phrases {
    &words_of(language).phrases
}

/// Formats a message with arguments.
pub fn said(name: &str, language: &str, arguments: &[(&'static str, FluentValue<'_>)]) -> String {
    let arguments: FluentArgs = arguments.iter().cloned().collect();
    format(&words_of(language).bundle, name, Some(&arguments)).0
}

/// Formats a message with a count.
pub fn counted(name: &str, count: usize, language: &str) -> String {
    said(name, language, &[("count", count.into())])
}

/// The name of a language in another one, as used before a title; the tag itself if unknown.
pub fn language_name(tag: &str, language: &str) -> String {
    let name = format!("{LANGUAGE}{}", primary_language(tag).to_ascii_lowercase());
    phrases(language).get(name.as_str()).map_or_else(|| tag.to_owned(), |name| (*name).to_owned())
}

/// The name of a language in that language; the tag itself if unknown.
pub fn language_of(tag: &str) -> &str {
    locales().find(tag).map_or(tag, |locale| locale.words().phrases["own_name"])
}

/// The text with its first letter capitalized.
pub fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A date in words: `1er mars 2022`, `March 1, 2022`, `1 de marzo de 2022`.
pub fn long_date(date: Date, language: &str) -> String {
    let month = phrases(language)[format!("month_{}", date.month()).as_str()];
    let arguments =
        [("day", date.day().into()), ("month", month.into()), ("year", date.year().to_string().into())];
    said("date", language, &arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shipped_languages_have_the_same_names_with_the_same_variables() {
        assert!(REFERENCE.len() > 90);
        for (tag, text) in SHIPPED {
            assert_eq!(check(text, true), [], "{tag}");
            let (resource, _) = parsed(text);
            let others = |names: &MessageNames| -> MessageNames {
                let is_other = |name: &str| !name.starts_with(LANGUAGE);
                names
                    .iter()
                    .filter(|(name, _)| is_other(name))
                    .map(|(name, of)| (name.clone(), of.clone()))
                    .collect()
            };
            assert_eq!(others(&names(&resource)), others(&REFERENCE), "{tag}");
            for (other, _) in SHIPPED {
                assert_ne!(language_name(other, tag), *other, "what {other} is called in {tag}");
            }
        }
    }

    #[test]
    fn what_is_wrong_in_a_file_is_told_with_its_line() {
        let faults = |text: &str, is_whole: bool| {
            check(text, is_whole)
                .into_iter()
                .map(|(line, message)| format!("{line}: {message}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            faults("save = Gorde\nin_xx = x\nmore_stories = eta { $count } gehiago\n", false),
            [""; 0]
        );
        let found = faults("save = Gorde\nsabe = x\nmore_stories = { $number }\ndir = up\n", false);
        assert_eq!(
            found,
            [
                "2: unknown key \"sabe\": did you mean \"save\"?",
                "3: \"more_stories\" has no variable $number"
            ]
        );
        assert_eq!(faults("\ndir = up\n", false), ["2: \"dir\" must be ltr or rtl"]);
        let found = faults("save = A\npause = B\nsave = C\n", false);
        assert_eq!(found, ["3: \"save\" is defined twice"]);
        let found = faults("more_stories = { $count ->\n    [one] one\n   *[other] { nothing }\n}\n", false);
        assert!(
            found.len() == 1 && found[0].starts_with("1: \"more_stories\" ") && found[0].contains("nothing"),
            "{found:?}"
        );
        let found = faults("save = Gorde\n", true);
        assert!(found[0].starts_with("2: keys are missing: admin, admin_accept, "), "{found:?}");
        let found = faults("save = Gorde\nbroken = {\n", true);
        assert!(found.len() == 1 && found[0].contains("cannot be read"), "{found:?}");
    }

    #[test]
    fn languages_are_known_by_their_primary_subtag_and_count() {
        assert_eq!(phrases("fr-CA")["colon"], "\u{a0}:");
        assert_eq!((known("PT-br"), known("tlh"), spoken("tlh", "fr")), (known("pt"), None, "fr"));
        assert!(parse_interface_language("fr-CA").is_ok() && parse_interface_language("fr-@@ <b>").is_err());
        assert!(parse_interface_language("tlh").unwrap_err().contains("\"tlh\": use one of "));
        assert_eq!(language_name("tlh", "fr"), "tlh");
        assert_eq!(counted("more_stories", 1, "fr"), "et un article de plus sur la page web");
        assert_eq!(counted("more_stories", 1200, "es"), "y 1200 más en la página web");
        for (language, count, want) in [
            ("ru", 1, "и ещё 1 статья на странице"),
            ("ru", 3, "и ещё 3 статьи на странице"),
            ("ru", 11, "и ещё 11 статей на странице"),
            ("ru", 21, "и ещё 21 статья на странице"),
            ("ar", 1, "ومقال آخر على صفحة الويب"),
            ("ar", 2, "ومقالان آخران على صفحة الويب"),
            ("ar", 5, "و5 مقالات أخرى على صفحة الويب"),
            ("ar", 11, "و11 مقالًا آخر على صفحة الويب"),
            ("ar", 100, "و100 مقال آخر على صفحة الويب"),
            ("id", 1, "dan 1 artikel lagi di halaman web"),
        ] {
            assert_eq!(counted("more_stories", count, language), want);
        }
    }

    #[test]
    fn dates_are_written_as_each_language_does() {
        let date = Date::constant(2022, 3, 1);
        for (language, want) in [
            ("fr", "1er mars 2022"),
            ("en-GB", "March 1, 2022"),
            ("es", "1 de marzo de 2022"),
            ("ca", "1 de març de 2022"),
            ("it", "1º marzo 2022"),
            ("de", "1. März 2022"),
            ("ru", "1 марта 2022 г."),
            ("zh", "2022年3月1日"),
        ] {
            assert_eq!(long_date(date, language), want);
        }
    }
}
