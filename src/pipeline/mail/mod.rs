//! Mail pipelines: queueing (`queue`), sending (`outbox`), when to stop sending (`brake`), mail hold-ups (`incident`), deleting old
//! mail (`forget`), mails that somebody wrote (`campaigns`), the question whether subscribers still want theirs (`reengagement`), what is new as editors shape it (`news`), drafts for editors (`drafts`), reports to partners (`partners`), the list of subscribers (`subscribers`), what is noted of them (`profiles`) and its import (`import`), welcome mail (`welcome`), returned mail
//! (`bounces`), replies (`answers`), and what these two share (`returned`).

pub mod bounces;
mod brake;
pub mod campaigns;
mod crowd;
pub mod drafts;
pub mod forget;
pub mod import;
pub mod inbound;
pub mod incident;
pub(crate) mod news;
pub mod outbox;
pub mod partners;
pub mod profiles;
pub mod queue;
pub mod reengagement;
pub mod replies;
pub mod subscribers;
pub mod welcome;

use jiff::Timestamp;

use crate::deliver::message::Sender;
use crate::model::color::Color;
use crate::model::digest::Newsletter;
use crate::model::story::Story;
use crate::pipeline::desk;
use crate::store::{Store, StoreError};
use crate::support::templates::Templates;
use crate::view::{Catalog, coming_window};

/// What mail is composed with.
#[derive(Clone, Copy)]
pub struct MailContext<'a> {
    pub catalog: Catalog<'a>,
    pub newsletter: &'a Newsletter,
    pub templates: &'a Templates,
    pub sender: &'a Sender,
    /// Of links (`[brand]`).
    pub accent: Color,
    pub now: Timestamp,
}

/// Events that are looked at for what is coming up.
const COMING_STORIES_MAX: usize = 200;

impl MailContext<'_> {
    /// The events that a digest shows as coming up.
    fn coming(&self, store: &Store) -> Result<Vec<Story>, StoreError> {
        let Some((from, to)) = coming_window(self.catalog.channel, self.now) else { return Ok(Vec::new()) };
        store.read(|r| desk::mailed(r, r.entries().coming(from, to, COMING_STORIES_MAX)?))
    }
}
