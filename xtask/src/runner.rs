//! Runs the planned cells: one unmeasured process prepares, then a fresh process for every repetition.
//!
//! A cell that fails is recorded and not repeated; the others go on.

pub(crate) mod calibrate;
pub(crate) mod cell;
mod copies;
pub(crate) mod pairs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use scenarios::wire::{Event, Request};

use crate::clock;
use crate::interrupt;
use crate::paths::Paths;
use crate::plan::{self, LEAST_PROCESSES, PlannedCell, Step};
use crate::process::{EngineProcess, Fault, FaultKind, Hello};
use crate::progress::Progress;
use crate::record::{FailureLine, Line, PreparedLine, ProcessLine, RecordWriter, SampleLine, Side};
use crate::watch::Watch;

const HELLO_TIMEOUT: Duration = Duration::from_secs(30);
const PREPARE_TIMEOUT_S: u64 = 900;

/// Where the engine is and where it may write.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// Whose measurements the processes make.
    pub(crate) side: Side,
    /// The engine's binary.
    pub(crate) engine: PathBuf,
    /// The generated ponds.
    pub(crate) ponds: PathBuf,
    /// The output of this run's cells; removed after each process.
    pub(crate) work: PathBuf,
    /// The fault that the self-test plants in the engine; usually none.
    pub(crate) fault: &'static str,
}

impl Surroundings {
    /// Returns those of an engine that measures for a side, with its output in a folder.
    pub(crate) fn new(paths: &Paths, side: Side, engine: &Path, work: &Path) -> Self {
        let (engine, work) = (engine.to_owned(), work.to_owned());
        Self { side, engine, ponds: paths.ponds(), work, fault: "" }
    }

    /// Starts the engine; it must be done before the time-out.
    fn start(&self, timeout: Duration) -> Result<EngineProcess, Fault> {
        EngineProcess::start(&self.engine, self.fault, timeout)
    }
}

/// What the answers of a process must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// Those that the suite states.
    Stated,
    /// Any; whoever reads the samples compares them.
    Any,
}

/// What has been done of a run, and who watches it.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// The (cell, process) pairs that need not be run again.
    pub(crate) processes: BTreeSet<(String, Side, u32)>,
    /// The cells that have failed.
    pub(crate) failed: BTreeSet<String>,
    /// Who watches it.
    pub(crate) watch: Watch,
}

/// Asks the engine who it is.
pub(crate) fn greet(engine: &Path) -> Result<Hello, Fault> {
    let mut process = EngineProcess::start(engine, "", HELLO_TIMEOUT)?;
    let hello = process.hello()?;
    process.finish()?;
    Ok(hello)
}

/// Prepares the data of every cell that has not failed.
pub(crate) fn prepare(
    surroundings: &Surroundings,
    planned: &[PlannedCell],
    record: &mut RecordWriter,
    done: &mut Done,
) -> anyhow::Result<()> {
    let progress = done.watch.progress(planned.len());
    let mut process = None;
    for planned in planned {
        let id = planned.cell.id();
        progress.now(&format!("prepare {id}"), None);
        if !done.failed.contains(&id) {
            match prepare_cell(surroundings, planned, &mut process, &progress) {
                Ok(line) => record.append(&[Line::Prepared(line)])?,
                Err(fault) => {
                    interrupt::check()?;
                    let stderr = process.take().map(EngineProcess::stderr_tail).unwrap_or_default();
                    progress.warn(&format!("{id}: {}", fault.message));
                    record.append(&[failure(&id, surroundings.side, None, fault, stderr)])?;
                    done.failed.insert(id);
                }
            }
        }
        progress.step();
    }
    if let Some(mut process) = process {
        // All data is there; how the preparing process ends is no result.
        let _ = process.finish();
    }
    Ok(())
}

/// Prepares the data of a cell in a process that the cells to prepare share.
pub(crate) fn prepare_cell(
    surroundings: &Surroundings,
    planned: &PlannedCell,
    process: &mut Option<EngineProcess>,
    progress: &Progress,
) -> Result<PreparedLine, Fault> {
    let timeout = Duration::from_secs(planned.timeout_s.max(PREPARE_TIMEOUT_S));
    if process.is_none() {
        let started = process.insert(surroundings.start(timeout)?);
        started.hello()?;
    }
    let engine = process.as_mut().expect("a process was just started");
    engine.renew_deadline();
    let (cell, ponds_dir) = (planned.cell.clone(), surroundings.ponds.clone());
    engine.send(&Request::Prepare { cell, ponds_dir })?;
    loop {
        match engine.event()? {
            Event::Progress { what, done, total } => {
                engine.renew_deadline();
                progress.now(&format!("prepare {}: {what} {done}/{total}", planned.cell.id()), None);
            }
            Event::Prepared { built, files, rows } => {
                if built {
                    progress.line(&format!("{}: built {files} files, {rows} rows", planned.cell.id()));
                }
                return Ok(PreparedLine { cell: planned.cell.id(), files, rows });
            }
            Event::Failed { message } => return Err(Fault::new(FaultKind::Refused, message)),
            other => return Err(out_of_turn(&other)),
        }
    }
}

/// Runs every process that is not done, round by round; returns how many the budget cut.
pub(crate) fn measure(
    surroundings: &Surroundings,
    planned: &[PlannedCell],
    budget: Option<Duration>,
    record: &mut RecordWriter,
    done: &mut Done,
) -> anyhow::Result<u32> {
    let mut todo = plan::steps(planned);
    todo.retain(|step| {
        !done.processes.contains(&(planned[step.cell].cell.id(), surroundings.side, step.process))
    });
    let progress = done.watch.progress(todo.len());
    let began = Instant::now();
    let mut times: Vec<(Step, Duration)> = Vec::new();
    let mut cut = 0;
    let mut todo_of: BTreeMap<usize, u32> = BTreeMap::new();
    for step in &todo {
        *todo_of.entry(step.cell).or_default() += 1;
    }
    for (index, step) in todo.iter().enumerate() {
        let cell = &planned[step.cell];
        let id = cell.cell.id();
        let spent = budget.is_some_and(|budget| began.elapsed() >= budget);
        if spent && step.process >= LEAST_PROCESSES {
            cut += u32::from(!done.failed.contains(&id));
        } else if !done.failed.contains(&id) {
            let what = done.watch.words(cell, &[surroundings.side], step.process);
            progress.now(&what, plan::time_left(&todo[index..], &times));
            let took =
                measure_process(surroundings, cell, step.process, Answers::Stated, record, done, &progress)?;
            times.push((*step, took));
        }
        progress.step();
        let left = todo_of.get_mut(&step.cell).expect("every step was counted");
        *left -= 1;
        if *left == 0 {
            let outcome = if done.failed.contains(&id) { "failed" } else { "measured" };
            done.watch.end_cell(outcome);
            let rest = todo.len() - index - 1;
            progress.line(&format!("{id}: {outcome}; {rest} processes to go"));
        }
    }
    Ok(cut)
}

/// Runs one process of a cell and records what it gave; returns how long it took.
pub(crate) fn measure_process(
    surroundings: &Surroundings,
    planned: &PlannedCell,
    process: u32,
    answers: Answers,
    record: &mut RecordWriter,
    done: &mut Done,
    progress: &Progress,
) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let outcome = cell::run(surroundings, planned, process, answers)?;
    let took = began.elapsed();
    for sample in &outcome.samples {
        done.watch.sample(&planned.cell, surroundings.side, process, sample, progress);
    }
    let lines = kept(surroundings.side, planned, process, (outcome, took), done, progress);
    record.append(&lines)?;
    Ok(took)
}

/// Makes the lines of what a process gave.
fn kept(
    side: Side,
    planned: &PlannedCell,
    process: u32,
    (outcome, took): (cell::Outcome, Duration),
    done: &mut Done,
    progress: &Progress,
) -> Vec<Line> {
    let id = planned.cell.id();
    let mut lines: Vec<Line> = Vec::new();
    for sample in outcome.samples.iter().filter(|sample| sample.unknown_metrics().is_empty()) {
        lines.push(Line::Sample(SampleLine::of(&id, side, process, sample)));
    }
    match outcome.failure {
        None => {
            let elapsed_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let ended_unix_ms = Some(clock::now_ms());
            let cell = id.clone();
            lines.push(Line::Process(ProcessLine { cell, side, process, elapsed_ms, ended_unix_ms }));
            done.processes.insert((id, side, process));
        }
        Some((fault, stderr)) => {
            if interrupt::exit_code().is_none() {
                progress.warn(&format!("{id}: {}", fault.message));
            }
            lines.push(failure(&id, side, Some(process), fault, stderr));
            done.failed.insert(id);
        }
    }
    lines
}

fn failure(id: &str, side: Side, process: Option<u32>, fault: Fault, stderr: String) -> Line {
    let Fault { kind, message } = fault;
    Line::Failure(FailureLine { cell: id.to_owned(), side, process, kind, message, stderr })
}

pub(crate) fn out_of_turn(event: &Event) -> Fault {
    Fault::new(FaultKind::Protocol, format!("the engine spoke out of turn: {}", event.to_line()))
}
