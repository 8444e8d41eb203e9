//! Queries, and their answers: batches as they come.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::execution::context::SessionContext;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream, execute_stream};
use futures::StreamExt;
use scenarios::Stage;
use tokio::runtime::Runtime;

use super::analysis::ScanCount;
use super::exported::exported_table;
use super::planner::{PlanKey, Planner, Shown};
use super::relation::{plan_sql, quoted};
use super::session::QueryOptions;
use crate::error::{Error, Result};
use crate::metrics::{Counter, Recorder};
use crate::series::TimeRange;

/// The name by which a query calls the file it reads.
pub const SOURCE: &str = "source";

/// What makes a query's plan one of its moment or its call: such plans are not kept.
const MOMENTARY: [&str; 6] = ["now", "current_", "today", "random", "uuid", "localtime"];

/// Relations by the names a query calls them.
pub(crate) type Relations = BTreeMap<String, Shown>;

/// The batches of a query's answer.
pub struct Answer {
    stream: SendableRecordBatchStream,
    scans: ScanCount,
    runtime: Arc<Runtime>,
    recorder: Arc<Recorder>,
}

/// Writes the condition that a time lies in a range, with its `WHERE`; nothing for the whole range.
pub(crate) fn bounds(time: &str, range: TimeRange) -> String {
    let bound = |us: i64, sign: &str| {
        format!("{} {sign} arrow_cast({us}, 'Timestamp(Microsecond, Some(\"UTC\"))')", quoted(time))
    };
    let bounds = [range.start_us.map(|us| bound(us, ">=")), range.end_us.map(|us| bound(us, "<"))];
    let bounds: Vec<String> = bounds.into_iter().flatten().collect();
    if bounds.is_empty() { String::new() } else { format!(" WHERE {}", bounds.join(" AND ")) }
}

/// Runs a query over relations. Only queries are allowed: nothing that makes, changes or writes tables.
///
/// # Errors
/// If the query is wrong.
pub(crate) fn query(
    planner: &Planner,
    relations: &Relations,
    sql: &str,
    options: QueryOptions,
) -> Result<Answer> {
    let (physical, context) = planned(planner, relations, sql, options)?;
    executed(planner, physical, &context)
}

/// Runs a query over the files of an exported folder.
///
/// Its plan is not kept: the folder may be replaced by anyone.
///
/// # Errors
/// If the folder is no export, or the query is wrong.
pub(crate) fn query_export(
    planner: &Planner,
    folder: &Path,
    sql: &str,
    options: QueryOptions,
) -> Result<Answer> {
    let context = planner.session(options)?;
    let recorder = planner.recorder();
    let provider = {
        let _stage = recorder.stage(Stage::ProviderCreation);
        recorder.count(Counter::ProvidersBuilt, 1);
        exported_table(&context, folder)?
    };
    let physical = {
        let _stage = recorder.stage(Stage::QueryPlanning);
        recorder.count(Counter::PlansBuilt, 1);
        let state = context.state();
        let logical = plan_sql(&state, sql, &BTreeMap::from([(SOURCE.to_owned(), provider)]))?;
        planner.runtime().block_on(state.create_physical_plan(&logical))?
    };
    executed(planner, physical, &context)
}

fn planned(
    planner: &Planner,
    relations: &Relations,
    sql: &str,
    options: QueryOptions,
) -> Result<(Arc<dyn ExecutionPlan>, SessionContext)> {
    let context = planner.session(options)?;
    let _stage = planner.recorder().stage(Stage::QueryPlanning);
    let state = context.state();
    let build = || {
        let providers: BTreeMap<String, Arc<dyn TableProvider>> =
            relations.iter().map(|(name, shown)| (name.clone(), Arc::clone(&shown.provider))).collect();
        let logical = plan_sql(&state, sql, &providers)?;
        state.optimize(&logical).map_err(Error::from)
    };
    let lower = sql.to_ascii_lowercase();
    let optimised = if MOMENTARY.iter().any(|word| lower.contains(word)) {
        Arc::new(build()?)
    } else {
        let sources = relations.iter().map(|(name, shown)| (name.clone(), shown.source)).collect();
        let target_partitions = options.target_partitions;
        planner.plan(PlanKey { text: sql.to_owned(), relations: sources, target_partitions }, build)?
    };
    let physical =
        planner.runtime().block_on(state.query_planner().create_physical_plan(&optimised, &state))?;
    Ok((physical, context))
}

/// Begins to execute a plan.
fn executed(planner: &Planner, plan: Arc<dyn ExecutionPlan>, context: &SessionContext) -> Result<Answer> {
    let recorder = planner.recorder();
    let _stage = recorder.stage(Stage::Execution);
    let _entered = planner.runtime().enter();
    let scans = ScanCount::begin(&plan);
    let stream = execute_stream(plan, context.task_ctx())?;
    Ok(Answer { stream, scans, runtime: Arc::clone(planner.runtime()), recorder: Arc::clone(recorder) })
}

impl Answer {
    /// Returns the columns of the answer.
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }
}

impl Iterator for Answer {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let _stage = self.recorder.stage(Stage::Execution);
        let next = self.runtime.block_on(self.stream.next());
        if !matches!(next, Some(Ok(_))) {
            self.scans.count(&self.recorder);
        }
        Some(next?.map_err(Error::from))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // An answer that was not read to its end has read something too.
        self.scans.count(&self.recorder);
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answer")
    }
}
