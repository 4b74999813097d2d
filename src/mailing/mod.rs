//! The pipelines of mail: what is queued for whom (`queue`), how it leaves (`outbox`), who is in the list (`people`), and what
//! comes back (`returns`).

pub mod outbox;
pub mod people;
pub mod queue;
pub mod returns;

use jiff::Timestamp;

use crate::deliver::message::Sender;
use crate::model::digest::Newsletter;
use crate::templates::Templates;
use crate::view::Frame;

/// What mail is made with.
#[derive(Clone, Copy)]
pub struct Press<'a> {
    pub frame: Frame<'a>,
    pub newsletter: &'a Newsletter,
    pub templates: &'a Templates,
    pub sender: &'a Sender,
    pub now: Timestamp,
}
