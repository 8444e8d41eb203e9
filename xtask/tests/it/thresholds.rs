//! Thresholds of the workspace's `pond.toml`: told once, kept in the record, said again by every report.

use crate::workspace::Workspace;

/// The scripted engine's processes have peaks of a little more than 30 MiB.
const LIMITS: &str = "[thresholds]\nmemory_mib = 30\nplanning_ms = 1000\nstore_errors = 0\n";

/// Returns the lines of a text that hold a word.
fn lines<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.contains(word)).collect()
}

#[test]
fn a_crossed_threshold_is_told_once_and_stands_in_every_report() {
    let workspace = Workspace::new();
    workspace.write("pond.toml", LIMITS);
    let ran = workspace.expect(0, "", &["bench", "smoke/open[size=small]"]);
    insta::assert_snapshot!(lines(&ran.stderr, "warning").join("\n"), @"warning: smoke/open[size=small], cold: resident memory reached 30.1 MiB, and memory_mib allows 30");
    let notes = ran.stdout.split_once("\nNotes\n").unwrap().1.split_once("\n\n").unwrap().0;
    insta::assert_snapshot!(lines(notes, "threshold").join("\n"), @r"
      threshold crossed: smoke/open[size=small], cold: resident memory reached 30.1 MiB, and memory_mib allows 30; in 2 of 2 executions
      threshold crossed: smoke/open[size=small], warm: resident memory reached 30.1 MiB, and memory_mib allows 30; in 4 of 4 executions
      the threshold store_errors is for `pond export`; samples of cells do not hold errors
    ");
    assert_eq!(lines(&workspace.read_latest("report.md"), "- threshold crossed: ").len(), 2);
    let report: serde_json::Value = serde_json::from_str(&workspace.read_latest("report.json")).unwrap();
    let in_json = report["notes"].as_array().unwrap().iter().filter_map(|note| note.as_str());
    assert_eq!(in_json.filter(|note| note.starts_with("threshold crossed: ")).count(), 2);
    // A report follows from the record, whatever the workspace says now.
    workspace.write("pond.toml", "[thresholds]\nmemory_mib = 1000\n");
    let again = workspace.expect(0, "", &["report"]);
    assert_eq!(lines(&again.stdout, "threshold"), lines(&ran.stdout, "threshold"));
}

#[test]
fn a_base_that_crosses_it_too_is_named() {
    let workspace = Workspace::new();
    workspace.write("pond.toml", "[thresholds]\nmemory_mib = 30\n");
    let old = crate::beside::old_engine(&workspace);
    let arguments = ["bench", "smoke/open[size=tiny]", "--tier", "exact", "--against", &old];
    let ran = workspace.expect(0, "", &arguments);
    let expect = "threshold crossed: smoke/open[size=tiny], cold: resident memory reached 30.0 MiB, and memory_mib \
                  allows 30; in 2 of 2 executions, and in the base";
    assert!(ran.stdout.contains(expect), "{}", ran.stdout);
    assert_eq!(lines(&ran.stderr, "warning").len(), 1, "{}", ran.stderr);
}

#[test]
fn a_workspace_without_thresholds_records_none() {
    let workspace = Workspace::new();
    let ran = workspace.expect(0, "", &["bench", "query"]);
    assert!(lines(&ran.stdout, "threshold").is_empty() && lines(&ran.stderr, "warning").is_empty());
    let header = workspace.read_latest("samples.jsonl");
    assert!(!header.lines().next().unwrap().contains("thresholds"), "{header}");
}

#[test]
fn bad_thresholds_are_refused_before_anything_is_measured() {
    let workspace = Workspace::new();
    let check = |text: &str, expect: &str| {
        workspace.write("pond.toml", text);
        let ran = workspace.expect(2, "", &["bench", "query"]);
        let error =
            ran.stderr.lines().last().unwrap_or_default().replace(workspace.path("").to_str().unwrap(), "");
        assert_eq!(error, expect);
        assert!(!workspace.path("target/pondmark/runs").exists());
    };
    check(
        "[thresholds]\nmemory_gib = 1\n",
        "error: pond.toml:2: unknown key 'memory_gib' in [thresholds]; did you mean 'memory_mib'?",
    );
    check(
        "[knobs]\njobs = 2\n",
        "error: pond.toml:1: unknown key 'knobs' in the settings; known: thresholds",
    );
}
