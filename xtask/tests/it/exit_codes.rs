//! Every exit code, and that silence is never success.

use crate::workspace::{SMOKE, Workspace};

#[test]
fn pass_is_0() {
    let workspace = Workspace::new();
    let ran = workspace.expect(0, "", &["bench"]);
    assert!(ran.stdout.contains("nothing was compared: suite 'smoke' has no baseline"), "{}", ran.stdout);
    assert!(ran.stdout.contains("PASS, nothing compared: smoke: 3 not compared (exit code 0)"));
    workspace.expect(0, "", &["baseline", "bless", "--reason", "for a test"]);
    let ran = workspace.expect(0, "", &["bench"]);
    assert!(ran.stdout.ends_with("PASS: smoke: 3 unchanged (exit code 0)\n"), "{}", ran.stdout);
}

#[test]
fn a_regression_is_1() {
    let workspace = Workspace::new();
    workspace.bless();
    workspace.expect(1, "open=extra-request", &["bench"]);
    workspace.expect(1, "open=extra-request", &["bench", "--tier", "exact"]);
}

#[test]
fn an_improvement_is_0_and_asks_to_be_blessed() {
    let workspace = Workspace::new();
    workspace.bless();
    let ran = workspace.expect(0, "open=fewer-rows", &["bench"]);
    assert!(ran.stdout.contains("if this is right, bless it: cargo xtask baseline bless --reason"));
    assert!(ran.stdout.ends_with("PASS: smoke: 2 improved, 1 unchanged (exit code 0)\n"));
}

#[test]
fn usage_and_configuration_are_2() {
    let workspace = Workspace::new();
    let check = |arguments: &[&str], expect: &str| {
        let ran = workspace.expect(2, "", arguments);
        assert!(ran.stderr.contains(expect), "{arguments:?}: {}", ran.stderr);
    };
    check(&["bnech"], "unrecognized subcommand");
    check(&["bench", "--budget", "5"], "write it as 90s, 5m or 1h30m");
    check(&["bench", "qeury"], "did you mean 'query'?");
    check(&["bench", "smok"], "'smok' is no suite and matches no cell of smoke; did you mean 'smoke'?");
    check(&["bench", "open[size=huge]"], "matches no cell");
    check(&["bench", "--resume"], "no unfinished run of suite 'smoke'");
    check(&["bench", "--engine", "/nowhere"], "no engine at /nowhere");
    check(&["compare", "one", "two"], "no run, baseline, revision or binary 'one'");
    check(&["report"], "there is no run yet");
    check(&["baseline", "save", "mine"], "there is no run; make one");
    check(&["ci", "clipy"], "did you mean 'clippy'?");
    workspace.write("scenarios/suites/empty.toml", "about = \"nothing\"\nscenario = []\n");
    check(&["bench", "empty"], "the suite has no scenario");
    workspace.write("scenarios/suites/typo.toml", &SMOKE.replace("warm = 2", "wram = 2"));
    check(&["bench", "typo"], "typo.toml:8: unknown key 'wram' in scenario; did you mean 'warm'?");
}

#[test]
fn without_arguments_there_is_help() {
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_xtask")).env_remove("PONDMARK_ROOT").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let help = String::from_utf8(output.stderr).unwrap();
    assert!(help.contains("Usage: cargo xtask"), "{help}");
    assert!(help.contains("Exit codes:"), "{help}");
}

#[test]
fn a_counter_that_does_not_repeat_is_3() {
    let workspace = Workspace::new();
    workspace.bless();
    let ran = workspace.expect(3, "query=unstable", &["bench"]);
    assert!(
        ran.stdout.contains("inconclusive: cold rows_read was 11,520, does not repeat now:"),
        "{}",
        ran.stdout
    );
    let ran = workspace.expect(0, "query=unstable", &["bench", "--allow-inconclusive"]);
    assert!(ran.stdout.contains("INCONCLUSIVE: smoke: 1 inconclusive"), "{}", ran.stdout);
    assert!(ran.stderr.contains("inconclusive, which is allowed: the command ends with 0"), "{}", ran.stderr);
    // Nothing else is allowed by it.
    workspace.expect(1, "query=unstable;open=extra-request", &["bench", "--allow-inconclusive"]);
}

#[test]
fn without_a_baseline_such_a_counter_is_named() {
    let ran = Workspace::new().expect(0, "query=unstable", &["bench"]);
    assert!(ran.stdout.contains("smoke/query[]: cold rows_read does not repeat:"), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_compared_is_4() {
    let workspace = Workspace::new();
    let ran = workspace.expect(4, "", &["bench", "--against", "smoke"]);
    assert!(ran.stderr.contains("no run, baseline, revision or binary 'smoke'"), "{}", ran.stderr);
    workspace.bless();
    let ran = workspace.expect(4, "open=lost-metric", &["bench"]);
    assert!(ran.stdout.contains("cold rows_read was 144,000, is missing now"), "{}", ran.stdout);
    workspace.write("scenarios/suites/smoke.toml", &SMOKE.replace("\"query\"\nabout", "\"ask\"\nabout"));
    let ran = workspace.expect(4, "", &["bench"]);
    assert!(ran.stdout.contains("INCOMPARABLE smoke/ask[]"), "{}", ran.stdout);
    assert!(ran.stdout.contains("INCOMPARABLE smoke/query[]"), "{}", ran.stdout);
    workspace.expect(4, "", &["baseline", "check"]);
}

#[test]
fn a_baseline_of_another_architecture_is_4() {
    let workspace = Workspace::new();
    workspace.bless();
    let text = workspace.read("baselines/smoke.json");
    let arch = format!("\"arch\": \"{}\"", std::env::consts::ARCH);
    workspace.write("baselines/smoke.json", &text.replace(&arch, "\"arch\": \"vax\""));
    let ran = workspace.expect(4, "", &["bench"]);
    assert!(ran.stdout.contains("the base is of vax"), "{}", ran.stdout);
}

#[test]
fn a_damaged_baseline_never_passes() {
    let workspace = Workspace::new();
    workspace.bless();
    let text = workspace.read("baselines/smoke.json");
    let check = |text: &str, expect: &str| {
        workspace.write("baselines/smoke.json", text);
        let ran = workspace.expect(2, "", &["bench", "query"]);
        assert!(ran.stderr.contains(expect), "{}", ran.stderr);
        let ran = workspace.expect(4, "", &["baseline", "check"]);
        assert!(ran.stdout.contains(expect), "{}", ran.stdout);
    };
    check(&text[..text.len() / 2], "no whole JSON document");
    check(&text.replace("\"format\": 2", "\"format\": 9"), "format 9, newer than 2");
    check(&text.replace("\"plans_built\": 1", "\"plans_built\": NaN"), "no whole JSON document");
}

#[test]
fn a_failed_cell_is_5_and_comes_before_a_regression() {
    let workspace = Workspace::new();
    workspace.bless();
    let ran = workspace.expect(5, "query=crash;open=extra-request", &["bench"]);
    assert!(ran.stdout.ends_with("FAILED: smoke: 1 failed, 2 regressed (exit code 5)\n"), "{}", ran.stdout);
}
