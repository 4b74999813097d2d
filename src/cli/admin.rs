//! `courant admin`: what is needed to sign in under `/admin`.

use std::io::{BufRead as _, IsTerminal as _, Read as _};

use clap::Subcommand;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::app::Usage;
use crate::model::password::{PASSWORD_BYTES_MAX, PasswordHash};
use crate::support::clock::TokenSource;
use crate::support::terminal::{errln, outln};
use crate::support::text::unhex;

#[derive(Debug, Subcommand)]
pub(super) enum AdminCommand {
    /// Read a password from standard input, and print its hash for `[[admin.account]]`.
    HashPassword,
}

/// Runs the subcommand.
///
/// # Errors
/// When the password cannot be read, or is too short.
pub(super) fn admin(wanted: &AdminCommand) -> anyhow::Result<()> {
    let AdminCommand::HashPassword = wanted;
    let password = password()?;
    let salt = unhex(&TokenSource::System.token()?).unwrap_or_default();
    outln!("{}", PasswordHash::of(&password, &salt).map_err(Usage)?.written_out());
    Ok(())
}

/// The first line of standard input; on a terminal, nobody sees what is typed.
fn password() -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    let _hidden = stdin.is_terminal().then(HiddenInput::begin);
    let mut line = Vec::new();
    // A little more than a password may have, so that one that is too long is known.
    stdin.lock().take(PASSWORD_BYTES_MAX as u64 + 2).read_until(b'\n', &mut line)?;
    let text = String::from_utf8(line).map_err(|_| Usage("the password is not UTF-8".into()))?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.chars().any(char::is_control) {
        return Err(Usage("the password has a control character in it, which no form can send".into()).into());
    }
    Ok(password.to_owned())
}

/// A terminal that does not show what is typed, until this is dropped.
struct HiddenInput(Option<Termios>);

impl HiddenInput {
    fn begin() -> HiddenInput {
        errln!("Password, which is not shown:");
        let before = tcgetattr(std::io::stdin()).ok();
        if let Some(mut hidden) = before.clone() {
            hidden.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &hidden);
        }
        HiddenInput(before)
    }
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}
