//! SMTP authentication (RFC 4954) with a password, or with a token that expires.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use tokio::time::Instant;

/// How long a token is reused; they are usually valid for an hour.
const TOKEN_KEPT: Duration = Duration::from_secs(300);
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum size of a token, which is normally a few kilobytes.
const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// Where a token is read from, each time anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    Given(String),
    File(PathBuf),
    /// The output of a command.
    Command(String),
}

/// The credential shown to a server.
#[derive(Clone)]
pub enum Credential {
    Password(String),
    Token(TokenPlace),
}

/// A user name and its secret.
pub struct Login {
    pub username: String,
    secret: Credential,
    token: Mutex<Option<(String, Instant)>>,
}

/// A SASL mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    Plain,
    Login,
    CramMd5,
    XOAuth2,
}

/// Why no login can be made with a server.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    #[error("it offers {offers}, and none of {}", wanted.join(", "))]
    NoMechanism { offers: String, wanted: Vec<&'static str> },
    #[error("the token cannot be read from {}: {error}", path.display())]
    UnreadableToken { path: PathBuf, error: std::io::Error },
    #[error("this is not a token: expected one line without spaces")]
    NoToken,
    #[error("the command for the token cannot be run: {0}")]
    CommandNotRun(std::io::Error),
    #[error("the command for the token took more than {} s", COMMAND_TIMEOUT.as_secs())]
    CommandTooSlow,
    #[error("the command for the token failed ({0})")]
    CommandFailed(ExitStatus),
    #[error("the command for the token printed no text")]
    CommandPrintedNoText,
}

/// A server's challenge that cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum ChallengeError {
    #[error("its challenge for CRAM-MD5 cannot be read")]
    Unreadable,
    #[error("{0}")]
    NoKey(hmac::digest::InvalidLength),
}

impl Mechanism {
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
            Mechanism::CramMd5 => "CRAM-MD5",
            Mechanism::XOAuth2 => "XOAUTH2",
        }
    }
}

impl Login {
    pub fn new(username: String, secret: Credential) -> Login {
        Login { username, secret, token: Mutex::default() }
    }

    /// The preferred mechanism among those that the server offers and our secret allows. Without encryption, the one that does
    /// not reveal the password is preferred.
    ///
    /// # Errors
    /// When there is none.
    pub fn mechanism(&self, offered: &[String], is_encrypted: bool) -> Result<Mechanism, LoginError> {
        let wanted: &[Mechanism] = match (&self.secret, is_encrypted) {
            (Credential::Token(_), _) => &[Mechanism::XOAuth2],
            (Credential::Password(_), true) => &[Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5],
            (Credential::Password(_), false) => &[Mechanism::CramMd5, Mechanism::Plain, Mechanism::Login],
        };
        let found = wanted.iter().find(|mechanism| offered.iter().any(|name| name == mechanism.name()));
        found.copied().ok_or_else(|| {
            let wanted = wanted.iter().map(|mechanism| mechanism.name()).collect();
            let offers = if offered.is_empty() { "no AUTH at all".into() } else { offered.join(", ") };
            LoginError::NoMechanism { offers, wanted }
        })
    }

    /// The credential: the password, or a token that has not expired.
    ///
    /// # Errors
    /// When no token can be obtained.
    pub async fn shown(&self) -> Result<String, LoginError> {
        let place = match &self.secret {
            Credential::Password(password) => return Ok(password.clone()),
            Credential::Token(place) => place,
        };
        if let Some((token, until)) = &*self.token.lock().unwrap_or_else(PoisonError::into_inner)
            && *until > Instant::now()
        {
            return Ok(token.clone());
        }
        let token = read(place).await?;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((token.clone(), Instant::now() + TOKEN_KEPT));
        Ok(token)
    }

    /// Discards a token that was refused.
    pub fn forget(&self) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

async fn read(place: &TokenPlace) -> Result<String, LoginError> {
    let text = match place {
        TokenPlace::Given(token) => token.clone(),
        TokenPlace::File(path) => tokio::fs::read_to_string(path)
            .await
            .map_err(|error| LoginError::UnreadableToken { path: path.clone(), error })?,
        TokenPlace::Command(command) => run(command).await?,
    };
    let token = text.trim();
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX || token.contains(char::is_whitespace) {
        return Err(LoginError::NoToken);
    }
    Ok(token.to_owned())
}

async fn run(command: &str) -> Result<String, LoginError> {
    let child = tokio::process::Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(COMMAND_TIMEOUT, child).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(LoginError::CommandNotRun(error)),
        Err(_) => return Err(LoginError::CommandTooSlow),
    };
    if !output.status.success() {
        return Err(LoginError::CommandFailed(output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| LoginError::CommandPrintedNoText)
}

pub fn encoded(text: &str) -> String {
    BASE64.encode(text)
}

/// PLAIN (RFC 4616).
pub fn plain(username: &str, password: &str) -> String {
    encoded(&format!("\0{username}\0{password}"))
}

/// XOAUTH2, as used by Google and Microsoft.
pub fn xoauth2(username: &str, token: &str) -> String {
    encoded(&format!("user={username}\x01auth=Bearer {token}\x01\x01"))
}

/// CRAM-MD5 (RFC 2195): the response to a challenge.
///
/// # Errors
/// When the challenge cannot be decoded.
pub fn cram_md5(username: &str, password: &str, challenge: &str) -> Result<String, ChallengeError> {
    let challenge = BASE64.decode(challenge.trim()).map_err(|_| ChallengeError::Unreadable)?;
    let mut mac = Hmac::<md5::Md5>::new_from_slice(password.as_bytes()).map_err(ChallengeError::NoKey)?;
    mac.update(&challenge);
    let answer = crate::support::text::hex(&mac.finalize().into_bytes());
    Ok(encoded(&format!("{username} {answer}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_those_of_the_documents() {
        // RFC 2195 section 2.
        let challenge = BASE64.encode("<1896.697170952@postoffice.reston.mci.net>");
        let answer = cram_md5("tim", "tanstaaftanstaaf", &challenge).unwrap();
        assert_eq!(BASE64.decode(answer).unwrap(), b"tim b913a602c7eda7a495b4e6e7334d3890");
        assert_eq!(plain("tim", "x"), "AHRpbQB4");
        // developers.google.com/workspace/gmail/imap/xoauth2-protocol
        assert_eq!(
            xoauth2("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"),
            "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ=="
        );
    }

    #[test]
    fn the_way_is_one_that_the_server_offers_and_the_safest_in_the_clear() {
        let login = |secret| Login::new("u".into(), secret);
        let offered = |names: &str| names.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let password = login(Credential::Password("p".into()));
        for (names, is_encrypted, want) in [
            ("CRAM-MD5 PLAIN LOGIN", true, Mechanism::Plain),
            ("CRAM-MD5 PLAIN LOGIN", false, Mechanism::CramMd5),
            ("CRAM-MD5", true, Mechanism::CramMd5),
            ("XOAUTH2 LOGIN", true, Mechanism::Login),
        ] {
            assert_eq!(password.mechanism(&offered(names), is_encrypted).unwrap(), want, "{names}");
        }
        let token = login(Credential::Token(TokenPlace::Given("t".into())));
        assert_eq!(token.mechanism(&offered("PLAIN XOAUTH2"), true).unwrap(), Mechanism::XOAuth2);
        assert!(
            token.mechanism(&offered("PLAIN"), true).unwrap_err().to_string().contains("it offers PLAIN")
        );
        assert!(password.mechanism(&[], true).unwrap_err().to_string().contains("no AUTH at all"));
    }

    #[tokio::test]
    async fn a_token_comes_from_a_file_or_a_command_and_is_asked_for_anew_when_it_was_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let by_file = Login::new("u".into(), Credential::Token(TokenPlace::File(path.clone())));
        assert!(by_file.shown().await.unwrap_err().to_string().contains("cannot be read"));
        std::fs::write(&path, "one\n").unwrap();
        assert_eq!(by_file.shown().await.unwrap(), "one");
        std::fs::write(&path, "two\n").unwrap();
        assert_eq!(by_file.shown().await.unwrap(), "one");
        by_file.forget();
        assert_eq!(by_file.shown().await.unwrap(), "two");
        for (command, want) in
            [("echo three", Ok("three")), ("exit 3", Err("failed")), ("true", Err("not a token"))]
        {
            let shown =
                Login::new("u".into(), Credential::Token(TokenPlace::Command(command.into()))).shown().await;
            match want {
                Ok(token) => assert_eq!(shown.unwrap(), token),
                Err(words) => assert!(shown.unwrap_err().to_string().contains(words), "{command}"),
            }
        }
    }
}
