//! The private environment of Python: made once, filled by pip, and asked what is there.
//!
//! Each package is installed by itself, so that one that cannot be installed keeps no other away.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;

use super::contender::{PEERS, Peer};
use super::record::{Absent, Present};
use super::script::{self, Python};
use crate::exit::{Exit, Stop};

/// The packages and their versions.
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// The scripts, by file name.
const SCRIPTS: [(&str, &str); 6] = [
    ("measure.py", include_str!("measure.py")),
    ("with_duckdb.py", include_str!("with_duckdb.py")),
    ("with_polars.py", include_str!("with_polars.py")),
    ("with_pyarrow.py", include_str!("with_pyarrow.py")),
    ("check.py", include_str!("check.py")),
    ("present.py", include_str!("present.py")),
];

/// What the checker needs.
const CHECKER: [&str; 3] = ["pyarrow", "numpy", "blake3"];

const INSTALL_TIMEOUT: Duration = Duration::from_secs(600);
const LOOK_TIMEOUT: Duration = Duration::from_secs(120);

/// The Python that runs the peers, and which of them are there.
#[derive(Debug)]
pub(crate) struct Environment {
    /// The Python.
    pub(crate) python: Python,
    /// Its version.
    pub(crate) version: String,
    /// The peers that can be imported.
    pub(crate) peers: Vec<Peer>,
    /// The same, with their versions.
    pub(crate) present: Vec<Present>,
    /// The peers that cannot.
    pub(crate) absent: Vec<Absent>,
}

/// What `present.py` prints.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    python: String,
    packages: BTreeMap<String, State>,
}

/// One package.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum State {
    Version(String),
    Error(String),
}

impl Environment {
    /// Makes or finds the environment below `folder`; with `given`, that Python is taken as it is.
    pub(crate) fn make(folder: &Path, given: Option<&Path>) -> anyhow::Result<Self> {
        let scripts = folder.join("peers/scripts");
        std::fs::create_dir_all(&scripts).with_context(|| format!("cannot make {}", scripts.display()))?;
        for (name, text) in SCRIPTS {
            std::fs::write(scripts.join(name), text)?;
        }
        let mut reasons = BTreeMap::new();
        let python = match given {
            Some(program) => Python { program: program.to_owned(), scripts },
            None => {
                let program = virtual_environment(&folder.join("peers-venv"), &scripts)?;
                let python = Python { program, scripts };
                reasons = install(&python)?;
                python
            }
        };
        Self::of(look(&python)?, python, &reasons)
    }

    /// Sorts what was found into peers that are there and peers that are not.
    fn of(found: Found, python: Python, reasons: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        let reason = |package: &str| {
            let seen = match found.packages.get(package) {
                Some(State::Version(_)) => return None,
                Some(State::Error(error)) => error.clone(),
                None => "nothing is known of it".to_owned(),
            };
            // What pip said tells more than that the import failed.
            Some(reasons.get(package).cloned().unwrap_or(seen))
        };
        for package in CHECKER {
            if let Some(reason) = reason(package) {
                let message = format!(
                    "answers cannot be checked, so nothing is measured: package {package} is not there: {reason}"
                );
                return Err(Stop::error(Exit::Incomparable, message));
            }
        }
        let (mut peers, mut present, mut absent) = (Vec::new(), Vec::new(), Vec::new());
        for peer in PEERS {
            let name = peer.name.to_owned();
            match (found.packages.get(peer.package), reason(peer.package)) {
                (Some(State::Version(version)), _) => {
                    peers.push(peer);
                    present.push(Present { name, version: version.clone() });
                }
                (_, reason) => absent.push(Absent { name, reason: reason.unwrap_or_default() }),
            }
        }
        Ok(Self { python, version: found.python, peers, present, absent })
    }
}

/// Makes a virtual environment if it is not there, and returns its Python.
fn virtual_environment(folder: &Path, log: &Path) -> anyhow::Result<PathBuf> {
    let program = folder.join("bin/python");
    if program.is_file() {
        return Ok(program);
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut command = Command::new("python3");
    command.args(["-m", "venv", "--clear"]).arg(folder);
    script::run(command, log, INSTALL_TIMEOUT).map_err(|error| {
        let message = format!(
            "no peer can be measured: python3 cannot make a virtual environment: {error:#}; \
             install it: apt install python3-venv, or give --python a Python that has the packages"
        );
        Stop::error(Exit::Incomparable, message)
    })?;
    Ok(program)
}

/// Installs every package that is not there in its version; returns why some could not be.
fn install(python: &Python) -> anyhow::Result<BTreeMap<String, String>> {
    let found = look(python)?;
    let mut reasons = BTreeMap::new();
    for (package, version) in requirements(REQUIREMENTS) {
        if matches!(found.packages.get(package), Some(State::Version(there)) if there == version) {
            continue;
        }
        eprintln!("installing {package} {version}");
        let mut command = Command::new(&python.program);
        command.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
        command.arg(format!("{package}=={version}"));
        if let Err(error) = script::run(command, &python.scripts, INSTALL_TIMEOUT) {
            reasons.insert(package.to_owned(), format!("pip could not install it: {}", last_line(&error)));
        }
    }
    Ok(reasons)
}

/// Returns the last line of an error: pip says there what it comes down to.
fn last_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

fn look(python: &Python) -> anyhow::Result<Found> {
    let packages: Vec<&str> = requirements(REQUIREMENTS).map(|(package, _)| package).collect();
    let printed = python.run("present.py", &packages, &python.scripts, LOOK_TIMEOUT)?;
    script::json(&printed)
}

/// Reads the lines `package==version`.
fn requirements(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .filter_map(|line| line.trim().split_once("=="))
        .filter(|(package, _)| !package.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python() -> Python {
        Python { program: "python3".into(), scripts: "scripts".into() }
    }

    fn found(text: &str) -> Found {
        script::json(text).unwrap()
    }

    #[test]
    fn every_peer_and_the_checker_are_pinned() {
        let pinned: Vec<&str> = requirements(REQUIREMENTS).map(|(package, _)| package).collect();
        for package in PEERS.map(|peer| peer.package).iter().chain(&CHECKER) {
            assert!(pinned.contains(package), "{package}");
        }
        assert_eq!(REQUIREMENTS.lines().filter(|line| !line.starts_with('#')).count(), pinned.len());
    }

    #[test]
    fn an_absent_peer_is_named_with_the_reason() {
        let text = r#"{"python": "3.13.1", "packages": {
            "duckdb": {"error": "ModuleNotFoundError: No module named 'duckdb'"},
            "polars": {"error": "ImportError: illegal instruction"},
            "pyarrow": {"version": "26.0.1"}, "numpy": {"version": "2"}, "blake3": {"version": "1"}}}"#;
        let reasons = [("duckdb".to_owned(), "pip could not install it: no wheel".to_owned())].into();
        let environment = Environment::of(found(text), python(), &reasons).unwrap();
        assert_eq!(environment.version, "3.13.1");
        assert_eq!(environment.peers, PEERS[2..]);
        assert_eq!(
            environment.present,
            [Present { name: "pyarrow".to_owned(), version: "26.0.1".to_owned() }]
        );
        let absent: Vec<(&str, &str)> =
            environment.absent.iter().map(|one| (one.name.as_str(), one.reason.as_str())).collect();
        assert_eq!(
            absent,
            [
                ("DuckDB", "pip could not install it: no wheel"),
                ("Polars", "ImportError: illegal instruction")
            ]
        );
    }

    #[test]
    fn without_a_checker_nothing_is_measured() {
        let text = r#"{"python": "3.13.1", "packages": {"pyarrow": {"version": "26.0.1"}}}"#;
        let error = Environment::of(found(text), python(), &BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains("package numpy is not there"), "{error}");
        assert_eq!(error.downcast_ref::<Stop>().unwrap().exit, Exit::Incomparable);
    }
}
