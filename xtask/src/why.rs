//! Why a cell became worse: in which stages time or allocations grew, and by what share of the whole, or which stages
//! are entered more often.

use scenarios::{Phase, STAGES};

use crate::record::{Record, Side};
use crate::statistics::median;
use crate::units;

/// Stages that are named.
const NAMED: usize = 2;

/// Stages are named if they hold this share of the change or more, in percent.
const LEAST_PERCENT: f64 = 10.0;

/// Executions of each side that show that one always has more: by chance alone that happens in one of seventy.
const LEAST_EXECUTIONS: usize = 4;

/// What may grow in stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grown {
    /// Elapsed time.
    Time,
    /// Calls to the allocator.
    Allocations,
    /// Bytes asked of the allocator.
    Bytes,
}

impl Grown {
    /// Returns the metrics of the whole and of a stage.
    fn metrics(self) -> (&'static str, &'static str) {
        match self {
            Self::Time => ("wall_ns", "ns"),
            Self::Allocations => ("alloc_count", "allocs"),
            Self::Bytes => ("alloc_bytes", "alloc_bytes"),
        }
    }
}

/// How a phase changed between the sides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Growth {
    /// The phase.
    pub(crate) phase: Phase,
    /// What is compared.
    pub(crate) what: Grown,
    /// The medians of the whole on both sides.
    pub(crate) whole: [u64; 2],
    /// Stages by how much they grew, the most first: name, and medians on both sides.
    pub(crate) stages: Vec<(&'static str, [u64; 2])>,
}

impl Growth {
    /// Finds how a cell changed in a phase; nothing unless both sides were measured.
    pub(crate) fn of(record: &Record, cell: &str, phase: Phase, what: Grown) -> Option<Self> {
        let (whole, part) = what.metrics();
        let both = |metric: &str| medians(record, cell, phase, metric);
        let whole = both(whole)?;
        let named = STAGES.iter().map(|stage| stage.name());
        let mut stages: Vec<_> =
            named.filter_map(|name| Some((name, both(&format!("stage.{name}.{part}"))?))).collect();
        let inside = |side: usize| stages.iter().map(|(_, times)| times[side]).sum::<u64>();
        let outside = [whole[0].saturating_sub(inside(0)), whole[1].saturating_sub(inside(1))];
        stages.push(("outside of stages", outside));
        stages.sort_by_key(|(_, times)| -grown(*times));
        Some(Self { phase, what, whole, stages })
    }

    /// Says it in words, if it grew: `84 % of +5.1 ms is in execution (80.0 ms → 84.3 ms)`.
    pub(crate) fn text(&self) -> Option<String> {
        let by = u64::try_from(grown(self.whole)).ok().filter(|by| *by > 0)?;
        let shown = |value| match self.what {
            Grown::Time => units::nanoseconds(value),
            Grown::Allocations => units::count(value),
            Grown::Bytes => units::bytes(value),
        };
        let mut parts = Vec::new();
        for (name, times) in self.stages.iter().take(NAMED) {
            let percent = grown(*times) as f64 * 100.0 / by as f64;
            if percent >= LEAST_PERCENT {
                let [base, head] = times.map(shown);
                parts.push(format!("{percent:.0} % of it in {name} ({base} → {head})"));
            }
        }
        let parts = if parts.is_empty() { "spread over the stages".to_owned() } else { parts.join(" and ") };
        let (phase, by) = (self.phase.name(), shown(by));
        let by = match self.what {
            Grown::Time => format!("{by} more"),
            Grown::Allocations => format!("{by} allocations more"),
            Grown::Bytes => format!("{by} more memory"),
        };
        Some(format!("{phase} executions take {by}, {parts}"))
    }
}

/// Says in which stage the most memory was held at once, if that grew: `cold executions hold 3.0 MiB more at once, the
/// most in parquet_read (1.0 MiB → 4.0 MiB)`.
pub(crate) fn peak(record: &Record, cell: &str, phase: Phase) -> Option<String> {
    let both = |metric: &str| medians(record, cell, phase, metric);
    let by = u64::try_from(grown(both("alloc_peak_bytes")?)).ok().filter(|by| *by > 0)?;
    let stages = STAGES.iter().filter_map(|stage| {
        let name = stage.name();
        Some((name, both(&format!("stage.{name}.alloc_peak_bytes"))?))
    });
    let (name, [base, head]) = stages.max_by_key(|(_, [_, head])| *head)?;
    let (phase, by) = (phase.name(), units::bytes(by));
    let (base, head) = (units::bytes(base), units::bytes(head));
    Some(format!("{phase} executions hold {by} more at once, the most in {name} ({base} → {head})"))
}

/// Says which stages are entered more often, if some are: `warm executions enter parquet_read more often (8 → 9)`.
pub(crate) fn entered(record: &Record, cell: &str, phase: Phase) -> Option<String> {
    let counts = STAGES.iter().filter_map(|stage| {
        let name = stage.name();
        Some((name, medians(record, cell, phase, &format!("stage.{name}.count"))?))
    });
    entered_text(phase, counts.collect())
}

fn entered_text(phase: Phase, mut stages: Vec<(&'static str, [u64; 2])>) -> Option<String> {
    stages.retain(|(_, counts)| grown(*counts) > 0);
    stages.sort_by_key(|(_, counts)| -grown(*counts));
    let said = stages.iter().take(NAMED).map(|(name, counts)| {
        let [base, head] = counts.map(units::count);
        format!("{name} more often ({base} → {head})")
    });
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| format!("{} executions enter {}", phase.name(), said.join(" and ")))
}

/// Tells whether every execution of the head has more of a metric than any of the base, if there are enough to say so.
pub(crate) fn is_always_more(record: &Record, cell: &str, phase: Phase, metric: &str) -> bool {
    let [base, head] = [Side::Base, Side::Head].map(|side| values(record, cell, side, phase, metric));
    is_above(&base, &head)
}

fn is_above(base: &[u64], head: &[u64]) -> bool {
    let are_enough = base.len().min(head.len()) >= LEAST_EXECUTIONS;
    are_enough && base.iter().max() < head.iter().min()
}

/// Returns the medians of a metric on both sides; nothing unless both have it.
fn medians(record: &Record, cell: &str, phase: Phase, metric: &str) -> Option<[u64; 2]> {
    let of = |side: Side| median(&values(record, cell, side, phase, metric));
    Some([of(Side::Base)?, of(Side::Head)?])
}

fn values(record: &Record, cell: &str, side: Side, phase: Phase, metric: &str) -> Vec<u64> {
    let lines =
        record.samples.iter().filter(|line| line.side == side && line.cell == cell && line.phase == phase);
    lines.filter_map(|line| line.metrics.get(metric).copied()).collect()
}

fn grown(times: [u64; 2]) -> i64 {
    times[1].cast_signed() - times[0].cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_that_grew_is_named_with_its_share() {
        let growth = Growth {
            phase: Phase::Warm,
            what: Grown::Time,
            whole: [100_000_000, 110_000_000],
            stages: vec![
                ("execution", [60_000_000, 69_000_000]),
                ("outside of stages", [30_000_000, 31_000_000]),
                ("session", [10_000_000, 10_000_000]),
            ],
        };
        assert_eq!(
            growth.text().unwrap(),
            "warm executions take 10.0 ms more, 90 % of it in execution (60.0 ms → 69.0 ms) and 10 % of it in outside \
             of stages (30.0 ms → 31.0 ms)"
        );
        let faster = Growth { whole: [110, 100], ..growth.clone() };
        assert_eq!(faster.text(), None);
        let allocations = Growth {
            what: Grown::Allocations,
            whole: [1_000, 1_200],
            stages: vec![("session", [100, 300])],
            ..growth.clone()
        };
        assert_eq!(
            allocations.text().unwrap(),
            "warm executions take 200 allocations more, 100 % of it in session (100 → 300)"
        );
        let spread = Growth { stages: Vec::new(), ..growth };
        assert_eq!(spread.text().unwrap(), "warm executions take 10.0 ms more, spread over the stages");
    }

    #[test]
    fn what_is_always_more_does_not_overlap() {
        let check = |base: &[u64], head: &[u64], expect| assert_eq!(is_above(base, head), expect);
        check(&[4, 1, 2, 3], &[5, 8, 7, 6], true);
        check(&[4, 1, 2, 3], &[5, 8, 4, 6], false);
        check(&[5, 6, 7, 8], &[1, 2, 3, 4], false);
        check(&[1, 2, 3], &[4, 5, 6], false);
        check(&[], &[], false);
    }

    #[test]
    fn stages_that_are_entered_more_often_are_named() {
        let check = |stages: &[(&'static str, [u64; 2])], expect: Option<&str>| {
            assert_eq!(entered_text(Phase::Warm, stages.to_vec()).as_deref(), expect);
        };
        check(&[("execution", [1, 1]), ("session", [2, 1])], None);
        check(
            &[("execution", [1, 1]), ("parquet_read", [8, 9])],
            Some("warm executions enter parquet_read more often (8 → 9)"),
        );
        check(
            &[("session", [0, 1]), ("parquet_read", [8, 900]), ("factory", [0, 2])],
            Some("warm executions enter parquet_read more often (8 → 900) and factory more often (0 → 2)"),
        );
    }
}
