//! Medians and their spread. All values are whole numbers, so nothing here can be NaN.

use serde::Serialize;

/// The middle of some values and how far the others are from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Spread {
    /// The median.
    pub(crate) median: u64,
    /// The median absolute deviation from the median.
    pub(crate) mad: u64,
    /// How many values there are.
    pub(crate) count: usize,
}

impl Spread {
    /// Computes the spread of one value or more.
    pub(crate) fn of(values: &[u64]) -> Option<Self> {
        let median = median(values)?;
        let deviations: Vec<u64> = values.iter().map(|value| value.abs_diff(median)).collect();
        Some(Self { median, mad: self::median(&deviations)?, count: values.len() })
    }
}

/// Returns the median; of an even number of values, the rounded-down mean of the two in the middle.
pub(crate) fn median(values: &[u64]) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(sorted[sorted.len() / 2 - 1].midpoint(upper))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_medians() {
        let check = |values: &[u64], expect| assert_eq!(median(values), expect, "{values:?}");
        check(&[], None);
        check(&[7], Some(7));
        check(&[9, 1], Some(5));
        check(&[3, 1, 2], Some(2));
        check(&[u64::MAX, u64::MAX], Some(u64::MAX));
        assert_eq!(Spread::of(&[1, 1, 2, 2, 4, 6, 9]), Some(Spread { median: 2, mad: 1, count: 7 }));
    }

    proptest! {
        #[test]
        fn the_median_splits_the_values(values in proptest::collection::vec(any::<u64>(), 1..40)) {
            let median = median(&values).unwrap();
            let below = values.iter().filter(|value| **value < median).count();
            let above = values.iter().filter(|value| **value > median).count();
            prop_assert!(below * 2 <= values.len());
            prop_assert!(above * 2 <= values.len());
        }

        #[test]
        fn order_does_not_matter(mut values in proptest::collection::vec(any::<u64>(), 1..40)) {
            let before = Spread::of(&values);
            values.reverse();
            prop_assert_eq!(Spread::of(&values), before);
        }

        #[test]
        fn shifting_moves_the_median_and_keeps_the_spread(
            values in proptest::collection::vec(0..1_000_000_u64, 1..40), by in 0..1_000_000_u64,
        ) {
            let before = Spread::of(&values).unwrap();
            let moved: Vec<u64> = values.iter().map(|value| value + by).collect();
            let after = Spread::of(&moved).unwrap();
            prop_assert_eq!(after.median, before.median + by);
            prop_assert_eq!(after.mad, before.mad);
        }

        #[test]
        fn one_outlier_does_not_move_the_spread_of_equal_values(
            value in 0..1_000_u64, outlier in any::<u64>(), count in 2..20_usize,
        ) {
            let mut values = vec![value; count + 1];
            values.push(outlier);
            prop_assert_eq!(Spread::of(&values).unwrap().mad, 0);
        }
    }
}
