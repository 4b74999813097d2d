//! Subscribers of other programs: those who get mail come along, those who left stay out, and nothing is stored before it is wanted.

use crate::support::App;

/// The people on the list, each with their state and where and when they agreed.
fn people(app: &App) -> Vec<String> {
    let list: Vec<serde_json::Value> =
        serde_json::from_str(&app.ok(&["subscribers", "list", "--format", "json"])).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    list.iter()
        .map(|person| {
            let consent = &person["consent"];
            format!(
                "{} {}: {}, {}",
                text(&person["address"]),
                text(&person["state"]),
                text(&consent["source"]),
                text(&consent["at"])
            )
        })
        .collect()
}

/// Whether an address is kept out, with the reason.
#[track_caller]
fn is_kept_out(app: &App, address: &str, why: &str) {
    let ran = app.run(&["subscribers", "add", address]);
    assert!(
        ran.code == 2 && ran.stderr.contains(&format!("is kept out ({why})")),
        "{address}: {}",
        ran.stderr
    );
}

/// Imports in two steps: what is said first is what is done then.
fn imported(app: &App, arguments: &[&str]) -> String {
    let before = people(app);
    let shown = app.run(&[&["import"], arguments, &["--dry-run"]].concat());
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert_eq!(people(app), before, "a dry run stores nothing");
    let done = app.run(&[&["import"], arguments].concat());
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(shown.stderr, done.stderr);
    assert_eq!(shown.stdout.replace("would be imported", "imported"), done.stdout);
    done.stdout
}

const LISTMONK_HEAD: &str = "uuid,email,name,attributes,status,created_at,updated_at\n";

#[test]
fn people_of_listmonk_come_with_their_dates_and_those_who_left_a_list_stay_out() {
    let app = App::new("");
    let row = |name: &str, status: &str| {
        format!(
            "0c8f-{name},{name}@example.org,{name},{{}},{status},2021-01-02 03:04:05.678+00,2022-05-06 07:08:09+00\n"
        )
    };
    app.write(
        "listmonk/everybody.csv",
        format!(
            "{LISTMONK_HEAD}{}{}{}",
            row("ana", "enabled"),
            row("bea", "blocklisted"),
            row("cleo", "enabled")
        ),
    );
    // Who left a list looks like everybody else in it.
    let ran = app.run(&["import", "listmonk", "listmonk"]);
    assert!(
        ran.code == 2 && ran.stderr.contains("writes who left a list like everybody else"),
        "{}",
        ran.stderr
    );
    assert!(people(&app).is_empty());
    app.write("listmonk/unsubscribed.csv", format!("{LISTMONK_HEAD}{}", row("cleo", "enabled")));
    let said = imported(&app, &["listmonk", "listmonk"]);
    assert!(said.starts_with("1 imported"), "{said}");
    assert_eq!(
        people(&app),
        ["ana@example.org active: on the list in listmonk (everybody.csv), 2021-01-02T03:04:05.678Z"]
    );
    is_kept_out(&app, "bea@example.org", "unsubscribed");
    is_kept_out(&app, "cleo@example.org", "unsubscribed");
    // Another time nobody is brought back.
    let said = app.ok(&["import", "listmonk", "listmonk/everybody.csv", "--nobody-left"]);
    assert!(said.starts_with("0 imported"), "{said}");
    // A query of its database says it all in one file.
    let app = App::new("");
    app.write(
        "list.csv",
        "email,name,status,subscription_status,created_at\nana@example.org,A,enabled,confirmed,2021-01-02 03:04:05+00\nbea@example.org,B,enabled,unsubscribed,2021-01-02 03:04:05+00\ncleo@example.org,C,enabled,unconfirmed,2021-01-02 03:04:05+00\n",
    );
    imported(&app, &["listmonk", "list.csv", "--consent", "double opt-in in listmonk"]);
    assert_eq!(people(&app), ["ana@example.org active: double opt-in in listmonk, 2021-01-02T03:04:05Z"]);
    is_kept_out(&app, "bea@example.org", "unsubscribed");
}

#[test]
fn people_of_mailchimp_come_with_their_confirmations_and_those_who_left_or_bounced_stay_out() {
    let app = App::new("");
    let head = "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LATITUDE,LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED,LEID,EUID,NOTES,TAGS";
    let row = |name: &str, more: &str| {
        format!(
            "{name}@example.org,{name},2,2021-02-03 10:11:12,192.0.2.1,2021-02-04 10:11:12,192.0.2.1,,,,,Europe/Paris,fr,,2021-02-04 10:11:12,1,x{name},,\"\"\"vip\"\"\"{more}\n"
        )
    };
    app.write("export/subscribed_members_export_1.csv", format!("{head}\n{}", row("ana", "")));
    app.write(
        "export/unsubscribed_members_export_1.csv",
        format!(
            "{head},UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,UNSUB_REASON,UNSUB_REASON_OTHER\n{}",
            row("bea", ",2021-05-06 10:00:00,May,7,NORMAL,")
        ),
    );
    app.write(
        "export/cleaned_members_export_1.csv",
        format!(
            "{head},CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID\n{}",
            row("cleo", ",2021-05-06 10:00:00,May,7")
        ),
    );
    app.write("export/granular_activity/opens.csv", "Email,Opens\nana@example.org,3\n");
    let said = imported(&app, &["mailchimp", "export"]);
    assert!(said.starts_with("1 imported") && said.contains("2 kept out from now on"), "{said}");
    let ran = app.run(&["import", "mailchimp", "export", "--dry-run"]);
    assert!(
        ran.stderr.contains("opens.csv: left alone, it is no list of people of Mailchimp"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        people(&app),
        ["ana@example.org active: CONFIRM_TIME in subscribed_members_export_1, 2021-02-04T10:11:12Z"]
    );
    is_kept_out(&app, "bea@example.org", "unsubscribed");
    is_kept_out(&app, "cleo@example.org", "bounced");
    // The column of the address has another name where somebody gave it one.
    let renamed = head.replace("Email Address", "Correo");
    app.write("export/subscribed_members_export_2.csv", format!("{renamed}\n{}", row("dora", "")));
    let said = imported(&app, &["mailchimp", "export"]);
    assert!(said.starts_with("1 imported"), "{said}");
    app.write("export.zip", b"PK\x03\x04...");
    let ran = app.run(&["import", "mailchimp", "export.zip"]);
    assert!(ran.code == 2 && ran.stderr.contains("unpack it"), "{}", ran.stderr);
}

#[test]
fn members_of_ghost_and_subscribers_of_substack_come_unless_they_get_no_mail() {
    let app = App::new("");
    app.write(
        "members.csv",
        "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels,tiers\n\
         1,ana@example.org,Ana,,true,false,,2021-01-02T10:00:00.000Z,,,\n2,bea@example.org,Bea,,false,false,,2021-01-02T10:00:00.000Z,,,\n",
    );
    imported(&app, &["ghost", "members.csv"]);
    assert_eq!(
        people(&app),
        ["ana@example.org active: on the list in Ghost (members.csv), 2021-01-02T10:00:00Z"]
    );
    is_kept_out(&app, "bea@example.org", "unsubscribed");
    let app = App::new("");
    app.write(
        "substack/email_list.news.csv",
        "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at\n\
         ana@example.org,false,,other,false,2021-01-02T10:00:00.000Z,\nbea@example.org,false,,other,true,2021-01-02T10:00:00.000Z,\n",
    );
    app.write("substack/posts.csv", "post_id,post_date,title\n1,2021-01-02,Hello\n");
    imported(&app, &["substack", "substack"]);
    assert_eq!(
        people(&app),
        ["ana@example.org active: on the list in Substack (email_list.news.csv), 2021-01-02T10:00:00Z"]
    );
    is_kept_out(&app, "bea@example.org", "unsubscribed");
    for (program, file) in [("ghost", "substack"), ("substack", "members.csv"), ("ghost", "absent.csv")] {
        app.write("members.csv", "name,town\nAna,Lima\n");
        let ran = app.run(&["import", program, file]);
        assert!(
            ran.code != 0
                && (ran.stderr.contains("holds no list of people") || ran.stderr.contains("cannot read")),
            "{}",
            ran.stderr
        );
    }
    assert_eq!(people(&app).len(), 1);
}

#[test]
fn a_faulty_row_of_another_program_stops_the_import_unless_it_may_be_skipped() {
    let app = App::new("");
    app.write(
        "members.csv",
        "email,subscribed_to_emails,created_at\nana@example.org,true,2021-01-02\nnobody,true,2021-01-02\n",
    );
    let ran = app.run(&["import", "ghost", "members.csv"]);
    assert!(ran.code == 2 && ran.stderr.contains("members.csv:3: "), "{}", ran.stderr);
    assert!(people(&app).is_empty());
    app.ok(&["import", "ghost", "members.csv", "--skip-faulty"]);
    assert_eq!(people(&app).len(), 1);
}
