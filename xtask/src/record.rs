//! A run on disk: `samples.jsonl`, one line per sample, raw and complete.
//!
//! The first line is the header, the last one says that the run is finished. The lines of one process, or of the two
//! of a pair, are written together when it has ended, so an interrupted run holds whole processes and pairs. A kill
//! in the middle of that leaves a part of them at the end. A reader refuses such a part, an unknown metric, a cell
//! that was not planned and a newer format.

mod whole;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use scenarios::{Answer, Phase, Sample, Thresholds};
use serde::{Deserialize, Serialize};

use crate::cli::Tier;
use crate::fingerprint::Context;
use crate::plan::PlannedCell;
use crate::process::FaultKind;

pub(crate) use writer::RecordWriter;

/// The version of `samples.jsonl`.
pub(crate) const FORMAT: u32 = 3;

/// Which revision a sample belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    /// The older one.
    Base,
    /// The one that is judged.
    Head,
    /// The older one again, as the base of the canary.
    CanaryBase,
    /// The older one again, as the head of the canary: a difference is the machine's.
    CanaryHead,
    /// The older one, built anew with another layout.
    ConfirmBase,
    /// The one that is judged, built anew with another layout.
    ConfirmHead,
}

impl Side {
    /// Returns the one that it is measured in pairs with.
    fn partner(self) -> Self {
        match self {
            Self::Base => Self::Head,
            Self::Head => Self::Base,
            Self::CanaryBase => Self::CanaryHead,
            Self::CanaryHead => Self::CanaryBase,
            Self::ConfirmBase => Self::ConfirmHead,
            Self::ConfirmHead => Self::ConfirmBase,
        }
    }

    /// Returns the words for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Head => "head",
            Self::CanaryBase => "base of the canary",
            Self::CanaryHead => "head of the canary",
            Self::ConfirmBase => "base built anew",
            Self::ConfirmHead => "head built anew",
        }
    }

    /// Tells whether it is an engine of the head.
    pub(crate) fn is_head(self) -> bool {
        matches!(self, Self::Head | Self::ConfirmHead)
    }
}

/// What a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    /// [`FORMAT`] of the file.
    pub(crate) format: u32,
    /// The run's name: time and suite.
    pub(crate) run: String,
    /// When it began.
    pub(crate) started: String,
    /// The suite.
    pub(crate) suite: String,
    /// The filters; none means all cells.
    pub(crate) filters: Vec<String>,
    /// The tier.
    pub(crate) tier: Tier,
    /// The baseline or revision asked for, if not the suite's own baseline.
    pub(crate) against: Option<String>,
    /// The other side, if it is measured beside the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<BaseHeader>,
    /// A digest of the engine's binary.
    pub(crate) engine_digest: String,
    /// The limits on what an execution uses, as the workspace had them when the run began.
    #[serde(default, skip_serializing_if = "Thresholds::is_empty")]
    pub(crate) thresholds: Thresholds,
    /// What the numbers depend on.
    pub(crate) context: Context,
    /// Every cell of the suite when the run began.
    pub(crate) suite_cells: Vec<String>,
    /// The selected cells and how they are measured.
    pub(crate) planned: Vec<PlannedCell>,
}

/// The side that is measured beside the head, and how the two are compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BaseHeader {
    /// What people call it.
    pub(crate) name: String,
    /// A digest of its engine's binary.
    pub(crate) engine_digest: String,
    /// What its numbers depend on.
    pub(crate) context: Context,
    /// Pairs of processes for a cell, at most.
    pub(crate) pairs: u32,
    /// The seed of orders, coins and exchanged labels.
    pub(crate) seed: u64,
    /// Effects up to this many millionths of the base are no regression.
    pub(crate) margin_ppm: u32,
    /// Effects shown to be less than this many millionths are no change.
    pub(crate) equivalence_ppm: u32,
    /// The cell that both sides of the canary measure.
    pub(crate) canary: Option<String>,
    /// Whether a change counts only if builds of another layout show it again.
    #[serde(default)]
    pub(crate) confirm: bool,
}

/// One measured execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SampleLine {
    /// The cell.
    pub(crate) cell: String,
    /// The side.
    pub(crate) side: Side,
    /// The number of the process.
    pub(crate) process: u32,
    /// Cold or warm.
    pub(crate) phase: Phase,
    /// The number of the execution in its process.
    pub(crate) iteration: u32,
    /// The metrics.
    pub(crate) metrics: BTreeMap<String, u64>,
    /// The answer.
    pub(crate) answer: Answer,
}

/// A process that ended well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProcessLine {
    /// The cell.
    pub(crate) cell: String,
    /// The side.
    pub(crate) side: Side,
    /// The number of the process.
    pub(crate) process: u32,
    /// How long the process took, with its start and end.
    pub(crate) elapsed_ms: u64,
    /// When it ended, since 1970 in UTC; not in records of format 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_unix_ms: Option<u64>,
}

/// The size of a cell's data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreparedLine {
    /// The cell.
    pub(crate) cell: String,
    /// Files.
    pub(crate) files: u64,
    /// Rows.
    pub(crate) rows: u64,
}

/// A failure of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailureLine {
    /// The cell.
    pub(crate) cell: String,
    /// The side.
    pub(crate) side: Side,
    /// The number of the process; none if the data could not be prepared.
    pub(crate) process: Option<u32>,
    /// What kind of failure.
    pub(crate) kind: FaultKind,
    /// What went wrong and what to do.
    pub(crate) message: String,
    /// The end of the engine's standard error.
    pub(crate) stderr: String,
}

/// A cell that could not be measured here, because something is not there that it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SkippedLine {
    /// The cell.
    pub(crate) cell: String,
    /// What is not there, and what to do.
    pub(crate) why: String,
}

/// Where the sides of a cell differ in how they answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DifferenceLine {
    /// The cell.
    pub(crate) cell: String,
    /// A paragraph for each thing.
    pub(crate) said: Vec<String>,
}

/// The last line of a finished run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndLine {
    /// When it ended.
    pub(crate) ended: String,
    /// Processes that were planned and not run because the budget was spent.
    pub(crate) processes_cut: u32,
}

/// One line of `samples.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(crate) enum Line {
    /// The first line.
    Header(Box<Header>),
    /// A cell's data is there.
    Prepared(PreparedLine),
    /// A sample.
    Sample(SampleLine),
    /// A process ended well.
    Process(ProcessLine),
    /// A cell failed.
    Failure(FailureLine),
    /// A cell was not measured.
    Skipped(SkippedLine),
    /// Where the sides of a cell that regressed differ in how they answer.
    Difference(DifferenceLine),
    /// The last line.
    End(EndLine),
}

/// A run, read back.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// What the run is.
    pub(crate) header: Header,
    /// The size of each cell's data.
    pub(crate) prepared: BTreeMap<String, PreparedLine>,
    /// The samples, in the order measured.
    pub(crate) samples: Vec<SampleLine>,
    /// The processes that ended well.
    pub(crate) processes: Vec<ProcessLine>,
    /// The failures.
    pub(crate) failures: Vec<FailureLine>,
    /// The cells that were not measured.
    pub(crate) skipped: Vec<SkippedLine>,
    /// Where sides differ.
    pub(crate) differences: Vec<DifferenceLine>,
    /// Whether and how the run ended.
    pub(crate) end: Option<EndLine>,
}

/// What to do with the part of a process or a pair that a kill has left at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CutLine {
    /// Refuse the record.
    Refuse,
    /// Leave it out: it will be run again.
    LeaveOut,
}

impl Record {
    /// Reads the run in a folder.
    pub(crate) fn read(folder: &Path, cut_line: CutLine) -> anyhow::Result<Self> {
        let path = folder.join("samples.jsonl");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read the run at {}", path.display()))?;
        Self::parse(&text, cut_line).with_context(|| format!("cannot use {}", path.display()))
    }

    /// Reads a run from the text of its `samples.jsonl`.
    pub(crate) fn parse(text: &str, cut_line: CutLine) -> anyhow::Result<Self> {
        let whole = whole::part_of(text);
        if whole.len() < text.len() && cut_line == CutLine::Refuse {
            let what = if text.ends_with('\n') { "process is not whole" } else { "line is cut off" };
            bail!("the last {what}; the run was interrupted: continue it with --resume");
        }
        let mut lines = whole.lines().enumerate();
        let first = lines.next().map_or("", |(_, line)| line);
        let mut record = Self::start(first)?;
        for (index, line) in lines {
            let number = index + 1;
            let line = serde_json::from_str(line).with_context(|| format!("line {number} is damaged"))?;
            record.add(line).with_context(|| format!("line {number}"))?;
        }
        Ok(record)
    }

    fn start(first: &str) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let version: Version = serde_json::from_str(first).context("line 1 is no header of a run")?;
        ensure!(
            version.format <= FORMAT,
            "it has format {}, newer than {FORMAT}; use the harness that wrote it",
            version.format
        );
        let Line::Header(header) = serde_json::from_str(first).context("line 1 is damaged")? else {
            bail!("line 1 is no header of a run");
        };
        Ok(Self {
            header: *header,
            prepared: BTreeMap::new(),
            samples: Vec::new(),
            processes: Vec::new(),
            failures: Vec::new(),
            skipped: Vec::new(),
            differences: Vec::new(),
            end: None,
        })
    }

    fn add(&mut self, line: Line) -> anyhow::Result<()> {
        ensure!(self.end.is_none(), "it comes after the end of the run");
        match line {
            Line::Header(_) => bail!("it is a second header"),
            Line::Prepared(prepared) => {
                self.require_planned(&prepared.cell)?;
                self.prepared.insert(prepared.cell.clone(), prepared);
            }
            Line::Sample(sample) => {
                self.require_planned(&sample.cell)?;
                sample.check()?;
                self.samples.push(sample);
            }
            Line::Process(process) => {
                self.require_planned(&process.cell)?;
                self.processes.push(process);
            }
            Line::Failure(failure) => {
                self.require_planned(&failure.cell)?;
                self.failures.push(failure);
            }
            Line::Skipped(skipped) => {
                self.require_planned(&skipped.cell)?;
                self.skipped.push(skipped);
            }
            Line::Difference(difference) => {
                self.require_planned(&difference.cell)?;
                self.differences.push(difference);
            }
            Line::End(end) => self.end = Some(end),
        }
        Ok(())
    }

    fn require_planned(&self, id: &str) -> anyhow::Result<()> {
        let known = self.header.planned.iter().any(|planned| planned.cell.id() == id);
        ensure!(known, "cell '{id}' was not planned in this run");
        Ok(())
    }

    /// Returns the (cell, process) pairs that need not be run again.
    pub(crate) fn finished(&self) -> BTreeSet<(String, Side, u32)> {
        self.processes.iter().map(|line| (line.cell.clone(), line.side, line.process)).collect()
    }
}

impl SampleLine {
    /// Makes the line of a sample.
    pub(crate) fn of(cell: &str, side: Side, process: u32, sample: &Sample) -> Self {
        Self {
            cell: cell.to_owned(),
            side,
            process,
            phase: sample.phase,
            iteration: sample.iteration,
            metrics: sample.metrics.clone(),
            answer: sample.answer.clone(),
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        let unknown: Vec<&str> = self
            .metrics
            .keys()
            .map(String::as_str)
            .filter(|name| scenarios::Metric::kind_of(name).is_none())
            .collect();
        ensure!(unknown.is_empty(), "unknown metric {}", unknown.join(", "));
        Ok(())
    }
}

/// Lists the folders of all runs, oldest first.
pub(crate) fn run_folders(runs: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !runs.is_dir() {
        return Ok(Vec::new());
    }
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(runs).with_context(|| format!("cannot list {}", runs.display()))? {
        let path = entry?.path();
        if path.join("samples.jsonl").is_file() {
            folders.push(path);
        }
    }
    folders.sort_unstable();
    Ok(folders)
}

/// Tells whether a run is surely of another suite, by its header alone: what is wrong with it is no matter then.
pub(crate) fn is_of_another(folder: &Path, suite: &str) -> bool {
    let header = || -> Option<serde_json::Value> {
        let mut line = String::new();
        BufReader::new(File::open(folder.join("samples.jsonl")).ok()?).read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    };
    header().and_then(|header| header["suite"].as_str().map(|of| of != suite)).unwrap_or(false)
}

#[cfg(test)]
pub(crate) mod tests;
