//! The findings as JSON, versioned, for other tools: `claims.json` beside the samples.

use scenarios::{Amount, Phase};
use serde::Serialize;

use super::finding::{Agreement, Finding};
use super::verdict::Verdict;
use crate::fingerprint::Context;
use crate::record::Header;

/// The version of `claims.json`.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    run: &'a str,
    started: &'a str,
    context: &'a Context,
    claims: Vec<ClaimReport<'a>>,
}

#[derive(Serialize)]
struct ClaimReport<'a> {
    name: &'a str,
    source: &'a str,
    metric: String,
    phase: Phase,
    promise_from: u32,
    promise_to: Option<u32>,
    verdict: Verdict,
    failure: Option<&'a str>,
    measured: Option<MeasuredReport>,
}

#[derive(Serialize)]
struct MeasuredReport {
    percent: f64,
    low_percent: f64,
    high_percent: f64,
    exact: bool,
    answers: Agreement,
    plain: Vec<Raw>,
    tuned: Vec<Raw>,
}

/// A value of one process: a number, or a part and a whole.
#[derive(Serialize)]
#[serde(untagged)]
enum Raw {
    Sum(u64),
    Share([u64; 2]),
}

/// Writes the report.
pub(crate) fn json(header: &Header, findings: &[Finding<'_>]) -> String {
    let report = Report {
        format: FORMAT,
        run: &header.run,
        started: &header.started,
        context: &header.context,
        claims: findings.iter().map(claim_report).collect(),
    };
    let mut text = serde_json::to_string_pretty(&report).expect("a report holds only strings and numbers");
    text.push('\n');
    text
}

fn claim_report<'a>(finding: &'a Finding<'_>) -> ClaimReport<'a> {
    let claim = finding.claim;
    let measured = finding.outcome.as_ref().ok().map(|measured| MeasuredReport {
        percent: measured.percent.middle,
        low_percent: measured.percent.low,
        high_percent: measured.percent.high,
        exact: measured.exact,
        answers: measured.agreement,
        plain: raw(&measured.plain),
        tuned: raw(&measured.tuned),
    });
    ClaimReport {
        name: &claim.name,
        source: &claim.source,
        metric: claim.quantity.to_string(),
        phase: claim.phase,
        promise_from: claim.promise.from,
        promise_to: claim.promise.to,
        verdict: finding.verdict(),
        failure: finding.outcome.as_ref().err().map(String::as_str),
        measured,
    }
}

fn raw(amounts: &[Amount]) -> Vec<Raw> {
    let values = amounts.iter().map(|amount| match amount.whole {
        Some(whole) => Raw::Share([amount.parts, whole]),
        None => Raw::Sum(amount.parts),
    });
    values.collect()
}
