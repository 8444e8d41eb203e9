//! `sum` and `avg` of floats by [`Sum`]: a state is a count, a sum and its rounding errors.

use std::mem::{size_of, size_of_val};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, PrimitiveArray, UInt64Array,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{ArrowPrimitiveType, DataType, Field, FieldRef, Float64Type, UInt64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use crate::series::Sum;

/// Returns the columns of a state.
pub(super) fn state_fields(name: &str) -> Vec<FieldRef> {
    [("count", DataType::UInt64), ("hi", DataType::Float64), ("lo", DataType::Float64)]
        .map(|(part, data_type)| Arc::new(Field::new(format_state_name(name, part), data_type, true)))
        .to_vec()
}

/// Returns the sum or the mean of values, or null if there were none.
fn result(sum: Sum, count: u64, is_mean: bool) -> Option<f64> {
    match count {
        0 => None,
        _ if is_mean => Some(sum.value() / count as f64),
        _ => Some(sum.value()),
    }
}

/// The sum or mean of one group, or of a window.
#[derive(Debug)]
pub(super) struct SumAccumulator {
    is_mean: bool,
    count: u64,
    sum: Sum,
}

impl SumAccumulator {
    pub(super) fn new(is_mean: bool) -> Self {
        Self { is_mean, count: 0, sum: Sum::default() }
    }
}

impl Accumulator for SumAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values[0].as_primitive::<Float64Type>();
        self.count += (values.len() - values.null_count()) as u64;
        if values.null_count() == 0 {
            self.sum.merge(Sum::of(values.values()));
        } else {
            values.iter().flatten().for_each(|value| self.sum.add(value));
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<Float64Type>().iter().flatten() {
            self.count -= 1;
            self.sum.add(-value);
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let Sum { hi, lo } = self.sum;
        Ok(vec![self.count.into(), hi.into(), lo.into()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (counts, his, los) = parts(states);
        for ((count, hi), lo) in counts.iter().zip(his).zip(los) {
            self.count += count;
            self.sum.merge(Sum { hi: *hi, lo: *lo });
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(result(self.sum, self.count, self.is_mean)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The sums or means of many groups.
#[derive(Debug)]
pub(super) struct SumGroups {
    is_mean: bool,
    counts: Vec<u64>,
    sums: Vec<Sum>,
}

impl SumGroups {
    pub(super) fn new(is_mean: bool) -> Self {
        Self { is_mean, counts: Vec::new(), sums: Vec::new() }
    }

    fn grow(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
        self.sums.resize(groups, Sum::default());
    }

    /// Adds values without nulls; those of one group often follow each other, as time goes on.
    fn add(&mut self, values: &[f64], groups: &[usize]) {
        let mut from = 0;
        for run in groups.chunk_by(|a, b| a == b) {
            let (group, to) = (run[0], from + run.len());
            self.counts[group] += run.len() as u64;
            self.sums[group].merge(Sum::of(&values[from..to]));
            from = to;
        }
    }
}

impl GroupsAccumulator for SumGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.grow(total_groups);
        let values = values[0].as_primitive::<Float64Type>();
        match kept(values, filter) {
            None => self.add(values.values(), groups),
            Some(kept) => {
                let places = || kept.inner().set_indices();
                let values: Vec<f64> = places().map(|place| values.values()[place]).collect();
                let groups: Vec<usize> = places().map(|place| groups[place]).collect();
                self.add(&values, &groups);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total_groups: usize) -> Result<()> {
        self.grow(total_groups);
        let (counts, his, los) = parts(states);
        for (place, group) in groups.iter().enumerate() {
            self.counts[*group] += counts[place];
            self.sums[*group].merge(Sum { hi: his[place], lo: los[place] });
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let counts = emit_to.take_needed(&mut self.counts);
        let sums = emit_to.take_needed(&mut self.sums);
        let results: Float64Array =
            sums.into_iter().zip(counts).map(|(sum, count)| result(sum, count, self.is_mean)).collect();
        Ok(Arc::new(results))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let counts = emit_to.take_needed(&mut self.counts);
        let sums = emit_to.take_needed(&mut self.sums);
        Ok(vec![
            Arc::new(UInt64Array::from(counts)),
            Arc::new(Float64Array::from_iter_values(sums.iter().map(|sum| sum.hi))),
            Arc::new(Float64Array::from_iter_values(sums.iter().map(|sum| sum.lo))),
        ])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<Float64Type>();
        let rows = values.len();
        let (counts, his) = match kept(values, filter) {
            None => (vec![1; rows], values.values().to_vec()),
            Some(kept) => {
                let value = |place: usize| if kept.is_valid(place) { values.value(place) } else { 0.0 };
                let counts = kept.iter().map(u64::from).collect();
                (counts, (0..rows).map(value).collect())
            }
        };
        Ok(vec![
            Arc::new(UInt64Array::from(counts)),
            Arc::new(Float64Array::from(his)),
            Arc::new(Float64Array::from(vec![0.0; rows])),
        ])
    }

    fn size(&self) -> usize {
        self.counts.capacity() * size_of::<u64>() + self.sums.capacity() * size_of::<Sum>()
    }
}

/// Returns the counts, sums and rounding errors of states.
fn parts(states: &[ArrayRef]) -> (&[u64], &[f64], &[f64]) {
    let float = |place: usize| states[place].as_primitive::<Float64Type>().values().as_ref();
    (states[0].as_primitive::<UInt64Type>().values(), float(1), float(2))
}

/// Tells which values count: those that are not null and that the filter keeps. Nothing if all do.
pub(super) fn kept<T: ArrowPrimitiveType>(
    values: &PrimitiveArray<T>,
    filter: Option<&BooleanArray>,
) -> Option<NullBuffer> {
    // A filter that is null for a row does not keep it.
    let filter = filter.map(|filter| match filter.nulls() {
        None => NullBuffer::new(filter.values().clone()),
        Some(nulls) => NullBuffer::new(filter.values() & nulls.inner()),
    });
    NullBuffer::union(values.nulls(), filter.as_ref()).filter(|kept| kept.null_count() > 0)
}
