//! The permutation test over exchanged labels, and the interval of effects that it does not reject.
//!
//! If a change does nothing, which of a pair's two values is called the head's is the coin's choice, so every
//! exchange of labels within pairs is equally likely. The share of exchanges whose statistic is at least the measured
//! one is the probability of such a result by chance (Fisher, 1935). Up to [`ALL_UP_TO`] pairs all exchanges are
//! tried, beyond that a random part of them, with the measured one counted in (Phipson and Smyth, 2010).

use rand::RngExt as _;

use super::aligned::Aligned;
use super::pairs::Pairs;
use crate::random;

/// Up to this many pairs all exchanges are tried.
const ALL_UP_TO: usize = 13;

/// The part of each side's slowest values that a typical time leaves out.
const LEFT_OUT_PERCENT: usize = 35;

/// Random exchanges for an end of an interval.
const SWAPS_OF_AN_INTERVAL: usize = 1_999;

/// Halvings of the distance in which an end of an interval is looked for.
const HALVINGS: usize = 14;

/// What a test found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SwapTest {
    /// The logarithm of head over base.
    pub(crate) effect: f64,
    /// The probability of a head as slow as measured, or slower, if the sides are alike.
    pub(crate) slower: f64,
    /// The probability of a head as fast as measured, or faster, if the sides are alike.
    pub(crate) faster: f64,
    /// The standard deviation of the statistic if the sides are alike.
    pub(crate) spread: f64,
}

impl SwapTest {
    /// Tests pairs with at least the given number of exchanges, or with all there are.
    pub(crate) fn of(pairs: &Pairs, swaps: usize, seed: u64) -> Self {
        Self::aligned(&Aligned::new(pairs, LEFT_OUT_PERCENT), pairs.len(), swaps, seed)
    }

    /// Tests the means of all values, the slowest included: what only some executions pay for is seen here.
    pub(crate) fn of_all(pairs: &Pairs, swaps: usize, seed: u64) -> Self {
        Self::aligned(&Aligned::new(pairs, 0), pairs.len(), swaps, seed)
    }

    fn aligned(aligned: &Aligned, pairs: usize, swaps: usize, seed: u64) -> Self {
        let effect = aligned.difference(|_| false);
        let mut counted = Counted::default();
        if pairs <= ALL_UP_TO {
            for labels in 0_u32..1 << pairs {
                counted.add(aligned.difference(|pair| labels >> pair & 1 == 1), effect);
            }
        } else {
            let mut numbers = random::stream(seed, 0);
            let mut labels = vec![0_u64; pairs.div_ceil(64)];
            counted.add(effect, effect);
            for _ in 0..swaps {
                labels.fill_with(|| numbers.random());
                counted.add(aligned.difference(|pair| labels[pair / 64] >> (pair % 64) & 1 == 1), effect);
            }
        }
        let share = |count: u64| count as f64 / counted.all as f64;
        Self {
            effect,
            slower: share(counted.up),
            faster: share(counted.down),
            spread: (counted.squares / counted.all as f64).sqrt(),
        }
    }
}

#[derive(Default)]
struct Counted {
    all: u64,
    up: u64,
    down: u64,
    squares: f64,
}

impl Counted {
    fn add(&mut self, difference: f64, effect: f64) {
        // Equal sums can differ in their last digit by the order of their parts.
        const SAME: f64 = 1e-12;
        self.all += 1;
        self.up += u64::from(difference >= effect - SAME);
        self.down += u64::from(difference <= effect + SAME);
        self.squares += difference * difference;
    }
}

/// The effects, as logarithms of head over base, that a test does not reject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    /// The least.
    pub(crate) low: f64,
    /// The greatest.
    pub(crate) high: f64,
}

impl Interval {
    /// Inverts the test; nothing if there are too few pairs for the level, which is 0.95, say.
    pub(crate) fn of(pairs: &Pairs, level: f64, seed: u64) -> Option<Self> {
        let miss = (1.0 - level) / 2.0;
        if 0.5_f64.powi(i32::try_from(pairs.len()).ok()?) > miss {
            return None;
        }
        let test = SwapTest::of(pairs, SWAPS_OF_AN_INTERVAL, seed);
        let is_rejected = |effect: f64| {
            let test = SwapTest::of(&pairs.less(effect), SWAPS_OF_AN_INTERVAL, seed);
            test.slower.min(test.faster) <= miss
        };
        let end = |direction: f64| {
            let mut inside = test.effect;
            let mut step = test.spread.max(1e-6);
            while !is_rejected(inside + direction * step) {
                inside += direction * step;
                step *= 2.0;
            }
            for _ in 0..HALVINGS {
                step /= 2.0;
                if !is_rejected(inside + direction * step) {
                    inside += direction * step;
                }
            }
            inside
        };
        Some(Self { low: end(-1.0), high: end(1.0) })
    }

    /// Returns half the width.
    pub(crate) fn half_width(self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(base: &[u64], head: &[u64]) -> Pairs {
        Pairs::new(base, head).unwrap()
    }

    /// Values with a tail towards the slow, as machines have it.
    fn noisy(seed: u64, count: usize, ratio: f64) -> Pairs {
        let mut numbers = random::stream(seed, 9);
        let mut side = |ratio: f64| -> Vec<u64> {
            let mut value = || {
                let core: f64 = (0..4).map(|_| numbers.random::<f64>() - 0.5).sum::<f64>() * 0.03;
                let tail = if numbers.random::<f64>() < 0.1 { numbers.random::<f64>() * 0.3 } else { 0.0 };
                (1e8 * ratio * (1.0 + core + tail)) as u64
            };
            (0..count).map(|_| value()).collect()
        };
        let base = side(1.0);
        Pairs::new(&base, &side(ratio)).unwrap()
    }

    #[test]
    fn all_exchanges_of_few_pairs() {
        // Each head is slower: only the exchange of nothing is as extreme, 1 of 16.
        let test = SwapTest::of(&pairs(&[100, 101, 99, 100], &[110, 112, 109, 111]), 0, 0);
        assert_eq!((test.slower, test.faster), (1.0 / 16.0, 1.0));
        // Alike in every value: every exchange is.
        let test = SwapTest::of(&pairs(&[100; 5], &[100; 5]), 0, 0);
        assert_eq!((test.effect, test.slower, test.faster, test.spread), (0.0, 1.0, 1.0, 0.0));
    }

    #[test]
    fn few_pairs_have_no_interval() {
        assert_eq!(Interval::of(&noisy(1, 5, 1.0), 0.95, 1), None);
        assert!(Interval::of(&noisy(1, 6, 1.0), 0.95, 1).is_some());
    }

    #[test]
    fn a_slower_head_is_found_and_its_interval_is_around_the_truth() {
        let pairs = noisy(3, 24, 1.05);
        let test = SwapTest::of(&pairs, 9_999, 4);
        assert!(test.slower <= 0.001, "{test:?}");
        assert!(test.faster > 0.99, "{test:?}");
        let interval = Interval::of(&pairs, 0.95, 4).unwrap();
        assert!(interval.low < 1.05_f64.ln() && 1.05_f64.ln() < interval.high, "{interval:?}");
        assert!(interval.half_width() < 0.03, "{interval:?}");
    }

    #[test]
    fn alike_sides_are_rejected_as_often_as_the_level_says() {
        let rejected =
            (0..400).filter(|seed| SwapTest::of(&noisy(*seed, 10, 1.0), 0, 0).slower <= 0.05).count();
        // 20 are expected, with a standard deviation of 4.4.
        assert!((7..=33).contains(&rejected), "{rejected}");
    }

    #[test]
    fn intervals_cover_the_truth_as_often_as_the_level_says() {
        let covered = |seed: &u64| {
            let interval = Interval::of(&noisy(*seed, 8, 1.03), 0.9, 0).unwrap();
            interval.low <= 1.03_f64.ln() && 1.03_f64.ln() <= interval.high
        };
        let covered = (0..100).filter(covered).count();
        // 90 are expected, with a standard deviation of 3.
        assert!((81..=99).contains(&covered), "{covered}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn sides_exchanged_are_the_test_turned(
            values in proptest::collection::vec((1..1_000_u64, 1..1_000_u64), 1..9),
        ) {
            let (base, head): (Vec<u64>, Vec<u64>) = values.into_iter().unzip();
            let (forth, back) = (SwapTest::of(&pairs(&base, &head), 0, 0), SwapTest::of(&pairs(&head, &base), 0, 0));
            prop_assert_eq!(forth.slower, back.faster);
            prop_assert!((forth.spread - back.spread).abs() < 1e-12);
        }

        #[test]
        fn slowing_the_head_cannot_make_it_look_faster(
            values in proptest::collection::vec((500..1_000_u64, 500..1_000_u64), 4..9), by in 1.0..1.5_f64,
        ) {
            let (base, head): (Vec<u64>, Vec<u64>) = values.into_iter().unzip();
            let slowed: Vec<u64> = head.iter().map(|value| (*value as f64 * by) as u64 + 1).collect();
            let (before, after) =
                (SwapTest::of(&pairs(&base, &head), 0, 0), SwapTest::of(&pairs(&base, &slowed), 0, 0));
            prop_assert!(after.effect >= before.effect - 1e-9, "{before:?} {after:?}");
        }
    }
}
