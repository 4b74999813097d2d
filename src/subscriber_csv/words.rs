//! The meaning of columns and of words in them: exports of other programs, in the languages of their users. The words are in
//! `columns.txt`, `states.txt` and `remarks.txt`.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::model::subscriber::SubscriberState;
use crate::support::text::fold;

/// The meaning of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Column {
    Address,
    /// The state of a person, in words.
    State,
    /// A refusal or permanent failure: a date, a reason, or yes.
    Refused(MailingStatus),
    /// Agreement: yes, or a date.
    Agreed,
    /// Confirmation of the address: yes, or a date.
    Confirmed,
    /// Time of confirmation; empty without one.
    ConfirmTime,
    OptInTime,
    Consented,
    ConsentSource,
    ConsentText,
    /// Remarks by the operator, searched for words of refusal.
    Remark,
    Harmless,
    /// A column of our own tables, by the name of its field.
    Own(&'static str),
}

impl Column {
    /// Whether it says who wants mail.
    pub(super) fn is_verdict(self) -> bool {
        use Column::{Agreed, ConfirmTime, Confirmed, Refused, State};
        matches!(self, State | Refused(_) | Agreed | Confirmed | ConfirmTime)
    }
}

/// What a table says of a person, from the least to the most grave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum MailingStatus {
    Active,
    Paused,
    /// Neither refused nor agreed.
    LeftOut,
    Unsubscribed,
    Bounced,
    Complained,
}

impl MailingStatus {
    /// The state to suppress a person with, if this is a refusal.
    pub(super) fn refusal(self) -> Option<SubscriberState> {
        match self {
            MailingStatus::Unsubscribed => Some(SubscriberState::Unsubscribed),
            MailingStatus::Bounced => Some(SubscriberState::Bounced),
            MailingStatus::Complained => Some(SubscriberState::Complained),
            MailingStatus::Active | MailingStatus::Paused | MailingStatus::LeftOut => None,
        }
    }
}

/// The meaning of a word in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellMeaning {
    Is(MailingStatus),
    Yes,
    No,
}

/// Columns of our own exports; a table with others comes from another program.
const OWN: [&str; 9] =
    ["language", "timezone", "languages", "topics", "without", "partners", "schedule", "cadence", "hour"];

#[derive(Default)]
struct ColumnNames {
    /// With the position in its line: earlier names are more certain.
    whole: HashMap<String, (Column, usize)>,
    beginnings: Vec<(String, Column)>,
    suspicious: Vec<String>,
    /// Beginnings of words in names of files.
    files: Vec<String>,
}

/// The lines of a word list: a meaning and its words.
fn lines(text: &'static str) -> impl Iterator<Item = (&'static str, impl Iterator<Item = &'static str>)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .map(|(meaning, words)| (meaning, words.split('|').map(str::trim)))
}

fn column_of(meaning: &'static str) -> Column {
    match meaning {
        "address" => Column::Address,
        "state" => Column::State,
        "consent source" => Column::ConsentSource,
        "consent text" => Column::ConsentText,
        "consented" => Column::Consented,
        "confirm time" => Column::ConfirmTime,
        "opt in time" => Column::OptInTime,
        "refused unsubscribed" => Column::Refused(MailingStatus::Unsubscribed),
        "refused bounced" => Column::Refused(MailingStatus::Bounced),
        "refused complained" => Column::Refused(MailingStatus::Complained),
        "refused left out" => Column::Refused(MailingStatus::LeftOut),
        "agreed" => Column::Agreed,
        "confirmed" => Column::Confirmed,
        "remark" => Column::Remark,
        other => OWN.into_iter().find(|own| *own == other).map_or(Column::Harmless, Column::Own),
    }
}

static NAMES: LazyLock<ColumnNames> = LazyLock::new(|| {
    let mut names = ColumnNames::default();
    for (meaning, words) in lines(include_str!("columns.txt")) {
        if meaning == "suspicious" {
            names.suspicious.extend(words.map(plain));
            continue;
        }
        if meaning == "file of refusals" {
            names.files.extend(words.map(plain));
            continue;
        }
        let column = column_of(meaning);
        for (rank, word) in words.enumerate() {
            match word.strip_suffix('*') {
                Some(beginning) => names.beginnings.push((plain(beginning), column)),
                None => {
                    names.whole.entry(plain(word)).or_insert((column, rank));
                }
            }
        }
    }
    names
});

static WORDS: LazyLock<HashMap<String, CellMeaning>> = LazyLock::new(|| {
    let mut known = HashMap::new();
    for (meaning, words) in lines(include_str!("states.txt")) {
        let word = match meaning {
            "active" => CellMeaning::Is(MailingStatus::Active),
            "paused" => CellMeaning::Is(MailingStatus::Paused),
            "unsubscribed" => CellMeaning::Is(MailingStatus::Unsubscribed),
            "bounced" => CellMeaning::Is(MailingStatus::Bounced),
            "complained" => CellMeaning::Is(MailingStatus::Complained),
            "yes" => CellMeaning::Yes,
            "no" => CellMeaning::No,
            _ => CellMeaning::Is(MailingStatus::LeftOut),
        };
        for text in words {
            known.entry(plain(text)).or_insert(word);
        }
    }
    known
});

/// Normalizes a name or word like the lists.
pub(super) fn plain(text: &str) -> String {
    let spaced: String =
        fold(text).chars().map(|c| if c.is_alphanumeric() || c == '✓' { c } else { ' ' }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The meaning of a column name, and the rank of the name (lower is more certain).
pub(super) fn column(name: &str) -> Option<(Column, usize)> {
    let name = plain(name);
    NAMES.whole.get(name.as_str()).copied().or_else(|| {
        let begins = |(beginning, _): &&(String, Column)| name.starts_with(beginning.as_str());
        NAMES.beginnings.iter().find(begins).map(|(_, column)| (*column, 0))
    })
}

/// Whether an unknown column name may be about wanting or refusing mail.
pub(super) fn is_suspicious(name: &str) -> bool {
    let name = plain(name);
    NAMES.suspicious.iter().any(|stem| name.contains(stem.as_str()))
}

/// The meaning of a word.
pub(super) fn word(text: &str) -> Option<CellMeaning> {
    WORDS.get(plain(text).as_str()).copied()
}

/// Whether a field for a date or reason is effectively empty: blank, no, or zeros.
pub(super) fn is_nothing(text: &str) -> bool {
    !text.chars().any(|c| c.is_alphanumeric() && c != '0')
        || matches!(word(text), Some(CellMeaning::No | CellMeaning::Is(MailingStatus::Active)))
        || text.starts_with("0000-00-00")
}

/// Whether a remark says, in words other than the name of a state, that somebody wants no mail: a phrase in it, or one of its items.
pub(super) fn declines(text: &str) -> bool {
    holds_any(text, &REMARKS.answers)
        || holds_any(text, &REMARKS.phrases)
        || text.split([',', ';', '|', '\n', '"', '/', '[', ']', '.']).any(is_refusing_item)
}

/// Endings of plurals, and what stands in the singular instead: tags, labels and lists are called after many.
const PLURALS: [(&str, &str); 14] = [
    ("s", ""),
    ("es", ""),
    ("rs", ""),
    ("e", ""),
    ("n", ""),
    ("en", ""),
    ("er", ""),
    ("r", ""),
    ("i", "o"),
    ("e", "a"),
    ("i", "e"),
    ("os", "o"),
    ("as", "a"),
    ("ами", ""),
];

/// Words in the singular that a text may be the plural of.
fn singulars(text: &str) -> impl Iterator<Item = String> {
    PLURALS.iter().filter_map(move |(ending, instead)| {
        let stem = text.strip_suffix(ending)?;
        (stem.chars().count() >= SINGULAR_CHARS_MIN).then(|| format!("{stem}{instead}"))
    })
}

/// Shorter words are changed into others by an ending.
const SINGULAR_CHARS_MIN: usize = 4;

/// Whether a whole tag, or the whole of a note, is a word of refusal: also with a year, in the plural, or as the name of a column.
fn is_refusing_item(item: &str) -> bool {
    let words = plain(item);
    let words = words.trim_matches(|c: char| c.is_ascii_digit() || c == ' ');
    let is_name = |name: &str| match NAMES.whole.get(name) {
        Some((Column::Refused(verdict), _)) => {
            verdict.refusal().is_some() && name.chars().count() >= SINGULAR_CHARS_MIN
        }
        _ => false,
    };
    let is_known = |word: &str| REMARKS.items.contains(word) || is_refusal(word) || is_name(word);
    is_refusal(item)
        || is_known(words)
        || REMARKS.beginnings.iter().any(|beginning| words.starts_with(beginning.as_str()))
        || singulars(words).any(|word| is_known(&word))
}

/// Whether the whole of a text is the state of somebody who left. One or two Latin letters are too little to tell.
fn is_refusal(text: &str) -> bool {
    let is_long = !text.is_ascii() || text.trim().len() > 2;
    is_long && matches!(word(text), Some(CellMeaning::Is(verdict)) if verdict.refusal().is_some())
}

/// Whether a field says in any of these ways that somebody wants no mail.
pub(super) fn refuses(text: &str) -> bool {
    declines(text) || refusal_in(text).is_some_and(|(_, verdict)| verdict.refusal().is_some())
}

/// Whether the fields of a JSON object, as some programs write what they do not know, say that somebody wants no mail.
pub(super) fn object_declines(text: &str) -> bool {
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(text) else { return false };
    fields_decline(&fields)
}

fn fields_decline(fields: &serde_json::Map<String, serde_json::Value>) -> bool {
    fields.iter().any(|(name, value)| {
        if let serde_json::Value::Object(inner) = value {
            return fields_decline(inner);
        }
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match column(name) {
            Some((Column::Agreed | Column::Confirmed | Column::State, _)) => {
                matches!(word(&value), Some(CellMeaning::No)) || is_refusal(&value)
            }
            Some((Column::Refused(_), _)) => !is_nothing(&value),
            _ => false,
        }
    })
}

/// A longer text that people agree to may speak of leaving; what is as short as this is an answer.
const ANSWER_WORDS_MAX: usize = 6;

/// Whether a text is the answer of somebody who does not agree.
pub(super) fn answers_no(text: &str) -> bool {
    let is_short = text.split_whitespace().nth(ANSWER_WORDS_MAX).is_none();
    is_short && (holds_any(text, &REMARKS.answers) || REMARKS.items.contains(plain(text).as_str()))
}

/// Whether a text has one of the phrases as whole words; those of scripts without spaces may stand anywhere.
fn holds_any(text: &str, phrases: &[String]) -> bool {
    let text = format!(" {} ", plain(text));
    phrases.iter().any(|phrase| {
        if phrase.is_ascii() { text.contains(&format!(" {phrase} ")) } else { text.contains(phrase.as_str()) }
    })
}

/// The words of `remarks.txt`.
#[derive(Default)]
struct Remarks {
    answers: Vec<String>,
    phrases: Vec<String>,
    items: HashSet<String>,
    beginnings: Vec<String>,
}

static REMARKS: LazyLock<Remarks> = LazyLock::new(|| {
    let mut remarks = Remarks::default();
    for (meaning, words) in lines(include_str!("remarks.txt")) {
        match meaning {
            "answer" => remarks.answers.extend(words.map(plain)),
            "phrase" => remarks.phrases.extend(words.map(plain)),
            "beginning" => remarks.beginnings.extend(words.map(plain)),
            _ => remarks.items.extend(words.map(plain)),
        }
    }
    remarks
});

/// The word by which a file's name says that it lists people who left, bounced or never confirmed.
pub(super) fn refusals_file(name: &str) -> Option<String> {
    let name = format!(" {} ", plain(name));
    let found = NAMES.files.iter().find_map(|stem| {
        let start =
            if stem.is_ascii() { name.find(&format!(" {stem}"))? + 1 } else { name.find(stem.as_str())? };
        let rest = &name[start..];
        let end = rest[stem.len()..].find(' ').map_or(rest.len(), |end| stem.len() + end);
        Some(rest[..end].to_owned())
    });
    found.or_else(|| refusal_in(&name).map(|(word, _)| word.to_owned()))
}

/// Shorter words are too ambiguous to be searched for in remarks.
const REMARKED_CHARS_MIN: usize = 6;

/// A word of refusal in a remark.
pub(super) fn refusal_in(text: &str) -> Option<(&'static str, MailingStatus)> {
    if text.is_empty() {
        return None;
    }
    let text = format!(" {} ", plain(text));
    let found = REFUSALS.iter().find(|(phrase, _)| text.contains(phrase.as_str()));
    found.map(|(phrase, verdict)| (phrase.trim(), *verdict))
}

/// The longer words of refusal, padded with spaces, the gravest and longest first.
static REFUSALS: LazyLock<Vec<(String, MailingStatus)>> = LazyLock::new(|| {
    let long = WORDS.iter().filter(|(phrase, _)| phrase.chars().count() >= REMARKED_CHARS_MIN);
    let mut found: Vec<(String, MailingStatus)> = long
        .filter_map(|(phrase, meaning)| match meaning {
            CellMeaning::Is(verdict) if *verdict >= MailingStatus::LeftOut => {
                Some((format!(" {phrase} "), *verdict))
            }
            _ => None,
        })
        .collect();
    found.sort_by(|a, b| (b.1, b.0.len(), &b.0).cmp(&(a.1, a.0.len(), &a.0)));
    found
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_labels_name_in_the_plural_who_left() {
        for tag in [
            "Désabonnés",
            "désinscriptions 2022",
            "désinscrites",
            "Abmeldungen",
            "abgemeldete",
            "Abbestellungen",
            "bajas",
            "baja voluntaria",
            "desuscritos",
            "canceladas",
            "cancelou a assinatura",
            "descadastrados",
            "disiscritti",
            "disiscritte",
            "cancellati",
            "uitgeschrevenen",
            "uitschrijvingen",
            "отписались",
            "отписавшиеся",
            "Unsubscribes",
            "unsubscribers",
            "unsubbed",
            "opt-outs",
            "optouts",
            "Bounces",
            "hard bounces",
            "complainers",
            "ex-subscribers",
            "ex-abonnés",
            "anciens abonnés",
            "former subscriber",
            "antiguos suscriptores",
            "ehemalige Abonnenten",
            "refuse la lettre",
            "möchte nichts mehr",
            "Werbesperre",
            "NPAI",
            "RGPD: opposition",
            "inactifs",
        ] {
            assert!(declines(&format!("vip, {tag}")), "{tag}");
        }
        for tag in [
            "abonnés",
            "Bounce house",
            "former mayor",
            "ancien maire",
            "optics",
            "Leavitt",
            "basics",
            "inscrits",
            "opposite",
        ] {
            assert!(!declines(&format!("vip, {tag}")), "{tag}");
        }
    }

    #[test]
    fn names_and_words_of_other_programs_are_known() {
        for (name, want) in [
            ("Email Address", Column::Address),
            ("E-Mail-Adresse", Column::Address),
            ("UNSUB_TIME", Column::Refused(MailingStatus::Unsubscribed)),
            ("CLEAN_TIME", Column::Refused(MailingStatus::Bounced)),
            ("Opted out of email: Weekly", Column::Refused(MailingStatus::Unsubscribed)),
            ("subscribed_to_emails", Column::Agreed),
            ("DOUBLE_OPT-IN", Column::Confirmed),
            ("CONFIRM_TIME", Column::ConfirmTime),
            ("MEMBER_RATING", Column::Harmless),
            ("Prénom", Column::Harmless),
        ] {
            assert_eq!(column(name).map(|(column, _)| column), Some(want), "{name}");
        }
        for name in [
            "Ausgetreten",
            "Résilié",
            "Churned",
            "Kein Interesse mehr",
            "Contactable",
            "Mailable",
            "Delete?",
            "Frequency",
            "Preference",
            "Robinson",
            "Verstorben",
            "Décédé",
            "Borrar",
            "Häufigkeit",
        ] {
            assert!(column(name).is_none() && is_suspicious(name), "{name}");
        }
        for name in ["Avregistrerad", "Wypisany", "Motif du désabonnement", "Отписка", "opt-out (old)"]
        {
            assert!(column(name).is_none() && is_suspicious(name), "{name}");
        }
        for (text, want) in [
            ("Subscribed", CellMeaning::Is(MailingStatus::Active)),
            ("blocklisted", CellMeaning::Is(MailingStatus::Unsubscribed)),
            ("Désabonné", CellMeaning::Is(MailingStatus::Unsubscribed)),
            ("by_bounces", CellMeaning::Is(MailingStatus::Bounced)),
            ("Non-subscribed", CellMeaning::Is(MailingStatus::Unsubscribed)),
            ("unactivated", CellMeaning::Is(MailingStatus::LeftOut)),
            ("Sí", CellMeaning::Yes),
            ("FALSE", CellMeaning::No),
        ] {
            assert_eq!(word(text), Some(want), "{text}");
        }
        assert_eq!(word("somewhat"), None);
        assert!(["", " - ", "0", "no", "0000-00-00 00:00:00", "NULL"].iter().all(|text| is_nothing(text)));
        assert!(!is_nothing("2022-01-02") && !is_nothing("moved away"));
        assert_eq!(
            refusal_in("vip, Unsubscribed, 2021").map(|(_, verdict)| verdict),
            Some(MailingStatus::Unsubscribed)
        );
        assert_eq!(refusal_in("members; Lima"), None);
        for text in ["退订", "已退订", "إلغاء الاشتراك", "عدم الاشتراك", "vip; baixa", "niet meer mailen"]
        {
            assert!(declines(text), "{text}");
        }
        assert!(!declines("vip; Lima; A") && !declines("members"));
        assert!(
            object_declines(r#"{"mailing": {"wanted": false}}"#) && object_declines(r#"{"email_ok": 0}"#)
        );
        assert!(!object_declines(r#"{"mailing": {"wanted": true}, "email_ok": 1}"#));
        assert!(object_declines(r#"{"newsletter": false}"#) && object_declines(r#"{"opt-out": "yes"}"#));
        assert!(!object_declines(r#"{"newsletter": true, "vip": false}"#) && !object_declines("{"));
        assert_eq!(refusals_file("nonsubscribed_members_1").as_deref(), Some("nonsubscribed"));
        assert_eq!(refusals_file("Abmeldungen 2022").as_deref(), Some("abmeldungen"));
        for name in ["donotcontact", "ex-subscribers", "former_subscribers", "annulati", "robinson", "left"] {
            assert!(refusals_file(name).is_some(), "{name}");
        }
        assert_eq!(refusals_file("subscribed_members"), None);
    }
}
