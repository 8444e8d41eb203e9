//! Aggregating rows over time: one pass over sorted rows for all resolutions, in constant memory.
//!
//! A bucket begins at a multiple of its resolution, counted from 1970. A resolution that is a multiple of another
//! is folded from the partial results of the coarsest such one (count, total, least, greatest), never
//! from its averages; any other is computed from the rows. Nulls are passed over. A bucket without rows is
//! absent; one whose values are all null has a count of 0 and no other result.
//!
//! The results are those of DataFusion's aggregates as `query` registers them, bit for bit: sums of whole
//! numbers wrap in 64 bits, sums and means of floats are [`Sum`](super::sum::Sum)s, and the least and greatest
//! are those of the total order.

mod number;
#[cfg(test)]
mod reference;
mod tally;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::writer::time_values;
use serde::Deserialize;

use crate::error::{Error, Result};
use tally::{Needs, Runs, Tally};

/// Buckets that are handed out together.
const EMIT_BUCKETS: usize = 1_024;

/// What is made of the values of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Aggregate {
    /// The mean, as a float.
    Avg,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// The number of values, of rows if asked of the time column.
    Count,
    /// The sum: of floats a float, of whole numbers one of 64 bits.
    Sum,
}

impl Aggregate {
    /// Every aggregate.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 5] = [Self::Avg, Self::Min, Self::Max, Self::Count, Self::Sum];

    /// Returns the name, as configurations, SQL and columns have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "count",
            Self::Sum => "sum",
        }
    }

    /// Returns the type of the result for values of a type.
    fn result(self, values: &DataType) -> DataType {
        match self {
            Self::Avg => DataType::Float64,
            Self::Count => DataType::Int64,
            Self::Min | Self::Max => values.clone(),
            Self::Sum if values.is_floating() => DataType::Float64,
            Self::Sum if values.is_unsigned_integer() => DataType::UInt64,
            Self::Sum => DataType::Int64,
        }
    }
}

/// One column of the result: an aggregate of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReduceColumn {
    /// The index of the aggregated column; the time column, of which there is a count alone, stands for rows.
    pub column: usize,
    /// What is made of its values.
    pub aggregate: Aggregate,
}

/// Takes what was reduced: the index of the resolution as it was given, and some of its buckets in order.
pub(crate) type Out<'a> = dyn FnMut(usize, RecordBatch) -> Result<()> + 'a;

/// Reduces sorted batches to buckets of all resolutions.
pub(crate) struct Reducer {
    schema: SchemaRef,
    time: usize,
    /// The aggregated columns, each once; their places are those of the tallies of each level.
    sources: Vec<usize>,
    /// For each column of the result its tally and aggregate.
    results: Vec<(usize, Aggregate)>,
    /// Finer levels before coarser ones.
    levels: Vec<Level>,
    runs: Runs,
    last_us: Option<i64>,
}

impl Reducer {
    /// Begins a pass over rows of a schema, whose time column has the index `time`.
    ///
    /// # Errors
    /// If a column is not of numbers, or a resolution is not positive.
    pub(crate) fn new(
        input: &SchemaRef,
        time: usize,
        resolutions_us: &[i64],
        columns: &[ReduceColumn],
    ) -> Result<Self> {
        let schema = reduced_schema(input, time, columns)?;
        let mut sources: Vec<(usize, Needs)> = Vec::new();
        let mut results = Vec::with_capacity(columns.len());
        for ReduceColumn { column, aggregate } in columns {
            let place = sources.iter().position(|(source, _)| source == column).unwrap_or_else(|| {
                sources.push((*column, Needs::default()));
                sources.len() - 1
            });
            let needs = &mut sources[place].1;
            needs.total |= matches!(aggregate, Aggregate::Avg | Aggregate::Sum);
            needs.extremes |= matches!(aggregate, Aggregate::Min | Aggregate::Max);
            results.push((place, *aggregate));
        }
        let levels = levels(resolutions_us, || {
            let tally = |(column, needs): &(usize, Needs)| match tally::of_numbers(
                input.field(*column).data_type(),
                *needs,
            ) {
                Some(numbers) if *column != time => numbers,
                _ => tally::of_rows(),
            };
            sources.iter().map(tally).collect()
        })?;
        let sources = sources.into_iter().map(|(column, _)| column).collect();
        Ok(Self { schema, time, sources, results, levels, runs: Runs::default(), last_us: None })
    }

    /// Returns the columns of the results, the same for all resolutions.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Adds a batch whose times are not before those of the batch before it, and hands out full buckets.
    ///
    /// # Errors
    /// If `out` fails, or the time column holds no times.
    ///
    /// # Panics
    /// If the batch goes back in time: its buckets may have been handed out.
    pub(crate) fn push(&mut self, batch: &RecordBatch, out: &mut Out<'_>) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let times = time_values(batch.column(self.time)).ok_or_else(|| Error::Damaged {
            place: format!("column '{}'", self.schema.field(0).name()),
            detail: format!("it is {} and no time", batch.column(self.time).data_type()),
        })?;
        assert!(self.last_us.is_none_or(|last| last <= times[0]), "batches must not go back in time");
        debug_assert!(times.is_sorted(), "batches must be sorted");
        self.last_us = times.last().copied();
        for index in 0..self.levels.len() {
            let (finer, rest) = self.levels.split_at_mut(index);
            let level = &mut rest[0];
            match level.finer {
                Some(place) => level.add_buckets(&finer[place], finer[place].closed(), &mut self.runs),
                None => {
                    level.cut(times, 0..times.len(), &mut self.runs);
                    for (tally, source) in level.tallies.iter_mut().zip(&self.sources) {
                        tally.add_rows(batch.column(*source), &self.runs);
                    }
                }
            }
        }
        for level in &mut self.levels {
            level.taken = level.closed();
            if level.taken >= EMIT_BUCKETS {
                out(level.place, level.emit(&self.schema, &self.results)?)?;
            }
        }
        Ok(())
    }

    /// Hands out the buckets that are left.
    ///
    /// # Errors
    /// If `out` fails.
    pub(crate) fn finish(mut self, out: &mut Out<'_>) -> Result<()> {
        for index in 0..self.levels.len() {
            let (finer, rest) = self.levels.split_at_mut(index);
            let level = &mut rest[0];
            if let Some(place) = level.finer {
                level.add_buckets(&finer[place], finer[place].starts.len(), &mut self.runs);
            }
        }
        for level in &mut self.levels {
            level.taken = level.starts.len();
            if level.taken > 0 {
                out(level.place, level.emit(&self.schema, &self.results)?)?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Reducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reducer({} columns, {} resolutions)", self.results.len(), self.levels.len())
    }
}

/// The buckets of one resolution that are not handed out yet; the last is open.
struct Level {
    /// Its place among the resolutions as they were given.
    place: usize,
    resolution_us: i64,
    /// The level whose buckets it is folded from, or nothing if it is computed from rows.
    finer: Option<usize>,
    starts: Vec<i64>,
    /// Where the open bucket ends; nothing if that is beyond time.
    end_us: Option<i64>,
    /// Buckets that coarser levels have added.
    taken: usize,
    tallies: Vec<Box<dyn Tally>>,
}

impl Level {
    /// Returns the number of buckets to which nothing more is added.
    fn closed(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Adds the buckets of a finer level that are new, up to one.
    fn add_buckets(&mut self, finer: &Self, to: usize, runs: &mut Runs) {
        self.cut(&finer.starts, finer.taken..to, runs);
        for (tally, finer) in self.tallies.iter_mut().zip(&finer.tallies) {
            tally.add_buckets(finer.as_ref(), runs);
        }
    }

    /// Cuts sorted times into runs of one bucket each, and begins the new buckets.
    fn cut(&mut self, times: &[i64], range: Range<usize>, runs: &mut Runs) {
        runs.from = range.start;
        runs.ends.clear();
        let times = &times[..range.end];
        let mut at = range.start;
        runs.continues =
            at < times.len() && !self.starts.is_empty() && self.end_us.is_none_or(|end| times[at] < end);
        // Rows come at a cadence, so that the last run's length is a good guess for the next.
        let mut guess = 1;
        while at < times.len() {
            if at > range.start || !runs.continues {
                let into = times[at].rem_euclid(self.resolution_us);
                self.starts.push(times[at].saturating_sub(into));
                self.end_us = times[at].checked_add(self.resolution_us - into);
            }
            let end = self.end_us.map_or(times.len(), |end_us| first_not_before(times, at, end_us, guess));
            guess = end - at;
            runs.ends.push(end);
            at = end;
        }
    }

    /// Makes a batch of the buckets that coarser levels have added, and forgets them.
    fn emit(&mut self, schema: &SchemaRef, results: &[(usize, Aggregate)]) -> Result<RecordBatch> {
        let buckets = self.taken;
        let times = TimestampMicrosecondArray::from(self.starts[..buckets].to_vec());
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        columns.push(Arc::new(times.with_data_type(schema.field(0).data_type().clone())));
        columns.extend(
            results.iter().map(|(tally, aggregate)| self.tallies[*tally].column(*aggregate, buckets)),
        );
        self.starts.drain(..buckets);
        self.tallies.iter_mut().for_each(|tally| tally.forget(buckets));
        self.taken = 0;
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}

/// Finds the first time after `at` that is not before `end_us`; `times[at]` is before it. Looks at
/// `at + guess` first, and from there on in steps that double.
fn first_not_before(times: &[i64], at: usize, end_us: i64, guess: usize) -> usize {
    let mut high = at.saturating_add(guess).min(times.len());
    if times[high - 1] >= end_us {
        return at + times[at..high].partition_point(|time| *time < end_us);
    }
    let (mut low, mut step) = (high, guess);
    while high < times.len() && times[high] < end_us {
        low = high + 1;
        step *= 2;
        high = high.saturating_add(step).min(times.len());
    }
    low + times[low..high].partition_point(|time| *time < end_us)
}

/// Makes the levels in order of their resolution, each with its finer one.
fn levels(resolutions_us: &[i64], tallies: impl Fn() -> Vec<Box<dyn Tally>>) -> Result<Vec<Level>> {
    let mut order: Vec<usize> = (0..resolutions_us.len()).collect();
    order.sort_by_key(|place| resolutions_us[*place]);
    let mut levels: Vec<Level> = Vec::with_capacity(order.len());
    for place in order {
        let resolution_us = resolutions_us[place];
        if resolution_us <= 0 {
            let message = format!("{resolution_us} µs is not a positive time; give one such as 1h");
            return Err(Error::Option { option: "resolutions", message });
        }
        let finer = levels.iter().rposition(|level| resolution_us % level.resolution_us == 0);
        let tallies = tallies();
        let level =
            Level { place, resolution_us, finer, starts: Vec::new(), end_us: None, taken: 0, tallies };
        levels.push(level);
    }
    Ok(levels)
}

/// Makes the schema of the results: the time, then one column for each aggregate.
///
/// # Errors
/// If a column is not of numbers.
pub(crate) fn reduced_schema(input: &Schema, time: usize, columns: &[ReduceColumn]) -> Result<SchemaRef> {
    let zone = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields = vec![Field::new(input.field(time).name(), zone, false)];
    for ReduceColumn { column, aggregate } in columns {
        let source = input.field(*column);
        let rows = *column == time && *aggregate == Aggregate::Count;
        if !rows && tally::of_numbers(source.data_type(), Needs::default()).is_none() {
            return Err(Error::NotNumeric {
                column: source.name().clone(),
                found: source.data_type().clone(),
                aggregate: aggregate.name(),
            });
        }
        let name = format!("{}.{}", source.name(), aggregate.name());
        fields.push(Field::new(name, aggregate.result(source.data_type()), *aggregate != Aggregate::Count));
    }
    Ok(Arc::new(Schema::new(fields)))
}
