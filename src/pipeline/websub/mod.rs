//! WebSub (W3C Recommendation of 2018) in both roles: we subscribe to the hubs of sources, and are the hub of our own feeds.

pub mod hub;
pub mod subscriber;
