//! Feeds as they are found: one oddity each, and what must come out all the same.

use courant::cli::probe::document::clean;
use courant::extract::{self, Document};
use serde_json::{Value, json};

/// What is read of a document found at https://x.example/feed, as `courant probe --format jsonfeed` prints it.
fn read(bytes: &[u8], content_type: Option<&str>) -> Value {
    let url = url::Url::parse("https://x.example/feed").unwrap();
    let feed = extract::read_feed(Document { bytes, url: Some(&url), content_type }).unwrap();
    clean(feed, Some(&url), None).to_json_feed()
}

#[track_caller]
fn check(odd: &str, bytes: &[u8], content_type: Option<&str>, wants: &[(&str, Value)]) {
    let feed = read(bytes, content_type);
    for (pointer, want) in wants {
        assert_eq!(feed.pointer(pointer).unwrap_or(&Value::Null), want, "{odd}: {pointer} in {feed:#}");
    }
}

fn rss(item: &str) -> String {
    format!("<rss version=\"2.0\"><channel><title>T</title><item>{item}</item></channel></rss>")
}

fn atom(entry: &str) -> String {
    format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>T</title><entry>{entry}</entry></feed>")
}

#[test]
fn versions_and_vocabularies_in_any_mixture() {
    let title = |title: &str| vec![("/items/0/title", json!(title))];
    for (odd, document) in [
        ("no version", "<rss><channel><item><title>x</title></item></channel></rss>".to_owned()),
        ("an odd version", "<rss version=\"9.99\"><channel><item><title>x</title></item></channel></rss>".into()),
        ("Netscape's namespace", "<rss version=\"0.91\" xmlns=\"http://my.netscape.com/rdf/simple/0.9/\"><channel><item><title>x</title></item></channel></rss>".into()),
        ("Atom 0.3", "<feed version=\"0.3\" xmlns=\"http://purl.org/atom/ns#\"><entry><title>x</title></entry></feed>".into()),
        ("Atom without a namespace", "<feed><entry><title>x</title></entry></feed>".into()),
        ("Atom with a prefix", "<a:feed xmlns:a=\"http://www.w3.org/2005/Atom\"><a:entry><a:title>x</a:title></a:entry></a:feed>".into()),
        ("RSS 1.0, items beside the channel", "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns=\"http://purl.org/rss/1.0/\"><channel/><item><title>x</title></item></rdf:RDF>".into()),
        ("upper case", "<RSS VERSION=\"2.0\"><CHANNEL><ITEM><TITLE>x</TITLE></ITEM></CHANNEL></RSS>".into()),
        ("an entry of Atom in RSS", "<rss version=\"2.0\"><channel><entry><title>x</title></entry></channel></rss>".into()),
        ("dc:title only", rss("<dc:title xmlns:dc=\"http://purl.org/dc/elements/1.1/\">x</dc:title>")),
        ("an undeclared prefix", rss("<dc:title>x</dc:title>")),
    ] {
        check(odd, document.as_bytes(), None, &title("x"));
    }
    check("CDF", b"<CHANNEL HREF=\"http://x.example/\"><TITLE>T</TITLE><ITEM HREF=\"http://x.example/1\" LASTMOD=\"2002-11-12T11:00\"><TITLE>x</TITLE><ABSTRACT>y</ABSTRACT></ITEM></CHANNEL>", None, &[
        ("/items/0/url", json!("http://x.example/1")),
        ("/items/0/summary", json!("y")),
        ("/items/0/date_modified", json!("2002-11-12T11:00:00Z")),
    ]);
}

#[test]
fn noise_that_begins_like_json_hides_no_feed() {
    for noise in ["[[\"i", "{\"error\": ", "[1, 2] "] {
        let document = format!("{noise}<?xml version='1.0'?>{}", rss("<title>x</title>"));
        check(noise, document.as_bytes(), None, &[("/items/0/title", json!("x"))]);
    }
    let odd = "[[\"i<?xml version='1.0'?><rss version='2.0'><channel><titTe</>tlitle><item>/<guid>1</guid><title>A</title></item></channel></rss>";
    check(
        "a broken tag too",
        odd.as_bytes(),
        None,
        &[("/items/0/title", json!("A")), ("/items/0/id", json!("1"))],
    );
}

#[test]
fn what_xhtml_writes_as_empty_takes_no_text_with_it() {
    for empty in
        ["iframe src=\"https://v.example/1\"", "script src=\"https://v.example/1\"", "style", "textarea"]
    {
        let item = format!(
            "<title>x</title><description><![CDATA[<p>One.</p><{empty}/><p>Two.</p>]]></description>"
        );
        check(empty, rss(&item).as_bytes(), None, &[("/items/0/content_text", json!("One. Two."))]);
    }
    let formula = "<title>x</title><description><![CDATA[<p>So <math><mi>a</mi><mo>+</mo><mi>b</mi></math> it is.</p>]]></description>";
    check("MathML", rss(formula).as_bytes(), None, &[("/items/0/content_text", json!("So a+b it is."))]);
}

#[test]
fn of_several_sizes_of_a_picture_the_widest_is_taken_and_not_that_of_the_author() {
    let media = |url: &str, more: &str| {
        format!("<media:content url=\"https://x.example/{url}\" medium=\"image\" {more}/>")
    };
    for (pictures, want) in [
        (media("s.jpg", "width=\"100\"") + &media("l.jpg", "width=\"900\""), "l.jpg"),
        (media("a.jpg", "") + &media("b.jpg", "width=\"900\""), "a.jpg"),
        (
            media("x.jpg", "").replace("x.example", "secure.gravatar.com/avatar") + &media("b.jpg", ""),
            "b.jpg",
        ),
    ] {
        let item = format!(
            "<title>x</title><media:group xmlns:media=\"http://search.yahoo.com/mrss/\">{pictures}</media:group>"
        );
        check(
            want,
            rss(&item).as_bytes(),
            None,
            &[("/items/0/image", json!(format!("https://x.example/{want}")))],
        );
    }
}

#[test]
fn a_picture_that_is_loaded_later_is_the_real_one() {
    let empty = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";
    for picture in [
        "<img src='EMPTY' data-srcset='/s.jpg 300w, /real.jpg 900w'>",
        "<img src='/lazy/placeholder.gif' data-lazy-src='/real.jpg'>",
        "<img src='/grey.gif' data-original='/real.jpg'>",
        "<img class=lazy src='EMPTY'><noscript><img src='/real.jpg'></noscript>",
        "<img class=lazyload src='/lazy.svg'><noscript><img src='/real.jpg'></noscript>",
        "<picture><source data-srcset='/real.jpg 900w'><img src='EMPTY'></picture>",
        "<img class='lazyload blur-up' src='/thumb.jpg' data-src='/real.jpg'>",
    ] {
        let picture = picture.replace("EMPTY", empty);
        let item =
            format!("<title>x</title><description><![CDATA[<p>One.</p>{picture}<p>Two.</p>]]></description>");
        let feed = read(rss(&item).as_bytes(), None);
        assert_eq!(feed["items"][0]["image"], "https://x.example/real.jpg", "{picture}");
        let html = feed["items"][0]["_courant"]["summary_html"].as_str().unwrap();
        assert_eq!((html.matches("<img").count(), html.contains("data:")), (1, false), "{picture}: {html}");
    }
}

#[test]
fn a_link_that_a_filter_of_mail_wrapped_leads_to_its_target() {
    let target = "https://town.example/news/bridge?id=3&x=1";
    for wrapped in [
        "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Ftown.example%2Fnews%2Fbridge%3Fid%3D3%26x%3D1&data=05%7Cana%40in.example&reserved=0",
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__town.example_news_bridge-3Fid-3D3-26x-3D1&d=DwMF&c=abc",
        "https://urldefense.com/v3/__https://town.example/news/bridge*id=3*x=1__;PyY!!AbC!xyz$",
        "https://www.google.com/url?sa=t&url=https%3A%2F%2Ftown.example%2Fnews%2Fbridge%3Fid%3D3%26x%3D1&usg=A",
    ] {
        let escaped = wrapped.replace('&', "&amp;");
        let item = format!(
            "<title>x</title><link>{escaped}</link><description><![CDATA[<p>See <a href=\"{escaped}\">the bridge</a> of the town.</p>]]></description>"
        );
        let feed = read(rss(&item).as_bytes(), None);
        assert_eq!(feed["items"][0]["url"], target, "{wrapped}");
        let html = feed["items"][0]["_courant"]["summary_html"].as_str().unwrap();
        assert!(html.contains(&format!("href=\"{}\"", target.replace('&', "&amp;"))), "{html}");
    }
}

#[test]
fn characters_in_every_clothing() {
    let text = "L’État publie « son » code — 12 €";
    let document = |declared: &str| {
        format!("<?xml version=\"1.0\" encoding=\"{declared}\"?>{}", rss(&format!("<title>{text}</title>")))
    };
    let windows = encoding_rs::WINDOWS_1252.encode(&document("iso-8859-1")).0.into_owned();
    let utf16: Vec<u8> = document("utf-16").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (odd, bytes, content_type) in [
        ("latin-1 that is windows-1252", windows.clone(), None),
        (
            "the header knows better than the declaration",
            encoding_rs::WINDOWS_1252.encode(&document("utf-8")).0.into_owned(),
            Some("text/xml; charset=windows-1252"),
        ),
        (
            "nobody says anything, and it is windows-1252",
            encoding_rs::WINDOWS_1252.encode(&rss(&format!("<title>{text}</title>"))).0.into_owned(),
            None,
        ),
        ("UTF-16 without a mark", utf16, None),
        ("UTF-8 that claims to be ASCII", document("us-ascii").into_bytes(), None),
        ("a character set that does not exist", document("x-nonsense").into_bytes(), None),
        (
            "blank lines and a mark before the declaration",
            [b"\n \xEF\xBB\xBF".as_slice(), document("utf-8").as_bytes()].concat(),
            None,
        ),
    ] {
        check(odd, &bytes, content_type, &[("/items/0/title", json!(text))]);
    }
    check(
        "HTML's names for characters, which XML does not have",
        rss("<title>caf&eacute; &ndash; &#8217;&#146;&#x2019;</title>").as_bytes(),
        None,
        &[("/items/0/title", json!("café – ’’’"))],
    );
}

#[test]
fn titles_are_words_and_contents_are_safe_html() {
    for (odd, entry, want) in [
        (
            "HTML escaped twice",
            "<title type=\"html\">AT&amp;amp;T &amp;lt;3 &amp;mdash; x</title>",
            "AT&T <3 — x",
        ),
        (
            "markup in a title",
            "<title type=\"html\">The &lt;b&gt;bold&lt;/b&gt; &lt;script&gt;alert(1)&lt;/script&gt;one</title>",
            "The bold one",
        ),
        (
            "XHTML in a title",
            "<title type=\"xhtml\"><div xmlns=\"http://www.w3.org/1999/xhtml\">a <i>b</i> &lt;c</div></title>",
            "a b <c",
        ),
        (
            "plain text that looks like markup",
            "<title type=\"text\">use &lt;br&gt; here</title>",
            "use <br> here",
        ),
        ("a type that does not exist", "<title type=\"nonsense/x\">plain</title>", "plain"),
        (
            "a no-break space before a colon is typography",
            "<title>Liens&#160;: le rapport</title>",
            "Liens\u{A0}: le rapport",
        ),
    ] {
        check(odd, atom(entry).as_bytes(), None, &[("/items/0/title", json!(want))]);
    }
    check(
        "naked markup in a description",
        rss("<description>a <b>bold</b> word</description>").as_bytes(),
        None,
        &[
            ("/items/0/summary", json!("a bold word")),
            ("/items/0/_courant/summary_html", json!("a <b>bold</b> word")),
        ],
    );
    check(
        "xhtml:body",
        rss("<body xmlns=\"http://www.w3.org/1999/xhtml\"><p>whole</p></body>").as_bytes(),
        None,
        &[("/items/0/content_html", json!("<p>whole</p>"))],
    );
    check(
        "fullitem",
        rss("<description>short</description><fullitem>&lt;p&gt;whole&lt;/p&gt;</fullitem>").as_bytes(),
        None,
        &[("/items/0/content_html", json!("<p>whole</p>"))],
    );
    check(
        "base64",
        atom("<content mode=\"base64\" type=\"text/html\">PHA+aGVsbG88L3A+</content>").as_bytes(),
        None,
        &[("/items/0/content_html", json!("<p>hello</p>"))],
    );
    check(
        "relative addresses under xml:base",
        "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:base=\"https://y.example/a/\"><entry xml:base=\"b/\"><title>x</title><link href=\"c\"/><content type=\"html\">&lt;a href=\"../d\"&gt;d&lt;/a&gt;&lt;img src=\"e.png\"&gt;</content></entry></feed>".as_bytes(),
        None,
        &[("/items/0/url", json!("https://y.example/a/b/c")), ("/items/0/content_html", json!("<a href=\"https://y.example/a/d\" rel=\"noopener nofollow ugc\">d</a><img src=\"https://y.example/a/b/e.png\">"))],
    );
}

#[test]
fn people_dates_tags_and_attachments_from_wherever_they_stand() {
    check(
        "dc:creator, dc:date, dc:subject, media:category",
        rss("<title>x</title><dc:creator>Ana</dc:creator><dc:date>2022-10-05</dc:date><dc:subject>budget</dc:subject><media:category>law</media:category>")
            .as_bytes(),
        None,
        &[("/items/0/authors/0/name", json!("Ana")), ("/items/0/tags", json!(["budget", "law"])), ("/items/0/date_modified", json!("2022-10-05T00:00:00Z"))],
    );
    check(
        "a mail address and a name in one line",
        rss("<author>ana@x.example (Ana Pérez)</author>").as_bytes(),
        None,
        &[
            ("/items/0/authors/0/name", json!("Ana Pérez")),
            ("/items/0/authors/0/_courant/email", json!("ana@x.example")),
        ],
    );
    for (odd, date, want) in [
        ("asctime", "Sun Jan  4 16:29:06 2004", "2004-01-04T16:29:06Z"),
        ("a zone of two letters", "Thu, 01 Jan 2004 12:00:00 ET", "2004-01-01T17:00:00Z"),
        ("MEST", "Thu, 01 Jul 2004 12:00:00 MEST", "2004-07-01T10:00:00Z"),
        ("an offset behind GMT", "Wed, 19 Feb 2012 22:40:00 GMT-01:01", "2012-02-19T23:41:00Z"),
        ("two digits for the year", "Thu, 01 Jan 04 19:48:21 GMT", "2004-01-01T19:48:21Z"),
        ("a year counted from 1900", "Mon, 05 Jan 126 19:48:21 GMT", "2026-01-05T19:48:21Z"),
        ("the same behind a century", "Mon, 05 Jan 19126 19:48:21 GMT", "2026-01-05T19:48:21Z"),
        ("the same as programs write dates", "126-01-05T19:48:21Z", "2026-01-05T19:48:21Z"),
        ("no time", "01 Jan 2004", "2004-01-01T00:00:00Z"),
        ("Greek", "Κυρ, 11 Ιούλ 2004 12:00:00 EST", "2004-07-11T17:00:00Z"),
    ] {
        check(
            odd,
            rss(&format!("<pubDate>{date}</pubDate>")).as_bytes(),
            None,
            &[("/items/0/date_published", json!(want))],
        );
    }
    check(
        "a date that is none costs the date only",
        rss("<title>x</title><pubDate>yesterday</pubDate>").as_bytes(),
        None,
        &[
            ("/items/0/title", json!("x")),
            ("/items/0/date_published", Value::Null),
            ("/_courant/problems/0", json!("\"yesterday\" cannot be read as a date")),
        ],
    );
    check(
        "an enclosure whose length is no number",
        rss("<enclosure url=\"/a.mp3\" type=\"audio/mpeg\" length=\"many\"/>").as_bytes(),
        None,
        &[("/items/0/attachments/0", json!({"url": "https://x.example/a.mp3", "mime_type": "audio/mpeg"}))],
    );
    check(
        "the source of a syndicated entry",
        rss("<source url=\"https://y.example/feed\">Y</source>").as_bytes(),
        None,
        &[
            ("/items/0/_courant/source/title", json!("Y")),
            ("/items/0/_courant/source/url", json!("https://y.example/feed")),
        ],
    );
    check(
        "xml:lang on the entry",
        "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"en\"><entry xml:lang=\"fr\"><title>x</title></entry></feed>".as_bytes(),
        None,
        &[("/language", json!("en")), ("/items/0/language", json!("fr"))],
    );
}

#[test]
fn broken_documents_give_what_is_whole() {
    let titles = |document: &str| -> Vec<String> {
        read(document.as_bytes(), None)["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["title"].as_str().unwrap_or("").to_owned())
            .collect()
    };
    for (odd, document, want) in [
        (
            "a bare ampersand and an unknown name",
            rss("<title>Q&A & &bogus; B&B</title>"),
            vec!["Q&A & &bogus; B&B"],
        ),
        (
            "a tag that is never closed",
            "<rss><channel><item><title>one<item><title>two</title></item></channel></rss>".into(),
            vec!["one", "two"],
        ),
        (
            "end tags crossed",
            "<rss><channel><item><title>one</item></title><item><title>two</title></item></channel></rss>"
                .into(),
            vec!["one", "two"],
        ),
        (
            "the document ends inside the third entry",
            "<rss><channel><item><title>one</title></item><item><title>two</title></item><item><title>thr"
                .into(),
            vec!["one", "two"],
        ),
        (
            "all end tags missing at the end",
            "<rss><channel><item><title>one</title></item><item><title>two</title>".into(),
            vec!["one", "two"],
        ),
        (
            "words before and after",
            format!("PHP Warning: x in y\n{}<!-- cached -->", rss("<title>one</title>")),
            vec!["one"],
        ),
        (
            "a second declaration in the middle",
            rss("<title>one</title><?xml version=\"1.0\" encoding=\"utf-16\"?>"),
            vec!["one"],
        ),
        (
            "an attribute without quotes",
            "<rss version=2.0><channel><item><title type=text>one</title></item></channel></rss>".into(),
            vec!["one"],
        ),
        ("control characters", rss("<title>o\u{1}n\u{0}e</title>"), vec!["o n e"]),
        (
            "a CDATA section that never ends",
            "<rss><channel><item><title>one</title></item><item><title><![CDATA[tw".into(),
            vec!["one"],
        ),
    ] {
        assert_eq!(titles(&document), want, "{odd}");
    }
}

#[test]
fn json_feeds_are_read_value_by_value() {
    check(
        "a mark, numbers for identifiers, no title, relative addresses, an http version",
        "\u{FEFF}{\"version\":\"http://jsonfeed.org/version/1\",\"items\":[{\"id\":7,\"url\":\"/a\",\"content_html\":\"<a href='b'>b</a><script>x</script>\",\"author\":{\"name\":\"Ana\"},\"tags\":[\"x\",3]},\"no object\",{\"id\":\"8\",\"date_published\":17}]}".as_bytes(),
        Some("application/feed+json"),
        &[
            ("/items/0/id", json!("7")),
            ("/items/0/url", json!("https://x.example/a")),
            ("/items/0/content_html", json!("<a href=\"https://x.example/b\" rel=\"noopener nofollow ugc\">b</a>")),
            ("/items/0/authors/0/name", json!("Ana")),
            ("/items/0/tags", json!(["x", "3"])),
            ("/items/1/id", json!("8")),
            ("/items/1/date_published", Value::Null),
            ("/_courant/problems/0", json!("1 item passed over, no object or one too many")),
        ],
    );
    check(
        "cut in the middle of the second item",
        b"{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"T\",\"items\":[{\"id\":\"1\",\"title\":\"one\"},{\"id\":\"2\",\"ti",
        None,
        &[("/title", json!("T")), ("/items/0/title", json!("one")), ("/items/1", Value::Null)],
    );
}

#[test]
fn identifiers_are_never_made_up_in_a_way_that_changes() {
    let document = rss("<title>Neither guid nor link</title><description>Some words</description>");
    let (first, second) = (read(document.as_bytes(), None), read(document.as_bytes(), None));
    assert_eq!(first["items"][0]["id"], second["items"][0]["id"]);
    assert!(first["items"][0]["id"].as_str().unwrap().starts_with("urn:sha256:"));
    assert_eq!(first["items"][0]["_courant"]["id_made_up"], true);
    let with_guid = read(rss("<guid isPermaLink=\"false\">g</guid>").as_bytes(), None);
    assert_eq!(
        (&with_guid["items"][0]["id"], &with_guid["items"][0]["_courant"]["id_made_up"]),
        (&json!("g"), &Value::Null)
    );
}
