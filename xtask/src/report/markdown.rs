//! The report in Markdown: the verdict first, then what regressed, the rest folded; never longer than its place takes.

use std::fmt::Write as _;

use scenarios::STAGES;

use super::Drawn;
use super::escape::{block, code, text};
use super::room::{Section, fitted};
use super::table::{Align, Table};
use super::terminal::{cell_table, short};
use crate::evaluation::Evaluation;
use crate::exit::Exit;
use crate::units;
use crate::verdict::{Finding, Verdict};

/// Bytes of a comment on GitHub, which takes 65,536 characters, with room for what it adds.
pub(crate) const COMMENT_BYTES: usize = 60_000;

/// Bytes of what `report` prints for a comment, of which two jobs of a workflow share one. There is a first line besides.
const COMMENT_PART_BYTES: usize = 28_700;

/// Bytes of the summary of a step, of which GitHub takes a MiB.
const SUMMARY_BYTES: usize = 1_000_000;

/// Bytes in which every report has room for its verdict and for what to say of the rest.
pub(crate) const LEAST_BYTES: usize = 2_500;

/// Commands that are shown to see findings again.
const MOST_COMMANDS: usize = 20;

/// Letters of a text in a row that are shown.
const MOST_LETTERS: usize = 300;

/// Where a report will be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// In the folder of its run, beside charts of these names.
    Folder(&'a [String]),
    /// In a comment on a pull request.
    Comment,
    /// In the summary of a job.
    Summary,
}

impl Place<'_> {
    /// Returns how many bytes may be written there.
    pub(crate) fn room(self) -> usize {
        match self {
            Self::Folder(_) => COMMENT_BYTES,
            Self::Comment => COMMENT_PART_BYTES,
            Self::Summary => SUMMARY_BYTES,
        }
    }

    fn rest(self) -> &'static str {
        match self {
            Self::Folder(_) => "All of it is in `report.json`, beside this file.",
            Self::Comment | Self::Summary => "All of it is in `report.json`, in the artifacts of the run.",
        }
    }
}

/// Writes the report in so many bytes at most; `drawn` are the flame graphs.
pub(crate) fn markdown(evaluation: &Evaluation, drawn: &Drawn, place: Place<'_>, room: usize) -> String {
    let mut sections = vec![Section::whole("Verdict", 0, head(evaluation))];
    sections.extend(findings(evaluation));
    sections.extend(commands(evaluation));
    sections.extend(blessing(evaluation));
    sections.extend(flame_graphs(drawn, place));
    let advice = "Advice, from medians that do not gate";
    sections.extend(list(advice, 6, &texts(&evaluation.comparison.advice)));
    let notes = [evaluation.summary.notes.as_slice(), &evaluation.comparison.notes].concat();
    sections.extend(list("Notes", 7, &texts(&notes)));
    sections.extend(failures(evaluation));
    sections.push(folded_table("All cells", 8, &cell_table(evaluation).mapped(text)));
    sections.push(folded_table("Stages, cold, medians of time", 9, &stage_table(evaluation).mapped(text)));
    sections.extend(charts(place));
    sections.push(machine(evaluation));
    fitted(&sections, room.max(LEAST_BYTES), place.rest())
}

fn head(evaluation: &Evaluation) -> String {
    let mark = match evaluation.exit() {
        Exit::Pass => "✅",
        Exit::Inconclusive | Exit::Incomparable => "⚠️",
        Exit::Regression | Exit::Failed | Exit::Usage => "❌",
    };
    let revision = text(&shortened(&evaluation.summary.context.revision));
    let base = match &evaluation.base {
        Some(base) => text(&shortened(&base.origin)),
        None => "nothing".to_owned(),
    };
    let verdict = text(&shortened(&evaluation.verdict_line()));
    format!("## {mark} {verdict}\n\nRevision {revision}, compared with {base}.\n")
}

/// Writes what is not as it was: what regressed first, then what failed.
fn findings(evaluation: &Evaluation) -> Option<Section> {
    let mut findings: Vec<&Finding> = evaluation.comparison.findings.iter().collect();
    findings
        .sort_by_key(|finding| (finding.verdict != Verdict::Regressed, std::cmp::Reverse(finding.verdict)));
    let mut table = Table::new(&[
        ("verdict", Align::Left),
        ("cell", Align::Left),
        ("phase", Align::Left),
        ("metric", Align::Left),
        ("what", Align::Left),
    ]);
    for finding in &findings {
        table.row(vec![
            finding.verdict.name().to_owned(),
            code(&shortened(&finding.cell)),
            finding.phase.map_or("", |phase| phase.name()).to_owned(),
            text(finding.metric.as_deref().unwrap_or_default()),
            text(&shortened(finding.text.lines().next().unwrap_or_default())),
        ]);
    }
    let (heading, rows) = table.markdown_rows();
    let section =
        Section { name: "Findings", rank: 1, before: format!("\n{heading}"), rows, after: String::new() };
    (!findings.is_empty()).then_some(section)
}

fn commands(evaluation: &Evaluation) -> Option<Section> {
    let mut cells: Vec<&str> = Vec::new();
    for finding in evaluation.comparison.findings.iter().filter(|finding| finding.verdict > Verdict::Improved)
    {
        if !cells.contains(&finding.cell.as_str()) {
            cells.push(&finding.cell);
        }
    }
    let shown: Vec<String> =
        cells.iter().take(MOST_COMMANDS).map(|cell| evaluation.again_command(cell)).collect();
    let mut body = format!("\nTo see it again:\n\n{}", block("sh", &shown.join("\n")));
    if cells.len() > MOST_COMMANDS {
        let _ = writeln!(body, "\n… and {} more cells.", cells.len() - MOST_COMMANDS);
    }
    (!cells.is_empty()).then(|| Section::whole("To see it again", 2, body))
}

fn blessing(evaluation: &Evaluation) -> Option<Section> {
    let mut verdicts = evaluation.comparison.cells.values();
    verdicts.any(|verdict| *verdict == Verdict::Improved).then(|| {
        let command = format!("cargo xtask baseline bless {} --reason '…'", evaluation.summary.suite);
        Section::whole("How to bless", 3, format!("\nIf what improved is right: {}\n", code(&command)))
    })
}

fn failures(evaluation: &Evaluation) -> Option<Section> {
    let name = "Standard error of failed cells";
    let cells = evaluation.summary.cells.iter();
    let failures = cells.flat_map(|cell| &cell.failures).filter(|failure| !failure.stderr.is_empty());
    let bodies = failures.map(|failure| {
        format!("{}\n\n{}\n", code(&shortened(&failure.cell)), block("text", &failure.stderr))
    });
    let rows: Vec<String> = bodies.collect();
    (!rows.is_empty()).then(|| fold(name, 4, String::new(), rows))
}

fn flame_graphs(drawn: &Drawn, place: Place<'_>) -> Option<Section> {
    let name = "Flame graphs, red where the head takes more processor time";
    let lines: Vec<String> = drawn
        .iter()
        .map(|(cell, path)| match place {
            Place::Folder(_) => format!("[{}]({path})", code(cell)),
            // There a path would lead nowhere.
            Place::Comment | Place::Summary => format!("{}: {} in the artifacts", code(cell), code(path)),
        })
        .collect();
    list(name, 5, &lines)
}

fn charts(place: Place<'_>) -> Option<Section> {
    match place {
        Place::Folder([]) => None,
        Place::Folder(names) => {
            let rows = names.iter().map(|name| format!("![{name}](charts/{name}.svg)\n\n")).collect();
            Some(Section { after: "</details>\n".to_owned(), ..fold("Charts", 10, String::new(), rows) })
        }
        // Pictures of a folder are not shown there.
        Place::Comment | Place::Summary => {
            let text = "\nCharts and the page are in the artifacts of the run.\n";
            Some(Section::whole("Charts", 10, text.to_owned()))
        }
    }
}

fn machine(evaluation: &Evaluation) -> Section {
    let summary = &evaluation.summary;
    let context = &summary.context;
    let line = format!(
        "Run {}, engine {} ({} build). {}.",
        summary.run, context.engine_version, context.profile, context.machine
    );
    fold("Machine", 11, text(&line) + "\n", Vec::new())
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

fn list(name: &'static str, rank: u8, lines: &[String]) -> Option<Section> {
    let rows = lines.iter().map(|line| format!("- {line}\n")).collect();
    let section = Section { name, rank, before: format!("\n**{name}**\n\n"), rows, after: String::new() };
    (!lines.is_empty()).then_some(section)
}

fn folded_table(name: &'static str, rank: u8, table: &Table) -> Section {
    let (heading, rows) = table.markdown_rows();
    fold(name, rank, heading, rows)
}

fn fold(name: &'static str, rank: u8, heading: String, rows: Vec<String>) -> Section {
    let before = format!("\n<details><summary>{name}</summary>\n\n{heading}");
    Section { name, rank, before, rows, after: "\n</details>\n".to_owned() }
}

fn texts(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| text(line)).collect()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
