//! What two processes that executed in turn measured, as one value of each.

/// How the executions of a pair become one value of each side, base first.
pub(crate) type Value = fn(&[u64], &[u64]) -> [u64; 2];

/// Compares executions that had their turn together: the ratio of the values is the median of their ratios.
///
/// What disturbs both executions of a turn leaves their ratio as it is, and what disturbs one is one ratio among
/// many. The level is the geometric mean of both medians, so that exchanging the sides exchanges the values.
pub(crate) fn in_turn(base: &[u64], head: &[u64]) -> [u64; 2] {
    let mut ratios: Vec<f64> = base.iter().zip(head).map(|(base, head)| ln(*head) - ln(*base)).collect();
    let Some(ratio) = middle(&mut ratios) else { return [0, 0] };
    if !ratio.is_finite() {
        return means(base, head);
    }
    let level = |values: &[u64]| middle(&mut values.iter().map(|value| ln(*value)).collect::<Vec<f64>>());
    let level = level(base).unwrap_or(0.0).midpoint(level(head).unwrap_or(0.0));
    [(level - ratio / 2.0).exp().round() as u64, (level + ratio / 2.0).exp().round() as u64]
}

/// Takes the mean of each side, in which the slowest executions weigh fully.
pub(crate) fn means(base: &[u64], head: &[u64]) -> [u64; 2] {
    [base, head].map(|values| {
        let sum: u128 = values.iter().map(|value| u128::from(*value)).sum();
        u64::try_from(sum / values.len().max(1) as u128).unwrap_or(u64::MAX)
    })
}

fn ln(value: u64) -> f64 {
    (value as f64).ln()
}

/// Returns the median; of an even number of values, the mean of the two in the middle.
fn middle(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(values[values.len() / 2 - 1].midpoint(upper))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_slows_both_sides_of_a_turn_does_not_count() {
        let quiet = [100_000, 100_000, 100_000, 100_000, 100_000];
        // The machine is slower from the third turn on, and one execution meets another process.
        let base = [100_000, 100_000, 150_000, 150_000, 150_000];
        let head = [105_000, 105_000, 157_500, 157_500, 900_000];
        let [base, head] = in_turn(&base, &head);
        assert!((head as f64 / base as f64 - 1.05).abs() < 1e-4, "{base} {head}");
        assert_eq!(in_turn(&quiet, &quiet), [100_000, 100_000]);
        assert_eq!(means(&[1, 3], &[10, 20]), [2, 15]);
    }

    #[test]
    fn what_has_no_ratio_stays_without_one() {
        assert_eq!(in_turn(&[], &[]), [0, 0]);
        assert_eq!(in_turn(&[0, 0], &[4, 8]), [0, 6]);
    }

    proptest! {
        #[test]
        fn exchanging_the_sides_exchanges_the_values(
            turns in prop::collection::vec((1u64..1_000_000_000, 1u64..1_000_000_000), 1..30),
        ) {
            let (base, head): (Vec<u64>, Vec<u64>) = turns.into_iter().unzip();
            let [a, b] = in_turn(&base, &head);
            prop_assert_eq!(in_turn(&head, &base), [b, a]);
        }
    }
}
