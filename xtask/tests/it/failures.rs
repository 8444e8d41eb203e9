//! Engines that misbehave: each failure is recorded for its cell, and the other cells go on.

use std::time::{Duration, Instant};

use crate::workspace::{SMOKE, Workspace, fake_engine};

fn check(script: &str, kind: &str, message: &str) {
    let workspace = Workspace::new();
    let ran = workspace.expect(5, script, &["bench"]);
    assert!(ran.stdout.contains(message), "{script}: {}", ran.stdout);
    let samples = workspace.read_latest("samples.jsonl");
    let failures: Vec<&str> =
        samples.lines().filter(|line| line.starts_with(r#"{"line":"failure""#)).collect();
    assert_eq!(failures.len(), 1, "a failed cell is not repeated: {samples}");
    assert!(failures[0].contains(&format!(r#""kind":"{kind}""#)), "{}", failures[0]);
    let good = samples.lines().filter(|line| line.starts_with(r#"{"line":"process""#)).count();
    assert_eq!(good, 4, "the other cells run in two processes each");
    assert!(!workspace.path("target/pondmark/work").read_dir().unwrap().any(|_| true), "work is removed");
}

#[test]
fn a_crash_shows_standard_error() {
    check("query=crash", "crash", "the engine ended with exit code 101");
    check("query=crash", "crash", "thread 'main' panicked at fake_engine: planned");
    check("query=abort", "crash", "the engine ended with signal 6 (abort)");
}

#[test]
fn garbage_is_a_failure() {
    check("query=garbage", "garbage", r#"a line that is no event: "starting up...""#);
    check("query=cut-line", "garbage", "cut off or too long");
    check("query=chatter", "garbage", r#"spoke after it was done: "bye""#);
}

#[test]
fn an_early_end_is_a_failure() {
    check("query=early-end", "early_end", "the engine ended before it was done, without an error");
}

#[test]
fn a_refusal_is_a_failure() {
    check("query=refuse", "refused", "cannot open the pond");
    check("query=unpreparable", "refused", "prepare: no such size");
}

#[test]
fn samples_are_counted() {
    check("query=short", "sample_count", "2 samples were asked for, but 1 came");
    check("query=wrong-count", "sample_count", "says it sent 3 samples, but 2 came");
}

#[test]
fn unknown_metrics_are_a_failure() {
    check("query=unknown-metric", "unknown_metric", "unknown metric rows_raed");
}

#[test]
fn a_time_of_0_is_a_failure() {
    check("query=no-time", "sample_count", "sample 0 has no wall_ns, or one of 0");
}

#[test]
fn a_wrong_answer_is_a_failure() {
    let expect = "8 rows, digest ffffffffffffffff, expected 8 rows, digest 00000000deadbeef";
    check("query=wrong-answer", "wrong_answer", expect);
}

#[test]
fn a_missing_answer_prints_the_line_to_add() {
    let workspace = Workspace::new();
    let without = SMOKE.replace("\"size=small\" = { rows = 100, digest = \"00000000deadbeef\" }\n", "");
    workspace.write("scenarios/suites/smoke.toml", &without);
    let ran = workspace.expect(5, "", &["bench"]);
    let line = r#""size=small" = { rows = 100, digest = "00000000deadbeef" }"#;
    assert!(ran.stdout.contains(line), "{}", ran.stdout);
}

#[test]
fn a_hang_is_killed_at_the_time_out() {
    let workspace = Workspace::new();
    let short = SMOKE.replace("timeout_s = 20\nwith", "timeout_s = 1\nwith");
    workspace.write("scenarios/suites/smoke.toml", &short);
    let began = Instant::now();
    let ran = workspace.expect(5, "query=hang", &["bench"]);
    assert!(ran.stdout.contains("no end after 1 s; the process was killed"), "{}", ran.stdout);
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn what_a_hanging_engine_has_started_is_killed_as_well() {
    let workspace = Workspace::new();
    let short = SMOKE.replace("timeout_s = 20\nwith", "timeout_s = 1\nwith");
    workspace.write("scenarios/suites/smoke.toml", &short);
    // The engine is a child of what the harness starts, and holds its output.
    let script = format!("#!/bin/sh\n'{}' \"$@\"\nexit\n", fake_engine().display());
    workspace.program("wrapped", &script);
    let mut command = workspace.command(&["bench"]);
    command.env("PONDMARK_ENGINE", workspace.path("wrapped")).env("FAKE_ENGINE", "query=hang");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("no end after 1 s; the process was killed"), "{said}");
}

#[test]
fn an_engine_of_another_protocol_fails_every_cell() {
    let all = |script: &str, expect: &str| {
        let ran = Workspace::new().expect(5, script, &["bench"]);
        assert!(ran.stdout.contains(expect), "{}", ran.stdout);
        assert!(ran.stdout.contains("3 failed (exit code 5)"), "{}", ran.stdout);
    };
    all("*=wrong-protocol", "the engine speaks protocol 4, this harness 3; build both anew");
    all("*=late-hello", "the engine did not greet first");
    all("*=no-hello", "without an error");
    all("*=bad-end", "the engine ended with exit code 7");
}

#[test]
fn failed_runs_are_not_blessed() {
    let workspace = Workspace::new();
    workspace.expect(5, "query=crash", &["bench"]);
    let ran = workspace.expect(2, "", &["baseline", "bless", "--reason", "no"]);
    assert!(ran.stderr.contains("has a failed cell: smoke/query[]"), "{}", ran.stderr);
}
