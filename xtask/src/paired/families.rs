//! How often whole comparisons are wrong, and how often they find what is there, on simulated machines.
//!
//! Every cell is measured in pairs by a machine whose speed drifts and jumps, which both sides of a pair share, and
//! whose interference only adds time, which they do not. Everything is called as a run calls it: at all looks, with
//! all cells corrected together. Seeds are fixed, so an assertion that holds holds always.

use std::thread;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF as _, Normal};

use super::decision::{Call, Family, Margins};
use super::design::Design;
use super::pairs::Pairs;
use super::rates::Rate;
use crate::random;

/// The level of the intervals of rates that are compared with what must hold.
const CERTAIN: f64 = 0.98;

/// What is simulated.
#[derive(Clone, Copy)]
struct Experiment {
    families: u64,
    cells: usize,
    pairs: usize,
    /// The least and the greatest standard deviation of a pair's ratio; those of cells lie evenly between.
    spread: [f64; 2],
    /// The ratio of head over base; the place of a cell decides whether it has that, the inverse of it, or none.
    ratio: f64,
    exchanges: Exchanges,
}

/// How many random exchanges of labels a test has.
#[derive(Clone, Copy)]
enum Exchanges {
    /// As few as can reject at the level of the look, which is as exact a test, but finds a little less.
    Fewest,
    /// As many as a run has.
    AsInARun,
}

/// What was called of cells that were alike, were slower, and were faster.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    alike: Calls,
    slower: Calls,
    faster: Calls,
    /// Families in which any cell that was not slower was called slower, and the same of faster.
    families_called: [u64; 2],
    families: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Calls {
    cells: u64,
    slower: u64,
    faster: u64,
    unchanged: u64,
    pairs: u64,
}

impl Experiment {
    const BASE: Self = Self {
        families: 0,
        cells: 40,
        pairs: 24,
        spread: [0.015, 0.03],
        ratio: 1.0,
        exchanges: Exchanges::Fewest,
    };

    /// Simulates and calls all families, a share of them in each thread.
    fn run(self) -> Outcome {
        let workers = thread::available_parallelism().map_or(1, |count| count.get() as u64);
        let share = |worker: u64| {
            let mine = (0..self.families).filter(move |number| number % workers == worker);
            mine.fold(Outcome::default(), |all, number| all.and(self.family(number)))
        };
        thread::scope(|scope| {
            let running: Vec<_> = (0..workers).map(|worker| scope.spawn(move || share(worker))).collect();
            let ended = running.into_iter().map(|worker| worker.join().expect("no simulation panics"));
            ended.fold(Outcome::default(), Outcome::and)
        })
    }

    fn family(self, number: u64) -> Outcome {
        let mut design = Design::new(self.pairs, self.cells).unwrap();
        if let Exchanges::Fewest = self.exchanges {
            for look in &mut design.looks {
                look.swaps = (1.0 / look.level).ceil() as usize;
            }
        }
        let family = Family { design, margins: Margins { effect: 0.01, equivalence: 0.05 }, seed: number };
        let ratio = |place: usize| match place % 4 {
            0 => self.ratio,
            1 => 1.0 / self.ratio,
            _ => 1.0,
        };
        let pairs = |place: usize| {
            let of = (place as f64 + 0.5) / self.cells as f64;
            let spread = self.spread[0] + (self.spread[1] - self.spread[0]) * of;
            let numbers = random::stream(number, 100 + place as u64);
            Machine { numbers, spread, level: 0.0 }.pairs(self.pairs, ratio(place))
        };
        let cells: Vec<Pairs> = (0..self.cells).map(pairs).collect();
        let called = family.call(&cells.iter().collect::<Vec<_>>());
        assert_eq!(called.len(), self.cells);
        let mut outcome = Outcome { families: 1, ..Outcome::default() };
        for (place, called) in called.into_iter().enumerate() {
            let ratio = ratio(place);
            let calls = match ratio {
                1.0 => &mut outcome.alike,
                _ if ratio > 1.0 => &mut outcome.slower,
                _ => &mut outcome.faster,
            };
            calls.cells += 1;
            calls.pairs += called.pairs as u64;
            match called.call {
                Call::Regressed => calls.slower += 1,
                Call::Improved => calls.faster += 1,
                Call::Unchanged => calls.unchanged += 1,
                Call::Inconclusive => {}
            }
        }
        let any = |count: u64| u64::from(count > 0);
        outcome.families_called = [
            any(outcome.alike.slower + outcome.faster.slower),
            any(outcome.alike.faster + outcome.slower.faster),
        ];
        outcome
    }
}

impl Outcome {
    fn and(self, other: Self) -> Self {
        let families_called = [0, 1].map(|side| self.families_called[side] + other.families_called[side]);
        Self {
            alike: self.alike.and(other.alike),
            slower: self.slower.and(other.slower),
            faster: self.faster.and(other.faster),
            families_called,
            families: self.families + other.families,
        }
    }

    /// Requires that false calls are as frequent as the levels of a family and of a cell say, and not much less.
    fn assert_level(&self, family: f64, cell: f64) {
        let of_families = self.families_called.map(|events| Rate { events, trials: self.families });
        let of_cells =
            [self.alike.slower, self.alike.faster].map(|events| Rate { events, trials: self.alike.cells });
        for (rate, level) in
            of_families.map(|rate| (rate, family)).into_iter().chain(of_cells.map(|rate| (rate, cell)))
        {
            let [low, high] = rate.interval(CERTAIN);
            assert!(low <= level, "{rate:?} is more than {level}: {low:.5} to {high:.5}");
            // A test that never calls anything would pass the first.
            assert!(high >= level / 2.0, "{rate:?} is far less than {level}: {low:.5} to {high:.5}");
        }
    }

    /// Requires that changes are found at least as often as told, in both directions alike.
    fn assert_power(&self, power: f64) {
        let found = [
            Rate { events: self.slower.slower, trials: self.slower.cells },
            Rate { events: self.faster.faster, trials: self.faster.cells },
        ];
        let [slower, faster] = found.map(|rate| rate.interval(CERTAIN));
        assert!(slower[0] >= power && faster[0] >= power, "{found:?}: {slower:?} {faster:?}, not {power}");
        assert!(slower[0] <= faster[1] && faster[0] <= slower[1], "{found:?}: {slower:?} {faster:?}");
    }
}

impl Calls {
    fn and(self, other: Self) -> Self {
        Self {
            cells: self.cells + other.cells,
            slower: self.slower + other.slower,
            faster: self.faster + other.faster,
            unchanged: self.unchanged + other.unchanged,
            pairs: self.pairs + other.pairs,
        }
    }

    /// The mean of the pairs after which cells were called.
    fn mean_pairs(&self) -> f64 {
        self.pairs as f64 / self.cells as f64
    }
}

/// A machine that others use as well, as it measures one cell.
struct Machine {
    numbers: ChaCha8Rng,
    /// The standard deviation of the logarithm of a pair's ratio, slow values included.
    spread: f64,
    /// How slow it is, as a logarithm.
    level: f64,
}

impl Machine {
    /// Measures pairs of sides of which the head takes `ratio` times as long.
    fn pairs(mut self, count: usize, ratio: f64) -> Pairs {
        let (mut base, mut head) = (Vec::new(), Vec::new());
        for _ in 0..count {
            self.drift();
            base.push(self.measure(1.0));
            head.push(self.measure(ratio));
        }
        Pairs::new(&base, &head).unwrap()
    }

    /// Walks by a fifth of the spread, and in one of thirty pairs jumps by three times the spread.
    fn drift(&mut self) {
        self.level += self.normal() * self.spread / 5.0;
        if self.numbers.random::<f64>() < 1.0 / 30.0 {
            self.level += self.normal() * self.spread * 3.0;
        }
    }

    /// Takes a time in ns. One in ten is slowed further, exponentially, by three times the width of the others.
    fn measure(&mut self, ratio: f64) -> u64 {
        // The variance of a side is that of its core, once for itself and 1.71 times for the tail.
        let core = self.spread / (2.0_f64 * 2.71).sqrt();
        let mut log = self.level + self.normal() * core;
        if self.numbers.random::<f64>() < 0.1 {
            log -= (1.0 - self.numbers.random::<f64>()).ln() * 3.0 * core;
        }
        (3e8 * ratio * log.exp()) as u64
    }

    fn normal(&mut self) -> f64 {
        // Never 0, whose quantile is infinite.
        Normal::standard().inverse_cdf(self.numbers.random::<f64>().max(1e-12))
    }
}

#[test]
fn families_without_a_change_are_called_as_rarely_as_the_level_says() {
    // Loud enough that many cells reach the last look, where they are corrected together.
    let outcome = Experiment { families: 30, spread: [0.015, 0.12], ..Experiment::BASE }.run();
    outcome.assert_level(0.05, 0.05 / 40.0);
    assert!(outcome.alike.mean_pairs() > 17.0, "{outcome:?}");
}

#[test]
fn looks_are_paid_for() {
    // Few cells have the greatest level each, so that looking for nothing would show soonest.
    let outcome = Experiment { families: 1_200, cells: 4, spread: [0.06, 0.12], ..Experiment::BASE }.run();
    outcome.assert_level(0.04, 0.01);
}

#[test]
fn changes_are_found_in_both_directions() {
    let check = |ratio, power| {
        let outcome = Experiment { families: 6, ratio, ..Experiment::BASE }.run();
        outcome.assert_power(power);
        assert_eq!(outcome.families_called, [0, 0], "{outcome:?}");
        assert_eq!(outcome.alike.unchanged, outcome.alike.cells, "{outcome:?}");
        outcome
    };
    check(1.02, 0.7);
    let outcome = check(1.05, 0.92);
    assert!(outcome.slower.mean_pairs() < 16.0 && outcome.faster.mean_pairs() < 16.0, "{outcome:?}");
}

#[test]
#[ignore = "takes minutes; prints the rates that docs/METHODOLOGY.md tells"]
fn rates_of_many_families() {
    let print = |what: &str, experiment: Experiment| {
        let outcome = experiment.run();
        println!("{what}");
        println!("  pairs of cells alike: {:.1}", outcome.alike.mean_pairs());
        if outcome.slower.cells > 0 {
            println!("  pairs of slower cells: {:.1}", outcome.slower.mean_pairs());
        }
        for (of, rate) in [
            ("families called slower", Rate { events: outcome.families_called[0], trials: outcome.families }),
            ("families called faster", Rate { events: outcome.families_called[1], trials: outcome.families }),
            ("cells alike called slower", Rate { events: outcome.alike.slower, trials: outcome.alike.cells }),
            ("cells alike called faster", Rate { events: outcome.alike.faster, trials: outcome.alike.cells }),
            ("slower cells found", Rate { events: outcome.slower.slower, trials: outcome.slower.cells }),
            ("faster cells found", Rate { events: outcome.faster.faster, trials: outcome.faster.cells }),
        ] {
            if rate.trials == 0 {
                continue;
            }
            let [low, high] = rate.interval(0.95).map(|end| end * 100.0);
            println!("  {of}: {} of {}, {low:.3} to {high:.3} %", rate.events, rate.trials);
        }
    };
    let many = Experiment { families: 200, exchanges: Exchanges::Fewest, ..Experiment::BASE };
    let real = Experiment { families: 8, exchanges: Exchanges::AsInARun, ..Experiment::BASE };
    print("quiet, nothing changed", many);
    print("loud, nothing changed", Experiment { spread: [0.03, 0.12], ..many });
    print("loud, four cells", Experiment { families: 3_000, cells: 4, spread: [0.06, 0.12], ..many });
    print(
        "loud, nothing changed, as many exchanges as a run has",
        Experiment { spread: [0.03, 0.12], ..real },
    );
    for ratio in [1.015, 1.02, 1.03, 1.05] {
        print(&format!("times {ratio}"), Experiment { families: 8, ratio, ..many });
    }
}
