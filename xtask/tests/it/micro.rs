//! Benchmarks of cargo as cells: read, compared, and said to be missing where a tool is.

use std::collections::BTreeSet;
use std::path::Path;

use scenarios::{Suite, Workload};

use crate::workspace::{Ran, Workspace};

const MICRO: &str = r#"
about = "benchmarks for tests"

[[scenario]]
name = "export"
about = "counted"
workload = "callgrind"
with = { bench = "pipeline", function = "export" }
axes = [{ name = "case", values = ["split"] }]

[[scenario]]
name = "rows"
about = "timed"
workload = "criterion"
with = { bench = "rows", function = "rows" }
axes = [{ name = "case", values = ["odd"] }]
"#;

/// Plays cargo: it leaves the files that the tools would leave, with as many instructions as `$INSTRUCTIONS`.
const CARGO: &str = r#"#!/bin/sh
case "$*" in
  *"--bench pipeline"*)
    folder="$GUNGRAUN_HOME/engine/pipeline/pipeline/export.split"
    mkdir -p "$folder"
    printf '{"function_name":"export","id":"split","profiles":[{"tool":"Callgrind","data":{"total":{"metrics":{"Ir":{"values":{"new":%s}}}}}}]}' "$INSTRUCTIONS" > "$folder/summary.json"
    ;;
  *"--bench rows"*)
    mkdir -p "$CRITERION_HOME/rows/odd/new"
    printf '{"median":{"point_estimate":5000000.0}}' > "$CRITERION_HOME/rows/odd/new/estimates.json"
    ;;
  *) exit 1 ;;
esac
"#;

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("scenarios/suites/micro.toml", MICRO);
    workspace.write("Cargo.lock", "[[package]]\nname = \"gungraun\"\nversion = \"0.20.0\"\n");
    workspace.program("bin/cargo", CARGO);
    workspace.program("target/tools/bin/gungraun-runner", "#!/bin/sh\necho gungraun-runner 0.20.0\n");
    workspace
}

/// Runs the suite with the played cargo.
fn bench(workspace: &Workspace, instructions: u32) -> Ran {
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", workspace.path("bin").display());
    let output = workspace
        .command(&["bench", "micro"])
        .env("PATH", path)
        .env("CARGO", workspace.path("bin/cargo"))
        .env("INSTRUCTIONS", instructions.to_string())
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn instructions_gate_with_their_bound() {
    let workspace = workspace();
    workspace.program("bin/valgrind", "#!/bin/sh\necho valgrind-3.19.0\n");
    let ran = bench(&workspace, 1_000_000);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("1,000,000 instructions"), "{}", ran.stdout);
    workspace.expect(0, "", &["baseline", "bless", "micro", "--reason", "for a test"]);
    workspace.expect(0, "", &["baseline", "check"]);
    let check = |instructions, code, part: &str| {
        let ran = bench(&workspace, instructions);
        assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(part), "{}", ran.stdout);
    };
    check(1_019_000, 0, "PASS: micro: 1 unchanged, 1 not compared");
    check(1_021_000, 1, "1,000,000 instructions → 1,021,000 instructions, +2.1 %; 2 % is the bound");
    check(900_000, 0, "PASS: micro: 1 improved, 1 not compared");
}

#[test]
fn instructions_of_another_processor_are_not_compared() {
    let workspace = workspace();
    workspace.program("bin/valgrind", "#!/bin/sh\necho valgrind-3.19.0\n");
    assert_eq!(bench(&workspace, 1_000_000).code, 0);
    workspace.expect(0, "", &["baseline", "bless", "micro", "--reason", "for a test"]);
    let mut baseline: serde_json::Value =
        serde_json::from_str(&workspace.read("baselines/micro.json")).unwrap();
    baseline["machine"]["cpu"] = "another".into();
    workspace.write("baselines/micro.json", &baseline.to_string());
    let ran = bench(&workspace, 2_000_000);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert!(
        ran.stdout.contains("instructions not compared: those of the base are of another"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("PASS: micro: 2 not compared"), "{}", ran.stdout);
}

#[test]
fn without_valgrind_the_rest_is_measured_and_the_report_says_so() {
    let workspace = workspace();
    workspace.program("bin/valgrind", "#!/bin/sh\nexit 1\n");
    let ran = bench(&workspace, 1);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("1 cells did not run: valgrind is not there; install it"), "{}", ran.stdout);
    assert!(ran.stdout.contains("5.00 ms"), "{}", ran.stdout);
    let ran = workspace.expect(2, "", &["baseline", "bless", "micro", "--reason", "for a test"]);
    assert!(ran.stderr.contains("did not run"), "{}", ran.stderr);
}

#[test]
fn they_are_not_measured_in_pairs() {
    let workspace = workspace();
    let ran = workspace.expect(2, "", &["bench", "micro", "--against", "HEAD"]);
    assert!(ran.stderr.contains("cargo xtask compare A B"), "{}", ran.stderr);
}

/// Finds the benchmarks of a file of gungraun: functions and cases.
fn written(bench: &str) -> BTreeSet<(String, Option<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../engine/benches/{bench}.rs"));
    let (mut found, mut cases, mut is_bench) = (BTreeSet::new(), Vec::new(), false);
    for line in std::fs::read_to_string(path).unwrap().lines() {
        if line.starts_with("#[library_benchmark") || line.starts_with("#[binary_benchmark") {
            is_bench = true;
        } else if let Some(case) = line.strip_prefix("#[bench::") {
            cases.push(case.split(['(', ']']).next().unwrap().to_owned());
        } else if let Some(function) = line.strip_prefix("fn ").filter(|_| is_bench) {
            let function = function.split('(').next().unwrap();
            let taken = std::mem::take(&mut cases);
            if taken.is_empty() {
                found.insert((function.to_owned(), None));
            }
            found.extend(taken.into_iter().map(|case| (function.to_owned(), Some(case))));
            is_bench = false;
        }
    }
    found
}

#[test]
fn the_suite_has_every_benchmark_of_the_engine() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/suites/micro.toml");
    let cells = Suite::read(&path).unwrap().cells();
    for bench in ["patterns", "pipeline", "exports"] {
        let of_file = cells
            .iter()
            .filter(|cell| cell.workload == Workload::Callgrind && cell.parameter("bench") == Some(bench));
        let listed: BTreeSet<_> = of_file
            .map(|cell| {
                let function = cell.parameter("function").unwrap().to_owned();
                (function, cell.parameter("case").map(str::to_owned))
            })
            .collect();
        let written = written(bench);
        assert!(!written.is_empty(), "{bench}");
        assert_eq!(listed, written, "{bench}");
    }
}
