//! What stages and counters cost: `bench overhead` with engines that do next to nothing.

use crate::revisions::{commit, engine, repository};
use crate::workspace::Workspace;

/// Makes a pond, and exports from it.
const POND: &str = r##"
    if std::env::args().nth(1).as_deref() != Some("cell") {
        let arguments: Vec<String> = std::env::args().collect();
        assert!(std::path::Path::new(&arguments[2]).is_dir(), "no pond: {arguments:?}");
        let out = arguments.last().unwrap();
        assert!(!std::path::Path::new(out).exists(), "{out} is there");
        std::fs::create_dir(out).unwrap();
        eprintln!("exported");
        println!("exported to {out}");
        assert!(EXPORTS, "nothing is exported");
        return;
    }
"##;

const PREPARE: &str = r##"
            let (_, ponds) = line.split_once("\"ponds_dir\":\"").unwrap();
            std::fs::create_dir_all(format!("{}/pond", ponds.split('"').next().unwrap())).unwrap();
            println!("##;

/// Counts more for the engine with counters.
const VALGRIND: &str = r#"#!/bin/sh
case "$*" in
    --version) echo valgrind-3.19.0; exit ;;
    */without-1\ *) totals=1000000 ;;
    *) totals=1004000 ;;
esac
file=${3#--callgrind-out-file=}
shift 3
printf 'events: Ir\ntotals: %s\n' "$totals" > "$file"
exec "$@"
"#;

fn played(exports: bool) -> Workspace {
    let workspace = repository();
    let text = engine(1_000, 8)
        .replace("fn main() {", &format!("fn main() {{{}", POND.replace("EXPORTS", &exports.to_string())))
        .replacen(
            "println!(\"{}\", r##\"{\"event\":\"prepared\"",
            &format!("{PREPARE}\"{{}}\", r##\"{{\"event\":\"prepared\""),
            1,
        );
    workspace.write("engine/main.rs", &text);
    let manifest = workspace.read("engine/Cargo.toml");
    workspace.write(
        "engine/Cargo.toml",
        &format!("{manifest}\n[features]\ndefault = [\"metrics\"]\nmetrics = []\n"),
    );
    workspace.write("docs/METHODOLOGY.md", "before\n<!-- overhead -->\n<!-- end of overhead -->\nafter\n");
    workspace.program("tools/valgrind", VALGRIND);
    commit(&workspace);
    workspace
}

fn run(workspace: &Workspace, arguments: &[&str]) -> (Option<i32>, String) {
    let path = std::env::var("PATH").unwrap();
    let output = workspace
        .command(&[&["bench", "overhead"], arguments].concat())
        .env_remove("PONDMARK_ENGINE")
        .env("PATH", format!("{}:{path}", workspace.path("tools").display()))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn both_engines_export_at_once() {
    let workspace = played(true);
    let (code, text) = run(&workspace, &["--size", "tiny", "--layouts", "3", "--pairs", "8"]);
    assert_eq!(code, Some(0), "{text}");
    let row = text.lines().find(|line| line.contains("instructions")).unwrap();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(words[..5], ["instructions", "1,000,000", "1,004,000", "+0.40", "%"], "{text}");
    assert!(
        text.contains("8 pairs of exports in each of 3 layouts, both of a pair at once on one core;"),
        "{text}"
    );
    assert!(text.contains("processor time"), "{text}");
    assert!(!workspace.read("docs/METHODOLOGY.md").contains("bench overhead"), "of the medium pond only");
    let (code, text) = run(&workspace, &["--layouts", "2", "--pairs", "6"]);
    assert_eq!(code, Some(0), "{text}");
    let document = workspace.read("docs/METHODOLOGY.md");
    assert!(
        document.starts_with(
            "before\n<!-- overhead -->\n\n`cargo xtask bench overhead --layouts 2 --pairs 6` on "
        ),
        "{document}"
    );
    let row = "| instructions | 1,000,000 | 1,004,000 | +0.40 % | +0.40 % to +0.40 % |";
    assert!(document.contains(row), "{document}");
    assert!(document.ends_with("<!-- end of overhead -->\nafter\n"), "{document}");
    assert!(!workspace.path("target/pondmark/work").read_dir().unwrap().any(|_| true), "work is removed");
}

#[test]
fn an_export_that_fails_ends_it() {
    let workspace = played(false);
    let (code, text) = run(&workspace, &["--size", "tiny", "--layouts", "2"]);
    assert_eq!(code, Some(5), "{text}");
    assert!(text.contains("exported"), "{text}");
    assert!(text.contains("nothing is exported"), "{text}");
}
