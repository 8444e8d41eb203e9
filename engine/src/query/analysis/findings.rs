//! What is worth knowing about a plan: what was pruned and pushed down, where order was used or lost, and
//! where rows were sorted or dealt out anew.

use std::sync::Arc;

use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::SortMergeJoinExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::partial_sort::PartialSortExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::windows::BoundedWindowAggExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, InputOrderMode, Partitioning};
use serde::{Deserialize, Serialize};

use super::operators::{Operator, Scan, flatten, order_text};

/// An estimate further off than this many times is a finding.
const MISESTIMATE: u64 = 4;

/// One thing worth knowing; `operator` is the place of the operator that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields say what the variant's sentence needs")]
pub enum Finding {
    /// Files were left out while planning, by their time bounds.
    FilesPruned { operator: usize, pruned: u64, files: u64 },
    /// Row groups of opened files were left out.
    RowGroupsPruned { operator: usize, pruned: u64, row_groups: u64 },
    /// Pages of row groups were left out.
    PagesPruned { operator: usize, pruned: u64, pages: u64 },
    /// A scan applies a filter while it reads.
    PredicatePushed { operator: usize, predicate: String, rows_dropped: u64 },
    /// A filter was left above the scan.
    FilterAbove { operator: usize, scan: usize, predicate: String },
    /// A scan reads some columns only, or all.
    Projection { operator: usize, columns: u64, of: u64 },
    /// A scan declares that its rows are in order.
    OrderDeclared { operator: usize, order: String },
    /// An operator makes use of the order of its input.
    OrderUsed { operator: usize, by: OrderUse, order: String },
    /// The input of an operator is in order and its output is not.
    OrderLost { operator: usize, order: String },
    /// Rows are sorted, or the first few of them found.
    Sort { operator: usize, order: String, limit: Option<u64> },
    /// Rows are dealt out to partitions anew.
    Repartition { operator: usize, scheme: Scheme, partitions: u64, keeps_order: bool },
    /// Rows are aggregated.
    Aggregate { operator: usize, mode: String, order: AggregateOrder },
    /// An operator wrote to disk for want of memory.
    Spilled { operator: usize, spills: u64, bytes: u64 },
    /// The planner was far off.
    Misestimated { operator: usize, estimated: u64, rows: u64 },
}

/// What an order was used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderUse {
    /// Sorted partitions are merged.
    Merge,
    /// Groups end where their key ends.
    Aggregate,
    /// Two sorted inputs are joined.
    Join,
    /// Windows end where their partition ends.
    Window,
    /// A part of the order is there, and the rest is sorted.
    PartialSort,
}

/// How rows are dealt out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// By the hash of some columns.
    Hash,
    /// A batch to each in turn.
    RoundRobin,
    /// By ranges, or in a way that is not known.
    Other,
}

/// How an aggregation finds its groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AggregateOrder {
    /// There is one group.
    Whole,
    /// The input is in the order of the groups: one is open at a time.
    Ordered,
    /// The input is in the order of some of the keys.
    Partly,
    /// All groups are open to the end, in a hash table.
    Hash,
}

impl Finding {
    /// Returns the place of the operator that the finding is about.
    pub fn operator(&self) -> usize {
        match self {
            Self::FilesPruned { operator, .. }
            | Self::RowGroupsPruned { operator, .. }
            | Self::PagesPruned { operator, .. }
            | Self::PredicatePushed { operator, .. }
            | Self::FilterAbove { operator, .. }
            | Self::Projection { operator, .. }
            | Self::OrderDeclared { operator, .. }
            | Self::OrderUsed { operator, .. }
            | Self::OrderLost { operator, .. }
            | Self::Sort { operator, .. }
            | Self::Repartition { operator, .. }
            | Self::Aggregate { operator, .. }
            | Self::Spilled { operator, .. }
            | Self::Misestimated { operator, .. } => *operator,
        }
    }
}

/// Finds what is worth knowing about an executed plan, operator by operator.
pub(super) fn find(plan: &Arc<dyn ExecutionPlan>, operators: &[Operator]) -> Vec<Finding> {
    let mut nodes = Vec::with_capacity(operators.len());
    flatten(plan, &mut nodes);
    let mut findings = Vec::new();
    for (operator, node) in operators.iter().zip(nodes) {
        if let Some(scan) = &operator.scan {
            of_scan(operator, scan, &mut findings);
        }
        of_node(operator, node.as_ref(), operators, &mut findings);
        of_order(operator, node.as_ref(), &mut findings);
        of_counts(operator, &mut findings);
    }
    findings
}

fn of_scan(operator: &Operator, scan: &Scan, findings: &mut Vec<Finding>) {
    let id = operator.id;
    if scan.files_pruned > 0 {
        findings.push(Finding::FilesPruned { operator: id, pruned: scan.files_pruned, files: scan.files });
    }
    if scan.row_groups_pruned > 0 {
        let (pruned, row_groups) = (scan.row_groups_pruned, scan.row_groups_pruned + scan.row_groups);
        findings.push(Finding::RowGroupsPruned { operator: id, pruned, row_groups });
    }
    if scan.pages_pruned > 0 {
        let (pruned, pages) = (scan.pages_pruned, scan.pages_pruned + scan.pages);
        findings.push(Finding::PagesPruned { operator: id, pruned, pages });
    }
    if let Some(predicate) = &scan.predicate {
        let (predicate, rows_dropped) = (predicate.clone(), scan.rows_dropped);
        findings.push(Finding::PredicatePushed { operator: id, predicate, rows_dropped });
    }
    findings.push(Finding::Projection { operator: id, columns: scan.columns, of: scan.table_columns });
    if let Some(order) = &operator.order {
        findings.push(Finding::OrderDeclared { operator: id, order: order.clone() });
    }
}

fn of_node(
    operator: &Operator,
    node: &dyn ExecutionPlan,
    operators: &[Operator],
    findings: &mut Vec<Finding>,
) {
    let id = operator.id;
    if let Some(filter) = node.downcast_ref::<FilterExec>() {
        let predicate = filter.predicate().to_string();
        let below = |scan: &&Operator| scan.scan.is_some() && straight_below(operators, scan, id);
        if let Some(scan) = operators[id..].iter().find(below) {
            findings.push(Finding::FilterAbove { operator: id, scan: scan.id, predicate });
        }
    } else if let Some(sort) = node.downcast_ref::<SortExec>() {
        let limit = sort.fetch().map(|limit| limit as u64);
        findings.push(Finding::Sort { operator: id, order: order_text(sort.expr()), limit });
    } else if let Some(repartition) = node.downcast_ref::<RepartitionExec>() {
        findings.push(Finding::Repartition {
            operator: id,
            scheme: match repartition.partitioning() {
                Partitioning::Hash(..) => Scheme::Hash,
                Partitioning::RoundRobinBatch(_) => Scheme::RoundRobin,
                _ => Scheme::Other,
            },
            partitions: repartition.partitioning().partition_count() as u64,
            keeps_order: repartition.preserve_order(),
        });
    } else if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
        let order = match aggregate.input_order_mode() {
            _ if aggregate.group_expr().is_empty() => AggregateOrder::Whole,
            InputOrderMode::Sorted => AggregateOrder::Ordered,
            InputOrderMode::PartiallySorted(_) => AggregateOrder::Partly,
            InputOrderMode::Linear => AggregateOrder::Hash,
        };
        findings.push(Finding::Aggregate { operator: id, mode: format!("{:?}", aggregate.mode()), order });
    }
}

/// Tells whether only operators with one input lie between a scan and an operator above it.
fn straight_below(operators: &[Operator], scan: &Operator, above: usize) -> bool {
    let mut at = scan;
    while let Some(parent) = at.parent {
        if parent == above {
            return true;
        }
        let inputs = operators.iter().filter(|one| one.parent == Some(parent)).count();
        if inputs != 1 || operators[parent].scan.is_some() {
            return false;
        }
        at = &operators[parent];
    }
    false
}

fn of_order(operator: &Operator, node: &dyn ExecutionPlan, findings: &mut Vec<Finding>) {
    let Some(order) = node.children().into_iter().find_map(|child| child.output_ordering()) else { return };
    let order = order_text(order);
    let operator_id = operator.id;
    let by = if node.downcast_ref::<SortPreservingMergeExec>().is_some() {
        Some(OrderUse::Merge)
    } else if node.downcast_ref::<SortMergeJoinExec>().is_some() {
        Some(OrderUse::Join)
    } else if node.downcast_ref::<BoundedWindowAggExec>().is_some() {
        Some(OrderUse::Window)
    } else if node.downcast_ref::<PartialSortExec>().is_some() {
        Some(OrderUse::PartialSort)
    } else {
        let aggregate = node.downcast_ref::<AggregateExec>();
        let grouped = aggregate.filter(|aggregate| !aggregate.group_expr().is_empty());
        let ordered = grouped.filter(|aggregate| *aggregate.input_order_mode() != InputOrderMode::Linear);
        ordered.map(|_| OrderUse::Aggregate)
    };
    if let Some(by) = by {
        findings.push(Finding::OrderUsed { operator: operator_id, by, order });
        return;
    }
    // One row has no order to lose.
    let one_row = node.downcast_ref::<AggregateExec>().is_some_and(|one| one.group_expr().is_empty());
    if operator.order.is_none() && !one_row {
        findings.push(Finding::OrderLost { operator: operator_id, order });
    }
}

fn of_counts(operator: &Operator, findings: &mut Vec<Finding>) {
    let id = operator.id;
    if operator.spills > 0 {
        let (spills, bytes) = (operator.spills, operator.spilled_bytes);
        findings.push(Finding::Spilled { operator: id, spills, bytes });
    }
    if let (Some(estimate), Some(rows)) = (operator.estimate, operator.rows) {
        let (less, more) = (estimate.rows.min(rows), estimate.rows.max(rows));
        if more > less.max(1).saturating_mul(MISESTIMATE) {
            findings.push(Finding::Misestimated { operator: id, estimated: estimate.rows, rows });
        }
    }
}
