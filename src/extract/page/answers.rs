//! The boards of forums: beside each topic they show when somebody answered last, which is no date of the topic.

use std::collections::HashSet;

use ego_tree::NodeId;
use scraper::ElementRef;

use super::{attribute, selector, text_within};
use crate::extract::words;

/// The heading of a column is not longer, in characters.
const HEADING_CHARS_MAX: usize = 40;
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

/// "lastpost", "last-reply", "latestDate" of a topic: names for the last answer.
fn is_answer_name(class: &str) -> bool {
    let lower = class.to_ascii_lowercase();
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

/// The heading of the column of a table that a cell stands in.
fn column_heading(cell: ElementRef) -> Option<String> {
    let row = cell.parent().and_then(ElementRef::wrap)?;
    let place = cell.prev_siblings().filter_map(ElementRef::wrap).count();
    let table =
        row.ancestors().filter_map(ElementRef::wrap).find(|around| around.value().name() == "table")?;
    let head = table.select(&selector("tr")).next().filter(|head| head.id() != row.id())?;
    let headings: Vec<ElementRef> = head.children().filter_map(ElementRef::wrap).collect();
    let after = cell.next_siblings().filter_map(ElementRef::wrap).count();
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
        let latest = "<article class=latest-posts><h3><a href=/n/NUM>The NAME opens again</a></h3><time datetime=2022-10-DAY>x</time></article>";
        assert_eq!(topics(latest, "<h1>News</h1>ROWS")[0].1, "10-11", "a list of what is new");
    }
}
