//! What is known of one column in each bucket of one resolution: count, total, least, greatest.

use std::any::Any;
use std::mem::take;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, AsArray, Float64Array, Int64Array, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow::util::bit_iterator::BitSliceIterator;

use super::Aggregate;
use super::number::{Number, Total, greater, lesser};

/// How consecutive rows, or consecutive buckets of a finer resolution, fall into buckets.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// Where the first run begins.
    pub from: usize,
    /// Where each run ends and the next begins.
    pub ends: Vec<usize>,
    /// Whether the first run belongs to the last bucket that was there before.
    pub continues: bool,
}

impl Runs {
    /// Returns each run, and whether it belongs to the bucket before.
    fn each(&self) -> impl Iterator<Item = (Range<usize>, bool)> {
        let begins = std::iter::once(self.from).chain(self.ends.iter().copied());
        begins.zip(&self.ends).enumerate().map(|(at, (begin, end))| (begin..*end, self.continues && at == 0))
    }
}

/// The buckets of one column at one resolution, the last of which is open.
pub(super) trait Tally: Send {
    /// Adds runs of rows.
    fn add_rows(&mut self, column: &ArrayRef, runs: &Runs);

    /// Adds runs of buckets of a finer tally of the same column.
    fn add_buckets(&mut self, finer: &dyn Tally, runs: &Runs);

    /// Makes a column of the first buckets.
    fn column(&self, aggregate: Aggregate, buckets: usize) -> ArrayRef;

    /// Forgets the first buckets.
    fn forget(&mut self, buckets: usize);

    fn as_any(&self) -> &dyn Any;
}

/// What some aggregate of a column needs beyond its count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needs {
    pub total: bool,
    pub extremes: bool,
}

/// Makes the tally of a column, or nothing if the type is none of numbers.
pub(super) fn of_numbers(data_type: &DataType, needs: Needs) -> Option<Box<dyn Tally>> {
    Some(match data_type {
        DataType::Int8 => Box::new(Numbers::<Int8Type>::new(needs)),
        DataType::Int16 => Box::new(Numbers::<Int16Type>::new(needs)),
        DataType::Int32 => Box::new(Numbers::<Int32Type>::new(needs)),
        DataType::Int64 => Box::new(Numbers::<Int64Type>::new(needs)),
        DataType::UInt8 => Box::new(Numbers::<UInt8Type>::new(needs)),
        DataType::UInt16 => Box::new(Numbers::<UInt16Type>::new(needs)),
        DataType::UInt32 => Box::new(Numbers::<UInt32Type>::new(needs)),
        DataType::UInt64 => Box::new(Numbers::<UInt64Type>::new(needs)),
        DataType::Float32 => Box::new(Numbers::<Float32Type>::new(needs)),
        DataType::Float64 => Box::new(Numbers::<Float64Type>::new(needs)),
        _ => return None,
    })
}

/// Makes the tally of rows, whatever they hold.
pub(super) fn of_rows() -> Box<dyn Tally> {
    Box::new(Rows::default())
}

/// Numbers of rows.
#[derive(Default)]
struct Rows {
    counts: Vec<i64>,
}

impl Rows {
    fn add(&mut self, count: i64, continues: bool) {
        match self.counts.last_mut() {
            Some(last) if continues => *last += count,
            _ => self.counts.push(count),
        }
    }
}

impl Tally for Rows {
    fn add_rows(&mut self, _column: &ArrayRef, runs: &Runs) {
        for (run, continues) in runs.each() {
            self.add(run.len() as i64, continues);
        }
    }

    fn add_buckets(&mut self, finer: &dyn Tally, runs: &Runs) {
        let finer: &Self = same_kind(finer);
        for (run, continues) in runs.each() {
            self.add(finer.counts[run].iter().sum(), continues);
        }
    }

    fn column(&self, _aggregate: Aggregate, buckets: usize) -> ArrayRef {
        Arc::new(Int64Array::from(self.counts[..buckets].to_vec()))
    }

    fn forget(&mut self, buckets: usize) {
        self.counts.drain(..buckets);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Counts, totals and extremes of a column of numbers; what is not needed stays empty.
struct Numbers<T: Number> {
    needs: Needs,
    /// Values that are not null.
    counts: Vec<i64>,
    totals: Vec<T::Total>,
    extremes: Vec<(T::Native, T::Native)>,
    /// The values of a run that are not null.
    valid: Vec<T::Native>,
}

impl<T: Number> Numbers<T> {
    fn new(needs: Needs) -> Self {
        Self { needs, counts: Vec::new(), totals: Vec::new(), extremes: Vec::new(), valid: Vec::new() }
    }

    /// Makes sure that the last bucket is the one to add to.
    #[inline]
    fn begin(&mut self, continues: bool) {
        if continues {
            return;
        }
        self.counts.push(0);
        if self.needs.total {
            self.totals.push(T::Total::default());
        }
        if self.needs.extremes {
            self.extremes.push((T::Native::MAX_TOTAL_ORDER, T::Native::MIN_TOTAL_ORDER));
        }
    }

    /// Adds values to the last bucket.
    #[inline]
    fn add(&mut self, values: &[T::Native]) {
        *self.counts.last_mut().expect("a bucket was begun") += values.len() as i64;
        if let Some(total) = self.totals.last_mut() {
            total.merge(T::total(values));
        }
        if let Some(extremes) = self.extremes.last_mut() {
            *extremes = wider(*extremes, T::extremes(values));
        }
    }

    /// Tells which of the first buckets have no value, if any.
    fn nulls(&self, buckets: usize) -> Option<NullBuffer> {
        let counts = &self.counts[..buckets];
        counts.contains(&0).then(|| counts.iter().map(|count| *count > 0).collect())
    }
}

impl<T: Number> Tally for Numbers<T> {
    fn add_rows(&mut self, column: &ArrayRef, runs: &Runs) {
        let column: &PrimitiveArray<T> = column.as_primitive();
        let values = column.values().as_ref();
        let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) else {
            for (run, continues) in runs.each() {
                self.begin(continues);
                self.add(&values[run]);
            }
            return;
        };
        let mut valid = take(&mut self.valid);
        for (run, continues) in runs.each() {
            self.begin(continues);
            valid.clear();
            for (begin, end) in BitSliceIterator::new(nulls.validity(), nulls.offset() + run.start, run.len())
            {
                valid.extend_from_slice(&values[run.start + begin..run.start + end]);
            }
            self.add(&valid);
        }
        self.valid = valid;
    }

    fn add_buckets(&mut self, finer: &dyn Tally, runs: &Runs) {
        let finer: &Self = same_kind(finer);
        for (run, continues) in runs.each() {
            self.begin(continues);
            let count: i64 = finer.counts[run.clone()].iter().sum();
            *self.counts.last_mut().expect("a bucket was begun") += count;
            if let Some(total) = self.totals.last_mut() {
                finer.totals[run.clone()].iter().for_each(|part| total.merge(*part));
            }
            if let Some(extremes) = self.extremes.last_mut() {
                *extremes = finer.extremes[run].iter().fold(*extremes, |a, b| wider(a, *b));
            }
        }
    }

    fn column(&self, aggregate: Aggregate, buckets: usize) -> ArrayRef {
        let nulls = self.nulls(buckets);
        let extremes = |values: Vec<T::Native>| -> ArrayRef {
            Arc::new(PrimitiveArray::<T>::new(values.into(), self.nulls(buckets)))
        };
        match aggregate {
            Aggregate::Count => Arc::new(Int64Array::from(self.counts[..buckets].to_vec())),
            Aggregate::Sum => T::sums(&self.totals[..buckets], nulls),
            Aggregate::Avg => {
                let both = self.totals[..buckets].iter().zip(&self.counts);
                let means: Vec<f64> = both.map(|(total, count)| total.float() / *count as f64).collect();
                Arc::new(Float64Array::new(means.into(), nulls))
            }
            Aggregate::Min => extremes(self.extremes[..buckets].iter().map(|(least, _)| *least).collect()),
            Aggregate::Max => {
                extremes(self.extremes[..buckets].iter().map(|(_, greatest)| *greatest).collect())
            }
        }
    }

    fn forget(&mut self, buckets: usize) {
        self.counts.drain(..buckets);
        self.totals.drain(..buckets.min(self.totals.len()));
        self.extremes.drain(..buckets.min(self.extremes.len()));
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[inline]
fn wider<T: ArrowNativeTypeOp>(a: (T, T), b: (T, T)) -> (T, T) {
    (lesser(a.0, b.0), greater(a.1, b.1))
}

fn same_kind<T: 'static>(tally: &dyn Tally) -> &T {
    tally.as_any().downcast_ref().expect("tallies of one column are of one kind")
}
