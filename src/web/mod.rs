//! The web part. It serves what was published, takes pushes from hubs, and lets people sign up, change
//! what they get, and leave.

mod forms;
pub mod hooks;
pub mod limits;
pub mod server;
mod subscriptions;
