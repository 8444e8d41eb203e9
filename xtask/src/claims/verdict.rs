//! What a measurement says of a promise.

use scenarios::Promise;
use serde::Serialize;

use super::interval::Interval;
use crate::exit::Exit;

/// What a measurement says of a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// The whole interval is better than promised.
    Exceeded,
    /// An improvement, and the interval meets the promised range.
    Confirmed,
    /// An improvement, but the whole interval is below the promised range.
    Weaker,
    /// The interval reaches from no improvement to the promised range.
    Undecided,
    /// No improvement was shown, and the promised one is out of reach.
    Refuted,
    /// A side could not be measured, or the sides do not answer alike.
    Failed,
}

impl Verdict {
    /// Every verdict, the best first.
    pub(crate) const ALL: [Self; 6] =
        [Self::Exceeded, Self::Confirmed, Self::Weaker, Self::Undecided, Self::Refuted, Self::Failed];

    /// Judges a reduction, in percent of the plain side.
    pub(crate) fn of_reduction(reduction: Interval, promise: Promise) -> Self {
        if reduction.low > 0.0 {
            return Self::of_improvement(reduction, promise);
        }
        let reaches = reduction.high > 0.0 && reduction.high >= f64::from(promise.from);
        if reaches { Self::Undecided } else { Self::Refuted }
    }

    /// Judges a share, in percent; `without` is the share without the change.
    pub(crate) fn of_share(share: Interval, promise: Promise, without: f64) -> Self {
        match Self::of_improvement(share, promise) {
            Self::Weaker if share.low <= without => Self::Refuted,
            verdict => verdict,
        }
    }

    fn of_improvement(found: Interval, promise: Promise) -> Self {
        if found.high < f64::from(promise.from) {
            return Self::Weaker;
        }
        let beyond = promise.to.is_some_and(|to| found.low > f64::from(to));
        if beyond { Self::Exceeded } else { Self::Confirmed }
    }

    /// Returns the name used in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Exceeded => "exceeded",
            Self::Confirmed => "confirmed",
            Self::Weaker => "weaker",
            Self::Undecided => "undecided",
            Self::Refuted => "refuted",
            Self::Failed => "failed",
        }
    }

    /// Returns how the command ends for it: a promise that does not hold is a result, not an error.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Exceeded | Self::Confirmed | Self::Weaker | Self::Refuted => Exit::Pass,
            Self::Undecided => Exit::Inconclusive,
            Self::Failed => Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval((low, middle, high): (f64, f64, f64)) -> Interval {
        Interval { low, middle, high }
    }

    #[test]
    fn reductions_are_judged_by_their_whole_interval() {
        let check = |promise: &str, found: (f64, f64, f64), expect| {
            let promise = Promise::parse(promise).unwrap();
            assert_eq!(Verdict::of_reduction(interval(found), promise), expect, "{promise} {found:?}");
        };
        check("30..50", (35.0, 40.0, 45.0), Verdict::Confirmed);
        check("30..50", (20.0, 25.0, 30.0), Verdict::Confirmed);
        check("30..50", (50.0, 55.0, 60.0), Verdict::Confirmed);
        check("30..50", (10.0, 40.0, 70.0), Verdict::Confirmed);
        check("30..50", (51.0, 55.0, 60.0), Verdict::Exceeded);
        check("30..50", (5.0, 10.0, 29.0), Verdict::Weaker);
        check("30..50", (0.0, 10.0, 29.0), Verdict::Refuted);
        check("30..50", (-9.0, -5.0, -1.0), Verdict::Refuted);
        check("30..50", (-9.0, 12.0, 31.0), Verdict::Undecided);
        check("50..", (60.0, 80.0, 99.0), Verdict::Confirmed);
        check("50..", (1.0, 2.0, 3.0), Verdict::Weaker);
        check("0..", (0.1, 0.2, 0.3), Verdict::Confirmed);
        check("0..", (-0.1, 0.2, 0.3), Verdict::Undecided);
        check("0..", (0.0, 0.0, 0.0), Verdict::Refuted);
        check("100..100", (100.0, 100.0, 100.0), Verdict::Confirmed);
        check("66..67", (66.7, 66.7, 66.7), Verdict::Confirmed);
    }

    #[test]
    fn shares_are_judged_by_their_size() {
        let check = |promise: &str, found: f64, without: f64, expect| {
            let promise = Promise::parse(promise).unwrap();
            let verdict = Verdict::of_share(Interval::exact(found), promise, without);
            assert_eq!(verdict, expect, "{promise} {found} {without}");
        };
        check("80..", 80.0, 0.0, Verdict::Confirmed);
        check("80..", 100.0, 0.0, Verdict::Confirmed);
        check("80..", 79.9, 0.0, Verdict::Weaker);
        check("80..", 40.0, 40.0, Verdict::Refuted);
        check("80..", 0.0, 0.0, Verdict::Refuted);
        check("0..0", 0.0, 0.0, Verdict::Confirmed);
        check("0..0", 12.0, 0.0, Verdict::Exceeded);
    }
}
