//! The types that travel between stages, with their constructors. No input or output, no clock, and nothing
//! of ours from outside this folder but `text`.

pub mod address;
pub mod channel;
pub mod digest;
pub mod entry;
pub mod feed;
pub mod filter;
pub mod guard;
pub mod key;
pub mod keys;
pub mod mail_address;
pub mod publication;
pub mod refusal;
pub mod schedule;
pub mod sketch;
pub mod source;
pub mod story;
pub mod subscriber;
pub mod subscription;
pub mod token;
pub mod topic;
