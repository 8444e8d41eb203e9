//! Analysis of a query: how it was planned, what its plan is, and what each operator did.
//!
//! A query is planned rule by rule, with the time of each, and executed once to its end; its rows are
//! dropped. What is said about the plan comes from its nodes and their metrics, never from their text. The
//! plan is the one that the session itself would make.
//!
//! Times are those of one execution. Everything else repeats, if the session has one target partition.

mod findings;
mod normal;
mod operators;
mod picture;
mod rules;
mod scans;
mod text;

use std::sync::Arc;
use std::time::Instant;

use datafusion::execution::TaskContext;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, displayable, execute_stream};
use futures::StreamExt;
use scenarios::Stage;
use serde::{Deserialize, Serialize};

pub use findings::{AggregateOrder, Finding, OrderUse, Scheme};
pub use operators::{Estimate, Operator, Scan};
pub use rules::{Phase, PhaseTime, Planning, Rule};
pub(crate) use scans::ScanCount;

use crate::error::{Error, Result};
use crate::metrics::Recorder;

/// The version of the form in which an [`Analysis`] is written.
pub const ANALYSIS_FORMAT: u32 = 1;

/// How a query was planned and executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Analysis {
    /// [`ANALYSIS_FORMAT`].
    pub format: u32,
    /// Rows of the answer.
    pub rows: u64,
    /// Batches of the answer.
    pub batches: u64,
    /// Elapsed time of the execution.
    pub execution_ns: u64,
    /// How it was planned.
    pub planning: Planning,
    /// The plans as text.
    pub plans: Plans,
    /// The operators of the physical plan, each before its inputs.
    pub operators: Vec<Operator>,
    /// What is worth knowing about them, in their order.
    pub findings: Vec<Finding>,
}

/// The plans of a query as text, one operator a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plans {
    /// The logical plan as the query says it.
    pub logical: String,
    /// The logical plan after all rules.
    pub optimised: String,
    /// The physical plan that was executed.
    pub physical: String,
    /// The optimised and the physical plan without what differs from run to run, for comparing plans: relations
    /// are `r1`, `r2`, and files are counted, not named.
    pub normal: String,
}

/// Plans and executes a query, which only reads, and tells what happened.
///
/// # Errors
/// If the query cannot be planned, or fails.
pub(crate) async fn analyze(
    state: &SessionState,
    logical: LogicalPlan,
    recorder: &Recorder,
) -> Result<Analysis> {
    if matches!(logical, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)) {
        return Err(Error::Query("it is an EXPLAIN itself; give the query that it is about".to_owned()));
    }
    let planned = {
        let _stage = recorder.stage(Stage::QueryPlanning);
        rules::plan(state, logical).await?
    };
    // Texts and estimates are taken now: filters that change while the plan runs are still as planned.
    let physical = displayable(planned.plan.as_ref()).indent(false).to_string();
    let mut operators = operators::before(&planned.plan);
    let normal = normal::normal(&planned.optimised, &operators);

    let mut scans = ScanCount::begin(&planned.plan);
    let begin = Instant::now();
    let (rows, batches) = {
        let _stage = recorder.stage(Stage::Execution);
        execute(&planned.plan, Arc::new(TaskContext::from(state))).await?
    };
    let execution_ns = nanos(begin);
    scans.count(recorder);

    operators::after(&planned.plan, &mut operators);
    let findings = findings::find(&planned.plan, &operators);
    Ok(Analysis {
        format: ANALYSIS_FORMAT,
        rows,
        batches,
        execution_ns,
        planning: planned.planning,
        plans: Plans {
            logical: planned.logical,
            optimised: planned.optimised.display_indent().to_string(),
            physical: physical.trim_end().to_owned(),
            normal,
        },
        operators,
        findings,
    })
}

async fn execute(plan: &Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<(u64, u64)> {
    let mut stream = execute_stream(Arc::clone(plan), context)?;
    let (mut rows, mut batches) = (0, 0);
    while let Some(batch) = stream.next().await {
        rows += batch?.num_rows() as u64;
        batches += 1;
    }
    Ok((rows, batches))
}

pub(super) fn nanos(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
