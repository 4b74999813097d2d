//! A subscription to a hub (WebSub), which pushes what a source publishes to our callback address.

use jiff::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub source: String,
    /// The unguessable end of the callback address.
    pub token: String,
    pub hub: String,
    /// The feed's own address (`rel=self`), by which the hub knows it.
    pub topic: String,
    /// The secret with which the hub signs pushes.
    pub secret: String,
    /// When the hub was last asked.
    pub asked: Timestamp,
    /// Until when the hub will push; `None` until it has verified the subscription.
    pub lease_end: Option<Timestamp>,
    pub last_push: Option<Timestamp>,
}
