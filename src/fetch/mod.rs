//! Fetches documents from the network, within limits, politely, and only from permitted addresses. Knows no feed and no store.

mod certificates;
pub mod client;
mod connectors;
mod cookies;
mod decode;
mod fetch_error;
mod headers;
pub mod host_limits;
pub mod names;
pub mod politeness;
pub mod renderer;
mod resolver;
pub mod robots;
