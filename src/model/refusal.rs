//! What a mail server's refusal is about. Only one kind of it says that a recipient does not exist; to take another for it costs a
//! list its readers. Pure: from the command, the code, the enhanced code (RFC 3463, RFC 7505) and the words. Our own server's answers
//! and those that reports of failed deliveries repeat are judged by the same function.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::support::text::fold;

/// What the server refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpCommand {
    /// The greeting, EHLO, STARTTLS.
    Connect,
    Auth,
    /// MAIL FROM: the sender.
    Mail,
    /// RCPT TO: the recipient.
    Rcpt,
    /// DATA, or the message after it.
    Data,
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The mailbox does not exist; this is final.
    NoRecipient,
    /// The recipient's mailbox does not take it for now: it is full, or asks us to come again.
    Mailbox,
    /// A recipient was refused, and nobody says why. About one of many it is about a mailbox; about many in a row, about us.
    Unexplained,
    /// Our address, our reputation, our login, our way of speaking, or what the message says: others would be refused alike.
    Us,
    /// The server has no time for anybody, or not for so many.
    Busy,
}

/// What is ours, as a server may name it: addresses that we write from, and their domains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnIdentity {
    addresses: Vec<String>,
    domains: Vec<String>,
}

impl OwnIdentity {
    pub fn new<'a>(addresses: impl IntoIterator<Item = &'a str>) -> OwnIdentity {
        let mut ours = OwnIdentity::default();
        for address in addresses {
            let address = canonical_address(address);
            ours.domains.extend(address.rsplit_once('@').map(|(_, domain)| domain.to_owned()));
            ours.addresses.push(address);
        }
        ours
    }

    /// Whether words name what is ours, and nothing of these recipients.
    fn are_named(&self, words: &str, recipients: &[String]) -> bool {
        let recipients: Vec<String> =
            recipients.iter().map(|recipient| canonical_address(recipient)).collect();
        // Reports in prose are read for addresses, and ours may be among them.
        let theirs: Vec<&String> =
            recipients.iter().filter(|recipient| !self.addresses.contains(recipient)).collect();
        let is_theirs = |domain: &str| {
            theirs.iter().any(|recipient| recipient.rsplit('@').next().is_some_and(|own| own == domain))
        };
        let mut is_named = false;
        for name in names(words) {
            let name = canonical_address(name);
            let domain = name.rsplit('@').next().unwrap_or_default();
            if self.addresses.contains(&name) {
                is_named = true;
            } else if is_theirs(domain) {
                return false;
            } else {
                is_named |= self.domains.iter().any(|own| own == domain);
            }
        }
        is_named
    }
}

/// An address without what a return path has after a `+`, in small letters.
fn canonical_address(address: &str) -> String {
    let address = address.to_lowercase();
    match address.split_once('@') {
        Some((name, domain)) => format!("{}@{domain}", name.split('+').next().unwrap_or_default()),
        None => address,
    }
}

/// Addresses and domains in words.
fn names(words: &str) -> impl Iterator<Item = &str> {
    words
        .split(|c| !is_of_address(c))
        .map(|piece| piece.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|piece| piece.contains(['@', '.']))
}

fn is_of_address(c: char) -> bool {
    c.is_alphanumeric() || "@.-_+=".contains(c)
}

/// Whom a refusal may be about.
#[derive(Debug, Clone, Copy)]
pub struct Parties<'a> {
    pub ours: &'a OwnIdentity,
    pub recipients: &'a [String],
}

impl Parties<'_> {
    /// Whether words name what is ours, and nothing of the recipients.
    pub fn are_ours_named(&self, words: &str) -> bool {
        self.ours.are_named(words, self.recipients)
    }
}

/// About the sender or the message, whatever the code says. Phrases stand as `plain` has them; a space at an end is the end of a word.
const US: &[&str] = &[
    "spam",
    "block list",
    "blocklist",
    "blacklist",
    "black list",
    "denylist",
    "deny list",
    "allow list",
    "allowlist",
    "dnsbl",
    " rbl ",
    "spamcop",
    "barracuda",
    "reputation",
    "policy",
    "policies",
    "relay",
    " spf ",
    "dkim",
    "dmarc",
    "sender",
    "originator",
    "authenticat",
    "auth required",
    "not allowed to send",
    "from address",
    "sending from",
    "sending address",
    "originating",
    "your address",
    "your email address",
    "your mail address",
    "domain of your",
    "your plan",
    "your subscription",
    "your daily",
    "daily limit",
    "hourly limit",
    "you are an unknown",
    "unknown client",
    "password",
    "whitelist",
    "white list",
    "access list",
    "sandbox",
    "an authorized recipient",
    "rcpthosts",
    "virus",
    "malware",
    "phish",
    "unsolicited",
    "suspicious",
    "banned",
    "blocked using",
    "blocked by",
    "blocked from",
    "ip blocked",
    "host blocked",
    "domain blocked",
    "you are blocked",
    "your ip",
    "your host",
    "your domain",
    "your server",
    "your mail server",
    "your account",
    "your network",
    "your organization",
    "mail from ",
    "messages from",
    "ip address",
    "sending ip",
    "sending host",
    "sending domain",
    "sending server",
    "sending quota",
    "sending limit",
    "sending activity",
    "sending rate",
    "sending too",
    "client host",
    "reverse dns",
    " rdns ",
    "ptr record",
    "ptr resource record",
    " no ptr",
    " ptr unknown",
    "dns ptr",
    "dns mx",
    "reverse hostname",
    "forward confirmed",
    "fcrdns",
    "dynamic ip",
    "dialup",
    "dial up",
    "a problem occurred ask your postmaster",
    " dt spm ",
    " dt sum ",
    " mi spb ",
    " mi sfq ",
    " rp qrc ",
    " hl ihu ",
    " hl ipb ",
    " helo ",
    " ehlo ",
    "is listed",
    "listed at",
    "listed on",
    "listed by",
    "listed in dns",
    "verification failed",
    "verify failed",
    "verification failure",
    "callout",
    "callback",
    "blocked you",
    "not want your",
    "not accept mail from you",
    "rejected your message",
    "rejects your message",
    "refuses mail",
    "tls required",
    "requires tls",
    "starttls",
    "too many invalid",
    "too many unknown",
    "too many bad",
    "too many errors",
    "harvest",
    "spoof",
    "return path",
    "reverse path",
    "envelope from",
    "security reason",
    "mail rejected",
    "message rejected",
    "email rejected",
    "message refused",
    "message denied",
    "mail rejete",
    "message rejete",
    "message refuse",
    "courrier rejete",
    "service refuse",
    "expediteur",
    "liste noire",
    "indesirable",
    "remitente",
    "lista negra",
    "no deseado",
    "mensaje rechazado",
    "correo rechazado",
    "remetente",
    "mensagem rejeitada",
    "absender",
    "sperrliste",
    "unerwunscht",
    "nachricht abgelehnt",
    "mittente",
    "messaggio rifiutato",
    "afzender",
    "отправител",
];
/// These can be about us or about a mailbox: where the code says that the mailbox does not exist, the code is believed.
const US_PERHAPS: [&str; 17] = [
    "blocked",
    "not permitted",
    "not authorized",
    "not authorised",
    "unauthorized",
    "access denied",
    "prohibit",
    "content",
    "abuse",
    "bulk mail",
    "blocage",
    "bloque",
    "rejected by",
    "lpnaaa",
    "bloqueado",
    "gesperrt",
    "restricted",
];
/// What has a word of `US` in it and is about a recipient.
const NOT_US: [&str; 3] = ["relay recipient table", "no such relay user", "unknown in relay"];
/// About room in a mailbox.
const FULL: [&str; 33] = [
    "quota",
    "mailbox full",
    "mailbox is full",
    "mail box full",
    "over the limit",
    "storage",
    "out of space",
    "no more space",
    " is full",
    "too large for this",
    "mailbox size",
    "boite pleine",
    "boite aux lettres pleine",
    "est pleine",
    "espace insuffisant",
    "buzon lleno",
    "esta lleno",
    "cuota",
    "espacio insuficiente",
    "caixa cheia",
    "postal cheia",
    "correio cheia",
    "esta cheia",
    "postfach voll",
    "ist voll",
    "speicherplatz",
    "speichervolumen",
    "kontingent",
    "casella piena",
    "e piena",
    "spazio esaurito",
    "mailbox vol ",
    "переполнен",
];
/// Quotas of the sender.
const OUR_QUOTA: [&str; 6] = ["message quota", "sending", "daily", "hourly", "sender", "of your account"];
/// About a mailbox that does not exist.
const UNKNOWN: &[&str] = &[
    "user unknown",
    "unknown user",
    "no such user",
    "no such recipient",
    "no such mailbox",
    "no such address",
    "no such account",
    "no such person",
    "no such domain",
    "does not exist",
    "doesn t exist",
    "do not exist",
    "not exist",
    "doesn t have a",
    "does not have a",
    "mailbox not found",
    "recipient not found",
    "user not found",
    "address not found",
    "account not found",
    "not found in directory",
    "recipnotfound",
    "recipientnotfound",
    "unknown recipient",
    "recipient unknown",
    "unknown address",
    "address unknown",
    "unknown local",
    "unknown mailbox",
    "mailbox unknown",
    "unknown account",
    "account unknown",
    "invalid recipient",
    "invalid mailbox",
    "invalid address",
    "invalid user",
    "recipient invalid",
    "no mailbox here",
    "no mailbox by",
    "not a valid mailbox",
    "not a valid recipient",
    "not a valid user",
    "not a known user",
    "is not known",
    "not listed in",
    "not our customer",
    "undeliverable address",
    "unrouteable address",
    "unroutable address",
    "account is disabled",
    "account has been disabled",
    "account is inactive",
    "account has been closed",
    "account that you tried to reach is disabled",
    "recipient no longer",
    "user no longer",
    "no longer available",
    "n existe p",
    "n existe plus",
    "destinataire invalide",
    "destinataire inconnu",
    "destinataire inexistant",
    "utilisateur inconnu",
    "utilisateur inexistant",
    "adresse inconnue",
    "mail inconnue",
    "lettres inconnue",
    "electronique inconnue",
    "correo inexistente",
    "adresse inexistante",
    "adresse invalide",
    "boite inconnue",
    "boite inexistante",
    "compte inconnu",
    "compte inexistant",
    "compte desactive",
    "introuvable",
    "no existe",
    "usuario desconocido",
    "usuario inexistente",
    "destinatario desconocido",
    "destinatario inexistente",
    "direccion desconocida",
    "buzon inexistente",
    "cuenta inexistente",
    "cuenta desactivada",
    "nao existe",
    "est inconnu",
    "e sconosciuto",
    "e desconhecido",
    "usuario nao encontrado",
    "utilizador desconhecido",
    "usuario desconhecido",
    "destinatario desconhecido",
    "endereco inexistente",
    "caixa postal inexistente",
    "conta inexistente",
    " unbekannt",
    "existiert nicht",
    "nicht vorhanden",
    "nicht gefunden",
    "kein solcher",
    "kein solches",
    "kein postfach",
    "ungultige adresse",
    "non esiste",
    "utente sconosciuto",
    "utente inesistente",
    "destinatario sconosciuto",
    "indirizzo sconosciuto",
    "indirizzo inesistente",
    "casella inesistente",
    "account inesistente",
    "bestaat niet",
    "onbekende gebruiker",
    "onbekende ontvanger",
    "no existeix",
    "usuari desconegut",
    "nie istnieje",
    "nieznany uzytkownik",
    "neexistuje",
    "nu exista",
    "finns inte",
    "findes ikke",
    "не существует",
    "не найден",
    "не існує",
    "不存在",
    "غير موجود",
];
/// About a recipient whom we have not written to before: the same mail is taken a little later.
const GREYLISTED: [&str; 4] = ["greylist", "graylist", "grey list", "gray list"];
/// About how many connections or messages at a time, whatever the code says.
const CROWDED: [&str; 5] = ["too many", "concurren", "rate limit", "throttl", "slow down"];
/// About how much at a time, and about what could not be looked up.
const PASSING: [&str; 22] = [
    "too many",
    "rate limit",
    " rate that ",
    " rate of ",
    " sending rate ",
    "again later",
    "try later",
    "temporar",
    "throttl",
    "too fast",
    "too quickly",
    " busy",
    "resources",
    "concurren",
    "deferred",
    "connections",
    "slow down",
    " later ",
    "timeout",
    "timed out",
    "lookup fail",
    "dns fail",
];

/// About the server's own state: whom it does not find now, it may know tomorrow.
const TROUBLE: &[&str] = &[
    "database error",
    "sql error",
    "sql lookup",
    "mysql",
    "pgsql",
    "lookup error",
    "ldap",
    "directory server",
    "directory service",
    "backend",
    "back end",
    "internal error",
    "server error",
    "configuration error",
    "service down",
    "server down",
    "server unavailable",
    "service unavailable",
    "service is down",
    "not reachable",
    "server reachable",
    "unreachable",
    "maintenance",
    "wartung",
    "mantenimiento",
    "manutenzione",
    "overload",
    "at this time",
    "at the moment",
    "try again",
    "backup mx",
    "licence",
    "license",
    "pour le moment",
    "le serveur est",
    "server ist",
    "il server e",
    "o servidor esta",
    "el servidor esta",
    "en este momento",
    "no momento",
    "al momento",
    "derzeit",
    "zurzeit",
    "momentan",
    "being migrated",
    "not accepting mail",
    "not accepting network messages",
];
/// What a server looks its users up in, and what may be wrong with that.
const REGISTERS: [&str; 3] = ["database", " db ", "user table"];
const OUT_OF_ORDER: [&str; 8] =
    ["unavailable", "not available", "fail", " down ", "connection", "cannot be", "could not be", "offline"];
/// What has a word of `TROUBLE` in it, and says that a recipient was looked for.
const LOOKED_FOR: [&str; 4] = ["not found in ldap", "unknown in ldap", "not in ldap", "no such user in ldap"];
/// About one mailbox, though others are refused in such words.
const ONE_MAILBOX: [&str; 4] =
    ["is receiving mail at a rate", "is receiving mail too quickly", "for this recipient", "mailbox quota"];
/// About more at a time than the server lets us have: fewer connections, or a slower pace, get the mail through.
const CONNECTIONS: &[&str] = &[
    "concurren",
    "simultaneous",
    "thread limit",
    "number of connections",
    "too many connections",
    "too many sessions",
    "connection limit",
    "session limit",
    "too much mail from",
];

/// Whether an answer for now asks for fewer connections, or for less at a time.
pub fn asks_for_fewer(code: u16, words: &str) -> bool {
    let nobody = Parties { ours: &OwnIdentity::default(), recipients: &[] };
    (400..500).contains(&code) && ReplyWords::new(words, &nobody).say(CONNECTIONS)
}

/// About the messages of one connection.
const MESSAGES: &[&str] = &[
    "too many messages",
    "too many mails",
    "too many emails",
    "too many transactions",
    "too many recipients",
    "message limit",
    "messages limit",
    "maximum messages",
    "maximum number of messages",
    "number of messages",
    "messages per",
    "message per",
    "mails per",
    "mail per",
    "one transaction",
    "one mail transaction",
    "sender already specified",
];
const ONE_CONNECTION: [&str; 6] =
    ["session", "connection", "already sent", "transaction", "new connect", "reconnect"];

/// Whether an answer asks for another connection, since this one had as many messages as it may have. Servers say it with any code.
pub fn asks_for_another(code: u16, words: &str) -> bool {
    // Of a message with a single recipient, there are never too many recipients.
    let is_of_recipients = matches!(enhanced(words), Some([4, 5, 3]));
    let words = ReplyWords::new(words, &Parties { ours: &OwnIdentity::default(), recipients: &[] });
    (400..600).contains(&code)
        && !words.say(CONNECTIONS)
        && words.say(MESSAGES)
        && (is_of_recipients || words.say(&ONE_CONNECTION))
}

/// A host as Postfix names it: what it is called says nothing.
static HOST: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)\bhost [\w.-]+\[[^\]]*\]").unwrap());

/// Normalizes words like the lists: folded, without addresses, with spaces for everything but letters and digits.
fn plain(words: &str) -> String {
    let mut out = String::from(" ");
    let words = HOST.replace_all(words, " ");
    // Whoever is called spam@… or policy@… is not what the server speaks of.
    let pieces = words.split(|c| !is_of_address(c)).filter(|piece| !piece.contains('@'));
    for word in
        pieces.flat_map(|piece| piece.split(|c: char| !c.is_alphanumeric())).filter(|word| !word.is_empty())
    {
        out.push_str(&fold(word));
        out.push(' ');
    }
    out
}

/// The words that refusals of recipients are made of.
static VOCABULARY: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let words = UNKNOWN.iter().chain(&FULL).flat_map(|phrase| phrase.split_whitespace());
    // Articles and the like stand in any sentence.
    words.filter(|word| word.chars().count() >= 4).collect()
});

/// What a reply says to everybody alike: the words of it that refusals are made of, or else those that are no addresses, domains, numbers
/// and ids. An id may be one of letters, and a date has names.
pub fn reply_signature(words: &str) -> String {
    let all = bare(words);
    let known: Vec<&str> = all.split(' ').filter(|word| VOCABULARY.contains(word)).collect();
    if known.len() < 2 { all } else { known.join(" ") }
}

fn bare(words: &str) -> String {
    let is_name = |piece: &str| piece.contains('@') || piece.trim_matches('.').contains('.');
    let has_figure = |word: &str| word.contains(|c: char| c.is_numeric());
    let pieces = words.split(|c| !is_of_address(c)).filter(|piece| !is_name(piece));
    let words = pieces.flat_map(|piece| piece.split(|c: char| !c.is_alphanumeric()));
    words.filter(|word| !word.is_empty() && !has_figure(word)).map(fold).collect::<Vec<_>>().join(" ")
}

/// What is asked of the words of a reply.
struct ReplyWords {
    plain: String,
    /// They repeat what another server said, with a code that is about senders.
    quotes_policy: bool,
    /// They name what is ours, and not the recipient.
    names_ours: bool,
}

impl ReplyWords {
    fn new(words: &str, parties: &Parties) -> ReplyWords {
        // The first one may be its own.
        let rest = words.split_whitespace().skip(1);
        let mut codes = rest.flat_map(|word| word.split(|c: char| !c.is_ascii_digit() && c != '.'));
        let is_policy =
            |code: &str| enhanced(code).is_some_and(|[class, subject, _]| (class, subject) == (5, 7));
        ReplyWords {
            plain: plain(words),
            quotes_policy: codes.any(is_policy),
            names_ours: parties.are_ours_named(words),
        }
    }

    fn say(&self, any: &[&str]) -> bool {
        any.iter().any(|phrase| {
            if phrase.is_ascii() { self.plain.contains(phrase) } else { self.plain.contains(&fold(phrase)) }
        })
    }

    fn name_us(&self) -> bool {
        (self.say(US) || self.quotes_policy || self.names_ours) && !self.say(&NOT_US)
    }

    fn may_name_us(&self) -> bool {
        (self.name_us() || self.say(&US_PERHAPS)) && !self.say(&NOT_US)
    }

    /// Whether they speak of the server's own state.
    fn say_trouble(&self) -> bool {
        self.say(TROUBLE) && !self.say(&LOOKED_FOR) || self.say(&REGISTERS) && self.say(&OUT_OF_ORDER)
    }

    fn say_full(&self) -> bool {
        self.say(&FULL) && !self.say(&OUR_QUOTA)
    }
}

/// What a refusal is about. `enhanced` are the three numbers of an enhanced code where there is one.
pub fn refusal(
    command: SmtpCommand,
    code: u16,
    enhanced: Option<[u16; 3]>,
    words: &str,
    parties: &Parties,
) -> Refusal {
    let words = ReplyWords::new(words, parties);
    let is_temporary = (400..500).contains(&code);
    let detail = enhanced.map(|[_, subject, detail]| (subject, detail));
    match command {
        // The server ends the conversation, whatever we said.
        _ if code == 421 => Refusal::Busy,
        SmtpCommand::Connect | SmtpCommand::Auth | SmtpCommand::Mail if is_temporary => Refusal::Busy,
        SmtpCommand::Connect if words.say(&CROWDED) => Refusal::Busy,
        SmtpCommand::Connect | SmtpCommand::Auth | SmtpCommand::Mail => Refusal::Us,
        // An address that no mailbox can have; other words that it does not know are ours (RFC 5321 section 4.2.3, RFC 4954 section 6).
        SmtpCommand::Rcpt if code == 501 && detail == Some((1, 3)) && !words.name_us() => {
            Refusal::NoRecipient
        }
        _ if matches!(code, 500..=504 | 530 | 534 | 535 | 538 | 555 | 600..) => Refusal::Us,
        _ if is_temporary => temporary(detail, &words),
        // A final code with one for now in its words is none to believe.
        SmtpCommand::Rcpt if enhanced.is_some_and(|[class, ..]| class == 4) => temporary(detail, &words),
        SmtpCommand::Data => of_message(detail, &words),
        SmtpCommand::Rcpt => permanent(detail, &words),
    }
}

/// A recipient or a message that is refused for now.
fn temporary(detail: Option<(u16, u16)>, words: &ReplyWords) -> Refusal {
    let is_full = matches!(detail, Some((2, 2))) || words.say_full();
    match detail {
        _ if is_full && !words.say(&["insufficient system", "email server"]) => Refusal::Mailbox,
        _ if words.say(&GREYLISTED) => Refusal::Mailbox,
        Some((1, 7 | 8)) => Refusal::Us,
        Some((7, 20..=29)) if !words.say(&CROWDED) => Refusal::Us,
        Some((2, _)) => Refusal::Mailbox,
        Some((1, _)) if !words.say(&PASSING) => Refusal::Mailbox,
        _ => Refusal::Busy,
    }
}

/// A message that is refused for good. It says nothing about the recipient, whom the server had already accepted.
fn of_message(detail: Option<(u16, u16)>, words: &ReplyWords) -> Refusal {
    let is_of_mailbox =
        matches!(detail, Some((2, detail)) if detail != 3) && !words.name_us() || words.say_full();
    if is_of_mailbox && !words.say(&["message size", "message too", "too big"]) {
        Refusal::Mailbox
    } else {
        Refusal::Us
    }
}

/// A recipient that is refused for good, by the last two numbers of the code and the words. What names us wins over any code: who is
/// blocked is often told so in a sentence about the recipient.
fn permanent(detail: Option<(u16, u16)>, words: &ReplyWords) -> Refusal {
    match detail {
        Some((2, 2)) => Refusal::Mailbox,
        _ if words.say(&ONE_MAILBOX) && !words.quotes_policy => Refusal::Mailbox,
        // As Yandex answers.
        Some((7, 1)) if words.say(UNKNOWN) && !words.may_name_us() => Refusal::NoRecipient,
        // As Outlook.com answers for a mailbox that does not exist.
        Some((5, 0)) if words.say(&["mailbox unavailable"]) && !words.may_name_us() => Refusal::NoRecipient,
        Some((5, 0)) if words.say(UNKNOWN) && !words.may_name_us() => Refusal::NoRecipient,
        Some((1, 7 | 8) | (2, 3) | (3, 4) | (5, 1..) | (6 | 7, _)) => Refusal::Us,
        _ if words.name_us() => Refusal::Us,
        _ if words.say_full() => Refusal::Mailbox,
        _ if words.say(&GREYLISTED) => Refusal::Mailbox,
        _ if words.say(&PASSING) || words.say_trouble() => if_passing(detail),
        Some((1, 1..=6 | 9 | 10) | (2, 1)) => Refusal::NoRecipient,
        // A directory that is asked at the edge (Exchange Online).
        Some((4, 1)) if words.say(&["recipient address rejected"]) => Refusal::NoRecipient,
        _ if words.may_name_us() => Refusal::Us,
        _ if words.say(UNKNOWN) => Refusal::NoRecipient,
        // An unexplained refusal does not count against a person.
        _ => Refusal::Unexplained,
    }
}

/// For good by its code, and for now by its words: of a mailbox, or of the server.
fn if_passing(detail: Option<(u16, u16)>) -> Refusal {
    if matches!(detail, Some((2, _))) { Refusal::Mailbox } else { Refusal::Busy }
}

/// The enhanced code at the beginning of a reply's words.
pub fn enhanced(words: &str) -> Option<[u16; 3]> {
    let first = words.split_whitespace().next()?.trim_matches(|c: char| !c.is_ascii_digit());
    let mut numbers = first.split('.').map(|number| number.parse::<u16>().ok());
    let code = [numbers.next()??, numbers.next()??, numbers.next()??];
    (numbers.next().is_none() && matches!(code[0], 2 | 4 | 5)).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::Refusal::NoRecipient;
    use super::SmtpCommand::{Auth, Connect, Data, Mail, Rcpt};
    use super::*;

    /// A line a reply: the source of the fact, the command, the code, the words, and what it is about.
    const REPLIES: &str = include_str!("replies.tsv");
    const NOBODY: Parties =
        Parties { ours: &OwnIdentity { addresses: Vec::new(), domains: Vec::new() }, recipients: &[] };

    #[test]
    fn replies_of_real_servers_are_about_what_they_are_about() {
        let rows: Vec<Vec<&str>> = REPLIES
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split('\t').collect())
            .collect();
        assert!(rows.len() >= 240 && rows.iter().all(|row| row.len() == 5 && !row[0].is_empty()));
        let command = |name: &str| {
            [Connect, Auth, Mail, Rcpt, Data]
                .into_iter()
                .find(|command| format!("{command:?}") == name)
                .unwrap()
        };
        let ours = OwnIdentity::new(["news@example.org"]);
        let parties = Parties { ours: &ours, recipients: &["u@x.example".to_owned()] };
        let wrong: Vec<_> = rows
            .iter()
            .filter_map(|row| {
                let (code, words) = (row[2].parse().unwrap(), row[3]);
                let got = format!("{:?}", refusal(command(row[1]), code, enhanced(words), words, &parties));
                (got != row[4]).then(|| format!("{row:?}: {got}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn what_is_wrong_with_us_or_the_server_is_not_said_of_a_recipient() {
        use Refusal::{Busy, Mailbox, Us};
        for (code, words, want) in [
            (550, "5.1.1 User unknown: the account database is unavailable", Busy),
            (550, "5.1.1 User unknown (db connection lost)", Busy),
            (550, "Unknown user, the licence has expired", Busy),
            (550, "Le domaine est inconnu pour le moment", Busy),
            (550, "5.1.1 From address not found", Us),
            (550, "The address that you are sending from does not exist", Us),
            (550, "5.1.1 Your email address is unknown here", Us),
            (550, "Unknown user or bad password", Us),
            (550, "Recipient does not exist in your plan", Us),
            (550, "User unknown in our whitelist", Us),
            (550, "PTR unknown", Us),
            (550, "5.1.90 Your daily limit of recipients is reached", Us),
            (550, "Sandbox account: not an authorized recipient", Us),
            (600, "5.1.1 user unknown", Us),
            (550, "4.1.1 user unknown", Mailbox),
            (
                550,
                "5.2.1 The user is receiving mail at a rate that prevents more from being delivered",
                Mailbox,
            ),
            (552, "5.2.3 The message is too large for this recipient", Mailbox),
            (552, "Message rejected: mailbox quota exceeded", Mailbox),
            (550, "5.1.1 undeliverable address: host backend[192.0.2.1] said: 550 User unknown", NoRecipient),
            (550, "5.1.1 recipient not found in LDAP", NoRecipient),
            (550, "5.1.1 no such user in our database", NoRecipient),
        ] {
            assert_eq!(refusal(Rcpt, code, enhanced(words), words, &NOBODY), want, "{code} {words}");
        }
    }

    #[test]
    fn nothing_but_a_refused_recipient_says_that_there_is_none() {
        for command in [Connect, Auth, Mail, Data] {
            for code in 400..600 {
                for words in ["", "5.1.1 User unknown", "5.1.10 no such user", "does not exist"] {
                    assert_ne!(
                        refusal(command, code, enhanced(words), words, &NOBODY),
                        NoRecipient,
                        "{command:?} {code} {words}"
                    );
                }
            }
        }
        assert!(
            (400..500)
                .all(|code| refusal(Rcpt, code, Some([4, 1, 1]), "user unknown", &NOBODY) != NoRecipient)
        );
    }

    #[test]
    fn what_names_ours_and_nothing_of_the_recipient_is_about_us() {
        let ours = OwnIdentity::new(["bounces@lists.town.example", "News@town.example"]);
        let asked = |words: &str, recipient: &str| {
            let recipients = [recipient.to_owned()];
            refusal(Rcpt, 550, enhanced(words), words, &Parties { ours: &ours, recipients: &recipients })
        };
        for words in [
            "5.1.1 <bounces+7-ab@lists.town.example>: user unknown",
            "news@TOWN.example: mailbox not found",
            "5.1.2 town.example: no such domain",
            "Verification of bounces+7-ab@lists.town.example failed: user unknown",
            "MX of town.example says no such user.",
            "mx.far.example: <news@town.example> does not exist",
        ] {
            assert_eq!(asked(words, "ana@far.example"), Refusal::Us, "{words}");
        }
        for words in [
            "5.1.1 <ana@far.example>: user unknown (from news@other.example)",
            "5.1.1 ana@far.example does not exist, says town.example",
            "5.1.2 far.example: no such domain (asked by town.example)",
            "5.1.1 mx2.town.example: user unknown",
        ] {
            assert_eq!(asked(words, "ana@far.example"), NoRecipient, "{words}");
        }
        // Somebody at our own domain: only our own address is ours then.
        assert_eq!(asked("5.1.1 <ana@town.example>: user unknown", "ana@town.example"), NoRecipient);
        assert_eq!(asked("5.1.1 town.example: user unknown", "ana@town.example"), NoRecipient);
        assert_eq!(asked("5.1.1 <news@town.example>: user unknown", "ana@town.example"), Refusal::Us);
    }

    #[test]
    fn what_is_said_to_everybody_is_the_same_without_names_and_numbers() {
        let alike = [
            "550 5.1.1 <ana@a.example>: User unknown (id 4Xy9) at mx1.host.example.",
            "550 5.1.1 <bo@b.example>: user unknown (id 77q) at mx2.host.example",
        ];
        assert_eq!(reply_signature(alike[0]), "user unknown");
        assert_eq!(reply_signature(alike[1]), reply_signature(alike[0]));
        assert_eq!(
            reply_signature("550 5.1.1 <c@d.example> user unknown, id at 12"),
            reply_signature(alike[0])
        );
        assert_eq!(
            reply_signature("550 5.1.1 User unknown [vhibpwhbwgzj], on Thursday"),
            reply_signature(alike[0])
        );
        assert_ne!(reply_signature("550 5.1.1 no such user"), reply_signature(alike[0]));
        assert_eq!(reply_signature("550 what a pity 12a"), "what a pity");
    }

    #[test]
    fn an_answer_for_now_may_ask_for_fewer_connections() {
        for (code, words, want) in [
            (432, "4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", true),
            (450, "4.7.1 Error: too much mail from 192.0.2.1", true),
            (451, "4.7.652 The mail server has exceeded the maximum number of connections", true),
            (450, "4.2.1 too many concurrent deliveries to this mailbox host", true),
            (550, "5.7.1 too many connections", false),
            (452, "4.2.2 mailbox full", false),
            (451, "4.7.1 greylisted", false),
        ] {
            assert_eq!(asks_for_fewer(code, words), want, "{code} {words}");
        }
    }

    #[test]
    fn an_answer_may_ask_for_another_connection() {
        for (code, words, want) in [
            (452, "4.5.3 too many messages in this session", true),
            (450, "4.7.1 Too many messages for this connection, please reconnect", true),
            (503, "Maximum number of messages per session reached", true),
            (554, "5.7.0 too many transactions", true),
            (452, "4.5.3 Too many recipients received this connection", true),
            (451, "Message limit of this connection is exceeded", true),
            (452, "4.5.3 Error: too many recipients", true),
            (503, "5.5.1 sender already specified, one transaction only", true),
            (550, "5.7.0 Only one message per connection allowed", true),
            (450, "too many concurrent sessions", false),
            (451, "4.7.652 too many messages, and the maximum number of connections", false),
            (450, "4.7.1 too many messages from your network today", false),
            (552, "5.2.2 mailbox full", false),
            (250, "too many messages in this session", false),
        ] {
            assert_eq!(asks_for_another(code, words), want, "{code} {words}");
        }
    }

    #[test]
    fn enhanced_codes_stand_at_the_beginning() {
        assert_eq!(enhanced("5.1.1 no"), Some([5, 1, 1]));
        assert_eq!(enhanced("#5.7.1, no"), Some([5, 7, 1]));
        assert!(
            ["", "no 5.1.1", "192.0.2.1 is blocked", "6.1.1 x", "5.1 x"]
                .iter()
                .all(|words| enhanced(words).is_none())
        );
    }
}
