//! Records that have days and are no news, by what the page, its part or they themselves are called: timetables, rules, people, help,
//! what a text rests on, the documents of a topic, the files of a folder.

use std::collections::HashSet;

use jiff::Timestamp;
use scraper::ElementRef;
use url::Url;

use super::cards::Card;
use super::evidence::{is_page_of_news, most, own_part, titles};
use super::headings;
use crate::extract::page::{Page, selector, text_of};
use crate::extract::words;
use crate::model::address::is_file_path;
use crate::model::feed::RawEntry;

/// Number of elements around a record that may be the comments on an article.
const COMMENT_ANCESTORS_MAX: usize = 4;
/// Number of elements around a record that may be a quotation.
const QUOTE_ANCESTORS_MAX: usize = 2;
/// The title of a page of rules or procedures has so many more words: "By-laws of the town".
const TITLE_WORDS_MORE_MAX: usize = 3;
/// What is longer is more than the lead of a list, in characters.
const PROSE_CHARS_MIN: usize = 300;
/// A word of a title has so many letters; shorter ones are units.
const WORD_LETTERS_MIN: usize = 3;
/// Beside a year, the name of an archive has no longer words than "from", and those for news.
const SMALL_CHARS_MAX: usize = 4;

/// Whether the page, its markup or the heading above calls records something that has days and is no news, and nothing calls them
/// news.
pub(super) fn are_called_otherwise(page: &Page, cards: &[Card], entries: &[RawEntry]) -> bool {
    if cards.is_empty() {
        return false;
    }
    if cards.iter().all(is_comment) || most(cards, is_file_of_folder) {
        return true;
    }
    if is_page_of_news(page) {
        return false;
    }
    is_timetable(page)
        || cards.iter().all(is_quote)
        || are_all_titled(entries, is_step)
        || are_all_titled(entries, is_time_and_measure)
        || !are_titled_news(entries) && is_of_another_purpose(page, cards, entries)
        || are_documents_of_topic(page, cards, entries)
}

fn are_all_titled(entries: &[RawEntry], fits: impl Fn(&str) -> bool) -> bool {
    titles(entries).next().is_some() && titles(entries).all(fits)
}

/// The texts by which a page calls itself: the first part of its title, and its heading.
fn names_of(page: &Page) -> impl Iterator<Item = String> + '_ {
    let first = |css: &str| page.html().select(&selector(css)).next().map(text_of).unwrap_or_default();
    ["title", "h1"].into_iter().map(move |css| own_part(&first(css)).to_owned())
}

fn is_timetable(page: &Page) -> bool {
    names_of(page).any(|name| {
        let after = words::after("procedure", &words::plain(&name)).map(words::count);
        words::has_one("timetable", &name) || after.is_some_and(|more| more <= TITLE_WORDS_MORE_MAX)
    })
}

/// Whether a page is about the site, its people or its rules, or answers questions, or a part of it names what the rest rests on; and
/// no heading calls the records news.
fn is_of_another_purpose(page: &Page, cards: &[Card], entries: &[RawEntry]) -> bool {
    let last =
        page.base().and_then(Url::path_segments).and_then(|mut parts| parts.rfind(|part| !part.is_empty()));
    let last = last.map(|last| words::parts_of_name(last).join(" ")).unwrap_or_default();
    let is_named =
        |kind: &str| names_of(page).any(|name| is_called(kind, &name)) || words::is_one(kind, &last);
    let is_undated = || entries.iter().all(|entry| entry.published.is_none() && entry.event.is_none());
    let is_page = is_named("legal") || is_named("about") || is_named("help") && is_undated();
    let above = headings::above(page, cards);
    let is_part = above.iter().all(|above| {
        let text = above.heading.as_ref().map(|heading| heading.text.as_str()).unwrap_or_default();
        is_called("reference", text) || is_called("legal", text)
    });
    is_part || is_page && (is_named("help") || !above.first().is_some_and(|above| above.is_news()))
}

/// Whether a name is one of the words of a kind, or begins with several of them and has little more: "Privacy policy of the town", and
/// not "Privacy International".
fn is_called(kind: &str, name: &str) -> bool {
    let plain = words::plain(name);
    words::after(kind, &plain).is_some_and(|rest| {
        let word = &plain[..plain.len() - rest.len()];
        rest.is_empty() || word.contains(' ') && words::count(rest) <= TITLE_WORDS_MORE_MAX
    })
}

/// The text of a link to a tool has at most so many words, and so many behind what it begins with: "Print this page".
const TOOL_WORDS_MAX: usize = 8;
const TOOL_WORDS_MORE_MAX: usize = 3;
/// So many words around the name of a network only say whose page it is: "Our page on Facebook".
const PROFILE_WORDS_MAX: usize = 5;

/// Whether half of the entries are links to what a site has beside its pages: to log in, to print, to go home, to its profiles.
pub(super) fn are_tools(entries: &[RawEntry]) -> bool {
    let is_profile =
        |title: &str| words::count(title) <= PROFILE_WORDS_MAX && words::has_one("network", title);
    let is_beside =
        |entry: &&RawEntry| is_bare(entry).is_some_and(|title| is_tool(title) || is_profile(title));
    let count = entries.iter().filter(is_beside).count();
    count > 0 && count * 2 >= entries.len()
}

/// Leaves out such links to tools beside entries.
pub(super) fn without_tools(entries: &mut Vec<RawEntry>) {
    entries.retain(|entry| !is_bare(entry).is_some_and(is_tool));
}

/// The title of an entry of which nothing else is told.
fn is_bare(entry: &RawEntry) -> Option<&str> {
    let is_dated = entry.published.is_some() || entry.event.is_some() || entry.updated.is_some();
    let is_told = is_dated || entry.summary.is_some() || entry.image.is_some();
    entry.title.as_ref().filter(|_| !is_told).map(|title| title.value.as_str())
}

/// Whether the text of a link says what a tool of the site does. In the table, `*` stands for a few words more.
fn is_tool(title: &str) -> bool {
    if words::count(title) > TOOL_WORDS_MAX {
        return false;
    }
    let plain = words::plain(title);
    let begins = |word: &String| {
        let rest = word.strip_suffix(" *").and_then(|start| plain.strip_prefix(start));
        rest.is_some_and(|rest| {
            (rest.is_empty() || rest.starts_with(' ')) && words::count(rest) <= TOOL_WORDS_MORE_MAX
        })
    };
    words::is_one("tool", title) || words::of("tool").iter().any(begins)
}

/// Whether most titles name news themselves: minutes, notices.
fn are_titled_news(entries: &[RawEntry]) -> bool {
    titles(entries).filter(|title| words::names_news(title)).count() * 2 > entries.len()
}

fn is_comment(card: &Card) -> bool {
    let comments = selector(".comment, .comments, .comment-list, .commentlist, #comments");
    let around = card.record.ancestors().filter_map(ElementRef::wrap).take(COMMENT_ANCESTORS_MAX);
    std::iter::once(card.record).chain(around).any(|around| comments.matches(&around))
}

fn is_quote(card: &Card) -> bool {
    let quotes = selector("blockquote, [class*=testimonial], [class*=temoignage], [class*=testimonio]");
    let texts = selector("p, q");
    let around = card.record.ancestors().filter_map(ElementRef::wrap).take(QUOTE_ANCESTORS_MAX);
    card.record.select(&quotes).next().is_some()
        || card.record.select(&texts).any(|text| text_of(text).starts_with(['«', '“', '„', '"']))
        || std::iter::once(card.record).chain(around).any(|around| quotes.matches(&around))
}

/// Whether a record is a file in a folder, which is called as its address ends: "README.md" of `/blob/main/README.md`.
fn is_file_of_folder(card: &Card) -> bool {
    let first = card.record.select(&selector("a[href]")).find(|link| !text_of(*link).is_empty());
    first.is_some_and(|link| {
        let path = link.attr("href").unwrap_or_default().split(['?', '#']).next().unwrap_or_default();
        let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        !name.is_empty() && text_of(link).trim_end_matches('/') == name
    })
}

/// Whether a title is that of a step: "Step 1: register".
fn is_step(title: &str) -> bool {
    let plain = words::plain(title);
    words::after("step", &plain)
        .is_some_and(|rest| rest.trim_start().starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether a title is a time of day and what was measured then: "00:12 1,4 m".
fn is_time_and_measure(title: &str) -> bool {
    let is_time = title.split_once(':').is_some_and(|(hour, rest)| {
        let is_figures = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        is_figures(hour) && rest.get(..2).is_some_and(is_figures)
    });
    let is_word = |word: &str| word.chars().count() >= WORD_LETTERS_MIN;
    is_time && !title.split(|c: char| !c.is_alphabetic()).any(is_word)
}

/// Whether a record leads to the news of a year, or of a month of one, and is called so: "News from 2025".
pub(super) fn is_archive_of_year(card: &Card) -> bool {
    let Ok(url) = Url::parse(&card.href) else { return false };
    let segments: Vec<&str> =
        url.path_segments().into_iter().flatten().filter(|part| !part.is_empty()).collect();
    let is_year =
        |part: &&str| part.len() == 4 && part.parse().is_ok_and(|year: u16| (1990..=2100).contains(&year));
    let Some(year) = segments.iter().rev().take(2).copied().find(is_year) else { return false };
    let is_last = segments.last().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    let is_small =
        |word: &str| word.chars().count() <= SMALL_CHARS_MAX || words::is_of_news(&words::plain(word));
    is_last
        && card.anchors.iter().any(|(_, text)| text.contains(year))
        && card.anchors.iter().all(|(_, text)| text.split(|c: char| !c.is_alphanumeric()).all(is_small))
}

/// Whether records are the documents of a topic that the page is about: files, each of another kind, whose days do not run as those of
/// a list do, or that stand below a long text. A series, and a page that is called one of documents, is none.
fn are_documents_of_topic(page: &Page, cards: &[Card], entries: &[RawEntry]) -> bool {
    let is_file = |card: &Card| Url::parse(&card.href).is_ok_and(|url| is_file_path(url.path()));
    let is_of_documents = || names_of(page).any(|name| words::has_one("documents", &name));
    if !cards.iter().all(is_file) || is_of_documents() || are_titled_news(entries) || are_series(entries) {
        return false;
    }
    let days: Vec<Timestamp> = entries.iter().filter_map(|entry| entry.published).collect();
    let runs = days.windows(2).all(|two| two[0] > two[1]) || days.windows(2).all(|two| two[0] < two[1]);
    !runs || has_prose(page, cards)
}

/// Whether most titles begin with one word: "Bulletin 12", "Bulletin 11".
fn are_series(entries: &[RawEntry]) -> bool {
    let first = |title: &str| words::plain(title).split(' ').next().unwrap_or_default().to_owned();
    let firsts: Vec<String> = titles(entries).map(first).collect();
    firsts.iter().any(|word| firsts.iter().filter(|other| *other == word).count() * 2 > firsts.len())
}

/// Whether the page has paragraphs of a text beside the records.
fn has_prose(page: &Page, cards: &[Card]) -> bool {
    let records: HashSet<_> = cards.iter().map(|card| card.record.id()).collect();
    let is_beside = |text: &ElementRef| {
        let mut around = std::iter::once(**text).chain(text.ancestors());
        !around.any(|around| records.contains(&around.id()))
    };
    let paragraphs = selector("main p, article p, body p");
    let texts = page.html().select(&paragraphs).filter(is_beside).map(|text| text_of(text).chars().count());
    texts.sum::<usize>() >= PROSE_CHARS_MIN
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use url::Url;

    use crate::extract::page::Page;
    use crate::extract::prose_date::DateRules;

    fn count(address: &str, body: &str) -> usize {
        let url = Url::parse(&format!("https://x.org{address}")).unwrap();
        let rules = DateRules { now: "2022-10-20T12:00:00Z".parse().ok(), ..DateRules::default() };
        Page::parse(body, Some(&url)).detect_listing(rules, &HashSet::new()).feed.entries.len()
    }

    /// Three items of a list, each with `{n}` for its number and `{t}` for its title.
    fn items(item: &str) -> String {
        let titles = ["The harbour gets a crane", "Council agrees a plan", "A mill opens again"];
        let item = |(n, title): (usize, &&str)| {
            format!("<li>{}</li>", item.replace("{n}", &(n + 1).to_string()).replace("{t}", title))
        };
        format!("<ul>{}</ul>", titles.iter().enumerate().map(item).collect::<String>())
    }

    const DATED: &str = "<a href=/s{n}>{t}</a> 1{n} October 2022";

    #[test]
    fn a_page_of_rules_of_people_or_of_help_lists_no_news_but_under_a_heading_of_news() {
        let list = items(DATED);
        for title in [
            "Impressum",
            "Mentions légales",
            "Privacy policy of the town",
            "Note legali",
            "Aviso legal",
            "About us",
            "Board of trustees",
            "Corporación municipal",
            "Qui sommes-nous ?",
            "Terms of service | Town",
        ] {
            let page = |rest: &str| format!("<title>{title}</title><main><h1>{title}</h1>{rest}</main>");
            assert_eq!(count("/x", &page(&list)), 0, "{title}");
            assert_eq!(count("/x", &page(&format!("<h2>Latest news</h2>{list}"))), 3, "{title}");
        }
        assert_eq!(count("/about", &format!("<h1>The town</h1>{list}")), 0, "by its address");
        for title in ["Privacy International", "Termini Imerese", "Credit Union of the town", "Aboutville"] {
            assert_eq!(count("/x", &format!("<title>{title}</title><h1>{title}</h1>{list}")), 3, "{title}");
        }
        let help = items("<h3><a href=/h{n}>{t}</a></h3><p>Last updated 1{n} October 2022</p>");
        let page =
            |title: &str| format!("<title>{title}</title><h1>{title}</h1><h2>Popular articles</h2>{help}");
        assert_eq!((count("/x", &page("Help centre")), count("/x", &page("Town"))), (0, 3));
    }

    #[test]
    fn a_part_that_only_names_what_a_page_rests_on_is_no_listing() {
        for heading in
            ["Fundamento jurídico", "Previous versions", "Bases légales", "Bildnachweis", "References"]
        {
            let part =
                format!("<h1>Driving licence</h1><p>What you need.</p><h2>{heading}</h2>{}", items(DATED));
            assert_eq!(count("/x", &part), 0, "{heading}");
        }
        let versions =
            (1..=3).map(|n| format!("<li><a href=/v/{n}>1{n} May 202{n}</a></li>")).collect::<String>();
        assert_eq!(count("/x", &format!("<h1>Rules</h1><h2>Previous versions</h2><ul>{versions}</ul>")), 0);
        assert_eq!(count("/x", &format!("<h1>Town</h1><h2>The harbour</h2>{}", items(DATED))), 3);
    }

    #[test]
    fn a_label_that_is_none_of_publication_makes_no_date() {
        for label in [
            "Appointed",
            "Toma de posesión",
            "Tomada de posse",
            "Joined",
            "Elected",
            "Im Amt seit",
            "Accessed",
        ] {
            for item in [
                "<h3><a href=/p{n}>{t}</a></h3><p>LABEL: 1{n} March 2022</p>",
                "<h3><a href=/p{n}>{t}</a></h3><p>LABEL: <span class=date>1{n} March 2022</span></p>",
            ] {
                let list = items(&item.replace("LABEL", label));
                assert_eq!(count("/x", &format!("<h1>The house</h1>{list}")), 0, "{label} {item}");
            }
        }
        let told = items("<h3><a href=/p{n}>{t}: mayor elected</a></h3><p>1{n} March 2022</p>");
        assert_eq!(count("/x", &format!("<h1>The house</h1>{told}")), 3, "a word of a title");
    }

    #[test]
    fn documents_of_a_topic_are_no_listing_and_series_and_pages_of_documents_are() {
        let names = ["Written rules", "Map of zones", "Presentation"];
        let list = |names: [&str; 3], days: [&str; 3]| {
            let item = |(n, (name, day)): (usize, (&str, &str))| {
                format!("<li><a href=/f/{n}.pdf>{name}</a> - {day} - 2 MB</li>")
            };
            format!("<ul>{}</ul>", names.into_iter().zip(days).enumerate().map(item).collect::<String>())
        };
        let (repeated, run) =
            (["12/06/2019", "12/06/2019", "04/03/2019"], ["12/06/2019", "11/05/2019", "04/03/2019"]);
        let page =
            |title: &str, rest: &str| format!("<title>{title}</title><h1>{title}</h1><p>In force.</p>{rest}");
        assert_eq!(count("/plan", &page("Plan of the town", &list(names, repeated))), 0);
        let prose = format!("<p>{}</p>", "It says where houses may be built, and how high. ".repeat(8));
        assert_eq!(count("/plan", &page("Plan of the town", &format!("{prose}{}", list(names, run)))), 0);
        assert_eq!(count("/plan", &page("Plan of the town", &list(names, run))), 3, "days that run one way");
        assert_eq!(count("/x", &page("Documents", &list(names, repeated))), 3);
        assert_eq!(count("/x", &page("Press releases", &list(names, repeated))), 3);
        let series = ["Session of June", "Session of May", "Session of March"];
        assert_eq!(count("/x", &page("The council", &list(series, repeated))), 3);
    }

    #[test]
    fn steps_tables_folders_and_archives_are_no_listing() {
        let steps = items("<a href=/a{n}>Step {n}: {t}</a> by 1{n} January 2023");
        let folder = |n: usize| {
            format!(
                "<tr><td><a href=/blob/part{n}.py>part{n}.py</a></td><td><a href=/commit/{n}>Mend the harbour again</a></td><td><time datetime=2022-10-1{n}>x</time></td></tr>"
            )
        };
        let folder = (1..=3).map(folder).collect::<String>();
        let tides = (1..=3)
            .map(|n| format!("<tr><td><a href=/m/{n}>1{n}/10/2022</a></td><td>0{n}:12 1,4 m</td></tr>"));
        let years = items("<a href=/news/202{n}>News from 202{n}</a>");
        for body in [
            format!("<h1>Apply for a grant</h1>{steps}"),
            format!("<h1>project</h1><table>{folder}</table>"),
            format!("<h1>Harbour</h1><table>{}</table>", tides.collect::<String>()),
            format!("<title>News archive</title><h1>News archive</h1>{years}"),
            format!("<title>Key dates</title><h1>Key dates</h1>{}", items(DATED)),
            "<h1>Town</h1><div><h2>Newsletter</h2><a href=/nl/44>Letter 44 - 1 October 2022</a></div>"
                .to_owned(),
        ] {
            assert_eq!(count("/x", &body), 0, "{body}");
        }
        let letters = items("<h3><a href=/nl/{n}>Letter {n} of the town</a></h3><p>1{n} October 2022</p>");
        assert_eq!(count("/x", &format!("<h1>Town</h1><h2>Newsletter</h2>{letters}")), 3);
    }
}
