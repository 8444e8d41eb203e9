//! Several matches of one pattern as one relation: the union of all columns, by name.
//!
//! Columns come in the order of their first appearance, over matches in path order. A column that a match
//! lacks is null there; whole numbers and floats meet as floats. The rows of a union come in no promised
//! order.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::common::{Column, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Union, cast, lit};

use super::recipe::{Input, Relation};
use crate::error::{Error, Result};
use crate::series::{SeriesTable, is_empty_field, unite};

/// Unites the matches of a pattern; `labels` names columns that are filled with each match's captures.
///
/// # Errors
/// If the types of a column do not meet, or a label is the name of a column.
pub(super) fn united(inputs: &[Input], labels: &[String]) -> Result<Relation> {
    if let ([input], []) = (inputs, labels) {
        return Ok(input.relation.clone());
    }
    let mut schema = Schema::empty();
    for (index, input) in inputs.iter().enumerate() {
        let next = input.relation.provider.schema();
        if let Some(label) = labels.iter().find(|label| next.index_of(label).is_ok()) {
            let message = format!("'{label}' is a column already; name the capture otherwise");
            return Err(Error::Derived { path: input.found.path.clone(), message });
        }
        schema = if index == 0 {
            next.as_ref().clone()
        } else {
            unite(&schema, &next).map_err(|e| unlike(inputs, index, e))?
        };
    }
    let tables =
        inputs.iter().map(|input| (input.relation.provider.as_ref(), input.found.captures.as_slice()));
    if let Some(table) = SeriesTable::united(tables, labels, Arc::new(schema.clone())) {
        return Ok(Relation { provider: Arc::new(table), time_column: shared_time(inputs) });
    }
    let mut plans = Vec::with_capacity(inputs.len());
    for input in inputs {
        plans.push(Arc::new(branch(input, labels, &schema)?));
    }
    let plan = match plans.as_slice() {
        [one] => one.as_ref().clone(),
        _ => LogicalPlan::Union(Union::try_new(plans)?),
    };
    Ok(Relation { provider: view(plan), time_column: shared_time(inputs) })
}

/// Makes a table of a plan.
pub(super) fn view(plan: LogicalPlan) -> Arc<dyn TableProvider> {
    Arc::new(ViewTable::new(plan, None))
}

/// Returns the time column that all inputs name alike.
fn shared_time(inputs: &[Input]) -> Option<String> {
    let first = inputs.first()?.relation.time_column.clone();
    first.filter(|first| inputs.iter().all(|input| input.relation.time_column.as_ref() == Some(first)))
}

/// Brings one match into the united columns.
fn branch(input: &Input, labels: &[String], schema: &Schema) -> Result<LogicalPlan> {
    let own = input.relation.provider.schema();
    let mut columns: Vec<Expr> = Vec::with_capacity(labels.len() + schema.fields().len());
    for (label, capture) in labels.iter().zip(&input.found.captures) {
        columns.push(lit(capture.as_str()).alias(label));
    }
    for field in schema.fields() {
        let null = || -> Result<Expr> { Ok(lit(ScalarValue::try_new_null(field.data_type())?)) };
        let column = match own.field_with_name(field.name()) {
            Err(_) => null()?,
            Ok(mine) if mine.data_type() == field.data_type() => column(field.name()),
            // A column without values has no type of its own.
            Ok(mine) if is_empty_field(mine) || mine.data_type() == &DataType::Null => null()?,
            Ok(_) => cast(column(field.name()), field.data_type().clone()),
        };
        columns.push(column.alias(field.name()));
    }
    let source = provider_as_source(Arc::clone(&input.relation.provider));
    Ok(LogicalPlanBuilder::scan("input", source, None)?.project(columns)?.build()?)
}

/// Names a column without its being read as SQL.
pub(super) fn column(name: &str) -> Expr {
    Expr::Column(Column::from_name(name))
}

/// Says between which two matches the types of a column do not meet.
fn unlike(inputs: &[Input], index: usize, (column, a, b): (String, DataType, DataType)) -> Error {
    let has = |input: &&Input| input.relation.provider.schema().index_of(&column).is_ok();
    let first = inputs.iter().find(has).map_or("", |input| input.found.path.as_str());
    Error::Derived {
        path: inputs[index].found.path.clone(),
        message: format!(
            "column '{column}' is {b}, and in {first} it is {a}; match them with different patterns, or cast it first"
        ),
    }
}
