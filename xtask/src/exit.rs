//! Exit codes, and the errors that choose one.

use std::process::ExitCode;

/// How the command ends; the numbers are part of the tool's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nothing is wrong.
    Pass = 0,
    /// A counter got worse.
    Regression = 1,
    /// The command line, a suite or the surroundings are wrong.
    Usage = 2,
    /// A comparison was possible but did not decide.
    Inconclusive = 3,
    /// The sides cannot be compared, or a required baseline is missing.
    Incomparable = 4,
    /// A cell failed, so there is nothing to compare.
    Failed = 5,
}

impl Exit {
    /// Returns the one of two that must be reported: 5, then 1, 4, 3, and 2 before all.
    pub(crate) fn worse(self, other: Self) -> Self {
        let rank = |exit| match exit {
            Self::Pass => 0,
            Self::Inconclusive => 1,
            Self::Incomparable => 2,
            Self::Regression => 3,
            Self::Failed => 4,
            Self::Usage => 5,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that ends the command with a code of its own; any other error ends it with 2.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Stop {
    /// The code.
    pub(crate) exit: Exit,
    /// What is wrong and what to do.
    pub(crate) message: String,
}

impl Stop {
    /// Makes the error.
    pub(crate) fn error(exit: Exit, message: impl Into<String>) -> anyhow::Error {
        Self { exit, message: message.into() }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_come_before_regressions_before_the_rest() {
        let check = |a: Exit, b: Exit, expect| {
            assert_eq!(a.worse(b), expect);
            assert_eq!(b.worse(a), expect);
        };
        check(Exit::Failed, Exit::Regression, Exit::Failed);
        check(Exit::Regression, Exit::Incomparable, Exit::Regression);
        check(Exit::Incomparable, Exit::Inconclusive, Exit::Incomparable);
        check(Exit::Inconclusive, Exit::Pass, Exit::Inconclusive);
        check(Exit::Pass, Exit::Pass, Exit::Pass);
    }
}
