//! The program from outside: the real binary, a real SQLite file, HTTP and SMTP servers that misbehave on request.
//! `tests/README.md` says how to add a test.

#![allow(clippy::disallowed_macros)] // What is skipped is said by the test itself.

mod accounts;
mod api;
mod api_tokens;
mod browser;
mod calendar;
mod cli;
mod configuration;
mod crash;
mod desk;
mod docs;
mod doubts;
mod exim;
mod fetch;
mod growth;
mod hostile;
mod hub;
mod leaving;
mod listing;
mod locales;
mod mail;
mod mail_sources;
mod manners;
mod message;
mod moving_in;
mod newsletter;
mod object_storage;
mod oddities;
mod on_a_server;
mod oracles;
mod outbox;
mod outlets;
mod packaging;
mod pipeline;
mod private;
mod providers;
mod publishing;
mod rendering;
mod replay;
mod returns;
mod revisits;
mod seed;
mod seeds;
mod signup;
mod sitemap;
mod soak;
mod store;
mod stories;
mod strangers;
mod support;
mod together;
mod topics;
mod validity;
mod websub;
