//! Mail and readers: what servers took and refused, day by day, how the list grows, and what waits.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::access::{AdminQuery, Visit, for_role};
use crate::model::admin::AdminRole;
use crate::model::mail_provider::provider_of;
use crate::store::{COUNTED_MAX, ListChange, MailCounts, MailDay, QueuedDelivery, StoreError, days_before};
use crate::support::i18n::said;
use crate::web::chart::{Plot, by_day};
use crate::web::source_view::{DAYS, first_day, moment};
use crate::web::subscriptions::SharedState;

/// Deliveries and posts that are listed.
const WAITING_MAX: usize = 50;

pub(super) async fn show(
    State(app): SharedState,
    Query(asked): Query<AdminQuery>,
    headers: HeaderMap,
) -> Response {
    for_role(app, headers, asked.l.clone(), AdminRole::Viewer, page).await
}

fn page(visit: &Visit) -> anyhow::Result<Response> {
    let now = visit.app.clock.now();
    let (from, since) = (first_day(now), days_before(now, DAYS as i64 - 1));
    let more = visit.app.refresher.store.read(|r| {
        let mail = r.overview().mail_days(from)?;
        let (joined, left) = (r.overview().joined_days(since)?, r.overview().left_days(since)?);
        let change = r.alarms().list_change(since)?;
        let mut waiting = Vec::new();
        for state in ["sending", "pending"] {
            waiting.extend(r.overview().unsent(state, WAITING_MAX)?);
        }
        waiting.truncate(WAITING_MAX);
        let posts = r.posts().waiting()?;
        let posts = posts.iter().take(WAITING_MAX).map(|post| {
            let times = (moment(Some(post.created)), moment(Some(post.next_attempt)));
            json!({ "what": post.outlet, "to": post.event, "since": times.0, "next": times.1, "reason": post.reason })
        });
        Ok::<_, StoreError>(json!({
            "mail": mail_view(visit, from, &mail),
            "list": list_view(visit, from, &joined, &left, change),
            "waiting_count": counted(r.overview().deliveries_in("pending")? + r.overview().deliveries_in("sending")?),
            "refused_count": counted(r.overview().deliveries_in("failed")?),
            "waiting": waiting.iter().map(waiting_view).collect::<Vec<Value>>(),
            "posts": posts.collect::<Vec<Value>>(),
            "held_up": r.mailing().held_up()?,
        }))
    })?;
    let heading = ("mail", visit.phrase("admin_mail"));
    Ok(visit.page(StatusCode::OK, "admin/mail.html", heading, more))
}

/// A number that is not counted to its end.
fn counted(number: u64) -> String {
    if number > COUNTED_MAX { format!("> {COUNTED_MAX}") } else { number.to_string() }
}

/// A delivery without the address of its recipient: nobody needs it to see what waits.
fn waiting_view(delivery: &QueuedDelivery) -> Value {
    let domain = delivery.recipient.rsplit_once('@').map_or("", |(_, domain)| domain);
    json!({
        "what": delivery.digest.as_str(),
        "subject": delivery.subject,
        "to": domain,
        "provider": provider_of(domain),
        "since": moment(Some(delivery.created)),
        "next": moment(Some(delivery.next_attempt)),
        "attempts": delivery.attempts,
        "reason": delivery.reason,
    })
}

fn add(sum: &mut MailCounts, counts: MailCounts) {
    sum.sent += counts.sent;
    sum.deferred += counts.deferred;
    sum.refused += counts.refused;
}

fn date_of(day: i64) -> String {
    let begin = Date::constant(1970, 1, 1);
    let date = begin.checked_add(jiff::Span::new().try_days(day).unwrap_or_default());
    date.unwrap_or(begin).to_string()
}

/// Attempts by day, by server and by provider.
fn mail_view(visit: &Visit, from: i64, mail: &[MailDay]) -> Value {
    let mut days = vec![MailCounts::default(); DAYS];
    let (mut servers, mut providers) = (BTreeMap::new(), BTreeMap::new());
    let mut all = MailCounts::default();
    for one in mail {
        let day = usize::try_from(one.day - from).ok().and_then(|at| days.get_mut(at));
        let Some(day) = day else { continue };
        add(day, one.counts);
        add(&mut all, one.counts);
        add(servers.entry(one.server.as_str()).or_default(), one.counts);
        add(providers.entry(one.provider.as_str()).or_default(), one.counts);
    }
    let words = [
        ("days", DAYS.into()),
        ("sent", all.sent.into()),
        ("deferred", all.deferred.into()),
        ("refused", all.refused.into()),
    ];
    let label = said("admin_mail_plot", visit.language, &words);
    let numbers: Vec<[u64; 3]> = days.iter().map(|day| [day.sent, day.deferred, day.refused]).collect();
    let row = |name: String, counts: &MailCounts| json!({ "name": name, "sent": counts.sent, "deferred": counts.deferred, "refused": counts.refused });
    let listed = |sums: &BTreeMap<&str, MailCounts>| -> Vec<Value> {
        let mut sums: Vec<_> = sums.iter().collect();
        sums.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.sent + counts.deferred + counts.refused));
        sums.into_iter().map(|(name, counts)| row((*name).to_owned(), counts)).collect()
    };
    let by_day = days.iter().zip(from..).filter(|(counts, _)| **counts != MailCounts::default());
    json!({
        "plot": Plot::stacked(&numbers, label),
        "days": by_day.map(|(counts, day)| row(date_of(day), counts)).collect::<Vec<Value>>(),
        "servers": listed(&servers),
        "providers": listed(&providers),
    })
}

/// Who joined and left, by day.
fn list_view(
    visit: &Visit,
    from: i64,
    joined: &[(i64, u64)],
    left: &[(i64, u64)],
    change: ListChange,
) -> Value {
    let joined = by_day(from, DAYS, joined.iter().copied());
    let left = by_day(from, DAYS, left.iter().copied());
    let numbers: Vec<[u64; 2]> = joined.iter().zip(&left).map(|(joined, left)| [*joined, *left]).collect();
    let words = [
        ("days", DAYS.into()),
        ("joined", joined.iter().sum::<u64>().into()),
        ("left", left.iter().sum::<u64>().into()),
    ];
    let label = said("admin_list_plot", visit.language, &words);
    let days = numbers.iter().zip(from..).filter(|(numbers, _)| numbers.iter().any(|number| *number > 0));
    let row = |([joined, left], day): (&[u64; 2], i64)| json!({ "name": date_of(day), "joined": joined, "left": left });
    json!({
        "active": change.active,
        "plot": Plot::stacked(&numbers, label),
        "days": days.map(row).collect::<Vec<Value>>(),
    })
}
