//! Reports to the service manager, by the protocol of sd_notify(3): lines of text in a datagram.

use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Reports to a service manager; without one, to nobody.
#[derive(Debug, Default)]
pub struct Notifier(Option<(UnixDatagram, SocketAddr)>);

impl Notifier {
    /// Reports go to the socket at `address`: a path, or a name that begins with `@` for one without a file (Linux).
    ///
    /// # Errors
    /// When there can be no such socket.
    pub fn to(address: &str) -> io::Result<Notifier> {
        let address = match address.strip_prefix('@') {
            Some(name) => nameless(name)?,
            None => SocketAddr::from_pathname(address)?,
        };
        Ok(Notifier(Some((UnixDatagram::unbound()?, address))))
    }

    /// The service has started, or has read its configuration again.
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// The configuration is being read again. `ready` says when that is over.
    pub fn reloading(&self) {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let since_start = Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32);
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", since_start.as_micros()));
    }

    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// The service works.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.0
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            tracing::warn!("the service manager cannot be told \"{}\": {error}", state.replace('\n', ", "));
        }
    }
}

#[cfg(target_os = "linux")]
fn nameless(name: &str) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn nameless(_: &str) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}
