//! Pipelines: they connect the stages and make no decision that a stage could. Only they and the web server call the store.

pub mod mail;
pub mod maintenance;
pub mod publish;
pub mod refresh;
pub mod websub;
pub mod worker;
