//! Grouped `min` and `max` of floats in the total order of IEEE 754: NaN is above all, -0 is below 0.

use std::mem::size_of;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ArrowNativeTypeOp, AsArray, BooleanArray, PrimitiveArray};
use datafusion::arrow::datatypes::ArrowPrimitiveType;
use datafusion::common::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use super::sums::kept;

/// The least or greatest values of many groups.
#[derive(Debug)]
pub(super) struct Extremes<T: ArrowPrimitiveType, const GREATEST: bool> {
    values: Vec<T::Native>,
    seen: Vec<bool>,
}

impl<T: ArrowPrimitiveType<Native: ArrowNativeTypeOp>, const GREATEST: bool> Extremes<T, GREATEST> {
    /// What every value beats or equals.
    const WORST: T::Native = if GREATEST { T::Native::MIN_TOTAL_ORDER } else { T::Native::MAX_TOTAL_ORDER };

    pub(super) fn new() -> Self {
        Self { values: Vec::new(), seen: Vec::new() }
    }

    #[inline]
    fn add(&mut self, value: T::Native, group: usize) {
        self.seen[group] = true;
        let best = &mut self.values[group];
        let beats = if GREATEST { value.is_gt(*best) } else { value.is_lt(*best) };
        if beats {
            *best = value;
        }
    }
}

impl<T: ArrowPrimitiveType<Native: ArrowNativeTypeOp>, const GREATEST: bool> GroupsAccumulator
    for Extremes<T, GREATEST>
{
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.values.resize(total_groups, Self::WORST);
        self.seen.resize(total_groups, false);
        let values = values[0].as_primitive::<T>();
        match kept(values, filter) {
            None => values.values().iter().zip(groups).for_each(|(value, group)| self.add(*value, *group)),
            Some(kept) => {
                kept.inner().set_indices().for_each(|place| self.add(values.value(place), groups[place]));
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total_groups: usize) -> Result<()> {
        self.update_batch(states, groups, None, total_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let values = emit_to.take_needed(&mut self.values);
        let seen = emit_to.take_needed(&mut self.seen);
        Ok(Arc::new(PrimitiveArray::<T>::new(values.into(), Some(seen.into()))))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit_to)?])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<T>();
        let nulls = kept(values, filter);
        Ok(vec![Arc::new(PrimitiveArray::<T>::new(values.values().clone(), nulls))])
    }

    fn size(&self) -> usize {
        self.values.capacity() * size_of::<T::Native>() + self.seen.capacity()
    }
}
