//! What a service manager such as systemd tells a process through its environment: where to report to (sd_notify), how often to
//! show that it works, and a socket that is open already (sd_listen_fds).

use std::net::TcpListener;
use std::time::Duration;

use listenfd::ListenFd;

/// What the service manager wants and gives.
#[derive(Debug, Default)]
pub struct ServiceManager {
    /// Address of the socket that reports go to.
    pub notify_socket: Option<String>,
    /// Without a sign of life for so long, this process is ended.
    pub watchdog: Option<Duration>,
    /// A socket that listens already, so that a restart refuses no connection.
    pub listener: Option<TcpListener>,
}

impl ServiceManager {
    /// Takes over what the environment has. To be called before there are other threads, since it changes the environment.
    ///
    /// # Errors
    /// In words, when the sockets are not what `courant serve` can use.
    pub fn from_environment() -> Result<ServiceManager, String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let is_ours = variable("WATCHDOG_PID").is_none_or(|id| id == std::process::id().to_string());
        let watchdog = variable("WATCHDOG_USEC").and_then(|micros| micros.parse().ok());
        Ok(ServiceManager {
            notify_socket: variable("NOTIFY_SOCKET"),
            watchdog: watchdog.filter(|micros| is_ours && *micros > 0).map(Duration::from_micros),
            listener: inherited_listener()?,
        })
    }
}

fn inherited_listener() -> Result<Option<TcpListener>, String> {
    let mut inherited = ListenFd::from_env();
    if inherited.len() > 1 {
        return Err(format!(
            "the service manager opened {} sockets, and courant listens on one: name one ListenStream=",
            inherited.len()
        ));
    }
    inherited
        .take_tcp_listener(0)
        .map_err(|error| format!("the socket that the service manager opened is not for TCP: {error}"))
}
