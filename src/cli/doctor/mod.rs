//! `courant doctor`: looks at everything that an installation needs, and says for each thing how it is and what to do.

mod machine;
mod mail;
mod site;

use std::net::SocketAddr;
use std::path::Path;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::app;
use crate::config::{self, Config};
use crate::fetch::names::{NameService, NamesError};
use crate::support::terminal::outln;
use crate::support::text::many;

#[derive(Debug, Clone, Args)]
pub(super) struct DoctorOptions {
    /// Print one list of objects, for programs.
    #[arg(long)]
    json: bool,
    /// Name server to ask for the records of mail [default: those of the system].
    #[arg(long, value_name = "ADDRESS:PORT")]
    name_server: Option<SocketAddr>,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum CheckState {
    Ok,
    Warning,
    Failed,
    NotChecked,
}

impl CheckState {
    fn as_str(self) -> &'static str {
        match self {
            CheckState::Ok => "ok",
            CheckState::Warning => "warning",
            CheckState::Failed => "failed",
            CheckState::NotChecked => "not checked",
        }
    }
}

/// What was found of a thing.
#[derive(Debug, Clone, Serialize)]
struct Finding {
    check: &'static str,
    state: CheckState,
    message: String,
    /// What to do about it.
    fix: Option<String>,
}

impl Finding {
    fn new(
        check: &'static str,
        state: CheckState,
        message: impl Into<String>,
        fix: Option<String>,
    ) -> Finding {
        Finding { check, state, message: message.into(), fix }
    }

    fn ok(check: &'static str, message: impl Into<String>) -> Finding {
        Finding::new(check, CheckState::Ok, message, None)
    }

    fn warning(check: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding::new(check, CheckState::Warning, message, Some(fix.into()))
    }

    fn failed(check: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding::new(check, CheckState::Failed, message, Some(fix.into()))
    }

    fn not_checked(check: &'static str, why: impl Into<String>) -> Finding {
        Finding::new(check, CheckState::NotChecked, why, None)
    }
}

/// What is looked at, and with what.
struct Patient<'a> {
    config: &'a Config,
    names: Result<NameService, NamesError>,
    now: Timestamp,
}

/// Something is not as it has to be.
#[derive(Debug, thiserror::Error)]
#[error("{0}: what to do about it stands above")]
struct Unwell(String);

/// Looks at everything, and reports.
///
/// # Errors
/// When the configuration is faulty, or something failed.
pub(super) async fn doctor(options: &DoctorOptions, path: &Path, now: Timestamp) -> anyhow::Result<()> {
    let config = config::load(path)?;
    let patient = Patient { config: &config, names: NameService::new(options.name_server), now };
    let mut findings = configuration(&config, path);
    findings.extend(machine::look(&patient));
    findings.extend(mail::look(&patient).await);
    findings.extend(site::look(&patient).await);
    if options.json {
        outln!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        findings.iter().for_each(print);
    }
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    let failed = count(CheckState::Failed);
    if failed > 0 {
        return Err(Unwell(many(failed, "check failed", "checks failed")).into());
    }
    if !options.json {
        outln!(
            "{} passed, {}, {} not checked",
            many(count(CheckState::Ok), "check", "checks"),
            many(count(CheckState::Warning), "warning", "warnings"),
            count(CheckState::NotChecked)
        );
    }
    Ok(())
}

/// What `courant check` finds.
fn configuration(config: &Config, path: &Path) -> Vec<Finding> {
    const CHECK: &str = "configuration";
    let fix = || format!("change {}, then run courant check", path.display());
    let faults = app::trial(config);
    let mut findings: Vec<Finding> =
        faults.iter().map(|fault| Finding::failed(CHECK, format!("{fault:#}"), fix())).collect();
    findings.extend(
        config.notes.iter().map(|note| Finding::warning(CHECK, note.in_file(path).to_string(), fix())),
    );
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, format!("{} is valid", path.display())));
    }
    findings
}

fn print(finding: &Finding) {
    outln!("{:<11}  {:<13}  {}", finding.state.as_str(), finding.check, finding.message);
    if let Some(fix) = &finding.fix {
        outln!("{:<11}  {:<13}  > {fix}", "", "");
    }
}
