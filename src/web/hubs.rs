//! Our own hub (WebSub section 5.1): requests are accepted at once and verified afterwards.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use url::Url;

use super::forms::Form;
use super::limits::{Share, Shares};
use super::state::{AppState, busy, failed};
use super::subscriptions::client;
use crate::fetch::client::Client;
use crate::model::guard::network;
use crate::pipeline::websub::hub;
use crate::support::clock::TokenSource;

/// Requests from one network per hour: a feed reader has a few hundred feeds at most.
const REQUESTS_PER_NETWORK: u32 = 300;
/// Maximum number of concurrent verifications: in all, of one callback's host, of callbacks in one network whatever their hosts are
/// called, and for the clients of one network; the time for one.
const VERIFYING_MAX: usize = 128;
const VERIFYING_PER_HOST_MAX: usize = 16;
const VERIFYING_AT_NETWORK_MAX: usize = VERIFYING_MAX / 2;
const VERIFYING_PER_NETWORK_MAX: usize = 32;
const VERIFYING_TIMEOUT: Duration = Duration::from_secs(10);

/// The verifications under way.
pub struct Verifications {
    client: Client,
    shares: Arc<Shares>,
    networks: Arc<Shares>,
}

impl Verifications {
    pub fn new(client: &Client) -> Verifications {
        Verifications {
            client: client.apart(VERIFYING_PER_HOST_MAX, VERIFYING_TIMEOUT),
            shares: Arc::new(Shares::new(VERIFYING_MAX)),
            networks: Arc::new(Shares::new(VERIFYING_MAX)),
        }
    }

    /// A place for a verification in the network that the callback turns out to be in.
    async fn enter_network(&self, callback: &Url) -> Option<Share> {
        let network = self.client.network_of(callback).await;
        let network = network.unwrap_or_else(|| callback.origin().ascii_serialization());
        self.networks.enter([(network, VERIFYING_AT_NETWORK_MAX)])
    }

    /// A place for a verification; `None` if its callback's host or its network has enough of them.
    fn enter(&self, callback: &Url, network: &str) -> Option<Share> {
        let host = format!("at {}", callback.origin().ascii_serialization());
        let keys = [(host, VERIFYING_PER_HOST_MAX), (format!("for {network}"), VERIFYING_PER_NETWORK_MAX)];
        self.shares.enter(keys)
    }
}

/// Accepts a request to subscribe or unsubscribe.
pub(super) async fn subscription_request(
    State(app): State<Arc<AppState>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let now = app.clock.now();
    let Some(public) = app.sender.public_url.as_deref().filter(|_| app.is_hub) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let network = network(client(peer, &headers, &app.serve.trusted_proxies));
    if !app.limits.allow(format!("hub {network}"), REQUESTS_PER_NETWORK, SignedDuration::from_hours(1), now) {
        return (StatusCode::TOO_MANY_REQUESTS, "too many requests: try again later\n").into_response();
    }
    let subscription_request = match hub::read_subscription_request(
        Form::read(&body).pairs(),
        &hub::topics(public, &app.publications),
    ) {
        Ok(subscription_request) => subscription_request,
        Err(why) => return (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
    };
    let challenge = match TokenSource::System.token() {
        Ok(challenge) => challenge,
        Err(error) => return failed(&error),
    };
    let Some(share) = app.verifications.enter(&subscription_request.callback, &network) else {
        return busy((StatusCode::SERVICE_UNAVAILABLE, "busy: try again later\n").into_response());
    };
    tokio::spawn(async move {
        let _share = share;
        let Some(_place) = app.verifications.enter_network(&subscription_request.callback).await else {
            tracing::info!(
                "a subscription to our hub was not confirmed: too many others are asked in the network of its callback"
            );
            return;
        };
        let (store, client) = (&app.refresher.store, &app.verifications.client);
        if let Err(error) = hub::verify(store, client, &subscription_request, &challenge, now).await {
            tracing::error!("a subscription request could not be stored: {error:#}");
        }
    });
    StatusCode::ACCEPTED.into_response()
}
