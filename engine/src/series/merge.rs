//! Merging sorted inputs into one sorted stream of batches.
//!
//! Rows are ordered by time, then by the rank of their batch. A run of rows from one input is passed on as a
//! slice without copying; short runs are gathered.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;

use super::writer::time_values;
use crate::error::{Error, Result};

/// Rows gathered into one output batch.
const OUTPUT_ROWS: usize = 8192;

/// Runs of this length and more are passed on as they are.
const RUN_ROWS: usize = 512;

/// An input, sorted by time.
struct Cursor<I> {
    input: I,
    batch: RecordBatch,
    /// Rank of the batch among those of other inputs.
    rank: usize,
    at: usize,
}

/// Merges sorted inputs that have the same schema.
pub struct Merge<I> {
    cursors: Vec<Option<Cursor<I>>>,
    /// Next time, rank and position of every input that has rows left.
    heap: BinaryHeap<Reverse<(i64, usize, usize)>>,
    time: usize,
    rank: fn(&I, usize) -> usize,
    /// A run to pass on once what was gathered before it is out.
    passed: Option<RecordBatch>,
}

impl<I: Iterator<Item = Result<RecordBatch>>> Merge<I> {
    /// Begins a merge; `time` is the index of the time column.
    ///
    /// `rank` is asked after each batch of an input, which it gets with the input's position. Batches of
    /// different inputs must differ in rank.
    ///
    /// # Errors
    /// If an input fails.
    pub fn new(inputs: Vec<I>, time: usize, rank: fn(&I, usize) -> usize) -> Result<Self> {
        let mut merge = Self { cursors: Vec::new(), heap: BinaryHeap::new(), time, rank, passed: None };
        for (position, input) in inputs.into_iter().enumerate() {
            let mut cursor = Cursor {
                input,
                batch: RecordBatch::new_empty(arrow::datatypes::Schema::empty().into()),
                rank: 0,
                at: 0,
            };
            if cursor.advance()? {
                cursor.rank = rank(&cursor.input, position);
                merge.heap.push(Reverse((cursor.time_at(time)?, cursor.rank, position)));
                merge.cursors.push(Some(cursor));
            } else {
                merge.cursors.push(None);
            }
        }
        Ok(merge)
    }

    /// Takes the longest run that the least input can give; returns it as a slice.
    fn take_run(&mut self) -> Result<Option<RecordBatch>> {
        let Some(Reverse((_, rank, position))) = self.heap.pop() else { return Ok(None) };
        let limit = self.heap.peek().map(|Reverse((time, rank, _))| (*time, *rank));
        let cursor = self.cursors[position].as_mut().expect("a ranked input has rows left");
        let column = cursor.batch.column(self.time).clone();
        let times = time_values(&column).ok_or_else(no_time)?;
        let rest = &times[cursor.at..];
        let length = match limit {
            None => rest.len(),
            // Equal times go on from this input only if it ranks before the next one.
            Some((time, next)) => rest.partition_point(|at| (*at, rank) < (time, next)),
        };
        let run = cursor.batch.slice(cursor.at, length);
        cursor.at += length;
        let more = cursor.at < times.len() || cursor.advance()?;
        if more {
            cursor.rank = (self.rank)(&cursor.input, position);
            let next = cursor.time_at(self.time)?;
            self.heap.push(Reverse((next, cursor.rank, position)));
        } else {
            self.cursors[position] = None;
        }
        Ok(Some(run))
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(run) = self.passed.take() {
            return Ok(Some(run));
        }
        let mut gathered: Vec<RecordBatch> = Vec::new();
        let mut rows: Vec<(usize, usize)> = Vec::new();
        while rows.len() < OUTPUT_ROWS {
            let Some(run) = self.take_run()? else { break };
            if run.num_rows() >= RUN_ROWS {
                self.passed = Some(run);
                break;
            }
            rows.extend((0..run.num_rows()).map(|row| (gathered.len(), row)));
            gathered.push(run);
        }
        if rows.is_empty() {
            return Ok(self.passed.take());
        }
        let batches: Vec<&RecordBatch> = gathered.iter().collect();
        Ok(Some(interleave_record_batch(&batches, &rows)?))
    }
}

impl<I: Iterator<Item = Result<RecordBatch>>> Iterator for Merge<I> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

impl<I> std::fmt::Debug for Merge<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Merge({} inputs)", self.cursors.len())
    }
}

impl<I: Iterator<Item = Result<RecordBatch>>> Cursor<I> {
    /// Goes to the next batch that has rows; tells whether there is one.
    fn advance(&mut self) -> Result<bool> {
        for batch in self.input.by_ref() {
            let batch = batch?;
            if batch.num_rows() > 0 {
                self.batch = batch;
                self.at = 0;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn time_at(&self, time: usize) -> Result<i64> {
        Ok(time_values(self.batch.column(time)).ok_or_else(no_time)?[self.at])
    }
}

fn no_time() -> Error {
    Error::Damaged { place: "a series".to_owned(), detail: "its time column holds no times".to_owned() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array, TimestampMicrosecondArray};
    use arrow::datatypes::Int64Type;
    use proptest::prelude::*;

    use super::*;

    fn batch(times: &[i64], input: usize) -> RecordBatch {
        let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times.to_vec()).with_timezone("UTC"));
        let origin: ArrayRef = Arc::new(Int64Array::from(vec![input as i64; times.len()]));
        RecordBatch::try_from_iter([("t", time), ("input", origin)]).unwrap()
    }

    proptest! {
        #[test]
        fn merging_is_a_stable_sort(
            mut inputs in prop::collection::vec(prop::collection::vec(0i64..50, 0..700), 0..5),
            cut in 1usize..600,
        ) {
            inputs.iter_mut().for_each(|times| times.sort_unstable());
            let mut expect: Vec<(i64, i64)> = Vec::new();
            for (rank, times) in inputs.iter().enumerate() {
                expect.extend(times.iter().map(|time| (*time, rank as i64)));
            }
            expect.sort();
            let sources: Vec<_> = inputs
                .iter()
                .enumerate()
                .map(|(rank, times)| {
                    let parts: Vec<_> = times.chunks(cut).map(|part| Ok(batch(part, rank))).collect();
                    parts.into_iter()
                })
                .collect();
            let mut found = Vec::new();
            for merged in Merge::new(sources, 0, |_, position| position).unwrap() {
                let merged = merged.unwrap();
                let times = time_values(merged.column(0)).unwrap();
                let ranks = merged.column(1).as_primitive::<Int64Type>();
                found.extend(times.iter().copied().zip(ranks.values().iter().copied()));
            }
            prop_assert_eq!(found, expect);
        }
    }
}
