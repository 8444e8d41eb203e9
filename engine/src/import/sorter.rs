//! Sorting rows by time within a bound of memory: sorted runs aside on disk, merged at the end.
//!
//! The sort is stable: rows of equal time keep the order of the file.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek};
use std::path::{Path, PathBuf};
use std::vec;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use crate::error::{Error, Result};
use crate::metrics::{Counter, Recorder};
use crate::series::{Merge, time_values};

/// Rows of one batch of a run, so that merging holds little of each.
const RUN_BATCH_ROWS: usize = 8192;

/// Collects batches in any order and gives them back by time.
#[derive(Debug)]
pub(super) struct Sorter {
    schema: SchemaRef,
    time: Option<usize>,
    folder: PathBuf,
    held: Vec<RecordBatch>,
    held_bytes: usize,
    /// Whether everything held is in order as it came.
    in_order: bool,
    last_us: Option<i64>,
    runs: Vec<File>,
}

impl Sorter {
    pub(super) fn new(schema: &SchemaRef, time: Option<usize>, folder: &Path) -> Self {
        Self {
            schema: SchemaRef::clone(schema),
            time,
            folder: folder.to_owned(),
            held: Vec::new(),
            held_bytes: 0,
            in_order: true,
            last_us: None,
            runs: Vec::new(),
        }
    }

    /// Takes a batch; returns the bytes held now.
    pub(super) fn push(&mut self, batch: RecordBatch) -> Result<usize> {
        if let Some(time) = self.time {
            let column: &ArrayRef = batch.column(time);
            let times = time_values(column).ok_or_else(no_time)?;
            self.in_order = self.in_order
                && times.is_sorted()
                && self.last_us.zip(times.first()).is_none_or(|(last, first)| last <= *first);
            self.last_us = times.last().copied().or(self.last_us);
        }
        self.held_bytes += batch.get_array_memory_size();
        self.held.push(batch);
        Ok(self.held_bytes)
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Writes what is held to disk as a sorted run.
    pub(super) fn spill(&mut self, recorder: &Recorder) -> Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let sorted = self.sorted()?;
        let failed = |source| Error::Io { action: "sort rows aside in", path: self.folder.clone(), source };
        let file = tempfile::tempfile_in(&self.folder).map_err(failed)?;
        let mut writer = StreamWriter::try_new(BufWriter::new(file), &self.schema)?;
        for batch in &sorted {
            let mut from = 0;
            while from < batch.num_rows() {
                let length = RUN_BATCH_ROWS.min(batch.num_rows() - from);
                writer.write(&batch.slice(from, length))?;
                from += length;
            }
        }
        writer.finish()?;
        let mut file = writer.into_inner()?.into_inner().map_err(|error| failed(error.into_error()))?;
        let bytes = file.stream_position().map_err(failed)?;
        file.rewind().map_err(failed)?;
        recorder.count(Counter::Spills, 1);
        recorder.count(Counter::SpilledBytes, bytes);
        self.runs.push(file);
        Ok(())
    }

    /// Returns all rows by time.
    pub(super) fn finish(mut self) -> Result<Sorted> {
        let held = Run::Memory(self.sorted()?.into_iter());
        let Some(time) = self.time.filter(|_| !self.runs.is_empty()) else { return Ok(Sorted::One(held)) };
        let mut inputs = Vec::with_capacity(self.runs.len() + 1);
        for run in self.runs {
            inputs.push(Run::Disk(Box::new(StreamReader::try_new(BufReader::new(run), None)?)));
        }
        inputs.push(held);
        Ok(Sorted::Many(Box::new(Merge::new(inputs, time, |_, position| position)?)))
    }

    /// Takes what is held, sorted.
    fn sorted(&mut self) -> Result<Vec<RecordBatch>> {
        let held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        let in_order = std::mem::replace(&mut self.in_order, true);
        self.last_us = None;
        let Some(time) = self.time.filter(|_| !in_order) else { return Ok(held) };
        let all = concat_batches(&self.schema, &held)?;
        drop(held);
        let times = time_values(all.column(time)).ok_or_else(no_time)?;
        let mut order: Vec<u32> = (0..times.len() as u32).collect();
        order.sort_by_key(|row| times[*row as usize]);
        Ok(vec![take_record_batch(&all, &UInt32Array::from(order))?])
    }
}

/// One sorted input.
#[derive(Debug)]
pub(super) enum Run {
    Memory(vec::IntoIter<RecordBatch>),
    Disk(Box<StreamReader<BufReader<File>>>),
}

impl Iterator for Run {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Memory(batches) => batches.next().map(Ok),
            Self::Disk(reader) => reader.next().map(|batch| batch.map_err(Error::from)),
        }
    }
}

/// All rows by time.
#[derive(Debug)]
pub(super) enum Sorted {
    One(Run),
    Many(Box<Merge<Run>>),
}

impl Iterator for Sorted {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::One(run) => run.next(),
            Self::Many(merge) => merge.next(),
        }
    }
}

fn no_time() -> Error {
    Error::Damaged { place: "imported rows".to_owned(), detail: "the time column holds no times".to_owned() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array, TimestampMicrosecondArray};
    use arrow::datatypes::Int64Type;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sorting_is_stable_with_and_without_the_disk(
            times in prop::collection::vec(0i64..40, 0..300),
            size in 1usize..50,
            spill_every in 1usize..6,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let recorder = Recorder::default();
            let batch = |from: usize, times: &[i64]| {
                let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times.to_vec()).with_timezone("UTC"));
                let rows = (0..times.len()).map(|row| (from + row) as i64);
                let row: ArrayRef = Arc::new(Int64Array::from_iter_values(rows));
                RecordBatch::try_from_iter([("t", time), ("row", row)]).unwrap()
            };
            let schema = batch(0, &[]).schema();
            let mut expect: Vec<(i64, i64)> = times.iter().copied().zip(0..).collect();
            expect.sort_by_key(|(time, _)| *time);
            for spill_every in [spill_every, usize::MAX] {
                let mut sorter = Sorter::new(&schema, Some(0), folder.path());
                for (index, part) in times.chunks(size).enumerate() {
                    sorter.push(batch(index * size, part)).unwrap();
                    if (index + 1) % spill_every == 0 {
                        sorter.spill(&recorder).unwrap();
                    }
                }
                let mut found = Vec::new();
                for sorted in sorter.finish().unwrap() {
                    let sorted = sorted.unwrap();
                    let times = time_values(sorted.column(0)).unwrap();
                    let rows = sorted.column(1).as_primitive::<Int64Type>();
                    found.extend(times.iter().copied().zip(rows.values().iter().copied()));
                }
                prop_assert_eq!(&found, &expect);
            }
        }
    }
}
