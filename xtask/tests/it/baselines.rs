//! Baselines: saving, blessing, listing, showing, checking, comparing.

use crate::workspace::{SMOKE, Workspace};

#[test]
fn a_baseline_needs_a_reason_and_a_run() {
    let workspace = Workspace::new();
    let ran = workspace.expect(2, "", &["baseline", "bless", "--reason", "why"]);
    assert!(ran.stderr.contains("there is no run of suite 'smoke'"), "{}", ran.stderr);
    workspace.expect(0, "", &["bench"]);
    let ran = workspace.expect(2, "", &["baseline", "bless", "--reason", " "]);
    assert!(ran.stderr.contains("the reason is empty"), "{}", ran.stderr);
    workspace.expect(2, "", &["baseline", "bless"]);
    assert!(!workspace.path("baselines").exists());
}

#[test]
fn a_run_of_an_older_suite_is_not_blessed() {
    let workspace = Workspace::new();
    workspace.expect(0, "", &["bench"]);
    workspace.write("scenarios/suites/smoke.toml", &SMOKE.replace("\"query\"\nabout", "\"ask\"\nabout"));
    let ran = workspace.expect(2, "", &["baseline", "bless", "--reason", "why"]);
    assert!(ran.stderr.contains("is not of the suite as it is now"), "{}", ran.stderr);
}

#[test]
fn blessing_the_same_run_twice_changes_nothing() {
    let workspace = Workspace::new();
    workspace.bless();
    let before = workspace.read("baselines/smoke.json");
    workspace.expect(0, "", &["baseline", "bless", "--reason", "for a test"]);
    assert_eq!(workspace.read("baselines/smoke.json"), before);
    workspace.expect(0, "", &["baseline", "check"]);
}

#[test]
fn saved_baselines_serve_before_and_after() {
    let workspace = Workspace::new();
    workspace.expect(0, "", &["bench"]);
    workspace.expect(0, "", &["baseline", "save", "before"]);
    workspace.expect(1, "open=extra-request", &["bench", "--against", "before"]);
    workspace.expect(1, "", &["compare", "before", "latest"]);
    workspace.expect(0, "", &["compare", "latest", "before"]);
    let ran = workspace.expect(2, "", &["baseline", "save", "smoke"]);
    assert!(ran.stderr.contains("'smoke' is a suite"), "{}", ran.stderr);
    workspace.expect(2, "", &["baseline", "save", "../x"]);
    let ran = workspace.expect(4, "", &["bench", "--against", "befor"]);
    assert!(ran.stderr.contains("did you mean 'before'?"), "{}", ran.stderr);
}

#[test]
fn baselines_are_listed_and_shown() {
    let workspace = Workspace::new();
    let ran = workspace.expect(0, "", &["baseline", "list"]);
    assert!(ran.stdout.contains("there is no baseline yet"));
    workspace.bless();
    let ran = workspace.expect(0, "", &["baseline", "list"]);
    insta::assert_snapshot!(ran.stdout, @r"
    name   kind       cells  revision  reason
    smoke  committed      3  unknown   for a test
    ");
    let ran = workspace.expect(0, "", &["baseline", "show", "smoke"]);
    assert!(ran.stdout.contains("store_data_requests"), "{}", ran.stdout);
    workspace.expect(4, "", &["baseline", "show", "nothing"]);
}

#[test]
fn two_runs_are_compared() {
    let workspace = Workspace::new();
    workspace.expect(0, "", &["bench"]);
    let base = workspace.latest();
    workspace.expect(0, "query=more-allocations", &["bench"]);
    let ran = workspace.expect(0, "", &["compare", base.to_str().unwrap(), "latest"]);
    let advice = "smoke/query[]: cold alloc_count 10,008 allocations → 20,016 allocations, +100.0 %";
    assert!(ran.stdout.contains(advice), "{}", ran.stdout);
    workspace.expect(5, "query=crash", &["bench"]);
    let ran = workspace.expect(5, "", &["compare", base.to_str().unwrap(), "latest"]);
    assert!(ran.stdout.contains("it failed in the head"), "{}", ran.stdout);
}

#[test]
fn what_a_run_lacks_is_not_passed_over() {
    let workspace = Workspace::new();
    workspace.expect(0, "", &["bench"]);
    let base = workspace.latest();
    workspace.expect(0, "", &["bench"]);
    let path = workspace.latest().join("samples.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    let ends: Vec<usize> = whole.match_indices(r#"{"line":"process""#).map(|(at, _)| at).collect();
    let cut_after = |process: usize| {
        let end = ends[process] + whole[ends[process]..].find('\n').unwrap() + 1;
        std::fs::write(&path, &whole[..end]).unwrap();
    };
    // Every cell ran, one of them in one process only; then one cell alone ran.
    cut_after(ends.len() - 2);
    let ran = workspace.expect(3, "", &["compare", base.to_str().unwrap(), "latest"]);
    assert!(ran.stdout.contains("it was measured in 1 of 2 processes in the head, run "), "{}", ran.stdout);
    workspace.expect(3, "", &["compare", "latest", base.to_str().unwrap()]);
    cut_after(0);
    let ran = workspace.expect(4, "", &["compare", base.to_str().unwrap(), "latest"]);
    assert!(ran.stdout.contains("it was measured in 0 of 2 processes in the head, run "), "{}", ran.stdout);
}

#[test]
fn a_damaged_run_of_another_suite_is_no_matter() {
    let workspace = Workspace::new();
    workspace.expect(0, "", &["bench"]);
    workspace.write("scenarios/suites/small.toml", SMOKE);
    workspace.expect(0, "", &["bench", "small"]);
    let path = workspace.latest().join("samples.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    workspace.expect(0, "", &["baseline", "bless", "smoke", "--reason", "the first"]);
    let ran = workspace.expect(2, "", &["baseline", "bless", "small", "--reason", "the first"]);
    assert!(ran.stderr.contains("cut off"), "{}", ran.stderr);
}

#[test]
fn sides_of_different_suites_are_refused() {
    let workspace = Workspace::new();
    workspace.write("scenarios/suites/small.toml", SMOKE);
    workspace.expect(0, "", &["bench", "smoke"]);
    workspace.expect(0, "", &["baseline", "save", "one"]);
    workspace.expect(0, "", &["bench", "small"]);
    let ran = workspace.expect(4, "", &["compare", "one", "latest"]);
    assert!(ran.stderr.contains("different suites: 'smoke' and 'small'"), "{}", ran.stderr);
}

#[test]
fn blessing_says_what_becomes_better_and_worse() {
    let workspace = Workspace::new();
    workspace.bless();
    workspace.expect(1, "open=extra-request;query=fewer-rows", &["bench"]);
    let ran = workspace.expect(0, "", &["baseline", "bless", "--reason", "one request more, for safety"]);
    let said = ran.stdout.rsplit_once("blessed run").unwrap().0;
    insta::assert_snapshot!(said, @r"
    against the baseline of revision unknown:
      worse: smoke/open[size=small] warm store_data_requests 0 requests → 101 requests, from nothing
      worse: smoke/open[size=tiny] warm store_data_requests 0 requests → 9 requests, from nothing
      worse: smoke/open[size=tiny] cold store_data_requests 8 requests → 9 requests, +12.5 %
      worse: smoke/open[size=small] cold store_data_requests 100 requests → 101 requests, +1.0 %
      better: smoke/query[] cold rows_read 11,520 rows → 11,519 rows, -0.0087 %
      better: smoke/query[] warm rows_read 11,520 rows → 11,519 rows, -0.0087 %
    ");
    let shown = workspace.expect(0, "", &["baseline", "show", "smoke"]).stdout;
    let told: Vec<&str> = shown.lines().take_while(|line| !line.is_empty()).collect();
    assert!(told.contains(&"reason: one request more, for safety"), "{shown}");
    let accepted = told.iter().find(|line| line.starts_with("accepted: ")).unwrap();
    let ending = "one request more, for safety: smoke/open[size=small], smoke/open[size=tiny]";
    assert!(accepted.ends_with(ending), "{accepted}");
}

#[test]
fn a_counter_that_did_not_repeat_gates_again_when_told_to() {
    let workspace = Workspace::new();
    workspace.expect(0, "open=unstable", &["bench"]);
    workspace.expect(0, "", &["baseline", "bless", "--reason", "first"]);
    let values = |workspace: &Workspace| {
        let text = workspace.read("baselines/smoke.json");
        let baseline: serde_json::Value = serde_json::from_str(&text).unwrap();
        let of = |table: &str| baseline[table]["smoke/open[size=tiny]"]["cold"]["rows_read"].clone();
        (of("cells"), of("unstable"))
    };
    let (gating, seen) = values(&workspace);
    assert_eq!((gating, seen.as_array().unwrap().len()), (serde_json::Value::Null, 2));
    let ran = workspace.expect(0, "", &["bench"]);
    assert!(ran.stdout.contains("`baseline bless --gate-again` gates it"), "{}", ran.stdout);
    workspace.expect(0, "", &["baseline", "bless", "--reason", "it happens to repeat"]);
    let (gating, seen) = values(&workspace);
    assert_eq!((gating, seen.as_array().unwrap().len()), (serde_json::Value::Null, 3));
    workspace.expect(0, "", &["baseline", "bless", "--reason", "it was repaired", "--gate-again"]);
    let (gating, seen) = values(&workspace);
    assert!(gating.is_number() && seen.is_null(), "{gating} {seen}");
}

#[test]
fn a_damaged_baseline_is_replaced_and_a_newer_one_is_not() {
    let workspace = Workspace::new();
    workspace.bless();
    let text = workspace.read("baselines/smoke.json");
    workspace.write("baselines/smoke.json", &text.replace("\"format\": 2", "\"format\": 3"));
    let ran = workspace.expect(2, "", &["baseline", "bless", "--reason", "again"]);
    assert!(ran.stderr.contains("newer than 2; use the harness that wrote it"), "{}", ran.stderr);
    workspace.write("baselines/smoke.json", &text[..text.len() / 2]);
    let ran = workspace.expect(0, "", &["baseline", "bless", "--reason", "again"]);
    assert!(
        ran.stdout.contains("what was accepted before, is not known: cannot use the baseline"),
        "{}",
        ran.stdout
    );
}
