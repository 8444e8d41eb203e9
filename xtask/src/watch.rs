//! Who watches a run as it goes on: its thresholds, each told once for a cell, and with `--live` the view of it.
//!
//! Everything is done by the harness's own thread between executions: what is being measured is never drawn beside.
//! What is told here is told again by the report, which has it from the record.

mod live;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::rc::Rc;
use std::time::{Duration, Instant};

use scenarios::{Cell, Sample, Thresholds};

use crate::paired::Call;
use crate::plan::PlannedCell;
use crate::progress::Progress;
use crate::record::{Header, Side};
use crate::thresholds::{self, Crossed};

pub(crate) use live::Live;

/// What watches a run; by default nothing does.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    thresholds: Thresholds,
    told: BTreeSet<(String, Crossed)>,
    live: Option<Rc<RefCell<Live>>>,
}

impl Watch {
    /// Watches a run by the thresholds of its header; the view, if it is asked for, needs a terminal.
    pub(crate) fn of(header: &Header, live: bool) -> Self {
        let is_shown = live && std::io::stderr().is_terminal();
        let live = is_shown.then(|| Rc::new(RefCell::new(Live::begin(Instant::now()))));
        Self { thresholds: header.thresholds.clone(), told: BTreeSet::new(), live }
    }

    /// Starts a bar of so many steps, with the view below it if there is one.
    pub(crate) fn progress(&self, steps: usize) -> Progress {
        match &self.live {
            Some(live) => Progress::start_live(steps, Rc::clone(live)),
            None => Progress::start(steps),
        }
    }

    /// Begins with a process of a cell, or with one of each of two sides; returns how that is called.
    pub(crate) fn words(&self, planned: &PlannedCell, sides: &[Side], process: u32) -> String {
        let id = planned.cell.id();
        match &self.live {
            Some(live) => live.borrow_mut().begin_turn(planned, sides, process, Instant::now()),
            None => id,
        }
    }

    /// Bounds the time of turns that are still to be taken, if it is shown.
    pub(crate) fn left(&self, turns: usize, budget: Option<Duration>) -> Option<Duration> {
        self.live.as_ref()?.borrow_mut().left(turns, budget, Instant::now())
    }

    /// Takes note of an execution, between it and the next.
    pub(crate) fn sample(
        &mut self,
        cell: &Cell,
        side: Side,
        process: u32,
        sample: &Sample,
        progress: &Progress,
    ) {
        if side.is_head() {
            for (crossed, crossing) in thresholds::crossed(&self.thresholds, cell, &sample.metrics) {
                let (id, phase) = (cell.id(), sample.phase.name());
                if self.told.insert((id.clone(), crossed)) {
                    progress.warn(&format!("warning: {id}, {phase}: {crossing}"));
                }
            }
        }
        if let Some(live) = &self.live {
            live.borrow_mut().take(&cell.id(), side, process, sample, self.told.len());
            progress.changed();
        }
    }

    /// Takes note that all processes of a cell have ended.
    pub(crate) fn end_cell(&self, outcome: &'static str) {
        if let Some(live) = &self.live {
            live.borrow_mut().end_cell(outcome);
        }
    }

    /// Takes note of what is said of the cells that are decided so far.
    pub(crate) fn decide(&self, calls: impl Iterator<Item = Call>) {
        if let Some(live) = &self.live {
            live.borrow_mut().decide(calls);
        }
    }
}
