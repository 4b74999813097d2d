//! Recognises pages in place of the requested one: bot walls, application shells, cookie walls and paywalls. Used only for pages
//! without entries, since an ordinary page may contain these words too.

use super::page::{Page, selector, text_of};
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

/// Phrases of cookie walls, folded.
const CONSENT_PHRASES: &[&str] = &[
    "accept all",
    "accept cookies",
    "accepter tout",
    "tout accepter",
    "accepter les cookies",
    "aceptar todas",
    "aceptar cookies",
    "consent",
];

/// What is in the way, as a sentence; `None` for an ordinary page.
pub fn wall(page: &Page) -> Option<&'static str> {
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
    if chars <= WALL_CHARS_MAX && says(PAYWALL_PHRASES) {
        return Some("a paywall answered in the page's place: only subscribers see it");
    }
    if chars <= WALL_CHARS_MAX && says(&["cookie"]) && says(CONSENT_PHRASES) {
        return Some("a cookie wall answered in the page's place: it shows nothing before somebody agrees");
    }
    None
}

fn says_in_noscript(page: &Page) -> bool {
    page.html()
        .select(&selector("noscript"))
        .any(|noscript| fold(&noscript.text().collect::<String>()).contains("javascript"))
}
