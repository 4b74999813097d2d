//! IMAP (RFC 3501): visits the unread messages of a mailbox, and marks each as read once it is processed.

use std::sync::Arc;
use std::time::Duration;

use async_imap::types::Fetch;
use async_imap::{Client, Session};
use futures_util::{StreamExt, TryStreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use url::Url;

use crate::support::text::percent_decoded;

/// Of one newsletter, in bytes.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Heads of messages read at a time, and of one mailbox.
const HEADS_READ: usize = 200;
const HEADS_MAX: usize = 2_000;
/// Timeout of each step of the dialogue.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);

trait ImapTransport: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug> ImapTransport for T {}
type ImapStream = Box<dyn ImapTransport>;

/// Visits each unread message of `imaps://user@host/INBOX` or `imap://…` (STARTTLS, unless it ends in `?tls=none`).
///
/// # Errors
/// In words, when the server cannot be used, or when `visit` fails. A message stays unread if `visit` fails or returns `false`,
/// meaning that it is not processed yet.
pub async fn each_unread(
    url: &Url,
    password: &str,
    tls: Arc<rustls::ClientConfig>,
    mut visit: impl FnMut(&[u8]) -> anyhow::Result<bool>,
) -> anyhow::Result<usize> {
    let mut session = step(login(url, password, tls)).await?;
    let folder = percent_decoded(url.path().trim_start_matches('/')).unwrap_or_default();
    step(async { Ok(session.select(if folder.is_empty() { "INBOX" } else { &folder }).await?) }).await?;
    let mut unread: Vec<u32> =
        step(async { Ok(session.uid_search("UNSEEN").await?) }).await?.into_iter().collect();
    unread.sort_unstable();
    for uid in &unread {
        let messages: Vec<_> =
            step(async { Ok(session.uid_fetch(uid.to_string(), "BODY.PEEK[]").await?.try_collect().await?) })
                .await?;
        let mut is_done = true;
        for message in &messages {
            if let Some(body) = message.body() {
                is_done &= visit(body)?;
            }
        }
        if !is_done {
            continue;
        }
        step(async {
            Ok(session
                .uid_store(uid.to_string(), "+FLAGS.SILENT (\\Seen)")
                .await?
                .map(drop)
                .collect::<Vec<()>>()
                .await)
        })
        .await?;
    }
    // Everything is done, so a server that hangs up without a reply does no harm.
    let _ = step(async { Ok(session.logout().await?) }).await;
    Ok(unread.len())
}

/// What is read of a message to choose it.
const HEAD: &str = "BODY.PEEK[HEADER.FIELDS (FROM LIST-ID MESSAGE-ID TO DATE)]";

/// The newest messages of a mailbox that came since a day (`20-Oct-2022`) and whose heads are `wanted`, `messages_max` at most, the
/// oldest first. None is marked as read: others may read the mailbox too.
///
/// # Errors
/// In words, when the server cannot be used.
pub async fn newest(
    url: &Url,
    password: &str,
    tls: Arc<rustls::ClientConfig>,
    since: &str,
    messages_max: usize,
    wanted: impl Fn(&[u8]) -> bool,
) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut session = step(login(url, password, tls)).await?;
    let folder = percent_decoded(url.path().trim_start_matches('/')).unwrap_or_default();
    step(async { Ok(session.examine(if folder.is_empty() { "INBOX" } else { &folder }).await?) }).await?;
    let mut uids: Vec<u32> =
        step(async { Ok(session.uid_search(format!("SINCE {since}")).await?) }).await?.into_iter().collect();
    uids.sort_unstable();
    let mut chosen: Vec<u32> = Vec::new();
    for some in uids.rchunks(HEADS_READ).take(HEADS_MAX / HEADS_READ) {
        let set = some.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let heads: Vec<Fetch> =
            step(async { Ok(session.uid_fetch(set, format!("(UID {HEAD})")).await?.try_collect().await?) })
                .await?;
        let is_wanted = |head: &&Fetch| head.header().is_some_and(&wanted);
        let mut uids: Vec<u32> = heads.iter().filter(is_wanted).filter_map(|head| head.uid).collect();
        uids.sort_unstable_by(|a, b| b.cmp(a));
        chosen.extend(uids);
        if chosen.len() >= messages_max {
            break;
        }
    }
    chosen.truncate(messages_max);
    let mut messages = Vec::with_capacity(chosen.len());
    for uid in chosen.iter().rev() {
        // What is longer is cut: a newsletter says what it has to say at its start.
        let part = format!("BODY.PEEK[]<0.{MESSAGE_BYTES_MAX}>");
        let bodies: Vec<Fetch> =
            step(async { Ok(session.uid_fetch(uid.to_string(), part).await?.try_collect().await?) }).await?;
        messages.extend(bodies.iter().filter_map(|message| message.body()).map(<[u8]>::to_vec));
    }
    let _ = step(async { Ok(session.logout().await?) }).await;
    Ok(messages)
}

async fn step<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::time::timeout(STEP_TIMEOUT, work)
        .await
        .map_err(|_| anyhow::anyhow!("the mailbox did not answer within {} s", STEP_TIMEOUT.as_secs()))?
}

async fn login(
    url: &Url,
    password: &str,
    tls: Arc<rustls::ClientConfig>,
) -> anyhow::Result<Session<ImapStream>> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let is_wrapped = url.scheme() == "imaps";
    let is_plain = url.query_pairs().any(|(name, value)| name == "tls" && value == "none");
    let stream =
        TcpStream::connect((host.as_str(), url.port().unwrap_or(if is_wrapped { 993 } else { 143 }))).await?;
    let name = rustls::pki_types::ServerName::try_from(host)?;
    let connector = tokio_rustls::TlsConnector::from(tls);
    let stream: ImapStream = if is_wrapped {
        Box::new(connector.clone().connect(name.clone(), stream).await?)
    } else {
        Box::new(stream)
    };
    let mut client = Client::new(stream);
    anyhow::ensure!(client.read_response().await?.is_some(), "the mailbox server hung up");
    if !is_wrapped && !is_plain {
        client.run_command_and_check_ok("STARTTLS", None).await?;
        client = Client::new(Box::new(connector.connect(name, client.into_inner()).await?));
    }
    let user = percent_decoded(url.username()).unwrap_or_default();
    client
        .login(user, password)
        .await
        .map_err(|(error, _)| anyhow::anyhow!("the mailbox refuses the login: {error}"))
}
