//! `courant token`: tokens by which programs use the API.

use std::io::Write;

use clap::Subcommand;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::ListFormat;
use super::output::{FittingLines, ObjectList};
use crate::app::{App, Usage};
use crate::config::parse_duration;
use crate::model::api_token::{ApiScope, ApiToken, hash_of, written_out};
use crate::support::clock::TokenSource;
use crate::support::terminal::{self, errln, outln};

/// Of the name of a token, in characters.
const NAME_CHARS_MAX: usize = 64;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token, and print it: this once.
    Add {
        /// What the program is called, in lists and logs.
        name: String,
        /// What it may do.
        #[arg(long, value_delimiter = ',', value_name = "SCOPE,…", required = true)]
        scope: Vec<String>,
        /// Until when: a length of time such as 90d, a day (UTC) or a time [default: until it is revoked].
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
    },
    /// List the tokens: what each may do, until when, and when it was last used.
    List {
        /// Output format.
        #[arg(long, value_enum, default_value = "text")]
        format: ListFormat,
    },
    /// Revoke a token: from now on it is refused.
    Revoke { name: String },
}

/// Runs the subcommand.
///
/// # Errors
/// When the store fails, or the name is taken or unknown.
pub(super) fn token(app: &App, wanted: &TokenCommand) -> anyhow::Result<()> {
    let now = app.clock.now();
    match wanted {
        TokenCommand::Add { name, scope, expires } => {
            let expires = expires.as_deref().map(|text| end(text, now)).transpose().map_err(Usage)?;
            add(app, name, scope, expires)
        }
        TokenCommand::List { format } => list(app, *format),
        TokenCommand::Revoke { name } => {
            if !app.store().write(|w| w.api_tokens().revoke(name, now))? {
                return Err(
                    Usage(format!("no token is called \"{name}\": `courant token list` shows them")).into()
                );
            }
            outln!("{name} is revoked");
            Ok(())
        }
    }
}

/// When a token expires.
fn end(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let length = || {
        let seconds = i64::try_from(parse_duration(text).ok()?).ok()?;
        now.checked_add(SignedDuration::from_secs(seconds)).ok()
    };
    let day = || {
        let midnight = text.parse::<Date>().ok()?.to_datetime(Time::midnight());
        TimeZone::UTC.to_timestamp(midnight).ok()
    };
    let end = text.parse().ok().or_else(day).or_else(length);
    match end {
        Some(end) if end > now => Ok(end),
        Some(_) => Err(format!("--expires {text}: that is over")),
        None => Err(format!("--expires {text}: write 90d, 2027-01-31 or 2027-01-31T08:00:00Z")),
    }
}

fn add(app: &App, name: &str, scopes: &[String], expires: Option<Timestamp>) -> anyhow::Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(is_plain) {
        let why = format!(
            "\"{name}\" is no name for a token: use up to {NAME_CHARS_MAX} letters, digits, - _ and ."
        );
        return Err(Usage(why).into());
    }
    let mut wanted: Vec<ApiScope> = Vec::new();
    for scope in scopes {
        let scope = ApiScope::parse(scope.trim()).map_err(Usage)?;
        if !wanted.contains(&scope) {
            wanted.push(scope);
        }
    }
    let (now, secret) = (app.clock.now(), written_out(&TokenSource::System.long_token()?));
    let token =
        ApiToken { name: name.to_owned(), scopes: wanted, created: now, expires, used: None, revoked: None };
    if !app.store().write(|w| w.api_tokens().put(&hash_of(&secret), &token))? {
        let why =
            format!("a token is called \"{name}\" already: choose another name, or revoke that one first");
        return Err(Usage(why).into());
    }
    errln!("{name} may {}: this is its token, which is shown only now", scopes_of(&token));
    outln!("{secret}");
    Ok(())
}

fn scopes_of(token: &ApiToken) -> String {
    token.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(",")
}

fn list(app: &App, format: ListFormat) -> anyhow::Result<()> {
    let (tokens, now) = (app.store().read(|r| r.api_tokens().list())?, app.clock.now());
    let mut out = terminal::stdout();
    if let Some(mut objects) = ObjectList::wanted(format) {
        for token in &tokens {
            let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
            let object = json!({
                "name": token.name,
                "state": token.state(now),
                "scopes": scopes,
                "created": token.created,
                "expires": token.expires,
                "used": token.used,
                "revoked": token.revoked,
            });
            objects.put(&mut out, &object)?;
        }
        return Ok(objects.end(&mut out)?);
    }
    let lines = FittingLines::new();
    let day = |at: Option<Timestamp>, never: &str| {
        at.map_or_else(|| never.to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
    };
    for token in &tokens {
        let line = format!(
            "{:<20}  {:<7}  until {:<10}  used {:<10}  {}",
            token.name,
            token.state(now),
            day(token.expires, "revoked"),
            day(token.used, "never"),
            scopes_of(token)
        );
        lines.put(&mut out, &line)?;
    }
    if tokens.is_empty() {
        writeln!(out, "there is no token: `courant token add NAME --scope read` makes one")?;
    }
    Ok(())
}
