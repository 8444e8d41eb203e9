//! Series: the values of one metric of one phase of one cell, over the runs that may be compared with each other.
//!
//! Times belong to a machine and a compiler, counters to an architecture. What was measured elsewhere is a series of its
//! own. The kernel is not part of a machine here, or histories would end with every update; where it changed together
//! with a value, that is said.

use std::collections::{BTreeMap, BTreeSet, HashMap};
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
    /// Counters that are not always the same.
    pub(super) counters: BTreeMap<Key, Points<Values>>,
    /// How many counters there are, those that are always the same among them.
    pub(super) counted: usize,
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
    /// Whether a metric is.
    pub(crate) metric: &'a dyn Fn(&str) -> bool,
}

impl Collected {
    /// Sorts the values of runs, which come oldest first, into series.
    pub(super) fn of(lines: &[RunLine], accepted: &[Accepted], asked: &Asked<'_>) -> Self {
        let mut collected = Self::default();
        let mut classes = Classes::default();
        let mut medians: HashMap<Place<'_>, Points<u64>> = HashMap::new();
        let mut counters: BTreeMap<(&str, Phase, usize), Counted<'_>> = BTreeMap::new();
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
            *collected.machines.entry(class(line, Kind::Time, "")).or_default() += 1;
            collected.without_times += usize::from(line.tier == Tier::Exact);
            collected.without_counters += usize::from(line.tier == Tier::Time);
            collected.failed += line.failed.iter().filter(|cell| (asked.cell)(cell)).count();
            let classes = classes.of_line(line);
            for (cell, phases) in line.cells.iter().filter(|(cell, _)| (asked.cell)(cell)) {
                for (phase, measured) in phases {
                    for (metric, value) in measured.medians.iter().filter(|(name, _)| (asked.metric)(name)) {
                        if let Some(class) = classes.of_median(line, metric) {
                            let place = (cell.as_str(), *phase, metric.as_str(), class);
                            medians.entry(place).or_default().push((Rc::clone(&run), *value));
                        }
                    }
                    if line.tier != Tier::Time && measured.counters.is_some() {
                        let unstable = measured.unstable.iter();
                        collected.unstable += unstable.filter(|metric| (asked.metric)(metric)).count();
                        let place = (cell.as_str(), *phase, classes.exact);
                        counters.entry(place).or_default().add(&run, line, measured);
                    }
                }
            }
            collected.runs.push(run);
        }
        for ((cell, phase, metric, class), points) in medians {
            collected.medians.insert(classes.key(cell, phase, metric, class), points);
        }
        for ((cell, phase, class), counted) in counters {
            for metric in counted.names().into_iter().filter(|metric| (asked.metric)(metric)) {
                let Some(values) = counted.values(metric) else { continue };
                collected.counted += 1;
                if let Some(points) = counted.points(&values) {
                    collected.counters.insert(classes.key(cell, phase, metric, class), points);
                }
            }
        }
        collected
    }
}

/// What a series is of, with the number of its class: of thousands of values, none needs a text of its own.
type Place<'a> = (&'a str, Phase, &'a str, usize);

/// Classes by number.
#[derive(Default)]
struct Classes {
    names: Vec<String>,
}

impl Classes {
    /// Returns the class of each metric in a line that has one of its own kind.
    fn of_line(&mut self, line: &RunLine) -> LineClasses {
        let mut number = |kind, metric| {
            let name = class(line, kind, metric);
            self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
                self.names.push(name);
                self.names.len() - 1
            })
        };
        LineClasses {
            exact: number(Kind::Exact, ""),
            time: number(Kind::Time, ""),
            bounded: number(Kind::Bounded, ""),
            instructions: number(Kind::Bounded, INSTRUCTIONS),
        }
    }

    fn key(&self, cell: &str, phase: Phase, metric: &str, class: usize) -> Key {
        Key { cell: cell.to_owned(), phase, metric: metric.to_owned(), class: self.names[class].clone() }
    }
}

/// The classes of a line, by number.
struct LineClasses {
    exact: usize,
    time: usize,
    bounded: usize,
    instructions: usize,
}

impl LineClasses {
    /// Returns the class of a bounded metric or a time; nothing if the tier of the line does not measure it.
    fn of_median(&self, line: &RunLine, metric: &str) -> Option<usize> {
        match Metric::kind_of(metric).expect("a history refuses unknown metrics") {
            Kind::Time => (line.tier != Tier::Exact).then_some(self.time),
            _ if metric == INSTRUCTIONS => Some(self.instructions),
            _ => Some(self.bounded),
        }
    }
}

/// The counters of one phase of a cell, over the runs. Most runs count what the one before them did, so what they
/// counted is looked at once for all of them.
#[derive(Default)]
struct Counted<'a> {
    /// What was counted, wherever it is not what it was before.
    states: Vec<(&'a RunLine, &'a PhaseLine)>,
    /// The runs, each with the number of its state.
    runs: Vec<(Rc<Run>, usize)>,
}

impl<'a> Counted<'a> {
    fn add(&mut self, run: &Rc<Run>, line: &'a RunLine, phase: &'a PhaseLine) {
        let is_same = |(before, counted): &(&RunLine, &PhaseLine)| {
            counted.counters == phase.counters
                && counted.unstable == phase.unstable
                && before.counters == line.counters
        };
        if !self.states.last().is_some_and(is_same) {
            self.states.push((line, phase));
        }
        self.runs.push((Rc::clone(run), self.states.len() - 1));
    }

    fn names(&self) -> BTreeSet<&'a str> {
        let named = |(line, phase): &(&'a RunLine, &'a PhaseLine)| {
            line.counters.iter().chain(phase.counters.iter().flat_map(BTreeMap::keys)).map(String::as_str)
        };
        self.states.iter().flat_map(named).collect()
    }

    /// Returns what a counter was in each state; nothing if it never repeated.
    fn values(&self, metric: &str) -> Option<Vec<Option<Values>>> {
        let values: Vec<_> = self.states.iter().map(|(line, phase)| line.counter(phase, metric)).collect();
        values.iter().any(Option::is_some).then_some(values)
    }

    /// Returns what a counter was in each run; nothing if it is always the same.
    fn points(&self, values: &[Option<Values>]) -> Option<Points<Values>> {
        let mut known = values.iter().flatten();
        let first = known.next()?;
        if known.all(|value| value == first) {
            return None;
        }
        let point = |(run, state): &(Rc<Run>, usize)| Some((Rc::clone(run), values[*state].clone()?));
        Some(self.runs.iter().filter_map(point).collect())
    }
}

/// Instructions depend on the model of processor, unlike allocations.
const INSTRUCTIONS: &str = "instructions";

/// Says where a value may be compared.
fn class(line: &RunLine, kind: Kind, metric: &str) -> String {
    let RunLine { arch, profile, machine, .. } = line;
    let crate::fingerprint::Machine { cpu, cores, memory_gib, rustc, os, .. } = machine;
    let rustc = rustc.split(" (").next().unwrap_or(rustc);
    match kind {
        Kind::Exact => arch.clone(),
        Kind::Time => format!("{cpu}, {cores} cores, {memory_gib} GiB, {os}, {rustc}, {profile} build"),
        Kind::Bounded if metric == INSTRUCTIONS => format!("{cpu}, {arch}, {rustc}, {profile} build"),
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
        Collected::of(lines, &[], &Asked { cell: &|_| true, metric: &|_| true })
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
        // What was counted elsewhere is another series, which does not change.
        assert_eq!((rows, found.counted), (vec![3], 4));
        assert_eq!(found.machines.len(), 2);
    }

    #[test]
    fn a_tier_gives_what_it_measures() {
        let lines = [
            RunLine { tier: Tier::Exact, ..run(1, 5, vec![3]) },
            RunLine { tier: Tier::Time, ..run(2, 5, vec![3]) },
            run(3, 5, vec![4]),
        ];
        let found = collected(&lines);
        let numbers =
            |points: &[(Rc<Run>, u64)]| -> Vec<usize> { points.iter().map(|(run, _)| run.number).collect() };
        assert_eq!(numbers(found.medians.values().next().unwrap()), [1, 2]);
        let counted: Vec<usize> = found.counters.values().map(Vec::len).collect();
        assert_eq!((counted, found.counted), (vec![2], 2));
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
            let found = Collected::of(&lines, &[accepted], &Asked { cell: &|_| true, metric: &|_| true });
            found.runs.iter().filter(|run| run.accepted.is_some()).map(|run| run.number).collect()
        };
        assert_eq!(marked(accepted("z", "0000002")), [2]);
        assert_eq!(marked(accepted("not here", "0000002")), [1]);
        assert!(marked(accepted("not here", "unknown")).is_empty());
    }
}
