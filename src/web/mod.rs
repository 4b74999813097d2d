//! The web server. It serves what was published, accepts pushes from hubs, and lets people sign up, change their preferences and
//! leave.

mod admin;
mod alarms;
mod api;
mod chart;
pub mod crowd;
mod desk;
pub mod files;
mod forms;
mod health;
pub mod hubs;
pub mod images;
pub mod limits;
mod pace;
mod partners;
pub mod search;
pub mod server;
mod source_view;
pub mod state;
mod subscriptions;
