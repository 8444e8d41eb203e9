//! Histories as they might have been: noise as it was measured, and changes that are known, for tests.

use std::collections::BTreeMap;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use scenarios::Phase;

use super::line::tests::run;
use super::line::{PhaseLine, RunLine};
use crate::random;

/// A cell's times, in logarithms of what they begin with.
#[derive(Clone, Debug)]
pub(crate) struct Planted {
    /// The cell.
    pub(crate) cell: &'static str,
    /// The standard deviation of noise.
    pub(crate) noise: f64,
    /// How much of one run's noise the next has.
    pub(crate) memory: f64,
    /// Steps: the first run behind each, and its share.
    pub(crate) steps: Vec<(usize, f64)>,
    /// A drift: its first run, the one behind its last, and its share.
    pub(crate) drift: Option<(usize, usize, f64)>,
}

impl Planted {
    /// Makes a cell that does not change.
    pub(crate) fn noise(cell: &'static str, noise: f64) -> Self {
        Self { cell, noise, memory: 0.0, steps: Vec::new(), drift: None }
    }

    /// Returns what a run would take without noise.
    fn expected(&self, number: usize) -> f64 {
        let steps = self.steps.iter().filter(|(at, _)| *at <= number).map(|(_, share)| share.ln_1p());
        let drift = self.drift.map_or(0.0, |(start, end, share)| {
            let done = number.clamp(start, end) - start;
            share.ln_1p() * done as f64 / (end - start) as f64
        });
        steps.sum::<f64>() + drift
    }
}

/// One run of twenty is slowed by something else, by up to this share.
const SPIKE: f64 = 0.15;

/// Makes a history of runs: of each cell two phases, each with wall time, processor time and peak memory.
pub(crate) fn history(seed: u64, runs: usize, cells: &[Planted]) -> Vec<RunLine> {
    let mut lines: Vec<RunLine> = (0..runs).map(|number| run(number as u64, 1, vec![7])).collect();
    for line in &mut lines {
        line.cells = BTreeMap::new();
    }
    for (place, planted) in cells.iter().enumerate() {
        for (number, metric) in ["wall_ns", "cpu_ns", "peak_rss_bytes"].into_iter().enumerate() {
            for phase in [Phase::Cold, Phase::Warm] {
                let stream = place as u64 * 8 + number as u64 * 2 + u64::from(phase == Phase::Warm);
                let values = values(&mut random::stream(seed, stream), runs, planted);
                for (line, value) in lines.iter_mut().zip(values) {
                    let phases = line.cells.entry(planted.cell.to_owned()).or_default();
                    let counted = || PhaseLine { counters: Some(BTreeMap::new()), ..PhaseLine::default() };
                    let measured = phases.entry(phase).or_insert_with(counted);
                    measured.medians.insert(metric.to_owned(), (value.exp() * 1e7).round() as u64);
                }
            }
        }
    }
    lines
}

/// Returns logarithms with noise that is normal, remembers, and has spikes.
pub(crate) fn values(numbers: &mut ChaCha8Rng, runs: usize, planted: &Planted) -> Vec<f64> {
    let mut before = 0.0;
    let mut values = Vec::with_capacity(runs);
    for number in 0..runs {
        let fresh = normal(numbers) * (1.0 - planted.memory.powi(2)).sqrt();
        before = planted.memory * before + fresh;
        let spike = if numbers.random::<f64>() < 0.05 { SPIKE * numbers.random::<f64>() } else { 0.0 };
        values.push(planted.expected(number) + planted.noise * before + spike.ln_1p());
    }
    values
}

/// Returns a normal number (Box and Muller, 1958).
fn normal(numbers: &mut ChaCha8Rng) -> f64 {
    let (radius, angle): (f64, f64) = (numbers.random(), numbers.random());
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}
