//! What this machine has: the store, room on its disks, authorities that it trusts, templates.

use std::path::Path;

use super::{CheckState, Finding, Patient};
use crate::cli::store;
use crate::config::{Config, TransportConfig};
use crate::deliver::tls;
use crate::model::store_url::StoreUrl;
use crate::support::files::{DiskSpace, disk_space};
use crate::support::templates::{BUILT_IN, Templates};

/// With less room than this, work is about to end; with less than that, it is time to act. In bytes.
const ROOM_MIN: u64 = 200 << 20;
const ROOM_WANTED: u64 = 2 << 30;

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let mut findings = vec![stored(&patient.config.store)];
    findings.extend(disks(patient.config));
    findings.push(authorities());
    findings.push(templates(&patient.config.templates_dir));
    findings
}

fn stored(url: &StoreUrl) -> Finding {
    const CHECK: &str = "store";
    let counted = || -> anyhow::Result<u64> {
        let store = store::open(url)?;
        // That it can be written to shows without anything being kept.
        store.try_out(|w| w.publishing().put_behind("doctor"))?;
        Ok(store.read(|r| r.entries().count())?)
    };
    match counted() {
        Ok(entries) => Finding::ok(CHECK, format!("{url} can be written to, and holds {entries} entries")),
        Err(error) => Finding::failed(
            CHECK,
            format!("{url}: {error:#}"),
            "see [store] url, and the disk or the server that it names",
        ),
    }
}

/// Each disk that is written to, once.
fn disks(config: &Config) -> Vec<Finding> {
    let store = match &config.store {
        StoreUrl::Sqlite(file) => file.parent().unwrap_or(Path::new(".")),
        StoreUrl::Postgres { cache, .. } => cache,
    };
    let mut folders = vec![store];
    if config.publish.to.is_none() {
        folders.push(&config.publish.dir);
    }
    if let TransportConfig::Directory(folder) = &config.mail.transport {
        folders.push(folder);
    }
    let mut seen: Vec<DiskSpace> = Vec::new();
    let mut findings = Vec::new();
    for folder in folders {
        match disk_space(folder) {
            Ok(space) if seen.contains(&space) => {}
            Ok(space) => {
                seen.push(space);
                findings.push(room(folder, space));
            }
            Err(error) => {
                findings.push(Finding::not_checked("disk", format!("{}: {error}", folder.display())))
            }
        }
    }
    findings
}

fn room(folder: &Path, space: DiskSpace) -> Finding {
    const FIX: &str = "make room on the disk, or keep entries and mails for a shorter time: [defaults] retention, [mail] retention";
    let said = format!("{} of {} are free for {}", size(space.free), size(space.total), folder.display());
    match space.free {
        free if free < ROOM_MIN => Finding::failed("disk", said, FIX),
        free if free < ROOM_WANTED => Finding::warning("disk", said, FIX),
        _ => Finding::ok("disk", said),
    }
}

/// A number of bytes for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..0x4000_0000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

fn authorities() -> Finding {
    const CHECK: &str = "tls";
    let (count, faults) = tls::system_roots();
    let said = format!("this machine trusts {count} authorities");
    match faults.first() {
        _ if count == 0 => Finding::failed(
            CHECK,
            "this machine trusts no authority, so that nothing can be read or sent over TLS",
            "install the package ca-certificates",
        ),
        Some(fault) => Finding::warning(
            CHECK,
            format!("{said}; one cannot be read: {fault}"),
            "install ca-certificates again",
        ),
        None => Finding::ok(CHECK, said),
    }
}

fn templates(folder: &Path) -> Finding {
    const CHECK: &str = "templates";
    match Templates::load(folder) {
        Ok(_) => {
            let own = BUILT_IN.iter().filter(|(name, _)| folder.join(name).is_file()).count();
            Finding::ok(CHECK, format!("all can be used, {own} of them your own"))
        }
        Err(error) => Finding::new(
            CHECK,
            CheckState::Failed,
            error.to_string(),
            Some("correct the template, or take it away: the built-in one is used then".into()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_nearly_full_is_said_before_and_when_work_ends() {
        for (free, state) in
            [(100 << 20, CheckState::Failed), (1 << 30, CheckState::Warning), (100 << 30, CheckState::Ok)]
        {
            let found = room(Path::new("/srv"), DiskSpace { free, total: 200 << 30 });
            assert_eq!(found.state, state, "{}", found.message);
            assert_eq!(found.fix.is_some(), state != CheckState::Ok);
        }
        assert_eq!((size(104_857_600), size(5 << 30)), ("104 MB".into(), "5.4 GB".into()));
    }
}
