//! What a side is known to be: the currency that comparisons are made in.
//!
//! A run and a stored baseline are both reduced to [`Measured`] before they are compared, so that every
//! comparison is the same comparison.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use scenarios::Phase;
use serde::{Deserialize, Serialize};

use crate::fingerprint::Context;

/// The value of an exact counter in one phase: it repeated in every process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Values {
    /// The same in every execution of the phase.
    Same(u64),
    /// One value for each execution of the phase, in order, and not all the same.
    Each(Vec<u64>),
}

impl Values {
    /// Makes the shortest form of one value per execution.
    pub(crate) fn new(each: Vec<u64>) -> Self {
        match each.first() {
            Some(first) if each.iter().all(|value| value == first) => Self::Same(*first),
            _ => Self::Each(each),
        }
    }

    /// Returns the values that it had, for [`Seen`].
    pub(crate) fn distinct(&self) -> impl Iterator<Item = Option<u64>> {
        let values = match self {
            Self::Same(value) => std::slice::from_ref(value),
            Self::Each(values) => values,
        };
        values.iter().copied().map(Some)
    }

    /// Pairs the executions that both sides have; a value that is always the same pairs with every one.
    pub(crate) fn pairs(&self, other: &Self) -> Vec<(u64, u64)> {
        match (self, other) {
            (Self::Same(a), Self::Same(b)) => vec![(*a, *b)],
            (Self::Same(a), Self::Each(b)) => b.iter().map(|b| (*a, *b)).collect(),
            (Self::Each(a), Self::Same(b)) => a.iter().map(|a| (*a, *b)).collect(),
            (Self::Each(a), Self::Each(b)) => a.iter().copied().zip(b.iter().copied()).collect(),
        }
    }
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same(value) => f.write_str(&crate::units::count(*value)),
            Self::Each(values) => {
                let parts: Vec<String> = values.iter().map(|value| crate::units::count(*value)).collect();
                write!(f, "{} by execution", parts.join(" then "))
            }
        }
    }
}

/// The values that an unstable counter had; nothing where it was missing.
pub(crate) type Seen = BTreeSet<Option<u64>>;

/// What one phase of a cell is known to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PhaseMeasured {
    /// Counters that repeated.
    pub(crate) exact: BTreeMap<String, Values>,
    /// Counters that did not.
    pub(crate) unstable: BTreeMap<String, Seen>,
    /// Medians of bounded metrics and times.
    pub(crate) medians: BTreeMap<String, u64>,
}

/// What one cell is known to be.
pub(crate) type CellMeasured = BTreeMap<Phase, PhaseMeasured>;

/// What a side is known to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Measured {
    /// The suite.
    pub(crate) suite: String,
    /// What the numbers depend on.
    pub(crate) context: Context,
    /// The cells.
    pub(crate) cells: BTreeMap<String, CellMeasured>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_executions_are_one_value() {
        assert_eq!(Values::new(vec![3, 3, 3]), Values::Same(3));
        assert_eq!(Values::new(vec![3, 2]), Values::Each(vec![3, 2]));
        assert_eq!(Values::Each(vec![3, 2]).to_string(), "3 then 2 by execution");
    }

    #[test]
    fn pairs_are_of_the_same_execution() {
        let each = Values::Each(vec![3, 2, 1]);
        assert_eq!(Values::Same(3).pairs(&each), [(3, 3), (3, 2), (3, 1)]);
        assert_eq!(each.pairs(&Values::Each(vec![3, 5])), [(3, 3), (2, 5)]);
    }
}
