//! The report as JSON, versioned, for other tools.

use std::collections::BTreeMap;

use scenarios::{Answer, Phase};
use serde::Serialize;

use crate::evaluation::Evaluation;
use crate::fingerprint::Context;
use crate::measured::{Seen, Values};
use crate::record::FailureLine;
use crate::statistics::Spread;
use crate::summary::PhaseSummary;
use crate::verdict::{Finding, Pair, Verdict};

/// The version of `report.json`.
pub(crate) const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    run: &'a str,
    suite: &'a str,
    verdict: Verdict,
    exit_code: u8,
    context: &'a Context,
    base: Option<&'a str>,
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
}

#[derive(Serialize)]
struct PhaseReport<'a> {
    exact: &'a BTreeMap<String, Values>,
    unstable: &'a BTreeMap<String, Seen>,
    spreads: &'a BTreeMap<String, Spread>,
}

/// Writes the report.
pub(crate) fn json(evaluation: &Evaluation) -> String {
    let (summary, comparison) = (&evaluation.summary, &evaluation.comparison);
    let cells = summary.cells.iter().map(|cell| CellReport {
        cell: &cell.id,
        verdict: comparison.cells.get(&cell.id).copied().unwrap_or(Verdict::NotCompared),
        processes: cell.processes,
        files: cell.files,
        answer: cell.answer.as_ref(),
        phases: cell.phases.iter().map(|(phase, measured)| (*phase, phase_report(measured))).collect(),
        failures: &cell.failures,
    });
    let report = Report {
        format: FORMAT,
        run: &summary.run,
        suite: &summary.suite,
        verdict: comparison.verdict(),
        exit_code: evaluation.exit() as u8,
        context: &summary.context,
        base: evaluation.base.as_ref().map(|base| base.origin.as_str()),
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

fn phase_report(measured: &PhaseSummary) -> PhaseReport<'_> {
    PhaseReport { exact: &measured.exact, unstable: &measured.unstable, spreads: &measured.spreads }
}
