//! Revisions of a small workspace whose engine says what its source tells it to.

use std::process::Command;

use crate::workspace::{Ran, Workspace};

const MANIFEST: &str = r#"
[workspace]
resolver = "3"
members = ["engine"]
"#;

const PACKAGE: &str = r#"
[package]
name = "engine"
version = "0.1.0"
edition = "2024"
[[bin]]
name = "pond"
path = "main.rs"
"#;

const LOCK: &str = r#"
version = 4
[[package]]
name = "engine"
version = "0.1.0"
"#;

const SUITE: &str = r#"
about = "a suite for tests"
[[scenario]]
name = "open"
about = "opens"
workload = "open"
warm = 3
timeout_s = 20
with = { size = "tiny" }
[scenario.answers]
"" = { rows = 8, digest = "00000000deadbeef" }
"#;

/// An engine of the harness's protocol, in few words.
pub(crate) fn engine(wall_us: u64, requests: u64) -> String {
    let text = r####"
use std::io::BufRead as _;
fn main() {
    println!("{}", r##"{"event":"hello","protocol":PROTOCOL,"engine":"0.1.0","pond_format":1,"profile":"release"}"##);
    let mut lines = std::io::stdin().lock().lines();
    while let Some(line) = lines.next() {
        let line = line.unwrap();
        if line.contains(r##""request":"prepare""##) {
            println!("{}", r##"{"event":"prepared","built":false,"files":8,"rows":80}"##);
            continue;
        }
        let (_, warm) = line.split_once(r##""warm":"##).unwrap();
        let warm: u64 = warm.trim_end_matches('}').parse().unwrap();
        let noise = u64::from(std::process::id()) * 7919 % 1000;
        for iteration in 0..=warm {
            if iteration > 0 && line.contains("\"in_turn\":true") {
                lines.next();
            }
            let phase = if iteration == 0 { "cold" } else { "warm" };
            let wall_ns = WALL_US * (1_000_000 + noise) / 1_000;
            let sample = format!(
                r##"{{"phase":"{phase}","iteration":{iteration},"metrics":{{"wall_ns":{wall_ns},"store_data_requests":REQUESTS}},"answer":{{"rows":8,"digest":"00000000deadbeef"}}}}"##
            );
            println!(r##"{{"event":"sample","sample":{sample}}}"##);
        }
        println!(r##"{{"event":"done","samples":{}}}"##, warm + 1);
    }
}
"####;
    text.replace("PROTOCOL", &scenarios::wire::PROTOCOL.to_string())
        .replace("WALL_US", &wall_us.to_string())
        .replace("REQUESTS", &requests.to_string())
}

/// A workspace under git with one commit.
pub(crate) fn repository() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("Cargo.toml", MANIFEST);
    workspace.write("Cargo.lock", LOCK);
    workspace.write("engine/Cargo.toml", PACKAGE);
    workspace.write("engine/main.rs", &engine(100_000, 8));
    workspace.write("scenarios/suites/smoke.toml", SUITE);
    workspace.write(".gitignore", "/target\n");
    git(&workspace, &["init", "--quiet", "--initial-branch", "main"]);
    commit(&workspace);
    workspace
}

/// Runs git in a workspace.
pub(crate) fn git(workspace: &Workspace, arguments: &[&str]) -> String {
    let who = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"];
    let output =
        Command::new("git").args(who).args(arguments).current_dir(workspace.path("")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Commits everything.
pub(crate) fn commit(workspace: &Workspace) {
    git(workspace, &["add", "--all"]);
    git(workspace, &["commit", "--quiet", "--message", "A step"]);
}

/// Compares with what the arguments begin with, and requires an exit code.
pub(crate) fn bench(workspace: &Workspace, code: i32, arguments: &[&str]) -> Ran {
    let arguments = [&["bench", "--against"], arguments].concat();
    let output = workspace.command(&arguments).env_remove("PONDMARK_ENGINE").output().unwrap();
    let ran = Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert_eq!(ran.code, code, "{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
    ran
}

#[test]
fn a_change_that_is_not_committed_is_measured_beside_the_last_commit() {
    let workspace = repository();
    workspace.write("engine/main.rs", &engine(106_000, 9));
    workspace.write("engine/not-known-to-git.rs", "// kept");
    let before = git(&workspace, &["status", "--porcelain"]);
    let ran = bench(&workspace, 1, &["main"]);
    assert!(ran.stdout.contains("regressed: warm wall_ns 100 ms → 106 ms, +6.0 %"), "{}", ran.stdout);
    assert!(ran.stdout.contains("regressed: cold store_data_requests 8 → 9"), "{}", ran.stdout);
    assert!(ran.stdout.contains("compared with main ("), "{}", ran.stdout);
    assert!(ran.stdout.contains("of revision working tree on "), "{}", ran.stdout);
    // Nothing of the user's is touched, and nothing is left over.
    assert_eq!(git(&workspace, &["status", "--porcelain"]), before);
    assert_eq!(git(&workspace, &["worktree", "list"]).lines().count(), 1);
    assert!(!workspace.path("target/pondmark/engines/worktree").exists());
    // Both engines are kept by what they were built from.
    let again = bench(&workspace, 1, &["HEAD", "--no-confirm", "--tier", "exact"]);
    assert!(!again.stderr.contains("building the engine"), "{}", again.stderr);
}

#[test]
fn a_branch_is_measured_beside_the_commit_at_which_it_left() {
    let workspace = repository();
    git(&workspace, &["checkout", "--quiet", "-b", "topic"]);
    workspace.write("engine/main.rs", &engine(100_000, 9));
    commit(&workspace);
    git(&workspace, &["checkout", "--quiet", "main"]);
    workspace.write("engine/main.rs", &engine(100_000, 20));
    commit(&workspace);
    git(&workspace, &["checkout", "--quiet", "topic"]);
    let ran = bench(&workspace, 1, &["merge-base:main", "--tier", "exact"]);
    assert!(ran.stdout.contains("compared with merge base with main ("), "{}", ran.stdout);
    assert!(ran.stdout.contains("regressed: cold store_data_requests 8 → 9"), "{}", ran.stdout);
    assert!(
        ran.stdout
            .contains("again: cargo xtask bench 'smoke/open[]' --tier exact --against 'merge-base:main'"),
        "{}",
        ran.stdout
    );
    let ran = bench(&workspace, 4, &["merge-base:nowhere"]);
    assert!(
        ran.stderr.contains("git knows no branch 'nowhere' to take the merge base with"),
        "{}",
        ran.stderr
    );
    git(&workspace, &["checkout", "--quiet", "--orphan", "other"]);
    commit(&workspace);
    let ran = bench(&workspace, 4, &["merge-base:main"]);
    assert!(ran.stderr.contains("HEAD and 'main' have no commit in common"), "{}", ran.stderr);
}

#[test]
fn a_shallow_clone_says_what_it_lacks() {
    let workspace = repository();
    git(&workspace, &["checkout", "--quiet", "-b", "topic"]);
    workspace.write("engine/main.rs", &engine(100_000, 9));
    commit(&workspace);
    let address = format!("file://{}", workspace.path("").display());
    let clone = ["clone", "--quiet", "--depth", "1", "--no-single-branch", &address, "target/clone"];
    git(&workspace, &clone);
    let arguments = ["bench", "--against", "merge-base:origin/main"];
    let mut command = workspace.command(&arguments);
    command.env("PONDMARK_ROOT", workspace.path("target/clone")).env_remove("PONDMARK_ENGINE");
    let output = command.output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{error}");
    assert!(
        error.contains("this clone is shallow, so the merge base of HEAD and 'origin/main' is not known"),
        "{error}"
    );
}

#[test]
fn what_is_not_in_the_engine_makes_no_difference() {
    let workspace = repository();
    workspace.write("README.md", "words");
    let ran = bench(&workspace, 0, &["HEAD"]);
    assert!(
        ran.stdout.contains("have the same sources of the engine: there is nothing to measure"),
        "{}",
        ran.stdout
    );
    // A comment makes other sources, and the same binary.
    workspace.write("engine/main.rs", &format!("{}// words\n", engine(100_000, 8)));
    let ran = bench(&workspace, 0, &["HEAD"]);
    assert!(ran.stdout.contains("are the same binary: there is nothing to measure"), "{}", ran.stdout);
}

#[test]
fn a_revision_that_does_not_build_is_said() {
    let workspace = repository();
    workspace.write("engine/main.rs", "fn main() { nothing }");
    let ran = bench(&workspace, 5, &["HEAD"]);
    assert!(ran.stderr.contains("working tree on "), "{}", ran.stderr);
    assert!(ran.stderr.contains("cargo could not build pond of package engine"), "{}", ran.stderr);
    assert_eq!(git(&workspace, &["worktree", "list"]).lines().count(), 1);
}

#[test]
fn another_protocol_is_incomparable() {
    let workspace = repository();
    let other = engine(100_000, 8).replace(r#""protocol":"#, r#""protocol":9"#);
    workspace.write("engine/main.rs", &other);
    commit(&workspace);
    workspace.write("engine/main.rs", &engine(100_000, 8));
    let ran = bench(&workspace, 4, &["HEAD"]);
    assert!(
        ran.stderr.contains("cannot be measured by this harness: the engine speaks protocol 9"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_commit_that_made_it_worse_is_found() {
    let workspace = repository();
    let good = git(&workspace, &["rev-parse", "HEAD"]);
    for (step, requests) in [8, 8, 9, 9].into_iter().enumerate() {
        workspace.write("engine/main.rs", &format!("{}// step {step}\n", engine(100_000, requests)));
        git(&workspace, &["add", "--all"]);
        git(&workspace, &["commit", "--quiet", "--message", &format!("Step {step}")]);
    }
    let bisect_with = |code: i32, more: &[&str]| {
        let arguments = [&["bisect", "open", "--good", good.trim(), "--exact"], more].concat();
        let output = workspace.command(&arguments).env_remove("PONDMARK_ENGINE").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{text}");
        text
    };
    let bisect = |code: i32| bisect_with(code, &[]);
    let text = bisect(0);
    assert!(text.contains("smoke/open[] became worse (store_data_requests) with "), "{text}");
    assert!(text.contains(" Step 2\n"), "{text}");
    // The second time everything is known.
    let text = bisect(0);
    assert!(text.contains("commits are known from "), "{text}");
    assert!(!text.contains("building the engine"), "{text}");
    let text = bisect_with(3, &["--metric", "rows_read"]);
    assert!(text.contains("smoke/open[] is not shown to be worse at HEAD"), "{text}");
    let text = bisect_with(2, &["--metric", "rows_red"]);
    assert!(text.contains("'rows_red' is no metric"), "{text}");
    git(&workspace, &["checkout", "--quiet", "--orphan", "elsewhere"]);
    git(&workspace, &["commit", "--quiet", "--message", "Begin anew"]);
    let text = bisect_with(2, &[]);
    assert!(text.contains("is no ancestor of HEAD; name one that is"), "{text}");
}

#[test]
fn what_is_measured_is_a_copy_and_the_own_engine_stays() {
    let workspace = repository();
    workspace.write("engine/main.rs", &engine(90_000, 8));
    workspace.write("target/release/pond", "the user's own");
    bench(&workspace, 0, &["HEAD"]);
    assert_eq!(workspace.read("target/release/pond"), "the user's own");
    assert!(!workspace.path("target/release/pond-of-the-workspace").exists());
    // What a killed harness has put aside is put back, even if nothing is built.
    std::fs::rename(
        workspace.path("target/release/pond"),
        workspace.path("target/release/pond-of-the-workspace"),
    )
    .unwrap();
    bench(&workspace, 0, &["HEAD", "--tier", "exact"]);
    assert_eq!(workspace.read("target/release/pond"), "the user's own");
    // Without a base the working tree is built in place, and measured as a copy all the same.
    let output = workspace.command(&["bench"]).env_remove("PONDMARK_ENGINE").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(copies(&workspace).iter().filter(|name| name.starts_with("binary-")).count(), 1);
}

#[test]
fn cargo_does_not_take_a_revisions_engine_for_the_own_one() {
    let workspace = repository();
    workspace.write("engine/main.rs", &engine(95_000, 8));
    commit(&workspace);
    workspace.write("engine/main.rs", &engine(90_000, 8));
    let build = || {
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--release", "--quiet"]).env_remove("CARGO_TARGET_DIR");
        assert!(cargo.current_dir(workspace.path("")).status().unwrap().success());
        std::fs::read(workspace.path("target/release/pond")).unwrap()
    };
    let own = build();
    bench(&workspace, 0, &["HEAD", "--tier", "exact"]);
    // Only the oldest is built here, so its engine is the last that was.
    bench(&workspace, 0, &["HEAD~1", "--tier", "exact"]);
    assert!(std::fs::read(workspace.path("target/release/pond")).unwrap() == own);
    assert!(build() == own, "cargo found nothing to do, and left the own engine");
}

#[test]
fn copies_that_nobody_uses_do_not_pile_up() {
    let workspace = repository();
    for number in 0..12 {
        workspace.write(&format!("target/pondmark/engines/old-{number:02}/pond"), "an engine");
    }
    let used = std::fs::File::open(workspace.path("target/pondmark/engines/old-00/pond")).unwrap();
    used.lock_shared().unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    used.set_modified(long_ago).unwrap();
    workspace.write("engine/main.rs", &engine(90_000, 8));
    bench(&workspace, 0, &["HEAD", "--tier", "exact"]);
    let copies = copies(&workspace);
    assert_eq!(copies.iter().filter(|name| name.starts_with("old-")).count(), 7, "{copies:?}");
    assert_eq!(copies.len(), 9, "two new ones, six old ones, and one that is in use: {copies:?}");
    assert!(copies.contains(&"old-00".to_owned()), "{copies:?}");
}

/// Lists the folders of kept engines.
fn copies(workspace: &Workspace) -> Vec<String> {
    let entries = std::fs::read_dir(workspace.path("target/pondmark/engines")).unwrap();
    let folders = entries.map(|entry| entry.unwrap()).filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn settings_of_the_working_tree_are_not_those_of_a_revision() {
    let workspace = repository();
    // An engine that asks for more if cargo was set to build it so.
    let text = engine(100_000, 8);
    let text = text.replace("\"store_data_requests\":8", "\"store_data_requests\":{requests}").replace(
        "let wall_ns",
        "let requests = if option_env!(\"ASK_TWICE\").is_some() { 16 } else { 8 };\n            let wall_ns",
    );
    workspace.write("engine/main.rs", &text);
    commit(&workspace);
    workspace.write(".cargo/config.toml", "[env]\nASK_TWICE = \"1\"\n");
    let ran = bench(&workspace, 1, &["HEAD", "--tier", "exact"]);
    assert!(ran.stdout.contains("store_data_requests 8 → 16 requests"), "{}", ran.stdout);
    // And the other way round: a revision's own settings are its own.
    commit(&workspace);
    std::fs::remove_file(workspace.path(".cargo/config.toml")).unwrap();
    let ran = bench(&workspace, 0, &["HEAD", "--tier", "exact"]);
    assert!(ran.stdout.contains("store_data_requests 16 → 8 requests"), "{}", ran.stdout);
}
