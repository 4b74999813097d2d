//! The web part. It serves what was published, takes pushes from hubs, and lets people leave.

pub mod hooks;
pub mod server;
mod subscriptions;
