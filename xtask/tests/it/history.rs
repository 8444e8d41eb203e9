//! Histories: runs added to a folder and to a branch, what is found in them, and what is refused.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::revisions::{git, repository};
use crate::workspace::{Ran, Workspace};

const FILE: &str = "target/pondmark/history/smoke.jsonl";

/// Adds a run, and makes a history of many like it; `wall` gives the factor of each run's times.
fn with_runs(workspace: &Workspace, runs: usize, wall: impl Fn(usize) -> f64) {
    workspace.expect(0, "", &["bench"]);
    workspace.expect(0, "", &["history", "add"]);
    multiply(workspace, FILE, runs, wall);
}

/// Makes a history with one run one of many like it; `wall` gives the factor of each run's times.
pub(crate) fn multiply(workspace: &Workspace, file: &str, runs: usize, wall: impl Fn(usize) -> f64) {
    let first: Value = serde_json::from_str(&workspace.read(file)).unwrap();
    let mut text = String::new();
    for number in 0..runs {
        let mut line = first.clone();
        line["run"] = format!("run-{number:03}").into();
        line["started"] = format!("2026-01-01 00:{:02}:{:02} UTC", number / 60, number % 60).into();
        line["revision"] = format!("{number:07x}").into();
        line["commit"] = format!("{number:040x}").into();
        for cell in line["cells"].as_object_mut().unwrap().values_mut() {
            for phase in cell.as_object_mut().unwrap().values_mut() {
                let before = phase["medians"]["wall_ns"].as_u64().unwrap() as f64;
                // A little noise that does not repeat soon.
                let noise = (number * 7919 % 997) as f64 / 997.0 * 0.01;
                phase["medians"]["wall_ns"] = ((before * (wall(number) + noise)) as u64).into();
            }
        }
        text.push_str(&format!("{line}\n"));
    }
    workspace.write(file, &text);
}

#[test]
fn runs_are_added_once_and_only_if_they_are_finished() {
    let workspace = Workspace::new();
    let ran = workspace.expect(4, "", &["history"]);
    assert!(
        ran.stderr.contains("there is no history in target/pondmark/history; after a run:"),
        "{}",
        ran.stderr
    );
    workspace.expect(0, "", &["bench"]);
    let ran = workspace.expect(0, "", &["history", "add"]);
    assert!(
        ran.stdout.contains("of revision unknown to target/pondmark/history/smoke.jsonl"),
        "{}",
        ran.stdout
    );
    let before = workspace.read(FILE);
    let ran = workspace.expect(0, "", &["history", "add", "latest"]);
    assert!(ran.stdout.contains("is in target/pondmark/history/smoke.jsonl already"), "{}", ran.stdout);
    assert_eq!(workspace.read(FILE), before);
    workspace.expect(5, "open=crash", &["bench"]);
    workspace.expect(0, "", &["history", "add"]);
    let last: Value = serde_json::from_str(workspace.read(FILE).lines().last().unwrap()).unwrap();
    assert_eq!(last["failed"].as_array().unwrap().len(), 2);
    let samples = workspace.latest().join("samples.jsonl");
    let text = std::fs::read_to_string(&samples).unwrap();
    let unfinished: Vec<&str> = text.lines().filter(|line| !line.contains("\"line\":\"end\"")).collect();
    std::fs::write(&samples, unfinished.join("\n") + "\n").unwrap();
    let ran = workspace.expect(2, "", &["history", "add"]);
    assert!(ran.stderr.contains("is not finished; continue it with --resume"), "{}", ran.stderr);
    let ran = workspace.expect(2, "", &["history", "add", "lates"]);
    assert!(ran.stderr.contains("no run, baseline, revision or binary 'lates'"), "{}", ran.stderr);
}

#[test]
fn a_step_is_found_told_and_drawn() {
    let workspace = Workspace::new();
    with_runs(&workspace, 40, |number| if number < 25 { 1.0 } else { 1.1 });
    let ran =
        workspace.expect(0, "", &["history", "smoke/query", "--metric", "wall_ns", "--json", "found.json"]);
    let row = "0000018..0000019  query[]  cold   wall_ns";
    assert!(ran.stdout.contains(row), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("cargo xtask bisect 'smoke/query[]' --good 000000000000 --bad"),
        "{}",
        ran.stdout
    );
    let found: Value = serde_json::from_str(&workspace.read("found.json")).unwrap();
    assert_eq!(found["format"], 1);
    let changed = &found["histories"][0]["changed"];
    assert_eq!(changed.as_array().unwrap().len(), 2);
    assert_eq!(changed[0]["steps"][0]["run"], 25);
    assert_eq!(changed[0]["steps"][0]["meaning"], "worse");
    for ending in ["svg", "png"] {
        let chart = format!("target/pondmark/history/charts/smoke/smoke-query-warm-wall-ns.{ending}");
        assert!(workspace.path(&chart).is_file(), "{chart}");
    }
    // What does not change any more is not drawn any more.
    let ran = workspace.expect(0, "", &["history", "show", "smoke", "--metric", "rows_read"]);
    assert!(ran.stdout.contains("nothing changed"), "{}", ran.stdout);
    assert_eq!(workspace.path("target/pondmark/history/charts/smoke").read_dir().unwrap().count(), 0);
}

#[test]
fn what_is_asked_for_must_be_there() {
    let workspace = Workspace::new();
    with_runs(&workspace, 3, |_| 1.0);
    let check = |arguments: &[&str], expect: &str| {
        let ran = workspace.expect(2, "", &[&["history"], arguments].concat());
        assert!(ran.stderr.contains(expect), "{}", ran.stderr);
    };
    check(&["smok"], "'smok' is no suite with a history in target/pondmark/history");
    check(&["smoke/opem"], "did you mean");
    check(&["--metric", "wal_ns"], "a history has no metric 'wal_ns'; did you mean 'wall_ns'?");
    check(&["--metric", "stage.session.ns"], "a history has no metric 'stage.session.ns'");
    check(&["--folder", "a", "--branch", "b"], "cannot be used with");
    let ran = workspace.expect(0, "", &["history", "open[size=tiny]"]);
    assert!(ran.stdout.contains("not tested, for fewer than 10 runs on"), "{}", ran.stdout);
    workspace.write(FILE, "{\"format\":2}\n");
    check(&[], "smoke.jsonl:1: it has format 2, newer than 1; use the harness that wrote it");
    workspace.write(FILE, "");
    let ran = workspace.expect(4, "", &["history"]);
    assert!(ran.stderr.contains("no history in target/pondmark/history has a run"), "{}", ran.stderr);
}

#[test]
fn a_branch_keeps_histories_and_nothing_else_is_touched() {
    let workspace = repository();
    workspace.write("engine/main.rs", "// not committed");
    git(&workspace, &["add", "engine/main.rs"]);
    let state = || {
        let head = git(&workspace, &["rev-parse", "HEAD"]);
        [head, git(&workspace, &["status", "--porcelain"]), git(&workspace, &["diff", "--cached"])]
    };
    let before = state();
    let ran = workspace.expect(4, "", &["history", "--branch", "numbers"]);
    assert!(ran.stderr.contains("there is no history in branch numbers"), "{}", ran.stderr);
    for added in 1..=2 {
        workspace.expect(0, "", &["bench"]);
        let ran = workspace.expect(0, "", &["history", "add", "--branch", "numbers"]);
        assert!(ran.stdout.contains("to numbers:smoke.jsonl"), "{}", ran.stdout);
        assert_eq!(git(&workspace, &["rev-list", "--count", "numbers"]).trim(), added.to_string());
    }
    let ran = workspace.expect(0, "", &["history", "add", "--branch", "numbers"]);
    assert!(ran.stdout.contains("already"), "{}", ran.stdout);
    assert_eq!(state(), before);
    assert_eq!(git(&workspace, &["ls-tree", "--name-only", "numbers"]), "smoke.jsonl\n");
    assert_eq!(
        git(&workspace, &["log", "-1", "--format=%an %ae %cn", "numbers"]),
        "pondmark pondmark@localhost pondmark\n"
    );
    let text = git(&workspace, &["show", "numbers:smoke.jsonl"]);
    assert_eq!(text.lines().count(), 2);
    let head = git(&workspace, &["rev-parse", "HEAD"]);
    assert!(text.contains(&format!("\"commit\":\"{}\"", head.trim())), "{text}");
    let ran = workspace.expect(0, "", &["history", "--branch", "numbers"]);
    assert!(ran.stdout.starts_with("history of suite smoke: numbers:smoke.jsonl\n2 runs"), "{}", ran.stdout);
    assert!(!workspace.path("smoke.jsonl").exists());
    let left: Vec<_> = workspace.path("target/pondmark/history").read_dir().unwrap().collect();
    assert_eq!(left.len(), 1, "charts alone: {left:?}");
}

#[test]
fn a_branch_with_anything_else_is_refused() {
    let workspace = repository();
    workspace.expect(0, "", &["bench"]);
    let check = |branch: &str, expect: &str| {
        let ran = workspace.expect(2, "", &["history", "add", "--branch", branch]);
        assert!(ran.stderr.contains(expect), "{}", ran.stderr);
    };
    check("main", "branch main is checked out; give one for histories alone");
    git(&workspace, &["branch", "other"]);
    check("other", "branch other has other files, such as .gitignore");
    check("a..b", "'a..b' is no name for a branch");
    let outside = Workspace::new();
    outside.expect(0, "", &["bench"]);
    let ran = outside.expect(2, "", &["history", "add", "--branch", "numbers"]);
    assert!(ran.stderr.contains("there is no git repository here; use --folder"), "{}", ran.stderr);
}

/// A bare repository as a server has it, and runs to add, as another job has measured them.
struct Server {
    origin: TempDir,
    measured: Workspace,
    runs: Vec<String>,
}

impl Server {
    fn new(runs: usize) -> Self {
        let measured = repository();
        let origin = tempfile::tempdir().unwrap();
        let path = origin.path().to_str().unwrap();
        git(&measured, &["clone", "--quiet", "--bare", ".", path]);
        let measure = |_| {
            measured.expect(0, "", &["bench"]);
            measured.latest().to_string_lossy().into_owned()
        };
        let runs = (0..runs).map(measure).collect();
        Self { origin, measured, runs }
    }

    /// Checks out as `actions/checkout` does with `fetch-depth: 0`.
    fn checkout(&self) -> Workspace {
        let workspace = Workspace::new();
        git(&workspace, &["init", "--quiet", "--initial-branch", "main"]);
        git(&workspace, &["remote", "add", "origin", self.origin.path().to_str().unwrap()]);
        fetch(&workspace);
        git(&workspace, &["checkout", "--quiet", "--force", "-B", "main", "refs/remotes/origin/main"]);
        workspace
    }

    fn add(&self, workspace: &Workspace, runs: &[usize]) -> Ran {
        let runs = runs.iter().map(|run| self.runs[*run].as_str());
        let words: Vec<&str> =
            ["history", "add"].into_iter().chain(runs).chain(["--branch", "numbers"]).collect();
        workspace.expect(0, "", &words)
    }

    /// Returns what is on the server's branch: its commits, and the runs of its history.
    fn numbers(&self) -> (String, usize) {
        let read = |arguments: &[&str]| {
            let output =
                Command::new("git").args(arguments).current_dir(self.origin.path()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let commits = read(&["rev-list", "--count", "numbers"]).trim().to_owned();
        (commits, read(&["show", "numbers:smoke.jsonl"]).lines().count())
    }
}

fn fetch(workspace: &Workspace) {
    git(workspace, &["fetch", "--quiet", "--prune", "origin", "+refs/heads/*:refs/remotes/origin/*"]);
}

fn push(workspace: &Workspace) {
    git(workspace, &["push", "--quiet", "origin", "numbers"]);
}

#[test]
fn every_fresh_checkout_adds_to_the_branch_of_its_origin() {
    let server = Server::new(4);
    // The first night makes the branch, the others go on with it.
    for (number, runs) in [vec![0], vec![1, 2], vec![3]].into_iter().enumerate() {
        let workspace = server.checkout();
        let known = git(&workspace, &["branch", "--remotes", "--list", "origin/numbers"]);
        assert_eq!(known.is_empty(), number == 0, "{known}");
        server.add(&workspace, &runs);
        push(&workspace);
        let all = runs.iter().max().unwrap() + 1;
        assert_eq!(server.numbers(), (all.to_string(), all));
    }
    // A job that runs again has nothing to add, and its push does not fail.
    let workspace = server.checkout();
    let ran = server.add(&workspace, &[3]);
    assert!(ran.stdout.contains("is in numbers:smoke.jsonl already"), "{}", ran.stdout);
    push(&workspace);
    assert_eq!(server.numbers(), ("4".to_owned(), 4));
    let workspace = server.checkout();
    let ran = workspace.expect(0, "", &["history", "--branch", "numbers"]);
    assert!(ran.stdout.contains("\n4 runs, from"), "{}", ran.stdout);
    assert!(git(&workspace, &["branch", "--list", "numbers"]).is_empty(), "reading makes no branch");
}

#[test]
fn a_single_branch_that_is_fetched_by_name_goes_on() {
    let server = Server::new(2);
    let workspace = server.checkout();
    server.add(&workspace, &[0]);
    push(&workspace);
    let workspace = Workspace::new();
    git(&workspace, &["init", "--quiet"]);
    git(&workspace, &["remote", "add", "origin", server.origin.path().to_str().unwrap()]);
    git(&workspace, &["fetch", "--quiet", "--depth", "1", "origin", "numbers"]);
    server.add(&workspace, &[1]);
    push(&workspace);
    assert_eq!(server.numbers(), ("2".to_owned(), 2));
}

#[test]
fn a_branch_that_is_behind_its_origin_goes_on_from_there() {
    let server = Server::new(3);
    let (here, there) = (server.checkout(), server.checkout());
    server.add(&here, &[0]);
    push(&here);
    fetch(&there);
    server.add(&there, &[1]);
    push(&there);
    fetch(&here);
    let ran = here.expect(0, "", &["history", "--branch", "numbers"]);
    assert!(ran.stdout.contains("\n2 runs, from"), "{}", ran.stdout);
    server.add(&here, &[2]);
    push(&here);
    assert_eq!(server.numbers(), ("3".to_owned(), 3));
    assert_eq!(git(&here, &["status", "--porcelain"]), "");
}

#[test]
fn branches_that_have_diverged_are_refused_with_the_way_out() {
    let server = Server::new(3);
    let (here, there) = (server.checkout(), server.checkout());
    server.add(&here, &[0]);
    server.add(&there, &[1]);
    push(&there);
    fetch(&here);
    let before = git(&here, &["rev-parse", "numbers"]);
    for arguments in [&["history", "add", &server.runs[2]][..], &["history"]] {
        let ran = here.expect(2, "", &[arguments, &["--branch", "numbers"]].concat());
        assert!(ran.stderr.contains("branches numbers and origin/numbers have diverged"), "{}", ran.stderr);
    }
    assert_eq!(git(&here, &["rev-parse", "numbers"]), before);
    // What the message says.
    git(&here, &["branch", "--force", "numbers", "origin/numbers"]);
    server.add(&here, &[0]);
    push(&here);
    assert_eq!(server.numbers(), ("2".to_owned(), 2));
    assert!(server.measured.path("target/pondmark/runs").is_dir());
}

#[test]
fn two_harnesses_at_once_lose_nothing_on_a_branch() {
    let workspace = repository();
    let mut runs = Vec::new();
    for _ in 0..4 {
        workspace.expect(0, "", &["bench"]);
        runs.push(workspace.latest().to_string_lossy().into_owned());
    }
    let adding: Vec<_> = runs
        .iter()
        .map(|run| workspace.command(&["history", "add", run, "--branch", "numbers"]).spawn().unwrap())
        .collect();
    for mut harness in adding {
        assert!(harness.wait().unwrap().success());
    }
    assert_eq!(git(&workspace, &["show", "numbers:smoke.jsonl"]).lines().count(), 4);
    assert_eq!(git(&workspace, &["rev-list", "--count", "numbers"]).trim(), "4");
}

#[test]
fn an_accepted_regression_is_marked_where_it_was_blessed() {
    let workspace = Workspace::new();
    workspace.bless();
    workspace.expect(0, "", &["history", "add"]);
    workspace.expect(1, "open=extra-request", &["bench"]);
    let reason = "one request more, for safety";
    let ran = workspace.expect(0, "", &["baseline", "bless", "--reason", reason]);
    assert!(ran.stdout.starts_with("against the baseline of revision unknown:\n"), "{}", ran.stdout);
    let line = "  worse: smoke/open[size=tiny] cold store_data_requests 8 requests → 9 requests, +12.5 %\n";
    assert!(ran.stdout.contains(line), "{}", ran.stdout);
    workspace.expect(0, "open=extra-request", &["bench"]);
    workspace.expect(0, "", &["baseline", "bless", "--reason", "the same"]);
    let shown = workspace.expect(0, "", &["baseline", "show", "smoke"]).stdout;
    assert!(shown.contains("reason: the same\n"), "{shown}");
    assert!(shown.contains("  nothing became better or worse\n"), "{shown}");
    let accepted = format!("{reason}: smoke/open[size=small], smoke/open[size=tiny]\n");
    assert!(shown.contains(&accepted) && shown.contains("\naccepted: 2"), "{shown}");
    let runs = std::fs::read_dir(workspace.path("target/pondmark/runs")).unwrap();
    let mut runs: Vec<String> = runs.map(|run| run.unwrap().path().to_string_lossy().into_owned()).collect();
    runs.retain(|run| !run.ends_with("latest"));
    runs.sort_unstable();
    let added: Vec<&str> = ["history", "add"].into_iter().chain(runs.iter().map(String::as_str)).collect();
    workspace.expect(0, "", &added);
    let shown = workspace.expect(0, "", &["history"]).stdout;
    assert!(shown.contains("Regressions that were accepted"), "{shown}");
    assert!(shown.contains(&format!("worse, accepted: {reason}")), "{shown}");
}
