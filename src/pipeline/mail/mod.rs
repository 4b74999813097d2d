//! Mail pipelines: queueing (`queue`), sending (`outbox`), the list of subscribers (`subscribers`) and its import (`import`),
//! returned mail (`bounces`), replies (`answers`), and welcome mails (`welcome`).

pub mod answers;
pub mod bounces;
pub mod import;
pub mod outbox;
pub mod queue;
pub mod subscribers;
pub mod welcome;

use jiff::Timestamp;

use crate::deliver::message::Sender;
use crate::model::digest::Newsletter;
use crate::support::templates::Templates;
use crate::view::Catalog;

/// What mail is composed with.
#[derive(Clone, Copy)]
pub struct MailContext<'a> {
    pub catalog: Catalog<'a>,
    pub newsletter: &'a Newsletter,
    pub templates: &'a Templates,
    pub sender: &'a Sender,
    pub now: Timestamp,
}
