//! Which functions hold the processor time, and in which it grew: by themselves and with all that they call.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Executed, Folded};
use crate::report::{Align, Table};
use crate::units;

/// Functions that are listed.
const LISTED: usize = 10;

/// Letters of a function's name that are shown; the last ones say most.
const NAME_LETTERS: usize = 90;

/// Growths of fewer standard errors may be chance.
const LEAST_ERRORS: f64 = 3.0;

/// What was sampled of one engine, and while it did what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    /// The stacks.
    pub(crate) folded: Folded,
    /// The executions.
    pub(crate) executed: Executed,
}

impl Side {
    /// Returns the processor time for which a sample stands, in ns of one execution.
    pub(crate) fn sample_ns(&self) -> f64 {
        self.executed.each_ns() as f64 / self.folded.samples().max(1) as f64
    }

    fn functions(&self) -> BTreeMap<&str, Samples> {
        let mut functions: BTreeMap<&str, Samples> = BTreeMap::new();
        for (stack, count) in &self.folded.stacks {
            let names: Vec<&str> = stack.split(';').collect();
            let distinct: BTreeSet<&str> = names.iter().copied().collect();
            for name in distinct.into_iter().filter(|name| is_function(name)) {
                functions.entry(name).or_default().inside += count;
            }
            if let Some(last) = names.last().filter(|name| is_function(name)) {
                functions.entry(last).or_default().own += count;
            }
        }
        functions
    }
}

/// Samples of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Samples {
    own: u64,
    /// With all that it calls.
    inside: u64,
}

impl Samples {
    fn of(self, by: By) -> u64 {
        match by {
            By::Own => self.own,
            By::Inside => self.inside,
        }
    }
}

/// By which time functions are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Own,
    Inside,
}

/// The roots of stacks are no functions.
fn is_function(name: &str) -> bool {
    name != "measured" && name != "[cut off]" && !name.starts_with("thread ")
}

/// Lists the heaviest functions, by their own time and with what they call.
pub(crate) fn heaviest_tables(side: &Side) -> String {
    let functions = side.functions();
    let total = side.folded.samples().max(1) as f64;
    let share = |samples: u64| format!("{:.1} %", samples as f64 * 100.0 / total);
    let time = |samples: u64| units::nanoseconds((samples as f64 * side.sample_ns()).round() as u64);
    let mut out = String::new();
    for (by, heading) in [(By::Own, "own time"), (By::Inside, "time with what is called")] {
        let mut table = Table::new(&[
            (heading, Align::Right),
            ("of an execution", Align::Right),
            (if by == By::Own { "with what is called" } else { "own" }, Align::Right),
            ("function", Align::Left),
        ]);
        let mut listed: Vec<(&str, Samples)> =
            functions.iter().map(|(name, samples)| (*name, *samples)).collect();
        listed.sort_by_key(|(_, samples)| std::cmp::Reverse(samples.of(by)));
        let other = if by == By::Own { By::Inside } else { By::Own };
        for (name, samples) in listed.into_iter().take(LISTED).filter(|(_, samples)| samples.of(by) > 0) {
            table.row(vec![
                share(samples.of(by)),
                time(samples.of(by)),
                share(samples.of(other)),
                shown(name),
            ]);
        }
        let _ = write!(out, "\n{}", table.terminal());
    }
    out
}

/// Lists the functions that take more processor time for an execution than before.
pub(crate) fn growth_tables(base: &Side, head: &Side) -> String {
    let mut out = String::new();
    for (by, heading) in [(By::Own, "own time grew"), (By::Inside, "with what is called grew")] {
        let grown = grown(base, head, by);
        if grown.is_empty() {
            let _ = writeln!(out, "\n{heading}: in no function by more than the samples differ by chance");
            continue;
        }
        let mut table = Table::new(&[
            (heading, Align::Right),
            ("±", Align::Right),
            ("base", Align::Right),
            ("head", Align::Right),
            ("function", Align::Left),
        ]);
        let time = |ns: f64| units::nanoseconds(ns.round() as u64);
        for growth in grown.into_iter().take(LISTED) {
            let [base, head] = growth.sides_ns;
            table.row(vec![
                format!("+{}", time(head - base)),
                time(growth.error_ns),
                time(base),
                time(head),
                shown(growth.name),
            ]);
        }
        let _ = write!(out, "\n{}", table.terminal());
    }
    out
}

/// A function that takes more time than before.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Growth<'a> {
    name: &'a str,
    /// Of an execution.
    sides_ns: [f64; 2],
    /// The standard error of the difference: a count of samples has its root as error.
    error_ns: f64,
}

fn grown<'a>(base: &'a Side, head: &'a Side, by: By) -> Vec<Growth<'a>> {
    let (before, now) = (base.functions(), head.functions());
    let weights = [base.sample_ns(), head.sample_ns()];
    let mut grown = Vec::new();
    for (name, samples) in &now {
        let counts = [before.get(name).map_or(0, |samples| samples.of(by)), samples.of(by)].map(|n| n as f64);
        let sides_ns = [counts[0] * weights[0], counts[1] * weights[1]];
        let variance = counts[0] * weights[0].powi(2) + counts[1] * weights[1].powi(2);
        let growth = Growth { name, sides_ns, error_ns: variance.sqrt() };
        if sides_ns[1] - sides_ns[0] > LEAST_ERRORS * growth.error_ns {
            grown.push(growth);
        }
    }
    let by_ns = |growth: &Growth<'_>| growth.sides_ns[1] - growth.sides_ns[0];
    grown.sort_by(|a, b| by_ns(b).total_cmp(&by_ns(a)));
    grown
}

fn shown(name: &str) -> String {
    let letters = name.chars().count();
    if letters <= NAME_LETTERS {
        return name.to_owned();
    }
    let end: String = name.chars().skip(letters - NAME_LETTERS + 1).collect();
    format!("…{end}")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Returns a side that was sampled in these stacks.
    pub(in crate::profile) fn side(stacks: &[(&str, u64)], executions: u64, cpu_ns: u64) -> Side {
        let stacks = stacks.iter().map(|(stack, count)| ((*stack).to_owned(), *count)).collect();
        let folded = Folded { stacks, told: true, ..Folded::default() };
        Side { folded, executed: Executed { executions, cpu_ns, ..Executed::default() } }
    }

    #[test]
    fn functions_are_counted_once_for_each_stack() {
        let side = side(&[("measured;a;b;a", 30), ("measured;a", 10), ("thread w;b", 60)], 10, 1_000_000);
        insta::assert_snapshot!(heaviest_tables(&side), @r"

        own time  of an execution  with what is called  function
          60.0 %          60.0 µs               90.0 %  b
          40.0 %          40.0 µs               40.0 %  a

        time with what is called  of an execution     own  function
                          90.0 %          90.0 µs  60.0 %  b
                          40.0 %          40.0 µs  40.0 %  a
        ");
    }

    #[test]
    fn growth_is_of_an_execution() {
        // The head executed twice as often, and an execution takes 1.5 times as long.
        let base = side(&[("measured;a;b", 1_000), ("measured;a;c", 1_000)], 10, 20_000_000);
        let head = side(&[("measured;a;b", 2_000), ("measured;a;c", 4_000)], 20, 60_000_000);
        insta::assert_snapshot!(growth_tables(&base, &head), @r"

        own time grew        ±     base     head  function
             +1.00 ms  44.7 µs  1.00 ms  2.00 ms  c

        with what is called grew        ±     base     head  function
                        +1.00 ms  59.2 µs  2.00 ms  3.00 ms  a
                        +1.00 ms  44.7 µs  1.00 ms  2.00 ms  c
        ");
        // As many samples for an execution, but for chance.
        let head = side(&[("measured;a;b", 1_990), ("measured;a;c", 2_010)], 20, 40_000_000);
        insta::assert_snapshot!(growth_tables(&base, &head), @r"

        own time grew: in no function by more than the samples differ by chance

        with what is called grew: in no function by more than the samples differ by chance
        ");
    }
}
