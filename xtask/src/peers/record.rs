//! What was measured, as a file: every execution of every process, with what the check found.

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::contender::{Contender, Task};
use crate::fingerprint::Context;

/// The format of the file.
pub(crate) const FORMAT: u32 = 1;

/// One execution of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Execution {
    /// Elapsed time.
    pub(crate) wall_ns: u64,
    /// User and system time of the process and its workers.
    pub(crate) cpu_ns: u64,
    /// Largest resident memory so far; of several processes the sum.
    pub(crate) peak_rss_bytes: u64,
    /// Rows of the output.
    pub(crate) rows: u64,
    /// Files of the output.
    pub(crate) files: u64,
}

/// What the checker found in the output of the last execution.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Check {
    /// Rows found.
    pub(crate) rows: u64,
    /// Files found.
    pub(crate) files: u64,
    /// Partitions that are not sorted by time.
    pub(crate) unsorted: u64,
    /// Partitions of several files where one is due.
    pub(crate) split: u64,
    /// What differs from the reference.
    pub(crate) differences: u64,
    /// Some of all that, in words.
    pub(crate) examples: Vec<String>,
}

/// One process of one contender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProcessLine {
    /// The round, from 0.
    pub(crate) round: u32,
    /// The task.
    pub(crate) task: Task,
    /// Who did it.
    pub(crate) contender: Contender,
    /// The executions: the first is cold, the others are warm.
    pub(crate) executions: Vec<Execution>,
    /// What the checker found; nothing if the process failed.
    pub(crate) check: Option<Check>,
    /// Why the process or its check failed.
    pub(crate) failure: Option<String>,
}

impl ProcessLine {
    /// Returns whether the process must not be trusted: it failed, or its answer is wrong. An order that is
    /// not kept is a finding about a peer, but wrong for the engine.
    pub(crate) fn is_wrong(&self) -> bool {
        let wrong = |check: &Check| {
            check.differences > 0 || (self.contender == Contender::Engine && !check.is_in_order())
        };
        self.failure.is_some() || self.check.as_ref().is_none_or(wrong)
    }
}

impl Check {
    /// Returns whether the layout is what was asked for: one sorted file for each partition.
    pub(crate) fn is_in_order(&self) -> bool {
        self.unsorted == 0 && self.split == 0
    }
}

/// A peer or a package that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Absent {
    /// The name for people.
    pub(crate) name: String,
    /// Why.
    pub(crate) reason: String,
}

/// The library that a peer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Present {
    /// The name for people.
    pub(crate) name: String,
    /// The version.
    pub(crate) version: String,
}

/// The input of the peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Series, each a file.
    pub(crate) files: u64,
    /// Their rows.
    pub(crate) rows: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
}

/// Everything measured on one pond.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// [`FORMAT`].
    pub(crate) format: u32,
    /// When the run began.
    pub(crate) started: String,
    /// The generated pond.
    pub(crate) size: String,
    /// Rounds that were asked for.
    pub(crate) rounds: u32,
    /// The seed of the order.
    pub(crate) seed: u64,
    /// Workers of each contender.
    pub(crate) workers: usize,
    /// A digest of the engine's binary.
    pub(crate) engine_digest: String,
    /// What the numbers depend on.
    pub(crate) context: Context,
    /// The version of Python.
    pub(crate) python: String,
    /// The peers that took part.
    pub(crate) present: Vec<Present>,
    /// The peers that did not.
    pub(crate) absent: Vec<Absent>,
    /// The input of the peers.
    pub(crate) input: Input,
    /// Every process, in the order in which they ran.
    pub(crate) processes: Vec<ProcessLine>,
}

impl Record {
    /// Writes the record.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::contender::Mode;
    use super::*;

    /// Makes a contender.
    pub(crate) fn peer(package: &str, mode: Mode) -> Contender {
        Contender::Peer { package: package.to_owned(), mode }
    }

    /// Makes a process of the first round whose executions took so many ms of wall and processor time.
    pub(crate) fn line(task: Task, contender: Contender, took: &[(u64, u64)]) -> ProcessLine {
        let execution = |(wall, cpu): &(u64, u64)| Execution {
            wall_ns: wall * 1_000_000,
            cpu_ns: cpu * 1_000_000,
            peak_rss_bytes: 100 << 20,
            rows: 1000,
            files: 10,
        };
        let executions = took.iter().map(execution).collect();
        let check = Some(Check { rows: 1000, files: 10, ..Check::default() });
        ProcessLine { round: 0, task, contender, executions, check, failure: None }
    }

    #[test]
    fn order_is_a_finding_for_peers_and_an_error_for_the_engine() {
        let unsorted = |contender| {
            let mut line = line(Task::Export, contender, &[(1, 1)]);
            line.check.as_mut().unwrap().unsorted = 3;
            line
        };
        assert!(unsorted(Contender::Engine).is_wrong());
        assert!(!unsorted(peer("duckdb", Mode::Bulk)).is_wrong());
        let mut different = line(Task::Export, peer("duckdb", Mode::Bulk), &[(1, 1)]);
        assert!(!different.is_wrong());
        different.check.as_mut().unwrap().differences = 1;
        assert!(different.is_wrong());
        different.check = None;
        assert!(different.is_wrong());
    }
}
