//! Fields of an entry that its system repeats in front of its text: title, author and date, as Drupal does, with or without
//! classes.

use ego_tree::NodeId;
use jiff::tz::TimeZone;
use scraper::{ElementRef, Html};

use super::{EntryContext, text_of};
use crate::extract::page::{date_of, selector, text_of as text_of_element};
use crate::extract::prose_date::{DateRules, find_date, is_date_only};
use crate::model::source::DateOrder;
use crate::support::markup::parted;
use crate::support::text::{bound_markup, fold};

/// Fields without classes are looked for in so many bytes at the beginning.
const HEAD_BYTES: usize = 2_000;
/// Number of elements in front of a text that may be fields.
const FIELDS_MAX: usize = 6;
/// A label or a name has at most this many words.
const NAME_WORDS_MAX: usize = 5;
/// A date with its label has at most this many words.
const DATE_WORDS_MAX: usize = 20;

const CLASSED: &str = ".field--name-title, .field--name-uid, .field--name-created, .field--name-changed, .field--name-post-date";

/// What an element in front of a text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LeadingField {
    Title,
    Date,
    /// Author, topics: a field only beside others.
    Name,
}

/// The text without the fields in front of it; `None` if there are none, or nothing else.
pub(super) fn without_fields(html: &str, known: &EntryContext) -> Option<String> {
    let has_classes = memchr::memmem::find(html.as_bytes(), b"field--name-").is_some();
    let start = html.trim_start();
    let may_be_bare = start.get(..5).is_some_and(|tag| {
        tag.eq_ignore_ascii_case("<span")
            || tag.eq_ignore_ascii_case("<div>")
            || tag.eq_ignore_ascii_case("<div ")
    });
    let may_be_bare = may_be_bare && begins_with_field(start, known.title);
    if !has_classes && !may_be_bare {
        return None;
    }
    let mut fragment = Html::parse_fragment(&parted(&bound_markup(html)));
    let mut found: Vec<NodeId> = fragment.select(&selector(CLASSED)).map(|field| field.id()).collect();
    if found.is_empty() && may_be_bare {
        found = bare_fields(fragment.root_element(), known);
    }
    if found.is_empty() {
        return None;
    }
    for id in found {
        if let Some(mut node) = fragment.tree.get_mut(id) {
            node.detach();
        }
    }
    Some(fragment.root_element().inner_html()).filter(|rest| !text_of(rest).is_empty())
}

/// Whether the first element of a text may be a title or a date: most are around all of the text, which is told as soon as they
/// have more words than either.
fn begins_with_field(start: &str, title: &str) -> bool {
    let name = if start.as_bytes().get(1).is_some_and(|byte| byte.eq_ignore_ascii_case(&b's')) {
        "span"
    } else {
        "div"
    };
    let is_tag = |tag: &str| {
        tag.as_bytes().get(..name.len()).is_some_and(|own| own.eq_ignore_ascii_case(name.as_bytes()))
            && tag.as_bytes().get(name.len()).is_none_or(|byte| !byte.is_ascii_alphanumeric())
    };
    let count = |text: &str| text.split_whitespace().count();
    let words_max = DATE_WORDS_MAX.max(count(title));
    let (mut depth, mut words) = (0, 0);
    for part in start.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or((part, ""));
        match tag.strip_prefix('/') {
            Some(closed) if is_tag(closed) => depth -= 1,
            None if is_tag(tag) => depth += 1,
            _ => {}
        }
        if depth == 0 {
            return true;
        }
        words += count(text);
        if words > words_max {
            return false;
        }
    }
    // One that is not closed ends with the text.
    true
}

/// The elements in front of a text that are title, author, date and topics: the run up to the last that is known to be one. What
/// is not known must stand between or right behind those.
fn bare_fields(root: ElementRef, known: &EntryContext) -> Vec<NodeId> {
    let mut run: Vec<(NodeId, LeadingField)> = Vec::new();
    let mut bytes = 0;
    for child in root.children() {
        if child.value().as_text().is_some_and(|text| text.trim().is_empty()) {
            continue;
        }
        let Some(element) = ElementRef::wrap(child) else { break };
        bytes += element.html().len();
        let Some(field) = field_of(element, known).filter(|_| bytes <= HEAD_BYTES && run.len() < FIELDS_MAX)
        else {
            break;
        };
        run.push((element.id(), field));
    }
    let count = |wanted: LeadingField| run.iter().filter(|(_, field)| *field == wanted).count();
    // A title alone may be a heading that the author wrote, and a name may begin a text.
    let is_sure =
        count(LeadingField::Date) > 0 || count(LeadingField::Title) > 0 && count(LeadingField::Name) > 0;
    let is_alone = run.len() == 1 && count(LeadingField::Date) == 0;
    if !is_sure || is_alone || run.first().is_some_and(|(_, first)| *first == LeadingField::Name) {
        return Vec::new();
    }
    run.into_iter().map(|(id, _)| id).collect()
}

fn field_of(element: ElementRef, known: &EntryContext) -> Option<LeadingField> {
    let text = text_of_element(element);
    if !matches!(element.value().name(), "span" | "div") || text.is_empty() {
        return None;
    }
    if fold(&text) == fold(&text_of(known.title)) {
        return Some(LeadingField::Title);
    }
    if is_date_of_entry(element, &text, known) {
        return Some(LeadingField::Date);
    }
    let is_short = text.split_whitespace().count() <= NAME_WORDS_MAX && !text.ends_with(['.', '!', '?', ':']);
    let is_author = known.authors.iter().any(|author| fold(author) == fold(&text));
    let links = selector("a[href]");
    let linked: String = element.select(&links).map(text_of_element).collect();
    let is_linked = !linked.is_empty()
        && linked.chars().filter(|c| c.is_alphanumeric()).eq(text.chars().filter(|c| c.is_alphanumeric()));
    let is_bare_span = element.value().name() == "span"
        && element.children().filter_map(ElementRef::wrap).any(|inner| inner.value().name() == "span");
    (is_author || is_short && (is_linked || is_bare_span)).then_some(LeadingField::Name)
}

/// Whether an element says nothing but the day of the entry, or a label and that day: another day is part of the story.
fn is_date_of_entry(element: ElementRef, text: &str, known: &EntryContext) -> bool {
    let Some(published) = known.published else { return false };
    let rules = DateRules::strict(DateOrder::Dmy);
    let times = selector("time");
    let time = element.select(&times).next();
    let is_whole = |date: &str| {
        let label = text.replacen(date, "", 1);
        !date.is_empty() && label.split_whitespace().count() <= NAME_WORDS_MAX - 2 && !label.contains('.')
    };
    let leaves = element.descendants().filter_map(ElementRef::wrap).filter(|inner| {
        inner.children().all(|child| child.value().is_text()) && is_date_only(&text_of_element(*inner))
    });
    let day = match time {
        Some(time) => {
            Some(time).filter(|time| is_whole(&text_of_element(*time))).and_then(|time| date_of(time, rules))
        }
        None => {
            leaves.map(text_of_element).find(|date| is_whole(date)).and_then(|date| find_date(&date, rules))
        }
    };
    // The zone of the text is not known.
    day.is_some_and(|day| {
        let days = |at: jiff::Timestamp| at.to_zoned_datetime(TimeZone::UTC).date();
        days(day).duration_until(days(published)).abs().as_hours() <= 24
    })
}
