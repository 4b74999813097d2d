//! Courant gathers the news of many organisations and brings it to people.
//!
//! ```text
//! sources ─ fetch ─▶ Document ─ extract ─▶ RawFeed ─ normalize ─▶ Entry ─ dedupe, classify ─▶ store
//!                                                                                              │
//!                    merged feed, page ◀─ publish ─ Story ◀────────────────────────────────────┤
//!                    mail ◀─ deliver ─ Delivery ◀─ digest ─ Story ◀────────────────────────────┘
//! ```
//!
//! `ARCHITECTURE.md` says who may import whom, and what always holds.

// The way in.
pub mod app;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod demo;
pub mod telemetry;

// Pipelines, and what drives them.
pub mod history;
pub mod hub;
pub mod little_words;
pub mod mailing;
pub mod probe;
pub mod refresh;
pub mod site;
pub mod web;
pub mod websub;
pub mod worker;

// Stages.
pub mod classify;
pub mod dedupe;
pub mod deliver;
pub mod digest;
pub mod extract;
pub mod fetch;
pub mod normalize;
pub mod publish;
pub mod returns;
pub mod roster;
pub mod store;

// What stages share.
pub mod clock;
pub mod files;
pub mod model;
pub mod phrases;
pub mod templates;
pub mod text;
pub mod view;
