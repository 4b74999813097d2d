//! What comes back: bounces in the clothes of many servers, complaints, unsubscribe requests; from files, IMAP and LMTP.

use std::io::{Read, Write};
use std::process::Stdio;

use crate::support::http::{Reply, Server};
use crate::support::lmtp::Lmtp;
use crate::support::python::ImapServer;
use crate::support::{App, header, rss, text_part};

/// A list of people, and a mail to each of them in the outbox.
fn app(mail: &str) -> (Server, App) {
    let server = Server::always(Reply::ok(rss(&[("a", "A story of the day", 19, "x")])));
    let mut app =
        App::new(&format!("[[source]]\nid = \"s\"\nlang = \"en\"\nurl = \"{}\"\n", server.url("/")));
    let config = app.read("feeds.toml").replace("[mail]\n", &format!("[mail]\n{mail}\n"));
    app.write("feeds.toml", config);
    for name in ["ana", "bo", "cy", "dee"] {
        app.ok(&["subscribers", "add", "--cadence", "daily", &format!("{name}@example.org")]);
    }
    app.later(24 * 60).ok(&["run"]);
    (server, app)
}

#[track_caller]
fn read(app: &App, text: &str) -> String {
    app.write("report.eml", text.replace('\n', "\r\n"));
    app.ok(&["bounces", "report.eml"])
}

/// Everybody gets one more mail.
fn write_again(server: &Server, app: &mut App, story: u8) {
    let (id, title) =
        (format!("story-{story}"), format!("The harbour of town number {story} opens its records"));
    server.answer(move |_| Reply::ok(rss(&[(&id, &title, 19 + story, "x")])));
    app.later(24 * 60).ok(&["run"]);
}

/// The report with the Message-ID of the mail that it is about, as those who got it know it.
#[track_caller]
fn proven(app: &App, name: &str, report: &str) -> String {
    proven_of(app, name, 0, report)
}

/// The same of the mail with a story of `write_again`; none is the first mail.
#[track_caller]
fn proven_of(app: &App, name: &str, story: u8, report: &str) -> String {
    let mails = app.outbox();
    let wanted = if story == 0 { "A story of the day".to_owned() } else { format!("number {story} ") };
    let mut theirs = mails.iter().filter(|mail| header(mail, "To") == format!("{name}@example.org"));
    let mail = theirs.find(|mail| header(mail, "Subject").contains(&wanted)).unwrap();
    let id = header(mail, "Message-ID");
    if report.contains("--b--") {
        let part = format!("--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: {id}\n\n--b--");
        report.replace("--b--", &part)
    } else {
        format!("{report}\nMessage-ID: {id}\n")
    }
}

#[track_caller]
fn state(app: &App, name: &str) -> String {
    let list = app.ok(&["subscribers", "list"]);
    list.lines()
        .find(|line| line.starts_with(&format!("{name}@")))
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .to_owned()
}

fn dsn(recipient: &str, action: &str, status: &str, diagnostic: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example.net\nTo: news@example.org\nSubject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\n\n--b\nContent-Type: text/plain\n\nI'm sorry to have to inform you.\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; {recipient}\nAction: {action}\nStatus: {status}\nDiagnostic-Code: smtp; {diagnostic}\n\n--b--\n"
    )
}

/// The same in prose, from a daemon.
fn prose(subject: &str, text: &str) -> String {
    format!(
        "Return-Path: <>\nFrom: Mail Delivery System <MAILER-DAEMON@mx.example.net>\nTo: news@example.org\nSubject: {subject}\n\n{text}\n"
    )
}

#[test]
fn what_was_read_or_is_older_than_a_consent_ends_nothing_again() {
    let (_server, mut app) = app("");
    let mails = app.outbox();
    let path = |name: &str| {
        let of = |mail: &&String| header(mail, "To") == format!("{name}@example.org");
        header(mails.iter().find(of).unwrap(), "Message-ID")
    };
    let feedback = |name: &str, kind: &str| {
        format!(
            "From: f@isp.example\nTo: news@example.org\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\n\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: {kind}\n\n--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: {}\n\n--b--\n",
            path(name)
        )
    };
    let wish = format!(
        "From: ana@example.org\nTo: news@example.org\nMessage-ID: <1@x>\nIn-Reply-To: {}\nSubject: unsubscribe\n\n",
        path("ana")
    );
    let all = [
        ("ana", wish.clone(), "unsubscribed"),
        ("bo", feedback("bo", "abuse"), "complained"),
        ("cy", feedback("cy", "opt-out"), "unsubscribed"),
    ];
    for (name, report, want) in &all {
        read(&app, report);
        assert_eq!(state(&app, name), *want);
        app.later(60);
        app.ok(&["subscribers", "resume", "--complained", &format!("{name}@example.org")]);
        assert!(read(&app, report).contains("read before"), "{name}");
        assert_eq!(state(&app, name), "active");
    }
    // Another message, written before they came back; one without a date may be new.
    let again = wish.replace("<1@x>", "<2@x>");
    let old = again.replace("Subject:", "Date: Mon, 3 Jan 2000 10:00:00 +0000\nSubject:");
    assert!(read(&app, &old).contains("before they agreed"));
    assert_eq!(state(&app, "ana"), "active");
    read(&app, &again);
    assert_eq!(state(&app, "ana"), "unsubscribed");
}

#[test]
fn a_recipient_in_the_configuration_is_known_by_other_spellings_of_the_address() {
    let (_server, app) = app("");
    let digest = "\n[[digest]]\nid = \"weekly\"\nschedule = \"Mon 08:00 UTC\"\nrecipients = [\"Eva@b\u{fc}cher.example.org\"]\n";
    app.write("feeds.toml", app.read("feeds.toml") + digest);
    let shown = app.ok(&["subscribers", "show", "eva@xn--bcher-kva.example.org"]);
    assert!(shown.contains("recipient of: weekly"), "{shown}");
}

#[test]
fn a_report_counts_for_our_recipient_and_others_in_it_are_not_ours() {
    let (_server, app) = app("");
    let other = "Final-Recipient: rfc822; other@y.example\nAction: failed\nStatus: 5.1.1\n";
    let arrived = dsn("ana@example.org", "delivered", "2.0.0", "250 ok").replacen(
        "\n--b--",
        &format!("\n{other}\n--b--"),
        1,
    );
    assert!(read(&app, &proven(&app, "ana", &arrived)).contains("reached"));
    // Forwarded to where nobody is.
    let elsewhere = dsn("other@y.example", "failed", "5.1.1", "550 5.1.1 user unknown");
    assert!(read(&app, &proven(&app, "bo", &elsewhere)).contains("1 of 3"));
    let named = elsewhere.replace("Action:", "Original-Recipient: rfc822; cy@example.org\nAction:");
    assert!(read(&app, &proven(&app, "cy", &named)).contains("1 of 3"));
    let both = dsn("DEE@example.org", "failed", "5.1.1", "550 5.1.1 user unknown").replacen(
        "\n--b--",
        &format!("\n{}\n--b--", other.replace("failed", "delivered")),
        1,
    );
    assert!(read(&app, &proven(&app, "dee", &both)).contains("hard bounce"));
    assert_eq!(
        ["ana", "bo", "cy", "dee"].map(|name| state(&app, name)).join(" "),
        "active active active bounced"
    );
}

#[test]
fn hard_bounces_suppress_at_once_in_the_words_of_many_servers() {
    let hard = [
        ("postfix", dsn("ana@example.org", "failed", "5.1.1", "550 5.1.1 <ana@example.org>: Recipient address rejected: User unknown in virtual mailbox table")),
        ("a folded field and another case", dsn("ana@example.org", "Failed", "5.0.0", "550\n  No such user here")),
        ("a domain that does not exist", dsn("ana@example.org", "failed", "5.4.4", "Host or domain name not found. Name service error")),
        ("a policy code for an unknown user", dsn("ana@example.org", "failed", "5.7.1", "550 5.7.1 Recipient unknown")),
        (
            "qmail",
            prose(
                "failure notice",
                "Hi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<ana@example.org>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 no mailbox by that name is currently available\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <news@example.org>\nTo: bo@example.org",
            ),
        ),
        (
            "exim",
            prose("Mail delivery failed: returning message to sender", "This message was created automatically by mail delivery software.\n\n  ana@example.org\n    Unrouteable address\n\n------ This is a copy of the message, including all the headers. ------\n\nTo: bo@example.org")
                .replace("Subject:", "X-Failed-Recipients: ana@example.org\nSubject:"),
        ),
        ("french", prose("Échec de la remise (Non remis)", "Votre message n'a pas pu être remis :\n\nana@example.org : l'utilisateur n'existe pas (550)")),
    ];
    for (name, report) in hard {
        let (_server, app) = app("");
        assert!(read(&app, &report).contains("ignored"), "{name}: anybody could have written it");
        let said = read(&app, &proven(&app, "ana", &report));
        assert!(said.starts_with("hard bounce: a…@example.org, never written to again"), "{name}: {said}");
        assert_eq!(
            (state(&app, "ana").as_str(), state(&app, "bo").as_str()),
            ("bounced", "active"),
            "{name}"
        );
    }
}

#[test]
fn what_may_pass_counts_and_what_is_no_bounce_is_left_alone() {
    let (server, mut app) = app("");
    for left_alone in [
        dsn("ana@example.org", "delayed", "4.4.1", "connection timed out"),
        dsn("ana@example.org", "delivered", "2.0.0", "ok"),
        dsn("stranger@example.com", "failed", "5.1.1", "550 user unknown"),
        dsn("ana@example.org", "failed", "5.1.1", "550 user unknown"),
        prose("Warning: message 1x delayed 24 hours", "ana@example.org: the message has not yet been delivered; it will be retried."),
        "From: ana@example.org\nTo: news@example.org\nSubject: Out of office: back on Monday\nAuto-Submitted: auto-replied\n\n550 user unknown ana@example.org\n".to_owned(),
        "From: bo@example.org\nTo: news@example.org\nSubject: Thank you\n\nLovely. No such user ever was so glad.\n".to_owned(),
        String::new(),
    ] {
        let said = read(&app, &left_alone);
        assert!(said.contains("ignored"), "{said}\n{left_alone}");
    }
    assert_eq!(state(&app, "ana"), "active");
    let full = proven(&app, "ana", &dsn("ana@example.org", "failed", "5.2.2", "552 5.2.2 mailbox full"));
    assert!(read(&app, &full).starts_with("soft bounce: a…@example.org, 1 of 3"));
    assert!(read(&app, &full).contains("read before"), "the same report twice is one");
    // Behind one address may be many mailboxes, and each is full.
    for mailbox in 2..5 {
        let said = read(&app, &full.replace("mailbox full", &format!("mailbox {mailbox} full")));
        assert!(said.contains("another report of the same mail"), "{said}");
    }
    (1..5).for_each(|story| write_again(&server, &mut app, story));
    let report = |nth: u8| {
        let report = dsn("ana@example.org", "failed", "4.2.2", &format!("over quota, mail {nth}"));
        proven_of(&app, "ana", nth, &report)
    };
    assert!(read(&app, &report(1)).contains("2 of 3"));
    // Long after, a new series begins.
    let [second, third, fourth] = [2, 3, 4].map(report);
    app.later(70 * 24 * 60);
    for (report, want) in [(second, "1 of 3"), (third, "2 of 3"), (fourth, "never written to again")] {
        let said = read(&app, &report);
        assert!(said.contains(want), "{said}");
    }
    assert_eq!(state(&app, "ana"), "bounced");
}

#[test]
fn what_is_refused_because_of_us_counts_for_nobody_and_the_operator_hears_of_it_once() {
    let (_server, mut app) = app("operator = [\"ops@example.org\"]");
    let reports = [
        dsn(
            "ana@example.org",
            "failed",
            "5.7.1",
            "550 5.7.1 Service unavailable; blocked using zen.spamhaus.org",
        ),
        dsn("ana@example.org", "failed", "5.7.26", "550 5.7.26 unauthenticated, DMARC policy"),
        dsn("ana@example.org", "failed", "4.4.7", "451 4.4.1 connection timed out"),
        dsn(
            "ana@example.org",
            "failed",
            "5.1.1",
            "550 5.1.1 <news@example.org>: Sender address rejected: User unknown",
        ),
        prose(
            "Mail delivery failed",
            "  ana@example.org\n    SMTP error from remote mail server after end of data:\n    host mx [192.0.2.1]: 550 no such user",
        ),
        prose(
            "Mail delivery failed",
            "  ana@example.org\n    SMTP error from remote mail server after MAIL FROM:<n@example.org>:\n    550 5.7.1 spam",
        ),
    ];
    for report in &reports {
        let said = read(&app, &proven(&app, "ana", report));
        assert!(said.starts_with("not counted: a mail to a…@example.org"), "{said}");
    }
    assert_eq!(state(&app, "ana"), "active");
    app.later(60).ok(&["run"]);
    app.later(60).ok(&["run"]);
    let told: Vec<String> =
        app.outbox().into_iter().filter(|mail| header(mail, "To") == "ops@example.org").collect();
    assert_eq!(told.len(), 1);
    assert!(header(&told[0], "Subject").contains("returned mail needs a look"), "{}", told[0]);
}

#[test]
fn a_report_about_an_operators_address_ends_no_mail_to_it() {
    let (_server, app) = app("operator = [\"ana@example.org\"]");
    let report = dsn("ana@example.org", "failed", "5.1.1", "550 5.1.1 User unknown");
    let said = read(&app, &proven(&app, "ana", &report));
    assert!(said.starts_with("ignored: a mail to the operator"), "{said}");
    assert_eq!(state(&app, "ana"), "active");
    let report = report.replace("ana@", "bo@");
    assert!(read(&app, &proven(&app, "bo", &report)).starts_with("hard bounce"));
}

#[test]
fn a_return_path_of_its_own_knows_whose_mail_it_was() {
    let (_server, app) = app("bounces = \"returns@example.org\"");
    let mails = app.outbox();
    let mail = mails.iter().find(|mail| header(mail, "To") == "bo@example.org").unwrap();
    // A report that names nobody whom we know (forwarded mail), with the Message-ID of our mail in it.
    let original = format!(
        "--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: {}\nTo: bo@example.org\n\n--b--",
        header(mail, "Message-ID")
    );
    let report =
        dsn("forwarded@other.example", "failed", "5.1.1", "550 user unknown").replace("--b--", &original);
    assert!(read(&app, &report).starts_with("soft bounce: b…@example.org"));
    let report = report.replace("forwarded@other.example", "bo@example.org");
    assert!(read(&app, &report).starts_with("hard bounce: b…@example.org"));
    assert_eq!(state(&app, "bo"), "bounced");
    // Without anything of ours it is worth nothing: anybody could have written it.
    assert!(read(&app, &dsn("ana@example.org", "failed", "5.1.1", "550 user unknown")).contains("ignored"));
    assert!(header(mail, "List-Unsubscribe").contains("<mailto:returns@example.org?subject=unsubscribe%20"));
}

#[test]
fn a_complaint_ends_everything_also_when_the_address_is_hidden() {
    let (_server, mut app) = app("");
    let mails = app.outbox();
    let mail = mails.iter().find(|mail| header(mail, "To") == "cy@example.org").unwrap();
    let arf = |kind: &str, recipient: &str| {
        format!(
            "From: feedback@provider.example\nTo: news@example.org\nSubject: abuse report\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\n\n--b\nContent-Type: text/plain\n\nThis is an email abuse report.\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: {kind}\nUser-Agent: X/1\nVersion: 1\nOriginal-Rcpt-To: {recipient}\n\n--b\nContent-Type: message/rfc822\n\nFrom: news@example.org\nTo: redacted\nList-Unsubscribe: {}\nSubject: x\n\nx\n--b--\n",
            header(mail, "List-Unsubscribe")
        )
    };
    for kind in ["not-spam", "auth-failure", "virus", "fraud", "dkim", ""] {
        assert!(read(&app, &arf(kind, "cy@example.org")).contains("ignored"), "{kind}");
    }
    let forged = arf("abuse", "cy@example.org").replace(header(mail, "List-Unsubscribe").as_str(), "nothing");
    assert!(read(&app, &forged).contains("ignored"), "anybody could have written it");
    assert_eq!(state(&app, "cy"), "active");
    assert!(read(&app, &arf("abuse", "redacted@provider.example")).starts_with("complaint: c…@example.org"));
    assert_eq!(state(&app, "cy"), "complained");
    app.later(24 * 60).ok(&["run"]);
    app.write("again.csv", "address\ncy@example.org\n");
    assert!(
        app.run(&["subscribers", "import", "again.csv", "--consent", "x"])
            .stderr
            .contains("left out: complained")
    );
}

#[test]
fn a_provider_says_that_somebody_asked_to_leave_and_proves_it_like_a_complaint() {
    let (_server, app) = app("");
    let arf = |kind: &str| {
        format!(
            "From: fbl@example.net\nTo: news@example.org\nSubject: report\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\n\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: {kind}\nVersion: 1\nOriginal-Rcpt-To: dee@example.org\n\n--b--\n"
        )
    };
    assert!(read(&app, &arf("opt-out")).contains("ignored"), "anybody could have written it");
    let said = read(&app, &proven(&app, "cy", &arf("opt-out")));
    assert!(said.starts_with("unsubscribed by their mailbox provider: c…@example.org"), "{said}");
    assert_eq!((state(&app, "cy"), state(&app, "dee")), ("unsubscribed".into(), "active".into()));
}

#[test]
fn people_leave_by_mail_too() {
    let (_server, app) = app("");
    let mails = app.outbox();
    let mail = mails.iter().find(|mail| header(mail, "To") == "ana@example.org").unwrap();
    let token = header(mail, "List-Unsubscribe")
        .split("unsubscribe%20")
        .nth(1)
        .unwrap()
        .trim_end_matches('>')
        .to_owned();
    // From another address of hers: the token says who she is.
    let said = read(
        &app,
        &format!("From: ana.private@example.com\nTo: news@example.org\nSubject: unsubscribe {token}\n\n"),
    );
    assert!(said.starts_with("unsubscribed by mail"), "{said}");
    assert_eq!(state(&app, "ana"), "unsubscribed");
    // An address alone is anybody's to write.
    let forged = "From: Bo <BO@example.org>\nTo: news@example.org\nSubject: Re: se désabonner\n\nmerci\n";
    let said = read(&app, forged);
    assert!(said.starts_with("an unsubscribe request without a token, from B…@example.org"), "{said}");
    assert_eq!(state(&app, "bo"), "active");
    let bos = mails.iter().find(|mail| header(mail, "To") == "bo@example.org").unwrap();
    let answer = |from: &str, subject: &str, body: &str| {
        let id = header(bos, "Message-ID");
        format!("From: {from}\nTo: news@example.org\nIn-Reply-To: {id}\nSubject: {subject}\n\n{body}\n")
    };
    for (from, subject, body, want) in [
        ("bo@example.org", "Re: Stop corruption: the week of open justice", "Thanks!", "left in the mailbox"),
        (
            "bo@example.org",
            "RE: Baja California publica sus sentencias",
            "Muy interesante.",
            "left in the mailbox",
        ),
        // Forwarded to a friend: the recipient is asked.
        ("friend@example.org", "Re: Digest", "unsubscribe", "from b…@example.org: answered with their link"),
    ] {
        let said = read(&app, &answer(from, subject, body));
        assert!(said.contains(want), "{subject}: {said}");
    }
    assert_eq!(state(&app, "bo"), "active");
    let said = read(&app, &answer("bo@example.org", "Re: Digest", "Please unsubscribe me."));
    assert!(said.starts_with("unsubscribed by mail"), "{said}");
    assert_eq!((state(&app, "bo").as_str(), state(&app, "cy").as_str()), ("unsubscribed", "active"));
    assert!(text_part(mail).contains("/unsubscribe/"));
}

#[test]
fn who_is_let_in_again_keeps_a_history_that_counts_no_more() {
    let (server, mut app) = app("");
    (1..4).for_each(|story| write_again(&server, &mut app, story));
    let soft = |n: u8| {
        let report = dsn("ana@example.org", "failed", "5.2.2", &format!("552 full {n}"));
        read(&app, &proven_of(&app, "ana", n, &report))
    };
    assert!(soft(1).contains("1 of 3") && soft(2).contains("2 of 3") && soft(3).contains("3rd"));
    assert_eq!(state(&app, "ana"), "bounced");
    let hard = proven(&app, "bo", &dsn("bo@example.org", "failed", "5.1.1", "550 user unknown"));
    assert!(read(&app, &hard).starts_with("hard bounce: b"));
    assert_eq!(app.run(&["subscribers", "pause", "bo@example.org"]).code, 2);
    app.later(60);
    for name in ["ana", "bo"] {
        app.ok(&["subscribers", "resume", &format!("{name}@example.org")]);
    }
    let shown = app.ok(&["subscribers", "show", "ana@example.org"]);
    assert_eq!(shown.matches("a soft bounce").count(), 3, "{shown}");
    assert!(
        shown.contains("suppressed for all mail: bounced") && shown.contains("receives all mail again"),
        "{shown}"
    );
    assert!(!shown.contains("\nsuppressed:"), "{shown}");
    assert!(read(&app, &hard).contains("read before"), "a report that was read before keeps nobody out");
    let report = dsn("ana@example.org", "failed", "5.2.2", "552 full 4");
    assert!(read(&app, &proven(&app, "ana", &report)).contains("1 of 3"));
    assert!(read(&app, &proven_of(&app, "ana", 1, &report)).contains("another report of the same mail"));
    assert_eq!((state(&app, "ana"), state(&app, "bo")), ("active".into(), "active".into()));
}

#[test]
fn a_complaint_is_lifted_by_its_name_and_an_erasure_never() {
    let (_server, app) = app("");
    let arf = "From: fbl@example.net\nTo: news@example.org\nSubject: complaint\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\n\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n\n--b--\n";
    assert!(read(&app, &proven(&app, "cy", arf)).starts_with("complaint: c"));
    // What is less does not hide it.
    read(&app, &proven(&app, "cy", &dsn("cy@example.org", "failed", "5.1.1", "550 user unknown")));
    let resume = |more: &[&str], name: &str| app.run(&[&["subscribers", "resume", name], more].concat());
    let ran = resume(&[], "cy@example.org");
    assert!(ran.code == 2 && ran.stderr.contains("--complained"), "{}", ran.stderr);
    assert_ne!(state(&app, "cy"), "active");
    assert_eq!(resume(&["--complained"], "cy@example.org").code, 0);
    assert_eq!(state(&app, "cy"), "active");
    let late = proven(&app, "dee", &dsn("dee@example.org", "failed", "5.1.1", "550 user unknown"));
    app.ok(&["subscribers", "erase", "dee@example.org"]);
    read(&app, &late);
    let ran = resume(&["--complained"], "dee@example.org");
    assert!(ran.code == 2 && ran.stderr.contains("only they can come back"), "{}", ran.stderr);
    assert!(app.ok(&["subscribers", "show", "dee@example.org"]).contains("suppressed: erased"));
}

#[test]
fn what_people_answer_reaches_reply_to_once_and_never_a_programs_answer() {
    let (_server, mut app) = app("reply_to = \"Team <team@example.org>\"\nbounces = \"returns@example.org\"");
    let answer = |more: &str| {
        format!(
            "From: Bo <bo@example.org>\nTo: returns+1-ab@example.org\nMessage-ID: <q1@example.org>\nSubject: Re: Stop corruption: the week\n{more}\nWhere is the second part?\n"
        )
    };
    app.write("answer.eml", answer(""));
    // Two processes at once, and once more.
    let both: Vec<_> = (0..2)
        .map(|_| app.command(&["bounces", "answer.eml"]).stdout(Stdio::piped()).spawn().unwrap())
        .collect();
    let said: Vec<String> = both
        .into_iter()
        .map(|child| String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
        .collect();
    let passed = |text: &str| said.iter().filter(|said| said.contains(text)).count();
    assert_eq!(
        (passed("passed on to reply_to: an answer by b…@"), passed("passed on before")),
        (1, 1),
        "{said:?}"
    );
    assert!(read(&app, &answer("X-Spam: no\n")).contains("passed on before"), "known by its Message-ID");
    for more in [
        "Message-ID: <q2@example.org>\nAuto-Submitted: auto-replied\n",
        "Precedence: bulk\n",
        "X-Auto-Response-Suppress: All\n",
        "Return-Path: <>\n",
        "Cc: team@example.org\n",
    ] {
        let said = read(&app, &answer(more).replace("q1@", "q3@"));
        let is_left = said.contains("ignored: ") || said.contains("left in the mailbox: ");
        assert!(is_left && !said.contains("passed"), "{more}: {said}");
    }
    app.later(1).ok(&["run"]);
    let mails = app.outbox();
    let mine: Vec<_> = mails.iter().filter(|mail| header(mail, "To") == "team@example.org").collect();
    assert_eq!(mine.len(), 1);
    assert_eq!(header(mine[0], "Reply-To"), "bo@example.org");
    assert_eq!(header(mine[0], "Subject"), "Re: Stop corruption: the week");
    assert_eq!(header(mine[0], "Auto-Submitted"), "auto-generated");
    assert_eq!(header(mine[0], "Content-Language"), "en");
    assert!(
        mine[0].contains("message/rfc822") && mine[0].contains("Message-ID: <q1@example.org>"),
        "{}",
        mine[0]
    );
    assert!(mine[0].matches("Where is the second part?").count() == 2 && !mine[0].contains("List-"));
    assert_eq!(state(&app, "bo"), "active");
    let held = app.ok(&["subscribers", "export", "--address", "bo@example.org"]);
    assert!(held.contains("\"answers\"") && held.contains("Re: Stop corruption"), "{held}");
    app.ok(&["subscribers", "erase", "bo@example.org"]);
    assert!(!app.ok(&["subscribers", "export", "--address", "bo@example.org"]).contains("Stop corruption"));
    // A day has its end, and the next one begins.
    let many: String = (0..105)
        .map(|n| format!("From x Thu Oct 20 08:00:00 2022\n{}", answer("").replace("q1@", &format!("m{n}@"))))
        .collect();
    app.write("many.mbox", many);
    let said = app.ok(&["bounces", "many.mbox"]);
    assert_eq!(said.matches("passed on to reply_to").count(), 99, "{said}");
    assert_eq!(said.matches("left in the mailbox").count(), 6, "{said}");
    let said = app.later(25 * 60).ok(&["bounces", "many.mbox"]);
    assert_eq!(said.matches("passed on to reply_to").count(), 6, "{said}");
}

#[test]
fn a_wish_to_leave_without_proof_is_answered_as_one_in_their_language() {
    let (_server, mut app) = app("");
    app.ok(&["subscribers", "add", "--update", "--language", "fr", "bo@example.org"]);
    for (name, subject, text) in [
        ("ana", "End your subscription: Test", "received a request to unsubscribe"),
        ("bo", "Votre désabonnement : Test", "votre abonnement reste inchangé"),
    ] {
        let asked = format!("From: {name}@example.org\nTo: news@example.org\nSubject: unsubscribe\n\n");
        assert!(read(&app, &asked).contains("answered with their link"));
        app.later(1).ok(&["run"]);
        let mails = app.outbox();
        let to = |mail: &&String| header(mail, "To") == format!("{name}@example.org");
        let answer = mails
            .iter()
            .filter(to)
            .find(|mail| text_part(mail).contains("/preferences/") && !mail.contains("List-Id"));
        let answer = answer.unwrap();
        let decoded = mail_parser::MessageParser::default().parse(answer.as_bytes()).unwrap();
        assert_eq!(decoded.subject().unwrap(), subject);
        let said = text_part(answer).replace('\n', " ");
        assert!(said.contains(text) && !said.contains("already subscribed"), "{said}");
        assert_eq!(state(&app, name), "active", "a sender's address proves nothing");
    }
}

#[test]
fn what_people_write_to_a_return_path_of_ours_reaches_reply_to_and_forged_ones_do_not() {
    let (_server, app) = app("reply_to = \"team@example.org\"\nbounces = \"returns@example.org\"");
    let forged = "From: bo@example.org\nTo: returns+1-abcdef0123@example.org\nSubject: How do I unsubscribe my colleague?\n\nShe left.\n";
    assert!(read(&app, forged).contains("ignored: nothing that concerns us"));
    assert!(read(&app, &forged.replace("Subject: ", "Subject: Re: ")).contains("passed on to reply_to"));
}

/// The address of a mailbox that the configuration trusts, with its password in a file.
fn mailbox(app: &App, imap: &ImapServer) -> String {
    let config = app.read("feeds.toml").replace(
        "[mail]\n",
        &format!(
            "[mail]\ntransport = \"smtp://127.0.0.1:9\"\nca_file = \"{}\"\n",
            imap.certificate().display()
        ),
    );
    app.write("feeds.toml", config);
    app.write("imap-password", "demopass\n");
    format!("imap://demouser@localhost:{}/INBOX?password=file:imap-password", imap.port)
}

#[test]
fn an_answer_for_nobody_else_stays_unread() {
    let (_server, app) = app("");
    let imap = ImapServer::start(&[
        "From: bo@example.org\r\nSubject: Re: Stop corruption\r\n\r\nhello\r\n".to_owned(),
        "Subject: hello\r\n\r\nhello\r\n".to_owned(),
    ]);
    let url = mailbox(&app, &imap);
    let said = app.ok(&["bounces", &url]);
    assert!(said.contains("no [mail] reply_to") && said.contains("2 messages read"), "{said}");
    assert!(app.ok(&["bounces", &url]).contains("1 message read"), "it is still unread");
    let config = app.read("feeds.toml").replace("[mail]\n", "[mail]\nreply_to = \"team@example.org\"\n");
    app.write("feeds.toml", config);
    assert!(app.ok(&["bounces", &url]).contains("passed on to reply_to"));
    assert!(app.ok(&["bounces", &url]).contains("0 messages read"));
}

#[test]
fn reports_come_from_an_mbox_a_folder_standard_input_and_imap() {
    let (_server, app) = app("");
    let report = |name: &str| {
        proven(&app, name, &dsn(&format!("{name}@example.org"), "failed", "5.1.1", "550 user unknown"))
    };
    app.write("mbox", format!("From MAILER-DAEMON Thu Oct 20 08:00:00 2022\n{}\nFrom x Thu Oct 20 08:00:00 2022\nSubject: hello\n\nhello\n", report("ana")));
    assert!(app.ok(&["bounces", "mbox"]).contains("2 messages read"));
    assert_eq!(state(&app, "ana"), "bounced");
    app.write("maildir/new/1", report("bo"));
    assert!(app.ok(&["bounces", "maildir"]).contains("hard bounce: b…@example.org"));
    let mut child =
        app.command(&["bounces", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(report("cy").as_bytes()).unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success() && said.contains("hard bounce: c…@example.org"), "{said}");

    let imap = ImapServer::start(&[
        report("dee").replace('\n', "\r\n"),
        "Subject: hello\r\n\r\nhello\r\n".to_owned(),
    ]);
    let url = mailbox(&app, &imap);
    let said = app.ok(&["bounces", &url]);
    assert!(said.contains("hard bounce: d…@example.org") && said.contains("2 messages read"), "{said}");
    assert!(app.ok(&["bounces", &url]).contains("0 messages read"), "read ones are marked");
    app.write("imap-password", "wrong\n");
    let ran = app.run(&["bounces", &url]);
    assert!(
        ran.code == 1 && ran.stderr.contains("refuses the login") && !ran.stderr.contains("wrong"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_mail_server_hands_reports_over_by_lmtp() {
    let (_server, app) = app("bounces = \"returns@example.org\"");
    let mut lmtp = Lmtp::start(&app);
    lmtp.say("MAIL FROM:<>\r\nRCPT TO:<returns@example.org>\r\nRCPT TO:<other@example.org>\r\nDATA\r\n", 4);
    let report = format!(
        "{}.\r\n",
        proven(&app, "ana", &dsn("ana@example.org", "failed", "5.2.2", "552 full")).replace('\n', "\r\n")
    );
    let answers = lmtp.say(&report, 2);
    assert!(
        answers.iter().all(|answer| answer.starts_with("250 ")),
        "an answer for each recipient: {answers:?}"
    );
    lmtp.say("QUIT\r\n", 1);
    let held = app.ok(&["subscribers", "export", "--address", "ana@example.org"]);
    assert!(held.contains("\"returned\"") && held.contains("\"soft\""), "{held}");
}
