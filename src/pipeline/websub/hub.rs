//! The pipeline that announces changes of our feeds (WebSub, W3C Recommendation of 23 January 2018): notifies another hub, or
//! acts as the hub and pushes the feed to its subscribers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use tokio::sync::Semaphore;
use url::Url;

use crate::fetch::client::{Client, FetchError};
use crate::model::publication::Publication;
use crate::pipeline::destination::Destination;
use crate::publish::formats::{self, FORMATS};
use crate::store::{Push, Store, StoreError};
use crate::support::clock::Clock;

/// Leases in seconds: the least and most granted, and the default.
const LEASE_MIN: i64 = 300;
const LEASE_MAX: i64 = 15 * 86_400;
const LEASE_DEFAULT: i64 = 10 * 86_400;
/// Section 5.1: a secret has to be shorter than 200 bytes.
const SECRET_BYTES_MAX: usize = 199;
const CALLBACK_BYTES_MAX: usize = 1_000;
/// Maximum number of subscriptions, in total and per host.
const SUBSCRIBERS_MAX: u64 = 10_000;
const SUBSCRIBERS_PER_HOST_MAX: u64 = 100;
/// Maximum number of pushes at a time: to one host, to one network under whatever names, and in all; in one turn; and the time for
/// one.
const PUSHES_PER_HOST: usize = 2;
const PUSHES_PER_NETWORK: usize = CONCURRENCY / 2;
const CONCURRENCY: usize = 32;
const PUSHES_MAX: usize = 2_000;
const PUSH_TIMEOUT: Duration = Duration::from_secs(20);
/// Time for all pushes of a turn to one host: slow subscribers wait for themselves, and nobody waits for them.
const HOST_TIMEOUT: Duration = Duration::from_secs(40);
/// Time in which the pushes of a turn begin; those that are left are made in the next.
const TURN_TIMEOUT: Duration = Duration::from_secs(60);
/// Pauses after failed pushes; then the push is given up, and the next change is a new one.
const PAUSES_MINUTES: [i64; 5] = [1, 5, 30, 120, 360];

/// A request to our hub (section 5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionRequest {
    pub is_subscribing: bool,
    pub topic: String,
    pub callback: Url,
    pub secret: String,
    pub lease_seconds: i64,
}

/// Reads a request from a form.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read_subscription_request(
    form: &[(String, String)],
    topics: &[String],
) -> Result<SubscriptionRequest, &'static str> {
    let of = |name: &str| form.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.as_str());
    let is_subscribing = match of("hub.mode") {
        "subscribe" => true,
        "unsubscribe" => false,
        _ => return Err("hub.mode must be subscribe or unsubscribe"),
    };
    let topic = of("hub.topic").to_owned();
    if !topics.contains(&topic) {
        return Err("hub.topic is not one of our feeds");
    }
    let callback = Url::parse(of("hub.callback"))
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.as_str().len() <= CALLBACK_BYTES_MAX);
    let callback = callback.ok_or("hub.callback is not a web address")?;
    let secret = of("hub.secret").to_owned();
    if secret.len() > SECRET_BYTES_MAX {
        return Err("hub.secret must be shorter than 200 bytes");
    }
    let lease_seconds = of("hub.lease_seconds").parse().unwrap_or(LEASE_DEFAULT).clamp(LEASE_MIN, LEASE_MAX);
    Ok(SubscriptionRequest { is_subscribing, topic, callback, secret, lease_seconds })
}

/// The addresses of all feeds that can be subscribed to.
pub fn topics(public: &str, publications: &[Publication]) -> Vec<String> {
    publications
        .iter()
        .flat_map(|publication| FORMATS.map(|format| format!("{public}/{}{}", publication.path, format.file)))
        .collect()
}

/// Verifies the intent with the callback (section 5.3), and then executes the request. `challenge` is random.
///
/// # Errors
/// When the store fails.
pub async fn verify(
    store: &Store,
    client: &Client,
    subscription_request: &SubscriptionRequest,
    challenge: &str,
    now: Timestamp,
) -> anyhow::Result<bool> {
    let callback = subscription_request.callback.as_str();
    if subscription_request.is_subscribing
        && !store.read(|r| r.hub().has_subscriber(callback, &subscription_request.topic))?
    {
        let (all, own) = store.read(|r| {
            r.hub().subscriber_counts(&subscription_request.callback.origin().ascii_serialization())
        })?;
        if all >= SUBSCRIBERS_MAX || own >= SUBSCRIBERS_PER_HOST_MAX {
            tracing::warn!("the hub is full: a subscription was left out");
            return Ok(false);
        }
    }
    let mut question = subscription_request.callback.clone();
    question
        .query_pairs_mut()
        .append_pair(
            "hub.mode",
            if subscription_request.is_subscribing { "subscribe" } else { "unsubscribe" },
        )
        .append_pair("hub.topic", &subscription_request.topic)
        .append_pair("hub.challenge", challenge)
        .append_pair("hub.lease_seconds", &subscription_request.lease_seconds.to_string());
    let is_meant = match client.ask(&question).await {
        Ok(answer) => answer.trim_ascii() == challenge.as_bytes(),
        Err(error) => {
            tracing::info!("a subscription to our hub was not confirmed: {error}");
            false
        }
    };
    if is_meant && subscription_request.is_subscribing {
        let lease_end = now + SignedDuration::from_secs(subscription_request.lease_seconds);
        store.write(|w| {
            w.hub().put_subscriber(
                callback,
                &subscription_request.topic,
                &subscription_request.secret,
                lease_end,
            )
        })?;
    } else if is_meant {
        store.write(|w| w.hub().delete_subscriber(callback, &subscription_request.topic))?;
    }
    Ok(is_meant)
}

/// Where changes are announced.
#[derive(Clone, Copy)]
pub struct HubContext<'a> {
    /// The channel's address.
    pub public: &'a str,
    /// The address of the hub that our feeds name.
    pub hub: &'a str,
    /// Whether it is our own.
    pub is_own: bool,
    /// Where the published files are.
    pub destination: &'a Destination,
}

/// Announces what changed since the last time. Returns the number of pushes.
///
/// # Errors
/// When the store fails; a subscriber that does not answer is tried again later.
pub async fn announce(
    store: &Store,
    client: &Client,
    hub_context: HubContext<'_>,
    clock: Clock,
) -> anyhow::Result<usize> {
    let pushes = store.write(|w| {
        let now = clock.now();
        for path in w.hub().take_changed_feeds()? {
            let topic = format!("{}/{path}", hub_context.public);
            if hub_context.is_own {
                w.hub().put_pushes(&topic, now)?;
            } else {
                w.hub().put_word(hub_context.hub, &topic, now)?;
            }
        }
        w.hub().claim_pushes(store.worker(), now, store.lease_time(), PUSHES_MAX)
    })?;
    let client = client.apart(PUSHES_PER_HOST, PUSH_TIMEOUT);
    let turn = Turn {
        store,
        client: &client,
        hub_context,
        clock,
        places: Semaphore::new(CONCURRENCY),
        end: Instant::now() + TURN_TIMEOUT,
        told: AtomicUsize::new(0),
    };
    // Each network has its own few lanes, and waits for a place with no more than those.
    let networks = by_network(&client, pushes).await.into_iter().map(|lanes| async {
        let lanes = lanes.into_iter().map(|lane| turn.run(lane));
        let mut sends = futures_util::stream::iter(lanes).buffer_unordered(PUSHES_PER_NETWORK);
        while let Some(sent) = sends.next().await {
            sent?;
        }
        Ok::<_, StoreError>(())
    });
    let mut networks: FuturesUnordered<_> = networks.collect();
    while let Some(done) = networks.next().await {
        done?;
    }
    drop(networks);
    Ok(turn.told.into_inner())
}

/// The pushes of a turn.
struct Turn<'a> {
    store: &'a Store,
    client: &'a Client,
    hub_context: HubContext<'a>,
    clock: Clock,
    places: Semaphore,
    /// Afterwards no push begins.
    end: Instant,
    told: AtomicUsize,
}

impl Turn<'_> {
    /// Makes pushes to one host, one after the other.
    async fn run(&self, lane: Vec<Push>) -> Result<(), StoreError> {
        let started = Instant::now();
        for push in lane {
            // The semaphore is never closed; an error would only mean no limit.
            let _place = self.places.acquire().await;
            if Instant::now() >= self.end {
                self.store.write(|w| w.hub().release_push(&push))?;
                continue;
            }
            let result = match started.elapsed() < HOST_TIMEOUT {
                true => one(self.client, self.hub_context, &push).await,
                false => Err(FetchError::Deadline { seconds: HOST_TIMEOUT.as_secs() }),
            };
            self.told.fetch_add(usize::from(result.is_ok()), Ordering::Relaxed);
            settle(self.store, &push, result, self.clock.now())?;
        }
        Ok(())
    }
}

/// The lanes of each network, which one party may have under many names; a host of which none is known is one of its own.
async fn by_network(client: &Client, pushes: Vec<Push>) -> Vec<Vec<Vec<Push>>> {
    let found = lanes(pushes).into_iter().map(|(host, lanes)| async move {
        let network = match Url::parse(&host) {
            Ok(url) => client.network_of(&url).await,
            Err(_) => None,
        };
        (network.unwrap_or(host), lanes)
    });
    let mut found = futures_util::stream::iter(found).buffer_unordered(CONCURRENCY);
    let mut networks: BTreeMap<String, Vec<Vec<Push>>> = BTreeMap::new();
    while let Some((network, lanes)) = found.next().await {
        networks.entry(network).or_default().extend(lanes);
    }
    networks.into_values().collect()
}

/// Pushes that are made one after the other, so many for each host.
fn lanes(pushes: Vec<Push>) -> BTreeMap<String, Vec<Vec<Push>>> {
    let mut by_host: BTreeMap<String, Vec<Vec<Push>>> = BTreeMap::new();
    for push in pushes {
        let host = Url::parse(&push.callback).ok().map(|url| url.origin().ascii_serialization());
        let lanes =
            by_host.entry(host.unwrap_or_default()).or_insert_with(|| vec![Vec::new(); PUSHES_PER_HOST]);
        if let Some(shortest) = lanes.iter_mut().min_by_key(|lane| lane.len()) {
            shortest.push(push);
        }
    }
    by_host
}

/// Stores the outcome of a push.
fn settle(
    store: &Store,
    push: &Push,
    result: Result<(), FetchError>,
    now: Timestamp,
) -> Result<(), StoreError> {
    match (result, PAUSES_MINUTES.get(push.attempts as usize)) {
        (Ok(()), _) => store.write(|w| w.hub().delete_push(push)),
        // Section 7: the subscriber wants no further pushes.
        (Err(FetchError::Gone), _) => store.write(|w| w.hub().delete_subscriber(&push.callback, &push.topic)),
        (Err(error), Some(minutes)) => {
            tracing::info!("a push of {} failed, and is tried again in {minutes} min: {error}", push.topic);
            store.write(|w| w.hub().defer_push(push, now + SignedDuration::from_mins(*minutes)))
        }
        (Err(error), None) => {
            tracing::warn!("a push of {} is given up: {error}", push.topic);
            store.write(|w| w.hub().delete_push(push))
        }
    }
}

async fn one(client: &Client, hub_context: HubContext<'_>, push: &Push) -> Result<(), FetchError> {
    let Ok(callback) = Url::parse(&push.callback) else { return Err(FetchError::Gone) };
    if !hub_context.is_own {
        // Understood by most hubs; the recommendation leaves the format open (section 6).
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("hub.mode", "publish")
            .append_pair("hub.url", &push.topic)
            .finish();
        return client.post_form(&callback, form).await;
    }
    let Some(secret) = &push.secret else { return Err(FetchError::Gone) };
    let path = push.topic.strip_prefix(hub_context.public).unwrap_or_default().trim_start_matches('/');
    let body = match hub_context.destination.read(path).await {
        Ok(body) => body.ok_or(FetchError::Gone)?,
        Err(error) => {
            return Err(FetchError::Broken {
                host: hub_context.destination.to_string(),
                cause: error.to_string(),
            });
        }
    };
    let media_type = formats::of_file(path.rsplit('/').next().unwrap_or_default())
        .map_or("application/octet-stream", |format| format.media_type);
    let mut headers = vec![
        ("content-type", media_type.to_owned()),
        ("link", format!("<{}>; rel=\"hub\", <{}>; rel=\"self\"", hub_context.hub, push.topic)),
    ];
    if let Some(mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok().filter(|_| !secret.is_empty()) {
        let hex = crate::support::text::hex(&mac.chain_update(&body).finalize().into_bytes());
        headers.push(("x-hub-signature", format!("sha256={hex}")));
    }
    client.post(&callback, &headers, body.into()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_for_a_feed_of_ours_and_a_callback_on_the_web() {
        let topics = ["https://x.example/atom.xml".to_owned()];
        let subscription_request = |mode: &str, topic: &str, callback: &str, lease: &str| {
            let form = [
                ("hub.mode", mode),
                ("hub.topic", topic),
                ("hub.callback", callback),
                ("hub.lease_seconds", lease),
            ];
            read_subscription_request(&form.map(|(name, value)| (name.to_owned(), value.to_owned())), &topics)
        };
        assert_eq!(
            subscription_request("subscribe", &topics[0], "https://y.example/cb", "99999999")
                .unwrap()
                .lease_seconds,
            LEASE_MAX
        );
        assert!(
            !subscription_request("unsubscribe", &topics[0], "https://y.example/cb", "")
                .unwrap()
                .is_subscribing
        );
        for (mode, topic, callback) in [
            ("publish", topics[0].as_str(), "https://y.example/cb"),
            ("subscribe", "https://z.example/", "https://y.example/cb"),
            ("subscribe", &topics[0], "file:///etc/passwd"),
            ("subscribe", &topics[0], ""),
        ] {
            assert!(subscription_request(mode, topic, callback, "").is_err());
        }
    }
}
