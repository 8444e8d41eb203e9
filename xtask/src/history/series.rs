//! Series: the values of one metric of one phase of one cell, over the runs that may be compared with each other.
//!
//! Times belong to a machine and a compiler, counters to an architecture. What was measured elsewhere is a series of its
//! own. The kernel is not part of a machine here, or histories would end with every update; where it changed together
//! with a value, that is said.

use std::collections::BTreeMap;
use std::rc::Rc;

use scenarios::{Kind, Metric, Phase};

use super::line::{PhaseLine, RunLine};
use crate::baseline::Accepted;
use crate::cli::Tier;
use crate::measured::Values;

/// A run, as a point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Its place among all runs, from 0.
    pub(crate) number: usize,
    /// The run's name.
    pub(crate) run: String,
    /// When it began.
    pub(crate) started: String,
    /// The source revision.
    pub(crate) revision: String,
    /// Its commit, if it is known.
    pub(crate) commit: Option<String>,
    /// The release of the kernel.
    pub(crate) kernel: String,
    /// The baseline for which regressions were accepted when this run was blessed.
    pub(crate) accepted: Option<Accepted>,
}

/// What a series is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The cell.
    pub(crate) cell: String,
    /// The phase.
    pub(crate) phase: Phase,
    /// The metric.
    pub(crate) metric: String,
    /// What its values may be compared on: machine and compiler, or architecture.
    pub(crate) class: String,
}

/// Values of a series, each with its run.
pub(crate) type Points<V> = Vec<(Rc<Run>, V)>;

/// The series of a history.
#[derive(Clone, Debug, Default)]
pub(super) struct Collected {
    /// The runs, oldest first.
    pub(super) runs: Vec<Rc<Run>>,
    /// Bounded metrics and times.
    pub(super) medians: BTreeMap<Key, Points<u64>>,
    /// Counters.
    pub(super) counters: BTreeMap<Key, Points<Values>>,
    /// Machines and compilers, as far as times depend on them, with their runs.
    pub(super) machines: BTreeMap<String, usize>,
    /// Counters that did not repeat in some run.
    pub(super) unstable: usize,
    /// Runs of which times were not looked at, as their tier is exact.
    pub(super) without_times: usize,
    /// Runs of which counters were not looked at, as their tier is time.
    pub(super) without_counters: usize,
    /// Cells that failed in some run.
    pub(super) failed: usize,
}

/// What of a history is looked at.
pub(crate) struct Asked<'a> {
    /// Whether a cell is.
    pub(crate) cell: &'a dyn Fn(&str) -> bool,
    /// The only metric that is, if it is one.
    pub(crate) metric: Option<&'a str>,
}

impl Asked<'_> {
    fn metric(&self, name: &str) -> bool {
        self.metric.is_none_or(|metric| metric == name)
    }
}

impl Collected {
    /// Sorts the values of runs, which come oldest first, into series.
    pub(super) fn of(lines: &[RunLine], accepted: &[Accepted], asked: &Asked<'_>) -> Self {
        let mut collected = Self::default();
        for (number, line) in lines.iter().enumerate() {
            let run = Rc::new(Run {
                number,
                run: line.run.clone(),
                started: line.started.clone(),
                revision: line.revision.clone(),
                commit: line.commit.clone(),
                kernel: line.machine.kernel.clone(),
                accepted: accepted_with(accepted, lines, number).cloned(),
            });
            collected.runs.push(Rc::clone(&run));
            *collected.machines.entry(class(line, Kind::Time, "")).or_default() += 1;
            collected.without_times += usize::from(line.tier == Tier::Exact);
            collected.without_counters += usize::from(line.tier == Tier::Time);
            collected.failed += line.failed.iter().filter(|cell| (asked.cell)(cell)).count();
            for (cell, phases) in line.cells.iter().filter(|(cell, _)| (asked.cell)(cell)) {
                for (phase, measured) in phases {
                    collected.add_medians(&run, line, (cell, *phase, measured), asked);
                    collected.add_counters(&run, line, (cell, *phase, measured), asked);
                }
            }
        }
        collected
    }

    fn add_medians(
        &mut self,
        run: &Rc<Run>,
        line: &RunLine,
        (cell, phase, measured): (&str, Phase, &PhaseLine),
        asked: &Asked<'_>,
    ) {
        for (metric, value) in measured.medians.iter().filter(|(metric, _)| asked.metric(metric)) {
            let kind = Metric::kind_of(metric).expect("a history refuses unknown metrics");
            if kind == Kind::Time && line.tier == Tier::Exact {
                continue;
            }
            let class = class(line, kind, metric);
            let key = Key { cell: cell.to_owned(), phase, metric: metric.clone(), class };
            self.medians.entry(key).or_default().push((Rc::clone(run), *value));
        }
    }

    fn add_counters(
        &mut self,
        run: &Rc<Run>,
        line: &RunLine,
        (cell, phase, measured): (&str, Phase, &PhaseLine),
        asked: &Asked<'_>,
    ) {
        if line.tier == Tier::Time || measured.counters.is_none() {
            return;
        }
        self.unstable += measured.unstable.iter().filter(|metric| asked.metric(metric)).count();
        let own = measured.counters.iter().flat_map(BTreeMap::keys);
        let own = own.filter(|name| !line.counters.contains(*name));
        for metric in line.counters.iter().chain(own).filter(|metric| asked.metric(metric)) {
            if let Some(values) = line.counter(measured, metric) {
                let class = class(line, Kind::Exact, metric);
                let key = Key { cell: cell.to_owned(), phase, metric: metric.clone(), class };
                self.counters.entry(key).or_default().push((Rc::clone(run), values));
            }
        }
    }
}

/// Says where a value may be compared.
fn class(line: &RunLine, kind: Kind, metric: &str) -> String {
    let RunLine { arch, profile, machine, .. } = line;
    let crate::fingerprint::Machine { cpu, cores, memory_gib, rustc, os, .. } = machine;
    let rustc = rustc.split(" (").next().unwrap_or(rustc);
    match kind {
        Kind::Exact => arch.clone(),
        Kind::Time => format!("{cpu}, {cores} cores, {memory_gib} GiB, {os}, {rustc}, {profile} build"),
        Kind::Bounded if metric == "instructions" => format!("{cpu}, {arch}, {rustc}, {profile} build"),
        Kind::Bounded => format!("{arch}, {rustc}, {profile} build"),
    }
}

/// Finds what was accepted with a run: when it was blessed itself, or else when the first run of the same revision was.
fn accepted_with<'a>(accepted: &'a [Accepted], lines: &[RunLine], number: usize) -> Option<&'a Accepted> {
    let line = &lines[number];
    accepted.iter().rev().find(|one| {
        let is_first = || lines[..number].iter().all(|earlier| earlier.revision != line.revision);
        let is_there = || lines.iter().any(|line| line.run == one.run);
        one.run == line.run
            || (one.revision == line.revision && line.revision != "unknown" && !is_there() && is_first())
    })
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::run;
    use super::*;
    use crate::fingerprint::Machine;

    fn collected(lines: &[RunLine]) -> Collected {
        Collected::of(lines, &[], &Asked { cell: &|_| true, metric: None })
    }

    #[test]
    fn times_belong_to_a_machine_and_counters_to_an_architecture() {
        let here = run(1, 5, vec![3]);
        let kernel = Machine { kernel: "l".into(), ..here.machine.clone() };
        let rustc = Machine { rustc: "s".into(), ..here.machine.clone() };
        let lines = [
            here.clone(),
            RunLine { machine: kernel, ..run(2, 6, vec![3]) },
            RunLine { machine: rustc, ..run(3, 7, vec![4]) },
            RunLine { arch: "b".into(), ..run(4, 8, vec![5]) },
        ];
        let found = collected(&lines);
        let walls: Vec<usize> = found.medians.values().map(Vec::len).collect();
        assert_eq!(walls, [3, 1]);
        let rows: Vec<usize> = found
            .counters
            .iter()
            .filter(|(key, _)| key.metric == "rows_read")
            .map(|(_, points)| points.len())
            .collect();
        assert_eq!(rows, [3, 1]);
        assert_eq!(found.machines.len(), 2);
    }

    #[test]
    fn a_tier_gives_what_it_measures() {
        let lines = [
            RunLine { tier: Tier::Exact, ..run(1, 5, vec![3]) },
            RunLine { tier: Tier::Time, ..run(2, 5, vec![3]) },
            run(3, 5, vec![3]),
        ];
        let found = collected(&lines);
        let numbers =
            |points: &[(Rc<Run>, u64)]| -> Vec<usize> { points.iter().map(|(run, _)| run.number).collect() };
        assert_eq!(numbers(found.medians.values().next().unwrap()), [1, 2]);
        assert!(found.counters.values().all(|points| points.len() == 2));
        assert_eq!((found.without_times, found.without_counters), (1, 1));
    }

    #[test]
    fn what_was_accepted_is_marked_at_its_run_or_its_revision() {
        let accepted = |run: &str, revision: &str| Accepted {
            run: run.into(),
            started: String::new(),
            revision: revision.into(),
            reason: "why".into(),
            cells: Vec::new(),
            cut: 0,
        };
        let lines =
            [run(1, 5, vec![3]), run(2, 5, vec![3]), RunLine { run: "z".into(), ..run(2, 5, vec![3]) }];
        let marked = |accepted: Accepted| -> Vec<usize> {
            let found = Collected::of(&lines, &[accepted], &Asked { cell: &|_| true, metric: None });
            found.runs.iter().filter(|run| run.accepted.is_some()).map(|run| run.number).collect()
        };
        assert_eq!(marked(accepted("z", "0000002")), [2]);
        assert_eq!(marked(accepted("not here", "0000002")), [1]);
        assert!(marked(accepted("not here", "unknown")).is_empty());
    }
}
