//! From runs to what changed: each series is tested, all are corrected together, and those that change are divided.
//!
//! Two levels keep false discoveries rare (Benjamini and Bogomolov, 2014): whether a series changes at all is decided
//! for all series together by the procedure of Benjamini and Hochberg; further changes within those that do are
//! tested at a tenth of the level times the share of series that do, as there are several in each. Counters are not
//! tested: every change of one is a change.

use std::num::NonZero;
use std::rc::Rc;

use super::change::{Meaning, Series, Step, Stretch};
use super::divisive::{ChangePoint, Division};
use super::line::RunLine;
use super::series::{Asked, Collected, Key, Points, Run};
use super::shape::{Piece, shape};
use super::shift::Shift;
use crate::baseline::Accepted;
use crate::measured::Values;
use crate::paired::benjamini_hochberg;
use crate::random;
use crate::units;

/// The share of changed series that may be told falsely.
pub(crate) const LEVEL: f64 = 0.01;

/// What the level of further changes within a series is divided by: so many are tested in one, about.
const TESTS: f64 = 10.0;

/// The fewest runs between two changes.
pub(crate) const LEAST_RUNS: usize = 5;

/// Changes of less than this share are of no interest.
pub(crate) const MARGIN: f64 = 0.01;

/// What a history shows.
#[derive(Clone, Debug)]
pub(crate) struct Analysis {
    /// The suite.
    pub(crate) suite: String,
    /// All runs, oldest first.
    pub(crate) runs: Vec<Rc<Run>>,
    /// The series that were tested, and the counters that changed, by cell, phase and metric.
    pub(crate) series: Vec<Series>,
    /// What was looked at, and what was not.
    pub(crate) coverage: Coverage,
}

/// What was looked at, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// Bounded metrics and times that were tested: series.
    pub(crate) tested: usize,
    /// Those of them with so few runs that no change could be told among so many series, unless more had changed.
    pub(crate) blind: usize,
    /// Series with too few runs to be tested, and their runs.
    pub(crate) short: Vec<(Key, usize)>,
    /// Counters that were looked at: series.
    pub(crate) counters: usize,
    /// Times that counters did not repeat.
    pub(crate) unstable: usize,
    /// Machines and compilers with their runs, by name.
    pub(crate) machines: Vec<(String, usize)>,
    /// Runs whose times were not looked at, as their tier is exact.
    pub(crate) without_times: usize,
    /// Runs whose counters were not looked at, as their tier is time.
    pub(crate) without_counters: usize,
    /// Times that cells failed.
    pub(crate) failed: usize,
}

impl Analysis {
    /// Analyses the runs of a suite, which come oldest first.
    pub(crate) fn of(suite: &str, lines: &[RunLine], accepted: &[Accepted], asked: &Asked<'_>) -> Self {
        let collected = Collected::of(lines, accepted, asked);
        let mut coverage = Coverage {
            counters: collected.counted,
            unstable: collected.unstable,
            machines: collected.machines.into_iter().collect(),
            without_times: collected.without_times,
            without_counters: collected.without_counters,
            failed: collected.failed,
            ..Coverage::default()
        };
        let mut tested = Vec::new();
        let noisy_ones: Vec<_> =
            collected.medians.iter().map(|(key, points)| (seed(key), logarithms(points))).collect();
        let found = on_all_cores(&noisy_ones, |(seed, logarithms)| Tested::of(*seed, logarithms));
        for ((key, points), found) in collected.medians.into_iter().zip(found) {
            match found {
                Some(one) => tested.push((key, points, one)),
                None => coverage.short.push((key, points.len())),
            }
        }
        coverage.tested = tested.len();
        let firsts: Vec<f64> = tested.iter().map(|(_, _, tested)| tested.first.p).collect();
        let levels = benjamini_hochberg(&firsts);
        let chosen = levels.iter().filter(|level| **level <= LEVEL).count();
        let within = LEVEL / TESTS * chosen as f64 / tested.len().max(1) as f64;
        // One more than was told would be told at this level.
        let open = LEVEL * (chosen + 1) as f64 / tested.len().max(1) as f64;
        let is_blind = |(_, points, _): &&(Key, _, Tested)| least_p(points) > open;
        coverage.blind = tested.iter().filter(is_blind).count();
        let to_divide: Vec<_> = tested.iter().map(|(_, _, tested)| tested).zip(&levels).collect();
        let divided =
            on_all_cores(
                &to_divide,
                |(tested, level)| {
                    if **level <= LEVEL { tested.divide(within) } else { Vec::new() }
                },
            );
        let mut series: Vec<Series> = tested
            .into_iter()
            .zip(levels)
            .zip(divided)
            .map(|(((key, points, tested), level), places)| {
                noisy(key, points, &tested.logarithms, &places, level)
            })
            .collect();
        series.extend(collected.counters.into_iter().map(|(key, points)| counted(key, &points)));
        series.sort_by(|a, b| a.key.cmp(&b.key));
        Self { suite: suite.to_owned(), runs: collected.runs, series, coverage }
    }

    /// Returns the series that changed.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &Series> {
        self.series.iter().filter(|series| series.has_changed())
    }
}

/// A series with the test of its best division.
struct Tested {
    logarithms: Vec<f64>,
    division: Division,
    first: ChangePoint,
}

impl Tested {
    fn of(seed: u64, logarithms: &[f64]) -> Option<Self> {
        let division = Division { least: LEAST_RUNS, seed };
        let first = division.test(logarithms, 0..logarithms.len())?;
        Some(Self { logarithms: logarithms.to_vec(), division, first })
    }

    fn divide(&self, level: f64) -> Vec<ChangePoint> {
        self.division.divide(&self.logarithms, self.first, level)
    }
}

/// Returns the seed of the tests of a series, which follows from its name.
fn seed(Key { cell, phase, metric, class }: &Key) -> u64 {
    random::seed(&format!("{cell} {} {metric} {class}", phase.name()))
}

fn logarithms(points: &Points<u64>) -> Vec<f64> {
    points.iter().map(|(_, value)| (*value).max(1) as f64).map(f64::ln).collect()
}

/// Does the same with many items, a part of them on each core, and waits for all. Results come in the order of items.
fn on_all_cores<T: Sync, R: Send>(items: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        let each = &each;
        let parts = items.chunks(items.len().div_ceil(cores).max(1));
        let workers: Vec<_> =
            parts.map(|part| scope.spawn(move || part.iter().map(each).collect::<Vec<R>>())).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("tests do not panic")).collect()
    })
}

/// Returns the least probability that a test of some runs can give.
fn least_p(points: &Points<u64>) -> f64 {
    super::divisive::least_probability(points.len(), points.len() / 2)
}

fn noisy(key: Key, points: Points<u64>, logarithms: &[f64], places: &[ChangePoint], level: f64) -> Series {
    let bounds: Vec<usize> = places.iter().map(|place| place.at).collect();
    let pieces = shape(logarithms, &bounds, LEAST_RUNS, MARGIN.ln_1p());
    let mut steps = Vec::new();
    for two in pieces.windows(2).filter(|two| !two[1].goes_on) {
        steps.extend(step(&key.metric, logarithms, (&two[0], &two[1]), places));
    }
    let stretch = |piece: &Piece| {
        let within = places.iter().filter(|place| piece.start <= place.at && place.at < piece.end);
        Stretch {
            start: piece.start,
            end: piece.end,
            from: piece.from.exp(),
            to: piece.to.exp(),
            drifts: piece.drifts,
            p: piece.drifts.then(|| within.map(|place| place.p).fold(1.0, f64::min)),
        }
    };
    let (runs, values): (Vec<Rc<Run>>, Vec<u64>) = points.into_iter().unzip();
    Series {
        pieces: pieces.iter().map(stretch).collect(),
        key,
        runs,
        values: values.into_iter().map(|value| value as f64).collect(),
        level: Some(level),
        steps,
    }
}

/// Makes the step between two parts; nothing if it is too small to be of interest.
fn step(
    metric: &str,
    logarithms: &[f64],
    (before, behind): (&Piece, &Piece),
    places: &[ChangePoint],
) -> Option<Step> {
    let mut shift = behind.from - before.to;
    let mut interval = None;
    if !before.drifts && !behind.drifts {
        let between =
            Shift::between(&logarithms[before.start..before.end], &logarithms[behind.start..behind.end]);
        shift = between.by;
        interval = Some([between.low.exp_m1(), between.high.exp_m1()]);
    }
    if shift.abs() < MARGIN.ln_1p() {
        return None;
    }
    let value = |logarithm: f64| units::metric(metric, logarithm.exp().round() as u64);
    Some(Step {
        at: behind.start,
        before: value(before.to),
        after: value(behind.from),
        change: Some(shift.exp_m1()),
        interval,
        p: places.iter().find(|place| place.at == behind.start).map(|place| place.p),
        meaning: Meaning::of(metric, shift > 0.0),
    })
}

fn counted(key: Key, points: &Points<Values>) -> Series {
    let mut steps = Vec::new();
    let mut pieces = Vec::new();
    let mut start = 0;
    for (at, two) in points.windows(2).enumerate() {
        let ((_, before), (_, behind)) = (&two[0], &two[1]);
        if before == behind {
            continue;
        }
        let pairs = before.pairs(behind);
        let Some((from, to)) = pairs.into_iter().find(|(from, to)| from != to) else { continue };
        let unit = scenarios::Metric::unit_of(&key.metric);
        steps.push(Step {
            at: at + 1,
            before: format!("{before} {unit}"),
            after: format!("{behind} {unit}"),
            change: (from > 0).then(|| to as f64 / from as f64 - 1.0),
            interval: None,
            p: None,
            meaning: Meaning::of(&key.metric, to > from),
        });
        pieces.push(level(start, at + 1, before));
        start = at + 1;
    }
    pieces.push(level(start, points.len(), &points[points.len() - 1].1));
    Series {
        key,
        runs: points.iter().map(|(run, _)| Rc::clone(run)).collect(),
        values: points.iter().map(|(_, values)| mean(values)).collect(),
        level: None,
        pieces,
        steps,
    }
}

fn level(start: usize, end: usize, values: &Values) -> Stretch {
    let mean = mean(values);
    Stretch { start, end, from: mean, to: mean, drifts: false, p: None }
}

fn mean(values: &Values) -> f64 {
    match values {
        Values::Same(value) => *value as f64,
        Values::Each(each) => each.iter().map(|value| *value as f64).sum::<f64>() / each.len().max(1) as f64,
    }
}

#[cfg(test)]
mod rates;
#[cfg(test)]
mod tests;
