//! `date_trunc` of times in UTC, without asking a calendar of time zones about each row.
//!
//! DataFusion finds the offset of the zone for every value, also where the zone is UTC and the offset always zero. Taken
//! as times without a zone, the same values are truncated by plain arithmetic.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, make_array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::execution::context::SessionContext;
use datafusion::functions::datetime::date_trunc;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// Puts the faster form in the place of the built-in one.
pub(super) fn register(context: &SessionContext) {
    context.register_udf(ScalarUDF::new_from_impl(Truncation { built_in: date_trunc() }));
}

/// The built-in function, but for arrays of times in UTC.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Truncation {
    built_in: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Truncation {
    fn name(&self) -> &str {
        self.built_in.name()
    }

    fn aliases(&self) -> &[String] {
        self.built_in.aliases()
    }

    fn signature(&self) -> &Signature {
        self.built_in.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.built_in.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.built_in.return_field_from_args(args)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (zoned, plain) = match args.args.get(1) {
            Some(ColumnarValue::Array(times)) => match times.data_type() {
                DataType::Timestamp(unit, Some(zone)) if is_utc(zone) => {
                    (times.data_type().clone(), DataType::Timestamp(*unit, None))
                }
                _ => return self.built_in.invoke_with_args(args),
            },
            _ => return self.built_in.invoke_with_args(args),
        };
        if let ColumnarValue::Array(times) = &args.args[1] {
            args.args[1] = ColumnarValue::Array(retyped(times, plain.clone())?);
        }
        args.arg_fields[1] = field(&args.arg_fields[1], plain.clone());
        args.return_field = field(&args.return_field, plain);
        match self.built_in.invoke_with_args(args)? {
            ColumnarValue::Array(truncated) => Ok(ColumnarValue::Array(retyped(&truncated, zoned)?)),
            scalar => scalar.cast_to(&zoned, None),
        }
    }

    fn output_ordering(&self, input: &[ExprProperties]) -> Result<SortProperties> {
        self.built_in.output_ordering(input)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.built_in.documentation()
    }
}

fn is_utc(zone: &str) -> bool {
    ["UTC", "Etc/UTC", "Z", "+00:00"].contains(&zone)
}

/// Says that the same values are of another type with the same layout.
fn retyped(array: &ArrayRef, to: DataType) -> Result<ArrayRef> {
    Ok(make_array(array.to_data().into_builder().data_type(to).build()?))
}

fn field(field: &FieldRef, to: DataType) -> FieldRef {
    Arc::new(Field::clone(field).with_data_type(to))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Array as _, RecordBatch, TimestampMicrosecondArray};
    use datafusion::arrow::datatypes::Schema;

    use super::*;

    /// Truncates times to a granularity in SQL.
    fn truncated(context: &SessionContext, times: TimestampMicrosecondArray, to: &str) -> Vec<RecordBatch> {
        let field = Field::new("t", times.data_type().clone(), true);
        let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![Arc::new(times)]).unwrap();
        let _ = context.deregister_table("times").unwrap();
        context.register_batch("times", batch).unwrap();
        let query = format!("SELECT date_trunc('{to}', t) FROM times");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { context.sql(&query).await.unwrap().collect().await.unwrap() })
    }

    #[test]
    fn truncation_is_that_of_the_built_in_function() {
        let (built_in, faster) = (SessionContext::new(), SessionContext::new());
        register(&faster);
        // From 1683 to 2255 in steps that meet every part of a day, and a null.
        let values = (-4_500..4_500_i64).map(|step| (step != 7).then_some(step * 2_003_456_789_123));
        for zone in ["UTC", "+00:00", "Etc/UTC", "Europe/Berlin", "-03:30"] {
            let times: TimestampMicrosecondArray = values.clone().collect();
            for to in ["second", "minute", "hour", "day", "week", "month", "quarter", "year"] {
                let times = times.clone().with_timezone(zone);
                let expect = truncated(&built_in, times.clone(), to);
                assert_eq!(truncated(&faster, times, to), expect, "{zone} {to}");
            }
        }
    }
}
