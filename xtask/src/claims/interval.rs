//! Medians with distribution-free intervals: order statistics, as the exact sign test has them.
//!
//! Of `n` values whose order is random, each is above the true median with chance one half, whatever their
//! distribution. So the `k`-th smallest and the `k`-th largest enclose the median except with twice the chance
//! of fewer than `k` heads in `n` throws of a coin. `k` is the largest for which that is at most 5 %.

/// The chance that an interval misses, at most.
const MISS: f64 = 0.05;

/// A median and what it may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    /// The lower end.
    pub(crate) low: f64,
    /// The median of the values.
    pub(crate) middle: f64,
    /// The upper end.
    pub(crate) high: f64,
}

impl Interval {
    /// Makes the interval of a value that is known exactly.
    pub(crate) fn exact(value: f64) -> Self {
        Self { low: value, middle: value, high: value }
    }

    /// Computes the median of finite values and its interval; there is none of fewer than six values.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let rank = rank(values.len())?;
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let upper = sorted[sorted.len() / 2];
        let middle = if sorted.len() % 2 == 1 { upper } else { (sorted[sorted.len() / 2 - 1] + upper) / 2.0 };
        Some(Self { low: sorted[rank - 1], middle, high: sorted[sorted.len() - rank] })
    }

    /// Applies a falling function to all three, so that the ends change places.
    pub(crate) fn falling(self, map: impl Fn(f64) -> f64) -> Self {
        Self { low: map(self.high), middle: map(self.middle), high: map(self.low) }
    }
}

/// Returns the place, from 1, of the order statistics that make an interval of `count` values.
fn rank(count: usize) -> Option<usize> {
    // The chance of exactly `heads` heads, from 0 up; a hundred throws stay far above the least float.
    let mut chance = 0.5_f64.powi(i32::try_from(count).ok()?);
    let mut below = 0.0;
    let mut rank = 0;
    for heads in 0..count.div_ceil(2) {
        below += chance;
        if 2.0 * below > MISS {
            break;
        }
        rank = heads + 1;
        chance *= (count - heads) as f64 / (heads + 1) as f64;
    }
    (rank > 0).then_some(rank)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranks_are_those_of_the_tables() {
        // One more than the critical values of the two-sided sign test at 5 %, as printed in textbooks.
        let table = [
            (0, None),
            (5, None),
            (6, Some(1)),
            (8, Some(1)),
            (9, Some(2)),
            (11, Some(2)),
            (12, Some(3)),
            (14, Some(3)),
            (15, Some(4)),
            (16, Some(4)),
            (17, Some(5)),
            (20, Some(6)),
            (25, Some(8)),
            (30, Some(10)),
            (50, Some(18)),
            (100, Some(40)),
        ];
        for (count, expect) in table {
            assert_eq!(rank(count), expect, "{count}");
        }
    }

    #[test]
    fn intervals_have_known_answers() {
        let check = |values: &[f64], expect: Option<(f64, f64, f64)>| {
            let found = Interval::of(values).map(|found| (found.low, found.middle, found.high));
            assert_eq!(found, expect, "{values:?}");
        };
        check(&[3.0, 1.0, 2.0, 5.0, 4.0], None);
        check(&[3.0, 1.0, 2.0, 6.0, 5.0, 4.0], Some((1.0, 3.5, 6.0)));
        check(&[9.0, 1.0, 8.0, 2.0, 7.0, 3.0, 6.0, 4.0, 5.0], Some((2.0, 5.0, 8.0)));
        check(&[-4.0; 12], Some((-4.0, -4.0, -4.0)));
    }

    #[test]
    fn the_interval_misses_in_at_most_one_of_twenty() {
        // Every way in which ten values can lie above and below a median of zero is equally likely.
        let mut covered = 0;
        for signs in 0_u32..1 << 10 {
            let values: Vec<f64> = (0..10)
                .map(|place| f64::from(place + 1) * if signs >> place & 1 == 1 { 1.0 } else { -1.0 })
                .collect();
            let found = Interval::of(&values).unwrap();
            covered += u32::from(found.low <= 0.0 && found.high >= 0.0);
        }
        // 1,024 less the 2 · (1 + 10) ways with no or one value on a side.
        assert_eq!(covered, 1002);
    }

    proptest! {
        #[test]
        fn the_median_is_inside_and_one_outlier_cannot_move_an_end_far(
            mut values in proptest::collection::vec(-1e3..1e3_f64, 9..40), outlier in 1e6..1e9_f64,
        ) {
            let before = Interval::of(&values).unwrap();
            prop_assert!(before.low <= before.middle && before.middle <= before.high);
            values[0] = outlier;
            let after = Interval::of(&values).unwrap();
            prop_assert!(after.high < 1e6);
        }

        #[test]
        fn a_falling_map_turns_the_ends(values in proptest::collection::vec(-5.0..5.0_f64, 6..20)) {
            let interval = Interval::of(&values).unwrap();
            let turned = interval.falling(|value| -value);
            let negated: Vec<f64> = values.iter().map(|value| -value).collect();
            prop_assert_eq!(Interval::of(&negated).unwrap(), turned);
        }
    }
}
