//! LMTP (RFC 2033): a mail server hands over returned mail as it arrives. The reply is given per recipient.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::mailbox::MESSAGE_BYTES_MAX;

const LINE_BYTES_MAX: u64 = 4_096;
const CONNECTIONS_MAX: usize = 32;
const RECIPIENTS_MAX: usize = 100;
/// RFC 5321 section 4.5.3.2.7.
const IDLE: Duration = Duration::from_secs(300);

/// Processes one message, its envelope sender as Return-Path, for these recipients; `false` asks the server to retry.
pub type MessageHandler = dyn Fn(&[u8], &[String]) -> bool + Send + Sync;

/// Serves until `shutdown` completes.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    take: Arc<MessageHandler>,
    shutdown: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = &mut shutdown => return Ok(()),
        };
        let (take, places) = (take.clone(), places.clone());
        tokio::spawn(async move {
            let _place = places.acquire_owned().await;
            // A client that is cut off will retry.
            let _ = tokio::time::timeout(4 * IDLE, serve_connection(stream, &*take)).await;
        });
    }
}

/// Receives and processes a message; returns the reply for each of its recipients.
async fn receive(
    reader: &mut BufReader<tokio::net::tcp::OwnedReadHalf>,
    sender: &str,
    recipients: &[String],
    take: &MessageHandler,
) -> std::io::Result<&'static [u8]> {
    // The final delivery agent adds Return-Path (RFC 5321 section 4.4).
    let head = format!("Return-Path: <{sender}>\r\n").into_bytes();
    let message = data(reader, head).await?;
    let is_taken =
        message.as_ref().is_some_and(|message| tokio::task::block_in_place(|| take(message, recipients)));
    Ok(match (&message, is_taken) {
        (None, _) => b"552 5.3.4 too large\r\n",
        (_, true) => b"250 2.0.0 taken\r\n",
        (_, false) => b"451 4.3.0 come again\r\n",
    })
}

async fn serve_connection(stream: TcpStream, take: &MessageHandler) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    writer.write_all(b"220 courant LMTP\r\n").await?;
    let (mut sender, mut recipients) = (String::new(), Vec::new());
    loop {
        let mut line = Vec::new();
        let read =
            tokio::time::timeout(IDLE, (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line))
                .await??;
        if read == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        let upper = line.to_ascii_uppercase();
        let answer = match upper.split([' ', ':']).next().unwrap_or_default() {
            "LHLO" => "250-courant\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8",
            "MAIL" | "RSET" => {
                recipients.clear();
                sender = path(&line).to_owned();
                "250 2.0.0 ok"
            }
            "RCPT" if recipients.len() >= RECIPIENTS_MAX => "452 4.5.3 too many recipients",
            "RCPT" => {
                recipients.push(path(&line).to_owned());
                "250 2.1.5 ok"
            }
            "DATA" if recipients.is_empty() => "503 5.5.1 no valid recipients",
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await?;
                let said = receive(&mut reader, &sender, &recipients, take).await?;
                for _ in recipients.drain(..) {
                    writer.write_all(said).await?;
                }
                continue;
            }
            "NOOP" => "250 2.0.0 ok",
            "QUIT" => return writer.write_all(b"221 2.0.0 bye\r\n").await,
            _ => "500 5.5.2 not understood: this is LMTP",
        };
        writer.write_all(answer.as_bytes()).await?;
        writer.write_all(b"\r\n").await?;
    }
}

/// The address between the angle brackets of a command.
fn path(line: &str) -> &str {
    let path = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    path.map_or("", |(address, _)| address)
}

/// Reads the message up to the final dot, appending it to `head` with dot-stuffing undone (RFC 5321 section 4.5.2); `None` if it
/// is too long, though it is still read to its end.
async fn data(
    reader: &mut BufReader<tokio::net::tcp::OwnedReadHalf>,
    head: Vec<u8>,
) -> std::io::Result<Option<Vec<u8>>> {
    let mut message = head;
    let mut is_too_long = false;
    loop {
        let start = message.len();
        let read = tokio::time::timeout(IDLE, reader.take(1 << 20).read_until(b'\n', &mut message)).await??;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match &message[start..] {
            b".\r\n" | b".\n" => {
                message.truncate(start);
                return Ok((!is_too_long).then_some(message));
            }
            line if line.starts_with(b".") => drop(message.remove(start)),
            _ => {}
        }
        if message.len() as u64 > MESSAGE_BYTES_MAX {
            is_too_long = true;
            message.clear();
        }
    }
}
