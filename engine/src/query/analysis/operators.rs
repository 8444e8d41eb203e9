//! The operators of a physical plan: what each is, was expected to do, and did.

use std::sync::Arc;

use datafusion::common::stats::Precision;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_plan::metrics::{Metric, MetricValue, MetricsSet};
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, displayable};
use serde::{Deserialize, Serialize};

use super::scans::{pruned, row_groups, value};
use super::text::counted;
use crate::series::{BYTES_SCANNED, FILES_PRUNED, FILES_SCANNED, PATH_LABEL};

/// One operator of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Its place in the list.
    pub id: usize,
    /// The operator that takes its rows; none for the last one, which has the answer.
    pub parent: Option<usize>,
    /// What it is.
    pub name: String,
    /// How it is set.
    pub detail: String,
    /// Partitions of its output.
    pub partitions: usize,
    /// The order of its output, within each partition.
    pub order: Option<String>,
    /// The rows that the planner expected.
    pub estimate: Option<Estimate>,
    /// The rows that it put out; not every operator counts them.
    pub rows: Option<u64>,
    /// The batches that it put out.
    pub batches: Option<u64>,
    /// Bytes of memory of what it put out.
    pub bytes: Option<u64>,
    /// Processor time of its own, over all partitions; of a scan, the time in which it had work.
    pub compute_ns: Option<u64>,
    /// How often it wrote to disk for want of memory.
    pub spills: u64,
    /// Bytes that it wrote to disk for want of memory.
    pub spilled_bytes: u64,
    /// What it read, if it is a scan.
    pub scan: Option<Scan>,
}

/// What the planner expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Rows.
    pub rows: u64,
    /// Whether the planner was certain.
    pub exact: bool,
}

/// What a scan was to read, and what it read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// The path in the pond, if the scan is of one; of several, the first, and how many more.
    pub path: Option<String>,
    /// Files that there are.
    pub files: u64,
    /// Files left out while planning, by their time bounds and captures.
    pub files_pruned: u64,
    /// File groups of the scan: each is read in order.
    pub groups: u64,
    /// Columns read.
    pub columns: u64,
    /// Columns that there are.
    pub table_columns: u64,
    /// The filter that the scan applies itself.
    pub predicate: Option<String>,
    /// The limit that the scan was given.
    pub limit: Option<u64>,
    /// Row groups read.
    pub row_groups: u64,
    /// Row groups of the opened files that were left out.
    pub row_groups_pruned: u64,
    /// Pages left out by the page index.
    pub pages_pruned: u64,
    /// Pages that the page index let pass.
    pub pages: u64,
    /// Rows that the scan's own filter dropped.
    pub rows_dropped: u64,
    /// Bytes asked of the files, without footers.
    pub bytes: u64,
}

/// Describes the operators of a plan before it is executed.
pub(super) fn before(plan: &Arc<dyn ExecutionPlan>) -> Vec<Operator> {
    let mut operators = Vec::new();
    // One context for all: it remembers what it has computed.
    add(plan, None, &StatisticsContext::new(), &mut operators);
    operators
}

fn add(
    plan: &Arc<dyn ExecutionPlan>,
    parent: Option<usize>,
    statistics: &StatisticsContext,
    operators: &mut Vec<Operator>,
) {
    let id = operators.len();
    let scan = planned_scan(plan.as_ref());
    operators.push(Operator {
        id,
        parent,
        name: name(plan.as_ref()).to_owned(),
        detail: detail(plan.as_ref(), scan.as_ref()),
        partitions: plan.output_partitioning().partition_count(),
        order: plan.output_ordering().map(order_text),
        estimate: estimate(plan.as_ref(), statistics),
        rows: None,
        batches: None,
        bytes: None,
        compute_ns: None,
        spills: 0,
        spilled_bytes: 0,
        scan,
    });
    for child in plan.children() {
        add(child, Some(id), statistics, operators);
    }
}

/// Returns the name of an operator's kind; its form, such as TopK, is part of the detail.
fn name(plan: &dyn ExecutionPlan) -> &str {
    let name = plan.name();
    name.split_once('(').map_or(name, |(kind, _)| kind)
}

/// Returns the planner's estimate; an operator that cannot give one has none.
fn estimate(plan: &dyn ExecutionPlan, statistics: &StatisticsContext) -> Option<Estimate> {
    let rows = statistics.compute(plan, &StatisticsArgs::new()).ok()?.num_rows;
    let exact = matches!(rows, Precision::Exact(_));
    rows.get_value().map(|rows| Estimate { rows: *rows as u64, exact })
}

/// Writes an order as a list of expressions with their directions.
pub(super) fn order_text(order: &LexOrdering) -> String {
    let keys: Vec<String> = order.iter().map(ToString::to_string).collect();
    keys.join(", ")
}

/// Describes how an operator is set, in a line; a scan without the names of its files.
fn detail(plan: &dyn ExecutionPlan, scan: Option<&Scan>) -> String {
    let Some(scan) = scan else {
        let line = displayable(plan).one_line().to_string();
        let line = line.trim_end();
        let rest = line.strip_prefix(name(plan)).unwrap_or(line);
        return rest.trim_start_matches([':', ' ']).to_owned();
    };
    let mut parts = Vec::new();
    parts.extend(scan.path.clone());
    parts.push(format!(
        "{} of {} files in {}",
        scan.files - scan.files_pruned,
        scan.files,
        counted(scan.groups, "group")
    ));
    parts.push(format!("{} of {} columns", scan.columns, scan.table_columns));
    parts.extend(plan.output_ordering().map(|order| format!("order [{}]", order_text(order))));
    parts.extend(scan.predicate.as_ref().map(|predicate| format!("predicate {predicate}")));
    parts.extend(scan.limit.map(|limit| format!("limit {limit}")));
    parts.join(", ")
}

/// Returns what a scan of files is about to read; nothing for other operators.
fn planned_scan(plan: &dyn ExecutionPlan) -> Option<Scan> {
    let config = scan_config(plan)?;
    let metrics = plan.metrics().unwrap_or_default();
    let in_plan: usize = config.file_groups.iter().map(|group| group.len()).sum();
    let source = config.file_source();
    Some(Scan {
        path: label(&metrics),
        files: in_plan as u64 + value(&metrics, FILES_PRUNED),
        files_pruned: value(&metrics, FILES_PRUNED),
        groups: config.file_groups.len() as u64,
        columns: plan.schema().fields().len() as u64,
        table_columns: source.table_schema().table_schema().fields().len() as u64,
        predicate: source.filter().map(|predicate| predicate.to_string()),
        limit: config.limit.map(|limit| limit as u64),
        ..Scan::default()
    })
}

fn scan_config(plan: &dyn ExecutionPlan) -> Option<&FileScanConfig> {
    plan.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()
}

/// Returns the path that the scan of a pond's series carries.
fn label(metrics: &MetricsSet) -> Option<String> {
    let scanned = metrics.iter().find(|metric| metric.value().name() == FILES_SCANNED)?;
    let label = scanned.labels().iter().find(|label| label.name() == PATH_LABEL)?;
    Some(label.value().to_owned())
}

/// Adds what the operators of an executed plan did.
pub(super) fn after(plan: &Arc<dyn ExecutionPlan>, operators: &mut [Operator]) {
    let mut nodes = Vec::with_capacity(operators.len());
    flatten(plan, &mut nodes);
    for (operator, node) in operators.iter_mut().zip(nodes) {
        let Some(metrics) = node.metrics() else { continue };
        operator.rows = metrics.output_rows().map(|rows| rows as u64);
        let sum = |of: fn(&Metric) -> bool| metrics.sum(of).map(|value| value.as_usize() as u64);
        operator.batches = sum(|metric| matches!(metric.value(), MetricValue::OutputBatches(_)));
        operator.bytes = sum(|metric| matches!(metric.value(), MetricValue::OutputBytes(_)));
        operator.compute_ns = metrics.elapsed_compute().map(|ns| ns as u64);
        operator.spills = metrics.spill_count().unwrap_or(0) as u64;
        operator.spilled_bytes = metrics.spilled_bytes().unwrap_or(0) as u64;
        if let Some(scan) = &mut operator.scan {
            (scan.row_groups, scan.row_groups_pruned) = row_groups(&metrics);
            (scan.pages_pruned, scan.pages) = pruned(&metrics, "page_index_pages_pruned");
            scan.rows_dropped = value(&metrics, "pushdown_rows_pruned");
            scan.bytes = value(&metrics, BYTES_SCANNED);
            let working = metrics.sum_by_name("time_elapsed_processing").map(|ns| ns.as_usize() as u64);
            operator.compute_ns = working.max(operator.compute_ns);
        }
    }
}

/// Lists the nodes of a plan, each before its inputs.
pub(super) fn flatten<'a>(plan: &'a Arc<dyn ExecutionPlan>, nodes: &mut Vec<&'a Arc<dyn ExecutionPlan>>) {
    nodes.push(plan);
    for child in plan.children() {
        flatten(child, nodes);
    }
}
