//! What filters tell before anything is read: the times that can pass, and the captures that do.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{FieldRef, Schema};
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, Result as PlanResult, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::reader::TimeRange;

/// Tells which of `count` members pass the filters that speak of their labels alone.
///
/// `values` gives the values of a label, one for each member.
///
/// # Errors
/// If a filter cannot be evaluated.
pub(super) fn passing<'a, V: Iterator<Item = &'a str>>(
    state: &dyn Session,
    filters: &[Expr],
    labels: &[FieldRef],
    count: usize,
    values: impl Fn(usize) -> V,
) -> PlanResult<Vec<bool>> {
    let mut kept = vec![true; count];
    let is_label = |name: &str| labels.iter().any(|label| label.name() == name);
    let tells = |filter: &&Expr| {
        let columns = filter.column_refs();
        !columns.is_empty() && columns.iter().all(|one| is_label(&one.name)) && !filter.is_volatile()
    };
    let mut telling = filters.iter().filter(tells).peekable();
    if telling.peek().is_none() {
        return Ok(kept);
    }
    let schema = Arc::new(Schema::new(labels.to_vec()));
    let columns =
        (0..labels.len()).map(|label| Arc::new(StringArray::from_iter_values(values(label))) as ArrayRef);
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns.collect(), &options)?;
    let schema = DFSchema::try_from(schema)?;
    for filter in telling {
        let passed =
            state.create_physical_expr(filter.clone(), &schema)?.evaluate(&batch)?.into_array(count)?;
        let passed = passed.as_boolean();
        kept.iter_mut()
            .enumerate()
            .for_each(|(row, kept)| *kept &= passed.is_valid(row) && passed.value(row));
    }
    Ok(kept)
}

/// Returns the time range outside which the filters let no row pass.
pub(super) fn range_of(filters: &[Expr], time: &str) -> TimeRange {
    let mut range = TimeRange::default();
    filters.iter().for_each(|filter| narrow(&mut range, filter, time));
    range
}

/// Narrows a range by a comparison of the time column with a timestamp; other filters change nothing.
fn narrow(range: &mut TimeRange, filter: &Expr, time: &str) {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return };
    if *op == Operator::And {
        narrow(range, left, time);
        narrow(range, right, time);
        return;
    }
    let (at, op) = match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(value, _)) if column.name == time => (micros(value), Some(*op)),
        (Expr::Literal(value, _), Expr::Column(column)) if column.name == time => (micros(value), op.swap()),
        _ => return,
    };
    let (Some(at), Some(op)) = (at, op) else { return };
    let later_start = |start: i64| Some(range.start_us.map_or(start, |old| old.max(start)));
    let earlier_end = |end: i64| Some(range.end_us.map_or(end, |old| old.min(end)));
    match op {
        Operator::GtEq => range.start_us = later_start(at),
        Operator::Gt => range.start_us = later_start(at.saturating_add(1)),
        Operator::Lt => range.end_us = earlier_end(at),
        Operator::LtEq => range.end_us = earlier_end(at.saturating_add(1)),
        Operator::Eq => {
            (range.start_us, range.end_us) = (later_start(at), earlier_end(at.saturating_add(1)));
        }
        _ => {}
    }
}

/// Returns a literal as microseconds, if it is a time that microseconds can hold exactly.
fn micros(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::TimestampMicrosecond(Some(us), _) => Some(*us),
        ScalarValue::TimestampMillisecond(Some(ms), _) => ms.checked_mul(1000),
        ScalarValue::TimestampSecond(Some(s), _) => s.checked_mul(1_000_000),
        ScalarValue::TimestampNanosecond(Some(ns), _) if ns % 1000 == 0 => Some(ns / 1000),
        _ => None,
    }
}
