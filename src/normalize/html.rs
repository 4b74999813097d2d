//! Safe HTML and plain text, by an allow-list (ammonia): anything not known to be harmless is removed.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;

use ammonia::{Builder, UrlRelative};
use url::Url;

use crate::model::address::without_tracking;
use crate::model::redirect::behind_redirect;
use crate::support::markup::{as_meant, parted};
use crate::support::pictures::{
    is_lazy, is_lazy_class, is_picture_address, is_placeholder, real_address, stands_for, widest,
};
use crate::support::text::{
    LineBuffer, attribute_of, bound_markup, is_blank, named_reference, one_line, shorten,
};

/// Maximum length of a summary written by the source, in characters; anything longer is the article itself.
pub const SUMMARY_CHARS_MAX: usize = 4000;
/// Maximum length of an excerpt taken from the content if there is no summary, in characters: two or three sentences.
pub const EXCERPT_CHARS_MAX: usize = 400;

/// Sanitises HTML. Building its tables costs more than sanitising a short text, so there is one per thread.
struct Sanitizer {
    builder: Builder<'static>,
    base: Option<Url>,
}

thread_local! {
    static SANITIZER: RefCell<Sanitizer> = RefCell::default();
}

/// Sanitises HTML; relative links are resolved against `base`, or dropped without one.
pub fn safe_html(html: &str, base: Option<&Url>) -> String {
    if !has_markup(html) {
        return html.to_owned();
    }
    SANITIZER.with_borrow_mut(|sanitizer| sanitizer.clean(html, base))
}

/// The plain text of untrusted HTML.
pub fn text_of_html(html: &str) -> String {
    if !has_markup(html) {
        return one_line(html);
    }
    text_of_safe_html(&safe_html(html, None))
}

/// Elements removed together with their content.
const CONTENTLESS: [&str; 14] = [
    "script",
    "style",
    "noscript",
    "iframe",
    "embed",
    "template",
    "textarea",
    "select",
    "svg",
    "title",
    "noembed",
    "noframes",
    "xmp",
    "plaintext",
];

impl Default for Sanitizer {
    fn default() -> Self {
        let mut builder = Builder::default();
        builder
            .link_rel(Some("noopener nofollow ugc"))
            .url_relative(UrlRelative::Deny)
            .add_tags(["audio", "picture", "source", "track", "video"])
            .add_tag_attributes("audio", ["controls", "src"])
            .add_tag_attributes("video", ["controls", "height", "poster", "src", "width"])
            .add_tag_attributes("source", ["src", "type"])
            .add_tag_attributes("img", ["loading"])
            .add_url_schemes(["data"])
            .clean_content_tags(HashSet::from(CONTENTLESS))
            .attribute_filter(safe_value);
        Sanitizer { builder, base: None }
    }
}

/// The value of an attribute as it may be shown; `None` for `data:` that is not a picture, and for what is no address where one
/// has to be.
fn safe_value<'a>(element: &str, attribute: &str, value: &'a str) -> Option<Cow<'a, str>> {
    if !matches!(attribute, "href" | "src" | "poster" | "cite") {
        return Some(Cow::Borrowed(value));
    }
    let is_data = value.trim_start().get(..5).is_some_and(|start| start.eq_ignore_ascii_case("data:"));
    if is_data {
        let is_picture = element == "img" && attribute == "src" && is_raster_data(value);
        return is_picture.then_some(()).and_then(|()| serialized(Cow::Borrowed(value)));
    }
    let value = match element == "a" && attribute == "href" && may_be_shorter(value) {
        true => Cow::Owned(own_address(value)),
        false => Cow::Borrowed(value),
    };
    // Where a quotation comes from is neither resolved nor checked by ammonia.
    let is_web = |url: &str| url.starts_with("http://") || url.starts_with("https://");
    serialized(value).filter(|url| attribute != "cite" || is_web(url))
}

/// An address as `Url` serialises it; one that is relative is resolved later, and so serialised then. `None` for what can be none.
fn serialized(value: Cow<'_, str>) -> Option<Cow<'_, str>> {
    match Url::parse(&value) {
        Ok(url) if url.as_str() == value => Some(value),
        Ok(url) => Some(Cow::Owned(url.into())),
        Err(url::ParseError::RelativeUrlWithoutBase) => Some(value),
        Err(_) => None,
    }
}

/// Whether a `data:` address is a raster picture; SVG is excluded, as it can contain scripts.
fn is_raster_data(value: &str) -> bool {
    let lower = value.trim_start().get(..24).unwrap_or(value).to_ascii_lowercase();
    ["png", "jpeg", "jpg", "gif", "webp", "avif"]
        .iter()
        .any(|kind| lower.starts_with(&format!("data:image/{kind};")))
}

impl Sanitizer {
    fn clean(&mut self, html: &str, base: Option<&Url>) -> String {
        if self.base.as_ref() != base {
            self.base = base.cloned();
            self.builder.url_relative(match base {
                Some(base) => UrlRelative::RewriteWithBase(base.clone()),
                None => UrlRelative::Deny,
            });
        }
        let html = mend_declarations(html);
        let html = as_meant(&html, is_counter);
        let html = real_pictures(&html);
        whole_addresses(self.builder.clean(&parted(&bound_markup(&html))).to_string())
    }
}

/// Joins the text of links that is an address in several pieces, as Mastodon writes it, where it has tracking parameters: these may
/// begin in one piece and end in another.
fn whole_addresses(html: String) -> String {
    if !html.contains("</span></a>") {
        return html;
    }
    let (mut out, mut rest) = (String::with_capacity(html.len()), html.as_str());
    while let Some(at) = rest.find("<a ") {
        let (before, link) = rest.split_at(at);
        out.push_str(before);
        let (open, end) = (link.find('>'), link.find("</a>"));
        let Some((open, end)) = open.zip(end).filter(|(open, end)| open < end) else {
            rest = link;
            break;
        };
        let inner = &link[open + 1..end];
        let address: String =
            inner.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
        let is_address = inner.starts_with('<')
            && (address.starts_with("https://") || address.starts_with("http://"))
            && !address.contains(char::is_whitespace);
        let plain = without_tracking(&address);
        out.push_str(&link[..=open]);
        out.push_str(if is_address && plain != address { &plain } else { inner });
        rest = &link[end..];
    }
    out + rest
}

/// Whether an address may have tracking parameters, or lead on to another one.
fn may_be_shorter(address: &str) -> bool {
    address.contains(['?', '#', ';', '&', '%']) || address.contains("/v3/__")
}

/// The final target of a link, without redirector and tracking parameters.
fn own_address(address: &str) -> String {
    let behind = behind_redirect(address);
    without_tracking(behind.as_deref().unwrap_or(address))
}

/// Parts of the addresses of pictures by which readers of feeds are counted, and of buttons that a feed service adds.
const COUNTERS: [&str; 24] = [
    "facebook.com/tr?",
    "://px.ads.linkedin.com/",
    "://analytics.twitter.com/",
    "://t.co/i/adsct",
    "://bat.bing.com/",
    "://ct.pinterest.com/",
    "://mc.yandex.ru/watch/",
    "://counter.yadro.ru/",
    ".xiti.com/",
    ".list-manage.com/track/",
    "://feeds.feedburner.com/~",
    "://feedproxy.google.com/~",
    "feedsportal.com/",
    "://pixel.",
    "://stats.wordpress.com/",
    "://feeds.wordpress.com/1.0/",
    "/piwik.php?",
    "/matomo.php?",
    "://www.google-analytics.com/",
    "://medium.com/_/stat?",
    "://c.statcounter.com/",
    ".quantserve.com/",
    ".scorecardresearch.com/",
    "://ad.doubleclick.net/",
];

/// Whether a tag is that of a picture which shows nothing but counts who reads: as small as a point, or known as such.
fn is_counter(tag: &str) -> bool {
    let is_image = tag.as_bytes().get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"<img"));
    if !is_image || !tag[4..].starts_with(|c: char| c.is_whitespace() || c == '/') {
        return false;
    }
    let tag = tag.to_ascii_lowercase();
    let src = attribute_of(&tag, "src").unwrap_or_default();
    // A picture that is loaded later has the size of what stands in its place.
    !is_lazy(|name| attribute_of(&tag, name)) && has_size_of_point(&tag)
        || COUNTERS.iter().any(|part| src.contains(part))
}

/// Whether a tag says of its picture that it is as small as a point.
fn has_size_of_point(tag: &str) -> bool {
    let tag = tag.to_ascii_lowercase();
    let style: String = attribute_of(&tag, "style").unwrap_or_default().split_whitespace().collect();
    let of_style = |side: &str| {
        style
            .split(';')
            .filter_map(|rule| rule.split_once(':'))
            .find(|(name, _)| *name == side)
            .map(|(_, value)| value)
    };
    let is_point =
        |size: &str| size.trim().trim_end_matches("px").parse::<f32>().is_ok_and(|size| size <= 1.0);
    let sides: Vec<bool> = ["width", "height"]
        .iter()
        .filter_map(|side| attribute_of(&tag, side).or_else(|| of_style(side)))
        .map(is_point)
        .collect();
    !sides.is_empty() && sides.iter().all(|is_point| *is_point)
}

/// How far before a picture the sources of its `picture` are looked for, in bytes.
const SOURCES_BYTES_MAX: usize = 4_000;

/// Gives lazily loaded pictures their real address, and replaces placeholders by the pictures given in `noscript`.
fn real_pictures(html: &str) -> Cow<'_, str> {
    let has = |word: &str| memchr::memmem::find(html.as_bytes(), word.as_bytes()).is_some();
    let may_be_later = ["data-", "data:image", "srcset", "<noscript", "lazy-src", "=\"#", "='#"];
    if !may_be_later.iter().any(|sign| has(sign)) {
        return Cow::Borrowed(html);
    }
    let (mut out, mut done, mut read) = (String::with_capacity(html.len()), 0, 0);
    for at in memchr::memmem::find_iter(html.as_bytes(), "<img") {
        if at < read {
            continue;
        }
        let Some(end) = html[at..].find('>').map(|end| at + end) else { break };
        let tag = &html[at..end];
        read = end;
        let own = attribute_of(tag, "src").map(str::trim);
        let is_shown = || own.is_some_and(is_picture_address);
        let real = real_address(|name| attribute_of(tag, name))
            .or_else(|| source_before(&html[..at]).filter(|_| !is_shown()));
        let is_lazy = || attribute_of(tag, "class").is_some_and(is_lazy_class);
        let is_kept = |real: &&str| {
            own.is_some_and(|own| own == *real || is_picture_address(own) && !stands_for(own, real))
                && !is_lazy()
        };
        let Some(real) = real.filter(|real| !is_kept(real)) else {
            // The address of the page itself is no picture.
            if own.is_some_and(|own| own.starts_with('#')) {
                out.push_str(&html[done..at]);
                done = end + 1;
            }
            continue;
        };
        out.push_str(&html[done..at]);
        out.push_str("<img src=\"");
        out.push_str(&real.replace('"', "%22"));
        out.push('"');
        if has_size_of_point(tag) {
            let alt = attribute_of(tag, "alt").unwrap_or_default();
            out.push_str(&format!(" alt=\"{}\"", alt.replace('"', "&quot;")));
            done = end;
            continue;
        }
        // Of two `src` attributes, the first one counts.
        out.push_str(&html[at + 4..end]);
        done = end;
    }
    let html = if done == 0 { Cow::Borrowed(html) } else { Cow::Owned(out + &html[done..]) };
    opened_noscripts(html)
}

/// The widest address of the sources in front of the picture of a `picture`.
fn source_before(before: &str) -> Option<&str> {
    let from = before.len().saturating_sub(SOURCES_BYTES_MAX);
    let from = (from..=before.len()).find(|at| before.is_char_boundary(*at))?;
    let (_, sources) =
        before[from..].rsplit_once("<picture").filter(|(_, rest)| !rest.contains("</picture"))?;
    let sets = sources
        .split("<source")
        .skip(1)
        .filter_map(|tag| attribute_of(tag, "data-srcset").or_else(|| attribute_of(tag, "srcset")));
    sets.filter_map(widest).find(|address| is_picture_address(address))
}

/// Whether what was written last is a picture that only keeps the place of the one behind it: where it begins.
fn placeholder_at_end(written: &str) -> Option<usize> {
    let text = written.trim_end().strip_suffix('>')?;
    let at = text.rfind('<').filter(|at| text[*at..].starts_with("<img"))?;
    let tag = &text[at..];
    let src = attribute_of(tag, "src").unwrap_or_default();
    let is_lazy = attribute_of(tag, "class").is_some_and(is_lazy_class);
    (!is_picture_address(src) || is_placeholder(src) || is_lazy).then_some(at)
}

/// Number of `noscript` elements that are looked into: the picture of each is looked for in all of the text.
const NOSCRIPTS_MAX: usize = 256;

/// Unwraps `noscript` elements whose picture occurs nowhere else; the others will be removed with their content, as a browser
/// shows only one of both.
fn opened_noscripts(html: Cow<'_, str>) -> Cow<'_, str> {
    if !html.contains("<noscript") {
        return html;
    }
    let (mut out, mut rest) = (String::with_capacity(html.len()), &html[..]);
    for _ in 0..NOSCRIPTS_MAX {
        let Some(at) = rest.find("<noscript") else { break };
        let Some((open, end)) =
            rest[at..].find('>').zip(rest[at..].find("</noscript>")).filter(|(open, end)| open < end)
        else {
            break;
        };
        let inner = &rest[at + open + 1..at + end];
        let src = inner.find("<img").and_then(|img| attribute_of(&inner[img..], "src"));
        out.push_str(&rest[..at]);
        let occurs_once =
            |src: &str| memchr::memmem::find_iter(html.as_bytes(), src.as_bytes()).nth(1).is_none();
        let is_shown = src.is_some_and(|src| is_picture_address(src) && occurs_once(src));
        if is_shown && !inner.find("<img").is_some_and(|img| is_counter(&inner[img..])) {
            if let Some(at) = placeholder_at_end(&out) {
                out.truncate(at);
            }
            out.push_str(inner);
        }
        rest = &rest[at + end + "</noscript>".len()..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn has_markup(html: &str) -> bool {
    memchr::memchr3(b'<', b'&', b'>', html.as_bytes()).is_some()
}

/// A browser would swallow the text after a malformed `<!` up to the next `>`, and the text after an unterminated comment up to
/// its end: the former is escaped as text, of the latter only the opening is removed.
fn mend_declarations(html: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    // One look from the end, instead of one from the start of each comment.
    let last_end = memchr::memmem::rfind(html.as_bytes(), b"-->");
    for at in memchr::memmem::find_iter(html.as_bytes(), "<!") {
        let ends = last_end.is_some_and(|end| end >= at + "<!--".len());
        if at < done || is_declaration(&html[at + 2..], ends) {
            continue;
        }
        out.push_str(&html[done..at]);
        done = at + 2;
        if html[done..].starts_with("--") {
            done = html[done..].find('>').map_or(html.len(), |end| done + end + 1);
        } else {
            out.push_str("&lt;!");
        }
    }
    if done == 0 {
        return Cow::Borrowed(html);
    }
    out.push_str(&html[done..]);
    Cow::Owned(out)
}

/// Whether what follows `<!` is a complete comment, if one `ends`, a marked section or a document type.
fn is_declaration(rest: &str, ends: bool) -> bool {
    match rest.strip_prefix("--") {
        Some(comment) => ends || comment.starts_with('>'),
        None => {
            rest.starts_with('[')
                || rest.as_bytes().get(..7).is_some_and(|word| word.eq_ignore_ascii_case(b"doctype"))
        }
    }
}

/// The plain text of HTML made by this module: well-formed, with few references. Blocks are separated by a space.
pub fn text_of_safe_html(html: &str) -> String {
    text_until(html, usize::MAX)
}

/// Elements whose text stands for a picture or a recording, or beside it.
const MEDIA_TEXTS: [&str; 3] = ["figcaption", "audio", "video"];

/// So many of them are looked at: an excerpt is short.
const MEDIA_TEXTS_MAX: usize = 16;

/// Safe HTML without the captions of pictures and what stands in place of recordings, if anything else is in it.
pub fn without_media_texts(html: &str) -> Cow<'_, str> {
    let (mut out, mut rest) = (String::new(), html);
    let start = |rest: &str| {
        let starts = MEDIA_TEXTS.iter().filter_map(|name| {
            let at = memchr::memmem::find_iter(rest.as_bytes(), &format!("<{name}"))
                .find(|at| rest[at + 1 + name.len()..].starts_with(['>', ' ']))?;
            Some((at, *name))
        });
        starts.min()
    };
    for _ in 0..MEDIA_TEXTS_MAX {
        let Some((at, name)) = start(rest) else { break };
        let end = format!("</{name}>");
        let Some(length) = rest[at..].find(&end) else { break };
        out.push_str(&rest[..at]);
        rest = &rest[at + length + end.len()..];
    }
    if out.is_empty() && rest.len() == html.len() {
        return Cow::Borrowed(html);
    }
    out.push_str(rest);
    if text_of_safe_html(&out).is_empty() { Cow::Borrowed(html) } else { Cow::Owned(out) }
}

/// The start of the plain text of safe HTML, cut like `shorten`; the rest of a long article is not read.
pub fn start_of_safe_html(html: &str, chars_max: usize) -> String {
    shorten(&text_until(html, chars_max), chars_max)
}

/// Elements that are part of a line of text.
const INLINE: [&str; 21] = [
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "del", "dfn", "em", "i", "ins", "kbd", "mark", "q", "s",
    "small", "span", "strong", "sub", "sup",
];

/// The plain text of the first paragraph, heading, item or line of safe HTML that has any.
pub fn first_block(html: &str) -> String {
    const BESIDE_TEXT: [&str; 3] = ["img", "picture", "wbr"];
    let ends = memchr::memchr_iter(b'<', html.as_bytes()).filter(|at| {
        let name = html[at + 1..].trim_start_matches('/');
        let name = &name[..name.bytes().take_while(u8::is_ascii_alphanumeric).count()];
        !INLINE.contains(&name) && !BESIDE_TEXT.contains(&name)
    });
    let mut from = 0;
    for end in ends.take(BLOCKS_MAX) {
        let text = text_until(&html[from..end], SUMMARY_CHARS_MAX);
        if text.chars().any(|c| !is_blank(c)) {
            return text;
        }
        from = end;
    }
    text_until(&html[from..], SUMMARY_CHARS_MAX)
}

/// So many empty blocks are passed over before the first one with text.
const BLOCKS_MAX: usize = 64;

/// The plain text of safe HTML, up to the piece that exceeds this number of characters.
fn text_until(html: &str, chars_max: usize) -> String {
    let mut out = LineBuffer::default();
    let (mut counted, mut chars) = (0, 0);
    let mut rest = html;
    while let Some(at) = memchr::memchr2(b'<', b'&', rest.as_bytes()) {
        out.push(&rest[..at]);
        chars += out.text[counted..].chars().count();
        counted = out.text.len();
        if chars > chars_max {
            return out.text;
        }
        rest = &rest[at..];
        if let Some(tag) = rest.strip_prefix('<') {
            let end = memchr::memchr(b'>', tag.as_bytes()).unwrap_or(tag.len());
            let name = tag.trim_start_matches('/');
            let length = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
            if !INLINE.contains(&&name[..length]) {
                out.push(" ");
            }
            rest = tag.get(end + 1..).unwrap_or("");
        } else {
            let end = rest.bytes().take(REFERENCE_BYTES_MAX).position(|byte| byte == b';');
            let text = end.and_then(|end| referred(&rest[1..end]));
            out.push(text.as_deref().unwrap_or("&"));
            rest = if text.is_some() { &rest[end.map_or(1, |end| end + 1)..] } else { &rest[1..] };
        }
    }
    out.push(rest);
    out.text
}

/// Maximum length of a reference, including ampersand and semicolon, in bytes.
const REFERENCE_BYTES_MAX: usize = 12;

/// The text of a named reference, without a look-up for those that ammonia writes.
fn referred(name: &str) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(match name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "nbsp" => "\u{A0}",
        _ => return named_reference(name).map(Cow::Owned),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_active_survives() {
        let base = Url::parse("https://example.org/a/").unwrap();
        for evil in [
            "<script>alert(1)</script>x",
            "<p onclick=\"alert(1)\">x</p>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "<a href=\" java\nscript:alert(1)\">x</a>",
            "<img src=\"data:image/svg+xml;base64,PHN2Zz4=\">x",
            "<a href=\"data:text/html,<script>alert(1)</script>\">x</a>",
            "<svg><script>alert(1)</script></svg>x",
            "<math><a xlink:href=\"javascript:alert(1)\">y</a></math>x",
            "<p style=\"background:url(javascript:alert(1))\">x</p>",
            "<meta http-equiv=refresh content=\"0;url=javascript:alert(1)\">x",
            "<form action=\"https://evil.example\"><input name=a>x</form>",
            "<iframe src=\"https://evil.example\"></iframe>x",
            "<base href=\"https://evil.example\">x",
            "<iframe src=\"https://evil.example\"/>x<script>alert(1)</script>",
            "<style/>x<style>*{}</style>",
            "<script src=\"https://evil.example\"/>x",
            "x<noscript/><p title=\"</noscript><svg onload=alert(1)>\">x</p>",
            "x<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;svg onload=alert(1)&gt;\">x",
            "<math><annotation-xml encoding=\"text/html\"><script>alert(1)</script></annotation-xml></math>x",
            "<title/><svg><style><img src=a></style></svg>x",
            "x<form><math><mtext></form><form><mglyph><style></math>x</style></form>x",
        ] {
            let clean = safe_html(evil, Some(&base));
            let lower = clean.to_lowercase();
            for word in [
                "script",
                "onclick",
                "svg",
                "<math",
                "style",
                "http-equiv",
                "<form",
                "<input",
                "iframe",
                "<base",
                "data:",
            ] {
                assert!(!lower.contains(word), "{evil} left {clean}");
            }
            assert!(clean.contains('x'), "{evil} lost its text: {clean}");
        }
    }

    #[test]
    fn what_was_meant_to_be_empty_takes_nothing_with_it_and_formulas_are_text() {
        for name in [
            "iframe", "script", "style", "textarea", "title", "noembed", "noframes", "xmp", "select",
            "noscript",
        ] {
            let html = format!("a <{name} src=\"https://x.org/v\"/> b <em>c</em>");
            assert_eq!(safe_html(&html, None), "a  b <em>c</em>", "{name}");
        }
        assert_eq!(safe_html("<math><mi>a</mi><mo>&lt;</mo><mi>b</mi></math>", None), "a&lt;b");
    }

    #[test]
    fn a_picture_that_counts_readers_is_no_content() {
        for counter in [
            "<img src='https://x.org/p' width='1' height='1'>",
            "<IMG SRC=https://x.org/p HEIGHT=1 />",
            "<img\nsrc='https://x.org/p' style='width: 1px; height:0'/>",
            "<img src='http://feeds.feedburner.com/~r/x/~4/z'>",
            "<img alt='' src='https://pixel.wp.com/b.gif?blog=1'>",
            "<img src='https://www.facebook.com/tr?id=1&amp;ev=PageView'>",
            "<img src='#'>",
        ] {
            assert_eq!(safe_html(&format!("a{counter}<b>b</b>"), None), "a<b>b</b>", "{counter}");
        }
        for picture in [
            "<img src='data:image/gif;base64,R0lGOD' data-src='https://x.org/p.jpg' width='1' height='1'>",
            "<img src='https://x.org/p.jpg' width='1' height='300'>",
            "<img src='https://x.org/p.jpg' width='100%'>",
        ] {
            assert!(safe_html(picture, None).contains("p.jpg"), "{picture}");
        }
        let later = "<img src='https://x.org/spacer.gif' width='1' height='1' alt='A' data-src='https://x.org/p.jpg'>";
        assert_eq!(safe_html(later, None), "<img src=\"https://x.org/p.jpg\" alt=\"A\">");
    }

    #[test]
    fn captions_and_what_stands_for_a_recording_are_no_excerpt() {
        let html = "<figure><img src=\"a\"><figcaption>Photo: <b>x</b></figcaption></figure><audio controls=\"\"><a href=\"b\">b</a></audio><p>Text</p>";
        assert_eq!(text_of_safe_html(&without_media_texts(html)), "Text");
        for kept in ["<figure><figcaption>Alone</figcaption></figure>", "<p>a</p>", "<figcaption>open"] {
            assert_eq!(without_media_texts(kept), kept);
        }
    }

    #[test]
    fn links_become_absolute_and_carry_rel() {
        let base = Url::parse("https://example.org/a/").unwrap();
        let pieces = "<a href=\"https://x.org/a\"><span class=\"invisible\">https://</span><span>x.org/a?utm_</span><span class=\"invisible\">source=m&amp;b=2</span></a>!";
        assert!(safe_html(pieces, None).ends_with(">https://x.org/a?b=2</a>!"));
        let clean = safe_html("<a href=\"../b\">b</a><img src=\"c.png\" alt=\"c\">", Some(&base));
        assert_eq!(
            clean,
            "<a href=\"https://example.org/b\" rel=\"noopener nofollow ugc\">b</a><img src=\"https://example.org/a/c.png\" alt=\"c\">"
        );
    }

    #[test]
    fn addresses_leave_as_they_are_serialised_or_not_at_all() {
        let base = Url::parse("https://example.org/a/").unwrap();
        for (address, whole) in [
            ("https://x.org/a b'c|é\u{1}^`{}", "https://x.org/a%20b'c|%C3%A9%01^%60%7B%7D"),
            ("  https://X.org ", "https://x.org/"),
            ("HTTP:\\\\é.org\\a", "http://xn--9ca.org/a"),
            ("b c?d=\u{e9}", "https://example.org/a/b%20c?d=%C3%A9"),
            ("//x.org/\u{fffe}", "https://x.org/%EF%BF%BE"),
            ("https://x.org/?q=a b&lt;&quot;", "https://x.org/?q=a%20b%3C%22"),
        ] {
            let html = safe_html(
                &format!(
                    "<a href=\"{address}\">t</a><img src=\"{address}\"><video poster=\"{address}\"></video>"
                ),
                Some(&base),
            );
            assert!(html.contains(&format!("href=\"{whole}\"")), "{address}: {html}");
            assert!(html.contains(&format!("src=\"{whole}\"")), "{address}: {html}");
            assert!(html.contains(&format!("poster=\"{whole}\"")), "{address}: {html}");
        }
        for none in ["https://x y/", "http://[1", "https://x.org:99999/", "http://"] {
            let html =
                safe_html(&format!("<p><a href=\"{none}\">words</a><img src=\"{none}\">"), Some(&base));
            assert!(html.contains(">words</a>") && !html.contains("href") && !html.contains("src"), "{html}");
        }
        let quote =
            |from: &str| safe_html(&format!("<blockquote cite=\"{from}\">q</blockquote>"), Some(&base));
        assert_eq!(quote("https://x.org/a b"), "<blockquote cite=\"https://x.org/a%20b\">q</blockquote>");
        for none in ["javascript:alert(1)", "a b", "http://["] {
            assert_eq!(quote(none), "<blockquote>q</blockquote>");
        }
    }

    #[test]
    fn pictures_that_a_script_would_load_are_loaded() {
        for html in [
            "<img src=\"data:image/gif;base64,R0lGOD\" data-lazy-src=\"https://x.org/a.jpg\"><noscript><img src=\"https://x.org/a.jpg\"></noscript>",
            "<img data-src='https://x.org/a.jpg'>",
            "<img src='#' data-src='https://x.org/a.jpg'>",
            "<img src='https://x.org/blank.gif' nitro-lazy-src='https://x.org/a.jpg'>",
            "<img src='https://x.org/blank.gif' data-original='https://x.org/a.jpg'>",
            "<img src='https://x.org/preload.svg' data-lazy-srcset='https://x.org/b.jpg 300w, https://x.org/a.jpg 600w'><noscript><img src='https://x.org/a.jpg'></noscript>",
            "<img src='data:image/gif;base64,R0lGOD' srcset='https://x.org/b.jpg 300w, https://x.org/a.jpg 600w'>",
            "<noscript><img src='https://x.org/a.jpg'></noscript>",
            "<img src='https://x.org/grey.gif' data-original='https://x.org/a.jpg'>",
            "<img class=lazyload src='https://x.org/thumb.jpg' data-src='https://x.org/a.jpg'>",
            "<img class=lazy src='https://x.org/grey.gif'><noscript><img src='https://x.org/a.jpg'></noscript>",
            "<img src='data:image/gif;base64,R0lGOD'><noscript><img src='https://x.org/a.jpg'></noscript>",
            "<picture><source data-srcset='https://x.org/b.jpg 1x, https://x.org/a.jpg 2x'><img src='data:image/gif;base64,R0lGOD'></picture>",
            "<img src='https://x.org/a.jpg'><noscript><img src='https://x.org/count' width=1 height=1></noscript>",
        ] {
            assert!(!safe_html(html, None).contains("data:"), "{html}");
            assert_eq!(safe_html(html, None).matches("<img").count(), 1, "{html}");
            assert_eq!(safe_html(html, None).matches("src=\"https://x.org/a.jpg\"").count(), 1, "{html}");
        }
        let plain = "<img src=\"https://x.org/a.jpg\" data-src=\"https://x.org/b.jpg\">";
        assert!(safe_html(plain, None).contains("a.jpg"), "a real address stays");
    }

    #[test]
    fn links_lead_where_they_lead_in_the_end() {
        let html = "<a href=\"https://www.google.com/url?q=https://x.org/a&amp;sa=D\">a</a><a href=\"https://x.org/b?utm_source=n&amp;id=1\">b</a>";
        let clean = safe_html(html, None);
        assert!(
            clean.contains("href=\"https://x.org/a\"") && clean.contains("href=\"https://x.org/b?id=1\""),
            "{clean}"
        );
    }

    #[test]
    fn texts_full_of_references_are_written_as_others_are() {
        let alone = Sanitizer::default();
        for unit in
            ["&", "&amp;</b>", "«&nbsp;", "<table>&<tr>&", "<b>&<p>&</b>", "<ul>&laquo;<li>", "<math>&<mi>"]
        {
            let html = unit.repeat(5000);
            assert!(parted(&html).len() > html.len(), "{unit}");
            let bounded = bound_markup(&html);
            let meant = as_meant(&bounded, |_| false);
            assert!(safe_html(&html, None) == alone.builder.clean(&meant).to_string(), "{unit}");
        }
    }

    #[test]
    fn marks_without_an_end_take_nothing_with_them() {
        assert_eq!(safe_html("a <!-- b --> c <!-- d", None), "a  c ");
        assert_eq!(safe_html("a <!-- b <!-- c --> d <!--> e", None), "a  d  e");
    }

    #[test]
    fn text_keeps_words_apart_and_typography_whole() {
        assert_eq!(text_of_html("<p>Un</p><p>deux&nbsp;: <b>tr</b>ois</p>"), "Un deux\u{A0}: trois");
        assert_eq!(text_of_html("a &amp;lt; b <!' c"), "a &lt; b <!' c");
        assert_eq!(text_of_html("AT&T  and\nmore"), "AT&T and more");
    }

    #[test]
    fn the_start_of_a_text_is_the_whole_cut() {
        let html =
            "<p>Un&nbsp;<b>dé</b>but &amp; <em>deux</em></p><ul><li>trois</li> <li>qua&lt;tre</li></ul>"
                .repeat(3);
        let whole = text_of_safe_html(&html);
        for chars_max in 0..=whole.chars().count() + 1 {
            assert_eq!(start_of_safe_html(&html, chars_max), shorten(&whole, chars_max), "{chars_max}");
        }
    }
}
