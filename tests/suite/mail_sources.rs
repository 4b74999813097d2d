//! Newsletters by mail as sources: a mailbox, or an address that a mail server hands over.

use crate::support::App;
use crate::support::lmtp::Lmtp;
use crate::support::python::ImapServer;

/// A newsletter as senders of newsletters write them.
fn newsletter(id: &str, from: &str, subject: &str, day: u8) -> String {
    format!(
        "Return-Path: <bounce@mail.town.example>\r\nDelivered-To: town@in.example\r\nFrom: =?utf-8?q?The_Town_=E2=80=93_News?= <{from}>\r\nTo: reader@in.example\r\nSubject: {subject}\r\n\
         Date: {day:02} Oct 2022 09:00:00 +0200\r\nMessage-ID: <{id}@mail.town.example>\r\nList-Id: Town news <news.town.example>\r\nList-Unsubscribe: <https://town.example/u/secret-token>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe plain part\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
         <html><head><title>News</title><style>p {{ color: red }}</style></head><body><div style=\"display:none; max-height:0\">A line for lists</div>\
         <p><a href=\"https://town.example/view/abcdef0123456789abcdef\">View in your browser</a></p><h1>{subject}</h1>\
         <p>The council decided on Monday that the old bridge will be repaired next year, and that it stays open for people on foot.</p>\
         <p><a href=\"https://town.example/bridge?utm_source=mail&amp;utm_medium=email\">Read more about the bridge</a> at <a href=\"https://town.example/n/5?subscriber=secret-token&amp;hash=9f8e\">our place</a> or <a href=\"https://t.us1.list-manage.com/track/click?u=1&amp;id=2&amp;e=secret-token\">ask a question</a></p>\
         <img src=\"https://town.example/bridge.jpg\" width=600 alt=\"The bridge\"><img src=\"https://t.list-manage.com/track/open.php?u=secret-token\" width=1 height=1>\
         <p>You receive this because you subscribed. <a href=\"https://town.example/u/secret-token\">Unsubscribe</a> | <a href=\"https://town.example/p/secret-token\">Update preferences</a></p></body></html>\r\n--b--\r\n"
    )
}

fn mailbox_source(port: u16, from: &str) -> String {
    format!(
        "[[source]]\nid = \"town\"\npartner = \"Town\"\nkind = \"mail\"\nurl = \"imap://demouser@localhost:{port}/INBOX\"\npassword = \"file:imap-password\"\nfrom = [{from}]\nlang = \"en\"\n"
    )
}

/// An app whose source is the mailbox of a server that it trusts.
fn app(imap: &ImapServer, from: &str) -> App {
    let app = App::new(&mailbox_source(imap.port, from));
    let ca_file = format!(
        "[mail]\ntransport = \"smtp://127.0.0.1:9\"\nca_file = \"{}\"\n",
        imap.certificate().display()
    );
    app.write("feeds.toml", app.read("feeds.toml").replace("[mail]\n", &ca_file));
    app.write("imap-password", "demopass\n");
    app
}

#[test]
fn newsletters_in_a_mailbox_are_entries_without_what_is_for_one_recipient() {
    let imap = ImapServer::start(&[
        newsletter("1", "news@mail.town.example", "The bridge stays open", 17),
        newsletter("2", "news@other.example", "Something else", 18).replace("news.town.example", "news.other.example"),
        newsletter("3", "news@mail.town.example", "=?utf-8?q?Caf=C3=A9_at_the_market?=", 19),
        "From: news@mail.town.example\r\nSubject: In plain words\r\nMessage-ID: <4@mail.town.example>\r\nDate: 20 Oct 2022 07:00:00 +0000\r\n\r\nFirst line.\r\nSecond <line>.\r\n\r\nUnsubscribe: https://town.example/u/secret-token\r\n".to_owned(),
        newsletter("5", "news@mail.town.example", "Please confirm your subscription", 19).replace("https://town.example/bridge?", "https://town.example/confirm?token=secret-token&"),
    ]);
    let mut app = app(&imap, "\"town.example\"");
    app.ok(&["fetch"]);
    assert_eq!(app.titles(), ["The bridge stays open", "Café at the market", "In plain words"]);
    let told = app.ok(&["sources"]);
    assert!(
        told.contains("asks to confirm a subscription") && told.contains("town.example/confirm?token="),
        "{told}"
    );
    app.ok(&["publish"]);
    let entries = app.entries();
    assert_eq!(entries[0]["guid"], "1@mail.town.example");
    assert_eq!(
        (&entries[0]["published"], &entries[0]["url"]),
        (&"2022-10-17T07:00:00Z".into(), &serde_json::Value::Null)
    );
    assert_eq!(entries[2]["summary"], "First line. Second <line>.");
    for file in
        ["public/atom.xml", "public/rss.xml", "public/feed.json", "public/index.html", "public/opml.xml"]
    {
        let text = app.read(file);
        for private in [
            "secret-token",
            "nsubscribe<",
            "browser",
            "A line for lists",
            "color: red",
            "imap://",
            "demouser",
            "utm_source",
            "in.example",
        ] {
            assert!(!text.contains(private), "{file} tells {private}");
        }
    }
    let feed: serde_json::Value = serde_json::from_str(&app.read("public/feed.json")).unwrap();
    let bridge = feed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["title"] == "The bridge stays open")
        .unwrap();
    let html = bridge["content_html"].as_str().unwrap();
    assert!(
        html.contains("href=\"https://town.example/bridge\"") && html.contains("ask a question"),
        "{html}"
    );
    assert_eq!(
        (&bridge["image"], &bridge["authors"][0]["name"]),
        (&"https://town.example/bridge.jpg".into(), &"The Town – News".into())
    );
    // It is read again as what it is, and nothing of the mailbox changed.
    let ran = app.later(61).ok(&["fetch"]);
    assert!(ran.contains("0 new"), "{ran}");
    let url = format!("imap://demouser@localhost:{}/INBOX?password=file:imap-password", imap.port);
    assert!(app.ok(&["bounces", &url]).contains("5 messages read"), "all are unread still");
    app.write("imap-password", "wrong\n");
    let ran = app.later(61).run(&["fetch"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        said.contains("the mailbox cannot be read: the mailbox refuses the login") && !said.contains("wrong"),
        "{said}"
    );
    assert_eq!(app.titles().len(), 3);
}

#[test]
fn links_of_newsletters_are_unwrapped_and_lines_about_their_recipient_left_out() {
    let footers = [
        "This email was sent to reader@in.example",
        "Cet e-mail a été envoyé à <a href=\"mailto:reader@in.example\">reader@in.example</a> par la ville",
        "Este correo electrónico ha sido enviado a reader@in.example.",
        "Diese E-Mail wurde an reader@in.example gesendet.",
        "Este e-mail foi enviado para <b>reader@in.example</b>",
        "Questa email è stata inviata a reader@in.example",
    ];
    let wrapped = "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Ftown.example%2Fworks%3Fid%3D3&amp;data=05%7Creader%40in.example&amp;reserved=0";
    let counted = "https://links-1.govdelivery.com/CL0/https:%2F%2Ftown.example%2Fplan/1/0100018f/a1=2";
    let head = |n: usize, kind: &str| {
        format!(
            "From: News <news@mail.town.example>\r\nTo: reader@in.example\r\nSubject: Letter number {n}\r\nDate: {:02} Oct 2022 09:00:00 +0200\r\nMessage-ID: <f{n}@mail.town.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/{kind}; charset=utf-8\r\n\r\n",
            10 + n
        )
    };
    let mut mails: Vec<String> = footers.iter().enumerate().map(|(n, footer)| {
        format!("{}<html><body><p>The council decided on Monday that <a href=\"{wrapped}\">the works</a> of number {n} begin, by <a href=\"{counted}\">the plan</a> of last year.</p><p>© The town<br>{footer}<br>Town hall, Main Square 1</p></body></html>\r\n", head(n, "html"))
    }).collect();
    let plain = wrapped.replace("&amp;", "&");
    mails.push(format!("{}The works begin: <{plain}>\r\nAll are welcome.\r\n\r\nCet e-mail a été envoyé à reader@in.example\r\n", head(7, "plain")));
    let imap = ImapServer::start(&mails);
    let app = app(&imap, "\"town.example\"");
    app.ok(&["run"]);
    assert_eq!(app.titles().len(), footers.len() + 1);
    let feed: serde_json::Value = serde_json::from_str(&app.read("public/feed.json")).unwrap();
    for item in feed["items"].as_array().unwrap() {
        let text = item.to_string();
        for private in
            ["in.example", "safelinks", "govdelivery", "was sent", "envoyé", "enviado", "gesendet", "inviata"]
        {
            assert!(!text.contains(private), "{private} is told: {text}");
        }
        assert!(text.contains("https://town.example/works?id=3"), "{text}");
        if item["title"] != "Letter number 7" {
            assert!(text.contains("https://town.example/plan"), "{text}");
        }
    }
}

#[test]
fn a_mail_server_hands_newsletters_over_and_only_those_of_the_senders_are_kept() {
    let app = App::new(
        "[[source]]\nid = \"town\"\npartner = \"Town\"\nkind = \"mail\"\nurl = \"mailto:town@in.example\"\nfrom = [\"mail.town.example\"]\nlang = \"en\"\n",
    );
    let mut lmtp = Lmtp::start(&app);
    for mail in [
        newsletter("1", "news@mail.town.example", "The bridge stays open", 17),
        newsletter("2", "somebody@spam.example", "Buy this", 18),
        newsletter("1", "news@mail.town.example", "The bridge stays open", 17),
    ] {
        lmtp.say("MAIL FROM:<bounce@mail.town.example>\r\nRCPT TO:<town@in.example>\r\nDATA\r\n", 3);
        let answer = lmtp.say(&format!("{mail}.\r\n"), 1);
        assert!(answer[0].starts_with("250 "), "{answer:?}");
    }
    lmtp.say("QUIT\r\n", 1);
    drop(lmtp);
    assert_eq!(app.announced(), [("The bridge stays open".to_owned(), 1)]);
    assert!(app.ok(&["sources"]).contains("when mail arrives"));
    assert_eq!(app.ok(&["fetch", "--all"]).trim(), "", "nobody is asked");
    // Piped, the message says whom it was delivered to.
    app.write("mail.eml", newsletter("5", "news@mail.town.example", "The market moves", 19));
    assert!(app.ok(&["bounces", "mail.eml"]).contains("a newsletter for the source town"));
    assert_eq!(app.titles(), ["The bridge stays open", "The market moves"]);
}

#[test]
fn a_mailbox_that_cannot_be_opened_safely_is_refused() {
    let app = App::new("");
    for (url, rest, said) in [
        ("imaps://news@x.example/INBOX", "", "password is missing"),
        ("imaps://news:geheim@x.example/INBOX", "", "does not stand in its address"),
        ("https://x.example/", "", "is not a mailbox"),
        ("mailto:town@in.example", "", "from is missing"),
    ] {
        app.configure(&format!("[[source]]\nid = \"s\"\nkind = \"mail\"\nurl = \"{url}\"\n{rest}"));
        let ran = app.run(&["check"]);
        let text = format!("{}{}", ran.stdout, ran.stderr);
        assert!(ran.code != 0 && text.contains(said) && !text.contains("geheim"), "{url}: {text}");
    }
    app.configure("[[source]]\nid = \"s\"\nkind = \"feed\"\nurl = \"https://x.example/\"\nfrom = [\"x\"]\n");
    assert_ne!(app.run(&["check"]).code, 0);
}

#[test]
fn hostile_mail_costs_itself_only() {
    let app = App::new(
        "[[source]]\nid = \"s\"\nkind = \"mail\"\nurl = \"mailto:in@in.example\"\nfrom = [\"x.example\"]\n",
    );
    let head = "From: a@x.example\r\nTo: in@in.example\r\nMessage-ID: <1@x>\r\nSubject: S\r\nContent-Type: text/html\r\n\r\n";
    for body in [
        format!("<body>{}", "<div>".repeat(200_000)),
        format!("<body>{}", "<p><a href='https://x.example/unsubscribe'>unsubscribe</a>".repeat(20_000)),
        format!("<body><div>{}", "<a href='https://x.example/unsubscribe'>unsubscribe</a> ".repeat(20_000)),
        "<body><a href='javascript:alert(1)'>x</a><script>alert(1)</script>".to_owned(),
        String::new(),
    ] {
        app.write("mail.eml", format!("{head}{body}"));
        app.ok(&["bounces", "mail.eml"]);
    }
    app.write("mail.eml", b"\xFF\xFE\x00From: a@x.example");
    app.ok(&["bounces", "mail.eml"]);
    assert!(app.entries().iter().all(|entry| !entry.to_string().contains("alert(1)")));
}

#[test]
fn mail_that_takes_too_long_to_read_is_left_for_later_and_said() {
    let source =
        "[[source]]\nid = \"s\"\nkind = \"mail\"\nurl = \"mailto:in@in.example\"\nfrom = [\"x.example\"]\n";
    let app = App::new(&format!("deadline = \"1s\"\n{source}"));
    let head = "From: a@x.example\r\nTo: in@in.example\r\nMessage-ID: <1@x>\r\nSubject: The story\r\nContent-Type: text/html\r\n\r\n<p>A story for all who live here, as long as it is.</p>";
    // As large as mails may be.
    let link = "<a href='https://x.example/a?b=c&d=e'>a</a>\r\n";
    let mail = format!("{head}{}\r\n", link.repeat(16_500_000 / link.len()));
    let mut lmtp = Lmtp::start(&app);
    lmtp.say("MAIL FROM:<a@x.example>\r\nRCPT TO:<in@in.example>\r\nDATA\r\n", 3);
    let answer = lmtp.say(&format!("{mail}.\r\n"), 1);
    assert!(answer[0].starts_with("4"), "the server keeps it: {answer:?}");
    drop(lmtp);
    app.write("mail.eml", &mail);
    let said = app.ok(&["bounces", "mail.eml"]);
    assert!(said.contains("left for later") && said.contains("took longer than 1 s"), "{said}");
    assert_eq!(app.titles(), [""; 0]);
    // A slow machine takes longer for it than the usual minute.
    app.configure(&format!("deadline = \"10m\"\n{source}"));
    assert!(app.ok(&["bounces", "mail.eml"]).contains("a newsletter for the source s"));
    assert_eq!(app.titles(), ["The story"]);
}
