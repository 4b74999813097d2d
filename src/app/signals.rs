//! Ctrl-C and SIGTERM.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::support::clock::Interrupted;

/// After a signal, whatever is still under way is left.
const ENDED_WITHIN: Duration = Duration::from_millis(1_500);
/// As a shell reports a program that Ctrl-C ended.
pub const INTERRUPTED_CODE: i32 = 130;

/// How a command ends when it is told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// It looks for the sign to stop, and has a moment to keep what it did.
    Orderly,
    /// It may end anywhere: every unit of work is whole.
    AtOnce,
    /// It goes on until the sign to stop, and takes the time that it needs to end.
    Own,
}

/// What the limit of a file's size ends a process with (`ulimit -f`), on Linux, the BSDs and macOS.
const SIGXFSZ: i32 = 25;

/// Ctrl-C and SIGTERM, which end a command from its first moment on.
pub struct Signals {
    /// Set by them: every phase ends where it is.
    pub stop: CancellationToken,
    farewell: Arc<OnceLock<Farewell>>,
}

impl Signals {
    /// Begins to listen. Until `end_with` says otherwise the command ends at once. A phase that does not come to an end is left: what it
    /// had not stored it does again.
    ///
    /// # Errors
    /// When the system takes no handlers.
    pub fn heed() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        // A file that may not grow is then an error of writing it, with words, and not the end of the process.
        let _ = signal(SignalKind::from_raw(SIGXFSZ));
        let signals = Signals { stop: CancellationToken::new(), farewell: Arc::default() };
        let (stop, farewell) = (signals.stop.clone(), signals.farewell.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                match farewell.get() {
                    Some(Farewell::Own) => {
                        stop.cancel();
                        continue;
                    }
                    Some(Farewell::Orderly) => {
                        stop.cancel();
                        tokio::time::sleep(ENDED_WITHIN).await;
                    }
                    Some(Farewell::AtOnce) | None => {}
                }
                eprintln!("{Interrupted}");
                std::process::exit(INTERRUPTED_CODE);
            }
        });
        Ok(signals)
    }

    /// From now on the command ends like this.
    pub fn end_with(&self, farewell: Farewell) {
        let _ = self.farewell.set(farewell);
    }
}
