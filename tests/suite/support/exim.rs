//! Exim, the mail server of Debian, on loopback: STARTTLS with a certificate of its own, AUTH, refusals and deferrals.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running Exim; it ends when this is dropped.
pub(crate) struct Exim {
    child: Child,
    folder: tempfile::TempDir,
    pub port: u16,
}

impl Exim {
    /// # Panics
    /// When it does not start. It drops to its own user by itself, which only root can ask of it.
    pub(crate) fn start() -> Exim {
        let binary = std::env::var("COURANT_TEST_EXIM")
            .expect("COURANT_TEST_EXIM names the server: ./scripts/test finds it");
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let write = |name: &str, text: &str, mode: u32| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        write("cert.pem", &issued.cert.pem(), 0o644);
        write("key.pem", &issued.signing_key.serialize_pem(), 0o644);
        write(
            "exim.conf",
            &CONFIG
                .replace("{folder}", &folder.path().display().to_string())
                .replace("{port}", &port.to_string()),
            0o644,
        );
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let child = Command::new(binary)
            .arg("-C")
            .arg(folder.path().join("exim.conf"))
            .args(["-bdf", "-q1h"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                started.elapsed() < Duration::from_secs(10),
                "Exim did not start: it must be run by root"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Exim { child, folder, port }
    }

    /// The certificate, for `[mail] ca_file`.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// The messages that it delivered, once there are so many.
    #[track_caller]
    pub(crate) fn mails(&self, count: usize) -> Vec<String> {
        let started = Instant::now();
        loop {
            let files = std::fs::read_dir(self.folder.path().join("mails/new")).into_iter().flatten();
            let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
            if paths.len() >= count || started.elapsed() > Duration::from_secs(20) {
                assert_eq!(paths.len(), count);
                paths.sort();
                return paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const CONFIG: &str = r"
primary_hostname = localhost
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
keep_environment =
tls_advertise_hosts = *
tls_certificate = {folder}/cert.pem
tls_privatekey = {folder}/key.pem
smtp_accept_queue_per_connection = 0
smtp_accept_max = 100
deliver_drop_privilege
acl_smtp_rcpt = acl_rcpt
begin acl
acl_rcpt:
  deny message = 530 5.7.0 authentication required
       !authenticated = *
  deny message = 550 5.1.1 no such user
       local_parts = ^bounce
  defer message = 452 4.2.2 mailbox full
       local_parts = ^tempfail
  accept
begin routers
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  directory = {folder}/mails
  create_directory
  maildir_format
  return_path_add
  envelope_to_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if and{{eq{$auth2}{courant}}{eq{$auth3}{geheim}}}}
  server_set_id = $auth2
  server_advertise_condition = ${if def:tls_in_cipher}
";
