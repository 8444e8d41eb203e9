//! Compares two sides and says what follows, per metric, per cell and in all.
//!
//! Exact counters gate: equal is unchanged, more is regressed, less is improved, of savings the other way round; missing
//! on one side is incomparable; one that does not repeat is inconclusive where the base has a value. Bounded metrics gate
//! where both sides were measured in one run, and are advice elsewhere, as times are. Nothing is skipped without a note.

use std::collections::{BTreeMap, BTreeSet};

use scenarios::{Kind, Metric, Phase};
use serde::Serialize;

use crate::cli::Tier;
use crate::exit::Exit;
use crate::fingerprint::Machine;
use crate::measured::{CellMeasured, Measured, PhaseMeasured, Values};

const BOUNDED_ADVICE: f64 = 0.05;
const TIME_ADVICE: f64 = 0.10;

/// The metric that is compared only on one model of processor and with one compiler.
const INSTRUCTIONS: &str = "instructions";

/// What a comparison says, from the least to the most urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// There was nothing to compare with, and nothing was required.
    NotCompared,
    /// Every counter is equal.
    Unchanged,
    /// A counter is less, and none is more.
    Improved,
    /// A counter did not repeat, or was not shown to.
    Inconclusive,
    /// A counter or a cell is missing on one side, or the sides are of different kinds.
    Incomparable,
    /// A counter is more.
    Regressed,
    /// The cell gave no trustworthy samples.
    Failed,
}

impl Verdict {
    /// Returns the word for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NotCompared => "not compared",
            Self::Unchanged => "unchanged",
            Self::Improved => "improved",
            Self::Inconclusive => "inconclusive",
            Self::Incomparable => "incomparable",
            Self::Regressed => "regressed",
            Self::Failed => "failed",
        }
    }

    /// Returns the exit code that the verdict asks for.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::NotCompared | Self::Unchanged | Self::Improved => Exit::Pass,
            Self::Inconclusive => Exit::Inconclusive,
            Self::Incomparable => Exit::Incomparable,
            Self::Regressed => Exit::Regression,
            Self::Failed => Exit::Failed,
        }
    }
}

/// One thing that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The cell.
    pub(crate) cell: String,
    /// What it says.
    pub(crate) verdict: Verdict,
    /// The phase, if the finding is of one.
    pub(crate) phase: Option<Phase>,
    /// The metric, if the finding is of one.
    pub(crate) metric: Option<String>,
    /// The finding in words: both values, or what is missing.
    pub(crate) text: String,
    /// The base's value of the first execution that differs.
    pub(crate) base: Option<u64>,
    /// The head's value of the same execution.
    pub(crate) head: Option<u64>,
}

/// A median that both sides have, for charts and advice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Pair {
    /// The cell.
    pub(crate) cell: String,
    /// The phase.
    pub(crate) phase: Phase,
    /// The metric.
    pub(crate) metric: String,
    /// The base's median.
    pub(crate) base: u64,
    /// The head's median.
    pub(crate) head: u64,
}

impl Pair {
    /// Returns by what factor the larger is more than the smaller, from 1 on.
    fn factor(&self) -> f64 {
        match (self.base.min(self.head), self.base.max(self.head)) {
            (same, other) if same == other => 1.0,
            (less, more) => more as f64 / less as f64,
        }
    }
}

/// What of two sides is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Whether counters are.
    pub(crate) counters: bool,
    /// Whether bounded metrics gate.
    pub(crate) bounded: bool,
    /// How times are.
    pub(crate) times: Times,
}

/// How times are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// By their medians, if the machine is the same; they do not gate.
    AsAdvice,
    /// Not here: the sides were measured in pairs, which says more.
    InPairs,
    /// Not at all.
    NotAsked,
}

impl Scope {
    /// Compares what a tier measures, where the sides were measured at different times.
    pub(crate) fn of(tier: Tier) -> Self {
        let times = if tier == Tier::Exact { Times::NotAsked } else { Times::AsAdvice };
        Self { counters: tier != Tier::Time, bounded: false, times }
    }
}

/// The outcome of comparing two sides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comparison {
    /// The verdict of each cell.
    pub(crate) cells: BTreeMap<String, Verdict>,
    /// What is not as it was, and gates.
    pub(crate) findings: Vec<Finding>,
    /// What moved and does not gate, the largest first.
    pub(crate) advice: Vec<String>,
    /// What the reader should know of the comparison.
    pub(crate) notes: Vec<String>,
    /// Medians of both sides, where they may be compared.
    pub(crate) medians: Vec<Pair>,
    /// Why cells regressed, in words, where both sides were measured.
    pub(crate) why: BTreeMap<String, String>,
}

impl Comparison {
    /// Returns the most urgent verdict of all cells.
    pub(crate) fn verdict(&self) -> Verdict {
        self.cells.values().copied().max().unwrap_or(Verdict::NotCompared)
    }

    /// Returns the exit code, by the precedence of codes.
    pub(crate) fn exit(&self) -> Exit {
        self.cells.values().fold(Exit::Pass, |exit, verdict| exit.worse(verdict.exit()))
    }

    /// Adds a finding, and lets its cell's verdict be at least as urgent.
    pub(crate) fn add(&mut self, finding: Finding) {
        let verdict = self.cells.entry(finding.cell.clone()).or_insert(finding.verdict);
        *verdict = (*verdict).max(finding.verdict);
        self.findings.push(finding);
    }
}

/// Compares the head with the base: every cell of the head, and the base's cells that `suite` lacks.
///
/// `suite` lists the cells that exist; a cell of the base that is in it but not in the head was not selected.
pub(crate) fn compare(
    base: &Measured,
    head: &Measured,
    suite: &BTreeSet<String>,
    scope: Scope,
) -> Comparison {
    let mut comparison = Comparison::default();
    let same_machine = base.context.machine == head.context.machine
        && base.context.profile == head.context.profile
        && base.context.arch == head.context.arch;
    let same_processor = base.context.machine.cpu == head.context.machine.cpu
        && base.context.machine.rustc == head.context.machine.rustc;
    for (id, cell) in &head.cells {
        comparison.cells.insert(id.clone(), Verdict::NotCompared);
        let Some(base_cell) = base.cells.get(id) else {
            comparison.add(whole_cell(id, "the base has no such cell; bless one, or correct the name"));
            continue;
        };
        if base.context.arch != head.context.arch {
            let text = format!("the base is of {}, the head of {}", base.context.arch, head.context.arch);
            comparison.add(whole_cell(id, &text));
            continue;
        }
        if scope.counters {
            compare_counters(id, base_cell, cell, &mut comparison);
        }
        if scope.counters {
            let gates = |name: &str| {
                if name == INSTRUCTIONS { same_processor } else { scope.bounded }
            };
            compare_bounded(id, base_cell, cell, &gates, &mut comparison);
        }
        let is_shown = |name: &str| match Metric::kind_of(name) {
            Some(Kind::Time) => same_machine && scope.times == Times::AsAdvice,
            Some(Kind::Bounded) => name != INSTRUCTIONS || same_processor,
            _ => false,
        };
        pair_medians(id, base_cell, cell, &is_shown, &mut comparison);
    }
    for id in base.cells.keys().filter(|id| !head.cells.contains_key(*id) && !suite.contains(*id)) {
        comparison.add(whole_cell(id, "it is in the base but not in the suite any more; bless anew"));
    }
    if !scope.counters {
        comparison.notes.push("counters not compared: the tier is time".to_owned());
    }
    let counted = |side: &Measured| {
        side.cells.values().flat_map(BTreeMap::values).any(|phase| phase.medians.contains_key(INSTRUCTIONS))
    };
    if !same_processor && counted(base) && counted(head) {
        let Machine { cpu, rustc, .. } = &base.context.machine;
        comparison.notes.push(format!("instructions not compared: those of the base are of {cpu}, {rustc}"));
    }
    comparison.notes.extend(times_note(base, head, same_machine, scope.times));
    let is_found = |pair: &&Pair| {
        comparison.findings.iter().any(|finding| {
            (&finding.cell, finding.phase, finding.metric.as_ref())
                == (&pair.cell, Some(pair.phase), Some(&pair.metric))
        })
    };
    // What gates is no advice besides.
    let mut moved: Vec<&Pair> = comparison.medians.iter().filter(|pair| !is_found(pair)).collect();
    moved.sort_by(|a, b| b.factor().total_cmp(&a.factor()));
    comparison.advice = moved.into_iter().filter_map(advice).collect();
    comparison
}

fn whole_cell(id: &str, text: &str) -> Finding {
    Finding {
        cell: id.to_owned(),
        verdict: Verdict::Incomparable,
        phase: None,
        metric: None,
        text: text.to_owned(),
        base: None,
        head: None,
    }
}

fn times_note(base: &Measured, head: &Measured, same_machine: bool, times: Times) -> Option<String> {
    Some(match times {
        Times::InPairs => return None,
        Times::NotAsked => "times not compared: the tier is exact".to_owned(),
        Times::AsAdvice if same_machine => "times are compared as advice: they do not gate".to_owned(),
        Times::AsAdvice if base.context.machine == head.context.machine => format!(
            "times not compared: a {} build against a {} build",
            base.context.profile, head.context.profile
        ),
        Times::AsAdvice => format!("times not compared: made on another machine ({})", base.context.machine),
    })
}

fn compare_counters(id: &str, base: &CellMeasured, head: &CellMeasured, comparison: &mut Comparison) {
    comparison.cells.insert(id.to_owned(), Verdict::Unchanged);
    let phases: BTreeSet<Phase> = base.keys().chain(head.keys()).copied().collect();
    for phase in phases {
        match (base.get(&phase), head.get(&phase)) {
            (Some(base), Some(head)) => compare_phase(id, phase, base, head, comparison),
            (base, _) => {
                let missing = if base.is_none() { "base" } else { "head" };
                let text = format!("the {missing} has no {} executions", phase.name());
                comparison.add(Finding { phase: Some(phase), ..whole_cell(id, &text) });
            }
        }
    }
}

fn compare_phase(
    id: &str,
    phase: Phase,
    base: &PhaseMeasured,
    head: &PhaseMeasured,
    comparison: &mut Comparison,
) {
    let mut names: BTreeSet<&String> = base.exact.keys().chain(head.exact.keys()).collect();
    names.extend(base.unstable.keys().chain(head.unstable.keys()));
    for name in names {
        let mut finding = Finding { phase: Some(phase), metric: Some(name.clone()), ..whole_cell(id, "") };
        match (base.exact.get(name), head.exact.get(name)) {
            (Some(before), Some(now)) => {
                let Some(changed) = changed(name, before, now) else { continue };
                (finding.verdict, finding.text) = (changed.verdict, changed.text);
                (finding.base, finding.head) = (Some(changed.base), Some(changed.head));
            }
            (Some(before), None) => match head.unstable.get(name) {
                Some(seen) => {
                    finding.verdict = Verdict::Inconclusive;
                    finding.text = format!("was {before}, does not repeat now: {}", seen_text(seen));
                }
                None => finding.text = format!("was {before}, is missing now"),
            },
            (None, Some(now)) if base.unstable.contains_key(name) => {
                let text = format!(
                    "{id}: {} {name} repeats now ({now}); `baseline bless --gate-again` gates it",
                    phase.name()
                );
                comparison.notes.push(text);
                continue;
            }
            (None, Some(now)) => finding.text = format!("is {now}, but the base does not have it"),
            (None, None) => match head.unstable.get(name) {
                Some(seen) => {
                    let seen = seen_text(seen);
                    comparison.notes.push(format!("{id}: {} {name} does not repeat: {seen}", phase.name()));
                    continue;
                }
                None => finding.text = "did not repeat in the base, is missing now".to_owned(),
            },
        }
        comparison.add(finding);
    }
}

fn compare_bounded(
    id: &str,
    base: &CellMeasured,
    head: &CellMeasured,
    gates: &dyn Fn(&str) -> bool,
    comparison: &mut Comparison,
) {
    let counts = |side: &CellMeasured| {
        side.values().any(|phase| !phase.exact.is_empty() || !phase.unstable.is_empty())
    };
    let mut compared = counts(base) || counts(head);
    for (phase, now) in head {
        let Some(before) = base.get(phase) else { continue };
        let is_gone =
            |name: &str| Metric::bound(name).is_some() && gates(name) && !now.medians.contains_key(name);
        for (name, value) in before.medians.iter().filter(|(name, _)| is_gone(name)) {
            compared = true;
            let text = format!("was {}, is missing now", crate::units::metric(name, *value));
            let (phase, metric) = (Some(*phase), Some(name.clone()));
            comparison.add(Finding { phase, metric, ..whole_cell(id, &text) });
        }
        for (name, head) in now.medians.iter().filter(|(name, _)| gates(name)) {
            let (Some(bound), Some(base)) = (Metric::bound(name), before.medians.get(name)) else { continue };
            compared = true;
            if bound.holds(*base, *head) {
                continue;
            }
            let verdict = if head > base { Verdict::Regressed } else { Verdict::Improved };
            let value = |value| crate::units::metric(name, value);
            let change = crate::units::change(*base, *head);
            let share = bound.share * 1e2;
            let text = format!("{} → {}, {change}; {share:.0} % is the bound", value(*base), value(*head));
            let (metric, cell) = (Some(name.clone()), id.to_owned());
            let (base, head) = (Some(*base), Some(*head));
            comparison.add(Finding { cell, verdict, phase: Some(*phase), metric, text, base, head });
        }
    }
    if !compared && comparison.cells.get(id) == Some(&Verdict::Unchanged) {
        comparison.cells.insert(id.to_owned(), Verdict::NotCompared);
    }
}

struct Changed {
    verdict: Verdict,
    text: String,
    base: u64,
    head: u64,
}

/// Says how a counter moved; nothing if it did not.
fn changed(name: &str, base: &Values, head: &Values) -> Option<Changed> {
    let pairs = base.pairs(head);
    let (more, less) =
        (pairs.iter().find(|(before, now)| now > before), pairs.iter().find(|(before, now)| now < before));
    let (worse, better) = if Metric::is_saving(name) { (less, more) } else { (more, less) };
    // A look-up that is no longer made is a hit less, and no loss: what is lost shows as a miss.
    let worse = worse.filter(|_| !name.starts_with("cache.") || !Metric::is_saving(name));
    let moved = worse.or(better)?;
    let verdict = if worse.is_some() { Verdict::Regressed } else { Verdict::Improved };
    let (before, now) = *moved;
    let change = crate::units::change(before, now);
    let text = format!("{base} → {head} {}, {change}", Metric::unit_of(name));
    Some(Changed { verdict, text, base: before, head: now })
}

/// Writes the values that an unstable counter had.
pub(crate) fn seen_text(seen: &crate::measured::Seen) -> String {
    let value = |value: &Option<u64>| value.map_or_else(|| "missing".to_owned(), crate::units::count);
    seen.iter().map(value).collect::<Vec<_>>().join(" or ")
}

fn pair_medians(
    id: &str,
    base: &CellMeasured,
    head: &CellMeasured,
    is_shown: &dyn Fn(&str) -> bool,
    comparison: &mut Comparison,
) {
    for (phase, now) in head {
        let Some(before) = base.get(phase) else { continue };
        for (name, head) in &now.medians {
            if let Some(base) = before.medians.get(name).filter(|_| is_shown(name)) {
                let (cell, metric) = (id.to_owned(), name.clone());
                comparison.medians.push(Pair { cell, phase: *phase, metric, base: *base, head: *head });
            }
        }
    }
}

fn advice(pair: &Pair) -> Option<String> {
    // Parts of the whole are in the charts, and many of them are tiny.
    // Instructions gate, and peaks of what is allocated differ from run to run.
    if pair.metric.contains('.') || [INSTRUCTIONS, "alloc_peak_bytes"].contains(&pair.metric.as_str()) {
        return None;
    }
    let limit = match Metric::kind_of(&pair.metric)? {
        Kind::Bounded => BOUNDED_ADVICE,
        Kind::Time => TIME_ADVICE,
        Kind::Exact => return None,
    };
    let moved = (pair.head as f64 - pair.base as f64).abs();
    (moved > limit * pair.base as f64).then(|| {
        let value = |value| crate::units::metric(&pair.metric, value);
        let Pair { cell, metric, .. } = pair;
        let change = crate::units::change(pair.base, pair.head);
        format!(
            "{cell}: {} {metric} {} → {}, {change}",
            pair.phase.name(),
            value(pair.base),
            value(pair.head)
        )
    })
}

#[cfg(test)]
mod tests;
