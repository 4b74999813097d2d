//! Checks the query plan of every statement of the store: none may scan a table that grows.

use std::sync::Arc;

use jiff::SignedDuration;

use super::driver::plans;
use super::samples::{at, digest, entry, insert, issue, on_a_server};
use super::*;
use crate::model::admin::AdminSession;
use crate::model::alarm::{AlarmKind, Finding, OutsideCheck, OutsideKind};
use crate::model::api_token::{ApiScope, ApiToken};
use crate::model::desk::DeskAction;
use crate::model::digest::{DeliveryState, DigestId, Scope};
use crate::model::entry::Entry;
use crate::model::event::{Event, EventTime};
use crate::model::key::{Key, KeyKind};
use crate::model::keys::{DeliveryKey, DraftKey, EntryKey, IssueKey, Seq, StoryKey};
use crate::model::mail_address::Address;
use crate::model::partner::{NewProposal, ProposalDecision, ProposalKind};
use crate::model::profile::Profile;
use crate::model::publication::PublicationKey;
use crate::model::sketch::Sketch;
use crate::model::source::FetchState;
use crate::model::store_url::StoreUrl;
use crate::model::story::{Relation, StoredEntry};
use crate::model::subscriber::{Cadence, Consent, Interests, Preferences, Subscriber, SubscriberState};
use crate::model::subscription::Subscription;

/// Tables that grow with time or with the number of people. Sources, publications, hosts and rulings are bounded by what
/// somebody wrote.
const GROWING: [&str; 23] = [
    "admin_session",
    "source_day",
    "mail_day",
    "near_pair",
    "draft",
    "desk_ruling",
    "sign_up",
    "entry",
    "event",
    "entry_key",
    "sketch",
    "story",
    "published_story",
    "delivery",
    "issue",
    "issue_partner",
    "issue_story",
    "proposal",
    "subscriber",
    "suppression",
    "bounce",
    "refusal",
    "uploaded_file",
];

/// Statements that scan a table on purpose, and why.
const WHOLE: [(&str, &str); 14] = [
    ("SELECT count(*) FROM entry", "how many entries there are, for a progress bar"),
    ("FROM subscriber ORDER BY pk", "the list of subscribers, for whoever asks for it"),
    ("FROM subscriber GROUP BY state", "the metrics: over an index, one small key a subscriber"),
    ("FROM delivery GROUP BY state", "the metrics: over an index, one small key a delivery"),
    ("FROM suppression WHERE address LIKE", "once in the life of a process: addresses of an earlier version"),
    (
        "INSERT INTO dirty_story SELECT pk FROM story",
        "another publication was configured: all stories are looked at again",
    ),
    ("UPDATE issue SET text = ''", "once a run, and only when deliveries were forgotten: one row an issue"),
    ("SELECT coalesce(max(pk), 0) FROM entry", "the end of the table, not the table"),
    ("SELECT coalesce(max(entry), 0) FROM sketch", "the end of the table, not the table"),
    ("FROM draft WHERE closed IS NULL ORDER BY", "over an index of the open ones: one a digest"),
    ("SELECT (SELECT coalesce(max(pk), 0) FROM entry)", "the ends of the tables, not the tables"),
    ("SELECT coalesce(max(pk), 0) FROM draft", "the end of the table, not the table"),
    ("SELECT coalesce(max(pk), 0) FROM desk_ruling", "the end of the table, not the table"),
    ("SELECT coalesce(max(pk), 0) FROM proposal", "the end of the table, not the table"),
];

fn subscriber() -> Subscriber {
    let preferences = Preferences {
        language: "en".into(),
        interests: Interests::default(),
        cadence: Cadence::parse("Mon 08:00 UTC").unwrap(),
    };
    Subscriber {
        address: Address::parse("a@x.example").unwrap(),
        state: SubscriberState::Active,
        preferences,
        seen: EntryKey::BEFORE_ALL,
        last_issue: None,
        created: at(0),
        consent: Consent { source: "test".into(), at: at(0), text: None },
        profile: Profile::default(),
    }
}

const NOW: i64 = 1_000;

fn with_features<T>(body: impl FnOnce(&Features) -> Result<T>) -> Result<T> {
    let key = Key { value: "x.example/1".into(), kind: KeyKind::Own };
    body(&Features { keys: &[key], sketch: &Sketch::default() })
}

/// Calls every method of every view.
fn use_all(store: &Store) -> std::result::Result<(), StoreError> {
    store.write(|w| {
        write_sources(w)?;
        with_features(|features| write_entries(w, features))?;
        write_stories(w)?;
        write_publications(w)?;
        write_uploads(w)?;
        write_desk(w)?;
        write_api_tokens(w)?;
        write_admin(w)?;
        write_posts(w)?;
        write_alarms(w)?;
        write_partners(w)?;
        let claimed = write_deliveries(w)?;
        write_subscribers(w)?;
        write_campaigns(w)?;
        write_reengagement(w)?;
        write_hub(w)?;
        write_subscriptions(w)?;
        hold_up(w, claimed)?;
        lease(w)
    })?;
    store.read(|r| {
        read_sources(r)?;
        read_entries(r)?;
        read_intake(r)?;
        read_publications(r)?;
        read_mailing(r)?;
        read_desk(r)?;
        read_overview(r)?;
        read_subscribers(r)
    })?;
    // Deletions come last.
    store.write(|w| with_features(|features| forget(w, features)))
}

fn write_sources(w: &Unit<Write>) -> Result<()> {
    let now = at(NOW);
    w.sources().ensure("s", "p", 0)?;
    w.sources().put_state("s", "p", 0, &FetchState::default())?;
    w.sources().take_page("o", SignedDuration::from_secs(1), now)?;
    w.sources().put_robots("o", &RobotsFile { text: None, expires: now })?;
    w.sources().put_notice("s", "n", now)?;
    Ok(())
}

fn write_entries(w: &Unit<Write>, features: &Features) -> Result<()> {
    let now = at(NOW);
    (1..=3).try_for_each(|number| insert(w, number, features))?;
    w.intake().update(&entry(1), &[], features, now)?;
    let day = EventTime::Day(jiff::civil::date(2022, 10, 17));
    let event = Some(Event { begin: day, end: None, place: None });
    w.intake().update(&Entry { event, ..entry(2) }, &[], features, now)?;
    w.intake().touch("s", &["guid:guid-1".into()], now)?;
    w.intake().put_gram_counts(b"counts")?;
    w.intake().gram_counts()?;
    w.intake().opening(EntryKey(1))?;
    w.intake().settle_events("s", &["guid:guid-1".into()], now)?;
    w.intake().count_new("s", 3)?;
    w.intake().forget_unsketched(EntryKey(1))?;
    while w.intake().rebuild_features(10)? > 0 {}
    w.intake().rebuild_features(10)?;
    w.intake().merge_stories(StoryKey(1), &[StoryKey(2)])?;
    Ok(())
}

fn write_stories(w: &Unit<Write>) -> Result<()> {
    let now = at(NOW);
    w.stories().put_job("j", "s", EntryKey(1))?;
    w.stories().end_job("j")?;
    w.stories().put_label(EntryKey(1), Some(&["t".to_owned()]), now)?;
    w.stories().set_topics(EntryKey(1), &[])?;
    w.stories().mark_announced(&digest(), "story-1")?;
    w.stories().put_ruling(EntryKey(1), EntryKey(3), false, now)?;
    w.stories().forget_rulings(StoryKey(7), StoryKey(8))?;
    w.stories().set_relation(EntryKey(1), Relation::First, None)?;
    w.stories().move_entry(EntryKey(3), "story-other")?;
    w.stories().move_entry(EntryKey(3), "story-1")?;
    w.stories().put_label(EntryKey(1), None, now)?;
    Ok(())
}

fn write_publications(w: &Unit<Write>) -> Result<()> {
    let channel = PublicationKey::Channel;
    w.publishing().put_publication(&channel, "c")?;
    w.publishing().put_around("c")?;
    w.publishing().mark_all_dirty()?;
    for sort_date in [at(1), at(90_000)] {
        w.publishing().publish_stories(&[PlacedStory {
            publication: &channel,
            story: StoryKey(1),
            sort_date,
        }])?;
    }
    w.publishing().set_clean(&[StoryKey(1)])?;
    w.publishing().put_coming(&channel, Some("[]"))?;
    w.publishing().put_coming(&channel, None)?;
    w.publishing().put_behind("a")?;
    w.publishing().set_even(&["a".to_owned()])?;
    w.publishing().set_archives(&channel, 0)?;
    w.publishing().set_checked(&channel)?;
    w.publishing().index_words(10)?;
    Ok(())
}

fn write_uploads(w: &Unit<Write>) -> Result<()> {
    let file = UploadedFile { path: "a".into(), hash: "h".into(), etag: "e".into() };
    w.uploads().put_unknown("d", &["a", "b"])?;
    w.uploads().put("d", &file)?;
    w.uploads().put_gone("d", &["b"])?;
    w.uploads().forget_gone("d", &["b".to_owned()])
}

fn write_desk(w: &Unit<Write>) -> Result<()> {
    let (now, digest) = (at(NOW), digest());
    let draft = w.desk().open(&digest, now, now)?;
    w.desk().set_mailed(draft.key, now)?;
    let pinned = w.desk().put(draft.key, &DeskAction::Pin(EntryKey(1)), "a", now)?;
    w.desk().put(draft.key, &DeskAction::Undo(pinned), "a", now)?;
    w.desk().open_draft(&digest)?;
    w.desk().open_digests()?;
    w.desk().mark_dirty(EntryKey(1))?;
    w.desk().rulings_by("a")?;
    w.desk().forget_editor("a")?;
    w.desk().close(draft.key, now, EntryKey(3))
}

fn write_posts(w: &Unit<Write>) -> Result<()> {
    let now = at(NOW);
    for event in ["a", "b", "c"] {
        w.posts().put("o", event, "{}", now)?;
    }
    w.posts().put_mark("o", w.posts().end()?)?;
    w.posts().mark("o")?;
    w.posts().has_due("o", now)?;
    let claimed = w.posts().claim("o", "w", (now, now), 10)?;
    w.posts().release(&claimed[0])?;
    w.posts().defer(&claimed[1], now, "r")?;
    w.posts().delete(&claimed[2])?;
    w.posts().waiting()?;
    w.posts().issues_after(IssueKey(0), 10)?;
    w.posts().forget(now, now).map(drop)
}

fn write_alarms(w: &Unit<Write>) -> Result<()> {
    let finding = Finding { kind: AlarmKind::DiskFull, subject: "s".into(), text: "t".into() };
    let key = w.alarms().put(&finding, at(NOW))?;
    w.alarms().open()?;
    w.alarms().end(key, at(NOW))?;
    w.alarms().latest(10)?;
    w.alarms().entries_since(EntryKey(1))?;
    w.alarms().list_change(at(NOW))?;
    w.alarms().failing_outlets(3)?;
    let check = OutsideCheck {
        subject: "c".into(),
        kind: OutsideKind::Certificate,
        looked: at(NOW),
        span: Some((at(0), at(NOW))),
        fault: None,
    };
    w.outside().put(&check)?;
    w.outside().put(&check)?;
    w.outside().all()?;
    w.outside().forget("c")?;
    w.alarms().forget(at(NOW))
}

fn write_partners(w: &Unit<Write>) -> Result<()> {
    let now = at(NOW);
    let (text, title) = ("t".to_owned(), String::new());
    let new = NewProposal { partner: "p".into(), kind: ProposalKind::Source, text, entry: None, title };
    let key = w.partners().propose(&new, now)?.map_err(|_| StoreError::Busy)?;
    w.partners().proposals_of("p", 10)?;
    w.partners().open_proposals(10)?;
    w.partners().proposal(key)?;
    w.partners().decide(key, &ProposalDecision { is_accepted: true, at: now, who: "a".into() })?;
    w.partners().forget_proposals(now)?;
    w.partners().renew_link("p")?;
    w.partners().link_revision("p")?;
    w.partners().report_month("p")?;
    w.partners().take_report("p", 1)?;
    w.partners().take_report("p", 2)?;
    w.partners().reach("p", at(0), now).map(drop)
}

fn write_api_tokens(w: &Unit<Write>) -> Result<()> {
    let (name, scopes, created) = ("a".to_owned(), vec![ApiScope::Read], at(NOW));
    let token = ApiToken { name, scopes, created, expires: None, used: None, revoked: None };
    w.api_tokens().put("h", &token)?;
    w.api_tokens().note_used("h", created)?;
    w.api_tokens().revoke("a", created)?;
    w.api_tokens().get("h")?;
    w.api_tokens().list().map(drop)
}

fn write_admin(w: &Unit<Write>) -> Result<()> {
    let now = at(NOW);
    let session = AdminSession { account: "a".into(), fingerprint: "f".into(), created: now, used: now };
    w.admin_sessions().put("h", &session, at(0))?;
    w.admin_sessions().note_used("h", now)?;
    w.admin_sessions().get("h")?;
    w.admin_sessions().delete("h")?;
    for _ in 0..2 {
        w.overview().count_entries("s", 2, now)?;
        w.overview().count_mail("m", "p", MailCounts { sent: 1, ..MailCounts::default() }, now)?;
    }
    w.overview().forget_mail_days(now)?;
    let (entry, other) = (EntryKey(1), EntryKey(3));
    let pair = NearPair { entry, other, is_joined: false, reason: "r".into(), at: now };
    w.stories().put_near_pair(&pair)?;
    w.stories().near_pairs(10)?;
    w.stories().forget_near_pair(entry, other)
}

fn read_overview(r: &Unit<Read>) -> Result<()> {
    let now = at(NOW);
    r.overview().source_days(&["s", "t"], 0)?;
    r.overview().mail_days(0)?;
    r.overview().joined_days(now)?;
    r.overview().left_days(now)?;
    r.overview().deliveries_in("pending")?;
    r.overview().unsent("pending", 10).map(drop)
}

fn read_desk(r: &Unit<Read>) -> Result<()> {
    r.desk().revision()?;
    r.desk().rulings_on(DraftKey(1))?;
    r.desk().rulings_about(&[EntryKey(1)])?;
    r.desk().held_back(&digest())?;
    r.desk().introductions_since(EntryKey(1))?;
    r.entries().story_by_id("s")?;
    r.entries().stories_of(&[EntryKey(1)], Some(&digest()))?;
    r.subscribers().owed("h").map(drop)
}

/// Queues an issue for two recipients and settles one delivery.
fn write_deliveries(w: &Unit<Write>) -> Result<ClaimedDelivery> {
    let (now, digest, issue) = (at(NOW), digest(), issue());
    w.mailing().put_secret("n", "v")?;
    let recipients = ["a@x.example".to_owned(), "b@x.example".to_owned()];
    let new = NewIssue {
        digest: &digest,
        slot: Some(now),
        now,
        issue: &issue,
        stories: &["story-1".to_owned()],
        recipients: &recipients,
    };
    w.mailing().queue_issue(&new, |number, recipient| format!("{number}{recipient}"))?;
    w.mailing().put_digest_mark(&digest, EntryKey(3))?;
    w.mailing().put_digest_schedule(&digest, "daily 08:00 UTC")?;
    w.mailing().digest_schedule(&digest)?;
    w.mailing().scheduled_digests()?;
    let claimed = w.mailing().claim(DeliveryKey(1), 0, "w", now, now)?.ok_or(StoreError::Busy)?;
    w.leases().renew("w", now)?;
    w.mailing().settle(claimed, DeliveryState::Sent, None, now)?;
    w.mailing().skip_uncertain(now)?;
    write_refusals(w)?;
    w.mailing().forget_notices(1)?;
    Ok(claimed)
}

fn write_refusals(w: &Unit<Write>) -> Result<()> {
    let (now, hash) = (at(NOW), "g".to_owned());
    let refused = NewRefusal {
        hash,
        domain: "x.example".into(),
        words: "no".into(),
        is_gone: true,
        delivery: DeliveryKey(2),
    };
    w.mailing().note_taken("h", "x.example", now)?;
    w.mailing().put_refusal(&refused, now)?;
    w.subscribers().put("g", &subscriber(), at(0))?;
    w.mailing().note_believed("g", now)?;
    w.subscribers().suppress("g", &Scope::All, "bounced", now)?;
    w.mailing().take_back("g", true, (at(0), SignedDuration::from_hours(1)), now)?;
    w.mailing().note_believed("g", now)?;
    w.mailing().take_back("g", false, (at(0), SignedDuration::from_hours(1)), now)?;
    let why = WhyHandedBack::NotTheirs("no".into());
    w.mailing().keep_back(DeliveryKey(2), 0, &why, now)?;
    w.subscribers().delete("g")?;
    w.mailing().forget_refusals(at(0))
}

fn write_subscribers(w: &Unit<Write>) -> Result<()> {
    let (now, issue) = (at(NOW), issue());
    w.subscribers().put("h", &subscriber(), at(0))?;
    w.subscribers().set_state("h", SubscriberState::Active)?;
    w.subscribers().set_owed("h", &[])?;
    w.subscribers().put_clock(at(0))?;
    w.subscribers().correct_slots(0, at(-1_000_000_000))?;
    w.subscribers().suppress("x", &Scope::All, "r", now)?;
    w.subscribers().rename_suppression("x", "y")?;
    w.subscribers().put_bounce("b", "h", "soft", now, at(0))?;
    w.subscribers().lift_suppression("y", now)?;
    w.subscribers().forget_history("y")?;
    for group in w.subscribers().due_groups(now, 10)? {
        let owed = &[EntryKey(1)];
        let new =
            GroupIssue { digest: &DigestId::Personal, issue: Some(&issue), seen: EntryKey(3), owed, now };
        w.subscribers().fill_group(&group, &new, |number, recipient| format!("p{number}{recipient}"))?;
    }
    Ok(())
}

fn write_campaigns(w: &Unit<Write>) -> Result<()> {
    let now = at(NOW);
    let new = NewCampaign { hash: "h", subject: "S", selection: "all", source: "", at: now, now };
    let campaign = w.campaigns().put(&new)?;
    w.campaigns().due(now)?;
    let issue = w.campaigns().begin(campaign, &issue(), now)?.ok_or(StoreError::Busy)?;
    w.campaigns().begun(issue)?;
    let recipients = [("c@x.example".to_owned(), "c1".to_owned())];
    let chosen = ChosenRecipients { campaign, issue, recipients: &recipients, last: 1, is_end: true, now };
    w.campaigns().queue(&chosen)?;
    w.campaigns().delivery_counts(issue)?;
    w.campaigns().get(campaign)?;
    w.campaigns().of_file("h")?;
    w.campaigns().latest(10)?;
    w.campaigns().cancel(campaign, now).map(drop)
}

fn write_reengagement(w: &Unit<Write>) -> Result<()> {
    let (now, issue) = (at(NOW), issue());
    w.subscribers().set_profile("h", &Profile::default())?;
    let asked = w.subscribers().to_be_asked(now, 10)?;
    let asked: Vec<&AskedSubscriber> = asked.iter().collect();
    w.subscribers().ask(&issue, &asked, now, |number, _| format!("r{number}"))?;
    w.subscribers().unanswered(now, 10)?;
    w.subscribers().last_asked("a@x.example")?;
    w.subscribers().set_asked(1, None)?;
    w.subscribers().note_confirmed("h", now)?;
    w.subscribers().reengagement("h").map(drop)
}

fn write_hub(w: &Unit<Write>) -> Result<()> {
    let now = at(NOW);
    w.hub().put_subscriber("c", "t", "s", at(5_000))?;
    w.hub().put_changed_feed("atom.xml")?;
    w.hub().take_changed_feeds()?;
    w.hub().put_pushes("t", now)?;
    w.hub().put_word("hub", "t", now)?;
    for push in w.hub().claim_pushes("w", now, now, 10)? {
        w.hub().release_push(&push)?;
        w.hub().defer_push(&push, now)?;
        w.hub().delete_push(&push)?;
    }
    w.hub().delete_subscriber("c", "t")?;
    Ok(())
}

fn write_subscriptions(w: &Unit<Write>) -> Result<()> {
    let now = at(NOW);
    let subscription = Subscription {
        source: "s".into(),
        token: "t".into(),
        hub: "h".into(),
        topic: "t".into(),
        secret: "s".into(),
        asked: now,
        lease_end: None,
        last_push: None,
    };
    w.subscriptions().put(&subscription)?;
    w.subscriptions().forget_push("s")?;
    Ok(())
}

fn hold_up(w: &Unit<Write>, claimed: ClaimedDelivery) -> Result<()> {
    let now = at(NOW);
    w.mailing().hand_back(claimed, None, now)?;
    w.mailing().hold(claimed.number)?;
    w.mailing().note_uncertain(claimed.number)?;
    w.mailing().pause_domain("x.example", "r")?;
    w.mailing().paused_domains()?;
    w.mailing().open_domain("x.example")?;
    w.mailing().settle_doubt(claimed.number, 0, DeliveryState::Failed, now)?;
    w.mailing().has_held()?;
    w.mailing().set_held_up(Some("r"))?;
    w.mailing().held_up()?;
    w.mailing().set_held_up(None)?;
    w.mailing().put_mail_server("s", &MailServer::default())?;
    w.mailing().mail_server("s")?;
    w.mailing().take_turn("", SignedDuration::from_secs(1), now)?;
    w.mailing().forget_turns(now)?;
    w.mailing().old_issues(&DigestId::Personal, now, 10, 10)?;
    w.mailing().forget_issue(IssueKey(99))?;
    Ok(())
}

fn lease(w: &Unit<Write>) -> Result<()> {
    let now = at(NOW);
    w.leases().workers()?;
    w.leases().has_any("w")?;
    w.leases().abandon("w")?;
    let leases = w.leases().claim(LeasedResource::Host, &["h".to_owned()], "w", now)?;
    w.leases().held(LeasedResource::Host, &["h"], "w")?;
    w.leases().held_elsewhere(LeasedResource::Host, &["h"], "w", now)?;
    w.sources().states_of(&["s"])?;
    w.leases().settle(&[&leases[0]], "w")?;
    w.leases().take_over("w")
}

fn read_sources(r: &Unit<Read>) -> Result<()> {
    r.sources().state("s")?;
    r.sources().states()?;
    r.sources().list()?;
    r.sources().get("s")?;
    r.sources().rows_of(&["s"])?;
    r.sources().robots("o")?;
    Ok(())
}

fn read_entries(r: &Unit<Read>) -> Result<()> {
    let (now, digest) = (at(NOW), digest());
    let nothing = |_: StoredEntry| Ok::<_, StoreError>(());
    r.entries().each(&EntryFilter::default(), MarkupScope::With, nothing)?;
    r.entries().each(
        &EntryFilter { source: Some("s".into()), since: Some(at(0)), count_max: Some(2) },
        MarkupScope::Without,
        nothing,
    )?;
    r.entries().each(
        &EntryFilter { source: None, since: Some(at(0)), count_max: Some(2) },
        MarkupScope::Without,
        nothing,
    )?;
    r.entries().after(EntryKey::BEFORE_ALL, 10, MarkupScope::With)?;
    r.entries().find("00000001", 10)?;
    r.entries().find("https://x.example/1", 10)?;
    r.entries().last_before(now)?;
    r.entries().count()?;
    r.entries().story_of(EntryKey(1))?;
    r.entries().stories_since(EntryKey::BEFORE_ALL, Some(&digest), 10)?;
    r.entries().sources_unseen_since(at(0))?;
    r.entries().coming(at(0), now, 10)?;
    Ok(())
}

fn read_intake(r: &Unit<Read>) -> Result<()> {
    r.intake().known("s", &["guid:guid-1".to_owned()])?;
    r.intake().attached("s", &["guid:guid-1".to_owned()])?;
    r.intake().known_items("s")?;
    r.intake().recent("s")?;
    r.subscribers().latest_clock()?;
    r.intake().latest_guids("s")?;
    r.intake().has_entries("s")?;
    r.intake().unsketched(10)?;
    r.intake().label("00000001-entry")?;
    r.intake().sketch_languages()?;
    r.intake().holders_of_keys(&["x.example/1"], 10)?;
    r.intake().stories_of(&[EntryKey(1), EntryKey(2)])?;
    r.intake().story_key_of(EntryKey(1))?;
    r.intake().sketched(&[EntryKey(1), EntryKey(2)])?;
    r.intake().members(StoryKey(1), 10)?;
    r.intake().stories_named(&["story-1"])?;
    r.intake().title_of(EntryKey(1))?;
    r.intake().has_rulings()?;
    r.intake().is_kept_out("00000001-entry", StoryKey(1))?;
    r.intake().are_kept_apart(StoryKey(1), StoryKey(2))?;
    r.stories().rulings()?;
    r.stories().labels()?;
    r.stories().job("j", "s")?;
    Ok(())
}

fn read_publications(r: &Unit<Read>) -> Result<()> {
    let (now, channel) = (at(NOW), PublicationKey::Channel);
    r.publishing().dirty_keys()?;
    r.publishing().dirty_stories(&[StoryKey(1)])?;
    r.publishing().publications()?;
    r.publishing().begun()?;
    r.publishing().count(&channel, 10)?;
    r.publishing().unchecked()?;
    r.publishing().site_digest()?;
    r.publishing().coming()?;
    r.publishing().outdated_files()?;
    r.publishing().last(&channel)?;
    r.publishing().between(&channel, Seq(1), Seq(9))?;
    r.publishing().newest(&channel, 10, Some(Seq::BEFORE_ALL))?;
    r.publishing().before(&channel, None, 10)?;
    r.publishing().within(at(0), now)?;
    r.publishing().days()?;
    r.publishing().search(&["title"], 10)?;
    r.uploads().all("d")?;
    r.uploads().hashes("d", &["a"])?;
    r.uploads().gone("d", 10)?;
    Ok(())
}

fn read_mailing(r: &Unit<Read>) -> Result<()> {
    let (now, digest, issue) = (at(NOW), digest(), issue());
    r.mailing().last_slot(&digest, now)?;
    r.mailing().digest_mark(&digest)?;
    r.mailing().due(now, now, None)?;
    r.mailing().deliveries(&[DeliveryKey(1), DeliveryKey(2)], Some(&Arc::new(issue)))?;
    r.mailing().each_unsent("pending", |_| Ok::<_, StoreError>(()))?;
    r.mailing().unarchived_issues(10)?;
    r.mailing().archived_issues(IssueKey(0), 10)?;
    r.mailing().last_issues(&digest, 10)?;
    r.mailing().secret("n")?;
    r.mailing().delivery_counts(&DigestId::Confirmation)?;
    r.mailing().notices()?;
    r.mailing().refused_since("g")?;
    r.mailing().refused_there("x.example", true, now)?;
    r.mailing().refused_alike("g", now)?;
    r.mailing().taken_there("x.example", now)?;
    r.mailing().taken_a_day(now)?;
    r.mailing().was_served(DeliveryKey(1))?;
    Ok(())
}

/// Subscribers, subscribers of our hub, and our own subscriptions.
fn read_subscribers(r: &Unit<Read>) -> Result<()> {
    let (now, digest) = (at(NOW), digest());
    r.subscribers().get("h")?;
    r.subscribers().each(|_| Ok::<_, StoreError>(()))?;
    r.subscribers().after(0, 10)?;
    r.subscribers().counts()?;
    r.subscribers().suppression("h", &digest)?;
    r.subscribers().state("h")?;
    r.subscribers().clear_suppressions()?;
    r.subscribers().delivery_recipient(Some(DeliveryKey(1)), None)?;
    r.subscribers().delivery_recipient(None, Some("m"))?;
    r.subscribers().has_bounce("b")?;
    r.subscribers().last_agreed("h")?;
    r.subscribers().last_readmitted("h")?;
    r.subscribers().has_recipient("a@x.example")?;
    r.subscribers().queued_since("a@x.example", &digest, at(0))?;
    r.subscribers().deliveries_to("a@x.example")?;
    r.subscribers().marks_of("h")?;
    r.hub().subscriber_counts("o")?;
    r.hub().has_subscriber("c", "t")?;
    r.subscriptions().list()?;
    r.subscriptions().get("t")?;
    r.subscriptions().is_pushed("s", now)?;
    r.leases().workers().map(drop)
}

fn forget(w: &Unit<Write>, features: &Features) -> Result<()> {
    let now = at(NOW);
    insert(w, 4, features)?;
    w.publishing().take_out(StoryKey(1), &PublicationKey::Channel)?;
    w.publishing().withdraw_story(StoryKey(1))?;
    w.mailing().set_archived(IssueKey(1))?;
    w.mailing().set_unarchived(IssueKey(1))?;
    w.mailing().set_archived(IssueKey(1))?;
    w.mailing().forget_deliveries(now + SignedDuration::from_hours(1), 10)?;
    w.mailing().forget_issue_texts(now + SignedDuration::from_hours(1))?;
    w.subscribers().delete_deliveries("a@x.example")?;
    w.subscribers().forget_private_mail(now)?;
    let known = subscriber();
    let sign_up = SignUp { address: known.address, preferences: known.preferences, consent_text: None };
    w.subscribers().put_sign_up("h", now, &sign_up)?;
    w.subscribers().sign_up("h", now)?;
    w.subscribers().sign_ups_of("h")?;
    w.subscribers().answers_of("a@x.example")?;
    w.subscribers().forget_expired_sign_ups(now)?;
    w.subscribers().forget_sign_ups("h")?;
    w.subscribers().delete("h")?;
    w.entries().forget_unseen("s", at(5_000), 10).map(drop)
}

/// Source lines of the store that run a statement.
fn call_sites() -> Vec<(String, u32)> {
    let files = [
        ("admin", include_str!("admin.rs")),
        ("alarms", include_str!("alarms.rs")),
        ("api_tokens", include_str!("api_tokens.rs")),
        ("campaigns", include_str!("campaigns.rs")),
        ("desk", include_str!("desk.rs")),
        ("entries", include_str!("entries.rs")),
        ("hub", include_str!("hub.rs")),
        ("leases", include_str!("leases.rs")),
        ("mailing", include_str!("mailing.rs")),
        ("near_pairs", include_str!("near_pairs.rs")),
        ("intake", include_str!("intake.rs")),
        ("posts", include_str!("posts.rs")),
        ("publishing", include_str!("publishing.rs")),
        ("reengagement", include_str!("reengagement.rs")),
        ("refusals", include_str!("refusals.rs")),
        ("sources", include_str!("sources.rs")),
        ("stories", include_str!("stories.rs")),
        ("subscribers", include_str!("subscribers.rs")),
        ("uploads", include_str!("uploads.rs")),
        ("websub", include_str!("websub.rs")),
    ];
    let is_call = |line: &str| {
        [
            "execute(",
            "execute_later(",
            "next_key(",
            "insert_row(",
            "row(",
            "settled_rows(",
            "one(",
            "rows(",
            "each(",
        ]
        .iter()
        .any(|method| line.contains(&format!("db.{method}")))
    };
    let lines = |(name, text): (&str, &str)| {
        let numbers: Vec<(String, u32)> = (1u32..)
            .zip(text.lines())
            .filter(|(_, line)| is_call(line))
            .map(|(number, _)| (format!("src/store/{name}.rs"), number))
            .collect();
        numbers
    };
    files.into_iter().flat_map(lines).collect()
}

#[test]
fn no_statement_scans_a_table_that_grows_or_reads_a_list_again_for_each_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("courant.db");
    let store = Store::open(&StoreUrl::Sqlite(path.clone()), "w").unwrap();
    use_all(&store).unwrap();
    let seen = plans::seen();
    let unseen: Vec<_> = call_sites()
        .into_iter()
        .filter(|site| !seen.iter().any(|(file, line, _)| (file, line) == (&site.0, &site.1)))
        .collect();
    assert!(unseen.is_empty(), "these run statements that this test does not reach: {unseen:?}");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let mut faults = Vec::new();
    for (file, line, sql) in &seen {
        if WHOLE.iter().any(|(part, _)| sql.contains(part)) {
            continue;
        }
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        let count = statement.parameter_count();
        let nothing = rusqlite::params_from_iter(vec![rusqlite::types::Null; count]);
        let plan: Vec<String> =
            statement.query_map(nothing, |row| row.get(3)).unwrap().collect::<rusqlite::Result<_>>().unwrap();
        // The list of parameters has to be walked only once, as the outermost step or into a list; otherwise it is parsed again
        // for each row.
        for steps in plan.windows(2).filter(|steps| {
            steps[1].ends_with("VIRTUAL TABLE INDEX 1:") && !steps[0].starts_with("LIST SUBQUERY")
        }) {
            faults.push(format!("{file}:{line}: {} after {}: {sql}", steps[1], steps[0]));
        }
        // Walking an index in order until a LIMIT is reached is not a scan.
        let is_bounded = sql.contains("LIMIT") && !plan.iter().any(|step| step.contains("TEMP B-TREE"));
        for step in plan.iter().filter(|_| !is_bounded) {
            let table = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
            if table.is_some_and(|table| GROWING.contains(&table)) {
                faults.push(format!("{file}:{line}: {step}: {sql}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Each statement runs on a server too, on one database after the other: the types of its columns and parameters are right.
#[test]
#[ignore = "needs a PostgreSQL server: COURANT_TEST_POSTGRES"]
fn every_statement_runs_on_a_server() {
    let server = std::env::var("COURANT_TEST_POSTGRES").expect("the address of a server's database");
    on_a_server(&server, "plans", |url| {
        Store::open(url, "w").and_then(|store| use_all(&store)).unwrap();
    });
}
