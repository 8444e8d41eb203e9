//! Each cell in detail: a waterfall of its stages, its counters, and what did not repeat.

use maud::{Markup, html};
use scenarios::{Metric, Phase, STAGES};

use super::changes::copied;
use super::value::{base_counted, base_median, change, count, counted};
use super::{Page, badge};
use crate::measured::Values;
use crate::report::short;
use crate::summary::{CellSummary, PhaseSummary};
use crate::units;
use crate::verdict::Verdict;

/// Writes a part that opens for every cell.
pub(super) fn details(page: &Page<'_>) -> Markup {
    html! {
        @for (index, cell, verdict) in page.cells() { (detail(page, index, cell, verdict)) }
    }
}

fn detail(page: &Page<'_>, index: usize, cell: &CellSummary, verdict: Verdict) -> Markup {
    html! {
        details.cell-detail id=(format!("cell-{index}")) {
            summary { (badge(verdict)) " " b { (short(&cell.id)) } }
            p.note {
                (cell.processes) " of " (cell.planned) " processes"
                @if let Some(files) = cell.files { ", " (units::count(files)) " files" }
                @if let Some(answer) = &cell.answer { ", " (units::count(answer.rows)) " rows" }
            }
            @if let Some(why) = &cell.skipped { p { "Not measured: " (why) } }
            @for failure in &cell.failures {
                p.bad { (failure.message) }
                @if !failure.stderr.is_empty() { pre tabindex="0" { (failure.stderr) } }
            }
            @for (phase, measured) in &cell.phases {
                h3 { (phase.name()) " executions" }
                (waterfall(page, cell, *phase))
                (counters(page, cell, *phase, measured))
            }
            (copied(&page.evaluation.again_command(&cell.id)))
        }
    }
}

/// A stage of a cell, and where it stands in the waterfall.
struct Row {
    stage: &'static str,
    ns: u64,
    base_ns: Option<u64>,
    calls: Option<String>,
    allocations: u64,
    /// Where its bar begins, as a share of the width.
    from: f64,
}

/// Writes the stages below each other, each beginning where the one before ended.
fn waterfall(page: &Page<'_>, cell: &CellSummary, phase: Phase) -> Markup {
    let Some(wall) = cell.spread(phase, "wall_ns") else { return html! {} };
    let mut rows = rows(page, cell, phase);
    let inside: u64 = rows.iter().map(|row| row.ns).sum();
    let whole = inside.max(wall.median).max(1) as f64;
    let outside = wall.median.saturating_sub(inside);
    let mut begin = 0.0;
    for row in &mut rows {
        row.from = begin;
        begin += row.ns as f64 / whole;
    }
    let has_base = rows.iter().any(|row| row.base_ns.is_some());
    let share = |ns: u64| format!("{:.1} %", ns as f64 * 100.0 / whole);
    html! {
        div.scroll tabindex="0" role="group" aria-label="Stages" { table.waterfall {
            thead { tr {
                th scope="col" { "stage" }
                th scope="col" { span.unseen { "from and to" } }
                th.number scope="col" { "time" }
                th.number scope="col" { "share" }
                @if has_base { th.number scope="col" { "base" } th.number scope="col" { "change" } }
                th.number scope="col" { "calls" }
                th.number scope="col" { "allocations" }
            } }
            tbody {
                @for Row { stage, ns, base_ns, calls, allocations, from } in &rows {
                    tr {
                        th scope="row" { (stage) }
                        td { (block(*from, *ns as f64 / whole, stage)) }
                        td.number { (units::nanoseconds(*ns)) }
                        td.number { (share(*ns)) }
                        @if has_base {
                            td.number { @if let Some(base) = base_ns { (units::nanoseconds(*base)) } }
                            td.number {
                                @if let Some(base) = base_ns { (change(*base as f64, *ns as f64, true)) }
                            }
                        }
                        td.number { @if let Some(calls) = calls { (calls) } }
                        td.number { (units::count(*allocations)) }
                    }
                }
                @if outside > 0 {
                    tr {
                        th scope="row" { "outside of stages" }
                        td { (block(1.0 - outside as f64 / whole, outside as f64 / whole, "other")) }
                        td.number { (units::nanoseconds(outside)) }
                        td.number { (share(outside)) }
                        @if has_base { td {} td {} }
                        td {} td {}
                    }
                }
                tr.sum {
                    th scope="row" { "wall time" }
                    td {}
                    td.number { (units::nanoseconds(wall.median)) }
                    td.number { "± " (units::nanoseconds(wall.mad)) }
                    @if has_base { td {} td {} }
                    td {} td {}
                }
            }
        } }
    }
}

/// Returns the stages that took time, in pipeline order.
fn rows(page: &Page<'_>, cell: &CellSummary, phase: Phase) -> Vec<Row> {
    let mut rows = Vec::new();
    for stage in STAGES {
        let metric = |part: &str| format!("stage.{}.{part}", stage.name());
        let median = |part: &str| cell.spread(phase, &metric(part)).map_or(0, |spread| spread.median);
        if median("ns") == 0 {
            continue;
        }
        rows.push(Row {
            stage: stage.name(),
            ns: median("ns"),
            base_ns: base_median(page, &cell.id, phase, &metric("ns")),
            calls: counted(cell, phase, &metric("count")).map(count),
            allocations: median("allocs"),
            from: 0.0,
        });
    }
    rows
}

fn block(from: f64, share: f64, stage: &str) -> Markup {
    let style = format!("margin-left:{:.1}%;width:{:.1}%", from * 100.0, share * 100.0);
    html! { i.(format!("stage-{stage}")) style=(style) {} }
}

/// Writes the counters that are not zero, and what the base had where that was something else.
fn counters(page: &Page<'_>, cell: &CellSummary, phase: Phase, measured: &PhaseSummary) -> Markup {
    let base = |name: &str| base_counted(page, &cell.id, phase, name);
    let is_nothing =
        |name: &str, values: &Values| values.mean() == 0.0 && base(name).is_none_or(|base| base == 0.0);
    let shown: Vec<(&String, &Values)> =
        measured.exact.iter().filter(|(name, values)| !is_nothing(name, values)).collect();
    let bounded =
        ["alloc_count", "alloc_bytes", "alloc_peak_bytes", "peak_rss_bytes", "cpu_ns", "instructions"];
    let bounded: Vec<_> =
        bounded.into_iter().filter_map(|name| Some((name, cell.spread(phase, name)?))).collect();
    html! {
        dl.counters {
            @for (name, spread) in bounded {
                div { dt { (name) } dd { (units::metric(name, spread.median)) } }
            }
            @for (name, values) in shown {
                div {
                    dt { (name) }
                    dd {
                        (values)
                        @if let Some(base) = base(name).filter(|base| *base != values.mean()) {
                            " " span.(if (values.mean() > base) != Metric::is_saving(name) { "worse" } else { "better" }) {
                                "was " (count(base))
                            }
                        }
                    }
                }
            }
            @for (name, seen) in &measured.unstable {
                div.doubt { dt { (name) } dd { "does not repeat: " (crate::verdict::seen_text(seen)) } }
            }
        }
    }
}
