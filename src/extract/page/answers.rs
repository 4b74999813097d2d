//! The boards of forums: beside each topic they show when somebody answered last, which is no date of the topic.

use std::collections::HashSet;

use ego_tree::NodeId;
use scraper::ElementRef;

use super::{attribute, selector, text_within};
use crate::extract::words;

/// The heading of a column is not longer, in characters.
const HEADING_CHARS_MAX: usize = 40;
/// Number of elements around a link whose names are read.
const LINK_DEPTH_MAX: usize = 4;
/// A table of more columns is none that is read.
const COLUMNS_MAX: usize = 50;
/// So many elements of a record are looked at.
const ELEMENTS_MAX: usize = 500;

/// The parts of a record that say when it was answered last.
#[derive(Debug, Default)]
pub(in crate::extract) struct AnswerParts {
    own: HashSet<NodeId>,
    /// What these stand in, up to the record: their texts have that day as well.
    around: HashSet<NodeId>,
}

impl AnswerParts {
    pub(in crate::extract) fn of(part: ElementRef) -> AnswerParts {
        let mut found = AnswerParts::default();
        if !is_topic(part) {
            return found;
        }
        let elements = part.descendants().filter_map(ElementRef::wrap).take(ELEMENTS_MAX);
        for element in elements.filter(|element| element.id() != part.id() && is_of_answer(*element)) {
            found.own.insert(element.id());
            for around in element.ancestors() {
                found.around.insert(around.id());
                if around.id() == part.id() {
                    break;
                }
            }
        }
        found
    }

    pub(in crate::extract) fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// Whether an element is one of these parts, stands in one, or has one in it.
    pub(super) fn has(&self, element: ElementRef) -> bool {
        !self.is_empty()
            && (self.around.contains(&element.id())
                || self.own.contains(&element.id())
                || element.ancestors().any(|around| self.own.contains(&around.id())))
    }

    pub(super) fn extend(&mut self, other: AnswerParts) {
        self.own.extend(other.own);
        self.around.extend(other.around);
    }
}

/// Whether a part of a page is about a topic of a forum: it leads to one.
fn is_topic(part: ElementRef) -> bool {
    let links = part.descendants().filter_map(ElementRef::wrap).take(ELEMENTS_MAX);
    links
        .filter(|link| link.value().name() == "a")
        .filter_map(|link| attribute(link, "href"))
        .any(is_topic_address)
}

/// Whether an address is that of a topic on a board of a forum, as the usual programs make them.
pub(in crate::extract) fn is_topic_address(href: &str) -> bool {
    const SCRIPTS: [&str; 4] = ["viewtopic.php", "showthread.php", "topic.php", "thread.php"];
    let href = href.split_once("://").map_or(href, |(_, rest)| rest).split('#').next().unwrap_or_default();
    let (path, query) = href.split_once('?').unwrap_or((href, ""));
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // "/t/TITLE/12", "/d/12-TITLE", "/topic/12-TITLE", "/threads/TITLE.12", "/forums/topic/TITLE".
    let is_numbered = segments.windows(2).any(|two| match two[0] {
        "t" => segments.iter().skip(2).any(|last| is_number(last)),
        "d" | "topic" | "discussion" | "sujet" => is_number(two[1].split('-').next().unwrap_or_default()),
        "thread" | "threads" => two[1].rsplit(['.', '-']).next().is_some_and(is_number),
        "forums" => two[1] == "topic",
        _ => false,
    });
    is_numbered
        || segments.iter().any(|segment| SCRIPTS.contains(&segment.to_ascii_lowercase().as_str()))
        || query.split(['&', ';']).any(|pair| {
            pair.split_once('=').is_some_and(|(name, _)| matches!(name, "topic" | "tid" | "thread"))
        })
}

/// Whether an element has the date of the last answer: by its name, by what its link is called, or by the heading of its column.
fn is_of_answer(element: ElementRef) -> bool {
    let is_answer = |text: &str| words::after("answer", &words::plain(text)).is_some();
    element.value().classes().any(is_answer_name)
        || match element.value().name() {
            "a" => ["title", "aria-label"].iter().filter_map(|name| attribute(element, name)).any(is_answer),
            "td" => column_heading(element).is_some_and(|heading| is_answer(&heading)),
            _ => false,
        }
}

/// "lastpost", "last-reply", "freshness", "latestDate" of a topic: names for the last answer.
fn is_answer_name(class: &str) -> bool {
    let lower = class.to_ascii_lowercase();
    if lower.ends_with("freshness") {
        return true;
    }
    if !["last", "latest", "newest"].iter().any(|last| lower.contains(last)) {
        return false;
    }
    let joined = words::parts_of_name(class).concat();
    let is_last = ["last", "latest", "newest"].iter().any(|last| {
        ["post", "reply", "answer", "message", "comment", "activity"]
            .iter()
            .any(|what| joined.contains(&format!("{last}{what}")))
    });
    let is_list = ["posts", "messages", "comments"].iter().any(|list| joined.contains(list));
    is_last && !is_list || class.starts_with("structItem")
}

/// Whether a link stands where a board says what was answered last: in the line of a topic, or of a board.
pub(in crate::extract) fn is_link_to_answer(link: ElementRef) -> bool {
    let around = link.ancestors().filter_map(ElementRef::wrap).take(LINK_DEPTH_MAX);
    attribute(link, "href").is_some_and(is_topic_address)
        && std::iter::once(link).chain(around).any(|around| around.value().classes().any(is_answer_name))
}

/// The heading of the column of a table that a cell stands in.
pub(super) fn column_heading(cell: ElementRef) -> Option<String> {
    let row = cell.parent().and_then(ElementRef::wrap)?;
    let count = |beside: &mut dyn Iterator<Item = ElementRef>| beside.take(COLUMNS_MAX).count();
    let place = count(&mut cell.prev_siblings().filter_map(ElementRef::wrap));
    let table =
        row.ancestors().filter_map(ElementRef::wrap).find(|around| around.value().name() == "table")?;
    let head = table.select(&selector("tr")).next().filter(|head| head.id() != row.id())?;
    let headings: Vec<ElementRef> = head.children().filter_map(ElementRef::wrap).take(COLUMNS_MAX).collect();
    let after = count(&mut cell.next_siblings().filter_map(ElementRef::wrap));
    // Where a row has another number of cells, the last ones are those of the last columns.
    let place =
        if place + 1 + after == headings.len() { place } else { headings.len().checked_sub(after + 1)? };
    let heading = *headings.get(place)?;
    text_within(heading, HEADING_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::extract::page::Page;
    use crate::extract::prose_date::DateRules;

    /// The titles and days of a board with four topics; in a row, `NAME`, `N` and `DAY` stand for its own.
    fn topics(row: &str, around: &str) -> Vec<(String, String)> {
        let url = url::Url::parse("https://x.org/board?f=2").unwrap();
        let rules = DateRules { now: "2022-10-20T12:00:00Z".parse().ok(), ..DateRules::default() };
        let names = ["ferry", "school", "mill", "harbour"];
        let row = |(at, name): (usize, &&str)| {
            let (day, n) = ((at + 11).to_string(), (at + 40).to_string());
            row.replace("NAME", name).replace("DAY", &day).replace("NUM", &n)
        };
        let rows: String = names.iter().enumerate().map(row).collect();
        let page = format!("<title>The board</title><main>{}</main>", around.replace("ROWS", &rows));
        let feed = Page::parse(&page, Some(&url)).detect_listing(rules, &HashSet::new()).feed;
        let day = |date: Option<jiff::Timestamp>| {
            date.map(|date| date.strftime("%m-%d").to_string()).unwrap_or_default()
        };
        feed.entries.into_iter().map(|entry| (entry.title.unwrap().value, day(entry.published))).collect()
    }

    #[test]
    fn the_day_of_the_last_answer_is_none_of_a_topic() {
        let title = "<a href='/showthread.php?tid=NUM'>When does the NAME open?</a>";
        let table = "<table><tr><th>Topic</th><th>Replies</th><th>HEAD</th></tr>ROWS</table>";
        for (row, around, day) in [
            (
                format!("<tr><td>{title}</td><td>3</td><td>October 19, 2022</td></tr>"),
                table.replace("HEAD", "Activity"),
                "",
            ),
            (
                format!("<tr><td>{title}</td><td>3</td><td>19.10.2022, 10:02 von Ana</td></tr>"),
                table.replace("HEAD", "Letzter Beitrag"),
                "",
            ),
            (
                format!("<tr><td>{title}<br>DAY/10/2022</td><td>3</td><td>19/10/2022</td></tr>"),
                table.replace("HEAD", "Dernier message [asc]"),
                "10-11",
            ),
            (
                format!(
                    "<div class=row>{title}<p>by Ana, DAY October 2022</p><div class='lastpost'><a href='/showthread.php?tid=NUM#p9'>19 October 2022</a> by Luc</div></div>"
                ),
                "<div>ROWS</div>".into(),
                "10-11",
            ),
            (
                format!(
                    "<div class=row>{title}<p>Last post by <a href=/u/1>Luc</a> « <a href='/showthread.php?tid=NUM#p9' title='Go to last post'><time datetime=2022-10-19>x</time></a></p><p>by <a href=/u/2>Ana</a> » <time datetime=2022-10-DAY>x</time></p></div>"
                ),
                "<div>ROWS</div>".into(),
                "10-11",
            ),
        ] {
            let found = topics(&row, &around);
            assert_eq!(found.len(), 4, "{row}");
            assert_eq!(found[0], ("When does the ferry open?".to_owned(), day.to_owned()), "{row}");
        }
        let latest = "<article class=latest-post><h3><a href=/n/NUM>The NAME opens again</a></h3><div class=latest-post-date><time datetime=2022-10-DAY>x</time></div></article>";
        let board = "<li><h3><a href='viewforum.php?f=NUM'>Of the NAME</a></h3><p class=lastpost><a href='viewtopic.php?p=NUM'>Re: when does the NAME open</a> DAY October 2022</p></li>";
        assert!(topics(board, "<ul>ROWS</ul>").is_empty(), "boards with what was said last");
        assert_eq!(topics(latest, "<h1>News</h1>ROWS")[0].1, "10-11", "a list of what is new");
    }
}
