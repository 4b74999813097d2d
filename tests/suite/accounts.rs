//! Accounts on networks as sources: Mastodon by its address, Telegram by its public page.

use serde_json::Value;

use crate::support::App;
use crate::support::http::{Reply, Request, Server};

fn source(kind: &str, url: &str) -> String {
    format!("[[source]]\nid = \"s\"\npartner = \"Town\"\nkind = \"{kind}\"\nurl = \"{url}\"\nlang = \"en\"\n")
}

/// As Mastodon writes it: no titles, links in pieces, pictures as media.
const MASTODON: &str = r##"<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:webfeeds="http://webfeeds.org/rss/1.0" xmlns:media="http://search.yahoo.com/mrss/"><channel>
<title>Town</title><description>Public posts from @town@social.example</description><link>https://social.example/@town</link>
<item><guid isPermaLink="true">https://social.example/@town/2</guid><link>https://social.example/@town/2</link>
<pubDate>Wed, 19 Oct 2022 08:00:00 +0000</pubDate>
<description>&lt;p&gt;The budget is open for comments. Read it at &lt;a href="https://www.town.example/budget/2023/draft" rel="nofollow"&gt;&lt;span class="invisible"&gt;https://www.&lt;/span&gt;&lt;span class="ellipsis"&gt;town.example/budget/2023&lt;/span&gt;&lt;span class="invisible"&gt;/draft&lt;/span&gt;&lt;/a&gt; &lt;a href="https://social.example/tags/budget" class="mention hashtag"&gt;#&lt;span&gt;budget&lt;/span&gt;&lt;/a&gt;&lt;/p&gt;</description>
<media:content url="https://files.social.example/1.png" type="image/png" fileSize="100" medium="image"><media:description type="plain">A chart</media:description></media:content>
<category>budget</category></item>
<item><guid isPermaLink="true">https://social.example/@town/1</guid><link>https://social.example/@town/1</link>
<pubDate>Tue, 18 Oct 2022 08:00:00 +0000</pubDate><description>&lt;p&gt;Good morning!&lt;/p&gt;</description></item>
</channel></rss>"##;

#[test]
fn a_mastodon_account_is_read_by_its_address_and_called_by_its_first_sentences() {
    let server = Server::start(|request: &Request| match request.target.as_str() {
        "/@town.rss" => Reply::ok(MASTODON),
        _ => Reply::new(404, ""),
    });
    let app = App::new(&source("mastodon", &server.url("/@town")));
    app.ok(&["run"]);
    let entries = app.entries();
    assert_eq!(entries.len(), 2, "{entries:#?}");
    let budget = entries.iter().find(|entry| entry["url"] == "https://social.example/@town/2").unwrap();
    let text =
        "The budget is open for comments. Read it at https://www.town.example/budget/2023/draft #budget";
    assert_eq!((&budget["title"], &budget["summary"]), (&"".into(), &text.into()));
    let page = app.read("public/index.html");
    assert!(
        page.contains(">The budget is open for comments</a>") && page.contains(">Good morning!</a>"),
        "{page}"
    );
    assert!(app.read("public/opml.xml").contains("/@town.rss"));
}

#[test]
fn an_address_of_an_account_or_a_channel_says_its_kind_and_a_wrong_one_is_refused() {
    let app = App::new("");
    let said = |kind: Option<&str>, url: &str| {
        let kind = kind.map(|kind| format!("kind = \"{kind}\"\n")).unwrap_or_default();
        app.configure(&format!("[[source]]\nid = \"s\"\n{kind}url = \"{url}\"\n"));
        let ran = app.run(&["check"]);
        (ran.code, format!("{}{}", ran.stdout, ran.stderr))
    };
    for (kind, url) in [
        (None, "@town@social.example"),
        (Some("auto"), "@town@social.example"),
        (Some("mastodon"), "https://social.example/@town"),
        (None, "https://t.me/town_news"),
        (Some("telegram"), "@town_news"),
    ] {
        let (code, text) = said(kind, url);
        assert_eq!(code, 0, "{url}: {text}");
    }
    for (kind, url, wanted) in [
        (Some("mastodon"), "https://social.example/about", "write \\\"@name@host\\\""),
        (Some("mastodon"), "town", "is not the address of an account"),
        (None, "https://t.me/+invitation", "is not the address of a public channel"),
        (Some("feed"), "@town@social.example", "is not a web address"),
    ] {
        let (code, text) = said(kind, url);
        assert!(code != 0 && text.contains(&wanted.replace("\\\"", "\"")), "{url}: {text}");
    }
}

fn post(name: &str, day: u8, body: &str) -> String {
    format!(
        "<div class=\"tgme_widget_message_wrap js-widget_message_wrap\"><div class=\"tgme_widget_message text_not_supported_wrap js-widget_message\" data-post=\"town/{name}\" data-view=\"x{day}\">\
         <div class=\"tgme_widget_message_user\"><a href=\"https://t.me/town\"><i class=\"tgme_widget_message_user_photo bgcolor0\"><img src=\"https://cdn.example/me.jpg\"></i></a></div>\
         <div class=\"tgme_widget_message_bubble\"><div class=\"tgme_widget_message_author accent_color\"><a class=\"tgme_widget_message_owner_name\" href=\"https://t.me/town\"><span dir=\"auto\">Town news</span></a></div>{body}\
         <div class=\"tgme_widget_message_footer compact js-message_footer\"><div class=\"tgme_widget_message_info short js-message_info\"><span class=\"tgme_widget_message_views\">2.3K</span><span class=\"copyonly\"> views</span>\
         <span class=\"tgme_widget_message_meta\"><a class=\"tgme_widget_message_date\" href=\"https://t.me/town/{name}\"><time datetime=\"2022-10-{day:02}T08:30:00+02:00\" class=\"time\">08:30</time></a></span></div></div></div></div></div>"
    )
}

fn channel(posts: &str) -> String {
    format!(
        "<!DOCTYPE html><html><head><title>Town news – Telegram</title></head><body class=\"widget_frame_base tgme_webpreview\"><header><div class=\"tgme_header_search\"></div></header>\
         <section class=\"tgme_right_column\"><div class=\"tgme_channel_info\"><div class=\"tgme_channel_info_header_title\"><span dir=\"auto\">Town news</span></div><div class=\"tgme_channel_info_description\">All of it</div></div></section>\
         <section class=\"tgme_channel_history js-message_history\">{posts}</section></body></html>"
    )
}

#[test]
fn posts_of_a_telegram_channel_have_their_date_text_address_and_picture() {
    let posts = [
        post("1", 17, "<div class=\"tgme_widget_message_service_date\">x</div>")
            .replace("tgme_widget_message text", "tgme_widget_message service_message text"),
        post(
            "2",
            18,
            "<a class=\"tgme_widget_message_photo_wrap 1 2\" href=\"https://t.me/town/2\" style=\"width:800px;background-image:url('https://cdn.example/photo.jpg')\"><div></div></a><div class=\"tgme_widget_message_text js-message_text\" dir=\"auto\"><b>The bridge is open.</b><br/><br/>It was closed for a year, see <a href=\"https://town.example/bridge\" target=\"_blank\" onclick=\"return confirm('x')\">here</a> and <a href=\"?q=%23bridge\">#bridge</a> <i class=\"emoji\" style=\"background-image:url('//telegram.org/img/emoji/40/F09F8C89.png')\"><b>🌉</b></i></div>",
        ),
        post(
            "3",
            19,
            "<a class=\"tgme_widget_message_reply user-color-default\" href=\"https://t.me/town/2\"><div class=\"tgme_widget_message_text js-message_reply_text\">The bridge is open.</div></a><div class=\"tgme_widget_message_text js-message_text\">Correction: only for bicycles.</div>",
        ),
        post(
            "4",
            20,
            "<div class=\"tgme_widget_message_forwarded_from accent_color\">Forwarded from <a class=\"tgme_widget_message_forwarded_from_name\" href=\"https://t.me/region/77\"><span dir=\"auto\">Region</span></a></div><div class=\"tgme_widget_message_poll\"><div class=\"tgme_widget_message_poll_question\">Which bridge is next?</div></div>",
        ),
    ];
    let page = channel(&posts.concat());
    let app = App::new("");
    app.write("town.html", &page);
    let probed = app.ok(&["probe", "town.html", "--url", "https://t.me/s/town", "--format", "jsonfeed"]);
    let feed: Value = serde_json::from_str(&probed).unwrap();
    let items = feed["items"].as_array().unwrap();
    let texts: Vec<&str> = items.iter().map(|item| item["summary"].as_str().unwrap()).collect();
    assert_eq!(texts[..2], ["Which bridge is next?", "Correction: only for bicycles."], "{feed:#}");
    assert!(
        texts[2].starts_with("The bridge is open.\nIt was closed for a year, see here and #bridge 🌉"),
        "{}",
        texts[2]
    );
    assert_eq!(texts.len(), 3, "what the service says is no post");
    let bridge = &items[2];
    assert_eq!(bridge["url"], "https://t.me/town/2");
    assert_eq!(bridge["image"], "https://cdn.example/photo.jpg");
    assert_eq!(bridge["date_published"], "2022-10-18T06:30:00Z");
    assert!(
        bridge["content_html"].as_str().unwrap().contains("href=\"https://t.me/s/town?q=%23bridge\""),
        "{bridge:#}"
    );
    assert!(!feed.to_string().contains("confirm("));
    assert_eq!(items[0]["_courant"]["source"]["title"], "Region");
    assert_eq!(feed["title"], "Town news");
}

#[test]
fn posts_of_a_mirror_on_another_host_are_read_as_those_of_a_channel() {
    let posts: String = (1..4)
        .map(|n| {
            post(
                &n.to_string(),
                n,
                &format!("<div class=\"tgme_widget_message_text\">The bridge is open, part {n}.</div>"),
            )
        })
        .collect();
    let page = format!(
        "<!DOCTYPE html><html><head><title>A mirror</title></head><body><nav><a href=/a>About</a></nav><main>{posts}</main></body></html>"
    );
    let server = Server::start(move |request: &Request| match request.target.as_str() {
        "/mirror" => Reply::html(page.clone()),
        _ => Reply::new(404, ""),
    });
    let source = format!("[[source]]\nid = \"m\"\nkind = \"page\"\nurl = \"{}\"\n", server.url("/mirror"));
    let app = App::new(&source);
    app.ok(&["fetch"]);
    let told: Vec<(String, String)> = app
        .entries()
        .iter()
        .map(|entry| {
            (entry["url"].as_str().unwrap().to_owned(), entry["published"].as_str().unwrap()[..10].to_owned())
        })
        .collect();
    let want = [1, 2, 3].map(|n| (format!("https://t.me/town/{n}"), format!("2022-10-0{n}")));
    assert!(want.iter().all(|one| told.contains(one)) && told.len() == 3, "{told:?}");
}

#[test]
fn a_telegram_channel_is_a_source_that_robots_txt_may_close_and_a_private_one_is_told() {
    let posts = channel(&post(
        "5",
        18,
        "<div class=\"tgme_widget_message_text js-message_text\">The market moves to the square.</div>",
    ));
    let server = Server::start(move |request: &Request| match request.target.as_str() {
        "/robots.txt" => Reply::new(200, "User-agent: *\nDisallow: /closed"),
        "/s/town" | "/closed" => Reply::html(posts.clone()),
        _ => Reply::html("<!DOCTYPE html><html><body><div class=\"tgme_page\">Contact</div></body></html>"),
    });
    let app = App::new("");
    for (kind, path, said) in [
        ("telegram", "/s/town", "1 new"),
        ("auto", "/s/town", "0 new, 0 changed, 1 unchanged"),
        ("telegram", "/closed", "robots.txt"),
        ("auto", "/closed", "robots.txt"),
        ("telegram", "/s/nobody", "shows no posts there"),
    ] {
        app.configure(&source(kind, &server.url(path)));
        let ran = app.run(&["fetch", "--all"]);
        assert!(ran.stdout.contains(said), "{kind} {path}: {}{}", ran.stdout, ran.stderr);
    }
    assert_eq!(app.entries()[0]["published"], "2022-10-18T06:30:00Z");
}
