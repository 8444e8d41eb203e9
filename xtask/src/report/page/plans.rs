//! What planning costs each cell, and how the plans of two sides differ.

use maud::{Markup, html};
use scenarios::{Phase, Stage};

use super::Page;
use super::changes::copied;
use super::value::{bar, base_counted, change, count, counted};
use crate::evaluation::quoted;
use crate::summary::CellSummary;
use crate::units;

/// Writes the table and the differences.
pub(super) fn plans(page: &Page<'_>) -> Markup {
    let phases = [Phase::Cold, Phase::Warm];
    let plans =
        |cell: &CellSummary| phases.iter().any(|phase| planning(cell, *phase).is_some_and(|(ns, _)| ns > 0));
    let cells: Vec<&CellSummary> = page.cells().map(|(_, cell, _)| cell).filter(|cell| plans(cell)).collect();
    let differences = &page.record.differences;
    let example = cells.first().map(|cell| format!("cargo xtask explain {}", quoted(&cell.id)));
    html! {
        @if cells.is_empty() { p { "No cell planned a query." } }
        @else {
            p.note { "Time of the stage " (Stage::QueryPlanning.name()) ", its share of the wall time, and plans built by an execution." }
            div.scroll tabindex="0" role="group" aria-label="Query planning" { table {
                thead { tr {
                    th scope="col" { "cell" }
                    @for phase in phases {
                        th.number scope="col" { (phase.name()) " planning" }
                        th scope="col" { "share" }
                        th.number scope="col" { (phase.name()) " plans" }
                    }
                } }
                tbody { @for cell in &cells { tr {
                    th scope="row" { (page.link(&cell.id)) }
                    @for phase in phases { (fields(page, cell, phase)) }
                } } }
            } }
        }
        @if !differences.is_empty() {
            h3 { "Where both sides answer differently" }
            @for difference in differences {
                h4 { (page.link(&difference.cell)) }
                @for said in &difference.said { pre tabindex="0" { (said) } }
            }
        }
        @if let Some(command) = example {
            p { "The plans of a cell, what was found about them, and their accesses:" }
            (copied(&command))
        }
    }
}

fn fields(page: &Page<'_>, cell: &CellSummary, phase: Phase) -> Markup {
    let plans = counted(cell, phase, "plans_built");
    let base = base_counted(page, &cell.id, phase, "plans_built");
    html! {
        @match planning(cell, phase) {
            Some((ns, share)) => {
                td.number { (units::nanoseconds(ns)) }
                td { span.share { (bar(share, "stage-query_planning")) span { (format!("{:.0} %", share * 100.0)) } } }
            }
            None => { td.number { "–" } td { "–" } }
        }
        td.number {
            @match plans { Some(plans) => (count(plans)), None => "–" }
            @if let (Some(base), Some(plans)) = (base, plans) {
                @if base != plans { " " (change(base, plans, true)) }
            }
        }
    }
}

/// Returns the time of planning and its share of the wall time.
fn planning(cell: &CellSummary, phase: Phase) -> Option<(u64, f64)> {
    let ns = cell.spread(phase, &format!("stage.{}.ns", Stage::QueryPlanning.name()))?.median;
    let wall = cell.spread(phase, "wall_ns")?.median;
    Some((ns, ns as f64 / wall.max(1) as f64))
}
