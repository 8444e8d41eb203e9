//! A base that is measured beside the head, in pairs.

use crate::workspace::{Ran, Workspace, fake_engine};

/// Leaves a copy of the scripted engine that is another binary, and returns its path.
pub(crate) fn old_engine(workspace: &Workspace) -> String {
    let mut bytes = std::fs::read(fake_engine()).unwrap();
    let build = b"scripted engine, build A";
    let at = bytes.windows(build.len()).position(|window| window == build).unwrap();
    bytes[at + build.len() - 1] = b'B';
    let path = workspace.path("old");
    std::fs::write(&path, bytes).unwrap();
    let permissions = std::fs::metadata(fake_engine()).unwrap().permissions();
    std::fs::set_permissions(&path, permissions).unwrap();
    path.to_string_lossy().into_owned()
}

fn against(code: i32, script: &str, more: &[&str]) -> (Workspace, Ran) {
    let workspace = Workspace::new();
    let old = old_engine(&workspace);
    let arguments = [&["bench", "smoke", "size=tiny", "--against", &old], more].concat();
    let ran = workspace.expect(code, script, &arguments);
    (workspace, ran)
}

#[test]
fn alike_sides_are_shown_to_be_unchanged() {
    let (workspace, ran) = against(0, "open=percent-0", &[]);
    let text = workspace.redacted(&ran.stdout);
    assert!(text.contains("compared with the binary old, measured beside it"), "{text}");
    assert!(text.contains("PASS: smoke: 1 unchanged (exit code 0)"), "{text}");
    assert!(text.contains("the canary moved by"), "{text}");
    // The first look suffices.
    let line = text.lines().find(|line| line.starts_with("open[size=tiny]")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[words.len() - 2..], ["15", "unchanged"], "{line}");
}

#[test]
fn a_slower_head_is_a_regression_and_is_seen_again() {
    let (workspace, ran) = against(1, "open=percent-0;open@fake_engine=percent-5", &[]);
    assert!(ran.stdout.contains("REGRESSED smoke/open[size=tiny]"), "{}", ran.stdout);
    assert!(ran.stdout.contains("reproduced in another build: +"), "{}", ran.stdout);
    let report: serde_json::Value = serde_json::from_str(&workspace.read_latest("report.json")).unwrap();
    let pairs = &report["cells"][0]["pairs"];
    assert_eq!((&pairs["verdict"], &pairs["confirmed"]), (&"regressed".into(), &true.into()), "{pairs}");
    assert!((pairs["change"].as_f64().unwrap() - 0.05).abs() < 0.005, "{pairs}");
    assert!(
        ran.stdout.contains("to draw where: cargo xtask profile 'smoke/open[size=tiny]' --against "),
        "{}",
        ran.stdout
    );
    // The report follows from the record alone.
    let again = workspace.expect(1, "", &["report"]);
    assert!(again.stdout.contains("REGRESSED smoke/open[size=tiny]"), "{}", again.stdout);
}

#[test]
fn a_faster_head_is_an_improvement() {
    let (_, ran) = against(0, "open=percent-9;open@fake_engine=percent-0", &[]);
    assert!(ran.stdout.contains("IMPROVED smoke/open[size=tiny]"), "{}", ran.stdout);
}

#[test]
fn counters_of_both_sides_are_compared() {
    let (_, ran) = against(1, "open@fake_engine=extra-request", &["--tier", "exact"]);
    assert!(ran.stdout.contains("regressed: cold store_data_requests 8 → 9"), "{}", ran.stdout);
    assert!(ran.stdout.contains("times not compared: the tier is exact"), "{}", ran.stdout);
}

#[test]
fn where_neither_time_nor_allocations_grew_the_stage_that_is_entered_more_often_is_named() {
    let (_, ran) = against(1, "open@fake_engine=extra-read", &["--tier", "exact"]);
    assert!(ran.stdout.contains("regressed: cold stage.parquet_read.count "), "{}", ran.stdout);
    assert!(ran.stdout.contains("  why: cold executions enter parquet_read more often ("), "{}", ran.stdout);
}

#[test]
fn the_same_instructions_are_not_measured() {
    let workspace = Workspace::new();
    let mut bytes = std::fs::read(fake_engine()).unwrap();
    // Behind what the loader reads.
    bytes.push(0);
    let old = old_engine(&workspace);
    std::fs::write(&old, bytes).unwrap();
    let ran = workspace.expect(0, "", &["bench", "smoke", "--against", &old]);
    assert!(ran.stdout.contains("differ only in line numbers, and in no instruction"), "{}", ran.stdout);
}

#[test]
fn the_same_binary_is_not_measured() {
    let workspace = Workspace::new();
    let copy = workspace.path("copy");
    std::fs::copy(fake_engine(), &copy).unwrap();
    let arguments = ["bench", "smoke", "--against", &copy.to_string_lossy()];
    let ran = workspace.expect(0, "open=crash", &arguments);
    assert!(ran.stdout.contains("are the same binary: there is nothing to measure"), "{}", ran.stdout);
    let ran = workspace.expect(5, "open=crash", &[&arguments[..], &["--force"]].concat());
    assert!(ran.stdout.contains("FAILED smoke/open[size=tiny]"), "{}", ran.stdout);
}

#[test]
fn a_base_that_fails_leaves_nothing_to_compare_with() {
    let (_, ran) = against(4, "open@old=crash", &[]);
    assert!(ran.stdout.contains("the base failed: "), "{}", ran.stdout);
    let (_, ran) = against(4, "*@old=wrong-protocol", &[]);
    assert!(
        ran.stderr.contains("cannot be measured by this harness: the engine speaks protocol"),
        "{}",
        ran.stderr
    );
}

#[test]
fn designs_that_cannot_reject_are_refused() {
    let (_, ran) = against(2, "open=percent-0", &["--pairs", "5"]);
    assert!(ran.stderr.contains("5 pairs of 1 cells cannot show a regression"), "{}", ran.stderr);
}

#[test]
fn a_spent_budget_is_inconclusive() {
    let (_, ran) = against(3, "open=doze", &["--budget", "1s", "--pairs", "2000"]);
    assert!(ran.stdout.contains("INCONCLUSIVE") || ran.stdout.contains("inconclusive"), "{}", ran.stdout);
    assert!(ran.stdout.contains("the budget was spent"), "{}", ran.stdout);
}

#[test]
fn a_change_that_no_other_build_was_asked_for_is_inconclusive() {
    let slower = "open=percent-0;open@fake_engine=percent-30";
    let (workspace, _) = against(1, slower, &[]);
    // As where the budget is spent between the pairs and those of the second build.
    let text = workspace.read_latest("samples.jsonl");
    let left = |left: &dyn Fn(&str) -> bool| {
        let lines: Vec<&str> = text.lines().filter(|line| left(line)).collect();
        std::fs::write(workspace.latest().join("samples.jsonl"), lines.join("\n") + "\n").unwrap();
    };
    left(&|line| !line.contains(r#""side":"confirm_"#));
    let ran = workspace.expect(3, "", &["report"]);
    let said = "not measured again in another build: more --budget, or --no-confirm";
    assert!(ran.stdout.contains(said), "{}", ran.stdout);
    // A part of the pairs is a test as well, unless it is too small to show anything.
    let has_number = |line: &str, below: u32| {
        !line.contains(r#""side":"confirm_"#)
            || (0..below).any(|number| line.contains(&format!(r#""process":{number},"#)))
    };
    left(&|line| has_number(line, 8));
    let ran = workspace.expect(1, "", &["report"]);
    assert!(ran.stdout.contains("; reproduced in another build: +"), "{}", ran.stdout);
    left(&|line| has_number(line, 3));
    let ran = workspace.expect(3, "", &["report"]);
    assert!(ran.stdout.contains("; not reproduced in another build: +"), "{}", ran.stdout);
    let (_, ran) = against(1, slower, &["--no-confirm"]);
    assert!(ran.stdout.contains("REGRESSED smoke/open[size=tiny]"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("another build"), "{}", ran.stdout);
}

#[test]
fn a_dry_run_tells_of_pairs() {
    let (_, ran) = against(0, "", &["--dry-run"]);
    let text = ran.stdout;
    assert!(text.contains("beside it, in pairs of processes: "), "{text}");
    assert!(text.contains("suite smoke: 1 cells, at most 96 measured processes"), "{text}");
    assert!(text.contains("at most 24 pairs"), "{text}");
    let (_, ran) = against(2, "", &["--dry-run", "--pairs", "5"]);
    assert!(ran.stderr.contains("5 pairs of 1 cells cannot show a regression"), "{}", ran.stderr);
}

#[test]
fn where_nothing_is_measured_no_older_report_stays() {
    let workspace = Workspace::new();
    let copy = workspace.path("copy");
    std::fs::copy(fake_engine(), &copy).unwrap();
    workspace.write("report.json", "old");
    let report = workspace.path("report.json").to_string_lossy().into_owned();
    let arguments = ["bench", "smoke", "--against", &copy.to_string_lossy(), "--json", &report];
    let ran = workspace.expect(0, "", &arguments);
    assert!(ran.stderr.contains("report.json is of an earlier run and was removed"), "{}", ran.stderr);
    assert!(!workspace.path("report.json").exists());
}

#[test]
fn a_head_that_fails_does_not_stop_the_canary() {
    // The cell of the canary is the one that fails.
    let (workspace, ran) = against(5, "open@fake_engine=crash", &["--pairs", "24"]);
    assert!(ran.stdout.contains("FAILED smoke/open[size=tiny]"), "{}", ran.stdout);
    assert!(workspace.read_latest("samples.jsonl").contains(r#""side":"canary_head","process":0"#));
}

#[test]
fn what_names_nothing_is_said() {
    let workspace = Workspace::new();
    let ran = workspace.expect(4, "", &["bench", "--against", "no-such-thing"]);
    assert!(ran.stderr.contains("no run, baseline, revision or binary 'no-such-thing'"), "{}", ran.stderr);
}

#[test]
fn an_interrupted_comparison_is_continued() {
    let (workspace, _) = against(0, "open=percent-0", &["--force"]);
    let old = workspace.path("old").to_string_lossy().into_owned();
    let run = workspace.latest();
    // Cut in the middle of a line, as a kill leaves it.
    let text = workspace.read_latest("samples.jsonl");
    std::fs::write(run.join("samples.jsonl"), &text[..text.len() * 2 / 3]).unwrap();
    let arguments = ["bench", "smoke", "size=tiny", "--against", &old, "--force", "--resume"];
    let ran = workspace.expect(0, "open=percent-0", &arguments);
    assert!(ran.stderr.contains("processes are done"), "{}", ran.stderr);
    assert!(ran.stdout.contains("PASS: smoke: 1 unchanged (exit code 0)"), "{}", ran.stdout);
    assert_eq!(workspace.latest(), run);
    // Each side has each pair once.
    let text = workspace.read_latest("samples.jsonl");
    let mut processes: Vec<&str> =
        text.lines().filter(|line| line.starts_with(r#"{"line":"process""#)).collect();
    let count = processes.len();
    processes.sort_unstable();
    processes.dedup();
    assert_eq!(processes.len(), count);
    let seen =
        |side: &str| processes.iter().filter(|line| line.contains(&format!(r#""side":"{side}""#))).count();
    assert_eq!([seen("base"), seen("head"), seen("canary_base"), seen("canary_head")], [15; 4], "{text}");
}
