//! Pipelines: they connect the stages and make no decision that a stage could. They call the store, as do `web`, `app` and `cli`; stages do not.

pub mod alarms;
pub mod desk;
pub mod destination;
pub mod export;
pub mod judging;
pub mod mail;
pub mod maintenance;
pub mod outlets;
pub mod outside;
pub mod partners;
pub mod publish;
pub mod refresh;
pub mod websub;
pub mod worker;
