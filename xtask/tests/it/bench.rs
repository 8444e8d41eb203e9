//! What a run does: how many processes, which cells, which files.

use std::collections::BTreeMap;

use crate::workspace::Workspace;

/// Counts the lines of `samples.jsonl` by their kind.
fn lines(workspace: &Workspace) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in workspace.read_latest("samples.jsonl").lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        *counts.entry(line["line"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn every_process_is_fresh_and_every_sample_is_kept() {
    let workspace = Workspace::new();
    let state = workspace.path("state");
    std::fs::create_dir(&state).unwrap();
    let output = workspace.command(&["bench"]).env("FAKE_STATE", &state).output().unwrap();
    assert!(output.status.success());
    // One to greet, one to prepare, two for each of the three cells.
    assert_eq!(state.read_dir().unwrap().count(), 8);
    let expect = [("end", 1), ("header", 1), ("prepared", 3), ("process", 6), ("sample", 16)];
    assert_eq!(lines(&workspace), expect.map(|(kind, count)| (kind.to_owned(), count)).into());
}

#[test]
fn tiers_choose_the_number_of_processes() {
    let workspace = Workspace::new();
    workspace.expect(0, "", &["bench", "query", "--tier", "time"]);
    assert_eq!(lines(&workspace)["process"], 3);
    workspace.expect(0, "", &["bench", "query", "--tier", "exact"]);
    assert_eq!(lines(&workspace)["process"], 2);
}

#[test]
fn a_spent_budget_still_gives_two_processes() {
    let workspace = Workspace::new();
    let ran = workspace.expect(0, "query=slow", &["bench", "query", "--tier", "time", "--budget", "1s"]);
    assert_eq!(lines(&workspace)["process"], 2);
    assert!(ran.stdout.contains("the budget was spent; 1 processes were not run"), "{}", ran.stdout);
}

#[test]
fn filters_select_cells() {
    let workspace = Workspace::new();
    workspace.expect(0, "", &["bench", "smoke", "size=tiny"]);
    assert_eq!(lines(&workspace)["process"], 2);
    workspace.expect(0, "", &["bench", "smoke/open[size=tiny]", "quer*"]);
    assert_eq!(lines(&workspace)["process"], 4);
    let ran = workspace.expect(2, "", &["baseline", "bless", "--reason", "no"]);
    assert!(ran.stderr.contains("was filtered (smoke/open[size=tiny] quer*)"), "{}", ran.stderr);
}

#[test]
fn several_suites_are_several_runs() {
    let workspace = Workspace::new();
    let small = workspace.read("scenarios/suites/smoke.toml").replace("\"open\"\nabout", "\"reopen\"\nabout");
    workspace.write("scenarios/suites/small.toml", &small);
    let ran = workspace.expect(0, "", &["bench", "smoke", "small"]);
    assert!(ran.stdout.contains("PASS, nothing compared: small: 3"), "{}", ran.stdout);
    assert!(ran.stdout.contains("PASS, nothing compared: smoke: 3"), "{}", ran.stdout);
    let runs = workspace.path("target/pondmark/runs").read_dir().unwrap();
    assert_eq!(runs.filter(|run| run.as_ref().unwrap().path().is_dir()).count(), 2);
    let ran = workspace.expect(2, "", &["bench", "smoke", "small", "reopen"]);
    assert!(ran.stderr.contains("no filter matches a cell of suite 'smoke'"), "{}", ran.stderr);
    let ran = workspace.expect(2, "", &["bench", "smoke", "small", "--json", "out.json"]);
    assert!(ran.stderr.contains("--json takes the report of one suite"));
}

#[test]
fn the_list_says_what_is_missing() {
    let workspace = Workspace::new();
    workspace.bless();
    let ran = workspace.expect(0, "", &["bench", "--list"]);
    insta::assert_snapshot!(ran.stdout, @r"
    cell                    expected answer                    baseline
    smoke/open[size=tiny]   8 rows, digest 00000000deadbeef    yes
    smoke/open[size=small]  100 rows, digest 00000000deadbeef  yes
    smoke/query[]           8 rows, digest 00000000deadbeef    yes
    ");
}

#[test]
fn a_dry_run_starts_nothing() {
    let workspace = Workspace::new();
    let ran = workspace.expect(0, "*=no-hello", &["bench", "--dry-run", "--tier", "time"]);
    insta::assert_snapshot!(ran.stdout.split_once('\n').unwrap().1, @r"

    suite smoke: 3 cells, 9 measured processes, 2 others to greet and to prepare
    cell                    processes  executions in each  time-out
    smoke/open[size=tiny]           3  1 cold, 2 warm          20 s
    smoke/open[size=small]          3  1 cold, 2 warm          20 s
    smoke/query[]                   3  1 cold, 1 warm          20 s
    ");
    assert!(!workspace.path("target").exists());
}

#[test]
fn the_report_is_also_written_where_asked() {
    let workspace = Workspace::new();
    workspace.expect(0, "", &["bench", "--json", "out.json"]);
    assert_eq!(workspace.read("out.json"), workspace.read_latest("report.json"));
}
