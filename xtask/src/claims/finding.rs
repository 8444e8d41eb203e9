//! Findings: what the samples of a run say of each claim.

use std::collections::BTreeMap;

use anyhow::bail;
use scenarios::{Amount, Answer, Claim, Ledger, Phase, Setting};
use serde::Serialize;

use super::interval::Interval;
use super::verdict::Verdict;
use super::{EXACT_PAIRS, LEAST_PAIRS, pair};
use crate::record::{Record, SampleLine};
use crate::statistics::median;

/// The largest logarithm of a ratio; a change from or to nothing has this, so that nothing is infinite.
const LOG_LIMIT: f64 = 700.0;

/// What a run says of a claim.
#[derive(Clone, Debug)]
pub(crate) struct Finding<'a> {
    /// The claim.
    pub(crate) claim: &'a Claim,
    /// What was measured, or why it could not be.
    pub(crate) outcome: Result<Measured, String>,
}

/// How the answers of both sides compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Agreement {
    /// They must be equal, and are.
    Equal,
    /// Their numbers of rows must be equal and are; so happens to be the rest.
    RowsMustAndAllIs,
    /// Their numbers of rows must be equal and are; the order of rows is open, and the rest differs.
    Rows,
}

/// What was measured of a claim.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    /// The reduction in percent of the plain side, or the share in percent.
    pub(crate) percent: Interval,
    /// Whether it was counted and repeated, so that there is no interval.
    pub(crate) exact: bool,
    /// The amounts of the plain side, one for each process.
    pub(crate) plain: Vec<Amount>,
    /// The amounts of the tuned side, in the same order.
    pub(crate) tuned: Vec<Amount>,
    /// What this says of the promise.
    pub(crate) verdict: Verdict,
    /// How the answers compare.
    pub(crate) agreement: Agreement,
}

impl Finding<'_> {
    /// Returns the verdict.
    pub(crate) fn verdict(&self) -> Verdict {
        self.outcome.as_ref().map_or(Verdict::Failed, |measured| measured.verdict)
    }
}

/// Finds out what a run says of the claims of a ledger that it measured.
pub(crate) fn findings<'a>(ledger: &'a Ledger, record: &Record) -> anyhow::Result<Vec<Finding<'a>>> {
    let mut findings = Vec::new();
    for claim in ledger.claims.iter().filter(|claim| pair::selects(&record.header.filters, claim)) {
        match pair::place(&record.header.planned, claim) {
            Some(place) => findings.push(Finding { claim, outcome: outcome(claim, record, place) }),
            None => bail!(
                "run {} did not measure claim '{}' as the ledger has it now; measure again: cargo xtask claims",
                record.header.run,
                claim.name
            ),
        }
    }
    Ok(findings)
}

fn outcome(claim: &Claim, record: &Record, place: usize) -> Result<Measured, String> {
    let [plain, tuned] = [place, place + 1].map(|place| record.header.planned[place].cell.id());
    for (setting, id) in [(Setting::Plain, &plain), (Setting::Tuned, &tuned)] {
        if let Some(failure) = record.failures.iter().find(|failure| failure.cell == *id) {
            // The message is what a table shows; the last line of standard error follows for the terminal.
            let said = failure.stderr.lines().last().map_or_else(String::new, |line| format!("\n  {line}"));
            return Err(format!("{}: {}{said}", setting.name(), failure.message));
        }
    }
    let agreement = agreement(claim, &samples_of(record, &plain), &samples_of(record, &tuned))?;
    let (plain, tuned) = (amounts(claim, record, &plain)?, amounts(claim, record, &tuned)?);
    let both: Vec<u32> = plain.keys().copied().filter(|process| tuned.contains_key(process)).collect();
    let plain: Vec<Amount> = both.iter().map(|process| plain[process]).collect();
    let tuned: Vec<Amount> = both.iter().map(|process| tuned[process]).collect();
    let exact = claim.quantity.is_exact();
    let least = if exact { EXACT_PAIRS } else { LEAST_PAIRS } as usize;
    if both.len() < least {
        return Err(format!("{} pairs were measured, but {least} are needed", both.len()));
    }
    if exact {
        require_repeated(Setting::Plain, &plain)?;
        require_repeated(Setting::Tuned, &tuned)?;
    }
    let percent = if claim.quantity.is_share() {
        share(if claim.of == Setting::Plain { &plain } else { &tuned }, exact)?
    } else {
        reduction(&plain, &tuned, exact)
    };
    let verdict = if claim.quantity.is_share() {
        // What the change adds to: the share on the plain side, or nothing where that side itself is the claim.
        let without = match claim.of {
            Setting::Tuned => share(&plain, exact).map_or(0.0, |share| share.middle),
            Setting::Plain => 0.0,
        };
        Verdict::of_share(percent, claim.promise, without)
    } else {
        Verdict::of_reduction(percent, claim.promise)
    };
    Ok(Measured { percent, exact, plain, tuned, verdict, agreement })
}

fn samples_of<'a>(record: &'a Record, cell: &str) -> Vec<&'a SampleLine> {
    record.samples.iter().filter(|sample| sample.cell == cell).collect()
}

/// Compares the answers of all samples of both sides.
fn agreement(claim: &Claim, plain: &[&SampleLine], tuned: &[&SampleLine]) -> Result<Agreement, String> {
    let Some(first) = plain.first() else { return Err("the plain side gave no sample".to_owned()) };
    let rows_only = Setting::ALL.into_iter().any(|setting| is_unordered(claim, setting));
    let same = |answer: &Answer| match rows_only {
        true => answer.rows == first.answer.rows,
        false => *answer == first.answer,
    };
    let mut all = plain.iter().chain(tuned);
    if let Some(other) = all.clone().find(|sample| !same(&sample.answer)) {
        return Err(format!("the answers differ: {} and {}", first.answer, other.answer));
    }
    Ok(match (rows_only, all.all(|sample| sample.answer == first.answer)) {
        (false, _) => Agreement::Equal,
        (true, true) => Agreement::RowsMustAndAllIs,
        (true, false) => Agreement::Rows,
    })
}

/// Tells whether a side writes files whose rows are in no promised order.
fn is_unordered(claim: &Claim, setting: Setting) -> bool {
    let settings = claim.settings(setting);
    let exports = claim.workload.parameters().iter().any(|(name, _, _)| *name == "temporal");
    exports && settings.get("copy") == "sql" && settings.get("order") == "none"
}

/// Computes the amount of each process: the cold execution's, or the median of the warm ones.
///
/// Of a share both sums are taken over all executions of the phase.
fn amounts(claim: &Claim, record: &Record, cell: &str) -> Result<BTreeMap<u32, Amount>, String> {
    let mut each: BTreeMap<u32, Vec<Amount>> = BTreeMap::new();
    let finished = record.processes.iter().filter(|process| process.cell == cell);
    let finished: Vec<u32> = finished.map(|process| process.process).collect();
    for sample in samples_of(record, cell) {
        if sample.phase == claim.phase && finished.contains(&sample.process) {
            each.entry(sample.process).or_default().push(claim.quantity.value(&sample.metrics)?);
        }
    }
    Ok(each.into_iter().map(|(process, amounts)| (process, one(&amounts, claim.phase))).collect())
}

fn one(amounts: &[Amount], phase: Phase) -> Amount {
    debug_assert!(phase == Phase::Warm || amounts.len() == 1, "a process has one cold execution");
    let parts: Vec<u64> = amounts.iter().map(|amount| amount.parts).collect();
    let whole: Option<Vec<u64>> = amounts.iter().map(|amount| amount.whole).collect();
    match whole {
        Some(whole) => Amount { parts: parts.iter().sum(), whole: Some(whole.iter().sum()) },
        None => Amount { parts: median(&parts).unwrap_or(0), whole: None },
    }
}

fn require_repeated(setting: Setting, amounts: &[Amount]) -> Result<(), String> {
    let Some(other) = amounts.iter().find(|amount| **amount != amounts[0]) else { return Ok(()) };
    let shown = |amount: &Amount| match amount.whole {
        Some(whole) => format!("{} of {whole}", amount.parts),
        None => amount.parts.to_string(),
    };
    Err(format!("{}: the counter does not repeat: {}, {}", setting.name(), shown(&amounts[0]), shown(other)))
}

/// Computes a share in percent.
fn share(amounts: &[Amount], exact: bool) -> Result<Interval, String> {
    let mut shares = Vec::new();
    for amount in amounts {
        match amount.whole {
            Some(whole @ 1..) => shares.push(amount.parts as f64 * 100.0 / whole as f64),
            _ => return Err("there was nothing to take a share of: the whole is 0".to_owned()),
        }
    }
    if exact {
        return Ok(Interval::exact(shares[0]));
    }
    Interval::of(&shares).ok_or_else(|| format!("{} pairs give no interval", shares.len()))
}

/// Computes the reduction in percent of the plain side.
fn reduction(plain: &[Amount], tuned: &[Amount], exact: bool) -> Interval {
    if exact {
        return Interval::exact(match (plain[0].parts, tuned[0].parts) {
            (0, 0) => 0.0,
            (0, _) => percent_of_log(LOG_LIMIT),
            (plain, tuned) => (plain as f64 - tuned as f64) * 100.0 / plain as f64,
        });
    }
    let logs: Vec<f64> =
        plain.iter().zip(tuned).map(|(plain, tuned)| log_ratio(plain.parts, tuned.parts)).collect();
    let interval = Interval::of(&logs).expect("the number of pairs was checked");
    interval.falling(percent_of_log)
}

fn log_ratio(plain: u64, tuned: u64) -> f64 {
    match (plain, tuned) {
        (0, 0) => 0.0,
        (plain, tuned) => (tuned as f64 / plain as f64).ln().clamp(-LOG_LIMIT, LOG_LIMIT),
    }
}

fn percent_of_log(log: f64) -> f64 {
    100.0 * (1.0 - log.exp())
}

#[cfg(test)]
mod tests {
    use scenarios::Promise;

    use super::*;

    impl Measured {
        /// Makes a measurement of no samples, to draw.
        pub(crate) fn for_a_chart(percent: Interval) -> Self {
            let verdict = Verdict::of_reduction(percent, Promise { from: 50, to: None });
            let agreement = Agreement::Equal;
            Self { percent, exact: false, plain: Vec::new(), tuned: Vec::new(), verdict, agreement }
        }
    }

    fn amounts(values: &[u64]) -> Vec<Amount> {
        values.iter().map(|value| Amount { parts: *value, whole: None }).collect()
    }

    #[test]
    fn reductions_of_counters_are_exact() {
        let check = |plain, tuned, expect: f64| {
            let found = reduction(&amounts(&[plain; 2]), &amounts(&[tuned; 2]), true);
            assert_eq!(found, Interval::exact(expect), "{plain} {tuned}");
        };
        check(300, 100, 200.0 / 3.0);
        check(300, 0, 100.0);
        check(300, 300, 0.0);
        check(100, 150, -50.0);
        check(0, 0, 0.0);
        assert!(reduction(&amounts(&[0]), &amounts(&[1]), true).middle < -1e6);
    }

    #[test]
    fn reductions_of_times_are_medians_of_pairs() {
        let plain = amounts(&[100, 200, 400, 100, 100, 100]);
        let tuned = amounts(&[50, 100, 200, 25, 50, 100]);
        let found = reduction(&plain, &tuned, false);
        let close = |value: f64, expect: f64| assert!((value - expect).abs() < 1e-9, "{value} {expect}");
        close(found.low, 0.0);
        close(found.middle, 50.0);
        close(found.high, 75.0);
        close(reduction(&plain, &amounts(&[0; 6]), false).middle, 100.0);
    }

    #[test]
    fn a_share_of_nothing_is_an_error() {
        let amount = |parts, whole| Amount { parts, whole: Some(whole) };
        assert_eq!(share(&[amount(3, 4)], true), Ok(Interval::exact(75.0)));
        assert!(share(&[amount(0, 0)], true).is_err());
        let one = one(&[amount(1, 2), amount(3, 8)], Phase::Warm);
        assert_eq!(one, amount(4, 10));
    }
}
