//! Putting series side by side by time, for joins and pivots.
//!
//! A row is found by its time and by its place among the rows of that time in its series, which are put in
//! the order of their values: the first row of a time meets the first rows of that time in the others. Every
//! row of every series is in exactly one row of the result, which is sorted by time. Series are joined in
//! pairs, then pairs of pairs, on keys that are those of whichever side has them: so a row that the first
//! series lacks is not split, and the plan stays shallow.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::recipe::Kitchen;
use super::union::{column, view};
use crate::error::Result;
use crate::query::{plan_sql, quoted};

/// A series to be put beside others.
pub(super) struct Side {
    pub provider: Arc<dyn TableProvider>,
    /// Its time column, in microseconds of UTC.
    pub time: String,
    /// The columns that are wanted of it.
    pub columns: Vec<String>,
}

/// A column of the result.
pub(super) struct Aligned {
    pub name: String,
    pub value: Value,
}

/// Where the values of a column come from.
pub(super) enum Value {
    /// A column of a side, both by their places.
    Of { side: usize, column: usize },
    /// There are none.
    Null(DataType),
}

/// Plans the result: the time, then the columns as given.
pub(super) fn align(
    kitchen: &Kitchen<'_>,
    sides: &[Side],
    time: &str,
    columns: &[Aligned],
) -> Result<LogicalPlan> {
    // Columns have names of their own until the end, so that no user's name can be mistaken for another.
    let mut first = 0;
    let mut firsts = Vec::with_capacity(sides.len());
    let mut numbered = Vec::with_capacity(sides.len());
    for side in sides {
        firsts.push(first);
        numbered.push(Numbered {
            provider: keyed(kitchen, side, first)?,
            columns: first..first + side.columns.len(),
        });
        first += side.columns.len();
    }
    let joined = joined(kitchen, &numbered)?;
    let mut values: Vec<Expr> = vec![column("t").alias(time)];
    for one in columns {
        let value = match &one.value {
            Value::Of { side, column: place } => column(&numbered_name(firsts[*side] + place)),
            Value::Null(data_type) => lit(ScalarValue::try_new_null(data_type)?),
        };
        values.push(value.alias(&one.name));
    }
    let source = datafusion::datasource::provider_as_source(joined.provider);
    let builder = LogicalPlanBuilder::scan("aligned", source, None)?;
    Ok(builder
        .sort([column("t").sort(true, false), column("k").sort(true, false)])?
        .project(values)?
        .build()?)
}

/// A side, or several joined, with the keys `t` and `k`, and the numbers of its columns.
struct Numbered {
    provider: Arc<dyn TableProvider>,
    columns: std::ops::Range<usize>,
}

fn numbered_name(number: usize) -> String {
    format!("c{number}")
}

/// Gives each row its key.
fn keyed(kitchen: &Kitchen<'_>, side: &Side, first: usize) -> Result<Arc<dyn TableProvider>> {
    let time = quoted(&side.time);
    let own: Vec<String> = side.columns.iter().map(|name| quoted(name)).collect();
    let order = if own.is_empty() { String::new() } else { format!(" ORDER BY {}", own.join(", ")) };
    let values: String = own
        .iter()
        .enumerate()
        .map(|(at, name)| format!(", {name} AS {}", numbered_name(first + at)))
        .collect();
    let sql =
        format!("SELECT {time} AS t, row_number() OVER (PARTITION BY {time}{order}) AS k{values} FROM side");
    let relations = BTreeMap::from([("side".to_owned(), Arc::clone(&side.provider))]);
    Ok(view(plan_sql(kitchen.state, &sql, &relations)?))
}

fn joined(kitchen: &Kitchen<'_>, sides: &[Numbered]) -> Result<Numbered> {
    if let [one] = sides {
        return Ok(Numbered { provider: Arc::clone(&one.provider), columns: one.columns.clone() });
    }
    let (left, right) = sides.split_at(sides.len().div_ceil(2));
    let (left, right) = (joined(kitchen, left)?, joined(kitchen, right)?);
    let columns = left.columns.start..right.columns.end;
    let values: String = columns.clone().map(|number| format!(", {}", numbered_name(number))).collect();
    let sql = format!(
        "SELECT coalesce(l.t, r.t) AS t, coalesce(l.k, r.k) AS k{values} \
         FROM l FULL JOIN r ON l.t = r.t AND l.k = r.k"
    );
    let relations = BTreeMap::from([("l".to_owned(), left.provider), ("r".to_owned(), right.provider)]);
    Ok(Numbered { provider: view(plan_sql(kitchen.state, &sql, &relations)?), columns })
}
