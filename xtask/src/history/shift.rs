//! By how much one part of a series is above another.

/// The normal quantile of an interval of 95 %.
const Z: f64 = 1.959_964;

/// A shift, and the shifts that values do not contradict at 0.95.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shift {
    /// The median of all differences (Hodges and Lehmann, 1963).
    pub(super) by: f64,
    /// The least of the interval.
    pub(super) low: f64,
    /// The most of it.
    pub(super) high: f64,
}

impl Shift {
    /// Compares one value or more with one or more. The interval is that of the rank sum test, by the normal
    /// approximation (Moses, 1965); the place of the change is taken for known.
    pub(super) fn between(before: &[f64], behind: &[f64]) -> Self {
        let mut differences: Vec<f64> =
            before.iter().flat_map(|earlier| behind.iter().map(move |later| later - earlier)).collect();
        differences.sort_by(f64::total_cmp);
        let (n, m) = (before.len() as f64, behind.len() as f64);
        let outside = n * m / 2.0 - Z * (n * m * (n + m + 1.0) / 12.0).sqrt();
        let outside = outside.floor().max(0.0) as usize;
        let last = differences.len() - 1;
        Self {
            by: f64::midpoint(differences[last / 2], differences[differences.len() / 2]),
            low: differences[outside.min(last / 2)],
            high: differences[last - outside.min(last / 2)],
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_answers() {
        // Of the 49 differences the tenth from either end, as 24.5 − 1.96 · √(49 · 15 / 12) is 9.2.
        let before = [1.1, 2.2, 3.3, 4.4, 5.5, 6.6, 7.7];
        let behind = [10.0, 12.0, 11.0, 15.0, 14.0, 13.0, 16.0];
        let shift = Shift::between(&before, &behind);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(shift.by, 8.6) && near(shift.low, 5.6) && near(shift.high, 11.6), "{shift:?}");
        let one = Shift::between(&[1.0], &[3.0]);
        assert_eq!(one, Shift { by: 2.0, low: 2.0, high: 2.0 });
    }

    proptest! {
        #[test]
        fn it_is_within_its_interval_and_turns_with_the_sides(
            before in proptest::collection::vec(-9.0..9.0_f64, 1..20),
            behind in proptest::collection::vec(-9.0..9.0_f64, 1..20),
        ) {
            let (there, back) = (Shift::between(&before, &behind), Shift::between(&behind, &before));
            prop_assert!(there.low <= there.by && there.by <= there.high);
            prop_assert!((there.by + back.by).abs() < 1e-9 && (there.low + back.high).abs() < 1e-9);
        }
    }
}
