//! Schemas of series: kept in the log, united over versions.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use crate::error::Result;

/// Marks a column that has no value in its version, and so no type of its own.
const EMPTY: &str = "pondmark.empty";

/// Makes a column without values; stored as floats, united with anything.
pub(crate) fn empty_field(name: &str) -> Field {
    let mark = [(EMPTY.to_owned(), "true".to_owned())];
    Field::new(name, DataType::Float64, true).with_metadata(mark.into())
}

/// Encodes a schema as an Arrow IPC stream without batches.
///
/// # Errors
/// If the schema has a type that the format does not know.
pub(crate) fn encode_schema(schema: &Schema) -> Result<Arc<[u8]>> {
    let mut writer = StreamWriter::try_new(Vec::new(), schema)?;
    writer.finish()?;
    Ok(Arc::from(writer.into_inner()?))
}

/// Decodes what [`encode_schema`] made.
///
/// # Errors
/// If the bytes are something else.
pub(crate) fn decode_schema(bytes: &[u8]) -> Result<SchemaRef> {
    Ok(StreamReader::try_new(bytes, None)?.schema())
}

/// Unites two schemas by column name: columns of the first, then what only the second has.
///
/// A column that only one of them has can be null. Whole numbers and floats meet as floats.
///
/// # Errors
/// Names the column whose types do not meet, with both types.
pub(crate) fn unite(first: &Schema, second: &Schema) -> Result<Schema, (String, DataType, DataType)> {
    let mut fields: Vec<Field> = Vec::with_capacity(first.fields().len());
    for field in first.fields() {
        fields.push(match second.field_with_name(field.name()) {
            Err(_) => field.as_ref().clone().with_nullable(true),
            Ok(other) if is_empty_field(field) => other.clone().with_nullable(true),
            Ok(other) if is_empty_field(other) => field.as_ref().clone().with_nullable(true),
            Ok(other) => {
                let met = meet(field.data_type(), other.data_type()).ok_or_else(|| {
                    (field.name().clone(), field.data_type().clone(), other.data_type().clone())
                })?;
                let nullable = field.is_nullable() || other.is_nullable();
                Field::new(field.name(), met, nullable)
            }
        });
    }
    for field in second.fields() {
        if first.field_with_name(field.name()).is_err() {
            fields.push(field.as_ref().clone().with_nullable(true));
        }
    }
    Ok(Schema::new(fields))
}

/// Tells whether a column has no value in its version, and so no type of its own.
pub(crate) fn is_empty_field(field: &Field) -> bool {
    field.metadata().contains_key(EMPTY)
}

/// Returns the type that holds the values of both, if there is one without loss of meaning.
fn meet(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::{Float32, Float64, Int8, Int16, Int32, Int64, Null};
    match (a, b) {
        _ if a == b => Some(a.clone()),
        (Null, other) | (other, Null) => Some(other.clone()),
        (Int8 | Int16 | Int32 | Int64, Int8 | Int16 | Int32 | Int64) => Some(Int64),
        (
            Float32 | Float64 | Int8 | Int16 | Int32 | Int64,
            Float32 | Float64 | Int8 | Int16 | Int32 | Int64,
        ) => Some(Float64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;

    fn time_type() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    }

    fn schema(fields: &[(&str, DataType, bool)]) -> Schema {
        Schema::new(fields.iter().map(|(n, t, null)| Field::new(*n, t.clone(), *null)).collect::<Vec<_>>())
    }

    #[test]
    fn columns_unite_by_name_in_a_fixed_order() {
        let a = schema(&[
            ("t", time_type(), false),
            ("x", DataType::Int64, false),
            ("old", DataType::Utf8, false),
        ]);
        let b = schema(&[
            ("new", DataType::Boolean, false),
            ("x", DataType::Float64, true),
            ("t", time_type(), false),
        ]);
        let expect = schema(&[
            ("t", time_type(), false),
            ("x", DataType::Float64, true),
            ("old", DataType::Utf8, true),
            ("new", DataType::Boolean, true),
        ]);
        assert_eq!(unite(&a, &b).unwrap(), expect);
    }

    #[test]
    fn types_that_do_not_meet_are_named() {
        let a = schema(&[("x", DataType::Int64, false)]);
        let b = schema(&[("x", DataType::Utf8, false)]);
        assert_eq!(unite(&a, &b).unwrap_err(), ("x".to_owned(), DataType::Int64, DataType::Utf8));
    }

    #[test]
    fn a_column_without_values_takes_any_type() {
        let empty = Schema::new(vec![empty_field("x")]);
        let text = schema(&[("x", DataType::Utf8, true)]);
        assert_eq!(unite(&empty, &text).unwrap(), text);
        assert_eq!(unite(&text, &empty).unwrap(), text);
        assert_eq!(unite(&empty, &empty).unwrap(), empty);
    }

    #[test]
    fn schemas_survive_the_log() {
        let a = schema(&[("temperature (celsius)", DataType::Float64, true), ("t", time_type(), false)]);
        assert_eq!(*decode_schema(&encode_schema(&a).unwrap()).unwrap(), a);
        assert!(decode_schema(b"nonsense").is_err());
    }
}
