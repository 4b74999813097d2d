//! Recognises pages in place of the requested one: bot walls, application shells, cookie walls and paywalls. Used only for pages
//! without entries, since an ordinary page may contain these words too.

use std::collections::HashSet;

use ego_tree::NodeId;
use scraper::ElementRef;

use super::article::{is_notice, says_cookies};
use super::elements::is_heading;
use super::page::{Page, selector, text_of};
use super::words;
use crate::support::text::fold;

/// A page with more text, in characters, is not a wall.
const WALL_CHARS_MAX: usize = 4_000;
/// An application shell has at most this many characters of text.
const SHELL_CHARS_MAX: usize = 400;

/// Elements of bot walls.
const BOT_WALL_PARTS: &str = "[id*=challenge-form], [class*=cf-challenge], [class*=g-recaptcha], [class*=h-captcha], iframe[src*=captcha]";

/// Phrases of bot walls, folded.
const BOT_WALL_PHRASES: &[&str] = &[
    "just a moment",
    "checking your browser",
    "verify you are human",
    "verifying you are human",
    "attention required",
    "are you a robot",
    "not a robot",
    "unusual traffic",
    "ddos protection",
    "request unsuccessful",
    "access denied",
    "verification de votre navigateur",
    "vous n'etes pas un robot",
    "verificando su navegador",
    "no soy un robot",
    "no es un robot",
    "enable javascript and cookies to continue",
];

/// Elements filled by scripts.
const SHELL_PARTS: &str = "div#root, div#app, div#__next, div#__nuxt, app-root, div[data-reactroot]";

/// Phrases of pages that are empty without JavaScript, folded.
const SHELL_PHRASES: &[&str] = &[
    "enable javascript",
    "javascript is required",
    "requires javascript",
    "activer javascript",
    "activez javascript",
    "habilite javascript",
    "active javascript",
    "without javascript",
];

/// Phrases of paywalls, folded.
const PAYWALL_PHRASES: &[&str] = &[
    "subscribe to continue",
    "subscribers only",
    "abonnez-vous pour lire",
    "reserve aux abonnes",
    "suscribase para leer",
    "suscribete para seguir leyendo",
    "solo para suscriptores",
];

/// What is to be pressed on cookie walls, folded.
const CONSENT_PHRASES: &[&str] = &[
    "accept",
    "agree",
    "consent",
    "aceptar",
    "acepto",
    "aceitar",
    "aceito",
    "accett",
    "akzeptieren",
    "zustimmen",
    "einverstanden",
    "accepteren",
    "akkoord",
    "setuju",
    "терима",
    "принять",
    "соглас",
    "прийняти",
    "погодж",
    "kubali",
    "قبول",
    "موافق",
    "接受",
    "同意",
];

/// What stands around the content of a page, or before it.
const AROUND: &str = "nav, header, footer, dialog, script, style, noscript, template, [role=navigation], [role=banner], [role=contentinfo], [role=dialog], [role=alertdialog], [aria-modal=true]";
/// What asks whether a reader agrees is no longer, in characters.
const QUESTION_CHARS_MAX: usize = 1_500;
/// So much more of a question is none of it, in characters.
const OTHER_CHARS_MAX: usize = 400;
/// A page that says so much besides, under its headings, is no cookie wall, in characters.
const BESIDE_CHARS_MAX: usize = 100;

/// Words in the titles of pages that say that a site is closed for a while, folded.
const CLOSED_PHRASES: &[&str] = &[
    "maintenance",
    "en construction",
    "under construction",
    "coming soon",
    "be right back",
    "temporarily unavailable",
    "service unavailable",
    "momentanement indisponible",
    "temporairement indisponible",
    "mantenimiento",
    "en construccion",
    "no disponible",
    "manteniment",
    "manutencao",
    "indisponivel",
    "manutenzione",
    "non disponibile",
    "wartung",
    "nicht verfugbar",
    "onderhoud",
    "niet beschikbaar",
    "pemeliharaan",
    "matengenezo",
    "обслуживание",
    "технические работы",
    "технічні роботи",
    "صيانة",
    "维护",
];

/// Words in the titles of pages that ask for a login, folded.
const LOGIN_PHRASES: &[&str] = &[
    "log in",
    "login",
    "sign in",
    "connexion",
    "se connecter",
    "connectez-vous",
    "identification",
    "authentification",
    "iniciar sesion",
    "inicia sesion",
    "acceso",
    "iniciar sessio",
    "entrar",
    "iniciar sessao",
    "accedi",
    "accesso",
    "anmelden",
    "anmeldung",
    "inloggen",
    "masuk",
    "ingia",
    "вход",
    "войти",
    "увійти",
    "تسجيل الدخول",
    "登录",
];

/// Limits of a page that stands in for another: its text in characters, and its links. A page of a site has its menu.
const STAND_IN_CHARS_MAX: usize = 1_500;
const STAND_IN_LINKS_MAX: usize = 12;

/// Titles and main headings that are read for what they say of the page.
const GONE_HEADS_MAX: usize = 3;

/// Whether a title is that of a page in place of one that is not there, with the name of the site or the number of the error beside it.
/// A story may tell of what was not found.
fn says_gone(title: &str) -> bool {
    const NUMBERED: [&str; 8] = ["404", "error", "erreur", "erro", "errore", "fehler", "fout", "http"];
    let parts = title.split(['|', '»', '«', '–', '—', '·', ':', '(', ')', '-', '!', '.']);
    parts.map(words::plain).any(|part| {
        let words = part.split_whitespace();
        let bare = words.filter(|word| !NUMBERED.contains(word)).collect::<Vec<_>>().join(" ");
        words::is_one("gone", &part) && part != "404" || !bare.is_empty() && words::is_one("gone", &bare)
    }) || words::is_one("gone", title)
}

/// Whether a page says that its site is closed, that it has no such page, or asks for a login, in the place of what was asked for.
pub(super) fn error_page_reason(page: &Page) -> Option<&'static str> {
    let heads = selector("title, h1, h2");
    let head: Vec<String> = page.html().select(&heads).map(|head| fold(&text_of(head))).collect();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| head.iter().any(|head| head.contains(phrase)));
    if page.html().select(&selector("title, h1")).take(GONE_HEADS_MAX).any(|head| says_gone(&text_of(head))) {
        return Some("the site says that it has no such page");
    }
    let (is_closed, is_login) = (says(CLOSED_PHRASES), says(LOGIN_PHRASES));
    if !is_closed && !is_login {
        return None;
    }
    let body = page.html().select(&selector("body")).next()?;
    let links = page.html().select(&selector("a[href]")).count();
    if text_of(body).chars().count() > STAND_IN_CHARS_MAX || links > STAND_IN_LINKS_MAX {
        return None;
    }
    if is_login && page.html().select(&selector("input[type=password]")).next().is_some() {
        return Some("a login page answered in the page's place");
    }
    is_closed.then_some("a maintenance page answered in the page's place: the site is closed for a while")
}

/// What is in the way, as a sentence; `None` for an ordinary page.
pub(super) fn wall(page: &Page) -> Option<&'static str> {
    let body = page.html().select(&selector("body")).next()?;
    let text = fold(&text_of(body));
    let title =
        page.html().select(&selector("title")).next().map(|title| fold(&text_of(title))).unwrap_or_default();
    let chars = text.chars().count();
    let says =
        |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase) || title.contains(phrase));
    let has = |css: &str| page.html().select(&selector(css)).next().is_some();
    if chars <= WALL_CHARS_MAX && (has(BOT_WALL_PARTS) || says(BOT_WALL_PHRASES)) {
        return Some(
            "a bot wall answered in the page's place: the site wants a person; ask its owner to let courant in, or look for a feed",
        );
    }
    let is_shell = has(SHELL_PARTS) || says(SHELL_PHRASES) || says_in_noscript(page);
    if chars <= SHELL_CHARS_MAX && is_shell && has("script") {
        return Some(
            "this page needs a browser: without JavaScript it shows nothing; look for a feed, or for the address that its script asks",
        );
    }
    if let Some(reason) = error_page_reason(page) {
        return Some(reason);
    }
    if chars <= WALL_CHARS_MAX && says(PAYWALL_PHRASES) {
        return Some("a paywall answered in the page's place: only subscribers see it");
    }
    if chars <= WALL_CHARS_MAX && is_cookie_wall(body) {
        return Some("a cookie wall answered in the page's place: it shows nothing before somebody agrees");
    }
    None
}

/// Whether a page only asks whether its reader agrees to cookies. Most pages ask that beside what they tell, however little that is.
fn is_cookie_wall(body: ElementRef) -> bool {
    let agrees = |element: &ElementRef| {
        let text = element.attr("value").map_or_else(|| text_of(*element), str::to_owned);
        let text = fold(&text);
        CONSENT_PHRASES.iter().any(|phrase| text.contains(phrase))
    };
    let buttons = selector("button, a, label, input[type=button], input[type=submit], [role=button]");
    // The lowest element around such a button that speaks of cookies.
    let question = |button: ElementRef| {
        let mut around = button.ancestors().filter_map(ElementRef::wrap);
        let around = around.find(|around| says_cookies(&text_of(*around)))?;
        (text_of(around).chars().count() <= QUESTION_CHARS_MAX).then(|| around.id())
    };
    let questions: HashSet<NodeId> = body.select(&buttons).filter(agrees).filter_map(question).collect();
    if questions.is_empty() {
        return false;
    }
    let around = selector(AROUND);
    let is_box = |element: ElementRef| around.matches(&element) || is_notice(element);
    let mut open: Vec<ElementRef> = vec![body];
    let (mut beside, mut plain) = (0, Vec::new());
    if questions.contains(&body.id()) {
        plain.extend(open.pop());
    }
    while let Some(element) = open.pop().filter(|_| beside <= BESIDE_CHARS_MAX) {
        if !is_heading(element) {
            let own = element.children().filter_map(|child| child.value().as_text());
            beside += own.map(|text| text.trim().chars().count()).sum::<usize>();
        }
        for child in element.children().filter_map(ElementRef::wrap).filter(|child| !is_box(*child)) {
            match questions.contains(&child.id()) {
                true => plain.push(child),
                false => open.push(child),
            }
        }
    }
    // What stands in a box of its own lies over a page.
    beside <= if plain.is_empty() { 0 } else { BESIDE_CHARS_MAX }
        && plain.into_iter().map(other_chars).sum::<usize>() <= OTHER_CHARS_MAX
}

/// How much the parts of a question say that is not of cookies, in characters.
fn other_chars(question: ElementRef) -> usize {
    let parts = question.children().filter_map(ElementRef::wrap);
    parts.map(text_of).filter(|text| !says_cookies(text)).map(|text| text.chars().count()).sum()
}

fn says_in_noscript(page: &Page) -> bool {
    page.html()
        .select(&selector("noscript"))
        .any(|noscript| fold(&noscript.text().collect::<String>()).contains("javascript"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_wall_says_nothing_else() {
        const ASKED: &str = "<h2>We use cookies</h2><p>They help us to know how this site is used.</p><button>Accept all</button>";
        const TEXT: &str =
            "<p>The town lies on both banks of the river, and has had a bridge since the year 1412.</p>";
        let reason =
            |body: &str| wall(&Page::parse(&format!("<title>Town</title><body>{body}</body>"), None));
        for asked in [
            format!("<header><a href=/>Town</a></header><div>{ASKED}</div>"),
            format!("<main><h1>Before you go on</h1>{ASKED}</main>"),
            format!("<nav>{}</nav><div role=dialog>{ASKED}</div>", "<a href=/a>Page of the town</a>".repeat(9)),
            "<main><p>Ce site utilise des cookies.</p><form><input type=submit value='Tout accepter'></form></main>".to_owned(),
        ] {
            assert!(reason(&asked).is_some_and(|reason| reason.contains("cookie wall")), "{asked}");
        }
        for told in [
            format!("<main>{}</main><div role=dialog>{ASKED}</div>", TEXT.repeat(2)),
            format!("<main><h1>News</h1><p>No news.</p></main><div role=dialog>{ASKED}</div>"),
            format!("<main>{}</main><div class=notice>{ASKED}</div>", TEXT.repeat(14)),
            format!("<div id=cookie-banner>{ASKED}</div><h1>News</h1>{}", TEXT.repeat(2)),
            format!("<div>{}{ASKED}</div>", TEXT.repeat(12)),
            format!("{}{ASKED}", TEXT.repeat(12)),
            format!(
                "<main><h1>Cookies</h1>{}<p>You consent to cookies by staying.</p></main>",
                TEXT.repeat(3)
            ),
        ] {
            assert_eq!(reason(&told), None, "{told}");
        }
    }

    #[test]
    fn a_page_that_is_not_there_says_so_in_its_title() {
        for title in [
            "Page introuvable",
            "Page introuvable | Ville de Vire",
            "Page not found – X",
            "404 - Page not found",
            "Error 404: Page not found",
            "Erreur 404",
            "404",
            "Seite nicht gefunden - Stadt",
            "Página no encontrada",
            "Страница не найдена — Город",
        ] {
            assert!(says_gone(title), "{title}");
        }
        for title in [
            "Missing hiker not found after three days",
            "Le livre que l'on croyait introuvable",
            "Room 404 is open again",
            "Trésor introuvable : page tournée",
        ] {
            assert!(!says_gone(title), "{title}");
        }
    }
}
