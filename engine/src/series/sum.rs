//! Sums of floats that do not depend on the order in which values are added, nor on how they are grouped.
//!
//! A sum of `f64` rounds at every step, so sums of parts differ from the sum of the whole in the last bits, and
//! two ways to the same answer are told apart by noise. Here each step keeps what it rounds away: the total
//! is `hi + lo`, where `hi` is the plain sum and `lo` the sum of its errors, which TwoSum finds without a
//! branch (Knuth, The Art of Computer Programming 2, 4.2.2; summed as in Ogita, Rump and Oishi, Accurate Sum
//! and Dot Product, 2005, algorithm Sum2, and Neumaier, 1974).
//!
//! Error. Let `n` be the number of values, `S` the sum of their magnitudes, and `u` = 2⁻⁵³. The value is the true sum
//! rounded once, plus at most `n² u² S`. Moreover nothing at all is lost in `lo`, so that every order gives the
//! same bits, if `2 log₂ n + log₂ (largest / smallest magnitude that is not 0)` is at most 51: a day of seconds
//! whose values span nine decimal orders is within that. Beyond it, two orders differ only where the true sum is closer than the
//! error to the middle between two floats, about once in `1 / (n² u)` sums at worst.
//!
//! A sum that meets a NaN, or infinities of both signs, is NaN; one that meets an infinity is infinite. One
//! that leaves the range of `f64` on its way is infinite, as a plain sum would be.

/// Sums kept beside each other, so that the processor works on several values at a time.
const LANES: usize = 8;

/// A sum of floats and its rounding errors.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    /// The plain sum.
    pub hi: f64,
    /// What the plain sum has rounded away.
    pub lo: f64,
}

impl Sum {
    /// Adds the values of a slice.
    #[inline]
    pub(crate) fn of(values: &[f64]) -> Self {
        Self::of_each(values, |value| value)
    }

    /// Adds what a function makes of each value of a slice.
    #[inline]
    pub(crate) fn of_each<T: Copy>(values: &[T], float: impl Fn(T) -> f64) -> Self {
        let (mut hi, mut lo) = ([0.0; LANES], [0.0; LANES]);
        let (chunks, rest) = values.as_chunks::<LANES>();
        for chunk in chunks {
            for lane in 0..LANES {
                let (sum, error) = two_sum(hi[lane], float(chunk[lane]));
                hi[lane] = sum;
                lo[lane] += error;
            }
        }
        let mut total = Self::default();
        if !chunks.is_empty() {
            // Halves are added to halves, which the processor does side by side as well.
            let mut width = LANES / 2;
            while width > 0 {
                for lane in 0..width {
                    let (sum, error) = two_sum(hi[lane], hi[lane + width]);
                    hi[lane] = sum;
                    lo[lane] += lo[lane + width] + error;
                }
                width /= 2;
            }
            total = Self { hi: hi[0], lo: lo[0] };
        }
        for value in rest {
            total.add(float(*value));
        }
        total
    }

    /// Adds one value.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        let (sum, error) = two_sum(self.hi, value);
        self.hi = sum;
        self.lo += error;
    }

    /// Adds the sum of other values.
    #[inline]
    pub(crate) fn merge(&mut self, other: Self) {
        let (sum, error) = two_sum(self.hi, other.hi);
        self.hi = sum;
        self.lo += other.lo + error;
    }

    /// Returns the sum, rounded once.
    #[inline]
    pub(crate) fn value(self) -> f64 {
        // The errors of a sum that is not finite mean nothing. There are many NaNs, and which of them comes out
        // would depend on the order.
        if self.hi.is_nan() {
            f64::NAN
        } else if self.hi.is_infinite() {
            self.hi
        } else {
            self.hi + self.lo
        }
    }
}

/// Adds two floats and returns the sum with its rounding error, which is a float itself.
#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    let a_part = sum - b_part;
    (sum, (a - a_part) + (b - b_part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sequential(values: &[f64]) -> Sum {
        let mut sum = Sum::default();
        values.iter().for_each(|value| sum.add(*value));
        sum
    }

    #[test]
    fn known_sums() {
        let check = |values: &[f64], expect: f64| {
            assert_eq!(Sum::of(values).value().to_bits(), expect.to_bits(), "{values:?}");
            assert_eq!(sequential(values).value().to_bits(), expect.to_bits(), "{values:?}");
        };
        check(&[], 0.0);
        check(&[-0.0], 0.0);
        check(&[0.1; 10], 1.0);
        check(&[1.0, 1e100, 1.0, -1e100], 2.0);
        check(&[1e16, 1.0, 1.0], 1e16 + 2.0);
        check(&[f64::INFINITY, 1.0, 2.0], f64::INFINITY);
        check(&[1.0, f64::NEG_INFINITY, -1.0], f64::NEG_INFINITY);
        check(&[f64::INFINITY, f64::NEG_INFINITY], f64::NAN);
        check(&[1.0, -f64::NAN, 3.0], f64::NAN);
        check(&[f64::MAX, f64::MAX], f64::INFINITY);
        check(&[f64::MIN_POSITIVE / 4.0; 9], f64::MIN_POSITIVE * 2.25);
    }

    /// The sum of decimals with five places is exact in whole numbers.
    #[test]
    fn the_last_bit_is_right() {
        let hundred_thousandths: Vec<i64> =
            (0..100_000).map(|i| (i * i * 7_919) % 1_000_003 - 400_000).collect();
        // Multiples of 2⁻¹⁷ are floats themselves, so the whole sum is known.
        let values: Vec<f64> = hundred_thousandths.iter().map(|v| *v as f64 / 131_072.0).collect();
        let expect = hundred_thousandths.iter().sum::<i64>() as f64 / 131_072.0;
        assert_eq!(Sum::of(&values).value(), expect);
        assert_eq!(sequential(&values).value(), expect);
    }

    /// Values as sensors have them: decimals of some places, of mixed magnitudes, some zero.
    fn values() -> impl Strategy<Value = Vec<f64>> {
        let value = (any::<i32>(), 0..7i32, 0..10u8).prop_map(|(digits, places, kind)| match kind {
            0 => 0.0,
            1 => -0.0,
            _ => f64::from(digits) / 10f64.powi(places),
        });
        prop::collection::vec(value, 0..600)
    }

    proptest! {
        #[test]
        fn parts_add_up_to_the_whole(values in values(), cuts in prop::collection::vec(0..600usize, 0..20)) {
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut <= values.len()).collect();
            cuts.extend([0, values.len()]);
            cuts.sort_unstable();
            let mut total = Sum::default();
            for pair in cuts.windows(2) {
                total.merge(Sum::of(&values[pair[0]..pair[1]]));
            }
            prop_assert_eq!(total.value().to_bits(), sequential(&values).value().to_bits());
        }

        #[test]
        fn order_does_not_matter(values in values()) {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            prop_assert_eq!(Sum::of(&sorted).value().to_bits(), sequential(&values).value().to_bits());
        }
    }
}
