//! When a comparison looks at its pairs, and what it may reject then.
//!
//! A look at 0.6, 0.8 and all of the pairs spends 0.16, 0.36 and 0.48 of the chance of a false alarm, so that
//! looking early is paid for. The shares add up to one, which bounds the chance of any false alarm however the looks
//! depend on each other (Bonferroni).

use anyhow::bail;

/// The chance that any cell of a run is called regressed though none is.
const FAMILY_LEVEL: f64 = 0.05;

/// The chance that one cell is called regressed though it is not, at most.
const CELL_LEVEL: f64 = 0.01;

/// Where the looks are, as shares of the pairs, and the share of the level that each spends.
const LOOKS: [(f64, f64); 3] = [(0.6, 0.16), (0.8, 0.36), (1.0, 0.48)];

/// Random exchanges of labels for a test, at least.
const SWAPS: usize = 9_999;

/// A number of pairs after which a cell may be decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Look {
    /// Pairs measured by then.
    pub(crate) pairs: usize,
    /// The probability at or below which a test rejects.
    pub(crate) level: f64,
    /// Random exchanges of labels for that: enough to tell such a probability.
    pub(crate) swaps: usize,
}

/// The looks of a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Design {
    /// In ascending order; the last is at all pairs.
    pub(crate) looks: Vec<Look>,
    /// The level that the cells share at the last look.
    pub(crate) last_level: f64,
    /// The number of cells.
    pub(crate) cells: usize,
}

impl Design {
    /// Designs the looks for a number of pairs and of cells that gate. Fails if no result could be significant.
    pub(crate) fn new(pairs: usize, cells: usize) -> anyhow::Result<Self> {
        let level = CELL_LEVEL.min(FAMILY_LEVEL / cells.max(1) as f64);
        let mut looks: Vec<Look> = Vec::with_capacity(LOOKS.len());
        let mut unspent = 0.0;
        for (share, spent) in LOOKS {
            unspent += level * spent;
            let at = (pairs as f64 * share).ceil() as usize;
            // Where even the most extreme result cannot be rejected, looking is left out and nothing is spent.
            if least_probability(at) <= unspent {
                looks.push(Look { pairs: at, level: unspent, swaps: swaps(unspent) });
                unspent = 0.0;
            }
        }
        match looks.last() {
            Some(last) if last.pairs == pairs => {
                let last_level = last.level * cells.max(1) as f64;
                Ok(Self { looks, last_level, cells })
            }
            _ => {
                let needed = (0..).find(|pairs| least_probability(*pairs) <= level * LOOKS[2].1);
                let needed = needed.expect("probabilities halve with each pair");
                bail!(
                    "{pairs} pairs of {cells} cells cannot show a regression, whatever they measure: it takes {needed}; \
                     give more pairs or fewer cells"
                )
            }
        }
    }

    /// Returns the look that is due after a number of pairs.
    pub(crate) fn look(&self, pairs: usize) -> Option<Look> {
        self.looks.iter().copied().find(|look| look.pairs == pairs)
    }

    /// Returns the last look.
    pub(crate) fn last(&self) -> Look {
        *self.looks.last().expect("a design has a look")
    }
}

/// The probability of the most extreme result: one exchange of labels among all.
fn least_probability(pairs: usize) -> f64 {
    0.5_f64.powi(i32::try_from(pairs).unwrap_or(i32::MAX))
}

/// A tenth of the level must be one exchange or more.
fn swaps(level: f64) -> usize {
    SWAPS.max((10.0 / level).ceil() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_looks_of_twenty_cells() {
        let design = Design::new(24, 20).unwrap();
        let looks: Vec<(usize, String)> =
            design.looks.iter().map(|look| (look.pairs, format!("{:.4}", look.level))).collect();
        let expect = [(15, "0.0004"), (20, "0.0009"), (24, "0.0012")];
        assert_eq!(looks, expect.map(|(pairs, level)| (pairs, level.to_owned())));
        assert!((design.last_level - 0.024).abs() < 1e-12);
        assert!(design.looks[0].swaps >= 24_999, "{design:?}");
    }

    #[test]
    fn one_cell_has_its_own_limit() {
        let spent: f64 = Design::new(24, 1).unwrap().looks.iter().map(|look| look.level).sum();
        assert!((spent - 0.01).abs() < 1e-12);
    }

    #[test]
    fn early_looks_that_cannot_reject_are_left_out() {
        let design = Design::new(12, 20).unwrap();
        let looks: Vec<usize> = design.looks.iter().map(|look| look.pairs).collect();
        assert_eq!(looks, [10, 12]);
        assert!((design.looks[0].level - 0.0013).abs() < 1e-12);
    }

    #[test]
    fn designs_that_cannot_reject_are_refused() {
        let check = |pairs, cells, expect: Option<&str>| {
            let error = Design::new(pairs, cells).err().map(|error| error.to_string());
            assert_eq!(error.is_some(), expect.is_some(), "{error:?}");
            assert!(error.unwrap_or_default().contains(expect.unwrap_or_default()));
        };
        check(0, 1, Some("it takes 8"));
        check(5, 1, Some("it takes 8"));
        check(8, 1, None);
        check(8, 20, Some("it takes 10"));
        check(10, 20, None);
    }
}
