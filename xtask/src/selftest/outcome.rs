//! What came of the experiments: rates with their intervals, and whether they are as they should be.

use super::{Expected, Experiment};
use crate::paired::Rate;
use crate::report::{Align, Table};
use crate::verdict::Verdict;

/// The level of the intervals.
const LEVEL: f64 = 0.95;

/// What was said of cells, counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// Cells called slower, by their times.
    pub(crate) slower: u64,
    /// Cells called faster.
    pub(crate) faster: u64,
    /// Cells shown to be unchanged.
    pub(crate) unchanged: u64,
    /// Cells of which nothing was said.
    pub(crate) inconclusive: u64,
    /// Pairs measured for all of them.
    pub(crate) pairs: u64,
    /// Runs with a false call of any cell.
    pub(crate) runs_called: u64,
    /// Runs.
    pub(crate) runs: u64,
    /// Runs among them that were finished before this self-test went on.
    pub(crate) runs_before: u64,
    /// When the first of them began.
    pub(crate) began: Option<String>,
    /// Cells with a counter that moved.
    pub(crate) counters_moved: u64,
    /// Cells whose counters were compared.
    pub(crate) counters_compared: u64,
    /// The changes of the cells in runs whose canary did not move, logarithms of ratios.
    pub(crate) changes: Vec<f64>,
    /// Counters that got worse, by name.
    pub(crate) named: Vec<String>,
    /// Counters that are not as they were, for better or worse.
    pub(crate) moved: Vec<String>,
    /// Runs whose canary moved.
    pub(crate) contaminated: u64,
}

/// An experiment and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// The experiment.
    pub(crate) experiment: Experiment,
    /// The counts.
    pub(crate) tally: Tally,
}

impl Tally {
    /// Counts what was said of a cell.
    pub(crate) fn add(&mut self, verdict: Verdict, pairs: usize) {
        let place = match verdict {
            Verdict::Regressed => &mut self.slower,
            Verdict::Improved => &mut self.faster,
            Verdict::Unchanged => &mut self.unchanged,
            _ => &mut self.inconclusive,
        };
        *place += 1;
        self.pairs += pairs as u64;
    }

    /// Returns the number of cells of which something was or was not said.
    pub(crate) fn cells(&self) -> u64 {
        self.slower + self.faster + self.unchanged + self.inconclusive
    }
}

impl Outcome {
    /// Says what is not as it should be, if something is not.
    pub(crate) fn complaint(&self) -> Option<String> {
        let tally = &self.tally;
        match self.experiment.expected {
            Expected::Silence if tally.counters_moved > 0 => Some(format!(
                "{} of {} comparisons of counters were false alarms: {}",
                tally.counters_moved,
                tally.counters_compared,
                tally.moved.join(", ")
            )),
            // One percent of the cells may be called by design; more than the interval allows may not.
            Expected::Silence => {
                let rate = Rate { events: tally.slower + tally.faster, trials: tally.cells() };
                let [low, _] = rate.interval(LEVEL);
                (low > 0.01).then(|| format!("{} of {} cells were called", rate.events, rate.trials))
            }
            Expected::Slower { least_percent } => {
                let enough =
                    tally.cells() > 0 && tally.slower * 100 >= u64::from(least_percent) * tally.cells();
                (!enough).then(|| format!("{} of {} cells were called slower", tally.slower, tally.cells()))
            }
            Expected::Told => None,
            Expected::Counter(wanted) => {
                let is_wanted = |name: &String| wanted.iter().any(|start| name.starts_with(start));
                (!tally.named.iter().any(is_wanted)).then(|| {
                    let named =
                        if tally.named.is_empty() { "none".to_owned() } else { tally.named.join(", ") };
                    format!("no counter of {} was named, but {named}", wanted.join(", "))
                })
            }
        }
    }

    fn row(&self) -> Vec<String> {
        let tally = &self.tally;
        let cells = tally.cells();
        let share = |events: u64| match cells {
            0 => "–".to_owned(),
            _ => {
                let [low, high] = Rate { events, trials: cells }.interval(LEVEL);
                format!("{events} ({:.1}–{:.1} %)", low * 100.0, high * 100.0)
            }
        };
        vec![
            self.experiment.name.to_owned(),
            cells.to_string(),
            share(tally.slower),
            share(tally.faster),
            tally.unchanged.to_string(),
            tally.inconclusive.to_string(),
            if cells == 0 { "–".to_owned() } else { format!("{:.1}", tally.pairs as f64 / cells as f64) },
            format!("{} of {}", tally.counters_moved, tally.counters_compared),
            match self.complaint() {
                Some(complaint) => format!("FAILED: {complaint}"),
                None => self.praise(),
            },
        ]
    }

    fn praise(&self) -> String {
        match self.experiment.expected {
            Expected::Counter(_) => format!("named {}", self.tally.named.join(", ")),
            Expected::Told => "told".to_owned(),
            Expected::Silence | Expected::Slower { .. } => "as it should be".to_owned(),
        }
    }
}

/// Makes the table of all outcomes.
pub(crate) fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new(&[
        ("experiment", Align::Left),
        ("cells", Align::Right),
        ("called slower", Align::Right),
        ("called faster", Align::Right),
        ("unchanged", Align::Right),
        ("inconclusive", Align::Right),
        ("pairs", Align::Right),
        ("counters moved", Align::Right),
        ("result", Align::Left),
    ]);
    for outcome in outcomes {
        table.row(outcome.row());
    }
    table
}

/// Adds up what was said where nothing changed.
fn silent(outcomes: &[Outcome]) -> Tally {
    let silent = outcomes.iter().filter(|outcome| outcome.experiment.expected == Expected::Silence);
    let mut totals = Tally::default();
    for Outcome { experiment, tally } in silent {
        totals.slower += tally.slower;
        totals.faster += tally.faster;
        // Without times no alarm can be raised.
        totals.runs += if experiment.exact { 0 } else { tally.runs };
        totals.contaminated += tally.contaminated;
        totals.runs_called += tally.runs_called;
        totals.unchanged += tally.unchanged;
        totals.inconclusive += tally.inconclusive;
    }
    totals
}

/// Says what is not as it should be of all experiments together, if something is not: of the cells in which nothing changed
/// one in a hundred may be called slower, and one faster; of the runs one in twenty may have one that is called either.
pub(crate) fn complaint_of_all(outcomes: &[Outcome]) -> Option<String> {
    let totals = silent(outcomes);
    let Tally { slower, faster, runs, runs_called, .. } = totals;
    if slower.max(faster) * 100 > totals.cells() {
        let cells = totals.cells();
        return Some(format!(
            "of {cells} cells in which nothing changed {slower} were called slower and {faster} faster"
        ));
    }
    (runs_called * 20 > runs)
        .then(|| format!("in {runs_called} of {runs} runs in which nothing changed a cell was called"))
}

/// Writes the outcomes for the documents.
pub(crate) fn markdown(outcomes: &[Outcome], when: &str, machine: &str, command: &str) -> String {
    let totals = silent(outcomes);
    let upper = |events, trials| Rate { events, trials }.interval(LEVEL)[1] * 100.0;
    format!(
        "`{command}` on {when}, on {machine}. Counts are of cells; intervals are of 95 % (Clopper–Pearson).\n\n{}\n\
         Where nothing changed, {} cells of {} were called slower and {} faster: a false alarm in at most {:.1} % of \
         cells; in {} of {} runs any cell was called, which is at most {:.1} %. In {} of them the canary moved, so that \
         nothing was called.\n",
        table(outcomes).markdown(),
        totals.slower,
        totals.cells(),
        totals.faster,
        upper(totals.slower, totals.cells()),
        totals.runs_called,
        totals.runs,
        upper(totals.runs_called, totals.runs),
        totals.contaminated
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selftest::FULL;

    fn outcome(name: &str, tally: Tally) -> Outcome {
        let experiment = *FULL.iter().find(|experiment| experiment.name == name).unwrap();
        Outcome { experiment, tally }
    }

    fn called(slower: u64, faster: u64, unchanged: u64) -> Tally {
        let runs = (slower + faster + unchanged) / 5;
        Tally { slower, faster, unchanged, runs, runs_called: slower + faster, ..Tally::default() }
    }

    #[test]
    fn what_should_be_silent_may_be_called_rarely() {
        let check = |tally: Tally, expect: Option<&str>| {
            assert_eq!(outcome("same binary", tally).complaint().as_deref(), expect);
        };
        check(called(0, 0, 300), None);
        check(called(2, 1, 297), None);
        check(called(12, 3, 285), Some("15 of 300 cells were called"));
        let moved = Tally {
            counters_moved: 1,
            counters_compared: 7,
            moved: vec!["rows_read".to_owned()],
            ..called(0, 0, 5)
        };
        check(moved, Some("1 of 7 comparisons of counters were false alarms: rows_read"));
    }

    #[test]
    fn what_is_slower_must_be_found() {
        let check = |name, tally: Tally, expect: Option<&str>| {
            assert_eq!(outcome(name, tally).complaint().as_deref(), expect);
        };
        check("5 % slower", called(9, 0, 1), None);
        check("5 % slower", called(8, 0, 2), Some("8 of 10 cells were called slower"));
        check("10 % slower", called(4, 1, 0), Some("4 of 5 cells were called slower"));
        check("10 % slower", Tally::default(), Some("0 of 0 cells were called slower"));
        check("2 % slower", called(0, 5, 0), None);
    }

    #[test]
    fn the_counter_of_a_fault_must_be_named() {
        let named = |names: &[&str]| Tally {
            named: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Tally::default()
        };
        let check = |names: &[&str], expect: Option<&str>| {
            assert_eq!(
                outcome("each footer read twice", named(names)).complaint().as_deref(),
                expect,
                "{names:?}"
            );
        };
        check(&["alloc_count", "footers_read"], None);
        check(&[], Some("no counter of footers_read was named, but none"));
        check(&["alloc_count"], Some("no counter of footers_read was named, but alloc_count"));
    }

    #[test]
    fn all_false_alarms_together_are_bounded() {
        let check = |tallies: &[Tally], expect: Option<&str>| {
            let outcomes: Vec<Outcome> =
                tallies.iter().map(|tally| outcome("same binary", tally.clone())).collect();
            assert_eq!(complaint_of_all(&outcomes).as_deref(), expect);
        };
        check(&[called(0, 0, 300), called(1, 1, 98)], None);
        // Neither by itself shows that more than one in a hundred is called.
        let two = || called(2, 0, 98);
        assert_eq!(outcome("same binary", two()).complaint(), None);
        let text = "of 200 cells in which nothing changed 4 were called slower and 0 faster";
        check(&[two(), two()], Some(text));
        let runs = Tally { runs: 39, runs_called: 2, ..called(1, 1, 398) };
        check(&[runs], Some("in 2 of 39 runs in which nothing changed a cell was called"));
        // Faults are no silence.
        assert_eq!(complaint_of_all(&[outcome("5 % slower", called(10, 0, 0))]), None);
    }
}
