//! Documents from the web: conditional requests under limits, and when to come again. Knows no format and no store.

pub mod client;
pub mod politeness;
