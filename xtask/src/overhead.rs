//! What stages and counters cost: exports by an engine that has them and by one that has not. Pure: no process, no file.
//!
//! Whatever else a machine does only adds to what an export takes, so the least of many exports says best what the engine
//! takes by itself (Chen and Revels, *Robust benchmarking in noisy environments*, 2016).

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use crate::report::{Align, Table};
use crate::statistics::median;
use crate::units;

/// The level of the intervals.
const LEVEL: f64 = 0.95;

/// What an export took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Processor time of all its threads, from the start of the process to its end.
    pub(crate) cpu_ns: u64,
    /// Time from the start of the process to its end.
    pub(crate) wall_ns: u64,
}

/// Exports of both engines in turn, in one layout of their code.
#[derive(Clone, Debug, Default)]
pub(crate) struct InTurn {
    /// By the engine without stages and counters.
    pub(crate) without: Vec<Cost>,
    /// By the engine with them.
    pub(crate) with: Vec<Cost>,
}

/// What was measured.
#[derive(Clone, Debug)]
pub(crate) struct Overhead {
    /// Exports in each layout; at least two, or nothing can be said of their spread.
    pub(crate) layouts: Vec<InTurn>,
    /// The share of the code that lies alike in both engines of the first layout, of functions with a name of their own.
    pub(crate) alike: f64,
    /// Instructions of some exports without and with them, or why none were counted.
    pub(crate) instructions: Result<[Vec<u64>; 2], String>,
}

impl Overhead {
    /// Makes the table.
    pub(crate) fn table(&self) -> Table {
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
        for (name, value) in VALUES {
            let typical = |side: fn(&InTurn) -> &[Cost]| {
                let least: Vec<u64> =
                    self.layouts.iter().filter_map(|layout| side(layout).iter().map(value).min()).collect();
                units::nanoseconds(median(&least).unwrap_or(0))
            };
            let Mean { mean, low, high } = Mean::of(&self.changes(value));
            table.row(vec![
                name.to_owned(),
                typical(|layout| &layout.without),
                typical(|layout| &layout.with),
                percent(mean),
                format!("{} to {}", percent(low), percent(high)),
            ]);
        }
        table
    }

    /// Returns the logarithm of the ratio of the least values, of each layout.
    fn changes(&self, value: Value) -> Vec<f64> {
        let least = |side: &[Cost]| side.iter().map(value).min();
        let change =
            |layout: &InTurn| Some((least(&layout.with)? as f64 / least(&layout.without)? as f64).ln());
        self.layouts.iter().filter_map(change).collect()
    }

    /// Says how it was measured, and what was not.
    pub(crate) fn about(&self) -> String {
        let mut alone = self.changes(VALUES[0].1);
        alone.sort_by(f64::total_cmp);
        let (first, last) = (alone.first().copied().unwrap_or(0.0), alone.last().copied().unwrap_or(0.0));
        let times = format!(
            "Times: the least of {} exports of each engine in each of {} layouts, in turn; with and without are the medians of \
             those, the change is the mean over layouts, its interval Student's. In the first layout {:.0} % of the code of \
             functions with a name of their own lies alike in both engines. One layout alone would have said {} to {} of \
             processor time.",
            self.layouts.iter().map(|layout| layout.with.len()).min().unwrap_or(0),
            alone.len(),
            self.alike * 100.0,
            percent(first),
            percent(last)
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

/// One of the times of a cost.
type Value = fn(&Cost) -> u64;

/// What is timed.
const VALUES: [(&str, Value); 2] = [("processor time", |cost| cost.cpu_ns), ("time", |cost| cost.wall_ns)];

/// A mean and its interval.
struct Mean {
    mean: f64,
    low: f64,
    high: f64,
}

impl Mean {
    /// Student's interval of the mean of values that are drawn alike: the mean, and on each side as many standard errors
    /// as the quantile of his distribution with one degree of freedom less than values.
    fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let half = StudentsT::new(0.0, 1.0, count - 1.0).map_or(f64::INFINITY, |distribution| {
            distribution.inverse_cdf(f64::midpoint(1.0, LEVEL)) * (variance / count).sqrt()
        });
        Self { mean, low: mean - half, high: mean + half }
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

    fn layouts(factors: &[u64]) -> Vec<InTurn> {
        let without: Vec<u64> = (0..20).map(|pair| 1_000 + pair * 10 % 70).collect();
        let layout = |percent: &u64| {
            let with: Vec<u64> = without.iter().map(|ms| ms * percent / 100).collect();
            InTurn { without: costs(&without), with: costs(&with) }
        };
        factors.iter().map(layout).collect()
    }

    #[test]
    fn changes_are_means_over_layouts() {
        let overhead = Overhead {
            layouts: layouts(&[101, 103, 105]),
            alike: 0.814,
            instructions: Ok([vec![999_000, 1_000_000, 1_001_000], vec![1_004_000, 1_004_000, 1_010_000]]),
        };
        insta::assert_snapshot!(overhead.table().terminal(), @"
        of an export      without       with   change  95 % interval, or range
        instructions    1,000,000  1,004,000  +0.40 %        +0.30 % to +1.1 %
        processor time     1.00 s     1.03 s   +3.0 %         -1.9 % to +8.1 %
        time               2.00 s     2.06 s   +3.0 %         -1.9 % to +8.1 %
        ");
        let about = overhead.about();
        assert!(
            about.starts_with("Times: the least of 20 exports of each engine in each of 3 layouts, in turn;"),
            "{about}"
        );
        assert!(about.contains("In the first layout 81 % of the code of functions"), "{about}");
        assert!(about.contains("would have said +1.0 % to +5.0 % of processor time"), "{about}");
        assert!(about.contains("Instructions: medians of 3 exports of each, by callgrind;"), "{about}");
    }

    #[test]
    fn students_interval() {
        // Of 1, 2, 3: the mean 2, the standard error 1/√3, the quantile of two degrees of freedom 4.302653.
        let Mean { mean, low, high } = Mean::of(&[1.0, 2.0, 3.0]);
        assert!((mean - 2.0).abs() < 1e-12);
        assert!((high - 4.484_138).abs() < 1e-5, "{high}");
        assert!((low + 0.484_138).abs() < 1e-5, "{low}");
    }

    #[test]
    fn what_was_not_counted_is_said() {
        let why = "valgrind is not there".to_owned();
        let overhead = Overhead { layouts: layouts(&[100, 100]), alike: 1.0, instructions: Err(why) };
        assert!(!overhead.table().terminal().contains("instructions"));
        let about = overhead.about();
        assert!(about.ends_with("Instructions were not counted: valgrind is not there."), "{about}");
    }

    #[test]
    fn what_the_machine_adds_to_some_exports_changes_nothing() {
        let mut layouts = layouts(&[102, 102, 103]);
        for layout in &mut layouts {
            for cost in layout.with.iter_mut().skip(1).step_by(2) {
                cost.cpu_ns *= 2;
            }
        }
        let quiet = Overhead {
            layouts: self::layouts(&[102, 102, 103]),
            alike: 1.0,
            instructions: Err(String::new()),
        };
        let busy = Overhead { layouts, ..quiet.clone() };
        assert_eq!(busy.table().terminal(), quiet.table().terminal());
    }
}
