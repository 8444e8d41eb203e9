//! Counting what the scans of a plan read, and what its operators put aside on disk.

use std::sync::Arc;

use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};

use crate::metrics::{Counter, Recorder};

/// Counts the rows and row groups that the scans of a plan read, and what spilled, from one moment on.
///
/// A plan that is executed again keeps its metrics, so only what is new is counted.
pub(crate) struct ScanCount {
    plan: Arc<dyn ExecutionPlan>,
    counted: Read,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Read {
    rows: u64,
    row_groups: u64,
    spills: u64,
    spilled_bytes: u64,
}

impl ScanCount {
    /// Begins to count, before the plan is executed.
    pub(crate) fn begin(plan: &Arc<dyn ExecutionPlan>) -> Self {
        Self { plan: Arc::clone(plan), counted: read(plan) }
    }

    /// Adds what the scans have read since it was last counted.
    pub(crate) fn count(&mut self, recorder: &Recorder) {
        let now = read(&self.plan);
        recorder.count(Counter::RowsRead, now.rows - self.counted.rows);
        recorder.count(Counter::RowGroupsRead, now.row_groups - self.counted.row_groups);
        recorder.count(Counter::Spills, now.spills - self.counted.spills);
        recorder.count(Counter::SpilledBytes, now.spilled_bytes - self.counted.spilled_bytes);
        self.counted = now;
    }
}

fn read(plan: &Arc<dyn ExecutionPlan>) -> Read {
    let mut sum = Read::default();
    if let Some(metrics) = plan.metrics() {
        if plan.is::<DataSourceExec>() {
            (sum.rows, sum.row_groups) = (rows_decoded(&metrics), row_groups(&metrics).0);
        }
        sum.spills = metrics.spill_count().unwrap_or(0) as u64;
        sum.spilled_bytes = metrics.spilled_bytes().unwrap_or(0) as u64;
    }
    for child in plan.children() {
        let below = read(child);
        sum.rows += below.rows;
        sum.row_groups += below.row_groups;
        sum.spills += below.spills;
        sum.spilled_bytes += below.spilled_bytes;
    }
    sum
}

/// Returns the rows that a scan decoded: those it passed on, and those its own filter dropped.
pub(super) fn rows_decoded(metrics: &MetricsSet) -> u64 {
    let rows = metrics.output_rows().unwrap_or(0) as u64;
    rows + value(metrics, "pushdown_rows_pruned")
}

/// Returns the row groups that a scan read, and those of its files that it did not.
pub(super) fn row_groups(metrics: &MetricsSet) -> (u64, u64) {
    let (by_statistics, kept) = pruned(metrics, "row_groups_pruned_statistics");
    let later = pruned(metrics, "row_groups_pruned_bloom_filter").0
        + pruned(metrics, "limit_pruned_row_groups").0
        + value(metrics, "row_groups_pruned_dynamic_filter");
    // A group that two of the later steps leave out would be counted twice.
    (kept.saturating_sub(later), by_statistics + later.min(kept))
}

/// Returns the sum of a metric by its name.
pub(super) fn value(metrics: &MetricsSet, name: &str) -> u64 {
    metrics.sum_by_name(name).map_or(0, |value| value.as_usize() as u64)
}

/// Returns what a pruning left out and what it let pass, by its name.
pub(super) fn pruned(metrics: &MetricsSet, name: &str) -> (u64, u64) {
    let mut sum = (0, 0);
    for metric in metrics.iter() {
        if let MetricValue::PruningMetrics { name: found, pruning_metrics } = metric.value()
            && found == name
        {
            sum.0 += pruning_metrics.pruned() as u64;
            sum.1 += pruning_metrics.matched() as u64;
        }
    }
    sum
}
