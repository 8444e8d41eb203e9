//! What GitHub shows beside the lines of a change: workflow commands for cells that do not pass.
//!
//! Of one step GitHub shows ten errors and ten warnings and drops the rest in silence, so the last one of each says how
//! many cells more there are.

use std::fmt::Write as _;

use crate::evaluation::Evaluation;
use crate::exit::Exit;
use crate::verdict::{Finding, Verdict};

/// Annotations of one level that a step may have.
const MOST: usize = 10;

/// Findings that are told of one cell.
const MOST_FINDINGS: usize = 5;

/// How urgent an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One remark beside a line of a suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Annotation {
    level: Level,
    title: String,
    message: String,
    /// The file below the workspace, and the line.
    place: Option<(String, usize)>,
}

/// Makes the annotations of a run; `suite` is the text of its suite's file, if that is there.
pub(crate) fn annotations(evaluation: &Evaluation, suite: Option<&str>) -> Vec<Annotation> {
    let mut made = Vec::new();
    let mut cells: Vec<(&String, &Verdict)> = evaluation.comparison.cells.iter().collect();
    cells.sort_by_key(|(_, verdict)| std::cmp::Reverse(**verdict));
    for (cell, verdict) in cells {
        let Some(level) = level(*verdict) else { continue };
        let findings = evaluation.comparison.findings.iter().filter(|finding| finding.cell == *cell);
        let findings: Vec<&Finding> = findings.collect();
        let mut message: Vec<String> = findings.iter().take(MOST_FINDINGS).map(|one| line(one)).collect();
        if findings.len() > MOST_FINDINGS {
            message.push(format!("and {} findings more", findings.len() - MOST_FINDINGS));
        }
        message.push(format!("again: {}", evaluation.again_command(cell)));
        made.push(Annotation {
            level,
            title: format!("{cell} {}", verdict.name()),
            message: message.join("\n"),
            place: suite.and_then(|text| place(text, cell)),
        });
    }
    if !evaluation.summary.finished {
        made.push(Annotation {
            level: Level::Warning,
            title: format!("run {} is not finished", evaluation.summary.run),
            message: "continue it with --resume, or run it again".to_owned(),
            place: None,
        });
    }
    made
}

/// Writes annotations as commands for the runner of a workflow, no more than it takes.
pub(crate) fn commands(annotations: &[Annotation]) -> String {
    let mut out = String::new();
    for level in [Level::Error, Level::Warning] {
        let all: Vec<&Annotation> = annotations.iter().filter(|one| one.level == level).collect();
        let shown = if all.len() > MOST { MOST - 1 } else { all.len() };
        for annotation in &all[..shown] {
            let mut properties = Vec::new();
            if let Some((file, line)) = &annotation.place {
                properties.push(format!("file={}", property(file)));
                properties.push(format!("line={line}"));
            }
            properties.push(format!("title={}", property(&annotation.title)));
            let (level, message) = (level.name(), data(&annotation.message));
            let _ = writeln!(out, "::{level} {}::{message}", properties.join(","));
        }
        if shown < all.len() {
            let (level, more) = (level.name(), all.len() - shown);
            let _ = writeln!(
                out,
                "::{level} title=and {more} cells more::GitHub shows ten of a kind; the summary of the job has all"
            );
        }
    }
    out
}

fn level(verdict: Verdict) -> Option<Level> {
    match verdict.exit() {
        Exit::Pass => None,
        Exit::Inconclusive => Some(Level::Warning),
        Exit::Regression | Exit::Usage | Exit::Incomparable | Exit::Failed => Some(Level::Error),
    }
}

fn line(finding: &Finding) -> String {
    let mut line = String::new();
    if let Some(phase) = finding.phase {
        let _ = write!(line, "{} ", phase.name());
    }
    if let Some(metric) = &finding.metric {
        let _ = write!(line, "{metric} ");
    }
    line + finding.text.lines().next().unwrap_or_default()
}

/// Finds the line that names the scenario of a cell, in the text of its suite.
fn place(suite: &str, cell: &str) -> Option<(String, usize)> {
    let (name, rest) = cell.split_once('/')?;
    let scenario = rest.split('[').next()?;
    let names_it = |line: &str| {
        let value = line.trim().strip_prefix("name").and_then(|rest| rest.trim_start().strip_prefix('='));
        value.is_some_and(|value| value.trim().trim_matches(['"', '\'']) == scenario)
    };
    let index = suite.lines().position(names_it)?;
    Some((format!("scenarios/suites/{name}.toml"), index + 1))
}

/// Escapes the text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotation(level: Level, number: usize) -> Annotation {
        Annotation {
            level,
            title: format!("smoke/open[size=tiny,{number}] regressed: 5 %"),
            message: "cold: +5 %\nagain, with a comma".to_owned(),
            place: Some(("scenarios/suites/smoke.toml".to_owned(), number)),
        }
    }

    #[test]
    fn commands_are_escaped() {
        insta::assert_snapshot!(commands(&[annotation(Level::Error, 7)]), @"::error file=scenarios/suites/smoke.toml,line=7,title=smoke/open[size=tiny%2C7] regressed%3A 5 %25::cold: +5 %25%0Aagain, with a comma");
    }

    #[test]
    fn no_more_are_written_than_are_shown() {
        let check = |errors: usize, warnings: usize, expect: (usize, usize)| {
            let mut all: Vec<Annotation> =
                (0..errors).map(|number| annotation(Level::Error, number)).collect();
            all.extend((0..warnings).map(|number| annotation(Level::Warning, number)));
            let text = commands(&all);
            let count = |level: &str| text.lines().filter(|line| line.starts_with(level)).count();
            assert_eq!((count("::error "), count("::warning ")), expect, "{text}");
            assert_eq!(text.contains("cells more"), errors > MOST || warnings > MOST, "{text}");
            if errors > MOST {
                assert!(
                    text.contains(&format!("::error title=and {} cells more::", errors - MOST + 1)),
                    "{text}"
                );
            }
        };
        check(0, 0, (0, 0));
        check(10, 3, (10, 3));
        check(11, 0, (10, 0));
        check(500, 40, (10, 10));
    }

    #[test]
    fn every_scenario_of_a_suite_is_found() {
        let suites = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/suites");
        let mut found = 0;
        for entry in suites.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let Ok(suite) = scenarios::Suite::read(&path) else { continue };
            let text = std::fs::read_to_string(&path).unwrap();
            for cell in suite.cells() {
                let (file, line) = place(&text, &cell.id()).unwrap_or_else(|| panic!("{}", cell.id()));
                assert!(path.ends_with(&file), "{file}");
                let before = text.lines().nth(line - 2).unwrap();
                assert_eq!(before.trim(), "[[scenario]]", "{file}:{line}");
                found += 1;
            }
        }
        assert!(found > 100);
        assert_eq!(place("[[scenario]]\nname = \"a\"\n", "smoke/b[]"), None);
    }
}
