//! What the benches that run processes share: what a process cost, sources on loopback, and a server of its own for them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// CPU in seconds, memory in MB, and wall time in seconds of one process.
pub(crate) struct Cost {
    pub cpu: f64,
    pub memory: f64,
    pub wall: f64,
}

/// Runs a process to its end, which must be a good one.
pub(crate) fn run(mut command: Command) -> Cost {
    let started = Instant::now();
    // Waited for below, by the call that also counts what it cost.
    #[expect(clippy::zombie_processes)]
    let child = command.stdout(Stdio::null()).spawn().expect("it starts");
    // SAFETY: both structures are plain numbers, for which zero is a value; the process is our own child.
    let (mut status, mut usage) = (0, unsafe { std::mem::zeroed::<libc::rusage>() });
    let waited = unsafe { libc::wait4(child.id() as i32, &mut status, 0, &mut usage) };
    assert!(waited > 0 && status == 0, "it failed");
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Cost {
        cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        memory: usage.ru_maxrss as f64 / 1024.0,
        wall: started.elapsed().as_secs_f64(),
    }
}

/// This bench as another process, which does one of its parts.
pub(crate) fn ourselves(part: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("ourselves"));
    command.arg(part);
    command
}

/// The address of a source: each is a host of its own.
pub(crate) fn url(number: usize, port: u16) -> String {
    let (high, middle, low) = (1 + number / 62_500, number / 250 % 250, number % 250 + 1);
    format!("http://127.{high}.{middle}.{low}:{port}/feed/{number}")
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// Serves on all addresses of loopback, and says on which port.
pub(crate) async fn serve(router: axum::Router) {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address").port());
    axum::serve(listener, router).await.expect("the server runs");
}

/// Starts the part `serve` of this bench.
pub(crate) fn start_server() -> (Child, u16) {
    let mut child = ourselves("serve").stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    (child, line.trim().parse().expect("a port"))
}
