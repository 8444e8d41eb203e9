//! What `bench --live` shows below the bar: what is measured now, what was measured last, and what is known so far.
//!
//! Pure but for the moments that it is given. Samples of a process come when it ends, or between the executions of
//! two in turn; so the line of the last sample says what is known.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use scenarios::{CACHES, Phase, Sample};

use crate::paired::Call;
use crate::plan::PlannedCell;
use crate::record::Side;
use crate::units;

/// The view of a run.
#[derive(Debug)]
pub(crate) struct Live {
    began: Instant,
    /// When the first turn was begun.
    measuring: Option<Instant>,
    /// What is done now, and how long the rest takes.
    now: String,
    left: Option<Duration>,
    /// Whether the rest may be shorter, because cells may be decided early.
    is_bound: bool,
    /// The turns that were begun: processes, or pairs of them.
    turns: u32,
    executions: u64,
    last: Option<Last>,
    peak_bytes: u64,
    /// The cell whose process had the peak.
    peak_of: String,
    crossed: usize,
    /// Cells by how they ended, or by what is said of them.
    ended: BTreeMap<&'static str, usize>,
    decided: BTreeMap<&'static str, usize>,
}

/// The process whose sample came last.
#[derive(Debug)]
struct Last {
    of: (String, Side, u32),
    phase: Phase,
    iteration: u32,
    wall_ns: u64,
    peak_bytes: u64,
    /// Hits and look-ups of all its executions, by cache.
    lookups: BTreeMap<&'static str, (u64, u64)>,
}

impl Live {
    /// Begins a view.
    pub(crate) fn begin(now: Instant) -> Self {
        Self {
            began: now,
            measuring: None,
            now: String::new(),
            left: None,
            is_bound: false,
            turns: 0,
            executions: 0,
            last: None,
            peak_bytes: 0,
            peak_of: String::new(),
            crossed: 0,
            ended: BTreeMap::new(),
            decided: BTreeMap::new(),
        }
    }

    /// Says what is done now, and how long the rest takes.
    pub(crate) fn now(&mut self, what: &str, left: Option<Duration>) {
        what.clone_into(&mut self.now);
        self.left = left;
    }

    /// Begins a turn; returns how it is called.
    pub(super) fn begin_turn(
        &mut self,
        planned: &PlannedCell,
        sides: &[Side],
        process: u32,
        now: Instant,
    ) -> String {
        self.measuring.get_or_insert(now);
        self.turns += 1;
        let names: Vec<&str> = sides.iter().map(|side| side.name()).collect();
        let (process, of) = (process + 1, planned.processes);
        let what = if sides.len() == 1 { "process" } else { "pair" };
        let warm = match planned.warm {
            0 => String::new(),
            warm => format!(", then {warm} warm"),
        };
        format!("{}: {}, {what} {process} of {of}, cold{warm}", planned.cell.id(), names.join(" and "))
    }

    /// Bounds the time of turns that are still to be taken by that of those that were, and by a budget.
    pub(super) fn left(&mut self, turns: usize, budget: Option<Duration>, now: Instant) -> Option<Duration> {
        self.is_bound = true;
        let spent = now.saturating_duration_since(self.measuring?);
        let left = spent.checked_div(self.turns)?.checked_mul(u32::try_from(turns).ok()?)?;
        Some(budget.map_or(left, |budget| left.min(budget.saturating_sub(spent))))
    }

    /// Takes a sample, and how many thresholds were crossed so far.
    pub(super) fn take(&mut self, cell: &str, side: Side, process: u32, sample: &Sample, crossed: usize) {
        let of = |name: &str| sample.metrics.get(name).copied().unwrap_or(0);
        self.executions += 1;
        self.crossed = crossed;
        let key = (cell.to_owned(), side, process);
        let lookups = self.last.take().filter(|last| last.of == key).map(|last| last.lookups);
        let mut lookups = lookups.unwrap_or_default();
        for cache in CACHES {
            let (hits, misses) = (of(&format!("cache.{cache}.hits")), of(&format!("cache.{cache}.misses")));
            if hits + misses > 0 {
                let all: &mut (u64, u64) = lookups.entry(cache).or_default();
                *all = (all.0 + hits, all.1 + hits + misses);
            }
        }
        let peak_bytes = of("peak_rss_bytes");
        if peak_bytes > self.peak_bytes {
            (self.peak_bytes, self.peak_of) = (peak_bytes, cell.to_owned());
        }
        let (phase, iteration, wall_ns) = (sample.phase, sample.iteration, of("wall_ns"));
        self.last = Some(Last { of: key, phase, iteration, wall_ns, peak_bytes, lookups });
    }

    pub(super) fn end_cell(&mut self, outcome: &'static str) {
        *self.ended.entry(outcome).or_default() += 1;
    }

    pub(super) fn decide(&mut self, calls: impl Iterator<Item = Call>) {
        self.decided.clear();
        for call in calls {
            let word = match call {
                Call::Regressed => "slower",
                Call::Improved => "faster",
                Call::Unchanged => "unchanged",
                Call::Inconclusive => "inconclusive",
            };
            *self.decided.entry(word).or_default() += 1;
        }
    }

    /// Returns what is shown: the rest of the bar's line, and the lines below it.
    pub(crate) fn text(&self, now: Instant) -> String {
        let elapsed = units::duration(now.saturating_duration_since(self.began));
        let at_most = if self.is_bound { "at most " } else { "" };
        let left = self.left.map(units::duration);
        let left = left.map_or_else(String::new, |left| format!(", {at_most}{left} left"));
        let mut lines = vec![format!("  {elapsed}{left}"), format!("  now     {}", self.now)];
        if let (Some(last), Some(measuring)) = (&self.last, self.measuring) {
            let seconds = now.saturating_duration_since(measuring).as_secs_f64();
            let rate = self.executions as f64 / seconds.max(0.001);
            lines.push(format!("  rates   {rate:.1} executions/s, {} so far", self.executions));
            lines.extend(last.lines());
            let (most, of) = (units::bytes(self.peak_bytes), &self.peak_of);
            let own = units::bytes(last.peak_bytes);
            lines.push(format!("  memory  {own} at the peak; {most} at most so far, by {of}"));
        }
        let cells = self.cells();
        if !cells.is_empty() {
            lines.push(format!("  cells   {cells}"));
        }
        lines.join("\n")
    }

    fn cells(&self) -> String {
        let counts = self.ended.iter().chain(&self.decided);
        let mut texts: Vec<String> = counts.map(|(word, count)| format!("{count} {word}")).collect();
        if self.crossed > 0 {
            texts.push(format!("{} thresholds crossed", self.crossed));
        }
        texts.join(", ")
    }
}

impl Last {
    fn lines(&self) -> [String; 2] {
        let (cell, side, _) = &self.of;
        let phase = match self.phase {
            Phase::Cold => "cold".to_owned(),
            Phase::Warm => format!("warm {}", self.iteration),
        };
        let time = units::nanoseconds(self.wall_ns);
        let last = format!("  last    {cell}: {}, {phase}: {time}", side.name());
        let hits = self.lookups.iter().map(|(cache, (hits, all))| {
            format!("{cache} {:.0} % of {all}", *hits as f64 * 100.0 / (*all).max(1) as f64)
        });
        let hits: Vec<String> = hits.collect();
        let caches =
            if hits.is_empty() { "no look-ups".to_owned() } else { format!("hits: {}", hits.join(", ")) };
        [last, format!("  caches  {caches}")]
    }
}

#[cfg(test)]
mod tests {
    use scenarios::{Answer, Cell, Workload};

    use super::*;

    fn planned() -> PlannedCell {
        let cell = Cell {
            suite: "s".into(),
            scenario: "export".into(),
            workload: Workload::Export,
            point: vec![("size".into(), "tiny".into())],
            parameters: BTreeMap::new(),
            expected: None,
        };
        PlannedCell { cell, warm: 2, processes: 3, timeout_s: 1 }
    }

    fn sample(iteration: u32, metrics: &[(&str, u64)]) -> Sample {
        Sample {
            phase: if iteration == 0 { Phase::Cold } else { Phase::Warm },
            iteration,
            metrics: metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
            answer: Answer { rows: 1, digest: "d".into() },
        }
    }

    #[test]
    fn a_run_is_shown_as_it_goes_on() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut live = Live::begin(began);
        live.now("prepare s/export[size=tiny]", None);
        assert_eq!(live.text(at(2)), "  2 s\n  now     prepare s/export[size=tiny]");
        let what = live.begin_turn(&planned(), &[Side::Head], 0, at(10));
        live.now(&what, Some(Duration::from_secs(75)));
        let now = "  now     s/export[size=tiny]: head, process 1 of 3, cold, then 2 warm";
        assert_eq!(live.text(at(12)), format!("  12 s, 1 min 15 s left\n{now}"));
        let cold = [("wall_ns", 4_360_000), ("peak_rss_bytes", 30 << 20), ("cache.footer.misses", 10)];
        live.take("s/export[size=tiny]", Side::Head, 0, &sample(0, &cold), 0);
        let warm = [("wall_ns", 1_090_000), ("peak_rss_bytes", 32 << 20), ("cache.footer.hits", 10)];
        live.take("s/export[size=tiny]", Side::Head, 0, &sample(1, &warm), 1);
        live.end_cell("measured");
        let expect = [
            "  14 s, 1 min 15 s left",
            now,
            "  rates   0.5 executions/s, 2 so far",
            "  last    s/export[size=tiny]: head, warm 1: 1.09 ms",
            "  caches  hits: footer 50 % of 20",
            "  memory  32.0 MiB at the peak; 32.0 MiB at most so far, by s/export[size=tiny]",
            "  cells   1 measured, 1 thresholds crossed",
        ];
        assert_eq!(live.text(at(14)), expect.join("\n"));
        // Another process begins anew with its caches.
        live.take("s/open[]", Side::Head, 0, &sample(0, &[("peak_rss_bytes", 1 << 20)]), 1);
        let text = live.text(at(14));
        assert!(text.contains("  caches  no look-ups\n"), "{text}");
        assert!(
            text.contains("  memory  1.00 MiB at the peak; 32.0 MiB at most so far, by s/export"),
            "{text}"
        );
    }

    #[test]
    fn pairs_are_shown_with_what_is_decided() {
        let began = Instant::now();
        let mut live = Live::begin(began);
        let what = live.begin_turn(&planned(), &[Side::CanaryBase, Side::CanaryHead], 1, began);
        let expect =
            "s/export[size=tiny]: base of the canary and head of the canary, pair 2 of 3, cold, then 2 warm";
        assert_eq!(what, expect);
        live.decide([Call::Unchanged, Call::Regressed, Call::Unchanged].into_iter());
        let left = live.left(6, None, began + Duration::from_secs(2));
        live.now("confirm s/export[size=tiny]", left);
        let text = live.text(began + Duration::from_secs(2));
        assert!(text.starts_with("  2 s, at most 12 s left\n  now     confirm s/export"), "{text}");
        assert!(text.ends_with("  cells   1 slower, 2 unchanged"), "{text}");
    }

    #[test]
    fn the_rest_is_estimated_from_the_turns_taken() {
        let began = Instant::now();
        let mut live = Live::begin(began);
        let at = |seconds| began + Duration::from_secs(seconds);
        assert_eq!(live.left(10, None, at(1)), None);
        for _ in 0..4 {
            live.begin_turn(&planned(), &[Side::Head], 0, at(2));
        }
        assert_eq!(live.left(10, None, at(10)), Some(Duration::from_secs(20)));
        let budget = Some(Duration::from_secs(12));
        assert_eq!(live.left(10, budget, at(10)), Some(Duration::from_secs(4)));
        assert_eq!(live.left(10, budget, at(20)), Some(Duration::ZERO));
    }
}
