//! The time tier: what the pairs of a run say of each cell.
//!
//! Everything follows from the record, so a report can be made again, and a run that goes on decides as it would have.

use std::collections::{BTreeMap, BTreeSet};

use scenarios::Phase;
use serde::Serialize;

use crate::paired::{
    Call, Design, Family, Interval, Judged, Margins, Pairs, SwapTest, Value, benjamini_hochberg, in_turn,
    means,
};
use crate::plan::PlannedCell;
use crate::record::{BaseHeader, Record, SampleLine, Side};
use crate::units;
use crate::verdict::{Comparison, Finding, Verdict};

/// The metric whose change is called.
pub(crate) const GATED: &str = "wall_ns";

/// What is told beside it.
const TOLD: [&str; 4] = ["wall_ns", "cpu_ns", "peak_rss_bytes", "alloc_peak_bytes"];

/// Random exchanges for what is told.
const SWAPS_TOLD: usize = 9_999;

/// A canary that moves at this level, and beyond the margin, says that the machine moved.
const CANARY_LEVEL: f64 = 0.01;

/// The share of false discoveries among what is told.
const DISCOVERY_LEVEL: f64 = 0.05;

/// The level at which a second build must show a change again.
const CONFIRM_LEVEL: f64 = 0.05;

/// What the pairs of a run say.
#[derive(Clone, Debug)]
pub(crate) struct Timing {
    /// The cells that have pairs.
    pub(crate) cells: BTreeMap<String, CellTiming>,
    /// What the canary says: both of its sides are the base.
    pub(crate) canary: Option<Judged>,
    /// Whether the canary moved, so that nothing can be said of the others.
    pub(crate) contaminated: bool,
    /// The share of the base that a change must exceed.
    margin: f64,
    /// Changes beside the gated one, as the correction for their number leaves them.
    pub(crate) told: Vec<Told>,
}

/// What the pairs of a cell say.
#[derive(Clone, Debug)]
pub(crate) struct CellTiming {
    /// The phase whose time is compared.
    pub(crate) phase: Phase,
    /// The median of the base's processes, in ns.
    pub(crate) base_ns: u64,
    /// The median of the head's processes, in ns.
    pub(crate) head_ns: u64,
    /// What is said.
    pub(crate) judged: Judged,
    /// For a regression or an improvement, what a second build said.
    pub(crate) confirmed: Option<Confirmed>,
    /// Whether a second build must show a change for it to be one.
    must_confirm: bool,
}

/// What pairs of another build say of a change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Confirmed {
    /// Whether it is there again.
    pub(crate) reproduced: bool,
    /// What was measured.
    pub(crate) judged: Judged,
}

/// A change of what does not gate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Told {
    /// The cell.
    pub(crate) cell: String,
    /// The phase.
    pub(crate) phase: Phase,
    /// The metric; `wall_ns of all executions` is the one that the slowest weigh in.
    pub(crate) metric: String,
    /// Head over base, less one.
    pub(crate) change: f64,
    /// The share of false discoveries at which it is one.
    pub(crate) level: f64,
}

impl Timing {
    /// Judges the pairs of a run; nothing if it has no base. Fails if the planned pairs cannot decide anything.
    pub(crate) fn of(record: &Record) -> anyhow::Result<Option<Self>> {
        let Some(base) = &record.header.base else { return Ok(None) };
        let measured = Processes::of(record);
        let family = family(base, record.header.planned.len())?;
        let planned = record.header.planned.iter();
        let gated = planned.filter_map(|planned| {
            measured.gated(planned, [Side::Base, Side::Head]).map(|pairs| (planned, pairs))
        });
        let gated: Vec<(&PlannedCell, Pairs)> = gated.collect();
        let judged = family.judge(&gated.iter().map(|(_, pairs)| pairs).collect::<Vec<_>>());
        let cells = gated.iter().zip(judged).map(|((planned, _), judged)| {
            let cell = measured.cell(planned, judged, &family, base.confirm);
            (planned.cell.id(), cell)
        });
        let cells: BTreeMap<String, CellTiming> = cells.collect();
        let canary = canary(record, base, &measured, &family);
        let contaminated = canary.is_some_and(|judged| {
            let least = judged.test.slower.min(judged.test.faster);
            2.0 * least < CANARY_LEVEL && judged.test.effect.abs() > family.margins.effect.ln_1p()
        });
        let margin = family.margins.effect;
        Ok(Some(Self { cells, canary, contaminated, margin, told: told(record, &measured, &family) }))
    }

    /// Returns the cells that need no more pairs, and what is said of them.
    pub(crate) fn decided(record: &Record) -> anyhow::Result<BTreeMap<String, Call>> {
        let Some(base) = &record.header.base else { return Ok(BTreeMap::new()) };
        let measured = Processes::of(record);
        let family = family(base, record.header.planned.len())?;
        let decided = record.header.planned.iter().filter_map(|planned| {
            let pairs = measured.gated(planned, [Side::Base, Side::Head])?;
            Some((planned.cell.id(), family.early(&pairs)?.call))
        });
        Ok(decided.collect())
    }

    /// Tells whether no cell is slower: all are shown to be unchanged or faster, and none was measured to be slower by
    /// more than the margin. What is less than the bound of equivalence may be a change all the same.
    pub(crate) fn is_none_slower(&self) -> bool {
        let is_told = |cell| matches!(self.verdict(cell), Verdict::Unchanged | Verdict::Improved);
        let is_slower = |cell: &CellTiming| cell.judged.test.effect > self.margin.ln_1p();
        !self.cells.is_empty() && self.cells.values().all(|cell| is_told(cell) && !is_slower(cell))
    }

    /// Returns the cells that a second build must show again; none if nothing is called anyway.
    pub(crate) fn flagged(&self) -> BTreeSet<&str> {
        if self.contaminated {
            return BTreeSet::new();
        }
        let flagged = self.cells.iter().filter(|(_, cell)| cell.judged.call.is_change());
        flagged.map(|(id, _)| id.as_str()).collect()
    }
}

/// Returns the phase whose time is compared: warm executions, where there are some.
pub(crate) fn gated_phase(planned: &PlannedCell) -> Phase {
    if planned.warm > 0 { Phase::Warm } else { Phase::Cold }
}

/// Makes what a run's cells are judged by. Fails if its pairs cannot decide anything.
pub(crate) fn family(base: &BaseHeader, cells: usize) -> anyhow::Result<Family> {
    let share = |ppm: u32| f64::from(ppm) / 1e6;
    let margins = Margins { effect: share(base.margin_ppm), equivalence: share(base.equivalence_ppm) };
    Ok(Family { design: Design::new(base.pairs as usize, cells)?, margins, seed: base.seed })
}

fn canary(record: &Record, base: &BaseHeader, measured: &Processes<'_>, family: &Family) -> Option<Judged> {
    let id = base.canary.as_ref()?;
    let planned = record.header.planned.iter().find(|planned| planned.cell.id() == *id)?;
    let pairs = measured.gated(planned, [Side::CanaryBase, Side::CanaryHead])?;
    Some(family.cut(&pairs))
}

fn told(record: &Record, measured: &Processes<'_>, family: &Family) -> Vec<Told> {
    let mut tested: Vec<(Told, f64)> = Vec::new();
    for planned in &record.header.planned {
        let cell = planned.cell.id();
        for phase in [Phase::Cold, Phase::Warm] {
            for metric in TOLD {
                let of = |value: Value| measured.pairs(&cell, [Side::Base, Side::Head], phase, metric, value);
                let mut add = |metric: String, test: SwapTest| {
                    let told =
                        Told { cell: cell.clone(), phase, metric, change: test.effect.exp_m1(), level: 1.0 };
                    tested.push((told, (2.0 * test.slower.min(test.faster)).min(1.0)));
                };
                if metric != GATED || phase != gated_phase(planned) {
                    if let Some(pairs) = of(in_turn) {
                        add(metric.to_owned(), SwapTest::of(&pairs, SWAPS_TOLD, family.seed));
                    }
                } else if let Some(pairs) = of(means) {
                    let test = SwapTest::of_all(&pairs, SWAPS_TOLD, family.seed);
                    add(format!("{metric} of all executions"), test);
                }
            }
        }
    }
    let levels = benjamini_hochberg(&tested.iter().map(|(_, probability)| *probability).collect::<Vec<_>>());
    let found = tested.into_iter().zip(levels).map(|((told, _), level)| Told { level, ..told });
    let margin = family.margins.effect;
    found.filter(|told| told.level <= DISCOVERY_LEVEL && told.change.abs() > margin).collect()
}

/// The samples of a run by process.
struct Processes<'a> {
    samples: BTreeMap<(&'a str, Side, u32), Vec<&'a SampleLine>>,
    /// Those that ended as they should.
    whole: BTreeSet<(&'a str, Side, u32)>,
}

impl<'a> Processes<'a> {
    fn of(record: &'a Record) -> Self {
        let mut samples: BTreeMap<_, Vec<&SampleLine>> = BTreeMap::new();
        for line in &record.samples {
            samples.entry((line.cell.as_str(), line.side, line.process)).or_default().push(line);
        }
        let whole = record.processes.iter().map(|line| (line.cell.as_str(), line.side, line.process));
        Self { samples, whole: whole.collect() }
    }

    fn gated(&self, planned: &PlannedCell, sides: [Side; 2]) -> Option<Pairs> {
        self.pairs(&planned.cell.id(), sides, gated_phase(planned), GATED, in_turn)
    }

    /// Pairs what the processes of two sides measured; nothing without a pair, or where a value is 0.
    fn pairs(&self, cell: &str, sides: [Side; 2], phase: Phase, metric: &str, value: Value) -> Option<Pairs> {
        let [base, head] = self.values(cell, sides, phase, metric, value);
        Pairs::new(&base, &head).ok()
    }

    fn values(
        &self,
        cell: &str,
        sides: [Side; 2],
        phase: Phase,
        metric: &str,
        value: Value,
    ) -> [Vec<u64>; 2] {
        let mut values = [Vec::new(), Vec::new()];
        let numbers: BTreeSet<u32> =
            self.whole.iter().filter(|(id, _, _)| *id == cell).map(|(_, _, process)| *process).collect();
        for process in numbers {
            let both = sides.map(|side| {
                let key = (cell, side, process);
                let samples = self.whole.contains(&key).then(|| self.samples.get(&key)).flatten()?;
                let of_phase = samples.iter().filter(|line| line.phase == phase);
                let each: Option<Vec<u64>> = of_phase.map(|line| line.metrics.get(metric).copied()).collect();
                each.filter(|each| !each.is_empty())
            });
            if let [Some(base), Some(head)] = &both {
                let [base, head] = value(base, head);
                values[0].push(base);
                values[1].push(head);
            }
        }
        values
    }

    fn cell(&self, planned: &PlannedCell, judged: Judged, family: &Family, must_confirm: bool) -> CellTiming {
        let phase = gated_phase(planned);
        let [base, head] = self.values(&planned.cell.id(), [Side::Base, Side::Head], phase, GATED, in_turn);
        // How many pairs there are may depend on the budget, but on nothing that they measured, so one test is as good
        // as any other.
        let confirmed = self.gated(planned, [Side::ConfirmBase, Side::ConfirmHead]).map(|pairs| {
            let margin = family.margins.effect.ln_1p();
            let again = family.cut(&pairs);
            let SwapTest { slower, faster, effect, .. } = again.test;
            let reproduced = match judged.call {
                Call::Improved => faster <= CONFIRM_LEVEL && effect < -margin,
                _ => slower <= CONFIRM_LEVEL && effect > margin,
            };
            Confirmed { reproduced, judged: again }
        });
        CellTiming { phase, base_ns: median(&base), head_ns: median(&head), judged, confirmed, must_confirm }
    }
}

fn median(values: &[u64]) -> u64 {
    crate::statistics::median(values).unwrap_or(0)
}

impl CellTiming {
    /// Writes the columns of a table: phase, base, head, change, interval, smallest effect that would be found, pairs.
    pub(crate) fn columns(&self) -> [String; 7] {
        let Judged { test, interval, pairs, detectable, .. } = self.judged;
        [
            self.phase.name().to_owned(),
            units::nanoseconds(self.base_ns),
            units::nanoseconds(self.head_ns),
            signed(test.effect.exp_m1()),
            interval.map_or_else(
                || "–".to_owned(),
                |Interval { low, high }| {
                    format!("{:+.1} to {:+.1}", low.exp_m1() * 100.0, high.exp_m1() * 100.0)
                },
            ),
            format!("{:.1} %", detectable * 100.0),
            pairs.to_string(),
        ]
    }

    /// Says in words what was measured.
    pub(crate) fn text(&self) -> String {
        let Judged { test, interval, pairs, detectable, .. } = self.judged;
        let times = format!("{} → {}", units::nanoseconds(self.base_ns), units::nanoseconds(self.head_ns));
        let interval = match interval {
            Some(Interval { low, high }) => {
                format!(" ({} to {})", signed(low.exp_m1()), signed(high.exp_m1()))
            }
            None => String::new(),
        };
        let least = test.slower.min(test.faster);
        format!(
            "{times}, {}{interval} in {pairs} pairs, p {least:.4}; {:.1} % would be found",
            signed(test.effect.exp_m1()),
            detectable * 100.0
        )
    }

    /// Says what the pairs come to, if the machine held still.
    fn verdict(&self) -> Verdict {
        match (self.judged.call, self.confirmed) {
            (Call::Regressed | Call::Improved, Some(Confirmed { reproduced: false, .. })) => {
                Verdict::Inconclusive
            }
            (Call::Regressed | Call::Improved, None) if self.must_confirm => Verdict::Inconclusive,
            (Call::Regressed, _) => Verdict::Regressed,
            (Call::Improved, _) => Verdict::Improved,
            (Call::Unchanged, _) => Verdict::Unchanged,
            (Call::Inconclusive, _) => Verdict::Inconclusive,
        }
    }

    fn finding(&self, cell: &str) -> Finding {
        let mut text = self.text();
        match (self.confirmed, self.judged.needed) {
            (Some(Confirmed { reproduced, judged }), _) => {
                let word = if reproduced { "reproduced" } else { "not reproduced" };
                let effect = signed(judged.test.effect.exp_m1());
                text.push_str(&format!("; {word} in another build: {effect} in {} pairs", judged.pairs));
            }
            (None, Some(needed)) => text.push_str(&format!("; about {needed} pairs would tell")),
            (None, None) if self.verdict() == Verdict::Inconclusive => {
                text.push_str("; not measured again in another build: more --budget, or --no-confirm");
            }
            (None, None) => {}
        }
        Finding {
            cell: cell.to_owned(),
            verdict: self.verdict(),
            phase: Some(self.phase),
            metric: Some(GATED.to_owned()),
            text,
            base: Some(self.base_ns),
            head: Some(self.head_ns),
        }
    }
}

impl Timing {
    /// Says what the pairs of a cell come to: nothing, if the machine moved.
    pub(crate) fn verdict(&self, cell: &CellTiming) -> Verdict {
        if self.contaminated { Verdict::Inconclusive } else { cell.verdict() }
    }

    /// Adds what the pairs say to what the counters say.
    pub(crate) fn add_to(&self, comparison: &mut Comparison) {
        for (id, cell) in &self.cells {
            let verdict = comparison.cells.entry(id.clone()).or_insert(Verdict::NotCompared);
            *verdict = (*verdict).max(Verdict::Unchanged);
            let mut finding = cell.finding(id);
            if self.contaminated {
                finding.verdict = Verdict::Inconclusive;
                finding.text.push_str("; not called, because the canary moved");
            }
            if finding.verdict != Verdict::Unchanged {
                comparison.add(finding);
            }
        }
        if let Some(canary) = &self.canary {
            let moved = signed(canary.test.effect.exp_m1());
            let word = if self.contaminated { "CONTAMINATED: the canary moved" } else { "the canary moved" };
            let text = format!("{word} by {moved} in {} pairs; both of its sides are the base", canary.pairs);
            comparison.notes.push(text);
        } else if !self.cells.is_empty() {
            let text = "the canary failed, so nothing tells whether the machine held still".to_owned();
            comparison.notes.push(text);
        }
        for told in &self.told {
            comparison.advice.push(format!(
                "{}: {} {} {}, at a false discovery rate of {:.3}",
                told.cell,
                told.phase.name(),
                told.metric,
                signed(told.change),
                told.level
            ));
        }
    }
}

/// Writes a share as percent with its sign.
pub(crate) fn signed(share: f64) -> String {
    format!("{:+.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use crate::record::CutLine;

    use super::*;

    /// A run of one cell in pairs; the canary's head takes so many percent more.
    fn record(head_percent: u64, canary_percent: u64) -> Record {
        let mut lines = vec![format!(
            r#"{{"line":"header","format":2,"run":"r","started":"s","suite":"s","filters":[],"tier":"all","against":"main","base":{{"name":"main","engine_digest":"a","context":{0},"pairs":24,"seed":7,"margin_ppm":10000,"equivalence_ppm":50000,"canary":"s/c[]"}},"engine_digest":"b","context":{0},"suite_cells":["s/c[]"],"planned":[{{"cell":{{"suite":"s","scenario":"c","workload":"open","point":[],"parameters":{{}},"expected":null}},"warm":1,"processes":24,"timeout_s":1}}]}}"#,
            r#"{"revision":"r","engine_version":"0","profile":"release","arch":"x","machine":{"cpu":"c","cores":2,"memory_gib":1,"kernel":"k","rustc":"r","os":"o"}}"#
        )];
        for process in 0..24_u64 {
            let sides =
                [("base", 0), ("head", head_percent), ("canary_base", 0), ("canary_head", canary_percent)];
            for (place, (side, percent)) in (0..).zip(sides) {
                let noise = (process * 7919 + place * 104_729) % 1_000;
                for (iteration, phase) in ["cold", "warm"].iter().enumerate() {
                    let wall = (1_000_000 + noise) * (100 + percent) / 100;
                    lines.push(format!(
                        r#"{{"line":"sample","cell":"s/c[]","side":"{side}","process":{process},"phase":"{phase}","iteration":{iteration},"metrics":{{"wall_ns":{wall},"cpu_ns":1000000}},"answer":{{"rows":1,"digest":"d"}}}}"#
                    ));
                }
                lines.push(format!(
                    r#"{{"line":"process","cell":"s/c[]","side":"{side}","process":{process},"elapsed_ms":1}}"#
                ));
            }
        }
        Record::parse(&(lines.join("\n") + "\n"), CutLine::Refuse).unwrap()
    }

    fn comparison(record: &Record) -> (Timing, Comparison) {
        let timing = Timing::of(record).unwrap().unwrap();
        let mut comparison = Comparison::default();
        timing.add_to(&mut comparison);
        (timing, comparison)
    }

    #[test]
    fn alike_sides_are_decided_at_the_first_look() {
        let record = record(0, 0);
        assert_eq!(Timing::decided(&record).unwrap().len(), 1);
        let (timing, comparison) = comparison(&record);
        assert_eq!(timing.cells["s/c[]"].judged.pairs, 15);
        assert_eq!(comparison.cells["s/c[]"], Verdict::Unchanged);
        assert!(comparison.findings.is_empty() && timing.told.is_empty());
    }

    #[test]
    fn a_slower_head_is_regressed_in_both_phases() {
        let (timing, comparison) = comparison(&record(6, 0));
        assert_eq!(comparison.cells["s/c[]"], Verdict::Regressed);
        assert!((timing.cells["s/c[]"].judged.test.effect.exp_m1() - 0.06).abs() < 0.002);
        // What does not gate is told: the cold execution, and the warm ones with their slowest.
        let told: Vec<&str> = timing.told.iter().map(|told| told.metric.as_str()).collect();
        assert_eq!(told, ["wall_ns", "wall_ns of all executions"]);
    }

    #[test]
    fn where_the_canary_moves_nothing_is_called() {
        let (timing, comparison) = comparison(&record(6, 4));
        assert!(timing.contaminated);
        assert_eq!(timing.verdict(&timing.cells["s/c[]"]), Verdict::Inconclusive);
        assert_eq!(comparison.cells["s/c[]"], Verdict::Inconclusive);
        assert!(
            comparison.notes[0].starts_with("CONTAMINATED: the canary moved by +4.0 %"),
            "{:?}",
            comparison.notes
        );
    }

    #[test]
    fn a_regression_that_is_not_seen_again_is_inconclusive() {
        let (timing, _) = comparison(&record(6, 0));
        let mut cell = timing.cells["s/c[]"].clone();
        let confirmed = |reproduced| Some(Confirmed { reproduced, judged: cell.judged });
        let (again, gone) = (confirmed(true), confirmed(false));
        cell.confirmed = again;
        assert_eq!(cell.verdict(), Verdict::Regressed);
        cell.confirmed = gone;
        assert_eq!(cell.verdict(), Verdict::Inconclusive);
        cell.confirmed = None;
        assert_eq!(cell.verdict(), Verdict::Regressed);
        // Unless that was asked for, and is missing.
        cell.must_confirm = true;
        let finding = cell.finding("c");
        assert_eq!(finding.verdict, Verdict::Inconclusive);
        assert!(
            finding.text.contains("not measured again in another build: more --budget"),
            "{}",
            finding.text
        );
    }
}
