//! A newsletter that came by mail: its subject, its date and its text, without what is meant for one recipient: links to leave by,
//! to preferences, to a copy in the browser, links and pictures that count readers, lines that say to whom it was sent, and what is
//! hidden in it. Links that mail filters or counters have wrapped lead to their target again.

mod footer;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ego_tree::NodeId;
use jiff::Timestamp;
use jiff::civil::Date;
use mail_parser::{Address, DateTime, HeaderValue, Message, MessageParser, PartType};
use scraper::{ElementRef, Html, Node};
use url::Url;

use self::footer::{PersonalLines, personal_lines, without_sentence};
use super::page::{selector, text_of};
use crate::model::address::without_tracking;
use crate::model::feed::{Link, Person, RawEntry, RawText};
use crate::model::redirect::behind_redirect;
use crate::support::mail::parsed;
use crate::support::markup::parted;
use crate::support::text::{bound_markup, escaped, fold, one_line, with_short_headers};

/// Maximum length of the text of an unsubscribe link, in characters.
const LINK_CHARS_MAX: usize = 80;
/// A block this short around such a link says nothing else, in characters.
const BLOCK_CHARS_MAX: usize = 200;
/// A picture as small as this counts readers, in pixels.
const PIXEL_MAX: u32 = 3;
/// A part of an address that is as long as this, of letters and figures, is a token.
const TOKEN_BYTES_MIN: usize = 16;
/// Addresses of recipients that are looked for in links.
const RECIPIENTS_MAX: usize = 20;

/// Words of links that are one recipient's, folded, in the languages of the interface.
const PERSONAL_WORDS: &[&str] = &[
    "unsubscribe",
    "why did i get this",
    "why am i getting this",
    "pourquoi ai-je recu",
    "por que recibo",
    "por que he recibido",
    "warum erhalte ich",
    "por que recebi",
    "perche ho ricevuto",
    "perche ricevo",
    "opt out",
    "opt-out",
    "email preferences",
    "your preferences",
    "update preferences",
    "manage preferences",
    "subscription preferences",
    "update your profile",
    "manage your subscription",
    "forward to a friend",
    "desinscri",
    "desabonn",
    "preferences d'abonnement",
    "vos preferences",
    "mes preferences",
    "transferer a un ami",
    "darse de baja",
    "dar de baja",
    "darme de baja",
    "cancelar la suscripcion",
    "cancelar suscripcion",
    "desuscrib",
    "sus preferencias",
    "tus preferencias",
    "mis preferencias",
    "anular inscripcion",
    "anular la inscripcion",
    "anular suscripcion",
    "anular la suscripcion",
    "cancelar mi suscripcion",
    "cancelar tu suscripcion",
    "cancelar su suscripcion",
    "cancelar inscripcion",
    "cancelar la inscripcion",
    "date de baja",
    "dese de baja",
    "desinscrib",
    "donar-se de baixa",
    "donar-te de baixa",
    "cancel·lar la subscripcio",
    "cancel·la la subscripcio",
    "anul·lar la subscripcio",
    "anul·la la subscripcio",
    "dona't de baixa",
    "donar-vos de baixa",
    "doneu-vos de baixa",
    "desubscri",
    "les meves preferencies",
    "les teves preferencies",
    "abmelden",
    "abbestellen",
    "austragen",
    "ihre einstellungen",
    "meine einstellungen",
    "newsletter-einstellungen",
    "e-mail-einstellungen",
    "disiscri",
    "annulla iscrizione",
    "annulla l'iscrizione",
    "cancella iscrizione",
    "cancella l'iscrizione",
    "cancella la tua iscrizione",
    "annulla la tua iscrizione",
    "cancellare l'iscrizione",
    "cancellarti dalla",
    "cancellati dalla",
    "tue preferenze",
    "uitschrijven",
    "afmelden",
    "uw voorkeuren",
    "je voorkeuren",
    "cancelar inscricao",
    "cancelar a inscricao",
    "cancelar assinatura",
    "cancelar subscricao",
    "cancelar a subscricao",
    "anular subscricao",
    "anular a subscricao",
    "anular inscricao",
    "anular a inscricao",
    "remover inscricao",
    "as minhas preferencias",
    "descadastr",
    "suas preferencias",
    "отписаться",
    "отказаться от рассылки",
    "відписатися",
    "berhenti berlangganan",
    "jiondoe",
    "الغاء الاشتراك",
    "退订",
    "取消订阅",
];

/// Words of links to preferences, or to leave, where the link says nothing but these and `BESIDE_PREFERENCES`, folded.
const PREFERENCES: &[&str] = &[
    "preferences",
    "settings",
    "einstellungen",
    "preferencias",
    "preferencies",
    "preferenze",
    "voorkeuren",
    "cancellati",
    "baja",
    "baixa",
    "abmeldung",
    "abbestellung",
];
const BESIDE_PREFERENCES: &[&str] = &[
    "manage",
    "update",
    "change",
    "edit",
    "set",
    "your",
    "my",
    "email",
    "e",
    "mail",
    "newsletter",
    "notification",
    "subscription",
    "contact",
    "gerer",
    "modifier",
    "changer",
    "mettre",
    "jour",
    "a",
    "mes",
    "vos",
    "les",
    "des",
    "de",
    "gestionar",
    "gestiona",
    "actualizar",
    "actualiza",
    "cambiar",
    "modificar",
    "editar",
    "mis",
    "tus",
    "sus",
    "las",
    "correo",
    "gestisci",
    "modifica",
    "cambia",
    "aggiorna",
    "le",
    "tue",
    "mie",
    "gerir",
    "gerenciar",
    "alterar",
    "atualizar",
    "as",
    "suas",
    "minhas",
    "tuas",
    "canvia",
    "canviar",
    "actualitza",
    "meves",
    "teves",
    "andern",
    "verwalten",
    "bearbeiten",
    "aktualisieren",
    "anpassen",
    "meine",
    "ihre",
    "deine",
    "zur",
    "vom",
    "beheer",
    "je",
    "uw",
    "mijn",
    "wijzig",
];

/// What the words around a way out say: why and how the mail came; parts of words, folded.
const ABOUT_MAIL: &[&str] = &[
    "receiv",
    "recev",
    "recib",
    "receb",
    "ricev",
    "rebre",
    "rebut",
    "rebs",
    "erhalten",
    "erhaltst",
    "ontvang",
    "subscri",
    "suscri",
    "subscre",
    "abonn",
    "inscri",
    "iscri",
    "angemeldet",
    "aangemeld",
    "newsletter",
    "mailing",
    "e-mail",
    "email",
    "correo",
    "correu",
    "boletin",
    "butlleti",
    "unsubscribe",
];

/// Words of links to the same mail on the Web, folded.
const BROWSER_WORDS: &[&str] = &[
    "in your browser",
    "in browser",
    "in a browser",
    "view online",
    "read online",
    "web version",
    "online version",
    "view this email",
    "dans votre navigateur",
    "dans le navigateur",
    "version en ligne",
    "voir en ligne",
    "lire en ligne",
    "consulter en ligne",
    "version web",
    "en el navegador",
    "en tu navegador",
    "en su navegador",
    "ver en linea",
    "veure en linia",
    "al navegador",
    "im browser",
    "online ansehen",
    "webversion",
    "online-version",
    "nel browser",
    "versione web",
    "versione online",
    "in je browser",
    "in uw browser",
    "webversie",
    "online versie",
    "no navegador",
    "versao online",
    "versao web",
    "в браузере",
    "у браузері",
    "di browser",
    "浏览器",
];

/// Parts of addresses that are one recipient's.
const PERSONAL_ADDRESSES: &[&str] = &[
    "unsubscribe",
    "unsub.",
    "/unsub",
    "optout",
    "opt-out",
    "opt_out",
    "list-manage.com/profile",
    "list-manage.com/vcard",
    "/preferences?",
    "/preferences/",
    "manage-subscription",
    "forward-to-friend",
    "desinscription",
    "desabonnement",
    "/abmelden",
    "action=disable_email",
    "/confirm/",
    "/confirm?",
    "/bestaetigen",
    "/bestatigen",
    "/confirmer",
    "/confirmar",
    "/confirmation?",
    "/conferma",
    "/bevestig",
    "/optin",
    "/opt-in",
    "/double-opt-in",
];

/// Parts of addresses that lead through whoever counts readers.
const COUNTED: &[&str] = &[
    "/track/click",
    "mailpoet_router",
    "/ls/click",
    "/wf/click",
    "mjt.lu/lnk",
    "click.mlsend",
    "hubspotlinks.com",
    "/ctc/",
    "rs6.net/tn.jsp",
    "sendibt",
    "sendibm",
    "/mk/cl/",
    "/mk/mr/",
    "substack.com/redirect/",
    "createsend1.com/t/",
    "createsend.com/t/",
    ".cmail",
    "klclick",
    "awstrack.me",
    "/cl0/",
    "convertkit-mail",
    "links.iterable.com",
    "click.e.",
    "/lt.php",
    "email.mg.",
];

/// Parts of addresses of pictures that count readers.
const COUNTERS: &[&str] = &[
    "/track/open",
    "/open.php",
    "/wf/open",
    "/open?",
    "pixel",
    "beacon",
    "/o.gif",
    "blank.gif",
    "spacer.gif",
    "/mk/op/",
    "/lt.php?x=",
    "/ss/o/",
];

/// What a mail says at its head, for whoever has to choose among many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailHead {
    /// Addresses of senders, in small letters.
    pub from: Vec<String>,
    /// `List-Id` (RFC 2919), without its description, in small letters.
    pub list_id: Option<String>,
    pub message_id: Option<String>,
    /// Addresses that it was sent to, in small letters.
    pub recipients: Vec<String>,
    /// A program answered in the place of somebody (RFC 3834): "out of office".
    pub is_automatic_reply: bool,
}

impl MailHead {
    /// Whether one of `senders` wrote it: an address, a domain with all that is below it, or a list.
    pub fn is_from(&self, senders: &[String]) -> bool {
        let is_of = |address: &String, wanted: &str| {
            let domain = address.rsplit('@').next().unwrap_or_default();
            let below =
                domain.strip_suffix(wanted).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            address == wanted || !wanted.contains('@') && below
        };
        senders.is_empty()
            || senders.iter().any(|wanted| {
                let wanted = wanted.trim_matches(['<', '>', '@']).to_ascii_lowercase();
                self.list_id.as_ref() == Some(&wanted)
                    || self.from.iter().any(|address| is_of(address, &wanted))
            })
    }
}

/// Reads the head of a message.
pub fn read_head(bytes: &[u8]) -> MailHead {
    let bytes = with_short_headers(bytes);
    MessageParser::default().parse_headers(&*bytes).map(|message| head(&message)).unwrap_or_default()
}

/// Reads a message as an entry; `None` if it is not one.
pub(super) fn read_mail(bytes: &[u8]) -> Option<RawEntry> {
    let bytes = with_short_headers(bytes);
    let message = parsed(&bytes)?;
    let head = head(&message);
    let subject = message.subject().map(one_line).filter(|subject| !subject.is_empty());
    let (html, link) = text(&message, &head.recipients);
    if subject.is_none() && html.is_none() {
        return None;
    }
    let archived =
        header_text(&message, "Archived-At").map(|url| url.trim_matches(['<', '>', ' ']).to_owned());
    let link = archived.filter(|url| url.starts_with("http")).or(link);
    let author = message.from().and_then(Address::first).and_then(|from| from.name()).map(one_line);
    Some(RawEntry {
        has_certain_guid: head.message_id.is_some(),
        guid: head.message_id,
        title: subject.map(|value| RawText { value, ..RawText::default() }),
        content: html.map(|value| RawText { value, is_html: true, ..RawText::default() }),
        links: link
            .map(|href| Link { href, rel: "alternate".into(), media_type: None, hreflang: None })
            .into_iter()
            .collect(),
        authors: author.map(|name| Person { name: Some(name), ..Person::default() }).into_iter().collect(),
        published: date(&message),
        ..RawEntry::default()
    })
}

/// When it was written; a day or a time of day that does not exist is none.
fn date(message: &Message) -> Option<Timestamp> {
    let exists = |date: &&DateTime| {
        let day = [date.month, date.day].map(|part| i8::try_from(part).unwrap_or_default());
        let is_day = i16::try_from(date.year).is_ok_and(|year| Date::new(year, day[0], day[1]).is_ok());
        is_day && date.hour < 24 && date.minute < 60 && date.second <= 60
    };
    let date = message.date().filter(exists)?;
    Timestamp::from_second(date.to_timestamp()).ok()
}

fn addresses(of: Option<&Address>) -> Vec<String> {
    let all = of.into_iter().flat_map(Address::iter).filter_map(|one| one.address());
    all.map(str::to_ascii_lowercase).take(RECIPIENTS_MAX).collect()
}

fn header_text<'a>(message: &'a Message, name: &'static str) -> Option<&'a str> {
    message.header_raw(name).map(str::trim)
}

fn head(message: &Message) -> MailHead {
    let mut recipients = addresses(message.to());
    let names = ["Delivered-To", "X-Original-To", "Envelope-To"];
    recipients
        .extend(names.iter().filter_map(|name| header_text(message, name)).map(str::to_ascii_lowercase));
    let list_id = match message.list_id() {
        HeaderValue::Address(address) => addresses(Some(address)).into_iter().next(),
        _ => message.header_raw("List-Id").map(str::to_ascii_lowercase),
    };
    let bare = |id: String| id.rsplit('<').next().unwrap_or(&id).trim().trim_matches(['<', '>']).to_owned();
    MailHead {
        from: addresses(message.from()),
        list_id: list_id.map(bare).filter(|id| !id.is_empty()),
        message_id: message.message_id().map(str::to_owned).filter(|id| !id.is_empty()),
        recipients,
        is_automatic_reply: header_text(message, "Auto-Submitted")
            .is_some_and(|value| value.to_ascii_lowercase().starts_with("auto-replied")),
    }
}

/// The text of a message as HTML, and the address where all may read it.
fn text(message: &Message, recipients: &[String]) -> (Option<String>, Option<String>) {
    let parts = message.html_body.iter().filter_map(|at| message.parts.get(*at as usize));
    let html =
        parts.filter_map(|part| if let PartType::Html(html) = &part.body { Some(html) } else { None }).next();
    match html {
        Some(html) => {
            let (html, link) = cleaned(html, recipients, &leave_addresses(message));
            (Some(html).filter(|html| !html.trim().is_empty()), link)
        }
        None => {
            let text = message.body_text(0).map(|text| plain(&text, recipients));
            (text.filter(|html| !html.is_empty()), None)
        }
    }
}

/// The addresses to leave by (RFC 2369).
fn leave_addresses(message: &Message) -> Vec<String> {
    let named = header_text(message, "List-Unsubscribe").unwrap_or_default();
    let addresses = named.split(',').map(|address| address.trim().trim_matches(['<', '>']).to_owned());
    addresses.filter(|address| !address.is_empty()).take(RECIPIENTS_MAX).collect()
}

fn has(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

/// Plain text without the lines that only say how to leave or to whom it was sent, and without what stands below them as a
/// signature.
fn plain(text: &str, recipients: &[String]) -> String {
    let body = text.split("\n-- \n").next().unwrap_or(text).replace('\r', "");
    let is_kept = |line: &String| {
        let folded = fold(line);
        !has(&folded, PERSONAL_WORDS) && !has(&folded, BROWSER_WORDS) && !has(&folded, PERSONAL_ADDRESSES)
    };
    let without_personal = |line: &str| -> String {
        let is_kept = |word: &&str| {
            let lower = word.trim_start_matches(['<', '(']).to_ascii_lowercase();
            !lower.starts_with("http") || !is_personal(&lower, &[])
        };
        let line = line.split(' ').filter(is_kept).collect::<Vec<_>>().join(" ");
        recipients
            .iter()
            .filter(|address| address.contains('@'))
            .fold(line, |line, address| without_ignoring_case(&line, address))
    };
    let lines = body.lines().map(unwrapped).filter(is_kept);
    let lines: Vec<String> = lines
        .filter_map(|line| match line.trim().is_empty() {
            true => Some(String::new()),
            false => without_sentence(&line).map(|line| escaped(&without_personal(line))),
        })
        .collect();
    lines.join("<br>\n").trim().trim_end_matches("<br>").to_owned()
}

/// A line in which addresses that only lead on are their targets.
fn unwrapped(line: &str) -> String {
    let word = |word: &str| -> String {
        let address = word.trim_matches(['<', '>', '(', ')', '[', ']']);
        match behind_redirect(address).filter(|_| address.starts_with("http")) {
            Some(target) => word.replace(address, &target),
            None => word.to_owned(),
        }
    };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// What is one recipient's, in every way that links may write it.
fn marks_of(recipients: &[String]) -> Vec<String> {
    let ways = |address: &String| {
        let encoded: String = url::form_urlencoded::byte_serialize(address.as_bytes()).collect();
        [address.clone(), encoded.to_ascii_lowercase(), STANDARD_NO_PAD.encode(address).to_ascii_lowercase()]
    };
    recipients.iter().filter(|address| address.contains('@')).flat_map(ways).collect()
}

/// Letters of a secret in an address: fewer are a word.
const SECRET_CHARS_MIN: usize = 10;

/// The secrets in an address by which somebody leaves, in small letters: whatever other address has one is that recipient's as well.
fn secrets_of(address: &str) -> Vec<String> {
    let is_secret = |part: &&str| {
        let count = |is: fn(char) -> bool| part.chars().filter(|c| is(*c)).count();
        let is_mixed = count(|c| c.is_ascii_uppercase()) >= 2 && count(|c| c.is_ascii_lowercase()) > 0;
        let kinds: Vec<bool> = part.chars().map(|c| c.is_ascii_digit()).collect();
        let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
        part.len() >= SECRET_CHARS_MIN && count(|c| c.is_ascii_digit()) > 0 && (is_mixed || changes >= 3)
    };
    let path =
        address.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    let parts = path.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    let mut secrets: Vec<String> = parts.filter(is_secret).map(str::to_ascii_lowercase).collect();
    // A number of a recipient is short: it counts as a whole part of an address.
    let is_number =
        |part: &&str| part.len() >= NUMBER_CHARS_MIN && part.bytes().all(|byte| byte.is_ascii_digit());
    for number in path.split(['/', '?', '&', '=', '#']).filter(is_number) {
        secrets.extend([format!("/{number}"), format!("={number}")]);
    }
    secrets
}

/// Digits of a recipient's number: fewer may be anything's.
const NUMBER_CHARS_MIN: usize = 4;

/// A link of a mail, and what it is for.
struct MailLink<'a> {
    anchor: ElementRef<'a>,
    /// Where it leads to in the end.
    href: Cow<'a, str>,
    /// To the mail as a page.
    is_browser: bool,
    /// By which one recipient leaves, or chooses.
    is_way_out: bool,
}

impl<'a> MailLink<'a> {
    fn of(anchor: ElementRef<'a>, leave: &[String]) -> MailLink<'a> {
        let written = anchor.attr("href").unwrap_or_default().trim();
        let href = behind_redirect(written).map_or(Cow::Borrowed(written), Cow::Owned);
        let (lower, words) = (href.to_ascii_lowercase(), fold(&text_of(anchor)).replace('’', "'"));
        let is_short = words.chars().count() <= LINK_CHARS_MAX;
        let is_way_out = is_short && (has(&words, PERSONAL_WORDS) || is_preferences(&words))
            || has(&lower, PERSONAL_ADDRESSES)
            || lower.ends_with("/preferences")
            || leave.iter().any(|own| *own == href || own == written);
        MailLink { anchor, href, is_browser: is_short && has(&words, BROWSER_WORDS), is_way_out }
    }
}

/// Whether a text says nothing but that it leads to preferences: not "Preferences of voters".
fn is_preferences(folded: &str) -> bool {
    let mut words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).peekable();
    words.clone().any(|word| PREFERENCES.contains(&word))
        && words.all(|word| PREFERENCES.contains(&word) || BESIDE_PREFERENCES.contains(&word))
}

/// Parts of paths, of letters and figures, that several ways out have in common: short secrets of the recipient.
fn shared_secrets<'a>(ways_out: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut addresses: HashMap<String, HashSet<String>> = HashMap::new();
    for address in ways_out {
        let lower = address.to_ascii_lowercase();
        let path =
            lower.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
        let is_mixed = |part: &&str| {
            part.len() >= NUMBER_CHARS_MIN
                && part.bytes().any(|byte| byte.is_ascii_digit())
                && part.bytes().any(|byte| byte.is_ascii_alphabetic())
        };
        for part in path.split(['/', '?', '&', '=', '#']).filter(is_mixed) {
            addresses.entry(part.to_owned()).or_default().insert(lower.clone());
        }
    }
    let shared = addresses.into_iter().filter(|(_, addresses)| addresses.len() > 1);
    shared.flat_map(|(part, _)| [format!("/{part}"), format!("={part}")]).collect()
}

/// HTML without what is for one recipient, and the address where all may read it, if the mail names one.
fn cleaned(html: &str, recipients: &[String], leave: &[String]) -> (String, Option<String>) {
    let mut page = Html::parse_document(&parted(&bound_markup(html)));
    let mut marks = marks_of(recipients);
    let links = selector("a[href]");
    let anchors: Vec<MailLink> = page.select(&links).map(|anchor| MailLink::of(anchor, leave)).collect();
    let ways_out = anchors.iter().filter(|link| link.is_way_out).map(|link| &*link.href);
    let ways_out: Vec<&str> = ways_out.chain(leave.iter().map(String::as_str)).collect();
    marks.extend(ways_out.iter().flat_map(|way| secrets_of(way)));
    marks.extend(shared_secrets(ways_out.iter().copied()));
    let body = selector("body");
    let chars = page.select(&body).next().map_or(0, |body| text_of(body).chars().count());
    let (mut gone, mut hrefs, mut link) = (Vec::new(), Vec::new(), None);
    for image in page.select(&selector("img")) {
        if is_counter(image, &marks) {
            gone.push(image.id());
        }
    }
    for element in page.select(&selector("[style], [hidden]")).filter(|element| is_hidden(*element)) {
        gone.push(element.id());
    }
    let mut blocks = LinkBlocks { chars_of_mail: chars, judged: HashMap::new() };
    for MailLink { anchor, href, is_browser, is_way_out } in anchors {
        if is_browser && link.is_none() {
            link = shared(&href, &marks);
        }
        if is_browser || is_way_out {
            gone.push(blocks.around(anchor));
        } else if is_personal(&href.to_ascii_lowercase(), &marks) {
            hrefs.push((anchor.id(), None));
        } else if let Cow::Owned(target) = href {
            hrefs.push((anchor.id(), Some(target)));
        }
    }
    let PersonalLines { gone: of_lines, cut } = personal_lines(&page);
    gone.extend(of_lines);
    remove(&mut page, &gone, hrefs);
    cut_texts(&mut page, &cut);
    without_addresses(&mut page, recipients);
    let inner = page.select(&body).next().map(|body| body.inner_html());
    (inner.unwrap_or_default(), link)
}

/// Removes the addresses of those that a mail was sent to from its words.
fn without_addresses(page: &mut Html, recipients: &[String]) {
    let ids: Vec<NodeId> =
        page.tree.nodes().filter(|node| node.value().is_text()).map(|node| node.id()).collect();
    for id in ids {
        if let Some(mut node) = page.tree.get_mut(id)
            && let Node::Text(text) = node.value()
        {
            let lower = text.text.to_ascii_lowercase();
            for address in
                recipients.iter().filter(|address| address.contains('@') && lower.contains(*address))
            {
                text.text = without_ignoring_case(&text.text, address).into();
            }
        }
    }
}

/// A text without all occurrences of another one, which is in small letters.
fn without_ignoring_case(text: &str, what: &str) -> String {
    let (lower, mut out, mut from) = (text.to_ascii_lowercase(), String::with_capacity(text.len()), 0);
    while let Some(at) = lower[from..].find(what) {
        out.push_str(&text[from..from + at]);
        from += at + what.len();
    }
    out.push_str(&text[from..]);
    out
}

/// Removes nodes, and gives links the target that they have in the end, or none.
fn remove(page: &mut Html, gone: &[NodeId], hrefs: Vec<(NodeId, Option<String>)>) {
    for (id, target) in hrefs {
        let Some(mut node) = page.tree.get_mut(id) else { continue };
        let Node::Element(element) = node.value() else { continue };
        match target {
            Some(target) => {
                let href = element.attrs.iter_mut().find(|(name, _)| &*name.local == "href");
                href.into_iter().for_each(|(_, href)| *href = target.as_str().into());
            }
            None => element.attrs.retain(|(name, _)| &*name.local != "href"),
        }
    }
    for id in gone {
        if let Some(mut node) = page.tree.get_mut(*id) {
            node.detach();
        }
    }
}

/// Ends texts at a place.
fn cut_texts(page: &mut Html, cut: &[(NodeId, usize)]) {
    for (id, at) in cut {
        if let Some(mut node) = page.tree.get_mut(*id)
            && let Node::Text(text) = node.value()
        {
            text.text = text.text[..*at].trim_end().into();
        }
    }
}

/// Names of parameters whose value is one recipient's, or a secret between them and the sender.
const PERSONAL_PARAMETERS: &[&str] = &[
    "subid",
    "subscriber",
    "subscriber_id",
    "subscriberid",
    "subscription",
    "sub_id",
    "recipient",
    "recipient_id",
    "contact",
    "contact_id",
    "contactid",
    "member",
    "member_id",
    "user",
    "user_id",
    "userid",
    "email",
    "mail",
    "e-mail",
    "hash",
    "token",
    "secret",
    "signature",
    "sig",
    "auth",
    "confirm",
    "vgo_ee",
    "uid",
    "sid",
    "abo",
    "abonne",
    "suscriptor",
    "assinante",
    "inscrito",
];
/// A value of so many hexadecimal digits is nobody's to guess, and so names one recipient.
const TOKEN_CHARS_MIN: usize = 32;

/// Whether a parameter of an address, in small letters, is one recipient's.
fn has_personal_parameter(lower: &str) -> bool {
    let parts = lower.split(['?', '#']).skip(1).flat_map(|part| part.split(['&', ';']));
    parts.filter_map(|pair| pair.split_once('=')).any(|(name, value)| {
        let is_token = value.len() >= TOKEN_CHARS_MIN && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        !value.is_empty() && (PERSONAL_PARAMETERS.contains(&name) || is_token && !name.ends_with("id"))
    })
}

/// Whether an address has two or more UUIDs (RFC 9562) in its path: of a link, a campaign and a recipient.
fn has_several_identifiers(lower: &str) -> bool {
    let is_uuid = |part: &&str| {
        part.len() == 36
            && part.split('-').map(str::len).eq([8, 4, 4, 4, 12])
            && part.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
    };
    lower.split(['/', '?']).filter(is_uuid).count() > 1
}

/// Whether a part of an address is a signed token (RFC 7519), which begins with an encoded `{"`.
fn has_signed_token(lower: &str) -> bool {
    lower.split(['/', '=', '?', '&', '#']).any(|part| part.starts_with("eyj") && part.contains('.'))
}

/// Phrases in the subjects of mails that ask their recipient to confirm a subscription, folded.
const CONFIRMATIONS: &[&str] = &[
    "confirm your subscription",
    "confirm your email",
    "confirm your e-mail",
    "confirm subscription",
    "please confirm",
    "verify your email",
    "verify your e-mail",
    "confirmez votre inscription",
    "confirmez votre abonnement",
    "confirmez votre adresse",
    "confirmer votre inscription",
    "confirmer votre abonnement",
    "confirmation d'inscription",
    "confirmation de votre inscription",
    "confirmation d'abonnement",
    "validez votre inscription",
    "confirme su suscripcion",
    "confirma tu suscripcion",
    "confirme su correo",
    "confirma tu correo",
    "confirmar suscripcion",
    "confirmacion de suscripcion",
    "confirme sua inscricao",
    "confirme a sua subscricao",
    "confirme a sua inscricao",
    "confirme seu e-mail",
    "confirma la teva subscripcio",
    "confirmeu la subscripcio",
    "conferma la tua iscrizione",
    "conferma l'iscrizione",
    "conferma iscrizione",
    "bestatigen sie",
    "bestatige deine",
    "anmeldung bestatigen",
    "bevestig uw",
    "bevestig je",
    "подтвердите подписку",
    "підтвердіть підписку",
    "konfirmasi langganan",
    "تأكيد الاشتراك",
    "确认订阅",
];

/// A mail that asks its recipient to confirm a subscription: no news, and its link is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmationRequest {
    pub subject: String,
    pub link: Option<String>,
}

impl std::fmt::Display for ConfirmationRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a mail asks to confirm a subscription, and is not published (\"{}\")", self.subject)?;
        match &self.link {
            Some(link) => write!(f, ": to confirm it, open {link}"),
            None => Ok(()),
        }
    }
}

/// Reads a message as a request to confirm a subscription; `None` for any other.
pub(super) fn confirmation_request(bytes: &[u8]) -> Option<ConfirmationRequest> {
    let bytes = with_short_headers(bytes);
    let message = parsed(&bytes)?;
    let subject = message.subject().map(one_line)?;
    if !has(&fold(&subject).replace('’', "'"), CONFIRMATIONS) {
        return None;
    }
    let html = message.body_html(0).map(|html| Html::parse_document(&bound_markup(&html)));
    let links: Vec<String> = html
        .iter()
        .flat_map(|page| {
            page.select(&selector("a[href]")).filter_map(|link| link.attr("href")).collect::<Vec<_>>()
        })
        .map(|href| href.trim().to_owned())
        .filter(|href| Url::parse(href).is_ok_and(|url| matches!(url.scheme(), "http" | "https")))
        .collect();
    let is_likely = |link: &&String| {
        has(&link.to_ascii_lowercase(), &["confirm", "optin", "opt-in", "verif", "valid", "token"])
    };
    let link = links.iter().find(is_likely).or(links.first()).cloned();
    Some(ConfirmationRequest { subject, link })
}

/// Whether an address is specific to one recipient, or counts clicks; one that cannot be followed is treated alike.
fn is_personal(lower: &str, marks: &[String]) -> bool {
    !lower.starts_with("http") && !lower.starts_with("mailto:")
        || has(lower, COUNTED)
        || has_personal_parameter(lower)
        || has_signed_token(lower)
        || has_several_identifiers(lower)
        || marks.iter().any(|mark| lower.contains(mark.as_str()))
}

/// A picture that counts readers, or that came with the mail itself.
fn is_counter(image: ElementRef, marks: &[String]) -> bool {
    let style = style_of(image);
    let src = image.attr("src").unwrap_or_default().trim().to_ascii_lowercase();
    let is_tiny = ["width", "height"].iter().any(|side| {
        let written =
            image.attr(side).and_then(|size| size.trim().trim_end_matches("px").parse::<u32>().ok());
        written.is_some_and(|size| size <= PIXEL_MAX)
            || style.split(';').filter_map(|rule| rule.split_once(':')).any(|(name, value)| {
                name == *side
                    && value.trim_end_matches("px").parse::<u32>().is_ok_and(|size| size <= PIXEL_MAX)
            })
    });
    is_tiny
        || !src.starts_with("http")
        || has(&src, COUNTERS)
        || marks.iter().any(|mark| src.contains(mark.as_str()))
}

/// The style of an element, in small letters and without spaces.
fn style_of(element: ElementRef) -> String {
    let style = element.attr("style").unwrap_or_default();
    style.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether readers of the mail do not see an element: the line that mail programs show in their lists, mostly.
fn is_hidden(element: ElementRef) -> bool {
    let style = style_of(element);
    let is_zero = |name: &str| {
        style.split(';').any(|rule| {
            rule.split_once(':').is_some_and(|(own, value)| own == name && matches!(value, "0" | "0px"))
        })
    };
    element.attr("hidden").is_some()
        || has(&style, &["display:none", "visibility:hidden", "mso-hide:all"])
        || is_zero("max-height")
        || is_zero("opacity")
}

/// Blocks around links, each judged once: a hostile mail has one with thousands of links.
struct LinkBlocks {
    chars_of_mail: usize,
    judged: HashMap<NodeId, bool>,
}

impl LinkBlocks {
    /// What goes with a link that is one recipient's: the block that holds it, where that says little else.
    fn around(&mut self, anchor: ElementRef) -> NodeId {
        let is_block = |element: &ElementRef| {
            matches!(element.value().name(), "p" | "li" | "td" | "div" | "center" | "footer" | "blockquote")
        };
        let Some(block) = anchor.ancestors().filter_map(ElementRef::wrap).find(is_block) else {
            return anchor.id();
        };
        let chars_of_mail = self.chars_of_mail;
        let says_little = *self.judged.entry(block.id()).or_insert_with(|| {
            let chars = text_of(block).chars().count();
            let has_heading = block.select(&selector("h1, h2, h3, h4")).next().is_some();
            let is_small = chars * 2 <= chars_of_mail
                || chars < chars_of_mail && has(&fold(&text_of(block)), ABOUT_MAIL);
            chars <= BLOCK_CHARS_MAX && is_small && !has_heading
        });
        if says_little { block.id() } else { anchor.id() }
    }
}

/// An address that shows the mail to everybody: nothing in it tells one reader from another.
fn shared(href: &str, marks: &[String]) -> Option<String> {
    let address = without_tracking(href);
    let url = Url::parse(&address).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let is_token = |part: &str| {
        part.len() >= TOKEN_BYTES_MIN
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'='))
            && part.bytes().any(|byte| byte.is_ascii_digit())
    };
    let is_open = url.query().is_none() && !url.path().split('/').any(is_token);
    (is_open && !is_personal(&address.to_ascii_lowercase(), marks)).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(html: &str) -> (String, Option<String>) {
        let leave = ["https://x.example/l/1".to_owned()];
        let (html, link) = cleaned(html, &["me@in.example".to_owned()], &leave);
        (one_line(&html), link)
    }

    #[test]
    fn what_is_one_recipients_is_left_out_and_the_rest_stays() {
        let story = "<p>The bridge is open again after a year of works, for everybody who walks.</p>";
        for (html, rest) in [
            ("<p>You get this as a member. <a href='https://x.example/u/1'>Se désabonner</a></p>", ""),
            ("<p><a href='https://x.example/unsubscribe?u=1'>Click here</a></p>", ""),
            ("<p><a href='https://x.example/l/1'>Click here</a></p>", ""),
            (
                "<p><a href='https://x.example/n/AbC123SECRET'>More</a></p><p><a href='https://x.example/u/AbC123SECRET'>Se désabonner</a></p>",
                "<p><a>More</a></p>",
            ),
            ("<img src='https://x.example/a.gif' width=1 height=1>", ""),
            ("<img src='https://x.example/a.gif' style='height: 1px'>", ""),
            ("<div style='display: none'>A line for lists</div>", ""),
            ("<img src='cid:1'>", ""),
            ("<a href='https://x.us1.list-manage.com/track/click?u=1&e=2'>More</a>", "<a>More</a>"),
            ("<a href='https://x.example/?for=me%40in.example'>More</a>", "<a>More</a>"),
            ("<a href='https://x.example/n/5?subscriber=4711&hash=9f8e'>More</a>", "<a>More</a>"),
            ("<a href='https://x.example/n#user=4711'>More</a>", "<a>More</a>"),
            ("<a href='https://x.example/l/eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxfQ.c2ln/x'>More</a>", "<a>More</a>"),
            ("<p>This goes to Me@in.example only.</p>", "<p>This goes to only.</p>"),
            (
                "<a href='https://x.example/news/preferences-of-voters'>Preferences of voters</a>",
                "<a href=\"https://x.example/news/preferences-of-voters\">Preferences of voters</a>",
            ),
            (
                "<img src=\"https://x.example/a.jpg\" width=\"600\">",
                "<img src=\"https://x.example/a.jpg\" width=\"600\">",
            ),
        ] {
            let (found, _) =
                read(&format!("<html><head><title>T</title></head><body>{story}{html}</body></html>"));
            assert_eq!(found, format!("{story}{rest}"), "{html}");
        }
    }

    #[test]
    fn a_link_to_preferences_or_to_leave_by_is_one_recipients_in_each_language() {
        let story = "<p>The bridge is open again after a year of works, for everybody who walks.</p>";
        for words in [
            "Preferencias",
            "Gestionar mis preferencias",
            "Anular inscripción",
            "Einstellungen ändern",
            "Gestisci le preferenze",
            "Cancellati",
            "Gerir preferências",
            "Cancelar subscrição",
            "Preferències",
            "dona’t de baixa",
            "Preferences",
        ] {
            let (found, _) = read(&format!("{story}<p><a href='https://x.example/p/a1'>{words}</a></p>"));
            assert_eq!(found, story, "{words}");
        }
        let ways = "<p><a href='https://x.example/k1/t0k'>Unsubscribe</a></p><p><a href='https://x.example/k2/t0ken9'>Preferences</a></p><p><a href='https://x.example/k3/t0ken9'>Abmelden</a></p>";
        let (found, _) =
            read(&format!("{story}{ways}<p><a href='https://x.example/k4/t0ken9'>Click here</a></p>"));
        assert_eq!(found, format!("{story}<p><a>Click here</a></p>"), "a token that ways out have in common");
        let voters = "<p><a href=\"https://x.example/n/5\">Cancellati i treni per Roma</a></p>";
        assert_eq!(read(&format!("{story}{voters}")).0, format!("{story}{voters}"), "news");
    }

    #[test]
    fn the_sentence_around_a_way_out_goes_with_it_even_in_a_short_mail() {
        for footer in [
            "Has recibido este correo porque estás suscrito. <a href='https://x.example/u/1'>Darse de baja</a>",
            "Sie erhalten diese E-Mail, weil Sie angemeldet sind. <a href='https://x.example/u/1'>Abmelden</a>",
            "Si no vols rebre més correus, <a href='https://x.example/u/1'>dona’t de baixa</a>.",
        ] {
            let (found, _) = read(&format!("<p>Market on Saturday.</p><p>{footer}</p>"));
            assert_eq!(found, "<p>Market on Saturday.</p>", "{footer}");
        }
        let (found, _) = read(
            "<p>Market.</p><p>The market opens on Saturday. <a href='https://x.example/l/1'>Leave</a></p>",
        );
        assert!(found.contains("opens on Saturday"), "{found}");
    }

    #[test]
    fn a_line_about_the_recipient_is_left_out_and_those_beside_it_stay() {
        let story = "<p>The bridge is open again after a year of works, for everybody who walks.</p>";
        for (html, rest) in [
            (
                "<p>© The town<br>This email was sent to <a href='mailto:me@in.example'>me@in.example</a><br>Main Square 1</p>",
                "<p>© The town<br><br>Main Square 1</p>",
            ),
            ("<p>© The town. Cet e-mail a été envoyé à me@in.example</p>", "<p>© The town.</p>"),
            (
                "<div><b>Sie erhalten diese E-Mail</b>, weil Sie sich angemeldet haben.</div>",
                "<div><b></b></div>",
            ),
            (
                "<p>The letter was sent to all who live there.</p>",
                "<p>The letter was sent to all who live there.</p>",
            ),
        ] {
            assert_eq!(read(&format!("{story}{html}")).0, format!("{story}{rest}"), "{html}");
        }
        let early =
            format!("<p>You are receiving this flag in the name of all, said the mayor.</p>{story}{story}");
        assert_eq!(read(&early).0, early, "a story");
        let (found, _) =
            read("<p><a href='https://urldefense.com/v3/__https://x.example/a__;!!k!m$'>The works</a></p>");
        assert_eq!(found, "<p><a href=\"https://x.example/a\">The works</a></p>");
        let text = "The works begin: <https://nam02.safelinks.protection.outlook.com/?url=https%3A%2F%2Fx.example%2Fa&data=me%40in.example>\nThis message was sent to me@in.example.\nAsk me@in.example";
        let plain = plain(text, &["me@in.example".to_owned()]);
        assert_eq!(plain, "The works begin: &lt;https://x.example/a&gt;<br>\nAsk");
    }

    #[test]
    fn a_day_or_an_hour_that_does_not_exist_dates_no_mail() {
        let date_of = |date: &str| {
            let mail = format!("From: a@x.example\r\nSubject: A\r\nDate: {date}\r\n\r\nText\r\n");
            read_mail(mail.as_bytes()).unwrap().published.map(|date| date.to_string())
        };
        for date in [
            "Tue, 31 Nov 2026 10:00:00 +0100",
            "Mon, 30 Feb 2026 10:00:00 +0100",
            "Fri, 20 Nov 2026 25:00:00 +0100",
            "garbage",
        ] {
            assert_eq!(date_of(date), None, "{date}");
        }
        assert_eq!(date_of("Fri, 20 Nov 2026 10:00:00 +0100").as_deref(), Some("2026-11-20T09:00:00Z"));
    }

    #[test]
    fn an_address_for_all_is_that_of_the_entry_and_one_with_a_token_is_none() {
        for (href, link) in [
            (
                "https://x.example/p/the-bridge-is-open?utm_source=mail",
                Some("https://x.example/p/the-bridge-is-open"),
            ),
            ("https://mailchi.mp/town/news?e=0a1b2c3d", None),
            ("https://x.example/view/0a1b2c3d4e5f6a7b8c9d", None),
        ] {
            let html = format!(
                "<body><p><a href='{href}'>View in your browser</a></p><p>{}</p></body>",
                "News. ".repeat(50)
            );
            let (found, shown) = read(&html);
            assert_eq!(shown.as_deref(), link, "{href}");
            assert!(!found.contains("browser"), "{found}");
        }
    }

    #[test]
    fn senders_are_named_by_address_domain_or_list() {
        let reply = |value: &str| {
            read_head(format!("From: a@x.org\r\nAuto-Submitted: {value}\r\n\r\nText").as_bytes())
                .is_automatic_reply
        };
        assert!(reply("auto-replied") && reply("Auto-Replied (vacation)"));
        assert!(!reply("auto-generated") && !reply("no"), "as programs send newsletters");
        let head = read_head(b"From: News <news@mail.town.example>\r\nList-Id: The news <news.lists.town.example>\r\nMessage-ID: <1@x>\r\n\r\nText");
        assert_eq!(
            (head.list_id.as_deref(), head.message_id.as_deref()),
            (Some("news.lists.town.example"), Some("1@x"))
        );
        for (wanted, is_it) in [
            ("news@mail.town.example", true),
            ("town.example", true),
            ("@town.example", true),
            ("<news.lists.town.example>", true),
            ("own.example", false),
            ("other@mail.town.example", false),
        ] {
            assert_eq!(head.is_from(&[wanted.to_owned()]), is_it, "{wanted}");
        }
        assert!(head.is_from(&[]));
    }

    #[test]
    fn numbers_and_identifiers_of_a_recipient_are_taken_out_of_links() {
        for href in [
            "https://x.example/r/Abc/m/18833",
            "https://x.example/news?subid=18833",
            "https://x.example/link/6f1c2b3a-0000-4000-8000-000000000001/6f1c2b3a-0000-4000-8000-000000000002/a",
            "https://x.example/?mailpoet_router&endpoint=track&action=click&data=WyI5",
        ] {
            let leave = ["https://x.example/groups/unsubscribe/18833".to_owned()];
            let body = format!("<p>The council met, and <a href='{href}'>decided much</a>.</p>");
            let (html, _) = cleaned(&body, &["me@in.example".to_owned()], &leave);
            assert!(!html.contains("href") && html.contains("decided much"), "{html}");
        }
        let kept = "<p>Read <a href='https://x.example/news/2022/18834'>all of it</a>.</p>";
        assert!(read(kept).0.contains("href"));
    }
}
