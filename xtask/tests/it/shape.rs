//! The shape of the harness: light, in small files, with every dependency declared once.

use std::path::{Path, PathBuf};
use std::process::Command;

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_harness_does_not_link_what_it_measures() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "xtask", "--edges", "normal,build", "--prefix", "none"])
        .args(["--format", "{lib}"])
        .arg("--manifest-path")
        .arg(package().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let crates: Vec<&str> = tree.lines().collect();
    assert!(crates.contains(&"scenarios"), "{tree}");
    for heavy in ["engine", "datagen", "tokio", "object_store"] {
        assert!(!crates.contains(&heavy), "{heavy}");
    }
    for heavy in ["arrow", "datafusion", "delta", "parquet"] {
        assert!(!crates.iter().any(|name| name.starts_with(heavy)), "{heavy}");
    }
}

#[test]
fn files_and_lines_stay_short() {
    let mut files = Vec::new();
    for folder in ["src", "tests", "examples"] {
        collect(&package().join(folder), &mut files);
    }
    assert!(files.len() > 20);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        assert!(lines < 500, "{} has {lines} lines", file.display());
        let limit = if file.ends_with("main.rs") { 120 } else { 500 };
        assert!(lines < limit, "{} has {lines} lines", file.display());
    }
}

#[test]
fn the_example_of_a_suite_is_a_suite() {
    let path = package().join("../docs/FORMAT.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let example = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let suite = scenarios::Suite::parse(&path, example).unwrap();
    assert_eq!(suite.cells().len(), 4);
    assert!(suite.cells()[0].expected.is_some());
}

#[test]
fn the_example_of_a_ledger_is_a_ledger() {
    let path = package().join("../docs/FORMAT.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let example = text.split("```toml\n").nth(2).unwrap().split("```").next().unwrap();
    let ledger = scenarios::Ledger::parse(&path, example).unwrap();
    assert_eq!((ledger.claims.len(), ledger.untested.len()), (1, 1));
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
