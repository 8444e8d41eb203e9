//! Reading Parquet: columns as they are, the time column brought to microseconds of UTC.

use std::cell::Cell;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use scenarios::Stage;

use super::columns::refused;
use super::sink::Sink;
use super::time::{Scale, Shape, TimeRule, names_a_time, scale_of, shape_of};
use super::{ImportOptions, NonFinite, Progress};
use crate::error::{Error, Result};
use crate::metrics::{Counter, Recorder};
use crate::tree::EntryType;

const BATCH_ROWS: usize = 16_384;

/// Reads a Parquet file into a sink.
pub(super) fn read(
    file: &Path,
    options: &ImportOptions,
    wanted: EntryType,
    recorder: &Arc<Recorder>,
    progress: Progress<'_>,
    sink: &mut Sink<'_>,
) -> Result<()> {
    let bytes = std::fs::metadata(file).map_err(Error::io("read", file))?.len();
    let reader = File::open(file).map_err(Error::io("read", file))?;
    let broken = |error: &dyn std::fmt::Display| {
        Error::input(file, format!("it is no valid Parquet file: {error}; copy or export it again"))
    };
    let (builder, import) = {
        let _stage = recorder.stage(Stage::TypeDetection);
        recorder.count(Counter::FootersRead, 1);
        let builder = ParquetRecordBatchReaderBuilder::try_new(reader).map_err(|error| broken(&error))?;
        let import = Columns::find(file, builder.schema(), options, wanted)?;
        (builder, import)
    };
    let total_rows = builder.metadata().file_metadata().num_rows().max(1) as u64;
    sink.begin(&import.schema, import.time)?;
    let batches = builder.with_batch_size(BATCH_ROWS).build().map_err(|error| broken(&error))?;
    let mut rows = 0;
    let mut stage = Some(recorder.stage(Stage::ParquetRead));
    for batch in batches {
        let batch = batch.map_err(|error| broken(&error))?;
        drop(stage.take());
        recorder.count(Counter::RowsRead, batch.num_rows() as u64);
        progress(bytes * batch.num_rows() as u64 / total_rows);
        let converted = import.convert(&batch, rows)?;
        rows += batch.num_rows() as u64;
        sink.push(converted)?;
        stage = Some(recorder.stage(Stage::ParquetRead));
    }
    Ok(())
}

/// What becomes of the file's columns.
struct Columns<'a> {
    /// What the first numbers or texts of the time column were; the others must be the same.
    scale: Cell<Option<Scale>>,
    shape: Cell<Option<Shape>>,
    file: &'a Path,
    schema: SchemaRef,
    time: Option<usize>,
    rule: TimeRule,
    non_finite: NonFinite,
}

impl<'a> Columns<'a> {
    fn find(file: &'a Path, schema: &Schema, options: &ImportOptions, wanted: EntryType) -> Result<Self> {
        let mut names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::input(file, format!("two columns are called '{}'; rename one", pair[0])));
        }
        let time = match &options.time {
            Some(name) => Some(schema.index_of(name).map_err(|_| {
                Error::input(
                    file,
                    format!("there is no column '{name}' for --time; there is {}", names.join(", ")),
                )
            })?),
            None => match find_time(schema) {
                Ok(time) => Some(time),
                Err(_) if wanted == EntryType::Table => None,
                Err(message) => return Err(Error::input(file, message)),
            },
        };
        let fields: Vec<Field> = schema
            .fields()
            .iter()
            .enumerate()
            .map(|(index, field)| match index {
                _ if Some(index) == time => Field::new(
                    field.name(),
                    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                    false,
                ),
                _ => Field::new(field.name(), plain_type(field.data_type()), true),
            })
            .collect();
        let rule = TimeRule {
            zone: options.zone,
            ambiguous: options.ambiguous,
            truncate: options.truncate_time,
            format: options.time_format.clone(),
        };
        let (scale, shape) = (Cell::new(None), Cell::new(None));
        let schema = Arc::new(Schema::new(fields));
        Ok(Self { scale, shape, file, schema, time, rule, non_finite: options.non_finite })
    }

    fn convert(&self, batch: &RecordBatch, before: u64) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
        for (index, column) in batch.columns().iter().enumerate() {
            let field = self.schema.field(index);
            if Some(index) == self.time {
                columns.push(self.times(column, field.name(), before)?);
                continue;
            }
            let column = cast(column, field.data_type())?;
            columns.push(match field.data_type() {
                DataType::Float64 => self.finite(column, field.name(), before)?,
                _ => column,
            });
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    /// Brings a column to microseconds of UTC.
    fn times(&self, column: &ArrayRef, name: &str, before: u64) -> Result<ArrayRef> {
        let at =
            |row: usize, message: String| Error::value(self.file, before + row as u64 + 1, name, message);
        if let Some(row) = (0..column.len()).find(|row| column.is_null(*row)) {
            return Err(at(row, "the time is missing; fill it in or remove the row".to_owned()));
        }
        let mut values: Vec<i64> = Vec::with_capacity(column.len());
        match column.data_type() {
            DataType::Timestamp(unit, zone) => {
                let scale = match unit {
                    TimeUnit::Second => Scale::S,
                    TimeUnit::Millisecond => Scale::Ms,
                    TimeUnit::Microsecond => Scale::Us,
                    TimeUnit::Nanosecond => Scale::Ns,
                };
                let numbers = cast(column, &DataType::Int64)?;
                for (row, number) in numbers.as_primitive::<Int64Type>().values().iter().enumerate() {
                    let us = self.rule.epoch(*number, scale);
                    let us = if zone.is_none() { us.and_then(|us| self.rule.local(us)) } else { us };
                    values.push(us.map_err(|message| at(row, message))?);
                }
            }
            DataType::Date32 | DataType::Date64 => {
                let days = cast(&cast(column, &DataType::Date32)?, &DataType::Int32)?;
                let days = cast(&days, &DataType::Int64)?;
                for (row, day) in days.as_primitive::<Int64Type>().values().iter().enumerate() {
                    values.push(self.rule.local(day * 86_400_000_000).map_err(|message| at(row, message))?);
                }
            }
            other if other.is_integer() => {
                let numbers = cast(column, &DataType::Int64)?;
                if let Some(row) = (0..numbers.len()).find(|row| numbers.is_null(*row)) {
                    return Err(at(row, "it is no time that microseconds can hold".to_owned()));
                }
                let numbers = numbers.as_primitive::<Int64Type>();
                let first = || numbers.iter().flatten().find(|number| *number != 0).map(scale_of);
                self.scale.set(self.scale.get().or_else(first));
                let shape = Shape::Epoch(self.scale.get().unwrap_or(Scale::S));
                for (row, number) in numbers.values().iter().enumerate() {
                    let us = self.rule.count(*number, shape);
                    values.push(us.map_err(|message| at(row, message))?);
                }
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                let texts = cast(column, &DataType::Utf8)?;
                let texts = texts.as_string::<i32>();
                let first = || texts.iter().flatten().next().and_then(|text| shape_of(text.as_bytes()));
                self.shape.set(self.shape.get().or_else(first));
                let shape = self.shape.get();
                for (row, text) in texts.iter().enumerate() {
                    let us = self.rule.read(text.unwrap_or_default().as_bytes(), shape);
                    values.push(us.map_err(|message| at(row, message))?);
                }
            }
            other => {
                return Err(at(0, format!("it is {other} and no time; name another column with --time")));
            }
        }
        Ok(Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC")))
    }

    /// Applies the rule for floats that are no numbers.
    fn finite(&self, column: ArrayRef, name: &str, before: u64) -> Result<ArrayRef> {
        let floats = column.as_primitive::<Float64Type>();
        let first = (0..floats.len()).find(|row| floats.is_valid(*row) && !floats.value(*row).is_finite());
        match (first, self.non_finite) {
            (None, _) | (_, NonFinite::Keep) => Ok(column),
            (Some(row), NonFinite::Refuse) => {
                Err(Error::value(self.file, before + row as u64 + 1, name, refused(floats.value(row))))
            }
            (Some(_), NonFinite::Null) => {
                let kept = floats.iter().map(|value| value.filter(|value| value.is_finite()));
                Ok(Arc::new(kept.collect::<arrow::array::Float64Array>()))
            }
        }
    }
}

/// Returns the type that a column is stored as: views and dictionaries as what they stand for.
fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Int8 | DataType::Int16 | DataType::Int32 => DataType::Int64,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => DataType::Int64,
        DataType::Float16 | DataType::Float32 => DataType::Float64,
        other => other.clone(),
    }
}

/// Finds the time column by type, and by name where the type is none of time.
fn find_time(schema: &Schema) -> Result<usize, String> {
    let fields = || schema.fields().iter().enumerate();
    let timestamps: Vec<usize> =
        fields().filter(|(_, f)| matches!(f.data_type(), DataType::Timestamp(..))).map(|(i, _)| i).collect();
    let named = |among: &[usize]| {
        let wanted = ["timestamp", "time", "datetime"];
        wanted.iter().find_map(|name| {
            among.iter().copied().find(|i| schema.field(*i).name().eq_ignore_ascii_case(name))
        })
    };
    match timestamps[..] {
        [only] => return Ok(only),
        [] => {}
        _ => {
            return named(&timestamps).ok_or_else(|| {
                let names: Vec<&str> = timestamps.iter().map(|i| schema.field(*i).name().as_str()).collect();
                format!("several columns hold times ({}); choose one with --time", names.join(", "))
            });
        }
    }
    let others: Vec<usize> = fields()
        .filter(|(_, f)| {
            let data_type = f.data_type();
            let could = data_type.is_integer()
                || matches!(
                    data_type,
                    DataType::Utf8 | DataType::Utf8View | DataType::Date32 | DataType::Date64
                );
            could && names_a_time(f.name())
        })
        .map(|(i, _)| i)
        .collect();
    match others[..] {
        [only] => Ok(only),
        _ => named(&others).ok_or_else(|| {
            let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            format!("no column is of a time type ({}); name one with --time, or import as a table with --as table", names.join(", "))
        }),
    }
}
