//! The comparison with peers: scripted peers and a scripted engine, and the real checker on files with known content.

use std::path::Path;
use std::process::Command;

use crate::workspace::{Ran, Workspace};

/// A Python that measures nothing. `FAKE_PEERS` holds lines `PATTERN) COMMANDS;;` of a shell's `case`: the pattern is
/// of "MODULE TASK MODE", the commands come before the measured lines, or instead of the checker's verdict.
const FAKE_PYTHON: &str = r#"#!/bin/sh
verdict='{"rows": 8, "files": 8, "unsorted": 0, "split": 0, "differences": 0, "examples": []}'
case "$1 $2" in
*/present.py*)
    all='"numpy": {"version": "2.0"}, "blake3": {"version": "1.0"}, "pyarrow": {"version": "26.0"}'
    polars=${FAKE_POLARS:-'{"version": "2.1"}'}
    echo "{\"python\": \"3.13.0\", \"packages\": {$all, \"duckdb\": {\"version\": \"2.0\"}, \"polars\": $polars}}" ;;
*/measure.py*)
    who="$3 $5 $7"; output="${11}"
    mkdir -p "$output"; echo "$who" > "$output/who"
    eval "case \"\$who\" in $FAKE_PEERS *) ;; esac"
    for n in 0 1; do
        echo "{\"execution\": $n, \"wall_ns\": 9000000, \"cpu_ns\": 8000000, \"peak_rss_bytes\": 50000000, \"rows\": 8, \"files\": 8}"
    done ;;
*"/check.py reference") : > "$8" ;;
*"/check.py digest") echo '{"rows": 8, "digests": ["00000000deadbeef"]}' ;;
*"/check.py compare")
    who="check $(cat "$6/who" 2> /dev/null)"
    eval "case \"\$who\" in $FAKE_PEERS *) ;; esac"
    echo "$verdict" ;;
*) echo "what is $1 $2?" >&2; exit 9 ;;
esac
"#;

fn bench(workspace: &Workspace, script: &str, peers: &str, arguments: &[&str]) -> Ran {
    workspace.program("python", FAKE_PYTHON);
    let python = workspace.path("python").to_string_lossy().into_owned();
    let all = [&["bench", "peers", "--python", &python], arguments].concat();
    let output =
        workspace.command(&all).env("FAKE_ENGINE", script).env("FAKE_PEERS", peers).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Reads the record of the only run.
fn record(workspace: &Workspace, size: &str) -> serde_json::Value {
    let runs = workspace.path("target/pondmark/peers").read_dir().unwrap();
    let run = runs.map(|run| run.unwrap().path()).find(|run| !run.ends_with("scripts")).unwrap();
    serde_json::from_str(&std::fs::read_to_string(run.join(format!("{size}.json"))).unwrap()).unwrap()
}

#[test]
fn everyone_runs_once_and_the_best_modes_in_every_round() {
    let workspace = Workspace::new();
    let ran = bench(&workspace, "", "", &["--size", "tiny", "--rounds", "3"]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    let record = record(&workspace, "tiny");
    let processes = record["processes"].as_array().unwrap();
    let of_round = |round: u64| processes.iter().filter(|one| one["round"] == round).count();
    // 3 tasks of the engine; 7 modes of DuckDB and Polars each, 8 of pyarrow; then one of each and task, as all
    // modes take the same time.
    assert_eq!([of_round(0), of_round(1), of_round(2)], [25, 12, 12]);
    assert_eq!(record["input"]["rows"], 8);
    for text in ["Best peer ÷ Pondmark: cold wall ", "Polars, bulk", "right"] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
    // The documents are of the two larger sizes.
    assert!(!workspace.path("docs").exists());
    assert!(workspace.path("target/pondmark/work").read_dir().unwrap().next().is_none());
}

#[test]
fn a_run_of_all_sizes_writes_the_documents() {
    let workspace = Workspace::new();
    let peers = "*duckdb*) : ;;";
    workspace.write("docs/GLOSSARY.md", "");
    let ran = bench(&workspace, "query=wrong-answer", peers, &["--rounds", "1"]);
    // The scripted checker expects the eight rows of the smallest pond.
    assert_eq!(ran.code, 5, "{}\n{}", ran.stdout, ran.stderr);
    let text = workspace.read("docs/PEERS.md");
    for line in
        ["`cargo xtask bench peers --rounds 1`", "## Size small", "## Size medium", "](images/peers.svg)"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
    let root = workspace.path("").to_string_lossy().into_owned();
    assert!(!text.contains(root.trim_end_matches('/')), "the document names a path of this machine: {text}");
    assert!(
        text.contains("WRONG: 2 differences: the engine answered 100 rows, digest ffffffffffffffff"),
        "{text}"
    );
    assert!(workspace.read("docs/images/peers.svg").contains("no right answer"));
}

#[test]
fn an_absent_peer_is_named_and_the_others_are_measured() {
    let workspace = Workspace::new();
    workspace.program("python", FAKE_PYTHON);
    let python = workspace.path("python").to_string_lossy().into_owned();
    let arguments = ["bench", "peers", "--python", &python, "--size", "tiny", "--rounds", "1"];
    let absent = r#"{"error": "ImportError: no polars for this machine"}"#;
    let output = workspace.command(&arguments).env("FAKE_POLARS", absent).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("Polars is absent: ImportError: no polars for this machine"), "{stdout}");
    assert!(stdout.contains("DuckDB, bulk") && !stdout.contains("Polars, "), "{stdout}");
    assert_eq!(record(&workspace, "tiny")["absent"][0]["name"], "Polars");
}

#[test]
fn without_python_there_is_nothing_to_compare_with() {
    let workspace = Workspace::new();
    let output =
        workspace.command(&["bench", "peers", "--size", "tiny"]).env("PATH", "/nowhere").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(
        stderr.contains("no peer can be measured: python3 cannot make a virtual environment"),
        "{stderr}"
    );
}

#[test]
fn a_peer_that_fails_or_errs_is_a_failure_of_its_own() {
    let check = |peers: &str, expect: &[&str]| {
        let workspace = Workspace::new();
        let ran = bench(&workspace, "", peers, &["--size", "tiny", "--rounds", "2"]);
        assert_eq!(ran.code, 5, "{peers}: {}\n{}", ran.stdout, ran.stderr);
        for text in expect {
            assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
        }
        assert!(ran.stdout.contains("pyarrow, pool"), "the others are measured: {}", ran.stdout);
    };
    check(
        "with_duckdb\\ export\\ bulk) echo 'out of memory' >&2; exit 1;;",
        &["FAILED: measure.py failed: exit status: 1: out of memory"],
    );
    check("with_polars\\ query*) echo garbage;;", &["FAILED: this is not what was expected: garbage"]);
    let wrong = r#"check\ with_polars\ reduce\ pool) verdict='{"rows": 8, "files": 8, "unsorted": 0, "split": 0, "differences": 3, "examples": ["bay/year=2024: missing"]}';;"#;
    check(wrong, &["WRONG: 3 differences: bay/year=2024: missing"]);
}

#[test]
fn files_out_of_order_are_a_finding() {
    let workspace = Workspace::new();
    let unsorted = r#"check\ with_duckdb\ export\ bulk) verdict='{"rows": 8, "files": 8, "unsorted": 2, "split": 1, "differences": 0, "examples": []}';;"#;
    let ran = bench(&workspace, "", unsorted, &["--size", "tiny", "--rounds", "1"]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("right, but 2 of 8 files unsorted, 1 partitions in several files"),
        "{}",
        ran.stdout
    );
}

#[test]
fn an_engine_that_fails_leaves_the_peers_to_be_measured() {
    let workspace = Workspace::new();
    let ran = bench(&workspace, "reduce=crash", "", &["--size", "tiny", "--rounds", "2"]);
    assert_eq!(ran.code, 5, "{}\n{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("Pondmark has no right answer, so nobody is compared with it"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("FAILED: the engine ended with exit code 101"), "{}", ran.stdout);
    let record = record(&workspace, "tiny");
    let engine = record["processes"].as_array().unwrap().iter().filter(|one| one["contender"] == "engine");
    // Twice for export and query; what failed is not repeated.
    assert_eq!(engine.count(), 5);
}

#[test]
fn an_engine_that_exports_no_input_ends_the_run() {
    let workspace = Workspace::new();
    let ran = bench(&workspace, "input=crash", "", &["--size", "tiny", "--rounds", "2"]);
    assert_eq!(ran.code, 5, "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("the engine could not export the input of the peers"), "{}", ran.stderr);
    assert!(workspace.path("target/pondmark/work").read_dir().unwrap().next().is_none());
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let workspace = Workspace::new();
    for (arguments, expect) in [
        (&["bench", "peers", "--rounds", "0"][..], "0 is not in 1.."),
        (&["bench", "peers", "--size", "huge"], "invalid value 'huge'"),
        (&["bench", "smoke", "--tier", "exact", "peers"], "'peers' is no suite"),
    ] {
        let ran = workspace.expect(2, "", arguments);
        assert!(ran.stderr.contains(expect), "{}", ran.stderr);
    }
}

#[test]
fn the_checker_knows_right_from_wrong() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let private = Path::new(env!("CARGO_BIN_EXE_xtask")).ancestors().nth(2).unwrap();
    let candidates = [private.join("pondmark/peers-venv/bin/python"), "python3".into()];
    let has_packages = |python: &&std::path::PathBuf| {
        let imports = ["-c", "import pyarrow, numpy, blake3"];
        let output = Command::new(python).args(imports).output();
        output.is_ok_and(|output| output.status.success())
    };
    let Some(python) = candidates.iter().find(has_packages) else {
        eprintln!(
            "not run: no python3 here has pyarrow, numpy and blake3; `cargo xtask bench peers` installs them"
        );
        return;
    };
    let output = Command::new(python)
        .arg(package.join("tests/it/peers_check.py"))
        .env("PYTHONPATH", package.join("src/peers"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
