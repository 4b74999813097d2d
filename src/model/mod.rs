//! The types that travel between stages, with their constructors. No input or output, no clock, and nothing
//! of ours from outside this folder.

pub mod entry;
pub mod feed;
