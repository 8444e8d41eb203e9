//! The workflows: they call the harness alone, with no more rights than they need, and nothing that may change under them.

use std::path::Path;

/// What may stand in a `run:` line besides the harness: the history is a branch, and a branch is pushed.
const PUSH: &str = "git push origin pondmark-history";

fn workflows() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.github/workflows");
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        found.push((name, std::fs::read_to_string(&path).unwrap()));
    }
    found.sort();
    assert!(found.len() >= 5, "{found:?}");
    found
}

/// A key of a line with what follows it, and how far it is indented.
fn key(line: &str) -> Option<(usize, &str, &str)> {
    let trimmed = line.trim_start();
    // A step may begin with any of its keys.
    let item = trimmed.trim_start_matches("- ");
    let (key, value) = item.split_once(':')?;
    let is_key =
        !key.is_empty() && key.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
    is_key.then(|| (line.len() - trimmed.len(), key, value.trim()))
}

#[test]
fn commands_are_those_of_the_harness() {
    for (name, text) in workflows() {
        let lines: Vec<&str> = text.lines().collect();
        let mut runs = 0;
        for (index, line) in lines.iter().enumerate() {
            let Some((_, "run", value)) = key(line) else { continue };
            // A folded command goes on in the lines below that are indented further.
            let command = match value {
                ">-" => {
                    let deep = |line: &str| line.len() - line.trim_start().len();
                    let below = lines[index + 1..].iter().take_while(|below| deep(below) > deep(line) + 2);
                    below.map(|line| line.trim()).collect::<Vec<_>>().join(" ")
                }
                command => command.to_owned(),
            };
            let is_harness = command == ".ci/run" || command.starts_with("cargo xtask ");
            assert!(is_harness || command == PUSH, "{name}: {command}");
            // What others write would become a part of the command.
            assert!(!command.contains("${{"), "{name}: pass it by env: {command}");
            for sign in [";", "&&", "||", "`", "$("] {
                assert!(!command.contains(sign), "{name}: one command a step: {command}");
            }
            runs += 1;
        }
        assert!(runs > 0, "{name}");
    }
}

#[test]
fn actions_are_pinned_by_commit_with_their_version() {
    for (name, text) in workflows() {
        for line in text.lines() {
            let Some((_, "uses", value)) = key(line) else { continue };
            let pinned = value.split_once('@').and_then(|(_, rest)| rest.split_once(" # v"));
            let (commit, version) = pinned.unwrap_or_else(|| panic!("{name}: {line}"));
            assert!(
                commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{name}: {line}"
            );
            assert!(version.starts_with(|letter: char| letter.is_ascii_digit()), "{name}: {line}");
        }
    }
}

#[test]
fn every_job_has_its_own_rights_and_an_end() {
    for (name, text) in workflows() {
        assert!(text.contains("\npermissions: {}\n"), "{name}: what a job needs stands in the job");
        let (_, jobs) = text.split_once("\njobs:\n").unwrap_or_else(|| panic!("{name}"));
        let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
        for (indent, key, _) in jobs.lines().filter_map(key) {
            match (indent, found.last_mut()) {
                (2, _) => found.push((key, Vec::new())),
                (4, Some((_, keys))) => keys.push(key),
                _ => {}
            }
        }
        assert!(!found.is_empty(), "{name}");
        for (job, keys) in found {
            for needed in ["permissions", "timeout-minutes"] {
                assert!(keys.contains(&needed), "{name}: {job} has no {needed}");
            }
        }
    }
}

#[test]
fn tokens_are_kept_only_where_something_is_pushed() {
    for (name, text) in workflows() {
        let count = |what: &str| text.matches(what).count();
        assert_eq!(count("actions/checkout@"), count("persist-credentials: "), "{name}");
        assert_eq!(count("persist-credentials: true"), count(PUSH), "{name}");
        let secrets: Vec<&str> = text.lines().filter(|line| line.contains("secrets.")).collect();
        assert!(secrets.is_empty(), "{name}: {secrets:?}");
        if text.contains("\n  pull_request:") {
            assert!(!text.contains(": write") && !text.contains("github.token"), "{name}: forks run this");
        }
    }
}
