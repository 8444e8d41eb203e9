//! What a baseline changed for, and which regressions were ever accepted.
//!
//! When a run is blessed, it is compared with the baseline that it replaces. What became better or worse is kept with
//! the reason, and regressions stay in the list of accepted ones when the next run is blessed. Times are not part of it:
//! a stored time is no evidence.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use scenarios::{Kind, Metric, Phase};
use serde::{Deserialize, Serialize};

use super::Baseline;
use crate::units;
use crate::verdict::{Comparison, Scope, Times, Verdict, compare};

/// Metrics that are kept of those that became worse, and of those that became better.
const KEPT_METRICS: usize = 40;

/// Cells that are kept of those that became worse.
const KEPT_CELLS: usize = 40;

/// A metric that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Moved {
    /// The cell.
    pub(crate) cell: String,
    /// The phase.
    pub(crate) phase: Phase,
    /// The metric.
    pub(crate) metric: String,
    /// Its value before: of a counter, that of the first execution that differs.
    pub(crate) base: u64,
    /// Its value now.
    pub(crate) head: u64,
}

/// Metrics that became worse, or better, the largest change of each cell first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Side {
    /// The metrics.
    pub(crate) metrics: Vec<Moved>,
    /// How many more there were.
    pub(crate) cut: usize,
}

/// What differs from the baseline that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Changes {
    /// The revision of the baseline that was replaced.
    pub(crate) against: String,
    /// What became worse.
    pub(crate) worse: Side,
    /// What became better.
    pub(crate) better: Side,
    /// Cells that the replaced baseline did not have.
    pub(crate) new_cells: usize,
    /// Cells that only the replaced baseline had.
    pub(crate) gone_cells: usize,
    /// Counters of cells of both that could not be compared: missing, or not repeating.
    pub(crate) not_compared: usize,
}

/// A regression that somebody accepted, with a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accepted {
    /// The run that was blessed.
    pub(crate) run: String,
    /// When it began.
    pub(crate) started: String,
    /// Its revision.
    pub(crate) revision: String,
    /// Why it was accepted.
    pub(crate) reason: String,
    /// The cells that became worse, in alphabetical order.
    pub(crate) cells: Vec<String>,
    /// How many more there were.
    pub(crate) cut: usize,
}

impl Changes {
    /// Compares a baseline with the one that it replaces.
    pub(super) fn between(old: &Baseline, new: &Baseline) -> (Self, BTreeSet<String>) {
        let cells: BTreeSet<String> = new.cells.keys().cloned().collect();
        let scope = Scope { counters: true, bounded: false, times: Times::NotAsked };
        let comparison = compare(&old.measured(), &new.measured(), &cells, scope);
        let (worse, better): (Vec<(bool, Moved)>, _) =
            moved(&comparison).into_iter().partition(|(is_worse, _)| *is_worse);
        let worse: Vec<Moved> = worse.into_iter().map(|(_, moved)| moved).collect();
        let better: Vec<Moved> = better.into_iter().map(|(_, moved)| moved).collect();
        let worse_cells = worse.iter().map(|moved| moved.cell.clone()).collect();
        let both = |id: &String| old.cells.contains_key(id) && new.cells.contains_key(id);
        let open = comparison.findings.iter().filter(|finding| both(&finding.cell));
        let open =
            open.filter(|finding| matches!(finding.verdict, Verdict::Incomparable | Verdict::Inconclusive));
        let changes = Self {
            against: old.revision.clone(),
            worse: Side::of(worse),
            better: Side::of(better),
            new_cells: new.cells.keys().filter(|id| !old.cells.contains_key(*id)).count(),
            gone_cells: old.cells.keys().filter(|id| !new.cells.contains_key(*id)).count(),
            not_compared: open.count(),
        };
        (changes, worse_cells)
    }

    /// Says the changes in a few lines.
    pub(crate) fn text(&self) -> String {
        let mut out = format!("against the baseline of revision {}:\n", self.against);
        for (word, side) in [("worse", &self.worse), ("better", &self.better)] {
            out.push_str(&side.text(word));
        }
        let counts = [
            (self.new_cells, "new cells"),
            (self.gone_cells, "cells that are gone"),
            (self.not_compared, "counters that could not be compared"),
        ];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            out.push_str(&format!("  {} {what}\n", units::count(count as u64)));
        }
        if out.lines().count() == 1 {
            out.push_str("  nothing became better or worse\n");
        }
        out
    }
}

impl Side {
    fn of(mut all: Vec<Moved>) -> Self {
        all.sort_by(larger_first);
        // Of each cell the largest change, then of each the second, so that no cell hides the others.
        let mut rank: BTreeMap<String, usize> = BTreeMap::new();
        let mut ranked: Vec<(usize, Moved)> = Vec::with_capacity(all.len());
        for moved in all {
            let number = rank.entry(moved.cell.clone()).or_default();
            ranked.push((*number, moved));
            *number += 1;
        }
        ranked.sort_by_key(|(number, _)| *number);
        let cut = ranked.len().saturating_sub(KEPT_METRICS);
        Self { metrics: ranked.into_iter().take(KEPT_METRICS).map(|(_, moved)| moved).collect(), cut }
    }

    fn text(&self, word: &str) -> String {
        let mut out = String::new();
        for moved in &self.metrics {
            let Moved { cell, phase, metric, base, head } = moved;
            let value = |value| units::metric(metric, value);
            let (phase, change) = (phase.name(), units::change(*base, *head));
            let line =
                format!("  {word}: {cell} {phase} {metric} {} → {}, {change}\n", value(*base), value(*head));
            out.push_str(&line);
        }
        if self.cut > 0 {
            out.push_str(&format!("  {word}: {} more\n", units::count(self.cut as u64)));
        }
        out
    }
}

impl Accepted {
    /// Makes the entry of a baseline of which some cells became worse.
    pub(super) fn of(baseline: &Baseline, cells: BTreeSet<String>) -> Self {
        let cut = cells.len().saturating_sub(KEPT_CELLS);
        Self {
            run: baseline.run.clone(),
            started: baseline.started.clone(),
            revision: baseline.revision.clone(),
            reason: baseline.reason.clone(),
            cells: cells.into_iter().take(KEPT_CELLS).collect(),
            cut,
        }
    }

    /// Says the entry in a line.
    pub(crate) fn text(&self) -> String {
        let Self { started, revision, reason, cells, cut, .. } = self;
        let more = if *cut > 0 { format!(" and {cut} more") } else { String::new() };
        format!("{started}, revision {revision}: {reason}: {}{more}", cells.join(", "))
    }
}

/// Lists what moved, and whether it became worse.
fn moved(comparison: &Comparison) -> Vec<(bool, Moved)> {
    let mut all = Vec::new();
    for finding in &comparison.findings {
        let is_worse = finding.verdict == Verdict::Regressed;
        if let (true, Some(phase), Some(metric), Some(base), Some(head)) = (
            is_worse || finding.verdict == Verdict::Improved,
            finding.phase,
            &finding.metric,
            finding.base,
            finding.head,
        ) {
            let cell = finding.cell.clone();
            all.push((is_worse, Moved { cell, phase, metric: metric.clone(), base, head }));
        }
    }
    for pair in &comparison.medians {
        let is_told = |(_, moved): &(bool, Moved)| {
            moved.cell == pair.cell && moved.phase == pair.phase && moved.metric == pair.metric
        };
        let bound =
            Metric::bound(&pair.metric).filter(|_| Metric::kind_of(&pair.metric) == Some(Kind::Bounded));
        let Some(bound) = bound.filter(|_| !all.iter().any(is_told)) else { continue };
        let (base, head) = (pair.base, pair.head);
        if !bound.holds(base, head) {
            let (cell, metric) = (pair.cell.clone(), pair.metric.clone());
            all.push((head > base, Moved { cell, phase: pair.phase, metric, base, head }));
        }
    }
    all
}

fn larger_first(a: &Moved, b: &Moved) -> Ordering {
    let size = |moved: &Moved| (moved.head.max(1) as f64 / moved.base.max(1) as f64).ln().abs();
    let name = |moved: &Moved| (moved.cell.clone(), moved.phase, moved.metric.clone());
    size(b).total_cmp(&size(a)).then_with(|| name(a).cmp(&name(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::tests::{measured, set_median};

    fn baseline(run: &str, rows: u64, reason: &str) -> Baseline {
        let measured = measured(vec![rows], false, 9);
        Baseline::new(&measured, reason).of_run(run, &format!("day {run}"))
    }

    #[test]
    fn what_became_worse_is_accepted_with_its_reason_and_stays() {
        let first = baseline("1", 5, "first").replacing(None);
        assert_eq!((&first.changes, first.accepted.len()), (&None, 0));
        let second = baseline("2", 8, "rows are checked twice").replacing(Some(&first));
        let third = baseline("3", 4, "and now once").replacing(Some(&second));
        let changes = third.changes.clone().unwrap();
        assert_eq!((changes.worse.metrics.len(), changes.better.metrics.len()), (0, 1));
        assert_eq!(third.accepted.len(), 1);
        assert_eq!(third.accepted[0].text(), "day 2, revision v: rows are checked twice: s/c[]");
        insta::assert_snapshot!(second.changes.unwrap().text(), @r"
        against the baseline of revision v:
          worse: s/c[] warm rows_read 5 rows → 8 rows, +60.0 %
        ");
    }

    #[test]
    fn the_same_run_blessed_again_only_has_another_reason() {
        let first = baseline("1", 5, "first").replacing(None);
        let second = baseline("2", 8, "why").replacing(Some(&first));
        let again = baseline("2", 8, "why not").replacing(Some(&second));
        assert_eq!(again.changes, second.changes);
        assert_eq!(again.accepted.iter().map(|one| one.reason.as_str()).collect::<Vec<_>>(), ["why not"]);
    }

    #[test]
    fn each_cell_is_there_before_any_is_there_twice() {
        let moved = |cell: usize, metric: &str, head: u64| Moved {
            cell: format!("c{cell:02}"),
            phase: Phase::Cold,
            metric: metric.into(),
            base: 10,
            head,
        };
        let all = (0..30).flat_map(|cell| {
            ["a", "b"].map(|metric| moved(cell, metric, if metric == "a" { 11 } else { 20 + cell as u64 }))
        });
        let side = Side::of(all.collect());
        assert_eq!((side.metrics.len(), side.cut), (40, 20));
        assert_eq!((side.metrics[0].cell.as_str(), side.metrics[0].head), ("c29", 49));
        let first: BTreeSet<&str> = side.metrics[..30].iter().map(|moved| moved.cell.as_str()).collect();
        assert_eq!(first.len(), 30);
        assert!(side.text("worse").ends_with("  worse: 20 more\n"));
    }

    #[test]
    fn allocations_beyond_their_bound_are_said_and_times_are_not() {
        let of = |allocated, wall| {
            let mut measured = measured(vec![5], false, wall);
            set_median(&mut measured, "alloc_count", allocated);
            Baseline::new(&measured, "why")
        };
        let (changes, worse) = Changes::between(&of(10_000, 10), &of(10_300, 20));
        assert_eq!(worse.into_iter().collect::<Vec<_>>(), ["s/c[]"]);
        assert_eq!(changes.worse.metrics.len(), 1);
        let (changes, _) = Changes::between(&of(10_000, 10), &of(10_100, 20));
        assert!(changes.text().ends_with("nothing became better or worse\n"));
    }
}
