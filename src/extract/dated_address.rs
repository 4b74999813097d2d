//! Days and years in the paths of addresses. A number that may be an id, or part of a name, is no year.

use jiff::Timestamp;

use super::prose_date::midnight;

/// So many addresses of one directory that all have another number have ids.
const IDS_MIN: usize = 3;
/// Directories whose numbers are ids, or part of the name of something that lasts longer than a piece of news.
const NUMBERED: [&str; 22] = [
    "node",
    "nodes",
    "id",
    "item",
    "article",
    "page",
    "post",
    "p",
    "detail",
    "view",
    "show",
    "content",
    "document",
    "event",
    "evenement",
    "evento",
    "loi",
    "ley",
    "lei",
    "festival",
    "mandat",
    "budget",
];

/// `/2022/10/14/`, `/2022-10-14-`, `20221014_`.
pub(super) fn day_in_address(href: &str) -> Option<Timestamp> {
    let path = href.split_once("://").map_or(href, |(_, rest)| rest).split(['?', '#']).next()?;
    let numbers: Vec<(usize, &str)> = path
        .split(|c: char| !c.is_ascii_digit())
        .filter(|run| !run.is_empty())
        .map(|run| (run.as_ptr() as usize - path.as_ptr() as usize, run))
        .collect();
    let date = |year: &str, month: &str, day: &str| -> Option<Timestamp> {
        let year: i16 = year.parse().ok().filter(|year| (1990..=2100).contains(year))?;
        let date = jiff::civil::Date::new(year, month.parse().ok()?, day.parse().ok()?).ok()?;
        jiff::tz::Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()
    };
    let close = |a: (usize, &str), b: (usize, &str)| {
        b.0 == a.0 + a.1.len() + 1 && matches!(path.as_bytes()[b.0 - 1], b'/' | b'-' | b'_' | b'.')
    };
    // "/2022/10/5-things-to-know" names no day.
    let is_whole = |(at, run): (usize, &str)| {
        path.as_bytes()[at - 1] != b'/' || !path[at + run.len()..].starts_with(['-', '_'])
    };
    let triple = numbers.windows(3).find_map(|run| {
        let is_date = run[0].1.len() == 4
            && run[1].1.len() <= 2
            && run[2].1.len() <= 2
            && close(run[0], run[1])
            && close(run[1], run[2])
            && is_whole(run[2]);
        is_date.then(|| date(run[0].1, run[1].1, run[2].1)).flatten()
    });
    triple.or_else(|| {
        numbers
            .iter()
            .filter(|(_, run)| run.len() == 8)
            .find_map(|(_, run)| date(&run[..4], &run[4..6], &run[6..]))
    })
}

/// The day with which the last part of a path begins: `2021-12-03-title`.
pub(super) fn day_of_slug(href: &str) -> Option<Timestamp> {
    let slug = path_of(href)?.trim_end_matches('/').rsplit('/').next()?;
    let (day, title) = slug.split_at_checked(10)?;
    let is_title = title.strip_prefix('-')?.starts_with(char::is_alphabetic);
    day.parse::<jiff::civil::Date>().ok().filter(|_| is_title).and_then(midnight)
}

/// The year that an address gives a day without one: in a part of its path that is a date (`2021-12-03-title`, `/2021/12/`), or
/// else as a directory of its own (`/2021/title`), if the other addresses do not show that its number is an id. An address of
/// another month is one of something else.
pub(super) fn year_in_address(
    href: &str,
    all: &[&str],
    (month, day): (i8, i8),
    now: Option<Timestamp>,
) -> Option<i16> {
    let path = path_of(href)?;
    let segments: Vec<&str> = path.split('/').collect();
    if month_in(&segments).is_some() {
        return year_of_month(href, month, now);
    }
    let (at, year) = segments.iter().enumerate().find_map(|(at, segment)| Some((at, year_of(segment)?)))?;
    let goes_on = segments[at + 1..].iter().any(|segment| !segment.is_empty());
    let is_numbered = at > 0 && NUMBERED.contains(&segments[at - 1].to_ascii_lowercase().as_str());
    let date = jiff::civil::Date::new(year, month, day).ok().and_then(midnight)?;
    let is_ahead = now.is_some_and(|now| date > now);
    let directory = &href[..segments[at].as_ptr() as usize - href.as_ptr() as usize];
    (goes_on && !is_numbered && !is_ahead && !has_ids(directory, all)).then_some(year)
}

/// The year that a date in the path of an address gives a day of its month.
pub(super) fn year_of_month(href: &str, month: i8, now: Option<Timestamp>) -> Option<i16> {
    let segments: Vec<&str> = path_of(href)?.split('/').collect();
    let (year, of_month) = month_in(&segments)?;
    let this_year = now.map(|now| now.to_zoned_datetime(jiff::tz::TimeZone::UTC).year());
    (of_month == month && this_year.is_none_or(|this| year <= this)).then_some(year)
}

/// The year and month of the first part of a path that is a date.
fn month_in(segments: &[&str]) -> Option<(i16, i8)> {
    (0..segments.len()).find_map(|at| year_and_month(&segments[at..]))
}

fn path_of(href: &str) -> Option<&str> {
    let (_, path) = href.split_once("://").map_or(href, |(_, rest)| rest).split_once('/')?;
    path.split(['?', '#']).next()
}

/// The year and month that parts of a path begin with: `2021`, `12`; `2021-12`; `2021-12-03-title`; `20211203`.
fn year_and_month(segments: &[&str]) -> Option<(i16, i8)> {
    let month_of = |text: &str| text.parse::<i8>().ok().filter(|month| (1..=12).contains(month));
    let first = *segments.first()?;
    if let Some(year) = year_of(first) {
        let next = segments.get(1).filter(|next| next.len() <= 2)?;
        return Some((year, month_of(next)?));
    }
    let mut runs = first.split(['-', '_', '.']);
    let (head, second) = (runs.next()?, runs.next());
    match (head.len(), second) {
        (4, Some(second)) if second.len() == 2 => {
            let third = runs.next();
            let is_day = third.is_none_or(|day| {
                day.len() == 2 && day.parse::<i8>().is_ok_and(|day| (1..=31).contains(&day))
            });
            Some((year_of(head)?, month_of(second)?)).filter(|_| is_day)
        }
        (6 | 8, _) if head.bytes().all(|b| b.is_ascii_digit()) && segments.len() > 1 => {
            Some((year_of(&head[..4])?, month_of(&head[4..6])?))
        }
        _ => None,
    }
}

fn year_of(segment: &str) -> Option<i16> {
    let is_figures = segment.len() == 4 && segment.bytes().all(|b| b.is_ascii_digit());
    segment.parse().ok().filter(|year| is_figures && (1990..=2100).contains(year))
}

/// Whether the numbers that addresses have below a directory are ids: some are no years, or no two are the same.
fn has_ids(directory: &str, all: &[&str]) -> bool {
    let numbers: Vec<&str> = all
        .iter()
        .filter_map(|href| href.strip_prefix(directory)?.split(['/', '?', '#']).next())
        .filter(|segment| !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit()))
        .collect();
    let distinct: std::collections::HashSet<&str> = numbers.iter().copied().collect();
    numbers.iter().any(|number| year_of(number).is_none())
        || numbers.len() >= IDS_MIN && distinct.len() == numbers.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn years(addresses: &[&str]) -> Vec<Option<i16>> {
        let now = "2026-11-29T12:00:00Z".parse().ok();
        addresses.iter().map(|href| year_in_address(href, addresses, (11, 3), now)).collect()
    }

    #[test]
    fn a_year_is_a_date_in_the_path() {
        for path in [
            "/2024/a",
            "/news/2024/a",
            "/2024/11/a",
            "/blog/2024/11",
            "/2024-11-03-a",
            "/a/2024-11/b",
            "/2024/11/03/a",
            "/202411/a",
            "/a/20241103/b",
        ] {
            assert_eq!(years(&[&format!("https://x.org{path}")]), [Some(2024)], "{path}");
        }
        assert_eq!(
            years(&["https://x.org/2024/a", "https://x.org/2024/b", "https://x.org/2023/c"])[2],
            Some(2023)
        );
    }

    #[test]
    fn a_number_that_a_name_begins_with_is_no_day() {
        for (path, is_day) in [
            ("/2022/10/14/a", true),
            ("/2022/10/14", true),
            ("/2022/10/14.html", true),
            ("/2022-10-14-a", true),
            ("/2022/10/5-things-to-know", false),
            ("/2022/10/10_things", false),
        ] {
            assert_eq!(day_in_address(&format!("https://x.org{path}")).is_some(), is_day, "{path}");
        }
    }

    #[test]
    fn a_file_is_named_by_its_day() {
        assert!(day_of_slug("https://x.org/a/2021-12-03-the-title/").is_some());
        for path in ["/a/2021-12-03", "/2021-12-03/a", "/a/2021-12-33-b", "/a/2021-12-03-4"] {
            assert_eq!(day_of_slug(&format!("https://x.org{path}")), None, "{path}");
        }
    }

    #[test]
    fn an_id_a_name_and_a_year_to_come_are_none() {
        for path in [
            "/node/2024",
            "/node/2024/a",
            "/2024",
            "/news/2024/",
            "/news/2024-the-budget",
            "/news/the-budget-2024",
            "/news/loi-2016-1321",
            "/mandat-2020-2026/a",
            "/festival-2025/a",
            "/2027/a",
            "/2027/11/a",
            "/2024/10/a",
            "/a?y=2024",
        ] {
            assert_eq!(years(&[&format!("https://x.org{path}")]), [None], "{path}");
        }
        let ids = ["https://x.org/news/2024/a", "https://x.org/news/2023/b", "https://x.org/news/2019/c"];
        assert_eq!(years(&ids), [None; 3]);
        let ids = ["https://x.org/news/2024/a", "https://x.org/news/1988/b"];
        assert_eq!(years(&ids), [None; 2]);
    }
}
