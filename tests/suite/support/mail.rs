//! DKIM keys, and signatures verified by an implementation that is not ours.

use super::App;

/// An RSA and an Ed25519 key in the folder of an app.
pub(crate) struct Keys;

const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

impl Keys {
    pub(crate) fn make(app: &App) -> Keys {
        let openssl = |arguments: &[&str]| {
            assert!(
                std::process::Command::new("openssl")
                    .args(arguments)
                    .current_dir(app.folder())
                    .output()
                    .unwrap()
                    .status
                    .success()
            )
        };
        openssl(&["genrsa", "-traditional", "-out", "rsa.pem", "2048"]);
        openssl(&["rsa", "-in", "rsa.pem", "-pubout", "-out", "rsa.pub"]);
        app.write("ed25519.key", SEED);
        Keys
    }

    /// Both keys, as the configuration names them.
    pub(crate) fn config(&self) -> &'static str {
        "[[mail.dkim]]\ndomain = \"example.org\"\nselector = \"rsa\"\nkey = \"file:rsa.pem\"\n[[mail.dkim]]\ndomain = \"example.org\"\nselector = \"ed\"\nkey = \"file:ed25519.key\"\nalgorithm = \"ed25519\"\n"
    }

    /// The record of a key: that of RSA as OpenSSL writes it, that of Ed25519 as RFC 8463 has it (appendix A.2).
    pub(crate) fn record(&self, app: &App, selector: &str) -> String {
        if selector == "ed" {
            return "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".to_owned();
        }
        let key = app.read("rsa.pub");
        format!(
            "v=DKIM1; k=rsa; p={}",
            key.lines().filter(|line| !line.contains("-----")).collect::<String>()
        )
    }

    /// What dkimpy says of each signature of a mail: algorithm, whether it verifies, whether it covers the headers to leave by.
    pub(crate) fn verify(&self, app: &App, mail: &str) -> Vec<String> {
        app.write("mail.eml", mail);
        let python = std::env::var("COURANT_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dkim_verify.py");
        let said = std::process::Command::new(python)
            .args([script, "mail.eml", "rsa.pub", SEED])
            .current_dir(app.folder())
            .output()
            .unwrap();
        let mut lines: Vec<String> =
            String::from_utf8(said.stdout).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        assert!(!lines.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
        lines
    }
}
