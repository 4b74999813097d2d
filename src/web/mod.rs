//! The web server. It serves what was published, accepts pushes from hubs, and lets people sign up, change their preferences and
//! leave.

mod admin;
mod alarms;
mod api;
pub mod crowd;
mod desk;
pub mod files;
mod forms;
mod health;
pub mod hubs;
pub mod images;
pub mod limits;
mod pace;
pub mod search;
pub mod server;
pub mod state;
mod subscriptions;
