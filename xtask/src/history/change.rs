//! What a history shows of one series: its values, its levels and drifts, and its steps from one to the next.

use std::rc::Rc;

use scenarios::{Kind, Metric};

use super::series::{Key, Run};

/// How many runs a place may be off, and still be that of a run that was blessed.
const NEAR: usize = 3;

/// A series, and what it shows.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// What it is of.
    pub(crate) key: Key,
    /// Its runs, oldest first.
    pub(crate) runs: Vec<Rc<Run>>,
    /// The value of each; of a counter the mean over executions.
    pub(crate) values: Vec<f64>,
    /// The rate of false discoveries at which it would be told that the series changes; nothing of counters.
    pub(crate) level: Option<f64>,
    /// Levels and drifts, one after the other.
    pub(crate) pieces: Vec<Stretch>,
    /// Where one does not go on from the one before.
    pub(crate) steps: Vec<Step>,
}

/// A part of a series that stays, or moves little by little.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stretch {
    /// The first value.
    pub(crate) start: usize,
    /// The value behind the last.
    pub(crate) end: usize,
    /// What it is expected to be at the first.
    pub(crate) from: f64,
    /// And at the last.
    pub(crate) to: f64,
    /// Whether it drifts.
    pub(crate) drifts: bool,
    /// Of a drift, the least probability of the steps that it would be without it.
    pub(crate) p: Option<f64>,
}

/// A change from one run to the next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    /// The first value behind it.
    pub(crate) at: usize,
    /// What it was before, for people.
    pub(crate) before: String,
    /// And after.
    pub(crate) after: String,
    /// The change as a share of what it was; nothing if that was nothing.
    pub(crate) change: Option<f64>,
    /// The interval of the change at 0.95, between two levels.
    pub(crate) interval: Option<[f64; 2]>,
    /// The probability of such a place if nothing changes; nothing of counters, which do not change by chance.
    pub(crate) p: Option<f64>,
    /// What it means.
    pub(crate) meaning: Meaning,
}

/// What a change means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Meaning {
    /// More work, or more time.
    Worse,
    /// Less.
    Better,
    /// Neither: fewer look-ups that hit.
    Neither,
}

impl Meaning {
    /// Says what a change of a metric means.
    pub(crate) fn of(metric: &str, is_more: bool) -> Self {
        match (Metric::is_saving(metric), is_more) {
            (false, true) => Self::Worse,
            (false, false) | (true, true) => Self::Better,
            // A look-up that is no longer made is no loss: what is lost shows as a miss.
            (true, false) if metric.starts_with("cache.") => Self::Neither,
            (true, false) => Self::Worse,
        }
    }

    /// Returns the word for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Neither => "moved",
        }
    }
}

impl Series {
    /// Tells whether anything changed.
    pub(crate) fn has_changed(&self) -> bool {
        !self.steps.is_empty() || self.drifts().next().is_some()
    }

    /// Returns the parts that drift.
    pub(crate) fn drifts(&self) -> impl Iterator<Item = &Stretch> {
        self.pieces.iter().filter(|piece| piece.drifts)
    }

    /// Returns the largest change of any step or drift, as a logarithm without its sign; one from nothing is infinite.
    pub(crate) fn largest_change(&self) -> f64 {
        let steps = self.steps.iter().map(|step| step.change.map_or(f64::INFINITY, f64::ln_1p));
        let drifts = self.drifts().map(|drift| drift.change().ln_1p());
        steps.chain(drifts).map(f64::abs).fold(0.0, f64::max)
    }

    /// Tells whether the metric is a counter.
    pub(crate) fn is_exact(&self) -> bool {
        Metric::kind_of(&self.key.metric) == Some(Kind::Exact)
    }

    /// Names the commits of a step as git does: the last one before it, and the first one behind it.
    pub(crate) fn commits(&self, at: usize) -> String {
        let (before, behind) = (&self.runs[at - 1], &self.runs[at]);
        match (before.name(), behind.name()) {
            (before, behind) if before == behind => format!("{behind}, run {}", self.runs[at].run),
            (before, behind) => format!("{before}..{behind}"),
        }
    }

    /// Tells whether the kernel is another one behind a step.
    pub(crate) fn has_new_kernel(&self, at: usize) -> bool {
        self.runs[at - 1].kernel != self.runs[at].kernel
    }

    /// Says why a step was accepted, if its cell was blessed as worse close to it.
    pub(crate) fn accepted(&self, step: &Step) -> Option<&str> {
        if step.meaning != Meaning::Worse {
            return None;
        }
        let near = step.at.saturating_sub(NEAR)..(step.at + NEAR + 1).min(self.runs.len());
        let mut marks = self.runs[near].iter().filter_map(|run| run.accepted.as_ref());
        marks
            .find(|accepted| accepted.cells.contains(&self.key.cell))
            .map(|accepted| accepted.reason.as_str())
    }
}

impl Stretch {
    /// Returns the change from its first value to its last, as a share.
    pub(crate) fn change(&self) -> f64 {
        self.to / self.from - 1.0
    }

    /// Returns the change that a hundred runs would make of it, as a share.
    pub(crate) fn change_of_hundred(&self) -> f64 {
        let runs = (self.end - self.start - 1).max(1) as f64;
        (100.0 / runs * (self.to / self.from).ln()).exp_m1()
    }
}

impl Run {
    /// Returns what people call the run: its revision, or its own name where there is none.
    pub(crate) fn name(&self) -> &str {
        if self.revision == "unknown" { &self.run } else { &self.revision }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_worse_unless_it_saves_work() {
        let check = |metric, is_more, expect| assert_eq!(Meaning::of(metric, is_more), expect, "{metric}");
        check("wall_ns", true, Meaning::Worse);
        check("wall_ns", false, Meaning::Better);
        check("partitions_reused", true, Meaning::Better);
        check("partitions_reused", false, Meaning::Worse);
        check("cache.plan.hits", true, Meaning::Better);
        check("cache.plan.hits", false, Meaning::Neither);
    }

    #[test]
    fn a_drift_is_told_for_a_hundred_runs() {
        let drift = |end, to| Stretch { start: 0, end, from: 10.0, to, drifts: true, p: None };
        assert!((drift(101, 11.0).change_of_hundred() - 0.1).abs() < 1e-9);
        assert!((drift(51, 11.0).change_of_hundred() - 0.21).abs() < 1e-9);
        assert!((drift(51, 11.0).change() - 0.1).abs() < 1e-9);
    }
}
