//! What the history in the usual folder says at one run: the runs before it and the run itself, for its page.
//!
//! A page is written with every run, so of what must be tested only wall times are; `cargo xtask history` tests all.

use super::accepted;
use super::analysis::Analysis;
use super::change::Series;
use super::line::{MEDIANS, RunLine};
use super::place::Place;
use super::series::{Asked, Run};
use crate::paths::Paths;
use crate::record::Record;

/// What is tested for a page.
const TESTED: &str = "wall_ns";

/// The newest runs that are looked at for a page.
const RUNS: usize = 200;

/// What the history of a suite says at one of its runs.
#[derive(Clone, Debug)]
pub(crate) struct OfRun {
    /// What it shows, of the cells of the run; the run is the last one, if it has a cell that did not fail.
    pub(crate) analysis: Analysis,
    /// The run's name.
    pub(crate) run: String,
    /// Whether the run was added to the history.
    pub(crate) is_kept: bool,
    /// Runs that began so long before that they are left out.
    pub(crate) earlier: usize,
    /// Runs that began later, which are left out too.
    pub(crate) later: usize,
    /// Where the history is, for people.
    pub(crate) shown: String,
}

impl OfRun {
    /// Reads the history of the suite of a run that has ended; nothing if there is none.
    pub(crate) fn read(paths: &Paths, record: &Record, cells: &[&str]) -> anyhow::Result<Option<Self>> {
        let header = &record.header;
        let place = Place::of(paths, None, None);
        let mut lines = place.read(paths, &header.suite)?;
        if lines.is_empty() {
            return Ok(None);
        }
        // A run of which every cell failed has no line.
        let own = RunLine::of(record, None).ok();
        let is_own = |line: &RunLine| own.as_ref().is_some_and(|own| line.is_same_run(own));
        let is_kept = lines.iter().any(is_own);
        lines.retain(|line| !is_own(line));
        let all = lines.len();
        lines.retain(|line| (&line.started, &line.run) <= (&header.started, &header.run));
        let later = all - lines.len();
        let earlier = lines.len().saturating_sub(RUNS);
        lines.drain(..earlier);
        lines.extend(own);
        let asked = Asked {
            cell: &|cell| cells.contains(&cell),
            metric: &|name| name == TESTED || !MEDIANS.contains(&name),
        };
        let analysis = Analysis::of(&header.suite, &lines, &accepted(paths, &header.suite)?, &asked);
        Ok(Some(Self {
            analysis,
            run: header.run.clone(),
            is_kept,
            earlier,
            later,
            shown: place.shown(&header.suite),
        }))
    }

    /// Tells whether a run is the one of the page.
    pub(crate) fn is_own(&self, run: &Run) -> bool {
        run.run == self.run && run.number + 1 == self.analysis.runs.len()
    }

    /// Tells whether a series ends with the run of the page.
    pub(crate) fn has_own_value(&self, series: &Series) -> bool {
        series.runs.last().is_some_and(|run| self.is_own(run))
    }
}
