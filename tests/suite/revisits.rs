//! Feeds and pages that are read again and again, as days go by: nothing is told twice, nothing is lost, and no date changes.

use serde_json::Value;

use crate::support::App;
use crate::support::http::{Reply, Request, Server};

const HEADLINES: [&str; 6] = [
    "A new kindergarten opens at the park",
    "The harbour bridge is closed to lorries",
    "Councillors vote the budget of next year",
    "Stalls for the winter market are built",
    "Bins are emptied on another weekday",
    "Swimmers return to the indoor pool",
];

/// What is stored at the end of some visits, an hour apart or at the times that are given.
struct Visits {
    entries: Vec<Value>,
    counts: Vec<usize>,
}

impl Visits {
    fn announced(&self) -> u64 {
        self.entries.iter().map(|entry| entry["announced"].as_u64().unwrap()).sum()
    }

    /// The days of publication and of events, in the order in which entries came.
    fn days(&self) -> Vec<(String, String)> {
        let day = |value: &Value| value.as_str().map_or(String::new(), |date| date[..10].to_owned());
        self.entries.iter().map(|entry| (day(&entry["published"]), day(&entry["event"]["begin"]))).collect()
    }

    #[track_caller]
    fn are_all_told(&self, count: usize, what: &str) {
        let found = (self.entries.len(), self.announced() as usize);
        assert_eq!(found, (count, count), "{what}: {:?} {:#?}", self.counts, self.entries);
    }
}

fn visits_at(kind: &str, documents: &[(&str, String)]) -> Visits {
    let server = Server::always(Reply::new(404, ""));
    let source = format!(
        "[[source]]\nid = \"s\"\nkind = \"{kind}\"\nurl = \"{}\"\nlang = \"en\"\n",
        server.url("/news")
    );
    let mut app = App::new(&source);
    let mut counts = Vec::new();
    for (at, document) in documents {
        let (is_page, document) = (kind == "page", document.clone());
        server.answer(move |request: &Request| match request.target.as_str() {
            "/news" if is_page => Reply::html(document.clone()),
            "/news" => Reply::ok(document.clone()),
            _ => Reply::new(404, ""),
        });
        app.at(at).ok(&["fetch", "--all"]);
        counts.push(app.entries().len());
    }
    Visits { entries: app.entries(), counts }
}

/// An hour apart.
fn visits(kind: &str, documents: &[String]) -> Visits {
    let at: Vec<String> =
        (0..documents.len()).map(|n| format!("2022-10-20T{:02}:00:00Z", 8 + 2 * n)).collect();
    let documents: Vec<(&str, String)> =
        at.iter().map(String::as_str).zip(documents.iter().cloned()).collect();
    visits_at(kind, &documents)
}

fn feed(items: &[String]) -> String {
    format!("<rss version=\"2.0\"><channel><title>T</title>{}</channel></rss>", items.concat())
}

fn page(title: &str, rest: &str) -> String {
    format!(
        "<html lang=en><title>{title}</title><body><nav><a href=/a>About</a><a href=/c>Contact</a></nav><main><h1>{title}</h1>{rest}</main></body></html>"
    )
}

const NOTICES: [&str; 4] = [
    "No water in Mill Street on Tuesday from nine to noon.",
    "The office is closed on Friday afternoon.",
    "Bulky waste is collected on Thursday morning.",
    "A public meeting on the plan of the town takes place on Monday evening.",
];

#[test]
fn notices_under_one_title_are_told_apart_by_their_texts() {
    let item = |n: usize, day: bool, name: &str| {
        let day =
            if day { format!("<pubDate>{} Oct 2022 06:00:00 GMT</pubDate>", 15 + n) } else { String::new() };
        format!("<item><title>Notice</title>{name}<description>{}</description>{day}</item>", NOTICES[n])
    };
    let link = "<link>https://x.example/notices</link>";
    let of =
        |numbers: &[usize], day: bool| feed(&numbers.iter().map(|n| item(*n, day, link)).collect::<Vec<_>>());
    let dated = [of(&[0, 1], true), of(&[1, 2], true), of(&[1, 2, 3], true), of(&[3], true)];
    visits("feed", &dated).are_all_told(4, "dated");
    let undated = [of(&[0, 1], false), of(&[0, 1, 2], false), of(&[1, 2, 3], false)];
    visits("feed", &undated).are_all_told(4, "undated");
    let edited = [of(&[0, 1], false), of(&[0, 1], false).replace("Tuesday", "Wednesday")];
    visits("feed", &edited).are_all_told(2, "an edit of the wording");
    let placed = |numbers: &[usize]| {
        let guid = |place: usize| format!("<guid isPermaLink=\"false\">{place}</guid>");
        feed(&numbers.iter().enumerate().map(|(place, n)| item(*n, false, &guid(place))).collect::<Vec<_>>())
    };
    visits("feed", &[placed(&[0]), placed(&[1, 0]), placed(&[2, 1, 0])]).are_all_told(3, "counted places");
    let card = |n: &usize| {
        format!("<article class=news><h3><a href=/flash>Short news</a></h3><p>{}</p></article>", NOTICES[*n])
    };
    let of = |numbers: &[usize]| page("News", &numbers.iter().map(card).collect::<String>());
    visits("page", &[of(&[2, 1, 0]), of(&[3, 2, 1]), of(&[3, 2, 1])]).are_all_told(4, "cards of one address");
}

#[test]
fn undated_issues_of_a_series_are_each_told() {
    let item = |title: &str, link: &str, guid: &str, more: &str| {
        let guid = if guid.is_empty() {
            String::new()
        } else {
            format!("<guid isPermaLink=\"false\">{guid}</guid>")
        };
        feed(&[format!(
            "<item><title>{title}</title><link>https://x.example/{link}</link>{guid}{more}</item>"
        )])
    };
    type Issue<'a> = &'a dyn Fn(usize) -> String;
    let months = ["october", "november", "december"];
    let series: [(&str, Issue); 6] = [
        ("the title", &|n| item(&format!("Bulletin no. {}", 40 + n), "bulletin", "b", "")),
        ("a month of the title", &|n| item(&format!("The cinema in {}", months[n]), "cinema", "c", "")),
        ("the address", &|n| item("The mayor's letter", &format!("letter/{}", 40 + n), "", "")),
        ("a month of the address", &|n| {
            item("The cinema", &format!("cinema/films-{}.pdf", months[n]), "", "")
        }),
        ("a file", &|n| {
            let file = format!("https://x.example/docs/bulletin_{}.pdf", 40 + n);
            let file = format!("<enclosure url=\"{file}\" length=\"1\" type=\"application/pdf\"/>");
            item("The bulletin", "bulletin", "", &file)
        }),
        ("guid and address", &|n| {
            let link = format!("letter/{}", 40 + n);
            item("The mayor's letter", &link, &format!("https://x.example/{link}"), "")
        }),
    ];
    for (what, issue) in series {
        visits("feed", &[issue(0), issue(1), issue(1), issue(2)]).are_all_told(3, what);
    }
    let listed = |title: &str, numbers: std::ops::RangeInclusive<usize>| {
        let record = |n: usize| {
            let title = title.replace('N', &n.to_string());
            format!(
                "<div class=doc><h3><a href=/docs/minutes-{n}.pdf>{title}</a></h3><p>Sitting number {n} of the council</p></div>"
            )
        };
        page("Minutes", &numbers.rev().map(record).collect::<String>())
    };
    for title in ["Minutes of sitting N", "Minutes of the council"] {
        let polls = [listed(title, 40..=43), listed(title, 40..=44), listed(title, 41..=45)];
        visits("page", &polls).are_all_told(6, title);
    }
}

#[test]
fn a_value_that_changes_at_each_visit_costs_nothing_beside_an_edit_and_something_new() {
    let token = |visit: usize, n: usize| {
        format!("{:016x}", ((visit * 31 + n + 7) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    };
    let poll = |how: &str, is_dated: bool, visit: usize, first: usize, edited: Option<usize>| {
        let item = |n: usize| {
            let slug = HEADLINES[n].to_lowercase().replace(' ', "-");
            let one = token(visit, 0);
            let link = match how {
                "query" => format!("n/{slug}?tok={one}"),
                "one of two" => format!("n.php?id={}&amp;visit={one}", 50 + n),
                "each its own" => format!("n/{slug}?h={}", token(visit, n)),
                "session" => format!("(S({one}))/n/{slug}.aspx"),
                _ => format!("{one}/n/{slug}"),
            };
            let title = HEADLINES[n].replace(if edited == Some(n) { "The " } else { "\0" }, "This old ");
            let day = format!("<pubDate>{} Oct 2022 06:00:00 GMT</pubDate>", 19 - n);
            let day = if is_dated { day } else { String::new() };
            format!(
                "<item><title>{title}</title><link>https://x.example/{link}</link><description>Words that tell of part {n}.</description>{day}</item>"
            )
        };
        feed(&(first..6).map(item).collect::<Vec<_>>())
    };
    for how in ["query", "one of two", "each its own", "session", "path"] {
        for is_dated in [true, false] {
            let poll = |visit, first, edited| poll(how, is_dated, visit, first, edited);
            for (what, polls, count) in [
                ("nothing", [poll(0, 0, None), poll(1, 0, None), poll(2, 0, None)], 6),
                ("an edit", [poll(0, 0, None), poll(1, 0, Some(1)), poll(2, 0, Some(1))], 6),
                ("something new", [poll(0, 1, None), poll(1, 0, None), poll(2, 0, None)], 6),
                ("both", [poll(0, 1, None), poll(1, 0, Some(1)), poll(2, 0, Some(1))], 6),
            ] {
                visits("feed", &polls).are_all_told(count, &format!("{how}, dated: {is_dated}, {what}"));
            }
        }
    }
}

#[test]
fn lines_of_days_date_what_stands_below_them_at_each_visit() {
    let link = |n: usize| format!("<a href=/n/{n}>{}</a>", HEADLINES[n]);
    for (what, line, list) in [
        ("headings", "<h2>DAY</h2>", "<ul><li>{a}</li><li>{b}</li></ul>"),
        ("paragraphs", "<p><strong>DAY</strong></p>", "<ul><li>{a}</li><li>{b}</li></ul>"),
        ("divisions", "<div class=g><div class=t>DAY</div>", "<div class=l>{a} {b}</div></div>"),
        ("terms", "<dl><dt>DAY</dt>", "<dd>{a}</dd><dd>{b}</dd></dl>"),
    ] {
        let poll = |days: &[(u8, usize, usize)]| {
            let group = |(day, a, b): &(u8, usize, usize)| {
                let list = list.replace("{a}", &link(*a));
                let list = list.replace("{b}", &if a == b { String::new() } else { link(*b) });
                format!("{}{list}", line.replace("DAY", &format!("{day} October 2022")))
            };
            page("News", &days.iter().map(group).collect::<String>())
        };
        let polls = [
            poll(&[(18, 0, 1), (17, 2, 3)]),
            poll(&[(20, 4, 5), (18, 0, 1), (17, 2, 3)]),
            poll(&[(20, 4, 5), (18, 0, 1)]),
        ];
        let found = visits("page", &polls);
        found.are_all_told(6, what);
        let mut days: Vec<String> = found.days().into_iter().map(|(day, _)| day).collect();
        days.sort();
        let want = ["2022-10-17", "2022-10-17", "2022-10-18", "2022-10-18", "2022-10-20", "2022-10-20"];
        assert_eq!(days, want, "{what}");
    }
}

#[test]
fn a_bare_hour_dates_nothing() {
    let items = |hours: [&str; 3], from: usize| {
        let item = |(at, hour): (usize, &&str)| {
            let n = from + at;
            format!(
                "<div class=item><span class=hour>{hour}</span> <a href=/n/{n}>{}</a></div>",
                HEADLINES[n]
            )
        };
        hours.iter().enumerate().map(item).collect::<String>()
    };
    let alone = page("News", &(items(["18h", "14h30", "9h"], 0) + &items(["7h15", "6h", "5h"], 3)));
    let found = visits("page", &[alone.clone(), alone]);
    found.are_all_told(6, "alone");
    assert!(found.days().iter().all(|(day, _)| day.is_empty()), "{:?}", found.days());
    let below = page(
        "News",
        &format!(
            "<h2>20 October 2022</h2>{}<h2>19 October 2022</h2>{}",
            items(["8h", "7h30", "6h"], 0),
            items(["18h", "14h30", "9h"], 3)
        ),
    );
    let days: Vec<String> =
        visits("page", &[below.clone(), below]).days().into_iter().map(|(day, _)| day).collect();
    assert_eq!(days, [["2022-10-20"; 3], ["2022-10-19"; 3]].concat());
}

/// The boards of some programs: a row, in which `TITLE`, `NUM`, `DAY` (of October, when the topic was begun) and `LAST` (when it was answered
/// last) stand for its own, what is around the rows, and whether the day of the topic is shown.
const BOARDS: [(&str, &str, &str, bool); 7] = [
    (
        "phpBB",
        "<li class='row bg1'><dl class=row-item><dt><div class=list-inner><a href='./viewtopic.php?t=NUM' class=topictitle>TITLE</a><br><div class=responsive-show style='display: none'>Last post by <a href='./memberlist.php?mode=viewprofile&amp;u=9' class=username>Luc</a> « <a href='./viewtopic.php?t=NUM&amp;p=8NUM#p8NUM' title='Go to last post'><time datetime='2022-10-LASTT10:00:00+00:00'>Oct LAST, 2022 10:00 am</time></a></div><div class=topic-poster>by <a href='./memberlist.php?mode=viewprofile&amp;u=1' class=username>Ana</a> » <time datetime='2022-10-DAYT10:00:00+00:00'>Oct DAY, 2022 10:00 am</time></div></div></dt><dd class=posts>3 <dfn>Replies</dfn></dd><dd class=lastpost><span><dfn>Last post </dfn>by <a href='./memberlist.php?mode=viewprofile&amp;u=9' class=username>Luc</a> <a href='./viewtopic.php?t=NUM&amp;p=8NUM#p8NUM' title='Go to last post'><i class=icon></i></a><br><time datetime='2022-10-LASTT10:00:00+00:00'>Oct LAST, 2022 10:00 am</time></span></dd></dl></li>",
        "<ul class='topiclist topics'>ROWS</ul>",
        true,
    ),
    (
        "vBulletin",
        "<li class=threadbit id=thread_NUM><div class=threadinfo><h3 class=threadtitle><a class=title href='showthread.php?t=NUM'>TITLE</a></h3><div class=author><span class=label>Started by <a href='member.php?u=1' class=username>Ana</a>, 10-DAY-2022 09:00 AM</span></div></div><ul class=threadstats><li>Replies: <a href='misc.php?do=whoposted&amp;t=NUM'>3</a></li></ul><dl class='threadlastpost td'><dt class='lastpostby hidden'>Last Post By</dt><dd><a class=username href='member.php?u=9'>Luc</a></dd><dd>10-LAST-2022, <em class=time>10:00 AM</em><a href='showthread.php?t=NUM&amp;p=8NUM#post8NUM' class=lastpostdate title='Go to last post'><img src=/lp.png alt='Go to last post'></a></dd></dl></li>",
        "<ol id=threads class=threads>ROWS</ol>",
        true,
    ),
    (
        "XenForo",
        "<div class='structItem structItem--thread'><div class=structItem-cell><a href='/members/ana.1/' class=avatar><img src=/a.jpg alt=Ana></a></div><div class='structItem-cell structItem-cell--main'><div class=structItem-title><a href='/threads/topic.NUM/'>TITLE</a></div><ul class=structItem-parts><li><a href='/members/ana.1/' class=username>Ana</a></li><li class=structItem-startDate><a href='/threads/topic.NUM/' rel=nofollow><time class=u-dt datetime='2022-10-DAYT10:00:00+0000'>Oct DAY, 2022</time></a></li></ul></div><div class='structItem-cell structItem-cell--latest'><a href='/threads/topic.NUM/latest' rel=nofollow><time class='structItem-latestDate u-dt' datetime='2022-10-LASTT10:00:00+0000'>2 minutes ago</time></a><a href='/members/luc.2/' class=username>Luc</a></div></div>",
        "<div class=structItemContainer>ROWS</div>",
        true,
    ),
    (
        "MyBB",
        "<tr class=inline_row><td><div><span id=tid_NUM><a href='showthread.php?tid=NUM'>TITLE</a></span><div class='author smalltext'><a href='member.php?action=profile&amp;uid=1'>Ana</a></div></div></td><td><a href='javascript:void(0)'>3</a></td><td>128</td><td><span class='lastpost smalltext'>10-LAST-2022, 09:10 PM<br><a href='showthread.php?tid=NUM&amp;action=lastpost'>Last Post</a>: <a href='member.php?action=profile&amp;uid=9'>Luc</a></span></td></tr>",
        "<table><tr><td>Thread / Author</td><td>Replies</td><td>Views</td><td>Last Post [asc]</td></tr>ROWS</table>",
        false,
    ),
    (
        "SMF",
        "<div class=windowbg><div class='info info_block'><div class=message_index_title><span id=msg_NUM><a href='index.php?topic=NUM.0'>TITLE</a></span></div><p>Started by <a href='index.php?action=profile;u=1'>Ana</a></p></div><div class=board_stats><p>Replies: 3<br>Views: 55</p></div><div class=lastpost><p><a href='index.php?topic=NUM.msg8NUM#new' title='Last post'>October LAST, 2022, 10:11:12 AM</a><br>by <a href='index.php?action=profile;u=9'>Luc</a></p></div></div>",
        "<div id=topic_container>ROWS</div>",
        false,
    ),
    (
        "Discourse",
        "<tr class=topic-list-item><td class=main-link><a href='/t/topic/NUM' class='title raw-link'>TITLE</a><div><a href='/c/general/4'>General</a></div></td><td class=posters><a href='/u/ana'><img src=/a.png></a></td><td class=replies>3</td><td class=views>40</td><td>October LAST, 2022</td></tr>",
        "<table class=topic-list><thead><tr><th>Topic</th><th></th><th>Replies</th><th>Views</th><th>Activity</th></tr></thead><tbody>ROWS</tbody></table>",
        false,
    ),
    (
        "Flarum",
        "<li><a href='/d/NUM-topic'>TITLE</a></li>",
        "<div id=app></div><noscript id=flarum-content><div class=container><h2>All Discussions</h2><ul>ROWS</ul></div></noscript><script>start()</script>",
        false,
    ),
];

#[test]
fn topics_of_boards_have_their_own_day_or_none_whoever_answers() {
    for (program, row, around, is_dated) in BOARDS {
        let poll = |order: &[usize], last: u8| {
            let row = |n: &usize| {
                row.replace("TITLE", HEADLINES[*n])
                    .replace("NUM", &(40 + n).to_string())
                    .replace("DAY", &(11 + n).to_string())
                    .replace("LAST", &last.to_string())
            };
            let rows: String = order.iter().map(row).collect();
            format!(
                "<html lang=en><title>The board</title><body>{}</body></html>",
                around.replace("ROWS", &rows)
            )
        };
        let found = visits_at(
            "page",
            &[
                ("2022-10-20T08:00:00Z", poll(&[0, 1, 2, 3, 4], 19)),
                ("2022-10-21T18:00:00Z", poll(&[3, 0, 1, 2, 4], 21)),
                ("2022-10-22T18:00:00Z", poll(&[5, 3, 0, 1, 2], 22)),
            ],
        );
        found.are_all_told(6, program);
        for (entry, (day, _)) in found.entries.iter().zip(found.days()) {
            let n = HEADLINES.iter().position(|title| entry["title"] == *title).expect("a topic");
            let want = if is_dated { format!("2022-10-{}", 11 + n) } else { String::new() };
            assert_eq!(day, want, "{program}: {entry:#}");
        }
    }
}

#[test]
fn a_card_of_an_event_is_one_before_its_day_on_it_and_after() {
    let events = [
        ("The concert of the band", "2022-11-12", "12 November 2022"),
        ("The winter market", "2022-12-03", "3 December 2022"),
        ("The mayor's reception", "2023-01-08", "8 January 2023"),
        ("The carnival of the schools", "2023-02-20", "20 February 2023"),
    ];
    let (all, first) = (&events[..], &events[..3]);
    for (what, title, card) in [
        (
            "named as an event",
            "Welcome",
            "<div class=event-card><h3><a href=/e/SLUG>NAME</a></h3><p class=date>DAY</p></div>",
        ),
        (
            "on an agenda",
            "Agenda",
            "<div class=card><h3><a href=/e/SLUG>NAME</a></h3><p class=date>DAY</p><p>Town hall</p></div>",
        ),
        (
            "with an hour",
            "News",
            "<div class=card><h3><a href=/e/SLUG>NAME</a></h3><p>DAY, 8:30 pm</p><p>Town hall</p></div>",
        ),
        (
            "among news",
            "News",
            "<div class=card><h3><a href=/e/SLUG>NAME</a></h3><p class=date>DAY</p><p>Town hall</p></div>",
        ),
        (
            "as an exact time",
            "News",
            "<div class=card><h3><a href=/e/SLUG>NAME</a></h3><time datetime='ISOT20:30:00+01:00'>DAY</time><p>Town hall</p></div>",
        ),
    ] {
        let poll = |events: &[(&str, &str, &str)]| {
            let card = |(name, iso, day): &(&str, &str, &str)| {
                let slug = name.to_lowercase().replace([' ', '\''], "-");
                card.replace("SLUG", &slug).replace("NAME", name).replace("ISO", iso).replace("DAY", day)
            };
            page(title, &events.iter().map(card).collect::<String>())
        };
        let before = visits_at("page", &[("2022-10-20T08:00:00Z", poll(first))]);
        let want: Vec<(String, String)> =
            first.iter().map(|(_, iso, _)| (String::new(), (*iso).to_owned())).collect();
        assert_eq!(before.days(), want, "{what}");
        let at = [
            "2022-10-20T08:00:00Z",
            "2022-11-12T12:00:00Z",
            "2022-11-14T08:00:00Z",
            "2022-12-10T08:00:00Z",
            "2023-01-20T08:00:00Z",
        ];
        let later = visits_at("page", &at.map(|at| (at, poll(first))));
        later.are_all_told(3, what);
        assert_eq!(later.days(), want, "{what}: nothing changed");
        assert!(later.entries.iter().all(|entry| entry["updated"].is_null()), "{what}");
        let rolling: Vec<(&str, String)> = at
            .iter()
            .map(|at| {
                let left: Vec<(&str, &str, &str)> =
                    all.iter().copied().filter(|(_, iso, _)| *iso >= &at[..10]).collect();
                (*at, poll(&left))
            })
            .collect();
        let rolling = visits_at("page", &rolling[..4]);
        rolling.are_all_told(4, what);
        assert!(
            rolling.days().iter().all(|(day, event)| day.is_empty() && !event.is_empty()),
            "{what}: {:?}",
            rolling.days()
        );
    }
}

#[test]
fn a_day_told_from_today_is_that_of_the_first_visit() {
    let ages = [
        ["2 hours ago", "1 day ago", "5 days ago", "2 weeks ago", "1 month ago"],
        ["yesterday by Ana", "2 days ago", "6 days ago", "2 weeks ago", "1 month ago"],
        ["5 days ago", "6 days ago", "1 week ago", "3 weeks ago", "1 month ago"],
        ["1 week ago", "2 weeks ago", "2 weeks ago", "4 weeks ago", "2 months ago"],
    ];
    let card = |(n, age): (usize, &&str)| {
        format!(
            "<article><h3><a href=/n/{n}>{}</a></h3><span class=date>{age}</span></article>",
            HEADLINES[n]
        )
    };
    let item = |(n, age): (usize, &&str)| {
        format!(
            "<item><title>{}</title><guid isPermaLink=\"false\">{n}</guid><pubDate>{}</pubDate></item>",
            HEADLINES[n],
            age.split(" by").next().unwrap()
        )
    };
    let pages = ages.map(|ages| page("News", &ages.iter().enumerate().map(card).collect::<String>()));
    let feeds = ages.map(|ages| feed(&ages.iter().enumerate().map(item).collect::<Vec<_>>()));
    let at = ["2022-10-20T08:00:00Z", "2022-10-21T08:00:00Z", "2022-10-25T08:00:00Z", "2022-11-02T08:00:00Z"];
    for (kind, documents) in [("page", pages), ("feed", feeds)] {
        let documents: Vec<(&str, String)> = at.into_iter().zip(documents).collect();
        let found = visits_at(kind, &documents);
        found.are_all_told(5, kind);
        let days: Vec<String> = found.days().into_iter().map(|(day, _)| day).collect();
        assert_eq!(days, ["2022-10-20", "2022-10-19", "2022-10-15", "2022-10-06", "2022-09-20"], "{kind}");
    }
}

#[test]
fn a_year_of_two_figures_is_read_once_the_source_has_shown_where_it_stands() {
    let poll = |n: usize, date: &str| {
        feed(&[format!(
            "<item><title>{}</title><guid isPermaLink=\"false\">{n}</guid><pubDate>{date}</pubDate></item>",
            HEADLINES[n]
        )])
    };
    let shown =
        visits("feed", &[poll(0, "28-09-22 10:00"), poll(1, "05-10-22 10:00"), poll(2, "06-10-22 10:00")]);
    shown.are_all_told(3, "shown");
    let days: Vec<String> = shown.days().into_iter().map(|(day, _)| day).collect();
    assert_eq!(days, ["2022-09-28", "2022-10-05", "2022-10-06"]);
    let open = visits("feed", &[poll(0, "05-10-22 10:00"), poll(1, "06-10-22 10:00"), poll(2, "2022")]);
    open.are_all_told(3, "open");
    assert!(open.days().iter().all(|(day, _)| day.is_empty()), "{:?}", open.days());
}

#[test]
fn a_box_beside_a_listing_is_no_entry_at_any_visit() {
    let record = |class: &str, n: usize| {
        format!(
            "<div class=\"{class}\"><h3><a href=/n/{n}>{}</a></h3><span class=date>{} October 2022</span></div>",
            HEADLINES[n],
            18 - n
        )
    };
    let boxes = [
        "<div id=\"cookie-banner\" role=\"dialog\"><h2>We use cookies</h2><p><a href=/cookies>Settings</a></p></div>",
        "<div><h2>Our newsletter</h2><p><a href=/newsletter>Sign up</a></p></div>",
    ];
    for (name, beside) in [("dialog", boxes[0]), ("newsletter", boxes[1])] {
        let cards: String = (1..5).map(|n| record("card", n)).collect();
        let listing = format!("{}<div class=\"grid\">{cards}</div>", record("hero", 0));
        let without = page("News", &format!("<main>{listing}</main>"));
        let with = page("News", &format!("<main>{listing}</main>{beside}"));
        visits("page", &[with.clone(), with.clone(), with.clone()]).are_all_told(5, name);
        visits("page", &[without.clone(), without, with]).are_all_told(5, name);
    }
}

/// An item of a feed, or a record of a page, with its address, and its day or none.
fn listed(kind: &str, n: usize, address: &str, is_dated: bool) -> String {
    let (title, day) = (HEADLINES[n], 19 - n);
    match (kind, is_dated) {
        ("feed", true) => format!(
            "<item><title>{title}</title><link>https://x.example{address}</link><pubDate>{day} Oct 2022 06:00:00 GMT</pubDate></item>"
        ),
        ("feed", false) => {
            format!("<item><title>{title}</title><link>https://x.example{address}</link></item>")
        }
        (_, true) => format!(
            "<li class=news><h3><a href=\"{address}\">{title}</a></h3><span class=date>{day} October 2022</span></li>"
        ),
        (_, false) => format!("<li class=news><h3><a href=\"{address}\">{title}</a></h3></li>"),
    }
}

fn list(kind: &str, items: &[String]) -> String {
    if kind == "feed" { feed(items) } else { page("News", &format!("<ul>{}</ul>", items.concat())) }
}

#[test]
fn entries_that_are_told_apart_by_their_places_alone_are_each_told_once() {
    for (kind, address, is_dated) in [
        ("feed", "/news#n{}", true),
        ("feed", "/news#n{}", false),
        ("feed", "/#/story/{}", false),
        ("feed", "/story-{}", true),
        ("feed", "/story?n={}", false),
        ("page", "/all#n{}", false),
        ("page", "/#/story/{}", true),
        ("page", "#/story/{}", false),
        ("page", "/story-{}", false),
    ] {
        let poll = |numbers: &[usize]| {
            let item = |(place, n): (usize, &usize)| {
                listed(kind, *n, &address.replace("{}", &place.to_string()), is_dated)
            };
            list(kind, &numbers.iter().enumerate().map(item).collect::<Vec<_>>())
        };
        let what = format!("{kind} {address}, dated: {is_dated}");
        let growing = [poll(&[3, 4, 5]), poll(&[2, 3, 4, 5]), poll(&[0, 1, 2, 3, 4, 5])];
        visits(kind, &growing).are_all_told(6, &format!("{what}, growing"));
        let sliding = [poll(&[3, 4, 5]), poll(&[2, 3, 4]), poll(&[0, 1, 2]), poll(&[0, 1, 2])];
        visits(kind, &sliding).are_all_told(6, &format!("{what}, sliding"));
    }
    let named = |title: &str| {
        let items = [0, 1, 2].map(|n| listed("feed", n, &format!("/news#{}", ["a", "b", "c"][n]), false));
        feed(&items.map(|item| item.replace(HEADLINES[1], title)))
    };
    let polls = [named(HEADLINES[1]), named("Lorries have to take the new road")];
    visits("feed", &polls).are_all_told(3, "an edit under a name of its own");
}

#[test]
fn a_document_that_is_dated_by_its_reading_is_known_again() {
    let item = |visit: usize, n: usize, text: usize, how: &str| {
        let token = ["a0b9f0", "a1b9f1", "c2d8e4"][visit];
        let slug = HEADLINES[n].to_lowercase().replace(' ', "-");
        let guid = format!("<guid isPermaLink=\"false\">{token}{n}</guid>");
        let link = match how {
            "sid" => format!("<link>https://x.example/n/{slug}?sid={token}</link>"),
            "visitor" => format!("<link>https://x.example/n.php?id={}&amp;visitor={token}</link>", 40 + n),
            "raw path" => format!("<link>https://x.example/actualités/{slug}?u={token}</link>"),
            "guid and address" => format!("{guid}<link>https://x.example/n/{slug}</link>"),
            _ => guid,
        };
        let date = format!("<pubDate>Thu, 20 Oct 2022 {:02}:00:00 GMT</pubDate>", 8 + 2 * visit);
        let (title, text) = (HEADLINES[n], NOTICES[text]);
        format!("<item><title>{title}</title>{link}<description>{text}</description>{date}</item>")
    };
    for how in ["sid", "visitor", "raw path", "guid and address", "guid"] {
        let poll = |visit: usize, numbers: &[usize]| {
            feed(&numbers.iter().map(|n| item(visit, *n, *n, how)).collect::<Vec<_>>())
        };
        let same = visits("feed", &[0, 1, 2].map(|visit| poll(visit, &[0, 1, 2])));
        same.are_all_told(3, how);
        let dates: Vec<&Value> = same.entries.iter().map(|entry| &entry["published"]).collect();
        assert!(dates.iter().all(|date| date.as_str() == Some("2022-10-20T08:00:00Z")), "{how} {dates:?}");
        let grown = [poll(0, &[1, 2, 3]), poll(1, &[0, 1, 2, 3]), poll(2, &[0, 1, 2, 3])];
        visits("feed", &grown).are_all_told(4, how);
        if matches!(how, "sid" | "visitor" | "raw path") {
            visits("feed", &[0, 1, 2].map(|visit| poll(visit, &[0, 1]))).are_all_told(2, how);
        }
    }
    let texts = |visit: usize| feed(&[0, 1, 2].map(|n| item(visit, n, n + visit, "guid")));
    let told = visits("feed", &[texts(0), texts(1)]);
    assert_eq!(told.entries.len(), 6, "with other texts, these are others: {:?}", told.entries);
}

#[test]
fn addresses_that_say_nothing_are_those_of_entries_where_their_records_are_dated() {
    for addresses in [
        ["/3", "/457", "/news/a", "/2022"],
        ["https://a.example", "https://b.example/", "/news/a", "https://c.example/x"],
        ["/?item=2", "/?item=3", "/index.php?id=5", "/?p=7"],
    ] {
        let items: Vec<String> = (0..4).map(|n| listed("page", n, addresses[n], true)).collect();
        visits("page", &[list("page", &items)]).are_all_told(4, &format!("{addresses:?}"));
    }
    let archive = "<ul><li><a href=/2022>2022</a></li><li><a href=/2022/09>September 2022</a></li></ul>";
    let items: String = (0..3).map(|n| listed("page", n, &format!("/news/{n}-a"), true)).collect();
    let front = "<p><a href=/>Start</a> 20 October 2022</p>";
    let page = page("News", &format!("{front}<ul>{items}</ul>{archive}"));
    visits("page", &[page]).are_all_told(3, "an archive and the front page are none");
}

#[test]
fn a_dated_record_without_a_link_is_an_entry_of_its_listing() {
    let linked = |n: usize| listed("page", n, &format!("/n/story-{n}"), true);
    let bare = |n: usize| linked(n).replace(&format!("<a href=\"/n/story-{n}\">"), "").replace("</a>", "");
    let polls = [
        list("page", &[linked(2), bare(3), linked(4), linked(5)]),
        list("page", &[bare(1), linked(2), bare(3), linked(4), linked(5)]),
        list("page", &[bare(0), linked(1), linked(2), bare(3), linked(4)]),
        list("page", &[bare(0), linked(1), linked(2), bare(3), linked(4)]),
    ];
    let found = visits("page", &polls);
    found.are_all_told(6, "some without a link");
    let of = |n: usize| found.entries.iter().find(|entry| entry["title"] == HEADLINES[n]).unwrap();
    assert!(of(3)["url"].as_str().unwrap().ends_with("/news"), "{}", of(3)["url"]);
    assert_eq!(of(3)["published"], "2022-10-16T00:00:00Z");
}

#[test]
fn what_is_featured_above_a_listing_is_an_entry_at_each_visit() {
    let item = |n: usize, class: &str, level: u8| {
        let slug = HEADLINES[n].to_lowercase().replace(' ', "-");
        format!(
            "<li class={class}><h{level}><a href=/{slug}>{}</a></h{level}><span class=date>{} October 2022</span></li>",
            HEADLINES[n],
            19 - n
        )
    };
    let poll = |first: Option<usize>, rest: &[usize]| {
        let first = first.map(|n| format!("<ul class=top>{}</ul>", item(n, "hero", 2))).unwrap_or_default();
        let rest: String = rest.iter().map(|n| item(*n, "small", 3)).collect();
        page("News", &format!("{first}<section><ul class=grid>{rest}</ul></section>"))
    };
    let always = [poll(Some(2), &[3, 4, 5]), poll(Some(1), &[2, 3, 4, 5]), poll(Some(0), &[1, 2, 3, 4])];
    visits("page", &always).are_all_told(6, "always");
    let later = [poll(None, &[2, 3, 4, 5]), poll(Some(1), &[2, 3, 4, 5]), poll(Some(0), &[1, 2, 3, 4])];
    visits("page", &later).are_all_told(6, "later");
}

#[test]
fn days_that_are_all_that_records_say_are_their_titles() {
    let minutes = |days: &[&str]| {
        let item = |day: &&str| {
            let file = day.to_lowercase().replace(' ', "-");
            format!("<li><a href=/files/minutes-{file}.pdf>{day}</a> (PDF, 120 kB)</li>")
        };
        page("Minutes of the council", &format!("<ul>{}</ul>", days.iter().map(item).collect::<String>()))
    };
    let days = ["6 October 2022", "1 September 2022", "7 July 2022", "2 June 2022"];
    let found = visits("page", &[minutes(&days[1..]), minutes(&days)]);
    found.are_all_told(4, "minutes");
    let titles: Vec<&str> = found.entries.iter().map(|entry| entry["title"].as_str().unwrap()).collect();
    assert!(days.iter().all(|day| titles.contains(day)), "{titles:?}");
}

/// An item with everything that tells entries apart, or not.
fn notice(title: &str, link: &str, guid: &str, day: &str, text: &str) -> String {
    let guid =
        if guid.is_empty() { String::new() } else { format!("<guid isPermaLink=\"false\">{guid}</guid>") };
    format!(
        "<item><title>{title}</title><link>https://t.example/{link}</link>{guid}<pubDate>{day} 08:00:00 GMT</pubDate><description>{text}</description></item>"
    )
}

#[test]
fn what_recurs_under_one_title_is_told_each_time_however_it_is_worded() {
    let title = "The minutes of the town council";
    let text = "The minutes of the last meeting are on our pages now.";
    let days = ["01 Sep 2022", "01 Oct 2022", "31 Oct 2022"];
    let minutes = |at: usize| notice(title, &format!("m-{at}"), &format!("m{at}"), days[at], text);
    let times = ["2022-09-01T12:00:00Z", "2022-10-01T12:00:00Z", "2022-10-31T12:00:00Z"];
    let told = |documents: [Vec<String>; 3]| {
        let documents: Vec<(&str, String)> =
            times.into_iter().zip(documents.map(|items| feed(&items))).collect();
        visits_at("feed", &documents)
    };
    told([vec![minutes(0)], vec![minutes(1)], vec![minutes(2)]]).are_all_told(3, "each alone");
    told([
        vec![minutes(1), minutes(0)],
        vec![minutes(1), minutes(0)],
        vec![minutes(2), minutes(1), minutes(0)],
    ])
    .are_all_told(3, "all in one document");
    let agenda =
        |at: usize, guid: &str, text: &str| notice("Agenda of the week", "agenda", guid, days[at], text);
    let (lotto, concert) =
        ("This week: lotto, market, town council.", "This week: concert, market, blood donation.");
    for (guids, what) in [(["a1", "a2"], "with guids of their own"), (["", ""], "without guids")] {
        told([
            vec![agenda(0, guids[0], lotto)],
            vec![agenda(1, guids[1], concert)],
            vec![agenda(1, guids[1], concert)],
        ])
        .are_all_told(2, what);
    }
    let episode = |at: usize| {
        let file = format!(
            "<enclosure url=\"https://t.example/j{at}.mp3\" type=\"audio/mpeg\" length=\"1\"/></item>"
        );
        let item =
            notice("The eight o'clock news", "journal", &format!("e{at}"), days[at], "By our newsroom");
        item.replace("</item>", &file)
    };
    told([vec![episode(0)], vec![episode(1)], vec![episode(2)]]).are_all_told(3, "episodes of a broadcast");
    // What is only dated anew, or reworded a little, is not.
    let bumped = told([
        vec![agenda(0, "", lotto)],
        vec![agenda(1, "", lotto)],
        vec![agenda(2, "", "This week: lotto, market, town council, and more.")],
    ]);
    bumped.are_all_told(1, "one that changes");
    let same_day = told([
        vec![minutes(0)],
        vec![notice(title, "m-other", "other", days[0], text), minutes(0)],
        vec![notice(title, "m-other", "other", days[0], text), minutes(0)],
    ]);
    assert_eq!(same_day.announced(), 1, "posted twice on one day: {:#?}", same_day.entries);
}

/// What recurs at one address, polled when each issue is there and once more.
fn recurring(title: &str, guid: &str, texts: [&str; 3]) -> Visits {
    let days = ["01 Sep 2022", "02 Sep 2022", "09 Sep 2022"];
    let issue = |at: usize| {
        let item = notice(title, "today", guid, days[at], texts[at]);
        feed(&[item.replace("<description></description>", "")])
    };
    let times =
        ["2022-09-01T12:00:00Z", "2022-09-02T12:00:00Z", "2022-09-09T12:00:00Z", "2022-09-09T18:00:00Z"];
    let documents: Vec<(&str, String)> = times.into_iter().zip([0, 1, 2, 2].map(issue)).collect();
    visits_at("feed", &documents)
}

#[test]
fn what_recurs_at_one_address_with_a_few_words_or_none_is_told_each_time() {
    for (title, texts) in [
        ("Town council", ["", "", ""]),
        (
            "Picture of the day",
            ["&lt;img src='/1.jpg'&gt;", "&lt;img src='/2.jpg'&gt;", "&lt;img src='/3.jpg'&gt;"],
        ),
        ("Dish of the day", ["Royal couscous", "Blanquette de veau", "Lasagne"]),
        ("Quality of the air", ["Good", "Poor", "Bad"]),
        ("Quote of the day", ["Be yourself.", "Know thyself well.", "All the world is a stage."]),
        ("Warnings of the weather", ["Green", "Yellow: thunder", "Orange: flood"]),
    ] {
        for guid in ["", "k", title] {
            recurring(title, guid, texts).are_all_told(3, &format!("{title} {guid}"));
        }
    }
    recurring("Swimming pool", "k", ["Closed", "Closed.", "closed"])
        .are_all_told(1, "what is only dated anew");
    recurring("Swimming pool", "k", ["Closed for repairs", "Closes for repairs", "Closed for some repairs"])
        .are_all_told(1, "an edit of a few words");
}

#[test]
fn an_entry_without_a_text_that_is_only_dated_anew_is_told_once() {
    let item = |title: &str, day: &str| {
        let link = format!("https://x.example/{}", title.to_lowercase().replace(' ', "-"));
        format!("<item><title>{title}</title><link>{link}</link><pubDate>{day} GMT</pubDate></item>")
    };
    let readings = [
        ("2022-10-20T08:00:00Z", "20 Oct 2022 08:00:01"),
        ("2022-10-21T08:00:00Z", "21 Oct 2022 08:00:02"),
        ("2022-10-23T09:30:00Z", "23 Oct 2022 09:30:01"),
    ];
    let touched: Vec<(&str, String)> =
        readings.iter().map(|(at, day)| (*at, feed(&[item("Town council", day)]))).collect();
    visits_at("feed", &touched).are_all_told(1, "by each reading");
    let names = ["Town council", "School board", "Flea market"];
    let all = |day: &str| feed(&names.map(|name| item(name, day)));
    let moved = [
        ("2022-10-20T12:00:00Z", all("20 Oct 2022 06:00:00")),
        ("2022-10-22T12:00:00Z", all("22 Oct 2022 06:00:00")),
    ];
    visits_at("feed", &moved).are_all_told(3, "all at once");
}

#[test]
fn one_item_under_two_identifiers_in_a_document_is_one_story() {
    let stories = |items: &[String]| {
        let visits = visits("feed", &[feed(items)]);
        let stories: std::collections::HashSet<&str> =
            visits.entries.iter().map(|entry| entry["story"].as_str().unwrap()).collect();
        (visits.entries.len(), stories.len())
    };
    let title = "The old bridge is closed on Monday";
    let (day, next) = ("18 Oct 2022", "19 Oct 2022");
    for text in ["Closed.", ""] {
        let item = |guid: &str, day: &str| {
            notice(title, "bridge", guid, day, text).replace("<description></description>", "")
        };
        assert_eq!(stories(&[item("g1", day), item("g2", day)]), (2, 1), "{text:?}");
        assert_eq!(stories(&[item("g1", next), item("g2", day)]), (2, 2), "on two days {text:?}");
        let other = item("g2", day).replace("/bridge", "/other");
        assert_eq!(stories(&[item("g1", day), other]), (2, 2), "at two addresses {text:?}");
    }
    let post = |guid: &str, text: &str| notice("Technician wanted", "jobs", guid, day, text);
    assert_eq!(stories(&[post("g1", "In Lille."), post("g2", "In Brest.")]), (2, 2), "with two texts");
}

#[test]
fn a_listing_that_leads_to_a_page_without_one_is_an_error_whatever_it_looked_like() {
    let card = |n: usize| {
        let day = 10 + n;
        format!(
            "<article><h2><a href=/news/{n}>{}</a></h2><time datetime=2022-10-{day}>x</time></article>",
            HEADLINES[n]
        )
    };
    let cards: String = (0..4).map(card).collect();
    let bare = format!("<html><title>News</title><body><h1>News</h1>{cards}</body></html>");
    for listing in [bare, page("News", &cards)] {
        for to in ["/welcome", "/"] {
            let server = Server::always(Reply::new(404, ""));
            let mut app = App::new(&format!(
                "[[source]]\nid = \"s\"\nkind = \"page\"\nurl = \"{}\"\n",
                server.url("/news")
            ));
            let first = listing.clone();
            server.answer(move |request: &Request| match request.target.as_str() {
                "/news" => Reply::html(first.clone()),
                _ => Reply::new(404, ""),
            });
            app.at("2022-10-20T08:00:00Z").ok(&["fetch", "--all"]);
            assert_eq!(app.entries().len(), 4);
            server.answer(move |request: &Request| match request.target.as_str() {
                "/news" => Reply::redirect(302, to),
                path if path == to => Reply::html(
                    "<html><title>Town</title><body><h1>Welcome</h1><p>Good day.</p></body></html>",
                ),
                _ => Reply::new(404, ""),
            });
            let said = app.at("2022-10-20T10:00:00Z").run(&["fetch", "--all"]);
            let said = format!("{}{}", said.stdout, said.stderr);
            assert!(said.contains("failed: "), "{to}: {said}");
            assert!(listing.contains("<main>") || said.contains("the server redirects to"), "{to}: {said}");
            assert_eq!(app.entries().len(), 4);
        }
    }
}
