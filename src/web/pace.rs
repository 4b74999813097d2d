//! How slow a client may be. The head of a request has a fixed time; a body and the taking of an answer have a minimum rate, so
//! that somebody on a bad line may go on, and somebody who only holds a place may not.

use std::future::Future as _;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// Time that any body may take, and the bytes a second that give it more.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_BYTES_PER_SECOND: u64 = 4 << 10;
/// How long an answer waits for its client, and how much the client has to take in that time for the answer to wait again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MIN: u64 = 15 << 10;

/// The body of a request, which ends with an error if it comes too slowly.
pub(super) struct PacedBody<B> {
    inner: B,
    started: Instant,
    bytes: u64,
    end: Pin<Box<Sleep>>,
    is_late: Arc<AtomicBool>,
}

impl<B> PacedBody<B> {
    /// The second value becomes true when the body was too slow.
    pub(super) fn new(inner: B) -> (PacedBody<B>, Arc<AtomicBool>) {
        let (started, is_late) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        let end = Box::pin(sleep_until(started + BODY_TIMEOUT));
        (PacedBody { inner, started, bytes: 0, end, is_late: is_late.clone() }, is_late)
    }
}

impl<B: HttpBody<Data = Bytes, Error = hyper::Error> + Unpin> HttpBody for PacedBody<B> {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(context) else {
            ready!(this.end.as_mut().poll(context));
            this.is_late.store(true, Ordering::Relaxed);
            return Poll::Ready(Some(Err("the body came too slowly".into())));
        };
        if let Some(Ok(frame)) = &frame {
            this.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
            let earned = Duration::from_millis(this.bytes * 1_000 / BODY_BYTES_PER_SECOND);
            this.end.as_mut().reset(this.started + BODY_TIMEOUT + earned);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A connection that breaks if its client does not take what is sent, and that tells when something moves.
pub(super) struct PacedStream<F> {
    stream: TcpStream,
    on_progress: F,
    written: u64,
    /// While the client takes nothing: until when it has time, and what it had taken before.
    wait: Option<(Pin<Box<Sleep>>, u64)>,
}

impl<F: Fn() + Unpin> PacedStream<F> {
    pub(super) fn new(stream: TcpStream, on_progress: F) -> PacedStream<F> {
        PacedStream { stream, on_progress, written: 0, wait: None }
    }

    /// How many bytes the client has acknowledged.
    fn taken(&self) -> u64 {
        self.written.saturating_sub(unsent(&self.stream))
    }

    fn after_write(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = written {
            self.wait = None;
            if let Ok(bytes) = &result {
                self.written += *bytes as u64;
                (self.on_progress)();
            }
            return Poll::Ready(result);
        }
        let taken = self.taken();
        let (end, before) = self.wait.get_or_insert_with(|| (Box::pin(sleep(ANSWER_TIMEOUT)), taken));
        while end.as_mut().poll(context).is_ready() {
            if taken.saturating_sub(*before) < ANSWER_BYTES_MIN {
                // What is queued is for nobody: the kernel would keep it for many minutes.
                let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
            (self.on_progress)();
            *before = taken;
            end.as_mut().reset(Instant::now() + ANSWER_TIMEOUT);
        }
        Poll::Pending
    }
}

/// Bytes that the client has not acknowledged yet. The kernel asks for more only when a good part of its buffer is free, so
/// what it accepts says little about a slow client.
#[cfg(target_os = "linux")]
fn unsent(stream: &TcpStream) -> u64 {
    use rustix::ioctl::{Getter, ioctl};
    /// `SIOCOUTQ` of `linux/sockios.h`.
    const SIOCOUTQ: rustix::ioctl::Opcode = 0x5411;
    // SAFETY: for a TCP socket, this request stores an int, and does nothing else.
    #[allow(unsafe_code)]
    let queued = unsafe { ioctl(stream, Getter::<SIOCOUTQ, i32>::new()) };
    queued.map_or(0, |bytes| u64::from(bytes.unsigned_abs()))
}

#[cfg(not(target_os = "linux"))]
fn unsent(_: &TcpStream) -> u64 {
    0
}

impl<F: Fn() + Unpin> AsyncRead for PacedStream<F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if buffer.filled().len() > before {
            (self.on_progress)();
        }
        Poll::Ready(read)
    }
}

impl<F: Fn() + Unpin> AsyncWrite for PacedStream<F> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.after_write(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.after_write(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
