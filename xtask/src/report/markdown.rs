//! The report in Markdown, fit for a comment on a pull request: the verdict first, the rest folded.

use std::fmt::Write as _;

use scenarios::STAGES;

use super::Drawn;
use super::table::{Align, Table};
use super::terminal::{cell_table, short};
use crate::evaluation::Evaluation;
use crate::exit::Exit;
use crate::units;
use crate::verdict::{Finding, Verdict};

const MOST_FINDINGS: usize = 100;

/// Writes the report; `charts` are the names of the chart files without their extensions, `drawn` the flame graphs.
pub(crate) fn markdown(evaluation: &Evaluation, charts: &[String], drawn: &Drawn) -> String {
    let summary = &evaluation.summary;
    let mark = match evaluation.exit() {
        Exit::Pass => "✅",
        Exit::Inconclusive | Exit::Incomparable => "⚠️",
        Exit::Regression | Exit::Failed | Exit::Usage => "❌",
    };
    let mut out = format!("## {mark} {}\n\n", evaluation.verdict_line());
    match &evaluation.base {
        Some(base) => writeln!(out, "Revision {}, compared with {}.", summary.context.revision, base.origin),
        None => writeln!(out, "Revision {}, compared with nothing.", summary.context.revision),
    }
    .expect("writing to a string does not fail");
    findings(&mut out, evaluation);
    let links: Vec<String> = drawn.iter().map(|(cell, path)| format!("[`{cell}`]({path})")).collect();
    list(&mut out, "Flame graphs, red where the head takes more processor time", &links);
    list(&mut out, "Advice, from medians that do not gate", &evaluation.comparison.advice);
    list(&mut out, "Notes", &[summary.notes.clone(), evaluation.comparison.notes.clone()].concat());
    failures(&mut out, evaluation);
    fold(&mut out, "All cells", &cell_table(evaluation).markdown());
    fold(&mut out, "Stages, cold, medians of time", &stage_table(evaluation).markdown());
    if !charts.is_empty() {
        let links: Vec<String> = charts.iter().map(|name| format!("![{name}](charts/{name}.svg)")).collect();
        fold(&mut out, "Charts", &format!("{}\n", links.join("\n\n")));
    }
    let context = &summary.context;
    let machine = format!(
        "Run {}, engine {} ({} build). {}.\n",
        summary.run, context.engine_version, context.profile, context.machine
    );
    fold(&mut out, "Machine", &machine);
    out
}

fn findings(out: &mut String, evaluation: &Evaluation) {
    let mut findings: Vec<&Finding> = evaluation.comparison.findings.iter().collect();
    if findings.is_empty() {
        return;
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    let mut table = Table::new(&[
        ("verdict", Align::Left),
        ("cell", Align::Left),
        ("phase", Align::Left),
        ("metric", Align::Left),
        ("what", Align::Left),
    ]);
    for finding in findings.iter().take(MOST_FINDINGS) {
        table.row(vec![
            finding.verdict.name().to_owned(),
            format!("`{}`", finding.cell),
            finding.phase.map_or("", |phase| phase.name()).to_owned(),
            finding.metric.clone().unwrap_or_default(),
            finding.text.lines().next().unwrap_or_default().to_owned(),
        ]);
    }
    let _ = write!(out, "\n{}", table.markdown());
    if findings.len() > MOST_FINDINGS {
        let _ = writeln!(out, "\n{} more are in report.json.", findings.len() - MOST_FINDINGS);
    }
    let mut cells: Vec<&str> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.verdict > Verdict::Improved) {
        if !cells.contains(&finding.cell.as_str()) {
            cells.push(&finding.cell);
        }
    }
    if !cells.is_empty() {
        let commands: Vec<String> = cells.iter().map(|cell| evaluation.again_command(cell)).collect();
        let _ = write!(out, "\nTo see it again:\n\n```sh\n{}\n```\n", commands.join("\n"));
    }
    if evaluation.comparison.cells.values().any(|verdict| *verdict == Verdict::Improved) {
        let suite = &evaluation.summary.suite;
        let _ =
            writeln!(out, "\nIf what improved is right: `cargo xtask baseline bless {suite} --reason '…'`");
    }
}

fn failures(out: &mut String, evaluation: &Evaluation) {
    let mut body = String::new();
    let cells = evaluation.summary.cells.iter();
    for failure in cells.flat_map(|cell| &cell.failures).filter(|failure| !failure.stderr.is_empty()) {
        let _ = write!(body, "`{}`\n\n~~~~text\n{}\n~~~~\n", failure.cell, failure.stderr);
    }
    if !body.is_empty() {
        fold(out, "Standard error of failed cells", &body);
    }
}

fn stage_table(evaluation: &Evaluation) -> Table {
    let mut table = Table::new(&[
        ("cell", Align::Left),
        ("stage", Align::Left),
        ("time", Align::Right),
        ("share", Align::Right),
    ]);
    for cell in &evaluation.summary.cells {
        let phase = scenarios::Phase::Cold;
        let Some(wall) = cell.spread(phase, "wall_ns") else { continue };
        for stage in STAGES {
            let Some(time) = cell.spread(phase, &format!("stage.{}.ns", stage.name())) else { continue };
            if time.median > 0 {
                let share = time.median as f64 * 100.0 / wall.median.max(1) as f64;
                table.row(vec![
                    short(&cell.id).to_owned(),
                    stage.name().to_owned(),
                    units::nanoseconds(time.median),
                    format!("{share:.1} %"),
                ]);
            }
        }
    }
    table
}

fn list(out: &mut String, heading: &str, lines: &[String]) {
    if !lines.is_empty() {
        let _ = write!(out, "\n**{heading}**\n\n");
        for line in lines {
            let _ = writeln!(out, "- {line}");
        }
    }
}

fn fold(out: &mut String, heading: &str, body: &str) {
    let _ = write!(out, "\n<details><summary>{heading}</summary>\n\n{body}\n</details>\n");
}
