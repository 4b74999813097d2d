//! The few words that courant says itself, in the languages of its readers. English where a language is not known.

use std::collections::BTreeMap;

use jiff::civil::Date;

/// Key, French, English, Spanish.
const PHRASES: &[(&str, [&str; 3])] = &[
    ("also_on", ["Aussi sur", "Also on", "También en"]),
    ("other_languages", ["En d’autres langues", "In other languages", "En otros idiomas"]),
    // French sets a space that does not break before it.
    ("colon", ["\u{a0}:", ":", ":"]),
    ("more_before", ["et", "and", "y"]),
    ("more", ["de plus sur la page web", "more on the web page", "más en la página web"]),
    ("leave_topic", ["Ne plus recevoir", "No more of", "No recibir más de"]),
    ("preferences", ["Vos préférences", "Your preferences", "Sus preferencias"]),
    ("privacy", ["Protection des données", "Data protection", "Protección de datos"]),
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
    ("all_days", ["Tous les jours", "All days", "Todos los días"]),
    ("search", ["Chercher", "Search", "Buscar"]),
    ("search_label", ["Mots à chercher", "Words to look for", "Palabras que buscar"]),
    ("nothing_found", ["Rien de tel.", "Nothing like that.", "Nada parecido."]),
    ("navigation", ["Rubriques", "Sections", "Secciones"]),
    ("selections", ["Sélections", "Selections", "Selecciones"]),
    ("form_languages_nav", ["Langues", "Languages", "Idiomas"]),
    ("issues", ["Numéros parus", "Past issues", "Números anteriores"]),
    ("subscribe", ["S’abonner", "Subscribe", "Suscribirse"]),
    (
        "subscribe_text",
        [
            "Recevez par courriel les nouvelles de votre choix, chaque histoire une seule fois. Pour commencer, vous confirmerez votre adresse.",
            "Get the news of your choice by e-mail, each story only once. You will be asked to confirm your address first.",
            "Reciba por correo las noticias que elija, cada historia una sola vez. Primero le pediremos que confirme su dirección.",
        ],
    ),
    (
        "subscribe_legal",
        [
            "Vous pouvez partir en un clic, depuis chaque message. Ni publicité ni pistage.",
            "You can leave with one click from every mail. No advertising, no tracking.",
            "Puede darse de baja con un clic desde cada mensaje. Sin publicidad ni rastreo.",
        ],
    ),
    ("form_address", ["Adresse électronique", "E-mail address", "Dirección de correo"]),
    ("form_language", ["Langue de la lettre", "Language of the newsletter", "Idioma del boletín"]),
    ("form_languages", ["Articles", "Stories", "Noticias"]),
    ("form_topics", ["Sujets", "Topics", "Temas"]),
    ("form_partners", ["Partenaires", "Partners", "Socios"]),
    ("form_none_is_all", ["Rien de coché : tout.", "None ticked: all.", "Ninguna marcada: todas."]),
    ("form_cadence", ["Rythme", "How often", "Frecuencia"]),
    ("form_hour", ["Heure", "Hour", "Hora"]),
    ("form_timezone", ["Fuseau horaire", "Time zone", "Zona horaria"]),
    ("form_hint", ["Vouliez-vous dire", "Did you mean", "¿Quiso decir"]),
    ("form_sure", ["L’adresse est juste", "The address is right", "La dirección es correcta"]),
    ("form_trap", ["Laissez ce champ vide", "Leave this field empty", "Deje este campo vacío"]),
    ("instant", ["Au fil de l’eau", "As it happens", "Al momento"]),
    ("daily", ["Chaque jour", "Daily", "Cada día"]),
    ("weekly", ["Chaque lundi", "Every Monday", "Cada lunes"]),
    ("monthly", ["Chaque mois", "Monthly", "Cada mes"]),
    (
        "check_mail",
        [
            "Merci. Si l’adresse est juste, un message y arrive : suivez son lien pour confirmer.",
            "Thank you. If the address is right, a mail is on its way to it: follow its link to confirm.",
            "Gracias. Si la dirección es correcta, le llegará un mensaje: siga su enlace para confirmar.",
        ],
    ),
    ("too_many", ["Trop de demandes : réessayez plus tard.", "Too many requests: try again later.", "Demasiadas solicitudes: inténtelo más tarde."]),
    (
        "form_expired",
        [
            "Le formulaire était ouvert trop longtemps : envoyez-le encore une fois.",
            "The form was open for too long: send it once more.",
            "El formulario estuvo abierto demasiado tiempo: envíelo otra vez.",
        ],
    ),
    ("form_closed", ["Les inscriptions sont fermées.", "Sign-up is closed.", "Las suscripciones están cerradas."]),
    ("wrong_address", ["Ce n’est pas une adresse électronique.", "This is no e-mail address.", "No es una dirección de correo."]),
    ("wrong_timezone", ["Ce fuseau horaire n’existe pas.", "There is no such time zone.", "Esa zona horaria no existe."]),
    ("wrong_choice", ["Ce choix n’existe pas.", "There is no such choice.", "Esa opción no existe."]),
    ("confirm_subject", ["Confirmez votre inscription :", "Confirm your subscription:", "Confirme su suscripción:"]),
    (
        "confirm_text",
        [
            "Quelqu’un, vous sans doute, a demandé cette lettre pour votre adresse. Suivez ce lien pour confirmer ; il vaut deux jours.",
            "Somebody, probably you, asked for this newsletter with your address. Follow this link to confirm; it is good for two days.",
            "Alguien, seguramente usted, pidió este boletín con su dirección. Siga este enlace para confirmar; vale dos días.",
        ],
    ),
    (
        "confirm_ignore",
        [
            "Si ce n’est pas vous, ne faites rien : vous ne recevrez plus rien.",
            "If it was not you, do nothing: you will get nothing more.",
            "Si no fue usted, no haga nada: no recibirá nada más.",
        ],
    ),
    ("confirm_ask", ["Confirmer l’inscription ?", "Confirm the subscription?", "¿Confirmar la suscripción?"]),
    ("confirm_button", ["Confirmer", "Confirm", "Confirmar"]),
    ("confirmed", ["C’est fait : vous êtes abonné.", "Done: you are subscribed.", "Listo: está suscrito."]),
    ("known_subject", ["Vous êtes déjà abonné :", "You are subscribed already:", "Ya está suscrito:"]),
    (
        "known_text",
        [
            "Cette adresse est déjà abonnée. Ce lien ouvre vos préférences.",
            "This address is subscribed already. This link opens your preferences.",
            "Esta dirección ya está suscrita. Este enlace abre sus preferencias.",
        ],
    ),
    ("link_dead", ["Ce lien n’est pas valable, ou ne l’est plus.", "This link is not valid, or not any more.", "Este enlace no es válido, o ya no lo es."]),
    ("save", ["Enregistrer", "Save", "Guardar"]),
    ("saved", ["C’est enregistré.", "Saved.", "Guardado."]),
    ("pause", ["Mettre en pause", "Pause", "Pausar"]),
    ("resume", ["Reprendre", "Go on", "Reanudar"]),
    ("erase", ["Tout effacer", "Erase everything", "Borrar todo"]),
    (
        "erase_sure",
        ["Effacer tout ce qui est gardé de moi, pour toujours", "Erase all that is kept of me, for good", "Borrar todo lo que se guarda de mí, para siempre"],
    ),
    ("erased", ["C’est effacé.", "It is erased.", "Está borrado."]),
    ("your_data", ["Vos données", "Your data", "Sus datos"]),
    ("your_data_text", ["Tout ce que nous gardons de vous est à vous.", "All that we keep of you is yours.", "Todo lo que guardamos de usted es suyo."]),
    ("download", ["Télécharger (JSON)", "Download (JSON)", "Descargar (JSON)"]),
    ("left_topic", ["C’est fait : vous ne recevrez plus ce sujet.", "Done: you will not receive this topic any more.", "Listo: ya no recibirá este tema."]),
    ("leave_topic_ask", ["Voulez-vous ne plus recevoir ce sujet ?", "Do you want to receive this topic no more?", "¿Quiere dejar de recibir este tema?"]),
    ("leave_topic_button", ["Ne plus recevoir ce sujet", "No more of this topic", "No recibir más este tema"]),
    ("state_active", ["abonné", "subscribed", "suscrito"]),
    ("state_paused", ["en pause", "paused", "en pausa"]),
    ("state_unsubscribed", ["désabonné", "unsubscribed", "dado de baja"]),
    ("state_bounced", ["boîte injoignable", "mailbox out of reach", "buzón inaccesible"]),
    ("state_complained", ["signalé comme indésirable", "reported as spam", "marcado como no deseado"]),
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
    let primary = tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    LANGUAGES.iter().find(|(known, _)| *known == primary).map_or_else(|| tag.to_owned(), |(_, names)| names[column(language)].to_owned())
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
    let primary = tag.split('-').next().unwrap_or_default();
    OWN_NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(primary)).map_or(tag, |(_, name)| name)
}

/// The text with a capital at its start.
pub fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
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
