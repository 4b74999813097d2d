//! Normalizes a raw entry.

use sha2::{Digest, Sha256};
use url::Url;

use super::html::{
    self, EXCERPT_CHARS_MAX, SUMMARY_CHARS_MAX, first_block, start_of_safe_html, without_media_texts,
};
use super::language::{LanguageDetector, language_in_address};
use crate::model::address::{canonical_key, without_credentials, without_tracking, without_tracking_in};
use crate::model::entry::{Alternate, Entry, Identity, Provenance};
use crate::model::event::Event;
use crate::model::feed::{Enclosure, Image, Link, Origin, Person, RawEntry, RawText};
use crate::model::redirect::behind_redirect;
use crate::model::valid::web_address;
use crate::support::text::{
    attribute_of, fold, is_blank, one_line, printable, push_escaped, shorten, turns_direction,
};

/// What the source contributes to an entry.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The id of the source in the configuration.
    pub source: &'a str,
    /// The language of the source, for documents that declare none.
    pub language: Option<&'a str>,
    /// The address of the document, to resolve relative links.
    pub base: Option<&'a Url>,
    /// Checks the declared language against the text.
    pub language_detector: Option<&'a LanguageDetector>,
    /// The identity and fingerprint of the entry as listed, before anything was added to it.
    pub listed: Option<(&'a Identity, &'a str)>,
}

/// The identity of an entry: its guid, or else its address, or else a hash of its text. Where the address is that of the listing,
/// title and day belong to it.
pub fn identity(raw: &RawEntry) -> Identity {
    if let Some(guid) = raw.guid.as_deref().map(str::trim).filter(|guid| !guid.is_empty()) {
        return Identity::Guid(guid.to_owned());
    }
    if let Some(url) = raw.url().filter(|_| raw.is_of_listing) {
        let place = canonical_key(url).unwrap_or_else(|| url.to_owned());
        let title = fold(value_of(&raw.title));
        let event = raw.event.as_ref().map(|event| event.begin.date().to_string());
        let day = event.or_else(|| raw.date().map(|date| date.strftime("%Y-%m-%d").to_string()));
        return Identity::Address(format!("{place}#{title}#{}", day.unwrap_or_default()));
    }
    if let Some(url) = raw.url() {
        return Identity::Address(canonical_key(url).unwrap_or_else(|| url.to_owned()));
    }
    let words = [&raw.title, &raw.summary, &raw.content].map(value_of);
    match &raw.event {
        Some(event) => Identity::Content(hash(&[words[0], words[1], words[2], &event.begin.to_string()])),
        None => Identity::Content(hash(&words)),
    }
}

/// The public id: a UUID (RFC 9562, version 8) of source and identity.
pub fn entry_id(source: &str, identity: &Identity) -> String {
    let digest = Sha256::digest(format!("{source}\0{}", identity.key()));
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = (bytes[6] & 0x0F) | 0x80;
    bytes[8] = (bytes[8] & 0x3F) | 0x80;
    let hex = crate::support::text::hex(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// A digest of the raw entry, equal as long as the entry is not edited. Cheap, so that known entries can be skipped before
/// anything is sanitised.
pub fn fingerprint(raw: &RawEntry) -> String {
    let dates = format!("{:?} {:?}", raw.published, raw.updated);
    let links = raw.links.iter().map(|link| link.href.as_str()).collect::<Vec<_>>().join(" ");
    let rest = format!("{:?} {:?} {:?} {:?}", raw.tags, raw.enclosures, raw.image, raw.authors);
    let event = raw.event.as_ref().map(|event| format!("{event:?}"));
    let parts = [value_of(&raw.title), value_of(&raw.summary), value_of(&raw.content), &dates, &links, &rest];
    hash(&parts.into_iter().chain(event.as_deref()).collect::<Vec<_>>())
}

fn value_of(text: &Option<RawText>) -> &str {
    text.as_ref().map_or("", |text| text.value.as_str())
}

fn hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    crate::support::text::hex(&hasher.finalize()[..16])
}

/// The declared language, checked against the text if configured, and the confidence of the check.
fn judged_language(
    raw: &RawEntry,
    context: Context,
    title: &str,
    summary: &str,
) -> (Option<String>, Option<f32>) {
    let declared = language(raw, context);
    match context.language_detector {
        Some(detector) => detector.judge(declared.as_deref(), &format!("{title}. {summary}")),
        None => (declared, None),
    }
}

/// The summary as text: the start of what the source gives as one, or else of the content.
fn summary_of(summary_html: Option<&str>, content_html: Option<&str>) -> String {
    match (summary_html, content_html) {
        (Some(summary), _) => start_of_safe_html(summary, SUMMARY_CHARS_MAX),
        (None, Some(content)) => start_of_safe_html(&without_media_texts(content), EXCERPT_CHARS_MAX),
        (None, None) => String::new(),
    }
}

/// A summary with its first block in a line of its own: an entry without a title is called by it.
fn with_first_line(summary: String, html: Option<&str>) -> String {
    let first = html.map(first_block).unwrap_or_default();
    match summary.strip_prefix(&first).filter(|rest| !first.is_empty() && rest.starts_with(' ')) {
        Some(rest) => format!("{first}\n{}", rest.trim_start()),
        None => summary,
    }
}

/// Normalizes an entry.
pub fn normalize(raw: &RawEntry, context: Context) -> Entry {
    let (identity, fingerprint) = context.listed.map_or_else(
        || (identity(raw), fingerprint(raw)),
        |(identity, fingerprint)| (identity.clone(), fingerprint.to_owned()),
    );
    let markup = |text: &RawText| safe_html(text, context.base).map(without_tracking_in);
    let content_html = raw.content.as_ref().and_then(markup);
    let summary_html = raw.summary.as_ref().and_then(markup);
    let title = title_of(raw);
    let summary = match summary_of(summary_html.as_deref(), content_html.as_deref()) {
        summary if title.is_empty() => {
            with_first_line(summary, summary_html.as_deref().or(content_html.as_deref()))
        }
        summary => summary,
    };
    let (language, language_confidence) = judged_language(raw, context, &title, &summary);
    Entry {
        id: entry_id(context.source, &identity),
        source: context.source.to_owned(),
        guid: raw.guid.clone().map(printable),
        identity,
        url: raw.url().map(public_address),
        same_as: same_as(raw),
        title,
        summary: printable(summary),
        image: picture(raw, [&content_html, &summary_html]),
        summary_html: summary_html
            .filter(|_| raw.summary.as_ref().is_some_and(|summary| summary.is_html))
            .map(printable),
        content_html: content_html.map(printable),
        language,
        language_confidence,
        published: raw.published,
        updated: raw.updated,
        authors: raw.authors.iter().map(person).collect(),
        tags: raw.tags.iter().map(|tag| in_line(tag)).collect(),
        enclosures: raw.enclosures.iter().map(enclosure).collect(),
        alternates: alternates(raw),
        provenance: raw.origin.as_ref().map(provenance),
        event: raw.event.clone().map(event),
        fingerprint,
    }
    .made_valid()
}

/// Maximum length of a title in characters: what is longer is a text, and each feed and page repeats it.
const TITLE_CHARS_MAX: usize = 1_000;

fn title_of(raw: &RawEntry) -> String {
    let title = without_tracking_in(raw.title.as_ref().map(plain).unwrap_or_default());
    let title = shorten(&in_line(&title), TITLE_CHARS_MAX);
    // Nobody could see it, nor choose its link.
    if title.chars().all(is_blank) { String::new() } else { title }
}

/// A text that stands in one line with words of others, which it must not turn round.
fn in_line(text: &str) -> String {
    printable(text.chars().filter(|c| !turns_direction(*c)).collect())
}

/// A text as safe HTML; `None` if nothing is left of it.
fn safe_html(text: &RawText, base: Option<&Url>) -> Option<String> {
    let html = match text.is_html {
        true => html::safe_html(&text.value, text.base.as_ref().or(base)),
        false => escape(&text.value),
    };
    Some(html).filter(|html| !html.trim().is_empty())
}

/// Other addresses of the same entry.
fn same_as(raw: &RawEntry) -> Vec<String> {
    let links = raw.links.iter().filter(|link| matches!(link.rel.as_str(), "canonical" | "via"));
    links.map(|link| public_address(&link.href)).collect()
}

fn person(author: &Person) -> Person {
    Person {
        name: author.name.as_deref().map(in_line),
        email: author.email.clone().map(printable),
        url: author.url.as_deref().map(public_address),
    }
}

fn enclosure(enclosure: &Enclosure) -> Enclosure {
    let mime_type = enclosure.mime_type.clone().map(printable);
    Enclosure { url: public_address(&enclosure.url), mime_type, ..enclosure.clone() }
}

fn event(event: Event) -> Event {
    let place = event.place.map(|place| in_line(&one_line(&place))).filter(|place| !place.is_empty());
    Event { place, ..event }
}

/// The picture of an entry: the one it names, else one that it encloses, else the first of its texts.
fn picture(raw: &RawEntry, texts: [&Option<String>; 2]) -> Option<Image> {
    let named = raw.image.as_ref().and_then(|image| {
        Some(Image { url: web_address(public_address(&image.url))?, alt: image.alt.clone().map(printable) })
    });
    named
        .or_else(|| enclosed_image(&raw.enclosures))
        .or_else(|| texts.into_iter().flatten().find_map(|html| first_image(html)))
}

/// The origin of an entry that its source republished.
fn provenance(origin: &Origin) -> Provenance {
    Provenance {
        title: origin.title.as_ref().map(|title| in_line(&plain(title))),
        url: origin.url.as_deref().map(public_address),
        feed_url: origin.feed_url.as_deref().map(public_address),
        id: origin.id.clone().map(printable),
    }
}

/// An address without redirectors, credentials and tracking parameters: none of them leaves courant.
fn public_address(address: &str) -> String {
    let behind = behind_redirect(address);
    without_credentials(&without_tracking(behind.as_deref().unwrap_or(address)))
}

/// The first enclosure that is a picture, by media type or file name.
fn enclosed_image(enclosures: &[Enclosure]) -> Option<Image> {
    let is_image = |enclosure: &&Enclosure| match enclosure.mime_type.as_deref() {
        Some(kind) if kind.contains('/') => kind.to_ascii_lowercase().starts_with("image/"),
        _ => has_image_name(&enclosure.url),
    };
    let found =
        enclosures.iter().filter(is_image).find_map(|enclosure| web_address(public_address(&enclosure.url)));
    found.map(|url| Image { url, alt: None })
}

fn has_image_name(address: &str) -> bool {
    let path = address.split(['?', '#']).next().unwrap_or(address).to_ascii_lowercase();
    [".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif"].iter().any(|end| path.ends_with(end))
}

/// The first picture in safe HTML, ignoring tracking pixels and emoji.
fn first_image(html: &str) -> Option<Image> {
    memchr::memmem::find_iter(html.as_bytes(), "<img ").find_map(|at| {
        let tag = &html[at..at + html[at..].find('>')?];
        let attribute =
            |name: &str| Some(attribute_of(tag, name)?.replace("&amp;", "&").replace("&quot;", "\""));
        let is_tiny = ["width", "height"].iter().any(|name| {
            attribute(name).and_then(|size| size.parse::<u32>().ok()).is_some_and(|size| size < 32)
        });
        let url = attribute("src").filter(|url| url.starts_with("http"))?;
        let is_sign = [
            "/emoji/",
            "/smilies/",
            "/smileys/",
            "pixel",
            "/stats",
            "feeds.feedburner.com/~",
            "gravatar.com/",
        ];
        if is_tiny || is_sign.iter().any(|sign| url.contains(sign)) {
            return None;
        }
        let alt = attribute("alt").map(printable).filter(|alt| !alt.is_empty());
        Some(Image { url: web_address(public_address(&url))?, alt })
    })
}

/// A text as plain text on one line.
pub fn plain(text: &RawText) -> String {
    if text.is_html { html::text_of_html(&text.value) } else { one_line(&text.value) }
}

/// The language declared by the entry, by its source, or by its address.
fn language(raw: &RawEntry, context: Context) -> Option<String> {
    let said = raw
        .language
        .as_deref()
        .or(context.language)
        .map(|language| language.trim().replace('_', "-"))
        .filter(|language| !language.is_empty());
    // Without a language detector, an address alone is too weak a hint.
    said.or_else(|| context.language_detector.and_then(|_| language_in_address(raw.url()?)))
}

fn alternates(raw: &RawEntry) -> Vec<Alternate> {
    let alternates = raw.links.iter().filter(|link| link.rel == "alternate");
    let alternate = |link: &Link| {
        let language = printable(link.hreflang.clone()?);
        Some(Alternate { language, url: public_address(&link.href) })
    };
    alternates.filter_map(alternate).collect()
}

/// Plain text as HTML.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_escaped(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::feed::Link;

    fn context() -> Context<'static> {
        Context { source: "s", language: Some("fr"), base: None, language_detector: None, listed: None }
    }

    fn text(value: &str, is_html: bool) -> Option<RawText> {
        Some(RawText { value: value.into(), is_html, ..RawText::default() })
    }

    fn link(href: &str) -> Link {
        Link { href: href.into(), rel: "alternate".into(), media_type: None, hreflang: None }
    }

    #[test]
    fn identity_is_guid_then_address_then_words_and_never_changes_between_reads() {
        let mut raw = RawEntry { title: text("Boletín 41", false), ..RawEntry::default() };
        assert!(matches!(identity(&raw), Identity::Content(_)));
        assert_eq!(identity(&raw), identity(&raw.clone()));
        raw.links.push(link("https://example.org/a/?utm_source=x"));
        assert_eq!(identity(&raw), Identity::Address("example.org/a".into()));
        raw.guid = Some(" tag:1 ".into());
        assert_eq!(identity(&raw), Identity::Guid("tag:1".into()));
    }

    #[test]
    fn an_edit_changes_the_fingerprint_and_not_the_id() {
        let before = RawEntry { guid: Some("1".into()), title: text("a", false), ..RawEntry::default() };
        let after = RawEntry { title: text("b", false), ..before.clone() };
        assert_ne!(fingerprint(&before), fingerprint(&after));
        let ids = [&before, &after].map(|raw| normalize(raw, context()).id);
        assert_eq!(ids[0], ids[1]);
        assert_eq!(ids[0].len(), 36);
    }

    #[test]
    fn an_address_that_would_run_something_is_none() {
        for address in [
            "javascript:alert(1)",
            " JavaScript:alert(1)",
            "java\tscript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "blob:x",
            "\u{1}javascript:alert(1)",
        ] {
            let raw = RawEntry {
                links: vec![link(address)],
                authors: vec![Person { url: Some(address.into()), ..Person::default() }],
                ..RawEntry::default()
            };
            let entry = normalize(&raw, context());
            assert_eq!((entry.url, &entry.authors[0].url), (None, &None), "{address:?}");
        }
    }

    #[test]
    fn a_picture_that_is_none_leaves_its_place_to_the_next() {
        for named in ["data:image/png;base64,x", "javascript:alert(1)", "mailto:a@x.org", "https:///i.png"] {
            let raw = RawEntry {
                image: Some(Image { url: named.into(), alt: None }),
                content: text("<p><img src=\"https://x.org/i.png\"></p>", true),
                ..RawEntry::default()
            };
            let found = normalize(&raw, context()).image.map(|image| image.url);
            assert_eq!(found.as_deref(), Some("https://x.org/i.png"), "{named}");
        }
    }

    #[test]
    fn what_stands_in_a_line_does_not_turn_it_round() {
        let author = Person { name: Some("Ann\u{202e}a".into()), ..Person::default() };
        let raw = RawEntry {
            title: text("On\u{2066}e", false),
            tags: vec!["op\u{202d}en".into()],
            authors: vec![author],
            ..RawEntry::default()
        };
        let entry = normalize(&raw, context());
        assert_eq!((entry.title.as_str(), &*entry.tags), ("One", &["open".to_owned()][..]));
        assert_eq!(entry.authors[0].name.as_deref(), Some("Anna"));
    }

    #[test]
    fn a_title_of_blanks_is_none_and_an_entry_without_one_is_called_by_its_first_block() {
        for title in ["&nbsp;", "&#8203;", " \u{a0}\u{200b} "] {
            for html in [
                "<p>📢 Travaux rue Haute</p><p>Du lundi au vendredi, de 9 h à 17 h.</p>",
                "📢 <b>Travaux</b> rue Haute<br>Du lundi au vendredi, de 9 h à 17 h.",
                "<ul><li>📢 Travaux rue Haute</li><li>Du lundi au vendredi</li></ul>",
                "<p><img src='https://x.org/a.jpg'> 📢 Travaux rue Haute</p>\n<div>Du lundi au vendredi</div>",
            ] {
                let raw =
                    RawEntry { title: text(title, true), content: text(html, true), ..RawEntry::default() };
                let entry = normalize(&raw, context());
                assert_eq!(
                    (entry.title.as_str(), &*entry.headline()),
                    ("", "📢 Travaux rue Haute"),
                    "{html}"
                );
            }
        }
    }

    #[test]
    fn plain_text_is_not_read_as_html() {
        let raw = RawEntry {
            title: text("1 < 2 & <b>3</b>", false),
            content: text("a <b> c", false),
            ..RawEntry::default()
        };
        let entry = normalize(&raw, context());
        assert_eq!(entry.title, "1 < 2 & <b>3</b>");
        assert_eq!(entry.content_html.as_deref(), Some("a &lt;b&gt; c"));
        assert_eq!(entry.summary, "a <b> c");
    }
}
