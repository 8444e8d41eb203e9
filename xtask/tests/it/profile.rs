//! Profiles of a scripted engine. Where perf cannot sample, what is said of that is tested.

use crate::beside::old_engine;
use crate::workspace::{Ran, Workspace};

const CELL: &str = "smoke/open[size=tiny]";

/// Profiles the cell; nothing if perf cannot sample here, which must have been said with what helps.
fn profile(workspace: &Workspace, script: &str, more: &[&str]) -> Option<Ran> {
    let ran = workspace.run_with(script, &[&["profile", CELL, "--seconds", "1"], more].concat());
    if ran.code == 2 {
        assert!(ran.stderr.starts_with("error: perf "), "{}", ran.stderr);
        assert!(ran.stderr.contains("apt install") || ran.stderr.contains("sysctl"), "{}", ran.stderr);
        return None;
    }
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    Some(ran)
}

#[test]
fn a_profile_holds_what_is_measured_alone() {
    let workspace = Workspace::new();
    let Some(ran) = profile(&workspace, "open=burn", &[]) else { return };
    assert!(ran.stdout.contains("fake_engine::cell::workload::burn"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("check_answer"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("again: cargo xtask profile 'smoke/open[size=tiny]' --seconds 1"),
        "{}",
        ran.stdout
    );
    let folder = "target/pondmark/profiles/smoke-open-size-tiny";
    let folded = workspace.read(&format!("{folder}/head.folded"));
    assert!(folded.lines().all(|line| line.starts_with("measured")), "{folded}");
    assert!(workspace.read(&format!("{folder}/head.svg")).contains("smoke/open[size=tiny]"));
    // What was sampled is large, and goes.
    assert!(!workspace.path("target/pondmark/work").join("perf.data").exists());
}

#[test]
fn a_difference_names_what_grew() {
    let workspace = Workspace::new();
    let old = old_engine(&workspace);
    let script = "open=burn;open@fake_engine=burn-more";
    let Some(ran) = profile(&workspace, script, &["--against", &old]) else { return };
    let grown = ran.stdout.split("own time grew").nth(1).unwrap_or_else(|| panic!("{}", ran.stdout));
    assert!(grown.contains("fake_engine::cell::workload::burn_more"), "{}", ran.stdout);
    assert!(!grown.contains("check_answer"), "{}", ran.stdout);
    let folder = "target/pondmark/profiles/smoke-open-size-tiny";
    for name in ["head.svg", "base.svg", "difference.svg", "head.folded"] {
        assert!(workspace.path(&format!("{folder}/{name}")).is_file(), "{name}");
    }
}

#[test]
fn without_perf_the_package_is_named() {
    let workspace = Workspace::new();
    let output = workspace.command(&["profile", CELL]).env("PATH", workspace.path("")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: perf cannot be started"), "{said}");
    assert!(said.contains("apt install linux-perf"), "{said}");
}

#[test]
fn a_baseline_cannot_be_profiled() {
    let workspace = Workspace::new();
    workspace.bless();
    let ran = workspace.expect(2, "", &["bench", "smoke", "--against", "smoke", "--profile"]);
    assert!(ran.stderr.contains("'smoke' is a baseline, which cannot be profiled"), "{}", ran.stderr);
}

#[test]
fn a_cell_that_fails_has_no_profile() {
    let workspace = Workspace::new();
    let ran = workspace.run_with("open=crash", &["profile", CELL, "--seconds", "1"]);
    if ran.code == 2 {
        assert!(ran.stderr.starts_with("error: perf "), "{}", ran.stderr);
        return;
    }
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("the engine ended with exit code 101"), "{}", ran.stderr);
}

#[test]
fn a_regression_is_drawn_if_that_is_asked_for() {
    let workspace = Workspace::new();
    let old = old_engine(&workspace);
    let arguments = ["bench", "smoke", "size=tiny", "--against", &old, "--tier", "exact", "--profile"];
    // Without perf the run goes on.
    let script = "open@fake_engine=extra-request";
    let path = workspace.path("bin");
    std::fs::create_dir(&path).unwrap();
    let output = workspace.command(&arguments).env("FAKE_ENGINE", script).env("PATH", path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("regressed cells will not be drawn: perf cannot be started"), "{said}");
    let ran = workspace.expect(1, script, &arguments);
    assert!(ran.stdout.contains("to draw where: cargo xtask profile 'smoke/open[size=tiny]' --against "));
    let file = "profiles/smoke-open-size-tiny/difference.svg";
    let told = [&ran.stdout, &workspace.read_latest("report.md"), &workspace.read_latest("report.json")];
    let drawn = workspace.latest().join(file).is_file();
    assert!(drawn || ran.stderr.contains("drawn: "), "{}", ran.stderr);
    for text in told {
        assert_eq!(text.contains(file), drawn, "{text}");
    }
}
