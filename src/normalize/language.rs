//! Determines the language of a text: checks the declared one against its words. Stop words decide alone where they are clear;
//! letters, which take longer, are only asked in case of doubt.

use super::ngrams::{self, NgramLanguage};
use crate::support::stopwords::{LANGUAGES, languages_of};
use crate::support::text::{fold_into, is_same_language, primary_language};

/// Confidence at which the text overrules the declared language.
const SURE: f32 = 0.97;
/// Minimum confidence if no language is declared.
const LIKELY: f32 = 0.4;
/// Minimum confidence of the stop words alone.
const CLEAR: f32 = 0.95;
/// In text of a language, at least one in this many words is a stop word.
const STOP_WORD_SHARE: usize = 6;
/// The factor that a stop word contributes to its languages, and the minimum weight of a language that the letters exclude.
const STOP_WORD_WEIGHT: f64 = 6.0;
const FLOOR: f64 = 0.01;
/// Fewer words cannot overrule a declaration; fewer letters have no language.
const WORDS_MIN: usize = 5;
const LETTERS_MIN: usize = 5;
/// Number of characters examined.
const TEXT_CHARS_MAX: usize = 200;
/// The languages to distinguish if fewer than two are configured.
const DEFAULT: [&str; 3] = ["fr", "en", "es"];

/// A language by its position in `LANGUAGES`.
type Language = usize;

/// Distinguishes the configured languages.
#[derive(Debug)]
pub struct LanguageDetector {
    languages: Vec<Language>,
    /// The same for the table of n-grams.
    by_letters: Vec<NgramLanguage>,
}

/// The start of a text and its stop words.
struct Start<'a> {
    text: &'a str,
    words: usize,
    /// For each language of `LANGUAGES`, its number of stop words.
    stop_words: [i32; LANGUAGES.len()],
}

impl Default for LanguageDetector {
    fn default() -> Self {
        LanguageDetector::new(&[])
    }
}

impl LanguageDetector {
    /// A detector for languages given by tags; unsupported ones are ignored.
    pub fn new(tags: &[String]) -> LanguageDetector {
        let known = |tags: &mut dyn Iterator<Item = &str>| {
            let mut languages: Vec<Language> = tags.filter_map(language_of).collect();
            languages.sort_unstable();
            languages.dedup();
            languages
        };
        let mut languages = known(&mut tags.iter().map(String::as_str));
        if languages.len() < 2 {
            languages = known(&mut tags.iter().map(String::as_str).chain(DEFAULT));
        }
        let by_letters = languages.iter().map(|language| NgramLanguage::new(LANGUAGES[*language])).collect();
        LanguageDetector { languages, by_letters }
    }

    /// The language of a text and the confidence, 0 to 1; `None` for a text with too few letters.
    pub fn detect(&self, text: &str) -> Option<(String, f32)> {
        let start = Start::of(text)?;
        self.by_stop_words(&start).or_else(|| self.by_letters(&start))
    }

    /// The language of an entry: the declared one, unless there is enough text that is surely in another one. Also returns the
    /// confidence of the text in the answer; `None` if the text was not examined, was not understood, or was too short to change
    /// the answer.
    pub fn judge(&self, declared: Option<&str>, text: &str) -> (Option<String>, Option<f32>) {
        let Some(tag) = declared else {
            return match self.detect(text) {
                Some((spoken, confidence)) if confidence >= LIKELY => (Some(spoken), Some(confidence)),
                _ => (None, None),
            };
        };
        let declared = Some(tag.to_owned());
        // A language that is not among the configured ones would be mistaken for one of them.
        let Some(own) =
            language_of(tag).and_then(|own| self.languages.iter().position(|language| *language == own))
        else {
            return (declared, None);
        };
        let Some(start) = Start::of(text) else { return (declared, None) };
        if let Some(confidence) = self.agreement(&start, own) {
            return (declared, Some(confidence));
        }
        // Counts words in the whole text: its examined start may have few if they are long.
        if text.split_whitespace().take(WORDS_MIN).count() < WORDS_MIN {
            return (declared, None);
        }
        match self.by_letters(&start) {
            Some((spoken, confidence)) if is_same_language(tag, &spoken) => (declared, Some(confidence)),
            Some((spoken, confidence)) if confidence >= SURE => (Some(spoken), Some(confidence)),
            Some((_, confidence)) => (declared, Some(1.0 - confidence)),
            None => (declared, None),
        }
    }

    /// The confidence in the declared language, if it has more stop words than any other. The letters cannot outvote that and
    /// need not be asked: `FLOOR` and the lead of a single word keep every other language below `SURE`.
    fn agreement(&self, start: &Start, own: usize) -> Option<f32> {
        let count = |at: usize| start.stop_words[self.languages[at]];
        let leads = (0..self.languages.len()).filter(|at| *at != own).all(|at| count(own) > count(at));
        leads.then(|| {
            let weighed = self.weighed(start, |_| 1.0);
            share(weighed[own].1, &weighed)
        })
    }

    /// The language by stop words alone, if they are frequent and clear. Those of languages that are not configured count too:
    /// words of two languages indicate neither, and a third one may be meant.
    fn by_stop_words(&self, start: &Start) -> Option<(String, f32)> {
        let (at, count) = start.stop_words.iter().enumerate().max_by_key(|(_, count)| **count)?;
        let own = self.languages.iter().position(|language| *language == at)?;
        let weighed = self.weighed(start, |_| 1.0);
        let confidence = share(weighed[own].1, &weighed);
        let is_clear = confidence >= CLEAR && *count as usize * STOP_WORD_SHARE >= start.words;
        is_clear.then(|| (code(self.languages[own]), confidence))
    }

    /// The language by the letters, weighted by the stop words.
    fn by_letters(&self, start: &Start) -> Option<(String, f32)> {
        let shares = ngrams::TABLE.shares(start.text, &self.by_letters);
        let weighed = self.weighed(start, |at| shares[at] + FLOOR);
        let (language, weight) = weighed.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some((code(*language), share(*weight, &weighed)))
    }

    /// Each language with its weight: `weight` of its position times the factor of its stop words.
    fn weighed(&self, start: &Start, weight: impl Fn(usize) -> f64) -> Vec<(Language, f64)> {
        let languages = self.languages.iter().enumerate();
        languages
            .map(|(at, language)| {
                (*language, weight(at) * STOP_WORD_WEIGHT.powi(start.stop_words[*language]))
            })
            .collect()
    }
}

/// A weight as a share of the total.
fn share(weight: f64, weighed: &[(Language, f64)]) -> f32 {
    (weight / weighed.iter().map(|(_, weight)| weight).sum::<f64>()) as f32
}

impl Start<'_> {
    /// `None` for a text with too few letters.
    fn of(text: &str) -> Option<Start<'_>> {
        let end = text.char_indices().nth(TEXT_CHARS_MAX).map_or(text.len(), |(end, _)| end);
        let text = &text[..end];
        if text.chars().filter(|c| c.is_alphabetic()).take(LETTERS_MIN).count() < LETTERS_MIN {
            return None;
        }
        let mut folded = String::with_capacity(text.len());
        fold_into(&mut folded, text);
        let mut start = Start { text, words: 0, stop_words: [0; LANGUAGES.len()] };
        for word in folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            let languages = languages_of(word);
            start.words += 1;
            start
                .stop_words
                .iter_mut()
                .enumerate()
                .for_each(|(at, count)| *count += i32::from(languages >> at & 1));
        }
        Some(start)
    }
}

fn code(language: Language) -> String {
    LANGUAGES[language].to_owned()
}

fn language_of(tag: &str) -> Option<Language> {
    let primary = primary_language(tag);
    LANGUAGES.iter().position(|known| primary.eq_ignore_ascii_case(known))
}

/// The language named in an address: `/fr/…`, `fr.example.org`, `?lang=fr`.
pub fn language_in_address(address: &str) -> Option<String> {
    let url = url::Url::parse(address).ok()?;
    let is_language = |part: &str| part.len() == 2 && language_of(part).is_some();
    let in_path = url
        .path_segments()
        .and_then(|mut parts| parts.next())
        .filter(|part| is_language(part))
        .map(str::to_owned);
    let in_host = || {
        url.host_str()
            .and_then(|host| host.split('.').next())
            .filter(|part| is_language(part) && *part != "co")
            .map(str::to_owned)
    };
    let in_query = || {
        url.query_pairs()
            .find(|(name, value)| matches!(&**name, "lang" | "language" | "hl") && is_language(value))
            .map(|(_, value)| value.into_owned())
    };
    in_path.or_else(in_host).or_else(in_query).map(|tag| tag.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_is_checked_by_the_words() {
        let language_detector = LanguageDetector::new(&["fr".into(), "en".into(), "es".into()]);
        let judged = |declared: Option<&str>, text: &str| language_detector.judge(declared, text).0;
        let french = "Les gouvernements locaux adoptent une déclaration politique à la fin du congrès";
        assert_eq!(judged(None, french).as_deref(), Some("fr"));
        assert_eq!(judged(Some("fr-CA"), french).as_deref(), Some("fr-CA"), "as exactly as it was said");
        assert_eq!(
            judged(Some("en"), french).as_deref(),
            Some("fr"),
            "a template that says en on every page"
        );
        assert_eq!(
            judged(Some("en"), "Congrès de CGLU").as_deref(),
            Some("en"),
            "three words are too few to speak against it"
        );
        assert_eq!(
            judged(Some("sw"), french).as_deref(),
            Some("sw"),
            "what cannot be told apart is believed"
        );
        assert_eq!(judged(None, "2022"), None);
    }

    const FRENCH: &str = "Les gouvernements locaux adoptent une déclaration politique à la fin du congrès";

    fn language_detector() -> LanguageDetector {
        LanguageDetector::new(&["fr".into(), "en".into(), "es".into()])
    }

    #[test]
    fn clear_little_words_answer_alone() {
        let language_detector = language_detector();
        let all_seven = LanguageDetector::new(&LANGUAGES.map(String::from));
        let german = "Die Gemeinden haben sich auf einen Plan für die nächsten fünf Jahre geeinigt, der nun vom Rat geprüft wird";
        for (language_detector, declared, text, want) in [
            (&language_detector, None, FRENCH, "fr"),
            (&language_detector, Some("fr-CA"), FRENCH, "fr-CA"),
            (&language_detector, Some("es"), "Alcaldes firman en Roma una declaración", "es"),
            (&all_seven, None, german, "de"),
            (&all_seven, Some("fr"), "Congrès de Rome : les villes et leurs données", "fr"),
        ] {
            let (language, confidence) = language_detector.judge(declared, text);
            assert_eq!(language.as_deref(), Some(want), "{text}");
            assert!(
                confidence.is_some_and(|confidence| (0.7..=1.0).contains(&confidence)),
                "{confidence:?} for {text}"
            );
        }
    }

    #[test]
    fn a_lead_of_few_words_is_less_sure() {
        let confidence = |text: &str| language_detector().judge(Some("fr"), text).1.unwrap();
        let (few, many) = (confidence("Congrès mondial pour Bruxelles"), confidence(FRENCH));
        assert!(few < many && many > CLEAR, "{few} {many}");
    }

    #[test]
    fn letters_are_asked_in_doubt() {
        for (declared, text, want) in [
            (Some("en"), FRENCH, "fr"),
            (None, "Gouvernements locaux, déclaration politique", "fr"),
            (Some("en"), "Three mayors debate Rome accords", "en"),
        ] {
            let (language, confidence) = language_detector().judge(declared, text);
            assert_eq!(language.as_deref(), Some(want), "{text}");
            assert!(confidence.is_some());
        }
        // "in", "so" and "die" are English words too, so English cannot be excluded by stop words.
        let german = Start::of("In so einem Fall will die Stadt in Rom nicht mehr warten").unwrap();
        assert!(language_detector().by_stop_words(&german).is_none());
    }

    #[test]
    fn what_cannot_change_the_answer_is_not_asked() {
        let language_detector = language_detector();
        assert_eq!(language_detector.judge(Some("en"), "Congrès mondial"), (Some("en".into()), None));
        assert_eq!(language_detector.judge(Some("sw"), FRENCH), (Some("sw".into()), None));
    }

    #[test]
    fn the_lead_of_one_word_is_more_than_letters_can_outvote() {
        let (most, least) = (1.0 + FLOOR, FLOOR * STOP_WORD_WEIGHT);
        assert!(((most / (most + least)) as f32) < SURE);
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
