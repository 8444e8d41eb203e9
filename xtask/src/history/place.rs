//! Where histories are: a file for each suite, in a folder or on a branch of git.

mod branch;
mod folder;

use std::path::{Path, PathBuf};

use super::line::RunLine;
use crate::paths::Paths;
use branch::Branch;

/// A folder, or a branch of the workspace's repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A folder.
    Folder(PathBuf),
    /// A branch, by its short name.
    Branch(String),
}

/// Whether a run was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It was.
    Now,
    /// It was there already.
    Before,
}

impl Place {
    /// Returns what was asked for, or the folder that is used if nothing was.
    pub(crate) fn of(paths: &Paths, folder: Option<&Path>, branch: Option<&str>) -> Self {
        match (folder, branch) {
            (_, Some(branch)) => Self::Branch(branch.to_owned()),
            (Some(folder), None) => Self::Folder(folder.to_owned()),
            (None, None) => Self::Folder(paths.histories()),
        }
    }

    /// Lists the suites that have a history, in alphabetical order.
    pub(crate) fn suites(&self, paths: &Paths) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Folder(folder) => folder::suites(folder),
            Self::Branch(name) => Branch::new(paths, name)?.suites(),
        }
    }

    /// Reads the runs of a suite, oldest first; none if it has no history.
    pub(crate) fn read(&self, paths: &Paths, suite: &str) -> anyhow::Result<Vec<RunLine>> {
        let mut lines = match self {
            Self::Folder(folder) => folder::read(folder, suite)?,
            Self::Branch(name) => Branch::new(paths, name)?.read(suite)?,
        };
        lines.sort_by(|a, b| (&a.started, &a.run).cmp(&(&b.started, &b.run)));
        Ok(lines)
    }

    /// Appends a run to the history of its suite, unless it is there.
    pub(crate) fn add(&self, paths: &Paths, line: &RunLine) -> anyhow::Result<Added> {
        match self {
            Self::Folder(folder) => folder::add(folder, line),
            Self::Branch(name) => Branch::new(paths, name)?.add(line),
        }
    }

    /// Names a history for people.
    pub(crate) fn shown(&self, suite: &str) -> String {
        match self {
            Self::Folder(folder) => Paths::shown(&folder.join(file_name(suite))),
            Self::Branch(name) => format!("{name}:{}", file_name(suite)),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", Paths::shown(folder)),
            Self::Branch(name) => write!(f, "branch {name}"),
        }
    }
}

/// The end of the names of histories.
const ENDING: &str = ".jsonl";

fn file_name(suite: &str) -> String {
    format!("{suite}{ENDING}")
}
