//! Measures the pairs of claims: fresh processes, the sides in turn, round by round.
//!
//! A pair of which a side failed is not measured any more; the others go on. The budget ends a pair early,
//! but never before it has the fewest rounds that give an interval.

use std::time::{Duration, Instant};

use scenarios::Setting;

use super::{LEAST_PAIRS, schedule};
use crate::plan::PlannedCell;
use crate::progress::Progress;
use crate::random;
use crate::record::RecordWriter;
use crate::runner::{self, Answers, Done, Surroundings};

/// Runs every pair of the plan; returns how many processes the budget cut.
pub(crate) fn measure(
    surroundings: &Surroundings,
    planned: &[PlannedCell],
    budget: Duration,
    record: &mut RecordWriter,
    done: &mut Done,
) -> anyhow::Result<u32> {
    let run = record.folder().file_name().map(|name| name.to_string_lossy().into_owned());
    let seed = random::seed(&run.unwrap_or_default());
    let pairs: Vec<&[PlannedCell]> = planned.chunks_exact(2).collect();
    let timed = pairs.iter().filter(|pair| pair[0].processes >= LEAST_PAIRS).count();
    // A pair that has used up its share leaves the rest to the others.
    let share = budget / u32::try_from(timed.max(1)).unwrap_or(u32::MAX);
    let progress = Progress::start(planned.iter().map(|cell| cell.processes as usize).sum());
    let began = Instant::now();
    let mut spent = vec![Duration::ZERO; pairs.len()];
    let mut cut = 0;
    for round in 0..planned.iter().map(|cell| cell.processes).max().unwrap_or(0) {
        for index in random::shuffled((0..pairs.len()).collect(), seed, round) {
            let pair = pairs[index];
            if round >= pair[0].processes {
                continue;
            }
            let over = began.elapsed() >= budget || spent[index] >= share;
            let failed = pair.iter().any(|cell| done.failed.contains(&cell.cell.id()));
            if over && round >= LEAST_PAIRS && !failed {
                cut += 2;
            } else if !failed {
                let sides = schedule::sides(seed, round, index);
                spent[index] += measure_pair(surroundings, pair, sides, round, record, done, &progress)?;
            }
            pair.iter().for_each(|_| progress.step());
        }
        progress.line(&format!("round {} is measured", round + 1));
    }
    Ok(cut)
}

fn measure_pair(
    surroundings: &Surroundings,
    pair: &[PlannedCell],
    sides: [Setting; 2],
    round: u32,
    record: &mut RecordWriter,
    done: &mut Done,
    progress: &Progress,
) -> anyhow::Result<Duration> {
    let mut took = Duration::ZERO;
    for side in sides {
        let cell = match side {
            Setting::Plain => &pair[0],
            Setting::Tuned => &pair[1],
        };
        let id = cell.cell.id();
        progress.now(&id, None);
        took += runner::measure_process(surroundings, cell, round, Answers::Any, record, done, progress)?;
        if done.failed.contains(&id) {
            break;
        }
    }
    Ok(took)
}
