//! Documents from the network: under limits, politely, and from where we may. Knows no feed and no store.

pub mod client;
mod decode;
pub mod gate;
mod headers;
pub mod politeness;
pub mod renderer;
mod resolver;
pub mod robots;
