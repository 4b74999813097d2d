//! SMTP over kept connections to one server or several: by weight, with failover, within rates. The connections are our
//! own, for lettre's pool leaves Nagle's algorithm on: each message then waits 40 ms for an acknowledgement.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, MailParameter};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::DeliverError;
use super::refusal::{Command, Refusal, enhanced, refusal};

/// For connecting, with TLS and AUTH.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// The server ends the conversation (RFC 5321 section 3.8).
const CLOSING: u16 = 421;
/// A server that cannot be reached is left alone for so long.
const DOWN: Duration = Duration::from_secs(60);
/// Messages over one connection: many servers hang up after a hundred.
const MESSAGES_PER_CONNECTION: u32 = 100;

/// Where an SMTP server is and how to speak to it.
pub struct SmtpSettings<'a> {
    /// `smtp://host:port`, with `?tls=required` or `?tls=none`; `smtps://host:port`; `weight=N`.
    pub url: &'a Url,
    pub username: Option<&'a str>,
    pub password: Option<&'a str>,
    /// A PEM file of a certificate authority of the operator's own, read.
    pub extra_root_pem: Option<&'a [u8]>,
}

/// How fast mail may leave, in messages a second; 0 is as fast as it goes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rates {
    pub total: f64,
    /// To the recipients of one domain.
    pub per_domain: f64,
}

enum Security {
    None,
    Opportunistic(TlsParameters),
    Required(TlsParameters),
    Wrapper(Arc<rustls::ClientConfig>),
}

struct Server {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    weight: u32,
}

struct Idle {
    connection: AsyncSmtpConnection,
    messages: u32,
}

#[derive(Default)]
struct ConnectionState {
    idle: HashMap<usize, Vec<Idle>>,
    down_until: HashMap<usize, Instant>,
    /// Smooth weighted round robin: what each server has been owed.
    owed: HashMap<usize, i64>,
    next_total: Option<Instant>,
    next_by_domain: HashMap<String, Instant>,
}

/// The servers and the connections to them.
pub struct Smtp {
    servers: Vec<Server>,
    rates: Rates,
    /// For each answer.
    timeout: Duration,
    hello: ClientId,
    state: Mutex<ConnectionState>,
}

impl Smtp {
    /// # Errors
    /// When an address or a certificate is unusable; in words.
    pub fn new(servers: &[SmtpSettings], rates: Rates, timeout: Duration) -> Result<Smtp, String> {
        let servers = servers.iter().map(server).collect::<Result<Vec<_>, _>>()?;
        Ok(Smtp { servers, rates, timeout, hello: ClientId::default(), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, ConnectionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a message over. A server that cannot be reached costs a try at the next one. After `stop` nothing is handed over any
    /// more; what the server was already told to take goes on to its end.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn send(
        &self,
        envelope: &Envelope,
        message: &str,
        stop: &CancellationToken,
    ) -> Result<(), DeliverError> {
        let agreed = tokio::select! {
            biased;
            () = stop.cancelled() => Err(DeliverError::Stopped),
            agreed = self.agree(envelope) => agreed,
        };
        let (at, idle) = agreed?;
        self.hand_over(at, idle, message).await
    }

    /// Finds a server that agrees to take a message, up to its word to go on; answers which, with the connection.
    async fn agree(&self, envelope: &Envelope) -> Result<(usize, Idle), DeliverError> {
        self.pace(envelope).await;
        let mut last = DeliverError::Unavailable("no mail server can be reached now".into());
        // Each server once, and once more for a kept connection that was closed in the meantime.
        for _ in 0..2 * self.servers.len() + 1 {
            let Some(at) = self.choose() else { return Err(last) };
            let kept = self.state().idle.get_mut(&at).and_then(Vec::pop);
            let was_kept = kept.is_some();
            let mut idle = match kept {
                Some(idle) => idle,
                None => match self.connect(at).await {
                    Ok(connection) => Idle { connection, messages: 0 },
                    Err(error) => {
                        last = error;
                        self.state().down_until.insert(at, Instant::now() + DOWN);
                        continue;
                    }
                },
            };
            let told = tokio::time::timeout(self.timeout, tell(&mut idle.connection, envelope)).await;
            match told {
                Ok(Ok(())) => return Ok((at, idle)),
                Ok(Err((command, error)))
                    if error.status().is_some_and(|code| u16::from(code) != CLOSING) =>
                {
                    // The server spoke: the connection may go on, this message does not.
                    if tokio::time::timeout(self.timeout, idle.connection.command(Rset))
                        .await
                        .is_ok_and(|reset| reset.is_ok())
                    {
                        self.keep(at, idle);
                    }
                    return Err(judged(command, &error));
                }
                // Closed in the meantime, and with it all the others that were kept: nothing of this message was taken.
                Ok(Err(_)) if was_kept => drop(self.state().idle.remove(&at)),
                Ok(Err((_, error))) => {
                    return Err(DeliverError::Unavailable(format!(
                        "the connection to the mail server broke: {}",
                        causes(&error)
                    )));
                }
                Err(_) => {
                    return Err(DeliverError::Unavailable(format!(
                        "the mail server did not answer within {} s",
                        self.timeout.as_secs()
                    )));
                }
            }
        }
        Err(last)
    }

    /// The message itself, after the server agreed to take it. When its last answer never comes, it may have been taken.
    async fn hand_over(&self, at: usize, mut idle: Idle, message: &str) -> Result<(), DeliverError> {
        match tokio::time::timeout(self.timeout, idle.connection.command(Stuffed(message))).await {
            Ok(Ok(_)) => {
                idle.messages += 1;
                self.keep(at, idle);
                Ok(())
            }
            Ok(Err(error)) if error.status().is_some() => {
                self.keep(at, idle);
                Err(judged(Command::Data, &error))
            }
            Ok(Err(error)) => Err(DeliverError::Uncertain(format!(
                "the connection broke before the mail server said whether it took the message: {}",
                causes(&error)
            ))),
            Err(_) => Err(DeliverError::Uncertain(format!(
                "the mail server did not say within {} s whether it took the message",
                self.timeout.as_secs()
            ))),
        }
    }

    /// Says good-bye on all connections.
    pub async fn close(&self) {
        let idle: Vec<Idle> = std::mem::take(&mut self.state().idle).into_values().flatten().collect();
        for mut idle in idle {
            let _ = tokio::time::timeout(Duration::from_secs(2), idle.connection.quit()).await;
        }
    }

    fn keep(&self, at: usize, idle: Idle) {
        if idle.messages < MESSAGES_PER_CONNECTION {
            self.state().idle.entry(at).or_default().push(idle);
        } else {
            let mut connection = idle.connection;
            tokio::spawn(async move {
                drop(tokio::time::timeout(Duration::from_secs(2), connection.quit()).await)
            });
        }
    }

    /// The server whose turn it is, among those that are up.
    fn choose(&self) -> Option<usize> {
        let mut state = self.state();
        let now = Instant::now();
        let up: Vec<usize> = (0..self.servers.len())
            .filter(|at| state.down_until.get(at).is_none_or(|until| *until <= now))
            .collect();
        let total: i64 = up.iter().map(|at| i64::from(self.servers[*at].weight)).sum();
        for at in &up {
            *state.owed.entry(*at).or_default() += i64::from(self.servers[*at].weight);
        }
        let best = up
            .into_iter()
            .max_by_key(|at| (state.owed.get(at).copied().unwrap_or(0), std::cmp::Reverse(*at)))?;
        *state.owed.entry(best).or_default() -= total;
        Some(best)
    }

    /// Waits for the turn of a message, in the order of the callers.
    async fn pace(&self, envelope: &Envelope) {
        let step = |rate: f64| (rate > 0.0).then(|| Duration::from_secs_f64(1.0 / rate));
        let until = {
            let mut state = self.state();
            let now = Instant::now();
            let mut until = now;
            if let Some(step) = step(self.rates.per_domain) {
                let domain =
                    envelope.to().first().map(|to| to.domain().to_ascii_lowercase()).unwrap_or_default();
                let next = state.next_by_domain.entry(domain).or_insert(now);
                until = until.max(*next);
                *next = until + step;
            }
            if let Some(step) = step(self.rates.total) {
                until = until.max(state.next_total.unwrap_or(now));
                state.next_total = Some(until + step);
            }
            until
        };
        if until > Instant::now() {
            tokio::time::sleep_until(until).await;
        }
    }

    async fn connect(&self, at: usize) -> Result<AsyncSmtpConnection, DeliverError> {
        let server = &self.servers[at];
        let result = tokio::time::timeout(CONNECT_TIMEOUT, self.connect_now(server)).await;
        let said = match result {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(said)) => said,
            Err(_) => format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
        };
        Err(DeliverError::Unavailable(format!(
            "the mail server {}:{} cannot be used now: {said}",
            server.host, server.port
        )))
    }

    async fn connect_now(&self, server: &Server) -> Result<AsyncSmtpConnection, String> {
        let stream = TcpStream::connect((server.host.as_str(), server.port))
            .await
            .map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let stream: Box<dyn AsyncTokioStream> = match &server.security {
            Security::Wrapper(config) => {
                let name = rustls::pki_types::ServerName::try_from(server.host.clone())
                    .map_err(|error| error.to_string())?;
                let tls = tokio_rustls::TlsConnector::from(config.clone())
                    .connect(name, stream)
                    .await
                    .map_err(|error| error.to_string())?;
                Box::new(Wrapped(tls))
            }
            _ => Box::new(stream),
        };
        let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &self.hello)
            .await
            .map_err(|error| causes(&error))?;
        let upgrade = match &server.security {
            Security::Required(parameters) => Some(parameters),
            Security::Opportunistic(parameters) if connection.can_starttls() => Some(parameters),
            _ => None,
        };
        if let Some(parameters) = upgrade {
            connection.starttls(parameters.clone(), &self.hello).await.map_err(|error| causes(&error))?;
        }
        if let Some(credentials) = &server.credentials {
            connection
                .auth(DEFAULT_MECHANISMS, credentials)
                .await
                .map_err(|error| format!("it refuses the login: {}", causes(&error)))?;
        }
        Ok(connection)
    }
}

fn server(settings: &SmtpSettings) -> Result<Server, String> {
    let url = settings.url;
    let host = url.host_str().ok_or("the SMTP address names no host")?.trim_matches(['[', ']']).to_owned();
    let parameter = |wanted: &str| {
        url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let parameters = || {
        let mut builder = TlsParameters::builder(host.clone());
        if let Some(pem) = settings.extra_root_pem {
            builder = builder.add_root_certificate(
                Certificate::from_pem(pem)
                    .map_err(|error| format!("the CA file is no certificate: {error}"))?,
            );
        }
        builder.build().map_err(|error| format!("TLS cannot be set up: {error}"))
    };
    let (security, port) = match (url.scheme(), parameter("tls").as_deref()) {
        ("smtps", _) => (Security::Wrapper(client_config(settings.extra_root_pem)?), 465),
        (_, Some("required")) => (Security::Required(parameters()?), 587),
        (_, Some("none")) => (Security::None, 25),
        (_, None | Some("opportunistic")) => (Security::Opportunistic(parameters()?), 25),
        (_, Some(other)) => {
            return Err(format!("tls={other} is unknown: write required, opportunistic or none"));
        }
    };
    let username = settings
        .username
        .map(str::to_owned)
        .or_else(|| Some(url.username().to_owned()).filter(|name| !name.is_empty()));
    let password = settings.password.or_else(|| url.password());
    let credentials =
        username.zip(password).map(|(username, password)| Credentials::new(username, password.to_owned()));
    let weight = parameter("weight")
        .map_or(Ok(1), |weight| weight.parse().map_err(|_| format!("weight={weight} is no number")))?;
    Ok(Server { host, port: url.port().unwrap_or(port), security, credentials, weight: weight.max(1) })
}

/// TLS from the first byte, trusting what this machine trusts and the operator's own authority.
///
/// # Errors
/// When the authority is none, in words.
pub fn client_config(extra_root_pem: Option<&[u8]>) -> Result<Arc<rustls::ClientConfig>, String> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in extra_root_pem.into_iter().flat_map(CertificateDer::pem_slice_iter) {
        let certificate = certificate.map_err(|error| format!("the CA file is no certificate: {error}"))?;
        roots.add(certificate).map_err(|error| format!("the CA file cannot be used: {error}"))?;
    }
    Ok(Arc::new(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

/// A TLS stream that lettre takes for a connection.
#[derive(Debug)]
struct Wrapped(TlsStream<TcpStream>);

impl AsyncTokioStream for Wrapped {
    fn peer_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.get_ref().0.peer_addr()
    }
}

impl AsyncRead for Wrapped {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wrapped {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }
}

/// A message as it travels, with its dots doubled and its end (RFC 5321 section 4.5.2): written at once and not byte by byte,
/// which is what lettre's own way costs the most time with.
struct Stuffed<'a>(&'a str);

impl std::fmt::Display for Stuffed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.0;
        if rest.starts_with('.') {
            f.write_str(".")?;
        }
        while let Some(at) = memchr::memmem::find(rest.as_bytes(), b"\r\n.") {
            f.write_str(&rest[..at + 3])?;
            f.write_str(".")?;
            rest = &rest[at + 3..];
        }
        f.write_str(rest)?;
        f.write_str(if self.0.ends_with("\r\n") { ".\r\n" } else { "\r\n.\r\n" })
    }
}

/// Whom a message is from and to, up to the server's word to go on (RFC 5321 section 3.3).
async fn tell(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
) -> Result<(), (Command, lettre::transport::smtp::Error)> {
    // Whether the server can take such an address is its own to say.
    let is_ascii = envelope
        .from()
        .into_iter()
        .chain(envelope.to())
        .all(|address| AsRef::<str>::as_ref(address).is_ascii());
    let options = if !is_ascii { vec![MailParameter::SmtpUtfEight] } else { Vec::new() };
    let at = |command: Command| move |error| (command, error);
    connection.command(Mail::new(envelope.from().cloned(), options)).await.map_err(at(Command::Mail))?;
    for to in envelope.to() {
        connection.command(Rcpt::new(to.clone(), Vec::new())).await.map_err(at(Command::Rcpt))?;
    }
    connection.command(Data).await.map_err(at(Command::Data))?;
    Ok(())
}

/// What a refusal means for the message.
fn judged(command: Command, error: &lettre::transport::smtp::Error) -> DeliverError {
    let code = error.status().map_or(0, u16::from);
    let words = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let said = causes(error);
    match refusal(command, code, enhanced(&words), &words) {
        Refusal::NoRecipient => {
            DeliverError::NoMailbox(format!("the mail server knows no such mailbox: {said}"))
        }
        Refusal::Mailbox => DeliverError::Temporary(format!("the mailbox does not take it now: {said}")),
        Refusal::Busy => DeliverError::Unavailable(format!("the mail server does not take it now: {said}")),
        Refusal::Us => DeliverError::RefusesUs(format!("the mail server refuses us or the message: {said}")),
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(cause) = inner {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        inner = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smtp(urls: &[&str]) -> Result<Smtp, String> {
        let urls: Vec<Url> = urls.iter().map(|url| Url::parse(url).unwrap()).collect();
        let settings: Vec<SmtpSettings> = urls
            .iter()
            .map(|url| SmtpSettings { url, username: None, password: None, extra_root_pem: None })
            .collect();
        Smtp::new(&settings, Rates::default(), Duration::from_secs(1))
    }

    #[test]
    fn servers_take_turns_by_weight_and_the_next_one_steps_in() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let smtp = smtp(&["smtp://a.example?weight=3", "smtp://b.example"]).unwrap();
        let turns: Vec<usize> = (0..8).filter_map(|_| smtp.choose()).collect();
        assert_eq!(turns.iter().filter(|at| **at == 0).count(), 6, "{turns:?}");
        smtp.state().down_until.insert(0, Instant::now() + DOWN);
        assert_eq!((0..4).filter_map(|_| smtp.choose()).collect::<Vec<_>>(), [1, 1, 1, 1]);
        smtp.state().down_until.insert(1, Instant::now() + DOWN);
        assert_eq!(smtp.choose(), None);
    }

    #[test]
    fn dots_at_the_start_of_a_line_are_doubled_and_the_end_is_one_dot() {
        for (message, want) in [
            ("a\r\n.\r\n..b\r\nc.\r\n", "a\r\n..\r\n...b\r\nc.\r\n.\r\n"),
            (".a", "..a\r\n.\r\n"),
            ("", "\r\n.\r\n"),
            ("a\r\n.\r\n.\r\n", "a\r\n..\r\n..\r\n.\r\n"),
        ] {
            assert_eq!(Stuffed(message).to_string(), want);
        }
    }

    #[test]
    fn faults_of_an_address_are_explained() {
        assert!(
            smtp(&["smtp://a.example?tls=maybe"]).err().unwrap().contains("required, opportunistic or none")
        );
        assert!(smtp(&["smtp://a.example?weight=much"]).err().unwrap().contains("no number"));
    }
}
