//! WebSub (W3C Recommendation of 2018) in both roles: as a subscriber to the hubs of sources, and as the hub of our own feeds.

pub mod hub;
pub mod subscriber;
