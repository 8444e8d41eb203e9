//! What a run will do: processes per cell, and their order.

use std::time::Duration;

use scenarios::{Cell, Scenario};
use serde::{Deserialize, Serialize};

use crate::cli::Tier;
use crate::selection::Selection;

/// The processes every cell runs in, whatever the budget: fewer cannot show that a counter repeats.
pub(crate) const LEAST_PROCESSES: u32 = 2;
const LEAST_TIME_PROCESSES: u32 = 3;
const MOST_EXACT_WARM: u32 = 2;

/// A cell and how it is to be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlannedCell {
    /// The cell.
    pub(crate) cell: Cell,
    /// Executions after the cold one, in each process.
    pub(crate) warm: u32,
    /// Fresh processes.
    pub(crate) processes: u32,
    /// Seconds after which a process counts as hanging.
    pub(crate) timeout_s: u64,
}

/// One process of one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The cell, by its place in the plan.
    pub(crate) cell: usize,
    /// The number of the process, from 0.
    pub(crate) process: u32,
}

/// Plans the selected cells of a suite.
pub(crate) fn plan(selection: &Selection, tier: Tier) -> Vec<PlannedCell> {
    let mut planned = Vec::new();
    for cell in &selection.cells {
        let scenario = selection.suite.scenarios.iter().find(|scenario| scenario.name == cell.scenario);
        let scenario = scenario.expect("a cell is made from a scenario of its suite");
        // The tools of benchmarks repeat by themselves.
        let (processes, warm) = if cell.workload.is_micro() { (1, 1) } else { repetitions(scenario, tier) };
        planned.push(PlannedCell { cell: cell.clone(), warm, processes, timeout_s: scenario.timeout_s });
    }
    planned
}

fn repetitions(scenario: &Scenario, tier: Tier) -> (u32, u32) {
    match tier {
        Tier::Exact => (LEAST_PROCESSES, scenario.warm.min(MOST_EXACT_WARM)),
        Tier::Time => (scenario.processes.max(LEAST_TIME_PROCESSES), scenario.warm),
        Tier::All => (scenario.processes.max(LEAST_PROCESSES), scenario.warm),
    }
}

/// Orders all processes round by round, so that a slow minute of the machine touches every cell a little.
pub(crate) fn steps(planned: &[PlannedCell]) -> Vec<Step> {
    let rounds = planned.iter().map(|cell| cell.processes).max().unwrap_or(0);
    let mut steps = Vec::new();
    for process in 0..rounds {
        for (cell, planned) in planned.iter().enumerate() {
            if process < planned.processes {
                steps.push(Step { cell, process });
            }
        }
    }
    steps
}

/// Estimates the time that the remaining steps take, from the mean of the finished ones of each cell.
///
/// A cell without a finished process counts as the mean of the others; without any there is no estimate.
pub(crate) fn time_left(remaining: &[Step], finished: &[(Step, Duration)]) -> Option<Duration> {
    let mean = |durations: Vec<Duration>| -> Option<Duration> {
        let count = u32::try_from(durations.len()).ok().filter(|count| *count > 0)?;
        Some(durations.iter().sum::<Duration>() / count)
    };
    let overall = mean(finished.iter().map(|(_, took)| *took).collect())?;
    let mut left = Duration::ZERO;
    for step in remaining {
        let own = finished.iter().filter(|(other, _)| other.cell == step.cell).map(|(_, took)| *took);
        left += mean(own.collect()).unwrap_or(overall);
    }
    Some(left)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use scenarios::Workload;

    use super::*;

    fn planned(name: &str, processes: u32) -> PlannedCell {
        let cell = Cell {
            suite: "s".into(),
            scenario: name.into(),
            workload: Workload::Open,
            point: Vec::new(),
            parameters: BTreeMap::new(),
            expected: None,
        };
        PlannedCell { cell, warm: 1, processes, timeout_s: 1 }
    }

    #[test]
    fn rounds_visit_every_cell_before_any_cell_twice() {
        let steps = steps(&[planned("a", 2), planned("b", 3)]);
        let order: Vec<(usize, u32)> = steps.iter().map(|step| (step.cell, step.process)).collect();
        assert_eq!(order, [(0, 0), (1, 0), (0, 1), (1, 1), (1, 2)]);
    }

    #[test]
    fn time_left_uses_each_cells_own_times() {
        let step = |cell, process| Step { cell, process };
        let seconds = Duration::from_secs;
        assert_eq!(time_left(&[step(0, 0)], &[]), None);
        let finished = [(step(0, 0), seconds(2)), (step(1, 0), seconds(10))];
        assert_eq!(time_left(&[step(0, 1), step(2, 0)], &finished), Some(seconds(8)));
    }
}
