//! Mail servers, one or several: by weight, with failover, and with no more connections than each of them takes.

mod judgement;
mod message;
mod pool;
mod server;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lettre::address::Envelope;
use lettre::transport::smtp::extension::ClientId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::judgement::{is_closing, is_crowded, is_final, is_spent, judged, may_be_its_own, not_taken};
use self::message::{DotStuffed, send_envelope, unsupported_address};
use self::pool::{ConnectionSlot, Idle, SmtpPool};
use self::server::Server;
pub use self::server::{SettingsError, SmtpSettings};
use super::connection::{CLOSING, ConnectionOptions, Security, SmtpConnection, SmtpFault};
use super::{DeliverError, SendAttempt};
use crate::model::refusal::{OwnIdentity, Parties, SmtpCommand};
use crate::support::certificate::CertificateObserver;

/// Timeout of connecting, including TLS and AUTH.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a server that cannot be reached is skipped.
const DOWN: Duration = Duration::from_secs(60);
/// Pauses before a server that accepted connections earlier in this run, and accepts none now, counts as down.
const PAUSES: [Duration; 3] = [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4)];
/// Messages per connection: many servers hang up after a hundred.
const MESSAGES_PER_CONNECTION: u32 = 100;

/// How to get a connection.
enum AcquireStep {
    Take(Idle),
    /// Open one; another idle connection may have to be closed first.
    Open(ConnectionSlot, Option<Idle>),
    Wait,
    Down(DeliverError),
}

/// The servers and the connections to them.
pub struct Smtp {
    servers: Vec<Server>,
    /// For each answer.
    timeout: Duration,
    hello: String,
    /// What a server may name that is ours.
    ours: OwnIdentity,
    pool: Arc<SmtpPool>,
}

/// What became of a message that a server answered so.
fn refused_attempt(
    at: usize,
    command: SmtpCommand,
    fault: &SmtpFault,
    parties: &Parties<'_>,
) -> Box<SendAttempt> {
    let is_named = matches!(command, SmtpCommand::Rcpt | SmtpCommand::Data);
    Box::new(SendAttempt { is_named, ..SendAttempt::by(Some(at), Err(judged(command, fault, parties))) })
}

impl Smtp {
    /// # Errors
    /// When an address, a certificate or the login is unusable.
    pub fn new(
        servers: &[SmtpSettings],
        timeout: Duration,
        ours: OwnIdentity,
    ) -> Result<Smtp, SettingsError> {
        let servers = servers.iter().map(Server::new).collect::<Result<Vec<_>, _>>()?;
        Ok(Smtp { servers, timeout, hello: ClientId::default().to_string(), ours, pool: Arc::default() })
    }

    /// Hands a message over. A server that cannot be reached, or does not take it, costs a try at the next one, whatever it says: it may
    /// be sick, and know nobody. After `stop` nothing is handed over any more; what the server was already told to take goes on to its
    /// end.
    pub async fn send(&self, envelope: &Envelope, message: &str, stop: &CancellationToken) -> SendAttempt {
        let (mut refused_by, mut passed_by) = (Vec::new(), Vec::new());
        let (mut avoided, mut last): (Vec<usize>, Option<SendAttempt>) = (Vec::new(), None);
        loop {
            let sending = self.send_once(envelope, message, stop, &avoided).await;
            let other = sending.server.filter(|at| self.has_other(*at, &avoided));
            match (other, &sending.result) {
                (Some(at), Err(DeliverError::RefusesUs(reason))) => {
                    refused_by.push((at, reason.clone()));
                    avoided.push(at);
                }
                (Some(at), Err(DeliverError::Unable(_))) => avoided.push(at),
                (Some(at), Err(error)) if may_be_its_own(error) => {
                    self.note_answer(Some(at), &sending.result);
                    passed_by.push((at, error.to_string()));
                    avoided.push(at);
                    last = Some(sending);
                }
                _ => {
                    // Where no other one can be reached after all, what was said stands.
                    let is_said = matches!(sending.result, Err(DeliverError::Unavailable(_)))
                        && sending.server.is_none();
                    let mut sending = if is_said { last.unwrap_or(sending) } else { sending };
                    self.note_answer(sending.server, &sending.result);
                    sending.has_others = sending.server.is_some_and(|at| self.has_other(at, &[]));
                    (sending.refused_by, sending.passed_by) = (refused_by, passed_by);
                    return sending;
                }
            }
        }
    }

    /// Hands a message to the server whose turn it is. Answers which one that was.
    async fn send_once(
        &self,
        envelope: &Envelope,
        message: &str,
        stop: &CancellationToken,
        avoided: &[usize],
    ) -> SendAttempt {
        let recipients: Vec<String> = envelope.to().iter().map(ToString::to_string).collect();
        let parties = Parties { ours: &self.ours, recipients: &recipients };
        let (mut is_fresh, mut slower) = (false, PAUSES.iter());
        loop {
            let agreed = tokio::select! {
                biased;
                () = stop.cancelled() => return SendAttempt::by(None, Err(DeliverError::Stopped)),
                agreed = self.open_transaction(envelope, &parties, is_fresh, avoided) => agreed,
            };
            let (idle, was_kept) = match agreed {
                Ok(agreed) => agreed,
                Err(failed) => return *failed,
            };
            let at = idle.place.at;
            match self.hand_over(idle, message).await {
                // The server closed this connection without taking the message; a new one may work.
                Err((SmtpFault::Refused(reply), _)) if reply.code == CLOSING && was_kept && !is_fresh => {
                    is_fresh = true
                }
                Err((fault, Some(idle))) if idle.messages > 0 && is_spent(&fault) => {
                    idle.close().await;
                    is_fresh = true;
                }
                Err((fault, Some(idle))) => {
                    if !self.keep_or_slow_down(idle, &fault, &mut slower).await {
                        return SendAttempt::of_named(at, Err(not_taken(&fault, &parties)));
                    }
                }
                Err((fault, None)) => return SendAttempt::of_named(at, Err(not_taken(&fault, &parties))),
                Ok(()) => return SendAttempt::of_named(at, Ok(())),
            }
        }
    }

    /// More connections than one are for a server that does not refuse us.
    fn note_answer(&self, server: Option<usize>, result: &Result<(), DeliverError>) {
        let is_good = matches!(
            result,
            Ok(()) | Err(DeliverError::Temporary(_) | DeliverError::Declined(_) | DeliverError::Unable(_))
        );
        if let Some(at) = server.filter(|_| is_good) {
            self.pool.state().server(at).is_proven = true;
            self.pool.changed.notify_waiters();
        }
    }

    /// Whether there is a server that may take a message which this one and those refused.
    fn has_other(&self, at: usize, avoided: &[usize]) -> bool {
        let mut state = self.pool.state();
        (0..self.servers.len())
            .any(|other| other != at && !avoided.contains(&other) && state.server(other).out().is_none())
    }

    /// Sends nothing more through a server until the end of the run. Answers whether there is another one.
    pub fn leave_out(&self, at: usize, reason: &str) -> bool {
        let mut state = self.pool.state();
        state.server(at).left_out = Some(DeliverError::RefusesUs(reason.to_owned()));
        let others = (0..self.servers.len()).any(|other| state.server(other).left_out.is_none());
        self.pool.changed.notify_waiters();
        others
    }

    /// What a server is called.
    pub fn server_name(&self, at: usize) -> String {
        self.servers.get(at).map(|server| format!("{}:{}", server.host, server.port)).unwrap_or_default()
    }

    /// Finds a server that agrees to take a message, up to its word to go on; answers with the connection, and whether it was a kept
    /// one.
    async fn open_transaction(
        &self,
        envelope: &Envelope,
        parties: &Parties<'_>,
        is_fresh: bool,
        avoided: &[usize],
    ) -> Result<(Idle, bool), Box<SendAttempt>> {
        let (mut is_fresh, mut slower) = (is_fresh, PAUSES.iter());
        let failed = |at: Option<usize>, error| Box::new(SendAttempt::by(at, Err(error)));
        let answered = |at, command, fault: &SmtpFault| refused_attempt(at, command, fault, parties);
        let mut last = failed(None, DeliverError::Unavailable("no mail server can be reached now".into()));
        // Each server once, and once more for a kept connection that was closed in the meantime.
        let mut tries = 2 * self.servers.len() + 1;
        while tries > 0 {
            tries -= 1;
            let at = self.choose(avoided).map_err(|error| failed(None, error))?;
            let (mut idle, was_kept) = match self.connection(at, is_fresh).await {
                Ok(found) => found,
                Err(error) => {
                    last = failed(Some(at), error);
                    continue;
                }
            };
            if let Some(error) = unsupported_address(&idle.connection, envelope) {
                self.keep(idle);
                return Err(failed(Some(at), error));
            }
            let pace = self.pool.state().server(at).pace;
            tokio::time::sleep(pace).await;
            match send_envelope(&mut idle.connection, envelope).await {
                Ok(()) => return Ok((idle, was_kept)),
                // It had as many messages over this connection as it takes.
                Err((_, fault)) if idle.messages > 0 && is_spent(&fault) => {
                    idle.close().await;
                    (is_fresh, tries) = (true, tries + 1);
                }
                Err((command, fault @ SmtpFault::Refused(_))) if !is_closing(&fault) => {
                    // The server replied: the connection is fine, but this message is refused.
                    let is_fine = idle.connection.ask("RSET", 200..=299).await.is_ok();
                    if is_fine && self.keep_or_slow_down(idle, &fault, &mut slower).await {
                        tries += 1;
                        continue;
                    }
                    return Err(answered(at, command, &fault));
                }
                // The reused connection was closed without taking anything of this message; a new one is opened.
                Err(_) if was_kept => is_fresh = true,
                // One connection too many, and the server says so late. There are fewer each time, until this one is alone.
                Err((_, fault)) if self.reduce_connections(at, &fault) => {
                    last = answered(at, SmtpCommand::Connect, &fault);
                    tries += 1;
                }
                Err((command, fault)) => return Err(answered(at, command, &fault)),
            }
        }
        Err(last)
    }

    /// A connection to a server: a reused one, or a new one with `is_fresh`. If the server accepts no more, waits for one in use
    /// to become free.
    async fn connection(&self, at: usize, is_fresh: bool) -> Result<(Idle, bool), DeliverError> {
        let mut pauses = PAUSES.iter();
        loop {
            let changed = self.pool.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.step(at, is_fresh) {
                AcquireStep::Take(idle) => return Ok((idle, true)),
                AcquireStep::Wait => changed.await,
                AcquireStep::Down(reason) => return Err(reason),
                AcquireStep::Open(place, replaced) => {
                    if let Some(replaced) = replaced {
                        // The slot is freed when the connection is closed.
                        replaced.connection.quit().await;
                    }
                    let (command, fault) = match self.open(at).await {
                        Ok(connection) => {
                            self.pool.state().server(at).was_up = true;
                            return Ok((Idle { connection, messages: 0, place }, false));
                        }
                        Err(failed) => failed,
                    };
                    if self.reduce_connections(at, &fault) {
                        drop(place);
                        continue;
                    }
                    let was_up = self.pool.state().server(at).was_up;
                    let is_busy = was_up && !matches!(fault, SmtpFault::Unusable(_)) && !is_final(&fault);
                    if let Some(pause) = pauses.next().filter(|_| is_busy) {
                        drop(place);
                        tokio::time::sleep(*pause).await;
                        continue;
                    }
                    let reason = self.out_of_use(at, command, &fault);
                    self.pool.state().server(at).down = Some((Instant::now() + DOWN, reason.clone()));
                    return Err(reason);
                }
            }
        }
    }

    fn step(&self, at: usize, is_fresh: bool) -> AcquireStep {
        let mut state = self.pool.state();
        let server = state.server(at);
        if let Some(reason) = server.out() {
            return AcquireStep::Down(reason.clone());
        }
        if server.is_on_trial() {
            return AcquireStep::Wait;
        }
        if !is_fresh && let Some(idle) = server.idle.pop() {
            return AcquireStep::Take(idle);
        }
        let is_full = server.open_max.is_some_and(|most| server.open >= most);
        let replaced = if is_full { server.idle.pop() } else { None };
        if is_full && replaced.is_none() {
            return AcquireStep::Wait;
        }
        server.open += 1;
        AcquireStep::Open(ConnectionSlot { pool: self.pool.clone(), at }, replaced)
    }

    /// Lowers the maximum number of connections after a failure, if others are open; `false` if there are none.
    fn reduce_connections(&self, at: usize, fault: &SmtpFault) -> bool {
        if matches!(fault, SmtpFault::Unusable(_)) || is_final(fault) {
            return false;
        }
        let mut state = self.pool.state();
        let server = state.server(at);
        let others = server.open.saturating_sub(1);
        if others == 0 {
            return false;
        }
        if server.open_max.is_none_or(|most| most > others) {
            server.open_max = Some(others);
            tracing::info!(
                server = self.servers[at].host,
                connections = others,
                "the server takes no more connections"
            );
        }
        true
    }

    /// Keeps a connection, unless the server asks for fewer: then it is closed, or the pace is lowered where it is the only one. Answers
    /// whether the message is to be tried again at once.
    async fn keep_or_slow_down(
        &self,
        idle: Idle,
        fault: &SmtpFault,
        slower: &mut std::slice::Iter<'_, Duration>,
    ) -> bool {
        if !is_crowded(fault) {
            self.keep(idle);
            return false;
        }
        let at = idle.place.at;
        if self.reduce_connections(at, fault) {
            // The place is freed when the connection is closed.
            idle.close().await;
            return true;
        }
        self.keep(idle);
        let pause = slower.next();
        if let Some(pause) = pause {
            let mut state = self.pool.state();
            let server = state.server(at);
            server.pace = server.pace.max(*pause);
        }
        pause.is_some()
    }

    fn options<'a>(&'a self, server: &'a Server) -> ConnectionOptions<'a> {
        ConnectionOptions {
            host: &server.host,
            port: server.port,
            security: &server.security,
            has_ca_file: server.has_ca_file,
            login: server.login.as_ref(),
            hello: &self.hello,
            timeout: self.timeout,
        }
    }

    async fn open(&self, at: usize) -> Result<SmtpConnection, (SmtpCommand, SmtpFault)> {
        let server = &self.servers[at];
        let opening = self.options(server);
        match tokio::time::timeout(CONNECT_TIMEOUT, SmtpConnection::open(&opening)).await {
            Ok(opened) => opened,
            Err(_) => Err((SmtpCommand::Connect, SmtpFault::Silent(CONNECT_TIMEOUT))),
        }
    }

    /// Connects to each server, logs in where there is a user name, and leaves; nothing is sent. Answers what each is called, and how it
    /// went.
    pub async fn try_out(&self) -> Vec<(String, Result<(), String>)> {
        let mut tried = Vec::new();
        for at in 0..self.servers.len() {
            let result = match self.open(at).await {
                Ok(connection) => {
                    connection.quit().await;
                    Ok(())
                }
                Err((command, fault)) => Err(self.out_of_use(at, command, &fault).to_string()),
            };
            tried.push((self.server_name(at), result));
        }
        tried
    }

    /// The servers that are to be spoken to over TLS.
    pub fn tls_servers(&self) -> Vec<usize> {
        let has_tls = |at: &usize| !matches!(self.servers[*at].security, Security::None);
        (0..self.servers.len()).filter(has_tls).collect()
    }

    /// The time for which the certificate of a server holds, whoever signed it. Nobody logs in.
    pub async fn certificate_validity(&self, at: usize) -> Option<(Timestamp, Timestamp)> {
        let server = self.servers.get(at)?;
        let (observer, config) = CertificateObserver::new().ok()?;
        let security = match server.security {
            Security::None => return None,
            Security::Opportunistic(_) => Security::Opportunistic(config),
            Security::Required(_) => Security::Required(config),
            Security::Wrapper(_) => Security::Wrapper(config),
        };
        let opening = ConnectionOptions { security: &security, login: None, ..self.options(server) };
        let opened = tokio::time::timeout(CONNECT_TIMEOUT, SmtpConnection::open(&opening)).await;
        if let Ok(Ok(connection)) = opened {
            connection.quit().await;
        }
        observer.validity()
    }

    /// The error while a server is skipped.
    fn out_of_use(&self, at: usize, command: SmtpCommand, fault: &SmtpFault) -> DeliverError {
        let Server { host, port, .. } = &self.servers[at];
        let login = if command == SmtpCommand::Auth { "it refuses the login: " } else { "" };
        let words = format!("the mail server {host}:{port} cannot be used now: {login}{fault}");
        let nobody = Parties { ours: &self.ours, recipients: &[] };
        match judged(command, fault, &nobody) {
            DeliverError::RefusesUs(_) => DeliverError::RefusesUs(words),
            _ => DeliverError::Unavailable(words),
        }
    }

    /// Sends the message itself, after the server agreed to take it.
    ///
    /// # Errors
    /// With the connection, if it can be used further.
    async fn hand_over(&self, mut idle: Idle, message: &str) -> Result<(), (SmtpFault, Option<Idle>)> {
        let done = idle.connection.ask_raw(DotStuffed(message).to_string().as_bytes(), 200..=299).await;
        match done {
            Ok(_) => {
                idle.messages += 1;
                self.keep(idle);
                Ok(())
            }
            Err(fault @ SmtpFault::Refused(_)) if !is_closing(&fault) => Err((fault, Some(idle))),
            Err(fault) => Err((fault, None)),
        }
    }

    /// Closes all connections. Connection limits are found out anew in the next run.
    pub async fn close(&self) {
        let idle: Vec<Idle> = {
            let mut state = self.pool.state();
            for server in state.servers.values_mut() {
                (server.open_max, server.was_up, server.is_proven, server.left_out) =
                    (None, false, false, None);
                server.pace = Duration::ZERO;
            }
            state.servers.values_mut().flat_map(|server| std::mem::take(&mut server.idle)).collect()
        };
        for idle in idle {
            idle.connection.quit().await;
        }
    }

    fn keep(&self, idle: Idle) {
        if idle.messages < MESSAGES_PER_CONNECTION {
            let at = idle.place.at;
            self.pool.state().server(at).idle.push(idle);
            self.pool.changed.notify_waiters();
        } else {
            tokio::spawn(idle.close());
        }
    }

    /// The server whose turn it is, among those that are up and not to be avoided, and best with room for a connection.
    ///
    /// # Errors
    /// When none is, with the reason of one.
    fn choose(&self, avoided: &[usize]) -> Result<usize, DeliverError> {
        let mut state = self.pool.state();
        let mut reason = None;
        let mut up: Vec<usize> = Vec::new();
        for at in (0..self.servers.len()).filter(|at| !avoided.contains(at)) {
            match state.server(at).out() {
                Some(why) => reason = Some(why.clone()),
                None => up.push(at),
            }
        }
        let roomy: Vec<usize> = up.iter().copied().filter(|at| state.server(*at).has_room()).collect();
        let up = if roomy.is_empty() { up } else { roomy };
        let total: i64 = up.iter().map(|at| i64::from(self.servers[*at].weight)).sum();
        for at in &up {
            state.server(*at).owed += i64::from(self.servers[*at].weight);
        }
        let best = up.into_iter().max_by_key(|at| (state.server(*at).owed, std::cmp::Reverse(*at)));
        let best = best.ok_or_else(|| {
            reason.unwrap_or_else(|| DeliverError::Unavailable("no mail server can be reached now".into()))
        })?;
        state.server(best).owed -= total;
        Ok(best)
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn smtp(urls: &[&str]) -> Result<Smtp, SettingsError> {
        let urls: Vec<Url> = urls.iter().map(|url| Url::parse(url).unwrap()).collect();
        let settings: Vec<SmtpSettings> = urls
            .iter()
            .map(|url| SmtpSettings { url, username: None, secret: None, extra_root_pem: None })
            .collect();
        Smtp::new(&settings, Duration::from_secs(1), OwnIdentity::default())
    }

    #[test]
    fn servers_take_turns_by_weight_and_the_next_one_steps_in() {
        let smtp = smtp(&["smtp://a.example?weight=3", "smtp://b.example"]).unwrap();
        let turns: Vec<usize> = (0..8).filter_map(|_| smtp.choose(&[]).ok()).collect();
        assert_eq!(turns.iter().filter(|at| **at == 0).count(), 6, "{turns:?}");
        let down = |at| {
            let reason = DeliverError::Unavailable("it is down".into());
            smtp.pool.state().server(at).down = Some((Instant::now() + DOWN, reason));
        };
        down(0);
        assert_eq!((0..4).filter_map(|_| smtp.choose(&[]).ok()).collect::<Vec<_>>(), [1, 1, 1, 1]);
        down(1);
        assert_eq!(smtp.choose(&[]), Err(DeliverError::Unavailable("it is down".into())));
    }
}
