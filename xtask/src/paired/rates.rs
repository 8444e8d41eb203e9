//! How often something happened, with an interval.

use statrs::distribution::{Beta, ContinuousCDF as _};

/// Events among trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// How often it happened.
    pub(crate) events: u64,
    /// How often it could have.
    pub(crate) trials: u64,
}

impl Rate {
    /// Returns the interval of rates that do not contradict the events at a level of 0.95, say
    /// (Clopper and Pearson, 1934). Without a trial, everything is possible.
    pub(crate) fn interval(self, level: f64) -> [f64; 2] {
        let miss = (1.0 - level) / 2.0;
        let (events, others) = (self.events as f64, (self.trials - self.events) as f64);
        let low = if self.events == 0 { 0.0 } else { quantile(events, others + 1.0, miss) };
        let high = if self.events == self.trials { 1.0 } else { quantile(events + 1.0, others, 1.0 - miss) };
        [low, high]
    }
}

fn quantile(a: f64, b: f64, at: f64) -> f64 {
    Beta::new(a, b).expect("both shapes are above zero").inverse_cdf(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_known_answers() {
        // As binom.test of R gives them.
        let check = |events, trials, low: f64, high: f64| {
            let found = Rate { events, trials }.interval(0.95);
            assert!(
                (found[0] - low).abs() < 5e-5 && (found[1] - high).abs() < 5e-5,
                "{events} {trials}: {found:?}"
            );
        };
        check(0, 0, 0.0, 1.0);
        check(0, 10, 0.0, 0.3085);
        check(10, 10, 0.6915, 1.0);
        check(5, 10, 0.1871, 0.8129);
        check(0, 200, 0.0, 0.0183);
        check(1, 100, 0.0003, 0.0545);
    }
}
