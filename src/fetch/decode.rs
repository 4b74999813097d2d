//! Decodes Content-Encoding as the bytes arrive (RFC 9110 section 8.4): gzip, deflate in both interpretations, br, zstd. A body
//! that is not encoded as declared is left as it is, and undeclared gzip and zlib are decoded.

use std::io;
use std::pin::Pin;

use async_compression::tokio::bufread::{
    BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
};
use async_compression::zstd::DParameter;
use bytes::Bytes;
use futures_util::Stream;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, BufReader};
use tokio_util::io::StreamReader;

/// The encodings that can be decoded.
pub(super) const ACCEPT_ENCODING: &str = "gzip, br, zstd, deflate";
/// Maximum number of encodings per body: more are an attack.
const LAYERS_MAX: usize = 2;
/// RFC 8878 section 3.1.1.1.2 and RFC 9659: decoders on the Web need no window above 8 MB.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Bytes of a body examined to detect its encoding.
const HEAD_BYTES: usize = 16;

/// Whether a body declared as encoded is actually plain: it begins with a tag or a JSON value, in ASCII.
fn is_plain(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    let is_ascii =
        head.len() >= 4 && text.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    let begins = match text {
        [b'<', next, ..] => next.is_ascii_alphabetic() || matches!(next, b'?' | b'!'),
        [b'{' | b'[', next, ..] => matches!(next, b'"' | b'{') || next.is_ascii_whitespace(),
        _ => false,
    };
    is_ascii && begins
}

type EncodedBody = Pin<Box<dyn AsyncBufRead + Send>>;

/// The decoded body.
///
/// # Errors
/// When the body has too many encodings, or its first bytes cannot be read.
pub(super) async fn decoded(
    body: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    content_encoding: &str,
) -> io::Result<Pin<Box<dyn AsyncRead + Send>>> {
    let mut reader: EncodedBody = Box::pin(StreamReader::new(body));
    let encodings: Vec<String> = content_encoding
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && name != "identity")
        .collect();
    if encodings.len() > LAYERS_MAX {
        return Err(io::Error::other(format!("the body is encoded {} times", encodings.len())));
    }
    for name in encodings.iter().rev() {
        let head = head(&mut reader).await?;
        if !is_plain(&head) {
            reader = without_encoding(reader, name, &head);
        }
    }
    for _ in 0..LAYERS_MAX {
        let head = head(&mut reader).await?;
        if head.starts_with(&[0x1F, 0x8B, 0x08]) {
            reader = gunzipped(reader);
        } else if is_unlabelled_zlib(&head) {
            reader = Box::pin(BufReader::new(ZlibDecoder::new(reader)));
        } else {
            break;
        }
    }
    Ok(reader)
}

/// Whether a body begins as zlib (RFC 1950) does and as no text: with a window of 32 KiB, and bytes that are no letters.
fn is_unlabelled_zlib(head: &[u8]) -> bool {
    matches!(head, [0x78, 0x01 | 0x5E | 0x9C | 0xDA, ..]) && std::str::from_utf8(head).is_err()
}

/// The first bytes of a body, without consuming them.
async fn head(reader: &mut EncodedBody) -> io::Result<Vec<u8>> {
    Ok(reader.fill_buf().await?.iter().take(HEAD_BYTES).copied().collect())
}

/// Decodes one named encoding, if the first bytes are consistent with it.
fn without_encoding(reader: EncodedBody, name: &str, head: &[u8]) -> EncodedBody {
    match (name, head) {
        // Whatever it is called.
        (_, [0x1F, 0x8B, 0x08, ..]) => gunzipped(reader),
        ("gzip" | "x-gzip", [0x1F, 0x8B, ..]) => gunzipped(reader),
        // RFC 9110 section 8.4.1.2 specifies zlib, but some servers send raw deflate.
        ("deflate", [first, second, ..])
            if first & 0x0F == 8 && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0 =>
        {
            Box::pin(BufReader::new(ZlibDecoder::new(reader)))
        }
        ("deflate", _) => Box::pin(BufReader::new(DeflateDecoder::new(reader))),
        ("br", _) => Box::pin(BufReader::new(BrotliDecoder::new(reader))),
        ("zstd", [0x28, 0xB5, 0x2F, 0xFD, ..]) => {
            let window = DParameter::window_log_max(ZSTD_WINDOW_LOG_MAX);
            Box::pin(BufReader::new(ZstdDecoder::with_params(reader, &[window])))
        }
        // Servers declare things here that are not encodings: "utf-8", "none", "binary", "aws-chunked". The bytes are examined
        // later.
        _ => reader,
    }
}

fn gunzipped(reader: EncodedBody) -> EncodedBody {
    let mut decoder = GzipDecoder::new(reader);
    decoder.multiple_members(true);
    Box::pin(BufReader::new(decoder))
}
