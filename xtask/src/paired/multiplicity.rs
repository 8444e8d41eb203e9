//! Corrections for many tests at once.

/// Adjusts probabilities so that rejecting those at or below a level keeps the chance of any false rejection at that
/// level (Holm, 1979). They come in the order given.
pub(crate) fn holm(probabilities: &[f64]) -> Vec<f64> {
    let count = probabilities.len();
    let mut adjusted = vec![0.0; count];
    let mut least: f64 = 0.0;
    for (rank, place) in ascending(probabilities).into_iter().enumerate() {
        least = least.max((probabilities[place] * (count - rank) as f64).min(1.0));
        adjusted[place] = least;
    }
    adjusted
}

/// Adjusts probabilities so that of those at or below a level at most that share is expected to be false
/// (Benjamini and Hochberg, 1995). They come in the order given.
pub(crate) fn benjamini_hochberg(probabilities: &[f64]) -> Vec<f64> {
    let count = probabilities.len();
    let mut adjusted = vec![0.0; count];
    let mut most: f64 = 1.0;
    for (rank, place) in ascending(probabilities).into_iter().enumerate().rev() {
        most = most.min(probabilities[place] * count as f64 / (rank + 1) as f64);
        adjusted[place] = most;
    }
    adjusted
}

fn ascending(probabilities: &[f64]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..probabilities.len()).collect();
    places.sort_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(found: &[f64], expect: &[f64]) {
        let near = found.iter().zip(expect).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(near && found.len() == expect.len(), "{found:?} {expect:?}");
    }

    #[test]
    fn known_answers() {
        // As p.adjust of R gives them.
        let probabilities = [0.01, 0.04, 0.03, 0.005];
        check(&holm(&probabilities), &[0.03, 0.06, 0.06, 0.02]);
        check(&benjamini_hochberg(&probabilities), &[0.02, 0.04, 0.04, 0.02]);
        check(&holm(&[]), &[]);
        check(&holm(&[0.7, 0.6]), &[1.0, 1.0]);
        check(&benjamini_hochberg(&[0.7]), &[0.7]);
    }

    proptest! {
        #[test]
        fn order_is_kept_and_holm_is_the_stricter(values in proptest::collection::vec(0.0..1.0_f64, 1..30)) {
            let (strict, lax) = (holm(&values), benjamini_hochberg(&values));
            for one in 0..values.len() {
                prop_assert!(values[one] <= lax[one] + 1e-12 && lax[one] <= strict[one] + 1e-12 && strict[one] <= 1.0);
                for other in 0..values.len() {
                    if values[one] <= values[other] {
                        prop_assert!(strict[one] <= strict[other] && lax[one] <= lax[other]);
                    }
                }
            }
        }
    }
}
