//! Each cell in detail: a waterfall of its stages, its counters, and what did not repeat.

use maud::{Markup, html};
use scenarios::{Metric, Phase, STAGES};

use super::changes::copied;
use super::value::{base_counted, base_median, change, count};
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

/// Writes the stages below each other, each beginning where the one before ended.
fn waterfall(page: &Page<'_>, cell: &CellSummary, phase: Phase) -> Markup {
    let Some(wall) = cell.spread(phase, "wall_ns") else { return html! {} };
    let mut stages = Vec::new();
    for stage in STAGES {
        let metric = |part: &str| format!("stage.{}.{part}", stage.name());
        let median = |part: &str| cell.spread(phase, &metric(part)).map_or(0, |spread| spread.median);
        if median("ns") > 0 {
            let base = base_median(page, &cell.id, phase, &metric("ns"));
            stages.push((stage.name(), median("ns"), median("allocs"), base));
        }
    }
    let inside: u64 = stages.iter().map(|(_, ns, ..)| ns).sum();
    let whole = inside.max(wall.median).max(1) as f64;
    let outside = wall.median.saturating_sub(inside);
    let has_base = stages.iter().any(|(.., base)| base.is_some());
    let mut begin = 0.0;
    let rows = stages.into_iter().map(|(name, ns, allocations, base)| {
        let from = begin;
        begin += ns as f64 / whole;
        (name, ns, allocations, base, from)
    });
    let rows: Vec<_> = rows.collect();
    html! {
        div.scroll tabindex="0" role="group" aria-label="Stages" { table.waterfall {
            thead { tr {
                th scope="col" { "stage" }
                th scope="col" { span.unseen { "from and to" } }
                th.number scope="col" { "time" }
                th.number scope="col" { "share" }
                @if has_base { th.number scope="col" { "base" } th.number scope="col" { "change" } }
                th.number scope="col" { "allocations" }
            } }
            tbody {
                @for (name, ns, allocations, base, from) in &rows {
                    tr {
                        th scope="row" { (name) }
                        td { (block(*from, *ns as f64 / whole, name)) }
                        td.number { (units::nanoseconds(*ns)) }
                        td.number { (format!("{:.1} %", *ns as f64 * 100.0 / whole)) }
                        @if has_base {
                            td.number { @if let Some(base) = base { (units::nanoseconds(*base)) } }
                            td.number { @if let Some(base) = base { (change(*base as f64, *ns as f64, true)) } }
                        }
                        td.number { (units::count(*allocations)) }
                    }
                }
                @if outside > 0 {
                    tr {
                        th scope="row" { "outside of stages" }
                        td { (block(1.0 - outside as f64 / whole, outside as f64 / whole, "other")) }
                        td.number { (units::nanoseconds(outside)) }
                        td.number { (format!("{:.1} %", outside as f64 * 100.0 / whole)) }
                        @if has_base { td {} td {} }
                        td {}
                    }
                }
                tr.sum {
                    th scope="row" { "wall time" }
                    td {}
                    td.number { (units::nanoseconds(wall.median)) }
                    td.number { "± " (units::nanoseconds(wall.mad)) }
                    @if has_base { td {} td {} }
                    td {}
                }
            }
        } }
    }
}

fn block(from: f64, share: f64, stage: &str) -> Markup {
    let style = format!("margin-left:{:.2}%;width:{:.2}%", from * 100.0, share * 100.0);
    html! { span.bar aria-hidden="true" { span.(format!("stage-{stage}")) style=(style) {} } }
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
