//! The statistics against another implementation of their definitions.
//!
//! `xtask/tests/cross_check/paired.py` computes what must come out, in the plainest way and from docs/METHODOLOGY.md
//! alone. Where our tests try all exchanges of labels, both must agree but for rounding; where they try random
//! ones, within five standard deviations of that.

use serde::Deserialize;

use super::aligned::Aligned;
use super::decision::{Call, Family, Margins};
use super::design::Design;
use super::multiplicity::{benjamini_hochberg, holm};
use super::pairs::Pairs;
use super::rates::Rate;
use super::swap_test::{Interval, SwapTest};
use super::turns::in_turn;

/// What sums of logarithms in another order may differ by.
const ROUNDING: f64 = 1e-9;

/// Random exchanges where not all are tried.
const SWAPS: usize = 99_999;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    tests: Vec<ExpectedTest>,
    sampled: Vec<ExpectedTest>,
    effects: Vec<ExpectedEffect>,
    intervals: Vec<ExpectedInterval>,
    designs: Vec<ExpectedDesign>,
    families: Vec<ExpectedFamily>,
    corrections: Vec<ExpectedCorrection>,
    rates: Vec<ExpectedRate>,
    turns: Vec<ExpectedTurns>,
}

/// Times of base and head.
type Measured = Vec<[u64; 2]>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedTest {
    pairs: Measured,
    #[serde(default)]
    left_out: Option<f64>,
    effect: f64,
    slower: f64,
    faster: f64,
    spread: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedEffect {
    pairs: Measured,
    effect: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedInterval {
    pairs: Measured,
    level: f64,
    interval: Option<ExpectedEnds>,
}

/// Where rejection begins outwards from the effect, and the outermost effect that is not rejected.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedEnds {
    low: [f64; 2],
    high: [f64; 2],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedDesign {
    pairs: usize,
    cells: usize,
    looks: Option<Vec<(usize, f64)>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedFamily {
    pairs: usize,
    margin: f64,
    equivalence: f64,
    cells: Vec<ExpectedCell>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedCell {
    measured: Measured,
    call: String,
    pairs: usize,
    detectable: f64,
    needed: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedCorrection {
    probabilities: Vec<f64>,
    holm: Vec<f64>,
    benjamini_hochberg: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedRate {
    events: u64,
    trials: u64,
    level: f64,
    interval: [f64; 2],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedTurns {
    executions: Measured,
    ratio: f64,
    level: f64,
}

fn expected() -> Expected {
    serde_json::from_str(include_str!("../../tests/cross_check/paired.json")).unwrap()
}

fn pairs(measured: &Measured) -> Pairs {
    let (base, head): (Vec<u64>, Vec<u64>) = measured.iter().map(|[base, head]| (*base, *head)).unzip();
    Pairs::new(&base, &head).unwrap()
}

#[track_caller]
fn assert_near(found: f64, expect: f64, within: f64, of: &impl std::fmt::Debug) {
    assert!((found - expect).abs() <= within, "{found} is not {expect}, by {within}: {of:?}");
}

#[test]
fn tests_of_few_pairs_agree() {
    for case in expected().tests {
        let of = match case.left_out {
            Some(0.0) => SwapTest::of_all,
            _ => SwapTest::of,
        };
        let found = of(&pairs(&case.pairs), 0, 0);
        assert_near(found.effect, case.effect, ROUNDING, &case.pairs);
        assert_near(found.spread, case.spread, ROUNDING, &case.pairs);
        // A single exchange counted otherwise is more than this.
        assert_near(found.slower, case.slower, ROUNDING, &case.pairs);
        assert_near(found.faster, case.faster, ROUNDING, &case.pairs);
    }
}

#[test]
fn random_exchanges_come_near_all_of_them() {
    for case in expected().sampled {
        let found = SwapTest::of(&pairs(&case.pairs), SWAPS, 5);
        assert_near(found.effect, case.effect, ROUNDING, &case.pairs);
        assert_near(found.spread / case.spread, 1.0, 0.02, &case.pairs);
        let swaps = SWAPS as f64;
        let within = |share: f64| 5.0 * (share * (1.0 - share) / swaps).sqrt() + 1.0 / swaps;
        assert_near(found.slower, case.slower, within(case.slower), &case.pairs);
        assert_near(found.faster, case.faster, within(case.faster), &case.pairs);
    }
}

#[test]
fn effects_of_many_pairs_agree() {
    for case in expected().effects {
        let found = Aligned::new(&pairs(&case.pairs), 35).difference(|_| false);
        assert_near(found, case.effect, ROUNDING, &case.pairs.len());
    }
}

#[test]
fn intervals_agree() {
    for case in expected().intervals {
        let found = Interval::of(&pairs(&case.pairs), case.level, 0);
        assert_eq!(found.is_some(), case.interval.is_some(), "{:?}", case.pairs);
        let (Some(found), Some(ExpectedEnds { low, high })) = (found, case.interval) else { continue };
        // Ends are looked for by halving, which is given up at about this part of the width.
        let within = (high[0] - low[0]) / 1e3;
        let is_at = |end: f64, [one, other]: [f64; 2]| {
            one.min(other) - within <= end && end <= one.max(other) + within
        };
        assert!(is_at(found.low, low) && is_at(found.high, high), "{found:?} {low:?} {high:?}");
    }
}

#[test]
fn designs_agree() {
    for case in expected().designs {
        let found = Design::new(case.pairs, case.cells).ok();
        let shape = format!("{} pairs, {} cells", case.pairs, case.cells);
        assert_eq!(found.is_some(), case.looks.is_some(), "{shape}");
        let (Some(found), Some(looks)) = (found, case.looks) else { continue };
        assert_eq!(found.looks.len(), looks.len(), "{shape}");
        for (look, (pairs, level)) in found.looks.iter().zip(&looks) {
            assert_eq!(look.pairs, *pairs, "{shape}");
            assert_near(look.level, *level, 1e-15, &shape);
        }
    }
}

#[test]
fn calls_of_families_agree() {
    for case in expected().families {
        let design = Design::new(case.pairs, case.cells.len()).unwrap();
        let margins = Margins { effect: case.margin, equivalence: case.equivalence };
        let family = Family { design, margins, seed: 0 };
        let cells: Vec<Pairs> = case.cells.iter().map(|cell| pairs(&cell.measured)).collect();
        let judged = family.judge(&cells.iter().collect::<Vec<_>>());
        assert_eq!(judged.len(), case.cells.len());
        for (found, expect) in judged.iter().zip(&case.cells) {
            let call = match found.call {
                Call::Regressed => "regressed",
                Call::Improved => "improved",
                Call::Unchanged => "unchanged",
                Call::Inconclusive => "inconclusive",
            };
            assert_eq!((call, found.pairs), (&*expect.call, expect.pairs), "{found:?} {:?}", expect.measured);
            assert_near(found.detectable, expect.detectable, ROUNDING, &expect.measured);
            assert_eq!(found.needed.is_some(), expect.needed.is_some());
            let (Some(found), Some(needed)) = (found.needed, expect.needed) else { continue };
            // It follows from the width of an interval, which is known to a thousandth.
            assert_near(found as f64, needed as f64, needed as f64 / 2e2 + 1.0, &expect.measured);
        }
    }
}

#[test]
fn corrections_agree() {
    for ExpectedCorrection { probabilities, holm: strict, benjamini_hochberg: lax } in expected().corrections
    {
        for (found, expect) in [(holm(&probabilities), strict), (benjamini_hochberg(&probabilities), lax)] {
            assert_eq!(found.len(), expect.len());
            for (found, expect) in found.into_iter().zip(expect) {
                assert_near(found, expect, ROUNDING, &probabilities);
            }
        }
    }
}

#[test]
fn intervals_of_rates_agree() {
    for ExpectedRate { events, trials, level, interval } in expected().rates {
        let found = Rate { events, trials }.interval(level);
        for (found, expect) in found.into_iter().zip(interval) {
            assert_near(found, expect, ROUNDING, &(events, trials, level));
        }
    }
}

#[test]
fn turns_agree() {
    for ExpectedTurns { executions, ratio, level } in expected().turns {
        let (base, head): (Vec<u64>, Vec<u64>) = executions.iter().map(|[base, head]| (*base, *head)).unzip();
        let [base, head] = in_turn(&base, &head).map(|value| (value as f64).ln());
        // Values are whole nanoseconds; these take a second.
        assert_near(head - base, ratio, 5e-9, &executions);
        assert_near(head.midpoint(base), level, 5e-9, &executions);
    }
}
