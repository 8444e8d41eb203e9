//! What a divided series looks like: levels with steps between them, or drifts where it moves little by little.
//!
//! A drift is divided like anything else, into a staircase. So of parts that all rise, or all fall, a line is tried as
//! well, and of all ways to describe the series with levels and lines the one is taken that explains it best for its
//! length: the sum of absolute residuals, for noise with outliers, plus ln *n* for each number that describes it
//! (Schwarz, 1978). A line may go on from a level, and to one. It must be better by [`IN_DOUBT`]: in doubt it is steps, and
//! in doubt there is no step where a line begins or ends.

use super::line_fit::{Ramp, SHORTEST, line, ramp_between_levels, ramp_from_level, ramp_to_level};

/// By how much a line must be better than levels; a difference of 6 is strong evidence (Kass and Raftery, 1995).
const IN_DOUBT: f64 = 6.0;

/// Residuals are not taken for smaller than this, in logarithms: counters of bytes hardly vary.
const LEAST_RESIDUAL: f64 = 1e-4;

/// A part of a series, from its first value up to the one behind its last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece {
    /// The first value.
    pub(super) start: usize,
    /// The value behind the last.
    pub(super) end: usize,
    /// What it looks like at its first value, as a logarithm.
    pub(super) from: f64,
    /// And at its last.
    pub(super) to: f64,
    /// Whether it moves little by little.
    pub(super) drifts: bool,
    /// Whether it goes on from where the piece before it ends.
    pub(super) goes_on: bool,
}

impl Piece {
    fn level(values: &[f64], start: usize, end: usize) -> Self {
        let level = median(&values[start..end]);
        Self { start, end, from: level, to: level, drifts: false, goes_on: false }
    }

    fn line(values: &[f64], start: usize, end: usize) -> Self {
        let (from, to) = line(&values[start..end]);
        Self { start, end, from, to, drifts: true, goes_on: false }
    }

    /// Returns what the piece expects at one of its places.
    pub(super) fn at(&self, place: usize) -> f64 {
        let steps = (self.end - self.start - 1).max(1) as f64;
        self.from + (self.to - self.from) * (place - self.start) as f64 / steps
    }

    fn residuals(&self, values: &[f64]) -> f64 {
        (self.start..self.end).map(|place| (values[place] - self.at(place)).abs()).sum()
    }

    /// Returns the numbers that describe the piece: one or two of where it is, but for the one that follows from what it
    /// goes on from, and one or two of where it begins. The place of a step counts twice, as it fits noise wherever that
    /// is best (Zhang and Siegmund, 2007).
    fn numbers(&self) -> f64 {
        match (self.drifts, self.goes_on) {
            (false, false) => 3.0,
            (false, true) => 1.0,
            (true, false) => 4.0,
            (true, true) => 2.0,
        }
    }
}

/// Describes a series that was divided at some places. `margin` is the logarithm of a change that nobody cares about.
pub(super) fn shape(values: &[f64], places: &[usize], least: usize, margin: f64) -> Vec<Piece> {
    let mut bounds = vec![0];
    bounds.extend(places);
    bounds.push(values.len());
    let levels: Vec<Piece> = bounds.windows(2).map(|two| Piece::level(values, two[0], two[1])).collect();
    let residuals: f64 = levels.iter().map(|level| level.residuals(values)).sum();
    let scale = (residuals / values.len() as f64).max(LEAST_RESIDUAL);
    let price = Price { scale, number: (values.len() as f64).ln() };
    let mut pieces = cheapest(values, &levels, least, price);
    for number in 0..pieces.len() {
        let Piece { start, end, from, to, drifts, .. } = pieces[number];
        if drifts && (to - from).abs() < margin {
            pieces[number] = Piece::level(values, start, end);
            if let Some(behind) = pieces.get_mut(number + 1) {
                behind.goes_on = false;
            }
        }
    }
    merge(values, &mut pieces, margin);
    pieces
}

/// What residuals and numbers cost.
#[derive(Clone, Copy, Debug)]
struct Price {
    scale: f64,
    number: f64,
}

impl Price {
    /// Returns minus twice the logarithm of the likelihood of Laplace noise, and the price of some numbers.
    fn of(self, residuals: f64, numbers: f64) -> f64 {
        2.0 * residuals / self.scale + self.number * numbers
    }
}

/// Finds the cheapest description by levels, and drifts over levels that all rise or all fall.
fn cheapest(values: &[f64], levels: &[Piece], least: usize, price: Price) -> Vec<Piece> {
    let mut best: Vec<(f64, Vec<Piece>)> = vec![(0.0, Vec::new())];
    for last in 0..levels.len() {
        let mut chosen: Option<(f64, Vec<Piece>)> = None;
        for first in (0..=last).rev() {
            let run = &levels[first..=last];
            if !is_staircase(run) {
                break;
            }
            let (before, earlier) = &best[first];
            for pieces in descriptions(values, run, least) {
                let residuals = pieces.iter().map(|piece| piece.residuals(values)).sum();
                let numbers = pieces.iter().map(Piece::numbers).sum();
                let cost = before + price.of(residuals, numbers) + doubt(earlier, &pieces);
                if chosen.as_ref().is_none_or(|(least, _)| cost < *least) {
                    chosen = Some((cost, [earlier.as_slice(), &pieces].concat()));
                }
            }
        }
        best.push(chosen.expect("a single level is always possible"));
    }
    best.pop().map(|(_, pieces)| pieces).unwrap_or_default()
}

/// Returns the ways to describe some levels: one as it is; several by a line, which may go on from a level or to one.
fn descriptions(values: &[f64], run: &[Piece], least: usize) -> Vec<Vec<Piece>> {
    if let [level] = run {
        return vec![vec![*level]];
    }
    let (start, end) = (run[0].start, run[run.len() - 1].end);
    let part = &values[start..end];
    let ramps = [ramp_from_level(part, least), ramp_to_level(part, least), ramp_between_levels(part, least)];
    let mut all = Vec::new();
    if part.len() >= SHORTEST * least {
        all.push(vec![Piece::line(values, start, end)]);
    }
    all.extend(ramps.into_iter().flatten().map(|ramp| of_ramp(ramp, start, end)));
    all
}

/// Returns what is asked for lines that may be none: a line is in doubt, and so is a step where one begins or ends.
fn doubt(earlier: &[Piece], pieces: &[Piece]) -> f64 {
    let is_line = |piece: Option<&Piece>| piece.is_some_and(|piece| piece.drifts);
    let line = if pieces.iter().any(|piece| piece.drifts) { IN_DOUBT } else { 0.0 };
    let is_beside = !earlier.is_empty() && (is_line(earlier.last()) || is_line(pieces.first()));
    if is_beside { line + IN_DOUBT } else { line }
}

/// Returns the pieces of a ramp in a part of the series: the line, and the levels that it goes on from and to.
fn of_ramp(ramp: Ramp, start: usize, end: usize) -> Vec<Piece> {
    let Ramp { from, to, .. } = ramp;
    let (first, last) = (start + ramp.start, start + ramp.end);
    let level = Piece { start, end: first, from, to: from, drifts: false, goes_on: false };
    let line = Piece { start: first, end: last, from, to, drifts: true, goes_on: first > start };
    let behind = Piece { start: last, end, from: to, to, drifts: false, goes_on: true };
    [level, line, behind].into_iter().filter(|piece| piece.end > piece.start).collect()
}

fn is_staircase(levels: &[Piece]) -> bool {
    levels.windows(2).all(|two| two[1].from > two[0].from)
        || levels.windows(2).all(|two| two[1].from < two[0].from)
}

/// Makes one level of two that differ by less than the margin, the closest two first.
fn merge(values: &[f64], pieces: &mut Vec<Piece>, margin: f64) {
    loop {
        let step = |number: usize| (pieces[number].from - pieces[number - 1].to).abs();
        let close = (1..pieces.len())
            .filter(|number| !pieces[*number].drifts && !pieces[number - 1].drifts && step(*number) < margin)
            .min_by(|a, b| step(*a).total_cmp(&step(*b)));
        let Some(number) = close else { return };
        let goes_on = pieces[number - 1].goes_on;
        let level = Piece::level(values, pieces[number - 1].start, pieces[number].end);
        pieces[number - 1] = Piece { goes_on, ..level };
        pieces.remove(number);
    }
}

/// Returns the median of one value or more.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted[sorted.len() / 2];
    if sorted.len() % 2 == 1 { upper } else { f64::midpoint(sorted[sorted.len() / 2 - 1], upper) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARGIN: f64 = 0.01;

    /// Returns values with a little noise that repeats.
    fn noisy(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
        let noise = [0.0, 0.4, -0.3, 0.1, -0.5, 0.3, 0.2, -0.2];
        values.into_iter().enumerate().map(|(place, value)| value + 0.01 * noise[place * 5 % 8]).collect()
    }

    fn drifts(pieces: &[Piece]) -> Vec<bool> {
        pieces.iter().map(|piece| piece.drifts).collect()
    }

    #[test]
    fn levels_stay_levels() {
        let values = noisy((0..60).map(|place| [0.0, 0.05, 0.02][place / 20]));
        let pieces = shape(&values, &[20, 40], 5, MARGIN);
        assert_eq!(drifts(&pieces), [false, false, false]);
        assert!((pieces[1].from - pieces[0].from - 0.05).abs() < 0.003);
    }

    #[test]
    fn three_steps_up_are_no_drift() {
        let values = noisy((0..80).map(|place| [0.0, 0.04, 0.08, 0.12][place / 20]));
        assert_eq!(drifts(&shape(&values, &[20, 40, 60], 5, MARGIN)), [false; 4]);
    }

    #[test]
    fn a_staircase_of_a_line_is_a_drift() {
        let values = noisy((0..80).map(|place| f64::from(place) * 0.001));
        let pieces = shape(&values, &[20, 40, 60], 5, MARGIN);
        assert_eq!(drifts(&pieces), [true]);
        assert!((pieces[0].to - pieces[0].from - 0.079).abs() < 0.003, "{pieces:?}");
    }

    #[test]
    fn a_drift_begins_and_ends_where_it_does() {
        let line = |place: i32| f64::from((place - 60).clamp(0, 60)) * 0.002;
        let values = noisy((0..180).map(line));
        let pieces = shape(&values, &[70, 90, 110], 5, MARGIN);
        assert_eq!(drifts(&pieces), [false, true, false], "{pieces:?}");
        assert!(pieces[1].goes_on && pieces[2].goes_on, "{pieces:?}");
        assert!(pieces[1].start.abs_diff(60) <= 4 && pieces[1].end.abs_diff(120) <= 4, "{pieces:?}");
        assert!((pieces[1].to - pieces[1].from - 0.12).abs() < 0.004, "{pieces:?}");
    }

    #[test]
    fn a_step_into_a_drift_stays_a_step() {
        let values =
            noisy((0..120).map(|place| if place < 60 { 0.0 } else { 0.1 + f64::from(place - 60) * 0.001 }));
        let pieces = shape(&values, &[60, 80, 100], 5, MARGIN);
        let last = pieces[pieces.len() - 1];
        assert!(!pieces[0].drifts && !pieces[1].goes_on && last.drifts, "{pieces:?}");
        assert_eq!(pieces[1].start, 60);
        assert!(last.start < 80 && (last.to - 0.159).abs() < 0.005, "{pieces:?}");
    }

    #[test]
    fn what_nobody_cares_about_is_merged() {
        let values = noisy((0..60).map(|place| [0.0, 0.004, 0.05][place / 20]));
        let pieces = shape(&values, &[20, 40], 5, MARGIN);
        assert_eq!(pieces.len(), 2);
        assert_eq!((pieces[0].start, pieces[0].end), (0, 40));
        assert_eq!(shape(&values[..40], &[20], 5, MARGIN).len(), 1);
    }

    #[test]
    fn known_medians() {
        let check = |values: &[f64], expect: f64| assert_eq!(median(values), expect);
        check(&[3.0], 3.0);
        check(&[1.0, 9.0, 2.0], 2.0);
        check(&[1.0, 9.0, 2.0, 4.0], 3.0);
    }
}
