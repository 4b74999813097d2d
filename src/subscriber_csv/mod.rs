//! The list of subscribers as a table (CSV, RFC 4180), as read by `courant subscribers import` and written by `export`; exports
//! of other programs are read by their column names. Pure.

mod columns;
mod dates;
mod notes;
mod program;
mod row;
mod sheet;
mod table;
mod words;
mod write;

use std::collections::HashMap;
use std::io::Read;

use self::columns::{Columns, cell};
use self::dates::Order;
pub use self::program::MailingProgram;
use self::row::row;
pub use self::table::{CsvRow, CsvTable, PreferenceColumns, Remark, RowDecision, TableContext};
pub use self::write::{write, write_head};
use crate::model::mail_address::Address;

/// Reads a table and checks all rows.
pub fn read(mut reader: impl Read, reading: &TableContext) -> CsvTable {
    let mut table = CsvTable::default();
    let mut bytes = Vec::new();
    if let Err(error) = reader.read_to_end(&mut bytes) {
        table.unclear.push(format!("the table cannot be read: {error}"));
        return table;
    }
    let sheet = sheet::read(&bytes);
    table.faults.extend(sheet.faults.iter().cloned());
    let columns = match Columns::find(&sheet, reading.ignored) {
        Ok(columns) => columns,
        Err(unclear) => {
            table.unclear = unclear;
            return table;
        }
    };
    table.is_own = columns.is_own;
    let order = Order::learn(
        columns.dates().flat_map(|at| sheet.records.iter().map(move |(_, cells)| cell(cells, at))),
    )
    .or_day_first(columns.is_day_first());
    let mut seen = HashMap::new();
    for (line, cells) in &sheet.records {
        if cells.iter().skip(columns.count).any(|cell| !cell.is_empty()) || cells.len() < columns.count {
            table
                .faults
                .push((*line, format!("has {} fields, but the header has {}", cells.len(), columns.count)));
            continue;
        }
        match row(&columns, cells, *line, order, reading) {
            Ok((row, hint)) => {
                let hint = hint.or_else(|| doubt(&row.address));
                table.hints.extend(hint.map(|hint| (*line, hint)));
                keep(&mut table, &mut seen, row);
            }
            Err(faults) => table.faults.extend(faults.into_iter().map(|fault| (*line, fault))),
        }
    }
    table
}

/// What is odd about an address that is imported all the same.
fn doubt(address: &Address) -> Option<String> {
    if address.is_example() {
        return Some(format!("{address}: its domain is for examples, and no mail can be sent there"));
    }
    address.hint().map(|hint| format!("{address}: did they mean {hint}?"))
}

/// Adds a row. If a person occurs twice, a refusal wins, wherever it is.
fn keep(table: &mut CsvTable, seen: &mut HashMap<String, usize>, row: CsvRow) {
    let rank = |row: &CsvRow| match row.fate {
        RowDecision::In(_) => 0,
        RowDecision::LeftOut => 1,
        RowDecision::Refused(_) => 2,
    };
    match seen.get(&row.address.as_str().to_lowercase()) {
        Some(at) if rank(&row) > rank(&table.rows[*at]) => table.rows[*at] = row,
        Some(at) if rank(&row) == 0 && rank(&table.rows[*at]) == 0 => {
            let first = table.rows[*at].line;
            table.faults.push((row.line, format!("{} is already on line {first}", row.address)));
        }
        Some(_) => {}
        None => {
            seen.insert(row.address.as_str().to_lowercase(), table.rows.len());
            table.rows.push(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::keys::EntryKey;
    use crate::model::profile::Profile;
    use crate::model::subscriber::{Consent, Subscriber, SubscriberState, SubscriptionOptions};

    fn subscription_options() -> SubscriptionOptions {
        SubscriptionOptions {
            topics: vec!["justice".into(), "climate".into()],
            partners: vec!["OGP".into(), "UCLG, the network".into()],
        }
    }

    fn read_text(text: &str) -> CsvTable {
        read_file("list", &[], text)
    }

    fn read_file(file: &str, ignored: &[String], text: &str) -> CsvTable {
        let now = "2022-10-17T08:00:00Z".parse().unwrap();
        let options = subscription_options();
        read(text.as_bytes(), &TableContext { options: &options, language: "en", file, ignored, now })
    }

    /// The outcome for each person in a table, by the local part of the address.
    fn fates(table: &CsvTable) -> String {
        assert!(table.unclear.is_empty() && table.faults.is_empty(), "{table:?}");
        let fate = |row: &CsvRow| {
            let fate = match row.fate {
                RowDecision::In(state) | RowDecision::Refused(state) => state.as_str(),
                RowDecision::LeftOut => "out",
            };
            format!("{} {fate}", &row.address.as_str()[..1])
        };
        table.rows.iter().map(fate).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_consent_that_says_no_is_none() {
        for (text, want) in [
            ("email,consent\na@x.org,yes\nb@x.org,no\nc@x.org,\n", "a active, b unsubscribed, c out"),
            ("email,consent\na@x.org,web form\nb@x.org,withdrawn\n", "a active, b unsubscribed"),
            ("email,source\na@x.org,web form\nb@x.org,unsubscribed\n", "a active, b unsubscribed"),
            ("email,consent_text\na@x.org,I want the news\nb@x.org,false\n", "a active, b out"),
            ("email,consent_at\na@x.org,2020-01-02\nb@x.org,never\nc@x.org,\n", "a active, b out, c active"),
            ("email,name\na@x.org,Ana\nb@x.org,DO NOT MAIL - unsubscribed\n", "a active, b out"),
        ] {
            assert_eq!(fates(&read_text(text)), want, "{text}");
        }
        let table = read_text("email,consent\na@x.org,-\n");
        assert!(table.rows.is_empty() || table.rows[0].consent_source.is_empty(), "{table:?}");
        let table = read_text("email,consent_source\na@x.org,x\n");
        assert_eq!(table.rows[0].consent_source, "x");
        let table = read_text("email,CONFIRM_TIME\na@x.org,2020-01-02 10:00:00\n");
        assert_eq!(table.rows[0].consent_source, "CONFIRM_TIME in list");
    }

    #[test]
    fn a_column_that_holds_refusals_cannot_be_ignored() {
        let ignored = ["Extra".to_owned()];
        for (value, is_ignored) in [("blue", true), ("unsubscribed", false), ("已退订", false), ("", true)]
        {
            let table = read_file("list", &ignored, &format!("email,Extra\na@x.org,{value}\nb@x.org,x\n"));
            assert_eq!(table.unclear.is_empty(), is_ignored, "{value}");
        }
    }

    #[test]
    fn who_nobody_reads_for_is_no_subscriber_and_dashes_put_the_day_first() {
        let table = read_text("email\nMAILER-DAEMON@x.org\nno-reply@x.org\nabuse@x.org\nana@x.org\n");
        assert_eq!((table.faults.len(), table.rows.len()), (3, 1), "{table:?}");
        for (text, want) in [
            ("EMAIL,ADDED_TIME\na@x.org,01-02-2020 10:00:00\n", "2020-02-01T10:00:00Z"),
            ("EMAIL;PRENOM;DATE_AJOUT\na@x.org;A;01/02/2020\n", "2020-02-01T00:00:00Z"),
            ("EMAIL,ADDED_TIME\na@x.org,01-02-2020\nb@x.org,01-22-2020\n", "2020-01-02T00:00:00Z"),
        ] {
            let table = read_text(text);
            assert_eq!(table.rows[0].consent_at.to_string(), want, "{text} {table:?}");
        }
        assert_eq!(read_text("EMAIL,ADDED_TIME\na@x.org,01/02/2020\n").faults.len(), 1, "it may be two days");
    }

    #[test]
    fn exports_of_other_programs_never_bring_back_who_left() {
        for (text, want) in [
            // listmonk
            (
                "uuid,email,name,attributes,status,created_at\n1,a@x.org,A,\"{\"\"city\"\": \"\"Lima\"\"}\",enabled,2021-01-02 03:04:05.678+00\n2,b@x.org,B,{},blocklisted,\n3,c@x.org,C,{},disabled,\n",
                "a active, b unsubscribed, c out",
            ),
            (
                "email,name,status,subscription_status\na@x.org,A,enabled,confirmed\nb@x.org,B,enabled,unconfirmed\nc@x.org,C,enabled,unsubscribed\n",
                "a active, b out, c unsubscribed",
            ),
            // Mailchimp: subscribed and nonsubscribed, unsubscribed, cleaned
            (
                "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,TIMEZONE,CC,REGION,LEID,EUID,NOTES,TAGS\na@x.org,A,2,2021-02-03 10:11:12,,2021-02-03 10:11:12,,America/Nowhere,PE,,1,x,,\"\"\"vip\"\"\"\nb@x.org,B,2,,,,,,,,1,x,,\n",
                "a active, b out",
            ),
            (
                "Email Address,CONFIRM_TIME,UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_REASON\na@x.org,2021-02-03 10:11:12,2021-03-03 10:11:12,May,NORMAL\n",
                "a unsubscribed",
            ),
            (
                "Email Address,CONFIRM_TIME,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE\na@x.org,2021-02-03 10:11:12,2021-03-03 10:11:12,May\n",
                "a bounced",
            ),
            // Ghost, Substack, Buttondown
            (
                "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels,tiers\n1,a@x.org,A,,true,false,,2021-01-02T10:00:00.000Z,,,\n2,b@x.org,B,,false,false,,2021-01-02T10:00:00.000Z,,,\n3,c@x.org,C,,true,false,,2021-01-02T10:00:00.000Z,2022-01-02T10:00:00.000Z,,\n",
                "a active, b unsubscribed, c out",
            ),
            (
                "Email,Type,Start date,Paid upgrade date,Cancel date\na@x.org,Free,2021-01-02T10:00:00.000Z,,\n",
                "a active",
            ),
            (
                "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at\na@x.org,false,,other,false,2021-01-02,\nb@x.org,false,,other,true,2021-01-02,\n",
                "a active, b unsubscribed",
            ),
            (
                "email,notes,metadata,tags,subscriber_type,source,creation_date,unsubscription_date\na@x.org,,{},,regular,form,2021-01-02,\nb@x.org,,{},,unactivated,form,2021-01-02,\nc@x.org,,{},,unsubscribed,form,2021-01-02,2021-05-06\nd@x.org,,{},,undeliverable,form,2021-01-02,\ne@x.org,please unsubscribe,{},,regular,form,2021-01-02,\n",
                "a active, b out, c unsubscribed, d bounced, e out",
            ),
            (
                "EMAIL;PRENOM;LISTE_NOIRE_EMAIL;DATE_AJOUT\na@x.org;A;Non;01/02/2020\nb@x.org;B;Oui;01/02/2020\n",
                "a active, b unsubscribed",
            ),
            (
                "Email,Status,Emails disabled\na@x.org,active,no\nb@x.org,active,yes\n",
                "a active, b unsubscribed",
            ),
            (
                "email,delivery_status,role\na@x.org,DeliveryStatus.enabled,member\nb@x.org,DeliveryStatus.by_bounces,member\nc@x.org,DeliveryStatus.enabled,owner\n",
                "a active, b bounced, c out",
            ),
            (
                "Email,Marketing contact status\na@x.org,Marketing contact\nb@x.org,Non-marketing contact\n",
                "a active, b out",
            ),
            // Mailman, Brevo, HubSpot, Constant Contact, Mailjet, MailPoet, a WordPress plug-in
            ("a@x.org\nBo <b@x.org>\n", "a active, b active"),
            (
                "email,display name,delivery_status,moderation_action\na@x.org,A,enabled,\nb@x.org,B,by_bounces,\nc@x.org,C,by_user,\n",
                "a active, b bounced, c unsubscribed",
            ),
            (
                "EMAIL,VORNAME,DOUBLE_OPT-IN,EMAIL_BLACKLISTED\na@x.org,A,1,0\nb@x.org,B,2,0\nc@x.org,C,1,1\n",
                "a active, b out, c unsubscribed",
            ),
            (
                "Record ID,Email,Unsubscribed from all email,Email hard bounce reason,Opted out of email: News\n1,a@x.org,,,\n2,b@x.org,true,,\n3,c@x.org,,UNKNOWN_USER,\n4,d@x.org,,,Yes\n",
                "a active, b unsubscribed, c bounced, d unsubscribed",
            ),
            (
                "Email address,Email status,Email permission status,State,Confirmed Opt-Out Date\na@x.org,Active,Explicit,CA,\nb@x.org,Active,Explicit,CA,03/04/2020 10:00\n",
                "a active, b unsubscribed",
            ),
            (
                "email,IsExcludedFromCampaigns,IsOptInPending\na@x.org,false,false\nb@x.org,true,false\nc@x.org,false,true\n",
                "a active, b unsubscribed, c out",
            ),
            (
                "Email;Global status\na@x.org;Subscribed\nb@x.org;Unconfirmed\nc@x.org;Inactive\nd@x.org;Bounced\n",
                "a active, b out, c out, d bounced",
            ),
            ("email,status\na@x.org,C\n", ""),
            // Tables kept by hand
            (
                "Adresse;Statut;Désabonné le\na@x.org;abonné;\nb@x.org;Désabonnée;\nc@x.org;abonné;03/02/2021\n",
                "a active, b unsubscribed, c unsubscribed",
            ),
            (
                "Correo electrónico,Estado,Baja\na@x.org,Activo,\nb@x.org,pendiente,\nc@x.org,activo,sí\n",
                "a active, b out, c unsubscribed",
            ),
            (
                "Subscriber,Sent,Opens,Subscribed\na@x.org,3,1,03/02/2021\nb@x.org,3,1,25/02/2021\n",
                "a active, b active",
            ),
            (
                "email,Subscription source (free),Emails opened (7d),Is_unsubscribed\na@x.org,direct,2,\n",
                "a active",
            ),
            ("E-Mail,Abgemeldet\na@x.org,nein\nb@x.org,ja\n", "a active, b unsubscribed"),
            ("Sähköposti,Nimi\na@x.org,\n", "a active"),
            // Two rows for one person: the refusal wins.
            (
                "email,status\na@x.org,subscribed\nA@x.org,cleaned\nb@x.org,complained\nb@x.org,subscribed\n",
                "A bounced, b complained",
            ),
        ] {
            if !want.is_empty() {
                assert_eq!(fates(&read_text(text)), want, "{text}");
            } else {
                assert!(read_text(text).rows.is_empty(), "{text}");
            }
        }
        for file in ["unsubscribed_segment_export_8a2f", "Bounced contacts", "nonsubscribed_x"] {
            let table = read_file(file, &[], "Email,First name\na@x.org,A\n");
            assert_eq!(fates(&table), "a out", "{file}");
        }
    }

    #[test]
    fn a_list_of_people_who_left_is_one_whatever_they_once_agreed_to() {
        let confirmed = "Email Address,OPTIN_TIME,CONFIRM_TIME,LEID,EUID\na@x.org,2021-03-04 10:11:12,2021-03-04 10:12:12,1,2\n";
        for file in [
            "nonsubscribed_email_audience_export_1a2b3c",
            "unsubscribed_members_export_1",
            "cleaned_segment_export",
            "archived_members_export",
            "bounces",
            "pending",
            "Abmeldungen 2022",
            "Désabonnés",
            "bajas",
            "disiscritti",
            "отписавшиеся",
            "non-subscribers",
            "opt-outs",
        ] {
            assert_eq!(fates(&read_file(file, &[], confirmed)), "a out", "{file}");
            let plain = "email,confirmed_at,opt_in,double_opt_in\na@x.org,2021-03-04,yes,1\n";
            assert_eq!(fates(&read_file(file, &[], plain)), "a out", "{file}");
        }
        for file in ["subscribed_members_export", "newsletter", "Anmeldungen", "bajo-cero", "members"] {
            assert_eq!(fates(&read_file(file, &[], confirmed)), "a active", "{file}");
        }
        // What a row says of today counts for more than the name of a file that holds everybody.
        let states = "email,status\na@x.org,subscribed\nb@x.org,unsubscribed\n";
        assert_eq!(fates(&read_file("subscribed and unsubscribed", &[], states)), "a active, b unsubscribed");
        let left = "Email Address,CONFIRM_TIME,UNSUB_TIME,LEID\na@x.org,2021-03-04 10:12:12,,1\n";
        assert_eq!(fates(&read_text(left)), "a out", "the kind of the table says it");
    }

    #[test]
    fn when_somebody_left_is_read_from_the_columns_that_say_so() {
        for (text, want) in [
            (
                "email,CONFIRM_TIME,UNSUB_TIME\na@x.org,2021-03-04 10:12:12,2022-05-01 10:00:00\n",
                "2022-05-01T10:00:00Z",
            ),
            ("email,created_at,unsubscribed_at\na@x.org,2021-03-04,2022-05-01\n", "2022-05-02T00:00:00Z"),
            (
                "email,UNSUB_CAMPAIGN_ID,UNSUB_TIME\na@x.org,44999,2022-05-01 10:00:00\n",
                "2022-05-01T10:00:00Z",
            ),
            ("email,Désabonné le\na@x.org,13/05/2022 09:30\n", "2022-05-13T09:30:00Z"),
            ("email,unsubscribed,bounced_at\na@x.org,yes,2022-05-01 10:00:00\n", "2022-05-01T10:00:00Z"),
            ("email,UNSUB_CAMPAIGN_ID\na@x.org,44230\n", ""),
            ("email,CONFIRM_TIME,status\na@x.org,2021-03-04 10:12:12,unsubscribed\n", ""),
        ] {
            let left_at = read_text(text).rows[0].left_at;
            assert_eq!(left_at.map(|at| at.to_string()).unwrap_or_default(), want, "{text}");
        }
    }

    #[test]
    fn a_wish_for_no_mail_is_understood_where_people_write_it() {
        for said in ["refusé", "didn't agree", "no consent", "Nicht einverstanden", "n'a pas accepté", "stop"]
        {
            for column in ["consent", "consent_source", "consent_text", "notes"] {
                let table = read_text(&format!("email,{column}\na@x.org,{said}\nb@x.org,fair\n"));
                assert_eq!(fates(&table), "a out, b active", "{column}: {said}");
            }
        }
        for said in [
            "please do not send him mail",
            "has left the list",
            "wants no mails anymore",
            "möchte keine Mails mehr",
            "ne veut plus recevoir",
            "ya no quiere correos",
            "keine Werbung",
            "\"vip,stop\"",
            "не хочет писем",
        ] {
            let table = read_text(&format!("email,tags\na@x.org,{said}\n"));
            assert_eq!(fates(&table), "a out", "{said}");
        }
        for said in [
            "likes cats",
            "met at the bus stop",
            "Left Bank Books",
            "stop-motion club",
            "agreed by phone",
            "opposition party",
        ] {
            let table = read_text(&format!("email,notes\na@x.org,{said}\n"));
            assert_eq!(fates(&table), "a active", "{said}");
        }
        let text = "You can unsubscribe at any time, and we send no advertising";
        assert_eq!(fates(&read_text(&format!("email,consent_text\na@x.org,\"{text}\"\n"))), "a active");
    }

    #[test]
    fn a_column_that_may_bear_a_refusal_stops_the_import() {
        let ignored = [
            "Avregistrerad",
            "Shoe size",
            "Bitte keine Werbung",
            "no mail",
            "wants mail",
            "newsletter ok",
            "RGPD",
            "Exit date",
            "Mailing ok",
        ];
        let ignored = ignored.map(str::to_owned);
        for (head, is_unclear) in [
            ("Avregistrerad", true),
            ("Wypisany", true),
            ("Opt-out (old)", true),
            ("Peruutettu", true),
            ("Отписка", true),
            ("配信停止", true),
            ("Favourite colour", true),
            ("Bitte keine Werbung", true),
            ("no mail", true),
            ("wants mail", true),
            ("newsletter ok", true),
            ("RGPD", true),
            ("Exit date", true),
            ("Mailing ok", true),
            ("Mailing Street", false),
            ("Shoe size", false),
            ("Ciudad", false),
        ] {
            let table = read_file("list", &ignored, &format!("email,{head}\na@x.org,x\n"));
            assert_eq!(!table.unclear.is_empty(), is_unclear, "{head}: {table:?}");
            let empty = read_text(&format!("email,{head}\na@x.org,\n"));
            assert_eq!(fates(&empty), "a active", "{head}: an empty column says nothing");
        }
        let towns: String =
            (0..30).map(|n| format!("p{n}@x.org,Town{}\n", char::from(b'A' + n % 26))).collect();
        assert!(read_text(&format!("email,Kylä\n{towns}")).unclear.is_empty(), "many different words");
        for text in ["a@x.org,b\n", "name\nAna\n", "email,Consentsource\na@x.org,x\n"] {
            assert!(!read_text(text).unclear.is_empty(), "{text}");
        }
    }

    #[test]
    fn consent_is_taken_over_with_its_time_source_and_text() {
        let table = read_text(
            "email;source;OPTIN_TIME;CONFIRM_TIME;consent text\na@x.org;stand at the fair;2021-02-13 10:00:00;2021-02-13 10:10:00;Send me news.\nb@x.org;fair;13/02/2021;03/02/2021 09:00;\n",
        );
        let [a, b] = &table.rows[..] else { panic!("{table:?}") };
        assert_eq!(
            (a.consent_source.as_str(), a.consent_text.as_deref()),
            ("stand at the fair", Some("Send me news."))
        );
        assert_eq!(a.consent_at.to_string(), "2021-02-13T10:10:00Z");
        assert_eq!(
            b.consent_at.to_string(),
            "2021-02-03T09:00:00Z",
            "the day is learnt from the other column"
        );
        let faults = read_text("email,consent_at\na@x.org,03/02/2021\nb@x.org,2031-01-01\n").faults;
        assert!(
            faults[0].1.contains("is ambiguous") && faults[1].1.contains("is in the future"),
            "{faults:?}"
        );
    }

    #[test]
    fn every_fault_of_every_row_is_reported() {
        let table = read_text(
            "email,language,topics,cadence,hour,timezone,\nana@example.org,fr,justice;climat,weekly,8,Europe/Paris,\nbob,english please,justice,yearly,25,Mars/Base,\nANA@example.org,,,,,,\nana@example.org,,,,,,\nshort\n",
        );
        let faults: Vec<String> =
            table.faults.iter().map(|(line, fault)| format!("{line}: {fault}")).collect();
        for want in [
            "2: topics: \"climat\" is unknown: did you mean \"climate\"?",
            "3: \"bob\" is not a valid mail address",
            "3: language: \"english please\" is not a language",
            "3: cadence: \"yearly\" is not a cadence",
            "5: ana@example.org is already on line 4",
            "6: has 1 fields, but the header has 7",
        ] {
            assert!(faults.iter().any(|fault| fault.starts_with(want)), "{want} is not in {faults:#?}");
        }
    }

    #[test]
    fn tags_and_attributes_are_kept_where_the_table_has_them() {
        for (text, tags, attributes) in [
            (
                "uuid,email,name,attributes,status,created_at\n1,a@x.org,A,\"{\"\"City\"\": \"\"Lima\"\", \"\"of\"\": [1, 2], \"\"n n\"\": 3, \"\"x\"\": {}}\",enabled,\n",
                "",
                "city=Lima n_n=3 of=1, 2",
            ),
            (
                "Email Address,First Name,OPTIN_TIME,CONFIRM_TIME,LEID,EUID,TAGS\na@x.org,A,2021-02-03 10:11:12,2021-02-03 10:11:12,1,x,\"\"\"VIP\"\",\"\"2021 board\"\"\"\n",
                "#2021 board #vip",
                "",
            ),
            ("id,email,subscribed_to_emails,labels\n1,a@x.org,true,\"VIP,Members\"\n", "#members #vip", ""),
            ("email,tags,metadata\na@x.org,\"a, b\",\"{\"\"k\"\": \"\"v\"\"}\"\n", "#a #b", "k=v"),
            ("email,name\na@x.org,Ana\n", "", ""),
        ] {
            let table = read_text(text);
            let noted = table.rows[0].profile.over(Profile::default());
            let want = [tags, attributes].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
            assert_eq!(noted.summary(), want.join(" "), "{text} {table:?}");
        }
        // What cannot be one here is left out, and said; in a table of ours it is a fault.
        let table = read_text(&format!("email,tags\na@x.org,\"{},b\"\n", "x".repeat(61)));
        assert!(table.hints[0].1.contains("is no tag"), "{table:?}");
        assert_eq!(table.rows[0].profile.over(Profile::default()).summary(), "#b");
        let table = read_text(&format!("email,state,tags\na@x.org,active,{}\n", "x".repeat(61)));
        assert!(table.faults[0].1.contains("is no tag"), "{table:?}");
    }

    #[test]
    fn what_was_exported_is_imported_alike() {
        let text = "address,state,language,languages,topics,without,partners,schedule,consent_source,consent_at,created,consent_text,tags,attributes\nana+x@example.org,paused,fr,es;fr,,climate,\"UCLG, the network\",monthly 1 9:00 Europe/Madrid,paper form,2022-01-02T03:04:05Z,2022-10-17T08:00:00Z,\"Yes, all\",'-x;stop;vip,\"{\"\"town\"\":\"\"Lima\"\"}\"\n";
        let table = read_text(text);
        assert!(table.faults.is_empty(), "{:?}", table.faults);
        let row = &table.rows[0];
        assert_eq!((row.fate, table.is_own), (RowDecision::In(SubscriberState::Paused), true));
        let subscriber = Subscriber {
            address: row.address.clone(),
            state: SubscriberState::Paused,
            preferences: row.preferences.clone(),
            consent: Consent {
                source: row.consent_source.clone(),
                at: row.consent_at,
                text: row.consent_text.clone(),
            },
            profile: row.profile.over(Profile::default()),
            created: "2022-10-17T08:00:00Z".parse().unwrap(),
            last_issue: None,
            seen: EntryKey::BEFORE_ALL,
        };
        let mut out = csv::Writer::from_writer(Vec::new());
        write_head(&mut out).unwrap();
        write(&mut out, &subscriber).unwrap();
        assert_eq!(String::from_utf8(out.into_inner().unwrap()).unwrap(), text);
    }
}
