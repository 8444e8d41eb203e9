//! Analyses of what a query, or the scan of a table or series, does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use datafusion::common::ScalarValue;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ident, lit};
use scenarios::Stage;

use super::analysis::{Analysis, Phase, analyze, nanos};
use super::answer::SOURCE;
use super::planner::{Planner, Shown};
use super::relation::plan_sql;
use super::session::QueryOptions;
use crate::error::Result;
use crate::metrics::Counter;
use crate::series::TimeRange;

/// What is asked of a table or series, to be analysed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked<'a> {
    /// A query, which calls it `source`.
    Sql(&'a str),
    /// All columns of the rows of a time range.
    Rows(TimeRange),
}

/// Plans and executes what is asked of a table or series, stored or derived, and analyses it.
///
/// A plan that is kept is not used: it would hide how long planning takes.
///
/// # Errors
/// If the query is wrong, or fails.
pub(crate) fn explain(
    planner: &Planner,
    shown: &Shown,
    asked: Asked<'_>,
    options: QueryOptions,
) -> Result<Analysis> {
    let recorder = planner.recorder();
    let state = planner.session(options)?.state();
    let begin = Instant::now();
    let plan = {
        let _stage = recorder.stage(Stage::QueryPlanning);
        recorder.count(Counter::PlansBuilt, 1);
        match asked {
            Asked::Sql(sql) => {
                let relations = BTreeMap::from([(SOURCE.to_owned(), Arc::clone(&shown.provider))]);
                plan_sql(&state, sql, &relations)?
            }
            Asked::Rows(range) => rows(shown, range)?,
        }
    };
    let parse_ns = nanos(begin);
    let mut analysis = planner.runtime().block_on(analyze(&state, plan, recorder))?;
    analysis.planning.add_first(Phase::Parse, parse_ns);
    Ok(analysis)
}

/// Asks for all columns of the rows of a time range; of all rows, if there is no time column.
fn rows(shown: &Shown, range: TimeRange) -> Result<LogicalPlan> {
    let source = provider_as_source(Arc::clone(&shown.provider));
    let mut plan = LogicalPlanBuilder::scan(SOURCE, source, None)?;
    if let Some(time) = &shown.time_column {
        let at = |us: i64| lit(ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into())));
        let start = range.start_us.map(|start| ident(time).gt_eq(at(start)));
        let end = range.end_us.map(|end| ident(time).lt(at(end)));
        let filter: Option<Expr> = start.into_iter().chain(end).reduce(Expr::and);
        if let Some(filter) = filter {
            plan = plan.filter(filter)?;
        }
    }
    Ok(plan.build()?)
}
