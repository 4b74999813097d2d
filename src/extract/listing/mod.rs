//! Reads listing pages without selectors by the common structure of their cards. Links in the same structural position form a
//! group; groups that lead to the same addresses form a listing; the listing that looks most like news wins. The result is
//! frozen into readable selectors.

mod cards;
mod groups;
mod links;
mod selectors;
mod structured;

use self::cards::Card;
use self::links::{LinkGroup, Reach};
use super::page::Page;
use super::prose_date::DateRules;
use super::{PageReading, Way};
use crate::model::feed::RawEntry;
use crate::support::text::{many, shorten};

impl Page {
    /// Finds the cards of a listing without selectors.
    pub fn mine(&self, rules: DateRules) -> PageReading {
        let mut feed = self.catalog();
        let listing = groups::best_listing(self, Reach::Links);
        let (mut cards, mut mined) = self.read_listing(listing.as_ref(), rules);
        let structured = structured::entries(self, rules);
        if structured.len() >= 3 && structured.len() * 10 >= mined.len() * 8 {
            feed.entries = structured;
            return PageReading { feed, way: Some(Way::StructuredData), select: None };
        }
        let clicked = mined.is_empty().then(|| groups::best_listing(self, Reach::Wide)).flatten();
        if let Some(clicked) = &clicked {
            let (found, read) = self.read_listing(Some(clicked), rules);
            if found.iter().all(|card| card.says_enough(self.base())) {
                (cards, mined) = (found, read);
            }
        }
        if mined.is_empty() {
            feed.problems.push(match &listing {
                Some(listing) => format!(
                    "no listing found: the most alike are {} (\"{}\"), which are too few, or a menu",
                    many(cards.len(), "link", "links"),
                    shorten(&listing.anchors.first().map(|first| first.text.clone()).unwrap_or_default(), 40)
                ),
                None => "no listing found: no links on this page stand alike".into(),
            });
            return PageReading { feed, way: None, select: None };
        }
        let select = selectors::freeze(self, &cards, &mined, rules);
        feed.entries = mined;
        PageReading { feed, way: Some(Way::Records), select }
    }

    /// The cards of a listing and their entries, of which there are none if the links are a menu or too few.
    fn read_listing<'a>(
        &self,
        listing: Option<&LinkGroup<'a>>,
        rules: DateRules,
    ) -> (Vec<Card<'a>>, Vec<RawEntry>) {
        let Some(listing) = listing else { return (Vec::new(), Vec::new()) };
        let cards = cards::cards(listing);
        let entries = cards::entries(self, &cards, rules);
        let is_earned = cards::earns_its_place(self, &cards, &entries, listing.is_set_aside());
        (cards, if is_earned { entries } else { Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::source::DateOrder;

    fn titles_and_days(body: &str) -> Vec<(String, String)> {
        let url = url::Url::parse("https://x.org/news/").unwrap();
        let now = "2022-10-20T12:00:00Z".parse().ok();
        let rules = DateRules { order: DateOrder::Dmy, now, year: None };
        let day = |date: Option<jiff::Timestamp>| {
            date.map(|date| date.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
        };
        let reading = Page::parse(body, Some(&url)).mine(rules);
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
            let reading = Page::parse(&body, Some(&url)).mine(DateRules::strict(DateOrder::Dmy));
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
        let rules = DateRules { order: DateOrder::Dmy, now: None, year: None };
        let reading = Page::parse(&(0..3).map(card).collect::<String>(), Some(&url)).mine(rules);
        let begins = reading.feed.entries.into_iter().map(|entry| entry.event.unwrap().begin.to_string());
        assert!(begins.eq(["2022-11-20", "2022-11-21", "2022-11-22"]), "and its own day is kept");
        let object = |n: u8| {
            format!(
                "{{\"@type\":\"Event\",\"name\":\"Meeting {n} of the towns\",\"url\":\"/e{n}\",\"datePublished\":\"2022-10-0{n}\",\"startDate\":\"2022-12-0{n}T18:00:00+01:00\",\"location\":{{\"name\":\"Lima\"}}}}"
            )
        };
        let data = format!("<script type=application/ld+json>[{}]</script>", [1, 2, 3].map(object).join(","));
        let reading = Page::parse(&data, Some(&url)).mine(rules);
        let event = reading.feed.entries[0].event.clone().unwrap();
        assert_eq!(
            (event.begin.to_string().as_str(), event.place.as_deref()),
            ("2022-12-01T18:00:00+01:00", Some("Lima"))
        );
    }

    fn entries_of(card: impl Fn(u8) -> String) -> Vec<RawEntry> {
        let url = url::Url::parse("https://x.org/news/").unwrap();
        let rules = DateRules { order: DateOrder::Dmy, now: "2022-10-20T12:00:00Z".parse().ok(), year: None };
        let body: String = (1..=3)
            .map(|n| {
                format!(
                    "<article><h3><a href=/n{n}>A piece of news, number {n}</a></h3>{}</article>",
                    card(n)
                )
            })
            .collect();
        Page::parse(&body, Some(&url)).mine(rules).feed.entries
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
}
