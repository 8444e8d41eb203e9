//! Reports of a run: for the terminal, as Markdown, as JSON, and the charts beside them.

mod annotations;
mod escape;
mod json;
mod junit;
mod markdown;
mod page;
mod room;
mod table;
mod terminal;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::chart;
use crate::evaluation::Evaluation;
use crate::history::OfRun;
use crate::paths::Paths;
use crate::record::Record;
use crate::units;

pub(crate) use annotations::{annotations, commands};
pub(crate) use escape::defused;
use json::json;
use junit::junit;
pub(crate) use markdown::{COMMENT_BYTES, Place};
use markdown::{LEAST_BYTES, markdown};
use page::Page;
use room::shares;
pub(crate) use table::{Align, Table};
use terminal::terminal;
pub(crate) use terminal::{Colors, advice, comparison_details, short};

/// The picture of where the processor time of two sides differs.
pub(crate) const DIFFERENCE: &str = "difference.svg";

/// The report for GitHub.
pub(crate) const MARKDOWN: &str = "report.md";

/// The page.
pub(crate) const PAGE: &str = "report.html";

/// The report for tools that know tests.
pub(crate) const JUNIT: &str = "junit.xml";

/// Lines of advice that are told at once: the times of a busy machine move in nearly every cell.
const ADVICE: usize = 12;

/// Writes the reports and the charts of a run into its folder, and returns the terminal report.
pub(crate) fn write(
    paths: &Paths,
    folder: &Path,
    record: &Record,
    evaluation: &Evaluation,
    json_copy: Option<&Path>,
    colors: Colors,
) -> anyhow::Result<String> {
    let charts = chart::write_all(&folder.join("charts"), record, evaluation)?;
    let drawn = drawn(folder, evaluation);
    let json = json(evaluation, &drawn);
    std::fs::write(folder.join("report.json"), &json).context("cannot write report.json")?;
    if let Some(copy) = json_copy {
        std::fs::write(copy, &json).with_context(|| format!("cannot write {}", copy.display()))?;
    }
    let place = Place::Folder(&charts);
    std::fs::write(folder.join(MARKDOWN), markdown(evaluation, &drawn, place, place.room()))
        .context("cannot write report.md")?;
    let mut files = vec![Paths::shown(&folder.join(PAGE)), Paths::shown(&folder.join(MARKDOWN))];
    files.extend(charts.iter().map(|name| Paths::shown(&folder.join("charts").join(format!("{name}.png")))));
    files.extend(drawn.values().map(|name| Paths::shown(&folder.join(name))));
    std::fs::write(folder.join(JUNIT), junit(record, evaluation)?).context("cannot write junit.xml")?;
    let plain = terminal(evaluation, &files, Colors::Never);
    let cells: Vec<&str> = evaluation.summary.cells.iter().map(|cell| cell.id.as_str()).collect();
    // A history that cannot be read is said on the page, and does not keep from the report of a run.
    let history = &OfRun::read(paths, record, &cells);
    let page = Page { record, evaluation, charts: &charts, drawn: &drawn, folder, history, terminal: &plain };
    std::fs::write(folder.join(PAGE), page::page(&page)?).context("cannot write report.html")?;
    Ok(terminal(evaluation, &files, colors))
}

/// Writes the reports of several runs for one place, which they share.
pub(crate) fn elsewhere(runs: &[(PathBuf, Evaluation)], place: Place<'_>) -> String {
    let write = |(folder, evaluation): &(PathBuf, Evaluation), room| {
        markdown(evaluation, &drawn(folder, evaluation), place, room)
    };
    let (shown, left_out) = runs.split_at(runs.len().min(place.room() / LEAST_BYTES - 1));
    let mut room = place.room();
    let mut more = String::new();
    if !left_out.is_empty() {
        more = format!("\n… and {} runs more, in the artifacts.\n", left_out.len());
        room -= more.len();
    }
    // Each text but the first has a line before it.
    let needed: Vec<usize> = shown.iter().map(|run| write(run, usize::MAX).len() + 1).collect();
    let rooms = shares(&needed, room);
    let texts: Vec<String> = shown.iter().zip(rooms).map(|(run, room)| write(run, room - 1)).collect();
    texts.join("\n") + &more
}

/// The pictures of where cells differ, by cell: their paths below the folder of a run.
type Drawn = BTreeMap<String, String>;

/// Returns the folder for the profile of a cell, in that of a run.
pub(crate) fn profile_folder(folder: &Path, cell: &str) -> PathBuf {
    folder.join("profiles").join(units::slug(cell))
}

/// Finds the pictures that were drawn for a run.
fn drawn(folder: &Path, evaluation: &Evaluation) -> Drawn {
    let mut drawn = Drawn::new();
    for cell in &evaluation.summary.cells {
        if profile_folder(folder, &cell.id).join(DIFFERENCE).is_file() {
            drawn.insert(cell.id.clone(), format!("profiles/{}/{DIFFERENCE}", units::slug(&cell.id)));
        }
    }
    drawn
}
