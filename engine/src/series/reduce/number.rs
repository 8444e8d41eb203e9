//! Types of numbers that can be aggregated, and their inner loops over values without nulls.
//!
//! Floats are compared in the total order of IEEE 754: NaN is above all, -0 is below 0. So the least
//! and the greatest do not depend on the order of values.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, Float64Array, Int64Array, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};

use crate::series::sum::Sum;

/// Extremes kept beside each other, so that the processor works on several values at a time.
const LANES: usize = 8;

/// A type of numbers.
pub(super) trait Number: ArrowPrimitiveType {
    /// What values add up to.
    type Total: Total;

    /// Adds values.
    fn total(values: &[Self::Native]) -> Self::Total;

    /// Returns the least and the greatest value; without values, what changes no other extremes.
    fn extremes(values: &[Self::Native]) -> (Self::Native, Self::Native);

    /// Makes the column of sums.
    fn sums(totals: &[Self::Total], nulls: Option<NullBuffer>) -> ArrayRef;
}

/// What values add up to: enough for their sum and their mean.
pub(super) trait Total: Copy + Default + Send + 'static {
    /// Adds the total of other values.
    fn merge(&mut self, other: Self);

    /// Returns the sum of the values as floats, rounded once.
    fn float(self) -> f64;
}

impl Total for Sum {
    #[inline]
    fn merge(&mut self, other: Self) {
        Self::merge(self, other);
    }

    #[inline]
    fn float(self) -> f64 {
        self.value()
    }
}

/// The total of whole numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Whole {
    /// The sum in 64 bits, which wraps as DataFusion's does.
    wrapped: i64,
    /// The sum of the values as floats. A mean is one of floats, and whole numbers beyond 2⁵³ become
    /// floats by rounding.
    floats: i128,
}

impl Total for Whole {
    #[inline]
    fn merge(&mut self, other: Self) {
        self.wrapped = self.wrapped.wrapping_add(other.wrapped);
        self.floats += other.floats;
    }

    #[inline]
    fn float(self) -> f64 {
        self.floats as f64
    }
}

macro_rules! float {
    ($type:ty, $native:ty) => {
        impl Number for $type {
            type Total = Sum;

            #[inline]
            fn total(values: &[$native]) -> Sum {
                Sum::of_each(values, f64::from)
            }

            #[inline]
            fn extremes(values: &[$native]) -> ($native, $native) {
                let mut low = [<$native>::INFINITY; LANES];
                let mut high = [<$native>::NEG_INFINITY; LANES];
                let (chunks, rest) = values.as_chunks::<LANES>();
                for chunk in chunks {
                    for lane in 0..LANES {
                        let value = chunk[lane];
                        low[lane] = if value < low[lane] { value } else { low[lane] };
                        high[lane] = if value > high[lane] { value } else { high[lane] };
                    }
                }
                for (lane, value) in rest.iter().enumerate() {
                    low[lane] = if *value < low[lane] { *value } else { low[lane] };
                    high[lane] = if *value > high[lane] { *value } else { high[lane] };
                }
                let low = low.into_iter().fold(<$native>::INFINITY, <$native>::min);
                let high = high.into_iter().fold(<$native>::NEG_INFINITY, <$native>::max);
                // These comparisons pass over NaNs and take both zeros for one; then the order decides.
                let has_nan = values.iter().fold(false, |seen, value| seen | value.is_nan());
                if has_nan || low == 0.0 || high == 0.0 || values.is_empty() {
                    return extremes_in_order(values);
                }
                (low, high)
            }

            fn sums(totals: &[Sum], nulls: Option<NullBuffer>) -> ArrayRef {
                let sums: Vec<f64> = totals.iter().map(|total| total.value()).collect();
                Arc::new(Float64Array::new(sums.into(), nulls))
            }
        }
    };
}

float!(Float32Type, f32);
float!(Float64Type, f64);

macro_rules! whole {
    ($type:ty, $native:ty, $total:ident, $sums:ident, $sum:ty) => {
        impl Number for $type {
            type Total = Whole;

            #[inline]
            fn total(values: &[$native]) -> Whole {
                $total(values)
            }

            #[inline]
            fn extremes(values: &[$native]) -> ($native, $native) {
                extremes_in_order(values)
            }

            fn sums(totals: &[Whole], nulls: Option<NullBuffer>) -> ArrayRef {
                let sums: Vec<$sum> = totals.iter().map(|total| total.wrapped as $sum).collect();
                Arc::new($sums::new(sums.into(), nulls))
            }
        }
    };
}

whole!(Int8Type, i8, narrow, Int64Array, i64);
whole!(Int16Type, i16, narrow, Int64Array, i64);
whole!(Int32Type, i32, narrow, Int64Array, i64);
whole!(Int64Type, i64, wide, Int64Array, i64);
whole!(UInt8Type, u8, narrow, UInt64Array, u64);
whole!(UInt16Type, u16, narrow, UInt64Array, u64);
whole!(UInt32Type, u32, narrow, UInt64Array, u64);
whole!(UInt64Type, u64, wide_unsigned, UInt64Array, u64);

/// Adds values of at most 32 bits; a batch has too few of them to leave 64.
#[inline]
fn narrow<T: Copy + Into<i64>>(values: &[T]) -> Whole {
    let wrapped: i64 = values.iter().map(|value| (*value).into()).sum();
    Whole { wrapped, floats: i128::from(wrapped) }
}

/// Values of which 512 add up to less than 2⁶², and which are floats as they are.
const EXACT: u64 = 1 << 53;

#[inline]
fn wide(values: &[i64]) -> Whole {
    let mut total = Whole::default();
    for chunk in values.chunks(512) {
        let sum = chunk.iter().fold(0_i64, |sum, value| sum.wrapping_add(*value));
        // The upper bits of all values, moved up so that those of small ones are zero.
        let upper = chunk.iter().fold(0, |upper, value| upper | value.wrapping_add(EXACT as i64) as u64);
        let floats = if upper < 2 * EXACT {
            i128::from(sum)
        } else {
            chunk.iter().map(|value| (*value as f64) as i128).sum()
        };
        total.merge(Whole { wrapped: sum, floats });
    }
    total
}

#[inline]
fn wide_unsigned(values: &[u64]) -> Whole {
    let mut total = Whole::default();
    for chunk in values.chunks(512) {
        let sum = chunk.iter().fold(0_u64, |sum, value| sum.wrapping_add(*value));
        let upper = chunk.iter().fold(0, |upper, value| upper | value);
        let floats = if upper < EXACT {
            i128::from(sum)
        } else {
            chunk.iter().map(|value| (*value as f64) as i128).sum()
        };
        total.merge(Whole { wrapped: sum as i64, floats });
    }
    total
}

/// Returns the least and the greatest value in the total order.
#[inline]
fn extremes_in_order<T: ArrowNativeTypeOp>(values: &[T]) -> (T, T) {
    let mut extremes = (T::MAX_TOTAL_ORDER, T::MIN_TOTAL_ORDER);
    for value in values {
        extremes = (lesser(extremes.0, *value), greater(extremes.1, *value));
    }
    extremes
}

#[inline]
pub(super) fn lesser<T: ArrowNativeTypeOp>(a: T, b: T) -> T {
    if b.is_lt(a) { b } else { a }
}

#[inline]
pub(super) fn greater<T: ArrowNativeTypeOp>(a: T, b: T) -> T {
    if b.is_gt(a) { b } else { a }
}
