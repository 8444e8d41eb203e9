//! `cargo xtask ci`: every check, in order, each run to its end, and a table of what passed, failed or was
//! skipped.

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser as _;
use scenarios::nearest;

use super::print;
use crate::cargo;
use crate::cli::{CiOptions, Cli};
use crate::exit::{Exit, Stop};
use crate::fingerprint::output_of;
use crate::paths::Paths;
use crate::report::{Align, Table};
use crate::selection::DEFAULT_SUITE;
use crate::units;

/// What runs a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runner {
    /// Cargo.
    Cargo,
    /// This program.
    Harness,
    /// Another program.
    Program(&'static str),
}

/// What a step needs.
#[derive(Clone, Copy, Debug)]
enum Tool {
    /// A command of cargo.
    Cargo(&'static str),
    /// A program.
    Program(&'static str),
}

impl Tool {
    fn is_installed(self, root: &Path) -> bool {
        let version = match self {
            Self::Cargo(name) => output_of(&cargo::program().to_string_lossy(), &[name, "--version"], root),
            Self::Program(name) => output_of(name, &["--version"], root),
        };
        version.is_some()
    }
}

impl std::fmt::Display for Tool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cargo(name) => write!(f, "cargo {name}"),
            Self::Program(name) => f.write_str(name),
        }
    }
}

/// One check.
#[derive(Clone, Copy, Debug)]
struct Step {
    name: &'static str,
    runner: Runner,
    arguments: &'static [&'static str],
    environment: Option<(&'static str, &'static str)>,
    /// What must be installed, and how to install it.
    needs: Option<(Tool, &'static str)>,
    note: &'static str,
}

const PLAIN: Step =
    Step { name: "", runner: Runner::Cargo, arguments: &[], environment: None, needs: None, note: "" };

const STEPS: [Step; 10] = [
    Step {
        name: "fmt",
        arguments: &["fmt", "--all", "--check"],
        needs: Some((Tool::Cargo("fmt"), "rustup component add rustfmt")),
        ..PLAIN
    },
    Step {
        name: "clippy",
        arguments: &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        needs: Some((Tool::Cargo("clippy"), "rustup component add clippy")),
        ..PLAIN
    },
    Step {
        name: "test",
        arguments: &["test", "--workspace"],
        note: "with the examples in documentation",
        ..PLAIN
    },
    // Of the whole workspace, as the step before: for one package alone, cargo builds what it needs with other features.
    Step {
        name: "page",
        arguments: &["test", "--workspace", "--test", "it", "page::", "--", "--ignored"],
        needs: Some((Tool::Program("chromium"), "apt install chromium")),
        note: "report.html of 200 cells in a browser",
        ..PLAIN
    },
    // With examples, dependencies have the features that clippy has had them checked with.
    Step {
        name: "doc",
        arguments: &[
            "doc",
            "--workspace",
            "--no-deps",
            "--lib",
            "--bin",
            "pond",
            "--bin",
            "xtask",
            "--examples",
        ],
        environment: Some(("RUSTDOCFLAGS", "-D warnings")),
        ..PLAIN
    },
    Step {
        name: "deny",
        arguments: &["deny", "--workspace", "check", "bans", "licenses", "sources"],
        needs: Some((Tool::Cargo("deny"), "cargo install cargo-deny --locked")),
        note: "advisories are not checked: they need a fetch from the network",
        ..PLAIN
    },
    Step {
        name: "workflows",
        runner: Runner::Program("zizmor"),
        arguments: &["--offline", ".github"],
        needs: Some((Tool::Program("zizmor"), "pip install zizmor")),
        note: "what is known to go wrong in workflows; nothing is asked of the network",
        ..PLAIN
    },
    Step { name: "baselines", runner: Runner::Harness, arguments: &["baseline", "check"], ..PLAIN },
    Step {
        name: "claims",
        runner: Runner::Harness,
        arguments: &["claims", "--check"],
        note: "docs/CLAIMS.md against the ledger; nothing is measured",
        ..PLAIN
    },
    Step {
        name: "bench",
        runner: Runner::Harness,
        arguments: &["bench", DEFAULT_SUITE, "--tier", "exact", "--against", DEFAULT_SUITE],
        note: "counters of the suite smoke against its baseline",
        ..PLAIN
    },
];

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed(Option<i32>),
    Skipped(&'static str),
}

/// Runs the command.
pub(crate) fn run(paths: &Paths, options: &CiOptions) -> anyhow::Result<Exit> {
    let steps = chosen(&options.steps)?;
    let mut results = Vec::new();
    for step in steps {
        print(&format!("\n==> {}: {}\n", step.name, shown(&step)))?;
        let began = Instant::now();
        let outcome = run_step(paths, &step)?;
        if let Outcome::Skipped(install) = outcome {
            let tool = step.needs.map_or_else(String::new, |(tool, _)| tool.to_string());
            print(&format!("skipped: {tool} is missing; install it: {install}\n"))?;
        }
        results.push((step, outcome, began.elapsed()));
    }
    print(&summary(&results))?;
    Ok(exit(&results))
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<Step>> {
    if names.is_empty() {
        return Ok(STEPS.to_vec());
    }
    let known = STEPS.map(|step| step.name);
    for name in names {
        if !known.contains(&name.as_str()) {
            let hint = match nearest(name, known) {
                Some(close) => format!("did you mean '{close}'?"),
                None => format!("known: {}", known.join(", ")),
            };
            return Err(Stop::error(Exit::Usage, format!("no step '{name}'; {hint}")));
        }
    }
    Ok(STEPS.into_iter().filter(|step| names.iter().any(|name| name == step.name)).collect())
}

fn shown(step: &Step) -> String {
    let program = match step.runner {
        Runner::Cargo => "cargo",
        Runner::Harness => "cargo xtask",
        Runner::Program(program) => program,
    };
    let environment = step.environment.map_or_else(String::new, |(key, value)| format!("{key}='{value}' "));
    format!("{environment}{program} {}", step.arguments.join(" "))
}

fn run_step(paths: &Paths, step: &Step) -> anyhow::Result<Outcome> {
    if let Some((tool, install)) = step.needs
        && !tool.is_installed(&paths.root)
    {
        return Ok(Outcome::Skipped(install));
    }
    if step.runner == Runner::Harness {
        // In this process: the steps before may have built the program on disk anew.
        let mut cli = Cli::try_parse_from(["xtask"].iter().chain(step.arguments))?;
        cli.root = Some(paths.root.clone());
        let exit = crate::end(cli);
        return Ok(if exit == Exit::Pass { Outcome::Passed } else { Outcome::Failed(Some(exit as i32)) });
    }
    let mut command = match step.runner {
        Runner::Program(program) => Command::new(program),
        _ => cargo::command(),
    };
    if let Some((key, value)) = step.environment {
        command.env(key, value);
    }
    let status: ExitStatus = command
        .args(step.arguments)
        .current_dir(&paths.root)
        .status()
        .with_context(|| format!("cannot start step {}", step.name))?;
    Ok(if status.success() { Outcome::Passed } else { Outcome::Failed(status.code()) })
}

fn summary(results: &[(Step, Outcome, Duration)]) -> String {
    let mut table = Table::new(&[
        ("step", Align::Left),
        ("result", Align::Left),
        ("time", Align::Right),
        ("note", Align::Left),
    ]);
    for (step, outcome, took) in results {
        let (result, note) = match outcome {
            Outcome::Passed => ("passed".to_owned(), step.note.to_owned()),
            Outcome::Failed(Some(code)) => (format!("FAILED ({code})"), step.note.to_owned()),
            Outcome::Failed(None) => ("FAILED (signal)".to_owned(), step.note.to_owned()),
            Outcome::Skipped(install) => ("skipped".to_owned(), format!("missing tool: {install}")),
        };
        table.row(vec![step.name.to_owned(), result, units::duration(*took), note]);
    }
    let count =
        |wanted: fn(&Outcome) -> bool| results.iter().filter(|(_, outcome, _)| wanted(outcome)).count();
    format!(
        "\n{}\n{} passed, {} failed, {} skipped\n",
        table.terminal(),
        count(|outcome| matches!(outcome, Outcome::Passed)),
        count(|outcome| matches!(outcome, Outcome::Failed(_))),
        count(|outcome| matches!(outcome, Outcome::Skipped(_)))
    )
}

/// Keeps the code of a benchmark that failed alone; any other failed step is a failure.
fn exit(results: &[(Step, Outcome, Duration)]) -> Exit {
    let mut exit = Exit::Pass;
    for (step, outcome, _) in results {
        let Outcome::Failed(code) = outcome else { continue };
        let own = match (step.runner, code) {
            (Runner::Harness, Some(1)) => Exit::Regression,
            (Runner::Harness, Some(3)) => Exit::Inconclusive,
            (Runner::Harness, Some(4)) => Exit::Incomparable,
            _ => Exit::Failed,
        };
        exit = exit.worse(own);
    }
    exit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_benchmark_keeps_its_code_unless_more_failed() {
        let step = |name| *STEPS.iter().find(|step| step.name == name).unwrap();
        let result = |name, outcome| (step(name), outcome, Duration::ZERO);
        let check = |results: &[(Step, Outcome, Duration)], expect| assert_eq!(exit(results), expect);
        check(&[result("fmt", Outcome::Passed), result("bench", Outcome::Failed(Some(1)))], Exit::Regression);
        check(
            &[result("fmt", Outcome::Failed(Some(1))), result("bench", Outcome::Failed(Some(1)))],
            Exit::Failed,
        );
        check(&[result("deny", Outcome::Skipped("how"))], Exit::Pass);
        check(&[result("bench", Outcome::Failed(None))], Exit::Failed);
    }

    #[test]
    fn steps_are_chosen_by_name_in_their_order() {
        let names = |given: &[&str]| {
            let given: Vec<String> = given.iter().map(|name| (*name).to_owned()).collect();
            chosen(&given).map(|steps| steps.iter().map(|step| step.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["test", "fmt"]).unwrap(), ["fmt", "test"]);
        let error = names(&["clipy"]).unwrap_err().to_string();
        insta::assert_snapshot!(error, @"no step 'clipy'; did you mean 'clippy'?");
    }
}
