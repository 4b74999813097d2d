//! Courant gathers the news of many organisations and brings it to people.
//!
//! ```text
//! sources ─ fetch ─▶ Document ─ extract ─▶ RawFeed ─ normalize ─▶ Entry ─ dedupe, classify ─▶ store
//!                                                                                              │
//!                    merged feed, page ◀─ publish ─ Story ◀────────────────────────────────────┤
//!                    webhooks, chats ◀─ post ─ Story ◀─────────────────────────────────────────┤
//!                    mail ◀─ deliver ─ Delivery ◀─ digest ─ Story ◀────────────────────────────┘
//! ```
//!
//! `ARCHITECTURE.md` describes who may import whom, and the invariants.

// Entry points.
pub mod app;
pub mod cli;
pub mod config;

// Pipelines connect the stages; the web server.
pub mod pipeline;
pub mod web;

// Stages.
pub mod bounces;
pub mod campaign;
pub mod classify;
pub mod dedupe;
pub mod deliver;
pub mod digest;
pub mod export;
pub mod extract;
pub mod fetch;
pub mod normalize;
pub mod post;
pub mod publish;
pub mod store;
pub mod subscriber_csv;

// Shared by stages.
pub mod model;
pub mod support;
pub mod view;
