//! Where things are: suites and baselines in the workspace, everything else under the target folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Returns this program, which runs itself for some tasks: the running one, though a build may have replaced its file.
pub(crate) fn harness() -> anyhow::Result<PathBuf> {
    let running = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    if running.exists() {
        return Ok(running);
    }
    std::env::current_exe().context("this program has no path")
}

/// Returns the workspace of this harness: the one that cargo runs it in, or else the one that it was built in. They are
/// different where clones share a target folder, as cargo takes what it built in one of them for built in all.
fn own_workspace(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let runs = variable("CARGO_PKG_NAME").is_some_and(|package| package == env!("CARGO_PKG_NAME"));
    let package = variable("CARGO_MANIFEST_DIR").filter(|_| runs);
    package.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from).join("..")
}

/// The folders of the workspace that the harness uses.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// The workspace.
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
    /// The output of running cells; removed after each process.
    pub(crate) work: PathBuf,
}

impl Paths {
    /// Finds the folders; `root` replaces the workspace of this harness.
    pub(crate) fn new(root: Option<&Path>) -> anyhow::Result<Self> {
        let own = own_workspace(|name| std::env::var_os(name));
        let given = root.unwrap_or(&own);
        let root = given
            .canonicalize()
            .with_context(|| format!("no workspace at {}; run cargo xtask inside one", given.display()))?;
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) if !folder.is_empty() => std::path::absolute(PathBuf::from(folder))?,
            _ => root.join("target"),
        };
        let work = match std::env::var_os("PONDMARK_WORK") {
            Some(folder) if !folder.is_empty() => {
                std::path::absolute(PathBuf::from(folder))?.join("pondmark")
            }
            _ => target.join("pondmark/work"),
        };
        Ok(Self { root, target, work })
    }

    /// The suites.
    pub(crate) fn suites(&self) -> PathBuf {
        self.root.join("scenarios/suites")
    }

    /// The ledger of claims; it lies among the suites, but is none.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.suites().join(format!("{}.toml", scenarios::LEDGER))
    }

    /// The documents.
    pub(crate) fn docs(&self) -> PathBuf {
        self.root.join("docs")
    }

    /// The committed baselines.
    pub(crate) fn baselines(&self) -> PathBuf {
        self.root.join("baselines")
    }

    /// The committed baseline of a suite.
    pub(crate) fn baseline_of(&self, suite: &str) -> PathBuf {
        self.baselines().join(format!("{suite}.json"))
    }

    /// The baselines saved on this machine.
    pub(crate) fn saved(&self) -> PathBuf {
        self.target.join("pondmark/baselines")
    }

    /// The generated ponds, kept by the engine.
    pub(crate) fn ponds(&self) -> PathBuf {
        self.target.join("pondmark/ponds")
    }

    /// The comparisons with peers, and their scripts.
    pub(crate) fn peers(&self) -> PathBuf {
        self.target.join("pondmark/peers")
    }

    /// The runs.
    pub(crate) fn runs(&self) -> PathBuf {
        self.target.join("pondmark/runs")
    }

    /// The runs of claims.
    pub(crate) fn claims(&self) -> PathBuf {
        self.target.join("pondmark/claims")
    }

    /// The histories of suites, and their charts.
    pub(crate) fn histories(&self) -> PathBuf {
        self.target.join("pondmark/history")
    }

    /// The profiles, a folder for each cell.
    pub(crate) fn profiles(&self) -> PathBuf {
        self.target.join("pondmark/profiles")
    }

    /// The engines of revisions, each under a name for what it was built from.
    pub(crate) fn engines(&self) -> PathBuf {
        self.target.join("pondmark/engines")
    }

    /// Shortens a path for people: relative to the current folder where that is shorter.
    pub(crate) fn shown(path: &Path) -> String {
        let here = std::env::current_dir().unwrap_or_default();
        path.strip_prefix(&here).unwrap_or(path).display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_where_cargo_runs_the_harness() {
        let check = |variables: &[(&str, &str)], expect: &str| {
            let value =
                |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            assert_eq!(own_workspace(value), Path::new(expect).join(".."), "{variables:?}");
        };
        let clone = ("CARGO_MANIFEST_DIR", "/clone/xtask");
        check(&[("CARGO_PKG_NAME", "xtask"), clone], "/clone/xtask");
        check(&[("CARGO_PKG_NAME", "other"), clone], env!("CARGO_MANIFEST_DIR"));
        check(&[], env!("CARGO_MANIFEST_DIR"));
    }
}
