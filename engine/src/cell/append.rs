//! What the workload `append` adds to a pond.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, TimestampMicrosecondArray};

use crate::error::Result;
use crate::import::NewSeries;
use crate::pond::Pond;
use crate::series::{Series, TimeRange, time_values};
use crate::tree::{EntryType, PondPath};

const DAY_US: i64 = 86_400_000_000;

/// Appends a day to each of the first series: their last day, a day later. One transaction.
pub(super) fn append_day(pond: &Pond, series: usize) -> Result<()> {
    pond.refresh()?;
    let listed = pond.list("/**")?;
    let paths = listed.iter().filter(|one| one.entry_type == EntryType::Series && one.first_us.is_some());
    let mut new = Vec::new();
    for path in paths.take(series).map(|one| one.path.as_str()) {
        new.extend(next_day(&pond.series(path)?)?);
    }
    pond.write(new.into_iter()).map(drop)
}

fn next_day(series: &Series) -> Result<Option<NewSeries>> {
    let (Some(time), Some((_, last))) = (series.time(), series.bounds()) else { return Ok(None) };
    let range = TimeRange { start_us: Some(last - DAY_US + 1), end_us: None };
    let mut batches = Vec::new();
    for batch in series.batches(range)? {
        batches.push(a_day_later(&batch?, time)?);
    }
    Ok(Some(NewSeries {
        path: PondPath::parse(series.path())?,
        entry_type: EntryType::Series,
        schema: Arc::clone(series.schema()),
        time: Some(time),
        batches: Box::new(batches.into_iter()),
    }))
}

fn a_day_later(batch: &RecordBatch, time: usize) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    let times = time_values(&columns[time]).expect("a series has a time column").iter();
    let moved = TimestampMicrosecondArray::from_iter_values(times.map(|at| at + DAY_US));
    columns[time] = Arc::new(moved.with_timezone("UTC"));
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}
