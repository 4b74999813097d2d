//! The connections that are kept, and what was found out about each server in this run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::deliver::DeliverError;
use crate::deliver::connection::SmtpConnection;

/// An idle connection.
pub(super) struct Idle {
    pub(super) connection: SmtpConnection,
    pub(super) messages: u32,
    pub(super) place: ConnectionSlot,
}

impl Idle {
    /// Takes leave of the server. The place is freed when the connection is closed.
    pub(super) async fn close(self) {
        let Idle { connection, place, .. } = self;
        connection.quit().await;
        drop(place);
    }
}

/// One of a server's connection slots; dropping it frees the slot.
pub(super) struct ConnectionSlot {
    pub(super) pool: Arc<SmtpPool>,
    pub(super) at: usize,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.pool.state().server(self.at).open -= 1;
        self.pool.changed.notify_waiters();
    }
}

#[derive(Default)]
pub(super) struct ServerState {
    pub(super) idle: Vec<Idle>,
    /// Number of connections open or being opened.
    pub(super) open: usize,
    /// Maximum number of connections the server accepts, as found out in this run.
    pub(super) open_max: Option<usize>,
    /// Whether it accepted a connection in this run.
    pub(super) was_up: bool,
    /// Whether it gave a reply in this run other than a refusal of us. Until then, it gets one message at a time.
    pub(super) is_proven: bool,
    /// Nothing more goes through it in this run, and why.
    pub(super) left_out: Option<DeliverError>,
    /// The pause before each message, as it asked for in this run.
    pub(super) pace: Duration,
    /// Until when it is left alone, and why.
    pub(super) down: Option<(Instant, DeliverError)>,
    /// Balance of the smooth weighted round robin.
    pub(super) owed: i64,
}

impl ServerState {
    pub(super) fn has_room(&self) -> bool {
        !self.is_on_trial() && (!self.idle.is_empty() || self.open_max.is_none_or(|most| self.open < most))
    }

    /// Its first answer is waited for.
    pub(super) fn is_on_trial(&self) -> bool {
        !self.is_proven && self.open > self.idle.len()
    }

    /// Why nothing goes through it now.
    pub(super) fn out(&self) -> Option<&DeliverError> {
        let down = self.down.as_ref().filter(|(until, _)| *until > Instant::now()).map(|(_, why)| why);
        self.left_out.as_ref().or(down)
    }
}

#[derive(Default)]
pub(super) struct SmtpPoolState {
    pub(super) servers: HashMap<usize, ServerState>,
}

impl SmtpPoolState {
    pub(super) fn server(&mut self, at: usize) -> &mut ServerState {
        self.servers.entry(at).or_default()
    }
}

#[derive(Default)]
pub(super) struct SmtpPool {
    state: Mutex<SmtpPoolState>,
    /// A connection is idle, or there is room for one.
    pub(super) changed: Notify,
}

impl SmtpPool {
    pub(super) fn state(&self) -> MutexGuard<'_, SmtpPoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
