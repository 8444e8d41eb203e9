//! What stages and counters cost: exports by an engine that has them and by one that has not. Pure: no process, no file.

use crate::paired::{Interval, Pairs, SwapTest};
use crate::report::{Align, Table};
use crate::statistics::median;
use crate::units;

/// The level of the intervals.
const LEVEL: f64 = 0.95;

/// Random exchanges of labels; only the effect is used, which they do not change.
const SWAPS: usize = 1;

/// What an export took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Processor time of all its threads, from the start of the process to its end.
    pub(crate) cpu_ns: u64,
    /// Time from the start of the process to its end.
    pub(crate) wall_ns: u64,
}

/// What was measured.
#[derive(Clone, Debug)]
pub(crate) struct Overhead {
    /// Exports by the engine without stages and counters.
    pub(crate) without: Vec<Cost>,
    /// Exports by the engine with them, as many.
    pub(crate) with: Vec<Cost>,
    /// Instructions of some exports without and with them, or why none were counted.
    pub(crate) instructions: Result<[Vec<u64>; 2], String>,
}

impl Overhead {
    /// Makes the table. Fails if times are no pairs.
    pub(crate) fn table(&self, seed: u64) -> anyhow::Result<Table> {
        let mut table = Table::new(&[
            ("of an export", Align::Left),
            ("without", Align::Right),
            ("with", Align::Right),
            ("change", Align::Right),
            ("95 % interval, or range", Align::Right),
        ]);
        if let Ok(counts) = &self.instructions {
            let [without, with] = counts.each_ref().map(|counts| median(counts).unwrap_or(0));
            let end =
                |counts: [Option<&u64>; 2]| units::change(*counts[0].unwrap_or(&0), *counts[1].unwrap_or(&0));
            table.row(vec![
                "instructions".to_owned(),
                units::count(without),
                units::count(with),
                units::change(without, with),
                format!(
                    "{} to {}",
                    end([counts[0].iter().max(), counts[1].iter().min()]),
                    end([counts[0].iter().min(), counts[1].iter().max()])
                ),
            ]);
        }
        let mut times = |name: &str, value: fn(&Cost) -> u64| -> anyhow::Result<()> {
            let [without, with] =
                [&self.without, &self.with].map(|side| side.iter().map(value).collect::<Vec<_>>());
            let pairs = Pairs::new(&without, &with)?;
            let effect = SwapTest::of(&pairs, SWAPS, seed).effect;
            let interval = Interval::of(&pairs, LEVEL, seed).map_or_else(
                || "–".to_owned(),
                |Interval { low, high }| format!("{} to {}", percent(low), percent(high)),
            );
            let typical = |values: &[u64]| units::nanoseconds(median(values).unwrap_or(0));
            table.row(vec![name.to_owned(), typical(&without), typical(&with), percent(effect), interval]);
            Ok(())
        };
        times("processor time", |cost| cost.cpu_ns)?;
        times("time", |cost| cost.wall_ns)?;
        Ok(table)
    }

    /// Says how it was measured, and what was not.
    pub(crate) fn about(&self) -> String {
        let times = format!(
            "Times: medians of {} exports of each engine, in turn; the change is that of typical times, its interval as \
             between two revisions.",
            self.with.len()
        );
        match &self.instructions {
            Ok([_, with]) => format!(
                "{times} Instructions: medians of {} exports of each, by callgrind; the range is that of any two of them.",
                with.len()
            ),
            Err(why) => format!("{times} Instructions were not counted: {why}."),
        }
    }
}

/// Writes the logarithm of a ratio as a change in percent.
fn percent(logarithm: f64) -> String {
    format!("{:+.1} %", logarithm.exp_m1() * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(cpu_ms: &[u64]) -> Vec<Cost> {
        let cost = |ms: &u64| Cost { cpu_ns: ms * 1_000_000, wall_ns: ms * 2_000_000 };
        cpu_ms.iter().map(cost).collect()
    }

    #[test]
    fn changes_and_intervals_are_those_of_the_pairs() {
        let without: Vec<u64> = (0..20).map(|pair| 1_000 + pair * 10 % 70).collect();
        let with: Vec<u64> = without.iter().map(|ms| ms * 103 / 100).collect();
        let overhead = Overhead {
            without: costs(&without),
            with: costs(&with),
            instructions: Ok([vec![999_000, 1_000_000, 1_001_000], vec![1_004_000, 1_004_000, 1_010_000]]),
        };
        insta::assert_snapshot!(overhead.table(7).unwrap().terminal(), @"
        of an export      without       with   change  95 % interval, or range
        instructions    1,000,000  1,004,000  +0.40 %        +0.30 % to +1.1 %
        processor time     1.03 s     1.06 s   +3.0 %         +2.9 % to +3.0 %
        time               2.06 s     2.12 s   +3.0 %         +2.9 % to +3.0 %
        ");
        assert!(overhead.about().starts_with("Times: medians of 20 exports of each engine, in turn;"));
        assert!(overhead.about().contains("Instructions: medians of 3 exports of each, by callgrind;"));
    }

    #[test]
    fn what_was_not_counted_is_said() {
        let times = costs(&[10; 6]);
        let why = "valgrind is not there".to_owned();
        let overhead = Overhead { without: times.clone(), with: times, instructions: Err(why) };
        assert!(!overhead.table(7).unwrap().terminal().contains("instructions"));
        assert!(overhead.about().ends_with("Instructions were not counted: valgrind is not there."));
    }

    #[test]
    fn exports_without_a_partner_are_refused() {
        let overhead =
            Overhead { without: costs(&[1]), with: costs(&[1, 2]), instructions: Err(String::new()) };
        assert_eq!(overhead.table(7).unwrap_err().to_string(), "1 values of the base, 2 of the head");
    }
}
