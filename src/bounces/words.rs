//! Recognises phrases of mail servers and people by the lists in `words.txt`.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::support::i18n;
use crate::support::text::{fold, truncated};

static LISTS: LazyLock<HashMap<&'static str, Vec<String>>> = LazyLock::new(|| {
    let lines = include_str!("words.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, words)| (name, words.split('|').map(plain).collect()))
        .collect()
});

/// What our own links and buttons are called, in all languages of the interface: people copy that into a mail.
static OWN_LINKS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let names = ["unsubscribe", "unsubscribe_button"];
    let all = i18n::languages().into_iter().map(i18n::phrases);
    all.flat_map(|phrases| names.map(|name| plain(phrases.get(name).copied().unwrap_or_default())))
        .filter(|link| !link.is_empty())
        .collect()
});

fn list(name: &str) -> &'static [String] {
    LISTS.get(name).map_or(&[], Vec::as_slice)
}

/// Normalizes a text like the lists: folded, with spaces for everything but letters and digits. The point in the middle of a double l
/// (Catalan) is dropped, and an apostrophe that Unicode counts as a letter becomes a space.
pub(super) fn plain(text: &str) -> String {
    const POINTS: [&str; 6] =
        ["l\u{b7}l", "l\u{2022}l", "l\u{2027}l", "l\u{2219}l", "l\u{22c5}l", "l\u{30fb}l"];
    let mut folded = fold(text);
    if POINTS.iter().any(|point| folded.contains(point)) {
        POINTS.iter().for_each(|point| folded = folded.replace(point, "ll"));
    }
    let is_letter = |c: char| c.is_alphanumeric() && !matches!(c, '\u{2b9}'..='\u{2bf}');
    let spaced: String = folded.chars().map(|c| if is_letter(c) { c } else { ' ' }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a text contains a phrase of a list as whole words; non-ASCII phrases may match anywhere, for scripts without spaces.
pub(super) fn says(name: &str, text: &str) -> bool {
    let text = format!(" {} ", plain(text));
    list(name).iter().any(|phrase| {
        if phrase.is_ascii() { text.contains(&format!(" {phrase} ")) } else { text.contains(phrase.as_str()) }
    })
}

/// Whether a text contains a word that begins with an item of a list.
pub(super) fn has_word_beginning(name: &str, text: &str) -> bool {
    let text = format!(" {}", plain(text));
    list(name).iter().any(|phrase| {
        if phrase.is_ascii() { text.contains(&format!(" {phrase}")) } else { text.contains(phrase.as_str()) }
    })
}

/// Byte offset of the first line of a text that contains a phrase of a list.
pub(super) fn find(name: &str, text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if says(name, line) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// A subject without prefixes as in "Re: RE : [news] Fwd: …", and whether any of them marks a reply.
fn without_prefixes(text: &str) -> (&str, bool) {
    let (mut rest, mut is_reply) = (text.trim(), false);
    loop {
        let tag = rest.strip_prefix('[').and_then(|tag| tag.split_once(']')).map(|(_, rest)| rest.trim());
        let reply = rest.split_once([':', '：']).filter(|(before, _)| {
            let before = plain(before.split('[').next().unwrap_or_default());
            list("reply").contains(&before)
        });
        is_reply |= reply.is_some();
        rest = match tag.or(reply.map(|(_, rest)| rest.trim())) {
            Some(shorter) => shorter,
            None => return (rest, is_reply),
        };
    }
}

/// A request to leave is a few words; a subject begins within so many bytes too.
const REQUEST_BYTES_MAX: usize = 1024;

/// Whether a subject begins like that of a reply.
pub(super) fn is_reply(subject: &str) -> bool {
    without_prefixes(truncated(subject, REQUEST_BYTES_MAX)).1
}

/// Whether a subject or line is a request to leave and nothing else: a reply to a title about something that should stop is not.
pub(super) fn is_leave(text: &str) -> bool {
    if text.len() > REQUEST_BYTES_MAX {
        return false;
    }
    let text = plain(without_prefixes(text).0);
    is_leave_phrase(&text)
        || is_leave_phrase(&without_fillers(&text, true))
        || is_leave_phrase(&without_fillers(&text, false))
}

fn is_leave_phrase(text: &str) -> bool {
    list("leave").iter().chain(&*OWN_LINKS).any(|phrase| phrase == text)
}

/// Removes filler words from a text: anywhere, or at its ends only, until a wish to leave is left, which may end in such words.
fn without_fillers(text: &str, at_ends: bool) -> String {
    let mut text = format!(" {text} ");
    loop {
        let before = text.len();
        for filler in list("filler") {
            let filler = format!(" {filler} ");
            if at_ends {
                if let Some(rest) = text.strip_prefix(&filler) {
                    text = format!(" {rest}");
                }
                if let Some(rest) = text.strip_suffix(&filler) {
                    text = format!("{rest} ");
                }
                if is_leave_phrase(text.trim()) {
                    return text.trim().to_owned();
                }
            } else {
                text = text.replace(&filler, " ");
            }
        }
        if text.len() == before || text.trim().is_empty() {
            return text.trim().to_owned();
        }
    }
}

/// Maximum number of lines in a request to leave, which is short.
const LINES_MAX: usize = 8;

/// Whether the text above quotation and signature is a request to leave and nothing else.
pub(super) fn body_is_leave(body: &str) -> bool {
    let is_end = |line: &str| {
        let is_signature = || {
            let line = format!("{} ", plain(line));
            list("signature").iter().any(|beginning| {
                let shorter = line.strip_prefix(beginning.as_str());
                shorter.is_some_and(|rest| rest.starts_with(' ') || beginning.contains(' '))
            })
        };
        line.starts_with('>') || line.starts_with("--") || line.starts_with("__") || is_signature()
    };
    let mut written =
        body.lines().map(str::trim).filter(|line| !plain(line).is_empty() || line.starts_with('>'));
    let is_short = |line: &&str| line.len() <= REQUEST_BYTES_MAX;
    let Some(first) = written.next().filter(|line| !line.starts_with('>')).filter(is_short) else {
        return false;
    };
    let mut wishes = usize::from(is_leave(first));
    if wishes == 0 && !without_fillers(&plain(first), false).is_empty() {
        return false;
    }
    for line in written.take_while(|line| !is_end(line)).take(LINES_MAX) {
        if !is_short(&line) {
            return false;
        }
        let rest = without_fillers(&plain(line), false);
        match (is_leave(line), rest.split(' ').count()) {
            (true, _) => wishes += 1,
            // A name below the request.
            (false, 0..=3) if wishes > 0 => {}
            _ if rest.is_empty() => {}
            _ => return false,
        }
    }
    wishes > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_no_request_to_leave() {
        // Each takes a moment where time is in proportion to size, and hours where it is not.
        for unit in ["<a>", " a", "a@", "re: ", "[x] ", "stop "] {
            let long = unit.repeat(1_000_000);
            assert!(!is_leave(&long) && !body_is_leave(&long), "{unit}");
            let _ = is_reply(&long);
        }
        assert!(is_leave("Re: please unsubscribe me") && body_is_leave("Please unsubscribe me, thank you"));
    }

    #[test]
    fn a_wish_to_leave_is_all_that_is_said() {
        for subject in [
            "unsubscribe",
            "RE : Re: unsubscribe",
            "AW: Abmelden",
            "Re: [News] Unsubscribe me please",
            "Please remove me from your mailing list",
            "Désinscription",
            "TR: Me désabonner svp",
            "Cancelar suscripción",
            "Baja",
            "RE: Darme de baja de esta lista, por favor",
            "Cancelar assinatura",
            "Newsletter abbestellen",
            "Disiscrizione",
            "R: Cancellami dalla lista",
            "Uitschrijven graag",
            "Отписаться",
            "退订",
            "إلغاء الاشتراك",
            "Berhenti berlangganan",
            "Kujiondoa",
            "STOP",
            "Annulla l'iscrizione",
            "Annulla l’iscrizione",
            "Cancel·la la subscripció",
            "Anul•lar subscripció",
            "Dona'm de baixa",
            "Dona’m de baixa",
            "退訂",
            "Batalkan langganan",
            "Uitschrijven a.u.b.",
            "Schrijf mij uit",
            "Отказаться от рассылки",
            "Bitte aus dem Verteiler nehmen",
            "Keine weiteren E-Mails",
            "Quiero cancelar mi suscripción",
            "Quero cancelar a inscrição",
            "Remova-me da lista",
            "non voglio più ricevere",
            "No más correos",
            "請取消訂閱",
            "إلغاء",
            "Batalkan langganan saya",
        ] {
            assert!(is_leave(subject), "{subject}");
        }
        for language in i18n::languages() {
            let phrases = i18n::phrases(language);
            for name in ["unsubscribe", "unsubscribe_button"] {
                let own = phrases[name];
                assert!(is_leave(own) && body_is_leave(own), "{language}: {own}");
                assert!(is_leave(&format!("Re: {}", own.replace('’', "'"))), "{language}: {own}");
            }
        }
        for subject in [
            "Re: Stop corruption: the week of open justice",
            "RE: Baja California publica sus sentencias",
            "Re: Unsubscribe rates of newsletters in 2022",
            "Remove barriers to justice",
            "Désinscription des listes électorales",
            "Abmeldung der Partei vom Kongress",
            "Re: Digest",
            "",
            "Please",
        ] {
            assert!(!is_leave(subject), "{subject}");
        }
        for body in [
            "Please unsubscribe me.",
            "\n  désabonnez-moi, merci\n\nAna\n",
            "Hello,\n\nunsubscribe\n\nSent from my phone",
            "Abmelden\n\nAm 17.10.2022 schrieb News:\n> Stories",
            "STOP\n> On Monday: long quotes",
            "Quiero darme de baja.\nGracias\nLuis Pérez",
        ] {
            assert!(body_is_leave(body), "{body}");
        }
        for body in [
            "Muy interesante, gracias.",
            "> unsubscribe\nWhat does this line do?",
            "Stop corruption now! A great read, thank you for all of this.",
            "unsubscribe\nThat is what my boss told me to do, but I like reading what you write.",
            "",
        ] {
            assert!(!body_is_leave(body), "{body}");
        }
    }
}
