//! Reads listing pages without selectors by the common structure of their cards. Links in the same structural position form a
//! group; groups that lead to the same addresses form a listing; the listing that looks most like news wins. The result is
//! frozen into readable selectors.

mod cards;
mod evidence;
mod groups;
mod headings;
mod kinds;
mod links;
mod otherwise;
mod records;
mod rows;
mod selectors;
mod structured;
mod title;
mod unlinked;
mod unread;

use std::collections::HashSet;

use self::cards::Card;
use self::evidence::ListingDoubt;
use self::groups::Listings;
pub(super) use self::kinds::names_news;
pub(super) use self::links::is_call;
use self::links::{LinkGroup, LinkScope};
use super::page::Page;
use super::page::dates::AHEAD;
use super::prose_date::DateRules;
use super::{ExtractionMethod, PageReading};
use crate::model::feed::RawEntry;
use crate::support::text::{many, shorten};

/// Of the listings that do not come first, a shorter one is taken for what stands beside another, unless it is called news.
const ENTRIES_MIN: usize = 3;

impl Page {
    /// Finds the cards of a listing without selectors. Links to addresses that are known of the page prove one.
    pub fn detect_listing(&self, rules: DateRules, known: &HashSet<String>) -> PageReading {
        let mut feed = self.catalog();
        let listings = groups::listings(self, LinkScope::Links);
        let found = self.first_listing(&listings, rules, known);
        let structured = structured::entries(self, rules);
        let mined = found.as_ref().map_or(0, |(_, read)| read.entries.len());
        if structured.len() >= 3 && structured.len() * 10 >= mined * 8 {
            feed.entries = structured;
            return PageReading { feed, way: Some(ExtractionMethod::StructuredData), select: None };
        }
        let clicked = found.is_none().then(|| groups::listings(self, LinkScope::Wide));
        let by_click = clicked.as_ref().and_then(|clicked| self.first_listing(clicked, rules, known));
        let is_enough = |read: &ListingResult| read.cards.iter().all(|card| card.says_enough(self.base()));
        let Some((at, read)) = found.or_else(|| by_click.filter(|(_, read)| is_enough(read))) else {
            feed.entries = self.told_entries(rules, known);
            if feed.entries.is_empty() {
                feed.entries = self.told_rows(rules, known);
            }
            if feed.entries.is_empty() {
                feed.problems.push(self.nothing_found(&listings, rules));
                return PageReading { feed, way: None, select: None };
            }
            return PageReading { feed, way: Some(ExtractionMethod::Records), select: None };
        };
        let select = selectors::learn_selectors(self, &read.cards, &read.entries, rules);
        feed.notes = other_link_groups(clicked.as_ref().unwrap_or(&listings), at, &read.entries);
        feed.entries = read.entries;
        PageReading { feed, way: Some(ExtractionMethod::Records), select }
    }

    /// The entries of which the page itself tells everything, under headings that lead nowhere: only what has a title and a date,
    /// where something calls it news or events.
    fn told_entries(&self, rules: DateRules, known: &HashSet<String>) -> Vec<RawEntry> {
        let parts = groups::listings(self, LinkScope::Headings);
        let Some((_, read)) = self.first_listing(&parts, rules, known) else { return Vec::new() };
        let is_dated = |entry: &RawEntry| entry.published.is_some() || entry.event.is_some();
        let is_called = || evidence::are_news(self, &read.cards, &read.entries) || self.is_agenda(rules.now);
        let is_told = read.entries.len() > 1 && read.entries.iter().all(is_dated) && is_called();
        if is_told { read.entries } else { Vec::new() }
    }

    /// The entries that the rows of a table or of a list tell: what is past, where something calls it news.
    fn told_rows(&self, rules: DateRules, known: &HashSet<String>) -> Vec<RawEntry> {
        let rows = groups::listings(self, LinkScope::Rows);
        let Some((_, read)) = self.first_listing(&rows, rules, known) else { return Vec::new() };
        let latest = rules.now.map(|now| now + AHEAD);
        let is_past =
            |entry: &RawEntry| entry.published.is_some_and(|at| latest.is_none_or(|latest| at <= latest));
        let is_told =
            read.entries.iter().all(is_past) && evidence::are_news(self, &read.cards, &read.entries);
        if is_told { read.entries } else { Vec::new() }
    }

    /// The listing that looks most like news of those that are a listing, and its place among them. Only the first may be short
    /// without being called news, or stand in a menu or notice.
    fn first_listing<'a>(
        &self,
        listings: &Listings<'a>,
        rules: DateRules,
        known: &HashSet<String>,
    ) -> Option<(usize, ListingResult<'a>)> {
        listings.ranked.iter().enumerate().find_map(|(at, listing)| {
            if at > 0 && listing.is_set_aside() {
                return None;
            }
            let read = self.read_listing(listing, rules, known);
            let is_long = at == 0 || read.entries.len() >= ENTRIES_MIN;
            let is_listing =
                read.doubt.is_none() && (is_long || evidence::are_news(self, &read.cards, &read.entries));
            is_listing.then_some((at, read))
        })
    }

    /// The cards of a listing and their entries.
    fn read_listing<'a>(
        &self,
        listing: &LinkGroup<'a>,
        rules: DateRules,
        known: &HashSet<String>,
    ) -> ListingResult<'a> {
        let cards = headings::under_news(self, cards::cards(listing));
        let mut entries = cards::entries(self, &cards, rules);
        evidence::without_strays(&mut entries);
        let is_known = evidence::are_known(&entries, known);
        let are_tools = otherwise::are_tools(&entries);
        otherwise::without_tools(&mut entries);
        let doubt = if are_tools {
            Some(ListingDoubt::Tools)
        } else {
            evidence::doubt(self, &cards, &entries, listing.is_set_aside(), self.is_agenda(rules.now))
        };
        let doubt = doubt.filter(|doubt| *doubt == ListingDoubt::Gone || !is_known);
        let linked = cards.len();
        let cards = if doubt.is_none() { unlinked::with_unlinked(self.base(), cards) } else { cards };
        if cards.len() > linked {
            entries = cards::entries(self, &cards, rules);
            evidence::without_strays(&mut entries);
            otherwise::without_tools(&mut entries);
        }
        ListingResult { cards, entries, doubt }
    }

    /// That there is no listing, with what comes nearest.
    fn nothing_found(&self, listings: &Listings, rules: DateRules) -> String {
        let Some(listing) = listings.ranked.first() else {
            return "no listing found: no links on this page stand alike".into();
        };
        let read = self.read_listing(listing, rules, &HashSet::new());
        format!(
            "no listing found: the most alike are {} (\"{}\"), which are {}",
            many(read.cards.len(), "link", "links"),
            name_of(listing),
            read.doubt.unwrap_or(ListingDoubt::Few).words()
        )
    }
}

/// What was read of a listing, and why it is none.
struct ListingResult<'a> {
    cards: Vec<Card<'a>>,
    entries: Vec<RawEntry>,
    doubt: Option<ListingDoubt>,
}

/// A listing's first words.
fn name_of(listing: &LinkGroup) -> String {
    let first = listing.anchors.iter().map(|anchor| anchor.text.as_str()).find(|text| !text.is_empty());
    shorten(first.unwrap_or_default(), 40)
}

/// The groups of links that are not the listing, with the reason.
fn other_link_groups(listings: &Listings, chosen: usize, entries: &[RawEntry]) -> Vec<String> {
    let is_read = |listing: &LinkGroup| {
        let mut addresses = listing.anchors.iter().map(|anchor| anchor.href.as_str());
        addresses.all(|href| entries.iter().any(|entry| entry.url() == Some(href)))
    };
    let before = listings.ranked.iter().take(chosen).map(|listing| (listing, "it is no listing"));
    let after = listings.ranked.iter().skip(chosen + 1).chain(&listings.others);
    let others = after.map(|listing| {
        let first = listing.anchors.first();
        let reason = match first {
            _ if listing.is_set_aside() => "a menu, a notice or what stands beside the text",
            Some(first) if first.signature.ends_with("agenda") => "an agenda",
            _ => "it looks less like news",
        };
        (listing, reason)
    });
    before
        .chain(others)
        .filter(|(listing, _)| listing.keys().len() > 1 && !is_read(listing))
        .map(|(listing, reason)| {
            let count = many(listing.keys().len(), "link", "links");
            format!("left out: {count} (\"{}\", …): {reason}", name_of(listing))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::canonical_key;
    use crate::model::source::DateOrder;

    fn titles_and_days(body: &str) -> Vec<(String, String)> {
        let url = url::Url::parse("https://x.org/news/").unwrap();
        let now = "2022-10-20T12:00:00Z".parse().ok();
        let rules = DateRules { order: DateOrder::Dmy, now, year: None, is_order_known: false };
        let day = |date: Option<jiff::Timestamp>| {
            date.map(|date| date.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
        };
        let reading = Page::parse(body, Some(&url)).detect_listing(rules, &HashSet::new());
        let told = reading.feed.problems.iter().any(|problem| problem.starts_with("no listing found"));
        assert_eq!(told, reading.feed.entries.is_empty(), "what is not found is said");
        let entries = reading.feed.entries.into_iter();
        entries.map(|entry| (entry.title.unwrap().value, day(entry.published))).collect()
    }

    #[test]
    fn a_menu_a_notice_and_links_around_are_no_listing() {
        for body in [
            "<header><nav><a href=/>Home</a><a href=/a>Contact</a><a href=/b>Who we are</a></nav></header><main><p>Text</p></main>",
            "<div role=dialog><h2>We use cookies</h2><a href=/c1>Cookie policy of this site</a><a href=/c2>Privacy policy of this site</a><a href=/c3>Legal notice of this site</a></div>",
            "<ul class=breadcrumb><li><a href=/x>Home</a><li><a href=/y>News</a></ul><p>Text</p>",
            "<div><a href=/top>Back to top</a></div>",
            "<div class=l><a href=/m1>Town</a><a href=/m2>Council</a><a href=/m3>Taxes</a><a href=/m4>Sports</a></div>",
        ] {
            assert!(titles_and_days(body).is_empty(), "{body}: {:?}", titles_and_days(body));
        }
        let card = |n: u8| {
            format!(
                "<article><h3><a href=/n{n}>A piece of news, number {n}</a></h3><time>{n} October 2022</time></article>"
            )
        };
        assert_eq!(titles_and_days(&card(1)).len(), 1, "one that says it all");
        assert_eq!(titles_and_days(&format!("{}{}{}", card(3), card(2), card(1))).len(), 3);
    }

    #[test]
    fn days_that_lead_on_are_titles_unless_they_follow_each_other() {
        let list = |days: &[&str]| -> String {
            let item = |day: &&str| format!("<li><a href=\"/m/{}\">{day}</a></li>", day.replace(' ', "-"));
            format!("<ul>{}</ul>", days.iter().map(item).collect::<String>())
        };
        let minutes = ["6 October 2022", "1 September 2022", "7 July 2022"];
        let found = titles_and_days(&list(&minutes));
        let titles: Vec<&str> = found.iter().map(|(title, _)| title.as_str()).collect();
        assert_eq!(titles, minutes);
        assert_eq!(found[0].1, "2022-10-06");
        let leafed = ["3 October 2022", "4 October 2022", "5 October 2022", "6 October 2022"];
        assert!(titles_and_days(&list(&leafed)).is_empty());
    }

    #[test]
    fn undated_links_are_a_listing_only_where_something_calls_them_news() {
        let list = |class: &str, directory: &str| {
            let item = |n: u8| {
                format!(
                    "<div class={class}><h3><a href=/{directory}/{n}>The harbour and its keepers, {n}</a></h3><p>What there is to be known of them in a few words.</p></div>"
                )
            };
            (1..=4).map(item).collect::<String>()
        };
        let count = |body: &str| {
            let url = url::Url::parse("https://x.org/town/").unwrap();
            Page::parse(body, Some(&url))
                .detect_listing(DateRules::strict(DateOrder::Dmy), &HashSet::new())
                .feed
                .entries
                .len()
        };
        for services in [
            format!("<h1>Services</h1>{}", list("tile", "s")),
            format!("<title>Pagina niet gevonden</title><h1>Nieuws</h1>{}", list("tile", "s")),
            format!("<h1>Nieuws</h1><main><p>Text</p></main>{}", list("tile", "s")),
            list("tile", "town"),
            format!("<nav><a href=/town/1>One</a><a href=/town/2>Two</a><a href=/town/3>Three</a></nav><title>News</title>{}", list("tile", "town")),
            "<h1>Forms</h1><ul><li><a href=/f/a.pdf>Form to ask for a permit to build</a><li><a href=/f/b.pdf>Form to ask for a place in school</a><li><a href=/f/c.pdf>Form to ask for a lower tax</a></ul>".to_owned(),
            "<main><article><h1>The bridge is open</h1><p>4 May 2022</p><p>It was closed for two years, says <a href=/r.pdf>the report</a> of its builders.</p></article></main>".to_owned(),
        ] {
            assert_eq!(count(&services), 0, "{services}");
        }
        let steps = "<h1>Request</h1><ol><li><a href='?step=1'>Who you are and where you live</a><li><a href='?step=2'>What you want to ask for</a><li><a href='?step=3'>Look at it all and send</a></ol>";
        let url = url::Url::parse("https://x.org/noticias").ok();
        let steps = Page::parse(steps, url.as_ref())
            .detect_listing(DateRules::strict(DateOrder::Dmy), &HashSet::new());
        assert_eq!(steps.feed.entries.len(), 0, "the page's own address says nothing of its steps");
        for news in [
            format!("<h1>Nieuws</h1>{}", list("tile", "s")),
            format!("<h2>Habari za mji</h2>{}", list("tile", "s")),
            format!("<title>Новости - Город</title>{}", list("tile", "s")),
            list("newsItem", "s"),
            list("tile", "noticias"),
        ] {
            assert_eq!(count(&news), 4, "{news}");
        }
    }

    #[test]
    fn what_a_search_found_is_a_listing_only_where_it_is_dated() {
        let count = |address: &str, head: &str, day: &str| {
            let item = |n: u8| {
                format!(
                    "<article class=news><h3><a href=/news/{n}>The harbour and its keepers, {n}</a></h3><p>What there is to be known of them in a few words.{day}</p></article>"
                )
            };
            let body = format!("{head}<main>{}</main>", (1..5).map(item).collect::<String>());
            let url = url::Url::parse(address).unwrap();
            let page = Page::parse(&body, Some(&url));
            page.detect_listing(DateRules::strict(DateOrder::Dmy), &HashSet::new()).feed.entries.len()
        };
        let form = "<title>News</title><form><input type=search name=q value='the harbour'></form>";
        for (address, head) in [
            ("https://x.org/a", "<title>Search results for harbour</title>"),
            ("https://x.org/a", "<h1>Résultats de la recherche : port</h1>"),
            ("https://x.org/fr/recherche", "<title>Port</title>"),
            ("https://x.org/news?q=the+harbour", form),
        ] {
            assert_eq!(count(address, head, ""), 0, "{address} {head}");
            assert_eq!(count(address, head, "</p><p>4 October 2022"), 4, "{address} {head}");
        }
        for (address, head) in [
            ("https://x.org/news?q=the+harbour", "<title>News</title>"),
            ("https://x.org/news?page=2", form),
            ("https://x.org/news/search", "<title>News</title>"),
            ("https://x.org/a", "<title>News of the search for the lost ship</title>"),
        ] {
            assert_eq!(count(address, head, ""), 4, "{address} {head}");
        }
    }

    #[test]
    fn what_a_page_tells_itself_under_headings_is_read_where_it_is_dated_and_called_news() {
        let url = url::Url::parse("https://x.org/town/").unwrap();
        let read = |body: &str| {
            let rules = DateRules { now: "2022-10-20T12:00:00Z".parse().ok(), ..DateRules::default() };
            let entries = Page::parse(body, Some(&url)).detect_listing(rules, &HashSet::new()).feed.entries;
            let part = |entry: &RawEntry| {
                let url = entry.url().unwrap().to_owned();
                let day = entry.published.map(|date| date.strftime("%m-%d").to_string());
                (entry.title.clone().unwrap().value, day.unwrap_or_default(), url)
            };
            entries.iter().map(part).collect::<Vec<_>>()
        };
        let of = |record: &str| {
            let records: String = (1..=3)
                .map(|n| {
                    record.replace("NAME", ["ferry", "school", "mill"][n - 1]).replace('N', &n.to_string())
                })
                .collect();
            records
        };
        for (record, address) in [
            (
                "<div class=c><h3>The NAME opens again</h3><p class=date>N October 2022</p><p>All of it.</p></div>",
                "",
            ),
            (
                "<div class=c id=the-NAME><h2>The NAME opens again</h2><p>N October 2022</p><p>All of it.</p></div>",
                "#the-ferry",
            ),
            (
                "<div class=c id=item-N><h2>The NAME opens again</h2><p>N October 2022</p><p>All of it.</p></div>",
                "",
            ),
            (
                "<details><summary>The NAME opens again <small>N October 2022</small></summary><p>All of it.</p></details>",
                "",
            ),
        ] {
            let found = read(&format!("<h1>News</h1><main>{}</main>", of(record)));
            assert_eq!(found.len(), 3, "{record}");
            let want = (
                "The ferry opens again".to_owned(),
                "10-01".to_owned(),
                format!("https://x.org/town/{address}"),
            );
            assert_eq!(found[0], want, "{record}");
            assert!(read(&format!("<h1>Our history</h1><main>{}</main>", of(record))).is_empty(), "{record}");
        }
        let linked = of("<li><a href=#the-NAME>The NAME opens again</a></li>")
            + &of("<div class=c id=the-NAME><h2>The NAME opens again</h2><p>N October 2022</p></div>");
        assert_eq!(read(&format!("<h1>News</h1>{linked}"))[2].2, "https://x.org/town/#the-mill");
        let undated = of("<div class=c><h3>The NAME opens again</h3><p>All of it.</p></div>");
        assert!(read(&format!("<h1>News</h1>{undated}")).is_empty());
    }

    #[test]
    fn rows_that_tell_news_are_read_and_rows_of_anything_else_are_not() {
        let read = |body: &str| {
            let url = url::Url::parse("https://x.org/town/").unwrap();
            let rules = DateRules { now: "2022-10-20T12:00:00Z".parse().ok(), ..DateRules::default() };
            let entries = Page::parse(body, Some(&url)).detect_listing(rules, &HashSet::new()).feed.entries;
            let part = |entry: &RawEntry| {
                let day = entry.published.map(|date| date.strftime("%m-%d").to_string());
                (entry.title.clone().unwrap().value, day.unwrap_or_default(), entry.url().unwrap().to_owned())
            };
            entries.iter().map(part).collect::<Vec<_>>()
        };
        let rows = |row: &str| -> String {
            let names = ["ferry", "school", "mill", "harbour"];
            let row =
                |(at, name): (usize, &&str)| row.replace("NAME", name).replace("DAY", &(at + 11).to_string());
            names.iter().enumerate().map(row).collect()
        };
        let table = |row: &str| format!("<table><tr><th>Date</th><th>What</th></tr>{}</table>", rows(row));
        let want = |fragment: &str| {
            ("The ferry opens again".to_owned(), "10-11".to_owned(), format!("https://x.org/town/{fragment}"))
        };
        for (list, fragment) in [
            (table("<tr><td>DAY/10/2022</td><td>The NAME opens again</td></tr>"), ""),
            (table("<tr><td>DAY/10/2022</td><td>Town</td><td>The NAME opens again</td></tr>"), ""),
            (
                table("<tr id=the-NAME><td>The NAME opens again</td><td>DAY October 2022</td></tr>"),
                "#the-ferry",
            ),
            (
                table("<tr><td>DAY/10/2022</td><td>The NAME opens again</td></tr>")
                    .replace("The mill opens again", "Mill opened")
                    .replace("<tr><td>14", "<tr><td colspan=2>2022</td></tr><tr><td>14"),
                "",
            ),
            (format!("<dl>{}</dl>", rows("<dt>DAY October 2022</dt><dd>The NAME opens again</dd>")), ""),
            (
                format!(
                    "<dl>{}</dl>",
                    rows("<dt>DAY October 2022: The NAME opens again</dt><dd>All may come and see it.</dd>")
                ),
                "",
            ),
        ] {
            let found = read(&format!("<h1>News</h1><main>{list}</main>"));
            assert_eq!((found.len(), found.first()), (4, Some(&want(fragment))), "{list}");
            assert!(read(&format!("<h1>Our town</h1><main>{list}</main>")).is_empty(), "{list}");
        }
        for list in [
            table("<tr><td>DAY/10/2022</td><td>The NAME is open then</td><td>9:00 - 12:00</td></tr>"),
            table("<tr><td>DAY/10/2022</td><td>A walk to the NAME</td><td>12 €</td></tr>"),
            table("<tr><td>DAY/09/2022</td><td>DAY/10/2022</td><td>Holidays of the NAME school</td></tr>"),
            table("<tr><td>DAY/11/2022</td><td>The NAME opens again</td></tr>"),
            table("<tr><td>DAY/10/2022</td><td>The NAME</td></tr>"),
            table("<tr><td>Monday</td><td>The NAME opens again</td></tr>"),
            table("<tr><td>DAY/10/2022</td><td>The boat sails again</td></tr>"),
            format!(
                "<table>{}<tr><td>9:00</td><td>All is open again</td></tr></table>",
                rows("<tr><td>DAY/10/2022</td><td>The NAME opens again</td></tr>")
            ),
            format!(
                "<dl>{}</dl>",
                rows("<dt>DAY October 2022</dt><dd>The NAME is open from 9:00 to 12:00</dd>")
            ),
            format!("<dl>{}</dl>", rows("<dt>The NAME opens again</dt><dd>All may come and see it.</dd>")),
        ] {
            assert!(read(&format!("<h1>News</h1><main>{list}</main>")).is_empty(), "{list}");
        }
    }

    #[test]
    fn days_in_figures_below_the_heading_of_a_year_date_and_prove_a_listing() {
        let item = |(at, day): (usize, &str)| {
            format!("<li><span>{day}</span> <a href=/c/{at}>The council opens library number {at}</a></li>")
        };
        let list = |days: [&str; 2], from: usize| {
            days.into_iter().enumerate().map(|(at, day)| item((from + at, day))).collect::<String>()
        };
        for [a, b, c, d] in [["12/10", "03/09", "20/12", "01/11"], ["12.10.", "3.9.", "20.12.", "1.11."]] {
            let body = format!(
                "<h1>Documents</h1><h2>2022</h2><ul>{}</ul><h2>2021</h2><ul>{}</ul>",
                list([a, b], 1),
                list([c, d], 3)
            );
            let days: Vec<String> = titles_and_days(&body).into_iter().map(|(_, day)| day).collect();
            assert_eq!(days, ["2022-10-12", "2022-09-03", "2021-12-20", "2021-11-01"]);
        }
    }

    #[test]
    fn a_day_in_figures_has_the_year_of_its_month_in_the_address() {
        let list = |path: &str| {
            let item = |n: u8| {
                format!(
                    "<article><h3><a href={path}/the-library-no{n}>The council opens library {n}</a></h3><span class=date>1{n}/09</span></article>"
                )
            };
            let body = format!("<h1>News</h1>{}", (1..4).map(item).collect::<String>());
            titles_and_days(&body).into_iter().map(|(_, day)| day).collect::<Vec<_>>()
        };
        assert_eq!(list("/2021/09"), ["2021-09-11", "2021-09-12", "2021-09-13"]);
        for path in ["/2021/08", "/2023/09", "/a"] {
            assert_eq!(list(path), [""; 3], "{path}");
        }
    }

    #[test]
    fn a_day_that_ends_a_title_dates_it_where_most_titles_have_one() {
        let list = |ends: [&str; 4]| {
            let names = ["The pool opens", "A street is modified", "The market is back", "All is well again"];
            let item = |(at, (name, end)): (usize, (&str, &str))| {
                format!(
                    "<article><h3><a href=/n/{at}>{name}{end}</a></h3><p>What is to be known of it, said in a few words.</p></article>"
                )
            };
            let body = names.into_iter().zip(ends).enumerate().map(item).collect::<String>();
            titles_and_days(&format!("<h1>News</h1>{body}"))
        };
        let all =
            [" – 10 October 2022", " modifiée – 11 October 2022", " - 12/10/2022", " (13 October 2022)"];
        let found = list(all);
        let days: Vec<&str> = found.iter().map(|(_, day)| day.as_str()).collect();
        assert_eq!(days, ["2022-10-10", "2022-10-11", "2022-10-12", "2022-10-13"]);
        assert_eq!((found[0].0.as_str(), found[3].0.as_str()), ("The pool opens", "All is well again"));
        let one = list(["", " modifiée – 11 October 2022", "", ""]);
        assert!(one.len() == 4 && one.iter().all(|(_, day)| day.is_empty()), "what only one tells of");
        assert_eq!(one[1].0, "A street is modified modifiée – 11 October 2022");
    }

    #[test]
    fn selectors_that_are_learned_read_the_dates_that_were_mined() {
        let url = url::Url::parse("https://x.org/news/").unwrap();
        let rules = DateRules { now: "2022-10-20T12:00:00Z".parse().ok(), ..DateRules::default() };
        for date in ["<span class=ago>DAY days ago</span>", "<span class=date>il y a DAY jours</span>"] {
            let card = |n: usize| {
                let date = date.replace("DAY", &n.to_string());
                format!(
                    "<article class=item><h3><a href=/n/{n}>The library of the town, {n}</a></h3>{date}</article>"
                )
            };
            let body = format!("<h1>News</h1>{}", (2..6).map(card).collect::<String>());
            let page = Page::parse(&body, Some(&url));
            let mined = page.detect_listing(rules, &HashSet::new());
            let read = page.read_cards(&mined.select.unwrap(), rules);
            let dates =
                |entries: &[RawEntry]| entries.iter().map(|entry| entry.published).collect::<Vec<_>>();
            assert!(mined.feed.entries.iter().all(|entry| entry.published.is_some()), "{date}");
            assert_eq!(dates(&read.entries), dates(&mined.feed.entries), "{date}");
        }
        let item = |n: usize| {
            format!("<li><span>1{n}/10</span> <a href=/c/{n}>The council opens library {n}</a></li>")
        };
        let body = format!("<h1>News</h1><h2>2022</h2><ul>{}</ul>", (1..5).map(item).collect::<String>());
        let mined = Page::parse(&body, Some(&url)).detect_listing(rules, &HashSet::new());
        assert!(mined.feed.entries.iter().all(|entry| entry.published.is_some()));
        assert_eq!(mined.select, None, "selectors cannot say where the year stands");
    }

    #[test]
    fn cards_of_one_picture_each_are_called_what_it_shows() {
        let card =
            |(at, alt): (usize, &str)| format!("<a href=/news/{at}><img src=/i/{at}.jpg alt='{alt}'></a>");
        let of = |alts: [&str; 3]| {
            let cards: String = alts.into_iter().enumerate().map(card).collect();
            titles_and_days(&format!("<h1>News</h1><main><div class=news>{cards}</div></main>"))
        };
        let titles: Vec<String> = of(["Street festival", "Monet exhibition", "School race"])
            .into_iter()
            .map(|(title, _)| title)
            .collect();
        assert_eq!(titles, ["Street festival", "Monet exhibition", "School race"]);
        let dated = |(at, alt): (usize, &str)| {
            let day = at + 1;
            format!(
                "<article><a href=/news/{at}><img src=/i/{at}.jpg alt='{alt}'></a><span>{day} October 2022</span></article>"
            )
        };
        let cards: String = ["Street festival", "Monet exhibition", "School race"]
            .into_iter()
            .enumerate()
            .map(dated)
            .collect();
        assert_eq!(titles_and_days(&format!("<h1>News</h1><main>{cards}</main>")).len(), 3);
        assert!(of(["Logo Region", "Logo State", "Logo Union"]).is_empty());
    }

    #[test]
    fn an_excerpt_ends_before_the_sign_that_it_is_cut() {
        let card = |n: u8| {
            format!(
                "<article><h2><a href=/n/{n}>The pool opens again, {n}</a></h2><time>{n} October 2022</time><div class=summary><p>Swimmers may come again from next Monday on. [&hellip;] <a href=/n/{n}>Read more</a></p></div></article>"
            )
        };
        let url = url::Url::parse("https://x.org/news/").ok();
        let page = format!("<h1>News</h1>{}", (1..4).map(card).collect::<String>());
        let page = Page::parse(&page, url.as_ref());
        let mined = page.detect_listing(DateRules::default(), &HashSet::new());
        let read = page.read_cards(&mined.select.unwrap(), DateRules::default());
        for entry in mined.feed.entries.iter().chain(&read.entries) {
            assert_eq!(entry.summary.as_ref().unwrap().value, "Swimmers may come again from next Monday on.");
        }
    }

    #[test]
    fn a_year_that_one_entry_of_a_sorted_list_has_dates_the_others() {
        let read = |days: &[&str]| {
            let item = |(at, day): (usize, &&str)| {
                format!(
                    "<li><a href=/n{at}>The council opens library number {at}</a> <span class=date>{day}</span></li>"
                )
            };
            let body: String = days.iter().enumerate().map(item).collect();
            titles_and_days(&format!("<h1>News</h1><ul>{body}</ul>"))
                .into_iter()
                .map(|(_, day)| day)
                .collect::<Vec<_>>()
        };
        let none = |days: &[&str]| read(days).iter().filter(|day| day.is_empty()).count();
        assert_eq!(
            read(&["14 October", "3 October", "12 September", "18 August 2022"]),
            ["2022-10-14", "2022-10-03", "2022-09-12", "2022-08-18"]
        );
        assert_eq!(
            read(&["12 January", "18 December", "3 November", "25 October 2021"]),
            ["2022-01-12", "2021-12-18", "2021-11-03", "2021-10-25"]
        );
        assert_eq!(
            read(&["14 January 2022", "3 January", "12 December", "18 November"]),
            ["2022-01-14", "2022-01-03", "2021-12-12", "2021-11-18"]
        );
        assert_eq!(none(&["3 September", "2 March", "15 February 2021"]), 2, "of this year or of the last");
        assert_eq!(none(&["3 March", "12 September", "2 May", "18 August 2022"]), 3, "not sorted");
        assert_eq!(none(&["14 October", "3 October", "12 September"]), 3, "no year");
    }

    #[test]
    fn what_lasts_for_months_and_what_stands_below_an_article_is_no_listing() {
        let count = |address: &str, body: &str| {
            let url = url::Url::parse(address).unwrap();
            let rules = DateRules { now: "2022-10-20T12:00:00Z".parse().ok(), ..DateRules::default() };
            Page::parse(body, Some(&url)).detect_listing(rules, &HashSet::new()).feed.entries.len()
        };
        let cards = |text: &str| {
            let card = |n: u8| {
                format!(
                    "<div class=card><h3><a href=/garden/{n}>A garden for all of us, {n}</a></h3><p>{text}</p></div>"
                )
            };
            format!("<h1>What we do</h1>{}", (1..=4).map(card).collect::<String>())
        };
        for text in [
            "Laufzeit: 01.02.2021 – 31.12.2023",
            "01/02/2021 – 31/12/2023",
            "Du 01/09/2022 au 30/06/2023",
            "Baubeginn: 01.03.2022",
            "Début des travaux : 3 mars 2022",
            "Inicio de obra: 3/3/2022",
        ] {
            assert_eq!(count("https://x.org/town/", &cards(text)), 0, "{text}");
        }
        let agenda = cards("Du 01/09/2022 au 30/06/2023").replace("What we do", "Agenda");
        assert_eq!(count("https://x.org/town/", &agenda), 4, "an exhibition is an event");
        let holidays = agenda.replace("Agenda", "School holidays").replace("30/06/2023", "12/09/2022");
        assert_eq!(count("https://x.org/town/", &holidays), 0);
        assert_eq!(count("https://x.org/town/", &holidays.replace("School holidays", "Works")), 4);
        let card = |n: u8| {
            format!(
                "<li class=NAME><blockquote>They are good, {n}.</blockquote><h4><a href=/w/{n}>Ana Ford the {n}th</a></h4><time>{n} October 2022</time></li>"
            )
        };
        let quotes: String = (1..=4).map(card).collect();
        assert_eq!(count("https://x.org/town/", &quotes), 0);
        let comments = format!("<ol class=comments>{}</ol>", quotes.replace("blockquote", "p"));
        assert_eq!(count("https://x.org/news/one", &comments), 0);
        let article = format!(
            "<title>The town has a new bridge | Town</title><h1>The town has a new bridge</h1><article><p>4 October 2022</p>{}</article>",
            "<p>The bridge was opened by the mayor, who thanked all who had built it for two years.</p>"
                .repeat(5)
        );
        let teaser = |n: u8| {
            format!(
                "<article class=teaser><h3><a href=/news/{n}>A piece of news, number {n}</a></h3><time>{n} October 2022</time></article>"
            )
        };
        let teasers: String = (1..=4).map(teaser).collect();
        let below = format!("<section><h2>More news</h2>{teasers}</section>");
        let address = "https://x.org/news/the-bridge";
        assert_eq!(count(address, &format!("{article}{below}")), 0);
        let unnamed = article.replace("article>", "div>");
        assert_eq!(count(address, &format!("{unnamed}{below}")), 0);
        assert_eq!(count("https://x.org/the-bridge/news", &format!("{unnamed}{below}")), 4);
        assert_eq!(count(address, &format!("<h1>News</h1>{teasers}")), 4);
    }

    #[test]
    fn known_addresses_prove_a_listing() {
        let url = url::Url::parse("https://x.org/").unwrap();
        let body = "<title>Town</title><ul><li><a href=/a>One</a><li><a href=/b>Two</a><li><a href=/c>Three</a></ul>";
        let count = |known: &[&str]| {
            let known = known.iter().filter_map(|address| canonical_key(address)).collect();
            Page::parse(body, Some(&url))
                .detect_listing(DateRules::strict(DateOrder::Dmy), &known)
                .feed
                .entries
                .len()
        };
        assert_eq!(count(&["https://x.org/a", "https://x.org/c"]), 3);
        assert_eq!(count(&["https://x.org/a", "https://x.org/d"]), 0);
    }

    #[test]
    fn the_title_or_the_address_of_a_page_calls_plain_links_news() {
        let links = |attributes: &str| {
            format!(
                "<div {attributes}><a href=/a-1>The ferry sails again</a></div><div><a href=/a-2>A school opens its doors</a></div><div><a href=/a-3>The mill has a roof</a></div>"
            )
        };
        let count = |address: &str, body: &str| {
            let url = url::Url::parse(address).unwrap();
            let page = Page::parse(body, Some(&url));
            page.detect_listing(DateRules::strict(DateOrder::Dmy), &HashSet::new()).feed.entries.len()
        };
        assert_eq!(count("https://x.org/2", &format!("<title>Berita | Kota</title>{}", links(""))), 3);
        assert_eq!(count("https://x.org/noticias.html", &links("")), 3);
        assert_eq!(count("https://x.org/2", &links("")), 0);
        let headed = format!("<title>Berita | Kota</title><h2>Services</h2>{}", links(""));
        assert_eq!(count("https://x.org/2", &headed), 0, "what stands under another heading is not meant");
        let menu = format!("<title>Berita</title><nav>{}</nav>", links(""));
        assert_eq!(count("https://x.org/2", &menu), 0);
    }

    #[test]
    fn records_under_a_heading_that_calls_them_news_are_the_listing() {
        let section = |heading: &str, from: u8, day: &str| {
            let card = |n: u8| {
                format!(
                    "<div class=card><h3><a href=/c{n}>A thing to be said, number {n}</a></h3><p>{day}</p></div>"
                )
            };
            format!("<section><h2>{heading}</h2>{}</section>", (from..from + 3).map(card).collect::<String>())
        };
        for day in ["", "4 October 2022"] {
            let body = section("What we do", 1, "")
                + &section("Laatste nieuws", 4, day)
                + &section("The team", 7, "");
            let titles: Vec<String> = titles_and_days(&body).into_iter().map(|(title, _)| title).collect();
            assert_eq!(titles, [4, 5, 6].map(|n| format!("A thing to be said, number {n}")), "{day}");
        }
        let months = section("Nieuws", 1, "") + &section("Oktober", 4, "4 October 2022");
        assert_eq!(titles_and_days(&months).len(), 6, "what is dated is news under any heading");
    }

    #[test]
    fn a_form_around_the_page_and_names_that_only_mention_an_aside_are_none() {
        let rows = |around: &dyn Fn(String) -> String| {
            let row = |n: u8| {
                format!(
                    "<tr><td>{n} October 2022</td><td><a href=/r{n}>The minutes of meeting {n}</a></td></tr>"
                )
            };
            titles_and_days(&around(format!("<table>{}</table>", (1..=6).map(row).collect::<String>()))).len()
        };
        assert_eq!(rows(&|rows| format!("<form><input name=filter><input type=hidden>{rows}</form>")), 6);
        for name in [
            "elementor-widget",
            "content-with-sidebar",
            "menu-content",
            "pagination-wrap",
            "cookie-law-enabled",
            "sidebar-left-page",
        ] {
            assert_eq!(rows(&|rows| format!("<div class={name}><h1>Minutes</h1>{rows}</div>")), 6, "{name}");
        }
        let ask = (1..=4).map(|n| {
            format!("<label><input type=checkbox><a href=/c{n}>Partner number {n} of ours</a></label>")
        });
        assert!(
            titles_and_days(&format!("<h2>News</h2><form>{}</form>", ask.collect::<String>())).is_empty()
        );
    }

    #[test]
    fn news_is_named_by_addresses_and_classes_of_many_systems() {
        let count = |class: &str, address: &dyn Fn(u8) -> String| {
            let card = |n: u8| {
                format!(
                    "<div class=c><h3><a href='{}'>The lock is being mended, {n}</a></h3></div>",
                    address(n)
                )
            };
            let url = url::Url::parse("https://x.org/").unwrap();
            let body = format!("<div class='{class}'>{}</div>", (1..=3).map(card).collect::<String>());
            Page::parse(&body, Some(&url))
                .detect_listing(DateRules::strict(DateOrder::Dmy), &HashSet::new())
                .feed
                .entries
                .len()
        };
        for address in [
            "/spip.php?article",
            "/i.php?page=actu&id=",
            "/s.php?news=",
            "/?post_type=post&p=",
            "/web/-/s",
            "/flash-infos/s",
            "/infos/s",
            "/nota/s",
            "/p/s",
        ] {
            assert_eq!(count("", &|n| format!("{address}{n}")), 3, "{address}");
        }
        for class in ["newslist", "newsflash", "mod_latestnews", "post-list", "articleList", "entries"] {
            assert_eq!(count(class, &|n| format!("/s{n}")), 3, "{class}");
        }
        for address in ["/s.php?id=", "/services/s", "/?view=s", "/node/"] {
            assert_eq!(count("", &|n| format!("{address}{n}")), 0, "{address}");
        }
    }

    #[test]
    fn what_all_records_share_is_a_label() {
        let titles = |card: &dyn Fn(u8) -> String| {
            let found = titles_and_days(&(1..=3).map(card).collect::<String>()).into_iter();
            found.map(|(title, _)| title).collect::<Vec<_>>()
        };
        let wanted = [1, 2, 3].map(|n| format!("The dyke holds, say all {n}"));
        let in_link = |n: u8| {
            format!(
                "<a class=t href=/a{n}><div class=x1>Water</div><div class=x2>The dyke holds, say all {n}</div><div class=x3>{n} October 2022</div></a>"
            )
        };
        let called = |n: u8| {
            format!(
                "<div class=c><i>{n} October 2022</i><b>The dyke holds, say all {n}</b><p>The whole text.</p><a href=/a{n}>All of this</a></div>"
            )
        };
        assert_eq!(titles(&in_link), wanted);
        assert_eq!(titles(&called), wanted);
        let same = |n: u8| {
            format!(
                "<div class=c><i>{n} October 2022</i><h3><a href=/a{n}>Minutes of the council</a></h3></div>"
            )
        };
        assert_eq!(titles(&same), ["Minutes of the council"; 3], "nothing is lost where there is no other");
    }

    #[test]
    fn a_line_break_between_a_date_and_its_link_does_not_part_them() {
        let line = |n: u8| {
            format!(
                "<b>{n} October 2022</b><br><a href=/l{n}>The locks of canal {n} are shut</a><br>Text.<br><br>"
            )
        };
        let found = titles_and_days(&format!("<div>{}</div>", (1..=4).map(line).collect::<String>()));
        let days: Vec<String> = found.into_iter().map(|(_, day)| day).collect();
        assert_eq!(days, ["2022-10-01", "2022-10-02", "2022-10-03", "2022-10-04"]);
        let bare =
            |n: u8| format!("{n} October 2022 - <a href=/l{n}>The locks of canal {n} are shut</a><br>");
        let found = titles_and_days(&format!("<p>{}</p>", (1..=4).map(bare).collect::<String>()));
        assert_eq!(found[3], ("The locks of canal 4 are shut".to_owned(), "2022-10-04".to_owned()));
    }

    #[test]
    fn what_looks_more_like_news_but_is_none_does_not_hide_the_news() {
        let tile = |n: u8| {
            format!(
                "<div class=tile><img src=/i{n}.png><h3><a href=/s/{n}>Service number {n} of the town hall</a></h3><p>What it does for you, told in a few words and in some more of them.</p></div>"
            )
        };
        let item = |n: u8| {
            format!("<li><a href=/b/{n}>The council met for time {n}</a> <i>{n} October 2022</i></li>")
        };
        let body = format!(
            "<main>{}<ul>{}</ul></main>",
            (1..=6).map(tile).collect::<String>(),
            (1..=3).map(item).collect::<String>()
        );
        let reading = Page::parse(&body, url::Url::parse("https://x.org/").ok().as_ref())
            .detect_listing(DateRules::strict(DateOrder::Dmy), &HashSet::new());
        let notes: Vec<&String> = reading.feed.entries.iter().flat_map(|entry| &entry.notes).collect();
        assert_eq!(notes[0], "its date comes from `i` (\"1 October 2022\")");
        assert_eq!(notes.len(), 3);
        assert_eq!(
            reading.feed.notes,
            ["left out: 6 links (\"Service number 1 of the town hall\", …): it is no listing"]
        );
    }

    #[test]
    fn a_record_is_one_entry_with_all_of_its_links() {
        let rows = |row: &dyn Fn(u8) -> String| titles_and_days(&(1..=3).map(row).collect::<String>());
        let wanted: Vec<(String, String)> =
            (1..=3).map(|n| (format!("Sitting {n} of the council"), format!("2022-10-0{n}"))).collect();
        let page = |n: u8| {
            format!(
                "<li>{n} October 2022: <a href=/c/{n}>Sitting {n} of the council</a> <a href=/c/{n}.pdf>Unduh (PDF, 2 MB)</a></li>"
            )
        };
        let file = |n: u8| {
            format!(
                "<tr><td>{n} October 2022<td><a href=/c/{n}.pdf>Sitting {n} of the council</a><td><a href=/c/{n}.odt>Scarica</a></tr>"
            )
        };
        let report = |n: u8| {
            format!(
                "<div class=row><b>{n} October 2022</b> <a href=/c/{n}>Sitting {n} of the council</a> <a href=/c/{n}.pdf>Verbatim report of all speakers</a></div>"
            )
        };
        let button = |n: u8| {
            format!(
                "<div class=card><h3>Sitting {n} of the council</h3><i>{n} October 2022</i><div><a class=b href=/c/{n}>Lees meer</a> <a class=b href=/c/{n}.pdf>PDF</a></div></div>"
            )
        };
        let topic = |n: u8| {
            format!(
                "<li>{n} October 2022 <a href=/topic/all>Meetings</a> <a href=/c/{n}>Sitting {n} of the council</a></li>"
            )
        };
        assert_eq!(rows(&button), wanted);
        assert_eq!(rows(&topic), wanted);
        assert_eq!(rows(&page), wanted);
        assert_eq!(
            titles_and_days(&format!("<table>{}</table>", (1..=3).map(file).collect::<String>())),
            wanted
        );
        assert_eq!(rows(&report), wanted);
    }

    #[test]
    fn a_title_is_the_part_that_is_one() {
        let cards = |card: &dyn Fn(u8) -> String| titles_and_days(&(1..=3).map(card).collect::<String>());
        let wanted: Vec<(String, String)> =
            (1..=3).map(|n| (format!("Bridge {n} opens"), format!("2022-10-0{n}"))).collect();
        let day = |n: u8| format!("<span>{n} October 2022</span>");
        let same_address = |n: u8| {
            format!(
                "<div class=c><a href=/n{n}>Bridge {n} opens</a><p><a href=/n{n}>After two years of works people can cross the river again</a></p>{}</div>",
                day(n)
            )
        };
        let named = |n: u8| {
            format!(
                "<a href=/n{n}><span class=tema>Roads of the town</span><span class='nota-titulo'>Bridge {n} opens</span><span class=subtitle>At last</span>{}</a>",
                day(n)
            )
        };
        let unnamed = |n: u8| {
            format!(
                "<a href=/n{n}><span class=cat>Roads of the town</span><span class=a>Bridge {n} opens</span>{}<span class=b>After two years of works</span></a>",
                day(n)
            )
        };
        let beside = |n: u8| {
            format!(
                "<article><h3><a href=/n{n}><em class=badge>Terbaru</em> <b>Bridge</b> {n} <i>opens</i><span class=visually-hidden> (new window)</span></a></h3>{}</article>",
                day(n)
            )
        };
        let in_front = |n: u8| format!("<p><a href=/n{n}>{n}/10/2022 – Bridge {n} opens</a></p>");
        let unlinked = |n: u8| {
            format!(
                "<div class=c><div>Bridge {n} opens</div><div>{n} October 2022</div><a href=/n{n}>Baca selengkapnya</a></div>"
            )
        };
        for card in [&same_address as &dyn Fn(u8) -> String, &named, &unnamed, &beside, &in_front, &unlinked]
        {
            assert_eq!(cards(card), wanted, "{}", card(1));
        }
    }

    #[test]
    fn a_carousel_above_the_list_costs_no_date_and_an_agenda_beside_it_is_none_of_it() {
        let item = |n: u8| {
            format!(
                "<div class=i><h3><a href=/n{n}>The council opens library {n}</a></h3><p>{n} October 2022</p></div>"
            )
        };
        let slide = |n: u8| {
            format!(
                "<div class=s><a href=/n{n}><img src=/{n}.png><b>The council opens library {n}</b></a></div>"
            )
        };
        let event = |n: u8| {
            format!("<div class=i><h3><a href=/e{n}>Market of all the farmers, {n}</a></h3><p>{n}</p></div>")
        };
        let body = format!(
            "<div>{}</div><div>{}</div><section class=agenda>{}</section>",
            (1..=2).map(slide).collect::<String>(),
            (1..=4).map(item).collect::<String>(),
            (5..=7).map(event).collect::<String>()
        );
        let days: Vec<String> = titles_and_days(&body).into_iter().map(|(_, day)| day).collect();
        assert_eq!(days, ["2022-10-01", "2022-10-02", "2022-10-03", "2022-10-04"]);
    }

    #[test]
    fn one_card_is_not_frozen_as_its_container() {
        let url = url::Url::parse("https://x.org/news/").unwrap();
        let card = |n: u8| {
            format!(
                "<li><h3><a href=/n{n}>The council opens library {n}</a></h3><p>{n} October 2022</p></li>"
            )
        };
        for (count, is_frozen) in [(1, false), (2, true)] {
            let body = format!("<ul class=list>{}</ul>", (1..=count).map(card).collect::<String>());
            let reading = Page::parse(&body, Some(&url))
                .detect_listing(DateRules::strict(DateOrder::Dmy), &HashSet::new());
            assert_eq!((reading.feed.entries.len(), reading.select.is_some()), (count as usize, is_frozen));
        }
    }

    #[test]
    fn what_a_click_leads_to_is_a_link() {
        let card = |n: u8, attributes: String, within: &str| {
            format!(
                "<div class=card {attributes}><h3>The council opens library number {n}</h3><p>{n} October 2022</p>{within}</div>"
            )
        };
        let three = |attributes: &dyn Fn(u8) -> String, within: &dyn Fn(u8) -> String| {
            let cards: String = (1..=3).map(|n| card(n, attributes(n), &within(n))).collect();
            format!(
                "<header><nav><a href=/>Home</a><a href=/a>Contact</a></nav></header><main>{cards}</main>"
            )
        };
        let none = |_: u8| String::new();
        let pages = [
            (
                three(&|n| format!("onclick=\"window.location.href='/news/{n}'\""), &none),
                "https://x.org/news/",
            ),
            (three(&|n| format!("data-href=/news/{n} role=link"), &none), "https://x.org/news/"),
            (
                three(&none, &|n| {
                    format!("<a href='javascript:void(0)' onclick=\"openUrl('/news/{n}')\">More</a>")
                }),
                "https://x.org/news/",
            ),
            (three(&none, &|n| format!("<a href='#/news/{n}'>More</a>")), "https://x.org/news/#/news/"),
            (
                three(&|n| format!("id=part-{n}"), &|n| format!("<a href=#part-{n}>Link</a>")),
                "https://x.org/news/#part-",
            ),
        ];
        for (body, start) in pages {
            let url = url::Url::parse("https://x.org/news/").unwrap();
            let reading = Page::parse(&body, Some(&url))
                .detect_listing(DateRules::strict(DateOrder::Dmy), &HashSet::new());
            let links: Vec<&str> = reading.feed.entries.iter().filter_map(RawEntry::url).collect();
            let wanted: Vec<String> = (1..=3).map(|n| format!("{start}{n}")).collect();
            assert_eq!(links, wanted, "{body}");
            assert_eq!(titles_and_days(&body)[2].0, "The council opens library number 3");
            assert_eq!(titles_and_days(&body)[2].1, "2022-10-03");
        }
        // A table of contents and buttons are no entries.
        for body in [
            "<ul><li><a href=#a>How the council works</a><li><a href=#b>Who sits on the council</a><li><a href=#c>When it meets</a></ul><h2 id=a>x</h2><h2 id=b>y</h2><h2 id=c>z</h2>",
            "<div><button onclick=\"location.href='/a'\">Pay</button><button onclick=\"location.href='/b'\">Ask</button><button onclick=\"location.href='/c'\">Report</button></div>",
        ] {
            assert!(titles_and_days(body).is_empty(), "{body}: {:?}", titles_and_days(body));
        }
    }

    #[test]
    fn a_year_comes_from_the_heading_the_address_or_the_neighbours() {
        let item = |n: u8, day: &str, href: &str| {
            format!("<li><span class=date>{day}</span> <a href='{href}'>A piece of news, number {n}</a></li>")
        };
        let days = |body: String| titles_and_days(&body).into_iter().map(|(_, day)| day).collect::<Vec<_>>();
        let grouped = format!(
            "<main><div>2021</div><ul>{}{}</ul><div>2019</div><ul>{}</ul></main>",
            item(1, "23 May", "/a"),
            item(2, "8 Feb", "/b"),
            item(3, "20 Dec", "/c")
        );
        assert_eq!(days(grouped), ["2021-05-23", "2021-02-08", "2019-12-20"]);
        let addressed = |n, day| item(n, day, &format!("/2020/news-{n}"));
        assert_eq!(
            days(format!(
                "<ul>{}{}{}</ul>",
                addressed(1, "23 May"),
                addressed(2, "8 Feb"),
                addressed(3, "2 Jan")
            )),
            ["2020-05-23", "2020-02-08", "2020-01-02"]
        );
        let sorted = format!(
            "<ul>{}{}{}{}</ul>",
            item(1, "4 Oct", "/a"),
            item(2, "8 Feb 2022", "/b"),
            item(3, "20 Dec 2021", "/c"),
            item(4, "1 Dec", "/d")
        );
        assert_eq!(days(sorted), ["2022-10-04", "2022-02-08", "2021-12-20", ""]);
    }

    #[test]
    fn the_day_on_which_it_was_told_is_the_date_of_an_event() {
        let card = |n: u8| {
            format!(
                "<article><span class=event-date>2{n} noviembre 2022</span><h3><a href=/n{n}>Encuentro de ciudades, {n}</a></h3><span>Publicado el 1{n} octubre 2022</span></article>"
            )
        };
        let days: Vec<String> =
            titles_and_days(&(0..3).map(card).collect::<String>()).into_iter().map(|(_, day)| day).collect();
        assert_eq!(days, ["2022-10-10", "2022-10-11", "2022-10-12"]);
        let url = url::Url::parse("https://x.org/news/").unwrap();
        let rules = DateRules { order: DateOrder::Dmy, now: None, year: None, is_order_known: false };
        let reading = Page::parse(&(0..3).map(card).collect::<String>(), Some(&url))
            .detect_listing(rules, &HashSet::new());
        let begins = reading.feed.entries.into_iter().map(|entry| entry.event.unwrap().begin.to_string());
        assert!(begins.eq(["2022-11-20", "2022-11-21", "2022-11-22"]), "and its own day is kept");
        let object = |n: u8| {
            format!(
                "{{\"@type\":\"Event\",\"name\":\"Meeting {n} of the towns\",\"url\":\"/e{n}\",\"datePublished\":\"2022-10-0{n}\",\"startDate\":\"2022-12-0{n}T18:00:00+01:00\",\"location\":{{\"name\":\"Lima\"}}}}"
            )
        };
        let data = format!("<script type=application/ld+json>[{}]</script>", [1, 2, 3].map(object).join(","));
        let reading = Page::parse(&data, Some(&url)).detect_listing(rules, &HashSet::new());
        let event = reading.feed.entries[0].event.clone().unwrap();
        assert_eq!(
            (event.begin.to_string().as_str(), event.place.as_deref()),
            ("2022-12-01T18:00:00+01:00", Some("Lima"))
        );
    }

    fn entries_of(card: impl Fn(u8) -> String) -> Vec<RawEntry> {
        let url = url::Url::parse("https://x.org/news/").unwrap();
        let rules = DateRules {
            order: DateOrder::Dmy,
            now: "2022-10-20T12:00:00Z".parse().ok(),
            year: None,
            is_order_known: false,
        };
        let body: String = (1..=3)
            .map(|n| {
                format!(
                    "<article><h3><a href=/n{n}>A piece of news, number {n}</a></h3>{}</article>",
                    card(n)
                )
            })
            .collect();
        Page::parse(&body, Some(&url)).detect_listing(rules, &HashSet::new()).feed.entries
    }

    #[test]
    fn the_own_date_of_a_card_is_taken_wherever_it_stands() {
        let day = |date: Option<jiff::Timestamp>| date.map(|date| date.strftime("%d").to_string());
        let text = "<p>Depuis le 3 mai 2021, le tri des déchets est obligatoire dans toute la ville.</p>";
        for own in [
            "<small>DAY octobre 2022</small>",
            "<span>DAY/10/2022</span>",
            "<p>Publié le DAY octobre 2022</p>",
        ] {
            for is_first in [true, false] {
                let entries = entries_of(|n| {
                    let own = own.replace("DAY", &format!("1{n}"));
                    if is_first { own + text } else { text.to_owned() + &own }
                });
                let days: Vec<_> = entries.iter().map(|entry| day(entry.published).unwrap()).collect();
                assert_eq!(days, ["11", "12", "13"], "{own}");
                assert!(entries.iter().all(|entry| entry.summary.is_some()));
            }
        }
        assert!(entries_of(|_| text.to_owned()).iter().all(|entry| entry.published.is_none()));
        let both = entries_of(|n| {
            format!(
                "<p>Modifié le <time datetime=2022-10-1{n}></time></p><p>Créé le <time datetime=2022-10-0{n}></time></p>"
            )
        });
        assert_eq!((day(both[0].published), day(both[0].updated)), (Some("01".into()), Some("11".into())));
    }

    #[test]
    fn the_time_of_an_event_is_kept_and_is_no_publication() {
        let timed =
            entries_of(|n| format!("<time datetime='2022-12-1{n}T18:00:00-05:00'>1{n} December</time>"));
        assert_eq!(timed[0].published, None);
        assert_eq!(timed[0].event.as_ref().unwrap().begin.to_string(), "2022-12-11T18:00:00-05:00");
        let range = entries_of(|n| format!("<span class=date>Du {n} au 1{n} décembre 2022</span>"));
        let event = range[1].event.as_ref().unwrap();
        assert_eq!(
            (event.begin.to_string(), event.end.unwrap().to_string()),
            ("2022-12-02".into(), "2022-12-12".into())
        );
        let limit = entries_of(|n| format!("<dl><dt>Fecha límite</dt><dd class=date>1{n}/11/2022</dd></dl>"));
        assert!(limit.iter().all(|entry| entry.published.is_none() && entry.event.is_none()));
    }

    #[test]
    fn an_address_of_another_month_gives_no_year() {
        let card = |n: u8, day: &str| {
            format!(
                "<li><span class=date>{day}</span> <a href='/2021/12/n{n}'>A piece of news, number {n}</a></li>"
            )
        };
        let list = format!("<ul>{}{}{}</ul>", card(1, "3 Jan"), card(2, "31 Dec"), card(3, "20 Dec"));
        let days: Vec<String> = titles_and_days(&list).into_iter().map(|(_, day)| day).collect();
        assert_eq!(days, ["2022-01-03", "2021-12-31", "2021-12-20"]);
    }

    #[test]
    fn icons_are_no_words_of_a_title_and_a_cut_one_is_shown_whole() {
        for title in [
            "<svg><title>External link</title><path d=M0></svg>The mill has a roof",
            "<i class=material-icons>arrow_forward</i>The mill has a roof",
            "<span class='material-symbols-outlined'>home</span> The mill has a roof",
        ] {
            let card = |n: u8| format!("<div class=c><h3><a href=/n{n}>{title} {n}</a></h3></div>");
            let page = format!("<h1>News</h1>{}", (1..=3).map(card).collect::<String>());
            assert_eq!(titles_and_days(&page)[0].0, "The mill has a roof 1", "{title}");
        }
        let cut = |n: u8| {
            format!(
                "<div class=c><h3><a href=/n{n} title='The mill has a roof {n} again'>The mill has a roof {n}…</a></h3></div>"
            )
        };
        let page = format!("<h1>News</h1>{}", (1..=3).map(cut).collect::<String>());
        assert_eq!(titles_and_days(&page)[1].0, "The mill has a roof 2 again");
    }

    #[test]
    fn signs_escaped_in_structured_data_are_read() {
        let object = |n: u8| {
            format!(
                "{{\"@type\":\"NewsArticle\",\"headline\":\"L&#8217;\u{c9}tat &amp; la ville, {n}\",\"url\":\"/e{n}\",\"datePublished\":\"2022-10-0{n}\"}}"
            )
        };
        let data = format!("<script type=application/ld+json>[{}]</script>", [1, 2, 3].map(object).join(","));
        assert_eq!(titles_and_days(&data)[0].0, "L\u{2019}\u{c9}tat & la ville, 1");
    }

    #[test]
    fn a_card_that_is_only_a_picture_says_what_it_shows() {
        let card = |n: u8| {
            format!(
                "<div class=card><a href=/n{n}><img src=/i{n}.jpg alt='A piece of news, number {n}'></a></div>"
            )
        };
        let found = titles_and_days(&(0..4).map(card).collect::<String>());
        assert_eq!(found.len(), 4);
        assert_eq!(found[0].0, "A piece of news, number 0");
    }

    #[test]
    fn a_day_in_a_heading_is_that_of_all_entries_below_it() {
        let link = |n: u8| format!("<a href=/n{n}>A thing that is told in part {n}</a>");
        let flat =
            |day: u8| format!("<h2>{day} October 2022</h2><p>{}</p><p>{}</p>", link(day), link(day + 40));
        let list = |day: u8| {
            format!("<h3>{day} October 2022</h3><ul><li>{}</li><li>{}</li></ul>", link(day), link(day + 40))
        };
        let table = |day: u8| {
            format!(
                "<tr><th colspan=2>{day} October 2022</th></tr><tr><td>8h</td><td>{}</td></tr><tr><td>9h</td><td>{}</td></tr>",
                link(day),
                link(day + 40)
            )
        };
        let days = |body: String| -> Vec<String> {
            titles_and_days(&format!("<h1>News</h1>{body}")).into_iter().map(|(_, day)| day).collect()
        };
        let want = ["2022-10-14", "2022-10-14", "2022-10-13", "2022-10-13"];
        assert_eq!(days(flat(14) + &flat(13)), want);
        assert_eq!(days(list(14) + &list(13)), want);
        assert_eq!(days(format!("<table>{}{}</table>", table(14), table(13))), want);
        let today = format!(
            "<h3>14 October 2022</h3><ul><li>{}</li><li>{}</li><li>{}</li></ul>",
            link(1),
            link(2),
            link(3)
        );
        assert!(
            days(today).iter().all(|day| !day.starts_with("2022")),
            "one day above all may be that of the visit"
        );
    }

    #[test]
    fn a_heading_gives_the_month_of_days_below_it() {
        let group = |month: &str, days: [&str; 2], from: u8| {
            let item = |(n, day): (u8, &str)| {
                format!("<li><span>{day}</span> <a href=/n{n}>A piece of news, number {n}</a></li>")
            };
            let items: String = (from..).zip(days).map(item).collect();
            format!("<h2>{month} 2021</h2><ul>{items}</ul>")
        };
        let days = |first: [&str; 2], second: [&str; 2]| {
            let body = group("Décembre", first, 1) + &group("Novembre", second, 3);
            titles_and_days(&body).into_iter().map(|(_, day)| day).collect::<Vec<_>>()
        };
        let all = ["2021-12-18", "2021-12-10", "2021-11-28", "2021-11-02"];
        assert_eq!(days(["18/12", "10/12"], ["28/11", "02/11"]), all);
        assert_eq!(days(["18", "10"], ["28", "2"]), all);
        assert_eq!(days(["samedi 18", "vendredi 10"], ["dim. 28", "mardi 2"]), all);
        let none = ["", "", "", ""];
        assert_eq!(days(["18", "3"], ["28", "2"]), ["2021-12-18", "2021-12-03", "2021-11-28", "2021-11-02"]);
        assert_eq!(days(["3", "18"], ["2", "28"]), none, "figures that run no way are counts");
        assert_eq!(days(["18/11", "10/12"], ["28/11", "02/11"]), none, "a day of another month");
        assert_eq!(days(["lundi 18", "vendredi 10"], ["dim. 28", "mardi 2"]), none, "no Monday");
    }

    #[test]
    fn days_told_from_today_count_wherever_they_stand_alone_in_a_card() {
        let days = |texts: [&str; 3], link: &str| {
            let card = |(n, text): (usize, &&str)| {
                let link = link.replace("{n}", &n.to_string()).replace("{t}", text);
                format!("<div class=card>{link}</div>")
            };
            let body: String = texts.iter().enumerate().map(card).collect();
            titles_and_days(&body).into_iter().map(|(_, day)| day).collect::<Vec<_>>()
        };
        let card = "<h3><a href=/n{n}>A piece of news, number {n}</a></h3><p><i></i> {t} · Council</p>";
        let span = "<h3><a href=/n{n}>A piece of news, number {n}</a></h3><span>{t}</span>";
        for texts in [
            ["hier à 18h40", "il y a 3 j", "il y a 2 sem."],
            ["Ayer a las 18:40", "hace 3 días", "hace 2 semanas"],
            ["yesterday at 6:40 pm", "3 d ago", "2 w ago"],
        ] {
            for card in [card, span] {
                assert_eq!(days(texts, card), ["2022-10-19", "2022-10-17", "2022-10-06"], "{texts:?}");
            }
        }
        let told = ["what he said 3 days ago", "we saw him yesterday", "il y a 3 ponts"];
        assert_eq!(days(told, span), ["", "", ""]);
    }

    #[test]
    fn a_post_whose_link_only_says_when_or_here_has_no_title_on_the_page() {
        let card = |n: u8, link: &str| {
            format!(
                "<div class=post><p>The council has mended bridge {n} of the town, which was closed for two years.</p>{}</div>",
                link.replace("{n}", &n.to_string())
            )
        };
        let url = url::Url::parse("https://x.org/news/").unwrap();
        let rules = DateRules {
            order: DateOrder::Dmy,
            now: "2022-10-20T12:00:00Z".parse().ok(),
            year: None,
            is_order_known: false,
        };
        for link in [
            "<a href=/p{n}>il y a {n} heures</a>",
            "<a href=/p{n}>ici</a> <time datetime=2022-10-1{n}>x</time>",
        ] {
            let body: String = (1..=3).map(|n| card(n, link)).collect();
            let entries = Page::parse(&body, Some(&url)).detect_listing(rules, &HashSet::new()).feed.entries;
            assert_eq!(entries.len(), 3, "{link}");
            assert!(
                entries.iter().all(|entry| entry.title.is_none()
                    && entry.summary.is_some()
                    && entry.published.is_some())
            );
        }
    }

    #[test]
    fn a_day_in_some_titles_only_is_that_of_what_they_tell_of() {
        let entries = |titles: [&str; 3]| {
            let card = |(n, title): (usize, &&str)| {
                format!(
                    "<article><h3><a href=/n{n}>{title}</a></h3><p>What there is to be known of it, in a few words.</p></article>"
                )
            };
            let body: String = titles.iter().enumerate().map(card).collect();
            let url = url::Url::parse("https://x.org/news/").unwrap();
            let rules = DateRules {
                order: DateOrder::Dmy,
                now: "2022-10-20T12:00:00Z".parse().ok(),
                year: None,
                is_order_known: false,
            };
            let found = Page::parse(&body, Some(&url)).detect_listing(rules, &HashSet::new()).feed.entries;
            let day = |entry: RawEntry| {
                let published = entry.published.map(|at| at.strftime("%Y-%m-%d").to_string());
                (
                    published.unwrap_or_default(),
                    entry.event.map(|event| event.begin.to_string()).unwrap_or_default(),
                )
            };
            found.into_iter().map(day).collect::<Vec<_>>()
        };
        let pair = |published: &str, event: &str| (published.to_owned(), event.to_owned());
        assert_eq!(
            entries([
                "14 July 2022: ball of the firemen",
                "The bridge is open again",
                "24 December 2022: mass at midnight"
            ]),
            [pair("", ""), pair("", ""), pair("", "2022-12-24")]
        );
        assert_eq!(
            entries([
                "14 October 2022: a ball",
                "12 October 2022: the bridge is open",
                "1 October 2022: a school closes"
            ]),
            [pair("2022-10-14", ""), pair("2022-10-12", ""), pair("2022-10-01", "")]
        );
    }

    #[test]
    fn what_was_changed_on_a_day_is_dated_only_where_it_is_called_news() {
        let count = |title: &str| {
            let card = |n: u8| {
                format!(
                    "<article><h3><a href=/s{n}>How to ask for paper number {n}</a></h3><p>Mis à jour le {n} octobre 2022</p></article>"
                )
            };
            let body =
                format!("<title>{title}</title><h1>{title}</h1>{}", (1..=4).map(card).collect::<String>());
            let url = url::Url::parse("https://x.org/x").unwrap();
            Page::parse(&body, Some(&url))
                .detect_listing(DateRules::strict(DateOrder::Dmy), &HashSet::new())
                .feed
                .entries
                .len()
        };
        assert_eq!((count("Vos démarches"), count("Actualités")), (0, 4));
    }

    #[test]
    fn what_stands_beside_the_entries_of_a_dated_list_is_none_of_them() {
        let item = |n: u8, more: &str| {
            format!(
                "<div class=item><h3><a href=/n{n}>A piece of news, number {n}</a></h3><span>{n} October 2022</span>{more}</div>"
            )
        };
        let items = |more: &dyn Fn(u8) -> String| (1..=4).map(|n| item(n, &more(n))).collect::<String>();
        for more in [
            &|n: u8| {
                format!("<a href='/n{n}?from=list'>Leer más sobre A piece of news, number {n}</a>") as String
            },
            &|n: u8| format!("<a href='/n{n}?redirect=%2F'>Read More About A piece of news, number {n}</a>"),
            &|n: u8| format!("<a href='/n{n}?from=list'>Read more</a>"),
        ] as [&dyn Fn(u8) -> String; 3]
        {
            let found = titles_and_days(&items(more));
            assert_eq!(found.len(), 4, "{found:?}");
            assert_eq!(found[0], ("A piece of news, number 1".to_owned(), "2022-10-01".to_owned()));
        }
        let row = |n: u8| {
            format!(
                "<tr><td>{n} October 2022</td><td><a href=/d/{n}.pdf>The minutes of meeting {n}</a></td></tr>"
            )
        };
        let rows: String = (1..=5).map(row).collect();
        let menu = "<table><tr><td><a href=/index.htm>Home</a></td><td><a href=/school.htm>School</a></td></tr></table>";
        assert_eq!(titles_and_days(&format!("{menu}<table>{rows}</table>")).len(), 5);
        let offer = "<div class=item><h3><a href=/letter>Subscribe to our letter of the week</a></h3></div>";
        assert_eq!(titles_and_days(&format!("{}{offer}", items(&|_| String::new()))).len(), 4);
        let notice = "<div role=dialog><h3>Cookies</h3><ul><li><a href=/c#a>Google Analytics and others</a> 4 October 2022</li><li><a href=/c#b>Videos of YouTube</a> 4 October 2022</li></ul></div>";
        assert_eq!(titles_and_days(&format!("<main>{notice}<p>Welcome</p></main>")).len(), 0);
        let project = |n: u8| {
            format!(
                "<div class=card><h3><a href=/p/{n}>Gardens of the centre, {n}</a></h3><p>01/01/2021 – 31/12/2022</p></div>"
            )
        };
        let projects: String = (1..=3).map(project).collect();
        let url = url::Url::parse("https://x.org/projects").unwrap();
        let page = Page::parse(&format!("<h1>Our projects</h1>{projects}"), Some(&url));
        assert!(
            page.detect_listing(DateRules::strict(DateOrder::Dmy), &HashSet::new()).feed.entries.is_empty()
        );
    }

    #[test]
    fn a_date_beside_the_link_of_a_line_has_the_year_of_its_heading_and_an_exact_one_is_better_than_an_age() {
        let line = |n: u8, month: &str| {
            format!("<li>{n} {month} : <a href=/n{month}{n}>A piece of news, {month} {n}</a></li>")
        };
        let body = format!(
            "<h2>2021</h2><ul>{}{}</ul><h2>2020</h2><ul>{}</ul>",
            line(17, "décembre"),
            line(3, "mai"),
            line(9, "avril")
        );
        let days: Vec<String> = titles_and_days(&body).into_iter().map(|(_, day)| day).collect();
        assert_eq!(days, ["2021-12-17", "2021-05-03", "2020-04-09"]);
        let figures =
            body.replace(" décembre :", "/12 :").replace(" mai :", "/05 :").replace(" avril :", "/04 :");
        let days: Vec<String> = titles_and_days(&figures).into_iter().map(|(_, day)| day).collect();
        assert_eq!(days, ["2021-12-17", "2021-05-03", "2020-04-09"]);
        for age in [
            "<span title='{n} October 2022'>2 weeks ago</span>",
            "<div class=date><span title='{n} October 2022'>2 weeks ago</span></div>",
        ] {
            let card = |n: u8| {
                let age = age.replace("{n}", &n.to_string());
                format!("<div class=c><h3><a href=/n{n}>A piece of news, number {n}</a></h3>{age}</div>")
            };
            let found = titles_and_days(&(1..=3).map(card).collect::<String>());
            let days: Vec<&str> = found.iter().map(|(_, day)| day.as_str()).collect();
            assert_eq!(days, ["2022-10-01", "2022-10-02", "2022-10-03"], "{age}");
        }
    }
}
