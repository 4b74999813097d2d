//! The types exchanged between stages, with their constructors. No input or output, no clock, and no imports of ours from
//! outside this folder except `support`.

pub mod account;
pub mod address;
pub mod alarm;
pub mod api_token;
pub mod bucket_url;
pub mod campaign;
pub mod channel;
pub mod desk;
pub mod digest;
pub mod entry;
pub mod event;
pub mod feed;
pub mod filter;
pub mod guard;
pub mod key;
pub mod keys;
pub mod mail_address;
pub mod outlet;
pub mod profile;
pub mod publication;
pub mod redirect;
pub mod refusal;
pub mod schedule;
pub mod segment;
pub mod sketch;
pub mod source;
pub mod store_url;
pub mod story;
pub mod subscriber;
pub mod subscription;
pub mod table;
pub mod token;
pub mod topic;
pub mod valid;
