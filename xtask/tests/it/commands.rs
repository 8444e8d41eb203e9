//! The commands around the benchmark: doctor, ci, datagen.

use crate::workspace::{SMOKE, Workspace, fake_engine};

#[test]
fn the_doctor_names_what_is_there_and_what_is_missing() {
    let workspace = Workspace::new();
    let ran = workspace.expect(0, "", &["doctor"]);
    let machine = ["processor", "memory", "disk", "load", "steal", "governor"];
    let tools = ["toolchain", "git", "valgrind", "python3"];
    for subject in machine.iter().chain(&tools) {
        assert!(ran.stdout.contains(subject), "{subject}: {}", ran.stdout);
    }
    assert!(ran.stdout.contains("smoke: 3 cells, 0 without an answer, no baseline"), "{}", ran.stdout);
}

#[test]
fn the_doctor_finds_what_is_broken() {
    let workspace = Workspace::new();
    workspace.bless();
    workspace.write("scenarios/suites/smoke.toml", &SMOKE.replace("\"query\"\nabout", "\"ask\"\nabout"));
    workspace.write("scenarios/suites/bad.toml", "about = 1\n");
    let ran = workspace.expect(2, "", &["doctor"]);
    assert!(ran.stdout.contains("smoke/query[] is not in the suite any more"), "{}", ran.stdout);
    assert!(ran.stdout.contains("bad.toml:1: "), "{}", ran.stdout);
    assert!(ran.stdout.contains("3 broken"), "{}", ran.stdout);
}

#[test]
fn ci_runs_steps_to_their_end_and_sums_up() {
    let workspace = Workspace::new();
    workspace.bless();
    let ran = workspace.expect(0, "", &["ci", "bench", "baselines"]);
    assert!(ran.stdout.contains("2 passed, 0 failed, 0 skipped"), "{}", ran.stdout);
    let ran = workspace.expect(1, "open=extra-request", &["ci", "bench", "baselines"]);
    assert!(ran.stdout.contains("FAILED (1)"), "{}", ran.stdout);
    assert!(ran.stdout.contains("1 passed, 1 failed, 0 skipped"), "{}", ran.stdout);
    // There is no Cargo.toml here, so cargo's own steps fail.
    let ran = workspace.expect(5, "open=extra-request", &["ci", "test", "bench"]);
    assert!(ran.stdout.contains("0 passed, 2 failed, 0 skipped"), "{}", ran.stdout);
}

#[test]
fn ci_goes_on_when_a_step_builds_the_harness_anew() {
    // Plays cargo: the tests' build replaces the harness, the other one names the engine.
    let script = r#"#!/bin/sh
case "$1" in
  test) rm "$HARNESS" ;;
  build) echo '{"reason":"compiler-artifact","target":{"name":"pond"},"executable":"'"$ENGINE"'"}' ;;
esac
"#;
    let workspace = Workspace::new();
    workspace.bless();
    workspace.program("cargo", script);
    let harness = workspace.path("xtask");
    std::fs::copy(env!("CARGO_BIN_EXE_xtask"), &harness).unwrap();
    let output = std::process::Command::new(&harness)
        .args(["ci", "test", "bench"])
        .env("PONDMARK_ROOT", workspace.path(""))
        .env("CARGO", workspace.path("cargo"))
        .env("CARGO_TARGET_DIR", workspace.path("target"))
        .env("HARNESS", &harness)
        .env("ENGINE", fake_engine())
        .env_remove("PONDMARK_WORK")
        .env_remove("FAKE_STATE")
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains("2 passed, 0 failed, 0 skipped"), "{stdout}{stderr}");
    assert!(!harness.exists());
}

#[test]
fn ci_checks_workflows_where_the_tool_is_there() {
    let workspace = Workspace::new();
    let run = |code: i32| {
        let output =
            workspace.command(&["ci", "workflows"]).env("PATH", workspace.path("bin")).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = run(0);
    assert!(text.contains("==> workflows: zizmor --offline .github\n"), "{text}");
    assert!(text.contains("skipped: zizmor is missing; install it: pip install zizmor"), "{text}");
    workspace.program("bin/zizmor", "#!/bin/sh\necho \"zizmor $*\"\n");
    let text = run(0);
    assert!(text.contains("zizmor --offline .github\n") && text.contains("1 passed, 0 failed"), "{text}");
    workspace.program("bin/zizmor", "#!/bin/sh\n[ \"$1\" = --version ] && echo 1 && exit 0\nexit 14\n");
    assert!(run(5).contains("FAILED (14)"));
}

#[test]
fn a_generator_that_does_not_build_is_a_failure() {
    let ran = Workspace::new().expect(5, "", &["datagen", "--help"]);
    assert!(ran.stderr.contains("cargo could not build datagen of package datagen"), "{}", ran.stderr);
}
