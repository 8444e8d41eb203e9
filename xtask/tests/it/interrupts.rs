//! Harnesses that are stopped: by Ctrl-C, by SIGTERM, by SIGKILL. Nothing is left over, and the run goes on later.

use std::collections::BTreeSet;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::revisions::{bench, commit, engine, git, repository};
use crate::workspace::Workspace;

/// Far more than anything takes here.
const LIMIT: Duration = Duration::from_secs(240);

/// How a harness is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// As a terminal does it: every process of the group gets the signal.
    CtrlC,
    Term,
    /// The harness alone, which can do nothing about it.
    Kill,
}

const STOPS: [Stop; 3] = [Stop::CtrlC, Stop::Term, Stop::Kill];

/// Starts a harness that leads a process group, as a shell starts it.
fn start(workspace: &Workspace, script: &str, arguments: &[&str]) -> Child {
    let mut command = workspace.command(arguments);
    if script.is_empty() {
        command.env_remove("PONDMARK_ENGINE");
    } else {
        command.env("FAKE_ENGINE", script);
    }
    command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Stops a harness and checks how it ends, and that soon nothing of it runs any more.
fn stop(workspace: &Workspace, mut harness: Child, stop: Stop) {
    let id = harness.id();
    let (signal, whom) = match stop {
        Stop::CtrlC => ("-INT", format!("-{id}")),
        Stop::Term => ("-TERM", id.to_string()),
        Stop::Kill => ("-KILL", id.to_string()),
    };
    assert!(Command::new("kill").args([signal, "--", &whom]).status().unwrap().success());
    let status: ExitStatus = harness.wait().unwrap();
    match stop {
        Stop::CtrlC => assert_eq!(status.code(), Some(130)),
        Stop::Term => assert_eq!(status.code(), Some(143)),
        Stop::Kill => assert_eq!(status.signal(), Some(9)),
    }
    wait_for("what the harness has started to end", || processes_in(workspace).is_empty());
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Lists the commands of processes that work in a workspace, or whose program lies there.
fn processes_in(workspace: &Workspace) -> Vec<String> {
    let root = workspace.path("");
    let of = |process: &Path| {
        let is_inside =
            |link: &str| std::fs::read_link(process.join(link)).is_ok_and(|path| path.starts_with(&root));
        if !is_inside("cwd") && !is_inside("exe") {
            return None;
        }
        let words = std::fs::read(process.join("cmdline")).ok().filter(|words| !words.is_empty())?;
        Some(String::from_utf8_lossy(&words).replace('\0', " "))
    };
    std::fs::read_dir("/proc").unwrap().filter_map(|entry| of(&entry.unwrap().path())).collect()
}

/// Returns the record of the only run; empty if there is none yet.
fn record(workspace: &Workspace) -> String {
    let Ok(name) = std::fs::read_to_string(workspace.path("target/pondmark/runs/latest")) else {
        return String::new();
    };
    let run = workspace.path("target/pondmark/runs").join(name.trim());
    std::fs::read_to_string(run.join("samples.jsonl")).unwrap_or_default()
}

/// Lists the processes in a record, by cell, side and number.
fn processes(record: &str) -> Vec<String> {
    let lines = record.lines().filter(|line| line.starts_with(r#"{"line":"process""#));
    lines.map(|line| line[..line.find(r#","elapsed_ms""#).unwrap()].to_owned()).collect()
}

/// Requires that every line is whole, that nothing failed, and that nothing ran twice.
fn check_record(record: &str, sides_in_pairs: bool) {
    assert!(record.ends_with('\n'), "{record}");
    assert!(!record.contains(r#"{"line":"failure""#), "an interrupt is no failure: {record}");
    let all = processes(record);
    let different: BTreeSet<&String> = all.iter().collect();
    assert_eq!(all.len(), different.len(), "{all:#?}");
    if sides_in_pairs {
        assert_eq!(all.len() % 2, 0, "{all:#?}");
    }
    let samples = record.lines().filter(|line| line.starts_with(r#"{"line":"sample""#));
    let of: BTreeSet<&str> = samples.map(|line| &line[..line.find(r#","metrics""#).unwrap()]).collect();
    let count = record.lines().filter(|line| line.starts_with(r#"{"line":"sample""#)).count();
    assert_eq!(of.len(), count, "no execution is there twice");
}

/// The working tree is faster, and takes some time.
fn slow_repository() -> Workspace {
    let workspace = repository();
    let slow = |wall_us| {
        let pause = "std::thread::sleep(std::time::Duration::from_millis(15)); let phase";
        engine(wall_us, 8).replace("let phase", pause)
    };
    workspace.write("engine/main.rs", &slow(100_000));
    commit(&workspace);
    workspace.write("engine/main.rs", &slow(90_000));
    workspace
}

fn check_tidy(workspace: &Workspace) {
    let listed = git(workspace, &["worktree", "list"]);
    assert_eq!(listed.lines().count(), 1, "{listed}");
    assert!(!workspace.path("target/pondmark/engines/worktree").exists());
    assert!(!workspace.path("target/release/pond-of-the-workspace").exists());
}

#[test]
fn a_stopped_comparison_is_continued() {
    let workspace = slow_repository();
    for (place, how) in STOPS.into_iter().enumerate() {
        let arguments = ["bench", "--against", "HEAD", "--resume"];
        let harness = start(&workspace, "", &arguments[..if place == 0 { 3 } else { 4 }]);
        wait_for("processes in the record", || processes(&record(&workspace)).len() >= 8 * (place + 1));
        stop(&workspace, harness, how);
        check_record(&record(&workspace), true);
        check_tidy(&workspace);
    }
    let ran = bench(&workspace, 0, &["HEAD", "--resume"]);
    assert!(ran.stderr.contains("processes are done"), "{}", ran.stderr);
    assert!(ran.stdout.contains("IMPROVED smoke/open"), "{}", ran.stdout);
    let record = record(&workspace);
    check_record(&record, true);
    assert!(record.lines().last().unwrap().starts_with(r#"{"line":"end""#));
    let runs = std::fs::read_dir(workspace.path("target/pondmark/runs")).unwrap();
    assert_eq!(runs.count(), 2, "one run, and the name of the latest");
}

#[test]
fn a_stopped_build_leaves_nothing() {
    let workspace = slow_repository();
    workspace.write("target/release/pond", "the user's own");
    let manifest = workspace.read("engine/Cargo.toml");
    let is_building =
        || processes_in(&workspace).iter().any(|command| command.contains("build-script-build"));
    for how in STOPS {
        // Cargo, and what cargo has started, would go on for long.
        workspace.write(
            "engine/build.rs",
            "fn main() { std::thread::sleep(std::time::Duration::from_secs(900)) }",
        );
        workspace.write("engine/Cargo.toml", &manifest.replace("edition", "build = \"build.rs\"\nedition"));
        let harness = start(&workspace, "", &["bench", "--against", "HEAD"]);
        wait_for("the build to begin", is_building);
        stop(&workspace, harness, how);
        if how != Stop::Kill {
            check_tidy(&workspace);
            assert_eq!(workspace.read("target/release/pond"), "the user's own");
        }
        assert_eq!(record(&workspace), "", "{how:?}");
    }
    // The next one cleans up after the one that was killed.
    assert!(workspace.path("target/pondmark/engines/worktree").exists());
    std::fs::remove_file(workspace.path("engine/build.rs")).unwrap();
    workspace.write("engine/Cargo.toml", &manifest);
    bench(&workspace, 0, &["HEAD", "--tier", "exact"]);
    check_tidy(&workspace);
    assert_eq!(workspace.read("target/release/pond"), "the user's own");
}

#[test]
fn a_stopped_search_goes_on() {
    let workspace = slow_repository();
    let good = git(&workspace, &["rev-parse", "HEAD"]);
    let text = workspace.read("engine/main.rs");
    for (step, requests) in [8, 9].into_iter().enumerate() {
        let requests = format!("\"store_data_requests\":{requests}");
        let text = text.replace("\"store_data_requests\":8", &requests);
        workspace.write("engine/main.rs", &format!("{text}// step {step}\n"));
        commit(&workspace);
    }
    let arguments = ["bisect", "open", "--good", good.trim(), "--exact"];
    for how in STOPS {
        let before = record(&workspace);
        let harness = start(&workspace, "", &arguments);
        wait_for("a record", || {
            let now = record(&workspace);
            now != before && !processes(&now).is_empty()
        });
        stop(&workspace, harness, how);
        check_tidy(&workspace);
    }
    let output = workspace.command(&arguments).env_remove("PONDMARK_ENGINE").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("smoke/open[] became worse (store_data_requests) with "), "{text}");
}

/// The suites that the cells of the self-test are of.
const SUITES: [(&str, &str); 2] = [
    ("smoke", include_str!("../../../scenarios/suites/smoke.toml")),
    ("small", include_str!("../../../scenarios/suites/small.toml")),
];

/// An engine with plants that counters tell, and the suites of the self-test with its answers.
fn repository_with_plants() -> Workspace {
    let workspace = slow_repository();
    let told = r#"
            let plant = std::env::var("POND_PLANT").unwrap_or_default();
            let footers = 8 + u8::from(plant == "footers");
            let misses = u8::from(plant == "misses");
            let wall_ns"#;
    let counters = r#""footers_read":{footers},"cache.plan.misses":{misses},"store_data"#;
    let engine = workspace.read("engine/main.rs");
    let engine = engine.replace("let wall_ns", told).replace("\"store_data", counters);
    workspace.write("engine/main.rs", &engine);
    let manifest = workspace.read("engine/Cargo.toml");
    workspace.write("engine/Cargo.toml", &format!("{manifest}\n[features]\nplants = []\n"));
    for (suite, text) in SUITES {
        let lines = text.lines().map(|line| match line.split_once(" = { rows = ") {
            Some((point, _)) => format!("{point} = {{ rows = 8, digest = \"00000000deadbeef\" }}"),
            None => line.to_owned(),
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        workspace.write(&format!("scenarios/suites/{suite}.toml"), &text);
    }
    commit(&workspace);
    workspace
}

#[test]
fn a_stopped_self_test_goes_on() {
    let workspace = repository_with_plants();
    let arguments = ["selftest", "--quick", "each footer", "caches", "--resume"];
    let record = |experiment: &str| {
        let all = workspace.path("target/pondmark/selftest/quick");
        let mut folders = std::fs::read_dir(all).into_iter().flatten().map(|entry| entry.unwrap().path());
        let folder = folders.next()?;
        assert_eq!(folders.next(), None, "it goes on in the same folder");
        std::fs::read_to_string(folder.join(experiment).join("samples.jsonl")).ok()
    };
    let mut finished = None;
    for (place, how) in STOPS.into_iter().enumerate() {
        let before = record("caches-that-always-miss-1");
        let harness = start(&workspace, "", &arguments[..if place == 0 { 4 } else { 5 }]);
        wait_for("the second experiment to be measured", || {
            let now = record("caches-that-always-miss-1");
            now != before && now.is_some_and(|text| !processes(&text).is_empty())
        });
        stop(&workspace, harness, how);
        check_tidy(&workspace);
        let first = record("each-footer-read-twice-1").unwrap();
        check_record(&first, true);
        assert!(first.lines().last().unwrap().starts_with(r#"{"line":"end""#));
        assert_eq!(*finished.get_or_insert_with(|| first.clone()), first, "it is not measured again");
        check_record(&record("caches-that-always-miss-1").unwrap(), true);
    }
    let output = workspace.command(&arguments).env_remove("PONDMARK_ENGINE").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("named footers_read"), "{text}");
    assert!(text.contains("named cache.plan.misses"), "{text}");
    assert_eq!(record("each-footer-read-twice-1"), finished);
    assert!(!workspace.path("target/pondmark/work").read_dir().unwrap().any(|_| true), "work is removed");

    // What other engines were measured to do says nothing of this one.
    let engine = workspace.read("engine/main.rs");
    workspace.write("engine/main.rs", &engine.replace("footers = 8", "footers = 9"));
    let output = workspace.command(&arguments).env_remove("PONDMARK_ENGINE").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("the latest self-test was of other engines"), "{text}");
}

#[test]
fn an_engine_that_hangs_is_ended_and_not_called_a_failure() {
    for how in [Stop::CtrlC, Stop::Term] {
        let workspace = Workspace::new();
        let harness = start(&workspace, "query=hang", &["bench"]);
        wait_for("an engine that hangs", || processes(&record(&workspace)).len() == 2);
        stop(&workspace, harness, how);
        check_record(&record(&workspace), false);
        assert!(!workspace.path("target/pondmark/work").read_dir().unwrap().any(|_| true), "work is removed");
        workspace.expect(0, "", &["bench", "--resume"]);
        let record = record(&workspace);
        check_record(&record, false);
        assert_eq!(processes(&record).len(), 6);
    }
}

/// A perf that may sample, and records until it is stopped.
const PERF: &str = r#"#!/bin/sh
case "$*" in
    --version) echo perf version 6.1 ;;
    *only-execute*) : > recording; sleep 900 ;;
esac
"#;

#[test]
fn a_stopped_profile_leaves_nothing() {
    let workspace = Workspace::new();
    workspace.program("tools/perf", PERF);
    let path = format!("{}:{}", workspace.path("tools").display(), std::env::var("PATH").unwrap());
    for how in [Stop::CtrlC, Stop::Term] {
        let mut command = workspace.command(&["profile", "smoke/open[size=tiny]"]);
        command.env("PATH", &path).process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
        let harness = command.spawn().unwrap();
        wait_for("perf to record", || workspace.path("recording").exists());
        stop(&workspace, harness, how);
        assert!(!workspace.path("target/pondmark/work").read_dir().unwrap().any(|_| true), "work is removed");
        std::fs::remove_file(workspace.path("recording")).unwrap();
    }
}

#[test]
fn a_run_that_goes_on_is_not_continued_by_another() {
    let workspace = Workspace::new();
    let harness = start(&workspace, "query=hang", &["bench"]);
    wait_for("processes in the record", || processes(&record(&workspace)).len() == 2);
    let ran = workspace.expect(2, "", &["bench", "--resume"]);
    assert!(ran.stderr.contains("still goes on in another harness"), "{}", ran.stderr);
    stop(&workspace, harness, Stop::Term);
}

#[test]
fn half_a_process_and_half_a_pair_run_again() {
    let workspace = slow_repository();
    bench(&workspace, 0, &["HEAD"]);
    let whole = workspace.read_latest("samples.jsonl");
    let path = workspace.latest().join("samples.jsonl");
    let ends: Vec<usize> = whole.match_indices('\n').map(|(at, _)| at + 1).collect();
    let at_line = |text: &str| whole.find(text).unwrap();
    // Inside the samples of a process, and between the two processes of a pair.
    let process = at_line(r#"{"line":"process""#);
    let between = *ends.iter().find(|end| **end > process).unwrap();
    for cut in [*ends.iter().rfind(|end| **end < process).unwrap(), between, between + 5] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let ran = workspace.command(&["report"]).output().unwrap();
        let text = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(2), "{text}");
        assert!(text.contains("continue it with --resume"), "{text}");
        let ran = bench(&workspace, 0, &["HEAD", "--resume"]);
        assert!(ran.stderr.contains(": 0 processes are done"), "{}", ran.stderr);
        check_record(&workspace.read_latest("samples.jsonl"), true);
    }
}
