//! What packages install: the files that they name, the units, the configuration.

use std::path::Path;
use std::process::Command;

use toml::{Table, Value};

use crate::support::App;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn installed(what: &str) -> Vec<(String, String)> {
    let manifest: Table =
        std::fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).unwrap().parse().unwrap();
    let assets = manifest["package"]["metadata"][what]["assets"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().trim_start_matches('/').to_owned();
    let pair = |asset: &Value| match asset {
        Value::Array(parts) => (text(&parts[0]), text(&parts[1])),
        asset => (text(&asset["source"]), text(&asset["dest"])),
    };
    assets.iter().map(pair).collect()
}

#[test]
fn packages_install_files_that_there_are_and_all_that_packaging_holds() {
    for what in ["deb", "generate-rpm"] {
        let sources: Vec<String> = installed(what).into_iter().map(|(source, _)| source).collect();
        for source in sources.iter().filter(|source| !source.starts_with("target/")) {
            assert!(Path::new(ROOT).join(source).exists(), "{what}: there is no {source}");
        }
        for folder in ["systemd", "sysusers.d", "tmpfiles.d"] {
            for file in std::fs::read_dir(Path::new(ROOT).join("packaging").join(folder)).unwrap() {
                let path = format!("packaging/{folder}/{}", file.unwrap().file_name().to_str().unwrap());
                assert!(sources.contains(&path), "{what}: {path} is not installed");
            }
        }
    }
}

#[test]
fn manual_pages_and_completions_are_written_where_packages_look_for_them() {
    let app = App::new("");
    let folder = app.path("packaging");
    let script = Path::new(ROOT).join("scripts/manual");
    let written = Command::new(script).arg(env!("CARGO_BIN_EXE_courant")).arg(&folder).status().unwrap();
    assert!(written.success());
    for (source, _) in installed("deb") {
        let Some(path) = source.strip_prefix("target/packaging/") else { continue };
        let path = path.replace('*', "courant-serve");
        assert!(std::fs::metadata(folder.join(&path)).unwrap().len() > 100, "{path}");
    }
}

#[test]
fn the_configuration_of_the_packages_is_valid_and_keeps_what_is_stored_out_of_etc() {
    let app = App::new("");
    let text = std::fs::read_to_string(Path::new(ROOT).join("packaging/feeds.toml")).unwrap();
    let state = app.folder().join("state");
    app.write("etc/feeds.toml", text.replace("/var/lib/courant", state.to_str().unwrap()));
    assert!(app.ok(&["--config", "etc/feeds.toml", "check"]).contains("is valid"));
    app.ok(&["--config", "etc/feeds.toml", "run"]);
    assert!(state.join("public/index.html").exists() && state.join("courant.db").exists());
    assert_eq!(std::fs::read_dir(app.path("etc")).unwrap().count(), 1, "nothing is written beside it");
}

#[test]
fn units_leave_the_service_little_that_it_could_do_harm_with() {
    let units = Path::new(ROOT).join("packaging/systemd");
    for unit in ["courant.service", "courant-run.service"] {
        // The figure is in tenths.
        let judged = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold=20", "--no-pager"])
            .arg(units.join(unit))
            .output();
        // Where systemd is not installed, nobody can say.
        let Ok(judged) = judged else { continue };
        let said = String::from_utf8_lossy(&judged.stdout);
        assert!(judged.status.success(), "{said}{}", String::from_utf8_lossy(&judged.stderr));
    }
    let text = |name: &str| std::fs::read_to_string(units.join(name)).unwrap();
    let hardening = |name: &str| -> Vec<String> {
        let text = text(name);
        text.lines()
            .skip_while(|line| *line != "User=courant")
            .take_while(|line| *line != "[Install]")
            .map(str::to_owned)
            .filter(|line| !line.is_empty())
            .collect()
    };
    assert_eq!(hardening("courant.service"), hardening("courant-run.service"));
}

#[test]
fn the_container_file_is_without_the_faults_that_hadolint_knows() {
    let python = std::env::var("COURANT_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    // `tests/requirements.txt` brings it.
    let judged = Command::new(Path::new(&python).with_file_name("hadolint"))
        .arg(Path::new(ROOT).join("packaging/Dockerfile"))
        .output()
        .expect("hadolint: ./scripts/test installs it");
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
}

/// Whether what builds the container leaves out a path of the source: the last rule that fits it counts.
fn is_left_out_of_container(path: &str) -> bool {
    let rules = std::fs::read_to_string(Path::new(ROOT).join(".dockerignore")).unwrap();
    let fitting = rules.lines().rfind(|rule| Path::new(path).starts_with(rule.trim_start_matches('!')));
    fitting.is_some_and(|rule| !rule.starts_with('!'))
}

#[test]
fn the_container_is_built_with_all_that_the_program_includes() {
    assert!(is_left_out_of_container("docs/book.toml") && is_left_out_of_container("target/release/courant"));
    let mut folders = vec![Path::new(ROOT).join("src")];
    let mut included = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&entry) else { continue };
            for rest in text.split("include_str!(\"").chain(text.split("include_bytes!(\"")).skip(1) {
                let Some((path, _)) = rest.split_once("\")") else { continue };
                let Ok(path) = folder.join(path).canonicalize() else { continue };
                let path = path.strip_prefix(Path::new(ROOT).canonicalize().unwrap()).unwrap().to_owned();
                included += 1;
                assert!(!is_left_out_of_container(path.to_str().unwrap()), "{}", path.display());
            }
        }
    }
    assert!(included > 20, "{included}");
}
