//! What stages and counters cost: exports by an engine that has them and by one that has not. Pure: no process, no file.
//!
//! Both engines of a pair export at once on one core, which the system gives to each for a few milliseconds in turn. So
//! what slows the core down slows both (after Bulej et al., *Duet Benchmarking*, ICPE 2020, who use a core for each).

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use crate::report::{Align, Table};
use crate::statistics::median;
use crate::units;

/// The level of the intervals.
const LEVEL: f64 = 0.95;

/// What recording should cost at most, as a share of processor time.
const AIM: f64 = 0.01;

/// The processor times of two exports at once, in nanoseconds: of all threads, from start to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// By the engine without stages and counters.
    pub(crate) without: u64,
    /// By the engine with them.
    pub(crate) with: u64,
}

/// What was measured.
#[derive(Clone, Debug)]
pub(crate) struct Overhead {
    /// The pairs of each layout; at least two layouts, or nothing can be said of their spread.
    pub(crate) layouts: Vec<Vec<Pair>>,
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
        let typical = |side: fn(&Pair) -> u64| {
            let all: Vec<u64> = self.layouts.iter().flatten().map(side).collect();
            units::nanoseconds(median(&all).unwrap_or(0))
        };
        let Mean { mean, low, high } = Mean::of(&self.changes());
        table.row(vec![
            "processor time".to_owned(),
            typical(|pair| pair.without),
            typical(|pair| pair.with),
            percent(mean),
            format!("{} to {}", percent(low), percent(high)),
        ]);
        table
    }

    /// Returns the mean logarithm of a pair's ratio, of each layout.
    fn changes(&self) -> Vec<f64> {
        let change = |pair: &Pair| (pair.with as f64 / pair.without as f64).ln();
        let mean = |pairs: &Vec<Pair>| pairs.iter().map(change).sum::<f64>() / pairs.len() as f64;
        self.layouts.iter().map(mean).collect()
    }

    /// Says whether recording costs as little as it should.
    fn of_the_aim(&self) -> &'static str {
        let Mean { low, high, .. } = Mean::of(&self.changes());
        if high < AIM.ln_1p() {
            "The aim of less than 1 % of processor time is kept, with the whole interval."
        } else if low < AIM.ln_1p() {
            "Whether the aim of less than 1 % of processor time is kept is not shown: the interval reaches beyond it."
        } else {
            "The aim of less than 1 % of processor time is missed, with the whole interval."
        }
    }

    /// Says what comes of it, how it was measured, and what was not.
    pub(crate) fn about(&self) -> String {
        let mut alone = self.changes();
        alone.sort_by(f64::total_cmp);
        let (first, last) = (alone.first().copied().unwrap_or(0.0), alone.last().copied().unwrap_or(0.0));
        let times = format!(
            "{} Processor time: {} pairs of exports in each of {} layouts, both of a pair at once on one core; with and without \
             are medians, the change is the mean over layouts, its interval Student's. In the first layout {:.0} % of the \
             code of functions with a name of their own lies alike in both engines. One layout alone would have said {} to {}.",
            self.of_the_aim(),
            self.layouts.iter().map(Vec::len).min().unwrap_or(0),
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
    format!("{:+.2} %", logarithm.exp_m1() * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layouts(percents: &[u64]) -> Vec<Vec<Pair>> {
        let without = (0..20).map(|pair| 1_000_000_000 + pair * 10_000_000 % 70_000_000);
        let layout = |percent: &u64| {
            without.clone().map(|without| Pair { without, with: without / 100 * percent }).collect()
        };
        percents.iter().map(layout).collect()
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
        processor time     1.03 s     1.06 s  +2.99 %       -1.86 % to +8.08 %
        ");
        let about = overhead.about();
        assert!(
            about.contains("kept is not shown: the interval reaches beyond it. Processor time: 20 pairs"),
            "{about}"
        );
        assert!(
            about.contains("20 pairs of exports in each of 3 layouts, both of a pair at once"),
            "{about}"
        );
        assert!(about.contains("In the first layout 81 % of the code of functions"), "{about}");
        assert!(about.contains("would have said +1.00 % to +5.00 %."), "{about}");
        assert!(about.contains("Instructions: medians of 3 exports of each, by callgrind;"), "{about}");
    }

    #[test]
    fn whether_the_aim_is_kept_is_said() {
        let check = |percents: &[u64], expect: &str| {
            let overhead =
                Overhead { layouts: layouts(percents), alike: 1.0, instructions: Err(String::new()) };
            let about = overhead.about();
            assert!(about.contains(expect), "{about}");
        };
        check(&[100, 100, 100], "is kept, with the whole interval.");
        check(&[100, 101, 102], "kept is not shown");
        check(&[104, 104, 105], "is missed, with the whole interval.");
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
    fn what_slows_both_down_changes_nothing() {
        let quiet =
            Overhead { layouts: layouts(&[102, 102, 103]), alike: 1.0, instructions: Err(String::new()) };
        let mut busy = quiet.clone();
        for pair in busy.layouts.iter_mut().flatten().step_by(3) {
            *pair = Pair { without: pair.without * 2, with: pair.with * 2 };
        }
        let changes = |overhead: &Overhead| Mean::of(&overhead.changes());
        let (quiet, busy) = (changes(&quiet), changes(&busy));
        assert!((quiet.mean - busy.mean).abs() < 1e-12, "{} {}", quiet.mean, busy.mean);
        assert!((quiet.high - busy.high).abs() < 1e-12, "{} {}", quiet.high, busy.high);
    }
}
