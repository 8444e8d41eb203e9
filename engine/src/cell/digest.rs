//! Digests of answers in canonical form: the same rows give the same digest however they are batched.
//!
//! Per column, the validity of each row and the values of the valid rows are hashed apart, so a batch
//! without nulls hashes like a part of one with them. Floats of query answers are rounded to nine
//! significant digits, because the order of additions is the engine's own affair.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{
    SortColumn, cast, concat_batches, filter, is_not_null, lexsort_to_indices, take_record_batch,
};
use arrow::datatypes::{DataType, FieldRef, Float64Type, Int64Type, SchemaRef};
use scenarios::Answer;

use crate::error::Result;

/// Digits of a digest in answers.
const DIGEST_DIGITS: usize = 16;

/// Hashes rows, or texts, in canonical form.
#[derive(Debug)]
pub(crate) struct Canon {
    whole: blake3::Hasher,
    columns: Vec<(blake3::Hasher, blake3::Hasher)>,
    round: bool,
    rows: u64,
}

impl Canon {
    /// Begins a digest; `round` makes floats count to nine significant digits.
    pub(crate) fn new(round: bool) -> Self {
        Self { whole: blake3::Hasher::new(), columns: Vec::new(), round, rows: 0 }
    }

    /// Adds a text, such as a path.
    pub(crate) fn text(&mut self, text: &str) {
        self.whole.update(&(text.len() as u64).to_le_bytes());
        self.whole.update(text.as_bytes());
    }

    /// Adds all rows of a table whose batches follow.
    ///
    /// # Errors
    /// If a batch cannot be read.
    pub(crate) fn table(
        &mut self,
        schema: &SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch>>,
    ) -> Result<u64> {
        self.columns = schema.fields().iter().map(|_| Default::default()).collect();
        let mut rows = 0;
        for batch in batches {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            for (index, column) in batch.columns().iter().enumerate() {
                self.column(index, column)?;
            }
        }
        for (field, (validity, values)) in schema.fields().iter().zip(std::mem::take(&mut self.columns)) {
            self.text(field.name());
            self.whole.update(validity.finalize().as_bytes());
            self.whole.update(values.finalize().as_bytes());
        }
        self.rows += rows;
        Ok(rows)
    }

    /// Adds all rows of a file, in time order; rows of equal time in the order of their values.
    ///
    /// Which of them comes first is no part of an answer: SQL promises no order among them.
    ///
    /// # Errors
    /// If a batch cannot be read.
    pub(crate) fn file(
        &mut self,
        schema: &SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch>>,
    ) -> Result<u64> {
        let batches: Vec<RecordBatch> = batches.collect::<Result<_>>()?;
        let is_time = |field: &FieldRef| matches!(field.data_type(), DataType::Timestamp(..));
        let batches = match schema.fields().iter().position(is_time) {
            Some(time) if !is_increasing(&batches, time)? => vec![in_order(schema, &batches, time)?],
            _ => batches,
        };
        self.table(schema, batches.into_iter().map(Ok))
    }

    /// Counts rows that are not of a table, such as matches.
    pub(crate) fn count(&mut self, rows: u64) {
        self.rows += rows;
    }

    /// Ends the digest.
    pub(crate) fn answer(self) -> Answer {
        let digest = self.whole.finalize().to_hex();
        Answer { rows: self.rows, digest: digest[..DIGEST_DIGITS].to_owned() }
    }

    fn column(&mut self, index: usize, column: &ArrayRef) -> Result<()> {
        let valid = is_not_null(column)?;
        let (validity, values) = &mut self.columns[index];
        let bits: Vec<u8> = valid.values().iter().map(u8::from).collect();
        validity.update(&bits);
        let column = if column.null_count() > 0 { filter(column, &valid)? } else { ArrayRef::clone(column) };
        match column.data_type() {
            DataType::Timestamp(..) | DataType::Int64 => {
                let numbers = cast(&column, &DataType::Int64)?;
                for number in numbers.as_primitive::<Int64Type>().values() {
                    values.update(&number.to_le_bytes());
                }
            }
            DataType::Float64 if !self.round => {
                for number in column.as_primitive::<Float64Type>().values() {
                    values.update(&number.to_bits().to_le_bytes());
                }
            }
            DataType::Float64 => {
                for number in column.as_primitive::<Float64Type>().values() {
                    values.update(format!("{number:.8e};").as_bytes());
                }
            }
            _ => {
                let texts = cast(&column, &DataType::Utf8)?;
                for text in texts.as_string::<i32>().iter().flatten() {
                    values.update(&(text.len() as u64).to_le_bytes());
                    values.update(text.as_bytes());
                }
            }
        }
        Ok(())
    }
}

/// Tells whether each time is later than the one before it.
fn is_increasing(batches: &[RecordBatch], time: usize) -> Result<bool> {
    let mut last = None;
    for batch in batches {
        let times = cast(batch.column(time), &DataType::Int64)?;
        for at in times.as_primitive::<Int64Type>().values() {
            if last.is_some_and(|last| last >= *at) {
                return Ok(false);
            }
            last = Some(*at);
        }
    }
    Ok(true)
}

/// Sorts rows by time, then by their other columns.
fn in_order(schema: &SchemaRef, batches: &[RecordBatch], time: usize) -> Result<RecordBatch> {
    let all = concat_batches(schema, batches)?;
    let others = (0..all.num_columns()).filter(|index| *index != time);
    let columns: Vec<SortColumn> = std::iter::once(time)
        .chain(others)
        .map(|index| SortColumn { values: ArrayRef::clone(all.column(index)), options: None })
        .collect();
    Ok(take_record_batch(&all, &lexsort_to_indices(&columns, None)?)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, StringArray, TimestampMicrosecondArray};
    use proptest::prelude::*;

    use super::*;

    fn answer(batches: &[RecordBatch], round: bool) -> Answer {
        let mut canon = Canon::new(round);
        canon.table(&batches[0].schema(), batches.iter().cloned().map(Ok)).unwrap();
        canon.answer()
    }

    #[test]
    fn which_of_equal_times_comes_first_does_not_count() {
        let batch = |times: &[i64], values: &[f64]| {
            let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times.to_vec()));
            let value: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
            RecordBatch::try_from_iter([("t", time), ("v", value)]).unwrap()
        };
        let answer = |times: &[i64], values: &[f64]| {
            let batch = batch(times, values);
            let mut canon = Canon::new(false);
            canon.file(&batch.schema(), std::iter::once(Ok(batch))).unwrap();
            canon.answer()
        };
        assert_eq!(answer(&[1, 2, 2], &[0.0, 1.0, 2.0]), answer(&[1, 2, 2], &[0.0, 2.0, 1.0]));
        assert_eq!(answer(&[2, 1], &[5.0, 6.0]), answer(&[1, 2], &[6.0, 5.0]));
        assert_ne!(answer(&[1, 2], &[5.0, 6.0]), answer(&[1, 2], &[6.0, 5.0]));
    }

    proptest! {
        #[test]
        fn digests_do_not_depend_on_batches(
            rows in prop::collection::vec((any::<i64>(), prop::option::of(any::<f64>()), prop::option::of("[a-c]{0,3}")), 1..40),
            cut in 1usize..40,
            round in any::<bool>(),
        ) {
            let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.0)));
            let floats: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Float64Array>());
            let texts: ArrayRef = Arc::new(rows.iter().map(|row| row.2.clone()).collect::<StringArray>());
            let batch = RecordBatch::try_from_iter([("t", times), ("f", floats), ("s", texts)]).unwrap();
            let part = |from: usize| batch.slice(from, cut.min(batch.num_rows() - from));
            let parts: Vec<RecordBatch> = (0..batch.num_rows()).step_by(cut).map(part).collect();
            prop_assert_eq!(answer(&[batch], round), answer(&parts, round));
        }
    }

    #[test]
    fn digests_tell_different_rows_apart() {
        let texts = |values: Vec<Option<&str>>| {
            let column: ArrayRef = Arc::new(StringArray::from(values));
            answer(&[RecordBatch::try_from_iter([("s", column)]).unwrap()], false)
        };
        let one = texts(vec![Some("ab"), Some("c"), None]);
        assert_ne!(one, texts(vec![Some("a"), Some("bc"), None]));
        assert_ne!(one, texts(vec![Some("ab"), None, Some("c")]));
        assert_ne!(one, texts(vec![Some("ab"), Some("c"), Some("")]));
        let floats = |value: f64, round| {
            let column: ArrayRef = Arc::new(Float64Array::from(vec![value]));
            answer(&[RecordBatch::try_from_iter([("f", column)]).unwrap()], round)
        };
        assert_eq!(floats(0.1 + 0.2, true), floats(0.3, true));
        assert_ne!(floats(0.1 + 0.2, false), floats(0.3, false));
    }
}
