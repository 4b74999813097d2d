//! Takes out of a page what is around its article, before that is looked for: notices of cookies and consent, dialogs, the foot of
//! the page, and, around a short article, the menu. A short article says so little that its surroundings would be taken for it.

use std::collections::HashSet;

use ego_tree::NodeId;
use scraper::{ElementRef, Html};

use super::trim::detach;
use crate::extract::page::{selector, text_of};
use crate::extract::words;
use crate::support::text::fold;

/// Parts that the names of the boxes of consent managers begin with, whole names joined.
const NOTICES: [&str; 30] = [
    "tarteaucitron",
    "onetrust",
    "optanon",
    "cybotcookie",
    "cookiebot",
    "didomi",
    "axeptio",
    "cmplz",
    "complianz",
    "eucookie",
    "slidingpopup",
    "gdpr",
    "rgpd",
    "ccwindow",
    "ccbanner",
    "cookielaw",
    "cookieyes",
    "ckyconsent",
    "cookienotice",
    "cookiebanner",
    "cookieconsent",
    "cookiebar",
    "cookiepopup",
    "consentbanner",
    "iubendacs",
    "usercentrics",
    "klaro",
    "borlabscookie",
    "moovegdpr",
    "qccmp2",
];
/// Parts of the names of boxes that lie over a page.
const BOXES: [&str; 4] = ["modal", "popup", "overlay", "banner"];
/// A notice has no more text, in characters.
const NOTICE_CHARS_MAX: usize = 4_000;
/// One that has no name of its own is shorter.
const PLAIN_NOTICE_CHARS_MAX: usize = 600;
/// A shorter article is looked for without the menu of the page, in characters.
const SHORT_CHARS_MAX: usize = 700;
/// A lead has at least so many characters.
const LEAD_CHARS_MIN: usize = 40;

/// What a page has around its article.
const ALWAYS: &str =
    "footer, [role=contentinfo], dialog, [role=dialog], [role=alertdialog], [aria-modal=true]";
const AROUND_SHORT: &str =
    "nav, [role=navigation], [role=search], aside, header, [role=banner], .breadcrumb, .menu, .navbar";

/// Takes out what is around the article of a page.
pub(super) fn take_out(page: &mut Html) {
    move_leads_out_of_headers(page);
    let kept = kept(page);
    let mut out: Vec<NodeId> = Vec::new();
    let always = selector(ALWAYS);
    let is_outside = |element: &ElementRef| !kept.contains(&element.id());
    let is_foot_of_article =
        |element: &ElementRef| element.value().name() == "footer" && is_in_article(*element);
    out.extend(
        page.select(&always)
            .filter(|found| is_outside(found) && !is_foot_of_article(found))
            .map(|found| found.id()),
    );
    let elements = page.tree.root().descendants().filter_map(ElementRef::wrap);
    out.extend(elements.filter(|element| is_outside(element) && is_notice(*element)).map(|found| found.id()));
    if is_short(page) {
        let around = selector(AROUND_SHORT);
        out.extend(
            page.select(&around)
                .filter(|found| is_outside(found) && !is_in_article(*found))
                .map(|found| found.id()),
        );
    }
    out.into_iter().for_each(|id| detach(page, id));
}

/// What holds the main parts of the page, which is never taken out.
fn kept(page: &Html) -> HashSet<NodeId> {
    let main = selector("html, body, main, [role=main], article, h1, [itemprop=articleBody]");
    page.select(&main)
        .flat_map(|element| {
            std::iter::once(element.id()).chain(element.ancestors().map(|around| around.id()))
        })
        .collect()
}

fn is_in_article(element: ElementRef) -> bool {
    let mut around = element.ancestors().filter_map(ElementRef::wrap);
    around.any(|around| {
        matches!(around.value().name(), "article" | "main") || around.attr("role") == Some("main")
    })
}

/// Whether the main part of a page has little text.
fn is_short(page: &Html) -> bool {
    let first = |css: &str| page.select(&selector(css)).next();
    let main = first("article").or_else(|| first("main, [role=main]"));
    main.is_some_and(|main| text_of(main).chars().count() < SHORT_CHARS_MAX)
}

/// Whether an element is a notice of cookies or of consent, by its name, or by what it says and asks.
pub(in crate::extract) fn is_notice(element: ElementRef) -> bool {
    if !matches!(element.value().name(), "div" | "section" | "aside" | "form" | "p" | "span") {
        return false;
    }
    let names = || element.value().classes().chain(element.attr("id"));
    let joined = |name: &str| words::parts_of_name(name).concat();
    let is_of_manager = names().any(|name| {
        let name = joined(name);
        NOTICES.iter().any(|notice| name.starts_with(notice))
    });
    let is_named = || {
        let mut parts = names().flat_map(words::parts_of_name);
        parts.any(|part| matches!(part.as_str(), "cookie" | "cookies" | "consent")) && asks(element)
    };
    let text = text_of(element);
    let chars = text.chars().count();
    let is_box = || names().flat_map(words::parts_of_name).any(|part| BOXES.contains(&part.as_str()));
    let is_plain = || {
        chars <= PLAIN_NOTICE_CHARS_MAX
            && !is_in_article(element)
            && says_cookies(&text)
            && (asks(element) || is_box())
    };
    chars <= NOTICE_CHARS_MAX && (is_of_manager || is_named() || is_plain())
}

pub(in crate::extract) fn says_cookies(text: &str) -> bool {
    let text = fold(text);
    ["cookie", "куки", "ملفات تعريف الارتباط"].iter().any(|word| text.contains(&fold(word)))
}

/// Whether an element has something to press.
fn asks(element: ElementRef) -> bool {
    element
        .select(&selector(
            "button, input[type=button], input[type=submit], [role=button], a[class*=btn], a[class*=button]",
        ))
        .next()
        .is_some()
}

/// Leads stand in the header of an article, with its title, and are of its text.
fn move_leads_out_of_headers(page: &mut Html) {
    let headers = selector("article header, main header");
    let leads = |header: ElementRef| -> Vec<NodeId> {
        let paragraphs = header.children().filter_map(ElementRef::wrap);
        paragraphs
            .filter(|part| part.value().name() == "p" && text_of(*part).chars().count() >= LEAD_CHARS_MIN)
            .filter(|part| part.select(&selector("a[href], time")).next().is_none())
            .map(|part| part.id())
            .collect()
    };
    let found: Vec<(NodeId, Vec<NodeId>)> = page
        .select(&headers)
        .filter(|header| header.select(&selector("h1, h2")).next().is_some())
        .map(|header| (header.id(), leads(header)))
        .collect();
    for (header, leads) in found {
        for lead in leads.into_iter().rev() {
            if let Some(mut header) = page.tree.get_mut(header) {
                header.insert_id_after(lead);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(body: &str) -> String {
        let mut page = Html::parse_document(&format!("<html><body>{body}</body></html>"));
        take_out(&mut page);
        text_of(page.root_element())
    }

    const STORY: &str = "<article><h1>Ferry</h1><p>The ferry runs again from Monday on.</p></article>";

    #[test]
    fn notices_and_dialogs_are_no_part_of_a_page() {
        for notice in [
            "<div id=tarteaucitronRoot><p>This site uses cookies.</p></div>",
            "<div id=onetrust-banner-sdk><p>We value your privacy.</p></div>",
            "<div id=CybotCookiebotDialog><p>We value your privacy.</p></div>",
            "<div class='cc-window cc-banner'><p>This site uses cookies.</p></div>",
            "<div class=cmplz-cookiebanner><p>We value your privacy.</p></div>",
            "<div class=overlay role=dialog><p>Take part in our survey.</p></div>",
            "<div class=site-cookies><p>Nous utilisons des cookies.</p><button>OK</button></div>",
            "<div><p>Usamos cookies.</p><button>Aceptar</button></div>",
            "<div class=modal><p>Usamos cookies.</p></div>",
            "<footer><p>Town hall, 1 Main Street</p></footer>",
            "<nav><a href=/a>Town</a></nav>",
        ] {
            assert_eq!(
                left(&format!("{notice}{STORY}")),
                "Ferry The ferry runs again from Monday on.",
                "{notice}"
            );
            assert_eq!(
                left(&format!("{STORY}{notice}")),
                "Ferry The ferry runs again from Monday on.",
                "{notice}"
            );
        }
    }

    #[test]
    fn what_the_article_says_of_cookies_stays() {
        for article in [
            "<article class=gdpr><h1>Rules</h1><p>The rules are new.</p></article>",
            "<main><h1>Privacy</h1><div id=cookies><p>We use cookies to count visits.</p></div></main>",
            "<article><h1>Sweets</h1><p>Cookies are baked today.</p><footer>By Ana</footer></article>",
        ] {
            let page = Html::parse_document(article);
            assert_eq!(left(article), text_of(page.root_element()), "{article}");
        }
    }

    #[test]
    fn the_lead_in_a_header_is_of_the_text() {
        let lead = "The ferry runs again from Monday on, and takes bicycles with it.";
        let mut page = Html::parse_document(&format!(
            "<article><header><h1>Ferry</h1><p class=lead>{lead}</p></header><p>More.</p></article>"
        ));
        take_out(&mut page);
        assert!(page.html().contains(&format!("</header><p class=\"lead\">{lead}</p><p>More.</p>")));
    }
}
