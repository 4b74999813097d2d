//! Where a sentence ends, in the languages that people write.

/// Words that a full stop shortens and that more than three letters are left of, in lower case.
const SHORTENED: &str = " prof profa dott dottssa exmo exma excmo excma ilmo ilma mons dipl univ inst hrsg bspw evtl inkl zzgl approx \
    dept depto capt lieut messrs mmes mlle mlles arch geom avda núm pág insp proc engº janv févr sept juil srta usted resp maj col ";
/// What follows a number and may be the last word of a sentence: "à 18 h."
const UNITS: &str = " h hs hrs min km cm mm m kg g ha am pm uhr € ";
/// Before so many words, a full stop belongs to an abbreviation or a number: "Prof. Müller", "1. Preis".
const WORDS_MIN: usize = 3;

/// A text up to the end of its first sentence, without its full stop; the end of a line ends it as well.
pub fn first_sentence(text: &str) -> &str {
    let line = text.split('\n').next().unwrap_or(text);
    let ends = |(at, c): &(usize, char)| match c {
        '。' | '！' | '？' => true,
        '.' | '!' | '?' | '…' => is_end(&line[..*at], *c, &line[at + c.len_utf8()..]),
        _ => false,
    };
    match line.char_indices().find(ends) {
        Some((at, '.' | '。')) => &line[..at],
        Some((at, c)) => &line[..at + c.len_utf8()],
        // What another line follows is a sentence of its own.
        None if line.len() < text.len() && !line.ends_with("..") => line.trim_end_matches(['.', '。']),
        None => line,
    }
}

/// Whether a sign between two texts ends a sentence.
fn is_end(before: &str, sign: char, after: &str) -> bool {
    let Some(next) = after.strip_prefix(' ').and_then(|rest| rest.trim_start().chars().next()) else {
        return false;
    };
    // "« Venez tous ! » dit le maire", "Yahoo! kauft"
    if matches!(next, '»' | '”' | '’' | '"' | '›') || next.is_lowercase() {
        return false;
    }
    if sign != '.' {
        return true;
    }
    let mut words = before.split_whitespace().rev();
    let last = words.next().unwrap_or_default().to_lowercase();
    let is_after_number = words.next().is_some_and(|word| word.ends_with(|c: char| c.is_ascii_digit()));
    let is_in = |list: &str| list.contains(&format!(" {last} "));
    let has_words = before.split_whitespace().count() >= WORDS_MIN;
    has_words && (is_after_number && is_in(UNITS) || last.chars().count() > 3 && !is_in(SHORTENED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_ends_where_people_would_say_so() {
        for (text, want) in [
            ("The council has voted. It meets again.", "The council has voted"),
            ("Qui décide ? Le conseil.", "Qui décide ?"),
            ("Mr. Smith and M. Dupont met the mayor. They left.", "Mr. Smith and M. Dupont met the mayor"),
            ("Prof. Müller spricht heute. Beginn um acht.", "Prof. Müller spricht heute"),
            ("Il Dott. Rossi apre la mostra. Ingresso libero.", "Il Dott. Rossi apre la mostra"),
            (
                "O Exmo. Senhor Presidente visita a escola. Todos.",
                "O Exmo. Senhor Presidente visita a escola",
            ),
            ("« Venez tous ! » dit le maire. Il attend.", "« Venez tous ! » dit le maire"),
            ("Réunion publique à 18 h. Venez nombreux.", "Réunion publique à 18 h"),
            ("Yahoo! kauft einen Verlag. Mehr dazu morgen.", "Yahoo! kauft einen Verlag"),
            ("Travaux rue Haute\nDu lundi au vendredi, de 9 h à 17 h.", "Travaux rue Haute"),
            ("Bonjour.\nSuite", "Bonjour"),
            ("Et puis...\nSuite", "Et puis..."),
            ("市长讲话。明天继续。", "市长讲话"),
            ("No end at all", "No end at all"),
        ] {
            assert_eq!(first_sentence(text), want, "{text}");
        }
    }
}
