//! Base against head: a bar per value that both sides have, from 1 to the ratio of head to base.

use std::cmp::Ordering;

use scenarios::Phase;

use super::drawing::{Anchor, Drawing, LABEL, MARGIN, widest};
use super::palette::{BETTER, GRID, INK, WORSE};
use crate::evaluation::Evaluation;
use crate::report::short;
use crate::units;
use crate::verdict::Verdict;

const BAR: f64 = 20.0;
const STEP: f64 = 32.0;
const PLOT: f64 = 640.0;
/// The axis shows at least this ratio on both sides, so that noise does not look like news.
const LEAST_LIMIT: f64 = 1.1;
/// A larger ratio is drawn to the edge; its values are written beside it.
const MOST_LIMIT: f64 = 16.0;

/// A change that is too small to see is still drawn.
const LEAST_LENGTH: f64 = 4.0;

/// One bar.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// What is compared.
    pub(super) label: String,
    /// The base's value.
    pub(super) base: u64,
    /// The head's value.
    pub(super) head: u64,
    /// Both values and the change, in words.
    pub(super) values: String,
}

/// A chart before it is split over images.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// The title.
    pub(super) title: String,
    /// The bars.
    pub(super) rows: Vec<Row>,
}

/// Makes the charts that there are values for, with the names of their files.
pub(super) fn charts(evaluation: &Evaluation) -> Vec<(&'static str, Chart)> {
    let suite = &evaluation.summary.suite;
    let mut charts = Vec::new();
    for (name, phase) in [("ratio-cold", Phase::Cold), ("ratio-warm", Phase::Warm)] {
        let title = format!("Wall time of suite {suite}, head against base, {} executions", phase.name());
        charts.push((name, Chart { title, rows: rows_of(evaluation, phase, "wall_ns") }));
    }
    let title = format!("Instructions of suite {suite}, head against base");
    let rows = rows_of(evaluation, Phase::Warm, "instructions");
    charts.push(("ratio-instructions", Chart { title, rows }));
    let title = format!("Counters of suite {suite} that moved, head against base");
    charts.push(("ratio-counters", Chart { title, rows: counter_rows(evaluation) }));
    charts.retain(|(_, chart)| !chart.rows.is_empty());
    charts
}

fn rows_of(evaluation: &Evaluation, phase: Phase, metric: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for cell in &evaluation.summary.cells {
        let pairs = &evaluation.comparison.medians;
        let pair =
            pairs.iter().find(|pair| pair.cell == cell.id && pair.phase == phase && pair.metric == metric);
        if let Some(pair) = pair {
            let (base, head) = (pair.base, pair.head);
            let value = |value| units::metric(metric, value);
            let change = units::change(base, head);
            let values = format!("{} → {}, {change}", value(base), value(head));
            rows.push(Row { label: short(&cell.id).to_owned(), base, head, values });
        }
    }
    rows
}

fn counter_rows(evaluation: &Evaluation) -> Vec<Row> {
    let mut rows = Vec::new();
    for finding in &evaluation.comparison.findings {
        let moved = matches!(finding.verdict, Verdict::Regressed | Verdict::Improved);
        if let (true, Some(metric), Some(base), Some(head)) =
            (moved, &finding.metric, finding.base, finding.head)
        {
            let phase = finding.phase.map_or("", |phase| phase.name());
            let label = format!("{} {phase} {metric}", short(&finding.cell));
            let values =
                format!("{} → {}, {}", units::count(base), units::count(head), units::change(base, head));
            rows.push(Row { label, base, head, values });
        }
    }
    rows
}

/// Draws one page of bars.
pub(super) fn draw(title: &str, rows: &[Row], place: &str) -> Drawing {
    let left = MARGIN + widest(rows.iter().map(|row| row.label.as_str()), LABEL) + 12.0;
    let right = widest(rows.iter().map(|row| row.values.as_str()), LABEL) + 12.0 + MARGIN;
    let mut page = Drawing::new(left + PLOT + right, 0.0);
    let below =
        "right of 1: the head needs more; left of 1: less; a bar that touches the edge goes beyond it";
    let top = page.heading(&format!("{title}{place}"), below) + 8.0;
    let bottom = top + rows.len() as f64 * STEP;
    let limit = limit(rows);
    let x_of = |ratio: f64| left + PLOT * (ratio.ln() / limit.ln() + 1.0) / 2.0;
    for tick in ticks(limit) {
        let x = x_of(tick);
        page.line((x, top - 4.0), (x, bottom + 4.0), GRID);
        page.text((x, bottom + 18.0), &tick_text(tick), LABEL, Anchor::Middle, INK);
    }
    let middle = left + PLOT / 2.0;
    page.text((middle, bottom + 42.0), "head ÷ base (logarithmic)", LABEL, Anchor::Middle, INK);
    for (index, row) in rows.iter().enumerate() {
        let y = top + index as f64 * STEP + (STEP - BAR) / 2.0;
        let length = (x_of(ratio(row).clamp(1.0 / limit, limit)) - middle).abs().max(LEAST_LENGTH);
        match row.head.cmp(&row.base) {
            Ordering::Greater => page.rect((middle, y), (length, BAR), WORSE),
            Ordering::Less => page.rect((middle - length, y), (length, BAR), BETTER),
            Ordering::Equal => page.dot((middle, y + BAR / 2.0), LEAST_LENGTH, INK),
        }
        page.text((left - 12.0, y + BAR / 2.0), &row.label, LABEL, Anchor::End, INK);
        page.text((left + PLOT + 12.0, y + BAR / 2.0), &row.values, LABEL, Anchor::Start, INK);
    }
    page.line((middle, top - 4.0), (middle, bottom + 4.0), INK);
    page.height = bottom + 42.0 + MARGIN;
    page
}

/// Returns head over base; to or from nothing it is beyond every axis, or 1 if both are nothing.
fn ratio(row: &Row) -> f64 {
    match (row.base, row.head) {
        (0, 0) => 1.0,
        (0, _) => f64::MAX,
        (_, 0) => f64::MIN_POSITIVE,
        (base, head) => head as f64 / base as f64,
    }
}

fn limit(rows: &[Row]) -> f64 {
    // A change from or to nothing goes to the edge anyway; the axis is for the others.
    let finite = rows.iter().filter(|row| row.base > 0 && row.head > 0).map(ratio);
    finite.map(|ratio| ratio.max(1.0 / ratio) * 1.05).fold(LEAST_LIMIT, f64::max).min(MOST_LIMIT)
}

/// Returns the ratios to mark: few enough that their labels do not touch.
fn ticks(limit: f64) -> Vec<f64> {
    let steps: &[f64] = match limit {
        _ if limit < 1.25 => &[1.05, 1.1, 1.2],
        _ if limit < 2.0 => &[1.1, 1.25, 1.5, 1.75],
        _ if limit < 4.0 => &[1.25, 1.5, 2.0, 3.0],
        _ => &[1.5, 2.0, 4.0, 8.0, 16.0],
    };
    let above: Vec<f64> = steps.iter().copied().filter(|step| *step <= limit).collect();
    let mut ticks: Vec<f64> = above.iter().rev().map(|step| 1.0 / step).collect();
    ticks.push(1.0);
    ticks.extend(above);
    ticks
}

fn tick_text(tick: f64) -> String {
    let inverse = 1.0 / tick;
    if tick < 1.0 && (inverse - inverse.round()).abs() < 1e-9 {
        return format!("1/{inverse:.0}");
    }
    let text = format!("{tick:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(base: u64, head: u64) -> Row {
        Row { label: "a".into(), base, head, values: String::new() }
    }

    #[test]
    fn the_axis_holds_every_ratio_up_to_a_limit() {
        let check = |rows: &[Row], expect: f64| assert!((limit(rows) - expect).abs() < 1e-9, "{rows:?}");
        check(&[row(100, 101)], LEAST_LIMIT);
        check(&[row(100, 200), row(100, 100)], 2.1);
        check(&[row(200, 100)], 2.1);
        check(&[row(0, 5), row(5, 0)], LEAST_LIMIT);
        check(&[row(1, 100)], MOST_LIMIT);
    }

    #[test]
    fn ticks_are_symmetric_around_one() {
        let ticks = ticks(2.1);
        assert_eq!(ticks.iter().filter(|tick| **tick == 1.0).count(), 1);
        for pair in ticks.iter().zip(ticks.iter().rev()) {
            assert!((pair.0 * pair.1 - 1.0).abs() < 1e-9);
        }
    }
}
