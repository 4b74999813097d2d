//! The pipelines of mail: what is queued for whom (`queue`), how it leaves (`outbox`), who is in the list (`people`), and what
//! comes back (`returns`).

pub mod bounces;
pub mod import;
pub mod outbox;
pub mod queue;
pub mod subscribers;

use jiff::Timestamp;

use crate::deliver::message::Sender;
use crate::model::digest::Newsletter;
use crate::support::templates::Templates;
use crate::view::Catalog;

/// What mail is made with.
#[derive(Clone, Copy)]
pub struct MailContext<'a> {
    pub catalog: Catalog<'a>,
    pub newsletter: &'a Newsletter,
    pub templates: &'a Templates,
    pub sender: &'a Sender,
    pub now: Timestamp,
}
