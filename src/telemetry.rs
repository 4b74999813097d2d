//! Logs, to standard error.

use tracing_subscriber::EnvFilter;

/// Starts logging; a second start does nothing.
pub fn start(verbosity: u8, is_quiet: bool, as_json: bool) {
    let level = match (is_quiet, verbosity) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, _) => "debug",
    };
    // The parsers of pages complain about every broken tag of the Web; the mail library logs passwords and addresses.
    let filter = EnvFilter::new(format!("{level},html5ever=error,selectors=error,lettre=off"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = if as_json { builder.json().try_init() } else { builder.with_target(false).try_init() };
}
