//! The web part. It serves what was published; it reads no store.

pub mod server;
