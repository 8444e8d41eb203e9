//! Reports of many cells: whole, within their room, and harmless.

use std::collections::BTreeMap;

use scenarios::{Cell, Phase, Workload};

use super::*;
use crate::fingerprint::{Context, Machine};
use crate::process::FaultKind;
use crate::record::{FailureLine, Side};
use crate::report::escape::defused;
use crate::statistics::Spread;
use crate::summary::{CellSummary, PhaseSummary, Summary};
use crate::verdict::Comparison;

/// Makes a run in which so many cells regressed in three counters each, and every tenth of them failed besides.
fn evaluation(cells: usize) -> Evaluation {
    let mut comparison = Comparison::default();
    let summaries = (0..cells).map(|number| {
        let cell = cell(number);
        for metric in ["store_data_requests", "rows_read", "plans_built"] {
            comparison.add(finding(&cell.id(), Verdict::Regressed, Some(metric), "8 → 9, +12.5 %"));
        }
        if number % 10 == 3 {
            comparison.add(finding(
                &cell.id(),
                Verdict::Failed,
                None,
                "process 0: it crashed\nwith much to say",
            ));
        }
        summary(cell, number % 10 == 3)
    });
    let cells = summaries.collect();
    comparison.advice = (0..30).map(|line| format!("smoke/open[size=tiny]: advice {line}")).collect();
    comparison.notes =
        (0..30).map(|line| format!("note {line} for @everybody, see [this](https://host)")).collect();
    let machine = Machine {
        cpu: "processor".to_owned(),
        cores: 2,
        memory_gib: 8,
        kernel: "6.1".to_owned(),
        rustc: "rustc 1.95.0".to_owned(),
        os: "linux x86_64".to_owned(),
    };
    let context = Context {
        revision: "topic ".repeat(200),
        engine_version: "0.1.0".to_owned(),
        profile: "release".to_owned(),
        arch: "x86_64".to_owned(),
        machine,
    };
    let (run, suite) = ("20260102T030405Z-wide".to_owned(), "wide".to_owned());
    let summary = Summary { run, suite, context, cells, finished: true, notes: Vec::new() };
    Evaluation { summary, base: None, timing: None, comparison, again: String::new() }
}

fn cell(number: usize) -> Cell {
    let pattern = format!("/{number}/a|b`c/<b>/@someone/**/*.series");
    Cell {
        suite: "wide".to_owned(),
        scenario: "find".to_owned(),
        workload: Workload::Pattern,
        point: vec![("pattern".to_owned(), pattern)],
        parameters: BTreeMap::new(),
        expected: None,
    }
}

fn finding(cell: &str, verdict: Verdict, metric: Option<&str>, text: &str) -> Finding {
    let metric = metric.map(str::to_owned);
    Finding {
        cell: cell.to_owned(),
        verdict,
        phase: None,
        metric,
        text: text.to_owned(),
        base: None,
        head: None,
    }
}

fn summary(cell: Cell, failed: bool) -> CellSummary {
    let id = cell.id();
    let failure = FailureLine {
        cell: id.clone(),
        side: Side::Head,
        process: Some(0),
        kind: FaultKind::Crash,
        message: "it crashed".to_owned(),
        stderr: "```\n[panicked] at home, by me@home\n".repeat(60),
    };
    let spread = |median| Spread { median, mad: 0, count: 2 };
    let spreads = [("wall_ns", 4_000_000), ("stage.transaction.ns", 1_000_000)];
    let spreads = spreads.map(|(name, median)| (name.to_owned(), spread(median)));
    let phase = PhaseSummary { spreads: BTreeMap::from(spreads), ..PhaseSummary::default() };
    CellSummary {
        cell,
        id,
        processes: 2,
        planned: 2,
        files: Some(8),
        answer: None,
        phases: BTreeMap::from([(Phase::Cold, phase)]),
        failures: if failed { vec![failure] } else { Vec::new() },
        skipped: None,
    }
}

#[test]
fn no_report_is_longer_than_its_place_takes() {
    let charts = ["stages-cold".to_owned()];
    let drawn = Drawn::from([(cell(0).id(), "profiles/wide-find-0/difference.svg".to_owned())]);
    for cells in [5, 50, 500] {
        let evaluation = evaluation(cells);
        for place in [Place::Folder(&charts), Place::Comment, Place::Summary] {
            let report = markdown(&evaluation, &drawn, place, place.room());
            let count = |what: &str| report.matches(what).count();
            assert!(report.len() <= place.room(), "{cells} {place:?}: {}", report.len());
            assert_eq!(count("<details>"), count("</details>"), "{cells} {place:?}");
            assert_eq!(count("<pre>"), count("</pre>"), "{cells} {place:?}");
            let rows = count("\n| regressed |") + count("\n| failed |");
            let all = 3 * cells + (cells + 6) / 10;
            let said = report.contains(&format!("{} of {all} rows of “Findings”", all - rows));
            assert_eq!(said, rows < all, "{cells} {place:?}: {rows} of {all}\n{report}");
            // What regressed comes before what failed.
            assert!(rows < 3 * cells || report.find("\n| regressed |") < report.find("\n| failed |"));
            if place != Place::Folder(&charts) {
                assert_eq!(defused(&report), report, "{cells} {place:?}");
                assert!(!report.contains("]("), "{cells} {place:?}");
            }
        }
    }
}

#[test]
fn the_least_room_is_enough_for_the_verdict() {
    let evaluation = evaluation(500);
    let report = markdown(&evaluation, &Drawn::new(), Place::Comment, 0);
    assert!(report.len() <= LEAST_BYTES, "{}", report.len());
    assert!(report.starts_with("## ❌ FAILED: wide: 50 failed, 450 regressed (exit code 5)\n"), "{report}");
    assert!(report.contains("**Cut to what GitHub takes.** Left out: "), "{report}");
}
