//! The pipelines of mail: what is queued for whom (`queue`), how it leaves (`outbox`), who is in the list (`subscribers`), what comes
//! back (`bounces`), what people answer (`answers`), and how those are welcomed who confirm (`welcome`).

pub mod answers;
pub mod bounces;
mod brake;
pub mod import;
pub mod incident;
pub mod outbox;
pub mod queue;
pub mod subscribers;
pub mod welcome;

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
