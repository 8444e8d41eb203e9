//! What is not as it was: a card for each cell, the most urgent first, with why and how to see it again.

use anyhow::Context as _;
use maud::{Markup, PreEscaped, html};

use super::{Page, badge, class};
use crate::report::{ADVICE, short};
use crate::verdict::{Finding, Verdict};

/// Cards that are open when the page is.
const OPEN: usize = 8;

/// Flame graphs that are put into the page; each may have a megabyte.
const GRAPHS: usize = 4;

/// Writes the cards and what was told beside them; nothing if there is nothing.
pub(super) fn changes(page: &Page<'_>) -> anyhow::Result<Option<Markup>> {
    let comparison = &page.evaluation.comparison;
    let cells = changed(page);
    if cells.is_empty() && comparison.advice.is_empty() {
        return Ok(None);
    }
    let mut cards = Vec::new();
    let mut graphs = 0;
    for (place, (cell, verdict)) in cells.iter().enumerate() {
        let graph = page.drawn.get(*cell).filter(|_| graphs < GRAPHS);
        let graph = graph.map(|path| {
            graphs += 1;
            let path = page.folder.join(path);
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        });
        cards.push(card(page, cell, *verdict, place < OPEN, graph.transpose()?.as_deref()));
    }
    Ok(Some(html! {
        @for card in cards { (card) }
        @if !comparison.advice.is_empty() {
            h3 { "Advice, from medians that do not gate" }
            ul { @for line in comparison.advice.iter().take(ADVICE) { li { (line) } } }
            @if let Some(more) = comparison.advice.get(ADVICE..).filter(|more| !more.is_empty()) {
                details {
                    summary { "and " (more.len()) " smaller changes" }
                    ul { @for line in more { li { (line) } } }
                }
            }
        }
    }))
}

/// Returns the cells that have findings, as the terminal orders them.
fn changed<'a>(page: &'a Page<'_>) -> Vec<(&'a str, Verdict)> {
    let comparison = &page.evaluation.comparison;
    let mut cells: Vec<(&str, Verdict)> = Vec::new();
    for finding in &comparison.findings {
        if !cells.iter().any(|(cell, _)| *cell == finding.cell) {
            cells.push((&finding.cell, comparison.cells[&finding.cell]));
        }
    }
    cells.sort_by_key(|(_, verdict)| std::cmp::Reverse(*verdict));
    cells
}

fn card(page: &Page<'_>, cell: &str, verdict: Verdict, is_open: bool, graph: Option<&str>) -> Markup {
    let comparison = &page.evaluation.comparison;
    let findings: Vec<&Finding> = comparison.findings.iter().filter(|finding| finding.cell == cell).collect();
    let command = match verdict {
        Verdict::Improved => {
            let suite = cell.split('/').next().unwrap_or_default();
            format!("cargo xtask baseline bless --reason '…' {suite}")
        }
        _ => page.evaluation.again_command(cell),
    };
    let lead = if verdict == Verdict::Improved { "If this is right, bless it:" } else { "To see it again:" };
    html! {
        details.card.(class(verdict)) open[is_open] {
            summary { (badge(verdict)) " " b { (short(cell)) } " " span.count { (findings_text(findings.len())) } }
            ul.findings {
                @for finding in findings {
                    li {
                        span.(class(finding.verdict)) { (finding.verdict.name()) }
                        @if let Some(phase) = finding.phase { " " (phase.name()) }
                        @if let Some(metric) = &finding.metric { " " code { (metric) } }
                        " " span.text { (finding.text) }
                    }
                }
            }
            @if let Some(why) = comparison.why.get(cell) {
                h3 { "Why" }
                pre.why tabindex="0" { (why) }
            }
            p { (lead) }
            (copied(&command))
            @if let Some(graph) = graph {
                h3 { "Where the processor time differs" }
                p.note { "Red: the head takes more; blue: less. Click a frame to look closer." }
                iframe.flame title=(format!("Differential flame graph of {cell}")) loading="lazy"
                    sandbox="allow-scripts" srcdoc=(graph) {}
            } @else if let Some(path) = page.drawn.get(cell) {
                p { "Where the processor time differs: " code { (path) } " in the folder of the run." }
            }
            p { a href=(format!("#{}", anchor(page, cell))) { "All that was measured of this cell" } }
        }
    }
}

fn findings_text(count: usize) -> String {
    if count == 1 { "1 finding".to_owned() } else { format!("{count} findings") }
}

fn anchor(page: &Page<'_>, cell: &str) -> String {
    let place = page.evaluation.summary.cells.iter().position(|other| other.id == cell);
    place.map_or_else(|| "cells".to_owned(), |index| format!("cell-{index}"))
}

/// Writes a command with a button that copies it.
pub(super) fn copied(command: &str) -> Markup {
    html! {
        div.command {
            pre tabindex="0" { code { (command) } }
            button.copy type="button" hidden { "Copy" }
        }
    }
}

/// Writes a chart that this harness has drawn.
pub(super) fn chart(svg: &str, name: &str) -> Markup {
    html! {
        figure { div.scroll tabindex="0" role="img" aria-label=(name) { (PreEscaped(svg)) } }
    }
}
