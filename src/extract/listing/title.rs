//! The title of a card, and what all titles of a listing have in common.

use std::collections::HashSet;

use ego_tree::NodeRef;
use jiff::civil::Date;
use scraper::{ElementRef, Node};

use super::cards::{Card, elements_of, is_byline, is_title_of_part};
use super::links::{is_call, is_file_label};
use crate::extract::elements::is_heading;
use crate::extract::page::{is_label, is_named_title, selector, text_of, title_text};
use crate::extract::prose_date::{
    DateContext, DateRules, StatedDates, is_date_only, is_relative_only, is_short_age,
};
use crate::extract::words;
use crate::model::feed::RawEntry;
use crate::model::source::DateOrder;
use crate::support::text::{fold, one_line};

/// Maximum length of a title, in characters; of one that is named by nothing, and its minimum.
const TITLE_CHARS_MAX: usize = 300;
const LEAD_CHARS_MAX: usize = 150;
const LEAD_CHARS_MIN: usize = 8;
/// What only calls, names a file or a date is not longer, in bytes.
const LITTLE_BYTES_MAX: usize = 4096;
/// A link around so many parts has a title among them.
const PARTS_MIN: usize = 3;
/// So many titles must have something in common for it to be no part of them.
const ALIKE_MIN: usize = 3;
/// Number of labels that all cards may have in front of their titles.
const LABELS_MAX: usize = 3;

/// The titles of the cards of a listing. What all have in common is a label of theirs, unless they have nothing else.
pub(super) fn titles(cards: &[Card]) -> Vec<Option<String>> {
    let mut titles: Vec<Option<String>> = cards.iter().map(title).collect();
    give_day_titles(cards, &mut titles);
    let mut labels = Vec::new();
    while let Some(label) = shared(&titles).filter(|_| labels.len() < LABELS_MAX) {
        labels.push(label);
        let besides: Vec<Option<String>> = cards.iter().map(|card| title_besides(card, &labels)).collect();
        if !besides.iter().all(Option::is_some) {
            break;
        }
        titles = besides;
    }
    titles
}

/// Gives records that consist of a day which leads on, as lists of minutes do, that day as their title. The days of a calendar that
/// one may leaf through follow each other.
fn give_day_titles(cards: &[Card], titles: &mut [Option<String>]) {
    let days: Vec<(usize, String, Date)> = (0..cards.len())
        .filter(|at| titles[*at].is_none())
        .filter_map(|at| day_title(&cards[at]).map(|(title, day)| (at, title, day)))
        .collect();
    let is_run = |two: &[(usize, String, Date)]| {
        let distance = two[0].2.duration_until(two[1].2).as_hours().abs();
        distance <= 24
    };
    let is_custom = cards.len() >= ALIKE_MIN && days.len() * 2 > cards.len();
    if !is_custom || days.windows(2).filter(|two| is_run(two)).count() * 2 > days.len() {
        return;
    }
    for (at, title, _) in days {
        titles[at] = Some(title);
    }
}

/// The day that is all that a card says, besides what its file is, with its words.
fn day_title(card: &Card) -> Option<(String, Date)> {
    let rules = DateRules::strict(DateOrder::Dmy);
    let of_link = card.anchors.iter().map(|(_, text)| text.clone()).find(|text| is_date_only(text));
    let beside = || card.date_element(rules).map(text_of).filter(|text| is_date_only(text));
    let words = of_link.or_else(beside).filter(|_| !card.has_image())?;
    let told = StatedDates::of(&words, rules, DateContext::Named);
    let event = || told.event.as_ref().map(|event| event.begin.date());
    let day = told.published.or_else(event)?;
    let rest = text_of(card.record).replacen(words.as_str(), "", 1);
    let rest = rest.trim_matches(|c: char| !c.is_alphanumeric());
    let is_all = rest.is_empty() || is_file_label(rest) || is_call(rest);
    is_all.then(|| (one_line(&words), day))
}

/// The title that all cards have.
fn shared(titles: &[Option<String>]) -> Option<String> {
    let first = titles.first()?.as_ref()?;
    let is_shared = titles.len() >= ALIKE_MIN && titles.iter().all(|title| title.as_ref() == Some(first));
    is_shared.then(|| first.clone())
}

/// The title of a card: its heading, the part named so, or else the text of its links, or the alternative text of a lone picture;
/// never a "read more" call, a number or a date.
pub(super) fn title(card: &Card) -> Option<String> {
    title_besides(card, &[])
}

/// The title of a card that is none of the labels.
fn title_besides(card: &Card, labels: &[String]) -> Option<String> {
    let is_own = |text: &str| !labels.iter().any(|label| label == text);
    let is_short = |text: &str| is_short_title(text) && is_own(text);
    let anchors = || card.anchors.iter().map(|(anchor, _)| *anchor);
    let around = anchors().find_map(|anchor| {
        anchor.ancestors().filter_map(ElementRef::wrap).take(3).find(|element| is_heading(*element))
    });
    let inside = || {
        let headings = elements_of(card.record).filter(|element| is_title_of_part(*element));
        headings.map(title_text).find(|text| is_short(text))
    };
    let named = || {
        let names = elements_of(card.record).filter(|element| is_named_title(*element));
        names.map(title_text).find(|text| is_short(text))
    };
    let part = || anchors().find_map(|anchor| part_of_link(anchor, &is_own));
    let bold = || anchors().find_map(|anchor| bold_of_link(anchor, &is_own));
    let block = || anchors().find_map(|anchor| first_block(anchor, &is_own));
    let longest = || {
        let texts = anchors().map(title_text);
        texts.filter(|text| is_title(text) && is_own(text)).max_by_key(String::len)
    };
    let attribute = || {
        let said = anchors().find_map(|anchor| anchor.attr("title").or_else(|| anchor.attr("aria-label")));
        said.map(str::to_owned).filter(|text| is_short(text))
    };
    around
        .map(title_text)
        .filter(|text| is_short(text))
        .or_else(inside)
        .or_else(named)
        .or_else(bold)
        .or_else(part)
        .or_else(|| of_links(card, &is_own))
        .or_else(block)
        .or_else(longest)
        .or_else(attribute)
        .or_else(|| picture_title(card).filter(|text| is_own(text)))
        .or_else(|| lead(card, &is_own))
        .or_else(|| own_line(card).filter(|text| is_short(text)))
        .map(|title| whole_title(card, &title).unwrap_or(title))
}

/// The whole of a title that the page shows cut: the attribute that shows it to a pointer begins with what is left of it.
fn whole_title(card: &Card, title: &str) -> Option<String> {
    let head = title.strip_suffix('…').or_else(|| title.strip_suffix("..."))?.trim_end();
    let around = card.anchors.iter().map(|(anchor, _)| *anchor).chain(card.heading());
    let said = around.flat_map(|element| [element.attr("title"), element.attr("aria-label")]);
    let is_whole = |text: &String| {
        fold(text).starts_with(&fold(head))
            && text.chars().count() > head.chars().count()
            && is_short_title(text)
    };
    said.flatten().map(one_line).find(is_whole)
}

/// Whether a text may be a title, of any length.
fn is_title(text: &str) -> bool {
    let says_only_a_little = || {
        is_call(text)
            || is_file_label(text)
            || is_date_only(text)
            || is_relative_only(text)
            || is_short_age(text)
    };
    text.chars().any(char::is_alphabetic) && (text.len() > LITTLE_BYTES_MAX || !says_only_a_little())
}

pub(super) fn is_short_title(text: &str) -> bool {
    text.chars().count() <= TITLE_CHARS_MAX && is_title(text)
}

/// The text of the first link that has several words, or else the longest: the same address may stand under a longer subtitle.
fn of_links(card: &Card, is_own: &dyn Fn(&str) -> bool) -> Option<String> {
    let plain = card.anchors.iter().map(|(anchor, _)| *anchor).filter(|anchor| !holds_blocks(*anchor));
    let texts: Vec<String> =
        plain.map(title_text).filter(|text| is_short_title(text) && is_own(text)).collect();
    let first = texts.iter().find(|text| words::count(text) >= 2).cloned();
    first.or_else(|| texts.into_iter().max_by_key(String::len))
}

/// The title among the parts of a link that is a whole card: the first that is neither a label nor a date.
fn part_of_link(anchor: ElementRef, is_own: &dyn Fn(&str) -> bool) -> Option<String> {
    let has_own_text =
        anchor.children().any(|child| child.value().as_text().is_some_and(|text| !text.trim().is_empty()));
    let parts: Vec<ElementRef> =
        anchor.children().filter_map(ElementRef::wrap).filter(|part| !text_of(*part).is_empty()).collect();
    let is_card = parts.len() >= PARTS_MIN && parts.iter().any(|part| is_date_only(&text_of(*part)));
    if has_own_text || !is_card || holds_blocks(anchor) {
        return None;
    }
    parts
        .into_iter()
        .filter(|part| !is_label(*part))
        .map(title_text)
        .find(|text| is_short_title(text) && is_own(text) && !is_byline(text))
}

/// The part in bold of a link that is a whole card, behind labels and a date, if what follows is set apart from it: words in bold within
/// a title go on in the same line. A word in bold before another title may be a label.
fn bold_of_link(anchor: ElementRef, is_own: &dyn Fn(&str) -> bool) -> Option<String> {
    let parts = || anchor.children().filter(|child| !is_blank(child));
    let is_label_or_date = |part: &ElementRef| is_label(*part) || is_date_only(&text_of(*part));
    let at = parts().position(|part| ElementRef::wrap(part).is_none_or(|part| !is_label_or_date(&part)))?;
    let first = parts().nth(at).and_then(ElementRef::wrap)?;
    let rest = parts().nth(at + 1)?;
    let told: String = parts().skip(at + 1).filter_map(ElementRef::wrap).map(text_of).collect();
    let tail = parts().last().and_then(|last| last.value().as_text().map(|text| text.trim().to_owned()));
    let is_sentence = [told, tail.unwrap_or_default()].iter().any(|text| text.contains(['.', '!', '?', '…']));
    let text = title_text(first);
    let is_title = matches!(first.value().name(), "strong" | "b")
        && rest.value().is_element()
        && (is_sentence || words::count(&text) >= LABEL_WORDS_MIN)
        && is_short_title(&text)
        && is_own(&text);
    is_title.then_some(text)
}

/// What has so many words is a title rather than a label.
const LABEL_WORDS_MIN: usize = 2;

fn is_blank(node: &NodeRef<Node>) -> bool {
    match node.value() {
        Node::Text(text) => text.trim().is_empty(),
        Node::Element(element) => {
            let text = ElementRef::wrap(*node).map(text_of).unwrap_or_default();
            element.name() != "br" && text.is_empty()
        }
        _ => true,
    }
}

/// The alternative text of a card that consists of a picture only. A card with an excerpt gets its title from the item's own
/// page.
fn picture_title(card: &Card) -> Option<String> {
    if card.has_excerpt() {
        return None;
    }
    let images = selector("img[alt]");
    let shown = card.anchors.iter().flat_map(|(anchor, _)| anchor.select(&images));
    // Beside other words, two may only say what a picture shows.
    let text = text_of(card.record);
    let is_alone = text.is_empty() || is_date_only(&text) || is_relative_only(&text) || is_short_age(&text);
    let words_min = if is_alone { 2 } else { 3 };
    let is_logo = |image: &ElementRef| {
        let says = [image.attr("alt"), image.attr("src"), image.attr("class")];
        says.into_iter().flatten().any(|text| {
            let lower = text.to_ascii_lowercase();
            lower.contains("logo") || lower.contains("icon")
        })
    };
    shown
        .filter(|image| !is_alone || !is_logo(image))
        .filter_map(|image| image.attr("alt"))
        .map(one_line)
        .filter(|text| is_short_title(text))
        .find(|alt| words::count(alt) >= words_min)
}

/// The first line of a card whose links only say that there is more, if it is no sentence.
fn lead(card: &Card, is_own: &dyn Fn(&str) -> bool) -> Option<String> {
    let is_only_text = |element: &ElementRef| {
        element.value().name() != "a" && element.children().all(|child| child.value().is_text())
    };
    let is_outside = |element: &ElementRef| {
        let mut around = element.ancestors().filter_map(ElementRef::wrap);
        !around.any(|around| around.value().name() == "a")
    };
    let lines =
        elements_of(card.record).filter(|element| is_only_text(element) && is_outside(element)).map(text_of);
    let mut lines = lines.filter(|text| is_title(text) && is_own(text) && !is_byline(text));
    lines.next().filter(|text| {
        (LEAD_CHARS_MIN..=LEAD_CHARS_MAX).contains(&text.chars().count())
            && words::count(text) >= 2
            && !text.ends_with(['.', '…', ':'])
            && !text.contains(". ")
    })
}

/// The text of a record that leads nowhere, without the date that stands beside it.
fn own_line(card: &Card) -> Option<String> {
    let element = card.date_element(DateRules::strict(DateOrder::Dmy)).filter(|_| card.is_unlinked())?;
    let (text, date) = (text_of(card.record), text_of(element));
    let rest = if date.len() < text.len() { text.replacen(&date, "", 1) } else { text };
    Some(one_line(rest.trim().trim_matches([':', '-', '–', '—', '|', '·', ','])))
        .filter(|text| words::count(text) >= 2)
}

fn holds_blocks(element: ElementRef) -> bool {
    element.descendants().skip(1).filter_map(ElementRef::wrap).any(|inner| {
        matches!(
            inner.value().name(),
            "div" | "p" | "section" | "article" | "ul" | "figure" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6"
        )
    })
}

/// The first text inside a link around a whole card; a label only if there is nothing else.
fn first_block(anchor: ElementRef, is_own: &dyn Fn(&str) -> bool) -> Option<String> {
    let holds_text = |element: &ElementRef| {
        element.children().any(|child| child.value().as_text().is_some_and(|text| !text.trim().is_empty()))
    };
    let blocks = || anchor.descendants().skip(1).filter_map(ElementRef::wrap).filter(holds_text);
    let is_fit = |text: &String| text.chars().count() > 3 && is_title(text) && is_own(text);
    let unlabelled = blocks().filter(|block| !is_label(*block)).map(text_of).find(is_fit);
    unlabelled.or_else(|| blocks().map(text_of).find(is_fit))
}

/// Removes what stands in all titles beside them: the number of entries behind a link, and the date in front.
pub(super) fn without_common_parts(entries: &mut [RawEntry]) {
    without_counts(entries);
    without_dates(entries);
}

/// Removes counts as in `Helix (3)`, the number of entries behind a link, if all links have one.
fn without_counts(titles: &mut [RawEntry]) {
    let split = |entry: &RawEntry| -> Option<(String, String)> {
        let (head, count) = entry.title.as_ref()?.value.strip_suffix(')')?.rsplit_once(" (")?;
        (!head.is_empty() && count.bytes().all(|b| b.is_ascii_digit()) && count.len() <= 4)
            .then(|| (head.to_owned(), count.to_owned()))
    };
    let counted: Vec<Option<(String, String)>> = titles.iter().map(split).collect();
    let distinct = counted.iter().flatten().map(|(head, _)| head).collect::<HashSet<_>>().len();
    // A series, "Part (1)", "Part (2)", has the same text before all counts.
    if titles.len() >= ALIKE_MIN && counted.iter().all(Option::is_some) && distinct == titles.len() {
        for (entry, head) in titles.iter_mut().zip(counted.into_iter().flatten().map(|(head, _)| head)) {
            if let Some(title) = &mut entry.title {
                title.value = head;
            }
        }
    }
}

/// Removes the date that all titles of dated entries begin or end with: "20/11/2026 - ". One title alone may mean the day by it.
fn without_dates(entries: &mut [RawEntry]) {
    const JOINTS: [&str; 8] = [" - ", " – ", " — ", " | ", " : ", ": ", " • ", " · "];
    let besides =
        |date: &str, rest: &str| (is_date_only(date) && is_title(rest)).then(|| rest.trim().to_owned());
    let behind = |title: &str| {
        let parts = JOINTS.iter().filter_map(|joint| title.split_once(joint));
        let (date, rest) = parts.min_by_key(|(date, _)| date.len())?;
        besides(date, rest)
    };
    let before = |title: &str| {
        let in_brackets = || title.strip_suffix(')')?.rsplit_once(" (");
        let parts = JOINTS.iter().filter_map(|joint| title.rsplit_once(joint)).chain(in_brackets());
        let (rest, date) = parts.min_by_key(|(_, date)| date.len())?;
        besides(date, rest)
    };
    let all = |rest: &dyn Fn(&str) -> Option<String>| -> Option<Vec<String>> {
        let titles = entries.iter().map(|entry| entry.title.as_ref().filter(|_| entry.published.is_some()));
        titles.map(|title| rest(&title?.value)).collect()
    };
    let rests = all(&behind).or_else(|| all(&before));
    let Some(rests) = rests.filter(|rests| rests.len() >= ALIKE_MIN) else { return };
    for (entry, rest) in entries.iter_mut().zip(rests) {
        if let Some(title) = &mut entry.title {
            title.value = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::extract::page::Page;
    use crate::extract::prose_date::DateRules;

    /// The titles and days of the entries of a page.
    fn found(card: &str) -> Vec<(String, String)> {
        let url = url::Url::parse("https://x.org/actualites").unwrap();
        let rules = DateRules { now: "2022-10-20T12:00:00Z".parse().ok(), ..DateRules::default() };
        let titles = ["Piscine fermée", "Bal des pompiers", "Forum des associations", "Fin des travaux"];
        let card = |(n, title): (usize, &&str)| {
            format!("<li>{}</li>", card.replace("{n}", &(n + 1).to_string()).replace("{t}", title))
        };
        let list: String = titles.iter().enumerate().map(card).collect();
        let body = format!("<html lang=fr><title>Actualités</title><h1>Actualités</h1><ul>{list}</ul>");
        let entries = Page::parse(&body, Some(&url)).detect_listing(rules, &HashSet::new()).feed.entries;
        let day = |at: jiff::Timestamp| at.strftime("%Y-%m-%d").to_string();
        let told = entries.into_iter();
        told.map(|entry| (entry.title.unwrap().value, entry.published.map(day).unwrap_or_default())).collect()
    }

    #[test]
    fn what_is_in_bold_in_a_link_around_a_card_is_its_title_if_the_rest_is_set_apart() {
        let text = "Une phrase de résumé.";
        for card in [
            format!(
                "<a href=/a/{{n}}><strong>{{t}}</strong> <span>{text}</span></a> <em>1{{n}}/10/2022</em>"
            ),
            format!("<a href=/a/{{n}}><b>{{t}}</b><br>{text}</a><br><em>1{{n}} octobre 2022</em>"),
            format!(
                "<a href=/a/{{n}}><span class=cat>Sports</span><strong>{{t}}</strong><span>{text}</span><em>Publié le 1{{n}}/10/2022 par La mairie</em></a>"
            ),
            format!("<a href=/a/{{n}}><em>1{{n}}/10/2022</em><strong>{{t}}</strong><i>{text}</i></a>"),
        ] {
            let found = found(&card);
            assert_eq!(found[0], ("Piscine fermée".to_owned(), "2022-10-11".to_owned()), "{card}");
            assert_eq!(found[2], ("Forum des associations".to_owned(), "2022-10-13".to_owned()), "{card}");
        }
        let line = found("<a href=/a/{n}><b>Info</b> {t} en ville</a> <i>1{n}/10/2022</i>");
        assert_eq!(line[0].0, "Info Piscine fermée en ville", "words in bold within a title");
        let label = found("<a href=/a/{n}><b>Sport</b> <span>{t} en ville</span></a> <i>1{n}/10/2022</i>");
        assert!(label[0].0.ends_with("Piscine fermée en ville"), "a label in bold: {label:?}");
    }

    #[test]
    fn words_of_a_title_say_nothing_of_the_day_behind_it_in_one_link() {
        for card in [
            "<a href=/a/{n}><span class=titre>{t}</span> <span class=date>1{n} octobre 2022</span></a>",
            "<a href=/a/{n}><span class=titre>{t}</span><span class=chapo>Une phrase.</span><span class=date>1{n} octobre 2022</span></a>",
            "<a href=/a/{n}><strong>{t}</strong> <span class=date>1{n} octobre 2022</span></a>",
            "<a href=/a/{n}>{t}</a> <span class=date>1{n} octobre 2022</span>",
        ] {
            let days: Vec<String> = found(card).into_iter().map(|(_, day)| day).collect();
            assert_eq!(days, ["2022-10-11", "2022-10-12", "2022-10-13", "2022-10-14"], "{card}");
        }
    }
}
