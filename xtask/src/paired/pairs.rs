//! Measurements of two sides, a pair per round.

use anyhow::ensure;

/// Logarithms of what was measured of two sides, in pairs, in the order of the rounds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pairs {
    base: Vec<f64>,
    head: Vec<f64>,
}

impl Pairs {
    /// Takes times or bytes. Fails without a pair, without a partner, and for zeros, which have no ratio.
    pub(crate) fn new(base: &[u64], head: &[u64]) -> anyhow::Result<Self> {
        ensure!(base.len() == head.len(), "{} values of the base, {} of the head", base.len(), head.len());
        ensure!(!base.is_empty(), "nothing was measured");
        ensure!(base.iter().chain(head).all(|value| *value > 0), "a measured value is 0");
        let logs = |values: &[u64]| values.iter().map(|value| (*value as f64).ln()).collect();
        Ok(Self { base: logs(base), head: logs(head) })
    }

    /// Returns the number of pairs.
    pub(crate) fn len(&self) -> usize {
        self.base.len()
    }

    /// Returns the base's and the head's logarithms of each pair.
    pub(super) fn logs(&self) -> impl Iterator<Item = [f64; 2]> + '_ {
        self.base.iter().zip(&self.head).map(|(base, head)| [*base, *head])
    }

    /// Returns the pairs as they would be if the head's logarithms were less by a value.
    pub(super) fn less(&self, by: f64) -> Self {
        Self { base: self.base.clone(), head: self.head.iter().map(|head| head - by).collect() }
    }

    /// Returns the first pairs.
    pub(crate) fn first(&self, count: usize) -> Self {
        let count = count.min(self.len());
        Self { base: self.base[..count].to_vec(), head: self.head[..count].to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_ratio_is_refused() {
        let check = |base: &[u64], head: &[u64], expect: &str| {
            assert_eq!(Pairs::new(base, head).unwrap_err().to_string(), expect);
        };
        check(&[], &[], "nothing was measured");
        check(&[1, 2], &[1], "2 values of the base, 1 of the head");
        check(&[1, 0], &[1, 1], "a measured value is 0");
        assert_eq!(
            Pairs::new(&[1, 2, 3], &[4, 5, 6]).unwrap().first(2),
            Pairs::new(&[1, 2], &[4, 5]).unwrap()
        );
    }
}
