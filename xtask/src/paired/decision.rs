//! From tests to words: regressed, improved, unchanged, or inconclusive.
//!
//! A change is called if the test rejects at the look's level and the effect is beyond the margin below which
//! nobody cares. Unchanged is shown, never assumed: both one-sided tests reject that the effect is as large as the
//! bound of equivalence (Schuirmann, 1987). Before the last look that ends a cell only if its effect is within the margin,
//! or a change that more pairs would show were missed.

use statrs::distribution::{ContinuousCDF as _, Normal};

use super::design::{Design, Look};
use super::multiplicity::holm;
use super::pairs::Pairs;
use super::swap_test::{Interval, SwapTest};

/// The level of each of the two tests of equivalence.
const EQUIVALENCE_LEVEL: f64 = 0.05;

/// The level of the intervals that are shown.
const SHOWN_LEVEL: f64 = 0.95;

/// Random exchanges that tell how wide the noise is.
const SWAPS_OF_A_SPREAD: usize = 999;

/// The chance of finding the smallest detectable effect.
const POWER: f64 = 0.9;

/// More pairs than anybody waits for.
const NEVER_PAIRS: usize = 10_000;

/// What counts as a change, as shares of the base: 0.01 is one percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Margins {
    /// Effects up to this are no regression, however certain.
    pub(crate) effect: f64,
    /// Effects shown to be less than this are called unchanged.
    pub(crate) equivalence: f64,
}

/// What is said of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// The head needs more.
    Regressed,
    /// The head needs less.
    Improved,
    /// The difference is less than the bound of equivalence.
    Unchanged,
    /// The pairs do not tell.
    Inconclusive,
}

impl Call {
    /// Tells whether it says that something changed.
    pub(crate) fn is_change(self) -> bool {
        matches!(self, Self::Regressed | Self::Improved)
    }
}

/// A call with its numbers; effects are logarithms of head over base.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Judged {
    /// What is said.
    pub(crate) call: Call,
    /// The pairs it rests on.
    pub(crate) pairs: usize,
    /// The test behind it; its spread is that of the noise, without the effect.
    pub(crate) test: SwapTest,
    /// The effects that are not rejected; nothing if there are too few pairs for that.
    pub(crate) interval: Option<Interval>,
    /// The smallest effect that this comparison finds in nine of ten runs, as a share.
    pub(crate) detectable: f64,
    /// If inconclusive, about how many pairs it would take.
    pub(crate) needed: Option<usize>,
}

/// A call without the numbers that only a reader needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Called {
    /// What is said.
    pub(crate) call: Call,
    /// The pairs it rests on, from the first on.
    pub(super) pairs: usize,
    /// The test behind it.
    pub(super) test: SwapTest,
}

/// Everything that cells are judged by.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    /// The looks.
    pub(crate) design: Design,
    /// What counts as a change.
    pub(crate) margins: Margins,
    /// The seed of random exchanges.
    pub(crate) seed: u64,
}

impl Family {
    /// Judges all cells that a run has pairs of, in their order.
    pub(crate) fn judge(&self, cells: &[&Pairs]) -> Vec<Judged> {
        let called = self.call(cells);
        cells.iter().zip(called).map(|(pairs, called)| self.judged(pairs, called)).collect()
    }

    /// Calls a cell at the first look before the last that decides it; nothing if it needs more pairs.
    pub(crate) fn early(&self, pairs: &Pairs) -> Option<Called> {
        let last = self.design.last().pairs;
        let reached = self.design.looks.iter().filter(|look| look.pairs < last && look.pairs <= pairs.len());
        reached.copied().find_map(|look| self.look(&pairs.first(look.pairs), look))
    }

    /// Judges a cell whose measurement was ended before its last look: it may still be shown to be unchanged.
    pub(crate) fn cut(&self, pairs: &Pairs) -> Judged {
        self.judged(pairs, self.ended(pairs))
    }

    /// Calls cells, in their order: early, at the last look all together, or as what was cut.
    pub(super) fn call(&self, cells: &[&Pairs]) -> Vec<Called> {
        let last = self.design.last().pairs;
        let mut called: Vec<Option<Called>> = cells.iter().map(|pairs| self.early(pairs)).collect();
        let is_at_last = |place: &usize| called[*place].is_none() && cells[*place].len() >= last;
        let at_last: Vec<usize> = (0..cells.len()).filter(is_at_last).collect();
        let pairs: Vec<Pairs> = at_last.iter().map(|place| cells[*place].first(last)).collect();
        for (place, at_last) in at_last.into_iter().zip(self.last(&pairs)) {
            called[place] = Some(at_last);
        }
        let all = called.into_iter().zip(cells);
        all.map(|(called, pairs)| called.unwrap_or_else(|| self.ended(pairs))).collect()
    }

    /// Calls a cell at a look before the last.
    fn look(&self, pairs: &Pairs, look: Look) -> Option<Called> {
        let test = SwapTest::of(pairs, look.swaps, self.seed);
        let call = self.changed(test, test.slower, test.faster, look.level);
        let is_unchanged = || self.is_small(test) && self.is_equivalent(pairs, look);
        let call = call.or_else(|| is_unchanged().then_some(Call::Unchanged))?;
        Some(Called { call, pairs: pairs.len(), test })
    }

    /// Calls the cells that reached the last look, all together.
    fn last(&self, cells: &[Pairs]) -> Vec<Called> {
        let swaps = self.design.last().swaps;
        let tests: Vec<SwapTest> = cells.iter().map(|pairs| SwapTest::of(pairs, swaps, self.seed)).collect();
        // Cells that were decided before are of the family: which are left is no accident.
        let adjusted = |of: fn(&SwapTest) -> f64| {
            let mut probabilities: Vec<f64> = tests.iter().map(of).collect();
            probabilities.resize(self.design.cells.max(tests.len()), 1.0);
            holm(&probabilities)
        };
        let (slower, faster) = (adjusted(|test| test.slower), adjusted(|test| test.faster));
        let call = |place: usize| {
            let (pairs, test) = (&cells[place], tests[place]);
            let level = self.design.last_level;
            let changed = self.changed(test, slower[place], faster[place], level);
            let call = changed.unwrap_or_else(|| self.unchanged(pairs));
            Called { call, pairs: pairs.len(), test }
        };
        (0..cells.len()).map(call).collect()
    }

    /// Calls a cell whose measurement was ended. As at a look before the last, one that seems to have changed is not
    /// unchanged: more pairs may show that it did.
    fn ended(&self, pairs: &Pairs) -> Called {
        let test = SwapTest::of(pairs, self.design.last().swaps, self.seed);
        let call = if self.is_small(test) { self.unchanged(pairs) } else { Call::Inconclusive };
        Called { call, pairs: pairs.len(), test }
    }

    /// Tells whether an effect is within the margin.
    fn is_small(&self, test: SwapTest) -> bool {
        test.effect.abs() <= self.margins.effect.ln_1p()
    }

    /// Tells what is left to say where no change is called.
    fn unchanged(&self, pairs: &Pairs) -> Call {
        if self.is_equivalent(pairs, self.design.last()) { Call::Unchanged } else { Call::Inconclusive }
    }

    fn changed(&self, test: SwapTest, slower: f64, faster: f64, level: f64) -> Option<Call> {
        let margin = self.margins.effect.ln_1p();
        if slower <= level && test.effect > margin {
            return Some(Call::Regressed);
        }
        (faster <= level && test.effect < -margin).then_some(Call::Improved)
    }

    /// Tells whether both one-sided tests reject at the look's share of their level.
    fn is_equivalent(&self, pairs: &Pairs, look: Look) -> bool {
        let all: f64 = self.design.looks.iter().map(|look| look.level).sum();
        let level = EQUIVALENCE_LEVEL * look.level / all;
        let bound = self.margins.equivalence.ln_1p();
        let swaps = self.design.last().swaps;
        // Cheap first: beyond the bound nothing needs a test.
        SwapTest::of(&pairs.less(-bound), swaps, self.seed).slower <= level
            && SwapTest::of(&pairs.less(bound), swaps, self.seed).faster <= level
    }

    /// Adds the numbers that are shown.
    fn judged(&self, pairs: &Pairs, called: Called) -> Judged {
        let Called { call, pairs: count, mut test } = called;
        let pairs = pairs.first(count);
        // An effect widens what exchanges give; the noise alone is seen without it.
        test.spread = SwapTest::of(&pairs.less(test.effect), SWAPS_OF_A_SPREAD, self.seed).spread;
        let interval = Interval::of(&pairs, SHOWN_LEVEL, self.seed);
        let needed = (call == Call::Inconclusive).then(|| self.needed(count, test, interval));
        Judged { call, pairs: count, test, interval, detectable: self.detectable(count, test), needed }
    }

    /// The effect that all pairs would find with [`POWER`], taking the spread to fall with the root of their number.
    fn detectable(&self, pairs: usize, test: SwapTest) -> f64 {
        let last = self.design.last();
        let spread = test.spread * (pairs as f64 / last.pairs as f64).sqrt();
        let found = spread * (normal(1.0 - last.level) + normal(POWER));
        found.max(self.margins.effect.ln_1p() + spread * normal(POWER)).exp_m1()
    }

    /// The pairs after which the same effect would be significant or shown to be small, whichever comes first.
    fn needed(&self, pairs: usize, test: SwapTest, interval: Option<Interval>) -> usize {
        let effect = test.effect.abs();
        let significant = test.spread * (normal(1.0 - self.design.last().level) + normal(POWER)) / effect;
        let half = interval.map_or(test.spread * normal(SHOWN_LEVEL), Interval::half_width);
        let equivalent = half / (self.margins.equivalence.ln_1p() - effect);
        let candidates = [
            (effect > self.margins.effect.ln_1p()).then_some(significant),
            (equivalent > 0.0).then_some(equivalent),
        ];
        let factor = candidates.into_iter().flatten().fold(f64::INFINITY, f64::min);
        // Infinity becomes a number as well.
        ((pairs as f64 * factor * factor).ceil() as usize).clamp(pairs + 1, NEVER_PAIRS.max(pairs + 1))
    }
}

fn normal(at: f64) -> f64 {
    Normal::standard().inverse_cdf(at)
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;
    use crate::random;

    fn family(pairs: usize, cells: usize) -> Family {
        let margins = Margins { effect: 0.01, equivalence: 0.05 };
        Family { design: Design::new(pairs, cells).unwrap(), margins, seed: 1 }
    }

    /// Pairs whose noise is a few percent wide, with a ratio between the sides.
    fn pairs(seed: u64, count: usize, ratio: f64, width: f64) -> Pairs {
        let mut numbers = random::stream(seed, 3);
        let mut value = |ratio: f64| {
            let noise: f64 = (0..4).map(|_| numbers.random::<f64>() - 0.5).sum();
            (1e9 * ratio * (1.0 + width * noise)) as u64
        };
        let base: Vec<u64> = (0..count).map(|_| value(1.0)).collect();
        let head: Vec<u64> = (0..count).map(|_| value(ratio)).collect();
        Pairs::new(&base, &head).unwrap()
    }

    #[test]
    fn calls_of_a_first_look() {
        let family = family(24, 10);
        let look = family.design.looks[0];
        let check = |ratio, width, expect: Option<Call>| {
            let called = family.look(&pairs(5, look.pairs, ratio, width), look);
            assert_eq!(called.map(|called| called.call), expect, "{ratio} {width}");
        };
        check(1.10, 0.02, Some(Call::Regressed));
        check(0.90, 0.02, Some(Call::Improved));
        check(1.00, 0.02, Some(Call::Unchanged));
        // Certain, but less than anybody cares about.
        check(1.005, 0.001, Some(Call::Unchanged));
        check(1.03, 0.2, None);
        // Within the bound of equivalence, but more pairs may show that it is slower.
        check(1.03, 0.04, None);
    }

    #[test]
    fn the_last_look_corrects_for_the_number_of_cells() {
        let family = family(10, 40);
        let alone = Family { design: Design::new(10, 1).unwrap(), ..family.clone() };
        let is_regressed = |pairs: &Pairs| alone.last(std::slice::from_ref(pairs))[0].call == Call::Regressed;
        let least = |percent: u32| pairs(2, 10, 1.0 + f64::from(percent) / 1e2, 0.04);
        let one = (1..20).map(least).find(is_regressed).unwrap();
        let quiet = (0..39).map(|seed| pairs(100 + seed, 10, 1.0, 0.04));
        let all: Vec<Pairs> = std::iter::once(one.clone()).chain(quiet).collect();
        let judged = family.last(&all);
        assert_eq!(judged.len(), 40);
        assert!(judged[0].test.slower <= 0.01 && judged[0].call != Call::Regressed, "{:?}", judged[0]);
        assert!(judged.iter().all(|judged| judged.call != Call::Regressed));
        // That the others were decided before makes it no less one of forty.
        assert_ne!(family.last(&[one])[0].call, Call::Regressed);
    }

    #[test]
    fn what_was_cut_is_never_a_regression() {
        let family = family(24, 1);
        assert_eq!(family.cut(&pairs(1, 5, 1.5, 0.02)).call, Call::Inconclusive);
        let judged = family.cut(&pairs(1, 12, 1.2, 0.02));
        assert_eq!(judged.call, Call::Inconclusive);
        assert!(judged.needed.unwrap() > 12);
        assert_eq!(family.cut(&pairs(1, 12, 1.0, 0.02)).call, Call::Unchanged);
        // Certainly less than the bound of equivalence, and as certainly more than the margin.
        assert_eq!(family.cut(&pairs(1, 14, 1.03, 0.02)).call, Call::Inconclusive);
    }

    #[test]
    fn many_pairs_may_be_too_few() {
        let family = family(10_000, 1);
        let test = SwapTest::of(&pairs(1, 24, 1.0, 0.02), SWAPS_OF_A_SPREAD, 1);
        assert_eq!(family.needed(10_000, SwapTest { effect: 0.0, spread: 1.0, ..test }, None), 10_001);
    }

    #[test]
    fn noise_makes_less_detectable_and_needs_more_pairs() {
        let family = family(24, 10);
        let judged = |width| family.judge(&[&pairs(8, 24, 1.02, width)])[0];
        let (quiet, loud) = (judged(0.01), judged(0.3));
        assert!(quiet.detectable < 0.02 && loud.detectable > 0.05, "{quiet:?} {loud:?}");
        assert_eq!(loud.call, Call::Inconclusive);
        assert!(loud.needed.unwrap() > 50, "{loud:?}");
    }

    #[test]
    fn the_detectable_effect_is_detected_in_nine_of_ten() {
        let family = family(24, 10);
        let first = pairs(0, 24, 1.0, 0.05);
        let detectable = family.detectable(24, SwapTest::of(&first, SWAPS_OF_A_SPREAD, 1));
        let found =
            |seed: &u64| family.last(&[pairs(*seed, 24, 1.0 + detectable, 0.05)])[0].call == Call::Regressed;
        // The level of one cell among ten, had the other nine a smaller probability.
        let found = (0..60).filter(found).count();
        assert!((46..=60).contains(&found), "{found}");
    }
}
