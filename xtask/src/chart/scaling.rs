//! Cost against size: wall time per file over the number of files, one line per scenario and setting.

use std::collections::BTreeMap;

use scenarios::Phase;

use super::drawing::{Anchor, Drawing, LABEL, MARGIN, widest};
use super::palette::{Color, GRID, INK, PAPER, SERIES};
use crate::summary::{CellSummary, Summary};
use crate::units;

const PLOT: (f64, f64) = (760.0, 480.0);
const LEGEND_STEP: f64 = 24.0;

/// One line: points of (files, nanoseconds per file), by files.
#[derive(Clone, Debug, PartialEq)]
struct Series {
    label: String,
    points: Vec<(f64, f64)>,
}

/// Draws the chart, if any scenario was measured in two sizes or more.
pub(super) fn draw(summary: &Summary, phase: Phase) -> Option<Drawing> {
    let series = series(summary, phase);
    if series.is_empty() {
        return None;
    }
    let points = || series.iter().flat_map(|series| series.points.iter().copied());
    let x = Axis::over(points().map(|point| point.0));
    let y = Axis::over(points().map(|point| point.1));
    let y_texts: Vec<String> = y.ticks().iter().map(|tick| units::nanoseconds(tick.round() as u64)).collect();
    let left = MARGIN + widest(y_texts.iter().map(String::as_str), LABEL) + 12.0;
    let legend = widest(series.iter().map(|series| series.label.as_str()), LABEL);
    let mut page = Drawing::new(left + PLOT.0 + 32.0 + 36.0 + legend + MARGIN, 0.0);
    let title = format!("Cost against size in suite {}, {} executions", summary.suite, phase.name());
    let top =
        page.heading(&title, "wall time per file (median, logarithmic); a flat line means linear cost") + 8.0;
    let at = |point: (f64, f64)| (left + x.place(point.0) * PLOT.0, top + (1.0 - y.place(point.1)) * PLOT.1);
    for (tick, text) in y.ticks().iter().zip(&y_texts) {
        let height = at((x.low, *tick)).1;
        page.line((left, height), (left + PLOT.0, height), GRID);
        page.text((left - 12.0, height), text, LABEL, Anchor::End, INK);
    }
    for tick in x.ticks() {
        let across = at((tick, y.low)).0;
        page.line((across, top), (across, top + PLOT.1), GRID);
        let text = units::count(tick.round() as u64);
        page.text((across, top + PLOT.1 + 18.0), &text, LABEL, Anchor::Middle, INK);
    }
    let below = "files in the data set (logarithmic)";
    page.text((left + PLOT.0 / 2.0, top + PLOT.1 + 42.0), below, LABEL, Anchor::Middle, INK);
    for (index, series) in series.iter().enumerate() {
        let color = SERIES[index % SERIES.len()];
        let points: Vec<(f64, f64)> = series.points.iter().map(|point| at(*point)).collect();
        let legend_y = top + 10.0 + index as f64 * LEGEND_STEP;
        let key = (left + PLOT.0 + 32.0, legend_y);
        page.path(points.clone(), 2, color);
        page.path(vec![key, (key.0 + 28.0, legend_y)], 2, color);
        for point in points.into_iter().chain([(key.0 + 14.0, legend_y)]) {
            mark(&mut page, point, index, color);
        }
        page.text((key.0 + 36.0, legend_y), &series.label, LABEL, Anchor::Start, INK);
    }
    let legend_height = series.len() as f64 * LEGEND_STEP;
    page.height = top + (PLOT.1 + 42.0).max(legend_height) + MARGIN;
    Some(page)
}

/// Marks a point; the form changes with the line, so that colour is not the only difference.
fn mark(page: &mut Drawing, (x, y): (f64, f64), index: usize, color: Color) {
    match index % 3 {
        0 => page.dot((x, y), 5.0, color),
        1 => page.rect((x - 4.5, y - 4.5), (9.0, 9.0), color),
        _ => {
            page.dot((x, y), 6.0, color);
            page.dot((x, y), 3.0, PAPER);
        }
    }
}

fn series(summary: &Summary, phase: Phase) -> Vec<Series> {
    let mut order: Vec<String> = Vec::new();
    let mut points: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for cell in &summary.cells {
        let Some(label) = label(cell) else { continue };
        let (Some(files), Some(wall)) = (cell.files, cell.spread(phase, "wall_ns")) else { continue };
        if files == 0 {
            continue;
        }
        if !order.contains(&label) {
            order.push(label.clone());
        }
        let per_file = wall.median.max(1) as f64 / files as f64;
        points.entry(label).or_default().push((files as f64, per_file));
    }
    let mut series = Vec::new();
    for label in order {
        let mut points = points.remove(&label).unwrap_or_default();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points.dedup_by_key(|point| point.0);
        if points.len() > 1 {
            series.push(Series { label, points });
        }
    }
    series
}

/// Names a cell's line: the scenario and its axes but for the size; nothing if it has no axis of sizes.
fn label(cell: &CellSummary) -> Option<String> {
    cell.cell.point.iter().find(|(axis, _)| axis == "size")?;
    let rest = cell.cell.point.iter().filter(|(axis, _)| axis != "size");
    let rest: Vec<String> = rest.map(|(axis, value)| format!(" {axis}={value}")).collect();
    Some(format!("{}{}", cell.cell.scenario, rest.concat()))
}

/// A logarithmic axis from one round number to another.
#[derive(Clone, Copy, Debug)]
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64> + Clone) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(0.0, f64::max);
        // A little room keeps marks off the edges.
        Self { low: least / 1.3, high: most * 1.3 }
    }

    fn place(self, value: f64) -> f64 {
        (value / self.low).ln() / (self.high / self.low).ln()
    }

    /// Returns 1, 2 and 5 of every decade over a short range, 1 alone over a long one.
    fn ticks(self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let steps: &[f64] = match decades {
            _ if decades < 0.6 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0],
            _ if decades < 3.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let first = self.low.log10().floor() as i32;
        let last = self.high.log10().ceil() as i32;
        let mut ticks = Vec::new();
        for decade in first..=last {
            for step in steps {
                let tick = step * 10_f64.powi(decade);
                if tick >= self.low && tick <= self.high {
                    ticks.push(tick);
                }
            }
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let check = |low, high, expect: &[f64]| {
            let ticks = Axis { low, high }.ticks();
            assert_eq!(ticks.len(), expect.len(), "{ticks:?}");
            for (tick, expect) in ticks.iter().zip(expect) {
                assert!((tick / expect - 1.0).abs() < 1e-9, "{ticks:?}");
            }
        };
        check(8.0, 130.0, &[10.0, 20.0, 50.0, 100.0]);
        check(9.0, 100_000.0, &[10.0, 100.0, 1_000.0, 10_000.0, 100_000.0]);
    }

    #[test]
    fn places_are_logarithmic() {
        let axis = Axis { low: 1.0, high: 100.0 };
        assert!((axis.place(10.0) - 0.5).abs() < 1e-9);
    }
}
