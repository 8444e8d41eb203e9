//! Reducing by SQL, in the two forms of the knob `reduce`.
//!
//! The two-pass form aggregates the buckets once more, though each is one row by then: so the plan document
//! found it, and so its price can be measured. Both forms give the same values, an average too, because the
//! outer one is over one row.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::logical_expr::LogicalPlan;
use scenarios::Stage;

use super::columns::ReduceColumn;
use crate::error::Result;
use crate::factory::recipe::Kitchen;
use crate::factory::sql_derived::in_event_time;
use crate::knobs::Reduce;
use crate::query::{plan_sql, quoted};
use crate::series::Aggregate;

/// The name of the input in the SQL.
const INPUT: &str = "series";

/// Plans a reduced series.
pub(super) fn plan(
    kitchen: &Kitchen<'_>,
    input: &Arc<dyn TableProvider>,
    time: &str,
    resolution_us: i64,
    columns: &[ReduceColumn],
) -> Result<LogicalPlan> {
    let sql = {
        let _stage = kitchen.recorder.stage(Stage::SqlGeneration);
        match kitchen.reduce {
            Reduce::TwoPass => two_pass(time, resolution_us, columns),
            Reduce::OnePass | Reduce::Streaming => one_pass(time, resolution_us, columns),
        }
    };
    let relations = BTreeMap::from([(INPUT.to_owned(), Arc::clone(input))]);
    let plan = plan_sql(kitchen.state, &sql, &relations)?;
    let schema = Arc::clone(plan.schema().inner());
    in_event_time(plan, &schema, time)
}

fn one_pass(time: &str, resolution_us: i64, columns: &[ReduceColumn]) -> String {
    let bucket = bucket(time, resolution_us);
    let values = columns.iter().map(|column| format!(", {} AS {}", call(column), quoted(&column.name)));
    let values: String = values.collect();
    format!("SELECT {bucket} AS {}{values} FROM {INPUT} GROUP BY {bucket} ORDER BY 1", quoted(time))
}

fn two_pass(time: &str, resolution_us: i64, columns: &[ReduceColumn]) -> String {
    let bucket = bucket(time, resolution_us);
    let (mut inner, mut outer) = (String::new(), String::new());
    for (index, column) in columns.iter().enumerate() {
        // A count of counts is their sum.
        let again = if column.aggregate == Aggregate::Count { Aggregate::Sum } else { column.aggregate };
        inner.push_str(&format!(", {} AS value_{index}", call(column)));
        outer.push_str(&format!(", {}(value_{index}) AS {}", again.name(), quoted(&column.name)));
    }
    format!(
        "WITH time_buckets AS (SELECT {bucket} AS time_bucket{inner} FROM {INPUT} GROUP BY {bucket}) \
         SELECT time_bucket AS {}{outer} FROM time_buckets GROUP BY time_bucket ORDER BY 1",
        quoted(time)
    )
}

fn call(column: &ReduceColumn) -> String {
    let input = column.input.as_deref().map_or_else(|| "*".to_owned(), quoted);
    format!("{}({input})", column.aggregate.name())
}

/// The begin of the bucket that a row is in, counted from 1970 in UTC.
fn bucket(time: &str, resolution_us: i64) -> String {
    let width = match resolution_us % 1_000_000 {
        0 => format!("{} seconds", resolution_us / 1_000_000),
        _ => format!("{resolution_us} microseconds"),
    };
    format!("date_bin(INTERVAL '{width}', {})", quoted(time))
}
