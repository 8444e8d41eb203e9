//! Instructions, counted by callgrind through gungraun, which needs its runner in the version of the library.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::{Found, Refusal};
use crate::cargo;
use crate::fingerprint::output_of;
use crate::paths::Paths;

/// The crate of the benchmarks and their name for it in the lock file.
const LIBRARY: &str = "gungraun";

/// The program that starts valgrind.
const RUNNER: &str = "gungraun-runner";

/// The package whose benchmarks these are.
const PACKAGE: &str = "engine";

/// Runs the benchmarks of a file.
pub(super) fn run(paths: &Paths, bench: &str) -> Result<Found, Refusal> {
    if output_of("valgrind", &["--version"], Path::new(".")).is_none() {
        let text = "valgrind is not there; install it (Debian: apt install valgrind), and cargo xtask bench micro \
                    installs the rest";
        return Err(Refusal::Missing(text.to_owned()));
    }
    let runner = runner(paths).map_err(|error| Refusal::Missing(format!("{error:#}")))?;
    measured(paths, bench, &runner).map_err(|error| Refusal::Failed(format!("{error:#}")))
}

fn measured(paths: &Paths, bench: &str, runner: &Path) -> anyhow::Result<Found> {
    // What an older binary left would be taken for what this one measures.
    let folder = paths.target.join(LIBRARY);
    let of_file = folder.join(PACKAGE).join(bench);
    if of_file.is_dir() {
        std::fs::remove_dir_all(&of_file).with_context(|| format!("cannot empty {}", of_file.display()))?;
    }
    let status = cargo::run(
        cargo::guarded()?
            .current_dir(&paths.root)
            .args(["bench", "--package", PACKAGE, "--bench", bench])
            .args(["--", "--save-summary=json", "--callgrind-args=--cache-sim=no"])
            .env("GUNGRAUN_RUNNER", runner)
            .env("GUNGRAUN_HOME", &folder),
    )?;
    ensure!(status.success(), "cargo bench --package {PACKAGE} --bench {bench} ended with {status}");
    let mut found = Found::new();
    for path in summaries(&of_file)? {
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let (key, instructions) =
            summary(&text).with_context(|| format!("{} is not what was expected", path.display()))?;
        found.insert(key, [("instructions".to_owned(), instructions)].into());
    }
    ensure!(!found.is_empty(), "there is no summary below {}", of_file.display());
    Ok(found)
}

/// Finds the files that say what was measured.
fn summaries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = item?.path();
        if path.is_dir() {
            found.extend(summaries(&path)?);
        } else if path.file_name().is_some_and(|name| name == "summary.json") {
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Reads the function, the case and the instructions of a summary.
fn summary(text: &str) -> anyhow::Result<((String, Option<String>), u64)> {
    let summary: Value = serde_json::from_str(text)?;
    let function = summary["function_name"].as_str().context("it names no function")?;
    let case = summary["id"].as_str().filter(|id| !id.is_empty());
    let count = instructions(&summary).context("it counts no instructions")?;
    Ok(((function.to_owned(), case.map(str::to_owned)), count))
}

/// Finds the instructions of the whole benchmark, all its threads and processes together.
fn instructions(summary: &Value) -> Option<u64> {
    let profiles = summary["profiles"].as_array()?;
    let callgrind = profiles.iter().find(|profile| profile["tool"] == "Callgrind")?;
    callgrind["data"]["total"]["metrics"]["Ir"]["values"]["new"].as_u64()
}

/// Returns the runner of the library's version, and installs it if it is not there.
fn runner(paths: &Paths) -> anyhow::Result<PathBuf> {
    let lock = std::fs::read_to_string(paths.root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let version = locked_version(&lock, LIBRARY).context("Cargo.lock names no gungraun")?;
    let tools = paths.target.join("tools");
    let runner = tools.join("bin").join(RUNNER);
    let there = output_of(&runner.to_string_lossy(), &["--version"], Path::new("."));
    if there.is_some_and(|text| text.split_whitespace().any(|word| word == version)) {
        return Ok(runner);
    }
    eprintln!("installing {RUNNER} {version} into {}; this takes a few minutes", Paths::shown(&tools));
    let installed = cargo::run(
        cargo::guarded()?
            .args(["install", RUNNER, "--version", &version, "--locked", "--root"])
            .arg(&tools)
            .arg("--target-dir")
            .arg(tools.join("build")),
    )?;
    ensure!(
        installed.success(),
        "{RUNNER} {version} could not be installed ({installed}); see above, or install it yourself: cargo install \
         {RUNNER} --version {version} --locked --root {}",
        tools.display()
    );
    Ok(runner)
}

/// Finds the version of a package in a lock file.
fn locked_version(lock: &str, package: &str) -> Option<String> {
    let mut lines = lock.lines();
    let name = format!("name = \"{package}\"");
    lines.by_ref().find(|line| *line == name)?;
    Some(lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_lock_file() {
        let lock = "[[package]]\nname = \"gungraun-macros\"\nversion = \"0.10.0\"\n\n\
                    [[package]]\nname = \"gungraun\"\nversion = \"0.20.1\"\n";
        assert_eq!(locked_version(lock, "gungraun").as_deref(), Some("0.20.1"));
        assert_eq!(locked_version(lock, "gungraun-runner"), None);
    }

    #[test]
    fn a_summary_of_another_form_is_refused() {
        let error = |text: &str| format!("{:#}", summary(text).unwrap_err());
        assert_eq!(error("{}"), "it names no function");
        assert_eq!(error(r#"{"function_name": "f", "profiles": []}"#), "it counts no instructions");
        assert!(error("{").starts_with("EOF"));
    }
}
