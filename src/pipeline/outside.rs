//! What an installation needs of others, and loses without anybody having done anything to it: certificates that end, and records of
//! the domain that mail is sent from. Each is looked at once a day, by one process; alarms are made of what was seen.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use url::Url;

use crate::deliver::records::{self, PublicKey, RecordVerdict};
use crate::deliver::transport::Transport;
use crate::fetch::client::Client;
use crate::fetch::names::{NameService, NamesError};
use crate::model::alarm::{AlarmKind, Finding, OutsideCheck, OutsideKind};
use crate::model::guard::Allowed;
use crate::model::source::Source;
use crate::store::{LeasedResource, Store, StoreError};

/// Each is looked at so often, and what could not be seen a little sooner.
const LOOKED_EVERY: SignedDuration = SignedDuration::from_hours(24);
const TRIED_AGAIN: SignedDuration = SignedDuration::from_hours(3);
/// Looked at in one cycle, and at a time: sources may be thousands, and none of it is urgent.
const LOOKS_MAX: usize = 40;
const LOOKS_AT_A_TIME: usize = 10;
const LOOK_TIME: Duration = Duration::from_secs(15);
/// Short-lived certificates are renewed late: of none, more than this part of its time is said to be about to end.
const PART_OF_TIME: i32 = 4;

/// What is looked at, and with what.
#[derive(Clone, Copy)]
pub struct OutsideContext<'a> {
    pub client: &'a Client,
    pub transport: &'a Transport,
    pub sources: &'a [Source],
    /// The public address of the channel.
    pub public: Option<&'a str>,
    /// Whose records are looked at; `None` if no mail server is used.
    pub records: Option<&'a MailRecords>,
    /// Who is asked for them; the system's name servers where nobody is named.
    pub name_server: Option<SocketAddr>,
    pub now: Timestamp,
}

/// The records that receivers ask for.
#[derive(Debug, Clone)]
pub struct MailRecords {
    /// Of the sender, and of the return path.
    pub domain: String,
    pub bounces: String,
    pub keys: Vec<PublicKey>,
}

/// One thing to look at.
enum Sight {
    Web { url: Url, also: Vec<Allowed> },
    MailServer(usize),
    Spf(String),
    Dkim(PublicKey),
    Dmarc { domain: String, signed_by: Vec<String> },
}

/// What was seen.
enum Seen {
    Certificate(Timestamp, Timestamp),
    Record(RecordVerdict),
    /// It could not be looked at.
    Nothing,
}

/// What the SPF record of a domain says.
///
/// # Errors
/// When no name server answers.
pub async fn spf(names: &NameService, domain: &str) -> Result<RecordVerdict, NamesError> {
    Ok(records::spf(domain, &names.texts(domain).await?))
}

/// What the record of a key says.
///
/// # Errors
/// When no name server answers.
pub async fn dkim(names: &NameService, key: &PublicKey) -> Result<RecordVerdict, NamesError> {
    Ok(records::dkim(key, &names.texts(&key.name()).await?))
}

/// What the DMARC record of a domain, or of the nearest above it, says.
///
/// # Errors
/// When no name server answers.
pub async fn dmarc(
    names: &NameService,
    domain: &str,
    signed_by: &[&str],
) -> Result<RecordVerdict, NamesError> {
    let (mut at, mut texts) = (format!("_dmarc.{domain}"), Vec::new());
    for name in records::dmarc_names(domain) {
        let found = names.texts(&name).await?;
        if !found.is_empty() {
            (at, texts) = (name, found);
            break;
        }
    }
    Ok(records::dmarc(domain, &at, &texts, signed_by))
}

/// Everything to look at, by what it is called.
fn sights(context: OutsideContext) -> BTreeMap<String, Sight> {
    let mut sights = BTreeMap::new();
    for source in context.sources.iter().filter(|source| source.is_enabled) {
        if let Some(name) = web_name(&source.url) {
            sights.entry(name).or_insert_with(|| Sight::Web { url: source.url.clone(), also: Vec::new() });
        }
    }
    // The channel may be on this machine, where no source may lead.
    let public = context.public.and_then(|public| Url::parse(public).ok());
    if let Some((name, url)) = public.and_then(|url| Some((web_name(&url)?, url))) {
        sights.insert(name, Sight::Web { also: Allowed::host_of(&url), url });
    }
    for server in context.transport.tls_servers() {
        let name = format!("the certificate of the mail server {}", context.transport.server_name(server));
        sights.insert(name, Sight::MailServer(server));
    }
    let Some(records) = context.records else { return sights };
    sights.insert(format!("SPF of {}", records.bounces), Sight::Spf(records.bounces.clone()));
    let signed_by = records.keys.iter().map(|key| key.domain.clone()).collect();
    let domain = records.domain.clone();
    sights.insert(format!("DMARC of {domain}"), Sight::Dmarc { domain, signed_by });
    for key in &records.keys {
        sights.insert(format!("DKIM at {}", key.name()), Sight::Dkim(key.clone()));
    }
    sights
}

/// What the certificate behind an address of HTTPS is called: all sources of one server have one.
fn web_name(url: &Url) -> Option<String> {
    let host = url.host_str().filter(|_| url.scheme() == "https")?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("the certificate of {host}{port}"))
}

/// Looks at what was not looked at for a day, unless another process does; some of it, if it is much.
///
/// # Errors
/// When the store fails. What cannot be seen is no error: its server, or whoever needs it, tells of that.
pub async fn look(store: &Store, context: OutsideContext<'_>) -> anyhow::Result<()> {
    let sights = sights(context);
    let known = store.read(|r| r.outside().all())?;
    let is_gone = |check: &&OutsideCheck| !sights.contains_key(&check.subject);
    let gone: Vec<&OutsideCheck> = known.iter().filter(is_gone).collect();
    if !gone.is_empty() {
        store.write(|w| gone.iter().try_for_each(|check| w.outside().forget(&check.subject)))?;
    }
    if due(&sights, &known, context.now).is_empty() {
        return Ok(());
    }
    let wanted = ["daily".to_owned()];
    let claimed = store.write(|w| {
        let resource = LeasedResource::Outside;
        let lease = w.leases().claim(resource, &wanted, store.worker(), store.lease_time())?.pop();
        // Another process may have looked in the meantime.
        Ok::<_, StoreError>(lease.map(|lease| w.outside().all().map(|known| (lease, known))))
    })?;
    let Some((lease, known)) = claimed.transpose()? else { return Ok(()) };
    let due = due(&sights, &known, context.now);
    let names = NameService::new(context.name_server).ok();
    let names = names.as_ref();
    let mut seen: Vec<(&String, Seen)> = Vec::with_capacity(due.len());
    for some in due.chunks(LOOKS_AT_A_TIME) {
        let mut looks = Vec::with_capacity(some.len());
        for (_, sight) in some {
            looks.push(see(context, names, sight));
        }
        let names = some.iter().map(|(name, _)| *name);
        seen.extend(names.zip(join_all(looks).await));
    }
    store.write(|w| {
        for (name, seen) in &seen {
            let before = known.iter().find(|check| check.subject == **name);
            w.outside().put(&noted(name, kind_of(&sights[*name]), before, seen, context.now))?;
        }
        w.leases().settle(&[&lease], store.worker())
    })?;
    Ok(())
}

/// What is to be looked at now, what was never seen first.
fn due<'a>(
    sights: &'a BTreeMap<String, Sight>,
    known: &[OutsideCheck],
    now: Timestamp,
) -> Vec<(&'a String, &'a Sight)> {
    let looked: BTreeMap<&str, Timestamp> =
        known.iter().map(|check| (check.subject.as_str(), check.looked)).collect();
    // A look in the future was made under a wrong clock.
    let is_recent = |looked: &Timestamp| now.duration_since(*looked) < LOOKED_EVERY && *looked <= now;
    let mut due: Vec<(&String, &Sight)> =
        sights.iter().filter(|(name, _)| !looked.get(name.as_str()).is_some_and(is_recent)).collect();
    due.sort_by_key(|(name, _)| looked.get(name.as_str()));
    due.truncate(LOOKS_MAX);
    due
}

fn kind_of(sight: &Sight) -> OutsideKind {
    match sight {
        Sight::Web { .. } | Sight::MailServer(_) => OutsideKind::Certificate,
        Sight::Spf(_) | Sight::Dkim(_) | Sight::Dmarc { .. } => OutsideKind::Record,
    }
}

/// What there is to see within a while: whoever is slow, or a name server that does not answer, holds nothing else up.
async fn see(context: OutsideContext<'_>, names: Option<&NameService>, sight: &Sight) -> Seen {
    let seen = tokio::time::timeout(LOOK_TIME, look_at(context, names, sight)).await;
    seen.unwrap_or(Seen::Nothing)
}

async fn look_at(context: OutsideContext<'_>, names: Option<&NameService>, sight: &Sight) -> Seen {
    let certificate = |seen: Option<(Timestamp, Timestamp)>| {
        seen.map_or(Seen::Nothing, |(begins, ends)| Seen::Certificate(begins, ends))
    };
    let record = |seen: Result<RecordVerdict, NamesError>| seen.map_or(Seen::Nothing, Seen::Record);
    match (sight, names) {
        (Sight::Web { url, also }, _) => certificate(context.client.certificate_validity(url, also).await),
        (Sight::MailServer(at), _) => certificate(context.transport.certificate_validity(*at).await),
        (_, None) => Seen::Nothing,
        (Sight::Spf(domain), Some(names)) => record(spf(names, domain).await),
        (Sight::Dkim(key), Some(names)) => record(dkim(names, key).await),
        (Sight::Dmarc { domain, signed_by }, Some(names)) => {
            let signed_by: Vec<&str> = signed_by.iter().map(String::as_str).collect();
            record(dmarc(names, domain, &signed_by).await)
        }
    }
}

/// What is kept of a look. What could not be seen stays as it was.
fn noted(
    name: &str,
    kind: OutsideKind,
    before: Option<&OutsideCheck>,
    seen: &Seen,
    now: Timestamp,
) -> OutsideCheck {
    let (span, fault) = before.map(|check| (check.span, check.fault.clone())).unwrap_or_default();
    let check = OutsideCheck { subject: name.to_owned(), kind, looked: now, span, fault: None };
    match seen {
        Seen::Certificate(begins, ends) => OutsideCheck { span: Some((*begins, *ends)), ..check },
        Seen::Record(RecordVerdict::Bad { what, fix }) => {
            OutsideCheck { fault: Some(format!("{what}: {fix}")), ..check }
        }
        Seen::Record(RecordVerdict::Good(_) | RecordVerdict::Doubtful { .. }) => {
            let first = span.map_or(now, |(first, _)| first);
            OutsideCheck { span: Some((first, now)), ..check }
        }
        Seen::Nothing => {
            let looked = now.saturating_sub(LOOKED_EVERY - TRIED_AGAIN).unwrap_or(now);
            OutsideCheck { looked, fault, ..check }
        }
    }
}

/// What is wrong, by what was seen last. Certificates are about to end so many days before.
pub fn findings(checks: &[OutsideCheck], days: u32, now: Timestamp) -> Vec<Finding> {
    checks.iter().filter_map(|check| finding(check, days, now)).collect()
}

fn finding(check: &OutsideCheck, days: u32, now: Timestamp) -> Option<Finding> {
    let (begins, ends) = check.span?;
    let date = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    let found = |kind, text| Some(Finding { kind, subject: check.subject.clone(), text });
    match check.kind {
        OutsideKind::Record => {
            let fault = check.fault.as_ref()?;
            let text =
                format!("was there until {}, and is not as it has to be any more: {fault}", date(ends));
            found(AlarmKind::RecordGone, text)
        }
        OutsideKind::Certificate => {
            let left = ends.duration_since(now);
            let early = SignedDuration::from_hours(i64::from(days) * 24);
            if left >= early.min(ends.duration_since(begins) / PART_OF_TIME) {
                return None;
            }
            let when = match left {
                left if left < SignedDuration::ZERO => format!("ended on {}", date(ends)),
                left if left.as_hours() < 48 => {
                    format!("ends on {}, in {} hours", date(ends), left.as_hours())
                }
                left => format!("ends on {}, in {} days", date(ends), left.as_hours() / 24),
            };
            let what = "whoever runs the server has to renew it, and to look why it was not renewed by itself (certbot renew, or the log of the web server); without a valid one, nobody connects";
            found(AlarmKind::CertificateEnding, format!("{when}: {what}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_certificate_is_about_to_end_by_its_days_or_by_its_own_time() {
        let said = |begins: &str, ends: &str, days| {
            let check = OutsideCheck {
                subject: "c".into(),
                kind: OutsideKind::Certificate,
                looked: at("2022-10-20T08:00:00Z"),
                span: Some((at(begins), at(ends))),
                fault: None,
            };
            findings(&[check], days, at("2022-10-20T08:00:00Z")).pop().map(|finding| finding.text)
        };
        let long = "2022-08-20T08:00:00Z";
        assert_eq!(said(long, "2022-11-20T08:00:00Z", 14), None);
        assert!(
            said(long, "2022-10-30T08:00:00Z", 14).unwrap().starts_with("ends on 2022-10-30, in 10 days")
        );
        assert_eq!(said(long, "2022-10-30T08:00:00Z", 0), None, "it is to be said once it ended");
        assert!(said(long, "2022-10-21T07:00:00Z", 14).unwrap().contains("in 23 hours"));
        assert!(said(long, "2022-10-19T08:00:00Z", 14).unwrap().starts_with("ended on 2022-10-19"));
        // One of six days is renewed in its last ones.
        assert_eq!(said("2022-10-18T08:00:00Z", "2022-10-24T08:00:00Z", 14), None);
        assert!(said("2022-10-15T08:00:00Z", "2022-10-21T08:00:00Z", 14).is_some());
    }

    #[test]
    fn a_record_is_gone_once_it_was_there_and_what_cannot_be_seen_stays_as_it_was() {
        let (first, later) = (at("2022-10-20T08:00:00Z"), at("2022-10-22T08:00:00Z"));
        let bad = || Seen::Record(RecordVerdict::Bad { what: "w".into(), fix: "f".into() });
        let never = noted("r", OutsideKind::Record, None, &bad(), first);
        assert!(findings(std::slice::from_ref(&never), 14, first).is_empty(), "it never was");
        let good = Seen::Record(RecordVerdict::Good(String::new()));
        let there = noted("r", OutsideKind::Record, Some(&never), &good, first);
        assert!(findings(std::slice::from_ref(&there), 14, first).is_empty());
        let gone = noted("r", OutsideKind::Record, Some(&there), &bad(), later);
        let found = findings(std::slice::from_ref(&gone), 14, later);
        assert_eq!(found[0].text, "was there until 2022-10-20, and is not as it has to be any more: w: f");
        let unseen = noted("r", OutsideKind::Record, Some(&gone), &Seen::Nothing, later);
        assert_eq!((unseen.span, &unseen.fault), (gone.span, &gone.fault));
        assert!(later.duration_since(unseen.looked) < LOOKED_EVERY, "it is tried again, and not at once");
        assert!(
            findings(&[noted("r", OutsideKind::Record, Some(&gone), &good, later)], 14, later).is_empty()
        );
    }
}
