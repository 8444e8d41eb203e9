//! `report.html`: the whole report as one page that needs no network, no other file, and no script to be read.
//!
//! The verdict comes first, then what changed, then the five views (timing, caches, plans, accesses, resources) and the
//! history. Text from outside reaches the page through maud, which escapes it; only charts, which this harness has
//! drawn, go in as they are. The script sorts, filters and copies, and the page says the same without it.

mod accesses;
mod caches;
mod cells;
mod changes;
mod detail;
mod environment;
mod head;
mod history;
mod interval;
mod pictures;
mod plans;
mod trend;
mod value;

use std::path::Path;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Drawn;
use crate::chart;
use crate::evaluation::Evaluation;
use crate::history::OfRun;
use crate::record::Record;
use crate::summary::CellSummary;
use crate::verdict::Verdict;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// Nothing is fetched, whatever a name in the data holds.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// What the page shows.
pub(super) struct Page<'a> {
    /// The run.
    pub(super) record: &'a Record,
    /// What it says.
    pub(super) evaluation: &'a Evaluation,
    /// The names of the charts.
    pub(super) charts: &'a [String],
    /// The flame graphs.
    pub(super) drawn: &'a Drawn,
    /// The folder that both are in.
    pub(super) folder: &'a Path,
    /// What the history of the suite says, if there is one.
    pub(super) history: &'a anyhow::Result<Option<OfRun>>,
    /// The report for the terminal, without colours.
    pub(super) terminal: &'a str,
}

impl Page<'_> {
    /// Returns the cells of the run with their verdicts, in suite order.
    fn cells(&self) -> impl Iterator<Item = (usize, &CellSummary, Verdict)> {
        let verdicts = &self.evaluation.comparison.cells;
        let cells = self.evaluation.summary.cells.iter().enumerate();
        cells.map(|(index, cell)| {
            (index, cell, verdicts.get(&cell.id).copied().unwrap_or(Verdict::NotCompared))
        })
    }

    /// Writes a link to the details of a cell; a cell of the base alone has none.
    fn link(&self, id: &str) -> Markup {
        let place = self.evaluation.summary.cells.iter().position(|cell| cell.id == id);
        let name = super::short(id);
        html! {
            @match place {
                Some(index) => a.cell href=(format!("#cell-{index}")) { (name) },
                None => span.cell { (name) },
            }
        }
    }
}

/// A part of the page: its anchor, its name in the navigation, and its heading.
struct Part {
    anchor: &'static str,
    name: &'static str,
    heading: &'static str,
    body: Markup,
}

/// Writes the page.
pub(super) fn page(page: &Page<'_>) -> anyhow::Result<String> {
    let part = |anchor, name, heading, body| Part { anchor, name, heading, body };
    let mut parts = Vec::new();
    if let Some(changes) = changes::changes(page)? {
        parts.push(part("changes", "Changes", "What changed", changes));
    }
    parts.push(part("cells", "Cells", "All cells", cells::cells(page)));
    let timing = pictures::timing(page)?;
    parts.push(part("timing", "Timing", "Operation timing", timing));
    parts.push(part("caches", "Caches", "Cache effectiveness", caches::caches(page)));
    parts.push(part("plans", "Plans", "Query plans", plans::plans(page)));
    parts.push(part("accesses", "I/O", "I/O access patterns", accesses::accesses(page)));
    parts.push(part("resources", "Resources", "Resource use over time", pictures::resources(page)?));
    parts.push(part("history", "History", "History", history::history(page)));
    parts.push(part("details", "Details", "Each cell in detail", detail::details(page)));
    parts.push(part("environment", "Environment", "Environment", environment::environment(page)));
    let summary = &page.evaluation.summary;
    let title = format!("{} {}: {}", summary.suite, summary.run, page.evaluation.verdict_word());
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(chart::stage_styles())) }
            }
            body {
                a.skip href="#main" { "Skip to the report" }
                (head::head(page))
                nav aria-label="Parts of the report" {
                    @for part in &parts {
                        a href=(format!("#{}", part.anchor)) { (part.name) }
                    }
                }
                main id="main" {
                    @for Part { anchor, heading, body, .. } in &parts {
                        section id=(anchor) aria-labelledby=(format!("{anchor}-heading")) {
                            h2 id=(format!("{anchor}-heading")) { (heading) }
                            (body)
                        }
                    }
                    details {
                        summary { "The report as the terminal has it" }
                        pre tabindex="0" { (page.terminal) }
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(markup.into_string())
}

/// Writes the verdict of a cell so that it can be told without colours.
fn badge(verdict: Verdict) -> Markup {
    let mark = match verdict {
        Verdict::NotCompared => "·",
        Verdict::Unchanged => "=",
        Verdict::Improved => "▼",
        Verdict::Inconclusive => "?",
        Verdict::Incomparable => "≠",
        Verdict::Regressed => "▲",
        Verdict::Failed => "✕",
    };
    html! {
        span.badge.(class(verdict)) { span aria-hidden="true" { (mark) } " " (verdict.name()) }
    }
}

/// Returns the class that gives a verdict its colour.
fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NotCompared | Verdict::Unchanged => "quiet",
        Verdict::Improved => "good",
        Verdict::Inconclusive | Verdict::Incomparable => "doubt",
        Verdict::Regressed | Verdict::Failed => "bad",
    }
}
