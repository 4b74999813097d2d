//! A client connection to a mail server (RFC 5321), with bounded replies. Our own implementation, since lettre's reads replies
//! of any length and supports fewer login mechanisms.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::login::{ChallengeError, Login, LoginError, Mechanism, cram_md5, encoded, plain, xoauth2};
use super::tls;
use crate::model::refusal::{self, SmtpCommand};
use crate::support::text::without_controls;

/// RFC 5321 section 4.5.3.1.5 limits lines to 512 bytes; some servers send longer explanations.
const LINE_BYTES_MAX: usize = 4_096;
const REPLY_BYTES_MAX: usize = 32_768;
/// The server closes the connection (RFC 5321 section 3.8).
pub(super) const CLOSING: u16 = 421;

trait SmtpStream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> SmtpStream for T {}

/// When TLS starts.
pub(super) enum Security {
    None,
    /// STARTTLS if the server offers it.
    Opportunistic(Arc<rustls::ClientConfig>),
    Required(Arc<rustls::ClientConfig>),
    /// From the first byte.
    Wrapper(Arc<rustls::ClientConfig>),
}

/// A reply of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub code: u16,
    lines: Vec<String>,
}

impl Reply {
    /// The text of the reply in one line; an enhanced code repeated on each line is kept once.
    pub(super) fn words(&self) -> String {
        let code = self.lines.first().and_then(|line| line.split(' ').next()).unwrap_or_default();
        let is_code = refusal::enhanced(code).is_some();
        let rest = self.lines.iter().skip(1).map(|line| match line.strip_prefix(code) {
            Some(rest) if is_code => rest.trim_start(),
            _ => line.as_str(),
        });
        let words: Vec<&str> = self.lines.iter().take(1).map(String::as_str).chain(rest).collect();
        // What turns the direction of writing would turn that of ours as well.
        let is_turn = |c: char| matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        words.join(" ").trim().replace(is_turn, "")
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.words())
    }
}

/// Why a conversation failed.
#[derive(Debug)]
pub(super) enum SmtpFault {
    /// The server refused a command.
    Refused(Reply),
    /// The server hung up, or did not speak SMTP.
    Broken(String),
    /// The server did not reply within this time.
    Silent(Duration),
    /// Our settings cannot work with this server.
    Unusable(String),
}

impl std::fmt::Display for SmtpFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SmtpFault::Refused(reply) => reply.fmt(f),
            SmtpFault::Broken(words) | SmtpFault::Unusable(words) => f.write_str(words),
            SmtpFault::Silent(timeout) => write!(f, "no answer within {} s", timeout.as_secs()),
        }
    }
}

impl From<LoginError> for SmtpFault {
    fn from(error: LoginError) -> SmtpFault {
        SmtpFault::Unusable(error.to_string())
    }
}

impl From<ChallengeError> for SmtpFault {
    fn from(error: ChallengeError) -> SmtpFault {
        SmtpFault::Broken(error.to_string())
    }
}

/// Parameters of a connection.
pub(super) struct ConnectionOptions<'a> {
    pub host: &'a str,
    pub port: u16,
    pub security: &'a Security,
    /// Whether the operator named a certificate to trust.
    pub has_ca_file: bool,
    pub login: Option<&'a Login>,
    /// Our host name.
    pub hello: &'a str,
    /// Timeout of each reply.
    pub timeout: Duration,
}

/// An open connection.
pub(super) struct SmtpConnection {
    stream: BufReader<Box<dyn SmtpStream>>,
    timeout: Duration,
    is_encrypted: bool,
    /// Capabilities from the EHLO reply, in upper case.
    offers: Vec<String>,
}

impl SmtpConnection {
    /// Connects and logs in, so that messages can be sent.
    ///
    /// # Errors
    /// The command that failed and the fault; the login counts as a command of its own.
    pub(super) async fn open(
        opening: &ConnectionOptions<'_>,
    ) -> Result<SmtpConnection, (SmtpCommand, SmtpFault)> {
        let fault = |fault| (SmtpCommand::Connect, fault);
        let mut connection = SmtpConnection::connect(opening).await.map_err(fault)?;
        if let Some(login) = opening.login {
            connection.log_in(login).await.map_err(|fault| (SmtpCommand::Auth, fault))?;
        }
        Ok(connection)
    }

    async fn connect(opening: &ConnectionOptions<'_>) -> Result<SmtpConnection, SmtpFault> {
        let broken = |error: std::io::Error| SmtpFault::Broken(error.to_string());
        let stream = TcpStream::connect((opening.host, opening.port)).await.map_err(broken)?;
        // With Nagle's algorithm, each message would wait 40 ms for an acknowledgement.
        stream.set_nodelay(true).map_err(broken)?;
        let mut connection = SmtpConnection {
            stream: BufReader::new(Box::new(stream)),
            timeout: opening.timeout,
            is_encrypted: false,
            offers: Vec::new(),
        };
        if let Security::Wrapper(config) = opening.security {
            connection = connection.encrypted(config, opening).await?;
        }
        let greeting = connection.answered().await?;
        expect(greeting, 200..=299)?;
        connection.introduce(opening.hello).await?;
        let config = match opening.security {
            Security::Required(config) => Some(config),
            Security::Opportunistic(config) if connection.has("STARTTLS") => Some(config),
            _ => None,
        };
        if let Some(config) = config {
            if !connection.has("STARTTLS") {
                return Err(SmtpFault::Unusable(
                    "it offers no TLS, which is required where there is a user name or ?tls=required".into(),
                ));
            }
            connection.ask("STARTTLS", 200..=299).await?;
            connection = connection.encrypted(config, opening).await?;
            connection.introduce(opening.hello).await?;
        }
        Ok(connection)
    }

    async fn encrypted(
        self,
        config: &Arc<rustls::ClientConfig>,
        opening: &ConnectionOptions<'_>,
    ) -> Result<SmtpConnection, SmtpFault> {
        let host = opening.host;
        // What somebody on the way put behind the answer in the clear is not to be taken for the server's (RFC 3207 section 6).
        if !self.stream.buffer().is_empty() {
            return Err(SmtpFault::Broken("it went on speaking before TLS began".into()));
        }
        let name = rustls::pki_types::ServerName::try_from(host.to_owned())
            .map_err(|error| SmtpFault::Unusable(error.to_string()))?;
        let connector = tokio_rustls::TlsConnector::from(config.clone());
        let stream = connector
            .connect(name, self.stream.into_inner())
            .await
            .map_err(|error| SmtpFault::Unusable(tls::explain(&error, host, opening.has_ca_file)))?;
        Ok(SmtpConnection { stream: BufReader::new(Box::new(stream)), is_encrypted: true, ..self })
    }

    async fn introduce(&mut self, hello: &str) -> Result<(), SmtpFault> {
        let reply = match self.ask(&format!("EHLO {hello}"), 200..=299).await {
            // A server older than RFC 1869 has no extensions.
            Err(SmtpFault::Refused(reply)) if reply.code >= 500 => {
                self.ask(&format!("HELO {hello}"), 200..=299).await.map_err(|_| SmtpFault::Refused(reply))?;
                self.offers.clear();
                return Ok(());
            }
            reply => reply?,
        };
        self.offers = reply.lines.iter().skip(1).map(|line| line.to_ascii_uppercase()).collect();
        Ok(())
    }

    /// Whether the server offers a capability.
    pub(super) fn has(&self, keyword: &str) -> bool {
        self.offers.iter().any(|offer| offer.split(' ').next() == Some(keyword))
    }

    async fn log_in(&mut self, login: &Login) -> Result<(), SmtpFault> {
        let offered: Vec<String> = self
            .offers
            .iter()
            // "AUTH=" is the form used before RFC 2554.
            .filter_map(|offer| offer.strip_prefix("AUTH").filter(|rest| rest.starts_with([' ', '='])))
            .flat_map(|names| names[1..].split([' ', '=']))
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        let mechanism = login.mechanism(&offered, self.is_encrypted)?;
        let shown = login.shown().await?;
        let done = self.say_who(mechanism, &login.username, &shown).await;
        if done.is_err() {
            login.forget();
        }
        done
    }

    async fn say_who(&mut self, mechanism: Mechanism, username: &str, shown: &str) -> Result<(), SmtpFault> {
        let name = mechanism.name();
        match mechanism {
            Mechanism::Plain => {
                self.ask(&format!("AUTH {name} {}", plain(username, shown)), 200..=299).await?;
            }
            Mechanism::Login => {
                self.ask(&format!("AUTH {name}"), 334..=334).await?;
                self.ask(&encoded(username), 334..=334).await?;
                self.ask(&encoded(shown), 200..=299).await?;
            }
            Mechanism::CramMd5 => {
                let challenge = self.ask(&format!("AUTH {name}"), 334..=334).await?;
                let answer = cram_md5(username, shown, &challenge.words())?;
                self.ask(&answer, 200..=299).await?;
            }
            Mechanism::XOAuth2 => {
                let reply = self.ask(&format!("AUTH {name} {}", xoauth2(username, shown)), 200..=399).await?;
                if reply.code == 334 {
                    // The server gives the reason in a challenge; an empty reply ends the exchange.
                    self.ask("", 200..=299).await?;
                }
            }
        }
        Ok(())
    }

    /// Sends a line and waits for a reply with a code in this range.
    ///
    /// # Errors
    /// When the code is another one, or no reply comes.
    pub(super) async fn ask(
        &mut self,
        line: &str,
        wanted: std::ops::RangeInclusive<u16>,
    ) -> Result<Reply, SmtpFault> {
        self.ask_raw(format!("{line}\r\n").as_bytes(), wanted).await
    }

    /// Like `ask`, for bytes that include their line end.
    ///
    /// # Errors
    /// When the code is another one, or no reply comes.
    pub(super) async fn ask_raw(
        &mut self,
        bytes: &[u8],
        wanted: std::ops::RangeInclusive<u16>,
    ) -> Result<Reply, SmtpFault> {
        let timeout = self.timeout;
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match tokio::time::timeout(timeout, written).await {
            Ok(Ok(())) => {}
            // A reply sent before hanging up is more informative: a server closes an idle connection with a 421.
            Ok(Err(error)) => {
                return match self.answered().await {
                    Ok(reply) if reply.code >= 400 => Err(SmtpFault::Refused(reply)),
                    _ => Err(SmtpFault::Broken(error.to_string())),
                };
            }
            Err(_) => return Err(SmtpFault::Silent(timeout)),
        }
        expect(self.answered().await?, wanted)
    }

    async fn answered(&mut self) -> Result<Reply, SmtpFault> {
        let timeout = self.timeout;
        tokio::time::timeout(timeout, self.reply()).await.unwrap_or(Err(SmtpFault::Silent(timeout)))
    }

    async fn reply(&mut self) -> Result<Reply, SmtpFault> {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        loop {
            let line = self.line().await?;
            bytes += line.len();
            let code = line.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
            let (Some(code), true) = (code.and_then(|code| code.parse().ok()), bytes <= REPLY_BYTES_MAX)
            else {
                let shown: String = line.chars().filter(|c| !c.is_control()).take(60).collect();
                return Err(SmtpFault::Broken(if bytes > REPLY_BYTES_MAX {
                    format!("its answer has no end (more than {REPLY_BYTES_MAX} bytes)")
                } else {
                    format!("it does not speak SMTP: \"{shown}\"")
                }));
            };
            let goes_on = line.as_bytes().get(3) == Some(&b'-');
            lines.push(line.get(4..).unwrap_or_default().trim_end().to_owned());
            if !goes_on {
                return Ok(Reply { code, lines });
            }
        }
    }

    /// Reads a line without its end.
    async fn line(&mut self) -> Result<String, SmtpFault> {
        let mut line = Vec::new();
        loop {
            let buffer = match self.stream.fill_buf().await {
                // TLS closed without close_notify.
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => &[],
                buffer => buffer.map_err(|error| SmtpFault::Broken(error.to_string()))?,
            };
            if buffer.is_empty() {
                return Err(SmtpFault::Broken("it closed the connection".into()));
            }
            let end = memchr::memchr(b'\n', buffer);
            let count = end.map_or(buffer.len(), |end| end + 1);
            if line.len() + count > LINE_BYTES_MAX {
                return Err(SmtpFault::Broken(format!(
                    "its answer has no end (more than {LINE_BYTES_MAX} bytes on one line)"
                )));
            }
            line.extend_from_slice(&buffer[..count]);
            self.stream.consume(count);
            if end.is_some() {
                // It ends up on terminals and in logs.
                return Ok(without_controls(&String::from_utf8_lossy(line.trim_ascii_end())));
            }
        }
    }

    /// Sends QUIT, with a short timeout.
    pub(super) async fn quit(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(2), self.ask("QUIT", 200..=299)).await;
    }
}

fn expect(reply: Reply, wanted: std::ops::RangeInclusive<u16>) -> Result<Reply, SmtpFault> {
    if wanted.contains(&reply.code) { Ok(reply) } else { Err(SmtpFault::Refused(reply)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talking(text: Vec<u8>) -> SmtpConnection {
        let (mut ours, theirs) = tokio::io::duplex(1 << 20);
        tokio::spawn(async move {
            let _ = ours.write_all(&text).await;
            // The connection stays open: a reply without an end is given up because of its size.
            std::future::pending::<()>().await;
        });
        SmtpConnection {
            stream: BufReader::new(Box::new(theirs)),
            timeout: Duration::from_secs(5),
            is_encrypted: false,
            offers: Vec::new(),
        }
    }

    #[tokio::test]
    async fn answers_are_read_whole_and_within_bounds() {
        let long = b"550-5.1.1 There is no\r\n550-5.1.1 such\r\n550 5.1.1 user\r\n250 ok\r\n220\r\n".to_vec();
        let mut connection = talking(long);
        let reply = connection.reply().await.unwrap();
        assert_eq!((reply.code, reply.words().as_str()), (550, "5.1.1 There is no such user"));
        assert_eq!(connection.reply().await.unwrap().to_string(), "250 ok");
        assert_eq!(connection.reply().await.unwrap().code, 220);
        for (endless, want) in [
            ([b"250 ".to_vec(), vec![b'x'; 100_000]].concat(), "bytes on one line"),
            (b"250-and so on\r\n".repeat(10_000), "32768 bytes"),
            (b"HTTP/1.1 400 Bad Request\r\n".to_vec(), "does not speak SMTP"),
            ("é50 ok\r\n".into(), "does not speak SMTP"),
        ] {
            let fault = talking(endless).reply().await.unwrap_err().to_string();
            assert!(fault.contains(want), "{fault}");
        }
    }
}
