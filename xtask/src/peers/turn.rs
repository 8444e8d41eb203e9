//! One turn of one contender: a fresh process, measured by itself, and a check of what it left.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use scenarios::wire::Request;
use scenarios::{Answer, Cell};
use serde::Deserialize;

use super::contender::{Contender, PEERS, Task, input_cell};
use super::record::{Check, Execution, Input, ProcessLine};
use super::script::{self, Python};
use crate::plan::PlannedCell;
use crate::process::EngineProcess;
use crate::progress::Progress;
use crate::runner::cell::exchange;
use crate::runner::{self, Answers, Surroundings};

/// Executions of a process: one cold, one warm.
const EXECUTIONS: u32 = 2;
const TIMEOUT: Duration = Duration::from_secs(900);

/// Where a run on one pond takes place.
#[derive(Debug)]
pub(crate) struct Arena<'a> {
    /// The Python of the peers and of the checker.
    pub(crate) python: &'a Python,
    /// The engine, its ponds, and a folder that is removed in the end.
    pub(crate) surroundings: &'a Surroundings,
    /// The generated pond.
    pub(crate) size: &'a str,
    /// Workers of each contender.
    pub(crate) workers: usize,
}

impl Arena<'_> {
    /// Has the engine build the ponds, not measured; returns why cells could not be prepared.
    pub(crate) fn prepare(&self, progress: &Progress) -> Vec<(Task, String)> {
        let mut process: Option<EngineProcess> = None;
        let mut failures = Vec::new();
        for task in Task::ALL {
            let planned = self.planned(task.cell(self.size, self.workers));
            if let Err(fault) = runner::prepare_cell(self.surroundings, &planned, &mut process, progress) {
                process = None;
                failures.push((task, fault.message));
            }
        }
        if let Some(mut process) = process {
            // All data is there; how the preparing process ends is no result.
            let _ = process.finish();
        }
        failures
    }

    fn planned(&self, cell: Cell) -> PlannedCell {
        PlannedCell { cell, warm: EXECUTIONS - 1, processes: 1, timeout_s: TIMEOUT.as_secs() }
    }

    /// Has the engine export the input of the peers, each series as one file sorted by time.
    pub(crate) fn make_input(&self) -> anyhow::Result<Input> {
        let work = self.fresh("input-export")?;
        let planned = PlannedCell { warm: 0, ..self.planned(input_cell(self.size)) };
        let cell = planned.cell.clone();
        let (ponds_dir, work_dir) = (self.surroundings.ponds.clone(), work.clone());
        let request = Request::Run { cell, ponds_dir, work_dir, in_turn: false, warm: 0 };
        let outcome = exchange(self.surroundings, &planned, &request, Answers::Any);
        if let Some((fault, stderr)) = outcome.failure {
            anyhow::bail!("the engine could not export the input of the peers: {} {stderr}", fault.message);
        }
        std::fs::rename(work.join("out"), self.input())
            .context("the engine exported nothing that could be the input of the peers")?;
        // The peers read a folder of Parquet files and nothing else.
        std::fs::remove_file(self.input().join("manifest.json"))
            .context("the export of the engine has no manifest")?;
        let (files, bytes) = size_of(&self.input())?;
        Ok(Input { files, rows: outcome.samples[0].answer.rows, bytes })
    }

    /// Computes what each task must give, from the input, by the checker.
    pub(crate) fn make_references(&self) -> anyhow::Result<()> {
        for task in Task::ALL {
            let arguments = ["reference", "--task", task.name(), "--input", &text(&self.input())];
            self.check(&arguments, task)?;
        }
        Ok(())
    }

    /// Runs a contender once and checks what it left.
    pub(crate) fn take(&self, round: u32, task: Task, contender: &Contender) -> anyhow::Result<ProcessLine> {
        let work = self.fresh("turn")?;
        let outcome = match contender {
            Contender::Engine => self.engine(task, &work),
            Contender::Peer { package, mode } => self.peer(task, package, mode.name(), &work),
        };
        let (executions, check, failure) = match outcome {
            Ok((executions, check)) => (executions, Some(check), None),
            Err(error) => (Vec::new(), None, Some(format!("{error:#}"))),
        };
        std::fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
        let contender = contender.clone();
        Ok(ProcessLine { round, task, contender, executions, check, failure })
    }

    fn engine(&self, task: Task, work: &Path) -> anyhow::Result<(Vec<Execution>, Check)> {
        let planned = self.planned(task.cell(self.size, self.workers));
        let cell = planned.cell.clone();
        let (ponds_dir, work_dir) = (self.surroundings.ponds.clone(), work.to_owned());
        let request = Request::Run { cell, ponds_dir, work_dir, in_turn: false, warm: EXECUTIONS - 1 };
        let outcome = exchange(self.surroundings, &planned, &request, Answers::Any);
        if let Some((fault, stderr)) = outcome.failure {
            anyhow::bail!("{}{}{stderr}", fault.message, if stderr.is_empty() { "" } else { "\n" });
        }
        let executions = outcome.samples.iter().map(|sample| {
            let metric = |name: &str| sample.metrics.get(name).copied().unwrap_or(0);
            Execution {
                wall_ns: metric("wall_ns"),
                cpu_ns: metric("cpu_ns"),
                peak_rss_bytes: metric("peak_rss_bytes"),
                rows: sample.answer.rows,
                files: metric("files_written"),
            }
        });
        let check = match task {
            Task::Query => {
                let printed = self.check(&["digest"], task)?;
                let answers: Vec<&Answer> = outcome.samples.iter().map(|sample| &sample.answer).collect();
                compare_digests(&script::json(&printed)?, &answers)
            }
            _ => self.compare(task, &work.join("out"))?,
        };
        Ok((executions.collect(), check))
    }

    fn peer(
        &self,
        task: Task,
        package: &str,
        mode: &str,
        work: &Path,
    ) -> anyhow::Result<(Vec<Execution>, Check)> {
        let peer = PEERS.iter().find(|peer| peer.package == package);
        let peer = peer.with_context(|| format!("'{package}' is no peer"))?;
        let output = work.join("out");
        let (input, out) = (text(&self.input()), text(&output));
        let (executions, workers) = (EXECUTIONS.to_string(), self.workers.to_string());
        let arguments = [
            ["--module", peer.module],
            ["--task", task.name()],
            ["--mode", mode],
            ["--input", &input],
            ["--output", &out],
            ["--executions", &executions],
            ["--workers", &workers],
        ];
        let printed = self.python.run("measure.py", &arguments.concat(), work, TIMEOUT)?;
        let executions = script::executions(&printed, EXECUTIONS as usize)?;
        Ok((executions, self.compare(task, &output)?))
    }

    fn compare(&self, task: Task, output: &Path) -> anyhow::Result<Check> {
        let printed = self.check(&["compare", "--task", task.name(), "--output", &text(output)], task)?;
        script::json(&printed)
    }

    fn check(&self, arguments: &[&str], task: Task) -> anyhow::Result<String> {
        let reference = text(&self.surroundings.work.join(format!("reference-{}", task.name())));
        let arguments = [arguments, &["--reference", &reference]].concat();
        self.python.run("check.py", &arguments, &self.surroundings.work, TIMEOUT)
    }

    fn input(&self) -> PathBuf {
        self.surroundings.work.join("input")
    }

    fn fresh(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.surroundings.work.join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}

/// What the checker says of the reference of a query; rounding may allow more than one digest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Digests {
    rows: u64,
    digests: Vec<String>,
}

/// Compares the engine's answers with what the checker made of the reference.
fn compare_digests(expected: &Digests, answers: &[&Answer]) -> Check {
    let mut check = Check { rows: answers.first().map_or(0, |answer| answer.rows), ..Check::default() };
    for answer in answers {
        if answer.rows != expected.rows || !expected.digests.contains(&answer.digest) {
            check.differences += 1;
            check.examples.push(format!(
                "the engine answered {answer}, expected {} rows, digest {}",
                expected.rows,
                expected.digests.join(" or ")
            ));
        }
    }
    check
}

/// Counts the files below a folder, and their bytes.
fn size_of(folder: &Path) -> anyhow::Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            let (more_files, more_bytes) = size_of(&entry.path())?;
            (files, bytes) = (files + more_files, bytes + more_bytes);
        } else {
            (files, bytes) = (files + 1, bytes + entry.metadata()?.len());
        }
    }
    Ok((files, bytes))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_right_if_rows_and_digest_are() {
        let expected: Digests = script::json(r#"{"rows": 3, "digests": ["0123456789abcdef", "2"]}"#).unwrap();
        let answer = |rows, digest: &str| Answer { rows, digest: digest.to_owned() };
        let right = answer(3, "0123456789abcdef");
        assert_eq!(compare_digests(&expected, &[&right, &answer(3, "2")]).differences, 0);
        assert_eq!(compare_digests(&expected, &[&right, &answer(3, "f")]).differences, 1);
        let check = compare_digests(&expected, &[&answer(2, "0123456789abcdef")]);
        assert!(
            check.examples[0]
                .contains("2 rows, digest 0123456789abcdef, expected 3 rows, digest 0123456789abcdef or 2"),
            "{check:?}"
        );
    }
}
