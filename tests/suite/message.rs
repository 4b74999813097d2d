//! The message itself: what mailbox providers, mail programs and people who cannot see ask of it.

use std::collections::BTreeMap;

use scraper::{ElementRef, Html, Node, Selector};

use crate::support::http::{Reply, Server};
use crate::support::sink::Sink;
use crate::support::{App, header, rss, text_part};

/// Tags that mail programs know and that do nothing by themselves.
const TAGS: [&str; 19] = [
    "html", "head", "meta", "title", "style", "body", "div", "table", "tbody", "tr", "td", "h1", "h2", "h3",
    "p", "a", "br", "span", "strong",
];

/// CSS that caniemail.com has as supported in Gmail, Outlook (with its Windows programs, but for max-width, which a table for
/// them stands in for), Apple Mail, Yahoo and Samsung.
const PROPERTIES: [&str; 15] = [
    "margin",
    "padding",
    "color",
    "background-color",
    "font-family",
    "font-size",
    "font-weight",
    "line-height",
    "text-decoration",
    "text-align",
    "border-top",
    "border-bottom",
    "display",
    "max-width",
    "width",
];

/// An issue with all that can be in one: topics, copies, translations, more than there is room for.
fn mails(language: &str) -> Vec<String> {
    let entry = |language: &str, title: &str, host: &str| {
        format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"{language}\"><id>urn:{host}</id><title>T</title><updated>2022-10-19T00:00:00Z</updated><entry><title>{title}</title><id>urn:{host}:1</id><updated>2022-10-19T00:00:00Z</updated><summary>A &lt;b&gt;summary&lt;/b&gt; with &amp;amp; “quotes” = signs, and a dot\n.\nalone</summary><link href=\"https://o.example/{language}\"/><link rel=\"alternate\" hreflang=\"fr\" href=\"https://o.example/fr\"/><link rel=\"alternate\" hreflang=\"en\" href=\"https://o.example/en\"/></entry></feed>"
        )
    };
    let server = Server::start(move |request| {
        match request.target.as_str() {
        "/fr" => Reply::ok(entry("fr", "Les tribunaux &amp;lt;ouverts&amp;gt; avancent", "fr")),
        "/en" => Reply::ok(entry("en", "Open courts &amp;amp; justice advance", "en")),
        "/copy" | "/other" => Reply::ok(entry("en", "Open courts &amp;amp; justice advance", &request.target[1..])),
        "/ar" => Reply::ok("<rss version=\"2.0\"><channel><title>T</title><language>ar</language><item><guid>a</guid><title>العدالة المفتوحة</title><link>https://o.example/ar</link></item></channel></rss>".to_owned()),
        _ => Reply::ok(rss(&[("b", "The budget of the year", 18, "Figures"), ("c", "A story of nothing", 17, ""), ("d", "A story that finds no room", 2, "")])),
    }
    });
    let source = |id: &str| {
        format!(
            "[[source]]\nid = \"{id}\"\npartner = \"Partner {id}\"\nurl = \"{}\"\n",
            server.url(&format!("/{id}"))
        )
    };
    let mut app = App::new(&format!(
        "{}{}{}{}{}{}[[topic]]\nid = \"justice & courts\"\nlabel = {{ en = \"Justice & courts\", fr = \"Justice\" }}\nkeywords = {{ en = [\"justice\", \"courts\"], fr = [\"tribunaux\"] }}\n[[topic]]\nid = \"budget\"\nlabel = {{ en = \"Budgets\" }}\nkeywords = {{ en = [\"budget\"] }}\n[newsletter]\nmax_entries = 4\ncontroller = \"The Network, 1 Main Street, 1000 Town\"\n[[digest]]\nid = \"weekly\"\ntitle = \"The week\"\nlanguage = \"{language}\"\nschedule = \"daily 08:00 UTC\"\nmax_entries = 4\nrecipients = [\"fixed@example.org\"]\n",
        source("fr"),
        source("en"),
        source("copy"),
        source("other"),
        source("ar"),
        source("rest")
    ));
    app.ok(&["subscribers", "add", "--cadence", "daily", "--language", language, "own@example.org"]);
    app.ok(&["fetch"]);
    app.later(24 * 60).ok(&["run"]);
    let mails = app.outbox();
    assert_eq!(mails.len(), 2);
    mails
}

fn html_part(mail: &str) -> Html {
    let message = mail_parser::MessageParser::default().parse(mail.as_bytes()).unwrap();
    assert_eq!(message.html_body_count(), 1);
    let html = message.body_html(0).unwrap().into_owned();
    Html::parse_document(&html)
}

fn styles(element: &ElementRef) -> BTreeMap<String, String> {
    let style = element.value().attr("style").unwrap_or_default();
    style
        .split(';')
        .filter_map(|rule| rule.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

/// The words that people see.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    words.sort();
    words
}

fn visible(html: &Html) -> String {
    let mut text = String::new();
    for node in html.tree.root().descendants() {
        let Node::Text(own) = node.value() else { continue };
        let ancestors: Vec<ElementRef> = node.ancestors().filter_map(ElementRef::wrap).collect();
        let is_hidden = ancestors.iter().any(|element| {
            matches!(element.value().name(), "head")
                || styles(element).get("display").is_some_and(|display| display == "none")
        });
        if !is_hidden {
            text.push_str(own);
            text.push(' ');
        }
    }
    text
}

#[test]
fn the_text_says_what_the_html_says() {
    for language in ["en", "fr", "es", "de", "ru", "zh", "ar"] {
        for mail in mails(language) {
            let text = text_part(&mail);
            let without_links: String = text
                .split_whitespace()
                .filter(|word| !word.starts_with("https://"))
                .collect::<Vec<_>>()
                .join(" ");
            let html = html_part(&mail);
            assert_eq!(words(&visible(&html)), words(&without_links), "{text}");
            // And leads where it leads.
            let anchors = Selector::parse("a[href]").unwrap();
            for link in html.select(&anchors).map(|link| link.value().attr("href").unwrap()) {
                assert!(text.contains(link), "{link} is not in\n{text}");
                assert!(link.starts_with("https://") && !link.contains("@@"), "{link}");
            }
            assert!(
                html.select(&anchors)
                    .filter(|link| link.value().attr("href").unwrap().starts_with("https://o.example/"))
                    .count()
                    >= 2
            );
        }
    }
}

#[test]
fn the_html_is_what_every_mail_program_can_show() {
    for mail in mails("en") {
        let html = html_part(&mail);
        let root = html.root_element();
        assert_eq!((root.value().attr("lang"), root.value().attr("dir")), (Some("en"), Some("ltr")));
        for element in html.root_element().descendants().filter_map(ElementRef::wrap) {
            let name = element.value().name();
            assert!(TAGS.contains(&name), "<{name}>");
            for (attribute, _) in element.value().attrs() {
                assert!(!attribute.starts_with("on"), "{attribute}");
            }
            for (property, value) in styles(&element) {
                assert!(
                    PROPERTIES.contains(&property.as_str()) && !value.contains("url("),
                    "{property}: {value}"
                );
            }
            if name == "table" {
                assert_eq!(element.value().attr("role"), Some("presentation"));
            }
            if let Some(size) =
                styles(&element).get("font-size").filter(|_| !styles(&element).contains_key("display"))
            {
                assert!(size.trim_end_matches("px").parse::<u32>().unwrap() >= 14, "{size}");
            }
        }
        let style: String =
            html.select(&Selector::parse("style").unwrap()).flat_map(|style| style.text()).collect();
        assert!(
            style.contains("prefers-color-scheme: dark")
                && !style.contains("@import")
                && !style.contains("url(")
        );
        for meta in ["color-scheme", "supported-color-schemes", "viewport"] {
            assert_eq!(
                html.select(&Selector::parse(&format!("meta[name={meta}]")).unwrap()).count(),
                1,
                "{meta}"
            );
        }
        let arabic = html.select(&Selector::parse("[lang=ar]").unwrap()).next().unwrap();
        assert_eq!(arabic.value().attr("dir"), Some("rtl"));
        let levels: Vec<u32> = html
            .select(&Selector::parse("h1, h2, h3").unwrap())
            .map(|heading| heading.value().name()[1..].parse().unwrap())
            .collect();
        assert_eq!(levels[0], 1);
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
    }
}

/// Relative luminance (WCAG 2.2).
fn luminance(colour: &str) -> f64 {
    let part = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

#[test]
fn colours_have_the_contrast_of_aa_in_light_and_dark() {
    let mail = mails("en").remove(0);
    let html = html_part(&mail);
    let style: String =
        html.select(&Selector::parse("style").unwrap()).flat_map(|style| style.text()).collect();
    let dark: BTreeMap<String, String> = style
        .lines()
        .filter_map(|line| line.strip_prefix('.')?.split_once(" { "))
        .map(|(class, rule)| {
            (class.to_owned(), rule.split(": ").nth(1).unwrap().split(' ').next().unwrap().to_owned())
        })
        .collect();
    for is_dark in [false, true] {
        let of = |element: &ElementRef, property: &str| -> Option<String> {
            let own = styles(element).get(property).cloned()?;
            let class = element
                .value()
                .attr("class")
                .filter(|_| is_dark)
                .and_then(|classes| classes.split(' ').find_map(|class| dark.get(class)));
            assert!(!is_dark || class.is_some(), "{} has a colour for light only", element.html());
            Some(class.cloned().unwrap_or(own))
        };
        for node in html
            .tree
            .root()
            .descendants()
            .filter(|node| node.value().as_text().is_some_and(|text| !text.trim().is_empty()))
        {
            let ancestors: Vec<ElementRef> = node.ancestors().filter_map(ElementRef::wrap).collect();
            if ancestors
                .iter()
                .any(|element| element.value().name() == "head" || styles(element).contains_key("display"))
            {
                continue;
            }
            let colour = ancestors.iter().find_map(|element| of(element, "color")).unwrap();
            let ground = ancestors.iter().find_map(|element| of(element, "background-color")).unwrap();
            let (a, b) = (luminance(&colour), luminance(&ground));
            let ratio = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(ratio >= 4.5, "{colour} on {ground}: {ratio:.2}");
        }
    }
}

#[test]
fn the_headers_are_those_of_a_list_that_can_be_left() {
    for mail in mails("fr") {
        let value = |name: &str| header(&mail, name);
        let leave = value("List-Unsubscribe");
        let links: Vec<&str> = leave.split(", ").map(|link| link.trim_matches(['<', '>'])).collect();
        assert!(
            links.len() == 2
                && links[0].starts_with("https://news.example.org/unsubscribe/")
                && links[1].starts_with("mailto:"),
            "{leave}"
        );
        assert_eq!(value("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
        assert_eq!(value("List-Archive"), "<https://news.example.org/issues/>");
        assert!(value("List-Id").ends_with(".example.org>") && value("List-Help").starts_with("<mailto:"));
        assert_eq!(
            (value("Precedence").as_str(), value("Auto-Submitted").as_str()),
            ("bulk", "auto-generated")
        );
        assert!(
            value("Feedback-ID").split(':').count() == 4 && value("Message-ID").ends_with("@example.org>")
        );
        assert_eq!(value("MIME-Version"), "1.0");
        let (head, body) = mail.split_once("\r\n\r\n").unwrap();
        assert!(head.is_ascii() && body.is_ascii() && !mail.replace("\r\n", "").contains(['\r', '\n']));
        assert!(
            body.lines()
                .all(|line| line.len() <= 76 || line.starts_with("Content-") || line.starts_with("--"))
        );
        let mut names: Vec<String> = head
            .lines()
            .filter(|line| !line.starts_with([' ', '\t']))
            .map(|line| line.split(':').next().unwrap().to_ascii_lowercase())
            .collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "no header stands twice");
        let message = mail_parser::MessageParser::default().parse(mail.as_bytes()).unwrap();
        let kinds: Vec<String> = message
            .parts
            .iter()
            .map(|part| mail_parser::MimeHeaders::content_type(part).unwrap().subtype().unwrap().to_owned())
            .collect();
        assert_eq!(kinds, ["alternative", "plain", "html"]);
    }
}

/// What holds for every mail: digests, confirmations, the operator's.
fn is_well_made(mail: &str, language: &str) {
    let message = mail_parser::MessageParser::default().parse(mail.as_bytes()).unwrap();
    assert!(message.subject().unwrap().chars().count() <= 78, "{:?}", message.subject());
    assert_eq!(header(mail, "Content-Language"), language);
    let text = message.body_text(0).unwrap();
    for line in text.lines().filter(|line| !line.contains("://")) {
        assert!(line.chars().count() <= 78, "{line}");
    }
    let html = html_part(mail);
    let root = html.root_element();
    assert_eq!(root.attr("lang"), Some(language));
    assert!(root.attr("dir").is_some());
    let source = message.body_html(0).unwrap();
    assert!(
        source.contains("prefers-color-scheme: dark") && source.contains("name=\"color-scheme\""),
        "{source}"
    );
    let first = html.select(&Selector::parse("body > div").unwrap()).next().unwrap();
    assert!(styles(&first).get("display").is_some_and(|display| display == "none"), "a preheader");
    assert!(!first.text().collect::<String>().trim().is_empty(), "a preheader");
}

#[test]
fn every_mail_has_a_short_subject_a_language_wrapped_text_and_a_preheader() {
    for language in ["fr", "en", "ar"] {
        for mail in mails(language) {
            is_well_made(&mail, language);
        }
    }
    // A long title of a story, and one of the digest.
    let server = Server::always(Reply::ok(rss(&[("a", &"Transparency of budgets ".repeat(9), 18, "")])));
    for title in
        ["The week", "All that partners of the open government network tell, gathered each week for you"]
    {
        let app = App::new(&format!(
            "[[source]]\nid = \"s\"\nurl = \"{}\"\n[[digest]]\nid = \"d\"\ntitle = \"{title}\"\nlanguage = \"en\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [\"a@example.org\"]\n",
            server.url("/")
        ));
        app.ok(&["run"]);
        let mail = app.outbox().remove(0);
        is_well_made(&mail, "en");
        assert!(header(&mail, "Subject").len() > 40, "{mail}");
    }
}

#[test]
fn the_operators_mail_names_its_sources_and_says_when_all_is_well() {
    let server = Server::always(Reply::new(500, ""));
    let source = |id: &str, partner: &str| {
        format!("[[source]]\nid = \"{id}\"\n{partner}url = \"{}\"\n", server.url(&format!("/{id}")))
    };
    // By the name that it has for people.
    let courts = source("s1", "partner = \"courts\"\n").replace("/s1", "/courts");
    let mut app = App::new(&format!("{courts}{}", source("budgets", "")));
    let config = app.read("feeds.toml").replace("[mail]\n", "[mail]\noperator = [\"ops@example.org\"]\n");
    app.write("feeds.toml", config);
    let subjects = |app: &App| -> Vec<String> {
        let mut mails = app.outbox();
        mails.sort_by_key(|mail| header(mail, "Date"));
        mails.iter().for_each(|mail| is_well_made(mail, "en"));
        mails.iter().map(|mail| header(mail, "Subject")).collect()
    };
    for _ in 0..3 {
        app.later(10);
        app.run(&["fetch", "--all"]);
    }
    app.run(&["run"]);
    assert_eq!(subjects(&app), ["Test: budgets, courts need a look"]);
    // One of them can be read again, then the other.
    server.answer(|request| {
        if request.target == "/courts" {
            Reply::ok(rss(&[("a", "A story", 12, "text")]))
        } else {
            Reply::new(500, "")
        }
    });
    app.later(10).run(&["fetch", "--all"]);
    app.run(&["run"]);
    server.answer(|_| Reply::ok(rss(&[("a", "A story", 12, "text")])));
    app.later(10).ok(&["fetch", "--all"]);
    app.run(&["run"]);
    assert_eq!(
        subjects(&app),
        [
            "Test: budgets, courts need a look",
            "Test: courts works again",
            "Test: everything works again: budgets"
        ]
    );
}

#[test]
fn a_sender_domain_goes_out_in_ascii_wherever_it_stands() {
    let server = Server::always(Reply::ok(rss(&[("a", "A story", 18, "")])));
    let app = App::new(&format!(
        "[[source]]\nid = \"s\"\nurl = \"{}\"\n[[digest]]\nid = \"d\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [\"a@example.org\"]\n",
        server.url("/")
    ));
    let config = app.read("feeds.toml").replace("News <news@example.org>", "Bücher <news@bücher.example>");
    app.write("feeds.toml", config);
    app.ok(&["run"]);
    let mail = app.outbox().remove(0);
    assert!(mail.is_ascii(), "{mail}");
    for (name, want) in [
        ("From", "<news@xn--bcher-kva.example>"),
        ("Reply-To", "<news@xn--bcher-kva.example>"),
        ("Message-ID", "@xn--bcher-kva.example>"),
        ("List-Id", ".xn--bcher-kva.example>"),
        ("Feedback-ID", ":xn--bcher-kva.example"),
    ] {
        assert!(header(&mail, name).ends_with(want), "{name}: {}", header(&mail, name));
    }
    // And where only the server sees it: with a return path of its own, and without.
    for (more, want) in [
        ("", "<news@xn--bcher-kva.example>"),
        ("bounces = \"returns@bücher.example\"\n", "@xn--bcher-kva.example>"),
    ] {
        let sink = Sink::start();
        let app = App::new(&format!(
            "[[source]]\nid = \"s\"\nurl = \"{}\"\n[[digest]]\nid = \"d\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [\"a@example.org\"]\n",
            server.url("/")
        ));
        let config = app
            .read("feeds.toml")
            .replace("News <news@example.org>", "Bücher <news@bücher.example>")
            .replace("[mail]\n", &format!("[mail]\ntransport = \"{}\"\n{more}", sink.url()));
        app.write("feeds.toml", config);
        app.ok(&["run"]);
        let senders = sink.senders();
        let address = senders[0].split(' ').next().unwrap();
        assert!(senders.len() == 1 && address.is_ascii() && address.ends_with(want), "{senders:?}");
    }
}
