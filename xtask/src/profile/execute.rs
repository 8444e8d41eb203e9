//! Executes a cell again and again in fresh processes, for perf to look at.

use std::time::{Duration, Instant};

use scenarios::{Phase, Sample};
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Stop};
use crate::plan::PlannedCell;
use crate::runner::{Answers, Surroundings, cell};

/// How much longer than what is measured everything may take: inputs are made and answers checked around it.
const ELAPSED_FACTOR: u32 = 4;

/// Warm executions of a process, at most.
const MOST_WARM: u64 = 10_000;

/// Stacks of fewer executions say little, so a process is not begun for less than this share of the whole.
const LEAST_SHARE: u64 = 20;

/// How much to execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Processor time to measure, in seconds.
    pub(crate) seconds: u32,
    /// Whether only cold executions are wanted.
    pub(crate) cold: bool,
}

/// What was executed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Executed {
    /// The process that executed: its samples are not the engine's.
    pub(crate) harness: u32,
    /// Executions.
    pub(crate) executions: u64,
    /// Those of them that were the first of their process.
    pub(crate) cold: u64,
    /// The processor time of the measured operations, as the engine counted it.
    pub(crate) cpu_ns: u64,
    /// The time that everything took.
    pub(crate) elapsed_ns: u64,
}

impl Executed {
    /// Adds what was executed at another time.
    pub(crate) fn add(&mut self, other: &Self) {
        self.executions += other.executions;
        self.cold += other.cold;
        self.cpu_ns += other.cpu_ns;
        self.elapsed_ns += other.elapsed_ns;
    }

    /// Returns the processor time of one execution.
    pub(crate) fn each_ns(&self) -> u64 {
        self.cpu_ns / self.executions.max(1)
    }

    fn take(&mut self, samples: &[Sample], elapsed: Duration) {
        for sample in samples {
            let metric = |name: &str| sample.metrics.get(name).copied();
            self.executions += 1;
            self.cold += u64::from(sample.phase == Phase::Cold);
            self.cpu_ns += metric("cpu_ns").or_else(|| metric("wall_ns")).unwrap_or(0);
        }
        self.elapsed_ns += nanoseconds(elapsed);
    }

    /// Says how many warm executions the next process makes; nothing if enough was executed.
    fn next_warm(&self, wanted: Wanted, first: u32, timeout_s: u64) -> Option<u32> {
        if self.executions == 0 {
            return Some(if wanted.cold { 0 } else { first });
        }
        let all = nanoseconds(Duration::from_secs(u64::from(wanted.seconds)));
        let left = all.saturating_sub(self.cpu_ns);
        let elapsed_left = (u64::from(ELAPSED_FACTOR) * all).saturating_sub(self.elapsed_ns);
        if left <= all / LEAST_SHARE || elapsed_left == 0 {
            return None;
        }
        if wanted.cold || first == 0 {
            return Some(0);
        }
        let each_elapsed = (self.elapsed_ns / self.executions).max(1);
        // Half of the time-out: executions differ.
        let affordable = elapsed_left.min(timeout_s * 500_000_000) / each_elapsed;
        let enough = left.div_ceil(self.each_ns().max(1)).min(affordable).clamp(1, MOST_WARM);
        u32::try_from(enough).ok()
    }
}

/// Executes a cell until enough was measured, or until it took too long.
pub(crate) fn execute(
    surroundings: &Surroundings,
    planned: &PlannedCell,
    wanted: Wanted,
) -> anyhow::Result<Executed> {
    let mut executed = Executed { harness: std::process::id(), ..Executed::default() };
    let mut process = 0;
    while let Some(warm) = executed.next_warm(wanted, planned.warm, planned.timeout_s) {
        let began = Instant::now();
        let one = PlannedCell { warm, ..planned.clone() };
        let outcome = cell::run(surroundings, &one, process, Answers::Any)?;
        if let Some((fault, stderr)) = outcome.failure {
            let message = format!("{}: {}\n{stderr}", planned.cell.id(), fault.message);
            return Err(Stop::error(Exit::Failed, message.trim_end()));
        }
        executed.take(&outcome.samples, began.elapsed());
        process += 1;
    }
    Ok(executed)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_fill_the_time_that_is_left() {
        let second = 1_000_000_000;
        let wanted = Wanted { seconds: 10, cold: false };
        let check = |executions, cpu_ns, elapsed_ns, expect| {
            let executed = Executed { executions, cpu_ns, elapsed_ns, ..Executed::default() };
            assert_eq!(executed.next_warm(wanted, 5, 60), expect, "{executed:?}");
        };
        check(0, 0, 0, Some(5));
        check(10, second, 2 * second, Some(90));
        // As many as a time-out of a minute allows.
        check(10, second / 10, 10 * second, Some(30));
        check(10, second / 10, 39 * second, Some(1));
        check(10, second / 10, 40 * second, None);
        check(10, 0, second, Some(300));
        check(100, 9_600_000_000, 20 * second, None);
        let executed = Executed { executions: 3, cpu_ns: 3, elapsed_ns: 3, ..Executed::default() };
        assert_eq!(executed.next_warm(Wanted { cold: true, ..wanted }, 5, 60), Some(0));
        assert_eq!(executed.next_warm(wanted, 0, 60), Some(0));
    }
}
