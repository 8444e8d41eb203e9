//! The statistic of change points: how far the values before a place are from those behind it, by their distances.
//!
//! The energy distance of two samples (Székely and Rizzo, 2005), as Matteson and James (2014) use it to divide a series:
//! twice the mean distance between the two, less the mean distance within each, times *n m* / (*n* + *m*). It sees any
//! difference of distributions, of which a shift is the one that matters here. The part behind a place may end before
//! the series does, or a rise that is taken back soon after would hide in what follows.

use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

/// Ends of the part behind a place that are tried, at most; evenly spread over the series.
const ENDS: usize = 32;

/// The place at which a series differs most from what is behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Split {
    /// The first value behind the place.
    pub(super) at: usize,
    /// How much it differs.
    pub(super) statistic: f64,
}

/// A series whose values can be put into any order, each order at a cost of about its length.
///
/// The values are kept sorted, with the place of each in the series. Sums of distances follow from one walk through
/// them in that order, so no pair of values is ever looked at by itself, apart from close neighbours.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    least: usize,
    sorted: Vec<f64>,
    places: Vec<usize>,
    ends: Vec<usize>,
    /// The values in their order.
    ordered: Vec<f64>,
    /// The values before an end, sorted.
    members: Vec<(f64, usize)>,
    /// One divided by each number less one.
    shares: Vec<f64>,
    /// For each end and place, the distances to all values before the end.
    to_all: Vec<f64>,
    /// For each place, the distances to the values before it.
    to_earlier: Vec<f64>,
}

impl Scan {
    /// Takes a series and the least length of a part; nothing if it has no two such parts.
    pub(super) fn new(values: &[f64], least: usize) -> Option<Self> {
        let count = values.len();
        if least < 2 || count < 2 * least {
            return None;
        }
        let mut places: Vec<usize> = (0..count).collect();
        places.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
        // Distances do not change with a shift, and sums of small numbers are more exact.
        let middle = values[places[count / 2]];
        let sorted = places.iter().map(|place| values[*place] - middle).collect();
        let mut ends: Vec<usize> = (1..=ENDS).map(|end| (count * end).div_ceil(ENDS)).collect();
        ends.retain(|end| *end >= 2 * least);
        ends.dedup();
        let to_all = vec![0.0; ends.len() * count];
        let (ordered, to_earlier) = (vec![0.0; count], vec![0.0; count]);
        let members = Vec::with_capacity(count);
        let shares = (0..=count).map(|number| 1.0 / (number as f64 - 1.0)).collect();
        Some(Self { least, sorted, places, ends, ordered, members, shares, to_all, to_earlier })
    }

    /// Puts the values into a random order.
    pub(super) fn shuffle(&mut self, numbers: &mut ChaCha8Rng) {
        self.places.shuffle(numbers);
    }

    /// Finds the best split of the present order.
    pub(super) fn best(&mut self) -> Split {
        self.measure();
        let mut best = Split { at: self.least, statistic: f64::NEG_INFINITY };
        let mut before = Vec::with_capacity(self.ordered.len() + 1);
        before.push(0.0);
        let mut all = 0.0;
        for distances in &self.to_earlier {
            all += distances;
            before.push(all);
        }
        for (number, end) in self.ends.iter().copied().enumerate() {
            let to_all = &self.to_all[number * self.ordered.len()..][..end];
            let (split, energy) = self.best_before(to_all, &before[..=end]);
            let statistic = 2.0 * energy / end as f64;
            if statistic > best.statistic {
                best = Split { at: split, statistic };
            }
        }
        best
    }

    /// Finds the best split of what lies before an end, and its energy: half the statistic times the number of values.
    ///
    /// With sums of distances *a* between the *n* values before a place, *b* between the *m* behind it, and *c* from these
    /// to those, it is *n m* / (*n* + *m*) · (2 *c* / (*n m*) − 2 *a* / (*n* (*n* − 1)) − 2 *b* / (*m* (*m* − 1))), which is
    /// 2 / (*n* + *m*) · (*c* − *a m* / (*n* − 1) − *b n* / (*m* − 1)).
    fn best_before(&self, to_all: &[f64], before: &[f64]) -> (usize, f64) {
        let end = to_all.len();
        let mut best = (self.least, f64::NEG_INFINITY);
        let mut behind = 0.0;
        let distances = to_all.iter().zip(&self.to_earlier).zip(before).zip(&self.shares).enumerate();
        for (at, (((all, earlier), before_at), share)) in distances.rev() {
            behind += all - earlier;
            if end - at < self.least {
                continue;
            }
            if at < self.least {
                break;
            }
            let (n, m) = (at as f64, (end - at) as f64);
            let between = before[end] - before_at - behind;
            let energy = between - before_at * m * share - behind * n * self.shares[end - at];
            if energy > best.1 {
                best = (at, energy);
            }
        }
        best
    }

    /// Sums the distances of the present order.
    fn measure(&mut self) {
        let count = self.sorted.len();
        self.members.clear();
        for (value, place) in self.sorted.iter().zip(&self.places) {
            self.ordered[*place] = *value;
            self.members.push((*value, *place));
        }
        // From the last end to the first, each with the values before it alone.
        for number in (0..self.ends.len()).rev() {
            let end = self.ends[number];
            let next = if number == 0 { 0 } else { self.ends[number - 1] };
            let sums = &mut self.to_all[number * count..][..count];
            let total: f64 = self.members.iter().map(|(value, _)| value).sum();
            let (mut weight, mut rest) = (-(end as f64), total);
            self.members.retain(|(value, place)| {
                sums[*place] = value * weight + rest;
                weight += 2.0;
                rest -= 2.0 * value;
                *place < next
            });
        }
        let mut start = 0;
        for (number, end) in self.ends.iter().copied().enumerate() {
            for place in start..end {
                let value = self.ordered[place];
                let later = &self.ordered[place + 1..end];
                let to_later: f64 = later.iter().map(|other| (value - other).abs()).sum();
                self.to_earlier[place] = self.to_all[number * count + place] - to_later;
            }
            start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random;

    fn best(values: &[f64], least: usize) -> Split {
        Scan::new(values, least).unwrap().best()
    }

    /// The same from the definition: every pair of values, for every split and every end.
    fn plain(values: &[f64], least: usize, ends: &[usize]) -> Vec<Split> {
        let distances = |a: &[f64], b: &[f64]| -> f64 {
            a.iter().flat_map(|x| b.iter().map(move |y| (x - y).abs())).sum()
        };
        let mut splits = Vec::new();
        for end in ends {
            for at in least..=end - least {
                let (x, y) = (&values[..at], &values[at..*end]);
                let (n, m) = (x.len() as f64, y.len() as f64);
                let between = 2.0 * distances(x, y) / (n * m);
                let within = distances(x, x) / (n * (n - 1.0)) + distances(y, y) / (m * (m - 1.0));
                splits.push(Split { at, statistic: n * m / (n + m) * (between - within) });
            }
        }
        splits
    }

    #[test]
    fn known_answers() {
        // Two levels: 3 · 3 / 6 · (2 · 1 − 0 − 0).
        assert_eq!(best(&[0.0, 0.0, 0.0, 1.0, 1.0, 1.0], 2), Split { at: 3, statistic: 3.0 });
        // 0, 2 | 5, 9: between are 5, 9, 3, 7, within 2 and 4; 2 · 2 / 4 · (2 · 6 − 2 − 4).
        assert_eq!(best(&[0.0, 2.0, 5.0, 9.0], 2), Split { at: 2, statistic: 6.0 });
        assert_eq!(best(&[7.0; 10], 5), Split { at: 5, statistic: 0.0 });
        assert!(Scan::new(&[1.0; 9], 5).is_none());
    }

    #[test]
    fn a_rise_that_is_taken_back_is_found() {
        let mut values = vec![0.0; 96];
        values[48..54].fill(1.0);
        for (place, value) in values.iter_mut().enumerate() {
            *value += (place % 3) as f64 * 0.1;
        }
        let found = best(&values, 5);
        assert_eq!(found.at, 48);
    }

    proptest! {
        #[test]
        fn it_is_what_the_definition_says(values in proptest::collection::vec(-9.0..9.0_f64, 8..70)) {
            let mut scan = Scan::new(&values, 4).unwrap();
            let splits = plain(&values, 4, &scan.ends);
            let most = splits.iter().map(|split| split.statistic).fold(f64::NEG_INFINITY, f64::max);
            let found = scan.best();
            prop_assert!((found.statistic - most).abs() < 1e-9, "{found:?} {most}");
            let there = splits.iter().filter(|split| split.at == found.at);
            prop_assert!(there.map(|split| split.statistic).fold(f64::NEG_INFINITY, f64::max) > most - 1e-9);
        }

        #[test]
        fn a_shift_changes_nothing_and_a_scale_only_the_size(
            values in proptest::collection::vec(-9.0..9.0_f64, 10..60), by in -50.0..50.0_f64, times in 0.1..9.0_f64,
        ) {
            let found = best(&values, 5);
            let moved: Vec<f64> = values.iter().map(|value| value + by).collect();
            let scaled: Vec<f64> = values.iter().map(|value| value * times).collect();
            prop_assert!((best(&moved, 5).statistic - found.statistic).abs() < 1e-9);
            prop_assert!((best(&scaled, 5).statistic - found.statistic * times).abs() < 1e-9);
        }

        #[test]
        fn an_order_is_measured_as_if_it_had_come_so(
            values in proptest::collection::vec(-9.0..9.0_f64, 10..60), seed: u64,
        ) {
            let mut scan = Scan::new(&values, 5).unwrap();
            scan.best();
            scan.shuffle(&mut random::stream(seed, 0));
            let found = scan.best();
            let fresh = best(&scan.ordered.clone(), 5);
            prop_assert!((found.statistic - fresh.statistic).abs() < 1e-9);
            let mut sorted = scan.ordered.clone();
            sorted.sort_by(f64::total_cmp);
            prop_assert!(sorted.iter().zip(&scan.sorted).all(|(a, b)| (a - b).abs() < 1e-12));
        }
    }
}
