//! The web part. It serves what was published, takes pushes from hubs, and lets people sign up, change
//! what they get, and leave.

pub mod files;
mod forms;
mod health;
pub mod hubs;
mod images;
pub mod limits;
pub mod pictures;
pub mod search;
pub mod server;
pub mod state;
mod subscriptions;
