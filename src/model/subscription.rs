//! A subscription at a hub (WebSub): it pushes what a source publishes to our callback address.

use jiff::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub source: String,
    /// The end of the callback address; nobody can guess it.
    pub token: String,
    pub hub: String,
    /// The feed's own address (`rel=self`), which the hub knows it by.
    pub topic: String,
    /// Signs what the hub sends us.
    pub secret: String,
    /// When we asked the hub last.
    pub asked: Timestamp,
    /// Until when the hub promised to push; `None` before it has verified that we asked.
    pub lease_end: Option<Timestamp>,
    pub last_push: Option<Timestamp>,
}
