//! How many streams a scan begins: one for each ordered group, unless their order is not worth it.
//!
//! A scan of many series has one ordered group for each series, so that what must come in order is merged
//! and not sorted. Each group is a stream, a task and a batch in memory, and below an aggregation a hash table of
//! its own. This rule puts the groups of a scan together, as many as the plan has partitions, where order is
//! of no use or has too many streams: a sort can spill to disk, a merge cannot.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, InputOrderMode, replace_children_if_necessary};

/// Ordered streams that may be read side by side: a merge holds a batch or two of each.
const MERGED_MAX: usize = 64;

/// Ordered streams that may be read side by side to aggregate in constant memory.
const AGGREGATED_MAX: usize = 16;

/// Puts the groups of a scan together where their order is of no use.
#[derive(Debug)]
pub(super) struct FewerStreams;

impl PhysicalOptimizerRule for FewerStreams {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        rewritten(plan, MERGED_MAX, config.execution.target_partitions)
    }

    fn name(&self) -> &str {
        "fewer_streams"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Rewrites the scans below a node, whose order may cost `ordered_max` streams.
fn rewritten(
    plan: Arc<dyn ExecutionPlan>,
    ordered_max: usize,
    partitions: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(merged) = merged(plan.as_ref(), ordered_max, partitions) {
        return Ok(merged);
    }
    let required = plan.required_input_ordering();
    let mut children = Vec::new();
    for (child, required) in plan.children().into_iter().zip(required) {
        let ordered_max = match plan.downcast_ref::<AggregateExec>() {
            Some(aggregation) => ordered_max_below(aggregation),
            None if required.is_some() || plan.is::<SortExec>() => MERGED_MAX,
            None => ordered_max,
        };
        children.push(rewritten(Arc::clone(child), ordered_max, partitions)?);
    }
    replace_children_if_necessary(plan, children)
}

/// Returns how many ordered streams are better for an aggregation than a few without order.
fn ordered_max_below(aggregation: &AggregateExec) -> usize {
    if !aggregation.aggr_expr().iter().all(|one| ignores_order(one)) {
        return MERGED_MAX;
    }
    let in_constant_memory = *aggregation.input_order_mode() == InputOrderMode::Sorted;
    if in_constant_memory { AGGREGATED_MAX } else { 0 }
}

/// Tells whether an aggregate is the same in any order of the rows.
fn ignores_order(aggregate: &AggregateFunctionExpr) -> bool {
    // A count is one too, though DataFusion does not say so.
    aggregate.fun().order_sensitivity().is_insensitive() || aggregate.fun().name() == "count"
}

/// Returns a scan with its groups put together, if that makes fewer.
fn merged(plan: &dyn ExecutionPlan, ordered_max: usize, partitions: usize) -> Option<Arc<dyn ExecutionPlan>> {
    let config = plan.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()?;
    if config.file_groups.len() <= partitions.max(ordered_max) {
        return None;
    }
    let files: Vec<_> = config.file_groups.iter().flat_map(FileGroup::iter).cloned().collect();
    let groups = files.chunks(files.len().div_ceil(partitions)).map(|files| FileGroup::new(files.to_vec()));
    let config = FileScanConfigBuilder::from(config.clone())
        .with_file_groups(groups.collect())
        .with_output_ordering(Vec::new())
        .with_preserve_order(false)
        .build();
    Some(DataSourceExec::from_data_source(config))
}
