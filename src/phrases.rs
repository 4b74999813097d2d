//! The few words that courant says itself, in the languages of its readers. English where a language is not known.

use std::collections::BTreeMap;

use jiff::civil::Date;

/// Key, French, English, Spanish.
const PHRASES: &[(&str, [&str; 3])] = &[
    ("also_on", ["Aussi sur", "Also on", "También en"]),
    ("other_languages", ["En d’autres langues", "In other languages", "En otros idiomas"]),
    ("more", ["autres articles sur la page", "more on the web page", "más en la página web"]),
    ("read_online", ["Lire en ligne", "Read online", "Leer en línea"]),
    ("other_topics", ["Autres sujets", "Other topics", "Otros temas"]),
    ("feed", ["Flux Atom", "Atom feed", "Canal Atom"]),
    ("skip", ["Aller au contenu", "Skip to content", "Ir al contenido"]),
    ("nothing_yet", ["Rien pour l’instant.", "Nothing yet.", "Nada por ahora."]),
    (
        "why_mail",
        [
            "Vous recevez ce message parce que votre adresse est inscrite à cette lettre.",
            "You receive this mail because your address is on the list of this newsletter.",
            "Recibe este mensaje porque su dirección está inscrita en este boletín.",
        ],
    ),
    ("lang", ["fr", "en", "es"]),
    ("unsubscribe", ["Se désabonner", "Unsubscribe", "Darse de baja"]),
    ("unsubscribe_button", ["Me désabonner", "Unsubscribe me", "Darme de baja"]),
    (
        "unsubscribe_ask",
        ["Voulez-vous ne plus recevoir cette lettre ?", "Do you want to receive this newsletter no more?", "¿Quiere dejar de recibir este boletín?"],
    ),
    (
        "unsubscribed",
        ["C’est fait : vous ne recevrez plus cette lettre.", "Done: you will not receive this newsletter any more.", "Listo: ya no recibirá este boletín."],
    ),
    (
        "unsubscribe_unknown",
        [
            "Ce lien n’est pas valable : copiez-le en entier depuis le message.",
            "This link is not valid: copy the whole of it from the message.",
            "Este enlace no es válido: cópielo entero desde el mensaje.",
        ],
    ),
    ("sources", ["Sources", "Sources", "Fuentes"]),
];

fn column(language: &str) -> usize {
    match language.split('-').next() {
        Some("fr") => 0,
        Some("es") => 2,
        _ => 1,
    }
}

/// All phrases in one language.
pub fn phrases(language: &str) -> BTreeMap<&'static str, &'static str> {
    PHRASES.iter().map(|(key, texts)| (*key, texts[column(language)])).collect()
}

const MONTHS: [[&str; 12]; 3] = [
    ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"],
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"],
    ["enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"],
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
    fn dates_are_written_as_each_language_does() {
        let date = Date::constant(2022, 3, 1);
        assert_eq!(long_date(date, "fr"), "1er mars 2022");
        assert_eq!(long_date(date, "en-GB"), "March 1, 2022");
        assert_eq!(long_date(date, "es"), "1 de marzo de 2022");
    }
}
