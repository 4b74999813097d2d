//! Handles Ctrl-C and SIGTERM.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::support::clock::Interrupted;
use crate::support::terminal::errln;

/// After a signal, work still under way after this time is abandoned.
const ENDED_WITHIN: Duration = Duration::from_millis(1_500);
/// The code with which a shell reports a program ended by Ctrl-C.
pub const INTERRUPTED_CODE: i32 = 130;

/// How a command ends on a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownMode {
    /// It checks the stop token, and has a moment to store what it did.
    Orderly,
    /// It may end anywhere, since every unit of work is atomic.
    AtOnce,
    /// It runs until the stop token is set, and takes the time it needs to end.
    Own,
}

/// The signal for exceeding the file-size limit (`ulimit -f`) on Linux, the BSDs and macOS.
const SIGXFSZ: i32 = 25;

/// Ctrl-C and SIGTERM, which end a command from its start.
pub struct Signals {
    /// Set by a signal: every phase ends where it is.
    pub stop: CancellationToken,
    shutdown_mode: Arc<OnceLock<ShutdownMode>>,
}

impl Signals {
    /// Starts listening. Until `end_with` is called, the command ends at once. A phase that does not end in time is abandoned;
    /// what it had not stored is done again next time.
    ///
    /// # Errors
    /// When signal handlers cannot be installed.
    pub fn listen() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        // Exceeding the file-size limit is then a write error instead of ending the process.
        let _ = signal(SignalKind::from_raw(SIGXFSZ));
        let signals = Signals { stop: CancellationToken::new(), shutdown_mode: Arc::default() };
        let (stop, shutdown_mode) = (signals.stop.clone(), signals.shutdown_mode.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                match shutdown_mode.get() {
                    Some(ShutdownMode::Own) => {
                        stop.cancel();
                        continue;
                    }
                    Some(ShutdownMode::Orderly) => {
                        stop.cancel();
                        tokio::time::sleep(ENDED_WITHIN).await;
                    }
                    Some(ShutdownMode::AtOnce) | None => {}
                }
                errln!("{Interrupted}");
                std::process::exit(INTERRUPTED_CODE);
            }
        });
        Ok(signals)
    }

    /// Sets how the command ends from now on.
    pub fn end_with(&self, shutdown_mode: ShutdownMode) {
        let _ = self.shutdown_mode.set(shutdown_mode);
    }
}
