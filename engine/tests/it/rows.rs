//! Rows as plain values, for answers computed without the engine.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef, TimestampMicrosecondType};

/// One value; floats by their bits, so that equal means the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Float(u64),
    Text(String),
}

/// A table in plain form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
}

impl Rows {
    /// Adds a batch below; columns that either lacks are filled with nulls.
    pub(crate) fn add(&mut self, schema: &SchemaRef, batch: Option<&RecordBatch>) {
        for field in schema.fields() {
            if !self.columns.contains(field.name()) {
                self.columns.push(field.name().clone());
                self.rows.iter_mut().for_each(|row| row.push(Value::Null));
            }
        }
        let Some(batch) = batch else { return };
        for row in 0..batch.num_rows() {
            let value = |name: &String| batch.column_by_name(name).map_or(Value::Null, |c| value(c, row));
            self.rows.push(self.columns.iter().map(value).collect());
        }
    }

    /// Collects batches.
    pub(crate) fn of(schema: &SchemaRef, batches: impl Iterator<Item = RecordBatch>) -> Self {
        let mut rows = Self::default();
        rows.add(schema, None);
        batches.for_each(|batch| rows.add(schema, Some(&batch)));
        rows
    }

    /// Computes what a generated series must hold: all versions, by time, equal times as they came.
    pub(crate) fn generated(series: &datagen::Series) -> Self {
        let mut rows = Self::default();
        for version in 1..=series.versions() {
            rows.add(&series.schema(version), None);
            for batch in series.batches(version) {
                rows.add(&series.schema(version), Some(&batch));
            }
        }
        let time = rows.index("timestamp");
        rows.rows.sort_by(|a, b| a[time].cmp(&b[time]));
        rows
    }

    /// Returns the position of a column.
    pub(crate) fn index(&self, column: &str) -> usize {
        self.columns.iter().position(|name| name == column).unwrap()
    }

    /// Returns the times of the rows, from a column of microseconds.
    pub(crate) fn times(&self, column: &str) -> Vec<i64> {
        let index = self.index(column);
        self.rows
            .iter()
            .map(|row| if let Value::Int(us) = row[index] { us } else { panic!("no time") })
            .collect()
    }
}

fn value(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Int64 => Value::Int(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::Float(column.as_primitive::<Float64Type>().value(row).to_bits()),
        DataType::Timestamp(..) => Value::Int(column.as_primitive::<TimestampMicrosecondType>().value(row)),
        DataType::Utf8 => Value::Text(column.as_string::<i32>().value(row).to_owned()),
        other => panic!("no plain value for {other}"),
    }
}
