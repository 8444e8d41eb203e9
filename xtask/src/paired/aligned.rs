//! The statistic: the difference of block-aligned, lower-trimmed means of logarithms.
//!
//! A machine's speed drifts and jumps, so values are first aligned: in blocks of about four pairs, what the
//! faster part of the block took is subtracted. Interference only ever adds time, so of each side the slowest
//! third is then left out. Swapping the labels of a pair moves neither the blocks nor what is subtracted, which
//! makes the permutation test over such swaps exact.

use super::pairs::Pairs;

/// Pairs in a block, about.
const BLOCK: usize = 4;

/// The quantile of a block that its values are aligned to.
const ALIGNED_TO: f64 = 0.35;

/// Aligned values, in ascending order, with what is needed to exchange the labels of pairs.
#[derive(Debug)]
pub(super) struct Aligned {
    /// Value, its pair, and whether the head measured it.
    values: Vec<(f64, usize, bool)>,
    /// How many of each side are kept.
    kept: usize,
}

impl Aligned {
    /// Aligns pairs; of each side a share of the values is left out, from the slowest on.
    pub(super) fn new(pairs: &Pairs, left_out_percent: usize) -> Self {
        let logs: Vec<[f64; 2]> = pairs.logs().collect();
        let blocks = (logs.len() / BLOCK).max(1);
        let mut values = Vec::with_capacity(2 * logs.len());
        for block in 0..blocks {
            let places = logs.len() * block / blocks..logs.len() * (block + 1) / blocks;
            let level = quantile(logs[places.clone()].as_flattened(), ALIGNED_TO);
            for pair in places {
                values.push((logs[pair][0] - level, pair, false));
                values.push((logs[pair][1] - level, pair, true));
            }
        }
        values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        // In whole numbers: 0.35 of 180 as floats is a little less than 63.
        let left_out = logs.len() * left_out_percent / 100;
        Self { values, kept: logs.len() - left_out }
    }

    /// Returns the head's mean less the base's, where the pairs told are taken with their labels exchanged.
    pub(super) fn difference(&self, is_swapped: impl Fn(usize) -> bool) -> f64 {
        let (mut sums, mut counts) = ([0.0; 2], [0; 2]);
        for &(value, pair, of_head) in &self.values {
            let side = usize::from(of_head != is_swapped(pair));
            if counts[side] < self.kept {
                sums[side] += value;
                counts[side] += 1;
            }
        }
        (sums[1] - sums[0]) / self.kept as f64
    }
}

/// Returns a quantile of values, between the two nearest by their distance (type 7 of Hyndman and Fan, 1996).
fn quantile(values: &[f64], at: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let place = at * (sorted.len() - 1) as f64;
    let below = sorted[place.floor() as usize];
    below + (sorted[place.ceil() as usize] - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn difference(base: &[u64], head: &[u64]) -> f64 {
        Aligned::new(&Pairs::new(base, head).unwrap(), 35).difference(|_| false)
    }

    #[test]
    fn quantiles_have_known_answers() {
        let check = |values: &[f64], at, expect| assert_eq!(quantile(values, at), expect, "{values:?}");
        check(&[5.0], 0.35, 5.0);
        check(&[3.0, 1.0, 2.0], 0.5, 2.0);
        check(&[0.0, 10.0], 0.35, 3.5);
        check(&[4.0, 1.0, 2.0, 3.0, 5.0], 0.25, 2.0);
    }

    #[test]
    fn a_steady_change_is_its_logarithm() {
        let base = [100, 102, 98, 101, 99, 100, 103, 97];
        let head = base.map(|value| value * 3);
        assert!((difference(&base, &head) - 3_f64.ln()).abs() < 1e-12);
        assert_eq!(difference(&base, &base), 0.0);
    }

    #[test]
    fn outliers_and_jumps_of_the_machine_do_not_count() {
        // The machine is half as fast from the ninth pair on, and one value of either side in four is slow.
        let side = |slow: usize, by: u64| -> Vec<u64> {
            let value = |pair: usize| by * if pair < 8 { 1_000 } else { 2_000 };
            (0..16).map(|pair| if pair % 4 == slow { value(pair) * 5 } else { value(pair) }).collect()
        };
        assert!((difference(&side(1, 100), &side(2, 105)) - 1.05_f64.ln()).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn sides_exchanged_are_the_effect_turned(
            pairs in proptest::collection::vec((1..1_000_000_u64, 1..1_000_000_u64), 1..30),
        ) {
            let (base, head): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
            let (forth, back) = (difference(&base, &head), difference(&head, &base));
            prop_assert!((forth + back).abs() < 1e-9, "{forth} {back}");
        }

        #[test]
        fn units_do_not_matter(
            pairs in proptest::collection::vec((1..1_000_000_u64, 1..1_000_000_u64), 1..30), by in 2..1_000_u64,
        ) {
            let (base, head): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
            let scaled = |side: &[u64]| side.iter().map(|value| value * by).collect::<Vec<_>>();
            let (one, other) = (difference(&base, &head), difference(&scaled(&base), &scaled(&head)));
            prop_assert!((one - other).abs() < 1e-9, "{one} {other}");
        }
    }
}
