//! Our own hub (WebSub section 5.1): requests are accepted at once and verified afterwards.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;

use super::forms::Form;
use super::limits::network;
use super::state::{AppState, failed};
use super::subscriptions::client;
use crate::pipeline::websub::hub;
use crate::support::clock::TokenSource;

/// Requests from one network per hour: a feed reader has a few hundred feeds at most.
const REQUESTS_PER_NETWORK: u32 = 300;
/// Maximum number of concurrent verifications.
const VERIFYING_MAX: usize = 32;

/// Accepts a request to subscribe or unsubscribe.
pub async fn subscription_request(
    State(app): State<Arc<AppState>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let now = app.clock.now();
    let Some(public) = app.sender.public_url.as_deref().filter(|_| app.is_hub) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if !app.limits.allow(
        format!("hub {}", network(client(peer, &headers, &app.serve.trusted_proxies))),
        REQUESTS_PER_NETWORK,
        SignedDuration::from_hours(1),
        now,
    ) {
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
    let Ok(place) = app.verifying.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "busy: try again later\n").into_response();
    };
    tokio::spawn(async move {
        let _place = place;
        if let Err(error) =
            hub::verify(&app.refresher.store, &app.refresher.client, &subscription_request, &challenge, now)
                .await
        {
            tracing::error!("a subscription request could not be stored: {error:#}");
        }
    });
    StatusCode::ACCEPTED.into_response()
}

/// The permits for concurrent verifications.
pub fn places() -> Arc<tokio::sync::Semaphore> {
    Arc::new(tokio::sync::Semaphore::new(VERIFYING_MAX))
}
