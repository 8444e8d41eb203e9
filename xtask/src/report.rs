//! Reports of a run: for the terminal, as Markdown, as JSON, and the charts beside them.

mod json;
mod markdown;
mod table;
mod terminal;

use std::path::Path;

use anyhow::Context as _;

use crate::chart;
use crate::evaluation::Evaluation;
use crate::paths::Paths;

use json::json;
use markdown::markdown;
pub(crate) use table::{Align, Table};
use terminal::terminal;
pub(crate) use terminal::{Colors, comparison_details, short};

/// Writes report.md, report.json and the charts of a run, and returns the terminal report.
pub(crate) fn write(
    folder: &Path,
    evaluation: &Evaluation,
    json_copy: Option<&Path>,
    colors: Colors,
) -> anyhow::Result<String> {
    let charts = chart::write_all(&folder.join("charts"), evaluation)?;
    let json = json(evaluation);
    std::fs::write(folder.join("report.json"), &json).context("cannot write report.json")?;
    if let Some(copy) = json_copy {
        std::fs::write(copy, &json).with_context(|| format!("cannot write {}", copy.display()))?;
    }
    std::fs::write(folder.join("report.md"), markdown(evaluation, &charts))
        .context("cannot write report.md")?;
    let mut files = vec![Paths::shown(&folder.join("report.md"))];
    files.extend(charts.iter().map(|name| Paths::shown(&folder.join("charts").join(format!("{name}.png")))));
    Ok(terminal(evaluation, &files, colors))
}
