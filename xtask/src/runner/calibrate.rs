//! How many warm executions a process makes, so that what is timed is long enough to be timed well.

use std::time::{Duration, Instant};

use scenarios::{Phase, Sample};

use super::{Answers, Surroundings, cell, prepare_cell};
use crate::interrupt;
use crate::plan::PlannedCell;
use crate::process::EngineProcess;
use crate::progress::Progress;

/// Warm executions of a process, at most.
const MOST_WARM: u64 = 100;

/// The time that warm executions may take together to be more in number, in ns.
const MOST_NS: u64 = 1_000_000_000;

/// How much longer than what is measured a process may take: answers are checked after every execution.
const ELAPSED_FACTOR: u64 = 4;

/// What the warm executions of a process should come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    /// The time that they take together, in ns.
    pub(crate) measured_ns: u64,
    /// Their number, or as many of them as fit into a second: the median of a few is noisy.
    pub(crate) executions: u64,
}

/// Raises the warm executions of cells to what they should come to. A cell that cannot be measured stays as it is; the run
/// says why.
pub(crate) fn calibrate(
    surroundings: &Surroundings,
    planned: &mut [PlannedCell],
    goal: Goal,
) -> anyhow::Result<()> {
    let progress = Progress::start(planned.len());
    let mut process: Option<EngineProcess> = None;
    for planned in planned.iter_mut().filter(|planned| planned.warm > 0) {
        progress.now(&format!("calibrate {}", planned.cell.id()), None);
        if prepare_cell(surroundings, planned, &mut process, &progress).is_err() {
            interrupt::check()?;
            process = None;
            continue;
        }
        let began = Instant::now();
        let outcome = cell::run(surroundings, planned, 0, Answers::Any)?;
        planned.warm = executions(planned.warm, &outcome.samples, began.elapsed(), goal);
        progress.step();
    }
    Ok(())
}

fn executions(asked: u32, samples: &[Sample], took: Duration, goal: Goal) -> u32 {
    let warm = samples.iter().filter(|sample| sample.phase == Phase::Warm);
    let times: Vec<u64> = warm.filter_map(|sample| sample.metrics.get("wall_ns").copied()).collect();
    let Some(each) = crate::statistics::median(&times).filter(|each| *each > 0) else { return asked };
    let measured_ns = goal.measured_ns.max(goal.executions.min(MOST_NS / each) * each);
    let each_elapsed = took.as_nanos() as u64 / samples.len().max(1) as u64;
    let affordable = ELAPSED_FACTOR * measured_ns / each_elapsed.max(1);
    let wanted = measured_ns.div_ceil(each).min(MOST_WARM).min(affordable);
    asked.max(u32::try_from(wanted).unwrap_or(asked))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use scenarios::Answer;

    use super::*;

    #[test]
    fn short_executions_are_repeated_and_long_ones_are_not() {
        let check = |each_ns: &[u64], expect| {
            let samples: Vec<Sample> = [7]
                .iter()
                .chain(each_ns)
                .enumerate()
                .map(|(iteration, wall_ns)| Sample {
                    phase: if iteration == 0 { Phase::Cold } else { Phase::Warm },
                    iteration: iteration as u32,
                    metrics: BTreeMap::from([("wall_ns".to_owned(), *wall_ns)]),
                    answer: Answer { rows: 1, digest: "d".to_owned() },
                })
                .collect();
            let goal = Goal { measured_ns: 300_000_000, executions: 12 };
            let quick = Duration::from_millis(1);
            assert_eq!(executions(5, &samples, quick, goal), expect, "{each_ns:?}");
            // Executions whose answers take long to check are fewer, and never less than asked for.
            let long = Duration::from_secs(2 * samples.len() as u64);
            assert_eq!(executions(5, &samples, long, goal), 5, "{each_ns:?}");
        };
        check(&[2_000_000_000; 3], 5);
        check(&[100_000_000; 3], 10);
        check(&[30_000_000, 50_000_000, 900_000_000], 12);
        check(&[20_000_000; 3], 15);
        check(&[1_000; 3], 100);
        check(&[], 5);
        check(&[0, 0], 5);
    }
}
