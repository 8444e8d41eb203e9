//! Starts cargo as a person would, though a cargo has started this program.
//!
//! `cargo run` puts facts about the package that it runs into the environment. Build scripts of dependencies watch
//! some of them, so a cargo inside would build DataFusion and Delta anew, and one by hand once more after it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::Context as _;

use crate::interrupt::{self, Group};
use crate::paths;

/// Returns a command for the cargo that runs this harness, or the one on the path.
pub(crate) fn command() -> Command {
    cleared(Command::new(program()))
}

/// Returns the same in the hands of a guard, which leads a process group and ends it when its input is closed.
pub(crate) fn guarded() -> anyhow::Result<Command> {
    let mut command = Command::new(paths::harness()?);
    command.arg("guard").arg(program()).stdin(Stdio::piped()).process_group(0);
    Ok(cleared(command))
}

/// Runs a guarded cargo to its end, and drops what it prints to standard output.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<ExitStatus> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let group = Group::led_by(&child);
    // Closed when this ends, however it ends.
    let _input = child.stdin.take();
    let mut stdout = child.stdout.take().expect("standard output is piped");
    std::io::copy(&mut stdout, &mut std::io::sink())?;
    drop(group);
    let status = child.wait()?;
    interrupt::check()?;
    Ok(status)
}

/// Removes what describes a package from the environment of a command.
fn cleared(mut command: Command) -> Command {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names.filter(|name| is_of_a_run(name)) {
        command.env_remove(name);
    }
    command
}

/// Returns the cargo that runs this harness, or the one on the path.
pub(crate) fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Tells whether `cargo run` sets a variable to describe the package it runs; `CARGO_TARGET_DIR`, say, it does not.
fn is_of_a_run(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|start| name.starts_with(start))
        || ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_stay_and_facts_about_a_package_go() {
        let check = |name, expect| assert_eq!(is_of_a_run(name), expect, "{name}");
        check("CARGO_PKG_NAME", true);
        check("CARGO_MANIFEST_DIR", true);
        check("CARGO_TARGET_DIR", false);
        check("CARGO_HOME", false);
        check("CARGO_TERM_COLOR", false);
        check("CARGO_BUILD_JOBS", false);
        check("RUSTFLAGS", false);
    }

    #[test]
    fn the_commands_environment_is_that_of_a_person() {
        // Cargo runs the tests as it runs programs, so there is something to remove.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        let command = command();
        let removed = |name: &str| command.get_envs().any(|(key, value)| key == name && value.is_none());
        assert!(removed("CARGO_PKG_NAME"));
        assert!(!removed("PATH"));
    }
}
