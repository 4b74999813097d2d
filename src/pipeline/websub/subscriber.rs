//! The pipeline of pushed feeds (WebSub, W3C Recommendation of 23 January 2018): subscribes to the hubs that feeds name, answers
//! verifications, and accepts correctly signed pushes.

use std::collections::HashMap;

use anyhow::Context as _;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use url::Url;

use crate::fetch::client::Client;
use crate::model::source::{Source, SourceList};
use crate::model::subscription::Subscription;
use crate::pipeline::refresh::Refresher;
use crate::store::{Store, StoreError, Unit, Write};
use crate::support::clock::TokenSource;

/// Path of callbacks under the channel's address, followed by a token.
const CALLBACK: &str = "/websub/";
/// Lease requested, in seconds: ten days, the middle of what hubs grant.
const LEASE_SECONDS: i64 = 10 * 86_400;
/// A lease is renewed when less than this is left of it.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(36);
/// A hub that did not answer or verify is asked again after this.
const ASK_AGAIN: SignedDuration = SignedDuration::from_hours(6);
/// Longest lease accepted from a hub, which could forget us during a longer one.
const LEASE_SECONDS_MAX: i64 = 30 * 86_400;

/// A hub's verification of intent (section 5.3).
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub struct Verification {
    #[serde(rename = "hub.mode", default)]
    pub mode: String,
    #[serde(rename = "hub.topic", default)]
    pub topic: String,
    #[serde(rename = "hub.challenge", default)]
    pub challenge: String,
    #[serde(rename = "hub.lease_seconds", default)]
    pub lease_seconds: Option<i64>,
}

/// Subscribes to the hubs of all sources that name one and have no lease, or one about to end. `public` is our public base
/// address. Returns the number of requests.
///
/// # Errors
/// When the store fails; a failing hub is logged and asked again later.
pub async fn subscribe(
    refresher: &Refresher,
    sources: &[Source],
    public: &str,
    tokens: &TokenSource,
    now: Timestamp,
) -> anyhow::Result<usize> {
    let (states, known) =
        refresher.store.read(|r| Ok::<_, StoreError>((r.sources().states()?, r.subscriptions().list()?)))?;
    let mut of_sources: HashMap<&str, Vec<&Subscription>> = HashMap::new();
    known.iter().for_each(|known| of_sources.entry(&known.source).or_default().push(known));
    let mut asked = 0;
    for source in sources.iter().filter(|source| source.is_enabled) {
        let Some(hub) = states.get(&source.id).and_then(|state| state.hub.clone()) else { continue };
        let known = of_sources
            .get(source.id.as_str())
            .and_then(|of_it| of_it.iter().find(|known| known.hub == hub.url && known.topic == hub.topic));
        if known.is_some_and(|known| !needs_asking(known, now)) {
            continue;
        }
        let new = match known {
            Some(known) => Subscription { asked: now, ..(*known).clone() },
            None => {
                let (token, secret) = (tokens.token()?, tokens.token()?);
                Subscription {
                    source: source.id.clone(),
                    token,
                    hub: hub.url,
                    topic: hub.topic,
                    secret,
                    asked: now,
                    lease_end: None,
                    last_push: None,
                }
            }
        };
        // Before the request: the hub may verify before it answers.
        refresher.store.write(|w| w.subscriptions().put(&new))?;
        asked += 1;
        if let Err(error) = ask(&refresher.client, &new, public).await {
            tracing::warn!(
                source.id = source.id,
                "the subscription at the hub {} failed: {error:#}",
                new.hub
            );
        }
    }
    Ok(asked)
}

fn needs_asking(known: &Subscription, now: Timestamp) -> bool {
    let is_ending = known.lease_end.is_none_or(|end| end < now + RENEW_BEFORE);
    is_ending && known.asked + ASK_AGAIN <= now
}

async fn ask(client: &Client, subscription: &Subscription, public: &str) -> anyhow::Result<()> {
    let hub = Url::parse(&subscription.hub).context("its address is not valid")?;
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("hub.mode", "subscribe")
        .append_pair("hub.topic", &subscription.topic)
        .append_pair("hub.callback", &format!("{public}{CALLBACK}{}", subscription.token))
        .append_pair("hub.secret", &subscription.secret)
        .append_pair("hub.lease_seconds", &LEASE_SECONDS.to_string())
        .finish();
    client.post_form(&hub, form).await?;
    Ok(())
}

/// Answers a hub that verifies or denies a subscription: the text to send back, or `None` for a subscription never requested.
///
/// # Errors
/// When the store fails.
pub fn verify(
    store: &Store,
    token: &str,
    asked: &Verification,
    now: Timestamp,
) -> anyhow::Result<Option<String>> {
    store.write(|w| verified(w, token, asked, now))
}

fn verified(
    unit: &Unit<Write>,
    token: &str,
    asked: &Verification,
    now: Timestamp,
) -> anyhow::Result<Option<String>> {
    let Some(mut known) = unit.subscriptions().get(token)?.filter(|known| known.topic == asked.topic) else {
        return Ok(None);
    };
    match asked.mode.as_str() {
        "subscribe" => {
            let lease = asked.lease_seconds.unwrap_or(LEASE_SECONDS).clamp(60, LEASE_SECONDS_MAX);
            known.lease_end = Some(now + SignedDuration::from_secs(lease));
            unit.subscriptions().put(&known)?;
            tracing::info!(
                source.id = known.source,
                lease_seconds = lease,
                "the hub pushes this source to us"
            );
            Ok(Some(asked.challenge.clone()))
        }
        "denied" => {
            known.lease_end = None;
            unit.subscriptions().put(&known)?;
            tracing::warn!(source.id = known.source, "the hub refuses to push this source to us");
            Ok(Some(String::new()))
        }
        // We never unsubscribe: an unwanted lease simply ends.
        _ => Ok(None),
    }
}

/// The outcome of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushOutcome {
    Accepted,
    /// Missing or wrong signature.
    Forged,
    /// For no subscription of ours.
    Unknown,
}

/// Accepts a push from a hub (section 7).
///
/// # Errors
/// When the store fails.
pub async fn accept(
    refresher: &Refresher,
    sources: &SourceList,
    token: &str,
    signature: Option<&str>,
    content_type: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> anyhow::Result<PushOutcome> {
    let Some(known) = refresher.store.read(|r| r.subscriptions().get(token))? else {
        return Ok(PushOutcome::Unknown);
    };
    let Some(source) = sources.by_id(&known.source).filter(|source| source.is_enabled) else {
        return Ok(PushOutcome::Unknown);
    };
    if !signature.is_some_and(|signature| is_signed(&known.secret, signature, body)) {
        tracing::warn!(source.id = source.id, "a push without the right signature was refused");
        return Ok(PushOutcome::Forged);
    }
    refresher.store.write(|w| w.subscriptions().put(&Subscription { last_push: Some(now), ..known }))?;
    refresher.accept_push(source, content_type, body, now).await?;
    Ok(PushOutcome::Accepted)
}

/// Verifies `X-Hub-Signature` (section 7.1): `sha256=` and the hexadecimal HMAC of the body; old hubs still send SHA-1.
fn is_signed(secret: &str, signature: &str, body: &[u8]) -> bool {
    fn check<M: Mac + KeyInit>(secret: &str, body: &[u8], mac: &[u8]) -> bool {
        M::new_from_slice(secret.as_bytes()).is_ok_and(|own| own.chain_update(body).verify_slice(mac).is_ok())
    }
    let Some((method, hex)) = signature.split_once('=') else { return false };
    let Some(mac) = crate::support::text::unhex(hex.trim()) else { return false };
    match method.trim().to_ascii_lowercase().as_str() {
        "sha1" => check::<Hmac<sha1::Sha1>>(secret, body, &mac),
        "sha256" => check::<Hmac<sha2::Sha256>>(secret, body, &mac),
        "sha384" => check::<Hmac<sha2::Sha384>>(secret, body, &mac),
        "sha512" => check::<Hmac<sha2::Sha512>>(secret, body, &mac),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_signature_is_taken() {
        // RFC 2202 section 3, test case 2, and RFC 4231 section 4.3.
        let (secret, body) = ("Jefe", b"what do ya want for nothing?".as_slice());
        assert!(is_signed(secret, "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", body));
        assert!(is_signed(
            secret,
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            body
        ));
        for forged in [
            "",
            "sha1=",
            "sha1=00",
            "md5=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            "sha256=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            "sha1=é",
            "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c7a",
        ] {
            assert!(!is_signed(secret, forged, body), "{forged}");
        }
    }
}
