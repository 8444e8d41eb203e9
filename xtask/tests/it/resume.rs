//! Interrupted runs: what is on disk is readable, and `--resume` runs only what is missing.

use std::time::{Duration, Instant};

use crate::workspace::Workspace;

/// Cuts the record of the latest run in the middle of a line, after so many whole processes.
fn interrupt(workspace: &Workspace, processes: usize) {
    let text = workspace.read_latest("samples.jsonl");
    let mut kept = String::new();
    let mut seen = 0;
    for line in text.lines() {
        if seen == processes {
            kept.push_str(&line[..line.len() / 2]);
            break;
        }
        kept.push_str(line);
        kept.push('\n');
        seen += usize::from(line.starts_with(r#"{"line":"process""#));
    }
    std::fs::write(workspace.latest().join("samples.jsonl"), kept).unwrap();
}

#[test]
fn an_interrupted_run_is_continued() {
    let workspace = Workspace::new();
    workspace.expect(0, "", &["bench"]);
    let run = workspace.latest();
    interrupt(&workspace, 4);
    let ran = workspace.expect(2, "", &["report"]);
    assert!(ran.stderr.contains("the last line is cut off; the run was interrupted"), "{}", ran.stderr);
    let ran = workspace.expect(0, "", &["bench", "--resume"]);
    assert!(ran.stderr.contains("4 processes are done"), "{}", ran.stderr);
    assert_eq!(workspace.latest(), run);
    let text = workspace.read_latest("samples.jsonl");
    assert_eq!(text.lines().filter(|line| line.starts_with(r#"{"line":"process""#)).count(), 6);
    workspace.expect(0, "", &["baseline", "bless", "--reason", "whole again"]);
    workspace.expect(2, "", &["bench", "--resume"]);
}

#[test]
fn an_unfinished_run_is_inconclusive() {
    let workspace = Workspace::new();
    workspace.expect(0, "", &["bench"]);
    let text = workspace.read_latest("samples.jsonl");
    let without_end = &text[..text.trim_end().rfind('\n').unwrap() + 1];
    std::fs::write(workspace.latest().join("samples.jsonl"), without_end).unwrap();
    let ran = workspace.expect(3, "", &["report"]);
    assert!(ran.stdout.contains("the run is not finished; continue it with --resume"), "{}", ran.stdout);
    let ran = workspace.expect(2, "", &["baseline", "bless", "--reason", "no"]);
    assert!(ran.stderr.contains("is not finished"), "{}", ran.stderr);
}

#[test]
fn another_plan_is_not_continued() {
    let workspace = Workspace::new();
    workspace.expect(0, "", &["bench"]);
    interrupt(&workspace, 4);
    workspace.expect(2, "", &["bench", "--resume", "query"]);
    workspace.expect(2, "", &["bench", "--resume", "--tier", "time"]);
}

#[test]
fn an_interrupt_leaves_a_readable_record() {
    let workspace = Workspace::new();
    let mut harness = workspace
        .command(&["bench"])
        .env("FAKE_ENGINE", "query=nap")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    let processes = || -> usize {
        let Ok(name) = std::fs::read_to_string(workspace.path("target/pondmark/runs/latest")) else {
            return 0;
        };
        let path = workspace.path("target/pondmark/runs").join(name.trim()).join("samples.jsonl");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().filter(|line| line.starts_with(r#"{"line":"process""#)).count()
    };
    while processes() < 2 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    let interrupted = std::process::Command::new("kill").args(["-INT", &harness.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    assert!(!harness.wait().unwrap().success());
    let ran = workspace.expect(0, "", &["bench", "--resume"]);
    assert!(ran.stderr.contains("2 processes are done"), "{}", ran.stderr);
}
