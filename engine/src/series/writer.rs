//! Writing sorted rows as Parquet whose row groups end at month boundaries.
//!
//! Groups that end with the month can later be copied into monthly partitions as they are. Encodings are
//! chosen by the data: times as differences, noisy floats without a dictionary.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Float64Type, Schema, SchemaRef, TimestampMicrosecondType};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{ParquetMetaData, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::calendar::Unit;
use super::small::{Slot, compressed};
use crate::error::{Error, Result};

/// Rows of a row group at most: large enough to compress well, small enough to skip usefully.
const GROUP_ROWS: usize = 131_072;

/// Values looked at to decide whether a float column repeats enough for a dictionary: few, because the
/// decision is made for every file, and spread over the first batch.
const SAMPLE_ROWS: usize = 256;

/// Rows up to which a file is small: held until they are all there, and compressed together.
const SMALL_ROWS: usize = 4_096;

/// zstd's level: 1 is within a few percent of 3 in size here, at less time.
pub(super) const ZSTD_LEVEL: i32 = 1;

/// What was written.
#[derive(Debug)]
pub(crate) struct WrittenFacts {
    /// Rows.
    pub rows: u64,
    /// First event time in microseconds, if there is a time column and a row.
    pub first_us: Option<i64>,
    /// Last event time in microseconds.
    pub last_us: Option<i64>,
    /// The footer.
    pub footer: ParquetMetaData,
}

/// Writes batches that are sorted by a time column, or batches without one.
pub(crate) struct SortedWriter<W: Write + Send> {
    schema: SchemaRef,
    /// Index of the time column.
    time: Option<usize>,
    /// The sink, until the writer takes it.
    sink: Option<W>,
    writer: Option<ArrowWriter<Slot<W>>>,
    /// The first rows, until there are too many for a small file.
    held: Vec<RecordBatch>,
    compression: Compression,
    group_rows: usize,
    /// Where the current row group's month ends.
    group_end_us: Option<i64>,
    rows: u64,
    first_us: Option<i64>,
    last_us: Option<i64>,
}

impl<W: Write + Send> SortedWriter<W> {
    /// Begins a file; `time` is the index of the time column.
    pub(crate) fn new(sink: W, schema: SchemaRef, time: Option<usize>) -> Self {
        Self {
            schema,
            time,
            sink: Some(sink),
            writer: None,
            held: Vec::new(),
            compression: Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).expect("the level is valid")),
            group_rows: 0,
            group_end_us: None,
            rows: 0,
            first_us: None,
            last_us: None,
        }
    }

    /// Writes a batch whose times are not before those of the batch before it.
    ///
    /// # Errors
    /// If the sink fails.
    ///
    /// # Panics
    /// If the batch goes back in time: what is written would not be sorted.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if self.writer.is_none() {
            let held: usize = self.held.iter().map(RecordBatch::num_rows).sum();
            if held + batch.num_rows() <= SMALL_ROWS {
                self.held.push(batch.clone());
                return Ok(());
            }
            self.begin(self.held.first().unwrap_or(batch).clone())?;
            for batch in std::mem::take(&mut self.held) {
                self.write_on(&batch)?;
            }
        }
        self.write_on(batch)
    }

    fn write_on(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some(time) = self.time else { return self.write_limited(batch) };
        let column = Arc::clone(batch.column(time));
        let times = time_values(&column).ok_or_else(|| not_a_time(&self.schema, time))?;
        assert!(self.last_us.is_none_or(|last| last <= times[0]), "batches must not go back in time");
        debug_assert!(times.is_sorted(), "batches must be sorted");
        self.first_us = self.first_us.or(Some(times[0]));
        self.last_us = times.last().copied();
        let mut from = 0;
        while from < times.len() {
            let end_us = match self.group_end_us {
                Some(end) if times[from] < end => Some(end),
                _ => {
                    self.end_group()?;
                    Unit::Month.span(times[from]).and_then(|(_, end)| end)
                }
            };
            self.group_end_us = end_us;
            let rest = &times[from..];
            let length = end_us.map_or(rest.len(), |end| rest.partition_point(|at| *at < end)).max(1);
            self.write_limited(&batch.slice(from, length))?;
            from += length;
        }
        Ok(())
    }

    /// Ends the file and returns the sink with what was written.
    ///
    /// # Errors
    /// If the sink fails.
    pub(crate) fn finish(mut self) -> Result<(W, WrittenFacts)> {
        if self.writer.is_none() {
            return self.finish_small();
        }
        let (sink, footer) = self.end()?;
        Ok((sink, WrittenFacts { rows: self.rows, first_us: self.first_us, last_us: self.last_us, footer }))
    }

    /// Makes the writer, with encodings that suit the first batch.
    fn begin(&mut self, first: RecordBatch) -> Result<()> {
        let sink = self.sink.take().expect("a file is begun once");
        let properties = properties(&first, self.time, self.compression);
        self.writer =
            Some(ArrowWriter::try_new(Slot(Some(sink)), Arc::clone(&self.schema), Some(properties))?);
        Ok(())
    }

    fn end(&mut self) -> Result<(W, ParquetMetaData)> {
        let mut writer = self.writer.take().expect("the writer was begun");
        let footer = writer.finish()?;
        let sink = writer.inner_mut().0.take().expect("the sink is taken once");
        Ok((sink, footer))
    }

    /// Ends a file of few rows: encodes them in memory, then compresses them into the sink.
    fn finish_small(mut self) -> Result<(W, WrittenFacts)> {
        let sink = self.sink.take().expect("a file without a writer has its sink");
        let mut plain = SortedWriter::new(Vec::new(), Arc::clone(&self.schema), self.time);
        plain.compression = Compression::UNCOMPRESSED;
        let empty = || RecordBatch::new_empty(Arc::clone(&self.schema));
        plain.begin(self.held.first().cloned().unwrap_or_else(empty))?;
        for batch in &self.held {
            plain.write_on(batch)?;
        }
        let (encoded, footer) = plain.end()?;
        let (sink, footer) = compressed(encoded, &footer, sink)?;
        let (first_us, last_us) = (plain.first_us, plain.last_us);
        Ok((sink, WrittenFacts { rows: plain.rows, first_us, last_us, footer }))
    }

    /// Writes rows of one month, beginning a new group whenever one is full.
    fn write_limited(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut from = 0;
        while from < batch.num_rows() {
            let length = (GROUP_ROWS - self.group_rows).min(batch.num_rows() - from);
            let writer = self.writer.as_mut().expect("the writer was begun");
            writer.write(&batch.slice(from, length))?;
            self.rows += length as u64;
            self.group_rows += length;
            from += length;
            if self.group_rows == GROUP_ROWS {
                self.end_group()?;
            }
        }
        Ok(())
    }

    fn end_group(&mut self) -> Result<()> {
        if self.group_rows > 0 {
            self.writer.as_mut().expect("the writer was begun").flush()?;
            self.group_rows = 0;
        }
        Ok(())
    }
}

impl<W: Write + Send> std::fmt::Debug for SortedWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SortedWriter({} rows)", self.rows)
    }
}

/// Returns the values of a time column in microseconds, if it is one.
pub(crate) fn time_values(column: &ArrayRef) -> Option<&[i64]> {
    let times: &TimestampMicrosecondArray = column.as_primitive_opt::<TimestampMicrosecondType>()?;
    Some(times.values())
}

fn properties(first: &RecordBatch, time: Option<usize>, compression: Compression) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_created_by("pondmark".to_owned())
        .set_compression(compression)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(GROUP_ROWS));
    for (index, field) in first.schema_ref().fields().iter().enumerate() {
        let path = ColumnPath::from(field.name().as_str());
        if Some(index) == time {
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED)
                .set_column_statistics_enabled(path, EnabledStatistics::Page);
        } else if field.data_type() == &DataType::Float64 {
            let column = first.column(index).as_primitive::<Float64Type>();
            builder = builder.set_column_dictionary_enabled(path, repeats(column));
        }
    }
    if let Some(time) = time {
        // Parquet numbers the leaves of nested columns, not the columns.
        let before = &first.schema_ref().fields()[..time];
        let column_idx = before.iter().map(|field| leaves(field.data_type())).sum();
        let sorting = SortingColumn { column_idx, descending: false, nulls_first: false };
        builder = builder.set_sorting_columns(Some(vec![sorting]));
    }
    builder.build()
}

/// Tells whether less than half of the sampled values are distinct.
fn repeats(column: &Float64Array) -> bool {
    let stride = column.len().div_ceil(SAMPLE_ROWS).max(1);
    let mut sample: Vec<u64> = column.values().iter().step_by(stride).map(|value| value.to_bits()).collect();
    let seen = sample.len();
    sample.sort_unstable();
    sample.dedup();
    sample.len() * 2 < seen
}

/// Counts the columns that Parquet makes of one.
fn leaves(data_type: &DataType) -> i32 {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| leaves(field.data_type())).sum(),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => leaves(field.data_type()),
        _ => 1,
    }
}

fn not_a_time(schema: &Schema, time: usize) -> Error {
    Error::Damaged {
        place: format!("column '{}'", schema.field(time).name()),
        detail: format!("it is {} and no time", schema.field(time).data_type()),
    }
}
