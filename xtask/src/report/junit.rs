//! The report as JUnit XML: a test case for each cell.
//!
//! What does not pass is no success here either: a cell that regressed or was not decided is a failure, of the type of
//! its verdict, and one that failed or cannot be compared is an error. A cell that was not measured is skipped.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::terminal::short;
use crate::evaluation::Evaluation;
use crate::record::Record;
use crate::summary::CellSummary;
use crate::verdict::{Finding, Verdict};

/// Writes the report.
pub(super) fn junit(record: &Record, evaluation: &Evaluation) -> anyhow::Result<String> {
    let summary = &evaluation.summary;
    let mut suite = TestSuite::new(summary.suite.as_str());
    suite.add_property(("revision", summary.context.revision.as_str()));
    suite.add_property(("compared with", evaluation.base.as_ref().map_or("nothing", |base| &base.origin)));
    suite.set_system_out(evaluation.verdict_line());
    for cell in &summary.cells {
        let mut case = TestCase::new(short(&cell.id), status(evaluation, cell));
        case.set_classname(format!("{}.{}", summary.suite, cell.cell.scenario));
        let of_cell = record.processes.iter().filter(|line| line.cell == cell.id);
        case.set_time(Duration::from_millis(of_cell.map(|line| line.elapsed_ms).sum()));
        if let Some(failure) = cell.failures.iter().find(|failure| !failure.stderr.is_empty()) {
            case.set_system_err(failure.stderr.as_str());
        }
        suite.add_test_case(case);
    }
    for finding in
        evaluation.comparison.findings.iter().filter(|finding| is_of_the_base_alone(evaluation, finding))
    {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type(finding.verdict.name()).set_message(finding.text.as_str());
        suite.add_test_case(TestCase::new(short(&finding.cell), status));
    }
    let mut report = Report::new("pondmark");
    report.add_test_suite(suite);
    Ok(report.to_string()?)
}

/// Tells whether a finding is of a cell that the run does not have.
fn is_of_the_base_alone(evaluation: &Evaluation, finding: &Finding) -> bool {
    evaluation.summary.cells.iter().all(|cell| cell.id != finding.cell)
}

fn status(evaluation: &Evaluation, cell: &CellSummary) -> TestCaseStatus {
    let comparison = &evaluation.comparison;
    let verdict = comparison.cells.get(&cell.id).copied().unwrap_or(Verdict::NotCompared);
    let mut status = match verdict {
        _ if cell.skipped.is_some() => TestCaseStatus::skipped(),
        Verdict::NotCompared | Verdict::Unchanged | Verdict::Improved => return TestCaseStatus::success(),
        Verdict::Inconclusive | Verdict::Regressed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Incomparable | Verdict::Failed => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if let Some(why) = &cell.skipped {
        status.set_message(why.as_str());
        return status;
    }
    let findings = comparison.findings.iter().filter(|finding| finding.cell == cell.id);
    let texts: Vec<String> = findings.map(text).collect();
    let mut description = texts.clone();
    description.extend(comparison.why.get(&cell.id).cloned());
    description.push(format!("again: {}", evaluation.again_command(&cell.id)));
    status.set_type(verdict.name());
    status.set_message(texts.first().map_or("", |text| text.lines().next().unwrap_or_default()));
    status.set_description(description.join("\n"));
    status
}

fn text(finding: &Finding) -> String {
    let mut words = vec![finding.verdict.name()];
    words.extend(finding.phase.map(|phase| phase.name()));
    words.extend(finding.metric.as_deref());
    format!("{}: {}", words.join(" "), finding.text)
}
