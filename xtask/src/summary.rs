//! Reduces raw samples to what a cell is known to be: medians, spreads, and which counters repeat.
//!
//! Cold and warm are kept apart. An exact counter is stable in a phase if every process has the same value
//! for the same execution; one that is not is reported with all values it had, and never averaged.

use std::collections::{BTreeMap, BTreeSet};

use scenarios::{Answer, Cell, Kind, Metric, Phase};

use crate::fingerprint::Context;
use crate::measured::{CellMeasured, Measured, PhaseMeasured, Seen, Values};
use crate::micro;
use crate::plan::LEAST_PROCESSES;
use crate::record::{FailureLine, Record, SampleLine, Side};
use crate::statistics::Spread;

/// One phase of a cell.
#[derive(Clone, Debug, Default)]
pub(crate) struct PhaseSummary {
    /// Counters that repeated.
    pub(crate) exact: BTreeMap<String, Values>,
    /// Counters that did not, with the values they had.
    pub(crate) unstable: BTreeMap<String, Seen>,
    /// Bounded metrics and times.
    pub(crate) spreads: BTreeMap<String, Spread>,
}

/// One cell of a run.
#[derive(Clone, Debug)]
pub(crate) struct CellSummary {
    /// The cell.
    pub(crate) cell: Cell,
    /// Its full name.
    pub(crate) id: String,
    /// Processes that ended well.
    pub(crate) processes: usize,
    /// Processes that were planned.
    pub(crate) planned: u32,
    /// Files of its data set, if it was prepared.
    pub(crate) files: Option<u64>,
    /// The answer it gave.
    pub(crate) answer: Option<Answer>,
    /// What was measured.
    pub(crate) phases: BTreeMap<Phase, PhaseSummary>,
    /// What went wrong.
    pub(crate) failures: Vec<FailureLine>,
    /// Why it was not measured, if it could not be.
    pub(crate) skipped: Option<String>,
}

/// A run in short.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    /// The run's name.
    pub(crate) run: String,
    /// The suite.
    pub(crate) suite: String,
    /// What the numbers depend on.
    pub(crate) context: Context,
    /// The selected cells, in suite order.
    pub(crate) cells: Vec<CellSummary>,
    /// Whether the run came to its end.
    pub(crate) finished: bool,
    /// What the reader should know of the whole run.
    pub(crate) notes: Vec<String>,
}

impl Summary {
    /// Reduces a record.
    pub(crate) fn of(record: &Record) -> Self {
        Self::of_side(record, Side::Head, &record.header.context)
    }

    /// Sums up what was measured of one side.
    pub(crate) fn of_side(record: &Record, side: Side, context: &Context) -> Self {
        let header = &record.header;
        let cells = header.planned.iter().map(|planned| {
            let id = planned.cell.id();
            let samples: Vec<&SampleLine> = record
                .samples
                .iter()
                .filter(|line| line.cell == id)
                .filter(|line| line.side == side || (side == Side::Head && line.side.is_head()))
                .collect();
            let processes = record
                .processes
                .iter()
                .filter(|line| line.cell == id)
                .filter(|line| line.side == side || (side == Side::Head && line.side.is_head()))
                .count();
            // Of a run that went on, the cell may have been measured later.
            let skipped = record.skipped.iter().find(|line| line.cell == id && processes == 0);
            CellSummary {
                cell: planned.cell.clone(),
                processes,
                planned: planned.processes,
                skipped: skipped.map(|line| line.why.clone()),
                files: record.prepared.get(&id).map(|line| line.files),
                answer: samples.first().map(|line| line.answer.clone()),
                phases: phases(&samples),
                failures: record
                    .failures
                    .iter()
                    .filter(|line| line.cell == id)
                    .filter(|line| line.side == side || (side == Side::Head && line.side.is_head()))
                    .cloned()
                    .collect(),
                id,
            }
        });
        Self {
            run: header.run.clone(),
            suite: header.suite.clone(),
            context: context.clone(),
            cells: cells.collect(),
            finished: record.end.is_some(),
            notes: notes(record),
        }
    }

    /// Returns what comparisons need; cells that failed have nothing to compare.
    pub(crate) fn measured(&self) -> Measured {
        let sound = self.cells.iter().filter(|cell| cell.failures.is_empty() && cell.skipped.is_none());
        Measured {
            suite: self.suite.clone(),
            context: self.context.clone(),
            cells: sound.map(|cell| (cell.id.clone(), cell.measured())).collect(),
        }
    }
}

impl CellSummary {
    /// Returns the median of a metric in a phase.
    pub(crate) fn spread(&self, phase: Phase, metric: &str) -> Option<Spread> {
        self.phases.get(&phase)?.spreads.get(metric).copied()
    }

    /// Tells whether it ran in fewer processes than show that counters repeat.
    pub(crate) fn has_too_few(&self) -> bool {
        self.processes < LEAST_PROCESSES.min(self.planned) as usize
    }

    fn measured(&self) -> CellMeasured {
        let mut measured = CellMeasured::new();
        for (phase, summary) in &self.phases {
            let medians = summary.spreads.iter().map(|(name, spread)| (name.clone(), spread.median));
            measured.insert(
                *phase,
                PhaseMeasured {
                    exact: summary.exact.clone(),
                    unstable: summary.unstable.clone(),
                    medians: medians.collect(),
                },
            );
        }
        measured
    }
}

fn notes(record: &Record) -> Vec<String> {
    let mut notes = Vec::new();
    match &record.end {
        None => notes.push("the run is not finished; continue it with --resume".to_owned()),
        Some(end) if end.processes_cut > 0 => {
            notes.push(format!("the budget was spent; {} processes were not run", end.processes_cut));
        }
        Some(_) => {}
    }
    let mut skipped: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &record.skipped {
        *skipped.entry(&line.why).or_default() += 1;
    }
    notes.extend(skipped.iter().map(|(why, count)| format!("{count} cells did not run: {why}")));
    let is_micro = micro::is_micro(&record.header.planned);
    if record.header.context.profile != "release" && !is_micro {
        notes.push(format!("the engine is a {} build; its times mean little", record.header.context.profile));
    }
    notes
}

fn phases(samples: &[&SampleLine]) -> BTreeMap<Phase, PhaseSummary> {
    let mut phases = BTreeMap::new();
    for phase in [Phase::Cold, Phase::Warm] {
        let of_phase: Vec<&SampleLine> = samples.iter().copied().filter(|line| line.phase == phase).collect();
        if !of_phase.is_empty() {
            phases.insert(phase, phase_summary(&of_phase));
        }
    }
    phases
}

fn phase_summary(samples: &[&SampleLine]) -> PhaseSummary {
    let names: BTreeSet<&String> = samples.iter().flat_map(|line| line.metrics.keys()).collect();
    let mut summary = PhaseSummary::default();
    for name in names {
        let kind = Metric::kind_of(name).expect("a record refuses unknown metrics");
        if kind == Kind::Exact {
            match repeated(samples, name) {
                Ok(values) => summary.exact.insert(name.clone(), values).map_or((), drop),
                Err(seen) => summary.unstable.insert(name.clone(), seen).map_or((), drop),
            }
            continue;
        }
        let values: Vec<u64> = samples.iter().filter_map(|line| line.metrics.get(name).copied()).collect();
        if let Some(spread) = Spread::of(&values) {
            summary.spreads.insert(name.clone(), spread);
        }
    }
    summary
}

/// Returns the values of a counter by execution, or all values it had if processes differ in any.
fn repeated(samples: &[&SampleLine], name: &str) -> Result<Values, Seen> {
    let mut by_iteration: BTreeMap<u32, Seen> = BTreeMap::new();
    for line in samples {
        by_iteration.entry(line.iteration).or_default().insert(line.metrics.get(name).copied());
    }
    let mut each = Vec::new();
    for seen in by_iteration.values() {
        match seen.first() {
            Some(Some(value)) if seen.len() == 1 => each.push(*value),
            _ => return Err(by_iteration.values().flatten().copied().collect()),
        }
    }
    Ok(Values::new(each))
}

#[cfg(test)]
mod tests {
    use scenarios::Answer;

    use super::*;
    use crate::record::Side;

    fn sample(process: u32, iteration: u32, metric: Option<u64>) -> SampleLine {
        SampleLine {
            cell: "s/c[]".into(),
            side: Side::Head,
            process,
            phase: if iteration == 0 { Phase::Cold } else { Phase::Warm },
            iteration,
            metrics: metric.map(|value| ("rows_read".to_owned(), value)).into_iter().collect(),
            answer: Answer { rows: 1, digest: "d".into() },
        }
    }

    fn repeated_of(samples: &[(u32, u32, Option<u64>)]) -> Result<Values, Seen> {
        let lines: Vec<SampleLine> = samples.iter().map(|(p, i, m)| sample(*p, *i, *m)).collect();
        repeated(&lines.iter().collect::<Vec<_>>(), "rows_read")
    }

    #[test]
    fn a_counter_repeats_if_processes_agree_in_each_execution() {
        assert_eq!(repeated_of(&[(0, 1, Some(5)), (1, 1, Some(5))]), Ok(Values::Same(5)));
        assert_eq!(
            repeated_of(&[(0, 1, Some(5)), (0, 2, Some(3)), (1, 1, Some(5)), (1, 2, Some(3))]),
            Ok(Values::Each(vec![5, 3]))
        );
        assert_eq!(
            repeated_of(&[(0, 1, Some(5)), (1, 1, Some(6))]),
            Err([Some(5), Some(6)].into_iter().collect())
        );
        assert_eq!(repeated_of(&[(0, 1, Some(5)), (1, 1, None)]), Err([None, Some(5)].into_iter().collect()));
    }

    #[test]
    fn cold_and_warm_are_apart() {
        let lines =
            [sample(0, 0, Some(9)), sample(0, 1, Some(2)), sample(1, 0, Some(9)), sample(1, 1, Some(3))];
        let phases = phases(&lines.iter().collect::<Vec<_>>());
        assert_eq!(phases[&Phase::Cold].exact["rows_read"], Values::Same(9));
        assert!(phases[&Phase::Warm].unstable.contains_key("rows_read"));
    }
}
