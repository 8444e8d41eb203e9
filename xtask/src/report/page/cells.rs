//! The table of all cells: sorted by any column, filtered by name and verdict.

use maud::{Markup, html};
use scenarios::Phase;

use super::interval::Scale;
use super::{Page, badge, class};
use crate::report::short;
use crate::statistics::Spread;
use crate::summary::CellSummary;
use crate::timing::{CellTiming, Timing, signed};
use crate::units;
use crate::verdict::Verdict;

/// A column: its heading, and whether it holds numbers.
type Column = (&'static str, bool);

const PAIRS: [Column; 7] = [
    ("phase", false),
    ("base", true),
    ("head", true),
    ("change", true),
    ("interval of 95 %", false),
    ("would find", true),
    ("pairs", true),
];
const SIDE: [Column; 7] = [
    ("cold", true),
    ("± cold", true),
    ("warm", true),
    ("± warm", true),
    ("cold CPU", true),
    ("peak RSS", true),
    ("rows", true),
];
const MICRO: [Column; 4] = [("by", false), ("instructions", true), ("time", true), ("change", true)];

/// What a field shows and what it is sorted by.
struct Field {
    shown: Markup,
    key: Option<f64>,
}

/// Writes the filter and the table.
pub(super) fn cells(page: &Page<'_>) -> Markup {
    let timing = page.evaluation.timing.as_ref();
    let is_micro = page.evaluation.summary.cells.iter().all(|cell| cell.cell.workload.is_micro());
    let columns: &[Column] = match timing {
        Some(_) => &PAIRS,
        None if is_micro => &MICRO,
        None => &SIDE,
    };
    let margin = page.record.header.base.as_ref().map_or(0.0, |base| f64::from(base.margin_ppm) / 1e6);
    let fields = |cell: &CellSummary, verdict: Verdict| match timing {
        Some(timing) => pairs(timing, Scale::of(timing, margin), cell, verdict),
        None if is_micro => micro(page, cell),
        None => side(cell),
    };
    html! {
        p.tools {
            label for="filter" { "Filter by name" }
            input id="filter" type="search" placeholder="part of a name; press / to come here" autocomplete="off";
            output id="shown" for="filter" aria-live="polite" {}
        }
        @if timing.is_some() {
            p.note {
                "Change of the head against the base. The band is the margin of " (signed(margin))
                " below which nothing is called; the line is the interval."
            }
        }
        div.scroll tabindex="0" role="group" aria-label="All cells" {
            table.sortable id="cell-table" {
                thead { tr {
                    (heading("cell", false))
                    (heading("verdict", false))
                    @for (name, number) in columns { (heading(name, *number)) }
                } }
                tbody {
                    @for (index, cell, verdict) in page.cells() {
                        tr data-verdict=(verdict.name()) {
                            th scope="row" data-key=(index) {
                                a href=(format!("#cell-{index}")) { (short(&cell.id)) }
                            }
                            td data-key=(verdict as u8) { (badge(verdict)) }
                            @for (field, (_, number)) in fields(cell, verdict).into_iter().zip(columns) {
                                td.number[*number] data-key=[field.key] { (field.shown) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Writes the heading of a column that can be sorted.
fn heading(name: &str, number: bool) -> Markup {
    html! { th.number[number] scope="col" aria-sort="none" { button type="button" { (name) } } }
}

fn none() -> Field {
    Field { shown: html! { "–" }, key: None }
}

fn number(key: f64, shown: String) -> Field {
    Field { shown: html! { (shown) }, key: Some(key) }
}

fn text(shown: &str) -> Field {
    Field { shown: html! { (shown) }, key: None }
}

fn pairs(timing: &Timing, scale: Scale, cell: &CellSummary, verdict: Verdict) -> Vec<Field> {
    let Some(CellTiming { phase, base_ns, head_ns, judged, .. }) = timing.cells.get(&cell.id) else {
        return PAIRS.map(|_| none()).into();
    };
    let change = judged.test.effect.exp_m1();
    vec![
        text(phase.name()),
        number(*base_ns as f64, units::nanoseconds(*base_ns)),
        number(*head_ns as f64, units::nanoseconds(*head_ns)),
        number(change, signed(change)),
        Field { shown: scale.draw(judged, class(verdict)), key: Some(change) },
        number(judged.detectable, format!("{:.1} %", judged.detectable * 100.0)),
        number(judged.pairs as f64, judged.pairs.to_string()),
    ]
}

fn side(cell: &CellSummary) -> Vec<Field> {
    let field = |value: Option<u64>, shown: fn(u64) -> String| {
        value.map_or_else(none, |value| number(value as f64, shown(value)))
    };
    let spread = |phase, metric| cell.spread(phase, metric);
    let median = |spread: Option<Spread>| field(spread.map(|spread| spread.median), units::nanoseconds);
    let mad = |spread: Option<Spread>| field(spread.map(|spread| spread.mad), units::nanoseconds);
    let (cold, warm) = (spread(Phase::Cold, "wall_ns"), spread(Phase::Warm, "wall_ns"));
    let peaks = [Phase::Cold, Phase::Warm].map(|phase| spread(phase, "peak_rss_bytes"));
    let peak = peaks.into_iter().flatten().map(|spread| spread.median).max();
    vec![
        median(cold),
        mad(cold),
        median(warm),
        mad(warm),
        median(spread(Phase::Cold, "cpu_ns")),
        field(peak, units::bytes),
        field(cell.answer.as_ref().map(|answer| answer.rows), units::count),
    ]
}

fn micro(page: &Page<'_>, cell: &CellSummary) -> Vec<Field> {
    let median = |metric: &str| cell.spread(Phase::Warm, metric).map(|spread| spread.median);
    let medians = &page.evaluation.comparison.medians;
    let field = |metric: &str| {
        median(metric).map_or_else(none, |value| number(value as f64, units::metric(metric, value)))
    };
    let pair = medians.iter().find(|pair| pair.cell == cell.id && pair.phase == Phase::Warm);
    vec![
        text(cell.cell.workload.name()),
        field("instructions"),
        field("wall_ns"),
        pair.map_or_else(none, |pair| {
            number(pair.head as f64 / pair.base.max(1) as f64, units::change(pair.base, pair.head))
        }),
    ]
}
