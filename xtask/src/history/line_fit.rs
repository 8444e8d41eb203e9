//! Lines through values with outliers.

use super::shape::median;

/// Fits a line by the median of all slopes (Theil, 1950; Sen, 1968); returns it at the first and at the last value.
pub(super) fn line(values: &[f64]) -> (f64, f64) {
    let mut slopes = Vec::with_capacity(values.len() * values.len() / 2);
    for (place, value) in values.iter().enumerate() {
        for (further, other) in values[place + 1..].iter().enumerate() {
            slopes.push((other - value) / (further + 1) as f64);
        }
    }
    let slope = if slopes.is_empty() { 0.0 } else { middle(&mut slopes) };
    let levels: Vec<f64> =
        values.iter().enumerate().map(|(place, value)| value - slope * place as f64).collect();
    let from = median(&levels);
    (from, from + slope * (values.len() - 1) as f64)
}

/// A line with levels beside it that it goes on from and to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ramp {
    /// The first value of the line.
    pub(super) start: usize,
    /// The value behind its last.
    pub(super) end: usize,
    /// The line at its first value, and the level before it, if there is one.
    pub(super) from: f64,
    /// The line at its last value, and the level behind it, if there is one.
    pub(super) to: f64,
    /// The sum of absolute residuals.
    pub(super) residuals: f64,
}

impl Ramp {
    /// Takes both levels as they are where a line begins and ends.
    fn between(values: &[f64], (start, from): (usize, f64), (end, to): (usize, f64)) -> Self {
        let steps = (end - start - 1).max(1) as f64;
        let expected = |place: usize| match place {
            _ if place < start => from,
            _ if place >= end => to,
            _ => from + (to - from) * (place - start) as f64 / steps,
        };
        let residuals = values.iter().enumerate().map(|(place, value)| (value - expected(place)).abs()).sum();
        Self { start, end, from, to, residuals }
    }

    fn turned(self, count: usize) -> Self {
        Self { start: count - self.end, end: count - self.start, from: self.to, to: self.from, ..self }
    }
}

/// A line is at least so many times as long as the least level; a shorter one would be a step.
pub(super) const SHORTEST: usize = 4;

/// Places of an end of a ramp that are tried before the best is looked at more closely.
const PLACES: usize = 24;

/// Fits a level and a line that goes on from it to the end, wherever it begins best; nothing if a part would be too short.
pub(super) fn ramp_from_level(values: &[f64], least: usize) -> Option<Ramp> {
    let count = values.len();
    let mut best: Option<Ramp> = None;
    let mut try_at = |start: usize| {
        if start >= least && start + SHORTEST * least <= count {
            let level = median(&values[..start]);
            let to = level + slope_from(level, &values[start..]) * (count - 1 - start) as f64;
            let ramp = Ramp::between(values, (start, level), (count, to));
            best = Some(best.filter(|best| best.residuals <= ramp.residuals).unwrap_or(ramp));
        }
        best
    };
    let step = count.div_ceil(PLACES);
    (least..count).step_by(step).for_each(|start| {
        try_at(start);
    });
    let start = try_at(0)?.start;
    (start.saturating_sub(step)..=start + step).fold(None, |_, start| try_at(start))
}

/// Fits a line from the begin that goes on to a level, wherever it ends best.
pub(super) fn ramp_to_level(values: &[f64], least: usize) -> Option<Ramp> {
    let turned: Vec<f64> = values.iter().rev().copied().collect();
    Some(ramp_from_level(&turned, least)?.turned(values.len()))
}

/// Fits a line between two levels, wherever it begins and ends best.
pub(super) fn ramp_between_levels(values: &[f64], least: usize) -> Option<Ramp> {
    let count = values.len();
    let (mut from, mut to) = (vec![None; count], vec![None; count]);
    let mut best: Option<Ramp> = None;
    let mut try_at = |start: usize, end: usize| {
        if start >= least && end >= start + SHORTEST * least && end + least <= count {
            let from = *from[start].get_or_insert_with(|| median(&values[..start]));
            let to = *to[end].get_or_insert_with(|| median(&values[end..]));
            let ramp = Ramp::between(values, (start, from), (end, to));
            best = Some(best.filter(|best| best.residuals <= ramp.residuals).unwrap_or(ramp));
        }
        best
    };
    let step = count.div_ceil(PLACES);
    for start in (0..count).step_by(step) {
        for end in (start..count).step_by(step) {
            try_at(start, end);
        }
    }
    // Each end by itself, in turn, as far as the places that were tried are apart.
    for _ in 0..3 {
        let Ramp { start, end, .. } = try_at(0, 0)?;
        for moved in start.saturating_sub(step)..=start + step {
            try_at(moved, end);
        }
        let Ramp { start, end, .. } = try_at(0, 0)?;
        for moved in end.saturating_sub(step)..(end + step).min(count) {
            try_at(start, moved);
        }
    }
    best
}

/// Returns the slope of the line that begins at a level and has the least sum of absolute residuals: the median of the
/// slopes to each value, each weighing as much as it is far.
fn slope_from(level: f64, values: &[f64]) -> f64 {
    let mut slopes: Vec<(f64, f64)> = values
        .iter()
        .enumerate()
        .skip(1)
        .map(|(place, value)| ((value - level) / place as f64, place as f64))
        .collect();
    slopes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = slopes.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut weight = 0.0;
    for (slope, own) in &slopes {
        weight += own;
        if weight >= half {
            return *slope;
        }
    }
    0.0
}

/// Returns the upper median without sorting all.
fn middle(values: &mut [f64]) -> f64 {
    let place = values.len() / 2;
    *values.select_nth_unstable_by(place, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn outliers_do_not_bend_a_line() {
        let mut values: Vec<f64> = (0..21).map(|place| 1.0 + 0.5 * f64::from(place)).collect();
        values[3] = 90.0;
        values[17] = -40.0;
        assert_eq!(line(&values), (1.0, 11.0));
        assert_eq!(line(&[3.0]), (3.0, 3.0));
    }

    fn check(ramp: Option<Ramp>, expect: (usize, usize, f64, f64)) {
        let ramp = ramp.unwrap();
        let (start, end, from, to) = expect;
        assert!(ramp.start.abs_diff(start) <= 1 && ramp.end.abs_diff(end) <= 1, "{ramp:?}");
        assert!((ramp.from - from).abs() < 1e-9 && (ramp.to - to).abs() < 1e-9, "{ramp:?}");
        assert!(ramp.residuals < 1e-9, "{ramp:?}");
    }

    #[test]
    fn a_line_goes_on_from_a_level_to_another() {
        let line = |start: i32, end: i32| -> Vec<f64> {
            (0..60).map(|place| f64::from((place - start).clamp(0, end - start))).collect()
        };
        check(ramp_from_level(&line(15, 60), 5), (15, 60, 0.0, 44.0));
        check(ramp_to_level(&line(0, 40), 5), (0, 41, 0.0, 40.0));
        check(ramp_between_levels(&line(15, 40), 5), (15, 41, 0.0, 25.0));
        assert!(ramp_from_level(&line(0, 60)[..24], 5).is_none());
        assert!(ramp_between_levels(&line(0, 60)[..29], 5).is_none());
    }

    proptest! {
        #[test]
        fn a_line_is_found_wherever_it_lies(from in -9.0..9.0_f64, slope in -3.0..3.0_f64, count in 2..40_usize) {
            let values: Vec<f64> = (0..count).map(|place| from + slope * place as f64).collect();
            let (first, last) = line(&values);
            prop_assert!((first - values[0]).abs() < 1e-9 && (last - values[count - 1]).abs() < 1e-9);
        }
    }
}
