//! The report for the terminal: a table, then what is not unchanged, then where to read more.

use std::fmt::Write as _;
use std::io::IsTerminal;

use scenarios::{Phase, Workload};

use super::ADVICE;
use super::table::{Align, Table};
use crate::evaluation::Evaluation;
use crate::exit::Exit;
use crate::summary::CellSummary;
use crate::timing::Timing;
use crate::units;
use crate::verdict::{Comparison, Verdict};

/// Whether to colour words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colors {
    /// Plain text.
    Never,
    /// Colours of the terminal.
    Always,
}

impl Colors {
    /// Colours on a terminal, unless NO_COLOR is set.
    pub(crate) fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !refused { Self::Always } else { Self::Never }
    }

    fn paint(self, exit: Exit, text: &str) -> String {
        let code = match exit {
            Exit::Pass => "32",
            Exit::Inconclusive | Exit::Incomparable => "33",
            Exit::Regression | Exit::Failed | Exit::Usage => "31",
        };
        match self {
            Self::Never => text.to_owned(),
            Self::Always => format!("\x1b[1;{code}m{text}\x1b[0m"),
        }
    }
}

/// Writes the report of a run.
pub(crate) fn terminal(evaluation: &Evaluation, files: &[String], colors: Colors) -> String {
    let summary = &evaluation.summary;
    let mut out = String::new();
    let context = &summary.context;
    let _ = writeln!(out, "run {} of revision {}", summary.run, context.revision);
    let _ = writeln!(out, "machine: {}", context.machine);
    match &evaluation.base {
        Some(base) => writeln!(out, "compared with {}", base.origin),
        None => writeln!(out, "compared with nothing"),
    }
    .expect("writing to a string does not fail");
    out.push('\n');
    out.push_str(&cell_table(evaluation).terminal());
    let again = |cell: &str| evaluation.again_command(cell);
    out.push_str(&comparison_details(&evaluation.comparison, &again, colors));
    out.push_str(&advice(&evaluation.comparison, ADVICE));
    section(&mut out, "Notes", &[summary.notes.clone(), evaluation.comparison.notes.clone()].concat());
    section(&mut out, "Files", files);
    out.push('\n');
    out.push_str(&colors.paint(evaluation.exit(), &evaluation.verdict_line()));
    out.push('\n');
    out
}

/// Writes what is not unchanged: findings by cell, each with the command that shows it again.
pub(crate) fn comparison_details(
    comparison: &Comparison,
    again: &dyn Fn(&str) -> String,
    colors: Colors,
) -> String {
    let mut out = String::new();
    let mut cells: Vec<(&String, Verdict)> = Vec::new();
    for finding in &comparison.findings {
        if !cells.iter().any(|(cell, _)| *cell == &finding.cell) {
            cells.push((&finding.cell, comparison.cells[&finding.cell]));
        }
    }
    cells.sort_by_key(|(_, verdict)| std::cmp::Reverse(*verdict));
    for (cell, verdict) in cells {
        let heading = colors.paint(verdict.exit(), &verdict.name().to_uppercase());
        let _ = writeln!(out, "\n{heading} {cell}");
        for finding in comparison.findings.iter().filter(|finding| &finding.cell == cell) {
            let mut place = String::new();
            if let Some(phase) = finding.phase {
                let _ = write!(place, "{} ", phase.name());
            }
            if let Some(metric) = &finding.metric {
                let _ = write!(place, "{metric} ");
            }
            let text = finding.text.replace('\n', "\n    ");
            let own = finding.verdict.name();
            let _ = writeln!(out, "  {own}: {place}{text}");
        }
        if let Some(why) = comparison.why.get(cell) {
            let _ = writeln!(out, "  why: {}", why.replace('\n', "\n       "));
        }
        let command = match verdict {
            Verdict::Improved => "if this is right, bless it: cargo xtask baseline bless --reason '…' SUITE"
                .replace("SUITE", cell.split('/').next().unwrap_or_default()),
            _ => format!("again: {}", again(cell)),
        };
        let _ = writeln!(out, "  {command}");
    }
    out
}

/// Writes what moved and does not gate, the largest first, so many lines at most.
pub(crate) fn advice(comparison: &Comparison, most: usize) -> String {
    let mut out = String::new();
    let (told, more) = comparison.advice.split_at(comparison.advice.len().min(most));
    section(&mut out, "Advice, from medians that do not gate", told);
    if !more.is_empty() {
        let _ = writeln!(out, "  … and {} smaller changes, in report.html", more.len());
    }
    out
}

fn section(out: &mut String, heading: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{heading}");
    for line in lines {
        let _ = writeln!(out, "  {line}");
    }
}

/// Makes the table of all cells.
pub(super) fn cell_table(evaluation: &Evaluation) -> Table {
    match &evaluation.timing {
        Some(timing) => pair_table(evaluation, timing),
        None if evaluation.summary.cells.iter().all(|cell| cell.cell.workload.is_micro()) => {
            micro_table(evaluation)
        }
        None => side_table(evaluation),
    }
}

/// Makes the table of benchmarks that cargo ran: what each measured, and what the base had.
fn micro_table(evaluation: &Evaluation) -> Table {
    let mut table = Table::new(&[
        ("cell", Align::Left),
        ("by", Align::Left),
        ("base", Align::Right),
        ("measured", Align::Right),
        ("change", Align::Right),
        ("verdict", Align::Left),
    ]);
    for cell in &evaluation.summary.cells {
        let none = || "–".to_owned();
        let verdict = evaluation.comparison.cells.get(&cell.id).copied().unwrap_or(Verdict::NotCompared);
        let metric = if cell.cell.workload == Workload::Callgrind { "instructions" } else { "wall_ns" };
        let mut pairs = evaluation.comparison.medians.iter();
        let pair = pairs.find(|pair| pair.cell == cell.id && pair.metric == metric);
        let measured = cell.spread(Phase::Warm, metric);
        table.row(vec![
            short(&cell.id).to_owned(),
            cell.cell.workload.name().to_owned(),
            pair.map_or_else(none, |pair| units::metric(metric, pair.base)),
            measured.map_or_else(none, |spread| units::metric(metric, spread.median)),
            pair.map_or_else(none, |pair| units::change(pair.base, pair.head)),
            verdict.name().to_owned(),
        ]);
    }
    table
}

/// Makes the table of what pairs of processes say.
fn pair_table(evaluation: &Evaluation, timing: &Timing) -> Table {
    let mut table = Table::new(&[
        ("cell", Align::Left),
        ("phase", Align::Left),
        ("base", Align::Right),
        ("head", Align::Right),
        ("change", Align::Right),
        ("interval of 95 %", Align::Right),
        ("would find", Align::Right),
        ("pairs", Align::Right),
        ("verdict", Align::Left),
    ]);
    for cell in &evaluation.summary.cells {
        let verdict = evaluation.comparison.cells.get(&cell.id).copied().unwrap_or(Verdict::NotCompared);
        let mut row = vec![short(&cell.id).to_owned()];
        match timing.cells.get(&cell.id) {
            Some(pairs) => row.extend(pairs.columns()),
            None => row.extend((0..7).map(|_| "–".to_owned())),
        }
        row.push(verdict.name().to_owned());
        table.row(row);
    }
    table
}

fn side_table(evaluation: &Evaluation) -> Table {
    let mut table = Table::new(&[
        ("cell", Align::Left),
        ("cold", Align::Right),
        ("±", Align::Right),
        ("warm", Align::Right),
        ("±", Align::Right),
        ("cold CPU", Align::Right),
        ("peak RSS", Align::Right),
        ("rows", Align::Right),
        ("verdict", Align::Left),
    ]);
    for cell in &evaluation.summary.cells {
        let verdict = evaluation.comparison.cells.get(&cell.id).copied().unwrap_or(Verdict::NotCompared);
        table.row(cell_row(cell, verdict));
    }
    table
}

fn cell_row(cell: &CellSummary, verdict: Verdict) -> Vec<String> {
    let none = || "–".to_owned();
    let time = |phase, metric| {
        cell.spread(phase, metric).map_or_else(none, |spread| units::nanoseconds(spread.median))
    };
    let deviation =
        |phase| cell.spread(phase, "wall_ns").map_or_else(none, |spread| units::nanoseconds(spread.mad));
    // The peak of a process never falls, so its warm executions hold the larger value.
    let peak =
        [Phase::Cold, Phase::Warm].into_iter().filter_map(|phase| cell.spread(phase, "peak_rss_bytes"));
    vec![
        short(&cell.id).to_owned(),
        time(Phase::Cold, "wall_ns"),
        deviation(Phase::Cold),
        time(Phase::Warm, "wall_ns"),
        deviation(Phase::Warm),
        time(Phase::Cold, "cpu_ns"),
        peak.map(|spread| spread.median).max().map_or_else(none, units::bytes),
        cell.answer.as_ref().map_or_else(none, |answer| units::count(answer.rows)),
        verdict.name().to_owned(),
    ]
}

/// Shortens a cell's name by its suite, where the suite is clear.
pub(crate) fn short(id: &str) -> &str {
    id.split_once('/').map_or(id, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_of_the_advice_is_counted() {
        let lines = (0..5).map(|line| format!("line {line}")).collect();
        let comparison = Comparison { advice: lines, ..Comparison::default() };
        let text = advice(&comparison, 3);
        assert!(text.ends_with("  line 1\n  line 2\n  … and 2 smaller changes, in report.html\n"), "{text}");
        assert!(advice(&comparison, 5).ends_with("  line 4\n"));
        assert_eq!(advice(&Comparison::default(), 3), "");
    }
}
