//! An analysis as text.

use std::fmt;

use super::findings::{AggregateOrder, Finding, OrderUse, Scheme};
use super::normal::depth;
use super::operators::Operator;
use super::{Analysis, Planning};

impl Analysis {
    /// Writes the analysis as text, a few sections of lines.
    pub fn text(&self) -> String {
        let mut lines = vec![
            format!("{} in {}", counted(self.rows, "row"), counted_batches(self.batches)),
            format!(
                "planned in {}, executed in {}",
                millis(self.planning.total_ns),
                millis(self.execution_ns)
            ),
        ];
        section(&mut lines, "operators", self.operators.iter().flat_map(|one| self.operator(one)));
        section(&mut lines, "findings", self.findings.iter().map(|one| self.finding(one)));
        section(&mut lines, "planning", planning(&self.planning));
        section(&mut lines, "logical plan", self.plans.logical.lines().map(str::to_owned));
        section(&mut lines, "optimised plan", self.plans.optimised.lines().map(str::to_owned));
        lines.join("\n")
    }

    /// Writes an operator: what it is, then what it was expected to do and did.
    fn operator(&self, operator: &Operator) -> [String; 2] {
        let indent = "  ".repeat(depth(&self.operators, operator));
        let detail = if operator.detail.is_empty() { "" } else { ": " };
        let mut did: Vec<String> = Vec::new();
        did.extend(operator.rows.map(|rows| counted(rows, "row")));
        did.extend(operator.estimate.map(|estimate| {
            let word = if estimate.exact { "known" } else { "estimated" };
            format!("{} {word}", estimate.rows)
        }));
        did.extend(operator.batches.map(counted_batches));
        did.extend(operator.bytes.map(|bytes| counted(bytes, "byte")));
        if let Some(scan) = &operator.scan {
            did.push(format!("{} read", counted(scan.row_groups, "row group")));
            did.push(format!("{} scanned", counted(scan.bytes, "byte")));
        }
        did.push(counted(operator.partitions as u64, "partition"));
        did.extend(operator.compute_ns.map(millis));
        [
            format!("{indent}#{} {}{detail}{}", operator.id, operator.name, operator.detail),
            format!("{indent}   {}", did.join(", ")),
        ]
    }

    fn finding(&self, finding: &Finding) -> String {
        let id = finding.operator();
        format!("#{id} {}: {finding}", self.operators.get(id).map_or("", |operator| &operator.name))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FilesPruned { pruned, files, .. } => {
                write!(f, "{pruned} of {files} files pruned by their time bounds")
            }
            Self::RowGroupsPruned { pruned, row_groups, .. } => {
                write!(f, "{pruned} of {row_groups} row groups pruned")
            }
            Self::PagesPruned { pruned, pages, .. } => write!(f, "{pruned} of {pages} pages pruned"),
            Self::PredicatePushed { predicate, rows_dropped, .. } => {
                write!(
                    f,
                    "filter applied while reading, {} dropped: {predicate}",
                    counted(*rows_dropped, "row")
                )
            }
            Self::FilterAbove { scan, predicate, .. } => {
                write!(f, "filter left above the scan #{scan}: {predicate}")
            }
            Self::Projection { columns, of, .. } => write!(f, "{columns} of {of} columns read"),
            Self::OrderDeclared { order, .. } => write!(f, "rows are declared in order of {order}"),
            Self::OrderUsed { by, order, .. } => write!(f, "order of {order} used {by}"),
            Self::OrderLost { order, .. } => write!(f, "order of {order} lost"),
            Self::Sort { order, limit: None, .. } => write!(f, "rows sorted by {order}"),
            Self::Sort { order, limit: Some(limit), .. } => {
                write!(f, "first {} found by {order}", counted(*limit, "row"))
            }
            Self::Repartition { scheme, partitions, keeps_order, .. } => {
                let order = if *keeps_order { ", order kept" } else { "" };
                write!(f, "rows dealt out {scheme} to {}{order}", counted(*partitions, "partition"))
            }
            Self::Aggregate { mode, order, .. } => write!(f, "aggregated ({mode}) {order}"),
            Self::Spilled { spills, bytes, .. } => {
                write!(f, "{} spilled to disk, {}", counted(*bytes, "byte"), counted(*spills, "time"))
            }
            Self::Misestimated { estimated, rows, .. } => {
                write!(f, "{} estimated, {rows} found", counted(*estimated, "row"))
            }
        }
    }
}

impl fmt::Display for OrderUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Merge => "to merge partitions",
            Self::Aggregate => "to aggregate",
            Self::Join => "to join",
            Self::Window => "for windows",
            Self::PartialSort => "to sort less",
        })
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hash => "by hash",
            Self::RoundRobin => "in turn",
            Self::Other => "by range",
        })
    }
}

impl fmt::Display for AggregateOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "as one group",
            Self::Ordered => "in order, one group open at a time",
            Self::Partly => "partly in order",
            Self::Hash => "with a hash table",
        })
    }
}

/// Describes planning: its phases, then the rules that changed something or took long.
fn planning(planning: &Planning) -> Vec<String> {
    let share = |ns: u64| 100 * ns / planning.total_ns.max(1);
    let mut lines = Vec::new();
    for phase in &planning.phases {
        lines.push(format!("{}: {}, {} %", phase.phase.name(), millis(phase.ns), share(phase.ns)));
        let rules = planning.rules.iter().filter(|rule| rule.phase == phase.phase);
        for rule in rules.filter(|rule| rule.changes > 0 || share(rule.ns) > 0) {
            lines.push(format!(
                "  {}: {}, {}, {}",
                rule.name,
                millis(rule.ns),
                counted(rule.runs.into(), "run"),
                counted(rule.changes.into(), "change")
            ));
        }
    }
    lines
}

fn section(lines: &mut Vec<String>, title: &str, inside: impl IntoIterator<Item = String>) {
    lines.push(String::new());
    lines.push(title.to_owned());
    lines.extend(inside.into_iter().map(|line| format!("  {line}")));
}

/// Writes how many there are of something.
pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn counted_batches(count: u64) -> String {
    if count == 1 { "1 batch".to_owned() } else { format!("{count} batches") }
}

/// Shows a time in milliseconds.
pub(super) fn millis(ns: u64) -> String {
    format!("{:.3} ms", ns as f64 / 1e6)
}
