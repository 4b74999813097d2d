//! Issues to mailboxes: the message, and the ways that it can leave. Knows no store and no schedule.

pub mod message;
pub mod smtp;
pub mod transport;
