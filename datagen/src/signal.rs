//! The movement of one column: cycles, drift, noise, spikes, resets, nulls.
//!
//! Values are made for whole *chunks* of slots at fixed places, so a value depends on its slot and never
//! on the version or batch that shows it. Each slot takes one `u64` of the column's stream: the low half
//! is noise, the high half decides about spikes and nulls. Noise that lasts starts anew with each chunk.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::plan::{Column, Pond};
use crate::streams::{self, LANE_PHASES};

/// Slots in a chunk.
pub(crate) const CHUNK: u64 = 8_192;

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;
/// The principal lunar tide, 12 h 25 min 14.164 s.
const TIDE_US: i64 = 44_714_164_000;
/// 365.25 days.
const YEAR_US: i64 = 31_557_600_000_000;
const SPIKES_PPM: u32 = 300;

/// Makes the values of one column.
#[derive(Clone, Debug)]
pub(crate) struct Signal {
    rng: ChaCha8Rng,
    start_us: i64,
    cadence_us: i64,
    cycles: [Cycle; 3],
    base: f64,
    drift_step: f64,
    reset_slots: u64,
    reset_phase: u64,
    noise: f64,
    persistence: f64,
    spike: f64,
    steps: f64,
    min: f64,
    max: f64,
    null_below: u64,
    scale: [f64; 2],
}

/// A sine by rotation: `re` is its value, `im` its other half.
#[derive(Clone, Copy, Debug)]
struct Cycle {
    period_us: i64,
    peak_us: i64,
    amplitude: f64,
    turn: [f64; 2],
}

impl Signal {
    pub(crate) fn new(pond: &Pond, series: u32, column: &Column) -> Self {
        let channel = &column.channel;
        let mut rng = streams::stream(&pond.key, series, column.lane);
        // The first 16 words are for the column as a whole.
        let base = channel.mean + channel.mean_spread * streams::signed_unit(rng.next_u32());
        let drift = channel.drift * (0.75 + 0.5 * streams::signed_unit(rng.next_u32()));
        // A sensor is cleaned every 5 to 15 days, and at least once in a series.
        let days = 5 + i64::from(rng.next_u32() % 11);
        let reset_slots = ((days * DAY_US / pond.cadence_us) as u64).min(pond.slots * 2 / 3).max(1);
        let reset_phase = streams::below(&mut rng, reset_slots);
        let mut phases = streams::stream(&pond.key, series / 3, LANE_PHASES);
        let lag_us = |hours: i64, bits: u32| ((i128::from(bits) * i128::from(hours * HOUR_US)) >> 32) as i64;
        let peaks = [
            13 * HOUR_US + lag_us(2, phases.next_u32()),
            lag_us(12, phases.next_u32()),
            14 * DAY_US + lag_us(24 * 14, phases.next_u32()),
        ];
        let cycle =
            |period_us, peak_us, amplitude| Cycle::new(period_us, peak_us, amplitude, pond.cadence_us);
        Self {
            rng,
            start_us: pond.start_us,
            cadence_us: pond.cadence_us,
            cycles: [
                cycle(DAY_US, peaks[0], channel.diurnal),
                cycle(TIDE_US, peaks[1], channel.tidal),
                cycle(YEAR_US, peaks[2], channel.seasonal),
            ],
            base,
            drift_step: drift / reset_slots as f64,
            reset_slots,
            reset_phase,
            noise: channel.noise * (1.0 - channel.persistence * channel.persistence).sqrt(),
            persistence: channel.persistence,
            spike: channel.spike,
            steps: channel.steps_per_unit,
            min: channel.min,
            max: channel.max,
            // A run of nulls is 4.5 long in the mean.
            null_below: streams::threshold(pond.oddities.nulls_ppm) * 2 / 9,
            scale: if column.fahrenheit { [1.8, 32.0] } else { [1.0, 0.0] },
        }
    }

    /// Returns whether the column may have nulls.
    pub(crate) fn has_nulls(&self) -> bool {
        self.null_below > 0
    }

    /// Appends the first `count` values of a chunk, and whether each is present if nulls may occur.
    ///
    /// Values are whole numbers of sensor steps; divide by [`Signal::steps`] for the unit.
    pub(crate) fn fill(&mut self, chunk: u64, count: usize, values: &mut Vec<f64>, present: &mut Vec<bool>) {
        let first = chunk * CHUNK;
        let time_us = self.start_us + first as i64 * self.cadence_us;
        // Words 0 to 15 are the column's, then each chunk has 2 for its start and 2 for each slot.
        self.rng.set_word_pos(16 + u128::from(chunk) * u128::from(2 * CHUNK + 16));
        let [mut day, mut tide, mut year] = self.cycles.map(|cycle| cycle.at(time_us));
        let turns = self.cycles.map(|cycle| cycle.turn);
        let spike_from = (1 << 32) - streams::threshold(SPIKES_PPM);
        let unit = self.noise / (1.0 - self.persistence * self.persistence).sqrt();
        let mut noise = unit * bell(self.rng.next_u64() as u32);
        let mut age = (first + self.reset_phase) % self.reset_slots;
        let mut null_run = 0_u64;
        for _ in 0..count {
            let bits = self.rng.next_u64();
            let fate = bits >> 32;
            noise = noise * self.persistence + self.noise * bell(bits as u32);
            let spike = if fate >= spike_from { self.spike } else { 0.0 };
            let drift = age as f64 * self.drift_step;
            let signal = self.base + (day[0] + tide[0] + year[0]) + (drift + noise + spike);
            let shown = signal.clamp(self.min, self.max) * self.scale[0] + self.scale[1];
            values.push(nearest_whole(shown * self.steps));
            if self.null_below > 0 {
                if null_run == 0 && fate < self.null_below {
                    null_run = 1 + (bits & 7);
                }
                present.push(null_run == 0);
                null_run = null_run.saturating_sub(1);
            }
            day = rotate(day, turns[0]);
            tide = rotate(tide, turns[1]);
            year = rotate(year, turns[2]);
            age = if age + 1 == self.reset_slots { 0 } else { age + 1 };
        }
    }

    /// Returns the steps of the sensor in one unit.
    pub(crate) fn steps(&self) -> f64 {
        self.steps
    }
}

impl Cycle {
    fn new(period_us: i64, peak_us: i64, amplitude: f64, cadence_us: i64) -> Self {
        let (sin, cos) = libm::sincos(angle(cadence_us, period_us));
        Self { period_us, peak_us, amplitude, turn: [cos, sin] }
    }

    fn at(&self, time_us: i64) -> [f64; 2] {
        let (sin, cos) = libm::sincos(angle(time_us - self.peak_us, self.period_us));
        [self.amplitude * cos, self.amplitude * sin]
    }
}

/// Returns the angle, in radians, at a time within a period.
fn angle(time_us: i64, period_us: i64) -> f64 {
    let part = time_us.rem_euclid(period_us) as f64 / period_us as f64;
    part * std::f64::consts::TAU
}

fn rotate(at: [f64; 2], turn: [f64; 2]) -> [f64; 2] {
    [at[0] * turn[0] - at[1] * turn[1], at[0] * turn[1] + at[1] * turn[0]]
}

/// Returns a number of mean 0 and standard deviation 1, bell-shaped between -3.45 and 3.45: the sum of
/// four bytes.
fn bell(bits: u32) -> f64 {
    let [a, b, c, d] = bits.to_le_bytes().map(i32::from);
    f64::from(a + b + c + d - 510) / 147.8
}

/// Rounds to the nearest whole number, ties to even; exact for magnitudes below 2^51.
fn nearest_whole(value: f64) -> f64 {
    // Beyond 2^52 doubles are whole, so adding pushes the fraction out.
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    (value + MAGIC) - MAGIC
}
