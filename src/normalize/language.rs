//! The language of a text: what is declared, checked by the words.

use std::sync::OnceLock;

use lingua::{IsoCode639_1, Language, LanguageDetector, LanguageDetectorBuilder};

use crate::little_words::{LANGUAGES, languages_of};
use crate::text::{fold, one_line, primary_language};

/// What is declared gives way to words that are so sure.
const SURE: f32 = 0.97;
/// Where nothing is declared, this will do.
const LIKELY: f32 = 0.4;
/// What a little word of one language alone is worth, and what is left of a language that the tables exclude.
const OWN_WORD_WORTH: f64 = 6.0;
const FLOOR: f64 = 0.01;
/// Fewer words do not speak against a declaration; fewer letters speak no language.
const WORDS_MIN: usize = 5;
const LETTERS_MIN: usize = 5;
/// Letters that are looked at.
const TEXT_CHARS_MAX: usize = 200;
/// The languages to tell apart where the configuration names fewer than two.
const DEFAULT: [&str; 3] = ["fr", "en", "es"];

struct Detector(LanguageDetector);

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Detector(…)")
    }
}

/// Tells languages apart, of those that are configured only. Its tables are read when it is first asked.
#[derive(Debug)]
pub struct Linguist {
    languages: Vec<Language>,
    detector: OnceLock<Detector>,
}

impl Default for Linguist {
    fn default() -> Self {
        Linguist::new(&[])
    }
}

impl Linguist {
    /// For languages by their tags; those that cannot be told are left out.
    pub fn new(tags: &[String]) -> Linguist {
        let known = |tags: &mut dyn Iterator<Item = &str>| {
            let mut languages: Vec<Language> = tags.filter_map(language_of).collect();
            languages.sort();
            languages.dedup();
            languages
        };
        let mut languages = known(&mut tags.iter().map(String::as_str));
        if languages.len() < 2 {
            languages = known(&mut tags.iter().map(String::as_str).chain(DEFAULT));
        }
        Linguist { languages, detector: OnceLock::new() }
    }

    /// The language of a text and how sure that is, 0 to 1; `None` for what has too few letters.
    pub fn detect(&self, text: &str) -> Option<(String, f32)> {
        let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
        if text.chars().filter(|c| c.is_alphabetic()).count() < LETTERS_MIN {
            return None;
        }
        let detector = self.detector.get_or_init(|| Detector(LanguageDetectorBuilder::from_languages(&self.languages).build()));
        let likely = detector.0.compute_language_confidence_values(one_line(&text));
        let own_words = own_words(&text, likely.iter().map(|(language, _)| *language).collect());
        let weigh = |(language, confidence): &(Language, f64)| {
            let count = own_words.iter().find(|(own, _)| own == language).map_or(0, |(_, count)| *count);
            (*language, (confidence + FLOOR) * OWN_WORD_WORTH.powi(count))
        };
        let weighed: Vec<(Language, f64)> = likely.iter().map(weigh).collect();
        let total: f64 = weighed.iter().map(|(_, weight)| weight).sum();
        let (language, weight) = weighed.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some((code(language), (weight / total) as f32))
    }

    /// The language of an entry: as declared, unless it has words enough that surely speak another. With how sure the words are of
    /// the answer; `None` where they were not asked, or not understood.
    pub fn judge(&self, declared: Option<&str>, text: &str) -> (Option<String>, Option<f32>) {
        let declared = declared.map(str::to_owned);
        // A language that is not among those to tell apart would be taken for one of them.
        if declared.as_deref().is_some_and(|tag| language_of(tag).is_none_or(|language| !self.languages.contains(&language))) {
            return (declared, None);
        }
        let Some((spoken, confidence)) = self.detect(text) else { return (declared, None) };
        match declared {
            Some(tag) if primary_language(&tag).eq_ignore_ascii_case(&spoken) => (Some(tag), Some(confidence)),
            Some(_) if confidence >= SURE && text.split_whitespace().count() >= WORDS_MIN => (Some(spoken), Some(confidence)),
            Some(tag) => (Some(tag), Some(1.0 - confidence)),
            None if confidence >= LIKELY => (Some(spoken), Some(confidence)),
            None => (None, None),
        }
    }
}

fn code(language: Language) -> String {
    language.iso_code_639_1().to_string().to_lowercase()
}

/// How many little words of a text are of one of the languages alone.
fn own_words(text: &str, languages: Vec<Language>) -> Vec<(Language, i32)> {
    let bit = |language: &Language| LANGUAGES.iter().position(|tag| *tag == code(*language)).map_or(0, |at| 1u8 << at);
    let asked = languages.iter().fold(0, |bits, language| bits | bit(language));
    let folded = fold(text);
    let words: Vec<u8> = folded.split(|c: char| !c.is_alphanumeric()).map(|word| languages_of(word) & asked).collect();
    languages.iter().map(|language| (*language, words.iter().filter(|&&bits| bits != 0 && bits == bit(language)).count() as i32)).collect()
}

fn language_of(tag: &str) -> Option<Language> {
    let code: IsoCode639_1 = primary_language(tag).to_ascii_lowercase().parse().ok()?;
    Some(Language::from_iso_code_639_1(&code))
}

/// The language that an address names: `/fr/…`, `fr.example.org`, `?lang=fr`.
pub fn language_in_address(address: &str) -> Option<String> {
    let url = url::Url::parse(address).ok()?;
    let is_language = |part: &str| part.len() == 2 && language_of(part).is_some();
    let in_path = url.path_segments().and_then(|mut parts| parts.next()).filter(|part| is_language(part)).map(str::to_owned);
    let in_host = || url.host_str().and_then(|host| host.split('.').next()).filter(|part| is_language(part) && *part != "co").map(str::to_owned);
    let in_query =
        || url.query_pairs().find(|(name, value)| matches!(&**name, "lang" | "language" | "hl") && is_language(value)).map(|(_, value)| value.into_owned());
    in_path.or_else(in_host).or_else(in_query).map(|tag| tag.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_is_checked_by_the_words() {
        let linguist = Linguist::new(&["fr".into(), "en".into(), "es".into()]);
        let judged = |declared: Option<&str>, text: &str| linguist.judge(declared, text).0;
        let french = "Les gouvernements locaux adoptent une déclaration politique à la fin du congrès";
        assert_eq!(judged(None, french).as_deref(), Some("fr"));
        assert_eq!(judged(Some("fr-CA"), french).as_deref(), Some("fr-CA"), "as exactly as it was said");
        assert_eq!(judged(Some("en"), french).as_deref(), Some("fr"), "a template that says en on every page");
        assert_eq!(judged(Some("en"), "Congrès de CGLU").as_deref(), Some("en"), "three words are too few to speak against it");
        assert_eq!(judged(Some("sw"), french).as_deref(), Some("sw"), "what cannot be told apart is believed");
        assert_eq!(judged(None, "2022"), None);
    }

    #[test]
    fn addresses_name_languages() {
        for (address, want) in [
            ("https://x.org/fr/actualites/1", Some("fr")),
            ("https://es.x.org/1", Some("es")),
            ("https://x.org/?p=1&lang=en", Some("en")),
            ("https://x.org/articles/fr", None),
            ("https://www.x.org/", None),
        ] {
            assert_eq!(language_in_address(address).as_deref(), want, "{address}");
        }
    }
}
