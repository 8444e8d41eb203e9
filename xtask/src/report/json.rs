//! The report as JSON, versioned, for other tools.

use std::collections::BTreeMap;

use scenarios::{Answer, Phase};
use serde::Serialize;

use super::Drawn;
use crate::evaluation::Evaluation;
use crate::fingerprint::Context;
use crate::measured::{Seen, Values};
use crate::paired::Judged;
use crate::record::FailureLine;
use crate::statistics::Spread;
use crate::summary::PhaseSummary;
use crate::timing::{CellTiming, Timing, Told};
use crate::verdict::{Finding, Pair, Verdict};

/// The version of `report.json`.
pub(crate) const FORMAT: u32 = 2;

#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    run: &'a str,
    suite: &'a str,
    verdict: Verdict,
    exit_code: u8,
    context: &'a Context,
    base: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canary: Option<PairsReport>,
    contaminated: bool,
    #[serde(skip_serializing_if = "<[Told]>::is_empty")]
    told: &'a [Told],
    cells: Vec<CellReport<'a>>,
    findings: &'a [Finding],
    medians: &'a [Pair],
    advice: &'a [String],
    notes: Vec<&'a String>,
}

#[derive(Serialize)]
struct CellReport<'a> {
    cell: &'a str,
    verdict: Verdict,
    processes: usize,
    files: Option<u64>,
    answer: Option<&'a Answer>,
    phases: BTreeMap<Phase, PhaseReport<'a>>,
    failures: &'a [FailureLine],
    #[serde(skip_serializing_if = "Option::is_none")]
    pairs: Option<PairsReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    /// The flame graph of where the sides differ, below the folder of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<&'a str>,
}

/// What pairs of processes say; changes are shares of the base.
#[derive(Serialize)]
struct PairsReport {
    verdict: Verdict,
    phase: Option<Phase>,
    base_ns: Option<u64>,
    head_ns: Option<u64>,
    pairs: usize,
    change: f64,
    change_low: Option<f64>,
    change_high: Option<f64>,
    p_slower: f64,
    p_faster: f64,
    detectable: f64,
    needed_pairs: Option<usize>,
    confirmed: Option<bool>,
}

#[derive(Serialize)]
struct PhaseReport<'a> {
    exact: &'a BTreeMap<String, Values>,
    unstable: &'a BTreeMap<String, Seen>,
    spreads: &'a BTreeMap<String, Spread>,
}

/// Writes the report.
pub(crate) fn json(evaluation: &Evaluation, drawn: &Drawn) -> String {
    let (summary, comparison) = (&evaluation.summary, &evaluation.comparison);
    let timing = evaluation.timing.as_ref();
    let cells = summary.cells.iter().map(|cell| CellReport {
        cell: &cell.id,
        verdict: comparison.cells.get(&cell.id).copied().unwrap_or(Verdict::NotCompared),
        processes: cell.processes,
        files: cell.files,
        answer: cell.answer.as_ref(),
        phases: cell.phases.iter().map(|(phase, measured)| (*phase, phase_report(measured))).collect(),
        failures: &cell.failures,
        pairs: timing.and_then(|timing| Some(pairs_of_cell(timing, timing.cells.get(&cell.id)?))),
        why: comparison.why.get(&cell.id).map(String::as_str),
        profile: drawn.get(&cell.id).map(String::as_str),
    });
    let report = Report {
        format: FORMAT,
        run: &summary.run,
        suite: &summary.suite,
        verdict: comparison.verdict(),
        exit_code: evaluation.exit() as u8,
        context: &summary.context,
        base: evaluation.base.as_ref().map(|base| base.origin.as_str()),
        canary: timing
            .and_then(|timing| timing.canary)
            .map(|judged| pairs_report(&judged, Verdict::NotCompared)),
        contaminated: timing.is_some_and(|timing| timing.contaminated),
        told: timing.map_or(&[], |timing| &timing.told),
        cells: cells.collect(),
        findings: &comparison.findings,
        medians: &comparison.medians,
        advice: &comparison.advice,
        notes: summary.notes.iter().chain(&comparison.notes).collect(),
    };
    let mut text = serde_json::to_string_pretty(&report).expect("a report holds only strings and numbers");
    text.push('\n');
    text
}

fn pairs_of_cell(timing: &Timing, cell: &CellTiming) -> PairsReport {
    PairsReport {
        phase: Some(cell.phase),
        base_ns: Some(cell.base_ns),
        head_ns: Some(cell.head_ns),
        confirmed: cell.confirmed.map(|confirmed| confirmed.reproduced),
        ..pairs_report(&cell.judged, timing.verdict(cell))
    }
}

fn pairs_report(judged: &Judged, verdict: Verdict) -> PairsReport {
    PairsReport {
        verdict,
        phase: None,
        base_ns: None,
        head_ns: None,
        pairs: judged.pairs,
        change: judged.test.effect.exp_m1(),
        change_low: judged.interval.map(|interval| interval.low.exp_m1()),
        change_high: judged.interval.map(|interval| interval.high.exp_m1()),
        p_slower: judged.test.slower,
        p_faster: judged.test.faster,
        detectable: judged.detectable,
        needed_pairs: judged.needed,
        confirmed: None,
    }
}

fn phase_report(measured: &PhaseSummary) -> PhaseReport<'_> {
    PhaseReport { exact: &measured.exact, unstable: &measured.unstable, spreads: &measured.spreads }
}
