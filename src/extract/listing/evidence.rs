//! Whether records that are alike are a listing of news: by what each says of itself, and, where they have no dates, by what the
//! page, its headings, its markup and its addresses call them.

use std::collections::HashSet;

use ego_tree::NodeId;
use scraper::ElementRef;
use url::Url;

use super::cards::{Card, elements_of, is_heading_link, is_of_days};
use super::headings::{self, Heading, RecordContext};
use super::kinds::{self, RecordKind, is_own_path, names_news};
use super::links::is_call;
use super::otherwise;
use super::unread;
use crate::extract::page::dates::DATE_CHARS_MAX;
use crate::extract::page::{Page, is_longer, selector, text_of, text_within};
use crate::extract::prose_date::is_date_only;
use crate::extract::words;
use crate::model::address::canonical_key;
use crate::model::feed::RawEntry;

/// With fewer records, each must say all of itself.
const RECORDS_MIN: usize = 3;
/// Bare links are not a listing, unless at least this many lead to pages below this one.
const BARE_LINKS_MIN: usize = 5;
/// Titles of so many words on average are labels, and headlines.
const LABEL_WORDS_MAX: usize = 2;
const HEADLINE_WORDS_MIN: usize = 5;
/// The title of a section has at most so many words.
const SECTION_WORDS_MAX: usize = 3;
/// A title that says that a page was not found is short, in characters.
const GONE_CHARS_MAX: usize = 90;
/// A link among so many more characters of its paragraph is part of the text.
const PROSE_CHARS_MIN: usize = 25;

/// A lone record with more text is an article, in characters.
const CARD_CHARS_MAX: usize = 1_200;

/// One in so many records has a date.
const DATED_SHARE: usize = 3;
const NEWEST_SHARE: usize = 6;
/// A single known address may stand anywhere.
const KNOWN_MIN: usize = 2;

/// Why records are no listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListingDoubt {
    /// The page stands in place of another one.
    Gone,
    Few,
    Undated,
    /// The page answers a search.
    Results,
    /// The page is an article, and names others.
    BesideArticle,
    /// A login, printing, the way home, the site's profiles elsewhere.
    Tools,
    /// Holidays, opening hours, quotations, comments: what has days and is no news.
    NoNews,
}

impl ListingDoubt {
    /// What the records are instead, after "which are".
    pub(super) fn words(self) -> &'static str {
        match self {
            ListingDoubt::Gone => "what a site suggests in place of a page that it does not have",
            ListingDoubt::Few => "too few, or a menu",
            ListingDoubt::BesideArticle => "what an article has beside it",
            ListingDoubt::NoNews => "dated, and called something else than news",
            ListingDoubt::Tools => {
                "what a site has beside its pages, such as a login, printing or its profiles"
            }
            ListingDoubt::Results => "undated, and what a search found",
            ListingDoubt::Undated => "undated, and nothing on the page calls them news",
        }
    }
}

/// Whether similar records are a listing: at least three that say more than a menu does, and are dated or called news; if fewer,
/// or in a menu or notice, each needs a heading of its own and a date.
pub(super) fn doubt(
    page: &Page,
    cards: &[Card],
    entries: &[RawEntry],
    is_aside: bool,
    is_agenda: bool,
) -> Option<ListingDoubt> {
    if is_gone(page) {
        return Some(ListingDoubt::Gone);
    }
    if is_article_page(page, cards) {
        return Some(ListingDoubt::BesideArticle);
    }
    if otherwise::are_called_otherwise(page, cards, entries) || most(cards, is_of_another_age) {
        return Some(ListingDoubt::NoNews);
    }
    if entries.len() < RECORDS_MIN || is_aside {
        let is_full = |card: &Card| {
            has_headline(card) && card.has_date() && !is_article_of_page(card) && !is_in_dialog(card)
        };
        return (cards.is_empty() || !cards.iter().all(is_full)).then_some(ListingDoubt::Few);
    }
    let words: usize = titles(entries).map(words::count).sum();
    let is_rich = most(cards, says_more);
    let is_long = || entries.len() >= BARE_LINKS_MIN && is_below_page(page, cards);
    let says_enough = is_rich || words >= entries.len() * 3 || is_long();
    if !says_enough {
        return Some(ListingDoubt::Few);
    }
    if is_dated(cards, entries, is_rich) || is_agenda && most(cards, |card| card.has_date()) {
        return None;
    }
    if is_search(page) {
        return Some(ListingDoubt::Results);
    }
    // What is asked and told on a board is what its page is read for, dated or not.
    let is_listing = is_called_news(page, cards, entries, is_rich) && is_in_main(page, cards)
        || cards.iter().all(kinds::is_topic);
    (!is_listing).then_some(ListingDoubt::Undated)
}

/// Whether a record has a heading that tells something, and not only of what kind it is: "Newsletter" above one link.
fn has_headline(card: &Card) -> bool {
    card.heading().is_some_and(|heading| !words::is_of_news(&words::plain(&text_of(heading))))
}

/// An article of its own has at least so much text, in characters, in so many paragraphs; a title of one has so many words.
const ARTICLE_CHARS_MIN: usize = 300;
const ARTICLE_PARAGRAPHS_MIN: usize = 2;
const ARTICLE_TITLE_WORDS_MIN: usize = 3;

/// Whether a page is an article, by its title and by a long text that is no record: what else it links to is beside it. The text is
/// in an `article`, or else the page is in one directory with what it links to.
fn is_article_page(page: &Page, cards: &[Card]) -> bool {
    let first =
        |css: &str| page.html().select(&selector(css)).next().map(|found| words::plain(&text_of(found)));
    let (title, heading) = (first("title").unwrap_or_default(), first("h1").unwrap_or_default());
    let last =
        page.base().and_then(Url::path_segments).and_then(|mut parts| parts.rfind(|part| !part.is_empty()));
    if words::count(&heading) < ARTICLE_TITLE_WORDS_MIN
        || !title.starts_with(&heading)
        || is_titled_news(page)
        || last.is_some_and(names_news)
    {
        return false;
    }
    let records: HashSet<NodeId> = cards.iter().map(|card| card.record.id()).collect();
    let around: HashSet<NodeId> =
        cards.iter().flat_map(|card| card.record.ancestors()).map(|around| around.id()).collect();
    let has_record = |text: ElementRef| records.contains(&text.id()) || around.contains(&text.id());
    let is_in_record = |text: ElementRef| text.ancestors().any(|around| records.contains(&around.id()));
    let is_long = |paragraphs: &mut dyn Iterator<Item = ElementRef>| {
        let texts = paragraphs.map(text_of).map(|text| text.chars().count());
        let texts: Vec<usize> = texts.filter(|chars| *chars > 0).collect();
        texts.len() >= ARTICLE_PARAGRAPHS_MIN && texts.iter().sum::<usize>() >= ARTICLE_CHARS_MIN
    };
    let (paragraphs, articles) = (selector("p"), selector("article"));
    page.html()
        .select(&articles)
        .any(|article| !has_record(article) && is_long(&mut article.select(&paragraphs)))
        || is_beside_page(page, cards)
            && page.html().select(&selector("div, section, main, td")).any(|text| {
                let own = text.children().filter_map(ElementRef::wrap);
                is_long(&mut own.filter(|child| child.value().name() == "p")) && !is_in_record(text)
            })
}

/// Whether records are in the directory of the page itself, below the front page, as one article is beside the other.
fn is_beside_page(page: &Page, cards: &[Card]) -> bool {
    let directory =
        |url: &Url| url.path().trim_end_matches('/').rsplit_once('/').map(|(above, _)| above.to_owned());
    let own = page.base().and_then(directory).filter(|own| !own.is_empty());
    let is_beside =
        |card: &Card| own.is_some() && Url::parse(&card.href).ok().as_ref().and_then(directory) == own;
    most(cards, is_beside) && page.base().is_some_and(|base| base.query().is_none())
}

/// The last year before there were pages that could tell news.
const LAST_YEAR_WITHOUT_PAGES: i16 = 1990;

/// Whether a record has a day, or a year, on which nothing was published on a page: it tells of history.
fn is_of_another_age(card: &Card) -> bool {
    let says_so = |element: ElementRef| {
        let text = text_within(element, DATE_CHARS_MAX)?;
        let (rest, year) = text.rsplit_once(' ').unwrap_or(("", &text));
        let year: i16 = year.parse().ok().filter(|_| year.len() == 4)?;
        let is_date = rest.is_empty() || is_date_only(rest);
        (is_date && (1000..=LAST_YEAR_WITHOUT_PAGES).contains(&year)).then_some(())
    };
    elements_of(card.record).any(|element| says_so(element).is_some())
}

/// The first part of the title of a page, before the name of the site.
pub(super) fn own_part(title: &str) -> &str {
    let joints = [" - ", " – ", " — ", " | ", " · ", " « ", " : "];
    let parts = joints.iter().filter_map(|joint| title.split_once(joint)).map(|(own, _)| own);
    parts.min_by_key(|own| own.len()).unwrap_or(title)
}

/// Whether a record is in a dialog, as notices of cookies are.
fn is_in_dialog(card: &Card) -> bool {
    let around = std::iter::once(card.record).chain(card.record.ancestors().filter_map(ElementRef::wrap));
    around.into_iter().any(|around| {
        around.value().name() == "dialog"
            || around.attr("role").is_some_and(|role| matches!(role, "dialog" | "alertdialog"))
    })
}

/// With so many dated entries, and half of all dated, those without a date are looked at again.
const DATED_MIN: usize = 3;
/// Words of a title that is a label in a menu.
const MENU_WORDS_MAX: usize = 2;

/// Leaves out what stands beside the entries of a dated list without being one: labels of a menu, an offer to subscribe.
pub(super) fn without_strays(entries: &mut Vec<RawEntry>) {
    let is_dated =
        |entry: &RawEntry| entry.published.is_some() || entry.event.is_some() || entry.updated.is_some();
    let dated = entries.iter().filter(|entry| is_dated(entry)).count();
    if dated < DATED_MIN || dated * 2 < entries.len() {
        return;
    }
    let is_stray = |entry: &RawEntry| {
        let title = entry.title.as_ref().map_or("", |title| title.value.as_str());
        let is_label =
            words::count(title) <= MENU_WORDS_MAX && entry.summary.is_none() && entry.image.is_none();
        is_label || words::after("subscribe", &words::plain(title)).is_some()
    };
    entries.retain(|entry| is_dated(entry) || !is_stray(entry));
}

/// Whether records of any number are called news, or are featured and dated.
pub(super) fn are_news(page: &Page, cards: &[Card], entries: &[RawEntry]) -> bool {
    let is_dated = |entry: &RawEntry| entry.published.is_some() || entry.event.is_some();
    let are_featured = || {
        entries.iter().all(is_dated)
            && headings::above(page, cards).first().is_some_and(RecordContext::is_featured)
    };
    (is_called_news(page, cards, entries, most(cards, says_more)) || are_featured())
        && is_in_main(page, cards)
}

/// Whether something calls undated records news: themselves, their list, the heading above them, or the page, if nothing of
/// another meaning stands between.
fn is_called_news(page: &Page, cards: &[Card], entries: &[RawEntry], is_rich: bool) -> bool {
    if are_sections(entries) || most(cards, otherwise::is_archive_of_year) {
        return false;
    }
    let are_others =
        most(cards, |card| kinds::kind_of(card) == Some(RecordKind::Other) || kinds::is_offer(card));
    let is_short = || are_labels(cards, entries);
    if most(cards, |card| kinds::is_called_news(page, card)) && !(is_below_page(page, cards) && is_short()) {
        return true;
    }
    if most(cards, is_contact) {
        return false;
    }
    let above = headings::above(page, cards);
    if above.first().is_some_and(|above| above.is_news() && !(are_others && is_of_page(above))) {
        return true;
    }
    // Bare links under a heading of their own are what that says.
    let is_of_page = || match is_rich {
        true => above.iter().filter(|above| above.is_apart()).count() * 2 < above.len(),
        false => {
            !most(cards, |card| is_own_path(page, &card.href)) && !above.iter().any(RecordContext::is_apart)
        }
    };
    let calls_them_news = || {
        is_page_of_news(page)
            || most(cards, |card| kinds::news_list(card).is_some())
            || most(cards, kinds::is_post) && are_headlines(entries)
            || is_below_page(page, cards) && (page.has_own_feed() || cards.iter().all(is_counted))
    };
    !are_others && calls_them_news() && is_of_page() && !is_menu_again(page, cards)
}

fn is_of_page(above: &RecordContext) -> bool {
    above.heading.as_ref().is_some_and(Heading::is_of_page)
}

pub(super) fn titles(entries: &[RawEntry]) -> impl Iterator<Item = &str> {
    entries.iter().filter_map(|entry| entry.title.as_ref()).map(|title| title.value.as_str())
}

/// Whether entries are the sections of a part of a site: contacts, pictures, where to subscribe.
fn are_sections(entries: &[RawEntry]) -> bool {
    let is_section = |title: &&str| {
        let plain = words::plain(title);
        let follows = words::after("section", &plain);
        // An issue or a year makes it one of several of its kind.
        let is_short = plain.split_whitespace().count() <= SECTION_WORDS_MAX
            && !plain.contains(|c: char| c.is_numeric());
        follows.is_some_and(|rest| rest.is_empty() || is_short) || words::is_of_news(&plain)
    };
    // What all are called alike is a column, not a section: "Flash info".
    let is_one_title = titles(entries).all(|title| titles(entries).next() == Some(title));
    !is_one_title && titles(entries).filter(is_section).count() * 2 >= entries.len()
}

/// Whether the titles of entries are labels of a word or two, as their addresses are, and not headlines.
fn are_labels(cards: &[Card], entries: &[RawEntry]) -> bool {
    let words: usize = titles(entries).map(words::count).sum();
    let is_slug = |card: &Card| {
        let path = card.href.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let last = path.rsplit('/').next().unwrap_or_default();
        last.matches(['-', '_']).count() >= 2 || last.contains(|c: char| c.is_ascii_digit())
    };
    words <= entries.len() * LABEL_WORDS_MAX && !most(cards, is_slug)
}

/// Whether the titles of entries are as long as headlines are.
fn are_headlines(entries: &[RawEntry]) -> bool {
    titles(entries).map(words::count).sum::<usize>() >= entries.len() * HEADLINE_WORDS_MIN
}

/// Whether a record is called what the entries behind it have in common, with their number: "Works (3)".
fn is_counted(card: &Card) -> bool {
    card.anchors.iter().any(|(_, text)| {
        let count = text.trim().strip_suffix(')').and_then(|text| text.rsplit_once(" ("));
        count.is_some_and(|(_, count)| !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// Whether records are on pages below this one.
fn is_below_page(page: &Page, cards: &[Card]) -> bool {
    page.base().is_some_and(|base| cards.iter().all(|card| is_below(&card.href, base)))
}

/// Whether so many of the entries are known of the page that it was only laid out anew.
pub(super) fn are_known(entries: &[RawEntry], known: &HashSet<String>) -> bool {
    let is_known =
        |entry: &&RawEntry| entry.url().and_then(canonical_key).is_some_and(|key| known.contains(&key));
    let count = entries.iter().filter(is_known).count();
    count >= KNOWN_MIN && count * 3 >= entries.len()
}

/// Whether enough records have a date, or what looks like one in a language that we do not read. When something was changed last,
/// services say too.
fn is_dated(cards: &[Card], entries: &[RawEntry], is_rich: bool) -> bool {
    // What goes on for months is a project, a course or an exhibition.
    let is_dated =
        |entry: &&RawEntry| entry.published.is_some() || entry.event.as_ref().is_some_and(is_of_days);
    let dated = entries.iter().filter(is_dated).count();
    // Where each record says more than a title, it may be the newest only that have their date.
    let is_newest_dated = || is_rich && entries.first().is_some_and(|first| is_dated(&first));
    dated * DATED_SHARE >= entries.len()
        || dated * NEWEST_SHARE >= entries.len() && is_newest_dated()
        || most(cards, |card| card.has_date() && !card.is_lasting())
        || unread::are_dated(cards)
}

pub(super) fn most(cards: &[Card], fits: impl Fn(&Card) -> bool) -> bool {
    cards.iter().filter(|card| fits(card)).count() * 2 >= cards.len()
}

fn says_more(card: &Card) -> bool {
    card.has_heading() || card.has_date() || card.has_image() || card.has_excerpt()
}

/// Whether the page says that there is no such page.
fn is_gone(page: &Page) -> bool {
    let titles = selector("title, h1");
    page.html()
        .select(&titles)
        .take(3)
        .map(text_of)
        .any(|title| title.chars().count() <= GONE_CHARS_MAX && words::has_one("gone", &title))
}

/// Whether the page answers a search: by its title or heading, by its address, or by a form that has the words which are asked for.
fn is_search(page: &Page) -> bool {
    let is_named = |css: &str| {
        let title = page.html().select(&selector(css)).next().map(text_of).unwrap_or_default();
        words::after("results", &words::plain(&title)).is_some()
    };
    let Some(address) = page.base() else { return is_named("title") || is_named("h1") };
    let is_at_search = || {
        let last = address.path_segments().and_then(|mut parts| parts.rfind(|part| !part.is_empty()));
        last.is_some_and(|last| words::is_one("search", last)) && !is_titled_news(page)
    };
    let fields = selector("input[name][value]");
    let is_asked = |(name, value): (std::borrow::Cow<str>, std::borrow::Cow<str>)| {
        !value.trim().is_empty()
            && page.html().select(&fields).any(|field| {
                let kind = field.attr("type").unwrap_or("text").to_ascii_lowercase();
                matches!(kind.as_str(), "text" | "search")
                    && field.attr("name") == Some(name.as_ref())
                    && field.attr("value").map(str::trim) == Some(value.trim())
            })
    };
    is_named("title") || is_named("h1") || is_at_search() || address.query_pairs().any(is_asked)
}

/// Whether a lone record is the article of the page itself, with a link in its text.
fn is_article_of_page(card: &Card) -> bool {
    let links = || card.anchors.iter().map(|(anchor, _)| *anchor);
    let is_in_prose = |link: ElementRef| {
        let text = text_of(link);
        let plain = words::plain(&text);
        let calls = ["call", "goes_on"].iter().any(|kind| words::after(kind, &plain).is_some());
        let paragraph =
            link.ancestors().filter_map(ElementRef::wrap).find(|around| around.value().name() == "p");
        !calls
            && !is_call(&text)
            && paragraph
                .is_some_and(|paragraph| is_longer(paragraph, text.chars().count() + PROSE_CHARS_MIN - 1))
    };
    let headings = selector("h1, h2, h3, h4");
    let headings: Vec<ElementRef> = card.record.select(&headings).collect();
    let is_page = headings.len() > 1
        || headings.iter().any(|heading| heading.value().name() == "h1")
        || is_longer(card.record, CARD_CHARS_MAX);
    !links().any(is_heading_link) && (is_page || links().all(is_in_prose))
}

/// Whether the page calls itself news: in its title, its heading, its address.
pub(super) fn is_page_of_news(page: &Page) -> bool {
    let address = page.base().and_then(Url::path_segments).into_iter().flatten();
    is_titled_news(page) || address.into_iter().any(names_news)
}

/// Whether the page calls itself news in the first part of its title or in its heading. The rest of a title is the name of the
/// site.
fn is_titled_news(page: &Page) -> bool {
    let first = |css: &str| page.html().select(&selector(css)).next().map(text_of);
    let title = first("title").unwrap_or_default();
    let own = own_part(&title);
    words::names_news(own)
        || words::is_featured(own)
        || first("h1").is_some_and(|heading| words::names_news(&heading))
}

/// Whether any record is in the main part of the page, if there is one.
fn is_in_main(page: &Page, cards: &[Card]) -> bool {
    let is_main =
        |element: &ElementRef| element.value().name() == "main" || element.attr("role") == Some("main");
    let in_main = |card: &Card| {
        card.record
            .ancestors()
            .chain([*card.record])
            .filter_map(ElementRef::wrap)
            .any(|around| is_main(&around))
    };
    page.html().select(&selector("main, [role=main]")).next().is_none() || cards.iter().any(in_main)
}

/// Whether the menu of the page leads to the same addresses.
fn is_menu_again(page: &Page, cards: &[Card]) -> bool {
    let links = selector("nav a[href], [role=navigation] a[href], .menu a[href], .navbar a[href]");
    let plain = |href: &str| href.split('#').next().unwrap_or(href).trim_end_matches('/').to_owned();
    let resolved = page.html().select(&links).filter_map(|link| link.attr("href")).filter_map(|href| {
        let address = match page.base() {
            Some(base) => base.join(href).ok()?,
            None => Url::parse(href).ok()?,
        };
        Some(plain(address.as_str()))
    });
    let menu: HashSet<String> = resolved.collect();
    most(cards, |card| menu.contains(&plain(&card.href)))
}

/// Whether a record says how to reach somebody.
fn is_contact(card: &Card) -> bool {
    let ways = selector("a[href^=\"tel:\"], a[href^=\"mailto:\"]");
    card.record.select(&ways).next().is_some()
}

/// Whether an address is below the directory of another one, on any host.
fn is_below(href: &str, base: &Url) -> bool {
    let directory = format!("{}/", base.path().trim_end_matches('/'));
    let path = Url::parse(href).map(|url| url.path().to_owned()).unwrap_or_default();
    directory.len() > 1 && path.len() > directory.len() && path.starts_with(&directory)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use url::Url;

    use crate::extract::page::Page;
    use crate::extract::prose_date::DateRules;
    use crate::model::source::DateOrder;

    /// The titles that are read from a page.
    fn titles(address: &str, body: &str) -> Vec<String> {
        let url = Url::parse(&format!("https://x.org{address}")).unwrap();
        let reading =
            Page::parse(body, Some(&url)).detect_listing(DateRules::strict(DateOrder::Dmy), &HashSet::new());
        reading.feed.entries.into_iter().filter_map(|entry| Some(entry.title?.value)).collect()
    }

    fn count(address: &str, body: &str) -> usize {
        titles(address, body).len()
    }

    /// Three cards, each a `card` with `{n}` for its number and `{t}` for its title.
    fn cards(card: &str) -> String {
        let titles = ["The harbour gets a new crane", "Council agrees a plan", "The mill opens"];
        let card = |(n, title): (usize, &&str)| card.replace("{n}", &n.to_string()).replace("{t}", title);
        titles.iter().enumerate().map(card).collect()
    }

    const CARDS: [&str; 7] = [
        "<article><h2><a href=/s{n}>{t}</a></h2><p>What there is to be known of it, in a few words.</p></article>",
        "<article class=card><a href=/s{n}><img src=/i.jpg><h3>{t}</h3></a></article>",
        "<div class=card><h3><a href=/s{n}>{t}</a></h3><p>What there is to be known of it, in a few words.</p></div>",
        "<div class=hentry><h3 class=entry-title><a href=/s{n}>{t}</a></h3></div>",
        "<div class=post><h2><a href=/node/{n}1>{t}</a></h2></div>",
        "<article class='node node--type-bundle'><h2><a href=/node/{n}1>{t}</a></h2></article>",
        "<div class=views-row><h3><a href=/town/s{n}>{t}</a></h3></div>",
    ];

    #[test]
    fn a_card_is_not_news_for_how_it_is_made() {
        for card in CARDS {
            let list = cards(card);
            for (address, body) in [
                ("/", format!("<title>Welcome</title><h1>Welcome</h1>{list}")),
                ("/town", format!("<title>Town</title><section><h2>Vos démarches</h2>{list}</section>")),
                ("/town", format!("<h1>Our mission</h1><div>{list}</div>")),
            ] {
                assert_eq!(count(address, &body), 0, "{body}");
            }
            for (address, body) in [
                ("/", format!("<h1>Town</h1><section><h2>Nouvelles à la une</h2>{list}</section>")),
                ("/x", format!("<title>À la une | Ville</title><h1>À la une</h1>{list}")),
                ("/x", format!("<title>Aktuelles | Stadt</title><h1>Aktuelles</h1>{list}")),
                ("/noticias", format!("<h1>Ayuntamiento</h1>{list}")),
                ("/", format!("<section class=block-actualites><h2>Près de chez vous</h2>{list}</section>")),
                ("/news", format!("<h2>October 2026</h2>{list}")),
                ("/news", format!("<div><h2>Filter by theme</h2><form><select></select></form></div>{list}")),
                (
                    "/news",
                    format!(
                        "<article class=top><h2><a href=/top>The greatest story of them all</a></h2></article><div>{list}</div>"
                    ),
                ),
                ("/news", format!("<p hidden>No results</p>{list}")),
                ("/", format!("<h2>Events</h2><p>There are no events.</p><h2>Latest news</h2>{list}")),
                ("/", format!("<h2>Actualités</h2><h3>Culture</h3><div>{list}</div>")),
            ] {
                assert_eq!(count(address, &body), 3, "{address} {body}");
            }
        }
    }

    #[test]
    fn what_is_featured_is_news_only_where_it_is_dated_or_called_so() {
        let dated = |n: u8| {
            format!(
                "<div class=card><h3><a href=/d{n}>The lock is open, {n}</a></h3><time datetime=2022-10-0{n}>x</time></div>"
            )
        };
        let dated: String = (1..=3).map(dated).collect();
        for heading in [
            "Featured services",
            "Featured",
            "Latest services",
            "Headlines",
            "À la une",
            "Démarches à la une",
            "In evidenza",
            "Argomenti in evidenza",
            "Servizi in primo piano",
            "Destacados",
            "Trámites destacados",
            "Em destaque",
            "Uitgelichte diensten",
            "Im Fokus",
            "Главное",
        ] {
            let part = |cards: &str| format!("<section><h2>{heading}</h2>{cards}</section>");
            for card in CARDS {
                let list = cards(card);
                assert_eq!(count("/", &format!("<h1>Welcome</h1>{}", part(&list))), 0, "{heading} {card}");
                let news = cards(&card.replace("href=/", "href=/d/"));
                let beside = format!("{}<section><h2>Actualités</h2>{news}</section>", part(&list));
                assert_eq!(count("/", &format!("<h1>Welcome</h1>{beside}")), 3, "{heading} {card}");
            }
            assert_eq!(count("/", &format!("<h1>Welcome</h1>{}", part(&dated))), 3, "{heading}");
        }
        for body in [
            "<h1>Nos biens à la une</h1>LIST",
            "<title>Annonces</title><h1>Nos biens</h1>LIST",
            "<div class=featured>LIST</div>",
            "<section class=latest-services>LIST</section>",
        ] {
            let card = "<div class=c><h3><a href=/b{n}>{t}</a></h3><b>{n}45 000 €</b></div>";
            assert_eq!(count("/", &body.replace("LIST", &cards(card))), 0, "{body}");
        }
    }

    #[test]
    fn a_heading_of_something_else_or_a_line_that_there_is_nothing_parts_cards_from_the_page() {
        for (title, nothing, heading) in [
            ("Actualités", "Aucune actualité pour le moment.", "Nos services"),
            ("News", "There are no news items at the moment.", "Our team"),
            ("Noticias", "No hay noticias.", "Nuestro equipo"),
            ("Aktuelles", "Derzeit keine Meldungen.", "Bürgerservice"),
            ("Новости", "Новостей пока нет", "Наши услуги"),
        ] {
            let page = |rest: &str| format!("<title>{title}</title><main><h1>{title}</h1>{rest}</main>");
            for card in CARDS {
                let list = cards(card);
                assert_eq!(count("/x", &page(&list)), 3, "{title} {card}");
                for rest in [
                    format!("<p>{nothing}</p><div>{list}</div>"),
                    format!("<section><h2>{heading}</h2>{list}</section>"),
                    format!("<p>{nothing}</p><div class=head><h2>{heading}</h2></div><div>{list}</div>"),
                ] {
                    assert_eq!(count("/x", &page(&rest)), 0, "{rest}");
                }
            }
        }
    }

    #[test]
    fn systems_say_what_their_records_are() {
        let list = |class: &str| {
            cards(&format!("<article class='{class}'><h2><a href=/s{{n}}>{{t}}</a></h2></article>"))
        };
        for class in [
            "node node--type-article node--view-mode-teaser",
            "node node--type-actualite",
            "node node-news node-teaser",
            "post-12 post type-post hentry",
            "post-12 noticia type-noticia",
        ] {
            assert_eq!(count("/", &list(class)), 3, "{class}");
        }
        for class in [
            "node node--type-demarche",
            "node node--type-page",
            "node node-annuaire node-teaser",
            "post-12 page type-page hentry",
            "post-12 project type-project hentry",
            "team-member",
        ] {
            assert_eq!(count("/", &list(class)), 0, "{class}");
            let headed = format!("<h2>Actualités</h2>{}", list(class));
            assert_eq!(count("/", &headed), 3, "{class}: a heading right above says what they are");
        }
    }

    #[test]
    fn history_and_the_boards_of_a_forum_are_no_news() {
        let list = |href: &str, date: &str| {
            let item = |n: u8| {
                let (href, date) = (href.replace('N', &n.to_string()), date.replace('N', &n.to_string()));
                format!(
                    "<li><h3><a href='{href}'>What is told of part {n}</a></h3><span class=date>{date}</span></li>"
                )
            };
            (1..=4).map(item).collect::<String>()
        };
        assert_eq!(count("/past", &list("/past/N", "1N March 1848")), 0);
        assert_eq!(count("/past", &list("/past/N", "194N")), 0);
        assert_eq!(count("/past", &list("/past/N", "1N March 2022")), 4);
        assert_eq!(count("/board/", &list("viewforum.php?f=N", "1N March 2022, 10:2N")), 0);
    }

    #[test]
    fn the_sections_of_a_page_for_news_are_no_news() {
        let hub = |names: &[&str], base: &str| {
            let card = |(n, name): (usize, &&str)| {
                format!(
                    "<div class=card><h3><a href={base}/s{n}>{name}</a></h3><p>All that you want to know of it.</p></div>"
                )
            };
            names.iter().enumerate().map(card).collect::<String>()
        };
        for (title, address, names) in [
            ("Newsroom", "/newsroom", ["Press kit", "Media contacts", "Subscribe"]),
            ("Presse", "/presse", ["Contacts presse", "Photothèque", "Accréditations"]),
            ("Aktuelles", "/aktuelles", ["Pressemitteilungen", "Amtsblatt", "Stellenangebote"]),
            ("Noticias", "/noticias", ["Comunicados", "Galería de fotos", "Vídeos"]),
            ("Новости", "/novosti", ["Контакты", "Фотогалерея", "Подписка"]),
        ] {
            let page = format!("<title>{title}</title><h1>{title}</h1>{}", hub(&names, address));
            assert_eq!(count(address, &page), 0, "{page}");
        }
        let issues = hub(&["Newsletter 12", "Newsletter 13", "Newsletter 14"], "/news");
        assert_eq!(count("/news", &format!("<h1>News</h1>{issues}")), 3);
    }

    #[test]
    fn tools_of_a_site_are_no_news_whatever_the_page_is_called() {
        let list = |links: &[(&str, &str)]| {
            let item = |(href, text): &(&str, &str)| format!("<li><a href='{href}'>{text}</a></li>");
            format!("<ul>{}</ul>", links.iter().map(item).collect::<String>())
        };
        let texts = [
            ("News", "/news", ["Forgot your password?", "Create an account", "Need help?"]),
            ("Noticias", "/noticias", ["¿Olvidó su contraseña?", "Crear una cuenta", "Ayuda y soporte"]),
            ("Actualités", "/actualites", ["Retour à l’accueil", "Contacter la mairie", "Plan du site"]),
            ("Actualités", "/actualites", ["Imprimer la page", "Télécharger en PDF", "Envoyer par courriel"]),
            ("Aktuelles", "/aktuelles", ["Seite drucken", "Als PDF speichern", "Zurück zur Startseite"]),
            ("Notizie", "/notizie", ["Stampa la pagina", "Password dimenticata?", "Mappa del sito"]),
            ("Notícias", "/noticias", ["Esqueceu sua senha?", "Criar conta", "Voltar à página inicial"]),
            ("Notícies", "/noticies", ["Imprimeix la pàgina", "Torna a l'inici", "Mapa web"]),
            ("Nieuws", "/nieuws", ["Wachtwoord vergeten?", "Account aanmaken", "Hulp nodig?"]),
            ("Berita", "/berita", ["Lupa kata sandi?", "Buat akun", "Kembali ke beranda"]),
            ("Habari", "/habari", ["Umesahau nenosiri?", "Fungua akaunti", "Rudi mwanzo"]),
            ("Новости", "/novosti", ["Забыли пароль?", "Регистрация", "Версия для печати"]),
            ("Новини", "/novyny", ["Забули пароль?", "Реєстрація", "На головну"]),
            ("الأخبار", "/akhbar", ["هل نسيت كلمة المرور؟", "إنشاء حساب", "العودة إلى الصفحة الرئيسية"]),
            ("新闻", "/xinwen", ["忘记密码？", "注册账号", "返回首页"]),
            ("News", "/news", ["Our Facebook page", "Our Twitter page", "The town on Instagram"]),
        ];
        for (title, address, texts) in texts {
            let below = [0, 1, 2].map(|n| format!("{address}/a{n}"));
            let links: Vec<(&str, &str)> = below.iter().map(String::as_str).zip(texts).collect();
            let page = format!("<title>{title}</title><h1>{title}</h1>{}", list(&links));
            assert_eq!(count(address, &page), 0, "{page}");
        }
        for elsewhere in [
            ["https://www.facebook.com/town", "https://www.youtube.com/@town", "https://t.me/town"],
            [
                "https://play.google.com/store/apps/details?id=a",
                "https://apps.apple.com/fr/app/id1",
                "https://appgallery.huawei.com/app/C1",
            ],
        ] {
            let texts = ["What the town has to say", "What can be seen of us", "Always up to date"];
            let links: Vec<(&str, &str)> = elsewhere.into_iter().zip(texts).collect();
            assert_eq!(count("/news", &format!("<h1>News</h1>{}", list(&links))), 0, "{elsewhere:?}");
        }
        let news = [
            ("/n1", "Help for those who lost their homes"),
            ("/n2", "The register of the town is online"),
            ("/n3", "Facebook and Twitter are discussed in all schools"),
            ("https://www.youtube.com/watch?v=a1", "The council, filmed on Monday"),
        ];
        assert_eq!(count("/news", &format!("<h1>News</h1>{}", list(&news))), 4);
        let beside: Vec<(&str, &str)> =
            news.into_iter().chain([("/news/print", "Print this page")]).collect();
        let found = titles("/news", &format!("<h1>News</h1>{}", list(&beside)));
        assert!(found.len() == 4 && !found.contains(&"Print this page".to_owned()), "{found:?}");
    }

    #[test]
    fn one_piece_of_news_beside_services_is_not_lost_for_them() {
        let card = |class: &str, href: &str, title: &str, day: &str| {
            format!("<div class={class}><h3><a href={href}>{title}</a></h3><p>{day}</p></div>")
        };
        let services = |n: u8| card("card", &format!("/s{n}"), "Urban planning", "");
        let services =
            format!("<section><h2>Nos services</h2>{}</section>", (1..=6).map(services).collect::<String>());
        for class in ["card", "story"] {
            let page = |day: &str| {
                let news = card(class, "/n1", "The bridge opens again", day);
                format!("<title>Actualités</title><h1>Actualités</h1><div>{news}</div>{services}")
            };
            assert_eq!(titles("/actualites", &page("4 October 2022")), ["The bridge opens again"], "{class}");
            assert_eq!(count("/actualites", &page("")), 0, "one without a date is no listing");
        }
    }

    #[test]
    fn what_an_article_has_beside_it_is_no_listing() {
        let text = "<p>The council adopted the budget after a long debate between its groups, and published all of it.</p>".repeat(4);
        let card = "<div class=card><h3><a href=/s{n}>{t}</a></h3><time datetime=2022-10-0{n}>x</time></div>";
        let related = cards(&card.replace("0{n}", "1{n}"));
        let article = |title: &str, heading: &str| {
            format!(
                "<title>{title}</title><h1>{heading}</h1><article><time datetime=2022-10-04>x</time>{text}</article><section><h2>Related</h2>{related}</section>"
            )
        };
        let heading = "The budget is adopted at last";
        assert_eq!(count("/a", &article(&format!("{heading} | Town"), heading)), 0);
        assert_eq!(count("/a", &article("Latest news of the town | Town", "Latest news of the town")), 3);
        let teaser =
            format!("<title>The town of many bridges</title><h1>The town of many bridges</h1>{related}");
        assert_eq!(count("/a", &teaser), 3, "a listing without an article");
    }
}
