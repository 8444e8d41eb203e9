//! Builders of CSV columns, one type each.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, TimeUnit};

use super::NonFinite;
use super::infer::{ColumnType, parse_bool, parse_float, plain_integer};
use super::time::{Shape, TimeRule};
use crate::series::empty_field;

/// Why a value was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is not of the column's type: the type was guessed from too few rows.
    Type,
    /// It is an error; the text is for the user.
    Message(String),
}

/// Builds one column of a CSV file.
#[derive(Debug)]
pub(super) enum Builder {
    Time {
        values: Vec<i64>,
        shape: Option<Shape>,
        rule: TimeRule,
    },
    /// No value was seen, so none may come.
    Empty(Float64Builder),
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder, NonFinite),
    Text(StringBuilder),
}

impl Builder {
    pub(super) fn new(column_type: ColumnType, non_finite: NonFinite) -> Self {
        match column_type {
            ColumnType::Empty => Self::Empty(Float64Builder::new()),
            ColumnType::Bool => Self::Bool(BooleanBuilder::new()),
            ColumnType::Int => Self::Int(Int64Builder::new()),
            ColumnType::Float => Self::Float(Float64Builder::new(), non_finite),
            ColumnType::Text => Self::Text(StringBuilder::new()),
        }
    }

    /// Takes a value.
    pub(super) fn push(&mut self, text: &[u8]) -> Result<(), Refusal> {
        match self {
            Self::Time { values, shape, rule } => {
                values.push(rule.read(text, *shape).map_err(Refusal::Message)?)
            }
            Self::Empty(_) => return Err(Refusal::Type),
            Self::Bool(builder) => builder.append_value(parse_bool(text).ok_or(Refusal::Type)?),
            Self::Int(builder) => builder.append_value(plain_integer(text).ok_or(Refusal::Type)?),
            Self::Float(builder, non_finite) => {
                let value = parse_float(text).ok_or(Refusal::Type)?;
                match non_finite {
                    _ if value.is_finite() => builder.append_value(value),
                    NonFinite::Keep => builder.append_value(value),
                    NonFinite::Null => builder.append_null(),
                    NonFinite::Refuse => return Err(Refusal::Message(refused(value))),
                }
            }
            Self::Text(builder) => {
                let text = std::str::from_utf8(text).map_err(|_| {
                    Refusal::Message(format!(
                        "'{}' is not UTF-8; convert the file",
                        String::from_utf8_lossy(text)
                    ))
                })?;
                builder.append_value(text);
            }
        }
        Ok(())
    }

    /// Takes a missing value; times cannot be missing.
    pub(super) fn push_null(&mut self) -> Result<(), Refusal> {
        match self {
            Self::Time { .. } => {
                return Err(Refusal::Message("the time is missing; fill it in or remove the row".to_owned()));
            }
            Self::Bool(builder) => builder.append_null(),
            Self::Int(builder) => builder.append_null(),
            Self::Empty(builder) | Self::Float(builder, _) => builder.append_null(),
            Self::Text(builder) => builder.append_null(),
        }
        Ok(())
    }

    /// Tells whether only the empty text means a missing value here.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    pub(super) fn field(&self, name: &str) -> Field {
        let (data_type, nullable) = match self {
            Self::Time { .. } => (DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
            Self::Bool(_) => (DataType::Boolean, true),
            Self::Int(_) => (DataType::Int64, true),
            Self::Empty(_) => return empty_field(name),
            Self::Float(..) => (DataType::Float64, true),
            Self::Text(_) => (DataType::Utf8, true),
        };
        Field::new(name, data_type, nullable)
    }

    /// Returns what was taken since the last call.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Time { values, .. } => {
                Arc::new(TimestampMicrosecondArray::from(std::mem::take(values)).with_timezone("UTC"))
            }
            Self::Bool(builder) => Arc::new(builder.finish()),
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::Empty(builder) | Self::Float(builder, _) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
        }
    }
}

/// Says why a float is refused, and what can be done.
pub(super) fn refused(value: f64) -> String {
    format!(
        "'{value}' is no finite number; store it as missing with --non-finite null, or as it is with --non-finite keep"
    )
}
