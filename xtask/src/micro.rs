//! Benchmarks that cargo runs by itself: instructions by callgrind, times by criterion.
//!
//! They are cells of the suite `micro`: their results go into the same record, and are compared, blessed and drawn as
//! those of any cell. What is needed and is not there is said, and the other cells go on.

mod callgrind;
mod criterion;

use std::collections::{BTreeMap, BTreeSet};

use scenarios::{Answer, Cell, Phase, Workload};

use crate::clock;
use crate::interrupt;
use crate::paths::Paths;
use crate::plan::PlannedCell;
use crate::process::FaultKind;
use crate::progress::Progress;
use crate::record::{EndLine, FailureLine, Line, ProcessLine, RecordWriter, SampleLine, Side, SkippedLine};
use crate::runner::Done;

/// What a benchmark measured, by metric.
type Metrics = BTreeMap<String, u64>;

/// What a tool found, by function and case.
type Found = BTreeMap<(String, Option<String>), Metrics>;

/// Why a tool gave nothing.
enum Refusal {
    /// It is not there; what to do about it.
    Missing(String),
    /// It failed.
    Failed(String),
}

/// Tells whether all cells are benchmarks of cargo.
pub(crate) fn is_micro(planned: &[PlannedCell]) -> bool {
    planned.iter().all(|planned| planned.cell.workload.is_micro())
}

/// Runs every planned benchmark that is not done, file by file, and ends the record.
pub(crate) fn measure(
    paths: &Paths,
    planned: &[PlannedCell],
    record: &mut RecordWriter,
    done: &Done,
) -> anyhow::Result<()> {
    let is_open = |cell: &Cell| {
        !done.processes.contains(&(cell.id(), Side::Head, 0)) && !done.failed.contains(&cell.id())
    };
    let cells: Vec<&Cell> =
        planned.iter().map(|planned| &planned.cell).filter(|cell| is_open(cell)).collect();
    let files: BTreeSet<(Workload, &str)> = cells.iter().map(|cell| (cell.workload, file(cell))).collect();
    let progress = Progress::start(files.len());
    for (workload, bench) in files {
        progress.now(&format!("cargo bench --bench {bench}, {workload}"), None);
        let began = clock::now_seconds();
        let found = match workload {
            Workload::Callgrind => callgrind::run(paths, bench),
            _ => criterion::run(paths, bench),
        };
        let elapsed_ms = clock::now_seconds().saturating_sub(began) * 1_000;
        let of_file = cells.iter().filter(|cell| cell.workload == workload && file(cell) == bench);
        let lines: Vec<Line> = match &found {
            Ok(found) => of_file.flat_map(|cell| lines(cell, found, elapsed_ms)).collect(),
            Err(Refusal::Missing(why)) => of_file.map(|cell| skipped(cell, why)).collect(),
            Err(Refusal::Failed(message)) => of_file.map(|cell| failure(cell, message)).collect(),
        };
        interrupt::check()?;
        record.append(&lines)?;
        progress.step();
    }
    record.append(&[Line::End(EndLine { ended: clock::text(clock::now_seconds()), processes_cut: 0 })])
}

fn file(cell: &Cell) -> &str {
    cell.parameter("bench").unwrap_or_default()
}

/// Makes the lines of a cell from what its file measured.
fn lines(cell: &Cell, found: &Found, elapsed_ms: u64) -> Vec<Line> {
    let function = cell.parameter("function").unwrap_or_default().to_owned();
    let case = cell.parameter("case").map(str::to_owned);
    let Some(metrics) = found.get(&(function, case)) else {
        let known: Vec<String> =
            found.keys().map(|(function, case)| name(function, case.as_deref())).collect();
        let message = format!("the file {} has no such benchmark; it has {}", file(cell), known.join(", "));
        return vec![failure(cell, &message)];
    };
    let sample = SampleLine {
        cell: cell.id(),
        side: Side::Head,
        process: 0,
        phase: Phase::Warm,
        iteration: 1,
        metrics: metrics.clone(),
        // A benchmark checks what it does by itself.
        answer: Answer { rows: 0, digest: "none".to_owned() },
    };
    let ended_unix_ms = Some(clock::now_ms());
    let process = ProcessLine { cell: cell.id(), side: Side::Head, process: 0, elapsed_ms, ended_unix_ms };
    vec![Line::Sample(sample), Line::Process(process)]
}

fn name(function: &str, case: Option<&str>) -> String {
    case.map_or_else(|| function.to_owned(), |case| format!("{function} {case}"))
}

fn failure(cell: &Cell, message: &str) -> Line {
    Line::Failure(FailureLine {
        cell: cell.id(),
        side: Side::Head,
        process: Some(0),
        kind: FaultKind::Crash,
        message: message.to_owned(),
        stderr: String::new(),
    })
}

fn skipped(cell: &Cell, why: &str) -> Line {
    Line::Skipped(SkippedLine { cell: cell.id(), why: why.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(case: Option<&str>) -> Cell {
        let mut parameters = BTreeMap::from(
            [("bench", "pipeline"), ("function", "export")].map(|(a, b)| (a.to_owned(), b.to_owned())),
        );
        parameters.extend(case.map(|case| ("case".to_owned(), case.to_owned())));
        Cell {
            suite: "micro".to_owned(),
            scenario: "export".to_owned(),
            workload: Workload::Callgrind,
            point: Vec::new(),
            parameters,
            expected: None,
        }
    }

    #[test]
    fn a_cell_takes_what_its_case_measured() {
        let key = |case: &str| ("export".to_owned(), Some(case.to_owned()));
        let metrics = |count| BTreeMap::from([("instructions".to_owned(), count)]);
        let found = Found::from([(key("split"), metrics(7)), (key("passthrough"), metrics(5))]);
        let taken = lines(&cell(Some("split")), &found, 3);
        let [Line::Sample(sample), Line::Process(process)] = &taken[..] else { panic!("{taken:?}") };
        assert_eq!(sample.metrics["instructions"], 7);
        assert_eq!(process.elapsed_ms, 3);
        for case in [None, Some("sql")] {
            let taken = lines(&cell(case), &found, 3);
            let [Line::Failure(failure)] = &taken[..] else { panic!("{taken:?}") };
            assert_eq!(
                failure.message,
                "the file pipeline has no such benchmark; it has export passthrough, export split"
            );
        }
    }
}
